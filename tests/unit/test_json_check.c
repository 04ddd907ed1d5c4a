#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static int check(const char *text, size_t n, struct errbuf *e)
{
    /* In a block of exactly its size, so that the sanitizer sees one byte too far. */
    char *copy = malloc(n ? n : 1);
    memcpy(copy, text, n);
    int rv = json_check((struct str){copy, n}, NULL, e);
    free(copy);
    return rv;
}

static const char *const good[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "10",
    "1.5",
    "-0.5e-3",
    "1E+2",
    "1e308",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u00e9\\uD83D\\uDE00\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
    "\"\x7f\"",
    "\"\xf4\x8f\xbf\xbf\"",
    "[]",
    "{}",
    "[[]]",
    " [ 1 , 2 ] \n",
    "\t{\"a\":1,\"b\":[{},{}]}\r\n",
    "{\"\":0}",
    "{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}",
    "[{\"a\":1},{\"a\":1}]",
    "[1e-999]",
    "\"01234567\"",
    "\"0123456789abcdef0123456789\"",
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(good); i++) {
        struct errbuf e = {""};
        if (check(good[i], strlen(good[i]), &e) != 0)
            fail_msg("%s: %s", good[i], e.text);
    }
}

static const struct {
    const char *text, *error;
} bad[] = {
    {"", "byte 0: empty"},
    {"  ", "byte 2: the text ends too early"},
    {"nul", "byte 0: expected a value"},
    {"nulll", "byte 4: more text after the value"},
    {"True", "byte 0: expected a value"},
    {"01", "byte 0: malformed number"},
    {"-", "byte 0: malformed number"},
    {"-a", "byte 0: malformed number"},
    {"1.", "byte 0: malformed number"},
    {".5", "byte 0: expected a value"},
    {"1.e3", "byte 0: malformed number"},
    {"1e", "byte 0: malformed number"},
    {"1e+", "byte 0: malformed number"},
    {"+1", "byte 0: expected a value"},
    {"0x10", "byte 1: more text"},
    {"1e309", "byte 0: number out of range"},
    {"-1e400", "byte 0: number out of range"},
    {"NaN", "byte 0: expected a value"},
    {"Infinity", "byte 0: expected a value"},
    {"11111111111111111111111111111111111111111111111111111111111111111",
     "byte 0: number of more than 64"},
    {"\"", "byte 0: string does not end"},
    {"\"abc", "byte 0: string does not end"},
    {"\"abc\\", "byte 4: string does not end"},
    {"\"\\x41\"", "byte 1: unknown escape"},
    {"\"\\u12\"", "byte 1: \\u without four"},
    {"\"\\u12", "byte 1: \\u without four"},
    {"\"\\u0000\"", "byte 1: \\u0000"},
    {"\"\\ud83d\"", "byte 1: high surrogate"},
    {"\"\\ud83dx\\ude00\"", "byte 1: high surrogate"},
    {"\"\\ud83d\\ud83d\"", "byte 1: high surrogate"},
    {"\"\\ud83d\\u", "byte 1: high surrogate"},
    {"\"\\ude00\"", "byte 1: low surrogate"},
    {"\"a\nb\"", "byte 2: control character"},
    {"\"01234567\x01\"", "byte 9: control character"},
    {"\"\xff\"", "byte 1: not valid UTF-8"},
    {"\"\xc0\x80\"", "byte 1: not valid UTF-8"},
    {"\"\xe0\x80\x80\"", "byte 1: not valid UTF-8"},
    {"\"\xed\xa0\x80\"", "byte 1: not valid UTF-8"},
    {"\"\xf0\x80\x80\x80\"", "byte 1: not valid UTF-8"},
    {"\"\xf4\x90\x80\x80\"", "byte 1: not valid UTF-8"},
    {"\"abc\xe2\x82", "byte 4: not valid UTF-8"},
    {"\xef\xbb\xbf{}", "byte 0: a byte order mark"},
    {"[", "byte 1: the text ends too early"},
    {"[1", "byte 2: array does not end"},
    {"[1,", "byte 3: the text ends too early"},
    {"[1,]", "byte 3: expected a value"},
    {"[,1]", "byte 1: expected a value"},
    {"[1 2]", "byte 3: expected ',' or ']'"},
    {"[1}", "byte 2: expected ',' or ']'"},
    {"]", "byte 0: expected a value"},
    {"{", "byte 1: expected a key"},
    {"{\"a\"", "byte 4: expected ':'"},
    {"{\"a\":", "byte 5: the text ends too early"},
    {"{\"a\":1", "byte 6: object does not end"},
    {"{\"a\":1,}", "byte 7: expected a key"},
    {"{\"a\" 1}", "byte 5: expected ':'"},
    {"{a:1}", "byte 1: expected a key"},
    {"{\"a\":1]", "byte 6: expected ',' or '}'"},
    {"{\"a\":1,\"a\":2}", "byte 7: duplicate key"},
    {"{\"a\":1,\"\\u0061\":2}", "byte 7: duplicate key"},
    {"{\"\\/\":1,\"/\":2}", "byte 8: duplicate key"},
    {"{\"a\":{\"b\":1},\"c\":[{\"b\":1}],\"a\":0}", "byte 27: duplicate key"},
    {"[] []", "byte 3: more text"},
    {"/* c */ 1", "byte 0: expected a value"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        struct errbuf e = {""};
        if (check(bad[i].text, strlen(bad[i].text), &e) != ERR_INVALID)
            fail_msg("%s was accepted", bad[i].text);
        if (!strstr(e.text, bad[i].error))
            fail_msg("%s: %s, expected: %s", bad[i].text, e.text, bad[i].error);
    }
}

