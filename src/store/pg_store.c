/* The store's public face: queues, connections and what becomes of them, closing. */
#include "store/pg_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/migrate.h"

/* ---- the end of a job ---- */

static void job_finish(struct pg_job *j, int status)
{
    struct pg_store *s = j->store;

    j->req->status = status;
    if (j->req->op == STORE_COMMIT && status == 0) {
        s->stats.commits++;
        s->stats.commit_ns_last = clock_mono_ns() - j->since_ns;
        s->stats.commit_ns_total += s->stats.commit_ns_last;
    }
    list_append(&s->done, &j->link);
}

static void job_fail(struct pg_job *j, int status, const char *text)
{
    j->store->stats.failures++;
    job_finish(j, err_set(&j->req->error, status, "%s", text));
}

static void store_maybe_closed(struct pg_store *s);

/* The last thing that a callback of ours does. */
static void store_answer(struct pg_store *s)
{
    while (!list_empty(&s->done)) {
        struct pg_job *j = container_of(list_pop(&s->done), struct pg_job, link);
        struct store_req *req = j->req;
        free(j);
        req->done(req);
    }
    store_maybe_closed(s);
}

static void store_woken(uv_async_t *async)
{
    store_answer(async->data);
}

int pg_refuse(struct pg_job *j, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_vset(&j->req->error, code, fmt, ap);
    va_end(ap);
    return code;
}

int pg_await(struct pg_job *j, int (*next)(struct pg_job *j))
{
    j->next = next;
    pg_conn_send(j->conn);
    return PG_WAIT;
}

int pg_finished(struct pg_job *j)
{
    (void)j;
    return 0;
}

/* ---- a connection's work ---- */

static bool worker_is_writer(const struct pg_worker *w)
{
    return w == &w->store->workers[PG_WRITER];
}

static bool worker_is_reader(const struct pg_worker *w)
{
    return w >= &w->store->workers[PG_FIRST_READER];
}

static struct list *worker_queue(const struct pg_worker *w)
{
    struct pg_store *s = w->store;

    if (worker_is_reader(w))
        return &s->reads;
    return worker_is_writer(w) ? &s->writes : w == &s->workers[PG_SAVER] ? &s->saves : &s->keeps;
}

static struct pg_job *worker_pop(struct pg_worker *w)
{
    struct list *link = list_pop(worker_queue(w));

    if (!link)
        return NULL;
    w->store->reads_waiting -= worker_is_reader(w);
    return container_of(link, struct pg_job, link);
}

static void worker_idle_too_long(uv_timer_t *timer)
{
    struct pg_worker *w = container_of(timer, struct pg_worker, timer);

    pg_conn_close(&w->conn);
}

/* The partitions of the months to come, before they come, and those that are empty again. */
static bool worker_looks_after_partitions(struct pg_worker *w)
{
    struct pg_store *s = w->store;
    struct pgq q;

    if (!worker_is_writer(w) || uv_now(s->loop) < s->partitions_ms)
        return false;
    s->partitions_ms = uv_now(s->loop) + PG_PARTITIONS_MS;
    w->own_batch = true;
    pgq_start(&q, &w->conn, PG_PARTITIONS);
    pgq_i64(&q, PG_PARTITIONS_AHEAD);
    pgq_end(&q);
    pg_conn_add(&w->conn, PG_PARTITIONS_DROP);
    pg_conn_send(&w->conn);
    return true;
}

/* A commit whose outcome is not known may have folded what memory still has. */
static bool worker_settles_what_is_in_doubt(struct pg_worker *w)
{
    struct pg_ring *ring = &w->store->ring;

    if (!worker_is_writer(w) || !ring->in_doubt)
        return false;
    w->own_batch = w->settles = true;
    pg_ring_add_end(&w->conn, &ring->owner);
    pg_conn_send(&w->conn);
    return true;
}

/* Carries out jobs until one waits for an answer, or none is left. */
static void worker_run(struct pg_worker *w)
{
    while (w->conn.state == PG_READY && !w->own_batch) {
        if (worker_settles_what_is_in_doubt(w))
            return;
        if (!w->job && !(w->job = worker_pop(w))) {
            if (!worker_is_writer(w))
                uv_timer_start(&w->timer, worker_idle_too_long, PG_IDLE_MS, 0);
            return;
        }
        if (worker_looks_after_partitions(w))
            return;
        uv_timer_stop(&w->timer);
        struct pg_job *j = w->job;
        j->conn = &w->conn;
        j->catches = false;
        j->tries++;
        int status = pg_job_start(j);
        if (status == PG_WAIT)
            return;
        w->job = NULL;
        job_finish(j, status);
    }
}

static void worker_roll_back(struct pg_worker *w)
{
    w->own_batch = true;
    pg_conn_add(&w->conn, PG_ROLLBACK);
    pg_conn_send(&w->conn);
}

