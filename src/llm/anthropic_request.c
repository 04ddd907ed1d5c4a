#include "llm/anthropic.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm/openai.h"

#define ID_BYTES_MAX 128
#define TOOLS_MAX    64 /* that are named because they were called before */

/* ---- Messages ---- */

/* A text that has something in it: one of blanks alone is refused. */
static bool has_words(struct json text)
{
    if (json_type(text) != JSON_STRING)
        return false;
    for (size_t i = 1; i + 1 < text.n; i++) {
        bool is_escape = text.p[i] == '\\' && i + 2 < text.n;
        bool is_blank = is_escape ? strchr("nrtbf", text.p[i + 1]) != NULL : text.p[i] == ' ';
        if (!is_blank)
            return true;
        i += is_escape;
    }
    return false;
}

static void write_text(struct jw *w, struct str json_string)
{
    jw_object(w);
    jw_kv_stringz(w, "type", "text");
    jw_kv_raw(w, "text", json_string);
    jw_end(w);
}

/* [A-Za-z0-9_-]; everything else becomes "_", the same each time. */
static void write_id(struct jw *w, const char *key, struct json id)
{
    char text[ID_BYTES_MAX];
    size_t n = 0;
    for (size_t i = 1; i + 1 < id.n && n < sizeof(text); i++) {
        char c = id.p[i];
        bool is_plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
        text[n++] = c;
        if (!is_plain)
            text[n - 1] = '_';
    }
    jw_kv_string(w, key, n ? (struct str){text, n} : STR("_"));
}

/* The text that should be a JSON object, as one. */
static void write_input(struct jw *w, struct json arguments)
{
    char *text = json_strdup(arguments);
    struct str s = str_of(text);
    jw_key(w, "input");
    if (json_check(s, NULL, NULL) == 0 && json_type(json_root(s)) == JSON_OBJECT) {
        jw_raw(w, json_raw(json_root(s)));
    } else { /* what the model itself had written wrong: it should see it */
        jw_object(w);
        if (s.n)
            jw_kv_string(w, "arguments", s);
        jw_end(w);
    }
    free(text);
}

static void write_call(struct jw *w, struct json call)
{
    jw_object(w);
    jw_kv_stringz(w, "type", "tool_use");
    write_id(w, "id", json_get(call, "id"));
    jw_kv_raw(w, "name", json_raw(json_get(call, "name")));
    write_input(w, json_get(call, "arguments"));
    jw_end(w);
}

static void write_result(struct jw *w, struct json message)
{
    struct json content = json_get(message, "content");
    jw_object(w);
    jw_kv_stringz(w, "type", "tool_result");
    write_id(w, "tool_use_id", json_get(message, "tool_call_id"));
    if (content.n > 2)
        jw_kv_raw(w, "content", json_raw(content));
    jw_end(w);
}

static void begin_message(struct jw *w, const char *role)
{
    jw_object(w);
    jw_kv_stringz(w, "role", role);
    jw_key(w, "content");
    jw_array(w);
}

static void end_message(struct jw *w)
{
    jw_end(w);
    jw_end(w);
}

static void write_said(struct jw *w, struct json message)
{
    struct json content = json_get(message, "content"), calls;
    bool is_assistant = json_string_eq(json_get(message, "role"), "assistant");
    calls = is_assistant ? json_get_set(message, "tool_calls") : JSON_ABSENT;
    if (!has_words(content) && !json_exists(calls))
        return;
    begin_message(w, is_assistant ? "assistant" : "user");
    if (has_words(content))
        write_text(w, json_raw(content));
    struct json_iter it;
    json_iter_init(&it, calls);
    while (json_iter_next(&it))
        write_call(w, it.value);
    end_message(w);
}

/* How many of the messages there are, by what becomes of them. */
struct counts {
    size_t system, others;
};

static struct counts count_messages(struct json messages)
{
    struct counts n = {0, 0};
    struct json_iter it;
    json_iter_init(&it, messages);
    while (json_iter_next(&it)) {
        struct json role = json_get(it.value, "role");
        bool is_said = has_words(json_get(it.value, "content"));
        if (json_string_eq(role, "system"))
            n.system += is_said;
        else
            n.others += is_said || json_string_eq(role, "tool") ||
                        json_exists(json_get_set(it.value, "tool_calls"));
    }
    return n;
}

