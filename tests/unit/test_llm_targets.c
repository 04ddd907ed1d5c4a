/* Calls with several targets, circuits and turns, over two servers on the same loop. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "llm_server.h"

#define CALLS 8

struct world {
    uv_loop_t loop;
    struct server a, b;
    struct llm *llm;
    char url_a[64], url_b[64];
    struct recorded calls[CALLS];
    unsigned call_count;
    bool is_closed;
};

static const struct llm_target both[] = {{"a", "model-a"}, {"b", "model-b"}};

static void world_closed(void *data)
{
    ((struct world *)data)->is_closed = true;
}

static void world_open(struct world *w, void (*a)(struct conn *, size_t),
                       void (*b)(struct conn *, size_t), struct llm_provider like)
{
    struct errbuf e = {""};
    memset(w, 0, sizeof(*w));
    uv_loop_init(&w->loop);
    server_open(&w->a, &w->loop, a);
    server_open(&w->b, &w->loop, b);
    snprintf(w->url_a, sizeof(w->url_a), "http://127.0.0.1:%d/v1", w->a.port);
    snprintf(w->url_b, sizeof(w->url_b), "http://127.0.0.1:%d/v1", w->b.port);
    struct llm_provider providers[] = {like, like};
    providers[0].id = "a";
    providers[0].base_url = w->url_a;
    providers[1].id = "b";
    providers[1].base_url = w->url_b;
    assert_int_equal(llm_create(&w->llm, &w->loop, providers, 2, &e), 0);
}

static void world_close(struct world *w)
{
    llm_close(w->llm, world_closed, w);
    server_close(&w->a);
    server_close(&w->b);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(w->is_closed);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    server_free(&w->a);
    server_free(&w->b);
    for (unsigned i = 0; i < w->call_count; i++)
        recorded_free(&w->calls[i]);
}

static struct recorded *start(struct world *w, const struct llm_target *targets, unsigned count)
{
    struct recorded *r = &w->calls[w->call_count++];
    recorded_init(r, w->llm, HELLO);
    r->c.targets = targets;
    r->c.target_count = count;
    recorded_start(r);
    return r;
}

static struct recorded *call(struct world *w, const struct llm_target *targets, unsigned count)
{
    struct recorded *r = start(w, targets, count);
    turn_until(&w->loop, r->done);
    return r;
}

static struct llm_provider_stats stats(const struct world *w, size_t i)
{
    struct llm_provider_stats s;
    llm_provider_stats(w->llm, i, &s);
    return s;
}

static void well(struct conn *conn, size_t index)
{
    (void)index;
    conn_head(conn);
    conn_content(conn, "Hello");
    conn_event(conn, "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");
    conn_event(conn, "[DONE]");
    conn_end(conn);
}

#define ANSWER(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

static const char *bad_answer;

static void badly(struct conn *conn, size_t index)
{
    (void)index;
    if (bad_answer)
        conn_write(conn, bad_answer);
    else
        conn_close(conn);
}

static void cut(struct conn *conn, size_t index)
{
    (void)index;
    conn_head(conn);
    conn_content(conn, "Hel");
    conn_close(conn);
}

/* ---- the next target ---- */

static void gives_way_before_the_first_text(void **state)
{
    static const char *const answers[] = {
        ANSWER("500 Oops"),
        ANSWER("503 Later\r\nRetry-After: 900"),
        ANSWER("529 Overloaded"),
        ANSWER("429 Busy\r\nRetry-After: 900"),
        ANSWER("408 Late"),
        ANSWER("409 Conflict"),
        ANSWER("200 OK\r\nContent-Type: text/html"),
        NULL, /* it hangs up */
    };
    (void)state;
    for (size_t i = 0; i < ROWS(answers); i++) {
        struct world w;
        bad_answer = answers[i];
        world_open(&w, badly, well, (struct llm_provider){.retries_max = 2});
        struct recorded *r = call(&w, both, 2);
        assert_int_equal(r->c.status, 0);
        assert_string_equal(r->c.provider_used, "b");
        assert_int_equal(w.a.requests, 1); /* not asked again: there is another one */
        assert_int_equal(stats(&w, 0).moved, 1);
        assert_non_null(strstr(w.b.conns[0]->body.data, "\"model-b\""));
        world_close(&w);
    }
}

