#include <string.h>

#include "base/utf8.h"
#include "engine/chat.h"
#include "engine/context.h"
#include "engine/schema.h"

/* Nodes that call a model: llm, agent, and end with a prompt.
 *
 * The request is rendered once, when the run starts, and kept as the effect's row, so that a
 * restart sends the same; of a stored agent, or in a group, when it is known who speaks
 * (context.h). Chunks are events at once; the whole text is kept for the message. An
 * answer that asks for tools (node_agent.c), or does not hold to the schema, is followed by another
 * call (chat.h). */

#define CONTEXT_ORDINAL    (CALL_ORDINALS_MAX - 1) /* behind those of a conversation */
#define REPAIRS_DEFAULT    2
#define REPAIRED_BYTES_MAX (64u << 10) /* of a wrong answer, as the model sees it again */

struct str node_agent_id(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    if (def->kind != KIND_AGENT)
        return STR_NULL;
    struct str id = prop_text(s, n, "agent_id");
    return id.p ? id : def->id;
}

/* A property of an agent: inline under `agent`, or beside it. */
static struct json agent_prop(const struct session *s, unsigned n, const char *key)
{
    struct json v = json_get_set(prop(s, n, "agent"), key);
    return json_exists(v) ? v : prop(s, n, key);
}

/* ---- the request ---- */

static void message_write(struct jw *w, const char *role, struct str content)
{
    jw_object(w);
    jw_kv_stringz(w, "role", role);
    jw_kv_string(w, "content", content);
    jw_end(w);
}

static void output_append(struct buf *b, struct str output)
{
    struct json v = json_root(output);
    if (json_type(v) == JSON_STRING)
        json_string(v, b);
    else
        buf_append_str(b, output);
}

static bool kind_says_something(enum node_kind k)
{
    return k != KIND_START && k != KIND_PARALLEL && k != KIND_LOOP && k != KIND_SWITCH &&
           k != KIND_WAIT;
}

/* Without a prompt: the topic, then what the direct predecessors said; where a map's body begins,
 * the item. */
struct str prompt_default(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    struct str input = s->meta.input_json.p ? s->meta.input_json : STR("null");
    struct json topic = json_get_set(json_root(input), "topic");
    struct buf b;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    output_append(&b, json_exists(topic) ? json_raw(topic) : input);
    for (unsigned i = 0; i < def->in_count; i++) {
        unsigned from = s->at->wf->edges[def->in[i]].from;
        if (!bit_get(s->at->live, def->in[i]) || !s->at->nodes[from].output.p ||
            !kind_says_something(node_def(s, from)->kind))
            continue;
        buf_append_z(&b, "\n\n## ");
        buf_append_str(&b, node_def(s, from)->name);
        buf_append_z(&b, "\n\n");
        output_append(&b, s->at->nodes[from].output);
    }
    if (!def->in_count && map_text(s).p) {
        buf_append_z(&b, "\n\n");
        output_append(&b, json_raw(json_get(json_root(map_text(s)), "item")));
    }
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static int messages_listed(struct session *s, unsigned n, struct json list, struct jw *w,
                           struct errbuf *e)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        struct json role = json_get_set(it.value, "role");
        struct json content = json_get_set(it.value, "content");
        struct str text;
        if (json_type(role) != JSON_STRING || json_type(content) != JSON_STRING)
            return err_set(e, ERR_INVALID, "messages[%zu] needs a role and a content.", it.index);
        int rc = eval_template(s, n, json_text(s, content), &text, e);
        if (rc)
            return rc;
        jw_object(w);
        jw_kv_raw(w, "role", json_raw(role));
        jw_kv_string(w, "content", text);
        jw_end(w);
    }
    return 0;
}

static int system_text(struct session *s, unsigned n, struct str *out, struct errbuf *e)
{
    bool is_agent = node_def(s, n)->kind == KIND_AGENT;
    struct json system = is_agent ? agent_prop(s, n, "persona") : prop(s, n, "system");
    *out = STR_NULL;
    return json_type(system) == JSON_STRING ? eval_template(s, n, json_text(s, system), out, e) : 0;
}

static int user_text(struct session *s, unsigned n, struct str *out, struct errbuf *e)
{
    struct json prompt = prop(s, n, "prompt");
    if (json_type(prompt) == JSON_STRING)
        return eval_template(s, n, json_text(s, prompt), out, e);
    *out = prompt_default(s, n);
    return out->p ? 0 : err_set(e, ERR_TOO_LARGE, "What came in is too large for a prompt.");
}

static int persona_text(struct session *s, const struct context *x, struct str *out,
                        struct errbuf *e)
{
    struct buf b;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    persona_write(&b, &x->persona);
    *out = b.len ? tmp_copy(s, buf_str(&b)) : STR_NULL;
    int rc = buf_error(&b);
    buf_deinit(&b);
    return rc ? err_set(e, ERR_TOO_LARGE, "What is remembered is larger than allowed.") : 0;
}

