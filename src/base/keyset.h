/* The keys of the objects that are open while a document is read, to refuse duplicates.
 *
 * Objects nest, so keys come and go like a stack: an object marks where it begins, adds its keys,
 * and drops them when it closes. One hash table serves all of them; because entries leave in the
 * reverse order of their coming, a slot is simply cleared, without markers or moves.
 *
 * O(1) a key whatever a peer sends: the hash is seeded with random bits of the process. Small
 * documents allocate nothing.
 */
#ifndef SLUICE_BASE_KEYSET_H
#define SLUICE_BASE_KEYSET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define KEYSET_SMALL 32

struct keyset_entry {
    uint64_t hash;
    struct str key;
    uint32_t slot;
};

struct keyset {
    struct keyset_entry *entries;
    size_t count, entries_cap;
    uint32_t *slots;  /* index of an entry plus 1, or 0 */
    size_t slots_cap; /* a power of two, at least twice entries_cap */
    struct keyset_entry small_entries[KEYSET_SMALL];
    uint32_t small_slots[2 * KEYSET_SMALL];
};

void keyset_init(struct keyset *k);
void keyset_deinit(struct keyset *k);
/* Where the object that opens now begins: hand it to the other two. */
static inline size_t keyset_mark(const struct keyset *k)
{
    return k->count;
}
/* Adds a key (unescaped) to the innermost object, that began at mark. The bytes must stay where
 * they are until it is dropped. 0; ERR_INVALID: the object has it; ERR_TOO_LARGE: more than
 * JSON_KEYS_MAX in this object; ERR_NOMEM. */
int keyset_add(struct keyset *k, size_t mark, struct str key);
void keyset_drop(struct keyset *k, size_t mark);

/* The seeded hash, also good for other tables of peers' strings. Never store it. */
uint64_t keyset_hash(struct str key);

#endif
