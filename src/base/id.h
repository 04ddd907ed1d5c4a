/* UUIDv7 (RFC 9562): ids of sessions, runs, messages. Sorted by time of creation; within one
 * millisecond and one process they still ascend (monotonic counter in rand_a).
 *
 * The engine is pure, so it never calls id_new(): ids come from a struct id_source that the shell
 * seeds (from the system's random source in the server, from a seed in the simulation).
 */
#ifndef SLUICE_BASE_ID_H
#define SLUICE_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define ID_TEXT_BYTES 36 /* without the terminator */

struct id {
    uint8_t b[16];
};

struct id_source {
    uint64_t state[2]; /* xoroshiro128+ */
    uint64_t last_ms;
    uint16_t counter;
};

void id_source_init_random(struct id_source *s); /* getrandom(2) */
void id_source_init_seed(struct id_source *s, uint64_t seed);
uint64_t id_source_random(struct id_source *s); /* 64 random bits, not secret */
struct id id_new(struct id_source *s, uint64_t now_ms);

void id_format(struct id id, char out[ID_TEXT_BYTES + 1]);
/* Accepts exactly the 36-character form, either case. */
bool id_parse(struct str text, struct id *out);
bool id_eq(struct id a, struct id b);
bool id_is_zero(struct id id);
uint64_t id_hash(struct id id); /* for tables; the random part, well spread */

/* Ids of workflows, nodes, agents: [A-Za-z0-9_.-]{1,64}. */
#define NAME_BYTES_MAX 64
bool name_is_valid(struct str s);

#endif
