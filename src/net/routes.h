/* The routes of docs/api/openapi.yaml as a table: (method, path) -> what is asked. Pure.
 *
 * Every route exists at the root and under /api/v1. HEAD is allowed wherever GET is.
 */
#ifndef SLUICE_NET_ROUTES_H
#define SLUICE_NET_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "net/service.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHOD_COUNT,
};
const char *http_method_word(enum http_method m);

enum route_kind {
    ROUTE_SERVICE, /* op */
    ROUTE_STREAM,  /* server-sent events */
    ROUTE_SOCKET,  /* a WebSocket upgrade; without one it is an error */
    ROUTE_HEALTHZ,
    ROUTE_VERSION,
    ROUTE_OPENAPI,
    ROUTE_ASYNCAPI,
};

enum route_body {
    BODY_NONE,     /* what comes is ignored */
    BODY_OPTIONAL, /* JSON, or nothing */
    BODY_JSON,
    BODY_WORKFLOW, /* JSON or YAML */
    BODY_LINES,    /* JSON lines, looked at by the service; NET_LINES_MAX */
};

#define NET_LINES_MAX SVC_BODY_MAX

struct route {
    enum http_method method;
    const char *pattern; /* "/sessions/{session_id}/pause" */
    enum route_kind kind;
    enum svc_op op;
    enum route_body body;
    enum catalog_kind catalog; /* of SVC_CATALOG_… */
};
extern const struct route routes[];
extern const size_t routes_count;

struct route_match {
    const struct route *route; /* NULL: none */
    unsigned allowed;          /* bit set of methods that the path takes; 0: no such path */
    /* As they stand in the path. */
    struct str session_id, workflow_id, node_id, interrupt_id, task_id, memory_id;
    struct str schedule_id;
    struct str object_id; /* of an agent, a group or a template */
};
/* path: decoded, without the query. */
void route_find(enum http_method method, struct str path, struct route_match *out);
/* "GET, HEAD" for Allow. */
void route_write_allowed(unsigned allowed, struct buf *out);

#endif
