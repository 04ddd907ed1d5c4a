#include "app/gather.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "app/app.h"
#include "base/log.h"

#define NS_A_SECOND UINT64_C(1000000000)
#define NS_A_US     UINT64_C(1000)
/* What one commit counts in the mean: one that waited for the disk is soon forgotten. */
#define MEAN_SHARE 16

/* That the loop is awake is all. */
static void gather_ticked(uv_poll_t *poll, int status, int events)
{
    struct gather *g = poll->data;
    uint64_t ticks;
    (void)status;
    (void)events;
    if (read(g->timer_fd, &ticks, sizeof(ticks)) < 0)
        return; /* set anew meanwhile */
}

void gather_open(struct gather *g, struct app *a)
{
    *g = (struct gather){
        .app = a, .least_ns = GATHER_LEAST_US * NS_A_US, .most_ns = GATHER_MOST_US * NS_A_US};
    g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (g->timer_fd >= 0 && uv_poll_init(&a->loop, &g->tick, g->timer_fd) != 0) {
        close(g->timer_fd);
        g->timer_fd = -1;
    }
    if (!gather_ticks(g)) {
        log_warn("journal", "no descriptor for a timer: chunks of many sessions do not gather");
        return;
    }
    g->tick.data = g;
    uv_poll_start(&g->tick, UV_READABLE, gather_ticked);
    uv_unref((uv_handle_t *)&g->tick); /* what gathers keeps the loop running itself */
}

void gather_close(struct gather *g)
{
    gather_end(g);
    if (!gather_ticks(g))
        return;
    uv_close((uv_handle_t *)&g->tick, NULL);
    close(g->timer_fd);
}

bool gather_ticks(const struct gather *g)
{
    return g->timer_fd >= 0;
}

void gather_begin(struct gather *g)
{
    if (!g->is_on)
        g->is_on = llm_set_aside(g->app->llm, true);
}

void gather_end(struct gather *g)
{
    if (g->is_on)
        llm_set_aside(g->app->llm, false);
    g->is_on = false;
}

void gather_committed(struct gather *g, uint64_t ns)
{
    uint64_t most = 2 * GATHER_DELAY_US * NS_A_US; /* more tells no more */
    if (ns > most)
        ns = most;
    g->commit_ns = g->commit_ns ? g->commit_ns - g->commit_ns / MEAN_SHARE + ns / MEAN_SHARE : ns;
}

uint64_t gather_period_ns(const struct gather *g)
{
    uint64_t delay = GATHER_DELAY_US * NS_A_US;
    uint64_t period = g->commit_ns && g->commit_ns < delay ? 2 * (delay - g->commit_ns) : 0;
    if (period > g->most_ns)
        period = g->most_ns;
    return period > g->least_ns ? period : g->least_ns;
}

void gather_tick(struct gather *g, uint64_t ns)
{
    long soon = (long)(ns < NS_A_SECOND ? ns : NS_A_SECOND - 1);
    timerfd_settime(g->timer_fd, 0, &(struct itimerspec){.it_value.tv_nsec = soon}, NULL);
}

void gather_read(struct gather *g)
{
    if (!llm_read(g->app->llm))
        gather_end(g);
}

void gather_told(struct gather *g)
{
    llm_discard(g->app->llm);
}
