/* `pattern` of a JSON Schema: an extended regular expression of POSIX, kept harmless.
 *
 * regcomp() of the C library unrolls {n,m}, so nested counts are memory bombs, and it matches back
 * references by trying; both are refused. So are the escapes of other dialects (\d), which it would
 * take for plain letters, and (?…). Matching is by bytes.
 */
#ifndef SLUICE_ENGINE_SCHEMA_PATTERN_H
#define SLUICE_ENGINE_SCHEMA_PATTERN_H

#include <regex.h>

#include "base/err.h"

#define SCHEMA_PATTERN_BYTES_MAX  256
#define SCHEMA_PATTERN_COUNTS_MAX 1000 /* product of all the counts in {n,m} */
#define SCHEMA_PATTERN_VALUE_MAX                                                                   \
    (32u << 10) /* bytes of a string that a pattern is held against                                \
                 */

/* Compiles; regfree() it. ERR_INVALID: e says why (no path in front). */
int schema_pattern_compile(const char *pattern, regex_t *out, struct errbuf *e);

#endif
