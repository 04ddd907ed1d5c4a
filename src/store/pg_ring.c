#include "store/pg_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/rules.h"

void pg_ring_init(struct pg_ring *r)
{
    memset(r, 0, sizeof(*r));
    table_init(&r->sessions);
    list_init(&r->order);
    list_init(&r->spare);
    list_init(&r->touched);
}

void pg_ring_deinit(struct pg_ring *r)
{
    table_foreach(slot, &r->sessions)
    {
        free(slot->value);
    }
    while (!list_empty(&r->spare))
        free(container_of(list_pop(&r->spare), struct pg_ring_session, order));
    table_deinit(&r->sessions);
}

void pg_ring_clear(struct pg_ring *r)
{
    pg_ring_deinit(r);
    pg_ring_init(r);
}

/* ---- sessions ---- */

/* NULL: there are too many. */
static struct pg_ring_session *ring_add(struct pg_ring *r, struct id id)
{
    struct pg_ring_session *e;
    struct list *spare;

    if (r->sessions.count >= PG_RING_SESSIONS)
        return NULL;
    spare = list_pop(&r->spare);
    e = spare ? container_of(spare, struct pg_ring_session, order) : mem_alloc(sizeof(*e));
    r->spare_count -= spare != NULL;
    memset(e, 0, offsetof(struct pg_ring_session, slot));
    list_init(&e->order);
    list_init(&e->touched);
    e->id = id;
    table_put(&r->sessions, id, e);
    return e;
}

static void ring_remove(struct pg_ring *r, struct pg_ring_session *e)
{
    table_remove(&r->sessions, e->id);
    list_remove(&e->order);
    list_remove(&e->touched);
    if (r->spare_count >= PG_RING_SPARE) {
        free(e);
        return;
    }
    list_append(&r->spare, &e->order);
    r->spare_count++;
}

static void ring_touch(struct pg_ring *r, struct pg_ring_session *e)
{
    if (!list_is_linked(&e->touched))
        list_append(&r->touched, &e->touched);
}

/* Its rows are old ones. */
static void ring_release(struct pg_ring *r, struct pg_ring_session *e)
{
    for (int i = 0; i < e->rows; i++) {
        assert(r->live[e->slot[i]] > 0);
        if (--r->live[e->slot[i]] == 0 && e->slot[i] < r->low)
            r->low = e->slot[i];
    }
    list_remove(&e->order);
    e->rows = 0;
    e->bytes = 0;
}

const struct pg_ring_session *pg_ring_find(const struct pg_ring *r, struct id session)
{
    const struct pg_ring_session *e = table_get(&r->sessions, session);

    return e && e->rows > 0 ? e : NULL;
}

void pg_ring_drop(struct pg_ring *r, struct id session)
{
    struct pg_ring_session *e = table_get(&r->sessions, session);

    if (!e)
        return;
    ring_release(r, e);
    ring_remove(r, e);
}

void pg_ring_doubt(struct pg_ring *r)
{
    r->in_doubt = r->in_doubt || r->sessions.count > 0 || r->slots > 0;
}

/* ---- slots ---- */

/* The lowest one that is free, so that those at the end become so. False: there is none. It is not
 * looked for from the first one each time: there are thousands. */
static bool ring_find_slot(struct pg_ring *r)
{
    int end = r->slots_then < r->slots ? r->slots_then : r->slots;

    while (r->low < end && r->live[r->low] > 0)
        r->low++;
    if (r->low < end) {
        r->slot = r->low;
        return true;
    }
    if (end == PG_RING_SLOTS)
        return false;
    r->slot = r->slots;
    r->slots_then += r->slots < PG_RING_FIRST  ? PG_RING_FIRST
                     : r->slots > PG_RING_STEP ? PG_RING_STEP
                                               : r->slots;
    return true;
}

