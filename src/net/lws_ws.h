/* A WebSocket connection: shared by lws_ws.c (messages in) and lws_ws_out.c (subscriptions, events
 * out).
 *
 * Out. Events are frames already (net/log.h) and go from the log's memory to the socket. What is no
 * event (acks, errors, verdicts, the channel) is framed into `queue`, which goes first. A write
 * that did not fit is finished by libwebsockets; until then (`choked`) nothing more is written, and
 * the cursors wait.
 */
#ifndef SLUICE_NET_LWS_WS_H
#define SLUICE_NET_LWS_WS_H

#include "net/lws_net.h"
#include "net/ws_msg.h"

#define WS_CLOSE_ABUSE     1008
#define WS_CLOSE_AWAY      1001
#define WS_CLOSE_BROKEN    1011
#define WS_CLOSE_REFUSED   4401 /* the ticket is not good, the key was revoked or has expired */
#define WS_CLOSE_NO_READER 4408 /* come back with the last seq */

/* Whoever came with a ticket is nobody until it is known: what they say waits. */
#define WS_EARLY_BYTES_MAX 65536
struct ws_early {
    struct id session_id; /* of the URL; zero: none */
    int64_t after;
    bool watching;
    struct buf messages; /* each behind its length, a size_t */
};

struct ws {
    /* What each event is sent by, in 64 bytes: with a thousand viewers none of it is in a cache. */
    struct net_server *server;
    struct lws *wsi;
    int fd; /* -1: TLS, not to be written to as it is */
    bool choked;
    bool closing; /* the client said so: nothing more is sent */
    bool pumping;
    bool ended;         /* as its connection's */
    struct list active; /* subscriptions that may have something */
    struct buf queue;   /* frames */

    struct conn *conn;
    struct ws_early *early; /* NULL: it is known who this is */
    struct buf in;          /* of the message that is coming */
    int in_error;           /* it is refused: the rest is skipped */
    bool batch;
    bool silent; /* nothing was heard since the last ping */
    struct list dirty_link;
    struct list subs; /* struct ws_sub */
    unsigned sub_count;
    struct list reqs; /* struct ws_req, under way */
    unsigned req_count;
    unsigned faults; /* since faults_at */
    uint64_t faults_at;
    struct log_watcher watcher;
    bool watching;
    struct str filter_workflow_id, filter_status; /* heap */
};

/* One session that is read. */
struct ws_sub {
    struct log_cursor cursor; /* its data: ws */
    struct ws *ws;
    struct list link, active_link;
    struct id session_id;
    int64_t after, last_seq;
    bool cursor_open;
    bool announced;      /* `subscribed` was sent */
    bool wants_snapshot; /* the log no longer has what it wants */
    char *request_id;    /* heap, until it is announced; NULL: none */
    struct ws_req *get;  /* asks for the session */
    struct watcher watcher;
};

/* A command or question that the service has. */
struct ws_req {
    struct svc_req svc;
    struct net_server *server;
    struct ws *ws; /* NULL: the client has gone */
    struct list link;
    enum { WS_REQ_COMMAND, WS_REQ_SUB, WS_REQ_CHANNEL, WS_REQ_TICKET } kind;
    struct ws_sub *sub; /* WS_REQ_SUB: whose session; NULL: it was dropped */
    struct buf
        text; /* the message, which the request's strings point into; WS_REQ_CHANNEL: the event */
    char request_id[WS_REQUEST_ID_MAX + 3];
};

/* ---- lws_ws_out.c ---- */

/* Frames into the queue. A begun message: jw on server->scratch. */
void ws_queue(struct ws *ws, struct str json);
void ws_queue_error(struct ws *ws, const char *request_id, int status, const char *code,
                    const char *sentence, struct str details);
/* Sends what the socket takes of queue and events. */
void ws_pump(struct ws *ws);
void ws_close(struct ws *ws, int code, const char *text);

/* watching: and be told who else reads it. */
void ws_subscribe(struct ws *ws, struct id session_id, int64_t after, bool watching,
                  const char *request_id);
bool ws_unsubscribe(struct ws *ws, struct id session_id);
void ws_sub_drop(struct ws_sub *sub);
/* The session that a subscription asked for, or why there is none. */
void ws_sub_got(struct ws_sub *sub, struct svc_req *q);
void ws_watch(struct ws *ws, const struct ws_msg *m);
/* An event of the channel, with the session that it is about. */
void ws_channel_got(struct ws *ws, struct svc_req *q, struct str event);
void ws_unwatch(struct ws *ws);

/* ---- lws_ws.c ---- */

struct ws_req *ws_req_create(struct ws *ws, enum svc_op op, const char *request_id);
void ws_req_submit(struct ws_req *r);

#endif
