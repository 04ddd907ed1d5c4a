/* A paused session while its calls run on, without its state in memory.
 *
 *     session, paused ──session_park──> parked ──(loaded again)──session_unpark──> session, paused
 *                                         │
 *                                         └ parked_step: what comes in becomes withheld rows
 *
 * All that a paused session is stands in the store: its row, its runs, what was shown of messages
 * under way, what has been withheld. So nothing of it is kept but what is needed to write down
 * what comes in for its calls; whoever has a command for it loads it first. For the readers of its
 * log, and after a crash, there is no difference.
 */
#ifndef SLUICE_ENGINE_PARKED_H
#define SLUICE_ENGINE_PARKED_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

struct parked;

/* NULL: it is not paused, nothing of it runs (then it may leave memory altogether), something of it
 * is not stored yet, or a call runs of a kind that looks at its session. Else the session may be
 * destroyed, once its last delta is committed. */
struct parked *session_park(const struct session *s);
/* The session was restored from the store, all deltas of `p` are committed, and no step has been
 * made: its calls are those of before, nothing is begun again, and what of p was not taken is
 * withheld by the session. p is empty then. */
void session_unpark(struct session *s, struct parked *p);
void parked_destroy(struct parked *p); /* NULL: nothing */

/* A result of one of its calls, as engine_step() gets it; others are ignored. */
void parked_step(struct parked *p, const struct engine_input *in);
bool parked_has_output(const struct parked *p);
/* As engine_take_delta(). */
bool parked_take_delta(struct parked *p, int64_t now_ms, struct delta *d, struct effect **effects);

#endif
