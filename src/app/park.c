#include "app/park.h"

#include <malloc.h>
#include <stdlib.h>

#include "app/app.h"
#include "base/clock.h"

#define PARK_PER_TURN 256
#define PARK_NEXT_MS  5   /* then the rest */
#define PARK_TRIM_MIN 100 /* at once, after which memory is given back to the system */

struct live *park_find(struct app *a, struct id session_id)
{
    return table_get(&a->parked, session_id);
}

/* ---- into the park ---- */

static bool park_may(const struct live *l, int64_t now)
{
    return l->paused_at && now - l->paused_at >= APP_PARK_MS && !l->lost && !l->app->stopping &&
           live_is_durable(l) && list_empty(&l->replies) && !list_empty(&l->runs);
}

static bool park(struct live *l)
{
    struct app *a = l->app;
    l->paused_at = 0; /* when it may not, it is looked at anew after its next commit */
    l->parked = session_park(l->session);
    if (!l->parked)
        return false;
    int64_t due = timers_drop_session(&a->timers, l->id);
    if (due)
        recovery_note_timer(&a->recovery, due);
    session_destroy(l->session);
    l->session = NULL;
    table_remove(&a->live, l->id);
    table_put(&a->parked, l->id, l);
    return true;
}

static void park_timer_fired(uv_timer_t *t)
{
    struct app *a = t->data;
    a->park_armed = false;
    park_due(a, clock_wall_ms());
}

static void park_arm(struct app *a, uint64_t ms)
{
    if (a->park_armed || a->stopping)
        return;
    a->park_armed = true;
    a->park_timer.data = a;
    uv_timer_start(&a->park_timer, park_timer_fired, ms, 0);
}

void park_due(struct app *a, int64_t now)
{
    struct live *go[PARK_PER_TURN];
    size_t n = 0, parked = 0;
    bool later = false;
    table_foreach(slot, &a->live)
    {
        struct live *l = slot->value;
        if (n < PARK_PER_TURN && park_may(l, now))
            go[n++] = l;
        else
            later = later || (l->paused_at && now - l->paused_at < APP_PARK_MS);
    }
    for (size_t i = 0; i < n; i++)
        parked += park(go[i]);
    if (parked >= PARK_TRIM_MIN)
        malloc_trim(0);
    if (n == PARK_PER_TURN)
        park_arm(a, PARK_NEXT_MS);
    else if (later)
        park_arm(a, APP_PARK_MS);
}

void park_consider(struct live *l)
{
    int64_t now = clock_wall_ms();
    if (!l->paused_at) {
        l->paused_at = now;
        park_arm(l->app, APP_PARK_MS);
    } else if (park_may(l, now)) {
        park(l);
    }
}

/* ---- out of it ---- */

void live_wake(struct live *l, struct session *s)
{
    struct app *a = l->app;
    session_unpark(s, l->parked);
    parked_destroy(l->parked);
    l->parked = NULL;
    l->waking = false;
    l->session = s;
    l->touched_at = clock_wall_ms();
    table_remove(&a->parked, l->id);
    table_put(&a->live, l->id, l);
    journal_mark(&a->journal, l);
}

void park_settle(struct live *l)
{
    if (l->lost)
        live_lose(l);
    else if (l->waking)
        live_load_waiting(l);
    else if (l->app->handover.active)
        handover_try(l);
    else if (live_is_quiet(l) && !parked_has_output(l->parked))
        live_destroy(l); /* all that it waited for has come */
}

void park_looked_at(struct app *a, struct id session_id, int status, uint64_t epoch)
{
    struct live *l = park_find(a, session_id);
    if (!l || (status == 0 && l->epoch == epoch))
        return; /* it is restored now */
    l->waking = false;
    if (status == 0 || status == ERR_STALE || status == ERR_NOT_FOUND || status == ERR_CONFLICT)
        live_lose(l);
    else if (parked_has_output(l->parked))
        journal_mark(&a->journal, l);
    else
        park_settle(l);
}
