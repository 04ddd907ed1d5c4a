/* Sessions that people move: the active one, how far it is, what happened in it, its end. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/lang.h"
#include "cli/stage_view.h"

#define LOG_LINE_BYTES_MAX 200

/* ---- current, switch ---- */

static void session_line(struct client *c, struct json s)
{
    char *id = member_text(s, "id"), *name = member_text(s, "name");
    char *workflow = member_text(s, "workflow_id"), *status = member_text(s, "status");
    struct buf clean;
    buf_init(&clean, 1u << 20);
    text_clean(&clean, str_of(name), true);
    fprintf(c->out.file, "%s%s%s", term_style(&c->out, STYLE_BOLD), id, term_reset(&c->out));
    if (clean.len)
        fprintf(c->out.file, " · %s", clean.data);
    fprintf(c->out.file, " · %s · %s%s%s\n", workflow,
            term_style(&c->out, status_style(str_of(status))), status_word(status),
            term_reset(&c->out));
    buf_deinit(&clean);
    free(id);
    free(name);
    free(workflow);
    free(status);
}

/* An answer of /current. */
static void current_tell(struct client *c, struct json answer)
{
    struct json session = json_get_set(answer, "session");
    if (c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(answer)));
    } else if (json_exists(session)) {
        char *id = member_text(session, "id");
        session_line(c, session);
        hints_of_session(c, id);
        free(id);
    } else {
        fprintf(c->out.file, T("no session is the active one\n"));
        hint_print(c, T("all of them"), "sluice session list");
    }
}

static int session_current_command(struct client *c, const struct args *a)
{
    bool clear = args_has(a, "clear");
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    buf_init(&path, 4096);
    current_path(&path);
    int rc = client_call(c, clear ? "DELETE" : "GET", path.data, NULL, &r);
    if (!rc && clear && !c->json)
        fprintf(c->out.file, T("no session is the active one\n"));
    else if (!rc && !clear)
        current_tell(c, json_root(buf_str(&r.body)));
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

static int session_switch_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1];
    struct http_reply r;
    int rc = client_find_session(c, a->words[0], id);
    if (rc)
        return rc;
    http_reply_init(&r);
    rc = current_put(c, id, &r);
    if (!rc)
        current_tell(c, json_root(buf_str(&r.body)));
    http_reply_deinit(&r);
    return rc;
}

/* ---- complete ---- */

/* The status system knows how: what is open is completed, and the session goes to its end. */
static int session_complete_command(struct client *c, const struct args *a)
{
    static const struct http_body body = {{"{\"status\":\"COMPLETED\"}", 22}, "application/json"};
    char id[ID_TEXT_BYTES + 1], path[80];
    struct http_reply r;
    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/status/flow-%s", id);
    rc = client_call(c, "PUT", path, &body, &r);
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    } else if (!rc) {
        fprintf(c->out.file, "%s %s%s%s\n", id, term_style(&c->out, STYLE_GREEN),
                status_word("completed"), term_reset(&c->out));
        hints_of_session(c, id);
    }
    http_reply_deinit(&r);
    return rc;
}

/* ---- progress ---- */

/* A session without stages: how many of its nodes are over. */
static int nodes_tell(struct client *c, const char *id)
{
    char path[64];
    struct http_reply r;
    struct json_iter it;
    int over = 0, all = 0;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%s", id);
    int rc = client_call(c, "GET", path, NULL, &r);
    if (!rc) {
        json_iter_init(&it, json_get(json_root(buf_str(&r.body)), "node_statuses"));
        while (json_iter_next(&it)) {
            all++;
            over += !json_string_eq(it.value, "pending") && !json_string_eq(it.value, "running") &&
                    !json_string_eq(it.value, "suspended");
        }
        fprintf(c->out.file, T("it has no stages; %d of %d nodes are over\n"), over, all);
    }
    http_reply_deinit(&r);
    return rc;
}

static void minutes_print(struct client *c, struct json progress)
{
    double minutes;
    char text[32];
    if (!json_double(json_get_set(progress, "estimated_minutes_left"), &minutes) || minutes <= 0)
        return;
    duration_format((int64_t)(minutes * 60000), text);
    fprintf(c->out.file, T("about %s of work are left\n"), text);
}

static void progress_print(struct client *c, struct json progress)
{
    double percent = 0;
    char bar[24];
    struct buf line;
    json_double(json_get(progress, "percent"), &percent);
    progress_bar(percent, bar);
    buf_init(&line, 4096);
    progress_line(progress, &line);
    fprintf(c->out.file, "[%s] %s\n", bar, line.data);
    buf_deinit(&line);
    minutes_print(c, progress);
    fputc('\n', c->out.file);
    progress_table(c, progress);
}

