#include "base/digest.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void append(struct buf *out, const char *letters, const uint8_t *p, size_t n)
{

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i > 3 ? 3 : n - i;
        uint32_t v = (uint32_t)p[i] << 16;
        v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= left > 2 ? p[i + 2] : 0;
        for (size_t k = 0; k <= left; k++)
            buf_append_char(out, letters[v >> (18 - 6 * k) & 63]);
    }
}

void base64url_append(struct buf *out, const void *bytes, size_t n)
{
    append(out, LETTERS "-_", bytes, n);
}

void base64_append(struct buf *out, const void *bytes, size_t n)
{
    append(out, LETTERS "+/", bytes, n);
    for (size_t i = n; i % 3; i++)
        buf_append_char(out, '=');
}

static int letter_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '-'             ? 62
           : c == '_'             ? 63
                                  : -1;
}

int base64url_decode(struct str text, void *out, size_t max)
{
    uint8_t *p = out;
    size_t n = 0;
    uint32_t bits = 0;
    int have = 0;

    if (text.n % 4 == 1 || text.n / 4 * 3 > max)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        int v = letter_value(text.p[i]);
        if (v < 0)
            return -1;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n == max)
            return -1;
        p[n++] = (uint8_t)(bits >> have);
    }
    return bits & ((1u << have) - 1) ? -1 : (int)n;
}
