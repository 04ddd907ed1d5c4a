#include "app/stages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/wire.h"

const char *stage_status_word(enum stage_status s)
{
    static const char *const words[] = {"pending", "active",  "completed",
                                        "skipped", "expired", "cancelled"};
    return words[s];
}

enum stage_status stage_status_of(const struct interrupt_row *row)
{
    struct json action = json_get(json_root(row->answer_json), "action");
    if (str_eqz(row->status, "answered"))
        return json_string_eq(action, "skip") ? STAGE_SKIPPED : STAGE_COMPLETED;
    if (str_eqz(row->status, "expired"))
        return STAGE_EXPIRED;
    return str_eqz(row->status, "cancelled") ? STAGE_CANCELLED : STAGE_ACTIVE;
}

/* ---- putting it together ---- */

static bool item_is_of(const struct interrupt_item *it, const struct node_def *def)
{
    return str_eqz(it->row.kind, "stage") && str_eq(it->row.node_id, def->id);
}

const struct interrupt_item *stages_next_item(const struct stages_view *v,
                                              const struct interrupt_item *after)
{
    bool found = !after;
    if (after && after->next)
        return after->next;
    for (const struct stages_page *p = v->pages; p; p = p->next) {
        const struct interrupt_item *last = p->list.rows;
        if (found && last)
            return last;
        while (last && last->next)
            last = last->next;
        found = found || last == after;
    }
    return NULL;
}

static size_t items_count(struct json items, bool done_only)
{
    struct json_iter it;
    size_t n = 0;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        bool done = false;
        json_bool(json_get(it.value, "done"), &done);
        n += done || !done_only;
    }
    return n;
}

/* A stage that nobody has come to: may it still be? */
static enum stage_status status_unreached(const struct stages_view *v, const struct node_def *def)
{
    const struct session_core *core = &v->session.row.core;
    char id[NAME_BYTES_MAX + 1] = {0};
    memcpy(id, def->id.p, def->id.n);
    if (core->node_statuses_json.p &&
        json_string_eq(json_get(json_root(core->node_statuses_json), id), "skipped"))
        return STAGE_SKIPPED;
    if (str_eqz(core->status, "completed"))
        return STAGE_SKIPPED;
    if (str_eqz(core->status, "failed") || str_eqz(core->status, "cancelled"))
        return STAGE_CANCELLED;
    return STAGE_PENDING;
}

static void entry_count(struct stages_view *v, struct stage_entry *e)
{
    const struct interrupt_item *it = NULL;
    unsigned n = 0;
    while ((it = stages_next_item(v, it)))
        e->count += item_is_of(it, e->def);
    e->items = arena_calloc(&v->arena, e->count + 1, sizeof(*e->items));
    while ((it = stages_next_item(v, it))) {
        if (!item_is_of(it, e->def))
            continue;
        e->items[n++] = it;
        e->open += stage_status_of(&it->row) == STAGE_ACTIVE;
    }
}

static void entry_fill(struct stages_view *v, struct stage_entry *e, const struct node_def *def)
{
    struct json props = def->properties;
    e->def = def;
    e->order = HUGE_VAL;
    e->weight = 1;
    e->minutes = -1;
    json_double(json_get_set(props, "order"), &e->order);
    json_double(json_get_set(props, "weight"), &e->weight);
    json_double(json_get_set(props, "estimated_minutes"), &e->minutes);
    entry_count(v, e);
    const struct interrupt_item *newest = stage_newest(e);
    if (newest) {
        struct json items = json_get(json_root(newest->row.request_json), "items");
        e->status = e->open ? STAGE_ACTIVE : stage_status_of(&newest->row);
        e->checked = items_count(items, true);
        e->checks = items_count(items, false);
    } else {
        e->status = status_unreached(v, def);
        e->checks = json_length(json_get_set(props, "checklist"));
    }
}

static int entry_order(const void *a, const void *b)
{
    const struct stage_entry *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->def->doc < y->def->doc ? -1 : x->def->doc > y->def->doc;
}

static void view_build(struct stages_view *v)
{
    unsigned n = v->w ? v->w->node_count : 0;
    v->stages = arena_calloc(&v->arena, n + 1, sizeof(*v->stages));
    for (unsigned i = 0; i < n; i++)
        if (v->w->nodes[i].kind == KIND_STAGE)
            entry_fill(v, &v->stages[v->count++], &v->w->nodes[i]);
    qsort(v->stages, v->count, sizeof(*v->stages), entry_order);
}

