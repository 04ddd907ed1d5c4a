/* Server-sent events: `id` is the seq, so that an EventSource that reconnects gets exactly what it
 * lacks.
 *
 * Ends with `event: end` after the session's last event. What the log no longer holds comes as
 * `event: snapshot` with the session, and the stream goes on from its last_seq.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/lws_http.h"
#include "net/session_view.h"

#define SSE_OUT_MAX (64u << 20)

struct sse {
    struct conn *conn;
    struct id session_id;
    struct principal who;
    struct log_cursor cursor;
    bool cursor_open;
    struct buf out;
    size_t at;   /* of out, gone out */
    bool ending; /* close when out is empty */
    struct sse_get *get;
    struct watcher watcher; /* counts, and asks nothing */
};

/* The session, asked for again when the log no longer has what is wanted. */
struct sse_get {
    struct svc_req svc;
    struct net_server *server;
    struct sse *sse; /* NULL: the client has gone */
};

static void sse_pump(struct sse *s);

static void sse_append(struct sse *s, const char *event, int64_t seq, struct str data)
{
    struct buf *b = &s->out;

    if (event)
        buf_printf(b, "event: %s\n", event);
    if (seq > 0) {
        buf_append_z(b, "id: ");
        buf_append_i64(b, seq);
        buf_append_char(b, '\n');
    }
    buf_append_z(b, "data: ");
    buf_append_str(b, data);
    buf_append_z(b, "\n\n");
}

static void sse_append_snapshot(struct sse *s, struct str session, int64_t last_seq)
{
    struct buf b;

    buf_init(&b, SSE_OUT_MAX);
    buf_printf(&b, "{\"last_seq\":%lld,\"session\":", (long long)last_seq);
    buf_append_str(&b, session);
    buf_append_char(&b, '}');
    sse_append(s, "snapshot", last_seq, buf_str(&b));
    buf_deinit(&b);
}

static void sse_append_end(struct sse *s)
{
    sse_append(s, "end", 0, STR("{}"));
    s->ending = true;
}

/* ---- out ---- */

static void sse_writable(struct conn *c)
{
    sse_pump(c->sse);
}

/* Whether all of it has gone out. */
static bool sse_flush(struct sse *s)
{
    struct conn *c = s->conn;

    while (s->at < s->out.len) {
        struct iovec part = {s->out.data + s->at, s->out.len - s->at};
        ssize_t n = conn_send(c, &part, 1);
        if (n < 0) {
            conn_end(c);
            return false;
        }
        if (n == 0) {
            conn_await(c, sse_writable);
            if (c->clock != &c->server->stall)
                conn_clock(c, &c->server->stall);
            return false;
        }
        s->at += (size_t)n;
        conn_clock(c, NULL);
    }
    buf_clear(&s->out);
    s->at = 0;
    if (s->ending)
        conn_end(c);
    return !c->ended;
}

static void sse_take(struct sse *s, struct log_run *run)
{
    struct str json;
    int64_t seq;

    while (!s->ending && log_run_next(run, &seq, &json)) {
        sse_append(s, NULL, seq, json);
        s->conn->server->stats.frames_sent++;
        if (event_is_ending(json))
            sse_append_end(s);
    }
}

static void sse_got(struct svc_req *q)
{
    struct sse_get *g = container_of(q, struct sse_get, svc);
    struct net_server *server = g->server;
    struct sse *s = g->sse;
    struct session_view v;

    server->requests_open--;
    if (s) {
        s->get = NULL;
        if (q->status < 0 || !session_view_read(buf_str(&q->body), &v)) {
            conn_end(s->conn);
        } else {
            sse_append_snapshot(s, buf_str(&q->body), v.last_seq);
            if (v.has_ended)
                sse_append_end(s);
            s->cursor.next_seq = v.last_seq + 1;
            log_cursor_open(server->log, &s->cursor);
            s->cursor_open = true;
            sse_pump(s);
        }
    }
    svc_req_deinit(&g->svc);
    free(g);
    net_maybe_closed(server);
}

static void sse_get_session(struct sse *s)
{
    struct sse_get *g = mem_zalloc(sizeof(*g));

    log_cursor_close(&s->cursor);
    s->cursor_open = false;
    svc_req_init(&g->svc, SVC_SESSION_GET);
    svc_req_set_who(&g->svc, &s->who);
    g->svc.session_id = s->session_id;
    g->svc.done = sse_got;
    g->server = s->conn->server;
    g->sse = s;
    s->get = g;
    g->server->requests_open++;
    service_submit(g->server->service, &g->svc);
}

