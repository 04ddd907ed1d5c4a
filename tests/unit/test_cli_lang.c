/* Every text for people is in both languages, and takes the same arguments in both. */
#include "unit.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/lang.h"
#include "cli/term.h"

#define TEXTS_MAX 4000

static char *texts[TEXTS_MAX]; /* what T("…") and N_("…") in src/cli and the command tables say */
static int text_count;

/* ---- what the sources say ---- */

static void text_add(const char *text)
{
    for (int i = 0; i < text_count; i++)
        if (strcmp(texts[i], text) == 0)
            return;
    assert_true(text_count < TEXTS_MAX);
    texts[text_count++] = str_dup(str_of(text));
}

/* What follows a backslash; others are in no text for people. */
static char escape_read(char c)
{
    static const char from[] = "n\"\\trt", to[] = "\n\"\\\t\r\t";
    const char *at = strchr(from, c);
    return at ? to[at - from] : '?';
}

/* One literal after its opening quote, to out. */
static const char *literal_read(const char *p, struct buf *out)
{
    for (; *p != '"'; p++) {
        assert_true(*p && *p != '\n');
        if (*p == '\\')
            buf_append_char(out, escape_read(*++p));
        else
            buf_append_char(out, *p);
    }
    return p + 1;
}

/* "a" "b" after T( ; a call with something else is none of ours. */
static const char *call_read(const char *p)
{
    struct buf text;
    buf_init(&text, 1u << 16);
    for (;;) {
        while (isspace((unsigned char)*p))
            p++;
        if (*p != '"')
            break;
        p = literal_read(p + 1, &text);
    }
    if (text.len)
        text_add(text.data);
    buf_deinit(&text);
    return p;
}

