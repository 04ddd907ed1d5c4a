/* Several instances over one store: who is alive, and the inbox of commands for sessions that
 * another one owns. Times are the database's. */
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

/* ---- instances ---- */

static int instance_was_put(struct pg_job *j)
{
    const struct store_instance_put *p = container_of(j->req, struct store_instance_put, req);

    if (p->must_exist && pgr_changed(j->conn, 0) == 0)
        return pg_refuse(j, ERR_NOT_FOUND, "the instance's row is gone");
    if (!p->must_exist)
        pg_ring_clear(&j->store->ring);
    return 0;
}

int pg_instance_put_start(struct pg_job *j)
{
    struct store_instance_put *p = container_of(j->req, struct store_instance_put, req);
    struct pgq q;

    if (!p->must_exist)
        pg_known_clear(&j->store->known);
    pgq_start(&q, j->conn, p->must_exist ? PG_INSTANCE_UPDATE : PG_INSTANCE_UPSERT);
    pgq_id(&q, &p->row.id);
    pgq_str(&q, rules_text(p->row.name));
    pgq_str(&q, rules_text(p->row.address));
    pgq_str(&q, rules_text(p->row.version));
    pgq_bool(&q, p->row.leaving);
    pgq_i64(&q, p->row.sessions);
    pgq_i64(&q, p->lease_ms);
    pgq_end(&q);
    if (!p->must_exist) /* it may have been there before */
        pg_ring_add_end(j->conn, &p->row.id);
    return pg_await(j, instance_was_put);
}

static int instance_removed(struct pg_job *j)
{
    const struct store_instance_remove *x = container_of(j->req, struct store_instance_remove, req);

    if (id_eq(x->id, j->store->ring.owner))
        pg_ring_clear(&j->store->ring);
    return 0;
}

static int instance_locked(struct pg_job *j)
{
    struct store_instance_remove *x = container_of(j->req, struct store_instance_remove, req);
    struct pgr r;
    struct pgq q;

    pgr_open(&r, j->conn, 1);
    if (!pgr_next(&r))
        return j->repeated ? 0 : pg_refuse(j, ERR_NOT_FOUND, "no such instance");
    if (x->expired_only && pgr_bool(&r))
        return pg_refuse(j, ERR_CONFLICT, "the instance's lease holds");
    pg_ring_add_end(j->conn, &x->id);
    pgq_start(&q, j->conn, PG_INSTANCE_DELETE);
    pgq_id(&q, &x->id);
    pgq_end(&q);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, instance_removed);
}

int pg_instance_remove_start(struct pg_job *j)
{
    struct store_instance_remove *x = container_of(j->req, struct store_instance_remove, req);
    struct pgq q;

    pg_known_clear(&j->store->known);
    pg_conn_add(j->conn, PG_BEGIN);
    pgq_start(&q, j->conn, PG_INSTANCE_LOCK);
    pgq_id(&q, &x->id);
    pgq_end(&q);
    return pg_await(j, instance_locked);
}

static int instances_listed(struct pg_job *j)
{
    struct store_instance_list *l = container_of(j->req, struct store_instance_list, req);
    struct instance_row **tail = &l->rows;
    struct arena *a = &j->req->arena;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &(*tail)->next) {
        struct instance_row *row = arena_alloc(a, sizeof(*row));
        pgr_id(&r, &row->id);
        row->name = pgr_str(&r, a);
        row->address = pgr_str(&r, a);
        row->version = pgr_str(&r, a);
        row->leaving = pgr_bool(&r);
        row->sessions = pgr_i64(&r);
        row->started_at = pgr_i64(&r);
        row->seen_at = pgr_i64(&r);
        row->lease_until = pgr_i64(&r);
        *tail = row;
    }
    pgr_open(&r, j->conn, 1);
    if (pgr_next(&r))
        l->now = pgr_i64(&r);
    return 0;
}

int pg_instance_list_start(struct pg_job *j)
{
    struct store_instance_list *l = container_of(j->req, struct store_instance_list, req);

    l->rows = NULL;
    pg_conn_add(j->conn, PG_INSTANCES_LIST);
    pg_conn_add(j->conn, PG_NOW);
    return pg_await(j, instances_listed);
}

/* ---- commands ---- */

static void command_columns(struct pgr *r, struct arena *a, struct command_row *row)
{
    *row = (struct command_row){.next = NULL};
    pgr_id(r, &row->command_id);
    pgr_id(r, &row->session_id);
    row->request_json = pgr_json(r, a);
    row->http_status = (int)pgr_i64(r);
    row->answer_json = pgr_json(r, a);
    row->created_at = pgr_i64(r);
}

static int command_corrupt(struct pg_job *j, const struct id *id)
{
    char text[ID_TEXT_BYTES + 1];

    id_format(*id, text);
    return pg_refuse(j, ERR_CORRUPT, "command %s does not read back", text);
}

