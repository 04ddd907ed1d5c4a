#include "unit.h"

#include "engine/expr_lex.h"

#include <stdlib.h>
#include <string.h>

static void test_tokens(void **state)
{
    (void)state;
    /* The types by letter: Name, Keyword, String, nUmber, symbol "." , Bad. */
    static const struct {
        const char *code, *types;
    } rows[] = {
        {"", ""},
        {"  -- a comment", ""},
        {"--[[ a\n]] x --[==[ ]] ]==] y", "NN"},
        {"a.b[\"c\"] == nil", "N.N.S..K"},
        {"'it\\'s' .. \"a\\\\\" .. [[ ' ]] .. [=[ ]] ]=]", "S.S.S.S"},
        {"\"a\\z \n b\" x", "SN"},
        {"1.5e+3 .5 0x1p-4 3..2 1e", "UUUUU"},
        {"a[b[1]]", "N.N.U.."},
        {"a-b --[c", "N.N"},
        {"x::y<=z//w...", "N.N.N.N."},
        {"\"open", "B"},
        {"'a\n'", "B"},
        {"[[ open", "B"},
        {"x --[[ open", "NB"},
        {"\"\\", "B"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char types[64] = "";
        struct lex l;
        struct lex_token t;
        size_t n = 0;
        lex_init(&l, str_of(rows[i].code));
        while ((t = lex_next(&l)).type != LEX_END && n < sizeof types - 1) {
            types[n++] = "?NKSU.B"[t.type];
            assert_true(t.text.n > 0);
        }
        types[n] = '\0';
        assert_string_equal(types, rows[i].types);
    }
}

static void test_values(void **state)
{
    (void)state;
    struct str out;
    struct lex_token t = {LEX_STRING, STR("\"abc\"")};
    assert_true(lex_string_value(&t, &out));
    assert_str(out, "abc");
    t.text = STR("\"a\\n\"");
    assert_false(lex_string_value(&t, &out));
    t.text = STR("[[a]]");
    assert_false(lex_string_value(&t, &out));
    t.type = LEX_NAME;
    assert_false(lex_string_value(&t, &out));
    assert_true(lex_is_empty(STR(" --[[ x ]] ")));
    assert_false(lex_is_empty(STR("x")));
    assert_true(lex_is_list(STR("a, b")));
    assert_true(lex_is_list(STR("f(function() end), b")));
    assert_false(lex_is_list(STR("f(a, b) + {1, 2} .. t[g(1, 2)] .. \",\"")));
    assert_false(lex_is_list(STR("(function() local a, b end)()")));
}

static void test_templates(void **state)
{
    (void)state;
    struct template_scan s = {STR("a {{ x }}{{ {y = {1}}}} {{'}}'}} }}")};
    struct template_part p;
    assert_true(template_next(&s, &p));
    assert_str(p.text, "a ");
    assert_str(p.code, " x ");
    assert_true(template_next(&s, &p));
    assert_str(p.text, "");
    assert_str(p.code, " {y = {1}}");
    assert_true(template_next(&s, &p));
    assert_str(p.text, " ");
    assert_str(p.code, "'}}'");
    assert_true(template_next(&s, &p));
    assert_str(p.text, " }}");
    assert_null(p.code.p);
    s.rest = STR("x {{ a } b }}");
    assert_false(template_next(&s, &p));
    assert_str(p.code, " a } b }}");
    s.rest = STR_NULL;
    assert_true(template_next(&s, &p));
    assert_null(p.code.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
