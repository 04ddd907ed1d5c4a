/* A session out of this server, and into it, as one file (portable.h).
 *
 *     export   STORE_SESSION_EXPORT ──> written by a thread ──> answered
 *     import   read and checked by a thread ──> its workflow parsed, its state restored, and paused
 *              if something ran ──> STORE_SESSION_IMPORT, with that pause ──> answered
 *
 * What runs in one copy must not begin by itself in the other: an imported session that had running
 * work comes in paused, in the very transaction that makes it. One that only waits for people or
 * for a time waits on, by the times that it came with.
 */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/portable.h"
#include "base/clock.h"
#include "base/mem.h"

struct portable_job {
    struct app *app;
    struct svc_req *req;
    uv_work_t work;
    struct store_session_export out;
    struct store_session_import in;
    struct session_whole whole;
    struct arena arena;        /* of an import's rows */
    struct portable_live live; /* of an import that was live */
    int status;
    struct errbuf error;
};

static struct portable_job *job_create(struct app *a, struct svc_req *req)
{
    struct portable_job *job = mem_zalloc(sizeof(*job));

    job->app = a;
    job->req = req;
    job->work.data = job;
    arena_init(&job->arena);
    return job;
}

static void job_destroy(struct portable_job *job)
{
    portable_live_deinit(&job->live);
    store_req_deinit(&job->out.req);
    store_req_deinit(&job->in.req);
    arena_deinit(&job->arena);
    free(job);
}

/* Answers, and the job is over. */
static void job_fail(struct portable_job *job, int status, const char *text)
{
    struct svc_req *req = job->req;

    buf_clear(&req->body);
    app_fail(req, status, "%s", text);
    job_destroy(job);
}

static void job_queue(struct portable_job *job, uv_work_cb work, uv_after_work_cb after)
{
    int rc = uv_queue_work(&job->app->loop, &job->work, work, after);

    if (rc)
        job_fail(job, ERR_OVERLOAD, uv_strerror(rc));
}

/* ---- out ---- */

static void export_work(uv_work_t *work)
{
    struct portable_job *job = work->data;

    job->status = portable_write(&job->out.whole, &job->req->body, &job->error);
}

static void export_written(uv_work_t *work, int status)
{
    struct portable_job *job = work->data;

    if (status || job->status) {
        job_fail(job, status ? ERR_CANCELLED : job->status, job->error.text);
        return;
    }
    job->req->content_type = "application/x-ndjson";
    app_done(job->req);
    job_destroy(job);
}

static void export_read(struct store_req *r)
{
    struct portable_job *job = r->data;

    if (app_failed_store(job->req, r, "there is no such session"))
        job_destroy(job);
    else
        job_queue(job, export_work, export_written);
}

void svc_session_export(struct app *a, struct svc_req *req)
{
    struct portable_job *job = job_create(a, req);
    struct store_session_export *x = &job->out;

    store_req_init(&x->req, STORE_SESSION_EXPORT, export_read, job);
    x->load.id = req->session_id;
    x->workspace = req->workspace;
    x->bytes_max = PORTABLE_BYTES_MAX;
    store_submit(a->store, &x->req);
}

/* ---- in ---- */

/* Timers that ran on in its file are due here, too. */
static void import_note_timers(struct portable_job *job)
{
    for (const struct timer_row *t = job->whole.timers; t; t = t->next)
        recovery_note_timer(&job->app->recovery, t->due_at);
}

static void import_stored(struct store_req *r)
{
    struct portable_job *job = r->data;

    if (app_failed_store(job->req, r, "")) {
        job_destroy(job);
        return;
    }
    import_note_timers(job);
    app_done(job->req);
    job_destroy(job);
}

static void import_submit(struct portable_job *job)
{
    struct svc_req *req = job->req;
    char id[ID_TEXT_BYTES + 1];

    id_format(job->whole.row.id, id);
    buf_printf(&req->body, "{\"session_id\":\"%s\",\"status\":", id);
    json_write_string(&req->body, job->whole.row.core.status);
    buf_append_char(&req->body, '}');
    req->http_status = 201;
    store_req_init(&job->in.req, STORE_SESSION_IMPORT, import_stored, job);
    job->in.workspace = req->workspace;
    job->in.whole = &job->whole;
    job->in.idempotency = idempotency_row_of(req, &req->arena);
    job->in.now_ms = clock_wall_ms();
    store_submit(job->app->store, &job->in.req);
}

static void import_work(uv_work_t *work)
{
    struct portable_job *job = work->data;

    job->status = portable_read(job->req->portable.text, &job->arena, &job->whole, &job->error);
    if (job->status == 0)
        job->status = portable_check(&job->whole, &job->error);
}

static void import_was_read(uv_work_t *work, int status)
{
    struct portable_job *job = work->data;
    const struct session_row *row = &job->whole.row;
    struct app *a = job->app;
    struct errbuf e = {""};
    int rc = 0;

    if (status || job->status) {
        job_fail(job, status ? ERR_CANCELLED : job->status, job->error.text);
        return;
    }
    if (!row->meta.stored_only && !row->core.ended_at)
        rc = portable_take_up(&job->live, &job->whole, &job->arena, a->vm, &a->ids, &a->rules, &e);
    if (rc)
        job_fail(job, rc, e.text);
    else
        import_submit(job);
}

void svc_session_import(struct app *a, struct svc_req *req)
{
    job_queue(job_create(a, req), import_work, import_was_read);
}
