#include "bare_commit.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bare_store {
    sqlite3 *file; /* or */
    sqlite3_stmt *insert;
    PGconn *server;
};

static void need(bool well, const char *what, const char *why)
{
    if (well)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void on_server(struct bare_store *s, const char *sql)
{
    PGresult *res = PQexec(s->server, sql);

    need(PQresultStatus(res) == PGRES_COMMAND_OK, "postgres", PQerrorMessage(s->server));
    PQclear(res);
}

static void open_server(struct bare_store *s, const char *url)
{
    s->server = PQconnectdb(url);
    need(PQstatus(s->server) == CONNECTION_OK, "postgres", PQerrorMessage(s->server));
    /* In the row, and as it is, while a page has room. */
    on_server(s,
              "SET client_min_messages = warning; DROP SCHEMA IF EXISTS bench_bare CASCADE;"
              "CREATE SCHEMA bench_bare; SET search_path = bench_bare;"
              "CREATE TABLE t (k bigserial PRIMARY KEY, v bytea) WITH (toast_tuple_target = 8160);"
              "ALTER TABLE t ALTER v SET STORAGE EXTERNAL");
    PQclear(PQprepare(s->server, "insert", "INSERT INTO t (v) VALUES ($1)", 1, NULL));
}

static void open_file(struct bare_store *s, const char *dir)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/bare.db", dir);
    remove(path);
    need(sqlite3_open(path, &s->file) == SQLITE_OK, "sqlite", path);
    int rc = sqlite3_exec(s->file,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                          "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)",
                          NULL, NULL, NULL);
    need(rc == SQLITE_OK, "sqlite", sqlite3_errmsg(s->file));
    rc = sqlite3_prepare_v2(s->file, "INSERT INTO t (v) VALUES (?1)", -1, &s->insert, NULL);
    need(rc == SQLITE_OK, "sqlite", sqlite3_errmsg(s->file));
}

struct bare_store *bare_store_open(const char *where)
{
    struct bare_store *s = calloc(1, sizeof(*s));

    need(s, "bare store", "out of memory");
    if (strncmp(where, "postgres", strlen("postgres")) == 0 && strstr(where, "://"))
        open_server(s, where);
    else
        open_file(s, where);
    return s;
}

void bare_store_commit(struct bare_store *s, const void *bytes, size_t n)
{
    if (s->file) {
        sqlite3_bind_blob(s->insert, 1, bytes, (int)n, SQLITE_STATIC);
        need(sqlite3_step(s->insert) == SQLITE_DONE, "sqlite", sqlite3_errmsg(s->file));
        sqlite3_reset(s->insert);
        return;
    }
    const char *value = bytes;
    int length = (int)n, format = 1;
    PGresult *res = PQexecPrepared(s->server, "insert", 1, &value, &length, &format, 1);
    need(PQresultStatus(res) == PGRES_COMMAND_OK, "postgres", PQerrorMessage(s->server));
    PQclear(res);
}

void bare_store_close(struct bare_store *s)
{
    if (s->server)
        on_server(s, "DROP SCHEMA bench_bare CASCADE");
    PQfinish(s->server);
    sqlite3_finalize(s->insert);
    sqlite3_close(s->file);
    free(s);
}
