#include <stdio.h>
#include <stdlib.h>

#include "engine/session.h"

/* Invariants of a session between two steps. Tests call session_check() after each; a restore
 * judges what it has read by the same. */

#define BROKEN(...) return err_set(e, ERR_CORRUPT, __VA_ARGS__)

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

/* Could a stored run of this kind be in that phase between two steps? */
static bool kind_fits(enum phase p, enum node_kind k)
{
    bool works = k == KIND_LLM || k == KIND_AGENT || k == KIND_END || k == KIND_SCRIPT ||
                 k == KIND_WAIT || k == KIND_TOOL || k == KIND_TASK || k == KIND_PLUGIN ||
                 k == KIND_MAP || k == KIND_SEQUENCE || k == KIND_VOTE || k == KIND_FACT_CHECK ||
                 k == KIND_CONTEXT_SYNTH || k == KIND_MEMORY_RETRIEVAL || k == KIND_SUBWORKFLOW;
    return (p != PHASE_RUNNING || works) && (p != PHASE_SUSPENDED || kind_suspends(k));
}

static int node_verify(const struct session *s, unsigned n, struct errbuf *e)
{
    const struct node_state *ns = &s->at->nodes[n];
    const struct node_def *def = node_def(s, n);
    bool working = ns->phase == PHASE_RUNNING || ns->phase == PHASE_SUSPENDED;
    const char *id = def->id.p, *phase = phase_word(ns->phase);
    int len = (int)def->id.n;
    if (!status_fits(ns->phase, ns) || !kind_fits(ns->phase, def->kind))
        BROKEN("node %.*s is %s in phase %s", len, id, node_status_word(ns->status), phase);
    if (working != (ns->work != NULL))
        BROKEN("node %.*s in phase %s has work: %d", len, id, phase, ns->work != NULL);
    for (const struct work *w = ns->work; w; w = w->next)
        if (table_get(&s->runs, w->id) != w || w->node != n || w->scope != s->at)
            BROKEN("a call of node %.*s is not known", len, id);
    if (bit_get(s->at->active, n) != phase_is_active(ns->phase))
        BROKEN("node %.*s in phase %s is wrong in the active set", len, id, phase);
    if (bit_get(s->at->waiting, n) != (ns->phase == PHASE_WAITING))
        BROKEN("node %.*s is wrong in the waiting set", len, id);
    if (bit_get(s->at->unsettled, n) != (ns->iteration == 0))
        BROKEN("node %.*s is wrong in the unsettled set", len, id);
    if (ns->attempt < 0 || ns->iteration < 0 || (ns->attempt > 0) != (ns->iteration > 0))
        BROKEN("node %.*s has an attempt without an iteration", len, id);
    if ((working || ns->phase == PHASE_DONE) && !ns->iteration)
        BROKEN("node %.*s in phase %s has not begun", len, id, phase);
    if ((ns->phase == PHASE_BACKOFF && !timer_of(s, FOR_RETRY, (int)n)) ||
        (ns->work && ns->work->kind == WORK_WAIT && !timer_of(s, FOR_WAIT, (int)n)))
        BROKEN("node %.*s waits for a timer that is not there", len, id);
    if (ns->phase == PHASE_DONE && ns->status == NODE_COMPLETED && !ns->output.p)
        BROKEN("node %.*s has completed without an output", len, id);
    if (working && (ns->work->kind == WORK_CONTAINER) != (def->inner != NULL))
        BROKEN("node %.*s does the work of another kind", len, id);
    return working && def->inner ? container_verify(s, n, e) : 0;
}

/* A member, among the nodes of the document: it stands there to be counted. */
static int member_verify(const struct session *s, unsigned n, struct errbuf *e)
{
    const struct node_state *ns = &s->at->nodes[n];
    if (ns->phase != PHASE_IDLE || ns->work || ns->iteration < 0)
        BROKEN("node %.*s is inside of a container, but runs outside", STR_FMT(node_def(s, n)->id));
    return 0;
}