/* Readers look through all slots that there are: those that were a rush's are given back. */
static void ring_look_for_too_many(struct pg_ring *r)
{
    int used = 0;

    if (r->slots <= PG_RING_STEP || ++r->looks % PG_RING_STEP != 0)
        return;
    for (int i = 0; i < r->slots; i++)
        if (r->live[i] > 0)
            used = i + 1;
    used = (2 * used + PG_RING_STEP) / PG_RING_STEP * PG_RING_STEP;
    if (used <= r->slots / 2)
        r->slots_then = used;
}

/* Whether the commit under way leaves no row in any slot that counts. */
static bool ring_leaves_none(const struct pg_ring *r)
{
    list_foreach(it, &r->order)
    {
        if (!container_of(it, struct pg_ring_session, order)->folds)
            return false;
    }
    return r->staged_count == 0 && r->slots > 0;
}

/* ---- a commit ---- */

static void ring_fold(struct pg_ring *r, struct pg_ring_session *e)
{
    e->folds = true;
    ring_touch(r, e);
}

static bool ring_is_full(const struct pg_ring_session *e, const struct delta *d)
{
    return e->rows + e->staged >= PG_RING_ROWS ||
           e->bytes + e->staged_bytes + d->events.len + 1 > PG_RING_BYTES;
}

/* Whether nothing is to be looked at before the delta is written. */
static bool ring_fits(const struct pg_ring *r, const struct pg_known *k, const struct delta *d)
{
    return rules_delta_is_events(d) && id_eq(d->owner, r->owner) && pg_known_has(k, d);
}

/* Whether anything is for a slot: all of it that fits, or nothing. */
static bool ring_wants(const struct pg_ring *r, const struct pg_known *k,
                       const struct store_commit *req)
{
    size_t bytes = 0, rows = 0;

    for (size_t i = 0; i < req->count; i++) {
        if (!ring_fits(r, k, req->deltas[i]))
            continue;
        bytes += req->deltas[i]->events.len + 1;
        rows++;
    }
    return rows > 0 && rows <= PG_RING_ROWS && bytes <= PG_RING_BYTES / 3 * 2;
}

/* False: something of the session goes elsewhere. */
static bool ring_stage(struct pg_ring *r, const struct pg_known *k, const struct delta *d,
                       size_t index)
{
    struct pg_ring_session *e = table_get(&r->sessions, d->session_id);
    int64_t last = e && e->staged > 0 ? e->staged_last : pg_known_last(k, d->session_id);

    if (!ring_fits(r, k, d) || d->seq_first != last + 1 || (e && e->folds && e->staged == 0))
        return false;
    if (!e && !(e = ring_add(r, d->session_id)))
        return false;
    ring_touch(r, e);
    if (e->rows > 0 && !e->folds && ring_is_full(e, d))
        e->folds = r->has_full = true;
    r->staged[r->staged_count++] = (struct pg_ring_staged){e, d, index};
    e->staged++;
    e->staged_bytes += d->events.len + 1;
    e->staged_last = d->seq_last;
    return true;
}

/* False: a session would have something of this commit in a slot, and something elsewhere. */
static bool ring_try(struct pg_ring *r, const struct pg_known *k, const struct store_commit *req,
                     bool takes)
{
    for (size_t i = 0; i < req->count; i++) {
        const struct delta *d = req->deltas[i];
        if (takes && ring_stage(r, k, d, i))
            continue;
        struct pg_ring_session *e = table_get(&r->sessions, d->session_id);
        if (e && e->staged > 0)
            return false;
        if (e && e->rows > 0)
            ring_fold(r, e);
    }
    return true;
}

static bool ring_is_nearly_full(const struct pg_ring_session *e)
{
    return e->rows >= PG_RING_ROWS * 3 / 4 || e->bytes >= PG_RING_BYTES * 3 / 4;
}

/* The first rows of those that come first hold the most slots. `any`: not only where a row of
 * session_events will be nearly as long as it may be. */
static void ring_fold_first(struct pg_ring *r, bool any)
{
    int left = PG_RING_FOLDS;

    list_foreach(it, &r->order)
    {
        struct pg_ring_session *e = container_of(it, struct pg_ring_session, order);
        if (left-- == 0)
            return;
        if (any || ring_is_nearly_full(e))
            ring_fold(r, e);
    }
}

