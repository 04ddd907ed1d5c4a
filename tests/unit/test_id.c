#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"

static void test_form(void **state)
{
    struct id_source s;
    struct id back;
    char text[ID_TEXT_BYTES + 1];

    (void)state;
    id_source_init_seed(&s, 1);
    struct id id = id_new(&s, 0x0123456789ab);
    id_format(id, text);
    assert_memory_equal(text, "01234567-89ab-7", 15);
    assert_non_null(strchr("89ab", text[19]));
    assert_true(id_parse(str_of(text), &back));
    assert_true(id_eq(id, back));
    for (char *c = text; *c; c++)
        *c = (char)(*c >= 'a' ? *c - 32 : *c);
    assert_true(id_parse(str_of(text), &back));
    assert_true(id_eq(id, back));
    assert_false(id_is_zero(id));
    assert_true(id_is_zero((struct id){{0}}));
}

/* A clock that stands, jumps ahead and falls back: ids still ascend. */
static void test_order(void **state)
{
    static const int64_t moves[] = {0, 0, 1, 0, -1000, 0, 5, 0, 0, 100000, -5};
    struct id_source s;
    struct id last = {{0}};
    uint64_t now = 1700000000000;

    (void)state;
    id_source_init_seed(&s, 42);
    for (int i = 0; i < 200000; i++) {
        if (i % 1000 == 0)
            now = now + (uint64_t)moves[i / 1000 % (int)ROWS(moves)];
        struct id id = id_new(&s, now);
        assert_true(memcmp(last.b, id.b, sizeof(id.b)) < 0);
        assert_int_equal(id.b[6] >> 4, 7);
        assert_int_equal(id.b[8] >> 6, 2);
        last = id;
    }
}

static void test_seeds(void **state)
{
    struct id_source a, b, c;

    (void)state;
    id_source_init_seed(&a, 5);
    id_source_init_seed(&b, 5);
    id_source_init_seed(&c, 6);
    assert_true(id_eq(id_new(&a, 1), id_new(&b, 1)));
    assert_false(id_eq(id_new(&a, 2), id_new(&c, 2)));
    id_source_init_random(&a);
    id_source_init_random(&b);
    assert_false(id_eq(id_new(&a, 3), id_new(&b, 3)));
}

static void test_bad_text(void **state)
{
    static const char *const bad[] = {
        "",
        "01234567-89ab-7def-8123-456789abcde",
        "01234567-89ab-7def-8123-456789abcdef0",
        "01234567089ab-7def-8123-456789abcdef",
        "0123456g-89ab-7def-8123-456789abcdef",
        "{1234567-89ab-7def-8123-456789abcde}",
    };
    struct id id;

    (void)state;
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_false(id_parse(str_of(bad[i]), &id));
}

static void test_names(void **state)
{
    char name[NAME_BYTES_MAX + 2];

    (void)state;
    assert_true(name_is_valid(STR("a")));
    assert_true(name_is_valid(STR("Council-debate_2.0")));
    assert_false(name_is_valid(STR("")));
    assert_false(name_is_valid(STR("a b")));
    assert_false(name_is_valid(STR("a/b")));
    assert_false(name_is_valid(STR("\xc3\xa9")));
    assert_false(name_is_valid((struct str){"a\0b", 3}));
    memset(name, 'x', sizeof(name));
    assert_true(name_is_valid((struct str){name, NAME_BYTES_MAX}));
    assert_false(name_is_valid((struct str){name, NAME_BYTES_MAX + 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),     cmocka_unit_test(test_order), cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_bad_text), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
