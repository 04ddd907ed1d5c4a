#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/keyset.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Everything here reads checked text: what stands at p is what the grammar says must stand there,
 * and only ends are looked for. */

const char *json_type_name(enum json_type t)
{
    static const char *const names[] = {"nothing", "null",   "false", "true",
                                        "number",  "string", "array", "object"};

    return names[t];
}

static const char *json_skip_space(const char *p, const char *end)
{
    while (p < end && json_is_space(*p))
        p++;
    return p;
}

/* p on the opening quote; returns past the closing one. */
static const char *json_skip_string(const char *p, const char *end)
{
    p++;
    for (;;) {
        p += json_scan_string(p, (size_t)(end - p));
        if (p >= end)
            return end;
        if (*p == '"')
            return p + 1;
        p += 2;
        if (p > end)
            return end;
    }
}

static const char *json_skip_container(const char *p, const char *end)
{
    unsigned depth = 0;

    while (p < end) {
        switch (*p) {
        case '"':
            p = json_skip_string(p, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return p + 1;
            break;
        default:
            break;
        }
        p++;
    }
    return end;
}

static const char *json_skip_value(const char *p, const char *end)
{
    if (p == end)
        return end;
    if (*p == '"')
        return json_skip_string(p, end);
    if (*p == '{' || *p == '[')
        return json_skip_container(p, end);
    while (p < end && *p != ',' && *p != '}' && *p != ']' && !json_is_space(*p))
        p++;
    return p;
}

struct json json_root(struct str checked)
{
    if (!checked.p)
        return JSON_ABSENT;
    const char *end = checked.p + checked.n, *p = json_skip_space(checked.p, end);
    while (end > p && json_is_space(end[-1]))
        end--;
    return (struct json){p, (size_t)(end - p)};
}

enum json_type json_type(struct json v)
{
    if (!v.p || v.n == 0)
        return JSON_NONE;
    switch (v.p[0]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

void json_iter_init(struct json_iter *it, struct json v)
{
    enum json_type type = json_type(v);

    *it = (struct json_iter){.object = type == JSON_OBJECT};
    if (type == JSON_OBJECT || type == JSON_ARRAY) {
        it->at = v.p + 1;
        it->end = v.p + v.n - 1; /* on the closing bracket */
    }
}

bool json_iter_next(struct json_iter *it)
{
    const char *p = json_skip_space(it->at, it->end);

    if (p == it->end)
        return false;
    if (it->started) {
        p = json_skip_space(p + 1, it->end); /* the comma */
        it->index++;
    }
    it->started = true;
    if (it->object) {
        const char *open = p;
        p = json_skip_string(p, it->end);
        it->key = (struct str){open + 1, (size_t)(p - open - 2)};
        p = json_skip_space(p, it->end);
        p = json_skip_space(p + 1, it->end); /* the colon */
    }
    it->at = json_skip_value(p, it->end);
    it->value = (struct json){p, (size_t)(it->at - p)};
    return true;
}

size_t json_unescape(struct str in, char *out)
{
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    const char *p = in.p, *end = p + in.n;
    char *o = out;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((slash ? slash : end) - p);
        memmove(o, p, run);
        o += run;
        p += run;
        if (!slash)
            break;
        if (p[1] != 'u') {
            *o++ = plain[(unsigned char)p[1]];
            p += 2;
            continue;
        }
        uint32_t c = (uint32_t)json_hex4(p + 2);
        p += 6;
        if (c >= 0xd800 && c <= 0xdbff) {
            c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)json_hex4(p + 2) - 0xdc00);
            p += 6;
        }
        o += utf8_encode(c, o);
    }
    return (size_t)(o - out);
}

/* Compares the raw inside of a string with plain bytes, without memory of its own. */
static bool json_raw_eq(struct str raw, struct str plain)
{
    char c[4];
    size_t at = 0;

    if (raw.n == 0 || !memchr(raw.p, '\\', raw.n))
        return str_eq(raw, plain);
    for (size_t i = 0; i < raw.n;) {
        size_t raw_len = 1, len = 1;
        c[0] = raw.p[i];
        if (c[0] == '\\') {
            raw_len = raw.p[i + 1] == 'u' ? 6 : 2;
            if (raw_len == 6 && (json_hex4(raw.p + i + 2) & 0xfc00) == 0xd800)
                raw_len = 12;
            len = json_unescape((struct str){raw.p + i, raw_len}, c);
        }
        if (plain.n - at < len || memcmp(plain.p + at, c, len) != 0)
            return false;
        at += len;
        i += raw_len;
    }
    return at == plain.n;
}

