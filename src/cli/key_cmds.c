#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/lang.h"

/* API keys, at the server. With --data or --store main.c does it on the store itself. */

/* "30d", "12h", "90m" -> the time then; false: it is none of that. */
static bool expires_read(const char *text, char out[CLOCK_RFC3339_BYTES + 1])
{
    char *end = NULL;
    long n = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
    int64_t unit = n <= 0 || n > 100000    ? 0
                   : strcmp(end, "d") == 0 ? 86400000
                   : strcmp(end, "h") == 0 ? 3600000
                   : strcmp(end, "m") == 0 ? 60000
                                           : 0;

    if (unit)
        clock_format_rfc3339(clock_wall_ms() + n * unit, out);
    return unit != 0;
}

static int key_create_command(struct client *c, const struct args *a)
{
    char expires[CLOCK_RFC3339_BYTES + 1] = "";
    struct http_reply r;
    struct buf body;
    struct jw w;

    if (!args_has(a, "name") || !args_has(a, "role")) {
        client_complain(T("--name and --role are wanted"));
        return EXIT_USAGE;
    }
    if (args_has(a, "expires") && !expires_read(args_get(a, "expires"), expires)) {
        client_complain(T("--expires wants a time as 30d, 12h or 90m"));
        return EXIT_USAGE;
    }
    buf_init(&body, 65536);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "name", args_get(a, "name"));
    jw_kv_stringz(&w, "role", args_get(a, "role"));
    if (args_has(a, "workspace"))
        jw_kv_stringz(&w, "workspace", args_get(a, "workspace"));
    if (expires[0])
        jw_kv_stringz(&w, "expires_at", expires);
    jw_end(&w);
    http_reply_init(&r);
    int rc = client_post(c, "/keys", buf_str(&body), &r);
    struct json answer = rc ? JSON_ABSENT : json_root(buf_str(&r.body));
    if (!rc && c->json) {
        fprintf(c->out.file, "%.*s\n", STR_FMT(json_raw(answer)));
    } else if (!rc) {
        char *key = member_text(answer, "key");
        fprintf(c->out.file, "%s\n", key);
        fprintf(stderr, "%s", T("This key is shown once. Keep it where only its user reads it.\n"));
        free(key);
    }
    http_reply_deinit(&r);
    buf_deinit(&body);
    return rc;
}

static void key_row(void *data, struct json row)
{
    struct grid *g = data;

    grid_member(g, row, "id", STYLE_PLAIN);
    grid_member(g, row, "name", STYLE_PLAIN);
    grid_member(g, row, "role", STYLE_PLAIN);
    grid_member(g, row, "workspace", STYLE_PLAIN);
    grid_member(g, row, "prefix", STYLE_PLAIN);
    grid_member(g, row, "status", STYLE_PLAIN);
    grid_time(g, row, "last_used_at");
    grid_time(g, row, "expires_at");
}

static int key_list_command(struct client *c, const struct args *a)
{
    static const char *const titles[] = {N_("KEY"),       N_("NAME"),   N_("ROLE"),
                                         N_("WORKSPACE"), N_("BEGINS"), N_("STATE"),
                                         N_("LAST USED"), N_("EXPIRES")};
    struct grid g;

    (void)a;
    grid_init(&g);
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        grid_column(&g, T(titles[i]), false, 0);
    int rc = client_each(c, "/keys", 0, key_row, &g);
    if (!rc && !c->json)
        grid_print(&g, &c->out);
    grid_deinit(&g);
    return rc;
}

static int key_revoke_command(struct client *c, const struct args *a)
{
    struct http_reply r;
    struct id id;
    char path[100];

    if (!id_parse(str_of(a->words[0]), &id)) {
        client_complain(T("there is no key %.60s"), a->words[0]);
        return EXIT_NOT_FOUND;
    }
    snprintf(path, sizeof(path), "/keys/%s", a->words[0]);
    http_reply_init(&r);
    int rc = client_call(c, "DELETE", path, NULL, &r);
    if (!rc && !c->json)
        fprintf(c->out.file, T("revoked %s\n"), a->words[0]);
    http_reply_deinit(&r);
    return rc;
}

/* ---- the table ---- */

static const struct option_def create_options[] = {
    {"name", "NAME", "for people", false},
    {"role", "ROLE", "viewer, operator, editor or admin", false},
    {"workspace", "W", "what it sees (one's own workspace)", false},
    {"expires", "TIME", "how long it is good, as 30d", false},
    {"data", "DIR", "on the store of this folder, without a server", false},
    {"store", "URL", "on this store, without a server", false},
    {0},
};
static const struct option_def store_options[] = {
    {"data", "DIR", "on the store of this folder, without a server", false},
    {"store", "URL", "on this store, without a server", false},
    {0},
};

const struct command key_commands[] = {
    {"key", "create", "", "a new API key, shown once", create_options, 0, 0, key_create_command},
    {"key", "list", "", "the API keys, never their texts", store_options, 0, 0, key_list_command},
    {"key", "revoke", "ID", "from now on nobody comes in with it", store_options, 1, 1,
     key_revoke_command},
    {0},
};
