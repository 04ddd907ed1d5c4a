/* The reader's side: which function carries out a request, and the reads that are a few lines. */
#include <assert.h>

#include "store/cursor.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

void sqlite_run_columns(struct sqlq *q, struct arena *a, struct run_row *row)
{
    *row = (struct run_row){.next = NULL};
    sqlq_id(q, &row->run_id);
    row->node_id = sqlq_str(q, a);
    row->kind = sqlq_str(q, a);
    row->iteration = sqlq_i64(q);
    row->attempt = sqlq_i64(q);
    row->status = sqlq_str(q, a);
    row->branch = sqlq_str(q, a);
    row->started_at = sqlq_i64(q);
    row->ended_at = sqlq_i64(q);
    row->output_json = sqlq_json(q, a);
    row->error_json = sqlq_json(q, a);
    row->interrupt_json = sqlq_json(q, a);
}

static int read_corrupt(struct sqlq *q, const struct id *session, const char *what,
                        const struct id *id)
{
    char session_text[ID_TEXT_BYTES + 1], text[ID_TEXT_BYTES + 1];

    id_format(*session, session_text);
    id_format(*id, text);
    sqlq_end(q);
    return sqlite_db_corrupt(q->db, "session %s: %s %s does not read back", session_text, what,
                             text);
}

/* ---- events ---- */

/* *recent: what the session has behind its stored rows, in memory. */
static int read_event_bounds(struct sqlite_db *db, struct store_events_read *r, int64_t *key,
                             struct event_row **recent)
{
    struct sqlite_session session = {.key = 0};
    int64_t stored = 0;
    struct sqlq q;

    int status = sqlite_session_find(db, &r->session_id, &session);
    if (status == 0)
        status = sqlite_events_stored(db, session.key, &stored);
    if (status < 0)
        return status;
    *key = session.key;
    *recent = db->view ? sqlite_recent_rows(db->view, session.key, stored) : NULL;
    r->last_seq = stored > session.last_seq ? stored : session.last_seq;
    if (db->view)
        sqlite_recent_seq(db->view, &r->session_id, session.key, &r->last_seq);
    sqlq_start(&q, db, SQL_EVENTS_FIRST);
    sqlq_bind_i64(&q, *key);
    int more = sqlq_next(&q);
    if (more > 0) {
        r->first_seq_held = sqlq_i64(&q);
        sqlq_end(&q);
    } else if (more == 0 && *recent) {
        r->first_seq_held = (*recent)->seq_first;
    }
    if (r->first_seq_held < session.folded_seq)
        r->first_seq_held = session.folded_seq;
    return more < 0 ? more : 0;
}

/* NULL: the row does not read back. */
static struct event_row *read_event_row(struct sqlq *q, struct store_events_read *r)
{
    struct event_row *row = arena_alloc(&r->req.arena, sizeof(*row));
    char id[ID_TEXT_BYTES + 1];

    row->seq_first = sqlq_i64(q);
    row->seq_last = sqlq_i64(q);
    row->frames = sqlq_text(q, &r->req.arena);
    if (!q->corrupt && rules_frames_are_whole(row->seq_first, row->seq_last, row->frames))
        return row;
    sqlq_end(q);
    id_format(r->session_id, id);
    sqlite_db_corrupt(q->db, "session %s: events %lld to %lld do not read back", id,
                      (long long)row->seq_first, (long long)row->seq_last);
    return NULL;
}

/* Where a reading of events has come to. */
struct read_at {
    struct event_row **tail;
    int64_t limit;
    size_t bytes;
};

/* Whether that was enough. */
static bool read_event_add(struct store_events_read *r, struct read_at *at, struct event_row *row)
{
    row->next = NULL;
    *at->tail = row;
    at->tail = &row->next;
    at->bytes += row->frames.n;
    at->limit -= row->seq_last - (r->after >= row->seq_first ? r->after : row->seq_first - 1);
    return at->bytes >= r->bytes_max || at->limit <= 0;
}

