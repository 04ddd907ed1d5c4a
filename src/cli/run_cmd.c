#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/follow.h"
#include "cli/input.h"
#include "cli/lang.h"
#include "cli/names.h"

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

/* The graph of a stored workflow, and its id. */
static int graph_from_server(struct client *c, const char *word, struct buf *id, struct buf *graph)
{
    struct http_reply r;
    struct buf path;
    buf_init(graph, BODY_BYTES_MAX);
    int found = client_find_workflow(c, word, id);
    if (found)
        return found;
    http_reply_init(&r);
    buf_init(&path, 1u << 20);
    buf_append_z(&path, "/workflows/");
    http_escape(&path, id->data);
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

/* What is run: a file's graph, or a stored workflow's. */
struct source {
    bool is_file;
    struct buf id; /* when it is stored */
    struct buf graph;
};

static void source_deinit(struct source *s)
{
    buf_deinit(&s->id);
    buf_deinit(&s->graph);
}

/* *s is to be freed, whatever is returned. */
static int source_read(struct client *c, const char *word, struct source *s)
{
    buf_init(&s->id, 4096);
    s->is_file = client_names_file(word);
    int rc = s->is_file ? client_graph_from_file(word, &s->graph)
                        : graph_from_server(c, word, &s->id, &s->graph);
    if (rc && s->is_file)
        buf_init(&s->graph, 1);
    return rc;
}

/* Name, user, tags: what a session is found by. */
static int labels_write(const struct args *a, struct jw *w)
{
    const char *user = args_get(a, "user");
    if (!user)
        user = getenv("SLUICE_USER");
    if (args_has(a, "name"))
        jw_kv_stringz(w, "name", args_get(a, "name"));
    if (user && *user)
        jw_kv_stringz(w, "user_id", user);
    if (args_has(a, "tag")) {
        jw_key(w, "tags");
        jw_array(w);
        for (int i = 0; args_nth(a, "tag", i); i++)
            jw_stringz(w, args_nth(a, "tag", i));
        jw_end(w);
    }
    return pairs_write(a, "metadata", "metadata", true, w);
}

static int body_write(struct client *c, const struct args *a, const struct source *s,
                      const char *stage, struct buf *body)
{
    struct str graph = buf_str(&s->graph);
    struct buf input;
    struct jw w;
    buf_init(&input, BODY_BYTES_MAX);
    int rc = input_build(c, a, json_get_set(json_root(graph), "input_schema"), &input);
    jw_init(&w, body);
    jw_object(&w);
    if (s->is_file)
        jw_kv_raw(&w, "graph", graph);
    else
        jw_kv_stringz(&w, "workflow_id", s->id.data);
    jw_kv_raw(&w, "input", buf_str(&input));
    if (stage)
        jw_kv_stringz(&w, "stage", stage);
    if (args_has(a, "paused"))
        jw_kv_bool(&w, "start_paused", true);
    if (!rc)
        rc = labels_write(a, &w);
    if (!rc)
        rc = attachments_write(a, &w);
    jw_end(&w);
    buf_deinit(&input);
    return rc;
}

/* POST /workflows/execute; *id is to be freed. */
static int session_begin(struct client *c, const struct args *a, const struct source *s,
                         const char *stage, char **id)
{
    struct http_reply r;
    struct buf body;
    *id = NULL;
    buf_init(&body, BODY_BYTES_MAX);
    http_reply_init(&r);
    int rc = body_write(c, a, s, stage, &body);
    if (!rc)
        rc = client_post(c, "/workflows/execute", buf_str(&body), &r);
    struct json answer = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    if (!rc)
        *id = json_strdup(json_get(answer, "session_id"));
    if (!rc && !*id) {
        client_complain(T("%s did not say which session it started"), http_server(c->http));
        rc = EXIT_UNREACHABLE;
    } else if (!rc && c->json && (args_has(a, "detach") || a->group)) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(answer)));
    }
    buf_deinit(&body);
    http_reply_deinit(&r);
    return rc;
}

static int run_command(struct client *c, const struct args *a)
{
    struct source s;
    char *id = NULL;
    int rc = source_read(c, a->words[0], &s);
    if (!rc)
        rc = session_begin(c, a, &s, NULL, &id);
    if (!rc && !args_has(a, "detach"))
        rc = follow_session(c, id, json_get(json_root(buf_str(&s.graph)), "nodes"), 0);
    else if (!rc && !c->json)
        fprintf(c->out.file, "%s\n", id);
    source_deinit(&s);
    free(id);
    return rc;
}

/* ---- sessions that are moved by people ---- */

/* Makes it the active session, and tells what can come next. */
static int begun_tell(struct client *c, const char *id)
{
    struct http_reply r;
    http_reply_init(&r);
    int rc = current_put(c, id, &r);
    if (!rc && !c->json) {
        fprintf(c->out.file, T("%s is the active session now\n"), id);
        hints_of_session(c, id);
    }
    http_reply_deinit(&r);
    return rc;
}

static int session_create_command(struct client *c, const struct args *a)
{
    struct source s;
    char *id = NULL;
    int rc = source_read(c, a->words[0], &s);
    if (!rc)
        rc = session_begin(c, a, &s, NULL, &id);
    if (!rc)
        rc = begun_tell(c, id);
    source_deinit(&s);
    free(id);
    return rc;
}

