#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"

static void test_matches(void **state)
{
    static const struct {
        const char *pattern, *value;
        int found;
    } rows[] = {
        {"^[a-z]+$", "abc", 1},
        {"^[a-z]+$", "aBc", 0},
        {"b", "abc", 1},
        {"^\\d{4}-\\d\\d$", "2026-11", 1},
        {"^a$", "a\n", 0},      /* the very end */
        {"^.$", "\xc3\xbc", 1}, /* one character of two bytes */
        {"^(?:a|b)+$", "abba", 1},
        {"(a)\\g{1}", "aa", -1}, /* no groups are captured, so none can be referred to */
        {"^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0},
        {"(x+x+)+y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct pattern *p = NULL;
        struct errbuf e;
        int rc = pattern_create(&p, str_of(rows[i].pattern), &e);
        assert_int_equal(rc, rows[i].found < 0 ? ERR_INVALID : 0);
        if (rc)
            continue;
        int found = pattern_match(p, str_of(rows[i].value));
        if (found != rows[i].found && found != ERR_TOO_LARGE)
            fail_msg("row %zu: %d", i, found);
        pattern_destroy(p);
    }
}

static void test_a_hard_match_ends(void **state)
{
    struct pattern *p;
    struct errbuf e;
    (void)state;
    assert_int_equal(pattern_create(&p, STR("^(a|aa)+$"), &e), 0);
    assert_int_equal(
        pattern_match(p, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")),
        ERR_TOO_LARGE);
    pattern_destroy(p);
}

static void test_refusals(void **state)
{
    char longer[PATTERN_BYTES_MAX + 2], deep[2 * PATTERN_NEST_MAX + 8] = "";
    (void)state;
    memset(longer, 'a', sizeof(longer));
    for (int i = 0; i < PATTERN_NEST_MAX + 1; i++)
        strcat(deep, "(");
    for (int i = 0; i < PATTERN_NEST_MAX + 1; i++)
        strcat(deep, ")");
    const struct str rows[] = {
        {longer, sizeof(longer)},    str_of(deep), STR("[a-z"), STR("a)("), STR("a{100000}"),
        STR("((a{999}){999}){999}"), STR("\xff"),  STR("a\\")};
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct pattern *p = NULL;
        struct errbuf e = {""};
        assert_int_equal(pattern_create(&p, rows[i], &e), ERR_INVALID);
        assert_non_null(strstr(e.text, "the pattern is not right"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_a_hard_match_ends),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
