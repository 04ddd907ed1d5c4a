#include "book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define SLOTS (1u << 18)

static struct book_entry *slots;
static size_t count;

void book_init(void)
{
    slots = calloc(SLOTS, sizeof(*slots));
    if (!slots)
        die("book");
}

static size_t home(const char *id)
{
    uint64_t h = 1469598103934665603u;
    for (int i = 0; i < BOOK_ID_BYTES; i++)
        h = (h ^ (uint8_t)id[i]) * 1099511628211u;
    return h & (SLOTS - 1);
}

struct book_entry *book_get(const char *id)
{
    size_t i = home(id);

    for (; slots[i].id[0]; i = (i + 1) & (SLOTS - 1))
        if (memcmp(slots[i].id, id, BOOK_ID_BYTES) == 0)
            return &slots[i];
    errno = 0;
    if (++count > SLOTS / 2)
        die("too many sessions have not ended");
    memcpy(slots[i].id, id, BOOK_ID_BYTES);
    return &slots[i];
}

/* Linear probing without tombstones: what stands behind the gap moves up where it may. */
void book_settle(struct book_entry *e)
{
    size_t gap = (size_t)(e - slots);

    for (size_t i = (gap + 1) & (SLOTS - 1); slots[i].id[0]; i = (i + 1) & (SLOTS - 1)) {
        size_t from_home = (i - home(slots[i].id)) & (SLOTS - 1),
               from_gap = (i - gap) & (SLOTS - 1);
        if (from_home >= from_gap) {
            slots[gap] = slots[i];
            gap = i;
        }
    }
    memset(&slots[gap], 0, sizeof(slots[gap]));
    count--;
}

size_t book_count(void)
{
    return count;
}

const struct book_entry *book_next(size_t *at)
{
    while (*at < SLOTS)
        if (slots[(*at)++].id[0])
            return &slots[*at - 1];
    return NULL;
}
