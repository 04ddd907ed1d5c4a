/* Scanning JSON text by words: shared by the check, the views and the writer. */
#ifndef SLUICE_BASE_JSON_SCAN_H
#define SLUICE_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

#define JSON_NUMBER_BYTES_MAX 64

#define JSON_ONES  UINT64_C(0x0101010101010101)
#define JSON_HIGHS UINT64_C(0x8080808080808080)

/* High bits where a byte of the word is zero; exact up to and including the lowest such byte. */
static inline uint64_t json_zero_bytes(uint64_t w)
{
    return (w - JSON_ONES) & ~w & JSON_HIGHS;
}

/* Length of the prefix that stands for itself in a string: printable ASCII without " and \. */
static inline size_t json_scan_plain(const char *p, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        uint64_t stop = (w & JSON_HIGHS) | ((w - JSON_ONES * 0x20) & ~w & JSON_HIGHS) |
                        json_zero_bytes(w ^ JSON_ONES * '"') |
                        json_zero_bytes(w ^ JSON_ONES * '\\');
        if (stop)
            break; /* somewhere in these eight */
    }
    for (; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
    }
    return i;
}

/* Length of the prefix of checked text without " and \. */
static inline size_t json_scan_string(const char *p, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        if (json_zero_bytes(w ^ JSON_ONES * '"') | json_zero_bytes(w ^ JSON_ONES * '\\'))
            break;
    }
    while (i < n && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

static inline bool json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool json_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of the number at p by RFC 8259's grammar, or 0 when none begins there. */
size_t json_number_len(const char *p, size_t n);
/* Whether a number of that grammar is finite as a double. */
bool json_number_is_finite(struct str number);

/* Value of four hexadecimal digits, or -1. */
int json_hex4(const char *p);
/* Unescapes the inside of a checked string: at most in.n bytes to out. Returns how many. */
size_t json_unescape(struct str in, char *out);

#endif