static void keeps_what_is_its_own_fault(void **state)
{
    static const char *const answers[] = {ANSWER("400 Bad"), ANSWER("401 Who"), ANSWER("404 No"),
                                          ANSWER("429 Quota\r\nx-should-retry: false")};
    (void)state;
    for (size_t i = 0; i < ROWS(answers); i++) {
        struct world w;
        bad_answer = answers[i];
        world_open(&w, badly, well, (struct llm_provider){.retries_max = 2});
        struct recorded *r = call(&w, both, 2);
        assert_int_not_equal(r->c.status, 0);
        assert_string_equal(r->c.provider_used, "a");
        assert_int_equal(w.a.requests, 1);
        assert_int_equal(w.b.requests, 0);
        world_close(&w);
    }
}

static void stays_after_the_first_text(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, cut, well, (struct llm_provider){.retries_max = 2});
    struct recorded *r = call(&w, both, 2);
    assert_string_equal(r->c.error_code, "truncated");
    assert_string_equal(r->c.provider_used, "a");
    assert_int_equal(w.b.requests, 0);
    world_close(&w);
}

static void last_one_is_asked_again(void **state)
{
    struct world w;
    (void)state;
    bad_answer = ANSWER("503 No\r\nRetry-After-Ms: 1");
    world_open(&w, badly, badly, (struct llm_provider){.retries_max = 2});
    struct recorded *r = call(&w, both, 2);
    assert_string_equal(r->c.error_code, "http_503");
    assert_string_equal(r->c.provider_used, "b");
    assert_int_equal(w.a.requests, 1);
    assert_int_equal(w.b.requests, 3);
    world_close(&w);
}

static void open_circuit_is_passed_by(void **state)
{
    struct world w;
    (void)state;
    bad_answer = ANSWER("429 Busy\r\nRetry-After: 900");
    world_open(&w, badly, well, (struct llm_provider){.retries_max = 2});
    for (int i = 0; i < 3; i++)
        assert_string_equal(call(&w, both, 2)->c.provider_used, "b");
    assert_int_equal(w.a.requests, 1);
    assert_string_equal(stats(&w, 0).circuit, "open");
    assert_true(stats(&w, 0).open_ms > 890000);
    world_close(&w);
}

/* One answers, one waits behind it in the same lane, and the answer is 429: the other one, which
 * has somewhere to go, does not wait for the circuit. */
static void those_that_wait_leave_an_open_circuit(void **state)
{
    struct world w;
    (void)state;
    bad_answer = ANSWER("429 Busy\r\nRetry-After: 500");
    world_open(&w, badly, well, (struct llm_provider){.max_concurrent = 1});
    struct recorded *first = start(&w, both, 1), *second = start(&w, both, 2);
    struct recorded *third = start(&w, both, 1);
    assert_int_equal(stats(&w, 0).waiting, 2);
    turn_until(&w.loop, second->done);
    assert_string_equal(second->c.provider_used, "b");
    assert_false(first->done || third->done);
    assert_int_equal(stats(&w, 0).waiting, 2);
    assert_int_equal(w.a.requests, 1);
    llm_call_cancel(w.llm, &first->c);
    llm_call_cancel(w.llm, &third->c);
    world_close(&w);
}

static void queue_that_is_too_long_is_passed_by(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, well, well, (struct llm_provider){.max_concurrent = 2});
    struct recorded *r[5];
    for (int i = 0; i < 5; i++)
        r[i] = start(&w, both, 2); /* two are asked, two wait, one goes on */
    assert_int_equal(stats(&w, 0).in_flight, 2);
    assert_int_equal(stats(&w, 0).waiting, 2);
    assert_int_equal(stats(&w, 1).in_flight, 1);
    for (int i = 0; i < 5; i++) {
        turn_until(&w.loop, r[i]->done);
        assert_string_equal(r[i]->c.provider_used, i < 4 ? "a" : "b");
    }
    world_close(&w);
}

/* ---- waiting ---- */

static void busy_twice(struct conn *conn, size_t index)
{
    if (index < 2)
        conn_write(conn, ANSWER("429 Busy\r\nRetry-After-Ms: 40"));
    else
        well(conn, index);
}

