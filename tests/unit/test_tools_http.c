/* Tools http and web_search against scripted servers on the test's own loop. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm_server.h"
#include "tools/tool.h"

static uv_loop_t loop;
static struct server server, other;
static struct tools *tools;
static bool tools_gone;

struct call {
    struct tool_job j;
    int done;
    struct buf output;
};

static void call_done(struct tool_job *j)
{
    struct call *c = container_of(j, struct call, j);
    c->done++;
    buf_append_str(&c->output, buf_str(&j->output));
}

static void call_init(struct call *c, const char *tool, const char *arguments)
{
    memset(c, 0, sizeof(*c));
    buf_init(&c->output, 8 << 20);
    c->j.tool = str_of(tool);
    c->j.arguments = str_of(arguments);
    c->j.on_done = call_done;
    id_parse(STR("01890000-0000-7000-8000-000000000001"), &c->j.idempotency_key);
}

static void call_run(struct call *c)
{
    assert_int_equal(tool_job_start(tools, &c->j), 0);
    assert_int_equal(c->done, 0);
    turn_until(&loop, c->done);
    assert_int_equal(c->done, 1);
}

static struct json output(const struct call *c)
{
    assert_int_equal(json_check(buf_str(&c->output), NULL, NULL), 0);
    return json_root(buf_str(&c->output));
}

/* The server's port in place of PORT. */
static const char *with_port(const char *text)
{
    static char out[4096];
    const char *at = strstr(text, "PORT");
    snprintf(out, sizeof(out), "%.*s%d%s", (int)(at - text), text, server.port, at + 4);
    return out;
}

static void open_tools(const char *const *allow)
{
    static const struct tool_search sources[] = {
        {.name = "sx", .url = "http://127.0.0.1:1/{query}"}};
    struct tool_search source = sources[0];
    char url[128];
    static const char *const headers[] = {"X-Key: {{ secret.SEARCH_KEY }}", NULL};
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/s?q={query}&n={count}", server.port);
    source.url = url;
    source.headers = headers;
    struct tools_settings s = {.allow = allow, .searches = &source, .search_count = 1};
    struct errbuf e = {""};
    assert_int_equal(tools_create(&tools, &loop, &s, &e), 0);
}

static void tools_closed(void *data)
{
    (void)data;
    tools_gone = true;
}

static void (*answer)(struct conn *conn, size_t index);
static void on_request(struct conn *conn, size_t index)
{
    answer(conn, index);
}

static void on_other(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
}

static const char *const loopback[] = {"127.0.0.1", NULL};

static int setup(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    server_open(&server, &loop, on_request);
    server_open(&other, &loop, on_other);
    tools_gone = false;
    tools = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (tools)
        tools_close(tools, tools_closed, NULL);
    server_close(&server);
    server_close(&other);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(!tools || tools_gone);
    server_free(&server);
    server_free(&other);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void say_json(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
                     "X-Twice: a\r\nContent-Length: 13\r\n\r\n{\"a\":[1,2.5]}");
}

static void test_json(void **state)
{
    struct call c;
    (void)state;
    answer = say_json;
    open_tools(loopback);
    call_init(
        &c, "http",
        with_port(
            "{\"url\":\"http://127.0.0.1:PORT/p?x=1\",\"query\":{\"q\":\"a b&\xc3\xa9\",\"n\":3},"
            "\"headers\":{\"X-Mine\":\"yes\"},\"body\":{\"k\":true},\"method\":\"put\"}"));
    call_run(&c);
    assert_int_equal(c.j.status, 0);
    assert_str(json_raw(json_get(output(&c), "body")), "{\"a\":[1,2.5]}");
    assert_str(json_raw(json_get(output(&c), "status")), "200");
    assert_true(json_string_eq(json_get(json_get(output(&c), "headers"), "x-twice"), "a"));
    struct conn *conn = server.conns[0];
    assert_non_null(strstr(conn->head.data, "PUT /p?x=1&q=a%20b%26%C3%A9&n=3 HTTP/1.1\r\n"));
    assert_true(conn_has_header(conn, "X-Mine: yes"));
    assert_true(conn_has_header(conn, "Content-Type: application/json"));
    assert_true(conn_has_header(conn, "Idempotency-Key: 01890000-0000-7000-8000-000000000001"));
    assert_str(buf_str(&conn->body), "{\"k\":true}");
    buf_deinit(&c.output);
}

static void say_binary(struct conn *conn, size_t index)
{
    (void)index;
    conn_write_bytes(conn, "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\n\xff\0\x01z", 43);
}

