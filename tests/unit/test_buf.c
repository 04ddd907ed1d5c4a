#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static void test_append(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_null(b.data);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_int_equal(buf_append_z(&b, "ab"), 0);
    assert_int_equal(buf_append_char(&b, 'c'), 0);
    assert_int_equal(buf_append_str(&b, STR("de")), 0);
    assert_string_equal(b.data, "abcde");
    assert_str(buf_str(&b), "abcde");
    buf_consume(&b, 2);
    assert_string_equal(b.data, "cde");
    buf_truncate(&b, 1);
    assert_string_equal(b.data, "c");
    buf_clear(&b);
    assert_string_equal(b.data, "");
    buf_deinit(&b);
    assert_null(b.data);
    buf_deinit(&b);
}

static void test_numbers(void **state)
{
    static const struct {
        int64_t v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {-7, "-7"},
        {1234567890, "1234567890"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < ROWS(rows); i++) {
        buf_clear(&b);
        assert_int_equal(buf_append_i64(&b, rows[i].v), 0);
        assert_str(buf_str(&b), rows[i].text);
    }
    buf_clear(&b);
    assert_int_equal(buf_append_u64(&b, UINT64_MAX), 0);
    assert_str(buf_str(&b), "18446744073709551615");
    buf_deinit(&b);
}

static void test_printf(void **state)
{
    struct buf b;
    char big[1000];

    (void)state;
    buf_init(&b, 2000);
    assert_int_equal(buf_printf(&b, "%d-%s", 5, "x"), 0);
    assert_str(buf_str(&b), "5-x");
    memset(big, 'y', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(buf_printf(&b, "%s", big), 0);
    assert_int_equal(b.len, 3 + 999);
    assert_string_equal(b.data + 3, big);
    assert_int_equal(buf_printf(&b, "%s", big), ERR_TOO_LARGE);
    assert_int_equal(b.len, 3 + 999);
    buf_deinit(&b);
}

/* At every maximum, every append either fits or changes nothing and is remembered. */
static void test_max(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max++) {
        struct buf b;
        size_t expected = 0;
        int failed = 0;
        buf_init(&b, max);
        for (size_t n = 1; n < 40; n++) {
            int rv = buf_append(&b, "0123456789012345678901234567890123456789", n);
            failed |= expected + n > max;
            assert_int_equal(rv, failed ? ERR_TOO_LARGE : 0);
            expected += failed ? 0 : n;
            assert_int_equal(b.len, expected);
            assert_true(b.cap <= max + 1);
        }
        assert_int_equal(buf_error(&b), failed ? ERR_TOO_LARGE : 0);
        buf_clear(&b);
        assert_int_equal(buf_error(&b), 0);
        assert_int_equal(buf_append(&b, "0", 1), max > 0 ? 0 : ERR_TOO_LARGE);
        buf_deinit(&b);
    }
}

static void test_sizes_do_not_wrap(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_append_z(&b, "abc"), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), ERR_TOO_LARGE);
    assert_int_equal(buf_append_z(&b, "d"), ERR_TOO_LARGE);
    buf_clear(&b);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 2), ERR_TOO_LARGE);
    buf_deinit(&b);
}

static void test_reserve(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_reserve(&b, 10), 0);
    memcpy(b.data, "0123456789", 10);
    b.len += 10;
    assert_int_equal(buf_reserve(&b, 0), 0);
    size_t len;
    char *data = buf_steal(&b, &len);
    assert_string_equal(data, "0123456789");
    assert_int_equal(len, 10);
    free(data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max, 10);
    data = buf_steal(&b, NULL);
    assert_string_equal(data, "");
    free(data);
}

static void test_str(void **state)
{
    (void)state;
    assert_true(str_eq(STR_NULL, STR("")));
    assert_true(str_eqz(STR("ab"), "ab"));
    assert_false(str_eqz(STR("ab"), "abc"));
    assert_false(str_eqz(STR("ab"), "ac"));
    assert_int_equal(str_of(NULL).n, 0);
    char *z = str_dup((struct str){"abcdef", 3});
    assert_string_equal(z, "abc");
    free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_sizes_do_not_wrap),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_str),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