static void sse_pump(struct sse *s)
{
    struct conn *c = s->conn;
    size_t budget = NET_TURN_BYTES;
    struct log_run run;

    while (sse_flush(s)) {
        if (!s->cursor_open) {
            conn_await(c, NULL);
            return;
        }
        switch (log_cursor_next(&s->cursor, NET_RUN_BYTES, &run)) {
        case LOG_NEXT_RUN:
            if (run.len > budget) { /* the rest in the next turn: the socket has room */
                budget = 0;
            } else {
                budget -= run.len;
            }
            sse_take(s, &run);
            if (budget == 0) {
                conn_await(c, sse_writable);
                return;
            }
            break;
        case LOG_NEXT_WAIT:
            conn_await(c, NULL);
            if (!c->clock)
                conn_clock(c, &c->server->beat);
            return;
        case LOG_NEXT_SNAPSHOT:
            sse_get_session(s);
            return;
        case LOG_NEXT_ERROR:
            conn_end(c); /* it comes back, with its last id */
            return;
        }
    }
}

static void sse_ready(struct log_cursor *cursor)
{
    struct sse *s = cursor->data;

    if (!s->conn->ended)
        sse_pump(s);
}

void sse_due(struct conn *c)
{
    struct sse *s = c->sse;

    if (!s || c->ended)
        return;
    sse_recheck(c);
    if (c->ended)
        return;
    if (s->out.len == 0)
        buf_append_z(&s->out, ":\n\n");
    if (sse_flush(s))
        conn_clock(c, &c->server->beat);
}

void sse_recheck(struct conn *c)
{
    if (!c->ended && !service_may_stay(c->server->service, &c->sse->who))
        conn_end(c);
}

/* ---- beginning and end ---- */

static void sse_write_head(struct sse *s, struct http_req *r)
{
    r->close_after = true;
    http_head(r, 200, &s->out);
    buf_append_z(&s->out, "Content-Type: text/event-stream\r\n"
                          "Cache-Control: no-store\r\n"
                          "X-Accel-Buffering: no\r\n"
                          "\r\n"
                          "retry: 1000\n\n");
}

void sse_begin(struct conn *c, struct http_req *r)
{
    struct session_view v;
    struct sse *s;

    if (!session_view_read(buf_str(&r->svc.body), &v)) {
        http_fail(r, ERR_INTERNAL, "the session cannot be read");
        return;
    }
    if (r->method == HTTP_HEAD || (r->has_last_id && v.has_ended && r->after >= v.last_seq)) {
        r->svc.http_status = 204; /* so an EventSource does not come back for ever */
        http_answer(r);
        return;
    }
    if (c->ended)
        return;
    s = mem_zalloc(sizeof(*s));
    s->conn = c;
    s->session_id = r->svc.session_id;
    s->who = r->svc.who;
    buf_init(&s->out, SSE_OUT_MAX);
    sse_write_head(s, r);
    s->cursor = (struct log_cursor){
        .session_id = s->session_id,
        .next_seq = r->after + 1,
        .ready = sse_ready,
        .data = s,
    };
    if (r->after > v.last_seq) {
        sse_append_snapshot(s, buf_str(&r->svc.body), v.last_seq);
        s->cursor.next_seq = v.last_seq + 1;
    }
    if (v.has_ended && s->cursor.next_seq > v.last_seq)
        sse_append_end(s);
    c->req = NULL;
    c->sse = s;
    c->server->stats.sse++;
    http_req_free(r);
    conn_hold(c);
    /* That of the request would end the stream; the beat finds out whether the client is there. */
    lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
    s->watcher.name = access_name(&s->who);
    net_watch_join(c->server, &s->watcher, s->session_id);
    log_cursor_open(c->server->log, &s->cursor);
    s->cursor_open = true;
    sse_pump(s);
}

void sse_finish(struct conn *c)
{
    if (c->sse && !c->ended) {
        c->sse->ending = true;
        sse_flush(c->sse);
    }
}

void sse_gone(struct conn *c)
{
    struct sse *s = c->sse;

    if (!s)
        return;
    c->sse = NULL;
    c->server->stats.sse--;
    net_watch_leave(c->server, &s->watcher);
    if (s->cursor_open)
        log_cursor_close(&s->cursor);
    if (s->get)
        s->get->sse = NULL;
    buf_deinit(&s->out);
    free(s);
}
