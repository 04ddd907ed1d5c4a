/* Forks and retries: new sessions that begin where another one was, whoever has that one and
 * whatever has become of it. Only what is stored of it is read, and nothing of it is written.
 *
 *     load (unclaimed) ──> its log, a page at a time ──> engine_replay ──> the journal ──> answered
 */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/attachments.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/form.h"

#define FORK_LOG_BYTES_MAX (64u << 20) /* of a log without its tokens */
#define FORK_PAGE_EVENTS   2000
#define FORK_PAGE_BYTES    (4u << 20)
#define TYPE_SEARCH_BYTES  160 /* "type" stands before anything that somebody wrote */

struct fork_job {
    struct app *app;
    struct svc_req *req;
    struct store_session_load load;
    struct store_events_read read;
    struct workflow *workflow;
    bool whole;         /* up to the log's end */
    int64_t after_seq;  /* 0: by node_id */
    struct str node_id; /* or NULL */
    struct buf events;
    /* What the session had been given as files: the fork is given the same. */
    struct json_iter attached;
    struct store_file_get file;
    struct buf attachments; /* an array that is open; empty: none */
};

static void fork_free(struct fork_job *job)
{
    store_req_deinit(&job->read.req);
    store_req_deinit(&job->load.req);
    store_req_deinit(&job->file.req);
    buf_deinit(&job->attachments);
    workflow_unref(job->workflow);
    buf_deinit(&job->events);
    free(job);
}

static void fork_fail(struct fork_job *job, int status, const char *why)
{
    struct svc_req *req = job->req;
    fork_free(job);
    app_fail(req, status, "%s", why);
}

/* ---- the new session ---- */

static void fork_start(struct fork_job *job)
{
    struct app *a = job->app;
    struct svc_req *req = job->req;
    struct errbuf e = {""};
    struct session_meta meta = job->load.row.meta;
    struct id id = id_new(&a->ids, (uint64_t)clock_wall_ms());
    char text[ID_TEXT_BYTES + 1];
    meta.parent_id = req->session_id;
    meta.parent_seq = job->after_seq ? job->after_seq : job->read.last_seq;
    meta.parent_run = (struct id){{0}};
    struct live *l = live_create(a, job->workflow, id, &meta, false);
    if (job->attachments.len) {
        buf_append_char(&job->attachments, ']');
        session_attach(l->session, buf_str(&job->attachments));
    }
    struct replay r = {.events = buf_str(&job->events),
                       .after_seq = job->after_seq,
                       .node_id = job->node_id,
                       .input_json = req->fork.input_json,
                       .vars_json = req->fork.vars_json,
                       .now_ms = clock_wall_ms(),
                       .ids = &a->ids};
    int rc = engine_replay(l->session, &r, &e);
    if (rc) {
        live_destroy(l);
        fork_fail(job, rc, e.text);
        return;
    }
    id_format(id, text);
    req->http_status = 202;
    buf_printf(&req->body, "{\"session_id\":\"%s\"}", text);
    live_add_reply(l, req, idempotency_row_of(req, &req->arena));
    fork_free(job);
}

/* ---- what it was given ---- */

static void fork_next_file(struct fork_job *job);

static void fork_file_got(struct store_req *r)
{
    struct fork_job *job = r->data;
    const struct file_row *f = &job->file.row;
    struct jw w;
    if (r->status && r->status != ERR_NOT_FOUND) {
        app_failed_store(job->req, r, "");
        fork_free(job);
        return;
    }
    if (!r->status && id_is_zero(f->run_id)) {
        buf_append_char(&job->attachments, job->attachments.len ? ',' : '[');
        jw_init(&w, &job->attachments);
        jw_object(&w);
        jw_kv_string(&w, "name", f->path);
        jw_kv_string(&w, "content", f->content);
        if (f->media_type.p)
            jw_kv_string(&w, "media_type", f->media_type);
        jw_end(&w);
    }
    store_req_deinit(&job->file.req);
    memset(&job->file, 0, sizeof(job->file));
    fork_next_file(job);
}

/* Its input says which: their first versions are in the store. */
static void fork_next_file(struct fork_job *job)
{
    struct buf path;
    struct json name = JSON_ABSENT;
    bool more;
    /* A list of the input's own has no paths. */
    while ((more = json_iter_next(&job->attached) && job->attached.index < ATTACHMENTS_MAX))
        if (json_type(name = json_get_set(job->attached.value, "path")) == JSON_STRING)
            break;
    if (!more) {
        fork_start(job);
        return;
    }
    buf_init(&path, FILE_PATH_BYTES_MAX + 1);
    json_string(name, &path);
    store_req_init(&job->file.req, STORE_FILE_GET, fork_file_got, job);
    job->file.session_id = job->req->session_id;
    job->file.path.p = arena_strdup(&job->load.req.arena, buf_str(&path));
    job->file.path.n = path.len;
    job->file.version = 1;
    buf_deinit(&path);
    store_submit(job->app->store, &job->file.req);
}

static void fork_files(struct fork_job *job)
{
    struct str input = job->load.row.meta.input_json;
    struct json v = json_get_set(json_root(input.p ? input : STR("{}")), "attachments");
    json_iter_init(&job->attached, json_type(v) == JSON_ARRAY ? v : json_root(STR("[]")));
    fork_next_file(job);
}

