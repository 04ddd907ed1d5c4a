/* What only the PostgreSQL store promises: that a connection, a server or a network that fails in
 * the middle of anything costs time, and neither loses nor repeats a row. What it writes:
 * test_store_pg_rows.c. */
#include <signal.h>

#include "test_store_pg_watch.h"

/* ---- connections that end ---- */

/* Cut at any moment: before it was sent, while it is under way, after it was written. */
static void a_cut_connection_neither_loses_nor_repeats(void **state)
{
    enum { ROUNDS = 30 };
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);

    for (int i = 0; i < ROUNDS; i++) {
        struct message_row message;
        struct run_row run;
        struct rig_delta x;
        make_step(r, &x, session, 2 * i + 2, 2 * i + 3, &message, &run);
        watch_cut(r, &x, i % 5);
        rig_delta_deinit(&x);
    }
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), ROUNDS + 1);
    assert_int_equal(ask(r, "SELECT sum(seq_last - seq_first + 1) FROM session_events"),
                     2 * ROUNDS + 1);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_messages"), ROUNDS);
    assert_int_equal(ask(r, "SELECT count(*) FROM node_runs"), ROUNDS);
}

static void a_new_session_is_made_once(void **state)
{
    enum { ROUNDS = 20 };
    struct rig *r = *state;

    for (int i = 0; i < ROUNDS; i++) {
        struct rig_delta x;
        char text[16];
        snprintf(text, sizeof(text), "key%d", i);
        struct idempotency_row key = {
            .key = str_of(text), .body_json = STR("{}"), .created_at = T0};
        rig_new_session(r, &x, "running", T0 + i);
        x.d.idempotency = &key;
        watch_cut(r, &x, i % 5);
        rig_delta_deinit(&x);
    }
    assert_int_equal(ask(r, "SELECT count(*) FROM sessions"), ROUNDS);
    assert_int_equal(ask(r, "SELECT count(*) FROM idempotency_keys"), ROUNDS);
}

/* Writes of one try, whose answer never came, are no conflict with themselves. */
static void other_writes_are_repeated_as_well(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 12; i++) {
        bool done = false;
        char id[16];
        snprintf(id, sizeof(id), "w%d", i);
        RIG_REQ(store_workflow_put, p, STORE_WORKFLOW_PUT);
        p.id = str_of(id);
        p.graph_json = STR("{}");
        p.create_only = true;
        p.now_ms = T0 + i;
        p.req.data = &done;
        store_submit(r->store, &p.req);
        for (int turn = 0; turn < i % 6; turn++)
            uv_run(&r->loop, UV_RUN_NOWAIT);
        pg_rig_exec_on(r->url, KILL_ALL);
        while (!done)
            uv_run(&r->loop, UV_RUN_ONCE);
        assert_int_equal(p.req.status, 0);
        assert_int_equal(p.row.version, 1);
        store_req_deinit(&p.req);
    }
    assert_int_equal(ask(r, "SELECT count(*) FROM workflow_versions"), 12);
}

static void a_read_is_tried_once_more(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);

    for (int i = 0; i < 20; i++) {
        assert_int_equal(read_events(r, session), 0);
        pg_rig_exec_on(r->url, KILL_ALL);
        assert_int_equal(read_events(r, session), 0);
    }
}

static void tidying_up_is_repeated_as_well(void **state)
{
    enum { ROUNDS = 20 };
    struct rig *r = *state;

    for (int i = 0; i < ROUNDS; i++) {
        struct id id = rig_session(r, "running", T0);
        struct rig_delta x;
        bool done = false;
        rig_events(&x, id, 2, 2);
        buf_clear(&x.d.events);
        buf_append_z(&x.d.events, "{\"type\":\"token_stream\"}");
        x.core = rig_core("completed");
        x.core.ended_at = T0 + 1;
        x.core.last_seq = 2;
        x.d.core = &x.core;
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
        RIG_REQ(store_retention, t, STORE_RETENTION);
        t.fold_before = T0 + 2;
        t.req.data = &done;
        store_submit(r->store, &t.req);
        for (int turn = 0; turn < i % 7; turn++)
            uv_run(&r->loop, UV_RUN_NOWAIT);
        pg_rig_exec_on(r->url, KILL_ALL);
        while (!done)
            uv_run(&r->loop, UV_RUN_ONCE);
        assert_int_equal(t.req.status, 0);
        store_req_deinit(&t.req);
    }
    assert_int_equal(ask(r, "SELECT count(*) FROM sessions WHERE folded_seq = 3"), ROUNDS);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), ROUNDS);
}

/* ---- a server that is away ---- */

static void server(const char *word)
{
    char command[512];

    snprintf(command, sizeof(command), "%s %s >/dev/null 2>&1", getenv("SLUICE_TEST_POSTGRES_CTL"),
             word);
    assert_int_equal(system(command), 0);
}

static void a_restart_costs_time_only(void **state)
{
    struct rig *r = *state;
    static const char *const ways[] = {"restart fast", "restart immediate", "kill"};

    if (!getenv("SLUICE_TEST_POSTGRES_CTL"))
        skip();
    struct id session = rig_session(r, "running", T0);
    for (int i = 0; i < 3; i++) {
        struct rig_delta x;
        struct watch w;
        rig_events(&x, session, i + 2, i + 2);
        watch_submit(r, &w, &x);
        for (int turn = 0; turn < i; turn++)
            uv_run(&r->loop, UV_RUN_NOWAIT);
        server(ways[i]);
        if (i == 2)
            server("start");
        assert_int_equal(watch_wait(r, &w), 0);
        assert_false(w.refused);
        rig_delta_deinit(&x);
    }
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 4);
}

