/* Schedules over the API: the object in, checked, with its next time; and out. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/cron.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "net/wire.h"
#include "net/wire_fields.h"

#define NO_SCHEDULE "there is no such schedule"
#define PATCH_TRIES                                                                                \
    20 /* a PATCH puts at the version that it read, as often as others get between */

struct schedule_job {
    struct app *app;
    struct svc_req *req;
    struct store_schedule_get get;
    struct store_schedule_put put;
    struct store_schedule_list list;
    struct store_schedule_delete del;
    struct store_schedule_move move;
    struct store_workflow_get find;
    void (*done)(struct svc_req *req); /* the request's own, of a run */
    void *data;
    int64_t at; /* of a run */
};

static struct schedule_job *job_create(struct app *a, struct svc_req *req)
{
    struct schedule_job *job = mem_zalloc(sizeof(*job));

    job->app = a;
    job->req = req;
    return job;
}

static void job_destroy(struct schedule_job *job)
{
    store_req_deinit(&job->get.req);
    store_req_deinit(&job->put.req);
    store_req_deinit(&job->list.req);
    store_req_deinit(&job->del.req);
    store_req_deinit(&job->move.req);
    store_req_deinit(&job->find.req);
    free(job);
}

static void job_get(struct schedule_job *job, void (*done)(struct store_req *))
{
    store_req_init(&job->get.req, STORE_SCHEDULE_GET, done, job);
    job->get.workspace = job->req->workspace;
    job->get.id = job->req->schedule_id;
    store_submit(job->app->store, &job->get.req);
}

/* ---- answers ---- */

static void write_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];

    id_format(id, text);
    jw_kv_stringz(w, key, id_is_zero(id) ? NULL : text);
}

static void write_schedule(struct jw *w, const struct schedule_row *row)
{
    jw_object(w);
    write_id(w, "id", row->id);
    jw_kv_string(w, "name", row->name);
    jw_kv_string(w, "workflow_id", row->workflow_id);
    jw_kv_string(w, "cron", row->cron);
    jw_kv_string(w, "time_zone", row->time_zone);
    jw_kv_raw(w, "input", row->input_json);
    jw_kv_string(w, "missed", row->missed);
    jw_kv_string(w, "overlap", row->overlap);
    jw_kv_bool(w, "enabled", row->enabled);
    jw_kv_time(w, "next_at", row->next_at);
    jw_kv_time(w, "last_at", row->last_at);
    write_id(w, "last_session_id", row->last_session);
    jw_key(w, "last_error");
    if (row->last_error.p) {
        jw_object(w);
        jw_kv_time(w, "at", row->last_error_at);
        jw_kv_string(w, "message", row->last_error);
        jw_end(w);
    } else {
        jw_null(w);
    }
    jw_kv_i64(w, "version", row->version);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->updated_at);
    jw_end(w);
}

static void answer_schedule(struct svc_req *req, const struct schedule_row *row)
{
    struct jw w;

    buf_clear(&req->body); /* it may have been written ahead for its key */
    jw_init(&w, &req->body);
    write_schedule(&w, row);
    req->etag_version = row->version;
}

static void schedule_got(struct store_req *r)
{
    struct schedule_job *job = r->data;

    if (!app_failed_store(job->req, r, NO_SCHEDULE)) {
        answer_schedule(job->req, &job->get.row);
        app_done(job->req);
    }
    job_destroy(job);
}

void svc_schedule_get(struct app *a, struct svc_req *req)
{
    job_get(job_create(a, req), schedule_got);
}

static void schedule_listed(struct store_req *r)
{
    struct schedule_job *job = r->data;
    struct svc_req *req = job->req;
    struct jw w;

    if (!app_failed_store(req, r, "")) {
        jw_init(&w, &req->body);
        jw_object(&w);
        jw_key(&w, "items");
        jw_array(&w);
        for (const struct schedule_row *row = job->list.rows; row; row = row->next)
            write_schedule(&w, row);
        jw_end(&w);
        jw_key(&w, "next_cursor");
        if (job->list.next_cursor.p)
            jw_string(&w, job->list.next_cursor);
        else
            jw_null(&w);
        jw_end(&w);
        app_done(req);
    }
    job_destroy(job);
}

void svc_schedule_list(struct app *a, struct svc_req *req)
{
    struct schedule_job *job = job_create(a, req);
    struct store_schedule_list *l = &job->list;

    store_req_init(&l->req, STORE_SCHEDULE_LIST, schedule_listed, job);
    l->workspace = req->workspace;
    l->q = req->list.q;
    l->cursor = req->list.cursor;
    l->limit = req->list.limit;
    store_submit(a->store, &l->req);
}

/* ---- the object ---- */

struct schedule_body {
    struct id id;
    struct str name, workflow_id, cron, time_zone, input_json, missed, overlap;
    bool enabled;
};

#define FIELD(key_, type_, member, ...)                                                            \
    {                                                                                              \
        .key = key_, .type = type_, .offset = offsetof(struct schedule_body, member), __VA_ARGS__  \
    }
