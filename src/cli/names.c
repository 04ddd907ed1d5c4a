#include "cli/names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

void names_init(struct names *n)
{
    *n = (struct names){0};
}

void names_deinit(struct names *n)
{
    for (int i = 0; i < n->count; i++) {
        free(n->items[i].id);
        free(n->items[i].name);
        free(n->items[i].more);
    }
    free(n->items);
}

void names_add(struct names *n, const char *id, const char *name, const char *more)
{
    if (n->count == n->cap) {
        n->cap = n->cap ? n->cap * 2 : 64;
        n->items = mem_realloc(n->items, (size_t)n->cap * sizeof(*n->items));
    }
    n->items[n->count++] = (struct named){
        .id = mem_strdup(id),
        .name = mem_strdup(name),
        .more = mem_strdup(more),
    };
}

enum names_round { ROUND_ID, ROUND_NAME, ROUND_BEGINNING, ROUND_COUNT };

static bool named_fits(const struct named *it, const char *word, enum names_round round,
                       size_t id_prefix_min)
{
    size_t n = strlen(word);
    switch (round) {
    case ROUND_ID:
        return strcmp(it->id, word) == 0;
    case ROUND_NAME:
        return strcmp(it->name, word) == 0;
    case ROUND_BEGINNING:
        return (n >= id_prefix_min && strncasecmp(it->id, word, n) == 0) ||
               strncasecmp(it->name, word, n) == 0;
    case ROUND_COUNT:
        break;
    }
    return false;
}

int names_match(struct names *n, const char *word, size_t id_prefix_min, int *first)
{
    int found = 0;
    *first = -1;
    for (int i = 0; i < n->count; i++)
        n->items[i].fits = false;
    for (int round = 0; *word && !found && round < ROUND_COUNT; round++) {
        for (int i = 0; i < n->count; i++) {
            if (!named_fits(&n->items[i], word, (enum names_round)round, id_prefix_min))
                continue;
            n->items[i].fits = true;
            if (!found++)
                *first = i;
        }
    }
    return found;
}
