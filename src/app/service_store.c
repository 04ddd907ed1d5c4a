/* The session store as other programs use it (docs/STORE.md).
 *
 *     PUT, PATCH ── look ── none, stored, ended ──> merge ──> SESSION_SAVE under its version
 *                     │ it runs                        ^  stale: look again
 *                     └──> a command to its owner ─────┘ it has ended meanwhile
 */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/meta.h"
#include "net/wire.h"

#define CHANGE_TRIES 50 /* others come first, again and again: then the client may try */

struct change_job {
    struct app *app;
    struct svc_req *req;
    void (*done)(struct svc_req *req); /* the request's own */
    void *data;
    unsigned tries;
    bool found;
    struct store_session_get get;
    struct store_session_save save;
    struct session_save entry;
};

static void change_look(struct change_job *job);

static bool change_is_patch(const struct svc_req *req)
{
    return req->op == SVC_SESSION_PATCH;
}

/* Whatever way it was answered. */
static void change_answered(struct svc_req *req)
{
    struct change_job *job = req->data;
    bool ended = req->status == ERR_CONFLICT && req->error_code &&
                 strcmp(req->error_code, SERVICE_ENDED) == 0;
    if (ended && job->tries < CHANGE_TRIES) {
        req->status = 0;
        req->http_status = 0;
        req->error_code = NULL;
        buf_clear(&req->details);
        change_look(job);
        return;
    }
    req->done = job->done;
    req->data = job->data;
    store_req_deinit(&job->get.req);
    store_req_deinit(&job->save.req);
    free(job);
    req->done(req);
}

static void change_fail_stale(struct svc_req *req, int64_t version)
{
    if (version)
        app_fail(req, ERR_STALE, "the session is at version %lld, not %lld", (long long)version,
                 (long long)req->if_match);
    else
        app_fail(req, ERR_STALE, "there is no such session, so it is not at version %lld",
                 (long long)req->if_match);
}

/* ---- in the store ---- */

static void change_answer(struct change_job *job)
{
    struct svc_req *req = job->req;
    struct session_row row = job->found ? job->get.row : (struct session_row){.id = job->entry.id};
    struct jw w;
    row.meta = job->entry.meta;
    row.core.status = job->entry.status;
    row.core.updated_at = job->save.now_ms;
    row.created_at = job->entry.created_at;
    row.version = job->entry.version;
    jw_init(&w, &req->body);
    wire_session(&w, &row);
    req->etag_version = row.version;
    req->http_status = job->entry.created ? 201 : 200;
    app_done(req);
}

static void change_saved(struct store_req *r)
{
    struct change_job *job = r->data;
    struct svc_req *req = job->req;
    bool moved = (r->status == ERR_STALE && !req->if_match) || r->status == ERR_CONFLICT;
    if (moved && job->tries < CHANGE_TRIES)
        change_look(job); /* somebody came first, or it began to run: uses r again */
    else if (moved && r->status == ERR_STALE)
        app_fail(req, ERR_UNAVAILABLE, "others change the session all the time; try again");
    else if (!app_failed_store(req, r, "there is no such session"))
        change_answer(job);
}

static void change_save(struct change_job *job)
{
    struct svc_req *req = job->req;
    const struct meta_change change = {req->stored.json, !change_is_patch(req)};
    const struct session_meta none = {
        .workspace = req->workspace, .stored_only = true, .tags_json = STR("[]")};
    const struct session_row *row = job->found ? &job->get.row : NULL;
    struct session_save *s = &job->entry;
    struct errbuf e = {""};
    memset(s, 0, sizeof(*s));
    s->id = req->session_id;
    int rc = meta_apply(&req->arena, row ? &row->meta : &none,
                        row ? row->core.status : STR(META_STATUS_DEFAULT), &change, &s->meta,
                        &s->status, &e);
    if (rc) {
        app_fail(req, rc, "%s", e.text);
        return;
    }
    s->kind = row && !row->meta.stored_only ? SAVE_META : SAVE_STORED;
    s->expected_version = row && (change_is_patch(req) || req->if_match) ? row->version : 0;
    s->must_exist = change_is_patch(req);
    memset(&job->save, 0, sizeof(job->save));
    store_req_init(&job->save.req, STORE_SESSION_SAVE, change_saved, job);
    job->save.workspace = req->workspace;
    job->save.saves = s;
    job->save.save_count = 1;
    job->save.now_ms = clock_wall_ms();
    store_submit(job->app->store, &job->save.req);
}

