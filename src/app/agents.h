/* The stored agents that a workflow needs, looked up before it is run, checked or estimated. */
#ifndef SLUICE_APP_AGENTS_H
#define SLUICE_APP_AGENTS_H

#include "app/catalog.h"
#include "engine/workflow.h"

struct app;

/* Owned by the caller, zeroed. `done` comes exactly once: within agents_find() when the workflow
 * needs none, so that those pay nothing, else later. A status below 0 is the store's. */
struct agents_find {
    /* In */
    struct workflow *workflow; /* lasts until done; a reference is taken */
    struct str workspace;      /* lasts until done */
    void (*done)(struct agents_find *f);
    void *data;
    /* Out, until agents_find_deinit() */
    struct catalog_lookup lookup; /* status, error; ids and rows, each id once */
};
void agents_find(struct app *a, struct agents_find *f);
void agents_find_deinit(struct agents_find *f);
/* The stored object of an id that the workflow needs; NULL: nobody knows it. */
const struct catalog_row *agents_found(const struct agents_find *f, struct str id);
/* How many of what stands in the workflow's nodes nobody knows. */
unsigned agents_missing(const struct agents_find *f);
/* {node_id, path, code, message, agent_id} of each of these, as elements of an array that is open.
 */
void agents_write_missing(const struct agents_find *f, struct jw *w);

#endif
