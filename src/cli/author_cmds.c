/* Commands that help to write workflows. With a file they need no server. */
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/input.h"
#include "cli/lang.h"
#include "cli/view.h"
#include "engine/expr.h"
#include "engine/workflow.h"
#include "engine/workflow_diagram.h"
#include "engine/workflow_schema.h"

#define TEXT_BYTES_MAX (16u << 20)

/* ---- a workflow from a file ---- */

static void issues_write(struct jw *w, const struct workflow_issues *issues)
{
    jw_object(w);
    for (int errors = 1; errors >= 0; errors--) {
        jw_key(w, errors ? "errors" : "warnings");
        jw_array(w);
        for (unsigned i = 0; i < issues->count; i++) {
            const struct workflow_issue *it = &issues->items[i];
            if (errors != (strcmp(it->severity, "error") == 0))
                continue;
            jw_object(w);
            jw_kv_string(w, "path", it->path);
            jw_kv_string(w, "code", it->code);
            jw_kv_string(w, "message", it->message);
            jw_end(w);
        }
        jw_end(w);
    }
    jw_end(w);
}

static void issues_tell(struct client *c, const char *file, const struct workflow_issues *issues)
{
    struct buf text;
    struct jw w;
    buf_init(&text, TEXT_BYTES_MAX);
    jw_init(&w, &text);
    issues_write(&w, issues);
    client_complain(T("%s does not validate"), file);
    if (c->json)
        fprintf(stderr, "%s\n", text.data);
    else
        client_show_issues(c, json_root(buf_str(&text)), stderr);
    buf_deinit(&text);
}

/* 0 and one reference, or the exit code after telling. */
static int workflow_from_file(struct client *c, const char *file, struct workflow **w)
{
    struct workflow_issues issues;
    struct buf graph;
    int rc = client_graph_from_file(file, &graph);
    if (rc)
        return rc;
    struct expr_vm *vm = expr_vm_create();
    workflow_issues_init(&issues);
    if (workflow_parse(buf_str(&graph), vm, w, &issues)) {
        issues_tell(c, file, &issues);
        rc = EXIT_USAGE;
    }
    workflow_issues_deinit(&issues);
    expr_vm_destroy(vm);
    buf_deinit(&graph);
    return rc;
}

/* ---- diagram ---- */

static void text_print(struct client *c, struct str text)
{
    fprintf(c->out.file, "%.*s", STR_FMT(text));
    if (text.n && text.p[text.n - 1] != '\n')
        fputc('\n', c->out.file);
}

static int diagram_of_file(struct client *c, const char *file, enum diagram_format f,
                           const char *session)
{
    struct workflow *w = NULL;
    struct http_reply r;
    struct buf out, path;
    struct json statuses = JSON_ABSENT;
    http_reply_init(&r);
    buf_init(&out, TEXT_BYTES_MAX);
    buf_init(&path, 4096);
    int rc = workflow_from_file(c, file, &w);
    if (!rc && session) {
        buf_printf(&path, "/sessions/%s", session);
        rc = client_call(c, "GET", path.data, NULL, &r);
        statuses = rc ? JSON_ABSENT : json_get(json_root(buf_str(&r.body)), "node_statuses");
    }
    if (!rc) {
        workflow_diagram_write(w, f, statuses, &out);
        text_print(c, buf_str(&out));
    }
    workflow_unref(w);
    buf_deinit(&path);
    buf_deinit(&out);
    http_reply_deinit(&r);
    return rc;
}

static int diagram_of_server(struct client *c, const struct args *a, const char *format,
                             const char *session)
{
    struct http_reply r;
    struct buf path, workflow;
    buf_init(&workflow, 4096);
    int rc = a->word_count ? client_find_workflow(c, a->words[0], &workflow) : 0;
    if (rc) {
        buf_deinit(&workflow);
        return rc;
    }
    http_reply_init(&r);
    buf_init(&path, 1u << 16);
    if (a->word_count) {
        buf_append_z(&path, "/workflows/");
        http_escape(&path, workflow.data);
    } else {
        buf_printf(&path, "/sessions/%s", session);
    }
    buf_printf(&path, "/diagram?format=%s", format);
    if (session && a->word_count)
        buf_printf(&path, "&session_id=%s", session);
    if (args_has(a, "version")) {
        buf_append_z(&path, "&version=");
        http_escape(&path, args_get(a, "version"));
    }
    rc = client_get_text(c, path.data, &r);
    if (!rc)
        text_print(c, buf_str(&r.body));
    buf_deinit(&path);
    buf_deinit(&workflow);
    http_reply_deinit(&r);
    return rc;
}

