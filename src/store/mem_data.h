/* What the store in memory keeps: sorted vectors of rows, each row in an arena of its own. */
#ifndef SLUICE_STORE_MEM_DATA_H
#define SLUICE_STORE_MEM_DATA_H

#include "base/table.h"
#include "store/keys.h"
#include "store/store.h"
#include "store/store_audit.h"
#include "store/store_schedules.h"

/* Every row begins with the arena that holds it and all it points to. */
struct mem_row {
    struct arena arena;
};

/* Rows in the order of a comparison; the vector owns them. */
struct mem_vec {
    struct mem_row **rows;
    size_t count, cap;
};
typedef int mem_cmp(const struct mem_row *a, const struct mem_row *b);

/* A zeroed row of `size` bytes, in an arena of its own. */
void *mem_row_create(size_t size);
void mem_row_destroy(void *row);
/* The index of the first row that is not less than key; *found: it is equal. */
size_t mem_vec_find(const struct mem_vec *v, const void *key, mem_cmp *cmp, bool *found);
void *mem_vec_get(const struct mem_vec *v, const void *key, mem_cmp *cmp); /* or NULL */
void mem_vec_put(struct mem_vec *v, void *row, mem_cmp *cmp); /* replaces and frees an equal one */
void mem_vec_remove(struct mem_vec *v, const void *key, mem_cmp *cmp); /* if there is one */
void mem_vec_clear(struct mem_vec *v);

struct mem_run {
    struct arena arena;
    struct run_row row;
};
struct mem_effect {
    struct arena arena;
    struct effect_row row;
};
struct mem_timer {
    struct arena arena;
    struct timer_row row;
};
struct mem_message {
    struct arena arena;
    struct message_row row;
};
struct mem_interrupt {
    struct arena arena;
    struct interrupt_row row;
};
struct mem_task {
    struct arena arena;
    struct task_row row;
};
struct mem_file {
    struct arena arena;
    struct file_row row;
};
struct mem_memory {
    struct arena arena;
    struct memory_row row;
};
struct mem_catalog {
    struct arena arena;
    enum catalog_kind kind;
    struct catalog_row row;
};
struct mem_schedule {
    struct arena arena;
    struct schedule_row row;
};
struct mem_audit {
    struct arena arena;
    struct audit_row row;
};
struct mem_usage {
    struct arena arena;
    struct str workspace, group_id;
    struct id session_id;
    struct usage_row row;
};
struct mem_key {
    struct arena arena;
    struct key_row row;
};
struct mem_ticket {
    struct arena arena;
    struct str hash, body_json;
    int64_t expires_at;
};
struct mem_withheld {
    struct arena arena;
    struct withheld_row row;
};
struct mem_events {
    struct arena arena;
    struct event_row row;
};
struct mem_core {
    struct arena arena;
    struct session_core core;
};
struct mem_instance {
    struct arena arena;
    struct instance_row row;
};
struct mem_command {
    struct arena arena;
    struct command_row row;
};
struct mem_idempotency {
    struct arena arena;
    struct idempotency_row row;
};
struct mem_active {
    struct arena arena;
    struct str workspace, user_id;
    struct id session_id;
};
struct mem_version {
    struct arena arena;
    struct workflow_row row;
};
struct mem_workflow {
    struct arena arena;
    struct str workspace, id;
    int64_t first_version, created_at;
    bool deleted;
    struct mem_vec versions; /* struct mem_version */
};
struct mem_session {
    struct arena arena;     /* with meta */
    struct session_row row; /* without core */
    int64_t key, folded_seq;
    struct mem_core *core;
    struct mem_vec events, runs, effects, timers, messages, withheld;
    struct mem_vec interrupts, tasks, files; /* by id; by path, version */
};

struct mem_data {
    struct table sessions_by_id;
    struct mem_vec sessions; /* by created_at, key */
    struct mem_vec workflows, idempotency;
    struct mem_vec instances, commands; /* by id */
    struct mem_vec memories;            /* by created_at, id */
    struct mem_vec catalog;             /* by workspace, kind, id */
    struct mem_vec usage;               /* by call_id */
    struct mem_vec keys, tickets;       /* by id; by hash */
    struct mem_vec active;              /* by workspace, user_id */
    struct mem_vec schedules, audit;    /* by id */
    struct mem_vec hooks;               /* by id: struct mem_hook (mem_hooks.c) */
    int64_t last_key;
    int64_t time; /* the clock for leases; 0: the system's */
};

