/* Writes of the store in memory. As in SQLite's: all that can refuse is looked at first. */
#include <assert.h>

#include "store/mem_data.h"
#include "store/rules.h"

bool mem_keys_are_free(const struct mem_data *d, const struct idempotency_row *rows)
{
    for (; rows; rows = rows->next)
        if (mem_idempotency_get(d, rows->workspace, rows->key))
            return false;
    return true;
}

void mem_keys_write(struct mem_data *d, const struct idempotency_row *rows)
{
    for (; rows; rows = rows->next) {
        struct mem_idempotency *row = mem_row_create(sizeof(*row));
        row->row = mem_copy_idempotency(&row->arena, rows);
        mem_vec_put(&d->idempotency, row, mem_cmp_idempotency);
    }
}

/* ---- commit ---- */

struct mem_session *mem_session_create(struct mem_data *d, const struct delta *delta)
{
    struct mem_session *s = mem_row_create(sizeof(*s));

    s->row.id = delta->session_id;
    s->row.version = delta->version ? delta->version : 1;
    s->row.epoch = delta->epoch;
    s->row.owner = delta->owner;
    s->row.created_at = delta->created_at;
    s->row.meta = mem_copy_meta(&s->arena, delta->meta);
    s->key = ++d->last_key;
    mem_vec_put(&d->sessions, s, mem_cmp_session);
    table_put(&d->sessions_by_id, s->row.id, s);
    return s;
}

void mem_core_write(struct mem_session *s, const struct session_core *core)
{
    struct mem_core *row = mem_row_create(sizeof(*row));

    row->core = mem_copy_core(&row->arena, core);
    if (core->ended_at > 0)
        s->row.owner = (struct id){{0}};
    mem_row_destroy(s->core);
    s->core = row;
}

static void commit_events(struct mem_session *s, const struct delta *delta)
{
    struct mem_events *row = mem_row_create(sizeof(*row));
    struct event_row in = {NULL, delta->seq_first, delta->seq_last, buf_str(&delta->events)};

    row->row = mem_copy_events(&row->arena, &in);
    mem_vec_put(&s->events, row, mem_cmp_events);
}

static void commit_work(struct mem_session *s, const struct delta *delta)
{
    for (const struct run_row *r = delta->runs; r; r = r->next) {
        struct mem_run *row = mem_row_create(sizeof(*row));
        row->row = mem_copy_run(&row->arena, r);
        mem_vec_put(&s->runs, row, mem_cmp_run);
    }
    for (const struct effect_row *r = delta->effects_new; r; r = r->next) {
        struct mem_effect *row = mem_row_create(sizeof(*row));
        row->row = mem_copy_effect(&row->arena, r);
        mem_vec_put(&s->effects, row, mem_cmp_effect);
    }
    for (const struct id_list *id = delta->effects_done; id; id = id->next) {
        struct mem_effect key = {.row.run_id = id->id};
        mem_vec_remove(&s->effects, &key, mem_cmp_effect);
    }
    for (const struct timer_row *r = delta->timers_set; r; r = r->next) {
        struct mem_timer *row = mem_row_create(sizeof(*row));
        row->row = mem_copy_timer(&row->arena, r);
        mem_vec_put(&s->timers, row, mem_cmp_timer);
    }
    for (const struct id_list *id = delta->timers_done; id; id = id->next) {
        struct mem_timer key = {.row.timer_id = id->id};
        mem_vec_remove(&s->timers, &key, mem_cmp_timer);
    }
}

static void commit_rest(struct mem_session *s, const struct delta *delta)
{
    for (const struct message_row *r = delta->messages; r; r = r->next) {
        struct mem_message *row = mem_row_create(sizeof(*row));
        row->row = mem_copy_message(&row->arena, r);
        mem_vec_put(&s->messages, row, mem_cmp_message);
    }
    if (delta->withheld_clear)
        mem_vec_clear(&s->withheld);
    for (const struct withheld_row *r = delta->withheld; r; r = r->next) {
        struct mem_withheld *row = mem_row_create(sizeof(*row));
        row->row = mem_copy_withheld(&row->arena, r);
        mem_vec_put(&s->withheld, row, mem_cmp_withheld);
    }
}