bool json_iter_key_is(const struct json_iter *it, const char *key)
{
    return json_raw_eq(it->key, str_of(key));
}

static int json_append_unescaped(struct str raw, struct buf *out)
{
    int rv = buf_reserve(out, raw.n);

    if (rv != 0)
        return rv;
    out->len += json_unescape(raw, out->data + out->len);
    out->data[out->len] = '\0';
    return 0;
}

int json_iter_key(const struct json_iter *it, struct buf *out)
{
    return json_append_unescaped(it->key, out);
}

struct json json_get(struct json v, const char *key)
{
    struct json_iter it;

    if (json_type(v) != JSON_OBJECT)
        return JSON_ABSENT;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        if (json_iter_key_is(&it, key))
            return it.value;
    }
    return JSON_ABSENT;
}

struct json json_get_set(struct json v, const char *key)
{
    struct json member = json_get(v, key);

    return json_type(member) == JSON_NULL ? JSON_ABSENT : member;
}

size_t json_length(struct json v)
{
    struct json_iter it;
    size_t n = 0;

    json_iter_init(&it, v);
    while (json_iter_next(&it))
        n++;
    return n;
}

bool json_bool(struct json v, bool *out)
{
    enum json_type type = json_type(v);

    if (type != JSON_TRUE && type != JSON_FALSE)
        return false;
    *out = type == JSON_TRUE;
    return true;
}

bool json_double(struct json v, double *out)
{
    char z[JSON_NUMBER_BYTES_MAX + 1];

    if (json_type(v) != JSON_NUMBER || v.n > JSON_NUMBER_BYTES_MAX)
        return false;
    memcpy(z, v.p, v.n);
    z[v.n] = '\0';
    *out = strtod(z, NULL);
    return true;
}

/* A number as digits times ten to the power of `exponent`, without zeros at the end. */
struct json_decimal {
    char digits[JSON_NUMBER_BYTES_MAX];
    size_t count;
    long exponent;
    bool is_negative;
};

static void json_decimal_read(struct json v, struct json_decimal *d)
{
    size_t i = 0;
    bool after_point = false;

    *d = (struct json_decimal){.is_negative = v.p[0] == '-'};
    for (i = d->is_negative; i < v.n && (json_is_digit(v.p[i]) || v.p[i] == '.'); i++) {
        if (v.p[i] == '.') {
            after_point = true;
            continue;
        }
        d->exponent -= after_point;
        if (d->count > 0 || v.p[i] != '0')
            d->digits[d->count++] = v.p[i];
    }
    if (i < v.n) { /* "e", sign, digits: more than six of them cannot matter any more */
        bool is_negative = v.p[i + 1] == '-';
        long e = 0;
        for (i++; i < v.n; i++) {
            if (json_is_digit(v.p[i]) && e < 1000000)
                e = e * 10 + (v.p[i] - '0');
        }
        d->exponent += is_negative ? -e : e;
    }
    while (d->count > 0 && d->digits[d->count - 1] == '0') {
        d->count--;
        d->exponent++;
    }
}

bool json_i64(struct json v, int64_t *out)
{
    struct json_decimal d;
    uint64_t u = 0;

    if (json_type(v) != JSON_NUMBER || v.n > JSON_NUMBER_BYTES_MAX)
        return false;
    json_decimal_read(v, &d);
    if (d.count == 0) {
        *out = 0;
        return true;
    }
    if (d.exponent < 0 || d.exponent > 18 || d.count > 19)
        return false;
    for (size_t i = 0; i < d.count; i++)
        u = u * 10 + (uint64_t)(d.digits[i] - '0');
    for (long i = 0; i < d.exponent; i++) {
        if (__builtin_mul_overflow(u, 10, &u))
            return false;
    }
    if (u > (uint64_t)INT64_MAX + d.is_negative)
        return false;
    *out = (int64_t)(d.is_negative ? -u : u);
    return true;
}

static struct str json_inside(struct json v)
{
    return (struct str){v.p + 1, v.n - 2};
}

bool json_string(struct json v, struct buf *out)
{
    return json_type(v) == JSON_STRING && json_append_unescaped(json_inside(v), out) == 0;
}

char *json_strdup(struct json v)
{
    if (json_type(v) != JSON_STRING)
        return NULL;
    char *z = mem_alloc(v.n - 1);
    z[json_unescape(json_inside(v), z)] = '\0';
    return z;
}

bool json_string_eq(struct json v, const char *z)
{
    return json_type(v) == JSON_STRING && json_raw_eq(json_inside(v), str_of(z));
}
