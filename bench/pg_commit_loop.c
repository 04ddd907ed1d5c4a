/* The bare limit of PostgreSQL: pg_commit_loop URL [SECONDS]
 *
 * What a session of three pure nodes needs, written by plain libpq and nothing else: 1 session, its
 * details, 1 row of events, 3 node runs, each kind of row by one prepared `INSERT … SELECT
 * unnest(…)`, all statements of a transaction in one round trip, one transaction after the other on
 * one connection. The tables are of the same shape as the store's, with a primary key each and
 * without any other index. One JSON line per batch size; rates per second.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"

#define STEP_MAX 100000 /* times kept for the median */
#define RUNS     3
#define TABLES   4
#define COLUMNS  3 /* id, number, text */

static const char *const setup =
    "SET client_min_messages = warning; DROP SCHEMA IF EXISTS bench_bare CASCADE;"
    "CREATE SCHEMA bench_bare; SET search_path = bench_bare;"
    "CREATE TABLE sessions (id uuid PRIMARY KEY, n bigint, t text);"
    "CREATE TABLE details (id uuid PRIMARY KEY, n bigint, t text);"
    "CREATE TABLE events (id uuid, n bigint, t text, PRIMARY KEY (id, n));"
    "CREATE TABLE runs (id uuid PRIMARY KEY, n bigint, t text)";

static const struct table {
    const char *name;
    size_t rows;  /* of one session */
    size_t bytes; /* of a row's text, as in the store */
} tables[TABLES] = {
    {"sessions", 1, 330}, {"details", 1, 60}, {"events", 1, 2300}, {"runs", RUNS, 90}};

/* The parameters of one table's statement: text arrays. */
struct arrays {
    struct buf columns[COLUMNS];
};

static void check(PGconn *db, const PGresult *res, ExecStatusType want)
{
    if (PQresultStatus(res) == want)
        return;
    fprintf(stderr, "postgres: %s\n", PQerrorMessage(db));
    exit(1);
}

static void run(PGconn *db, const char *sql)
{
    PGresult *res = PQexec(db, sql);

    check(db, res, PGRES_COMMAND_OK);
    PQclear(res);
}

static void prepare(PGconn *db)
{
    for (int i = 0; i < TABLES; i++) {
        char sql[200];
        snprintf(sql, sizeof(sql),
                 "INSERT INTO %s SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])",
                 tables[i].name);
        PGresult *res = PQprepare(db, tables[i].name, sql, COLUMNS, NULL);
        check(db, res, PGRES_COMMAND_OK);
        PQclear(res);
    }
}

static void arrays_fill(struct arrays *a, const struct table *t, size_t sessions,
                        struct id_source *ids)
{
    static char text[4096];
    char id[ID_TEXT_BYTES + 1];

    memset(text, 'x', t->bytes);
    text[t->bytes] = 0;
    for (int c = 0; c < COLUMNS; c++)
        buf_clear(&a->columns[c]);
    for (size_t i = 0; i < sessions * t->rows; i++) {
        char before = i ? ',' : '{';
        id_format(id_new(ids, (uint64_t)clock_wall_ms()), id);
        buf_printf(&a->columns[0], "%c%s", before, id);
        buf_printf(&a->columns[1], "%c8", before);
        buf_printf(&a->columns[2], "%c%s", before, text);
    }
    for (int c = 0; c < COLUMNS; c++)
        buf_append_char(&a->columns[c], '}');
}

/* One transaction, one round trip. */
static void commit(PGconn *db, const struct arrays *all)
{
    PQenterPipelineMode(db);
    PQsendQueryParams(db, "BEGIN", 0, NULL, NULL, NULL, NULL, 0);
    for (int i = 0; i < TABLES; i++) {
        const char *values[COLUMNS];
        for (int c = 0; c < COLUMNS; c++)
            values[c] = all[i].columns[c].data;
        PQsendQueryPrepared(db, tables[i].name, COLUMNS, values, NULL, NULL, 0);
    }
    PQsendQueryParams(db, "COMMIT", 0, NULL, NULL, NULL, NULL, 0);
    PQpipelineSync(db);
    for (int i = 0; i < TABLES + 2; i++) {
        PGresult *res = PQgetResult(db);
        check(db, res, PGRES_COMMAND_OK);
        PQclear(res);
        PQgetResult(db); /* the NULL after each */
    }
    PGresult *res = PQgetResult(db);
    check(db, res, PGRES_PIPELINE_SYNC);
    PQclear(res);
    PQexitPipelineMode(db);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Only the commits are timed, not the making of the arrays. */
static void loop(PGconn *db, struct id_source *ids, size_t sessions, double seconds)
{
    static uint64_t times[STEP_MAX];
    struct arrays all[TABLES];
    uint64_t took = 0;
    size_t n = 0, rows = 0;

    for (int i = 0; i < TABLES; i++)
        for (int c = 0; c < COLUMNS; c++)
            buf_init(&all[i].columns[c], 1u << 28);
    while ((double)took < seconds * 1e9) {
        for (int i = 0; i < TABLES; i++)
            arrays_fill(&all[i], &tables[i], sessions, ids);
        uint64_t before = clock_mono_ns();
        commit(db, all);
        uint64_t one = clock_mono_ns() - before;
        took += one;
        if (n < STEP_MAX)
            times[n] = one;
        n++;
    }
    for (int i = 0; i < TABLES; i++) {
        rows += tables[i].rows;
        for (int c = 0; c < COLUMNS; c++)
            buf_deinit(&all[i].columns[c]);
    }
    qsort(times, n < STEP_MAX ? n : STEP_MAX, sizeof(*times), compare_u64);
    double s = (double)took / 1e9, each = (double)(n * sessions);
    printf("{\"bench\":\"pg_commit_loop\",\"what\":\"sessions, plain libpq and unnest\","
           "\"batch\":%zu,\"sessions_per_s\":%.0f,\"rows_per_s\":%.0f,\"commits_per_s\":%.0f,"
           "\"commit_ms_p50\":%.3f}\n",
           sessions, each / s, each * (double)rows / s, (double)n / s,
           (double)times[(n < STEP_MAX ? n : STEP_MAX) / 2] / 1e6);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {1, 16, 256, 1000};
    struct id_source ids;
    PGconn *db;

    if (argc < 2) {
        fprintf(stderr, "usage: pg_commit_loop URL [SECONDS]\n");
        return 2;
    }
    db = PQconnectdb(argv[1]);
    if (PQstatus(db) != CONNECTION_OK) {
        fprintf(stderr, "postgres: %s\n", PQerrorMessage(db));
        return 1;
    }
    id_source_init_random(&ids);
    run(db, setup);
    prepare(db);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        loop(db, &ids, sizes[i], argc > 2 ? strtod(argv[2], NULL) : 2);
    run(db, "DROP SCHEMA bench_bare CASCADE");
    PQfinish(db);
    return 0;
}
