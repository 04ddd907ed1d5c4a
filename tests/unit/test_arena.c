#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static void test_alloc(void **state)
{
    struct arena a;
    static const char zeros[5000];

    (void)state;
    arena_init(&a);
    for (size_t n = 0; n < 3000; n = n * 3 / 2 + 1) {
        char *p = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        assert_memory_equal(p, zeros, n);
        memset(p, 0xff, n);
    }
    assert_true(a.bytes >= 3000);
    char *big = arena_alloc(&a, 1 << 20);
    memset(big, 1, 1 << 20);
    /* What comes after a big one is still zeroed and its own. */
    char *small = arena_alloc(&a, 100);
    assert_memory_equal(small, zeros, 100);
    arena_deinit(&a);
    assert_int_equal(a.bytes, 0);
}

static void test_helpers(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a);
    assert_string_equal(arena_strdup(&a, (struct str){"abcd", 2}), "ab");
    assert_string_equal(arena_strdup(&a, STR_NULL), "");
    uint64_t *v = arena_calloc(&a, 10, sizeof(*v));
    for (int i = 0; i < 10; i++)
        assert_int_equal(v[i], 0);
    arena_deinit(&a);
    arena_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
