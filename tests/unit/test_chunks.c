#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/chunks.h"
#include "base/utf8.h"

#define PIECES_MAX 64

static size_t chars_of(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; n++)
        i += utf8_char_len(s.p + i, s.n - i);
    return n;
}

static size_t split(struct str text, struct str out[PIECES_MAX])
{
    struct chunks c;
    size_t n = 0;
    chunks_init(&c, text);
    while (n < PIECES_MAX && chunks_next(&c, &out[n]))
        n++;
    assert_true(n < PIECES_MAX);
    return n;
}

static void repeat(struct buf *b, const char *z, size_t times)
{
    while (times-- > 0)
        buf_append_z(b, z);
}

static bool ends_with(struct str s, const char *z)
{
    size_t n = strlen(z);
    return s.n >= n && memcmp(s.p + s.n - n, z, n) == 0;
}

static bool begins_with(struct str s, const char *z)
{
    return s.n >= strlen(z) && memcmp(s.p, z, strlen(z)) == 0;
}

static void test_short_texts(void **state)
{
    struct str out[PIECES_MAX];
    (void)state;
    assert_int_equal(split(STR(""), out), 0);
    assert_int_equal(split(STR(" \n\t \r\n"), out), 0);
    assert_int_equal(split(STR("  one sentence.\n"), out), 1);
    assert_true(str_eqz(out[0], "one sentence."));
}

/* A text a little longer than a piece stays one; there is no crumb at the end. */
static void test_short_rest(void **state)
{
    struct str out[PIECES_MAX];
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 16);
    repeat(&b, "a b c d e ", CHUNK_CHARS_MAX / 10);
    assert_int_equal(split(buf_str(&b), out), 1);
    repeat(&b, "a b c d e ", 2);
    assert_int_equal(split(buf_str(&b), out), 2);
    buf_deinit(&b);
}

static void test_headings(void **state)
{
    struct str out[PIECES_MAX];
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 16);
    buf_append_z(&b, "# One\n\n");
    repeat(&b, "The first part says this. ", 25);
    buf_append_z(&b, "\n\n## Two\n\n");
    repeat(&b, "The second part says that. ", 40);
    assert_int_equal(split(buf_str(&b), out), 2);
    assert_true(begins_with(out[0], "# One"));
    assert_true(ends_with(out[0], "says this."));
    assert_true(begins_with(out[1], "## Two"));
    buf_deinit(&b);
}

/* A comment of a script in a fence looks like a heading, and is none. */
static void test_fence(void **state)
{
    struct str out[PIECES_MAX];
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 16);
    buf_append_z(&b, "```sh\n");
    repeat(&b, "echo a line of a script\n", 20);
    buf_append_z(&b, "# Comment\n");
    repeat(&b, "echo another line of it\n", 40);
    buf_append_z(&b, "```\n\nText that is behind it.\n");
    size_t n = split(buf_str(&b), out);
    assert_true(n >= 2);
    for (size_t i = 1; i < n; i++)
        assert_false(begins_with(out[i], "# Comment"));
    buf_deinit(&b);
}

static void test_paragraphs(void **state)
{
    struct str out[PIECES_MAX];
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 16);
    for (int i = 0; i < 6; i++) {
        repeat(&b, "Some words of a long sentence, ", 14);
        buf_append_z(&b, "the end.\n \n");
    }
    size_t n = split(buf_str(&b), out);
    assert_true(n >= 3);
    for (size_t i = 0; i < n; i++)
        assert_true(ends_with(out[i], "the end."));
    buf_deinit(&b);
}

/* No spaces, only the marks of Chinese; the next piece begins with a whole sentence again. */
static void test_chinese(void **state)
{
    struct str out[PIECES_MAX];
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 16);
    repeat(&b, "委员会认为，这个计划的风险太大，“需要更多的证据。”预算也没有说明！", 60);
    size_t n = split(buf_str(&b), out);
    assert_true(n >= 2);
    for (size_t i = 0; i < n; i++) {
        assert_true(utf8_is_valid(out[i]));
        assert_true(ends_with(out[i], "。”") || ends_with(out[i], "！"));
        assert_true(begins_with(out[i], "委员会") || begins_with(out[i], "预算"));
    }
    buf_deinit(&b);
}

/* Texts of random pieces: all of it is somewhere, in order, within the sizes. */
static void check_all(struct str text)
{
    struct chunks c;
    struct str piece;
    const char *covered = text.p, *last = NULL;
    size_t n = 0;
    chunks_init(&c, text);
    while (chunks_next(&c, &piece)) {
        assert_true(piece.n > 0 && utf8_is_valid(piece));
        assert_true(chars_of(piece) <= CHUNK_CHARS_MAX);
        assert_true(!last || piece.p > last);
        for (const char *p = covered; p < piece.p; p++)
            assert_true(*p == ' ' || *p == '\n');
        if (piece.p < covered)
            assert_true(chars_of((struct str){piece.p, (size_t)(covered - piece.p)}) <=
                        CHUNK_CHARS_OVERLAP);
        last = piece.p;
        if (piece.p + piece.n > covered)
            covered = piece.p + piece.n;
        n++;
    }
    for (const char *p = covered; p < text.p + text.n; p++)
        assert_true(*p == ' ' || *p == '\n');
    assert_true(n <= CHUNKS_MAX(text.n));
}

static void test_all_is_covered(void **state)
{
    static const char *const parts[] = {
        "word ",        "a longer part of a sentence, ",
        "End. ",        "\n",
        "\n\n",         "# Heading\n",
        "```\n",        "中文，",
        "句子。",       "🙂",
        "  ",           "x",
        "\"quoted.\" ",
    };
    uint32_t seed = 1;
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 20);
    for (int round = 0; round < 300; round++) {
        buf_clear(&b);
        seed = seed * 1664525u + 1013904223u;
        size_t wanted = (seed >> 8) % 9000, only = (seed >> 4) % 7;
        while (b.len < wanted) {
            seed = seed * 1664525u + 1013904223u;
            size_t k = (seed >> 16) % (sizeof(parts) / sizeof(parts[0]));
            buf_append_z(&b, parts[only == 0 ? 11 : only == 1 ? k % 5 : k]);
        }
        check_all(buf_str(&b));
    }
    buf_deinit(&b);
}

/* A mebibyte of the worst takes no longer than one of anything else. */
static void test_large(void **state)
{
    size_t n = 1u << 20;
    char *p = malloc(n);
    struct chunks c;
    struct str piece;
    (void)state;
    static const char worst[] = {'\n', ' ', '#', '`', '\x80', '.'};
    for (size_t k = 0; k < sizeof(worst); k++) {
        memset(p, worst[k], n);
        size_t count = 0;
        chunks_init(&c, (struct str){p, n});
        while (chunks_next(&c, &piece))
            count++;
        assert_true(count <= CHUNKS_MAX(n));
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_texts),    cmocka_unit_test(test_short_rest),
        cmocka_unit_test(test_headings),       cmocka_unit_test(test_fence),
        cmocka_unit_test(test_paragraphs),     cmocka_unit_test(test_chinese),
        cmocka_unit_test(test_all_is_covered), cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
