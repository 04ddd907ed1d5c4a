#include "llm/demo_json.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "llm/demo_text.h"

#define DEPTH_MAX     12 /* of what is written; a schema may refer to itself */
#define ITEMS_DEFAULT 2

struct demo_maker {
    struct jw w;
    struct json root;
    struct str topic;
    uint64_t random;
    bool is_remarked;
    unsigned round; /* of a work that gets better; 0: not told */
    int mood;       /* of the last decision: above 0 for, below against; a score goes with it */
};

static void maker_value(struct demo_maker *m, struct json schema, struct str name, unsigned depth);

static bool name_has(struct str name, const char *part)
{
    return memmem(name.p, name.n, part, strlen(part)) != NULL;
}

/* #/$defs/Name or #/definitions/Name, else absent. */
static struct json maker_resolve(const struct demo_maker *m, struct json ref)
{
    static const char *const places[] = {"$defs", "definitions"};
    struct buf path;
    struct json found = JSON_ABSENT;
    buf_init(&path, 1024);
    if (json_string(ref, &path) && path.len) {
        const char *name = strrchr(path.data, '/');
        for (size_t i = 0; name && i < 2 && !json_exists(found); i++)
            found = json_get(json_get(m->root, places[i]), name + 1);
    }
    buf_deinit(&path);
    return found;
}

static struct json maker_element(struct json array, uint64_t index)
{
    struct json_iter it;
    size_t n = json_length(array);
    json_iter_init(&it, array);
    while (json_iter_next(&it))
        if (it.index == index % (n ? n : 1))
            return it.value;
    return JSON_ABSENT;
}

static void maker_number(struct demo_maker *m, struct json schema, struct str name, bool is_integer)
{
    double low = (double)NAN, high = (double)NAN, step = is_integer ? 1 : 0;
    json_double(json_get(schema, "multipleOf"), &step);
    bool has_low = json_double(json_get(schema, "minimum"), &low);
    bool has_high = json_double(json_get(schema, "maximum"), &high);
    double out;
    if (json_double(json_get(schema, "exclusiveMinimum"), &out)) {
        low = out + (step > 0 ? step : 0.01);
        has_low = true;
    }
    if (json_double(json_get(schema, "exclusiveMaximum"), &out)) {
        high = out - (step > 0 ? step : 0.01);
        has_high = true;
    }
    bool is_share = !is_integer && (name_has(name, "confidence") || name_has(name, "probab"));
    if (!has_low)
        low = has_high ? high - 9 : is_share ? 0 : 1;
    if (!has_high)
        high = is_share ? low + 1 : low + 9;
    double share = 0.3 + 0.6 * (double)(demo_random(&m->random) % 1000) / 1000;
    if (m->mood && name_has(name, "score"))
        share = m->mood > 0 ? 0.6 + share * 0.4 : share * 0.5;
    else if (m->round && name_has(name, "score"))
        share = m->round < 3 ? 0.47 + 0.18 * m->round : 0.95;
    double value = low + (high - low) * share;
    if (step > 0)
        value = ceil(low / step) * step + floor((value - low) / step) * step;
    else
        value = round(value * 100) / 100;
    if (value > high)
        value = high;
    jw_double(&m->w, value < low ? low : value);
}

static void maker_sentence(struct demo_maker *m, struct str name, struct buf *out)
{
    static const char *const reasons[][2] = {
        {"The stronger points on “", "” were those that can be undone."},
        {"On “", "” the costs were named more clearly than the gains."},
        {"What was said about “", "” lacks figures, but points one way."},
    };
    static const char *const phrases[][2] = {
        {"a first step on ", ""},
        {"more about ", ""},
        {"", ", in brief"},
    };
    static const char *const long_names[] = {"reason",  "ration",   "summary", "text",
                                             "comment", "feedback", "explan",  "verdict"};
    bool is_long = false;
    for (size_t i = 0; i < sizeof(long_names) / sizeof(long_names[0]); i++)
        is_long = is_long || name_has(name, long_names[i]);
    const char *const *parts = (is_long ? reasons : phrases)[demo_random(&m->random) % 3];
    buf_append_z(out, parts[0]);
    buf_append_str(out, m->topic);
    buf_append_z(out, parts[1]);
}

