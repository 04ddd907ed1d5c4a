#include <stdlib.h>
#include <string.h>

#include "client/client_private.h"

/* One reference token of a JSON Pointer against a key: ~1 is a slash, ~0 a tilde (RFC 6901). */
static bool token_is_key(struct str token, struct str key)
{
    size_t k = 0;

    for (size_t i = 0; i < token.n; i++, k++) {
        char c = token.p[i];
        if (c == '~' && i + 1 < token.n && (token.p[i + 1] == '0' || token.p[i + 1] == '1'))
            c = token.p[++i] == '0' ? '~' : '/';
        if (k >= key.n || key.p[k] != c)
            return false;
    }
    return k == key.n;
}

static bool iter_has_key(const struct json_iter *it, struct str token)
{
    struct buf key;

    if (!memchr(it->key.p, '\\', it->key.n))
        return token_is_key(token, it->key);
    buf_init(&key, it->key.n + 1);
    bool is = json_iter_key(it, &key) == 0 && token_is_key(token, buf_str(&key));
    buf_deinit(&key);
    return is;
}

static bool token_is_index(struct str token, size_t *index)
{
    *index = 0;
    if (token.n == 0 || token.n > 9)
        return false;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9')
            return false;
        *index = *index * 10 + (size_t)(token.p[i] - '0');
    }
    return true;
}

static struct json json_step(struct json v, struct str token)
{
    struct json_iter it;
    size_t index = 0;
    enum json_type type = json_type(v);

    if (type != JSON_OBJECT && !(type == JSON_ARRAY && token_is_index(token, &index)))
        return JSON_ABSENT;
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (type == JSON_ARRAY ? it.index == index : iter_has_key(&it, token))
            return it.value;
    return JSON_ABSENT;
}

struct json json_at(struct json v, const char *pointer)
{
    if (!pointer || (*pointer && *pointer != '/'))
        return JSON_ABSENT;
    while (json_exists(v) && *pointer) {
        size_t n = strcspn(++pointer, "/");
        v = json_step(v, (struct str){pointer, n});
        pointer += n;
    }
    return v;
}

/* ---- any text ---- */

static struct json text_at(const char *json, const char *pointer)
{
    static const struct json_limits limits = {.bytes_max = SLUICE_REPLY_BYTES_MAX};

    if (!json || json_check(str_of(json), &limits, NULL))
        return JSON_ABSENT;
    return json_at(json_root(str_of(json)), pointer);
}

char *sluice_json_string(const char *json, const char *pointer)
{
    struct json v = text_at(json, pointer);
    struct buf text;

    if (json_type(v) != JSON_STRING)
        return NULL;
    buf_init(&text, v.n + 1);
    json_string(v, &text);
    buf_append_char(&text, '\0'); /* so that there are bytes, also of "" */
    if (!buf_error(&text))
        return text.data;
    buf_deinit(&text);
    return NULL;
}

char *sluice_json_text(const char *json, const char *pointer)
{
    struct json v = text_at(json, pointer);

    return json_exists(v) ? strndup(v.p, v.n) : NULL;
}

int64_t sluice_json_int(const char *json, const char *pointer, int64_t otherwise)
{
    json_i64(text_at(json, pointer), &otherwise);
    return otherwise;
}

double sluice_json_number(const char *json, const char *pointer, double otherwise)
{
    json_double(text_at(json, pointer), &otherwise);
    return otherwise;
}

int sluice_json_bool(const char *json, const char *pointer, int otherwise)
{
    bool is = otherwise != 0;

    return json_bool(text_at(json, pointer), &is) ? is : otherwise;
}

size_t sluice_json_count(const char *json, const char *pointer)
{
    return json_length(text_at(json, pointer));
}

void sluice_free(void *memory)
{
    free(memory);
}
