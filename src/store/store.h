/* The store: where everything durable lives. One interface; sqlite_* (default), mem_* (tests, with
 * faults) and, later, pg_* behind it.
 *
 * A request is a struct that embeds struct store_req, is owned by the caller, and is submitted. Its
 * `done` is called exactly once, on the loop's thread, later, never from inside store_submit(). In
 * fields must stay valid until then. Out strings live in req.arena; store_req_deinit() frees them,
 * and may be called in or after `done`. Calling `done` is the last thing the store does with a
 * request.
 *
 * Writes (commit, …_put, …_delete) are carried out in the order in which they were submitted, each
 * in a transaction of its own, durable (synchronous=FULL) when it is reported. A read that is
 * submitted after a write was reported sees that write.
 *
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT (exists already, wrong state), ERR_STALE (version, epoch),
 * ERR_INVALID (a cursor that is none of ours), ERR_CORRUPT (stored bytes do not read back;
 * error.text names the id), ERR_IO and ERR_UNAVAILABLE (disk full, locked, gone: nothing was
 * changed, may be tried again), ERR_CANCELLED (the store was closed first).
 */
#ifndef SLUICE_STORE_STORE_H
#define SLUICE_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "engine/records.h"

struct uv_loop_s;
struct store;

enum store_op {
    STORE_COMMIT,
    STORE_WORKFLOW_PUT,
    STORE_WORKFLOW_GET,
    STORE_WORKFLOW_LIST,
    STORE_WORKFLOW_VERSIONS,
    STORE_WORKFLOW_DELETE,
    STORE_SESSION_GET,
    STORE_SESSION_LIST,
    STORE_SESSION_LOAD,
    STORE_SESSION_DELETE,
    STORE_EVENTS_READ,
    STORE_MESSAGES_LIST,
    STORE_RUNS_LIST,
    STORE_SCAN_BUSY,
    STORE_SCAN_TIMERS,
    STORE_IDEMPOTENCY_GET,
    STORE_IDEMPOTENCY_PUT,
    STORE_OP_COUNT,
};

struct store_req {
    void (*done)(struct store_req *req);
    void *data;
    int status; /* Out */
    struct errbuf error;
    struct arena arena; /* Out strings */
    enum store_op op;
    struct list link; /* Private */
};
/* Initialises req (zeroes Out); the caller then fills the In fields of the struct around it. */
void store_req_init(struct store_req *req, enum store_op op, void (*done)(struct store_req *),
                    void *data);
void store_req_deinit(struct store_req *req);
bool store_op_is_write(const struct store_req *req); /* a session's load is one when it claims */

/* ---- writes ---- */

/* All deltas in one transaction. A delta that cannot be written is left out whole and marked
 * refused, the others are written: its epoch is lower than the stored one, its session is gone (or
 * exists already, when it is_new), one of its Idempotency-Keys is taken, other events have its
 * numbers. error.text then tells of the last one, though the request succeeds.
 *
 * A commit may be submitted again when its outcome is not known: what stands in the store already
 * (the same events under the same numbers) counts as written and changes nothing. */
struct store_commit {
    struct store_req req;
    struct delta *const *deltas;
    size_t count;
    bool *refused; /* In/Out: count flags, owned by the caller */
};

struct workflow_row {
    struct workflow_row *next;
    struct str id, name, type, description;
    int64_t version;                /* 1, 2, … */
    struct str graph_json;          /* the definition as validated, JSON */
    int64_t created_at, updated_at; /* of the first, of this version */
};

/* A new version of a workflow, or its first. */
struct store_workflow_put {
    struct store_req req;
    struct str workspace, id, name, type, description, graph_json;
    bool create_only;         /* ERR_CONFLICT when the id exists */
    bool must_exist;          /* ERR_NOT_FOUND when it does not */
    int64_t expected_version; /* ERR_STALE unless it is the newest; 0: any */
    int64_t now_ms;
    const struct idempotency_row *idempotency; /* or NULL; in the same transaction */
    struct workflow_row row;                   /* Out */
};
/* Its texts stay, for sessions that run on them; when the id is made again, its versions go on
 * counting, and only the new ones are listed. */
struct store_workflow_delete {
    struct store_req req;
    struct str workspace, id;
    int64_t expected_version;
};
struct store_session_delete { /* with everything that hangs on it */
    struct store_req req;
    struct str workspace;
    struct id id;
    int64_t expected_version; /* ERR_STALE; 0: any */
    bool terminal_only;       /* ERR_CONFLICT while it is live */
};
struct store_idempotency_put { /* ERR_CONFLICT when the key exists */
    struct store_req req;
    struct idempotency_row row;
};

/* ---- reads ---- */

#define STORE_LIMIT_DEFAULT 50
#define STORE_LIMIT_MAX     500

struct store_workflow_get {
    struct store_req req;
    struct str workspace, id;
    int64_t version; /* 0: the newest. Any version that ever was is found by its number, also of
                        a deleted workflow: a session may still run on it. */
    struct workflow_row row; /* Out */
};
struct store_workflow_list { /* newest versions, by id; without graph_json */
    struct store_req req;
    struct str workspace, q, type, cursor; /* q: part of id or name, any case */
    int limit;
    struct workflow_row *rows; /* Out */
    struct str next_cursor;    /* Out; NULL at the end */
};
struct store_workflow_versions { /* newest first, without graph_json */
    struct store_req req;
    struct str workspace, id, cursor;
    int limit;
    struct workflow_row *rows;
    struct str next_cursor;
};

