/* Idempotency-Key: the same key with the same body gets the first answer again; another body is
 * 409.
 *
 * The answer is stored in the same transaction as what it answers, so a crash leaves both or
 * neither. While the first request is under way, a second one with its key is refused (409, try
 * again).
 */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

/* A request with a key, from the first look to its answer. */
struct keyed {
    struct list link; /* in app.keys_in_flight, when others with its key are refused meanwhile */
    struct app *app;
    struct svc_req *req;
    void (*pass)(struct app *a, struct svc_req *req);
    void (*done)(struct svc_req *req); /* the request's own */
    void *data;
    bool passed, again; /* it was carried out; and looked up once more after a refusal */
    struct store_idempotency_get get;
};

static void keyed_look(struct keyed *k, void (*looked)(struct store_req *r));
static void keyed_looked_again(struct store_req *r);

/* A refusal may only mean that the same request came first by another way: its client asked one
 * instance, which died, and then this one, while the first command stood in the inbox and was
 * carried out. Then what it was answered is the answer of both. */
static void keyed_answered(struct svc_req *req)
{
    struct keyed *k = req->data;
    if (k->passed && !k->again && (req->status == ERR_CONFLICT || req->status == ERR_NOT_FOUND)) {
        k->again = true;
        store_req_deinit(&k->get.req);
        keyed_look(k, keyed_looked_again);
        return;
    }
    req->done = k->done;
    req->data = k->data;
    list_remove(&k->link);
    store_req_deinit(&k->get.req);
    free(k);
    req->done(req);
}

static void keyed_replay(struct svc_req *req, const struct idempotency_row *row)
{
    if (memcmp(row->body_hash, req->body_hash, sizeof(row->body_hash)) != 0) {
        req->error_code = "idempotency_key_reused";
        app_fail(req, ERR_CONFLICT, "this Idempotency-Key was used with another request");
        return;
    }
    req->http_status = row->http_status;
    buf_append_str(&req->body, row->body_json);
    app_done(req);
}

static void keyed_looked(struct store_req *r)
{
    struct keyed *k = r->data;
    struct svc_req *req = k->req;
    if (r->status == ERR_NOT_FOUND) {
        k->passed = true;
        k->pass(k->app, req);
    } else if (!app_failed_store(req, r, "")) {
        keyed_replay(req, &k->get.row);
    }
}

static void keyed_looked_again(struct store_req *r)
{
    struct keyed *k = r->data;
    if (r->status) {
        keyed_answered(k->req);
        return;
    }
    k->req->status = 0;
    k->req->error_code = NULL;
    buf_clear(&k->req->body);
    keyed_replay(k->req, &k->get.row);
}

static void keyed_look(struct keyed *k, void (*looked)(struct store_req *r))
{
    memset(&k->get, 0, sizeof(k->get));
    store_req_init(&k->get.req, STORE_IDEMPOTENCY_GET, looked, k);
    k->get.workspace = k->req->workspace;
    k->get.key = k->req->idempotency_key;
    store_submit(k->app->store, &k->get.req);
}

static struct keyed *keyed_begin(struct app *a, struct svc_req *req,
                                 void (*pass)(struct app *a, struct svc_req *req))
{
    struct keyed *k = mem_zalloc(sizeof(*k));
    list_init(&k->link);
    k->app = a;
    k->req = req;
    k->pass = pass;
    k->done = req->done;
    k->data = req->data;
    req->done = keyed_answered;
    req->data = k;
    keyed_look(k, keyed_looked);
    return k;
}

static bool keyed_is_same(const struct keyed *k, const struct svc_req *req)
{
    return str_eq(k->req->idempotency_key, req->idempotency_key) &&
           str_eq(k->req->workspace, req->workspace);
}

void idempotency_check(struct app *a, struct svc_req *req,
                       void (*pass)(struct app *a, struct svc_req *req))
{
    if (!req->idempotency_key.p) {
        pass(a, req);
        return;
    }
    list_foreach(it, &a->keys_in_flight)
    {
        if (keyed_is_same(container_of(it, struct keyed, link), req)) {
            req->error_code = "idempotency_key_in_use";
            req->retry_after_s = 1;
            app_fail(req, ERR_CONFLICT,
                     "a request with this Idempotency-Key is under way; try again");
            return;
        }
    }
    retention_note(&a->retention);
    list_append(&a->keys_in_flight, &keyed_begin(a, req, pass)->link);
}

void idempotency_lookup(struct app *a, struct svc_req *req,
                        void (*pass)(struct app *a, struct svc_req *req))
{
    if (req->idempotency_key.p)
        keyed_begin(a, req, pass);
    else
        pass(a, req);
}

const struct idempotency_row *idempotency_row_of(struct svc_req *req, struct arena *arena)
{
    if (!req->idempotency_key.p)
        return NULL;
    struct idempotency_row *row = arena_alloc(arena, sizeof(*row));
    row->workspace = req->workspace;
    row->key = req->idempotency_key;
    memcpy(row->body_hash, req->body_hash, sizeof(row->body_hash));
    row->http_status = req->http_status ? req->http_status : 200;
    row->body_json = buf_str(&req->body);
    row->created_at = clock_wall_ms();
    return row;
}
