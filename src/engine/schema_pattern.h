/* `pattern` of a JSON Schema: an extended regular expression of POSIX, kept harmless.
 *
 * regcomp() of the C library unrolls x+ and x{n,m}, so that nested ones are memory bombs ("x++++…"
 * takes gigabytes), and it matches back references by trying; so the unrolled size is computed
 * first and has a limit, and back references are refused. So are the escapes of other dialects
 * (\d), which it would take for plain letters, and (?…). Its automaton grows while it matches, by a
 * state a byte at worst: values have a limit, and a pattern is compiled anew after a while.
 * Matching is by bytes.
 */
#ifndef SLUICE_ENGINE_SCHEMA_PATTERN_H
#define SLUICE_ENGINE_SCHEMA_PATTERN_H

#include <regex.h>
#include <stddef.h>

#include "base/err.h"

#define SCHEMA_PATTERN_BYTES_MAX 256
#define SCHEMA_PATTERN_SIZE_MAX  1000       /* atoms, unrolled */
#define SCHEMA_PATTERN_VALUE_MAX (4u << 10) /* bytes of a string that a pattern is held against */
#define SCHEMA_PATTERN_GROWTH    (4u << 20) /* size * bytes matched, until it is compiled anew */

struct schema_pattern {
    regex_t re;
    size_t size;   /* atoms, unrolled */
    size_t growth; /* the caller's count */
};

/* Compiles; schema_pattern_deinit() it. ERR_INVALID: e says why (no path in front). */
int schema_pattern_init(struct schema_pattern *p, const char *pattern, struct errbuf *e);
void schema_pattern_deinit(struct schema_pattern *p);

#endif
