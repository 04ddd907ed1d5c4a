/* Questions to models that want a value of a certain form: votes, claims, verdicts. A wrong answer
 * is given back with what is wrong with it, twice at most.
 *
 * A question takes QUESTION_SPAN ordinals of its run from its base (a multiple of that) on: one a
 * try. The kind's call_ops must keep requests.
 */
#ifndef SLUICE_ENGINE_QUESTION_H
#define SLUICE_ENGINE_QUESTION_H

#include "engine/session.h"

#define QUESTION_TRIES 3
#define QUESTION_SPAN  4

/* What a question is made of; texts are finished, NULL or "" where there is none. */
struct question {
    struct json provider, model; /* a name; the model's also a list; absent: the default ones */
    struct json temperature, top_p, max_tokens;
    struct str system, user;
    struct str schema; /* of the answer, JSON */
};

enum question_result {
    QUESTION_READ,  /* *out is the value */
    QUESTION_AGAIN, /* it is being asked again */
    QUESTION_WRONG, /* no try is left; e says what was wrong with the last. The message is open */
};

/* Takes the node's own provider, model, temperature and max_tokens. */
void question_init(struct session *s, unsigned n, struct question *a);
/* False: it is too large, nothing was asked. */
bool question_begin(struct session *s, unsigned n, unsigned base, const struct question *a);
static inline unsigned question_base(const struct work *c)
{
    return c->ordinal - c->ordinal % QUESTION_SPAN;
}
bool question_is_open(const struct session *s, unsigned n, unsigned base); /* is it under way? */
/* The question's model call has ended; its message is written, or void when it is asked again. */
enum question_result question_read(struct session *s, unsigned n, struct work *c,
                                   const struct engine_input *in, struct str schema,
                                   struct str *out, struct errbuf *e);

/* What was shown of the answer is void: the run goes on without it, or asks once more later. */
void question_void(struct session *s, unsigned n, struct work *c, const char *reason);

/* The edge of the first of these labels (NULL at the end) that the node has a route for, else
 * EDGES_NEXT. */
int decision_edge(const struct session *s, unsigned n, const char *const *labels);

#endif
