/* What clients ask of memory: in, found, listed, moved, gone. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

#define DAY_MS 86400000.0

struct memory_job {
    struct app *app;
    struct svc_req *req;
    union {
        struct store_req base;
        struct store_memory_list list;
        struct store_memory_get get;
        struct store_memory_update update;
        struct store_memory_delete gone;
        struct store_idempotency_put kept;
    } u;
    struct id id;
    int64_t changed;
};

static struct memory_job *job_create(struct app *a, struct svc_req *req, enum store_op op,
                                     void (*done)(struct store_req *))
{
    struct memory_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    store_req_init(&job->u.base, op, done, job);
    return job;
}

static void job_destroy(struct memory_job *job)
{
    store_req_deinit(&job->u.base);
    free(job);
}

static void kv_id(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    jw_kv_stringz(w, key, text);
}

/* ERR_INVALID unless the word is a tier's, or there is none. */
static int tier_read(const char *key, struct str word, enum memory_tier *out, struct errbuf *e)
{
    *out = (enum memory_tier)0;
    if (!word.p)
        return 0;
    *out = memory_tier_of(word);
    return *out ? 0 : err_set(e, ERR_INVALID, "%s: expected quarantine, working or long_term", key);
}

/* ---- in ---- */

struct ingest_job {
    struct memory_ingest in;
    struct svc_req *req;
};

void memory_ingest_write(struct jw *w, const struct memory_ingest *m)
{
    jw_object(w);
    kv_id(w, "id", m->source_id);
    jw_key(w, "ids");
    jw_array(w);
    for (size_t i = 0; i < m->count; i++) {
        char text[ID_TEXT_BYTES + 1];
        id_format(m->rows[i].id, text);
        jw_stringz(w, text);
    }
    jw_end(w);
    jw_kv_u64(w, "chunks", m->count);
    jw_kv_stringz(w, "tier", memory_tier_word(m->tier));
    jw_kv_bool(w, "embedded", m->model != NULL);
    jw_key(w, "model");
    jw_stringz(w, m->model);
    jw_end(w);
}

static const struct idempotency_row *ingest_answer(struct memory_ingest *m)
{
    struct svc_req *req = container_of(m, struct ingest_job, in)->req;
    struct jw w;
    buf_clear(&req->body);
    jw_init(&w, &req->body);
    memory_ingest_write(&w, m);
    req->http_status = 201;
    return idempotency_row_of(req, &req->arena);
}

static void ingested(struct memory_ingest *m)
{
    struct ingest_job *job = container_of(m, struct ingest_job, in);
    struct svc_req *req = job->req;
    int status = m->status;
    struct errbuf e = m->error;
    if (status == ERR_UPSTREAM)
        req->error_code = "embedding_failed";
    memory_ingest_deinit(m);
    free(job);
    if (status == 0) {
        app_done(req);
        return;
    }
    buf_clear(&req->body);
    app_fail(req, status == ERR_IO ? ERR_UNAVAILABLE : status, "%s", e.text);
}

void svc_memory_ingest(struct app *a, struct svc_req *req)
{
    struct ingest_job *job = mem_zalloc(sizeof(*job));
    struct memory_ingest *m = &job->in;
    struct errbuf e = {""};
    job->req = req;
    m->workspace = req->workspace;
    m->group_id = req->memory.group_id;
    m->agent_id = req->memory.agent_id;
    m->session_id = req->memory.session_id;
    m->content = req->memory.content;
    m->metadata_json = req->memory.metadata_json;
    m->before_put = ingest_answer;
    m->done = ingested;
    int rc = tier_read("tier", req->memory.tier, &m->tier, &e);
    if (!rc)
        rc = memory_ingest_start(a, m, &e);
    if (!rc)
        return;
    free(job);
    if (rc == ERR_UPSTREAM)
        req->error_code = "embedding_failed";
    app_fail(req, rc, "%s", e.text);
}

/* ---- found ---- */

struct query_job {
    struct memory_query q;
    struct svc_req *req;
};

void memory_items_write(struct jw *w, const struct memory_row *rows, bool is_result)
{
    jw_key(w, "items");
    jw_array(w);
    for (; rows; rows = rows->next)
        memory_row_write(w, rows, is_result);
    jw_end(w);
}

