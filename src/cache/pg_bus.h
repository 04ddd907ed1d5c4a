/* Messages over PostgreSQL, for instances that share a database and have no Redis.
 *
 *     AWAY ── retry ──> CONNECTING ──> LISTENING ──> IDLE <──> BUSY
 *      ^                    └── failed, 10 s ─┴────────┴───────┘
 *
 * One connection of its own, that listens and notifies. One query is under way at a time: the
 * LISTENs and UNLISTENs that are due, or else up to PG_BUS_BATCH messages in one transaction; what
 * comes meanwhile waits, bounded. Values, leases and counters lie in the memory of each instance.
 *
 * A server that hangs is found by a query when there was none for PG_BUS_BEAT_MS; not while it
 * rests (cache_rest): then TCP's keep-alive finds the dead.
 *
 * PostgreSQL folds messages of one transaction that are the same on the same channel into one. It
 * must be the server itself or a pooler in session mode: a transaction pooler loses LISTEN.
 */
#ifndef SLUICE_CACHE_PG_BUS_H
#define SLUICE_CACHE_PG_BUS_H

#include <libpq-fe.h>

#include "cache/cache_private.h"
#include "cache/strmap.h"

#define PG_BUS_BATCH       64
#define PG_BUS_QUEUE_MAX   10000 /* messages that wait; more: ERR_OVERLOAD */
#define PG_BUS_RETRY_FIRST 50    /* ms */
#define PG_BUS_RETRY_MAX   2000
#define PG_BUS_CONNECT_MS  10000
#define PG_BUS_QUERY_MS    5000 /* a database may be slow; longer is away */
#define PG_BUS_BEAT_MS     5000 /* a query when there was none for so long */
#define PG_BUS_NAME_MAX    63   /* of a channel at PostgreSQL; longer ones go by their hash */

enum pg_bus_state {
    PG_BUS_AWAY,
    PG_BUS_CONNECTING,
    PG_BUS_LISTENING,
    PG_BUS_IDLE,
    PG_BUS_BUSY,
    PG_BUS_CLOSED
};

struct pg_channel {
    struct str name; /* the bytes lie behind the struct */
    char wire[PG_BUS_NAME_MAX + 1];
    unsigned count;
    bool heard;
    struct list link; /* in bus->changed or bus->asked, or in neither */
};

struct pg_message {
    struct list link;
    char wire[PG_BUS_NAME_MAX + 1];
    char payload[]; /* 0-terminated */
};

struct pg_bus {
    struct cache c;
    struct cache *values;
    uv_loop_t *loop;
    char *url;
    enum pg_bus_state state;
    PGconn *conn;
    uv_poll_t *poll;
    int events;
    struct strmap channels; /* struct pg_channel by wire name */
    struct list changed;    /* to be listened to, or not any more, with the next query */
    struct list asked;      /* that is in the query under way */
    struct list out;        /* struct pg_message */
    size_t out_count;
    struct cache_later later; /* for its turn alone: starting the next query */
    uv_timer_t retry; /* AWAY: try again; CONNECTING, LISTENING, BUSY: give up; IDLE: beat */
    uint64_t retry_ms, up_since;
    bool was_up, said_away, said_failed;
    bool rests; /* no beat */
    struct cache_stats st;
    unsigned handles;
    void (*closed)(void *data);
    void *closed_data;
};

static inline struct pg_bus *pg_bus_of(struct cache *c)
{
    return container_of(c, struct pg_bus, c);
}

/* pg_bus.c */
void pg_bus_lose(struct pg_bus *b, const char *why);
void pg_bus_watch(struct pg_bus *b, int events);
void pg_bus_set_deadline(struct pg_bus *b); /* of the state: when to give up, or to beat */
void pg_bus_up(struct pg_bus *b);           /* the first query is through */
/* pg_bus_talk.c: queries and what comes back */
void pg_bus_listen_all(struct pg_bus *b); /* the first query of a connection */
void pg_bus_next(struct pg_bus *b);       /* IDLE: starts a query if one is due */
void pg_bus_beat(struct pg_bus *b);
void pg_bus_take(struct pg_bus *b); /* what libpq has read */
void pg_bus_listen(struct cache *c, struct str channel);
void pg_bus_unlisten(struct cache *c, struct str channel);
int pg_bus_publish(struct cache *c, struct str channel, struct str payload);
void pg_bus_drop_messages(struct pg_bus *b);

#endif
