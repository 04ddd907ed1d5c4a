/* Holding a value against a schema that schema_check() has accepted.
 *
 * Both texts come from peers, so all work is counted: combinations of anyOf and $ref grow without
 * bound otherwise. Members of large objects are looked up by hash, and equal elements are found by
 * sorting hashes, so that the counted work of honest values stays far below the limit. */
#include "engine/schema.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_scan.h"
#include "base/keyset.h"
#include "base/pattern.h"
#include "base/utf8.h"
#include "engine/schema_path.h"

#define SCHEMA_WORK_MAX          2000000    /* units, about 100 ns each */
#define SCHEMA_DEPTH_MAX         200        /* schemas within schemas, $ref included */
#define SCHEMA_PATTERNS          8          /* compiled ones kept during one validation */
#define SCHEMA_PATTERN_VALUE_MAX (4u << 10) /* bytes of a string that a pattern is held against */

struct schema_run {
    struct json root;
    int64_t work; /* units left */
    bool ended;   /* by a limit: no alternative is tried any more */
    struct arena arena;
    struct {
        const char *text; /* where in the schema; NULL: free */
        struct pattern *p;
    } patterns[SCHEMA_PATTERNS];
    unsigned next_pattern;
};

struct schema_member {
    uint64_t hash;
    struct str key; /* unescaped */
    struct str raw_key;
    struct json value;
    bool known; /* named in properties */
};

/* One schema against one value. */
struct schema_at {
    struct schema_run *run;
    struct json schema, value;
    enum json_type type; /* of the value */
    const struct schema_path *path;
    unsigned depth;
    struct errbuf *e; /* NULL: only the verdict counts */
    /* The members of an object, in its order and by hash; made when first asked for */
    struct schema_member *members, **by_hash;
    size_t count;
};

static int schema_apply(const struct schema_at *from, struct json schema, struct json value,
                        const struct schema_path *path, struct errbuf *e);

__attribute__((format(printf, 2, 3))) static int schema_fail(const struct schema_at *a,
                                                             const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int err = schema_path_fail(a->path, a->e, fmt, ap);
    va_end(ap);
    return err;
}

/* Counts work; false: the limit is reached. */
static bool schema_work(struct schema_run *run, size_t units)
{
    run->work -= (int64_t)units;
    if (run->work <= 0)
        run->ended = true;
    return !run->ended;
}

static int schema_too_much(const struct schema_at *a)
{
    return schema_fail(a, "is too much work for its schema");
}

/* A string's content; unescaped bytes live as long as the run. */
static struct str schema_text(struct schema_run *run, struct str raw)
{
    if (!raw.n || !memchr(raw.p, '\\', raw.n))
        return raw;
    schema_work(run, raw.n / 16);
    char *out = arena_alloc(&run->arena, raw.n);
    return (struct str){out, json_unescape(raw, out)};
}

static struct str schema_inside(struct json string)
{
    return (struct str){string.p + 1, string.n - 2};
}

static int schema_shown(struct json v)
{
    return (int)(v.n > 120 ? utf8_cut(v.p, 120) : v.n);
}

static bool schema_is_integer(struct json v)
{
    double d;
    int64_t i;
    return json_i64(v, &i) || (json_double(v, &d) && floor(d) == d);
}

static bool schema_is_of_type(const struct schema_at *a, struct json name)
{
    switch (a->type) {
    case JSON_NONE:
        return false;
    case JSON_NULL:
        return json_string_eq(name, "null");
    case JSON_FALSE:
    case JSON_TRUE:
        return json_string_eq(name, "boolean");
    case JSON_NUMBER:
        return json_string_eq(name, "number") ||
               (json_string_eq(name, "integer") && schema_is_integer(a->value));
    case JSON_STRING:
        return json_string_eq(name, "string");
    case JSON_ARRAY:
        return json_string_eq(name, "array");
    case JSON_OBJECT:
        return json_string_eq(name, "object");
    }
    return false;
}