static void test_binary_and_status(void **state)
{
    struct call c;
    (void)state;
    answer = say_binary;
    open_tools(loopback);
    call_init(&c, "http", with_port("{\"url\":\"http://127.0.0.1:PORT/\"}"));
    call_run(&c);
    assert_int_equal(c.j.status, 0);
    assert_true(json_string_eq(json_get(output(&c), "body_base64"), "/wABeg=="));
    assert_str(json_raw(json_get(output(&c), "status")), "404");
    buf_deinit(&c.output);
}

static void say_busy(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nlate");
}

static void test_fail_on_status(void **state)
{
    struct call c;
    (void)state;
    answer = say_busy;
    open_tools(loopback);
    call_init(&c, "http",
              with_port("{\"url\":\"http://127.0.0.1:PORT/\",\"fail_on_status\":true}"));
    call_run(&c);
    assert_int_equal(c.j.status, ERR_UPSTREAM);
    assert_string_equal(c.j.error_code, "http_503");
    assert_int_equal(c.j.retry_after_ms, 7000);
    assert_non_null(strstr(c.j.error.text, "late"));
    buf_deinit(&c.output);
}

static void test_refused_address(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1",
                                        "2130706433"};
    (void)state;
    answer = say_json;
    open_tools(NULL);
    for (size_t i = 0; i < ROWS(hosts); i++) {
        struct call c;
        char arguments[128];
        snprintf(arguments, sizeof(arguments), "{\"url\":\"http://%s:%d/\"}", hosts[i],
                 server.port);
        call_init(&c, "http", arguments);
        call_run(&c);
        assert_int_equal(c.j.status, ERR_FORBIDDEN);
        assert_string_equal(c.j.error_code, "address_refused");
        buf_deinit(&c.output);
    }
    assert_int_equal(server.conn_count, 0);
}

/* What was connected to for the settings' sake is of no use to a workflow. */
static void test_no_borrowed_connection(void **state)
{
    struct call c;
    (void)state;
    setenv("SLUICE_SECRET_SEARCH_KEY", "s3cret-key", 1);
    answer = say_json;
    open_tools(NULL);
    call_init(&c, "web_search", "{\"query\":\"x\"}");
    call_run(&c);
    buf_deinit(&c.output);
    assert_int_equal(server.requests, 1);
    call_init(&c, "http", with_port("{\"url\":\"http://127.0.0.1:PORT/\"}"));
    call_run(&c);
    assert_string_equal(c.j.error_code, "address_refused");
    assert_int_equal(server.requests, 1);
    buf_deinit(&c.output);
}

static void redirect(struct conn *conn, size_t index)
{
    char text[256];
    snprintf(text, sizeof(text),
             "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:%d/next\r\nContent-Length: 0\r\n\r\n",
             index < 1 ? server.port : other.port);
    conn_write(conn, text);
}

static void test_redirect_keeps_secrets_home(void **state)
{
    struct call c;
    (void)state;
    setenv("SLUICE_SECRET_TOKEN", "top-secret-token", 1);
    answer = redirect;
    open_tools(loopback);
    call_init(
        &c, "http",
        with_port(
            "{\"url\":\"http://127.0.0.1:PORT/\",\"method\":\"POST\",\"body\":\"b\",\"headers\":"
            "{\"X-Api-Key\":\"k {{ secret.TOKEN }}\",\"X-Plain\":\"p\"}}"));
    c.j.secrets_of = STR("… secret.TOKEN …");
    call_run(&c);
    assert_int_equal(c.j.status, 0);
    assert_true(json_string_eq(json_get(output(&c), "body"), "other"));
    assert_true(conn_has_header(server.conns[0], "X-Api-Key: k top-secret-token"));
    assert_int_equal(server.requests, 2);
    assert_true(conn_has_header(other.conns[0], "X-Plain: p"));
    assert_null(strstr(other.conns[0]->head.data, "secret"));
    assert_non_null(strstr(other.conns[0]->head.data, "GET /next"));
    buf_deinit(&c.output);
}

static void redirect_inside(struct conn *conn, size_t index)
{
    char text[256];
    (void)index;
    snprintf(text, sizeof(text),
             "HTTP/1.1 302 Go\r\nLocation: http://localhost:%d/\r\nContent-Length: 0\r\n\r\n",
             other.port);
    conn_write(conn, text);
}

