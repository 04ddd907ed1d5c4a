/* What a model is told about who it is, out of what was stored: a pure function from texts to one.
 *
 * The order is fixed: the group's prompt, the persona, what the group remembers, what the agent
 * itself remembers. Together they are the system message; the input follows as a user message.
 *
 *     ## The group                       A part that is empty is left out, with its heading; a part
 *                                        that is alone has none. Memories are a list, the best
 *     We review plans.                   first, with their day.
 *
 *     ## Who you are
 *
 *     You are careful.
 *
 *     ## What the group remembers
 *
 *     - (2026-01-31) The last plan was too dear.
 *
 *     ## What you remember
 *
 *     - (2026-01-30) Ask for the price first.
 */
#ifndef SLUICE_ENGINE_PERSONA_H
#define SLUICE_ENGINE_PERSONA_H

#include "base/buf.h"
#include "base/json.h"

struct persona {
    struct str group, self;                /* texts; NULL or "": none */
    struct json group_memory, self_memory; /* [{content, created_at?}…], or absent */
};

/* Appends the system message; nothing when there is nothing to say. Errors stick in the buf. */
void persona_write(struct buf *out, const struct persona *p);

#endif
