/* Schedules in PostgreSQL. */
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

#define NO_SCHEDULE "there is no such schedule"

/* SCHEDULE_COLUMNS of pg_sql.c. */
static void schedule_columns(struct pgr *r, struct arena *a, struct schedule_row *row)
{
    *row = (struct schedule_row){.next = NULL};
    pgr_id(r, &row->id);
    row->workspace = pgr_str(r, a);
    row->name = pgr_str(r, a);
    row->workflow_id = pgr_str(r, a);
    row->cron = pgr_str(r, a);
    row->time_zone = pgr_str(r, a);
    row->missed = pgr_str(r, a);
    row->overlap = pgr_str(r, a);
    row->input_json = pgr_json(r, a);
    row->enabled = pgr_bool(r);
    row->next_at = pgr_i64(r);
    row->last_at = pgr_i64(r);
    pgr_id(r, &row->last_session);
    row->last_error = pgr_str(r, a);
    row->last_error_at = pgr_i64(r);
    row->version = pgr_i64(r);
    row->created_at = pgr_i64(r);
    row->updated_at = pgr_i64(r);
}

static int schedule_corrupt(struct pg_job *j, const struct schedule_row *row)
{
    char id[ID_TEXT_BYTES + 1];

    id_format(row->id, id);
    return pg_refuse(j, ERR_CORRUPT, "schedule %s does not read back", id);
}

/* What the n-th statement found: 1, 0: nothing, or ERR_CORRUPT. */
static int schedule_found(struct pg_job *j, int n, struct schedule_row *row)
{
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return 0;
    schedule_columns(&r, &j->req->arena, row);
    return r.corrupt ? schedule_corrupt(j, row) : 1;
}

/* All rows of the n-th statement, up to `left`; *more: there was another. */
static int schedule_rows(struct pg_job *j, int n, int left, struct schedule_row **tail, bool *more)
{
    struct pgr r;

    *more = false;
    for (pgr_open(&r, j->conn, n); pgr_next(&r); left--) {
        if (left == 0) {
            *more = true;
            return 0;
        }
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        schedule_columns(&r, &j->req->arena, *tail);
        if (r.corrupt)
            return schedule_corrupt(j, *tail);
        tail = &(*tail)->next;
    }
    return 0;
}

static void schedule_add_by_id(struct pg_job *j, enum pg_sql sql, const struct id *id)
{
    struct pgq q;

    pgq_start(&q, j->conn, sql);
    pgq_id(&q, id);
    pgq_end(&q);
}

/* ---- reads ---- */

static int schedule_got(struct pg_job *j)
{
    struct store_schedule_get *g = container_of(j->req, struct store_schedule_get, req);
    int found = schedule_found(j, 0, &g->row);

    if (found < 0)
        return found;
    if (!found || !str_eq(g->row.workspace, rules_workspace(g->workspace)))
        return pg_refuse(j, ERR_NOT_FOUND, NO_SCHEDULE);
    return 0;
}

int pg_schedule_get_start(struct pg_job *j)
{
    struct store_schedule_get *g = container_of(j->req, struct store_schedule_get, req);

    schedule_add_by_id(j, PG_SCHEDULE_GET, &g->id);
    return pg_await(j, schedule_got);
}

static int schedule_listed(struct pg_job *j)
{
    struct store_schedule_list *l = container_of(j->req, struct store_schedule_list, req);
    bool more;

    int status = schedule_rows(j, 0, page_of(l->limit).left, &l->rows, &more);
    const struct schedule_row *last = l->rows;
    while (last && last->next)
        last = last->next;
    if (status == 0 && more)
        l->next_cursor = rules_id_cursor(&j->req->arena, CURSOR_SCHEDULES, &last->id);
    return status;
}

int pg_schedule_list_start(struct pg_job *j)
{
    struct store_schedule_list *l = container_of(j->req, struct store_schedule_list, req);
    struct id after;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (rules_id_cursor_read(l->cursor, CURSOR_SCHEDULES, &after, &j->req->error) < 0)
        return ERR_INVALID;
    pgq_start(&q, j->conn, PG_SCHEDULE_LIST);
    pgq_str(&q, rules_workspace(l->workspace));
    pgq_id(&q, &after);
    pgq_str(&q, l->q);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_end(&q);
    return pg_await(j, schedule_listed);
}

static int schedule_due(struct pg_job *j)
{
    struct store_schedule_due *d = container_of(j->req, struct store_schedule_due, req);
    struct pgr r;
    bool more;

    int status = schedule_rows(j, 0, STORE_LIMIT_MAX, &d->rows, &more);
    pgr_open(&r, j->conn, 1);
    if (status == 0 && pgr_next(&r))
        d->next_at = pgr_i64(&r);
    return status;
}

int pg_schedule_due_start(struct pg_job *j)
{
    struct store_schedule_due *d = container_of(j->req, struct store_schedule_due, req);
    struct pgq q;

    d->rows = NULL;
    d->next_at = 0;
    pgq_start(&q, j->conn, PG_SCHEDULE_DUE);
    pgq_i64(&q, d->now);
    pgq_i64(&q, page_of(d->limit).left);
    pgq_end(&q);
    pgq_start(&q, j->conn, PG_SCHEDULE_NEXT);
    pgq_i64(&q, d->now);
    pgq_end(&q);
    return pg_await(j, schedule_due);
}

