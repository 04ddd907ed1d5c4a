/* The pool of worker threads.
 *
 *     worker_job_start ──> queue ──> thread ──> events ──> loop: on_text, on_log, on_save, on_done
 *                                     │ ^
 *                                gate_wait() while the session is paused: not counted
 *
 * One mutex guards the queue, the events and the counters; a thread holds it for moments only.
 * Threads are started when a job finds none that is free, and end when there are more than the
 * pool's size (which happens when paused jobs go on). A thread's handle is joined on the loop.
 *
 * Time is measured from when a thread takes the job, less the time at the gate.
 *
 * What runs on the thread touches the struct worker only, never the job: a job whose foreign code
 * does not come back ends before its thread does.
 */
#include "tools/worker.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define WORKER_EVENTS_A_TURN 256
#define WORKER_STACK_BYTES   (2u << 20) /* Lua's compiler recurses; only touched pages cost */
#define WORKER_WATCH_MS      500        /* how often foreign code is looked at */

struct worker {
    struct worker_job *job; /* the loop's; NULL: it was let go */
    struct worker_pool *pool;
    struct gate *gate;
    atomic_bool abort;
    /* Of the job, for the thread */
    char what[160];
    int (*run)(struct worker *w, void *work, struct buf *out, struct errbuf *e);
    void *work;
    void (*work_free)(void *work);
    int64_t timeout_ms;
    bool is_foreign;
    /* The thread's own, until its end is told */
    uint64_t started_ns, parked_at_ns;
    bool timed_out;
    int status;
    struct errbuf error;
    struct buf output;
    /* Under the mutex */
    uint64_t parked_ns, looked_ns; /* looked: at the gate, last; 0: no thread has it yet */
    bool queued, at_gate, blamed, let_go;
    struct list link; /* in the queue or among the running */
};

/* Something for the loop. */
enum worker_tale { TALE_LOG, TALE_TEXT, TALE_SAVE, TALE_END };

struct worker_event {
    struct list link;
    struct worker *worker;
    enum worker_tale tale;
    const char *level;
    bool is_thinking;
    char *text;
    size_t text_bytes;
};

struct worker_thread {
    struct list link; /* among the ended ones */
    struct worker_pool *pool;
    uv_thread_t id;
};

struct worker_pool {
    uv_async_t wake;
    uv_timer_t watch; /* runs while foreign code does, and while the pool closes */
    unsigned foreign; /* jobs of foreign code under way */
    uint64_t closing_ns;
    unsigned handles;
    unsigned threads, threads_cap;
    void (*closed)(void *data);
    void *closed_data;
    uv_mutex_t mutex;
    /* Under the mutex */
    uv_cond_t work;  /* for idle workers */
    uv_cond_t drain; /* for jobs that tell more than the loop takes */
    struct list queue, running, events, ended;
    unsigned queued, live, idle, parked, told, lost;
    bool closing;
};

static void worker_thread_main(void *data);

/* ---- On workers ---- */

static void worker_push(struct worker_pool *p, struct worker_event *ev)
{
    list_append(&p->events, &ev->link);
    uv_async_send(&p->wake);
}

static struct worker_event *worker_event_create(struct worker *w, enum worker_tale tale)
{
    struct worker_event *ev = mem_zalloc(sizeof *ev);
    ev->worker = w;
    ev->tale = tale;
    return ev;
}

static void worker_tell(struct worker *w, struct worker_event *ev, struct str text)
{
    struct worker_pool *p = w->pool;
    ev->text = str_dup(text);
    ev->text_bytes = text.n;
    uv_mutex_lock(&p->mutex);
    while (p->told >= WORKER_TOLD_MAX && !p->closing)
        uv_cond_wait(&p->drain, &p->mutex);
    p->told++;
    worker_push(p, ev);
    uv_mutex_unlock(&p->mutex);
}

void worker_log(struct worker *w, const char *level, struct str text)
{
    struct worker_event *ev = worker_event_create(w, TALE_LOG);
    ev->level = level;
    worker_tell(w, ev, text);
}

void worker_save(struct worker *w, struct str json)
{
    worker_tell(w, worker_event_create(w, TALE_SAVE), json);
}

