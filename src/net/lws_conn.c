#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/lws_net.h"
#include "net/openssl_tls.h"

#define TICK_MS_MIN 250
/* 4.3 spins, and loses pipelined requests: test_lws_http sees both. */
#define HOLDS_LIGHTLY (LWS_LIBRARY_VERSION_NUMBER < 4002000)

struct conn *conn_create(struct net_server *s, struct lws *wsi)
{
    struct conn *c = mem_zalloc(sizeof(*c));

    c->server = s;
    c->wsi = wsi;
    list_init(&c->clock_link);
    list_init(&c->reap_link);
    list_init(&c->held_link);
    list_append(&s->conns, &c->link);
    c->surplus = ++s->stats.connections > s->connections_max;
    return c;
}

bool conn_is_surplus(const struct conn *c)
{
    return c->surplus && c->server->stats.connections > c->server->connections_max;
}

void conn_destroy(struct conn *c)
{
    struct net_server *s = c->server;

    http_gone(c);
    sse_gone(c);
    ws_gone(c);
    conn_await_stop(c);
    conn_clock(c, NULL);
    list_remove(&c->reap_link);
    list_remove(&c->held_link);
    list_remove(&c->link);
    s->stats.connections--;
    free(c->who);
    free(c->remote);
    free(c);
    net_accept_again(s);
    net_maybe_closed(s);
}

void conn_end(struct conn *c)
{
    if (c->ended)
        return;
    c->ended = true;
    if (c->ws)
        ws_ended(c->ws);
    conn_await_stop(c);
    conn_clock(c, NULL);
    if (c->in_callback > 0)
        return; /* the callback says so to libwebsockets */
    list_append(&c->server->reaped, &c->reap_link);
    uv_timer_start(&c->server->reaper, net_reap, 0, 0);
}

void net_reap(uv_timer_t *t)
{
    struct net_server *s = t->data;
    struct list *l;

    while ((l = list_pop(&s->reaped))) {
        struct conn *c = container_of(l, struct conn, reap_link);
        if (c->ws && c->close_code)
            lws_close_reason(c->wsi, (enum lws_close_status)c->close_code,
                             (unsigned char *)c->close_text,
                             c->close_text ? strlen(c->close_text) : 0);
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    }
    /* Its timers, set from outside of its callbacks, are not armed before its next event. */
    lws_cancel_service(s->context);
}

/* ---- holding ----
 *
 * A request that waits for its answer is held: libwebsockets must not read on. Its own way is to
 * take the socket off the loop and put it on again, and then to wait for room, seven calls into the
 * kernel a request. Nearly always nothing comes meanwhile, so the socket stays where it is:
 *
 *     conn_hold ──> lightly: events of the handle go to hold_event(), none is expected
 *         │              │ an event, input that libwebsockets has already, conn_await()
 *         │              v
 *         └── TLS, 4.3 ──> firmly: flow control, the handle is stopped
 */

/* The handle by which libwebsockets watches the socket, when it is active. It keeps it to itself,
 * but the loop knows which watcher a descriptor has. */
static uv_poll_t *conn_lws_poll(struct conn *c)
{
    uv_loop_t *loop = c->server->loop;
    int fd = lws_get_socket_fd(c->wsi);
    uv__io_t *w = fd >= 0 && (unsigned)fd < loop->nwatchers ? loop->watchers[fd] : NULL;

    return w ? container_of(w, uv_poll_t, io_watcher) : NULL;
}

/* Its events are for libwebsockets again. */
static void conn_unhook(struct conn *c)
{
    uv_poll_t *poll = c->lws_event ? conn_lws_poll(c) : NULL;

    if (poll)
        poll->poll_cb = c->lws_event;
    c->lws_event = NULL;
    list_remove(&c->held_link);
}

static void conn_hold_firmly(struct conn *c)
{
    uv_poll_t *poll;

    conn_unhook(c);
    c->held_firmly = true;
    lws_rx_flow_control(c->wsi, 0);
    /* With input buffered it asks for POLLOUT now, and then would not serve it: a spin. */
    poll = conn_lws_poll(c);
    if (poll)
        uv_poll_stop(poll);
}

/* The next request, or the client has gone: either waits for the answer. */
static void hold_event(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    conn_hold_firmly(lws_wsi_user(poll->data));
}

void conn_hold(struct conn *c)
{
    uv_poll_t *poll;

    if (c->held || c->ended)
        return;
    c->held = true;
    poll = HOLDS_LIGHTLY && !c->server->tls_cert ? conn_lws_poll(c) : NULL;
    if (!poll || poll->data != c->wsi) {
        conn_hold_firmly(c);
        return;
    }
    c->lws_event = poll->poll_cb;
    poll->poll_cb = hold_event;
    list_append(&c->server->held, &c->held_link);
}

/* libwebsockets gives itself what it has read already, unless flow control forbids. It does not say
 * of whom it has something. */
void net_settle_held(struct net_server *s)
{
    bool none;

    if (list_empty(&s->held))
        return;
    none = lws_service_adjust_timeout(s->context, 1, 0) != 0;
    while (!list_empty(&s->held)) {
        struct conn *c = container_of(s->held.next, struct conn, held_link);
        list_remove(&c->held_link);
        if (!none)
            conn_hold_firmly(c);
    }
}

void conn_release(struct conn *c)
{
    conn_await_stop(c);
    if (!c->held)
        return;
    c->held = false;
    conn_unhook(c);
    if (c->held_firmly && !c->ended)
        lws_rx_flow_control(c->wsi, 1);
    c->held_firmly = false;
}

