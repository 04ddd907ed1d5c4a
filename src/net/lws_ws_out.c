#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/log_frames.h"
#include "net/lws_ws.h"
#include "net/session_view.h"
#include "net/wire.h"

/* ---- bytes ---- */

/* To the socket itself: libwebsockets has nothing of its own to send. */
static bool ws_is_direct(const struct ws *ws)
{
    return ws->fd >= 0 && !ws->choked && !lws_partial_buffered(ws->wsi);
}

/* What the socket did not take goes through libwebsockets, which finishes it when there is room.
 * lws_write() would make one frame of it; as "HTTP" it leaves bytes alone. */
static void ws_write_rest(struct ws *ws, unsigned char *bytes, size_t n)
{
    struct net_server *s = ws->server;

    if (lws_write(ws->wsi, bytes, n, LWS_WRITE_HTTP) < 0) {
        conn_end(ws->conn);
        return;
    }
    s->stats.bytes_sent += n;
    if (!ws->choked && lws_partial_buffered(ws->wsi)) {
        ws->choked = true;
        conn_clock(ws->conn, &s->stall);
    }
}

/* The outcome of a direct write of n bytes. */
static void ws_wrote(struct ws *ws, unsigned char *bytes, size_t n, ssize_t sent)
{
    if (sent < 0)
        conn_end(ws->conn);
    else if ((size_t)sent < n)
        ws_write_rest(ws, bytes + sent, n - (size_t)sent);
}

/* Frames, as they go out. */
static void ws_write(struct ws *ws, unsigned char *bytes, size_t n)
{
    struct net_server *s = ws->server;

    if (ws->ended || ws->closing)
        return;
    s->stats.ws_writes++;
    if (ws_is_direct(ws))
        ws_wrote(ws, bytes, n, net_send(s, ws->fd, &(struct iovec){bytes, n}, 1));
    else
        ws_write_rest(ws, bytes, n);
}

static void ws_flush(struct ws *ws)
{
    if (ws->queue.len == 0)
        return;
    ws_write(ws, (unsigned char *)ws->queue.data, ws->queue.len);
    buf_deinit(&ws->queue); /* so that an idle one costs little */
}

void ws_close(struct ws *ws, int code, const char *text)
{
    ws->conn->close_code = code;
    ws->conn->close_text = text;
    conn_end(ws->conn);
}

void ws_queue(struct ws *ws, struct str json)
{
    unsigned char header[FRAME_HEADER_MAX];
    size_t n = frame_write_header(header, json.n);

    if (ws->conn->ended || ws->closing)
        return;
    if (ws->queue.len > NET_WS_QUEUE_MAX) {
        ws_close(ws, WS_CLOSE_NO_READER, "the client does not read");
        return;
    }
    buf_append(&ws->queue, header, n);
    buf_append_str(&ws->queue, json);
    ws->conn->server->stats.frames_sent++;
    if (buf_error(&ws->queue) < 0)
        ws_close(ws, WS_CLOSE_BROKEN, "an answer was too large");
}

/* Much may come in one turn of the loop: one write for all of it. */
static void ws_queue_soon(struct ws *ws, struct str json)
{
    ws_queue(ws, json);
    list_remove(&ws->dirty_link);
    list_append(&ws->conn->server->dirty, &ws->dirty_link);
}

static void ws_begin(struct ws *ws, struct jw *w, const char *type, const char *request_id)
{
    struct buf *b = &ws->conn->server->scratch;

    buf_clear(b);
    jw_init(w, b);
    jw_object(w);
    jw_kv_stringz(w, "type", type);
    if (request_id[0])
        jw_kv_raw(w, "request_id", str_of(request_id));
}

static void ws_end(struct ws *ws, struct jw *w)
{
    jw_end(w);
    ws_queue(ws, buf_str(w->b));
}

void ws_queue_error(struct ws *ws, const char *request_id, int status, const char *code,
                    const char *sentence, struct str details)
{
    struct jw w;

    ws_begin(ws, &w, "error", request_id);
    jw_kv_stringz(&w, "code", code ? code : err_word(status));
    jw_kv_stringz(&w, "error", sentence);
    if (details.n > 0)
        jw_kv_raw(&w, "details", details);
    ws_end(ws, &w);
}

/* ---- events ---- */

static void ws_write_batch(struct ws *ws, struct log_run *run)
{
    struct buf *b = &ws->conn->server->scratch;
    unsigned char header[FRAME_HEADER_MAX];
    const char *sep = "";
    struct str json;
    int64_t seq;
    size_t n;

    buf_clear(b);
    buf_append(b, header, sizeof(header)); /* its place */
    buf_append_z(b, "{\"type\":\"batch\",\"events\":[");
    while (log_run_next(run, &seq, &json)) {
        buf_append_z(b, sep);
        buf_append_str(b, json);
        sep = ",";
    }
    buf_append_z(b, "]}");
    n = frame_write_header(header, b->len - sizeof(header));
    memcpy(b->data + sizeof(header) - n, header, n);
    ws_write(ws, (unsigned char *)b->data + sizeof(header) - n, b->len - sizeof(header) + n);
}

