#include "unit.h"

#include <stdlib.h>

#include "base/table.h"

#define KEYS 3000

/* Random puts and removals beside an array that is plainly right. */
static void test_against_array(void **state)
{
    static struct id keys[KEYS];
    static void *expected[KEYS];
    static int things[KEYS];
    struct id_source s;
    struct table t;
    size_t count = 0;

    (void)state;
    id_source_init_seed(&s, 9);
    table_init(&t);
    for (int i = 0; i < KEYS; i++)
        keys[i] = id_new(&s, 1 + (uint64_t)i / 50);
    for (int step = 0; step < 60000; step++) {
        size_t i = id_source_random(&s) % KEYS;
        void *value = &things[id_source_random(&s) % KEYS];
        /* Mostly puts at first, mostly removals at the end. */
        if ((int)(id_source_random(&s) % 60000) > step) {
            assert_ptr_equal(table_put(&t, keys[i], value), expected[i]);
            count += !expected[i];
            expected[i] = value;
        } else {
            assert_ptr_equal(table_remove(&t, keys[i]), expected[i]);
            count -= !!expected[i];
            expected[i] = NULL;
        }
        assert_int_equal(t.count, count);
        if (step % 1000 == 0) {
            for (int k = 0; k < KEYS; k++)
                assert_ptr_equal(table_get(&t, keys[k]), expected[k]);
        }
    }
    size_t seen = 0;
    table_foreach(slot, &t) seen++;
    assert_int_equal(seen, count);
    table_deinit(&t);
}

static void test_empty(void **state)
{
    struct table t;
    struct id id = {{1}};

    (void)state;
    table_init(&t);
    assert_null(table_get(&t, id));
    assert_null(table_remove(&t, id));
    table_foreach(slot, &t) fail();
    table_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_array),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
