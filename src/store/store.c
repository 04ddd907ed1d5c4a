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

/* One line a write; what is not here is a read. */
static const bool writes[STORE_OP_COUNT] = {
    [STORE_COMMIT] = true,         [STORE_SESSION_IMPORT] = true,  [STORE_ACTIVE_PUT] = true,
    [STORE_SESSION_SAVE] = true,   [STORE_WORKFLOW_PUT] = true,    [STORE_WORKFLOW_DELETE] = true,
    [STORE_SESSION_DELETE] = true, [STORE_IDEMPOTENCY_PUT] = true, [STORE_SESSION_RELEASE] = true,
    [STORE_INSTANCE_PUT] = true,   [STORE_INSTANCE_REMOVE] = true, [STORE_COMMAND_PUT] = true,
    [STORE_COMMAND_DONE] = true,   [STORE_RETENTION] = true,       [STORE_TASK_LEASE] = true,
    [STORE_TASK_HEARTBEAT] = true, [STORE_MEMORY_PUT] = true,      [STORE_MEMORY_UPDATE] = true,
    [STORE_MEMORY_AGE] = true,     [STORE_MEMORY_DELETE] = true,   [STORE_CATALOG_PUT] = true,
    [STORE_CATALOG_DELETE] = true, [STORE_KEY_WRITE] = true,       [STORE_TICKET] = true,
    [STORE_SCHEDULE_PUT] = true,   [STORE_SCHEDULE_DELETE] = true, [STORE_SCHEDULE_MOVE] = true,
    [STORE_HOOK_PUT] = true,       [STORE_HOOK_DELETE] = true,     [STORE_HOOK_CLAIM] = true,
    [STORE_HOOK_SAVE] = true,      [STORE_AUDIT_PUT] = true,       [STORE_AUDIT_PRUNE] = true,
};

bool store_op_is_write(const struct store_req *req)
{
    if (req->op == STORE_SESSION_LOAD)
        return !id_is_zero(container_of(req, struct store_session_load, req)->claim_for);
    return req->op < STORE_OP_COUNT && writes[req->op];
}