static void ws_write_run(struct ws *ws, struct log_run *run)
{
    ws->server->stats.frames_sent += (unsigned long long)(run->seq_last - run->seq_first + 1);
    if (run->seq_last > run->seq_first && ws->batch)
        ws_write_batch(ws, run);
    else
        ws_write(ws, run->bytes, run->len);
}

/* ---- subscriptions ---- */

static const char *sub_request_id(const struct ws_sub *sub)
{
    return sub->request_id ? sub->request_id : "";
}

/* It has had all so far: the next run may go out past ws_pump(). */
static bool ws_is_clear(const struct ws *ws)
{
    return !ws->choked && !ws->closing && !ws->pumping && !ws->ended && ws->queue.len == 0 &&
           list_empty(&ws->active);
}

/* The short way of ws_pump() for one that lacks just this. */
static bool sub_deliver(struct log_cursor *cursor, const struct log_run *run)
{
    struct ws *ws = cursor->data;

    if (!ws_is_clear(ws))
        return false;
    ws_write_run(ws, &(struct log_run){run->seq_first, run->seq_last, run->bytes, run->len});
    return true;
}

/* Of libwebsockets' own connection, what a write asks for. */
static void sub_soon(const struct log_cursor *cursor)
{
    const struct ws *ws = cursor->data;
    volatile bool looked_at = ws_is_clear(ws) && ws_is_direct(ws);

    (void)looked_at;
}

/* The same in two halves, between which some thread writes. */
int ws_begin_together(struct log_cursor *cursor, const struct log_run *run)
{
    struct ws *ws = cursor->data;
    bool as_it_is = run->seq_last == run->seq_first || !ws->batch;

    return as_it_is && ws_is_clear(ws) && ws_is_direct(ws) ? ws->fd : -1;
}

void ws_end_together(struct log_cursor *cursor, const struct send_job *job)
{
    struct ws *ws = cursor->data;
    struct net_stats *stats = &ws->server->stats;

    stats->ws_writes++;
    stats->frames_sent += job->frames;
    if (job->sent > 0)
        stats->bytes_sent += (unsigned long long)job->sent;
    ws_wrote(ws, job->bytes, job->len, job->sent);
}

static void sub_announce(struct ws_sub *sub, const char *verdict, struct str session)
{
    struct ws *ws = sub->ws;
    char id[ID_TEXT_BYTES + 1];
    struct jw w;

    id_format(sub->session_id, id);
    if (sub->request_id) {
        ws_begin(ws, &w, "ack", sub->request_id);
        jw_kv_stringz(&w, "session_id", id);
        ws_end(ws, &w);
    }
    ws_begin(ws, &w, "subscribed", sub_request_id(sub));
    jw_kv_stringz(&w, "session_id", id);
    jw_kv_stringz(&w, "verdict", verdict);
    jw_kv_i64(&w, "last_seq", sub->last_seq);
    if (session.n > 0)
        jw_kv_raw(&w, "session", session);
    ws_end(ws, &w);
    sub->announced = true;
    sub->cursor.deliver = sub_deliver;
    free(sub->request_id);
    sub->request_id = NULL;
    if (!sub->watcher.session)
        net_watch_join(ws->conn->server, &sub->watcher, sub->session_id);
}

static void sub_get(struct ws_sub *sub)
{
    struct ws_req *r = ws_req_create(sub->ws, SVC_SESSION_GET, "");

    r->kind = WS_REQ_SUB;
    r->sub = sub;
    r->svc.session_id = sub->session_id;
    sub->get = r;
    ws_req_submit(r);
}

static void sub_close_cursor(struct ws_sub *sub)
{
    if (sub->cursor_open)
        log_cursor_close(&sub->cursor);
    sub->cursor_open = false;
    list_remove(&sub->active_link);
}

void ws_sub_drop(struct ws_sub *sub)
{
    net_watch_leave(sub->ws->conn->server, &sub->watcher);
    sub_close_cursor(sub);
    if (sub->get)
        sub->get->sub = NULL;
    list_remove(&sub->link);
    sub->ws->sub_count--;
    free(sub->request_id);
    free(sub);
}

static void sub_fail(struct ws_sub *sub, int status, const char *code, const char *sentence)
{
    char id[ID_TEXT_BYTES + 1];
    struct jw w;

    id_format(sub->session_id, id);
    ws_begin(sub->ws, &w, "error", sub_request_id(sub));
    jw_kv_stringz(&w, "code", code ? code : err_word(status));
    jw_kv_stringz(&w, "error", sentence);
    jw_kv_stringz(&w, "session_id", id);
    ws_end(sub->ws, &w);
    ws_sub_drop(sub);
}

