/* The whole of llm.h over a server on the same loop. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "llm_world.h"

static void answer_well(struct conn *conn)
{
    conn_head(conn);
    conn_content(conn, "Hel");
    conn_content(conn, "lo");
    conn_event(conn, FINISH_EVENT);
    conn_event(conn, USAGE_EVENT);
    conn_event(conn, "[DONE]");
    conn_end(conn);
}

/* ---- A call that goes well ---- */

static void serve_well(struct conn *conn, size_t index)
{
    (void)index;
    answer_well(conn);
}

static void test_normal(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open_as(&w, serve_well, (struct llm_provider){.api_key = "sk-secret-1"});
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "Hello");
    assert_int_equal(r.deltas, 2);
    assert_string_equal(r.finish, "stop");
    assert_string_equal(r.model, "m-7");
    assert_string_equal(r.c.provider_used, "local");
    assert_int_equal(r.c.usage.input_tokens, 3);
    assert_int_equal(r.c.usage.output_tokens, 4);

    struct conn *conn = w.server.conns[0];
    assert_true(conn_has_header(conn, "POST /v1/chat/completions HTTP/1.1\r\n"));
    assert_true(conn_has_header(conn, "Authorization: Bearer sk-secret-1\r\n"));
    assert_true(conn_has_header(conn, "Idempotency-Key: 10111213-1415-1617-1819-1a1b1c1d1e1f\r\n"));
    assert_true(conn_has_header(conn, "Content-Type: application/json\r\n"));
    assert_false(conn_has_header(conn, "Expect:"));
    assert_non_null(strstr(conn->body.data, "\"model\":\"default-model\""));
    recorded_free(&r);
    world_close(&w);
}

static void test_connection_is_used_again(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_well);
    for (int i = 0; i < 3; i++) {
        world_call(&w, &r);
        assert_int_equal(r.c.status, 0);
        recorded_free(&r);
    }
    assert_int_equal(w.server.conn_count, 1);
    world_close(&w);
}

static void serve_byte_by_byte(struct conn *conn, size_t index)
{
    static const char stream[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        ": hi\r\n\r\nevent: x\r\ndata: {\"choices\":[{\"delta\":"
        "{\"content\":\"\\ud83d\"}}]}\r\n\r\n"
        "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"\\ude00\"}}]"
        "}\n\ndata: [DONE]\n\n";
    (void)index;
    for (size_t i = 0; i < sizeof(stream) - 1; i++)
        conn_write_bytes(conn, stream + i, 1);
    conn_close(conn);
}

static void serve_emoji(struct conn *conn, size_t index)
{
    (void)index;
    conn_head(conn);
    conn_content(conn, "a\\ud83d");
    conn_content(conn, "\\ude00b");
    conn_content(conn, "c\\ud83d");
    conn_event(conn, "[DONE]");
    conn_end(conn);
}

static void test_emoji_over_two_chunks(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_emoji);
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "a\xF0\x9F\x98\x80"
                                 "bc\xEF\xBF\xBD");
    recorded_free(&r);
    world_close(&w);
}

static void serve_json(struct conn *conn, size_t index)
{
    static const char body[] = "{\"model\":\"whole\",\"choices\":[{\"index\":0,\"message\":{"
                               "\"role\":\"assistant\",\"content\":\"All at once\"},"
                               "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":1,"
                               "\"completion_tokens\":2}}";
    char head[128];
    (void)index;
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             sizeof(body) - 1);
    conn_write(conn, head);
    conn_write(conn, body);
}

static void test_server_that_does_not_stream(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_json);
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "All at once");
    assert_string_equal(r.finish, "length");
    assert_int_equal(r.c.usage.output_tokens, 2);
    recorded_free(&r);
    world_close(&w);
}

/* ---- Ends of a stream ---- */

static void serve_ending(struct conn *conn, size_t index)
{
    conn_head(conn);
    conn_content(conn, "text");
    switch (index) {
    case 0: /* ends well formed, but says nothing of an end */
        conn_end(conn);
        break;
    case 1: /* drops */
        conn_close(conn);
        break;
    case 2: /* drops in the middle of an event */
        conn_write(conn, "20\r\ndata: {\"choices\":[{\"de\r\n");
        conn_close(conn);
        break;
    case 3:
        conn_event(conn, FINISH_EVENT);
        conn_end(conn);
        break;
    case 4:
        conn_event(conn, FINISH_EVENT);
        conn_close(conn);
        break;
    case 5:
        conn_event(conn, "[DONE]");
        conn_end(conn);
        break;
    case 6: /* the last event lacks its empty line */
        conn_write(conn, "c\r\ndata: [DONE]\r\n0\r\n\r\n");
        break;
    case 7: /* stays open after the end */
        conn_event(conn, "[DONE]");
        break;
    default:
        conn_event(conn, "[DONE]");
        conn_content(conn, "after the end");
        conn_end(conn);
    }
}

