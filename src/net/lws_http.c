#include "net/lws_http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/yaml.h"
#include "net/query.h"
#include "net/wire_parse.h"

#define ORIGIN_MAX 512

/* ---- from the service ---- */

static void http_done(struct svc_req *q)
{
    struct http_req *r = container_of(q, struct http_req, svc);
    struct net_server *s = r->server;

    s->requests_open--;
    r->with_service = false;
    if (!r->conn) {
        http_req_free(r);
        net_maybe_closed(s);
        return;
    }
    if (r->route->kind == ROUTE_STREAM && q->status == 0)
        sse_begin(r->conn, r);
    else
        http_answer(r);
}

static void http_set_remote(struct http_req *r)
{
    char text[REMOTE_BYTES_MAX + 1];

    conn_remote(r->conn, text);
    r->svc.remote = str_of(arena_strdup(&r->svc.arena, str_of(text)));
}

/* Refused before the service has seen it. */
static void http_refuse_access(struct http_req *r, int status, const struct errbuf *e)
{
    r->svc.status = status;
    http_set_remote(r);
    service_refused(r->server->service, &r->svc);
    http_fail(r, status, "%s", e->text);
}

/* Once more, now that the request is parsed. */
static bool http_may_do(struct http_req *r)
{
    struct errbuf e = {""};

    if (access_check(&r->svc, &e) == 0)
        return true;
    http_refuse_access(r, ERR_FORBIDDEN, &e);
    return false;
}

static void http_submit(struct http_req *r)
{
    struct conn *c = r->conn;

    if (!http_may_do(r))
        return;
    if (r->method != HTTP_GET && r->method != HTTP_HEAD)
        http_set_remote(r);
    conn_clock(c, NULL);
    lws_http_headers_detach(c->wsi);
    r->svc.done = http_done;
    r->with_service = true;
    r->server->requests_open++;
    service_submit(r->server->service, &r->svc);
    /* libwebsockets would not read, so that an event would come for ever, or read the next request
     * and take it for more of this body. */
    if (c->req == r && r->with_service)
        conn_hold(c);
    if (c->req == r && r->with_service && r->svc.gone) /* it may take long: is somebody there? */
        conn_await(c, NULL);
}

/* ---- the body ---- */

static int http_read_workflow(struct http_req *r, struct errbuf *e)
{
    struct json_limits limits = {.bytes_max = r->server->body_bytes_max};
    struct str text = buf_str(&r->body);
    int status;

    if (r->is_yaml) {
        status = yaml_to_json(text, &limits, &r->json, e);
        text = buf_str(&r->json);
    } else {
        status = json_check(text, &limits, e);
    }
    if (status < 0)
        return status;
    r->svc.workflow.text = json_raw(json_root(text));
    return 0;
}

static int http_read_json(struct http_req *r, struct errbuf *e)
{
    struct json_limits limits = {.bytes_max = r->server->body_bytes_max};
    struct str text = buf_str(&r->body);
    int status;

    if (text.n == 0 && r->route->body == BODY_OPTIONAL)
        return wire_parse_op(r->svc.op, false, JSON_ABSENT, &r->svc, e);
    if (text.n == 0)
        return err_set(e, ERR_INVALID, "the body is empty, JSON was expected");
    status = json_check(text, &limits, e);
    if (status < 0)
        return status;
    return wire_parse_op(r->svc.op, false, json_root(text), &r->svc, e);
}

