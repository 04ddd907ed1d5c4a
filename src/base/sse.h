/* Server-sent events, the reading side (WHATWG HTML 9.2.6), fed with bytes as they come.
 *
 *     bytes ──> sse_next() ──> 1: an event │ 0: give me more bytes │ < 0: over the limit
 *
 * Lines end with LF, CRLF or CR, also mixed, and may be cut anywhere. Comments, `id` and `retry`
 * are skipped, several `data` lines are joined by LF. Nothing is allocated per event once the
 * buffers have grown: an event of one data line that came whole is a slice of the caller's bytes.
 */
#ifndef SLUICE_BASE_SSE_H
#define SLUICE_BASE_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define SSE_EVENT_BYTES_MAX (1u << 20) /* of one line, and of the data of one event */

struct sse_event {
    struct str name; /* of `event:`, empty when there was none */
    struct str data;
};

struct sse {
    /* Private */
    struct buf line; /* the beginning of a line that is not whole yet */
    struct buf data;
    struct buf name;
    struct str slice; /* the data, while it is one line within the caller's bytes */
    size_t bytes_max;
    bool has_data;
    bool is_given;    /* the last event was handed out: begin a new one */
    bool after_cr;    /* a LF that comes now belongs to the CR before it */
    bool after_start; /* a byte order mark may only come first */
};

void sse_init(struct sse *s, size_t bytes_max); /* 0: SSE_EVENT_BYTES_MAX */
void sse_deinit(struct sse *s);
void sse_reset(struct sse *s); /* for a new stream; keeps the memory */

/* Takes bytes off the front of *in until an event is whole. 1: *ev holds until the next call, and
 * as long as the bytes behind *in stay where they are. 0: all bytes were taken. ERR_TOO_LARGE,
 * ERR_NOMEM: the stream cannot be read on. */
int sse_next(struct sse *s, struct str *in, struct sse_event *ev);

/* Is nothing kept of what came: does the next byte begin an event, as if it were the first one? */
bool sse_is_between(const struct sse *s);

/* At the end of the stream: an event that lacks its last empty line or even line end, which the
 * standard drops but some servers send. 1 or 0. */
int sse_end(struct sse *s, struct sse_event *ev);

#endif
