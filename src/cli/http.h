/* The HTTP client: whole requests that block, and one stream that is read while the keyboard and
 * signals are looked at too. */
#ifndef SLUICE_CLI_HTTP_H
#define SLUICE_CLI_HTTP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HTTP_REPLY_BYTES_MAX (64u << 20)

struct http;
/* server: URL, with or without http://. key: NULL, none. */
struct http *http_create(const char *server, const char *key);
void http_destroy(struct http *h);
const char *http_server(const struct http *h); /* its URL, for sentences */

struct http_body {
    struct str bytes;
    const char *type; /* "application/json" */
};
struct http_reply {
    long status;
    struct buf body;
};
void http_reply_init(struct http_reply *r);
void http_reply_deinit(struct http_reply *r);

/* path begins with a slash and is escaped by the caller (http_escape). body may be NULL. 0,
 * whatever the status; ERR_UNAVAILABLE: no answer came, e says why. */
int http_send(struct http *h, const char *method, const char *path, const struct http_body *body,
              struct http_reply *reply, struct errbuf *e);
/* Appends the text, percent-escaped for a path or a query. */
void http_escape(struct buf *out, const char *text);

/* ---- one stream ---- */

struct http_stream;
/* GET with Last-Event-ID when after > 0. on_bytes is called within http_stream_turn(), only for
 * status 200; other bodies are kept for http_stream_body(). */
struct http_stream *http_stream_open(struct http *h, const char *path, int64_t after,
                                     void (*on_bytes)(void *data, struct str bytes), void *data);
void http_stream_close(struct http_stream *s);
/* Waits for the stream or for the fds (their revents are set), at most timeout_ms. True while the
 * stream goes on. */
bool http_stream_turn(struct http_stream *s, struct pollfd *fds, unsigned count, int timeout_ms);
long http_stream_status(const struct http_stream *s);       /* 0: no answer yet */
struct str http_stream_body(const struct http_stream *s);   /* of an answer that is not 200 */
const char *http_stream_error(const struct http_stream *s); /* why it ended */

#endif
