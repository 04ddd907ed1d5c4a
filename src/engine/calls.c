#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

#define PLUGIN_INTERRUPTIONS_MAX 4 /* of one iteration, by restarts of the server */

/* The calls of a run. What comes in goes to the call it is for, and from there to its node's kind;
 * what the run has gathered so far is its progress, written with the step that changed it. */

static const struct call_ops model_ops = {
    .done = model_done, .failed = model_failed, .keeps_request = model_goes_on};
static const struct call_ops vote_ops = {.done = vote_done,
                                         .failed = vote_failed,
                                         .agent_id = vote_agent_id,
                                         .keeps_request = question_keeps_request};
static const struct call_ops facts_ops = {
    .done = facts_done, .failed = facts_failed, .keeps_request = question_keeps_request};
static const struct call_ops synth_ops = {.done = synth_done};
static const struct call_ops memory_ops = {.done = memory_done};
static const struct call_ops report_ops = {.done = model_done};
static const struct call_ops plain_ops = {.done = run_done};
static const struct call_ops task_ops = {.done = run_done, .failed = task_failed};
static const struct call_ops worker_ops = {.done = worker_done};

static const struct call_ops *call_ops_of(enum node_kind k)
{
    static const struct call_ops *const table[KIND_COUNT] = {
        [KIND_LLM] = &model_ops,           [KIND_AGENT] = &model_ops,
        [KIND_END] = &report_ops,          [KIND_SCRIPT] = &worker_ops,
        [KIND_PLUGIN] = &worker_ops,       [KIND_TASK] = &task_ops,
        [KIND_VOTE] = &vote_ops,           [KIND_FACT_CHECK] = &facts_ops,
        [KIND_CONTEXT_SYNTH] = &synth_ops, [KIND_MEMORY_RETRIEVAL] = &memory_ops,
    };
    return table[k] ? table[k] : &plain_ops;
}

static const struct call_ops *ops_of(const struct work *w)
{
    return call_ops_of(w->scope->wf->nodes[w->node].kind);
}

/* ---- ids ---- */

static uint64_t mix(uint64_t x) /* the finalizer of splitmix64: every bit depends on every bit */
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* An id that follows from the run's and the ordinal alone. */
static struct id id_derive(struct id base, uint64_t ordinal, uint64_t salt)
{
    uint64_t half[2];
    struct id out;
    memcpy(half, base.b, sizeof(half));
    uint64_t a = mix(half[0] ^ mix(half[1] + salt) ^ mix(ordinal * UINT64_C(0x9e3779b97f4a7c15)));
    uint64_t b = mix(a + mix(half[1] ^ ordinal) + half[0]);
    memcpy(out.b, &a, 8);
    memcpy(out.b + 8, &b, 8);
    out.b[8] = (uint8_t)((out.b[8] & 0x3f) | 0x80);
    return out;
}

struct id call_key(const struct node_state *ns, unsigned ordinal)
{
    if (!ordinal)
        return ns->logical_id;
    struct id key = id_derive(ns->logical_id, ordinal, 1);
    key.b[6] = (uint8_t)((key.b[6] & 0x0f) | 0x80); /* UUIDv8: made by a rule of our own */
    return key;
}

/* Of the time of the run's first attempt, in the order of the ordinals; the same when tried again.
 */
struct id call_message_id(struct session *s, struct node_state *ns, unsigned ordinal)
{
    if (!ordinal) {
        if (id_is_zero(ns->message_id))
            ns->message_id = id_new(s->in->ids, (uint64_t)s->now);
        return ns->message_id;
    }
    struct id id = id_derive(ns->logical_id, ordinal, 2);
    memcpy(id.b, ns->logical_id.b, 6);
    id.b[6] = (uint8_t)(0x70 | (ordinal >> 8 & 0x0f));
    id.b[7] = (uint8_t)ordinal;
    return id;
}

/* ---- life ---- */

/* At the end of its node's list. */
static void work_attach(struct session *s, struct work *w)
{
    struct work **at = &w->scope->nodes[w->node].work;
    while (*at)
        at = &(*at)->next;
    w->next = NULL;
    *at = w;
    table_put(&s->runs, w->id, w);
    s->core_dirty = true;
}

