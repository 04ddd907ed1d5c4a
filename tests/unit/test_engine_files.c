#include "engine_fixture.h"

/* The files of a session: what is written with the result of a call, limits, going back. */

#define WRITES                                                                                     \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [one]}\n"                                                    \
    "  one: {type: tool, properties: {tool: write_file, arguments: {path: notes/a.md, content: "   \
    "'About {{ input.topic }}', reason: first}}, next_ids: [two]}\n"                               \
    "  two: {type: tool, properties: {tool: write_file, arguments: {path: notes/a.md, content: "   \
    "{n: 1}}}, next_ids: [list]}\n"                                                                \
    "  list: {type: tool, properties: {tool: list_files}, next_ids: [drop]}\n"                     \
    "  drop: {type: tool, properties: {tool: write_file, arguments: {path: notes/a.md, content: "  \
    "null}}, next_ids: [end]}\n"                                                                   \
    "  end: {type: end, properties: {output: nodes.list.output}}\n"

static void a_call_writes_with_its_result(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, WRITES);
        fix_quiet(&f);
        assert_null(f.rows.files); /* not before the call has come back */
        fix_call_done(&f, fix_call(&f, 0), "null");
        fix_take(&f);
        const struct file_row *row = f.rows.files;
        assert_true(str_eqz(row->path, "notes/a.md") && str_eqz(row->content, "About Cats"));
        assert_true(str_eqz(row->reason, "first"));
        assert_int_equal(row->version, 1);
        assert_int_equal(row->size, 10);
        if (restart)
            fix_restart(&f);
        fix_call_done(&f, fix_call(&f, 0), "null");
        fix_take(&f);
        assert_int_equal(f.rows.files->version, 2);
        assert_true(str_eqz(f.rows.files->content, "{\"n\":1}"));
        if (restart)
            fix_restart(&f);
        fix_call_done(&f, fix_call(&f, 0), "null");
        if (restart)
            fix_restart(&f);
        fix_call_done(&f, fix_call(&f, 0), "null");
        fix_take(&f);
        assert_true(f.rows.files->deleted);
        assert_int_equal(f.rows.files->version, 3);
        assert_true(str_eqz(f.rows.row.core.output_json,
                            "[{\"path\":\"notes/a.md\",\"version\":2,\"size\":7}]"));
        fix_close(&f);
    }
}

/* The row's number is that of the event that tells of it. */
static void a_write_has_its_events_number(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, WRITES);
    fix_quiet(&f);
    int64_t seq = session_last_seq(f.s);
    fix_call_done(&f, fix_call(&f, 0), "null");
    expect(&f, "one tool write_file completed {\"path\":\"notes/a.md\",\"content\":\"About Cats\","
               "\"reason\":\"first\"} {\"path\":\"notes/a.md\",\"version\":1,\"size\":10}\n"
               "one running>completed {\"path\":\"notes/a.md\",\"version\":1,\"size\":10}\n"
               "two pending>running\n"
               "two tool write_file started {\"path\":\"notes/a.md\",\"content\":{\"n\":1}}\n");
    assert_int_equal(f.rows.files->seq, seq + 1);
    fix_close(&f);
}

static void a_withheld_result_writes_after_the_resume(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, WRITES);
    fix_quiet(&f);
    struct fix_call *call = fix_call(&f, 0);
    assert_int_equal(fix_command(&f, IN_PAUSE), 0);
    fix_call_done(&f, call, "null");
    fix_take(&f);
    assert_null(f.rows.files);
    fix_restart(&f);
    assert_int_equal(fix_command(&f, IN_RESUME), 0);
    fix_take(&f);
    assert_int_equal(f.rows.files->version, 1);
    assert_null(f.rows.files->next);
    fix_close(&f);
}