static int flow_diagram_command(struct client *c, const struct args *a)
{
    const char *format = args_get(a, "format"), *session = NULL;
    enum diagram_format f;
    char id[ID_TEXT_BYTES + 1];
    if (!format)
        format = c->json ? "json" : "mermaid";
    if (!diagram_format_parse(str_of(format), &f)) {
        client_complain(T("--format: expected mermaid, dot or json"));
        return EXIT_USAGE;
    }
    if (!a->word_count && !args_has(a, "session")) {
        client_complain(T("draw what? a file, the id of a workflow, or --session SESSION"));
        return EXIT_USAGE;
    }
    if (args_has(a, "session")) {
        int rc = client_find_session(c, args_get(a, "session"), id);
        if (rc)
            return rc;
        session = id;
    }
    if (a->word_count && client_names_file(a->words[0]))
        return diagram_of_file(c, a->words[0], f, session);
    return diagram_of_server(c, a, format, session);
}

/* ---- estimate ---- */

static void tokens_cell(struct grid *g, struct json of)
{
    static const char *const keys[] = {"input", "output"};
    for (size_t i = 0; i < 2; i++) {
        char *text = member_text(json_get(of, "tokens"), keys[i]);
        grid_cellz(g, text, STYLE_PLAIN);
        free(text);
    }
}

/* "$0.0123", or "?" when no price is known. */
static void cost_cell(struct grid *g, struct json of)
{
    char text[48] = "?";
    double usd;
    if (json_double(json_get(of, "cost_usd"), &usd))
        snprintf(text, sizeof(text), usd > 0 && usd < 0.01 ? "$%.6f" : "$%.2f", usd);
    grid_cellz(g, text, STYLE_PLAIN);
}

static void estimate_row(struct grid *g, const char *name, const char *runs, struct json of)
{
    grid_cellz(g, name, STYLE_BOLD);
    grid_cellz(g, runs, STYLE_PLAIN);
    tokens_cell(g, of);
    cost_cell(g, of);
}

static void estimate_print(struct client *c, struct json estimate)
{
    struct json_iter it;
    struct grid g;
    grid_init(&g);
    grid_column(&g, T("NODE"), false, 32);
    grid_column(&g, T("RUNS"), true, 0);
    grid_column(&g, T("INPUT"), true, 0);
    grid_column(&g, T("OUTPUT"), true, 0);
    grid_column(&g, T("COST"), true, 0);
    json_iter_init(&it, json_get(estimate, "nodes"));
    while (json_iter_next(&it)) {
        double calls = 0;
        json_double(json_get(it.value, "calls"), &calls);
        if (!(calls > 0))
            continue;
        char *id = member_text(it.value, "node_id"), *runs = member_text(it.value, "runs");
        estimate_row(&g, id, runs, it.value);
        free(id);
        free(runs);
    }
    estimate_row(&g, T("all"), "", estimate);
    grid_print(&g, &c->out);
    grid_deinit(&g);
    char *seconds = member_text(estimate, "seconds");
    fprintf(c->out.file, T("\nabout %s s\n"), seconds);
    free(seconds);
    json_iter_init(&it, json_get(estimate, "warnings"));
    while (json_iter_next(&it)) {
        char *node = member_text(it.value, "node_id"), *text = member_text(it.value, "message");
        fprintf(c->out.file, "%s%s%s\n", node, *node ? ": " : "", text);
        free(node);
        free(text);
    }
}

/* {graph or workflow_id, input} */
static int estimate_body(struct client *c, const struct args *a, struct buf *body)
{
    struct buf graph, input, id;
    struct jw w;
    bool is_file = client_names_file(a->words[0]);
    int rc = is_file ? client_graph_from_file(a->words[0], &graph) : 0;
    if (rc)
        return rc;
    buf_init(&id, 4096);
    if (!is_file) {
        buf_init(&graph, 1);
        rc = client_find_workflow(c, a->words[0], &id);
    }
    buf_init(&input, TEXT_BYTES_MAX);
    jw_init(&w, body);
    jw_object(&w);
    if (is_file)
        jw_kv_raw(&w, "graph", buf_str(&graph));
    else
        jw_kv_stringz(&w, "workflow_id", id.data);
    if (args_has(a, "version"))
        jw_kv_i64(&w, "workflow_version", strtoll(args_get(a, "version"), NULL, 10));
    if (!rc && (args_has(a, "input") || args_has(a, "input-json"))) {
        struct json schema = json_get_set(json_root(buf_str(&graph)), "input_schema");
        rc = input_build(c, a, is_file ? schema : JSON_ABSENT, &input);
        jw_kv_raw(&w, "input", buf_str(&input));
    }
    jw_end(&w);
    buf_deinit(&input);
    buf_deinit(&graph);
    buf_deinit(&id);
    return rc;
}

static int flow_estimate_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf body;
    http_reply_init(&r);
    buf_init(&body, 2 * TEXT_BYTES_MAX);
    int rc = estimate_body(c, a, &body);
    if (!rc)
        rc = client_post(c, "/workflows/estimate", buf_str(&body), &r);
    if (!rc && c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(buf_str(&r.body)));
    else if (!rc)
        estimate_print(c, json_root(buf_str(&r.body)));
    buf_deinit(&body);
    http_reply_deinit(&r);
    return rc;
}

