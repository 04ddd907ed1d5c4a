#include "app/runner_tools.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/file_tools.h"
#include "base/mem.h"

#define TIMEOUT_BEHIND_MS 1000

struct app_tool {
    const char *name;
    void (*start)(struct tool_run *t);
};

/* Answered from the store, before src/tools is asked. One line a tool. */
static const struct app_tool app_tools[] = {
    {"read_file", file_tool_read},         {"write_file", file_tool_inside},
    {"list_files", file_tool_inside},      {"memory_query", memory_tool_query},
    {"memory_ingest", memory_tool_ingest}, {"session_messages", recall_messages},
    {"agent_context", recall_agent},       {NULL, NULL},
};

struct json tool_run_arguments(const struct tool_run *t)
{
    return json_get_set(json_root(t->run.request), "arguments");
}

static void tool_run_destroy(struct tool_run *t)
{
    run_deinit(&t->run);
    free(t->tool);
    free(t->server);
    free(t->name);
    free(t);
}

void tool_run_done(struct tool_run *t, struct str output_json)
{
    struct engine_input in = {.kind = IN_RUN_DONE, .output_json = output_json};
    if (t->run.live)
        run_input(&t->run, &in);
    tool_run_destroy(t);
}

void tool_run_failed(struct tool_run *t, const char *code, const char *text)
{
    if (t->run.live)
        run_failed(&t->run, code, text, -1);
    tool_run_destroy(t);
}

void tool_run_leave(struct tool_run *t)
{
    tool_run_destroy(t);
}

static void tool_logged(struct tool_job *j, const char *level, struct str text)
{
    struct tool_run *t = container_of(j, struct tool_run, job);
    struct engine_input in = {.kind = IN_LOG, .level = str_of(level), .text = text};
    run_input(&t->run, &in);
}

static void tool_done(struct tool_job *j)
{
    struct tool_run *t = container_of(j, struct tool_run, job);
    if (j->status == 0) {
        tool_run_done(t, buf_str(&j->output));
        return;
    }
    run_failed(&t->run, j->error_code[0] ? j->error_code : err_word(j->status), j->error.text,
               j->retry_after_ms);
    tool_run_destroy(t);
}

static void tool_cancel(struct run *r)
{
    struct tool_run *t = container_of(r, struct tool_run, run);
    tool_job_cancel(&t->job);
    tool_run_destroy(t);
}

static void app_tool_cancel(struct run *r)
{
    r->live = NULL;
    list_remove(&r->link);
}

/* What the workflow fixes of the arguments of an agent's tool of that name. */
static struct json agent_fixed(struct json node, struct json name)
{
    struct json_iter it;
    json_iter_init(&it, json_get_set(json_get_set(node, "properties"), "tools"));
    while (json_iter_next(&it)) {
        struct json own = json_get_set(it.value, "name");
        if (!json_exists(own))
            own = json_get_set(it.value, "tool");
        if (json_exists(own) && json_eq(own, name))
            return json_get_set(it.value, "arguments");
    }
    return JSON_ABSENT;
}

/* The headers of an agent's tool, when the workflow itself says where to: then a model has no say
 * in where a secret goes. */
static struct json agent_headers(struct json node, struct json name)
{
    struct json fixed = agent_fixed(node, name);
    return json_exists(json_get_set(fixed, "url")) ? json_get_set(fixed, "headers") : JSON_ABSENT;
}

/* The node that calls, as its author wrote it: nodes stand under their ids, or in a list. */
static struct json tool_node(const struct live *l, struct json request)
{
    struct json id = json_get_set(request, "node_id"), node = JSON_ABSENT;
    struct json nodes = json_get(json_root(session_definition(l->session)), "nodes");
    struct json_iter it;
    if (json_type(nodes) == JSON_OBJECT) {
        char *name = json_strdup(id);
        node = name ? json_get_set(nodes, name) : JSON_ABSENT;
        free(name);
        return node;
    }
    json_iter_init(&it, nodes);
    while (json_iter_next(&it))
        if (json_exists(id) && json_eq(json_get_set(it.value, "id"), id))
            node = it.value;
    return node;
}

/* Secrets are for what the workflow's author wrote: the text of the tool node, the fixed headers of
 * an agent's tool. What a model asks for gets none, whatever it says. The engine keeps a node's own
 * time limit; the tool's stands behind it. */
static void tool_job_limits(struct tool_job *j, struct json node, struct json request)
{
    int64_t ms = 0;
    bool is_node = json_string_eq(json_get_set(node, "type"), "tool");
    struct json headers = is_node ? node : agent_headers(node, json_get_set(request, "name"));
    if (!json_exists(headers)) /* of a stored agent's tool, the engine says what it fixes */
        headers = json_get_set(request, "fixed_headers");
    j->secrets_of = json_raw(headers);
    if (is_node && json_i64(json_get_set(node, "timeout_ms"), &ms) && ms > 0)
        j->timeout_ms = ms + TIMEOUT_BEHIND_MS;
}

bool tool_run_is_authored(const struct tool_run *t, const char *key)
{
    struct json request = json_root(t->run.request), node = tool_node(t->run.live, request);
    struct json fixed = agent_fixed(node, json_get_set(request, "name"));
    return json_string_eq(json_get_set(node, "type"), "tool") ||
           json_exists(json_get_set(fixed, key));
}

static void tool_job_of(struct tool_run *t, const struct effect *ef)
{
    struct json request = json_root(t->run.request);
    struct tool_job *j = &t->job;
    j->tool = str_of(t->tool);
    j->server = str_of(t->server);
    j->name = str_of(t->name);
    j->arguments = json_raw(tool_run_arguments(t));
    tool_job_limits(j, tool_node(t->run.live, request), request);
    j->idempotency_key = ef->idempotency_key;
    j->on_log = tool_logged;
    j->on_done = tool_done;
}

/* The schema of a plugin's type of that name; false: there is none. */
static bool plugin_schema(struct json name, struct json *schema)
{
    unsigned count;
    const struct plugin_type *types = workflow_types(&count);
    for (unsigned i = 0; i < count; i++)
        if (json_string_eq(name, types[i].name)) {
            *schema = types[i].schema;
            return true;
        }
    return false;
}

void runner_tool_start(struct live *l, const struct effect *ef)
{
    struct json schema;
    if (plugin_schema(json_get_set(json_root(ef->request_json), "tool"), &schema)) {
        runner_plugin_tool(l, ef, schema);
        return;
    }
    struct tool_run *t = mem_zalloc(sizeof(*t));
    run_init(&t->run, l, ef);
    struct json request = json_root(t->run.request);
    t->tool = json_strdup(json_get_set(request, "tool"));
    t->server = json_strdup(json_get_set(request, "server"));
    t->name = json_strdup(json_get_set(request, "name"));
    t->key = ef->idempotency_key;
    t->run.cancel = app_tool_cancel;
    for (const struct app_tool *a = app_tools; t->tool && a->name; a++)
        if (strcmp(a->name, t->tool) == 0) {
            a->start(t);
            return;
        }
    t->run.cancel = tool_cancel;
    tool_job_of(t, ef);
    if (tool_job_start(l->app->tools, &t->job)) {
        run_failed(&t->run, t->job.error_code, t->job.error.text, t->job.retry_after_ms);
        tool_run_destroy(t);
    }
}
