/* Stored sessions in memory. */
#include "store/mem_data.h"
#include "store/rules.h"

static const struct session_row *save_look(struct mem_data *d, struct store_session_save *p,
                                           const struct id *id, struct session_row *row)
{
    struct mem_session *s = table_get(&d->sessions_by_id, *id);

    if (!s)
        return NULL;
    *row = mem_session_row(&p->req.arena, s, false);
    return row;
}

static int save_check(struct mem_data *d, struct store_session_save *p)
{
    struct session_row row;
    int status = 0;

    for (size_t i = 0; i < p->save_count && status == 0; i++)
        status = rules_save_check(p, i, save_look(d, p, &p->saves[i].id, &row), &p->req.error);
    for (size_t i = 0; i < p->delete_count && status == 0; i++)
        status =
            rules_save_delete_check(p, i, save_look(d, p, &p->deletes[i], &row), &p->req.error);
    if (status == 0 && p->idempotency && !mem_keys_are_free(d, p->idempotency))
        status = err_set(&p->req.error, ERR_CONFLICT, "this Idempotency-Key is in use");
    return status;
}

void mem_meta_write(struct mem_session *s, const struct session_meta *meta, int64_t version)
{
    struct session_meta *m = &s->row.meta;

    m->name = rules_copy(&s->arena, meta->name);
    m->tags_json = rules_copy(&s->arena, meta->tags_json.p ? meta->tags_json : STR("[]"));
    m->metadata_json = rules_copy(&s->arena, meta->metadata_json);
    m->settings_json = rules_copy(&s->arena, meta->settings_json);
    m->thread_configs_json = rules_copy(&s->arena, meta->thread_configs_json);
    m->workflow_state_json = rules_copy(&s->arena, meta->workflow_state_json);
    s->row.version = version;
}

static void save_write(struct mem_data *d, struct store_session_save *p,
                       const struct session_save *x)
{
    struct mem_session *s = table_get(&d->sessions_by_id, x->id);
    struct save_new fresh;

    rules_save_new(p, x, &fresh);
    if (!s) {
        s = mem_session_create(d, &fresh.delta);
    } else {
        mem_meta_write(s, &x->meta, x->version);
        if (x->kind == SAVE_META) {
            s->core->core.updated_at = p->now_ms;
            return;
        }
        s->row.meta.user_id = rules_copy(&s->arena, x->meta.user_id);
        s->row.meta.group_id = rules_copy(&s->arena, x->meta.group_id);
        s->row.meta.workflow_id = rules_copy(&s->arena, x->meta.workflow_id);
    }
    mem_core_write(s, &fresh.core);
}

int mem_session_stats(struct mem_data *d, struct store_session_stats *s)
{
    int64_t after = s->created_after ? s->created_after : INT64_MIN;
    int64_t before = s->created_before ? s->created_before : INT64_MAX;
    struct stats_sum *sum = rules_stats_begin(s);
    bool more = true;

    for (size_t i = d->sessions.count; i-- > 0 && more;) {
        const struct mem_session *m = (struct mem_session *)d->sessions.rows[i];
        const struct session_meta *meta = &m->row.meta;
        const struct session_core *core = &m->core->core;
        if (!str_eq(meta->workspace, rules_workspace(s->workspace)) || m->row.created_at <= after ||
            m->row.created_at >= before ||
            (s->workflow_id.p &&
             !(meta->workflow_id.p && str_eq(meta->workflow_id, s->workflow_id))) ||
            (s->group_id.p && !(meta->group_id.p && str_eq(meta->group_id, s->group_id))))
            continue;
        more = rules_stats_add(sum, &(struct stats_seen){.status = core->status,
                                                         .workflow_id = meta->workflow_id,
                                                         .error_json = core->error_json,
                                                         .usage_json = core->usage_json,
                                                         .created_at = m->row.created_at,
                                                         .started_at = core->started_at,
                                                         .ended_at = core->ended_at});
    }
    rules_stats_end(sum);
    return 0;
}

int mem_session_save(struct mem_data *d, struct store_session_save *p)
{
    int status = save_check(d, p);

    if (status < 0)
        return status;
    for (size_t i = 0; i < p->save_count; i++)
        save_write(d, p, &p->saves[i]);
    for (size_t i = 0; i < p->delete_count; i++)
        mem_session_remove(d, table_get(&d->sessions_by_id, p->deletes[i]));
    mem_keys_write(d, rules_save_key(p));
    return 0;
}
