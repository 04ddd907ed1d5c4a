/* A session in time: each attempt of each node, what it waited for, and when the session was
 * paused. Attempts and waits come page by page from the runs; pauses stand in the log, which is
 * read for them with the first page only, and only so far. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define TIMELINE_READ_BYTES (1u << 20)
#define TIMELINE_READS_MAX  64 /* pages of the log */
#define TIMELINE_PAUSES_MAX 1000

struct timeline_job {
    struct app *app;
    struct svc_req *req;
    struct store_session_get session;
    struct store_runs_list runs;
    struct store_events_read events;
    unsigned reads, pauses;
    bool whole;        /* the log was read to its end */
    int64_t paused_at; /* the pause that has not ended; 0: none */
    int64_t paused_ms;
    struct str reason;
    struct buf list; /* of pauses, JSON */
    struct jw w;
    int64_t now;
};

static void timeline_end(struct timeline_job *job)
{
    store_req_deinit(&job->session.req);
    store_req_deinit(&job->runs.req);
    store_req_deinit(&job->events.req);
    buf_deinit(&job->list);
    free(job);
}

static void span_write(struct jw *w, int64_t from, int64_t to, int64_t now)
{
    int64_t until = to ? to : now;
    jw_kv_time(w, "started_at", from);
    jw_kv_time(w, "ended_at", to);
    jw_key(w, "duration_ms");
    if (from)
        jw_i64(w, until > from ? until - from : 0);
    else
        jw_null(w);
}

/* When a UUIDv7 was made. */
static int64_t id_ms(struct id id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.b[i];
    return ms;
}

static int64_t time_of(struct json v)
{
    int64_t ms = 0;
    if (json_type(v) != JSON_STRING || !clock_parse_rfc3339((struct str){v.p + 1, v.n - 2}, &ms))
        return 0;
    return ms;
}

/* ---- pauses ---- */

static void pause_add(struct timeline_job *job, int64_t to)
{
    int64_t until = to ? to : job->now;
    if (until > job->paused_at)
        job->paused_ms += until - job->paused_at;
    if (job->pauses++ < TIMELINE_PAUSES_MAX) {
        jw_object(&job->w);
        span_write(&job->w, job->paused_at, to, job->now);
        jw_kv_raw(&job->w, "reason", job->reason);
        jw_end(&job->w);
    }
    job->paused_at = 0;
}

static void frame_look(struct timeline_job *job, struct str frame)
{
    static const char mark[] = "\"session_state_change\"";
    if (!memmem(frame.p, frame.n < 256 ? frame.n : 256, mark, sizeof(mark) - 1))
        return;
    struct json root = json_root(frame), data = json_get(root, "data");
    if (!json_string_eq(json_get(root, "type"), "session_state_change"))
        return;
    int64_t at = time_of(json_get(root, "timestamp"));
    if (json_string_eq(json_get(data, "to"), "paused")) {
        struct json reason = json_get(data, "reason");
        job->paused_at = at;
        job->reason = json_exists(reason) ? str_of(arena_strdup(&job->req->arena, json_raw(reason)))
                                          : STR_NULL;
    } else if (job->paused_at) {
        pause_add(job, at);
    }
}

static void frames_look(struct timeline_job *job, struct str left)
{
    while (left.n) {
        const char *end = memchr(left.p, '\n', left.n);
        size_t n = end ? (size_t)(end - left.p) : left.n;
        frame_look(job, (struct str){left.p, n});
        n += end ? 1 : 0;
        left.p += n;
        left.n -= n;
    }
}

/* ---- attempts and waits ---- */

/* What a person was asked, or a signal that was waited for. */
static void wait_write(struct timeline_job *job, const struct run_row *run)
{
    struct json asked = json_root(run->interrupt_json), answer = json_get(asked, "answer");
    struct str text = STR_NULL;
    struct id id;
    int64_t from = run->started_at, to = time_of(json_get(answer, "at"));
    if (json_type(json_get(asked, "interrupt_id")) == JSON_STRING)
        text = (struct str){json_get(asked, "interrupt_id").p + 1, ID_TEXT_BYTES};
    if (text.p && id_parse(text, &id))
        from = id_ms(id);
    jw_object(&job->w);
    jw_kv_raw(&job->w, "interrupt_id", json_raw(json_get(asked, "interrupt_id")));
    jw_kv_raw(&job->w, "kind", json_raw(json_get(asked, "kind")));
    jw_kv_raw(&job->w, "action", json_raw(json_get(answer, "action")));
    jw_kv_raw(&job->w, "reviewer", json_raw(json_get(answer, "reviewer")));
    span_write(&job->w, from, to ? to : run->ended_at, job->now);
    jw_end(&job->w);
}

