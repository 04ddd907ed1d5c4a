#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_scan.h"
#include "base/keyset.h"
#include "base/utf8.h"

struct check_level {
    size_t mark; /* where its keys begin; SIZE_MAX: an array */
};

struct check {
    const char *start, *p, *end;
    struct errbuf *e;
    unsigned depth, depth_max;
    struct check_level levels[JSON_DEPTH_MAX + JSON_DEPTH_WRAP];
    struct keyset keys;
    struct arena unescaped; /* keys that have escapes */
};

static int check_fail(struct check *c, const char *at, const char *what)
{
    return err_set(c->e, ERR_INVALID, "invalid JSON at byte %zu: %s", (size_t)(at - c->start),
                   what);
}

static void check_space(struct check *c)
{
    while (c->p < c->end && json_is_space(*c->p))
        c->p++;
}

int json_hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        char ch = p[i];
        int digit;
        if (ch >= '0' && ch <= '9')
            digit = ch - '0';
        else if (ch >= 'a' && ch <= 'f')
            digit = ch - 'a' + 10;
        else if (ch >= 'A' && ch <= 'F')
            digit = ch - 'A' + 10;
        else
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* The character after \u, at c->p; a high surrogate takes the low one with it. */
static int check_unicode_escape(struct check *c)
{
    const char *at = c->p - 2;
    int v = c->end - c->p >= 4 ? json_hex4(c->p) : -1;

    if (v < 0)
        return check_fail(c, at, "\\u without four hexadecimal digits");
    if (v == 0)
        return check_fail(c, at, "\\u0000 is not accepted");
    c->p += 4;
    if (v < 0xd800 || v > 0xdfff)
        return 0;
    if (v >= 0xdc00)
        return check_fail(c, at, "low surrogate without a high one before it");
    int low = c->end - c->p >= 6 && c->p[0] == '\\' && c->p[1] == 'u' ? json_hex4(c->p + 2) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return check_fail(c, at, "high surrogate without a low one after it");
    c->p += 6;
    return 0;
}

static int check_escape(struct check *c)
{
    const char *at = c->p++;

    if (c->p == c->end)
        return check_fail(c, at, "string does not end");
    switch (*c->p++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 0;
    case 'u':
        return check_unicode_escape(c);
    default:
        return check_fail(c, at, "unknown escape");
    }
}

/* A string, c->p on its opening quote. *inside is what stands between the quotes. */
static int check_string(struct check *c, struct str *inside, bool *has_escapes)
{
    const char *open = c->p++;

    *has_escapes = false;
    for (;;) {
        c->p += json_scan_plain(c->p, (size_t)(c->end - c->p));
        if (c->p == c->end)
            return check_fail(c, open, "string does not end");
        unsigned char ch = (unsigned char)*c->p;
        if (ch == '"') {
            *inside = (struct str){open + 1, (size_t)(c->p - open - 1)};
            c->p++;
            return 0;
        }
        if (ch == '\\') {
            *has_escapes = true;
            int rv = check_escape(c);
            if (rv != 0)
                return rv;
        } else if (ch < 0x20) {
            return check_fail(c, c->p, "control character in a string");
        } else {
            size_t len = utf8_char_len(c->p, (size_t)(c->end - c->p));
            if (len == 0)
                return check_fail(c, c->p, "not valid UTF-8");
            c->p += len;
        }
    }
}

size_t json_number_len(const char *p, size_t n)
{
    size_t i = 0;

    if (i < n && p[i] == '-')
        i++;
    if (i == n || !json_is_digit(p[i]))
        return 0;
    if (p[i] == '0')
        i++;
    else
        while (i < n && json_is_digit(p[i]))
            i++;
    if (i + 1 < n && p[i] == '.' && json_is_digit(p[i + 1])) {
        i++;
        while (i < n && json_is_digit(p[i]))
            i++;
    }
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        size_t at = i + 1;
        if (at < n && (p[at] == '+' || p[at] == '-'))
            at++;
        if (at < n && json_is_digit(p[at])) {
            i = at;
            while (i < n && json_is_digit(p[i]))
                i++;
        }
    }
    return i;
}

bool json_number_is_finite(struct str number)
{
    char z[JSON_NUMBER_BYTES_MAX + 1];
    const char *exponent = memchr(number.p, 'e', number.n);

    if (!exponent)
        exponent = memchr(number.p, 'E', number.n);
    /* 64 digits times 10^99 is far from the limit, so only long exponents need arithmetic. */
    if (!exponent || number.p + number.n - exponent <= 3)
        return true;
    memcpy(z, number.p, number.n);
    z[number.n] = '\0';
    return isfinite(strtod(z, NULL));
}

static int check_number(struct check *c)
{
    size_t n = json_number_len(c->p, (size_t)(c->end - c->p));

    if (n == 0)
        return check_fail(c, c->p, "malformed number");
    if (n > JSON_NUMBER_BYTES_MAX)
        return check_fail(c, c->p, "number of more than 64 characters");
    if (!json_number_is_finite((struct str){c->p, n}))
        return check_fail(c, c->p, "number out of range");
    /* A leading zero, a bare point or a bare "e": say number, not "expected ','". */
    char next = c->p + n < c->end ? c->p[n] : ' ';
    if (json_is_digit(next) || next == '.' || next == 'e' || next == 'E')
        return check_fail(c, c->p, "malformed number");
    c->p += n;
    return 0;
}

