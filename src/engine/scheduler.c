#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* Who starts next, and when it is all over.
 *
 * A step marks edges and fills the ready queue; scheduler_drain() then turns the queue until
 * nothing more can start. Joins that wait are looked at again when the queue is empty and something
 * has stopped being active since. */

#define DRAIN_STARTS_MAX  2000       /* in one step; a timer due at once goes on */
#define DRAIN_EVENT_BYTES (1u << 20) /* likewise */

/* ---- phases ---- */

void phase_set(struct session *s, unsigned n, enum phase p)
{
    struct node_state *ns = &s->at->nodes[n];
    bool was = phase_is_active(ns->phase), is = phase_is_active(p);
    ns->phase = p;
    if (p == PHASE_WAITING)
        bit_set(s->at->waiting, n);
    else
        bit_clear(s->at->waiting, n);
    s->core_dirty = true;
    scope_stir(s, s->at);
    s->at->reach_valid = false;
    if (was == is)
        return;
    if (is) {
        bit_set(s->at->active, n);
        s->at->active_count++;
    } else {
        bit_clear(s->at->active, n);
        s->at->active_count--;
        s->at->recheck = true;
        s->at->end_check = s->at->end_ran;
    }
}

void ready_push(struct session *s, unsigned n)
{
    phase_set(s, n, PHASE_READY);
    if (s->at->ready_head == s->at->ready_len)
        s->at->ready_head = s->at->ready_len = 0;
    if (s->at->ready_len == s->at->ready_cap) {
        s->at->ready_cap = s->at->ready_cap ? s->at->ready_cap * 2 : 8;
        s->at->ready = mem_realloc(s->at->ready, s->at->ready_cap * sizeof(*s->at->ready));
    }
    s->at->ready[s->at->ready_len++] = (uint16_t)n;
}

/* An entry whose node is not ready any more (cancelled, reset) is passed over. */
static int ready_peek(struct session *s)
{
    while (s->at->ready_head < s->at->ready_len) {
        unsigned n = s->at->ready[s->at->ready_head];
        if (s->at->nodes[n].phase == PHASE_READY)
            return (int)n;
        s->at->ready_head++;
    }
    return -1;
}

/* ---- edges ---- */

/* Does it wait no longer? */
static bool waiting_try(struct session *s, unsigned n, enum join_view view)
{
    switch (join_check(s, n, view)) {
    case JOIN_WAIT:
        return false;
    case JOIN_GO:
        ready_push(s, n);
        return true;
    case JOIN_IMPOSSIBLE:
        if (s->replay && !replay_allows(s, n))
            return false;
        node_start_unmet(s, n);
        return true;
    }
    return false;
}

static void edge_live(struct session *s, unsigned edge)
{
    unsigned to = s->at->wf->edges[edge].to;
    enum phase p = s->at->nodes[to].phase;
    bit_set(s->at->live, edge);
    s->core_dirty = true;
    if (p != PHASE_IDLE && p != PHASE_WAITING && p != PHASE_QUEUED)
        return; /* started already in this iteration, or about to */
    bit_set(s->at->fresh, edge);
    if (p == PHASE_IDLE)
        phase_set(s, to, PHASE_WAITING);
    if (s->at->nodes[to].phase == PHASE_WAITING && join_is_full(s, to))
        ready_push(s, to);
    else
        s->at->recheck = true;
}

void edges_consume(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->in_count; i++)
        bit_clear(s->at->fresh, def->in[i]);
}

static bool has_fresh(const struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->in_count; i++)
        if (bit_get(s->at->fresh, def->in[i]))
            return true;
    return false;
}

/* Does a branch head wait for room of a parallel that is not reset with it? */
static bool queued_from_outside(const struct session *s, unsigned n, const uint64_t *set)
{
    if (s->at->nodes[n].phase != PHASE_QUEUED)
        return false;
    for (unsigned i = 0; i < s->at->queued_len; i++)
        if (s->at->wf->edges[s->at->queued[i]].to == n &&
            !bit_get(set, s->at->wf->edges[s->at->queued[i]].from))
            return true;
    return false;
}

/* What follows the target of a back edge forgets that it ran: the edges out of it are dead again.
 * Lives from outside stay; those that started a run before count for joins but start no other. */
static void node_reset(struct session *s, unsigned n, const uint64_t *set)
{
    const struct node_def *def = node_def(s, n);
    for (unsigned i = 0; i < def->out_count; i++) {
        bit_clear(s->at->live, def->out[i]);
        bit_clear(s->at->fresh, def->out[i]);
    }
    if (queued_from_outside(s, n, set))
        return;
    if (phase_is_active(s->at->nodes[n].phase))
        node_cancel(s, n, "superseded", "A new iteration began before this run had ended.");
    if (def->kind == KIND_END)
        s->at->end_check = true;
    s->at->nodes[n].retry = s->at->nodes[n].next_round = false;
    phase_set(s, n, PHASE_IDLE);
}

