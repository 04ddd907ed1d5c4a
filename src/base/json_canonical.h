/* The one text of a JSON value, whatever its white space, escapes and order of members: for sums
 * that say whether two texts mean the same. */
#ifndef SLUICE_BASE_JSON_CANONICAL_H
#define SLUICE_BASE_JSON_CANONICAL_H

#include "base/buf.h"

/* Appends checked text with its members in the order of their names' bytes, without white space,
 * strings escaped as json_write_string() does; numbers keep their digits. ERR_TOO_LARGE (out's
 * maximum). */
int json_canonical(struct str checked, struct buf *out);

/* SHA-256 of that, in hex, 0-terminated. */
#define JSON_CHECKSUM_BYTES 64
void json_checksum(struct str checked, char out[JSON_CHECKSUM_BYTES + 1]);

#endif