static int schema_type(struct schema_at *a, struct json word)
{
    struct json_iter it;
    if (json_type(word) == JSON_STRING) {
        if (schema_is_of_type(a, word))
            return 0;
        word = (struct json){word.p + 1, word.n - 2};
        return schema_fail(a, "must be of type %.*s, not %s", schema_shown(word), word.p,
                           json_type_name(a->type));
    }
    json_iter_init(&it, word);
    while (json_iter_next(&it)) {
        if (schema_is_of_type(a, it.value))
            return 0;
    }
    return schema_fail(a, "must be of one of the types %.*s", schema_shown(word), word.p);
}

static int schema_const(struct schema_at *a, struct json word)
{
    if (!schema_work(a->run, (word.n + a->value.n) / 32))
        return schema_too_much(a);
    return json_eq(word, a->value) ? 0 : schema_fail(a, "must be %.*s", schema_shown(word), word.p);
}

static int schema_enum(struct schema_at *a, struct json word)
{
    struct json_iter it;
    json_iter_init(&it, word);
    while (json_iter_next(&it)) {
        size_t least = it.value.n < a->value.n ? it.value.n : a->value.n;
        if (!schema_work(a->run, 1 + least / 32))
            return schema_too_much(a);
        if (json_eq(it.value, a->value))
            return 0;
    }
    return schema_fail(a, "must be one of %.*s", schema_shown(word), word.p);
}

/* Less than, equal to or greater than 0; 64-bit integers exactly. */
static int schema_compare(struct json a, struct json b)
{
    int64_t ia, ib;
    double da = 0, db = 0;
    if (json_i64(a, &ia) && json_i64(b, &ib))
        return (ia > ib) - (ia < ib);
    json_double(a, &da);
    json_double(b, &db);
    return (da > db) - (da < db);
}

static int schema_number(const struct schema_at *a, struct json word, bool holds, const char *rule)
{
    if (a->type != JSON_NUMBER || holds)
        return 0;
    return schema_fail(a, "must be %s %.*s", rule, schema_shown(word), word.p);
}

static int schema_minimum(struct schema_at *a, struct json word)
{
    return schema_number(a, word, schema_compare(a->value, word) >= 0, "at least");
}

static int schema_maximum(struct schema_at *a, struct json word)
{
    return schema_number(a, word, schema_compare(a->value, word) <= 0, "at most");
}

static int schema_exclusive_minimum(struct schema_at *a, struct json word)
{
    return schema_number(a, word, schema_compare(a->value, word) > 0, "more than");
}

static int schema_exclusive_maximum(struct schema_at *a, struct json word)
{
    return schema_number(a, word, schema_compare(a->value, word) < 0, "less than");
}

static int schema_multiple_of(struct schema_at *a, struct json word)
{
    int64_t iv, im;
    double v = 0, m = 1;
    if (json_i64(a->value, &iv) && json_i64(word, &im))
        return schema_number(a, word, iv % im == 0, "a multiple of");
    json_double(a->value, &v);
    json_double(word, &m);
    double q = v / m; /* 0.3 is a multiple of 0.1 to everybody but a computer */
    bool holds = isfinite(q) && fabs(q - round(q)) < 1e-9 * fmax(1, fabs(q));
    return schema_number(a, word, holds, "a multiple of");
}

