#include "store/sqlite_db.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/pack.h"
#include "store/sqlite_vfs.h"

/* Memory that stays with a connection after a busy time. What is hot in the file is cached by the
 * system anyway, and copied from there in a microsecond. No memory map: an input error, or a file
 * cut short by a full disk, would be a SIGBUS instead of an error. */
#define SQLITE_WRITER_CACHE_KB 4000
#define SQLITE_READER_CACHE_KB 1000
#define SQLITE_BUSY_MS         2000

static const char *sqlite_db_pragmas(enum sqlite_role role)
{
    switch (role) {
    case SQLITE_ROLE_WRITER:
    case SQLITE_ROLE_CHECKPOINT:
        /* auto_vacuum can only be chosen before the first table is made: deleted sessions give
         * their space back. secure_delete is on in Debian; FAST clears only where it is free. */
        return "PRAGMA auto_vacuum = INCREMENTAL;"
               "PRAGMA journal_mode = WAL;"
               "PRAGMA synchronous = FULL;"
               "PRAGMA wal_autocheckpoint = 0;"
               "PRAGMA foreign_keys = ON;"
               "PRAGMA secure_delete = FAST;";
    case SQLITE_ROLE_READER:
        return "PRAGMA query_only = ON;";
    }
    return "";
}

static int sqlite_db_is_wal(void *out, int columns, char **values, char **names)
{
    (void)names;
    *(bool *)out = columns == 1 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

/* Asking for WAL is no error where it cannot be had: a network file system without shared memory.
 */
static int sqlite_db_check_wal(struct sqlite_db *db)
{
    bool is_wal = false;
    int code = sqlite3_exec(db->handle, "PRAGMA journal_mode", sqlite_db_is_wal, &is_wal, NULL);

    if (code != SQLITE_OK)
        return sqlite_db_fail(db, code);
    if (!is_wal)
        return sqlite_db_refuse(db, ERR_IO, "database: this file system cannot hold a WAL");
    return 0;
}

/* Who writes does so with FULL, as these file systems want it. */
static const char *sqlite_db_vfs(enum sqlite_role role)
{
    switch (role) {
    case SQLITE_ROLE_WRITER:
        return SQLITE_VFS_NAME;
    case SQLITE_ROLE_CHECKPOINT:
        return SQLITE_VFS_CHECKPOINT;
    case SQLITE_ROLE_READER:
        return NULL;
    }
    return NULL;
}

static int vfs_status;

static void sqlite_db_register(void)
{
    vfs_status = sqlite_vfs_register();
}

int sqlite_db_open(struct sqlite_db *db, const char *path, enum sqlite_role role)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char cache[64];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;

    *db = (struct sqlite_db){0};
    if (role == SQLITE_ROLE_WRITER)
        flags |= SQLITE_OPEN_CREATE;
    pthread_once(&once, sqlite_db_register);
    int code = vfs_status;
    if (code == SQLITE_OK)
        code = sqlite3_open_v2(path, &db->handle, flags, sqlite_db_vfs(role));
    if (code != SQLITE_OK) {
        int status = sqlite_db_fail(db, code);
        sqlite_db_close(db);
        return status;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, SQLITE_BUSY_MS);
    snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d;",
             role == SQLITE_ROLE_READER ? SQLITE_READER_CACHE_KB : SQLITE_WRITER_CACHE_KB);
    int status = sqlite_db_exec(db, sqlite_db_pragmas(role));
    if (status == 0)
        status = sqlite_db_exec(db, cache);
    if (status == 0)
        status = sqlite_db_check_wal(db);
    if (status < 0)
        sqlite_db_close(db);
    return status;
}

void sqlite_db_close(struct sqlite_db *db)
{
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(db->stmts[i]);
    memset(db->stmts, 0, sizeof(db->stmts));
    if (sqlite3_close(db->handle) != SQLITE_OK)
        log_error("store", "a statement was left open");
    db->handle = NULL;
    packer_destroy(db->packer);
    db->packer = NULL;
}

struct packer *sqlite_packer(struct sqlite_db *db)
{
    if (!db->packer)
        db->packer = packer_create();
    return db->packer;
}