static struct work *work_new(struct session *s, unsigned n, enum work_kind kind)
{
    struct work *w = mem_zalloc(sizeof(*w));
    w->scope = s->at;
    w->node = n;
    w->kind = kind;
    buf_init(&w->text, ENGINE_OUTPUT_BYTES_MAX);
    if (work_has_effect(kind))
        s->busy_count++;
    return w;
}

/* A run's only piece of work, under the run's own id. */
struct work *work_begin(struct session *s, unsigned n, enum work_kind kind)
{
    struct work *w = work_new(s, n, kind);
    struct node_state *ns = &s->at->nodes[n];
    w->id = ns->run_id;
    w->key = ns->logical_id;
    ns->run_id_used = true;
    work_attach(s, w);
    return w;
}

struct work *work_restored(struct session *s, unsigned n, enum work_kind kind, struct id id,
                           unsigned ordinal)
{
    struct work *w = work_new(s, n, kind);
    w->id = id;
    w->ordinal = ordinal;
    w->key = call_key(&s->at->nodes[n], ordinal);
    s->at->nodes[n].run_id_used = true;
    work_attach(s, w);
    return w;
}

static struct id call_new_id(struct session *s, struct node_state *ns)
{
    if (ns->run_id_used)
        return id_new(s->in->ids, (uint64_t)s->now);
    ns->run_id_used = true;
    return ns->run_id;
}

static bool keeps_request(const struct session *s, const struct work *w)
{
    const struct call_ops *ops = ops_of(w);
    return w->kind == WORK_TOOL || (ops->keeps_request && ops->keeps_request(s, w->node));
}

struct work *call_begin(struct session *s, unsigned n, enum work_kind kind, unsigned ordinal,
                        struct str request)
{
    struct node_state *ns = &s->at->nodes[n];
    struct work *w = work_new(s, n, kind);
    w->id = call_new_id(s, ns);
    w->ordinal = ordinal;
    w->key = call_key(ns, ordinal);
    if (kind == WORK_MODEL)
        w->message_id = call_message_id(s, ns, ordinal);
    if (kind_hears(node_def(s, n)->kind))
        w->said = s->said_seq;
    if (keeps_request(s, w))
        own_set(&w->request, request);
    work_attach(s, w);
    effect_start(s, w, request);
    if (kind == WORK_TOOL)
        tool_event(s, w, "started", STR_NULL, STR_NULL);
    return w;
}

/* It was lost: the same work under the new attempt's run. */
static void call_again(struct session *s, struct work *w)
{
    w->id = call_new_id(s, &w->scope->nodes[w->node]);
    w->lost = w->shown = false;
    w->next_index = 0;
    buf_clear(&w->text);
    thought_forget(w);
    text_watch_free(w->watch);
    w->watch = NULL;
    w->watch_from = 0;
    work_attach(s, w);
    effect_start(s, w, worker_request(s, w));
    if (w->kind == WORK_TOOL)
        tool_event(s, w, "started", STR_NULL, STR_NULL);
    call_drop_request(s, w);
}

void call_drop_request(const struct session *s, struct work *w)
{
    if (!keeps_request(s, w) && !w->deferred)
        own_set(&w->request, STR_NULL);
}

void work_free(struct work *w)
{
    if (!w)
        return;
    buf_deinit(&w->text);
    thought_forget(w);
    text_watch_free(w->watch);
    free((char *)w->request.p);
    free((char *)w->interrupt.p);
    container_free(w->container);
    free(w);
}

void works_free(struct work *first)
{
    while (first) {
        struct work *next = first->next;
        work_free(first);
        first = next;
    }
}

void call_end(struct session *s, struct work *c, bool cancel)
{
    struct work **at = &c->scope->nodes[c->node].work;
    while (*at != c)
        at = &(*at)->next;
    if (cancel && c->kind == WORK_TOOL && !c->over)
        tool_event(s, c, "failed", STR_NULL,
                   error_json(s, "cancelled", STR("The call was cancelled."), NULL));
    table_remove(&s->runs, c->id);
    usage_drop(s, c);
    if (work_has_effect(c->kind)) {
        effect_finish(s, c, cancel);
        s->busy_count--;
    }
    if (c->kind == WORK_TASK)
        task_finish(s, c);
    if (c->kind == WORK_HUMAN)
        run_row_sync(s, c->node); /* the row keeps the interrupt and its answer */
    if (s->chunk_of == c)
        s->chunk_of = NULL;
    *at = c->next;
    work_free(c);
    s->core_dirty = true;
}

