/* What the PostgreSQL store alone does with rows: the ways in which a commit is written, events of
 * an owner, months, and what neither keys nor columns hold. */
#include "test_store_pg_watch.h"

/* ---- rows that get in each other's way ---- */

static void what_no_column_takes_is_refused_alone(void **state)
{
    struct rig *r = *state;
    struct rig_delta x[4];
    struct delta *deltas[4];
    bool refused[4];

    for (int i = 0; i < 4; i++) {
        rig_new_session(r, &x[i], "running", T0 + i);
        deltas[i] = &x[i].d;
    }
    x[1].meta.name = STR("\xff\xfe");
    x[2].meta.name = STR("a\0b");
    assert_int_equal(rig_commit_many(r, deltas, 4, refused), 0);
    assert_false(refused[0]);
    assert_true(refused[1]);
    assert_true(refused[2]);
    assert_false(refused[3]);
    assert_int_equal(ask(r, "SELECT count(*) FROM sessions"), 2);
    for (int i = 0; i < 4; i++)
        rig_delta_deinit(&x[i]);
}

static void of_two_with_one_key_the_first_is_written(void **state)
{
    struct rig *r = *state;
    struct idempotency_row key = {.key = STR("k"), .body_json = STR("{}"), .created_at = T0};
    struct rig_delta x[2];
    struct delta *deltas[2];
    bool refused[2];

    for (int i = 0; i < 2; i++) {
        rig_new_session(r, &x[i], "running", T0 + i);
        x[i].d.idempotency = &key;
        deltas[i] = &x[i].d;
    }
    assert_int_equal(rig_commit_many(r, deltas, 2, refused), 0);
    assert_false(refused[0]);
    assert_true(refused[1]);
    deltas[1] = deltas[0]; /* and one session twice, as it stands */
    assert_int_equal(rig_commit_many(r, deltas, 2, refused), 0);
    assert_false(refused[0] || refused[1]);
    assert_int_equal(ask(r, "SELECT count(*) FROM sessions"), 1);
    for (int i = 0; i < 2; i++)
        rig_delta_deinit(&x[i]);
}

/* A run that changed twice in one turn: the last row counts. */
static void a_row_may_come_twice_in_a_delta(void **state)
{
    struct rig *r = *state;
    struct run_row runs[3];
    struct timer_row timers[2];
    struct rig_delta x;

    for (int i = 0; i < 3; i++)
        runs[i] = (struct run_row){.next = i < 2 ? &runs[i + 1] : NULL,
                                   .run_id = i == 1 ? rig_id(r, T0) : runs[0].run_id,
                                   .node_id = STR("n"),
                                   .iteration = 1,
                                   .attempt = 1 + i,
                                   .status = i == 2 ? STR("completed") : STR("running")};
    runs[0].run_id = runs[2].run_id = rig_id(r, T0);
    timers[0] = (struct timer_row){&timers[1], rig_id(r, T0), T0 + 1, STR("{}")};
    timers[1] = (struct timer_row){NULL, timers[0].timer_id, T0 + 2, STR("{}")};
    rig_new_session(r, &x, "running", T0);
    x.d.runs = runs;
    x.d.timers_set = timers;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(ask(r, "SELECT count(*) FROM node_runs"), 2);
    assert_int_equal(ask(r, "SELECT count(*) FROM node_runs WHERE status = 'completed'"), 1);
    assert_int_equal(ask(r, "SELECT due_at FROM timers"), T0 + 2);
    rig_delta_deinit(&x);
}

/* Deltas that are looked at one by one cost round trips: those of every day are not. */
static void common_commits_take_one_round_trip(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);

    for (int i = 0; i < 10; i++) {
        struct message_row message;
        struct run_row run;
        struct rig_delta x;
        make_step(r, &x, session, 2 * i + 2, 2 * i + 2, &message, &run);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
        rig_events(&x, session, 2 * i + 3, 2 * i + 3);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
        rig_session(r, "running", T0 + i);
    }
    assert_true(pg_of(r)->workers[PG_WRITER].conn.prepared[PG_COMMIT_CHECK_ONE]);
    assert_false(pg_of(r)->workers[PG_WRITER].conn.prepared[PG_COMMIT_JUDGE]);
}

