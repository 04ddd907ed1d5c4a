/* JSON Schema, the part that workflows need (2020-12): type (one or several), properties, required,
 * additionalProperties, enum, const, items, prefixItems, minItems, maxItems, uniqueItems, minimum,
 * maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength, maxLength (code points),
 * minProperties, maxProperties, propertyNames, anyOf, allOf, oneOf, not, if/then/else, $ref to
 * #/$defs/…, and annotations (title, description, default, examples, format, $comment). `pattern`
 * is a regular expression (base/pattern.h). Anything else is refused by schema_check(), so that no
 * constraint is ignored in silence.
 */
#ifndef SLUICE_ENGINE_SCHEMA_H
#define SLUICE_ENGINE_SCHEMA_H

#include "base/err.h"
#include "base/json.h"

/* Is this a schema that we can hold to? e names the path ("$.properties.age.pattren: unknown
 * keyword"). */
int schema_check(struct json schema, struct errbuf *e);
/* Does the value hold? e names the path in the value ("$.topic: is required"). */
int schema_validate(struct json schema, struct json value, struct errbuf *e);

#endif
