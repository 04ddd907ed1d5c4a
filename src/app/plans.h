/* Plans: parsed workflows kept by (workspace, id, version), so that starting a session costs no
 * parse.
 *
 * Bounded (PLANS_MAX, oldest use goes first); a plan that sessions run stays alive by its
 * reference. The newest version of an id is remembered too, and set by whoever puts one. Loop
 * thread only.
 */
#ifndef SLUICE_APP_PLANS_H
#define SLUICE_APP_PLANS_H

#include "base/list.h"
#include "engine/workflow.h"

#define PLANS_MAX     1024
#define PLANS_BUCKETS 1024

/* Where others may put versions too: what was the newest is believed for so long. They tell at
 * once; this is for what they say and nobody hears. One that is used is asked after in the second
 * half of that time, once: else all who begin sessions would ask at the same moment, and wait. */
#define PLANS_NEWEST_MS 1000

struct plans {
    int64_t newest_ms;    /* as above; 0: for ever, nobody else puts any */
    int64_t (*now)(void); /* monotonic ms; tests have their own */
    struct list buckets[PLANS_BUCKETS];
    struct list by_use; /* the longest unused first */
    unsigned count;
};

void plans_init(struct plans *p);
void plans_deinit(struct plans *p);
/* version 0: the newest that is known here. NULL when it is not here. No new reference. */
struct workflow *plans_get(struct plans *p, struct str workspace, struct str id, int64_t version);
/* Keeps w (takes a reference) under its id and version; `is_newest`: what version 0 finds. */
void plans_put(struct plans *p, struct str workspace, struct workflow *w, bool is_newest);
/* Above 0: whoever uses the newest version should ask which one it is now, and tell
 * plans_answered(), with this number; nobody else is told so for half of newest_ms. 0: no need. */
int64_t plans_ask(struct plans *p, struct str workspace, struct str id);
/* The newest version at that moment or later: what is kept goes on being believed, or not. */
void plans_answered(struct plans *p, struct str workspace, struct str id, int64_t version,
                    int64_t asked);
/* Another instance has put a version: what the newest is has to be asked. */
void plans_doubt(struct plans *p, struct str workspace, struct str id);
/* Forgets every version of the id (it was deleted). */
void plans_forget(struct plans *p, struct str workspace, struct str id);

#endif
