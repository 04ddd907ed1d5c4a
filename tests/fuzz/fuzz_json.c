/* The JSON check, and everything that reads text which has passed it. What we accept, cJSON (a
 * laxer parser) must accept and understand in the same way. */
#include "fuzz.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/json.h"
#include "base/json_tree.h"
#include "base/utf8.h"

static void fuzz_compare(struct json v, const cJSON *other);

static void fuzz_compare_children(struct json v, const cJSON *other)
{
    struct json_iter it;
    const cJSON *child = other->child;
    struct buf key;

    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        FUZZ_CHECK(child);
        if (it.object) {
            buf_init(&key, 1 << 20);
            FUZZ_CHECK(json_iter_key(&it, &key) == 0);
            FUZZ_CHECK(strcmp(key.data ? key.data : "", child->string) == 0);
            FUZZ_CHECK(json_iter_key_is(&it, child->string));
            buf_deinit(&key);
        }
        fuzz_compare(it.value, child);
        child = child->next;
    }
    FUZZ_CHECK(!child);
    FUZZ_CHECK(json_length(v) == (size_t)cJSON_GetArraySize(other));
}

static void fuzz_compare(struct json v, const cJSON *other)
{
    double d;
    int64_t i;
    char *z;

    switch (json_type(v)) {
    case JSON_NONE:
        FUZZ_CHECK(0);
        break;
    case JSON_NULL:
        FUZZ_CHECK(cJSON_IsNull(other));
        break;
    case JSON_FALSE:
        FUZZ_CHECK(cJSON_IsFalse(other));
        break;
    case JSON_TRUE:
        FUZZ_CHECK(cJSON_IsTrue(other));
        break;
    case JSON_NUMBER:
        /* cJSON 1.7.15 reads at most 63 characters of a number. */
        FUZZ_CHECK(json_double(v, &d) && cJSON_IsNumber(other));
        FUZZ_CHECK(v.n >= 63 || d == other->valuedouble);
        FUZZ_CHECK(!json_i64(v, &i) || (double)i == d);
        break;
    case JSON_STRING:
        z = json_strdup(v);
        FUZZ_CHECK(z && cJSON_IsString(other) && strcmp(z, other->valuestring) == 0);
        FUZZ_CHECK(json_string_eq(v, z) && utf8_is_valid(str_of(z)));
        free(z);
        break;
    case JSON_ARRAY:
        FUZZ_CHECK(cJSON_IsArray(other));
        fuzz_compare_children(v, other);
        break;
    case JSON_OBJECT:
        FUZZ_CHECK(cJSON_IsObject(other));
        fuzz_compare_children(v, other);
        break;
    }
}

/* Writes the value again, from what the views say. */
static void fuzz_rewrite(struct json v, struct jw *w)
{
    struct json_iter it;
    struct buf key;
    char *z = json_strdup(v);

    switch (json_type(v)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        json_type(v) == JSON_OBJECT ? jw_object(w) : jw_array(w);
        json_iter_init(&it, v);
        while (json_iter_next(&it)) {
            if (it.object) {
                buf_init(&key, 1 << 20);
                json_iter_key(&it, &key);
                jw_key_str(w, buf_str(&key));
                buf_deinit(&key);
            }
            fuzz_rewrite(it.value, w);
        }
        jw_end(w);
        break;
    case JSON_STRING:
        jw_stringz(w, z);
        break;
    case JSON_NONE:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_NUMBER:
        jw_raw(w, json_raw(v));
        break;
    }
    free(z);
}

static void fuzz_accepted(struct str text)
{
    struct json v = json_root(text);
    struct buf out;
    struct jw w;

    cJSON *other = cJSON_ParseWithLength(text.p, text.n);
    FUZZ_CHECK(other);
    fuzz_compare(v, other);
    cJSON_Delete(other);

    buf_init(&out, 1 << 20);
    jw_init(&w, &out);
    fuzz_rewrite(v, &w);
    FUZZ_CHECK(json_check(buf_str(&out), NULL, NULL) == 0);
    FUZZ_CHECK(json_eq(v, json_root(buf_str(&out))));

    buf_clear(&out);
    FUZZ_CHECK(json_compact(text, &out) == 0);
    FUZZ_CHECK(json_check(buf_str(&out), NULL, NULL) == 0);
    FUZZ_CHECK(json_eq(v, json_root(buf_str(&out))));

    buf_clear(&out);
    FUZZ_CHECK(json_merge(text, text, &out) == 0);
    FUZZ_CHECK(json_check(buf_str(&out), NULL, NULL) == 0);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct errbuf e = {""};
    struct str text = {(const char *)data, size};

    if (json_check(text, NULL, &e) == 0)
        fuzz_accepted(text);
    else
        FUZZ_CHECK(e.text[0] && utf8_is_valid(str_of(e.text)));
    return 0;
}
