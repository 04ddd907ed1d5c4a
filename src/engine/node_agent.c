#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/chat.h"
#include "engine/schema.h"

/* Tools in the hands of a model. An answer with tool calls begins a round: all of them run at once,
 * what they give goes back to the model in the order it asked, and it is called again. What the
 * model did wrong (an unknown tool, arguments that do not hold to the schema) it is told. */

#define ROUND_CALLS_MAX  16           /* of one answer; the rest is refused to the model */
#define ANSWER_CALLS_MAX 64           /* what is beyond is not looked at */
#define RESULT_BYTES_MAX (128u << 10) /* of one result, as the model reads it */
#define ARGUMENTS_MAX    (1u << 20)
#define ARGUMENTS_DEPTH  48

/* ---- what there is ---- */

struct tool_spec {
    struct str name, description, tool, server;
    struct json arguments, parameters; /* or absent */
};

static struct str text_get(struct session *s, struct json v, const char *key)
{
    struct json m = json_get_set(v, key);
    return json_type(m) == JSON_STRING ? json_text(s, m) : STR_NULL;
}

static struct str or_empty(struct str text)
{
    return text.p ? text : STR("");
}

/* A stored agent may have anything there. */
static struct json object_get(struct json v, const char *key)
{
    struct json m = json_get_set(v, key);
    return json_type(m) == JSON_OBJECT ? m : JSON_ABSENT;
}

/* A name alone, or an object. */
static void spec_read(struct session *s, struct json v, struct tool_spec *out)
{
    *out = (struct tool_spec){.arguments = JSON_ABSENT, .parameters = JSON_ABSENT};
    if (json_type(v) == JSON_STRING) {
        out->name = out->tool = json_text(s, v);
    } else {
        out->tool = text_get(s, v, "tool");
        out->name = text_get(s, v, "name");
        out->description = text_get(s, v, "description");
        out->server = text_get(s, v, "server");
        out->arguments = object_get(v, "arguments");
        out->parameters = object_get(v, "parameters");
    }
    if (!out->name.p || !out->tool.n)
        out->name = out->tool; /* without a tool there is none of that name */
    const struct tool_doc *doc = tool_doc_find(out->tool);
    if (doc && !out->description.p)
        out->description = str_of(doc->description);
    if (doc && !json_exists(out->parameters))
        out->parameters = json_root(str_of(doc->parameters));
}

static bool spec_find(struct session *s, unsigned n, const struct chat *c, struct str name,
                      struct tool_spec *out)
{
    struct json_iter it;
    json_iter_init(&it, c->tools.p ? json_root(c->tools) : prop(s, n, "tools"));
    while (json_iter_next(&it)) {
        spec_read(s, it.value, out);
        if (out->name.n && str_eq(out->name, name))
            return true;
    }
    *out = (struct tool_spec){.tool = name};
    return false;
}

bool node_has_tools(const struct session *s, unsigned n)
{
    struct str progress = progress_get(s, n);
    return json_type(prop(s, n, "tools")) == JSON_ARRAY ||
           (progress.p && json_exists(json_get_set(json_root(progress), "tools")));
}

void tools_write(struct session *s, struct json tools, struct jw *w)
{
    struct tool_spec spec;
    struct json_iter it;
    jw_key(w, "tools");
    jw_array(w);
    json_iter_init(&it, tools);
    while (json_iter_next(&it)) {
        spec_read(s, it.value, &spec);
        if (!spec.name.n)
            continue;
        jw_object(w);
        jw_kv_string(w, "name", spec.name);
        if (spec.description.p)
            jw_kv_string(w, "description", spec.description);
        if (json_exists(spec.parameters))
            jw_kv_raw(w, "parameters", json_raw(spec.parameters));
        else if (spec.server.p) /* it is asked before the model is called */
            jw_kv_string(w, "server", spec.server);
        else
            jw_kv_raw(w, "parameters", STR("{\"type\":\"object\"}"));
        jw_end(w);
    }
    jw_end(w);
}

