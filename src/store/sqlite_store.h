/* The SQLite store: who runs where.
 *
 *     loop ── submit ──> writes ──> writer thread ──> one transaction for all that waits ─┐
 *      ^                 reads ───> reader threads (each its own connection) ─────────────┤
 *      └───── eventfd <── done <──────────────────────────────────────────────────────────┘
 *                        (the loop writes a light commit itself while the writer rests)
 *                        checkpoint thread: copies the WAL back while the writer writes on
 *
 * One mutex guards the three queues and the counters; it is never held during work on the file.
 * All threads sleep on condition variables while there is nothing to do: an idle store makes no
 * query and no wake-up.
 */
#ifndef SLUICE_STORE_SQLITE_STORE_H
#define SLUICE_STORE_SQLITE_STORE_H

#include <stdbool.h>
#include <uv.h>

#include "base/list.h"
#include "store/keys.h"
#include "store/sqlite_db.h"
#include "store/sqlite_recent.h"
#include "store/store.h"
#include "store/store_audit.h"
#include "store/store_schedules.h"

#define SQLITE_READERS     2
#define SQLITE_STACK_BYTES (512u << 10)
/* Frames (pages of 4 kB) in the WAL that start a checkpoint. The file does not shrink: written
 * again from its start it needs no new space, and a commit is the quicker for it. */
#define SQLITE_CHECKPOINT_FRAMES 4000
#define SQLITE_CHECKPOINT_REST   32 /* that the writer copies itself, in half a millisecond */
/* A commit that may block is written by the loop's thread while a commit takes less, as a mean of
 * some sixteen, and no checkpoint is under way. One that takes longer than the second counts as
 * that: then the writer has the next few, and all of them where every tenth is so slow.
 * (docs/decisions/0031) */
#define SQLITE_HERE_NS      UINT64_C(500000)
#define SQLITE_HERE_MOST_NS UINT64_C(8000000)

struct sqlite_store {
    /* The loop's */
    struct store base;
    char *path; /* of the database */
    int lock_fd;
    int finished_fd;    /* something is in done, or the writer has ended */
    uv_poll_t finished; /* of it */

    uv_mutex_t mutex;
    uv_cond_t writes_cond, reads_cond, checkpoint_cond, ended_cond;
    struct list writes, reads, done; /* struct store_req */
    struct store_stats stats;
    bool closing;
    int wal_frames;         /* its length, while it is longer than SQLITE_CHECKPOINT_FRAMES */
    bool checkpoint_due;    /* for the checkpoint thread */
    bool checkpoint_rest;   /* for the writer: only the newest frames are left to copy */
    bool checkpoint_active; /* from due until the writer has copied them */
    bool is_writing;        /* the writer thread has the connection */
    uint64_t commit_ns;     /* a mean of the last ones; 0: there was none */
    int threads_running;    /* all but the writer */
    bool writer_ended;

    uv_thread_t writer_thread, checkpoint_thread;
    struct sqlite_db writer, checkpointer;
    struct sqlite_recent *recent;
    struct sqlite_reader {
        struct sqlite_store *store;
        struct sqlite_db db;
        uv_thread_t thread;
    } readers[SQLITE_READERS];

    void (*closed)(void *data);
    void *closed_data;
};

/* Thread mains. Each closes its own connection. */
void sqlite_writer_main(void *store);
void sqlite_checkpoint_main(void *store);
void sqlite_reader_main(void *reader);

/* By whoever has the connection: writes these (of one list) as one transaction, and hands them to
 * the loop. */
void sqlite_writer_write(struct sqlite_store *s, struct list *requests);
/* Hands finished requests (of one list) to the loop. */
void sqlite_store_finish(struct sqlite_store *s, struct list *requests);
void sqlite_store_thread_ended(struct sqlite_store *s); /* of all but the writer */
void sqlite_store_writer_ended(struct sqlite_store *s); /* the last thing it does */

/* Carries out one request within a transaction that is under way and gives its status; a status
 * below 0 without db->failed has changed nothing. The sentence stands in db->error. */
int sqlite_write_run(struct sqlite_db *db, struct store_req *req);
int sqlite_read_run(struct sqlite_db *db, struct store_req *req);

/* ---- shared by writes and reads ---- */

/* The key of a workspace; ERR_NOT_FOUND. */
int sqlite_workspace_find(struct sqlite_db *db, struct str name, int64_t *key);
/* As above, but makes it. */
int sqlite_workspace_make(struct sqlite_db *db, struct str name, int64_t *key);
struct sqlite_session {
    int64_t key;
    uint64_t epoch;
    int64_t last_seq; /* of when the row was last written */
    int64_t folded_seq;
};
/* ERR_NOT_FOUND */
int sqlite_session_find(struct sqlite_db *db, const struct id *id, struct sqlite_session *out);
/* Raises *last_seq to that of the last row of session_events. */
int sqlite_events_stored(struct sqlite_db *db, int64_t key, int64_t *last_seq);
/* Raises *last_seq to that of the newest events: those that came alone did not touch the row.
 * id: only a reader's; its view may have some that session_events has not. */
