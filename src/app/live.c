#include "app/live.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/park.h"
#include "app/runner.h"
#include "base/clock.h"
#include "base/mem.h"

/* Of events that wait for their commit: then the session's models are not read until it begins. */
#define LIVE_AHEAD_BYTES (32u << 10)
#define EVICT_PER_TURN   256
#define EVICT_NEXT_MS    5   /* then the rest goes */
#define EVICT_TRIM_MIN   100 /* sessions, after which memory is given back to the system */

/* A session on its way into memory; commands for it wait here. */
struct loading {
    struct app *app;
    struct store_session_load load;
    struct list wants; /* struct live_want */
    struct list link;
    struct workflow *workflow;
    bool is_submitted;
};

struct live *live_find(struct app *a, struct id session_id)
{
    return table_get(&a->live, session_id);
}

static struct live *live_put(struct app *a, struct id session_id, struct session *s, uint64_t epoch)
{
    struct live *l = mem_zalloc(sizeof(*l));
    l->app = a;
    l->id = session_id;
    l->session = s;
    l->epoch = epoch;
    l->gate = gate_create();
    list_init(&l->marked);
    list_init(&l->replies);
    list_init(&l->runs);
    l->touched_at = clock_wall_ms();
    table_put(&a->live, session_id, l);
    return l;
}

struct live *live_create(struct app *a, struct workflow *w, struct id session_id,
                         const struct session_meta *meta, bool start_paused)
{
    struct session_params p = {
        .id = session_id, .epoch = 1, .meta = meta, .start_paused = start_paused};
    struct live *l = live_put(a, session_id, session_create(w, a->vm, &p), 1);
    a->sessions_started++;
    return l;
}

void live_destroy(struct live *l)
{
    runner_cancel_all(l);
    if (l->app->webhooks.active)
        webhooks_left(&l->app->webhooks, l->id);
    list_remove(&l->marked);
    table_remove(l->session ? &l->app->live : &l->app->parked, l->id);
    log_forget(l->app->log, l->id);
    gate_break(l->gate);
    gate_unref(l->gate);
    session_destroy(l->session);
    parked_destroy(l->parked);
    live_load_waiting(l);
    free(l);
}

struct live **live_all(struct app *a, size_t *count)
{
    struct live **all = mem_calloc(live_count(a) + 1, sizeof(*all));
    size_t n = 0;
    table_foreach(slot, &a->live) all[n++] = slot->value;
    table_foreach(slot, &a->parked) all[n++] = slot->value;
    *count = n;
    return all;
}

size_t live_count(const struct app *a)
{
    return a->live.count + a->parked.count;
}

int live_step(struct live *l, struct engine_input *in, struct errbuf *e)
{
    in->now_ms = clock_wall_ms();
    in->ids = &l->app->ids;
    in->rules = &l->app->rules;
    l->touched_at = in->now_ms;
    if (!l->session) {
        parked_step(l->parked, in);
        if (parked_has_output(l->parked) && !l->waking)
            journal_mark(&l->app->journal, l);
        return 0;
    }
    int rc = engine_step(l->session, in, e);
    if (in->kind == IN_CHUNK && !session_row_is_due(l->session)) {
        if (session_has_output(l->session))
            journal_mark_chunk(&l->app->journal, l);
        if (session_event_bytes(l->session) > LIVE_AHEAD_BYTES)
            runner_hold_ahead(l, true);
    } else if (session_has_output(l->session)) {
        journal_mark(&l->app->journal, l);
    }
    return rc;
}

bool live_take(struct live *l, int64_t now, struct delta *d, struct effect **effects)
{
    if (!l->session)
        return parked_take_delta(l->parked, now, d, effects);
    return engine_take_delta(l->session, now, d, effects);
}

void live_add_reply(struct live *l, struct svc_req *req, const struct idempotency_row *row)
{
    struct reply *r = arena_alloc(&req->arena, sizeof(*r));
    r->req = req;
    r->idempotency = row;
    list_append(&l->replies, &r->link);
    journal_mark(&l->app->journal, l);
}

/* ---- loading ---- */

static void loading_submit(struct loading *ld);

