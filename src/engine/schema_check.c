#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"
#include "engine/schema.h"
#include "engine/schema_path.h"

struct schema_check {
    struct json root;
    struct errbuf *e;
};

static int check_schema(struct schema_check *c, struct json schema, const struct schema_path *at);

__attribute__((format(printf, 3, 4))) static int check_fail(const struct schema_check *c,
                                                            const struct schema_path *at,
                                                            const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int err = schema_path_fail(at, c->e, fmt, ap);
    va_end(ap);
    return err;
}

static bool check_is_type(struct json v)
{
    static const char *const names[] = {"null",   "boolean", "object", "array",
                                        "number", "integer", "string"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (json_string_eq(v, names[i]))
            return true;
    }
    return false;
}

static int check_type(struct schema_check *c, struct json word, const struct schema_path *at)
{
    struct json_iter it;
    if (check_is_type(word))
        return 0;
    if (json_type(word) != JSON_ARRAY || !json_length(word))
        return check_fail(c, at,
                          "must be null, boolean, object, array, number, integer, string, "
                          "or an array of these");
    json_iter_init(&it, word);
    while (json_iter_next(&it)) {
        if (!check_is_type(it.value))
            return check_fail(c, at, "unknown type %.*s", STR_FMT(json_raw(it.value)));
    }
    return 0;
}

static int check_any(struct schema_check *c, struct json word, const struct schema_path *at)
{
    (void)c, (void)word, (void)at;
    return 0;
}

static int check_string(struct schema_check *c, struct json word, const struct schema_path *at)
{
    return json_type(word) == JSON_STRING ? 0 : check_fail(c, at, "must be a string");
}

static int check_root_string(struct schema_check *c, struct json word, const struct schema_path *at)
{
    if (at->up->up)
        return check_fail(c, at, "may stand at the top only");
    return check_string(c, word, at);
}

static int check_bool(struct schema_check *c, struct json word, const struct schema_path *at)
{
    bool b;
    return json_bool(word, &b) ? 0 : check_fail(c, at, "must be true or false");
}

static int check_number(struct schema_check *c, struct json word, const struct schema_path *at)
{
    return json_type(word) == JSON_NUMBER ? 0 : check_fail(c, at, "must be a number");
}

static int check_factor(struct schema_check *c, struct json word, const struct schema_path *at)
{
    double d;
    return json_double(word, &d) && d > 0 ? 0 : check_fail(c, at, "must be a number above 0");
}

static int check_count(struct schema_check *c, struct json word, const struct schema_path *at)
{
    int64_t n;
    return json_i64(word, &n) && n >= 0 ? 0 : check_fail(c, at, "must be an integer from 0");
}

static int check_enum(struct schema_check *c, struct json word, const struct schema_path *at)
{
    return json_type(word) == JSON_ARRAY && json_length(word)
               ? 0
               : check_fail(c, at, "must be an array of at least one value");
}

static int check_required(struct schema_check *c, struct json word, const struct schema_path *at)
{
    struct json_iter it;
    if (json_type(word) != JSON_ARRAY)
        return check_fail(c, at, "must be an array of names");
    json_iter_init(&it, word);
    while (json_iter_next(&it)) {
        if (json_type(it.value) != JSON_STRING)
            return check_fail(c, at, "must be an array of names");
    }
    return 0;
}

static int check_pattern(struct schema_check *c, struct json word, const struct schema_path *at)
{
    struct errbuf why;
    struct pattern *compiled;
    if (json_type(word) != JSON_STRING)
        return check_fail(c, at, "must be a string");
    char *pattern = json_strdup(word);
    int err = pattern_create(&compiled, str_of(pattern), &why);
    free(pattern);
    if (err)
        return check_fail(c, at, "%s", why.text);
    pattern_destroy(compiled);
    return 0;
}

