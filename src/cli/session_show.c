/* `sluice session list` and `show`. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"
#include "cli/stage_view.h"
#include "cli/view.h"

#define TEXT_BYTES_MAX (11u << 20)

/* ---- list ---- */

struct list_show {
    struct grid grid;
    char active[ID_TEXT_BYTES + 1];
    char first[ID_TEXT_BYTES + 1]; /* of the list */
    long count;
};

/* The nodes that wait for a person: "review, ask". */
static void waiting_write(struct buf *out, struct json session)
{
    struct json_iter it;
    json_iter_init(&it, json_get(session, "waiting_on"));
    while (json_iter_next(&it)) {
        char *id = member_text(it.value, "node_id");
        buf_printf(out, "%s%s", it.index ? ", " : "", id);
        free(id);
    }
}

static void list_row(void *data, struct json s)
{
    struct list_show *l = data;
    struct grid *g = &l->grid;
    char *id = member_text(s, "id"), ago[32];
    struct buf waiting;
    bool active = strcmp(id, l->active) == 0;
    buf_init(&waiting, 1u << 20);
    waiting_write(&waiting, s);
    ago_format(member_time(s, "created_at"), clock_wall_ms(), ago);
    grid_cellz(g, id, active ? STYLE_BOLD : STYLE_PLAIN);
    grid_cellz(g, active ? "*" : "", STYLE_GREEN);
    grid_member(g, s, "workflow_id", STYLE_PLAIN);
    grid_member(g, s, "name", STYLE_PLAIN);
    grid_status(g, s);
    grid_cell(g, buf_str(&waiting), STYLE_YELLOW);
    grid_cellz(g, ago, STYLE_PLAIN);
    if (!l->count++)
        snprintf(l->first, sizeof(l->first), "%s", id);
    buf_deinit(&waiting);
    free(id);
}

static void list_print(struct client *c, struct list_show *l, long limit)
{
    if (!l->count) {
        fprintf(c->out.file, T("no sessions\n"));
        hint_print(c, T("begin one"), "sluice flow list");
        return;
    }
    grid_print(&l->grid, &c->out);
    if (l->count < limit)
        fprintf(c->out.file, T("\n%ld in all\n"), l->count);
    else
        fprintf(c->out.file, T("\nthe newest %ld; --limit shows more\n"), l->count);
    hint_print(c, T("how far it is, and what can come next"), "sluice session show %s", l->first);
    if (!l->active[0])
        hint_print(c, T("make it the active one"), "sluice session switch %s", l->first);
}

static void list_path(const struct args *a, struct buf *path)
{
    static const char *const filters[] = {"status", "workflow", "user", "tag", "q"};
    static const char *const keys[] = {"status", "workflow_id", "user_id", "tag", "q"};
    buf_append_z(path, "/sessions?order=desc");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!args_has(a, filters[i]))
            continue;
        buf_printf(path, "&%s=", keys[i]);
        http_escape(path, args_get(a, filters[i]));
    }
}

static int session_list_command(struct client *c, const struct args *a)
{
    long limit = limit_of(a, 30);
    struct list_show l = {.count = 0};
    struct buf path;
    if (!limit)
        return EXIT_USAGE;
    buf_init(&path, 1u << 20);
    grid_init(&l.grid);
    grid_column(&l.grid, T("SESSION"), false, 0);
    grid_column(&l.grid, "", false, 0); /* * is the active one */
    grid_column(&l.grid, T("WORKFLOW"), false, 24);
    grid_column(&l.grid, T("NAME"), false, 32);
    grid_column(&l.grid, T("STATUS"), false, 0);
    grid_column(&l.grid, T("STAGE"), false, 24);
    grid_column(&l.grid, T("CREATED"), false, 0);
    list_path(a, &path);
    if (!c->json)
        current_get(c, l.active);
    int rc = client_each(c, path.data, limit, list_row, &l);
    if (!rc && !c->json)
        list_print(c, &l, limit);
    grid_deinit(&l.grid);
    buf_deinit(&path);
    return rc;
}

