#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/session.h"

/* From rows back to a session: the inverse of delta.c. Stored bytes are judged like a peer's: what
 * does not fit together is ERR_CORRUPT, with a sentence that says where. */

struct restore {
    struct session *s;
    const struct session_image *image;
    struct errbuf *e;
};

static int corrupt(struct restore *r, const char *what)
{
    return err_set(r->e, ERR_CORRUPT, "Session %s does not read back: %s.", r->s->id_text, what);
}

static int checked(struct restore *r, struct str text, enum json_type type, const char *what,
                   struct json *out)
{
    struct json_limits limits = {.bytes_max = 256u << 20, .depth_max = 0};
    char sentence[100];
    *out = JSON_ABSENT;
    snprintf(sentence, sizeof(sentence), "its %s is damaged", what);
    if (!text.p || json_check(text, &limits, NULL))
        return corrupt(r, sentence);
    *out = json_root(text);
    return json_type(*out) == type ? 0 : corrupt(r, sentence);
}

static bool id_get(struct json v, const char *key, struct id *out)
{
    struct json m = json_get_set(v, key);
    return json_type(m) == JSON_STRING && id_parse((struct str){m.p + 1, m.n - 2}, out);
}

static int64_t i64_get(struct json v, const char *key, int64_t otherwise)
{
    json_i64(json_get_set(v, key), &otherwise);
    return otherwise;
}

static bool bool_get(struct json v, const char *key)
{
    bool out = false;
    return json_bool(json_get_set(v, key), &out) && out;
}

/* Node by an id that needs no unescaping (node ids are plain). */
static int node_get(const struct scope *c, struct json v)
{
    if (json_type(v) != JSON_STRING)
        return -1;
    return workflow_find(c->wf, (struct str){v.p + 1, v.n - 2});
}

/* ---- the row's own columns ---- */

static int restore_columns(struct restore *r)
{
    struct session *s = r->s;
    const struct session_core *c = &r->image->row->core;
    struct json usage, vars, state;
    struct json_iter it;
    if (!session_status_parse(c->status, &s->status))
        return corrupt(r, "its status is unknown");
    if (checked(r, c->usage_json, JSON_OBJECT, "usage", &usage) ||
        checked(r, c->vars_json, JSON_OBJECT, "vars", &vars) ||
        checked(r, c->state_json, JSON_OBJECT, "state", &state))
        return ERR_CORRUPT;
    own_set(&s->reason, c->reason);
    own_set(&s->output, c->output_json);
    own_set(&s->error, c->error_json);
    s->input_tokens = i64_get(usage, "input_tokens", 0);
    s->output_tokens = i64_get(usage, "output_tokens", 0);
    spend_restore(s, usage, state);
    json_iter_init(&it, vars);
    while (json_iter_next(&it)) {
        struct buf name;
        buf_init(&name, it.key.n + 1);
        json_iter_key(&it, &name);
        var_set(s, buf_str(&name), json_raw(it.value));
        buf_deinit(&name);
    }
    s->seq = c->last_seq;
    s->created_at = r->image->row->created_at;
    s->started_at = c->started_at;
    s->ended_at = c->ended_at;
    s->updated_at = c->updated_at;
    return 0;
}

static int restore_statuses(struct restore *r)
{
    struct json all;
    struct json_iter it;
    if (checked(r, r->image->row->core.node_statuses_json, JSON_OBJECT, "node_statuses", &all))
        return ERR_CORRUPT;
    json_iter_init(&it, all);
    while (json_iter_next(&it)) {
        int n = workflow_find(r->s->at->wf, it.key);
        if (n < 0 || json_type(it.value) != JSON_STRING ||
            !node_status_parse((struct str){it.value.p + 1, it.value.n - 2},
                               &r->s->at->nodes[n].status))
            return corrupt(r, "node_statuses has a node or a status that the workflow has not");
    }
    return 0;
}

/* ---- runs ---- */

static const struct run_row *run_find(const struct restore *r, struct id run_id)
{
    for (const struct run_row *row = r->image->runs; row; row = row->next)
        if (id_eq(row->run_id, run_id))
            return row;
    return NULL;
}

