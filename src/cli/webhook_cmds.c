#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"

#define BODY_BYTES_MAX (1u << 20)

/* Programs that are told of events, and sessions as entries of a status system. */

static void columns(struct grid *g, const char *const *titles)
{
    grid_init(g);
    for (; *titles; titles++)
        grid_column(g, T(*titles), false, 0);
}

static int grid_finish(struct client *c, struct grid *g, int rc, const char *none)
{
    if (!rc && !c->json && !g->cell_count)
        fprintf(c->out.file, "%s", none);
    else if (!rc && !c->json)
        grid_print(g, &c->out);
    grid_deinit(g);
    return rc;
}

static void line(struct client *c, const char *label, struct json o, const char *key)
{
    char *text = member_text(o, key);
    struct buf clean;
    buf_init(&clean, BODY_BYTES_MAX);
    text_clean(&clean, str_of(text), false);
    line_label(c, label, 18, STYLE_DIM);
    fprintf(c->out.file, "%s\n", clean.data ? clean.data : "");
    buf_deinit(&clean);
    free(text);
}

/* The path of a webhook, found as a person names it. */
static int webhook_path(struct client *c, const char *given, const char *what, struct buf *path)
{
    char id[ID_TEXT_BYTES + 1];
    buf_init(path, 4096);
    int rc = client_find_webhook(c, given, id);
    if (!rc)
        buf_printf(path, "/webhooks/%s%s", id, what);
    return rc;
}

/* ---- list, show ---- */

static void webhook_row(void *data, struct json row)
{
    struct grid *g = data;
    bool enabled = true;
    json_bool(json_get(row, "enabled"), &enabled);
    grid_member(g, row, "id", STYLE_PLAIN);
    grid_member(g, row, "name", STYLE_PLAIN);
    grid_member(g, row, "url", STYLE_PLAIN);
    if (!enabled)
        grid_cellz(g, T("off"), STYLE_YELLOW);
    else if (json_exists(json_get_set(row, "failing_since")))
        grid_cellz(g, T("failing"), STYLE_RED);
    else
        grid_cellz(g, T("on"), STYLE_GREEN);
    grid_member(g, row, "sessions_behind", STYLE_PLAIN);
}

static int webhook_list_command(struct client *c, const struct args *a)
{
    static const char *const titles[] = {N_("WEBHOOK"), N_("NAME"),   N_("URL"),
                                         N_("STATE"),   N_("BEHIND"), NULL};
    struct grid g;
    (void)a;
    columns(&g, titles);
    int rc = client_each(c, "/webhooks", 0, webhook_row, &g);
    return grid_finish(c, &g, rc, T("no webhooks\n"));
}

static void webhook_tell(struct client *c, struct http_reply *r)
{
    struct json o = json_root(buf_str(&r->body));
    if (c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(o)));
        return;
    }
    line(c, T("webhook"), o, "id");
    line(c, T("name"), o, "name");
    line(c, T("url"), o, "url");
    line(c, T("events"), o, "events");
    line(c, T("filter"), o, "filter");
    line(c, T("enabled"), o, "enabled");
    if (json_exists(json_get_set(o, "disabled_reason")))
        line(c, T("disabled because"), o, "disabled_reason");
    line(c, T("sessions behind"), o, "sessions_behind");
    if (json_exists(json_get_set(o, "failing_since")))
        line(c, T("failing since"), o, "failing_since");
    if (json_exists(json_get_set(o, "secret"))) {
        line(c, T("secret"), o, "secret");
        fprintf(c->out.file, "%s", T("Keep the secret: it is told this once.\n"));
    }
}

