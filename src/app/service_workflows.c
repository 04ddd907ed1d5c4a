#include <stdlib.h>
#include <string.h>

#include "app/agents.h"
#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

struct workflow_job {
    struct app *app;
    struct svc_req *req;
    struct workflow *workflow; /* put: as parsed */
    union {
        struct store_req base;
        struct store_workflow_put put;
        struct store_workflow_get get;
        struct store_workflow_list list;
        struct store_workflow_versions versions;
        struct store_workflow_delete del;
    } u;
};

static struct workflow_job *workflow_job_create(struct app *a, struct svc_req *req,
                                                enum store_op op, void (*done)(struct store_req *))
{
    struct workflow_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->u.base, op, done, job);
    return job;
}

static void workflow_job_destroy(struct workflow_job *job)
{
    workflow_unref(job->workflow);
    store_req_deinit(&job->u.base);
    free(job);
}

/* ---- issues ---- */

static void write_issue(struct jw *w, const struct workflow_issue *it)
{
    jw_object(w);
    if (it->node_id.p)
        jw_kv_string(w, "node_id", it->node_id);
    jw_kv_string(w, "path", it->path);
    jw_kv_string(w, "code", it->code);
    jw_kv_string(w, "message", it->message);
    jw_end(w);
}

static void write_issues(struct jw *w, const struct workflow_issues *issues,
                         const struct agents_find *agents)
{
    const char *const kinds[2][2] = {{"errors", "error"}, {"warnings", "warning"}};
    for (int k = 0; k < 2; k++) {
        jw_key(w, kinds[k][0]);
        jw_array(w);
        for (unsigned i = 0; i < issues->count; i++)
            if (strcmp(issues->items[i].severity, kinds[k][1]) == 0)
                write_issue(w, &issues->items[i]);
        if (k == 1 && agents)
            agents_write_missing(agents, w);
        jw_end(w);
    }
}

void svc_write_issues(struct jw *w, const struct workflow_issues *issues)
{
    write_issues(w, issues, NULL);
}

struct validate_job {
    struct svc_req *req;
    struct workflow_issues issues;
    struct agents_find find;
};

static void validate_answer(struct svc_req *req, bool valid, const struct workflow_issues *issues,
                            const struct agents_find *agents)
{
    struct jw w;
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_kv_bool(&w, "valid", valid);
    write_issues(&w, issues, agents);
    jw_end(&w);
    app_done(req);
}

/* Agents may be made later, so one that nobody knows yet is a warning here; an execute refuses. */
static void validate_agents_found(struct agents_find *f)
{
    struct validate_job *job = f->data;
    if (f->lookup.status)
        app_fail(job->req, f->lookup.status, "%s", f->lookup.error.text);
    else
        validate_answer(job->req, true, &job->issues, f);
    agents_find_deinit(f);
    workflow_issues_deinit(&job->issues);
    free(job);
}

void svc_workflow_validate(struct app *a, struct svc_req *req)
{
    struct workflow *wf = NULL;
    if (svc_validate_staged(a, req))
        return;
    struct validate_job *job = mem_zalloc(sizeof(*job));
    workflow_issues_init(&job->issues);
    if (workflow_parse(req->workflow.text, a->vm, &wf, &job->issues)) {
        validate_answer(req, false, &job->issues, NULL);
        workflow_issues_deinit(&job->issues);
        free(job);
    } else {
        job->req = req;
        job->find = (struct agents_find){.workflow = wf,
                                         .workspace = req->workspace,
                                         .done = validate_agents_found,
                                         .data = job};
        agents_find(a, &job->find);
    }
    workflow_unref(wf);
}

/* ---- create, put ---- */

static void write_workflow(struct jw *w, const struct workflow_row *row)
{
    jw_object(w);
    jw_kv_string(w, "id", row->id);
    jw_kv_string(w, "name", row->name);
    if (row->type.p)
        jw_kv_string(w, "type", row->type);
    else
        jw_kv_raw(w, "type", STR("null"));
    if (row->description.p)
        jw_kv_string(w, "description", row->description);
    else
        jw_kv_raw(w, "description", STR("null"));
    jw_kv_i64(w, "version", row->version);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->updated_at);
    if (row->graph_json.p)
        jw_kv_raw(w, "graph", row->graph_json);
    jw_end(w);
}

