/* The hand-over at a graceful shutdown: sessions move to the other instances.
 *
 *     begin ─> marked as leaving ─> each session that is quiet: out of memory, released
 *                                   each with running work: when that ends, or at the deadline
 *           ─> nothing live ─> own row removed (frees those out of memory) ─> done
 *
 * Released sessions are told about at once ("nudge"), so the others take them up while this one
 * still drains. Work that would begin meanwhile is left to the next owner: its effect is durable.
 */
#ifndef SLUICE_APP_HANDOVER_H
#define SLUICE_APP_HANDOVER_H

#include <uv.h>

#include "base/id.h"

struct app;
struct live;

#define HANDOVER_BATCH 1000 /* sessions released in one write */

struct handover {
    struct app *app;
    bool active;    /* sessions are given away as soon as they can be */
    bool removing;  /* own row is being removed; then it is over */
    struct id *ids; /* given up here, not yet released in the store */
    size_t count, cap;
    unsigned releasing; /* writes under way */
    uv_timer_t deadline;
    uv_idle_t flush; /* one write for all that were given up in a turn */
    void (*over)(void *data);
    void *over_data;
};

void handover_open(struct handover *h, struct app *a);
/* app.stopping is set. Calls back when nothing of this instance is left; maybe at once. */
void handover_begin(struct handover *h, int64_t drain_ms, void (*over)(void *data), void *data);
/* For the journal: gives the session away if it is quiet. It may be gone afterwards. */
void handover_try(struct live *l);
/* Looks whether nothing is left. */
void handover_check(struct handover *h);
/* A session out of memory that somebody wants: true when it is being given away. */
bool handover_gives_up(struct app *a, struct id session_id);
void handover_close(struct handover *h);
void handover_deinit(struct handover *h);

#endif
