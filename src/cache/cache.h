/* The cache: what instances share and may lose. Everything in it can be rebuilt from the store, so
 * every call may fail or be forgotten, and nothing durable waits for it.
 *
 *     cache_mem_*     one process: a table in memory; messages come back to itself
 *     cache_redis_*   Redis: values, leases, tickets, counters, messages
 *     cache_pg_*      several instances without Redis: messages by LISTEN/NOTIFY of PostgreSQL; the
 *                     rest in memory of each
 *
 * All calls are asynchronous, on the loop's thread. A request is owned by the caller and its `done`
 * is called exactly once, later, never from inside the call. Every request has a deadline of
 * CACHE_TIMEOUT_MS of the cache's own: a server that hangs costs that much and no more; while it is
 * known to be away requests fail at once (ERR_UNAVAILABLE).
 */
#ifndef SLUICE_CACHE_CACHE_H
#define SLUICE_CACHE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"

struct uv_loop_s;
struct cache;

#define CACHE_TIMEOUT_MS      500
#define CACHE_KEY_MAX         200          /* bytes; the prefix "sluice:" is added by the cache */
#define CACHE_VALUE_MAX       (4u << 20)   /* bytes; more: ERR_TOO_LARGE */
#define CACHE_LINES_MAX       100          /* of one list */
#define CACHE_REQUESTS_MAX    100000       /* waiting at once; more: ERR_OVERLOAD */
#define CACHE_QUEUE_BYTES_MAX (16u << 20)  /* of those, and of messages on their way */
#define CACHE_MESSAGE_MAX     (256u << 10) /* bytes; over PostgreSQL: */
#define CACHE_NOTIFY_BYTES    7900

enum cache_op {
    CACHE_GET,   /* ERR_NOT_FOUND */
    CACHE_SET,   /* value, ttl_ms */
    CACHE_DEL,   /* no error when it was not there */
    CACHE_TAKE,  /* gets and deletes in one: a one-time ticket is taken once. ERR_NOT_FOUND */
    CACHE_COUNT, /* adds 1 to the counter; it ends ttl_ms after its first count; Out: count */
    CACHE_LEASE, /* value's holder gets or keeps the lease for ttl_ms; ERR_CONFLICT: another has it
                  */
    CACHE_UNLEASE, /* gives it back if value has it */
    CACHE_PUSH,    /* value's lines become the newest of the list, which keeps its newest `keep` and
                      ends ttl_ms after the last push */
    CACHE_LIST,    /* Out: got, the list's lines, the oldest first. ERR_NOT_FOUND */
};

struct cache_req {
    enum cache_op op;
    /* In; copied by cache_submit() */
    struct str key, value;
    int64_t ttl_ms;
    int64_t keep; /* CACHE_PUSH: lines, 1 to CACHE_LINES_MAX */
    /* Out */
    int status;
    struct errbuf error;
    struct buf got; /* CACHE_GET, CACHE_TAKE: the value; CACHE_LIST: each line with its '\n';
                       CACHE_LEASE: the holder on a conflict */
    int64_t count;
    bool existed; /* CACHE_LEASE: it was held by this holder already, not taken anew */
    void (*done)(struct cache_req *req);
    void *data;
    /* Private */
    struct list link;
    uint64_t deadline;
};
void cache_req_init(struct cache_req *req, enum cache_op op, void (*done)(struct cache_req *),
                    void *data);
void cache_req_deinit(struct cache_req *req); /* in or after done */

/* Messages: at most once, in order per channel and sender, to all that listen, the sender too. */
struct cache_listener {
    void (*message)(struct cache_listener *l, struct str channel, struct str payload);
    /* The connection was lost and is back: what was said meanwhile was not heard. */
    void (*missed)(struct cache_listener *l);
    /* From now on the channel is heard: some time after cache_listen(), never inside. Or NULL. Not
     * called again after a reconnect. */
    void (*listening)(struct cache_listener *l, struct str channel);
    void *data;
    struct list link; /* private */
};

struct cache_stats {
    uint64_t requests, failures, timeouts, messages_in, messages_out, reconnects;
    bool up;
};

struct cache_vtable {
    const char *name;   /* "memory", "redis", "postgres" */
    bool shared;        /* other instances hear its messages (Redis, PostgreSQL) */
    bool values_shared; /* and see its values, leases, counters (Redis) */
    size_t message_max; /* bytes of a message; longer ones are refused */
    void (*submit)(struct cache *c, struct cache_req *req);
    /* Names up to CACHE_KEY_MAX, text. Counted: as many unlistens as listens. Messages are text
     * (UTF-8 without NUL), for PostgreSQL carries nothing else. */
    void (*listen)(struct cache *c, struct str channel);
    void (*unlisten)(struct cache *c, struct str channel);
    /* Fire and forget. ERR_TOO_LARGE, ERR_UNAVAILABLE (away), ERR_OVERLOAD: it was not sent. */
    int (*publish)(struct cache *c, struct str channel, struct str payload);
    void (*stats)(struct cache *c, struct cache_stats *out);
    /* NULL: nothing to leave out. On: nobody waits for a message soon, so nothing is asked only to
     * see whether messages still come; a connection that breaks is noticed by the system. */
    void (*rest)(struct cache *c, bool on);
    /* What still waits is answered ERR_CANCELLED, then `closed` is called and the cache is gone. */
    void (*close)(struct cache *c, void (*closed)(void *data), void *data);
};
struct cache {
    const struct cache_vtable *v; /* implementations embed this first */
    struct list listeners;        /* struct cache_listener */
};

/* Listeners hear all channels that anybody listens to; they may be removed inside their calls. */
void cache_add_listener(struct cache *c, struct cache_listener *l);
void cache_remove_listener(struct cache_listener *l);
static inline void cache_submit(struct cache *c, struct cache_req *req)
{
    c->v->submit(c, req);
}
static inline void cache_listen(struct cache *c, struct str channel)
{
    c->v->listen(c, channel);
}
static inline void cache_unlisten(struct cache *c, struct str channel)
{
    c->v->unlisten(c, channel);
}
static inline int cache_publish(struct cache *c, struct str channel, struct str payload)
{
    return c->v->publish(c, channel, payload);
}
static inline void cache_rest(struct cache *c, bool on)
{
    if (c->v->rest)
        c->v->rest(c, on);
}
static inline void cache_stats(struct cache *c, struct cache_stats *out)
{
    c->v->stats(c, out);
}
static inline void cache_close(struct cache *c, void (*closed)(void *data), void *data)
{
    c->v->close(c, closed, data);
}

int cache_mem_open(struct cache **out, struct uv_loop_s *loop);
/* url: redis://[user:password@]host[:port][/db], rediss:// where hiredis was built with TLS, or
 * unix:///path. Not reachable at start is no error: it connects in the background, and says once in
 * the log when it is away and when it is back. ERR_INVALID: the URL. */
int cache_redis_open(struct cache **out, struct uv_loop_s *loop, const char *url, struct errbuf *e);
/* url as for pg_store_open(). */
int cache_pg_open(struct cache **out, struct uv_loop_s *loop, const char *url, struct errbuf *e);

#endif