static int messages_write(struct session *s, unsigned n, const struct context *x, struct jw *w,
                          struct errbuf *e)
{
    struct json list = prop(s, n, "messages");
    struct str text;
    jw_key(w, "messages");
    jw_array(w);
    int rc = x ? persona_text(s, x, &text, e) : system_text(s, n, &text, e);
    if (rc)
        return rc;
    if (text.p)
        message_write(w, "system", text);
    if (json_type(list) == JSON_ARRAY) {
        rc = messages_listed(s, n, list, w, e);
    } else {
        text = x ? x->query : STR_NULL;
        rc = x ? 0 : user_text(s, n, &text, e);
        if (!rc)
            message_write(w, "user", text);
    }
    said_write_message(s, n, 0, w);
    jw_end(w);
    return rc;
}

/* A name, or a list of those to be tried in order. */
static void model_write(struct session *s, unsigned n, const struct context *x, struct jw *w)
{
    struct json provider = agent_prop(s, n, "provider"), model = agent_prop(s, n, "model");
    context_model(x, &provider, &model);
    if (json_type(provider) == JSON_STRING)
        jw_kv_raw(w, "provider", json_raw(provider));
    if (json_type(model) == JSON_STRING || json_type(model) == JSON_ARRAY)
        jw_kv_raw(w, "model", json_raw(model));
}

/* The node's, else the stored agent's. */
static struct json tools_of(const struct session *s, unsigned n, const struct context *x)
{
    struct json tools = context_or(x, prop(s, n, "tools"), "tools");
    return json_type(tools) == JSON_ARRAY && json_length(tools) ? tools : JSON_ABSENT;
}

static int request_write(struct session *s, unsigned n, const struct context *x, struct buf *b,
                         struct errbuf *e)
{
    static const char *const numbers[] = {"temperature", "top_p", "max_tokens"};
    struct json schema = prop(s, n, "response_schema"), tools = tools_of(s, n, x);
    struct jw w;
    jw_init(&w, b);
    jw_object(&w);
    model_write(s, n, x, &w);
    int rc = messages_write(s, n, x, &w, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct json v = context_or(x, agent_prop(s, n, numbers[i]), numbers[i]);
        if (json_type(v) == JSON_NUMBER)
            jw_kv_raw(&w, numbers[i], json_raw(v));
    }
    if (json_exists(schema))
        jw_kv_raw(&w, "response_schema", json_raw(schema));
    if (json_exists(tools))
        tools_write(s, tools, &w);
    jw_end(&w);
    return buf_error(b) ? err_set(e, ERR_TOO_LARGE, "The request is larger than allowed.") : 0;
}

static void text_refuse(struct session *s, unsigned n, int rc, const struct errbuf *e)
{
    node_failz(s, n, rc == ERR_TOO_LARGE ? "too_large" : "invalid_template", e->text);
}

/* Tools of the agent's own stand nowhere in the workflow: the conversation has them from its
 * beginning. */
static void chat_begin(struct session *s, unsigned n, const struct context *x, struct str request)
{
    struct chat c = {.request = request,
                     .messages = STR("[]"),
                     .calls = STR("[]"),
                     .repairs = STR("[]"),
                     .message = -1,
                     .said = s->said_seq,
                     .tools = json_raw(tools_of(s, n, x))};
    json_i64(json_get_set(x->agent, "max_tool_rounds"), &c.rounds_max);
    if (c.rounds_max < 0 || c.rounds_max > AGENT_ROUNDS_MAX)
        c.rounds_max = 0;
    if (chat_save(s, n, &c))
        chat_ask(s, n, &c);
}

/* x: what is known of who speaks; NULL: it stands in the workflow. */
static void model_ask(struct session *s, unsigned n, const struct context *x)
{
    struct errbuf e = {{0}};
    struct buf b;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    int rc = request_write(s, n, x, &b, &e);
    if (rc)
        text_refuse(s, n, rc, &e);
    else if (x && !json_exists(prop(s, n, "tools")) && json_exists(tools_of(s, n, x)))
        chat_begin(s, n, x, tmp_copy(s, buf_str(&b)));
    else
        call_begin(s, n, WORK_MODEL, 0, buf_str(&b));
    buf_deinit(&b);
}

/* ---- who speaks ---- */

static bool speaker_is_stored(const struct session *s, unsigned n)
{
    return node_def(s, n)->kind == KIND_AGENT &&
           (workflow_node_agent(node_def(s, n)).p || s->meta.group_id.n);
}

