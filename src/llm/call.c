/* One call: which provider it asks, and what comes after a failure.
 *
 *     start ─> waits in a lane ─> asked ──(text)──> speaks ─> over
 *                ^    ^  │ its circuit opens │ no text, not the request's fault
 *                │    │  └──> the next target <──┤
 *                │    └──────── a delay <────────┤ the last target, some repeats left
 *                └──────────────────────────────┘ it said "not now": until the deadline
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "llm/llm_private.h"

#define REPEAT_FIRST_MS     500 /* doubles with every one */
#define REPEAT_MS_MAX       8000
#define REPEAT_ASKED_MS_MAX 60000 /* a server that asks for more is not asked again in the call */

struct llm_task {
    struct llm_job job;
    struct llm_call *call;
    struct llm_impl *impl; /* NULL: not asked now */
    uint64_t deadline_ms;  /* of its waiting for the target, over all repeats */
    unsigned target;
    unsigned repeats; /* of this target */
    unsigned busy;    /* how often this target has said "not now" */
    bool is_held, has_spoken;
};

static struct llm_task *task_of(struct llm_job *job)
{
    return container_of(job, struct llm_task, job);
}

static unsigned task_target_count(const struct llm_task *t)
{
    return t->call->target_count ? t->call->target_count : 1;
}

static struct llm_target task_target(const struct llm_task *t, unsigned i)
{
    const struct llm_call *c = t->call;
    return c->target_count ? c->targets[i] : (struct llm_target){c->provider, c->model};
}

static struct llm_lane *task_lane(const struct llm_task *t, unsigned i)
{
    return &t->job.llm->lanes[llm_lane_find(t->job.llm, task_target(t, i).provider)];
}

/* What the last attempt said stays, for one that waits in vain afterwards. */
static void call_clear(struct llm_call *c)
{
    c->status = 0;
    c->error_code[0] = '\0';
    c->retry_after_ms = -1;
    c->finish_reason = NULL;
    c->tool_calls = STR_NULL;
    c->usage = (struct llm_usage){-1, -1};
}

void llm_call_fail(struct llm_call *c, int status, const char *code, const char *fmt, ...)
{
    c->status = status;
    snprintf(c->error_code, sizeof(c->error_code), "%s", code);
    va_list ap;
    va_start(ap, fmt);
    err_vset(&c->error, status, fmt, ap);
    va_end(ap);
}

/* ---- targets ---- */

/* A call that could go elsewhere does not wait here: not for a circuit, and not behind more calls
 * than are served at once. */
static bool target_is_ready(const struct llm_task *t, unsigned i)
{
    struct llm_lane *l = task_lane(t, i);
    uint64_t now = llm_now(t->job.llm);
    if (l->lane.circuit.state == CIRCUIT_CLOSED)
        return l->lane.active < l->lane.slots_max || l->lane.waiting < l->lane.slots_max;
    return lane_is_free(&l->lane, now);
}

/* The first that is ready from `from` on; their count when none is. */
static unsigned target_next(const struct llm_task *t, unsigned from)
{
    while (from < task_target_count(t) && !target_is_ready(t, from))
        from++;
    return from;
}

/* None is ready: the one whose circuit is the first to let something through. */
static unsigned target_soonest(const struct llm_task *t)
{
    unsigned best = 0;
    uint64_t best_at = UINT64_MAX;
    for (unsigned i = 0; i < task_target_count(t); i++) {
        const struct circuit *c = &task_lane(t, i)->lane.circuit;
        uint64_t at = c->state == CIRCUIT_OPEN ? c->until_ms : 0;
        if (at < best_at) {
            best = i;
            best_at = at;
        }
    }
    return best;
}

/* The model to ask for; what a failed attempt reported goes with it. */
static void task_name_model(struct llm_task *t)
{
    const char *model = task_target(t, t->target).model;
    const struct llm_lane *l = task_lane(t, t->target);
    t->call->model_used = model && model[0] ? model : l->config.default_model;
}

static void task_enter(struct llm_task *t, unsigned target)
{
    struct llm_call *c = t->call;
    struct llm_lane *l = task_lane(t, target);
    t->target = target;
    t->repeats = t->busy = 0;
    task_name_model(t);
    c->provider_used = l->config.id;
    llm_job_enter(&t->job, (size_t)(l - t->job.llm->lanes));
    t->deadline_ms = t->job.ticket.deadline_ms;
}

/* ---- the end ---- */

static void task_done(struct llm_task *t)
{
    struct llm_call *c = t->call;
    c->impl = NULL;
    free(t);
    c->on_done(c);
}

static void task_over(struct llm_job *job)
{
    task_done(task_of(job));
}

