#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Every code point there and back; what is no character becomes U+FFFD. */
static void test_encode(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110010; c++) {
        char out[4];
        size_t n = utf8_encode(c, out);
        assert_int_equal(utf8_char_len(out, n), n);
        int is_character = c < 0x110000 && (c < 0xd800 || c > 0xdfff);
        assert_int_equal(memcmp(out, UTF8_REPLACEMENT, 3) == 0, !is_character || c == 0xfffd);
    }
}

/* All sequences of two bytes, and of three with a few ends: exactly the encodable ones are valid.
 */
static void test_valid_count(void **state)
{
    size_t two = 0, three = 0;

    (void)state;
    for (unsigned v = 0; v < 0x10000; v++) {
        char p[3] = {(char)(v >> 8), (char)v, (char)0x80};
        two += utf8_char_len(p, 2) == 2;
        three += utf8_char_len(p, 3) == 3;
    }
    assert_int_equal(two, 0x800 - 0x80);
    /* One of 64 last bytes: (2^16 - 0x800 - the surrogates' 0x800) / 64. */
    assert_int_equal(three, (0x10000 - 0x800 - 0x800) / 64);
}

static void test_short(void **state)
{
    static const char smile[] = "\xf0\x9f\x98\x80";

    (void)state;
    for (size_t n = 0; n < 4; n++)
        assert_int_equal(utf8_char_len(smile, n), 0);
    assert_int_equal(utf8_char_len(smile, 4), 4);
    assert_true(utf8_is_valid(STR("a\xc3\xa9")));
    assert_false(utf8_is_valid(STR("a\xc3")));
    assert_true(utf8_is_valid(STR_NULL));
}

static void test_cut(void **state)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};

    (void)state;
    for (size_t n = 0; n < ROWS(cuts); n++)
        assert_int_equal(utf8_cut(text, n), cuts[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_valid_count),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
