/* The words of the demo provider. Pure: the same request and key give the same text. */
#ifndef SLUICE_LLM_DEMO_TEXT_H
#define SLUICE_LLM_DEMO_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"

#define DEMO_REMARK "(canned demo text, no model was asked)"

/* What shapes an answer. Slices of its own buffers. */
struct demo_prompt {
    struct buf system;  /* all system messages */
    struct buf user;    /* the last user message */
    struct json schema; /* response_schema, a view into the request; absent: prose */
    int64_t max_words;  /* max_tokens, or INT64_MAX */
    int64_t input_words;
    uint64_t seed;
};

/* ERR_INVALID: not our neutral request. */
int demo_prompt_init(struct demo_prompt *p, struct str request, struct id key, struct errbuf *e);
void demo_prompt_deinit(struct demo_prompt *p);

/* Appends the whole answer: 40 to 160 words that begin or end with DEMO_REMARK, or a JSON value
 * that fits the schema (plain kinds of schemas) and has the remark in a string if it has one. */
void demo_text_write(const struct demo_prompt *p, struct buf *out);

/* A small generator for the seed. */
uint64_t demo_random(uint64_t *state);

#endif
