/* One session driven by hand: a workflow in YAML, inputs by node id, and the events as short lines:
 *
 *     session pending>running
 *     pro pending>running
 *     pro [0] "Hel"                   a token_stream: index and chunk
 *     pro message "Hello" stop
 *     pro running>completed "Hello"
 *     judge@2#3 running>failed timeout        iteration 2, attempt 3, error code
 *
 * or shorter, only the moves: `+pro` started, `pro` completed, `pro!timeout` failed, `pro?`
 * suspended, `pro-` skipped, `=running` the session.
 *
 * Every step is followed by session_check(). */
#ifndef SLUICE_TESTS_ENGINE_FIXTURE_H
#define SLUICE_TESTS_ENGINE_FIXTURE_H

#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/yaml.h"
#include "engine/expr.h"
#include "engine/session.h"
#include "engine_rows.h"

struct fix_call {
    enum effect_kind kind;
    struct id id, key;
    char request[4096];
};

struct fix {
    struct expr_vm *vm;
    struct workflow *wf;
    struct session *s;
    struct id_source ids;
    int64_t now;
    struct rows rows;
    struct buf lines; /* since the last expect */
    struct buf brief;
    struct buf effects;
    struct errbuf error;
    char last_request[4096];
    struct fix_call started[64]; /* the effects that start something, oldest first */
    unsigned started_count;
    const struct engine_rules *rules; /* NULL: no prices, the usual breakers */
};

static inline void fix_append_id(struct buf *out, struct json v)
{
    if (json_type(v) == JSON_STRING)
        buf_append(out, v.p + 1, v.n - 2);
}

static inline void fix_render_node(struct buf *out, struct json e, struct json d)
{
    int64_t iteration = 1, attempt = 1, item;
    fix_append_id(out, json_get(e, "node_id"));
    if (json_i64(json_get(d, "item"), &item)) /* of a map */
        buf_printf(out, "[%lld]", (long long)item);
    json_i64(json_get(d, "iteration"), &iteration);
    json_i64(json_get(d, "attempt"), &attempt);
    if (iteration > 1)
        buf_printf(out, "@%lld", (long long)iteration);
    if (attempt > 1)
        buf_printf(out, "#%lld", (long long)attempt);
    if (json_exists(json_get(e, "node_id")))
        buf_append_char(out, ' ');
}

static inline void fix_render_raw(struct buf *out, struct json d, const char *key)
{
    struct json v = json_get(d, key);
    if (json_exists(v)) {
        buf_append_char(out, ' ');
        buf_append_str(out, json_raw(v));
    }
}

static inline void fix_render_word(struct buf *out, struct json d, const char *key)
{
    struct json v = json_get(d, key);
    if (json_type(v) == JSON_STRING) {
        buf_append_char(out, ' ');
        fix_append_id(out, v);
    }
}

static inline void fix_render_data(struct buf *out, struct json type, struct json d)
{
    if (json_string_eq(type, "session_state_change") || json_string_eq(type, "node_state_change")) {
        fix_append_id(out, json_get(d, "from"));
        buf_append_char(out, '>');
        fix_append_id(out, json_get(d, "to"));
        fix_render_word(out, d, "reason");
        fix_render_raw(out, d, "output");
        fix_render_word(out, json_get(d, "error"), "code");
        return;
    }
    if (json_string_eq(type, "token_stream")) {
        bool thinking = false;
        json_bool(json_get(d, "is_thinking"), &thinking);
        buf_printf(out, "[%.*s] %.*s%s", STR_FMT(json_raw(json_get(d, "index"))),
                   STR_FMT(json_raw(json_get(d, "chunk"))), thinking ? " thinking" : "");
        return;
    }
    if (json_string_eq(type, "log")) {
        buf_append_z(out, "log");
        fix_render_word(out, d, "level");
        return;
    }
    if (json_string_eq(type, "tool_execution")) {
        static const char *const members[] = {"server", "name", "input", "output", "error"};
        buf_append_z(out, "tool");
        fix_render_word(out, d, "tool");
        fix_render_word(out, d, "status");
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
            fix_render_raw(out, d, members[i]);
        return;
    }
    static const char *const keys[] = {
        "content",      "finish_reason", "reason",   "round",    "exit_reason", "history",
        "branches",     "kind",          "actions",  "draft",    "action",      "data",
        "action_taken", "expires_in_ms", "name",     "payload",  "model",       "output_tokens",
        "resource",     "limit",         "used",     "detector", "value",       "done",
        "total",        "voter",         "decision", "passed",   "tally",       "claim",
        "verdict"};
    fix_append_id(out, type);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (!(json_string_eq(type, "human_interaction_required") && !strcmp(keys[i], "reason")))
            fix_render_raw(out, d, keys[i]);
}

