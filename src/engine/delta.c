#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* What was produced since the last take, as rows. Run, effect, timer and message rows are made when
 * they happen; the session's own row is made here, once, from the state as it is now. */

#define EVENTS_BYTES_HARD                                                                          \
    (64u << 20) /* what one step can add to ENGINE_EVENT_BYTES_MAX at worst                        \
                 */

/* ---- what is used again ---- */

#define EVENTS_BYTES_KEPT 2048 /* of a buffer that is filled again: a few chunks */
#define SPARES_MAX        64   /* those of a commit under way, and of the next one */

/* What one session has done with is filled by the next: of hundreds that stream, each would find
 * its own out of the caches when its next token comes. Of each thread, for its sessions share
 * nothing with others'. */
struct spare_events {
    struct spare_events *next; /* both in the buffer's own bytes */
    size_t cap;
};
static _Thread_local struct {
    struct made *made;
    struct spare_events *events;
    unsigned made_count, events_count;
} spare;

void engine_give_back(struct buf *events)
{
    struct spare_events *e = (struct spare_events *)(void *)events->data;
    if (events->cap < sizeof(*e) || events->cap > EVENTS_BYTES_KEPT ||
        spare.events_count == SPARES_MAX) {
        buf_deinit(events);
        return;
    }
    *e = (struct spare_events){spare.events, events->cap};
    spare.events = e;
    spare.events_count++;
    buf_init(events, EVENTS_BYTES_HARD);
}

static void events_init(struct buf *events)
{
    struct spare_events *e = spare.events;
    buf_init(events, EVENTS_BYTES_HARD);
    if (!e)
        return;
    spare.events = e->next;
    spare.events_count--;
    events->cap = e->cap;
    events->data = (char *)e;
    events->data[0] = '\0';
}

static void made_release(struct made *m)
{
    arena_deinit(&m->out.arena);
    engine_give_back(&m->out.events);
    if (spare.made_count == SPARES_MAX) {
        free(m);
        return;
    }
    m->next_spare = spare.made;
    spare.made = m;
    spare.made_count++;
}

void made_want(struct session *s)
{
    struct made *m = spare.made;
    if (s->made)
        return;
    if (m) {
        spare.made = m->next_spare;
        spare.made_count--;
    } else {
        m = mem_alloc(sizeof(*m));
        m->stamp[0] = '\0';
    }
    memset(m, 0, offsetof(struct made, jw));
    arena_init(&m->out.arena);
    events_init(&m->out.events);
    m->runs_tail = &m->out.runs;
    m->messages_tail = &m->out.messages;
    m->effects_tail = &m->effects;
    s->made = m;
}

void made_rest(struct session *s)
{
    if (!s->made || session_has_output(s))
        return;
    made_release(s->made);
    s->made = NULL;
    s->chunk_of = NULL;
    s->gen++; /* rows that calls point to are gone */
}

/* All that was made is somebody else's now. */
static void made_given(struct session *s)
{
    arena_init(&s->made->out.arena);
    buf_init(&s->made->out.events, EVENTS_BYTES_HARD);
    s->out_any = s->core_dirty = false;
    s->replayed_bytes = 0;
    made_rest(s);
}

/* ---- the session's row ---- */

static struct str take(struct arena *a, struct buf *b)
{
    struct str out = {arena_strdup(a, buf_str(b)), b->len};
    buf_clear(b);
    return out;
}

static struct str copy(struct arena *a, struct str text)
{
    if (!text.p)
        return STR_NULL;
    return (struct str){arena_strdup(a, text), text.n};
}

static void statuses_write(const struct session *s, struct jw *w)
{
    jw_object(w);
    for (unsigned n = 0; n < s->at->wf->node_count; n++) {
        jw_key_str(w, node_def(s, n)->id);
        jw_stringz(w, node_status_word(s->at->nodes[n].status));
    }
    jw_end(w);
}

static void waiting_write_one(struct session *s, struct jw *w, unsigned n)
{
    static const char *const keys[] = {"interrupt_id", "kind", "reason", "actions"};
    struct json asked = json_root(s->at->nodes[n].work->interrupt);
    struct timer *expiry = timer_of(s, FOR_EXPIRY, (int)n);
    const struct scope *item = scope_item(s->at);
    jw_object(w);
    jw_kv_string(w, "node_id", node_def(s, n)->id);
    if (item)
        jw_kv_i64(w, "item", item->item);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        jw_kv_raw(w, keys[i], json_raw(json_get(asked, keys[i])));
    jw_kv_time(w, "expires_at", expiry && !expiry->frozen ? expiry->due_at : 0);
    jw_end(w);
}