static int command_was_put(struct pg_job *j)
{
    struct store_command_put *p = container_of(j->req, struct store_command_put, req);
    struct command_row row;
    struct pgr r;

    if (pgr_changed(j->conn, 0) > 0)
        return 0;
    pgr_open(&r, j->conn, 1);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    pgr_open(&r, j->conn, 2);
    if (!pgr_next(&r))
        return PG_AGAIN; /* it went between the two */
    command_columns(&r, &j->req->arena, &row);
    if (j->repeated && id_eq(row.session_id, p->row.session_id) &&
        row.created_at == p->row.created_at && str_eq(row.request_json, p->row.request_json))
        return 0; /* by the try before */
    return pg_refuse(j, ERR_CONFLICT, "a command of this id is there already");
}

static void command_add_get(struct pg_job *j, const struct id *id)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_COMMAND_GET);
    pgq_id(&q, id);
    pgq_end(&q);
}

static void command_add_session(struct pg_job *j, const struct id *id)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_SESSION_EPOCH);
    pgq_id(&q, id);
    pgq_end(&q);
}

int pg_command_put_start(struct pg_job *j)
{
    struct store_command_put *p = container_of(j->req, struct store_command_put, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_COMMAND_INSERT);
    pgq_id(&q, &p->row.command_id);
    pgq_id(&q, &p->row.session_id);
    pgq_str(&q, p->row.request_json);
    pgq_i64(&q, p->row.created_at);
    pgq_end(&q);
    command_add_session(j, &p->row.session_id);
    command_add_get(j, &p->row.command_id);
    return pg_await(j, command_was_put);
}

static int command_got(struct pg_job *j)
{
    struct store_command_get *g = container_of(j->req, struct store_command_get, req);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such command");
    command_columns(&r, &j->req->arena, &g->row);
    return r.corrupt ? command_corrupt(j, &g->command_id) : 0;
}

int pg_command_get_start(struct pg_job *j)
{
    struct store_command_get *g = container_of(j->req, struct store_command_get, req);

    command_add_get(j, &g->command_id);
    return pg_await(j, command_got);
}

static int commands_listed(struct pg_job *j)
{
    struct store_command_list *l = container_of(j->req, struct store_command_list, req);
    struct command_row **tail = &l->rows;
    bool of_one = !id_is_zero(l->session_id);
    struct pgr r;

    if (of_one) {
        pgr_open(&r, j->conn, 0);
        if (!pgr_next(&r))
            return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    }
    for (pgr_open(&r, j->conn, of_one); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        command_columns(&r, &j->req->arena, *tail);
        if (r.corrupt)
            return command_corrupt(j, &(*tail)->command_id);
    }
    return 0;
}

int pg_command_list_start(struct pg_job *j)
{
    struct store_command_list *l = container_of(j->req, struct store_command_list, req);
    bool of_one = !id_is_zero(l->session_id);
    struct pgq q;

    l->rows = NULL;
    if (of_one)
        command_add_session(j, &l->session_id);
    pgq_start(&q, j->conn, of_one ? PG_COMMANDS_OF : PG_COMMANDS_WAITING);
    if (of_one)
        pgq_id(&q, &l->session_id);
    pgq_id(&q, &l->after);
    if (!of_one)
        pgq_id(&q, &l->instance);
    pgq_i64(&q, l->limit > 0 ? l->limit : STORE_LIMIT_DEFAULT);
    pgq_end(&q);
    return pg_await(j, commands_listed);
}

static int command_session_locked(struct pg_job *j)
{
    struct store_command_done *d = container_of(j->req, struct store_command_done, req);
    struct pg_rows rows;
    struct pgr r;

    pgr_open(&r, j->conn, 1);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    if (d->epoch < (uint64_t)pgr_i64(&r))
        return pg_refuse(j, ERR_STALE, "the session has another owner by now");
    pg_rows_init(&rows, PG_COMMANDS_DONE, "uuit");
    for (const struct command_row *k = d->rows; k; k = k->next) {
        pg_rows_begin(&rows);
        pg_rows_id(&rows, &d->session_id);
        pg_rows_id(&rows, &k->command_id);
        pg_rows_i64(&rows, k->http_status);
        pg_rows_str(&rows, k->answer_json);
    }
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_command_done_start(struct pg_job *j)
{
    struct store_command_done *d = container_of(j->req, struct store_command_done, req);
    struct pgq q;

    pg_conn_add(j->conn, PG_BEGIN);
    pgq_start(&q, j->conn, PG_SESSION_EPOCH_LOCK);
    pgq_id(&q, &d->session_id);
    pgq_end(&q);
    return pg_await(j, command_session_locked);
}