static enum work_kind work_kind_of(enum node_kind k)
{
    switch (k) {
    case KIND_LLM:
    case KIND_AGENT:
    case KIND_END:
    case KIND_VOTE:
    case KIND_FACT_CHECK:
        return WORK_MODEL;
    case KIND_SCRIPT:
        return WORK_SCRIPT;
    case KIND_TOOL:
    case KIND_CONTEXT_SYNTH:
    case KIND_MEMORY_RETRIEVAL:
        return WORK_TOOL;
    case KIND_TASK:
        return WORK_TASK;
    case KIND_SUBWORKFLOW:
        return WORK_CHILD;
    case KIND_PLUGIN:
        return WORK_PLUGIN;
    case KIND_HUMAN_REVIEW:
    case KIND_USER_INPUT:
    case KIND_SIGNAL:
    case KIND_STAGE:
        return WORK_HUMAN;
    case KIND_WAIT:
    case KIND_START:
    case KIND_TRANSFORM:
    case KIND_SWITCH:
    case KIND_PARALLEL:
    case KIND_LOOP:
    case KIND_COUNT:
        break;
    case KIND_MAP:
    case KIND_SEQUENCE:
        return WORK_CONTAINER;
    }
    return WORK_WAIT;
}

static const struct effect_row *effect_find(const struct restore *r, struct id id)
{
    const struct effect_row *row = r->image->effects;
    while (row && !id_eq(row->run_id, id))
        row = row->next;
    return row;
}

/* Did its end come in while the session was paused? Then its work is done. */
static bool work_has_ended(const struct restore *r, struct id id)
{
    list_foreach(it, &r->s->withheld)
    {
        const struct withheld *held = container_of(it, struct withheld, link);
        bool ends =
            held->kind == IN_MODEL_DONE || held->kind == IN_RUN_DONE || held->kind == IN_RUN_FAILED;
        if (ends && id_eq(held->run_id, id))
            return true;
    }
    return false;
}

static int work_restore_effect(struct restore *r, struct work *w, struct json v)
{
    const struct effect_row *row = effect_find(r, w->id);
    struct json text = json_get_set(v, "text"), request;
    if (!row || !row->request_json.p)
        return corrupt(r, "a running run has no effect");
    if (checked(r, row->request_json, JSON_OBJECT, "effect", &request))
        return ERR_CORRUPT;
    own_set(&w->request, json_raw(request));
    if (w->kind == WORK_CHILD)
        return child_restore(w) ? 0 : corrupt(r, "a child session has no id");
    w->said = i64_get(v, "said", 0);
    w->ended = work_has_ended(r, w->id);
    w->lost = !w->ended;
    if (!work_speaks(w))
        return 0;
    w->next_index = i64_get(v, "index", 0);
    w->shown = true; /* chunks cost no row of their own: some may be out */
    if (json_type(text) == JSON_STRING)
        json_string(text, &w->text);
    int64_t from = i64_get(v, "watched_from", 0);
    w->watch_from =
        from > 0 && (size_t)from <= w->text.len ? (size_t)from : w->text.len * (from > 0);
    meter_restore(r->s, w, v);
    w->lost = w->lost && !w->deferred;
    return 0;
}

static int human_restore(struct restore *r, struct work *w)
{
    const struct run_row *row = run_find(r, w->id);
    struct json asked;
    if (!row || checked(r, row->interrupt_json, JSON_OBJECT, "interrupt", &asked) ||
        !id_get(asked, "interrupt_id", &w->interrupt_id) ||
        json_type(json_get_set(asked, "kind")) != JSON_STRING)
        return corrupt(r, "a suspended node has no interrupt");
    own_set(&w->interrupt, json_raw(asked));
    return 0;
}

static int call_restore(struct restore *r, unsigned n, struct json v)
{
    struct session *s = r->s;
    const struct effect_row *row;
    enum work_kind kind;
    struct id id;
    int64_t ordinal = i64_get(v, "n", -1);
    if (!id_get(v, "id", &id) || ordinal < 0 || ordinal >= CALL_ORDINALS_MAX ||
        table_get(&s->runs, id))
        return corrupt(r, "a call of a run is damaged");
    row = effect_find(r, id);
    if (!row || !work_kind_parse(row->kind, &kind))
        return corrupt(r, "a running run has no effect");
    struct work *w = work_restored(s, n, kind, id, (unsigned)ordinal);
    id_get(v, "message", &w->message_id);
    if (kind == WORK_MODEL && id_is_zero(w->message_id))
        return corrupt(r, "a model call has no message");
    return work_restore_effect(r, w, v);
}

