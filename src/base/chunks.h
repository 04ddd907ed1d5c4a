/* Splits a text or Markdown into pieces that can be found and embedded one by one.
 *
 *     |<--------------- about 1,000 characters --------------->|
 *     |                            |<- the cut is looked for ->|
 *     |                            |  heading, else paragraph, else line, else sentence, else
 *     |                            |  clause, else word, else anywhere: of the best kind the last
 *     |                                        |<- overlap ->| the next piece begins here, at a
 *                                                              sentence or word, if it can
 *
 * A heading begins a piece and has no overlap with what was before it; lines that look like one
 * inside a code fence are none. Sentences end as Latin ones do or as Chinese and Japanese ones.
 * Pieces are slices of the text without white space at their ends, in order, never empty; every
 * character that is not white space is in one. A character is never cut. No allocation, linear.
 */
#ifndef SLUICE_BASE_CHUNKS_H
#define SLUICE_BASE_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define CHUNK_CHARS         1000
#define CHUNK_CHARS_LEAST   400  /* a cut leaves at least so many before it */
#define CHUNK_CHARS_MAX     1200 /* of the last one: a short rest is not cut off */
#define CHUNK_CHARS_OVERLAP 120
/* Pieces of a text of n bytes, at most. */
#define CHUNKS_MAX(n) ((n) / (CHUNK_CHARS_LEAST - CHUNK_CHARS_OVERLAP) + 1)

struct chunks {
    struct str text;
    size_t at;      /* where the next piece begins */
    bool is_fenced; /* at `at`: in a code fence */
};
/* text: UTF-8; a byte that is none counts as a character. */
void chunks_init(struct chunks *c, struct str text);
bool chunks_next(struct chunks *c, struct str *out);

#endif