/* A batch of the job failed. Others who write at the same moment are no failure: begin anew. */
static int worker_failed(struct pg_worker *w, struct pg_job *j)
{
    struct pg_conn *c = &w->conn;

    if (j->tries < PG_TRIES_MAX &&
        (strncmp(c->sqlstate, "40", 2) == 0 || strcmp(c->sqlstate, "23505") == 0))
        return PG_AGAIN;
    w->store->stats.failures++;
    return pg_refuse(j, c->failed, "%s (%s)", c->error.text, c->sqlstate);
}

static void worker_is_well(struct pg_worker *w)
{
    if (w->backoff_ms > 0)
        log_info("store", "connected to PostgreSQL again");
    w->backoff_ms = 0;
    w->refused = false;
}

static void worker_lost(struct pg_conn *c);

static void worker_answered(struct pg_conn *c)
{
    struct pg_worker *w = c->data;
    struct pg_store *s = w->store;

    if (w->settles) {
        w->own_batch = w->settles = false;
        if (c->failed) { /* nothing may be written before: on another connection, in a while */
            if (!w->refused)
                log_warn("store", "PostgreSQL does not settle what was lost: %s", c->error.text);
            w->refused = true;
            pg_conn_close(c);
            worker_lost(c);
            return;
        }
        pg_ring_clear(&s->ring);
        worker_is_well(w);
    } else if (w->own_batch) {
        w->own_batch = false;
        if (c->failed) /* a partition: rows of its month go to session_events_rest */
            log_warn("store", "PostgreSQL: %s", c->error.text);
    } else {
        struct pg_job *j = w->job;
        int status = c->failed && !j->catches ? worker_failed(w, j) : j->next(j);
        if (status == PG_WAIT) {
            store_answer(s);
            return;
        }
        if (status != PG_AGAIN) {
            w->job = NULL;
            job_finish(j, status);
        }
    }
    if (c->in_transaction)
        worker_roll_back(w);
    else
        worker_run(w);
    store_answer(s);
}

static void worker_ready(struct pg_conn *c)
{
    struct pg_worker *w = c->data;

    if (worker_is_writer(w)) /* perhaps to another server, which may have lost something */
        pg_known_clear(&w->store->known);
    if (!worker_is_writer(w) || !w->store->ring.in_doubt) /* else when that is settled */
        worker_is_well(w);
    worker_run(w);
    store_answer(w->store);
}

static void store_feed(struct pg_store *s);

static void worker_retry(uv_timer_t *timer)
{
    struct pg_worker *w = container_of(timer, struct pg_worker, timer);

    w->resting = false;
    if (worker_is_writer(w))
        pg_conn_open(&w->conn);
    store_feed(w->store);
    store_answer(w->store);
}

/* Back to the head of its queue; a read has one more try. */
static void worker_give_back(struct pg_worker *w)
{
    struct pg_store *s = w->store;
    struct pg_job *j = w->job;

    w->job = NULL;
    if (!j)
        return;
    j->repeated = true;
    if (worker_is_reader(w) && j->tries >= 2) {
        job_fail(j, ERR_UNAVAILABLE, w->conn.error.text);
        return;
    }
    list_prepend(worker_queue(w), &j->link);
    s->reads_waiting += worker_is_reader(w);
}

static void store_sweep_start(struct pg_store *s);

static void worker_lost(struct pg_conn *c)
{
    struct pg_worker *w = c->data;
    struct pg_store *s = w->store;

    if (w->backoff_ms == 0) /* once, not for every try */
        log_warn("store", "PostgreSQL: %s", c->error.text);
    w->own_batch = w->settles = false;
    if (worker_is_writer(w))
        pg_ring_doubt(&s->ring);
    worker_give_back(w);
    w->backoff_ms = w->backoff_ms ? w->backoff_ms * 2 : PG_BACKOFF_MIN_MS;
    if (w->backoff_ms > PG_BACKOFF_MAX_MS)
        w->backoff_ms = PG_BACKOFF_MAX_MS;
    w->resting = true;
    uv_timer_start(&w->timer, worker_retry, w->backoff_ms, 0);
    store_sweep_start(s);
    store_answer(s);
}

/* ---- queues ---- */

static void worker_wake(struct pg_worker *w)
{
    if (w->conn.state == PG_READY && !w->job && !w->own_batch) {
        worker_run(w);
    } else if (w->conn.state == PG_OFF && !w->resting) {
        uv_timer_stop(&w->timer);
        pg_conn_open(&w->conn);
    }
}

/* Hands what waits to connections: those that are idle, else ones to be opened. The writer's is
 * always open, or about to be. */
