/* Tasks: workers outside lease them, here or at any other instance, and say how they ended.
 *
 *     POST /tasks/lease ──> store: lease ── some ──> answer
 *                             ^    └─ none ──> waits (at most 60 s)
 *                             │                  │ a task of the queue was committed here
 *                             └──────────────────┘ or a second has gone by: one look a queue
 *
 * Nobody waits: no timer, no query. A lease is the store's alone; an end is a command of the
 * session, as an answer of a person is, and goes to whoever owns it.
 */
#ifndef SLUICE_APP_TASKS_H
#define SLUICE_APP_TASKS_H

#include <uv.h>

#include "base/list.h"
#include "engine/records.h"
#include "net/service.h"

struct app;

#define TASKS_LOOK_MS   1000
#define TASKS_POLLS_MAX 10000 /* that wait; more are answered at once */

struct tasks {
    struct app *app;
    struct list polls;  /* struct poll that wait, the longest first */
    struct list asking; /* those whose request is with the store */
    unsigned count;
    uv_timer_t timer; /* active while somebody waits */
};

void tasks_init(struct tasks *t, struct app *a);
void tasks_close(struct tasks *t); /* nobody waits any more */
/* Those that wait are answered with what there is: nothing. New ones do not wait. */
void tasks_stop(struct tasks *t);
/* These are in the store now. */
void tasks_committed(struct tasks *t, const struct task_row *rows);

void svc_task_lease(struct app *a, struct svc_req *req);
void svc_task_heartbeat(struct app *a, struct svc_req *req);
void svc_task_end(struct app *a, struct svc_req *req); /* complete, fail */

#endif