static void queried(struct memory_query *q)
{
    struct query_job *job = container_of(q, struct query_job, q);
    struct svc_req *req = job->req;
    if (!app_failed_store(req, &q->ask.req, "")) {
        struct jw w;
        jw_init(&w, &req->body);
        jw_object(&w);
        memory_items_write(&w, q->rows, true);
        jw_kv_bool(&w, "embedded", q->by_vector);
        jw_end(&w);
        if (buf_error(&req->body))
            app_fail(req, ERR_TOO_LARGE, "the answer is too large; ask for fewer");
        else
            app_done(req);
    }
    memory_query_deinit(q);
    free(job);
}

static int tiers_read(struct str json, unsigned *out, struct errbuf *e)
{
    struct json_iter it;
    *out = 0;
    if (!json.p)
        return 0;
    json_iter_init(&it, json_root(json));
    while (json_iter_next(&it)) {
        enum memory_tier t;
        int rc = tier_read("tiers", (struct str){it.value.p + 1, it.value.n - 2}, &t, e);
        if (rc)
            return rc;
        *out |= t;
    }
    return 0;
}

static int64_t time_of(struct str json)
{
    int64_t ms = 0;
    if (json.n > 2)
        clock_parse_rfc3339((struct str){json.p + 1, json.n - 2}, &ms);
    return ms;
}

static double number_of(struct str json)
{
    double d = 0;
    if (json.p)
        json_double(json_root(json), &d);
    return d;
}

static int query_fill(struct memory_query *q, const struct svc_req *req, struct errbuf *e)
{
    double days = number_of(req->memory.days_json);
    q->workspace = req->workspace;
    q->group_id = req->memory.group_id;
    q->agent_id = req->memory.agent_id;
    q->session_id = req->memory.session_id;
    q->text = req->memory.query;
    q->score_min = number_of(req->memory.threshold_json);
    q->created_after = time_of(req->memory.after_json);
    q->created_before = time_of(req->memory.before_json);
    if (days > 0) {
        int64_t since = clock_wall_ms() - (int64_t)(days * DAY_MS);
        if (since > q->created_after)
            q->created_after = since;
    }
    q->limit = (int)req->memory.max_results;
    return tiers_read(req->memory.tiers_json, &q->tiers, e);
}

void svc_memory_query(struct app *a, struct svc_req *req)
{
    struct query_job *job = mem_zalloc(sizeof(*job));
    struct errbuf e = {""};
    int rc = query_fill(&job->q, req, &e);
    job->req = req;
    job->q.done = queried;
    if (!rc) {
        memory_query_start(a, &job->q);
        return;
    }
    free(job);
    app_fail(req, rc, "%s", e.text);
}

/* ---- listed ---- */

static void listed(struct store_req *r)
{
    struct memory_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "")) {
        struct jw w;
        jw_init(&w, &req->body);
        jw_object(&w);
        memory_items_write(&w, job->u.list.rows, false);
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
    job_destroy(job);
}

void svc_memory_list(struct app *a, struct svc_req *req)
{
    enum memory_tier tier;
    struct errbuf e = {""};
    int rc = tier_read("tier", req->memory.tier, &tier, &e);
    if (rc) {
        app_fail(req, rc, "%s", e.text);
        return;
    }
    struct memory_job *job = job_create(a, req, STORE_MEMORY_LIST, listed);
    struct store_memory_list *l = &job->u.list;
    l->workspace = req->workspace;
    l->group_id = req->memory.group_id;
    l->agent_id = req->memory.agent_id;
    l->session_id = req->memory.session_id;
    l->tiers = tier;
    l->cursor = req->list.cursor;
    l->limit = req->list.limit;
    store_submit(a->store, &job->u.base);
}

static void got(struct store_req *r)
{
    struct memory_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such memory")) {
        struct jw w;
        jw_init(&w, &req->body);
        memory_row_write(&w, &job->u.get.row, false);
        app_done(req);
    }
    job_destroy(job);
}

void svc_memory_get(struct app *a, struct svc_req *req)
{
    struct memory_job *job = job_create(a, req, STORE_MEMORY_GET, got);
    job->u.get.workspace = req->workspace;
    job->u.get.id = req->memory.id;
    store_submit(a->store, &job->u.base);
}

/* ---- gone ---- */

static void changed(void *data)
{
    app_done(data);
}

