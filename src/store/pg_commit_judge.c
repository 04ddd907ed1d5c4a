/* What is rare: the deltas of a commit are looked at one by one, and each is written, passed over
 * or refused (pg_commit.c says when). */
#include "store/pg_commit.h"

#include "base/log.h"

static void commit_refuse(struct pg_job *j, size_t i, int code, const char *why)
{
    char id[ID_TEXT_BYTES + 1];

    id_format(pg_commit_of(j)->deltas[i]->session_id, id);
    j->store->commit->verdicts[i] = VERDICT_REFUSE;
    pg_refuse(j, code, "session %s: %s", id, why); /* for the log; the request itself succeeds */
}

/* All refusals but those of commands and keys, from the rows of the sessions. */
static void commit_judge_sessions(struct pg_job *j, int n)
{
    struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pgr r;

    for (size_t i = c->first; i < c->end; i++)
        if (!req->deltas[i]->is_new)
            c->verdicts[i] = VERDICT_REFUSE; /* until its row is seen */
    for (pgr_open(&r, j->conn, n); pgr_next(&r);) {
        size_t i = c->first + (size_t)pgr_i64(&r) - 1;
        const struct delta *d = req->deltas[i];
        uint64_t epoch = (uint64_t)pgr_i64(&r);
        bool same = pgr_bool(&r), taken = pgr_bool(&r);
        c->verdicts[i] = same ? VERDICT_STANDS : VERDICT_WRITE;
        if (d->epoch < epoch)
            commit_refuse(j, i, ERR_STALE, "it has another owner by now");
        else if (!same && d->is_new)
            commit_refuse(j, i, ERR_CONFLICT, "it exists already");
        else if (!same && taken)
            commit_refuse(j, i, ERR_CONFLICT, "other events have these numbers");
    }
}

static void commit_judge_keys(struct pg_job *j, int n)
{
    struct pg_commit *c = j->store->commit;
    struct pgr r;

    for (pgr_open(&r, j->conn, n); pgr_next(&r);) {
        size_t i = c->key_of[pgr_i64(&r) - 1];
        if (c->verdicts[i] == VERDICT_WRITE)
            commit_refuse(j, i, ERR_CONFLICT, "its Idempotency-Key is in use");
    }
}

/* The rows of one delta's commands, in their order. Without events, the answers tell that it was
 * written. */
static void commit_judge_answers(struct pg_job *j, size_t i, struct pgr *r, struct arena *a)
{
    const struct delta *d = pg_commit_of(j)->deltas[i];
    bool same = true, answered = false;

    for (const struct command_row *k = d->commands_done; k && pgr_next(r); k = k->next) {
        pgr_i64(r); /* the row's number */
        struct command_row old = {.http_status = (int)pgr_i64(r)};
        old.answer_json = pgr_str(r, a);
        same = same && rules_answer_is_same(&old, k);
        answered = answered || old.http_status != 0;
    }
    if (!answered || j->store->commit->verdicts[i] != VERDICT_WRITE)
        return;
    if (same && d->seq_last == 0)
        j->store->commit->verdicts[i] = VERDICT_STANDS;
    else
        commit_refuse(j, i, ERR_CONFLICT, "its command was answered before");
}

static void commit_judge_commands(struct pg_job *j, int n)
{
    struct pg_commit *c = j->store->commit;
    struct arena scratch;
    struct pgr r;

    arena_init(&scratch);
    pgr_open(&r, j->conn, n);
    for (size_t i = c->first; i < c->end; i++)
        if (pg_commit_of(j)->deltas[i]->commands_done)
            commit_judge_answers(j, i, &r, &scratch);
    arena_deinit(&scratch);
}

static bool commit_any(const struct pg_commit *c, enum verdict verdict)
{
    for (size_t i = c->first; i < c->end; i++)
        if (c->verdicts[i] == verdict)
            return true;
    return false;
}

static int commit_judged_answered(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;

    if (!j->conn->failed) {
        for (size_t i = c->first; i < c->end; i++)
            pg_ring_drop(&j->store->ring, pg_commit_of(j)->deltas[i]->session_id);
        return pg_commit_decided(j);
    }
    if (pg_commit_is_trouble(j->conn))
        return pg_commit_failed(j);
    if (c->end - c->first > 1)
        return pg_commit_alone(j, c->first);
    log_error("store", "rows that cannot be stored: %s", j->conn->error.text);
    commit_refuse(j, c->first, ERR_CONFLICT, j->conn->error.text);
    c->rows = 0;
    return pg_commit_decided(j);
}

