#include "unit.h"

#include <stdlib.h>

#include "cli/input.h"

static const char schema[] =
    "{\"type\":\"object\",\"required\":[\"topic\",\"count\"],\"properties\":{"
    "\"topic\":{\"type\":\"string\",\"title\":\"Topic\",\"default\":\"tea\"},"
    "\"count\":{\"type\":\"integer\"},"
    "\"ratio\":{\"type\":\"number\",\"default\":0.5},"
    "\"sure\":{\"type\":\"boolean\"},"
    "\"deep\":{\"type\":\"object\"},"
    "\"kind\":{\"enum\":[\"a\",\"b\"]},"
    "\"odd \\\"key\\\"\":{\"type\":\"array\"}}}";

static void test_fields_are_asked_for(void **state)
{
    static const struct {
        const char *question;
        bool required;
    } rows[] = {
        {"Topic [tea]: ", true},  {"count: ", true}, {"ratio [0.5]: ", false},
        {"sure: ", false},        {"deep: ", false}, {"kind (a | b): ", false},
        {"odd \"key\": ", false},
    };
    (void)state;
    struct input_field f;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf question;
        buf_init(&question, 1000);
        assert_true(input_field_nth(json_root(str_of(schema)), (int)i, &f));
        input_field_ask(&f, &question);
        assert_str(buf_str(&question), rows[i].question);
        assert_int_equal(f.required, rows[i].required);
        input_field_deinit(&f);
        buf_deinit(&question);
    }
    assert_false(input_field_nth(json_root(str_of(schema)), (int)ROWS(rows), &f));
    assert_false(input_field_nth(json_root(STR("{}")), 0, &f));
}

/* What is typed becomes a value of the schema's type, or is refused with a sentence. */
static void test_fields_are_typed(void **state)
{
    static const struct {
        int field;
        const char *typed, *written, *sentence;
    } rows[] = {
        {0, "green \"tea\"", "\"topic\":\"green \\\"tea\\\"\"", NULL},
        {0, "7", "\"topic\":\"7\"", NULL},
        {0, "", "\"topic\":\"tea\"", NULL},
        {1, "7", "\"count\":7", NULL},
        {1, "7.5", NULL, "count must be of type integer"},
        {1, "seven", NULL, "count must be of type integer"},
        {1, "", NULL, "count must be of type integer"},
        {2, "1e-3", "\"ratio\":1e-3", NULL},
        {2, "", "\"ratio\":0.5", NULL},
        {2, "true", NULL, "ratio must be of type number"},
        {3, "true", "\"sure\":true", NULL},
        {3, "yes", NULL, "sure must be of type boolean"},
        {3, "", "", NULL},
        {4, "{\"x\":[1]}", "\"deep\":{\"x\":[1]}", NULL},
        {4, "{\"x\":[1]", NULL, "deep must be of type object"},
        {4, "[1]", NULL, "deep must be of type object"},
        {5, "a", "\"kind\":\"a\"", NULL},
        {6, "[]", "\"odd \\\"key\\\"\":[]", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct input_field f;
        struct buf out;
        struct errbuf e = {""};
        buf_init(&out, 1000);
        assert_true(input_field_nth(json_root(str_of(schema)), rows[i].field, &f));
        int rc = input_field_write(&f, str_of(rows[i].typed), &out, &e);
        assert_int_equal(rc, rows[i].sentence ? ERR_INVALID : 0);
        assert_string_equal(e.text, rows[i].sentence ? rows[i].sentence : "");
        assert_str(buf_str(&out), rows[i].written ? rows[i].written : "");
        input_field_deinit(&f);
        buf_deinit(&out);
    }
}

static void test_members_are_joined(void **state)
{
    struct input_field f;
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    buf_append_char(&out, '{');
    for (int i = 0; i < 2; i++) {
        assert_true(input_field_nth(json_root(str_of(schema)), i, &f));
        assert_int_equal(input_field_write(&f, STR("1"), &out, NULL), 0);
        input_field_deinit(&f);
    }
    assert_str(buf_str(&out), "{\"topic\":\"1\",\"count\":1");
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_asked_for),
        cmocka_unit_test(test_fields_are_typed),
        cmocka_unit_test(test_members_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