void mem_data_deinit(struct mem_data *d);
void mem_session_remove(struct mem_data *d, struct mem_session *s);

mem_cmp mem_cmp_events, mem_cmp_run, mem_cmp_effect, mem_cmp_timer, mem_cmp_message,
    mem_cmp_withheld, mem_cmp_session, mem_cmp_workflow, mem_cmp_version, mem_cmp_idempotency,
    mem_cmp_instance, mem_cmp_command, mem_cmp_interrupt, mem_cmp_task, mem_cmp_file, mem_cmp_usage,
    mem_cmp_memory, mem_cmp_catalog;

/* Copies with all strings, into the arena. */
struct session_meta mem_copy_meta(struct arena *a, const struct session_meta *m);
struct session_core mem_copy_core(struct arena *a, const struct session_core *c);
struct run_row mem_copy_run(struct arena *a, const struct run_row *r);
struct effect_row mem_copy_effect(struct arena *a, const struct effect_row *r);
struct timer_row mem_copy_timer(struct arena *a, const struct timer_row *r);
struct message_row mem_copy_message(struct arena *a, const struct message_row *r);
struct withheld_row mem_copy_withheld(struct arena *a, const struct withheld_row *r);
struct event_row mem_copy_events(struct arena *a, const struct event_row *r);
struct workflow_row mem_copy_workflow(struct arena *a, const struct workflow_row *r);
struct idempotency_row mem_copy_idempotency(struct arena *a, const struct idempotency_row *r);

struct instance_row mem_copy_instance(struct arena *a, const struct instance_row *r);
struct command_row mem_copy_command(struct arena *a, const struct command_row *r);
struct interrupt_row mem_copy_interrupt(struct arena *a, const struct interrupt_row *r);
struct task_row mem_copy_task(struct arena *a, const struct task_row *r);
struct file_row mem_copy_file(struct arena *a, const struct file_row *r);
struct memory_row mem_copy_memory(struct arena *a, const struct memory_row *r);
struct catalog_row mem_copy_catalog(struct arena *a, const struct catalog_row *r);

/* mem_write.c, mem_read.c: one request; its status is returned, its sentence set. */
int mem_write_run(struct mem_data *d, struct store_req *req);
int mem_read_run(struct mem_data *d, struct store_req *req);

struct mem_workflow *mem_workflow_get(const struct mem_data *d, struct str workspace,
                                      struct str id);
const struct workflow_row *mem_workflow_newest(const struct mem_workflow *w);
struct mem_session *mem_session_get(const struct mem_data *d, struct str workspace, struct id id);
/* Of the workflow that it names, as it is now. */
void mem_checksum_now(const struct mem_data *d, struct session_row *row);
struct session_row mem_session_row(struct arena *a, const struct mem_session *s, bool whole);
const struct idempotency_row *mem_idempotency_get(const struct mem_data *d, struct str workspace,
                                                  struct str key);
/* mem_instance.c. Whether a session is there for this instance to take: nobody who is alive has it,
 * or it has it (zero: only the former). */
bool mem_session_is_free(const struct mem_data *d, const struct mem_session *s, struct id instance);
int mem_session_release(struct mem_data *d, struct store_session_release *r);
int mem_instance_put(struct mem_data *d, struct store_instance_put *p);
int mem_instance_remove(struct mem_data *d, struct store_instance_remove *r);
int mem_instance_list(struct mem_data *d, struct store_instance_list *l);
int mem_active_get(struct mem_data *d, struct store_active_get *g); /* mem_active.c */
int mem_active_put(struct mem_data *d, struct store_active_put *p);
int mem_command_put(struct mem_data *d, struct store_command_put *p);
int mem_command_get(struct mem_data *d, struct store_command_get *g);
int mem_command_list(struct mem_data *d, struct store_command_list *l);
int mem_command_done(struct mem_data *d, struct store_command_done *c);
/* ERR_CONFLICT: one was answered before, or is gone; *same: all were, with these answers. */
int mem_commands_check(const struct mem_data *d, const struct command_row *rows, bool *same,
                       struct errbuf *e);