static void back_edge_fire(struct session *s, unsigned edge)
{
    const struct edge *e = &s->at->wf->edges[edge];
    unsigned words = s->at->wf->words, v = e->to;
    const uint64_t *set = s->at->wf->reach_forward + (size_t)v * words;
    for (unsigned i = 0; i < words; i++)
        for (uint64_t left = set[i]; left; left &= left - 1)
            node_reset(s, i * 64 + (unsigned)__builtin_ctzll(left), set);
    for (unsigned i = 0; i < words; i++) {
        for (uint64_t left = set[i]; left; left &= left - 1) {
            unsigned n = i * 64 + (unsigned)__builtin_ctzll(left);
            if (n != v && s->at->nodes[n].phase == PHASE_IDLE && has_fresh(s, n))
                phase_set(s, n, PHASE_WAITING);
        }
    }
    bit_set(s->at->live, edge); /* only so that v sees whose output it follows */
    s->at->recheck = true;
    struct loop_state *l = loop_find(s, v);
    s->at->nodes[v].next_round = l && bit_get(l->body, e->from);
    ready_push(s, v);
}

/* ---- branches ---- */

static unsigned parallel_limit(struct session *s, unsigned n)
{
    int64_t limit;
    if (json_i64(prop(s, n, "max_concurrent"), &limit) && limit > 0 && limit < WORKFLOW_EDGES_MAX)
        return (unsigned)limit;
    return WORKFLOW_EDGES_MAX;
}

/* Branches with something active in what only they lead to; not those that are still queued, nor
 * those where only joins wait, maybe for a branch that is queued. */
static unsigned parallel_busy(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    unsigned words = s->at->wf->words, busy = 0;
    uint64_t *once = s->at->bits[0], *more = s->at->bits[1];
    memset(once, 0, words * sizeof(*once));
    memset(more, 0, words * sizeof(*more));
    for (unsigned i = 0; i < def->out_count; i++) {
        const uint64_t *row =
            s->at->wf->reach_forward + (size_t)s->at->wf->edges[def->out[i]].to * words;
        for (unsigned k = 0; k < words; k++) {
            more[k] |= once[k] & row[k];
            once[k] |= row[k];
        }
    }
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        const uint64_t *row = s->at->wf->reach_forward + (size_t)e->to * words;
        uint64_t any = 0;
        for (unsigned k = 0; k < words; k++)
            any |= row[k] & ~more[k] & s->at->active[k] & ~s->at->waiting[k];
        if (e->kind == EDGE_NEXT && any && s->at->nodes[e->to].phase != PHASE_QUEUED)
            busy++;
    }
    return busy;
}

void queue_push(struct session *s, unsigned edge)
{
    if (s->at->queued_len == s->at->queued_cap) {
        s->at->queued_cap = s->at->queued_cap ? s->at->queued_cap * 2 : 8;
        s->at->queued = mem_realloc(s->at->queued, s->at->queued_cap * sizeof(*s->at->queued));
    }
    s->at->queued[s->at->queued_len++] = (uint16_t)edge;
    phase_set(s, s->at->wf->edges[edge].to, PHASE_QUEUED);
}

static void parallel_fire(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    unsigned limit = parallel_limit(s, n), begun = 0;
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind != EDGE_NEXT)
            continue;
        if (begun >= limit && s->at->nodes[e->to].phase == PHASE_IDLE) {
            queue_push(s, def->out[i]);
        } else {
            edge_live(s, def->out[i]);
            begun++;
        }
    }
}

/* Starts queued branches for which there is room now. True when one was. */
static bool branches_release(struct session *s)
{
    unsigned kept = 0;
    int full = -1;
    bool any = false;
    for (unsigned i = 0; i < s->at->queued_len; i++) {
        unsigned edge = s->at->queued[i], from = s->at->wf->edges[edge].from,
                 to = s->at->wf->edges[edge].to;
        if (s->at->nodes[to].phase != PHASE_QUEUED)
            continue;
        if (full == (int)from || parallel_busy(s, from) >= parallel_limit(s, from)) {
            full = (int)from;
            s->at->queued[kept++] = (uint16_t)edge;
            continue;
        }
        phase_set(s, to, has_fresh(s, to) ? PHASE_WAITING : PHASE_IDLE);
        edge_live(s, edge);
        any = true;
    }
    s->at->queued_len = kept;
    return any;
}

