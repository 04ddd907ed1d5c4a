/* What a schema says of values that were left out: of a form, of a workflow's input. Pure. */
#ifndef SLUICE_ENGINE_FORM_H
#define SLUICE_ENGINE_FORM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

#define FORM_MEMBERS_MAX 1000 /* of an object; a larger one is left as it is */

/* Writes `data` with every member that it lacks and for which the schema's `properties` have a
 * `default`, in objects inside it too. Absent data count as {} where the schema has properties. */
void form_fill(struct json schema, struct json data, struct jw *w);

/* What people gave, filled up so, and held to the schema: into *out, in the arena (`given` itself
 * when there is no schema). ERR_INVALID: e says where it does not hold; ERR_TOO_LARGE. */
int form_take(struct json schema, struct str given, struct arena *a, struct str *out,
              struct errbuf *e);

#endif
