#include "base/utf8.h"

static bool utf8_is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_char_len(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;

    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2) /* a tail byte, or an overlong of two */
        return 0;
    if (p[0] < 0xe0)
        return n >= 2 && utf8_is_tail(p[1]) ? 2 : 0;
    if (p[0] < 0xf0) {
        if (n < 3 || !utf8_is_tail(p[1]) || !utf8_is_tail(p[2]))
            return 0;
        if (p[0] == 0xe0 && p[1] < 0xa0) /* overlong */
            return 0;
        if (p[0] == 0xed && p[1] >= 0xa0) /* surrogate */
            return 0;
        return 3;
    }
    if (p[0] > 0xf4 || n < 4 || !utf8_is_tail(p[1]) || !utf8_is_tail(p[2]) || !utf8_is_tail(p[3]))
        return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) /* overlong */
        return 0;
    if (p[0] == 0xf4 && p[1] >= 0x90) /* above U+10FFFF */
        return 0;
    return 4;
}

bool utf8_is_valid(struct str s)
{
    size_t i = 0;

    while (i < s.n) {
        size_t len = utf8_char_len(s.p + i, s.n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t utf8_encode(uint32_t c, char out[4])
{
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t utf8_cut(const char *p, size_t n)
{
    size_t start = n;

    /* Only the last character can be incomplete: find where it begins. */
    while (start > 0 && n - start < 4 && utf8_is_tail((unsigned char)p[start - 1]))
        start--;
    if (start == 0)
        return n;
    start--;
    return utf8_char_len(p + start, n - start) == n - start ? n : start;
}
