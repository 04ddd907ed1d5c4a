/* Writes of the PostgreSQL store that go by a connection of their own, beside the commits (decision
 * 33): no commit waits for one, they are as safe from lost connections, and neither disturbs the
 * other. */
#include <signal.h>

#include "test_store_pg_watch.h"

static struct session_save stored(struct id id)
{
    return (struct session_save){.id = id,
                                 .meta = {.name = STR("a"),
                                          .tags_json = STR("[]"),
                                          .metadata_json = STR("{}"),
                                          .settings_json = STR("{}"),
                                          .thread_configs_json = STR("{}"),
                                          .workflow_state_json = STR("{}")},
                                 .status = STR("open")};
}

static struct memory_row memory(struct rig *r)
{
    struct id id = rig_id(r, T0);
    return (struct memory_row){.id = id,
                               .source_id = id,
                               .group_id = STR("g"),
                               .chunks = 1,
                               .content = STR("words"),
                               .metadata_json = STR("{}"),
                               .created_at = T0,
                               .updated_at = T0};
}

static struct audit_row audit(struct rig *r)
{
    return (struct audit_row){.id = rig_id(r, T0),
                              .actor = STR("ann"),
                              .role = STR("operator"),
                              .action = STR("pause"),
                              .status = 200,
                              .created_at = T0};
}

static void aside_done(struct store_req *req)
{
    *(bool *)req->data = true;
}

static void submit(struct rig *r, struct store_req *req, bool *done)
{
    *done = false;
    req->done = aside_done;
    req->data = done;
    store_submit(r->store, req);
}

static int wait_for(struct rig *r, struct store_req *req, const bool *done)
{
    while (!*done)
        uv_run(&r->loop, UV_RUN_ONCE);
    int status = req->status;
    store_req_deinit(req);
    return status;
}

/* All of a session, which is gone from the store afterwards; the request keeps it. */
static void take_out(struct rig *r, struct id id, struct store_session_export *x)
{
    memset(x, 0, sizeof(*x));
    store_req_init(&x->req, STORE_SESSION_EXPORT, rig_done, NULL);
    x->load.id = id;
    x->bytes_max = 1 << 20;
    assert_int_equal(rig_run(r, &x->req), 0);
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = id;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
}

/* Somebody holds a table that the write needs and a commit of events does not: commits go on. */
static void expect_commits_beside(struct rig *r, struct store_req *req, const char *table)
{
    struct id session = rig_session(r, "running", T0);
    PGconn *other = PQconnectdb(r->url);
    char sql[64];
    bool done;

    snprintf(sql, sizeof(sql), "BEGIN; LOCK TABLE %s", table);
    PQclear(PQexec(other, sql));
    submit(r, req, &done);
    for (int i = 0; i < 3; i++) {
        struct rig_delta x;
        rig_events(&x, session, i + 2, i + 2);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
        assert_false(done);
    }
    PQfinish(other);
    assert_int_equal(wait_for(r, req, &done), 0);
}

static void commits_do_not_wait_for_it(void **state)
{
    struct rig *r = *state;
    struct session_save s = stored(rig_id(r, T0));
    struct memory_row m = memory(r);
    struct audit_row a = audit(r);
    struct store_session_export x;

    RIG_REQ(store_session_save, save, STORE_SESSION_SAVE);
    save.saves = &s;
    save.save_count = 1;
    save.now_ms = T0;
    expect_commits_beside(r, &save.req, "session_details");
    RIG_REQ(store_memory_put, put, STORE_MEMORY_PUT);
    put.rows = &m;
    expect_commits_beside(r, &put.req, "memories");
    RIG_REQ(store_audit_put, log, STORE_AUDIT_PUT);
    log.rows = &a;
    expect_commits_beside(r, &log.req, "audit_log");
    take_out(r, rig_session(r, "completed", T0), &x);
    RIG_REQ(store_session_import, import, STORE_SESSION_IMPORT);
    import.whole = &x.whole;
    import.now_ms = T0;
    expect_commits_beside(r, &import.req, "interrupts");
    store_req_deinit(&x.req);
}

