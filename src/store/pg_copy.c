/* PostgreSQL's end of a copy: a cursor reads, COPY writes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/copy.h"
#include "store/migrate.h"
#include "store/pg_store.h"

#define COPY_SQL_MAX      8192
#define COPY_FETCH        1000       /* rows in memory at once */
#define COPY_FLUSH        (64 << 10) /* bytes for one PQputCopyData() */
#define COPY_MONTH_MS     INT64_C(2629800000)
#define COPY_MONTHS_MAX   240
#define COPY_ID_BYTES     16
#define COPY_FLOAT_DIGITS 9

struct copy_end {
    PGconn *handle;
    const struct copy_table *table; /* that is read, or written */
    PGresult *rows;                 /* of the last FETCH */
    int row;
    struct arena arena; /* bytes of the row that is read */
    struct buf out;     /* for COPY */
};

static int end_failed(struct copy_end *end, struct errbuf *e)
{
    pg_error_text(e, PQerrorMessage(end->handle));
    return PQstatus(end->handle) == CONNECTION_OK ? ERR_IO : ERR_UNAVAILABLE;
}

/* The result, to be cleared, or NULL with status and sentence. */
static PGresult *end_query(struct copy_end *end, const char *sql, int *status, struct errbuf *e)
{
    PGresult *result = PQexec(end->handle, sql);
    ExecStatusType got = PQresultStatus(result);

    *status = 0;
    if (got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK || got == PGRES_COPY_IN)
        return result;
    *status = end_failed(end, e);
    PQclear(result);
    return NULL;
}

static int end_exec(struct copy_end *end, const char *sql, struct errbuf *e)
{
    int status;

    PQclear(end_query(end, sql, &status, e));
    return status;
}

static int end_ask(struct copy_end *end, const char *sql, int64_t *out, struct errbuf *e)
{
    int status;
    PGresult *result = end_query(end, sql, &status, e);

    if (result)
        *out = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return status;
}

static void end_close(struct copy_end *end)
{
    PQclear(end->rows);
    PQfinish(end->handle); /* what is not committed is taken back */
    arena_deinit(&end->arena);
    buf_deinit(&end->out);
    free(end);
}

/* By the database's clock, as leases are. With Redis a row is renewed every ten seconds only; a
 * server that rests renews none, but its writer still has its lock. */
static int end_check_alone(struct copy_end *end, struct errbuf *e)
{
    int status;
    PGresult *result =
        end_query(end,
                  "SELECT name FROM instances WHERE greatest(lease_until, updated_at + 30000)"
                  " > extract(epoch FROM now()) * 1000 OR (lease_until < updated_at AND EXISTS"
                  " (SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.granted"
                  " AND l.objsubid = 2 AND l.pid <> pg_backend_pid() AND l.database ="
                  " (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())))"
                  " LIMIT 1",
                  &status, e);

    if (result && PQntuples(result) > 0)
        status = err_set(e, ERR_UNAVAILABLE, "a server runs on this database: %s",
                         PQgetvalue(result, 0, 0));
    PQclear(result);
    return status;
}

static int end_open(struct copy_end **out, const char *url, bool writes, struct errbuf *e)
{
    struct copy_end *end = mem_zalloc(sizeof(*end));

    arena_init(&end->arena);
    buf_init(&end->out, SIZE_MAX / 2);
    int status = pg_connect_now(url, &end->handle, e);
    if (status == 0)
        status =
            pg_migrate_handle(end->handle, writes ? MIGRATE_NEWEST : MIGRATE_CHECK, NULL, NULL, e);
    if (status == 0)
        status = end_check_alone(end, e);
    if (status == 0 && !writes) /* what servers that were killed have left in event_ring */
        status = end_exec(end, "SELECT sluice_ring_settle(i.id, NULL) FROM instances AS i", e);
    if (status == 0)
        status = end_exec(
            end, writes ? "BEGIN" : "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            e);
    if (status < 0)
        end_close(end);
    else
        *out = end;
    return status;
}

static int end_count(struct copy_end *end, const char *table, int64_t *out, struct errbuf *e)
{
    char sql[160];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    return end_ask(end, sql, out, e);
}

static int end_least(struct copy_end *end, const char *table, const char *column, int64_t *out,
                     struct errbuf *e)
{
    char sql[160];

    snprintf(sql, sizeof(sql), "SELECT min(%s) FROM %s", column, table);
    return end_ask(end, sql, out, e);
}

static void end_columns(struct buf *sql, const struct copy_table *t)
{
    for (int i = 0; i < t->count; i++) {
        const struct copy_column *c = &t->columns[i];
        buf_append_z(sql, i ? ", " : "");
        buf_append_str(sql, c->kind == COPY_SESSION ? STR("session_id") : c->name);
    }
}

/* ---- reading ---- */

static int end_read_start(struct copy_end *end, const struct copy_table *t, struct errbuf *e)
{
    struct buf sql;

    PQclear(end->rows);
    end->rows = NULL;
    end->table = t;
    buf_init(&sql, COPY_SQL_MAX);
    buf_append_z(&sql, "DECLARE copied NO SCROLL CURSOR FOR SELECT ");
    end_columns(&sql, t);
    buf_printf(&sql, " FROM %s", t->name);
    int status = end_exec(end, sql.data, e);
    buf_deinit(&sql);
    return status;
}

/* PostgreSQL writes no others. */
static unsigned hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                  : 0;
}

