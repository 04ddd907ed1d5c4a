/* JSON-RPC 2.0 as MCP speaks it: what comes in is read by views, what goes out is written here.
 * Everything that comes in is hostile. Pure.
 */
#ifndef SLUICE_TOOLS_MCP_MESSAGE_H
#define SLUICE_TOOLS_MCP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define MCP_MODERN            "2026-07-28"
#define MCP_LEGACY            "2025-11-25"
#define MCP_MESSAGE_BYTES_MAX (8u << 20)

/* Error codes of the modern generation: whoever answers with one of them speaks it. */
#define MCP_HEADER_MISMATCH     (-32020)
#define MCP_MISSING_CAPABILITY  (-32021)
#define MCP_UNSUPPORTED_VERSION (-32022)
#define MCP_METHOD_NOT_FOUND    (-32601)

enum mcp_kind { MCP_RESULT, MCP_ERROR, MCP_REQUEST, MCP_NOTIFICATION };

/* Views into the text. */
struct mcp_message {
    enum mcp_kind kind;
    int64_t id;         /* of a result or error; -1: it has none of ours */
    struct json raw_id; /* of a request: to be sent back as it is */
    struct json method, params, result;
    int64_t code; /* of an error */
    struct json message, error_data;
};
/* ERR_INVALID, ERR_TOO_LARGE: no message. */
int mcp_message_parse(struct str text, struct mcp_message *m, struct errbuf *e);

/* Whether an error is one that only the modern generation has. */
bool mcp_is_modern_error(int64_t code);
/* An initialize result's protocolVersion, when it is one that we speak: a constant; else NULL. */
const char *mcp_legacy_version(struct json version);
/* Whether a list of versions (error data.supported, discover's supportedVersions) has ours. */
bool mcp_lists_modern(struct json versions);

/* {"jsonrpc","id","method","params":{<members>, "_meta"}}. params: the members' text without
 * braces, or empty. progress: ask for it, with the id as token. */
struct mcp_outgoing {
    int64_t id; /* -1: a notification */
    const char *method;
    struct str params; /* `"name":"x","arguments":{}` */
    bool is_modern, wants_progress;
};
void mcp_message_write(struct buf *out, const struct mcp_outgoing *o);

/* ---- results ---- */

/* A tools/call result as a tool's output: {"content","structuredContent"?,"text"}. ERR_INVALID: it
 * is none; ERR_UPSTREAM: the tool says that it failed, e has its text; ERR_CONFLICT: it wants an
 * answer from a person first (input_required). */
int mcp_call_result(struct json result, struct buf *out, struct errbuf *e);

/* One tool of a tools/list result. Appends {"name","description","parameters"} to `out`.
 * ERR_INVALID: not usable, to be left out. */
int mcp_tool_describe(struct json tool, struct buf *out);
/* Modern HTTP: a tool may want arguments repeated as headers. Calls `put` for each, with the value
 * in its header form. ERR_INVALID: an annotation that is not allowed; the tool must not be used. */
int mcp_param_headers(struct json input_schema, struct json arguments,
                      int (*put)(void *data, struct str header, struct str value), void *data);

#endif
