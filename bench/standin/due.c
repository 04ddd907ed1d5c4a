#include "due.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"

/* A binary heap; its first place is 1. */
static struct {
    struct due **heap;
    size_t count, room;
    void (*fired)(struct due *d);
    uv_poll_t poll;
    int timer_fd;
} dues;

double due_now_us(void)
{
    return (double)uv_hrtime() / 1e3;
}

static void due_place(struct due *d, size_t place)
{
    dues.heap[place] = d;
    d->place = place;
}

static void due_rise(struct due *d)
{
    size_t at = d->place;
    for (; at > 1 && dues.heap[at / 2]->at_us > d->at_us; at /= 2)
        due_place(dues.heap[at / 2], at);
    due_place(d, at);
}

static void due_sink(struct due *d)
{
    size_t at = d->place, below;
    while ((below = at * 2) <= dues.count) {
        if (below < dues.count && dues.heap[below + 1]->at_us < dues.heap[below]->at_us)
            below++;
        if (dues.heap[below]->at_us >= d->at_us)
            break;
        due_place(dues.heap[below], at);
        at = below;
    }
    due_place(d, at);
}

/* The timer goes off when the first of them is due. */
static void due_arm(void)
{
    double wait = dues.count ? dues.heap[1]->at_us - due_now_us() : 0;
    uint64_t ns = dues.count == 0 ? 0 : wait > 0 ? (uint64_t)(wait * 1e3) + 1 : 1;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)}};
    timerfd_settime(dues.timer_fd, 0, &when, NULL);
}

/* What is made due meanwhile comes next time, so that the loop lives. */
static void due_came(uv_poll_t *poll, int status, int events)
{
    uint64_t ticks;
    double now = due_now_us();
    (void)poll;
    (void)status;
    (void)events;
    if (read(dues.timer_fd, &ticks, sizeof(ticks)) < 0)
        return; /* set anew meanwhile */
    while (dues.count && dues.heap[1]->at_us <= now) {
        struct due *d = dues.heap[1];
        due_cancel(d);
        dues.fired(d);
    }
    due_arm();
}

void due_init(uv_loop_t *loop, void (*fired)(struct due *d))
{
    dues.fired = fired;
    dues.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (dues.timer_fd < 0 || uv_poll_init(loop, &dues.poll, dues.timer_fd) != 0) {
        fprintf(stderr, "no timer\n");
        exit(1);
    }
    uv_poll_start(&dues.poll, UV_READABLE, due_came);
}

void due_at(struct due *d, double at_us)
{
    due_cancel(d);
    d->at_us = at_us;
    if (dues.count + 2 > dues.room) {
        dues.room = dues.room ? dues.room * 2 : 1024;
        dues.heap = mem_realloc(dues.heap, dues.room * sizeof(*dues.heap));
    }
    due_place(d, ++dues.count);
    due_rise(d);
    if (d->place == 1)
        due_arm();
}

void due_cancel(struct due *d)
{
    if (!d->place)
        return;
    struct due *last = dues.heap[dues.count--];
    if (last != d) {
        due_place(last, d->place);
        due_rise(last);
        due_sink(last);
    }
    d->place = 0;
}