/* "\x0a…" and uuids, whose dashes are passed over. */
static struct str end_unhex(struct arena *a, const char *text)
{
    uint8_t *bytes = arena_alloc(a, strlen(text) / 2 + 1);
    size_t n = 0;

    for (const char *p = text[0] == '\\' ? text + 2 : text; p[0] && p[1]; p++) {
        if (*p == '-')
            continue;
        bytes[n++] = (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
        p++;
    }
    return (struct str){(const char *)bytes, n};
}

static struct str end_floats(struct arena *a, const char *text)
{
    float *values = arena_alloc(a, strlen(text) * sizeof(float) / 2 + sizeof(float));
    size_t n = 0;
    char *next;

    for (const char *p = text + 1; *p && *p != '}'; p = next + (*next == ',')) {
        values[n++] = strtof(p, &next);
        if (next == p)
            break;
    }
    return (struct str){(const char *)values, n * sizeof(float)};
}

static struct copy_value end_value(struct copy_end *end, int i)
{
    const char *text = PQgetvalue(end->rows, end->row, i);
    struct copy_value v = {.is = COPY_IS_BYTES};

    if (PQgetisnull(end->rows, end->row, i))
        return (struct copy_value){.is = COPY_IS_NULL};
    switch (end->table->columns[i].kind) {
    case COPY_INT:
        v.is = COPY_IS_INT;
        v.i = strtoll(text, NULL, 10);
        break;
    case COPY_BOOL:
        v.is = COPY_IS_INT;
        v.i = *text == 't';
        break;
    case COPY_REAL:
        v.is = COPY_IS_REAL;
        v.r = strtod(text, NULL);
        break;
    case COPY_BYTES:
    case COPY_ID:
    case COPY_SESSION:
        v.s = end_unhex(&end->arena, text);
        break;
    case COPY_FLOATS:
        v.s = end_floats(&end->arena, text);
        break;
    case COPY_TEXT:
    case COPY_JSON:
    case COPY_WORKSPACE:
        v.s = (struct str){text, (size_t)PQgetlength(end->rows, end->row, i)};
        break;
    }
    return v;
}

static int end_fetch(struct copy_end *end, struct errbuf *e)
{
    char sql[64];
    int status;

    PQclear(end->rows);
    snprintf(sql, sizeof(sql), "FETCH %d FROM copied", COPY_FETCH);
    end->rows = end_query(end, sql, &status, e);
    end->row = 0;
    return status;
}

static int end_read_next(struct copy_end *end, struct copy_value *values, struct errbuf *e)
{
    arena_deinit(&end->arena);
    arena_init(&end->arena);
    if (!end->rows || ++end->row >= PQntuples(end->rows)) {
        int status = end_fetch(end, e);
        if (status < 0)
            return status;
        if (PQntuples(end->rows) == 0)
            return end_exec(end, "CLOSE copied", e);
    }
    for (int i = 0; i < end->table->count; i++)
        values[i] = end_value(end, i);
    return 1;
}

/* ---- writing ---- */

/* Events are kept by month: those of the past have their partitions made first. */
static int end_partitions(struct copy_end *end, int64_t at_least, struct errbuf *e)
{
    int64_t months = (clock_wall_ms() - at_least) / COPY_MONTH_MS + 2;
    char sql[128];

    if (at_least <= 0)
        return 0;
    snprintf(sql, sizeof(sql), "SELECT sluice_event_partitions(%" PRId64 ", %d)", at_least,
             (int)(months < 0                 ? 0
                   : months > COPY_MONTHS_MAX ? COPY_MONTHS_MAX
                                              : months));
    return end_exec(end, sql, e);
}

static int end_write_start(struct copy_end *end, const struct copy_table *t, int64_t at_least,
                           struct errbuf *e)
{
    struct buf sql;
    int status = end_partitions(end, at_least, e);

