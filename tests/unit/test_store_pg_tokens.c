/* Events alone, of one owner's sessions, in the PostgreSQL store: what a token is. */
#include "store/pg_known.h"
#include "test_store_pg_watch.h"

static struct id owner_put(struct rig *r)
{
    RIG_REQ(store_instance_put, p, STORE_INSTANCE_PUT);
    p.row = (struct instance_row){.id = rig_id(r, T0), .name = STR("host-7")};
    p.lease_ms = 60000;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
    return p.row.id;
}

static struct id owned_session(struct rig *r, struct id owner)
{
    struct rig_delta x;

    rig_new_session(r, &x, "running", T0);
    x.d.owner = owner;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    return x.d.session_id;
}

static void owned_events(struct rig_delta *x, struct id session, struct id owner, int64_t seq)
{
    rig_events(x, session, seq, seq);
    x->d.owner = owner;
}

static bool owned_is_refused(struct rig *r, struct rig_delta *x)
{
    bool refused = false;

    assert_int_equal(rig_commit(r, x, &refused), 0);
    return refused;
}

/* Rows of events, wherever they stand. */
static int64_t rows_of_events(struct rig *r)
{
    return ask(r, "SELECT (SELECT count(*) FROM session_events) + (SELECT count(*) FROM event_ring"
                  " AS g CROSS JOIN unnest(g.session_ids, g.firsts) AS u (id, first) JOIN sessions"
                  " AS s ON s.id = u.id AND s.owner = g.owner WHERE u.first > (SELECT"
                  " max(e.seq_last) FROM session_events AS e WHERE e.session_id = u.id))");
}

/* Whether the statement was ever used on the writer's connection. */
static bool is_prepared(struct rig *r, enum pg_sql sql)
{
    return pg_of(r)->workers[PG_WRITER].conn.prepared[sql];
}

static void events_of_an_owner_take_one_statement(void **state)
{
    struct rig *r = *state;
    struct id owner = owner_put(r);
    struct id sessions[] = {owned_session(r, owner), owned_session(r, owner)};

    for (int64_t seq = 2; seq < 6; seq++) {
        struct rig_delta x[2];
        struct delta *deltas[2] = {&x[0].d, &x[1].d};
        bool refused[2];
        for (int i = 0; i < 2; i++)
            owned_events(&x[i], sessions[i], owner, seq);
        assert_int_equal(rig_commit_many(r, deltas, 2, refused), 0);
        assert_false(refused[0] || refused[1]);
        rig_delta_deinit(&x[0]);
        rig_delta_deinit(&x[1]);
    }
    assert_true(is_prepared(r, PG_EVENTS_OF_OWNER));
    assert_true(is_prepared(r, PG_RING_PUT)); /* after the first time */
    assert_false(is_prepared(r, PG_COMMIT_CHECK) || is_prepared(r, PG_COMMIT_JUDGE));
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 4);
    assert_int_equal(rows_of_events(r), 10);
}

/* All of it: the same rows under the same numbers, once more. */
static void events_of_an_owner_that_come_again_count_as_written(void **state)
{
    struct rig *r = *state;
    struct id owner = owner_put(r), session = owned_session(r, owner);
    struct rig_delta x, other;

    owned_events(&x, session, owner, 2);
    assert_false(owned_is_refused(r, &x));
    assert_false(owned_is_refused(r, &x));
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 2);
    owned_events(&other, session, owner, 2);
    buf_clear(&other.d.events);
    buf_append_z(&other.d.events, "{\"seq\":9}");
    assert_true(owned_is_refused(r, &other));
    pg_rig_exec_on(r->url, "UPDATE session_events SET seq_last = 9 WHERE seq_last = 2;"
                           "UPDATE sessions SET last_seq = 9"); /* as a step leaves it */
    other.d.seq_first = other.d.seq_last = 5;
    assert_true(owned_is_refused(r, &other));
    rig_delta_deinit(&other);
    rig_delta_deinit(&x);
}

