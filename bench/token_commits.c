/* The limit of a token's commit: token_commits DIR|postgres://… SECONDS TOKENS COMMITS_A_S
 *
 * The simplest thing that is durable: one row with the bytes of as many events, no index but that
 * of its number, a transaction each, so many of them a second on one connection; by plain SQLite
 * (write-ahead log, synchronous = FULL) or plain libpq (as the server has it: fsync on). No store
 * of events can do with less: the rows cannot be found by session.
 *
 * Prints `begin` when the table stands, then one JSON line: tokens, seconds, and the CPU of this
 * process, microseconds a token. What PostgreSQL takes is for the caller to see, from `begin` on.
 */
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define EVENT_BYTES 300 /* an event of a token, as it is stored */
#define TOKENS_MAX  10000

struct target {
    sqlite3 *file;
    sqlite3_stmt *insert;
    PGconn *server;
};

static char bytes[EVENT_BYTES * TOKENS_MAX];
static size_t length;

static void need(bool well, const char *what, const char *why)
{
    if (well)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void on_server(struct target *t, const char *sql)
{
    PGresult *res = PQexec(t->server, sql);

    need(PQresultStatus(res) == PGRES_COMMAND_OK, "postgres", PQerrorMessage(t->server));
    PQclear(res);
}

static void open_server(struct target *t, const char *url)
{
    t->server = PQconnectdb(url);
    need(PQstatus(t->server) == CONNECTION_OK, "postgres", PQerrorMessage(t->server));
    /* In the row, and as it is, while a page has room. */
    on_server(t,
              "SET client_min_messages = warning; DROP SCHEMA IF EXISTS bench_bare CASCADE;"
              "CREATE SCHEMA bench_bare; SET search_path = bench_bare;"
              "CREATE TABLE t (k bigserial PRIMARY KEY, v bytea) WITH (toast_tuple_target = 8160);"
              "ALTER TABLE t ALTER v SET STORAGE EXTERNAL");
    PQclear(PQprepare(t->server, "insert", "INSERT INTO t (v) VALUES ($1)", 1, NULL));
}

static void open_file(struct target *t, const char *dir)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/bare.db", dir);
    remove(path);
    need(sqlite3_open(path, &t->file) == SQLITE_OK, "sqlite", path);
    int rc = sqlite3_exec(t->file,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                          "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)",
                          NULL, NULL, NULL);
    need(rc == SQLITE_OK, "sqlite", sqlite3_errmsg(t->file));
    rc = sqlite3_prepare_v2(t->file, "INSERT INTO t (v) VALUES (?1)", -1, &t->insert, NULL);
    need(rc == SQLITE_OK, "sqlite", sqlite3_errmsg(t->file));
}

static void commit(struct target *t)
{
    if (t->file) {
        sqlite3_bind_blob(t->insert, 1, bytes, (int)length, SQLITE_STATIC);
        need(sqlite3_step(t->insert) == SQLITE_DONE, "sqlite", sqlite3_errmsg(t->file));
        sqlite3_reset(t->insert);
        return;
    }
    const char *value = bytes;
    int n = (int)length, format = 1;
    PGresult *res = PQexecPrepared(t->server, "insert", 1, &value, &n, &format, 1);
    need(PQresultStatus(res) == PGRES_COMMAND_OK, "postgres", PQerrorMessage(t->server));
    PQclear(res);
}

static void close_target(struct target *t)
{
    if (t->server)
        on_server(t, "DROP SCHEMA bench_bare CASCADE");
    PQfinish(t->server);
    sqlite3_finalize(t->insert);
    sqlite3_close(t->file);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* One at each multiple of the pace; those that the disk is too slow for are left out. */
static void loop(struct target *t, double seconds, double tokens, double rate)
{
    double from = now(), cpu = cpu_seconds(), due = from, commits = 0;

    printf("begin\n");
    fflush(stdout);
    while (due < from + seconds) {
        double wait = due - now();
        struct timespec pause = {0, (long)(wait * 1e9)};
        if (wait > 0)
            nanosleep(&pause, NULL);
        commit(t);
        commits++;
        due += 1 / rate;
        if (due < now())
            due = now();
    }
    double took = now() - from;
    printf("{\"commits_per_s\":%.0f,\"tokens_a_commit\":%g,\"tokens\":%.0f,\"seconds\":%.2f,"
           "\"own_cpu_us_per_token\":%.2f}\n",
           commits / took, tokens, commits * tokens, took,
           (cpu_seconds() - cpu) * 1e6 / (commits * tokens));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct target t = {.file = NULL};
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0;
    double tokens = argc > 3 ? strtod(argv[3], NULL) : 0;
    double rate = argc > 4 ? strtod(argv[4], NULL) : 0;

    if (seconds <= 0 || tokens <= 0 || tokens > TOKENS_MAX || rate <= 1) {
        fprintf(stderr, "usage: token_commits DIR|postgres://… SECONDS TOKENS COMMITS_A_S\n");
        return 2;
    }
    length = (size_t)(tokens * EVENT_BYTES);
    memset(bytes, 'x', length);
    if (strncmp(argv[1], "postgres", strlen("postgres")) == 0 && strstr(argv[1], "://"))
        open_server(&t, argv[1]);
    else
        open_file(&t, argv[1]);
    loop(&t, seconds, tokens, rate);
    close_target(&t);
    return 0;
}
