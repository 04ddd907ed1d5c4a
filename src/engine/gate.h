/* The gate: where a session's work stops when it is paused.
 *
 *     open <──> closed        gate_close / gate_open
 *       └────┬────┘
 *          broken             gate_break (cancel); final
 *
 * One per session: a mutex, a condition variable and the state. Worker threads (scripts, plugins)
 * block in gate_wait(); the loop never does: it asks gate_state() and withholds.
 * Reference counted, because a worker may outlive its session's place in memory.
 */
#ifndef SLUICE_ENGINE_GATE_H
#define SLUICE_ENGINE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum gate_state { GATE_OPEN, GATE_CLOSED, GATE_BROKEN };

struct gate;
struct gate *gate_create(void);        /* open, one reference */
struct gate *gate_ref(struct gate *g); /* any thread */
void gate_unref(struct gate *g);       /* any thread; the last one frees */

enum gate_state gate_state(const struct gate *g); /* atomic, any thread, 0.4 ns */
void gate_close(struct gate *g);
void gate_open(struct gate *g);  /* no effect on a broken gate */
void gate_break(struct gate *g); /* wakes every waiter */

/* Called by worker threads only. Returns true at once when open; blocks while closed; false when
 * broken. `parked` (may be NULL) is called before the first block and `unparked` after it, so that
 * a pool can start another worker meanwhile. */
bool gate_wait(struct gate *g, void (*parked)(void *), void (*unparked)(void *), void *data);
/* The same, but false as soon as *stop is true: for work that may have to end while its session is
 * paused. Whoever sets *stop calls gate_kick() after it, so that a blocked thread looks. */
bool gate_wait_or(struct gate *g, const atomic_bool *stop, void (*parked)(void *),
                  void (*unparked)(void *), void *data);
void gate_kick(struct gate *g);        /* any thread */
unsigned gate_waiters(struct gate *g); /* threads blocked now */

#endif