static size_t schema_code_points(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

static int schema_count(const struct schema_at *a, struct json word, size_t n, bool least,
                        const char *what)
{
    int64_t limit = 0;
    json_i64(word, &limit);
    if (least ? n >= (uint64_t)limit : n <= (uint64_t)limit)
        return 0;
    return schema_fail(a, "must have at %s %lld %s, not %zu", least ? "least" : "most",
                       (long long)limit, what, n);
}

static int schema_length(struct schema_at *a, struct json word, bool least)
{
    if (a->type != JSON_STRING)
        return 0;
    if (!schema_work(a->run, a->value.n / 64))
        return schema_too_much(a);
    struct str s = schema_text(a->run, schema_inside(a->value));
    return schema_count(a, word, schema_code_points(s), least, "characters");
}

static int schema_min_length(struct schema_at *a, struct json word)
{
    return schema_length(a, word, true);
}

static int schema_max_length(struct schema_at *a, struct json word)
{
    return schema_length(a, word, false);
}

static int schema_min_items(struct schema_at *a, struct json word)
{
    return a->type == JSON_ARRAY ? schema_count(a, word, json_length(a->value), true, "elements")
                                 : 0;
}

static int schema_max_items(struct schema_at *a, struct json word)
{
    return a->type == JSON_ARRAY ? schema_count(a, word, json_length(a->value), false, "elements")
                                 : 0;
}

static int schema_min_properties(struct schema_at *a, struct json word)
{
    return a->type == JSON_OBJECT ? schema_count(a, word, json_length(a->value), true, "members")
                                  : 0;
}

static int schema_max_properties(struct schema_at *a, struct json word)
{
    return a->type == JSON_OBJECT ? schema_count(a, word, json_length(a->value), false, "members")
                                  : 0;
}

/* The compiled pattern; NULL: it cannot be compiled, which schema_check() would have said. */
static const struct pattern *schema_compiled(struct schema_run *run, struct json word)
{
    for (unsigned i = 0; i < SCHEMA_PATTERNS; i++) {
        if (run->patterns[i].text == word.p)
            return run->patterns[i].p;
    }
    unsigned slot = run->next_pattern++ % SCHEMA_PATTERNS;
    struct pattern *p = NULL;
    char *text = json_strdup(word);
    schema_work(run, 1000);
    if (!text || pattern_create(&p, str_of(text), NULL)) {
        free(text);
        return NULL;
    }
    free(text);
    pattern_destroy(run->patterns[slot].p);
    run->patterns[slot].text = word.p;
    run->patterns[slot].p = p;
    return p;
}

static int schema_pattern_hold(struct schema_at *a, struct json word)
{
    if (a->type != JSON_STRING)
        return 0;
    if (a->value.n > SCHEMA_PATTERN_VALUE_MAX)
        return schema_fail(a, "is longer than the %u bytes that a pattern is held against",
                           SCHEMA_PATTERN_VALUE_MAX);
    const struct pattern *p = schema_compiled(a->run, word);
    if (!p)
        return schema_fail(a, "cannot be held against its pattern");
    if (!schema_work(a->run, 2000 + a->value.n)) /* a match may take PATTERN_STEPS_MAX */
        return schema_too_much(a);
    char *s = json_strdup(a->value);
    int found = pattern_match(p, str_of(s));
    free(s);
    if (found < 0)
        return schema_fail(a, "takes too many steps to be held against its pattern");
    return found ? 0 : schema_fail(a, "must match the pattern %.*s", schema_shown(word), word.p);
}

static int schema_prefix_items(struct schema_at *a, struct json word)
{
    struct json_iter items, schemas;
    if (a->type != JSON_ARRAY)
        return 0;
    json_iter_init(&items, a->value);
    json_iter_init(&schemas, word);
    while (json_iter_next(&items) && json_iter_next(&schemas)) {
        struct schema_path path = schema_path_index(a->path, items.index);
        int err = schema_apply(a, schemas.value, items.value, &path, a->e);
        if (err)
            return err;
    }
    return 0;
}

static int schema_items(struct schema_at *a, struct json word)
{
    struct json_iter it;
    if (a->type != JSON_ARRAY)
        return 0;
    size_t skip = json_length(json_get(a->schema, "prefixItems"));
    json_iter_init(&it, a->value);
    while (json_iter_next(&it)) {
        if (it.index < skip)
            continue;
        struct schema_path path = schema_path_index(a->path, it.index);
        int err = schema_apply(a, word, it.value, &path, a->e);
        if (err)
            return err;
    }
    return 0;
}

/* Equal values have equal hashes: numbers by value, members in any order. */
static uint64_t schema_hash(struct schema_run *run, struct json v)
{
    struct json_iter it;
    double d = 0;
    uint64_t h = 0x100 + (uint64_t)json_type(v);
    switch (json_type(v)) {
    case JSON_NONE:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        return h * 0x9e3779b97f4a7c15u;
    case JSON_NUMBER:
        json_double(v, &d);
        d = d == 0 ? 0 : d; /* not -0 */
        return keyset_hash((struct str){(const char *)&d, sizeof d});
    case JSON_STRING:
        return keyset_hash(schema_text(run, schema_inside(v)));
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        uint64_t x = schema_hash(run, it.value);
        if (it.object)
            h += (x ^ keyset_hash(schema_text(run, it.key))) * 0xff51afd7ed558ccdu;
        else
            h = (h ^ x) * 0xff51afd7ed558ccdu + 1;
    }
    return h;
}

struct schema_item {
    uint64_t hash;
    size_t index;
    struct json value;
};

static int schema_item_order(const void *pa, const void *pb)
{
    const struct schema_item *a = pa, *b = pb;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* The equal pair with the smallest second element: what a reader from the left would find. */
static int schema_find_equal(struct schema_at *a, const struct schema_item *items, size_t n)
{
    size_t first = 0, second = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n && items[j].hash == items[i].hash; j++) {
            if (!schema_work(a->run, 1 + items[i].value.n / 32))
                return schema_too_much(a);
            if (items[j].index < second && json_eq(items[i].value, items[j].value)) {
                first = items[i].index;
                second = items[j].index;
            }
        }
    }
    if (second == SIZE_MAX)
        return 0;
    return schema_fail(a, "must not hold equal elements: %zu and %zu are", first, second);
}

