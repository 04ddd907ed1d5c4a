/* Workflows that start by the clock (docs/SCHEDULES.md).
 *
 *     look ──> due ──> is the time's session there? ──> does the last one run still? ──> execute ─┐
 *      ^        │                     │ yes                        │ skip: it is left out       │
 *      │        │                     v                            v                            v
 *      └─ timer ┴─<── noted ──<── move: next_at on, if it is still what was seen ──<─────────────┘
 *
 * A session's id follows from the schedule and the time, so whoever begins it again (after a crash,
 * or another instance) finds it there: a time has one session. next_at is written after it, on the
 * condition that nobody has written it since; so nothing is left out by a crash, either.
 *
 * One timer waits for the earliest time. With no schedule there is no timer and no query. What
 * another instance has been told of is found by the looks of recovery.
 */
#ifndef SLUICE_APP_SCHEDULES_H
#define SLUICE_APP_SCHEDULES_H

#include <uv.h>

#include "base/list.h"
#include "store/store.h"
#include "store/store_schedules.h"

struct app;

/* A time that comes so late was missed: the server was down, or asleep. */
#define SCHEDULE_GRACE_MS   60000
#define SCHEDULE_MISSED_MAX 100 /* times that are made up for, of a schedule (the newest) */
#define SCHEDULE_AT_ONCE    100 /* schedules that fire side by side */
#define SCHEDULE_RETRY_MS   1000
#define SCHEDULE_CLOCK_MS   3600000 /* at least so often the clock is looked at, by the timer */

struct schedules {
    struct app *app;
    uv_timer_t timer;
    int64_t armed_at; /* the time that the timer waits for; 0: none */
    struct store_schedule_due due;
    bool looking, again, closed;
    struct list firing;       /* struct firing */
    int64_t (*now)(void);     /* clock_wall_ms; tests have their own */
    unsigned long long fired; /* sessions started here */
};

void schedules_open(struct schedules *s, struct app *a);
void schedules_close(struct schedules *s);
/* Asks the store what is due, and when the next one is. */
void schedules_look(struct schedules *s);
/* A schedule has this next_at now. */
void schedules_note(struct schedules *s, int64_t next_at);
/* The id of the session that a schedule starts at a time. */
struct id schedule_session_id(struct id schedule, int64_t at);

struct svc_req;
/* Fills in an SVC_EXECUTE that starts the schedule's workflow, as the session `session_id`, for the
 * time `at`. Strings are the row's, and of the request's arena. */
void schedule_request(const struct schedule_row *row, int64_t at, struct id session_id,
                      struct svc_req *req);

/* Which of a schedule's times is dealt with, and what comes then. */
struct schedule_plan {
    int64_t at;     /* the time that is dealt with */
    bool starts;    /* a session is started for it; else it is left out */
    int64_t missed; /* how many times before `at` are left out (counted to 1000) */
    int64_t next_at;
};
/* row->next_at has come. ERR_INVALID: the row's cron or zone do not read (any more). */
int schedule_plan(const struct schedule_row *row, int64_t now, struct schedule_plan *out,
                  struct errbuf *e);
/* The first time after `after`; 0: none comes. ERR_INVALID with a sentence that begins with the
 * member that is wrong. */
int schedule_next(struct str cron, struct str time_zone, int64_t after, int64_t *next_at,
                  struct errbuf *e);

#endif
