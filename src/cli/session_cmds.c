#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/find.h"
#include "cli/follow.h"
#include "cli/lang.h"

#define BODY_BYTES_MAX (11u << 20)

/* GET of the session; *reply is initialised. */
static int session_get(struct client *c, const char *given, char id[ID_TEXT_BYTES + 1],
                       struct http_reply *r)
{
    struct buf path;
    http_reply_init(r);
    int rc = client_find_session(c, given, id);
    if (rc)
        return rc;
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s", id);
    rc = client_call(c, "GET", path.data, NULL, r);
    buf_deinit(&path);
    return rc;
}

static int session_watch_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1];
    struct http_reply r;
    long after = 0;
    char *end = NULL;
    const char *given = args_get(a, "after");
    if (given && ((after = strtol(given, &end, 10)) < 0 || *end || !*given)) {
        client_complain(T("--after must be the number of an event"));
        return EXIT_USAGE;
    }
    int rc = session_get(c, a->words[0], id, &r);
    if (!rc) {
        struct json session = json_root(buf_str(&r.body));
        rc = follow_session(c, id, json_get(session, "node_statuses"), after);
    }
    http_reply_deinit(&r);
    return rc;
}

/* ---- moving ---- */

/* POST with a body; says `<id> <status>`. */
int session_post(struct client *c, const char *id, const char *what, struct str body)
{
    struct http_reply r;
    struct buf path;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s/%s", id, what);
    int rc = client_post(c, path.data, body, &r);
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    } else if (!rc) {
        char *status = member_text(json_root(buf_str(&r.body)), "status");
        fprintf(c->out.file, "%s %s%s%s\n", id, term_style(&c->out, status_style(str_of(status))),
                status_word(status), term_reset(&c->out));
        free(status);
    }
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* false: a word of it is no number. */
static bool budget_write(struct jw *w, const struct args *a)
{
    static const char *const options[] = {"budget-tokens", "budget-usd"};
    static const char *const keys[] = {"tokens", "cost_usd"};
    if (!args_has(a, options[0]) && !args_has(a, options[1]))
        return true;
    jw_key(w, "budget");
    jw_object(w);
    for (size_t i = 0; i < 2; i++) {
        const char *text = args_get(a, options[i]);
        double value;
        if (!text)
            continue;
        if (json_check(str_of(text), NULL, NULL) || !json_double(json_root(str_of(text)), &value)) {
            client_complain(T("--%s %s: wants a number"), options[i], text);
            return false;
        }
        jw_kv_raw(w, keys[i], str_of(text));
    }
    jw_end(w);
    return true;
}

static int session_move_command(struct client *c, const struct args *a)
{
    static const char *const options[] = {"reason", "mode", "timers", "justification"};
    const char *what = strcmp(a->command, "abort") == 0 ? "cancel" : a->command;
    char id[ID_TEXT_BYTES + 1];
    struct buf body;
    struct jw w;
    int rc = client_find_session(c, a->words[0], id);
    if (rc)
        return rc;
    buf_init(&body, BODY_BYTES_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    for (size_t i = 0; i < 4; i++)
        if (args_has(a, options[i]))
            jw_kv_stringz(&w, options[i], args_get(a, options[i]));
    rc = budget_write(&w, a) ? 0 : EXIT_USAGE;
    jw_end(&w);
    if (!rc)
        rc = session_post(c, id, what, buf_str(&body));
    if (!rc)
        hints_of_session(c, id);
    buf_deinit(&body);
    return rc;
}

static int session_delete_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1];
    struct http_reply r;
    struct buf path;
    int rc = client_find_session(c, a->words[0], id);
    if (rc)
        return rc;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s%s", id, args_has(a, "force") ? "?force=true" : "");
    rc = client_call(c, "DELETE", path.data, NULL, &r);
    if (!rc && !c->json)
        fprintf(c->out.file, T("%s deleted\n"), id);
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

/* ---- answers ---- */

int answer_data(const struct args *a, struct buf *out)
{
    const char *data = args_get(a, "data"), *comment = args_get(a, "comment");
    struct errbuf e = {{0}};
    struct json v = JSON_ABSENT;
    if (data && json_check(str_of(data), NULL, &e)) {
        client_complain("--data: %s", e.text);
        return EXIT_USAGE;
    }
    if (data)
        v = json_root(str_of(data));
    if (comment && data && (json_type(v) != JSON_OBJECT || json_exists(json_get(v, "comment")))) {
        client_complain(T("--comment goes with --data only when that is an object without one"));
        return EXIT_USAGE;
    }
    if (!comment) {
        buf_append_str(out, json_raw(v));
        return 0;
    }
    buf_append_z(out, "{\"comment\":");
    json_write_string(out, str_of(comment));
    if (json_length(v))
        buf_printf(out, ",%.*s", (int)v.n - 1, v.p + 1); /* its members and its brace */
    else
        buf_append_char(out, '}');
    return 0;
}

static int session_answer_command(struct client *c, const struct args *a)
{
    static const char *const options[] = {"reviewer", "interrupt"};
    static const char *const keys[] = {"reviewer", "interrupt_id"};
    char id[ID_TEXT_BYTES + 1];
    struct buf data, body, what;
    struct jw w;
    buf_init(&data, BODY_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&what, 1u << 20);
    int rc = answer_data(a, &data);
    if (!rc)
        rc = client_find_session(c, a->words[0], id);
    if (!rc) {
        jw_init(&w, &body);
        jw_object(&w);
        jw_kv_stringz(&w, "action", a->words[2]);
        if (data.len)
            jw_kv_raw(&w, "data", buf_str(&data));
        for (size_t i = 0; i < 2; i++)
            if (args_has(a, options[i]))
                jw_kv_stringz(&w, keys[i], args_get(a, options[i]));
        jw_end(&w);
        buf_append_z(&what, "nodes/");
        http_escape(&what, a->words[1]);
        buf_append_z(&what, "/resume");
        rc = session_post(c, id, what.data, buf_str(&body));
    }
    buf_deinit(&data);
    buf_deinit(&body);
    buf_deinit(&what);
    return rc;
}