/* What a commit gathers of its rows is its own while a session is imported. */
static void an_import_goes_in_the_middle_of_a_commit(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);

    for (int i = 0; i < 12; i++) {
        struct message_row message;
        struct run_row run;
        struct rig_delta step, late;
        struct store_session_export x;
        bool refused[2] = {false, false}, committed, imported;
        take_out(r, rig_session(r, "completed", T0), &x);
        make_step(r, &step, session, i + 2, i + 2, &message, &run);
        rig_events(&late, session, 1, 1); /* is there: all are looked at one by one */
        late.d.epoch = 0;
        struct delta *deltas[] = {&step.d, &late.d};
        RIG_REQ(store_commit, c, STORE_COMMIT);
        c.deltas = deltas;
        c.count = 2;
        c.refused = refused;
        RIG_REQ(store_session_import, import, STORE_SESSION_IMPORT);
        import.whole = &x.whole;
        import.now_ms = T0;
        submit(r, &c.req, &committed);
        for (int turn = 0; turn < i % 4; turn++)
            uv_run(&r->loop, UV_RUN_ONCE);
        submit(r, &import.req, &imported);
        assert_int_equal(wait_for(r, &import.req, &imported), 0);
        assert_int_equal(wait_for(r, &c.req, &committed), 0);
        assert_false(refused[0]);
        rig_delta_deinit(&step);
        rig_delta_deinit(&late);
        store_req_deinit(&x.req);
    }
    assert_int_equal(ask(r, "SELECT count(*) FROM sessions"), 13);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_messages"), 12);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 13 + 12);
}

static void it_is_repeated_after_a_lost_connection(void **state)
{
    enum { ROUNDS = 15 };
    struct rig *r = *state;

    for (int i = 0; i < ROUNDS; i++) {
        struct session_save s = stored(rig_id(r, T0 + i));
        bool done;
        RIG_REQ(store_session_save, p, STORE_SESSION_SAVE);
        p.saves = &s;
        p.save_count = 1;
        p.now_ms = T0 + i;
        submit(r, &p.req, &done);
        for (int turn = 0; turn < i % 7; turn++)
            uv_run(&r->loop, UV_RUN_NOWAIT);
        pg_rig_exec_on(r->url, KILL_ALL);
        assert_int_equal(wait_for(r, &p.req, &done), 0);
        assert_true(s.created && s.version == 1);
    }
    assert_int_equal(ask(r, "SELECT count(*) FROM sessions WHERE version = 1"), ROUNDS);
}

/* Its process stands still with a write in its socket: whoever was told that it failed is not to
 * find it later. */
static void a_process_that_hangs_writes_nothing_late(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    struct pg_conn *c = &pg_of(r)->workers[PG_SAVER].conn;
    struct audit_row a = audit(r);
    bool done;

    RIG_REQ(store_audit_put, first, STORE_AUDIT_PUT);
    first.rows = &a;
    assert_int_equal(rig_run(r, &first.req), 0);
    store_req_deinit(&first.req);
    pid_t pid = PQbackendPID(c->handle);
    assert_true(pid > 0);
    if (kill(pid, SIGSTOP) != 0)
        skip(); /* it runs elsewhere, or as somebody else */
    c->batch_ms = 200;
    pg_of(r)->write_wait_ms = 700;
    a.id = rig_id(r, T0 + 1);
    RIG_REQ(store_audit_put, put, STORE_AUDIT_PUT);
    put.rows = &a;
    submit(r, &put.req, &done);
    struct rig_delta x;
    rig_events(&x, session, 2, 2);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    assert_int_equal(wait_for(r, &put.req, &done), ERR_UNAVAILABLE);
    kill(pid, SIGCONT);
    pg_of(r)->write_wait_ms = PG_WRITE_WAIT_MS;
    a.id = rig_id(r, T0 + 2);
    RIG_REQ(store_audit_put, last, STORE_AUDIT_PUT);
    last.rows = &a;
    assert_int_equal(rig_run(r, &last.req), 0);
    store_req_deinit(&last.req);
    assert_int_equal(ask(r, "SELECT count(*) FROM audit_log"), 2);
}

#define ONE(test)                                                                                  \
    {                                                                                              \
#test " (postgres)", test, rig_setup_postgres, rig_teardown, NULL                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONE(commits_do_not_wait_for_it),
        ONE(an_import_goes_in_the_middle_of_a_commit),
        ONE(it_is_repeated_after_a_lost_connection),
        ONE(a_process_that_hangs_writes_nothing_late),
    };
    return RIG_RUN_TESTS(tests);
}