/* A session that another one has, or that is gone, does not keep the others from being written. */
static void events_of_a_former_owner_are_refused(void **state)
{
    struct rig *r = *state;
    struct id owner = owner_put(r), mine = owned_session(r, owner);
    struct id taken = owned_session(r, owner), gone = owned_session(r, owner);
    struct rig_delta x[3];
    struct delta *deltas[3] = {&x[0].d, &x[1].d, &x[2].d};
    bool refused[3];
    char sql[256], text[ID_TEXT_BYTES + 1];

    id_format(taken, text);
    snprintf(sql, sizeof(sql),
             "UPDATE sessions SET epoch = 2, owner = gen_random_uuid() WHERE id = '%s'", text);
    pg_rig_exec_on(r->url, sql);
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = gone;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 2); /* its own went with it */
    owned_events(&x[0], mine, owner, 2);
    owned_events(&x[1], taken, owner, 2);
    owned_events(&x[2], gone, owner, 2);
    assert_int_equal(rig_commit_many(r, deltas, 3, refused), 0);
    assert_false(refused[0]);
    assert_true(refused[1] && refused[2]);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 3);
    for (int i = 0; i < 3; i++)
        rig_delta_deinit(&x[i]);
}

/* The others hold the owner for dead and take its sessions while its commit is on the way: either
 * the commit is first, and the claim waits for it, or it writes nothing. */
static void a_claim_and_events_never_pass_each_other(void **state)
{
    enum { ROUNDS = 20 };
    struct rig *r = *state;

    for (int i = 0; i < ROUNDS; i++) {
        struct id owner = owner_put(r), session = owned_session(r, owner);
        PGconn *other = PQconnectdb(r->url);
        char sql[640], text[ID_TEXT_BYTES + 1], dead[ID_TEXT_BYTES + 1];
        struct rig_delta x;
        struct watch w;
        id_format(session, text);
        id_format(owner, dead);
        owned_events(&x, session, owner, 2);
        if (i % 3 > 0) { /* it is known then */
            assert_false(owned_is_refused(r, &x));
            rig_delta_deinit(&x);
            owned_events(&x, session, owner, 3);
        }
        if (i % 2 == 0)
            watch_submit(r, &w, &x);
        snprintf(sql, sizeof(sql),
                 "BEGIN; SELECT FROM instances WHERE id = '%s' FOR UPDATE;"
                 "SELECT FROM event_ring WHERE owner = '%s' FOR UPDATE;"
                 "SELECT sluice_ring_settle('%s', NULL);"
                 "DELETE FROM event_ring WHERE owner = '%s'; DELETE FROM instances WHERE id = '%s'",
                 dead, dead, dead, dead, dead);
        PQclear(PQexec(other, sql));
        if (i % 2 == 1)
            watch_submit(r, &w, &x); /* waits for the lock */
        for (int turn = 0; turn < 3 + i % 5; turn++)
            uv_run(&r->loop, UV_RUN_NOWAIT);
        snprintf(sql, sizeof(sql),
                 "UPDATE sessions SET epoch = epoch + 1, owner = NULL WHERE id = '%s'; COMMIT",
                 text);
        PQclear(PQexec(other, sql));
        PGresult *seen = PQexec(other, "SELECT max(seq_last) FROM session_events");
        bool was_there = strcmp(PQgetvalue(seen, 0, 0), i % 3 > 0 ? "3" : "2") == 0;
        PQclear(seen);
        assert_int_equal(watch_wait(r, &w), 0);
        assert_int_equal(w.refused, !was_there); /* nothing comes after the claim */
        PQfinish(other);
        rig_delta_deinit(&x);
        pg_rig_exec_on(r->url, "DELETE FROM session_events");
    }
}

static void events_of_an_owner_survive_cut_connections(void **state)
{
    enum { ROUNDS = 30 };
    struct rig *r = *state;
    struct id owner = owner_put(r), session = owned_session(r, owner);

    for (int i = 0; i < ROUNDS; i++) {
        struct rig_delta x;
        owned_events(&x, session, owner, i + 2);
        watch_cut(r, &x, i % 5);
        rig_delta_deinit(&x);
    }
    assert_int_equal(rows_of_events(r), ROUNDS + 1);
}

