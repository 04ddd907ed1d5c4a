/* What helps to write workflows: pictures of them, the schema of the format, what they will cost.
 */
#include <stdlib.h>

#include "app/agents.h"
#include "app/app.h"
#include "base/mem.h"
#include "engine/workflow_diagram.h"
#include "engine/workflow_estimate.h"
#include "engine/workflow_schema.h"

/* A question about one workflow, which is looked for first: given, kept, or stored. */
struct author_job {
    struct app *app;
    struct svc_req *req;
    struct str workflow_id; /* in the request's arena, as all texts here */
    int64_t version;        /* 0: the newest */
    struct str statuses;    /* of a session, or NULL */
    void (*found)(struct author_job *job, struct workflow *w);
    union {
        struct store_req base;
        struct store_session_get session;
        struct store_workflow_get workflow;
    } u;
};

static struct author_job *author_job_create(struct app *a, struct svc_req *req,
                                            void (*found)(struct author_job *job,
                                                          struct workflow *w))
{
    struct author_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    job->workflow_id = req->name;
    job->version = req->version;
    job->found = found;
    return job;
}

static struct str author_keep(struct author_job *job, struct str s)
{
    return s.p ? (struct str){arena_strdup(&job->req->arena, s), s.n} : STR_NULL;
}

/* The definition is known: it is answered, or does not validate (any more). */
static void author_parsed(struct author_job *job, struct str text, int64_t version)
{
    struct workflow *w = NULL;
    struct workflow_issues issues;
    workflow_issues_init(&issues);
    if (workflow_parse(text, job->app->vm, &w, &issues) == 0) {
        w->version = version;
        job->found(job, w);
    } else {
        svc_workflow_refuse(job->req, &issues);
    }
    workflow_unref(w);
    workflow_issues_deinit(&issues);
    free(job);
}

static void author_workflow_got(struct store_req *r)
{
    struct author_job *job = r->data;
    if (app_failed_store(job->req, r, "there is no such workflow")) {
        store_req_deinit(r);
        free(job);
        return;
    }
    struct str text = author_keep(job, job->u.workflow.row.graph_json);
    int64_t version = job->u.workflow.row.version;
    store_req_deinit(r);
    author_parsed(job, text, version);
}

static void author_find(struct author_job *job)
{
    struct workflow *w =
        plans_get(&job->app->plans, job->req->workspace, job->workflow_id, job->version);
    if (w) {
        job->found(job, w);
        free(job);
        return;
    }
    store_req_init(&job->u.base, STORE_WORKFLOW_GET, author_workflow_got, job);
    job->u.workflow.workspace = job->req->workspace;
    job->u.workflow.id = job->workflow_id;
    job->u.workflow.version = job->version;
    store_submit(job->app->store, &job->u.base);
}

/* ---- diagrams ---- */

static void diagram_draw(struct author_job *job, struct workflow *w)
{
    struct svc_req *req = job->req;
    enum diagram_format f = DIAGRAM_MERMAID;
    diagram_format_parse(req->diagram.format, &f);
    struct json statuses = job->statuses.p ? json_root(job->statuses) : JSON_ABSENT;
    workflow_diagram_write(w, f, statuses, &req->body);
    req->content_type = diagram_media_type(f);
    app_done(req);
}

/* Takes what is needed of the session's row; false when the request was answered. */
static bool diagram_of_session(struct author_job *job, const struct session_row *row)
{
    struct svc_req *req = job->req;
    if (row->meta.stored_only) {
        app_fail(req, ERR_NOT_FOUND, "this session has no workflow here");
        return false;
    }
    if (job->workflow_id.p && !str_eq(job->workflow_id, row->meta.workflow_id)) {
        app_fail(req, ERR_INVALID, "session_id: that session runs another workflow");
        return false;
    }
    job->statuses = author_keep(job, row->core.node_statuses_json);
    job->workflow_id = author_keep(job, row->meta.workflow_id);
    if (!job->version)
        job->version = row->meta.workflow_version;
    return true;
}

static void diagram_session_got(struct store_req *r)
{
    struct author_job *job = r->data;
    const struct session_row *row = &job->u.session.row;
    bool goes_on =
        !app_failed_store(job->req, r, "there is no such session") && diagram_of_session(job, row);
    struct str graph = goes_on ? author_keep(job, row->meta.graph_json) : STR_NULL;
    store_req_deinit(r);
    if (!goes_on)
        free(job);
    else if (graph.p)
        author_parsed(job, graph, 0);
    else
        author_find(job);
}

static bool diagram_format_is_good(struct svc_req *req)
{
    enum diagram_format f;
    if (!req->diagram.format.p || diagram_format_parse(req->diagram.format, &f))
        return true;
    app_fail(req, ERR_INVALID, "format: expected \"mermaid\", \"dot\" or \"json\"");
    return false;
}

void svc_session_diagram(struct app *a, struct svc_req *req)
{
    if (!diagram_format_is_good(req))
        return;
    struct author_job *job = author_job_create(a, req, diagram_draw);
    store_req_init(&job->u.base, STORE_SESSION_GET, diagram_session_got, job);
    job->u.session.workspace = req->workspace;
    job->u.session.id = req->session_id;
    store_submit(a->store, &job->u.base);
}

void svc_workflow_diagram(struct app *a, struct svc_req *req)
{
    if (!id_is_zero(req->session_id))
        svc_session_diagram(a, req);
    else if (diagram_format_is_good(req))
        author_find(author_job_create(a, req, diagram_draw));
}

void svc_workflow_schema(struct app *a, struct svc_req *req)
{
    (void)a;
    workflow_schema_write(&req->body);
    req->content_type = "application/schema+json";
    app_done(req);
}

/* ---- estimates ---- */

struct estimate_job {
    struct app *app;
    struct svc_req *req;
    struct agents_find find;
};

static struct json estimate_agent(void *data, struct str id)
{
    const struct catalog_row *row = agents_found(data, id);
    return row ? json_root(row->body_json) : JSON_ABSENT;
}

static void estimate_agents_found(struct agents_find *f)
{
    struct estimate_job *job = f->data;
    struct svc_req *req = job->req;
    struct estimate_params p = {.vm = job->app->vm,
                                .input_json = req->execute.input_json,
                                .rules = &job->app->rules,
                                .agent = estimate_agent,
                                .agent_data = f};
    if (f->lookup.status) {
        app_fail(req, f->lookup.status, "%s", f->lookup.error.text);
    } else {
        workflow_estimate_write(f->workflow, &p, &req->body);
        app_done(req);
    }
    agents_find_deinit(f);
    free(job);
}

static void estimate_answer(struct author_job *author, struct workflow *w)
{
    struct estimate_job *job = mem_zalloc(sizeof(*job));
    job->app = author->app;
    job->req = author->req;
    job->find = (struct agents_find){.workflow = w,
                                     .workspace = author->req->workspace,
                                     .done = estimate_agents_found,
                                     .data = job};
    agents_find(author->app, &job->find);
}

void svc_workflow_estimate(struct app *a, struct svc_req *req)
{
    struct author_job *job = author_job_create(a, req, estimate_answer);
    job->workflow_id = req->execute.workflow_id;
    job->version = req->execute.workflow_version;
    if (req->execute.graph_json.p)
        author_parsed(job, req->execute.graph_json, 0);
    else
        author_find(job);
}
