/* Regular expressions of peers, kept harmless: PCRE2 with a limit on everything (its only user).
 *
 * The dialect is PCRE2's, which holds nearly all of ECMA-262's that JSON Schema names; `$` means
 * the very end. Matching is on UTF-8 characters. A pattern that is too large or nested too deeply
 * is refused; a match that takes too many steps ends as ERR_TOO_LARGE. (regcomp() of the C library
 * was tried first: patterns of a few dozen bytes take it minutes and gigabytes to compile.)
 */
#ifndef SLUICE_BASE_PATTERN_H
#define SLUICE_BASE_PATTERN_H

#include "base/buf.h"
#include "base/err.h"

#define PATTERN_BYTES_MAX 1024
#define PATTERN_NEST_MAX  50     /* parentheses */
#define PATTERN_STEPS_MAX 100000 /* of one match */
#define PATTERN_HEAP_KB   1024   /* of one match */

struct pattern;
/* ERR_INVALID: e says why (no path in front). Any thread. */
int pattern_create(struct pattern **out, struct str text, struct errbuf *e);
void pattern_destroy(struct pattern *p); /* NULL is fine */
/* 1: found somewhere in the value; 0: not; ERR_TOO_LARGE: it took too many steps to know. */
int pattern_match(const struct pattern *p, struct str utf8);

#endif