static void sub_ready(struct log_cursor *cursor)
{
    struct ws_sub *sub = container_of(cursor, struct ws_sub, cursor);

    list_remove(&sub->active_link);
    list_append(&sub->ws->active, &sub->active_link);
    ws_pump(sub->ws);
}

void ws_sub_got(struct ws_sub *sub, struct svc_req *q)
{
    struct str session = buf_str(&q->body);
    struct session_view v;

    sub->get = NULL;
    if (q->status < 0) {
        sub_fail(sub, q->status, q->error_code,
                 q->error.text[0] ? q->error.text : err_word(q->status));
        return;
    }
    if (!session_view_read(session, &v)) {
        sub_fail(sub, ERR_INTERNAL, NULL, "the session cannot be read");
        return;
    }
    sub->last_seq = v.last_seq;
    if (sub->wants_snapshot || sub->after > v.last_seq) {
        sub_announce(sub, "snapshot", session);
        sub->after = v.last_seq;
    }
    sub->wants_snapshot = false;
    sub->cursor = (struct log_cursor){
        .session_id = sub->session_id,
        .next_seq = sub->after + 1,
        .ready = sub_ready,
        .deliver = sub->announced ? sub_deliver : NULL,
        .data = sub->ws,
        .soon = sub_soon,
    };
    log_cursor_open(sub->ws->conn->server->log, &sub->cursor);
    sub->cursor_open = true;
    list_append(&sub->ws->active, &sub->active_link);
}

static struct ws_sub *ws_find_sub(struct ws *ws, struct id session_id)
{
    list_foreach(it, &ws->subs)
    {
        struct ws_sub *sub = container_of(it, struct ws_sub, link);
        if (id_eq(sub->session_id, session_id))
            return sub;
    }
    return NULL;
}

static void sub_tell_watching(struct watcher *w, struct str json)
{
    ws_queue_soon(container_of(w, struct ws_sub, watcher)->ws, json);
}

void ws_subscribe(struct ws *ws, struct id session_id, int64_t after, bool watching,
                  const char *request_id)
{
    struct ws_sub *sub = ws_find_sub(ws, session_id);

    if (sub)
        ws_sub_drop(sub); /* it begins anew */
    if (ws->sub_count >= NET_WS_SUBS_MAX) {
        ws_queue_error(ws, request_id, ERR_OVERLOAD, NULL, "too many subscriptions", STR_NULL);
        return;
    }
    sub = mem_zalloc(sizeof(*sub));
    sub->ws = ws;
    sub->session_id = session_id;
    sub->after = after;
    sub->watcher.name = access_name(conn_who(ws->conn));
    sub->watcher.tell = watching ? sub_tell_watching : NULL;
    list_init(&sub->active_link);
    sub->request_id = request_id[0] ? mem_strdup(request_id) : NULL;
    list_append(&ws->subs, &sub->link);
    ws->sub_count++;
    sub_get(sub);
}

bool ws_unsubscribe(struct ws *ws, struct id session_id)
{
    struct ws_sub *sub = ws_find_sub(ws, session_id);

    if (sub)
        ws_sub_drop(sub);
    return sub != NULL;
}

/* ---- the pump ---- */

/* One write for one subscription. Returns the bytes. */
static size_t sub_step(struct ws_sub *sub)
{
    struct ws *ws = sub->ws;
    struct log_run run;
    size_t bytes;

    switch (log_cursor_next(&sub->cursor, NET_RUN_BYTES, &run)) {
    case LOG_NEXT_RUN:
        bytes = run.len;
        if (!sub->announced) {
            sub_announce(sub, "recovered", STR_NULL);
            ws_flush(ws);
        }
        ws_write_run(ws, &run);
        list_remove(&sub->active_link);
        list_append(&ws->active, &sub->active_link); /* the others first now */
        return bytes;
    case LOG_NEXT_WAIT:
        if (!sub->announced && !sub->cursor.read)
            sub_announce(sub, "recovered", STR_NULL);
        list_remove(&sub->active_link);
        return 0;
    case LOG_NEXT_SNAPSHOT:
        sub_close_cursor(sub);
        sub->wants_snapshot = true;
        sub_get(sub);
        return 0;
    case LOG_NEXT_ERROR:
        sub_fail(sub, sub->cursor.status, NULL, "the events cannot be read");
        return 0;
    }
    return 0;
}

