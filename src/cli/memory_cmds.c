#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"
#include "cli/view.h"

#define BODY_BYTES_MAX (11u << 20)
#define LINE_BYTES_MAX 100 /* of a content in a list */

/* What groups remember: in, found, listed, moved, gone. */

static void cell_member(struct grid *g, struct json object, const char *key, enum style style)
{
    char *text = member_text(object, key);
    grid_cellz(g, text, style);
    free(text);
}

/* The first line, cut where it gets long. */
static void cell_content(struct grid *g, struct json row)
{
    char *text = member_text(row, "content");
    size_t n = strcspn(text, "\n");
    if (n > LINE_BYTES_MAX)
        n = utf8_cut(text, LINE_BYTES_MAX);
    text[n] = 0;
    grid_cellz(g, text, STYLE_PLAIN);
    free(text);
}

static int number_option(const struct args *a, const char *name, const char *key, struct jw *w)
{
    const char *given = args_get(a, name);
    char *end = NULL;
    if (!given)
        return 0;
    double d = strtod(given, &end);
    if (end == given || *end || !(d >= 0)) {
        client_complain(T("--%s wants a number, not \"%.80s\""), name, given);
        return EXIT_USAGE;
    }
    jw_kv_double(w, key, d);
    return 0;
}

static void text_option(const struct args *a, const char *name, const char *key, struct jw *w)
{
    if (args_has(a, name))
        jw_kv_stringz(w, key, args_get(a, name));
}

/* POSTs it; the answer as JSON with --json, else to show(). */
static int post(struct client *c, const char *path, struct buf *body,
                void (*show)(struct client *c, struct json answer))
{
    struct http_reply r;
    http_reply_init(&r);
    int rc = client_post(c, path, buf_str(body), &r);
    if (!rc && c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    else if (!rc)
        show(c, json_root(buf_str(&r.body)));
    http_reply_deinit(&r);
    return rc;
}

/* ---- ingest ---- */

static void ingest_show(struct client *c, struct json answer)
{
    char *id = member_text(answer, "id");
    fprintf(c->out.file, "%s\n", id);
    free(id);
}

static int metadata_write(const struct args *a, struct jw *w)
{
    const char *given = args_get(a, "metadata");
    if (!given)
        return 0;
    if (json_check(str_of(given), NULL, NULL) ||
        json_type(json_root(str_of(given))) != JSON_OBJECT) {
        client_complain(T("--metadata wants a JSON object"));
        return EXIT_USAGE;
    }
    jw_kv_raw(w, "metadata", json_raw(json_root(str_of(given))));
    return 0;
}

static int memory_ingest_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1];
    struct errbuf e = {""};
    struct buf text, body;
    struct jw w;
    int rc = 0;
    if (args_has(a, "session"))
        rc = client_find_session(c, args_get(a, "session"), id);
    if (rc)
        return rc;
    buf_init(&text, BODY_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    rc = file_read(a->words[1], &text, &e);
    if (rc) {
        client_complain("%s", e.text);
        rc = rc == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_USAGE;
        goto out;
    }
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "group_id", a->words[0]);
    text_option(a, "agent", "agent_id", &w);
    text_option(a, "tier", "tier", &w);
    if (args_has(a, "session"))
        jw_kv_stringz(&w, "session_id", id);
    jw_kv_string(&w, "content", text.len ? buf_str(&text) : STR(""));
    rc = metadata_write(a, &w);
    jw_end(&w);
    if (!rc)
        rc = post(c, "/memory/ingest", &body, ingest_show);
out:
    buf_deinit(&text);
    buf_deinit(&body);
    return rc;
}

/* ---- query ---- */

static void query_show(struct client *c, struct json answer)
{
    struct json_iter it;
    struct grid g;
    grid_init(&g);
    grid_column(&g, T("SCORE"), true, 0);
    grid_column(&g, T("TIER"), false, 0);
    grid_column(&g, T("AGENT"), false, 20);
    grid_column(&g, T("MEMORY"), false, 0);
    grid_column(&g, T("CONTENT"), false, 0);
    json_iter_init(&it, json_get(answer, "items"));
    while (json_iter_next(&it)) {
        double score = 0;
        char text[32];
        json_double(json_get(it.value, "score"), &score);
        snprintf(text, sizeof(text), "%.3f", score);
        grid_cellz(&g, text, STYLE_BOLD);
        cell_member(&g, it.value, "tier", STYLE_PLAIN);
        cell_member(&g, it.value, "agent_id", STYLE_PLAIN);
        cell_member(&g, it.value, "id", STYLE_PLAIN);
        cell_content(&g, it.value);
    }
    if (g.cell_count)
        grid_print(&g, &c->out);
    else
        fprintf(c->out.file, T("nothing that fits\n"));
    grid_deinit(&g);
}

static void tiers_write(const struct args *a, struct jw *w)
{
    const char *tier;
    if (!args_has(a, "tier"))
        return;
    jw_key(w, "tiers");
    jw_array(w);
    for (int i = 0; (tier = args_nth(a, "tier", i)) != NULL; i++)
        jw_stringz(w, tier);
    jw_end(w);
}

static void words_join(const struct args *a, int from, struct buf *out)
{
    for (int i = from; i < a->word_count; i++) {
        if (i > from)
            buf_append_char(out, ' ');
        buf_append_z(out, a->words[i]);
    }
}

