/* Webhooks as their admins manage them: what they are, what was delivered, once more. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"

#define NO_WEBHOOK  "there is no such webhook"
#define SECRET_MIN  16 /* bytes */
#define SECRET_MAX  256
#define NAME_MAX_   256
#define SECRET_MADE 32 /* random bytes */

struct webhook_job {
    struct list link; /* in app.webhook_jobs while it sends */
    struct app *app;
    struct svc_req *req;
    struct store_hook_list get;
    struct store_hook_put put;
    struct store_hook_delete del;
    struct store_hook_deliveries list;
    struct store_hook_claim claim;
    struct store_hook_save save;
    struct store_events_read read;
    struct hook_post post;
    struct hook_delivery delivery;
    struct buf sealed, secret, body; /* secret: in the clear */
    bool made, is_patch;             /* made: the secret is ours, and told once */
};

static struct webhook_job *job_create(struct app *a, struct svc_req *req)
{
    struct webhook_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    list_init(&job->link);
    buf_init(&job->sealed, 4096);
    buf_init(&job->secret, SECRET_MAX + 1);
    buf_init(&job->body, 4096);
    return job;
}

static void job_destroy(struct webhook_job *job)
{
    struct store_req *reqs[] = {&job->get.req,  &job->put.req,   &job->del.req, &job->list.req,
                                &job->save.req, &job->claim.req, &job->read.req};
    for (size_t i = 0; i < sizeof(reqs) / sizeof(reqs[0]); i++)
        store_req_deinit(reqs[i]);
    list_remove(&job->link);
    if (job->secret.data)
        explicit_bzero(job->secret.data, job->secret.len);
    buf_deinit(&job->sealed);
    buf_deinit(&job->secret);
    buf_deinit(&job->body);
    free(job);
}

static void job_fail(struct webhook_job *job, int status, const char *sentence)
{
    app_fail(job->req, status, "%s", sentence);
    job_destroy(job);
}

static bool job_failed(struct webhook_job *job, struct store_req *r, const char *not_found)
{
    if (!app_failed_store(job->req, r, not_found))
        return false;
    job_destroy(job);
    return true;
}

/* ---- the object ---- */

static void kv_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    jw_kv_stringz(w, key, text);
}

static void kv_text(struct jw *w, const char *key, struct str s)
{
    jw_key(w, key);
    if (s.p)
        jw_string(w, s);
    else
        jw_null(w);
}

static void webhook_write(struct jw *w, const struct hook_row *row, struct str secret)
{
    jw_object(w);
    kv_id(w, "id", row->id);
    kv_text(w, "name", row->name);
    kv_text(w, "url", row->url);
    jw_kv_raw(w, "events", row->events_json);
    jw_kv_raw(w, "filter", row->filter_json);
    jw_kv_bool(w, "enabled", row->enabled);
    kv_text(w, "disabled_reason", row->disabled_reason);
    jw_kv_i64(w, "sessions_behind", row->behind);
    jw_kv_time(w, "failing_since", row->failing_since);
    if (secret.p)
        jw_kv_string(w, "secret", secret);
    jw_kv_i64(w, "version", row->version);
    jw_kv_time(w, "created_at", row->created_at);
    jw_kv_time(w, "updated_at", row->updated_at);
    jw_end(w);
}

static void webhook_answer(struct webhook_job *job, const struct hook_row *row, struct str secret)
{
    struct jw w;
    jw_init(&w, &job->req->body);
    webhook_write(&w, row, secret);
    job->req->etag_version = row->version;
    app_done(job->req);
    job_destroy(job);
}

/* The webhook that the path names. */
static void webhook_ask(struct webhook_job *job, void (*done)(struct store_req *))
{
    struct id id;
    if (!id_parse(job->req->name, &id) || id_is_zero(id)) {
        job_fail(job, ERR_NOT_FOUND, NO_WEBHOOK);
        return;
    }
    store_req_init(&job->get.req, STORE_HOOK_LIST, done, job);
    job->get.workspace = job->req->workspace;
    job->get.id = id;
    store_submit(job->app->store, &job->get.req);
}

/* False: it was answered. */
static bool webhook_came(struct webhook_job *job, struct store_req *r)
{
    if (job_failed(job, r, NO_WEBHOOK))
        return false;
    if (job->get.rows)
        return true;
    job_fail(job, ERR_NOT_FOUND, NO_WEBHOOK);
    return false;
}

