/* Times by the calendar: the five fields of cron, and when they come next.
 *
 *     minute  hour  day of the month  month  day of the week
 *     0-59    0-23  1-31              1-12   0-7 (0 and 7: Sunday)
 *
 * A field is `*`, a number, a range `a-b`, a step `*` `/n`, `a-b/n` or `a/n` (from a on), or a list
 * of those with commas. Months and weekdays also have names (JAN, MON; any case). `?` is `*` in the
 * two fields of days. When both fields of days say something, a day that either of them names
 * counts, as in cron; when one begins with `*`, both must hold. Words: @yearly (@annually),
 * @monthly, @weekly, @daily (@midnight), @hourly.
 *
 * Where a zone's clocks change (docs/SCHEDULES.md):
 *   - a time that does not exist (clocks go forward) comes at the moment of the change, once;
 *   - a time that comes twice (clocks go back) counts the first time only;
 *   - but when the hour is `*` or `*` `/n`, times are counted as they pass: nothing is made up for,
 *     and both of the repeated hours count.
 */
#ifndef SLUICE_BASE_CRON_H
#define SLUICE_BASE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CRON_BYTES_MAX   256 /* of the text */
#define CRON_AHEAD_YEARS 10  /* a time that does not come within them never comes */

struct cron {
    uint64_t minutes; /* bit sets, from bit 0; days and months from bit 1 */
    uint32_t hours, days, months, weekdays;
    bool hours_any, days_any, weekdays_any; /* the field begins with `*` */
};

/* A stretch of time in which a zone's clocks do not change: seconds since 1970. */
struct cron_span {
    int64_t from, until; /* INT64_MIN, INT64_MAX: without an end */
    int64_t offset;      /* local time is that many seconds ahead of UTC */
};
typedef void (*cron_zone)(void *zone, int64_t at, struct cron_span *out);

/* ERR_INVALID: e says what is wrong with which field. */
int cron_parse(struct str text, struct cron *out, struct errbuf *e);
/* The first time after `after_ms`, Unix milliseconds; 0: none within CRON_AHEAD_YEARS. */
int64_t cron_next(const struct cron *c, cron_zone zone_at, void *zone, int64_t after_ms);

#endif