static int calls_restore(struct restore *r, unsigned n, struct json list)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (call_restore(r, n, it.value))
            return ERR_CORRUPT;
    return 0;
}

/* Its items' scopes are restored when all runs around them are there. */
static int work_restore_container(struct restore *r, struct work *w)
{
    struct node_state *ns = &w->scope->nodes[w->node];
    struct json progress = ns->progress.p ? json_root(ns->progress) : JSON_ABSENT;
    if (container_restore(r->s, w->node, w, progress))
        return corrupt(r, "the items of a map are damaged");
    own_set(&ns->progress, STR_NULL);
    return 0;
}

static int work_restore(struct restore *r, unsigned n, struct json v)
{
    struct session *s = r->s;
    struct node_state *ns = &s->at->nodes[n];
    struct json calls = json_get_set(v, "calls");
    enum work_kind kind = work_kind_of(node_def(s, n)->kind);
    if (json_type(calls) == JSON_ARRAY)
        return calls_restore(r, n, calls);
    if (table_get(&s->runs, ns->run_id))
        return corrupt(r, "two runs have one id");
    struct work *w = work_restored(s, n, kind, ns->run_id, 0);
    w->message_id = ns->message_id;
    if (work_has_effect(kind))
        return work_restore_effect(r, w, v);
    if (kind == WORK_CONTAINER)
        return work_restore_container(r, w);
    return kind == WORK_HUMAN ? human_restore(r, w) : 0;
}

/* From the run's row; from the state where an item waits for its next attempt. */
static int progress_restore(struct restore *r, unsigned n, const struct run_row *row,
                            struct json state)
{
    struct json kept = json_get_set(state, "progress"), v;
    struct str text = row ? row->progress_json : STR_NULL;
    if (!phase_is_active(r->s->at->nodes[n].phase))
        return 0;
    if (!text.p && json_type(kept) == JSON_STRING)
        text = json_text(r->s, kept);
    if (!text.p)
        return 0;
    if (checked(r, text, JSON_OBJECT, "progress", &v))
        return ERR_CORRUPT;
    own_set(&r->s->at->nodes[n].progress, json_raw(v));
    return 0;
}

/* What of an item's node stands nowhere else: its status, an output without a row. */
static bool inner_restore(struct restore *r, unsigned n, struct json v)
{
    struct node_state *ns = &r->s->at->nodes[n];
    struct json status = json_get_set(v, "status"), out = json_get_set(v, "out");
    struct buf b;
    if (json_type(status) != JSON_STRING ||
        !node_status_parse((struct str){status.p + 1, status.n - 2}, &ns->status))
        return false;
    if (!json_exists(out))
        return true;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX + 1);
    bool good = json_type(out) == JSON_STRING && json_string(out, &b) && !buf_error(&b) &&
                !json_check(buf_str(&b), NULL, NULL);
    if (good)
        own_set(&ns->output, json_raw(json_root(buf_str(&b))));
    buf_deinit(&b);
    return good;
}

static int restore_run(struct restore *r, unsigned n, struct json v)
{
    struct session *s = r->s;
    struct node_state *ns = &s->at->nodes[n];
    enum phase phase;
    if (!phase_parse(json_get_set(v, "phase"), &phase))
        return corrupt(r, "a node's phase is unknown");
    ns->iteration = i64_get(v, "iteration", 0);
    ns->attempt = i64_get(v, "attempt", 0);
    ns->failures = i64_get(v, "failures", 0);
    ns->retry = bool_get(v, "retry");
    ns->next_round = bool_get(v, "next_round");
    if (s->at->parent && !inner_restore(r, n, v))
        return corrupt(r, "a member of a container is damaged");
    id_get(v, "run", &ns->run_id);
    id_get(v, "key", &ns->logical_id);
    id_get(v, "message", &ns->message_id);
    if (json_exists(json_get_set(v, "output")) || json_exists(json_get(v, "output")))
        own_set(&ns->output, json_raw(json_get(v, "output")));
    if (ns->iteration)
        bit_clear(s->at->unsettled, n);
    const struct run_row *row = run_find(r, ns->run_id);
    if (row)
        ns->started_at = row->started_at;
    phase_set(s, n, phase);
    bool running = phase == PHASE_RUNNING, suspended = phase == PHASE_SUSPENDED;
    if ((running && ns->status != NODE_RUNNING) || (suspended && ns->status != NODE_SUSPENDED))
        return corrupt(r, "a node's status is not that of its run");
    if (progress_restore(r, n, row, v))
        return ERR_CORRUPT;
    return running || suspended ? work_restore(r, n, v) : 0;
}

