/* Templates: checked as workflows, made into workflows, and made of them. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/catalog_template.h"
#include "app/service_catalog.h"
#include "base/mem.h"

#define TEMPLATE_TEXT_MAX (2 * JSON_BODY_MAX)

bool catalog_template_ok(struct app *a, struct svc_req *req, struct str body_json)
{
    struct json body = json_root(body_json);
    struct workflow *wf = NULL;
    struct workflow_issues issues;
    struct errbuf e = {""};
    struct buf graph;
    bool ok = false;
    buf_init(&graph, TEMPLATE_TEXT_MAX);
    workflow_issues_init(&issues);
    int rc = catalog_template_sample(json_get(body, "graph"), json_get_set(body, "parameters"),
                                     &graph, &e);
    if (rc == 0 && json_check(buf_str(&graph), NULL, &e) < 0)
        rc = ERR_INVALID;
    if (rc)
        app_fail(req, rc, "%s", e.text);
    else if (workflow_parse(buf_str(&graph), a->vm, &wf, &issues))
        svc_workflow_refuse(req, &issues);
    else
        ok = true;
    workflow_unref(wf);
    workflow_issues_deinit(&issues);
    buf_deinit(&graph);
    return ok;
}

/* ---- instantiate ---- */

struct instantiation {
    struct app *app;
    struct svc_req *req;
    struct catalog_lookup lookup;
};

/* The rendered graph with the new workflow's id and name in front. */
static void write_workflow(const struct svc_req *req, struct json template_body, struct str graph,
                           struct buf *out)
{
    struct json_iter it;
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    if (req->catalog.new_id.p)
        jw_kv_string(&w, "id", req->catalog.new_id);
    if (req->catalog.new_name.p && req->catalog.new_name.n)
        jw_kv_string(&w, "name", req->catalog.new_name);
    else
        jw_kv_raw(&w, "name", json_raw(json_get(template_body, "name")));
    json_iter_init(&it, json_root(graph));
    while (json_iter_next(&it)) {
        if (json_iter_key_is(&it, "id") || json_iter_key_is(&it, "name"))
            continue;
        jw_key_str(&w, it.key); /* no escapes: the graph was written by us */
        jw_raw(&w, json_raw(it.value));
    }
    jw_end(&w);
}

static void instantiate(struct app *a, struct svc_req *req, struct str body_json)
{
    struct json body = json_root(body_json);
    struct json values =
        req->catalog.values_json.p ? json_root(req->catalog.values_json) : JSON_ABSENT;
    struct errbuf e = {""};
    struct buf graph, text;
    buf_init(&graph, TEMPLATE_TEXT_MAX);
    buf_init(&text, TEMPLATE_TEXT_MAX);
    int rc = catalog_template_render(json_get(body, "graph"), json_get_set(body, "parameters"),
                                     values, &graph, &e);
    if (rc == 0) {
        write_workflow(req, body, buf_str(&graph), &text);
        rc = json_check(buf_str(&text), NULL, &e);
    }
    if (rc) {
        req->error_code = "invalid_parameters";
        app_fail(req, rc, "%s", e.text);
    } else {
        req->workflow.text = (struct str){arena_strdup(&req->arena, buf_str(&text)), text.len};
        req->op = SVC_WORKFLOW_CREATE;
        svc_workflow_put(a, req);
    }
    buf_deinit(&graph);
    buf_deinit(&text);
}

static void template_found(struct catalog_lookup *l)
{
    struct instantiation *in = l->data;
    struct svc_req *req = in->req;
    if (l->status)
        app_failed_store(req, &l->get.req, "");
    else if (!l->rows[0])
        app_fail(req, ERR_NOT_FOUND, "there is no such template");
    else
        instantiate(in->app, req, l->rows[0]->body_json);
    catalog_lookup_deinit(l);
    free(in);
}

void svc_template_instantiate(struct app *a, struct svc_req *req)
{
    struct instantiation *in = mem_zalloc(sizeof(*in));
    in->app = a;
    in->req = req;
    in->lookup.kind = CATALOG_TEMPLATE;
    in->lookup.workspace = req->workspace;
    in->lookup.ids = &req->name;
    in->lookup.count = 1;
    in->lookup.done = template_found;
    in->lookup.data = in;
    catalog_lookup(a, &in->lookup);
}

/* ---- saving a workflow ---- */

struct saving {
    struct app *app;
    struct svc_req *req;
    struct store_workflow_get get;
};

/* What was sent, without the workflow's name, and the workflow as its graph. */
static void write_template(struct json sent, const struct workflow_row *row, struct buf *out)
{
    struct json_iter it;
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    json_iter_init(&it, sent);
    while (json_iter_next(&it)) {
        struct buf key;
        if (json_iter_key_is(&it, "workflow_id") || json_iter_key_is(&it, "workflow_version"))
            continue;
        buf_init(&key, it.key.n);
        json_iter_key(&it, &key);
        jw_key_str(&w, buf_str(&key));
        jw_raw(&w, json_raw(it.value));
        buf_deinit(&key);
    }
    if (!json_exists(json_get(sent, "id")))
        jw_kv_string(&w, "id", row->id);
    if (!json_exists(json_get(sent, "name")))
        jw_kv_string(&w, "name", row->name);
    if (!json_exists(json_get(sent, "description")) && row->description.p)
        jw_kv_string(&w, "description", row->description);
    jw_kv_raw(&w, "graph", row->graph_json);
    jw_end(&w);
}

static void workflow_found(struct store_req *r)
{
    struct saving *s = r->data;
    struct svc_req *req = s->req;
    if (!app_failed_store(req, r, "workflow_id: there is no such workflow")) {
        struct buf text;
        buf_init(&text, TEMPLATE_TEXT_MAX);
        write_template(json_root(req->workflow.text), &s->get.row, &text);
        struct str copy = {arena_strdup(&req->arena, buf_str(&text)), text.len};
        buf_deinit(&text);
        catalog_put_text(s->app, req, copy, 0);
    }
    store_req_deinit(r);
    free(s);
}

bool catalog_save_workflow(struct app *a, struct svc_req *req)
{
    struct json sent = json_root(req->workflow.text);
    struct json id = json_get_set(sent, "workflow_id"), version;
    if (!json_exists(id))
        return false;
    version = json_get_set(sent, "workflow_version");
    struct saving *s = mem_zalloc(sizeof(*s));
    s->app = a;
    s->req = req;
    store_req_init(&s->get.req, STORE_WORKFLOW_GET, workflow_found, s);
    s->get.workspace = req->workspace;
    char *name = json_strdup(id);
    s->get.id = name ? str_of(arena_strdup(&req->arena, str_of(name))) : STR_NULL;
    free(name);
    if (!s->get.id.p || !name_is_valid(s->get.id) || json_exists(json_get_set(sent, "graph"))) {
        app_fail(req, ERR_INVALID, "give either graph, or the id of a workflow as workflow_id");
    } else if (json_exists(version) &&
               (!json_i64(version, &s->get.version) || s->get.version < 1)) {
        app_fail(req, ERR_INVALID, "workflow_version: expected a whole number from 1");
    } else {
        store_submit(a->store, &s->get.req);
        return true;
    }
    store_req_deinit(&s->get.req);
    free(s);
    return true;
}
