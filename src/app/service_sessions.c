/* Commands of sessions: execute, and everything that becomes an input of the engine. */
#include <stdlib.h>
#include <string.h>

#include "app/agents.h"
#include "app/app.h"
#include "app/attachments.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/form.h"
#include "net/wire.h"

/* ---- execute ---- */

/* What an execute needs until its workflow is known. */
struct execute_job {
    struct app *app;
    struct svc_req *req;
    struct store_workflow_get get;
};

static void execute_meta(const struct svc_req *req, const struct workflow *w,
                         struct session_meta *m)
{
    *m = (struct session_meta){
        .workspace = req->workspace,
        .name = req->execute.name.p ? req->execute.name : w->name,
        .group_id = req->execute.group_id.p ? req->execute.group_id : w->group_id,
        .user_id = req->execute.user_id,
        .tags_json = req->execute.tags_json.p ? req->execute.tags_json : STR("[]"),
        .metadata_json = req->execute.metadata_json.p ? req->execute.metadata_json : STR("{}"),
        .settings_json = STR("{}"),
        .thread_configs_json = STR("{}"),
        .workflow_state_json = STR("{}"),
        .workflow_id = w->id,
        .workflow_version = w->version,
        .graph_json = w->version == 0 ? w->text : STR_NULL,
        .checksum = w->version && w->checksum[0] ? str_of(w->checksum) : STR_NULL,
        .input_json = req->execute.input_json,
        .budget_json = req->execute.budget_json,
    };
}

/* 422, with those that there are. */
static bool execute_stage_is_there(struct svc_req *req, const struct workflow *w)
{
    int n = workflow_find(w, req->execute.stage);
    struct jw out;
    if (!req->execute.stage.p ||
        (n >= 0 && w->nodes[n].kind == KIND_STAGE && w->nodes[n].owner < 0))
        return true;
    jw_init(&out, &req->details);
    jw_object(&out);
    jw_key(&out, "stages");
    jw_array(&out);
    for (unsigned i = 0; i < w->node_count; i++)
        if (w->nodes[i].kind == KIND_STAGE && w->nodes[i].owner < 0)
            jw_string(&out, w->nodes[i].id);
    jw_end(&out);
    jw_end(&out);
    req->error_code = "unknown_stage";
    app_fail(req, ERR_UNPROCESSABLE, "the workflow has no stage \"%.*s\" to begin at",
             STR_FMT(req->execute.stage));
    return false;
}

static void execute_start(struct app *a, struct svc_req *req, struct workflow *w)
{
    struct errbuf e = {""};
    if (!execute_stage_is_there(req, w) || !attachments_take(req))
        return;
    int rc = form_take(w->input_schema, req->execute.input_json, &req->arena,
                       &req->execute.input_json, &e);
    if (rc) {
        req->error_code = "invalid_input";
        app_fail(req, ERR_INVALID, "the input does not hold to the workflow's input_schema: %s",
                 e.text);
        return;
    }
    struct session_meta meta;
    execute_meta(req, w, &meta);
    struct id id = req->execute.session_id;
    if (id_is_zero(id))
        id = id_new(&a->ids, (uint64_t)clock_wall_ms());
    struct live *l = live_create(a, w, id, &meta, req->execute.start_paused);
    struct engine_input in = {.kind = IN_START, .node_id = req->execute.stage};
    session_attach(l->session, req->execute.attachments_json);
    rc = live_step(l, &in, &e);
    if (rc) {
        live_destroy(l);
        app_fail(req, rc, "%s", e.text);
        return;
    }
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    req->http_status = 202;
    buf_printf(&req->body, "{\"session_id\":\"%s\",\"status\":\"started\"}", text);
    live_add_reply(l, req, idempotency_row_of(req, &req->arena));
}

/* ---- the stored agents that it needs ---- */

struct agents_job {
    struct app *app;
    struct svc_req *req;
    struct agents_find find;
};

static void execute_refuse_agents(struct svc_req *req, const struct agents_find *f)
{
    struct jw w;
    jw_init(&w, &req->details);
    jw_object(&w);
    jw_key(&w, "errors");
    jw_array(&w);
    agents_write_missing(f, &w);
    jw_end(&w);
    jw_end(&w);
    unsigned count = agents_missing(f);
    req->error_code = "unknown_agent";
    app_fail(req, ERR_UNPROCESSABLE, "the workflow names %u agent%s that nobody knows", count,
             count == 1 ? "" : "s");
}

