#include <stdio.h>
#include <stdlib.h>

#include "engine/session.h"

/* Invariants of a session between two steps. Tests call session_check() after each. */

__attribute__((format(printf, 2, 3))) static void check_fail(const struct session *s,
                                                             const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "session %s (%s): ", s->id_text, session_status_word(s->status));
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

static bool status_fits(enum phase p, const struct node_state *ns)
{
    switch (p) {
    case PHASE_RUNNING:
        return ns->status == NODE_RUNNING;
    case PHASE_SUSPENDED:
        return ns->status == NODE_SUSPENDED;
    case PHASE_BACKOFF:
        return ns->status == NODE_PENDING && ns->iteration > 0;
    case PHASE_DONE:
        return ns->status == NODE_COMPLETED || ns->status == NODE_FAILED ||
               ns->status == NODE_SKIPPED;
    case PHASE_IDLE:
    case PHASE_WAITING:
    case PHASE_QUEUED:
    case PHASE_READY:
        return ns->status != NODE_RUNNING && ns->status != NODE_SUSPENDED;
    }
    return false;
}

static void node_check(const struct session *s, unsigned n)
{
    const struct node_state *ns = &s->nodes[n];
    const struct node_def *def = node_def(s, n);
    bool working = ns->phase == PHASE_RUNNING || ns->phase == PHASE_SUSPENDED;
    const char *id = def->id.p;
    int len = (int)def->id.n;
    if (!status_fits(ns->phase, ns))
        check_fail(s, "node %.*s is %s in phase %s", len, id, node_status_word(ns->status),
                   phase_word(ns->phase));
    if (working != (ns->work != NULL))
        check_fail(s, "node %.*s in phase %s has work: %d", len, id, phase_word(ns->phase),
                   ns->work != NULL);
    if (working && table_get(&s->runs, ns->run_id) != ns->work)
        check_fail(s, "the run of node %.*s is not known", len, id);
    if (bit_get(s->active, n) != phase_is_active(ns->phase))
        check_fail(s, "node %.*s in phase %s is wrong in the active set", len, id,
                   phase_word(ns->phase));
    if (bit_get(s->waiting, n) != (ns->phase == PHASE_WAITING))
        check_fail(s, "node %.*s is wrong in the waiting set", len, id);
    if (bit_get(s->unsettled, n) != (ns->iteration == 0))
        check_fail(s, "node %.*s is wrong in the unsettled set", len, id);
    if ((ns->attempt > 0) != (ns->iteration > 0))
        check_fail(s, "node %.*s has an attempt without an iteration", len, id);
}

static void edge_check(const struct session *s, unsigned i)
{
    const struct edge *e = &s->wf->edges[i];
    bool live = bit_get(s->live, i);
    if (bit_get(s->fresh, i) && !live)
        check_fail(s, "edge %u is fresh but not live", i);
    if (live && !e->back && s->nodes[e->from].phase != PHASE_DONE)
        check_fail(s, "edge %u is live, but its source is %s", i,
                   phase_word(s->nodes[e->from].phase));
    enum phase to = s->nodes[e->to].phase;
    if (bit_get(s->fresh, i) && !session_over(s) && to != PHASE_WAITING && to != PHASE_QUEUED &&
        to != PHASE_READY)
        check_fail(s, "edge %u is fresh, but its target is %s", i, phase_word(to));
    if (e->back && bit_get(s->fresh, i))
        check_fail(s, "back edge %u is fresh", i);
}

static void waiting_check(const struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->in_count; i++)
        if (bit_get(s->fresh, def->in[i]) && !s->wf->edges[def->in[i]].back)
            return;
    check_fail(s, "node %.*s waits, but no fresh live edge leads to it", STR_FMT(def->id));
}

static void timers_check(const struct session *s)
{
    list_foreach(it, &s->timers)
    {
        const struct timer *t = container_of(it, struct timer, link);
        if (t->node >= 0 && !phase_is_active(s->nodes[t->node].phase))
            check_fail(s, "a %s timer of a node that is not active",
                       timer_purpose_word(t->purpose));
        if (t->frozen && s->status != SESSION_PAUSED)
            check_fail(s, "a timer is frozen, but the session is not paused");
        if (!t->frozen && s->status == SESSION_PAUSED && !s->timers_run)
            check_fail(s, "a timer runs in a paused session");
    }
}

static void terminal_check(const struct session *s)
{
    if (s->active_count || s->runs.count || !list_empty(&s->timers) || !list_empty(&s->withheld))
        check_fail(s, "the session has ended, but something is still active");
    if (!s->ended_at)
        check_fail(s, "the session has ended without a time");
    if ((s->status == SESSION_FAILED) != (s->error.p != NULL))
        check_fail(s, "an error belongs to failed sessions, and only to them");
    if ((s->status == SESSION_COMPLETED) != (s->output.p != NULL))
        check_fail(s, "an output belongs to completed sessions, and only to them");
}

void session_check(const struct session *s)
{
    unsigned active = 0, busy = 0, runs = 0;
    for (unsigned n = 0; n < s->wf->node_count; n++) {
        const struct work *w = s->nodes[n].work;
        node_check(s, n);
        active += phase_is_active(s->nodes[n].phase);
        runs += w != NULL;
        busy += w && (w->kind == WORK_MODEL || w->kind == WORK_SCRIPT);
        if (s->nodes[n].phase == PHASE_WAITING)
            waiting_check(s, n);
    }
    for (unsigned i = 0; i < s->wf->edge_count; i++)
        edge_check(s, i);
    if (active != s->active_count || busy != s->busy_count || runs != s->runs.count)
        check_fail(s, "%u nodes active (counted %u), %u busy (%u), %u runs (%zu)", active,
                   s->active_count, busy, s->busy_count, runs, s->runs.count);
    timers_check(s);
    if (!list_empty(&s->withheld) && s->status != SESSION_PAUSED)
        check_fail(s, "inputs are withheld, but the session is not paused");
    if (s->out.seq_last && s->out.seq_last != s->seq)
        check_fail(s, "the last event is %lld, the counter %lld", (long long)s->out.seq_last,
                   (long long)s->seq);
    if (s->status == SESSION_RUNNING && !s->stirred && !active)
        check_fail(s, "the session runs, but nothing is active");
    if (session_over(s))
        terminal_check(s);
}
