/* STORE_RETENTION: one bounded step, one transaction, on a connection of its own, so that no commit
 * waits for it. Sessions that another instance's step has locked are passed over.
 *
 *     find ──> delete, a session at a time while the step's rows last
 *          └─> fold: read rows with token frames ──> replace them, read the next ──> …  ──> COMMIT
 *
 * A long log is folded over several steps. Until the last one sessions.folded_seq is negative: what
 * stands there without its sign is true already, and the session is still among those that are to
 * be folded.
 */
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

#define RETENTION_EVENT_ROWS                                                                       \
    4000                         /* deleted or folded in a step, and as many as are read at once   \
                                  */
#define RETENTION_FEW_ROWS  1000 /* keys, commands */
#define RETENTION_READ_ROWS 256  /* in memory at once while a log is folded */

struct retention_session {
    struct id id;
    int64_t last_seq, event_rows;
    int64_t folded_seq; /* negative: it was begun */
};

/* In the request's arena. */
struct retention {
    struct retention_session *fold;
    int fold_count, fold_at; /* the session whose rows are being read */
    int left, rows;
    int64_t gone;                /* of that session: the last frame that was taken out */
    int tidied[2], tidied_count; /* the statements that delete keys and commands */
};

static struct store_retention *retention_of(struct pg_job *j)
{
    return container_of(j->req, struct store_retention, req);
}

static int retention_end(struct pg_job *j, struct retention *x)
{
    struct store_retention *r = retention_of(j);

    if (x->left == 0 || x->rows >= RETENTION_EVENT_ROWS)
        r->more = true;
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

/* ---- folding ---- */

static int fold_read(struct pg_job *j);

static void fold_add_read(struct pg_job *j, const struct id *id, int64_t after)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_EVENTS_WITH_TOKENS);
    pgq_id(&q, id);
    pgq_i64(&q, after);
    pgq_i64(&q, RETENTION_READ_ROWS);
    pgq_end(&q);
}

static int fold_next(struct pg_job *j, struct retention *x)
{
    if (x->fold_at == x->fold_count || x->left == 0)
        return retention_end(j, x);
    if (x->rows >= RETENTION_EVENT_ROWS) {
        retention_of(j)->more = true;
        return retention_end(j, x);
    }
    const struct retention_session *s = &x->fold[x->fold_at];
    x->gone = s->folded_seq < 0 ? -s->folded_seq - 1 : 0;
    fold_add_read(j, &s->id, x->gone);
    return pg_await(j, fold_read);
}

static void fold_add_mark(struct pg_job *j, const struct id *id, int64_t folded_seq)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_SESSION_FOLDED);
    pgq_id(&q, id);
    pgq_i64(&q, folded_seq);
    pgq_end(&q);
}

/* One row that was read: what is left of it takes its place. */
static void fold_row(struct retention *x, const struct id *id, const struct event_row *row,
                     int64_t at, struct arena *a, struct pg_rows *old, struct pg_rows *kept)
{
    int64_t last = 0;
    const struct event_row *k = rules_fold(a, row, &last);

    if (last == 0)
        return;
    x->gone = last;
    pg_rows_begin(old);
    pg_rows_id(old, id);
    pg_rows_i64(old, row->seq_last);
    pg_rows_i64(old, at);
    for (; k; k = k->next) {
        pg_rows_begin(kept);
        pg_rows_id(kept, id);
        pg_rows_i64(kept, k->seq_last);
        pg_rows_i64(kept, k->seq_first);
        pg_rows_i64(kept, at);
        pg_rows_str(kept, k->frames);
        pg_rows_packed(kept, STR_NULL);
    }
}

/* The page of rows in the last answer; gives how many, and adds what changes them. */
static int fold_page(struct pg_job *j, struct retention *x, int64_t *seq, bool *fits)
{
    const struct id *id = &x->fold[x->fold_at].id;
    struct pg_rows old, kept;
    struct arena a;
    struct pgr r;
    int n = 0;

    arena_init(&a);
    pg_rows_init(&old, PG_EVENTS_DELETE, "uii");
    pg_rows_init(&kept, PG_EVENTS_INSERT, "uiiity");
    /* What changed the page before is in front of it. */
    for (pgr_open_last(&r, j->conn); pgr_next(&r); n++) {
        struct event_row row = {.next = NULL};
        row.seq_first = pgr_i64(&r);
        row.seq_last = *seq = pgr_i64(&r);
        int64_t at = pgr_i64(&r);
        row.frames = pgr_text(&r, &a);
        fold_row(x, id, &row, at, &a, &old, &kept);
    }
    *fits = !old.overflow && !kept.overflow;
    if (*fits) {
        pg_rows_add(&old, j->conn);
        pg_rows_add(&kept, j->conn);
    }
    pg_rows_deinit(&old);
    pg_rows_deinit(&kept);
    arena_deinit(&a);
    return n;
}

static int fold_marked(struct pg_job *j)
{
    return fold_next(j, j->state);
}

static int fold_read(struct pg_job *j)
{
    struct retention *x = j->state;
    const struct id *id = &x->fold[x->fold_at].id;
    int64_t seq = 0;
    bool fits;

    int n = fold_page(j, x, &seq, &fits);
    if (!fits)
        return pg_refuse(j, ERR_TOO_LARGE, "events too large to be folded");
    x->rows += n;
    if (n == RETENTION_READ_ROWS && x->rows < RETENTION_EVENT_ROWS) {
        fold_add_read(j, id, seq);
        return pg_await(j, fold_read);
    }
    if (n == RETENTION_READ_ROWS) { /* the rest is for the next step */
        fold_add_mark(j, id, -(seq + 1));
        return retention_end(j, x);
    }
    fold_add_mark(j, id, x->gone + 1);
    x->fold_at++;
    x->left--;
    retention_of(j)->folded++;
    return pg_await(j, fold_marked);
}