static void test_endings(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, serve_ending);
    for (int i = 0; i < 9; i++) {
        struct recorded r;
        world_call(&w, &r);
        bool is_cut = i <= 2;
        assert_int_equal(r.c.status, is_cut ? ERR_UPSTREAM : 0);
        assert_string_equal(r.c.error_code, is_cut ? "truncated" : "");
        assert_string_equal(r.finish, is_cut ? "" : "stop");
        assert_str(buf_str(&r.text), "text");
        recorded_free(&r);
    }
    assert_int_equal(w.server.requests, 9); /* nothing was repeated */
    world_close(&w);
}

static void serve_errors(struct conn *conn, size_t index)
{
    static const char *const events[] = {
        "{\"error\":{\"message\":\"The key sk-secret-1 ran dry\"}}",
        "not json",
        "{\"choices\":[{\"delta\":{\"content\":\"\xC3\"}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\"}}]},"
        "\"finish_reason\":\"tool_calls\"}]}",
    };
    conn_head(conn);
    conn_content(conn, "partial");
    if (index == ROWS(events))
        conn_write(conn, "24\r\nevent: error\ndata: {\"message\":\"x\"}\n\n\r\n");
    else
        conn_event(conn, events[index]);
    if (index == 3)
        conn_end(conn);
}

static void test_errors_in_the_stream(void **state)
{
    static const struct {
        const char *code, *error;
    } rows[] = {
        {"model_error", "the model server reported: The key *** ran dry"},
        {"bad_response", "the model server sent what cannot be read: "},
        {"bad_response", "the model server sent what cannot be read: "},
        {"unexpected_tool_calls", "the model asked for tool \"f\", but it was offered none"},
        {"model_error", "the model server reported: x"},
    };
    struct world w;
    (void)state;
    world_open_as(&w, serve_errors, (struct llm_provider){.api_key = "sk-secret-1"});
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct recorded r;
        world_call(&w, &r);
        assert_int_equal(r.c.status, ERR_UPSTREAM);
        assert_string_equal(r.c.error_code, rows[i].code);
        assert_memory_equal(r.c.error.text, rows[i].error, strlen(rows[i].error));
        assert_str(buf_str(&r.text), "partial");
        recorded_free(&r);
    }
    assert_int_equal(w.server.requests, ROWS(rows));
    world_close(&w);
}

/* ---- Tools ---- */

static void serve_tools(struct conn *conn, size_t index)
{
    (void)index;
    conn_head(conn);
    conn_content(conn, "see");
    conn_event(conn, "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\","
                     "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\"}},{\"index\":1,"
                     "\"id\":\"c2\",\"function\":{\"name\":\"g\"}}]}}]}");
    conn_event(conn, "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,"
                     "\"function\":{\"arguments\":\"\\\":1}\"}}]},\"finish_reason\":\"stop\"}]}");
    conn_end(conn);
}

static void test_tool_calls_come_at_the_end(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_tools);
    recorded_init(
        &r, w.llm,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"tools\":[{\"name\":\"f\"}]}");
    recorded_start(&r);
    turn_until(&w.loop, r.done);
    assert_int_equal(r.c.status, 0);
    assert_string_equal(r.tool_calls,
                        "[{\"id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"},"
                        "{\"id\":\"c2\",\"name\":\"g\",\"arguments\":\"\"}]");
    assert_string_equal(r.finish, "tool_calls");
    assert_str(buf_str(&r.text), "see");
    recorded_free(&r);
    world_close(&w);
}

/* ---- Retries ---- */

static void serve_busy_then_well(struct conn *conn, size_t index)
{
    if (index == 0)
        conn_write(conn, "HTTP/1.1 429 Too Many\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}");
    else if (index == 1)
        conn_write(conn, "HTTP/1.1 503 No\r\nRetry-After-Ms: 5\r\nRetry-After: 900\r\n"
                         "Content-Length: 0\r\n\r\n");
    else
        answer_well(conn);
}

