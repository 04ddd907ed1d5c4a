/* What models send gathers in its sockets while sessions crowd.
 *
 *   watched   each socket wakes the loop
 *      │ a commit has chunks of two sessions or more
 *      v
 *   aside     read in one go by the next commit, which a tick begins
 *      │ fewer than two sessions spoke, or there is more than a turn may read
 *      v
 *   watched
 *
 * A token that waits in its socket costs nothing. One that wakes the loop costs a switch of the
 * thread, and waits for the same commit in memory. A model quicker than the loop is watched: there
 * is something to read always, and the store's thread is not to wait for it.
 *
 * Ticks come from a timerfd, for libuv's timers are of whole milliseconds.
 */
#ifndef SLUICE_APP_GATHER_H
#define SLUICE_APP_GATHER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct app;

struct gather {
    bool is_on; /* sockets are set aside */
    /* Private */
    struct app *app;
    uv_poll_t tick;
    int timer_fd; /* -1: no descriptor was left, and nothing gathers */
};

void gather_open(struct gather *g, struct app *a);
void gather_close(struct gather *g);
/* Whether somebody wakes the loop for what gathers. */
bool gather_ticks(const struct gather *g);
/* Nothing is set aside while models are quicker than the loop. */
void gather_begin(struct gather *g);
void gather_end(struct gather *g);
/* The loop is awake after that time, once; a second at most. */
void gather_tick(struct gather *g, uint64_t ns);
/* Reads what waits in the sockets. */
void gather_read(struct gather *g);

#endif
