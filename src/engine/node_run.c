#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* A run is one attempt of one node. Its row is written whenever it moves. */

typedef void start_fn(struct session *s, unsigned n);

static start_fn *const starters[KIND_COUNT] = {
    [KIND_START] = node_start_start,
    [KIND_END] = node_start_end,
    [KIND_LLM] = node_start_model,
    [KIND_AGENT] = node_start_model,
    [KIND_TRANSFORM] = node_start_transform,
    [KIND_SWITCH] = node_start_switch,
    [KIND_PARALLEL] = node_start_parallel,
    [KIND_LOOP] = node_start_loop,
    [KIND_HUMAN_REVIEW] = node_start_review,
    [KIND_USER_INPUT] = node_start_input,
    [KIND_WAIT] = node_start_wait,
    [KIND_SCRIPT] = node_start_script,
    [KIND_MAP] = node_start_map,
    [KIND_SEQUENCE] = node_start_sequence,
    [KIND_TOOL] = node_start_tool,
    [KIND_SIGNAL] = node_start_signal,
    [KIND_STAGE] = node_start_stage,
    [KIND_TASK] = node_start_task,
    [KIND_SUBWORKFLOW] = node_start_child,
    [KIND_PLUGIN] = node_start_plugin,
    [KIND_VOTE] = node_start_vote,
    [KIND_FACT_CHECK] = node_start_facts,
    [KIND_CONTEXT_SYNTH] = node_start_synth,
    [KIND_MEMORY_RETRIEVAL] = node_start_memory,
};

/* ---- rows ---- */

static struct str row_copy(struct session *s, struct str text)
{
    if (!text.p)
        return STR_NULL;
    return (struct str){arena_strdup(&s->made->out.arena, text), text.n};
}

void run_row_sync(struct session *s, unsigned n)
{
    struct node_state *ns = &s->at->nodes[n];
    const struct node_def *def = node_def(s, n);
    if (!ns->row || ns->row_gen != s->gen || !id_eq(ns->row->run_id, ns->run_id)) {
        ns->row = arena_alloc(&s->made->out.arena, sizeof(*ns->row));
        ns->row_gen = s->gen;
        *s->made->runs_tail = ns->row;
        s->made->runs_tail = &ns->row->next;
        ns->row->run_id = ns->run_id;
        ns->row->node_id = row_copy(s, def->id);
        ns->row->kind = str_of(def->plugin ? def->plugin->name : node_kind_word(def->kind));
        ns->row->branch = row_copy(s, def->branch);
        ns->row->iteration = ns->iteration;
        ns->row->attempt = ns->attempt;
        ns->row->started_at = ns->started_at;
        if (ns->work && ns->work->interrupt.p)
            ns->row->interrupt_json = row_copy(s, ns->work->interrupt);
        ns->row->progress_json = row_copy(s, ns->progress);
        if (ns->work && ns->work->container)
            ns->work->container->changed = true; /* its progress is written at the take */
        s->out_any = true;
    }
    ns->row->status = str_of(node_status_word(ns->status));
}

static void run_row_end(struct session *s, unsigned n, struct str output, struct str error)
{
    run_row_sync(s, n);
    struct run_row *r = s->at->nodes[n].row;
    r->output_json = row_copy(s, output);
    r->error_json = row_copy(s, error);
    if (!s->at->nodes[n].progress.p)
        r->progress_json = STR_NULL;
    r->ended_at = s->now;
}

/* ---- start ---- */

static void run_new(struct session *s, unsigned n, bool again)
{
    struct node_state *ns = &s->at->nodes[n];
    ns->run_id = id_new(s->in->ids, (uint64_t)s->now);
    ns->started_at = s->now;
    ns->run_id_used = false;
    if (again) {
        ns->attempt++;
    } else {
        ns->iteration = ++s->root.nodes[node_def(s, n)->doc].iteration; /* over all scopes */
        ns->attempt = 1;
        ns->failures = 0;
        ns->logical_id = ns->run_id;
        ns->message_id = (struct id){{0}};
        own_set(&ns->progress, STR_NULL);
        edges_consume(s, n);
    }
    ns->retry = false;
    bit_clear(s->at->unsettled, n);
    if (s->replay)
        replay_count_start(s, n);
}

void run_begin(struct session *s, unsigned n, bool again)
{
    run_new(s, n, again);
    node_status_set(s, n, NODE_RUNNING);
    phase_set(s, n, PHASE_RUNNING);
    run_row_sync(s, n);
    event_node_move(s, n, NODE_PENDING, STR_NULL, STR_NULL);
}

void node_skip(struct session *s, unsigned n)
{
    run_new(s, n, false);
    node_status_set(s, n, NODE_SKIPPED);
    phase_set(s, n, PHASE_DONE);
    run_row_end(s, n, STR_NULL, STR_NULL);
    event_node_move(s, n, NODE_PENDING, STR_NULL, STR_NULL);
    step_settled(s, n);
}

