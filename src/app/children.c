#include "app/children.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/inbox_code.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/form.h"

#define RETRY_MS 1000 /* after the store could not be asked */

/* One that is being made, or looked for. */
struct child_start {
    struct list link;
    struct app *app;
    struct id parent_id, run_id, child_id;
    char *request, *workspace;
    unsigned depth;
    bool cancelled, again; /* again: the store failed, the timer goes on with it */
    struct id above;       /* the session around it that is looked at */
    struct store_session_get get;
    struct store_workflow_get find;
};

static void start_look(struct child_start *c);

static void start_free(struct child_start *c)
{
    list_remove(&c->link);
    store_req_deinit(&c->get.req);
    store_req_deinit(&c->find.req);
    free(c->request);
    free(c->workspace);
    free(c);
}

/* ---- how it ended ---- */

struct ending {
    struct str output_json; /* NULL: it failed */
    const char *code;
    char text[700];
};

static void ending_of(const struct session_core *core, struct id child_id, struct ending *end)
{
    char id[ID_TEXT_BYTES + 1];
    struct json error = core->error_json.p ? json_root(core->error_json) : JSON_ABSENT;
    id_format(child_id, id);
    *end = (struct ending){.code = "child_failed"};
    if (str_eqz(core->status, "completed")) {
        end->output_json = core->output_json.p ? core->output_json : STR("null");
    } else if (str_eqz(core->status, "cancelled")) {
        end->code = "child_cancelled";
        snprintf(end->text, sizeof(end->text), "The child session %s was cancelled.", id);
    } else {
        char *code = json_strdup(json_get(error, "code"));
        char *message = json_strdup(json_get(error, "message"));
        snprintf(end->text, sizeof(end->text), "The child session %s failed (%s): %.500s", id,
                 code ? code : "unknown", message ? message : "");
        free(code);
        free(message);
    }
    size_t n = strlen(end->text);
    if (n > 500) /* a cut may have split a character */
        while (n && (unsigned char)end->text[n - 1] >= 0x80)
            end->text[--n] = 0;
}

static void parent_step(struct child_start *c, struct engine_input *in)
{
    struct live *l = live_find(c->app, c->parent_id);
    struct errbuf e = {""};
    in->run_id = c->run_id;
    in->retry_after_ms = -1;
    if (l && live_step(l, in, &e)) /* else whoever has it asks again */
        log_error("children", "the engine refused a result: %s", e.text);
}

static void start_fail(struct child_start *c, const char *code, const char *text)
{
    struct engine_input in = {
        .kind = IN_RUN_FAILED, .error_code = str_of(code), .error_text = str_of(text)};
    parent_step(c, &in);
    start_free(c);
}

/* ---- making it ---- */

static struct json start_prop(const struct child_start *c, const char *key)
{
    return json_get(json_root(str_of(c->request)), key);
}

static void start_session(struct child_start *c, struct workflow *w, struct live *parent,
                          struct str input)
{
    struct app *a = c->app;
    struct errbuf e = {""};
    const struct session_meta *p = session_meta_of(parent->session);
    struct session_meta m = {.workspace = p->workspace,
                             .name = w->name,
                             .group_id = p->group_id.p ? p->group_id : w->group_id,
                             .user_id = p->user_id,
                             .tags_json = STR("[]"),
                             .metadata_json = STR("{}"),
                             .settings_json = STR("{}"),
                             .thread_configs_json = STR("{}"),
                             .workflow_state_json = STR("{}"),
                             .workflow_id = w->id,
                             .workflow_version = w->version,
                             .checksum = w->checksum[0] ? str_of(w->checksum) : STR_NULL,
                             .input_json = input,
                             .parent_id = c->parent_id,
                             .parent_run = c->run_id};
    bool paused = session_status_of(parent->session) == SESSION_PAUSED;
    struct live *l = live_create(a, w, c->child_id, &m, paused);
    struct engine_input in = {.kind = IN_START, .reason = STR(CHILD_PAUSED)};
    if (live_step(l, &in, &e)) {
        live_destroy(l);
        start_fail(c, "internal", e.text);
        return;
    }
    start_free(c);
}