static int restore_runs(struct restore *r, struct json state)
{
    struct json_iter it;
    json_iter_init(&it, json_get_set(state, "runs"));
    while (json_iter_next(&it)) {
        int n = workflow_find(r->s->at->wf, it.key);
        if (n < 0)
            return corrupt(r, "its state has a node that the workflow has not");
        if (restore_run(r, (unsigned)n, it.value))
            return ERR_CORRUPT;
    }
    return 0;
}

/* Each node's newest output: of the runs that have one, the last. */
static int restore_outputs(struct restore *r)
{
    struct session *s = r->s;
    int64_t *attempts = mem_calloc(s->at->wf->node_count, sizeof(*attempts));
    for (const struct run_row *row = r->image->runs; row; row = row->next) {
        int n = workflow_find(s->at->wf, row->node_id);
        if (n < 0) {
            free(attempts);
            return corrupt(r, "a run is of a node that the workflow has not");
        }
        struct node_state *ns = &s->at->nodes[n];
        if (!row->output_json.p || row->iteration < ns->output_iteration ||
            !node_is_here(s, (unsigned)n) ||
            (row->iteration == ns->output_iteration && row->attempt < attempts[n]))
            continue;
        own_set(&ns->output, row->output_json);
        ns->output_iteration = row->iteration;
        attempts[n] = row->attempt;
    }
    free(attempts);
    return 0;
}

/* Of an item's node: that of its own iteration, when that is the newest. */
static void restore_outputs_inner(struct restore *r)
{
    struct scope *c = r->s->at;
    for (const struct run_row *row = r->image->runs; row; row = row->next) {
        int n = row->output_json.p ? workflow_find(c->wf, row->node_id) : -1;
        if (n < 0 || c->nodes[n].iteration != row->iteration ||
            (c->nodes[n].output.p && c->nodes[n].output_iteration != row->iteration))
            continue;
        own_set(&c->nodes[n].output, row->output_json);
        c->nodes[n].output_iteration = row->iteration;
    }
}

/* ---- sets and queues ---- */

static int restore_bits(struct restore *r, struct json list, uint64_t *bits)
{
    struct json_iter it;
    int64_t edge;
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        if (!json_i64(it.value, &edge) || edge < 0 || edge >= r->s->at->wf->edge_count)
            return corrupt(r, "its state has an edge that the workflow has not");
        bit_set(bits, (unsigned)edge);
    }
    return 0;
}

static int restore_queues(struct restore *r, struct json state)
{
    struct session *s = r->s;
    struct json_iter it;
    int64_t i;
    json_iter_init(&it, json_get_set(state, "ready"));
    while (json_iter_next(&it)) {
        if (!json_i64(it.value, &i) || i < 0 || i >= s->at->wf->node_count ||
            s->at->nodes[i].phase != PHASE_READY)
            return corrupt(r, "its ready queue is damaged");
        ready_push(s, (unsigned)i);
    }
    json_iter_init(&it, json_get_set(state, "queued"));
    while (json_iter_next(&it)) {
        if (!json_i64(it.value, &i) || i < 0 || i >= s->at->wf->edge_count ||
            s->at->nodes[s->at->wf->edges[i].to].phase != PHASE_QUEUED)
            return corrupt(r, "its queue of branches is damaged");
        queue_push(s, (unsigned)i);
    }
    return 0;
}

static int restore_loops(struct restore *r, struct json state)
{
    struct json_iter it, scores;
    double score;
    json_iter_init(&it, json_get_set(state, "loops"));
    while (json_iter_next(&it)) {
        int n = workflow_find(r->s->at->wf, it.key);
        struct loop_state *l = n < 0 ? NULL : loop_find(r->s, (unsigned)n);
        if (!l)
            return corrupt(r, "its state has a loop that the workflow has not");
        l->round = i64_get(it.value, "round", 0);
        json_iter_init(&scores, json_get_set(it.value, "history"));
        while (json_iter_next(&scores))
            if (json_double(scores.value, &score))
                loop_push_score(l, score);
        if (json_type(json_get(it.value, "mark")) == JSON_OBJECT)
            own_set(&l->mark, json_raw(json_get(it.value, "mark")));
    }
    return 0;
}

