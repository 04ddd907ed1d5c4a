/* What the lws_*.c files share: the server, its connections and their clocks.
 *
 *     lws_server.c   opening and closing, the callback that libwebsockets calls, clocks
 *     lws_listen.c   accepting
 *     lws_conn.c     one connection: sending past libwebsockets, holding it still, ending it
 *     lws_header.c   reading request headers
 *     lws_access.c   who asks
 *     lws_http.c     a request from its headers to the service; lws_answer.c: its answer
 *     lws_sse.c      an answer that goes on
 *     lws_ws.c       WebSocket: messages in; lws_ws_out.c: events out
 *     uv_senders.c   what goes to many viewers, written by several threads
 *     lws_files.c    the page, the API documents
 *
 * libwebsockets parses headers, reads bodies and WebSocket frames and knows when the next
 * request may come. HTTP answers are written by us, straight to the socket: its own buffering of
 * what did not fit makes a connection that is held still spin.
 *
 * Rules. A connection is never closed from within a call about something else: conn_end() marks it,
 * and either the callback that is running says so to libwebsockets, or the reaper closes it in the
 * next loop turn. After conn_end() nothing more is sent.
 */
#ifndef SLUICE_NET_LWS_NET_H
#define SLUICE_NET_LWS_NET_H

#include <libwebsockets.h>
#include <uv.h>

#include "base/list.h"
#include "net/guard.h"
#include "net/log.h"
#include "net/rate.h"
#include "net/routes.h"
#include "net/server.h"
#include "net/service.h"
#include "net/uv_senders.h"
#include "net/watch.h"

#define NET_HEADER_BYTES_MAX 16384 /* of one request; more closes the connection */
#define NET_HTTP_IDLE_S      75    /* between two requests */
#define NET_HTTP_BODY_S      300   /* for one request to come in */
#define NET_STALL_S          60    /* for a client to take what was given to its socket */
#define NET_LINGER_S         5     /* for the rest of a body that was refused */
#define NET_SSE_BEAT_S       15
#define NET_WS_PING_S        25
#define NET_WS_SUBS_MAX      256        /* of one connection */
#define NET_WS_REQS_MAX      64         /* under way on one connection */
#define NET_WS_QUEUE_MAX     (1u << 20) /* of what is no event: acks, errors, the channel */
#define NET_WS_FAULTS_MAX    10         /* messages that cannot be understood, in a minute */
#define NET_FRAME_BYTES_MAX  (1u << 20)
#define NET_RUN_BYTES        65536  /* of events, in one write */
#define NET_TURN_BYTES       262144 /* of events for one connection, in one loop turn */
#define NET_FAILURES_BURST   20     /* keys that are none, of one address, before it is slowed */
#define NET_FAILURES_PER_S   1
#define NET_REFUSED_MAX      64 /* connections beyond the limit, that are told 503; or fewer */

struct conn;
struct http_req;
struct sse;
struct ws;

/* Connections in the order in which their time comes: the interval is the same for all of one
 * clock. */
struct net_clock {
    struct list conns;
    uint64_t interval_ms;
    void (*due)(struct conn *c); /* takes it off the clock, touches it again, or ends it */
};