static bool change_has_ended(const struct session_row *row)
{
    enum session_status status;
    return session_status_parse(row->core.status, &status) && session_status_is_terminal(status);
}

static void change_found(struct store_req *r)
{
    struct change_job *job = r->data;
    struct svc_req *req = job->req;
    const struct session_row *row = &job->get.row;
    /* One that does not read back may be replaced: the store says no if it was executed here. */
    bool replaceable = r->status == ERR_NOT_FOUND || r->status == ERR_CORRUPT;
    job->found = r->status == 0;
    if (job->found && req->if_match && req->if_match != row->version)
        change_fail_stale(req, row->version);
    else if (job->found && !row->meta.stored_only && !change_has_ended(row))
        svc_command(job->app, req);
    else if (job->found)
        change_save(job);
    else if (r->status == ERR_NOT_FOUND && req->if_match)
        change_fail_stale(req, 0);
    else if (replaceable && !change_is_patch(req))
        change_save(job);
    else
        app_failed_store(req, r, "there is no such session");
}

static void change_look(struct change_job *job)
{
    job->tries++;
    store_req_deinit(&job->get.req);
    store_req_deinit(&job->save.req);
    memset(&job->get, 0, sizeof(job->get));
    memset(&job->save, 0, sizeof(job->save));
    store_req_init(&job->save.req, STORE_SESSION_SAVE, NULL, NULL);
    store_req_init(&job->get.req, STORE_SESSION_GET, change_found, job);
    job->get.workspace = job->req->workspace;
    job->get.id = job->req->session_id;
    store_submit(job->app->store, &job->get.req);
}

void svc_session_change(struct app *a, struct svc_req *req)
{
    struct errbuf e = {""};
    if (meta_check_names(req->stored.json, &e)) {
        app_fail(req, ERR_INVALID, "%s", e.text);
        return;
    }
    struct change_job *job = mem_zalloc(sizeof(*job));
    job->app = a;
    job->req = req;
    job->done = req->done;
    job->data = req->data;
    req->done = change_answered;
    req->data = job;
    change_look(job);
}

/* ---- a batch ---- */

struct batch_job {
    struct app *app;
    struct svc_req *req;
    struct store_session_save save;
};

static void write_id(struct jw *w, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    jw_stringz(w, text);
}

static void batch_write(const struct store_session_save *s, struct buf *out)
{
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "saved");
    jw_array(&w);
    for (size_t i = 0; i < s->save_count; i++) {
        jw_object(&w);
        jw_key(&w, "id");
        write_id(&w, s->saves[i].id);
        jw_kv_i64(&w, "version", s->saves[i].version);
        jw_kv_bool(&w, "created", s->saves[i].created);
        jw_end(&w);
    }
    jw_end(&w);
    jw_key(&w, "deleted");
    jw_array(&w);
    for (size_t i = 0; i < s->delete_count; i++)
        write_id(&w, s->deletes[i]);
    jw_end(&w);
    jw_end(&w);
}

/* Which entry it was that could not be. */
static void batch_blame(struct svc_req *req, bool is_delete, size_t index, struct id id)
{
    struct jw w;
    jw_init(&w, &req->details);
    jw_object(&w);
    jw_kv_stringz(&w, "list", is_delete ? "delete" : "save");
    jw_kv_u64(&w, "index", index);
    jw_key(&w, "id");
    write_id(&w, id);
    jw_end(&w);
}