void edges_fire(struct session *s, unsigned n, int chosen)
{
    const struct node_def *def = node_def(s, n);
    if (chosen >= 0) {
        if (s->at->wf->edges[chosen].back)
            back_edge_fire(s, (unsigned)chosen);
        else
            edge_live(s, (unsigned)chosen);
        return;
    }
    if (chosen == EDGES_NONE)
        return;
    if (def->kind == KIND_PARALLEL) {
        parallel_fire(s, n);
        return;
    }
    /* Back edges first: their reset would take the lives of the others away again. */
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind == EDGE_NEXT && e->back)
            back_edge_fire(s, def->out[i]);
    }
    for (unsigned i = 0; i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind == EDGE_NEXT && !e->back)
            edge_live(s, def->out[i]);
    }
}

/* ---- the end ---- */

static void end_forget(struct session *s)
{
    timers_clear_all(s);
    withheld_drop(s);
    signals_free(s);
    scope_rest(&s->root);
    s->at->ready_head = s->at->ready_len = 0;
    s->at->queued_len = 0;
    s->hold = s->timers_run = s->held = false;
}

/* The one terminal event. The reason, output or error has been set. */
void session_end(struct session *s, enum session_status to)
{
    enum session_status from = s->status;
    assert(session_move_is_legal(from, to));
    s->at = &s->root;
    for (unsigned n = 0; n < s->at->wf->node_count; n++)
        if (phase_is_active(s->at->nodes[n].phase))
            node_cancel(s, n, "cancelled", "The session ended before this run had.");
    assert(s->at->active_count == 0);
    s->status = to;
    s->ended_at = s->now;
    event_session_move(s, from);
    end_forget(s);
    effect_push(s, EFFECT_GATE_BREAK);
}

void session_fail(struct session *s, const char *code, struct str message, int node)
{
    char id[NAME_BYTES_MAX + 1] = {0};
    if (session_over(s))
        return;
    if (node >= 0)
        memcpy(id, node_def(s, (unsigned)node)->id.p, node_def(s, (unsigned)node)->id.n);
    own_set(&s->error, error_json(s, code, message, node >= 0 ? id : NULL));
    session_end(s, SESSION_FAILED);
}

static bool end_has_run(const struct session *s, unsigned n)
{
    return s->at->nodes[n].phase == PHASE_DONE && s->at->nodes[n].status == NODE_COMPLETED;
}

