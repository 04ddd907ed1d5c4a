#include "base/keyset.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/id.h"
#include "base/json.h"

static pthread_once_t keyset_once = PTHREAD_ONCE_INIT;
static uint64_t keyset_seed[2];

static void keyset_seed_once(void)
{
    struct id_source random;

    id_source_init_random(&random);
    keyset_seed[0] = id_source_random(&random);
    keyset_seed[1] = id_source_random(&random);
}

/* Both halves of the 128-bit product, folded (as wyhash does). */
static uint64_t keyset_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t keyset_hash(struct str key)
{
    pthread_once(&keyset_once, keyset_seed_once);
    uint64_t hash = keyset_seed[0] ^ key.n, word;
    size_t i = 0;

    for (; i + 8 <= key.n; i += 8) {
        memcpy(&word, key.p + i, 8);
        hash = keyset_fold(hash ^ word, keyset_seed[1] | 1);
    }
    word = 0;
    if (i < key.n)
        memcpy(&word, key.p + i, key.n - i);
    hash = keyset_fold(hash ^ word, keyset_seed[1] | 1);
    return keyset_fold(hash, UINT64_C(0x9e3779b97f4a7c15));
}

void keyset_init(struct keyset *k)
{
    k->entries = k->small_entries;
    k->count = 0;
    k->entries_cap = KEYSET_SMALL;
    k->slots = k->small_slots;
    k->slots_cap = 2 * KEYSET_SMALL;
    memset(k->small_slots, 0, sizeof(k->small_slots));
}

void keyset_deinit(struct keyset *k)
{
    if (k->entries != k->small_entries)
        free(k->entries);
    if (k->slots != k->small_slots)
        free(k->slots);
}

static uint32_t keyset_free_slot(const struct keyset *k, uint64_t hash)
{
    size_t i = hash & (k->slots_cap - 1);

    while (k->slots[i] != 0)
        i = (i + 1) & (k->slots_cap - 1);
    return (uint32_t)i;
}

/* Twice as many, filled in the order of coming, so that leaving in reverse stays exact. */
static int keyset_grow(struct keyset *k)
{
    size_t cap = k->entries_cap * 2;
    struct keyset_entry *entries = malloc(cap * sizeof(*entries));
    uint32_t *slots = calloc(2 * cap, sizeof(*slots));

    if (!entries || !slots) {
        free(entries);
        free(slots);
        return ERR_NOMEM;
    }
    memcpy(entries, k->entries, k->count * sizeof(*entries));
    keyset_deinit(k);
    k->entries = entries;
    k->entries_cap = cap;
    k->slots = slots;
    k->slots_cap = 2 * cap;
    for (size_t i = 0; i < k->count; i++) {
        entries[i].slot = keyset_free_slot(k, entries[i].hash);
        slots[entries[i].slot] = (uint32_t)i + 1;
    }
    return 0;
}

int keyset_add(struct keyset *k, size_t mark, struct str key)
{
    /* The mark goes into the hash: the same key in objects within each other is usual. */
    uint64_t hash = keyset_hash(key) + mark * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = hash & (k->slots_cap - 1);

    for (; k->slots[i] != 0; i = (i + 1) & (k->slots_cap - 1)) {
        const struct keyset_entry *entry = &k->entries[k->slots[i] - 1];
        if (entry->hash == hash && k->slots[i] > mark && str_eq(entry->key, key))
            return ERR_INVALID;
    }
    if (k->count - mark >= JSON_KEYS_MAX)
        return ERR_TOO_LARGE;
    if (k->count == k->entries_cap) {
        int rv = keyset_grow(k);
        if (rv != 0)
            return rv;
        i = keyset_free_slot(k, hash);
    }
    k->entries[k->count] = (struct keyset_entry){hash, key, (uint32_t)i};
    k->slots[i] = (uint32_t)++k->count;
    return 0;
}

void keyset_drop(struct keyset *k, size_t mark)
{
    while (k->count > mark)
        k->slots[k->entries[--k->count].slot] = 0;
}
