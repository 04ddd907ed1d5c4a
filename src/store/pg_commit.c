/* STORE_COMMIT: the rows of many sessions in one transaction.
 *
 * Almost always all of them can be written, and then one round trip does it (fast): the sessions'
 * rows are locked and looked at (sluice_expect() of the first migration ends the transaction unless
 * all of them fit), and the rows of each table follow as one statement. Whatever is rare - a late
 * owner, a session that exists or is gone, a key that is taken, numbers that are there - ends in an
 * error, and nothing is written.
 *
 * Then the deltas are looked at one by one (judge), within a transaction that goes on; those that
 * stand already are passed over, those that cannot be written are refused, and the rest is written
 * as before. When even this fails, because two of the deltas get in each other's way or a value
 * fits no column, each is tried in a transaction of its own (alone).
 *
 * After a lost connection it begins with the judge: what was written counts as written.
 */
#include "store/pg_commit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Of the parts that commits of one session have, `one` is the statement of a row; nodes come in
 * twos and threes. */
static const struct {
    enum pg_sql sql;
    const char *types;
    enum pg_sql one;
    int ones;
} commit_parts[PART_COUNT] = {
    [PART_WORKSPACES] = {.sql = PG_WORKSPACES_MAKE, .types = "t"},
    [PART_SESSIONS] = {PG_SESSION_INSERT, PG_SESSION_TYPES, PG_SESSION_INSERT_ONE, 1},
    [PART_DETAILS] = {PG_DETAILS_INSERT, PG_DETAILS_TYPES, PG_DETAILS_INSERT_ONE, 1},
    [PART_META] = {.sql = PG_META_UPDATE, .types = PG_META_TYPES},
    [PART_META_DETAILS] = {.sql = PG_META_DETAILS, .types = PG_META_DETAILS_TYPES},
    [PART_UPDATES] = {PG_SESSION_UPDATE, "ubttiiiittttttty", PG_SESSION_UPDATE_ONE, 1},
    [PART_EVENTS] = {PG_EVENTS_INSERT, "uiiity", PG_EVENTS_INSERT_ONE, 1},
    [PART_RUNS] = {PG_RUNS_UPSERT, "uuttiittiitttity", PG_RUNS_UPSERT_ONE, 3},
    [PART_EFFECTS] = {.sql = PG_EFFECTS_INSERT, .types = "uutt"},
    [PART_EFFECTS_DONE] = {.sql = PG_EFFECTS_DELETE, .types = "uu"},
    [PART_TIMERS] = {.sql = PG_TIMERS_UPSERT, .types = "uuiti"},
    [PART_TIMERS_DONE] = {.sql = PG_TIMERS_DELETE, .types = "uu"},
    [PART_MESSAGES] = {PG_MESSAGES_INSERT, "uiiuuttttittt", PG_MESSAGES_INSERT_ONE, 1},
    [PART_WITHHELD_CLEAR] = {.sql = PG_WITHHELD_CLEAR, .types = "u"},
    [PART_WITHHELD] = {.sql = PG_WITHHELD_INSERT, .types = "uit"},
    [PART_KEYS] = {.sql = PG_KEYS_INSERT, .types = "ttiiiti"},
    [PART_COMMANDS] = {.sql = PG_COMMANDS_ANSWER, .types = "uuit"},
    [PART_COMMANDS_NEW] = {.sql = PG_COMMANDS_ADD, .types = "uuti"},
    [PART_INTERRUPTS] = {.sql = PG_INTERRUPTS_UPSERT, .types = "uuutttttiiiy"},
    [PART_TASKS] = {.sql = PG_TASKS_INSERT, .types = "uuutttii"},
    [PART_TASKS_DONE] = {.sql = PG_TASKS_DELETE, .types = "uu"},
    [PART_FILES] = {.sql = PG_FILES_INSERT, .types = "utiiutttiibiy"},
    [PART_USAGE] = {.sql = PG_USAGE_INSERT, .types = "uuuttttiiibi"},
};

struct pg_commit *pg_commit_create(void)
{
    struct pg_commit *c = mem_zalloc(sizeof(*c));

    for (int i = 0; i < PART_COUNT; i++) {
        pg_rows_init(&c->parts[i], commit_parts[i].sql, commit_parts[i].types);
        c->parts[i].one = commit_parts[i].one;
        c->parts[i].ones = commit_parts[i].ones;
    }
    pg_rows_init(&c->lock, PG_COMMIT_CHECK, "uiii");
    pg_rows_init(&c->judge, PG_COMMIT_JUDGE, "uiityt");
    pg_rows_init(&c->keys, PG_COMMIT_KEYS_TAKEN, "tt");
    pg_rows_init(&c->commands, PG_COMMIT_COMMANDS, "uu");
    pg_rows_init(&c->owned, PG_EVENTS_OF_OWNER, "uiiit");
    pg_rows_init(&c->unknown, PG_EVENTS_OF_OWNER, "uii");
    pg_rows_init(&c->slot, PG_RING_PUT, "uiit");
    pg_rows_init(&c->settle, PG_RING_SETTLE, "u");
    table_init(&c->runs);
    c->packer = packer_create();
    arena_init(&c->packed);
    return c;
}