static void waits_until_it_is_served(void **state)
{
    struct world w;
    struct recorded *r[4];
    (void)state;
    world_open(&w, busy_twice, well, (struct llm_provider){0}); /* no repeats: it is no failure */
    r[0] = start(&w, both, 1);
    turn_until(&w.loop, w.a.requests == 1 && stats(&w, 0).waiting);
    for (int i = 1; i < 4; i++)
        r[i] = start(&w, both, 1);
    assert_int_equal(stats(&w, 0).waiting, 4);
    assert_int_equal(w.a.requests, 1); /* nothing is sent while it is open */
    for (int i = 0; i < 4; i++)
        turn_until(&w.loop, r[i]->done);
    for (int i = 0; i < 4; i++)
        assert_int_equal(r[i]->c.status, 0);
    assert_int_equal(w.a.requests, 6); /* two probes in vain */
    assert_int_equal(stats(&w, 0).opened, 2);
    assert_int_equal(stats(&w, 0).done, 4);
    world_close(&w);
}

static void waits_no_longer_than_its_deadline(void **state)
{
    struct world w;
    (void)state;
    bad_answer = ANSWER("429 Busy\r\nRetry-After-Ms: 7");
    world_open(&w, badly, well, (struct llm_provider){.queue_timeout_ms = 60});
    uint64_t begun = uv_hrtime();
    struct recorded *r = call(&w, both, 1);
    assert_int_equal(r->c.status, ERR_OVERLOAD);
    assert_string_equal(r->c.error_code, "rate_limited");
    assert_true(uv_hrtime() - begun < UINT64_C(5000000000));
    assert_true(w.a.requests > 1);
    world_close(&w);
}

static void hopeless_one_fails_at_once(void **state)
{
    struct world w;
    (void)state;
    bad_answer = ANSWER("429 Busy\r\nRetry-After: 900");
    world_open(&w, badly, well, (struct llm_provider){.queue_timeout_ms = 60000});
    assert_int_equal(call(&w, both, 1)->c.retry_after_ms, 900000);
    struct recorded *r = call(&w, both, 1); /* it is not sent at all */
    assert_string_equal(r->c.error_code, "rate_limited");
    assert_true(r->c.retry_after_ms > 890000 && r->c.retry_after_ms <= 900000);
    assert_int_equal(w.a.requests, 1);
    world_close(&w);
}

static void repeated_failures_open_it(void **state)
{
    struct world w;
    (void)state;
    bad_answer = ANSWER("500 Oops");
    world_open(&w, badly, well, (struct llm_provider){.queue_timeout_ms = 50});
    for (int i = 0; i < 5; i++)
        assert_string_equal(call(&w, both, 1)->c.error_code, "http_500");
    assert_string_equal(stats(&w, 0).circuit, "open");
    struct recorded *r = call(&w, both, 1);
    assert_string_equal(r->c.error_code, "provider_unavailable");
    assert_int_equal(r->c.status, ERR_UPSTREAM);
    assert_true(r->c.retry_after_ms > 0);
    assert_int_equal(w.a.requests, 5);
    world_close(&w);
}

static void refusals_do_not_open_it(void **state)
{
    struct world w;
    (void)state;
    bad_answer = ANSWER("401 Who");
    world_open(&w, badly, well, (struct llm_provider){0});
    for (int i = 0; i < 8; i++)
        assert_string_equal(call(&w, both, 1)->c.error_code, "http_401");
    assert_string_equal(stats(&w, 0).circuit, "closed");
    world_close(&w);
}

static void held_and_cancelled_while_it_waits(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, well, well, (struct llm_provider){.max_concurrent = 1});
    struct recorded *a = start(&w, both, 1), *b = start(&w, both, 1), *c = start(&w, both, 1);
    llm_call_hold(w.llm, &b->c);
    llm_call_cancel(w.llm, &c->c);
    turn_until(&w.loop, a->done && w.a.requests == 2);
    assert_int_equal(b->deltas, 0);
    llm_call_unhold(w.llm, &b->c);
    turn_until(&w.loop, b->done);
    assert_int_equal(b->c.status, 0);
    assert_false(c->done);
    world_close(&w);
}