static bool start_is_runaway(struct session *s)
{
    if (++s->starts <= ENGINE_STEPS_MAX)
        return false;
    session_fail(s, "runaway", STR("The session started too many nodes; a loop without an end?"),
                 -1);
    return true;
}

/* The run has begun: whatever its kind does. */
static void run_go(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    starters[def->kind](s, n);
    if (def->timeout_ms > 0 && s->at->nodes[n].work && !kind_suspends(def->kind))
        timer_add(s, FOR_TIMEOUT, (int)n, def->timeout_ms);
}

void node_start(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    bool again = s->at->nodes[n].retry, holds = true;
    struct errbuf e = {{0}};
    int rc = 0;
    if (start_is_runaway(s))
        return;
    if (!again && def->when.p)
        rc = eval_bool(s, n, def->when, &holds, &e);
    if (!rc && !holds) {
        node_skip(s, n);
        return;
    }
    run_begin(s, n, again);
    if (rc) {
        node_failz(s, n, "invalid_expression", e.text);
        return;
    }
    run_go(s, n);
}

void node_start_unmet(struct session *s, unsigned n)
{
    if (start_is_runaway(s))
        return;
    run_begin(s, n, false);
    if (node_def(s, n)->kind == KIND_STAGE && stage_depends(s, n) == JOIN_IMPOSSIBLE)
        node_failz(s, n, "dependency_not_met", "A stage that it depends on was not completed.");
    else
        node_failz(s, n, "join_not_met", "Fewer branches arrived than the join asks for.");
}

/* ---- completed ---- */

static void output_set(struct session *s, unsigned n, struct str output)
{
    struct node_state *ns = &s->at->nodes[n];
    own_set(&ns->output, output);
    ns->output_iteration = ns->iteration;
}

void node_complete(struct session *s, unsigned n, struct str output, int chosen)
{
    struct node_state *ns = &s->at->nodes[n];
    /* What the start node joins was looked at when it came. */
    if (output.n > ENGINE_OUTPUT_BYTES_MAX && node_def(s, n)->kind != KIND_START) {
        node_failz(s, n, "too_large", "The node's output is larger than allowed.");
        return;
    }
    calls_end(s, n, false);
    own_set(&ns->progress, STR_NULL);
    node_status_set(s, n, NODE_COMPLETED);
    output_set(s, n, output);
    run_row_end(s, n, ns->output, STR_NULL);
    event_node_move(s, n, NODE_RUNNING, ns->output, STR_NULL);
    phase_set(s, n, PHASE_DONE);
    if (node_def(s, n)->kind == KIND_END) {
        s->at->end_ran = true;
        s->at->end_check = true;
    }
    step_settled(s, n);
    edges_fire(s, n, chosen);
}

/* ---- failed ---- */

static bool failure_is_retryable(const struct node_def *def, const struct node_state *ns,
                                 const char *code)
{
    if (ns->failures >= def->retry.max_attempts || !strcmp(code, "join_not_met") ||
        !strcmp(code, "dependency_not_met"))
        return false;
    if (!json_exists(def->retry.on))
        return strncmp(code, "invalid_", 8) != 0;
    struct json_iter it;
    json_iter_init(&it, def->retry.on);
    while (json_iter_next(&it))
        if (json_string_eq(it.value, code))
            return true;
    return false;
}

static int64_t backoff_ms(const struct retry_policy *r, int64_t failures, int64_t retry_after_ms)
{
    if (retry_after_ms >= 0)
        return retry_after_ms;
    double ms = (double)r->initial_ms, most = (double)r->max_ms;
    for (int64_t i = 1; i < failures && ms < most; i++)
        ms *= r->multiplier;
    return (int64_t)(ms < most ? ms : most);
}

/* The run's last event and row. */
static void run_fail(struct session *s, unsigned n, struct str error)
{
    struct node_state *ns = &s->at->nodes[n];
    enum node_status from = ns->status;
    assert(from == NODE_RUNNING || from == NODE_SUSPENDED);
    node_status_set(s, n, NODE_FAILED);
    run_row_end(s, n, STR_NULL, error);
    event_node_move(s, n, from, STR_NULL, error);
}

static void node_retry(struct session *s, unsigned n, const char *code, struct str message,
                       int64_t retry_after_ms)
{
    struct node_state *ns = &s->at->nodes[n];
    const struct retry_policy *r = &node_def(s, n)->retry;
    int64_t delay = backoff_ms(r, ns->failures, retry_after_ms);
    char text[700];
    int len = snprintf(text, sizeof(text), "Attempt %lld of %u failed (%s): %.*s",
                       (long long)ns->failures, r->max_attempts, code,
                       (int)(message.n > 500 ? 500 : message.n), message.p);
    event_log(s, (int)n, "warn", (struct str){text, (size_t)len});
    node_status_set(s, n, NODE_PENDING);
    ns->retry = true;
    if (delay > 0) {
        phase_set(s, n, PHASE_BACKOFF);
        timer_add(s, FOR_RETRY, (int)n, delay);
    } else {
        ready_push(s, n);
    }
}