static void workflow_stored(struct store_req *r)
{
    struct workflow_job *job = r->data;
    struct svc_req *req = job->req;
    if (r->status == ERR_CONFLICT) {
        app_fail(req, ERR_CONFLICT,
                 "there is a workflow with this id already; PUT makes a new version");
    } else if (r->status == ERR_STALE) {
        app_fail(req, ERR_STALE, "the workflow has a newer version than the If-Match names");
    } else if (!app_failed_store(req, r, "there is no such workflow")) {
        struct jw w;
        job->workflow->version = job->u.put.row.version;
        plans_put(&job->app->plans, req->workspace, job->workflow, true);
        instances_tell_workflow(&job->app->instances, req->workspace, job->workflow->id);
        buf_clear(&req->body); /* it may have been written ahead for its key */
        jw_init(&w, &req->body);
        write_workflow(&w, &job->u.put.row);
        req->etag_version = job->u.put.row.version;
        app_done(req);
    }
    workflow_job_destroy(job);
}

void svc_workflow_refuse(struct svc_req *req, const struct workflow_issues *issues)
{
    struct jw w;
    jw_init(&w, &req->details);
    jw_object(&w);
    jw_kv_bool(&w, "valid", false);
    svc_write_issues(&w, issues);
    jw_end(&w);
    req->error_code = "invalid_workflow";
    app_fail(req, ERR_UNPROCESSABLE, "the workflow does not validate: %u error%s", issues->errors,
             issues->errors == 1 ? "" : "s");
}

/* The id of a PUT is the path's; a POST takes the definition's, or makes one. */
static int workflow_choose_id(struct app *a, struct svc_req *req, const struct workflow *wf,
                              struct str *id)
{
    if (req->op == SVC_WORKFLOW_PUT) {
        *id = req->name;
        return wf->id.p && !str_eq(wf->id, req->name) ? ERR_INVALID : 0;
    }
    if (wf->id.p) {
        *id = wf->id;
        return 0;
    }
    char text[ID_TEXT_BYTES + 1];
    id_format(id_new(&a->ids, (uint64_t)clock_wall_ms()), text);
    *id = str_of(arena_strdup(&req->arena, str_of(text)));
    return 0;
}

/* The answer is stored in the transaction that it is the answer of, so it is written before. */
static void workflow_answer_ahead(struct svc_req *req, struct store_workflow_put *put)
{
    struct workflow_row row = {.id = put->id,
                               .name = put->name,
                               .type = put->type,
                               .description = put->description,
                               .version = 1, /* keys belong to POST, and POST creates */
                               .graph_json = put->graph_json,
                               .created_at = put->now_ms,
                               .updated_at = put->now_ms};
    struct jw w;
    jw_init(&w, &req->body);
    write_workflow(&w, &row);
    put->idempotency = idempotency_row_of(req, &req->arena);
}

static void workflow_submit(struct app *a, struct svc_req *req, struct workflow *wf, struct str id)
{
    struct workflow_job *job = workflow_job_create(a, req, STORE_WORKFLOW_PUT, workflow_stored);
    struct store_workflow_put *put = &job->u.put;
    job->workflow = wf;
    put->workspace = req->workspace;
    put->id = id;
    put->name = wf->name.p ? wf->name : id;
    put->type = wf->type;
    put->description = wf->description;
    put->graph_json = wf->text;
    put->create_only = req->op == SVC_WORKFLOW_CREATE;
    put->expected_version = req->if_match;
    put->now_ms = clock_wall_ms();
    req->http_status = req->op == SVC_WORKFLOW_CREATE ? 201 : 200;
    if (req->idempotency_key.p)
        workflow_answer_ahead(req, put);
    wf->id = str_of(arena_strdup(&wf->arena, id));
    store_submit(a->store, &put->req);
}

