/* Hash table from struct id to a pointer (sessions by id, runs by id). Open addressing, grows;
 * the values are owned by the caller. Removal during table_foreach() is not allowed. */
#ifndef SLUICE_BASE_TABLE_H
#define SLUICE_BASE_TABLE_H

#include <stddef.h>

#include "base/id.h"

struct table_slot {
    struct id key;
    void *value; /* NULL: free */
};
struct table {
    struct table_slot *slots;
    size_t count, cap; /* cap: a power of two, or 0 */
};

void table_init(struct table *t);
void table_deinit(struct table *t);
void *table_get(const struct table *t, struct id key);        /* NULL when absent */
void *table_put(struct table *t, struct id key, void *value); /* the value it replaced, or NULL */
void *table_remove(struct table *t, struct id key);           /* the value, or NULL */
/* The key will be asked for: its slot is fetched into the caches meanwhile. */
void table_fetch(const struct table *t, struct id key);

#define table_foreach(s, t)                                                                        \
    for (struct table_slot *s = (t)->slots; s && s < (t)->slots + (t)->cap; s++)                   \
        if (s->value)

#endif
