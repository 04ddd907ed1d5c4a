#include "unit.h"

#include "engine/schema.h"

#include <stdlib.h>
#include <string.h>

static struct json checked(const char *text)
{
    struct errbuf e;
    if (json_check(str_of(text), NULL, &e) != 0)
        fail_msg("%s: %s", text, e.text);
    return json_root(str_of(text));
}

struct row {
    const char *schema, *value, *wanted; /* wanted: "" or the error */
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct errbuf e = {""};
        struct json schema = checked(rows[i].schema);
        if (schema_check(schema, &e) != 0)
            fail_msg("%s: %s", rows[i].schema, e.text);
        int err = schema_validate(schema, checked(rows[i].value), &e);
        if (strcmp(e.text, rows[i].wanted) != 0)
            print_error("%s against %s\n", rows[i].value, rows[i].schema);
        assert_string_equal(e.text, rows[i].wanted);
        assert_int_equal(err, rows[i].wanted[0] ? ERR_INVALID : 0);
        assert_int_equal(schema_validate(schema, checked(rows[i].value), NULL), err);
    }
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *wanted;
    } rows[] = {
        {"true", ""},
        {"{}", ""},
        {"[]", "$: a schema is an object, true or false"},
        {"{\"properties\":{\"age\":{\"pattren\":\"x\"}}}",
         "$.properties.age.pattren: unknown keyword"},
        {"{\"dependentSchemas\":{}}", "$.dependentSchemas: unknown keyword"},
        {"{\"type\":\"text\"}", "$.type: must be null, boolean, object, array, number, integer, "
                                "string, or an array of these"},
        {"{\"type\":[\"string\",\"nul\"]}", "$.type: unknown type \"nul\""},
        {"{\"type\":[\"string\",\"null\"]}", ""},
        {"{\"items\":[{}]}", "$.items: a schema is an object, true or false"},
        {"{\"anyOf\":[{},{\"minLength\":-1}]}", "$.anyOf[1].minLength: must be an integer from 0"},
        {"{\"anyOf\":[]}", "$.anyOf: must be an array of schemas"},
        {"{\"required\":\"a\"}", "$.required: must be an array of names"},
        {"{\"required\":[1]}", "$.required: must be an array of names"},
        {"{\"enum\":[]}", "$.enum: must be an array of at least one value"},
        {"{\"multipleOf\":0}", "$.multipleOf: must be a number above 0"},
        {"{\"minimum\":\"1\"}", "$.minimum: must be a number"},
        {"{\"uniqueItems\":1}", "$.uniqueItems: must be true or false"},
        {"{\"$ref\":\"#/$defs/a\"}",
         "$.$ref: \"#/$defs/a\" does not name a schema; \"#\" and \"#/$defs/name\" can"},
        {"{\"$ref\":\"#/$defs/a/b\",\"$defs\":{\"a\":{}}}",
         "$.$ref: \"#/$defs/a/b\" does not name a schema; \"#\" and \"#/$defs/name\" can"},
        {"{\"$ref\":\"http://x/y\"}",
         "$.$ref: \"http://x/y\" does not name a schema; \"#\" and \"#/$defs/name\" can"},
        {"{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{}}}", ""},
        {"{\"items\":{\"$defs\":{}}}", "$.items.$defs: may stand at the top only"},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"x\","
         "\"title\":\"t\",\"description\":\"d\",\"default\":1,\"examples\":[1],\"format\":"
         "\"email\","
         "\"$comment\":\"c\",\"deprecated\":true}",
         ""},
        {"{\"title\":1}", "$.title: must be a string"},
        {"{\"pattern\":\"[a-z\"}", "$.pattern: the pattern is not right at character 4: missing "
                                   "terminating ] for character class"},
        {"{\"pattern\":\"^\\\\d{1,40}\\\\.\\\\w$\"}", ""},
        {"{\"pattern\":\"^[a-z]+@([a-z]+[.])+[a-z]{2,20}$\"}", ""},
        {"{\"pattern\":1}", "$.pattern: must be a string"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct errbuf e = {""};
        int err = schema_check(checked(rows[i].schema), &e);
        assert_string_equal(e.text, rows[i].wanted);
        assert_int_equal(err, rows[i].wanted[0] ? ERR_INVALID : 0);
    }
}

