#include "app/key_cmds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "app/config.h"
#include "app/keys.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/keys.h"

#define EXIT_FAILED    1
#define EXIT_USAGE     2
#define EXIT_NOT_FOUND 3

static const char help[] =
    "usage: sluice key create --name NAME --role viewer|operator|editor|admin [--workspace W]\n"
    "                         [--expires 30d] [--json]   --data DIR | --store URL\n"
    "       sluice key list   [--json]                    --data DIR | --store URL\n"
    "       sluice key revoke ID                          --data DIR | --store URL\n\n"
    "Works on the store itself: with SQLite no server may run on DIR. Without --data and --store "
    "it\n"
    "asks the server, with a key of an admin. The key is printed once, and is nowhere "
    "afterwards.\n";

bool key_is_offline(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "--data", 6) == 0 || strncmp(argv[i], "--store", 7) == 0)
            return true;
    return false;
}

/* ---- what is wanted ---- */

struct key_args {
    const char *what, *name, *role, *workspace, *expires, *id;
    bool json, help;
    char *rest[32]; /* the settings' */
    int rest_count;
};

/* --name VALUE or --name=VALUE */
static bool takes(int argc, char **argv, int *i, const char *name, const char **out)
{
    size_t n = strlen(name);
    const char *arg = argv[*i];

    if (strncmp(arg, name, n) != 0 || (arg[n] != '=' && (arg[n] || *i + 1 >= argc)))
        return false;
    *out = arg[n] == '=' ? arg + n + 1 : argv[++*i];
    return true;
}

static bool key_args_read(struct key_args *a, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            a->json = true;
        else if (strcmp(argv[i], "--help") == 0)
            a->help = true;
        else if (takes(argc, argv, &i, "--name", &a->name) ||
                 takes(argc, argv, &i, "--role", &a->role) ||
                 takes(argc, argv, &i, "--workspace", &a->workspace) ||
                 takes(argc, argv, &i, "--expires", &a->expires))
            continue;
        else if (argv[i][0] != '-' && !a->what)
            a->what = argv[i];
        else if (argv[i][0] != '-' && !a->id)
            a->id = argv[i];
        else if (a->rest_count + 2 > (int)(sizeof(a->rest) / sizeof(a->rest[0])))
            return false;
        else {
            a->rest[a->rest_count++] = argv[i];
            if (!strchr(argv[i], '=') && i + 1 < argc)
                a->rest[a->rest_count++] = argv[++i];
        }
    }
    return true;
}

/* "30d", "12h", "90m": how long from now; 0: it is none of that. */
static int64_t key_expires_ms(const char *text)
{
    char *end = NULL;
    long n = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
    int64_t unit = n <= 0 || n > 100000    ? 0
                   : strcmp(end, "d") == 0 ? 86400000
                   : strcmp(end, "h") == 0 ? 3600000
                   : strcmp(end, "m") == 0 ? 60000
                                           : 0;

    return n * unit;
}

/* ---- the store ---- */

struct offline {
    uv_loop_t loop;
    struct store *store;
    const struct key_args *args;
    bool done;
};

static void offline_done(struct store_req *r)
{
    ((struct offline *)r->data)->done = true;
}

static int offline_run(struct offline *o, struct store_req *r)
{
    o->done = false;
    store_submit(o->store, r);
    while (!o->done)
        uv_run(&o->loop, UV_RUN_ONCE);
    return r->status;
}

static int key_create(struct offline *o, struct errbuf *e)
{
    const struct key_args *a = o->args;
    struct store_key_write w = {.kind = KEY_PUT};
    int64_t now = clock_wall_ms();
    char text[KEY_TEXT_BYTES + 1], id[ID_TEXT_BYTES + 1];
    struct id_source ids;

    store_req_init(&w.req, STORE_KEY_WRITE, offline_done, o);
    id_source_init_random(&ids);
    w.row = (struct key_row){.id = id_new(&ids, (uint64_t)now),
                             .workspace = str_of(a->workspace ? a->workspace : "default"),
                             .name = str_of(a->name),
                             .role = str_of(a->role),
                             .created_at = now,
                             .expires_at = a->expires ? now + key_expires_ms(a->expires) : 0};
    key_make(&w.req.arena, text, &w.row);
    int rc = offline_run(o, &w.req);
    id_format(w.row.id, id);
    if (rc)
        *e = w.req.error;
    else if (a->json)
        printf("{\"id\":\"%s\",\"key\":\"%s\"}\n", id, text);
    else
        printf("%s\n", text);
    store_req_deinit(&w.req);
    explicit_bzero(text, sizeof(text));
    return rc;
}

