/* The reads that are a few lines: events, messages, runs, scans, idempotency. */
#include <assert.h>

#include "store/cursor.h"
#include "store/pg_store.h"
#include "store/rules.h"

void pg_run_columns(struct pgr *r, struct arena *a, struct run_row *row)
{
    *row = (struct run_row){.next = NULL};
    pgr_id(r, &row->run_id);
    row->node_id = pgr_str(r, a);
    row->kind = pgr_str(r, a);
    row->iteration = pgr_i64(r);
    row->attempt = pgr_i64(r);
    row->status = pgr_str(r, a);
    row->branch = pgr_str(r, a);
    row->started_at = pgr_i64(r);
    row->ended_at = pgr_i64(r);
    row->output_json = pgr_json(r, a);
    row->error_json = pgr_json(r, a);
    row->interrupt_json = pgr_json(r, a);
}

static int read_corrupt(struct pg_job *j, const struct id *session, const char *what,
                        const struct id *id)
{
    char session_text[ID_TEXT_BYTES + 1], text[ID_TEXT_BYTES + 1];

    id_format(*session, session_text);
    id_format(*id, text);
    return pg_refuse(j, ERR_CORRUPT, "session %s: %s %s does not read back", session_text, what,
                     text);
}

/* The first statement of a batch found no session. */
static bool read_is_lost(struct pg_job *j)
{
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    return !pgr_next(&r);
}

static int64_t read_limit(int limit)
{
    return limit > 0 ? limit : STORE_LIMIT_DEFAULT;
}

/* ---- events ---- */

static int events_corrupt(struct pg_job *j, const struct store_events_read *e,
                          const struct event_row *row)
{
    char id[ID_TEXT_BYTES + 1];

    id_format(e->session_id, id);
    return pg_refuse(j, ERR_CORRUPT, "session %s: events %lld to %lld do not read back", id,
                     (long long)row->seq_first, (long long)row->seq_last);
}

/* The rows of the n-th statement, behind those that are there, as far as they go on where those
 * end; *limit: the events that are still wanted. */
static int events_append(struct pg_job *j, int n, struct event_row ***tail, int64_t *limit)
{
    struct store_events_read *e = container_of(j->req, struct store_events_read, req);
    struct pgr r;

    for (pgr_open(&r, j->conn, n); *limit > 0 && pgr_next(&r);) {
        struct event_row *row = arena_alloc(&j->req->arena, sizeof(*row));
        *row = (struct event_row){.next = NULL};
        row->seq_first = pgr_i64(&r);
        row->seq_last = pgr_i64(&r);
        row->frames = pgr_text(&r, &j->req->arena);
        if (!row->frames.p || !rules_frames_are_whole(row->seq_first, row->seq_last, row->frames))
            return events_corrupt(j, e, row);
        **tail = row;
        *tail = &row->next;
        *limit -= row->seq_last - (e->after >= row->seq_first ? e->after : row->seq_first - 1);
    }
    return 0;
}

static int events_read(struct pg_job *j)
{
    struct store_events_read *e = container_of(j->req, struct store_events_read, req);
    struct event_row **tail = &e->rows;
    int64_t limit = read_limit(e->limit);
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    e->last_seq = pgr_i64(&r);
    e->first_seq_held = pgr_i64(&r);
    int64_t stored = pgr_i64(&r);
    int status = events_append(j, 1, &tail, &limit);
    /* The newest are elsewhere; there is nothing between, unless bytes_max cut it off. */
    struct event_row *last = e->rows ? container_of(tail, struct event_row, next) : NULL;
    if (status < 0 || (last ? last->seq_last : e->after) < stored)
        return status;
    return events_append(j, 2, &tail, &limit);
}