struct session_item {
    struct session_item *next;
    struct session_row row;
};
struct store_session_get {
    struct store_req req;
    struct str workspace; /* NULL: any */
    struct id id;
    struct session_row row; /* Out; core.state_json left NULL */
};
/* By created_at (of the same millisecond: as they were written), newest first unless ascending.
 * A page may be short, even empty, and have a next_cursor: one request looks at no more than 20,000
 * rows for what its filters want. The same holds for workflows. */
struct store_session_list {
    struct store_req req;
    struct str workspace;                                           /* NULL: the default one */
    struct str status, workflow_id, group_id, user_id, tag, cursor; /* NULL: any */
    struct str q; /* part of the name or of the id, any case (ASCII); NULL: any */
    int64_t created_after, created_before; /* both excluded; 0: any */
    bool ascending;
    int limit;
    struct session_item *rows; /* Out; as in store_session_get, without meta.graph_json */
    struct str next_cursor;
};

/* Everything that the engine needs to go on. */
struct store_session_load {
    struct store_req req;
    struct id id;
    uint64_t claim_epoch;     /* raises the stored epoch to this (a write); 0: only read.
                                 ERR_STALE when it is higher already. A session that does not
                                 read back is not claimed. */
    struct session_row row;   /* Out, whole */
    struct str workflow_json; /* Out: meta.graph_json, or the version's text */
    struct run_row *runs;     /* Out: of each (node) the newest iteration's runs, and of each older
                                 iteration nothing; ascending */
    struct effect_row *effects;
    struct timer_row *timers;
    struct withheld_row *withheld; /* by ord */
};

struct event_row {
    struct event_row *next;
    int64_t seq_first, seq_last;
    struct str frames; /* joined by '\n' */
};
/* Events with seq > after, in order. The first row may begin at or before `after`: the reader
 * skips. Reads at least one row if there is one, then until bytes_max or limit (events) is passed.
 */
struct store_events_read {
    struct store_req req;
    struct id session_id;
    int64_t after;
    int limit;
    size_t bytes_max;
    struct event_row *rows; /* Out */
    int64_t first_seq_held; /* Out: the oldest event the log still has; 0: none */
    int64_t last_seq;       /* Out: of the session; ERR_NOT_FOUND when there is no such session */
};
struct store_messages_list { /* by created_at, seq */
    struct store_req req;
    struct id session_id;
    struct str cursor;
    int limit;
    struct message_row *rows;
    struct str next_cursor;
};
struct store_runs_list { /* all attempts, in the order in which they were made (run_id) */
    struct store_req req;
    struct id session_id;
    struct str cursor;
    int limit;
    struct run_row *rows;
    struct str next_cursor;
};
struct store_scan_busy { /* sessions with running work, for recovery */
    struct store_req req;
    struct id after; /* zero: from the first */
    int limit;
    struct id_list *ids;
};
struct timer_due {
    struct timer_due *next;
    struct id session_id, timer_id;
    int64_t due_at;
};
struct store_scan_timers { /* the earliest ones first */
    struct store_req req;
    int64_t until; /* due_at <= until */
    int limit;
    struct timer_due *rows;
    int64_t next_due_at; /* Out: of the first one after those given; 0: none */
};
struct store_idempotency_get { /* ERR_NOT_FOUND */
    struct store_req req;
    struct str workspace, key;
    struct idempotency_row row;
};

/* ---- the store itself ---- */

struct store_stats { /* since open; for /metrics and for tests */
    uint64_t commits, commit_rows, writes, reads, failures;
    uint64_t commit_ns_last, commit_ns_total;
};

struct store_vtable {
    const char *name; /* "sqlite" */
    void (*submit)(struct store *s, struct store_req *req);
    void (*stats)(struct store *s, struct store_stats *out);
    void (*close)(struct store *s, void (*closed)(void *data), void *data);
};
struct store {
    const struct store_vtable *v; /* implementations embed this first */
};

static inline void store_submit(struct store *s, struct store_req *req)
{
    s->v->submit(s, req);
}
static inline void store_stats(struct store *s, struct store_stats *out)
{
    s->v->stats(s, out);
}
/* Requests under way are finished first (reads may be cancelled), then `closed` is called on the
 * loop. */
static inline void store_close(struct store *s, void (*closed)(void *data), void *data)
{
    s->v->close(s, closed, data);
}

/* Opens (and creates) the SQLite store DIR/sluice.db, and migrates it up unless migrate is false.
 * ERR_UNAVAILABLE: another process has DIR open. ERR_IO. ERR_CORRUPT: the checksum of an applied
 * migration differs, the schema is newer than this program, or older and not to be migrated. */
int sqlite_store_open(struct store **out, struct uv_loop_s *loop, const char *dir, bool migrate,
                      struct errbuf *e);
/* In memory, for tests: faults are injected by mem_store.h. */
int mem_store_open(struct store **out, struct uv_loop_s *loop);

/* Migrations by hand, while no server runs on DIR: up or down to `target` (-1: the newest, 0:
 * nothing is left). Tells what it does through `say` (or NULL). Waits a while for another process
 * that is at it. Errors as above, and ERR_INVALID: there is no such target. */
struct migrate_status {
    int applied, newest; /* numbers */
};
int sqlite_migrate(const char *dir, int target, void (*say)(const char *line),
                   struct migrate_status *out, struct errbuf *e);
int sqlite_migrate_status(const char *dir, struct migrate_status *out, struct errbuf *e);

#endif