/* One session by statements of values, or two at once by statements of arrays. */
static void write_alike(struct rig *r, size_t count, struct rig_delta *x, bool *refused)
{
    struct delta *deltas[2] = {&x[0].d, &x[1].d};

    assert_int_equal(rig_commit_many(r, deltas, count, refused), 0);
    for (size_t i = 0; i < count; i++)
        rig_delta_deinit(&x[i]);
}

/* New sessions, then something of every kind; with one node run or more than are written singly. */
static void make_alike(struct rig *r, size_t count, int runs)
{
    struct message_row messages[2];
    struct run_row rows[2][5];
    struct interrupt_row asked[2];
    struct rig_delta x[2];
    struct id ids[2];
    bool refused[2];

    for (size_t i = 0; i < count; i++) {
        rig_new_session(r, &x[i], "running", T0);
        ids[i] = x[i].d.session_id;
    }
    write_alike(r, count, x, refused);
    for (size_t i = 0; i < count; i++) {
        make_step(r, &x[i], ids[i], 2, 3, &messages[i], rows[i]);
        for (int k = 1; k < runs; k++) {
            rows[i][k] = rows[i][0];
            rows[i][k].run_id = rig_id(r, T0);
            rows[i][k].next = NULL;
            rows[i][k - 1].next = &rows[i][k];
        }
        asked[i] = (struct interrupt_row){.interrupt_id = rig_id(r, T0),
                                          .node_id = STR("n"),
                                          .kind = STR("review"),
                                          .status = STR("pending"),
                                          .created_at = T0};
        x[i].d.interrupts = &asked[i];
    }
    write_alike(r, count, x, refused);
    for (size_t i = 0; i < count; i++) {
        rig_events(&x[i], ids[i], 3, 3); /* a number that stands */
        x[i].core = rig_core("running");
        x[i].d.core = &x[i].core;
    }
    write_alike(r, count, x, refused);
    assert_true(refused[0] && (count == 1 || refused[1]));
}

#define KINDS(table, less)                                                                         \
    "SELECT count(DISTINCT to_jsonb(t) - ARRAY['session_id', " less "]) FROM " table " AS t"

/* However a commit is written, the rows are the same. */
static void one_session_is_written_as_many_are(void **state)
{
    struct rig *r = *state;

    make_alike(r, 1, 3);
    make_alike(r, 2, 3);
    make_alike(r, 1, 5);
    assert_true(pg_of(r)->workers[PG_WRITER].conn.prepared[PG_COMMIT_CHECK]);
    assert_true(pg_of(r)->workers[PG_WRITER].conn.prepared[PG_RUNS_UPSERT]);
    assert_true(pg_of(r)->workers[PG_WRITER].conn.prepared[PG_RUNS_UPSERT_ONE]);
    assert_int_equal(ask(r, KINDS("sessions", "'id', 'key'")), 1);
    assert_int_equal(ask(r, KINDS("session_details", "''")), 1);
    assert_int_equal(ask(r, KINDS("session_events", "''")), 2);
    assert_int_equal(ask(r, KINDS("node_runs", "'run_id'")), 1);
    assert_int_equal(ask(r, KINDS("session_messages", "'message_id'")), 1);
    assert_int_equal(ask(r, KINDS("interrupts", "'interrupt_id', 'run_id'")), 1);
    assert_int_equal(ask(r, "SELECT count(*) FROM sessions"), 4);
    assert_int_equal(ask(r, "SELECT count(*) FROM node_runs"), 3 + 6 + 5);
}

/* The one column of jsonb is read without the spaces that it puts in, and with all of ours. */
static void node_statuses_read_as_they_were_written(void **state)
{
    static const char *const table[] = {
        "{}",
        "{\"a\":\"b\"}",
        "{\"a b\":\"c , d : \\\" e \\\\\"}",
        "{\"\xc3\xbc\":{\"x\":[1,2,\"] , [\"]}}",
        "{\"n\":\"\\\\\"}",
    };
    struct rig *r = *state;

    for (size_t i = 0; i < ROWS(table); i++) {
        struct rig_delta x;
        rig_new_session(r, &x, "running", T0 + (int64_t)i);
        x.core.node_statuses_json = str_of(table[i]);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        RIG_REQ(store_session_get, g, STORE_SESSION_GET);
        g.id = x.d.session_id;
        assert_int_equal(rig_run(r, &g.req), 0);
        assert_str(g.row.core.node_statuses_json, table[i]);
        store_req_deinit(&g.req);
        rig_delta_deinit(&x);
    }
}