int pg_events_start(struct pg_job *j)
{
    struct store_events_read *e = container_of(j->req, struct store_events_read, req);
    size_t bytes = e->bytes_max > INT64_MAX ? INT64_MAX : e->bytes_max;
    struct pgq q;

    e->rows = NULL;
    e->first_seq_held = 0;
    pgq_start(&q, j->conn, PG_EVENTS_BOUNDS);
    pgq_id(&q, &e->session_id);
    pgq_end(&q);
    pgq_start(&q, j->conn, PG_EVENTS_READ);
    pgq_id(&q, &e->session_id);
    pgq_i64(&q, e->after);
    pgq_i64(&q, read_limit(e->limit));
    pgq_i64(&q, bytes > 0 ? (int64_t)bytes : 1);
    pgq_end(&q);
    pgq_start(&q, j->conn, PG_RING_READ);
    pgq_id(&q, &e->session_id);
    pgq_i64(&q, e->after);
    pgq_end(&q);
    return pg_await(j, events_read);
}

/* ---- messages, runs ---- */

/* The id that a cursor holds; zero when there is no cursor. */
static int read_cursor(struct str text, enum cursor_kind kind, struct cursor *c, struct id *id,
                       struct errbuf *e)
{
    *c = (struct cursor){.a = INT64_MIN, .b = INT64_MIN};
    *id = (struct id){{0}};
    if (text.n == 0)
        return 0;
    int status = cursor_decode(text, kind, c, e);
    if (status == 0 && c->key_bytes != sizeof(id->b))
        status = err_set(e, ERR_INVALID, "cursor is not one that this list gave");
    if (status == 0)
        *id = *(struct id *)c->key;
    return status;
}

static void read_message(struct pgr *r, struct arena *a, struct message_row *row)
{
    row->created_at = pgr_i64(r);
    row->seq = pgr_i64(r);
    pgr_id(r, &row->message_id);
    pgr_id(r, &row->run_id);
    row->node_id = pgr_str(r, a);
    row->role = pgr_str(r, a);
    row->agent_id = pgr_str(r, a);
    row->finish_reason = pgr_str(r, a);
    row->token_count = pgr_i64(r);
    row->content = pgr_str(r, a);
    row->thinking = pgr_str(r, a);
    row->tool_calls_json = pgr_json(r, a);
}

static int messages_listed(struct pg_job *j)
{
    struct store_messages_list *l = container_of(j->req, struct store_messages_list, req);
    struct message_row **tail = &l->rows, *last = NULL;
    int left = page_of(l->limit).left;
    struct pgr r;

    if (read_is_lost(j))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    for (pgr_open(&r, j->conn, 1); pgr_next(&r); left--) {
        if (left == 0) {
            assert(last);
            l->next_cursor =
                cursor_encode(&j->req->arena, CURSOR_MESSAGES, last->created_at, last->seq,
                              (struct str){(const char *)last->message_id.b, 16});
            return 0;
        }
        last = arena_alloc(&j->req->arena, sizeof(*last));
        read_message(&r, &j->req->arena, last);
        if (r.corrupt)
            return read_corrupt(j, &l->session_id, "message", &last->message_id);
        *tail = last;
        tail = &last->next;
    }
    return 0;
}

static void read_add_session(struct pg_job *j, const struct id *session)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_SESSION_EPOCH);
    pgq_id(&q, session);
    pgq_end(&q);
}

int pg_messages_start(struct pg_job *j)
{
    struct store_messages_list *l = container_of(j->req, struct store_messages_list, req);
    struct cursor c;
    struct id after;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = read_cursor(l->cursor, CURSOR_MESSAGES, &c, &after, &j->req->error);
    if (status < 0)
        return status;
    read_add_session(j, &l->session_id);
    pgq_start(&q, j->conn, PG_MESSAGES_LIST);
    pgq_id(&q, &l->session_id);
    pgq_i64(&q, c.a);
    pgq_i64(&q, c.b);
    pgq_id(&q, &after);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_str(&q, l->node_id);
    pgq_str(&q, l->agent_id);
    pgq_str(&q, l->role);
    pgq_end(&q);
    return pg_await(j, messages_listed);
}