#define READ_ONLY(key_)                                                                            \
    {                                                                                              \
        .key = key_, .type = WIRE_SKIP                                                             \
    }
static const struct wire_field fields[] = {
    FIELD("id", WIRE_UUID, id),
    FIELD("name", WIRE_TEXT, name, .max = WIRE_NAME_MAX),
    FIELD("workflow_id", WIRE_NAME, workflow_id, .required = true),
    FIELD("cron", WIRE_TEXT, cron, .max = CRON_BYTES_MAX, .required = true),
    FIELD("time_zone", WIRE_TEXT, time_zone, .max = 200),
    FIELD("input", WIRE_OBJECT, input_json),
    FIELD("missed", WIRE_TEXT, missed, .max = 16),
    FIELD("overlap", WIRE_TEXT, overlap, .max = 16),
    FIELD("enabled", WIRE_BOOL, enabled),
    READ_ONLY("next_at"),
    READ_ONLY("last_at"),
    READ_ONLY("last_session_id"),
    READ_ONLY("last_error"),
    READ_ONLY("version"),
    READ_ONLY("created_at"),
    READ_ONLY("updated_at"),
};

static int word_check(const char *key, struct str *word, const char *const words[3],
                      struct errbuf *e)
{
    if (!word->p)
        *word = str_of(words[0]);
    for (int i = 0; i < 3; i++)
        if (str_eqz(*word, words[i]))
            return 0;
    return err_set(e, ERR_INVALID, "%s: expected \"%s\", \"%s\" or \"%s\"", key, words[0], words[1],
                   words[2]);
}

/* What a body says, into a row; the caller adds the id. */
static int body_read(struct str text, int64_t now, struct arena *arena, struct schedule_row *row,
                     struct errbuf *e)
{
    static const char *const missed[] = {"skip", "once", "all"};
    static const char *const overlap[] = {"allow", "skip", "cancel"};
    struct schedule_body b = {.enabled = true};
    int rc = wire_read(json_root(text), fields, sizeof(fields) / sizeof(fields[0]), &b, arena, e);

    if (rc == 0)
        rc = word_check("missed", &b.missed, missed, e);
    if (rc == 0)
        rc = word_check("overlap", &b.overlap, overlap, e);
    *row = (struct schedule_row){
        .id = b.id,
        .name = b.name.n ? b.name : b.workflow_id,
        .workflow_id = b.workflow_id,
        .cron = b.cron,
        .time_zone = b.time_zone.n ? b.time_zone : STR("UTC"),
        .missed = b.missed,
        .overlap = b.overlap,
        .input_json = b.input_json.p ? b.input_json : STR("{}"),
        .enabled = b.enabled,
    };
    if (rc == 0)
        rc = schedule_next(row->cron, row->time_zone, now, &row->next_at, e);
    if (rc == 0 && row->next_at == 0)
        rc = err_set(e, ERR_INVALID, "cron: no such time comes within %d years", CRON_AHEAD_YEARS);
    if (!row->enabled)
        row->next_at = 0;
    return rc;
}

/* ---- put ---- */

static void schedule_stored(struct store_req *r)
{
    struct schedule_job *job = r->data;
    struct svc_req *req = job->req;
    struct app *a = job->app;

    if (r->status == ERR_STALE && req->op == SVC_SCHEDULE_PATCH && req->if_match == 0) {
        job_destroy(job);
        svc_schedule_patch(a, req);
        return;
    }
    if (!app_failed_store(req, r, NO_SCHEDULE)) {
        schedules_note(&a->schedules, job->put.row.next_at);
        answer_schedule(req, &job->put.row);
        req->http_status = req->op == SVC_SCHEDULE_CREATE ? 201 : 200;
        app_done(req);
    }
    job_destroy(job);
}

/* A workflow may go later, but a schedule does not begin without one. */
static void schedule_found_workflow(struct store_req *r)
{
    struct schedule_job *job = r->data;
    struct svc_req *req = job->req;
    struct store_schedule_put *put = &job->put;

    if (r->status == ERR_NOT_FOUND) {
        req->error_code = "unknown_workflow";
        app_fail(req, ERR_UNPROCESSABLE, "workflow_id: there is no workflow \"%.*s\"",
                 STR_FMT(put->row.workflow_id));
        job_destroy(job);
        return;
    }
    if (app_failed_store(req, r, "")) {
        job_destroy(job);
        return;
    }
    if (req->idempotency_key.p) {
        struct schedule_row row = put->row;
        row.version = 1; /* keys belong to POST, and POST creates */
        row.created_at = row.updated_at = put->now_ms;
        answer_schedule(req, &row);
        req->http_status = 201;
        put->idempotency = idempotency_row_of(req, &req->arena);
    }
    store_submit(job->app->store, &put->req);
}

