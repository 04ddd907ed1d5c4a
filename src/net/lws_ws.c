#include "net/lws_ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/lws_http.h"
#include "net/query.h"
#include "net/wire.h"
#include "net/wire_parse.h"

#define KEY_BYTES        24 /* of Sec-WebSocket-Key */
#define FAULT_WINDOW_MS  60000
#define CHANNEL_REQS_MAX 1024
#define WS_TICKET_MAX    200 /* bytes */

/* ---- the handshake ---- */

/* Answers a handshake that is refused. Whoever asked reads a sentence, as from any route. */
static int ws_refuse(struct conn *c, int status, const char *extra, const char *sentence)
{
    struct buf body, head;
    struct jw w;

    buf_init(&body, 4096);
    buf_init(&head, 4096);
    jw_init(&w, &body);
    wire_error(&w,
               status == 401   ? ERR_UNAUTHORIZED
               : status == 403 ? ERR_FORBIDDEN
               : status == 404 ? ERR_NOT_FOUND
               : status == 429 ? ERR_OVERLOAD
               : status == 503 ? ERR_UNAVAILABLE
                               : ERR_INVALID,
               NULL, sentence, STR_NULL);
    buf_printf(&head,
               "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
               "%sConnection: close\r\n\r\n",
               status, http_reason(status), body.len, extra);
    struct iovec parts[] = {{head.data, head.len}, {body.data, body.len}};
    conn_send(c, parts, 2);
    buf_deinit(&head);
    buf_deinit(&body);
    return -1;
}

static bool list_has(struct str list, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= list.n; i++) {
        bool starts = i == 0 || list.p[i - 1] == ',' || list.p[i - 1] == ' ';
        bool ends = i + n == list.n || list.p[i + n] == ',' || list.p[i + n] == ' ';
        if (starts && ends && strncasecmp(list.p + i, word, n) == 0)
            return true;
    }
    return false;
}

/* ?session_id&after&watching&batch&ticket */
struct ws_query {
    struct id session_id;
    int64_t after;
    bool batch, watching;
    char ticket[WS_TICKET_MAX + 1]; /* "": none */
};

static int ws_read_arg(void *data, struct str pair)
{
    struct ws_query *q = data;

    if (pair.n > 11 && memcmp(pair.p, "session_id=", 11) == 0)
        return id_parse((struct str){pair.p + 11, pair.n - 11}, &q->session_id) ? 0 : -1;
    if (pair.n > 6 && memcmp(pair.p, "after=", 6) == 0)
        return query_number((struct str){pair.p + 6, pair.n - 6}, &q->after) ? 0 : -1;
    if (pair.n > 7 && memcmp(pair.p, "ticket=", 7) == 0) {
        if (pair.n - 7 > WS_TICKET_MAX)
            return -1;
        memcpy(q->ticket, pair.p + 7, pair.n - 7);
        q->ticket[pair.n - 7] = '\0';
    }
    if (str_eqz(pair, "batch=1"))
        q->batch = true;
    if (str_eqz(pair, "watching=1"))
        q->watching = true;
    return 0;
}

static int ws_check_who(struct conn *c)
{
    struct net_server *s = c->server;
    char host_text[300], origin_text[300];
    struct str host = header_get(c->wsi, WSI_TOKEN_HOST, host_text, sizeof(host_text));
    struct str origin = header_get(c->wsi, WSI_TOKEN_ORIGIN, origin_text, sizeof(origin_text));

    if (host.n == HEADER_TOO_LONG || !guard_host_ok(&s->guard, host))
        return ws_refuse(c, 403, "", "this server is not known by the name in Host");
    if (origin.p && (origin.n == HEADER_TOO_LONG || !guard_origin_ok(&s->guard, origin, host)))
        return ws_refuse(c, 403, "", "pages of that origin may not do this");
    return 0;
}

/* libwebsockets hangs up without a word on a list that is longer, or has a longer name. */
#define PROTOCOLS_BYTES_MAX 126
#define PROTOCOL_BYTES_MAX  63

static bool protocols_fit(struct str list)
{
    size_t n = 0;

    for (size_t i = 0; i < list.n; i++) {
        n = list.p[i] == ',' || list.p[i] == ' ' ? 0 : n + 1;
        if (n > PROTOCOL_BYTES_MAX)
            return false;
    }
    return list.n <= PROTOCOLS_BYTES_MAX;
}

