/* The table of roles, and net asking who comes: HTTP, the event stream, a WebSocket's handshake. */
#include "net_fixture.h"

#include "net/routes.h"
#include "net/ws_msg.h"

static struct fixture f;
static struct client c;

static int setup(void **state)
{
    struct net_config config = {.port = 0};
    (void)state;
    fixture_open(&f, &config);
    f.demands = true;
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

/* ---- the table ---- */

static void test_every_operation_has_a_row(void **state)
{
    (void)state;
    for (int op = 0; op < SVC_OP_COUNT; op++)
        if (access_needs((enum svc_op)op) == ROLE_NONE && !access_is_open((enum svc_op)op))
            fail_msg("operation %d of net/service.h has no row in net/access.c: say which role "
                     "it needs",
                     op);
    assert_int_equal(access_needs(SVC_OP_COUNT), ROLE_NONE);
    assert_false(access_is_open(SVC_OP_COUNT));
}

static void test_what_is_open(void **state)
{
    (void)state;
    for (int op = 0; op < SVC_OP_COUNT; op++)
        assert_int_equal(access_is_open((enum svc_op)op), op == SVC_READY || op == SVC_TICKET_TAKE);
}

static void test_roles(void **state)
{
    static const struct {
        enum svc_op op;
        enum role least;
    } rows[] = {
        {SVC_SESSION_GET, ROLE_VIEWER},    {SVC_PAUSE, ROLE_OPERATOR},
        {SVC_EXECUTE, ROLE_OPERATOR},      {SVC_WORKFLOW_PUT, ROLE_EDITOR},
        {SVC_SESSION_DELETE, ROLE_EDITOR}, {SVC_INSTANCES, ROLE_ADMIN},
        {SVC_CHILD_ENDED, ROLE_ADMIN},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++)
        for (int r = ROLE_NONE; r <= ROLE_ADMIN; r++) {
            struct principal who = {.kind = PRINCIPAL_KEY, .role = (enum role)r};
            struct errbuf e = {""};
            int status = access_check_op(&who, rows[i].op, &e);
            assert_int_equal(status, r >= (int)rows[i].least ? 0 : ERR_FORBIDDEN);
            if (status)
                assert_non_null(strstr(e.text, role_word(rows[i].least)));
        }
}

static void test_an_operation_beyond_the_table(void **state)
{
    struct principal who = {.kind = PRINCIPAL_KEY, .role = ROLE_ADMIN};
    struct errbuf e = {""};
    (void)state;
    assert_int_equal(access_check_op(&who, SVC_OP_COUNT, &e), ERR_FORBIDDEN);
}

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(role_parse(STR("editor")), ROLE_EDITOR);
    assert_int_equal(role_parse(STR("none")), ROLE_NONE);
    assert_int_equal(role_parse(STR("Admin")), ROLE_NONE);
    assert_int_equal(role_parse(STR("")), ROLE_NONE);
}

/* ---- HTTP ---- */

#define KEY(k) "Authorization: Bearer " k "\r\n"

static void test_no_key(void **state)
{
    static const char *const open[] = {"/healthz",      "/readyz",        "/version",
                                       "/openapi.json", "/asyncapi.json", "/api/v1/version"};
    (void)state;
    request(&c, "GET", "/sessions", NULL, NULL);
    answer_is(client_answer(&c), 401, "WWW-Authenticate: Bearer\r\n");
    request(&c, "GET", "/api/v1/sessions/" SESSION, NULL, NULL);
    answer_is(client_answer(&c), 401, "\"code\":\"unauthorized\"");
    request(&c, "GET", "/sessions/" SESSION "/stream", NULL, NULL);
    answer_is(client_answer(&c), 401, "\"code\":\"unauthorized\"");
    request(&c, "POST", "/workflows/execute", JSON_TYPE, "{\"workflow_id\":\"w\"}");
    answer_is(client_answer(&c), 401, NULL);
    request(&c, "GET", "/sessions", "Authorization: Basic dmlld2VyLnc=\r\n", NULL);
    answer_is(client_answer(&c), 401, NULL);
    assert_int_equal(f.submitted, 0);
    for (size_t i = 0; i < ROWS(open); i++) {
        request(&c, "GET", open[i], NULL, NULL);
        answer_is(client_answer(&c), 200, NULL);
    }
}

