/* The store's public face: opening, queues, the way back to the loop, closing. */
#include "store/sqlite_store.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/migrate.h"

/* ---- back to the loop ---- */

/* An eventfd that stands at its limit is readable: no failure loses anything. */
static void store_wake(struct sqlite_store *s)
{
    ssize_t n;

    do
        n = write(s->finished_fd, &(uint64_t){1}, sizeof(uint64_t));
    while (n < 0 && errno == EINTR);
}

void sqlite_store_finish(struct sqlite_store *s, struct list *requests)
{
    uv_mutex_lock(&s->mutex);
    list_splice(&s->done, requests);
    uv_mutex_unlock(&s->mutex);
    store_wake(s);
}

void sqlite_store_thread_ended(struct sqlite_store *s)
{
    uv_mutex_lock(&s->mutex);
    s->threads_running--;
    uv_cond_signal(&s->ended_cond);
    uv_mutex_unlock(&s->mutex);
}

/* Sent under the mutex: once it is free, the loop may end the store, and the handle with it. */
void sqlite_store_writer_ended(struct sqlite_store *s)
{
    uv_mutex_lock(&s->mutex);
    s->writer_ended = true;
    store_wake(s);
    uv_mutex_unlock(&s->mutex);
}

static void store_freed(uv_handle_t *handle)
{
    struct sqlite_store *s = handle->data;
    void (*closed)(void *data) = s->closed;
    void *data = s->closed_data;

    uv_mutex_destroy(&s->mutex);
    uv_cond_destroy(&s->writes_cond);
    uv_cond_destroy(&s->reads_cond);
    uv_cond_destroy(&s->checkpoint_cond);
    uv_cond_destroy(&s->ended_cond);
    close(s->finished_fd);
    close(s->lock_fd); /* and another process may open the folder */
    sqlite_recent_destroy(s->recent);
    free(s->path);
    free(s);
    if (closed)
        closed(data);
}

static void store_join(struct sqlite_store *s)
{
    uv_thread_join(&s->writer_thread);
    uv_thread_join(&s->checkpoint_thread);
    for (int i = 0; i < SQLITE_READERS; i++)
        uv_thread_join(&s->readers[i].thread);
}

static void store_finished(uv_poll_t *poll, int status, int events)
{
    struct sqlite_store *s = poll->data;
    uint64_t count;
    struct list done;

    (void)status;
    (void)events;
    list_init(&done);
    /* Before the look: what comes after it wakes again. Nothing read: somebody else's wake-up. */
    if (read(s->finished_fd, &count, sizeof(count)) < 0)
        return;
    uv_mutex_lock(&s->mutex);
    list_splice(&done, &s->done);
    uv_mutex_unlock(&s->mutex);
    while (!list_empty(&done)) {
        struct store_req *req = container_of(list_pop(&done), struct store_req, link);
        req->done(req);
    }
    uv_mutex_lock(&s->mutex);
    bool over = s->writer_ended && list_empty(&s->done);
    uv_mutex_unlock(&s->mutex);
    if (over && !uv_is_closing((uv_handle_t *)poll)) {
        store_join(s);
        uv_close((uv_handle_t *)poll, store_freed);
    }
}

/* ---- the vtable ---- */

/* That spares two hand-overs between threads. Called under the mutex. */
static bool store_writes_here(const struct sqlite_store *s, struct store_req *req)
{
    return req->op == STORE_COMMIT && container_of(req, struct store_commit, req)->may_block &&
           list_empty(&s->writes) && !s->is_writing && !s->checkpoint_active && s->commit_ns &&
           s->commit_ns < SQLITE_HERE_NS;
}