static void maker_string(struct demo_maker *m, struct json schema, struct str name)
{
    int64_t least = 0, most = INT64_MAX;
    json_i64(json_get(schema, "minLength"), &least);
    json_i64(json_get(schema, "maxLength"), &most);
    struct buf text;
    buf_init(&text, 64u << 10);
    maker_sentence(m, name, &text);
    if (!m->is_remarked && (int64_t)text.len + (int64_t)sizeof(DEMO_REMARK) <= most) {
        buf_append_z(&text, " " DEMO_REMARK);
        m->is_remarked = true;
    }
    while ((int64_t)text.len < least * 4 && buf_append_z(&text, " and so on") == 0) {}
    /* A character has a byte at least, so that a cut in bytes never leaves too many. */
    size_t n =
        (int64_t)text.len > most ? utf8_cut(text.data, most > 0 ? (size_t)most : 0) : text.len;
    jw_string(&m->w, (struct str){text.data, n});
    buf_deinit(&text);
}

static void maker_array(struct demo_maker *m, struct json schema, struct str name, unsigned depth)
{
    int64_t least = 0, most = INT64_MAX;
    json_i64(json_get(schema, "minItems"), &least);
    json_i64(json_get(schema, "maxItems"), &most);
    int64_t count = least > ITEMS_DEFAULT ? least : ITEMS_DEFAULT;
    if (count > most)
        count = most;
    jw_array(&m->w);
    for (int64_t i = 0; i < count && i < 1000; i++)
        maker_value(m, json_get(schema, "items"), name, depth + 1);
    jw_end(&m->w);
}

static void maker_object(struct demo_maker *m, struct json schema, unsigned depth)
{
    struct json_iter it;
    jw_object(&m->w);
    json_iter_init(&it, json_get(schema, "properties"));
    struct buf key;
    buf_init(&key, 64u << 10);
    while (json_iter_next(&it)) {
        buf_clear(&key);
        json_iter_key(&it, &key);
        jw_key_str(&m->w, buf_str(&key));
        maker_value(m, it.value, it.key, depth + 1);
    }
    buf_deinit(&key);
    jw_end(&m->w);
}

/* The name of the type to write: the first that is not null, or what the other members imply. */
static bool schema_is(struct json schema, const char *type)
{
    struct json v = json_get(schema, "type");
    if (json_type(v) != JSON_ARRAY)
        return json_string_eq(v, type);
    struct json first = maker_element(v, 0);
    if (json_string_eq(first, "null"))
        first = maker_element(v, 1);
    return json_string_eq(first, type);
}

static void maker_typed(struct demo_maker *m, struct json schema, struct str name, unsigned depth)
{
    if (schema_is(schema, "object") || json_exists(json_get(schema, "properties")))
        maker_object(m, schema, depth);
    else if (schema_is(schema, "array") || json_exists(json_get(schema, "items")))
        maker_array(m, schema, name, depth);
    else if (schema_is(schema, "integer"))
        maker_number(m, schema, name, true);
    else if (schema_is(schema, "number"))
        maker_number(m, schema, name, false);
    else if (schema_is(schema, "boolean"))
        jw_bool(&m->w, demo_random(&m->random) % 3 != 0);
    else if (schema_is(schema, "null"))
        jw_null(&m->w);
    else
        maker_string(m, schema, name);
}

static void maker_choice(struct demo_maker *m, struct json words)
{
    static const char *const good[] = {"yes", "approve", "supported"}, *const bad[] = {"no",
                                                                                       "reject"};
    uint64_t dice = demo_random(&m->random);
    /* The first is what is usual: half of the answers, and its share of the rest. */
    struct json word = maker_element(words, dice % 2 ? 0 : dice / 2);
    m->mood = 0;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        m->mood += json_string_eq(word, good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        m->mood -= json_string_eq(word, bad[i]);
    jw_raw(&m->w, json_raw(word));
}

static void maker_value(struct demo_maker *m, struct json schema, struct str name, unsigned depth)
{
    struct json v;
    if (depth > DEPTH_MAX) {
        jw_null(&m->w);
        return;
    }
    if (json_exists(v = json_get(schema, "const")))
        jw_raw(&m->w, json_raw(v));
    else if (json_length(v = json_get(schema, "enum")))
        maker_choice(m, v);
    else if (json_exists(v = maker_resolve(m, json_get(schema, "$ref"))))
        maker_value(m, v, name, depth + 1);
    else if (json_length(v = json_get(schema, "anyOf")))
        maker_value(m, maker_element(v, 0), name, depth + 1);
    else if (json_length(v = json_get(schema, "oneOf")))
        maker_value(m, maker_element(v, 0), name, depth + 1);
    else if (json_length(v = json_get(schema, "allOf")))
        maker_value(m, maker_element(v, 0), name, depth + 1);
    else
        maker_typed(m, schema, name, depth);
}

void demo_json_write(struct json schema, const struct demo_asked *asked, struct buf *out)
{
    struct demo_maker m = {
        .root = schema, .topic = asked->topic, .random = asked->seed, .round = asked->round};
    jw_init(&m.w, out);
    maker_value(&m, schema, STR("text"), 0);
}