static void test_scalars(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"true", "1", ""},
        {"false", "1", "$: is not allowed"},
        {"{\"type\":\"string\"}", "\"a\"", ""},
        {"{\"type\":\"string\"}", "1", "$: must be of type string, not number"},
        {"{\"type\":\"integer\"}", "1.0", ""},
        {"{\"type\":\"integer\"}", "1e300", ""},
        {"{\"type\":\"integer\"}", "1.5", "$: must be of type integer, not number"},
        {"{\"type\":[\"null\",\"boolean\"]}", "false", ""},
        {"{\"type\":[\"null\",\"boolean\"]}", "{}",
         "$: must be of one of the types [\"null\",\"boolean\"]"},
        {"{\"const\":{\"a\":[1]}}", "{\"a\":[1.0]}", ""},
        {"{\"const\":\"x\"}", "\"y\"", "$: must be \"x\""},
        {"{\"enum\":[\"a\",2,null]}", "null", ""},
        {"{\"enum\":[\"a\",2]}", "3", "$: must be one of [\"a\",2]"},
        {"{\"minimum\":3,\"maximum\":5}", "3", ""},
        {"{\"minimum\":3}", "2.9", "$: must be at least 3"},
        {"{\"minimum\":9007199254740993}", "9007199254740992",
         "$: must be at least 9007199254740993"},
        {"{\"maximum\":5}", "6", "$: must be at most 5"},
        {"{\"exclusiveMinimum\":3}", "3", "$: must be more than 3"},
        {"{\"exclusiveMaximum\":3}", "3", "$: must be less than 3"},
        {"{\"minimum\":3}", "\"2\"", ""},
        {"{\"multipleOf\":0.1}", "0.3", ""},
        {"{\"multipleOf\":7}", "21", ""},
        {"{\"multipleOf\":7}", "22", "$: must be a multiple of 7"},
        {"{\"minLength\":3,\"maxLength\":3}", "\"\\ud83d\\ude00a\303\251\"", ""},
        {"{\"minLength\":2}", "\"\\u00e9\"", "$: must have at least 2 characters, not 1"},
        {"{\"maxLength\":1}", "\"ab\"", "$: must have at most 1 characters, not 2"},
        {"{\"pattern\":\"^[a-z]+$\"}", "\"abc\"", ""},
        {"{\"pattern\":\"^[a-z]+$\"}", "\"aBc\"", "$: must match the pattern \"^[a-z]+$\""},
        {"{\"pattern\":\"b\"}", "\"abc\"", ""},
        {"{\"pattern\":\"b\"}", "7", ""},
    };
    check_rows(rows, ROWS(rows));
}

static void test_containers(void **state)
{
    (void)state;
    static const char person[] =
        "{\"type\":\"object\",\"required\":[\"name\"],\"additionalProperties\":false,"
        "\"properties\":{\"name\":{\"type\":\"string\"},\"tags\":{\"items\":{\"type\":\"string\"}},"
        "\"\\u00e9\":true}}";
    static const struct row rows[] = {
        {person, "{\"name\":\"a\",\"tags\":[\"x\"],\"\303\251\":1}", ""},
        {person, "{\"n\\u0061me\":\"a\"}", ""},
        {person, "{}", "$.name: is required"},
        {person, "{\"name\":1}", "$.name: must be of type string, not number"},
        {person, "{\"name\":\"a\",\"tags\":[\"x\",2]}",
         "$.tags[1]: must be of type string, not number"},
        {person, "{\"name\":\"a\",\"zip\":1,\"age\":1}", "$.zip: is not allowed"},
        {"{\"additionalProperties\":{\"type\":\"number\"}}", "{\"a\":1,\"b\":\"x\"}",
         "$.b: must be of type number, not string"},
        {"{\"minItems\":1}", "[]", "$: must have at least 1 elements, not 0"},
        {"{\"maxItems\":1}", "[1,2]", "$: must have at most 1 elements, not 2"},
        {"{\"minProperties\":1}", "{}", "$: must have at least 1 members, not 0"},
        {"{\"maxProperties\":0}", "{\"a\":1}", "$: must have at most 0 members, not 1"},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"number\"}}", "[\"a\",1,2]",
         ""},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"number\"}}", "[1]",
         "$[0]: must be of type string, not number"},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]",
         "$[1]: is not allowed"},
        {"{\"uniqueItems\":true}", "[1,\"1\",[1],{\"a\":1,\"b\":2},null,-1]", ""},
        {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},3,{\"b\":2.0,\"a\":1}]",
         "$: must not hold equal elements: 0 and 2 are"},
        {"{\"uniqueItems\":true}", "[\"\\u00e9\",0,\"\303\251\",-0.0]",
         "$: must not hold equal elements: 0 and 2 are"},
        {"{\"uniqueItems\":true}", "[9007199254740993,9007199254740992]", ""},
        {"{\"uniqueItems\":false}", "[1,1]", ""},
    };
    check_rows(rows, ROWS(rows));
}

