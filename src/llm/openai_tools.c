#include "llm/openai.h"

#include "base/json.h"

/* Tools over the wire: our neutral form is flat, theirs has a "function" around every name. */

static bool is_text(struct json v, const char *key)
{
    return json_type(json_get(v, key)) == JSON_STRING;
}

static int check_calls(struct json calls, size_t index, struct errbuf *e)
{
    struct json_iter it;
    if (json_type(calls) != JSON_ARRAY || json_length(calls) == 0)
        return err_set(e, ERR_INVALID,
                       "messages[%zu].tool_calls: must be an array that is not empty", index);
    json_iter_init(&it, calls);
    while (json_iter_next(&it))
        if (!is_text(it.value, "id") || !is_text(it.value, "name") ||
            !is_text(it.value, "arguments"))
            return err_set(e, ERR_INVALID,
                           "messages[%zu].tool_calls[%zu]: needs id, name and arguments as text",
                           index, it.index);
    return 0;
}

int openai_check_message(struct json message, size_t index, struct errbuf *e)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    struct json role = json_get(message, "role"), calls = json_get_set(message, "tool_calls");
    bool is_known = false;
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        is_known = is_known || json_string_eq(role, roles[i]);
    if (!is_known)
        return err_set(e, ERR_INVALID,
                       "messages[%zu].role: must be system, user, assistant or tool", index);
    if (json_string_eq(role, "tool") && !is_text(message, "tool_call_id"))
        return err_set(e, ERR_INVALID, "messages[%zu].tool_call_id: must be a string", index);
    if (json_exists(calls) && json_string_eq(role, "assistant")) {
        bool is_silent = !json_exists(json_get_set(message, "content"));
        return is_silent || is_text(message, "content")
                   ? check_calls(calls, index, e)
                   : err_set(e, ERR_INVALID, "messages[%zu].content: must be a string", index);
    }
    if (!is_text(message, "content"))
        return err_set(e, ERR_INVALID, "messages[%zu].content: must be a string", index);
    return 0;
}

static void encode_calls(struct jw *w, struct json calls)
{
    struct json_iter it;
    jw_key(w, "tool_calls");
    jw_array(w);
    json_iter_init(&it, calls);
    while (json_iter_next(&it)) {
        jw_object(w);
        jw_kv_raw(w, "id", json_raw(json_get(it.value, "id")));
        jw_kv_stringz(w, "type", "function");
        jw_key(w, "function");
        jw_object(w);
        jw_kv_raw(w, "name", json_raw(json_get(it.value, "name")));
        jw_kv_raw(w, "arguments", json_raw(json_get(it.value, "arguments")));
        jw_end(w);
        jw_end(w);
    }
    jw_end(w);
}

void openai_encode_messages(struct jw *w, struct json messages)
{
    struct json_iter it;
    jw_key(w, "messages");
    jw_array(w);
    json_iter_init(&it, messages);
    while (json_iter_next(&it)) {
        struct json calls = json_get_set(it.value, "tool_calls");
        struct json content = json_get_set(it.value, "content");
        if (!json_exists(calls)) {
            jw_raw(w, json_raw(it.value));
            continue;
        }
        jw_object(w);
        jw_kv_stringz(w, "role", "assistant");
        /* Some servers refuse an empty text beside tool calls. */
        jw_kv_raw(w, "content", content.n > 2 ? json_raw(content) : STR("null"));
        encode_calls(w, calls);
        jw_end(w);
    }
    jw_end(w);
}

int openai_encode_tools(struct jw *w, struct json tools, struct errbuf *e)
{
    static const char *const members[] = {"name", "description", "parameters"};
    struct json_iter it;
    if (json_type(tools) != JSON_ARRAY || json_length(tools) == 0)
        return err_set(e, ERR_INVALID, "tools: must be an array that is not empty");
    jw_key(w, "tools");
    jw_array(w);
    json_iter_init(&it, tools);
    while (json_iter_next(&it)) {
        if (!is_text(it.value, "name"))
            return err_set(e, ERR_INVALID, "tools[%zu].name: must be a string", it.index);
        jw_object(w);
        jw_kv_stringz(w, "type", "function");
        jw_key(w, "function");
        jw_object(w);
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            struct json v = json_get_set(it.value, members[i]);
            if (json_exists(v))
                jw_kv_raw(w, members[i], json_raw(v));
        }
        jw_end(w);
        jw_end(w);
    }
    jw_end(w);
    return 0;
}