/* ---- its log ---- */

static bool frame_is_token(struct str frame)
{
    static const char mark[] = "\"type\":\"token_stream\"";
    size_t n = frame.n < TYPE_SEARCH_BYTES ? frame.n : TYPE_SEARCH_BYTES;
    return memmem(frame.p, n, mark, sizeof(mark) - 1) != NULL;
}

static void frames_keep(struct fork_job *job, struct str left)
{
    while (left.n) {
        const char *end = memchr(left.p, '\n', left.n);
        size_t n = end ? (size_t)(end - left.p) : left.n;
        struct str frame = {left.p, n};
        if (n && !frame_is_token(frame)) {
            buf_append_str(&job->events, frame);
            buf_append_char(&job->events, '\n');
        }
        n += end ? 1 : 0;
        left.p += n;
        left.n -= n;
    }
}

static void fork_read(struct fork_job *job, int64_t after);

static void fork_page(struct store_req *r)
{
    struct fork_job *job = r->data;
    int64_t at = job->read.after;
    if (r->status) {
        app_failed_store(job->req, r, "there is no such session");
        fork_free(job);
        return;
    }
    for (struct event_row *row = job->read.rows; row; row = row->next) {
        frames_keep(job, row->frames);
        at = row->seq_last;
    }
    if (job->whole)
        job->after_seq = job->read.last_seq;
    if (buf_error(&job->events)) {
        fork_fail(job, ERR_TOO_LARGE, "the session's log is too long to be replayed");
    } else if (job->after_seq > job->read.last_seq) {
        fork_fail(job, ERR_INVALID, "after_seq: the session has no such event yet");
    } else if (at < job->read.last_seq && at > job->read.after) {
        store_req_deinit(&job->read.req);
        fork_read(job, at);
    } else {
        fork_files(job);
    }
}

static void fork_read(struct fork_job *job, int64_t after)
{
    memset(&job->read, 0, sizeof(job->read));
    store_req_init(&job->read.req, STORE_EVENTS_READ, fork_page, job);
    job->read.session_id = job->req->session_id;
    job->read.after = after;
    job->read.limit = FORK_PAGE_EVENTS;
    job->read.bytes_max = FORK_PAGE_BYTES;
    store_submit(job->app->store, &job->read.req);
}

/* ---- what it is ---- */

/* Where a retry goes on when no node is named: where the session failed. */
static int retry_point(struct fork_job *job, struct errbuf *e)
{
    const struct session_core *core = &job->load.row.core;
    if (!str_eqz(core->status, "failed"))
        return err_set(e, ERR_CONFLICT,
                       "the session is %.*s, it has not failed: name the node to go on from",
                       STR_FMT(core->status));
    job->whole = true; /* the failed node begins anew */
    return 0;
}

static int fork_check(struct fork_job *job, struct errbuf *e)
{
    struct svc_req *req = job->req;
    const struct session_row *row = &job->load.row;
    if (!str_eq(row->meta.workspace, req->workspace))
        return err_set(e, ERR_NOT_FOUND, "there is no such session");
    if (row->meta.stored_only)
        return err_set(e, ERR_CONFLICT, "the session is only stored here: it has not run");
    job->after_seq = req->fork.after_seq;
    job->node_id = req->fork.node_id;
    int rc = req->op == SVC_RETRY && !req->fork.node_id.p ? retry_point(job, e) : 0;
    if (!rc)
        rc = live_parse_workflow(job->app, &job->load, &job->workflow, e);
    if (rc)
        return rc;
    if (job->node_id.p && workflow_find(job->workflow, job->node_id) < 0)
        return err_set(e, ERR_NOT_FOUND, "the workflow has no node \"%.*s\"",
                       STR_FMT(job->node_id));
    struct errbuf why = {""};
    if (req->fork.input_json.p && form_take(job->workflow->input_schema, req->fork.input_json,
                                            &req->arena, &req->fork.input_json, &why)) {
        req->error_code = "invalid_input";
        return err_set(e, ERR_INVALID,
                       "the input does not hold to the workflow's input_schema: %.400s", why.text);
    }
    return 0;
}

static void fork_loaded(struct store_req *r)
{
    struct fork_job *job = r->data;
    struct svc_req *req = job->req;
    struct errbuf e = {""};
    if (r->status) {
        app_failed_store(req, r, "there is no such session");
        fork_free(job);
        return;
    }
    int rc = fork_check(job, &e);
    if (rc)
        fork_fail(job, rc, e.text);
    else
        fork_read(job, 0);
}

void svc_fork(struct app *a, struct svc_req *req)
{
    if (live_count(a) >= APP_SESSIONS_MAX) {
        app_fail(req, ERR_OVERLOAD, "too many sessions are live (%d); try again later",
                 APP_SESSIONS_MAX);
        return;
    }
    struct fork_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    buf_init(&job->events, FORK_LOG_BYTES_MAX);
    buf_init(&job->attachments, SVC_BODY_MAX);
    store_req_init(&job->load.req, STORE_SESSION_LOAD, fork_loaded, job);
    store_req_init(&job->read.req, STORE_EVENTS_READ, fork_page, job);
    job->load.id = req->session_id;
    store_submit(a->store, &job->load.req);
}