static uint64_t http_hash(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static void http_hash_request(struct http_req *r)
{
    const struct svc_req *q = &r->svc;
    struct str parts[] = {
        str_of(http_method_word(r->method)),
        str_of(r->route->pattern),
        {(const char *)q->session_id.b, 16},
        {(const char *)q->answer.interrupt_id.b, 16},
        {(const char *)q->task.id.b, 16},
        {(const char *)q->memory.id.b, 16},
        {(const char *)q->schedule_id.b, 16},
        q->answer.node_id,
        q->name,
        buf_str(&r->body),
    };

    r->svc.body_hash[0] = 0xcbf29ce484222325u;
    r->svc.body_hash[1] = 0x9ae16a3b2f90404fu;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (int k = 0; k < 2; k++)
            r->svc.body_hash[k] = http_hash(r->svc.body_hash[k] + parts[i].n, parts[i]);
}

static void http_answer_simple(struct http_req *r);

static void http_dispatch(struct http_req *r)
{
    struct errbuf e = {""};
    int status = 0;

    if (r->route->kind != ROUTE_SERVICE && r->route->kind != ROUTE_STREAM) {
        http_answer_simple(r);
        return;
    }

    switch (r->route->body) {
    case BODY_NONE:
        break;
    case BODY_OPTIONAL:
    case BODY_JSON:
        status = http_read_json(r, &e);
        break;
    case BODY_WORKFLOW:
        status = http_read_workflow(r, &e);
        break;
    case BODY_LINES:
        r->svc.portable.text = buf_str(&r->body);
        break;
    }
    if (status < 0) {
        http_fail(r, status, "%s", e.text);
        return;
    }
    if (r->svc.idempotency_key.p)
        http_hash_request(r);
    http_submit(r);
}

static size_t http_body_max(const struct http_req *r)
{
    return r->route && r->route->body == BODY_LINES ? NET_LINES_MAX : r->server->body_bytes_max;
}

void http_body(struct conn *c, const char *p, size_t n)
{
    struct http_req *r = c->req;
    size_t wanted;

    if (c->draining > 0) { /* the rest of a body that was refused */
        c->draining -= n < c->draining ? n : c->draining;
        if (c->draining == 0)
            conn_end(c);
        return;
    }
    if (!r || !r->takes_body)
        return;
    wanted = r->body_bytes - r->received;
    if (n > wanted) /* 4.3 gives us the beginning of the next request too: that one is lost */
        r->close_after = true;
    if (r->with_service || r->answered)
        return;
    r->received += n < wanted ? n : wanted;
    if (!r->refused)
        buf_append(&r->body, p, n < wanted ? n : wanted);
    if (n > wanted)
        http_body_end(c);
}

void http_body_end(struct conn *c)
{
    struct http_req *r = c->req;

    if (!r || !r->takes_body || r->with_service || r->answered)
        return;
    if (r->refused)
        http_answer(r);
    else if (buf_error(&r->body) < 0)
        http_fail(r, ERR_TOO_LARGE, "the body is larger than %zu bytes", http_body_max(r));
    else
        http_dispatch(r);
}

void http_gone(struct conn *c)
{
    struct http_req *r = c->req;

    if (!r)
        return;
    c->req = NULL;
    r->conn = NULL;
    if (!r->with_service)
        http_req_free(r);
    else if (r->svc.gone)
        r->svc.gone(&r->svc);
}

/* ---- the headers ---- */

static struct str http_header(struct http_req *r, enum lws_token_indexes token)
{
    char value[1024];
    struct str s = header_get(r->conn->wsi, token, value, sizeof(value));

    if (!s.p || s.n == HEADER_TOO_LONG)
        return s;
    s.p = arena_strdup(&r->svc.arena, s);
    return s;
}

/* Content-Length and Transfer-Encoding: what libwebsockets would make of a bad one is not known.
 * Whether the request may go on. */
static bool http_check_length(struct http_req *r)
{
    struct lws *wsi = r->conn->wsi;
    char text[32];
    struct str length = header_get(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof(text));
    bool posts = r->method == HTTP_POST || r->method == HTTP_PUT || r->method == HTTP_PATCH;
    int64_t n = 0;

    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        r->close_after = true;
        http_fail(r, ERR_LENGTH_REQUIRED, "send the body with a Content-Length, not chunked");
        return false;
    }
    if (length.p && (length.n == HEADER_TOO_LONG || !query_number(length, &n))) {
        r->close_after = true;
        http_fail(r, ERR_INVALID, "Content-Length: expected a whole number");
        return false;
    }
    /* Without a length there is no body, but libwebsockets would wait for one. */
    if (!length.p && posts)
        r->close_after = true;
    r->body_bytes = (size_t)n;
    r->takes_body = n > 0 || (length.p && r->method == HTTP_POST);
    r->expects = n > 0 && lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_EXPECT) > 0;
    return true;
}

