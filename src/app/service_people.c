/* Questions to people, over all sessions, and the stages among them. They are read from the store;
 * what answers them is a command of their session. */
#include <stdlib.h>

#include "app/app.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/wire.h"

struct people_job {
    struct app *app;
    struct svc_req *req;
    int status; /* of the refusal that is explained */
    struct errbuf why;
    union {
        struct store_req base;
        struct store_interrupt_get get;
        struct store_interrupt_list list;
    } u;
};

static struct people_job *people_begin(struct app *a, struct svc_req *req, enum store_op op,
                                       void (*done)(struct store_req *))
{
    struct people_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->u.base, op, done, job);
    return job;
}

static void people_end(struct people_job *job)
{
    store_req_deinit(&job->u.base);
    free(job);
}

static void people_get(struct app *a, struct svc_req *req, void (*done)(struct store_req *))
{
    struct people_job *job = people_begin(a, req, STORE_INTERRUPT_GET, done);
    job->u.get.workspace = req->workspace;
    job->u.get.interrupt_id = req->answer.interrupt_id;
    store_submit(a->store, &job->u.base);
}

static bool row_is_stage(const struct interrupt_row *row)
{
    return str_eqz(row->kind, "stage");
}

/* ---- one ---- */

static void review_got(struct store_req *r)
{
    struct people_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such review")) {
        struct jw w;
        jw_init(&w, &req->body);
        wire_interrupt(&w, &job->u.get.row, job->u.get.session_name, job->u.get.workflow_id);
        app_done(req);
    }
    people_end(job);
}

void svc_review_get(struct app *a, struct svc_req *req)
{
    people_get(a, req, review_got);
}

static void stage_got(struct store_req *r)
{
    struct people_job *job = r->data;
    struct svc_req *req = job->req;
    if (r->status == 0 && !row_is_stage(&job->u.get.row)) {
        app_fail(req, ERR_NOT_FOUND, "there is no such stage");
    } else if (!app_failed_store(req, r, "there is no such stage")) {
        struct jw w;
        jw_init(&w, &req->body);
        wire_stage(&w, &job->u.get.row);
        app_done(req);
    }
    people_end(job);
}

void svc_stage_get(struct app *a, struct svc_req *req)
{
    people_get(a, req, stage_got);
}

/* ---- lists ---- */

static void people_listed(struct store_req *r)
{
    struct people_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such session")) {
        struct jw w;
        jw_init(&w, &req->body);
        jw_object(&w);
        jw_key(&w, "items");
        jw_array(&w);
        for (struct interrupt_item *it = job->u.list.rows; it; it = it->next)
            wire_interrupt(&w, &it->row, it->session_name, it->workflow_id);
        jw_end(&w);
        if (job->u.list.next_cursor.p)
            jw_kv_string(&w, "next_cursor", job->u.list.next_cursor);
        else
            jw_kv_raw(&w, "next_cursor", STR("null"));
        jw_end(&w);
        if (buf_error(&req->body))
            app_fail(req, ERR_TOO_LARGE, "the answer is too large; ask for fewer with limit");
        else
            app_done(req);
    }
    people_end(job);
}

void svc_review_list(struct app *a, struct svc_req *req)
{
    struct people_job *job = people_begin(a, req, STORE_INTERRUPT_LIST, people_listed);
    struct store_interrupt_list *l = &job->u.list;
    l->workspace = req->workspace;
    l->status = req->list.status;
    l->kind = req->list.kind;
    l->session_id = req->session_id;
    l->cursor = req->list.cursor;
    l->limit = req->list.limit;
    store_submit(a->store, &job->u.base);
}

/* ---- refusals that say why ---- */

static void explain(struct svc_req *req, const struct interrupt_row *row)
{
    static const char *const told[] = {"action", "reviewer", "at"};
    struct json answer = json_root(row->answer_json);
    char id[ID_TEXT_BYTES + 1];
    struct jw w;
    id_format(row->interrupt_id, id);
    buf_clear(&req->details);
    jw_init(&w, &req->details);
    jw_object(&w);
    jw_kv_stringz(&w, "interrupt_id", id);
    jw_kv_string(&w, "status", row->status);
    jw_key(&w, "answer");
    if (json_exists(answer)) {
        jw_object(&w);
        for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
            jw_kv_raw(&w, told[i], json_raw(json_get(answer, told[i])));
        jw_end(&w);
    } else {
        jw_null(&w);
    }
    jw_end(&w);
}

static void refusal_explained(struct store_req *r)
{
    struct people_job *job = r->data;
    if (r->status == 0 && !str_eqz(job->u.get.row.status, "pending"))
        explain(job->req, &job->u.get.row);
    app_fail(job->req, job->status, "%s", job->why.text);
    people_end(job);
}

/* Without an id: the newest question of that node. */
static void refusal_searched(struct store_req *r)
{
    struct people_job *job = r->data;
    const struct interrupt_row *newest = NULL;
    if (r->status == 0)
        for (struct interrupt_item *it = job->u.list.rows; it; it = it->next)
            if (str_eq(it->row.node_id, job->req->answer.node_id))
                newest = &it->row;
    if (newest && !str_eqz(newest->status, "pending"))
        explain(job->req, newest);
    app_fail(job->req, job->status, "%s", job->why.text);
    people_end(job);
}

void answer_refuse(struct app *a, struct svc_req *req, int status, const char *why)
{
    bool named = !id_is_zero(req->answer.interrupt_id);
    struct people_job *job =
        people_begin(a, req, named ? STORE_INTERRUPT_GET : STORE_INTERRUPT_LIST,
                     named ? refusal_explained : refusal_searched);
    job->status = status;
    err_set(&job->why, status, "%s", why);
    if (named) {
        job->u.get.workspace = req->workspace;
        job->u.get.interrupt_id = req->answer.interrupt_id;
    } else {
        job->u.list.workspace = req->workspace;
        job->u.list.session_id = req->session_id;
        job->u.list.limit = STORE_LIMIT_MAX;
    }
    store_submit(a->store, &job->u.base);
}

/* ---- stages ---- */

static void stage_found(struct store_req *r)
{
    struct people_job *job = r->data;
    struct svc_req *req = job->req;
    struct app *a = job->app;
    const struct interrupt_row *row = &job->u.get.row;
    if (r->status == 0 && !row_is_stage(row)) {
        app_fail(req, ERR_NOT_FOUND, "there is no such stage");
    } else if (r->status == 0 && !str_eqz(row->status, "pending")) {
        explain(req, row);
        app_fail(req, ERR_CONFLICT, "This stage is not open any more.");
    } else if (!app_failed_store(req, r, "there is no such stage")) {
        req->session_id = row->session_id;
        svc_command(a, req);
    }
    people_end(job);
}

void svc_stage_command(struct app *a, struct svc_req *req)
{
    stage_name_reviewer(req);
    people_get(a, req, stage_found);
}
