/* Stored agents in a session: who speaks, when the workflow does not say it itself.
 *
 * A run begins with an internal call, agent_context, which the shell answers from the store:
 *
 *     {agent_id?, group_id?, query, persona?, memory?}
 *         ──> {agent: {…}|null, group: {system_prompt}|null, group_memory: […], agent_memory: […]}
 *
 * What came is rendered into the request of the model's call, and lives as long as that: a restart
 * and every round of tools see the same persona. Of a stored agent's own settings those hold that
 * the node does not say.
 */
#ifndef SLUICE_ENGINE_CONTEXT_H
#define SLUICE_ENGINE_CONTEXT_H

#include "engine/persona.h"
#include "engine/session.h"

/* What is asked; texts are finished. */
struct context_ask {
    struct str agent_id; /* NULL: only the group is asked for */
    struct str query;    /* the input: what memories should fit */
    struct str persona;  /* of the workflow itself, kept for the answer; or NULL */
    struct json memory;  /* the node's property, or absent */
};
/* False: it is too large, nothing was asked. */
bool context_begin(struct session *s, unsigned n, unsigned ordinal, const struct context_ask *a);
bool call_is_context(const struct work *c);

/* What came; all of it lives as long as the step. */
struct context {
    struct json agent; /* the stored one, or absent */
    struct persona persona;
    struct str query;
};
/* Shows which memories came, as an event. ERR_NOT_FOUND with a sentence: there is no such agent. */
int context_read(struct session *s, const struct work *c, const struct engine_input *in,
                 struct context *out, struct errbuf *e);
/* A setting: the node's own value (or absent), else the agent's (x may be NULL). */
struct json context_or(const struct context *x, struct json own, const char *key);
/* The two go together: a node that names either takes nothing of the agent's. */
void context_model(const struct context *x, struct json *provider, struct json *model);

#endif
