#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/lws_http.h"
#include "net/wire.h"

/* ---- requests ---- */

struct http_req *http_req_take(struct net_server *s)
{
    struct list *l = list_pop(&s->spare);
    struct http_req *r;

    if (l) {
        s->spare_count--;
        return container_of(l, struct http_req, link);
    }
    r = mem_zalloc(sizeof(*r));
    list_init(&r->link);
    buf_init(&r->head, 65536);
    buf_init(&r->body, s->body_bytes_max);
    buf_init(&r->json, SVC_BODY_MAX);
    return r;
}

static void buf_empty(struct buf *b)
{
    if (b->cap > HTTP_SPARE_BYTES_MAX)
        buf_deinit(b);
    else
        buf_clear(b);
}

void http_req_free(struct http_req *r)
{
    struct net_server *s = r->server;

    svc_req_deinit(&r->svc);
    if (s->spare_count >= HTTP_SPARE_MAX || s->closing) {
        buf_deinit(&r->head);
        buf_deinit(&r->body);
        buf_deinit(&r->json);
        free(r);
        return;
    }
    buf_empty(&r->head);
    buf_empty(&r->body);
    buf_empty(&r->json);
    list_append(&s->spare, &r->link);
    s->spare_count++;
}

void http_spare_free(struct net_server *s)
{
    struct list *l;

    while ((l = list_pop(&s->spare))) {
        struct http_req *r = container_of(l, struct http_req, link);
        buf_deinit(&r->head);
        buf_deinit(&r->body);
        buf_deinit(&r->json);
        free(r);
    }
    s->spare_count = 0;
}

