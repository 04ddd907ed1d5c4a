/* What a model's server streams, event by event: SSE (sse.h) and a dialect's JSON (decoder.h).
 *
 *     bytes ──> as the last event, but for its text? ──> llm_delta
 *                  └─ no ─> sse_next ──> decode ──────────┘└─> how this one looked
 *
 * The events of an answer hardly differ in more than their word. One that does not differ from the
 * event before it, checked and decoded, in anything but the string that was its text, and whose
 * string is plain (no escape, no control character, valid UTF-8), says that string: the same JSON
 * with another value there. So a word costs a comparison of its event's bytes and not a parse.
 * Whatever is not so, or comes cut, is parsed; both ways tell the same (fuzz_dialect.h). Pure.
 */
#ifndef SLUICE_LLM_READER_H
#define SLUICE_LLM_READER_H

#include "base/sse.h"
#include "llm/decoder.h"
#include "llm/dialect.h"

#define READER_SHAPE_BYTES_MAX 2048 /* of an event without its text; they are 200 to 400 */

struct llm_reader {
    /* Private */
    const struct dialect *dialect;
    struct buf shape; /* the last event without its text; empty: it cannot serve */
    size_t text_at;
    bool is_thinking;
    struct sse sse;
    struct llm_decoder decoder; /* its outcome is the caller's to look at */
};

/* bytes_max: of an event, as sse_init() has it. */
void reader_init(struct llm_reader *r, const struct dialect *dialect, size_t bytes_max);
void reader_deinit(struct llm_reader *r);
/* Takes bytes off the front of *in until an event is whole. 1: *out holds until the next call, and
 * as long as the bytes behind *in stay where they are. 0: all bytes were taken. ERR_*: as
 * sse_next() and dialect.decode() have it; e has the sentence. */
int reader_next(struct llm_reader *r, struct str *in, struct llm_delta *out, struct errbuf *e);
/* At the end of the stream, an event without its empty line. 1, 0, or what decode() says. */
int reader_end(struct llm_reader *r, struct llm_delta *out, struct errbuf *e);

#endif
