/* The session that somebody works on when they name none: one fact for each user, kept here, so
 * that every program of theirs means the same one. */
#include <stdlib.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/wire.h"

struct current_job {
    struct app *app;
    struct svc_req *req;
    struct store_active_get get;
    struct store_active_put put;
    struct store_session_get session;
};

/* Who it is about: whoever is known, else who they say they are. */
static struct str current_user(const struct svc_req *req)
{
    if (req->who.kind == PRINCIPAL_KEY || req->who.kind == PRINCIPAL_TOKEN)
        return req->actor;
    return req->current.user_id.n ? req->current.user_id : STR("default");
}

static void current_end(struct current_job *job)
{
    store_req_deinit(&job->get.req);
    store_req_deinit(&job->put.req);
    store_req_deinit(&job->session.req);
    free(job);
}

static void current_write(struct current_job *job, struct id id, const struct session_row *row)
{
    char text[ID_TEXT_BYTES + 1];
    struct jw w;
    id_format(id, text);
    jw_init(&w, &job->req->body);
    jw_object(&w);
    jw_kv_string(&w, "user_id", current_user(job->req));
    jw_kv_stringz(&w, "session_id", row ? text : NULL);
    jw_key(&w, "session");
    if (row)
        wire_session(&w, row);
    else
        jw_null(&w);
    jw_end(&w);
    app_done(job->req);
}

static void current_put(struct current_job *job)
{
    job->put.workspace = job->req->workspace;
    job->put.user_id = current_user(job->req);
    job->put.session_id = job->req->session_id;
    job->put.now_ms = clock_wall_ms();
    store_submit(job->app->store, &job->put.req);
}

static void current_was_put(struct store_req *r)
{
    struct current_job *job = r->data;
    bool clears = job->req->op == SVC_CURRENT_DELETE;
    if (app_failed_store(job->req, r, "")) {
        current_end(job);
        return;
    }
    if (clears) {
        job->req->http_status = 204;
        app_done(job->req);
    } else {
        current_write(job, job->req->session_id, &job->session.row);
    }
    current_end(job);
}

/* One that is gone is nobody's current one. */
static void current_session_got(struct store_req *r)
{
    struct current_job *job = r->data;
    bool puts = job->req->op == SVC_CURRENT_PUT;
    if (r->status == ERR_NOT_FOUND && !puts) {
        current_write(job, (struct id){{0}}, NULL);
    } else if (!app_failed_store(job->req, r, "there is no such session")) {
        if (puts) {
            current_put(job);
            return;
        }
        current_write(job, job->session.id, &job->session.row);
    }
    current_end(job);
}

static void current_find(struct current_job *job, struct id id)
{
    job->session.workspace = job->req->workspace;
    job->session.id = id;
    store_submit(job->app->store, &job->session.req);
}

static void current_got(struct store_req *r)
{
    struct current_job *job = r->data;
    if (app_failed_store(job->req, r, "")) {
        current_end(job);
    } else if (id_is_zero(job->get.session_id)) {
        current_write(job, (struct id){{0}}, NULL);
        current_end(job);
    } else {
        current_find(job, job->get.session_id);
    }
}

void svc_current(struct app *a, struct svc_req *req)
{
    struct current_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->get.req, STORE_ACTIVE_GET, current_got, job);
    store_req_init(&job->put.req, STORE_ACTIVE_PUT, current_was_put, job);
    store_req_init(&job->session.req, STORE_SESSION_GET, current_session_got, job);
    if (req->op == SVC_CURRENT_PUT) {
        current_find(job, req->session_id);
    } else if (req->op == SVC_CURRENT_DELETE) {
        current_put(job);
    } else {
        job->get.workspace = req->workspace;
        job->get.user_id = current_user(req);
        store_submit(a->store, &job->get.req);
    }
}
