/* Requests on a uv loop of the caller's.
 *
 *     sluice_start ──> pending ── libcurl is done ──┐
 *          │ a mistake        └── sluice_cancel ────┼──> ended ──> done(), from the loop
 *          └────────────────────────────────────────┘
 *
 * libcurl must not be called from its own callbacks, so a stream's bytes wait until it has
 * returned.
 */
#include "client/curl_start.h"

#include <stdlib.h>
#include <string.h>

struct sluice_pending {
    struct sluice_loop *loop;
    struct list link;      /* in pending or ended */
    struct list streaming; /* in loop->streaming */
    struct transfer transfer;
    bool on_libcurl;
    int result;
    struct sluice_reply reply; /* once it has ended */
    struct buf came;
    void (*bytes)(void *data, const char *bytes, size_t count);
    void (*done)(void *data, int result, struct sluice_reply *reply);
    void *data;
};

static void pending_end(struct sluice_pending *p, int result)
{
    struct sluice_loop *l = p->loop;

    if (p->on_libcurl)
        curl_multi_remove_handle(l->curl.multi, p->transfer.easy);
    p->on_libcurl = false;
    p->result = result;
    list_remove(&p->link);
    list_append(&l->ended, &p->link);
}

static void pending_give(struct sluice_pending *p)
{
    struct sluice_reply reply = p->reply;
    void (*done)(void *, int, struct sluice_reply *) = p->done;
    void *data = p->data;
    int result = p->result;

    list_remove(&p->link);
    list_remove(&p->streaming);
    transfer_deinit(&p->transfer);
    buf_deinit(&p->came);
    free(p);
    done(data, result, &reply);
}

/* ---- turns ---- */

static void loop_give_bytes(struct sluice_loop *l)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &l->streaming);
    while (!list_empty(&now)) {
        struct sluice_pending *p = container_of(now.next, struct sluice_pending, streaming);
        struct buf came = p->came;
        list_remove(&p->streaming);
        buf_init(&p->came, SLUICE_EVENT_BYTES_MAX);
        p->bytes(p->data, came.data, came.len);
        buf_deinit(&came);
    }
}

static void loop_idle_fired(uv_idle_t *idle);

static void loop_turn(struct sluice_loop *l)
{
    struct list now;

    loop_give_bytes(l);
    list_init(&now);
    list_splice(&now, &l->ended); /* what ends by this comes in the next turn */
    while (!list_empty(&now))
        pending_give(container_of(now.next, struct sluice_pending, link));
    if (!list_empty(&l->ended))
        uv_idle_start(&l->idle, loop_idle_fired);
    else
        uv_idle_stop(&l->idle);
    loop_maybe_closed(l);
}

static void loop_idle_fired(uv_idle_t *idle)
{
    loop_turn(idle->data);
}

/* A socket cannot be watched, and nobody knows whose it is. */
static void loop_give_up(struct sluice_loop *l)
{
    l->curl.has_unwatched = false;
    while (!list_empty(&l->pending)) {
        struct sluice_pending *p = container_of(l->pending.next, struct sluice_pending, link);
        pending_end(p, reply_fail(&p->reply, SLUICE_E_NOMEM, "out of memory"));
    }
}

/* libcurl has returned. */
static void loop_after(void *data)
{
    struct sluice_loop *l = data;
    CURLMsg *m;
    int left;

    while (l->curl.multi && (m = curl_multi_info_read(l->curl.multi, &left))) {
        void *of = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &of);
        struct sluice_pending *p =
            container_of((struct transfer *)of, struct sluice_pending, transfer);
        pending_end(p, transfer_reply(&p->transfer, l->client, code, &p->reply));
    }
    if (l->curl.has_unwatched)
        loop_give_up(l);
    loop_turn(l);
}

/* ---- requests ---- */

/* Inside libcurl. */
static void pending_bytes(void *data, const char *bytes, size_t count)
{
    struct sluice_pending *p = data;

    if (buf_append(&p->came, bytes, count))
        p->transfer.refused = true;
    else if (!list_is_linked(&p->streaming))
        list_append(&p->loop->streaming, &p->streaming);
}

