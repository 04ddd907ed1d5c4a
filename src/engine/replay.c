#include "engine/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/question.h"

/* A fork: a new session that is brought to where another one was.
 *
 * It is started like any other, and then the outcomes that the other's log holds are given to the
 * runs that it has started, in their order; what needs nobody from outside is computed again. No
 * node starts that had not been started at the point (replay_may_start), so that what comes after
 * it happens when the replay is over and the new input and variables are in place. All of it is
 * one delta: effects of runs that end in the replay are undone before anyone sees them.
 *
 * What nobody paid for is not counted: usage begins at nothing. */

#define REPLAY_EVENTS_MAX (32u << 20) /* that one delta's events */

/* ---- what may start ---- */

bool replay_allows(const struct session *s, unsigned n)
{
    const struct record_node *node = record_node_of(&s->replay->log, node_def(s, n)->id);
    return node->used < node->allowed;
}

bool replay_rests(const struct session *s)
{
    return s->replay && s->replay->refused_in == s->at;
}

bool replay_may_start(struct session *s, unsigned n)
{
    struct replay_run *p = s->replay;
    if (replay_allows(s, n))
        return true;
    if (p->held_count == p->held_cap) {
        p->held_cap = p->held_cap ? p->held_cap * 2 : 16;
        p->held = mem_realloc(p->held, p->held_cap * sizeof(*p->held));
    }
    p->held[p->held_count++] = (struct held_node){s->at, n};
    p->refused_in = s->at;
    return false;
}

void replay_count_start(struct session *s, unsigned n)
{
    record_node_of(&s->replay->log, node_def(s, n)->id)->used++;
}

/* ---- runs ---- */

/* The run that the outcome is of; NULL: it is not waiting for one. */
static struct work *run_of(const struct session *s, const struct record *start)
{
    if (!start)
        return NULL;
    table_foreach(slot, &s->runs)
    {
        struct work *w = slot->value;
        const struct node_state *ns = &w->scope->nodes[w->node];
        if (ns->iteration == start->iteration && ns->attempt == start->attempt &&
            str_eq(w->scope->wf->nodes[w->node].id, start->node_id))
            return w;
    }
    return NULL;
}

static struct str text_get(struct session *s, struct json v, const char *key)
{
    struct json m = json_get(v, key);
    return json_type(m) == JSON_STRING ? json_text(s, m) : STR_NULL;
}

/* ---- what was shown ---- */

/* Whole, as one chunk: a message is the sum of its chunks, in a fork too. */
static void chunk_again(struct session *s, unsigned n, const char *id,
                        const struct message_row *row)
{
    if (!row->content.n)
        return;
    struct jw *w = event_begin(s, "token_stream", (int)n);
    jw_kv_stringz(w, "message_id", id);
    if (row->agent_id.p)
        jw_kv_string(w, "agent_id", row->agent_id);
    jw_kv_i64(w, "index", 0);
    jw_kv_string(w, "chunk", row->content);
    jw_kv_bool(w, "is_thinking", false);
    event_end(s);
}

static void message_again(struct session *s, unsigned n, struct json data)
{
    char id[ID_TEXT_BYTES + 1];
    struct message_row row = {.message_id = id_new(s->in->ids, (uint64_t)s->now),
                              .run_id = s->at->nodes[n].run_id,
                              .node_id = node_def(s, n)->id,
                              .role = text_get(s, data, "role"),
                              .agent_id = text_get(s, data, "agent_id"),
                              .content = text_get(s, data, "content"),
                              .finish_reason = text_get(s, data, "finish_reason")};
    struct json_iter it;
    json_i64(json_get(data, "token_count"), &row.token_count);
    id_format(row.message_id, id);
    chunk_again(s, n, id, &row);
    struct jw *w = event_begin(s, "message", (int)n);
    json_iter_init(&it, data);
    while (json_iter_next(&it)) {
        jw_key_str(w, it.key);
        if (json_iter_key_is(&it, "message_id"))
            jw_stringz(w, id);
        else
            jw_raw(w, json_raw(it.value));
    }
    event_end(s);
    message_add(s, row);
}