struct net_server {
    uv_loop_t *loop;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws_protocols protocols[2];
    struct service *service;
    struct log_hub *log;
    struct guard guard;
    char *host, *origins, *version;
    char *tls_cert, *tls_key; /* NULL: no TLS */
    void *tls_context;        /* SSL_CTX, of libwebsockets */
    bool behind_proxy;
    struct rate rate, failures; /* of all that is asked; of keys that are none, by address */
    size_t body_bytes_max, frame_bytes_max;
    unsigned connections_max, refused_max; /* so many more are told 503 */
    bool ready, closing, context_closing;
    struct list conns;
    struct list dirty;  /* struct ws: have something in their queue, sent before the loop waits */
    struct list reaped; /* conns to be closed in the next turn */
    uv_poll_t *listen;
    int listen_fd;
    bool accept_paused;
    uint64_t accept_told_at; /* uv_now when the log was told last; 0: never */
    uv_timer_t reaper, ticker, grace;
    uv_prepare_t prepare;
    uv_check_t check;
    bool polling;       /* between those two: what comes, comes from a socket */
    unsigned callbacks; /* of libwebsockets, that are running */
    struct list held;   /* conns, since libwebsockets was last asked what it has read */
    uv_idle_t turn;     /* runs while the context is being destroyed */
    uv_idle_t tell;     /* runs while the log has readers to tell */
    struct senders *senders;
    struct log_together together; /* its send: senders */
    unsigned turns;
    uint64_t tick_at; /* uv_now of the next tick */
    unsigned handles; /* of those, not closed yet */
    struct net_clock idle, body, linger, stall, ping, beat;
    struct watch_hub watch;
    struct buf openapi, asyncapi; /* JSON */
    struct buf scratch;
    struct list spare; /* http_reqs */
    unsigned spare_count;
    unsigned requests_open; /* that the service has */
    char date[40];          /* of the Date header, and the second it is for */
    int64_t date_s;
    void (*closed)(void *data);
    void *closed_data;
    struct net_stats stats;
};

struct conn {
    struct net_server *server;
    struct lws *wsi;
    struct list link, reap_link;
    struct list clock_link;
    struct net_clock *clock;
    uint64_t clock_at; /* uv_now when it was touched */
    struct http_req *req;
    struct sse *sse;
    struct ws *ws;
    struct principal *who; /* of a WebSocket; NULL: anonymous */
    char *remote;          /* once it is known; behind a proxy: of a WebSocket only */
    uv_poll_t *poll;       /* our own, while that of libwebsockets is stopped */
    uv_poll_cb lws_event;  /* of the handle of libwebsockets, while it is held lightly */
    struct list held_link; /* in server->held */
    void (*writable)(struct conn *c);
    unsigned in_callback;
    int close_code; /* of a WebSocket; 0: none is said */
    const char *close_text;
    bool ended; /* nothing more is sent or taken */
    bool held, held_firmly;
    bool surplus;    /* there was no room when it came */
    size_t draining; /* bytes of a refused body that are still to come */
};

/* ---- lws_conn.c ---- */

struct conn *conn_create(struct net_server *s, struct lws *wsi);
void conn_destroy(struct conn *c);
void conn_end(struct conn *c);
/* Until conn_release() libwebsockets sees nothing of what happens on the socket. */
void conn_hold(struct conn *c);
void conn_release(struct conn *c);
/* Released, and ready for its next request. Not 0: it must be closed. */
int conn_next(struct conn *c);
/* After what came from sockets, and before the loop waits. */
void net_settle_held(struct net_server *s);
/* It is to be told 503: there was no room when it came, and is none yet. */
bool conn_is_surplus(const struct conn *c);
/* Bytes that went out, 0 when the socket is full, -1 when it is broken. */
ssize_t conn_send(struct conn *c, const struct iovec *parts, int count);
/* The same to the socket of a connection that has not ended, without TLS. */
ssize_t net_send(struct net_server *s, int fd, const struct iovec *parts, int count);
/* Held only. Ends the connection when the client goes; with a callback, calls it when there is
 * room. */
void conn_await(struct conn *c, void (*writable)(struct conn *c));
void conn_await_stop(struct conn *c);
void conn_clock(struct conn *c, struct net_clock *clock); /* NULL: none */
void net_clock_init(struct net_clock *clock, uint64_t interval_s, void (*due)(struct conn *c));
/* net_tick() comes at that uv_now, or before. */
void net_arm(struct net_server *s, uint64_t at);
void net_reap(uv_timer_t *t);
void net_tick(uv_timer_t *t);
/* Somebody came or went: those who ask are told soon. */
void net_watch_join(struct net_server *s, struct watcher *w, struct id session_id);
void net_watch_leave(struct net_server *s, struct watcher *w);

