/* STORE_RETENTION: one bounded step, in the writer's transaction like any write, so that commits
 * are held up no longer than such a step takes.
 *
 * A long log is folded over several steps. Until the last one sessions.folded_seq is negative: what
 * stands there without its sign is true already, and the session is still among those that are to
 * be folded. */
#include <stdio.h>

#include "store/rules.h"
#include "store/sqlite_store.h"

#define RETENTION_EVENT_ROWS                                                                       \
    4000                         /* deleted or folded in a step, and as many as are read at once   \
                                  */
#define RETENTION_FEW_ROWS  1000 /* keys, commands */
#define RETENTION_READ_ROWS 256  /* in memory at once while a log is folded */
#define RETENTION_PAGES     1000 /* of 4 kB, given back in a step */

struct retention_session {
    int64_t key, last_seq;
    int64_t folded_seq; /* negative: it was begun */
};

/* Sessions that ended before `before`, up to max; gives how many. */
static int retention_ended(struct sqlite_db *db, enum sqlite_sql sql, int64_t before, int max,
                           struct retention_session *out)
{
    struct sqlq q;
    int n = 0, more;

    sqlq_start(&q, db, sql);
    sqlq_bind_i64(&q, before);
    sqlq_bind_i64(&q, max);
    while ((more = sqlq_next(&q)) > 0) {
        out[n].key = sqlq_i64(&q);
        out[n].last_seq = sqlq_i64(&q);
        out[n++].folded_seq = sqlq_i64(&q);
    }
    return more < 0 ? more : n;
}

static int retention_mark(struct sqlite_db *db, int64_t key, int64_t folded_seq)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SESSION_FOLDED);
    sqlq_bind_i64(&q, folded_seq);
    sqlq_bind_i64(&q, key);
    return sqlq_run(&q);
}

/* Of what it loses here nothing may come back from the ring. */
static int retention_settle(struct sqlite_db *db, int64_t key)
{
    int status = sqlite_recent_settle_key(db, key);

    return status < 0 ? status : sqlite_recent_forget(db, key);
}

/* ---- folding ---- */

struct retention_row {
    struct retention_row *next;
    int64_t rowid, at;
    struct event_row row;
};

/* The next rows with token frames after *seq, up to RETENTION_READ_ROWS of them; gives how many. */
static int fold_read(struct sqlite_db *db, struct arena *a, int64_t key, int64_t *seq,
                     struct retention_row **out)
{
    struct sqlq q;
    int n = 0, more;

    *out = NULL;
    sqlq_start(&q, db, SQL_EVENTS_WITH_TOKENS);
    sqlq_bind_i64(&q, key);
    sqlq_bind_i64(&q, *seq);
    sqlq_bind_i64(&q, RETENTION_READ_ROWS);
    while ((more = sqlq_next(&q)) > 0) {
        struct retention_row *r = arena_alloc(a, sizeof(*r));
        r->rowid = sqlq_i64(&q);
        r->row.seq_first = sqlq_i64(&q);
        r->row.seq_last = *seq = sqlq_i64(&q);
        r->at = sqlq_i64(&q);
        r->row.frames = sqlq_text(&q, a);
        *out = r;
        out = &r->next;
        n++;
    }
    return more < 0 ? more : n;
}

static int fold_replace(struct sqlite_db *db, int64_t key, const struct retention_row *r,
                        const struct event_row *kept)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_EVENTS_DELETE_ROW);
    sqlq_bind_i64(&q, r->rowid);
    int status = sqlq_run(&q);
    for (; kept && status == 0; kept = kept->next)
        status = sqlite_events_insert(db, key, r->at, kept);
    return status;
}

/* 1: it is folded; 0: the rest is for the next step. */
static int fold_session(struct sqlite_db *db, const struct retention_session *s, int *rows)
{
    int64_t gone = s->folded_seq < 0 ? -s->folded_seq - 1 : 0, seq = gone;
    struct retention_row *r;
    struct arena a;
    int status = retention_settle(db, s->key), n = 1;

    while (n > 0 && status == 0 && *rows < RETENTION_EVENT_ROWS) {
        arena_init(&a);
        n = fold_read(db, &a, s->key, &seq, &r);
        for (; n > 0 && r && status == 0; r = r->next) {
            int64_t last = 0;
            struct event_row *kept = rules_fold(&a, &r->row, &last);
            if (last == 0)
                continue;
            gone = last;
            status = fold_replace(db, s->key, r, kept);
        }
        *rows += n > 0 ? n : 0;
        arena_deinit(&a);
    }
    if (n < 0 || status < 0)
        return n < 0 ? n : status;
    status = retention_mark(db, s->key, n == 0 ? gone + 1 : -(gone + 1));
    return status < 0 ? status : n == 0;
}