/* ---- timers ---- */

static struct scope *timer_scope(struct restore *r, struct json v)
{
    struct session *s = r->s;
    struct id in;
    if (!id_get(v, "in", &in))
        return &s->root;
    const struct work *w = table_get(&s->runs, in);
    int64_t item = i64_get(v, "item", -1);
    scopes_foreach(it, s)
    {
        struct scope *c = scope_of(it);
        if (w && c->parent == w->scope && c->owner == w->node && c->item == item)
            return c;
    }
    return NULL;
}

static int timer_restore(struct restore *r, struct json v, struct timer **out)
{
    struct timer *t = mem_zalloc(sizeof(*t));
    list_append(&r->s->timers, &t->link);
    t->scope = &r->s->root;
    t->node = -1;
    *out = t;
    if (!timer_purpose_parse(json_get_set(v, "for"), &t->purpose))
        return corrupt(r, "a timer's purpose is unknown");
    if (t->purpose != FOR_CONTINUE) {
        struct scope *c = timer_scope(r, v);
        t->node = c ? node_get(c, json_get_set(v, "node")) : -1;
        if (t->node < 0 || !phase_is_active(c->nodes[t->node].phase))
            return corrupt(r, "a timer is of a node that does not wait");
        t->scope = c;
    }
    return 0;
}

static int restore_timers(struct restore *r, struct json state)
{
    struct timer *t = NULL;
    struct json_iter it;
    for (const struct timer_row *row = r->image->timers; row; row = row->next) {
        struct json v;
        if (checked(r, row->purpose_json, JSON_OBJECT, "timer", &v) || timer_restore(r, v, &t))
            return ERR_CORRUPT;
        t->id = row->timer_id;
        t->due_at = row->due_at;
    }
    json_iter_init(&it, json_get_set(state, "frozen"));
    while (json_iter_next(&it)) {
        if (timer_restore(r, it.value, &t))
            return ERR_CORRUPT;
        t->frozen = true;
        t->left_ms = i64_get(it.value, "left_ms", 0);
    }
    return 0;
}

static int restore_signals(struct restore *r, struct json state)
{
    struct json_iter it;
    json_iter_init(&it, json_get_set(state, "signals"));
    while (json_iter_next(&it)) {
        if (json_type(it.value) != JSON_OBJECT)
            return corrupt(r, "a signal that waits is damaged");
        signal_push(r->s, json_raw(it.value));
    }
    return 0;
}

static int restore_withheld(struct restore *r)
{
    struct session *s = r->s;
    for (const struct withheld_row *row = r->image->withheld; row; row = row->next) {
        struct engine_input in;
        struct json v;
        if (checked(r, row->input_json, JSON_OBJECT, "withheld input", &v) ||
            !withheld_parse(row->input_json, s, &in))
            return corrupt(r, "a withheld input is damaged");
        if (row->ord > s->next_ord)
            s->next_ord = row->ord;
        if (withheld_extend(s, &in, true))
            continue;
        struct withheld *w = mem_zalloc(sizeof(*w));
        w->ord = row->ord;
        w->kind = in.kind;
        w->run_id = in.run_id;
        w->is_thinking = in.is_thinking;
        w->stored = w->has_rows = true;
        buf_init(&w->json, ENGINE_REQUEST_BYTES_MAX * 6);
        buf_append_str(&w->json, row->input_json);
        s->withheld_bytes += w->json.len;
        list_append(&s->withheld, &w->link);
    }
    return 0;
}

/* ---- all of it ---- */

/* The graph state of s->at. */
static int restore_graph(struct restore *r, struct json v)
{
    struct scope *c = r->s->at;
    if (restore_runs(r, v))
        return ERR_CORRUPT;
    if (c->parent)
        restore_outputs_inner(r);
    else if (restore_outputs(r))
        return ERR_CORRUPT;
    if (restore_bits(r, json_get_set(v, "live"), c->live) ||
        restore_bits(r, json_get_set(v, "fresh"), c->fresh) || restore_queues(r, v) ||
        restore_loops(r, v))
        return ERR_CORRUPT;
    c->recheck = true;
    scope_stir(r->s, c);
    return 0;
}

