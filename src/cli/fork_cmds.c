#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/input.h"
#include "cli/lang.h"

#define BODY_BYTES_MAX (11u << 20)

/* New sessions that go on where others were: fork, retry. Both print the new one's id. */

static int input_write(struct client *c, const struct args *a, struct jw *w)
{
    struct buf input;
    if (!args_has(a, "input") && !args_has(a, "input-json"))
        return 0;
    buf_init(&input, BODY_BYTES_MAX);
    int rc = input_build(c, a, JSON_ABSENT, &input);
    if (!rc)
        jw_kv_raw(w, "input", buf_str(&input));
    buf_deinit(&input);
    return rc;
}

static int point_write(const struct args *a, struct jw *w)
{
    const char *after = args_get(a, "after"), *node = args_get(a, "node");
    char *end = NULL;
    if (node)
        jw_kv_stringz(w, "node_id", node);
    if (!after)
        return 0;
    long long seq = strtoll(after, &end, 10);
    if (*end || seq < 1) {
        client_complain(T("--after wants the number of an event, not \"%.80s\""), after);
        return EXIT_USAGE;
    }
    jw_kv_i64(w, "after_seq", seq);
    return 0;
}

static int session_fork_command(struct client *c, const struct args *a)
{
    bool is_fork = strcmp(a->command, "fork") == 0;
    char id[ID_TEXT_BYTES + 1];
    struct http_reply r;
    struct buf path, body;
    struct jw w;
    if (is_fork && args_has(a, "after") == args_has(a, "node")) {
        client_complain(T("a fork needs either --after or --node"));
        return EXIT_USAGE;
    }
    int rc = client_find_session(c, a->words[0], id);
    if (rc)
        return rc;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_init(&body, BODY_BYTES_MAX);
    buf_printf(&path, "/sessions/%s/%s", id, a->command);
    jw_init(&w, &body);
    jw_object(&w);
    rc = point_write(a, &w);
    if (!rc)
        rc = input_write(c, a, &w);
    if (!rc)
        rc = pairs_write(a, "var", "vars", true, &w);
    jw_end(&w);
    if (!rc)
        rc = client_post(c, path.data, buf_str(&body), &r);
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(json_root(buf_str(&r.body)))));
    } else if (!rc) {
        char *made = member_text(json_root(buf_str(&r.body)), "session_id");
        fprintf(c->out.file, "%s\n", made);
        free(made);
    }
    buf_deinit(&path);
    buf_deinit(&body);
    http_reply_deinit(&r);
    return rc;
}

/* ---- the table ---- */

static const struct option_def fork_options[] = {
    {"after", "N", "go on from after this event", false},
    {"node", "NODE", "go on from before this node was started last", false},
    {"input", "KEY=VALUE", "another input: one member of it; may be repeated", true},
    {"input-json", "FILE", "another input as JSON; - is standard input", false},
    {"var", "NAME=VALUE", "another value of a variable; may be repeated", true},
    {0},
};

static const struct option_def retry_options[] = {
    {"node", "NODE", "the node to begin again with; else the one that failed", false},
    {0},
};

const struct command fork_commands[] = {
    {"session", "fork", "[SESSION]", "a new session that goes on from a point of this one",
     fork_options, 0, 1, session_fork_command},
    {"session", "retry", "[SESSION]", "a new session that goes on from the failed node",
     retry_options, 0, 1, session_fork_command},
    {0},
};