void svc_workflow_put(struct app *a, struct svc_req *req)
{
    struct workflow *wf = NULL;
    struct workflow_issues issues;
    struct str id;
    workflow_issues_init(&issues);
    if (workflow_parse(req->workflow.text, a->vm, &wf, &issues)) {
        svc_workflow_refuse(req, &issues);
    } else if (workflow_choose_id(a, req, wf, &id)) {
        app_fail(req, ERR_INVALID, "the definition's id \"%.*s\" is not the path's",
                 STR_FMT(wf->id));
        workflow_unref(wf);
    } else {
        workflow_submit(a, req, wf, id);
    }
    workflow_issues_deinit(&issues);
}

/* ---- get, list, versions, delete ---- */

static void workflow_got(struct store_req *r)
{
    struct workflow_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such workflow")) {
        struct jw w;
        jw_init(&w, &req->body);
        write_workflow(&w, &job->u.get.row);
        req->etag_version = job->u.get.row.version;
        app_done(req);
    }
    workflow_job_destroy(job);
}

void svc_workflow_get(struct app *a, struct svc_req *req)
{
    struct workflow_job *job = workflow_job_create(a, req, STORE_WORKFLOW_GET, workflow_got);
    job->u.get.workspace = req->workspace;
    job->u.get.id = req->name;
    job->u.get.version = req->version;
    store_submit(a->store, &job->u.base);
}

static void workflows_answer(struct svc_req *req, const struct workflow_row *rows,
                             struct str next_cursor)
{
    struct jw w;
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (const struct workflow_row *it = rows; it; it = it->next)
        write_workflow(&w, it);
    jw_end(&w);
    if (next_cursor.p)
        jw_kv_string(&w, "next_cursor", next_cursor);
    else
        jw_kv_raw(&w, "next_cursor", STR("null"));
    jw_end(&w);
    app_done(req);
}

static void workflows_listed(struct store_req *r)
{
    struct workflow_job *job = r->data;
    if (!app_failed_store(job->req, r, ""))
        workflows_answer(job->req, job->u.list.rows, job->u.list.next_cursor);
    workflow_job_destroy(job);
}

void svc_workflow_list(struct app *a, struct svc_req *req)
{
    struct workflow_job *job = workflow_job_create(a, req, STORE_WORKFLOW_LIST, workflows_listed);
    job->u.list.workspace = req->workspace;
    job->u.list.q = req->list.q;
    job->u.list.type = req->list.type;
    job->u.list.cursor = req->list.cursor;
    job->u.list.limit = req->list.limit;
    store_submit(a->store, &job->u.base);
}

static void versions_listed(struct store_req *r)
{
    struct workflow_job *job = r->data;
    if (!app_failed_store(job->req, r, "there is no such workflow"))
        workflows_answer(job->req, job->u.versions.rows, job->u.versions.next_cursor);
    workflow_job_destroy(job);
}

void svc_workflow_versions(struct app *a, struct svc_req *req)
{
    struct workflow_job *job =
        workflow_job_create(a, req, STORE_WORKFLOW_VERSIONS, versions_listed);
    job->u.versions.workspace = req->workspace;
    job->u.versions.id = req->name;
    job->u.versions.cursor = req->list.cursor;
    job->u.versions.limit = req->list.limit;
    store_submit(a->store, &job->u.base);
}

static void workflow_deleted(struct store_req *r)
{
    struct workflow_job *job = r->data;
    struct svc_req *req = job->req;
    if (r->status == ERR_STALE) {
        app_fail(req, ERR_STALE, "the workflow has a newer version than the If-Match names");
    } else if (!app_failed_store(req, r, "there is no such workflow")) {
        plans_forget(&job->app->plans, req->workspace, req->name);
        instances_tell_workflow(&job->app->instances, req->workspace, req->name);
        req->http_status = 204;
        app_done(req);
    }
    workflow_job_destroy(job);
}

void svc_workflow_delete(struct app *a, struct svc_req *req)
{
    struct workflow_job *job = workflow_job_create(a, req, STORE_WORKFLOW_DELETE, workflow_deleted);
    job->u.del.workspace = req->workspace;
    job->u.del.id = req->name;
    job->u.del.expected_version = req->if_match;
    store_submit(a->store, &job->u.base);
}
