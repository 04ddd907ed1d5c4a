/* Workspaces kept apart: whatever a request names by an id is asked for its workspace before
 * anything else, here and nowhere else.
 *
 * What belongs to another workspace is as if it were not there: the id in the request is replaced
 * by one that nothing has, and the request takes its usual way to its usual 404. So nobody learns
 * from an answer's text that something is there.
 *
 * A session never moves to another workspace, so what was found is kept (WORKSPACES_SLOTS of them,
 * the newest). Requests of the server itself (PRINCIPAL_SERVER) are not looked at.
 */
#ifndef SLUICE_APP_WORKSPACES_H
#define SLUICE_APP_WORKSPACES_H

#include "net/service.h"

struct app;

#define WORKSPACES_SLOTS 4096 /* a power of two */

struct workspaces {
    struct workspace_slot *slots; /* or NULL: none was needed yet */
    struct workspace_name *names;
};

void workspaces_deinit(struct workspaces *w);
/* Sees to it that the request's ids are of its workspace, then lets it pass; at once where that is
 * known. */
void workspaces_guard(struct app *a, struct svc_req *req,
                      void (*pass)(struct app *a, struct svc_req *req));
/* Is the session one of the workspace? 1, 0, or -1: the store must be asked. */
int workspaces_sees(struct app *a, struct str workspace, struct id session_id);
/* The store has said so. */
void workspaces_note(struct app *a, struct str workspace, struct id session_id);

#endif
