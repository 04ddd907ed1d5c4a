#include "app/handover.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/park.h"
#include "app/runner.h"
#include "base/mem.h"

struct release {
    struct handover *h;
    struct id *ids;
    struct store_session_release req;
};

static void release_written(struct store_req *r)
{
    struct release *rel = r->data;
    struct handover *h = rel->h;
    if (r->status) /* they become free with the row */
        log_warn("handover", "sessions could not be released: %s", r->error.text);
    store_req_deinit(r);
    free(rel->ids);
    free(rel);
    h->releasing--;
    instances_nudge_all(&h->app->instances, 's');
    handover_check(h);
}

static void handover_flush(uv_idle_t *idle)
{
    struct handover *h = idle->data;
    uv_idle_stop(idle);
    while (h->count > 0) {
        struct release *rel = mem_zalloc(sizeof(*rel));
        size_t n = h->count < HANDOVER_BATCH ? h->count : HANDOVER_BATCH;
        rel->h = h;
        rel->ids = mem_calloc(n, sizeof(*rel->ids));
        h->count -= n;
        memcpy(rel->ids, h->ids + h->count, n * sizeof(*rel->ids));
        store_req_init(&rel->req.req, STORE_SESSION_RELEASE, release_written, rel);
        rel->req.instance = h->app->instances.self;
        rel->req.ids = rel->ids;
        rel->req.count = n;
        h->releasing++;
        store_submit(h->app->store, &rel->req.req);
    }
    handover_check(h);
}

static void handover_release(struct handover *h, struct id session_id)
{
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 256;
        h->ids = mem_realloc(h->ids, h->cap * sizeof(*h->ids));
    }
    h->ids[h->count++] = session_id;
    uv_idle_start(&h->flush, handover_flush);
}

void handover_try(struct live *l)
{
    struct handover *h = &l->app->handover;
    struct id id = l->id;
    if (!live_is_quiet(l) || (l->session && session_has_output(l->session)))
        return;
    timers_drop_session(&l->app->timers, id);
    live_destroy(l);
    handover_release(h, id);
}

bool handover_gives_up(struct app *a, struct id session_id)
{
    if (!a->stopping)
        return false;
    if (!a->handover.active || a->handover.removing)
        return true;
    if (live_find(a, session_id) || park_find(a, session_id))
        return false;
    handover_release(&a->handover, session_id);
    return true;
}

static void handover_done(void *data)
{
    struct handover *h = data;
    h->active = false;
    h->over(h->over_data);
}

void handover_check(struct handover *h)
{
    struct app *a = h->app;
    if (!h->active || h->removing || live_count(a) > 0 || h->count > 0 || h->releasing > 0)
        return;
    h->removing = true;
    uv_timer_stop(&h->deadline);
    instances_remove_self(&a->instances, handover_done, h);
}

static void handover_try_all(struct handover *h, bool cut)
{
    struct app *a = h->app;
    size_t n;
    struct live **all = live_all(a, &n);
    for (size_t i = 0; i < n; i++) {
        if (cut)
            runner_cancel_all(all[i]);
        handover_try(all[i]);
    }
    free(all);
    uv_idle_start(&h->flush, handover_flush);
}

static void handover_deadline(uv_timer_t *t)
{
    struct handover *h = t->data;
    if (live_count(h->app) > 0)
        log_info("handover",
                 "the deadline is over: %zu sessions are cut in running work and go on "
                 "elsewhere",
                 live_count(h->app));
    handover_try_all(h, true);
}

void handover_begin(struct handover *h, int64_t drain_ms, void (*over)(void *data), void *data)
{
    h->active = true;
    h->over = over;
    h->over_data = data;
    instances_leave(&h->app->instances);
    uv_timer_start(&h->deadline, handover_deadline, drain_ms > 0 ? (uint64_t)drain_ms : 1, 0);
    handover_try_all(h, false);
}

void handover_open(struct handover *h, struct app *a)
{
    memset(h, 0, sizeof(*h));
    h->app = a;
    uv_timer_init(&a->loop, &h->deadline);
    uv_idle_init(&a->loop, &h->flush);
    h->deadline.data = h->flush.data = h;
}

void handover_close(struct handover *h)
{
    uv_close((uv_handle_t *)&h->deadline, NULL);
    uv_close((uv_handle_t *)&h->flush, NULL);
}

void handover_deinit(struct handover *h)
{
    free(h->ids);
}