static void execute_agents_found(struct agents_find *f)
{
    struct agents_job *job = f->data;
    if (f->lookup.status)
        app_fail(job->req, f->lookup.status, "%s", f->lookup.error.text);
    else if (agents_missing(f))
        execute_refuse_agents(job->req, f);
    else
        execute_start(job->app, job->req, f->workflow);
    agents_find_deinit(f);
    free(job);
}

/* Begins it, once it is known that everybody is there who is to speak. */
static void execute_go(struct app *a, struct svc_req *req, struct workflow *w)
{
    struct agents_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    job->find = (struct agents_find){
        .workflow = w, .workspace = req->workspace, .done = execute_agents_found, .data = job};
    agents_find(a, &job->find);
}

/* The answer of a workflow that does not validate: 422 with every error. */
static void execute_refuse(struct svc_req *req, const struct workflow_issues *issues)
{
    struct jw w;
    jw_init(&w, &req->details);
    jw_object(&w);
    svc_write_issues(&w, issues);
    jw_end(&w);
    const struct workflow_issue *first = &issues->items[0];
    for (unsigned i = 0; i < issues->count; i++)
        if (strcmp(issues->items[i].severity, "error") == 0) {
            first = &issues->items[i];
            break;
        }
    req->error_code = "invalid_workflow";
    app_fail(req, ERR_UNPROCESSABLE, "%.*s: %.*s", STR_FMT(first->path), STR_FMT(first->message));
}

static void execute_inline(struct app *a, struct svc_req *req)
{
    struct workflow *w = NULL;
    struct workflow_issues issues;
    workflow_issues_init(&issues);
    if (workflow_parse(req->execute.graph_json, a->vm, &w, &issues) == 0)
        execute_go(a, req, w);
    else
        execute_refuse(req, &issues);
    workflow_unref(w);
    workflow_issues_deinit(&issues);
}

static void execute_found(struct store_req *r)
{
    struct execute_job *job = r->data;
    struct app *a = job->app;
    struct svc_req *req = job->req;
    struct workflow *w = NULL;
    if (!app_failed_store(req, r, "there is no such workflow")) {
        struct workflow_issues issues;
        workflow_issues_init(&issues);
        if (workflow_parse(job->get.row.graph_json, a->vm, &w, &issues) == 0) {
            w->version = job->get.row.version;
            plans_put(&a->plans, req->workspace, w, job->get.version == 0);
            execute_go(a, req, w);
        } else {
            execute_refuse(req, &issues);
        }
        workflow_issues_deinit(&issues);
        workflow_unref(w);
    }
    store_req_deinit(r);
    free(job);
}

/* Which version is the newest, asked for before what is known is too old to be believed. */
struct execute_look {
    struct app *app;
    struct store_workflow_get get;
    int64_t asked;
    char *workspace, *id;
};

static void execute_looked(struct store_req *r)
{
    struct execute_look *look = r->data;

    if (r->status == 0)
        plans_answered(&look->app->plans, look->get.workspace, look->get.id, look->get.row.version,
                       look->asked);
    else if (r->status == ERR_NOT_FOUND) /* the next who wants it is told so */
        plans_doubt(&look->app->plans, look->get.workspace, look->get.id);
    store_req_deinit(r);
    free(look->workspace);
    free(look->id);
    free(look);
}

static void execute_look_ahead(struct app *a, const struct svc_req *req)
{
    int64_t asked = plans_ask(&a->plans, req->workspace, req->execute.workflow_id);

    if (asked == 0)
        return;
    struct execute_look *look = mem_zalloc(sizeof(*look));
    look->app = a;
    look->asked = asked;
    look->workspace = str_dup(req->workspace);
    look->id = str_dup(req->execute.workflow_id);
    store_req_init(&look->get.req, STORE_WORKFLOW_GET, execute_looked, look);
    look->get.workspace = str_of(look->workspace);
    look->get.id = str_of(look->id);
    store_submit(a->store, &look->get.req);
}