/* 1: to be written; 0: it was before; or a refusal. */
static int commit_admit(const struct mem_data *d, const struct mem_session *s,
                        const struct delta *delta, struct errbuf *e)
{
    struct mem_events key = {.row.seq_last = delta->seq_last};

    if (!s && !delta->is_new)
        return err_set(e, ERR_NOT_FOUND, "no such session");
    if (s && delta->epoch < s->row.epoch)
        return err_set(e, ERR_STALE, "the session has another owner by now");
    const struct mem_events *old =
        s && delta->seq_last > 0 ? mem_vec_get(&s->events, &key, mem_cmp_events) : NULL;
    if (old) {
        if (old->row.seq_first == delta->seq_first &&
            str_eq(old->row.frames, buf_str(&delta->events)))
            return 0;
        return err_set(e, ERR_CONFLICT, "other events have these numbers");
    }
    if (s && delta->is_new)
        return err_set(e, ERR_CONFLICT, "the session exists already");
    if (!mem_keys_are_free(d, delta->idempotency))
        return err_set(e, ERR_CONFLICT, "this Idempotency-Key is in use");
    bool same = false;
    int status = delta->commands_done ? mem_commands_check(d, delta->commands_done, &same, e) : 0;
    /* Without events, the answers tell that it was written. */
    return status == 0 ? 1 : same && delta->seq_last == 0 ? 0 : status;
}

static struct mem_session *write_delta(struct mem_data *d, struct mem_session *s,
                                       const struct delta *delta)
{
    if (!s)
        s = mem_session_create(d, delta);
    else if (delta->meta)
        mem_meta_write(s, delta->meta, delta->version);
    if (delta->core)
        mem_core_write(s, delta->core);
    if (delta->seq_last > 0)
        commit_events(s, delta);
    commit_work(s, delta);
    commit_rest(s, delta);
    mem_commit_work(s, delta);
    mem_commit_usage(d, s, delta);
    mem_commands_answer(d, delta->session_id, delta->commands_done);
    mem_keys_write(d, delta->idempotency);
    return s;
}

struct mem_session *mem_delta_write(struct mem_data *d, const struct delta *delta)
{
    return write_delta(d, NULL, delta);
}

static int write_commit(struct mem_data *d, struct store_commit *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct delta *delta = c->deltas[i];
        assert(!delta->is_new || (delta->meta && delta->core));
        struct mem_session *s = table_get(&d->sessions_by_id, delta->session_id);
        int admitted = commit_admit(d, s, delta, &c->req.error);
        c->refused[i] = admitted < 0;
        if (admitted <= 0)
            continue;
        write_delta(d, s, delta);
    }
    for (size_t i = 0; i < c->count; i++)
        if (!c->refused[i])
            mem_commands_insert(d, c->deltas[i]->commands_new);
    return 0;
}

/* ---- workflows ---- */

static int write_workflow_put(struct mem_data *d, struct store_workflow_put *p)
{
    struct mem_workflow *w = mem_workflow_get(d, p->workspace, p->id);
    bool alive = w && !w->deleted;
    int64_t version = w ? mem_workflow_newest(w)->version : 0;

    if (alive && p->create_only)
        return err_set(&p->req.error, ERR_CONFLICT, "the workflow exists already");
    if (!alive && p->must_exist)
        return err_set(&p->req.error, ERR_NOT_FOUND, "no such workflow");
    if (p->expected_version > 0 && (!alive || version != p->expected_version))
        return err_set(&p->req.error, ERR_STALE, "the workflow is at another version");
    if (!mem_keys_are_free(d, p->idempotency))
        return err_set(&p->req.error, ERR_CONFLICT, "this Idempotency-Key is in use");

    if (!w) {
        w = mem_row_create(sizeof(*w));
        w->workspace = rules_copy(&w->arena, rules_workspace(p->workspace));
        w->id = rules_copy(&w->arena, p->id);
        mem_vec_put(&d->workflows, w, mem_cmp_workflow);
    }
    if (!alive) {
        w->created_at = p->now_ms;
        w->first_version = version + 1;
        w->deleted = false;
    }
    struct workflow_row row = {.id = p->id,
                               .name = p->name,
                               .type = p->type,
                               .description = p->description,
                               .version = version + 1,
                               .graph_json = p->graph_json,
                               .created_at = w->created_at,
                               .updated_at = p->now_ms};
    struct mem_version *v = mem_row_create(sizeof(*v));
    v->row = mem_copy_workflow(&v->arena, &row);
    v->row.checksum = rules_checksum(&v->arena, p->graph_json);
    mem_vec_put(&w->versions, v, mem_cmp_version);
    mem_keys_write(d, p->idempotency);
    p->row = mem_copy_workflow(&p->req.arena, &v->row);
    return 0;
}

static int write_workflow_delete(struct mem_data *d, struct store_workflow_delete *r)
{
    struct mem_workflow *w = mem_workflow_get(d, r->workspace, r->id);

    if (!w || w->deleted)
        return err_set(&r->req.error, ERR_NOT_FOUND, "no such workflow");
    if (r->expected_version > 0 && mem_workflow_newest(w)->version != r->expected_version)
        return err_set(&r->req.error, ERR_STALE, "the workflow is at another version");
    w->deleted = true;
    return 0;
}

/* ---- the rest ---- */

