#include "llm/anthropic.h"

#include "base/json.h"

/* An answer whose tool call is the answer is no call of a tool. */
static const char *anthropic_finish_reason(const struct llm_decoder *d, struct json v)
{
    static const struct {
        const char *theirs, *ours;
    } reasons[] = {
        {"end_turn", "stop"},       {"stop_sequence", "stop"},
        {"max_tokens", "length"},   {"model_context_window_exceeded", "length"},
        {"pause_turn", "length"}, /* it would go on if it were asked to */
        {"tool_use", "tool_calls"}, {"refusal", "content_filter"},
    };
    const char *ours = "stop";
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (json_string_eq(v, reasons[i].theirs))
            ours = reasons[i].ours;
    bool is_answer = d->answer_block >= 0 && d->tool_call_count == 0;
    return is_answer && json_string_eq(v, "tool_use") ? "stop" : ours;
}

/* Numbers grow while the message goes on, and some servers begin with 0: the greatest counts. The
 * parts of the input are told apart only for the price. */
static void decoding_usage(const struct decoding *g, struct json usage)
{
    static const char *const parts[] = {"input_tokens", "cache_creation_input_tokens",
                                        "cache_read_input_tokens"};
    struct llm_decoder *d = g->d;
    int64_t n = 0, input = 0;
    bool is_told = d->usage.input_tokens >= 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (json_i64(json_get(usage, parts[i]), &n) && n >= 0 && n < INT64_MAX / 4) {
            is_told = true;
            if (n > d->input_parts[i])
                d->input_parts[i] = n;
        }
        input += d->input_parts[i];
    }
    if (is_told)
        d->usage.input_tokens = input;
    if (json_i64(json_get(usage, "output_tokens"), &n) && n > d->usage.output_tokens)
        d->usage.output_tokens = n;
}

/* ---- Blocks ---- */

static struct llm_tool_call *tool_of_block(const struct llm_decoder *d, int64_t block)
{
    for (size_t i = d->tool_call_count; i > 0; i--)
        if (d->tool_calls[i - 1].block == block)
            return &d->tool_calls[i - 1];
    return NULL;
}

static int decoding_tool_use(const struct decoding *g, struct json v, int64_t block)
{
    struct llm_decoder *d = g->d;
    struct json input = json_get(v, "input");
    bool is_whole = json_type(input) == JSON_OBJECT && json_length(input) > 0;
    if (json_string_eq(json_get(v, "name"), ANTHROPIC_ANSWER)) {
        if (d->answer_block >= 0)
            return 0; /* one was asked for */
        d->answer_block = block;
        if (is_whole)
            decoding_add_raw(g, input);
        return 0;
    }
    struct llm_tool_call *call = tool_of_block(d, block);
    if (!call)
        call = decoding_tool(g, (int64_t)d->tool_call_count);
    if (!call)
        return ERR_TOO_LARGE;
    call->block = block;
    decoding_tool_name(call, json_get(v, "id"), json_get(v, "name"));
    if (!is_whole || call->arguments.len)
        return 0;
    call->is_whole = true;
    d->tool_bytes += input.n;
    if (buf_append_str(&call->arguments, json_raw(input)) ||
        d->tool_bytes > DECODER_TOOLS_BYTES_MAX)
        return err_set(g->e, ERR_TOO_LARGE, "the arguments of a tool call are too long");
    return 0;
}

/* content_block of its start, or one of the whole message. */
static int decoding_block(const struct decoding *g, struct json v, int64_t index)
{
    struct json type = json_get(v, "type");
    if (json_string_eq(type, "text"))
        decoding_add(g, DECODER_TEXT, json_get(v, "text"));
    else if (json_string_eq(type, "thinking"))
        decoding_add(g, DECODER_THINKING, json_get(v, "thinking"));
    else if (json_string_eq(type, "tool_use"))
        return decoding_tool_use(g, v, index);
    return 0;
}

static int decoding_input_json(const struct decoding *g, struct json v, int64_t index)
{
    struct llm_decoder *d = g->d;
    if (index == d->answer_block) {
        decoding_add(g, DECODER_TEXT, v);
        return 0;
    }
    struct llm_tool_call *call = tool_of_block(d, index);
    if (!call)
        return 0; /* of a tool that the server runs itself */
    if (call->is_whole && v.n > 2) {
        call->is_whole = false;
        buf_clear(&call->arguments);
    }
    return decoding_tool_piece(g, call, v);
}

