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
 *
 * How long chunks gather is what a commit leaves of GATHER_DELAY_US: a token waits for half a
 * period, as a median, and then for its commit.
 */
#ifndef SLUICE_APP_GATHER_H
#define SLUICE_APP_GATHER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* That a token waits, as a median: within the millisecond that a reader may notice. */
#define GATHER_DELAY_US 975
/* Between the beginnings of two commits. A commit costs as much CPU as ten tokens; where it is slow
 * it makes the batch by itself, and beyond the longest period little is left to win. */
#define GATHER_LEAST_US 750
#define GATHER_MOST_US  1500

struct app;

struct gather {
    bool is_on;                 /* sockets are set aside */
    uint64_t least_ns, most_ns; /* bounds of the period */
    /* Private */
    struct app *app;
    uint64_t commit_ns; /* a mean of the last commits of a crowd; 0: there was none */
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
/* A commit of a crowd took that long, from the read of its chunks until they were sent. */
void gather_committed(struct gather *g, uint64_t ns);
/* Between the beginnings of two commits of nothing but chunks, as of now. */
uint64_t gather_period_ns(const struct gather *g);
/* The loop is awake after that time, once; a second at most. */
void gather_tick(struct gather *g, uint64_t ns);
/* Reads what waits in the sockets. */
void gather_read(struct gather *g);
/* What was read has been committed and told: now its sockets may be emptied of it. */
void gather_told(struct gather *g);

#endif
