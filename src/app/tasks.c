#include "app/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/json.h"
#include "base/mem.h"

/* ---- leases, and waiting for one ---- */

struct poll {
    struct list link; /* of polls or asking */
    struct app *app;
    struct svc_req *req;
    uint64_t deadline; /* uv_now() */
    bool waits;        /* in polls */
    bool again;        /* something may have come since the store was asked */
    bool is_gone;      /* the client: whoever comes next */
    struct store_task_lease lease;
};

static void poll_ask(struct poll *p);
static void tasks_look(uv_timer_t *timer);

static void task_write(struct jw *w, const struct task_row *t)
{
    char id[ID_TEXT_BYTES + 1], session[ID_TEXT_BYTES + 1];
    struct json envelope = json_root(t->input_json);

    id_format(t->task_id, id);
    id_format(t->session_id, session);
    jw_object(w);
    jw_kv_stringz(w, "id", id);
    jw_kv_string(w, "queue", t->queue);
    jw_kv_raw(w, "key", json_raw(json_get(envelope, "key")));
    jw_kv_raw(w, "input", json_raw(json_get(envelope, "input")));
    jw_kv_stringz(w, "session_id", session);
    jw_kv_string(w, "node_id", t->node_id);
    jw_kv_i64(w, "attempt", t->attempt);
    jw_kv_i64(w, "heartbeat_ms", t->heartbeat_ms);
    jw_kv_time(w, "lease_expires_at", t->lease_expires_at);
    jw_end(w);
}

/* The last thing that is done with it. */
static void poll_answer(struct poll *p, const struct task_row *rows)
{
    struct svc_req *req = p->req;
    struct jw w;

    req->gone = NULL;
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (; rows; rows = rows->next)
        task_write(&w, rows);
    jw_end(&w);
    jw_end(&w);
    store_req_deinit(&p->lease.req);
    list_remove(&p->link);
    p->app->tasks.count--;
    free(p);
    app_done(req);
}

static void poll_wait(struct poll *p)
{
    struct tasks *t = &p->app->tasks;
    uint64_t now = uv_now(&p->app->loop);

    if (p->is_gone || p->app->stopping || now >= p->deadline) {
        poll_answer(p, NULL);
        return;
    }
    if (p->again) {
        poll_ask(p);
        return;
    }
    list_remove(&p->link);
    list_append(&t->polls, &p->link);
    p->waits = true;
    if (!uv_is_active((uv_handle_t *)&t->timer))
        uv_timer_start(&t->timer, tasks_look, TASKS_LOOK_MS, TASKS_LOOK_MS);
}

static struct poll *poll_find(const struct list *polls, struct str queue)
{
    list_foreach(it, polls)
    {
        struct poll *p = container_of(it, struct poll, link);
        if (str_eq(p->req->task.queue, queue))
            return p;
    }
    return NULL;
}

/* There may be work in the queue: who has waited longest looks, and is followed by the next one
 * when there was some. */
static void tasks_wake(struct tasks *t, struct str queue)
{
    struct poll *p = poll_find(&t->polls, queue);

    if (p) {
        poll_ask(p);
        return;
    }
    p = poll_find(&t->asking, queue);
    if (p)
        p->again = true;
}

static void poll_asked(struct store_req *r)
{
    struct poll *p = r->data;
    struct svc_req *req = p->req;
    struct tasks *t = &p->app->tasks;

    if (r->status < 0) {
        struct errbuf e = r->error;
        int status = r->status == ERR_IO ? ERR_UNAVAILABLE : r->status;
        req->gone = NULL;
        store_req_deinit(r);
        list_remove(&p->link);
        t->count--;
        free(p);
        app_fail(req, status, "%s", e.text);
    } else if (p->lease.rows) {
        struct poll *next = poll_find(&t->polls, req->task.queue);
        if (next)
            poll_ask(next);
        poll_answer(p, p->lease.rows);
    } else {
        store_req_deinit(r);
        memset(&p->lease, 0, sizeof(p->lease));
        poll_wait(p);
    }
}

static void poll_ask(struct poll *p)
{
    list_remove(&p->link);
    list_append(&p->app->tasks.asking, &p->link);
    p->again = p->waits = false;
    store_req_init(&p->lease.req, STORE_TASK_LEASE, poll_asked, p);
    p->lease.workspace = p->req->workspace;
    p->lease.queue = p->req->task.queue;
    p->lease.worker = p->req->task.worker;
    p->lease.max = p->req->task.max > 0 ? (int)p->req->task.max : 1;
    store_submit(p->app->store, &p->lease.req);
}

static void poll_gone(struct svc_req *req)
{
    struct poll *p = req->gone_data;

    p->is_gone = true;
    if (p->waits)
        poll_answer(p, NULL); /* it waited: nothing is leased to nobody */
}

