/* Which of several named things a person means by a word. In this order, the first that anything
 * fits: a whole id; a whole name; the beginning of an id or of a name, in any case. */
#ifndef SLUICE_CLI_NAMES_H
#define SLUICE_CLI_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct names {
    struct named {
        char *id;
        char *name; /* may be "" */
        char *more; /* beside them when candidates are listed: a status; may be "" */
        bool fits;
    } * items;
    int count, cap;
};

void names_init(struct names *n);
void names_deinit(struct names *n);
/* Copies. */
void names_add(struct names *n, const char *id, const char *name, const char *more);
/* How many things the word may mean; they are marked, *first is the first of them (-1: none). Ids
 * are compared by their beginning only when the word has id_prefix_min bytes or more. */
int names_match(struct names *n, const char *word, size_t id_prefix_min, int *first);

#endif
