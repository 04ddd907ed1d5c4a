#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const struct {
    struct str in;
    const char *out;
} strings[] = {
    {{"", 0}, "\"\""},
    {{NULL, 0}, "\"\""},
    {{"plain text", 10}, "\"plain text\""},
    {{"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
    {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
    {{"\x01\x1f\x7f", 3}, "\"\\u0001\\u001f\x7f\""},
    {{"a\0b", 3}, "\"a\\u0000b\""},
    {{"\xc3\xa9\xf0\x9f\x98\x80", 6}, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
    {{"\xff", 1}, "\"\xef\xbf\xbd\""},
    {{"a\xe2\x82", 3}, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {{"01234567\n01234567\"", 18}, "\"01234567\\n01234567\\\"\""},
};

static void test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(strings); i++) {
        struct buf b;
        buf_init(&b, 1000);
        assert_int_equal(json_write_string(&b, strings[i].in), 0);
        assert_str(buf_str(&b), strings[i].out);
        buf_deinit(&b);
    }
}

static const struct {
    double v;
    const char *text;
} doubles[] = {
    {0, "0"},
    {-0.0, "-0"},
    {1, "1"},
    {-17, "-17"},
    {0.1, "0.1"},
    {1.5, "1.5"},
    {0.1 + 0.2, "0.30000000000000004"},
    {9007199254740991.0, "9007199254740991"},
    {1e21, "1e+21"},
    {5e-324, "4.94065645841247e-324"},
    {DBL_MAX, "1.7976931348623157e+308"},
    {123456.789, "123456.789"},
    {INFINITY, "null"},
    {NAN, "null"},
};

static void test_doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(doubles); i++) {
        struct buf b;
        buf_init(&b, 1000);
        assert_int_equal(json_write_double(&b, doubles[i].v), 0);
        assert_str(buf_str(&b), doubles[i].text);
        if (isfinite(doubles[i].v)) {
            double back = strtod(b.data, NULL);
            assert_memory_equal(&back, &doubles[i].v, sizeof(back));
            assert_int_equal(json_check(buf_str(&b), NULL, NULL), 0);
        }
        buf_deinit(&b);
    }
}

static void test_writer(void **state)
{
    struct buf b;
    struct jw w;

    (void)state;
    buf_init(&b, 1000);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "s", STR("x\"y"));
    jw_kv_stringz(&w, "z", NULL);
    jw_kv_i64(&w, "i", INT64_MIN);
    jw_kv_u64(&w, "u", UINT64_MAX);
    jw_kv_double(&w, "d", 0.5);
    jw_kv_bool(&w, "t", true);
    jw_kv_bool(&w, "f", false);
    jw_kv_raw(&w, "r", STR("[1, 2]"));
    jw_kv_raw(&w, "n", STR_NULL);
    jw_kv_time(&w, "at", 1767323045678);
    jw_kv_time(&w, "never", 0);
    jw_key(&w, "list");
    jw_array(&w);
    jw_i64(&w, 1);
    jw_array(&w);
    jw_end(&w);
    jw_object(&w);
    jw_end(&w);
    jw_string(&w, STR("e"));
    jw_null(&w);
    jw_end(&w);
    jw_key_str(&w, STR("a\nb"));
    jw_bool(&w, true);
    jw_end(&w);
    assert_int_equal(buf_error(&b), 0);
    assert_str(
        buf_str(&b),
        "{\"s\":\"x\\\"y\",\"z\":null,\"i\":-9223372036854775808,"
        "\"u\":18446744073709551615,\"d\":0.5,\"t\":true,\"f\":false,\"r\":[1, 2],\"n\":null,"
        "\"at\":\"2026-01-02T03:04:05.678Z\",\"never\":null,"
        "\"list\":[1,[],{},\"e\",null],\"a\\nb\":true}");
    assert_int_equal(json_check(buf_str(&b), NULL, NULL), 0);
    buf_deinit(&b);
}

/* A full buf never grows past its maximum, whatever is written, and tells so at the end. */
static void test_full(void **state)
{
    (void)state;
    for (size_t max = 0; max < 40; max++) {
        struct buf b;
        struct jw w;
        buf_init(&b, max);
        jw_init(&w, &b);
        jw_object(&w);
        jw_kv_string(&w, "key", STR("a\nb\xff"));
        jw_kv_double(&w, "d", 1.25);
        jw_kv_i64(&w, "i", -12);
        jw_end(&w);
        assert_true(b.len <= max);
        assert_int_equal(buf_error(&b), max < 34 ? ERR_TOO_LARGE : 0);
        buf_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