/* Those that are packed in the session's row come in between. */
static int runs_packed(struct pg_job *j, struct store_runs_list *l)
{
    struct id after;
    struct cursor c;
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    struct str packed = pgr_json(&r, &j->req->arena);
    read_cursor(l->cursor, CURSOR_RUNS, &c, &after, NULL);
    if (r.corrupt || !rules_runs_add(&j->req->arena, packed, &after, &l->rows))
        return read_corrupt(j, &l->session_id, "node runs after", &after);
    return 0;
}

static int runs_listed(struct pg_job *j)
{
    struct store_runs_list *l = container_of(j->req, struct store_runs_list, req);
    struct run_row **tail = &l->rows;
    struct pgr r;

    for (pgr_open(&r, j->conn, 1); pgr_next(&r);) {
        struct run_row *run = arena_alloc(&j->req->arena, sizeof(*run));
        pg_run_columns(&r, &j->req->arena, run);
        if (r.corrupt)
            return read_corrupt(j, &l->session_id, "node run", &run->run_id);
        *tail = run;
        tail = &run->next;
    }
    int status = runs_packed(j, l);
    const struct run_row *last =
        status < 0 ? NULL : rules_runs_page(l->rows, page_of(l->limit).left);
    if (last)
        l->next_cursor = cursor_encode(&j->req->arena, CURSOR_RUNS, 0, 0,
                                       (struct str){(const char *)last->run_id.b, 16});
    return status;
}

int pg_runs_start(struct pg_job *j)
{
    struct store_runs_list *l = container_of(j->req, struct store_runs_list, req);
    struct cursor c;
    struct id after;
    struct pgq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = read_cursor(l->cursor, CURSOR_RUNS, &c, &after, &j->req->error);
    if (status < 0)
        return status;
    pgq_start(&q, j->conn, PG_RUNS_PACKED);
    pgq_id(&q, &l->session_id);
    pgq_end(&q);
    pgq_start(&q, j->conn, PG_RUNS_LIST);
    pgq_id(&q, &l->session_id);
    pgq_id(&q, &after);
    pgq_i64(&q, page_of(l->limit).left + 1);
    pgq_end(&q);
    return pg_await(j, runs_listed);
}

/* ---- scans ---- */

static int busy_found(struct pg_job *j)
{
    struct store_scan_busy *s = container_of(j->req, struct store_scan_busy, req);
    struct id_list **tail = &s->ids;
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &(*tail)->next) {
        *tail = arena_alloc(&j->req->arena, sizeof(**tail));
        pgr_id(&r, &(*tail)->id);
    }
    return 0;
}

int pg_busy_start(struct pg_job *j)
{
    struct store_scan_busy *s = container_of(j->req, struct store_scan_busy, req);
    struct pgq q;

    s->ids = NULL;
    pgq_start(&q, j->conn, PG_SCAN_BUSY);
    pgq_id(&q, &s->after);
    pgq_i64(&q, read_limit(s->limit));
    pgq_end(&q);
    return pg_await(j, busy_found);
}

static int timers_found(struct pg_job *j)
{
    struct store_scan_timers *s = container_of(j->req, struct store_scan_timers, req);
    struct timer_due **tail = &s->rows;
    int64_t left = read_limit(s->limit);
    struct pgr r;

    for (pgr_open(&r, j->conn, 0); pgr_next(&r); tail = &(*tail)->next) {
        struct timer_due row = {.next = NULL};
        pgr_id(&r, &row.session_id);
        pgr_id(&r, &row.timer_id);
        row.due_at = pgr_i64(&r);
        if (left-- == 0) {
            s->next_due_at = row.due_at;
            return 0;
        }
        *tail = arena_alloc(&j->req->arena, sizeof(row));
        **tail = row;
    }
    pgr_open(&r, j->conn, 1);
    if (pgr_next(&r))
        s->next_due_at = pgr_i64(&r);
    return 0;
}

