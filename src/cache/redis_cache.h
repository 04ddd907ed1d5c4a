/* The cache in Redis: what redis_cache.c (connections) and redis_ops.c (requests, messages) share.
 *
 *            ┌──────────── retry_ms ────────────┐
 *            v                                  │
 *     RESOLVING ──> CONNECTING ──> UP ──────> AWAY
 *            └──────────┴── failed, 2 s ────────^
 *
 * Two connections, one for commands (pipelined, answered in order) and one for messages. They share
 * their fate: when one of them is lost, or an answer is later than its deadline, both are closed
 * and made anew after a pause. UP means that both are there, and all channels are subscribed to.
 */
#ifndef SLUICE_CACHE_REDIS_CACHE_H
#define SLUICE_CACHE_REDIS_CACHE_H

#include <uv.h>

#include "cache/cache_private.h"
#include "cache/redis_sock.h"
#include "cache/strmap.h"

#define REDIS_RETRY_MS_FIRST 50
#define REDIS_RETRY_MS_MAX   2000
#define REDIS_CONNECT_MS     2000
#define REDIS_BEAT_MS        2000 /* a ping on both connections, so that a silent death is seen */
#define REDIS_STEADY_MS      2000 /* up so long: the next loss begins with the first pause again */

enum redis_state { REDIS_AWAY, REDIS_RESOLVING, REDIS_CONNECTING, REDIS_UP, REDIS_CLOSED };

struct redis_cmd { /* sent, its answer not there yet */
    struct list link;
    struct cache_req *req; /* or NULL: nobody waits for the answer */
    uint64_t deadline;     /* monotonic ms */
    size_t bytes;
};

struct redis_channel {
    struct str name; /* without the prefix; the bytes lie behind the struct */
    unsigned count;
    bool heard;
};

struct redis_cache {
    struct cache c;
    uv_loop_t *loop;
    struct redis_url url;
    char prefix[24]; /* of channels: Redis' databases share them */
    enum redis_state state;
    struct redis_sock cmd, sub;
    struct redis_tls *tls;
    struct list sent; /* struct redis_cmd, in the order of their answers and deadlines */
    size_t sent_count, sent_bytes;
    unsigned greetings; /* answers that the command connection still owes before it is ready */
    bool sub_ready;
    unsigned pings; /* on the message connection, not answered yet */
    struct strmap channels;
    struct cache_later later;
    uv_timer_t retry; /* AWAY: when to try again; RESOLVING, CONNECTING: when to give up */
    uv_timer_t tick;  /* the oldest deadline */
    uv_timer_t beat;
    uv_prepare_t flush; /* what was added in a turn goes out in one write */
    uv_getaddrinfo_t resolve;
    bool resolving;
    unsigned attempt; /* takes the next of several addresses */
    uint64_t retry_ms, up_since;
    bool was_up, said_away, said_refused, said_error;
    struct cache_stats st;
    unsigned handles; /* open */
    void (*closed)(void *data);
    void *closed_data;
};

static inline struct redis_cache *redis_of(struct cache *c)
{
    return container_of(c, struct redis_cache, c);
}
uint64_t redis_now(void); /* monotonic ms */

/* redis_cache.c */
void redis_lose(struct redis_cache *r, const char *why);
/* "-NOAUTH …" and its like: the password is wrong, or one is wanted. */
bool redis_is_refusal(struct str error);

/* redis_ops.c */
void redis_submit(struct cache *c, struct cache_req *req);
int redis_publish(struct cache *c, struct str channel, struct str payload);
void redis_listen(struct cache *c, struct str channel);
void redis_unlisten(struct cache *c, struct str channel);
void redis_subscribe_all(struct redis_cache *r);
void redis_ping(struct redis_cache *r); /* on both connections */
void redis_cmd_reply(struct redis_sock *s, const redisReply *reply);
void redis_sub_reply(struct redis_sock *s, const redisReply *reply);
/* Every command that was sent fails: those past their deadline as ERR_TIMEOUT. */
void redis_fail_sent(struct redis_cache *r, int status, const char *why);
/* redis_cache.c, when the greeting of a connection is over */
void redis_maybe_up(struct redis_cache *r);

#endif