static void store_feed(struct pg_store *s)
{
    size_t coming = 0;

    if (!list_empty(&s->saves))
        worker_wake(&s->workers[PG_SAVER]);
    if (!list_empty(&s->keeps))
        worker_wake(&s->workers[PG_KEEPER]);
    for (int i = PG_FIRST_READER; i < s->worker_count && s->reads_waiting > 0; i++) {
        struct pg_worker *w = &s->workers[i];
        if (w->conn.state == PG_READY)
            worker_wake(w);
        coming += w->conn.state == PG_CONNECTING;
    }
    for (int i = PG_FIRST_READER; i < s->worker_count && s->reads_waiting > coming; i++) {
        struct pg_worker *w = &s->workers[i];
        if (w->conn.state != PG_OFF || w->resting)
            continue;
        worker_wake(w);
        coming++;
    }
}

static void sweep_queue(struct pg_store *s, struct list *queue, uint64_t limit_ms,
                        const char *reason)
{
    struct list *it, *next;

    for (it = queue->next; it != queue; it = next) {
        struct pg_job *j = container_of(it, struct pg_job, link);
        next = it->next;
        if (clock_mono_ns() - j->since_ns < limit_ms * 1000000)
            continue;
        list_remove(it);
        s->reads_waiting -= queue == &s->reads;
        s->stats.failures++;
        job_finish(j, pg_refuse(j, ERR_UNAVAILABLE, "the database cannot be reached%s%s",
                                *reason ? ": " : "", reason));
    }
}

/* Whether a request has no connection yet. */
static bool store_is_waited_for(const struct pg_store *s)
{
    return !list_empty(&s->writes) || !list_empty(&s->saves) || !list_empty(&s->keeps) ||
           !list_empty(&s->reads);
}

static void store_swept(uv_timer_t *timer)
{
    struct pg_store *s = timer->data;

    sweep_queue(s, &s->writes, s->write_wait_ms, s->workers[PG_WRITER].conn.error.text);
    sweep_queue(s, &s->saves, s->write_wait_ms, s->workers[PG_SAVER].conn.error.text);
    sweep_queue(s, &s->keeps, s->write_wait_ms, s->workers[PG_KEEPER].conn.error.text);
    sweep_queue(s, &s->reads, s->read_wait_ms, s->workers[PG_FIRST_READER].conn.error.text);
    if (!store_is_waited_for(s))
        uv_timer_stop(timer);
    store_answer(s);
}

/* Runs only while somebody waits. */
static void store_sweep_start(struct pg_store *s)
{
    if (!uv_is_active((uv_handle_t *)&s->sweep) && store_is_waited_for(s))
        uv_timer_start(&s->sweep, store_swept, PG_SWEEP_MS, PG_SWEEP_MS);
}

/* Stored sessions in hundreds, a session of a hundred thousand events, vectors into their index:
 * tokens are not to wait for them. Whoever submits one does not count on what came before it, or
 * comes after. */
static bool store_op_is_aside(enum store_op op)
{
    switch (op) {
    case STORE_SESSION_SAVE:
    case STORE_SESSION_IMPORT:
    case STORE_MEMORY_PUT:
    case STORE_MEMORY_UPDATE:
    case STORE_MEMORY_AGE:
    case STORE_MEMORY_DELETE:
    case STORE_AUDIT_PUT:
    case STORE_AUDIT_PRUNE:
        return true;
    default:
        return false;
    }
}

static void store_submit_pg(struct store *base, struct store_req *req)
{
    struct pg_store *s = container_of(base, struct pg_store, base);
    struct pg_job *j = mem_zalloc(sizeof(*j));

    req->status = 0;
    j->req = req;
    j->store = s;
    j->since_ns = clock_mono_ns();
    list_init(&j->link);
    if (s->closing) {
        job_fail(j, ERR_CANCELLED, "the store is closing");
    } else if (req->op == STORE_RETENTION || store_op_is_aside(req->op)) {
        s->stats.writes++;
        list_append(req->op == STORE_RETENTION ? &s->keeps : &s->saves, &j->link);
        store_feed(s);
    } else if (store_op_is_write(req)) {
        s->stats.writes++;
        list_append(&s->writes, &j->link);
        if (!s->workers[PG_WRITER].job)
            worker_run(&s->workers[PG_WRITER]);
    } else if (s->reads_waiting >= PG_READS_MAX) {
        job_fail(j, ERR_OVERLOAD, "too many reads wait for the database");
    } else {
        s->stats.reads++;
        s->reads_waiting++;
        list_append(&s->reads, &j->link);
        store_feed(s);
    }
    store_sweep_start(s);
    if (!list_empty(&s->done))
        uv_async_send(&s->wake);
}

static void store_stats_pg(struct store *base, struct store_stats *out)
{
    *out = container_of(base, struct pg_store, base)->stats;
}

/* ---- closing ---- */