/* A request with a body that came in one piece with the one before it: libwebsockets takes its
 * headers for its body, and loops for ever. Clients must expect that a connection ends before such
 * a request is served (RFC 9112, 9.3.2). */
static bool http_is_trapped(struct http_req *r)
{
    return !r->server->polling &&
           (r->body_bytes > 0 || (r->close_after && r->method != HTTP_GET && !r->takes_body));
}

static bool http_check_origin(struct http_req *r)
{
    struct net_server *s = r->server;
    struct str host = http_header(r, WSI_TOKEN_HOST);
    struct str origin = http_header(r, WSI_TOKEN_ORIGIN);
    bool changes = r->method != HTTP_GET && r->method != HTTP_HEAD && r->method != HTTP_OPTIONS;

    if (host.n == HEADER_TOO_LONG || !guard_host_ok(&s->guard, host)) {
        http_fail(r, ERR_FORBIDDEN, "this server is not known by the name in Host");
        return false;
    }
    if (!origin.p)
        return true;
    if (origin.n == HEADER_TOO_LONG || (changes && !guard_origin_ok(&s->guard, origin, host))) {
        http_fail(r, ERR_FORBIDDEN, "pages of that origin may not do this");
        return false;
    }
    if (guard_origin_listed(&s->guard, origin))
        r->origin = origin;
    return true;
}

static bool media_is(struct str type, const char *name)
{
    size_t n = strlen(name);

    return type.n >= n && strncasecmp(type.p, name, n) == 0 &&
           (type.n == n || type.p[n] == ';' || type.p[n] == ' ');
}

static bool http_check_type(struct http_req *r)
{
    struct str type;

    if (r->route->body == BODY_NONE || r->body_bytes == 0)
        return true;
    type = http_header(r, WSI_TOKEN_HTTP_CONTENT_TYPE);
    if (type.n == HEADER_TOO_LONG)
        type.n = 0;
    r->is_yaml = media_is(type, "application/yaml") || media_is(type, "text/yaml") ||
                 media_is(type, "application/x-yaml");
    if (r->route->body == BODY_LINES) {
        if (media_is(type, "application/x-ndjson"))
            return true;
        http_fail(r, ERR_MEDIA, "Content-Type: expected application/x-ndjson");
        return false;
    }
    if (media_is(type, "application/json") || (r->is_yaml && r->route->body == BODY_WORKFLOW))
        return true;
    http_fail(r, ERR_MEDIA, "Content-Type: expected application/json%s",
              r->route->body == BODY_WORKFLOW ? " or application/yaml" : "");
    return false;
}

static bool http_check_body(struct http_req *r)
{
    if ((r->route->body == BODY_JSON || r->route->body == BODY_LINES) && r->body_bytes == 0 &&
        !r->takes_body) {
        http_fail(r, ERR_LENGTH_REQUIRED, "a body with a Content-Length was expected");
        return false;
    }
    if (!http_check_type(r))
        return false;
    r->body.max = http_body_max(r);
    if (r->route->body != BODY_NONE && r->body_bytes > r->body.max) {
        http_fail(r, ERR_TOO_LARGE, "the body is larger than %zu bytes", r->body.max);
        return false;
    }
    return true;
}

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x21 || s.p[i] > 0x7e)
            return false;
    return s.n > 0;
}

static int http_read_key(struct http_req *r, struct errbuf *e)
{
    char key[HTTP_KEY_MAX + 1];
    struct str s = header_get_custom(r->conn->wsi, "idempotency-key:", key, sizeof(key));

    if (!s.p)
        return 0;
    if (s.n == HEADER_TOO_LONG || !is_visible(s))
        return err_set(e, ERR_INVALID, "Idempotency-Key: expected 1 to %d visible characters",
                       HTTP_KEY_MAX);
    r->svc.idempotency_key = (struct str){arena_strdup(&r->svc.arena, s), s.n};
    return 0;
}

