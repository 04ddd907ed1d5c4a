/* A model node that calls its model more than once: tool rounds, repairs. What it has so far is its
 * progress:
 *
 *     {"request": the first request, as it was rendered,
 *      "messages": [what has come since: answers with tool calls, the tools' results],
 *      "calls":   [{"n": ordinal, "id", "name", "arguments", "content"?}]   of the newest round
 *      "repairs": [a wrong answer, what is wrong with it, and so on],
 *      "rounds": n, "at": n, "message": n, "said": n,
 *      "tools": [those of a stored agent], "rounds_max": n}   when the node has none of its own
 *
 * A round takes the ordinals after its model call's, one a tool call; the next model call follows.
 * All texts live as long as the step.
 */
#ifndef SLUICE_ENGINE_CHAT_H
#define SLUICE_ENGINE_CHAT_H

#include "engine/session.h"

#define AGENT_ROUNDS_MAX 50

struct chat {
    struct str request;
    struct str messages, calls, repairs; /* arrays */
    int64_t rounds;                      /* of tools, so far */
    int64_t at;                          /* ordinal of the model call that follows, or runs */
    int64_t message;                     /* ordinal whose message a repair fills again; -1: none */
    int64_t said;                        /* what of people it has heard (said.c) */
    struct str tools;                    /* array: a stored agent's; or NULL: the node's own */
    int64_t rounds_max;                  /* the agent's; 0: it does not say */
};

/* The run's progress; without (or with a damaged) one false. */
bool chat_load(struct session *s, unsigned n, struct chat *c);
/* As it stands with the answer of this call. */
void chat_init(struct session *s, unsigned n, struct chat *c, const struct work *call);
/* False: it is too large, and the node has failed. */
bool chat_save(struct session *s, unsigned n, const struct chat *c);
/* What was said since becomes a part of it. */
void chat_hear(struct session *s, struct chat *c);
/* Calls the model. */
void chat_ask(struct session *s, unsigned n, const struct chat *c);
bool chat_offers_tools(const struct session *s, unsigned n, const struct chat *c);
struct str array_append(struct session *s, struct str array, struct str element);

/* ---- node_agent.c ---- */

bool node_has_tools(const struct session *s, unsigned n);
void tools_write(struct session *s, struct json tools, struct jw *w); /* for the request */
bool agent_wants_tools(struct session *s, unsigned n, const struct engine_input *in);
/* The model's answer asks for tools. */
void agent_round(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
/* Another attempt, or the round goes on: what is missing is begun. */
void agent_go_on(struct session *s, unsigned n, struct chat *c);
void agent_tool_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in);
void agent_tool_failed(struct session *s, unsigned n, struct work *c,
                       const struct engine_input *in);

/* ---- tool_catalog.c ---- */

/* A tool that every server has: what models are told of it. NULL for any other. */
struct tool_doc {
    const char *name, *description, *parameters; /* the last: JSON Schema */
};
const struct tool_doc *tool_doc_find(struct str name);

#endif