static int session_input_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1];
    struct buf text, body;
    struct jw w;
    struct errbuf e = {{0}};
    int rc = client_find_session(c, a->words[0], id);
    if (rc)
        return rc;
    if (a->word_count == 2 && strcmp(a->words[1], "-") == 0) {
        if (file_read("-", &text, &e)) {
            client_complain("%s", e.text);
            return EXIT_USAGE;
        }
    } else {
        buf_init(&text, BODY_BYTES_MAX);
        for (int i = 1; i < a->word_count; i++)
            buf_printf(&text, "%s%s", i > 1 ? " " : "", a->words[i]);
    }
    buf_init(&body, BODY_BYTES_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_string(&w, "content", buf_str(&text));
    jw_end(&w);
    rc = session_post(c, id, "input", buf_str(&body));
    buf_deinit(&body);
    buf_deinit(&text);
    return rc;
}

/* ---- messages ---- */

static void message_print(void *data, struct json m)
{
    struct client *c = data;
    char *who = member_text(m, "agent_id"), *node = member_text(m, "node_id");
    char *role = member_text(m, "role"), *content = member_text(m, "content");
    char *thinking = member_text(m, "thinking");
    struct buf clean;
    buf_init(&clean, HTTP_REPLY_BYTES_MAX);
    fprintf(c->out.file, "%s%s%s\n", term_style(&c->out, STYLE_BOLD),
            *who    ? who
            : *node ? node
                    : role,
            term_reset(&c->out));
    text_clean(&clean, str_of(thinking), false);
    if (clean.len)
        fprintf(c->out.file, "%s%s%s\n", term_style(&c->out, STYLE_DIM), clean.data,
                term_reset(&c->out));
    buf_clear(&clean);
    text_clean(&clean, str_of(content), false);
    fprintf(c->out.file, "%s\n\n", clean.len ? clean.data : "");
    buf_deinit(&clean);
    free(thinking);
    free(who);
    free(node);
    free(role);
    free(content);
}

static int session_messages_command(struct client *c, const struct args *a)
{
    char id[ID_TEXT_BYTES + 1];
    struct buf path;
    int rc = client_find_session(c, a->words[0], id);
    if (rc)
        return rc;
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s/messages?", id);
    for (size_t i = 0; i < 2; i++) {
        static const char *const names[] = {"node", "agent"};
        if (!args_has(a, names[i]))
            continue;
        buf_printf(&path, "&%s_id=", names[i]);
        http_escape(&path, args_get(a, names[i]));
    }
    rc = client_each(c, path.data, 0, message_print, c);
    buf_deinit(&path);
    return rc;
}

/* ---- the table ---- */

static const struct option_def session_messages_options[] = {
    {"node", "ID", "only what this node said", false},
    {"agent", "ID", "only what this agent said", false},
    {0},
};

static const struct option_def watch_options[] = {
    {"after", "N", "only the events after this one", false},
    {0},
};

static const struct option_def pause_options[] = {
    {"reason", "TEXT", "why", false},
    {"mode", "MODE", "buffer (default) what the model still sends, or hold the model back", false},
    {"timers", "HOW", "freeze (default) or run", false},
    {0},
};

static const struct option_def resume_options[] = {
    {"budget-tokens", "N", "raise the session's budget to so many tokens", false},
    {"budget-usd", "X", "raise it to so many dollars", false},
    {"justification", "TEXT", "why it may go on, when a breaker has tripped", false},
    {0},
};

static const struct option_def cancel_options[] = {
    {"reason", "TEXT", "why", false},
    {0},
};

static const struct option_def session_delete_options[] = {
    {"force", NULL, "cancel it first when it is live", false},
    {0},
};

static const struct option_def answer_options[] = {
    {"data", "JSON", "what goes with the action, as {\"content\": \"…\"} with modify", false},
    {"comment", "TEXT", "a comment, as data.comment", false},
    {"reviewer", "NAME", "who answers", false},
    {"interrupt", "ID", "answer this interrupt only", false},
    {0},
};

const struct command session_commands[] = {
    {"session", "watch", "[SESSION]", "follow it, from its beginning", watch_options, 0, 1,
     session_watch_command},
    {"session", "pause", "[SESSION]", "stop it between two tokens", pause_options, 0, 1,
     session_move_command},
    {"session", "resume", "[SESSION]", "go on", resume_options, 0, 1, session_move_command},
    {"session", "cancel", "[SESSION]", "end it", cancel_options, 0, 1, session_move_command},
    {"session", "abort", "[SESSION]", "the same as cancel", cancel_options, 0, 1,
     session_move_command},
    {"session", "delete", "SESSION", "remove it with all it has", session_delete_options, 1, 1,
     session_delete_command},
    {"session", "answer", "SESSION NODE ACTION", "answer a node that waits", answer_options, 3, 3,
     session_answer_command},
    {"session", "input", "SESSION TEXT", "say something into it; - reads standard input",
     no_options, 2, ARGS_MAX, session_input_command},
    {"session", "messages", "[SESSION]", "the conversation", session_messages_options, 0, 1,
     session_messages_command},
    {0},
};
