/* The writer thread, and the one that copies its WAL back.
 *
 * The writer takes all that waits, and writes it as one transaction: the next one is what came
 * while it was under way, so load makes batches by itself and no timer is needed. A request that
 * is refused leaves nothing in the transaction. When a write fails (a full disk, an input error),
 * the transaction is rolled back, and each of its requests is tried alone and carefully, so that
 * one that cannot be written does not take others with it.
 *
 * While it has nothing to do, the loop's thread may write a commit itself (sqlite_store.c): only
 * that thread submits, so nothing is there for the writer until it has returned.
 *
 * The WAL grows until a checkpoint has copied all of it, and while commits go on there is always a
 * bit more. So the checkpoint thread copies the bulk beside the writer, then what was added
 * meanwhile, until there is little left, and flushes what it has copied; the writer itself copies
 * and flushes the rest, and begins the file anew.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

/* ---- writes that are a few lines ---- */

int sqlite_idempotency_check(struct sqlite_db *db, struct arena *a,
                             const struct idempotency_row *rows)
{
    for (const struct idempotency_row *row = rows; row; row = row->next) {
        struct idempotency_row found;
        int status = sqlite_idempotency_get(db, a, row->workspace, row->key, &found);
        if (status == 0)
            return sqlite_db_refuse(db, ERR_CONFLICT, "this Idempotency-Key is in use");
        if (status != ERR_NOT_FOUND)
            return status;
    }
    return 0;
}

int sqlite_idempotency_insert(struct sqlite_db *db, const struct idempotency_row *rows)
{
    int status = 0;
    int64_t workspace = 0;
    struct sqlq q;

    for (const struct idempotency_row *row = rows; row && status == 0; row = row->next) {
        status = sqlite_workspace_make(db, row->workspace, &workspace);
        if (status < 0)
            return status;
        sqlq_start(&q, db, SQL_IDEMPOTENCY_INSERT);
        sqlq_bind_i64(&q, workspace);
        sqlq_bind_str(&q, row->key);
        sqlq_bind_i64(&q, (int64_t)row->body_hash[0]);
        sqlq_bind_i64(&q, (int64_t)row->body_hash[1]);
        sqlq_bind_i64(&q, row->http_status);
        sqlq_bind_str(&q, row->body_json);
        sqlq_bind_i64(&q, row->created_at);
        status = sqlq_run(&q);
    }
    return status;
}

static int write_idempotency(struct sqlite_db *db, struct store_idempotency_put *p)
{
    struct idempotency_row row = p->row;

    row.next = NULL;
    int status = sqlite_idempotency_check(db, &p->req.arena, &row);
    return status < 0 ? status : sqlite_idempotency_insert(db, &row);
}

int sqlite_session_drop(struct sqlite_db *db, int64_t key)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_DELETE);
    sqlq_bind_i64(&q, key);
    int status = sqlq_run(&q);
    return status < 0 ? status : sqlite_recent_forget(db, key);
}

static int write_session_delete(struct sqlite_db *db, struct store_session_delete *d)
{
    struct session_row row;
    int64_t key = 0;

    int status = sqlite_session_get(db, &d->req.arena, d->workspace, &d->id, &row, &key);
    if (status < 0)
        return status;
    if (d->expected_version > 0 && d->expected_version != row.version)
        return sqlite_db_refuse(db, ERR_STALE, "the session is at version %lld, not %lld",
                                (long long)row.version, (long long)d->expected_version);
    if (d->terminal_only && rules_session_is_live(&row))
        return sqlite_db_refuse(db, ERR_CONFLICT, "the session has not ended: it is %.*s",
                                STR_FMT(row.core.status));
    return sqlite_session_drop(db, key);
}