    if (status == 0 && strcmp(t->name, "workspaces") == 0) /* it is written like the others */
        status = end_exec(end, "DELETE FROM workspaces", e);
    if (status < 0)
        return status;
    end->table = t;
    buf_init(&sql, COPY_SQL_MAX);
    buf_printf(&sql, "COPY %s (", t->name);
    end_columns(&sql, t);
    buf_append_z(&sql, ") FROM STDIN");
    status = end_exec(end, sql.data, e);
    buf_deinit(&sql);
    return status;
}

/* As COPY's text form wants it. */
static void write_text(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        const char *escaped = c == '\\'   ? "\\\\"
                              : c == '\n' ? "\\n"
                              : c == '\r' ? "\\r"
                              : c == '\t' ? "\\t"
                                          : NULL;
        if (escaped)
            buf_append_z(out, escaped);
        else
            buf_append_char(out, c);
    }
}

static void write_hex(struct buf *out, struct str s)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < s.n; i++) {
        buf_append_char(out, digits[(uint8_t)s.p[i] >> 4]);
        buf_append_char(out, digits[(uint8_t)s.p[i] & 15]);
    }
}

static void write_floats(struct buf *out, struct str s)
{
    float f;

    buf_append_char(out, '{');
    for (size_t i = 0; i + sizeof(f) <= s.n; i += sizeof(f)) {
        memcpy(&f, s.p + i, sizeof(f));
        buf_printf(out, "%s%.*g", i ? "," : "", COPY_FLOAT_DIGITS, (double)f);
    }
    buf_append_char(out, '}');
}

static void write_bytes(struct buf *out, enum copy_kind kind, struct str s)
{
    switch (kind) {
    case COPY_BYTES:
        buf_append_z(out, "\\\\x");
        write_hex(out, s);
        break;
    case COPY_ID:
    case COPY_SESSION:
        write_hex(out, s);
        break;
    case COPY_FLOATS:
        write_floats(out, s);
        break;
    case COPY_INT:
    case COPY_REAL:
    case COPY_BOOL:
    case COPY_TEXT:
    case COPY_JSON:
    case COPY_WORKSPACE:
        write_text(out, s);
        break;
    }
}

static void write_value(struct buf *out, enum copy_kind kind, const struct copy_value *v)
{
    switch (v->is) {
    case COPY_IS_NULL:
        buf_append_z(out, "\\N");
        break;
    case COPY_IS_INT:
        if (kind == COPY_BOOL)
            buf_append_char(out, v->i ? 't' : 'f');
        else
            buf_printf(out, "%" PRId64, v->i);
        break;
    case COPY_IS_REAL:
        buf_printf(out, "%.17g", v->r);
        break;
    case COPY_IS_BYTES:
        write_bytes(out, kind, v->s);
        break;
    }
}

static int end_flush(struct copy_end *end, struct errbuf *e)
{
    int sent =
        buf_error(&end->out) ? -1 : PQputCopyData(end->handle, end->out.data, (int)end->out.len);

    buf_clear(&end->out);
    return sent == 1 ? 0 : end_failed(end, e);
}

static int end_write(struct copy_end *end, const struct copy_value *values, struct errbuf *e)
{
    for (int i = 0; i < end->table->count; i++) {
        if (i)
            buf_append_char(&end->out, '\t');
        write_value(&end->out, end->table->columns[i].kind, &values[i]);
    }
    buf_append_char(&end->out, '\n');
    return end->out.len >= COPY_FLUSH ? end_flush(end, e) : 0;
}

static int end_write_end(struct copy_end *end, struct errbuf *e)
{
    int status = end->out.len ? end_flush(end, e) : 0;
    PGresult *result;

    if (status == 0 && PQputCopyEnd(end->handle, NULL) != 1)
        status = end_failed(end, e);
    while (status == 0 && (result = PQgetResult(end->handle)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            status = end_failed(end, e);
        PQclear(result);
    }
    if (status == 0 && strcmp(end->table->name, "sessions") == 0) /* numbers go on after them */
        status = end_exec(end,
                          "SELECT setval(pg_get_serial_sequence('sessions', 'key'), max(key))"
                          " FROM sessions HAVING max(key) > 0",
                          e);
    return status;
}

static int end_commit(struct copy_end *end, struct errbuf *e)
{
    return end_exec(end, "COMMIT", e);
}

const struct copy_end_ops pg_copy_end = {
    .open = end_open,
    .count = end_count,
    .read_start = end_read_start,
    .read_next = end_read_next,
    .write_start = end_write_start,
    .write = end_write,
    .write_end = end_write_end,
    .least = end_least,
    .commit = end_commit,
    .close = end_close,
};
