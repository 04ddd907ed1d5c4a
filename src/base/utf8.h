/* UTF-8 as RFC 3629 defines it: no overlongs, no surrogates, nothing above U+10FFFF. */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes of the valid character at p (1 to 4), or 0 when the n bytes there do not begin with one. */
size_t utf8_char_len(const char *p, size_t n);
bool utf8_is_valid(struct str s);
/* Writes the character and returns its bytes (1 to 4). A surrogate or a value above U+10FFFF is
 * written as U+FFFD. */
size_t utf8_encode(uint32_t code_point, char out[4]);
/* The longest prefix of at most n bytes of valid text that does not cut a character. */
size_t utf8_cut(const char *p, size_t n);

#endif