static void get_came(struct store_req *r)
{
    struct webhook_job *job = r->data;
    if (webhook_came(job, r))
        webhook_answer(job, job->get.rows, STR_NULL);
}

void svc_webhook_get(struct app *a, struct svc_req *req)
{
    webhook_ask(job_create(a, req), get_came);
}

static void list_came(struct store_req *r)
{
    struct webhook_job *job = r->data;
    struct svc_req *req = job->req;
    struct hook_row *row = job->get.rows;
    char next[ID_TEXT_BYTES + 1] = "";
    struct jw w;
    if (job_failed(job, r, ""))
        return;
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int left = req->list.limit; row && left > 0; row = row->next, left--) {
        webhook_write(&w, row, STR_NULL);
        if (left == 1 && row->next)
            id_format(row->id, next);
    }
    jw_end(&w);
    jw_kv_stringz(&w, "next_cursor", next[0] ? next : NULL);
    jw_end(&w);
    app_done(req);
    job_destroy(job);
}

void svc_webhook_list(struct app *a, struct svc_req *req)
{
    struct webhook_job *job = job_create(a, req);
    store_req_init(&job->get.req, STORE_HOOK_LIST, list_came, job);
    if (req->list.cursor.n && !id_parse(req->list.cursor, &job->get.after)) {
        job_fail(job, ERR_INVALID, "cursor: not one that was given");
        return;
    }
    job->get.workspace = req->workspace;
    job->get.limit = req->list.limit + 1;
    store_submit(a->store, &job->get.req);
}

/* ---- create, put, patch ---- */

