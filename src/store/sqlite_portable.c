/* A session as a whole: all its rows out of the file, as of one moment, and into it. */
#include "store/rules.h"
#include "store/sqlite_store.h"

/* ---- out ---- */

/* A row of one of the lists, read at the place where it is to hang. */
typedef void *(*export_row)(struct sqlq *q, struct arena *a);

static void *export_event(struct sqlq *q, struct arena *a)
{
    struct event_row *row = arena_alloc(a, sizeof(*row));

    row->seq_first = sqlq_i64(q);
    row->seq_last = sqlq_i64(q);
    row->frames = sqlq_text(q, a);
    q->corrupt = q->corrupt || !row->frames.p ||
                 !rules_frames_are_whole(row->seq_first, row->seq_last, row->frames);
    return row;
}

static void *export_message(struct sqlq *q, struct arena *a)
{
    struct message_row *row = arena_alloc(a, sizeof(*row));

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
    return row;
}

static void *export_run(struct sqlq *q, struct arena *a)
{
    struct run_row *row = arena_alloc(a, sizeof(*row));

    sqlite_run_columns(q, a, row);
    row->progress_json = sqlq_json(q, a);
    return row;
}

static void *export_interrupt(struct sqlq *q, struct arena *a)
{
    struct interrupt_row *row = arena_alloc(a, sizeof(*row));

    sqlq_id(q, &row->interrupt_id);
    sqlq_id(q, &row->run_id);
    row->node_id = sqlq_str(q, a);
    row->kind = sqlq_str(q, a);
    row->status = sqlq_str(q, a);
    row->request_json = sqlq_json(q, a);
    row->answer_json = sqlq_json(q, a);
    row->expires_at = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    row->updated_at = sqlq_i64(q);
    return row;
}

static void *export_task(struct sqlq *q, struct arena *a)
{
    struct task_row *row = arena_alloc(a, sizeof(*row));

    sqlq_id(q, &row->task_id);
    sqlq_id(q, &row->run_id);
    row->node_id = sqlq_str(q, a);
    row->queue = sqlq_str(q, a);
    row->input_json = sqlq_json(q, a);
    row->heartbeat_ms = sqlq_i64(q);
    row->created_at = sqlq_i64(q);
    return row;
}

static void *export_file(struct sqlq *q, struct arena *a)
{
    struct file_row *row = arena_alloc(a, sizeof(*row));

    sqlite_file_columns(q, a, row);
    row->content = sqlq_blob(q, a);
    if (row->from_version > 0)
        row->content = STR_NULL;
    return row;
}

static void *export_usage(struct sqlq *q, struct arena *a)
{
    struct usage_row *row = arena_alloc(a, sizeof(*row));

    sqlq_id(q, &row->call_id);
    sqlq_id(q, &row->run_id);
    row->node_id = sqlq_str(q, a);
    row->agent_id = sqlq_str(q, a);
    row->provider = sqlq_str(q, a);
    row->model = sqlq_str(q, a);
    row->input_tokens = sqlq_i64(q);
    row->output_tokens = sqlq_i64(q);
    row->cost_micros = sqlq_i64(q);
    row->estimated = sqlq_i64(q) != 0;
    row->created_at = sqlq_i64(q);
    return row;
}

/* Every row begins with its `next`. */
struct export_link {
    struct export_link *next;
};

static int export_rows(struct sqlq *q, struct arena *a, export_row read, const char *what,
                       void *first)
{
    struct export_link *head = NULL, **tail = &head;
    int more;

    while ((more = sqlq_next(q)) > 0) {
        *tail = read(q, a);
        (*tail)->next = NULL;
        tail = &(*tail)->next;
        if (q->corrupt) {
            sqlq_end(q);
            return sqlite_db_corrupt(q->db, "its %s do not read back", what);
        }
    }
    *(struct export_link **)first = head;
    return more;
}

static int export_lists(struct sqlite_db *db, struct store_session_export *x, int64_t key)
{
    struct session_whole *w = &x->whole;
    const struct {
        enum sqlite_sql sql;
        export_row read;
        const char *what;
        void *first;
    } lists[] = {
        {SQL_EXPORT_EVENTS, export_event, "events", &w->events},
        {SQL_EXPORT_MESSAGES, export_message, "messages", &w->messages},
        {SQL_EXPORT_RUNS, export_run, "node runs", &w->runs},
        {SQL_EXPORT_INTERRUPTS, export_interrupt, "interrupts", &w->interrupts},
        {SQL_EXPORT_TASKS, export_task, "tasks", &w->tasks},
        {SQL_EXPORT_FILES, export_file, "files", &w->files},
        {SQL_EXPORT_USAGE, export_usage, "model calls", &w->usage},
    };
    int status = 0;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && status == 0; i++) {
        struct sqlq q;
        sqlq_start(&q, db, lists[i].sql);
        if (lists[i].sql == SQL_EXPORT_USAGE)
            sqlq_bind_id(&q, &x->load.id);
        else
            sqlq_bind_i64(&q, key);
        status = export_rows(&q, &x->req.arena, lists[i].read, lists[i].what, lists[i].first);
    }
    if (status == 0 &&
        !rules_runs_add(&x->req.arena, x->load.runs_packed, &(struct id){{0}}, &w->runs))
        return sqlite_db_corrupt(db, "its node runs do not read back");
    return status;
}

