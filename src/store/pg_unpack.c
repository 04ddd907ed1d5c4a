/* Packed texts made plain again (base/pack.h), for the way back to before there were any: SQL
 * cannot. Row by row, by one cursor each, within the transaction of the step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "store/pg_store.h"

/* $1: the text; $2 $3: the place of its row. */
#define PLACE "tableoid = $2::oid AND ctid = $3::tid"
#define ANY   "IS NOT NULL"
#define QUICK "BETWEEN '\\x02'::bytea AND '\\x04'::bytea" /* in the second form, or the third */
#define PLAIN(table, column, which)                                                                \
    {                                                                                              \
        table, column "_packed", which,                                                            \
            "UPDATE " table " SET " column " = $1::text, " column "_packed = NULL WHERE " PLACE    \
    }
/* As rules.h has them; a run that has a row by now is there as it is by now. */
#define RUNS(which)                                                                                \
    {                                                                                              \
        "sessions", "runs_packed", which,                                                          \
            "WITH s AS (UPDATE sessions SET runs_packed = NULL WHERE " PLACE                       \
            " RETURNING id, updated_at) INSERT INTO node_runs (session_id, run_id, node_id, kind," \
            " iteration, attempt, status, branch, started_at, ended_at, output, error, interrupt," \
            " updated_at) SELECT s.id, (r->>0)::uuid, r->>1, r->>2, (r->>3)::bigint,"              \
            " (r->>4)::bigint, r->>5, r->>6, (r->>7)::bigint, (r->>8)::bigint,"                    \
            " nullif((r->9)::text, 'null'), nullif((r->10)::text, 'null'),"                        \
            " nullif((r->11)::text, 'null'), s.updated_at"                                         \
            " FROM json_array_elements($1::text::json) AS r CROSS JOIN s ON CONFLICT DO NOTHING"   \
    }

struct unpack_column {
    const char *table, *column, *which, *write;
};
static const struct unpack_column unpack_quick[] = {
    PLAIN("session_events", "frames", QUICK),
    RUNS(QUICK),
};
static const struct unpack_column unpack_packed[] = {
    PLAIN("session_events", "frames", ANY), PLAIN("sessions", "waiting", ANY),
    PLAIN("sessions", "state", ANY),        PLAIN("node_runs", "interrupt", ANY),
    PLAIN("interrupts", "request", ANY),
};
static const struct unpack_column unpack_together[] = {
    RUNS(ANY),
    {"sessions", "core_packed", ANY,
     "UPDATE sessions SET waiting = $1::text::json->>0, node_statuses = "
     "($1::text::json->>1)::jsonb,"
     " state = $1::text::json->>2, core_packed = NULL WHERE " PLACE},
};

static int unpack_failed(PGconn *handle, PGresult *result, struct errbuf *e)
{
    pg_error_text(e, PQerrorMessage(handle));
    PQclear(result);
    return ERR_IO;
}

static int unpack_exec(PGconn *handle, const char *sql, struct errbuf *e)
{
    PGresult *result = PQexec(handle, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        return unpack_failed(handle, result, e);
    PQclear(result);
    return 0;
}

/* One row, by the places that stand in `row`. */
static int unpack_row(PGconn *handle, const char *update, const PGresult *rows, int row,
                      struct errbuf *e)
{
    struct str text, packed = {PQgetvalue(rows, row, 2), (size_t)PQgetlength(rows, row, 2)};
    struct arena a;

    arena_init(&a);
    int status = unpack(packed, &a, &text);
    if (status < 0) {
        arena_deinit(&a);
        return err_set(e, status, "a packed text is damaged");
    }
    const char *values[] = {text.p, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1)};
    int lengths[] = {(int)text.n, PQgetlength(rows, row, 0), PQgetlength(rows, row, 1)};
    const int binary[] = {1, 1, 1};
    PGresult *result = PQexecParams(handle, update, 3, NULL, values, lengths, binary, 1);
    arena_deinit(&a);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        return unpack_failed(handle, result, e);
    PQclear(result);
    return 0;
}

static int unpack_column(PGconn *handle, const struct unpack_column *c, struct errbuf *e)
{
    char cursor[256];
    int status, n = 1;

    snprintf(cursor, sizeof(cursor),
             "DECLARE packed BINARY CURSOR FOR SELECT tableoid, ctid, %s FROM %s"
             " WHERE %s %s",
             c->column, c->table, c->column, c->which);
    status = unpack_exec(handle, cursor, e);
    while (status == 0 && n > 0) {
        PGresult *rows = PQexec(handle, "FETCH 500 FROM packed");
        if (PQresultStatus(rows) != PGRES_TUPLES_OK)
            return unpack_failed(handle, rows, e);
        n = PQntuples(rows);
        for (int i = 0; i < n && status == 0; i++)
            status = unpack_row(handle, c->write, rows, i, e);
        PQclear(rows);
    }
    return status < 0 ? status : unpack_exec(handle, "CLOSE packed", e);
}

static int unpack_columns(PGconn *handle, const struct unpack_column *columns, size_t count,
                          struct errbuf *e)
{
    int status = 0;

    for (size_t i = 0; i < count && status == 0; i++)
        status = unpack_column(handle, &columns[i], e);
    return status;
}

int pg_unpack_for(PGconn *handle, const char *step, struct errbuf *e)
{
    if (strcmp(step, "quick") == 0)
        return unpack_columns(handle, unpack_quick, sizeof(unpack_quick) / sizeof(unpack_quick[0]),
                              e);
    if (strcmp(step, "packed") == 0)
        return unpack_columns(handle, unpack_packed,
                              sizeof(unpack_packed) / sizeof(unpack_packed[0]), e);
    if (strcmp(step, "together") == 0)
        return unpack_columns(handle, unpack_together,
                              sizeof(unpack_together) / sizeof(unpack_together[0]), e);
    return 0;
}