static int session_progress_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1], path[64];
    struct http_reply r;
    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    http_reply_init(&r);
    snprintf(path, sizeof(path), "/sessions/%s/progress", id);
    rc = client_call(c, "GET", path, NULL, &r);
    struct json progress = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    if (!rc && c->json)
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(progress)));
    else if (!rc && json_length(json_get(progress, "stages")))
        progress_print(c, progress);
    else if (!rc)
        rc = nodes_tell(c, id);
    if (!rc)
        hints_of_session(c, id);
    http_reply_deinit(&r);
    return rc;
}

/* ---- logs ---- */

/* What an event says, in a line. */
static void event_text(struct json event, struct buf *out)
{
    struct json data = json_get(event, "data");
    char *from = member_text(data, "from"), *to = member_text(data, "to");
    char *content = member_text(data, "content"), *reason = member_text(data, "reason");
    if (*to)
        buf_printf(out, "%s%s%s%s%s", status_word(from), *from ? " → " : "", status_word(to),
                   *reason ? ": " : "", reason);
    else if (*content)
        buf_append_z(out, content);
    else if (json_exists(data))
        buf_append_str(out, json_raw(data));
    free(from);
    free(to);
    free(content);
    free(reason);
}

static void event_row(void *data, struct json event)
{
    struct grid *g = data;
    struct buf text;
    if (json_string_eq(json_get(event, "type"), "token_stream"))
        return; /* the message has them all */
    buf_init(&text, 1u << 24);
    event_text(event, &text);
    grid_member(g, event, "seq", STYLE_DIM);
    grid_time(g, event, "timestamp");
    grid_member(g, event, "type", STYLE_BOLD);
    grid_member(g, event, "node_id", STYLE_PLAIN);
    grid_cell(g, buf_str(&text), STYLE_PLAIN);
    buf_deinit(&text);
}

/* The last `limit` events, or those after --after. */
static int logs_path(struct client *c, const struct args *a, const char *id, long limit,
                     struct buf *path)
{
    const char *given = args_get(a, "after");
    struct http_reply r;
    char *end = NULL, one[64];
    int64_t after = 0;
    if (given) {
        after = strtoll(given, &end, 10);
        if (*end || after < 0 || !*given) {
            client_complain(T("--after must be the number of an event"));
            return EXIT_USAGE;
        }
    } else {
        http_reply_init(&r);
        snprintf(one, sizeof(one), "/sessions/%s", id);
        int rc = client_call(c, "GET", one, NULL, &r);
        if (!rc)
            json_i64(json_get(json_root(buf_str(&r.body)), "last_seq"), &after);
        http_reply_deinit(&r);
        if (rc)
            return rc;
        after = after > limit ? after - limit : 0;
    }
    buf_printf(path, "/sessions/%s/events?after=%lld", id, (long long)after);
    if (args_has(a, "types")) {
        buf_append_z(path, "&types=");
        http_escape(path, args_get(a, "types"));
    }
    return 0;
}

static int session_logs_command(struct client *c, const struct args *a)
{
    long limit = limit_of(a, 50);
    char id[ID_TEXT_BYTES + 1];
    struct buf path;
    struct grid g;
    if (!limit)
        return EXIT_USAGE;
    int rc = client_word_session(c, a, 0, id);
    if (rc)
        return rc;
    buf_init(&path, 1u << 16);
    grid_init(&g);
    grid_column(&g, T("SEQ"), true, 0);
    grid_column(&g, T("TIME"), false, 0);
    grid_column(&g, T("EVENT"), false, 0);
    grid_column(&g, T("NODE"), false, 24);
    grid_column(&g, T("WHAT"), false, LOG_LINE_BYTES_MAX);
    rc = logs_path(c, a, id, limit, &path);
    if (!rc)
        rc = client_each(c, path.data, limit, event_row, &g);
    if (!rc && !c->json)
        grid_print(&g, &c->out);
    buf_deinit(&path);
    grid_deinit(&g);
    return rc;
}

/* ---- the table ---- */

static const struct option_def current_options[] = {
    {"clear", NULL, "no session is the active one any more", false},
    {0},
};
static const struct option_def logs_options[] = {
    {"after", "N", "only the events after this one", false},
    {"types", "TYPES", "only events of these types, with commas between", false},
    {"limit", "N", "at most so many (50)", false},
    {0},
};

const struct command live_commands[] = {
    {"session", "current", "", "the active session, that commands are about", current_options, 0, 0,
     session_current_command},
    {"session", "switch", "SESSION", "make it the active one", no_options, 1, 1,
     session_switch_command},
    {"session", "progress", "[SESSION]", "how far it is", no_options, 0, 1,
     session_progress_command},
    {"session", "logs", "[SESSION]", "what happened in it", logs_options, 0, 1,
     session_logs_command},
    {"session", "complete", "[SESSION]", "complete what is open, and the session", no_options, 0, 1,
     session_complete_command},
    {0},
};
