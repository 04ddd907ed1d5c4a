/* What a model must be told of MCP tools before it is called: their servers know it.
 *
 * A model request's `tools` may hold entries {"name","server"} without parameters. Each is looked
 * up by a job `mcp_describe` (answers are cached, so most of this takes no time), and the request
 * is written again with {"name","description","parameters"}. An entry's own description stays.
 */
#ifndef SLUICE_APP_RUNNER_DESCRIBE_H
#define SLUICE_APP_RUNNER_DESCRIBE_H

#include "base/json.h"
#include "tools/tool.h"

struct describe {
    /* In */
    struct str request;               /* of the model call; the caller's until done */
    void (*done)(struct describe *d); /* once; maybe from inside start */
    void *data;
    /* Out */
    struct tool_job job; /* with status, error_code, error, retry_after_ms of what failed */
    struct buf text;     /* the request to make; freed by the caller */
    /* Private */
    struct tools *tools;
    struct buf list; /* the entries that are known */
    size_t at;
    char *server, *name, *description;
    bool is_looking;
};

bool describe_is_wanted(struct json request);
void describe_start(struct describe *d, struct tools *tools);
void describe_cancel(struct describe *d); /* frees what it holds; fine when it is over */

#endif