static void schedule_put_text(struct app *a, struct svc_req *req, struct str text, int64_t expected)
{
    struct schedule_row row;
    struct errbuf e = {""};
    bool create = req->op == SVC_SCHEDULE_CREATE;
    int64_t now = clock_wall_ms();
    int rc = body_read(text, now, &req->arena, &row, &e);

    if (rc == 0 && !create && !id_is_zero(row.id) && !id_eq(row.id, req->schedule_id))
        rc = err_set(&e, ERR_INVALID, "id: not the path's");
    if (rc) {
        app_fail(req, rc, "%s", e.text);
        return;
    }
    if (!create)
        row.id = req->schedule_id;
    else if (id_is_zero(row.id))
        row.id = id_new(&a->ids, (uint64_t)now);
    row.workspace = req->workspace;
    struct schedule_job *job = job_create(a, req);
    store_req_init(&job->put.req, STORE_SCHEDULE_PUT, schedule_stored, job);
    job->put.row = row;
    job->put.create_only = create;
    job->put.must_exist = req->op == SVC_SCHEDULE_PATCH;
    job->put.expected_version = expected;
    job->put.now_ms = now;
    store_req_init(&job->find.req, STORE_WORKFLOW_GET, schedule_found_workflow, job);
    job->find.workspace = req->workspace;
    job->find.id = row.workflow_id;
    store_submit(a->store, &job->find.req);
}

void svc_schedule_put(struct app *a, struct svc_req *req)
{
    schedule_put_text(a, req, req->workflow.text, req->if_match);
}

/* ---- patch ---- */

static void patch_read(struct store_req *r)
{
    struct schedule_job *job = r->data;
    struct svc_req *req = job->req;
    struct buf now, merged;
    struct jw w;

    buf_init(&now, JSON_BODY_MAX);
    buf_init(&merged, JSON_BODY_MAX);
    if (app_failed_store(req, r, NO_SCHEDULE))
        goto out;
    if (req->if_match > 0 && req->if_match != job->get.row.version) {
        app_fail(req, ERR_STALE, "the schedule has a newer version than the If-Match names");
        goto out;
    }
    jw_init(&w, &now);
    write_schedule(&w, &job->get.row);
    if (json_type(json_root(req->workflow.text)) != JSON_OBJECT ||
        json_merge(buf_str(&now), req->workflow.text, &merged) < 0) {
        app_fail(req, ERR_INVALID, "expected an object");
        goto out;
    }
    struct str text = {arena_strdup(&req->arena, buf_str(&merged)), merged.len};
    schedule_put_text(job->app, req, text, job->get.row.version);
out:
    buf_deinit(&now);
    buf_deinit(&merged);
    job_destroy(job);
}

void svc_schedule_patch(struct app *a, struct svc_req *req)
{
    if (req->moves++ < PATCH_TRIES)
        job_get(job_create(a, req), patch_read);
    else
        app_fail(req, ERR_UNAVAILABLE, "others change the schedule all the time; try again");
}

/* ---- delete ---- */

static void schedule_deleted(struct store_req *r)
{
    struct schedule_job *job = r->data;

    if (!app_failed_store(job->req, r, NO_SCHEDULE)) {
        job->req->http_status = 204;
        app_done(job->req);
    }
    job_destroy(job);
}

void svc_schedule_delete(struct app *a, struct svc_req *req)
{
    struct schedule_job *job = job_create(a, req);

    store_req_init(&job->del.req, STORE_SCHEDULE_DELETE, schedule_deleted, job);
    job->del.workspace = req->workspace;
    job->del.id = req->schedule_id;
    job->del.expected_version = req->if_match;
    store_submit(a->store, &job->del.req);
}

/* ---- run ---- */

static void run_end(struct schedule_job *job)
{
    struct svc_req *req = job->req;

    job_destroy(job);
    req->done(req);
}

static void run_noted(struct store_req *r)
{
    run_end(r->data); /* whoever has moved it on meanwhile has a newer session to name */
}

static void run_started(struct svc_req *req)
{
    struct schedule_job *job = req->data;
    struct schedule_row *row = &job->get.row;

    req->done = job->done;
    req->data = job->data;
    if (req->status) {
        run_end(job);
        return;
    }
    row->last_session = req->execute.session_id;
    row->last_at = job->at;
    row->last_error = STR_NULL;
    row->last_error_at = 0;
    store_req_init(&job->move.req, STORE_SCHEDULE_MOVE, run_noted, job);
    job->move.row = *row;
    job->move.seen_at = row->next_at;
    store_submit(job->app->store, &job->move.req);
}

static void run_found(struct store_req *r)
{
    struct schedule_job *job = r->data;
    struct svc_req *req = job->req;

    if (app_failed_store(req, r, NO_SCHEDULE)) {
        job_destroy(job);
        return;
    }
    job->at = clock_wall_ms();
    job->done = req->done;
    job->data = req->data;
    req->done = run_started;
    req->data = job;
    schedule_request(&job->get.row, job->at, id_new(&job->app->ids, (uint64_t)job->at), req);
    svc_execute(job->app, req);
}

void svc_schedule_run(struct app *a, struct svc_req *req)
{
    job_get(job_create(a, req), run_found);
}