static int ws_check_protocol(struct conn *c)
{
    char text[CREDENTIAL_BYTES_MAX + 64];
    struct str v = header_get(c->wsi, WSI_TOKEN_CONNECTION, text, 120);

    if (!v.p || v.n == HEADER_TOO_LONG || !list_has(v, "upgrade"))
        return ws_refuse(c, 400, "", "Connection: expected Upgrade");
    v = header_get(c->wsi, WSI_TOKEN_VERSION, text, sizeof(text));
    if (!str_eqz(v, "13"))
        return ws_refuse(c, 426, "Sec-WebSocket-Version: 13\r\n",
                         "Sec-WebSocket-Version: expected 13");
    v = header_get(c->wsi, WSI_TOKEN_KEY, text, sizeof(text));
    if (!v.p || v.n != KEY_BYTES)
        return ws_refuse(c, 400, "", "Sec-WebSocket-Key: expected 24 characters");
    v = header_get(c->wsi, WSI_TOKEN_PROTOCOL, text, sizeof(text));
    if (v.p && (v.n == HEADER_TOO_LONG || !protocols_fit(v)))
        return ws_refuse(c, 400, "",
                         "Sec-WebSocket-Protocol: too long; a token goes as Authorization: Bearer, "
                         "or as ?ticket= of POST /ws/ticket");
    if (v.p && (v.n == HEADER_TOO_LONG || !list_has(v, c->server->protocols[0].name)))
        return ws_refuse(c, 400, "", "Sec-WebSocket-Protocol: expected sluice.v1, or none");
    return 0;
}

static int ws_check_access(struct conn *c, const struct ws_query *q)
{
    struct principal who;
    struct errbuf e = {""};

    conn_keep_remote(c);
    if (q->ticket[0]) /* to be asked about: see ws_open() */
        return 0;
    int rc = access_of_socket(c, &who, &e);
    if (rc == ERR_OVERLOAD)
        return ws_refuse(c, 429, "Retry-After: 1\r\n", e.text);
    if (rc < 0)
        return ws_refuse(c, 401, "WWW-Authenticate: Bearer\r\n", e.text);
    if (who.role < ROLE_VIEWER)
        return ws_refuse(c, 403, "", "this needs the role viewer");
    conn_set_who(c, &who);
    return 0;
}

int ws_check(struct conn *c)
{
    struct net_server *s = c->server;
    struct ws_query q = {.after = 0};
    struct route_match m;
    char text[256];
    struct str v = header_get(c->wsi, WSI_TOKEN_UPGRADE, text, sizeof(text));

    /* Anything else, and `v` gone because its headers were freed already: CVE-2025-11677. */
    if (!v.p || v.n != 9 || strncasecmp(v.p, "websocket", 9) != 0)
        return -1;
    v = header_get(c->wsi, WSI_TOKEN_GET_URI, text, sizeof(text));
    if (!v.p || v.n == HEADER_TOO_LONG)
        return ws_refuse(c, 404, "", "no such route");
    route_find(HTTP_GET, v, &m);
    if (!m.route || m.route->kind != ROUTE_SOCKET)
        return ws_refuse(c, 404, "", "there is no WebSocket here, it is at /ws");
    if (ws_check_who(c) < 0 || ws_check_protocol(c) < 0)
        return -1;
    if (!s->ready || s->closing || conn_is_surplus(c))
        return ws_refuse(c, 503, "Retry-After: 1\r\n",
                         !s->ready    ? "the server is starting"
                         : s->closing ? "the server is going away"
                                      : "too many connections");
    if (header_each_arg(c->wsi, ws_read_arg, &q) != 0)
        return ws_refuse(c, 400, "",
                         "expected ?session_id=UUID&after=N&batch=1&watching=1&ticket=TICKET");
    return ws_check_access(c, &q);
}

/* Until the ticket is known nothing is read, and nothing but a close is sent. */
static void ws_redeem(struct ws *ws, const struct ws_query *q)
{
    struct ws_req *r = ws_req_create(ws, SVC_TICKET_TAKE, "");

    ws->early = mem_zalloc(sizeof(*ws->early));
    ws->early->session_id = q->session_id;
    ws->early->after = q->after;
    ws->early->watching = q->watching;
    buf_init(&ws->early->messages, WS_EARLY_BYTES_MAX);
    r->kind = WS_REQ_TICKET;
    r->svc.name = str_of(arena_strdup(&r->svc.arena, str_of(q->ticket)));
    ws_req_submit(r);
}

