/* Rows on their way in, as PostgreSQL wants them for unnest(): one binary array for each column.
 *
 *     pg_rows_begin(r);                  the next row: its columns from left to right
 *     pg_rows_id(r, &session_id);
 *     pg_rows_i64(r, seq);
 *     …
 *     pg_rows_add(r, conn);              the statement, with all rows as its parameters
 */
#ifndef SLUICE_STORE_PG_ARRAY_H
#define SLUICE_STORE_PG_ARRAY_H

#include "store/pg_conn.h"

#define PG_COLUMNS_MAX 32
#define PG_ROWS_MAX    (256u << 20) /* bytes of a statement: PostgreSQL takes less than 1 GB */
#define PG_KEEP_MAX    (1u << 20)   /* bytes of a column's memory that are kept for the next time */

struct pg_rows {
    enum pg_sql sql;
    enum pg_sql
        one;  /* the statement of a single row with the same parameters, as plain values; or 0 */
    int ones; /* at most so many rows are written by it, one after the other */
    const char
        *types; /* a letter for each column: u(uid), i(nteger), t(ext), b(oolean), y (bytea) */
    int columns, count;
    int at; /* the next column */
    size_t bytes;
    bool overflow; /* more than PG_ROWS_MAX */
    struct buf column[PG_COLUMNS_MAX];
};

void pg_rows_init(struct pg_rows *r, enum pg_sql sql, const char *types);
void pg_rows_deinit(struct pg_rows *r);
void pg_rows_clear(struct pg_rows *r);

void pg_rows_begin(struct pg_rows *r);
void pg_rows_id(struct pg_rows *r, const struct id *id);
void pg_rows_id_or_null(struct pg_rows *r, const struct id *id); /* zero: NULL */
void pg_rows_i64(struct pg_rows *r, int64_t v);
void pg_rows_bool(struct pg_rows *r, bool v);
void pg_rows_str(struct pg_rows *r, struct str s);    /* NULL stays NULL */
void pg_rows_bytes(struct pg_rows *r, struct str s);  /* NULL becomes empty */
void pg_rows_packed(struct pg_rows *r, struct str s); /* bytes; NULL stays NULL */

/* Fills in what stands before the elements of each array: after it, a column is a parameter. */
void pg_rows_close(struct pg_rows *r);
/* Closes the arrays and gives them to q as its next parameters. */
void pg_rows_bind(struct pg_rows *r, struct pgq *q);
/* The first row alone, as plain values: the parameters of `one`. */
void pg_rows_bind_first(struct pg_rows *r, struct pgq *q);
/* The whole statement, or `one` for each of few rows; nothing when there are no rows. */
void pg_rows_add(struct pg_rows *r, struct pg_conn *c);

/* A float4[] by itself. */
void pg_floats_write(struct buf *out, const float *v, unsigned count);
/* The other way: a float4[] as the server sends it, of exactly `count` elements. False: it is none.
 */
bool pg_floats_read(struct str bytes, float *out, unsigned count);

#endif