static int edge_verify(const struct session *s, unsigned i, struct errbuf *e)
{
    const struct edge *edge = &s->at->wf->edges[i];
    bool live = bit_get(s->at->live, i), fresh = bit_get(s->at->fresh, i);
    enum phase to = s->at->nodes[edge->to].phase, from = s->at->nodes[edge->from].phase;
    if (fresh && !live)
        BROKEN("edge %u is fresh but not live", i);
    if (live && !edge->back && from != PHASE_DONE)
        BROKEN("edge %u is live, but its source is %s", i, phase_word(from));
    if (fresh && !session_over(s) && to != PHASE_WAITING && to != PHASE_QUEUED && to != PHASE_READY)
        BROKEN("edge %u is fresh, but its target is %s", i, phase_word(to));
    if (edge->back && fresh)
        BROKEN("back edge %u is fresh", i);
    return 0;
}

static int waiting_verify(const struct session *s, unsigned n, struct errbuf *e)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->in_count; i++)
        if (bit_get(s->at->fresh, def->in[i]) && !s->at->wf->edges[def->in[i]].back)
            return 0;
    BROKEN("node %.*s waits, but no fresh live edge leads to it", STR_FMT(def->id));
}

static bool queue_holds(const struct session *s, unsigned n)
{
    if (s->at->nodes[n].phase == PHASE_READY) {
        for (unsigned i = s->at->ready_head; i < s->at->ready_len; i++)
            if (s->at->ready[i] == n)
                return true;
    } else {
        for (unsigned i = 0; i < s->at->queued_len; i++)
            if (s->at->wf->edges[s->at->queued[i]].to == n)
                return true;
    }
    return false;
}

/* Does a timer's purpose suit what its node does? */
static bool timer_fits(const struct timer *t)
{
    enum phase p = t->node < 0 ? PHASE_IDLE : t->scope->nodes[t->node].phase;
    switch (t->purpose) {
    case FOR_CONTINUE:
        return t->node < 0;
    case FOR_WAIT:
        return p == PHASE_RUNNING && t->scope->nodes[t->node].work->kind == WORK_WAIT;
    case FOR_TIMEOUT:
        return p == PHASE_RUNNING;
    case FOR_RETRY:
        return p == PHASE_BACKOFF;
    case FOR_EXPIRY:
    case FOR_REMINDER:
        return p == PHASE_SUSPENDED;
    }
    return false;
}

static int timers_verify(const struct session *s, struct errbuf *e)
{
    list_foreach(it, &s->timers)
    {
        const struct timer *t = container_of(it, struct timer, link);
        if (!timer_fits(t))
            BROKEN("a %s timer of a node that does not wait for it",
                   timer_purpose_word(t->purpose));
        if (t->frozen && s->status != SESSION_PAUSED)
            BROKEN("a timer is frozen, but the session is not paused");
        if (!t->frozen && s->status == SESSION_PAUSED && !s->timers_run)
            BROKEN("a timer runs in a paused session");
    }
    return 0;
}

static int terminal_verify(const struct session *s, struct errbuf *e)
{
    if (s->at->active_count || s->runs.count || !list_empty(&s->timers) ||
        !list_empty(&s->withheld))
        BROKEN("the session has ended, but something is still active");
    if (!s->ended_at)
        BROKEN("the session has ended without a time");
    if ((s->status == SESSION_FAILED) != (s->error.p != NULL))
        BROKEN("an error belongs to failed sessions, and only to them");
    if ((s->status == SESSION_COMPLETED) != (s->output.p != NULL))
        BROKEN("an output belongs to completed sessions, and only to them");
    return 0;
}

