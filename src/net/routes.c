#include "net/routes.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "/api/v1"

#define SERVICE(method, pattern, op, body)                                                         \
    {                                                                                              \
        method, pattern, ROUTE_SERVICE, op, body, CATALOG_AGENT                                    \
    }
#define OTHER(pattern, kind)                                                                       \
    {                                                                                              \
        HTTP_GET, pattern, kind, SVC_OP_COUNT, BODY_NONE, CATALOG_AGENT                            \
    }

#define CATALOG(method, pattern, op, body, kind)                                                   \
    {                                                                                              \
        method, pattern, ROUTE_SERVICE, op, body, kind                                             \
    }

const struct route routes[] = {
    SERVICE(HTTP_POST, "/workflows/execute", SVC_EXECUTE, BODY_JSON),
    SERVICE(HTTP_GET, "/sessions/stats", SVC_SESSION_STATS, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}", SVC_SESSION_GET, BODY_NONE),
    SERVICE(HTTP_POST, "/sessions/{session_id}/pause", SVC_PAUSE, BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/sessions/{session_id}/resume", SVC_RESUME, BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/sessions/{session_id}/cancel", SVC_CANCEL, BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/sessions/{session_id}/stop", SVC_STOP, BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/sessions/{session_id}/nodes/{node_id}/resume", SVC_NODE_RESUME, BODY_JSON),
    SERVICE(HTTP_POST, "/sessions/{session_id}/signal", SVC_SIGNAL, BODY_JSON),
    SERVICE(HTTP_POST, "/sessions/{session_id}/input", SVC_INPUT, BODY_JSON),
    SERVICE(HTTP_POST, "/sessions/{session_id}/fork", SVC_FORK, BODY_JSON),
    SERVICE(HTTP_POST, "/sessions/{session_id}/retry", SVC_RETRY, BODY_OPTIONAL),
    SERVICE(HTTP_GET, "/sessions/{session_id}/events", SVC_EVENTS, BODY_NONE),
    OTHER("/sessions/{session_id}/stream", ROUTE_STREAM),
    SERVICE(HTTP_GET, "/sessions/{session_id}/messages", SVC_MESSAGES, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/usage", SVC_SESSION_USAGE, BODY_NONE),
    SERVICE(HTTP_GET, "/usage", SVC_USAGE, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/nodes", SVC_NODES, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/diagram", SVC_SESSION_DIAGRAM, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/stages", SVC_STAGE_LIST, BODY_NONE),
    SERVICE(HTTP_POST, "/sessions/{session_id}/stages", SVC_STAGE_START, BODY_JSON),
    SERVICE(HTTP_GET, "/sessions/{session_id}/progress", SVC_PROGRESS, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/next", SVC_NEXT, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/context", SVC_CONTEXT, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/timeline", SVC_TIMELINE, BODY_NONE),
    SERVICE(HTTP_GET, "/current", SVC_CURRENT_GET, BODY_NONE),
    SERVICE(HTTP_PUT, "/current", SVC_CURRENT_PUT, BODY_JSON),
    SERVICE(HTTP_DELETE, "/current", SVC_CURRENT_DELETE, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/files", SVC_FILES, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/files/history", SVC_FILE_HISTORY, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/files/content", SVC_FILE_CONTENT, BODY_NONE),
    SERVICE(HTTP_GET, "/sessions/{session_id}/files/diff", SVC_FILE_DIFF, BODY_NONE),
    SERVICE(HTTP_POST, "/tasks/lease", SVC_TASK_LEASE, BODY_JSON),
    SERVICE(HTTP_POST, "/tasks/{task_id}/heartbeat", SVC_TASK_HEARTBEAT, BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/tasks/{task_id}/complete", SVC_TASK_COMPLETE, BODY_JSON),
    SERVICE(HTTP_POST, "/tasks/{task_id}/fail", SVC_TASK_FAIL, BODY_JSON),
    SERVICE(HTTP_GET, "/sessions/{session_id}/export", SVC_SESSION_EXPORT, BODY_NONE),
    SERVICE(HTTP_POST, "/sessions/import", SVC_SESSION_IMPORT, BODY_LINES),
    SERVICE(HTTP_DELETE, "/sessions/{session_id}", SVC_SESSION_DELETE, BODY_NONE),
    SERVICE(HTTP_PUT, "/sessions/{session_id}", SVC_SESSION_PUT, BODY_JSON),
    SERVICE(HTTP_PATCH, "/sessions/{session_id}", SVC_SESSION_PATCH, BODY_JSON),
    SERVICE(HTTP_POST, "/sessions/batch", SVC_SESSION_BATCH, BODY_JSON),
    SERVICE(HTTP_GET, "/sessions", SVC_SESSION_LIST, BODY_NONE),
    SERVICE(HTTP_POST, "/workflows/validate", SVC_WORKFLOW_VALIDATE, BODY_WORKFLOW),
    SERVICE(HTTP_GET, "/workflows/{workflow_id}/diagram", SVC_WORKFLOW_DIAGRAM, BODY_NONE),
    SERVICE(HTTP_POST, "/workflows/import", SVC_WORKFLOW_IMPORT, BODY_WORKFLOW),
    SERVICE(HTTP_GET, "/workflows/{workflow_id}/export", SVC_WORKFLOW_EXPORT, BODY_NONE),
    SERVICE(HTTP_POST, "/workflows/generate", SVC_WORKFLOW_GENERATE, BODY_JSON),
    SERVICE(HTTP_POST, "/workflows/estimate", SVC_WORKFLOW_ESTIMATE, BODY_JSON),
    SERVICE(HTTP_POST, "/workflows/{workflow_id}/estimate", SVC_WORKFLOW_ESTIMATE, BODY_OPTIONAL),
    SERVICE(HTTP_GET, "/workflow.schema.json", SVC_WORKFLOW_SCHEMA, BODY_NONE),
    SERVICE(HTTP_GET, "/workflows", SVC_WORKFLOW_LIST, BODY_NONE),
    SERVICE(HTTP_POST, "/workflows", SVC_WORKFLOW_CREATE, BODY_WORKFLOW),
    SERVICE(HTTP_GET, "/workflows/{workflow_id}", SVC_WORKFLOW_GET, BODY_NONE),
    SERVICE(HTTP_PUT, "/workflows/{workflow_id}", SVC_WORKFLOW_PUT, BODY_WORKFLOW),
    SERVICE(HTTP_DELETE, "/workflows/{workflow_id}", SVC_WORKFLOW_DELETE, BODY_NONE),
    SERVICE(HTTP_GET, "/workflows/{workflow_id}/versions", SVC_WORKFLOW_VERSIONS, BODY_NONE),
    SERVICE(HTTP_GET, "/reviews", SVC_REVIEW_LIST, BODY_NONE),
    SERVICE(HTTP_GET, "/reviews/{interrupt_id}", SVC_REVIEW_GET, BODY_NONE),
    SERVICE(HTTP_GET, "/stages/{instance_id}", SVC_STAGE_GET, BODY_NONE),
    SERVICE(HTTP_PATCH, "/stages/{instance_id}", SVC_STAGE_UPDATE, BODY_JSON),
    SERVICE(HTTP_POST, "/stages/{instance_id}/complete", SVC_STAGE_COMPLETE, BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/stages/{instance_id}/skip", SVC_STAGE_SKIP, BODY_OPTIONAL),
    CATALOG(HTTP_GET, "/agents", SVC_CATALOG_LIST, BODY_NONE, CATALOG_AGENT),
    CATALOG(HTTP_POST, "/agents", SVC_CATALOG_CREATE, BODY_WORKFLOW, CATALOG_AGENT),
    CATALOG(HTTP_GET, "/agents/{agent_id}", SVC_CATALOG_GET, BODY_NONE, CATALOG_AGENT),
    CATALOG(HTTP_PUT, "/agents/{agent_id}", SVC_CATALOG_PUT, BODY_WORKFLOW, CATALOG_AGENT),
    CATALOG(HTTP_PATCH, "/agents/{agent_id}", SVC_CATALOG_PATCH, BODY_WORKFLOW, CATALOG_AGENT),
    CATALOG(HTTP_DELETE, "/agents/{agent_id}", SVC_CATALOG_DELETE, BODY_NONE, CATALOG_AGENT),
    CATALOG(HTTP_GET, "/groups", SVC_CATALOG_LIST, BODY_NONE, CATALOG_GROUP),
    CATALOG(HTTP_POST, "/groups", SVC_CATALOG_CREATE, BODY_WORKFLOW, CATALOG_GROUP),
    CATALOG(HTTP_GET, "/groups/{group_id}", SVC_CATALOG_GET, BODY_NONE, CATALOG_GROUP),
    CATALOG(HTTP_PUT, "/groups/{group_id}", SVC_CATALOG_PUT, BODY_WORKFLOW, CATALOG_GROUP),
    CATALOG(HTTP_PATCH, "/groups/{group_id}", SVC_CATALOG_PATCH, BODY_WORKFLOW, CATALOG_GROUP),
    CATALOG(HTTP_DELETE, "/groups/{group_id}", SVC_CATALOG_DELETE, BODY_NONE, CATALOG_GROUP),
    CATALOG(HTTP_GET, "/templates", SVC_CATALOG_LIST, BODY_NONE, CATALOG_TEMPLATE),
    CATALOG(HTTP_POST, "/templates", SVC_CATALOG_CREATE, BODY_WORKFLOW, CATALOG_TEMPLATE),
    CATALOG(HTTP_GET, "/templates/{template_id}", SVC_CATALOG_GET, BODY_NONE, CATALOG_TEMPLATE),
    CATALOG(HTTP_PUT, "/templates/{template_id}", SVC_CATALOG_PUT, BODY_WORKFLOW, CATALOG_TEMPLATE),
    CATALOG(HTTP_PATCH, "/templates/{template_id}", SVC_CATALOG_PATCH, BODY_WORKFLOW,
            CATALOG_TEMPLATE),
    CATALOG(HTTP_DELETE, "/templates/{template_id}", SVC_CATALOG_DELETE, BODY_NONE,
            CATALOG_TEMPLATE),
    SERVICE(HTTP_POST, "/templates/{template_id}/instantiate", SVC_TEMPLATE_INSTANTIATE,
            BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/memory/ingest", SVC_MEMORY_INGEST, BODY_JSON),
    SERVICE(HTTP_POST, "/memory/query", SVC_MEMORY_QUERY, BODY_JSON),
    SERVICE(HTTP_GET, "/memories", SVC_MEMORY_LIST, BODY_NONE),
    SERVICE(HTTP_GET, "/memories/{memory_id}", SVC_MEMORY_GET, BODY_NONE),
    SERVICE(HTTP_DELETE, "/memories/{memory_id}", SVC_MEMORY_DELETE, BODY_NONE),
    SERVICE(HTTP_POST, "/memories/{memory_id}/promote", SVC_MEMORY_PROMOTE, BODY_JSON),
    SERVICE(HTTP_GET, "/sessions/{session_id}/knowledge", SVC_KNOWLEDGE, BODY_NONE),
    SERVICE(HTTP_GET, "/status", SVC_STATUS_LIST, BODY_NONE),
    SERVICE(HTTP_GET, "/status/{entry_id}", SVC_STATUS_GET, BODY_NONE),
    SERVICE(HTTP_PUT, "/status/{entry_id}", SVC_STATUS_PUT, BODY_JSON),
    SERVICE(HTTP_GET, "/keys", SVC_KEY_LIST, BODY_NONE),
    SERVICE(HTTP_POST, "/keys", SVC_KEY_CREATE, BODY_JSON),
    SERVICE(HTTP_GET, "/keys/{key_id}", SVC_KEY_GET, BODY_NONE),
    SERVICE(HTTP_DELETE, "/keys/{key_id}", SVC_KEY_REVOKE, BODY_NONE),
    SERVICE(HTTP_GET, "/whoami", SVC_WHOAMI, BODY_NONE),
    SERVICE(HTTP_POST, "/ws/ticket", SVC_TICKET_MAKE, BODY_OPTIONAL),
    SERVICE(HTTP_GET, "/schedules", SVC_SCHEDULE_LIST, BODY_NONE),
    SERVICE(HTTP_POST, "/schedules", SVC_SCHEDULE_CREATE, BODY_WORKFLOW),
    SERVICE(HTTP_GET, "/schedules/{schedule_id}", SVC_SCHEDULE_GET, BODY_NONE),
    SERVICE(HTTP_PUT, "/schedules/{schedule_id}", SVC_SCHEDULE_PUT, BODY_WORKFLOW),
    SERVICE(HTTP_PATCH, "/schedules/{schedule_id}", SVC_SCHEDULE_PATCH, BODY_WORKFLOW),
    SERVICE(HTTP_DELETE, "/schedules/{schedule_id}", SVC_SCHEDULE_DELETE, BODY_NONE),
    SERVICE(HTTP_POST, "/schedules/{schedule_id}/run", SVC_SCHEDULE_RUN, BODY_OPTIONAL),
    SERVICE(HTTP_GET, "/audit", SVC_AUDIT, BODY_NONE),
    SERVICE(HTTP_GET, "/webhooks", SVC_WEBHOOK_LIST, BODY_NONE),
    SERVICE(HTTP_POST, "/webhooks", SVC_WEBHOOK_CREATE, BODY_WORKFLOW),
    SERVICE(HTTP_GET, "/webhooks/{webhook_id}", SVC_WEBHOOK_GET, BODY_NONE),
    SERVICE(HTTP_PUT, "/webhooks/{webhook_id}", SVC_WEBHOOK_PUT, BODY_WORKFLOW),
    SERVICE(HTTP_PATCH, "/webhooks/{webhook_id}", SVC_WEBHOOK_PATCH, BODY_WORKFLOW),
    SERVICE(HTTP_DELETE, "/webhooks/{webhook_id}", SVC_WEBHOOK_DELETE, BODY_NONE),
    SERVICE(HTTP_GET, "/webhooks/{webhook_id}/deliveries", SVC_WEBHOOK_DELIVERIES, BODY_NONE),
    SERVICE(HTTP_POST, "/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
            SVC_WEBHOOK_REDELIVER, BODY_OPTIONAL),
    SERVICE(HTTP_POST, "/webhooks/{webhook_id}/replay", SVC_WEBHOOK_REPLAY, BODY_WORKFLOW),
    SERVICE(HTTP_POST, "/webhooks/{webhook_id}/test", SVC_WEBHOOK_TEST, BODY_OPTIONAL),
    OTHER("/ws", ROUTE_SOCKET),
    OTHER("/healthz", ROUTE_HEALTHZ),
    SERVICE(HTTP_GET, "/readyz", SVC_READY, BODY_NONE),
    SERVICE(HTTP_GET, "/metrics", SVC_METRICS, BODY_NONE),
    SERVICE(HTTP_GET, "/instances", SVC_INSTANCES, BODY_NONE),
    SERVICE(HTTP_GET, "/llm/providers", SVC_LLM_PROVIDERS, BODY_NONE),
    SERVICE(HTTP_GET, "/models/pricing", SVC_MODELS_PRICING, BODY_NONE),
    OTHER("/version", ROUTE_VERSION),
    OTHER("/openapi.json", ROUTE_OPENAPI),
    OTHER("/asyncapi.json", ROUTE_ASYNCAPI),
};
const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

static const char *const method_words[] = {"GET",   "HEAD",   "POST",   "PUT",
                                           "PATCH", "DELETE", "OPTIONS"};

const char *http_method_word(enum http_method m)
{
    return method_words[m];
}

static const struct {
    const char *name;
    size_t offset;
} route_params[] = {
    {"session_id", offsetof(struct route_match, session_id)},
    {"workflow_id", offsetof(struct route_match, workflow_id)},
    {"node_id", offsetof(struct route_match, node_id)},
    {"interrupt_id", offsetof(struct route_match, interrupt_id)},
    {"instance_id", offsetof(struct route_match, interrupt_id)},
    {"task_id", offsetof(struct route_match, task_id)},
    {"memory_id", offsetof(struct route_match, memory_id)},
    {"schedule_id", offsetof(struct route_match, schedule_id)},
    {"key_id", offsetof(struct route_match, object_id)},
    {"agent_id", offsetof(struct route_match, object_id)},
    {"group_id", offsetof(struct route_match, object_id)},
    {"template_id", offsetof(struct route_match, object_id)},
    {"entry_id", offsetof(struct route_match, object_id)},
    {"webhook_id", offsetof(struct route_match, object_id)},
    {"delivery_id", offsetof(struct route_match, interrupt_id)},
};

/* Where a parameter of the pattern goes; `name` ends with a brace. A pattern with another name is a
 * mistake of the table. */
static struct str *route_param(struct route_match *m, const char *name)
{
    size_t n = strcspn(name, "}");

    for (size_t i = 0; i < sizeof(route_params) / sizeof(route_params[0]); i++)
        if (strlen(route_params[i].name) == n && memcmp(route_params[i].name, name, n) == 0)
            return (struct str *)((char *)m + route_params[i].offset);
    abort();
}

static bool route_matches(const char *p, struct str path, struct route_match *m)
{
    const char *at = path.p, *end = path.p + path.n;

    for (;;) {
        while (*p && *p != '{') {
            if (at == end || *p != *at)
                return false;
            p++;
            at++;
        }
        if (!*p)
            return at == end;
        struct str *param = route_param(m, p + 1);
        param->p = at;
        while (at < end && *at != '/')
            at++;
        param->n = (size_t)(at - param->p);
        if (param->n == 0)
            return false;
        p = strchr(p, '}') + 1;
    }
}

void route_find(enum http_method method, struct str path, struct route_match *out)
{
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;

    memset(out, 0, sizeof(*out));
    if (path.n > sizeof(PREFIX) - 1 && memcmp(path.p, PREFIX, sizeof(PREFIX) - 1) == 0 &&
        path.p[sizeof(PREFIX) - 1] == '/') {
        path.p += sizeof(PREFIX) - 1;
        path.n -= sizeof(PREFIX) - 1;
    }
    for (size_t i = 0; i < routes_count; i++) {
        struct route_match m = {0};
        if (!route_matches(routes[i].pattern, path, &m))
            continue;
        out->allowed |= 1u << routes[i].method;
        if (routes[i].method == HTTP_GET && routes[i].kind != ROUTE_SOCKET)
            out->allowed |= 1u << HTTP_HEAD;
        if (routes[i].method != wanted)
            continue;
        m.allowed = out->allowed;
        m.route = &routes[i];
        *out = m;
        return;
    }
}

void route_write_allowed(unsigned allowed, struct buf *out)
{
    const char *sep = "";

    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (allowed & 1u << m) {
            buf_append_z(out, sep);
            buf_append_z(out, method_words[m]);
            sep = ", ";
        }
}
