/* Texts as words: the same for every store, so that a session that moves to another one finds the
 * same. A word is a run of letters and digits, folded to lower case; where a script has no spaces
 * (Chinese, Japanese, Korean, Thai, …) it is a pair of characters that stand side by side, and of
 * a text that is looked through a single one, too.
 *
 *     struct words w;
 *     words_init(&w, text, WORDS_OF_TEXT);
 *     while (words_next(&w)) … w.word, w.hash …
 */
#ifndef SLUICE_STORE_RULES_WORDS_H
#define SLUICE_STORE_RULES_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define WORDS_TEXT_MAX (64u << 10) /* bytes of a text that are looked at */
#define WORD_MAX       64          /* bytes; what is longer is cut */

enum words_of {
    WORDS_OF_TEXT,     /* pairs and single characters */
    WORDS_OF_QUESTION, /* single characters only where they stand alone */
};
struct words {
    struct str text;
    size_t at;
    enum words_of of;
    uint32_t before; /* the character that the next one makes a pair with; 0: none */
    bool single;     /* the word to give next is `before` by itself */
    struct str word; /* Out, points into chars: no blank, no quote, no control character */
    uint64_t hash;   /* Out, of the word */
    char chars[WORD_MAX];
};
/* Any bytes will do: what is not UTF-8 parts words. */
void words_init(struct words *w, struct str text, enum words_of of);
bool words_next(struct words *w);

/* The words of a text, each once, with a blank between them. */
void words_write(struct buf *out, struct str text);

#endif