/* One request about a webhook whose answer is printed by tell(), or as JSON. */
static int webhook_call(struct client *c, const char *given, const char *method, const char *what,
                        struct buf *body, void (*tell)(struct client *c, struct http_reply *r))
{
    struct http_body b = {body ? buf_str(body) : STR("{}"), "application/json"};
    bool bare = !body && strcmp(method, "POST") != 0;
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    int rc = webhook_path(c, given, what, &path);
    if (!rc)
        rc = client_call(c, method, path.data, bare ? NULL : &b, &r);
    if (!rc && tell)
        tell(c, &r);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static int webhook_show_command(struct client *c, const struct args *a)
{
    return webhook_call(c, a->words[0], "GET", "", NULL, webhook_tell);
}

/* ---- create, update, delete ---- */

static void events_write(struct jw *w, const char *list)
{
    jw_key(w, "events");
    jw_array(w);
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n)
            jw_string(w, (struct str){list, n});
        list += n + (list[n] == ',');
    }
    jw_end(w);
}

/* 0, or the exit code after telling. */
static int body_write(const struct args *a, struct jw *w)
{
    static const char *const texts[] = {"name", "secret", "url"};
    struct errbuf e;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (args_has(a, texts[i]))
            jw_kv_stringz(w, texts[i], args_get(a, texts[i]));
    if (args_has(a, "events"))
        events_write(w, args_get(a, "events"));
    if (args_has(a, "on") || args_has(a, "off"))
        jw_kv_bool(w, "enabled", args_has(a, "on"));
    if (args_has(a, "filter")) {
        const char *filter = args_get(a, "filter");
        if (json_check(str_of(filter), NULL, &e)) {
            client_complain("%s", T("--filter wants a JSON object"));
            return EXIT_USAGE;
        }
        jw_kv_raw(w, "filter", json_raw(json_root(str_of(filter))));
    }
    return 0;
}

static int webhook_create_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct buf body;
    struct jw w;
    buf_init(&body, BODY_BYTES_MAX);
    http_reply_init(&r);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "url", a->words[0]);
    int rc = body_write(a, &w);
    jw_end(&w);
    if (!rc)
        rc = client_post(c, "/webhooks", buf_str(&body), &r);
    if (!rc)
        webhook_tell(c, &r);
    buf_deinit(&body);
    http_reply_deinit(&r);
    return rc;
}

static int webhook_update_command(struct client *c, const struct args *a)
{
    struct buf body;
    struct jw w;
    buf_init(&body, BODY_BYTES_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    int rc = body_write(a, &w);
    jw_end(&w);
    if (!rc)
        rc = webhook_call(c, a->words[0], "PATCH", "", &body, webhook_tell);
    buf_deinit(&body);
    return rc;
}

static int webhook_delete_command(struct client *c, const struct args *a)
{
    int rc = webhook_call(c, a->words[0], "DELETE", "", NULL, NULL);
    if (!rc && !c->json)
        fprintf(c->out.file, T("%s deleted\n"), a->words[0]);
    return rc;
}

/* ---- deliveries ---- */

static void delivery_row(void *data, struct json row)
{
    struct grid *g = data;
    grid_member(g, row, "id", STYLE_PLAIN);
    grid_time(g, row, "updated_at");
    grid_member(g, row, "session_id", STYLE_PLAIN);
    grid_member(g, row, "seq", STYLE_PLAIN);
    grid_member(g, row, "type", STYLE_PLAIN);
    grid_status(g, row);
    grid_member(g, row, "attempts", STYLE_PLAIN);
    grid_member(g, row, "error", STYLE_RED);
}

static int webhook_deliveries_command(struct client *c, const struct args *a)
{
    static const char *const titles[] = {N_("DELIVERY"), N_("WHEN"),  N_("SESSION"),
                                         N_("SEQ"),      N_("TYPE"),  N_("STATUS"),
                                         N_("ATTEMPTS"), N_("ERROR"), NULL};
    char id[ID_TEXT_BYTES + 1];
    long limit = limit_of(a, 50);
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    columns(&g, titles);
    int rc = webhook_path(c, a->words[0], "/deliveries?", &path);
    if (!rc && args_has(a, "status")) {
        buf_append_z(&path, "&status=");
        http_escape(&path, args_get(a, "status"));
    }
    if (!rc && args_has(a, "session") && !(rc = client_option_session(c, a, id)))
        buf_printf(&path, "&session_id=%s", id);
    if (!rc)
        rc = client_each(c, path.data, limit, delivery_row, &g);
    buf_deinit(&path);
    return grid_finish(c, &g, rc, T("no deliveries\n"));
}

static void outcome_tell(struct client *c, struct http_reply *r)
{
    struct json o = json_root(buf_str(&r->body));
    bool delivered = false;
    char *error = member_text(o, "error");
    json_bool(json_get(o, "delivered"), &delivered);
    if (c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(o)));
    else if (delivered)
        fprintf(c->out.file, "%s", T("delivered\n"));
    else
        fprintf(c->out.file, T("not delivered: %s\n"), error);
    free(error);
}

