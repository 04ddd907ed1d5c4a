/* The JSON Schema (2020-12) of a workflow, made from the tables that validation itself goes by: a
 * new kind or property is in it as soon as it is in workflow_kinds.c.
 *
 * It tells the shape: fields, types, ranges, words. What needs the whole graph or a reader of
 * expressions (targets that exist, cycles, templates) is told by workflow_parse() only.
 */
#ifndef SLUICE_ENGINE_WORKFLOW_SCHEMA_H
#define SLUICE_ENGINE_WORKFLOW_SCHEMA_H

#include "base/buf.h"

#define WORKFLOW_SCHEMA_BYTES_MAX (1u << 20)

/* Appends it, on one line. */
void workflow_schema_write(struct buf *out);
/* Appends what a model must know to write a workflow: the format in short, and every kind with its
 * properties, from the same tables. */
void workflow_guide_write(struct buf *out);

#endif