static void loading_finish(struct loading *ld, struct live *l, int status, struct errbuf *e)
{
    list_remove(&ld->link);
    if (l && l->app->instances.shared)
        inbox_look(l->app, l->id); /* what came for it while nobody had it */
    struct list *it;
    while ((it = list_pop(&ld->wants)) != NULL) {
        struct live_want *w = container_of(it, struct live_want, link);
        w->owner = ld->load.row.owner;
        w->epoch = l ? l->epoch : ld->load.row.epoch;
        w->done(w, l, status, e);
    }
    workflow_unref(ld->workflow);
    store_req_deinit(&ld->load.req);
    free(ld);
}

int live_parse_workflow(struct app *a, const struct store_session_load *load, struct workflow **out,
                        struct errbuf *e)
{
    const struct session_meta *m = &load->row.meta;
    bool is_shared = m->workflow_version > 0 && !m->graph_json.p; /* an imported one has its own */
    if (is_shared) {
        struct workflow *w =
            plans_get(&a->plans, m->workspace, m->workflow_id, m->workflow_version);
        if (w) {
            *out = workflow_ref(w);
            return 0;
        }
    }
    struct workflow_issues issues;
    workflow_issues_init(&issues);
    int rc = json_check(load->workflow_json, NULL, e);
    if (rc == 0)
        rc = workflow_parse(load->workflow_json, a->vm, out, &issues);
    if (rc == 0) {
        (*out)->version = m->workflow_version;
        if (is_shared)
            plans_put(&a->plans, m->workspace, *out, false);
    } else {
        char id[ID_TEXT_BYTES + 1];
        id_format(load->row.id, id);
        struct str why = issues.count ? issues.items[0].message : str_of(e->text);
        rc = err_set(e, ERR_CORRUPT, "session %s: its workflow does not read back: %.*s", id,
                     STR_FMT(why));
    }
    workflow_issues_deinit(&issues);
    return rc;
}

static int loading_restore(struct loading *ld, struct live **out, struct errbuf *e)
{
    struct store_session_load *load = &ld->load;
    int rc = live_parse_workflow(ld->app, load, &ld->workflow, e);
    if (rc)
        return rc;
    struct session_image image = {.row = &load->row,
                                  .runs = load->runs,
                                  .effects = load->effects,
                                  .timers = load->timers,
                                  .withheld = load->withheld};
    struct session *s = NULL;
    rc = session_restore(&s, ld->workflow, ld->app->vm, load->row.epoch, &image, e);
    if (rc)
        return rc;
    struct live *l = park_find(ld->app, load->row.id);
    if (l)
        live_wake(l, s);
    else
        l = live_put(ld->app, load->row.id, s, load->row.epoch);
    if (session_status_of(s) == SESSION_PAUSED)
        gate_close(l->gate);
    struct engine_input in = {.kind = IN_RECOVER};
    rc = live_step(l, &in, e);
    if (rc) {
        live_destroy(l);
        return rc;
    }
    *out = l;
    return 0;
}

/* Why a session that was read is none to be taken up; 0: it is one. */
static int loading_check(const struct loading *ld, struct errbuf *e)
{
    enum session_status status;
    if (ld->load.row.meta.stored_only || !session_status_parse(ld->load.row.core.status, &status))
        return err_set(e, ERR_NOT_FOUND, "Session not found or not active");
    if (session_status_is_terminal(status))
        return err_set(e, ERR_CONFLICT, "the session has ended: it is %s",
                       session_status_word(status));
    if (ld->app->stopping)
        return err_set(e, ERR_UNAVAILABLE, "the server is shutting down");
    return 0;
}

static void loading_read(struct store_req *req)
{
    struct loading *ld = req->data;
    struct app *a = ld->app;
    struct live *l = NULL;
    struct errbuf e = req->error;
    int rc = req->status;
    if (!a->stopping && !id_eq(ld->load.claim_for, a->instances.self)) {
        store_req_deinit(req); /* claimed for what this instance was until just now */
        loading_submit(ld);
        return;
    }
    if (rc == 0)
        rc = loading_check(ld, &e);
    park_looked_at(a, ld->load.id, rc, ld->load.row.epoch);
    if (rc == 0 && (rc = loading_restore(ld, &l, &e)))
        park_looked_at(a, ld->load.id, rc, ld->load.row.epoch); /* it stays as it is */
    if (rc == ERR_CORRUPT)
        log_error("app", "%s", e.text);
    loading_finish(ld, l, rc, &e);
}

static void loading_submit(struct loading *ld)
{
    struct id session_id = ld->load.id;
    ld->is_submitted = true;
    memset(&ld->load, 0, sizeof(ld->load));
    store_req_init(&ld->load.req, STORE_SESSION_LOAD, loading_read, ld);
    ld->load.id = session_id;
    ld->load.claim_for = ld->app->instances.self;
    store_submit(ld->app->store, &ld->load.req);
}

