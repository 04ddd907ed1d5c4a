/* A session as a whole: all its rows out of the database, as of one moment, and into it. */
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

/* ---- out ---- */

/* A row of one of the lists; every row begins with its `next`. */
typedef void *(*export_row)(struct pgr *r, struct arena *a);
struct export_link {
    struct export_link *next;
};

static void *export_event(struct pgr *r, struct arena *a)
{
    struct event_row *row = arena_alloc(a, sizeof(*row));

    row->seq_first = pgr_i64(r);
    row->seq_last = pgr_i64(r);
    row->frames = pgr_text(r, a);
    r->corrupt = r->corrupt || !row->frames.p ||
                 !rules_frames_are_whole(row->seq_first, row->seq_last, row->frames);
    return row;
}

static void *export_message(struct pgr *r, struct arena *a)
{
    struct message_row *row = arena_alloc(a, sizeof(*row));

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
    return row;
}

static void *export_run(struct pgr *r, struct arena *a)
{
    struct run_row *row = arena_alloc(a, sizeof(*row));

    pg_run_columns(r, a, row);
    row->progress_json = pgr_json(r, a);
    return row;
}

static void *export_interrupt(struct pgr *r, struct arena *a)
{
    struct interrupt_row *row = arena_alloc(a, sizeof(*row));

    pgr_id(r, &row->interrupt_id);
    pgr_id(r, &row->run_id);
    row->node_id = pgr_str(r, a);
    row->kind = pgr_str(r, a);
    row->status = pgr_str(r, a);
    row->request_json = pgr_json(r, a);
    row->answer_json = pgr_json(r, a);
    row->expires_at = pgr_i64(r);
    row->created_at = pgr_i64(r);
    row->updated_at = pgr_i64(r);
    return row;
}

static void *export_task(struct pgr *r, struct arena *a)
{
    struct task_row *row = arena_alloc(a, sizeof(*row));

    pgr_id(r, &row->task_id);
    pgr_id(r, &row->run_id);
    row->node_id = pgr_str(r, a);
    row->queue = pgr_str(r, a);
    row->input_json = pgr_json(r, a);
    row->heartbeat_ms = pgr_i64(r);
    row->created_at = pgr_i64(r);
    return row;
}

static void *export_file(struct pgr *r, struct arena *a)
{
    struct file_row *row = arena_alloc(a, sizeof(*row));

    pg_file_columns(r, a, row);
    row->content = pgr_str(r, a);
    if (row->from_version > 0)
        row->content = STR_NULL;
    return row;
}

static void *export_usage(struct pgr *r, struct arena *a)
{
    struct usage_row *row = arena_alloc(a, sizeof(*row));

    pgr_id(r, &row->call_id);
    pgr_id(r, &row->run_id);
    row->node_id = pgr_str(r, a);
    row->agent_id = pgr_str(r, a);
    row->provider = pgr_str(r, a);
    row->model = pgr_str(r, a);
    row->input_tokens = pgr_i64(r);
    row->output_tokens = pgr_i64(r);
    row->cost_micros = pgr_i64(r);
    row->estimated = pgr_bool(r);
    row->created_at = pgr_i64(r);
    return row;
}

static int export_rows(struct pg_job *j, int n, export_row read, const char *what, void *first)
{
    struct store_session_export *x = container_of(j->req, struct store_session_export, req);
    struct export_link *head = NULL, **tail = &head;
    struct pgr r;

    for (pgr_open(&r, j->conn, n); pgr_next(&r); tail = &(*tail)->next) {
        *tail = read(&r, &j->req->arena);
        (*tail)->next = NULL;
        if (r.corrupt)
            return pg_session_corrupt(j, &x->load.id, what);
    }
    *(struct export_link **)first = head;
    return 0;
}

static const enum pg_sql export_parts[] = {
    PG_EXPORT_EVENTS, PG_EXPORT_MESSAGES, PG_EXPORT_RUNS, PG_EXPORT_INTERRUPTS,
    PG_EXPORT_TASKS,  PG_EXPORT_FILES,    PG_EXPORT_USAGE};
#define EXPORT_PARTS (sizeof(export_parts) / sizeof(export_parts[0]))

