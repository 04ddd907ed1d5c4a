#include "base/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "unit.h"

static void diff(struct buf *out, const char *a, const char *b)
{
    buf_init(out, 1u << 20);
    assert_int_equal(diff_unified(str_of(a), str_of(b), "a", "b", out), 0);
    buf_append_char(out, 0);
}

static void known_texts(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *want;
    } rows[] = {
        {"", "", ""},
        {"same\n", "same\n", ""},
        {"", "new\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+new\n"},
        {"old\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-old\n"},
        {"old", "new",
         "--- a\n+++ b\n@@ -1 +1 @@\n-old\n\\ No newline at end of file\n+new\n"
         "\\ No newline at end of file\n"},
        {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
         "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"},
        {"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "one\n2\n3\n4\n5\n6\n7\n8\n9\nten\n",
         "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-10\n"
         "+ten\n"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b;
        diff(&b, rows[i].a, rows[i].b);
        assert_string_equal(b.data, rows[i].want);
        buf_deinit(&b);
    }
}

/* Applies a diff as patch(1) does, and checks the counts in its heads. */
static void apply(const char *a, const char *d, struct buf *out)
{
    const char *line = a;
    int at = 1;
    if (*d) {
        d = strchr(strchr(d, '\n') + 1, '\n') + 1; /* the two names */
        assert_int_equal(strncmp(d, "@@ -", 4), 0);
    }
    while (*d == '@') {
        int from, left = 1, to, right = 1, seen[2] = {0, 0}, used = 0;
        assert_true(sscanf(d, "@@ -%d%n", &from, &used) == 1);
        d += used;
        if (*d == ',')
            left = (int)strtol(d + 1, (char **)&d, 10);
        assert_true(sscanf(d, " +%d%n", &to, &used) == 1);
        d += used;
        if (*d == ',')
            right = (int)strtol(d + 1, (char **)&d, 10);
        d = strchr(d, '\n') + 1;
        for (; at < from + !left; at++) {
            const char *next = strchr(line, '\n') + 1;
            buf_append(out, line, (size_t)(next - line));
            line = next;
        }
        while (*d == ' ' || *d == '-' || *d == '+') {
            const char *end = strchr(d, '\n') + 1;
            size_t n = (size_t)(end - d - 1);
            bool bare = *end == '\\';
            if (*d != '+') {
                assert_int_equal(strncmp(line, d + 1, n - bare), 0);
                line += n - bare;
                at++;
                seen[0]++;
            }
            if (*d != '-') {
                buf_append(out, d + 1, n - bare);
                seen[1]++;
            }
            d = bare ? strchr(end, '\n') + 1 : end;
        }
        assert_int_equal(seen[0], left);
        assert_int_equal(seen[1], right);
    }
    buf_append_z(out, line);
    buf_append_char(out, 0);
}

static void random_text(struct id_source *ids, struct buf *b, unsigned lines, unsigned words)
{
    buf_init(b, 1u << 24);
    for (unsigned i = 0; i < lines; i++)
        buf_printf(b, "%u\n", (unsigned)(id_source_random(ids) % words));
    if (b->len && id_source_random(ids) % 4 == 0)
        buf_truncate(b, b->len - 1);
    buf_append_char(b, 0);
}

static void any_diff_applies(void **state)
{
    (void)state;
    struct id_source ids;
    id_source_init_seed(&ids, 11);
    for (int i = 0; i < 3000; i++) {
        struct buf a, b, d, back;
        unsigned words = 1 + (unsigned)(id_source_random(&ids) % 12);
        random_text(&ids, &a, (unsigned)(id_source_random(&ids) % 30), words);
        random_text(&ids, &b, (unsigned)(id_source_random(&ids) % 30), words);
        diff(&d, a.data, b.data);
        buf_init(&back, 1u << 20);
        apply(a.data, d.data, &back);
        assert_string_equal(back.data, b.data);
        buf_deinit(&a);
        buf_deinit(&b);
        buf_deinit(&d);
        buf_deinit(&back);
    }
}

static void large_texts_are_replaced(void **state)
{
    (void)state;
    struct id_source ids;
    struct buf a, b, d, back;
    id_source_init_seed(&ids, 3);
    random_text(&ids, &a, 5000, 1000000);
    random_text(&ids, &b, 5000, 1000000);
    diff(&d, a.data, b.data);
    buf_init(&back, 1u << 24);
    apply(a.data, d.data, &back);
    assert_string_equal(back.data, b.data);
    assert_null(strstr(strchr(d.data + 10, '@') + 20, "\n@@")); /* one hunk */
    buf_deinit(&a);
    buf_deinit(&b);
    buf_deinit(&d);
    buf_deinit(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts),
        cmocka_unit_test(any_diff_applies),
        cmocka_unit_test(large_texts_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