static void test_redirect_is_checked(void **state)
{
    struct call c;
    char rule[32];
    const char *allow[] = {rule, NULL};
    (void)state;
    answer = redirect_inside;
    snprintf(rule, sizeof(rule), "127.0.0.1:%d", server.port);
    open_tools(allow);
    call_init(&c, "http", with_port("{\"url\":\"http://127.0.0.1:PORT/\"}"));
    call_run(&c);
    assert_string_equal(c.j.error_code, "address_refused");
    assert_int_equal(other.conn_count, 0);
    buf_deinit(&c.output);
}

static void redirect_round(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, "HTTP/1.1 307 Go\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
}

static void test_redirects_end(void **state)
{
    struct call c;
    (void)state;
    answer = redirect_round;
    open_tools(loopback);
    call_init(&c, "http", with_port("{\"url\":\"http://127.0.0.1:PORT/\"}"));
    call_run(&c);
    assert_string_equal(c.j.error_code, "too_many_redirects");
    assert_int_equal(server.requests, 6);
    buf_deinit(&c.output);
}

static void test_proxy(void **state)
{
    struct call c;
    char proxy[64];
    struct tools_settings s = {.proxy = proxy};
    struct errbuf e = {""};
    (void)state;
    answer = say_json;
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", server.port);
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* of no concern */
    assert_int_equal(tools_create(&tools, &loop, &s, &e), 0);
    call_init(&c, "http", "{\"url\":\"http://outside.invalid/x\"}");
    call_run(&c);
    unsetenv("http_proxy");
    assert_int_equal(c.j.status, 0);
    assert_non_null(strstr(server.conns[0]->head.data, "GET http://outside.invalid/x "));
    buf_deinit(&c.output);
}

static void say_long(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789");
}

static void test_truncated(void **state)
{
    struct call c;
    (void)state;
    answer = say_long;
    open_tools(loopback);
    call_init(&c, "http", with_port("{\"url\":\"http://127.0.0.1:PORT/\",\"max_bytes\":7}"));
    call_run(&c);
    assert_int_equal(c.j.status, 0);
    assert_true(json_string_eq(json_get(output(&c), "body"), "0123456"));
    assert_str(json_raw(json_get(output(&c), "truncated")), "true");
    buf_deinit(&c.output);
}

static void say_nothing(struct conn *conn, size_t index)
{
    (void)conn;
    (void)index;
}

static void test_timeout_and_cancel(void **state)
{
    struct call c, d;
    (void)state;
    answer = say_nothing;
    open_tools(loopback);
    call_init(&c, "http", with_port("{\"url\":\"http://127.0.0.1:PORT/\",\"timeout_ms\":30}"));
    call_run(&c);
    assert_int_equal(c.j.status, ERR_TIMEOUT);
    assert_string_equal(c.j.error_code, "timeout");
    call_init(&d, "http", with_port("{\"url\":\"http://127.0.0.1:PORT/\"}"));
    assert_int_equal(tool_job_start(tools, &d.j), 0);
    turn_until(&loop, server.requests == 2);
    tool_job_cancel(&d.j);
    assert_true(conn_peer_is_gone(server.conns[server.conn_count - 1]));
    assert_int_equal(d.done, 0);
    buf_deinit(&c.output);
    buf_deinit(&d.output);
}

static void say_secret(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, "HTTP/1.1 200 OK\r\nX-Echo: top-secret-token\r\nContent-Length: 18\r\n\r\n"
                     "[top-secret-token]");
}

static void test_secret_is_hidden(void **state)
{
    struct call c;
    (void)state;
    setenv("SLUICE_SECRET_TOKEN", "top-secret-token", 1);
    answer = say_secret;
    open_tools(loopback);
    call_init(
        &c, "http",
        with_port("{\"url\":\"http://127.0.0.1:PORT/\",\"headers\":{\"A\":\"{{secret.TOKEN}}\"}}"));
    c.j.secrets_of = STR("{{secret.TOKEN}}");
    call_run(&c);
    assert_true(conn_has_header(server.conns[0], "A: top-secret-token"));
    assert_null(strstr(c.output.data, "top-secret"));
    assert_true(json_string_eq(json_get(output(&c), "body"), "[****************]"));
    buf_deinit(&c.output);
}

