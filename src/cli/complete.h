/* What may stand where the cursor is: commands and options from the tables, ids and names of the
 * server's objects, words that an option knows. */
#ifndef SLUICE_CLI_COMPLETE_H
#define SLUICE_CLI_COMPLETE_H

#include "cli/client.h"

/* Gives a candidate that begins as the last word does; about: beside it, may be "". */
typedef void complete_cb(void *data, const char *word, const char *about);

/* words: what was typed after `sluice`, the last one up to the cursor (may be ""). fetch() gives
 * the objects of a kind ("session", "workflow", "stage", "agent", …); NULL: none. True: files may
 * stand there, too. */
bool complete_words(int count, const char *const *words,
                    void (*fetch)(void *data, const char *kind, complete_cb *give, void *to),
                    complete_cb *give, void *data);

#endif
