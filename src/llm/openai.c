#include "llm/openai.h"

#include "base/json.h"

/* ---- The request ---- */

int openai_check_messages(struct json messages, struct errbuf *e)
{
    if (json_type(messages) != JSON_ARRAY || json_length(messages) == 0)
        return err_set(e, ERR_INVALID, "messages: must be an array that is not empty");
    struct json_iter it;
    json_iter_init(&it, messages);
    while (json_iter_next(&it)) {
        int rc = openai_check_message(it.value, it.index, e);
        if (rc)
            return rc;
    }
    return 0;
}

static void openai_encode_schema(struct jw *w, struct json schema)
{
    jw_key(w, "response_format");
    jw_object(w);
    jw_kv_stringz(w, "type", "json_schema");
    jw_key(w, "json_schema");
    jw_object(w);
    jw_kv_stringz(w, "name", "answer");
    jw_kv_raw(w, "schema", json_raw(schema));
    jw_end(w);
    jw_end(w);
}

static int openai_encode_member(struct jw *w, const struct json_iter *it, bool is_openai,
                                struct errbuf *e)
{
    enum json_type type = json_type(it->value);
    if (json_iter_key_is(it, "messages")) {
        openai_encode_messages(w, it->value);
    } else if (type == JSON_NULL || json_iter_key_is(it, "provider") ||
               json_iter_key_is(it, "model")) {
        return 0; /* whom to ask was decided from these: options->model */
    } else if (json_iter_key_is(it, "response_schema")) {
        if (type != JSON_OBJECT)
            return err_set(e, ERR_INVALID, "response_schema: must be an object");
        openai_encode_schema(w, it->value);
    } else if (json_iter_key_is(it, "tools")) {
        return openai_encode_tools(w, it->value, e);
    } else if (type != JSON_NUMBER) {
        return err_set(e, ERR_INVALID, "%.*s: must be a number", STR_FMT(it->key));
    } else if (json_iter_key_is(it, "temperature")) {
        jw_kv_raw(w, "temperature", json_raw(it->value));
    } else if (json_iter_key_is(it, "top_p")) {
        jw_kv_raw(w, "top_p", json_raw(it->value));
    } else if (json_iter_key_is(it, "max_tokens")) {
        jw_kv_raw(w, is_openai ? "max_completion_tokens" : "max_tokens", json_raw(it->value));
    } else {
        return err_set(e, ERR_INVALID, "%.*s: unknown member", STR_FMT(it->key));
    }
    return 0;
}

