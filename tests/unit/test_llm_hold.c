/* Calls whose answers are held back, and answers that come faster than anybody reads. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "llm_world.h"

#define FLOOD_CHUNKS 6000
#define FLOOD_BYTES  1000

static void serve_flood_by(struct conn *conn, int send_buffer)
{
    char text[FLOOD_BYTES + 1];
    uv_send_buffer_size((uv_handle_t *)&conn->tcp, &send_buffer);
    conn_head(conn);
    for (int i = 0; i < FLOOD_CHUNKS; i++) {
        memset(text, 'a' + i % 26, FLOOD_BYTES);
        text[FLOOD_BYTES] = '\0';
        char number[16];
        memcpy(text, number, (size_t)snprintf(number, sizeof(number), "%07d ", i));
        conn_content(conn, text);
    }
    conn_event(conn, FINISH_EVENT);
    conn_event(conn, "[DONE]");
    conn_end(conn);
}

static void serve_flood(struct conn *conn, size_t index)
{
    (void)index;
    serve_flood_by(conn, 4096);
}

static void serve_fast_flood(struct conn *conn, size_t index)
{
    (void)index;
    serve_flood_by(conn, 4 << 20);
}

static void hold_at_first(struct recorded *r, bool is_thinking)
{
    (void)is_thinking;
    if (r->deltas == 1)
        llm_call_hold(r->llm, &r->c);
}

static size_t flood_left(const struct world *w)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&w->server.conns[0]->tcp);
}

static void test_hold_is_back_pressure(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_flood);
    recorded_init(&r, w.llm, HELLO);
    r.at_delta = hold_at_first;
    recorded_start(&r);
    turn_until(&w.loop, r.deltas == 1);
    size_t left = 0;
    for (int i = 0; i < 300; i++) {
        left = flood_left(&w);
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(flood_left(&w), left); /* the server cannot send any more */
    assert_true(left > FLOOD_CHUNKS * FLOOD_BYTES / 4);
    assert_int_equal(r.deltas, 1);

    llm_call_unhold(w.llm, &r.c);
    assert_int_equal(r.deltas, 1); /* not from inside */
    turn_until(&w.loop, r.done);
    assert_int_equal(r.c.status, 0);
    assert_int_equal(r.deltas, FLOOD_CHUNKS);
    assert_int_equal(r.text.len, FLOOD_CHUNKS * FLOOD_BYTES);
    for (int i = 0; i < FLOOD_CHUNKS; i++) {
        assert_int_equal(atoi(r.text.data + i * FLOOD_BYTES), i);
        assert_int_equal(r.text.data[(i + 1) * FLOOD_BYTES - 1], 'a' + i % 26);
    }
    recorded_free(&r);
    world_close(&w);
}

static void hold_in_the_middle(struct recorded *r, bool is_thinking)
{
    (void)is_thinking;
    if (r->deltas == FLOOD_CHUNKS / 2)
        llm_call_hold(r->llm, &r->c);
}

/* However much lies in the socket: the others of the loop have their turn in between. */
static void test_a_flood_comes_in_turns(void **state)
{
    struct world w;
    struct recorded r;
    size_t had, most = 0;
    (void)state;
    world_open(&w, serve_fast_flood);
    recorded_init(&r, w.llm, HELLO);
    r.at_delta = hold_in_the_middle; /* by then the system has made the socket's buffer large */
    recorded_start(&r);
    turn_until(&w.loop, r.deltas == FLOOD_CHUNKS / 2);
    for (int i = 0; i < 3000; i++) /* until it is full */
        uv_run(&w.loop, UV_RUN_NOWAIT);
    llm_call_unhold(w.llm, &r.c);
    while (!r.done) {
        had = r.text.len;
        uv_run(&w.loop, UV_RUN_ONCE);
        if (r.text.len - had > most)
            most = r.text.len - had;
    }
    assert_int_equal(r.c.status, 0);
    assert_int_equal(r.text.len, FLOOD_CHUNKS * FLOOD_BYTES);
    assert_in_range(most, 1, 64u << 10);
    recorded_free(&r);
    world_close(&w);
}

static void hold_always(struct recorded *r, bool is_thinking)
{
    (void)is_thinking;
    llm_call_hold(r->llm, &r->c);
}

static void serve_all_at_once(struct conn *conn, size_t index)
{
    static const char body[] =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"reasoning\":\"b\",\"content\":\"c\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"d\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"e\\ud83d\"}}]}\n\n"
        "data: [DONE]\n\n";
    struct buf b;
    (void)index;
    buf_init(&b, 4096);
    buf_printf(&b, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", sizeof(body) - 1, body);
    conn_write_bytes(conn, b.data, b.len);
    buf_deinit(&b);
}

/* One delta for each unhold, and on_done only after the last: also when all came in one segment and
 * the transfer was long over. */
static void test_hold_step_by_step(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_all_at_once);
    recorded_init(&r, w.llm, HELLO);
    r.at_delta = hold_always;
    recorded_start(&r);
    for (size_t i = 1; i <= 6; i++) {
        turn_until(&w.loop, r.deltas == i);
        for (int k = 0; k < 20; k++)
            uv_run(&w.loop, UV_RUN_NOWAIT);
        assert_int_equal(r.deltas, i);
        assert_int_equal(r.done, 0);
        llm_call_unhold(w.llm, &r.c);
    }
    turn_until(&w.loop, r.done);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "acde\xEF\xBF\xBD");
    assert_str(buf_str(&r.thinking), "b");
    recorded_free(&r);
    world_close(&w);
}

static void serve_in_two_parts(struct conn *conn, size_t index)
{
    (void)index;
    conn_head(conn);
    conn_content(conn, "one");
}

static void timer_fired(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

/* Held before anything came, longer than the idle timeout; the rest and the end come meanwhile. */
static void test_hold_stops_the_idle_timeout(void **state)
{
    struct world w;
    struct recorded r;
    uv_timer_t timer;
    (void)state;
    world_open_as(&w, serve_in_two_parts, (struct llm_provider){.idle_timeout_ms = 40});
    recorded_init(&r, w.llm, HELLO);
    recorded_start(&r);
    llm_call_hold(w.llm, &r.c);
    turn_until(&w.loop, w.server.requests == 1);
    conn_content(w.server.conns[0], "two");
    conn_event(w.server.conns[0], "[DONE]");
    conn_close(w.server.conns[0]);
    uv_timer_init(&w.loop, &timer);
    uv_timer_start(&timer, timer_fired, 120, 0);
    turn_until(&w.loop, uv_is_closing((uv_handle_t *)&timer));
    assert_int_equal(r.done + (int)r.deltas, 0);
    llm_call_unhold(w.llm, &r.c);
    turn_until(&w.loop, r.done);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "onetwo");
    recorded_free(&r);
    world_close(&w);
}

static void test_cancel_while_held(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, serve_flood);
    recorded_init(&r, w.llm, HELLO);
    r.at_delta = hold_at_first;
    recorded_start(&r);
    turn_until(&w.loop, r.deltas == 1);
    for (int i = 0; i < 100; i++)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    llm_call_cancel(w.llm, &r.c);
    assert_true(conn_peer_is_gone(w.server.conns[0]));
    assert_int_equal(r.done, 0);
    recorded_free(&r);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold_is_back_pressure),
        cmocka_unit_test(test_a_flood_comes_in_turns),
        cmocka_unit_test(test_hold_step_by_step),
        cmocka_unit_test(test_hold_stops_the_idle_timeout),
        cmocka_unit_test(test_cancel_while_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