/* ---- sessions that are known (pg_known.h) ---- */

static bool is_known(struct rig *r, struct id session, struct id owner, int64_t seq)
{
    struct rig_delta x;

    owned_events(&x, session, owner, seq);
    bool known = pg_known_has(&pg_of(r)->known, &x.d);
    rig_delta_deinit(&x);
    return known;
}

static bool event_is_refused(struct rig *r, struct id session, struct id owner, int64_t seq)
{
    struct rig_delta x;

    owned_events(&x, session, owner, seq);
    bool refused = owned_is_refused(r, &x);
    rig_delta_deinit(&x);
    return refused;
}

static void known_sessions_are_not_looked_at(void **state)
{
    struct rig *r = *state;
    struct id owner = owner_put(r);
    struct id sessions[] = {owned_session(r, owner), owned_session(r, owner)};
    struct rig_delta x[2];
    struct delta *deltas[2] = {&x[0].d, &x[1].d};
    bool refused[2];

    assert_false(event_is_refused(r, sessions[0], owner, 2));
    assert_true(is_prepared(r, PG_EVENTS_OF_OWNER) && !is_prepared(r, PG_RING_PUT_EXPECT));
    assert_false(event_is_refused(r, sessions[0], owner, 3));
    assert_true(is_prepared(r, PG_RING_PUT_EXPECT)); /* which makes slots before */
    assert_false(is_prepared(r, PG_EVENTS_OF_KNOWN) || is_prepared(r, PG_RING_PUT));
    for (int i = 0; i < 2; i++) /* one that is known, and one that is not */
        owned_events(&x[i], sessions[i], owner, 4);
    assert_int_equal(rig_commit_many(r, deltas, 2, refused), 0);
    assert_false(refused[0] || refused[1]);
    assert_true(is_known(r, sessions[0], owner, 5) && is_known(r, sessions[1], owner, 5));
    assert_false(is_known(r, sessions[0], owner, 4));
    assert_false(is_known(r, sessions[0], rig_id(r, T0), 5));
    assert_int_equal(rows_of_events(r), 6);
    for (int i = 0; i < 2; i++)
        rig_delta_deinit(&x[i]);
}

static void session_set(struct rig *r, struct id id, const char *what)
{
    char text[ID_TEXT_BYTES + 1], sql[320];

    id_format(id, text);
    snprintf(sql, sizeof(sql), "UPDATE sessions SET %s WHERE id = '%s'", what, text);
    pg_rig_exec_on(r->url, sql);
}

/* As another instance does it, which may: its owner has let it go. */
#define TAKE "epoch = epoch + 1, owner = gen_random_uuid()"

static void lose_by_release(struct rig *r, struct id session, struct id owner)
{
    RIG_REQ(store_session_release, x, STORE_SESSION_RELEASE);
    x.ids = &session;
    x.count = 1;
    x.instance = owner;
    assert_int_equal(rig_run(r, &x.req), 0);
    store_req_deinit(&x.req);
    session_set(r, session, TAKE);
}

static void lose_by_delete(struct rig *r, struct id session, struct id owner)
{
    (void)owner;
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = session;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
}

/* A step ends it: it has no owner then. */
static void lose_by_end(struct rig *r, struct id session, struct id owner)
{
    struct rig_delta x;

    (void)owner;
    rig_events(&x, session, 3, 3);
    x.core = rig_core("completed");
    x.core.last_seq = 3;
    x.core.ended_at = T0;
    x.d.core = &x.core;
    assert_false(owned_is_refused(r, &x));
    rig_delta_deinit(&x);
    session_set(r, session, TAKE);
}

/* Held for dead, and registered again under the same id: no instance does that, but nothing hangs
 * on it. */
