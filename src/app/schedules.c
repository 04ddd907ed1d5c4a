#include "app/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/rules.h"

/* One schedule whose time has come. */
struct firing {
    struct list link;
    struct schedules *all;
    struct arena arena; /* of row */
    struct schedule_row row;
    struct schedule_plan plan;
    struct id session_id;
    struct store_session_get get;
    struct store_schedule_move move;
    struct svc_req req; /* execute, or cancel of the session before */
    bool has_req;
};

static void firing_execute(struct firing *f);

/* ---- the timer ---- */

static void schedules_due(uv_timer_t *t);

static void schedules_arm(struct schedules *s, int64_t at)
{
    int64_t in = at - s->now();

    s->armed_at = at;
    if (in > SCHEDULE_CLOCK_MS)
        in = SCHEDULE_CLOCK_MS;
    /* Never 0: libuv would run it again in the same pass, and nothing else. */
    uv_timer_start(&s->timer, schedules_due, in > 0 ? (uint64_t)in : 1, 0);
}

static void schedules_due(uv_timer_t *t)
{
    struct schedules *s = t->data;
    int64_t at = s->armed_at;

    s->armed_at = 0;
    if (at > s->now())
        schedules_arm(s, at); /* far away, or the clock was set back */
    else
        schedules_look(s);
}

void schedules_note(struct schedules *s, int64_t next_at)
{
    if (next_at == 0 || s->closed || s->app->stopping || (s->armed_at && s->armed_at <= next_at))
        return;
    schedules_arm(s, next_at);
}

/* ---- the end of a firing ---- */

static void firing_free(struct firing *f)
{
    list_remove(&f->link);
    store_req_deinit(&f->get.req);
    store_req_deinit(&f->move.req);
    if (f->has_req)
        svc_req_deinit(&f->req);
    arena_deinit(&f->arena);
    free(f);
}

/* Nothing was written: the time is due still. */
static void firing_again(struct firing *f)
{
    struct schedules *s = f->all;

    firing_free(f);
    schedules_note(s, s->now() + SCHEDULE_RETRY_MS);
}

static void firing_moved(struct store_req *r)
{
    struct firing *f = r->data;
    struct schedules *s = f->all;
    int status = r->status;

    if (status && status != ERR_STALE) {
        log_warn("schedules", "a schedule could not be moved on: %s", r->error.text);
        firing_again(f);
        return;
    }
    int64_t next_at = f->plan.next_at;
    firing_free(f);
    if (status) /* somebody else was first, or has changed it */
        schedules_look(s);
    else
        schedules_note(s, next_at);
}

static void firing_move(struct firing *f)
{
    f->move.row = f->row;
    f->move.row.next_at = f->plan.next_at;
    f->move.row.last_at = f->plan.at;
    f->move.seen_at = f->row.next_at;
    store_submit(f->all->app->store, &f->move.req);
}

/* No session for this time; `text` says why. */
static void firing_leave_out(struct firing *f, const char *text)
{
    char id[ID_TEXT_BYTES + 1];

    id_format(f->row.id, id);
    log_warn("schedules", "schedule %s: %s", id, text);
    f->row.last_error = str_of(arena_strdup(&f->arena, str_of(text)));
    f->row.last_error_at = f->all->now();
    firing_move(f);
}

static void firing_started(struct firing *f)
{
    f->row.last_session = f->session_id;
    f->row.last_error = STR_NULL;
    f->row.last_error_at = 0;
    if (f->plan.missed > 0) {
        char text[80];
        snprintf(text, sizeof(text), "%s%lld times before it were missed",
                 f->plan.missed > 1000 ? "more than " : "",
                 (long long)(f->plan.missed > 1000 ? 1000 : f->plan.missed));
        f->row.last_error = str_of(arena_strdup(&f->arena, str_of(text)));
        f->row.last_error_at = f->all->now();
    }
    firing_move(f);
}

/* ---- the session ---- */

static void firing_executed(struct svc_req *req)
{
    struct firing *f = req->data;
    char text[400];

    if (req->status == 0) {
        f->all->fired++;
        firing_started(f);
    } else if (req->status == ERR_UNAVAILABLE || req->status == ERR_OVERLOAD ||
               req->status == ERR_IO || req->status == ERR_STALE || req->status == ERR_CONFLICT) {
        firing_again(f); /* it is looked for first then */
    } else {
        snprintf(text, sizeof(text), "%s: %.300s",
                 req->error_code ? req->error_code : err_word(req->status), req->error.text);
        firing_leave_out(f, text);
    }
}

static void firing_req_init(struct firing *f, enum svc_op op, void (*done)(struct svc_req *))
{
    if (f->has_req)
        svc_req_deinit(&f->req);
    f->has_req = true;
    svc_req_init(&f->req, op);
    f->req.who.kind = PRINCIPAL_SERVER;
    f->req.workspace = f->row.workspace;
    f->req.actor = STR("schedule");
    f->req.done = done;
    f->req.data = f;
}

void schedule_request(const struct schedule_row *row, int64_t at, struct id session_id,
                      struct svc_req *req)
{
    char id[ID_TEXT_BYTES + 1], time[CLOCK_RFC3339_BYTES + 1], text[200];

    id_format(row->id, id);
    clock_format_rfc3339(at, time);
    snprintf(text, sizeof(text), "{\"schedule_id\":\"%s\",\"scheduled_for\":\"%s\"}", id, time);
    req->execute.session_id = session_id;
    req->execute.workflow_id = row->workflow_id;
    req->execute.input_json = row->input_json;
    req->execute.name = row->name;
    req->execute.metadata_json = str_of(arena_strdup(&req->arena, str_of(text)));
}

