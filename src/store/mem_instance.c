/* Instances, claims and the inbox in memory. */
#include "base/clock.h"
#include "store/mem_data.h"
#include "store/rules.h"

static int64_t mem_now(const struct mem_data *d)
{
    return d->time ? d->time : clock_wall_ms();
}

static struct mem_instance *instance_get(const struct mem_data *d, struct id id)
{
    struct mem_instance key = {.row.id = id};

    return mem_vec_get(&d->instances, &key, mem_cmp_instance);
}

bool mem_session_is_free(const struct mem_data *d, const struct mem_session *s, struct id instance)
{
    if (id_is_zero(s->row.owner) || id_eq(s->row.owner, instance))
        return true;
    return instance_get(d, s->row.owner) == NULL;
}

int mem_session_release(struct mem_data *d, struct store_session_release *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct mem_session *s = table_get(&d->sessions_by_id, r->ids[i]);
        if (s && id_eq(s->row.owner, r->instance))
            s->row.owner = (struct id){{0}};
    }
    return 0;
}

int mem_instance_put(struct mem_data *d, struct store_instance_put *p)
{
    const struct mem_instance *old = instance_get(d, p->row.id);
    int64_t now = mem_now(d);

    if (!old && p->must_exist)
        return err_set(&p->req.error, ERR_NOT_FOUND, "the instance was held for dead");
    struct mem_instance *row = mem_row_create(sizeof(*row));
    row->row = mem_copy_instance(&row->arena, &p->row);
    row->row.started_at = old ? old->row.started_at : now;
    row->row.seen_at = now;
    row->row.lease_until = now + p->lease_ms;
    mem_vec_put(&d->instances, row, mem_cmp_instance);
    return 0;
}

int mem_instance_remove(struct mem_data *d, struct store_instance_remove *r)
{
    struct mem_instance *row = instance_get(d, r->id);

    if (!row)
        return err_set(&r->req.error, ERR_NOT_FOUND, "no such instance");
    if (r->expired_only && row->row.lease_until > mem_now(d))
        return err_set(&r->req.error, ERR_CONFLICT, "the instance's lease holds");
    mem_vec_remove(&d->instances, row, mem_cmp_instance);
    return 0;
}

/* The vector is by id: insertion by started_at keeps that order among equals. */
int mem_instance_list(struct mem_data *d, struct store_instance_list *l)
{
    l->rows = NULL;
    l->now = mem_now(d);
    for (size_t i = 0; i < d->instances.count; i++) {
        struct instance_row *row = arena_alloc(&l->req.arena, sizeof(*row));
        struct instance_row **at = &l->rows;
        *row =
            mem_copy_instance(&l->req.arena, &((struct mem_instance *)d->instances.rows[i])->row);
        while (*at && (*at)->started_at <= row->started_at)
            at = &(*at)->next;
        row->next = *at;
        *at = row;
    }
    return 0;
}

/* ---- the inbox ---- */

static struct mem_command *command_find(const struct mem_data *d, struct id id)
{
    struct mem_command key = {.row.command_id = id};

    return mem_vec_get(&d->commands, &key, mem_cmp_command);
}

static void command_insert(struct mem_data *d, const struct command_row *from)
{
    struct mem_command *row = mem_row_create(sizeof(*row));
    row->row = mem_copy_command(&row->arena, from);
    row->row.http_status = 0;
    row->row.answer_json = STR_NULL;
    mem_vec_put(&d->commands, row, mem_cmp_command);
}

int mem_command_put(struct mem_data *d, struct store_command_put *p)
{
    if (!mem_session_get(d, STR_NULL, p->row.session_id))
        return err_set(&p->req.error, ERR_NOT_FOUND, "no such session");
    if (command_find(d, p->row.command_id))
        return err_set(&p->req.error, ERR_CONFLICT, "the command is there already");
    command_insert(d, &p->row);
    return 0;
}

void mem_commands_insert(struct mem_data *d, const struct command_row *rows)
{
    for (; rows; rows = rows->next)
        if (mem_session_get(d, STR_NULL, rows->session_id) && !command_find(d, rows->command_id))
            command_insert(d, rows);
}

int mem_command_get(struct mem_data *d, struct store_command_get *g)
{
    const struct mem_command *row = command_find(d, g->command_id);

    if (!row)
        return err_set(&g->req.error, ERR_NOT_FOUND, "no such command");
    g->row = mem_copy_command(&g->req.arena, &row->row);
    return 0;
}

static bool command_is_wanted(const struct mem_data *d, const struct store_command_list *l,
                              const struct command_row *row)
{
    if (row->http_status != 0)
        return false;
    if (!id_is_zero(l->session_id))
        return id_eq(row->session_id, l->session_id);
    return mem_session_is_free(d, table_get(&d->sessions_by_id, row->session_id), l->instance);
}

int mem_command_list(struct mem_data *d, struct store_command_list *l)
{
    struct mem_command key = {.row.command_id = l->after};
    struct command_row **tail = &l->rows;
    int left = l->limit > 0 ? l->limit : STORE_LIMIT_DEFAULT;
    bool found;

    l->rows = NULL;
    if (!id_is_zero(l->session_id) && !mem_session_get(d, STR_NULL, l->session_id))
        return err_set(&l->req.error, ERR_NOT_FOUND, "no such session");
    size_t at = mem_vec_find(&d->commands, &key, mem_cmp_command, &found);
    for (at += found; at < d->commands.count && left > 0; at++) {
        const struct command_row *row = &((struct mem_command *)d->commands.rows[at])->row;
        if (!command_is_wanted(d, l, row))
            continue;
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        **tail = mem_copy_command(&l->req.arena, row);
        tail = &(*tail)->next;
        left--;
    }
    return 0;
}

int mem_commands_check(const struct mem_data *d, const struct command_row *rows, bool *same,
                       struct errbuf *e)
{
    int answered = 0;

    *same = true;
    for (; rows; rows = rows->next) {
        const struct mem_command *old = command_find(d, rows->command_id);
        answered += !old || old->row.http_status != 0;
        *same = *same && old && rules_answer_is_same(&old->row, rows);
    }
    return answered > 0 ? err_set(e, ERR_CONFLICT, "a command was answered before") : 0;
}

void mem_commands_answer(struct mem_data *d, struct id session, const struct command_row *rows)
{
    for (; rows; rows = rows->next) {
        struct mem_command *c = command_find(d, rows->command_id);
        if (!c || c->row.http_status != 0 || !id_eq(c->row.session_id, session))
            continue;
        c->row.http_status = rows->http_status;
        c->row.answer_json = rules_copy(&c->arena, rows->answer_json);
    }
}

int mem_command_done(struct mem_data *d, struct store_command_done *c)
{
    const struct mem_session *s = mem_session_get(d, STR_NULL, c->session_id);

    if (!s)
        return err_set(&c->req.error, ERR_NOT_FOUND, "no such session");
    if (c->epoch < s->row.epoch)
        return err_set(&c->req.error, ERR_STALE, "the session has another owner by now");
    mem_commands_answer(d, c->session_id, c->rows);
    return 0;
}