static int schema_unique_items(struct schema_at *a, struct json word)
{
    struct json_iter it;
    size_t n = 0;
    if (a->type != JSON_ARRAY || json_type(word) != JSON_TRUE)
        return 0;
    size_t count = json_length(a->value);
    if (!schema_work(a->run, count * 2 + a->value.n / 32))
        return schema_too_much(a);
    struct schema_item *items = malloc((count + 1) * sizeof *items);
    if (!items)
        return schema_fail(a, "is too large");
    json_iter_init(&it, a->value);
    while (json_iter_next(&it)) {
        items[n].hash = schema_hash(a->run, it.value);
        items[n].index = it.index;
        items[n++].value = it.value;
    }
    qsort(items, n, sizeof *items, schema_item_order);
    int err = schema_find_equal(a, items, n);
    free(items);
    return err;
}

static int schema_member_order(const void *pa, const void *pb)
{
    const struct schema_member *a = *(struct schema_member *const *)pa;
    const struct schema_member *b = *(struct schema_member *const *)pb;
    return (a->hash > b->hash) - (a->hash < b->hash);
}

/* Lists the members of the value, an object. */
static int schema_list_members(struct schema_at *a)
{
    struct json_iter it;
    if (a->members)
        return 0;
    size_t count = json_length(a->value), n = 0;
    if (!schema_work(a->run, count * 2))
        return schema_too_much(a);
    a->members = calloc(count + 1, sizeof *a->members);
    a->by_hash = calloc(count + 1, sizeof *a->by_hash);
    if (!a->members || !a->by_hash)
        return schema_fail(a, "is too large");
    json_iter_init(&it, a->value);
    while (json_iter_next(&it)) {
        struct schema_member *m = &a->members[n];
        m->raw_key = it.key;
        m->key = schema_text(a->run, it.key);
        m->hash = keyset_hash(m->key);
        m->value = it.value;
        a->by_hash[n++] = m;
    }
    a->count = n;
    qsort(a->by_hash, n, sizeof *a->by_hash, schema_member_order);
    return 0;
}

static struct schema_member *schema_find_member(const struct schema_at *a, struct str key)
{
    uint64_t hash = keyset_hash(key);
    size_t low = 0, high = a->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (a->by_hash[mid]->hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < a->count && a->by_hash[low]->hash == hash; low++) {
        if (str_eq(a->by_hash[low]->key, key))
            return a->by_hash[low];
    }
    return NULL;
}

