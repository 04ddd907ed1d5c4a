/* The property `model`: a name, or a list of names and {provider, model}, in the order in which
 * they are to be tried. A name goes with the `provider` beside the property. */
#ifndef SLUICE_ENGINE_MODEL_LIST_H
#define SLUICE_ENGINE_MODEL_LIST_H

#include "base/json.h"

#define MODEL_LIST_MAX 8

struct model_choice {
    struct json provider, model; /* texts, or JSON_ABSENT */
};

/* The i-th of what `holder` (a node's properties, a request) asks for; false: there are no more.
 * The 0th is always there. */
bool model_list_at(struct json holder, size_t i, struct model_choice *out);
/* The same of its two members. */
bool model_list_pick(struct json provider, struct json model, size_t i, struct model_choice *out);

#endif
