/* JSON that is changed: deep merge of stored objects, over cJSON (the only user of cJSON.h).
 *
 * Both texts must have passed json_check(). Trees never leave this file.
 */
#ifndef SLUICE_BASE_JSON_TREE_H
#define SLUICE_BASE_JSON_TREE_H

#include "base/buf.h"
#include "base/err.h"

/* RFC 7396 merge patch, as the contract's PATCH: objects merge deeply, arrays and scalars replace,
 * an explicit null deletes. Appends the merged object, compact, to out. Integers beyond 2^53 keep
 * their digits (numbers are kept as raw text). ERR_NOMEM, ERR_TOO_LARGE (out's maximum). */
int json_merge(struct str target, struct str patch, struct buf *out);

/* The same value without white space, members in their order. */
int json_compact(struct str text, struct buf *out);

#endif
