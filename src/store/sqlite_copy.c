/* SQLite's end of a copy: the folder is locked for as long as it takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/copy.h"
#include "store/migrate.h"
#include "store/sqlite_store.h"

#define COPY_SQL_MAX 4096

struct copy_end {
    struct sqlite_db db;
    int lock_fd;
    const struct copy_table *table; /* that is read, or written */
    sqlite3_stmt *stmt;
};

static int end_fail(struct copy_end *end, int code, struct errbuf *e)
{
    int status = sqlite_db_fail(&end->db, code);

    *e = end->db.error;
    return status;
}

static int end_exec(struct copy_end *end, const char *sql, struct errbuf *e)
{
    int status = sqlite_db_exec(&end->db, sql);

    if (status < 0)
        *e = end->db.error;
    return status;
}

static void end_close(struct copy_end *end)
{
    sqlite3_finalize(end->stmt);
    if (end->db.handle && !sqlite3_get_autocommit(end->db.handle))
        sqlite_db_exec(&end->db, "ROLLBACK");
    sqlite_db_close(&end->db);
    if (end->lock_fd >= 0)
        close(end->lock_fd);
    free(end);
}

static int end_begin(struct copy_end *end, bool writes, struct errbuf *e)
{
    int status =
        sqlite_migrate_db(&end->db, writes ? MIGRATE_NEWEST : MIGRATE_CHECK, NULL, NULL, e);

    if (status == 0) {
        status = sqlite_recent_recover(&end->db); /* its server may have been killed */
        if (status < 0)
            *e = end->db.error;
    }
    /* A target without its rows' parents cannot be: the check is put off to the end. */
    if (status == 0 && writes)
        status = end_exec(end, "PRAGMA synchronous = FULL", e);
    if (status == 0)
        status = end_exec(end, writes ? "BEGIN IMMEDIATE" : "BEGIN", e);
    return status;
}

static int end_open(struct copy_end **out, const char *url, bool writes, struct errbuf *e)
{
    const char *dir = url + strlen("sqlite:");
    char *path = sqlite_path(dir);
    struct copy_end *end = mem_zalloc(sizeof(*end));
    int status = 0;

    end->lock_fd = -1;
    if (!writes && access(path, F_OK) < 0) /* looking must not make one */
        status = err_set(e, ERR_NOT_FOUND, "there is no store in %s", dir);
    if (status == 0)
        status = sqlite_lock(dir, 0, &end->lock_fd, e);
    if (status == 0) {
        status = sqlite_db_open(&end->db, path, SQLITE_ROLE_WRITER);
        if (status < 0)
            *e = end->db.error;
    }
    if (status == 0)
        status = end_begin(end, writes, e);
    free(path);
    if (status < 0)
        end_close(end);
    else
        *out = end;
    return status;
}

static int end_ask(struct copy_end *end, const char *sql, int64_t *out, struct errbuf *e)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(end->db.handle, sql, -1, &stmt, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    int status = code == SQLITE_ROW ? 0 : end_fail(end, code, e);
    sqlite3_finalize(stmt);
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

static int end_prepare(struct copy_end *end, const struct copy_table *t, const struct buf *sql,
                       struct errbuf *e)
{
    sqlite3_finalize(end->stmt);
    end->stmt = NULL;
    end->table = t;
    int code = sqlite3_prepare_v2(end->db.handle, sql->data, (int)sql->len, &end->stmt, NULL);
    return code == SQLITE_OK ? 0 : end_fail(end, code, e);
}

/* ---- reading ---- */

static int end_read_start(struct copy_end *end, const struct copy_table *t, struct errbuf *e)
{
    struct buf sql;

    buf_init(&sql, COPY_SQL_MAX);
    buf_append_z(&sql, "SELECT ");
    for (int i = 0; i < t->count; i++) {
        const struct copy_column *c = &t->columns[i];
        buf_append_z(&sql, i ? ", " : "");
        if (c->kind == COPY_WORKSPACE)
            buf_append_z(&sql, "(SELECT name FROM workspaces WHERE key = t.workspace)");
        else if (c->kind == COPY_SESSION)
            buf_append_z(&sql, "(SELECT id FROM sessions WHERE key = t.session)");
        else
            buf_printf(&sql, "t.%.*s", STR_FMT(c->name));
    }
    buf_printf(&sql, " FROM %s AS t", t->name);
    int status = end_prepare(end, t, &sql, e);
    buf_deinit(&sql);
    return status;
}

static struct copy_value end_value(sqlite3_stmt *stmt, int i)
{
    struct copy_value v = {.is = COPY_IS_NULL};

    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        v.is = COPY_IS_INT;
        v.i = sqlite3_column_int64(stmt, i);
        break;
    case SQLITE_FLOAT:
        v.is = COPY_IS_REAL;
        v.r = sqlite3_column_double(stmt, i);
        break;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        v.is = COPY_IS_BYTES;
        v.s.p = sqlite3_column_blob(stmt, i);
        v.s.n = (size_t)sqlite3_column_bytes(stmt, i);
        if (v.s.n == 0)
            v.s.p = "";
        break;
    }
    return v;
}