static void waiting_write(struct session *s, struct jw *w)
{
    struct scope *was = s->at;
    jw_array(w);
    scopes_foreach(it, s)
    {
        s->at = scope_of(it);
        for (unsigned n = 0; n < s->at->wf->node_count; n++)
            if (s->at->nodes[n].phase == PHASE_SUSPENDED)
                waiting_write_one(s, w, n);
    }
    jw_end(w);
    s->at = was;
}

static void usage_write(const struct session *s, struct jw *w)
{
    jw_object(w);
    usage_totals_write(s, w);
    if (s->budget.raised)
        budget_write(w, "budget", &s->budget);
    jw_end(w);
}

/* ---- the engine's own state ---- */

static void id_write(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    if (id_is_zero(id))
        return;
    id_format(id, text);
    jw_kv_stringz(w, key, text);
}

/* The text shown so far, of a stream that a pause holds: after a restart a cancel still keeps it.
 */
static void stream_write(const struct session *s, struct jw *w, const struct work *work)
{
    if (s->status != SESSION_PAUSED || !work_speaks(work))
        return;
    jw_kv_i64(w, "index", work->next_index);
    if (work->text.len)
        jw_kv_string(w, "text", buf_str(&work->text));
    if (work->watch_from)
        jw_kv_i64(w, "watched_from", (int64_t)work->watch_from);
}

static void call_write(const struct session *s, struct jw *w, const struct work *c)
{
    stream_write(s, w, c);
    meter_write(s, c, w);
    if (c->said)
        jw_kv_i64(w, "said", c->said);
}

/* A run's only call, under the run's own id, needs no list. */
static bool call_is_plain(const struct node_state *ns)
{
    const struct work *w = ns->work;
    return !w->next && !w->ordinal && id_eq(w->id, ns->run_id) &&
           (!work_speaks(w) || id_eq(w->message_id, ns->message_id));
}

static void calls_write(const struct session *s, struct jw *w, const struct node_state *ns)
{
    if (call_is_plain(ns)) {
        call_write(s, w, ns->work);
        return;
    }
    jw_key(w, "calls");
    jw_array(w);
    for (const struct work *c = ns->work; c; c = c->next) {
        jw_object(w);
        id_write(w, "id", c->id);
        jw_kv_i64(w, "n", c->ordinal);
        if (work_speaks(c))
            id_write(w, "message", c->message_id);
        call_write(s, w, c);
        jw_end(w);
    }
    jw_end(w);
}

/* Of an item's nodes only those that began last have rows of the newest iteration. As a text, so
 * that nothing is nested deeper than it was. */
static void output_write_inner(const struct session *s, struct jw *w, unsigned n)
{
    const struct node_state *ns = &s->at->nodes[n];
    int64_t newest = s->root.nodes[node_def(s, n)->doc].iteration;
    if (ns->output.p && (ns->output_iteration != ns->iteration || ns->iteration != newest))
        jw_kv_string(w, "out", ns->output);
}

static void node_write(const struct session *s, struct jw *w, unsigned n)
{
    const struct node_state *ns = &s->at->nodes[n];
    if (ns->phase == PHASE_IDLE && !ns->iteration)
        return;
    jw_key_str(w, node_def(s, n)->id);
    jw_object(w);
    jw_kv_stringz(w, "phase", phase_word(ns->phase));
    if (s->at->parent)
        jw_kv_stringz(w, "status", node_status_word(ns->status));
    jw_kv_i64(w, "iteration", ns->iteration);
    jw_kv_i64(w, "attempt", ns->attempt);
    if (ns->failures)
        jw_kv_i64(w, "failures", ns->failures);
    if (ns->retry)
        jw_kv_bool(w, "retry", true);
    if (ns->next_round)
        jw_kv_bool(w, "next_round", true);
    if (phase_is_active(ns->phase)) { /* of a settled node nothing is left to tell */
        id_write(w, "run", ns->run_id);
        id_write(w, "key", ns->logical_id);
        id_write(w, "message", ns->message_id);
    }
    if (ns->work)
        calls_write(s, w, ns);
    else if (s->at->parent && ns->progress.p && phase_is_active(ns->phase))
        jw_kv_string(w, "progress", ns->progress); /* its row may be of an older iteration */
    /* Rows of older iterations are not read back, so an output that outlived its own stands here.
     */
    if (s->at->parent)
        output_write_inner(s, w, n);
    else if (ns->output.p && ns->output_iteration != ns->iteration)
        jw_kv_raw(w, "output", ns->output);
    jw_end(w);
}

