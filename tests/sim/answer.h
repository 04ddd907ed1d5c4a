/* What the model of the simulation says when it is asked for JSON, and what it may cost. */
#ifndef SLUICE_TESTS_SIM_ANSWER_H
#define SLUICE_TESTS_SIM_ANSWER_H

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"
#include "dice.h"

/* A value that holds to the schema in the request. Static. */
const char *sim_answer(struct dice *d, struct str request);
/* What a tool gives; of agent_context somebody, with tools or without, or nobody. Static. */
const char *sim_tool_answer(struct dice *d, struct str request);
void sim_words(struct dice *d, struct buf *out); /* when it may say what it likes */
const char *sim_tool_calls(struct dice *d);      /* static */
/* Up to `most` bytes, never in the middle of a character. */
struct str sim_cut(struct str text, size_t most);
/* Of tokens, for some sessions; 0: none. */
int64_t sim_budget(struct dice *d, char json[100]);
/* Of the items of a map that wait at one node, the interrupt of that which has waited longest. */
struct id sim_waiting_longest(struct json all, struct json node_id);

#endif