/* The output of the end that ran; of several, an object of them by id. */
static struct str session_output(struct session *s)
{
    unsigned ran = 0, last = 0;
    struct buf b;
    struct jw w;
    for (unsigned n = 0; n < s->at->wf->node_count; n++) {
        if (bit_get(s->at->ends, n) && end_has_run(s, n)) {
            last = n;
            ran++;
        }
    }
    if (ran == 1)
        return s->at->nodes[last].output;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    for (unsigned n = 0; n < s->at->wf->node_count; n++) {
        if (!bit_get(s->at->ends, n) || !end_has_run(s, n))
            continue;
        jw_key_str(&w, node_def(s, n)->id);
        jw_raw(&w, s->at->nodes[n].output);
    }
    jw_end(&w);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static void session_complete(struct session *s)
{
    struct str output = session_output(s);
    if (!output.p) {
        session_fail(s, "too_large", STR("The outputs of all ends together are too large."), -1);
        return;
    }
    own_set(&s->output, output);
    session_end(s, SESSION_COMPLETED);
}

/* Has an end run since its last reset, and which? into bits[0]. */
static bool ends_ran(struct session *s)
{
    unsigned words = s->at->wf->words;
    uint64_t any = 0;
    for (unsigned i = 0; i < words; i++) {
        s->at->bits[0][i] = 0;
        for (uint64_t left = s->at->ends[i]; left; left &= left - 1) {
            unsigned n = i * 64 + (unsigned)__builtin_ctzll(left);
            if (end_has_run(s, n))
                bit_set(s->at->bits[0], n);
        }
        any |= s->at->bits[0][i];
    }
    return any != 0;
}

/* Can nothing that is active reach an end that has not run? */
static bool rest_is_moot(struct session *s)
{
    unsigned words = s->at->wf->words;
    for (unsigned i = 0; i < words; i++) {
        for (uint64_t left = s->at->active[i]; left; left &= left - 1) {
            unsigned n = i * 64 + (unsigned)__builtin_ctzll(left);
            const uint64_t *row = s->at->wf->reach_any + (size_t)n * words;
            if (bit_get(s->at->ends, n))
                return false;
            for (unsigned k = 0; k < words; k++)
                if (row[k] & s->at->ends[k] & ~s->at->bits[0][k])
                    return false;
        }
    }
    return true;
}

/* Never run, and nothing active leads there any more. */
static void skip_unreachable(struct session *s)
{
    unsigned words = s->at->wf->words;
    uint64_t *reach = s->at->bits[0];
    uint64_t any = 0;
    for (unsigned i = 0; i < words; i++)
        any |= s->at->unsettled[i] & ~s->at->active[i];
    if (!any)
        return;
    memcpy(reach, s->at->active, words * sizeof(*reach));
    for (unsigned i = 0; i < words; i++) {
        for (uint64_t left = s->at->active[i]; left; left &= left - 1) {
            unsigned n = i * 64 + (unsigned)__builtin_ctzll(left);
            const uint64_t *row = s->at->wf->reach_any + (size_t)n * words;
            for (unsigned k = 0; k < words; k++)
                reach[k] |= row[k];
        }
    }
    for (unsigned i = 0; i < words; i++)
        for (uint64_t left = s->at->unsettled[i] & ~reach[i]; left; left &= left - 1)
            node_skip(s, i * 64 + (unsigned)__builtin_ctzll(left));
}

/* Called when an end has run and something stopped being active since. */
static void cut_rest(struct session *s)
{
    s->at->end_check = false;
    s->at->end_ran = ends_ran(s);
    if (!s->at->end_ran || !s->at->active_count || !rest_is_moot(s))
        return;
    for (unsigned n = 0; n < s->at->wf->node_count; n++)
        if (phase_is_active(s->at->nodes[n].phase))
            node_cancel(s, n, "cancelled", "The session reached its end on another path.");
}

/* Nothing more can start here for now. */
static void scope_settle(struct session *s)
{
    skip_unreachable(s);
    scope_rest(s->at);
    if (s->at->active_count)
        return;
    if (s->at->parent)
        item_settle(s);
    else if (s->replay)
        return;
    else if (ends_ran(s))
        session_complete(s);
    else
        session_fail(s, "no_end_reached",
                     STR("No end node was reached: every path was skipped, failed or routed away."),
                     -1);
}

/* ---- the drain ---- */

/* All that go as far as CAREFUL sees; by PLAIN the first only: it may be what others wait for. */
static bool waiting_try_all(struct session *s, enum join_view view)
{
    bool any = false;
    for (unsigned i = 0; i < s->at->wf->words; i++) {
        for (uint64_t left = s->at->waiting[i]; left && !session_over(s); left &= left - 1) {
            unsigned n = i * 64 + (unsigned)__builtin_ctzll(left);
            if (s->at->nodes[n].phase == PHASE_WAITING)
                any = waiting_try(s, n, view) || any;
            if (any && view == JOIN_PLAIN)
                return true;
        }
    }
    return any;
}

static void waiting_recheck(struct session *s)
{
    s->at->recheck = false;
    if (waiting_try_all(s, JOIN_CAREFUL) ||
        (s->at->has_back_edges && !session_over(s) && waiting_try_all(s, JOIN_PLAIN)))
        s->at->recheck = true;
}

/* Enough for one step: the rest follows in the next loop turn. */
static void drain_yield(struct session *s)
{
    if (!timer_of(s, FOR_CONTINUE, -1))
        timer_add(s, FOR_CONTINUE, -1, 0);
}

/* A store that stands still while models go on, or outputs without measure. */
static bool drain_is_flooded(struct session *s)
{
    if (s->status != SESSION_RUNNING || s->replay ||
        s->made->out.events.len <= ENGINE_EVENT_BYTES_MAX + s->replayed_bytes)
        return false;
    session_fail(s, "too_large", STR("The session produced too much at once."), -1);
    return true;
}

static bool drain_is_full(const struct session *s, unsigned started)
{
    return started >= DRAIN_STARTS_MAX ||
           (started && s->made->out.events.len > s->step_events + DRAIN_EVENT_BYTES);
}

/* One move of the scope s->at. False: it would be one too many for this step. */
static bool scope_turn(struct session *s, unsigned *started)
{
    if (s->at->failed) {
        item_settle(s);
        return true;
    }
    if (s->at->end_check)
        cut_rest(s);
    int n = ready_peek(s);
    if (n >= 0) {
        if (!s->replay && drain_is_full(s, *started))
            return false;
        ++*started;
        if (s->replay && !replay_may_start(s, (unsigned)n)) {
            s->at->ready_head++;
        } else if (s->replay || !breaker_stops_start(s, (unsigned)n)) {
            s->at->ready_head++;
            node_start(s, (unsigned)n);
        }
    } else if (s->at->recheck) {
        waiting_recheck(s);
    } else if (replay_rests(s)) {
        scope_rest(s->at);
    } else if (!s->at->queued_len || !branches_release(s)) {
        scope_settle(s);
    }
    return true;
}

void scheduler_drain(struct session *s)
{
    unsigned started = 0;
    if (s->halt != HALT_NONE)
        session_halt(s);
    while (!drain_is_flooded(s) && s->status == SESSION_RUNNING && !list_empty(&s->stirred)) {
        s->at = container_of(s->stirred.next, struct scope, turn);
        if (!scope_turn(s, &started)) {
            s->at = &s->root;
            drain_yield(s);
            break;
        }
        if (s->halt != HALT_NONE)
            session_halt(s);
    }
    s->at = &s->root;
}