static void store_submit_sqlite(struct store *base, struct store_req *req)
{
    struct sqlite_store *s = container_of(base, struct sqlite_store, base);
    struct list here;
    uv_cond_t *whose = NULL;

    assert(!list_is_linked(&req->link));
    list_init(&here);
    req->status = 0;
    uv_mutex_lock(&s->mutex);
    if (s->closing) {
        req->status = err_set(&req->error, ERR_CANCELLED, "the store is closing");
        list_append(&s->done, &req->link);
        store_wake(s);
    } else if (store_writes_here(s, req)) {
        list_append(&here, &req->link);
    } else if (store_op_is_write(req)) {
        list_append(&s->writes, &req->link);
        whose = &s->writes_cond;
    } else {
        list_append(&s->reads, &req->link);
        whose = &s->reads_cond;
    }
    uv_mutex_unlock(&s->mutex);
    /* Not under the mutex: the other core is quick enough to wait for it then, and is woken twice.
     * The store stands, for only this thread ends it. */
    if (whose)
        uv_cond_signal(whose);
    if (!list_empty(&here))
        sqlite_writer_write(s, &here);
}

static void store_stats_sqlite(struct store *base, struct store_stats *out)
{
    struct sqlite_store *s = container_of(base, struct sqlite_store, base);

    uv_mutex_lock(&s->mutex);
    *out = s->stats;
    uv_mutex_unlock(&s->mutex);
}

/* Writes that wait are written, reads that wait are cancelled. */
static void store_close_sqlite(struct store *base, void (*closed)(void *data), void *data)
{
    struct sqlite_store *s = container_of(base, struct sqlite_store, base);

    s->closed = closed;
    s->closed_data = data;
    uv_mutex_lock(&s->mutex);
    assert(!s->closing);
    s->closing = true;
    list_foreach(it, &s->reads)
    {
        struct store_req *req = container_of(it, struct store_req, link);
        req->status = err_set(&req->error, ERR_CANCELLED, "the store is closing");
    }
    list_splice(&s->done, &s->reads);
    uv_cond_broadcast(&s->writes_cond);
    uv_cond_broadcast(&s->reads_cond);
    uv_cond_broadcast(&s->checkpoint_cond);
    store_wake(s);
    uv_mutex_unlock(&s->mutex);
}

static const struct store_vtable sqlite_vtable = {
    .name = "sqlite",
    .submit = store_submit_sqlite,
    .stats = store_stats_sqlite,
    .close = store_close_sqlite,
};

/* ---- readers ---- */

static void reader_read(struct sqlite_recent *recent, struct sqlite_db *db, struct store_req *req)
{
    struct recent_view view;

    sqlite_recent_look(recent, req, &view);
    db->view = &view;
    int status = sqlite_db_begin(db, false); /* all of a request as of one moment */
    if (status == 0) {
        status = sqlite_read_run(db, req);
        if (status < 0)
            sqlite_db_rollback(db);
        else
            status = sqlite_db_commit(db);
    }
    db->view = NULL;
    req->status = status;
    if (status < 0)
        req->error = db->error;
}

void sqlite_reader_main(void *arg)
{
    struct sqlite_reader *r = arg;
    struct sqlite_store *s = r->store;
    struct list one;

    list_init(&one);
    uv_mutex_lock(&s->mutex);
    for (;;) {
        while (list_empty(&s->reads) && !s->closing)
            uv_cond_wait(&s->reads_cond, &s->mutex);
        if (list_empty(&s->reads))
            break;
        struct list *link = list_pop(&s->reads);
        s->stats.reads++;
        uv_mutex_unlock(&s->mutex);
        reader_read(s->recent, &r->db, container_of(link, struct store_req, link));
        list_append(&one, link);
        sqlite_store_finish(s, &one);
        uv_mutex_lock(&s->mutex);
    }
    uv_mutex_unlock(&s->mutex);
    sqlite_db_close(&r->db);
    sqlite_store_thread_ended(s);
}

/* ---- opening ---- */

