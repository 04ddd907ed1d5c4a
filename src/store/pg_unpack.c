/* Packed texts made plain again (base/pack.h), for the way back to before there were any: SQL
 * cannot. Row by row, by one cursor each, within the transaction of the step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "store/pg_store.h"

static const struct {
    const char *table, *column; /* beside it stands <column>_packed */
} unpack_columns[] = {
    {"session_events", "frames"}, {"sessions", "waiting"},   {"sessions", "state"},
    {"node_runs", "interrupt"},   {"interrupts", "request"},
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

static int unpack_column(PGconn *handle, const char *table, const char *column, struct errbuf *e)
{
    char cursor[256], update[256];
    int status, n = 1;

    snprintf(cursor, sizeof(cursor),
             "DECLARE packed BINARY CURSOR FOR SELECT tableoid, ctid, %s_packed FROM %s"
             " WHERE %s_packed IS NOT NULL",
             column, table, column);
    snprintf(update, sizeof(update),
             "UPDATE %s SET %s = $1::text, %s_packed = NULL"
             " WHERE tableoid = $2::oid AND ctid = $3::tid",
             table, column, column);
    status = unpack_exec(handle, cursor, e);
    while (status == 0 && n > 0) {
        PGresult *rows = PQexec(handle, "FETCH 500 FROM packed");
        if (PQresultStatus(rows) != PGRES_TUPLES_OK)
            return unpack_failed(handle, rows, e);
        n = PQntuples(rows);
        for (int i = 0; i < n && status == 0; i++)
            status = unpack_row(handle, update, rows, i, e);
        PQclear(rows);
    }
    return status < 0 ? status : unpack_exec(handle, "CLOSE packed", e);
}

int pg_unpack_all(PGconn *handle, struct errbuf *e)
{
    int status = 0;

    for (size_t i = 0; i < sizeof(unpack_columns) / sizeof(unpack_columns[0]) && status == 0; i++)
        status = unpack_column(handle, unpack_columns[i].table, unpack_columns[i].column, e);
    return status;
}
