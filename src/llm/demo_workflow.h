/* The workflow that the demo provider gives when it is asked to generate one: a council on the
 * topic, with a person who has the last word. Pure. */
#ifndef SLUICE_LLM_DEMO_WORKFLOW_H
#define SLUICE_LLM_DEMO_WORKFLOW_H

#include "base/buf.h"
#include "base/json.h"

/* Is this the schema of such a question? */
bool demo_workflow_is_wanted(struct json schema);
/* Appends {"graph":…,"explanation":…}. */
void demo_workflow_write(struct str topic, struct buf *out);

#endif
