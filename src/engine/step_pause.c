#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* Pause and resume. Between the two nothing of the session is seen: what comes in is withheld, as
 * rows, and replayed in order after the resume's own event. */

/* ---- withheld inputs ---- */

static const struct {
    enum input_kind kind;
    const char *word;
} withheld_kinds[] = {
    {IN_CHUNK, "chunk"},
    {IN_MODEL_DONE, "model_done"},
    {IN_RUN_DONE, "script_done"},
    {IN_RUN_FAILED, "run_failed"},
    {IN_LOG, "log"},
    {IN_SAVED, "saved"},
    {IN_TIMER, "timer"},
    {IN_SIGNAL, "signal"},
    {IN_USER_INPUT, "user_input"},
};
#define WITHHELD_KINDS (sizeof(withheld_kinds) / sizeof(withheld_kinds[0]))

static void id_write(struct jw *w, const char *key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    jw_kv_stringz(w, key, text);
}

static void string_write(struct jw *w, const char *key, struct str text)
{
    if (text.p)
        jw_kv_string(w, key, text);
}

/* `text` stands last, so that a chunk can grow at its end. */
static void withheld_write(struct buf *b, const struct engine_input *in)
{
    struct jw w;
    jw_init(&w, b);
    jw_object(&w);
    for (size_t i = 0; i < WITHHELD_KINDS; i++)
        if (withheld_kinds[i].kind == in->kind)
            jw_kv_stringz(&w, "kind", withheld_kinds[i].word);
    if (in->kind == IN_TIMER)
        id_write(&w, "timer_id", in->timer_id);
    else if (in->kind != IN_SIGNAL && in->kind != IN_USER_INPUT)
        id_write(&w, "run_id", in->run_id);
    if (in->kind == IN_USER_INPUT) {
        string_write(&w, "content", in->content);
        string_write(&w, "user_id", in->user_id);
    }
    if (in->kind == IN_SIGNAL) {
        string_write(&w, "name", in->name);
        string_write(&w, "node_id", in->node_id);
        jw_kv_raw(&w, "payload", in->data_json);
    }
    string_write(&w, "finish_reason", in->finish_reason);
    string_write(&w, "model", in->model);
    string_write(&w, "provider", in->provider);
    string_write(&w, "error_code", in->error_code);
    string_write(&w, "error_text", in->error_text);
    string_write(&w, "level", in->level);
    if (in->kind == IN_MODEL_DONE) {
        jw_kv_i64(&w, "input_tokens", in->input_tokens);
        jw_kv_i64(&w, "output_tokens", in->output_tokens);
        if (in->tool_calls_json.p)
            jw_kv_raw(&w, "tool_calls", in->tool_calls_json);
    }
    if (in->kind == IN_RUN_FAILED) {
        jw_kv_i64(&w, "retry_after_ms", in->retry_after_ms);
        if (in->is_final)
            jw_kv_bool(&w, "final", true);
    }
    if (in->kind == IN_RUN_DONE || in->kind == IN_SAVED)
        jw_kv_raw(&w, "output", in->output_json);
    if (in->is_thinking)
        jw_kv_bool(&w, "is_thinking", true);
    string_write(&w, "text", in->text);
    jw_end(&w);
}

static struct str text_get(struct session *s, struct json v, const char *key)
{
    struct json m = json_get_set(v, key);
    return json_type(m) == JSON_STRING ? json_text(s, m) : STR_NULL;
}

static bool id_get(struct json v, const char *key, struct id *out)
{
    struct json m = json_get_set(v, key);
    return json_type(m) == JSON_STRING && id_parse((struct str){m.p + 1, m.n - 2}, out);
}

bool withheld_parse(struct str text, struct session *s, struct engine_input *out)
{
    struct json v = json_root(text), kind = json_get_set(v, "kind");
    size_t i = 0;
    while (i < WITHHELD_KINDS && !json_string_eq(kind, withheld_kinds[i].word))
        i++;
    if (i == WITHHELD_KINDS)
        return false;
    *out = (struct engine_input){.kind = withheld_kinds[i].kind,
                                 .input_tokens = -1,
                                 .output_tokens = -1,
                                 .retry_after_ms = -1};
    bool has_id = out->kind == IN_SIGNAL || out->kind == IN_USER_INPUT ? true
                  : out->kind == IN_TIMER ? id_get(v, "timer_id", &out->timer_id)
                                          : id_get(v, "run_id", &out->run_id);
    out->name = text_get(s, v, "name");
    out->node_id = text_get(s, v, "node_id");
    out->content = text_get(s, v, "content");
    out->user_id = text_get(s, v, "user_id");
    out->data_json = json_raw(json_get(v, "payload"));
    out->finish_reason = text_get(s, v, "finish_reason");
    out->model = text_get(s, v, "model");
    out->provider = text_get(s, v, "provider");
    out->error_code = text_get(s, v, "error_code");
    out->error_text = text_get(s, v, "error_text");
    out->level = text_get(s, v, "level");
    out->text = text_get(s, v, "text");
    json_i64(json_get_set(v, "input_tokens"), &out->input_tokens);
    json_i64(json_get_set(v, "output_tokens"), &out->output_tokens);
    json_i64(json_get_set(v, "retry_after_ms"), &out->retry_after_ms);
    json_bool(json_get_set(v, "is_thinking"), &out->is_thinking);
    json_bool(json_get_set(v, "final"), &out->is_final);
    out->output_json = json_raw(json_get(v, "output"));
    if (json_exists(json_get_set(v, "tool_calls")))
        out->tool_calls_json = json_raw(json_get_set(v, "tool_calls"));
    return has_id;
}