static int pending_submit(struct sluice_pending *p, struct sluice_request *r)
{
    struct sluice_loop *l = p->loop;
    int rc = transfer_init(&p->transfer, l->client, r, p->bytes ? pending_bytes : NULL, p);

    if (rc)
        return reply_fail(&p->reply, rc, p->transfer.error);
    if (curl_multi_add_handle(l->curl.multi, p->transfer.easy))
        return reply_fail(&p->reply, SLUICE_E_NOMEM, "out of memory");
    p->on_libcurl = true;
    return 0;
}

struct sluice_pending *loop_start(struct sluice_loop *l, struct sluice_request *r,
                                  void (*bytes)(void *data, const char *bytes, size_t count),
                                  void (*done)(void *data, int result, struct sluice_reply *reply),
                                  void *data)
{
    struct sluice_pending *p = l->closing ? NULL : calloc(1, sizeof(*p));

    if (!p) {
        sluice_request_free(r);
        return NULL;
    }
    p->loop = l;
    p->bytes = bytes;
    p->done = done;
    p->data = data;
    buf_init(&p->came, SLUICE_EVENT_BYTES_MAX);
    list_init(&p->streaming);
    list_init(&p->link);
    list_append(&l->pending, &p->link);
    int rc = pending_submit(p, r);
    if (rc) {
        pending_end(p, rc);
        uv_idle_start(&l->idle, loop_idle_fired);
    }
    return p;
}

struct sluice_pending *sluice_start(struct sluice_loop *l, struct sluice_request *r,
                                    void (*done)(void *data, int result,
                                                 struct sluice_reply *reply),
                                    void *data)
{
    return loop_start(l, r, NULL, done, data);
}

void sluice_cancel(struct sluice_pending *p)
{
    if (!p->on_libcurl)
        sluice_reply_free(&p->reply); /* it has ended, and done() is due */
    list_remove(&p->streaming);
    buf_clear(&p->came);
    pending_end(p, transfer_cancelled(&p->reply));
    uv_idle_start(&p->loop->idle, loop_idle_fired);
}

/* ---- the loop ---- */

struct sluice_loop *sluice_loop_open(struct sluice_client *c, struct uv_loop_s *uv)
{
    struct sluice_loop *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->client = c;
    l->uv = uv;
    list_init(&l->followers);
    list_init(&l->pending);
    list_init(&l->ended);
    list_init(&l->streaming);
    if (curl_loop_open(&l->curl, uv, loop_after, l, NULL)) {
        free(l);
        return NULL;
    }
    uv_idle_init(uv, &l->idle);
    l->idle.data = l;
    l->handles = 2;
    return l;
}

static void loop_handle_closed(struct sluice_loop *l)
{
    if (--l->handles)
        return;
    void (*closed)(void *) = l->closed;
    void *data = l->data;
    free(l);
    if (closed)
        closed(data);
}

static void loop_curl_closed(void *data)
{
    loop_handle_closed(data);
}

static void loop_idle_closed(uv_handle_t *handle)
{
    loop_handle_closed(handle->data);
}

void loop_maybe_closed(struct sluice_loop *l)
{
    if (!l->closing || l->handles_closing || !list_empty(&l->followers) ||
        !list_empty(&l->pending) || !list_empty(&l->ended))
        return;
    l->handles_closing = true;
    curl_loop_close(&l->curl, loop_curl_closed);
    uv_close((uv_handle_t *)&l->idle, loop_idle_closed);
}

void sluice_loop_close(struct sluice_loop *l, void (*closed)(void *data), void *data)
{
    l->closing = true;
    l->closed = closed;
    l->data = data;
    loop_stop_followers(l);
    while (!list_empty(&l->pending))
        sluice_cancel(container_of(l->pending.next, struct sluice_pending, link));
    uv_idle_start(&l->idle, loop_idle_fired); /* also when nothing was under way */
}
