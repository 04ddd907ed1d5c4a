#include "app/service_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "store/cursor.h"
#include "store/rules.h"

/* A PATCH reads, merges and puts at the version that it read: as often as others get in between. */
#define PATCH_TRIES 20

struct catalog_job {
    struct app *app;
    struct svc_req *req;
    union {
        struct store_req base;
        struct store_catalog_put put;
        struct store_catalog_list list;
        struct store_catalog_delete del;
    } u;
    struct catalog_lookup lookup;
};

static struct catalog_job *job_create(struct app *a, struct svc_req *req)
{
    struct catalog_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    return job;
}

static void job_start(struct catalog_job *job, enum store_op op, void (*done)(struct store_req *))
{
    store_req_init(&job->u.base, op, done, job);
}

static void job_destroy(struct catalog_job *job)
{
    store_req_deinit(&job->u.base);
    free(job);
}

static const char *word_of(const struct svc_req *req)
{
    return catalog_word(req->catalog.kind);
}

static void fail_not_found(struct svc_req *req)
{
    app_fail(req, ERR_NOT_FOUND, "there is no such %s", word_of(req));
}

static void fail_system(struct svc_req *req, struct str id)
{
    req->error_code = "system_object";
    app_fail(req, ERR_FORBIDDEN, "%s \"%.*s\" came with the server: it cannot be %s", word_of(req),
             STR_FMT(id),
             req->op == SVC_CATALOG_CREATE ? "made again; take another id"
                                           : "changed; make a copy of it");
}

static void fail_stale(struct svc_req *req)
{
    app_fail(req, ERR_STALE, "the %s has a newer version than the If-Match names", word_of(req));
}

/* ---- answers ---- */

/* A template in a list comes without its graph. */
static void write_object(struct jw *w, enum catalog_kind kind, const struct catalog_row *row,
                         bool in_list)
{
    struct json_iter it;
    jw_object(w);
    json_iter_init(&it, json_root(row->body_json));
    while (json_iter_next(&it)) {
        if (in_list && kind == CATALOG_TEMPLATE && json_iter_key_is(&it, "graph"))
            continue;
        jw_key_str(w, it.key); /* one of ours: no escapes */
        jw_raw(w, json_raw(it.value));
    }
    jw_kv_bool(w, "system", row == catalog_system_find(kind, row->id));
    jw_kv_i64(w, "version", row->version);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->updated_at);
    jw_end(w);
}

static void answer_object(struct svc_req *req, const struct catalog_row *row)
{
    struct jw w;
    buf_clear(&req->body); /* it may have been written ahead for its key */
    jw_init(&w, &req->body);
    write_object(&w, req->catalog.kind, row, false);
    req->etag_version = row->version;
}

/* ---- get ---- */

static void catalog_looked_up(struct catalog_lookup *l)
{
    struct catalog_job *job = l->data;
    struct svc_req *req = job->req;
    if (l->status) {
        app_failed_store(req, &l->get.req, "");
    } else if (!l->rows[0]) {
        fail_not_found(req);
    } else {
        answer_object(req, l->rows[0]);
        app_done(req);
    }
    catalog_lookup_deinit(l);
    free(job);
}

static void job_look_up(struct catalog_job *job, void (*done)(struct catalog_lookup *l))
{
    memset(&job->lookup, 0, sizeof(job->lookup));
    job->lookup.kind = job->req->catalog.kind;
    job->lookup.workspace = job->req->workspace;
    job->lookup.ids = &job->req->name;
    job->lookup.count = 1;
    job->lookup.done = done;
    job->lookup.data = job;
    catalog_lookup(job->app, &job->lookup);
}

void svc_catalog_get(struct app *a, struct svc_req *req)
{
    job_look_up(job_create(a, req), catalog_looked_up);
}

/* ---- list ---- */