static void firing_execute(struct firing *f)
{
    firing_req_init(f, SVC_EXECUTE, firing_executed);
    schedule_request(&f->row, f->plan.at, f->session_id, &f->req);
    service_submit(&f->all->app->service, &f->req);
}

/* ---- the session before ---- */

static void firing_cancelled(struct svc_req *req)
{
    struct firing *f = req->data;

    if (req->status == ERR_UNAVAILABLE || req->status == ERR_OVERLOAD)
        firing_again(f);
    else
        firing_execute(f); /* it is cancelled, or it has ended by itself */
}

static void firing_overlaps(struct firing *f)
{
    char id[ID_TEXT_BYTES + 1], text[120];

    if (str_eqz(f->row.overlap, "cancel")) {
        firing_req_init(f, SVC_CANCEL, firing_cancelled);
        f->req.session_id = f->row.last_session;
        f->req.reason = STR("the schedule's next time has come");
        service_submit(&f->all->app->service, &f->req);
        return;
    }
    id_format(f->row.last_session, id);
    snprintf(text, sizeof(text), "left out: session %s of the time before runs still", id);
    firing_leave_out(f, text);
}

static void firing_looked_before(struct store_req *r)
{
    struct firing *f = r->data;

    if (r->status && r->status != ERR_NOT_FOUND)
        firing_again(f);
    else if (r->status == 0 && rules_session_is_live(&f->get.row))
        firing_overlaps(f);
    else
        firing_execute(f);
}

static void firing_look(struct firing *f, struct id session_id, void (*done)(struct store_req *))
{
    store_req_deinit(&f->get.req);
    memset(&f->get, 0, sizeof(f->get));
    store_req_init(&f->get.req, STORE_SESSION_GET, done, f);
    f->get.id = session_id;
    store_submit(f->all->app->store, &f->get.req);
}

/* Is it there already, by a try before or by another instance? */
static void firing_looked(struct store_req *r)
{
    struct firing *f = r->data;

    if (f->all->app->stopping) {
        firing_free(f); /* the next start goes on with it */
    } else if (r->status == 0) {
        firing_started(f);
    } else if (r->status != ERR_NOT_FOUND) {
        firing_again(f);
    } else if (str_eqz(f->row.overlap, "allow") || id_is_zero(f->row.last_session)) {
        firing_execute(f);
    } else {
        firing_look(f, f->row.last_session, firing_looked_before);
    }
}

/* ---- what is due ---- */

static bool schedules_is_firing(const struct schedules *s, struct id id)
{
    list_foreach(it, &s->firing)
    {
        if (id_eq(container_of(it, struct firing, link)->row.id, id))
            return true;
    }
    return false;
}

static void firing_begin(struct schedules *s, const struct schedule_row *row)
{
    struct firing *f = mem_zalloc(sizeof(*f));
    struct errbuf e = {""};

    f->all = s;
    arena_init(&f->arena);
    f->row = rules_schedule_copy(&f->arena, row);
    store_req_init(&f->get.req, STORE_SESSION_GET, firing_looked, f);
    store_req_init(&f->move.req, STORE_SCHEDULE_MOVE, firing_moved, f);
    list_append(&s->firing, &f->link);
    if (schedule_plan(&f->row, s->now(), &f->plan, &e)) {
        f->plan.at = f->row.next_at; /* no time will come */
        firing_leave_out(f, e.text);
    } else if (!f->plan.starts) {
        firing_leave_out(f, "its time was missed: the server was not running");
    } else {
        f->session_id = schedule_session_id(f->row.id, f->plan.at);
        firing_look(f, f->session_id, firing_looked);
    }
}

static void schedules_read(struct store_req *r)
{
    struct schedules *s = r->data;
    int n = 0;

    s->looking = false;
    if (s->closed || s->app->stopping) {
        store_req_deinit(r);
        return;
    }
    if (r->status) {
        log_warn("schedules", "what is due could not be read: %s", r->error.text);
        schedules_note(s, s->now() + SCHEDULE_RETRY_MS);
    }
    for (const struct schedule_row *row = s->due.rows; r->status == 0 && row; row = row->next) {
        n++;
        if (!schedules_is_firing(s, row->id))
            firing_begin(s, row);
    }
    if (r->status == 0)
        schedules_note(s, s->due.next_at);
    if (n == SCHEDULE_AT_ONCE) /* there may be more, when these have moved on */
        schedules_note(s, s->now() + SCHEDULE_RETRY_MS);
    store_req_deinit(r);
    if (s->again)
        schedules_look(s);
}

void schedules_look(struct schedules *s)
{
    if (s->closed || s->app->stopping || instances_is_joining(&s->app->instances))
        return;
    s->again = s->looking;
    if (s->looking)
        return;
    memset(&s->due, 0, sizeof(s->due));
    store_req_init(&s->due.req, STORE_SCHEDULE_DUE, schedules_read, s);
    s->due.now = s->now();
    s->due.limit = SCHEDULE_AT_ONCE;
    s->looking = true;
    store_submit(s->app->store, &s->due.req);
}

/* ---- life ---- */

void schedules_open(struct schedules *s, struct app *a)
{
    memset(s, 0, sizeof(*s));
    s->app = a;
    s->now = clock_wall_ms;
    list_init(&s->firing);
    uv_timer_init(&a->loop, &s->timer);
    s->timer.data = s;
}

void schedules_close(struct schedules *s)
{
    s->closed = true;
    uv_close((uv_handle_t *)&s->timer, NULL);
}
