/* A session in memory: the engine's state machine with what the shell keeps around it.
 *
 *     (not in memory) ── live_want: load, restore ──> live ── ended and committed ──> gone
 *                                                      │└─── idle for a while ──────> gone
 *                              paused, its calls run on│ ^
 *                                                      v │ live_want       the last has ended
 *                                                    parked ────────────────────────> gone
 *
 * One that is parked (park.h) keeps its calls and its gate, and nothing else; for live_find() it is
 * not in memory.
 *
 * A live session is marked when a step may have produced something; the journal takes the marked
 * ones at the end of the loop turn.
 */
#ifndef SLUICE_APP_LIVE_H
#define SLUICE_APP_LIVE_H

#include "base/list.h"
#include "engine/engine.h"
#include "engine/gate.h"
#include "net/service.h"

struct app;

struct live {
    struct app *app;
    struct id id;
    struct session *session; /* NULL while it is parked */
    struct parked *parked;   /* else NULL */
    bool waking;             /* parked, and it is being loaded */
    bool is_urgent;          /* marked, and for more than a chunk */
    bool is_ahead;           /* of the store: its runs are held back until the next take */
    struct gate *gate;
    uint64_t epoch;
    struct list marked;   /* in journal.urgent or .marked while it may have something */
    struct list replies;  /* struct reply: answers that wait for the next commit */
    struct list runs;     /* struct run (runner.h) */
    unsigned uncommitted; /* entries of the journal under way */
    bool lost;            /* another instance may have it: nothing of it is written any more */
    int64_t touched_at;   /* last step; for eviction */
    int64_t paused_at;    /* seen to be paused, since when; 0: it is not; for parking */
};

/* An answer that is given when the steps before it are durable. */
struct reply {
    struct list link;
    struct svc_req *req;
    const struct idempotency_row *idempotency; /* strings in req's arena */
};

struct store_session_load;
/* The workflow of a stored session, at its version; a reference. ERR_CORRUPT. */
int live_parse_workflow(struct app *a, const struct store_session_load *load, struct workflow **out,
                        struct errbuf *e);

struct live *live_find(struct app *a, struct id session_id);
/* A new session in memory, nothing stepped. */
struct live *live_create(struct app *a, struct workflow *w, struct id session_id,
                         const struct session_meta *meta, bool start_paused);
void live_destroy(struct live *l); /* no replies, no entries under way; runs are cancelled */
/* Steps the engine and marks the session. Errors of commands come back; nothing changed then. */
int live_step(struct live *l, struct engine_input *in, struct errbuf *e);
void live_add_reply(struct live *l, struct svc_req *req, const struct idempotency_row *row);

/* Brings a stored session into memory if it is not there, and claims it for this instance. `done`
 * is called once, maybe at once: l, or NULL with status ERR_NOT_FOUND (none, or stored only),
 * ERR_CONFLICT (it has ended; e names the state), ERR_STALE (another instance has it), or what the
 * store said. */
struct live_want {
    void (*done)(struct live_want *w, struct live *l, int status, struct errbuf *e);
    void *data;
    struct id owner; /* Out: with ERR_STALE */
    uint64_t epoch;  /* Out: of the session, also when it has ended */
    struct list link;
};
void live_want(struct app *a, struct id session_id, struct live_want *w);

/* It leaves memory and nothing more of it is written, for another instance has it or is free to
 * take it. What waited for a commit of it is begun anew, elsewhere if need be; a commit under way
 * is waited for first. */
void live_lose(struct live *l);
void live_lose_all(struct app *a);
/* All that its steps made is in the store. */
bool live_is_durable(const struct live *l);
/* Nothing of it runs, waits for a commit or for an answer: it may be let go. */
bool live_is_quiet(const struct live *l);

/* Drops sessions that only wait and were not touched for APP_IDLE_EVICT_MS before `now`. What wakes
 * them is durable: an answer finds them by live_want(), a timer by recovery. */
void live_evict_idle(struct app *a, int64_t now);
/* The parked one is restored: its calls go on with it. */
void live_wake(struct live *l, struct session *s);
/* All that its steps made since the last take; false: nothing. */
bool live_take(struct live *l, int64_t now, struct delta *d, struct effect **effects);
/* Live and parked ones; free() it. */
struct live **live_all(struct app *a, size_t *count);
size_t live_count(const struct app *a);
/* What waits for a parked session is loaded now, when all that it has written is durable. */
void live_load_waiting(struct live *l);

/* Starts the clock of eviction when there is something to evict later. */
void live_arm_eviction(struct app *a);

#endif
