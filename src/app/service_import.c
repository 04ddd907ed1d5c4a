/* Workflows as files: they come in as they are, or as staged files, and go out as text that people
 * read and edit. */
#include <stdlib.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "base/yaml_write.h"
#include "engine/staged.h"
#include "engine/workflow_canonical.h"

#define EXPORT_BYTES_MAX   (48u << 20)
#define IMPORT_UPDATES_MAX 3 /* somebody else put a version meanwhile: it is looked at anew */

/* ---- validate ---- */

bool svc_validate_staged(struct app *a, struct svc_req *req)
{
    struct staged_result r;
    if (!staged_is(json_root(req->workflow.text)))
        return false;
    staged_result_init(&r);
    staged_convert(req->workflow.text, req->import.fix, a->vm, &r);
    staged_write_verdict(&r, req->import.fix, &req->body);
    staged_result_deinit(&r);
    app_done(req);
    return true;
}

/* ---- import ---- */

struct import_job {
    struct app *app;
    struct svc_req *req;
    struct staged_result staged;
    bool is_staged;
    struct workflow_issues issues; /* of one that is not */
    struct workflow *w;
    struct str id, text; /* as it is stored */
    unsigned tries;
    struct store_workflow_get get;
    struct store_workflow_put put;
};

static void import_end(struct import_job *job)
{
    store_req_deinit(&job->get.req);
    store_req_deinit(&job->put.req);
    staged_result_deinit(&job->staged);
    workflow_issues_deinit(&job->issues);
    workflow_unref(job->w);
    free(job);
}

static void import_answer(struct import_job *job, int64_t version, bool is_there)
{
    struct svc_req *req = job->req;
    struct jw w;
    buf_clear(&req->body); /* it may have been written ahead for its key */
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "workflow");
    jw_object(&w);
    jw_kv_string(&w, "id", job->id);
    jw_kv_string(&w, "name", job->w->name.p ? job->w->name : job->id);
    jw_kv_i64(&w, "version", version);
    jw_end(&w);
    jw_kv_stringz(&w, "format", job->is_staged ? "staged" : "native");
    if (job->is_staged) {
        staged_write_issues(&w, &job->staged, true);
    } else {
        svc_write_issues(&w, &job->issues);
        jw_kv_raw(&w, "fixes", STR("[]"));
    }
    jw_end(&w);
    req->http_status = is_there || version > 1 ? 200 : 201;
    req->etag_version = version;
}

static void import_get(struct import_job *job);

static void import_stored(struct store_req *r)
{
    struct import_job *job = r->data;
    struct svc_req *req = job->req;
    if (r->status == ERR_STALE && job->tries < IMPORT_UPDATES_MAX) {
        store_req_deinit(&job->put.req);
        import_get(job);
        return;
    }
    if (r->status == ERR_CONFLICT) {
        app_fail(req, ERR_CONFLICT,
                 "there is a workflow \"%.*s\" already; import it with ?update=true as a new "
                 "version, or with ?id= under another id",
                 STR_FMT(job->id));
    } else if (!app_failed_store(req, r, "there is no such workflow")) {
        job->w->version = job->put.row.version;
        plans_put(&job->app->plans, req->workspace, job->w, true);
        instances_tell_workflow(&job->app->instances, req->workspace, job->id);
        import_answer(job, job->put.row.version, false);
        app_done(req);
    }
    import_end(job);
}

/* `expected` is the version that the new one follows; 0: there is none. */
static void import_put(struct import_job *job, int64_t expected)
{
    struct store_workflow_put *put = &job->put;
    store_req_init(&put->req, STORE_WORKFLOW_PUT, import_stored, job);
    put->workspace = job->req->workspace;
    put->id = job->id;
    put->name = job->w->name.p ? job->w->name : job->id;
    put->type = job->w->type;
    put->description = job->w->description;
    put->graph_json = job->text;
    put->create_only = expected == 0;
    put->expected_version = expected;
    put->now_ms = clock_wall_ms();
    if (expected == 0 && job->req->idempotency_key.p) {
        import_answer(job, 1, false);
        put->idempotency = idempotency_row_of(job->req, &job->req->arena);
    }
    store_submit(job->app->store, &put->req);
}

/* What stands there already makes no new version: an import may be repeated. */
static void import_got(struct store_req *r)
{
    struct import_job *job = r->data;
    const struct workflow_row *row = &job->get.row;
    if (r->status == ERR_NOT_FOUND) {
        import_put(job, 0);
    } else if (app_failed_store(job->req, r, "")) {
        import_end(job);
    } else if (str_eq(row->graph_json, job->text)) {
        import_answer(job, row->version, true);
        app_done(job->req);
        import_end(job);
    } else {
        import_put(job, row->version);
    }
}

static void import_get(struct import_job *job)
{
    job->tries++;
    store_req_deinit(&job->get.req);
    store_req_init(&job->get.req, STORE_WORKFLOW_GET, import_got, job);
    job->get.workspace = job->req->workspace;
    job->get.id = job->id;
    job->get.version = 0;
    store_submit(job->app->store, &job->get.req);
}