static int commit_judged(struct pg_job *j)
{
    struct pg_commit *c = j->store->commit;
    int n = c->looked_from;

    if (j->conn->failed)
        return commit_judged_answered(j);
    commit_judge_sessions(j, n++);
    if (c->keys.count > 0)
        commit_judge_keys(j, n++);
    if (c->commands.count > 0)
        commit_judge_commands(j, n);
    if (!pg_commit_fill(c, pg_commit_of(j), &j->store->ring)) {
        commit_refuse(j, c->first, ERR_TOO_LARGE, "too many bytes");
        return pg_commit_decided(j);
    }
    if (commit_any(c, VERDICT_WRITE))
        pg_commit_add_parts(c, j->conn);
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, commit_judged_answered);
}

/* What the deltas that are tried must be told apart by. */
static void commit_look_fill(struct pg_commit *c, const struct store_commit *req)
{
    size_t row = 0;

    pg_rows_clear(&c->judge);
    pg_rows_clear(&c->keys);
    pg_rows_clear(&c->commands);
    for (size_t i = c->first; i < c->end; i++) {
        const struct delta *d = req->deltas[i];
        pg_rows_begin(&c->judge);
        pg_rows_id(&c->judge, &d->session_id);
        pg_rows_i64(&c->judge, d->seq_last > 0 ? d->seq_first : INT64_MAX);
        pg_rows_i64(&c->judge, d->seq_last);
        struct str packed = rules_pack(c->packer, d, &c->packed).events;
        pg_rows_str(&c->judge, d->seq_last > 0 && !packed.p ? buf_str(&d->events) : STR(""));
        pg_rows_packed(&c->judge, packed);
        pg_rows_str(&c->judge, rules_delta_is_events(d) ? buf_str(&d->events) : STR_NULL);
        for (const struct idempotency_row *k = d->idempotency; k; k = k->next) {
            pg_rows_begin(&c->keys);
            pg_rows_str(&c->keys, rules_workspace(k->workspace));
            pg_rows_str(&c->keys, k->key);
            c->key_of[row++] = i;
        }
    }
    pg_commit_forget_packed(c);
    for (size_t i = c->first; i < c->end; i++)
        for (const struct command_row *k = req->deltas[i]->commands_done; k; k = k->next) {
            pg_rows_begin(&c->commands);
            pg_rows_id(&c->commands, &req->deltas[i]->session_id);
            pg_rows_id(&c->commands, &k->command_id);
        }
}

/* What the sessions have in slots; what a try before may have put there, too. */
static void commit_add_settle(struct pg_job *j)
{
    const struct pg_ring *ring = &j->store->ring;
    struct pg_commit *c = j->store->commit;
    struct pg_rows *r = &c->settle;

    pg_rows_clear(r);
    for (size_t i = c->first; i < c->end; i++) {
        const struct pg_ring_session *e =
            pg_ring_find(ring, pg_commit_of(j)->deltas[i]->session_id);
        if (!e)
            continue;
        pg_rows_begin(r);
        pg_rows_id(r, &e->id);
    }
    if (r->count == 0)
        return;
    pg_ring_add_settle(j->conn, &ring->owner, r);
    c->looked_from++;
}

int pg_commit_judge(struct pg_job *j)
{
    struct store_commit *req = pg_commit_of(j);
    struct pg_commit *c = j->store->commit;
    struct pgq q;

    commit_look_fill(c, req);
    pg_ring_undo(&j->store->ring);
    for (size_t i = c->first; i < c->end; i++)
        c->verdicts[i] = VERDICT_WRITE;
    for (size_t i = 0; i < req->count; i++)
        pg_known_forget(&j->store->known, req->deltas[i]->session_id);
    if (c->judge.overflow || c->keys.overflow) {
        if (c->end - c->first > 1)
            return pg_commit_alone(j, c->first);
        commit_refuse(j, c->first, ERR_TOO_LARGE, "too many bytes");
        c->rows = 0;
        return pg_commit_decided(j);
    }
    c->looked_from = 2;
    if (j->conn->in_transaction) { /* what is left of the try before */
        pg_conn_add(j->conn, PG_ROLLBACK);
        c->looked_from++;
    }
    pg_conn_add(j->conn, PG_BEGIN);
    pg_commit_add_lock(j, &c->judge);
    commit_add_settle(j);
    pgq_start(&q, j->conn, PG_COMMIT_JUDGE);
    pg_rows_bind(&c->judge, &q);
    pgq_end(&q);
    pg_rows_add(&c->keys, j->conn);
    pg_rows_add(&c->commands, j->conn);
    return pg_await(j, commit_judged);
}

int pg_commit_alone(struct pg_job *j, size_t first)
{
    struct pg_commit *c = j->store->commit;

    c->first = first;
    c->end = first + 1;
    return pg_commit_judge(j);
}