void svc_execute(struct app *a, struct svc_req *req)
{
    if (live_count(a) >= APP_SESSIONS_MAX) {
        app_fail(req, ERR_OVERLOAD, "too many sessions are live (%d); try again later",
                 APP_SESSIONS_MAX);
        return;
    }
    if (req->execute.graph_json.p) {
        execute_inline(a, req);
        return;
    }
    struct workflow *w = plans_get(&a->plans, req->workspace, req->execute.workflow_id,
                                   req->execute.workflow_version);
    if (w) {
        if (req->execute.workflow_version == 0)
            execute_look_ahead(a, req);
        execute_go(a, req, w);
        return;
    }
    struct execute_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->get.req, STORE_WORKFLOW_GET, execute_found, job);
    job->get.workspace = req->workspace;
    job->get.id = req->execute.workflow_id;
    job->get.version = req->execute.workflow_version;
    store_submit(a->store, &job->get.req);
}

/* ---- commands ---- */

#define NO_TASK "there is no such task: its run is over; stop working on it"

struct command_job {
    struct app *app;
    struct svc_req *req;
    struct live_want want;
};

static struct str command_error(struct svc_req *req, const char *key)
{
    struct json v = json_get(json_root(req->task.error_json), key);
    char *text = json_strdup(v);
    struct str kept = STR_NULL;
    if (text)
        kept = str_of(arena_strdup(&req->arena, str_of(text)));
    free(text);
    return kept;
}

/* What a worker says of its task. */
static void command_task_input(struct svc_req *req, struct engine_input *in)
{
    in->run_id = req->task.id;
    in->retry_after_ms = -1;
    if (req->op == SVC_TASK_HEARTBEAT) {
        in->kind = IN_LOG;
        in->text = req->task.text;
        in->level = req->task.level;
    } else if (req->op == SVC_TASK_COMPLETE ||
               (req->op == SVC_CHILD_ENDED && !req->task.error_json.p)) {
        in->kind = IN_RUN_DONE;
        in->output_json = req->task.output_json.p ? req->task.output_json : STR("null");
    } else {
        in->kind = IN_RUN_FAILED;
        in->error_code = command_error(req, "code");
        in->error_text = command_error(req, "message");
        in->is_final = req->op == SVC_TASK_FAIL && !req->task.retry;
    }
}

static struct str stage_action(enum svc_op op)
{
    if (op == SVC_STAGE_UPDATE)
        return STR("update");
    if (op == SVC_STAGE_SKIP)
        return STR("skip");
    return op == SVC_STAGE_START ? STR("start") : STR("complete");
}

static void command_input(struct svc_req *req, struct engine_input *in)
{
    memset(in, 0, sizeof(*in));
    in->reason = req->reason;
    in->hold = req->pause.hold;
    in->timers_run = req->pause.timers_run;
    switch (req->op) {
    case SVC_PAUSE:
        in->kind = IN_PAUSE;
        break;
    case SVC_CHILD_RESUME:
        in->kind = IN_RESUME;
        break;
    case SVC_RESUME:
        in->kind = IN_RESUME;
        in->budget_json = req->resume.budget_json;
        in->justification = req->resume.justification;
        break;
    case SVC_CANCEL:
        in->kind = IN_CANCEL;
        break;
    case SVC_STOP:
        in->kind = IN_STOP;
        break;
    case SVC_NODE_RESUME:
        in->kind = IN_RESUME_NODE;
        in->node_id = req->answer.node_id;
        in->interrupt_id = req->answer.interrupt_id;
        in->action = req->answer.action;
        in->data_json = req->answer.data_json;
        in->reviewer = req->answer.reviewer;
        break;
    case SVC_STAGE_UPDATE:
    case SVC_STAGE_COMPLETE:
    case SVC_STAGE_SKIP:
    case SVC_STAGE_START:
        in->kind = IN_STAGE;
        in->node_id = req->answer.node_id;
        in->interrupt_id = req->answer.interrupt_id;
        in->action = stage_action(req->op);
        in->data_json = req->answer.data_json;
        in->reviewer = req->answer.reviewer;
        break;
    case SVC_SESSION_PUT:
    case SVC_SESSION_PATCH:
        in->kind = IN_META;
        in->data_json = req->stored.json;
        in->replace = req->op == SVC_SESSION_PUT;
        in->if_version = req->if_match;
        break;
    case SVC_SIGNAL:
        in->kind = IN_SIGNAL;
        in->node_id = req->signal.node_id;
        in->name = req->signal.name;
        in->data_json = req->signal.payload_json;
        break;
    case SVC_TASK_HEARTBEAT:
    case SVC_TASK_COMPLETE:
    case SVC_TASK_FAIL:
    case SVC_CHILD_ENDED:
        command_task_input(req, in);
        break;
    default: /* SVC_INPUT: the table of service.c sends nothing else here */
        in->kind = IN_USER_INPUT;
        in->content = req->input.content;
        in->user_id = req->input.user_id;
        break;
    }
}

