/* The HTTP side of the server, over real sockets. */
#include "net/ui_assets.h"
#include "net_fixture.h"

static struct fixture f;
static struct client c;

static int setup(void **state)
{
    struct net_config config = {.body_bytes_max = 100000};
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

static void test_get(void **state)
{
    (void)state;
    request(&c, "GET", "/sessions/" SESSION, NULL, NULL);
    answer_is(client_answer(&c), 200, "ETag: \"7\"\r\n");
    request(&c, "GET", "/api/v1/sessions/" SESSION, NULL, NULL);
    answer_is(client_answer(&c), 200, "\"status\":\"running\"");
    request(&c, "GET", "/sessions/" UNKNOWN, NULL, NULL);
    answer_is(client_answer(&c), 404, "{\"error\":\"Session not found\",\"code\":\"not_found\"}");
    request(&c, "GET", "/sessions/not-an-id", NULL, NULL);
    answer_is(client_answer(&c), 404, "\"code\":\"not_found\"");
    request(&c, "GET", "/nothing", NULL, NULL);
    answer_is(client_answer(&c), 404, "\"code\":\"not_found\"");
    request(&c, "GET", "/healthz", NULL, NULL);
    answer_is(client_answer(&c), 200, "{\"status\":\"ok\"}");
    request(&c, "GET", "/version", NULL, NULL);
    answer_is(client_answer(&c), 200, "{\"name\":\"sluice\",\"version\":\"1.2.3\"}");
    request(&c, "GET", "/metrics", NULL, NULL);
    answer_is(client_answer(&c), 200, "text/plain");
    request(&c, "GET", "/openapi.json", NULL, NULL);
    answer_is(client_answer(&c), 200, "{\"openapi\":\"3.");
    request(&c, "GET", "/asyncapi.json", NULL, NULL);
    answer_is(client_answer(&c), 200, "{\"asyncapi\":\"3.");
}

static void test_execute(void **state)
{
    (void)state;
    request(&c, "POST", "/workflows/execute", JSON_TYPE, "{\"workflow_id\":\"w\"}");
    answer_is(client_answer(&c), 202, "{\"session_id\":\"" SESSION "\",\"status\":\"started\"}");
    request(&c, "POST", "/workflows/execute", JSON_TYPE, "{\"workflow\":\"w\"}");
    answer_is(client_answer(&c), 400, "unknown field");
    request(&c, "POST", "/workflows/execute", JSON_TYPE, "{\"workflow_id\":\"w\"");
    answer_is(client_answer(&c), 400, "\"code\":\"invalid\"");
    request(&c, "POST", "/workflows/execute", JSON_TYPE, "");
    answer_is(client_answer(&c), 400, "empty");
    request(&c, "POST", "/workflows/execute", JSON_TYPE,
            "{\"workflow_id\":\"w\",\"input\":\"\xff\"}");
    answer_is(client_answer(&c), 400, NULL);
    assert_int_equal(f.submitted, 1);
}

static void test_statuses_of_the_service(void **state)
{
    (void)state;
    request(&c, "POST", "/sessions/" SESSION "/pause", JSON_TYPE, "{}");
    answer_is(client_answer(&c), 409,
              "{\"error\":\"the session has ended\",\"code\":\"conflict\"}");
    request(&c, "POST", "/sessions/" SESSION "/resume", NULL, "");
    answer_is(client_answer(&c), 200, "{\"status\":\"running\",\"seq\":9}");
    request(&c, "POST", "/sessions/" SESSION "/cancel", NULL, "");
    answer_is(client_answer(&c), 503, "Retry-After: 3\r\n");
    request(&c, "POST", "/workflows/validate", "Content-Type: text/yaml\r\n", "id: x\n");
    answer_is(client_answer(&c), 422, "\"details\":{\"valid\":false}");
}

static void test_methods(void **state)
{
    (void)state;
    request(&c, "DELETE", "/workflows/execute", NULL, NULL);
    answer_is(client_answer(&c), 200, NULL); /* a workflow may have that name */
    request(&c, "PUT", "/sessions/" SESSION "/pause", NULL, "");
    answer_is(client_answer(&c), 405, "Allow: POST\r\n");
    request(&c, "POST", "/sessions", NULL, "");
    answer_is(client_answer(&c), 405, "Allow: GET, HEAD\r\n");
    request(&c, "HEAD", "/sessions/" SESSION, NULL, NULL);
    answer_is(client_answer_of(&c, true), 200, "Content-Length: ");
    request(&c, "HEAD", "/sessions/" UNKNOWN, NULL, NULL);
    answer_is(client_answer_of(&c, true), 404, NULL);
    assert_int_equal(c.in.len, 0);
    request(&c, "GET", "/ws", NULL, NULL);
    answer_is(client_answer(&c), 426, "Upgrade: websocket\r\n");
}

static void test_bodies(void **state)
{
    char *big = malloc(200001);
    (void)state;

    request(&c, "POST", "/workflows/execute", "Content-Type: text/plain\r\n", "{}");
    answer_is(client_answer(&c), 415, "\"code\":\"unsupported_media_type\"");
    request(&c, "POST", "/workflows/execute", "Content-Type: application/yaml\r\n", "a: b");
    answer_is(client_answer(&c), 415, NULL);
    memset(big, ' ', 200000);
    big[200000] = '\0';
    request(&c, "POST", "/workflows/execute", JSON_TYPE, big);
    answer_is(client_answer(&c), 413, "Connection: close\r\n");
    TURN_UNTIL(&f, c.eof); /* when all of it has come */
    client_close(&c);
    client_open(&c, &f);
    request(&c, "GET", "/healthz", NULL, "a body that nobody wants");
    answer_is(client_answer(&c), 200, NULL);
    request(&c, "GET", "/sessions/" SESSION, NULL, "a body that nobody wants");
    answer_is(client_answer(&c), 200, NULL);
    free(big);
    /* before the body came */
    client_send(&c, "POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                    "Content-Length: 99999999999\r\n\r\n");
    answer_is(client_answer(&c), 413, "Connection: close\r\n");
}

static void closes_with(const char *text, int status)
{
    struct client k;

    client_open(&k, &f);
    client_send(&k, text);
    answer_is(client_answer(&k), status, "Connection: close\r\n");
    TURN_UNTIL(&f, k.eof);
    client_close(&k);
}

static void test_lengths(void **state)
{
    (void)state;
    closes_with("POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\n\r\n", 411);
    closes_with("POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\n"
                "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                411);
    closes_with("GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
                411);
    closes_with("POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                400);
    closes_with("POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                "Content-Length: 3\r\n\r\n",
                400);
    /* no body is no body, where none is needed */
    closes_with("POST /sessions/" SESSION "/resume HTTP/1.1\r\nHost: localhost\r\n\r\n", 200);
    f.defer = true;
    client_send(&c, "POST /sessions/" SESSION "/resume HTTP/1.1\r\nHost: localhost\r\n\r\n");
    TURN_UNTIL(&f, f.waiting_count == 1);
    fixture_answer(&f);
    answer_is(client_answer(&c), 200, "Connection: close\r\n");
}

static void test_split_and_slow(void **state)
{
    static const char text[] = "POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                               "Content-Length: 19\r\n\r\n{\"workflow_id\":\"w\"}";
    (void)state;

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        client_send_bytes(&c, text + i, 1);
        uv_run(&f.loop, UV_RUN_NOWAIT);
        uv_run(&f.loop, UV_RUN_NOWAIT);
    }
    answer_is(client_answer(&c), 202, NULL);
}

#define ONE_GET "GET /sessions/" SESSION " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ONE_POST                                                                                   \
    "POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE                            \
    "Content-Length: 19\r\n\r\n{\"workflow_id\":\"w\"}"

static void test_pipelining(void **state)
{
    struct client k;
    (void)state;

    client_open(&k, &f);
    client_send(&k, ONE_POST ONE_GET ONE_GET);
    {
        struct answer a = client_answer(&k);
        bool closes = strstr(a.text, "Connection: close") != NULL;
        answer_is(a, 202, NULL);
        if (closes) { /* libwebsockets 4.3: the rest is lost, and we say so */
            TURN_UNTIL(&f, k.eof);
            assert_int_equal(k.in.len, 0);
            assert_int_equal(f.submitted, 1);
        } else {
            answer_is(client_answer(&k), 200, NULL);
            answer_is(client_answer(&k), 200, NULL);
        }
    }
    client_close(&k);
    f.submitted = 0;
    client_send(&c, ONE_GET ONE_GET ONE_GET);
    for (int i = 0; i < 3; i++)
        answer_is(client_answer(&c), 200, NULL);
    /* a piece of the next */
    client_send(&c, ONE_GET "POST /workflows/execute HTTP/1.1\r\nHost: loc");
    answer_is(client_answer(&c), 200, NULL);
    client_send(&c, "alhost\r\n" JSON_TYPE "Content-Length: 19\r\n\r\n{\"workflow_id\":\"w\"}");
    answer_is(client_answer(&c), 202, NULL);
    assert_int_equal(f.submitted, 5);
    /* with a body, pipelined: not served, and nothing else happens */
    client_open(&k, &f);
    client_send(&k, ONE_GET ONE_POST ONE_GET);
    answer_is(client_answer(&k), 200, NULL);
    TURN_UNTIL(&f, k.eof);
    assert_int_equal(k.in.len, 0);
    client_close(&k);
    client_open(&k, &f);
    client_send(&k,
                ONE_GET "POST /sessions/" SESSION "/resume HTTP/1.1\r\nHost: localhost\r\n\r\n");
    answer_is(client_answer(&k), 200, NULL);
    TURN_UNTIL(&f, k.eof);
    client_close(&k);
    assert_int_equal(f.submitted, 7);
}

/* Turns of the loop while it should rest. */
static unsigned count_turns(int ms)
{
    bool over = false;
    unsigned turns = 0;

    f.later.data = &over;
    uv_timer_start(&f.later, set_true, (uint64_t)ms, 0);
    while (!over) {
        uv_run(&f.loop, UV_RUN_ONCE);
        turns++;
    }
    return turns;
}

static void test_pipelining_while_waiting(void **state)
{
    static const char *const first[] = {ONE_GET, ONE_POST};
    (void)state;

    for (int i = 0; i < 2; i++) {
        f.defer = true;
        client_send(&c, first[i]);
        TURN_UNTIL(&f, f.waiting_count == 1);
        client_send(&c, ONE_GET ONE_GET ONE_GET); /* comes while the first waits */
        assert_true(count_turns(100) < 20);
        assert_int_equal(f.waiting_count, 1);
        assert_int_equal(c.in.len, 0);
        fixture_answer(&f);
        for (int k = 0; k < 3; k++) {
            TURN_UNTIL(&f, f.waiting_count == 1);
            assert_true(count_turns(50) < 20);
            fixture_answer(&f);
        }
        answer_is(client_answer(&c), i == 0 ? 200 : 202, NULL);
        for (int k = 0; k < 3; k++)
            answer_is(client_answer(&c), 200, NULL);
    }
}

/* libwebsockets has the second one already when the first begins to wait. */
static void test_pipelined_in_one_piece_while_waiting(void **state)
{
    (void)state;

    f.defer = true;
    client_send(&c, ONE_GET ONE_GET ONE_GET);
    for (int k = 0; k < 3; k++) {
        TURN_UNTIL(&f, f.waiting_count == 1);
        assert_true(count_turns(100) < 20);
        assert_int_equal(f.waiting_count, 1);
        fixture_answer(&f);
        answer_is(client_answer(&c), 200, NULL);
    }
    assert_int_equal(f.submitted, 3);
    client_send(&c, ONE_POST); /* and it is as new */
    TURN_UNTIL(&f, f.waiting_count == 1);
    fixture_answer(&f);
    answer_is(client_answer(&c), 202, NULL);
}

/* Nothing comes while they wait: the socket is never taken off the loop. Then one goes. */
static void test_many_wait(void **state)
{
    struct client k[64];
    (void)state;

    for (int i = 0; i < 64; i++)
        client_open(&k[i], &f);
    f.defer = true;
    for (int round = 0; round < 3; round++) {
        for (int i = round; i < 64; i++)
            client_send(&k[i], i % 2 ? ONE_POST : ONE_GET);
        TURN_UNTIL(&f, f.waiting_count == 64 - (unsigned)round);
        client_close(&k[round]);
        assert_true(count_turns(50) < 20);
        fixture_answer(&f);
        for (int i = round + 1; i < 64; i++)
            answer_is(client_answer(&k[i]), i % 2 ? 202 : 200, NULL);
    }
    for (int i = 3; i < 64; i++)
        client_close(&k[i]);
}

static void test_client_goes_while_waiting(void **state)
{
    static const char *const first[] = {ONE_GET, ONE_POST};
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct client k;
        f.defer = true;
        client_open(&k, &f);
        client_send(&k, first[i]);
        TURN_UNTIL(&f, f.waiting_count == 1);
        client_close(&k);
        assert_true(count_turns(50) < 20);
        fixture_answer(&f); /* the command was carried out all the same */
        f.defer = false;
        request(&c, "GET", "/healthz", NULL, NULL);
        answer_is(client_answer(&c), 200, NULL);
    }
}

static void test_long_answer_to_a_slow_reader(void **state)
{
    struct answer a;
    (void)state;

    client_read(&c, false);
    client_send(&c, "GET /workflows HTTP/1.1\r\nHost: localhost\r\n\r\n" ONE_GET);
    assert_true(count_turns(100) < 30); /* nobody reads: nothing spins */
    client_read(&c, true);
    a = client_answer(&c);
    assert_int_equal(strlen(a.body), (8 << 20) + 2);
    answer_is(a, 200, NULL);
    answer_is(client_answer(&c), 200, NULL);
}

static void test_large_headers(void **state)
{
    struct client k;
    char *big = malloc(40000);
    (void)state;

    memset(big, 'a', 39999);
    big[39999] = '\0';
    client_send(&c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: ");
    client_send_bytes(&c, big, 10000);
    client_send(&c, "\r\n\r\n");
    answer_is(client_answer(&c), 200, NULL);
    client_open(&k, &f);
    client_send(&k, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: ");
    client_send(&k, big);
    client_send(&k, "\r\n\r\n");
    TURN_UNTIL(&f, k.eof);
    client_close(&k);
    free(big);
}

static void test_host_and_origin(void **state)
{
    char own[100];
    (void)state;

    client_send(&c, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    answer_is(client_answer(&c), 403, "\"code\":\"forbidden\"");
    client_send(&c, "GET /healthz HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
    answer_is(client_answer(&c), 200, NULL);
    request(&c, "POST", "/sessions/" SESSION "/resume", "Origin: http://evil.example\r\n", "");
    answer_is(client_answer(&c), 403, NULL);
    request(&c, "GET", "/sessions/" SESSION, "Origin: http://evil.example\r\n", NULL);
    answer_is(client_answer(&c), 200, NULL);
    snprintf(own, sizeof(own), "Origin: http://127.0.0.1:%d\r\n", net_server_port(f.server));
    request(&c, "POST", "/sessions/" SESSION "/resume", own, "");
    answer_is(client_answer(&c), 200, NULL);
    request(&c, "POST", "/sessions/" SESSION "/resume", "Origin: http://localhost\r\n", "");
    answer_is(client_answer(&c), 200, NULL);
}

static void see_list(struct fixture *fx, struct svc_req *q)
{
    buf_printf(&fx->seen, "%d %.*s %.*s %.*s %lld %d|", q->list.limit, STR_FMT(q->list.status),
               STR_FMT(q->list.q), STR_FMT(q->list.cursor), (long long)q->list.created_after,
               q->list.ascending);
}

static void see_events(struct fixture *fx, struct svc_req *q)
{
    buf_printf(&fx->seen, "%lld %d %.*s|", (long long)q->events.after, q->events.limit,
               STR_FMT(q->events.types));
}

static void test_queries(void **state)
{
    (void)state;
    f.inspect = see_list;
    request(&c, "GET",
            "/sessions?limit=7&status=running&q=a%20b%26c&unknown=1&cursor=x&order=asc"
            "&created_after=1970-01-01T00:00:01Z",
            NULL, NULL);
    answer_is(client_answer(&c), 200, NULL);
    assert_string_equal(f.seen.data, "7 running a b&c x 1000 1|");
    f.inspect = NULL;
    request(&c, "GET", "/sessions?limit=0", NULL, NULL);
    answer_is(client_answer(&c), 400, "limit");
    request(&c, "GET", "/sessions?limit=501", NULL, NULL);
    answer_is(client_answer(&c), 400, "limit");
    request(&c, "GET", "/sessions?created_after=yesterday", NULL, NULL);
    answer_is(client_answer(&c), 400, "created_after");
    request(&c, "GET", "/sessions?q=%ff", NULL, NULL);
    answer_is(client_answer(&c), 400, "UTF-8");
    f.inspect = see_events;
    buf_clear(&f.seen);
    request(&c, "GET", "/sessions/" SESSION "/events?after=17&limit=500&types=log,error", NULL,
            NULL);
    answer_is(client_answer(&c), 200, NULL);
    assert_string_equal(f.seen.data, "17 500 log,error|");
}

static void see_headers(struct fixture *fx, struct svc_req *q)
{
    buf_printf(&fx->seen, "%lld %.*s %d|", (long long)q->if_match, STR_FMT(q->idempotency_key),
               q->body_hash[0] != 0);
}

static void test_request_headers(void **state)
{
    (void)state;
    f.inspect = see_headers;
    request(&c, "DELETE", "/sessions/" SESSION "?force=true", "If-Match: \"3\"\r\n", NULL);
    answer_is(client_answer(&c), 200, NULL);
    request(&c, "PUT", "/workflows/w", "If-Match: 12\r\n" JSON_TYPE, "{\"a\":1}");
    answer_is(client_answer(&c), 200, NULL);
    request(&c, "POST", "/workflows/execute", "Idempotency-Key: k-1\r\n" JSON_TYPE,
            "{\"workflow_id\":\"w\"}");
    answer_is(client_answer(&c), 202, NULL);
    assert_string_equal(f.seen.data, "3  0|12  0|0 k-1 1|");
    request(&c, "PUT", "/workflows/w", "If-Match: x\r\n" JSON_TYPE, "{}");
    answer_is(client_answer(&c), 400, "If-Match");
    request(&c, "POST", "/workflows/execute", "Idempotency-Key: a b\r\n" JSON_TYPE, "{}");
    answer_is(client_answer(&c), 400, "Idempotency-Key");
}

static void test_not_ready(void **state)
{
    (void)state;
    net_server_set_ready(f.server, false);
    request(&c, "GET", "/sessions", NULL, NULL);
    answer_is(client_answer(&c), 503, "Retry-After: 1\r\n");
    request(&c, "GET", "/healthz", NULL, NULL);
    answer_is(client_answer(&c), 200, NULL);
}

static void test_old_clients(void **state)
{
    (void)state;
    client_send(&c, "GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
    answer_is(client_answer(&c), 200, "Connection: keep-alive\r\n");
    client_send(&c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    answer_is(client_answer(&c), 200, "Connection: close\r\n");
    TURN_UNTIL(&f, c.eof);
}

static void test_upgrades_that_are_none(void **state)
{
    static const char *const texts[] = {
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, "
        "HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct client k;
        client_open(&k, &f);
        client_send(&k, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        answer_is(client_answer(&k), 200, NULL); /* on a connection kept alive */
        client_send(&k, texts[i]);
        client_send(&k, "\r\n\r\n\r\n\r\n");
        TURN_UNTIL(&f, k.eof);
        client_close(&k);
    }
    request(&c, "GET", "/healthz", NULL, NULL);
    answer_is(client_answer(&c), 200, NULL);
}

static void test_shutdown_lets_answers_out(void **state)
{
    (void)state;
    f.defer = true;
    client_send(&c, ONE_POST);
    TURN_UNTIL(&f, f.waiting_count == 1);
    net_server_close(f.server, 100, 5000, fixture_closed, &f);
    turn_for(&f, 20);
    assert_false(f.closed);
    fixture_answer(&f);
    answer_is(client_answer(&c), 202, "Connection: close\r\n");
    TURN_UNTIL(&f, f.closed);
}

static int setup_listed(void **state)
{
    struct net_config config = {.origins = "https://app.example", .connections_max = 2};
    (void)state;

    fixture_open(&f, &config);
    client_open(&c, &f);
    return 0;
}

static void test_cors(void **state)
{
    (void)state;
    request(&c, "OPTIONS", "/sessions/" SESSION "/resume",
            "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    answer_is(client_answer_of(&c, true), 204, "Access-Control-Allow-Methods: POST\r\n");
    request(&c, "POST", "/sessions/" SESSION "/resume", "Origin: https://app.example\r\n", "");
    answer_is(client_answer(&c), 200, "Access-Control-Allow-Origin: https://app.example\r\n");
    request(&c, "OPTIONS", "/sessions", "Origin: https://other.example\r\n", NULL);
    {
        struct answer a = client_answer_of(&c, true);
        assert_null(strstr(a.text, "Access-Control"));
        answer_is(a, 204, "Allow: GET, HEAD, OPTIONS\r\n");
    }
    request(&c, "OPTIONS", "/nothing", NULL, NULL);
    answer_is(client_answer(&c), 404, NULL);
}

static void test_too_many_connections(void **state)
{
    struct client k[100];
    (void)state;

    for (int i = 0; i < 100; i++)
        client_open(&k[i], &f);
    request(&k[0], "GET", "/healthz", NULL, NULL); /* it was there in time */
    answer_is(client_answer(&k[0]), 200, NULL);
    request(&k[20], "GET", "/healthz", NULL, NULL);
    answer_is(client_answer(&k[20]), 503, "Retry-After: 1\r\n");
    TURN_UNTIL(&f, k[20].eof);
    for (int i = 0; i < 100; i++)
        client_close(&k[i]);
    turn_for(&f, 20);
    request(&c, "GET", "/healthz", NULL, NULL); /* there is room again */
    answer_is(client_answer(&c), 200, NULL);
}

static void test_continue(void **state)
{
    (void)state;
    client_send(&c, "POST /workflows/execute HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                    "Expect: 100-continue\r\nContent-Length: 19\r\n\r\n");
    answer_is(client_answer_of(&c, true), 100, "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&c, "{\"workflow_id\":\"w\"}");
    answer_is(client_answer(&c), 202, NULL);
}

static void test_deep_bodies(void **state)
{
    char deep[20001];
    (void)state;

    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    deep[20000] = '\0';
    request(&c, "POST", "/workflows/execute", JSON_TYPE, deep);
    answer_is(client_answer(&c), 413, "too_large");
    assert_int_equal(f.submitted, 0);
}

static void test_page(void **state)
{
    struct answer a;
    (void)state;

    request(&c, "GET", "/", NULL, NULL);
    answer_is(client_answer(&c), 302, "Location: /ui/\r\n");
    request(&c, "GET", "/ui", NULL, NULL);
    answer_is(client_answer(&c), 308, "Location: /ui/\r\n");
    request(&c, "POST", "/ui/", NULL, "");
    answer_is(client_answer(&c), 404, NULL);
    request(&c, "GET", "/ui/no-such-file.js", NULL, NULL);
    answer_is(client_answer(&c), 404, NULL);
    request(&c, "GET", "/ui/../sessions/" SESSION, NULL, NULL);
    answer_is(client_answer(&c), 200, "last_seq");
    request(&c, "GET", "/ui/sessions/7", NULL, NULL); /* a view of the page */
    a = client_answer(&c);
    if (ui_assets_count == 0) {
        answer_is(a, 404, "without the page");
        return;
    }
    assert_non_null(strstr(a.text, "Content-Encoding: gzip\r\n"));
    assert_non_null(strstr(a.text,
                           "Content-Security-Policy: default-src 'none'; script-src 'self'; "
                           "style-src 'self'; "));
    assert_null(strstr(a.text, "unsafe"));
    assert_non_null(strstr(a.text, "require-trusted-types-for 'script'"));
    assert_non_null(strstr(a.text, "Cross-Origin-Opener-Policy: same-origin\r\n"));
    assert_non_null(strstr(a.text, "Cache-Control: no-cache\r\n"));
    answer_is(a, 200, "Content-Type: text/html; charset=utf-8\r\n");
    for (unsigned long i = 0; i < ui_assets_count; i++) {
        char header[200];
        request(&c, "GET", ui_assets[i].path, NULL, NULL);
        a = client_answer(&c);
        assert_int_equal(a.bytes - (size_t)(a.body - a.text), ui_assets[i].gz_len);
        answer_is(a, 200, ui_assets[i].immutable ? "immutable" : "no-cache");
        snprintf(header, sizeof(header), "If-None-Match: %s\r\n", ui_assets[i].etag);
        request(&c, "GET", ui_assets[i].path, header, NULL);
        answer_is(client_answer_of(&c, true), 304, ui_assets[i].etag);
    }
}

static void test_address_in_use(void **state)
{
    struct net_config config = {.host = "127.0.0.1", .version = "1"};
    struct net_server *second;
    struct errbuf e = {""};
    (void)state;

    config.port = net_server_port(f.server);
    assert_int_equal(net_server_open(&second, &f.loop, &config, &f.service, f.hub, &e), ERR_IO);
    assert_non_null(strstr(e.text, "127.0.0.1"));
    config.host = "no.such.host.invalid";
    assert_int_equal(net_server_open(&second, &f.loop, &config, &f.service, f.hub, &e), ERR_IO);
    turn_for(&f, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_execute, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses_of_the_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_methods, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_split_and_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelining, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelining_while_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelined_in_one_piece_while_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_goes_while_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_answer_to_a_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_and_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upgrades_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shutdown_lets_answers_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cors, setup_listed, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_connections, setup_listed, teardown),
        cmocka_unit_test_setup_teardown(test_continue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deep_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_address_in_use, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
