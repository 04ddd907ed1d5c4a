/* What stands in session_commands: a command as it was asked for, and its answer, as JSON. Pure.
 *
 *     request  {"v":1,"op":"pause","from":ID of the instance that asks,"workspace":…,"actor":…,
 *              "key":…,"hash":["16 hex digits",…], and the fields of the command}
 *     answer   {"status":0,"body":…} or {"status":-7,"error":…,"code":…,"details":…}
 *
 * Both are written by one instance and read by another, maybe of another version: reading checks
 * everything and knows no field that it must find but v, op and status.
 */
#ifndef SLUICE_APP_INBOX_CODE_H
#define SLUICE_APP_INBOX_CODE_H

#include "net/service.h"

/* May this go to the session's owner? Commands of sessions may; execute and questions need not. */
bool inbox_op_is_command(enum svc_op op);

void inbox_request_write(struct buf *out, const struct svc_req *req, struct id from);
/* Fills req's In fields; strings live in its arena. req is initialised already, and gets the op
 * and session_id too. ERR_CORRUPT with a sentence: then only deinit it. */
int inbox_request_read(struct str text, struct id session_id, struct svc_req *req, struct id *from,
                       struct errbuf *e);

void inbox_answer_write(struct buf *out, const struct svc_req *req);
/* The Out fields; the code lives in req's arena. ERR_CORRUPT. */
int inbox_answer_read(struct str text, int http_status, struct svc_req *req, struct errbuf *e);

#endif
