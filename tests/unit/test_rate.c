/* Token buckets. */
#include "net/rate.h"
#include "unit.h"

static void a_bucket_empties_and_fills(void **state)
{
    struct rate r;
    int retry = 0;

    (void)state;
    rate_init(&r, 2, 3);
    for (int i = 0; i < 3; i++)
        assert_true(rate_take(&r, 1, 1000, &retry));
    assert_false(rate_take(&r, 1, 1000, &retry));
    assert_int_equal(retry, 1);
    assert_true(rate_take(&r, 2, 1000, &retry)); /* another talker */
    assert_false(rate_take(&r, 1, 1499, &retry));
    assert_true(rate_has(&r, 1, 1500, &retry));
    assert_true(rate_take(&r, 1, 1500, &retry));
    assert_false(rate_has(&r, 1, 1500, &retry));
    assert_false(rate_take(&r, 1, 1400, &retry)); /* a clock that goes back gives nothing */
    for (int i = 0; i < 3; i++)
        assert_true(rate_take(&r, 1, 1000000, &retry)); /* no more than the burst */
    assert_false(rate_take(&r, 1, 1000000, &retry));
    rate_deinit(&r);
}

static void slow_ones_say_how_long(void **state)
{
    struct rate r;
    int retry = 0;

    (void)state;
    rate_init(&r, 0.1, 1);
    assert_true(rate_take(&r, 1, 0, &retry));
    assert_false(rate_take(&r, 1, 0, &retry));
    assert_int_equal(retry, 11);
    assert_true(rate_take(&r, 1, 10000, &retry));
    rate_deinit(&r);
}

static void without_a_rate_everybody_may(void **state)
{
    struct rate r;
    int retry = 0;

    (void)state;
    rate_init(&r, 0, 0);
    for (int i = 0; i < 100000; i++)
        assert_true(rate_take(&r, 1, 0, &retry));
    rate_deinit(&r);
}

static void the_silent_are_forgotten(void **state)
{
    struct rate r;
    int retry = 0;

    (void)state;
    rate_init(&r, 1, 1);
    assert_true(rate_take(&r, rate_talker(STR("first")), 1, &retry));
    for (uint64_t i = 0; i < 100 * RATE_TALKERS; i++)
        rate_take(&r, i * 7919 + 1, 2 + i, &retry);
    assert_true(rate_take(&r, rate_talker(STR("first")), 2, &retry));
    assert_true(rate_talker(STR("a")) != rate_talker(STR("b")) && rate_talker(STR("")) != 0);
    rate_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_empties_and_fills),
        cmocka_unit_test(slow_ones_say_how_long),
        cmocka_unit_test(without_a_rate_everybody_may),
        cmocka_unit_test(the_silent_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