/* A NUL byte, where a C string cannot hold it. */
static void test_nul(void **state)
{
    (void)state;
    assert_int_equal(check("\"a\0b\"", 5, NULL), ERR_INVALID);
    assert_int_equal(check("1\0", 2, NULL), ERR_INVALID);
    assert_int_equal(check("\0", 1, NULL), ERR_INVALID);
    assert_int_equal(json_check(STR_NULL, NULL, NULL), ERR_INVALID);
}

static int check_nested(const char *open, const char *close, unsigned depth, unsigned depth_max)
{
    struct json_limits limits = {.depth_max = depth_max};
    struct buf b;

    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < depth; i++)
        buf_append_z(&b, open);
    buf_append_z(&b, "1");
    for (unsigned i = 0; i < depth; i++)
        buf_append_z(&b, close);
    int rv = json_check(buf_str(&b), &limits, NULL);
    buf_deinit(&b);
    return rv;
}

static void test_depth(void **state)
{
    (void)state;
    assert_int_equal(check_nested("[", "]", JSON_DEPTH_MAX, 0), 0);
    assert_int_equal(check_nested("[", "]", JSON_DEPTH_MAX + 1, 0), ERR_TOO_LARGE);
    assert_int_equal(check_nested("{\"a\":", "}", JSON_DEPTH_MAX, 0), 0);
    assert_int_equal(check_nested("{\"a\":", "}", JSON_DEPTH_MAX + 1, 0), ERR_TOO_LARGE);
    assert_int_equal(check_nested("[", "]", 10000, 0), ERR_TOO_LARGE);
    assert_int_equal(check_nested("[", "]", 3, 3), 0);
    assert_int_equal(check_nested("[", "]", 4, 3), ERR_TOO_LARGE);
    assert_int_equal(check_nested("[", "]", JSON_DEPTH_MAX + JSON_DEPTH_WRAP, 1000), 0);
    assert_int_equal(check_nested("[", "]", JSON_DEPTH_MAX + JSON_DEPTH_WRAP + 1, 1000),
                     ERR_TOO_LARGE);
}

static void test_size(void **state)
{
    struct json_limits limits = {.bytes_max = 4};
    struct errbuf e;

    (void)state;
    assert_int_equal(json_check(STR("1234"), &limits, &e), 0);
    assert_int_equal(json_check(STR("12345"), &limits, &e), ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, "5 bytes, over the limit of 4"));
}

/* Many keys, the key hash table growing while objects are open around it and within it. */
static int check_keys(unsigned count, int duplicate_of, struct errbuf *e)
{
    struct buf b;

    buf_init(&b, 8 << 20);
    buf_append_z(&b, "{\"out\":{\"x\":1},\"in\":{");
    for (unsigned i = 0; i < count; i++)
        buf_printf(&b, "%s\"key%u\":{\"key%u\":[],\"x\":0}", i ? "," : "", i, i);
    if (duplicate_of >= 0)
        buf_printf(&b, ",\"key%d\":0", duplicate_of);
    buf_append_z(&b, "},\"key0\":1}");
    int rv = json_check(buf_str(&b), NULL, e);
    buf_deinit(&b);
    return rv;
}

static void test_many_keys(void **state)
{
    struct errbuf e;

    (void)state;
    for (unsigned count = 1; count < 200; count += 3) {
        assert_int_equal(check_keys(count, -1, &e), 0);
        assert_int_equal(check_keys(count, 0, &e), ERR_INVALID);
        assert_int_equal(check_keys(count, (int)count - 1, &e), ERR_INVALID);
    }
    assert_int_equal(check_keys(50000, -1, &e), 0);
    assert_int_equal(check_keys(50000, 31, &e), ERR_INVALID);
    assert_int_equal(check_keys(JSON_KEYS_MAX, -1, &e), 0);
    assert_int_equal(check_keys(JSON_KEYS_MAX + 1, -1, &e), ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, "more than 100000 keys"));
}

/* Every cut of a text that uses all of the grammar is refused, and reads nothing past its end. */
static void test_every_prefix(void **state)
{
    static const char text[] =
        "{\"a\\n\\ud83d\\ude00\xe2\x82\xac\":[1.5e-3,true,false,null,\"\\\"\"],"
        "\"b\":{\"c\":\"\xf0\x9f\x98\x80\"}}";
    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++)
        assert_int_equal(check(text, n, NULL), ERR_INVALID);
    assert_int_equal(check(text, sizeof(text) - 1, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_bad),
        cmocka_unit_test(test_nul),          cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),         cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
