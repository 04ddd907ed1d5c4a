#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"

/* Questions to people, over all sessions. */

#define PATH_BYTES_MAX 8192

/* ---- list ---- */

static void cell(struct grid *g, struct json row, const char *key)
{
    char *text = member_text(row, key);
    grid_cellz(g, text, STYLE_PLAIN);
    free(text);
}

static void review_row(void *data, struct json row)
{
    struct grid *g = data;
    char ago[32];
    cell(g, row, "interrupt_id");
    cell(g, row, "kind");
    cell(g, row, "status");
    ago_format(member_time(row, "created_at"), clock_wall_ms(), ago);
    grid_cellz(g, ago, STYLE_PLAIN);
    cell(g, row, "session_name");
    cell(g, row, "node_id");
    cell(g, row, "reason");
}

static void query_add(struct buf *path, const char *name, const char *value)
{
    buf_printf(path, "%c%s=", strchr(path->data, '?') ? '&' : '?', name);
    http_escape(path, value);
}

static int list_path(struct client *c, const struct args *a, struct buf *path)
{
    const char *status = args_get(a, "status"), *kind = args_get(a, "kind");
    char id[ID_TEXT_BYTES + 1];
    buf_append_z(path, "/reviews");
    if (!status || strcmp(status, "all") != 0)
        query_add(path, "status", status ? status : "pending");
    if (kind)
        query_add(path, "kind", kind);
    if (!args_has(a, "session"))
        return 0;
    int rc = client_find_session(c, args_get(a, "session"), id);
    if (!rc)
        query_add(path, "session_id", id);
    return rc;
}

static int review_list_command(struct client *c, const struct args *a)
{
    static const char *const titles[] = {N_("ID"),      N_("KIND"), N_("STATUS"), N_("ASKED"),
                                         N_("SESSION"), N_("NODE"), N_("WHAT")};
    long limit = limit_of(a, 100);
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    grid_init(&g);
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        grid_column(&g, T(titles[i]), false, i == 6 ? 60 : 0);
    buf_init(&path, PATH_BYTES_MAX);
    int rc = list_path(c, a, &path);
    if (!rc)
        rc = client_each(c, path.data, limit, review_row, &g);
    if (!rc && !c->json)
        grid_print(&g, &c->out);
    buf_deinit(&path);
    grid_deinit(&g);
    return rc;
}

/* ---- one ---- */

static int review_get(struct client *c, const char *id, struct http_reply *r)
{
    struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    buf_append_z(&path, "/reviews/");
    http_escape(&path, id);
    int rc = client_call(c, "GET", path.data, NULL, r);
    buf_deinit(&path);
    return rc;
}

static void line_print(struct client *c, struct json row, const char *key)
{
    char *text = member_text(row, key);
    struct buf clean;
    buf_init(&clean, HTTP_REPLY_BYTES_MAX);
    text_clean(&clean, str_of(text), false);
    if (*text) {
        line_label(c, T(key), 12, STYLE_BOLD);
        fprintf(c->out.file, " %s\n", clean.data ? clean.data : "");
    }
    buf_deinit(&clean);
    free(text);
}

static void items_print(struct client *c, struct json items)
{
    struct json_iter it;
    json_iter_init(&it, items);
    while (json_iter_next(&it)) {
        char *name = member_text(it.value, "name");
        bool done = false;
        struct buf clean;
        buf_init(&clean, HTTP_REPLY_BYTES_MAX);
        text_clean(&clean, str_of(name), false);
        json_bool(json_get(it.value, "done"), &done);
        fprintf(c->out.file, "  [%c] %s\n", done ? 'x' : ' ', clean.data ? clean.data : "");
        buf_deinit(&clean);
        free(name);
    }
}

static int review_show_command(struct client *c, const struct args *a)
{
    static const char *const keys[] = {
        N_("interrupt_id"), N_("session_id"), N_("session_name"), N_("node_id"),   N_("kind"),
        N_("status"),       N_("reason"),     N_("actions"),      N_("reviewers"), N_("quorum"),
        N_("expires_at"),   N_("created_at"), N_("draft"),        N_("answer")};
    struct http_reply r;
    http_reply_init(&r);
    int rc = review_get(c, a->words[0], &r);
    struct json row = json_root(buf_str(&r.body));
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(row)));
    } else if (!rc) {
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            line_print(c, row, keys[i]);
        items_print(c, json_get(row, "items"));
    }
    http_reply_deinit(&r);
    return rc;
}

/* ---- answer ---- */

static void answer_body(struct buf *out, const struct args *a, struct str data)
{
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_stringz(&w, "action", a->words[1]);
    jw_kv_stringz(&w, "interrupt_id", a->words[0]);
    if (data.n)
        jw_kv_raw(&w, "data", data);
    if (args_has(a, "reviewer"))
        jw_kv_stringz(&w, "reviewer", args_get(a, "reviewer"));
    jw_end(&w);
}

static int review_answer_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf data, body, what;
    http_reply_init(&r);
    buf_init(&data, HTTP_REPLY_BYTES_MAX);
    buf_init(&body, HTTP_REPLY_BYTES_MAX * 2);
    buf_init(&what, PATH_BYTES_MAX);
    int rc = answer_data(a, &data);
    if (!rc)
        rc = review_get(c, a->words[0], &r);
    if (!rc) {
        struct json row = json_root(buf_str(&r.body));
        char *session = member_text(row, "session_id"), *node = member_text(row, "node_id");
        answer_body(&body, a, buf_str(&data));
        buf_append_z(&what, "nodes/");
        http_escape(&what, node);
        buf_append_z(&what, "/resume");
        rc = session_post(c, session, what.data, buf_str(&body));
        free(session);
        free(node);
    }
    buf_deinit(&data);
    buf_deinit(&body);
    buf_deinit(&what);
    http_reply_deinit(&r);
    return rc;
}

/* ---- the table ---- */

static const struct option_def review_answer_options[] = {
    {"data", "JSON", "what goes with the action", false},
    {"comment", "TEXT", "a comment, as data.comment", false},
    {"reviewer", "NAME", "who answers", false},
    {0},
};

static const struct option_def review_list_options[] = {
    {"status", "STATUS", "pending (default), answered, expired, cancelled or all", false},
    {"kind", "KIND", "approve_reject, edit_content, form, user_input or stage", false},
    {"session", "SESSION", "only those of this session", false},
    {"limit", "N", "at most so many (100)", false},
    {0},
};

const struct command review_commands[] = {
    {"review", "list", "", "what people are asked, the oldest first", review_list_options, 0, 0,
     review_list_command},
    {"review", "show", "ID", "one question, with its draft or its items", no_options, 1, 1,
     review_show_command},
    {"review", "answer", "ID ACTION", "answer it", review_answer_options, 2, 2,
     review_answer_command},
    {0},
};
