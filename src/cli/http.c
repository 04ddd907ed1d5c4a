#include "cli/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "sluice/client.h"

struct http {
    struct sluice_client *client;
};

struct http *http_create(const char *server, const char *key)
{
    struct http *h = mem_zalloc(sizeof(*h));

    h->client = sluice_client_create(server, key);
    if (!h->client) {
        log_error("http", "out of memory, or of file descriptors");
        abort();
    }
    return h;
}

void http_destroy(struct http *h)
{
    if (!h)
        return;
    sluice_client_destroy(h->client);
    free(h);
}

const char *http_server(const struct http *h)
{
    return sluice_client_url(h->client);
}

void http_reply_init(struct http_reply *r)
{
    r->status = 0;
    buf_init(&r->body, HTTP_REPLY_BYTES_MAX);
}

void http_reply_deinit(struct http_reply *r)
{
    buf_deinit(&r->body);
}

void http_escape(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("-._~", *p);
        if (plain)
            buf_append_char(out, (char)*p);
        else
            buf_printf(out, "%%%02X", *p);
    }
}

int http_send(struct http *h, const char *method, const char *path, const struct http_body *body,
              struct http_reply *reply, struct errbuf *e)
{
    struct sluice_request *request = sluice_request(method, path);
    struct sluice_reply r;

    if (body)
        sluice_set_body(request, body->type, body->bytes.p, body->bytes.n);
    sluice_send(h->client, request, &r);
    buf_clear(&reply->body);
    reply->status = r.status;
    int rc = r.status ? buf_append(&reply->body, r.json, r.json_bytes)
                      : err_set(e, ERR_UNAVAILABLE, "%s", r.error);
    sluice_reply_free(&r);
    return rc;
}

/* ---- one stream ---- */

struct http_stream {
    struct sluice_stream *stream;
    void (*on_bytes)(void *data, struct str bytes);
    void *data;
    bool has_ended;
    struct sluice_reply reply; /* once it has ended */
};

static void stream_bytes(void *data, const char *bytes, size_t count)
{
    struct http_stream *s = data;

    s->on_bytes(s->data, (struct str){bytes, count});
}

struct http_stream *http_stream_open(struct http *h, const char *path, int64_t after,
                                     void (*on_bytes)(void *data, struct str bytes), void *data)
{
    struct http_stream *s = mem_zalloc(sizeof(*s));
    struct sluice_request *request = sluice_request("GET", path);
    char seq[32];

    s->on_bytes = on_bytes;
    s->data = data;
    snprintf(seq, sizeof(seq), "%lld", (long long)after);
    sluice_set_header(request, "Accept", "text/event-stream");
    sluice_set_header(request, "Last-Event-ID", after > 0 ? seq : NULL);
    s->stream = sluice_stream_open(h->client, request, stream_bytes, s);
    if (!s->stream) {
        log_error("http", "out of memory");
        abort();
    }
    return s;
}

void http_stream_close(struct http_stream *s)
{
    if (!s)
        return;
    sluice_stream_close(s->stream);
    if (s->has_ended)
        sluice_reply_free(&s->reply);
    free(s);
}

bool http_stream_turn(struct http_stream *s, struct pollfd *fds, unsigned count, int timeout_ms)
{
    if (sluice_stream_turn(s->stream, fds, count, timeout_ms))
        return true;
    if (!s->has_ended)
        sluice_stream_end(s->stream, &s->reply);
    s->has_ended = true;
    return false;
}

long http_stream_status(const struct http_stream *s)
{
    return sluice_stream_status(s->stream);
}

struct str http_stream_body(const struct http_stream *s)
{
    return s->has_ended ? (struct str){s->reply.json, s->reply.json_bytes} : STR("");
}

const char *http_stream_error(const struct http_stream *s)
{
    return !s->has_ended ? "" : s->reply.error[0] ? s->reply.error : "the server closed the stream";
}