/* The state that the command moved to: what follows from it may have come further already. */
static const char *command_status(enum svc_op op)
{
    switch (op) {
    case SVC_PAUSE:
        return "paused";
    case SVC_RESUME:
        return "running";
    case SVC_CANCEL:
        return "cancelled";
    case SVC_STOP:
        return "failed";
    case SVC_NODE_RESUME:
        return "resumed";
    case SVC_STAGE_COMPLETE:
        return "completed";
    case SVC_STAGE_SKIP:
        return "skipped";
    case SVC_SIGNAL:
        return "signal_sent";
    case SVC_TASK_COMPLETE:
        return "completed";
    case SVC_TASK_FAIL:
        return "failed";
    default:
        return "input_sent";
    }
}

static bool command_is_change(enum svc_op op)
{
    return op == SVC_SESSION_PUT || op == SVC_SESSION_PATCH;
}

static void command_changed_body(struct svc_req *req, const struct live *l)
{
    struct session_row row;
    struct jw w;
    session_describe(l->session, &req->arena, &row);
    jw_init(&w, &req->body);
    wire_session(&w, &row);
    req->etag_version = row.version;
}

/* `before`: the interrupt that it was about, if any. One that is open still has taken the answer as
 * one of several. */
static void command_body(struct svc_req *req, const struct live *l,
                         const struct interrupt_row *before)
{
    struct interrupt_row now = {0};
    if (command_is_change(req->op)) {
        command_changed_body(req, l);
        return;
    }
    if (req->op == SVC_TASK_HEARTBEAT) {
        struct jw w;
        jw_init(&w, &req->body);
        jw_object(&w);
        jw_kv_time(&w, "lease_expires_at", req->task.lease_expires_at);
        jw_end(&w);
        return;
    }
    bool open = !id_is_zero(before->interrupt_id) &&
                session_interrupt(l->session, STR_NULL, before->interrupt_id, &now);
    if ((req->op == SVC_STAGE_UPDATE || req->op == SVC_STAGE_START) && open) {
        struct jw w;
        jw_init(&w, &req->body);
        wire_stage(&w, &now);
        return;
    }
    const char *status = req->op == SVC_NODE_RESUME && open ? "recorded" : command_status(req->op);
    buf_printf(&req->body, "{\"status\":\"%s\",\"seq\":%lld}", status,
               (long long)session_last_seq(l->session));
}

/* With an Idempotency-Key it may have been its own first try that made it impossible: then it is
 * answered when that is durable, and idempotency.c finds the first answer. A change of one that has
 * just ended goes to the store, once its end is there. */
static void command_refuse(struct live *l, struct svc_req *req, int code, const char *why)
{
    if ((req->idempotency_key.p || command_is_change(req->op)) && !live_is_durable(l)) {
        req->status = err_set(&req->error, code, "%s", why);
        live_add_reply(l, req, NULL);
    } else if (req->op == SVC_NODE_RESUME && (code == ERR_CONFLICT || code == ERR_NOT_FOUND)) {
        answer_refuse(l->app, req, code, why);
    } else {
        app_fail(req, code, "%s", why);
    }
}

static bool command_is_of_task(enum svc_op op)
{
    return op == SVC_TASK_HEARTBEAT || op == SVC_TASK_COMPLETE || op == SVC_TASK_FAIL;
}

