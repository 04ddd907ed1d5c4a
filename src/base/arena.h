/* Bump allocation for things that die together (a parsed workflow, a request body).
 *
 * Memory is handed out zeroed and aligned for any type, and freed all at once. Allocation never
 * returns NULL: a failed small allocation aborts, and callers bound every size a peer controls.
 */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include <stddef.h>

#include "base/buf.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t bytes; /* handed out so far */
};

void arena_init(struct arena *a);
void arena_deinit(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);
/* Makes room for n bytes in one block that is no larger: for who has many arenas and knows what
 * goes in. */
void arena_reserve(struct arena *a, size_t n);
void *arena_calloc(struct arena *a, size_t count, size_t size); /* aborts on overflow */
char *arena_strdup(struct arena *a, struct str s);              /* 0-terminated */

#endif
