/* An instance that is alone asks nobody anything, and one that comes later does it no harm. */
#include "cluster_rig.h"

static const char review[] =
    "{\"id\":\"r\",\"start_node_id\":\"start\",\"nodes\":{\"start\":{\"type\":\"start\","
    "\"next_ids\":[\"ask\"]},\"ask\":{\"type\":\"human_review\",\"properties\":{\"prompt\":\"?\"},"
    "\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}";

static bool rests(const struct rig *r, unsigned i)
{
    return instances_is_resting(&r->apps[i]->instances);
}

static void rig_turn_ms(struct rig *r, unsigned ms)
{
    for (uint64_t end = clock_mono_ns() + ms * 1000000ull; clock_mono_ns() < end;)
        rig_turn(r);
}

static unsigned long long rig_asked(const struct rig *r)
{
    struct store_stats st = {0};
    store_stats(r->store, &st);
    return st.reads + st.writes + st.commits;
}

static void rig_open_alone(struct rig *r)
{
    rig_open(r, 1, false);
    rig_until(r, rests(r, 0));
    rig_turn_ms(r, 100); /* its mark is written, and what it began before is done */
}

static void rig_join(struct rig *r, unsigned i)
{
    r->count = i + 1;
    rig_app_open(r, i);
}

static void rig_answer(struct rig *r, unsigned i, struct id session)
{
    struct asked q;
    ask_answer(&q, r->apps[i], session, "ask");
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, 0);
    svc_req_deinit(&q.req);
}

static void test_alone_it_asks_nobody(void **state)
{
    struct rig r;
    (void)state;
    rig_open_alone(&r);
    struct id session = rig_execute(&r, 0, review);
    rig_turn_ms(&r, 50);
    unsigned long long asked = rig_asked(&r);
    rig_turn_ms(&r, 1000); /* fifty ticks, and ten times the pace of rows */
    assert_int_equal(rig_asked(&r), asked);
    assert_true(rests(&r, 0));
    rig_answer(&r, 0, session);
    assert_int_equal(rig_count_events(&r, session, "\"node_resumed\""), 1);
    rig_close(&r);
}

static void test_with_leases_in_the_cache_it_goes_on(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, 1, true);
    rig_turn_ms(&r, 500);
    assert_false(rests(&r, 0));
    rig_close(&r);
}

static void test_who_comes_wakes_it(void **state)
{
    struct rig r;
    (void)state;
    rig_open_alone(&r);
    struct id self = r.apps[0]->instances.self, session = rig_execute(&r, 0, review);
    rig_join(&r, 1);
    rig_until(&r, !rests(&r, 0) && r.apps[0]->instances.peer_count == 1);
    rig_turn_ms(&r, 1500); /* longer than any lease */
    assert_true(id_eq(r.apps[0]->instances.self, self));
    assert_int_equal(r.apps[0]->instances.deaths + r.apps[1]->instances.deaths, 0);
    rig_answer(&r, 1, session); /* which its owner carries out */
    assert_int_equal(r.apps[0]->instances.deaths + r.apps[1]->instances.deaths, 0);
    rig_app_close(&r, 1);
    rig_close(&r);
}

/* Its row looks dead all the while. */
static void test_it_may_take_its_time_to_wake(void **state)
{
    struct rig r;
    (void)state;
    rig_open_alone(&r);
    rig_stop(&r, 0);
    rig_join(&r, 1);
    rig_until(&r, r.apps[1]->instances.peer_count == 1);
    rig_turn_ms(&r, 200); /* of the 600 of a lease */
    rig_continue(&r, 0);
    rig_until(&r, !rests(&r, 0) && r.apps[0]->instances.peer_count == 1);
    rig_turn_ms(&r, 800);
    assert_int_equal(r.apps[0]->instances.deaths + r.apps[1]->instances.deaths, 0);
    rig_close(&r);
}

static void test_it_rests_again_when_the_other_has_died(void **state)
{
    struct rig r;
    (void)state;
    rig_open_alone(&r);
    rig_join(&r, 1);
    rig_until(&r, !rests(&r, 0) && r.apps[0]->instances.peer_count == 1);
    rig_stop(&r, 1);
    rig_until(&r, r.apps[0]->instances.deaths == 1);
    rig_until(&r, rests(&r, 0));
    rig_close(&r);
}

/* Its row does not look alive, but it may be; it is asked first. */
static void test_one_that_died_at_rest_is_found(void **state)
{
    struct rig r;
    (void)state;
    rig_open_alone(&r);
    struct id session = rig_execute(&r, 0, review);
    rig_turn_ms(&r, 50);
    rig_stop(&r, 0);
    rig_join(&r, 1);
    rig_until(&r, r.apps[1]->instances.deaths == 1);
    rig_answer(&r, 1, session);
    rig_close(&r);
}

/* Nobody tells it that another one has come, and it is held for dead: fenced, and back when it
 * hears again. */
static void test_a_lost_message_costs_no_event(void **state)
{
    struct rig r;
    struct asked q;
    (void)state;
    rig_open_alone(&r);
    struct id self = r.apps[0]->instances.self, session = rig_execute(&r, 0, review);
    rig_mute = true;
    rig_join(&r, 1);
    rig_until(&r, r.apps[1]->instances.deaths == 1);
    ask_answer(&q, r.apps[1], session, "ask"); /* claimed there */
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    svc_req_deinit(&q.req);
    assert_int_equal(rig_count_events(&r, session, "\"node_resumed\""), 1);
    rig_mute = false;
    instances_nudge_all(&r.apps[1]->instances, 'i');
    rig_until(&r, !id_eq(r.apps[0]->instances.self, self));
    rig_until(&r, r.apps[0]->instances.peer_count == 1 && !r.apps[0]->instances.joining);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone_it_asks_nobody),
        cmocka_unit_test(test_with_leases_in_the_cache_it_goes_on),
        cmocka_unit_test(test_who_comes_wakes_it),
        cmocka_unit_test(test_it_may_take_its_time_to_wake),
        cmocka_unit_test(test_it_rests_again_when_the_other_has_died),
        cmocka_unit_test(test_one_that_died_at_rest_is_found),
        cmocka_unit_test(test_a_lost_message_costs_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