static void a_large_commit_is_written(void **state)
{
    enum { BYTES = 24 << 20 };
    struct rig *r = *state;
    char *text = malloc(BYTES);
    struct rig_delta x;

    memset(text, 'x', BYTES);
    text[0] = text[BYTES - 1] = '"';
    rig_new_session(r, &x, "running", T0);
    x.core.output_json = (struct str){text, BYTES};
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = x.d.session_id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(str_eq(g.row.core.output_json, x.core.output_json));
    store_req_deinit(&g.req);
    rig_delta_deinit(&x);
    free(text);
}

static void two_stores_of_one_database_agree(void **state)
{
    struct rig *r = *state;
    struct rig *other = calloc(1, sizeof(*other));
    struct id session = rig_session(r, "running", T0);
    struct rig_delta x;
    bool refused;

    *other = (struct rig){.postgres = true};
    id_source_init_seed(&other->ids, 43);
    uv_loop_init(&other->loop);
    snprintf(other->url, sizeof(other->url), "%s", r->url);
    rig_open_store(other);

    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = session;
    l.claim_for = rig_id(other, T0);
    assert_int_equal(rig_run(other, &l.req), 0);
    assert_int_equal(l.row.epoch, 2);
    store_req_deinit(&l.req);
    rig_events(&x, session, 2, 2);
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    x.d.epoch = 2;
    assert_int_equal(rig_commit(other, &x, &refused), 0);
    assert_false(refused);
    rig_delta_deinit(&x);
    rig_close_store(other);
    assert_int_equal(uv_loop_close(&other->loop), 0);
    free(other);
}

/* ---- months ---- */

static void events_lie_in_their_months(void **state)
{
    static const int64_t day = 86400000;
    struct rig *r = *state;
    struct rig_delta x;

    rig_session(r, "completed", T0 - 40 * day); /* the first write looks after the months itself */
    assert_int_equal(ask(r, "SELECT sluice_event_partitions(1700000000000, 3)"), 4);
    assert_int_equal(ask(r, "SELECT sluice_event_partitions(1700000000000, 3)"), 0);
    struct id session = rig_session(r, "running", T0);
    for (int i = 0; i < 6; i++) {
        rig_events(&x, session, i + 2, i + 2);
        x.d.at = T0 + i * 30 * day;
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    assert_int_equal(ask(r, "SELECT count(DISTINCT tableoid) FROM session_events"),
                     5); /* one: rest */
    RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
    e.session_id = session;
    e.after = 1;
    e.limit = 100;
    e.bytes_max = 10000;
    assert_int_equal(rig_run(r, &e.req), 0);
    int64_t seq = 2;
    for (struct event_row *row = e.rows; row; row = row->next)
        assert_int_equal(row->seq_last, seq++);
    assert_int_equal(seq, 8);
    assert_int_equal(e.last_seq, 7);
    store_req_deinit(&e.req);

    bool refused;
    rig_events(&x, session, 4, 5); /* numbers of another month */
    x.d.at = T0 + 120 * day;
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    rig_delta_deinit(&x);
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = session;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 1);

    /* Empty months go, but for the one that is not over for long enough. */
    assert_int_equal(
        ask(r, "SELECT sluice_event_partitions_drop(1700000000000 + 31 * 86400000::bigint)"), 1);
    rig_session(r, "running", T0 + 31 * day);
    assert_int_equal(ask(r, "SELECT sluice_event_partitions_drop(1750000000000)"), 2);
    assert_int_equal(ask(r, "SELECT sluice_event_partitions_drop(1750000000000)"), 0);
}

/* ---- what hangs on a session ---- */

/* Rows of any table that name a session which is not there; but for what outlives one. */
#define ORPHANS                                                                                    \
    "CREATE FUNCTION orphans() RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE t text; n bigint;"    \
    " total bigint := 0; BEGIN FOR t IN SELECT table_name FROM information_schema.columns"         \
    " WHERE column_name = 'session_id' AND table_schema = 'public' AND table_name NOT IN"          \
    " ('audit_log', 'llm_usage', 'memories', 'active_sessions') LOOP EXECUTE format("              \
    "'SELECT count(*) FROM %I AS x WHERE NOT EXISTS (SELECT FROM sessions AS s"                    \
    " WHERE s.id = x.session_id)', t) INTO n; total := total + n; END LOOP; RETURN total; END $$"