static void row_print(const struct key_row *row, bool json, bool first)
{
    char id[ID_TEXT_BYTES + 1];
    struct buf b;
    struct jw w;

    id_format(row->id, id);
    if (!json) {
        printf("%s  %-8.*s  %-12.*s  %.*s…  %.*s%s\n", id, STR_FMT(row->role),
               STR_FMT(row->workspace), STR_FMT(row->prefix), STR_FMT(row->name),
               row->revoked_at ? "  (revoked)" : "");
        return;
    }
    buf_init(&b, 65536);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "id", id);
    jw_kv_string(&w, "name", row->name);
    jw_kv_string(&w, "role", row->role);
    jw_kv_string(&w, "workspace", row->workspace);
    jw_kv_string(&w, "prefix", row->prefix);
    jw_kv_time(&w, "expires_at", row->expires_at);
    jw_kv_time(&w, "revoked_at", row->revoked_at);
    jw_end(&w);
    printf("%s%.*s", first ? "" : ",", STR_FMT(buf_str(&b)));
    buf_deinit(&b);
}

static int key_list(struct offline *o, struct errbuf *e)
{
    struct store_key_list l = {.rows = NULL};

    store_req_init(&l.req, STORE_KEY_LIST, offline_done, o);
    int rc = offline_run(o, &l.req);
    if (rc)
        *e = l.req.error;
    if (rc == 0 && o->args->json)
        printf("[");
    for (const struct key_row *row = rc ? NULL : l.rows; row; row = row->next)
        row_print(row, o->args->json, row == l.rows);
    if (rc == 0 && o->args->json)
        printf("]\n");
    store_req_deinit(&l.req);
    return rc;
}

static int key_revoke(struct offline *o, struct errbuf *e)
{
    struct store_key_write w = {.kind = KEY_REVOKE, .at = clock_wall_ms()};

    store_req_init(&w.req, STORE_KEY_WRITE, offline_done, o);
    int rc = id_parse(str_of(o->args->id), &w.id) ? offline_run(o, &w.req) : ERR_NOT_FOUND;
    if (rc)
        err_set(e, rc, "%s", w.req.error.text[0] ? w.req.error.text : "there is no such key");
    store_req_deinit(&w.req);
    return rc;
}

static void offline_closed(void *data)
{
    ((struct offline *)data)->done = true;
}

static int key_on_store(const struct config *c, const struct key_args *a, struct errbuf *e)
{
    struct offline o = {.args = a};
    int rc;

    uv_loop_init(&o.loop);
    rc = c->store ? pg_store_open(&o.store, &o.loop, c->store, 0, c->migrate, e)
                  : sqlite_store_open(&o.store, &o.loop, c->data, c->migrate, e);
    if (rc == 0) {
        rc = strcmp(a->what, "create") == 0 ? key_create(&o, e)
             : strcmp(a->what, "list") == 0 ? key_list(&o, e)
                                            : key_revoke(&o, e);
        store_close(o.store, offline_closed, &o);
        uv_run(&o.loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&o.loop);
    return rc;
}

/* ---- the command ---- */

/* NULL: it can be done. */
static const char *key_args_fault(const struct key_args *a)
{
    if (!a->what || (strcmp(a->what, "create") != 0 && strcmp(a->what, "list") != 0 &&
                     strcmp(a->what, "revoke") != 0))
        return "create, list or revoke?";
    if (strcmp(a->what, "revoke") == 0)
        return a->id ? NULL : "which one? give its id";
    if (a->id || strcmp(a->what, "list") == 0)
        return a->id ? "too many words" : NULL;
    if (!a->name || !*a->name || strlen(a->name) > PRINCIPAL_NAME_MAX)
        return "--name is wanted, at most 128 bytes";
    if (!a->role || role_parse(str_of(a->role)) == ROLE_NONE)
        return "--role is wanted: viewer, operator, editor or admin";
    if (a->workspace && !name_is_valid(str_of(a->workspace)))
        return "--workspace takes 1 to 64 characters of A-Z a-z 0-9 _ . -";
    if (a->expires && key_expires_ms(a->expires) == 0)
        return "--expires wants a time as 30d, 12h or 90m";
    return NULL;
}

int key_main(int argc, char **argv)
{
    struct key_args a = {.what = NULL};
    struct errbuf e = {""};
    const char *fault;
    struct config c;

    if (!key_args_read(&a, argc, argv) || a.help) {
        fputs(help, a.help ? stdout : stderr);
        return a.help ? 0 : EXIT_USAGE;
    }
    fault = key_args_fault(&a);
    if (fault) {
        fprintf(stderr, "sluice key: %s\n\n%s", fault, help);
        return EXIT_USAGE;
    }
    int rc = config_load(&c, a.rest_count, a.rest, &e) ? EXIT_USAGE : 0;
    if (rc == 0) {
        rc = key_on_store(&c, &a, &e);
        rc = rc == 0 ? 0 : rc == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_FAILED;
    }
    if (rc)
        fprintf(stderr, "sluice key: %s\n", e.text);
    config_deinit(&c);
    return rc;
}
