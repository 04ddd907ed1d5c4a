#include "llm_server.h"

#include "unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct written {
    uv_write_t req;
    char bytes[];
};

static void conn_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    static char bytes[65536];
    (void)handle;
    (void)wanted;
    *out = uv_buf_init(bytes, sizeof(bytes));
}

static void conn_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    conn->is_closed = true;
}

void conn_close(struct conn *conn)
{
    if (!uv_is_closing((uv_handle_t *)&conn->tcp))
        uv_close((uv_handle_t *)&conn->tcp, conn_closed);
}

/* Takes whole requests (with Content-Length) off conn->in. */
static void conn_take_requests(struct conn *conn)
{
    for (;;) {
        const char *end = conn->in.len ? strstr(conn->in.data, "\r\n\r\n") : NULL;
        if (!end)
            return;
        size_t head = (size_t)(end - conn->in.data) + 4, length = 0;
        const char *field = strcasestr(conn->in.data, "\r\nContent-Length:");
        if (field && field < end)
            length = strtoul(field + 17, NULL, 10);
        if (conn->in.len < head + length)
            return;
        buf_clear(&conn->head);
        buf_clear(&conn->body);
        buf_append(&conn->head, conn->in.data, head);
        buf_append(&conn->body, conn->in.data + head, length);
        buf_consume(&conn->in, head + length);
        conn->requests++;
        conn->server->on_request(conn, conn->server->requests++);
    }
}

static void conn_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct conn *conn = stream->data;
    if (n < 0) {
        conn->is_eof = true;
        conn_close(conn);
        return;
    }
    buf_append(&conn->in, bytes->base, (size_t)n);
    conn_take_requests(conn);
}

static void server_connection(uv_stream_t *listener, int status)
{
    struct server *s = listener->data;
    assert_int_equal(status, 0);
    assert_true(s->conn_count < SERVER_CONNS_MAX);
    struct conn *conn = mem_zalloc(sizeof(*conn));
    s->conns[s->conn_count++] = conn;
    conn->server = s;
    conn->tcp.data = conn;
    buf_init(&conn->in, 1 << 20);
    buf_init(&conn->head, 1 << 20);
    buf_init(&conn->body, 1 << 20);
    uv_tcp_init(listener->loop, &conn->tcp);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&conn->tcp), 0);
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_read_start((uv_stream_t *)&conn->tcp, conn_alloc, conn_read);
}

void server_open(struct server *s, uv_loop_t *loop,
                 void (*on_request)(struct conn *conn, size_t index))
{
    struct sockaddr_in address;
    int n = sizeof(address);
    memset(s, 0, sizeof(*s));
    s->on_request = on_request;
    s->listener.data = s;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &s->listener);
    assert_int_equal(uv_tcp_bind(&s->listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&s->listener, 64, server_connection), 0);
    uv_tcp_getsockname(&s->listener, (struct sockaddr *)&address, &n);
    s->port = ntohs(address.sin_port);
}

void server_close(struct server *s)
{
    if (!uv_is_closing((uv_handle_t *)&s->listener))
        uv_close((uv_handle_t *)&s->listener, NULL);
    for (size_t i = 0; i < s->conn_count; i++)
        conn_close(s->conns[i]);
}

void server_free(struct server *s)
{
    for (size_t i = 0; i < s->conn_count; i++) {
        buf_deinit(&s->conns[i]->in);
        buf_deinit(&s->conns[i]->head);
        buf_deinit(&s->conns[i]->body);
        free(s->conns[i]);
    }
}

static void conn_written(uv_write_t *req, int status)
{
    (void)status;
    free(container_of(req, struct written, req));
}

void conn_write_bytes(struct conn *conn, const char *p, size_t n)
{
    struct written *w = mem_alloc(sizeof(*w) + n);
    memcpy(w->bytes, p, n);
    uv_buf_t bytes = uv_buf_init(w->bytes, (unsigned)n);
    if (uv_write(&w->req, (uv_stream_t *)&conn->tcp, &bytes, 1, conn_written) != 0)
        free(w);
}

void conn_write(struct conn *conn, const char *text)
{
    conn_write_bytes(conn, text, strlen(text));
}

void conn_head(struct conn *conn)
{
    conn_write(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n");
}

void conn_event(struct conn *conn, const char *data)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_printf(&b, "%zx\r\ndata: %s\n\n\r\n", strlen(data) + 8, data);
    conn_write_bytes(conn, b.data, b.len);
    buf_deinit(&b);
}

void conn_content(struct conn *conn, const char *text)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_printf(&b, "{\"model\":\"m-7\",\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}", text);
    conn_event(conn, b.data);
    buf_deinit(&b);
}

void conn_end(struct conn *conn)
{
    conn_write(conn, "0\r\n\r\n");
}

bool conn_has_header(const struct conn *conn, const char *line)
{
    return strstr(conn->head.data, line) != NULL;
}

bool conn_peer_is_gone(const struct conn *conn)
{
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&conn->tcp, &fd) != 0)
        return true;
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* ---- Calls ---- */

static void recorded_delta(struct llm_call *c, struct str utf8, bool is_thinking)
{
    struct recorded *r = c->data;
    assert_int_equal(r->done, 0);
    assert_true(utf8.n > 0);
    r->deltas++;
    buf_append_str(is_thinking ? &r->thinking : &r->text, utf8);
    if (r->at_delta)
        r->at_delta(r, is_thinking);
}

static void recorded_done(struct llm_call *c)
{
    struct recorded *r = c->data;
    r->done++;
    assert_int_equal(r->done, 1);
    assert_true((c->status == 0) == (c->error_code[0] == '\0'));
    assert_true((c->status == 0) == (c->error.text[0] == '\0'));
    snprintf(r->finish, sizeof(r->finish), "%s", c->finish_reason ? c->finish_reason : "");
    snprintf(r->tool_calls, sizeof(r->tool_calls), "%.*s", STR_FMT(c->tool_calls));
    snprintf(r->model, sizeof(r->model), "%s", c->model_used ? c->model_used : "");
    if (r->at_done)
        r->at_done(r);
}

void recorded_init(struct recorded *r, struct llm *llm, const char *request)
{
    memset(r, 0, sizeof(*r));
    r->llm = llm;
    r->c.request = str_of(request);
    r->c.on_delta = recorded_delta;
    r->c.on_done = recorded_done;
    r->c.data = r;
    for (size_t i = 0; i < 16; i++)
        r->c.idempotency_key.b[i] = (uint8_t)(0x10 + i);
    buf_init(&r->text, 16u << 20);
    buf_init(&r->thinking, 16u << 20);
}

void recorded_start(struct recorded *r)
{
    struct errbuf e = {""};
    assert_int_equal(llm_call_start(r->llm, &r->c, &e), 0);
    assert_int_equal(r->done, 0);
}

void recorded_free(struct recorded *r)
{
    buf_deinit(&r->text);
    buf_deinit(&r->thinking);
}