static inline void fix_render_brief(struct fix *f, struct json e, struct json d)
{
    struct json type = json_get(e, "type"), to = json_get(d, "to");
    struct buf *out = &f->brief;
    bool is_node = json_string_eq(type, "node_state_change");
    bool starts = is_node && json_string_eq(to, "running");
    if (!(is_node || json_string_eq(type, "session_state_change")) ||
        (starts && json_string_eq(json_get(d, "from"), "suspended")))
        return;
    if (out->len)
        buf_append_char(out, ' ');
    if (starts || !is_node)
        buf_append_char(out, starts ? '+' : '=');
    if (!is_node) {
        fix_append_id(out, to);
        return;
    }
    fix_render_node(out, e, d);
    buf_truncate(out, out->len - 1);
    if (json_string_eq(to, "failed")) {
        buf_append_char(out, '!');
        fix_append_id(out, json_get(json_get(d, "error"), "code"));
    } else if (json_string_eq(to, "suspended")) {
        buf_append_char(out, '?');
    } else if (json_string_eq(to, "skipped")) {
        buf_append_char(out, '-');
    }
}

/* One event as a line; checks what every event must have. */
static inline void fix_render(struct fix *f, struct str frame, int64_t seq)
{
    struct errbuf err;
    if (json_check(frame, NULL, &err))
        fail_msg("%s in %.*s", err.text, STR_FMT(frame));
    struct json e = json_root(frame), d = json_get(e, "data"), type = json_get(e, "type");
    int64_t got = 0, at;
    assert_true(json_i64(json_get(e, "seq"), &got));
    assert_int_equal(got, seq);
    assert_int_equal(json_type(d), JSON_OBJECT);
    struct json stamp = json_get(e, "timestamp");
    assert_true(clock_parse_rfc3339((struct str){stamp.p + 1, stamp.n - 2}, &at));
    assert_int_equal(json_exists(json_get(e, "node_id")), json_exists(json_get(e, "run_id")));
    if (json_exists(json_get(e, "node_id")))
        fix_render_node(&f->lines, e, d);
    else if (json_string_eq(type, "session_state_change"))
        buf_append_z(&f->lines, "session ");
    fix_render_data(&f->lines, type, d);
    buf_append_char(&f->lines, '\n');
    fix_render_brief(f, e, d);
}

static inline void fix_keep_start(struct fix *f, const struct effect *ef)
{
    snprintf(f->last_request, sizeof(f->last_request), "%.*s", STR_FMT(ef->request_json));
    if (f->started_count == sizeof(f->started) / sizeof(f->started[0]))
        return;
    struct fix_call *c = &f->started[f->started_count++];
    *c = (struct fix_call){.kind = ef->kind, .id = ef->run_id, .key = ef->idempotency_key};
    memcpy(c->request, f->last_request, sizeof(c->request));
}

static inline void fix_render_effects(struct fix *f, const struct effect *effects)
{
    static const char *const words[] = {"model", "script",       "tool",        "plugin",
                                        "child", "cancel",       "hold",        "unhold",
                                        "set",   "clear",        "close",       "open",
                                        "break", "child-cancel", "child-pause", "child-resume"};
    for (; effects; effects = effects->next) {
        buf_printf(&f->effects, "%s%s", f->effects.len ? " " : "", words[effects->kind]);
        if (effects->request_json.p)
            fix_keep_start(f, effects);
    }
}

/* Takes what there is, stores it, renders it. */
static inline bool fix_take(struct fix *f)
{
    struct delta d;
    struct effect *effects;
    if (!engine_take_delta(f->s, f->now, &d, &effects))
        return false;
    struct str left = buf_str(&d.events);
    for (int64_t seq = d.seq_first; d.seq_last && seq <= d.seq_last; seq++) {
        const char *end = memchr(left.p, '\n', left.n);
        struct str frame = {left.p, end ? (size_t)(end - left.p) : left.n};
        fix_render(f, frame, seq);
        left.p += end ? frame.n + 1 : frame.n;
        left.n -= end ? frame.n + 1 : frame.n;
    }
    assert_int_equal(left.n, 0);
    fix_render_effects(f, effects);
    rows_apply(&f->rows, &d);
    buf_deinit(&d.events);
    arena_deinit(&d.arena);
    return true;
}

static inline int fix_try(struct fix *f, struct engine_input in)
{
    in.now_ms = f->now;
    in.ids = &f->ids;
    in.rules = f->rules;
    int64_t seq = session_last_seq(f->s);
    int rc = engine_step(f->s, &in, &f->error);
    session_check(f->s);
    if (rc)
        assert_int_equal(session_last_seq(f->s), seq);
    return rc;
}

