/* What a webhook wants to hear: types of events, and which sessions. Pure.
 *
 *     events   ["message", "stage_progress"]; [] or ["*"]: every type but token_stream, which has
 * to be asked for by name filter   {workflow_id, group_id, session_id, status, metadata}: a session
 * has to have all that is named (metadata: each member, the same value); status: of its changes of
 * state only those to this one, or one of these
 */
#ifndef SLUICE_APP_WEBHOOK_RULES_H
#define SLUICE_APP_WEBHOOK_RULES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "engine/records.h"

#define WEBHOOK_TYPES_MAX    64
#define WEBHOOK_METADATA_MAX 32
#define WEBHOOK_URL_MAX      2048

struct webhook_rules { /* points into the checked texts it was made of */
    struct json events, filter;
};

/* ERR_INVALID: e names the field. Absent counts as [] and {}. */
int webhook_rules_check(struct json events, struct json filter, struct errbuf *e);
/* "http://…" or "https://…", with a host, without a name or password in it. ERR_INVALID. */
int webhook_url_check(struct str url, struct errbuf *e);

/* Of which session something is told; members may be NULL. */
struct webhook_session {
    struct id id;
    struct str workflow_id, group_id, metadata_json;
};
bool webhook_wants_session(const struct webhook_rules *r, const struct webhook_session *s);
/* frame: an event as it is stored. */
bool webhook_wants_event(const struct webhook_rules *r, struct str frame);
/* The type of an event, out of its frame. */
struct str webhook_event_type(struct str frame);

#endif
