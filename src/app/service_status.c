/* Sessions as entries of a status system (net/wire_status.h, docs/STATUS.md). It is a view: what it
 * answers is the session's row, and what is asked of it becomes a command of the session.
 *
 *     PUT ── row ── the same status? ── yes ──────────────────────────────────> the entry
 *                        │ no                                                       ^
 *                        ├── pause, resume, cancel, stop ──┬── done ── row ─────────┘
 *                        └── COMPLETED: each open stage ───┘ refused: is it so by now?
 *
 * So a program that mirrors every change to here what it heard from here changes nothing.
 */
#include <stdlib.h>
#include <strings.h>

#include "app/app.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/wire_status.h"

#define NO_ENTRY             "there is no such entry; those of sessions are flow-<session id>"
#define STAGES_COMPLETED_MAX 1000 /* by one request; a workflow that has more goes round */

struct status_job {
    struct app *app;
    struct svc_req *req;
    enum session_status want;
    struct store_session_get get;
    struct store_session_list list;
    struct session_item *at; /* of the list */
    struct store_interrupt_list stages;
    struct store_session_load load;
    struct svc_req command; /* our own */
    bool has_command;
    unsigned completed; /* stages */
    struct jw w;
};

static struct status_job *job_create(struct app *a, struct svc_req *req)
{
    struct status_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    return job;
}

static void job_destroy(struct status_job *job)
{
    if (job->has_command)
        svc_req_deinit(&job->command);
    store_req_deinit(&job->get.req);
    store_req_deinit(&job->list.req);
    store_req_deinit(&job->stages.req);
    store_req_deinit(&job->load.req);
    free(job);
}

static void job_fail(struct status_job *job, int status, const char *sentence)
{
    app_fail(job->req, status, "%s", sentence);
    job_destroy(job);
}

/* ---- open stages ---- */

static bool has_open_stage(const struct session_row *row)
{
    struct json_iter it;
    json_iter_init(&it, row->core.waiting_json.p ? json_root(row->core.waiting_json) : JSON_ABSENT);
    while (json_iter_next(&it))
        if (json_string_eq(json_get(it.value, "kind"), "stage"))
            return true;
    return false;
}

static void stages_ask(struct status_job *job, struct id session_id,
                       void (*done)(struct store_req *))
{
    store_req_deinit(&job->stages.req);
    store_req_init(&job->stages.req, STORE_INTERRUPT_LIST, done, job);
    job->stages.workspace = job->req->workspace;
    job->stages.status = STR("pending");
    job->stages.kind = STR("stage");
    job->stages.session_id = session_id;
    job->stages.limit = STORE_LIMIT_MAX;
    store_submit(job->app->store, &job->stages.req);
}

/* The rows that came, linked as net knows them. */
static const struct interrupt_row *stages_rows(struct status_job *job)
{
    for (struct interrupt_item *it = job->stages.rows; it; it = it->next)
        it->row.next = it->next ? &it->next->row : NULL;
    return job->stages.rows ? &job->stages.rows->row : NULL;
}

/* ---- the list ---- */

static void list_go_on(struct status_job *job);

static void list_stages_came(struct store_req *r)
{
    struct status_job *job = r->data;
    if (app_failed_store(job->req, r, "")) {
        job_destroy(job);
        return;
    }
    wire_status_entry(&job->w, &job->at->row, stages_rows(job));
    job->at = job->at->next;
    list_go_on(job);
}

static void list_go_on(struct status_job *job)
{
    struct svc_req *req = job->req;
    for (; job->at; job->at = job->at->next) {
        if (has_open_stage(&job->at->row)) {
            stages_ask(job, job->at->row.id, list_stages_came);
            return;
        }
        wire_status_entry(&job->w, &job->at->row, NULL);
    }
    jw_end(&job->w);
    if (job->list.next_cursor.p)
        jw_kv_string(&job->w, "next_cursor", job->list.next_cursor);
    else
        jw_kv_raw(&job->w, "next_cursor", STR("null"));
    jw_end(&job->w);
    if (buf_error(&req->body))
        app_fail(req, ERR_TOO_LARGE, "the answer is too large; ask for fewer with limit");
    else
        app_done(req);
    job_destroy(job);
}

static void list_begin(struct status_job *job)
{
    jw_init(&job->w, &job->req->body);
    jw_object(&job->w);
    jw_key(&job->w, "items");
    jw_array(&job->w);
}