static int id_order(struct str a, struct str b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Two lists in order as one: the workspace's page, and of the system objects those that lie on it.
 */
struct catalog_merge {
    const struct catalog_row *mine;
    const struct catalog_row *const *system;
    size_t at, count;
    struct str after, bound; /* bound: NULL: the page goes on to the end */
    const struct store_catalog_list *filter;
};

static const struct catalog_row *merge_system(struct catalog_merge *m)
{
    for (; m->at < m->count; m->at++) {
        const struct catalog_row *row = m->system[m->at];
        if (m->bound.p && id_order(row->id, m->bound) > 0)
            return NULL;
        if (id_order(row->id, m->after) > 0 && rules_catalog_matches(m->filter, row))
            return row;
    }
    return NULL;
}

static const struct catalog_row *merge_next(struct catalog_merge *m)
{
    const struct catalog_row *mine = m->mine, *system = merge_system(m);
    int order = !mine ? 1 : !system ? -1 : id_order(mine->id, system->id);
    if (order >= 0 && system)
        m->at++; /* one with the id of a workspace's is hidden by it */
    if (order <= 0 && mine)
        m->mine = mine->next;
    return order <= 0 ? mine : system;
}

static struct str cursor_key(struct str text, struct cursor *c)
{
    if (!text.p || cursor_decode(text, CURSOR_CATALOG, c, NULL) < 0)
        return STR_NULL;
    return (struct str){(const char *)c->key, c->key_bytes};
}

static void answer_list(struct svc_req *req, struct store_catalog_list *l)
{
    struct cursor from, to;
    struct catalog_merge m = {.mine = l->rows, .filter = l};
    const struct catalog_row *row, *last = NULL;
    struct str next = l->next_cursor;
    struct jw w;
    m.after = cursor_key(l->cursor, &from);
    if (!m.after.p)
        m.after = STR("");
    m.bound = cursor_key(l->next_cursor, &to);
    m.system = catalog_system_list(l->kind, &m.count);
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    int left = req->list.limit;
    for (; left > 0 && (row = merge_next(&m)) != NULL; left--) {
        write_object(&w, l->kind, row, true);
        last = row;
    }
    jw_end(&w);
    if (left == 0 && last && merge_next(&m))
        next = cursor_encode(&req->arena, CURSOR_CATALOG, l->kind, 0, last->id);
    if (next.p)
        jw_kv_string(&w, "next_cursor", next);
    else
        jw_kv_raw(&w, "next_cursor", STR("null"));
    jw_end(&w);
    app_done(req);
}

static void catalog_listed(struct store_req *r)
{
    struct catalog_job *job = r->data;
    if (!app_failed_store(job->req, r, ""))
        answer_list(job->req, &job->u.list);
    job_destroy(job);
}

void svc_catalog_list(struct app *a, struct svc_req *req)
{
    struct catalog_job *job = job_create(a, req);
    struct store_catalog_list *l = &job->u.list;
    job_start(job, STORE_CATALOG_LIST, catalog_listed);
    l->kind = req->catalog.kind;
    l->workspace = req->workspace;
    l->q = req->list.q;
    l->category = req->list.category;
    l->cursor = req->list.cursor;
    l->limit = req->list.limit;
    store_submit(a->store, &l->req);
}

/* ---- create, put ---- */

static void catalog_stored(struct store_req *r)
{
    struct catalog_job *job = r->data;
    struct svc_req *req = job->req;
    if (r->status == ERR_CONFLICT && req->op == SVC_CATALOG_CREATE) {
        app_fail(req, ERR_CONFLICT, "there is a%s %s with this id already; PUT changes it",
                 req->catalog.kind == CATALOG_AGENT ? "n" : "", word_of(req));
    } else if (r->status == ERR_STALE && req->op == SVC_CATALOG_PATCH && req->if_match == 0) {
        struct app *a = job->app;
        job_destroy(job);
        svc_catalog_patch(a, req);
        return;
    } else if (r->status == ERR_STALE) {
        fail_stale(req);
    } else if (r->status == ERR_INVALID) {
        req->error_code = "unknown_agent";
        app_fail(req, ERR_UNPROCESSABLE, "default_agent_ids: %s", r->error.text);
    } else if (r->status == ERR_NOT_FOUND && catalog_system_find(req->catalog.kind, req->name)) {
        fail_system(req, req->name);
    } else if (r->status == ERR_NOT_FOUND) {
        fail_not_found(req);
    } else if (!app_failed_store(req, r, "")) {
        answer_object(req, &job->u.put.row);
        app_done(req);
    }
    job_destroy(job);
}

/* The answer is stored in the transaction that it is the answer of, so it is written before. */
static void answer_ahead(struct svc_req *req, struct store_catalog_put *put)
{
    struct catalog_row row = put->row;
    row.version = 1; /* keys belong to POST, and POST creates */
    row.created_at = row.updated_at = put->now_ms;
    answer_object(req, &row);
    put->idempotency = idempotency_row_of(req, &req->arena);
}

/* Those that did not come with the server must be in the store. */
static void put_agents(struct svc_req *req, struct store_catalog_put *put,
                       const struct catalog_body *body)
{
    struct str *ids = arena_calloc(&req->arena, body->agent_count + 1, sizeof(*ids));
    put->agents = ids;
    for (size_t i = 0; i < body->agent_count; i++)
        if (!catalog_system_find(CATALOG_AGENT, body->agents[i]))
            ids[put->agent_count++] = body->agents[i];
}

/* The id of a PUT or PATCH is the path's; a POST takes the body's, or makes one. */
static int choose_id(struct app *a, struct svc_req *req, struct catalog_body *body)
{
    char made[ID_TEXT_BYTES + 1];
    struct buf json;
    if (req->op != SVC_CATALOG_CREATE && body->id.p && !str_eq(body->id, req->name))
        return ERR_INVALID;
    if (body->id.p)
        return 0;
    id_format(id_new(&a->ids, (uint64_t)clock_wall_ms()), made);
    body->id =
        req->op == SVC_CATALOG_CREATE ? str_of(arena_strdup(&req->arena, str_of(made))) : req->name;
    buf_init(&json, JSON_BODY_MAX + 100);
    buf_printf(&json, "{\"id\":\"%.*s\"%s", STR_FMT(body->id), body->json.n > 2 ? "," : "");
    buf_append(&json, body->json.p + 1, body->json.n - 1);
    body->json = (struct str){arena_strdup(&req->arena, buf_str(&json)), json.len};
    buf_deinit(&json);
    return 0;
}

/* An agent's tools are what a node's are: the engine checks them, in a workflow of one node. */
static int agent_tools_check(struct app *a, struct str body, struct errbuf *e)
{
    static const char where[] = "nodes.a.properties.";
    struct json tools = json_get_set(json_root(body), "tools");
    struct workflow *wf = NULL;
    struct workflow_issues issues;
    struct buf graph;
    int rc = 0;
    if (!json_exists(tools))
        return 0;
    buf_init(&graph, JSON_BODY_MAX);
    buf_printf(&graph, "{\"start_node_id\":\"s\",\"nodes\":{\"s\":{\"type\":\"start\","
                       "\"next_ids\":[\"a\"]},\"e\":{\"type\":\"end\"},\"a\":{\"type\":\"agent\","
                       "\"next_ids\":[\"e\"],\"properties\":{\"name\":\"a\",\"persona\":\"a\","
                       "\"prompt\":\"a\",\"tools\":");
    buf_append_str(&graph, json_raw(tools));
    buf_append_z(&graph, "}}}}");
    workflow_issues_init(&issues);
    if (workflow_parse(buf_str(&graph), a->vm, &wf, &issues)) {
        rc = err_set(e, ERR_INVALID, "tools: the agent's settings do not validate");
        for (unsigned i = 0; i < issues.count; i++) {
            struct str path = issues.items[i].path, message = issues.items[i].message;
            if (strcmp(issues.items[i].severity, "error") != 0)
                continue;
            if (path.n > sizeof(where) - 1 && memcmp(path.p, where, sizeof(where) - 1) == 0)
                path = (struct str){path.p + sizeof(where) - 1, path.n - sizeof(where) + 1};
            rc = err_set(e, ERR_INVALID, "%.*s: %.*s", STR_FMT(path), STR_FMT(message));
            break;
        }
    }
    workflow_unref(wf);
    workflow_issues_deinit(&issues);
    buf_deinit(&graph);
    return rc;
}

/* What a body must have; answers when it has not. */
static bool body_ok(struct app *a, struct svc_req *req, struct catalog_body *body)
{
    struct errbuf e = {""};
    enum catalog_kind kind = req->catalog.kind;
    if (choose_id(a, req, body)) {
        app_fail(req, ERR_INVALID, "id: \"%.*s\" is not the path's", STR_FMT(body->id));
    } else if (!body->name.p) {
        app_fail(req, ERR_INVALID, "name: missing");
    } else if (kind == CATALOG_TEMPLATE && !json_exists(json_get(json_root(body->json), "graph"))) {
        app_fail(req, ERR_INVALID, "graph: missing");
    } else if (req->op == SVC_CATALOG_CREATE && catalog_system_find(kind, body->id)) {
        fail_system(req, body->id);
    } else if (kind == CATALOG_AGENT && agent_tools_check(a, body->json, &e)) {
        app_fail(req, ERR_INVALID, "%s", e.text);
    } else {
        return kind != CATALOG_TEMPLATE || catalog_template_ok(a, req, body->json);
    }
    return false;
}

void catalog_put_text(struct app *a, struct svc_req *req, struct str text, int64_t expected)
{
    struct catalog_body body;
    struct errbuf e = {""};
    int rc = catalog_body_read(req->catalog.kind, text, &req->arena, &body, &e);
    if (rc) {
        app_fail(req, rc, "%s", e.text);
        return;
    }
    if (!body_ok(a, req, &body))
        return;
    struct catalog_job *job = job_create(a, req);
    struct store_catalog_put *put = &job->u.put;
    job_start(job, STORE_CATALOG_PUT, catalog_stored);
    put->kind = req->catalog.kind;
    catalog_body_row(&body, &put->row);
    put->row.workspace = req->workspace;
    put->create_only = req->op == SVC_CATALOG_CREATE;
    put->must_exist = req->op == SVC_CATALOG_PATCH ||
                      (req->op == SVC_CATALOG_PUT && catalog_system_find(put->kind, body.id));
    put->expected_version = expected;
    put->now_ms = clock_wall_ms();
    put_agents(req, put, &body);
    req->http_status = req->op == SVC_CATALOG_CREATE ? 201 : 200;
    if (req->idempotency_key.p)
        answer_ahead(req, put);
    store_submit(a->store, &put->req);
}

void svc_catalog_put(struct app *a, struct svc_req *req)
{
    if (req->op != SVC_CATALOG_CREATE || req->catalog.kind != CATALOG_TEMPLATE ||
        !catalog_save_workflow(a, req))
        catalog_put_text(a, req, req->workflow.text, req->if_match);
}

/* ---- patch ---- */

static void patch_merge(struct catalog_job *job, const struct catalog_row *row)
{
    struct svc_req *req = job->req;
    struct buf merged;
    struct errbuf e = {""};
    buf_init(&merged, JSON_BODY_MAX);
    int rc = json_merge(row->body_json, req->workflow.text, &merged);
    if (rc == 0)
        rc = json_check(buf_str(&merged), NULL, &e);
    if (rc) {
        app_fail(req, ERR_INVALID, "it cannot be merged: %s", e.text[0] ? e.text : "too large");
    } else {
        struct str text = {arena_strdup(&req->arena, buf_str(&merged)), merged.len};
        catalog_put_text(job->app, req, text, row->version);
    }
    buf_deinit(&merged);
}

static void patch_read(struct catalog_lookup *l)
{
    struct catalog_job *job = l->data;
    struct svc_req *req = job->req;
    const struct catalog_row *row = l->status ? NULL : l->rows[0];
    if (l->status)
        app_failed_store(req, &l->get.req, "");
    else if (!row)
        fail_not_found(req);
    else if (row == catalog_system_find(req->catalog.kind, req->name))
        fail_system(req, req->name);
    else if (req->if_match > 0 && req->if_match != row->version)
        fail_stale(req);
    else if (json_type(json_root(req->workflow.text)) != JSON_OBJECT)
        app_fail(req, ERR_INVALID, "expected an object");
    else
        patch_merge(job, row);
    catalog_lookup_deinit(l);
    free(job);
}

void svc_catalog_patch(struct app *a, struct svc_req *req)
{
    if (req->moves++ < PATCH_TRIES)
        job_look_up(job_create(a, req), patch_read);
    else
        app_fail(req, ERR_UNAVAILABLE, "others change the %s all the time; try again",
                 word_of(req));
}

/* ---- delete ---- */

static void catalog_deleted(struct store_req *r)
{
    struct catalog_job *job = r->data;
    struct svc_req *req = job->req;
    if (r->status == ERR_CONFLICT) {
        struct jw w;
        jw_init(&w, &req->details);
        jw_object(&w);
        jw_kv_raw(&w, "used_by", job->u.del.used_by_json);
        jw_end(&w);
        req->error_code = "in_use";
        app_fail(req, ERR_CONFLICT,
                 "the %s is in use; with ?detach=true it is deleted all the same", word_of(req));
    } else if (r->status == ERR_STALE) {
        fail_stale(req);
    } else if (r->status == ERR_NOT_FOUND && catalog_system_find(req->catalog.kind, req->name)) {
        fail_system(req, req->name);
    } else if (r->status == ERR_NOT_FOUND) {
        fail_not_found(req);
    } else if (!app_failed_store(req, r, "")) {
        req->http_status = 204;
        app_done(req);
    }
    job_destroy(job);
}

void svc_catalog_delete(struct app *a, struct svc_req *req)
{
    struct catalog_job *job = job_create(a, req);
    struct store_catalog_delete *d = &job->u.del;
    job_start(job, STORE_CATALOG_DELETE, catalog_deleted);
    d->kind = req->catalog.kind;
    d->workspace = req->workspace;
    d->id = req->name;
    d->detach = req->catalog.detach;
    d->expected_version = req->if_match;
    d->now_ms = clock_wall_ms();
    store_submit(a->store, &d->req);
}