static void without_a_server_requests_fail_in_time(void **state)
{
    struct rig *r = *state;
    struct rig_delta x;
    struct watch w;

    if (!getenv("SLUICE_TEST_POSTGRES_CTL"))
        skip();
    struct id session = rig_session(r, "running", T0);
    assert_int_equal(read_events(r, session), 0);
    pg_of(r)->write_wait_ms = pg_of(r)->read_wait_ms = 300;
    server("stop immediate");
    rig_events(&x, session, 2, 2);
    watch_submit(r, &w, &x);
    assert_int_equal(read_events(r, session), ERR_UNAVAILABLE);
    assert_int_equal(watch_wait(r, &w), ERR_UNAVAILABLE);
    server("start");
    pg_of(r)->write_wait_ms = PG_WRITE_WAIT_MS;
    pg_of(r)->read_wait_ms = PG_READ_WAIT_MS;
    assert_int_equal(read_events(r, session), 0);
    watch_submit(r, &w, &x);
    assert_int_equal(watch_wait(r, &w), 0);
    rig_delta_deinit(&x);
}

/* The writer's process stands still with a commit of ours in its socket. Nothing is written by
 * another connection until that one has gone: when it wakes up, it must not write late. */
static void a_process_that_hangs_writes_nothing_late(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    struct rig_delta x;
    struct watch w;

    pid_t pid = PQbackendPID(pg_of(r)->workers[PG_WRITER].conn.handle);
    if (kill(pid, SIGSTOP) != 0)
        skip(); /* it runs elsewhere, or as somebody else */
    pg_of(r)->workers[PG_WRITER].conn.batch_ms = 200;
    pg_of(r)->write_wait_ms = 700;
    rig_events(&x, session, 2, 2);
    x.core = rig_core("paused");
    x.d.core = &x.core;
    watch_submit(r, &w, &x);
    assert_int_equal(watch_wait(r, &w), ERR_UNAVAILABLE);
    assert_int_equal(read_events(r, session), 0);
    kill(pid, SIGCONT);
    pg_of(r)->write_wait_ms = PG_WRITE_WAIT_MS;
    watch_submit(r, &w, &x);
    assert_int_equal(watch_wait(r, &w), 0);
    assert_false(w.refused);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 2);
    rig_delta_deinit(&x);
}

/* Locks that somebody else holds for too long. */
static void a_statement_has_a_deadline(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    PGconn *other = PQconnectdb(r->url);
    struct rig_delta x;
    struct watch w;

    PQclear(PQexec(other, "BEGIN; LOCK TABLE session_events"));
    pg_of(r)->workers[PG_WRITER].conn.batch_ms = 200;
    rig_events(&x, session, 2, 2);
    watch_submit(r, &w, &x);
    while (pg_of(r)->workers[PG_WRITER].backoff_ms == 0) /* until it was given up once */
        uv_run(&r->loop, UV_RUN_ONCE);
    PQfinish(other);
    assert_int_equal(watch_wait(r, &w), 0);
    assert_false(w.refused);
    rig_delta_deinit(&x);
}

static void a_server_that_is_not_there_is_named(void **state)
{
    static const char *const urls[] = {"postgres://127.0.0.1:1/x", "postgres://%%%",
                                       "postgres:///x?host=/nowhere"};
    struct store *store = NULL;
    struct errbuf e = {""};
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    for (size_t i = 0; i < ROWS(urls); i++) {
        assert_int_equal(pg_store_open(&store, &loop, urls[i], 0, true, &e), ERR_UNAVAILABLE);
        assert_non_null(strstr(e.text, "cannot connect to PostgreSQL: "));
        assert_null(strchr(e.text, '\n'));
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- queues ---- */

struct read_many {
    struct store_session_get get;
    int *left, *refused;
};

static void read_many_done(struct store_req *req)
{
    struct read_many *m = req->data;

    --*m->left;
    if (req->status == ERR_OVERLOAD)
        ++*m->refused;
    else
        assert_int_equal(req->status, 0);
    store_req_deinit(req);
}

static void the_queue_of_reads_is_bounded(void **state)
{
    enum { COUNT = PG_READS_MAX + 100 };
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    struct read_many *many = calloc(COUNT, sizeof(*many));
    int left = COUNT, refused = 0;

    for (int i = 0; i < COUNT; i++) {
        many[i].left = &left;
        many[i].refused = &refused;
        store_req_init(&many[i].get.req, STORE_SESSION_GET, read_many_done, &many[i]);
        many[i].get.id = session;
        store_submit(r->store, &many[i].get.req);
    }
    while (left > 0)
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_int_equal(refused, 100);
    free(many);
}
#define ONE(test)                                                                                  \
    {                                                                                              \
#test " (postgres)", test, rig_setup_postgres, rig_teardown, NULL                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONE(a_cut_connection_neither_loses_nor_repeats),
        ONE(a_new_session_is_made_once),
        ONE(other_writes_are_repeated_as_well),
        ONE(tidying_up_is_repeated_as_well),
        ONE(a_read_is_tried_once_more),
        ONE(a_restart_costs_time_only),
        ONE(without_a_server_requests_fail_in_time),
        ONE(a_process_that_hangs_writes_nothing_late),
        ONE(a_statement_has_a_deadline),
        cmocka_unit_test(a_server_that_is_not_there_is_named),
        ONE(the_queue_of_reads_is_bounded),
    };
    return RIG_RUN_TESTS(tests);
}
