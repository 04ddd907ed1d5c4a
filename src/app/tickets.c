/* One-time tickets: who may not send headers (a page's WebSocket) asks for one with its key, and
 * shows it in the URL. A ticket is good for TICKET_MS, for one connection, on any instance: it
 * stands in the store, and whoever deletes its row has taken it. Only its hash is there. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/keys.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define TICKET_MS     30000
#define TICKET_PREFIX "tk_"

struct ticket_job {
    struct app *app;
    struct svc_req *req;
    struct store_ticket ticket;
    uint8_t hash[KEY_HASH_BYTES];
};

static struct ticket_job *ticket_begin(struct app *a, struct svc_req *req, struct str text,
                                       void (*done)(struct store_req *))
{
    struct ticket_job *job = mem_zalloc(sizeof(*job));

    job->app = a;
    job->req = req;
    store_req_init(&job->ticket.req, STORE_TICKET, done, job);
    digest_sha256(text, job->hash);
    job->ticket.hash = (struct str){(const char *)job->hash, sizeof(job->hash)};
    job->ticket.now = clock_wall_ms();
    return job;
}

static void ticket_end(struct ticket_job *job)
{
    store_req_deinit(&job->ticket.req);
    free(job);
}

/* ---- making one ---- */

static void ticket_made(struct store_req *r)
{
    struct ticket_job *job = r->data;
    struct svc_req *req = job->req;

    if (!app_failed_store(req, r, "")) {
        req->http_status = 201;
        app_done(req);
    }
    ticket_end(job);
}

static struct str principal_json(struct arena *a, const struct principal *who)
{
    char id[ID_TEXT_BYTES + 1];
    struct str text;
    struct buf b;
    struct jw w;

    buf_init(&b, 4096);
    jw_init(&w, &b);
    id_format(who->key_id, id);
    jw_object(&w);
    jw_kv_i64(&w, "kind", who->kind);
    jw_kv_i64(&w, "role", who->role);
    jw_kv_stringz(&w, "key_id", id);
    jw_kv_stringz(&w, "name", who->name);
    jw_kv_stringz(&w, "workspace", who->workspace);
    jw_kv_i64(&w, "expires_at", who->expires_at);
    jw_end(&w);
    text = (struct str){arena_strdup(a, buf_str(&b)), b.len};
    buf_deinit(&b);
    return text;
}

void svc_ticket_make(struct app *a, struct svc_req *req)
{
    uint8_t secret[32];
    struct ticket_job *job;
    struct buf text;
    struct jw w;

    if (req->idempotency_key.p) {
        app_fail(req, ERR_INVALID, "Idempotency-Key: not here, for a ticket is shown once");
        return;
    }
    digest_random(secret, sizeof(secret));
    buf_init(&text, 256);
    buf_append_z(&text, TICKET_PREFIX);
    base64url_append(&text, secret, sizeof(secret));
    jw_init(&w, &req->body);
    jw_object(&w);
    jw_kv_string(&w, "ticket", buf_str(&text));
    jw_kv_i64(&w, "expires_in_ms", TICKET_MS);
    jw_end(&w);
    job = ticket_begin(a, req, buf_str(&text), ticket_made);
    buf_deinit(&text);
    job->ticket.body_json = principal_json(&req->arena, &req->who);
    job->ticket.expires_at = job->ticket.now + TICKET_MS;
    store_submit(a->store, &job->ticket.req);
}

/* ---- taking it ---- */

static void text_read(struct json v, char *out, size_t max)
{
    char *text = json_strdup(v);

    if (text)
        snprintf(out, max, "%s", text);
    free(text);
}

static bool principal_read(struct json v, struct principal *who)
{
    struct json id = json_get(v, "key_id");
    int64_t kind = -1, role = 0;

    memset(who, 0, sizeof(*who));
    json_i64(json_get(v, "kind"), &kind);
    json_i64(json_get(v, "role"), &role);
    json_i64(json_get(v, "expires_at"), &who->expires_at);
    text_read(json_get(v, "name"), who->name, sizeof(who->name));
    text_read(json_get(v, "workspace"), who->workspace, sizeof(who->workspace));
    who->kind = (enum principal_kind)kind;
    who->role = (enum role)role;
    return kind >= PRINCIPAL_ANONYMOUS && kind <= PRINCIPAL_TOKEN && role >= ROLE_VIEWER &&
           role <= ROLE_ADMIN && who->workspace[0] && json_type(id) == JSON_STRING &&
           id_parse((struct str){id.p + 1, id.n - 2}, &who->key_id);
}

static void ticket_refuse(struct svc_req *req)
{
    app_fail(req, ERR_UNAUTHORIZED, "this ticket is not good: unknown, used or too old");
}

static void ticket_taken(struct store_req *r)
{
    struct ticket_job *job = r->data;
    struct svc_req *req = job->req;
    struct principal who;

    if (r->status == ERR_NOT_FOUND) {
        ticket_refuse(req);
    } else if (!app_failed_store(req, r, "")) {
        /* Its key may have been revoked since. */
        if (principal_read(json_root(job->ticket.body_json), &who) &&
            keys_may_stay(&job->app->keys, &who)) {
            svc_req_set_who(req, &who);
            app_done(req);
        } else {
            ticket_refuse(req);
        }
    }
    ticket_end(job);
}

void svc_ticket_take(struct app *a, struct svc_req *req)
{
    struct ticket_job *job;

    size_t n = sizeof(TICKET_PREFIX) - 1;

    if (req->name.n <= n || memcmp(req->name.p, TICKET_PREFIX, n) != 0) {
        ticket_refuse(req);
        return;
    }
    job = ticket_begin(a, req, req->name, ticket_taken);
    job->ticket.take = true;
    store_submit(a->store, &job->ticket.req);
}