static const char *comment_skip(const char *p)
{
    const char *end = strstr(p, "*/");
    assert_non_null(end);
    return end + 2;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void source_read(const char *p)
{
    struct buf ignored;
    char before = ' ';
    buf_init(&ignored, 1u << 20);
    while (*p) {
        if (p[0] == '/' && p[1] == '*')
            p = comment_skip(p + 2);
        else if (p[0] == '\'')
            p += p[1] == '\\' ? 4 : 3;
        else if (p[0] == '"')
            p = literal_read(p + 1, &ignored);
        else if (!word_char(before) && strncmp(p, "T(", 2) == 0)
            p = call_read(p + 2);
        else if (!word_char(before) && strncmp(p, "N_(", 3) == 0)
            p = call_read(p + 3);
        else
            p++;
        before = p[-1];
    }
    buf_deinit(&ignored);
}

static void options_read(const struct option_def *d)
{
    for (; d->name; d++)
        text_add(d->help);
}

static int texts_read(void **state)
{
    glob_t g;
    (void)state;
    assert_int_equal(glob("src/cli/*.c", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct buf source;
        if (strstr(g.gl_pathv[i], "/lang"))
            continue;
        buf_init(&source, 1u << 20);
        assert_int_equal(file_append(g.gl_pathv[i], &source, NULL), 0);
        source_read(source.data);
        buf_deinit(&source);
    }
    globfree(&g);
    COMMAND_EACH(c)
    {
        text_add(c->summary);
        options_read(c->options);
    }
    options_read(global_options);
    return 0;
}

static int texts_free(void **state)
{
    (void)state;
    while (text_count)
        free(texts[--text_count]);
    return 0;
}

/* ---- conversions ---- */

#define ARGUMENTS_MAX 16

/* The conversion of each argument, as "5s" or "ld" without flags and widths. */
struct conversions {
    char of[ARGUMENTS_MAX][8];
    int count;
};

static void conversion_add(struct conversions *c, int at, const char *text, size_t n)
{
    assert_true(at >= 0 && at < ARGUMENTS_MAX && n < 8);
    memcpy(c->of[at], text, n);
    c->of[at][n] = 0;
    if (at >= c->count)
        c->count = at + 1;
}

static struct conversions conversions_of(const char *format)
{
    struct conversions c = {0};
    int next = 0;
    for (const char *p = format; (p = strchr(p, '%')) != NULL; p++) {
        if (*++p == '%')
            continue;
        int digits = (int)strspn(p, "0123456789"), at = -1;
        if (digits && p[digits] == '$') {
            at = atoi(p) - 1;
            p += digits + 1;
        }
        for (; strchr("-+ #0123456789.*", *p); p++)
            if (*p == '*')
                conversion_add(&c, next++, "*", 1);
        size_t n = strspn(p, "hlzj") + 1;
        conversion_add(&c, at < 0 ? next++ : at, p, n);
        p += n - 1;
    }
    return c;
}

/* ---- tests ---- */

static bool is_translated(const char *en)
{
    for (size_t t = 0; lang_zh_tables[t]; t++)
        for (const struct lang_entry *e = lang_zh_tables[t]; e->en; e++)
            if (strcmp(e->en, en) == 0)
                return true;
    return false;
}

/* As it would stand in a table. */
static void missing_tell(const char *en)
{
    print_error("no translation:     {\"");
    for (const char *p = en; *p; p++)
        print_error(*p == '\n' ? "\\n" : *p == '"' ? "\\\"" : "%c", *p);
    print_error("\", \"\"},\n");
}

static void test_every_text_is_translated(void **state)
{
    int missing = 0;
    (void)state;
    assert_true(text_count > 200);
    for (int i = 0; i < text_count; i++) {
        if (is_translated(texts[i]))
            continue;
        missing_tell(texts[i]);
        missing++;
    }
    assert_int_equal(missing, 0);
}

static bool is_used(const char *en)
{
    for (int i = 0; i < text_count; i++)
        if (strcmp(texts[i], en) == 0)
            return true;
    return false;
}

static void test_every_translation_is_used_once_and_sorted(void **state)
{
    int bad = 0;
    (void)state;
    for (size_t t = 0; lang_zh_tables[t]; t++) {
        for (const struct lang_entry *e = lang_zh_tables[t]; e->en; e++) {
            const char *why = NULL;
            if (!is_used(e->en))
                why = "nobody says";
            else if (e[1].en && strcmp(e->en, e[1].en) >= 0)
                why = "not sorted after it";
            for (size_t u = t + 1; !why && lang_zh_tables[u]; u++)
                for (const struct lang_entry *f = lang_zh_tables[u]; f->en; f++)
                    if (strcmp(e->en, f->en) == 0)
                        why = "in two tables";
            if (why)
                print_error("%s: \"%s\"\n", why, e->en);
            bad += why != NULL;
        }
    }
    assert_int_equal(bad, 0);
}

static void test_both_take_the_same_arguments(void **state)
{
    int bad = 0;
    (void)state;
    for (size_t t = 0; lang_zh_tables[t]; t++) {
        for (const struct lang_entry *e = lang_zh_tables[t]; e->en; e++) {
            struct conversions en = conversions_of(e->en), zh = conversions_of(e->zh);
            bool newline = e->en[0] && e->en[strlen(e->en) - 1] == '\n';
            bool same = en.count == zh.count && memcmp(en.of, zh.of, sizeof(en.of)) == 0;
            if (newline != (e->zh[0] && e->zh[strlen(e->zh) - 1] == '\n'))
                same = false;
            if (!same)
                print_error("not the same arguments or end: \"%s\" \"%s\"\n", e->en, e->zh);
            bad += !same;
        }
    }
    assert_int_equal(bad, 0);
}

static void test_conversions_are_read(void **state)
{
    struct conversions c = conversions_of("%2$s of %1$lld, 100%%");
    (void)state;
    assert_int_equal(c.count, 2);
    assert_string_equal(c.of[0], "lld");
    assert_string_equal(c.of[1], "s");
    c = conversions_of("%-12.40s %.*s");
    assert_int_equal(c.count, 3);
    assert_string_equal(c.of[1], "*");
}

static void lang_by(const char *option, const char *sluice, const char *all, const char *messages,
                    const char *lang)
{
    char first[] = "sluice", flag[32] = "";
    char *argv[] = {first, flag, NULL};
    const char *const names[] = {"SLUICE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
    const char *const values[] = {sluice, all, messages, lang};
    for (size_t i = 0; i < 4; i++) {
        if (values[i])
            setenv(names[i], values[i], 1);
        else
            unsetenv(names[i]);
    }
    if (option)
        snprintf(flag, sizeof(flag), "--lang=%s", option);
    lang_init(option ? 2 : 1, argv);
}

static void test_the_language_is_found(void **state)
{
    static const struct {
        const char *option, *sluice, *all, *messages, *lang;
        enum lang expected;
    } rows[] = {
        {NULL, NULL, NULL, NULL, NULL, LANG_EN},
        {NULL, NULL, NULL, NULL, "zh_CN.UTF-8", LANG_ZH},
        {NULL, NULL, NULL, "de_DE", "zh_CN.UTF-8", LANG_EN},
        {NULL, NULL, "zh_TW", "de_DE", "en_US", LANG_ZH},
        {NULL, NULL, "", "zh", "en_US", LANG_ZH},
        {NULL, "en", "zh_CN", "zh_CN", "zh_CN", LANG_EN},
        {NULL, "zh", "C", NULL, NULL, LANG_ZH},
        {"en", "zh", "zh_CN", NULL, NULL, LANG_EN},
        {"zh", "en", NULL, NULL, NULL, LANG_ZH},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        lang_by(rows[i].option, rows[i].sluice, rows[i].all, rows[i].messages, rows[i].lang);
        assert_int_equal(lang_get(), rows[i].expected);
    }
    lang_set(LANG_EN);
}

static void test_a_text_in_both_languages(void **state)
{
    (void)state;
    lang_set(LANG_ZH);
    assert_string_equal(T("completed"), "已完成");
    assert_string_equal(status_word("running"), "运行中");
    assert_string_equal(status_word("made up"), "made up");
    lang_set(LANG_EN);
    assert_string_equal(T("completed"), "completed");
}

/* Columns stand below each other, though a Chinese character takes two of them. */
static void test_tables_of_wide_characters(void **state)
{
    struct grid g;
    struct term t = {0};
    char *text = NULL;
    size_t n = 0;
    (void)state;
    term_init(&t, stdout); /* the character type, too */
    t = (struct term){.file = open_memstream(&text, &n)};
    grid_init(&g);
    grid_column(&g, "会话", false, 0);
    grid_column(&g, "完成", true, 0);
    grid_column(&g, "名称", false, 0);
    grid_cellz(&g, "a…·", STYLE_PLAIN); /* ambiguous ones take one */
    grid_cellz(&g, "2/4", STYLE_PLAIN);
    grid_cellz(&g, "x", STYLE_PLAIN);
    grid_cellz(&g, "评审会", STYLE_PLAIN);
    grid_cellz(&g, "10/40", STYLE_PLAIN);
    grid_cellz(&g, "y", STYLE_PLAIN);
    grid_print(&g, &t);
    fclose(t.file);
    assert_string_equal(text, "会话     完成  名称\n"
                              "a…·       2/4  x\n"
                              "评审会  10/40  y\n");
    grid_deinit(&g);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_text_is_translated),
        cmocka_unit_test(test_every_translation_is_used_once_and_sorted),
        cmocka_unit_test(test_both_take_the_same_arguments),
        cmocka_unit_test(test_conversions_are_read),
        cmocka_unit_test(test_the_language_is_found),
        cmocka_unit_test(test_a_text_in_both_languages),
        cmocka_unit_test(test_tables_of_wide_characters),
    };
    return cmocka_run_group_tests(tests, texts_read, texts_free);
}