/* ---- generate ---- */

static int generated_save(const char *path, struct json graph)
{
    struct buf pretty;
    FILE *f = fopen(path, "w");
    if (!f) {
        client_complain(T("%s cannot be written"), path);
        return EXIT_USAGE;
    }
    buf_init(&pretty, 4 * TEXT_BYTES_MAX);
    view_json(&pretty, graph);
    fprintf(f, "%s\n", pretty.data);
    buf_deinit(&pretty);
    if (fclose(f) == 0)
        return 0;
    client_complain(T("%s cannot be written"), path);
    return EXIT_USAGE;
}

static int generated_tell(struct client *c, const struct args *a, struct json answer)
{
    struct buf text;
    struct json_iter it;
    char *explanation = member_text(answer, "explanation");
    buf_init(&text, 4 * TEXT_BYTES_MAX);
    text_clean(&text, str_of(explanation), true);
    fprintf(args_has(a, "output") ? c->out.file : stderr, "%s\n", text.data ? text.data : "");
    json_iter_init(&it, json_get(answer, "similar_templates"));
    while (json_iter_next(&it)) {
        char *id = member_text(it.value, "id");
        fprintf(stderr, T("similar: %s\n"), id);
        free(id);
    }
    int rc = 0;
    if (args_has(a, "output")) {
        rc = generated_save(args_get(a, "output"), json_get(answer, "graph"));
    } else {
        buf_clear(&text);
        view_json(&text, json_get(answer, "graph"));
        fprintf(c->out.file, "%s\n", text.data);
    }
    free(explanation);
    buf_deinit(&text);
    return rc;
}

static int flow_generate_command(struct client *c, const struct args *a)
{
    static const char *const options[] = {"provider", "model"};
    struct http_reply r;
    struct buf body, sentence;
    struct jw w;
    http_reply_init(&r);
    buf_init(&body, 1u << 20);
    buf_init(&sentence, 1u << 20);
    for (int i = 0; i < a->word_count; i++)
        buf_printf(&sentence, "%s%s", i ? " " : "", a->words[i]);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_string(&w, "prompt", buf_str(&sentence));
    for (size_t i = 0; i < 2; i++)
        if (args_has(a, options[i]))
            jw_kv_stringz(&w, options[i], args_get(a, options[i]));
    jw_end(&w);
    int rc = client_post(c, "/workflows/generate", buf_str(&body), &r);
    struct json answer = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    if (!rc && c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(answer)));
    else if (!rc)
        rc = generated_tell(c, a, answer);
    buf_deinit(&sentence);
    buf_deinit(&body);
    http_reply_deinit(&r);
    return rc;
}

/* ---- schema ---- */

static int flow_schema_command(struct client *c, const struct args *a)
{
    struct buf text, pretty;
    (void)a;
    buf_init(&text, WORKFLOW_SCHEMA_BYTES_MAX);
    buf_init(&pretty, 4 * WORKFLOW_SCHEMA_BYTES_MAX);
    workflow_schema_write(&text);
    view_json(&pretty, json_root(buf_str(&text)));
    fprintf(c->out.file, "%s\n", pretty.data);
    buf_deinit(&text);
    buf_deinit(&pretty);
    return EXIT_DONE;
}

/* ---- the table ---- */

static const struct option_def flow_diagram_options[] = {
    {"format", "FORMAT", "mermaid (default), dot or json", false},
    {"session", "SESSION", "colour it by how far this session is", false},
    {"version", "N", "this version instead of the newest", false},
    {0},
};

static const struct option_def flow_estimate_options[] = {
    {"input", "KEY=VALUE", "one member of the input; may be repeated", true},
    {"input-json", "FILE", "the input as JSON; - is standard input", false},
    {"version", "N", "this version instead of the newest", false},
    {0},
};

static const struct option_def flow_generate_options[] = {
    {"output", "FILE", "write the definition there instead of showing it", false},
    {"provider", "ID", "of the model", false},
    {"model", "NAME", "the model; else the server's default one", false},
    {0},
};

const struct command author_commands[] = {
    {"flow", "diagram", "[FILE|ID]", "draw it, or what a session runs", flow_diagram_options, 0, 1,
     flow_diagram_command},
    {"flow", "estimate", "FILE|ID", "what a run will probably cost", flow_estimate_options, 1, 1,
     flow_estimate_command},
    {"flow", "generate", "SENTENCE", "a workflow by a model", flow_generate_options, 1, ARGS_MAX,
     flow_generate_command},
    {"flow", "schema", "", "the JSON Schema of workflow files, for editors", no_options, 0, 0,
     flow_schema_command},
    {0},
};