static void list_came(struct store_req *r)
{
    struct status_job *job = r->data;
    if (app_failed_store(job->req, r, "")) {
        job_destroy(job);
        return;
    }
    list_begin(job);
    job->at = job->list.rows;
    list_go_on(job);
}

void svc_status_list(struct app *a, struct svc_req *req)
{
    struct status_job *job = job_create(a, req);
    enum session_status status = SESSION_PENDING;
    if (req->list.status.p && !wire_status_parse(req->list.status, &status)) {
        job_fail(job, ERR_INVALID,
                 "status: expected PENDING, IN_PROGRESS, ON_HOLD, COMPLETED, FAILED or CANCELED");
        return;
    }
    if (req->list.type.p && (req->list.type.n != sizeof(STATUS_TYPE) - 1 ||
                             strncasecmp(req->list.type.p, STATUS_TYPE, req->list.type.n) != 0)) {
        list_begin(job);
        list_go_on(job);
        return;
    }
    store_req_init(&job->list.req, STORE_SESSION_LIST, list_came, job);
    job->list.workspace = req->workspace;
    if (req->list.status.p)
        job->list.status = str_of(session_status_word(status));
    job->list.cursor = req->list.cursor;
    job->list.limit = req->list.limit;
    store_submit(a->store, &job->list.req);
}

/* ---- one ---- */

static void entry_answer(struct status_job *job, const struct interrupt_row *stages)
{
    struct svc_req *req = job->req;
    struct jw w;
    jw_init(&w, &req->body);
    wire_status_entry(&w, &job->get.row, stages);
    req->etag_version = job->get.row.version;
    app_done(req);
    job_destroy(job);
}

static void entry_stages_came(struct store_req *r)
{
    struct status_job *job = r->data;
    if (app_failed_store(job->req, r, ""))
        job_destroy(job);
    else
        entry_answer(job, stages_rows(job));
}

/* Answers with the row that was read. */
static void entry_finish(struct status_job *job)
{
    if (has_open_stage(&job->get.row))
        stages_ask(job, job->get.row.id, entry_stages_came);
    else
        entry_answer(job, NULL);
}

static void entry_ask(struct status_job *job, struct id session_id,
                      void (*done)(struct store_req *))
{
    store_req_deinit(&job->get.req);
    store_req_init(&job->get.req, STORE_SESSION_GET, done, job);
    job->get.workspace = job->req->workspace;
    job->get.id = session_id;
    store_submit(job->app->store, &job->get.req);
}

static void entry_came(struct store_req *r)
{
    struct status_job *job = r->data;
    if (app_failed_store(job->req, r, NO_ENTRY))
        job_destroy(job);
    else
        entry_finish(job);
}

void svc_status_get(struct app *a, struct svc_req *req)
{
    struct id id;
    if (wire_status_id(req->name, &id))
        entry_ask(job_create(a, req), id, entry_came);
    else
        app_fail(req, ERR_NOT_FOUND, "%s", NO_ENTRY);
}

/* ---- change ---- */

static void put_done(struct status_job *job)
{
    entry_ask(job, job->get.id, entry_came);
}

/* What refused the command is the request's answer. */
static void put_refuse(struct status_job *job)
{
    struct svc_req *req = job->req, *c = &job->command;
    buf_append_str(&req->details, buf_str(&c->details));
    req->error_code = c->error_code;
    app_fail(req, c->status, "%s", c->error.text);
    job_destroy(job);
}

/* It was refused; somebody else may have moved the session to where it is wanted. */
static void put_looked_again(struct store_req *r)
{
    struct status_job *job = r->data;
    enum session_status now;
    if (r->status == 0 && wire_status_of(job->get.row.core.status, &now) && now == job->want)
        entry_finish(job);
    else
        put_refuse(job);
}

static void command_done(struct svc_req *c)
{
    struct status_job *job = c->data;
    if (c->status == 0)
        put_done(job);
    else if (c->status == ERR_CONFLICT || c->status == ERR_NOT_FOUND)
        entry_ask(job, job->get.id, put_looked_again);
    else
        put_refuse(job);
}

static void command_init(struct status_job *job, enum svc_op op, void (*done)(struct svc_req *))
{
    struct svc_req *c = &job->command;
    if (job->has_command)
        svc_req_deinit(c);
    svc_req_init(c, op);
    job->has_command = true;
    c->who = job->req->who;
    c->workspace = job->req->workspace;
    c->actor = job->req->actor;
    c->session_id = job->get.id;
    c->reason = job->req->reason;
    c->done = done;
    c->data = job;
}