struct stage_entry *stages_find(struct stages_view *v, struct str node_id)
{
    for (unsigned i = 0; i < v->count; i++)
        if (str_eq(v->stages[i].def->id, node_id))
            return &v->stages[i];
    return NULL;
}

const struct interrupt_item *stage_newest(const struct stage_entry *e)
{
    return e->count ? e->items[e->count - 1] : NULL;
}

/* ---- reading ---- */

static void view_free(struct stages_view *v)
{
    while (v->pages) {
        struct stages_page *p = v->pages;
        v->pages = p->next;
        store_req_deinit(&p->list.req);
        free(p);
    }
    store_req_deinit(&v->stored.req);
    store_req_deinit(&v->session.req);
    workflow_unref(v->w);
    arena_deinit(&v->arena);
    free(v);
}

static void view_page(struct stages_view *v, struct str cursor);

static void page_got(struct store_req *r)
{
    struct stages_view *v = r->data;
    struct stages_page *p = container_of(r, struct stages_page, list.req);
    if (app_failed_store(v->req, r, "there is no such session")) {
        view_free(v);
    } else if (p->list.next_cursor.p && v->page_count < STAGES_PAGES_MAX) {
        view_page(v, p->list.next_cursor);
    } else {
        view_build(v);
        v->done(v);
        view_free(v);
    }
}

static void view_page(struct stages_view *v, struct str cursor)
{
    struct stages_page *p = mem_zalloc(sizeof(*p));
    store_req_init(&p->list.req, STORE_INTERRUPT_LIST, page_got, v);
    p->list.workspace = v->req->workspace;
    p->list.session_id = v->req->session_id;
    p->list.cursor = cursor;
    p->list.limit = STORE_LIMIT_MAX;
    *v->pages_tail = p;
    v->pages_tail = &p->next;
    v->page_count++;
    store_submit(v->app->store, &p->list.req);
}

/* A definition that does not validate any more is none: the session's own state is told still. */
static void view_parse(struct stages_view *v, struct str text, int64_t version)
{
    struct workflow_issues issues;
    workflow_issues_init(&issues);
    if (workflow_parse(text, v->app->vm, &v->w, &issues) == 0)
        v->w->version = version;
    workflow_issues_deinit(&issues);
}

static void workflow_got(struct store_req *r)
{
    struct stages_view *v = r->data;
    if (r->status && r->status != ERR_NOT_FOUND) {
        app_failed_store(v->req, r, "");
        view_free(v);
        return;
    }
    if (!r->status) {
        view_parse(v, v->stored.row.graph_json, v->stored.row.version);
        if (v->w && v->w->id.p)
            plans_put(&v->app->plans, v->req->workspace, v->w, false);
    }
    view_page(v, STR_NULL);
}

static void session_got(struct store_req *r)
{
    struct stages_view *v = r->data;
    const struct session_meta *m = &v->session.row.meta;
    if (app_failed_store(v->req, r, "there is no such session")) {
        view_free(v);
        return;
    }
    if (m->graph_json.p) {
        view_parse(v, m->graph_json, 0);
    } else if (m->workflow_id.p && !m->stored_only) {
        struct workflow *w =
            plans_get(&v->app->plans, v->req->workspace, m->workflow_id, m->workflow_version);
        v->w = w ? workflow_ref(w) : NULL;
        if (!w) {
            v->stored.workspace = v->req->workspace;
            v->stored.id = m->workflow_id;
            v->stored.version = m->workflow_version;
            store_submit(v->app->store, &v->stored.req);
            return;
        }
    }
    view_page(v, STR_NULL);
}

void stages_view_load(struct app *a, struct svc_req *req, void (*done)(struct stages_view *v))
{
    struct stages_view *v = mem_zalloc(sizeof(*v));
    v->app = a;
    v->req = req;
    v->done = done;
    v->pages_tail = &v->pages;
    arena_init(&v->arena);
    store_req_init(&v->stored.req, STORE_WORKFLOW_GET, workflow_got, v);
    store_req_init(&v->session.req, STORE_SESSION_GET, session_got, v);
    v->session.workspace = req->workspace;
    v->session.id = req->session_id;
    store_submit(a->store, &v->session.req);
}

