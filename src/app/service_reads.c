/* Questions about stored sessions. They are answered from the store, never from memory: what is in
 * memory may not be durable yet, and nothing is visible before it is. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/wire.h"

#define EVENTS_BYTES_MAX (8u << 20) /* one page of the events route */

/* One question on its way: every store request begins with its store_req. */
struct read_job {
    struct app *app;
    struct svc_req *req;
    union {
        struct store_req base;
        struct store_session_get get;
        struct store_session_list list;
        struct store_events_read events;
        struct store_messages_list messages;
        struct store_runs_list runs;
        struct store_instance_list instances;
    } u;
};

static struct read_job *read_job_create(struct app *a, struct svc_req *req, enum store_op op,
                                        void (*done)(struct store_req *))
{
    struct read_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->u.base, op, done, job);
    return job;
}

static void read_job_destroy(struct read_job *job)
{
    store_req_deinit(&job->u.base);
    free(job);
}

static void read_submit(struct read_job *job)
{
    store_submit(job->app->store, &job->u.base);
}

static void list_begin(struct jw *w, struct svc_req *req)
{
    jw_init(w, &req->body);
    jw_object(w);
    jw_key(w, "items");
    jw_array(w);
}

static void list_end(struct jw *w, struct svc_req *req, struct str next_cursor)
{
    jw_end(w);
    if (next_cursor.p)
        jw_kv_string(w, "next_cursor", next_cursor);
    else
        jw_kv_raw(w, "next_cursor", STR("null"));
    jw_end(w);
    if (buf_error(&req->body))
        app_fail(req, ERR_TOO_LARGE, "the answer is too large; ask for fewer with limit");
    else
        app_done(req);
}

/* A token costs no write of the session's row, so the row's last_seq may lag behind the log's. */
static void row_catch_up(struct app *a, struct session_row *row)
{
    int64_t sealed = log_last_seq(a->log, row->id);
    if (sealed > row->core.last_seq)
        row->core.last_seq = sealed;
}

static void session_got(struct store_req *r)
{
    struct read_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such session")) {
        struct jw w;
        row_catch_up(job->app, &job->u.get.row);
        jw_init(&w, &req->body);
        wire_session(&w, &job->u.get.row);
        req->etag_version = job->u.get.row.version;
        workspaces_note(job->app, job->u.get.row.meta.workspace, job->u.get.row.id);
        app_done(req);
    }
    read_job_destroy(job);
}

void svc_session_get(struct app *a, struct svc_req *req)
{
    struct read_job *job = read_job_create(a, req, STORE_SESSION_GET, session_got);
    job->u.get.workspace = req->workspace;
    job->u.get.id = req->session_id;
    read_submit(job);
}

/* Those of the page that do not read back, by their ids: they are not passed over in silence. */
static void sessions_write_corrupt(struct jw *w, const struct id_list *corrupt)
{
    char text[ID_TEXT_BYTES + 1];
    if (!corrupt)
        return;
    jw_end(w);
    jw_key(w, "corrupt");
    jw_array(w); /* list_end() ends it */
    for (; corrupt; corrupt = corrupt->next) {
        id_format(corrupt->id, text);
        jw_stringz(w, text);
    }
}

static void sessions_listed(struct store_req *r)
{
    struct read_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "")) {
        struct jw w;
        list_begin(&w, req);
        for (struct session_item *it = job->u.list.rows; it; it = it->next) {
            row_catch_up(job->app, &it->row);
            wire_session(&w, &it->row);
        }
        sessions_write_corrupt(&w, job->u.list.corrupt);
        list_end(&w, req, job->u.list.next_cursor);
    }
    read_job_destroy(job);
}

void svc_session_list(struct app *a, struct svc_req *req)
{
    struct read_job *job = read_job_create(a, req, STORE_SESSION_LIST, sessions_listed);
    struct store_session_list *l = &job->u.list;
    l->workspace = req->workspace;
    l->status = req->list.status;
    l->workflow_id = req->list.workflow_id;
    l->group_id = req->list.group_id;
    l->user_id = req->list.user_id;
    l->tag = req->list.tag;
    l->q = req->list.q;
    struct metadata_filter *metadata =
        arena_calloc(&req->arena, req->list.metadata_count + 1, sizeof(*metadata));
    for (size_t i = 0; i < req->list.metadata_count; i++)
        metadata[i] =
            (struct metadata_filter){req->list.metadata[i].path, req->list.metadata[i].value};
    l->metadata = metadata;
    l->metadata_count = req->list.metadata_count;
    l->cursor = req->list.cursor;
    l->created_after = req->list.created_after;
    l->created_before = req->list.created_before;
    l->ascending = req->list.ascending;
    l->limit = req->list.limit;
    read_submit(job);
}

/* ---- instances ---- */