int pg_timers_start(struct pg_job *j)
{
    struct store_scan_timers *s = container_of(j->req, struct store_scan_timers, req);
    struct pgq q;

    s->rows = NULL;
    s->next_due_at = 0;
    pgq_start(&q, j->conn, PG_TIMERS_DUE);
    pgq_i64(&q, s->until);
    pgq_id_or_null(&q, &s->instance);
    pgq_i64(&q, read_limit(s->limit) + 1);
    pgq_end(&q);
    pgq_start(&q, j->conn, PG_TIMERS_NEXT);
    pgq_i64(&q, s->until);
    pgq_id_or_null(&q, &s->instance);
    pgq_end(&q);
    return pg_await(j, timers_found);
}

/* ---- idempotency ---- */

static bool idempotency_row(struct pg_job *j, int n, struct idempotency_row *row, bool *corrupt)
{
    struct pgr r;

    pgr_open(&r, j->conn, n);
    if (!pgr_next(&r))
        return false;
    row->body_hash[0] = (uint64_t)pgr_i64(&r);
    row->body_hash[1] = (uint64_t)pgr_i64(&r);
    row->http_status = (int)pgr_i64(&r);
    row->body_json = pgr_json(&r, &j->req->arena);
    row->created_at = pgr_i64(&r);
    *corrupt = r.corrupt;
    return true;
}

static int idempotency_got(struct pg_job *j)
{
    struct store_idempotency_get *g = container_of(j->req, struct store_idempotency_get, req);
    struct arena *a = &j->req->arena;
    bool corrupt = false;

    g->row = (struct idempotency_row){.workspace = rules_copy(a, rules_workspace(g->workspace)),
                                      .key = rules_copy(a, g->key)};
    if (!idempotency_row(j, 0, &g->row, &corrupt))
        return pg_refuse(j, ERR_NOT_FOUND, "this Idempotency-Key was not used");
    return corrupt ? pg_refuse(j, ERR_CORRUPT,
                               "Idempotency-Key \"%.*s\": its answer does not read back",
                               STR_FMT(g->key))
                   : 0;
}

static void idempotency_add_get(struct pg_job *j, struct str workspace, struct str key)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_IDEMPOTENCY_GET);
    pgq_str(&q, rules_workspace(workspace));
    pgq_str(&q, key);
    pgq_end(&q);
}

int pg_idempotency_get_start(struct pg_job *j)
{
    struct store_idempotency_get *g = container_of(j->req, struct store_idempotency_get, req);

    idempotency_add_get(j, g->workspace, g->key);
    return pg_await(j, idempotency_got);
}

static int idempotency_was_put(struct pg_job *j)
{
    struct store_idempotency_put *p = container_of(j->req, struct store_idempotency_put, req);
    struct idempotency_row row = {.next = NULL};
    bool corrupt = false;

    if (pgr_changed(j->conn, 0) > 0)
        return 0;
    /* By the try before? */
    if (j->repeated && idempotency_row(j, 1, &row, &corrupt) &&
        row.created_at == p->row.created_at && row.body_hash[0] == p->row.body_hash[0] &&
        row.body_hash[1] == p->row.body_hash[1])
        return 0;
    return pg_refuse(j, ERR_CONFLICT, "this Idempotency-Key is in use");
}

int pg_idempotency_put_start(struct pg_job *j)
{
    struct store_idempotency_put *p = container_of(j->req, struct store_idempotency_put, req);
    const struct idempotency_row *row = &p->row;
    struct pgq q;

    pgq_start(&q, j->conn, PG_IDEMPOTENCY_PUT);
    pgq_str(&q, rules_workspace(row->workspace));
    pgq_str(&q, row->key);
    pgq_i64(&q, (int64_t)row->body_hash[0]);
    pgq_i64(&q, (int64_t)row->body_hash[1]);
    pgq_i64(&q, row->http_status);
    pgq_str(&q, row->body_json);
    pgq_i64(&q, row->created_at);
    pgq_end(&q);
    idempotency_add_get(j, row->workspace, row->key);
    return pg_await(j, idempotency_was_put);
}