static void test_http_roles(void **state)
{
    (void)state;
    request(&c, "GET", "/sessions", KEY("viewer.w1"), NULL);
    answer_is(client_answer(&c), 200, "items");
    request(&c, "POST", "/sessions/" SESSION "/resume", KEY("viewer.w1"), NULL);
    answer_is(client_answer(&c), 403, "operator");
    client_close(&c); /* a POST without a length ends its connection */
    client_open(&c, &f);
    request(&c, "POST", "/sessions/" SESSION "/resume", KEY("operator.w1") JSON_TYPE, "{}");
    answer_is(client_answer(&c), 200, "running");
    request(&c, "POST", "/workflows/execute", KEY("operator.w1") JSON_TYPE,
            "{\"workflow_id\":\"w\"}");
    answer_is(client_answer(&c), 202, NULL);
    request(&c, "POST", "/workflows/execute", KEY("operator.w1") JSON_TYPE, "{\"graph\":{}}");
    answer_is(client_answer(&c), 403, "the role editor");
    request(&c, "POST", "/workflows/execute", KEY("editor.w1") JSON_TYPE, "{\"graph\":{}}");
    answer_is(client_answer(&c), 202, NULL);
    request(&c, "DELETE", "/workflows/w", KEY("none.w1"), NULL);
    answer_is(client_answer(&c), 403, "\"code\":\"forbidden\"");
}

static void see_who(struct fixture *fx, struct svc_req *q)
{
    buf_clear(&fx->seen);
    buf_printf(&fx->seen, "%s %.*s %.*s", role_word(q->who.role), STR_FMT(q->workspace),
               STR_FMT(q->actor));
}

static void test_who_reaches_the_service(void **state)
{
    (void)state;
    f.inspect = see_who;
    request(&c, "GET", "/sessions", "authorization: bearer   editor.w2\r\n", NULL);
    answer_is(client_answer(&c), 200, NULL);
    assert_true(str_eqz(buf_str(&f.seen), "editor w2 somebody"));
    f.demands = false;
    request(&c, "GET", "/sessions", NULL, NULL);
    answer_is(client_answer(&c), 200, NULL);
    assert_true(str_eqz(buf_str(&f.seen), "admin default anonymous"));
}

static void test_a_key_that_is_too_long(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 65536);
    buf_append_z(&b, "GET /sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin.");
    for (int i = 0; i < CREDENTIAL_BYTES_MAX; i++)
        buf_append_char(&b, 'a');
    buf_append_z(&b, "\r\n\r\n");
    client_send_bytes(&c, b.data, b.len);
    buf_deinit(&b);
    answer_is(client_answer(&c), 401, "longer than 8192");
    assert_int_equal(f.submitted, 0);
}

/* ---- the handshake ---- */

static void handshake(const char *headers)
{
    char text[1024];

    client_close(&c);
    client_open(&c, &f);
    snprintf(text, sizeof(text),
             "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
             headers);
    client_send(&c, text);
}

static void test_socket(void **state)
{
    (void)state;
    handshake("");
    answer_is(client_answer(&c), 401, "WWW-Authenticate: Bearer\r\n");
    handshake("Sec-WebSocket-Protocol: sluice.v1\r\n");
    answer_is(client_answer(&c), 401, "\"code\":\"unauthorized\"");
    handshake("Sec-WebSocket-Protocol: bearer.viewer.w1\r\n");
    answer_is(client_answer(&c), 400, "expected sluice.v1");
    handshake("Sec-WebSocket-Protocol: sluice.v1, bearer.none.w1\r\n");
    answer_is(client_answer(&c), 403, "\"code\":\"forbidden\"");
    handshake("Sec-WebSocket-Protocol: sluice.v1, bearer.viewer.w1\r\n");
    answer_is(client_answer(&c), 101, "Sec-WebSocket-Protocol: sluice.v1\r\n");
    handshake("Sec-WebSocket-Protocol:   bearer.viewer.w1 ,sluice.v1\r\n");
    answer_is(client_answer(&c), 101, "Sec-WebSocket-Protocol: sluice.v1\r\n");
    handshake(KEY("viewer.w1"));
    answer_is(client_answer(&c), 101, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation_has_a_row),
        cmocka_unit_test(test_what_is_open),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_an_operation_beyond_the_table),
        cmocka_unit_test(test_words),
        cmocka_unit_test_setup_teardown(test_no_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_http_roles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_reaches_the_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_that_is_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_socket, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
