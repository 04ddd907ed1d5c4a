/* What the decoders of all dialects share: pieces of text, tool calls, and half surrogate pairs.
 *
 * Strict where it protects us: every event passes json_check(). One thing that the check refuses is
 * common: an emoji whose \uD83D and \uDE00 come in two chunks. So lone surrogates are replaced by
 * \uFFFD, of the same length, in a copy before the check; the untouched text still says which they
 * were, and one pending high half is kept for each field until the next piece of that field brings
 * the low half. Pure, no I/O.
 */
#ifndef SLUICE_LLM_DECODER_H
#define SLUICE_LLM_DECODER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "llm/llm.h"

#define DECODER_TOOL_CALLS_MAX  64
#define DECODER_TOOL_BYTES_MAX  (1u << 20) /* of the arguments of one tool call */
#define DECODER_TOOLS_BYTES_MAX (4u << 20) /* of all, as they come over the wire */

struct llm_tool_call {
    char id[128];
    char name[65];
    struct buf arguments; /* JSON text, in pieces until the end */
    uint16_t pending;     /* as in the decoder */
    int64_t block;        /* of the dialect: which part of the message it is */
    bool is_whole;        /* `arguments` came at once; pieces that follow replace them */
};

enum decoder_field { DECODER_TEXT, DECODER_REFUSAL, DECODER_THINKING };
#define DECODER_FIELDS 3

struct llm_decoder {
    /* Out */
    bool is_done;              /* the message says that it is over */
    const char *finish_reason; /* NULL until it came; "stop", "length", "content_filter",
                                  "tool_calls" */
    bool is_overloaded;        /* the error that was reported says "not now" */
    struct llm_usage usage;
    struct llm_tool_call *tool_calls; /* by their `index`; without a name: a hole */
    size_t tool_call_count;
    size_t tool_bytes;
    /* Private */
    struct buf fixed;                 /* the event, lone surrogates replaced */
    struct buf pieces[2];             /* unescaped text, of thinking and of the answer */
    uint16_t pending[DECODER_FIELDS]; /* a high surrogate that waits for its low one, or 0 */
    int64_t answer_block;             /* anthropic: the tool call that is the answer, or -1 */
    int64_t input_parts[3];           /* anthropic: fresh, written to and read from its cache */
    char model[128];                  /* out: as the server reported, or "" */
};

/* What one event adds. The slices hold until the next call, and as long as the event's bytes. */
struct llm_delta {
    struct str thinking; /* comes first */
    struct str text;     /* answer, or refusal */
};

void decoder_init(struct llm_decoder *d);
void decoder_deinit(struct llm_decoder *d);
/* At the end of the stream: what a high surrogate without a second half becomes. */
void decoder_end(struct llm_decoder *d, struct llm_delta *out);
/* The tool calls as llm_call.tool_calls has them; after decoder_end(). */
int decoder_tools_write(const struct llm_decoder *d, struct buf *out);

/* The sentence in the body of an HTTP error: {"error":{"message"}}, {"error":"…"}, {"message"},
 * {"detail"}, else the beginning of the text. Cut, on a boundary, to fit. */
void decoder_error_text(struct str body, struct errbuf *out);

/* ---- For the dialects: one event ---- */

struct decoding {
    struct llm_decoder *d;
    struct str data;  /* as it came */
    struct str fixed; /* what the views point into */
    struct llm_delta *out;
    struct errbuf *e;
};

/* Checks the event's JSON; json_root(g->fixed) is its value. ERR_INVALID, ERR_NOMEM. */
int decoding_begin(struct decoding *g, struct llm_decoder *d, struct str data,
                   struct llm_delta *out, struct errbuf *e);
int decoding_finish(const struct decoding *g); /* ERR_NOMEM */
/* Adds the string v; anything else adds nothing. */
void decoding_add(const struct decoding *g, enum decoder_field field, struct json v);
void decoding_add_raw(const struct decoding *g, struct json v); /* its JSON, to the text */
/* The call at that place, made if need be. NULL: too many. */
struct llm_tool_call *decoding_tool(const struct decoding *g, int64_t index);
void decoding_tool_name(struct llm_tool_call *call, struct json id, struct json name);
/* A piece of JSON text, as the string v. ERR_TOO_LARGE. */
int decoding_tool_piece(const struct decoding *g, struct llm_tool_call *call, struct json v);
void decoding_model(const struct decoding *g, struct json model); /* the first one stays */
/* The error that a server reports: an object with a message, or a string. ERR_UPSTREAM. */
int decoding_error(const struct decoding *g, struct json error);

#endif