static void store_handle_closed(uv_handle_t *handle)
{
    struct pg_store *s = handle->data;

    if (--s->handles > 0)
        return;
    void (*closed)(void *data) = s->closed;
    void *data = s->closed_data;
    pg_commit_destroy(s->commit);
    pg_known_deinit(&s->known);
    pg_ring_deinit(&s->ring);
    free(s->workers);
    free(s->url);
    free(s);
    if (closed)
        closed(data);
}

static bool store_has_work(const struct pg_store *s)
{
    if (store_is_waited_for(s) || !list_empty(&s->done))
        return true;
    for (int i = 0; i < s->worker_count; i++)
        if (s->workers[i].job)
            return true;
    return false;
}

static void store_maybe_closed(struct pg_store *s)
{
    if (!s->closing || store_has_work(s) || uv_is_closing((uv_handle_t *)&s->wake))
        return;
    for (int i = 0; i < s->worker_count; i++) {
        pg_conn_close(&s->workers[i].conn);
        uv_close((uv_handle_t *)&s->workers[i].timer, store_handle_closed);
    }
    uv_close((uv_handle_t *)&s->sweep, store_handle_closed);
    uv_close((uv_handle_t *)&s->wake, store_handle_closed);
}

/* Writes that wait are written, reads that wait are cancelled. */
static void store_close_pg(struct store *base, void (*closed)(void *data), void *data)
{
    struct pg_store *s = container_of(base, struct pg_store, base);
    struct list *link;

    assert(!s->closing);
    s->closing = true;
    s->closed = closed;
    s->closed_data = data;
    while ((link = list_pop(&s->reads)) != NULL)
        job_fail(container_of(link, struct pg_job, link), ERR_CANCELLED, "the store is closing");
    s->reads_waiting = 0;
    uv_async_send(&s->wake);
}

/* ---- opening ---- */

static const struct store_vtable pg_vtable = {
    .name = "postgres",
    .shared = true,
    .submit = store_submit_pg,
    .stats = store_stats_pg,
    .close = store_close_pg,
};

static void worker_init(struct pg_store *s, struct pg_worker *w)
{
    w->store = s;
    w->conn = (struct pg_conn){.loop = s->loop,
                               .url = s->url,
                               .reader = worker_is_reader(w),
                               .answered = worker_answered,
                               .ready = worker_ready,
                               .lost = worker_lost,
                               .data = w};
    uv_timer_init(s->loop, &w->timer);
    w->timer.data = s;
    s->handles++;
}

static struct pg_store *store_create(uv_loop_t *loop, const char *url, int readers)
{
    struct pg_store *s = mem_zalloc(sizeof(*s));
    struct id_source random;

    if (readers <= 0)
        readers = PG_READERS_DEFAULT;
    s->base.v = &pg_vtable;
    s->loop = loop;
    s->url = mem_strdup(url);
    s->commit = pg_commit_create();
    pg_known_init(&s->known);
    pg_ring_init(&s->ring);
    s->write_wait_ms = PG_WRITE_WAIT_MS;
    s->read_wait_ms = PG_READ_WAIT_MS;
    list_init(&s->writes);
    list_init(&s->saves);
    list_init(&s->keeps);
    list_init(&s->reads);
    list_init(&s->done);
    uv_timer_init(loop, &s->sweep);
    uv_async_init(loop, &s->wake, store_woken);
    s->sweep.data = s->wake.data = s;
    s->handles = 2;
    s->worker_count = PG_FIRST_READER + (readers > PG_READERS_MAX ? PG_READERS_MAX : readers);
    s->workers = mem_calloc((size_t)s->worker_count, sizeof(*s->workers));
    for (int i = 0; i < s->worker_count; i++)
        worker_init(s, &s->workers[i]);
    id_source_init_random(&random);
    for (int i = 0; i < 2; i++) { /* of 31 bits: PostgreSQL shows them as unsigned */
        s->workers[PG_WRITER].conn.lock[i] = (int32_t)(id_source_random(&random) >> 33);
        s->workers[PG_SAVER].conn.lock[i] = (int32_t)(id_source_random(&random) >> 33);
    }
    return s;
}

int pg_store_open(struct store **out, struct uv_loop_s *loop, const char *url, int readers,
                  bool migrate, struct errbuf *e)
{
    PGconn *handle = NULL;

    int status = pg_connect_now(url, &handle, e);
    if (status < 0)
        return status;
    status = pg_migrate_handle(handle, migrate ? MIGRATE_NEWEST : MIGRATE_CHECK, NULL, NULL, e);
    if (status < 0) {
        PQfinish(handle);
        return status;
    }
    struct pg_store *s = store_create(loop, url, readers);
    pg_conn_take(&s->workers[PG_WRITER].conn, handle);
    *out = &s->base;
    return 0;
}