/* ---- show ---- */

static void line_print(struct client *c, const char *label, const char *text, enum style style)
{
    struct buf clean;
    if (!*text)
        return;
    buf_init(&clean, TEXT_BYTES_MAX);
    text_clean(&clean, str_of(text), false);
    line_label(c, label, 10, STYLE_DIM);
    fprintf(c->out.file, " %s%s%s\n", term_style(&c->out, style), clean.data ? clean.data : "",
            style == STYLE_PLAIN ? "" : term_reset(&c->out));
    buf_deinit(&clean);
}

static void member_print(struct client *c, const char *label, struct json object, const char *key)
{
    char *text = member_text(object, key);
    line_print(c, label, text, STYLE_PLAIN);
    free(text);
}

static void value_print(struct client *c, const char *label, struct json v)
{
    struct buf b;
    char *text = json_strdup(v);
    buf_init(&b, TEXT_BYTES_MAX);
    if (!text && json_exists(v) && json_type(v) != JSON_NULL)
        view_json(&b, v);
    line_print(c, label, text ? text : b.data ? b.data : "", STYLE_PLAIN);
    free(text);
    buf_deinit(&b);
}

static void when_print(struct client *c, const char *label, struct json s, const char *key)
{
    char at[32];
    member_when(s, key, at);
    line_print(c, label, at, STYLE_PLAIN);
}

static void ended_print(struct client *c, struct json s)
{
    int64_t started = member_time(s, "started_at"), ended = member_time(s, "ended_at");
    char took[32], at[32], line[128];
    if (!ended)
        return;
    duration_format(ended - (started ? started : ended), took);
    member_when(s, "ended_at", at);
    snprintf(line, sizeof(line), "%s (%s)", at, took);
    line_print(c, T("ended"), line, STYLE_PLAIN);
}

static void usage_print(struct client *c, struct json usage)
{
    int64_t in = 0, out = 0;
    char line[96];
    json_i64(json_get(usage, "input_tokens"), &in);
    json_i64(json_get(usage, "output_tokens"), &out);
    if (in || out) {
        snprintf(line, sizeof(line), T("%lld in, %lld out"), (long long)in, (long long)out);
        line_print(c, T("tokens"), line, STYLE_PLAIN);
    }
}

static void tags_print(struct client *c, struct json tags)
{
    struct json_iter it;
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    json_iter_init(&it, tags);
    while (json_iter_next(&it)) {
        char *tag = json_strdup(it.value);
        buf_printf(&text, "%s%s", it.index ? ", " : "", tag ? tag : "");
        free(tag);
    }
    line_print(c, T("tags"), text.data ? text.data : "", STYLE_PLAIN);
    buf_deinit(&text);
}

static void session_print(struct client *c, struct json s)
{
    char *status = member_text(s, "status");
    struct buf waiting;
    member_print(c, T("session"), s, "id");
    member_print(c, T("name"), s, "name");
    member_print(c, T("workflow"), s, "workflow_id");
    line_print(c, T("status"), status_word(status), status_style(str_of(status)));
    member_print(c, T("reason"), s, "reason");
    member_print(c, T("error"), json_get(s, "error"), "message");
    buf_init(&waiting, 1u << 20);
    waiting_write(&waiting, s);
    line_print(c, T("waits for"), waiting.data ? waiting.data : "", STYLE_YELLOW);
    buf_deinit(&waiting);
    member_print(c, T("user"), s, "user_id");
    tags_print(c, json_get(s, "tags"));
    when_print(c, T("created"), s, "created_at");
    when_print(c, T("started"), s, "started_at");
    ended_print(c, s);
    usage_print(c, json_get(s, "usage"));
    value_print(c, T("input"), json_get(s, "input"));
    value_print(c, T("output"), json_get(s, "output"));
    free(status);
}

