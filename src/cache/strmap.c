#include "cache/strmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/keyset.h"
#include "base/mem.h"

#define STRMAP_CAP_FIRST 16

void strmap_init(struct strmap *m)
{
    *m = (struct strmap){NULL, 0, 0};
}

void strmap_deinit(struct strmap *m)
{
    free(m->slots);
    strmap_init(m);
}

/* The slot of the key, or the free one where it would go. */
static size_t strmap_find(const struct strmap *m, struct str key, uint64_t hash)
{
    size_t i = (size_t)hash & (m->cap - 1);

    while (m->slots[i].value && (m->slots[i].hash != hash || !str_eq(m->slots[i].key, key)))
        i = (i + 1) & (m->cap - 1);
    return i;
}

static void strmap_grow(struct strmap *m)
{
    struct strmap_slot *old = m->slots;
    size_t old_cap = m->cap;

    m->cap = old_cap ? old_cap * 2 : STRMAP_CAP_FIRST;
    m->slots = mem_calloc(m->cap, sizeof(*m->slots));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].value)
            m->slots[strmap_find(m, old[i].key, old[i].hash)] = old[i];
    free(old);
}

void *strmap_get(const struct strmap *m, struct str key)
{
    return m->count ? m->slots[strmap_find(m, key, keyset_hash(key))].value : NULL;
}

void strmap_put(struct strmap *m, struct str key, void *value)
{
    uint64_t hash = keyset_hash(key);

    if ((m->count + 1) * 4 > m->cap * 3)
        strmap_grow(m);
    m->slots[strmap_find(m, key, hash)] = (struct strmap_slot){key, hash, value};
    m->count++;
}

void *strmap_remove(struct strmap *m, struct str key)
{
    size_t hole, mask = m->cap - 1;
    void *value;

    if (!m->count)
        return NULL;
    hole = strmap_find(m, key, keyset_hash(key));
    value = m->slots[hole].value;
    if (!value)
        return NULL;
    /* What stands behind the hole moves into it, as far as it may stand there. */
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        size_t home = (size_t)m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct strmap_slot){STR_NULL, 0, NULL};
    m->count--;
    return value;
}
