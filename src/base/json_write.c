#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_scan.h"
#include "base/utf8.h"

/* One character that does not stand for itself; at most six bytes. */
static char *json_put_escape(char *o, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[256] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                      ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};

    *o++ = '\\';
    if (letters[c]) {
        *o++ = letters[c];
        return o;
    }
    memcpy(o, "u00", 3);
    o[3] = hex[c >> 4];
    o[4] = hex[c & 15];
    return o + 5;
}

/* The length of the longest prefix that can be copied as it is: all but escapes and broken UTF-8.
 */
static size_t json_copyable(const char *p, size_t n)
{
    size_t i = 0;

    for (;;) {
        i += json_scan_plain(p + i, n - i);
        if (i == n || (unsigned char)p[i] < 0x80)
            return i;
        size_t len = utf8_char_len(p + i, n - i);
        if (len == 0)
            return i;
        i += len;
    }
}

/* What the character at i needs when it cannot be copied; 0 at the end of the string. */
static size_t json_escape_bytes(struct str s, size_t i)
{
    if (i == s.n)
        return 0;
    unsigned char c = (unsigned char)s.p[i];
    if (c >= 0x80)
        return strlen(UTF8_REPLACEMENT);
    return c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v') ? 2 : 6;
}

static void json_end_put(struct buf *b, char *o)
{
    *o = '\0';
    b->len = (size_t)(o - b->data);
}

/* A string with a character before it (a comma) or after it (a colon), or 0 for none. One look for
 * room covers a whole run: this is the hottest loop of the server. */
static int json_write_string_between(struct buf *b, char before, struct str s, char after)
{
    size_t i = 0;

    if (!s.p) /* of a buf that nothing was appended to */
        s.p = "";
    for (bool is_first = true;; is_first = false) {
        size_t run = json_copyable(s.p + i, s.n - i);
        size_t escape_bytes = json_escape_bytes(s, i + run);
        int rv = buf_reserve(b, run + escape_bytes + (is_first && before) + is_first +
                                    (escape_bytes ? 0 : 1 + (after != 0)));
        if (rv != 0)
            return rv;
        char *o = b->data + b->len;
        if (is_first && before)
            *o++ = before;
        if (is_first)
            *o++ = '"';
        if (run > 0)
            memcpy(o, s.p + i, run);
        o += run;
        i += run;
        if (i == s.n) {
            *o++ = '"';
            if (after)
                *o++ = after;
            json_end_put(b, o);
            return 0;
        }
        unsigned char c = (unsigned char)s.p[i++];
        if (c >= 0x80)
            o = (char *)memcpy(o, UTF8_REPLACEMENT, 3) + 3;
        else
            o = json_put_escape(o, c);
        json_end_put(b, o);
    }
}

int json_write_string(struct buf *b, struct str s)
{
    return json_write_string_between(b, 0, s, 0);
}

int json_write_double(struct buf *b, double v)
{
    char text[32];

    if (!isfinite(v))
        return buf_append(b, "null", 4);
    if (fabs(v) < 9007199254740992.0 && v == (double)(int64_t)v && !(v == 0 && signbit(v)))
        return buf_append_i64(b, (int64_t)v);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    return buf_append_z(b, text);
}

void jw_init(struct jw *w, struct buf *b)
{
    w->b = b;
    w->depth = 0;
    w->need_comma = false;
}

static void jw_before_value(struct jw *w)
{
    if (w->need_comma)
        buf_append_char(w->b, ',');
    w->need_comma = true;
}

static void jw_open(struct jw *w, char open, char close)
{
    assert(w->depth < sizeof(w->close));
    jw_before_value(w);
    buf_append_char(w->b, open);
    w->close[w->depth++] = close;
    w->need_comma = false;
}

void jw_object(struct jw *w)
{
    jw_open(w, '{', '}');
}

void jw_array(struct jw *w)
{
    jw_open(w, '[', ']');
}

void jw_end(struct jw *w)
{
    assert(w->depth > 0);
    buf_append_char(w->b, w->close[--w->depth]);
    w->need_comma = true;
}

void jw_key(struct jw *w, const char *key)
{
    jw_key_str(w, str_of(key));
}

void jw_key_str(struct jw *w, struct str key)
{
    json_write_string_between(w->b, w->need_comma ? ',' : 0, key, ':');
    w->need_comma = false;
}

void jw_string(struct jw *w, struct str s)
{
    json_write_string_between(w->b, w->need_comma ? ',' : 0, s, 0);
    w->need_comma = true;
}

void jw_stringz(struct jw *w, const char *z)
{
    if (z)
        jw_string(w, str_of(z));
    else
        jw_null(w);
}

void jw_i64(struct jw *w, int64_t v)
{
    jw_before_value(w);
    buf_append_i64(w->b, v);
}

void jw_u64(struct jw *w, uint64_t v)
{
    jw_before_value(w);
    buf_append_u64(w->b, v);
}

void jw_double(struct jw *w, double v)
{
    jw_before_value(w);
    json_write_double(w->b, v);
}

void jw_bool(struct jw *w, bool v)
{
    jw_raw(w, v ? STR("true") : STR("false"));
}

void jw_null(struct jw *w)
{
    jw_raw(w, STR("null"));
}

void jw_raw(struct jw *w, struct str json_text)
{
    jw_before_value(w);
    buf_append_str(w->b, json_text.n > 0 ? json_text : STR("null"));
}

void jw_kv_string(struct jw *w, const char *key, struct str s)
{
    jw_key(w, key);
    jw_string(w, s);
}

void jw_kv_stringz(struct jw *w, const char *key, const char *z)
{
    jw_key(w, key);
    jw_stringz(w, z);
}

void jw_kv_i64(struct jw *w, const char *key, int64_t v)
{
    jw_key(w, key);
    jw_i64(w, v);
}

void jw_kv_u64(struct jw *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    jw_u64(w, v);
}

void jw_kv_double(struct jw *w, const char *key, double v)
{
    jw_key(w, key);
    jw_double(w, v);
}

void jw_kv_bool(struct jw *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

void jw_kv_raw(struct jw *w, const char *key, struct str json_text)
{
    jw_key(w, key);
    jw_raw(w, json_text);
}

void jw_kv_time(struct jw *w, const char *key, int64_t ms)
{
    char text[CLOCK_RFC3339_BYTES + 1];

    jw_key(w, key);
    if (ms == 0) {
        jw_null(w);
        return;
    }
    clock_format_rfc3339(ms, text);
    jw_string(w, (struct str){text, CLOCK_RFC3339_BYTES});
}
