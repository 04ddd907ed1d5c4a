/* The side that was asked: writes a command down, waits for its answer. */
#include "app/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/inbox_code.h"
#include "base/clock.h"
#include "base/mem.h"

#define INBOX_REMIND_LOOKS 4 /* looks without an answer, then the owner is nudged again */

struct inbox_wait {
    struct list link;
    struct app *app;
    struct svc_req *req; /* NULL: it was answered; what is under way ends, then this is freed */
    struct id command_id, session_id, owner;
    struct buf text;
    int64_t until;
    unsigned looks;
    bool stands; /* it is in the store */
    bool putting, getting, wanting, get_again;
    struct store_command_put put;
    struct store_command_get get;
    struct live_want want;
};

static void wait_maybe_free(struct inbox_wait *w)
{
    if (w->req || w->putting || w->getting || w->wanting)
        return;
    buf_deinit(&w->text);
    free(w);
}

/* Takes the request out of the wait; the caller answers it, then calls wait_maybe_free(). */
static struct svc_req *wait_end(struct inbox_wait *w)
{
    struct inbox *in = &w->app->inbox;
    struct svc_req *req = w->req;
    list_remove(&w->link);
    w->req = NULL;
    if (--in->waiting == 0 && !uv_is_closing((uv_handle_t *)&in->look))
        uv_timer_stop(&in->look);
    return req;
}

static void wait_fail_gone(struct inbox_wait *w)
{
    struct svc_req *req = wait_end(w);
    app_fail(req, ERR_NOT_FOUND, "%s",
             req->op == SVC_NODE_RESUME ? "Session not found or not active"
                                        : "there is no such session");
}

static void wait_fail_late(struct inbox_wait *w, const char *why)
{
    bool stands = w->stands;
    struct svc_req *req = wait_end(w);
    if (stands)
        app_fail(req, ERR_UNAVAILABLE,
                 "%s; the command stands and will be carried out, do not send it again without an "
                 "Idempotency-Key",
                 why);
    else
        app_fail(req, ERR_UNAVAILABLE, "%s; it is not known whether the command stands", why);
}

static void wait_nudge(struct inbox_wait *w)
{
    instances_nudge(&w->app->instances, w->owner, 'c', w->session_id);
}

/* ---- looking ---- */

static void wait_look(struct inbox_wait *w);

static void wait_wanted(struct live_want *want, struct live *l, int status, struct errbuf *e)
{
    struct inbox_wait *w = container_of(want, struct inbox_wait, want);
    bool moved = status == ERR_STALE && !id_eq(want->owner, w->owner);
    (void)e;
    w->wanting = false;
    if (moved)
        w->owner = want->owner;
    if (w->req && (moved || (status == ERR_STALE && w->looks % INBOX_REMIND_LOOKS == 0)))
        wait_nudge(w);
    /* It is here now, or has ended: then it may be refused here. */
    if (l || status == ERR_NOT_FOUND || status == ERR_CONFLICT)
        inbox_look(w->app, w->session_id);
    wait_maybe_free(w);
}

static void wait_answer(struct inbox_wait *w)
{
    struct errbuf e = {""};
    struct svc_req *req = wait_end(w);
    int rc = inbox_answer_read(w->get.row.answer_json, w->get.row.http_status, req, &e);
    if (rc)
        app_fail(req, rc, "%s", e.text);
    else
        app_done(req);
}

static void wait_got(struct store_req *r)
{
    struct inbox_wait *w = r->data;
    w->getting = false;
    if (!w->req) {
        /* told otherwise meanwhile */
    } else if (r->status == ERR_NOT_FOUND) {
        wait_fail_gone(w); /* deleted with its session */
    } else if (r->status == 0 && w->get.row.http_status > 0) {
        wait_answer(w);
    } else if (w->get_again) {
        w->get_again = false;
        store_req_deinit(r);
        wait_look(w); /* uses r again */
        return;
    } else if (w->looks % 2 == 0 && !w->wanting) {
        w->wanting = true;
        w->want.done = wait_wanted;
        store_req_deinit(r);
        live_want(w->app, w->session_id, &w->want);
        return;
    }
    store_req_deinit(r);
    wait_maybe_free(w);
}