static int webhook_test_command(struct client *c, const struct args *a)
{
    return webhook_call(c, a->words[0], "POST", "/test", NULL, outcome_tell);
}

static void replay_tell(struct client *c, struct http_reply *r)
{
    if (c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r->body)))));
    else
        fprintf(c->out.file, "%s", T("the events are on their way\n"));
}

static int webhook_replay_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1], what[120];
    struct id delivery;
    struct buf body;
    if (args_has(a, "delivery")) {
        if (!id_parse(str_of(args_get(a, "delivery")), &delivery)) {
            client_complain("%s", T("--delivery wants an id of a delivery"));
            return EXIT_USAGE;
        }
        snprintf(what, sizeof(what), "/deliveries/%.36s/replay", args_get(a, "delivery"));
        return webhook_call(c, a->words[0], "POST", what, NULL, outcome_tell);
    }
    int rc = client_option_session(c, a, id);
    if (rc)
        return rc;
    buf_init(&body, 4096);
    buf_printf(&body, "{\"session_id\":\"%s\",\"after\":%ld}", id,
               args_has(a, "after") ? strtol(args_get(a, "after"), NULL, 10) : 0);
    rc = webhook_call(c, a->words[0], "POST", "/replay", &body, replay_tell);
    buf_deinit(&body);
    return rc;
}

/* ---- the status system ---- */

static void status_row(void *data, struct json row)
{
    struct grid *g = data;
    grid_member(g, row, "id", STYLE_PLAIN);
    grid_member(g, row, "name", STYLE_PLAIN);
    grid_status(g, row);
    grid_member(g, row, "progress", STYLE_PLAIN);
    grid_member(g, json_get(row, "current_stage"), "name", STYLE_PLAIN);
    grid_time(g, row, "updated_at");
}

static int status_list_command(struct client *c, const struct args *a)
{
    static const char *const titles[] = {N_("ENTRY"), N_("NAME"),    N_("STATUS"), N_("PERCENT"),
                                         N_("STAGE"), N_("UPDATED"), NULL};
    long limit = limit_of(a, 50);
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    buf_init(&path, 4096);
    buf_append_z(&path, "/status?");
    if (args_has(a, "status")) {
        buf_append_z(&path, "status=");
        http_escape(&path, args_get(a, "status"));
    }
    columns(&g, titles);
    int rc = client_each(c, path.data, limit, status_row, &g);
    buf_deinit(&path);
    return grid_finish(c, &g, rc, T("no entries\n"));
}

static void entry_tell(struct client *c, struct http_reply *r)
{
    struct json o = json_root(buf_str(&r->body));
    if (c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(o)));
        return;
    }
    line(c, T("entry"), o, "id");
    line(c, T("name"), o, "name");
    line(c, T("status"), o, "status");
    line(c, T("percent"), o, "progress");
    if (json_exists(json_get_set(o, "current_stage")))
        line(c, T("stage"), json_get(o, "current_stage"), "name");
    line(c, T("updated"), o, "updated_at");
}

/* `flow-<id>`, or a session as a person names it. */
static int entry_call(struct client *c, const char *given, const char *method, struct buf *body)
{
    const char *word = given && strncmp(given, "flow-", 5) == 0 ? given + 5 : given;
    struct http_body b = {body ? buf_str(body) : STR_NULL, "application/json"};
    char id[ID_TEXT_BYTES + 1], path[64];
    struct http_reply r;
    http_reply_init(&r);
    int rc = client_find_session(c, word, id);
    if (!rc) {
        snprintf(path, sizeof(path), "/status/flow-%s", id);
        rc = client_call(c, method, path, body ? &b : NULL, &r);
    }
    if (!rc)
        entry_tell(c, &r);
    http_reply_deinit(&r);
    return rc;
}

