#include "unit.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static const struct {
    const char *text;
    int64_t ms;
} both[] = {
    {"1970-01-01T00:00:00.000Z", 0},
    {"1970-01-01T00:00:00.001Z", 1},
    {"2000-02-29T23:59:59.999Z", 951868799999},
    {"2026-01-02T03:04:05.678Z", 1767323045678},
    {"2100-02-28T12:00:00.000Z", 4107499200000},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
};

static void test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(both); i++) {
        char text[CLOCK_RFC3339_BYTES + 1];
        int64_t ms = -1;
        clock_format_rfc3339(both[i].ms, text);
        assert_string_equal(text, both[i].text);
        assert_true(clock_parse_rfc3339(str_of(both[i].text), &ms));
        assert_int_equal(ms, both[i].ms);
    }
}

/* Every 5 h 50 min through four centuries, against the C library. */
static void test_against_libc(void **state)
{
    (void)state;
    for (int64_t s = 0; s < INT64_C(400) * 366 * 86400; s += 21001) {
        time_t t = (time_t)s;
        struct tm tm;
        char expected[64], text[CLOCK_RFC3339_BYTES + 1];
        gmtime_r(&t, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        clock_format_rfc3339(s * 1000, text);
        if (__builtin_strcmp(text, expected) != 0)
            fail_msg("%s instead of %s", text, expected);
    }
}

/* A text that is moved is the one that would be written anew. */
static void test_moved(void **state)
{
    static const int64_t at[] = {
        0,   1,    999,  1000,          1001,          1767323045678, 1767323045679,
        999, 1766, -500, 1767323045999, 1767323046000, INT64_MAX,     7};
    char text[CLOCK_RFC3339_BYTES + 1], expected[CLOCK_RFC3339_BYTES + 1];
    (void)state;
    clock_format_rfc3339(at[0], text);
    for (size_t i = 1; i < ROWS(at); i++) {
        clock_move_rfc3339(at[i - 1], at[i], text);
        clock_format_rfc3339(at[i], expected);
        assert_string_equal(text, expected);
    }
}

static const struct {
    const char *text;
    int64_t ms;
} parsed[] = {
    {"2026-01-02T03:04:05Z", 1767323045000},           {"2026-01-02t03:04:05z", 1767323045000},
    {"2026-01-02 03:04:05Z", 1767323045000},           {"2026-01-02T03:04:05.6Z", 1767323045600},
    {"2026-01-02T03:04:05.678999999Z", 1767323045678}, {"2026-01-02T05:34:05+02:30", 1767323045000},
    {"2026-01-01T22:04:05-05:00", 1767323045000},      {"1970-01-01T01:00:00+01:00", 0},
    {"2016-12-31T23:59:60Z", 1483228800000},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(parsed); i++) {
        int64_t ms = -1;
        if (!clock_parse_rfc3339(str_of(parsed[i].text), &ms))
            fail_msg("%s was refused", parsed[i].text);
        assert_int_equal(ms, parsed[i].ms);
    }
}

static const char *const bad[] = {
    "",
    "2026",
    "2026-01-02",
    "2026-01-02T03:04:05",
    "2026-01-02T03:04Z",
    "2026-1-02T03:04:05Z",
    "2026-13-02T03:04:05Z",
    "2026-00-02T03:04:05Z",
    "2026-01-32T03:04:05Z",
    "2026-01-00T03:04:05Z",
    "2026-02-29T03:04:05Z",
    "2100-02-29T03:04:05Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:60:05Z",
    "2026-01-02T03:04:61Z",
    "2026-01-02T03:04:05.Z",
    "2026-01-02T03:04:05.1234567890Z",
    "2026-01-02T03:04:05+2:30",
    "2026-01-02T03:04:05+24:00",
    "2026-01-02T03:04:05+02:60",
    "2026-01-02T03:04:05+0230",
    "2026-01-02T03:04:05Zx",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "+026-01-02T03:04:05Z",
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        int64_t ms = 77;
        if (clock_parse_rfc3339(str_of(bad[i]), &ms))
            fail_msg("%s was accepted", bad[i]);
        assert_int_equal(ms, 77);
    }
}

static void test_now(void **state)
{
    uint64_t a = clock_mono_ns(), b = clock_mono_ns();

    (void)state;
    assert_true(b >= a);
    assert_true(clock_wall_ms() > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways), cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_parse),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_now),       cmocka_unit_test(test_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