/* ---- finding, deleting ---- */

static void retention_add_ended(struct pg_job *j, enum pg_sql sql, int64_t before, int limit)
{
    struct pgq q;

    pgq_start(&q, j->conn, sql);
    pgq_i64(&q, before);
    pgq_i64(&q, limit);
    pgq_i64(&q, RETENTION_EVENT_ROWS + 1);
    pgq_end(&q);
}

static int retention_found(struct pg_job *j, int n, struct retention_session *out)
{
    struct pgr r;
    int count = 0;

    for (pgr_open(&r, j->conn, n); pgr_next(&r); count++) {
        pgr_id(&r, &out[count].id);
        out[count].last_seq = pgr_i64(&r);
        out[count].event_rows = pgr_i64(&r);
        out[count].folded_seq = pgr_i64(&r);
    }
    return count;
}

/* Its events first, some at a time: a long log would hold the writer up. */
static void delete_part(struct pg_job *j, struct retention *x, const struct retention_session *s)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_EVENTS_DELETE_SOME);
    pgq_id(&q, &s->id);
    pgq_i64(&q, RETENTION_EVENT_ROWS - x->rows);
    pgq_end(&q);
    fold_add_mark(j, &s->id, s->last_seq + 1); /* until it is gone, no reader gets half */
    x->rows = RETENTION_EVENT_ROWS;
    retention_of(j)->more = true;
}

static void retention_delete(struct pg_job *j, struct retention *x,
                             const struct retention_session *found, int n)
{
    struct pg_rows gone;

    pg_rows_init(&gone, PG_SESSIONS_DELETE, "u");
    for (int i = 0; i < n && x->left > 0 && x->rows < RETENTION_EVENT_ROWS; i++, x->left--) {
        if (found[i].event_rows >= RETENTION_EVENT_ROWS - x->rows) {
            delete_part(j, x, &found[i]);
            continue;
        }
        pg_rows_begin(&gone);
        pg_rows_id(&gone, &found[i].id);
        x->rows += (int)found[i].event_rows;
        retention_of(j)->deleted++;
    }
    pg_rows_add(&gone, j->conn);
    pg_rows_deinit(&gone);
}

static int retention_deleted(struct pg_job *j)
{
    return fold_next(j, j->state);
}

static bool retention_has(const struct retention_session *list, int n, const struct id *id)
{
    for (int i = 0; i < n; i++)
        if (id_eq(list[i].id, *id))
            return true;
    return false;
}

static int retention_begun(struct pg_job *j)
{
    struct store_retention *r = retention_of(j);
    struct retention *x = j->state;
    size_t room = (size_t)x->left + 1;
    struct retention_session *gone = arena_alloc(&j->req->arena, 2 * room * sizeof(*gone));
    int n = 1, gone_count = 0;

    if (r->delete_before > 0) {
        gone_count = retention_found(j, n++, gone);
        gone_count += retention_found(j, n++, gone + gone_count);
    }
    if (r->fold_before > 0) {
        x->fold = arena_alloc(&j->req->arena, room * sizeof(*x->fold));
        struct retention_session *found = arena_alloc(&j->req->arena, room * sizeof(*found));
        int count = retention_found(j, n++, found);
        for (int i = 0; i < count; i++)
            if (!retention_has(gone, gone_count, &found[i].id))
                x->fold[x->fold_count++] = found[i];
    }
    for (int i = 0; i < x->tidied_count; i++)
        if (pgr_changed(j->conn, x->tidied[i]) == RETENTION_FEW_ROWS)
            r->more = true;
    if (gone_count == 0)
        return fold_next(j, x);
    retention_delete(j, x, gone, gone_count);
    return pg_await(j, retention_deleted);
}

static void retention_add_tidy(struct pg_job *j, struct retention *x, enum pg_sql sql,
                               int64_t before, int *n)
{
    struct pgq q;

    if (before == 0)
        return;
    pgq_start(&q, j->conn, sql);
    pgq_i64(&q, before);
    pgq_i64(&q, RETENTION_FEW_ROWS);
    pgq_end(&q);
    x->tidied[x->tidied_count++] = (*n)++;
}

int pg_retention_start(struct pg_job *j)
{
    struct store_retention *r = retention_of(j);
    struct retention *x = arena_alloc(&j->req->arena, sizeof(*x));
    int n = 1;

    j->state = x;
    r->folded = r->deleted = 0;
    r->more = false;
    x->left = rules_retention_limit(r->limit);
    pg_conn_add(j->conn, PG_BEGIN);
    if (r->delete_before > 0) {
        retention_add_ended(j, PG_ENDED_FOLDED, r->delete_before, x->left);
        retention_add_ended(j, PG_ENDED_WHOLE, r->delete_before, x->left);
        n += 2;
    }
    if (r->fold_before > 0) {
        retention_add_ended(j, PG_ENDED_WHOLE, r->fold_before, x->left);
        n++;
    }
    retention_add_tidy(j, x, PG_KEYS_TIDY, r->idempotency_before, &n);
    retention_add_tidy(j, x, PG_COMMANDS_TIDY, r->commands_before, &n);
    return pg_await(j, retention_begun);
}
