/* Keys as their admins manage them, and who one is. All answers but a write's come from memory. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/keys.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

/* Whoever runs the server is an admin of `default`: the keys of all workspaces are theirs. */
static bool rules_all(const struct svc_req *req)
{
    return str_eqz(req->workspace, "default");
}

static bool may_manage(const struct svc_req *req, const struct key *key)
{
    return rules_all(req) || str_eqz(req->workspace, key->workspace);
}

static void write_id(struct jw *w, const char *name, struct id id)
{
    char text[ID_TEXT_BYTES + 1];

    if (id_is_zero(id)) {
        jw_kv_stringz(w, name, NULL);
        return;
    }
    id_format(id, text);
    jw_kv_stringz(w, name, text);
}

static const char *status_of(const struct key *key)
{
    return key->revoked_at ? "revoked" : key_is_live(key, clock_wall_ms()) ? "active" : "expired";
}

static void key_write_json(struct jw *w, const struct key *key, const char *text)
{
    jw_object(w);
    write_id(w, "id", key->id);
    if (text)
        jw_kv_stringz(w, "key", text);
    jw_kv_stringz(w, "name", key->name);
    jw_kv_stringz(w, "role", role_word(key->role));
    jw_kv_stringz(w, "workspace", key->workspace);
    jw_kv_stringz(w, "prefix", key->prefix);
    jw_kv_stringz(w, "status", status_of(key));
    jw_kv_time(w, "created_at", key->created_at);
    jw_kv_time(w, "last_used_at", key->last_used_at);
    jw_kv_time(w, "expires_at", key->expires_at);
    jw_kv_time(w, "revoked_at", key->revoked_at);
    jw_end(w);
}

/* ---- reads ---- */

/* The cursor is the id of the last one that was given. */
void svc_key_list(struct app *a, struct svc_req *req)
{
    struct id after = {{0}}, last = {{0}};
    char next[ID_TEXT_BYTES + 1] = "";
    struct jw w;
    int left = req->list.limit;

    if (req->list.cursor.n && !id_parse(req->list.cursor, &after)) {
        app_fail(req, ERR_INVALID, "cursor: not one that was given");
        return;
    }
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    list_foreach(it, &a->keys.all)
    {
        const struct key *key = container_of(it, struct key, link);
        bool wanted = may_manage(req, key) && memcmp(key->id.b, after.b, sizeof(after.b)) > 0 &&
                      (!req->key.workspace.p || str_eqz(req->key.workspace, key->workspace));
        if (!wanted)
            continue;
        if (left-- == 0) {
            id_format(last, next);
            break;
        }
        key_write_json(&w, key, NULL);
        last = key->id;
    }
    jw_end(&w);
    jw_kv_stringz(&w, "next_cursor", next[0] ? next : NULL);
    jw_end(&w);
    app_done(req);
}

static struct key *key_of(struct app *a, struct svc_req *req)
{
    struct id id;
    struct key *key = id_parse(req->name, &id) ? keys_find(&a->keys, id) : NULL;

    if (key && may_manage(req, key))
        return key;
    app_fail(req, ERR_NOT_FOUND, "there is no such key");
    return NULL;
}

void svc_key_get(struct app *a, struct svc_req *req)
{
    const struct key *key = key_of(a, req);
    struct jw w;

    if (!key)
        return;
    jw_init(&w, &req->body);
    key_write_json(&w, key, NULL);
    app_done(req);
}

void svc_whoami(struct app *a, struct svc_req *req)
{
    static const char *const kinds[] = {"anonymous", "key", "token", "server"};
    const struct principal *who = &req->who;
    struct jw w;

    jw_init(&w, &req->body);
    jw_object(&w);
    jw_kv_stringz(&w, "kind", kinds[who->kind]);
    jw_kv_stringz(&w, "name", who->name);
    jw_kv_stringz(&w, "role", role_word(who->role));
    jw_kv_stringz(&w, "workspace", who->workspace);
    write_id(&w, "key_id", who->key_id);
    jw_kv_time(&w, "expires_at", who->expires_at);
    jw_kv_stringz(&w, "auth", auth_mode_word(a->keys.mode));
    jw_end(&w);
    app_done(req);
}

/* ---- writes ---- */