static void speaker_ask(struct session *s, unsigned n)
{
    struct context_ask a = {.agent_id = workflow_node_agent(node_def(s, n)),
                            .memory = prop(s, n, "memory")};
    struct errbuf e = {{0}};
    int rc = user_text(s, n, &a.query, &e);
    if (!rc)
        rc = system_text(s, n, &a.persona, &e);
    if (!rc && !context_begin(s, n, CONTEXT_ORDINAL, &a))
        rc = err_set(&e, ERR_TOO_LARGE, "The request is larger than allowed.");
    if (rc)
        text_refuse(s, n, rc, &e);
}

static void speaker_known(struct session *s, unsigned n, const struct work *c,
                          const struct engine_input *in)
{
    struct context x;
    struct errbuf e = {{0}};
    if (context_read(s, c, in, &x, &e))
        node_failz(s, n, "unknown_agent", e.text);
    else
        model_ask(s, n, &x);
}

void node_start_model(struct session *s, unsigned n)
{
    struct chat chat;
    if (chat_load(s, n, &chat)) /* another attempt: what came in is not asked for again */
        agent_go_on(s, n, &chat);
    else if (speaker_is_stored(s, n))
        speaker_ask(s, n);
    else
        model_ask(s, n, NULL);
}

/* ---- the answer ---- */

void model_chunk(struct session *s, struct work *w, const struct engine_input *in)
{
    if (!in->text.n)
        return;
    if (in->is_thinking) {
        thought_add(w, in->text);
    } else if (buf_append_str(&w->text, in->text)) {
        node_fail(s, w->node, "too_large", STR("The answer is longer than allowed."), -1, true);
        return;
    }
    event_chunk(s, w, in->text, in->is_thinking);
    budget_chunk(s, w, in->text.n);
    breaker_chunk(s, w, in->text);
}

void message_add(struct session *s, struct message_row row)
{
    struct message_row *r = arena_alloc(&s->made->out.arena, sizeof(*r));
    struct str *texts[] = {&row.node_id,       &row.role,     &row.agent_id,       &row.content,
                           &row.finish_reason, &row.thinking, &row.tool_calls_json};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i]->p)
            texts[i]->p = arena_strdup(&s->made->out.arena, *texts[i]);
    *r = row;
    r->next = NULL;
    r->seq = s->seq;
    r->created_at = s->now;
    *s->made->messages_tail = r;
    s->made->messages_tail = &r->next;
    s->out_any = true;
}

/* tokens: -1 unknown, then a fourth of the bytes, as a rule of thumb. */
void model_message(struct session *s, struct work *c, struct str finish_reason, int64_t tokens)
{
    model_message_asking(s, c, finish_reason, tokens, STR_NULL);
}

void model_message_asking(struct session *s, struct work *c, struct str finish_reason,
                          int64_t tokens, struct str tool_calls)
{
    struct str content = call_text(c), agent = call_agent(s, c);
    char id[ID_TEXT_BYTES + 1];
    if (tokens < 0)
        tokens = (int64_t)((content.n + 3) / 4);
    id_format(c->message_id, id);
    struct jw *w = event_begin(s, "message", (int)c->node);
    jw_kv_stringz(w, "message_id", id);
    jw_kv_stringz(w, "role", "assistant");
    if (agent.p)
        jw_kv_string(w, "agent_id", agent);
    jw_kv_string(w, "content", content);
    jw_kv_i64(w, "token_count", tokens);
    jw_kv_string(w, "finish_reason", finish_reason);
    event_end(s);
    message_add(s, (struct message_row){.message_id = c->message_id,
                                        .run_id = s->at->nodes[c->node].run_id,
                                        .node_id = node_def(s, c->node)->id,
                                        .role = STR("assistant"),
                                        .agent_id = agent,
                                        .content = content,
                                        .finish_reason = finish_reason,
                                        .thinking = thought_text(c),
                                        .tool_calls_json = tool_calls,
                                        .token_count = tokens});
    thought_forget(c);
    buf_clear(&c->text); /* it is over: what becomes of the run now says nothing of it */
    c->shown = false;
}

void model_keep_partial(struct session *s, unsigned n, const char *finish_reason)
{
    for (struct work *w = s->at->nodes[n].work; w; w = w->next)
        if (w->text.len)
            model_message(s, w, str_of(finish_reason), -1);
}

void model_reset(struct session *s, unsigned n, struct id message_id, const char *reason)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(message_id, id);
    struct jw *w = event_begin(s, "stream_reset", (int)n);
    jw_kv_stringz(w, "message_id", id);
    jw_kv_stringz(w, "reason", reason);
    event_end(s);
}

/* ---- structured answers ---- */

static struct str trim(struct str t)
{
    while (t.n && strchr(" \t\r\n", t.p[0])) {
        t.p++;
        t.n--;
    }
    while (t.n && strchr(" \t\r\n", t.p[t.n - 1]))
        t.n--;
    return t;
}

