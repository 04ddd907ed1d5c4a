#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"

#define BODY_BYTES_MAX (1u << 20)

/* Workflows that start by the clock, and the log of who did what. */

static void cell_member(struct grid *g, struct json row, const char *key)
{
    char *text = member_text(row, key);
    grid_cellz(g, text, STYLE_PLAIN);
    free(text);
}

static void columns(struct grid *g, const char *const *titles)
{
    grid_init(g);
    for (; *titles; titles++)
        grid_column(g, T(*titles), false, 0);
}

/* The path of a schedule, found as a person names it. */
static int schedule_path(struct client *c, const char *given, const char *what, struct buf *path)
{
    char id[ID_TEXT_BYTES + 1];
    buf_init(path, 4096);
    int rc = client_find_schedule(c, given, id);
    if (!rc)
        buf_printf(path, "/schedules/%s%s", id, what);
    return rc;
}

/* ---- list, show ---- */

static void schedule_row(void *data, struct json row)
{
    struct grid *g = data;
    bool enabled = true;
    json_bool(json_get(row, "enabled"), &enabled);
    cell_member(g, row, "id");
    cell_member(g, row, "name");
    cell_member(g, row, "workflow_id");
    cell_member(g, row, "cron");
    cell_member(g, row, "time_zone");
    if (enabled)
        grid_time(g, row, "next_at");
    else
        grid_cellz(g, T("off"), STYLE_YELLOW);
    if (json_exists(json_get_set(row, "last_error")))
        grid_cellz(g, T("failed"), STYLE_RED);
    else
        grid_time(g, row, "last_at");
}

static int schedule_list_command(struct client *c, const struct args *a)
{
    static const char *const titles[] = {N_("SCHEDULE"), N_("NAME"), N_("WORKFLOW"), N_("CRON"),
                                         N_("ZONE"),     N_("NEXT"), N_("LAST"),     NULL};
    struct grid g;
    (void)a;
    columns(&g, titles);
    int rc = client_each(c, "/schedules", 0, schedule_row, &g);
    if (!rc && !c->json && !g.cell_count)
        fprintf(c->out.file, T("no schedules\n"));
    else if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    return rc;
}

static void line(struct client *c, const char *label, struct json o, const char *key)
{
    char *text = member_text(o, key);
    struct buf clean;
    buf_init(&clean, BODY_BYTES_MAX);
    text_clean(&clean, str_of(text), false);
    line_label(c, label, 16, STYLE_DIM);
    fprintf(c->out.file, "%s\n", clean.data ? clean.data : "");
    buf_deinit(&clean);
    free(text);
}

static void schedule_print(struct client *c, struct json o)
{
    struct json error = json_get_set(o, "last_error");
    line(c, T("schedule"), o, "id");
    line(c, T("name"), o, "name");
    line(c, T("workflow"), o, "workflow_id");
    line(c, T("cron"), o, "cron");
    line(c, T("time zone"), o, "time_zone");
    line(c, T("input"), o, "input");
    line(c, T("missed times"), o, "missed");
    line(c, T("overlap"), o, "overlap");
    line(c, T("enabled"), o, "enabled");
    line(c, T("next"), o, "next_at");
    line(c, T("last"), o, "last_at");
    line(c, T("last session"), o, "last_session_id");
    if (json_exists(error))
        line(c, T("last error"), error, "message");
}

/* An answer that is a schedule. */
static void schedule_tell(struct client *c, struct http_reply *r)
{
    struct json o = json_root(buf_str(&r->body));
    if (c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(o)));
    else
        schedule_print(c, o);
}

static int schedule_show_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    int rc = schedule_path(c, a->words[0], "", &path);
    if (!rc)
        rc = client_call(c, "GET", path.data, NULL, &r);
    if (!rc)
        schedule_tell(c, &r);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* ---- create, update ---- */

static int body_write(const struct args *a, struct jw *w)
{
    static const char *const texts[][2] = {{"name", "name"},     {"workflow", "workflow_id"},
                                           {"cron", "cron"},     {"zone", "time_zone"},
                                           {"missed", "missed"}, {"overlap", "overlap"}};
    const char *input = args_get(a, "input");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (args_has(a, texts[i][0]))
            jw_kv_stringz(w, texts[i][1], args_get(a, texts[i][0]));
    if (args_has(a, "off") || args_has(a, "on"))
        jw_kv_bool(w, "enabled", args_has(a, "on"));
    if (!input)
        return 0;
    if (json_check(str_of(input), NULL, NULL) ||
        json_type(json_root(str_of(input))) != JSON_OBJECT) {
        client_complain(T("--input wants a JSON object"));
        return EXIT_USAGE;
    }
    jw_kv_raw(w, "input", json_raw(json_root(str_of(input))));
    return 0;
}

static int schedule_send(struct client *c, const char *method, const char *path, struct buf *body)
{
    struct http_body b = {buf_str(body), "application/json"};
    struct http_reply r;
    http_reply_init(&r);
    int rc = client_call(c, method, path, &b, &r);
    if (!rc)
        schedule_tell(c, &r);
    http_reply_deinit(&r);
    return rc;
}

static int schedule_create_command(struct client *c, const struct args *a)
{
    struct buf body, id;
    struct jw w;
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&id, 4096);
    int rc = client_find_workflow(c, a->words[0], &id);
    if (!rc) {
        jw_init(&w, &body);
        jw_object(&w);
        jw_kv_string(&w, "workflow_id", buf_str(&id));
        jw_kv_stringz(&w, "cron", a->words[1]);
        rc = body_write(a, &w);
        jw_end(&w);
    }
    if (!rc)
        rc = schedule_send(c, "POST", "/schedules", &body);
    buf_deinit(&body);
    buf_deinit(&id);
    return rc;
}

