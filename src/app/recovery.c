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
static void recovery_scan_busy(struct recovery *r);
static void recovery_scan_due(struct recovery *r);

int recovery_open(struct recovery *r, struct app *a)
{
    memset(r, 0, sizeof(*r));
    r->app = a;
    int rc = uv_timer_init(&a->loop, &r->cold);
    r->cold.data = r;
    return rc;
}

void recovery_close(struct recovery *r)
{
    uv_close((uv_handle_t *)&r->cold, NULL);
}

static void recovered_here(struct live_want *w, struct live *l, int status, struct errbuf *e)
{
    struct recovered *rec = container_of(w, struct recovered, want);
    struct recovery *r = rec->recovery;
    if (!l && status != ERR_NOT_FOUND && status != ERR_CONFLICT) {
        char id[ID_TEXT_BYTES + 1];
        id_format(rec->session_id, id);
        log_error("recovery", "session %s was not taken up: %s", id, e->text);
    }
    r->recovered += l ? 1 : 0;
    r->waiting--;
    free(rec);
    recovery_maybe_ready(r);
}

/* Once it is in memory, its own timers fire (IN_RECOVER sets them again). */
static void recovery_want(struct recovery *r, struct id session_id)
{
    struct recovered *rec = mem_zalloc(sizeof(*rec));
    rec->recovery = r;
    rec->session_id = session_id;
    rec->want.done = recovered_here;
    r->waiting++;
    live_want(r->app, session_id, &rec->want);
}

static void recovery_maybe_ready(struct recovery *r)
{
    if (r->waiting > 0 || r->scanning_busy || r->scanning_due || !r->ready)
        return;
    void (*ready)(struct app *) = r->ready;
    r->ready = NULL;
    if (r->recovered)
        log_info("recovery", "%u sessions were taken up again", r->recovered);
    ready(r->app);
}

/* ---- sessions with running work ---- */

static void recovery_busy_read(struct store_req *req)
{
    struct recovery *r = req->data;
    int n = 0;
    struct id last = {{0}};
    if (req->status)
        log_error("recovery", "the store could not be scanned: %s", req->error.text);
    for (struct id_list *it = r->busy.ids; req->status == 0 && it; it = it->next, n++) {
        last = it->id;
        recovery_want(r, it->id);
    }
    store_req_deinit(req);
    r->scanning_busy = false;
    if (n == RECOVERY_PAGE) {
        r->busy.after = last;
        recovery_scan_busy(r);
    }
    recovery_maybe_ready(r);
}

static void recovery_scan_busy(struct recovery *r)
{
    struct id after = r->busy.after;
    store_req_init(&r->busy.req, STORE_SCAN_BUSY, recovery_busy_read, r);
    r->busy.after = after;
    r->busy.limit = RECOVERY_PAGE;
    r->scanning_busy = true;
    store_submit(r->app->store, &r->busy.req);
}

/* ---- timers of sessions out of memory ---- */

static void recovery_cold_due(uv_timer_t *t)
{
    struct recovery *r = t->data;
    r->cold_due_at = 0;
    recovery_scan_due(r);
}

void recovery_note_timer(struct recovery *r, int64_t due_at)
{
    if (r->cold_due_at && r->cold_due_at <= due_at)
        return;
    int64_t in = due_at - clock_wall_ms();
    r->cold_due_at = due_at;
    uv_timer_start(&r->cold, recovery_cold_due, in > 0 ? (uint64_t)in : 0, 0);
}

static void recovery_due_read(struct store_req *req)
{
    struct recovery *r = req->data;
    int n = 0;
    if (req->status)
        log_error("recovery", "the store's timers could not be read: %s", req->error.text);
    for (struct timer_due *it = r->due.rows; req->status == 0 && it; it = it->next, n++)
        if (!live_find(r->app, it->session_id)) /* a live one has its own */
            recovery_want(r, it->session_id);
    if (req->status == 0 && r->due.next_due_at)
        recovery_note_timer(r, r->due.next_due_at);
    else if (req->status)
        recovery_note_timer(r, clock_wall_ms() + 1000);
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
    store_req_init(&r->due.req, STORE_SCAN_TIMERS, recovery_due_read, r);
    r->due.until = clock_wall_ms();
    r->due.limit = RECOVERY_PAGE;
    r->scanning_due = true;
    store_submit(r->app->store, &r->due.req);
}

void recovery_start(struct recovery *r, void (*ready)(struct app *a))
{
    r->ready = ready;
    r->scanning_due = true; /* not ready before both are through */
    recovery_scan_busy(r);
    r->scanning_due = false;
    recovery_scan_due(r);
}