static int schema_properties(struct schema_at *a, struct json word)
{
    struct json_iter it;
    if (a->type != JSON_OBJECT)
        return 0;
    int err = schema_list_members(a);
    json_iter_init(&it, word);
    while (!err && json_iter_next(&it)) {
        if (!schema_work(a->run, 2))
            return schema_too_much(a);
        const struct schema_member *m = schema_find_member(a, schema_text(a->run, it.key));
        if (!m)
            continue;
        struct schema_path path = schema_path_key(a->path, m->raw_key);
        err = schema_apply(a, it.value, m->value, &path, a->e);
    }
    return err;
}

static int schema_additional(struct schema_at *a, struct json word)
{
    struct json_iter it;
    if (a->type != JSON_OBJECT)
        return 0;
    int err = schema_list_members(a);
    json_iter_init(&it, json_get(a->schema, "properties"));
    while (!err && json_iter_next(&it)) {
        schema_work(a->run, 2);
        struct schema_member *m = schema_find_member(a, schema_text(a->run, it.key));
        if (m)
            m->known = true;
    }
    for (size_t i = 0; !err && i < a->count; i++) {
        const struct schema_member *m = &a->members[i];
        struct schema_path path = schema_path_key(a->path, m->raw_key);
        if (!m->known)
            err = schema_apply(a, word, m->value, &path, a->e);
    }
    return err;
}

static int schema_required(struct schema_at *a, struct json word)
{
    struct json_iter it;
    if (a->type != JSON_OBJECT)
        return 0;
    int err = schema_list_members(a);
    json_iter_init(&it, word);
    while (!err && json_iter_next(&it)) {
        struct str raw = schema_inside(it.value);
        if (!schema_work(a->run, 2))
            return schema_too_much(a);
        if (schema_find_member(a, schema_text(a->run, raw)))
            continue;
        struct schema_path path = schema_path_key(a->path, raw);
        struct schema_at missing = *a;
        missing.path = &path;
        err = schema_fail(&missing, "is required");
    }
    return err;
}

/* How many of the schemas hold; stops after `enough`. */
static size_t schema_holding(struct schema_at *a, struct json word, size_t enough)
{
    struct json_iter it;
    size_t n = 0;
    json_iter_init(&it, word);
    while (n < enough && !a->run->ended && json_iter_next(&it))
        n += schema_apply(a, it.value, a->value, a->path, NULL) == 0;
    return n;
}

static int schema_any_of(struct schema_at *a, struct json word)
{
    size_t n = schema_holding(a, word, 1);
    if (a->run->ended)
        return schema_too_much(a);
    return n ? 0 : schema_fail(a, "matches none of the schemas in anyOf");
}

static int schema_one_of(struct schema_at *a, struct json word)
{
    size_t n = schema_holding(a, word, 2);
    if (a->run->ended)
        return schema_too_much(a);
    return n == 1
               ? 0
               : schema_fail(a, "matches %s of the schemas in oneOf", n ? "more than one" : "none");
}

static int schema_all_of(struct schema_at *a, struct json word)
{
    struct json_iter it;
    int err = 0;
    json_iter_init(&it, word);
    while (!err && json_iter_next(&it))
        err = schema_apply(a, it.value, a->value, a->path, a->e);
    return err;
}

static int schema_not(struct schema_at *a, struct json word)
{
    int err = schema_apply(a, word, a->value, a->path, NULL);
    if (a->run->ended)
        return schema_too_much(a);
    return err ? 0 : schema_fail(a, "must not match the schema in not");
}

/* `if`, with the `then` and `else` beside it. */
static int schema_if(struct schema_at *a, struct json word)
{
    bool holds = schema_apply(a, word, a->value, a->path, NULL) == 0;
    if (a->run->ended)
        return schema_too_much(a);
    struct json next = json_get(a->schema, holds ? "then" : "else");
    return json_exists(next) ? schema_apply(a, next, a->value, a->path, a->e) : 0;
}

