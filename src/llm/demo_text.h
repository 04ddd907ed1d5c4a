/* The words of the demo provider. Pure: the same request and key give the same text. */
#ifndef SLUICE_LLM_DEMO_TEXT_H
#define SLUICE_LLM_DEMO_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"

#define DEMO_REMARK "(canned demo text, no model was asked)"

/* What shapes an answer. Slices of its own buffers. */
struct demo_prompt {
    struct buf system; /* all system messages */
    struct buf user;   /* the last user message */
    struct buf result; /* the last tool's, as it stands in the messages */
    bool has_results;
    struct json tools;  /* what was offered, or absent */
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

/* What the prompt is about; a slice of it, or a constant. */
struct str demo_topic_of(struct str user);

/* Does the prompt ask for tools, and has none answered yet? A tool is asked for by its name, or by
 * the word "tool" (then it is the first). Appends llm_call.tool_calls, arguments that fit the
 * parameters; nothing when none is asked for. */
void demo_tools_write(const struct demo_prompt *p, struct buf *out);
/* What is said before the tools are called. */
void demo_tools_say(struct json tool_calls, struct buf *out);

/* A small generator for the seed. */
uint64_t demo_random(uint64_t *state);

#endif