static void start_make(struct child_start *c, struct workflow *w)
{
    struct app *a = c->app;
    struct live *parent = live_find(a, c->parent_id);
    struct str input = json_raw(start_prop(c, "input"));
    struct arena arena;
    struct errbuf e = {""};
    if (!parent || c->cancelled || live_find(a, c->child_id) || a->handover.active || a->stopping) {
        start_free(c);
        return;
    }
    arena_init(&arena);
    if (form_take(w->input_schema, input, &arena, &input, &e))
        start_fail(c, "invalid_input", e.text);
    else
        start_session(c, w, parent, input);
    arena_deinit(&arena);
}

static void start_found_workflow(struct store_req *r)
{
    struct child_start *c = r->data;
    struct workflow_issues issues;
    struct workflow *w = NULL;
    if (r->status == ERR_NOT_FOUND) {
        start_fail(c, "unknown_workflow", "There is no such workflow, or no such version of it.");
        return;
    }
    if (r->status) {
        c->again = true;
        return;
    }
    workflow_issues_init(&issues);
    if (workflow_parse(c->find.row.graph_json, c->app->vm, &w, &issues) == 0) {
        w->version = c->find.row.version;
        plans_put(&c->app->plans, str_of(c->workspace), w, c->find.version == 0);
        start_make(c, w);
        workflow_unref(w);
    } else {
        start_fail(c, "invalid_workflow", "The workflow does not validate any more.");
    }
    workflow_issues_deinit(&issues);
}

static void start_find_workflow(struct child_start *c)
{
    struct json id = start_prop(c, "workflow_id");
    int64_t version = 0;
    json_i64(start_prop(c, "version"), &version);
    struct str name = {id.p + 1, id.n - 2}; /* plain: it is an id */
    struct str workspace = str_of(c->workspace);
    struct workflow *w = plans_get(&c->app->plans, workspace, name, version);
    if (w) {
        start_make(c, w);
        return;
    }
    memset(&c->find, 0, sizeof(c->find));
    store_req_init(&c->find.req, STORE_WORKFLOW_GET, start_found_workflow, c);
    c->find.workspace = workspace;
    c->find.id = name;
    c->find.version = version;
    store_submit(c->app->store, &c->find.req);
}

/* ---- how deep ---- */

static void start_climb(struct child_start *c);

static void start_climbed(struct store_req *r)
{
    struct child_start *c = r->data;
    struct id above = c->get.row.meta.parent_id, run = c->get.row.meta.parent_run;
    int status = r->status;
    store_req_deinit(r);
    memset(&c->get, 0, sizeof(c->get));
    if (status && status != ERR_NOT_FOUND) {
        c->again = true;
        return;
    }
    c->above = status || id_is_zero(run) ? (struct id){{0}} : above;
    start_climb(c);
}

static void start_climb(struct child_start *c)
{
    if (++c->depth > CHILDREN_DEPTH_MAX) {
        start_fail(c, "too_deep", "Subworkflows are nested deeper than allowed (8).");
        return;
    }
    if (id_is_zero(c->above)) {
        start_find_workflow(c);
        return;
    }
    store_req_init(&c->get.req, STORE_SESSION_GET, start_climbed, c);
    c->get.id = c->above;
    store_submit(c->app->store, &c->get.req);
}

/* ---- is it there? ---- */

static void start_deliver(struct child_start *c)
{
    struct ending end;
    ending_of(&c->get.row.core, c->child_id, &end);
    struct engine_input in = {.kind = end.output_json.p ? IN_RUN_DONE : IN_RUN_FAILED,
                              .output_json = end.output_json,
                              .error_code = str_of(end.code),
                              .error_text = str_of(end.text)};
    parent_step(c, &in);
    start_free(c);
}