static int end_read_next(struct copy_end *end, struct copy_value *values, struct errbuf *e)
{
    int code = sqlite3_step(end->stmt);

    if (code != SQLITE_ROW) {
        int status = code == SQLITE_DONE ? 0 : end_fail(end, code, e);
        sqlite3_reset(end->stmt);
        return status;
    }
    for (int i = 0; i < end->table->count; i++)
        values[i] = end_value(end->stmt, i);
    return 1;
}

/* ---- writing ---- */

static int end_write_start(struct copy_end *end, const struct copy_table *t, int64_t at_least,
                           struct errbuf *e)
{
    struct buf sql;
    int status = 0;

    (void)at_least;
    if (strcmp(t->name, "workspaces") == 0) /* the default one is written like the others */
        status = end_exec(end, "DELETE FROM workspaces", e);
    if (status < 0)
        return status;
    buf_init(&sql, COPY_SQL_MAX);
    buf_printf(&sql, "INSERT INTO %s (", t->name);
    for (int i = 0; i < t->count; i++)
        buf_printf(&sql, "%s%.*s", i ? ", " : "", STR_FMT(t->columns[i].name));
    buf_append_z(&sql, ") VALUES (");
    for (int i = 0; i < t->count; i++) {
        enum copy_kind kind = t->columns[i].kind;
        buf_append_z(&sql, i ? ", " : "");
        buf_append_z(&sql, kind == COPY_WORKSPACE ? "(SELECT key FROM workspaces WHERE name = ?)"
                           : kind == COPY_SESSION ? "(SELECT key FROM sessions WHERE id = ?)"
                                                  : "?");
    }
    buf_append_z(&sql, ")");
    status = end_prepare(end, t, &sql, e);
    buf_deinit(&sql);
    return status;
}

static int end_bind(sqlite3_stmt *stmt, int i, enum copy_kind kind, const struct copy_value *v)
{
    bool bytes =
        kind == COPY_BYTES || kind == COPY_ID || kind == COPY_SESSION || kind == COPY_FLOATS;

    switch (v->is) {
    case COPY_IS_NULL:
        return sqlite3_bind_null(stmt, i);
    case COPY_IS_INT:
        return sqlite3_bind_int64(stmt, i, v->i);
    case COPY_IS_REAL:
        return sqlite3_bind_double(stmt, i, v->r);
    case COPY_IS_BYTES:
        return bytes ? sqlite3_bind_blob64(stmt, i, v->s.p, v->s.n, SQLITE_STATIC)
                     : sqlite3_bind_text64(stmt, i, v->s.p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
    }
    return SQLITE_MISUSE;
}

static int end_write(struct copy_end *end, const struct copy_value *values, struct errbuf *e)
{
    int code = SQLITE_OK;

    for (int i = 0; i < end->table->count && code == SQLITE_OK; i++)
        code = end_bind(end->stmt, i + 1, end->table->columns[i].kind, &values[i]);
    if (code == SQLITE_OK)
        code = sqlite3_step(end->stmt);
    int status = code == SQLITE_DONE ? 0 : end_fail(end, code, e);
    sqlite3_reset(end->stmt);
    return status;
}

static int end_write_end(struct copy_end *end, struct errbuf *e)
{
    (void)end;
    (void)e;
    return 0;
}

static int end_commit(struct copy_end *end, struct errbuf *e)
{
    sqlite3_finalize(end->stmt);
    end->stmt = NULL;
    return end_exec(end, "COMMIT", e);
}

const struct copy_end_ops sqlite_copy_end = {
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