static inline void fix_step(struct fix *f, struct engine_input in)
{
    if (fix_try(f, in))
        fail_msg("refused: %s", f->error.text);
}

static inline struct workflow *fix_parse(struct expr_vm *vm, const char *yaml)
{
    struct buf json;
    struct errbuf e;
    buf_init(&json, JSON_BODY_MAX);
    if (yaml_to_json(str_of(yaml), NULL, &json, &e))
        fail_msg("%s in:\n%s", e.text, yaml);
    struct workflow_issues issues;
    struct workflow *wf = NULL;
    workflow_issues_init(&issues);
    if (workflow_parse(buf_str(&json), vm, &wf, &issues))
        fail_msg("%.*s: %.*s", STR_FMT(issues.items[0].path), STR_FMT(issues.items[0].message));
    workflow_issues_deinit(&issues);
    buf_deinit(&json);
    return wf;
}

/* All but its start. */
static inline void fix_prepare(struct fix *f, const char *yaml, const char *input,
                               const char *budget, const struct engine_rules *rules, bool paused)
{
    memset(f, 0, sizeof(*f));
    f->rules = rules;
    f->vm = expr_vm_create();
    f->wf = fix_parse(f->vm, yaml);
    f->now = 1767225600000; /* 2026-01-01 */
    id_source_init_seed(&f->ids, 7);
    rows_init(&f->rows);
    buf_init(&f->lines, 16u << 20);
    buf_init(&f->brief, 16u << 20);
    buf_init(&f->effects, 1u << 20);
    struct session_meta meta = {.workspace = STR("default"),
                                .name = STR("A test"),
                                .group_id = f->wf->group_id,
                                .input_json = str_of(input),
                                .budget_json = budget ? str_of(budget) : STR_NULL};
    struct session_params p = {
        .id = id_new(&f->ids, (uint64_t)f->now), .epoch = 1, .meta = &meta, .start_paused = paused};
    f->s = session_create(f->wf, f->vm, &p);
    session_check(f->s);
}

static inline void fix_open_budget(struct fix *f, const char *yaml, const char *input,
                                   const char *budget, const struct engine_rules *rules,
                                   bool paused)
{
    fix_prepare(f, yaml, input, budget, rules, paused);
    fix_step(f, (struct engine_input){.kind = IN_START});
}

static inline void fix_open_with(struct fix *f, const char *yaml, const char *input, bool paused)
{
    fix_open_budget(f, yaml, input, NULL, NULL, paused);
}

static inline void fix_open(struct fix *f, const char *yaml)
{
    fix_open_with(f, yaml, "{\"topic\":\"Cats\"}", false);
}

static inline void fix_close(struct fix *f)
{
    fix_take(f);
    session_destroy(f->s);
    workflow_unref(f->wf);
    expr_vm_destroy(f->vm);
    rows_deinit(&f->rows);
    buf_deinit(&f->lines);
    buf_deinit(&f->brief);
    buf_deinit(&f->effects);
}

static inline void fix_forget(struct buf *b)
{
    buf_clear(b);
    if (b->data)
        b->data[0] = 0;
}
static inline const char *fix_text(const struct buf *b)
{
    return b->data ? b->data : "";
}
/* Forgets what has been said so far. */
static inline void fix_quiet(struct fix *f)
{
    fix_take(f);
    fix_forget(&f->lines);
    fix_forget(&f->brief);
    fix_forget(&f->effects);
}

/* The events since the last time, taken first. */
#define expect(f, text)                                                                            \
    do {                                                                                           \
        fix_take(f);                                                                               \
        assert_string_equal(fix_text(&(f)->lines), text);                                          \
        fix_forget(&(f)->lines);                                                                   \
        fix_forget(&(f)->brief);                                                                   \
    } while (0)
#define expect_moves(f, text)                                                                      \
    do {                                                                                           \
        fix_take(f);                                                                               \
        assert_string_equal(fix_text(&(f)->brief), text);                                          \
        fix_forget(&(f)->lines);                                                                   \
        fix_forget(&(f)->brief);                                                                   \
    } while (0)
#define expect_effects(f, text)                                                                    \
    do {                                                                                           \
        fix_take(f);                                                                               \
        assert_string_equal(fix_text(&(f)->effects), text);                                        \
        fix_forget(&(f)->effects);                                                                 \
    } while (0)

/* ---- inputs by node id ---- */