static void write_system_texts(struct jw *w, struct json messages)
{
    struct json_iter it;
    json_iter_init(&it, messages);
    while (json_iter_next(&it)) {
        struct json content = json_get(it.value, "content");
        if (json_string_eq(json_get(it.value, "role"), "system") && has_words(content))
            write_text(w, json_raw(content));
    }
}

static void write_schema_sentence(struct jw *w, struct json schema)
{
    struct buf b;
    buf_init(&b, schema.n + 200);
    buf_append_z(&b, "Answer with JSON alone, without a word before or after it and without a code "
                     "fence. It must be valid against this JSON Schema: ");
    buf_append_str(&b, json_raw(schema));
    jw_object(w);
    jw_kv_stringz(w, "type", "text");
    jw_kv_string(w, "text", buf_str(&b));
    jw_end(w);
    buf_deinit(&b);
}

static void write_others(struct jw *w, struct json messages)
{
    struct json_iter it;
    bool in_results = false;
    json_iter_init(&it, messages);
    while (json_iter_next(&it)) {
        struct json role = json_get(it.value, "role");
        bool is_result = json_string_eq(role, "tool");
        if (in_results && !is_result)
            end_message(w);
        if (!in_results && is_result)
            begin_message(w, "user");
        in_results = is_result;
        if (is_result)
            write_result(w, it.value);
        else if (!json_string_eq(role, "system"))
            write_said(w, it.value);
    }
    if (in_results)
        end_message(w);
}

static int encode_messages(struct jw *w, struct json messages, struct json schema, struct errbuf *e)
{
    struct counts n = count_messages(messages);
    if (n.system + n.others == 0)
        return err_set(e, ERR_INVALID, "messages: none of them says anything");
    /* There must be a message of the user: a persona alone is one. */
    bool has_system = n.others && (n.system || json_exists(schema));
    if (has_system) {
        jw_key(w, "system");
        jw_array(w);
        write_system_texts(w, messages);
        if (json_exists(schema))
            write_schema_sentence(w, schema);
        jw_end(w);
    }
    jw_key(w, "messages");
    jw_array(w);
    if (n.others) {
        write_others(w, messages);
    } else {
        begin_message(w, "user");
        write_system_texts(w, messages);
        if (json_exists(schema))
            write_schema_sentence(w, schema);
        end_message(w);
    }
    jw_end(w);
    return 0;
}

/* ---- Tools ---- */

static bool schema_is_object(struct json schema)
{
    return json_string_eq(json_get(schema, "type"), "object");
}

static int write_tool(struct jw *w, struct json tool, size_t index, struct errbuf *e)
{
    struct json name = json_get(tool, "name"), parameters = json_get_set(tool, "parameters");
    struct json description = json_get_set(tool, "description");
    if (json_type(name) != JSON_STRING)
        return err_set(e, ERR_INVALID, "tools[%zu].name: must be a string", index);
    if (json_string_eq(name, ANTHROPIC_ANSWER))
        return err_set(e, ERR_INVALID, "tools[%zu].name: \"%s\" has a meaning of its own", index,
                       ANTHROPIC_ANSWER);
    jw_object(w);
    jw_kv_raw(w, "name", json_raw(name));
    if (json_exists(description))
        jw_kv_raw(w, "description", json_raw(description));
    jw_kv_raw(w, "input_schema",
              schema_is_object(parameters) ? json_raw(parameters) : STR("{\"type\":\"object\"}"));
    jw_end(w);
    return 0;
}

static void write_answer_tool(struct jw *w, struct json schema)
{
    jw_object(w);
    jw_kv_stringz(w, "name", ANTHROPIC_ANSWER);
    jw_kv_stringz(w, "description", "Gives the answer. Call it once, when everything is known.");
    jw_kv_raw(w, "input_schema", json_raw(schema));
    jw_end(w);
}

/* The names of tools that were called before, each once: messages that speak of calls are refused
 * beside no tools at all, and after its last round an agent is offered none. */
static size_t called_tools(struct json messages, struct json names[TOOLS_MAX])
{
    struct json_iter it, call;
    size_t count = 0, i;
    json_iter_init(&it, messages);
    while (json_iter_next(&it)) {
        json_iter_init(&call, json_get_set(it.value, "tool_calls"));
        while (count < TOOLS_MAX && json_iter_next(&call)) {
            struct json name = json_get(call.value, "name");
            for (i = 0; i < count && !json_eq(names[i], name); i++)
                ;
            if (i == count)
                names[count++] = name;
        }
    }
    return count;
}

