#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/yaml.h"
#include "engine/expr.h"
#include "engine/workflow.h"

/* What validation says of tool nodes, and of the tools that agents may use. */

static struct expr_vm *vm;

static void check(const char *type, const char *properties, const char *told)
{
    char yaml[4000], got[2000] = "";
    struct buf json;
    struct errbuf e;
    struct workflow_issues issues;
    struct workflow *wf = NULL;
    snprintf(yaml, sizeof(yaml),
             "nodes:\n  s: {type: start, next_ids: [t]}\n  t: {type: %s, properties: {%s}, "
             "next_ids: [e]}\n  e: {type: end}\n",
             type, properties);
    buf_init(&json, 1u << 20);
    if (yaml_to_json(str_of(yaml), NULL, &json, &e))
        fail_msg("%s in:\n%s", e.text, yaml);
    workflow_issues_init(&issues);
    workflow_parse(buf_str(&json), vm, &wf, &issues);
    for (unsigned i = 0; i < issues.count; i++) {
        const struct workflow_issue *it = &issues.items[i];
        size_t n = strlen(got);
        struct str path = {it->path.p + strlen("nodes.t.properties"),
                           it->path.n - strlen("nodes.t.properties")};
        snprintf(got + n, sizeof(got) - n, "%s%s %.*s: %.*s", n ? "\n" : "", it->severity,
                 STR_FMT(path), STR_FMT(it->message));
    }
    assert_string_equal(got, told);
    workflow_unref(wf);
    workflow_issues_deinit(&issues);
    buf_deinit(&json);
}

static void tool_nodes(void **state)
{
    (void)state;
    static const struct {
        const char *properties, *told;
    } rows[] = {
        {"tool: http, arguments: {url: x, deep: [{a: '{{ input.a }}'}, 7]}", ""},
        {"tool: my.plugin", ""},
        {"tool: mcp, server: s, name: add", ""},
        {"arguments: {}", "error .tool: a tool node needs properties.tool"},
        {"tool: http, arguments: [1]", "error .arguments: arguments must be an object, not array"},
        {"tool: mcp", "error : a tool of type mcp needs its server\n"
                      "error : a tool of type mcp needs the name of the server's tool"},
        {"tool: http, server: s", "warning : server does nothing without tool: mcp"},
        {"tool: http, url: x", "error .url: unknown property \"url\""},
        {"tool: http, arguments: {a: {b: ['{{ nodes.x.output }}']}}",
         "error .arguments.a.b[0]: in {{ nodes.x.output }}: no node \"x\""},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check("tool", rows[i].properties, rows[i].told);
}

static void tools_of_agents(void **state)
{
    (void)state;
    static const struct {
        const char *tools, *told;
    } rows[] = {
        {"[web_search, http]", ""},
        {"[{name: add, tool: mcp, server: s, description: d, parameters: {type: object}}]", ""},
        {"[{tool: web_search, arguments: {query: '{{ input.q }}'}}]", ""},
        {"[]", "error .tools: tools must have 1 to 64 elements, not 0"},
        {"web_search", "error .tools: tools must be an array of tools, not string"},
        {"[7]", "error .tools[0]: a tool must be a name, or an object, not number"},
        {"[web search]",
         "error .tools[0]: a tool's name must be 1 to 64 letters, digits, '_' or '-'"},
        {"[mcp]", "error .tools[0]: a tool of type mcp needs {name, tool: mcp, server}"},
        {"[{name: a}]", "error .tools[0]: a tool needs tool: which one it is"},
        {"[{tool: a.b}]",
         "error .tools[0]: a tool's name must be 1 to 64 letters, digits, '_' or '-'"},
        {"[{name: x, tool: a.b}]", ""},
        {"[{name: a.b, tool: http}]",
         "error .tools[0].name: a tool's name must be 1 to 64 letters, digits, '_' or '-'"},
        {"[{name: a, tool: http}, {name: a, tool: web_search}]",
         "error .tools[1]: two tools have the name \"a\""},
        {"[web_search, {tool: web_search}]",
         "error .tools[1]: two tools have the name \"web_search\""},
        {"[{tool: http, parameters: {type: thing}}]",
         "error .tools[0].parameters: $.type: must be null, boolean, object, array, number, "
         "integer, string, or an array of these"},
        {"[{tool: http, arguments: {url: '{{ nodes.x.output }}'}}]",
         "error .tools[0].arguments.url: in {{ nodes.x.output }}: no node \"x\""},
        {"[{tool: http, nmae: x}]",
         "error .tools[0].nmae: unknown field of a tool \"nmae\"; did you mean \"name\"?"},
        {"[web_search], max_tool_rounds: 0",
         "error .max_tool_rounds: max_tool_rounds must be a whole number from 1 to 50, not 0"},
        {"[web_search], repair_attempts: 6",
         "error .repair_attempts: repair_attempts must be a whole number from 0 to 5, not 6"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char properties[1000];
        snprintf(properties, sizeof(properties), "persona: P, tools: %s", rows[i].tools);
        check("agent", properties, rows[i].told);
    }
}

static int vm_open(void **state)
{
    (void)state;
    vm = expr_vm_create();
    return 0;
}

static int vm_close(void **state)
{
    (void)state;
    expr_vm_destroy(vm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tool_nodes),
        cmocka_unit_test(tools_of_agents),
    };
    return cmocka_run_group_tests(tests, vm_open, vm_close);
}
