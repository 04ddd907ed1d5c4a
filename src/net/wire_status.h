/* The status system's view of sessions: an entry "flow-<session id>" for each, whose status is that
 * of the session under another word. Nothing of it is stored. Pure.
 *
 *     PENDING      pending          COMPLETED  completed
 *     IN_PROGRESS  running          FAILED     failed
 *     ON_HOLD      paused           CANCELED   cancelled
 *
 * A session that another program keeps here may have any word as its status: one of neither list is
 * UNKNOWN.
 */
#ifndef SLUICE_NET_WIRE_STATUS_H
#define SLUICE_NET_WIRE_STATUS_H

#include <stdbool.h>

#include "base/id.h"
#include "base/json.h"
#include "engine/records.h"
#include "engine/state.h"

#define STATUS_TYPE      "FLOW"
#define STATUS_ID_PREFIX "flow-"

/* A word of the status system, in any case; "CANCELLED" is taken too. */
bool wire_status_parse(struct str word, enum session_status *out);
/* Of a session's status: false when it has a word of its own. */
bool wire_status_of(struct str session_status, enum session_status *out);
const char *wire_status_word(enum session_status s); /* "ON_HOLD" */
/* "flow-<uuid>" */
bool wire_status_id(struct str entry_id, struct id *out);

/* One entry. stages: those that are open in the session, linked by `next`; or NULL. */
void wire_status_entry(struct jw *w, const struct session_row *row,
                       const struct interrupt_row *stages);
/* 0 to 100, and 100 only for what has completed: the share of the nodes that are done, an open
 * stage counting by its items. */
int wire_status_percent(const struct session_row *row, const struct interrupt_row *stages);

#endif
