/* Texts that the server writes again and again, in few bytes: for stored JSON. The forms are told
 * by their first byte from each other and from a JSON text:
 *
 *     1 | bytes of the plain form, a varint | raw deflate of it, over a dictionary of our own
 *     2 | bytes of the text, a varint       | an LZ4 block of it, over the same dictionary
 *     3 | the same as 2: with a mark, for texts that SQL must find
 *
 * The first is the shortest (a twelfth of a session's first events), and takes 15 microseconds: for
 * what will lie there. The second takes one, and a seventh: for what runs through.
 *
 * The plain form is the text, with each UUID (lower case, 36 characters) as the byte 1 and 16
 * bytes; a text with a byte below 2 in it has none, JSON never has. The dictionary is what such
 * texts look like; it belongs to these first bytes, and is never changed: another one gets others.
 */
#ifndef SLUICE_BASE_PACK_H
#define SLUICE_BASE_PACK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"

#define PACK_TEXT_MIN 64          /* bytes: a shorter text is left as it is */
#define PACK_TEXT_MAX (64u << 10) /* and a longer one, too: what is unpacked has a bound */

/* Memory to pack with, some 100 kB. Not shared between threads. */
struct packer;
struct packer *packer_create(void);
void packer_destroy(struct packer *p);

/* The packed form, in `a`, the first or the second; NULL: it has none, or it would be no shorter.
 * The same text gives the same bytes, with one version of zlib and LZ4. */
struct str pack(struct packer *p, struct str text, struct arena *a);
struct str pack_quickly(struct packer *p, struct str text, struct arena *a);
struct str pack_marked(struct packer *p, struct str text, struct arena *a); /* the third */

/* Whether these bytes are meant to be a packed form. */
static inline bool pack_is_packed(struct str s)
{
    return s.n > 0 && s.p[0] >= 1 && s.p[0] <= 3;
}
/* The text, in `a`, 0-terminated; may be called on any thread. ERR_CORRUPT: it is no packed form.
 */
int unpack(struct str packed, struct arena *a, struct str *text);

#endif
