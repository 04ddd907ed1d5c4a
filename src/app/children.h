/* Child sessions: what a subworkflow node starts and waits for.
 *
 *     parent's commit ──> EFFECT_CHILD_START ──> is it there? ── no ──> made, like any session
 *                                                    └─ yes, ended ──> its result
 *     child's end ────> the same transaction: a command in the parent's inbox ──> IN_RUN_DONE
 *     parent's pause, resume, end ──> the same transaction: a command in the child's inbox
 *
 * The commands are durable with what they tell of, and are carried out once, by whoever owns the
 * session then. So it does not matter where either of them lives, and who dies when. What follows
 * a commit here is only to make it quick.
 */
#ifndef SLUICE_APP_CHILDREN_H
#define SLUICE_APP_CHILDREN_H

#include <uv.h>

#include "app/live.h"

#define CHILDREN_DEPTH_MAX 8 /* sessions around a child; more: the node fails, too_deep */
#define CHILD_PAUSED       "parent paused"

struct children {
    struct app *app;
    struct list starts; /* struct child_start: on their way */
    uv_timer_t retry;
};

void children_open(struct children *c, struct app *a);
void children_close(struct children *c);
/* EFFECT_CHILD_START, when it is durable. */
void children_start(struct live *l, const struct effect *ef);
/* EFFECT_CHILD_CANCEL: if it was not made yet, it is not. */
void children_cancel(struct app *a, struct id child_id);
/* For the journal: the commands that a delta brings for others' inboxes. */
void children_collect(struct live *l, struct delta *d, const struct effect *effects);
/* They are in the store: whoever has these sessions is told. */
void children_committed(struct app *a, const struct delta *d);
/* Is the session paused because its parent is? */
bool children_paused_by_parent(const struct live *l);

#endif
