#include "store/cursor.h"

#include <assert.h>
#include <string.h>

/* kind, a, b, key, checksum; integers in network order; base64url without padding. */
#define CURSOR_FIXED (1 + 8 + 8)
#define CURSOR_CHECK 4
#define CURSOR_BYTES (CURSOR_FIXED + CURSOR_KEY_MAX + CURSOR_CHECK)

static const char cursor_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* FNV-1a, folded. */
static uint32_t cursor_checksum(const uint8_t *p, size_t n)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return (uint32_t)(h ^ h >> 32);
}

static uint8_t *cursor_put(uint8_t *p, uint64_t v, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        *p++ = (uint8_t)(v >> shift);
    return p;
}

static uint64_t cursor_get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

struct str cursor_encode(struct arena *arena, enum cursor_kind kind, int64_t a, int64_t b,
                         struct str key)
{
    uint8_t raw[CURSOR_BYTES];
    uint8_t *p = raw;

    assert(key.n <= CURSOR_KEY_MAX);
    *p++ = (uint8_t)kind;
    p = cursor_put(p, (uint64_t)a, 8);
    p = cursor_put(p, (uint64_t)b, 8);
    if (key.n > 0)
        memcpy(p, key.p, key.n);
    p += key.n;
    p = cursor_put(p, cursor_checksum(raw, (size_t)(p - raw)), CURSOR_CHECK);

    size_t n = (size_t)(p - raw);
    struct str text = {arena_alloc(arena, n * 4 / 3 + 2), 0};
    char *out = (char *)text.p;
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | raw[i];
        for (held += 8; held >= 6; held -= 6)
            out[text.n++] = cursor_alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        out[text.n++] = cursor_alphabet[bits << (6 - held) & 63];
    return text;
}

/* The number of bytes, or -1: not base64url, or not in its one form. */
static int cursor_unbase64(struct str text, uint8_t raw[CURSOR_BYTES])
{
    uint32_t bits = 0;
    int held = 0, n = 0;

    if (text.n > (CURSOR_BYTES * 4 + 2) / 3)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = memchr(cursor_alphabet, text.p[i], sizeof(cursor_alphabet) - 1);
        if (!at)
            return -1;
        bits = bits << 6 | (uint32_t)(at - cursor_alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            raw[n++] = (uint8_t)(bits >> held);
        }
    }
    return held >= 6 || (bits & ((1u << held) - 1)) != 0 ? -1 : n;
}

int cursor_decode(struct str text, enum cursor_kind kind, struct cursor *out, struct errbuf *e)
{
    uint8_t raw[CURSOR_BYTES];
    int n = cursor_unbase64(text, raw);
    size_t body = (size_t)n - CURSOR_CHECK;

    if (n < CURSOR_FIXED + CURSOR_CHECK || raw[0] != kind ||
        cursor_get(raw + body, CURSOR_CHECK) != cursor_checksum(raw, body))
        return err_set(e, ERR_INVALID, "cursor is not one that this list gave");
    *out = (struct cursor){.a = (int64_t)cursor_get(raw + 1, 8),
                           .b = (int64_t)cursor_get(raw + 9, 8),
                           .key_bytes = body - CURSOR_FIXED};
    memcpy(out->key, raw + CURSOR_FIXED, out->key_bytes);
    return 0;
}
