/* A value that fits a JSON schema, for the demo provider: objects, arrays, enum, const, numbers in
 * their range, strings of their length, the first of anyOf and oneOf, $ref into $defs. */
#ifndef SLUICE_LLM_DEMO_JSON_H
#define SLUICE_LLM_DEMO_JSON_H

#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

struct demo_asked {
    struct str topic; /* comes up in the strings */
    uint64_t seed;    /* of all that is left to chance */
    unsigned round;   /* not 0: scores follow from it alone, and rise: a loop that waits for a good
                         one ends */
};

/* Appends one value. */
void demo_json_write(struct json schema, const struct demo_asked *asked, struct buf *out);

#endif