static struct str text_of(struct svc_req *req, struct json v)
{
    struct buf b;
    if (json_type(v) != JSON_STRING)
        return STR_NULL;
    buf_init(&b, v.n + 1);
    json_string(v, &b);
    struct str kept = {arena_strdup(&req->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return kept;
}

static int fields_known(struct json body, struct errbuf *e)
{
    static const char *const names[] = {"url", "name", "events", "filter", "secret", "enabled"};
    struct json_iter it;
    if (json_type(body) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "expected an object");
    json_iter_init(&it, body);
    while (json_iter_next(&it)) {
        bool known = false;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            known = known || json_iter_key_is(&it, names[i]);
        if (!known)
            return err_set(e, ERR_INVALID, "unknown field \"%.*s\"",
                           (int)(it.key.n < 80 ? it.key.n : 80), it.key.p);
    }
    return 0;
}

static int secret_read(struct webhook_job *job, struct json v, struct errbuf *e)
{
    uint8_t bytes[SECRET_MADE];
    if (json_exists(v)) {
        if (json_type(v) != JSON_STRING || !json_string(v, &job->secret) ||
            buf_error(&job->secret) || job->secret.len < SECRET_MIN || job->secret.len > SECRET_MAX)
            return err_set(e, ERR_INVALID, "secret: expected a text of %d to %d bytes", SECRET_MIN,
                           SECRET_MAX);
        return 0;
    }
    digest_random(bytes, sizeof(bytes));
    buf_append_z(&job->secret, "whsec_");
    base64url_append(&job->secret, bytes, sizeof(bytes));
    job->made = true;
    return 0;
}

static struct str json_or(struct json v, struct str fallback)
{
    return json_exists(v) ? json_raw(v) : fallback;
}

/* Into job->put.row; `old`: what it is so far, or NULL. */
static int row_read(struct webhook_job *job, const struct hook_row *old, struct errbuf *e)
{
    struct svc_req *req = job->req;
    struct hook_row *row = &job->put.row;
    struct json body = json_root(req->workflow.text), url = json_get_set(body, "url"),
                name = json_get_set(body, "name"), events = json_get_set(body, "events"),
                filter = json_get_set(body, "filter"), enabled = json_get_set(body, "enabled"),
                secret = json_get_set(body, "secret");
    bool merge = old && job->is_patch;
    int rc = fields_known(body, e);
    if (rc == 0)
        rc = webhook_rules_check(events, filter, e);
    if (rc)
        return rc;
    row->url = json_exists(url) ? text_of(req, url) : merge ? old->url : STR_NULL;
    row->name = json_exists(name)                               ? text_of(req, name)
                : merge && !json_exists(json_get(body, "name")) ? old->name
                                                                : STR_NULL;
    row->events_json = json_or(events, merge ? old->events_json : STR("[]"));
    row->filter_json = json_or(filter, merge ? old->filter_json : STR("{}"));
    row->enabled = merge ? old->enabled : true;
    if (!row->url.p)
        return err_set(e, ERR_INVALID, "url: missing, or no text");
    if (json_exists(name) && (!row->name.p || row->name.n > NAME_MAX_))
        return err_set(e, ERR_INVALID, "name: expected a text of at most %d bytes", NAME_MAX_);
    if (json_exists(enabled) && !json_bool(enabled, &row->enabled))
        return err_set(e, ERR_INVALID, "enabled: expected true or false");
    rc = webhook_url_check(row->url, e);
    if (rc == 0 && (!old || json_exists(secret)))
        rc = secret_read(job, secret, e);
    return rc;
}

static void put_done(struct store_req *r)
{
    struct webhook_job *job = r->data;
    if (job_failed(job, r, NO_WEBHOOK))
        return;
    webhooks_reload(&job->app->webhooks);
    instances_nudge_all(&job->app->instances, 'h');
    job->put.row.behind = job->get.rows ? job->get.rows->behind : 0;
    job->put.row.failing_since = job->get.rows ? job->get.rows->failing_since : 0;
    webhook_answer(job, &job->put.row, job->made ? buf_str(&job->secret) : STR_NULL);
}

/* What a repeat with the same Idempotency-Key gets has no secret in it: it is not written down. */
static void put_key(struct webhook_job *job)
{
    struct svc_req *req = job->req;
    struct jw w;
    job->put.row.version = 1;
    job->put.row.created_at = job->put.row.updated_at = job->put.now_ms;
    jw_init(&w, &req->body);
    webhook_write(&w, &job->put.row, STR_NULL);
    struct idempotency_row *row = (struct idempotency_row *)idempotency_row_of(req, &req->arena);
    if (row)
        row->body_json = (struct str){arena_strdup(&req->arena, row->body_json), row->body_json.n};
    job->put.idempotency = row;
    buf_clear(&req->body);
}

static void put_submit(struct webhook_job *job, const struct hook_row *old)
{
    struct svc_req *req = job->req;
    struct webhooks *hooks = &job->app->webhooks;
    struct errbuf e = {""};
    char bound[ID_TEXT_BYTES + 1];
    store_req_init(&job->put.req, STORE_HOOK_PUT, put_done, job);
    job->put.is_new = !old;
    job->put.now_ms = clock_wall_ms();
    job->put.expected_version = req->if_match;
    int rc = row_read(job, old, &e);
    if (rc == 0 && job->secret.len)
        rc = app_webhook_key(job->app, true, &e);
    if (rc) {
        job_fail(job, rc, e.text);
        return;
    }
    job->put.row.id = old ? old->id : id_new(&job->app->ids, (uint64_t)job->put.now_ms);
    job->put.row.workspace = req->workspace;
    job->put.row.scan_from = job->put.now_ms;
    if (job->secret.len) { /* always, of a new one */
        id_format(job->put.row.id, bound);
        seal_close(&hooks->key, buf_str(&job->secret), str_of(bound), &job->sealed);
        job->put.row.secret = buf_str(&job->sealed);
    } else if (old) {
        job->put.row.secret = old->secret;
    }
    if (!old) {
        req->http_status = 201;
        put_key(job);
    }
    store_submit(job->app->store, &job->put.req);
}

static void change_came(struct store_req *r)
{
    struct webhook_job *job = r->data;
    if (webhook_came(job, r))
        put_submit(job, job->get.rows);
}

void svc_webhook_put(struct app *a, struct svc_req *req)
{
    struct webhook_job *job = job_create(a, req);
    job->is_patch = req->op == SVC_WEBHOOK_PATCH;
    if (req->op == SVC_WEBHOOK_CREATE)
        put_submit(job, NULL);
    else
        webhook_ask(job, change_came);
}

static void delete_done(struct store_req *r)
{
    struct webhook_job *job = r->data;
    if (job_failed(job, r, NO_WEBHOOK))
        return;
    webhooks_reload(&job->app->webhooks);
    instances_nudge_all(&job->app->instances, 'h');
    job->req->http_status = 204;
    app_done(job->req);
    job_destroy(job);
}

void svc_webhook_delete(struct app *a, struct svc_req *req)
{
    struct webhook_job *job = job_create(a, req);
    store_req_init(&job->del.req, STORE_HOOK_DELETE, delete_done, job);
    if (!id_parse(req->name, &job->del.id)) {
        job_fail(job, ERR_NOT_FOUND, NO_WEBHOOK);
        return;
    }
    job->del.workspace = req->workspace;
    job->del.expected_version = req->if_match;
    store_submit(a->store, &job->del.req);
}

/* ---- deliveries ---- */

static void delivery_members(struct jw *w, const struct hook_delivery *d)
{
    kv_id(w, "id", d->id);
    kv_id(w, "session_id", d->session_id);
    jw_kv_i64(w, "seq", d->seq);
    kv_text(w, "type", d->type);
    kv_text(w, "status", d->status);
    jw_kv_i64(w, "attempts", d->attempts);
    jw_key(w, "http_status");
    if (d->http_status)
        jw_i64(w, d->http_status);
    else
        jw_null(w);
    jw_kv_i64(w, "duration_ms", d->duration_ms);
    kv_text(w, "error", d->error);
    jw_kv_time(w, "next_at", d->next_at);
    jw_kv_time(w, "created_at", d->created_at);
    jw_kv_time(w, "updated_at", d->updated_at);
}

static void deliveries_ask(struct webhook_job *job, void (*done)(struct store_req *))
{
    struct svc_req *req = job->req;
    store_req_init(&job->list.req, STORE_HOOK_DELIVERIES, done, job);
    if (!id_parse(req->name, &job->list.hook)) {
        job_fail(job, ERR_NOT_FOUND, NO_WEBHOOK);
        return;
    }
    job->list.workspace = req->workspace;
    store_submit(job->app->store, &job->list.req);
}

static void deliveries_came(struct store_req *r)
{
    struct webhook_job *job = r->data;
    struct svc_req *req = job->req;
    struct jw w;
    if (job_failed(job, r, NO_WEBHOOK))
        return;
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (struct hook_delivery *d = job->list.rows; d; d = d->next) {
        jw_object(&w);
        delivery_members(&w, d);
        jw_end(&w);
    }
    jw_end(&w);
    kv_text(&w, "next_cursor", job->list.next_cursor);
    jw_end(&w);
    app_done(req);
    job_destroy(job);
}

void svc_webhook_deliveries(struct app *a, struct svc_req *req)
{
    struct webhook_job *job = job_create(a, req);
    job->list.status = req->list.status;
    job->list.session_id = req->session_id;
    job->list.cursor = req->list.cursor;
    job->list.limit = req->list.limit;
    deliveries_ask(job, deliveries_came);
}

/* ---- one request at once ---- */

static void post_begin(struct webhook_job *job, const struct hook_row *row,
                       void (*done)(struct hook_post *))
{
    struct webhooks *hooks = &job->app->webhooks;
    struct errbuf e = {""};
    char bound[ID_TEXT_BYTES + 1];
    id_format(row->id, bound);
    int rc = job->app->stopping
                 ? err_set(&e, ERR_UNAVAILABLE, "the server is shutting down")
                 : seal_open(&hooks->key, row->secret, str_of(bound), &job->secret, &e);
    if (rc) {
        job_fail(job, rc == ERR_CORRUPT ? ERR_CONFLICT : rc, e.text);
        return;
    }
    job->post.url = row->url;
    job->post.secret = buf_str(&job->secret);
    job->post.hook = row->id;
    job->post.at = clock_wall_ms();
    job->post.done = done;
    job->post.data = job;
    list_append(&job->app->webhook_jobs, &job->link);
    hooks->sender->post(hooks->sender, &job->post);
}

static void outcome_members(struct jw *w, const struct hook_post *p)
{
    jw_kv_bool(w, "delivered", p->taken);
    jw_key(w, "http_status");
    if (p->http_status)
        jw_i64(w, p->http_status);
    else
        jw_null(w);
    jw_kv_i64(w, "duration_ms", p->duration_ms);
    kv_text(w, "error", p->error[0] ? str_of(p->error) : STR_NULL);
}

static void test_posted(struct hook_post *p)
{
    struct webhook_job *job = p->data;
    struct jw w;
    jw_init(&w, &job->req->body);
    jw_object(&w);
    outcome_members(&w, p);
    jw_end(&w);
    app_done(job->req);
    job_destroy(job);
}

static void test_came(struct store_req *r)
{
    struct webhook_job *job = r->data;
    char at[CLOCK_RFC3339_BYTES + 1];
    if (!webhook_came(job, r))
        return;
    clock_format_rfc3339(clock_wall_ms(), at);
    buf_printf(&job->body,
               "{\"seq\":0,\"session_id\":\"00000000-0000-0000-0000-000000000000\","
               "\"type\":\"webhook_test\",\"timestamp\":\"%s\",\"data\":{}}",
               at);
    job->post.body = buf_str(&job->body);
    job->post.type = STR("webhook_test");
    job->post.delivery = id_new(&job->app->ids, (uint64_t)clock_wall_ms());
    post_begin(job, job->get.rows, test_posted);
}

void svc_webhook_test(struct app *a, struct svc_req *req)
{
    webhook_ask(job_create(a, req), test_came);
}

/* A delivery once more, whatever became of it; its session's place in the log stays. */
static void again_saved(struct store_req *r)
{
    struct webhook_job *job = r->data;
    struct jw w;
    if (job_failed(job, r, "the session is gone"))
        return;
    jw_init(&w, &job->req->body);
    jw_object(&w);
    delivery_members(&w, &job->delivery);
    jw_kv_bool(&w, "delivered", job->post.taken);
    jw_end(&w);
    app_done(job->req);
    job_destroy(job);
}

static void again_posted(struct hook_post *p)
{
    struct webhook_job *job = p->data;
    struct hook_delivery *d = &job->delivery;
    list_remove(&job->link);
    d->attempts++;
    d->http_status = p->http_status;
    d->duration_ms = p->duration_ms;
    d->error = p->error[0] ? str_of(p->error) : STR_NULL;
    d->updated_at = clock_wall_ms();
    if (p->taken)
        d->status = STR("delivered");
    store_req_init(&job->save.req, STORE_HOOK_SAVE, again_saved, job);
    job->save.hook = job->list.hook;
    job->save.session_id = d->session_id;
    job->save.instance = job->app->instances.self;
    job->save.delivery = d;
    job->save.now_ms = d->updated_at;
    store_submit(job->app->store, &job->save.req);
}

static struct str frame_of(const struct event_row *rows, int64_t wanted)
{
    for (; rows; rows = rows->next) {
        const char *at = rows->frames.p, *end = at + rows->frames.n;
        for (int64_t seq = rows->seq_first; at < end; seq++) {
            const char *nl = memchr(at, '\n', (size_t)(end - at));
            struct str frame = {at, (size_t)((nl ? nl : end) - at)};
            if (seq == wanted)
                return frame;
            at += frame.n + 1;
        }
    }
    return STR_NULL;
}

static void again_read(struct store_req *r)
{
    struct webhook_job *job = r->data;
    if (job_failed(job, r, "the session is gone"))
        return;
    job->post.body = frame_of(job->read.rows, job->delivery.seq);
    if (!job->post.body.p) {
        job_fail(job, ERR_CONFLICT, "the session's log does not hold this event any more");
        return;
    }
    job->post.type = job->delivery.type;
    job->post.delivery = job->delivery.id;
    job->post.replay = true;
    post_begin(job, job->get.rows, again_posted);
}

static void again_found(struct store_req *r)
{
    struct webhook_job *job = r->data;
    if (job_failed(job, r, NO_WEBHOOK))
        return;
    if (!job->list.rows) {
        job_fail(job, ERR_NOT_FOUND, "there is no such delivery; old ones are not kept");
        return;
    }
    job->delivery = *job->list.rows;
    job->delivery.next = NULL;
    store_req_init(&job->read.req, STORE_EVENTS_READ, again_read, job);
    job->read.session_id = job->delivery.session_id;
    job->read.after = job->delivery.seq - 1;
    job->read.limit = 1;
    job->read.bytes_max = 1;
    store_submit(job->app->store, &job->read.req);
}

static void again_webhook(struct store_req *r)
{
    struct webhook_job *job = r->data;
    if (!webhook_came(job, r))
        return;
    job->list.id = job->req->answer.interrupt_id;
    job->list.limit = 1;
    deliveries_ask(job, again_found);
}

void svc_webhook_redeliver(struct app *a, struct svc_req *req)
{
    webhook_ask(job_create(a, req), again_webhook);
}

/* ---- from a point ---- */

static void rewound(struct store_req *r)
{
    struct webhook_job *job = r->data;
    struct svc_req *req = job->req;
    struct webhooks *hooks = &job->app->webhooks;
    if (r->status == 0)
        webhooks_rewound(hooks, job->claim.hook, job->claim.session_id, job->claim.seq);
    if (job_failed(job, r, "there is no such session"))
        return;
    req->http_status = 202;
    buf_printf(&req->body, "{\"status\":\"replaying\",\"after\":%lld}", (long long)job->claim.seq);
    app_done(req);
    job_destroy(job);
}

struct replay_session {
    struct store_session_get get;
    struct webhook_job *job;
};

static void replay_session_came(struct store_req *r)
{
    struct replay_session *s = r->data;
    struct webhook_job *job = s->job;
    int64_t last = s->get.row.core.last_seq;
    bool failed = job_failed(job, r, "there is no such session");
    store_req_deinit(r);
    free(s);
    if (failed)
        return;
    if (job->claim.seq > last) {
        job_fail(job, ERR_INVALID, "after: the session has no such event yet");
        return;
    }
    webhooks_rewind(&job->app->webhooks, job->claim.hook, job->claim.session_id, job->claim.seq);
    store_submit(job->app->store, &job->claim.req);
}

static int replay_read(struct webhook_job *job, struct errbuf *e)
{
    struct json body = json_root(job->req->workflow.text), id = json_get_set(body, "session_id"),
                after = json_get_set(body, "after");
    struct json_iter it;
    if (json_type(body) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "expected an object");
    json_iter_init(&it, body);
    while (json_iter_next(&it))
        if (!json_iter_key_is(&it, "session_id") && !json_iter_key_is(&it, "after"))
            return err_set(e, ERR_INVALID, "unknown field \"%.*s\"",
                           (int)(it.key.n < 80 ? it.key.n : 80), it.key.p);
    if (json_type(id) != JSON_STRING ||
        !id_parse((struct str){id.p + 1, id.n - 2}, &job->claim.session_id))
        return err_set(e, ERR_INVALID, "session_id: expected an id");
    if (json_exists(after) && (!json_i64(after, &job->claim.seq) || job->claim.seq < 0))
        return err_set(e, ERR_INVALID, "after: expected a whole number from 0");
    return 0;
}

static void replay_came(struct store_req *r)
{
    struct webhook_job *job = r->data;
    struct errbuf e = {""};
    if (!webhook_came(job, r))
        return;
    store_req_init(&job->claim.req, STORE_HOOK_CLAIM, rewound, job);
    int rc = replay_read(job, &e);
    if (rc == 0 && !job->get.rows->enabled)
        rc = err_set(&e, ERR_CONFLICT, "the webhook is disabled; enable it first");
    if (rc) {
        job_fail(job, rc, e.text);
        return;
    }
    job->claim.hook = job->get.rows->id;
    job->claim.instance = job->app->instances.self;
    job->claim.rewind = true;
    job->claim.now_ms = clock_wall_ms();
    struct replay_session *s = mem_zalloc(sizeof(*s));
    s->job = job;
    store_req_init(&s->get.req, STORE_SESSION_GET, replay_session_came, s);
    s->get.workspace = job->req->workspace;
    s->get.id = job->claim.session_id;
    store_submit(job->app->store, &s->get.req);
}

void svc_webhook_replay(struct app *a, struct svc_req *req)
{
    webhook_ask(job_create(a, req), replay_came);
}

void svc_webhooks_stop(struct app *a)
{
    list_foreach_safe(it, tmp, &a->webhook_jobs)
    {
        struct webhook_job *job = container_of(it, struct webhook_job, link);
        a->webhooks.sender->cancel(a->webhooks.sender, &job->post);
        job_fail(job, ERR_UNAVAILABLE, "the server is shutting down");
    }
}
