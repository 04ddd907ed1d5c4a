/* The PostgreSQL store: who waits where.
 *
 *     submit ──> writes ──> the writer's connection, one request after another
 *            ├─> saves ───> the saver's: writes that may be large and that no commit has to do with
 *            ├─> keeps ───> the keeper's: tidying up
 *            └─> reads ───> up to `readers` connections
 *
 * All but the writer's are opened when they are wanted, and closed after an idle minute. Commits
 * wait for none of the others, but where they want the same row; then each is to the other what
 * another instance is (docs/decisions/0033).
 *
 * All of it runs on the loop. A request becomes a job; a job is a chain of batches (pg_conn.h):
 * pg_job_start() sends the first one and names the function that takes its answer, and so on, until
 * one of them gives a status.
 *
 * A connection that is lost takes its job back to the head of the queue. A write is then begun
 * anew with `repeated` set: its last batch may stand in the database, and the job looks first. A
 * read is tried once more. Jobs that have waited too long fail with ERR_UNAVAILABLE.
 */
#ifndef SLUICE_STORE_PG_STORE_H
#define SLUICE_STORE_PG_STORE_H

#include <stdbool.h>
#include <uv.h>

#include "base/list.h"
#include "store/keys.h"
#include "store/pg_conn.h"
#include "store/pg_known.h"
#include "store/pg_ring.h"
#include "store/rules.h"
#include "store/store.h"
#include "store/store_audit.h"
#include "store/store_schedules.h"

#define PG_READERS_DEFAULT  4
#define PG_READERS_MAX      64
#define PG_READS_MAX        4096  /* that wait; more are refused */
#define PG_READ_WAIT_MS     5000  /* from submission until a connection has it */
#define PG_WRITE_WAIT_MS    10000 /* the same */
#define PG_SWEEP_MS         250
#define PG_BACKOFF_MIN_MS   50
#define PG_BACKOFF_MAX_MS   2000
#define PG_IDLE_MS          60000             /* a reader's connection without work is closed */
#define PG_PARTITIONS_MS    (6 * 3600 * 1000) /* between two looks at the months ahead */
#define PG_PARTITIONS_AHEAD 2
#define PG_TRIES_MAX        4 /* of a write that others got in the way of */

#define PG_WAIT  1 /* a batch was sent */
#define PG_AGAIN 2 /* take back what was written and begin anew */

enum { PG_WRITER, PG_SAVER, PG_KEEPER, PG_FIRST_READER };

struct pg_commit;
struct pg_job {
    struct list link;
    struct store_req *req;
    struct pg_conn *conn;
    struct pg_store *store;
    int (*next)(struct pg_job *j); /* takes the answer of the batch under way */
    bool catches;                  /* also when it failed */
    bool repeated;                 /* an earlier try may stand */
    int tries;
    uint64_t since_ns; /* of its submission; the loop's own time may be old by then */
    void *state;       /* of an operation of several batches; in the request's arena */
};

struct pg_worker {
    struct pg_store *store;
    struct pg_conn conn;
    struct pg_job *job;
    uv_timer_t timer; /* until the next try to connect, or until it has been idle for too long */
    unsigned backoff_ms;
    bool own_batch; /* under way is one of the worker's own: no job's */
    bool settles;   /* which is about what may be in slots */
    bool refused; /* that was refused since the connection was last well: the log has the reason */
    bool resting;
};

struct pg_store {
    struct store base;
    uv_loop_t *loop;
    char *url;
    struct list writes, saves, keeps, reads, done; /* struct pg_job */
    size_t reads_waiting;
    struct pg_worker *workers; /* PG_WRITER, PG_SAVER, PG_KEEPER, then readers */
    int worker_count;
    uv_timer_t sweep;
    uv_async_t wake; /* something is in done that no callback of ours will come by */
    struct pg_commit *commit;
    struct pg_known known;
    struct pg_ring ring;
    struct store_stats stats;
    unsigned write_wait_ms, read_wait_ms; /* PG_…_WAIT_MS; tests wait less */
    uint64_t partitions_ms;               /* uv_now() when partitions were last looked after */
    bool closing;
    int handles; /* open */
    void (*closed)(void *data);
    void *closed_data;
};