void live_want(struct app *a, struct id session_id, struct live_want *w)
{
    struct errbuf e = {""};
    struct live *l = live_find(a, session_id);
    if (l) {
        w->epoch = l->epoch;
        w->done(w, l, 0, &e);
        return;
    }
    list_foreach(it, &a->loads)
    {
        struct loading *ld = container_of(it, struct loading, link);
        if (ld->app == a && id_eq(ld->load.id, session_id)) {
            list_append(&ld->wants, &w->link);
            return;
        }
    }
    struct loading *ld = mem_zalloc(sizeof(*ld));
    ld->app = a;
    list_init(&ld->wants);
    list_append(&ld->wants, &w->link);
    list_append(&a->loads, &ld->link);
    ld->load.id = session_id;
    l = park_find(a, session_id);
    if (l)
        l->waking = true; /* what comes in from now on is kept for the session */
    if (l && (l->lost || !live_is_durable(l)))
        return; /* live_load_waiting() goes on */
    loading_submit(ld);
}

void live_load_waiting(struct live *l)
{
    struct errbuf e;
    if (!l->waking || l->uncommitted > 0)
        return;
    list_foreach(it, &l->app->loads)
    {
        struct loading *ld = container_of(it, struct loading, link);
        if (!id_eq(ld->load.id, l->id) || ld->is_submitted)
            continue;
        if (l->app->stopping)
            loading_finish(ld, NULL, err_set(&e, ERR_UNAVAILABLE, "the server is shutting down"),
                           &e);
        else
            loading_submit(ld);
        return;
    }
}

/* ---- losing ---- */

void live_lose(struct live *l)
{
    struct app *a = l->app;
    struct list again;
    runner_cancel_all(l);
    l->lost = true;
    if (l->uncommitted > 0)
        return; /* the journal comes back to it */
    list_init(&again);
    list_splice(&again, &l->replies);
    timers_drop_session(&a->timers, l->id);
    live_destroy(l);
    service_again_all(a, &again);
}

void live_lose_all(struct app *a)
{
    size_t n;
    struct live **all = live_all(a, &n);
    for (size_t i = 0; i < n; i++)
        live_lose(all[i]);
    free(all);
}

bool live_is_durable(const struct live *l)
{
    return l->uncommitted == 0 && !list_is_linked(&l->marked);
}

bool live_is_quiet(const struct live *l)
{
    return live_is_durable(l) && list_empty(&l->replies) && list_empty(&l->runs);
}

/* ---- eviction ---- */

static bool live_may_go(const struct live *l, int64_t now)
{
    return live_is_quiet(l) && session_is_idle(l->session) &&
           now - l->touched_at >= APP_IDLE_EVICT_MS;
}

static void live_evict(uv_timer_t *t);

void live_evict_idle(struct app *a, int64_t now)
{
    struct live *go[EVICT_PER_TURN];
    size_t n = 0;
    bool more = false;
    table_foreach(slot, &a->live)
    {
        struct live *l = slot->value;
        if (live_may_go(l, now) && n < EVICT_PER_TURN)
            go[n++] = l;
        else if (session_is_idle(l->session))
            more = true;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t due = timers_drop_session(&a->timers, go[i]->id);
        if (due)
            recovery_note_timer(&a->recovery, due);
        live_destroy(go[i]);
    }
    a->evicted += n;
    if (n == EVICT_PER_TURN) {
        a->evict_armed = true;
        uv_timer_start(&a->evict_timer, live_evict, EVICT_NEXT_MS, 0);
        return;
    }
    if (a->evicted >= EVICT_TRIM_MIN) { /* else the allocator keeps what they had */
        malloc_trim(0);
        a->evicted = 0;
    }
    if (more)
        live_arm_eviction(a);
}

static void live_evict(uv_timer_t *t)
{
    struct app *a = t->data;
    a->evict_armed = false;
    live_evict_idle(a, clock_wall_ms());
}

void live_arm_eviction(struct app *a)
{
    if (a->evict_armed || a->stopping)
        return;
    a->evict_armed = true;
    a->evict_timer.data = a;
    uv_timer_start(&a->evict_timer, live_evict, APP_IDLE_EVICT_MS + 1000, 0);
}