static int schedule_update_command(struct client *c, const struct args *a)
{
    struct buf body, path;
    struct jw w;
    buf_init(&body, BODY_BYTES_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    int rc = body_write(a, &w);
    jw_end(&w);
    buf_init(&path, 16);
    if (!rc) {
        buf_deinit(&path);
        rc = schedule_path(c, a->words[0], "", &path);
    }
    if (!rc)
        rc = schedule_send(c, "PATCH", path.data, &body);
    buf_deinit(&body);
    buf_deinit(&path);
    return rc;
}

/* ---- delete, run ---- */

static int schedule_delete_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    int rc = schedule_path(c, a->words[0], "", &path);
    if (!rc)
        rc = client_call(c, "DELETE", path.data, NULL, &r);
    if (!rc && !c->json)
        fprintf(c->out.file, T("%s deleted\n"), a->words[0]);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static int schedule_run_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    int rc = schedule_path(c, a->words[0], "/run", &path);
    if (!rc)
        rc = client_post(c, path.data, STR("{}"), &r);
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    } else if (!rc) {
        char *id = member_text(json_root(buf_str(&r.body)), "session_id");
        fprintf(c->out.file, "%s\n", id);
        free(id);
    }
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* ---- audit ---- */

static void audit_row(void *data, struct json row)
{
    struct grid *g = data;
    char *session = member_text(row, "session_id"), *object = member_text(row, "object");
    char *code = member_text(row, "code");
    grid_time(g, row, "at");
    cell_member(g, row, "actor");
    cell_member(g, row, "role");
    cell_member(g, row, "action");
    grid_cellz(g, *session ? session : object, STYLE_PLAIN);
    cell_member(g, row, "remote");
    if (*code)
        grid_cellz(g, code, STYLE_RED);
    else
        cell_member(g, row, "status");
    free(session);
    free(object);
    free(code);
}

static int audit_path(struct client *c, const struct args *a, struct buf *path)
{
    static const char *const filters[] = {"actor", "action", "object"};
    char id[ID_TEXT_BYTES + 1];
    buf_append_z(path, "/audit?");
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (!args_has(a, filters[i]))
            continue;
        buf_printf(path, "&%s=", filters[i]);
        http_escape(path, args_get(a, filters[i]));
    }
    if (!args_has(a, "session"))
        return 0;
    int rc = client_find_session(c, args_get(a, "session"), id);
    if (!rc)
        buf_printf(path, "&session_id=%s", id);
    return rc;
}

static int audit_command(struct client *c, const struct args *a)
{
    static const char *const titles[] = {N_("WHEN"),  N_("WHO"),  N_("ROLE"),    N_("ACTION"),
                                         N_("ABOUT"), N_("FROM"), N_("OUTCOME"), NULL};
    long limit = limit_of(a, 50);
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    buf_init(&path, 1u << 16);
    columns(&g, titles);
    int rc = audit_path(c, a, &path);
    if (!rc)
        rc = client_each(c, path.data, limit, audit_row, &g);
    if (!rc && !c->json && !g.cell_count)
        fprintf(c->out.file, T("no entries\n"));
    else if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    buf_deinit(&path);
    return rc;
}

/* ---- the table ---- */

static const struct option_def create_options[] = {
    {"zone", "ZONE", "time zone, as Europe/Berlin (UTC)", false},
    {"name", "NAME", "of the schedule and its sessions", false},
    {"input", "JSON", "what each session gets", false},
    {"missed", "WORD", "times while no server ran: skip, once or all", false},
    {"overlap", "WORD", "when the last session runs still: allow, skip or cancel", false},
    {"off", NULL, "no times come", false},
    {0},
};
static const struct option_def update_options[] = {
    {"workflow", "ID", "another workflow", false},
    {"cron", "CRON", "other times", false},
    {"zone", "ZONE", "time zone, as Europe/Berlin (UTC)", false},
    {"name", "NAME", "of the schedule and its sessions", false},
    {"input", "JSON", "what each session gets", false},
    {"missed", "WORD", "times while no server ran: skip, once or all", false},
    {"overlap", "WORD", "when the last session runs still: allow, skip or cancel", false},
    {"on", NULL, "times come again", false},
    {"off", NULL, "no times come", false},
    {0},
};
static const struct option_def audit_options[] = {
    {"actor", "NAME", "only what this key's or token's owner asked for", false},
    {"action", "ACTION", "only this action, as pause", false},
    {"object", "ID", "only what was about this", false},
    {"session", "SESSION", "only what was about this session", false},
    {"limit", "N", "at most so many (50)", false},
    {0},
};

const struct command schedule_commands[] = {
    {"schedule", "list", "", "workflows that start by the clock", no_options, 0, 0,
     schedule_list_command},
    {"schedule", "show", "SCHEDULE", "its times, and how the last one went", no_options, 1, 1,
     schedule_show_command},
    {"schedule", "create", "WORKFLOW CRON", "start a workflow at these times", create_options, 2, 2,
     schedule_create_command},
    {"schedule", "update", "SCHEDULE", "change what the options name", update_options, 1, 1,
     schedule_update_command},
    {"schedule", "delete", "SCHEDULE", "remove it; its sessions stay", no_options, 1, 1,
     schedule_delete_command},
    {"schedule", "run", "SCHEDULE", "start its workflow now, beside its times", no_options, 1, 1,
     schedule_run_command},
    {NULL, "audit", "", "who asked for what, the newest first", audit_options, 0, 0, audit_command},
    {0},
};
