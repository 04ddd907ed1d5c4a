#include "unit.h"

#include "llm/circuit.h"

/* One call from its beginning to its end. */
static bool tell(struct circuit *c, enum circuit_result result, int64_t retry_after_ms,
                 uint64_t now)
{
    unsigned epoch;
    circuit_begin(c, &epoch);
    bool opened = circuit_report(c, epoch, result, retry_after_ms, now);
    circuit_end(c, epoch);
    return opened;
}

static void opens_for_as_long_as_asked(void **state)
{
    struct circuit c;
    (void)state;
    circuit_init(&c, 8);
    assert_true(circuit_admits(&c, 1));
    assert_true(tell(&c, CIRCUIT_BUSY, 5000, 1000));
    assert_true(c.is_busy);
    assert_false(circuit_admits(&c, 5999));
    assert_string_equal(circuit_word(&c, 5999), "open");
    assert_true(circuit_admits(&c, 6000));
    assert_string_equal(circuit_word(&c, 6000), "recovering");
}

static void hour_is_the_most(void **state)
{
    struct circuit c;
    (void)state;
    circuit_init(&c, 8);
    tell(&c, CIRCUIT_BUSY, INT64_MAX, 1000);
    assert_int_equal(c.until_ms, 1000 + 3600000);
    circuit_init(&c, 8);
    tell(&c, CIRCUIT_BUSY, 0, 1000);
    assert_int_equal(c.until_ms, 1001);
}

static void opens_by_half_of_the_last_ten(void **state)
{
    struct circuit c;
    (void)state;
    circuit_init(&c, 8);
    for (int i = 0; i < 40; i++) /* two of five fail for ever */
        assert_false(tell(&c, i % 5 < 2 ? CIRCUIT_FAILED : CIRCUIT_GOOD, -1, 1000));
    for (int i = 0; i < 10; i++) /* what says nothing does not count */
        assert_false(tell(&c, CIRCUIT_NEUTRAL, -1, 1000));
    assert_false(tell(&c, CIRCUIT_FAILED, -1, 1000)); /* as old ones fall out */
    assert_false(tell(&c, CIRCUIT_FAILED, -1, 1000));
    assert_true(tell(&c, CIRCUIT_BUSY, -1, 1000));
    assert_int_equal(c.until_ms, 1000 + CIRCUIT_OPEN_MS);
}

static void waits_twice_as_long_each_time(void **state)
{
    static const uint64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct circuit c;
    uint64_t now = 1000;
    (void)state;
    circuit_init(&c, 8);
    for (int i = 0; i < 4; i++)
        tell(&c, CIRCUIT_FAILED, -1, now);
    for (size_t i = 0; i < ROWS(waits); i++) {
        assert_true(tell(&c, CIRCUIT_FAILED, -1, now));
        assert_int_equal(c.until_ms - now, waits[i]);
        now = c.until_ms;
        assert_true(circuit_admits(&c, now));
    }
    assert_int_equal(c.opened_total, ROWS(waits));
    tell(&c, CIRCUIT_GOOD, -1, now);
    for (int i = 0; i < 6; i++)
        tell(&c, CIRCUIT_FAILED, -1, now);
    assert_int_equal(c.state, CIRCUIT_OPEN);
    assert_int_equal(c.until_ms - now, CIRCUIT_OPEN_MS); /* it was well in between */
}

static unsigned admitted(struct circuit *c, unsigned *epochs, uint64_t now)
{
    unsigned n = 0;
    for (; circuit_admits(c, now) && n < 100; n++)
        circuit_begin(c, &epochs[n]);
    return n;
}

static void slots_come_back_step_by_step(void **state)
{
    static const unsigned steps[] = {1, 2, 4, 8, 100};
    unsigned epochs[100];
    struct circuit c;
    (void)state;
    circuit_init(&c, 12);
    tell(&c, CIRCUIT_BUSY, 10, 1000);
    for (size_t i = 0; i < ROWS(steps); i++) {
        unsigned n = admitted(&c, epochs, 2000);
        assert_int_equal(n, steps[i]);
        for (unsigned k = 0; k < n; k++) {
            circuit_report(&c, epochs[k], CIRCUIT_GOOD, -1, 2000);
            circuit_end(&c, epochs[k]);
        }
    }
    assert_int_equal(c.state, CIRCUIT_CLOSED);
}

static void failure_halves_what_came_back(void **state)
{
    unsigned epochs[100];
    struct circuit c;
    (void)state;
    circuit_init(&c, 100);
    tell(&c, CIRCUIT_BUSY, 10, 1000);
    assert_true(circuit_admits(&c, 2000));
    for (int i = 0; i < 9; i++)
        tell(&c, CIRCUIT_GOOD, -1, 2000);
    assert_int_equal(c.slots, 10);
    assert_false(tell(&c, CIRCUIT_FAILED, -1, 2000));
    assert_int_equal(admitted(&c, epochs, 2000), 5);
}

static void old_calls_say_nothing_about_today(void **state)
{
    unsigned old, probe;
    struct circuit c;
    (void)state;
    circuit_init(&c, 8);
    circuit_begin(&c, &old);
    tell(&c, CIRCUIT_BUSY, 1000, 1000);
    assert_false(circuit_report(&c, old, CIRCUIT_BUSY, 3000, 1500)); /* it asks for more */
    assert_int_equal(c.until_ms, 4500);
    assert_false(circuit_report(&c, old, CIRCUIT_BUSY, 1000, 1600)); /* less is not obeyed */
    assert_int_equal(c.until_ms, 4500);
    assert_true(circuit_admits(&c, 4500));
    circuit_begin(&c, &probe);
    assert_false(circuit_admits(&c, 4500)); /* one only */
    assert_false(circuit_report(&c, old, CIRCUIT_FAILED, -1, 4500));
    circuit_end(&c, old);
    assert_int_equal(c.state, CIRCUIT_RECOVERING);
    assert_false(circuit_admits(&c, 4500)); /* its end frees no slot of today */
    circuit_end(&c, probe);                 /* cancelled: the next one tries */
    assert_true(circuit_admits(&c, 4500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_for_as_long_as_asked),
        cmocka_unit_test(hour_is_the_most),
        cmocka_unit_test(opens_by_half_of_the_last_ten),
        cmocka_unit_test(waits_twice_as_long_each_time),
        cmocka_unit_test(slots_come_back_step_by_step),
        cmocka_unit_test(failure_halves_what_came_back),
        cmocka_unit_test(old_calls_say_nothing_about_today),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
