/* Messages of a WebSocket client, the same bytes as an HTTP body, and as a path with a query. */
#include "fuzz.h"

#include <string.h>

#include "net/query.h"
#include "net/routes.h"
#include "net/wire_parse.h"
#include "net/ws_msg.h"

static bool status_is_fine(int status)
{
    return status == 0 || status == ERR_INVALID || status == ERR_TOO_LARGE;
}

static void answered(struct svc_req *req)
{
    (void)req;
}

static void try_message(struct str text)
{
    struct errbuf e = {""};
    struct arena arena;
    struct ws_msg m;

    arena_init(&arena);
    int status = ws_msg_parse(text, &arena, &m, &e);
    FUZZ_CHECK(status_is_fine(status));
    FUZZ_CHECK(status == 0 || e.text[0]);
    if (m.request_id.p) /* it is echoed as it stands, so it must be a value of its own */
        FUZZ_CHECK(m.request_id.n <= WS_REQUEST_ID_MAX + 2 &&
                   json_check(m.request_id, NULL, &e) == 0);
    if (status == 0 && m.kind == WS_COMMAND) {
        struct svc_req req;
        svc_req_init(&req, m.op);
        req.done = answered;
        FUZZ_CHECK(status_is_fine(wire_parse_op(m.op, true, m.root, &req, &e)));
        svc_req_deinit(&req);
    }
    arena_deinit(&arena);
}

static void try_body(struct str text, enum svc_op op)
{
    struct errbuf e = {""};
    struct svc_req req;

    if (json_check(text, NULL, &e) < 0)
        return;
    svc_req_init(&req, op);
    FUZZ_CHECK(status_is_fine(wire_parse_op(op, false, json_root(text), &req, &e)));
    svc_req_deinit(&req);
}

static void try_path(struct str text)
{
    struct errbuf e = {""};
    struct route_match m;
    struct svc_req req;
    const char *mark = memchr(text.p, '?', text.n);
    struct str path = {text.p, mark ? (size_t)(mark - text.p) : text.n};

    route_find(HTTP_GET, path, &m);
    route_find(HTTP_POST, path, &m);
    if (!mark)
        return;
    svc_req_init(&req, SVC_SESSION_LIST);
    query_defaults(&req);
    FUZZ_CHECK(status_is_fine(query_apply(&req, (struct str){mark + 1, text.n - path.n - 1}, &e)));
    FUZZ_CHECK(req.list.limit >= 1 && req.list.limit <= 500);
    svc_req_deinit(&req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum svc_op ops[] = {
        SVC_EXECUTE, SVC_PAUSE,      SVC_CANCEL,         SVC_NODE_RESUME,   SVC_SIGNAL,
        SVC_INPUT,   SVC_TASK_LEASE, SVC_TASK_HEARTBEAT, SVC_TASK_COMPLETE, SVC_TASK_FAIL};
    struct str text = {(const char *)data, size};

    try_message(text);
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        try_body(text, ops[i]);
    if (size > 0)
        try_path(text);
    return 0;
}
