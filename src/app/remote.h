/* Events of sessions that other instances have, served here.
 *
 *     owner     commit ──> is anybody interested? ──> channel s:<session>: "first last\nframes"
 *                                                       │
 *     here      reader comes ─> follow ─> listen ───────┤ continues what is known: fed to the log
 *                              (log.h)    base read     │ a gap, or numbers alone: read the store
 *                                                       │ nothing for REMOTE_SILENT_MS: the same
 *               reader goes, or it becomes live here ─> unfollow
 *
 * An announcement may be lost, doubled or late: it costs a read, never an event. What is fed
 * continues what the store has said or the announcement before, so that there is no gap and nothing
 * comes twice.
 *
 * Interest: who follows says so on channel "interest" ("<instance> <session> …"), at once and every
 * REMOTE_RENEW_MS; owners keep it for REMOTE_INTEREST_MS. So an instance that nobody watches from
 * elsewhere announces nothing, and costs a look into an empty table. "<instance> ?" asks all to say
 * it again, after a start and when the cache was away; until the answers are there everything is
 * announced.
 *
 * The watchers of all sessions ("sessions" channel of the contract): their interest is session
 * zero, and state changes come on channel "states": "<instance> <session>\nframe". What is said
 * while the cache is away is not heard there: it is the one stream without numbers.
 *
 * Where the cache or the store is not shared nothing of this is on, and while this instance is
 * alone nothing is looked at: nobody else could have written anything.
 */
#ifndef SLUICE_APP_REMOTE_H
#define SLUICE_APP_REMOTE_H

#include <uv.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/list.h"
#include "base/table.h"
#include "cache/cache.h"

struct app;

#define REMOTE_SILENT_MS    1000 /* then the store is looked at */
#define REMOTE_SILENT_MAX   4000 /* for a session that says nothing for long, with a cache */
#define REMOTE_RENEW_MS     10000
#define REMOTE_INTEREST_MS  30000
#define REMOTE_ASSUME_MS    2000   /* after a start: everybody is interested in everything */
#define REMOTE_INTEREST_MAX 100000 /* sessions; beyond, the oldest interest is forgotten */
#define REMOTE_READS_MAX    32     /* reads under way at once; others wait their turn */
#define REMOTE_NAMES_MAX    200    /* sessions in one message of interest */

struct remote {
    struct app *app;
    bool on;
    struct id self; /* whose messages are ours */
    struct cache_listener listener;
    int64_t silent_ms, renew_ms; /* as above; tests have less patience */
    /* Following */
    struct table feeds; /* struct feed, by session */
    struct list queued; /* struct feed: wants to read, has to wait */
    unsigned reads;
    bool watched; /* there are watchers here */
    uv_timer_t tick;
    int64_t renewed_at;
    /* Announcing */
    struct table interest;      /* struct interest, by session */
    struct list interest_order; /* the one that ends first in front */
    int64_t assume_until;
    unsigned long long announced, fed, feed_reads; /* messages, events, reads */
};

void remote_open(struct remote *r, struct app *a);
/* app.store and app.cache are open; before anybody reads the log. */
void remote_start(struct remote *r);
/* Others may be there again, after this instance was alone (instances_is_resting): all that is
 * followed is looked at. */
void remote_wake(struct remote *r);
void remote_close(struct remote *r); /* no cursors are left; the cache is still open */

/* remote_say.c */

/* These events are durable and sealed here. */
void remote_announce(struct remote *r, struct id session_id, int64_t seq_first, int64_t seq_last,
                     struct str frames);
bool remote_has_interest(struct remote *r, struct id session_id);
void remote_ask_interest(struct remote *r);
void remote_say_interest(struct remote *r, struct id session_id);
void remote_say_all_interests(struct remote *r);
void remote_interest_heard(struct remote *r, struct str payload);
void remote_interest_deinit(struct remote *r);
/* remote_states.c */
void remote_announce_states(struct remote *r, struct id session_id, int64_t seq_first,
                            struct str frames);
void remote_states_heard(struct remote *r, struct str payload);

int64_t remote_now(void); /* monotonic ms */
/* Cuts an id and the byte after it off the front; false when there is none. */
bool remote_cut_id(struct str *text, struct id *out);
/* Cuts a number; false when there is none. */
bool remote_cut_number(struct str *text, int64_t *out);

/* One followed session. */
struct feed {
    struct remote *remote;
    struct id id;
    char channel[ID_TEXT_BYTES + 8];
    bool gone;  /* not followed any more; freed when its read is done */
    bool based; /* the store was asked how far it is */
    bool ended; /* nothing will come */
    bool reading, again;
    int64_t silent_ms; /* the next look comes so long after the last news */
    int64_t known;     /* fed so far, or what the store said; 0 before */
    int64_t wanted;    /* announced */
    int64_t heard_at;
    struct list queued;
};

#endif
