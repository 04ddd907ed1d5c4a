#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define BUF_CAP_MIN 64

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eqz(struct str a, const char *z)
{
    return str_eq(a, str_of(z));
}

char *str_dup(struct str s)
{
    char *z = mem_alloc(s.n + 1);

    if (s.n > 0)
        memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    return z;
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2}; /* sums cannot wrap */
}

void buf_deinit(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->error = 0;
    if (b->data)
        b->data[0] = '\0';
}

static int buf_grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : BUF_CAP_MIN;

    while (cap < need)
        cap *= 2;
    if (cap - 1 > b->max) /* need - 1 <= max was checked, so this is still enough */
        cap = b->max + 1;
    char *data = realloc(b->data, cap);
    if (!data)
        return b->error = ERR_NOMEM;
    if (!b->data)
        data[0] = '\0';
    b->data = data;
    b->cap = cap;
    return 0;
}

int buf_reserve(struct buf *b, size_t n)
{
    if (__builtin_expect(b->error != 0, 0))
        return b->error;
    if (__builtin_expect(n > b->max - b->len, 0))
        return b->error = ERR_TOO_LARGE;
    if (__builtin_expect(b->len + n + 1 <= b->cap, 1))
        return 0;
    return buf_grow(b, b->len + n + 1);
}

int buf_append(struct buf *b, const void *p, size_t n)
{
    int rv = buf_reserve(b, n);

    if (rv != 0)
        return rv;
    if (n > 0)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
    return 0;
}

int buf_append_str(struct buf *b, struct str s)
{
    return buf_append(b, s.p, s.n);
}

int buf_append_z(struct buf *b, const char *z)
{
    return buf_append(b, z, strlen(z));
}

int buf_append_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_append_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    return buf_append(b, digits + at, sizeof(digits) - at);
}

size_t i64_format(int64_t v, char out[I64_TEXT_BYTES])
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof(digits), sign = v < 0;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

    for (; u >= 100; u /= 100)
        memcpy(digits + (at -= 2), pairs + 2 * (u % 100), 2);
    if (u >= 10)
        memcpy(digits + (at -= 2), pairs + 2 * u, 2);
    else
        digits[--at] = (char)('0' + u);
    out[0] = '-';
    memcpy(out + sign, digits + at, sizeof(digits) - at);
    return sign + sizeof(digits) - at;
}

int buf_append_i64(struct buf *b, int64_t v)
{
    char text[I64_TEXT_BYTES];

    return buf_append(b, text, i64_format(v, text));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int rv = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return rv;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;

    if (b->error)
        return b->error;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    int rv = n < 0 ? (b->error = ERR_INVALID) : 0;
    if (rv == 0 && (size_t)n < sizeof(small)) {
        rv = buf_append(b, small, (size_t)n);
    } else if (rv == 0) {
        rv = buf_reserve(b, (size_t)n);
        if (rv == 0) {
            vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
    return rv;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

void buf_truncate(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len = len;
    if (b->data)
        b->data[len] = '\0';
}

void buf_fit(struct buf *b)
{
    char *data = b->cap > b->len + 1 ? realloc(b->data, b->len + 1) : NULL;

    if (!data)
        return;
    b->data = data;
    b->cap = b->len + 1;
}

int buf_error(const struct buf *b)
{
    return b->error;
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->data, b->len};
}

char *buf_steal(struct buf *b, size_t *len)
{
    char *data = b->data ? b->data : str_dup(STR_NULL);

    data[b->len] = '\0'; /* a caller of buf_reserve() may have filled it without one */
    if (len)
        *len = b->len;
    *b = (struct buf){.max = b->max};
    return data;
}
