/* A workflow's definition in the order in which people read it: what it is, then its nodes, each
 * with its type first and what follows it last. The same members, the same values; so writing it
 * twice gives the same bytes. */
#ifndef SLUICE_ENGINE_WORKFLOW_CANONICAL_H
#define SLUICE_ENGINE_WORKFLOW_CANONICAL_H

#include "base/buf.h"
#include "base/json.h"

/* Appends JSON. `id` takes the place of the definition's own; NULL: as it is. */
void workflow_canonical_write(struct json definition, struct str id, struct buf *out);

#endif
