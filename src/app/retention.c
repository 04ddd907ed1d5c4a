#include "app/retention.h"

#include <string.h>

#include "app/app.h"
#include "base/clock.h"

#define RETENTION_INTERVAL_MIN_MS 250

static int64_t least(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t retention_age_least(const struct config *c)
{
    return least(least(c->retain_tokens_ms, c->retain_sessions_ms), c->retain_keys_ms);
}

static int64_t retention_age_most(const struct config *c)
{
    int64_t most = c->retain_tokens_ms;

    most = c->retain_sessions_ms > most ? c->retain_sessions_ms : most;
    return c->retain_keys_ms > most ? c->retain_keys_ms : most;
}

static int64_t retention_interval(const struct config *c)
{
    int64_t quarter = retention_age_least(c) / 4;

    if (quarter > RETENTION_INTERVAL_MS)
        return RETENTION_INTERVAL_MS;
    return quarter < RETENTION_INTERVAL_MIN_MS ? RETENTION_INTERVAL_MIN_MS : quarter;
}

static void retention_step(struct retention *r);

static void retention_due(uv_timer_t *t)
{
    struct retention *r = t->data;

    r->armed = false;
    r->running = true;
    r->began_at = clock_wall_ms();
    r->folded = r->deleted = 0;
    retention_step(r);
}

/* Nothing is old before the shortest age has passed since something came. */
static void retention_arm(struct retention *r)
{
    const struct config *c = &r->app->config;

    if (r->armed || r->running || r->closed || r->app->stopping || retention_age_least(c) == 0)
        return;
    r->armed = true;
    uv_update_time(r->timer.loop);
    uv_timer_start(&r->timer, retention_due, (uint64_t)retention_interval(c), 0);
}

static void retention_round_over(struct retention *r, int status, const char *why)
{
    int64_t quiet = retention_age_most(&r->app->config) + retention_interval(&r->app->config);

    r->running = false;
    if (status < 0 && status != ERR_CANCELLED)
        log_warn("retention", "the store could not be tidied up: %s", why);
    if (r->folded + r->deleted > 0)
        log_info("retention", "%llu logs folded, %llu sessions deleted", r->folded, r->deleted);
    if (status < 0 || r->noted_at + quiet > r->began_at)
        retention_arm(r);
}

static void retention_stepped(struct store_req *req)
{
    struct retention *r = req->data;
    struct errbuf error = req->error;
    int status = req->status;

    r->folded += (unsigned)r->step.folded;
    r->deleted += (unsigned)r->step.deleted;
    store_req_deinit(req);
    if (status == 0 && r->step.more && !r->app->stopping)
        retention_step(r);
    else
        retention_round_over(r, status, error.text);
}

static void retention_step(struct retention *r)
{
    const struct config *c = &r->app->config;
    int64_t now = clock_wall_ms();

    memset(&r->step, 0, sizeof(r->step));
    store_req_init(&r->step.req, STORE_RETENTION, retention_stepped, r);
    r->step.fold_before = c->retain_tokens_ms ? now - c->retain_tokens_ms : 0;
    r->step.delete_before = c->retain_sessions_ms ? now - c->retain_sessions_ms : 0;
    r->step.idempotency_before = c->retain_keys_ms ? now - c->retain_keys_ms : 0;
    r->step.commands_before = r->step.idempotency_before;
    r->step.limit = RETENTION_SESSIONS;
    store_submit(r->app->store, &r->step.req);
}

void retention_open(struct retention *r, struct app *a)
{
    *r = (struct retention){.app = a, .noted_at = clock_wall_ms()};
    uv_timer_init(&a->loop, &r->timer);
    r->timer.data = r;
    retention_arm(r); /* for what was there before this process */
}

void retention_close(struct retention *r)
{
    r->closed = true;
    uv_close((uv_handle_t *)&r->timer, NULL);
}

void retention_note(struct retention *r)
{
    r->noted_at = clock_wall_ms();
    retention_arm(r);
}