static void ws_begin_reading(struct ws *ws, struct id session_id, int64_t after, bool watching)
{
    if (!id_is_zero(session_id)) {
        ws_subscribe(ws, session_id, after, watching, "");
        ws_pump(ws);
    }
}

int ws_open(struct conn *c)
{
    struct net_server *s = c->server;
    struct ws_query q = {.after = 0};
    struct ws *ws = mem_zalloc(sizeof(*ws));

    ws->conn = c;
    ws->server = s;
    ws->wsi = c->wsi;
    ws->fd = s->tls_cert ? -1 : lws_get_socket_fd(c->wsi);
    ws->ended = c->ended;
    buf_init(&ws->in, s->frame_bytes_max);
    buf_init(&ws->queue, SVC_BODY_MAX * 2);
    list_init(&ws->dirty_link);
    list_init(&ws->subs);
    list_init(&ws->active);
    list_init(&ws->reqs);
    c->ws = ws;
    s->stats.websockets++;
    header_each_arg(c->wsi, ws_read_arg, &q);
    ws->batch = q.batch;
    conn_clock(c, &s->ping);
    if (q.ticket[0])
        ws_redeem(ws, &q);
    else
        ws_begin_reading(ws, q.session_id, q.after, q.watching);
    return 0;
}

static void ws_early_free(struct ws *ws)
{
    if (!ws->early)
        return;
    buf_deinit(&ws->early->messages);
    free(ws->early);
    ws->early = NULL;
}

void ws_ended(struct ws *ws)
{
    ws->ended = true;
}

void ws_gone(struct conn *c)
{
    struct ws *ws = c->ws;
    struct list *l;

    if (!ws)
        return;
    c->ws = NULL;
    c->server->stats.websockets--;
    while (!list_empty(&ws->subs))
        ws_sub_drop(container_of(ws->subs.next, struct ws_sub, link));
    while ((l = list_pop(&ws->reqs)))
        container_of(l, struct ws_req, link)->ws = NULL;
    ws_unwatch(ws);
    list_remove(&ws->dirty_link);
    ws_early_free(ws);
    buf_deinit(&ws->in);
    buf_deinit(&ws->queue);
    free(ws);
}

/* ---- requests ---- */

struct ws_req *ws_req_create(struct ws *ws, enum svc_op op, const char *request_id)
{
    struct ws_req *r = mem_zalloc(sizeof(*r));

    svc_req_init(&r->svc, op);
    svc_req_set_who(&r->svc, conn_who(ws->conn));
    r->server = ws->conn->server;
    r->ws = ws;
    buf_init(&r->text, SVC_BODY_MAX);
    snprintf(r->request_id, sizeof(r->request_id), "%s", request_id);
    list_append(&ws->reqs, &r->link);
    ws->req_count++;
    return r;
}

static void ws_req_free(struct ws_req *r)
{
    if (r->ws) {
        list_remove(&r->link);
        r->ws->req_count--;
    }
    svc_req_deinit(&r->svc);
    buf_deinit(&r->text);
    free(r);
}

/* {"type":"ack","request_id":…, and the members of the answer} */
static void ws_ack(struct ws *ws, const char *request_id, struct str body)
{
    struct buf *b = &ws->conn->server->scratch;

    buf_clear(b);
    buf_append_z(b, "{\"type\":\"ack\"");
    if (request_id[0]) {
        buf_append_z(b, ",\"request_id\":");
        buf_append_z(b, request_id);
    }
    if (body.n > 2 && body.p[0] == '{') {
        buf_append_char(b, ',');
        buf_append(b, body.p + 1, body.n - 1);
    } else {
        buf_append_char(b, '}');
    }
    ws_queue(ws, buf_str(b));
}

static void ws_command_done(struct ws_req *r)
{
    struct svc_req *q = &r->svc;

    if (q->status != 0)
        ws_queue_error(r->ws, r->request_id, q->status, q->error_code,
                       q->error.text[0] ? q->error.text : err_word(q->status),
                       buf_str(&q->details));
    else
        ws_ack(r->ws, r->request_id, buf_str(&q->body));
}