static int counts_verify(const struct session *s, struct errbuf *e)
{
    unsigned busy = 0;
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        busy += work_has_effect(w->kind);
    }
    if (busy != s->busy_count)
        BROKEN("%u busy (counted %u)", busy, s->busy_count);
    if (!list_empty(&s->withheld) && s->status != SESSION_PAUSED)
        BROKEN("inputs are withheld, but the session is not paused");
    if (s->made && s->made->out.seq_last && s->made->out.seq_last != s->seq)
        BROKEN("the last event is %lld, the counter %lld", (long long)s->made->out.seq_last,
               (long long)s->seq);
    return 0;
}

/* Calls under way: what they use together, and none is held back while the session runs. */
static int meters_verify(const struct session *s, struct errbuf *e)
{
    int64_t tokens = 0, micros = 0;
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        tokens += w->meter.on ? meter_tokens(&w->meter) : 0;
        micros += w->meter.on ? meter_micros(&w->meter) : 0;
        if (w->deferred && s->status != SESSION_PAUSED)
            BROKEN("a call is held back, but the session is not paused");
        if (w->deferred && (w->meter.on || w->lost || !w->request.p))
            BROKEN("a call that is held back has begun");
    }
    if (tokens != s->spend.running_tokens || micros != s->spend.running_micros)
        BROKEN("running calls use %lld tokens (counted %lld)", (long long)tokens,
               (long long)s->spend.running_tokens);
    if (s->breaker.tripped != BREAKER_NONE && s->status != SESSION_PAUSED && !session_over(s))
        BROKEN("a breaker has tripped, but the session is not paused");
    return 0;
}

/* s->at; its runs are added to *runs. */
static int scope_verify(const struct session *s, size_t *runs, struct errbuf *e)
{
    const struct scope *c = s->at;
    unsigned active = 0;
    int rc = 0;
    for (unsigned n = 0; n < c->wf->node_count && !rc; n++) {
        enum phase p = c->nodes[n].phase;
        if (!node_is_here(s, n)) {
            rc = member_verify(s, n, e);
            continue;
        }
        rc = node_verify(s, n, e);
        active += phase_is_active(p);
        *runs += calls_count(s, n);
        if (!rc && p == PHASE_WAITING)
            rc = waiting_verify(s, n, e);
        if (!rc && (p == PHASE_READY || p == PHASE_QUEUED) && !queue_holds(s, n))
            rc = err_set(e, ERR_CORRUPT, "a node in phase %s is in no queue", phase_word(p));
    }
    for (unsigned i = 0; i < c->wf->edge_count && !rc; i++)
        rc = edge_verify(s, i, e);
    if (rc)
        return rc;
    if (active != c->active_count)
        BROKEN("%u nodes active (counted %u)", active, c->active_count);
    if (c->failed && active)
        BROKEN("an item has failed, but something in it is active");
    if (s->status == SESSION_RUNNING && !c->stirred && !active)
        BROKEN("the session runs, but nothing is active");
    return 0;
}

static int scopes_verify(struct session *s, struct errbuf *e)
{
    struct scope *was = s->at;
    size_t runs = 0;
    int rc = 0;
    scopes_foreach(it, s)
    {
        s->at = scope_of(it);
        rc = rc ? rc : scope_verify(s, &runs, e);
    }
    s->at = was;
    if (!rc && runs != s->runs.count)
        BROKEN("%zu runs (counted %zu)", runs, s->runs.count);
    return rc;
}

int session_verify(const struct session *s, struct errbuf *e)
{
    int rc = scopes_verify((struct session *)s, e); /* s->at goes round, and back */
    if (!rc)
        rc = timers_verify(s, e);
    if (!rc)
        rc = counts_verify(s, e);
    if (!rc)
        rc = meters_verify(s, e);
    if (!rc)
        rc = said_verify(s, e);
    if (!rc && session_over(s))
        rc = terminal_verify(s, e);
    return rc;
}

void session_check(const struct session *s)
{
    struct errbuf e;
    if (!session_verify(s, &e))
        return;
    fprintf(stderr, "session %s (%s): %s\n", s->id_text, session_status_word(s->status), e.text);
    abort();
}