static void deleted(struct store_req *r)
{
    struct memory_job *job = r->data;
    struct svc_req *req = job->req;
    if (!app_failed_store(req, r, "there is no such memory")) {
        req->http_status = 204;
        memory_hot_changed(job->app, req->workspace, changed, req);
    }
    job_destroy(job);
}

void svc_memory_delete(struct app *a, struct svc_req *req)
{
    struct memory_job *job = job_create(a, req, STORE_MEMORY_DELETE, deleted);
    job->u.gone.workspace = req->workspace;
    job->u.gone.id = req->memory.id;
    store_submit(a->store, &job->u.base);
}

/* ---- moved ---- */

static void job_next(struct memory_job *job, enum store_op op, void (*done)(struct store_req *))
{
    store_req_deinit(&job->u.base);
    memset(&job->u, 0, sizeof(job->u));
    store_req_init(&job->u.base, op, done, job);
}

static void promote_kept(struct store_req *r)
{
    struct memory_job *job = r->data;
    struct svc_req *req = job->req;
    if (r->status) /* a repeat moves what is moved already: only the number differs */
        log_warn("memory", "an Idempotency-Key was not kept: %s", r->error.text);
    job_destroy(job);
    app_done(req);
}

/* The answer is kept for a repeat with the same key. */
static void promote_seen(void *data)
{
    struct memory_job *job = data;
    struct svc_req *req = job->req;
    if (!req->idempotency_key.p || job->app->stopping) {
        job_destroy(job);
        app_done(req);
        return;
    }
    job_next(job, STORE_IDEMPOTENCY_PUT, promote_kept);
    job->u.kept.row = *idempotency_row_of(req, &req->arena);
    store_submit(job->app->store, &job->u.base);
}

static void promote_answer(struct memory_job *job)
{
    struct svc_req *req = job->req;
    struct jw w;
    jw_init(&w, &req->body);
    jw_object(&w);
    kv_id(&w, "id", req->memory.id);
    jw_kv_string(&w, "tier", req->memory.tier);
    jw_kv_i64(&w, "changed", job->changed);
    jw_end(&w);
    if (memory_tier_of(req->memory.tier) == MEMORY_WORKING)
        memory_note(&job->app->memory);
    memory_hot_changed(job->app, req->workspace, promote_seen, job);
}

static void promote_listed(struct store_req *r)
{
    struct memory_job *job = r->data;
    bool is_there = r->status == 0 && job->u.list.rows;
    if (is_there) {
        promote_answer(job);
        return;
    }
    if (r->status == 0)
        app_fail(job->req, ERR_NOT_FOUND, "there is no such memory");
    else
        app_failed_store(job->req, r, "");
    job_destroy(job);
}

static void promote_looked(struct store_req *r)
{
    struct memory_job *job = r->data;
    if (r->status == 0) {
        promote_answer(job);
    } else if (r->status == ERR_NOT_FOUND) {
        job_next(job, STORE_MEMORY_LIST, promote_listed);
        job->u.list.workspace = job->req->workspace;
        job->u.list.source_id = job->id;
        job->u.list.limit = 1;
        store_submit(job->app->store, &job->u.base);
    } else {
        app_failed_store(job->req, r, "");
        job_destroy(job);
    }
}

/* Nothing was moved: it is there already, or it is nowhere. */
static void promoted(struct store_req *r)
{
    struct memory_job *job = r->data;
    if (app_failed_store(job->req, r, "there is no such memory")) {
        job_destroy(job);
        return;
    }
    job->changed = job->u.update.changed;
    if (job->changed) {
        promote_answer(job);
        return;
    }
    job_next(job, STORE_MEMORY_GET, promote_looked);
    job->u.get.workspace = job->req->workspace;
    job->u.get.id = job->id;
    store_submit(job->app->store, &job->u.base);
}

void svc_memory_promote(struct app *a, struct svc_req *req)
{
    enum memory_tier tier;
    struct errbuf e = {""};
    int rc = tier_read("tier", req->memory.tier, &tier, &e);
    if (rc) {
        app_fail(req, rc, "%s", e.text);
        return;
    }
    struct memory_job *job = job_create(a, req, STORE_MEMORY_UPDATE, promoted);
    struct store_memory_update *m = &job->u.update;
    job->id = req->memory.id;
    m->workspace = req->workspace;
    m->ids = &job->id;
    m->count = 1;
    m->tier = tier;
    m->now_ms = clock_wall_ms();
    store_submit(a->store, &job->u.base);
}