static void lose_by_another_life(struct rig *r, struct id session, struct id owner)
{
    RIG_REQ(store_instance_remove, x, STORE_INSTANCE_REMOVE);
    x.id = owner;
    assert_int_equal(rig_run(r, &x.req), 0);
    store_req_deinit(&x.req);
    session_set(r, session, TAKE);
    RIG_REQ(store_instance_put, p, STORE_INSTANCE_PUT);
    p.row = (struct instance_row){.id = owner, .name = STR("host-7")};
    p.lease_ms = 60000;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

static void lose_by_claim(struct rig *r, struct id session, struct id owner)
{
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);

    session_set(r, session, "owner = NULL");
    l.id = session;
    l.claim_for = owner; /* itself, under a later epoch */
    assert_int_equal(rig_run(r, &l.req), 0);
    store_req_deinit(&l.req);
}

/* To a server that has lost what the one before it knew. */
static void lose_by_connection(struct rig *r, struct id session, struct id owner)
{
    (void)owner;
    session_set(r, session, TAKE);
    pg_rig_exec_on(r->url, KILL_ALL);
    while (pg_of(r)->workers[PG_WRITER].conn.state == PG_READY)
        uv_run(&r->loop, UV_RUN_ONCE);
}

/* Whatever takes a session from its owner is noticed at once by the store that does it, or ends the
 * owner's row. */
static void what_is_known_is_never_stale(void **state)
{
    static void (*const lose[])(struct rig *, struct id, struct id) = {
        lose_by_release, lose_by_delete,     lose_by_end,
        lose_by_claim,   lose_by_connection, lose_by_another_life,
    };
    struct rig *r = *state;
    struct id owner = owner_put(r);

    for (size_t i = 0; i < ROWS(lose); i++) {
        struct id session = owned_session(r, owner), other = owned_session(r, owner);
        assert_false(event_is_refused(r, session, owner, 2));
        assert_false(event_is_refused(r, other, owner, 2));
        assert_true(is_known(r, session, owner, 3));
        lose[i](r, session, owner);
        if (!event_is_refused(r, session, owner, 4))
            fail_msg("way %zu of losing a session was not noticed", i);
        assert_false(is_known(r, session, owner, 5));
        assert_false(event_is_refused(r, other, owner, 3));
    }
}

/* More sessions than there is room for: those that were written last are known. */
static void what_is_known_has_a_limit(void **state)
{
    enum { COUNT = 3 * PG_KNOWN_SETS * PG_KNOWN_WAYS };
    struct delta d = {.epoch = 1, .seq_first = 1, .seq_last = 1};
    struct id_source ids;
    struct id last = {{0}};
    struct pg_known k;

    (void)state;
    id_source_init_random(&ids);
    d.owner = id_new(&ids, 1);
    pg_known_init(&k);
    for (int i = 0; i < COUNT; i++) {
        d.session_id = last = id_new(&ids, (uint64_t)i);
        d.seq_first = d.seq_last = 1;
        pg_known_put(&k, &d);
        d.seq_first = d.seq_last = 2;
        assert_true(pg_known_has(&k, &d));
        pg_known_follow(&k, &d); /* by a commit that has more than tokens */
        assert_false(pg_known_has(&k, &d));
    }
    d.seq_first = d.seq_last = 3;
    assert_true(pg_known_has(&k, &d));
    d.epoch = 2;
    assert_false(pg_known_has(&k, &d));
    d.epoch = 1;
    pg_known_forget(&k, last);
    assert_false(pg_known_has(&k, &d));
    pg_known_deinit(&k);
}

#define ONE(test)                                                                                  \
    {                                                                                              \
#test " (postgres)", test, rig_setup_postgres, rig_teardown, NULL                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONE(events_of_an_owner_take_one_statement),
        ONE(events_of_an_owner_that_come_again_count_as_written),
        ONE(events_of_a_former_owner_are_refused),
        ONE(a_claim_and_events_never_pass_each_other),
        ONE(events_of_an_owner_survive_cut_connections),
        ONE(known_sessions_are_not_looked_at),
        ONE(what_is_known_is_never_stale),
        cmocka_unit_test(what_is_known_has_a_limit),
    };
    return RIG_RUN_TESTS(tests);
}