/* The primary code is the low byte of SQLite's extended ones. */
static int sqlite_db_err(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
        return ERR_UNAVAILABLE;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ERR_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return ERR_CORRUPT;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    default:
        return ERR_INTERNAL;
    }
}

int sqlite_db_fail(struct sqlite_db *db, int sqlite_code)
{
    const char *words = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(sqlite_code);

    db->failed = true;
    return err_set(&db->error, sqlite_db_err(sqlite_code), "database: %s (%d)", words, sqlite_code);
}

int sqlite_db_refuse(struct sqlite_db *db, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_vset(&db->error, code, fmt, ap);
    va_end(ap);
    return code;
}

int sqlite_db_corrupt(struct sqlite_db *db, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_vset(&db->error, ERR_CORRUPT, fmt, ap);
    va_end(ap);
    return ERR_CORRUPT;
}

int sqlite_db_exec(struct sqlite_db *db, const char *sql)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : sqlite_db_fail(db, code);
}

static int sqlite_db_simple(struct sqlite_db *db, enum sqlite_sql sql)
{
    struct sqlq q;

    sqlq_start(&q, db, sql);
    return sqlq_run(&q);
}

int sqlite_db_begin(struct sqlite_db *db, bool to_write)
{
    db->failed = false;
    return sqlite_db_simple(db, to_write ? SQL_BEGIN_WRITE : SQL_BEGIN_READ);
}

int sqlite_db_commit(struct sqlite_db *db)
{
    int status = sqlite_db_simple(db, SQL_COMMIT);

    if (status < 0)
        sqlite_db_rollback(db);
    return status;
}

void sqlite_db_rollback(struct sqlite_db *db)
{
    struct errbuf reason = db->error;

    /* SQLite may have rolled back by itself: a full disk, an input error. */
    if (!sqlite3_get_autocommit(db->handle) && sqlite_db_simple(db, SQL_ROLLBACK) < 0)
        log_error("store", "rollback: %s", db->error.text);
    db->error = reason;
}

int sqlite_db_savepoint(struct sqlite_db *db)
{
    return sqlite_db_simple(db, SQL_SAVEPOINT);
}

int sqlite_db_release(struct sqlite_db *db, bool keep)
{
    struct errbuf reason = db->error;

    db->failed = false;
    if (!keep && sqlite_db_simple(db, SQL_SAVEPOINT_BACK) < 0)
        return ERR_IO;
    int status = sqlite_db_simple(db, SQL_SAVEPOINT_RELEASE);
    if (status == 0)
        db->error = reason;
    return status;
}

void sqlq_start(struct sqlq *q, struct sqlite_db *db, enum sqlite_sql sql)
{
    *q = (struct sqlq){.db = db};
    if (!db->stmts[sql]) {
        int code = sqlite3_prepare_v3(db->handle, sqlite_sql_texts[sql], -1,
                                      SQLITE_PREPARE_PERSISTENT, &db->stmts[sql], NULL);
        if (code != SQLITE_OK)
            q->status = sqlite_db_fail(db, code);
    }
    q->stmt = db->stmts[sql];
}

static void sqlq_bound(struct sqlq *q, int code)
{
    if (code != SQLITE_OK && q->status == 0)
        q->status = sqlite_db_fail(q->db, code);
}

void sqlq_bind_i64(struct sqlq *q, int64_t v)
{
    if (q->status == 0)
        sqlq_bound(q, sqlite3_bind_int64(q->stmt, ++q->at, v));
}

void sqlq_bind_i64_or_null(struct sqlq *q, int64_t v)
{
    if (v == 0)
        sqlq_bind_str(q, STR_NULL);
    else
        sqlq_bind_i64(q, v);
}

void sqlq_bind_str(struct sqlq *q, struct str s)
{
    if (q->status < 0)
        return;
    q->at++;
    if (s.p)
        sqlq_bound(q, sqlite3_bind_text64(q->stmt, q->at, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8));
    else
        sqlq_bound(q, sqlite3_bind_null(q->stmt, q->at));
}

void sqlq_bind_blob(struct sqlq *q, struct str s)
{
    if (q->status == 0)
        sqlq_bound(q, sqlite3_bind_blob64(q->stmt, ++q->at, s.p ? s.p : "", s.n, SQLITE_STATIC));
}