void pg_commit_destroy(struct pg_commit *c)
{
    if (!c)
        return;
    for (int i = 0; i < PART_COUNT; i++)
        pg_rows_deinit(&c->parts[i]);
    pg_rows_deinit(&c->lock);
    pg_rows_deinit(&c->judge);
    pg_rows_deinit(&c->keys);
    pg_rows_deinit(&c->commands);
    pg_rows_deinit(&c->owned);
    pg_rows_deinit(&c->unknown);
    pg_rows_deinit(&c->slot);
    pg_rows_deinit(&c->settle);
    table_deinit(&c->runs);
    packer_destroy(c->packer);
    arena_deinit(&c->packed);
    free(c->verdicts);
    free(c->key_of);
    free(c);
}

/* ---- all at once ---- */

struct store_commit *pg_commit_of(struct pg_job *j)
{
    return container_of(j->req, struct store_commit, req);
}

int pg_commit_decided(struct pg_job *j)
{
    struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;

    j->store->stats.commit_rows += (uint64_t)c->rows;
    for (size_t i = c->first; i < c->end; i++)
        req->refused[i] = c->verdicts[i] == VERDICT_REFUSE;
    return c->end < req->count ? pg_commit_alone(j, c->end) : 0;
}

bool pg_commit_is_trouble(const struct pg_conn *c)
{
    return c->failed != ERR_CONFLICT && c->failed != ERR_TOO_LARGE &&
           strncmp(c->sqlstate, "40", 2) != 0;
}

int pg_commit_failed(struct pg_job *j)
{
    pg_ring_undo(&j->store->ring);
    j->store->stats.failures++;
    return pg_refuse(j, j->conn->failed, "%s (%s)", j->conn->error.text, j->conn->sqlstate);
}

void pg_commit_add_lock(struct pg_job *j, struct pg_rows *r)
{
    struct pgq q;

    pgq_start(&q, j->conn, PG_COMMIT_LOCK);
    pg_rows_close(r);
    pgq_bytes(&q, &r->column[0]);
    pgq_end(&q);
}

/* The numbers tell whether an old session's events are new. */
static void commit_add_check(struct pg_job *j)
{
    struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pgq q;

    pg_rows_clear(&c->lock);
    for (size_t i = 0; i < req->count; i++) {
        const struct delta *d = req->deltas[i];
        if (d->is_new || c->verdicts[i] != VERDICT_WRITE)
            continue;
        pg_rows_begin(&c->lock);
        pg_rows_id(&c->lock, &d->session_id);
        pg_rows_i64(&c->lock, (int64_t)d->epoch);
        pg_rows_i64(&c->lock, d->seq_last > 0 ? d->seq_first : INT64_MAX);
        pg_rows_i64(&c->lock, d->at);
    }
    if (c->lock.count == 0)
        return;
    if (c->lock.count == 1) {
        pgq_start(&q, j->conn, PG_COMMIT_CHECK_ONE);
        pg_rows_bind_first(&c->lock, &q);
        pgq_end(&q);
        return;
    }
    pg_commit_add_lock(j, &c->lock);
    pgq_start(&q, j->conn, PG_COMMIT_CHECK);
    pg_rows_bind(&c->lock, &q);
    pgq_i64(&q, c->lock.count);
    pgq_end(&q);
}

/* Whether all deltas are events alone, of the sessions of one owner. */
static bool commit_is_owned(const struct store_commit *req)
{
    const struct id *owner = &req->deltas[0]->owner;

    if (id_is_zero(*owner))
        return false;
    for (size_t i = 0; i < req->count; i++)
        if (!rules_delta_is_events(req->deltas[i]) || !id_eq(req->deltas[i]->owner, *owner))
            return false;
    return true;
}

/* Events of one's own sessions, by one statement and with one lock. The rows of sessions are looked
 * at as far as they are not known (pg_known.h), and numbers as far as the session's row has them:
 * its owner gives each once, and rows that come again, after an outcome that was not known, are no
 * new ones for the primary key. */