static int status_show_command(struct client *c, const struct args *a)
{
    return entry_call(c, a->word_count ? a->words[0] : NULL, "GET", NULL);
}

static int status_set_command(struct client *c, const struct args *a)
{
    struct buf body;
    struct jw w;
    buf_init(&body, BODY_BYTES_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "status", a->words[1]);
    if (args_has(a, "note"))
        jw_kv_stringz(&w, "note", args_get(a, "note"));
    jw_end(&w);
    int rc = entry_call(c, a->words[0], "PUT", &body);
    buf_deinit(&body);
    return rc;
}

/* ---- the table ---- */

static const struct option_def create_options[] = {
    {"name", "NAME", "what people call it", false},
    {"events", "TYPES", "types with commas between; none: all but token_stream", false},
    {"filter", "JSON", "workflow_id, group_id, session_id, status, metadata", false},
    {"secret", "SECRET", "what requests are signed with; else one is made", false},
    {"off", NULL, "nothing is told yet", false},
    {0},
};
static const struct option_def update_options[] = {
    {"url", "URL", "another address", false},
    {"name", "NAME", "what people call it", false},
    {"events", "TYPES", "types with commas between; none: all but token_stream", false},
    {"filter", "JSON", "workflow_id, group_id, session_id, status, metadata", false},
    {"secret", "SECRET", "another secret", false},
    {"on", NULL, "go on where it stopped", false},
    {"off", NULL, "tell it nothing for now", false},
    {0},
};
static const struct option_def delivery_options[] = {
    {"status", "WORD", "only those: delivered or failed", false},
    {"session", "SESSION", "only this session's", false},
    {"limit", "N", "at most so many (50)", false},
    {0},
};
static const struct option_def replay_options[] = {
    {"session", "SESSION", "this session's events", false},
    {"after", "SEQ", "from the one after this (all of them)", false},
    {"delivery", "ID", "this delivery alone", false},
    {0},
};
static const struct option_def status_list_options[] = {
    {"status", "STATUS", "PENDING, IN_PROGRESS, ON_HOLD, COMPLETED, FAILED or CANCELED", false},
    {"limit", "N", "at most so many (50)", false},
    {0},
};
static const struct option_def status_set_options[] = {
    {"note", "TEXT", "why", false},
    {0},
};

const struct command webhook_commands[] = {
    {"webhook", "list", "", "programs that are told of events", no_options, 0, 0,
     webhook_list_command},
    {"webhook", "show", "WEBHOOK", "what it is told, and how that goes", no_options, 1, 1,
     webhook_show_command},
    {"webhook", "create", "URL", "tell this address of events from now on", create_options, 1, 1,
     webhook_create_command},
    {"webhook", "update", "WEBHOOK", "change what the options name", update_options, 1, 1,
     webhook_update_command},
    {"webhook", "delete", "WEBHOOK", "tell it nothing any more", no_options, 1, 1,
     webhook_delete_command},
    {"webhook", "deliveries", "WEBHOOK", "what became of the newest ones", delivery_options, 1, 1,
     webhook_deliveries_command},
    {"webhook", "replay", "WEBHOOK", "tell it once more", replay_options, 1, 1,
     webhook_replay_command},
    {"webhook", "test", "WEBHOOK", "send it an event to try it out", no_options, 1, 1,
     webhook_test_command},
    {"status", "list", "", "sessions as a status system sees them", status_list_options, 0, 0,
     status_list_command},
    {"status", "show", "[SESSION]", "one of them", no_options, 0, 1, status_show_command},
    {"status", "set", "SESSION STATUS", "drive the session by its status", status_set_options, 2, 2,
     status_set_command},
    {0},
};
