#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/yaml.h"
#include "base/yaml_write.h"

/* JSON as YAML for people, and the way back. */

static const struct {
    const char *json, *yaml;
} table[] = {
    {"{}", "{}\n"},
    {"[]", "[]\n"},
    {"null", "null\n"},
    {"{\"a\":1,\"b\":[1,2.50,-3e2],\"c\":null,\"d\":true}",
     "a: 1\nb: [1, 2.50, -3e2]\nc: null\nd: true\n"},
    {"{\"a\":\"1\",\"b\":\"1.0.0\",\"c\":\"true\",\"d\":\"No\",\"e\":\"\",\"f\":\"2024-01-01\","
     "\"g\":\"~\",\"h\":\".5\",\"i\":\"0x1f\"}",
     "a: '1'\nb: '1.0.0'\nc: 'true'\nd: 'No'\ne: ''\nf: '2024-01-01'\ng: '~'\nh: '.5'\ni: "
     "'0x1f'\n"},
    {"{\"1\":{\"<<\":\"- x\",\"yes\":\"a: b\",\"x\":\"# c\"}}",
     "'1':\n  '<<': '- x'\n  'yes': 'a: b'\n  x: '# c'\n"},
    {"{\"text\":\"one\\ntwo\\n\",\"end\":\"one\\ntwo\"}",
     "text: |\n  one\n  two\nend: |-\n  one\n  two\n"},
    {"{\"name\":\"\\u8bc4\\u5ba1 caf\\u00e9\",\"list\":[{\"a\":[]},{}]}",
     "name: \xe8\xaf\x84\xe5\xae\xa1 caf\xc3\xa9\nlist:\n- a: []\n- {}\n"},
    {"[\"{{ input.x }}\",\"*a\",\"&b\",\"!c\",\"%d\",\"@e\",\"it's\"]",
     "['{{ input.x }}', '*a', '&b', '!c', '%d', '@e', it's]\n"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct errbuf e = {""};
        struct buf b;
        buf_init(&b, 1 << 16);
        assert_int_equal(json_check(str_of(table[i].json), NULL, &e), 0);
        assert_int_equal(json_to_yaml(str_of(table[i].json), &b, &e), 0);
        assert_str(buf_str(&b), table[i].yaml);
        buf_deinit(&b);
    }
}

static void test_long_lines_are_folded(void **state)
{
    struct errbuf e = {""};
    struct buf json, yaml;
    (void)state;
    buf_init(&json, 1 << 16);
    buf_init(&yaml, 1 << 16);
    buf_append_z(&json, "{\"text\":\"");
    for (int i = 0; i < 40; i++)
        buf_append_z(&json, "many words ");
    buf_append_z(&json, "end\"}");
    assert_int_equal(json_to_yaml(buf_str(&json), &yaml, &e), 0);
    assert_non_null(strstr(yaml.data, "text: >-\n  many words"));
    for (const char *at = yaml.data; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        assert_true(strcspn(at, "\n") <= 115);
    buf_deinit(&json);
    buf_deinit(&yaml);
}

/* ---- whatever it is, it reads back with the same bytes ---- */

static unsigned random_at;
static unsigned roll(unsigned n)
{
    random_at = random_at * 1103515245u + 12345u;
    return (random_at >> 16) % n;
}

static void random_text(struct buf *b)
{
    static const char *const bits[] = {"a",       " ",
                                       "  ",      "\\n",
                                       "\\n\\n",  "\\t",
                                       "'",       "\\\"",
                                       ":",       ": ",
                                       "#",       " #",
                                       "-",       "- ",
                                       "{{ x }}", "\\\\",
                                       "1",       ".5",
                                       "yes",     "|",
                                       ">",       "%",
                                       "\\u00e9", "\\r",
                                       "\\u2028", "\\ud83d\\ude00",
                                       "\\u0001", "\\u0085",
                                       "?",       "!"};
    buf_append_char(b, '"');
    for (unsigned i = roll(4) ? roll(6) : roll(60); i-- > 0;)
        buf_append_z(b, bits[roll(sizeof(bits) / sizeof(bits[0]))]);
    buf_append_char(b, '"');
}

static void random_value(struct buf *b, unsigned depth)
{
    static const char *const scalars[] = {"null", "true", "0", "-1.50", "1e3", "{}", "[]"};
    unsigned kind = roll(depth ? 4 : 2), n = roll(5);
    if (kind == 0) {
        buf_append_z(b, scalars[roll(7)]);
    } else if (kind == 1) {
        random_text(b);
    } else if (kind == 2) {
        buf_append_char(b, '[');
        for (unsigned i = 0; i < n; i++) {
            buf_append_z(b, i ? "," : "");
            random_value(b, depth - 1);
        }
        buf_append_char(b, ']');
    } else {
        buf_append_char(b, '{');
        for (unsigned i = 0; i < n; i++) {
            buf_append_z(b, i ? "," : "");
            random_text(b);
            b->len--; /* a key is there once */
            buf_printf(b, "%u\":", i);
            random_value(b, depth - 1);
        }
        buf_append_char(b, '}');
    }
}

static void test_random_values_come_back(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        struct errbuf e = {""};
        struct buf json, first, again, second, pretty;
        struct buf *all[] = {&json, &first, &again, &second, &pretty};
        for (size_t i = 0; i < 5; i++)
            buf_init(all[i], 1 << 20);
        random_at = seed;
        random_value(&json, 4);
        if (json_to_yaml(buf_str(&json), &first, &e) ||
            yaml_to_json(buf_str(&first), NULL, &again, &e) ||
            json_to_yaml(buf_str(&again), &second, &e))
            fail_msg("seed %u: %s\n%s", seed, e.text, json.data);
        assert_true(json_eq(json_root(buf_str(&json)), json_root(buf_str(&again))));
        assert_true(str_eq(buf_str(&first), buf_str(&second)));
        assert_int_equal(json_layout(buf_str(&json), &pretty), 0);
        assert_int_equal(json_check(buf_str(&pretty), NULL, &e), 0);
        assert_true(json_eq(json_root(buf_str(&json)), json_root(buf_str(&pretty))));
        for (size_t i = 0; i < 5; i++)
            buf_deinit(all[i]);
    }
}

static void test_no_room(void **state)
{
    struct errbuf e = {""};
    struct buf b;
    (void)state;
    buf_init(&b, 8);
    buf_append_z(&b, "ab");
    assert_int_equal(json_to_yaml(STR("{\"long\":\"value\"}"), &b, &e), ERR_TOO_LARGE);
    assert_int_equal(b.len, 2);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_long_lines_are_folded),
        cmocka_unit_test(test_random_values_come_back),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