static bool commit_fill_owned(struct pg_job *j)
{
    struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pg_rows *r = &c->owned, *u = &c->unknown;

    pg_rows_clear(r);
    pg_rows_clear(u);
    for (size_t i = 0; i < req->count; i++) {
        const struct delta *d = req->deltas[i];
        if (c->verdicts[i] != VERDICT_OWNED)
            continue;
        pg_commit_event(r, d, STR_NULL);
        if (pg_known_has(&j->store->known, d))
            continue;
        pg_rows_begin(u);
        pg_rows_id(u, &d->session_id);
        pg_rows_i64(u, (int64_t)d->epoch);
        pg_rows_i64(u, d->seq_first);
    }
    c->rows += r->count;
    return !r->overflow;
}

static void commit_add_owned(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;
    struct pgq q;

    if (c->owned.count == 0)
        return;
    pgq_start(&q, j->conn, c->unknown.count > 0 ? PG_EVENTS_OF_OWNER : PG_EVENTS_OF_KNOWN);
    pg_rows_bind(&c->owned, &q);
    pgq_id(&q, &pg_commit_of(j)->deltas[0]->owner);
    if (c->unknown.count > 0)
        pg_rows_bind(&c->unknown, &q);
    pgq_end(&q);
}

/* What the rows that a commit writes mean for what is known. */
static void commit_unknow(struct pg_job *j)
{
    const struct store_commit *req = pg_commit_of(j);

    for (size_t i = 0; i < req->count; i++)
        if (!rules_delta_is_events(req->deltas[i]))
            pg_known_forget(&j->store->known, req->deltas[i]->session_id);
}

/* Which way each delta is written. */
static void commit_plan(struct pg_job *j)
{
    const struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pg_ring *ring = &j->store->ring;
    bool owned = commit_is_owned(req);

    commit_unknow(j);
    pg_ring_plan(ring, &j->store->known, req);
    for (int i = 0; i < ring->staged_count; i++)
        c->verdicts[ring->staged[i].index] = VERDICT_SLOT;
    for (size_t i = 0; i < req->count; i++) {
        if (c->verdicts[i] != VERDICT_WRITE)
            continue;
        if (owned)
            c->verdicts[i] = VERDICT_OWNED;
        else if (rules_delta_is_events(req->deltas[i]))
            pg_known_follow(&j->store->known, req->deltas[i]);
    }
}

static int commit_fast_answered(struct pg_job *j)
{
    const struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;

    if (j->conn->failed)
        return pg_commit_is_trouble(j->conn) ? pg_commit_failed(j) : pg_commit_judge(j);
    if (c->is_slot_alone && pgr_changed(j->conn, 0) != 1)
        return pg_commit_judge(j);
    pg_ring_committed(&j->store->ring, &j->store->known);
    for (size_t i = 0; i < req->count; i++)
        if (c->verdicts[i] == VERDICT_OWNED)
            pg_known_put(&j->store->known, req->deltas[i]);
    return pg_commit_decided(j);
}

static int commit_fast(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;

    commit_plan(j);
    if (!pg_commit_fill(c, pg_commit_of(j), &j->store->ring) || !commit_fill_owned(j))
        return pg_commit_alone(j, 0);
    c->is_slot_alone = pg_ring_add(j, &c->slot, c->rows == 0);
    c->rows += j->store->ring.staged_count;
    commit_add_check(j);
    pg_commit_add_parts(c, j->conn);
    commit_add_owned(j);
    if (j->conn->item_count == 0) /* nothing in any of them */
        return pg_commit_decided(j);
    return pg_await(j, commit_fast_answered);
}

/* Room for a verdict of each delta, and for the delta of each key. */
static void commit_room(struct pg_commit *c, const struct store_commit *req)
{
    size_t rows = req->count;

    for (size_t i = 0; i < req->count; i++)
        for (const struct idempotency_row *k = req->deltas[i]->idempotency; k; k = k->next)
            rows++;
    if (rows > c->verdicts_cap) {
        c->verdicts_cap = rows * 2;
        c->verdicts = mem_realloc(c->verdicts, c->verdicts_cap * sizeof(*c->verdicts));
        c->key_of = mem_realloc(c->key_of, c->verdicts_cap * sizeof(*c->key_of));
    }
    for (size_t i = 0; i < req->count; i++)
        c->verdicts[i] = VERDICT_WRITE;
}

int pg_commit_start(struct pg_job *j)
{
    struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;

    if (req->count == 0)
        return 0;
    for (size_t i = 0; i < req->count; i++)
        assert(!req->deltas[i]->is_new || (req->deltas[i]->meta && req->deltas[i]->core));
    commit_room(c, req);
    pg_ring_undo(&j->store->ring);
    c->first = 0;
    c->end = req->count;
    j->catches = true;
    return j->repeated ? pg_commit_judge(j) : commit_fast(j);
}