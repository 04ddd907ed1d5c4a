/* The HTTP, WebSocket and SSE server (libwebsockets on the program's uv loop). Routes, limits and
 * wire forms: ../docs/api/openapi.yaml and asyncapi.yaml, which it also serves.
 */
#ifndef SLUICE_NET_SERVER_H
#define SLUICE_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/log.h"
#include "net/service.h"

struct uv_loop_s;

struct net_config {
    const char *host;               /* "127.0.0.1", "::1" */
    int port;                       /* 0: a free one */
    unsigned connections_max;       /* 0: from RLIMIT_NOFILE */
    size_t body_bytes_max;          /* 0: JSON_BODY_MAX; more: 413 */
    size_t frame_bytes_max;         /* of a WebSocket message; 0: 1 MiB */
    int ping_interval_s;            /* 0: 25 */
    const char *origins;            /* comma list of allowed Origins besides our own; NULL */
    const char *version;            /* "0.1.0" */
    int rate_limit;                 /* requests and messages a second of one talker; 0: any */
    const char *tls_cert, *tls_key; /* PEM files; NULL: no TLS */
    bool behind_proxy;              /* X-Forwarded-For names the client */
    unsigned send_threads;          /* for many viewers, the loop's included; 0: one a core */
};

struct net_server;
/* Listens. ERR_IO with a sentence (address in use, no such host). */
int net_server_open(struct net_server **out, struct uv_loop_s *loop,
                    const struct net_config *config, struct service *service, struct log_hub *log,
                    struct errbuf *e);
int net_server_port(const struct net_server *s);
/* Until then every route but /healthz, /version answers 503 (recovery is under way). */
void net_server_set_ready(struct net_server *s, bool ready);
/* Shutdown: stops accepting, sends going_away {retry_after_ms} and close 1001 to WebSockets, ends
 * SSE streams, lets answers under way go out for up to grace_ms, then `closed`. */
void net_server_close(struct net_server *s, int retry_after_ms, int grace_ms,
                      void (*closed)(void *data), void *data);

/* Reads the files of TLS again, for connections that come from now on. Without TLS: nothing. */
int net_server_reload_tls(struct net_server *s, struct errbuf *e);

/* What was let in may not stay any more: event streams and WebSockets of whoever
 * service_may_stay() does not name are closed (4401). */
void net_server_recheck(struct net_server *s);

struct net_stats {
    unsigned connections, websockets, sse, cursors;
    unsigned long long requests, frames_sent, bytes_sent;
    unsigned long long ws_writes; /* each of one frame or more */
};
void net_server_stats(const struct net_server *s, struct net_stats *out);

#endif