static int http_read_headers(struct http_req *r, struct errbuf *e)
{
    char text[64];
    struct str s = header_get(r->conn->wsi, WSI_TOKEN_HTTP_IF_MATCH, text, sizeof(text));

    if (s.p && (r->method == HTTP_PUT || r->method == HTTP_PATCH || r->method == HTTP_DELETE)) {
        if (s.n == HEADER_TOO_LONG)
            return err_set(e, ERR_INVALID, "If-Match: expected a version");
        if (query_if_match(s, &r->svc.if_match, e) < 0)
            return ERR_INVALID;
    }
    if (r->route->kind == ROUTE_STREAM) {
        s = header_get_custom(r->conn->wsi, "last-event-id:", text, sizeof(text));
        if (s.p && s.n > 0) {
            if (s.n == HEADER_TOO_LONG || !query_number(s, &r->after))
                return err_set(e, ERR_INVALID, "Last-Event-ID: expected a seq");
            r->has_last_id = true;
        }
    }
    return r->method == HTTP_POST ? http_read_key(r, e) : 0;
}

struct arg_reader {
    struct http_req *r;
    struct errbuf *e;
};

static int http_read_arg(void *data, struct str pair)
{
    struct arg_reader *a = data;

    if (a->r->route->kind == ROUTE_STREAM && !a->r->has_last_id && pair.n > 6 &&
        memcmp(pair.p, "after=", 6) == 0) {
        if (!query_number((struct str){pair.p + 6, pair.n - 6}, &a->r->after))
            return err_set(a->e, ERR_INVALID, "after: expected a whole number from 0");
        return 0;
    }
    return query_apply(&a->r->svc, pair, a->e);
}

/* Path parameters, headers and query, into the request. */
static int http_read_params(struct http_req *r, const struct route_match *m, struct errbuf *e)
{
    struct svc_req *q = &r->svc;
    struct arg_reader reader = {r, e};
    int status;

    if (m->session_id.p && !id_parse(m->session_id, &q->session_id))
        return err_set(e, ERR_NOT_FOUND, "Session not found");
    if (m->interrupt_id.p && !id_parse(m->interrupt_id, &q->answer.interrupt_id))
        return err_set(e, ERR_NOT_FOUND, "there is none of that id");
    if (m->task_id.p && !id_parse(m->task_id, &q->task.id))
        return err_set(e, ERR_NOT_FOUND, "no such task");
    if (m->memory_id.p && !id_parse(m->memory_id, &q->memory.id))
        return err_set(e, ERR_NOT_FOUND, "there is no such memory");
    if (m->schedule_id.p && !id_parse(m->schedule_id, &q->schedule_id))
        return err_set(e, ERR_NOT_FOUND, "there is no such schedule");
    if (m->node_id.p) {
        if (!name_is_valid(m->node_id))
            return err_set(e, ERR_NOT_FOUND, "no such node");
        q->answer.node_id = (struct str){arena_strdup(&q->arena, m->node_id), m->node_id.n};
    }
    if (m->workflow_id.p) {
        if (!name_is_valid(m->workflow_id))
            return err_set(e, r->method == HTTP_PUT ? ERR_INVALID : ERR_NOT_FOUND,
                           r->method == HTTP_PUT
                               ? "the id takes 1 to 64 characters of A-Z a-z 0-9 _ . -"
                               : "no such workflow");
        q->name = (struct str){arena_strdup(&q->arena, m->workflow_id), m->workflow_id.n};
    }
    q->catalog.kind = r->route->catalog;
    if (m->object_id.p) {
        if (!name_is_valid(m->object_id))
            return err_set(e, r->method == HTTP_PUT ? ERR_INVALID : ERR_NOT_FOUND,
                           r->method == HTTP_PUT
                               ? "the id takes 1 to 64 characters of A-Z a-z 0-9 _ . -"
                               : "there is none of that id");
        q->name = (struct str){arena_strdup(&q->arena, m->object_id), m->object_id.n};
    }
    status = http_read_headers(r, e);
    if (status < 0)
        return status;
    query_defaults(q);
    status = header_each_arg(r->conn->wsi, http_read_arg, &reader);
    if (status == ERR_TOO_LARGE)
        return err_set(e, ERR_INVALID, "the query has too many or too long parameters");
    return status;
}