static void task_fail_waiting(struct llm_task *t)
{
    struct llm *llm = t->job.llm;
    struct llm_lane *l = &llm->lanes[t->job.lane];
    const struct circuit *circuit = &l->lane.circuit;
    bool is_closed = circuit->state == CIRCUIT_CLOSED, is_busy = !is_closed && circuit->is_busy;
    struct errbuf said = t->call->error;
    const char *why = is_closed ? "has had no free slot for too long"
                      : is_busy ? "takes no more calls for now"
                                : "has failed again and again";
    llm_call_fail(t->call, is_closed || is_busy ? ERR_OVERLOAD : ERR_UPSTREAM,
                  is_busy ? "rate_limited" : "provider_unavailable", "provider %s %s%s%s",
                  l->config.id, why, said.text[0] ? ": " : "", said.text);
    if (circuit->state == CIRCUIT_OPEN && circuit->until_ms > llm_now(llm))
        t->call->retry_after_ms = (int64_t)(circuit->until_ms - llm_now(llm));
    l->failed_total++;
}

/* Its deadline: by now another target may be ready. */
static void task_give_up(struct llm_job *job)
{
    struct llm_task *t = task_of(job);
    unsigned next = task_target_count(t) > 1 ? target_next(t, 0) : 1;
    if (next < task_target_count(t) && next != t->target) {
        task_enter(t, next);
        llm_lane_advance(job->llm, job->lane);
        return;
    }
    task_fail_waiting(t);
    task_done(t);
}

/* ---- waiting ---- */

static void task_shed(struct llm_job *job)
{
    struct llm_task *t = task_of(job);
    unsigned next = target_next(t, 0);
    struct lane *lane = &job->llm->lanes[job->lane].lane;
    if (next < task_target_count(t)) {
        lane_leave(lane, &job->ticket);
        task_enter(t, next);
    } else if (llm_job_is_hopeless(job)) {
        lane_leave(lane, &job->ticket);
        task_fail_waiting(t);
        llm_job_over(job);
    }
}

static int task_prepare(struct llm_task *t, struct errbuf *e)
{
    size_t lane = t->job.lane;
    struct llm *llm = t->job.llm;
    struct llm_impl *impl = NULL;
    int rc =
        llm_backend_at(llm, lane)->prepare(llm_backend_self(llm, lane), lane, t->call, &impl, e);
    if (rc)
        return rc;
    impl->task = t;
    impl->call = t->call;
    impl->provider = lane;
    t->impl = impl;
    return 0;
}

static void task_unprepare(struct llm_task *t)
{
    if (t->impl)
        llm_backend_at(t->job.llm, t->impl->provider)->cancel(t->impl);
    t->impl = NULL;
}

/* What waits has no encoded request: thousands of those would be large. */
static void task_go(struct llm_job *job)
{
    struct llm_task *t = task_of(job);
    struct errbuf e = {""};
    int rc = t->impl ? 0 : task_prepare(t, &e);
    if (rc) { /* by this dialect only: the first one has looked at it */
        llm_call_fail(t->call, rc, err_word(rc), "%s", e.text);
        lane_end(&job->llm->lanes[job->lane].lane, &job->ticket);
        llm_job_over(job);
        return;
    }
    t->impl->is_held = t->is_held;
    if (t->is_held)
        lane_forgo(&job->llm->lanes[job->lane].lane, &job->ticket);
    llm_backend_at(job->llm, job->lane)->begin(t->impl);
}

/* ---- the API ---- */

static int call_check(const struct llm *llm, const struct llm_call *c, struct errbuf *e)
{
    if (c->target_count > LLM_TARGETS_MAX)
        return err_set(e, ERR_INVALID, "at most %d models for one call", LLM_TARGETS_MAX);
    for (unsigned i = 0; i < (c->target_count ? c->target_count : 1); i++) {
        const char *id = c->target_count ? c->targets[i].provider : c->provider;
        if (llm_lane_find(llm, id) < 0)
            return err_set(e, ERR_NOT_FOUND, "there is no model provider \"%s\"", id);
    }
    return 0;
}

static struct llm_task *task_create(struct llm *llm, struct llm_call *c)
{
    struct llm_task *t = mem_zalloc(sizeof(*t));
    llm_job_init(&t->job, llm, c->fair_key);
    t->job.go = task_go;
    t->job.give_up = task_give_up;
    t->job.over = task_over;
    t->job.shed = task_shed;
    t->call = c;
    return t;
}

int llm_call_start(struct llm *llm, struct llm_call *c, struct errbuf *e)
{
    c->impl = NULL;
    list_init(&c->link);
    c->error.text[0] = '\0';
    call_clear(c);
    int rc = call_check(llm, c, e);
    if (rc)
        return rc;
    struct llm_task *t = task_create(llm, c);
    unsigned target = target_next(t, 0);
    task_enter(t, target < task_target_count(t) ? target : target_soonest(t));
    rc = task_prepare(t, e);
    if (rc) {
        llm_job_drop(&t->job);
        free(t);
        return rc;
    }
    c->impl = t;
    if (llm_job_is_hopeless(&t->job)) {
        task_unprepare(t);
        task_fail_waiting(t);
        llm_job_drop(&t->job);
        llm_job_over(&t->job);
        return 0;
    }
    llm_lane_advance(llm, t->job.lane);
    if (t->job.ticket.turn)
        task_unprepare(t);
    return 0;
}

