/* Hash table from bytes to a pointer: keys and channels by name. Open addressing, grows; the seeded
 * hash of base/keyset.h, for names may come from peers. Keys and values are owned by the caller,
 * and a key must live as long as it is in the table (it lies in the value, usually). */
#ifndef SLUICE_CACHE_STRMAP_H
#define SLUICE_CACHE_STRMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct strmap_slot {
    struct str key;
    uint64_t hash;
    void *value; /* NULL: free */
};
struct strmap {
    struct strmap_slot *slots;
    size_t count, cap; /* cap: a power of two, or 0 */
};

void strmap_init(struct strmap *m);
void strmap_deinit(struct strmap *m);
void *strmap_get(const struct strmap *m, struct str key);       /* NULL when absent */
void strmap_put(struct strmap *m, struct str key, void *value); /* the key must be absent */
void *strmap_remove(struct strmap *m, struct str key);          /* the value, or NULL */

/* No changes meanwhile. */
#define strmap_foreach(s, m)                                                                       \
    for (struct strmap_slot *s = (m)->slots; s && s < (m)->slots + (m)->cap; s++)                  \
        if (s->value)

#endif