static void run_write(struct timeline_job *job, const struct run_row *run)
{
    struct jw *w = &job->w;
    char id[ID_TEXT_BYTES + 1];
    id_format(run->run_id, id);
    jw_object(w);
    jw_kv_stringz(w, "run_id", id);
    jw_kv_string(w, "node_id", run->node_id);
    jw_kv_string(w, "kind", run->kind);
    jw_kv_string(w, "status", run->status);
    jw_kv_i64(w, "iteration", run->iteration);
    jw_kv_i64(w, "attempt", run->attempt);
    if (run->branch.p)
        jw_kv_string(w, "branch", run->branch);
    span_write(w, run->started_at, run->ended_at, job->now);
    jw_key(w, "waits");
    jw_array(w);
    if (run->interrupt_json.p)
        wait_write(job, run);
    jw_end(w);
    if (run->error_json.p)
        jw_kv_raw(w, "error", run->error_json);
    jw_end(w);
}

static void session_write(struct timeline_job *job)
{
    const struct session_row *row = &job->session.row;
    char id[ID_TEXT_BYTES + 1];
    id_format(row->id, id);
    jw_key(&job->w, "session");
    jw_object(&job->w);
    jw_kv_stringz(&job->w, "id", id);
    jw_kv_string(&job->w, "status", row->core.status);
    jw_kv_time(&job->w, "created_at", row->created_at);
    span_write(&job->w, row->core.started_at, row->core.ended_at, job->now);
    jw_end(&job->w);
}

static void timeline_answer(struct timeline_job *job)
{
    struct svc_req *req = job->req;
    struct jw *w = &job->w;
    bool first = !req->list.cursor.p;
    if (job->paused_at)
        pause_add(job, 0);
    if (first)
        jw_end(w); /* the list of pauses */
    jw_init(w, &req->body);
    jw_object(w);
    session_write(job);
    jw_key(w, "items");
    jw_array(w);
    for (const struct run_row *it = job->runs.rows; it; it = it->next)
        run_write(job, it);
    jw_end(w);
    if (job->runs.next_cursor.p)
        jw_kv_string(w, "next_cursor", job->runs.next_cursor);
    else
        jw_kv_raw(w, "next_cursor", STR("null"));
    if (first) {
        jw_kv_raw(w, "pauses", buf_str(&job->list));
        jw_kv_i64(w, "paused_ms", job->paused_ms);
        jw_kv_bool(w, "pauses_complete", job->whole && job->pauses <= TIMELINE_PAUSES_MAX);
    }
    jw_end(w);
    if (buf_error(&req->body) || buf_error(&job->list))
        app_fail(req, ERR_TOO_LARGE, "the answer is too large; ask for fewer with limit");
    else
        app_done(req);
}

/* ---- reading ---- */

static void timeline_read(struct timeline_job *job, int64_t after);

static void timeline_page(struct store_req *r)
{
    struct timeline_job *job = r->data;
    int64_t at = job->events.after;
    if (app_failed_store(job->req, r, "there is no such session")) {
        timeline_end(job);
        return;
    }
    for (const struct event_row *row = job->events.rows; row; row = row->next) {
        frames_look(job, row->frames);
        at = row->seq_last;
    }
    job->whole = at >= job->events.last_seq || at == job->events.after;
    if (!job->whole && ++job->reads < TIMELINE_READS_MAX) {
        store_req_deinit(&job->events.req);
        timeline_read(job, at);
        return;
    }
    timeline_answer(job);
    timeline_end(job);
}

static void timeline_read(struct timeline_job *job, int64_t after)
{
    store_req_init(&job->events.req, STORE_EVENTS_READ, timeline_page, job);
    job->events.session_id = job->req->session_id;
    job->events.after = after;
    job->events.limit = INT32_MAX;
    job->events.bytes_max = TIMELINE_READ_BYTES;
    store_submit(job->app->store, &job->events.req);
}

static void timeline_runs(struct store_req *r)
{
    struct timeline_job *job = r->data;
    if (app_failed_store(job->req, r, "there is no such session")) {
        timeline_end(job);
    } else if (job->req->list.cursor.p) {
        timeline_answer(job);
        timeline_end(job);
    } else {
        jw_init(&job->w, &job->list);
        jw_array(&job->w);
        timeline_read(job, 0);
    }
}

static void timeline_session(struct store_req *r)
{
    struct timeline_job *job = r->data;
    if (app_failed_store(job->req, r, "there is no such session")) {
        timeline_end(job);
        return;
    }
    job->now = clock_wall_ms();
    job->runs.session_id = job->req->session_id;
    job->runs.cursor = job->req->list.cursor;
    job->runs.limit = job->req->list.limit;
    store_submit(job->app->store, &job->runs.req);
}

void svc_timeline(struct app *a, struct svc_req *req)
{
    struct timeline_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    buf_init(&job->list, TIMELINE_READ_BYTES);
    store_req_init(&job->session.req, STORE_SESSION_GET, timeline_session, job);
    store_req_init(&job->runs.req, STORE_RUNS_LIST, timeline_runs, job);
    store_req_init(&job->events.req, STORE_EVENTS_READ, timeline_page, job);
    job->session.workspace = req->workspace;
    job->session.id = req->session_id;
    store_submit(a->store, &job->session.req);
}
