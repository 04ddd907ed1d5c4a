#include "store/store.h"

void store_req_init(struct store_req *req, enum store_op op, void (*done)(struct store_req *),
                    void *data)
{
    *req = (struct store_req){.done = done, .data = data, .op = op};
    arena_init(&req->arena);
    list_init(&req->link);
}

void store_req_deinit(struct store_req *req)
{
    arena_deinit(&req->arena);
}

bool store_op_is_write(const struct store_req *req)
{
    switch (req->op) {
    case STORE_COMMIT:
    case STORE_WORKFLOW_PUT:
    case STORE_WORKFLOW_DELETE:
    case STORE_SESSION_DELETE:
    case STORE_IDEMPOTENCY_PUT:
    case STORE_SESSION_RELEASE:
    case STORE_INSTANCE_PUT:
    case STORE_INSTANCE_REMOVE:
    case STORE_COMMAND_PUT:
    case STORE_COMMAND_DONE:
    case STORE_RETENTION:
    case STORE_TASK_LEASE:
    case STORE_TASK_HEARTBEAT:
    case STORE_MEMORY_PUT:
    case STORE_MEMORY_UPDATE:
    case STORE_MEMORY_AGE:
    case STORE_MEMORY_DELETE:
    case STORE_CATALOG_PUT:
    case STORE_CATALOG_DELETE:
    case STORE_KEY_WRITE:
    case STORE_TICKET:
    case STORE_SESSION_SAVE:
    case STORE_ACTIVE_PUT:
        return true;
    case STORE_SESSION_LOAD:
        return !id_is_zero(container_of(req, struct store_session_load, req)->claim_for);
    case STORE_WORKFLOW_GET:
    case STORE_WORKFLOW_LIST:
    case STORE_WORKFLOW_VERSIONS:
    case STORE_SESSION_GET:
    case STORE_SESSION_LIST:
    case STORE_EVENTS_READ:
    case STORE_MESSAGES_LIST:
    case STORE_RUNS_LIST:
    case STORE_SCAN_BUSY:
    case STORE_SCAN_TIMERS:
    case STORE_IDEMPOTENCY_GET:
    case STORE_INSTANCE_LIST:
    case STORE_COMMAND_GET:
    case STORE_COMMAND_LIST:
    case STORE_INTERRUPT_GET:
    case STORE_INTERRUPT_LIST:
    case STORE_TASK_GET:
    case STORE_FILE_GET:
    case STORE_FILE_LIST:
    case STORE_MEMORY_QUERY:
    case STORE_MEMORY_LIST:
    case STORE_MEMORY_GET:
    case STORE_CHILDREN_LIST:
    case STORE_ACTIVE_GET:
    case STORE_CATALOG_GET:
    case STORE_CATALOG_LIST:
    case STORE_USAGE_SUM:
    case STORE_KEY_LIST:
    case STORE_OP_COUNT:
        return false;
    }
    return false;
}