static void test_retry_then_success(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_busy_then_well);
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "Hello");
    assert_int_equal(w.server.requests, 3);
    assert_true(conn_has_header(w.server.conns[0], "Idempotency-Key: 10111213-"));
    recorded_free(&r);
    world_close(&w);
}

static const struct {
    const char *answer;
    size_t requests; /* with at most 2 retries */
    int status;
    const char *code, *error;
    int64_t retry_after_ms;
} failures[] = {
    {"HTTP/1.1 500 Oops\r\nRetry-After-Ms: 1\r\nContent-Length: 4\r\n\r\noops", 3, ERR_UPSTREAM,
     "http_500", "the model server answered 500: oops", 1},
    {"HTTP/1.1 429 Busy\r\nx-should-retry: false\r\nContent-Length: 34\r\n\r\n"
     "{\"error\":{\"message\":\"slow down!\"}}",
     1, ERR_OVERLOAD, "rate_limited", "the model server answered 429: slow down!", -1},
    {"HTTP/1.1 429 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", 1, ERR_OVERLOAD,
     "rate_limited", "the model server answered 429", 3600000},
    {"HTTP/1.1 500 Oops\r\nx-should-retry: false\r\nContent-Length: 0\r\n\r\n", 1, ERR_UPSTREAM,
     "http_500", "the model server answered 500", -1},
    {"HTTP/1.1 400 Bad\r\nContent-Length: 17\r\n\r\n{\"error\":\"wrong\"}", 1, ERR_UPSTREAM,
     "http_400", "the model server answered 400: wrong", -1},
    {"HTTP/1.1 400 Bad\r\nx-should-retry: true\r\nretry-after-ms: 1\r\nContent-Length: 0\r\n\r\n",
     3, ERR_UPSTREAM, "http_400", "the model server answered 400", 1},
    {"HTTP/1.1 408 Late\r\nRetry-After: Thu, 01 Jan 2015 00:00:00 GMT\r\nContent-Length: "
     "0\r\n\r\n",
     3, ERR_UPSTREAM, "http_408", "the model server answered 408", 0},
    {"HTTP/1.1 302 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 1,
     ERR_UPSTREAM, "http_302", "the model server answered 302", -1},
    {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", 1,
     ERR_UPSTREAM, "bad_response", "the server answered with a web page, not as a model server",
     -1},
    {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[7]", 1,
     ERR_UPSTREAM, "bad_response",
     "the model server sent what cannot be read: an event is not an object", -1},
};

static size_t failure_row;

static void serve_failure_row(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, failures[failure_row].answer);
}

static void test_failures(void **state)
{
    (void)state;
    for (failure_row = 0; failure_row < ROWS(failures); failure_row++) {
        struct world w;
        struct recorded r;
        world_open(&w, serve_failure_row);
        world_call(&w, &r);
        assert_int_equal(r.c.status, failures[failure_row].status);
        assert_string_equal(r.c.error_code, failures[failure_row].code);
        assert_string_equal(r.c.error.text, failures[failure_row].error);
        assert_int_equal(r.c.retry_after_ms, failures[failure_row].retry_after_ms);
        assert_int_equal(w.server.requests, failures[failure_row].requests);
        assert_int_equal(r.deltas, 0);
        recorded_free(&r);
        world_close(&w);
    }
}

static void serve_drop_then_well(struct conn *conn, size_t index)
{
    if (index == 0)
        conn_close(conn);
    else
        answer_well(conn);
}

static void test_dropped_before_an_answer_is_repeated(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_drop_then_well);
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_int_equal(w.server.requests, 2);
    recorded_free(&r);
    world_close(&w);
}

static void test_nobody_listens(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open_as(&w, serve_well, (struct llm_provider){.retries_max = 0});
    uv_close((uv_handle_t *)&w.server.listener, NULL);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    world_call(&w, &r);
    assert_int_equal(r.c.status, ERR_UPSTREAM);
    assert_string_equal(r.c.error_code, "connect_failed");
    recorded_free(&r);
    world_close(&w);
}

/* ---- Timeouts ---- */

/* A listener with as many connections as it may have, which nobody takes: the kernel answers no
 * further one. */
struct deaf {
    int fd, filled[3], port;
};

