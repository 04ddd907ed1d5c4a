/* A body in the chunked transfer coding (RFC 9112, 7.1), out of whatever pieces it comes in.
 *
 *     "5" CR LF "hello" CR LF   "0" CR LF CR LF
 *     ^ between                 ^ between, and the last one
 *
 * It is read as libcurl 7.88 reads it (extensions are passed over, carriage returns may be
 * missing), which reads the same bytes beside it and says where the body ends. No allocation but of
 * the buffer.
 */
#ifndef SLUICE_LLM_CHUNKED_H
#define SLUICE_LLM_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* All zero at the body's first byte. */
struct chunked {
    enum chunked_state {
        CHUNKED_SIZE,
        CHUNKED_EXTENSION, /* to the end of the size's line */
        CHUNKED_DATA,
        CHUNKED_DATA_END,
        CHUNKED_OVER, /* after the last chunk: trailers and the end are nobody's data */
        CHUNKED_BROKEN,
    } state;
    unsigned digits; /* of the size that were read */
    uint64_t left;   /* bytes of the chunk that are to come */
};

/* Appends the data that are in raw. ERR_INVALID: this is no such body, from here on; otherwise as
 * buf_append(). */
int chunked_read(struct chunked *c, struct str raw, struct buf *out);

/* A chunk may begin with the next byte. */
bool chunked_is_between(const struct chunked *c);

/* As many of the first bytes as are whole chunks, in the plainest form that there is, and none of
 * them the last; 0: none are. raw begins where a chunk does. */
size_t chunked_whole(struct str raw);

#endif
