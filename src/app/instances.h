/* This instance among the others: its row and lease, and who else is alive.
 *
 *     start ─> row written ─> list read ─> recovery             (docs/decisions/0007)
 *       every second: lease renewed, the others' leases looked at
 *       a lease that is over ─> row removed, on condition ─> its sessions are free: recovery scans
 *       own row gone ─> all sessions dropped unwritten ─> registered again under a new id
 *
 * Where the lease is:
 *
 *     store shared, values of the cache shared    in the cache, key lease:<id>; in the row every
 *                                                 INSTANCE_ROW_MS, and whenever the cache fails
 *     store shared                                in the row
 *     store not shared                            nowhere: one instance, no timer, no query
 *
 * Who is alone has nobody to tell that it lives. So where messages go through the database, are
 * heard, and nobody else has been there for INSTANCE_ROW_MS, an instance *rests*: its row is marked
 * (lease_until before seen_at), and nothing is asked any more.
 *
 *     alone ─> row marked ─> rests ── another one's "i…" or "s…", messages away or back ─> awake:
 *                                     lease renewed at once, all that was left out is looked at
 *
 * Who comes says so ("i…") and gives one that rests a lease's time to answer before it holds it for
 * dead. If the message is lost nevertheless, it is a lease that was judged wrongly: see below.
 *
 * Messages: channel "workflow" to all ("<instance> <workspace> <id>": there is another version),
 * channel "keys" to all ("<instance>": API keys have changed), channel "nudge" to all ("i…"
 * instances have changed, "s…" sessions are free), channel "n:<instance>" to one ("c<session>" a
 * command waits, "a<command>" a command was answered). Any may be lost: everything is looked at
 * again by the clock.
 *
 * Being wrong about a lease costs a repeated model call, never an event: writes are fenced by the
 * sessions' epochs in the store.
 */
#ifndef SLUICE_APP_INSTANCES_H
#define SLUICE_APP_INSTANCES_H

#include <uv.h>

#include "base/list.h"
#include "cache/cache.h"
#include "store/store.h"

struct app;

#define INSTANCE_TICK_MS  1000
#define INSTANCE_LEASE_MS 3000
#define INSTANCE_ROW_MS   10000 /* rows are written and read this often where leases are cached */
#define INSTANCE_SILENT_MS                                                                         \
    15000 /* no row for so long: dead, even when the cache cannot be asked                         \
           */
#define INSTANCE_NAME_MAX 128

struct instances {
    struct app *app;
    struct id self;    /* zero: not registered; sessions are used without a claim */
    bool shared;       /* others may be there */
    bool joining;      /* the row of `self` is not written yet */
    bool lease_taken;  /* in the cache, once */
    bool heard_self;   /* a message of our own has come back: those of others will, too */
    bool resting;      /* see above */
    bool cache_failed; /* the last renewal there: rows count until it is back */
    bool leaving;
    bool was_left; /* our row is removed, on purpose */
    char name[INSTANCE_NAME_MAX], address[INSTANCE_NAME_MAX];
    char channel[ID_TEXT_BYTES + 8];
    int64_t started_at;
    int64_t tick_ms, lease_ms, row_ms, silent_ms; /* as above; tests have less patience */
    int64_t ticked_at, row_at, list_at, swept_at; /* monotonic ms: last tick, renewal, list… */
    int64_t judges_at;  /* before that nobody is held for dead: this instance was stopped itself */
    int64_t company_at; /* when others were there last, or it was awake for another reason */
    uv_timer_t tick, look_again;
    struct store_instance_put put;
    struct store_instance_list list;
    struct cache_req lease;
    bool putting, put_again, listing, list_again, leasing;
    struct list peers; /* struct peer */
    unsigned peer_count;
    struct cache_listener listener;
    bool listening;
    void (*ready)(struct app *a); /* once, when this instance is known to the others */
    void (*left)(void *data);
    void *left_data;
    unsigned long long deaths;
};

void instances_open(struct instances *in, struct app *a);
/* Registers; app.store and app.cache are open. address: "http://host:port". Tries until it
 * succeeds. */
void instances_start(struct instances *in, const char *address, void (*ready)(struct app *a));
/* From now on this instance gives sessions away: written into its row, the others are nudged. */
void instances_leave(struct instances *in);
/* Removes the row, which frees what it still has, and tells the others. */
void instances_remove_self(struct instances *in, void (*left)(void *data), void *data);
void instances_close(struct instances *in);
void instances_deinit(struct instances *in); /* the loop has ended */

/* Is there another one that is alive and stays? */
bool instances_has_company(const struct instances *in);
unsigned instances_count(const struct instances *in);
/* It is alone, and would hear who comes: what others may have changed need not be looked for. */
bool instances_is_resting(const struct instances *in);
bool instances_is_joining(const struct instances *in);
/* To one instance: kind and id as above. Not sent, or lost: no matter. */
void instances_nudge(struct instances *in, struct id instance, char kind, struct id id);
/* To all: 'i' or 's'. */
void instances_nudge_all(struct instances *in, char kind);
/* A version of this workflow was put, or it was deleted: others ask for its newest one. */
void instances_tell_workflow(struct instances *in, struct str workspace, struct str id);
/* API keys were made or revoked: others read them again. */
void instances_tell_keys(struct instances *in);
/* What is known of its lease besides its row: 1 held, 0 not, -1 unknown. */
int instances_lease_seen(const struct instances *in, struct id id);

#endif
