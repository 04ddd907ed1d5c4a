/* The pool of worker threads that run scripts.
 *
 *     script_job_start ──> queue ──> worker ──> events ──> loop: on_log, on_done
 *                                      │ ^
 *                                 gate_wait() while the session is paused: not counted
 *
 * One mutex guards the queue, the events and the counters; a worker holds it for moments only.
 * Threads are started when a job finds none that is free, and end when there are more than the
 * pool's size (which happens when paused scripts go on). A thread's handle is joined on the loop.
 *
 * Time is measured from when a worker takes the job, less the time at the gate.
 */
#include "tools/script.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/expr.h"

#define SCRIPT_QUEUE_MAX     10000
#define SCRIPT_TIMEOUT_MS    60000
#define SCRIPT_MEMORY_MAX    (64u << 20)
#define SCRIPT_LOGS_MAX      256 /* lines not yet on the loop; a script waits at more */
#define SCRIPT_EVENTS_A_TURN 256
#define SCRIPT_STACK_BYTES   (2u << 20) /* Lua's compiler recurses; only touched pages cost */

struct script_task {
    struct script_job *job;
    struct script_pool *pool;
    struct gate *gate;
    atomic_bool abort;
    uint64_t started_ns, parked_ns, parked_at_ns; /* the worker's own */
    bool timed_out;
    /* Under the mutex */
    bool queued;
    struct list link; /* in the queue or among the running */
};

/* Something for the loop: a line of a log, or the end of a job. */
struct script_event {
    struct list link;
    struct script_task *task;
    const char *level; /* NULL: the end */
    char *text;
    size_t text_bytes;
};

struct script_thread {
    struct list link; /* among the ended ones */
    struct script_pool *pool;
    uv_thread_t id;
};

struct script_pool {
    uv_loop_t *loop;
    uv_async_t wake;
    unsigned threads, threads_cap;
    void (*closed)(void *data);
    void *closed_data;
    uv_mutex_t mutex;
    /* Under the mutex */
    uv_cond_t work;  /* for idle workers */
    uv_cond_t drain; /* for scripts with many lines under way */
    struct list queue, running, events, ended;
    unsigned queued, live, idle, parked, logs;
    bool closing;
};

static void script_thread_main(void *data);

/* ---- On workers ---- */

static void script_push(struct script_pool *p, struct script_event *ev)
{
    list_append(&p->events, &ev->link);
    uv_async_send(&p->wake);
}

static struct script_event *script_event_create(struct script_task *t)
{
    struct script_event *ev = mem_zalloc(sizeof *ev);
    ev->task = t;
    return ev;
}

static void script_log(void *data, const char *level, struct str text)
{
    struct script_task *t = data;
    struct script_pool *p = t->pool;
    struct script_event *ev = script_event_create(t);
    ev->level = level;
    ev->text = str_dup(text);
    ev->text_bytes = text.n;
    uv_mutex_lock(&p->mutex);
    while (p->logs >= SCRIPT_LOGS_MAX && !p->closing)
        uv_cond_wait(&p->drain, &p->mutex);
    p->logs++;
    script_push(p, ev);
    uv_mutex_unlock(&p->mutex);
}

/* Threads that run a script (or are about to) and are not at a gate. */
static unsigned script_busy(const struct script_pool *p)
{
    return p->live - p->parked - p->idle;
}

static bool script_spawn(struct script_pool *p)
{
    uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, SCRIPT_STACK_BYTES};
    struct script_thread *th = mem_zalloc(sizeof *th);
    th->pool = p;
    p->live++;
    /* With the mutex held: the thread takes it first, so its id is there before it can end. */
    if (uv_thread_create_ex(&th->id, &options, script_thread_main, th) == 0)
        return true;
    p->live--;
    free(th);
    return false;
}

/* Finds a thread for the queue, when there is one in it and room to run it. Called with the mutex
 * held; false: nobody is there and nobody could be started. */
static bool script_dispatch(struct script_pool *p)
{
    if (list_empty(&p->queue) || script_busy(p) >= p->threads)
        return true;
    if (p->idle > 0)
        uv_cond_signal(&p->work);
    else if (p->live < p->threads_cap)
        return script_spawn(p) || p->live > p->parked;
    return true;
}

static void script_parked(void *data)
{
    struct script_task *t = data;
    t->parked_at_ns = clock_mono_ns();
    uv_mutex_lock(&t->pool->mutex);
    t->pool->parked++;
    script_dispatch(t->pool);
    uv_mutex_unlock(&t->pool->mutex);
}