static void store_configure_once(void)
{
    /* Without it every allocation takes a lock that all threads share. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int store_open_db(struct sqlite_db *db, const char *path, enum sqlite_role role,
                         struct errbuf *e)
{
    int status = sqlite_db_open(db, path, role);

    if (status < 0 && e)
        *e = db->error;
    return status;
}

/* All connections: each thread gets its own ready made, so that a failure is known here. */
static int store_open_all(struct sqlite_store *s, bool migrate, struct errbuf *e)
{
    int status = store_open_db(&s->writer, s->path, SQLITE_ROLE_WRITER, e);

    if (status < 0)
        return status;
    status = sqlite_migrate_db(&s->writer, migrate ? MIGRATE_NEWEST : MIGRATE_CHECK, NULL, NULL, e);
    if (status < 0)
        return status;
    /* The folder is ours: nobody else can be alive. */
    status = sqlite_db_exec(&s->writer, "DELETE FROM instances");
    if (status == 0)
        status = sqlite_recent_recover(&s->writer);
    if (status < 0) {
        if (e)
            *e = s->writer.error;
        return status;
    }
    s->writer.recent = s->recent;
    status = store_open_db(&s->checkpointer, s->path, SQLITE_ROLE_CHECKPOINT, e);
    for (int i = 0; i < SQLITE_READERS && status == 0; i++) {
        s->readers[i].store = s;
        status = store_open_db(&s->readers[i].db, s->path, SQLITE_ROLE_READER, e);
    }
    return status;
}

static void store_close_all(struct sqlite_store *s)
{
    for (int i = 0; i < SQLITE_READERS; i++)
        sqlite_db_close(&s->readers[i].db);
    sqlite_db_close(&s->checkpointer);
    sqlite_db_close(&s->writer);
}

static void store_thread(uv_thread_t *thread, void (*entry)(void *arg), void *arg)
{
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                   .stack_size = SQLITE_STACK_BYTES};
    int code = uv_thread_create_ex(thread, &options, entry, arg);

    if (code != 0) { /* at start, with nothing to lose */
        log_error("store", "cannot start a thread: %s", uv_strerror(code));
        abort();
    }
}

/* Not a uv_async: the loop is awake on its other core before the thread that woke it has returned
 * from its write(), and uv_async spins until it has; 8 us a commit. ERR_INTERNAL. */
static int store_watch(struct sqlite_store *s, uv_loop_t *loop, struct errbuf *e)
{
    s->finished_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->finished_fd < 0)
        return err_set(e, ERR_INTERNAL, "no descriptor for the store: %s", strerror(errno));
    int code = uv_poll_init(loop, &s->finished, s->finished_fd);
    if (code != 0) {
        close(s->finished_fd);
        return err_set(e, ERR_INTERNAL, "the store cannot be watched: %s", uv_strerror(code));
    }
    s->finished.data = s;
    uv_poll_start(&s->finished, UV_READABLE, store_finished);
    return 0;
}

static void store_start(struct sqlite_store *s)
{
    uv_mutex_init(&s->mutex);
    uv_cond_init(&s->writes_cond);
    uv_cond_init(&s->reads_cond);
    uv_cond_init(&s->checkpoint_cond);
    uv_cond_init(&s->ended_cond);
    list_init(&s->writes);
    list_init(&s->reads);
    list_init(&s->done);
    s->threads_running = 1 + SQLITE_READERS;
    store_thread(&s->writer_thread, sqlite_writer_main, s);
    store_thread(&s->checkpoint_thread, sqlite_checkpoint_main, s);
    for (int i = 0; i < SQLITE_READERS; i++)
        store_thread(&s->readers[i].thread, sqlite_reader_main, &s->readers[i]);
}

int sqlite_store_open(struct store **out, struct uv_loop_s *loop, const char *dir, bool migrate,
                      struct errbuf *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int fd = -1;

    pthread_once(&once, store_configure_once);
    int status = sqlite_lock(dir, 0, &fd, e);
    if (status < 0)
        return status;
    struct sqlite_store *s = mem_zalloc(sizeof(*s));
    s->base.v = &sqlite_vtable;
    s->lock_fd = fd;
    s->path = sqlite_path(dir);
    s->recent = sqlite_recent_create();
    status = store_open_all(s, migrate, e);
    if (status == 0)
        status = store_watch(s, loop, e);
    if (status < 0) {
        store_close_all(s);
        close(s->lock_fd);
        sqlite_recent_destroy(s->recent);
        free(s->path);
        free(s);
        return status;
    }
    store_start(s);
    *out = &s->base;
    return 0;
}
