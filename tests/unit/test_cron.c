/* Cron's five fields, and when they come in real zones. */
#include "base/clock.h"
#include "base/cron.h"
#include "base/zone.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static void parsed(void **state)
{
    static const struct {
        const char *text;
        uint64_t minutes;
        uint32_t hours, days, months, weekdays;
    } rows[] = {
        {"0 3 * * *", 1, 1u << 3, 0xfffffffe, 0x1ffe, 0x7f},
        {"*/20 0 1 1 0", 1 | 1 << 20 | UINT64_C(1) << 40, 1, 2, 2, 1},
        {" 5,7-9\t1-7/3 31 dec  sun ", 0x3a0, 0x92, 1u << 31, 1u << 12, 1},
        {"50/5 22/1 ? JAN-Mar MON-FRI", UINT64_C(1) << 50 | UINT64_C(1) << 55, 3u << 22, 0xfffffffe,
         0xe, 0x3e},
        {"0 0 * * 7", 1, 1, 0xfffffffe, 0x1ffe, 1},
        {"0 0 * * 5-7", 1, 1, 0xfffffffe, 0x1ffe, 0x61},
        {"@monthly", 1, 1, 2, 0x1ffe, 0x7f},
        {"@DAILY", 1, 1, 0xfffffffe, 0x1ffe, 0x7f},
        {"@hourly", 1, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f},
        {"@weekly", 1, 1, 0xfffffffe, 0x1ffe, 1},
        {"@yearly", 1, 1, 2, 2, 0x7f},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cron c;
        struct errbuf e = {""};
        if (cron_parse(str_of(rows[i].text), &c, &e))
            fail_msg("%s: %s", rows[i].text, e.text);
        if (c.minutes != rows[i].minutes || c.hours != rows[i].hours || c.days != rows[i].days ||
            c.months != rows[i].months || (c.weekdays & 0x7f) != rows[i].weekdays)
            fail_msg("%s: %llx %x %x %x %x", rows[i].text, (unsigned long long)c.minutes, c.hours,
                     c.days, c.months, c.weekdays);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "five fields"},
        {"* * * *", "there are 4"},
        {"* * * * * *", "more"},
        {"60 * * * *", "minute"},
        {"* 24 * * *", "hour"},
        {"* * 0 * *", "day of the month"},
        {"* * 32 * *", "day of the month"},
        {"* * * 13 *", "month"},
        {"* * * 0 *", "month"},
        {"* * * * 8", "day of the week"},
        {"* * * * mo", "day of the week"},
        {"* * * * monday", "day of the week"},
        {"5-1 * * * *", "minute"},
        {"*/0 * * * *", "minute"},
        {"*/ * * * *", "minute"},
        {"1, * * * *", "minute"},
        {",1 * * * *", "minute"},
        {"1-2-3 * * * *", "minute"},
        {"? * * * *", "minute"},
        {"-1 * * * *", "minute"},
        {"1a * * * *", "minute"},
        {"99999 * * * *", "minute"},
        {"@reboot", "@daily"},
        {"@daily 1", "minute"},
        {"* * L * *", "day of the month"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cron c;
        struct errbuf e = {""};
        if (cron_parse(str_of(rows[i].text), &c, &e) != ERR_INVALID ||
            !strstr(e.text, rows[i].says))
            fail_msg("\"%s\": \"%s\"", rows[i].text, e.text);
    }
    char *longer = test_malloc(CRON_BYTES_MAX + 2);
    struct cron c;
    memset(longer, ' ', CRON_BYTES_MAX + 1);
    assert_int_equal(cron_parse((struct str){longer, CRON_BYTES_MAX + 1}, &c, NULL), ERR_INVALID);
    test_free(longer);
}

/* The times that come after `after`, as UTC, joined by blanks. */
static const char *coming(const char *text, const char *zone_name, const char *after, int count)
{
    static char out[600];
    struct errbuf e = {""};
    struct zone *z = NULL;
    struct cron c;
    int64_t at;
    size_t n = 0;

    if (cron_parse(str_of(text), &c, &e) || zone_open(&z, str_of(zone_name), &e))
        fail_msg("%s %s: %s", text, zone_name, e.text);
    assert_true(clock_parse_rfc3339(str_of(after), &at));
    out[0] = 0;
    for (int i = 0; i < count; i++) {
        char time[CLOCK_RFC3339_BYTES + 1];
        int64_t next = cron_next(&c, zone_span, z, at);
        assert_true(next == 0 || next > at);
        if (next == 0) {
            n += (size_t)snprintf(out + n, sizeof(out) - n, "%snever", i ? " " : "");
            break;
        }
        at = next;
        clock_format_rfc3339(at, time);
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.16s", i ? " " : "", time);
    }
    zone_close(z);
    return out;
}

