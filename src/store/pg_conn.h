/* One connection to PostgreSQL: libpq's pipeline mode on the loop.
 *
 *     OFF ──pg_conn_open──> CONNECTING ──────> READY <──────> BUSY (a batch is under way)
 *      ^                        │ refused,       │ the peer      │ lost, or its deadline passed
 *      └────────────────────────┴── timeout ─────┴─ has gone ────┘
 *
 * A batch is a few statements and one Sync: one transaction, one round trip, unless it was begun
 * with PG_BEGIN, and then it goes on in the next batch. Its results are held until the next batch
 * begins. A statement is prepared in the batch that first uses it.
 *
 * Every wait has a limit: connecting PG_CONNECT_MS, a batch PG_BATCH_MS. When it passes, the
 * connection is dropped, as if the peer had gone.
 *
 * The server may not have noticed that: its process may still hold a batch of ours, unread. So a
 * writer is ready only when it has its lock, which ends with the process of the connection before;
 * that one is told to go. Nothing can be written twice, or late, by a ghost of ours.
 */
#ifndef SLUICE_STORE_PG_CONN_H
#define SLUICE_STORE_PG_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "store/pg_sql.h"

#define PG_CONNECT_MS 5000
#define PG_BATCH_MS   10000
#define PG_BATCH_MAX  32 /* statements of one batch */
#define PG_PARAMS_MAX 32
#define PG_GHOST_MS   50 /* between two looks whether it has gone */
#define PG_GHOST_MAX  100
/* Error classes that the store asks for by name. */
#define PG_STATE_EXPECT "SL001" /* sluice_expect() of the first migration */

enum pg_conn_state { PG_OFF, PG_CONNECTING, PG_WAITING /* for a ghost */, PG_READY, PG_BUSY };

struct pg_conn {
    /* In: set before pg_conn_open() */
    uv_loop_t *loop;
    const char *url;
    bool reader;       /* reads as of one moment, and cannot write */
    int32_t lock[2];   /* held in the database by one connection at a time; 0: none */
    unsigned batch_ms; /* PG_BATCH_MS */
    /* Called from the loop, each as its last act: the batch has been answered (`failed` and `error`
     * say how); the connection can be used; there is none any more (what was under way is lost). */
    void (*answered)(struct pg_conn *c);
    void (*ready)(struct pg_conn *c);
    void (*lost)(struct pg_conn *c);
    void *data;

    /* Out */
    enum pg_conn_state state;
    int failed;          /* of the batch: 0 or an error of ours */
    char sqlstate[6];    /* of its first failure */
    struct errbuf error; /* of that, or why the connection was lost */
    bool in_transaction; /* after a batch: begun, and neither committed nor taken back */

    /* Private */
    PGconn *handle;
    uv_poll_t *poll;
    int polled; /* the events that it waits for */
    uv_timer_t *timer;
    int greetings; /* batches that set the session up, so far; 0: it is set up */
    bool prepared[PG_SQL_COUNT];
    struct pg_item {
        enum pg_sql sql;
        bool is_prepare;
        PGresult *result;
    } items[2 * PG_BATCH_MAX];
    int item_count, item_answered;
    bool send_failed;
};

/* Begins to connect; `ready` or `lost` tells how it went, later. */
void pg_conn_open(struct pg_conn *c);
/* The same with a connection to that URL that stands, and has nothing under way: it is ours now. */
void pg_conn_take(struct pg_conn *c, PGconn *handle);
/* At once, without a word; no callback comes any more. May be opened again. */
void pg_conn_close(struct pg_conn *c);

/* ---- a batch ---- */

/* One statement's parameters, from left to right. The bytes are copied when the next statement
 * begins or the batch is sent. */
struct pgq {
    struct pg_conn *conn;
    enum pg_sql sql;
    int count;
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
    uint8_t numbers[PG_PARAMS_MAX][8];
};
void pgq_start(struct pgq *q, struct pg_conn *c, enum pg_sql sql);
void pgq_i64(struct pgq *q, int64_t v);
void pgq_bool(struct pgq *q, bool v);
void pgq_str(struct pgq *q, struct str s); /* NULL stays NULL */
void pgq_id(struct pgq *q, const struct id *id);
void pgq_id_or_null(struct pgq *q, const struct id *id); /* zero: NULL */
void pgq_bytes(struct pgq *q, const struct buf *b);      /* as they are: an array, see pg_array.h */
void pgq_end(struct pgq *q);                             /* adds the statement to the batch */
/* Statements without parameters. */
void pg_conn_add(struct pg_conn *c, enum pg_sql sql);
/* Sends what was added; `answered` comes later. */
void pg_conn_send(struct pg_conn *c);

/* ---- its results ---- */

/* The result of the n-th statement of the last batch, row by row:
 * pgr_open(&r, c, 0); while (pgr_next(&r)) { pgr_i64(&r); … } */
struct pgr {
    PGresult *result;
    int row, column; /* the next column */
    bool corrupt;    /* a column did not read back */
};
void pgr_open(struct pgr *r, const struct pg_conn *c, int n);
void pgr_open_last(struct pgr *r, const struct pg_conn *c); /* of its last statement */
bool pgr_next(struct pgr *r);
int64_t pgr_i64(struct pgr *r); /* NULL: 0 */
bool pgr_bool(struct pgr *r);
struct str pgr_str(struct pgr *r, struct arena *a);
/* A text or the packed form of one (base/pack.h), told apart by their first byte. */
struct str pgr_text(struct pgr *r, struct arena *a);
struct str pgr_json(struct pgr *r, struct arena *a); /* such; corrupt unless JSON, or NULL */
void pgr_id(struct pgr *r, struct id *out);          /* NULL: zero */
int64_t pgr_changed(const struct pg_conn *c, int n); /* rows that the n-th statement wrote */

/* ---- also used without a loop ---- */

/* Connects and waits for it, at most PG_CONNECT_MS; PQfinish() it. ERR_UNAVAILABLE. */
int pg_connect_now(const char *url, PGconn **out, struct errbuf *e);
/* Our code for PostgreSQL's. */
int pg_error_code(const char *sqlstate);
/* Its own words, on one line. */
void pg_error_text(struct errbuf *e, const char *text);

#endif