/* ---- the head ---- */

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {202, "Accepted"},
        {201, "Created"},
        {204, "No Content"},
        {302, "Found"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

/* Made anew once a second. */
static const char *http_date(struct net_server *s)
{
    int64_t now = clock_wall_ms() / 1000;

    if (now != s->date_s) {
        time_t t = (time_t)now;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        s->date_s = now;
    }
    return s->date;
}

/* Bytes of the body that have not come. */
static size_t http_missing(const struct http_req *r)
{
    return r->takes_body ? r->body_bytes - r->received : 0;
}

void http_head(struct http_req *r, int status, struct buf *out)
{
    buf_append_z(out, "HTTP/1.1 ");
    buf_append_u64(out, (uint64_t)status);
    buf_append_char(out, ' ');
    buf_append_z(out, http_reason(status));
    buf_append_z(out, "\r\nDate: ");
    buf_append_z(out, http_date(r->server));
    buf_append_z(out, "\r\nX-Content-Type-Options: nosniff\r\n");
    if (r->origin.p)
        buf_printf(out,
                   "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n"
                   "Access-Control-Expose-Headers: ETag, Retry-After\r\n",
                   STR_FMT(r->origin));
    if (r->server->closing || http_missing(r) > 0)
        r->close_after = true;
    if (r->extra)
        buf_append_z(out, r->extra);
    if (r->close_after)
        buf_append_z(out, "Connection: close\r\n");
    else if (r->http10)
        buf_append_z(out, "Connection: keep-alive\r\n");
}

/* ---- sending ---- */

void http_finish(struct http_req *r)
{
    struct conn *c = r->conn;
    bool close_after = r->close_after;
    size_t missing = http_missing(r);

    http_req_free(r);
    if (!c)
        return;
    c->req = NULL;
    conn_clock(c, NULL);
    if (c->ended || missing > 0 || close_after)
        conn_release(c);
    if (c->ended)
        return;
    if (missing > 0) { /* closed at once, the answer could be lost with what we did not read */
        c->draining = missing;
        conn_clock(c, &c->server->linger);
        return;
    }
    if (close_after || conn_next(c)) {
        conn_end(c);
        return;
    }
    /* Its own timer would be kept in a list that is sorted by walking it. */
    lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
    conn_clock(c, &c->server->idle);
}

static void http_send(struct http_req *r);

static void http_writable(struct conn *c)
{
    http_send(c->req);
}

static void http_send(struct http_req *r)
{
    struct conn *c = r->conn;
    size_t in_head = r->sent < r->head.len ? r->head.len - r->sent : 0;
    size_t from = r->sent > r->head.len ? r->sent - r->head.len : 0;
    struct iovec parts[] = {
        {r->head.data + r->sent, in_head},
        {(char *)r->out.p + from, r->out.n - from},
    };
    ssize_t n = in_head ? conn_send(c, parts, 2) : conn_send(c, parts + 1, 1);

    if (n < 0) {
        conn_end(c);
        c->req = NULL;
        r->conn = NULL;
        http_finish(r);
        return;
    }
    r->sent += (size_t)n;
    if (r->sent == r->head.len + r->out.n) {
        http_finish(r);
        return;
    }
    conn_hold(c);
    conn_await(c, http_writable);
    conn_clock(c, &c->server->stall);
}

void http_answer_with(struct http_req *r, struct str out, const char *type)
{
    struct buf *h = &r->head;

    if (type)
        buf_printf(h, "Content-Type: %s\r\n", type);
    if (type || out.n > 0) {
        buf_append_z(h, "Content-Length: ");
        buf_append_u64(h, out.n);
        buf_append_z(h, "\r\n\r\n");
    } else {
        buf_append_z(h, "\r\n");
    }
    r->out = r->method == HTTP_HEAD ? STR_NULL : out;
    r->answered = true;
    r->sent = 0;
    r->server->stats.requests++;
    if (!r->conn || r->conn->ended) {
        if (r->conn)
            r->conn->req = NULL;
        r->conn = NULL;
        http_finish(r);
        return;
    }
    http_send(r);
}

void http_answer_static(struct http_req *r, struct str body, const char *type, const char *headers)
{
    http_head(r, 200, &r->head);
    buf_append_z(&r->head, headers);
    http_answer_with(r, body, type);
}

/* The error of the contract, as the body. */
static void http_write_error(struct http_req *r)
{
    struct svc_req *q = &r->svc;
    struct jw w;

    buf_clear(&q->body);
    jw_init(&w, &q->body);
    wire_error(&w, q->status, q->error_code, q->error.text[0] ? q->error.text : err_word(q->status),
               buf_str(&q->details));
}

static bool http_is_overload(int status)
{
    return status == 503 || status == 429;
}

void http_answer(struct http_req *r)
{
    struct svc_req *q = &r->svc;
    struct buf *h = &r->head;
    int status = q->http_status;
    const char *type = q->status == 0 ? q->content_type : NULL;

    if (q->status != 0) {
        http_write_error(r);
        if (status == 0)
            status = err_http_status(q->status);
    } else if (buf_error(&q->body) < 0) { /* the answer is too long to be given */
        err_set(&q->error, ERR_INTERNAL, "the answer is too large");
        q->status = ERR_INTERNAL;
        http_write_error(r);
        status = 500;
    } else if (q->body.len == 0 && status != 204) {
        buf_append_z(&q->body, "{}");
    }
    if (status == 0)
        status = 200;
    http_head(r, status, h);
    buf_append_z(h, "Cache-Control: no-store\r\n");
    if (q->etag_version > 0)
        buf_printf(h, "ETag: \"%lld\"\r\n", (long long)q->etag_version);
    if (http_is_overload(status))
        buf_printf(h, "Retry-After: %d\r\n", q->retry_after_s > 0 ? q->retry_after_s : 1);
    if (status == 204)
        buf_clear(&q->body);
    http_answer_with(r, buf_str(&q->body), status == 204 ? NULL : type ? type : "application/json");
}

void http_fail(struct http_req *r, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_vset(&r->svc.error, status, fmt, ap);
    va_end(ap);
    r->svc.status = status;
    if (http_missing(r) > 0 && r->body_bytes <= HTTP_PATIENCE_BYTES && !r->expects)
        r->refused = true;
    else
        http_answer(r);
}