/* What a run wrote is written again: the fork has files of its own. */
static void file_again(struct session *s, unsigned n, struct json data)
{
    struct str output;
    if (json_string_eq(json_get(data, "tool"), "write_file") &&
        json_string_eq(json_get(data, "status"), "completed"))
        file_write(s, n, json_get(data, "input"), node_agent_id(s, n), &output, NULL);
}

static void show_again(struct session *s, unsigned n, const struct record *r)
{
    struct json_iter it;
    if (strcmp(r->type, "message") == 0) {
        message_again(s, n, r->data);
        return;
    }
    if (strcmp(r->type, "tool_execution") == 0)
        file_again(s, n, r->data);
    struct jw *w = event_begin(s, r->type, (int)n);
    json_iter_init(&it, r->data);
    while (json_iter_next(&it)) {
        jw_key_str(w, it.key);
        jw_raw(w, json_raw(it.value));
    }
    event_end(s);
}

static void run_show_again(struct session *s, unsigned n, const struct record *start)
{
    for (const struct record *r = start->shown; r; r = r->next_shown)
        show_again(s, n, r);
}

/* What its model calls had heard: what had been said when it began, and, where it used tools, when
 * the last of them had ended. */
static void run_hear_again(struct session *s, const struct work *w, const struct record *start)
{
    int64_t last = 0;
    for (const struct record *r = start->shown; r; r = r->next_shown)
        if (strcmp(r->type, "tool_execution") == 0)
            last = r->seq;
    said_ended(s, w->said);
    if (kind_hears(node_def(s, w->node)->kind))
        said_replayed(s, last);
}

/* ---- outcomes ---- */

/* The way that a node took: by what its output says. */
static int edge_of_output(struct session *s, unsigned n, struct json output)
{
    static const char *const good[] = {"approve", "verified", NULL};
    static const char *const bad[] = {"reject", "failed", NULL};
    const struct node_def *def = node_def(s, n);
    struct str label = text_get(s, output, "action");
    bool passed;
    if (def->kind == KIND_END)
        return EDGES_NONE;
    if (!label.p && json_bool(json_get(output, "passed"), &passed))
        return decision_edge(s, n, passed ? good : bad);
    for (unsigned i = 0; label.p && i < def->out_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->out[i]];
        if (e->kind == EDGE_ROUTE && str_eq(e->label, label))
            return def->out[i];
    }
    return EDGES_NEXT;
}

/* The next attempt begins: what it waited for is over. */
static void apply_started(struct session *s, const struct record *r)
{
    list_foreach(it, &s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (t->purpose != FOR_RETRY || t->scope->nodes[t->node].iteration != r->iteration ||
            t->scope->nodes[t->node].attempt + 1 != r->attempt ||
            !str_eq(t->scope->wf->nodes[t->node].id, r->node_id))
            continue;
        unsigned n = (unsigned)t->node;
        s->at = t->scope;
        timer_remove(s, t);
        ready_push(s, n);
        return;
    }
}

static void apply_completed(struct session *s, const struct record *r)
{
    struct work *w = run_of(s, r->start);
    if (!w || w->kind == WORK_CONTAINER)
        return; /* a container has ended when its members have */
    struct json output = json_get(r->data, "output");
    s->at = w->scope;
    unsigned n = w->node;
    run_hear_again(s, w, r->start);
    run_show_again(s, n, r->start);
    if (s->at->nodes[n].phase == PHASE_SUSPENDED) {
        interrupt_put(s, n, "answered");
        human_go_on(s, n);
    }
    node_complete(s, n, json_exists(output) ? json_raw(output) : STR("null"),
                  edge_of_output(s, n, output));
}

static void apply_failed(struct session *s, const struct record *r)
{
    struct work *w = run_of(s, r->start);
    struct json error = json_get(r->data, "error");
    struct str code = text_get(s, error, "code"), message = text_get(s, error, "message");
    char text[65];
    if (!w || str_eqz(code, "cancelled") || str_eqz(code, "superseded") ||
        (w->kind == WORK_CONTAINER && !str_eqz(code, "timeout")))
        return; /* of the engine's own doing, and that is done again */
    size_t len = code.n < sizeof(text) - 1 ? code.n : sizeof(text) - 1;
    memcpy(text, code.p ? code.p : "", len);
    text[len] = 0;
    s->at = w->scope;
    unsigned n = w->node;
    run_show_again(s, n, r->start);
    if (str_eqz(code, "interrupted"))
        run_redo(s, n);
    else
        node_fail(s, n, text, message.p ? message : STR(""), -1, true);
}