static void wait_look(struct inbox_wait *w)
{
    if (w->getting) {
        w->get_again = true;
        return;
    }
    memset(&w->get, 0, sizeof(w->get));
    store_req_init(&w->get.req, STORE_COMMAND_GET, wait_got, w);
    w->get.command_id = w->command_id;
    w->getting = true;
    store_submit(w->app->store, &w->get.req);
}

/* ---- writing it down ---- */

static void wait_put(struct store_req *r)
{
    struct inbox_wait *w = r->data;
    int status = r->status;
    w->putting = false;
    store_req_deinit(r);
    if (w->req && status == ERR_NOT_FOUND) {
        wait_fail_gone(w);
    } else if (status == 0 || status == ERR_CONFLICT) { /* or an earlier try had reached it */
        w->stands = true;
        w->app->inbox.sent++;
        if (w->req)
            wait_nudge(w);
    } else if (w->req && status != ERR_UNAVAILABLE && status != ERR_IO) {
        app_fail(wait_end(w), status, "the command could not be passed on to the session's owner");
    }
    wait_maybe_free(w);
}

static void wait_submit(struct inbox_wait *w)
{
    memset(&w->put, 0, sizeof(w->put));
    store_req_init(&w->put.req, STORE_COMMAND_PUT, wait_put, w);
    w->put.row.command_id = w->command_id;
    w->put.row.session_id = w->session_id;
    w->put.row.request_json = buf_str(&w->text);
    w->put.row.created_at = clock_wall_ms();
    w->putting = true;
    store_submit(w->app->store, &w->put.req);
}

static void inbox_timer(uv_timer_t *t)
{
    struct inbox *in = t->data;
    int64_t now = clock_wall_ms();
    list_foreach_safe(it, next, &in->waits)
    {
        struct inbox_wait *w = container_of(it, struct inbox_wait, link);
        w->looks++;
        if (now >= w->until) {
            wait_fail_late(w, "the session's owner has not answered in time");
            wait_maybe_free(w);
        } else if (w->stands) {
            wait_look(w);
        } else if (!w->putting) {
            wait_submit(w);
        }
    }
}

void inbox_send(struct app *a, struct svc_req *req, struct id owner)
{
    struct inbox *in = &a->inbox;
    if (in->waiting >= INBOX_WAITS_MAX) {
        app_fail(req, ERR_OVERLOAD, "too many commands wait for other instances; try again later");
        return;
    }
    struct inbox_wait *w = mem_zalloc(sizeof(*w));
    w->app = a;
    w->req = req;
    w->session_id = req->session_id;
    w->owner = owner;
    w->command_id = id_new(&a->ids, (uint64_t)clock_wall_ms());
    w->until = clock_wall_ms() + in->wait_ms;
    buf_init(&w->text, SVC_BODY_MAX);
    inbox_request_write(&w->text, req, a->instances.self);
    list_append(&in->waits, &w->link);
    if (in->waiting++ == 0)
        uv_timer_start(&in->look, inbox_timer, (uint64_t)in->look_ms, (uint64_t)in->look_ms);
    if (buf_error(&w->text)) {
        app_fail(wait_end(w), ERR_TOO_LARGE, "the command is too large to be passed on");
        wait_maybe_free(w);
        return;
    }
    wait_submit(w);
}

void inbox_answered(struct app *a, struct id command_id)
{
    list_foreach(it, &a->inbox.waits)
    {
        struct inbox_wait *w = container_of(it, struct inbox_wait, link);
        if (id_eq(w->command_id, command_id) && w->stands) {
            wait_look(w);
            return;
        }
    }
}

/* ---- life ---- */

void inbox_open(struct inbox *in, struct app *a)
{
    memset(in, 0, sizeof(*in));
    in->app = a;
    in->look_ms = INBOX_LOOK_MS;
    in->wait_ms = INBOX_WAIT_MS;
    list_init(&in->waits);
    table_init(&in->turns);
    uv_timer_init(&a->loop, &in->look);
    in->look.data = in;
}

void inbox_stop(struct inbox *in)
{
    while (!list_empty(&in->waits)) {
        struct inbox_wait *w = container_of(in->waits.next, struct inbox_wait, link);
        wait_fail_late(w, "the server is shutting down");
        wait_maybe_free(w);
    }
}

void inbox_close(struct inbox *in)
{
    uv_close((uv_handle_t *)&in->look, NULL);
}

void inbox_deinit(struct inbox *in)
{
    table_deinit(&in->turns);
}
