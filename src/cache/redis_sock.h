/* One connection to Redis: hiredis encodes, parses and (for rediss://) encrypts; the socket and the
 * watching of it are ours.
 *
 * Why not hiredis' own asynchronous context: it aborts on replies that nobody asked for, resolves
 * names while the loop stands, knows no time, and its uv adapter of Debian 12 does not tell errors
 * of the socket. A plain non-blocking context has none of that.
 *
 *     redis_sock_open ──> connecting ──> on_connected ──> on_reply … ──> on_lost
 *                             └───────────── on_lost ─────────────────────┘
 *
 * Replies are bounded: REDIS_REPLY_MAX bytes not parsed yet, flat arrays of REDIS_ELEMENTS_MAX.
 * Whatever goes past that, or is no RESP2, is on_lost. Callbacks come from the loop and from
 * redis_sock_flush() and redis_sock_read(), from no other call.
 */
#ifndef SLUICE_CACHE_REDIS_SOCK_H
#define SLUICE_CACHE_REDIS_SOCK_H

#include <hiredis/hiredis.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "cache/cache.h"
#include "cache/redis_tls.h"
#include "cache/redis_url.h"

#define REDIS_REPLY_MAX    (CACHE_VALUE_MAX + (64u << 10))
#define REDIS_ELEMENTS_MAX 128 /* a list of CACHE_LINES_MAX */

struct redis_sock {
    /* In */
    void (*on_connected)(struct redis_sock *s);
    void (*on_reply)(struct redis_sock *s, const redisReply *reply); /* valid until it returns */
    void (*on_lost)(struct redis_sock *s, const char *why);          /* it is closed already */
    struct redis_tls *tls;                                           /* or NULL: in plain */
    void *data;
    /* Private */
    redisContext *c; /* NULL: closed */
    uv_loop_t *loop;
    uv_poll_t *poll;
    int events;
    bool connected, unsent;
    unsigned round; /* of opening; tells a sock that was opened anew inside a callback */
};

/* Starts to connect to a numeric address, or to the path when host is "". ERR_UNAVAILABLE. */
int redis_sock_open(struct redis_sock *s, uv_loop_t *loop, const struct redis_url *url,
                    const char *address, struct errbuf *e);
/* What open does to each context: replies stay flat and short. */
void redis_sock_bound_replies(redisContext *c);
void redis_sock_close(struct redis_sock *s); /* at once; twice is fine */

/* Adds a command to what goes out with the next redis_sock_flush(). Returns its bytes. */
size_t redis_sock_add(struct redis_sock *s, int argc, const struct str *argv);
void redis_sock_flush(struct redis_sock *s);
/* Reads what is there now, without waiting for the loop to say so. */
void redis_sock_read(struct redis_sock *s);

#endif