static void bad_paths_fail_the_call(void **state)
{
    static const char *const paths[] = {"''",        "/a",     "a/",        "a//b",
                                        "../a",      "a/../b", "./a",       "'a\\b'",
                                        "\"a\\tb\"", "a/..",   "\"\\x7f\"", "{x: 1}"};
    (void)state;
    for (size_t i = 0; i < ROWS(paths); i++) {
        struct fix f;
        char yaml[512];
        snprintf(yaml, sizeof(yaml),
                 "nodes:\n  start: {type: start, next_ids: [w]}\n"
                 "  w: {type: tool, properties: {tool: write_file, arguments: {path: %s, content: "
                 "x}}, next_ids: [end]}\n  end: {type: end}\n",
                 paths[i]);
        fix_open(&f, yaml);
        fix_quiet(&f);
        fix_call_done(&f, fix_call(&f, 0), "null");
        expect_moves(&f, "w!invalid_arguments =failed");
        assert_null(f.rows.files);
        fix_close(&f);
    }
    struct errbuf e;
    char longest[FILE_PATH_BYTES_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(file_path_check((struct str){longest, FILE_PATH_BYTES_MAX}, &e), 0);
    assert_int_equal(file_path_check((struct str){longest, sizeof(longest) - 1}, &e), ERR_INVALID);
    assert_int_equal(file_path_check(STR("a\0b"), &e), ERR_INVALID);
    assert_int_equal(file_path_check(STR("\xff"), &e), ERR_INVALID);
    assert_int_equal(file_path_check(STR("...a/.b/\xc3\xa4 c"), &e), 0);
}

/* ---- by hand ---- */

/* There is somewhere to write to, as in a step. */
static void by_hand(struct fix *f)
{
    arena_init(&f->s->tmp);
    made_want(f->s);
}

static void take_by_hand(struct fix *f)
{
    fix_take(f);
    made_want(f->s);
}

static struct str write_by_hand(struct fix *f, const char *path, const char *content, int *rc)
{
    struct str output = STR_NULL;
    struct buf b;
    buf_init(&b, 8u << 20);
    buf_printf(&b, "{\"path\":\"%s\",\"content\":", path);
    if (content)
        json_write_string(&b, str_of(content));
    else
        buf_append_z(&b, "null");
    buf_append_char(&b, '}');
    *rc = file_write(f->s, 0, json_root(buf_str(&b)), STR_NULL, &output, &f->error);
    buf_deinit(&b);
    return output;
}

static void limits_hold(void **state)
{
    (void)state;
    struct fix f;
    int rc;
    fix_open(&f, WRITES);
    fix_quiet(&f);
    by_hand(&f);
    char *big = malloc(FILE_BYTES_MAX + 2);
    memset(big, 'x', FILE_BYTES_MAX + 1);
    big[FILE_BYTES_MAX + 1] = 0;
    write_by_hand(&f, "big", big, &rc);
    assert_int_equal(rc, ERR_TOO_LARGE);
    big[FILE_BYTES_MAX] = 0;
    for (int i = 0; i < FILES_BYTES_MAX / FILE_BYTES_MAX; i++) {
        write_by_hand(&f, "big", big, &rc);
        assert_int_equal(rc, 0);
        take_by_hand(&f); /* and forget the bytes */
        arena_deinit(&f.s->tmp);
        arena_init(&f.s->tmp);
    }
    write_by_hand(&f, "big", "x", &rc);
    assert_int_equal(rc, ERR_TOO_LARGE);
    write_by_hand(&f, "big", NULL, &rc); /* deleting needs no room */
    assert_int_equal(rc, 0);
    write_by_hand(&f, "big", NULL, &rc);
    assert_int_equal(rc, ERR_NOT_FOUND);
    for (int i = 1; i < FILES_PATHS_MAX; i++) {
        char path[16];
        snprintf(path, sizeof(path), "p%d", i);
        write_by_hand(&f, path, "", &rc);
        assert_int_equal(rc, 0);
    }
    write_by_hand(&f, "one more", "", &rc);
    assert_int_equal(rc, ERR_TOO_LARGE);
    arena_deinit(&f.s->tmp);
    free(big);
    fix_restart(&f);
    assert_int_equal(f.s->files.count, FILES_PATHS_MAX);
    fix_close(&f);
}

static void what_was_written_can_be_taken_back(void **state)
{
    (void)state;
    struct fix f;
    int rc;
    fix_open(&f, WRITES);
    fix_quiet(&f);
    by_hand(&f);
    write_by_hand(&f, "same", "1", &rc);
    write_by_hand(&f, "changed", "old", &rc);
    write_by_hand(&f, "deleted", "here", &rc);
    struct str mark = files_mark(f.s);
    write_by_hand(&f, "changed", "newer", &rc);
    write_by_hand(&f, "deleted", NULL, &rc);
    write_by_hand(&f, "added", "x", &rc);
    take_by_hand(&f);
    assert_int_equal(files_roll_back(f.s, 0, json_root(mark), STR("worse")), 3);
    assert_int_equal(files_roll_back(f.s, 0, json_root(mark), STR("worse")), 0);
    assert_true(str_eq(files_mark(f.s), mark));
    take_by_hand(&f);
    const struct file_row *row = f.rows.files; /* the newest first: by path, backwards */
    assert_true(str_eqz(row->path, "deleted") && str_eqz(row->reason, "worse"));
    assert_int_equal(row->version, 3);
    assert_int_equal(row->from_version, 1);
    assert_int_equal(row->size, 4);
    assert_false(row->deleted);
    row = row->next;
    assert_true(str_eqz(row->path, "changed"));
    assert_int_equal(row->from_version, 1);
    assert_null(row->content.p);
    row = row->next;
    assert_true(str_eqz(row->path, "added") && row->deleted);
    write_by_hand(&f, "changed", "again", &rc);
    assert_int_equal(files_roll_back(f.s, 0, json_root(mark), STR_NULL), 1);
    take_by_hand(&f);
    assert_int_equal(f.rows.files->from_version, 1); /* never of one that is from another */
    assert_int_equal(
        files_roll_back(f.s, 0, json_root(STR("{\"changed\":[99,1],\"same\":7}")), STR_NULL),
        2); /* `deleted` and `same` are in no such mark */
    arena_deinit(&f.s->tmp);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_writes_with_its_result),
        cmocka_unit_test(a_write_has_its_events_number),
        cmocka_unit_test(a_withheld_result_writes_after_the_resume),
        cmocka_unit_test(bad_paths_fail_the_call),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(what_was_written_can_be_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