static void bits_write(struct jw *w, const char *key, const uint64_t *bits, unsigned words)
{
    jw_key(w, key);
    jw_array(w);
    for (unsigned i = 0; i < words; i++)
        for (uint64_t left = bits[i]; left; left &= left - 1)
            jw_i64(w, i * 64 + (unsigned)__builtin_ctzll(left));
    jw_end(w);
}

static void queues_write(const struct session *s, struct jw *w)
{
    jw_key(w, "ready");
    jw_array(w);
    for (unsigned i = s->at->ready_head; i < s->at->ready_len; i++)
        if (s->at->nodes[s->at->ready[i]].phase == PHASE_READY)
            jw_i64(w, s->at->ready[i]);
    jw_end(w);
    jw_key(w, "queued");
    jw_array(w);
    for (unsigned i = 0; i < s->at->queued_len; i++)
        if (s->at->nodes[s->at->wf->edges[s->at->queued[i]].to].phase == PHASE_QUEUED)
            jw_i64(w, s->at->queued[i]);
    jw_end(w);
}

static void loops_write(const struct session *s, struct jw *w)
{
    jw_key(w, "loops");
    jw_object(w);
    for (unsigned i = 0; i < s->at->loop_count; i++) {
        const struct loop_state *l = &s->at->loops[i];
        if (!l->round)
            continue;
        jw_key_str(w, node_def(s, l->node)->id);
        jw_object(w);
        jw_kv_i64(w, "round", l->round);
        jw_key(w, "history");
        jw_array(w);
        for (unsigned k = 0; k < l->history_len; k++)
            jw_double(w, l->history[k]);
        jw_end(w);
        if (l->mark.p)
            jw_kv_raw(w, "mark", l->mark);
        jw_end(w);
    }
    jw_end(w);
}

static void frozen_write(const struct session *s, struct jw *w)
{
    jw_key(w, "frozen");
    jw_array(w);
    list_foreach(it, &s->timers)
    {
        const struct timer *t = container_of(it, struct timer, link);
        if (!t->frozen)
            continue;
        jw_object(w);
        jw_kv_stringz(w, "for", timer_purpose_word(t->purpose));
        timer_write_owner(w, t);
        jw_kv_i64(w, "left_ms", t->left_ms);
        jw_end(w);
    }
    jw_end(w);
}

/* The graph state of s->at, into an object that is open. */
static void graph_write(const struct session *s, struct jw *w)
{
    jw_key(w, "runs");
    jw_object(w);
    for (unsigned n = 0; n < s->at->wf->node_count; n++)
        node_write(s, w, n);
    jw_end(w);
    bits_write(w, "live", s->at->live, s->at->edge_words);
    bits_write(w, "fresh", s->at->fresh, s->at->edge_words);
    queues_write(s, w);
    loops_write(s, w);
}

/* All but the session's own, each after those around it: {in: its container's run, item, ...}. */
static void scopes_write(struct session *s, struct jw *w)
{
    if (s->scopes.next->next == &s->scopes)
        return;
    jw_key(w, "scopes");
    jw_array(w);
    scopes_foreach(it, s)
    {
        struct scope *c = scope_of(it);
        if (!c->parent)
            continue;
        s->at = c;
        jw_object(w);
        id_write(w, "in", c->parent->nodes[c->owner].run_id);
        jw_kv_i64(w, "item", c->item);
        if (c->failed) {
            jw_kv_string(w, "fail_code", c->fail_code);
            jw_kv_string(w, "fail_text", c->fail_text);
        }
        graph_write(s, w);
        jw_end(w);
    }
    jw_end(w);
    s->at = &s->root;
}