void calls_end(struct session *s, unsigned n, bool cancel)
{
    const struct work *first = s->at->nodes[n].work;
    if (first && first->kind == WORK_HUMAN && !first->closed)
        interrupt_put(s, n, "cancelled");
    timers_clear_node(s, (int)n);
    if (s->at->nodes[n].work && s->at->nodes[n].work->container)
        container_cancel(s, n, "cancelled", "What it was part of ended before this run had.");
    while (s->at->nodes[n].work)
        call_end(s, s->at->nodes[n].work, cancel);
}

struct work *call_find(const struct session *s, unsigned n, unsigned ordinal)
{
    struct work *w = s->at->nodes[n].work;
    while (w && w->ordinal != ordinal)
        w = w->next;
    return w;
}

unsigned calls_count(const struct session *s, unsigned n)
{
    unsigned count = 0;
    for (const struct work *w = s->at->nodes[n].work; w; w = w->next)
        count++;
    return count;
}

bool calls_lost(const struct session *s, unsigned n)
{
    for (const struct work *w = s->at->nodes[n].work; w; w = w->next)
        if (w->lost)
            return true;
    return false;
}

struct str call_agent(struct session *s, const struct work *c)
{
    const struct call_ops *ops = ops_of(c);
    return ops->agent_id ? ops->agent_id(s, c->node, c) : node_agent_id(s, c->node);
}

struct str call_text(const struct work *c)
{
    struct str text = buf_str(&c->text);
    return text.p ? text : STR("");
}

/* ---- progress ---- */

struct str progress_get(const struct session *s, unsigned n)
{
    return s->at->nodes[n].progress;
}

void progress_set(struct session *s, unsigned n, struct str json)
{
    struct node_state *ns = &s->at->nodes[n];
    own_set(&ns->progress, json);
    run_row_sync(s, n);
    ns->row->progress_json = STR_NULL;
    if (json.p)
        ns->row->progress_json = (struct str){arena_strdup(&s->made->out.arena, json), json.n};
}

/* ---- results ---- */

/* A script, tool, plugin or child whose output is the node's. */
void run_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    (void)c;
    node_complete(s, n, in->output_json, EDGES_NEXT);
}

void call_fail_run(struct session *s, unsigned n, const struct engine_input *in)
{
    char code[65];
    node_fail(s, n, call_error_code(in, code), in->error_text, in->retry_after_ms, true);
}

const char *call_error_code(const struct engine_input *in, char code[65])
{
    size_t len = in->error_code.n < 64 ? in->error_code.n : 64;
    memcpy(code, in->error_code.p, len);
    code[len] = 0;
    return code;
}

static bool result_fits(const struct work *c, enum input_kind kind)
{
    if (c->kind == WORK_TASK)
        return kind == IN_RUN_DONE || kind == IN_RUN_FAILED;
    if (!work_has_effect(c->kind))
        return false;
    return kind == IN_RUN_FAILED || (kind == IN_MODEL_DONE) == (c->kind == WORK_MODEL);
}

static void result_refuse(struct engine_input *r, const char *code, const char *text)
{
    r->kind = IN_RUN_FAILED;
    r->error_code = str_of(code);
    r->error_text = str_of(text);
    r->retry_after_ms = -1;
}

/* What kinds may rely on: outputs are JSON and not too large, failures have a code and a text. */
void result_judge(struct engine_input *r, struct errbuf *e)
{
    /* Less deep than the rest, for it stands inside other values. */
    static const struct json_limits limits = {.bytes_max = ENGINE_OUTPUT_BYTES_MAX,
                                              .depth_max = JSON_DEPTH_MAX - 8};
    if (r->kind == IN_RUN_DONE) {
        if (!r->output_json.n)
            r->output_json = STR("null");
        if (r->output_json.n > ENGINE_OUTPUT_BYTES_MAX)
            result_refuse(r, "too_large", "The output is larger than allowed.");
        else if (json_check(r->output_json, &limits, e))
            result_refuse(r, "invalid_output", e->text);
        else
            r->output_json = json_raw(json_root(r->output_json));
    } else if (r->kind == IN_RUN_FAILED) {
        if (!r->error_code.n)
            r->error_code = STR("failed");
        if (!r->error_text.n)
            r->error_text = STR("The run failed.");
    } else if (r->tool_calls_json.n && (json_check(r->tool_calls_json, &limits, e) ||
                                        json_type(json_root(r->tool_calls_json)) != JSON_ARRAY)) {
        result_refuse(r, "bad_response", "The model's tool calls are not an array.");
    }
}