/* The id of a stage in a graph, by its id or name or their beginning. */
static int stage_of_graph(struct json graph, const char *word, char **id)
{
    struct json_iter it;
    struct names n;
    int index, rc = 0;
    names_init(&n);
    json_iter_init(&it, json_get(graph, "nodes"));
    while (json_iter_next(&it)) {
        char *name = member_text(json_get_set(it.value, "properties"), "name");
        char *key = it.key.p ? str_dup(it.key) : member_text(it.value, "id");
        if (json_string_eq(json_get(it.value, "type"), "stage"))
            names_add(&n, key, name, "");
        free(name);
        free(key);
    }
    int found = names_match(&n, word, 1, &index);
    if (found == 1) {
        *id = str_dup(str_of(n.items[index].id));
    } else {
        client_complain(found ? T("several stages begin with \"%.80s\"")
                              : T("the workflow has no stage \"%.80s\""),
                        word);
        rc = found ? EXIT_USAGE : EXIT_NOT_FOUND;
    }
    names_deinit(&n);
    return rc;
}

static int run_new(struct client *c, const struct args *a, const char *workflow, const char *word)
{
    struct source s;
    char *id = NULL, *stage = NULL;
    int rc = source_read(c, workflow, &s);
    if (!rc && word)
        rc = stage_of_graph(json_root(buf_str(&s.graph)), word, &stage);
    if (!rc)
        rc = session_begin(c, a, &s, stage, &id);
    if (!rc)
        rc = begun_tell(c, id);
    source_deinit(&s);
    free(stage);
    free(id);
    return rc;
}

/* In a session that is there: it must run that workflow. */
static int run_in_session(struct client *c, const struct args *a, const char *workflow,
                          const char *word)
{
    char id[ID_TEXT_BYTES + 1], path[64];
    struct http_reply r;
    struct buf name;
    int rc = client_option_session(c, a, id);
    if (rc)
        return rc;
    http_reply_init(&r);
    buf_init(&name, 4096);
    snprintf(path, sizeof(path), "/sessions/%s", id);
    rc = client_call(c, "GET", path, NULL, &r);
    if (!rc)
        rc = client_find_workflow(c, workflow, &name);
    if (!rc) {
        char *runs = member_text(json_root(buf_str(&r.body)), "workflow_id");
        if (strcmp(runs, name.data) != 0) {
            client_complain(T("the session runs %s, not %s"), runs, name.data);
            rc = EXIT_WRONG_STATE;
        }
        free(runs);
    }
    if (!rc)
        rc = client_stage_start(c, a, word);
    buf_deinit(&name);
    http_reply_deinit(&r);
    return rc;
}

/* WORKFLOW or WORKFLOW:STAGE */
static int flow_run_command(struct client *c, const struct args *a)
{
    char *workflow = str_dup(str_of(a->words[0])), *stage = strrchr(workflow, ':');
    if (stage)
        *stage++ = 0;
    int rc = args_has(a, "session") ? run_in_session(c, a, workflow, stage)
                                    : run_new(c, a, workflow, stage);
    free(workflow);
    return rc;
}

/* ---- the table ---- */

#define INPUT_OPTIONS                                                                              \
    {"input", "KEY=VALUE", "one member of the input; may be repeated", true},                      \
        {"input-json", "FILE", "the input as JSON; - is standard input", false},                   \
        {"attach", "FILE", "a text file for the session; may be repeated", true},                  \
    {                                                                                              \
        "name", "NAME", "a name for the session", false                                            \
    }
#define LABEL_OPTIONS                                                                              \
    {"user", "NAME", "whose session it is; else SLUICE_USER", false},                              \
        {"tag", "TAG", "a tag; may be repeated", true},                                            \
    {                                                                                              \
        "metadata", "NAME=VALUE", "a member of its metadata; may be repeated", true                \
    }

static const struct option_def run_options[] = {
    INPUT_OPTIONS,
    LABEL_OPTIONS,
    {"detach", NULL, "start it and print its id, do not follow it", false},
    {0},
};
static const struct option_def create_options[] = {
    INPUT_OPTIONS,
    LABEL_OPTIONS,
    {"paused", NULL, "it waits until it is resumed", false},
    {0},
};
static const struct option_def flow_run_options[] = {
    {"session", "SESSION", "start the stage in this session, not in a new one", false},
    {"by", "NAME", "who begins with the stage", false},
    INPUT_OPTIONS,
    LABEL_OPTIONS,
    {0},
};

const struct command run_commands[] = {
    {NULL, "run", "FILE|ID", "start a session and follow it", run_options, 1, 1, run_command},
    {0},
};
const struct command begin_commands[] = {
    {"session", "create", "WORKFLOW", "begin a session; it is the active one then", create_options,
     1, 1, session_create_command},
    {0},
};
const struct command flow_run_commands[] = {
    {"flow", "run", "WORKFLOW[:STAGE]", "begin a session, or a stage of it", flow_run_options, 1, 1,
     flow_run_command},
    {0},
};