static void start_looked(struct store_req *r)
{
    struct child_start *c = r->data;
    struct live *parent = live_find(c->app, c->parent_id);
    enum session_status status;
    if (c->app->stopping || !parent || c->cancelled) {
        start_free(c);
    } else if (r->status == ERR_NOT_FOUND) {
        const struct session_meta *m = session_meta_of(parent->session);
        c->depth = 0;
        c->above = id_is_zero(m->parent_run) ? (struct id){{0}} : m->parent_id;
        store_req_deinit(r);
        memset(&c->get, 0, sizeof(c->get));
        start_climb(c);
    } else if (r->status) {
        c->again = true;
    } else if (!str_eq(c->get.row.meta.workspace, str_of(c->workspace))) {
        /* The id came with an imported session: what it names is not this workspace's to read. */
        start_fail(c, "child_not_found", "The child session cannot be had here.");
    } else if (session_status_parse(c->get.row.core.status, &status) &&
               session_status_is_terminal(status)) {
        start_deliver(c);
    } else {
        start_free(c); /* it lives, and its end will be told */
    }
}

static void start_look(struct child_start *c)
{
    store_req_deinit(&c->get.req);
    store_req_deinit(&c->find.req);
    memset(&c->get, 0, sizeof(c->get));
    memset(&c->find, 0, sizeof(c->find));
    c->again = false;
    store_req_init(&c->find.req, STORE_WORKFLOW_GET, start_found_workflow, c);
    store_req_init(&c->get.req, STORE_SESSION_GET, start_looked, c);
    c->get.id = c->child_id;
    store_submit(c->app->store, &c->get.req);
}

static void children_retry(uv_timer_t *t)
{
    struct children *all = t->data;
    list_foreach_safe(it, next, &all->starts)
    {
        struct child_start *c = container_of(it, struct child_start, link);
        if (c->again && all->app->stopping)
            start_free(c);
        else if (c->again)
            start_look(c);
    }
    if (list_empty(&all->starts))
        uv_timer_stop(t);
}

static struct child_start *start_of(struct app *a, struct id child_id)
{
    list_foreach(it, &a->children.starts)
    {
        struct child_start *c = container_of(it, struct child_start, link);
        if (id_eq(c->child_id, child_id))
            return c;
    }
    return NULL;
}

void children_start(struct live *l, const struct effect *ef)
{
    struct app *a = l->app;
    struct str workspace = session_meta_of(l->session)->workspace;
    bool is_foreign = workspaces_sees(a, workspace, ef->child_id) == 0;
    if (start_of(a, ef->child_id) || (live_find(a, ef->child_id) && !is_foreign))
        return;
    struct child_start *c = mem_zalloc(sizeof(*c));
    c->app = a;
    c->parent_id = l->id;
    c->run_id = ef->run_id;
    c->child_id = ef->child_id;
    c->request = str_dup(ef->request_json);
    c->workspace = str_dup(workspace);
    list_append(&a->children.starts, &c->link);
    store_req_init(&c->find.req, STORE_WORKFLOW_GET, start_found_workflow, c);
    store_req_init(&c->get.req, STORE_SESSION_GET, start_looked, c);
    if (!uv_is_active((uv_handle_t *)&a->children.retry))
        uv_timer_start(&a->children.retry, children_retry, RETRY_MS, RETRY_MS);
    start_look(c);
}

void children_cancel(struct app *a, struct id child_id)
{
    struct child_start *c = start_of(a, child_id);
    if (c)
        c->cancelled = true;
}

/* ---- commands for others ---- */

static void command_add(struct live *l, struct delta *d, struct id session_id, struct svc_req *req)
{
    struct command_row *row = arena_calloc(&d->arena, 1, sizeof(*row));
    const struct command_row **tail = &d->commands_new;
    struct buf text;
    buf_init(&text, SVC_BODY_MAX);
    req->workspace = session_meta_of(l->session)->workspace;
    inbox_request_write(&text, req, l->app->instances.self);
    row->command_id = id_new(&l->app->ids, (uint64_t)d->at);
    row->session_id = session_id;
    row->request_json = (struct str){arena_strdup(&d->arena, buf_str(&text)), text.len};
    row->created_at = d->at;
    while (*tail)
        tail = (const struct command_row **)&((struct command_row *)*tail)->next;
    *tail = row;
    buf_deinit(&text);
}

