#include "unit.h"

#include <string.h>

#include "cli/names.h"

static struct names names;

static int names_fill(void **state)
{
    (void)state;
    names_init(&names);
    names_add(&names, "0193aaaa", "Login page", "running");
    names_add(&names, "0193aabb", "login", "paused");
    names_add(&names, "0293cccc", "Release", "completed");
    names_add(&names, "release", "Other", "");
    names_add(&names, "0393dddd", "", "");
    names_add(&names, "0493eeee", "twice", "");
    names_add(&names, "0593ffff", "twice", "");
    return 0;
}

static int names_free(void **state)
{
    (void)state;
    names_deinit(&names);
    return 0;
}

static void test_a_word_means_one_thing_or_several(void **state)
{
    static const struct {
        const char *word;
        int found, first;
    } rows[] = {
        {"0193aaaa", 1, 0}, /* a whole id */
        {"0193AAAa", 1, 0}, /* its beginning, in any case */
        {"0193aa", 2, 0},   /* of two */
        {"0193", 2, 0},     /* as short as an id's beginning may be */
        {"019", 0, -1},     /* too short for one */
        {"login", 1, 1},    /* a whole name wins over a beginning */
        {"Log", 2, 0},      /* the beginning of two names */
        {"Login p", 1, 0},  /* with a space */
        {"release", 1, 3},  /* a whole id wins over a name */
        {"Release", 1, 2},  /* a whole name wins over an id's beginning */
        {"rel", 1, 2},      /* an id's beginning must be longer, a name's need not */
        {"twice", 2, 5},    /* two whole names */
        {"", 0, -1},        /* nothing is the beginning of everything, and means nothing */
        {"nobody", 0, -1},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        int first = 99;
        assert_int_equal(names_match(&names, rows[i].word, 4, &first), rows[i].found);
        assert_int_equal(first, rows[i].first);
    }
}

static void test_all_that_fit_are_marked(void **state)
{
    int first;
    (void)state;
    assert_int_equal(names_match(&names, "log", 4, &first), 2);
    for (int i = 0; i < names.count; i++)
        assert_int_equal(names.items[i].fits, i < 2);
    assert_int_equal(names_match(&names, "0393", 4, &first), 1);
    for (int i = 0; i < names.count; i++)
        assert_int_equal(names.items[i].fits, i == 4);
}

static void test_ids_of_people_may_be_short(void **state)
{
    int first;
    (void)state;
    assert_int_equal(names_match(&names, "rel", 1, &first), 2);
    assert_int_equal(names_match(&names, "059", 1, &first), 1);
    assert_int_equal(first, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_word_means_one_thing_or_several),
        cmocka_unit_test(test_all_that_fit_are_marked),
        cmocka_unit_test(test_ids_of_people_may_be_short),
    };
    return cmocka_run_group_tests(tests, names_fill, names_free);
}
