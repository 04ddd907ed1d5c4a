/* The field tables of commands: a WebSocket message carries the same fields as the HTTP body,
 * beside those of the message itself. Only for parsers in net. */
#ifndef SLUICE_NET_WIRE_PARSE_H
#define SLUICE_NET_WIRE_PARSE_H

#include "net/service.h"
#include "net/wire.h"
#include "net/wire_fields.h"

/* Reads what the operation takes. in_message: `type`, `request_id` and `session_id` stand beside it
 * (and `node_id` for SVC_NODE_RESUME); they are read by the caller. */
int wire_parse_op(enum svc_op op, bool in_message, struct json body, struct svc_req *req,
                  struct errbuf *e);
/* The same for what programs keep here (wire_stored.c): what their members are is the app's to say.
 */
int wire_parse_stored(enum svc_op op, struct json body, struct svc_req *req, struct errbuf *e);

#endif