/* ---- writes ---- */

static void schedule_add_write(struct pg_job *j, const struct schedule_row *row, bool is_new)
{
    struct pgq q;

    pgq_start(&q, j->conn, is_new ? PG_SCHEDULE_INSERT : PG_SCHEDULE_UPDATE);
    pgq_str(&q, row->workspace);
    pgq_id(&q, &row->id);
    pgq_str(&q, row->name);
    pgq_str(&q, row->workflow_id);
    pgq_str(&q, row->cron);
    pgq_str(&q, row->time_zone);
    pgq_str(&q, row->missed);
    pgq_str(&q, row->overlap);
    pgq_str(&q, row->input_json);
    pgq_bool(&q, row->enabled);
    pgq_i64(&q, row->next_at);
    pgq_i64(&q, row->version);
    pgq_i64(&q, row->created_at);
    pgq_i64(&q, row->updated_at);
    pgq_end(&q);
}

static void schedule_add_rest(struct pg_job *j, const struct store_schedule_put *p)
{
    struct pg_rows rows;

    pg_rows_init(&rows, PG_WORKSPACES_MAKE, "t");
    pg_rows_begin(&rows);
    pg_rows_str(&rows, p->row.workspace);
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
    pg_rows_init(&rows, PG_KEYS_INSERT, "ttiiiti");
    for (const struct idempotency_row *k = p->idempotency; k; k = k->next)
        pg_rows_key(&rows, k);
    pg_rows_add(&rows, j->conn);
    pg_rows_deinit(&rows);
}

static int schedule_put_found(struct pg_job *j)
{
    struct store_schedule_put *p = container_of(j->req, struct store_schedule_put, req);
    struct schedule_row now;
    struct pgr r;

    int found = schedule_found(j, 1, &now);
    if (found < 0)
        return found;
    /* Written by the try before: puts of one moment are one. */
    if (j->repeated && found && now.updated_at == p->now_ms && now.next_at == p->row.next_at &&
        str_eq(now.cron, p->row.cron)) {
        p->row = now;
        return 0;
    }
    int status = rules_schedule_put_check(p, found ? &now : NULL, &j->req->error);
    if (status < 0)
        return status;
    if (p->idempotency) {
        pgr_open(&r, j->conn, 2);
        if (pgr_next(&r))
            return pg_refuse(j, ERR_CONFLICT, "this Idempotency-Key is in use");
    }
    rules_schedule_put_row(p, found ? &now : NULL);
    schedule_add_write(j, &p->row, !found);
    schedule_add_rest(j, p);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_schedule_put_start(struct pg_job *j)
{
    struct store_schedule_put *p = container_of(j->req, struct store_schedule_put, req);
    struct pg_rows keys;

    pg_conn_add(j->conn, PG_BEGIN);
    schedule_add_by_id(j, PG_SCHEDULE_FIND, &p->row.id);
    pg_rows_init(&keys, PG_COMMIT_KEYS_TAKEN, "tt");
    for (const struct idempotency_row *k = p->idempotency; k; k = k->next) {
        pg_rows_begin(&keys);
        pg_rows_str(&keys, rules_workspace(k->workspace));
        pg_rows_str(&keys, k->key);
    }
    pg_rows_add(&keys, j->conn);
    pg_rows_deinit(&keys);
    return pg_await(j, schedule_put_found);
}

static int schedule_delete_found(struct pg_job *j)
{
    struct store_schedule_delete *d = container_of(j->req, struct store_schedule_delete, req);
    struct schedule_row now;

    int found = schedule_found(j, 1, &now);
    if (found < 0)
        return found;
    if (!found && j->repeated)
        return 0; /* by the try before */
    if (!found || !str_eq(now.workspace, rules_workspace(d->workspace)))
        return pg_refuse(j, ERR_NOT_FOUND, NO_SCHEDULE);
    if (d->expected_version > 0 && d->expected_version != now.version)
        return pg_refuse(j, ERR_STALE, "the schedule is at another version");
    schedule_add_by_id(j, PG_SCHEDULE_DELETE, &d->id);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_schedule_delete_start(struct pg_job *j)
{
    struct store_schedule_delete *d = container_of(j->req, struct store_schedule_delete, req);

    pg_conn_add(j->conn, PG_BEGIN);
    schedule_add_by_id(j, PG_SCHEDULE_FIND, &d->id);
    return pg_await(j, schedule_delete_found);
}

/* Of a try that stands already nothing is left to change: ERR_STALE then, too, and whoever asked
 * looks again. */
static int schedule_moved(struct pg_job *j)
{
    return pgr_changed(j->conn, 0) > 0 ? 0 : pg_refuse(j, ERR_STALE, "the schedule has moved on");
}

int pg_schedule_move_start(struct pg_job *j)
{
    struct store_schedule_move *m = container_of(j->req, struct store_schedule_move, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_SCHEDULE_MOVE);
    pgq_id(&q, &m->row.id);
    pgq_i64(&q, m->seen_at);
    pgq_i64(&q, m->row.next_at);
    pgq_i64(&q, m->row.last_at);
    pgq_id_or_null(&q, &m->row.last_session);
    pgq_str(&q, m->row.last_error);
    pgq_i64(&q, m->row.last_error_at);
    pgq_end(&q);
    return pg_await(j, schedule_moved);
}