static void child_tell(struct live *l, struct delta *d, const struct effect *ef)
{
    struct svc_req req;
    svc_req_init(&req, ef->kind == EFFECT_CHILD_CANCEL  ? SVC_CANCEL
                       : ef->kind == EFFECT_CHILD_PAUSE ? SVC_PAUSE
                                                        : SVC_CHILD_RESUME);
    if (ef->kind == EFFECT_CHILD_CANCEL)
        req.reason = STR("parent ended");
    else if (ef->kind == EFFECT_CHILD_PAUSE)
        req.reason = STR(CHILD_PAUSED);
    command_add(l, d, ef->child_id, &req);
    svc_req_deinit(&req);
}

static void error_write(struct svc_req *req, const struct ending *end)
{
    struct buf b;
    struct jw w;
    buf_init(&b, 16384);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "code", end->code);
    jw_kv_stringz(&w, "message", end->text);
    jw_end(&w);
    req->task.error_json = (struct str){arena_strdup(&req->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
}

static void parent_tell(struct live *l, struct delta *d)
{
    const struct session_meta *m = session_meta_of(l->session);
    struct ending end;
    struct svc_req req;
    ending_of(d->core, l->id, &end);
    svc_req_init(&req, SVC_CHILD_ENDED);
    req.task.id = m->parent_run;
    req.task.output_json = end.output_json;
    if (!end.output_json.p)
        error_write(&req, &end);
    command_add(l, d, m->parent_id, &req);
    svc_req_deinit(&req);
}

void children_collect(struct live *l, struct delta *d, const struct effect *effects)
{
    enum session_status status;
    for (const struct effect *ef = effects; ef; ef = ef->next)
        if (ef->kind == EFFECT_CHILD_CANCEL || ef->kind == EFFECT_CHILD_PAUSE ||
            ef->kind == EFFECT_CHILD_RESUME)
            child_tell(l, d, ef);
    if (d->core && !id_is_zero(session_meta_of(l->session)->parent_run) &&
        session_status_parse(d->core->status, &status) && session_status_is_terminal(status))
        parent_tell(l, d);
}

/* ---- telling them ---- */

struct telling {
    struct app *app;
    struct id session_id;
    struct live_want want;
};

static void told(struct live_want *w, struct live *l, int status, struct errbuf *e)
{
    struct telling *t = container_of(w, struct telling, want);
    (void)e;
    if (status == ERR_STALE)
        instances_nudge(&t->app->instances, w->owner, 'c', t->session_id);
    else if ((l || status == ERR_CONFLICT) && !t->app->stopping)
        inbox_look(t->app, t->session_id);
    free(t);
}

void children_committed(struct app *a, const struct delta *d)
{
    for (const struct command_row *row = d->commands_new; row && !a->stopping; row = row->next) {
        struct telling *t = mem_zalloc(sizeof(*t));
        t->app = a;
        t->session_id = row->session_id;
        t->want.done = told;
        live_want(a, row->session_id, &t->want);
    }
}

bool children_paused_by_parent(const struct live *l)
{
    return session_status_of(l->session) == SESSION_PAUSED &&
           str_eqz(session_reason(l->session), CHILD_PAUSED);
}

/* ---- life ---- */

void children_open(struct children *c, struct app *a)
{
    c->app = a;
    list_init(&c->starts);
    uv_timer_init(&a->loop, &c->retry);
    c->retry.data = c;
}

void children_close(struct children *c)
{
    list_foreach_safe(it, next, &c->starts)
    {
        struct child_start *s = container_of(it, struct child_start, link);
        if (s->again)
            start_free(s);
    }
    uv_close((uv_handle_t *)&c->retry, NULL);
}
