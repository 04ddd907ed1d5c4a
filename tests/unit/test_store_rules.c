/* What all stores share: cursors, filters, pages, and whether a row of events is whole. */
#include "store/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/cursor.h"
#include "unit.h"

static void cursors_come_back(void **state)
{
    static const struct {
        enum cursor_kind kind;
        int64_t a, b;
        const char *key;
    } table[] = {
        {CURSOR_SESSIONS, 1700000000000, 42, ""},
        {CURSOR_SESSIONS, INT64_MIN, INT64_MAX, ""},
        {CURSOR_WORKFLOWS, 0, 0, "w"},
        {CURSOR_WORKFLOWS, 0, 0, "council-debate"},
        {CURSOR_WORKFLOWS, 0, 0,
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {CURSOR_MESSAGES, -1, 7, "0123456789abcdef"},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < ROWS(table); i++) {
        struct cursor c;
        struct errbuf e = {""};
        struct str key = str_of(table[i].key);
        struct str text = cursor_encode(&arena, table[i].kind, table[i].a, table[i].b, key);
        assert_int_equal(strspn(text.p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789-_"),
                         text.n);
        assert_int_equal(cursor_decode(text, table[i].kind, &c, &e), 0);
        assert_true(c.a == table[i].a && c.b == table[i].b && c.key_bytes == key.n);
        assert_memory_equal(c.key, key.p, key.n);
        enum cursor_kind other = table[i].kind == CURSOR_RUNS ? CURSOR_SESSIONS : table[i].kind + 1;
        assert_int_equal(cursor_decode(text, other, &c, &e), ERR_INVALID);
        assert_true(*e.text);
        for (size_t n = 0; n < text.n; n++) /* cut short */
            assert_int_equal(cursor_decode((struct str){text.p, n}, table[i].kind, &c, NULL),
                             ERR_INVALID);
        char longer[256]; /* and gone on with */
        snprintf(longer, sizeof(longer), "%.*sA", STR_FMT(text));
        assert_int_equal(cursor_decode(str_of(longer), table[i].kind, &c, NULL), ERR_INVALID);
        memset(longer, 'A', sizeof(longer));
        assert_int_equal(
            cursor_decode((struct str){longer, sizeof(longer)}, table[i].kind, &c, NULL),
            ERR_INVALID);
    }
    arena_deinit(&arena);
}

static void parts_are_found_in_any_case(void **state)
{
    static const struct {
        const char *text, *part;
        bool found;
    } table[] = {
        {"Council debate", "DEBATE", true},
        {"Council debate", "council", true},
        {"Council debate", "l d", true},
        {"Council debate", "debates", false},
        {"", "", true},
        {"", "a", false},
        {NULL, "a", false},
        {NULL, NULL, true},
        {"a", NULL, true},
        {"aab", "ab", true},
        {"\xc3\x84", "\xc3\x84", true},
        {"a", "aa", false},
        {"[@`{", "[@`{", true},
        {"@", "`", false},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(table); i++)
        assert_int_equal(rules_contains(str_of(table[i].text), str_of(table[i].part)),
                         table[i].found);
}

static void tags_are_compared_whole_and_unescaped(void **state)
{
    static const struct {
        const char *tags, *tag;
        bool has;
    } table[] = {
        {"[\"red\",\"blue\"]", "red", true},
        {"[\"red\",\"blue\"]", "blue", true},
        {"[\"red\"]", "re", false},
        {"[\"\\u0072ed\"]", "red", true},
        {"[1,null,{\"a\":\"red\"}]", "red", false},
        {"[]", "red", false},
        {"[\"\"]", "", true},
        {"[]", "", false},
        {NULL, "red", false},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(table); i++) {
        struct store_session_list l;
        struct session_row row;
        memset(&l, 0, sizeof(l));
        memset(&row, 0, sizeof(row));
        l.tag = str_of(table[i].tag);
        row.meta.tags_json = str_of(table[i].tags);
        assert_int_equal(rules_session_matches(&l, &row), table[i].has);
    }
}

static void a_row_of_events_is_whole_or_not(void **state)
{
    static const struct {
        int64_t first, last;
        const char *frames;
        bool whole;
    } table[] = {
        {1, 1, "{}", true},          {3, 4, "{\"a\":1}\n{}", true},
        {3, 5, "{}\n{}", false},     {3, 3, "{}\n{}", false},
        {0, 0, "{}", false},         {2, 1, "{}", false},
        {1, 1, "", false},           {1, 1, "{", false},
        {1, 2, "{}\n", false},       {1, 2, "\n{}", false},
        {1, 3, "{}\n\n{}", false},   {1, 2, "{}\n{", false},
        {1, 2, "{\n}", false},       {1, 1, "[]", false},
        {1, INT64_MAX, "{}", false},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(table); i++)
        if (rules_frames_are_whole(table[i].first, table[i].last, str_of(table[i].frames)) !=
            table[i].whole)
            fail_msg("%s", table[i].frames);
    assert_false(rules_frames_are_whole(1, 1, STR_NULL));
}

static void a_page_ends_when_it_has_looked_long_enough(void **state)
{
    struct page p = page_of(2);
    int skipped = 0;

    (void)state;
    assert_int_equal(page_see(&p, true), PAGE_TAKE);
    while (page_see(&p, false) == PAGE_SKIP)
        skipped++;
    assert_int_equal(skipped, STORE_EXAMINED_MAX - 1);
    assert_int_equal(page_see(&p, true), PAGE_STOP);

    p = page_of(1);
    assert_int_equal(page_see(&p, true), PAGE_TAKE);
    assert_int_equal(page_see(&p, false), PAGE_SKIP);
    assert_int_equal(page_see(&p, true), PAGE_STOP);
}

static void live_is_what_could_go_on(void **state)
{
    static const struct {
        const char *status;
        bool stored_only, live;
    } table[] = {
        {"pending", false, true},    {"running", false, true}, {"paused", false, true},
        {"completed", false, false}, {"failed", false, false}, {"cancelled", false, false},
        {"running", true, false},    {"unknown", true, false},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(table); i++) {
        struct session_row row;
        memset(&row, 0, sizeof(row));
        row.core.status = str_of(table[i].status);
        row.meta.stored_only = table[i].stored_only;
        assert_int_equal(rules_session_is_live(&row), table[i].live);
    }
}

/* Texts as they may stand packed in a session's row, if something else wrote there. */
static void packed_forms_are_read_or_refused(void **state)
{
#define RUN_ID    "\"018bcfe5-6801-7700-a789-006cb74f40d3\""
#define RUN(tail) "[" RUN_ID ",\"n\",null,1,1,\"completed\",null,1,2," tail "]"
    static const struct {
        const char *text;
        bool core, runs;
    } table[] = {
        {"[]", false, true},
        {"{}", false, false},
        {"[null,{},null]", true, false},
        {"[[],{}]", false, false},
        {"[[],{},{},{}]", false, false},
        {"[" RUN("null,null,null") "]", false, true},
        {"[" RUN("{\"a\":1},null,[2]") "]", false, true},
        {"[" RUN("null,null") "]", false, false},
        {"[" RUN("null,null,null,null") "]", false, false},
        {"[[\"x\",\"n\",null,1,1,\"completed\",null,1,2,null,null,null]]", false, false},
        {"[[" RUN_ID ",7,null,1,1,\"completed\",null,1,2,null,null,null]]", false, false},
        {"[[" RUN_ID ",\"n\",null,\"1\",1,\"completed\",null,1,2,null,null,null]]", false, false},
    };
    static const struct id first;

    (void)state;
    for (size_t i = 0; i < ROWS(table); i++) {
        struct session_core core = {.status = STR("running")};
        struct run_row *runs = NULL;
        struct arena a;
        arena_init(&a);
        assert_int_equal(rules_core_read(&a, str_of(table[i].text), &core), table[i].core);
        assert_int_equal(rules_runs_add(&a, str_of(table[i].text), &first, &runs), table[i].runs);
        arena_deinit(&a);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_come_back),
        cmocka_unit_test(parts_are_found_in_any_case),
        cmocka_unit_test(tags_are_compared_whole_and_unescaped),
        cmocka_unit_test(a_row_of_events_is_whole_or_not),
        cmocka_unit_test(a_page_ends_when_it_has_looked_long_enough),
        cmocka_unit_test(live_is_what_could_go_on),
        cmocka_unit_test(packed_forms_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
