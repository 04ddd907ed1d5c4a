/* A whole store copied into another one, of the same kind or of the other.
 *
 *     from ── rows of a table, as plain values ──> hash ──> to      one transaction on each side:
 *                                                                   what is read is of one moment,
 *     to ──── the same rows read back ───────────> hash, compared   what is written is all or none
 *
 * A table is described once for both kinds (copy_tables.c); a store brings an `end`, which turns
 * its own types into the values below. No server may run on either side, the target must be empty.
 */
#ifndef SLUICE_STORE_COPY_H
#define SLUICE_STORE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* Copies everything but `instances`. from and to: "sqlite:DIR" or postgres://…; `to` is migrated
 * first. Tells what it does through `say`. ERR_INVALID: a URL of another kind; ERR_UNAVAILABLE: a
 * server runs there, or it cannot be reached; ERR_CONFLICT: the target is not empty; ERR_CORRUPT:
 * what was written does not read back the same. On failure the target is as it was, but for its
 * schema. */
int store_copy(const char *from, const char *to, void (*say)(const char *line), struct errbuf *e);

/* The SQLite store of DIR, as of one moment, into a new FILE; a server may run on DIR. The copy is
 * checked before it gets its name. ERR_CONFLICT: FILE exists. ERR_NOT_FOUND: there is no store in
 * DIR. ERR_IO, ERR_CORRUPT. (sqlite_backup.c) */
int sqlite_backup(const char *dir, const char *file, void (*say)(const char *line),
                  struct errbuf *e);

/* ---- tables ---- */

#define COPY_COLUMNS_MAX 40

/* What a column holds; the letters are those of copy_tables.c. */
enum copy_kind {
    COPY_INT = 'i',
    COPY_REAL = 'r',
    COPY_TEXT = 't',
    COPY_BYTES = 'b',
    COPY_BOOL = 'f',      /* SQLite 0 or 1 */
    COPY_ID = 'u',        /* SQLite: 16 bytes */
    COPY_JSON = 'j',      /* PostgreSQL: jsonb, so that only what it means is kept */
    COPY_FLOATS = 'e',    /* PostgreSQL: float4[]; SQLite: little-endian float32 */
    COPY_WORKSPACE = 'w', /* SQLite: its key; the value is its name */
    COPY_SESSION = 's',   /* SQLite: `session`, its key; PostgreSQL: `session_id`. The value is the
                             id */
};
struct copy_column {
    struct str name;
    enum copy_kind kind;
};
struct copy_table {
    const char *name;
    int count;
    struct copy_column columns[COPY_COLUMNS_MAX];
};
#define COPY_TABLES_MAX 40
/* All tables, parents before children; gives how many. */
int copy_tables(struct copy_table out[COPY_TABLES_MAX]);

/* ---- values ---- */

enum copy_is { COPY_IS_NULL, COPY_IS_INT, COPY_IS_REAL, COPY_IS_BYTES };
struct copy_value {
    enum copy_is is;
    int64_t i; /* also bool */
    double r;
    struct str s; /* text, JSON, ids and bytes; lives until the next row is read */
};

/* One side. All give 0 or an error with its sentence in e (never NULL). */
struct copy_end;
struct copy_end_ops {
    /* Begins its transaction; `writes`: it is the target, and is migrated. */
    int (*open)(struct copy_end **out, const char *url, bool writes, struct errbuf *e);
    int (*count)(struct copy_end *end, const char *table, int64_t *out, struct errbuf *e);
    int (*read_start)(struct copy_end *end, const struct copy_table *t, struct errbuf *e);
    /* 1: a row; 0: that was the last one, and the reading is over. */
    int (*read_next)(struct copy_end *end, struct copy_value *values, struct errbuf *e);
    /* at_least: the time of the oldest event that will come, 0 for other tables. */
    int (*write_start)(struct copy_end *end, const struct copy_table *t, int64_t at_least,
                       struct errbuf *e);
    int (*write)(struct copy_end *end, const struct copy_value *values, struct errbuf *e);
    int (*write_end)(struct copy_end *end, struct errbuf *e);
    int (*least)(struct copy_end *end, const char *table, const char *column, int64_t *out,
                 struct errbuf *e);
    int (*commit)(struct copy_end *end, struct errbuf *e);
    void (*close)(struct copy_end *end); /* what was not committed is taken back */
};
extern const struct copy_end_ops sqlite_copy_end, pg_copy_end;

/* Counts, and a sum over the rows' hashes: the same whatever the order. */
struct copy_sum {
    int64_t rows;
    uint64_t a, b;
};
void copy_sum_add(struct copy_sum *sum, const struct copy_table *t, const struct copy_value *row);

#endif