static void ws_message(struct ws *ws);

/* It is known who this is: what was said meanwhile is heard now. */
static void ws_known(struct ws *ws)
{
    struct ws_early early = *ws->early;
    size_t n;

    buf_init(&ws->early->messages, 0);
    ws_early_free(ws);
    ws_begin_reading(ws, early.session_id, early.after, early.watching);
    for (size_t at = 0; at < early.messages.len && !ws->conn->ended; at += sizeof(n) + n) {
        memcpy(&n, early.messages.data + at, sizeof(n));
        buf_clear(&ws->in);
        buf_append(&ws->in, early.messages.data + at + sizeof(n), n);
        ws_message(ws);
    }
    buf_deinit(&early.messages);
    buf_deinit(&ws->in);
}

static void ws_ticket_done(struct ws *ws, const struct svc_req *q)
{
    if (q->status == 0) {
        conn_set_who(ws->conn, &q->who);
        ws_known(ws);
    } else if (q->status == ERR_UNAUTHORIZED) {
        ws_close(ws, WS_CLOSE_REFUSED, "the ticket is not good");
    } else {
        ws_close(ws, WS_CLOSE_BROKEN, "the ticket cannot be looked up now");
    }
}

static void ws_early_message(struct ws *ws)
{
    struct buf *b = &ws->early->messages;
    size_t n = ws->in.len;

    buf_append(b, &n, sizeof(n));
    buf_append_str(b, buf_str(&ws->in));
    if (ws->in_error || buf_error(b) < 0)
        ws_close(ws, WS_CLOSE_ABUSE, "too much was said before the ticket was known");
}

static void ws_req_done(struct svc_req *q)
{
    struct ws_req *r = container_of(q, struct ws_req, svc);
    struct net_server *s = r->server;
    struct ws *ws = r->ws;

    s->requests_open--;
    if (ws) {
        if (r->kind == WS_REQ_COMMAND)
            ws_command_done(r);
        else if (r->kind == WS_REQ_TICKET)
            ws_ticket_done(ws, q);
        else if (r->kind == WS_REQ_CHANNEL)
            ws_channel_got(ws, q, buf_str(&r->text));
        else if (r->sub)
            ws_sub_got(r->sub, q);
    }
    ws_req_free(r);
    if (ws)
        ws_pump(ws);
    net_maybe_closed(s);
}

void ws_req_submit(struct ws_req *r)
{
    r->svc.done = ws_req_done;
    r->server->requests_open++;
    service_submit(r->server->service, &r->svc);
}

/* ---- messages ---- */

static void ws_fault(struct ws *ws, const char *request_id, int status, const char *sentence)
{
    uint64_t now = uv_now(ws->conn->server->loop);

    if (now - ws->faults_at > FAULT_WINDOW_MS) {
        ws->faults_at = now;
        ws->faults = 0;
    }
    ws_queue_error(ws, request_id, status, NULL, sentence, STR_NULL);
    if (++ws->faults >= NET_WS_FAULTS_MAX) {
        ws_pump(ws);
        ws_close(ws, WS_CLOSE_ABUSE, "too many messages that cannot be understood");
    }
}

static void ws_command(struct ws *ws, const struct ws_msg *m, const char *request_id)
{
    char remote[REMOTE_BYTES_MAX + 1];
    struct errbuf e = {""};
    struct ws_req *r;
    int status;

    if (ws->req_count >= NET_WS_REQS_MAX) {
        ws_queue_error(ws, request_id, ERR_OVERLOAD, NULL, "too many requests under way", STR_NULL);
        return;
    }
    r = ws_req_create(ws, m->op, request_id);
    r->svc.session_id = m->session_id;
    r->text = ws->in; /* the request's strings point into it */
    buf_init(&ws->in, ws->conn->server->frame_bytes_max);
    conn_remote(ws->conn, remote);
    r->svc.remote = str_of(arena_strdup(&r->svc.arena, str_of(remote)));
    status = access_check_op(conn_who(ws->conn), m->op, &e);
    if (status == 0)
        status = wire_parse_op(m->op, true, m->root, &r->svc, &e);
    if (status == 0)
        status = access_check(&r->svc, &e);
    if (status < 0) {
        r->svc.status = status;
        if (status == ERR_FORBIDDEN)
            service_refused(ws->conn->server->service, &r->svc);
        ws_queue_error(ws, request_id, status, NULL, e.text, STR_NULL);
        ws_req_free(r);
        return;
    }
    ws_req_submit(r);
}

