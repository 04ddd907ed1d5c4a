/* The dialect `openai`: chat completions.
 *
 * Liberal where real servers differ: unknown members, null content, empty `choices`, missing usage,
 * `reasoning_content` or `reasoning`, `message` in place of `delta`, an error as object or string
 * are all read.
 */
#ifndef SLUICE_LLM_OPENAI_H
#define SLUICE_LLM_OPENAI_H

#include "llm/dialect.h"

/* As dialect.encode: the body of POST /chat/completions. */
int openai_encode(struct str request, const struct dialect_options *options, struct buf *out,
                  struct errbuf *e);
/* As dialect.decode. */
int openai_decode(struct llm_decoder *d, struct str name, struct str data, struct llm_delta *out,
                  struct errbuf *e);

/* ---- openai_tools.c, for openai.c; the neutral form's checks also for anthropic.c ---- */

int openai_check_messages(struct json messages, struct errbuf *e);
int openai_check_message(struct json message, size_t index, struct errbuf *e);
void openai_encode_messages(struct jw *w, struct json messages); /* checked ones */
int openai_encode_tools(struct jw *w, struct json tools, struct errbuf *e);

#endif
