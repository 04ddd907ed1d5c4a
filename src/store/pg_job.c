/* Which function begins a request. */
#include "store/pg_store.h"

int pg_session_corrupt(struct pg_job *j, const struct id *id, const char *what)
{
    char text[ID_TEXT_BYTES + 1];

    id_format(*id, text);
    return pg_refuse(j, ERR_CORRUPT, "session %s: its %s do not read back", text, what);
}

int pg_job_start(struct pg_job *j)
{
    switch (j->req->op) {
    case STORE_COMMIT:
        return pg_commit_start(j);
    case STORE_WORKFLOW_PUT:
        return pg_workflow_put_start(j);
    case STORE_WORKFLOW_GET:
        return pg_workflow_get_start(j);
    case STORE_WORKFLOW_LIST:
        return pg_workflow_list_start(j);
    case STORE_WORKFLOW_VERSIONS:
        return pg_workflow_versions_start(j);
    case STORE_WORKFLOW_DELETE:
        return pg_workflow_delete_start(j);
    case STORE_SESSION_GET:
        return pg_session_get_start(j);
    case STORE_SESSION_LIST:
        return pg_session_list_start(j);
    case STORE_SESSION_LOAD:
        return pg_session_load_start(j);
    case STORE_SESSION_DELETE:
        return pg_session_delete_start(j);
    case STORE_EVENTS_READ:
        return pg_events_start(j);
    case STORE_MESSAGES_LIST:
        return pg_messages_start(j);
    case STORE_RUNS_LIST:
        return pg_runs_start(j);
    case STORE_SCAN_BUSY:
        return pg_busy_start(j);
    case STORE_SCAN_TIMERS:
        return pg_timers_start(j);
    case STORE_IDEMPOTENCY_GET:
        return pg_idempotency_get_start(j);
    case STORE_IDEMPOTENCY_PUT:
        return pg_idempotency_put_start(j);
    case STORE_SESSION_RELEASE:
        return pg_session_release_start(j);
    case STORE_INSTANCE_PUT:
        return pg_instance_put_start(j);
    case STORE_INSTANCE_REMOVE:
        return pg_instance_remove_start(j);
    case STORE_INSTANCE_LIST:
        return pg_instance_list_start(j);
    case STORE_COMMAND_PUT:
        return pg_command_put_start(j);
    case STORE_COMMAND_GET:
        return pg_command_get_start(j);
    case STORE_COMMAND_LIST:
        return pg_command_list_start(j);
    case STORE_COMMAND_DONE:
        return pg_command_done_start(j);
    case STORE_RETENTION:
        return pg_retention_start(j);
    case STORE_INTERRUPT_GET:
        return pg_interrupt_get_start(j);
    case STORE_INTERRUPT_LIST:
        return pg_interrupt_list_start(j);
    case STORE_TASK_LEASE:
        return pg_task_lease_start(j);
    case STORE_TASK_HEARTBEAT:
        return pg_task_heartbeat_start(j);
    case STORE_TASK_GET:
        return pg_task_get_start(j);
    case STORE_FILE_GET:
        return pg_file_get_start(j);
    case STORE_FILE_LIST:
        return pg_file_list_start(j);
    case STORE_MEMORY_PUT:
        return pg_memory_put_start(j);
    case STORE_MEMORY_QUERY:
        return pg_memory_query_start(j);
    case STORE_CHILDREN_LIST:
        return pg_children_list_start(j);
    case STORE_OP_COUNT:
        break;
    }
    return pg_refuse(j, ERR_INTERNAL, "operation %d is none of the store's", (int)j->req->op);
}
