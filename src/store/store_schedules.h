/* The store's part of schedules: workflows that start by the clock (docs/SCHEDULES.md). */
#ifndef SLUICE_STORE_STORE_SCHEDULES_H
#define SLUICE_STORE_STORE_SCHEDULES_H

#include "store/store.h"

struct schedule_row {
    struct schedule_row *next;
    struct id id;
    struct str workspace, name, workflow_id, cron, time_zone;
    struct str missed;     /* "skip", "once", "all" */
    struct str overlap;    /* "allow", "skip", "cancel" */
    struct str input_json; /* object */
    bool enabled;
    int64_t next_at;        /* the time that it waits for; 0: none (off, or no time will come) */
    int64_t last_at;        /* the last time that was dealt with; 0: none */
    struct id last_session; /* that was started last; zero: none */
    struct str last_error;  /* why a session was not started, the last time; NULL: it was */
    int64_t last_error_at;
    int64_t version, created_at, updated_at; /* version: of what people wrote; firing leaves it */
};

/* A new one, or all that people write of an old one and next_at; what firing wrote stays. A write.
 * ERR_CONFLICT (create_only), ERR_NOT_FOUND (must_exist, or the id is another workspace's),
 * ERR_STALE. */
struct store_schedule_put {
    struct store_req req;
    struct schedule_row row; /* In; Out: whole */
    bool create_only, must_exist;
    int64_t expected_version; /* 0: any */
    int64_t now_ms;
    const struct idempotency_row *idempotency; /* or NULL */
};
struct store_schedule_get { /* ERR_NOT_FOUND */
    struct store_req req;
    struct str workspace;
    struct id id;
    struct schedule_row row;
};
struct store_schedule_list { /* by id: in the order in which they were made */
    struct store_req req;
    struct str workspace, q, cursor; /* q: part of the name, any case; NULL: any */
    int limit;
    struct schedule_row *rows;
    struct str next_cursor;
};
struct store_schedule_delete { /* ERR_NOT_FOUND, ERR_STALE. A write */
    struct store_req req;
    struct str workspace;
    struct id id;
    int64_t expected_version;
};
/* Of all workspaces: those that are on and whose time has come, the earliest first. */
struct store_schedule_due {
    struct store_req req;
    int64_t now;
    int limit;
    struct schedule_row *rows;
    int64_t next_at; /* Out: the earliest time after now; 0: none */
};
/* What firing writes: next_at and the last_… of the row. ERR_STALE: next_at is not `seen_at` any
 * more, another instance was first, or a person. A write. */
struct store_schedule_move {
    struct store_req req;
    struct schedule_row row; /* In: id, next_at, last_… */
    int64_t seen_at;
};

#endif