/* A row of each kind that every step may write, for each session. */
#define HANGS                                                                                      \
    "INSERT INTO effects SELECT id, id, 'k' FROM sessions;"                                        \
    "INSERT INTO timers SELECT id, id, 1 FROM sessions;"                                           \
    "INSERT INTO withheld_inputs SELECT id, 1, '{}' FROM sessions;"                                \
    "INSERT INTO node_runs (session_id, run_id, node_id, iteration, attempt, status, started_at,"  \
    " ended_at) SELECT id, id, 'n', 1, 1, 'x', 1, 1 FROM sessions;"                                \
    "INSERT INTO session_messages (session_id, created_at, seq, message_id, token_count, content)" \
    " SELECT id, 1, 1, id, 0, '' FROM sessions;"                                                   \
    "INSERT INTO interrupts (interrupt_id, session_id, run_id, node_id, kind, status, created_at," \
    " updated_at) SELECT id, id, id, 'n', 'k', 'pending', 1, 1 FROM sessions"

/* Most of it has no foreign key: the statements that delete sessions delete it. */
static void what_hangs_on_a_session_goes_with_it(void **state)
{
    struct rig *r = *state;
    struct id one = rig_session(r, "running", T0), other = rig_session(r, "running", T0);
    struct rig_delta x;

    rig_session(r, "running", T0); /* stays */
    struct id old = rig_session(r, "running", T0);
    rig_events(&x, old, 2, 2);
    x.core = rig_core("completed");
    x.core.ended_at = T0 + 1;
    x.core.last_seq = 2;
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    pg_rig_exec_on(r->url, ORPHANS);
    pg_rig_exec_on(r->url, HANGS);
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = one;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    assert_int_equal(ask(r, "SELECT orphans()"), 0);
    pg_rig_exec_on(r->url, "UPDATE sessions SET stored_only = true, status = 'completed'");
    RIG_REQ(store_session_save, save, STORE_SESSION_SAVE);
    save.deletes = &other;
    save.delete_count = 1;
    save.now_ms = T0;
    assert_int_equal(rig_run(r, &save.req), 0);
    store_req_deinit(&save.req);
    assert_int_equal(ask(r, "SELECT orphans()"), 0);
    RIG_REQ(store_retention, t, STORE_RETENTION);
    t.delete_before = T0 + 100;
    t.limit = 10;
    assert_int_equal(rig_run(r, &t.req), 0);
    assert_int_equal(t.deleted, 1);
    store_req_deinit(&t.req);
    assert_int_equal(ask(r, "SELECT orphans()"), 0);
    assert_int_equal(ask(r, "SELECT count(*) FROM effects"), 1);
}

/* ---- bytes that do not read back ---- */

static void damaged_rows_are_named(void **state)
{
    static const struct {
        const char *sql, *says;
    } table[] = {
        {"UPDATE sessions SET usage = '{'", "row"},
        {"UPDATE sessions SET usage = '{}'; UPDATE session_details SET input = 'x'", "details"},
        {"DELETE FROM session_details", "details"},
    };
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    char id[ID_TEXT_BYTES + 1];

    id_format(session, id);
    pg_rig_exec_on(r->url, "UPDATE session_events SET frames = '{}' || chr(10) || '{}'");
    assert_int_equal(read_events(r, session), ERR_CORRUPT);
    for (size_t i = 0; i < ROWS(table); i++) {
        pg_rig_exec_on(r->url, table[i].sql);
        RIG_REQ(store_session_get, g, STORE_SESSION_GET);
        g.id = session;
        assert_int_equal(rig_run(r, &g.req), ERR_CORRUPT);
        assert_non_null(strstr(g.req.error.text, id));
        assert_non_null(strstr(g.req.error.text, table[i].says));
        store_req_deinit(&g.req);
    }
}
#define ONE(test)                                                                                  \
    {                                                                                              \
#test " (postgres)", test, rig_setup_postgres, rig_teardown, NULL                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONE(what_no_column_takes_is_refused_alone),
        ONE(of_two_with_one_key_the_first_is_written),
        ONE(a_row_may_come_twice_in_a_delta),
        ONE(common_commits_take_one_round_trip),
        ONE(one_session_is_written_as_many_are),
        ONE(node_statuses_read_as_they_were_written),
        ONE(a_large_commit_is_written),
        ONE(two_stores_of_one_database_agree),
        ONE(events_lie_in_their_months),
        ONE(what_hangs_on_a_session_goes_with_it),
        ONE(damaged_rows_are_named),
    };
    return RIG_RUN_TESTS(tests);
}