static int check_list(struct schema_check *c, struct json word, const struct schema_path *at)
{
    struct json_iter it;
    if (json_type(word) != JSON_ARRAY || !json_length(word))
        return check_fail(c, at, "must be an array of schemas");
    json_iter_init(&it, word);
    while (json_iter_next(&it)) {
        struct schema_path here = schema_path_index(at, it.index);
        int err = check_schema(c, it.value, &here);
        if (err)
            return err;
    }
    return 0;
}

static int check_map(struct schema_check *c, struct json word, const struct schema_path *at)
{
    struct json_iter it;
    if (json_type(word) != JSON_OBJECT)
        return check_fail(c, at, "must be an object of schemas");
    json_iter_init(&it, word);
    while (json_iter_next(&it)) {
        struct schema_path here = schema_path_key(at, it.key);
        int err = check_schema(c, it.value, &here);
        if (err)
            return err;
    }
    return 0;
}

static int check_defs(struct schema_check *c, struct json word, const struct schema_path *at)
{
    if (at->up->up)
        return check_fail(c, at, "may stand at the top only");
    return check_map(c, word, at);
}

static int check_ref(struct schema_check *c, struct json word, const struct schema_path *at)
{
    if (json_type(word) != JSON_STRING)
        return check_fail(c, at, "must be a string");
    if (!json_exists(schema_resolve(c->root, word)))
        return check_fail(c, at, "%.*s does not name a schema; \"#\" and \"#/$defs/name\" can",
                          STR_FMT(json_raw(word)));
    return 0;
}

static const struct schema_word {
    const char *name;
    int (*check)(struct schema_check *c, struct json word, const struct schema_path *at);
} check_words[] = {
    {"type", check_type},
    {"properties", check_map},
    {"required", check_required},
    {"additionalProperties", check_schema},
    {"enum", check_enum},
    {"const", check_any},
    {"items", check_schema},
    {"prefixItems", check_list},
    {"minItems", check_count},
    {"maxItems", check_count},
    {"uniqueItems", check_bool},
    {"minimum", check_number},
    {"maximum", check_number},
    {"exclusiveMinimum", check_number},
    {"exclusiveMaximum", check_number},
    {"multipleOf", check_factor},
    {"minLength", check_count},
    {"maxLength", check_count},
    {"minProperties", check_count},
    {"maxProperties", check_count},
    {"pattern", check_pattern},
    {"anyOf", check_list},
    {"allOf", check_list},
    {"oneOf", check_list},
    {"not", check_schema},
    {"if", check_schema},
    {"then", check_schema},
    {"else", check_schema},
    {"propertyNames", check_schema},
    {"$ref", check_ref},
    {"$defs", check_defs},
    {"$schema", check_root_string},
    {"$id", check_root_string},
    {"title", check_string},
    {"description", check_string},
    {"default", check_any},
    {"examples", check_any},
    {"format", check_string},
    {"deprecated", check_bool},
    {"readOnly", check_bool},
    {"writeOnly", check_bool},
    {"$comment", check_string},
};

static const struct schema_word *check_find_word(const struct json_iter *it)
{
    for (size_t i = 0; i < sizeof check_words / sizeof *check_words; i++) {
        if (json_iter_key_is(it, check_words[i].name))
            return &check_words[i];
    }
    return NULL;
}

static int check_schema(struct schema_check *c, struct json schema, const struct schema_path *at)
{
    struct json_iter it;
    bool b;
    if (json_bool(schema, &b))
        return 0;
    if (json_type(schema) != JSON_OBJECT)
        return check_fail(c, at, "a schema is an object, true or false");
    json_iter_init(&it, schema);
    while (json_iter_next(&it)) {
        struct schema_path here = schema_path_key(at, it.key);
        const struct schema_word *w = check_find_word(&it);
        int err = w ? w->check(c, it.value, &here) : check_fail(c, &here, "unknown keyword");
        if (err)
            return err;
    }
    return 0;
}

int schema_check(struct json schema, struct errbuf *e)
{
    struct schema_check c = {schema, e};
    struct schema_path top = {NULL, STR_NULL, 0};
    return check_schema(&c, schema, &top);
}
