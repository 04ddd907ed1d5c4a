/* Questions about a session's files. Answered from the store, as all questions. */
#include <stdlib.h>

#include "app/app.h"
#include "app/file_tools.h"
#include "base/diff.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "net/wire.h"

struct file_job {
    struct app *app;
    struct svc_req *req;
    union {
        struct store_req base;
        struct store_file_list list;
        struct store_file_get get;
        struct store_session_get session;
    } u;
    struct store_file_get to; /* of a diff */
};

static struct file_job *job_create(struct app *a, struct svc_req *req, enum store_op op,
                                   void (*done)(struct store_req *))
{
    struct file_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->u.base, op, done, job);
    return job;
}

static void job_destroy(struct file_job *job)
{
    store_req_deinit(&job->u.base);
    free(job);
}

/* ---- lists ---- */

static void list_answer(struct file_job *job, const struct file_row *rows, struct str next_cursor)
{
    struct svc_req *req = job->req;
    struct jw w;

    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (; rows; rows = rows->next)
        wire_file(&w, rows);
    jw_end(&w);
    if (next_cursor.p)
        jw_kv_string(&w, "next_cursor", next_cursor);
    else
        jw_kv_raw(&w, "next_cursor", STR("null"));
    jw_end(&w);
    app_done(req);
    job_destroy(job);
}

static void list_session_got(struct store_req *r)
{
    struct file_job *job = r->data;

    if (app_failed_store(job->req, r, "there is no such session"))
        job_destroy(job);
    else
        list_answer(job, NULL, STR_NULL);
}

static void files_listed(struct store_req *r)
{
    struct file_job *job = r->data;
    struct app *a = job->app;
    struct svc_req *req = job->req;

    if (app_failed_store(req, r, "")) {
        job_destroy(job);
    } else if (job->u.list.rows) {
        list_answer(job, job->u.list.rows, job->u.list.next_cursor);
    } else {
        job_destroy(job);
        job = job_create(a, req, STORE_SESSION_GET, list_session_got);
        job->u.session.workspace = req->workspace;
        job->u.session.id = req->session_id;
        store_submit(a->store, &job->u.base);
    }
}

static void files_list(struct app *a, struct svc_req *req)
{
    struct file_job *job = job_create(a, req, STORE_FILE_LIST, files_listed);
    job->u.list.session_id = req->session_id;
    job->u.list.path = req->file.path;
    job->u.list.cursor = req->list.cursor;
    job->u.list.limit = req->list.limit;
    store_submit(a->store, &job->u.base);
}

void svc_files(struct app *a, struct svc_req *req)
{
    files_list(a, req);
}

static bool path_is_missing(struct svc_req *req)
{
    if (req->file.path.p)
        return false;
    app_fail(req, ERR_INVALID, "path: missing");
    return true;
}

void svc_file_history(struct app *a, struct svc_req *req)
{
    if (!path_is_missing(req))
        files_list(a, req);
}

/* ---- contents ---- */

static void content_got(struct store_req *r)
{
    struct file_job *job = r->data;
    struct svc_req *req = job->req;
    struct jw w;

    if (!app_failed_store(req, r, "there is no such file")) {
        jw_init(&w, &req->body);
        jw_object(&w);
        jw_key(&w, "file");
        wire_file(&w, &job->u.get.row);
        file_content_write(&w, job->u.get.row.content);
        jw_end(&w);
        app_done(req);
    }
    job_destroy(job);
}

static void get_init(struct store_file_get *g, const struct svc_req *req, int64_t version)
{
    g->session_id = req->session_id;
    g->path = req->file.path;
    g->version = version;
}

void svc_file_content(struct app *a, struct svc_req *req)
{
    if (path_is_missing(req))
        return;
    struct file_job *job = job_create(a, req, STORE_FILE_GET, content_got);
    get_init(&job->u.get, req, req->version);
    store_submit(a->store, &job->u.base);
}

/* ---- what has changed ---- */

static void diff_answer(struct file_job *job, struct str from, int64_t from_version)
{
    const struct file_row *to = &job->to.row;
    struct svc_req *req = job->req;
    char names[2][64];

    snprintf(names[0], sizeof(names[0]), "version %lld", (long long)from_version);
    snprintf(names[1], sizeof(names[1]), "version %lld", (long long)to->version);
    if (!utf8_is_valid(from) || !utf8_is_valid(to->content)) {
        req->error_code = "not_text";
        app_fail(req, ERR_UNPROCESSABLE, "only texts are compared");
        return;
    }
    diff_unified(from, to->content, names[0], names[1], &req->body);
    req->content_type = "text/plain; charset=utf-8";
    app_done(req);
}

static void diff_from_got(struct store_req *r)
{
    struct file_job *job = r->data;

    if (!app_failed_store(job->req, r, "there is no such version"))
        diff_answer(job, job->u.get.row.content, job->u.get.row.version);
    store_req_deinit(&job->to.req);
    job_destroy(job);
}

static void diff_to_got(struct store_req *r)
{
    struct file_job *job = r->data;
    struct svc_req *req = job->req;
    int64_t from = req->file.from;

    if (app_failed_store(req, r, "there is no such file")) {
        store_req_deinit(r);
        job_destroy(job);
        return;
    }
    if (from == 0)
        from = job->to.row.version - 1;
    if (from == 0) { /* its first: all of it is new */
        diff_answer(job, STR(""), 0);
        store_req_deinit(r);
        job_destroy(job);
        return;
    }
    get_init(&job->u.get, req, from);
    store_submit(job->app->store, &job->u.base);
}

void svc_file_diff(struct app *a, struct svc_req *req)
{
    if (path_is_missing(req))
        return;
    struct file_job *job = job_create(a, req, STORE_FILE_GET, diff_from_got);
    store_req_init(&job->to.req, STORE_FILE_GET, diff_to_got, job);
    get_init(&job->to, req, req->file.to);
    store_submit(a->store, &job->to.req);
}