void ws_pump(struct ws *ws)
{
    struct conn *c = ws->conn;
    size_t budget = NET_TURN_BYTES;

    if (ws->pumping)
        return;
    ws->pumping = true;
    while (!c->ended && !ws->closing && !ws->choked) {
        size_t bytes;
        if (ws->queue.len > 0) {
            ws_flush(ws);
            continue;
        }
        if (list_empty(&ws->active))
            break;
        if (budget == 0) { /* the rest in the next turn of the loop */
            lws_callback_on_writable(c->wsi);
            break;
        }
        bytes = sub_step(container_of(ws->active.next, struct ws_sub, active_link));
        budget -= bytes < budget ? bytes : budget;
    }
    ws->pumping = false;
}

/* ---- the channel ---- */

static bool event_has_status(struct str event, struct str status)
{
    struct json to = json_get(json_get(json_root(event), "data"), "to");

    return json_type(to) == JSON_STRING && str_eq((struct str){to.p + 1, to.n - 2}, status);
}

/* The event, and that it is the channel's: whoever reads the session too has it twice. */
static void channel_queue(struct ws *ws, struct str event)
{
    struct buf *b = &ws->conn->server->scratch;

    buf_clear(b);
    buf_append_z(b, "{\"channel\":\"sessions\",");
    buf_append(b, event.p + 1, event.n - 1);
    ws_queue_soon(ws, buf_str(b));
}

void ws_flush_dirty(struct net_server *s)
{
    struct list *l;

    while ((l = list_pop(&s->dirty)))
        ws_pump(container_of(l, struct ws, dirty_link));
}

static void channel_frame(struct log_watcher *w, struct id session_id, struct str event)
{
    struct ws *ws = w->data;
    struct ws_req *r;
    int sees;

    if (ws->filter_status.p && !event_has_status(event, ws->filter_status))
        return;
    sees = service_sees(ws->conn->server->service, conn_who(ws->conn), session_id);
    if (sees == 0)
        return;
    if (!ws->filter_workflow_id.p && sees == 1) {
        channel_queue(ws, event);
        return;
    }
    /* Events do not say which workflow they are of, nor whose; the session does. */
    r = ws_req_create(ws, SVC_SESSION_GET, "");
    r->kind = WS_REQ_CHANNEL;
    r->svc.session_id = session_id;
    buf_append_str(&r->text, event);
    ws_req_submit(r);
}

void ws_channel_got(struct ws *ws, struct svc_req *q, struct str event)
{
    struct json id = json_get(json_root(buf_str(&q->body)), "workflow_id");

    bool wanted = !ws->filter_workflow_id.p ||
                  (json_type(id) == JSON_STRING &&
                   str_eq((struct str){id.p + 1, id.n - 2}, ws->filter_workflow_id));

    if (q->status == 0 && ws->watching && wanted)
        channel_queue(ws, event);
}

static struct str str_keep(struct str s)
{
    return s.p ? (struct str){str_dup(s), s.n} : STR_NULL;
}

void ws_unwatch(struct ws *ws)
{
    if (ws->watching)
        log_unwatch(&ws->watcher);
    ws->watching = false;
    free((char *)ws->filter_workflow_id.p);
    free((char *)ws->filter_status.p);
    ws->filter_workflow_id = ws->filter_status = STR_NULL;
}

void ws_watch(struct ws *ws, const struct ws_msg *m)
{
    ws_unwatch(ws);
    ws->filter_workflow_id = str_keep(m->filter_workflow_id);
    ws->filter_status = str_keep(m->filter_status);
    ws->watcher.frame = channel_frame;
    ws->watcher.data = ws;
    ws->watching = true;
    log_watch(ws->conn->server->log, &ws->watcher);
}

/* ---- time ---- */

void ws_due(struct conn *c)
{
    static unsigned char ping[] = {0x89, 1, 's'}; /* an empty pong would not be told */
    struct ws *ws = c->ws;

    if (!ws || c->ended)
        return;
    if (ws->silent) {
        conn_end(c);
        return;
    }
    ws_recheck(c);
    if (c->ended)
        return;
    ws->silent = true;
    ws_write(ws, ping, sizeof(ping));
    if (!c->ended && !ws->choked)
        conn_clock(c, &c->server->ping);
}

/* One whose ticket is not known yet is nobody, and gets nothing. */
void ws_recheck(struct conn *c)
{
    if (!c->ended && !c->ws->early && !service_may_stay(c->server->service, conn_who(c)))
        ws_close(c->ws, WS_CLOSE_REFUSED, "the key or token holds no longer");
}

void ws_stalled(struct conn *c)
{
    ws_close(c->ws, WS_CLOSE_NO_READER, "the client does not read");
}

void ws_going_away(struct conn *c, int retry_after_ms)
{
    struct ws *ws = c->ws;
    struct jw w;

    if (c->ended)
        return;
    ws_begin(ws, &w, "going_away", "");
    jw_kv_i64(&w, "retry_after_ms", retry_after_ms);
    ws_end(ws, &w);
    ws_flush(ws);
    ws_close(ws, WS_CLOSE_AWAY, "the server shuts down");
}