static int check_word(struct check *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return check_fail(c, c->p, "expected a value");
    c->p += n;
    return 0;
}

static int check_scalar(struct check *c)
{
    struct str inside;
    bool has_escapes;

    switch (*c->p) {
    case '"':
        return check_string(c, &inside, &has_escapes);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        if (*c->p == '-' || json_is_digit(*c->p))
            return check_number(c);
        return check_fail(c, c->p, "expected a value");
    }
}

/* Key and colon, up to where the value begins. */
static int check_key(struct check *c)
{
    struct str key = STR_NULL;
    bool has_escapes;
    const char *at = c->p;

    if (c->p == c->end || *c->p != '"')
        return check_fail(c, c->p, "expected a key");
    int rv = check_string(c, &key, &has_escapes);
    if (rv != 0)
        return rv;
    if (has_escapes) {
        char *plain = arena_alloc(&c->unescaped, key.n);
        key = (struct str){plain, json_unescape(key, plain)};
    }
    rv = keyset_add(&c->keys, c->levels[c->depth - 1].mark, key);
    if (rv == ERR_INVALID)
        return check_fail(c, at, "duplicate key");
    if (rv != 0)
        return err_set(c->e, rv, "object of more than %d keys at byte %zu", JSON_KEYS_MAX,
                       (size_t)(at - c->start));
    check_space(c);
    if (c->p == c->end || *c->p != ':')
        return check_fail(c, c->p, "expected ':' after the key");
    c->p++;
    return 0;
}

static int check_open(struct check *c)
{
    bool is_object = *c->p == '{';

    if (c->depth == c->depth_max)
        return err_set(c->e, ERR_TOO_LARGE, "JSON nested deeper than %u at byte %zu", c->depth_max,
                       (size_t)(c->p - c->start));
    c->levels[c->depth++].mark = is_object ? keyset_mark(&c->keys) : SIZE_MAX;
    c->p++;
    return 0;
}

/* After a complete value: closes what closes here and stands before the next value, or at the end
 * of the text with depth 0. */
static int check_after_value(struct check *c)
{
    while (c->depth > 0) {
        size_t mark = c->levels[c->depth - 1].mark;
        bool is_object = mark != SIZE_MAX;
        check_space(c);
        if (c->p == c->end)
            return check_fail(c, c->p, is_object ? "object does not end" : "array does not end");
        char ch = *c->p;
        if (ch == ',') {
            c->p++;
            check_space(c);
            return is_object ? check_key(c) : 0;
        }
        if (ch != (is_object ? '}' : ']'))
            return check_fail(c, c->p, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        c->p++;
        c->depth--;
        if (is_object)
            keyset_drop(&c->keys, mark);
    }
    return 0;
}

/* After a bracket was opened. *is_empty: it closes at once, and check_after_value() takes it. */
static int check_first(struct check *c, bool *is_empty)
{
    bool is_object = c->levels[c->depth - 1].mark != SIZE_MAX;

    check_space(c);
    *is_empty = c->p < c->end && *c->p == (is_object ? '}' : ']');
    if (*is_empty || !is_object)
        return 0;
    return check_key(c);
}

static int check_text(struct check *c)
{
    for (;;) {
        bool is_complete = true;
        int rv;
        check_space(c);
        if (c->p == c->end)
            return check_fail(c, c->p, c->p == c->start ? "empty" : "the text ends too early");
        if (*c->p == '{' || *c->p == '[') {
            rv = check_open(c);
            if (rv == 0)
                rv = check_first(c, &is_complete);
        } else {
            rv = check_scalar(c);
        }
        if (rv == 0 && is_complete)
            rv = check_after_value(c);
        if (rv != 0)
            return rv;
        if (c->depth == 0)
            break;
    }
    check_space(c);
    return c->p == c->end ? 0 : check_fail(c, c->p, "more text after the value");
}

int json_check(struct str text, const struct json_limits *limits, struct errbuf *e)
{
    size_t bytes_max = limits && limits->bytes_max ? limits->bytes_max : JSON_BODY_MAX;
    struct check c;

    if (text.n > bytes_max)
        return err_set(e, ERR_TOO_LARGE, "JSON of %zu bytes, over the limit of %zu", text.n,
                       bytes_max);
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        return err_set(e, ERR_INVALID, "invalid JSON at byte 0: a byte order mark");
    c.start = c.p = text.p;
    c.end = text.n ? text.p + text.n : text.p;
    c.e = e;
    c.depth = 0;
    c.depth_max = limits && limits->depth_max ? limits->depth_max : JSON_DEPTH_MAX;
    if (c.depth_max > JSON_DEPTH_MAX + JSON_DEPTH_WRAP)
        c.depth_max = JSON_DEPTH_MAX + JSON_DEPTH_WRAP;
    keyset_init(&c.keys);
    arena_init(&c.unescaped);
    int rv = check_text(&c);
    arena_deinit(&c.unescaped);
    keyset_deinit(&c.keys);
    return rv;
}
