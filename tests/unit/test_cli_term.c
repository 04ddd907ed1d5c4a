#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/term.h"

/* A terminal that writes into memory; `columns` wide, 0: a pipe. */
struct screen {
    struct term t;
    char *text;
    size_t len;
};

static void screen_open(struct screen *s, int columns)
{
    FILE *f = open_memstream(&s->text, &s->len);
    assert_non_null(f);
    term_init(&s->t, f);
    s->t.columns = columns;
    s->t.is_tty = columns > 0;
}

static void screen_is(struct screen *s, const char *wanted)
{
    fclose(s->t.file);
    assert_string_equal(s->text, wanted);
    free(s->text);
}

static void test_columns_are_counted_as_shown(void **state)
{
    static const struct {
        const char *text;
        int columns;
    } rows[] = {
        {"", 0},        {"abc", 3},        {"\u00e4\u00f6", 2}, {"\u65e5\u672c", 4},
        {"e\u0301", 1}, {"\U0001f600", 2}, {"a\u200bb", 2},     {"\xff", 1},
    };
    struct screen s;
    (void)state;
    screen_open(&s, 0);
    for (size_t i = 0; i < ROWS(rows); i++)
        assert_int_equal(text_columns(str_of(rows[i].text)), rows[i].columns);
    assert_int_equal(text_fit(STR("abc"), 2), 2);
    assert_int_equal(text_fit(str_of("\u65e5\u672c"), 3), 3);
    assert_int_equal(text_fit(str_of("\u65e5"), 1), 0);
    assert_int_equal(text_fit(STR("abc"), 0), 0);
    screen_is(&s, "");
}

/* What a peer wrote must not move the cursor. */
static void test_text_is_cleaned(void **state)
{
    static const struct {
        const char *text, *lines, *one_line;
    } rows[] = {
        {"a\nb\tc", "a\nb\tc", "a b c"},
        {"x\033[2Jy\r\x07z\x7f", "x[2Jyz", "x[2Jyz"},
        {"\xc2\x9b"
         "31mred",
         "31mred", "31mred"},
        {"\xff\u00e4", "\ufffd\u00e4", "\ufffd\u00e4"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        text_clean(&b, str_of(rows[i].text), false);
        assert_str(buf_str(&b), rows[i].lines);
        buf_clear(&b);
        text_clean(&b, str_of(rows[i].text), true);
        assert_str(buf_str(&b), rows[i].one_line);
        buf_deinit(&b);
    }
}

static void grid_fill(struct grid *g)
{
    grid_init(g);
    grid_column(g, "ID", false, 0);
    grid_column(g, "N", true, 0);
    grid_column(g, "NAME", false, 0);
    grid_cellz(g, "a", STYLE_PLAIN);
    grid_cellz(g, "7", STYLE_RED);
    grid_cellz(g, "short", STYLE_PLAIN);
    grid_cellz(g, "\u65e5\u672c", STYLE_PLAIN);
    grid_cellz(g, "1000", STYLE_PLAIN);
    grid_cellz(g, "a name that is longer\nthan that", STYLE_PLAIN);
}

static void test_tables_are_aligned(void **state)
{
    struct grid g;
    struct screen s;
    (void)state;
    grid_fill(&g);
    screen_open(&s, 0);
    grid_print(&g, &s.t);
    screen_is(&s, "ID       N  NAME\n"
                  "a        7  short\n"
                  "\u65e5\u672c  1000  a name that is longer than that\n");
    grid_deinit(&g);
}

static void test_tables_end_at_the_edge(void **state)
{
    struct grid g;
    struct screen s;
    (void)state;
    grid_fill(&g);
    screen_open(&s, 26);
    s.t.has_color = false;
    grid_print(&g, &s.t);
    screen_is(&s, "ID       N  NAME\n"
                  "a        7  short\n"
                  "\u65e5\u672c  1000  a name that i\u2026\n");
    screen_open(&s, 26);
    s.t.has_color = true;
    grid_print(&g, &s.t);
    fclose(s.t.file);
    assert_non_null(strstr(s.text, "a        \033[31m7\033[0m  short\n"));
    free(s.text);
    grid_deinit(&g);
}

static void test_columns_have_a_maximum(void **state)
{
    struct grid g;
    struct screen s;
    (void)state;
    grid_init(&g);
    grid_column(&g, "A", false, 4);
    grid_column(&g, "B", false, 0);
    grid_cellz(&g, "abcdef", STYLE_PLAIN);
    grid_cellz(&g, "x", STYLE_PLAIN);
    screen_open(&s, 0);
    grid_print(&g, &s.t);
    screen_is(&s, "A     B\nabc\u2026  x\n");
    grid_deinit(&g);
}

static void test_times_are_for_people(void **state)
{
    static const struct {
        int64_t ms;
        const char *ago, *duration;
    } rows[] = {
        {0, "just now", "0.0 s"},          {950, "just now", "0.9 s"},
        {59999, "just now", "59 s"},       {61000, "1 min ago", "1 min 1 s"},
        {3600000, "1 h ago", "1 h 0 min"}, {86400000, "2023-11-14", "24 h 0 min"},
    };
    char text[32];
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        ago_format(1700000000000, 1700000000000 + rows[i].ms, text);
        assert_string_equal(text, rows[i].ago);
        duration_format(rows[i].ms, text);
        assert_string_equal(text, rows[i].duration);
    }
    ago_format(0, 1700000000000, text);
    assert_string_equal(text, "-");
    ago_format(1700000005000, 1700000000000, text);
    assert_string_equal(text, "just now");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_counted_as_shown),
        cmocka_unit_test(test_text_is_cleaned),
        cmocka_unit_test(test_tables_are_aligned),
        cmocka_unit_test(test_tables_end_at_the_edge),
        cmocka_unit_test(test_columns_have_a_maximum),
        cmocka_unit_test(test_times_are_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