static int deaf_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static void deaf_open(struct deaf *d)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(to);
    d->fd = deaf_socket();
    assert_int_equal(bind(d->fd, (struct sockaddr *)&to, n), 0);
    assert_int_equal(listen(d->fd, 0), 0);
    assert_int_equal(getsockname(d->fd, (struct sockaddr *)&to, &n), 0);
    d->port = ntohs(to.sin_port);
    for (size_t i = 0; i < ROWS(d->filled); i++) {
        d->filled[i] = deaf_socket();
        if (connect(d->filled[i], (struct sockaddr *)&to, n) != 0)
            assert_int_equal(errno, EINPROGRESS);
    }
}

static void deaf_close(struct deaf *d)
{
    for (size_t i = 0; i < ROWS(d->filled); i++)
        close(d->filled[i]);
    close(d->fd);
}

static void expect_no_connection(const char *url, bool is_again)
{
    struct world w;
    struct recorded r;
    world_open_as(&w, serve_well,
                  (struct llm_provider){.base_url = url,
                                        .connect_timeout_ms = 60,
                                        .idle_timeout_ms = 20000,
                                        .retries_max = is_again ? 1 : 0});
    uint64_t begun = uv_hrtime();
    world_call(&w, &r);
    uint64_t ms = (uv_hrtime() - begun) / 1000000;
    assert_int_equal(r.c.status, ERR_UPSTREAM);
    assert_string_equal(r.c.error_code, "connect_failed");
    if (ms < 50 || ms >= 10000)
        fail_msg("%s: after %d ms", url, (int)ms);
    recorded_free(&r);
    world_close(&w);
}

static void test_connect_timeout(void **state)
{
    struct deaf d;
    char url[64];
    (void)state;
    deaf_open(&d);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", d.port);
    expect_no_connection(url, false);
    expect_no_connection(url, true);
    snprintf(url, sizeof(url), "http://localhost:%d/v1", d.port); /* which libcurl sees to */
    expect_no_connection(url, false);
    deaf_close(&d);
}

/* Time that a server takes to answer is no time to connect. */
static void serve_later_fired(uv_timer_t *timer)
{
    answer_well(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

static void serve_later(struct conn *conn, size_t index)
{
    static uv_timer_t timer;
    (void)index;
    timer.data = conn;
    uv_timer_init(conn->tcp.loop, &timer);
    uv_timer_start(&timer, serve_later_fired, 200, 0);
}

static void test_slow_answer_is_no_connect_timeout(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open_as(&w, serve_later, (struct llm_provider){.connect_timeout_ms = 50});
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "Hello");
    assert_int_equal(w.server.conn_count, 1);
    recorded_free(&r);
    world_close(&w);
}

static void serve_stall(struct conn *conn, size_t index)
{
    if (index == 0)
        return; /* not even a status line */
    conn_head(conn);
    conn_content(conn, "then nothing");
    if (index == 2)
        conn_event(conn, FINISH_EVENT);
}

static void test_idle_timeout(void **state)
{
    struct world w;
    (void)state;
    world_open_as(&w, serve_stall, (struct llm_provider){.idle_timeout_ms = 60});
    for (int i = 0; i < 3; i++) {
        struct recorded r;
        world_call(&w, &r);
        bool is_finished = i == 2; /* the answer was whole, only the end of the stream is missing */
        assert_int_equal(r.c.status, is_finished ? 0 : ERR_TIMEOUT);
        assert_string_equal(r.c.error_code, is_finished ? "" : "timeout");
        assert_int_equal(r.text.len, i == 0 ? 0 : 12);
        turn_until(&w.loop, w.server.conns[i]->is_eof);
        recorded_free(&r);
    }
    world_close(&w);
}

/* ---- Cancel ---- */

static void test_cancel_closes_at_once(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_stall);
    for (int i = 0; i < 2; i++) { /* without and with an answer under way */
        recorded_init(&r, w.llm, HELLO);
        recorded_start(&r);
        turn_until(&w.loop, w.server.requests == (size_t)i + 1 && r.deltas == (size_t)i);
        assert_false(conn_peer_is_gone(w.server.conns[i]));
        llm_call_cancel(w.llm, &r.c);
        assert_true(conn_peer_is_gone(w.server.conns[i]));
        turn_until(&w.loop, w.server.conns[i]->is_eof);
        llm_call_cancel(w.llm, &r.c); /* once more is harmless */
        assert_int_equal(r.done, 0);
        recorded_free(&r);
    }
    assert_int_equal(w.server.conn_count, 2);
    world_close(&w);
}

static void cancel_at_delta(struct recorded *r, bool is_thinking)
{
    (void)is_thinking;
    llm_call_cancel(r->llm, &r->c);
}