static int read_events(struct sqlite_db *db, struct store_events_read *r)
{
    struct read_at at = {&r->rows, r->limit > 0 ? r->limit : STORE_LIMIT_DEFAULT, 0};
    struct event_row *recent = NULL, *next;
    int64_t key = 0;
    struct sqlq q;
    int more;

    r->rows = NULL;
    r->first_seq_held = 0;
    int status = read_event_bounds(db, r, &key, &recent);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_EVENTS_READ);
    sqlq_bind_i64(&q, key);
    sqlq_bind_i64(&q, r->after);
    while ((more = sqlq_next(&q)) > 0) {
        struct event_row *row = read_event_row(&q, r);
        if (!row)
            return ERR_CORRUPT;
        if (read_event_add(r, &at, row)) {
            sqlq_end(&q);
            return 0;
        }
    }
    for (; recent && more == 0; recent = next) {
        next = recent->next;
        if (recent->seq_last > r->after && read_event_add(r, &at, recent))
            break;
    }
    return more;
}

/* ---- messages, runs ---- */

static int read_message_row(struct sqlq *q, struct store_messages_list *l, struct message_row *row)
{
    struct arena *a = &l->req.arena;

    row->created_at = sqlq_i64(q);
    row->seq = sqlq_i64(q);
    sqlq_id(q, &row->message_id);
    sqlq_id(q, &row->run_id);
    row->node_id = sqlq_str(q, a);
    row->role = sqlq_str(q, a);
    row->agent_id = sqlq_str(q, a);
    row->finish_reason = sqlq_str(q, a);
    row->token_count = sqlq_i64(q);
    row->content = sqlq_str(q, a);
    row->thinking = sqlq_str(q, a);
    row->tool_calls_json = sqlq_json(q, a);
    return q->corrupt ? read_corrupt(q, &l->session_id, "message", &row->message_id) : 0;
}

static int read_messages_page(struct sqlq *q, struct store_messages_list *l)
{
    struct message_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    int more;

    while ((more = sqlq_next(q)) > 0) {
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            sqlq_end(q);
            l->next_cursor =
                cursor_encode(&l->req.arena, CURSOR_MESSAGES, last->created_at, last->seq,
                              (struct str){(const char *)last->message_id.b, 16});
            return 0;
        }
        last = arena_alloc(&l->req.arena, sizeof(*last));
        int status = read_message_row(q, l, last);
        if (status < 0)
            return status;
        *tail = last;
        tail = &last->next;
    }
    return more;
}

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

static int read_messages(struct sqlite_db *db, struct store_messages_list *l)
{
    struct cursor c;
    struct id after;
    struct sqlite_session session = {.key = 0};
    struct sqlq q;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = read_cursor(l->cursor, CURSOR_MESSAGES, &c, &after, &db->error);
    if (status == 0)
        status = sqlite_session_find(db, &l->session_id, &session);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_MESSAGES_LIST);
    sqlq_bind_i64(&q, session.key);
    sqlq_bind_i64(&q, c.a);
    sqlq_bind_i64(&q, c.b);
    sqlq_bind_id(&q, &after);
    sqlq_bind_str(&q, l->node_id);
    sqlq_bind_str(&q, l->agent_id);
    sqlq_bind_str(&q, l->role);
    return read_messages_page(&q, l);
}

/* Those that are packed in the session's row come in between. */
static int read_runs_packed(struct sqlite_db *db, struct store_runs_list *l, int64_t key,
                            const struct id *after)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_RUNS_PACKED);
    sqlq_bind_i64(&q, key);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    struct str packed = sqlq_json(&q, &l->req.arena);
    sqlq_end(&q);
    if (q.corrupt || !rules_runs_add(&l->req.arena, packed, after, &l->rows))
        return read_corrupt(&q, &l->session_id, "node runs after", after);
    return 0;
}

static int read_runs(struct sqlite_db *db, struct store_runs_list *l)
{
    struct run_row **tail = &l->rows;
    int limit = page_of(l->limit).left, left = limit + 1;
    struct cursor c;
    struct id after;
    struct sqlite_session session = {.key = 0};
    struct sqlq q;
    int more = 0;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = read_cursor(l->cursor, CURSOR_RUNS, &c, &after, &db->error);
    if (status == 0)
        status = sqlite_session_find(db, &l->session_id, &session);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_RUNS_LIST);
    sqlq_bind_i64(&q, session.key);
    sqlq_bind_id(&q, &after);
    for (; left > 0 && (more = sqlq_next(&q)) > 0; left--) {
        struct run_row *run = arena_alloc(&l->req.arena, sizeof(*run));
        sqlite_run_columns(&q, &l->req.arena, run);
        if (q.corrupt)
            return read_corrupt(&q, &l->session_id, "node run", &run->run_id);
        *tail = run;
        tail = &run->next;
    }
    if (more > 0)
        sqlq_end(&q);
    status = more < 0 ? more : read_runs_packed(db, l, session.key, &after);
    const struct run_row *last = status < 0 ? NULL : rules_runs_page(l->rows, limit);
    if (last)
        l->next_cursor = cursor_encode(&l->req.arena, CURSOR_RUNS, 0, 0,
                                       (struct str){(const char *)last->run_id.b, 16});
    return status;
}

