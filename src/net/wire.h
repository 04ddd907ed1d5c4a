/* The contract's JSON of stored rows, and its reverse: plain structs <-> JSON, no I/O.
 * Parsers take text that passed json_check(); unknown fields are errors (ERR_INVALID, e names the path).
 */
#ifndef SLUICE_NET_WIRE_H
#define SLUICE_NET_WIRE_H

#include "base/json.h"
#include "engine/records.h"
#include "net/service.h"

/* Writers: one JSON value each. */
void wire_session(struct jw *w, const struct session_row *row);
void wire_run(struct jw *w, const struct run_row *row);
void wire_message(struct jw *w, const struct message_row *row);
/* {"error":…,"code":…,"details":…} */
void wire_error(struct jw *w, int status, const char *code, const char *sentence,
                struct str details_json);

/* Parsers of bodies into the In part of a request (strings into req->arena). */
int wire_parse_execute(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_pause(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_reason(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_answer(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_signal(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_input(struct json body, struct svc_req *req, struct errbuf *e);

#endif
