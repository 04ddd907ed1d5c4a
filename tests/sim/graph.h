/* Random workflows that validate: sequences, branches with every kind of join, loops, reviews that
 * send back, failures that are tolerated, retried or routed, nested a few levels deep. */
#ifndef SLUICE_TESTS_SIM_GRAPH_H
#define SLUICE_TESTS_SIM_GRAPH_H

#include "base/buf.h"
#include "dice.h"

/* Appends the JSON of a workflow. */
void graph_random(struct dice *d, struct buf *json);

struct expr_vm;
struct workflow;
/* The same, parsed; a reference. */
struct workflow *graph_workflow(struct dice *d, struct expr_vm *vm);

#endif