static void in_utc(void **state)
{
    (void)state;
    assert_string_equal(coming("*/15 * * * *", "UTC", "2026-01-01T00:00:00Z", 3),
                        "2026-01-01T00:15 2026-01-01T00:30 2026-01-01T00:45");
    assert_string_equal(coming("0 0 1 1 *", "UTC", "2025-12-31T23:59:59.999Z", 2),
                        "2026-01-01T00:00 2027-01-01T00:00");
    assert_string_equal(coming("0 12 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2),
                        "2028-02-29T12:00 2032-02-29T12:00");
    assert_string_equal(coming("0 0 29 2 *", "UTC", "2097-01-01T00:00:00Z", 1), "2104-02-29T00:00");
    assert_string_equal(coming("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", 1), "never");
    assert_string_equal(coming("0 0 31 4,6,9,11 *", "UTC", "2026-01-01T00:00:00Z", 1), "never");
    /* The 13th or a Friday; a Friday that is the 13th where one of them is `*`-like. */
    assert_string_equal(coming("0 9 13 * FRI", "UTC", "2026-02-06T10:00:00Z", 4),
                        "2026-02-13T09:00 2026-02-20T09:00 2026-02-27T09:00 2026-03-06T09:00");
    assert_string_equal(coming("0 9 12 * FRI", "UTC", "2026-02-06T10:00:00Z", 2),
                        "2026-02-12T09:00 2026-02-13T09:00");
    assert_string_equal(coming("0 9 */2 * FRI", "UTC", "2026-02-06T10:00:00Z", 2),
                        "2026-02-13T09:00 2026-02-27T09:00");
    assert_string_equal(coming("0 9 * * 1-5", "UTC", "2026-01-02T09:00:00Z", 2),
                        "2026-01-05T09:00 2026-01-06T09:00");
}

/* 2026: forward on 29 March at 01:00 UTC (02:00 becomes 03:00), back on 25 October (03:00: 02:00).
 */
static void in_berlin(void **state)
{
    (void)state;
    assert_string_equal(coming("0 9 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3),
                        "2026-03-28T08:00 2026-03-29T07:00 2026-03-30T07:00");
    /* 02:30 does not exist on the 29th: at the change. */
    assert_string_equal(coming("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
                        "2026-03-28T01:30 2026-03-29T01:00 2026-03-30T00:30");
    /* Once, however many times of that hour there are, and also for the 03:00 that there is. */
    assert_string_equal(coming("0,20,40 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4),
                        "2026-03-29T01:00 2026-03-29T01:20 2026-03-29T01:40 2026-03-30T00:00");
    /* 02:30 comes twice on 25 October: the first. */
    assert_string_equal(coming("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
                        "2026-10-25T00:30 2026-10-26T01:30");
    assert_string_equal(coming("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
                        "2026-10-25T02:00 2026-10-26T02:00");
    /* By the hour: as time passes. */
    assert_string_equal(coming("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
                        "2026-03-29T00:30 2026-03-29T01:30 2026-03-29T02:30");
    assert_string_equal(coming("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3),
                        "2026-10-25T00:30 2026-10-25T01:30 2026-10-25T02:30");
}

/* 2026: forward on 8 March at 07:00 UTC, back on 1 November at 06:00 UTC. */
static void in_new_york(void **state)
{
    (void)state;
    assert_string_equal(coming("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
                        "2026-03-08T07:00 2026-03-09T06:30");
    assert_string_equal(coming("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
                        "2026-11-01T05:30 2026-11-02T06:30");
    /* Begun within the second of the repeated hours: it has been. */
    assert_string_equal(coming("30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", 1),
                        "2026-11-02T06:30");
    assert_string_equal(coming("*/30 1-2 1 11 *", "America/New_York", "2026-11-01T04:00:00Z", 4),
                        "2026-11-01T05:00 2026-11-01T05:30 2026-11-01T07:00 2026-11-01T07:30");
    assert_string_equal(coming("0 0 * 12 SUN", "America/New_York", "2026-11-21T16:00:00Z", 1),
                        "2026-12-06T05:00");
}

static void in_kolkata(void **state)
{
    (void)state;
    assert_string_equal(coming("0 9 * * *", "Asia/Kolkata", "2026-03-28T12:00:00Z", 2),
                        "2026-03-29T03:30 2026-03-30T03:30");
    assert_string_equal(coming("15 */6 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", 2),
                        "2026-01-01T00:45 2026-01-01T06:45");
}

static void zones_that_are_none(void **state)
{
    static const char *const names[] = {
        "",
        "Europe/Berlln",
        "../etc/passwd",
        "/etc/localtime",
        "Europe",
        "local",
        "EST5EDT4",
        ":UTC",
        "zone.tab",
        "Europe/../Europe/Berlin",
        "+02:00",
        "a-name-that-is-much-too-long-a-name-that-is-much-too-long-a-name"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct errbuf e = {""};
        struct zone *z = NULL;
        if (zone_open(&z, str_of(names[i]), &e) != ERR_INVALID)
            fail_msg("%s", names[i]);
        assert_non_null(strstr(e.text, "no time zone"));
    }
    zone_close(NULL);
}

/* Whatever the fields, times ascend, hold to the fields and end. */
static void any_fields(void **state)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York",
                                        "Australia/Lord_Howe", "Africa/Casablanca"};
    uint64_t seed = 7;
    (void)state;
    for (int i = 0; i < 400; i++) {
        char text[100];
        unsigned r[5];
        for (int k = 0; k < 5; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            r[k] = (unsigned)(seed >> 40);
        }
        snprintf(text, sizeof(text), "%u %u/%u %u * %u", r[0] % 60, r[1] % 24, 1 + r[2] % 12,
                 1 + r[3] % 31, r[4] % 7);
        const char *got = coming(text, zones[i % 5], "2026-01-01T00:00:00Z", 5);
        assert_null(strstr(got, "never"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsed),      cmocka_unit_test(refused),
        cmocka_unit_test(in_utc),      cmocka_unit_test(in_berlin),
        cmocka_unit_test(in_new_york), cmocka_unit_test(in_kolkata),
        cmocka_unit_test(any_fields),  cmocka_unit_test(zones_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