static int memory_query_command(struct client *c, const struct args *a)
{
    long limit = limit_of(a, 5);
    struct buf text, body;
    struct jw w;
    if (!limit)
        return EXIT_USAGE;
    buf_init(&text, BODY_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    words_join(a, 1, &text);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "group_id", a->words[0]);
    jw_kv_string(&w, "query", buf_str(&text));
    jw_kv_i64(&w, "max_results", limit);
    text_option(a, "agent", "agent_id", &w);
    tiers_write(a, &w);
    int rc = number_option(a, "days", "time_range_days", &w);
    if (!rc)
        rc = number_option(a, "min-score", "relevance_threshold", &w);
    jw_end(&w);
    if (!rc)
        rc = post(c, "/memory/query", &body, query_show);
    buf_deinit(&text);
    buf_deinit(&body);
    return rc;
}

/* ---- list ---- */

static void list_row(void *data, struct json row)
{
    struct grid *g = data;
    char ago[32];
    ago_format(member_time(row, "created_at"), clock_wall_ms(), ago);
    cell_member(g, row, "id", STYLE_BOLD);
    cell_member(g, row, "tier", STYLE_PLAIN);
    cell_member(g, row, "group_id", STYLE_PLAIN);
    cell_member(g, row, "agent_id", STYLE_PLAIN);
    grid_cellz(g, ago, STYLE_PLAIN);
    cell_content(g, row);
}

static int list_path(struct client *c, const struct args *a, struct buf *path)
{
    static const char *const filters[][2] = {
        {"group", "group_id"}, {"agent", "agent_id"}, {"tier", "tier"}};
    char id[ID_TEXT_BYTES + 1];
    buf_append_z(path, "/memories?");
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (!args_has(a, filters[i][0]))
            continue;
        buf_printf(path, "%s=", filters[i][1]);
        http_escape(path, args_get(a, filters[i][0]));
        buf_append_char(path, '&');
    }
    if (!args_has(a, "session"))
        return 0;
    int rc = client_find_session(c, args_get(a, "session"), id);
    if (!rc)
        buf_printf(path, "session_id=%s", id);
    return rc;
}

static int memory_list_command(struct client *c, const struct args *a)
{
    long limit = limit_of(a, 50);
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    buf_init(&path, 1u << 16);
    grid_init(&g);
    grid_column(&g, T("MEMORY"), false, 0);
    grid_column(&g, T("TIER"), false, 0);
    grid_column(&g, T("GROUP"), false, 20);
    grid_column(&g, T("AGENT"), false, 20);
    grid_column(&g, T("MADE"), false, 0);
    grid_column(&g, T("CONTENT"), false, 0);
    int rc = list_path(c, a, &path);
    if (!rc)
        rc = client_each(c, path.data, limit, list_row, &g);
    if (!rc && !c->json && !g.cell_count)
        fprintf(c->out.file, T("no memories\n"));
    else if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    buf_deinit(&path);
    return rc;
}

/* ---- delete, promote ---- */

static void memory_path(struct buf *path, const char *id, const char *what)
{
    buf_init(path, 4096);
    buf_append_z(path, "/memories/");
    http_escape(path, id);
    buf_append_z(path, what);
}

static int memory_delete_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    memory_path(&path, a->words[0], "");
    int rc = client_call(c, "DELETE", path.data, NULL, &r);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static void promote_show(struct client *c, struct json answer)
{
    char *tier = member_text(answer, "tier"), *changed = member_text(answer, "changed");
    fprintf(c->out.file, T("%s to %s\n"), changed, tier);
    free(tier);
    free(changed);
}

static int memory_promote_command(struct client *c, const struct args *a)
{
    struct buf path, body;
    struct jw w;
    memory_path(&path, a->words[0], "/promote");
    buf_init(&body, 4096);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "tier", a->words[1]);
    jw_end(&w);
    int rc = post(c, path.data, &body, promote_show);
    buf_deinit(&path);
    buf_deinit(&body);
    return rc;
}

/* ---- the table ---- */

static const struct option_def memory_ingest_options[] = {
    {"agent", "ID", "the agent that it belongs to; else the group", false},
    {"session", "SESSION", "the session that it comes from", false},
    {"tier", "TIER", "quarantine, working (default) or long_term", false},
    {"metadata", "JSON", "an object that is kept with it", false},
    {0},
};

static const struct option_def memory_query_options[] = {
    {"agent", "ID", "only what belongs to this agent", false},
    {"tier", "TIER", "only this tier; may be repeated", true},
    {"days", "N", "nothing older than that", false},
    {"min-score", "X", "nothing below that, 0 to 1", false},
    {"limit", "N", "at most so many (5)", false},
    {0},
};

static const struct option_def memory_list_options[] = {
    {"group", "ID", "only those of this group", false},
    {"agent", "ID", "only those of this agent", false},
    {"tier", "TIER", "only this tier", false},
    {"session", "SESSION", "only those of this session", false},
    {"limit", "N", "at most so many (50)", false},
    {0},
};

const struct command memory_commands[] = {
    {"memory", "ingest", "GROUP FILE", "remember a text; - is standard input",
     memory_ingest_options, 2, 2, memory_ingest_command},
    {"memory", "query", "GROUP QUESTION", "what a group remembers", memory_query_options, 2,
     ARGS_MAX, memory_query_command},
    {"memory", "list", "", "memories, the newest first", memory_list_options, 0, 0,
     memory_list_command},
    {"memory", "promote", "MEMORY TIER", "move it to another tier", no_options, 2, 2,
     memory_promote_command},
    {"memory", "delete", "MEMORY", "forget a chunk, or a whole text", no_options, 1, 1,
     memory_delete_command},
    {0},
};
