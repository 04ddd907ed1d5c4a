/* Fairness and deadlines, by a clock of the tests' own. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "llm/lane.h"

static struct id key(unsigned n)
{
    struct id id = {{0}};
    uint64_t spread = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(id.b, &n, sizeof(n));
    memcpy(id.b + 8, &spread, sizeof(spread));
    return id;
}

static void put(struct lane *l, struct lane_ticket *t, unsigned session, uint64_t now)
{
    lane_ticket_init(t);
    t->deadline_ms = now + 1000;
    lane_wait(l, t, key(session), now);
}

static void serve(struct lane *l, struct lane_ticket *expected, uint64_t now)
{
    struct lane_ticket *t = lane_next(l, now);
    assert_ptr_equal(t, expected);
}

static void done(struct lane *l, struct lane_ticket *t, uint64_t now)
{
    lane_report(l, t, CIRCUIT_GOOD, -1, now);
    lane_end(l, t);
}

static void sessions_take_turns(void **state)
{
    struct lane l;
    struct lane_ticket a[4], b[1], c[2];
    (void)state;
    lane_init(&l, 1);
    for (int i = 0; i < 4; i++)
        put(&l, &a[i], 0, 1);
    put(&l, &b[0], 1, 1);
    put(&l, &c[0], 2, 1);
    put(&l, &c[1], 2, 1);
    struct lane_ticket *order[] = {&a[0], &b[0], &c[0], &a[1], &c[1], &a[2], &a[3]};
    for (size_t i = 0; i < ROWS(order); i++) {
        serve(&l, order[i], 1);
        serve(&l, NULL, 1);
        done(&l, order[i], 1);
    }
    assert_true(lane_is_free(&l, 1));
    lane_deinit(&l);
}

static void one_that_leaves_costs_nobody_a_turn(void **state)
{
    struct lane l;
    struct lane_ticket a[2], b, c;
    (void)state;
    lane_init(&l, 1);
    put(&l, &a[0], 0, 1);
    put(&l, &a[1], 0, 1);
    put(&l, &b, 1, 1);
    put(&l, &c, 2, 1);
    lane_leave(&l, &a[0]);
    lane_leave(&l, &b);
    serve(&l, &a[1], 1);
    done(&l, &a[1], 1);
    serve(&l, &c, 1);
    done(&l, &c, 1);
    assert_int_equal(l.turns.count, 0);
    lane_deinit(&l);
}

static void deadlines_come_in_order(void **state)
{
    struct lane l;
    struct lane_ticket t[4];
    (void)state;
    lane_init(&l, 1);
    put(&l, &t[0], 0, 10);
    put(&l, &t[1], 1, 20);
    serve(&l, &t[0], 20);
    put(&l, &t[2], 2, 30);
    lane_report(&l, &t[0], CIRCUIT_BUSY, 5000, 30); /* it waits again, and is the oldest */
    lane_end(&l, &t[0]);
    lane_wait_again(&l, &t[0], key(0), 30);
    put(&l, &t[3], 0, 40);
    serve(&l, NULL, 40);
    assert_int_equal(lane_wake_ms(&l), 1010);
    assert_null(lane_expire(&l, 1009));
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(lane_expire(&l, 1040), &t[i]);
    assert_null(lane_expire(&l, 1040));
    assert_int_equal(lane_wake_ms(&l), 0);
    lane_deinit(&l);
}

static void served_again_before_its_own_session(void **state)
{
    struct lane l;
    struct lane_ticket a[2], b;
    (void)state;
    lane_init(&l, 1);
    put(&l, &a[0], 0, 1);
    put(&l, &a[1], 0, 1);
    put(&l, &b, 1, 1);
    serve(&l, &a[0], 1);
    lane_report(&l, &a[0], CIRCUIT_BUSY, 100, 1);
    lane_end(&l, &a[0]);
    lane_wait_again(&l, &a[0], key(0), 1);
    assert_int_equal(lane_wake_ms(&l), 101);
    serve(&l, &b, 101); /* the turn is the others' */
    serve(&l, NULL, 101);
    done(&l, &b, 101);
    serve(&l, &a[0], 101);
    serve(&l, NULL, 101); /* two slots have come back, but the provider has one */
    done(&l, &a[0], 101);
    serve(&l, &a[1], 101);
    done(&l, &a[1], 101);
    lane_deinit(&l);
}

#define SESSIONS 200
#define CALLS    50 /* of each greedy session */

/* 10,000 calls of 200 greedy sessions wait behind an open circuit, and one each of 50 modest ones
 * that came last. These are through with the first round, and no greedy session is ever more than
 * one call ahead of another. */
static void ten_thousand_wait_and_drain_fairly(void **state)
{
    struct lane l;
    struct lane_ticket *t = calloc(SESSIONS * CALLS + 51, sizeof(*t));
    unsigned *served = calloc(SESSIONS + 50, sizeof(*served)), count = 0, modest = 0;
    unsigned total = SESSIONS * CALLS + 50;
    (void)state;
    lane_init(&l, 16);
    struct lane_ticket *first = &t[total];
    put(&l, first, 9999, 1);
    serve(&l, first, 1);
    for (unsigned i = 0; i < SESSIONS * CALLS; i++)
        put(&l, &t[i], i / CALLS, 1);
    for (unsigned i = 0; i < 50; i++)
        put(&l, &t[SESSIONS * CALLS + i], SESSIONS + i, 1);
    lane_report(&l, first, CIRCUIT_BUSY, 100, 1);
    lane_end(&l, first);
    while (lane_next(&l, 50))
        fail_msg("served while the circuit was open");
    for (uint64_t now = 101; l.waiting; now++) {
        struct lane_ticket *batch[16], *x;
        unsigned n = 0;
        while ((x = lane_next(&l, now)))
            batch[n++] = x;
        for (unsigned i = 0; i < n; i++) {
            unsigned at = (unsigned)(batch[i] - t), s = at < SESSIONS * CALLS ? at / CALLS : 0;
            if (at >= SESSIONS * CALLS) {
                modest++;
                assert_true(count < SESSIONS + 50); /* in the first round */
            } else {
                served[s]++;
                unsigned round = count < SESSIONS + 50 ? 1 : 2 + (count - SESSIONS - 50) / SESSIONS;
                assert_true(served[s] <= round && served[s] + 1 >= round);
            }
            count++;
            done(&l, batch[i], now);
        }
    }
    assert_int_equal(count, total);
    assert_int_equal(modest, 50);
    uint64_t counted = 0;
    for (int i = 0; i <= LANE_WAITS; i++)
        counted += l.waits[i];
    assert_int_equal(counted, total + 1);
    free(t);
    free(served);
    lane_deinit(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_take_turns),
        cmocka_unit_test(one_that_leaves_costs_nobody_a_turn),
        cmocka_unit_test(deadlines_come_in_order),
        cmocka_unit_test(served_again_before_its_own_session),
        cmocka_unit_test(ten_thousand_wait_and_drain_fairly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