void mem_commands_answer(struct mem_data *d, struct id session, const struct command_row *rows);
void mem_commands_insert(struct mem_data *d, const struct command_row *rows);
/* mem_work.c. A delta's interrupts, tasks and files. */
void mem_commit_work(struct mem_session *s, const struct delta *delta);
int mem_interrupt_get(struct mem_data *d, struct store_interrupt_get *g);
int mem_interrupt_list(struct mem_data *d, struct store_interrupt_list *l);
int mem_task_lease(struct mem_data *d, struct store_task_lease *l);
int mem_task_heartbeat(struct mem_data *d, struct store_task_heartbeat *h);
int mem_task_get(struct mem_data *d, struct store_task_get *g);
int mem_file_get(struct mem_data *d, struct store_file_get *g);
int mem_file_list(struct mem_data *d, struct store_file_list *l);
int mem_memory_put(struct mem_data *d, struct store_memory_put *m); /* mem_memory.c */
int mem_memory_query(struct mem_data *d, struct store_memory_query *m);
int mem_memory_list(struct mem_data *d, struct store_memory_list *m);
int mem_memory_get(struct mem_data *d, struct store_memory_get *m);
int mem_memory_update(struct mem_data *d, struct store_memory_update *m);
int mem_memory_age(struct mem_data *d, struct store_memory_age *m);
int mem_memory_delete(struct mem_data *d, struct store_memory_delete *m);
int mem_children_list(struct mem_data *d, struct store_children_list *l);
/* mem_write.c: none of the keys is taken; they are. */
bool mem_keys_are_free(const struct mem_data *d, const struct idempotency_row *rows);
void mem_keys_write(struct mem_data *d, const struct idempotency_row *rows);
int mem_catalog_put(struct mem_data *d, struct store_catalog_put *p); /* mem_catalog.c */
int mem_catalog_get(struct mem_data *d, struct store_catalog_get *g);
int mem_catalog_list(struct mem_data *d, struct store_catalog_list *l);
int mem_catalog_delete(struct mem_data *d, struct store_catalog_delete *r);
/* mem_keys.c */
int mem_key_list(struct mem_data *d, struct store_key_list *l);
int mem_key_write(struct mem_data *d, struct store_key_write *w);
int mem_ticket(struct mem_data *d, struct store_ticket *t);
/* mem_usage.c */
void mem_commit_usage(struct mem_data *d, const struct mem_session *s, const struct delta *delta);
int mem_usage_sum(struct mem_data *d, struct store_usage_sum *u);
/* mem_save.c */
int mem_session_save(struct mem_data *d, struct store_session_save *p);
int mem_session_stats(struct mem_data *d, struct store_session_stats *s);
/* The six members of meta that may be changed. */
void mem_meta_write(struct mem_session *s, const struct session_meta *meta, int64_t version);
struct mem_session *mem_session_create(struct mem_data *d, const struct delta *delta);
void mem_core_write(struct mem_session *s, const struct session_core *core);
int mem_hook_run(struct mem_data *d, struct store_req *req); /* mem_hooks.c */
void mem_hooks_deinit(struct mem_data *d);
void mem_hooks_forget(struct mem_data *d, struct id session_id);  /* it is gone */
int mem_retention(struct mem_data *d, struct store_retention *r); /* mem_retention.c */
int mem_session_load(struct mem_data *d, struct store_session_load *l);
/* A session that is not there yet, with all that the delta has. */
struct mem_session *mem_delta_write(struct mem_data *d, const struct delta *delta);
int mem_session_export(struct mem_data *d, struct store_session_export *x); /* mem_portable.c */
int mem_session_import(struct mem_data *d, struct store_session_import *m);

/* mem_schedules.c, mem_audit.c */
int mem_schedule_put(struct mem_data *d, struct store_schedule_put *r);
int mem_schedule_delete(struct mem_data *d, struct store_schedule_delete *r);
int mem_schedule_move(struct mem_data *d, struct store_schedule_move *r);
int mem_schedule_get(struct mem_data *d, struct store_schedule_get *r);
int mem_schedule_list(struct mem_data *d, struct store_schedule_list *r);
int mem_schedule_due(struct mem_data *d, struct store_schedule_due *r);
int mem_audit_put(struct mem_data *d, struct store_audit_put *r);
int mem_audit_prune(struct mem_data *d, struct store_audit_prune *r);
int mem_audit_list(struct mem_data *d, struct store_audit_list *r);

#endif