static void instance_write(struct jw *w, const struct instances *in, const struct instance_row *row,
                           int64_t now)
{
    char id[ID_TEXT_BYTES + 1];
    bool self = id_eq(row->id, in->self);
    int seen = instances_lease_seen(in, row->id);
    bool held = seen >= 0 ? seen > 0 || row->lease_until > now : row->lease_until > now;
    id_format(row->id, id);
    jw_object(w);
    jw_kv_stringz(w, "id", id);
    jw_kv_string(w, "name", row->name);
    jw_kv_string(w, "address", row->address);
    jw_kv_string(w, "version", row->version);
    jw_kv_bool(w, "self", self);
    jw_kv_bool(w, "leaving", row->leaving);
    jw_kv_stringz(w, "lease", held ? "held" : "over");
    jw_kv_i64(w, "sessions", self ? (int64_t)live_count(in->app) : row->sessions);
    jw_kv_time(w, "started_at", row->started_at);
    jw_kv_time(w, "seen_at", row->seen_at);
    jw_end(w);
}

static void instances_listed(struct store_req *r)
{
    struct read_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "")) {
        struct jw w;
        list_begin(&w, req);
        for (struct instance_row *it = job->u.instances.rows; it; it = it->next)
            instance_write(&w, &job->app->instances, it, job->u.instances.now);
        list_end(&w, req, STR_NULL);
    }
    read_job_destroy(job);
}

void svc_instances(struct app *a, struct svc_req *req)
{
    read_submit(read_job_create(a, req, STORE_INSTANCE_LIST, instances_listed));
}

/* ---- events ---- */

static bool type_is_wanted(struct str types, struct str frame)
{
    if (!types.p || !types.n)
        return true;
    struct json type = json_get(json_root(frame), "type");
    const char *at = types.p, *end = types.p + types.n;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t n = (size_t)((comma ? comma : end) - at);
        if (type.n == n + 2 && memcmp(type.p + 1, at, n) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

/* A page of events; the cursor for the next one is the seq it ended at. */
struct events_page {
    struct jw w;
    struct svc_req *req;
    int left;
    int64_t last; /* seq of the last event looked at */
};

static void events_add_row(struct events_page *p, const struct event_row *row)
{
    const char *at = row->frames.p, *end = at + row->frames.n;
    for (int64_t seq = row->seq_first; at < end && p->left > 0; seq++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        struct str frame = {at, (size_t)((nl ? nl : end) - at)};
        at += frame.n + 1;
        if (seq <= p->req->events.after)
            continue;
        p->last = seq;
        if (type_is_wanted(p->req->events.types, frame)) {
            jw_raw(&p->w, frame);
            p->left--;
        }
    }
}

static void events_read(struct store_req *r)
{
    struct read_job *job = r->data;
    struct svc_req *req = job->req;
    struct store_events_read *ev = &job->u.events;
    if (!app_failed_store(req, r, "there is no such session")) {
        struct events_page p = {.req = req, .left = req->events.limit, .last = req->events.after};
        list_begin(&p.w, req);
        for (struct event_row *row = ev->rows; row && p.left > 0; row = row->next)
            events_add_row(&p, row);
        char cursor[24];
        int n = snprintf(cursor, sizeof(cursor), "%lld", (long long)p.last);
        bool more = p.last < ev->last_seq && p.last > req->events.after;
        list_end(&p.w, req, more ? (struct str){cursor, (size_t)n} : STR_NULL);
    }
    read_job_destroy(job);
}

void svc_events(struct app *a, struct svc_req *req)
{
    struct read_job *job = read_job_create(a, req, STORE_EVENTS_READ, events_read);
    job->u.events.session_id = req->session_id;
    job->u.events.after = req->events.after;
    job->u.events.limit = req->events.types.p ? STORE_LIMIT_MAX : req->events.limit;
    job->u.events.bytes_max = EVENTS_BYTES_MAX;
    read_submit(job);
}

/* ---- messages, node runs ---- */

static void messages_listed(struct store_req *r)
{
    struct read_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such session")) {
        struct jw w;
        list_begin(&w, req);
        for (struct message_row *it = job->u.messages.rows; it; it = it->next)
            wire_message(&w, it);
        list_end(&w, req, job->u.messages.next_cursor);
    }
    read_job_destroy(job);
}

void svc_messages(struct app *a, struct svc_req *req)
{
    struct read_job *job = read_job_create(a, req, STORE_MESSAGES_LIST, messages_listed);
    job->u.messages.session_id = req->session_id;
    job->u.messages.cursor = req->list.cursor;
    job->u.messages.limit = req->list.limit;
    job->u.messages.node_id = req->list.node_id;
    job->u.messages.agent_id = req->list.agent_id;
    job->u.messages.role = req->list.role;
    read_submit(job);
}

static void runs_listed(struct store_req *r)
{
    struct read_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such session")) {
        struct jw w;
        list_begin(&w, req);
        for (struct run_row *it = job->u.runs.rows; it; it = it->next)
            wire_run(&w, it);
        list_end(&w, req, job->u.runs.next_cursor);
    }
    read_job_destroy(job);
}

void svc_nodes(struct app *a, struct svc_req *req)
{
    struct read_job *job = read_job_create(a, req, STORE_RUNS_LIST, runs_listed);
    job->u.runs.session_id = req->session_id;
    job->u.runs.cursor = req->list.cursor;
    job->u.runs.limit = req->list.limit;
    read_submit(job);
}
