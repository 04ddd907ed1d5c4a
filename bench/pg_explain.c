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

/* These do not grow with the number of sessions. */
static const char *const small_tables[] = {"instances", "workspaces", "unnest", "d"};

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

    return on && !is_small(on + 4) && !strstr(next, "Index Cond: ") && !strstr(before, "Limit");
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
    int bad = 0, explained = 0;

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
    for (int i = 0; i < PG_SQL_COUNT; i++) {
        if (i <= PG_ROLLBACK)
            continue; /* no plan */
        PGresult *plan = explain(db, i);
        explained++;
        bad += judge(i, plan) ? 0 : 1;
        for (int k = 0; all && k < PQntuples(plan); k++)
            printf("      %s\n", PQgetvalue(plan, k, 0));
        PQclear(plan);
    }
    PQfinish(db);
    printf("%d statements, %d of them read a growing table whole\n", explained, bad);
    return bad ? 1 : 0;
}