/* What planning looks at, fetched for all deltas at once. */
static void ring_fetch(const struct pg_ring *r, const struct pg_known *k,
                       const struct store_commit *req)
{
    size_t count = req->count < PG_RING_ROWS ? req->count : PG_RING_ROWS;

    for (size_t i = 0; i < count; i++) {
        pg_known_fetch(k, req->deltas[i]->session_id);
        table_fetch(&r->sessions, req->deltas[i]->session_id);
    }
    for (size_t i = 0; i < count; i++) {
        const struct pg_ring_session *e = table_get(&r->sessions, req->deltas[i]->session_id);
        if (e)
            mem_fetch(e, offsetof(struct pg_ring_session, slot));
    }
}

void pg_ring_plan(struct pg_ring *r, const struct pg_known *k, const struct store_commit *req)
{
    if (r->slots == 0 && list_empty(&r->order))
        r->owner = k->owner;
    r->slots_then = r->slots;
    ring_fetch(r, k, req);
    ring_look_for_too_many(r);
    bool wants = ring_wants(r, k, req), takes = wants && ring_find_slot(r);
    if (!ring_try(r, k, req, takes)) {
        pg_ring_undo(r);
        ring_try(r, k, req, false);
    }
    if (r->staged_count == 0 && r->slots_then > r->slots)
        r->slots_then = r->slots;
    if (ring_leaves_none(r))
        r->slots_then = 0;
    if (r->has_full || (wants && !takes))
        ring_fold_first(r, !r->has_full);
}

static void ring_take(struct pg_ring *r, struct pg_ring_session *e, const struct delta *d)
{
    if (e->rows == 0) {
        e->seq_first = d->seq_first;
        list_append(&r->order, &e->order);
    } else {
        e->frames[e->bytes++] = '\n';
    }
    assert(e->rows < PG_RING_ROWS && e->bytes + d->events.len <= sizeof(e->frames));
    memcpy(e->frames + e->bytes, d->events.data, d->events.len);
    e->bytes += d->events.len;
    e->seq_last = d->seq_last;
    e->at = d->at;
    e->slot[e->rows++] = (uint16_t)r->slot;
    r->live[r->slot]++;
}

static void ring_over(struct pg_ring *r)
{
    r->staged_count = 0;
    r->slots_then = r->slots;
    r->has_full = false;
    while (!list_empty(&r->touched)) {
        struct pg_ring_session *e =
            container_of(list_pop(&r->touched), struct pg_ring_session, touched);
        e->folds = false;
        e->staged = 0;
        e->staged_bytes = 0;
        if (e->rows == 0)
            ring_remove(r, e);
    }
}

static void ring_fetch_staged(const struct pg_ring *r, const struct pg_known *k)
{
    for (int i = 0; i < r->staged_count; i++)
        mem_fetch(r->staged[i].session, offsetof(struct pg_ring_session, slot));
    for (int i = 0; i < r->staged_count; i++) {
        const struct pg_ring_session *e = r->staged[i].session;
        mem_fetch(&e->slot[e->rows], sizeof(e->slot[0]));
        mem_fetch(e->frames + e->bytes, r->staged[i].delta->events.len + 1);
        pg_known_fetch(k, e->id);
    }
}

void pg_ring_committed(struct pg_ring *r, struct pg_known *k)
{
    r->slots = r->slots_then;
    ring_fetch_staged(r, k);
    list_foreach(it, &r->touched)
    {
        struct pg_ring_session *e = container_of(it, struct pg_ring_session, touched);
        if (e->folds)
            ring_release(r, e);
    }
    for (int i = 0; i < r->staged_count; i++) {
        ring_take(r, r->staged[i].session, r->staged[i].delta);
        pg_known_put(k, r->staged[i].delta);
    }
    ring_over(r);
}

void pg_ring_undo(struct pg_ring *r)
{
    ring_over(r);
}