int sqlite_session_seq(struct sqlite_db *db, const struct id *id, int64_t key, int64_t *last_seq);
/* The row without details and state; also its key. ERR_NOT_FOUND; also when it belongs to another
 * workspace than the one given (NULL: any). */
int sqlite_session_get(struct sqlite_db *db, struct arena *a, struct str workspace,
                       const struct id *id, struct session_row *row, int64_t *key);
int sqlite_session_read(struct sqlite_db *db, struct store_session_get *g);
int sqlite_session_load(struct sqlite_db *db, struct store_session_load *load);

/* Whether the instance has a row; its owner's sessions are free without one. */
int sqlite_instance_is_there(struct sqlite_db *db, const struct id *id, bool *out);
/* ERR_CONFLICT: one of the commands was answered before, or is gone; *same: all of them were, with
 * these very answers. */
int sqlite_commands_check(struct sqlite_db *db, struct arena *a, const struct command_row *rows,
                          bool *same);
/* Those that wait get their answers. */
int sqlite_commands_answer(struct sqlite_db *db, int64_t session, int64_t at,
                           const struct command_row *rows);

/* Of sessions that are there, those that are not there yet. */
int sqlite_commands_insert(struct sqlite_db *db, const struct command_row *rows);

/* RUN_COLUMNS of sqlite_sql.c. */
void sqlite_run_columns(struct sqlq *q, struct arena *a, struct run_row *row);

struct sqlite_workflow {
    struct workflow_row row;
    int64_t first_version;
    bool deleted;
};
/* The newest version, deleted or not, without graph; ERR_NOT_FOUND when there never was one. */
int sqlite_workflow_find(struct sqlite_db *db, struct arena *a, int64_t workspace, struct str id,
                         struct sqlite_workflow *out);
/* One version's text and all; ERR_NOT_FOUND. */
int sqlite_version_get(struct sqlite_db *db, struct arena *a, int64_t workspace, struct str id,
                       int64_t version, struct workflow_row *row);
int sqlite_idempotency_get(struct sqlite_db *db, struct arena *a, struct str workspace,
                           struct str key, struct idempotency_row *row);
/* ERR_CONFLICT: one of the keys is taken. */
int sqlite_idempotency_check(struct sqlite_db *db, struct arena *a,
                             const struct idempotency_row *rows);
int sqlite_idempotency_insert(struct sqlite_db *db, const struct idempotency_row *rows);
/* Runs `sql` with (key, id) for each. */
int sqlite_session_drop(struct sqlite_db *db, int64_t key); /* with all that it has */
int sqlite_delete_ids(struct sqlite_db *db, enum sqlite_sql sql, int64_t key,
                      const struct id_list *ids);
/* A delta's interrupts, tasks and files; `a` for what is bound. */
int sqlite_commit_work(struct sqlite_db *db, struct arena *a, const struct delta *d, int64_t key);

/* ---- by file ---- */

int sqlite_commit_run(struct sqlite_db *db, struct store_commit *c);         /* sqlite_commit.c */
int sqlite_session_list(struct sqlite_db *db, struct store_session_list *l); /* sqlite_session.c */
int sqlite_children_list(struct sqlite_db *db, struct store_children_list *l);
int sqlite_session_release(struct sqlite_db *db, struct store_session_release *r);
int sqlite_instance_put(struct sqlite_db *db, struct store_instance_put *p); /* …_instance.c */
int sqlite_instance_remove(struct sqlite_db *db, struct store_instance_remove *r);
int sqlite_instance_list(struct sqlite_db *db, struct store_instance_list *l);
int sqlite_active_get(struct sqlite_db *db, struct store_active_get *g); /* …_active.c */
int sqlite_active_put(struct sqlite_db *db, struct store_active_put *p);
int sqlite_command_put(struct sqlite_db *db, struct store_command_put *p);
int sqlite_command_get(struct sqlite_db *db, struct store_command_get *g);
int sqlite_command_list(struct sqlite_db *db, struct store_command_list *l);
int sqlite_command_done(struct sqlite_db *db, struct store_command_done *c);
int sqlite_interrupt_get(struct sqlite_db *db, struct store_interrupt_get *g); /* …_work.c */
int sqlite_interrupt_list(struct sqlite_db *db, struct store_interrupt_list *l);
int sqlite_task_lease(struct sqlite_db *db, struct store_task_lease *l);
int sqlite_task_heartbeat(struct sqlite_db *db, struct store_task_heartbeat *h);
int sqlite_task_get(struct sqlite_db *db, struct store_task_get *g);
int sqlite_file_get(struct sqlite_db *db, struct store_file_get *g);
int sqlite_file_list(struct sqlite_db *db, struct store_file_list *l);
/* sqlite_save.c, with two of sqlite_commit.c */
int sqlite_session_save(struct sqlite_db *db, struct store_session_save *p);
int sqlite_session_stats(struct sqlite_db *db, struct store_session_stats *s);
int sqlite_session_insert(struct sqlite_db *db, const struct delta *d, int64_t *key);
int sqlite_meta_update(struct sqlite_db *db, int64_t key, const struct session_meta *meta,
                       int64_t version, int64_t at);