static void test_cancel_in_delta(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_well);
    recorded_init(&r, w.llm, HELLO);
    r.at_delta = cancel_at_delta;
    recorded_start(&r);
    turn_until(&w.loop, r.deltas);
    for (int i = 0; i < 50; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(r.deltas, 1);
    assert_int_equal(r.done, 0);
    recorded_free(&r);
    world_close(&w);
}

static void test_cancel_before_the_connection(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_well);
    recorded_init(&r, w.llm, HELLO);
    recorded_start(&r);
    llm_call_cancel(w.llm, &r.c);
    for (int i = 0; i < 50; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(r.done, 0);
    assert_int_equal(w.server.requests, 0);
    recorded_free(&r);
    world_close(&w);
}

static void test_cancel_while_waiting_to_retry(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_drop_then_well);
    recorded_init(&r, w.llm, HELLO);
    recorded_start(&r);
    turn_until(&w.loop, w.server.conn_count == 1 && w.server.conns[0]->is_closed);
    for (int i = 0; i < 50; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    llm_call_cancel(w.llm, &r.c);
    world_close(&w); /* would wait in vain if the call were still there */
    assert_int_equal(r.done, 0);
    recorded_free(&r);
}

/* ---- Queue ---- */

#define QUEUED 6

static struct conn *queue_conns[QUEUED];
static int queue_order[QUEUED];

static void serve_in_order(struct conn *conn, size_t index)
{
    queue_conns[index] = conn;
    queue_order[index] = atoi(strstr(conn->body.data, "number ") + 7);
    conn_head(conn);
    conn_content(conn, "x");
}

static void queue_finish(size_t index)
{
    conn_event(queue_conns[index], "[DONE]");
    conn_end(queue_conns[index]);
}

static void test_queue(void **state)
{
    static char requests[QUEUED][80];
    struct world w;
    struct recorded r[QUEUED];
    (void)state;
    world_open_as(&w, serve_in_order, (struct llm_provider){.max_concurrent = 2});
    for (int i = 0; i < QUEUED; i++) {
        snprintf(requests[i], sizeof(requests[i]),
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"number %d\"}]}", i);
        recorded_init(&r[i], w.llm, requests[i]);
        recorded_start(&r[i]);
    }
    llm_call_cancel(w.llm, &r[3].c); /* one that waits */
    llm_call_hold(w.llm, &r[2].c);   /* another one */
    turn_until(&w.loop, r[0].deltas && r[1].deltas);
    assert_int_equal(w.server.requests, 2);
    size_t one = queue_order[0] == 1 ? 0 : 1;
    queue_finish(one);
    turn_until(&w.loop, r[1].done && w.server.requests == 3);
    assert_int_equal(queue_order[2], 2);
    llm_call_cancel(w.llm, &r[0].c); /* its slot is free, too */
    turn_until(&w.loop, r[4].deltas);
    assert_int_equal(queue_order[3], 4);
    assert_int_equal(w.server.requests, 4);
    assert_int_equal(r[2].deltas, 0);
    llm_call_unhold(w.llm, &r[2].c);
    queue_finish(2);
    turn_until(&w.loop, r[2].done && r[5].deltas);
    assert_int_equal(queue_order[4], 5);
    queue_finish(3);
    queue_finish(4);
    turn_until(&w.loop, r[4].done && r[5].done);
    assert_int_equal(r[0].done + r[3].done, 0);
    for (int i = 0; i < QUEUED; i++)
        recorded_free(&r[i]);
    world_close(&w);
}

/* ---- Limits, proxies, misuse ---- */

static void serve_too_much(struct conn *conn, size_t index)
{
    static char text[(64 << 10) + 1];
    (void)index;
    memset(text, 'x', sizeof(text) - 1);
    conn_head(conn);
    for (size_t sent = 0; sent <= LLM_TEXT_BYTES_MAX; sent += sizeof(text) - 1)
        conn_content(conn, text);
}

static void serve_long_event(struct conn *conn, size_t index)
{
    (void)index;
    conn_write(conn, "HTTP/1.1 200 OK\r\n\r\ndata: ");
    for (int i = 0; i < 1100; i++) {
        char kb[1025];
        memset(kb, 'x', 1024);
        kb[1024] = '\0';
        conn_write(conn, kb);
    }
}

