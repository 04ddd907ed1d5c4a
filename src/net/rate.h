/* How often somebody may ask: a token bucket for each talker, in a table of fixed size. Pure.
 *
 * A bucket fills by `per_s` tokens a second up to `burst`; each request takes one. Of talkers that
 * share a place of the table, the one that was silent for longest is forgotten: it begins anew with
 * a full bucket. The table is this instance's own: n instances let n times as much through.
 */
#ifndef SLUICE_NET_RATE_H
#define SLUICE_NET_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define RATE_TALKERS 4096 /* remembered at once */

struct rate_bucket {
    uint64_t talker, at_ms;
    double tokens;
};
struct rate {
    double per_s, burst;
    struct rate_bucket *buckets; /* NULL: off */
};

/* per_s 0: off, everybody may. */
void rate_init(struct rate *r, double per_s, double burst);
void rate_deinit(struct rate *r);
/* Takes a token. False: there is none; *retry_s: seconds until there is one (at least 1). */
bool rate_take(struct rate *r, uint64_t talker, uint64_t now_ms, int *retry_s);
/* Whether there is one; takes none. */
bool rate_has(struct rate *r, uint64_t talker, uint64_t now_ms, int *retry_s);
uint64_t rate_talker(struct str bytes); /* a hash; never 0 */

#endif