/* ---- one call ---- */

/* The model's arguments, over which those that the workflow fixes are laid. */
static struct str arguments_merge(struct session *s, struct json given, struct json fixed)
{
    struct buf b;
    struct jw w;
    struct json_iter it;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    for (unsigned i = 0; i < 2; i++) {
        json_iter_init(&it, i ? fixed : given);
        while (json_iter_next(&it)) {
            struct str key = json_text(s, (struct json){it.key.p - 1, it.key.n + 2});
            char name[256];
            if (!i && key.n < sizeof(name) && json_exists(fixed)) {
                memcpy(name, key.p, key.n);
                name[key.n] = 0;
                if (json_exists(json_get(fixed, name)))
                    continue;
            }
            jw_key_str(&w, key);
            jw_raw(&w, json_raw(it.value));
        }
    }
    jw_end(&w);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* 0, and the arguments the tool gets; ERR_INVALID: for the model; ERR_INTERNAL: the workflow's own
 * templates fail. */
static int arguments_make(struct session *s, unsigned n, const struct tool_spec *spec,
                          struct str text, struct str *out, struct errbuf *e)
{
    static const struct json_limits limits = {.bytes_max = ARGUMENTS_MAX,
                                              .depth_max = ARGUMENTS_DEPTH};
    struct errbuf inner = {{0}};
    struct str fixed = STR("{}");
    if (!text.n)
        text = STR("{}");
    if (json_check(text, &limits, &inner))
        return err_set(e, ERR_INVALID, "The arguments are not JSON: %.400s", inner.text);
    if (json_type(json_root(text)) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "The arguments must be an object.");
    if (json_exists(spec->arguments) && eval_templates(s, n, spec->arguments, &fixed, e))
        return ERR_INTERNAL;
    *out = arguments_merge(s, json_root(text), json_root(fixed));
    if (!out->p)
        return err_set(e, ERR_INVALID, "The arguments are larger than allowed.");
    if (json_exists(spec->parameters) && schema_validate(spec->parameters, json_root(*out), &inner))
        return err_set(e, ERR_INVALID, "The arguments do not hold to the tool's parameters: %.400s",
                       inner.text);
    return 0;
}

/* What never started is told as an event, too. */
static void refusal_event(struct session *s, unsigned n, unsigned ordinal,
                          const struct tool_call *t, const char *why)
{
    struct str request = tool_request(s, n, t),
               error = error_json(s, "invalid_call", str_of(why), NULL);
    tool_event_of(s, n, call_key(&s->at->nodes[n], ordinal), request.p ? request : STR("{}"),
                  "failed", STR_NULL, error);
}

/* 0: it is under way. ERR_INVALID: e is for the model. ERR_INTERNAL: the node cannot go on. */
static int tool_begin(struct session *s, unsigned n, const struct chat *c, struct json entry,
                      size_t place, unsigned ordinal, struct errbuf *e)
{
    struct str name = or_empty(text_get(s, entry, "name")), request;
    struct str text = or_empty(text_get(s, entry, "arguments"));
    struct tool_spec spec = {.tool = name};
    struct tool_call t = {.name = name, .arguments = quote(s, text)};
    int rc;
    if (place >= ROUND_CALLS_MAX)
        rc = err_set(e, ERR_INVALID, "At most %d tools can be called at once.", ROUND_CALLS_MAX);
    else if (!spec_find(s, n, c, name, &spec))
        rc = err_set(e, ERR_INVALID, "There is no tool \"%.*s\".",
                     (int)(name.n > NAME_BYTES_MAX ? NAME_BYTES_MAX : name.n), name.p);
    else
        rc = arguments_make(s, n, &spec, text, &t.arguments, e);
    t.tool = spec.tool;
    t.server = spec.server;
    if (c->tools.p && json_exists(json_get_set(spec.arguments, "url")))
        t.headers = json_raw(json_get_set(spec.arguments, "headers"));
    if (!rc) {
        request = tool_request(s, n, &t);
        if (!request.p)
            rc = err_set(e, ERR_INVALID, "The arguments are larger than allowed.");
    }
    if (!rc)
        call_begin(s, n, WORK_TOOL, ordinal, request);
    else if (rc == ERR_INVALID)
        refusal_event(s, n, ordinal, &t, e->text);
    return rc;
}

/* ---- a round ---- */

/* A call, for the conversation (ordinal -1) or for the round's list. */
static struct str entry_write(struct session *s, struct json call, struct str id, int64_t ordinal,
                              struct str content)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    if (ordinal >= 0)
        jw_kv_i64(&w, "n", ordinal);
    jw_kv_string(&w, "id", id);
    jw_kv_string(&w, "name", or_empty(text_get(s, call, "name")));
    jw_kv_string(&w, "arguments", or_empty(text_get(s, call, "arguments")));
    if (content.p)
        jw_kv_string(&w, "content", content);
    jw_end(&w);
    struct str out = buf_error(&b) ? STR("{}") : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static int64_t entry_ordinal(struct json entry)
{
    int64_t ordinal = -1;
    json_i64(json_get_set(entry, "n"), &ordinal);
    return ordinal > 0 && ordinal < CALL_ORDINALS_MAX ? ordinal : -1;
}

static bool entry_is_done(struct json entry)
{
    return json_type(json_get_set(entry, "content")) == JSON_STRING;
}

/* What the model reads of a call, set at its place in the round. */
static bool content_set(struct session *s, struct chat *c, int64_t ordinal, struct str content)
{
    struct str calls = STR("[]");
    struct json_iter it;
    bool found = false;
    if (content.n > RESULT_BYTES_MAX)
        content.n = utf8_cut(content.p, RESULT_BYTES_MAX);
    json_iter_init(&it, json_root(c->calls));
    while (json_iter_next(&it)) {
        struct str entry = json_raw(it.value);
        if (entry_ordinal(it.value) == ordinal && !entry_is_done(it.value)) {
            entry =
                entry_write(s, it.value, or_empty(text_get(s, it.value, "id")), ordinal, content);
            found = true;
        }
        calls = array_append(s, calls, entry);
    }
    c->calls = calls;
    return found;
}

static struct str result_message(struct session *s, struct json entry)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "role", "tool");
    jw_kv_string(&w, "tool_call_id", or_empty(text_get(s, entry, "id")));
    jw_kv_string(&w, "content", or_empty(text_get(s, entry, "content")));
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static bool round_is_done(const struct chat *c)
{
    struct json_iter it;
    json_iter_init(&it, json_root(c->calls));
    while (json_iter_next(&it))
        if (!entry_is_done(it.value))
            return false;
    return true;
}

