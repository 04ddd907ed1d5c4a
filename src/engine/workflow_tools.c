#include "engine/workflow_private.h"

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

/* What an MCP tool needs, and no other takes. */
static void mcp_check(struct wf_parse *p, struct json v, const char *at, bool needs_name)
{
    bool is_mcp = json_string_eq(json_get_set(v, "tool"), "mcp");
    if (is_mcp && !json_exists(json_get_set(v, "server")))
        issue_error(p, at, "missing", "a tool of type mcp needs its server");
    if (is_mcp && needs_name && !json_exists(json_get_set(v, "name")))
        issue_error(p, at, "missing", "a tool of type mcp needs the name of the server's tool");
    if (!is_mcp && json_exists(json_get_set(v, "server")))
        issue_warning(p, at, "no_effect", "server does nothing without tool: mcp");
}

void tool_check(struct wf_parse *p, struct json props, const char *at)
{
    if (json_type(json_get_set(props, "tool")) == JSON_STRING)
        mcp_check(p, props, at, true);
}