static void command_on(struct live *l, struct svc_req *req)
{
    struct engine_input in;
    struct errbuf e = {""};
    struct interrupt_row before = {0};
    if (command_is_of_task(req->op) && !session_awaits_task(l->session, req->task.id)) {
        command_refuse(l, req, ERR_NOT_FOUND, NO_TASK);
        return;
    }
    if (req->op == SVC_CHILD_RESUME && !children_paused_by_parent(l)) {
        command_refuse(l, req, ERR_CONFLICT, "the session was not paused with its parent");
        return;
    }
    command_input(req, &in);
    if (in.kind == IN_RESUME_NODE || in.kind == IN_STAGE)
        session_interrupt(l->session, in.node_id, in.interrupt_id, &before);
    bool begun = json_exists(json_get(json_root(before.request_json), "started_at"));
    int rc = live_step(l, &in, &e);
    if (rc) {
        req->error_code = session_refusal(l->session);
        buf_append_str(&req->details, engine_refusal_json(l->session));
        command_refuse(l, req, rc, e.text);
        return;
    }
    if (req->op == SVC_STAGE_START)
        req->http_status = begun ? 200 : 201;
    command_body(req, l, &before);
    live_add_reply(l, req, idempotency_row_of(req, &req->arena));
}

/* Another instance has the session: the command goes to it through the store. */
static void command_elsewhere(struct app *a, struct svc_req *req, struct id owner)
{
    if (req->inbox)
        service_again(a, req);
    else
        inbox_send(a, req, owner);
}

static void command_live(struct live_want *w, struct live *l, int status, struct errbuf *e)
{
    struct command_job *job = container_of(w, struct command_job, want);
    struct svc_req *req = job->req;
    bool gone = status == ERR_NOT_FOUND || status == ERR_CONFLICT;
    if (l)
        command_on(l, req);
    else if (status == ERR_STALE)
        command_elsewhere(job->app, req, w->owner);
    else if (command_is_of_task(req->op) && gone)
        app_fail(req, ERR_NOT_FOUND, NO_TASK);
    else if (command_is_change(req->op) && gone) {
        req->error_code = SERVICE_ENDED;
        app_fail(req, ERR_CONFLICT, "the session has ended");
    } else if (req->op == SVC_NODE_RESUME && gone)
        answer_refuse(job->app, req, ERR_NOT_FOUND, "Session not found or not active");
    else if (status == ERR_NOT_FOUND)
        app_fail(req, status, "there is no such session");
    else
        app_fail(req, status, "%s", e->text);
    free(job);
}

void svc_command(struct app *a, struct svc_req *req)
{
    struct live *l = live_find(a, req->session_id);
    if (l && session_status_is_terminal(session_status_of(l->session)) &&
        req->op == SVC_NODE_RESUME) {
        command_refuse(l, req, ERR_NOT_FOUND, "Session not found or not active");
        return;
    }
    if (l) {
        command_on(l, req);
        return;
    }
    struct command_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    job->want.done = command_live;
    live_want(a, req->session_id, &job->want);
}

/* ---- delete ---- */

struct delete_job {
    struct app *app;
    struct svc_req *req;
    struct svc_req cancel; /* our own */
    struct store_session_delete del;
};

static void delete_done(struct store_req *r)
{
    struct delete_job *job = r->data;
    if (r->status == ERR_CONFLICT)
        app_fail(job->req, ERR_CONFLICT,
                 "the session is live; cancel it first, or delete it with ?force=true");
    else if (!app_failed_store(job->req, r, "there is no such session")) {
        job->req->http_status = 204;
        app_done(job->req);
    }
    store_req_deinit(r);
    free(job);
}

static void delete_submit(struct delete_job *job)
{
    store_req_init(&job->del.req, STORE_SESSION_DELETE, delete_done, job);
    job->del.workspace = job->req->workspace;
    job->del.id = job->req->session_id;
    job->del.expected_version = job->req->if_match;
    job->del.terminal_only = true;
    store_submit(job->app->store, &job->del.req);
}

/* Forced: it is cancelled first, so that its readers see an ending, and deleted after that. */
static void delete_cancelled(struct svc_req *cancel)
{
    struct delete_job *job = cancel->data;
    svc_req_deinit(cancel); /* refused when it has ended or is not there: the delete will tell */
    delete_submit(job);
}

void svc_session_delete(struct app *a, struct svc_req *req)
{
    struct delete_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    if (!req->force) {
        delete_submit(job);
        return;
    }
    svc_req_init(&job->cancel, SVC_CANCEL);
    job->cancel.session_id = req->session_id;
    job->cancel.workspace = req->workspace;
    job->cancel.reason = STR("deleted");
    job->cancel.done = delete_cancelled;
    job->cancel.data = job;
    svc_command(a, &job->cancel);
}
