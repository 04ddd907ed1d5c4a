/* What people and programs keep with a session, as one JSON object, and how PUT and PATCH change it
 * (docs/STORE.md). Pure; the owner of a running session and the store's side use the same function.
 *
 *     {status, name, user_id, group_id, workflow_id, tags, metadata, settings, thread_configs,
 *      workflow_state}
 *
 * A PATCH is merged deeply: objects member by member, arrays and all else replace, null deletes. A
 * PUT replaces: what it does not name is empty afterwards. Members that the server counts (id,
 * version, created_at …) may stand there and are passed over, so that what GET gave can be sent
 * back.
 *
 * Of a session that was executed here, status, user_id, group_id and workflow_id are the server's:
 * a change that names one must name what is there.
 */
#ifndef SLUICE_ENGINE_META_H
#define SLUICE_ENGINE_META_H

#include "base/arena.h"
#include "base/err.h"
#include "engine/records.h"

#define META_BYTES_MAX  (1u << 20) /* of each of the four objects */
#define META_NAME_MAX   256        /* bytes of a name, a user */
#define META_STATUS_MAX 64
#define META_TAGS_MAX   64
#define META_TAG_MAX    128

#define META_STATUS_DEFAULT "unknown" /* of a stored session */

struct meta_change {
    struct str json; /* checked: an object */
    bool replace;    /* PUT; else PATCH */
};
/* The meta and status after the change; what `out` points to is in the arena, or was there before.
 * `now`->stored_only says which rules hold. ERR_INVALID: a member is not of its kind; ERR_CONFLICT:
 * it is not to be changed; ERR_TOO_LARGE. */
int meta_apply(struct arena *a, const struct session_meta *now, struct str status,
               const struct meta_change *change, struct session_meta *out, struct str *status_out,
               struct errbuf *e);
/* Only known members? ERR_INVALID names one that is none. */
int meta_check_names(struct str json, struct errbuf *e);

#endif