static void round_end(struct session *s, unsigned n, struct chat *c)
{
    struct json_iter it;
    json_iter_init(&it, json_root(c->calls));
    while (json_iter_next(&it))
        c->messages = array_append(s, c->messages, result_message(s, it.value));
    c->calls = STR("[]");
    chat_hear(s, c);
    if (chat_save(s, n, c))
        chat_ask(s, n, c);
}

static bool calls_go_on(const struct session *s, unsigned n)
{
    for (const struct work *w = s->at->nodes[n].work; w; w = w->next)
        if (!w->over)
            return true;
    return false;
}

void agent_go_on(struct session *s, unsigned n, struct chat *c)
{
    struct json_iter it;
    json_iter_init(&it, json_root(c->calls));
    while (json_iter_next(&it)) {
        struct errbuf e = {{0}};
        int64_t ordinal = entry_ordinal(it.value);
        if (ordinal < 0 || entry_is_done(it.value) || call_find(s, n, (unsigned)ordinal))
            continue;
        int rc = tool_begin(s, n, c, it.value, it.index, (unsigned)ordinal, &e);
        if (rc == ERR_INTERNAL) {
            if (chat_save(s, n, c)) /* another attempt does not ask the model again */
                node_failz(s, n, "invalid_template", e.text);
            return;
        }
        if (rc)
            content_set(s, c, ordinal, tmp_copy(s, str_of(e.text)));
    }
    if (round_is_done(c))
        round_end(s, n, c);
    else if (chat_save(s, n, c) && !calls_go_on(s, n)) /* so a damaged store can have it */
        node_failz(s, n, "lost", "What the round still waits for is not there.");
}

