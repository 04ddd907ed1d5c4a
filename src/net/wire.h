/* The contract's JSON of stored rows, and its reverse: plain structs <-> JSON, no I/O.
 *
 * Parsers take the value of a text that passed json_check(); an absent value (an empty body) reads
 * as {}. Unknown fields are errors: ERR_INVALID, and e names the field. What they find goes into
 * the In part of the request: strings and JSON texts point into the body where they can, and into
 * req->arena where escapes had to be resolved, so the body must live as long as the request.
 */
#ifndef SLUICE_NET_WIRE_H
#define SLUICE_NET_WIRE_H

#include "base/json.h"
#include "engine/records.h"
#include "net/service.h"

/* Limits of fields, in bytes; docs/LIMITS.md. */
#define WIRE_NAME_MAX      256
#define WIRE_REASON_MAX    1024
#define WIRE_ACTION_MAX    64
#define WIRE_CONTENT_MAX   (1u << 20)
#define WIRE_TAGS_MAX      64
#define WIRE_TAG_MAX       128
#define WIRE_TASKS_MAX     32    /* of one lease */
#define WIRE_TASK_WAIT_MAX 60000 /* ms */
#define WIRE_PROMPT_MAX    20000
#define WIRE_MEMORY_MAX    (4u << 20) /* the app says what it takes of it */
#define WIRE_QUERY_MAX     20000
#define WIRE_TIERS_MAX     8
#define WIRE_MEMORIES_MAX  100 /* of one query */
#define WIRE_BATCH_MAX     500 /* sessions of one batch that are saved, that are deleted */

/* Writers: one JSON value each. */
void wire_session(struct jw *w, const struct session_row *row);
void wire_run(struct jw *w, const struct run_row *row);
/* A question to people. session_name and workflow_id: of its session, or NULL. */
void wire_interrupt(struct jw *w, const struct interrupt_row *row, struct str session_name,
                    struct str workflow_id);
/* The same row as a stage. */
void wire_stage(struct jw *w, const struct interrupt_row *row);
void wire_file(struct jw *w, const struct file_row *row); /* without its content */
void wire_message(struct jw *w, const struct message_row *row);
/* {"error":…,"code":…,"details":…}; code NULL: err_word(status), details empty: left out. */
void wire_error(struct jw *w, int status, const char *code, const char *sentence,
                struct str details_json);

/* Parsers of bodies into the In part of a request. */
int wire_parse_execute(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_pause(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_reason(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_answer(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_signal(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_input(struct json body, struct svc_req *req, struct errbuf *e);
int wire_parse_nothing(struct json body, struct svc_req *req, struct errbuf *e);

#endif
