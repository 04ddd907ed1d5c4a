#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

static const struct {
    const char *yaml, *json;
} good[] = {
    {"a", "\"a\""},
    {"{}", "{}"},
    {"--- [1, 2]\n...\n", "[1,2]"},
    {"a: 1\nb: x y\n", "{\"a\":1,\"b\":\"x y\"}"},
    {"- ~\n- null\n-\n- 'null'\n- \"\"\n", "[null,null,null,\"null\",\"\"]"},
    {"[true, false, yes, no, on, off, True, y]",
     "[true,false,\"yes\",\"no\",\"on\",\"off\",\"True\",\"y\"]"},
    {"[1, -1.5e3, 0x10, 010, 1_000, .5, 1., +1, '1', 12:30]",
     "[1,-1.5e3,\"0x10\",\"010\",\"1_000\",\".5\",\"1.\",\"+1\",\"1\",\"12:30\"]"},
    {"[.inf, .nan, 2026-01-02]", "[\".inf\",\".nan\",\"2026-01-02\"]"},
    {"k: |\n  one\n  two\nl: >-\n  one\n  two\n", "{\"k\":\"one\\ntwo\\n\",\"l\":\"one two\"}"},
    {"1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}"},
    {"a: &x [1, {b: 2}]\nc: *x\nd: *x\n",
     "{\"a\":[1,{\"b\":2}],\"c\":[1,{\"b\":2}],\"d\":[1,{\"b\":2}]}"},
    {"- &a one\n- *a\n- &a two\n- *a\n", "[\"one\",\"one\",\"two\",\"two\"]"},
    {"- &a {k: &b 7}\n- *b\n- *a\n", "[{\"k\":7},7,{\"k\":7}]"},
    {"[!!str 1, !!int 2, !!float 1.5, !!bool true, !!null ~, !!str, ! 3]",
     "[\"1\",2,1.5,true,null,\"\",\"3\"]"},
    {"!!map {a: !!seq []}", "{\"a\":[]}"},
    {"\"\\u00e9\\U0001F600\"", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
    {"a: {b: {a: 1}}\nb: [{a: 1}, {a: 1}]",
     "{\"a\":{\"b\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}"},
    {"prompt: \"{{ nodes.pro.output }}\"", "{\"prompt\":\"{{ nodes.pro.output }}\"}"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(good); i++) {
        struct errbuf e = {""};
        struct buf b;
        buf_init(&b, 10000);
        buf_append_z(&b, "kept ");
        if (yaml_to_json(str_of(good[i].yaml), NULL, &b, &e) != 0)
            fail_msg("%s: %s", good[i].yaml, e.text);
        buf_consume(&b, 5);
        assert_str(buf_str(&b), good[i].json);
        assert_int_equal(json_check(buf_str(&b), NULL, NULL), 0);
        buf_deinit(&b);
    }
}

static const struct {
    const char *yaml, *error;
} bad[] = {
    {"", "the text is empty"},
    {"# only a comment\n", "the text is empty"},
    {"a: 1\n--- \nb: 2\n", "line 2, column 1: more than one document"},
    {"a: 1\nb: 2\na: 3\n", "line 3, column 1: duplicate key"},
    {"a: [1\nb: 2\n", "line 2"},
    {"a: *nope", "line 1, column 4: alias without an anchor"},
    {"a: &x [*x]", "line 1, column 8: alias without an anchor"},
    {"b: &x {c: 1}\na:\n  <<: *x\n", "line 3, column 3: merge keys"},
    {"? [a]\n: 1\n", "line 1, column 3: a key must be a scalar"},
    {"k: &x 1\n*x : 2\n", "line 2, column 1: an alias as a key"},
    {"&k a: 1\n", "an anchor on a key"},
    {"!!python/object:os.system x", "line 1, column 1: unknown tag"},
    {"!local {}", "unknown tag"},
    {"!!set {a}", "unknown tag"},
    {"!!int 1.5", "does not fit its tag"},
    {"!!bool 1", "does not fit its tag"},
    {"x: 1e999", "line 1, column 4: number out of range"},
    {"\"a\\0b\"", "NUL"},
    {"{\"a\\0b\": 1}", "NUL"},
    {"a: \xff", "line 1"},
    {"\x01", "line 1"},
    {"a: \"\\ud83d\"", "line 1"},
    {"a:\n\t- b", "line 2"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        struct errbuf e = {""};
        struct buf b;
        buf_init(&b, 10000);
        buf_append_z(&b, "kept");
        if (yaml_to_json(str_of(bad[i].yaml), NULL, &b, &e) != ERR_INVALID)
            fail_msg("%s was accepted", bad[i].yaml);
        if (!strstr(e.text, bad[i].error))
            fail_msg("%s: %s, expected: %s", bad[i].yaml, e.text, bad[i].error);
        assert_str(buf_str(&b), "kept");
        buf_deinit(&b);
    }
}

static void test_billion_laughs(void **state)
{
    struct errbuf e;
    struct buf yaml, json;

    (void)state;
    buf_init(&yaml, 10000);
    buf_init(&json, 100 << 20);
    buf_append_z(&yaml, "- &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (int i = 1; i < 20; i++) {
        buf_printf(&yaml, "- &x%d [", i);
        for (int j = 0; j < 9; j++)
            buf_printf(&yaml, "%s*x%d", j ? ", " : "", i - 1);
        buf_append_z(&yaml, "]\n");
    }
    assert_int_equal(yaml_to_json(buf_str(&yaml), NULL, &json, &e), ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, "expands to more than"));
    assert_int_equal(json.len, 0);
    buf_deinit(&yaml);
    buf_deinit(&json);
}

static void test_limits(void **state)
{
    struct json_limits limits = {.bytes_max = 20, .depth_max = 3};
    struct errbuf e;
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(yaml_to_json(STR("[[[1]]]"), &limits, &b, &e), 0);
    assert_int_equal(yaml_to_json(STR("[[[[1]]]]"), &limits, &b, &e), ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, "nested deeper than 3 at line 1"));
    assert_int_equal(yaml_to_json(STR("- &a [[1]]\n- [*a]"), &limits, &b, &e), ERR_TOO_LARGE);
    assert_int_equal(yaml_to_json(STR("a: 0123456789012345678901"), &limits, &b, &e),
                     ERR_TOO_LARGE);
    buf_deinit(&b);
    buf_init(&b, 3);
    assert_int_equal(yaml_to_json(STR("[1, 2]"), NULL, &b, &e), ERR_TOO_LARGE);
    buf_deinit(&b);
}

static void test_many_anchors(void **state)
{
    struct errbuf e;
    struct buf yaml, json;

    (void)state;
    buf_init(&yaml, 1 << 20);
    buf_init(&json, 1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_printf(&yaml, "- &a%d x\n", i);
    assert_int_equal(yaml_to_json(buf_str(&yaml), NULL, &json, &e), 0);
    buf_append_z(&yaml, "- &more x\n");
    assert_int_equal(yaml_to_json(buf_str(&yaml), NULL, &json, &e), ERR_TOO_LARGE);
    buf_deinit(&yaml);
    buf_deinit(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_billion_laughs), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_anchors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