static void write_called_tools(struct jw *w, struct json messages)
{
    struct json names[TOOLS_MAX];
    size_t count = called_tools(messages, names);
    if (count == 0)
        return;
    jw_key(w, "tools");
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        jw_kv_raw(w, "name", json_raw(names[i]));
        jw_kv_raw(w, "input_schema", STR("{\"type\":\"object\"}"));
        jw_end(w);
    }
    jw_end(w);
    jw_kv_raw(w, "tool_choice", STR("{\"type\":\"none\"}"));
}

/* schema: an object's, or absent. */
static int write_tools(struct jw *w, struct json tools, struct json schema, struct errbuf *e)
{
    struct json_iter it;
    bool has_tools = json_exists(tools);
    if (has_tools && (json_type(tools) != JSON_ARRAY || json_length(tools) == 0))
        return err_set(e, ERR_INVALID, "tools: must be an array that is not empty");
    if (!has_tools && !json_exists(schema))
        return 0;
    jw_key(w, "tools");
    jw_array(w);
    json_iter_init(&it, tools);
    while (json_iter_next(&it)) {
        int rc = write_tool(w, it.value, it.index, e);
        if (rc)
            return rc;
    }
    if (json_exists(schema))
        write_answer_tool(w, schema);
    jw_end(w);
    if (json_exists(schema))
        jw_kv_raw(w, "tool_choice",
                  has_tools ? STR("{\"type\":\"any\"}")
                            : STR("{\"type\":\"tool\",\"name\":\"" ANTHROPIC_ANSWER "\"}"));
    return 0;
}

/* ---- The whole ---- */

static int check_members(struct json root, struct errbuf *e)
{
    static const char *const numbers[] = {"temperature", "top_p", "max_tokens"};
    struct json_iter it;
    json_iter_init(&it, root);
    while (json_iter_next(&it)) {
        enum json_type type = json_type(it.value);
        bool is_number = false;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            is_number = is_number || json_iter_key_is(&it, numbers[i]);
        if (type == JSON_NULL || json_iter_key_is(&it, "messages") ||
            json_iter_key_is(&it, "tools") || json_iter_key_is(&it, "provider") ||
            json_iter_key_is(&it, "model")) /* the last two said whom to ask: options->model */
            continue;
        if (json_iter_key_is(&it, "response_schema")) {
            if (type != JSON_OBJECT)
                return err_set(e, ERR_INVALID, "response_schema: must be an object");
        } else if (!is_number) {
            return err_set(e, ERR_INVALID, "%.*s: unknown member", STR_FMT(it.key));
        } else if (type != JSON_NUMBER) {
            return err_set(e, ERR_INVALID, "%.*s: must be a number", STR_FMT(it.key));
        }
    }
    return 0;
}

static void write_numbers(struct jw *w, struct json root)
{
    struct json max = json_get_set(root, "max_tokens"), top = json_get_set(root, "top_p");
    struct json temperature = json_get_set(root, "temperature");
    double t = 0;
    jw_kv_raw(w, "max_tokens", json_exists(max) ? json_raw(max) : STR(ANTHROPIC_MAX_TOKENS));
    if (json_double(temperature, &t))
        jw_kv_raw(w, "temperature", t > 1 ? STR("1") : json_raw(temperature));
    else if (json_exists(top))
        jw_kv_raw(w, "top_p", json_raw(top));
}

int anthropic_encode(struct str request, const struct dialect_options *options, struct buf *out,
                     struct errbuf *e)
{
    struct json root = json_root(request);
    if (json_type(root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "the request must be an object");
    struct json messages = json_get(root, "messages"), absent = JSON_ABSENT;
    struct json schema = json_get_set(root, "response_schema"), tools = json_get_set(root, "tools");
    bool by_tool = schema_is_object(schema);
    int rc = openai_check_messages(messages, e);
    if (!rc)
        rc = check_members(root, e);
    if (rc)
        return rc;
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    if (options->model && options->model[0])
        jw_kv_stringz(&w, "model", options->model);
    write_numbers(&w, root);
    rc = encode_messages(&w, messages, by_tool ? absent : schema, e);
    if (!rc)
        rc = write_tools(&w, tools, by_tool ? schema : absent, e);
    if (rc)
        return rc;
    if (!json_exists(tools) && !by_tool)
        write_called_tools(&w, messages);
    jw_kv_bool(&w, "stream", true);
    jw_end(&w);
    rc = buf_error(out);
    return rc ? err_set(e, rc, "the request is too large") : 0;
}