bool worker_text(struct worker *w, struct str utf8, bool is_thinking)
{
    if (!worker_checkpoint(w))
        return false;
    struct worker_event *ev = worker_event_create(w, TALE_TEXT);
    ev->is_thinking = is_thinking;
    worker_tell(w, ev, utf8);
    return true;
}

/* Threads that run a job (or are about to), are not at a gate and not written off. */
static unsigned worker_busy(const struct worker_pool *p)
{
    return p->live - p->parked - p->idle - p->lost;
}

static bool worker_spawn(struct worker_pool *p)
{
    uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, WORKER_STACK_BYTES};
    struct worker_thread *th = mem_zalloc(sizeof *th);
    th->pool = p;
    p->live++;
    /* With the mutex held: the thread takes it first, so its id is there before it can end. */
    if (uv_thread_create_ex(&th->id, &options, worker_thread_main, th) == 0)
        return true;
    p->live--;
    free(th);
    return false;
}

/* Finds a thread for the queue, when there is one in it and room to run it. Called with the mutex
 * held; false: nobody is there and nobody could be started. */
static bool worker_dispatch(struct worker_pool *p)
{
    if (list_empty(&p->queue) || worker_busy(p) >= p->threads)
        return true;
    if (p->idle > 0)
        uv_cond_signal(&p->work);
    else if (p->live < p->threads_cap)
        return worker_spawn(p) || p->live > p->parked + p->lost;
    return true;
}

static void worker_parked(void *data)
{
    struct worker *w = data;
    w->parked_at_ns = clock_mono_ns();
    uv_mutex_lock(&w->pool->mutex);
    w->at_gate = true;
    if (!w->let_go)
        w->pool->parked++;
    worker_dispatch(w->pool);
    uv_mutex_unlock(&w->pool->mutex);
}

static void worker_unparked(void *data)
{
    struct worker *w = data;
    uv_mutex_lock(&w->pool->mutex);
    w->at_gate = false;
    if (!w->let_go)
        w->pool->parked--;
    w->parked_ns += clock_mono_ns() - w->parked_at_ns;
    uv_mutex_unlock(&w->pool->mutex);
}

static uint64_t worker_ran_ms(const struct worker *w)
{
    return (clock_mono_ns() - w->started_ns - w->parked_ns) / 1000000;
}

/* Only foreign code is watched: the others look all the time, and pay for no lock. */
static void worker_looked(struct worker *w)
{
    if (!w->is_foreign)
        return;
    uv_mutex_lock(&w->pool->mutex);
    w->looked_ns = clock_mono_ns();
    uv_mutex_unlock(&w->pool->mutex);
}

bool worker_checkpoint(struct worker *w)
{
    if (!gate_wait_or(w->gate, &w->abort, worker_parked, worker_unparked, w))
        return false;
    worker_looked(w);
    w->timed_out = worker_ran_ms(w) >= (uint64_t)w->timeout_ms;
    return !w->timed_out;
}

static void worker_run(struct worker *w)
{
    uv_mutex_lock(&w->pool->mutex);
    w->started_ns = w->looked_ns = clock_mono_ns();
    uv_mutex_unlock(&w->pool->mutex);
    /* At the gate first: a job that waits there has taken nothing yet. */
    w->status = ERR_CANCELLED;
    if (worker_checkpoint(w))
        w->status = w->run(w, w->work, &w->output, &w->error);
    if (w->status == ERR_CANCELLED && w->timed_out)
        w->status = err_set(&w->error, ERR_TIMEOUT, "%s ran longer than %lld ms", w->what,
                            (long long)w->timeout_ms);
    else if (w->status == ERR_CANCELLED)
        err_set(&w->error, ERR_CANCELLED, "%s was cancelled", w->what);
}