static int write_session_delete(struct mem_data *d, struct store_session_delete *r)
{
    struct mem_session *s = mem_session_get(d, r->workspace, r->id);

    if (!s)
        return err_set(&r->req.error, ERR_NOT_FOUND, "no such session");
    struct session_row row = mem_session_row(&r->req.arena, s, false);
    if (r->expected_version > 0 && row.version != r->expected_version)
        return err_set(&r->req.error, ERR_STALE, "the session is at another version");
    if (r->terminal_only && rules_session_is_live(&row))
        return err_set(&r->req.error, ERR_CONFLICT, "the session has not ended");
    mem_session_remove(d, s);
    return 0;
}

static int write_idempotency(struct mem_data *d, struct store_idempotency_put *p)
{
    struct idempotency_row row = p->row;

    row.next = NULL;
    if (!mem_keys_are_free(d, &row))
        return err_set(&p->req.error, ERR_CONFLICT, "this Idempotency-Key is in use");
    mem_keys_write(d, &row);
    return 0;
}

/* One line an operation. */
#define WRITES(X)                                                                                  \
    X(STORE_COMMIT, store_commit, write_commit)                                                    \
    X(STORE_WORKFLOW_PUT, store_workflow_put, write_workflow_put)                                  \
    X(STORE_WORKFLOW_DELETE, store_workflow_delete, write_workflow_delete)                         \
    X(STORE_SESSION_DELETE, store_session_delete, write_session_delete)                            \
    X(STORE_SESSION_LOAD, store_session_load, mem_session_load)                                    \
    X(STORE_IDEMPOTENCY_PUT, store_idempotency_put, write_idempotency)                             \
    X(STORE_SESSION_RELEASE, store_session_release, mem_session_release)                           \
    X(STORE_INSTANCE_PUT, store_instance_put, mem_instance_put)                                    \
    X(STORE_INSTANCE_REMOVE, store_instance_remove, mem_instance_remove)                           \
    X(STORE_COMMAND_PUT, store_command_put, mem_command_put)                                       \
    X(STORE_COMMAND_DONE, store_command_done, mem_command_done)                                    \
    X(STORE_RETENTION, store_retention, mem_retention)                                             \
    X(STORE_TASK_LEASE, store_task_lease, mem_task_lease)                                          \
    X(STORE_TASK_HEARTBEAT, store_task_heartbeat, mem_task_heartbeat)                              \
    X(STORE_MEMORY_PUT, store_memory_put, mem_memory_put)                                          \
    X(STORE_MEMORY_UPDATE, store_memory_update, mem_memory_update)                                 \
    X(STORE_MEMORY_AGE, store_memory_age, mem_memory_age)                                          \
    X(STORE_MEMORY_DELETE, store_memory_delete, mem_memory_delete)                                 \
    X(STORE_CATALOG_PUT, store_catalog_put, mem_catalog_put)                                       \
    X(STORE_CATALOG_DELETE, store_catalog_delete, mem_catalog_delete)                              \
    X(STORE_SESSION_SAVE, store_session_save, mem_session_save)                                    \
    X(STORE_SESSION_IMPORT, store_session_import, mem_session_import)                              \
    X(STORE_KEY_WRITE, store_key_write, mem_key_write)                                             \
    X(STORE_TICKET, store_ticket, mem_ticket)                                                      \
    X(STORE_ACTIVE_PUT, store_active_put, mem_active_put)                                          \
    X(STORE_SCHEDULE_PUT, store_schedule_put, mem_schedule_put)                                    \
    X(STORE_SCHEDULE_DELETE, store_schedule_delete, mem_schedule_delete)                           \
    X(STORE_SCHEDULE_MOVE, store_schedule_move, mem_schedule_move)                                 \
    X(STORE_AUDIT_PUT, store_audit_put, mem_audit_put)                                             \
    X(STORE_AUDIT_PRUNE, store_audit_prune, mem_audit_prune)

#define OP_FUNCTION(op, type, run)                                                                 \
    static int run_##op(struct mem_data *d, struct store_req *req)                                 \
    {                                                                                              \
        return run(d, container_of(req, struct type, req));                                        \
    }
WRITES(OP_FUNCTION)

#define OP_ROW(op, type, run) [op] = run_##op,
static int (*const writes[STORE_OP_COUNT])(struct mem_data *d,
                                           struct store_req *req) = {WRITES(OP_ROW)};

int mem_write_run(struct mem_data *d, struct store_req *req)
{
    if (req->op >= STORE_HOOK_PUT && req->op <= STORE_HOOK_DELIVERIES)
        return mem_hook_run(d, req);
    if (req->op < STORE_OP_COUNT && writes[req->op])
        return writes[req->op](d, req);
    return err_set(&req->error, ERR_INTERNAL, "operation %d is no write", (int)req->op);
}
