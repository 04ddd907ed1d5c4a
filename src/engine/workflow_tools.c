#include "engine/workflow_private.h"

#include <string.h>

#define TOOL_NAME_BYTES_MAX 64

/* Templates anywhere in an object or array. Depth is bounded by json_check(), so this may recurse;
 * the graph may not. */
void templates_check(struct wf_parse *p, struct json v, const char *name)
{
    struct json_iter it;
    enum json_type type = json_type(v);
    if (type == JSON_STRING)
        check_expression(p, v, true, name);
    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = type == JSON_OBJECT ? path_push_key(p, key_of(p, &it))
                                          : path_push(p, "[%zu]", it.index);
        templates_check(p, it.value, name);
        path_pop(p, mark);
    }
}

void arguments_check(struct wf_parse *p, struct json v, const char *name)
{
    if (want_type(p, v, JSON_OBJECT, name, "an object"))
        templates_check(p, v, name);
}

/* What an MCP tool needs, and no other takes. */
static void mcp_check(struct wf_parse *p, struct json v, const char *at)
{
    bool is_mcp = json_string_eq(json_get_set(v, "tool"), "mcp");
    if (is_mcp && !json_exists(json_get_set(v, "server")))
        issue_error(p, at, "missing", "a tool of type mcp needs its server");
    if (is_mcp && !json_exists(json_get_set(v, "name")))
        issue_error(p, at, "missing", "a tool of type mcp needs the name of the server's tool");
    if (!is_mcp && json_exists(json_get_set(v, "server")))
        issue_warning(p, at, "no_effect", "server does nothing without tool: mcp");
}

void tool_check(struct wf_parse *p, struct json props, const char *at)
{
    if (json_type(json_get_set(props, "tool")) == JSON_STRING)
        mcp_check(p, props, at);
}

/* ---- what an agent may use ---- */

static bool tool_name_is_valid(struct str name)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    for (size_t i = 0; i < name.n; i++)
        if (!strchr(chars, name.p[i]))
            return false;
    return name.n && name.n <= TOOL_NAME_BYTES_MAX;
}

/* As the model sees it: model servers take no other names. */
static void tool_name_check(struct wf_parse *p, struct json v)
{
    if (want_type(p, v, JSON_STRING, "a tool's name", "text") &&
        !tool_name_is_valid((struct str){v.p + 1, v.n - 2}))
        issue_error(p, v.p, "bad_id", "a tool's name must be 1 to %d letters, digits, '_' or '-'",
                    TOOL_NAME_BYTES_MAX);
}

enum tool_field {
    TOOL_NAME,
    TOOL_DESCRIPTION,
    TOOL_TOOL,
    TOOL_SERVER,
    TOOL_ARGUMENTS,
    TOOL_PARAMETERS,
    TOOL_FIELDS,
};

static void tool_field_check(struct wf_parse *p, enum tool_field field, struct json v)
{
    switch (field) {
    case TOOL_NAME:
        tool_name_check(p, v);
        break;
    case TOOL_DESCRIPTION:
        want_type(p, v, JSON_STRING, "description", "text");
        break;
    case TOOL_TOOL:
    case TOOL_SERVER:
        if (want_type(p, v, JSON_STRING, field == TOOL_TOOL ? "tool" : "server", "a name") &&
            !name_is_valid((struct str){v.p + 1, v.n - 2}))
            issue_error(p, v.p, "bad_id", "this must be 1 to %d letters, digits, '_', '.' or '-'",
                        NAME_BYTES_MAX);
        break;
    case TOOL_ARGUMENTS:
        arguments_check(p, v, "arguments");
        break;
    case TOOL_PARAMETERS:
        check_schema(p, v, "parameters");
        break;
    case TOOL_FIELDS:
        break;
    }
}

/* Returns the name that the model sees, or absent. */
static struct json tool_spec_check(struct wf_parse *p, struct json v)
{
    static const char *const names[] = {"name",   "description", "tool",
                                        "server", "arguments",   "parameters"};
    struct json f[TOOL_FIELDS];
    if (json_type(v) == JSON_STRING) {
        tool_name_check(p, v);
        if (json_string_eq(v, "mcp"))
            issue_error(p, v.p, "missing", "a tool of type mcp needs {name, tool: mcp, server}");
        return v;
    }
    if (!want_type(p, v, JSON_OBJECT, "a tool", "a name, or an object"))
        return JSON_ABSENT;
    fields_read(p, v, names, TOOL_FIELDS, "field of a tool", f);
    for (unsigned i = 0; i < TOOL_FIELDS; i++) {
        size_t mark = path_push_key(p, str_of(names[i]));
        if (json_exists(f[i]))
            tool_field_check(p, (enum tool_field)i, f[i]);
        path_pop(p, mark);
    }
    if (!json_exists(f[TOOL_TOOL]))
        issue_error(p, v.p, "missing", "a tool needs tool: which one it is");
    else if (!json_exists(f[TOOL_NAME]))
        tool_name_check(p, f[TOOL_TOOL]);
    mcp_check(p, v, v.p);
    return json_exists(f[TOOL_NAME]) ? f[TOOL_NAME] : f[TOOL_TOOL];
}

void tools_check(struct wf_parse *p, struct json v)
{
    struct json names[PROP_TOOLS_MAX], name;
    struct json_iter it;
    unsigned count = 0;
    if (!want_type(p, v, JSON_ARRAY, "tools", "an array of tools"))
        return;
    if (json_length(v) < 1 || json_length(v) > PROP_TOOLS_MAX) {
        issue_error(p, v.p, "out_of_range", "tools must have 1 to %d elements, not %zu",
                    PROP_TOOLS_MAX, json_length(v));
        return;
    }
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = path_push(p, "[%zu]", it.index);
        name = tool_spec_check(p, it.value);
        for (unsigned i = 0; json_exists(name) && i < count; i++)
            if (json_eq(names[i], name))
                issue_error(p, it.value.p, "duplicate", "two tools have the name %.*s",
                            STR_FMT(json_raw(name)));
        if (json_exists(name))
            names[count++] = name;
        path_pop(p, mark);
    }
}
