#include "unit.h"

#include <stdlib.h>

#include "base/list.h"

struct thing {
    int v;
    struct list link;
};

static int thing_at(const struct list *l)
{
    return container_of(l, const struct thing, link)->v;
}

static void test_order(void **state)
{
    struct list head, other;
    struct thing t[4];
    int sum = 0;

    (void)state;
    list_init(&head);
    list_init(&other);
    assert_null(list_pop(&head));
    for (int i = 0; i < 4; i++) {
        t[i].v = i;
        list_init(&t[i].link);
        assert_false(list_is_linked(&t[i].link));
    }
    list_append(&head, &t[1].link);
    list_append(&head, &t[2].link);
    list_prepend(&head, &t[0].link);
    list_foreach(it, &head) sum = sum * 10 + 1 + thing_at(it);
    assert_int_equal(sum, 123);
    list_append(&other, &t[3].link);
    list_splice(&other, &head);
    assert_true(list_empty(&head));
    list_splice(&other, &head);
    sum = 0;
    list_foreach(it, &other) sum = sum * 10 + 1 + thing_at(it);
    assert_int_equal(sum, 4123);
    assert_int_equal(thing_at(list_pop(&other)), 3);
}

static void test_remove(void **state)
{
    struct list head;
    struct thing t[3];

    (void)state;
    list_init(&head);
    for (int i = 0; i < 3; i++) {
        t[i].v = i;
        list_append(&head, &t[i].link);
    }
    list_foreach_safe(it, tmp, &head)
    {
        if (thing_at(it) != 1)
            list_remove(it);
    }
    assert_true(head.next == &t[1].link && head.prev == &t[1].link);
    list_remove(&t[1].link);
    list_remove(&t[1].link);
    assert_false(list_is_linked(&t[1].link));
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
