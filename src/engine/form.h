/* What a form's schema says of values that were left out. Pure. */
#ifndef SLUICE_ENGINE_FORM_H
#define SLUICE_ENGINE_FORM_H

#include "base/json.h"

#define FORM_MEMBERS_MAX 1000 /* of an object; a larger one is left as it is */

/* Writes `data` with every member that it lacks and for which the schema's `properties` have a
 * `default`, in objects inside it too. Absent data count as {} where the schema has properties. */
void form_fill(struct json schema, struct json data, struct jw *w);

#endif