static int export_read(struct pg_job *j)
{
    struct store_session_export *x = container_of(j->req, struct store_session_export, req);
    struct session_whole *w = &x->whole;
    const struct {
        export_row read;
        const char *what;
        void *first;
    } lists[EXPORT_PARTS] = {
        {export_event, "events", &w->events},     {export_message, "messages", &w->messages},
        {export_run, "node runs", &w->runs},      {export_interrupt, "interrupts", &w->interrupts},
        {export_task, "tasks", &w->tasks},        {export_file, "files", &w->files},
        {export_usage, "model calls", &w->usage},
    };
    struct pgr r;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    w->folded_seq = pgr_i64(&r);
    int status = pg_session_loaded(j, &x->load, 1);
    for (size_t i = 0; i < EXPORT_PARTS && status == 0; i++)
        status = export_rows(j, 6 + (int)i, lists[i].read, lists[i].what, lists[i].first);
    if (status == 0 &&
        !rules_runs_add(&x->req.arena, x->load.runs_packed, &(struct id){{0}}, &w->runs))
        return pg_session_corrupt(j, &x->load.id, "node runs");
    w->row = x->load.row;
    w->workflow_json = x->load.workflow_json;
    w->effects = x->load.effects;
    w->timers = x->load.timers;
    w->withheld = x->load.withheld;
    return status;
}

static void export_add_size(struct pg_job *j, const struct store_session_export *x)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_EXPORT_BYTES);
    pgq_id(&q, &x->load.id);
    pgq_str(&q, x->workspace);
    pgq_end(&q);
}

/* Its size is known: what is read is read in the next batch, all of it as of one moment. */
static int export_sized(struct pg_job *j)
{
    struct store_session_export *x = container_of(j->req, struct store_session_export, req);
    struct pgr r;
    struct pgq q;

    pgr_open(&r, j->conn, 0);
    if (!pgr_next(&r))
        return pg_refuse(j, ERR_NOT_FOUND, "no such session");
    pgr_i64(&r);
    if ((uint64_t)pgr_i64(&r) > x->bytes_max)
        return pg_refuse(j, ERR_TOO_LARGE, "the session has more than %zu bytes", x->bytes_max);
    export_add_size(j, x);
    pg_session_load_add(j, &x->load);
    for (size_t i = 0; i < EXPORT_PARTS; i++) {
        pgq_start(&q, j->conn, export_parts[i]);
        pgq_id(&q, &x->load.id);
        pgq_end(&q);
    }
    return pg_await(j, export_read);
}

int pg_session_export_start(struct pg_job *j)
{
    struct store_session_export *x = container_of(j->req, struct store_session_export, req);

    x->whole = (struct session_whole){.folded_seq = 0};
    export_add_size(j, x);
    return pg_await(j, export_sized);
}

/* ---- in ---- */

static int import_locked(struct pg_job *j)
{
    struct store_session_import *m = container_of(j->req, struct store_session_import, req);
    const struct session_whole *w = m->whole;
    struct session_meta meta;
    struct delta d;
    char id[ID_TEXT_BYTES + 1];
    struct pgr r;
    struct pgq q;

    pgr_open(&r, j->conn, 1);
    pgr_next(&r);
    bool exists = pgr_bool(&r), taken = pgr_bool(&r);
    if (exists && j->repeated) { /* it was not there before the try whose answer was lost */
        pg_conn_add(j->conn, PG_COMMIT);
        return pg_await(j, pg_finished);
    }
    id_format(w->row.id, id);
    if (exists)
        return pg_refuse(j, ERR_CONFLICT, "session %s exists already", id);
    if (taken)
        return pg_refuse(j, ERR_CONFLICT, "another session has one of its interrupts or tasks");
    rules_import_delta(m, &meta, &d);
    int status = pg_commit_add_new(j, &d, w->events);
    if (status < 0)
        return status;
    pgq_start(&q, j->conn, PG_SESSION_IMPORTED);
    pgq_id(&q, &w->row.id);
    pgq_i64(&q, w->row.version);
    pgq_i64(&q, w->folded_seq);
    pgq_end(&q);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

int pg_session_import_start(struct pg_job *j)
{
    struct store_session_import *m = container_of(j->req, struct store_session_import, req);
    struct pg_rows ids;
    struct pgq q;

    pg_rows_init(&ids, PG_IMPORT_TAKEN, "u");
    pg_rows_begin(&ids); /* an array without elements is none; nothing else has this id */
    pg_rows_id(&ids, &m->whole->row.id);
    for (const struct interrupt_row *i = m->whole->interrupts; i; i = i->next) {
        pg_rows_begin(&ids);
        pg_rows_id(&ids, &i->interrupt_id);
    }
    for (const struct task_row *t = m->whole->tasks; t; t = t->next) {
        pg_rows_begin(&ids);
        pg_rows_id(&ids, &t->task_id);
    }
    pg_conn_add(j->conn, PG_BEGIN);
    pgq_start(&q, j->conn, PG_IMPORT_TAKEN);
    pgq_id(&q, &m->whole->row.id);
    pg_rows_bind(&ids, &q);
    pgq_end(&q);
    pg_rows_deinit(&ids);
    return pg_await(j, import_locked);
}
