/* The dialect `anthropic`: POST /messages, as Anthropic and those that speak like it have it.
 *
 * What differs from our neutral request, and what becomes of it:
 * - System messages stand apart; texts without words are refused there, so they are left out.
 * - max_tokens is required: ANTHROPIC_MAX_TOKENS when the request has none.
 * - temperature ends at 1, and newer models refuse it together with top_p: then only the
 * temperature is sent.
 * - response_schema: a tool ANTHROPIC_ANSWER that the model must call; its input is the answer, and
 *   comes out as text. It has a schema of an object; another schema is a sentence of the system
 *   message.
 * - Results of tools that follow each other are one message of the user. Ids of tool calls have a
 *   plain alphabet: what another server gave is written in it.
 * - Messages that speak of tool calls need tools: where none are offered any more, those that were
 *   called are named, and forbidden.
 */
#ifndef SLUICE_LLM_ANTHROPIC_H
#define SLUICE_LLM_ANTHROPIC_H

#include "llm/dialect.h"

#define ANTHROPIC_MAX_TOKENS "8192"
#define ANTHROPIC_VERSION    "2023-06-01"
#define ANTHROPIC_ANSWER     "structured_answer" /* no tool of a request may be called so */

/* As dialect.encode and dialect.decode. */
int anthropic_encode(struct str request, const struct dialect_options *options, struct buf *out,
                     struct errbuf *e);
int anthropic_decode(struct llm_decoder *d, struct str name, struct str data, struct llm_delta *out,
                     struct errbuf *e);

#endif