static struct str raw_get(struct json v, const char *key)
{
    struct json m = json_get(v, key);
    return json_type(m) == JSON_NULL ? STR_NULL : json_raw(m);
}

/* What decided it is what was said then; an answer that did not is counted again. */
static void apply_resumed(struct session *s, const struct record *r)
{
    struct errbuf e = {{0}};
    struct work *w = run_of(s, r->start);
    bool final = true;
    if (!w || w->kind != WORK_HUMAN)
        return; /* what was said has answered it */
    struct str action = text_get(s, r->data, "action");
    struct answer a = {.action = action.p ? action : STR(""), /* which goes nowhere */
                       .data = raw_get(r->data, "data"),
                       .reviewer = text_get(s, r->data, "reviewer"),
                       .content = text_get(s, r->data, "content"),
                       .diff = text_get(s, r->data, "diff"),
                       .votes_json = raw_get(r->data, "votes")};
    struct engine_input in = {.kind = IN_RESUME_NODE,
                              .now_ms = s->now,
                              .ids = s->in->ids,
                              .node_id = r->node_id,
                              .interrupt_id = w->interrupt_id,
                              .action = a.action,
                              .data_json = a.data,
                              .reviewer = a.reviewer};
    json_bool(json_get(r->data, "final"), &final);
    s->at = w->scope;
    if (final)
        human_resume(s, w->node, &a);
    else
        human_answer(s, &in, &e);
}

static void apply_expired(struct session *s, const struct record *r)
{
    struct work *w = run_of(s, r->start);
    if (!w || w->kind != WORK_HUMAN)
        return;
    s->at = w->scope;
    human_expire(s, w->node);
}

/* ---- turns ---- */

static void turn_begin(struct session *s, const struct engine_input *in)
{
    s->in = in;
    s->now = in->now_ms;
    s->step_events = s->made->out.events.len;
    if (s->replay)
        s->replay->refused_in = NULL;
    arena_init(&s->tmp);
}

static void turn_end(struct session *s)
{
    s->at = &s->root;
    scheduler_drain(s);
    scopes_bury(s);
    s->updated_at = s->now;
    arena_deinit(&s->tmp);
    s->in = NULL;
}

/* What was said, to nobody or to a node that still waits for it, is said again. */
static void apply_said(struct session *s, const struct replay *p, const struct record *r)
{
    struct errbuf e = {{0}};
    struct engine_input in = {.kind = r->kind == RECORD_SAID ? IN_USER_INPUT : IN_SIGNAL,
                              .now_ms = p->now_ms,
                              .ids = p->ids,
                              .node_id = r->node_id};
    struct arena kept;
    struct buf b;
    arena_init(&kept);
    buf_init(&b, 256u << 20);
    static const char *const keys[] = {"content", "user_id", "name"};
    struct str *const into[] = {&in.content, &in.user_id, &in.name};
    for (size_t i = 0; i < 3; i++) {
        struct json v = json_get(r->data, keys[i]);
        if (json_type(v) != JSON_STRING)
            continue;
        buf_clear(&b);
        json_string(v, &b);
        *into[i] = (struct str){arena_strdup(&kept, buf_str(&b)), b.len};
    }
    in.data_json = raw_get(r->data, "payload");
    s->replay->said_seq = r->seq;
    engine_step(s, &in, &e); /* refused: nobody waits for it any more */
    buf_deinit(&b);
    arena_deinit(&kept);
}

