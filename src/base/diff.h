/* What has changed between two texts, as a unified diff: lines, three of context. Pure.
 *
 *     --- draft
 *     +++ answer
 *     @@ -1,3 +1,3 @@
 *      Dear all,
 *     -we meet on Monday.
 *     +we meet on Tuesday.
 *      Yours
 *
 * The shortest edit is sought (E. W. Myers, An O(ND) Difference Algorithm, 1986) within a bound of
 * steps; texts that differ more are told as one replacement of all lines between the first and the
 * last that differ: still a diff that patch(1) applies, only a longer one. */
#ifndef SLUICE_BASE_DIFF_H
#define SLUICE_BASE_DIFF_H

#include "base/buf.h"

#define DIFF_EDITS_MAX 300   /* 2.4 kB for each of them while it works */
#define DIFF_LINES_MAX 10000 /* of either text; more: one replacement */

/* Appends the diff from `a` to `b`; nothing when they are equal. The names stand in its first two
 * lines. Errors are those of the buf. */
int diff_unified(struct str a, struct str b, const char *name_a, const char *name_b,
                 struct buf *out);

#endif