static int restore_scope(struct restore *r, struct json v)
{
    struct session *s = r->s;
    struct json code = json_get_set(v, "fail_code"), text = json_get_set(v, "fail_text");
    struct id in = {{0}};
    id_get(v, "in", &in);
    const struct work *w = table_get(&s->runs, in);
    struct scope *c = NULL;
    if (w && w->container) {
        s->at = w->scope;
        c = item_restore(s, w->node, i64_get(v, "item", -1));
    }
    if (!c)
        return corrupt(r, "its state has an item of no container");
    s->at = c;
    c->failed = json_type(code) == JSON_STRING && json_type(text) == JSON_STRING;
    if (c->failed) {
        own_set(&c->fail_code, json_text(s, code));
        own_set(&c->fail_text, json_text(s, text));
    }
    return restore_graph(r, v);
}

static int restore_scopes(struct restore *r, struct json list)
{
    struct json_iter it;
    int rc = 0;
    json_iter_init(&it, list);
    while (json_iter_next(&it) && !rc)
        rc = restore_scope(r, it.value);
    r->s->at = &r->s->root;
    return rc;
}

static int restore_state(struct restore *r)
{
    struct session *s = r->s;
    struct json state;
    if (checked(r, r->image->row->core.state_json, JSON_OBJECT, "state", &state))
        return ERR_CORRUPT;
    if (i64_get(state, "v", 0) != 1 || i64_get(state, "nodes", 0) != s->at->wf->node_count ||
        i64_get(state, "edges", 0) != s->at->wf->edge_count)
        return corrupt(r, "its state is of another workflow or version");
    s->starts = i64_get(state, "starts", 0);
    s->next_ord = i64_get(state, "ord", 0);
    s->hold = bool_get(state, "hold");
    s->timers_run = bool_get(state, "timers_run");
    if (!files_restore(s, state))
        return corrupt(r, "its files are damaged");
    if (!breaker_restore(s, state))
        return corrupt(r, "its breaker is unknown");
    if (restore_withheld(r) || restore_graph(r, state) ||
        restore_scopes(r, json_get_set(state, "scopes")) || restore_timers(r, state) ||
        restore_signals(r, state))
        return ERR_CORRUPT;
    attachments_restore(s, state);
    if (!said_restore(s, state))
        return corrupt(r, "what was said is damaged");
    s->root.end_ran = s->root.end_check = true; /* looked at again in the next drain */
    return 0;
}

int session_restore(struct session **out, struct workflow *wf, struct expr_vm *vm, uint64_t epoch,
                    const struct session_image *image, struct errbuf *e)
{
    struct session *s = session_alloc(wf, vm);
    struct restore r = {.s = s, .image = image, .e = e};
    session_set_id(s, image->row->id);
    s->epoch = epoch;
    s->version = image->row->version;
    session_copy_meta(s, &image->row->meta);
    arena_init(&s->tmp);
    int rc = restore_columns(&r);
    if (!rc)
        rc = restore_statuses(&r);
    if (!rc && !session_over(s))
        rc = restore_state(&r);
    struct errbuf broken;
    if (!rc && session_verify(s, &broken))
        rc = corrupt(&r, broken.text);
    arena_deinit(&s->tmp);
    s->core_dirty = false; /* as stored */
    made_rest(s);
    if (rc)
        session_destroy(s);
    else
        *out = s;
    return rc;
}

/* IN_RECOVER: what the old process held in its hands is taken up again. */
void session_recover(struct session *s)
{
    if (session_over(s))
        return;
    list_foreach(it, &s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (t->frozen)
            continue;
        struct effect_out *o = effect_push(s, EFFECT_TIMER_SET);
        o->e.timer_id = t->id;
        o->e.due_at = t->due_at;
    }
    children_recover(s);
    if (s->status == SESSION_PAUSED) {
        effect_push(s, EFFECT_GATE_CLOSE);
        return; /* nothing may be seen before the resume: lost runs wait for it */
    }
    lost_restart(s);
}