/* ---- scans ---- */

static int read_busy(struct sqlite_db *db, struct store_scan_busy *s)
{
    struct id_list **tail = &s->ids;
    struct sqlq q;
    int more;

    s->ids = NULL;
    sqlq_start(&q, db, SQL_SCAN_BUSY);
    sqlq_bind_id(&q, &s->after);
    sqlq_bind_i64(&q, s->limit > 0 ? s->limit : STORE_LIMIT_DEFAULT);
    while ((more = sqlq_next(&q)) > 0) {
        struct id_list *item = arena_alloc(&s->req.arena, sizeof(*item));
        sqlq_id(&q, &item->id);
        *tail = item;
        tail = &item->next;
    }
    return more == 0 && q.corrupt ? sqlite_db_corrupt(db, "the index of busy sessions") : more;
}

static int read_next_timer(struct sqlite_db *db, struct store_scan_timers *s)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_TIMERS_NEXT);
    sqlq_bind_i64(&q, s->until);
    sqlq_bind_id_or_null(&q, &s->instance);
    int more = sqlq_next(&q);
    if (more > 0) {
        s->next_due_at = sqlq_i64(&q);
        sqlq_end(&q);
    }
    return more < 0 ? more : 0;
}

static int read_timers(struct sqlite_db *db, struct store_scan_timers *s)
{
    struct timer_due **tail = &s->rows;
    int left = s->limit > 0 ? s->limit : STORE_LIMIT_DEFAULT;
    struct timer_due row = {.next = NULL};
    struct sqlq q;
    int more;

    s->rows = NULL;
    s->next_due_at = 0;
    sqlq_start(&q, db, SQL_TIMERS_DUE);
    sqlq_bind_i64(&q, s->until);
    sqlq_bind_id_or_null(&q, &s->instance);
    while ((more = sqlq_next(&q)) > 0) {
        sqlq_id(&q, &row.session_id);
        sqlq_id(&q, &row.timer_id);
        row.due_at = sqlq_i64(&q);
        if (q.corrupt)
            return read_corrupt(&q, &row.session_id, "timer", &row.timer_id);
        if (left-- == 0) {
            sqlq_end(&q);
            s->next_due_at = row.due_at;
            return 0;
        }
        *tail = arena_alloc(&s->req.arena, sizeof(row));
        **tail = row;
        tail = &(*tail)->next;
    }
    return more < 0 ? more : read_next_timer(db, s);
}

/* ---- idempotency ---- */

int sqlite_idempotency_get(struct sqlite_db *db, struct arena *a, struct str workspace,
                           struct str key, struct idempotency_row *row)
{
    int64_t workspace_key = 0;
    struct sqlq q;

    int status = sqlite_workspace_find(db, workspace, &workspace_key);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_IDEMPOTENCY_GET);
    sqlq_bind_i64(&q, workspace_key);
    sqlq_bind_str(&q, key);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "this Idempotency-Key was not used");
    *row = (struct idempotency_row){.workspace = rules_copy(a, rules_workspace(workspace))};
    row->key = sqlq_str(&q, a);
    row->body_hash[0] = (uint64_t)sqlq_i64(&q);
    row->body_hash[1] = (uint64_t)sqlq_i64(&q);
    row->http_status = (int)sqlq_i64(&q);
    row->body_json = sqlq_json(&q, a);
    row->created_at = sqlq_i64(&q);
    sqlq_end(&q);
    return q.corrupt
               ? sqlite_db_corrupt(db, "Idempotency-Key \"%.*s\": its answer does not read back",
                                   STR_FMT(key))
               : 0;
}

static int read_idempotency(struct sqlite_db *db, struct store_idempotency_get *g)
{
    return sqlite_idempotency_get(db, &g->req.arena, g->workspace, g->key, &g->row);
}