/* ---- completed: by completing its stages ---- */

static void complete_look(struct status_job *job);

static bool entry_is_required(struct json entry)
{
    bool required = true;
    json_bool(json_get(entry, "required"), &required);
    return required;
}

/* Is something required in it that is not there: `value` of a deliverable, `done` of an item? */
static bool has_missing(struct json entries, const char *what)
{
    struct json_iter it;
    json_iter_init(&it, entries);
    while (json_iter_next(&it)) {
        enum json_type has = json_type(json_get(it.value, what));
        if (entry_is_required(it.value) &&
            (has == JSON_FALSE || has == JSON_NULL || has == JSON_NONE))
            return true;
    }
    return false;
}

static const struct run_row *run_waiting(const struct status_job *job, struct str node_id)
{
    for (const struct run_row *r = job->load.runs; r; r = r->next)
        if (str_eq(r->node_id, node_id) && str_eqz(r->status, "suspended"))
            return r;
    return NULL;
}

/* A node that has yet to begin: may it be passed without anybody's work? */
static const char *pending_hinders(const struct node_def *n)
{
    struct json p = n->properties;
    if (n->kind == KIND_STAGE)
        return has_missing(json_get(p, "checklist"), "done") ||
                       has_missing(json_get(p, "deliverables"), "value")
                   ? "has not begun, and has items or deliverables that are required"
                   : NULL;
    if (n->kind == KIND_END)
        return json_exists(json_get_set(p, "prompt")) ? "has a report to write" : NULL;
    return n->kind == KIND_START || n->kind == KIND_TRANSFORM || n->kind == KIND_SWITCH ||
                   n->kind == KIND_PARALLEL || n->kind == KIND_LOOP
               ? NULL
               : "has yet to run";
}

static const char *waiting_hinders(const struct status_job *job, const struct node_def *n)
{
    const struct run_row *run = run_waiting(job, n->id);
    struct json asked = run && run->interrupt_json.p ? json_root(run->interrupt_json) : JSON_ABSENT;
    if (n->kind != KIND_STAGE || !json_exists(asked))
        return "waits for something else than a stage's end";
    return has_missing(json_get(asked, "items"), "done") ||
                   has_missing(json_get(asked, "deliverables"), "value")
               ? "has items or deliverables open that are required"
               : NULL;
}

/* Nothing is completed unless all can be. *next: the first stage that waits. */
static bool complete_check(struct status_job *job, const struct workflow *w, struct id *next)
{
    struct json statuses = json_root(job->load.row.core.node_statuses_json);
    for (unsigned i = 0; i < w->node_count; i++) {
        const struct node_def *n = &w->nodes[i];
        struct json status = json_get(statuses, arena_strdup(&job->req->arena, n->id));
        const char *why = NULL;
        if (json_string_eq(status, "pending"))
            why = pending_hinders(n);
        else if (json_string_eq(status, "suspended"))
            why = waiting_hinders(job, n);
        else if (json_string_eq(status, "running"))
            why = "is at work";
        if (why) {
            app_fail(job->req, ERR_CONFLICT,
                     "the session cannot be completed now: node \"%.*s\" %s", STR_FMT(n->id), why);
            return false;
        }
        struct json asked = json_string_eq(status, "suspended")
                                ? json_root(run_waiting(job, n->id)->interrupt_json)
                                : JSON_ABSENT;
        struct json id = json_get(asked, "interrupt_id");
        if (json_type(id) == JSON_STRING && id_is_zero(*next))
            id_parse((struct str){id.p + 1, id.n - 2}, next);
    }
    if (id_is_zero(*next))
        app_fail(job->req, ERR_CONFLICT, "the session waits for no stage; it completes by itself");
    return !id_is_zero(*next);
}

static void complete_one_done(struct svc_req *c)
{
    struct status_job *job = c->data;
    if (c->status && c->status != ERR_CONFLICT && c->status != ERR_NOT_FOUND)
        put_refuse(job);
    else if (++job->completed > STAGES_COMPLETED_MAX)
        job_fail(job, ERR_CONFLICT, "the session goes round its stages without an end");
    else
        complete_look(job); /* a stage that somebody else has completed is none that hinders */
}

