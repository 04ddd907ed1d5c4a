#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void test_mem(void **state)
{
    (void)state;
    free(mem_alloc(0));
    char *p = mem_zalloc(10);
    assert_memory_equal(p, "\0\0\0\0\0\0\0\0\0\0", 10);
    p = mem_realloc(p, 1000);
    memset(p, 1, 1000);
    free(p);
    int *v = mem_calloc(3, sizeof(*v));
    assert_int_equal(v[0] + v[1] + v[2], 0);
    free(v);
    char *z = mem_strdup("text");
    assert_string_equal(z, "text");
    free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
