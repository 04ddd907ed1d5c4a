/* Server-sent events, over real sockets. */
#include "net_fixture.h"

static struct fixture f;
static struct client c;

static int setup(void **state)
{
    struct net_config config = {0};
    (void)state;

    fixture_open(&f, &config);
    client_open(&c, &f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    fixture_close(&f);
    return 0;
}

static void expect(const char *contains)
{
    TURN_UNTIL(&f, (c.in.len > 0 && strstr(c.in.data, contains)) || c.eof);
    assert_true(c.in.len > 0);
    assert_non_null(strstr(c.in.data, contains));
}

static void expect_event(int64_t seq)
{
    char wanted[1000];

    snprintf(wanted, sizeof(wanted), "id: %lld\ndata: %s\n\n", (long long)seq, f.events[seq]);
    expect(wanted);
}

static void test_stream_to_its_end(void **state)
{
    (void)state;
    fixture_seal(&f, 2, 10, "log");
    request(&c, "GET", "/sessions/" SESSION "/stream", "Accept: text/event-stream\r\n", NULL);
    expect("HTTP/1.1 200 OK\r\n");
    expect("Content-Type: text/event-stream\r\n");
    expect("\r\n\r\nretry: 1000\n\n");
    expect_event(1);
    expect_event(2);
    fixture_seal(&f, 1, 10, "log");
    expect_event(3);
    fixture_seal(&f, 1, 10, "session_state_change");
    expect_event(4);
    expect("\n\nevent: end\ndata: {}\n\n");
    TURN_UNTIL(&f, c.eof);
    assert_null(strstr(c.in.data, "Content-Length"));
    assert_int_equal(strstr(c.in.data, "id: 2") < strstr(c.in.data, "id: 3"), 1);
}

static void test_where_it_begins(void **state)
{
    struct client k;
    (void)state;

    fixture_seal(&f, 5, 10, "log");
    request(&c, "GET", "/api/v1/sessions/" SESSION "/stream?after=4", NULL, NULL);
    expect_event(5);
    assert_null(strstr(c.in.data, "id: 4"));
    client_open(&k, &f);
    request(&k, "GET", "/sessions/" SESSION "/stream?after=1", "Last-Event-ID: 3\r\n", NULL);
    TURN_UNTIL(&f, k.in.len > 0 && strstr(k.in.data, "id: 5"));
    assert_null(strstr(k.in.data, "id: 3"));
    assert_non_null(strstr(k.in.data, "id: 4"));
    client_close(&k);
    client_open(&k, &f);
    request(&k, "GET", "/sessions/" SESSION "/stream", "Last-Event-ID: x\r\n", NULL);
    answer_is(client_answer(&k), 400, "Last-Event-ID");
    request(&k, "GET", "/sessions/" SESSION "/stream?after=x", NULL, NULL);
    answer_is(client_answer(&k), 400, "after");
    request(&k, "GET", "/sessions/" UNKNOWN "/stream", NULL, NULL);
    answer_is(client_answer(&k), 404, "not_found");
    client_close(&k);
}

static void test_ended_session(void **state)
{
    struct client k;
    (void)state;

    fixture_seal(&f, 1, 10, "log");
    fixture_seal(&f, 1, 10, "session_state_change");
    f.status = "completed";
    request(&c, "GET", "/sessions/" SESSION "/stream", NULL, NULL);
    expect_event(2);
    expect("event: end\n");
    TURN_UNTIL(&f, c.eof);
    client_open(&k, &f); /* all of it is known: nothing to come back for */
    request(&k, "GET", "/sessions/" SESSION "/stream", "Last-Event-ID: 2\r\n", NULL);
    answer_is(client_answer(&k), 204, NULL);
    request(&k, "GET", "/sessions/" SESSION "/stream?after=2", NULL, NULL);
    TURN_UNTIL(&f, k.eof);
    assert_non_null(strstr(k.in.data, "event: end\n"));
    client_close(&k);
}

static void test_snapshot(void **state)
{
    (void)state;
    f.last_seq = 7;
    request(&c, "GET", "/sessions/" SESSION "/stream?after=2", NULL, NULL);
    TURN_UNTIL(&f, f.read != NULL);
    fixture_read_nothing(&f, 5);
    expect("event: snapshot\nid: 7\ndata: {\"last_seq\":7,\"session\":{\"id\":\"" SESSION "\"");
    TURN_UNTIL(&f, f.read != NULL);
    fixture_seal(&f, 1, 10, "log");
    fixture_read_nothing(&f, 5);
    expect_event(8);
}

static void test_snapshot_of_the_future(void **state)
{
    (void)state;
    fixture_seal(&f, 1, 10, "log");
    request(&c, "GET", "/sessions/" SESSION "/stream?after=9", NULL, NULL);
    expect("event: snapshot\nid: 1\n");
    fixture_seal(&f, 1, 10, "log");
    expect_event(2);
}

static void test_failed_read_ends_it(void **state)
{
    struct log_read *read;
    (void)state;

    f.last_seq = 7;
    request(&c, "GET", "/sessions/" SESSION "/stream", NULL, NULL);
    TURN_UNTIL(&f, f.read != NULL);
    read = f.read;
    f.read = NULL;
    log_read_done(read, ERR_UNAVAILABLE, 0, 0, 0, STR_NULL);
    TURN_UNTIL(&f, c.eof);
}

/* A client that goes is noticed at once, though nothing is said to it. */
static void test_client_goes(void **state)
{
    struct net_stats stats;
    struct client k;
    (void)state;

    fixture_seal(&f, 1, 10, "log");
    client_open(&k, &f);
    request(&k, "GET", "/sessions/" SESSION "/stream", NULL, NULL);
    TURN_UNTIL(&f, k.in.len > 0 && strstr(k.in.data, "id: 1"));
    net_server_stats(f.server, &stats);
    assert_int_equal(stats.sse, 1);
    client_close(&k);
    do {
        uv_run(&f.loop, UV_RUN_ONCE);
        net_server_stats(f.server, &stats);
    } while (stats.sse > 0);
    assert_int_equal(stats.cursors, 0);
}

static void test_slow_reader(void **state)
{
    bool over = false;
    unsigned turns = 0;
    (void)state;

    fixture_seal(&f, 1, 10, "log");
    request(&c, "GET", "/sessions/" SESSION "/stream?after=1", NULL, NULL);
    expect("retry: 1000");
    client_read(&c, false);
    for (int i = 0; i < 400; i++)
        fixture_seal(&f, 10, 4000, "log"); /* 16 MB: more than the sockets hold */
    f.later.data = &over;
    uv_timer_start(&f.later, set_true, 100, 0);
    for (; !over; turns++)
        uv_run(&f.loop, UV_RUN_ONCE);
    assert_true(turns < 50); /* nothing spins */
    client_read(&c, true);
    while (!f.read) /* the rest has left the tail */
        uv_run(&f.loop, UV_RUN_ONCE);
    assert_true(f.read->after > 100);
    assert_true(f.read->after < f.last_seq);
}

static void test_shutdown(void **state)
{
    (void)state;
    fixture_seal(&f, 1, 10, "log");
    request(&c, "GET", "/sessions/" SESSION "/stream", NULL, NULL);
    expect_event(1);
    net_server_close(f.server, 100, 5000, fixture_closed, &f);
    TURN_UNTIL(&f, c.eof && f.closed);
}

static void test_client_goes_before_the_session_is_found(void **state)
{
    struct client k;
    (void)state;

    f.defer = true;
    client_open(&k, &f);
    request(&k, "GET", "/sessions/" SESSION "/stream", NULL, NULL);
    TURN_UNTIL(&f, f.waiting_count == 1);
    client_close(&k);
    turn_for(&f, 20);
    fixture_answer(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stream_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_it_begins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_of_the_future, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_read_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shutdown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_goes_before_the_session_is_found, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