/* One line an operation. */
#define WRITES(X)                                                                                  \
    X(STORE_COMMIT, store_commit, sqlite_commit_run)                                               \
    X(STORE_WORKFLOW_PUT, store_workflow_put, sqlite_workflow_put)                                 \
    X(STORE_WORKFLOW_DELETE, store_workflow_delete, sqlite_workflow_delete)                        \
    X(STORE_SESSION_DELETE, store_session_delete, write_session_delete)                            \
    X(STORE_SESSION_LOAD, store_session_load, sqlite_session_load)                                 \
    X(STORE_IDEMPOTENCY_PUT, store_idempotency_put, write_idempotency)                             \
    X(STORE_SESSION_RELEASE, store_session_release, sqlite_session_release)                        \
    X(STORE_INSTANCE_PUT, store_instance_put, sqlite_instance_put)                                 \
    X(STORE_INSTANCE_REMOVE, store_instance_remove, sqlite_instance_remove)                        \
    X(STORE_COMMAND_PUT, store_command_put, sqlite_command_put)                                    \
    X(STORE_COMMAND_DONE, store_command_done, sqlite_command_done)                                 \
    X(STORE_RETENTION, store_retention, sqlite_retention)                                          \
    X(STORE_TASK_LEASE, store_task_lease, sqlite_task_lease)                                       \
    X(STORE_TASK_HEARTBEAT, store_task_heartbeat, sqlite_task_heartbeat)                           \
    X(STORE_MEMORY_PUT, store_memory_put, sqlite_memory_put)                                       \
    X(STORE_MEMORY_UPDATE, store_memory_update, sqlite_memory_update)                              \
    X(STORE_MEMORY_AGE, store_memory_age, sqlite_memory_age)                                       \
    X(STORE_MEMORY_DELETE, store_memory_delete, sqlite_memory_delete)                              \
    X(STORE_CATALOG_PUT, store_catalog_put, sqlite_catalog_put)                                    \
    X(STORE_CATALOG_DELETE, store_catalog_delete, sqlite_catalog_delete)                           \
    X(STORE_SESSION_SAVE, store_session_save, sqlite_session_save)                                 \
    X(STORE_SESSION_IMPORT, store_session_import, sqlite_session_import)                           \
    X(STORE_KEY_WRITE, store_key_write, sqlite_key_write)                                          \
    X(STORE_TICKET, store_ticket, sqlite_ticket)                                                   \
    X(STORE_ACTIVE_PUT, store_active_put, sqlite_active_put)                                       \
    X(STORE_SCHEDULE_PUT, store_schedule_put, sqlite_schedule_put)                                 \
    X(STORE_SCHEDULE_DELETE, store_schedule_delete, sqlite_schedule_delete)                        \
    X(STORE_SCHEDULE_MOVE, store_schedule_move, sqlite_schedule_move)                              \
    X(STORE_AUDIT_PUT, store_audit_put, sqlite_audit_put)                                          \
    X(STORE_AUDIT_PRUNE, store_audit_prune, sqlite_audit_prune)

#define OP_FUNCTION(op, type, run)                                                                 \
    static int run_##op(struct sqlite_db *db, struct store_req *req)                               \
    {                                                                                              \
        return run(db, container_of(req, struct type, req));                                       \
    }
WRITES(OP_FUNCTION)

#define OP_ROW(op, type, run) [op] = run_##op,
static int (*const writes[STORE_OP_COUNT])(struct sqlite_db *db,
                                           struct store_req *req) = {WRITES(OP_ROW)};

int sqlite_write_run(struct sqlite_db *db, struct store_req *req)
{
    int status = sqlite_recent_settle_for(db, req);

    if (status < 0)
        return status;
    if (req->op >= STORE_HOOK_PUT && req->op <= STORE_HOOK_DELIVERIES)
        return sqlite_hook_run(db, req);
    if (req->op < STORE_OP_COUNT && writes[req->op])
        return writes[req->op](db, req);
    return sqlite_db_refuse(db, ERR_INTERNAL, "operation %d is no write", (int)req->op);
}

/* ---- the transaction ---- */

/* Carries out the requests in one transaction. On failure nothing is written. */
static int writer_try(struct sqlite_db *db, struct list *requests)
{
    int status = sqlite_db_begin(db, true);

    if (status < 0)
        return status;
    sqlite_recent_begin(db);
    list_foreach(it, requests)
    {
        struct store_req *req = container_of(it, struct store_req, link);
        req->status = sqlite_write_run(db, req);
        if (db->failed) {
            status = req->status;
            break;
        }
        if (req->status < 0)
            req->error = db->error;
    }
    if (status == 0)
        status = sqlite_recent_end(db);
    if (status < 0)
        sqlite_db_rollback(db);
    else
        status = sqlite_db_commit(db);
    if (status < 0)
        sqlite_recent_undo(db);
    else
        sqlite_recent_committed(db);
    return status;
}

/* Each in a transaction of its own; gives how many failed. */
static unsigned writer_try_each(struct sqlite_db *db, struct list *requests)
{
    struct list tried;
    unsigned failures = 0;

    list_init(&tried);
    db->careful = true;
    while (!list_empty(requests)) {
        struct list one;
        struct store_req *req = container_of(list_pop(requests), struct store_req, link);
        list_init(&one);
        list_append(&one, &req->link);
        int status = writer_try(db, &one);
        if (status < 0) {
            req->status = status;
            req->error = db->error;
            failures++;
        }
        list_splice(&tried, &one);
    }
    list_splice(requests, &tried);
    db->careful = false;
    return failures;
}

static uint64_t commit_mean(uint64_t mean, uint64_t ns)
{
    ns = ns < SQLITE_HERE_MOST_NS ? ns : SQLITE_HERE_MOST_NS;
    return mean ? mean - mean / 16 + ns / 16 : ns;
}

/* The last of a transaction: the connection is free before anybody hears of it. */
static void writer_count(struct sqlite_store *s, struct list *requests, unsigned failures,
                         uint64_t ns, int64_t rows)
{
    bool has_commit = false;

    uv_mutex_lock(&s->mutex);
    list_foreach(it, requests)
    {
        s->stats.writes++;
        if (container_of(it, struct store_req, link)->op == STORE_COMMIT)
            has_commit = true;
    }
    s->is_writing = false;
    s->stats.failures += failures;
    if (has_commit) {
        s->stats.commits++;
        s->stats.commit_rows += (uint64_t)rows;
        s->stats.commit_ns_last = ns;
        s->stats.commit_ns_total += ns;
        s->commit_ns = commit_mean(s->commit_ns, ns);
    }
    uv_mutex_unlock(&s->mutex);
}

