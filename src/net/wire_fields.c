#include "net/wire_fields.h"

#include <string.h>

struct str wire_string(struct json v, struct arena *arena)
{
    struct str raw = {v.p + 1, v.n - 2};
    struct buf b;
    char *z;
    size_t n;

    if (raw.n == 0 || !memchr(raw.p, '\\', raw.n))
        return raw;
    buf_init(&b, raw.n);
    json_string(v, &b);
    z = arena_strdup(arena, buf_str(&b));
    n = b.len;
    buf_deinit(&b);
    return (struct str){z, n};
}

static int wire_wrong_type(const struct wire_field *f, struct json v, const char *wanted,
                           struct errbuf *e)
{
    return err_set(e, ERR_INVALID, "%s: expected %s, got %s", f->key, wanted,
                   json_type_name(json_type(v)));
}

static int wire_read_text(const struct wire_field *f, struct json v, struct str *out,
                          struct arena *arena, struct errbuf *e)
{
    if (json_type(v) != JSON_STRING)
        return wire_wrong_type(f, v, "a string", e);
    *out = wire_string(v, arena);
    if (f->type == WIRE_NAME && !name_is_valid(*out))
        return err_set(e, ERR_INVALID, "%s: expected 1 to %d characters of A-Z a-z 0-9 _ . -",
                       f->key, NAME_BYTES_MAX);
    if (f->type == WIRE_TEXT && out->n > f->max)
        return err_set(e, ERR_INVALID, "%s: longer than %zu bytes", f->key, f->max);
    return 0;
}

static int wire_read_word(const struct wire_field *f, struct json v, bool *out, struct errbuf *e)
{
    const char *second = strchr(f->words, '|') + 1;
    size_t first_bytes = (size_t)(second - f->words) - 1;
    struct str s = {v.p + 1, v.n - 2};

    if (json_type(v) != JSON_STRING)
        return wire_wrong_type(f, v, "a string", e);
    *out = str_eqz(s, second);
    if (!*out && !str_eq(s, (struct str){f->words, first_bytes}))
        return err_set(e, ERR_INVALID, "%s: expected \"%.*s\" or \"%s\"", f->key, (int)first_bytes,
                       f->words, second);
    return 0;
}

static int wire_read_uuid(const struct wire_field *f, struct json v, struct id *out,
                          struct errbuf *e)
{
    if (json_type(v) != JSON_STRING)
        return wire_wrong_type(f, v, "a string", e);
    if (!id_parse((struct str){v.p + 1, v.n - 2}, out))
        return err_set(e, ERR_INVALID, "%s: expected a UUID", f->key);
    return 0;
}

static int wire_read_number(const struct wire_field *f, struct json v, int64_t *out,
                            struct errbuf *e)
{
    int64_t n;

    if (!json_i64(v, &n) || n < 0 || (uint64_t)n > f->max)
        return err_set(e, ERR_INVALID, "%s: expected a whole number from 0 to %zu", f->key, f->max);
    *out = n;
    return 0;
}

static int wire_read_field(const struct wire_field *f, struct json v, char *into,
                           struct arena *arena, struct errbuf *e)
{
    void *out = into + f->offset;

    switch (f->type) {
    case WIRE_SKIP:
        return 0;
    case WIRE_TEXT:
    case WIRE_NAME:
        return wire_read_text(f, v, out, arena, e);
    case WIRE_UUID:
        return wire_read_uuid(f, v, out, e);
    case WIRE_WORD:
        return wire_read_word(f, v, out, e);
    case WIRE_NUMBER:
        return wire_read_number(f, v, out, e);
    case WIRE_BOOL:
        return json_bool(v, out) ? 0 : wire_wrong_type(f, v, "true or false", e);
    case WIRE_OBJECT:
        if (json_type(v) != JSON_OBJECT)
            return wire_wrong_type(f, v, "an object", e);
        break;
    case WIRE_CHECK:
        if (f->check(f->key, v, e) < 0)
            return ERR_INVALID;
        break;
    case WIRE_ANY:
        break;
    }
    *(struct str *)out = json_raw(v);
    return 0;
}

static const struct wire_field *wire_find(const struct wire_field *fields, size_t count,
                                          const struct json_iter *it)
{
    for (size_t i = 0; i < count; i++)
        if (json_iter_key_is(it, fields[i].key))
            return &fields[i];
    return NULL;
}

int wire_read(struct json object, const struct wire_field *fields, size_t count, void *into,
              struct arena *arena, struct errbuf *e)
{
    struct json_iter it;
    uint64_t seen = 0;

    if (json_exists(object) && json_type(object) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "expected an object, got %s",
                       json_type_name(json_type(object)));
    json_iter_init(&it, object);
    while (json_iter_next(&it)) {
        const struct wire_field *f = wire_find(fields, count, &it);
        if (!f)
            return err_set(e, ERR_INVALID, "unknown field \"%.*s\"",
                           (int)(it.key.n < 80 ? it.key.n : 80), it.key.p);
        if (json_type(it.value) == JSON_NULL && f->type != WIRE_ANY)
            continue;
        if (wire_read_field(f, it.value, into, arena, e) < 0)
            return ERR_INVALID;
        seen |= (uint64_t)1 << (f - fields);
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && !(seen >> i & 1))
            return err_set(e, ERR_INVALID, "%s: missing", fields[i].key);
    return 0;
}