void withheld_free(struct withheld *w)
{
    buf_deinit(&w->json);
    buf_deinit(&w->fresh);
    free(w);
}

/* `"…text"}` grows at its end. */
static void chunk_grow(struct buf *json, struct str text)
{
    buf_truncate(json, json->len - 2); /* "} */
    size_t at = json->len;
    json_write_string(json, text);
    memmove(json->data + at, json->data + at + 1, json->len - at - 1);
    buf_truncate(json, json->len - 1);
    buf_append_char(json, '}');
}

/* Rows hold checked JSON only, of which no more is made than a row can be deep. */
bool withheld_judge(struct engine_input *in, struct errbuf *e)
{
    static const struct json_limits limits = {.bytes_max = ENGINE_OUTPUT_BYTES_MAX,
                                              .depth_max = JSON_DEPTH_MAX - 8};
    if (in->kind == IN_CHUNK)
        return in->text.n > 0;
    if (in->kind == IN_SAVED) {
        if (json_check(in->output_json, &limits, e))
            return false;
        in->output_json = json_raw(json_root(in->output_json));
    }
    result_judge(in, e);
    return true;
}

struct withheld *withheld_new(const struct engine_input *in, int64_t ord)
{
    struct withheld *w = mem_zalloc(sizeof(*w));
    w->ord = ord;
    w->kind = in->kind;
    w->run_id = in->run_id;
    w->is_thinking = in->is_thinking;
    buf_init(&w->json, ENGINE_REQUEST_BYTES_MAX * 6);
    withheld_write(&w->json, in);
    return w;
}

/* Is it the beginning of the same message? */
bool withheld_may_grow(const struct withheld *w, const struct engine_input *in)
{
    return in->kind == IN_CHUNK && w->kind == IN_CHUNK && w->is_thinking == in->is_thinking &&
           id_eq(w->run_id, in->run_id) && w->json.len <= (64u << 10);
}

void withheld_grow(struct withheld *w, struct str text)
{
    chunk_grow(&w->json, text);
}

bool session_counts_chunks(const struct session *s)
{
    return s->budget.tokens || s->budget.micros;
}

/* The last withheld input is a chunk of the same message: it grows. */
bool withheld_extend(struct session *s, const struct engine_input *in, bool stored)
{
    if (list_empty(&s->withheld) || session_counts_chunks(s))
        return false;
    struct withheld *w = container_of(s->withheld.prev, struct withheld, link);
    if (!withheld_may_grow(w, in))
        return false;
    size_t before = w->json.len;
    chunk_grow(&w->json, in->text);
    s->withheld_bytes += w->json.len - before;
    if (stored)
        return true;
    if (w->stored) { /* a further row */
        w->ord = ++s->next_ord;
        w->stored = false;
        buf_init(&w->fresh, ENGINE_REQUEST_BYTES_MAX * 6);
        withheld_write(&w->fresh, in);
    } else if (w->fresh.len) {
        chunk_grow(&w->fresh, in->text);
    }
    return true;
}

/* One more has come in. */
static void withheld_note(struct session *s, enum input_kind kind, struct id run_id)
{
    struct work *work = table_get(&s->runs, run_id);
    if (work && (kind == IN_MODEL_DONE || kind == IN_RUN_DONE || kind == IN_RUN_FAILED))
        work->ended = true;
    s->out_any = true;
    if (s->withheld_bytes > ENGINE_WITHHELD_BYTES_MAX)
        effect_hold_all(s, true);
}

/* As the newest; it is not stored yet. */
void withheld_adopt(struct session *s, struct withheld *w)
{
    s->withheld_bytes += w->json.len;
    list_append(&s->withheld, &w->link);
    withheld_note(s, w->kind, w->run_id);
}

static bool withhold_wanted(struct session *s, const struct engine_input *in)
{
    if (in->kind == IN_SIGNAL || in->kind == IN_USER_INPUT)
        return true;
    if (in->kind == IN_TIMER)
        return timer_find(s, in->timer_id) != NULL; /* frozen ones start again at the resume */
    struct work *w = table_get(&s->runs, in->run_id);
    return w && !w->lost;
}

void withhold(struct session *s, const struct engine_input *given)
{
    struct engine_input judged = *given, *in = &judged;
    struct errbuf e;
    if (!withhold_wanted(s, in) || !withheld_judge(in, &e))
        return;
    if (withheld_extend(s, in, false))
        withheld_note(s, in->kind, in->run_id);
    else
        withheld_adopt(s, withheld_new(in, ++s->next_ord));
}