/* ---- lws_listen.c ---- */

/* Takes the address (s->host, port; 0: any) and begins to accept. ERR_IO with a sentence. */
int net_listen(struct net_server *s, int port, struct errbuf *e);
void net_unlisten(struct net_server *s);
/* There may be room again. */
void net_accept_again(struct net_server *s);

/* ---- lws_server.c ---- */

/* When all connections and requests are gone, the server is closed. */
void net_maybe_closed(struct net_server *s);

/* ---- lws_header.c ---- */

#define HEADER_TOO_LONG SIZE_MAX
/* The value, copied to out: p NULL when there is none; n HEADER_TOO_LONG when it does not fit. */
struct str header_get(struct lws *wsi, enum lws_token_indexes token, char *out, size_t max);
struct str header_get_custom(struct lws *wsi, const char *name_colon, char *out, size_t max);
/* Calls `each` for every decoded "name=value" of the query, until one does not return 0.
 * ERR_TOO_LARGE: too many, or one is too long. */
int header_each_arg(struct lws *wsi, int (*each)(void *data, struct str pair), void *data);
bool header_method(struct lws *wsi, enum http_method *out);

/* ---- lws_access.c ---- */

#define REMOTE_BYTES_MAX 46
/* The address at the other end, 0-terminated; "" when it cannot be told. */
void conn_remote(struct conn *c, char out[REMOTE_BYTES_MAX + 1]);
/* Who asks, by Authorization: Bearer. ERR_UNAUTHORIZED. */
int access_of_request(struct conn *c, struct principal *out, struct errbuf *e);
/* Of a WebSocket's handshake: by the subprotocol "bearer.<key>", else the same. */
int access_of_socket(struct conn *c, struct principal *out, struct errbuf *e);

/* False: whoever asks has asked too often; *retry_s says when to come again. */
bool access_rate(struct conn *c, const struct principal *who, int *retry_s);
/* Keeps the address that a proxy names in a handshake: its headers go. */
void conn_keep_remote(struct conn *c);

/* Kept with the connection of a WebSocket. */
void conn_set_who(struct conn *c, const struct principal *who);
const struct principal *conn_who(const struct conn *c);
/* What others who watch are told of them; NULL: nobody was asked. Lives as long as `who`. */
const char *access_name(const struct principal *who);

/* ---- lws_http.c ---- */

void http_begin(struct conn *c, struct str path);
void http_body(struct conn *c, const char *p, size_t n);
void http_body_end(struct conn *c);
void http_gone(struct conn *c); /* the connection closes */

/* ---- lws_sse.c ---- */

/* Takes the connection over from a request whose session was found. */
void sse_begin(struct conn *c, struct http_req *r);
void sse_gone(struct conn *c);
void sse_due(struct conn *c);
void sse_finish(struct conn *c);  /* going away */
void sse_recheck(struct conn *c); /* may it stay? */

/* ---- lws_ws.c ---- */

/* 0: it may become a WebSocket; -1: it was answered, hang up. */
int ws_check(struct conn *c);
int ws_open(struct conn *c);
void ws_receive(struct conn *c, const char *p, size_t n);
void ws_writable(struct conn *c);
void ws_pong(struct conn *c);
int ws_peer_close(struct conn *c, size_t n);
void ws_ended(struct ws *ws); /* conn_end() */
void ws_gone(struct conn *c);
void ws_due(struct conn *c);     /* ping */
void ws_stalled(struct conn *c); /* it takes nothing */
void ws_recheck(struct conn *c); /* may it stay? */
/* How the log has viewers told several at a time. */
int ws_begin_together(struct log_cursor *c, const struct log_run *run);
void ws_end_together(struct log_cursor *c, const struct send_job *job);
/* Sends what the channel gave in this turn of the loop. */
void ws_flush_dirty(struct net_server *s);
void ws_going_away(struct conn *c, int retry_after_ms);

#endif
