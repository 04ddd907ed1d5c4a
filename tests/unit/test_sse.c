#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/sse.h"

/* Events written as name|data; with \n kept, for comparing. */
static void dump(struct buf *out, const struct sse_event *ev)
{
    buf_append_str(out, ev->name);
    buf_append_char(out, '|');
    buf_append_str(out, ev->data);
    buf_append_char(out, ';');
}

/* Feeds parts of `step` bytes, each in memory of its own, so that a slice that outlives its bytes
 * is found by the sanitizer. */
static int parse(struct str in, size_t first, size_t step, struct buf *out)
{
    struct sse s;
    struct sse_event ev;
    int rc = 0;
    sse_init(&s, 0);
    for (size_t at = 0, n = first; at < in.n && rc >= 0; at += n, n = step) {
        if (n > in.n - at)
            n = in.n - at;
        char *part = malloc(n ? n : 1);
        memcpy(part, in.p + at, n);
        struct str rest = {part, n};
        while ((rc = sse_next(&s, &rest, &ev)) == 1)
            dump(out, &ev);
        assert_true(rc < 0 || rest.n == 0);
        free(part);
    }
    while (rc >= 0 && sse_end(&s, &ev) == 1) {
        buf_append_char(out, '$');
        dump(out, &ev);
    }
    sse_deinit(&s);
    return rc;
}

static const struct {
    const char *in, *out;
} rows[] = {
    {"data: a\n\n", "|a;"},
    {"data: a\r\n\r\n", "|a;"},
    {"data: a\r\r", "|a;"},
    {"data: a\r\n\ndata: b\n\r\n", "|a;|b;"},
    {"data:a\n\n", "|a;"},
    {"data:  a \n\n", "| a ;"},
    {"data\n\n", "|;"},
    {"data:\n\n", "|;"},
    {"data: a\ndata: b\n\n", "|a\nb;"},
    {"data: a\ndata\ndata:\ndata: d\n\n", "|a\n\n\nd;"},
    {"event: error\ndata: x\n\ndata: y\n\n", "error|x;|y;"},
    {"event: gone\n\ndata: y\n\n", "|y;"},
    {": comment\n\n: more\ndata: x\n: within\n\n", "|x;"},
    {"id: 1\nretry: 5\nwhatever: 3\nno colon\ndata: x\n\n", "|x;"},
    {"\n\n\r\r\r\n\ndata: x\n\n\n\n", "|x;"},
    {"\xEF\xBB\xBF"
     "data: x\n\n",
     "|x;"},
    {"data: a\n\n\xEF\xBB\xBF"
     "data: x\n\n",
     "|a;"},
    {"DATA: no\ndata : no\n data: no\n\n", ""},
    {"data: {\"a\":\"b:c\"}\n\n", "|{\"a\":\"b:c\"};"},
    {"event: a\nevent: b\ndata: x\n\n", "b|x;"},
    {"data: a\n\ndata: cut", "|a;$|cut;"},
    {"data: a\n\nevent: e\ndata: cut\n", "|a;$e|cut;"},
    {"data: a\n\ndata: one\ndata: two", "|a;$|one\ntwo;"},
    {"data: a\n\nevent: alone\n", "|a;"},
    {"", ""},
};

static void test_rows_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct str in = str_of(rows[i].in);
        for (size_t step = 1; step <= in.n + 1; step++)
            for (size_t first = 1; first <= in.n + 1; first++) {
                struct buf out;
                buf_init(&out, 1000);
                assert_int_equal(parse(in, first, step, &out), 0);
                assert_str(buf_str(&out), rows[i].out);
                buf_deinit(&out);
            }
    }
}

static void test_whole_line_is_not_copied(void **state)
{
    (void)state;
    struct sse s;
    struct sse_event ev;
    struct str in = STR("data: a\n\ndata: b\n\n"), rest = in;
    sse_init(&s, 0);
    assert_int_equal(sse_next(&s, &rest, &ev), 1);
    assert_ptr_equal(ev.data.p, in.p + 6);
    assert_int_equal(sse_next(&s, &rest, &ev), 1);
    assert_ptr_equal(ev.data.p, in.p + 15);
    assert_null(s.data.data);
    assert_null(s.line.data);
    sse_deinit(&s);
}

static void test_limits(void **state)
{
    static const struct {
        const char *in;
        int rc;
    } limited[] = {
        {"data: 0123456789\n\n", 1},
        {"data: 01234567890\n\n", ERR_TOO_LARGE},
        {"data: 012345\ndata: 789012345\n\n", 1},
        {"data: 012345\ndata: 7890123456\n\n", ERR_TOO_LARGE},
        {":3456789012345678", ERR_TOO_LARGE},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(limited); i++)
        for (size_t step = 1; step < 40; step++) {
            struct sse s;
            struct sse_event ev;
            sse_init(&s, 16);
            struct str in = str_of(limited[i].in);
            int rc = 0;
            for (size_t at = 0; at < in.n && rc == 0; at += step) {
                struct str part = {in.p + at, step < in.n - at ? step : in.n - at};
                rc = sse_next(&s, &part, &ev);
            }
            assert_int_equal(rc, limited[i].rc);
            sse_deinit(&s);
        }
}

static void test_reset_forgets_half_an_event(void **state)
{
    (void)state;
    struct sse s;
    struct sse_event ev;
    struct str in = STR("event: x\ndata: half\ndata: a li");
    sse_init(&s, 0);
    assert_int_equal(sse_next(&s, &in, &ev), 0);
    sse_reset(&s);
    in = STR("data: y\n\n");
    assert_int_equal(sse_next(&s, &in, &ev), 1);
    assert_str(ev.data, "y");
    assert_int_equal(ev.name.n, 0);
    sse_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_at_every_split),
        cmocka_unit_test(test_whole_line_is_not_copied),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_reset_forgets_half_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
