#include "app/store_cmds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "store/copy.h"
#include "store/store.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2

static const char migrate_help[] =
    "usage: sluice migrate up|down|status|to N [--data DIR] [--store URL] [--config FILE]\n\n"
    "  up       bring the schema to what this program needs\n"
    "  down     take the newest step back, with the tables that came with it\n"
    "  to N     go up or down to step N; 0: nothing is left\n"
    "  status   only tell\n\n"
    "With SQLite no server may run on DIR. A server migrates by itself when it starts, unless it "
    "is\n"
    "told --no-migrate.\n";
static const char backup_help[] =
    "usage: sluice backup FILE [--data DIR] [--config FILE]\n\n"
    "Copies the SQLite store of DIR, as of one moment, into the new FILE; a server may run on it.\n"
    "The copy is checked before it gets its name. To restore it, put it as sluice.db into an "
    "empty\n"
    "folder and serve from that. PostgreSQL has tools of its own (pg_dump), or: sluice copy.\n";
static const char copy_help[] =
    "usage: sluice copy --from URL --to URL\n\n"
    "Copies a whole store into an empty one: sqlite:DIR or postgres://… on either side. No server\n"
    "may run on them. All rows are read back and compared; on failure the target stays empty.\n";

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int tell_help(const char *text, bool asked)
{
    fputs(text, asked ? stdout : stderr);
    return asked ? 0 : EXIT_USAGE;
}

/* Words come before options. */
static int count_words(int argc, char **argv)
{
    int n = 0;

    while (n < argc && strncmp(argv[n], "--", 2) != 0)
        n++;
    return n;
}

/* ---- migrate ---- */

static void migrate_say(const char *line)
{
    printf("%s\n", line);
}

/* -1: a number that is none */
static int migrate_number(const char *text)
{
    char *end = NULL;
    long n = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;

    return n < 0 || n > 9999 || *end ? -1 : (int)n;
}

enum migrate_way { MIGRATE_STATUS, MIGRATE_UP, MIGRATE_DOWN, MIGRATE_TO };

static bool migrate_words(int words, char **argv, enum migrate_way *way, int *target)
{
    static const char *const ways[] = {"status", "up", "down", "to"};

    for (int i = 0; words > 0 && i < 4; i++) {
        if (strcmp(argv[0], ways[i]) != 0)
            continue;
        *way = (enum migrate_way)i;
        *target = *way == MIGRATE_TO && words == 2 ? migrate_number(argv[1]) : -1;
        return words == (*way == MIGRATE_TO ? 2 : 1) && (*way != MIGRATE_TO || *target >= 0);
    }
    return false;
}

static int migrate_do(const struct config *c, enum migrate_way way, int target,
                      struct migrate_status *st, struct errbuf *e)
{
    int rc = c->store ? pg_migrate_status(c->store, st, e) : sqlite_migrate_status(c->data, st, e);

    if (rc || way == MIGRATE_STATUS)
        return rc;
    if (way == MIGRATE_DOWN)
        target = st->applied > 0 ? st->applied - 1 : 0;
    return c->store ? pg_migrate(c->store, target, migrate_say, st, e)
                    : sqlite_migrate(c->data, target, migrate_say, st, e);
}

int migrate_main(int argc, char **argv)
{
    struct migrate_status st = {0, 0};
    struct errbuf e = {""};
    enum migrate_way way;
    struct config c;
    int target, words = count_words(argc, argv);

    if (asks_for_help(argc, argv))
        return tell_help(migrate_help, true);
    if (!migrate_words(words, argv, &way, &target))
        return tell_help(migrate_help, false);
    int rc = config_load(&c, argc - words, argv + words, &e) ? EXIT_USAGE : 0;
    if (rc == 0 && migrate_do(&c, way, target, &st, &e))
        rc = EXIT_FAILED;
    if (rc)
        fprintf(stderr, "sluice migrate: %s\n", e.text);
    else
        printf("schema %d of %d\n", st.applied, st.newest);
    config_deinit(&c);
    return rc;
}

/* ---- backup ---- */

static void backup_say(const char *line)
{
    fprintf(stderr, "backup: %s\n", line);
}

int backup_main(int argc, char **argv)
{
    struct errbuf e = {""};
    struct config c;
    int words = count_words(argc, argv), rc = 0;

    if (asks_for_help(argc, argv))
        return tell_help(backup_help, true);
    if (words != 1)
        return tell_help(backup_help, false);
    if (config_load(&c, argc - 1, argv + 1, &e)) {
        rc = EXIT_USAGE;
    } else if (c.store) {
        rc = EXIT_USAGE;
        err_set(&e, ERR_INVALID,
                "this is for SQLite; a PostgreSQL store is backed up with pg_dump, or copied with "
                "sluice copy");
    } else if (sqlite_backup(c.data, argv[0], backup_say, &e)) {
        rc = EXIT_FAILED;
    }
    if (rc)
        fprintf(stderr, "sluice backup: %s\n", e.text);
    else
        fprintf(stderr, "backup: %s is whole\n", argv[0]);
    config_deinit(&c);
    return rc;
}

/* ---- copy ---- */

static void copy_say(const char *line)
{
    fprintf(stderr, "copy: %s\n", line);
}

/* --name VALUE or --name=VALUE; moves *i past it. */
static bool option_value(int argc, char **argv, int *i, const char *name, const char **out)
{
    size_t n = strlen(name);
    const char *arg = argv[*i];

    if (strncmp(arg, name, n) != 0 || (arg[n] != '=' && (arg[n] != '\0' || *i + 1 >= argc)))
        return false;
    *out = arg[n] == '=' ? arg + n + 1 : argv[++*i];
    return true;
}

int copy_main(int argc, char **argv)
{
    const char *from = NULL, *to = NULL;
    struct errbuf e = {""};

    if (asks_for_help(argc, argv))
        return tell_help(copy_help, true);
    for (int i = 0; i < argc; i++) {
        if (!option_value(argc, argv, &i, "--from", &from) &&
            !option_value(argc, argv, &i, "--to", &to))
            return tell_help(copy_help, false);
    }
    if (!from || !to)
        return tell_help(copy_help, false);
    int rc = store_copy(from, to, copy_say, &e);
    if (rc)
        fprintf(stderr, "sluice copy: %s\n", e.text);
    return rc == 0 ? 0 : rc == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
}