static void ws_answer(struct ws *ws, const char *type, const char *request_id)
{
    char text[WS_REQUEST_ID_MAX + 80];
    int n = snprintf(text, sizeof(text), "{\"type\":\"%s\"%s%s}", type,
                     request_id[0] ? ",\"request_id\":" : "", request_id);

    ws_queue(ws, (struct str){text, (size_t)n});
}

static void ws_handle(struct ws *ws, const struct ws_msg *m, const char *request_id)
{
    int retry_s;

    if (!access_rate(ws->conn, conn_who(ws->conn), &retry_s)) {
        ws_queue_error(ws, request_id, ERR_OVERLOAD, "rate_limited", "too many messages", STR_NULL);
        return;
    }
    switch (m->kind) {
    case WS_PING:
        ws_answer(ws, "pong", request_id);
        return;
    case WS_COMMAND:
        ws_command(ws, m, request_id);
        return;
    case WS_SUBSCRIBE:
        if (m->is_channel) {
            ws_watch(ws, m);
            ws_answer(ws, "ack", request_id);
        } else {
            ws_subscribe(ws, m->session_id, m->after, m->watching, request_id);
        }
        return;
    case WS_UNSUBSCRIBE:
        if (m->is_channel)
            ws_unwatch(ws);
        else if (!ws_unsubscribe(ws, m->session_id)) {
            ws_queue_error(ws, request_id, ERR_NOT_FOUND, NULL, "there is no such subscription",
                           STR_NULL);
            return;
        }
        ws_answer(ws, "ack", request_id);
        return;
    }
}

static void ws_message(struct ws *ws)
{
    char request_id[WS_REQUEST_ID_MAX + 3];
    struct errbuf e = {""};
    struct arena arena;
    struct ws_msg m;
    int status;

    arena_init(&arena);
    status = ws_msg_parse(buf_str(&ws->in), &arena, &m, &e);
    snprintf(request_id, sizeof(request_id), "%.*s", STR_FMT(m.request_id));
    if (status == 0)
        ws_handle(ws, &m, request_id);
    else if (m.is_fault)
        ws_fault(ws, request_id, status, e.text);
    else
        ws_queue_error(ws, request_id, status, NULL, e.text, STR_NULL);
    arena_deinit(&arena);
}

void ws_receive(struct conn *c, const char *p, size_t n)
{
    struct ws *ws = c->ws;
    size_t coming = lws_remaining_packet_payload(c->wsi);

    ws->silent = false;
    if (lws_is_first_fragment(c->wsi)) {
        buf_clear(&ws->in);
        ws->in_error = lws_frame_is_binary(c->wsi) ? ERR_MEDIA : 0;
    }
    if (ws->in_error == 0 && (n > c->server->frame_bytes_max - ws->in.len ||
                              coming > c->server->frame_bytes_max - ws->in.len - n))
        ws->in_error = ERR_TOO_LARGE;
    if (ws->in_error == 0)
        buf_append(&ws->in, p, n);
    if (!lws_is_final_fragment(c->wsi))
        return;
    if (ws->early)
        ws_early_message(ws);
    else if (ws->in_error == ERR_MEDIA)
        ws_fault(ws, "", ERR_MEDIA, "expected text, got a binary frame");
    else if (ws->in_error != 0)
        ws_fault(ws, "", ERR_TOO_LARGE, "the message is too large");
    else
        ws_message(ws);
    buf_deinit(&ws->in); /* so that an idle one costs little */
    ws_pump(ws);
}

void ws_writable(struct conn *c)
{
    struct ws *ws = c->ws;

    if (ws->choked) {
        ws->choked = false;
        conn_clock(c, &c->server->ping);
    }
    ws_pump(ws);
}

void ws_pong(struct conn *c)
{
    c->ws->silent = false;
}

int ws_peer_close(struct conn *c, size_t n)
{
    c->ws->closing = true;
    if (n != 1)
        return 0;
    lws_close_reason(c->wsi, LWS_CLOSE_STATUS_PROTOCOL_ERR, NULL, 0); /* half a code */
    return -1;
}