/* Waits for a job; NULL: the thread is to end. Called with the mutex held. */
static struct worker *worker_take(struct worker_pool *p)
{
    /* The caller counts as busy itself. */
    while (list_empty(&p->queue) || worker_busy(p) > p->threads) {
        if (p->closing || p->idle >= p->threads)
            return NULL;
        p->idle++;
        uv_cond_wait(&p->work, &p->mutex);
        p->idle--;
    }
    struct worker *t = container_of(list_pop(&p->queue), struct worker, link);
    t->queued = false;
    p->queued--;
    list_append(&p->running, &t->link);
    worker_dispatch(p); /* one signal may have stood for two jobs */
    return t;
}

static void worker_thread_main(void *data)
{
    struct worker_thread *th = data;
    struct worker_pool *p = th->pool;
    struct worker *w;
    uv_mutex_lock(&p->mutex);
    while ((w = worker_take(p))) {
        uv_mutex_unlock(&p->mutex);
        worker_run(w);
        struct worker_event *ev = worker_event_create(w, TALE_END);
        uv_mutex_lock(&p->mutex);
        list_remove(&w->link);
        p->lost -= w->let_go;
        worker_push(p, ev);
    }
    p->live--;
    list_append(&p->ended, &th->link);
    uv_async_send(&p->wake);
    uv_mutex_unlock(&p->mutex);
}

/* ---- On the loop ---- */

static void worker_free(struct worker *w)
{
    gate_unref(w->gate);
    buf_deinit(&w->output);
    if (w->work_free)
        w->work_free(w->work);
    free(w);
}

static void worker_job_end(struct worker *w, int status, const struct errbuf *error)
{
    struct worker_job *j = w->job;
    w->job = NULL;
    j->impl = NULL;
    j->status = status;
    j->error = *error;
    w->pool->foreign -= w->is_foreign;
    j->on_done(j);
}

static void worker_ended(struct worker *w)
{
    if (w->job) {
        w->job->output = w->output;
        memset(&w->output, 0, sizeof(w->output));
        worker_job_end(w, w->status, &w->error);
    } else {
        log_info("worker", "%s has come back after all; its result is not wanted any more",
                 w->what);
    }
    worker_free(w);
}

static void worker_told(struct worker_pool *p, const struct worker_event *ev)
{
    struct worker_job *j = ev->worker->job;
    struct str text = {ev->text, ev->text_bytes};
    uv_mutex_lock(&p->mutex);
    p->told--;
    uv_cond_broadcast(&p->drain);
    uv_mutex_unlock(&p->mutex);
    if (!j)
        return;
    if (ev->tale == TALE_LOG && j->on_log)
        j->on_log(j, ev->level, text);
    if (ev->tale == TALE_TEXT && j->on_text)
        j->on_text(j, text, ev->is_thinking);
    if (ev->tale == TALE_SAVE && j->on_save)
        j->on_save(j, text);
}

static void worker_event_run(struct worker_pool *p, struct worker_event *ev)
{
    if (ev->tale == TALE_END)
        worker_ended(ev->worker);
    else
        worker_told(p, ev);
    free(ev->text);
    free(ev);
}

/* ---- foreign code that does not look ---- */

/* Its time is over and it does not come back: the job ends without it. */
static void worker_let_go(struct worker *w)
{
    struct errbuf e = {{0}};
    err_set(&e, ERR_TIMEOUT,
            "%s ran longer than %lld ms and does not look at its gate: its thread is written off",
            w->what, (long long)w->timeout_ms);
    log_error("worker", "%s", e.text);
    buf_init(&w->job->output, 1);
    worker_job_end(w, ERR_TIMEOUT, &e);
}

static void worker_blame(struct worker *w, uint64_t silent_ms)
{
    struct errbuf e = {{0}};
    err_set(&e, ERR_TIMEOUT,
            "%s has not looked at its gate for %llu ms: it can neither be paused nor cancelled",
            w->what, (unsigned long long)silent_ms);
    log_warn("worker", "%s", e.text);
    if (w->job && w->job->on_log)
        w->job->on_log(w->job, "warn", str_of(e.text));
}

struct worker_verdict {
    struct worker *worker;
    uint64_t silent_ms;
    bool over;
};

