/* The dialect `openai`: chat completions, as pure functions between our neutral request, the wire's
 * JSON, and pieces of text. No I/O.
 *
 * Strict where it protects us, liberal where real servers differ: every event passes json_check(),
 * but unknown members, null content, empty `choices`, missing usage, `reasoning_content` or
 * `reasoning`, `message` in place of `delta`, an error as object or string are all read. One thing
 * the check refuses is common: an emoji whose \uD83D and \uDE00 come in two chunks. So lone
 * surrogates are replaced by \uFFFD, of the same length, in a copy before the check; the
 * untouched text still says which they were, and one pending high half is kept for each field until
 * the next piece of that field brings the low half.
 */
#ifndef SLUICE_LLM_OPENAI_H
#define SLUICE_LLM_OPENAI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "llm/llm.h"

struct openai_encode_options {
    const char *model; /* NULL: the member is left out, the server chooses */
    /* The limit is sent as max_completion_tokens: what OpenAI itself wants since its reasoning
     * models; other servers know max_tokens only. */
    bool is_openai;
};

/* Appends the body of POST /chat/completions. ERR_INVALID: e names the member of the neutral
 * request that is wrong; ERR_TOO_LARGE, ERR_NOMEM: out. */
int openai_encode(struct str request, const struct openai_encode_options *options, struct buf *out,
                  struct errbuf *e);

#define OPENAI_TOOL_CALLS_MAX  64
#define OPENAI_TOOL_BYTES_MAX  (1u << 20) /* of the arguments of one tool call */
#define OPENAI_TOOLS_BYTES_MAX (4u << 20) /* of all, as they come over the wire */

struct openai_tool_call {
    char id[128];
    char name[65];
    struct buf arguments; /* JSON text, in pieces until the end */
    uint16_t pending;     /* as in the decoder */
};

enum openai_field { OPENAI_TEXT, OPENAI_REFUSAL, OPENAI_THINKING };
#define OPENAI_FIELDS 3

struct openai_decoder {
    /* Out */
    bool is_done; /* [DONE] came */
    const char
        *finish_reason; /* NULL until it came; "stop", "length", "content_filter", "tool_calls" */
    char model[128];    /* as the server reported, or "" */
    struct llm_usage usage;
    struct openai_tool_call *tool_calls; /* by their `index` */
    size_t tool_call_count;
    size_t tool_bytes;
    /* Private */
    struct buf fixed;                /* the event, lone surrogates replaced */
    struct buf pieces[2];            /* unescaped text, of thinking and of the answer */
    uint16_t pending[OPENAI_FIELDS]; /* a high surrogate that waits for its low one, or 0 */
};

/* What one event adds. The slices hold until the next call, and as long as the event's bytes. */
struct openai_delta {
    struct str thinking; /* comes first */
    struct str text;     /* answer, or refusal */
};

void openai_decoder_init(struct openai_decoder *d);
void openai_decoder_deinit(struct openai_decoder *d);

/* Reads the data of one event, or the whole body of an answer that was not streamed. 0.
 * ERR_UPSTREAM: the server reported an error, e is its sentence. ERR_INVALID: not the protocol.
 * ERR_TOO_LARGE: tool calls over their limits. */
int openai_decode(struct openai_decoder *d, struct str data, struct openai_delta *out,
                  struct errbuf *e);

/* At the end of the stream: what a high surrogate without a second half becomes. */
void openai_decode_end(struct openai_decoder *d, struct openai_delta *out);

/* The tool calls as llm_call.tool_calls has them; after openai_decode_end(). */
int openai_tool_calls_write(const struct openai_decoder *d, struct buf *out);

/* ---- openai_tools.c, for openai.c ---- */

int openai_check_message(struct json message, size_t index, struct errbuf *e);
void openai_encode_messages(struct jw *w, struct json messages); /* checked ones */
int openai_encode_tools(struct jw *w, struct json tools, struct errbuf *e);

/* The sentence in the body of an HTTP error: {"error":{"message"}}, {"error":"…"}, {"message"},
 * {"detail"}, else the beginning of the text. Cut, on a boundary, to fit. */
void openai_error_text(struct str body, struct errbuf *out);

#endif