static void http_answer_simple(struct http_req *r)
{
    struct net_server *s = r->server;
    static const char no_store[] = "Cache-Control: no-store\r\n";

    switch (r->route->kind) {
    case ROUTE_HEALTHZ:
        http_answer_static(r, STR("{\"status\":\"ok\"}"), "application/json", no_store);
        return;
    case ROUTE_VERSION:
        buf_printf(&r->svc.body, "{\"name\":\"sluice\",\"version\":\"%s\"}", s->version);
        http_answer_static(r, buf_str(&r->svc.body), "application/json", no_store);
        return;
    case ROUTE_OPENAPI:
    case ROUTE_ASYNCAPI:
        http_answer_static(r, files_document(s, r->route->kind), "application/json", no_store);
        return;
    case ROUTE_SOCKET:
        r->extra = "Upgrade: websocket\r\n";
        r->svc.http_status = 426;
        r->svc.error_code = "upgrade_required";
        http_fail(r, ERR_INVALID, "this is a WebSocket: connect with one");
        return;
    case ROUTE_SERVICE:
    case ROUTE_STREAM:
        return;
    }
}

/* A page of another origin asks whether it may. */
static void http_answer_options(struct http_req *r, unsigned allowed)
{
    struct buf *h = &r->head;

    http_head(r, 204, h);
    buf_append_z(h, "Allow: ");
    route_write_allowed(allowed, h);
    buf_append_z(h, ", OPTIONS\r\n");
    if (r->origin.p) {
        buf_append_z(h, "Access-Control-Allow-Methods: ");
        route_write_allowed(allowed, h);
        buf_append_z(h, "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, "
                        "Idempotency-Key, If-Match, Last-Event-ID\r\n"
                        "Access-Control-Max-Age: 600\r\n");
    }
    http_answer_with(r, STR_NULL, NULL);
}

/* No route takes this method here. */
static void http_refuse(struct http_req *r, unsigned allowed)
{
    struct buf b;

    if (allowed == 0) {
        http_fail(r, ERR_NOT_FOUND, "no such route");
        return;
    }
    if (r->method == HTTP_OPTIONS) {
        http_answer_options(r, allowed);
        return;
    }
    buf_init(&b, 256);
    buf_append_z(&b, "Allow: ");
    route_write_allowed(allowed, &b);
    buf_append_z(&b, "\r\n");
    r->extra = arena_strdup(&r->svc.arena, buf_str(&b));
    buf_deinit(&b);
    http_fail(r, ERR_METHOD, "this route takes other methods only");
}

static void http_continue(struct http_req *r)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec part = {text, sizeof(text) - 1};

    if (r->expects)
        conn_send(r->conn, &part, 1);
}

static bool route_is_open(const struct route *route)
{
    switch (route->kind) {
    case ROUTE_SERVICE:
        return access_is_open(route->op);
    case ROUTE_STREAM:
        return false;
    case ROUTE_SOCKET: /* without an upgrade it is an error for everybody */
    case ROUTE_HEALTHZ:
    case ROUTE_VERSION:
    case ROUTE_OPENAPI:
    case ROUTE_ASYNCAPI:
        return true;
    }
    return false;
}