static int decoding_block_delta(const struct decoding *g, struct json delta, int64_t index)
{
    struct json type = json_get(delta, "type");
    if (json_string_eq(type, "text_delta"))
        decoding_add(g, DECODER_TEXT, json_get(delta, "text"));
    else if (json_string_eq(type, "thinking_delta"))
        decoding_add(g, DECODER_THINKING, json_get(delta, "thinking"));
    else if (json_string_eq(type, "input_json_delta"))
        return decoding_input_json(g, json_get(delta, "partial_json"), index);
    return 0; /* signatures, citations, what will be thought of */
}

/* ---- Events ---- */

/* The reason comes with message_delta, or in the whole message. */
static void decoding_stop(const struct decoding *g, struct json reason)
{
    if (json_type(reason) == JSON_STRING)
        g->d->finish_reason = anthropic_finish_reason(g->d, reason);
}

static int decoding_whole(const struct decoding *g, struct json root)
{
    struct json_iter it;
    json_iter_init(&it, json_get(root, "content"));
    while (json_iter_next(&it)) {
        int rc = decoding_block(g, it.value, (int64_t)it.index);
        if (rc)
            return rc;
    }
    decoding_model(g, json_get(root, "model"));
    decoding_usage(g, json_get(root, "usage"));
    decoding_stop(g, json_get(root, "stop_reason"));
    return 0;
}

static bool is_event(struct json type, struct str name, const char *wanted)
{
    return json_exists(type) ? json_string_eq(type, wanted) : str_eqz(name, wanted);
}

static int decoding_failure(const struct decoding *g, struct json root)
{
    struct json error = json_get_set(root, "error"), type = json_get(error, "type");
    g->d->is_overloaded =
        json_string_eq(type, "overloaded_error") || json_string_eq(type, "rate_limit_error");
    return decoding_error(g, json_exists(error) ? error : root);
}

static int decoding_root(const struct decoding *g, struct str name, struct json root)
{
    struct json type = json_get(root, "type");
    int64_t index = 0;
    if (json_type(root) != JSON_OBJECT)
        return err_set(g->e, ERR_INVALID, "an event is not an object");
    json_i64(json_get(root, "index"), &index);
    if (index < 0)
        return err_set(g->e, ERR_INVALID, "index: below 0");
    if (is_event(type, name, "content_block_delta"))
        return decoding_block_delta(g, json_get(root, "delta"), index);
    if (is_event(type, name, "content_block_start"))
        return decoding_block(g, json_get(root, "content_block"), index);
    if (is_event(type, name, "message_start"))
        return decoding_whole(g, json_get(root, "message"));
    if (is_event(type, name, "message")) {
        g->d->is_done = true;
        return decoding_whole(g, root);
    }
    if (is_event(type, name, "message_delta")) {
        decoding_usage(g, json_get(root, "usage"));
        decoding_stop(g, json_get(json_get(root, "delta"), "stop_reason"));
    } else if (is_event(type, name, "message_stop")) {
        g->d->is_done = true;
    } else if (is_event(type, name, "error") || json_exists(json_get_set(root, "error"))) {
        return decoding_failure(g, root);
    }
    return 0; /* ping, content_block_stop, what will be thought of */
}

int anthropic_decode(struct llm_decoder *d, struct str name, struct str data, struct llm_delta *out,
                     struct errbuf *e)
{
    struct decoding g;
    *out = (struct llm_delta){STR_NULL, STR_NULL};
    int rc = decoding_begin(&g, d, data, out, e);
    if (!rc)
        rc = decoding_root(&g, name, json_root(g.fixed));
    if (rc != ERR_UPSTREAM && str_eqz(name, "error")) {
        struct errbuf said;
        decoder_error_text(data, &said);
        return err_set(e, ERR_UPSTREAM, "%s", said.text);
    }
    return rc ? rc : decoding_finish(&g);
}

const struct dialect anthropic_dialect = {
    .path = "/messages",
    .key_header = "x-api-key: ",
    .header = "anthropic-version: " ANTHROPIC_VERSION,
    .encode = anthropic_encode,
    .decode = anthropic_decode,
    .ends_by_reason = false,
};