static void batch_saved(struct store_req *r)
{
    struct batch_job *job = r->data;
    struct store_session_save *s = &job->save;
    struct svc_req *req = job->req;
    if (r->status && s->failed_in != SAVE_ENTRY_NONE) {
        bool is_delete = s->failed_in == SAVE_ENTRY_DELETE;
        batch_blame(req, is_delete, s->failed,
                    is_delete ? s->deletes[s->failed] : s->saves[s->failed].id);
    }
    if (!app_failed_store(req, r, "there is no such session")) {
        batch_write(s, &req->body);
        app_done(req);
    }
    store_req_deinit(r);
    free(job);
}

/* Checked by net: each has an id. */
static struct id batch_id(struct json v)
{
    struct id id = {{0}};
    id_parse((struct str){v.p + 1, v.n - 2}, &id);
    return id;
}

static bool batch_is_known(const struct store_session_save *s, struct id id)
{
    for (size_t i = 0; i < s->save_count; i++)
        if (id_eq(s->saves[i].id, id))
            return true;
    for (size_t i = 0; i < s->delete_count; i++)
        if (id_eq(s->deletes[i], id))
            return true;
    return false;
}

static int batch_read_saves(struct svc_req *req, struct store_session_save *s, struct errbuf *e)
{
    const struct session_meta none = {.workspace = req->workspace, .stored_only = true};
    struct json all = json_root(req->stored.save_json);
    struct json_iter it;
    int rc = 0;
    s->saves = arena_calloc(&req->arena, json_length(all) + 1, sizeof(*s->saves));
    json_iter_init(&it, all);
    while (rc == 0 && json_iter_next(&it)) {
        struct session_save *x = &s->saves[it.index];
        const struct meta_change change = {json_raw(it.value), true};
        struct id id = batch_id(json_get(it.value, "id"));
        if (batch_is_known(s, id))
            rc = err_set(e, ERR_INVALID, "save[%zu]: its id stands here twice", it.index);
        else
            rc = meta_apply(&req->arena, &none, STR(META_STATUS_DEFAULT), &change, &x->meta,
                            &x->status, e);
        if (rc)
            batch_blame(req, false, it.index, id);
        x->id = id;
        s->save_count++;
    }
    return rc;
}

static int batch_read_deletes(struct svc_req *req, struct store_session_save *s, struct errbuf *e)
{
    struct json all = json_root(req->stored.delete_json);
    struct json_iter it;
    struct id *ids = arena_calloc(&req->arena, json_length(all) + 1, sizeof(*ids));
    s->deletes = ids;
    json_iter_init(&it, all);
    while (json_iter_next(&it)) {
        struct id id = batch_id(it.value);
        if (batch_is_known(s, id)) {
            batch_blame(req, true, it.index, id);
            return err_set(e, ERR_INVALID, "delete[%zu]: its id stands here twice", it.index);
        }
        ids[s->delete_count++] = id;
    }
    return 0;
}

void svc_session_batch(struct app *a, struct svc_req *req)
{
    struct batch_job *job = mem_zalloc(sizeof(*job));
    struct store_session_save *s = &job->save;
    struct errbuf e = {""};
    int rc = req->stored.save_json.p ? batch_read_saves(req, s, &e) : 0;
    if (rc == 0 && req->stored.delete_json.p)
        rc = batch_read_deletes(req, s, &e);
    if (rc) {
        free(job);
        app_fail(req, rc, "%s", e.text);
        return;
    }
    if (s->save_count + s->delete_count == 0) { /* nothing is written, nothing can differ */
        batch_write(s, &req->body);
        free(job);
        app_done(req);
        return;
    }
    job->app = a;
    job->req = req;
    store_req_init(&s->req, STORE_SESSION_SAVE, batch_saved, job);
    s->workspace = req->workspace;
    s->now_ms = clock_wall_ms();
    s->idempotency = idempotency_row_of(req, &req->arena);
    s->answer = batch_write;
    store_submit(a->store, &s->req);
}