static void test_too_large(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_too_much);
    world_call(&w, &r);
    assert_int_equal(r.c.status, ERR_TOO_LARGE);
    assert_string_equal(r.c.error_code, "too_large");
    assert_string_equal(r.finish, "length");
    assert_int_equal(r.text.len, LLM_TEXT_BYTES_MAX);
    recorded_free(&r);
    world_close(&w);

    world_open(&w, serve_long_event);
    world_call(&w, &r);
    assert_int_equal(r.c.status, ERR_TOO_LARGE);
    assert_string_equal(r.c.error_code, "too_large");
    recorded_free(&r);
    world_close(&w);
}

static void test_proxies(void **state)
{
    struct world w, direct;
    struct recorded r;
    char proxy[64];
    (void)state;
    world_open_as(&w, serve_well,
                  (struct llm_provider){.base_url = "http://models.example.invalid/v1"});
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", w.server.port);
    setenv("http_proxy", proxy, 1);
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_true(conn_has_header(w.server.conns[0],
                                "POST http://models.example.invalid/v1/chat/completions HTTP/1.1"));
    recorded_free(&r);

    world_open(&direct, serve_well);
    world_call(&direct, &r);
    assert_int_equal(r.c.status, 0);
    assert_true(conn_has_header(direct.server.conns[0], "POST /v1/chat/completions HTTP/1.1"));
    recorded_free(&r);
    unsetenv("http_proxy");
    world_close(&direct);
    world_close(&w);
}

static void test_refused_at_start(void **state)
{
    struct world w;
    struct recorded r;
    struct errbuf e;
    (void)state;
    world_open(&w, serve_well);
    recorded_init(&r, w.llm, "{\"messages\":[]}");
    assert_int_equal(llm_call_start(w.llm, &r.c, &e), ERR_INVALID);
    assert_string_equal(e.text, "messages: must be an array that is not empty");
    r.c.request = str_of(HELLO);
    r.c.provider = "other";
    assert_int_equal(llm_call_start(w.llm, &r.c, &e), ERR_NOT_FOUND);
    assert_string_equal(e.text, "there is no model provider \"other\"");
    assert_false(llm_has_provider(w.llm, "other"));
    assert_true(llm_has_provider(w.llm, "local"));
    assert_true(llm_has_provider(w.llm, NULL));
    recorded_free(&r);
    world_close(&w);
}

static void test_bad_providers(void **state)
{
    static const struct {
        struct llm_provider p;
        const char *error;
    } rows[] = {
        {{.id = "a b"}, "providers[0].id: must be 1 to 64 of A-Z a-z 0-9 _ . -"},
        {{.id = "a"}, "provider \"a\": base_url is not a URL"},
        {{.id = "a", .base_url = "ftp://x/v1"},
         "provider \"a\": base_url must be http or https, without a query"},
        {{.id = "a", .base_url = "http://x/v1?y=1"},
         "provider \"a\": base_url must be http or https, without a query"},
        {{.id = "a", .base_url = "http://x/v1", .api_key = "k\r\nEvil: 1"},
         "provider \"a\": api_key holds a character that no key has"},
    };
    uv_loop_t loop;
    (void)state;
    uv_loop_init(&loop);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct llm *llm;
        struct errbuf e;
        assert_int_equal(llm_create(&llm, &loop, &rows[i].p, 1, &e), ERR_INVALID);
        assert_string_equal(e.text, rows[i].error);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void close_at_done(struct recorded *r)
{
    llm_close(r->llm, NULL, NULL);
}

static void test_close_in_done(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_well);
    recorded_init(&r, w.llm, HELLO);
    r.at_done = close_at_done;
    recorded_start(&r);
    turn_until(&w.loop, r.done);
    w.llm = NULL;
    w.is_closed = true;
    recorded_free(&r);
    world_close(&w);
}

static void test_byte_by_byte(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_byte_by_byte);
    world_call(&w, &r);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "\xF0\x9F\x98\x80");
    recorded_free(&r);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_connection_is_used_again),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_emoji_over_two_chunks),
        cmocka_unit_test(test_server_that_does_not_stream),
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_errors_in_the_stream),
        cmocka_unit_test(test_tool_calls_come_at_the_end),
        cmocka_unit_test(test_retry_then_success),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_dropped_before_an_answer_is_repeated),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_slow_answer_is_no_connect_timeout),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_cancel_closes_at_once),
        cmocka_unit_test(test_cancel_in_delta),
        cmocka_unit_test(test_cancel_before_the_connection),
        cmocka_unit_test(test_cancel_while_waiting_to_retry),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_refused_at_start),
        cmocka_unit_test(test_bad_providers),
        cmocka_unit_test(test_close_in_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