void svc_task_lease(struct app *a, struct svc_req *req)
{
    struct poll *p = mem_zalloc(sizeof(*p));
    int64_t wait_ms = a->tasks.count < TASKS_POLLS_MAX ? req->task.wait_ms : 0;

    list_init(&p->link);
    p->app = a;
    p->req = req;
    p->deadline = uv_now(&a->loop) + (uint64_t)wait_ms;
    req->gone = poll_gone;
    req->gone_data = p;
    a->tasks.count++;
    poll_ask(p);
}

void tasks_committed(struct tasks *t, const struct task_row *rows)
{
    if (list_empty(&t->polls) && list_empty(&t->asking))
        return;
    for (; rows; rows = rows->next)
        tasks_wake(t, rows->queue);
}

/* Those whose time is over are answered; of each queue one looks: a lease may be over, a session
 * resumed, or another instance has made a task. */
static void tasks_look(uv_timer_t *timer)
{
    struct tasks *t = timer->data;
    uint64_t now = uv_now(timer->loop);
    struct list waiting, *it;

    if (list_empty(&t->polls))
        uv_timer_stop(timer);
    list_init(&waiting);
    list_splice(&waiting, &t->polls);
    while ((it = list_pop(&waiting)) != NULL) {
        struct poll *p = container_of(it, struct poll, link);
        bool looked = poll_find(&t->asking, p->req->task.queue) != NULL;
        if (now >= p->deadline)
            poll_answer(p, NULL);
        else if (looked)
            list_append(&t->polls, &p->link);
        else
            poll_ask(p);
    }
}

void tasks_init(struct tasks *t, struct app *a)
{
    t->app = a;
    list_init(&t->polls);
    list_init(&t->asking);
    uv_timer_init(&a->loop, &t->timer);
    t->timer.data = t;
}

void tasks_stop(struct tasks *t)
{
    while (!list_empty(&t->polls))
        poll_answer(container_of(t->polls.next, struct poll, link), NULL);
    uv_timer_stop(&t->timer);
}

void tasks_close(struct tasks *t)
{
    uv_close((uv_handle_t *)&t->timer, NULL);
}

/* ---- what the worker says ---- */

/* The task as the store has it, then what is to be done with it. */
struct task_job {
    struct app *app;
    struct svc_req *req;
    union {
        struct store_task_get get;
        struct store_task_heartbeat beat;
    } u;
};

static bool task_job_failed(struct task_job *job, struct store_req *r)
{
    if (r->status == ERR_STALE)
        job->req->error_code = "lease_lost";
    if (r->status == ERR_STALE)
        app_fail(job->req, ERR_CONFLICT, "%s; stop working on it", r->error.text);
    else if (!app_failed_store(job->req, r,
                               "there is no such task: its run is over; stop working on it"))
        return false;
    store_req_deinit(r);
    free(job);
    return true;
}

static void task_found(struct store_req *r)
{
    struct task_job *job = r->data;
    struct app *a = job->app;
    struct svc_req *req = job->req;
    const struct task_row *row = &job->u.get.row;
    bool leased;

    if (task_job_failed(job, r))
        return;
    leased = str_eqz(row->status, "leased") &&
             (req->task.attempt == 0 || req->task.attempt == row->attempt);
    req->session_id = row->session_id;
    store_req_deinit(r);
    free(job);
    if (leased) {
        svc_command(a, req);
        return;
    }
    req->error_code = "lease_lost";
    app_fail(req, ERR_CONFLICT, "the task is not leased to this worker any more; stop working");
}

static void task_find(struct app *a, struct svc_req *req)
{
    struct task_job *job = mem_zalloc(sizeof(*job));

    job->app = a;
    job->req = req;
    store_req_init(&job->u.get.req, STORE_TASK_GET, task_found, job);
    job->u.get.task_id = req->task.id;
    store_submit(a->store, &job->u.get.req);
}

void svc_task_end(struct app *a, struct svc_req *req)
{
    task_find(a, req);
}

static void task_beat_done(struct store_req *r)
{
    struct task_job *job = r->data;
    struct app *a = job->app;
    struct svc_req *req = job->req;
    struct jw w;

    if (task_job_failed(job, r))
        return;
    req->task.lease_expires_at = job->u.beat.lease_expires_at;
    store_req_deinit(r);
    free(job);
    if (req->task.text.n > 0) { /* a line for the session */
        task_find(a, req);
        return;
    }
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_kv_time(&w, "lease_expires_at", req->task.lease_expires_at);
    jw_end(&w);
    app_done(req);
}

void svc_task_heartbeat(struct app *a, struct svc_req *req)
{
    struct task_job *job = mem_zalloc(sizeof(*job));

    job->app = a;
    job->req = req;
    store_req_init(&job->u.beat.req, STORE_TASK_HEARTBEAT, task_beat_done, job);
    job->u.beat.task_id = req->task.id;
    job->u.beat.attempt = req->task.attempt;
    store_submit(a->store, &job->u.beat.req);
}