struct key_job {
    struct app *app;
    struct svc_req *req;
    struct store_key_write write;
    char text[KEY_TEXT_BYTES + 1];
};

static struct key_job *key_job_create(struct app *a, struct svc_req *req, enum key_write kind,
                                      void (*done)(struct store_req *))
{
    struct key_job *job = mem_zalloc(sizeof(*job));

    job->app = a;
    job->req = req;
    store_req_init(&job->write.req, STORE_KEY_WRITE, done, job);
    job->write.kind = kind;
    return job;
}

static void key_job_destroy(struct key_job *job)
{
    explicit_bzero(job->text, sizeof(job->text));
    store_req_deinit(&job->write.req);
    free(job);
}

static void key_created(struct store_req *r)
{
    struct key_job *job = r->data;
    struct svc_req *req = job->req;
    struct jw w;

    if (app_failed_store(req, r, "")) {
        key_job_destroy(job);
        return;
    }
    keys_added(&job->app->keys, &job->write.row);
    jw_init(&w, &req->body);
    key_write_json(&w, keys_find(&job->app->keys, job->write.row.id), job->text);
    key_job_destroy(job);
    req->http_status = 201;
    app_done(req);
}

static bool text_is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= PRINCIPAL_NAME_MAX;
}

/* False: the request was refused. */
static bool key_check(struct app *a, struct svc_req *req, struct str workspace, int64_t *expires_at)
{
    struct str at = req->key.expires_json; /* a string: wire_parse.c */

    if (at.p)
        at = (struct str){at.p + 1, at.n - 2};

    if (!text_is_plain(req->key.name)) {
        app_fail(req, ERR_INVALID, "name: expected 1 to %d bytes without control characters",
                 PRINCIPAL_NAME_MAX);
    } else if (role_parse(req->key.role) == ROLE_NONE) {
        app_fail(req, ERR_INVALID, "role: expected viewer, operator, editor or admin");
    } else if (!str_eq(workspace, req->workspace) && !rules_all(req)) {
        app_fail(req, ERR_FORBIDDEN,
                 "only an admin of the workspace default makes keys of other workspaces");
    } else if (req->idempotency_key.p) {
        app_fail(req, ERR_INVALID,
                 "Idempotency-Key: not here, for a key is shown once and its text is not kept");
    } else if (a->keys.live >= KEYS_MAX) {
        app_fail(req, ERR_OVERLOAD, "there are %d keys already; revoke some", KEYS_MAX);
    } else if (at.p && (!clock_parse_rfc3339(at, expires_at) || *expires_at <= clock_wall_ms())) {
        app_fail(req, ERR_INVALID, "expires_at: expected a time to come, as 2026-01-31T12:00:00Z");
    } else {
        return true;
    }
    return false;
}

void svc_key_create(struct app *a, struct svc_req *req)
{
    struct str workspace = req->key.workspace.p ? req->key.workspace : req->workspace;
    int64_t expires_at = 0, now = clock_wall_ms();
    struct key_job *job;

    if (!key_check(a, req, workspace, &expires_at))
        return;
    job = key_job_create(a, req, KEY_PUT, key_created);
    job->write.row = (struct key_row){.id = id_new(&a->ids, (uint64_t)now),
                                      .workspace = workspace,
                                      .name = req->key.name,
                                      .role = req->key.role,
                                      .created_at = now,
                                      .expires_at = expires_at};
    key_make(&req->arena, job->text, &job->write.row);
    store_submit(a->store, &job->write.req);
}

static void key_revoked(struct store_req *r)
{
    struct key_job *job = r->data;
    struct svc_req *req = job->req;
    struct keys *k = &job->app->keys;
    struct id id = job->write.id;
    int64_t at = job->write.at;

    if (!app_failed_store(req, r, "there is no such key")) {
        keys_revoked(k, id, at);
        req->http_status = 204;
        app_done(req);
    }
    key_job_destroy(job);
}

void svc_key_revoke(struct app *a, struct svc_req *req)
{
    const struct key *key = key_of(a, req);
    struct key_job *job;

    if (!key)
        return;
    job = key_job_create(a, req, KEY_REVOKE, key_revoked);
    job->write.id = key->id;
    job->write.at = clock_wall_ms();
    store_submit(a->store, &job->write.req);
}