static void apply(struct session *s, const struct replay *p, const struct engine_input *in,
                  const struct record *r)
{
    if (r->kind == RECORD_SAID || r->kind == RECORD_SIGNAL) {
        apply_said(s, p, r);
        return;
    }
    turn_begin(s, in);
    switch (r->kind) {
    case RECORD_STARTED:
        apply_started(s, r);
        break;
    case RECORD_COMPLETED:
        apply_completed(s, r);
        break;
    case RECORD_FAILED:
        apply_failed(s, r);
        break;
    case RECORD_RESUMED:
        apply_resumed(s, r);
        break;
    case RECORD_EXPIRED:
        apply_expired(s, r);
        break;
    case RECORD_SAID:
    case RECORD_SIGNAL:
    case RECORD_SKIPPED:
    case RECORD_SHOWN:
    case RECORD_OVER:
        break;
    }
    turn_end(s);
}

/* ---- the new input and variables, and on ---- */

static void vars_override(struct session *s, struct str vars)
{
    struct json_iter it;
    json_iter_init(&it, json_root(vars));
    while (json_iter_next(&it)) {
        struct buf name;
        buf_init(&name, it.key.n + 1);
        json_iter_key(&it, &name);
        var_set(s, buf_str(&name), json_raw(it.value));
        buf_deinit(&name);
    }
}

static bool scope_is_alive(const struct session *s, const struct scope *c)
{
    scopes_foreach(it, s) if (scope_of(it) == c) return true;
    return false;
}

/* What was held back begins, in the order in which it was ready. */
static void held_release(struct session *s, const struct replay_run *p)
{
    for (unsigned i = 0; i < p->held_count; i++) {
        const struct held_node *h = &p->held[i];
        if (!scope_is_alive(s, h->scope) || h->scope->nodes[h->node].phase != PHASE_READY)
            continue;
        s->at = h->scope;
        ready_push(s, h->node);
    }
}

static int replay_go_on(struct session *s, const struct replay *r, const struct engine_input *in,
                        struct replay_run *p, struct errbuf *e)
{
    turn_begin(s, in);
    s->replay = NULL;
    s->replayed_bytes = s->made->out.events.len;
    if (r->input_json.p) {
        s->meta.input_json.p = arena_strdup(&s->arena, r->input_json);
        s->meta.input_json.n = r->input_json.n;
    }
    if (r->vars_json.p)
        vars_override(s, r->vars_json);
    held_release(s, p);
    scopes_foreach(it, s)
    {
        scope_of(it)->recheck = true;
        scope_stir(s, scope_of(it));
    }
    turn_end(s);
    if (vars_text(s).n > ENGINE_OUTPUT_BYTES_MAX)
        return err_set(e, ERR_TOO_LARGE, "The session's variables are larger than allowed.");
    return 0;
}

/* Where it begins: where the other one did, or at the stage of before that is to be done after all.
 */
static struct str replay_begin(const struct session *s, const struct replay_run *p,
                               const struct replay *r)
{
    int at = workflow_find(s->root.wf, p->log.begin_at), n = workflow_find(s->root.wf, r->node_id);
    if (at >= 0 && n >= 0 && s->root.wf->nodes[n].kind == KIND_STAGE &&
        s->root.wf->nodes[n].owner < 0 &&
        workflow_reaches_forward(s->root.wf, (unsigned)n, (unsigned)at))
        return r->node_id;
    return p->log.begin_at;
}

int engine_replay(struct session *s, const struct replay *r, struct errbuf *e)
{
    struct engine_input in = {.kind = IN_START, .now_ms = r->now_ms, .ids = r->ids};
    struct replay_run p = {.held = NULL};
    int rc = record_log_read(&p.log, s, r, e);
    if (!rc) {
        s->replay = &p;
        in.node_id = replay_begin(s, &p, r);
        rc = engine_step(s, &in, e);
    }
    for (const struct record *it = p.log.first; it && !rc && s->status == SESSION_RUNNING;
         it = it->next) {
        if (!it->dropped)
            apply(s, r, &in, it);
        if (s->made->out.events.len > REPLAY_EVENTS_MAX)
            rc = err_set(e, ERR_TOO_LARGE, "The session's log is too long to be replayed.");
    }
    if (!rc)
        rc = replay_go_on(s, r, &in, &p, e);
    s->replay = NULL;
    free(p.held);
    record_log_deinit(&p.log);
    return rc;
}