static int retention_fold(struct sqlite_db *db, struct store_retention *r, int *left, int *rows)
{
    struct retention_session *found =
        arena_alloc(&r->req.arena, sizeof(*found) * (size_t)(*left + 1));
    int n = retention_ended(db, SQL_ENDED_WHOLE, r->fold_before, *left, found);
    int status = n < 0 ? n : 0;

    for (int i = 0; i < n && status == 0; i++) {
        status = *rows < RETENTION_EVENT_ROWS ? fold_session(db, &found[i], rows) : 0;
        if (status == 0) {
            r->more = true;
            break;
        }
        r->folded += status > 0;
        --*left;
        status = status < 0 ? status : 0;
    }
    return status;
}

/* ---- deleting ---- */

/* Its events first, some at a time: a long log would hold the writer up. */
static int delete_session(struct sqlite_db *db, struct store_retention *r,
                          const struct retention_session *s, int *rows)
{
    int budget = RETENTION_EVENT_ROWS - *rows;
    struct sqlq q;

    int status = retention_settle(db, s->key);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_EVENTS_DELETE_SOME);
    sqlq_bind_i64(&q, s->key);
    sqlq_bind_i64(&q, budget);
    status = sqlq_run(&q);
    if (status < 0)
        return status;
    int deleted = sqlite3_changes(db->handle);
    *rows += deleted;
    if (deleted == budget) { /* there may be more of them: until then, no reader gets half */
        r->more = true;
        return retention_mark(db, s->key, s->last_seq + 1);
    }
    status = sqlite_session_drop(db, s->key);
    r->deleted += status == 0;
    return status;
}

static int retention_delete(struct sqlite_db *db, struct store_retention *r, enum sqlite_sql sql,
                            int *left, int *rows)
{
    struct retention_session *found =
        arena_alloc(&r->req.arena, sizeof(*found) * (size_t)(*left + 1));
    int n = retention_ended(db, sql, r->delete_before, *left, found);
    int status = n < 0 ? n : 0;

    for (int i = 0; i < n && status == 0 && *rows < RETENTION_EVENT_ROWS; i++, --*left)
        status = delete_session(db, r, &found[i], rows);
    return status;
}

static int retention_few(struct sqlite_db *db, struct store_retention *r, enum sqlite_sql sql,
                         int64_t before)
{
    struct sqlq q;

    if (before == 0)
        return 0;
    sqlq_start(&q, db, sql);
    sqlq_bind_i64(&q, before);
    sqlq_bind_i64(&q, RETENTION_FEW_ROWS);
    int status = sqlq_run(&q);
    if (status == 0 && sqlite3_changes(db->handle) == RETENTION_FEW_ROWS)
        r->more = true;
    return status;
}

/* Pages go from the list of free ones to the end of the file, and the next checkpoint cuts it. */
static int retention_shrink(struct sqlite_db *db, struct store_retention *r)
{
    int64_t pages = 0;
    char sql[64];
    struct sqlq q;

    sqlq_start(&q, db, SQL_FREE_PAGES);
    int more = sqlq_next(&q);
    if (more > 0) {
        pages = sqlq_i64(&q);
        sqlq_end(&q);
    }
    if (more < 0 || pages == 0)
        return more < 0 ? more : 0;
    r->more = r->more || pages > RETENTION_PAGES;
    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", RETENTION_PAGES);
    return sqlite_db_exec(db, sql);
}

int sqlite_retention(struct sqlite_db *db, struct store_retention *r)
{
    int limit = rules_retention_limit(r->limit), left = limit, rows = 0, status = 0;

    r->folded = r->deleted = 0;
    r->more = false;
    if (r->delete_before > 0)
        status = retention_delete(db, r, SQL_ENDED_FOLDED, &left, &rows);
    if (status == 0 && r->delete_before > 0 && left > 0)
        status = retention_delete(db, r, SQL_ENDED_WHOLE, &left, &rows);
    if (status == 0 && r->fold_before > 0 && left > 0)
        status = retention_fold(db, r, &left, &rows);
    if (status == 0)
        status = retention_few(db, r, SQL_IDEMPOTENCY_TIDY, r->idempotency_before);
    if (status == 0)
        status = retention_few(db, r, SQL_COMMANDS_TIDY, r->commands_before);
    if (left == 0 || rows >= RETENTION_EVENT_ROWS)
        r->more = true;
    return status < 0 || r->more ? status : retention_shrink(db, r);
}