/* libwebsockets asks to be told of room before it goes on with the next request, and is told at
 * once: the answer has gone out. Its handle, which keeps watching for input, must not hear of
 * either: uv_poll_start() does nothing while the descriptor seems to be another's. */
int conn_next(struct conn *c)
{
    uv_loop_t *loop = c->server->loop;
    uv_poll_t *poll = c->held && !c->held_firmly ? conn_lws_poll(c) : NULL;
    int fd = lws_get_socket_fd(c->wsi), close;
    uv__io_t other = {.fd = -1};

    conn_release(c);
    if (c->ended)
        return 0;
    if (!poll || c->server->callbacks > 0)
        return lws_http_transaction_completed(c->wsi);
    loop->watchers[fd] = &other;
    close = lws_http_transaction_completed(c->wsi);
    if (!close)
        poll->poll_cb(poll, 0, UV_WRITABLE);
    if (uv_is_active((uv_handle_t *)poll)) {
        loop->watchers[fd] = &poll->io_watcher;
    } else { /* stopped or closed, which could not take it away */
        loop->watchers[fd] = NULL;
        loop->nfds--;
    }
    return close;
}

ssize_t net_send(struct net_server *s, int fd, const struct iovec *parts, int count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    ssize_t n;

    if (count == 1) {
        n = send_now(fd, parts->iov_base, parts->iov_len);
    } else {
        do
            n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0 && send_is_full(errno))
            n = 0;
    }
    if (n > 0)
        s->stats.bytes_sent += (unsigned long long)n;
    return n;
}

ssize_t conn_send(struct conn *c, const struct iovec *parts, int count)
{
    ssize_t n;

    if (c->ended)
        return -1;
    if (!c->server->tls_cert)
        return net_send(c->server, lws_get_socket_fd(c->wsi), parts, count);
    n = tls_send(lws_get_ssl(c->wsi), parts, count);
    c->server->stats.bytes_sent += n > 0 ? (unsigned long long)n : 0;
    return n;
}

static void poll_closed(uv_handle_t *h)
{
    free(h);
}

static void poll_event(uv_poll_t *poll, int status, int events)
{
    struct conn *c = poll->data;

    if (status < 0 || events & UV_DISCONNECT) {
        conn_end(c);
        return;
    }
    if (events & UV_WRITABLE && c->writable)
        c->writable(c);
}

void conn_await(struct conn *c, void (*writable)(struct conn *c))
{
    if (c->ended)
        return;
    if (!c->held_firmly) /* a descriptor has one active handle */
        conn_hold_firmly(c);
    if (!c->poll) {
        c->poll = mem_alloc(sizeof(*c->poll));
        if (uv_poll_init(c->server->loop, c->poll, lws_get_socket_fd(c->wsi)) < 0) {
            free(c->poll);
            c->poll = NULL;
            conn_end(c);
            return;
        }
        c->poll->data = c;
    }
    c->writable = writable;
    uv_poll_start(c->poll, UV_DISCONNECT | (writable ? UV_WRITABLE : 0), poll_event);
}

void conn_await_stop(struct conn *c)
{
    if (!c->poll)
        return;
    uv_poll_stop(c->poll);
    uv_close((uv_handle_t *)c->poll, poll_closed);
    c->poll = NULL;
}

/* ---- clocks ---- */

void net_clock_init(struct net_clock *clock, uint64_t interval_s, void (*due)(struct conn *c))
{
    list_init(&clock->conns);
    clock->interval_ms = interval_s * 1000;
    clock->due = due;
}

void net_arm(struct net_server *s, uint64_t at)
{
    uint64_t now = uv_now(s->loop);

    if (uv_is_active((uv_handle_t *)&s->ticker) && s->tick_at <= at)
        return;
    if (at < now + TICK_MS_MIN)
        at = now + TICK_MS_MIN;
    s->tick_at = at;
    uv_timer_start(&s->ticker, net_tick, at - now, 0);
}

void conn_clock(struct conn *c, struct net_clock *clock)
{
    list_remove(&c->clock_link);
    c->clock = clock;
    if (!clock)
        return;
    c->clock_at = uv_now(c->server->loop);
    list_append(&clock->conns, &c->clock_link);
    net_arm(c->server, c->clock_at + clock->interval_ms);
}

static void clock_run(struct net_clock *clock, uint64_t now)
{
    while (!list_empty(&clock->conns)) {
        struct conn *c = container_of(clock->conns.next, struct conn, clock_link);
        if (c->clock_at + clock->interval_ms > now)
            return;
        conn_clock(c, NULL);
        clock->due(c);
    }
}

static void net_watch_arm(struct net_server *s)
{
    if (watch_has_news(&s->watch) && !s->closing)
        net_arm(s, s->watch.tell_at);
}

void net_watch_join(struct net_server *s, struct watcher *w, struct id session_id)
{
    watch_join(&s->watch, w, session_id, uv_now(s->loop));
    net_watch_arm(s);
}

void net_watch_leave(struct net_server *s, struct watcher *w)
{
    watch_leave(&s->watch, w, uv_now(s->loop));
    net_watch_arm(s);
}

void net_tick(uv_timer_t *t)
{
    struct net_server *s = t->data;
    struct net_clock *clocks[] = {&s->idle, &s->body, &s->linger, &s->stall, &s->ping, &s->beat};
    uint64_t now = uv_now(s->loop);

    net_accept_again(s);
    if (watch_has_news(&s->watch))
        watch_tick(&s->watch, now);
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
        clock_run(clocks[i], now);
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
        if (!list_empty(&clocks[i]->conns)) {
            struct conn *c = container_of(clocks[i]->conns.next, struct conn, clock_link);
            net_arm(s, c->clock_at + clocks[i]->interval_ms);
        }
    net_watch_arm(s);
}