/* What the session has behind its stored events, in memory. */
static int export_recent(struct sqlite_db *db, struct store_session_export *x, int64_t key)
{
    struct event_row **tail = &x->whole.events;
    int64_t stored = 0;
    int status = sqlite_events_stored(db, key, &stored);

    while (*tail)
        tail = &(*tail)->next;
    if (status == 0 && db->view)
        *tail = sqlite_recent_rows(db->view, key, stored);
    return status;
}

static int export_fits(struct sqlite_db *db, const struct store_session_export *x, int64_t key)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_EXPORT_BYTES);
    sqlq_bind_i64(&q, key);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    int64_t bytes = sqlq_i64(&q);
    sqlq_end(&q);
    if ((uint64_t)bytes > x->bytes_max)
        return sqlite_db_refuse(db, ERR_TOO_LARGE, "the session has more than %zu bytes",
                                x->bytes_max);
    return 0;
}

int sqlite_session_export(struct sqlite_db *db, struct store_session_export *x)
{
    struct sqlite_session found = {.key = 0};

    int status = sqlite_session_find(db, &x->load.id, &found);
    if (status == 0)
        status = sqlite_session_load(db, &x->load);
    if (status == 0 && x->workspace.p && !str_eq(x->workspace, x->load.row.meta.workspace))
        status = sqlite_db_refuse(db, ERR_NOT_FOUND, "no such session");
    if (status == 0)
        status = export_fits(db, x, found.key);
    if (status < 0)
        return status;
    x->whole = (struct session_whole){.row = x->load.row,
                                      .workflow_json = x->load.workflow_json,
                                      .folded_seq = found.folded_seq,
                                      .effects = x->load.effects,
                                      .timers = x->load.timers,
                                      .withheld = x->load.withheld};
    status = export_lists(db, x, found.key);
    return status < 0 ? status : export_recent(db, x, found.key);
}

/* ---- in ---- */

static int import_is_free(struct sqlite_db *db, enum sqlite_sql sql, const struct id *id,
                          const char *what)
{
    struct sqlq q;

    sqlq_start(&q, db, sql);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    sqlq_end(&q);
    return sqlite_db_refuse(db, ERR_CONFLICT, "another session has one of its %s", what);
}

/* All that can refuse comes before the first row is written. */
static int import_admit(struct sqlite_db *db, const struct session_whole *w)
{
    struct sqlite_session there;
    char text[ID_TEXT_BYTES + 1];

    int status = sqlite_session_find(db, &w->row.id, &there);
    if (status == 0) {
        id_format(w->row.id, text);
        return sqlite_db_refuse(db, ERR_CONFLICT, "session %s exists already", text);
    }
    if (status != ERR_NOT_FOUND)
        return status;
    status = 0;
    for (const struct interrupt_row *i = w->interrupts; i && status == 0; i = i->next)
        status = import_is_free(db, SQL_INTERRUPT_TAKEN, &i->interrupt_id, "interrupts");
    for (const struct task_row *t = w->tasks; t && status == 0; t = t->next)
        status = import_is_free(db, SQL_TASK_TAKEN, &t->task_id, "tasks");
    return status;
}

int sqlite_session_import(struct sqlite_db *db, struct store_session_import *m)
{
    const struct session_whole *w = m->whole;
    struct sqlite_session made = {.key = 0};
    struct session_meta meta;
    struct delta d;
    struct sqlq q;

    int status = import_admit(db, w);
    if (status < 0)
        return status;
    rules_import_delta(m, &meta, &d);
    status = sqlite_commit_delta(db, &m->req.arena, &d);
    if (status == 0)
        status = sqlite_session_find(db, &w->row.id, &made);
    for (const struct event_row *row = w->events; row && status == 0; row = row->next)
        status = sqlite_events_insert(db, made.key, d.at, row);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_SESSION_IMPORTED);
    sqlq_bind_i64(&q, made.key);
    sqlq_bind_i64(&q, w->row.version);
    sqlq_bind_i64(&q, w->folded_seq);
    return sqlq_run(&q);
}
