#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static struct json view(const char *z)
{
    assert_int_equal(json_check(str_of(z), NULL, NULL), 0);
    return json_root(str_of(z));
}

static void test_types(void **state)
{
    static const struct {
        const char *text;
        enum json_type type;
        const char *name;
    } rows[] = {
        {" null ", JSON_NULL, "null"},     {"false", JSON_FALSE, "false"},
        {"true", JSON_TRUE, "true"},       {"-1", JSON_NUMBER, "number"},
        {" \"x\"", JSON_STRING, "string"}, {"[]", JSON_ARRAY, "array"},
        {"{}", JSON_OBJECT, "object"},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_int_equal(json_type(view(rows[i].text)), rows[i].type);
        assert_string_equal(json_type_name(rows[i].type), rows[i].name);
    }
    assert_int_equal(json_type(JSON_ABSENT), JSON_NONE);
    assert_int_equal(json_type(json_root(STR_NULL)), JSON_NONE);
}

static void test_walk(void **state)
{
    static const char *const values[] = {"1", "\"]}\\\"\"", "[ 1 , {\"a\":[]} ]", "{ }", "null"};
    struct json v = view(" { \"a\" : 1 , \"b\":\"]}\\\"\" ,\"c\" :[ 1 , {\"a\":[]} ],\"d\": { },"
                         "\"e\":null\n} ");
    struct json_iter it;
    size_t n = 0;

    (void)state;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        assert_int_equal(it.index, n);
        assert_int_equal(it.key.n, 1);
        assert_int_equal(it.key.p[0], 'a' + (int)n);
        assert_str(json_raw(it.value), values[n]);
        n++;
    }
    assert_int_equal(n, 5);
    assert_false(json_iter_next(&it));
    assert_int_equal(json_length(v), 5);
    assert_int_equal(json_length(json_get(v, "c")), 2);
    assert_int_equal(json_length(json_get(v, "d")), 0);
    assert_int_equal(json_length(json_get(v, "b")), 0);
    assert_false(json_exists(json_get(v, "x")));
    assert_false(json_exists(json_get(json_get(v, "c"), "a")));
    assert_true(json_exists(json_get(v, "e")));
    assert_false(json_exists(json_get_set(v, "e")));
    assert_true(json_exists(json_get_set(v, "d")));
}

static void test_keys(void **state)
{
    struct json v = view("{\"\\u0061\\n\\ud83d\\ude00z\":1,\"a\":2,\"\":3}");
    struct json_iter it;
    struct buf b;

    (void)state;
    assert_str(json_raw(json_get(v, "a\n\xf0\x9f\x98\x80z")), "1");
    assert_str(json_raw(json_get(v, "a")), "2");
    assert_str(json_raw(json_get(v, "")), "3");
    assert_false(json_exists(json_get(v, "a\n\xf0\x9f\x98\x80")));
    assert_false(json_exists(json_get(v, "a\n\xf0\x9f\x98\x80zz")));
    buf_init(&b, 100);
    json_iter_init(&it, v);
    assert_true(json_iter_next(&it));
    assert_int_equal(json_iter_key(&it, &b), 0);
    assert_str(buf_str(&b), "a\n\xf0\x9f\x98\x80z");
    buf_deinit(&b);
}

static void test_strings(void **state)
{
    struct json v = view("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\xc3\xa9\"");
    static const char plain[] = "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9";
    struct buf b;

    (void)state;
    char *z = json_strdup(v);
    assert_string_equal(z, plain);
    free(z);
    assert_true(json_string_eq(v, plain));
    assert_false(json_string_eq(v, "a"));
    assert_null(json_strdup(view("1")));
    assert_null(json_strdup(JSON_ABSENT));
    assert_false(json_string_eq(view("1"), "1"));
    z = json_strdup(view("\"\""));
    assert_string_equal(z, "");
    free(z);
    buf_init(&b, 8);
    assert_true(json_string(view("\"ab\\n\""), &b));
    assert_str(buf_str(&b), "ab\n");
    assert_false(json_string(view("{}"), &b));
    assert_false(json_string(view("\"123456\""), &b));
    assert_int_equal(buf_error(&b), ERR_TOO_LARGE);
    assert_str(buf_str(&b), "ab\n");
    buf_deinit(&b);
}

static const struct {
    const char *text;
    bool is_int;
    int64_t v;
} ints[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"0.000", true, 0},
    {"0e999", true, 0},
    {"42", true, 42},
    {"-42", true, -42},
    {"1.0", true, 1},
    {"1e3", true, 1000},
    {"1.5e1", true, 15},
    {"1200e-2", true, 12},
    {"0.0012e+4", true, 12},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775807.000", true, INT64_MAX},
    {"9007199254740993", true, 9007199254740993},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"99999999999999999999", false, 0},
    {"1e19", false, 0},
    {"1e300", false, 0},
    {"1.5", false, 0},
    {"1e-1", false, 0},
    {"0.1", false, 0},
    {"\"1\"", false, 0},
    {"true", false, 0},
};

static void test_numbers(void **state)
{
    double d = 7;

    (void)state;
    for (size_t i = 0; i < ROWS(ints); i++) {
        int64_t v = 7;
        if (json_i64(view(ints[i].text), &v) != ints[i].is_int)
            fail_msg("%s", ints[i].text);
        assert_int_equal(v, ints[i].is_int ? ints[i].v : 7);
    }
    assert_false(json_double(view("null"), &d));
    assert_true(d == 7);
    assert_true(json_double(view("-1.25e2"), &d));
    assert_true(d == -125);
}

static void test_bools(void **state)
{
    bool v = false;

    (void)state;
    assert_true(json_bool(view("true"), &v) && v);
    assert_true(json_bool(view("false"), &v) && !v);
    v = true;
    assert_false(json_bool(view("0"), &v));
    assert_false(json_bool(JSON_ABSENT, &v));
    assert_true(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),   cmocka_unit_test(test_walk),
        cmocka_unit_test(test_keys),    cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_bools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
