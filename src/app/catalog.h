/* Agents, groups and templates: what workflows and sessions name by an id.
 *
 * An object is one JSON body (catalog_body.h says what may stand in it) that is stored in a
 * workspace, or that came with the server: a system object, carried in the program, read when it is
 * first asked for, the same everywhere, never changed. An id is looked up in the workspace first,
 * then among the system objects. Nothing is cached: what another instance has written is seen by
 * the next look. On the loop's thread.
 */
#ifndef SLUICE_APP_CATALOG_H
#define SLUICE_APP_CATALOG_H

#include "store/store.h"

struct app;

const char *catalog_word(enum catalog_kind kind); /* "agent" */

/* The system object of that id; NULL: there is none. Its version is 1, its times are 0. It lasts as
 * long as the program. */
const struct catalog_row *catalog_system_find(enum catalog_kind kind, struct str id);
/* All of a kind, by id. */
const struct catalog_row *const *catalog_system_list(enum catalog_kind kind, size_t *count);

/* Several ids of one kind at once. Owned by the caller, zeroed; strings must last until `done`,
 * which comes exactly once, later. Then rows[i] is the object of ids[i], or NULL; they live until
 * catalog_lookup_deinit(). A status below 0 is the store's, with error. */
struct catalog_lookup {
    /* In */
    enum catalog_kind kind;
    struct str workspace;
    const struct str *ids;
    size_t count;
    void (*done)(struct catalog_lookup *l);
    void *data;
    /* Out */
    int status;
    struct errbuf error;
    const struct catalog_row **rows;
    /* Private */
    struct store_catalog_get get;
};
void catalog_lookup(struct app *a, struct catalog_lookup *l);
void catalog_lookup_deinit(struct catalog_lookup *l);

#endif