/* A tool whose work is the engine's own: it is done now, and what came in only says when. */
static void tool_done_inside(struct session *s, const struct work *c, struct engine_input *r,
                             struct errbuf *e)
{
    struct json request = json_root(c->request);
    struct str tool = json_raw(json_get_set(request, "tool")), output = STR_NULL;
    if (tool.n < 2 || !tool_runs_inside((struct str){tool.p + 1, tool.n - 2}))
        return;
    int rc = tool_inside(s, c->node, request, call_agent(s, c), &output, e);
    if (rc)
        result_refuse(r, rc == ERR_INVALID ? "invalid_arguments" : err_word(rc), e->text);
    else
        r->output_json = output;
}

static void tool_ended(struct session *s, const struct work *c, const struct engine_input *r)
{
    char code[65];
    if (r->kind == IN_RUN_DONE) {
        tool_event(s, c, "completed", r->output_json, STR_NULL);
        recall_told(s, c, r->output_json);
        return;
    }
    tool_event(s, c, "failed", STR_NULL,
               error_json(s, call_error_code(r, code), r->error_text, NULL));
}

void call_result(struct session *s, struct work *c, const struct engine_input *in)
{
    const struct call_ops *ops = ops_of(c);
    struct engine_input r = *in;
    struct errbuf e = {{0}};
    struct id id = c->id;
    unsigned n = c->node;
    if (!result_fits(c, in->kind))
        return;
    c->over = true;
    if (r.kind == IN_MODEL_DONE) {
        usage_settle(s, c, &r);
        said_ended(s, c->said);
    } else {
        usage_drop(s, c);
    }
    result_judge(&r, &e);
    if (c->kind == WORK_TOOL && r.kind == IN_RUN_DONE)
        tool_done_inside(s, c, &r, &e);
    if (c->kind == WORK_TOOL)
        tool_ended(s, c, &r);
    if (r.kind != IN_RUN_FAILED)
        ops->done(s, n, c, &r);
    else if (ops->failed)
        ops->failed(s, n, c, &r);
    else
        call_fail_run(s, n, &r);
    if (table_get(&s->runs, id) == c)
        call_end(s, c, false);
}

/* ---- after a restart ---- */

/* Native code may have been what ended the server: not for ever. */
static bool run_is_dangerous(struct session *s, unsigned n)
{
    const struct node_state *ns = &s->at->nodes[n];
    struct errbuf e;
    if (node_def(s, n)->kind != KIND_PLUGIN ||
        ns->attempt - 1 - ns->failures < PLUGIN_INTERRUPTIONS_MAX)
        return false;
    err_set(&e, ERR_UPSTREAM, "The server ended %d times while plugin \"%s\" ran this node.",
            PLUGIN_INTERRUPTIONS_MAX + 1, node_def(s, n)->plugin->plugin);
    node_failz(s, n, "plugin_crashed", e.text);
    return true;
}

void run_restart(struct session *s, unsigned n)
{
    struct node_state *ns = &s->at->nodes[n];
    struct work *calls = ns->work, *next;
    if (run_is_dangerous(s, n))
        return;
    timers_clear_node(s, (int)n);
    for (struct work *w = calls; w; w = w->next) {
        if (w->lost) {
            table_remove(&s->runs, w->id);
            usage_drop(s, w);
            effect_finish(s, w, false);
        }
    }
    ns->work = NULL;
    run_interrupt(s, n);
    for (struct work *w = calls; w; w = w->next)
        if (w->lost && work_speaks(w))
            model_reset(s, n, w->message_id, "server_restarted");
    run_begin(s, n, true);
    for (struct work *w = calls; w; w = next) {
        next = w->next;
        if (w->lost)
            call_again(s, w);
        else
            work_attach(s, w);
    }
    if (node_def(s, n)->timeout_ms > 0)
        timer_add(s, FOR_TIMEOUT, (int)n, node_def(s, n)->timeout_ms);
}