/* Also those that never became rows. */
void withheld_drop(struct session *s)
{
    bool stored = false;
    struct list *l;
    while ((l = list_pop(&s->withheld))) {
        struct withheld *w = container_of(l, struct withheld, link);
        stored = stored || w->has_rows;
        withheld_free(w);
    }
    s->withheld_bytes = 0;
    if (stored) {
        s->made->out.withheld_clear = true;
        s->out_any = true;
    }
}

/* ---- pause ---- */

void session_pause(struct session *s)
{
    s->status = SESSION_PAUSED;
    event_session_move(s, SESSION_RUNNING);
    effect_push(s, EFFECT_GATE_CLOSE);
    children_tell(s, EFFECT_CHILD_PAUSE);
    if (!s->timers_run) {
        timers_freeze(s);
        interrupts_retime(s);
    }
    if (s->hold)
        effect_hold_all(s, true);
}

/* The event that says why stands already. */
void session_halt(struct session *s)
{
    enum halt why = s->halt;
    char reason[64];
    s->halt = HALT_NONE;
    s->at = &s->root;
    if (s->status != SESSION_RUNNING)
        return;
    if (why == HALT_BUDGET && s->budget.fails) {
        session_fail(s, "budget_exceeded", STR("The session has reached its budget."), -1);
        return;
    }
    snprintf(reason, sizeof(reason), "%s%s", why == HALT_BUDGET ? "budget" : "breaker:",
             why == HALT_BUDGET ? "" : breaker_word(s->breaker.tripped));
    own_set(&s->reason, str_of(reason));
    session_pause(s);
}

int step_pause(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (s->status != SESSION_RUNNING)
        return err_set(e, ERR_CONFLICT, "The session is %s; only a running one can be paused.",
                       session_status_word(s->status));
    own_set(&s->reason, in->reason);
    s->hold = in->hold;
    s->timers_run = in->timers_run;
    session_pause(s);
    return 0;
}

/* ---- resume ---- */

void lost_restart(struct session *s)
{
    scopes_foreach(it, s)
    {
        s->at = scope_of(it);
        for (unsigned n = 0; n < s->at->wf->node_count; n++)
            if (calls_lost(s, n))
                run_restart(s, n);
    }
    s->at = &s->root;
}

/* What came before it has paused the session again: it waits on. All rows are deleted, then those
 * that are left are written. */
static void withheld_again(struct session *s, struct withheld *w)
{
    w->stored = w->has_rows = false;
    buf_deinit(&w->fresh);
    s->withheld_bytes += w->json.len;
    list_append(&s->withheld, &w->link);
}

static void withheld_replay(struct session *s, const struct engine_input *in)
{
    struct list items, *l;
    list_init(&items);
    list_splice(&items, &s->withheld);
    s->withheld_bytes = 0;
    s->breaker.replaying = true;
    while ((l = list_pop(&items))) {
        struct withheld *w = container_of(l, struct withheld, link);
        struct engine_input replayed;
        if (w->has_rows) {
            s->made->out.withheld_clear = true;
            s->out_any = true;
        }
        if (s->status == SESSION_PAUSED) {
            withheld_again(s, w);
            continue;
        }
        if (s->status == SESSION_RUNNING && withheld_parse(buf_str(&w->json), s, &replayed)) {
            replayed.now_ms = in->now_ms;
            replayed.ids = in->ids;
            replayed.rules = in->rules;
            step_result(s, &replayed);
            s->at = &s->root;
            scheduler_drain(s);
        }
        withheld_free(w);
    }
    s->breaker.replaying = false;
}

int step_resume(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (s->status != SESSION_PAUSED)
        return err_set(e, ERR_CONFLICT, "The session is %s; only a paused one can be resumed.",
                       session_status_word(s->status));
    struct budget budget;
    int rc = breaker_check_resume(s, in, e);
    if (!rc)
        rc = budget_check_resume(s, in, &budget, e);
    if (rc)
        return rc;
    s->budget = budget;
    own_set(&s->reason, s->breaker.tripped != BREAKER_NONE ? in->justification : STR_NULL);
    s->status = SESSION_RUNNING;
    event_session_move(s, SESSION_PAUSED);
    bool frozen = !s->timers_run;
    own_set(&s->reason, STR_NULL);
    breaker_unlock(s, in);
    s->hold = s->timers_run = false;
    lost_restart(s);
    effects_deferred_start(s);
    timers_thaw(s);
    if (frozen)
        interrupts_retime(s);
    if (s->halt != HALT_NONE)
        session_halt(s);
    withheld_replay(s, in);
    if (s->status != SESSION_RUNNING)
        return 0; /* what was withheld, or the budget, has stopped it again */
    effect_hold_all(s, false);
    effect_push(s, EFFECT_GATE_OPEN);
    children_tell(s, EFFECT_CHILD_RESUME);
    return 0;
}
