/* The few things that net itself reads out of the service's JSON of a session, and out of events.
 * Pure. */
#ifndef SLUICE_NET_SESSION_VIEW_H
#define SLUICE_NET_SESSION_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct session_view {
    int64_t last_seq;
    bool has_ended; /* completed, failed or cancelled: no event will come */
};
/* False: it is no session. */
bool session_view_read(struct str json, struct session_view *out);
bool event_is_state_change(struct str json); /* of the session */
/* Is this event the last one of its session? */
bool event_is_ending(struct str json);

#endif