/* ---- the model's answer ---- */

bool agent_wants_tools(struct session *s, unsigned n, const struct engine_input *in)
{
    struct chat chat;
    if (!node_has_tools(s, n) || !in->tool_calls_json.n ||
        !json_length(json_root(in->tool_calls_json)))
        return false;
    return !chat_load(s, n, &chat) || chat_offers_tools(s, n, &chat);
}

static struct str call_id_of(struct session *s, struct json call, int64_t ordinal)
{
    struct str id = text_get(s, call, "id");
    char made[32];
    if (id.n)
        return id;
    snprintf(made, sizeof(made), "call_%lld", (long long)ordinal);
    return tmp_copy(s, str_of(made));
}

/* The answer as a message of the conversation; its calls become the round's. */
static struct str round_message(struct session *s, struct chat *c, struct str text,
                                struct json tool_calls)
{
    struct str calls = STR("[]");
    struct json_iter it;
    struct buf b;
    struct jw w;
    json_iter_init(&it, tool_calls);
    while (json_iter_next(&it) && it.index < ANSWER_CALLS_MAX) {
        int64_t ordinal = ++c->at;
        struct str id = call_id_of(s, it.value, ordinal);
        calls = array_append(s, calls, entry_write(s, it.value, id, -1, STR_NULL));
        c->calls = array_append(s, c->calls, entry_write(s, it.value, id, ordinal, STR_NULL));
    }
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "role", "assistant");
    jw_kv_string(&w, "content", text);
    jw_kv_raw(&w, "tool_calls", calls);
    jw_end(&w);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

void agent_round(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct chat chat;
    chat_init(s, n, &chat, c);
    chat.at = c->ordinal;
    chat.calls = chat.repairs = STR("[]");
    chat.message = -1;
    struct str message = round_message(s, &chat, call_text(c), json_root(in->tool_calls_json));
    if (!message.p || chat.at + 1 >= CALL_ORDINALS_MAX) {
        node_failz(s, n, "too_large", "The conversation is larger than allowed.");
        return;
    }
    chat.messages = array_append(s, chat.messages, message);
    chat.rounds++;
    chat.at++;
    if (c->shown || c->text.len)
        model_message_asking(s, c, STR("tool_calls"), in->output_tokens, in->tool_calls_json);
    agent_go_on(s, n, &chat);
}

/* ---- the tools' answers ---- */

static void tool_answered(struct session *s, unsigned n, struct work *c, struct str content)
{
    struct chat chat;
    if (chat_load(s, n, &chat) && content_set(s, &chat, c->ordinal, content))
        agent_go_on(s, n, &chat);
    else /* only a damaged store can bring this about */
        node_failz(s, n, "lost", "The conversation that a tool was called for is not there.");
}

void agent_tool_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct json output = json_root(in->output_json);
    tool_answered(s, n, c,
                  json_type(output) == JSON_STRING ? json_text(s, output) : json_raw(output));
}

void agent_tool_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct errbuf text;
    if (json_string_eq(prop(s, n, "on_tool_error"), "fail")) {
        call_fail_run(s, n, in);
        return;
    }
    err_set(&text, ERR_UPSTREAM, "The tool failed (%.*s): %.*s", STR_FMT(in->error_code),
            (int)(in->error_text.n > 400 ? 400 : in->error_text.n), in->error_text.p);
    tool_answered(s, n, c, tmp_copy(s, str_of(text.text)));
}
