/* Which function begins a request. */
#include "store/pg_store.h"

int pg_session_corrupt(struct pg_job *j, const struct id *id, const char *what)
{
    char text[ID_TEXT_BYTES + 1];

    id_format(*id, text);
    return pg_refuse(j, ERR_CORRUPT, "session %s: its %s do not read back", text, what);
}

/* The first batch of each request. */
static int (*const job_starts[STORE_OP_COUNT])(struct pg_job *j) = {
    [STORE_COMMIT] = pg_commit_start,
    [STORE_WORKFLOW_PUT] = pg_workflow_put_start,
    [STORE_WORKFLOW_GET] = pg_workflow_get_start,
    [STORE_WORKFLOW_LIST] = pg_workflow_list_start,
    [STORE_WORKFLOW_VERSIONS] = pg_workflow_versions_start,
    [STORE_WORKFLOW_DELETE] = pg_workflow_delete_start,
    [STORE_SESSION_GET] = pg_session_get_start,
    [STORE_SESSION_LIST] = pg_session_list_start,
    [STORE_SESSION_LOAD] = pg_session_load_start,
    [STORE_SESSION_DELETE] = pg_session_delete_start,
    [STORE_EVENTS_READ] = pg_events_start,
    [STORE_MESSAGES_LIST] = pg_messages_start,
    [STORE_RUNS_LIST] = pg_runs_start,
    [STORE_SCAN_BUSY] = pg_busy_start,
    [STORE_SCAN_TIMERS] = pg_timers_start,
    [STORE_IDEMPOTENCY_GET] = pg_idempotency_get_start,
    [STORE_IDEMPOTENCY_PUT] = pg_idempotency_put_start,
    [STORE_SESSION_RELEASE] = pg_session_release_start,
    [STORE_INSTANCE_PUT] = pg_instance_put_start,
    [STORE_INSTANCE_REMOVE] = pg_instance_remove_start,
    [STORE_INSTANCE_LIST] = pg_instance_list_start,
    [STORE_COMMAND_PUT] = pg_command_put_start,
    [STORE_COMMAND_GET] = pg_command_get_start,
    [STORE_COMMAND_LIST] = pg_command_list_start,
    [STORE_COMMAND_DONE] = pg_command_done_start,
    [STORE_RETENTION] = pg_retention_start,
    [STORE_INTERRUPT_GET] = pg_interrupt_get_start,
    [STORE_INTERRUPT_LIST] = pg_interrupt_list_start,
    [STORE_TASK_LEASE] = pg_task_lease_start,
    [STORE_TASK_HEARTBEAT] = pg_task_heartbeat_start,
    [STORE_TASK_GET] = pg_task_get_start,
    [STORE_FILE_GET] = pg_file_get_start,
    [STORE_FILE_LIST] = pg_file_list_start,
    [STORE_MEMORY_PUT] = pg_memory_put_start,
    [STORE_MEMORY_QUERY] = pg_memory_query_start,
    [STORE_MEMORY_LIST] = pg_memory_list_start,
    [STORE_MEMORY_GET] = pg_memory_get_start,
    [STORE_MEMORY_UPDATE] = pg_memory_update_start,
    [STORE_MEMORY_AGE] = pg_memory_age_start,
    [STORE_MEMORY_DELETE] = pg_memory_delete_start,
    [STORE_USAGE_SUM] = pg_usage_sum_start,
    [STORE_CATALOG_PUT] = pg_catalog_put_start,
    [STORE_CATALOG_GET] = pg_catalog_get_start,
    [STORE_CATALOG_LIST] = pg_catalog_list_start,
    [STORE_CATALOG_DELETE] = pg_catalog_delete_start,
    [STORE_CHILDREN_LIST] = pg_children_list_start,
    [STORE_KEY_LIST] = pg_key_list_start,
    [STORE_KEY_WRITE] = pg_key_write_start,
    [STORE_TICKET] = pg_ticket_start,
    [STORE_SESSION_SAVE] = pg_session_save_start,
    [STORE_ACTIVE_GET] = pg_active_get_start,
    [STORE_ACTIVE_PUT] = pg_active_put_start,
    [STORE_SCHEDULE_PUT] = pg_schedule_put_start,
    [STORE_SCHEDULE_DELETE] = pg_schedule_delete_start,
    [STORE_SCHEDULE_MOVE] = pg_schedule_move_start,
    [STORE_AUDIT_PUT] = pg_audit_put_start,
    [STORE_AUDIT_PRUNE] = pg_audit_prune_start,
    [STORE_SCHEDULE_GET] = pg_schedule_get_start,
    [STORE_SCHEDULE_LIST] = pg_schedule_list_start,
    [STORE_SCHEDULE_DUE] = pg_schedule_due_start,
    [STORE_AUDIT_LIST] = pg_audit_list_start,
    [STORE_SESSION_EXPORT] = pg_session_export_start,
    [STORE_SESSION_IMPORT] = pg_session_import_start,
    [STORE_HOOK_PUT... STORE_HOOK_DELIVERIES] = pg_hook_start,
    [STORE_SESSION_STATS] = pg_session_stats_start,
};

int pg_job_start(struct pg_job *j)
{
    if (j->req->op < STORE_OP_COUNT)
        return job_starts[j->req->op](j);
    return pg_refuse(j, ERR_INTERNAL, "operation %d is none of the store's", (int)j->req->op);
}
