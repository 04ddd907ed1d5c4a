#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "llm/demo_json.h"
#include "llm/demo_text.h"

/* The demo provider's tool calls: those that the prompt names, with arguments that fit. */

#define CALLS_MAX           4
#define ARGUMENTS_BYTES_MAX (1u << 20)

static bool same_char(char text, char name)
{
    bool gap = name == '_' || name == '-';
    return tolower((unsigned char)text) == tolower((unsigned char)name) ||
           (gap && (text == ' ' || text == '-' || text == '_'));
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* As a whole word; web_search is also "web search". */
static bool text_names(struct str text, struct str name)
{
    for (size_t i = 0; name.n && i + name.n <= text.n; i++) {
        size_t k = 0;
        while (k < name.n && same_char(text.p[i + k], name.p[k]))
            k++;
        if (k == name.n && (i == 0 || !is_word_char(text.p[i - 1])) &&
            (i + k == text.n || !is_word_char(text.p[i + k])))
            return true;
    }
    return false;
}

static bool prompt_names(const struct demo_prompt *p, struct str name)
{
    return text_names(buf_str(&p->user), name) || text_names(buf_str(&p->system), name);
}

static void call_write(const struct demo_prompt *p, struct json tool, unsigned place, struct jw *w)
{
    struct json parameters = json_get_set(tool, "parameters");
    struct buf arguments;
    char id[32];
    buf_init(&arguments, ARGUMENTS_BYTES_MAX);
    if (json_type(parameters) == JSON_OBJECT)
        demo_json_write(parameters,
                        &(struct demo_asked){.topic = demo_topic_of(buf_str(&p->user)),
                                             .seed = p->seed + place},
                        &arguments);
    else
        buf_append_z(&arguments, "{}");
    snprintf(id, sizeof(id), "call_demo_%u", place + 1);
    jw_object(w);
    jw_kv_stringz(w, "id", id);
    jw_kv_raw(w, "name", json_raw(json_get(tool, "name")));
    jw_kv_string(w, "arguments", buf_error(&arguments) ? STR("{}") : buf_str(&arguments));
    jw_end(w);
    buf_deinit(&arguments);
}

static unsigned calls_write(const struct demo_prompt *p, struct jw *w, bool any)
{
    unsigned count = 0;
    struct json_iter it;
    json_iter_init(&it, p->tools);
    while (json_iter_next(&it) && count < CALLS_MAX) {
        struct json name = json_get(it.value, "name");
        if (json_type(name) != JSON_STRING ||
            !(any || prompt_names(p, (struct str){name.p + 1, name.n - 2})))
            continue;
        call_write(p, it.value, count++, w);
        if (any)
            break;
    }
    return count;
}

void demo_tools_write(const struct demo_prompt *p, struct buf *out)
{
    struct jw w;
    if (p->has_results || json_type(p->tools) != JSON_ARRAY)
        return;
    jw_init(&w, out);
    jw_array(&w);
    unsigned count = calls_write(p, &w, false);
    if (!count && (prompt_names(p, STR("tool")) || prompt_names(p, STR("tools"))))
        count = calls_write(p, &w, true);
    jw_end(&w);
    if (!count)
        buf_clear(out);
}

void demo_tools_say(struct json tool_calls, struct buf *out)
{
    struct json_iter it;
    buf_append_z(out, "Let me ask");
    json_iter_init(&it, tool_calls);
    while (json_iter_next(&it)) {
        buf_append_z(out, it.index ? " and " : " ");
        json_string(json_get(it.value, "name"), out);
    }
    buf_append_z(out, " first " DEMO_REMARK ".");
}
