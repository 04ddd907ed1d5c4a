#include "base/table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define TABLE_CAP_MIN 4 /* most tables of a session hold one or two */

void table_init(struct table *t)
{
    *t = (struct table){0};
}

void table_deinit(struct table *t)
{
    free(t->slots);
    *t = (struct table){0};
}

/* The slot that holds the key, or the free one where it belongs. The table is never full. */
static struct table_slot *table_find(const struct table *t, struct id key)
{
    size_t i = id_hash(key) & (t->cap - 1);

    while (t->slots[i].value && !id_eq(t->slots[i].key, key))
        i = (i + 1) & (t->cap - 1);
    return &t->slots[i];
}

void *table_get(const struct table *t, struct id key)
{
    return t->cap ? table_find(t, key)->value : NULL;
}

void table_fetch(const struct table *t, struct id key)
{
    if (t->cap)
        mem_fetch(&t->slots[id_hash(key) & (t->cap - 1)], sizeof(*t->slots));
}

static void table_grow(struct table *t)
{
    struct table old = *t;

    t->cap = old.cap ? old.cap * 2 : TABLE_CAP_MIN;
    t->slots = mem_calloc(t->cap, sizeof(*t->slots));
    table_foreach(s, &old) * table_find(t, s->key) = *s;
    free(old.slots);
}

void *table_put(struct table *t, struct id key, void *value)
{
    assert(value);
    if ((t->count + 1) * 4 > t->cap * 3)
        table_grow(t);
    struct table_slot *slot = table_find(t, key);
    void *replaced = slot->value;
    slot->key = key;
    slot->value = value;
    t->count += !replaced;
    return replaced;
}

void *table_remove(struct table *t, struct id key)
{
    if (t->cap == 0)
        return NULL;
    struct table_slot *slot = table_find(t, key);
    void *removed = slot->value;
    if (!removed)
        return NULL;
    /* Close the gap, so that no marker of a deleted entry is ever needed: whatever stands further
     * on in this run and would be found from the gap as well moves into it. */
    size_t mask = t->cap - 1, gap = (size_t)(slot - t->slots);
    for (size_t i = (gap + 1) & mask; t->slots[i].value; i = (i + 1) & mask) {
        size_t home = id_hash(t->slots[i].key) & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            t->slots[gap] = t->slots[i];
            gap = i;
        }
    }
    t->slots[gap].value = NULL;
    t->count--;
    return removed;
}