/* One at a time: what is called may start and end jobs. */
static bool worker_judge(struct worker_pool *p, struct worker_verdict *v)
{
    bool found = false;
    uint64_t now = clock_mono_ns();
    uv_mutex_lock(&p->mutex);
    list_foreach(it, &p->running)
    {
        struct worker *w = container_of(it, struct worker, link);
        if (!w->is_foreign || w->at_gate || w->let_go || !w->looked_ns)
            continue;
        v->worker = w;
        v->silent_ms = (now - w->looked_ns) / 1000000;
        v->over = worker_ran_ms(w) > (uint64_t)w->timeout_ms + WORKER_WATCH_MS &&
                  v->silent_ms > WORKER_WATCH_MS;
        found = v->over || (!w->blamed && v->silent_ms > WORKER_SILENT_MS);
        if (!found)
            continue;
        w->blamed = true;
        w->let_go = v->over;
        p->lost += v->over;
        worker_dispatch(p); /* somebody else may have the place */
        break;
    }
    uv_mutex_unlock(&p->mutex);
    return found;
}

static void worker_close_handles(struct worker_pool *p);

/* Threads that will not come back do not keep the process from ending. */
static void worker_close_late(struct worker_pool *p)
{
    if ((clock_mono_ns() - p->closing_ns) / 1000000 < WORKER_CLOSE_MS)
        return;
    uv_mutex_lock(&p->mutex);
    list_foreach(it, &p->running) log_error("worker", "%s does not end; the server ends without it",
                                            container_of(it, struct worker, link)->what);
    uv_mutex_unlock(&p->mutex);
    worker_close_handles(p);
}

static void worker_watch(uv_timer_t *timer)
{
    struct worker_pool *p = timer->data;
    struct worker_verdict v;
    while (worker_judge(p, &v)) {
        if (!v.worker->job)
            continue;
        if (v.over)
            worker_let_go(v.worker);
        else
            worker_blame(v.worker, v.silent_ms);
    }
    if (p->closing)
        worker_close_late(p);
    else if (!p->foreign)
        uv_timer_stop(timer);
}

/* ---- life ---- */

static void worker_handle_closed(uv_handle_t *handle)
{
    struct worker_pool *p = handle->data;
    void (*closed)(void *) = p->closed;
    void *data = p->closed_data;
    if (--p->handles > 0)
        return;
    if (p->live == 0) { /* else a thread still uses it, until the process ends */
        uv_cond_destroy(&p->drain);
        uv_cond_destroy(&p->work);
        uv_mutex_destroy(&p->mutex);
        free(p);
    }
    closed(data);
}

static void worker_close_handles(struct worker_pool *p)
{
    if (uv_is_closing((uv_handle_t *)&p->wake))
        return;
    p->handles = 2;
    uv_close((uv_handle_t *)&p->wake, worker_handle_closed);
    uv_close((uv_handle_t *)&p->watch, worker_handle_closed);
}

static void worker_join(struct list *ended)
{
    struct list *l;
    while ((l = list_pop(ended))) {
        struct worker_thread *th = container_of(l, struct worker_thread, link);
        uv_thread_join(&th->id);
        free(th);
    }
}

/* A bounded number of events a turn; the rest in the next. */
static void worker_woken(uv_async_t *wake)
{
    struct worker_pool *p = wake->data;
    struct list events, ended, *l;
    list_init(&events);
    list_init(&ended);
    uv_mutex_lock(&p->mutex);
    for (int i = 0; i < WORKER_EVENTS_A_TURN && (l = list_pop(&p->events)); i++)
        list_append(&events, l);
    list_splice(&ended, &p->ended);
    uv_mutex_unlock(&p->mutex);
    worker_join(&ended);
    while ((l = list_pop(&events)))
        worker_event_run(p, container_of(l, struct worker_event, link));
    uv_mutex_lock(&p->mutex);
    bool more = !list_empty(&p->events) || !list_empty(&p->ended);
    bool over = p->closing && !more && p->live == 0;
    uv_mutex_unlock(&p->mutex);
    if (more)
        uv_async_send(&p->wake);
    else if (over)
        worker_close_handles(p);
}