/* ---- sums ---- */

double stage_share(const struct stage_entry *e)
{
    if (stage_is_over(e->status))
        return 1;
    if (e->status == STAGE_PENDING || !e->checks)
        return 0;
    return (double)e->checked / (double)e->checks;
}

/* Of a session without stages: how many of its nodes have settled. */
static double percent_of_nodes(const struct stages_view *v)
{
    struct str statuses = v->session.row.core.node_statuses_json;
    struct json_iter it;
    double settled = 0, all = 0;
    json_iter_init(&it, statuses.p ? json_root(statuses) : JSON_ABSENT);
    while (json_iter_next(&it)) {
        all++;
        settled += !json_string_eq(it.value, "pending") && !json_string_eq(it.value, "running") &&
                   !json_string_eq(it.value, "suspended");
    }
    return all > 0 ? settled / all : 0;
}

void stages_sum(const struct stages_view *v, struct stages_sum *out)
{
    bool estimated = false;
    double left = 0, share;
    *out = (struct stages_sum){.total = v->count};
    for (unsigned i = 0; i < v->count; i++) {
        const struct stage_entry *e = &v->stages[i];
        out->done += stage_is_over(e->status);
        out->weight_total += e->weight;
        out->weight_done += e->weight * stage_share(e);
        estimated = estimated || e->minutes >= 0;
        if (e->minutes > 0)
            left += e->minutes * (1 - stage_share(e));
    }
    share = out->weight_total > 0 ? out->weight_done / out->weight_total : percent_of_nodes(v);
    if (str_eqz(v->session.row.core.status, "completed"))
        share = 1;
    out->percent = floor(share * 100 + 1e-9);
    out->minutes_left = estimated ? left : -1;
}

/* ---- as JSON ---- */

static void entries_write(struct jw *w, const char *key, struct json from, const char *more,
                          const char *value)
{
    struct json_iter it;
    jw_key(w, key);
    jw_array(w);
    json_iter_init(&it, from);
    while (json_iter_next(&it)) {
        bool plain = json_type(it.value) == JSON_STRING, required = true;
        jw_object(w);
        jw_kv_raw(w, "name", json_raw(plain ? it.value : json_get(it.value, "name")));
        json_bool(json_get(it.value, "required"), &required);
        jw_kv_bool(w, "required", required);
        jw_kv_raw(w, more, str_of(value));
        jw_end(w);
    }
    jw_end(w);
}

static void pending_write(struct jw *w, const struct stages_view *v, const struct stage_entry *e)
{
    static const char *const passed[] = {"estimated_minutes", "weight", "depends_on", "order",
                                         "allow_skip"};
    static const char *const unknown[] = {"started_at",   "started_by", "completed_by",
                                          "completed_at", "expires_at", "created_at",
                                          "updated_at"};
    struct json props = e->def->properties, name = json_get_set(props, "name");
    char id[ID_TEXT_BYTES + 1];
    id_format(v->session.row.id, id);
    jw_object(w);
    jw_kv_raw(w, "instance_id", STR("null"));
    jw_kv_stringz(w, "session_id", id);
    jw_kv_string(w, "node_id", e->def->id);
    if (json_exists(name))
        jw_kv_raw(w, "name", json_raw(name));
    else
        jw_kv_string(w, "name", e->def->name);
    jw_kv_raw(w, "description", json_raw(json_get(props, "description")));
    jw_kv_stringz(w, "status", stage_status_word(e->status));
    entries_write(w, "items", json_get_set(props, "checklist"), "done", "false");
    jw_kv_i64(w, "done", 0);
    jw_kv_u64(w, "total", e->checks);
    entries_write(w, "deliverables", json_get_set(props, "deliverables"), "value", "null");
    jw_kv_raw(w, "context", STR("{}"));
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        if (json_exists(json_get_set(props, passed[i])))
            jw_kv_raw(w, passed[i], json_raw(json_get_set(props, passed[i])));
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        jw_kv_raw(w, unknown[i], STR("null"));
    jw_end(w);
}

void stage_write_one(struct jw *w, const struct stages_view *v, const struct stage_entry *e,
                     const struct interrupt_item *it)
{
    if (it)
        wire_stage(w, &it->row);
    else
        pending_write(w, v, e);
}
