#include "app/recovery.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

/* One session that recovery wants in memory. */
struct recovered {
    struct recovery *recovery;
    struct live_want want;
    struct id session_id;
};

static void recovery_maybe_ready(struct recovery *r);
static void recovery_scan_busy(struct recovery *r, struct id after);
static void recovery_scan_due(struct recovery *r);
static void recovery_feed(struct recovery *r);

int recovery_open(struct recovery *r, struct app *a)
{
    memset(r, 0, sizeof(*r));
    r->app = a;
    int rc = uv_timer_init(&a->loop, &r->cold);
    if (rc == 0)
        rc = uv_timer_init(&a->loop, &r->retry);
    r->cold.data = r->retry.data = r;
    return rc;
}

void recovery_close(struct recovery *r)
{
    uv_close((uv_handle_t *)&r->cold, NULL);
    uv_close((uv_handle_t *)&r->retry, NULL);
}

/* ---- when the store fails ---- */

static void recovery_retried(uv_timer_t *t)
{
    recovery_rescan(t->data);
}

/* What was not taken up now would be found by nobody else. */
static void recovery_retry_later(struct recovery *r)
{
    if (!r->app->stopping && !uv_is_active((uv_handle_t *)&r->retry))
        uv_timer_start(&r->retry, recovery_retried, RECOVERY_RETRY_MS, 0);
}

/* ---- one session ---- */

static void recovered_here(struct live_want *w, struct live *l, int status, struct errbuf *e)
{
    struct recovered *rec = container_of(w, struct recovered, want);
    struct recovery *r = rec->recovery;
    bool expected = status == ERR_NOT_FOUND || status == ERR_CONFLICT || status == ERR_STALE;
    if (!l && !expected && !r->app->stopping) {
        char id[ID_TEXT_BYTES + 1];
        id_format(rec->session_id, id);
        log_error("recovery", "session %s was not taken up: %s", id, e->text);
        if (status != ERR_CORRUPT)
            recovery_retry_later(r);
    }
    r->recovered += l ? 1 : 0;
    r->recovered_total += l ? 1 : 0;
    r->waiting--;
    free(rec);
    recovery_feed(r);
    recovery_maybe_ready(r);
}

/* Once it is in memory, its own timers fire (IN_RECOVER sets them again). */
void recovery_want(struct recovery *r, struct id session_id)
{
    if (live_find(r->app, session_id))
        return;
    struct recovered *rec = mem_zalloc(sizeof(*rec));
    rec->recovery = r;
    rec->session_id = session_id;
    rec->want.done = recovered_here;
    r->waiting++;
    live_want(r->app, session_id, &rec->want);
}

static void recovery_maybe_ready(struct recovery *r)
{
    if (r->waiting > 0 || r->scanning_busy || r->scanning_due || r->starting ||
        r->page_at < r->page_count)
        return;
    if (r->recovered)
        log_info("recovery", "%u sessions were taken up", r->recovered);
    r->recovered = 0;
    void (*ready)(struct app *) = r->ready;
    r->ready = NULL;
    if (ready)
        ready(r->app);
}

/* ---- sessions with running work ---- */

static void recovery_shuffle(struct recovery *r)
{
    for (int i = r->page_count - 1; i > 0; i--) {
        int k = (int)(id_source_random(&r->app->ids) % (uint64_t)(i + 1));
        struct id x = r->page[i];
        r->page[i] = r->page[k];
        r->page[k] = x;
    }
}

/* From the first session on, when that was asked for and the scan before is through. */
static void recovery_begin_again(struct recovery *r)
{
    if (!r->busy_again || r->scanning_busy || r->page_count || r->app->stopping)
        return;
    r->busy_again = false;
    recovery_scan_busy(r, (struct id){{0}});
}

static void recovery_feed(struct recovery *r)
{
    while (r->page_at < r->page_count && r->waiting < RECOVERY_AT_ONCE)
        recovery_want(r, r->page[r->page_at++]);
    if (r->page_at < r->page_count || r->page_count == 0 || r->scanning_busy)
        return;
    r->page_at = r->page_count = 0;
    if (r->page_full && !r->app->stopping)
        recovery_scan_busy(r, r->busy.after);
    recovery_begin_again(r);
}

static void recovery_busy_read(struct store_req *req)
{
    struct recovery *r = req->data;
    r->page_count = r->page_at = 0;
    if (req->status) {
        log_error("recovery", "the store could not be scanned: %s", req->error.text);
        recovery_retry_later(r);
    }
    for (struct id_list *it = r->busy.ids; req->status == 0 && it; it = it->next) {
        r->busy.after = it->id;
        r->page[r->page_count++] = it->id;
    }
    r->page_full = r->page_count == RECOVERY_PAGE;
    store_req_deinit(req);
    r->scanning_busy = false;
    recovery_shuffle(r);
    recovery_feed(r);
    recovery_begin_again(r);
    recovery_maybe_ready(r);
}

