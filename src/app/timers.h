/* Timers of live sessions: a heap over one uv timer. They are durable in the store; this is only
 * who to wake when. Sessions that are not in memory are found by a scan of the store (recovery.h).
 */
#ifndef SLUICE_APP_TIMERS_H
#define SLUICE_APP_TIMERS_H

#include <uv.h>

#include "base/id.h"

struct timer_entry {
    int64_t due_at;
    struct id session_id, timer_id;
};

struct timers {
    uv_timer_t uv;
    struct timer_entry *heap; /* the earliest at 0 */
    size_t count, cap;
    void (*fired)(struct timers *t, struct id session_id, struct id timer_id);
    void *data;
};

int timers_open(struct timers *t, uv_loop_t *loop,
                void (*fired)(struct timers *t, struct id session_id, struct id timer_id),
                void *data);
/* Closes the uv handle; the loop calls nothing of ours afterwards. */
void timers_close(struct timers *t);
void timers_set(struct timers *t, struct id session_id, struct id timer_id, int64_t due_at);
/* Linear in the timers held; a cleared timer that fired already is no error. */
void timers_clear(struct timers *t, struct id timer_id);
/* Drops all timers of a session (it left memory); returns the earliest due_at dropped, or 0. */
int64_t timers_drop_session(struct timers *t, struct id session_id);

#endif
