/* Messages of a WebSocket client: text -> struct ws_msg. Pure; fuzzed. */
#ifndef SLUICE_NET_WS_MSG_H
#define SLUICE_NET_WS_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "net/service.h"

#define WS_REQUEST_ID_MAX 128

enum ws_kind { WS_SUBSCRIBE, WS_UNSUBSCRIBE, WS_COMMAND, WS_PING };

struct ws_msg {
    enum ws_kind kind;
    enum svc_op op;        /* of a command */
    struct json root;      /* the message, for wire_parse_op() */
    struct str request_id; /* as it stands in the text, with its quotes; or NULL */
    struct id session_id;  /* zero: none */
    int64_t after;
    bool watching;                                /* of a session: tell who else reads it */
    bool is_channel;                              /* "sessions" */
    struct str filter_workflow_id, filter_status; /* or NULL; in the arena or the text */
    bool is_fault; /* with an error: it could not be understood at all */
};
/* 0, or ERR_INVALID (ERR_TOO_LARGE of json_check included); request_id is set if it was found. A
 * command's own fields are left to wire_parse_op(). */
int ws_msg_parse(struct str text, struct arena *arena, struct ws_msg *out, struct errbuf *e);

#endif