static void test_bad_arguments(void **state)
{
    static const char *const rows[] = {
        "{}",
        "{\"url\":5}",
        "{\"url\":\"ftp://a/\"}",
        "{\"url\":\"file:///etc/passwd\"}",
        "{\"url\":\"http://a b/\"}",
        "{\"url\":\"http://a/\",\"method\":\"TRACE\"}",
        "{\"url\":\"http://a/\",\"headers\":{\"A\":\"x\\r\\nB: y\"}}",
        "{\"url\":\"http://a/\",\"headers\":{\"A b\":\"x\"}}",
        "{\"url\":\"http://a/\",\"headers\":{\"Host\":\"x\"}}",
        "{\"url\":\"http://a/\",\"headers\":{\"A\":\"{{ secret.TOKEN }}\"}}", /* not the author's */
        "{\"url\":\"http://a/\",\"headers\":[]}",
        "{\"url\":\"http://a/\",\"query\":[]}",
        "{\"url\":\"http://a/\",\"timeout_ms\":0}",
        "{\"url\":\"http://a/\",\"max_bytes\":99999999}",
        "{\"url\":\"http://a/\",\"fail_on_status\":1}",
        "[]",
    };
    (void)state;
    setenv("SLUICE_SECRET_TOKEN", "top-secret-token", 1);
    open_tools(NULL);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct call c;
        call_init(&c, "http", rows[i]);
        assert_int_equal(tool_job_start(tools, &c.j), ERR_INVALID);
        assert_string_equal(c.j.error_code, "invalid_arguments");
        assert_true(c.j.error.text[0]);
        assert_null(strstr(c.j.error.text, "top-secret"));
        buf_deinit(&c.output);
    }
    struct call c;
    call_init(&c, "nonsense", "{}");
    assert_int_equal(tool_job_start(tools, &c.j), ERR_NOT_FOUND);
    assert_string_equal(c.j.error_code, "unknown_tool");
    tool_job_cancel(&c.j); /* fine when it never began */
}

static void say_results(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn,
               "HTTP/1.1 200 OK\r\nContent-Length: 127\r\n\r\n"
               "{\"results\":[{\"title\":\"T\",\"url\":\"https://t\",\"content\":\"C\",\"x\":1},"
               "5,{\"title\":\"U\",\"url\":\"https://u\",\"content\":7},{\"title\":\"V\"}]}      ");
}

static void test_search(void **state)
{
    struct call c;
    (void)state;
    setenv("SLUICE_SECRET_SEARCH_KEY", "s3cret-key", 1);
    answer = say_results;
    open_tools(NULL);
    call_init(&c, "web_search", "{\"query\":\"tea & \xc3\xa9\",\"max_results\":2}");
    call_run(&c);
    assert_int_equal(c.j.status, 0);
    assert_non_null(strstr(server.conns[0]->head.data, "GET /s?q=tea%20%26%20%C3%A9&n=2 "));
    assert_true(conn_has_header(server.conns[0], "X-Key: s3cret-key"));
    assert_str(
        buf_str(&c.output),
        "{\"source\":\"sx\",\"results\":[{\"title\":\"T\",\"url\":\"https://t\",\"snippet\":\"C\"},"
        "{\"title\":\"U\",\"url\":\"https://u\",\"snippet\":\"\"}]}");
    buf_deinit(&c.output);
    answer = say_json;
    call_init(&c, "web_search", "{\"query\":\"x\",\"source\":\"sx\"}");
    call_run(&c);
    assert_string_equal(c.j.error_code, "bad_response");
    buf_deinit(&c.output);
}

static void test_search_demo(void **state)
{
    struct call c;
    (void)state;
    open_tools(NULL);
    call_init(&c, "web_search", "{\"query\":\"tea\",\"source\":\"demo\",\"max_results\":3}");
    call_run(&c);
    assert_int_equal(c.j.status, 0);
    assert_int_equal(json_length(json_get(output(&c), "results")), 3);
    assert_non_null(strstr(c.output.data, "[demo] Result 1 for: tea"));
    buf_deinit(&c.output);
    call_init(&c, "web_search", "{\"query\":\"tea\",\"source\":\"none\"}");
    assert_int_equal(tool_job_start(tools, &c.j), ERR_NOT_FOUND);
    assert_string_equal(c.j.error_code, "unknown_source");
    /* Cancelled between its end and its callback. */
    call_init(&c, "web_search", "{\"query\":\"tea\",\"source\":\"demo\"}");
    assert_int_equal(tool_job_start(tools, &c.j), 0);
    tool_job_cancel(&c.j);
    assert_int_equal(c.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_json),
        TEST(test_binary_and_status),
        TEST(test_fail_on_status),
        TEST(test_refused_address),
        TEST(test_no_borrowed_connection),
        TEST(test_redirect_keeps_secrets_home),
        TEST(test_redirect_is_checked),
        TEST(test_redirects_end),
        TEST(test_proxy),
        TEST(test_truncated),
        TEST(test_timeout_and_cancel),
        TEST(test_secret_is_hidden),
        TEST(test_bad_arguments),
        TEST(test_search),
        TEST(test_search_demo),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
