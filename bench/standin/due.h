/* What falls due, to the microsecond: libuv's timers are of whole milliseconds, so what hangs on
 * them comes in bursts, which a model's words do not.
 *
 * One loop, one thread, one set of them in a program.
 */
#ifndef BENCH_DUE_H
#define BENCH_DUE_H

#include <stddef.h>
#include <uv.h>

/* Part of what is due; zeroed, it is not waiting. */
struct due {
    double at_us; /* by due_now_us() */
    size_t place; /* in the heap, from 1; 0: it does not wait */
};

double due_now_us(void);
/* Ends the program when there is no timer. `fired`: it no longer waits, and may be freed. */
void due_init(uv_loop_t *loop, void (*fired)(struct due *d));
/* Waits, or waits anew, until then. */
void due_at(struct due *d, double at_us);
void due_cancel(struct due *d);

#endif