void sqlite_writer_write(struct sqlite_store *s, struct list *requests)
{
    struct sqlite_db *db = &s->writer;
    int64_t rows = sqlite3_total_changes64(db->handle);
    uint64_t start = clock_mono_ns();
    unsigned failures = 0;

    if (writer_try(db, requests) < 0) {
        log_warn("store", "transaction failed: %s", db->error.text);
        failures = writer_try_each(db, requests);
    }
    writer_count(s, requests, failures, clock_mono_ns() - start,
                 sqlite3_total_changes64(db->handle) - rows);
    sqlite_store_finish(s, requests);
}

/* ---- checkpoints ---- */

/* How much of the WAL is copied back is SQLite's to say; gives how many frames are, or -1. */
static int checkpoint_run(struct sqlite_db *db)
{
    int frames = 0, copied = 0;
    int code =
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);

    if (code == SQLITE_OK)
        return copied;
    sqlite_db_fail(db, code);
    if ((code & 0xff) != SQLITE_BUSY)
        log_warn("store", "checkpoint: %s", db->error.text);
    return -1;
}

/* SQLite flushes the file only where all of the WAL is in it: by the writer, at the end, which
 * would then wait for what was copied here, too. */
static bool checkpoint_flush(struct sqlite_db *db)
{
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (code == SQLITE_OK)
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    if (code != SQLITE_OK)
        log_warn("store", "checkpoint: %s", sqlite3_errstr(code));
    return code == SQLITE_OK;
}

/* All but the newest frames; false: it was in vain. Each round copies what was added during the
 * last one, while that becomes less: not where a reader holds the WAL, nor where the writer is as
 * quick as this. Called under the mutex, works without. */
static bool checkpoint_bulk(struct sqlite_store *s)
{
    int before, rest = SQLITE_CHECKPOINT_FRAMES;

    do {
        before = rest;
        uv_mutex_unlock(&s->mutex);
        int copied = checkpoint_run(&s->checkpointer);
        bool is_flushed = copied > 0 && checkpoint_flush(&s->checkpointer);
        uv_mutex_lock(&s->mutex);
        if (!is_flushed)
            return false;
        rest = s->wal_frames - copied;
    } while (rest > SQLITE_CHECKPOINT_REST && rest < before / 2);
    return true;
}

/* SQLite calls this after each commit with the length of the WAL. */
static int writer_wal_grew(void *data, sqlite3 *handle, const char *name, int frames)
{
    struct sqlite_store *s = data;

    (void)handle;
    (void)name;
    if (frames < SQLITE_CHECKPOINT_FRAMES)
        return SQLITE_OK;
    uv_mutex_lock(&s->mutex);
    s->wal_frames = frames;
    if (!s->checkpoint_active) {
        s->checkpoint_active = s->checkpoint_due = true;
        uv_cond_signal(&s->checkpoint_cond);
    }
    uv_mutex_unlock(&s->mutex);
    return SQLITE_OK;
}

void sqlite_checkpoint_main(void *store)
{
    struct sqlite_store *s = store;

    uv_mutex_lock(&s->mutex);
    for (;;) {
        while (!s->checkpoint_due && !s->closing)
            uv_cond_wait(&s->checkpoint_cond, &s->mutex);
        if (s->closing)
            break;
        s->checkpoint_due = false;
        bool copied = checkpoint_bulk(s);
        s->checkpoint_rest = copied;
        s->checkpoint_active = copied;
    }
    uv_mutex_unlock(&s->mutex);
    sqlite_db_close(&s->checkpointer);
    sqlite_store_thread_ended(s);
}

/* ---- the thread ---- */

void sqlite_writer_main(void *store)
{
    struct sqlite_store *s = store;
    struct list requests;

    list_init(&requests);
    sqlite3_wal_hook(s->writer.handle, writer_wal_grew, s);
    uv_mutex_lock(&s->mutex);
    for (;;) {
        while (list_empty(&s->writes) && !s->closing)
            uv_cond_wait(&s->writes_cond, &s->mutex);
        if (list_empty(&s->writes))
            break;
        list_splice(&requests, &s->writes);
        s->is_writing = true;
        bool rest = s->checkpoint_rest;
        s->checkpoint_rest = false;
        uv_mutex_unlock(&s->mutex);
        if (rest)
            checkpoint_run(&s->writer);
        sqlite_writer_write(s, &requests);
        uv_mutex_lock(&s->mutex);
        if (rest)
            s->checkpoint_active = false;
    }
    /* The last connection to close copies the WAL back and removes it: that is work for here. */
    while (s->threads_running > 0)
        uv_cond_wait(&s->ended_cond, &s->mutex);
    uv_mutex_unlock(&s->mutex);
    if (sqlite_recent_settle_all(&s->writer) < 0) /* then the next start folds them */
        log_warn("store", "the newest events are not folded: %s", s->writer.error.text);
    sqlite_db_close(&s->writer);
    sqlite_store_writer_ended(s);
}