int sqlite_retention(struct sqlite_db *db, struct store_retention *r); /* sqlite_retention.c */
int sqlite_workflow_put(struct sqlite_db *db, struct store_workflow_put *p); /* sqlite_workflow.c */
int sqlite_workflow_delete(struct sqlite_db *db, struct store_workflow_delete *d);
int sqlite_workflow_get(struct sqlite_db *db, struct store_workflow_get *g);
int sqlite_workflow_list(struct sqlite_db *db, struct store_workflow_list *l);
int sqlite_workflow_versions(struct sqlite_db *db, struct store_workflow_versions *l);
/* sqlite_usage.c */
int sqlite_commit_usage(struct sqlite_db *db, const struct delta *d, int64_t key);
int sqlite_usage_sum(struct sqlite_db *db, struct store_usage_sum *u);
int sqlite_catalog_put(struct sqlite_db *db, struct store_catalog_put *p); /* sqlite_catalog.c */
int sqlite_catalog_get(struct sqlite_db *db, struct store_catalog_get *g);
int sqlite_catalog_list(struct sqlite_db *db, struct store_catalog_list *l);
int sqlite_catalog_delete(struct sqlite_db *db, struct store_catalog_delete *d);

/* sqlite_keys.c */
int sqlite_key_list(struct sqlite_db *db, struct store_key_list *l);
int sqlite_key_write(struct sqlite_db *db, struct store_key_write *w);
int sqlite_ticket(struct sqlite_db *db, struct store_ticket *t);
/* sqlite_work.c: of a file, all but its content, as every statement about files selects it. */
void sqlite_file_columns(struct sqlq *q, struct arena *a, struct file_row *row);
int sqlite_session_export(struct sqlite_db *db, struct store_session_export *x); /* …_portable.c */
int sqlite_session_import(struct sqlite_db *db, struct store_session_import *m);
/* One delta: 0, or why it was left out or has failed (db->failed). (sqlite_commit.c) */
int sqlite_commit_delta(struct sqlite_db *db, struct arena *a, const struct delta *d);
int sqlite_events_insert(struct sqlite_db *db, int64_t key, int64_t at,
                         const struct event_row *row);
int sqlite_hook_run(struct sqlite_db *db, struct store_req *req); /* sqlite_hooks.c */

/* ---- opening ---- */

/* Makes DIR if it is missing and locks it for this process, as long as *fd is open; waits up to
 * wait_ms for another one to go. ERR_UNAVAILABLE: another process has it. ERR_IO. */
int sqlite_lock(const char *dir, int wait_ms, int *fd, struct errbuf *e);
char *sqlite_path(const char *dir); /* free() it */
/* Moves the schema, as migrate_run() does. The caller has locked the folder. */
int sqlite_migrate_db(struct sqlite_db *db, int target, void (*say)(const char *line),
                      struct migrate_status *out, struct errbuf *e);

/* sqlite_memory.c */
int sqlite_memory_put(struct sqlite_db *db, struct store_memory_put *m);
int sqlite_memory_list(struct sqlite_db *db, struct store_memory_list *m);
int sqlite_memory_get(struct sqlite_db *db, struct store_memory_get *m);
int sqlite_memory_update(struct sqlite_db *db, struct store_memory_update *m);
int sqlite_memory_age(struct sqlite_db *db, struct store_memory_age *m);
int sqlite_memory_delete(struct sqlite_db *db, struct store_memory_delete *m);
/* As MEMORY_COLUMNS are; the vector after them is corrupt unless it is as long as the row says. */
void sqlite_memory_columns(struct sqlq *q, struct arena *a, struct memory_row *row);
void sqlite_memory_vector(struct sqlq *q, struct arena *a, struct memory_row *row);
int sqlite_memory_corrupt(struct sqlq *q);
/* Where codes of what m asks for are; 0: there are none. */
int sqlite_memory_place(struct sqlite_db *db, int64_t workspace, const struct store_memory_query *m,
                        int64_t *place);
int sqlite_memory_query(struct sqlite_db *db, struct store_memory_query *m); /* sqlite_recall.c */

/* sqlite_schedules.c, sqlite_audit.c */
int sqlite_schedule_put(struct sqlite_db *db, struct store_schedule_put *r);
int sqlite_schedule_delete(struct sqlite_db *db, struct store_schedule_delete *r);
int sqlite_schedule_move(struct sqlite_db *db, struct store_schedule_move *r);
int sqlite_schedule_get(struct sqlite_db *db, struct store_schedule_get *r);
int sqlite_schedule_list(struct sqlite_db *db, struct store_schedule_list *r);
int sqlite_schedule_due(struct sqlite_db *db, struct store_schedule_due *r);
int sqlite_audit_put(struct sqlite_db *db, struct store_audit_put *r);
int sqlite_audit_prune(struct sqlite_db *db, struct store_audit_prune *r);
int sqlite_audit_list(struct sqlite_db *db, struct store_audit_list *r);

#endif
