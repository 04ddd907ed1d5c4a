/* Time. Wall time is Unix milliseconds (what events carry), monotonic time is nanoseconds. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define CLOCK_RFC3339_BYTES 24 /* 2026-01-02T03:04:05.678Z, without the terminator */

int64_t clock_wall_ms(void);
uint64_t clock_mono_ns(void);
/* Years 1970 to 9999; out is 0-terminated. */
void clock_format_rfc3339(int64_t ms, char out[CLOCK_RFC3339_BYTES + 1]);
/* text is that of was_ms, and becomes that of ms: quick within a second. */
void clock_move_rfc3339(int64_t was_ms, int64_t ms, char text[CLOCK_RFC3339_BYTES + 1]);
/* RFC 3339 with any offset and 0 to 9 fraction digits; milliseconds are cut, not rounded. */
bool clock_parse_rfc3339(struct str text, int64_t *ms);

#endif