void llm_call_cancel(struct llm *llm, struct llm_call *c)
{
    struct llm_task *t = c->impl;
    (void)llm;
    if (!t)
        return;
    c->impl = NULL;
    task_unprepare(t);
    llm_job_drop(&t->job);
    free(t);
}

void llm_call_hold(struct llm *llm, struct llm_call *c)
{
    struct llm_task *t = c->impl;
    if (!t || t->is_held)
        return;
    t->is_held = true;
    if (!t->impl)
        return;
    t->impl->is_held = true;
    llm_backend_at(llm, t->impl->provider)->hold(t->impl);
    if (!t->has_spoken) { /* nobody reads what it gets: it may not be the one that all wait for */
        lane_forgo(&llm->lanes[t->job.lane].lane, &t->job.ticket);
        llm_lane_advance(llm, t->job.lane);
    }
}

void llm_call_unhold(struct llm *llm, struct llm_call *c)
{
    struct llm_task *t = c->impl;
    if (!t || !t->is_held)
        return;
    t->is_held = false;
    if (t->impl) {
        t->impl->is_held = false;
        llm_backend_at(llm, t->impl->provider)->unhold(t->impl);
    }
}

/* ---- what the backend says ---- */

void llm_call_say(struct llm_impl *impl, struct str utf8, bool is_thinking)
{
    struct llm_task *t = impl->task;
    if (!t->has_spoken) {
        t->has_spoken = true;
        llm_job_report(&t->job, CIRCUIT_GOOD, -1);
        llm_lane_advance(t->job.llm, t->job.lane);
    }
    impl->call->on_delta(impl->call, utf8, is_thinking);
}

static int64_t task_delay(struct llm_task *t, unsigned before)
{
    int64_t ms = REPEAT_FIRST_MS << (before < 5 ? before : 5);
    if (t->call->retry_after_ms >= 0)
        return t->call->retry_after_ms;
    if (ms > REPEAT_MS_MAX)
        ms = REPEAT_MS_MAX;
    /* A quarter less at most, so that many that failed together do not come back together. */
    return ms - (int64_t)(id_source_random(&t->job.llm->random) % ((uint64_t)ms / 4));
}

/* The same target again. False: no more of that. */
static bool task_repeat(struct llm_task *t, enum circuit_result fault)
{
    struct llm_job *job = &t->job;
    const struct llm_lane *l = &job->llm->lanes[job->lane];
    bool is_busy = fault == CIRCUIT_BUSY;
    unsigned before = is_busy ? t->busy++ : t->repeats++;
    int64_t asked = t->call->retry_after_ms, delay = task_delay(t, before);
    if (!is_busy && (before >= l->config.retries_max || asked > REPEAT_ASKED_MS_MAX))
        return false;
    task_name_model(t);
    job->ticket.deadline_ms = t->deadline_ms;
    if (llm_now(job->llm) + (uint64_t)delay > t->deadline_ms || llm_job_is_hopeless(job))
        return false;
    if (is_busy && asked >= 0)
        llm_job_again(job); /* behind the circuit */
    else
        llm_job_delay(job, delay);
    return true;
}

/* The attempt has failed. True: the call goes on. */
static bool task_go_on(struct llm_task *t, enum circuit_result fault, bool may_repeat)
{
    bool is_providers = fault == CIRCUIT_FAILED || fault == CIRCUIT_BUSY;
    unsigned last = t->target, next;
    if (t->has_spoken || !(may_repeat || is_providers))
        return false;
    next = target_next(t, last + 1);
    if (next < task_target_count(t)) {
        log_info("llm", "provider %s failed (%s): the call goes on to %s", t->call->provider_used,
                 t->call->error_code, task_lane(t, next)->config.id);
        t->job.llm->lanes[t->job.lane].moved_total++;
        task_enter(t, next);
    } else if (!may_repeat || !task_repeat(t, fault)) {
        return false;
    }
    call_clear(t->call);
    return true;
}

void llm_call_finish(struct llm_impl *impl)
{
    struct llm_task *t = impl->task;
    struct llm_call *c = t->call;
    struct llm *llm = t->job.llm;
    size_t lane = t->job.lane;
    enum circuit_result fault = c->status ? impl->fault : CIRCUIT_GOOD;
    bool may_repeat = c->status && impl->may_repeat;
    t->impl = NULL;
    if (fault != CIRCUIT_GOOD || !t->has_spoken)
        llm_job_report(&t->job, fault, c->retry_after_ms);
    llm_job_end(&t->job);
    if (c->status && task_go_on(t, fault, may_repeat)) {
        llm_lane_advance(llm, t->job.lane);
        return;
    }
    if (c->status)
        llm->lanes[lane].failed_total++;
    else
        llm->lanes[lane].done_total++;
    if (!c->status)
        c->error.text[0] = '\0';
    task_done(t);
}
