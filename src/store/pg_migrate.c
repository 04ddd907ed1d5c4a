/* The schema's steps on PostgreSQL: each a transaction, all of them under one advisory lock, so
 * that of several instances that start at once one migrates and the others find it done. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/migrate.h"
#include "store/pg_store.h"

/* "sluice" in ASCII: our lock among those that others take in the same database. */
#define MIGRATE_LOCK    "126948904035173"
#define MIGRATE_SQL_MAX (1 << 20) /* of a step's statements; ours are 20 kB */
/* Longer than any step on a table of some size takes. */
#define MIGRATE_LOCK_WAIT "SET lock_timeout = '60s'"

static int migrate_failed(PGconn *handle, const PGresult *result, struct errbuf *e)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    pg_error_text(e, PQerrorMessage(handle));
    if (!state)
        return ERR_UNAVAILABLE;
    return strcmp(state, "55P03") == 0 ? ERR_UNAVAILABLE : ERR_IO;
}

static int migrate_exec(PGconn *handle, const char *sql, struct errbuf *e)
{
    PGresult *result = PQexec(handle, sql);
    ExecStatusType got = PQresultStatus(result);
    int status =
        got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK ? 0 : migrate_failed(handle, result, e);

    PQclear(result);
    return status;
}

/* One value, or NULL: "". */
static int migrate_ask(PGconn *handle, const char *sql, char *out, size_t n, struct errbuf *e)
{
    PGresult *result = PQexec(handle, sql);
    int status = 0;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1)
        status = migrate_failed(handle, result, e);
    else
        snprintf(out, n, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return status;
}

static int pg_migrate_prepare(void *data, struct errbuf *e)
{
    char found[128] = "";

    /* A user who may not make tables can still run on those that are there. */
    int status =
        migrate_ask(data, "SELECT to_regclass('schema_migrations')", found, sizeof(found), e);
    if (status < 0 || *found)
        return status;
    return migrate_exec(data,
                        "CREATE TABLE schema_migrations (number int PRIMARY KEY,"
                        " name text NOT NULL, checksum text NOT NULL, applied_at bigint NOT NULL)",
                        e);
}

#define MIGRATE_READ "SELECT number, checksum FROM schema_migrations ORDER BY number"

static int migrate_read(void *data, const char *sql, migrate_row *row, void *row_data,
                        struct errbuf *e)
{
    PGresult *result = PQexec(data, sql);
    int status = 0;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        status = migrate_failed(data, result, e);
    for (int i = 0; status == 0 && i < PQntuples(result); i++)
        status = row(row_data, (int)strtol(PQgetvalue(result, i, 0), NULL, 10),
                     PQgetvalue(result, i, 1), e);
    PQclear(result);
    return status;
}

static int pg_migrate_read(void *data, migrate_row *row, void *row_data, struct errbuf *e)
{
    return migrate_read(data, MIGRATE_READ, row, row_data, e);
}

/* As one transaction, which waits for who migrates and keeps nobody else waiting. */
static int pg_migrate_read_alone(void *data, migrate_row *row, void *row_data, struct errbuf *e)
{
    static const char sql[] =
        MIGRATE_LOCK_WAIT "; SELECT pg_advisory_xact_lock_shared(" MIGRATE_LOCK "); " MIGRATE_READ;

    return migrate_read(data, sql, row, row_data, e);
}

/* What follows a statement that fails is not looked at. */
static int pg_migrate_step(void *data, const struct migration *m, bool up, const char *checksum,
                           struct errbuf *e)
{
    struct errbuf ignored;
    struct buf sql;
    int status = migrate_exec(data, "BEGIN", e);

    if (status == 0 && !up)
        status = pg_unpack_for(data, m->name, e);
    buf_init(&sql, MIGRATE_SQL_MAX);
    buf_printf(&sql, "%s\n;", up ? m->up : m->down);
    if (up) /* names and checksums are ours, and hold no quotes */
        buf_printf(&sql, "INSERT INTO schema_migrations VALUES (%d, '%s', '%s', %" PRId64 ");",
                   m->number, m->name, checksum, clock_wall_ms());
    else
        buf_printf(&sql, "DELETE FROM schema_migrations WHERE number = %d;", m->number);
    buf_append_z(&sql, "COMMIT");
    if (status == 0)
        status = migrate_exec(data, sql.data, e);
    buf_deinit(&sql);
    if (status < 0)
        migrate_exec(data, "ROLLBACK", &ignored);
    return status;
}

static const struct migrate_ops pg_migrate_ops = {
    .prepare = pg_migrate_prepare,
    .read = pg_migrate_read,
    .step = pg_migrate_step,
};

static void migrate_quiet(void *data, const char *notice)
{
    (void)data;
    (void)notice;
}

/* Nearly always there is nothing to be done, and one round trip says so. */
static bool migrate_is_done(PGconn *handle, struct migrate_status *out)
{
    static const struct migrate_ops ops = {.read = pg_migrate_read_alone};
    struct migrate_status status = {0, migrate_count(pg_migrations)};

    if (migrate_applied(&ops, handle, pg_migrations, &status.applied, NULL) < 0 ||
        status.applied != status.newest)
        return false;
    if (out)
        *out = status;
    return true;
}

int pg_migrate_handle(PGconn *handle, int target, void (*say)(const char *line),
                      struct migrate_status *out, struct errbuf *e)
{
    struct errbuf ours = {""}, ignored;

    e = e ? e : &ours;
    PQsetNoticeProcessor(handle, migrate_quiet, NULL);
    if (target < 0 && migrate_is_done(handle, out))
        return 0;
    int status = migrate_exec(handle, MIGRATE_LOCK_WAIT, e);
    if (status == 0)
        status = migrate_exec(handle, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")", e);
    if (status < 0)
        return status;
    status = migrate_run(&pg_migrate_ops, handle, pg_migrations, target, say, out, e);
    migrate_exec(handle, "SELECT pg_advisory_unlock(" MIGRATE_LOCK ")", &ignored);
    return status;
}

int pg_migrate(const char *url, int target, void (*say)(const char *line),
               struct migrate_status *out, struct errbuf *e)
{
    PGconn *handle = NULL;

    int status = pg_connect_now(url, &handle, e);
    if (status < 0)
        return status;
    status = pg_migrate_handle(handle, target, say, out, e);
    PQfinish(handle);
    return status;
}

int pg_migrate_status(const char *url, struct migrate_status *out, struct errbuf *e)
{
    struct errbuf ours = {""};
    char found[128] = "";
    PGconn *handle = NULL;

    e = e ? e : &ours;
    *out = (struct migrate_status){0, migrate_count(pg_migrations)};
    int status = pg_connect_now(url, &handle, e);
    if (status < 0)
        return status;
    status =
        migrate_ask(handle, "SELECT to_regclass('schema_migrations')", found, sizeof(found), e);
    if (status == 0 && *found) /* looking must not make one */
        status = migrate_applied(&pg_migrate_ops, handle, pg_migrations, &out->applied, e);
    PQfinish(handle);
    return status;
}
