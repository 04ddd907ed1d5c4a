#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const struct {
    const char *a, *b;
    bool is_eq;
} rows[] = {
    {"null", "null", true},
    {"null", "false", false},
    {"true", "true", true},
    {"1", "1.0", true},
    {"100", "1e2", true},
    {"0", "-0", true},
    {"0.5", "5e-1", true},
    {"1", "2", false},
    {"9007199254740993", "9007199254740992", false},
    {"1.5", "1", false},
    {"1", "\"1\"", false},
    {"\"a\\u0062\"", "\"ab\"", true},
    {"\"ab\"", "\"ab\"", true},
    {"\"ab\"", "\"a\"", false},
    {"\"a\\n\"", "\"a\\t\"", false},
    {"[]", "[ ]", true},
    {"[1,2]", "[ 1 , 2 ]", true},
    {"[1,2]", "[2,1]", false},
    {"[1,2]", "[1]", false},
    {"[1]", "[1,2]", false},
    {"[]", "{}", false},
    {"{}", "{ }", true},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
    {"{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3,\"b\":2}", true},
    {"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
    {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
    {"{\"x\":1,\"a\":1}", "{\"b\":2,\"a\":1,\"x\":1}", false},
    {"{\"\\u0061\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
    {"{\"k\":{\"a\":[{\"x\":1,\"y\":2}],\"b\":0}}", "{\"k\":{\"b\":0,\"a\":[{\"y\":2,\"x\":1}]}}",
     true},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct json a = json_root(str_of(rows[i].a)), b = json_root(str_of(rows[i].b));
        if (json_eq(a, b) != rows[i].is_eq || json_eq(b, a) != rows[i].is_eq)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
        assert_true(json_eq(a, a));
    }
    assert_true(json_eq(JSON_ABSENT, JSON_ABSENT));
    assert_false(json_eq(JSON_ABSENT, json_root(STR("null"))));
}

/* Many members in opposite orders, at every level: neither quadratic nor exponential, or this test
 * would not end in time. */
static void test_reversed(void **state)
{
    struct buf a, b;

    (void)state;
    buf_init(&a, 8 << 20);
    buf_init(&b, 8 << 20);
    buf_append_z(&a, "{");
    buf_append_z(&b, "{");
    for (int i = 0; i < 100000; i++) {
        buf_printf(&a, "%s\"k%d\":%d", i ? "," : "", i, i);
        buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", 99999 - i, 99999 - i);
    }
    buf_append_z(&a, "}");
    buf_append_z(&b, "}");
    assert_true(json_eq(json_root(buf_str(&a)), json_root(buf_str(&b))));
    buf_clear(&a);
    buf_clear(&b);
    for (int i = 0; i < 60; i++) {
        buf_append_z(&a, "{\"x\":0,\"y\":1,\"n\":");
        buf_append_z(&b, "{\"y\":1,\"n\":");
    }
    buf_append_z(&a, "0");
    buf_append_z(&b, "0");
    for (int i = 0; i < 60; i++) {
        buf_append_z(&a, "}");
        buf_append_z(&b, ",\"x\":0}");
    }
    assert_true(json_eq(json_root(buf_str(&a)), json_root(buf_str(&b))));
    buf_deinit(&a);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_reversed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