void sqlq_bind_packed(struct sqlq *q, struct str s)
{
    if (s.p)
        sqlq_bind_blob(q, s);
    else
        sqlq_bind_str(q, s);
}

void sqlq_bind_id(struct sqlq *q, const struct id *id)
{
    if (q->status == 0)
        sqlq_bound(q, sqlite3_bind_blob(q->stmt, ++q->at, id->b, sizeof(id->b), SQLITE_STATIC));
}

void sqlq_bind_id_or_null(struct sqlq *q, const struct id *id)
{
    if (id_is_zero(*id))
        sqlq_bind_str(q, STR_NULL);
    else
        sqlq_bind_id(q, id);
}

int sqlq_run(struct sqlq *q)
{
    int more = sqlq_next(q);

    if (more > 0)
        sqlq_end(q);
    return more < 0 ? more : 0;
}

int sqlq_next(struct sqlq *q)
{
    if (q->status == 0) {
        q->at = 0;
        int code = sqlite3_step(q->stmt);
        if (code == SQLITE_ROW)
            return 1;
        if (code != SQLITE_DONE)
            q->status = sqlite_db_fail(q->db, code);
    }
    sqlq_end(q);
    return q->status;
}

void sqlq_end(struct sqlq *q)
{
    sqlite3_reset(q->stmt); /* takes NULL; repeats the error that the step gave */
}

void sqlq_rewind(struct sqlq *q)
{
    q->at = 0;
}

/* Whether the next column is of this type; NULL is no error but has nothing to read. */
static bool sqlq_column(struct sqlq *q, int type)
{
    int found = sqlite3_column_type(q->stmt, q->at);

    if (found != type && found != SQLITE_NULL)
        q->corrupt = true;
    return found == type;
}

int64_t sqlq_i64(struct sqlq *q)
{
    int64_t v = sqlq_column(q, SQLITE_INTEGER) ? sqlite3_column_int64(q->stmt, q->at) : 0;

    q->at++;
    return v;
}

struct str sqlq_str(struct sqlq *q, struct arena *arena)
{
    struct str s = STR_NULL;

    if (sqlq_column(q, SQLITE_TEXT)) {
        s.p = (const char *)sqlite3_column_text(q->stmt, q->at);
        s.n = (size_t)sqlite3_column_bytes(q->stmt, q->at);
        s.p = arena_strdup(arena, s);
    }
    q->at++;
    return s;
}

struct str sqlq_blob(struct sqlq *q, struct arena *arena)
{
    struct str s = STR_NULL;

    if (sqlq_column(q, SQLITE_BLOB)) {
        s.p = sqlite3_column_blob(q->stmt, q->at); /* NULL when it is empty */
        s.n = (size_t)sqlite3_column_bytes(q->stmt, q->at);
        s.p = arena_strdup(arena, s.p ? s : STR(""));
    }
    q->at++;
    return s;
}

struct str sqlq_text(struct sqlq *q, struct arena *arena)
{
    struct str s = STR_NULL, packed;

    if (sqlite3_column_type(q->stmt, q->at) != SQLITE_BLOB)
        return sqlq_str(q, arena);
    packed.p = sqlite3_column_blob(q->stmt, q->at);
    packed.n = (size_t)sqlite3_column_bytes(q->stmt, q->at);
    if (unpack(packed, arena, &s) < 0)
        q->corrupt = true;
    q->at++;
    return s;
}

struct str sqlq_json(struct sqlq *q, struct arena *arena)
{
    struct json_limits limits = {.bytes_max = 1u << 30};
    struct str s = sqlq_text(q, arena);

    /* Deeper than a peer may send is no damage: we may have nested it ourselves. */
    if (s.p && json_check(s, &limits, NULL) == ERR_INVALID)
        q->corrupt = true;
    return s;
}

void sqlq_id(struct sqlq *q, struct id *out)
{
    *out = (struct id){{0}};
    if (sqlq_column(q, SQLITE_BLOB)) {
        if (sqlite3_column_bytes(q->stmt, q->at) == sizeof(out->b))
            memcpy(out->b, sqlite3_column_blob(q->stmt, q->at), sizeof(out->b));
        else
            q->corrupt = true;
    }
    q->at++;
}
