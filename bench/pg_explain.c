/* The plan of every statement of the PostgreSQL store on a filled database (pg_fill.sql), with the
 * settings that the store makes: pg_explain URL [--all]
 *
 * Says for each statement which indexes it walks. A statement that reads one of the tables that
 * grow, or an index of it, from end to end fails the run; --all prints the plans as well.
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/pg_sql.h"

#define PARAMETERS_MAX 40
#define NAME_MAX_BYTES 64

/* These do not grow with the number of sessions; the server has all keys in memory. */
static const char *const small_tables[] = {"instances", "workspaces", "api_keys", "unnest", "d"};
/* An index of the working tier alone, which is what the statement that walks it keeps small. */
static const char small_index[] = "memories_working on ";

static PGresult *run(PGconn *db, const char *sql)
{
    PGresult *res = PQexec(db, sql);

    if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s\n%s\n", sql, PQerrorMessage(db));
        exit(1);
    }
    return res;
}

static PGresult *explain(PGconn *db, int which)
{
    char name[32], sql[128 + PARAMETERS_MAX * 6];

    snprintf(name, sizeof(name), "s%d", which);
    PGresult *res = PQprepare(db, name, pg_sql_texts[which], 0, NULL);
    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        fprintf(stderr, "%s\n%s\n", pg_sql_texts[which], PQerrorMessage(db));
        exit(1);
    }
    PQclear(res);
    res = PQdescribePrepared(db, name);
    int parameters = PQnparams(res);
    PQclear(res);
    size_t n = (size_t)snprintf(sql, sizeof(sql), "EXPLAIN (COSTS OFF) EXECUTE %s", name);
    for (int i = 0; i < parameters && i < PARAMETERS_MAX; i++)
        n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%sNULL", i ? ", " : "(");
    snprintf(sql + n, sizeof(sql) - n, "%s", parameters ? ")" : "");
    return run(db, sql);
}

/* What a question about memories asks after its transaction was tuned: PG_MEMORIES_TUNE. */
static bool is_tuned(int which)
{
    return which == PG_MEMORIES_WEIGH ||
           (which >= PG_MEMORIES_WITH_WORDS && which <= PG_MEMORIES_NEAR_1536);
}

static bool is_vector(int which)
{
    return strstr(pg_sql_texts[which], "::vector") || strstr(pg_sql_texts[which], "<=>");
}

static bool has_vectors(PGconn *db)
{
    PGresult *res = run(db, "SELECT to_regtype('vector') IS NOT NULL");
    bool has = *PQgetvalue(res, 0, 0) == 't';

    PQclear(res);
    return has;
}

/* For the transaction, as pg_recall.c does: bitmaps, or an HNSW index. */
static void tune(PGconn *db, int which)
{
    bool near = which >= PG_MEMORIES_NEAR_384 && which <= PG_MEMORIES_NEAR_1536;
    const char *values[] = {near ? "40" : "0", "0"};
    PGresult *res =
        PQexecParams(db, pg_sql_texts[PG_MEMORIES_TUNE], 2, NULL, values, NULL, NULL, 0);

    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s\n", PQerrorMessage(db));
        exit(1);
    }
    PQclear(res);
}

static bool is_small(const char *table)
{
    for (size_t i = 0; i < sizeof(small_tables) / sizeof(*small_tables); i++)
        if (strncmp(table, small_tables[i], strlen(small_tables[i])) == 0 &&
            (table[strlen(small_tables[i])] == ' ' || !table[strlen(small_tables[i])]))
            return true;
    return false;
}

/* Of all partitions of the events one name is enough. */
static const char *known_as(const char *index)
{
    return strncmp(index, "session_events_", strlen("session_events_")) == 0 ? "session_events"
                                                                             : index;
}

/* Whether an index is walked from end to end, without a condition, on a table that grows. A walk in
 * its order that a LIMIT ends is none. */
static bool is_full(const PGresult *plan, int i)
{
    const char *line = PQgetvalue(plan, i, 0), *on = strstr(line, " on ");
    const char *next = i + 1 < PQntuples(plan) ? PQgetvalue(plan, i + 1, 0) : "";
    const char *before = i > 0 ? PQgetvalue(plan, i - 1, 0) : "";

    return on && !is_small(on + 4) && !strstr(line, small_index) && !strstr(next, "Index Cond: ") &&
           !strstr(before, "Limit");
}

/* Prints the indexes of a plan and the tables that are read whole; false when one of those grows.
 */
static bool judge(int which, const PGresult *plan)
{
    static const char seq[] = "Seq Scan on ", index[] = " using "; /* forward or backward */
    char seen[1024] = " ";
    bool good = true;

    printf("%3d %-58.58s", which, pg_sql_texts[which]);
    for (int i = 0; i < PQntuples(plan); i++) {
        const char *line = PQgetvalue(plan, i, 0), *at = strstr(line, seq);
        char name[NAME_MAX_BYTES], word[NAME_MAX_BYTES + 2];
        if (at && !is_small(at + strlen(seq))) {
            good = false;
            printf(" WHOLE:%s", at + strlen(seq));
        }
        at = strstr(line, index);
        if (!at)
            continue;
        if (is_full(plan, i)) {
            good = false;
            printf(" FULL:%s", at + strlen(index));
        }
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + strlen(index), " "),
                 at + strlen(index));
        snprintf(word, sizeof(word), " %s ", known_as(name));
        if (!strstr(seen, word) && strlen(seen) + strlen(word) < sizeof(seen)) {
            strcat(seen, word + 1);
            printf("%.*s", (int)strlen(word) - 1, word);
        }
    }
    printf("\n");
    return good;
}

int main(int argc, char **argv)
{
    bool all = argc > 2 && strcmp(argv[2], "--all") == 0;
    int bad = 0, explained = 0, passed = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: pg_explain URL [--all]\n");
        return 2;
    }
    PGconn *db = PQconnectdb(argv[1]);
    if (PQstatus(db) != CONNECTION_OK) {
        fprintf(stderr, "%s\n", PQerrorMessage(db));
        return 1;
    }
    PQclear(run(db, pg_sql_texts[PG_SETUP_WRITER]));
    bool vectors = has_vectors(db);
    for (int i = 0; i < PG_SQL_COUNT; i++) {
        if (i <= PG_ROLLBACK)
            continue; /* no plan */
        if (!vectors && is_vector(i)) {
            printf("%3d %-58.58s needs pgvector: not looked at\n", i, pg_sql_texts[i]);
            passed++;
            continue;
        }
        PQclear(run(db, "BEGIN"));
        if (is_tuned(i))
            tune(db, i);
        PGresult *plan = explain(db, i);
        PQclear(run(db, "COMMIT"));
        explained++;
        bad += judge(i, plan) ? 0 : 1;
        for (int k = 0; all && k < PQntuples(plan); k++)
            printf("      %s\n", PQgetvalue(plan, k, 0));
        PQclear(plan);
    }
    PQfinish(db);
    printf("%d statements, %d of them read a growing table whole; %d need pgvector\n", explained,
           bad, passed);
    return bad ? 1 : 0;
}
