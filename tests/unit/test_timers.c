#include "unit.h"

#include <string.h>

#include "app/timers.h"
#include "base/clock.h"

#define COUNT 500

static int64_t fired_due[COUNT];
static unsigned fired;
static struct id_source ids;
static int64_t due_of[256]; /* by the timer id's last byte */

static void note(struct timers *t, struct id session_id, struct id timer_id)
{
    (void)session_id;
    assert_true(fired < COUNT);
    fired_due[fired++] = due_of[timer_id.b[15]];
    if (t->data && fired == *(unsigned *)t->data)
        uv_stop(t->uv.loop);
}

static void finish(struct timers *t, uv_loop_t *loop)
{
    timers_close(t);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static struct id timer_named(unsigned i)
{
    struct id id = {{0}};
    id.b[0] = 1;
    id.b[15] = (uint8_t)i;
    return id;
}

static void test_fires_in_order_and_not_before(void **state)
{
    uv_loop_t loop;
    struct timers t;
    unsigned want = 60;
    (void)state;
    fired = 0;
    id_source_init_seed(&ids, 7);
    uv_loop_init(&loop);
    timers_open(&t, &loop, note, &want);
    int64_t base = clock_wall_ms() + 20;
    for (unsigned i = 0; i < want; i++) {
        due_of[i] = base + (int64_t)(id_source_random(&ids) % 40);
        timers_set(&t, timer_named(200), timer_named(i), due_of[i]);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, want);
    for (unsigned i = 1; i < fired; i++)
        assert_true(fired_due[i] >= fired_due[i - 1]);
    assert_true(clock_wall_ms() >= fired_due[fired - 1]);
    finish(&t, &loop);
}

static void test_cleared_timers_do_not_fire(void **state)
{
    uv_loop_t loop;
    struct timers t;
    unsigned want = 10;
    (void)state;
    fired = 0;
    uv_loop_init(&loop);
    timers_open(&t, &loop, note, &want);
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < 20; i++) {
        due_of[i] = i;
        timers_set(&t, timer_named(200), timer_named(i), now + 5 + i % 7);
    }
    for (unsigned i = 0; i < 20; i += 2)
        timers_clear(&t, timer_named(i));
    timers_clear(&t, timer_named(99)); /* never set */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, 10);
    for (unsigned i = 0; i < fired; i++)
        assert_int_equal(fired_due[i] % 2, 1);
    finish(&t, &loop);
}

static void test_dropping_a_session_gives_its_earliest(void **state)
{
    uv_loop_t loop;
    struct timers t;
    unsigned want = 1;
    (void)state;
    fired = 0;
    uv_loop_init(&loop);
    timers_open(&t, &loop, note, &want);
    int64_t now = clock_wall_ms();
    timers_set(&t, timer_named(201), timer_named(1), now + 50000);
    timers_set(&t, timer_named(201), timer_named(2), now + 40000);
    timers_set(&t, timer_named(202), timer_named(3), now + 5);
    assert_int_equal(timers_drop_session(&t, timer_named(201)), now + 40000);
    assert_int_equal(timers_drop_session(&t, timer_named(201)), 0);
    assert_int_equal(t.count, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, 1);
    finish(&t, &loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_in_order_and_not_before),
        cmocka_unit_test(test_cleared_timers_do_not_fire),
        cmocka_unit_test(test_dropping_a_session_gives_its_earliest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
