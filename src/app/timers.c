#include "app/timers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define TIMERS_PER_TURN 256 /* fired in one go; the rest in the next turn */

static void timers_arm(struct timers *t);

static void timers_sift_up(struct timers *t, size_t i)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (t->heap[parent].due_at <= t->heap[i].due_at)
            break;
        struct timer_entry x = t->heap[parent];
        t->heap[parent] = t->heap[i];
        t->heap[i] = x;
        i = parent;
    }
}

static void timers_sift_down(struct timers *t, size_t i)
{
    for (;;) {
        size_t least = i, l = 2 * i + 1, r = l + 1;
        if (l < t->count && t->heap[l].due_at < t->heap[least].due_at)
            least = l;
        if (r < t->count && t->heap[r].due_at < t->heap[least].due_at)
            least = r;
        if (least == i)
            return;
        struct timer_entry x = t->heap[least];
        t->heap[least] = t->heap[i];
        t->heap[i] = x;
        i = least;
    }
}

static void timers_remove_at(struct timers *t, size_t i)
{
    t->heap[i] = t->heap[--t->count];
    if (i < t->count) {
        timers_sift_down(t, i);
        timers_sift_up(t, i);
    }
}

static void timers_due(uv_timer_t *uv)
{
    struct timers *t = uv->data;
    int64_t now = clock_wall_ms();
    for (int n = 0; n < TIMERS_PER_TURN && t->count > 0 && t->heap[0].due_at <= now; n++) {
        struct timer_entry e = t->heap[0];
        timers_remove_at(t, 0);
        t->fired(t, e.session_id, e.timer_id);
    }
    timers_arm(t);
}

static void timers_arm(struct timers *t)
{
    if (t->count == 0) {
        uv_timer_stop(&t->uv);
        return;
    }
    int64_t in = t->heap[0].due_at - clock_wall_ms();
    uv_update_time(t->uv.loop);
    /* Never 0: libuv would run it again in the same pass, and nothing else. */
    uv_timer_start(&t->uv, timers_due, in > 0 ? (uint64_t)in : 1, 0);
}

int timers_open(struct timers *t, uv_loop_t *loop,
                void (*fired)(struct timers *t, struct id session_id, struct id timer_id),
                void *data)
{
    memset(t, 0, sizeof(*t));
    t->fired = fired;
    t->data = data;
    int rc = uv_timer_init(loop, &t->uv);
    t->uv.data = t;
    return rc;
}

void timers_close(struct timers *t)
{
    uv_close((uv_handle_t *)&t->uv, NULL);
    free(t->heap);
    t->heap = NULL;
    t->count = t->cap = 0;
}

void timers_set(struct timers *t, struct id session_id, struct id timer_id, int64_t due_at)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->heap = mem_realloc(t->heap, t->cap * sizeof(*t->heap));
    }
    t->heap[t->count] = (struct timer_entry){due_at, session_id, timer_id};
    timers_sift_up(t, t->count++);
    if (id_eq(t->heap[0].timer_id, timer_id))
        timers_arm(t);
}

void timers_clear(struct timers *t, struct id timer_id)
{
    for (size_t i = 0; i < t->count; i++) {
        if (id_eq(t->heap[i].timer_id, timer_id)) {
            timers_remove_at(t, i);
            return; /* the uv timer may fire early, finds nothing due and arms itself anew */
        }
    }
}

int64_t timers_drop_session(struct timers *t, struct id session_id)
{
    int64_t earliest = 0;
    for (size_t i = 0; i < t->count;) {
        if (!id_eq(t->heap[i].session_id, session_id)) {
            i++;
            continue;
        }
        if (earliest == 0 || t->heap[i].due_at < earliest)
            earliest = t->heap[i].due_at;
        t->heap[i] = t->heap[--t->count];
    }
    for (size_t i = t->count / 2; i-- > 0;)
        timers_sift_down(t, i);
    return earliest;
}