/* ---- for jobs ---- */

/* Sends the batch; `next` takes its answer. PG_WAIT. */
int pg_await(struct pg_job *j, int (*next)(struct pg_job *j));
/* Sets the sentence and gives the code. */
int pg_refuse(struct pg_job *j, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* After the last batch. */
int pg_finished(struct pg_job *j);
/* "session ID: its WHAT do not read back". ERR_CORRUPT. */
int pg_session_corrupt(struct pg_job *j, const struct id *id, const char *what);

/* The first batch of any request; PG_WAIT, or a status. */
int pg_job_start(struct pg_job *j);

/* ---- by file ---- */

struct pg_commit *pg_commit_create(void); /* pg_commit.c */
void pg_commit_destroy(struct pg_commit *c);
int pg_commit_start(struct pg_job *j);
int pg_session_get_start(struct pg_job *j); /* pg_session.c */
int pg_session_list_start(struct pg_job *j);
int pg_session_load_start(struct pg_job *j);
int pg_session_delete_start(struct pg_job *j);
int pg_session_release_start(struct pg_job *j);
int pg_workflow_put_start(struct pg_job *j); /* pg_workflow.c */
int pg_workflow_delete_start(struct pg_job *j);
int pg_workflow_get_start(struct pg_job *j);
int pg_workflow_list_start(struct pg_job *j);
int pg_workflow_versions_start(struct pg_job *j);
int pg_events_start(struct pg_job *j); /* pg_read.c */
int pg_messages_start(struct pg_job *j);
int pg_runs_start(struct pg_job *j);
int pg_busy_start(struct pg_job *j);
int pg_timers_start(struct pg_job *j);
int pg_idempotency_get_start(struct pg_job *j);
int pg_idempotency_put_start(struct pg_job *j);
int pg_instance_put_start(struct pg_job *j); /* pg_instances.c */
int pg_instance_remove_start(struct pg_job *j);
int pg_instance_list_start(struct pg_job *j);
int pg_active_get_start(struct pg_job *j); /* pg_active.c */
int pg_active_put_start(struct pg_job *j);
int pg_command_put_start(struct pg_job *j);
int pg_command_get_start(struct pg_job *j);
int pg_command_list_start(struct pg_job *j);
int pg_command_done_start(struct pg_job *j);
int pg_children_list_start(struct pg_job *j); /* pg_session.c */
int pg_interrupt_get_start(struct pg_job *j); /* pg_work.c */
int pg_interrupt_list_start(struct pg_job *j);
int pg_task_lease_start(struct pg_job *j);
int pg_task_heartbeat_start(struct pg_job *j);
int pg_task_get_start(struct pg_job *j);
int pg_file_get_start(struct pg_job *j);
int pg_file_list_start(struct pg_job *j);
int pg_usage_sum_start(struct pg_job *j);   /* pg_usage.c */
int pg_catalog_put_start(struct pg_job *j); /* pg_catalog.c */
int pg_catalog_get_start(struct pg_job *j);
int pg_catalog_list_start(struct pg_job *j);
int pg_catalog_delete_start(struct pg_job *j);
int pg_retention_start(struct pg_job *j); /* pg_retention.c */
int pg_key_list_start(struct pg_job *j);  /* pg_keys.c */
int pg_key_write_start(struct pg_job *j);
int pg_ticket_start(struct pg_job *j);
int pg_session_save_start(struct pg_job *j);   /* pg_save.c */
int pg_session_export_start(struct pg_job *j); /* pg_portable.c */
int pg_session_import_start(struct pg_job *j);
int pg_hook_start(struct pg_job *j);          /* pg_hooks.c: STORE_HOOK_… */
int pg_session_stats_start(struct pg_job *j); /* pg_stats.c */

/* ---- shared ---- */

/* The five statements of a load without a claim; and their answers, from the n-th statement of the
 * batch on. (pg_session.c) */
void pg_session_load_add(struct pg_job *j, const struct store_session_load *l);
int pg_session_loaded(struct pg_job *j, struct store_session_load *l, int n);
/* Adds the rows of a new session to the batch. ERR_TOO_LARGE. (pg_commit_rows.c) */
int pg_commit_add_new(struct pg_job *j, const struct delta *d, const struct event_row *events);

/* RUN_COLUMNS of pg_sql.c. */
void pg_run_columns(struct pgr *r, struct arena *a, struct run_row *row);
/* pg_work.c: of a file, all but its content, as every statement about files selects it. */
void pg_file_columns(struct pgr *r, struct arena *a, struct file_row *row);

struct pg_rows;
/* The statements of what pg_ring_plan() found; `alone` when there is nothing else to write. Whether
 * it is nothing but one PG_RING_PUT. (pg_ring_sql.c) */
bool pg_ring_add(struct pg_job *j, struct pg_rows *slot, bool alone);
/* What the instance has in slots of the sessions whose ids `rows` has (NULL: of all) goes to
 * session_events; a statement of the batch. */
void pg_ring_add_settle(struct pg_conn *c, const struct id *instance, struct pg_rows *rows);
/* What the instance's slots have of the session is void: it comes, or goes. */
void pg_ring_add_forget(struct pg_job *j, const struct id *instance, const struct id *session);
/* The slots of an instance, which its own process or the holder of its row writes: folded, and
 * gone; three statements. */
void pg_ring_add_end(struct pg_conn *c, const struct id *instance);
/* A session that is made, and the texts that hang on it; what is changed of these. */
#define PG_SESSION_TYPES      "utiibtttttiuuiubttiiiitttttttyiy"
#define PG_DETAILS_TYPES      "utttttttt"
#define PG_META_TYPES         "uttii"
#define PG_META_DETAILS_TYPES "utttt"
void pg_rows_session(struct pg_rows *r, const struct delta *d, const struct rules_packed *packed);
void pg_rows_details(struct pg_rows *r, const struct delta *d);
void pg_rows_meta(struct pg_rows *r, const struct id *id, const struct session_meta *meta,
                  int64_t version, int64_t at);
void pg_rows_meta_details(struct pg_rows *r, const struct id *id, const struct session_meta *meta);
/* A row of PG_KEYS_INSERT. */
void pg_rows_key(struct pg_rows *r, const struct idempotency_row *k);

/* ---- opening ---- */

/* Before a step of this name is taken back: what it let be stored packed is made plain, within a
 * transaction. ERR_CORRUPT, ERR_IO. (pg_unpack.c) */
int pg_unpack_for(PGconn *handle, const char *step, struct errbuf *e);
/* Moves the schema to `target` (migrate.h). */
int pg_migrate_handle(PGconn *handle, int target, void (*say)(const char *line),
                      struct migrate_status *out, struct errbuf *e);
int pg_memory_put_start(struct pg_job *j); /* pg_memory.c */
int pg_memory_list_start(struct pg_job *j);
int pg_memory_get_start(struct pg_job *j);
int pg_memory_update_start(struct pg_job *j);
int pg_memory_age_start(struct pg_job *j);
int pg_memory_delete_start(struct pg_job *j);
int pg_memory_query_start(struct pg_job *j); /* pg_recall.c */
/* As MEMORY_COLUMNS are; the vector after them is corrupt unless it is as long as the row says. */
void pg_memory_columns(struct pgr *r, struct arena *a, struct memory_row *row,
                       struct str workspace);
void pg_memory_vector(struct pgr *r, struct arena *a, struct memory_row *row);
int pg_memory_corrupt(struct pg_job *j);

/* pg_schedules.c, pg_audit.c */
int pg_schedule_put_start(struct pg_job *j);
int pg_schedule_delete_start(struct pg_job *j);
int pg_schedule_move_start(struct pg_job *j);
int pg_schedule_get_start(struct pg_job *j);
int pg_schedule_list_start(struct pg_job *j);
int pg_schedule_due_start(struct pg_job *j);
int pg_audit_put_start(struct pg_job *j);
int pg_audit_prune_start(struct pg_job *j);
int pg_audit_list_start(struct pg_job *j);

#endif
