#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "cli/args.h"

static const struct option_def own[] = {
    {"input", "KEY=VALUE", "", true},
    {"name", "NAME", "", false},
    {"detach", NULL, "", false},
    {0},
};
static const struct option_def common[] = {{"help", NULL, "", false}, {0}};
static const struct option_def *const tables[] = {own, common, NULL};

/* Words separated by single spaces. */
static int parse(struct args *a, const char *line, struct errbuf *e)
{
    static char text[4096];
    static char *argv[600];
    int argc = 0;
    snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    *a = (struct args){0};
    return args_parse(a, argc, argv, tables, e);
}

static void test_words_and_options_in_any_order(void **state)
{
    struct args a;
    (void)state;
    assert_int_equal(parse(&a, "one --name n two --detach --input a=1 --input=b=2 -3 -", NULL), 0);
    assert_int_equal(a.word_count, 4);
    assert_string_equal(a.words[0], "one");
    assert_string_equal(a.words[1], "two");
    assert_string_equal(a.words[2], "-3");
    assert_string_equal(a.words[3], "-");
    assert_string_equal(args_get(&a, "name"), "n");
    assert_true(args_has(&a, "detach"));
    assert_false(args_has(&a, "help"));
    assert_string_equal(args_nth(&a, "input", 0), "a=1");
    assert_string_equal(args_nth(&a, "input", 1), "b=2");
    assert_null(args_nth(&a, "input", 2));
    assert_null(args_get(&a, "other"));
}

static void test_two_dashes_end_the_options(void **state)
{
    struct args a;
    (void)state;
    assert_int_equal(parse(&a, "--name=x -- --detach -- -h", NULL), 0);
    assert_int_equal(a.word_count, 3);
    assert_string_equal(a.words[0], "--detach");
    assert_string_equal(a.words[1], "--");
    assert_false(args_has(&a, "detach"));
    assert_int_equal(parse(&a, "-h", NULL), 0);
    assert_true(args_has(&a, "help"));
}

static void test_errors_say_what(void **state)
{
    static const struct {
        const char *line, *sentence;
    } rows[] = {
        {"--nmae x", "unknown option --nmae"},          {"-x", "unknown option -x"},
        {"--name", "--name needs a value, NAME"},       {"--detach=1", "--detach takes no value"},
        {"--name a --name b", "--name is given twice"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct args a;
        struct errbuf e = {""};
        assert_int_equal(parse(&a, rows[i].line, &e), ERR_INVALID);
        assert_string_equal(e.text, rows[i].sentence);
    }
}

static void test_counts_are_bounded(void **state)
{
    static struct args a;
    static char *argv[ARGS_MAX + 1];
    struct errbuf e = {""};
    (void)state;
    for (int i = 0; i <= ARGS_MAX; i++)
        argv[i] = (char *)"w";
    assert_int_equal(args_parse(&a, ARGS_MAX, argv, tables, &e), 0);
    a = (struct args){0};
    assert_int_equal(args_parse(&a, ARGS_MAX + 1, argv, tables, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_options_in_any_order),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_errors_say_what),
        cmocka_unit_test(test_counts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
