/* A value that fits a JSON schema, for the demo provider: objects, arrays, enum, const, numbers in
 * their range, strings of their length, the first of anyOf and oneOf, $ref into $defs. */
#ifndef SLUICE_LLM_DEMO_JSON_H
#define SLUICE_LLM_DEMO_JSON_H

#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

/* Appends one value, deterministic by the seed. The topic comes up in its strings. */
void demo_json_write(struct json schema, struct str topic, uint64_t seed, struct buf *out);

#endif