static void script_unparked(void *data)
{
    struct script_task *t = data;
    uv_mutex_lock(&t->pool->mutex);
    t->pool->parked--;
    uv_mutex_unlock(&t->pool->mutex);
    t->parked_ns += clock_mono_ns() - t->parked_at_ns;
}

static bool script_checkpoint(void *data)
{
    struct script_task *t = data;
    if (!gate_wait_or(t->gate, &t->abort, script_parked, script_unparked, t))
        return false;
    int64_t limit_ms = t->job->timeout_ms > 0 ? t->job->timeout_ms : SCRIPT_TIMEOUT_MS;
    uint64_t ran_ns = clock_mono_ns() - t->started_ns - t->parked_ns;
    t->timed_out = ran_ns / 1000000 >= (uint64_t)limit_ms;
    return !t->timed_out;
}

static void script_run(struct script_task *t)
{
    struct script_job *j = t->job;
    struct expr_script_env env = {
        .env = j->env,
        .memory_bytes_max = j->memory_bytes_max ? j->memory_bytes_max : SCRIPT_MEMORY_MAX,
        .checkpoint = script_checkpoint,
        .log = script_log,
        .data = t,
    };
    t->started_ns = clock_mono_ns();
    /* At the gate first: a job that waits there has no Lua state yet. */
    if (script_checkpoint(t))
        j->status = expr_run_script(j->code, &env, &j->output, &j->error);
    else
        j->status = ERR_CANCELLED;
    if (j->status == ERR_CANCELLED && t->timed_out)
        j->status = err_set(&j->error, ERR_TIMEOUT, "the script ran longer than %lld ms",
                            (long long)(j->timeout_ms > 0 ? j->timeout_ms : SCRIPT_TIMEOUT_MS));
    else if (j->status == ERR_CANCELLED)
        err_set(&j->error, ERR_CANCELLED, "the script was cancelled");
}

/* Waits for a job; NULL: the thread is to end. Called with the mutex held. */
static struct script_task *script_take(struct script_pool *p)
{
    /* The caller counts as busy itself. */
    while (list_empty(&p->queue) || script_busy(p) > p->threads) {
        if (p->closing || p->idle >= p->threads)
            return NULL;
        p->idle++;
        uv_cond_wait(&p->work, &p->mutex);
        p->idle--;
    }
    struct script_task *t = container_of(list_pop(&p->queue), struct script_task, link);
    t->queued = false;
    p->queued--;
    list_append(&p->running, &t->link);
    script_dispatch(p); /* one signal may have stood for two jobs */
    return t;
}

static void script_thread_main(void *data)
{
    struct script_thread *th = data;
    struct script_pool *p = th->pool;
    struct script_task *t;
    uv_mutex_lock(&p->mutex);
    while ((t = script_take(p))) {
        uv_mutex_unlock(&p->mutex);
        script_run(t);
        struct script_event *ev = script_event_create(t);
        uv_mutex_lock(&p->mutex);
        list_remove(&t->link);
        script_push(p, ev);
    }
    p->live--;
    list_append(&p->ended, &th->link);
    uv_async_send(&p->wake);
    uv_mutex_unlock(&p->mutex);
}

/* ---- On the loop ---- */

static void script_task_done(struct script_task *t)
{
    struct script_job *j = t->job;
    gate_unref(t->gate);
    free(t);
    j->impl = NULL;
    j->on_done(j);
}

static void script_event_run(struct script_pool *p, struct script_event *ev)
{
    struct script_task *t = ev->task;
    const char *level = ev->level;
    if (level) {
        uv_mutex_lock(&p->mutex);
        p->logs--;
        uv_cond_broadcast(&p->drain);
        uv_mutex_unlock(&p->mutex);
        if (t->job->on_log)
            t->job->on_log(t->job, level, (struct str){ev->text, ev->text_bytes});
    }
    free(ev->text);
    free(ev);
    if (!level)
        script_task_done(t);
}

static void script_wake_closed(uv_handle_t *handle)
{
    struct script_pool *p = handle->data;
    void (*closed)(void *) = p->closed;
    void *data = p->closed_data;
    uv_cond_destroy(&p->drain);
    uv_cond_destroy(&p->work);
    uv_mutex_destroy(&p->mutex);
    free(p);
    closed(data);
}

static void script_join(struct list *ended)
{
    struct list *l;
    while ((l = list_pop(ended))) {
        struct script_thread *th = container_of(l, struct script_thread, link);
        uv_thread_join(&th->id);
        free(th);
    }
}

