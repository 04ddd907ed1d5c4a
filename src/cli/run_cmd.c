#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/input.h"
#include "cli/lang.h"

#define BODY_BYTES_MAX (24u << 20)

bool client_names_file(const char *word)
{
    static const char *const ends[] = {".yaml", ".yml", ".json"};
    size_t n = strlen(word);
    for (size_t i = 0; i < 3; i++)
        if (n > strlen(ends[i]) && strcmp(word + n - strlen(ends[i]), ends[i]) == 0)
            return true;
    return strchr(word, '/') || strcmp(word, "-") == 0 || access(word, F_OK) == 0;
}

int client_graph_from_file(const char *path, struct buf *graph)
{
    struct errbuf e = {{0}};
    struct buf text;
    int rc = file_read(path, &text, &e);
    if (!rc) {
        rc = workflow_to_json(buf_str(&text), path, graph, &e);
        buf_deinit(&text);
    }
    if (rc)
        client_complain("%s", e.text);
    return rc == ERR_NOT_FOUND ? EXIT_NOT_FOUND : rc ? EXIT_USAGE : 0;
}

static int graph_from_server(struct client *c, const char *id, struct buf *graph)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    buf_init(&path, 1u << 20);
    buf_init(graph, BODY_BYTES_MAX);
    buf_append_z(&path, "/workflows/");
    http_escape(&path, id);
    int rc = client_call(c, "GET", path.data, NULL, &r);
    if (!rc) {
        struct json g = json_get_set(json_root(buf_str(&r.body)), "graph");
        buf_append_str(graph, json_exists(g) ? json_raw(g) : STR("{}"));
    }
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* Under its own name, without the folders before it. */
static int attachment_write(const char *path, struct jw *w)
{
    const char *slash = strrchr(path, '/');
    struct errbuf e = {{0}};
    struct buf text;
    int rc = file_read(path, &text, &e);
    if (rc) {
        client_complain("%s", e.text);
        return rc == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_USAGE;
    }
    if (!utf8_is_valid(buf_str(&text))) {
        client_complain(T("%s: it is no UTF-8 text"), path);
        rc = EXIT_USAGE;
    } else {
        jw_object(w);
        jw_kv_stringz(w, "name", slash ? slash + 1 : path);
        jw_kv_string(w, "content", buf_str(&text));
        jw_end(w);
    }
    buf_deinit(&text);
    return rc;
}

static int attachments_write(const struct args *a, struct jw *w)
{
    int rc = 0;
    if (!args_has(a, "attach"))
        return 0;
    jw_key(w, "attachments");
    jw_array(w);
    for (int i = 0; !rc && args_nth(a, "attach", i); i++)
        rc = attachment_write(args_nth(a, "attach", i), w);
    jw_end(w);
    return rc;
}

static int body_write(struct client *c, const struct args *a, bool is_file, struct str graph,
                      struct buf *body)
{
    struct buf input;
    struct jw w;
    buf_init(&input, BODY_BYTES_MAX);
    int rc = input_build(c, a, json_get_set(json_root(graph), "input_schema"), &input);
    jw_init(&w, body);
    jw_object(&w);
    if (is_file)
        jw_kv_raw(&w, "graph", graph);
    else
        jw_kv_stringz(&w, "workflow_id", a->words[0]);
    jw_kv_raw(&w, "input", buf_str(&input));
    if (args_has(a, "name"))
        jw_kv_stringz(&w, "name", args_get(a, "name"));
    if (!rc)
        rc = attachments_write(a, &w);
    jw_end(&w);
    buf_deinit(&input);
    return rc;
}

static int run_start(struct client *c, const struct args *a, struct str graph, struct str body)
{
    struct http_reply r;
    http_reply_init(&r);
    int rc = client_post(c, "/workflows/execute", body, &r);
    char *id = rc ? NULL : json_strdup(json_get(json_root(buf_str(&r.body)), "session_id"));
    if (rc) {
        free(id);
    } else if (!id) {
        client_complain(T("%s did not say which session it started"), http_server(c->http));
        rc = EXIT_UNREACHABLE;
    } else if (args_has(a, "detach")) {
        if (c->json)
            fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
        else
            fprintf(c->out.file, "%s\n", id);
    } else {
        rc = follow_session(c, id, json_get(json_root(graph), "nodes"), 0);
    }
    free(id);
    http_reply_deinit(&r);
    return rc;
}

static int run_command(struct client *c, const struct args *a)
{
    struct buf graph, body;
    bool is_file = client_names_file(a->words[0]);
    int rc = is_file ? client_graph_from_file(a->words[0], &graph)
                     : graph_from_server(c, a->words[0], &graph);
    if (rc && is_file)
        return rc;
    buf_init(&body, BODY_BYTES_MAX);
    if (!rc)
        rc = body_write(c, a, is_file, buf_str(&graph), &body);
    if (!rc)
        rc = run_start(c, a, buf_str(&graph), buf_str(&body));
    buf_deinit(&body);
    buf_deinit(&graph);
    return rc;
}

/* ---- the table ---- */

static const struct option_def run_options[] = {
    {"input", "KEY=VALUE", "one member of the input; may be repeated", true},
    {"input-json", "FILE", "the input as JSON; - is standard input", false},
    {"attach", "FILE", "a text file for the session; may be repeated", true},
    {"name", "NAME", "a name for the session", false},
    {"detach", NULL, "start it and print its id, do not follow it", false},
    {0},
};

const struct command run_commands[] = {
    {NULL, "run", "FILE|ID", "start a session and follow it", run_options, 1, 1, run_command},
    {0},
};