static void complete_loaded(struct store_req *r)
{
    struct status_job *job = r->data;
    struct errbuf e = {""};
    struct workflow *w = NULL;
    struct id next = {{0}};
    enum session_status now = SESSION_PENDING;
    if (app_failed_store(job->req, r, NO_ENTRY)) {
        job_destroy(job);
        return;
    }
    if (!session_status_parse(job->load.row.core.status, &now) || now != SESSION_RUNNING) {
        if (now == SESSION_COMPLETED)
            put_done(job);
        else
            job_fail(job, ERR_CONFLICT, "the session is not running; resume it first");
        return;
    }
    int rc = live_parse_workflow(job->app, &job->load, &w, &e);
    if (rc) {
        job_fail(job, rc, e.text);
        return;
    }
    bool can = complete_check(job, w, &next);
    workflow_unref(w);
    if (!can) {
        job_destroy(job);
        return;
    }
    command_init(job, SVC_STAGE_COMPLETE, complete_one_done);
    job->command.answer.interrupt_id = next;
    job->command.answer.data_json = STR("{}");
    job->command.answer.reviewer = job->req->actor;
    svc_command(job->app, &job->command);
}

static void complete_look(struct status_job *job)
{
    store_req_deinit(&job->load.req);
    store_req_init(&job->load.req, STORE_SESSION_LOAD, complete_loaded, job);
    job->load.id = job->get.id;
    store_submit(job->app->store, &job->load.req);
}

/* ---- which command it is ---- */

static void put_move(struct status_job *job, enum session_status now)
{
    static const enum svc_op commands[] = {
        [SESSION_RUNNING] = SVC_RESUME,
        [SESSION_PAUSED] = SVC_PAUSE,
        [SESSION_FAILED] = SVC_STOP,
        [SESSION_CANCELLED] = SVC_CANCEL,
    };
    if (session_status_is_terminal(now)) {
        app_fail(job->req, ERR_CONFLICT, "the session has ended: it is %s", wire_status_word(now));
        job_destroy(job);
    } else if (job->want == SESSION_PENDING) {
        job_fail(job, ERR_CONFLICT, "a session that has begun cannot become PENDING again");
    } else if (job->want == SESSION_COMPLETED) {
        complete_look(job);
    } else {
        command_init(job, commands[job->want], command_done);
        svc_command(job->app, &job->command);
    }
}

/* One that another program keeps here: the word is written into it, and how far it is. */
static void put_stored(struct status_job *job)
{
    struct svc_req *req = job->req;
    struct str progress = req->set_status.progress_json;
    struct buf b;
    struct jw w;
    buf_init(&b, 256);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "status", session_status_word(job->want));
    if (progress.p) {
        jw_key(&w, "workflow_state");
        jw_object(&w);
        jw_kv_raw(&w, "progress", progress);
        jw_end(&w);
    }
    jw_end(&w);
    command_init(job, SVC_SESSION_PATCH, command_done);
    job->command.stored.json = (struct str){arena_strdup(&job->command.arena, buf_str(&b)), b.len};
    job->command.if_match = req->if_match;
    buf_deinit(&b);
    svc_session_change(job->app, &job->command);
}

static void put_came(struct store_req *r)
{
    struct status_job *job = r->data;
    struct svc_req *req = job->req;
    const struct session_row *row = &job->get.row;
    enum session_status now = SESSION_PENDING;
    if (app_failed_store(req, r, NO_ENTRY)) {
        job_destroy(job);
        return;
    }
    bool known = wire_status_of(row->core.status, &now);
    if (req->if_match && req->if_match != row->version)
        job_fail(job, ERR_STALE, "the session has another version by now");
    else if (known && now == job->want &&
             !(row->meta.stored_only && req->set_status.progress_json.p))
        entry_finish(job);
    else if (row->meta.stored_only)
        put_stored(job);
    else
        put_move(job, now);
}

void svc_status_put(struct app *a, struct svc_req *req)
{
    struct status_job *job = job_create(a, req);
    struct id id;
    if (!wire_status_parse(req->set_status.status, &job->want))
        job_fail(job, ERR_INVALID,
                 "status: expected PENDING, IN_PROGRESS, ON_HOLD, COMPLETED, FAILED or CANCELED");
    else if (!wire_status_id(req->name, &id))
        job_fail(job, ERR_NOT_FOUND, NO_ENTRY);
    else
        entry_ask(job, id, put_came);
}