/* One line an operation. */
#define READS(X)                                                                                   \
    X(STORE_WORKFLOW_GET, store_workflow_get, sqlite_workflow_get)                                 \
    X(STORE_WORKFLOW_LIST, store_workflow_list, sqlite_workflow_list)                              \
    X(STORE_WORKFLOW_VERSIONS, store_workflow_versions, sqlite_workflow_versions)                  \
    X(STORE_SESSION_GET, store_session_get, sqlite_session_read)                                   \
    X(STORE_SESSION_LIST, store_session_list, sqlite_session_list)                                 \
    X(STORE_SESSION_LOAD, store_session_load, sqlite_session_load)                                 \
    X(STORE_EVENTS_READ, store_events_read, read_events)                                           \
    X(STORE_MESSAGES_LIST, store_messages_list, read_messages)                                     \
    X(STORE_RUNS_LIST, store_runs_list, read_runs)                                                 \
    X(STORE_SCAN_BUSY, store_scan_busy, read_busy)                                                 \
    X(STORE_SCAN_TIMERS, store_scan_timers, read_timers)                                           \
    X(STORE_IDEMPOTENCY_GET, store_idempotency_get, read_idempotency)                              \
    X(STORE_INSTANCE_LIST, store_instance_list, sqlite_instance_list)                              \
    X(STORE_COMMAND_GET, store_command_get, sqlite_command_get)                                    \
    X(STORE_COMMAND_LIST, store_command_list, sqlite_command_list)                                 \
    X(STORE_INTERRUPT_GET, store_interrupt_get, sqlite_interrupt_get)                              \
    X(STORE_INTERRUPT_LIST, store_interrupt_list, sqlite_interrupt_list)                           \
    X(STORE_TASK_GET, store_task_get, sqlite_task_get)                                             \
    X(STORE_FILE_GET, store_file_get, sqlite_file_get)                                             \
    X(STORE_FILE_LIST, store_file_list, sqlite_file_list)                                          \
    X(STORE_MEMORY_QUERY, store_memory_query, sqlite_memory_query)                                 \
    X(STORE_MEMORY_LIST, store_memory_list, sqlite_memory_list)                                    \
    X(STORE_MEMORY_GET, store_memory_get, sqlite_memory_get)                                       \
    X(STORE_CHILDREN_LIST, store_children_list, sqlite_children_list)                              \
    X(STORE_CATALOG_GET, store_catalog_get, sqlite_catalog_get)                                    \
    X(STORE_CATALOG_LIST, store_catalog_list, sqlite_catalog_list)                                 \
    X(STORE_USAGE_SUM, store_usage_sum, sqlite_usage_sum)                                          \
    X(STORE_SESSION_EXPORT, store_session_export, sqlite_session_export)                           \
    X(STORE_SESSION_STATS, store_session_stats, sqlite_session_stats)                              \
    X(STORE_KEY_LIST, store_key_list, sqlite_key_list)                                             \
    X(STORE_ACTIVE_GET, store_active_get, sqlite_active_get)                                       \
    X(STORE_SCHEDULE_GET, store_schedule_get, sqlite_schedule_get)                                 \
    X(STORE_SCHEDULE_LIST, store_schedule_list, sqlite_schedule_list)                              \
    X(STORE_SCHEDULE_DUE, store_schedule_due, sqlite_schedule_due)                                 \
    X(STORE_AUDIT_LIST, store_audit_list, sqlite_audit_list)

#define OP_FUNCTION(op, type, run)                                                                 \
    static int run_##op(struct sqlite_db *db, struct store_req *req)                               \
    {                                                                                              \
        return run(db, container_of(req, struct type, req));                                       \
    }
READS(OP_FUNCTION)

#define OP_ROW(op, type, run) [op] = run_##op,
static int (*const reads[STORE_OP_COUNT])(struct sqlite_db *db,
                                          struct store_req *req) = {READS(OP_ROW)};

/* A session's whole load reads several tables: all of them as of one moment. */
int sqlite_read_run(struct sqlite_db *db, struct store_req *req)
{
    if (req->op >= STORE_HOOK_PUT && req->op <= STORE_HOOK_DELIVERIES)
        return sqlite_hook_run(db, req);
    if (req->op < STORE_OP_COUNT && reads[req->op])
        return reads[req->op](db, req);
    return sqlite_db_refuse(db, ERR_INTERNAL, "operation %d is no read", (int)req->op);
}