static void node_give_up(struct session *s, unsigned n, const char *code, struct str message)
{
    const struct node_def *def = node_def(s, n);
    phase_set(s, n, PHASE_DONE);
    switch (def->on_error) {
    case ON_ERROR_FAIL:
        if (s->at->parent)
            item_fail(s, n, code, message);
        else
            session_fail(s, code, message, (int)n);
        break;
    case ON_ERROR_CONTINUE:
        output_set(s, n, STR("null"));
        s->at->nodes[n].row->output_json = STR("null");
        step_settled(s, n);
        edges_fire(s, n, EDGES_NEXT);
        break;
    case ON_ERROR_GOTO:
        for (unsigned i = 0; i < def->out_count; i++) {
            if (s->at->wf->edges[def->out[i]].kind == EDGE_ERROR) {
                edges_fire(s, n, def->out[i]);
                break;
            }
        }
        break;
    }
}

/* Of the run's calls, the messages that readers have begun to see. */
static struct id *messages_shown(struct session *s, unsigned n, unsigned *count)
{
    struct id *ids = arena_calloc(&s->tmp, calls_count(s, n) + 1, sizeof(*ids));
    for (const struct work *w = s->at->nodes[n].work; w; w = w->next)
        if (w->shown)
            ids[(*count)++] = w->message_id;
    return ids;
}

void node_fail(struct session *s, unsigned n, const char *code, struct str message,
               int64_t retry_after_ms, bool cancel)
{
    struct node_state *ns = &s->at->nodes[n];
    unsigned count = 0;
    ns->failures++;
    bool again = failure_is_retryable(node_def(s, n), ns, code);
    struct str error = error_json(s, code, message, NULL);
    struct id *shown = again ? messages_shown(s, n, &count) : NULL;
    if (!again) {
        model_keep_partial(s, n, "error");
        own_set(&ns->progress, STR_NULL);
    }
    calls_end(s, n, cancel);
    run_fail(s, n, error);
    if (again) {
        for (unsigned i = 0; i < count; i++)
            model_reset(s, n, shown[i], code);
        node_retry(s, n, code, message, retry_after_ms);
    } else {
        node_give_up(s, n, code, message);
    }
}

void node_failz(struct session *s, unsigned n, const char *code, const char *message)
{
    node_fail(s, n, code, str_of(message), -1, true);
}

/* ---- ended from outside ---- */

void node_cancel(struct session *s, unsigned n, const char *code, const char *message)
{
    struct node_state *ns = &s->at->nodes[n];
    own_set(&ns->progress, STR_NULL);
    switch (ns->phase) {
    case PHASE_WAITING:
    case PHASE_QUEUED:
    case PHASE_READY:
    case PHASE_BACKOFF: {
        bool failed_before = ns->phase == PHASE_BACKOFF || ns->retry;
        timers_clear_node(s, (int)n);
        if (failed_before) /* its last attempt did; no other will come */
            node_status_set(s, n, NODE_FAILED);
        ns->retry = ns->next_round = false;
        phase_set(s, n, failed_before ? PHASE_DONE : PHASE_IDLE);
        break;
    }
    case PHASE_RUNNING:
    case PHASE_SUSPENDED:
        model_keep_partial(s, n, "cancelled");
        if (ns->work && ns->work->container)
            container_cancel(s, n, code, message);
        calls_end(s, n, true);
        run_fail(s, n, error_json(s, code, str_of(message), NULL));
        phase_set(s, n, PHASE_DONE);
        break;
    case PHASE_IDLE:
    case PHASE_DONE:
        break;
    }
}

void run_interrupt(struct session *s, unsigned n)
{
    run_fail(s, n, error_json(s, "interrupted", STR("The server was restarted."), NULL));
    s->at->nodes[n].row->progress_json = STR_NULL; /* the next attempt's row has it */
}

void run_redo(struct session *s, unsigned n)
{
    calls_end(s, n, true);
    run_interrupt(s, n);
    run_begin(s, n, true);
    run_go(s, n);
}

/* ---- suspended ---- */

void node_suspend(struct session *s, unsigned n, struct str interrupt, struct id interrupt_id)
{
    struct node_state *ns = &s->at->nodes[n];
    struct work *w = work_begin(s, n, WORK_HUMAN);
    own_set(&w->interrupt, interrupt);
    w->interrupt_id = interrupt_id;
    node_status_set(s, n, NODE_SUSPENDED);
    phase_set(s, n, PHASE_SUSPENDED);
    run_row_sync(s, n);
    ns->row->interrupt_json = row_copy(s, interrupt);
    event_node_move(s, n, NODE_RUNNING, STR_NULL, STR_NULL);
}