static void recovery_scan_busy(struct recovery *r, struct id after)
{
    store_req_init(&r->busy.req, STORE_SCAN_BUSY, recovery_busy_read, r);
    r->busy.after = after;
    r->busy.limit = RECOVERY_PAGE;
    r->busy.ids = NULL;
    r->scanning_busy = true;
    store_submit(r->app->store, &r->busy.req);
}

/* ---- timers of sessions out of memory ---- */

static void recovery_cold_due(uv_timer_t *t)
{
    struct recovery *r = t->data;
    r->cold_due_at = 0;
    if (!r->app->stopping)
        recovery_scan_due(r);
}

void recovery_note_timer(struct recovery *r, int64_t due_at)
{
    if (r->cold_due_at && r->cold_due_at <= due_at)
        return;
    int64_t in = due_at - clock_wall_ms();
    r->cold_due_at = due_at;
    uv_timer_start(&r->cold, recovery_cold_due, in > 0 ? (uint64_t)in : 1, 0);
}

static void recovery_due_read(struct store_req *req)
{
    struct recovery *r = req->data;
    if (req->status)
        log_error("recovery", "the store's timers could not be read: %s", req->error.text);
    for (struct timer_due *it = r->due.rows; req->status == 0 && it; it = it->next)
        recovery_want(r, it->session_id); /* a live one has its own */
    if (req->status == 0 && r->due.next_due_at)
        recovery_note_timer(r, r->due.next_due_at);
    else if (req->status)
        recovery_note_timer(r, clock_wall_ms() + RECOVERY_RETRY_MS);
    store_req_deinit(req);
    r->scanning_due = false;
    if (r->due_again && !r->app->stopping) {
        r->due_again = false;
        recovery_scan_due(r);
    }
    recovery_maybe_ready(r);
}

static void recovery_scan_due(struct recovery *r)
{
    if (r->scanning_due) {
        r->due_again = true;
        return;
    }
    memset(&r->due, 0, sizeof(r->due));
    store_req_init(&r->due.req, STORE_SCAN_TIMERS, recovery_due_read, r);
    r->due.instance = r->app->instances.self;
    r->due.until = clock_wall_ms();
    r->due.limit = RECOVERY_PAGE;
    r->scanning_due = true;
    store_submit(r->app->store, &r->due.req);
}

/* ---- commands that wait ---- */

static void recovery_inbox_submit(struct recovery *r, struct id after);

static void recovery_inbox_read(struct store_req *req)
{
    struct recovery *r = req->data;
    struct id last = {{0}};
    int n = 0;
    if (req->status)
        log_warn("recovery", "the inbox could not be read: %s", req->error.text);
    for (struct command_row *it = r->inbox.rows; req->status == 0 && it; it = it->next, n++) {
        last = it->command_id;
        inbox_look(r->app, it->session_id);
    }
    store_req_deinit(req);
    r->scanning_inbox = false;
    if (r->app->stopping)
        return;
    if (n == RECOVERY_PAGE) {
        recovery_inbox_submit(r, last);
    } else if (r->inbox_again) {
        r->inbox_again = false;
        recovery_inbox_submit(r, (struct id){{0}});
    }
}

static void recovery_inbox_submit(struct recovery *r, struct id after)
{
    memset(&r->inbox, 0, sizeof(r->inbox));
    store_req_init(&r->inbox.req, STORE_COMMAND_LIST, recovery_inbox_read, r);
    r->inbox.instance = r->app->instances.self;
    r->inbox.after = after;
    r->inbox.limit = RECOVERY_PAGE;
    r->scanning_inbox = true;
    store_submit(r->app->store, &r->inbox.req);
}

void recovery_scan_inbox(struct recovery *r)
{
    if (r->app->stopping || instances_is_joining(&r->app->instances))
        return;
    if (r->scanning_inbox)
        r->inbox_again = true;
    else
        recovery_inbox_submit(r, (struct id){{0}});
}

/* ---- all of it ---- */

void recovery_rescan(struct recovery *r)
{
    if (r->app->stopping || instances_is_joining(&r->app->instances))
        return;
    webhooks_rescan(&r->app->webhooks, r->app->instances.deaths);
    r->busy_again = true;
    recovery_begin_again(r);
    recovery_scan_due(r);
    recovery_scan_inbox(r);
    schedules_look(&r->app->schedules);
}

void recovery_start(struct recovery *r, void (*ready)(struct app *a))
{
    r->ready = ready;
    r->starting = true; /* not ready before all are through */
    recovery_rescan(r);
    r->starting = false;
}