static int schema_property_names(struct schema_at *a, struct json word)
{
    struct json_iter it;
    int err = 0;
    if (a->type != JSON_OBJECT)
        return 0;
    json_iter_init(&it, a->value);
    while (!err && json_iter_next(&it)) {
        struct schema_path path = schema_path_key(a->path, it.key);
        struct json name = {it.key.p - 1, it.key.n + 2}; /* with its quotes */
        err = schema_apply(a, word, name, &path, a->e);
    }
    return err;
}

static int schema_ref(struct schema_at *a, struct json word)
{
    schema_work(a->run, 10 + a->run->root.n / 128);
    struct json schema = schema_resolve(a->run->root, word);
    if (!json_exists(schema))
        return schema_fail(a, "has a schema that is not there");
    return schema_apply(a, schema, a->value, a->path, a->e);
}

static const struct {
    const char *name;
    int (*hold)(struct schema_at *a, struct json word);
} schema_words[] = {
    {"type", schema_type},
    {"properties", schema_properties},
    {"required", schema_required},
    {"additionalProperties", schema_additional},
    {"enum", schema_enum},
    {"const", schema_const},
    {"items", schema_items},
    {"prefixItems", schema_prefix_items},
    {"minItems", schema_min_items},
    {"maxItems", schema_max_items},
    {"uniqueItems", schema_unique_items},
    {"minimum", schema_minimum},
    {"maximum", schema_maximum},
    {"exclusiveMinimum", schema_exclusive_minimum},
    {"exclusiveMaximum", schema_exclusive_maximum},
    {"multipleOf", schema_multiple_of},
    {"minLength", schema_min_length},
    {"maxLength", schema_max_length},
    {"minProperties", schema_min_properties},
    {"maxProperties", schema_max_properties},
    {"pattern", schema_pattern_hold},
    {"anyOf", schema_any_of},
    {"allOf", schema_all_of},
    {"oneOf", schema_one_of},
    {"not", schema_not},
    {"if", schema_if},
    {"propertyNames", schema_property_names},
    {"$ref", schema_ref},
};

static int schema_hold(struct schema_at *a, const struct json_iter *it)
{
    for (size_t i = 0; i < sizeof schema_words / sizeof *schema_words; i++) {
        if (json_iter_key_is(it, schema_words[i].name))
            return schema_words[i].hold(a, it->value);
    }
    return 0; /* annotations */
}

static int schema_apply(const struct schema_at *from, struct json schema, struct json value,
                        const struct schema_path *path, struct errbuf *e)
{
    struct schema_at a = {
        .run = from->run,
        .schema = schema,
        .value = value,
        .type = json_type(value),
        .path = path,
        .depth = from->depth + 1,
        .e = e,
    };
    struct json_iter it;
    int err = 0;
    if (json_type(schema) == JSON_TRUE)
        return 0;
    if (json_type(schema) == JSON_FALSE)
        return schema_fail(&a, "is not allowed");
    if (a.depth > SCHEMA_DEPTH_MAX)
        a.run->ended = true;
    if (!schema_work(a.run, 2 + (schema.n + value.n) / 128))
        return schema_too_much(&a);
    json_iter_init(&it, schema);
    while (!err && json_iter_next(&it))
        err = schema_hold(&a, &it);
    free(a.members);
    free(a.by_hash);
    return err;
}

int schema_validate(struct json schema, struct json value, struct errbuf *e)
{
    struct schema_run run = {.root = schema, .work = SCHEMA_WORK_MAX};
    struct schema_path top = {NULL, STR_NULL, 0};
    struct schema_at from = {.run = &run};
    arena_init(&run.arena);
    int err = schema_apply(&from, schema, value, &top, e);
    arena_deinit(&run.arena);
    for (unsigned i = 0; i < SCHEMA_PATTERNS; i++)
        pattern_destroy(run.patterns[i].p);
    return err;
}
