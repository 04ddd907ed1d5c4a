/* What the HTTP client asks of a dialect of model servers: pure functions between our neutral
 * request, the wire's JSON, and pieces of text. */
#ifndef SLUICE_LLM_DIALECT_H
#define SLUICE_LLM_DIALECT_H

#include "llm/decoder.h"

struct dialect_options {
    const char *model; /* NULL: the member is left out, the server chooses */
    /* The limit is sent as max_completion_tokens: what OpenAI itself wants since its reasoning
     * models; other servers know max_tokens only. */
    bool is_openai;
};

struct dialect {
    const char *path;       /* behind the base URL */
    const char *key_header; /* with its colon and what stands before the key */
    const char *header;     /* one more, or NULL */
    /* Appends the body of the request. ERR_INVALID: e names the member of the neutral request that
     * is wrong; ERR_TOO_LARGE, ERR_NOMEM: out. */
    int (*encode)(struct str request, const struct dialect_options *options, struct buf *out,
                  struct errbuf *e);
    /* Reads one event (name: of `event:`, or empty), or the whole body of an answer that was not
     * streamed. 0. ERR_UPSTREAM: the server reported an error, e is its sentence. ERR_INVALID: not
     * the protocol. ERR_TOO_LARGE: tool calls over their limits. */
    int (*decode)(struct llm_decoder *d, struct str name, struct str data, struct llm_delta *out,
                  struct errbuf *e);
    /* A stream that ends after its finish reason, but before is_done, is whole. */
    bool ends_by_reason;
};

extern const struct dialect openai_dialect, anthropic_dialect;
/* Of a provider over HTTP. */
const struct dialect *dialect_of(enum llm_dialect dialect);

#endif
