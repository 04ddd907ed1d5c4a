/* What is said to the database about slots (pg_ring.h). */
#include "store/pg_array.h"
#include "store/pg_store.h"

static bool ring_folds(const struct pg_ring *r)
{
    list_foreach(it, &r->touched)
    {
        if (container_of(it, struct pg_ring_session, touched)->folds)
            return true;
    }
    return false;
}

static void ring_add_range(struct pg_job *j, enum pg_sql sql, int from, int to)
{
    struct pgq q;

    pgq_start(&q, j->conn, sql);
    pgq_id(&q, &j->store->ring.owner);
    pgq_i64(&q, from);
    if (to > 0)
        pgq_i64(&q, to);
    pgq_end(&q);
}

static void ring_add_put(struct pg_job *j, struct pg_rows *slot, enum pg_sql sql)
{
    const struct pg_ring *r = &j->store->ring;
    int64_t at = 0;
    struct pgq q;

    pg_rows_clear(slot);
    for (int i = 0; i < r->staged_count; i++) {
        const struct delta *d = r->staged[i].delta;
        pg_rows_begin(slot);
        pg_rows_id(slot, &d->session_id);
        pg_rows_i64(slot, d->seq_first);
        pg_rows_i64(slot, d->seq_last);
        pg_rows_str(slot, buf_str(&d->events));
        if (d->at > at)
            at = d->at;
    }
    pgq_start(&q, j->conn, sql);
    pgq_id(&q, &r->owner);
    pgq_i64(&q, r->slot);
    pgq_i64(&q, at);
    pg_rows_bind(slot, &q);
    pgq_end(&q);
}

bool pg_ring_add(struct pg_job *j, struct pg_rows *slot, bool alone)
{
    const struct pg_ring *r = &j->store->ring;
    struct pgq q;

    if (r->staged_count > 0 && alone && r->slots_then == r->slots) {
        ring_add_put(j, slot, PG_RING_PUT);
        return true;
    }
    if (r->slots_then < r->slots)
        ring_add_range(j, PG_RING_SHRINK, r->slots_then, 0);
    if (r->slots_then > r->slots)
        ring_add_range(j, PG_RING_GROW, r->slots, r->slots_then);
    if (r->staged_count > 0) {
        ring_add_put(j, slot, PG_RING_PUT_EXPECT);
    } else if (ring_folds(r)) {
        pgq_start(&q, j->conn, PG_RING_HOLD);
        pgq_id(&q, &r->owner);
        pgq_end(&q);
    }
    return false;
}

void pg_ring_add_settle(struct pg_conn *c, const struct id *instance, struct pg_rows *rows)
{
    struct pgq q;

    pgq_start(&q, c, PG_RING_SETTLE);
    pgq_id(&q, instance);
    if (rows)
        pg_rows_bind(rows, &q);
    else
        pgq_str(&q, STR_NULL);
    pgq_end(&q);
}

void pg_ring_add_forget(struct pg_job *j, const struct id *instance, const struct id *session)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_RING_FORGET);
    pgq_id(&q, instance);
    pgq_id(&q, session);
    pgq_end(&q);
}

void pg_ring_add_end(struct pg_conn *c, const struct id *instance)
{
    struct pgq q;

    pgq_start(&q, c, PG_RING_LOCK);
    pgq_id(&q, instance);
    pgq_end(&q);
    pg_ring_add_settle(c, instance, NULL);
    pgq_start(&q, c, PG_RING_SHRINK);
    pgq_id(&q, instance);
    pgq_i64(&q, 0);
    pgq_end(&q);
}