int openai_encode(struct str request, const struct dialect_options *options, struct buf *out,
                  struct errbuf *e)
{
    struct json root = json_root(request);
    if (json_type(root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "the request must be an object");
    int rc = openai_check_messages(json_get(root, "messages"), e);
    if (rc)
        return rc;
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    if (options->model && options->model[0])
        jw_kv_stringz(&w, "model", options->model);
    struct json_iter it;
    json_iter_init(&it, root);
    while (json_iter_next(&it)) {
        rc = openai_encode_member(&w, &it, options->is_openai, e);
        if (rc)
            return rc;
    }
    jw_kv_bool(&w, "stream", true);
    jw_kv_raw(&w, "stream_options", STR("{\"include_usage\":true}"));
    jw_end(&w);
    rc = buf_error(out);
    return rc ? err_set(e, rc, "the request is too large") : 0;
}

/* ---- Tool calls ---- */

static int decoding_tool_call(const struct decoding *g, struct json v, size_t place)
{
    int64_t index = (int64_t)place; /* some servers leave it out when there is one */
    json_i64(json_get(v, "index"), &index);
    struct llm_tool_call *call = decoding_tool(g, index);
    if (!call)
        return ERR_TOO_LARGE;
    struct json function = json_get(v, "function");
    decoding_tool_name(call, json_get(v, "id"), json_get(function, "name"));
    return decoding_tool_piece(g, call, json_get(function, "arguments"));
}

static int decoding_tool_calls(const struct decoding *g, struct json calls)
{
    struct json_iter it;
    json_iter_init(&it, calls);
    while (json_iter_next(&it)) {
        int rc = decoding_tool_call(g, it.value, it.index);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- Events ---- */

static const char *openai_finish_reason(struct json v)
{
    static const struct {
        const char *theirs, *ours;
    } reasons[] = {
        {"stop", "stop"},
        {"length", "length"},
        {"max_tokens", "length"},
        {"content_filter", "content_filter"},
        {"tool_calls", "tool_calls"},
        {"function_call", "tool_calls"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (json_string_eq(v, reasons[i].theirs))
            return reasons[i].ours;
    return "stop"; /* "eos", "end_turn", …: it ended of its own accord */
}

static int decoding_message(const struct decoding *g, struct json message)
{
    struct json_iter it;
    json_iter_init(&it, message);
    while (json_iter_next(&it)) {
        int rc = 0;
        if (json_iter_key_is(&it, "content"))
            decoding_add(g, DECODER_TEXT, it.value);
        else if (json_iter_key_is(&it, "reasoning_content"))
            decoding_add(g, DECODER_THINKING, it.value);
        else if (json_iter_key_is(&it, "reasoning")) {
            /* Some servers send both, with the same text. */
            if (!json_exists(json_get_set(message, "reasoning_content")))
                decoding_add(g, DECODER_THINKING, it.value);
        } else if (json_iter_key_is(&it, "refusal"))
            decoding_add(g, DECODER_REFUSAL, it.value);
        else if (json_iter_key_is(&it, "tool_calls"))
            rc = decoding_tool_calls(g, it.value);
        if (rc)
            return rc;
    }
    return 0;
}

static int decoding_choice(const struct decoding *g, struct json choice)
{
    int64_t index = 0;
    json_i64(json_get(choice, "index"), &index);
    if (index != 0)
        return 0; /* one was asked for */
    int rc = 0;
    struct json_iter it;
    json_iter_init(&it, choice);
    while (!rc && json_iter_next(&it)) {
        if (json_iter_key_is(&it, "delta") || json_iter_key_is(&it, "message"))
            rc = decoding_message(g, it.value);
        else if (json_iter_key_is(&it, "finish_reason") && json_type(it.value) == JSON_STRING)
            g->d->finish_reason = openai_finish_reason(it.value);
    }
    return rc;
}

static int decoding_choices(const struct decoding *g, struct json choices)
{
    struct json_iter it;
    json_iter_init(&it, choices);
    while (json_iter_next(&it)) {
        int rc = decoding_choice(g, it.value);
        if (rc)
            return rc;
    }
    return 0;
}

static void decoding_usage(const struct decoding *g, struct json usage)
{
    int64_t n;
    if (json_i64(json_get(usage, "prompt_tokens"), &n) && n >= 0)
        g->d->usage.input_tokens = n;
    if (json_i64(json_get(usage, "completion_tokens"), &n) && n >= 0)
        g->d->usage.output_tokens = n;
}

static int decoding_root(const struct decoding *g, struct json root)
{
    if (json_type(root) != JSON_OBJECT)
        return err_set(g->e, ERR_INVALID, "an event is not an object");
    struct json_iter it;
    json_iter_init(&it, root);
    while (json_iter_next(&it)) {
        int rc = 0;
        if (json_iter_key_is(&it, "choices"))
            rc = decoding_choices(g, it.value);
        else if (json_iter_key_is(&it, "usage"))
            decoding_usage(g, it.value);
        else if (json_iter_key_is(&it, "model"))
            decoding_model(g, it.value);
        else if (json_iter_key_is(&it, "error") && json_type(it.value) != JSON_NULL)
            rc = decoding_error(g, it.value);
        if (rc)
            return rc;
    }
    return 0;
}

int openai_decode(struct llm_decoder *d, struct str name, struct str data, struct llm_delta *out,
                  struct errbuf *e)
{
    *out = (struct llm_delta){STR_NULL, STR_NULL};
    if (str_eqz(data, "[DONE]")) {
        d->is_done = true;
        return 0;
    }
    struct decoding g;
    int rc = decoding_begin(&g, d, data, out, e);
    if (!rc)
        rc = decoding_root(&g, json_root(g.fixed));
    if (rc != ERR_UPSTREAM && str_eqz(name, "error")) {
        struct errbuf said;
        decoder_error_text(data, &said);
        return err_set(e, ERR_UPSTREAM, "%s", said.text);
    }
    return rc ? rc : decoding_finish(&g);
}

const struct dialect openai_dialect = {
    .path = "/chat/completions",
    .key_header = "Authorization: Bearer ",
    .encode = openai_encode,
    .decode = openai_decode,
    .ends_by_reason = true,
};