/* A bounded number of events a turn; the rest in the next. */
static void script_woken(uv_async_t *wake)
{
    struct script_pool *p = wake->data;
    struct list events, ended, *l;
    list_init(&events);
    list_init(&ended);
    uv_mutex_lock(&p->mutex);
    for (int i = 0; i < SCRIPT_EVENTS_A_TURN && (l = list_pop(&p->events)); i++)
        list_append(&events, l);
    list_splice(&ended, &p->ended);
    uv_mutex_unlock(&p->mutex);
    script_join(&ended);
    while ((l = list_pop(&events)))
        script_event_run(p, container_of(l, struct script_event, link));
    uv_mutex_lock(&p->mutex);
    bool more = !list_empty(&p->events) || !list_empty(&p->ended);
    bool over = p->closing && !more && p->live == 0;
    uv_mutex_unlock(&p->mutex);
    if (more)
        uv_async_send(&p->wake);
    else if (over && !uv_is_closing((uv_handle_t *)&p->wake))
        uv_close((uv_handle_t *)&p->wake, script_wake_closed);
}

int script_pool_create(struct script_pool **out, struct uv_loop_s *loop, unsigned threads,
                       unsigned threads_cap)
{
    struct script_pool *p = mem_zalloc(sizeof *p);
    assert(threads > 0 && threads_cap >= threads);
    p->loop = loop;
    p->threads = threads;
    p->threads_cap = threads_cap;
    list_init(&p->queue);
    list_init(&p->running);
    list_init(&p->events);
    list_init(&p->ended);
    if (uv_mutex_init(&p->mutex) != 0 || uv_cond_init(&p->work) != 0 ||
        uv_cond_init(&p->drain) != 0)
        abort();
    if (uv_async_init(loop, &p->wake, script_woken) != 0) {
        uv_cond_destroy(&p->drain);
        uv_cond_destroy(&p->work);
        uv_mutex_destroy(&p->mutex);
        free(p);
        return ERR_IO;
    }
    p->wake.data = p;
    *out = p;
    return 0;
}

int script_job_start(struct script_pool *p, struct script_job *j)
{
    struct script_task *t = mem_zalloc(sizeof *t);
    t->job = j;
    t->pool = p;
    atomic_init(&t->abort, false);
    j->status = 0;
    j->error.text[0] = '\0';
    uv_mutex_lock(&p->mutex);
    if (p->closing || p->queued >= SCRIPT_QUEUE_MAX)
        goto refuse;
    list_append(&p->queue, &t->link);
    p->queued++;
    t->queued = true;
    if (!script_dispatch(p)) {
        list_remove(&t->link);
        p->queued--;
        goto refuse;
    }
    t->gate = gate_ref(j->gate);
    buf_init(&j->output, EXPR_OUTPUT_MAX);
    j->impl = t;
    uv_mutex_unlock(&p->mutex);
    return 0;
refuse:
    uv_mutex_unlock(&p->mutex);
    free(t);
    return ERR_OVERLOAD;
}

/* A job that no worker has taken ends without one. Called with the mutex held. */
static void script_drop(struct script_pool *p, struct script_task *t)
{
    list_remove(&t->link);
    t->queued = false;
    p->queued--;
    t->job->status = err_set(&t->job->error, ERR_CANCELLED, "the script was cancelled");
    script_push(p, script_event_create(t));
}

void script_job_abort(struct script_pool *p, struct script_job *j)
{
    struct script_task *t = j->impl;
    if (!t || atomic_exchange(&t->abort, true))
        return;
    uv_mutex_lock(&p->mutex);
    if (t->queued)
        script_drop(p, t);
    uv_mutex_unlock(&p->mutex);
    gate_kick(t->gate);
}

void script_pool_close(struct script_pool *p, void (*closed)(void *data), void *data)
{
    p->closed = closed;
    p->closed_data = data;
    uv_mutex_lock(&p->mutex);
    p->closing = true;
    while (!list_empty(&p->queue))
        script_drop(p, container_of(p->queue.next, struct script_task, link));
    list_foreach(it, &p->running)
    {
        struct script_task *t = container_of(it, struct script_task, link);
        atomic_store(&t->abort, true);
        gate_kick(t->gate);
    }
    uv_cond_broadcast(&p->work);
    uv_cond_broadcast(&p->drain);
    uv_async_send(&p->wake);
    uv_mutex_unlock(&p->mutex);
}