/* The id of the request, else the definition's, else a new one. */
static void import_name(struct import_job *job)
{
    struct svc_req *req = job->req;
    char text[ID_TEXT_BYTES + 1];
    struct buf b;
    if (req->import.id.n) {
        job->id = req->import.id;
    } else if (job->w->id.p) {
        job->id = job->w->id;
    } else {
        id_format(id_new(&job->app->ids, (uint64_t)clock_wall_ms()), text);
        job->id = str_of(arena_strdup(&req->arena, str_of(text)));
    }
    if (str_eq(job->id, job->w->id)) {
        job->text = job->w->text;
        return;
    }
    buf_init(&b, EXPORT_BYTES_MAX);
    workflow_canonical_write(json_root(job->w->text), job->id, &b);
    job->text = (struct str){arena_strdup(&req->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    job->w->id = str_of(arena_strdup(&job->w->arena, job->id));
}

static bool import_refused_staged(struct import_job *job)
{
    struct svc_req *req = job->req;
    struct jw w;
    if (staged_convert(req->workflow.text, req->import.fix, job->app->vm, &job->staged) == 0)
        return false;
    jw_init(&w, &req->details);
    jw_object(&w);
    jw_kv_bool(&w, "valid", false);
    staged_write_issues(&w, &job->staged, req->import.fix);
    jw_end(&w);
    req->error_code = "invalid_workflow";
    app_fail(req, ERR_UNPROCESSABLE, "the file does not validate: %u error%s%s", job->staged.errors,
             job->staged.errors == 1 ? "" : "s",
             req->import.fix ? "" : "; ?fix=true repairs what can be repaired");
    return true;
}

/* As it is kept: how a file was written makes no other version. */
static struct str import_compact(struct svc_req *req, struct str text)
{
    struct buf b;
    buf_init(&b, EXPORT_BYTES_MAX);
    if (json_compact(text, &b) == 0)
        text = (struct str){arena_strdup(&req->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return text;
}

void svc_workflow_import(struct app *a, struct svc_req *req)
{
    struct import_job *job = mem_zalloc(sizeof(*job));
    struct str text = req->workflow.text;
    job->app = a;
    job->req = req;
    staged_result_init(&job->staged);
    workflow_issues_init(&job->issues);
    job->is_staged = staged_is(json_root(text));
    if (req->import.id.n && !name_is_valid(req->import.id)) {
        app_fail(req, ERR_INVALID, "id: expected 1 to 64 characters of A-Z a-z 0-9 _ . -");
        import_end(job);
        return;
    }
    if (job->is_staged && import_refused_staged(job)) {
        import_end(job);
        return;
    }
    if (job->is_staged)
        text = buf_str(&job->staged.native);
    else
        text = import_compact(req, text);
    if (workflow_parse(text, a->vm, &job->w, &job->issues)) {
        svc_workflow_refuse(req, &job->issues);
        import_end(job);
        return;
    }
    import_name(job);
    if (req->import.update)
        import_get(job);
    else
        import_put(job, 0);
}

/* ---- export ---- */

struct export_job {
    struct app *app;
    struct svc_req *req;
    struct store_workflow_get get;
};

/* The staged file that it was made of, when it is still what that makes. */
static int export_staged(struct export_job *job, struct buf *out, struct errbuf *e)
{
    struct json graph = json_root(job->get.row.graph_json);
    struct json staged = json_get(json_get(graph, "metadata"), "staged");
    struct staged_result r;
    if (!staged_is(staged))
        return err_set(e, ERR_CONFLICT, "this workflow was not made of a staged file");
    staged_result_init(&r);
    int rc = staged_convert(json_raw(staged), false, job->app->vm, &r);
    if (rc || !json_eq(json_get(json_root(buf_str(&r.native)), "nodes"), json_get(graph, "nodes")))
        rc = err_set(e, ERR_CONFLICT,
                     "the workflow has been changed since it was made of a staged file");
    else
        rc = buf_append_str(out, json_raw(staged));
    staged_result_deinit(&r);
    return rc;
}

static int export_text(struct export_job *job, struct errbuf *e)
{
    struct svc_req *req = job->req;
    struct buf json;
    int rc = 0;
    buf_init(&json, EXPORT_BYTES_MAX);
    if (str_eqz(req->export.as, "staged"))
        rc = export_staged(job, &json, e);
    else
        workflow_canonical_write(json_root(job->get.row.graph_json), job->get.row.id, &json);
    if (!rc && buf_error(&json))
        rc = err_set(e, ERR_TOO_LARGE, "the workflow is too large to be exported");
    if (!rc && str_eqz(req->export.format, "yaml")) {
        req->content_type = "application/yaml";
        rc = json_to_yaml(buf_str(&json), &req->body, e);
    } else if (!rc) {
        rc = json_layout(buf_str(&json), &req->body);
    }
    buf_deinit(&json);
    return rc;
}

static void export_got(struct store_req *r)
{
    struct export_job *job = r->data;
    struct svc_req *req = job->req;
    struct errbuf e = {""};
    if (!app_failed_store(req, r, "there is no such workflow")) {
        int rc = export_text(job, &e);
        req->etag_version = job->get.row.version;
        if (rc) {
            buf_clear(&req->body);
            app_fail(req, rc, "%s", e.text);
        } else {
            app_done(req);
        }
    }
    store_req_deinit(r);
    free(job);
}

void svc_workflow_export(struct app *a, struct svc_req *req)
{
    if (!req->export.format.n)
        req->export.format = STR("json");
    if (!str_eqz(req->export.format, "json") && !str_eqz(req->export.format, "yaml")) {
        app_fail(req, ERR_INVALID, "format: expected \"json\" or \"yaml\"");
        return;
    }
    if (req->export.as.n && !str_eqz(req->export.as, "native") &&
        !str_eqz(req->export.as, "staged")) {
        app_fail(req, ERR_INVALID, "as: expected \"native\" or \"staged\"");
        return;
    }
    struct export_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->get.req, STORE_WORKFLOW_GET, export_got, job);
    job->get.workspace = req->workspace;
    job->get.id = req->name;
    job->get.version = req->version;
    store_submit(a->store, &job->get.req);
}