int worker_pool_create(struct worker_pool **out, struct uv_loop_s *loop, unsigned threads,
                       unsigned threads_cap)
{
    struct worker_pool *p = mem_zalloc(sizeof *p);
    assert(threads > 0 && threads_cap >= threads);
    p->threads = threads;
    p->threads_cap = threads_cap;
    list_init(&p->queue);
    list_init(&p->running);
    list_init(&p->events);
    list_init(&p->ended);
    if (uv_mutex_init(&p->mutex) != 0 || uv_cond_init(&p->work) != 0 ||
        uv_cond_init(&p->drain) != 0)
        abort();
    if (uv_async_init(loop, &p->wake, worker_woken) != 0) {
        uv_cond_destroy(&p->drain);
        uv_cond_destroy(&p->work);
        uv_mutex_destroy(&p->mutex);
        free(p);
        return ERR_IO;
    }
    uv_timer_init(loop, &p->watch);
    p->wake.data = p->watch.data = p;
    *out = p;
    return 0;
}

static struct worker *worker_create(struct worker_pool *p, struct worker_job *j)
{
    struct worker *w = mem_zalloc(sizeof *w);
    w->job = j;
    w->pool = p;
    atomic_init(&w->abort, false);
    snprintf(w->what, sizeof(w->what), "%s", j->what);
    w->run = j->run;
    w->work = j->work;
    w->work_free = j->work_free;
    w->timeout_ms = j->timeout_ms > 0 ? j->timeout_ms : WORKER_TIMEOUT_MS;
    w->is_foreign = j->is_foreign;
    w->gate = gate_ref(j->gate);
    buf_init(&w->output, WORKER_OUTPUT_MAX);
    j->status = 0;
    j->error.text[0] = '\0';
    return w;
}

int worker_job_start(struct worker_pool *p, struct worker_job *j)
{
    struct worker *w = worker_create(p, j);
    uv_mutex_lock(&p->mutex);
    if (p->closing || p->queued >= WORKER_QUEUE_MAX)
        goto refuse;
    list_append(&p->queue, &w->link);
    p->queued++;
    w->queued = true;
    if (!worker_dispatch(p)) {
        list_remove(&w->link);
        p->queued--;
        goto refuse;
    }
    j->impl = w;
    uv_mutex_unlock(&p->mutex);
    p->foreign += w->is_foreign;
    if (p->foreign && !uv_is_active((uv_handle_t *)&p->watch))
        uv_timer_start(&p->watch, worker_watch, WORKER_WATCH_MS, WORKER_WATCH_MS);
    return 0;
refuse:
    uv_mutex_unlock(&p->mutex);
    w->work_free = NULL;
    worker_free(w);
    return ERR_OVERLOAD;
}

/* A job that no thread has taken ends without one. Called with the mutex held. */
static void worker_drop(struct worker_pool *p, struct worker *w)
{
    list_remove(&w->link);
    w->queued = false;
    p->queued--;
    w->status = err_set(&w->error, ERR_CANCELLED, "%s was cancelled", w->what);
    worker_push(p, worker_event_create(w, TALE_END));
}

void worker_job_abort(struct worker_pool *p, struct worker_job *j)
{
    struct worker *w = j->impl;
    if (!w || atomic_exchange(&w->abort, true))
        return;
    uv_mutex_lock(&p->mutex);
    if (w->queued)
        worker_drop(p, w);
    uv_mutex_unlock(&p->mutex);
    gate_kick(w->gate);
}

void worker_pool_close(struct worker_pool *p, void (*closed)(void *data), void *data)
{
    p->closed = closed;
    p->closed_data = data;
    p->closing_ns = clock_mono_ns();
    uv_timer_start(&p->watch, worker_watch, WORKER_WATCH_MS, WORKER_WATCH_MS);
    uv_mutex_lock(&p->mutex);
    p->closing = true;
    while (!list_empty(&p->queue))
        worker_drop(p, container_of(p->queue.next, struct worker, link));
    list_foreach(it, &p->running)
    {
        struct worker *w = container_of(it, struct worker, link);
        atomic_store(&w->abort, true);
        gate_kick(w->gate);
    }
    uv_cond_broadcast(&p->work);
    uv_cond_broadcast(&p->drain);
    uv_async_send(&p->wake);
    uv_mutex_unlock(&p->mutex);
}
