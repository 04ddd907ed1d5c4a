/* Tidying up by the settings: logs of ended sessions are folded, sessions and keys deleted.
 *
 *     something came that will be old one day ──> armed ──> (not more often than every `interval`)
 *     steps of STORE_RETENTION, one after the other, until there is no more ──> armed again, as
 *     long as something that came since has not grown old
 *
 * The interval is an hour, or a quarter of the shortest age. A server to which nothing has come for
 * as long as the longest age makes no query and no wake-up. Several instances may do it side by
 * side: what one has done the other does not find.
 */
#ifndef SLUICE_APP_RETENTION_H
#define SLUICE_APP_RETENTION_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "store/store.h"

struct app;

#define RETENTION_INTERVAL_MS 3600000
#define RETENTION_SESSIONS    20 /* looked at in one step: commits wait for no longer than that */

struct retention {
    struct app *app;
    uv_timer_t timer;
    struct store_retention step;
    int64_t noted_at; /* when something last came */
    int64_t began_at; /* when the last round began */
    bool running, armed, closed;
    unsigned long long folded, deleted; /* for the log line of a round */
};

void retention_open(struct retention *r, struct app *a);
void retention_close(struct retention *r);
/* Something came that will be old one day: a session ended, a key was stored. Costs nothing. */
void retention_note(struct retention *r);

#endif
