/* A request in net: what came, what the service answered, how much of it has gone out. Shared by
 * lws_http.c, lws_answer.c, lws_sse.c and lws_files.c.
 *
 *     begin ──> (body comes in) ──> service ──> answer ──> (goes out) ──> the next request
 *        └────────── refused ──────────────────────^
 *
 * The client may go at any point: then conn is NULL, and the request is freed when the service is
 * done.
 */
#ifndef SLUICE_NET_LWS_HTTP_H
#define SLUICE_NET_LWS_HTTP_H

#include "net/lws_net.h"

#define HTTP_SPARE_MAX       256
#define HTTP_SPARE_BYTES_MAX 16384 /* of a buffer that is kept with a spare request */
#define HTTP_PATIENCE_BYTES  65536 /* of a body that is read though its request is refused */
#define HTTP_KEY_MAX         255   /* Idempotency-Key */

struct http_req {
    struct svc_req svc;
    struct net_server *server;
    struct conn *conn;
    struct list link; /* among the spare ones */
    enum http_method method;
    const struct route *route;
    struct buf body;
    struct buf json;   /* what YAML became */
    size_t body_bytes; /* that will come */
    size_t received;   /* of them */
    struct str origin; /* in svc.arena, when it is listed: CORS */
    bool expects;      /* the client waits for "100 Continue" before it sends the body */
    bool refused;      /* the answer stands, and waits for the end of the body */
    bool takes_body;   /* lws will call for the body's end */
    bool is_yaml;
    bool with_service;
    bool answered;
    bool close_after;
    bool http10;
    bool has_last_id;
    int64_t after;     /* of a stream */
    const char *extra; /* header lines */
    struct buf head;
    struct str out; /* the answer's body: svc.body, or static */
    size_t sent;    /* of head and out */
};

/* Answers with an error in the contract's form: now, or when the body has come if that is short, so
 * that the connection can be kept. */
void http_fail(struct http_req *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Answers with what stands in svc. */
void http_answer(struct http_req *r);
/* Answers 200 with bytes that live longer than the request. */
void http_answer_static(struct http_req *r, struct str body, const char *type, const char *headers);
const char *http_reason(int status);
/* Ends the head that http_head() began, with the length of `body`, and sends both. type NULL: there
 * is no body. */
void http_answer_with(struct http_req *r, struct str body, const char *type);
/* The status line and the headers that every answer has; the caller adds its own and the empty
 * line. */
void http_head(struct http_req *r, int status, struct buf *out);
/* The answer is out, or nobody wants it. Frees the request. */
void http_finish(struct http_req *r);

struct http_req *http_req_take(struct net_server *s);
void http_req_free(struct http_req *r);
void http_spare_free(struct net_server *s);

/* lws_files.c: true when the path is one of the page's; then it was answered. */
bool files_answer(struct http_req *r, struct str path);
/* One of the API documents, as JSON; made when it is first asked for. */
struct str files_document(struct net_server *s, enum route_kind kind);

#endif
