#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_tree.h"

static const struct {
    const char *target, *patch, *merged;
} rows[] = {
    /* RFC 7396, appendix A */
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
    {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"{\"a\":\"foo\"}", "null", "null"},
    {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
    {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    /* Ours */
    {"{ \"a\" : 12345678901234567890 , \"b\": 1.50 }", "{\"c\":-0.10e5}",
     "{\"a\":12345678901234567890,\"b\":1.50,\"c\":-0.10e5}"},
    {"{\"a\":{\"x\":1}}", "{\"a\":{\"y\":{\"z\":[null,{\"n\":null}],\"m\":null}}}",
     "{\"a\":{\"x\":1,\"y\":{\"z\":[null,{\"n\":null}]}}}"},
    {"{\"a\":1}", "{\"a\":{\"b\":null,\"c\":2}}", "{\"a\":{\"c\":2}}"},
    {"{\"a\\n\":\"\\u00e9\\ud83d\\ude00\"}", "{\"\\u0061\\n\":{\"\\\"\":\"\\/\"}}",
     "{\"a\\n\":{\"\\\"\":\"/\"}}"},
    {"{\"A\":1}", "{\"a\":2}", "{\"A\":1,\"a\":2}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":null,\"c\":null,\"a\":null,\"d\":4}", "{\"d\":4}"},
};

static void test_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        assert_int_equal(json_check(str_of(rows[i].target), NULL, NULL), 0);
        assert_int_equal(json_check(str_of(rows[i].patch), NULL, NULL), 0);
        assert_int_equal(json_merge(str_of(rows[i].target), str_of(rows[i].patch), &b), 0);
        assert_str(buf_str(&b), rows[i].merged);
        buf_deinit(&b);
    }
}

static void test_merge_full(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    buf_append_z(&b, "x");
    assert_int_equal(json_merge(STR("{\"a\":1}"), STR("{\"b\":2}"), &b), ERR_TOO_LARGE);
    assert_str(buf_str(&b), "x");
    buf_deinit(&b);
}

/* Members that are deleted or replaced while others, whose slots of the index lie behind theirs,
 * are still looked for. */
static void test_merge_deletes(void **state)
{
    struct buf a, b, out;

    (void)state;
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 1000; i++) {
        buf_printf(&a, "%c\"k%d\":%d", i ? ',' : '{', i, i);
        buf_printf(&b, "%c\"k%d\":%s", i ? ',' : '{', i, i % 3 == 0 ? "null" : "[0]");
    }
    buf_append_z(&a, "}");
    buf_append_z(&b, ",\"new\":{\"x\":null,\"y\":{}}}");
    assert_int_equal(json_merge(buf_str(&a), buf_str(&b), &out), 0);
    struct json merged = json_root(buf_str(&out));
    assert_int_equal(json_length(merged), 667);
    assert_false(json_exists(json_get(merged, "k999")));
    assert_str(json_raw(json_get(merged, "k998")), "[0]");
    assert_str(json_raw(json_get(merged, "new")), "{\"y\":{}}");
    buf_deinit(&a);
    buf_deinit(&b);
    buf_deinit(&out);
}

/* Two objects of 50,000 members, in opposite orders: linear, or this would take minutes. */
static void test_merge_large(void **state)
{
    struct buf a, b, out;

    (void)state;
    buf_init(&a, 8 << 20);
    buf_init(&b, 8 << 20);
    buf_init(&out, 8 << 20);
    for (int i = 0; i < 50000; i++) {
        buf_printf(&a, "%c\"k%d\":%d", i ? ',' : '{', i, i);
        buf_printf(&b, "%c\"k%d\":%d", i ? ',' : '{', 49999 - i, i);
    }
    buf_append_z(&a, "}");
    buf_append_z(&b, "}");
    assert_int_equal(json_merge(buf_str(&a), buf_str(&b), &out), 0);
    assert_true(json_eq(json_root(buf_str(&out)), json_root(buf_str(&b))));
    assert_memory_equal(out.data, "{\"k0\":49999,\"k1\":49998,", 23);
    buf_deinit(&a);
    buf_deinit(&b);
    buf_deinit(&out);
}

static void test_compact(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(
        json_compact(STR(" { \"a b\\\" \" : [ 1 ,\n2 , { } ] , \"c\":\t\"\\\\\" } "), &b), 0);
    assert_str(buf_str(&b), "{\"a b\\\" \":[1,2,{}],\"c\":\"\\\\\"}");
    buf_clear(&b);
    assert_int_equal(json_compact(STR("7"), &b), 0);
    assert_str(buf_str(&b), "7");
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),         cmocka_unit_test(test_merge_full),
        cmocka_unit_test(test_merge_deletes), cmocka_unit_test(test_merge_large),
        cmocka_unit_test(test_compact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
