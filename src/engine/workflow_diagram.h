/* A workflow as a picture: Mermaid, Graphviz and JSON, coloured by the statuses of a session.
 *
 * Names, ids and expressions are written by peers. In Mermaid and Graphviz a node is called
 * n<index> and everything that a peer wrote stands in quotes, escaped, on one line and cut at
 * DIAGRAM_LABEL_MAX bytes; so no text can end its label, become markup or another statement.
 *
 * The JSON lays nodes out in layers: `level` counts from 0 at the start along the longest way over
 * forward edges, `position` counts within a level, near to the nodes that lead there.
 */
#ifndef SLUICE_ENGINE_WORKFLOW_DIAGRAM_H
#define SLUICE_ENGINE_WORKFLOW_DIAGRAM_H

#include "base/buf.h"
#include "base/json.h"
#include "engine/workflow.h"

#define DIAGRAM_LABEL_MAX 80

enum diagram_format { DIAGRAM_MERMAID, DIAGRAM_DOT, DIAGRAM_JSON };

/* "mermaid", "dot", "json" */
bool diagram_format_parse(struct str word, enum diagram_format *out);
const char *diagram_media_type(enum diagram_format f); /* for HTTP; static */

/* Appends the picture. statuses: {"judge":"running", …} as a session has them, or absent. Errors
 * stick in the buf. */
void workflow_diagram_write(const struct workflow *w, enum diagram_format f, struct json statuses,
                            struct buf *out);

/* Where a loop leads when it is over, or -1: no loop, or back. */
int workflow_loop_exit(const struct workflow *w, unsigned n);
/* The layout alone. level and position have node_count elements; returns the number of levels. */
unsigned workflow_layers(const struct workflow *w, unsigned *level, unsigned *position);

#endif
