#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/keyset.h"

static void test_nested(void **state)
{
    struct keyset k;

    (void)state;
    keyset_init(&k);
    size_t outer = keyset_mark(&k);
    assert_int_equal(keyset_add(&k, outer, STR("a")), 0);
    assert_int_equal(keyset_add(&k, outer, STR("b")), 0);
    assert_int_equal(keyset_add(&k, outer, STR("a")), ERR_INVALID);
    size_t inner = keyset_mark(&k);
    assert_int_equal(keyset_add(&k, inner, STR("a")), 0);
    assert_int_equal(keyset_add(&k, inner, STR("c")), 0);
    assert_int_equal(keyset_add(&k, inner, STR("c")), ERR_INVALID);
    keyset_drop(&k, inner);
    assert_int_equal(keyset_add(&k, outer, STR("c")), 0);
    assert_int_equal(keyset_add(&k, outer, STR("b")), ERR_INVALID);
    assert_int_equal(keyset_add(&k, outer, STR("c")), ERR_INVALID);
    keyset_deinit(&k);
}

/* Grows within an inner object; the outer one's keys are still known after it is dropped, and not
 * one slot is left behind. */
static void test_grow(void **state)
{
    static char names[2000][8];
    struct keyset k;

    (void)state;
    keyset_init(&k);
    for (size_t i = 0; i < ROWS(names); i++)
        snprintf(names[i], sizeof(names[i]), "k%zu", i);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(keyset_add(&k, 0, str_of(names[i])), 0);
    for (int round = 0; round < 3; round++) {
        size_t inner = keyset_mark(&k);
        for (size_t i = 0; i < ROWS(names); i++)
            assert_int_equal(keyset_add(&k, inner, str_of(names[i])), 0);
        for (size_t i = 0; i < ROWS(names); i++)
            assert_int_equal(keyset_add(&k, inner, str_of(names[i])), ERR_INVALID);
        keyset_drop(&k, inner);
    }
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(keyset_add(&k, 0, str_of(names[i])), ERR_INVALID);
    keyset_drop(&k, 0);
    for (size_t i = 0; i < k.slots_cap; i++)
        assert_int_equal(k.slots[i], 0);
    keyset_deinit(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