static void busy_once(struct conn *conn, size_t index)
{
    if (index == 0)
        conn_write(conn, ANSWER("429 Busy\r\nRetry-After-Ms: 20"));
    else
        well(conn, index);
}

/* The one call that tries may be of a paused session: nobody reads what it gets. */
static void held_one_keeps_nobody_waiting(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, busy_once, well, (struct llm_provider){0});
    struct recorded *held = start(&w, both, 1);
    turn_until(&w.loop, stats(&w, 0).opened == 1);
    struct recorded *other = start(&w, both, 1);
    llm_call_hold(w.llm, &held->c);
    turn_until(&w.loop, other->done);
    assert_int_equal(other->c.status, 0);
    assert_false(held->done);
    assert_int_equal(stats(&w, 0).in_flight, 1);
    llm_call_unhold(w.llm, &held->c);
    while (!held->done) /* all of it is there: no event would end a turn that waits */
        uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(held->c.status, 0);
    world_close(&w);
}

/* The same, when the pause comes while it tries. */
static void hold_of_the_one_that_tries(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, busy_once, well, (struct llm_provider){0});
    struct recorded *held = start(&w, both, 1);
    turn_until(&w.loop, stats(&w, 0).opened == 1);
    struct recorded *other = start(&w, both, 1);
    turn_until(&w.loop, stats(&w, 0).in_flight == 1);
    llm_call_hold(w.llm, &held->c);
    turn_until(&w.loop, other->done);
    assert_false(held->done);
    llm_call_cancel(w.llm, &held->c);
    assert_int_equal(stats(&w, 0).in_flight, 0);
    world_close(&w);
}

/* The account is empty: waiting does not help, another provider does. */
static void spent_quota_is_told_at_once(void **state)
{
    struct world w;
    (void)state;
    bad_answer = "HTTP/1.1 429 Quota\r\nContent-Length: 55\r\n\r\n"
                 "{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}";
    world_open(&w, badly, well, (struct llm_provider){.retries_max = 2});
    struct recorded *r = call(&w, both, 1);
    assert_string_equal(r->c.error_code, "insufficient_quota");
    assert_int_equal(w.a.requests, 1);
    assert_string_equal(call(&w, both, 2)->c.provider_used, "b");
    world_close(&w);
}

static void refused_at_start(void **state)
{
    static const struct llm_target unknown[] = {{"a", NULL}, {"c", NULL}};
    struct llm_target many[LLM_TARGETS_MAX + 1] = {{NULL, NULL}};
    struct errbuf e = {""};
    struct recorded r;
    struct world w;
    (void)state;
    world_open(&w, well, well, (struct llm_provider){0});
    recorded_init(&r, w.llm, HELLO);
    r.c.targets = unknown;
    r.c.target_count = 2;
    assert_int_equal(llm_call_start(w.llm, &r.c, &e), ERR_NOT_FOUND);
    assert_string_equal(e.text, "there is no model provider \"c\"");
    r.c.targets = many;
    r.c.target_count = LLM_TARGETS_MAX + 1;
    assert_int_equal(llm_call_start(w.llm, &r.c, &e), ERR_INVALID);
    recorded_free(&r);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_way_before_the_first_text),
        cmocka_unit_test(keeps_what_is_its_own_fault),
        cmocka_unit_test(stays_after_the_first_text),
        cmocka_unit_test(last_one_is_asked_again),
        cmocka_unit_test(open_circuit_is_passed_by),
        cmocka_unit_test(those_that_wait_leave_an_open_circuit),
        cmocka_unit_test(queue_that_is_too_long_is_passed_by),
        cmocka_unit_test(waits_until_it_is_served),
        cmocka_unit_test(waits_no_longer_than_its_deadline),
        cmocka_unit_test(hopeless_one_fails_at_once),
        cmocka_unit_test(repeated_failures_open_it),
        cmocka_unit_test(refusals_do_not_open_it),
        cmocka_unit_test(held_and_cancelled_while_it_waits),
        cmocka_unit_test(held_one_keeps_nobody_waiting),
        cmocka_unit_test(hold_of_the_one_that_tries),
        cmocka_unit_test(spent_quota_is_told_at_once),
        cmocka_unit_test(refused_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
