/* One connection to the SQLite file, its prepared statements, and calls of them.
 *
 * A connection belongs to one thread. A statement is named by enum sqlite_sql (the texts are in
 * sqlite_sql.c), prepared when it is first used, and kept. A call of one reads
 *
 *     struct sqlq q;
 *     sqlq_start(&q, db, SQL_TIMER_DELETE);
 *     sqlq_bind_i64(&q, session_key);
 *     sqlq_bind_id(&q, timer_id);
 *     return sqlq_run(&q);
 *
 * Parameters are bound from left to right, columns read from left to right. What is bound must
 * live until the call ends. The first failure of a call sticks: sqlq_run() and sqlq_next() return
 * it, db->failed is set, and db->error says it in a sentence.
 */
#ifndef SLUICE_STORE_SQLITE_DB_H
#define SLUICE_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "store/sqlite_sql.h"

struct sqlite_recent; /* sqlite_recent.h */
struct recent_view;

struct sqlite_db {
    sqlite3 *handle;
    sqlite3_stmt *stmts[SQL_COUNT];
    struct packer *packer; /* see sqlite_packer() */
    bool failed;           /* since sqlite_db_begin: the transaction must be rolled back */
    bool careful; /* a commit was refused as a whole: find out which of its deltas it was */
    struct sqlite_recent *recent;   /* the writer's; NULL: events go to session_events alone */
    const struct recent_view *view; /* a reader's, while it reads */
    struct errbuf error;            /* of the last failure */
};

enum sqlite_role {
    SQLITE_ROLE_WRITER,
    SQLITE_ROLE_CHECKPOINT, /* copies the WAL back beside the writer */
    SQLITE_ROLE_READER,
};

/* Opens path, creating it if need be. A second process is no concern here: see sqlite_lock.h. */
int sqlite_db_open(struct sqlite_db *db, const char *path, enum sqlite_role role);
void sqlite_db_close(struct sqlite_db *db);
/* Sets db->failed and db->error from SQLite's own words, and returns our code for theirs. */
int sqlite_db_fail(struct sqlite_db *db, int sqlite_code);
/* An error of ours that leaves the transaction whole: not found, stale, in conflict. */
int sqlite_db_refuse(struct sqlite_db *db, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Stored bytes that do not read back: ERR_CORRUPT. */
int sqlite_db_corrupt(struct sqlite_db *db, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int sqlite_db_exec(struct sqlite_db *db, const char *sql); /* several statements; no results */

/* What packs texts on this connection; made when it is first asked for. */
struct packer *sqlite_packer(struct sqlite_db *db);

int sqlite_db_begin(struct sqlite_db *db, bool to_write);
/* On failure the transaction is rolled back. */
int sqlite_db_commit(struct sqlite_db *db);
void sqlite_db_rollback(struct sqlite_db *db);
/* A transaction within the transaction: what was written since is taken back, and db->failed with
 * it, or kept. */
int sqlite_db_savepoint(struct sqlite_db *db);
int sqlite_db_release(struct sqlite_db *db, bool keep);

struct sqlq {
    struct sqlite_db *db;
    sqlite3_stmt *stmt;
    int at;       /* last parameter bound, or next column */
    int status;   /* sticky */
    bool corrupt; /* a column did not have its type */
};

void sqlq_start(struct sqlq *q, struct sqlite_db *db, enum sqlite_sql sql);
void sqlq_bind_i64(struct sqlq *q, int64_t v);
void sqlq_bind_i64_or_null(struct sqlq *q, int64_t v); /* 0: NULL */
void sqlq_bind_str(struct sqlq *q, struct str s);      /* NULL stays NULL */
void sqlq_bind_blob(struct sqlq *q, struct str s);     /* NULL becomes empty */
void sqlq_bind_packed(struct sqlq *q, struct str s);   /* NULL stays NULL */
void sqlq_bind_id(struct sqlq *q, const struct id *id);
void sqlq_bind_id_or_null(struct sqlq *q, const struct id *id); /* zero: NULL */
/* Carries out a statement without results: 0 or an error. The call is over. */
int sqlq_run(struct sqlq *q);
/* The next row: 1; 0: no more, the call is over; an error: the call is over. */
int sqlq_next(struct sqlq *q);
/* Ends a call before its last row; must follow sqlq_next() == 1 sooner or later, and may always. */
void sqlq_end(struct sqlq *q);

void sqlq_rewind(struct sqlq *q); /* the next column is the first one again */
int64_t sqlq_i64(struct sqlq *q); /* NULL: 0 */
struct str sqlq_str(struct sqlq *q, struct arena *arena);
/* A text, or the packed form of one (base/pack.h), which is a BLOB. */
struct str sqlq_text(struct sqlq *q, struct arena *arena);
struct str sqlq_json(struct sqlq *q, struct arena *arena); /* such; corrupt unless JSON, or NULL */
struct str sqlq_blob(struct sqlq *q, struct arena *arena);
void sqlq_id(struct sqlq *q, struct id *out); /* NULL: zero */

#endif
