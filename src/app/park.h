/* Parked sessions: paused, and calls of them (models, scripts, plugins) run on.
 *
 *     live ── paused for APP_PARK_MS, all of it durable ──> parked ── its last call has ended ──>
 * gone ^                                                     │ └── live_want: what it has written
 * is durable; load ──┘
 *
 * A parked session's struct live stands in app->parked instead of app->live. Its state machine is
 * in the store only; what comes in for its calls is written down as withheld rows, as before
 * (engine/parked.h). While it is loaded again nothing is written: what comes in then is handed to
 * the session.
 */
#ifndef SLUICE_APP_PARK_H
#define SLUICE_APP_PARK_H

#include <stdint.h>

#include "app/live.h"
#include "engine/parked.h"

struct live *park_find(struct app *a, struct id session_id); /* NULL: none is parked */
/* It was found paused, all of it committed: parks it now or starts the clock. */
void park_consider(struct live *l);
/* A commit of a parked one is through. */
void park_settle(struct live *l);
/* The store was read for it, with that result: another's, ended or gone, it is let go. */
void park_looked_at(struct app *a, struct id session_id, int status, uint64_t epoch);
/* Parks what was paused for long enough at `now`. */
void park_due(struct app *a, int64_t now);

#endif