static void state_write(struct session *s, struct jw *w)
{
    struct scope *was = s->at;
    s->at = &s->root;
    jw_object(w);
    if (!session_over(s)) {
        jw_kv_i64(w, "v", 1);
        jw_kv_i64(w, "nodes", s->wf->node_count);
        jw_kv_i64(w, "edges", s->wf->edge_count);
        jw_kv_i64(w, "starts", s->starts);
        jw_kv_i64(w, "ord", s->next_ord);
        jw_kv_bool(w, "hold", s->hold);
        jw_kv_bool(w, "timers_run", s->timers_run);
        spend_write(s, w);
        breaker_write(s, w);
        files_write(s, w);
        graph_write(s, w);
        scopes_write(s, w);
        frozen_write(s, w);
        signals_write(s, w);
        said_write(s, w);
        attachments_write(s, w);
    }
    jw_end(w);
    s->at = was;
}

void core_fill(struct session *s, struct arena *a, struct session_core *core)
{
    struct buf b;
    struct jw w;
    buf_init(&b, EVENTS_BYTES_HARD);
    jw_init(&w, &b);
    statuses_write(s, &w);
    core->node_statuses_json = take(a, &b);
    jw_init(&w, &b);
    waiting_write(s, &w);
    core->waiting_json = take(a, &b);
    jw_init(&w, &b);
    usage_write(s, &w);
    core->usage_json = take(a, &b);
    jw_init(&w, &b);
    state_write(s, &w);
    core->state_json = take(a, &b);
    buf_deinit(&b);
    core->status = str_of(session_status_word(s->status));
    core->reason = copy(a, s->reason);
    core->output_json = copy(a, s->output);
    core->error_json = copy(a, s->error);
    core->vars_json = copy(a, vars_text(s));
    core->last_seq = s->seq;
    core->busy = s->status == SESSION_RUNNING && (s->busy_count || !list_empty(&s->stirred));
    core->started_at = s->started_at;
    core->ended_at = s->ended_at;
    core->updated_at = s->updated_at;
}

/* ---- the take ---- */

static void rows_drop_undone(struct session *s)
{
    for (struct effect_row **r = &s->made->out.effects_new; *r;)
        if (id_is_zero((*r)->run_id))
            *r = (*r)->next;
        else
            r = &(*r)->next;
    for (struct task_row **r = &s->made->out.tasks_new; *r;)
        if (id_is_zero((*r)->task_id))
            *r = (*r)->next;
        else
            r = &(*r)->next;
    for (struct timer_row **r = &s->made->out.timers_set; *r;)
        if (id_is_zero((*r)->timer_id))
            *r = (*r)->next;
        else
            r = &(*r)->next;
}

static void rows_add_withheld(struct session *s)
{
    struct withheld_row **tail = &s->made->out.withheld;
    list_foreach(it, &s->withheld)
    {
        struct withheld *w = container_of(it, struct withheld, link);
        if (w->stored)
            continue;
        struct withheld_row *r = arena_alloc(&s->made->out.arena, sizeof(*r));
        r->ord = w->ord;
        r->input_json = copy(&s->made->out.arena, buf_str(w->fresh.len ? &w->fresh : &w->json));
        *tail = r;
        tail = &r->next;
        w->stored = w->has_rows = true;
        buf_deinit(&w->fresh);
    }
}

static struct effect *effects_alive(struct session *s)
{
    struct effect *first = NULL, **tail = &first;
    for (struct effect_out *o = s->made->effects; o; o = o->next) {
        if (o->dead)
            continue;
        o->e.next = NULL;
        *tail = &o->e;
        tail = &o->e.next;
    }
    return first;
}

bool engine_take_delta(struct session *s, int64_t now_ms, struct delta *d, struct effect **effects)
{
    if (!session_has_output(s))
        return false;
    made_want(s);
    containers_write(s);
    rows_drop_undone(s);
    rows_add_withheld(s);
    s->made->out.session_id = s->id;
    s->made->out.epoch = s->epoch;
    s->made->out.at = now_ms;
    if (s->core_dirty || s->is_new) {
        struct session_core *core = arena_alloc(&s->made->out.arena, sizeof(*core));
        core_fill(s, &s->made->out.arena, core);
        budget_saved(s);
        s->made->out.core = core;
    }
    if (s->is_new) {
        s->made->out.is_new = true;
        s->made->out.created_at = s->created_at;
        s->is_new = false;
        s->made->out.meta = meta_taken(s, &s->made->out.arena);
    } else if (s->meta_dirty) {
        s->made->out.meta = meta_taken(s, &s->made->out.arena);
    }
    s->made->out.version = s->version;
    *effects = effects_alive(s);
    *d = s->made->out;
    made_given(s);
    return true;
}