static void test_combined(void **state)
{
    (void)state;
    static const char tree[] =
        "{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":"
        "{\"v\":{\"type\":\"number\"},\"kids\":{\"items\":{\"$ref\":\"#/$defs/node\"}}}}}}";
    static const struct row rows[] = {
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "7", ""},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "3",
         "$: matches none of the schemas in anyOf"},
        {"{\"oneOf\":[{\"minimum\":1},{\"minimum\":5}]}", "3", ""},
        {"{\"oneOf\":[{\"minimum\":1},{\"minimum\":5}]}", "7",
         "$: matches more than one of the schemas in oneOf"},
        {"{\"oneOf\":[{\"minimum\":1},{\"minimum\":5}]}", "0",
         "$: matches none of the schemas in oneOf"},
        {"{\"allOf\":[{\"minimum\":1},{\"maximum\":5}]}", "7", "$: must be at most 5"},
        {"{\"not\":{\"type\":\"null\"}}", "null", "$: must not match the schema in not"},
        {"{\"not\":{\"type\":\"null\"}}", "1", ""},
        {"{\"if\":{\"minimum\":5},\"then\":{\"maximum\":7},\"else\":{\"const\":1}}", "6", ""},
        {"{\"if\":{\"minimum\":5},\"then\":{\"maximum\":7},\"else\":{\"const\":1}}", "8",
         "$: must be at most 7"},
        {"{\"if\":{\"minimum\":5},\"then\":{\"maximum\":7},\"else\":{\"const\":1}}", "2",
         "$: must be 1"},
        {"{\"if\":{\"minimum\":5},\"then\":{\"maximum\":7}}", "2", ""},
        {"{\"then\":false,\"else\":false}", "2", ""},
        {"{\"propertyNames\":{\"maxLength\":2}}", "{\"ab\":1,\"\\u00e9x\":2}", ""},
        {"{\"propertyNames\":{\"maxLength\":2}}", "{\"ab\":1,\"abc\":2}",
         "$.abc: must have at most 2 characters, not 3"},
        {"{\"propertyNames\":false}", "[1]", ""},
        {tree, "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[]},{\"v\":3}]}", ""},
        {tree, "{\"v\":1,\"kids\":[{\"kids\":[{\"v\":\"x\"}]}]}",
         "$.kids[0].kids[0].v: must be of type number, not string"},
        {"{\"items\":{\"$ref\":\"#\"},\"maxItems\":2}", "[[],[[]]]", ""},
        {"{\"items\":{\"$ref\":\"#\"},\"maxItems\":2}", "[[],[1,2,3]]",
         "$[1]: must have at most 2 elements, not 3"},
    };
    check_rows(rows, ROWS(rows));
}

/* References in circles and combinations without end give an error, soon. */
static void test_limits(void **state)
{
    (void)state;
    static const char too_much[] = "$: is too much work for its schema";
    static const struct row rows[] = {
        {"{\"$ref\":\"#\"}", "1", too_much},
        {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},"
         "\"b\":{\"$ref\":\"#/$defs/a\"}}}",
         "1", too_much},
        {"{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", "1", too_much},
        {"{\"not\":{\"$ref\":\"#\"}}", "1", too_much},
        {"{\"if\":{\"$ref\":\"#\"}}", "1", too_much},
        {"{\"oneOf\":[{\"not\":{\"$ref\":\"#\"}},{\"not\":{\"$ref\":\"#\"}}]}", "1", too_much},
    };
    check_rows(rows, ROWS(rows));
}

static void test_large(void **state)
{
    (void)state;
    struct errbuf e = {""};
    struct buf value, schema;
    buf_init(&value, 32 << 20);
    buf_init(&schema, 32 << 20);
    buf_append_z(&value, "{\"list\":[");
    for (int i = 0; i < 100000; i++)
        buf_printf(&value, "%s\"text %d\"", i ? "," : "", i);
    buf_append_z(&value, "]");
    for (int i = 0; i < 20000; i++)
        buf_printf(&value, ",\"m%d\":%d", i, i);
    buf_append_z(&value, "}");
    buf_append_z(&schema, "{\"additionalProperties\":false,\"properties\":{\"list\":"
                          "{\"uniqueItems\":true,\"items\":{\"type\":\"string\"}}");
    for (int i = 0; i < 20000; i++)
        buf_printf(&schema, ",\"m%d\":{\"minimum\":%d}", i, i);
    buf_append_z(&schema, "}}");
    assert_int_equal(schema_check(checked(schema.data), &e), 0);
    assert_int_equal(schema_validate(checked(schema.data), checked(value.data), &e), 0);
    assert_string_equal(e.text, "");
    /* A pattern is not held against a long string. */
    buf_clear(&value);
    buf_append_z(&value, "\"");
    while (value.len < 40000)
        buf_append_z(&value, "aaaaaaaaaaaaaaaa");
    buf_append_z(&value, "\"");
    assert_int_equal(schema_validate(checked("{\"pattern\":\"a\"}"), checked(value.data), &e),
                     ERR_INVALID);
    assert_string_equal(e.text, "$: is longer than the 4096 bytes that a pattern is held against");
    /* More patterns than are kept compiled. */
    buf_clear(&schema);
    buf_append_z(&schema, "{\"items\":{\"allOf\":[");
    for (int i = 0; i < 20; i++)
        buf_printf(&schema, "%s{\"pattern\":\"^[a-z]{%d}\"}", i ? "," : "", i + 1);
    buf_append_z(&schema, "]}}");
    assert_int_equal(
        schema_validate(checked(schema.data),
                        checked("[\"aaaaaaaaaaaaaaaaaaaaaaaa\",\"aaaaaaaaaaaaaaaaaaaa\"]"), &e),
        0);
    buf_deinit(&value);
    buf_deinit(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),      cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_containers), cmocka_unit_test(test_combined),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
