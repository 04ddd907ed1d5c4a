/* A PostgreSQL database for a test: a copy of a migrated template, dropped afterwards. The server
 * is the one of SLUICE_TEST_POSTGRES, a URL of a user who may create databases. */
#ifndef SLUICE_TESTS_TEST_STORE_PG_RIG_H
#define SLUICE_TESTS_TEST_STORE_PG_RIG_H

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "unit.h"

static inline const char *pg_rig_server(void)
{
    const char *url = getenv("SLUICE_TEST_POSTGRES");

    return url && *url ? url : NULL;
}

static inline void pg_rig_exec_on(const char *url, const char *sql)
{
    PGconn *c = PQconnectdb(url);

    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("%s: %s", url, PQerrorMessage(c));
    PGresult *result = PQexec(c, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    PQclear(result);
    PQfinish(c);
}

/* One value, as a number. */
static inline int64_t pg_rig_ask(const char *url, const char *sql)
{
    PGconn *c = PQconnectdb(url);

    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("%s: %s", url, PQerrorMessage(c));
    PGresult *result = PQexec(c, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    int64_t n = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(c);
    return n;
}

/* The server's URL with another database, as libpq's key=value words. */
static inline void pg_rig_url(const char *database, char *out, size_t n)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(pg_rig_server(), &error);
    size_t at = 0;

    if (!options)
        fail_msg("SLUICE_TEST_POSTGRES: %s", error);
    for (PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && strcmp(o->keyword, "dbname") != 0)
            at += (size_t)snprintf(out + at, n - at, "%s='%s' ", o->keyword, o->val);
    snprintf(out + at, n - at, "dbname=%s", database);
    PQconninfoFree(options);
}

static char pg_rig_template[64];

static inline void pg_rig_drop_template(void)
{
    char sql[160];

    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", pg_rig_template);
    pg_rig_exec_on(pg_rig_server(), sql);
}

/* Made once for each program. */
static inline void pg_rig_make_template(void)
{
    char sql[160], url[512];
    struct errbuf e = {""};

    if (*pg_rig_template)
        return;
    snprintf(pg_rig_template, sizeof(pg_rig_template), "sluice_test_%ld_template", (long)getpid());
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", pg_rig_template);
    pg_rig_exec_on(pg_rig_server(), sql);
    atexit(pg_rig_drop_template);
    pg_rig_url(pg_rig_template, url, sizeof(url));
    if (pg_migrate(url, -1, NULL, NULL, &e) != 0)
        fail_msg("migrate: %s", e.text);
}

/* Gives the URL of a new database; empty ones have no table of ours. */
static inline void pg_rig_create(char *url, size_t n, bool empty)
{
    static int count;
    char name[64], sql[256];

    if (!empty)
        pg_rig_make_template();
    snprintf(name, sizeof(name), "sluice_test_%ld_%d", (long)getpid(), ++count);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE %s", name,
             empty ? "template0" : pg_rig_template);
    pg_rig_exec_on(pg_rig_server(), sql);
    pg_rig_url(name, url, n);
}

/* pg_rig_create() gives libpq's words; this is the same as a URL. */
static inline void pg_rig_as_url(const char *words, char *out, size_t n)
{
    const char *server = pg_rig_server(), *host = strstr(server, "://") + 3;
    size_t to_path = (size_t)(host - server) + strcspn(host, "/?");
    const char *query = strchr(server, '?');

    snprintf(out, n, "%.*s/%s%s", (int)to_path, server, strrchr(words, '=') + 1,
             query ? query : "");
}

static inline void pg_rig_drop(const char *url)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", strrchr(url, '=') + 1);
    pg_rig_exec_on(pg_rig_server(), sql);
}

#endif