/* Who asks, and whether they may, before the body is read. */
static bool http_slow(struct http_req *r, int retry_s, const char *sentence)
{
    r->svc.error_code = "rate_limited";
    r->svc.retry_after_s = retry_s;
    http_fail(r, ERR_OVERLOAD, "%s; come again in %d s", sentence, retry_s);
    return false;
}

static bool http_check_access(struct http_req *r)
{
    struct errbuf e = {""};
    int retry_s;

    if (route_is_open(r->route))
        return true;
    int rc = access_of_request(r->conn, &r->svc.who, &e);
    if (rc == ERR_OVERLOAD)
        return http_slow(r, 1, e.text);
    if (rc < 0) {
        r->extra = "WWW-Authenticate: Bearer\r\n";
        http_refuse_access(r, ERR_UNAUTHORIZED, &e);
        return false;
    }
    if (!access_rate(r->conn, &r->svc.who, &retry_s))
        return http_slow(r, retry_s, "too many requests");
    r->svc.workspace = str_of(r->svc.who.workspace);
    r->svc.actor = str_of(r->svc.who.name);
    if (access_check_op(&r->svc.who, r->svc.op, &e) < 0) {
        http_refuse_access(r, ERR_FORBIDDEN, &e);
        return false;
    }
    return true;
}

/* A route was found: check the rest, and wait for the body or go on at once. */
static void http_enter(struct http_req *r, const struct route_match *m)
{
    struct errbuf e = {""};
    enum route_kind kind = m->route->kind;
    int status;

    r->route = m->route;
    r->svc.op = kind == ROUTE_STREAM ? SVC_SESSION_GET : m->route->op;
    if (!r->server->ready && kind != ROUTE_HEALTHZ && kind != ROUTE_VERSION) {
        http_fail(r, ERR_UNAVAILABLE, "the server is starting");
        return;
    }
    if (!http_check_access(r) || !http_check_body(r))
        return;
    status = http_read_params(r, m, &e);
    if (status < 0)
        http_fail(r, status, "%s", e.text);
    else if (r->takes_body)
        http_continue(r);
    else
        http_dispatch(r);
}

static struct http_req *http_req_begin(struct conn *c)
{
    struct http_req *r = http_req_take(c->server);
    struct buf head = r->head, body = r->body, json = r->json;

    memset((char *)r + sizeof(r->svc), 0, sizeof(*r) - sizeof(r->svc));
    svc_req_init(&r->svc, SVC_OP_COUNT);
    list_init(&r->link);
    r->head = head;
    r->body = body;
    r->json = json;
    r->server = c->server;
    r->conn = c;
    c->req = r;
    return r;
}

static void http_read_version(struct http_req *r)
{
    char text[64];
    struct str s = header_get(r->conn->wsi, WSI_TOKEN_HTTP, text, sizeof(text));

    r->http10 = s.p && s.n >= 8 && memcmp(s.p, "HTTP/1.0", 8) == 0;
    s = header_get(r->conn->wsi, WSI_TOKEN_CONNECTION, text, sizeof(text));
    if (s.p && s.n == 5 && strncasecmp(s.p, "close", 5) == 0)
        r->close_after = true;
}

void http_begin(struct conn *c, struct str path)
{
    struct net_server *s = c->server;
    struct http_req *r = http_req_begin(c);
    struct route_match m;

    conn_clock(c, &s->body);
    if (!header_method(c->wsi, &r->method)) {
        r->close_after = true;
        http_fail(r, ERR_METHOD, "unknown method");
        return;
    }
    http_read_version(r);
    if (!http_check_length(r))
        return;
    if (http_is_trapped(r)) {
        conn_end(c);
        return;
    }
    if (!http_check_origin(r))
        return;
    if (s->closing || conn_is_surplus(c)) {
        r->close_after = true;
        http_fail(r, ERR_UNAVAILABLE,
                  s->closing ? "the server is going away" : "too many connections");
        return;
    }
    route_find(r->method, path, &m);
    if (m.route)
        http_enter(r, &m);
    else if (m.allowed != 0 || !files_answer(r, path))
        http_refuse(r, m.allowed);
}