static void run_row(void *data, struct json run)
{
    struct grid *g = data;
    int64_t started = member_time(run, "started_at"), ended = member_time(run, "ended_at");
    char took[32] = "";
    if (started && ended)
        duration_format(ended - started, took);
    grid_member(g, run, "node_id", STYLE_PLAIN);
    grid_member(g, run, "type", STYLE_PLAIN);
    grid_status(g, run);
    grid_member(g, run, "iteration", STYLE_PLAIN);
    grid_member(g, run, "attempt", STYLE_PLAIN);
    grid_cellz(g, took, STYLE_PLAIN);
    char *error = member_text(json_get(run, "error"), "message");
    if (*error)
        grid_cellz(g, error, STYLE_RED);
    else
        grid_member(g, run, "output", STYLE_PLAIN);
    free(error);
}

static int runs_print(struct client *c, const char *id)
{
    struct grid g;
    struct buf path;
    grid_init(&g);
    grid_column(&g, T("NODE"), false, 24);
    grid_column(&g, T("TYPE"), false, 0);
    grid_column(&g, T("STATUS"), false, 0);
    grid_column(&g, T("ITER"), true, 0);
    grid_column(&g, T("TRY"), true, 0);
    grid_column(&g, T("TOOK"), true, 0);
    grid_column(&g, T("OUTPUT"), false, 80);
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s/nodes", id);
    int rc = client_each(c, path.data, 0, run_row, &g);
    if (!rc && g.cell_count) {
        fputc('\n', c->out.file);
        grid_print(&g, &c->out);
    }
    buf_deinit(&path);
    grid_deinit(&g);
    return rc;
}

/* All stages, and what the open ones still want. False: the session has none. */
static bool stages_print(struct client *c, const char *id)
{
    struct http_reply r;
    struct json_iter it;
    char path[64];
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%.36s/progress", id);
    bool has = client_try(c, "GET", path, STR_NULL, &r) == 0;
    struct json progress = has ? json_root(buf_str(&r.body)) : JSON_ABSENT;
    has = json_length(json_get(progress, "stages")) > 0;
    if (has) {
        struct buf line;
        buf_init(&line, 4096);
        progress_line(progress, &line);
        line_print(c, T("stages"), line.data, STYLE_PLAIN);
        buf_deinit(&line);
        fputc('\n', c->out.file);
        progress_table(c, progress);
        json_iter_init(&it, json_get(progress, "current"));
        while (json_iter_next(&it)) {
            fputc('\n', c->out.file);
            stage_print(c, it.value);
        }
    }
    http_reply_deinit(&r);
    return has;
}

static int session_show_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1], path[64];
    struct http_reply r;
    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%s", id);
    rc = client_call(c, "GET", path, NULL, &r);
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    } else if (!rc) {
        session_print(c, json_root(buf_str(&r.body)));
        if (!stages_print(c, id) || args_has(a, "nodes"))
            rc = runs_print(c, id);
        if (!rc)
            hints_of_session(c, id);
    }
    http_reply_deinit(&r);
    return rc;
}

/* ---- the table ---- */

static const struct option_def session_list_options[] = {
    {"status", "STATUS", "only those with this status", false},
    {"workflow", "ID", "only those of this workflow", false},
    {"user", "NAME", "only those of this user", false},
    {"tag", "TAG", "only those with this tag", false},
    {"q", "TEXT", "only those with this in their name", false},
    {"limit", "N", "at most so many (30)", false},
    {0},
};
static const struct option_def session_show_options[] = {
    {"nodes", NULL, "every attempt of its nodes, too", false},
    {0},
};

const struct command session_show_commands[] = {
    {"session", "list", "", "the newest sessions", session_list_options, 0, 0,
     session_list_command},
    {"session", "show", "[SESSION]", "how far it is, and what can come next", session_show_options,
     0, 1, session_show_command},
    {0},
};