static inline unsigned fix_node(struct fix *f, const char *id)
{
    int n = workflow_find(f->wf, str_of(id));
    assert_true(n >= 0);
    return (unsigned)n;
}
static inline struct id fix_run(struct fix *f, const char *id)
{
    return f->s->at->nodes[fix_node(f, id)].run_id;
}
static inline void fix_chunk(struct fix *f, const char *node, const char *text)
{
    fix_step(f, (struct engine_input){
                    .kind = IN_CHUNK, .run_id = fix_run(f, node), .text = str_of(text)});
}
static inline void fix_think(struct fix *f, const char *node, const char *text)
{
    fix_step(f, (struct engine_input){.kind = IN_CHUNK,
                                      .run_id = fix_run(f, node),
                                      .text = str_of(text),
                                      .is_thinking = true});
}
static inline void fix_done(struct fix *f, const char *node)
{
    fix_step(f, (struct engine_input){.kind = IN_MODEL_DONE,
                                      .run_id = fix_run(f, node),
                                      .finish_reason = STR("stop"),
                                      .model = STR("m"),
                                      .provider = STR("p"),
                                      .input_tokens = 3,
                                      .output_tokens = 5});
}
/* The whole of an answer. */
static inline void fix_say(struct fix *f, const char *node, const char *text)
{
    fix_chunk(f, node, text);
    fix_done(f, node);
}
static inline void fix_fail(struct fix *f, const char *node, const char *code)
{
    fix_step(f, (struct engine_input){.kind = IN_RUN_FAILED,
                                      .run_id = fix_run(f, node),
                                      .error_code = str_of(code),
                                      .error_text = STR("It broke."),
                                      .retry_after_ms = -1});
}
static inline void fix_script(struct fix *f, const char *node, const char *json)
{
    fix_step(f, (struct engine_input){
                    .kind = IN_RUN_DONE, .run_id = fix_run(f, node), .output_json = str_of(json)});
}
/* Results by call: the newest effect is call 0, the one before it 1, and so on. */
static inline struct fix_call *fix_call(struct fix *f, unsigned back)
{
    fix_take(f);
    assert_true(back < f->started_count);
    return &f->started[f->started_count - 1 - back];
}
static inline void fix_call_done(struct fix *f, struct fix_call *c, const char *json)
{
    fix_step(f, (struct engine_input){
                    .kind = IN_RUN_DONE, .run_id = c->id, .output_json = str_of(json)});
}
static inline void fix_call_failed(struct fix *f, struct fix_call *c, const char *code)
{
    fix_step(f, (struct engine_input){.kind = IN_RUN_FAILED,
                                      .run_id = c->id,
                                      .error_code = str_of(code),
                                      .error_text = STR("It broke."),
                                      .retry_after_ms = -1});
}
/* A model's whole answer: text ("" for none), and tool calls (JSON, or NULL). */
static inline void fix_call_says(struct fix *f, struct fix_call *c, const char *text,
                                 const char *tool_calls)
{
    if (*text)
        fix_step(f, (struct engine_input){.kind = IN_CHUNK, .run_id = c->id, .text = str_of(text)});
    fix_step(f, (struct engine_input){.kind = IN_MODEL_DONE,
                                      .run_id = c->id,
                                      .finish_reason = STR("stop"),
                                      .model = STR("m"),
                                      .provider = STR("p"),
                                      .input_tokens = 3,
                                      .output_tokens = 5,
                                      .tool_calls_json = str_of(tool_calls)});
}
static inline int fix_answer(struct fix *f, const char *node, const char *action, const char *data)
{
    return fix_try(f, (struct engine_input){.kind = IN_RESUME_NODE,
                                            .node_id = str_of(node),
                                            .action = str_of(action),
                                            .data_json = str_of(data),
                                            .reviewer = STR("ann")});
}
static inline int fix_command(struct fix *f, enum input_kind kind)
{
    return fix_try(f, (struct engine_input){.kind = kind});
}
/* Moves the clock to the next timer and fires it. */
static inline void fix_fire(struct fix *f)
{
    struct timer_row *first = NULL;
    fix_take(f);
    for (struct timer_row *t = f->rows.timers; t; t = t->next)
        if (!first || t->due_at < first->due_at)
            first = t;
    assert_non_null(first);
    if (first->due_at > f->now)
        f->now = first->due_at;
    fix_step(f, (struct engine_input){.kind = IN_TIMER, .timer_id = first->timer_id});
}

/* Takes and stores what there is; the process dies, another takes over. */
static inline void fix_restart_raw(struct fix *f)
{
    struct errbuf e = {{0}};
    fix_take(f);
    session_destroy(f->s);
    f->s = NULL;
    if (rows_restore(&f->rows, f->wf, f->vm, &f->s, &e))
        fail_msg("%s", e.text);
    session_check(f->s);
}
static inline void fix_restart(struct fix *f)
{
    fix_restart_raw(f);
    fix_step(f, (struct engine_input){.kind = IN_RECOVER});
}

#endif
