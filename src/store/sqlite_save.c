/* Stored sessions: all checks come first, so that a refusal leaves nothing behind. */
#include "store/rules.h"
#include "store/sqlite_store.h"

/* 1, 0: there is none, or an error. Only what the checks ask for: one whose rest does not read back
 * can be replaced and deleted. */
static int save_look(struct sqlite_db *db, struct arena *a, const struct id *id,
                     struct session_row *row, int64_t *key)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SAVE_LOOK);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    *row = (struct session_row){.id = *id};
    *key = sqlq_i64(&q);
    row->meta.workspace = sqlq_str(&q, a);
    row->version = sqlq_i64(&q);
    row->created_at = sqlq_i64(&q);
    row->core.status = sqlq_str(&q, a);
    row->meta.stored_only = sqlq_i64(&q) != 0;
    sqlq_end(&q);
    return 1;
}

static int save_check(struct sqlite_db *db, struct store_session_save *p, int64_t *keys)
{
    struct arena *a = &p->req.arena;
    struct session_row row;
    int status = 0;

    for (size_t i = 0; i < p->save_count && status == 0; i++) {
        int found = save_look(db, a, &p->saves[i].id, &row, &keys[i]);
        status = found < 0 ? found : rules_save_check(p, i, found ? &row : NULL, &db->error);
    }
    for (size_t i = 0; i < p->delete_count && status == 0; i++) {
        int found = save_look(db, a, &p->deletes[i], &row, &keys[p->save_count + i]);
        status = found < 0 ? found : rules_save_delete_check(p, i, found ? &row : NULL, &db->error);
    }
    return status == 0 ? sqlite_idempotency_check(db, a, p->idempotency) : status;
}

static int save_write(struct sqlite_db *db, struct store_session_save *p,
                      const struct session_save *s, int64_t key)
{
    struct sqlq q;

    if (s->created) {
        struct save_new fresh;
        rules_save_new(p, s, &fresh);
        return sqlite_session_insert(db, &fresh.delta, &key);
    }
    int status = sqlite_meta_update(db, key, &s->meta, s->version, p->now_ms);
    if (status < 0 || s->kind == SAVE_META)
        return status;
    sqlq_start(&q, db, SQL_STORED_UPDATE);
    sqlq_bind_str(&q, s->status);
    sqlq_bind_str(&q, s->meta.user_id);
    sqlq_bind_str(&q, s->meta.group_id);
    sqlq_bind_str(&q, s->meta.workflow_id);
    sqlq_bind_i64(&q, key);
    return sqlq_run(&q);
}

int sqlite_session_stats(struct sqlite_db *db, struct store_session_stats *s)
{
    struct stats_sum *sum = rules_stats_begin(s);
    int64_t workspace = 0;
    struct sqlq q;
    int more = sqlite_workspace_find(db, s->workspace, &workspace);

    if (more < 0) {
        rules_stats_end(sum);
        return more == ERR_NOT_FOUND ? 0 : more;
    }
    sqlq_start(&q, db,
               s->workflow_id.p ? SQL_STATS_BY_WORKFLOW
               : s->group_id.p  ? SQL_STATS_BY_GROUP
                                : SQL_STATS_BY_TIME);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_i64(&q, s->created_after ? s->created_after : INT64_MIN);
    sqlq_bind_i64(&q, s->created_before ? s->created_before : INT64_MAX);
    sqlq_bind_str(&q, s->workflow_id);
    sqlq_bind_str(&q, s->group_id);
    sqlq_bind_i64(&q, STATS_ROWS_MAX + 1);
    for (int64_t looked = 0; (more = sqlq_next(&q)) > 0; looked++) {
        struct arena scratch;
        arena_init(&scratch);
        struct stats_seen row = {.status = sqlq_str(&q, &scratch)};
        row.workflow_id = sqlq_str(&q, &scratch);
        row.error_json = sqlq_str(&q, &scratch);
        row.usage_json = sqlq_str(&q, &scratch);
        row.created_at = sqlq_i64(&q);
        row.started_at = sqlq_i64(&q);
        row.ended_at = sqlq_i64(&q);
        bool counts = sqlq_i64(&q) != 0 && row.status.p;
        bool enough = looked == STATS_ROWS_MAX || (counts && !rules_stats_add(sum, &row));
        arena_deinit(&scratch);
        s->truncated = s->truncated || enough;
        if (enough)
            break;
    }
    sqlq_end(&q);
    rules_stats_end(sum);
    return more < 0 ? more : 0;
}

int sqlite_session_save(struct sqlite_db *db, struct store_session_save *p)
{
    int64_t *keys = arena_calloc(&p->req.arena, p->save_count + p->delete_count + 1, sizeof(*keys));

    int status = save_check(db, p, keys);
    for (size_t i = 0; i < p->save_count && status == 0; i++)
        status = save_write(db, p, &p->saves[i], keys[i]);
    for (size_t i = 0; i < p->delete_count && status == 0; i++)
        status = sqlite_session_drop(db, keys[p->save_count + i]);
    return status < 0 ? status : sqlite_idempotency_insert(db, rules_save_key(p));
}
