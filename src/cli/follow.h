/* Following a session to its end: events from the server-sent stream, from the last one seen after
 * every break; the keyboard and signals meanwhile. */
#ifndef SLUICE_CLI_FOLLOW_H
#define SLUICE_CLI_FOLLOW_H

#include "cli/client.h"
#include "cli/view.h"

/* nodes: an object whose keys are the workflow's node ids, for labels; may be absent. Shows (or,
 * with
 * --json, prints as lines) every event after `after`. EXIT_DONE when the session completed,
 * EXIT_SESSION_FAILED when it failed or was cancelled, EXIT_DETACHED, or why it cannot be followed.
 */
int follow_session(struct client *c, const char *id, struct json nodes, int64_t after);

#endif