/* What stands in a Markdown code fence, when the text is nothing but one. */
static struct str fence_open(struct str text)
{
    struct str t = trim(text);
    if (t.n < 6 || memcmp(t.p, "```", 3) != 0 || memcmp(t.p + t.n - 3, "```", 3) != 0)
        return text;
    const char *line = memchr(t.p, '\n', t.n - 3);
    if (!line)
        return text;
    return (struct str){line + 1, (size_t)(t.p + t.n - 3 - (line + 1))};
}

int answer_read(struct session *s, struct str text, struct json schema, struct str *out,
                struct errbuf *e)
{
    struct errbuf inner = {{0}};
    text = fence_open(text);
    if (json_check(text, NULL, &inner))
        return err_set(e, ERR_INVALID, "The answer is not JSON: %.400s", inner.text);
    if (json_exists(schema) && schema_validate(schema, json_root(text), &inner))
        return err_set(e, ERR_INVALID, "The answer does not hold to the schema: %.400s",
                       inner.text);
    *out = tmp_copy(s, json_raw(json_root(text)));
    return 0;
}

static struct str message_make(struct session *s, const char *role, struct str content)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    message_write(&w, role, content);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* Another attempt of the node goes on from before the first wrong answer. */
static void repairs_forget(struct session *s, unsigned n, struct chat *c)
{
    int64_t first = c->message;
    c->repairs = STR("[]");
    c->message = -1;
    if (first >= 0)
        c->at = first;
    if (json_length(json_root(c->messages)))
        chat_save(s, n, c);
    else
        progress_set(s, n, STR_NULL);
}

/* The model is told what was wrong and asked again; its void message is filled anew. */
static void model_repair(struct session *s, unsigned n, struct work *c, const struct errbuf *wrong)
{
    int64_t most = REPAIRS_DEFAULT;
    struct str text = call_text(c);
    struct chat chat;
    struct errbuf e;
    json_i64(prop(s, n, "repair_attempts"), &most);
    chat_init(s, n, &chat, c);
    if ((int64_t)json_length(json_root(chat.repairs)) / 2 >= most) {
        struct str sentence = tmp_copy(s, str_of(wrong->text));
        repairs_forget(s, n, &chat);
        node_fail(s, n, "schema_mismatch", sentence, -1, true);
        return;
    }
    if (text.n > REPAIRED_BYTES_MAX)
        text.n = utf8_cut(text.p, REPAIRED_BYTES_MAX);
    err_set(&e, ERR_INVALID, "%.440s Answer again, with nothing but the JSON.", wrong->text);
    chat.repairs = array_append(s, chat.repairs, message_make(s, "assistant", text));
    chat.repairs = array_append(s, chat.repairs, message_make(s, "user", str_of(e.text)));
    if (chat.message < 0)
        chat.message = c->ordinal;
    chat.at = c->ordinal + 1;
    if (c->shown)
        model_reset(s, n, c->message_id, "repair");
    c->shown = false;
    buf_clear(&c->text);
    thought_forget(c);
    chat_hear(s, &chat);
    if (chat_save(s, n, &chat))
        chat_ask(s, n, &chat);
}

/* ---- the end of a call ---- */

bool model_goes_on(const struct session *s, unsigned n)
{
    /* With a stored agent's tools the conversation has the request already. */
    return json_exists(prop(s, n, "tools")) || json_exists(prop(s, n, "response_schema"));
}

void model_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    if (c->kind == WORK_TOOL && !call_is_context(c))
        agent_tool_failed(s, n, c, in);
    else
        call_fail_run(s, n, in);
}

static void answer_take(struct session *s, unsigned n, struct work *c,
                        const struct engine_input *in)
{
    struct json schema = prop(s, n, "response_schema");
    struct str output = STR_NULL;
    struct errbuf e = {{0}};
    if (!json_exists(schema)) {
        output = quote(s, call_text(c));
    } else if (answer_read(s, call_text(c), schema, &output, &e)) {
        model_repair(s, n, c, &e);
        return;
    }
    if (output.n > ENGINE_OUTPUT_BYTES_MAX) { /* before the message says that it is whole */
        node_fail(s, n, "too_large", STR("The answer is longer than allowed."), -1, true);
        return;
    }
    model_message(s, c, in->finish_reason.n ? in->finish_reason : STR("stop"), in->output_tokens);
    node_complete(s, n, output, node_def(s, n)->kind == KIND_END ? EDGES_NONE : EDGES_NEXT);
}

void model_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    if (call_is_context(c))
        speaker_known(s, n, c, in);
    else if (c->kind == WORK_TOOL)
        agent_tool_done(s, n, c, in);
    else if (agent_wants_tools(s, n, in))
        agent_round(s, n, c, in);
    else
        answer_take(s, n, c, in);
}
