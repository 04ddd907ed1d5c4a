/* What an execute brings along: texts that become the session's first files. */
#ifndef SLUICE_APP_ATTACHMENTS_H
#define SLUICE_APP_ATTACHMENTS_H

#include <stdbool.h>

struct svc_req;

#define ATTACHMENTS_MAX       50
#define ATTACHMENTS_BYTES_MAX (5u << 20) /* of all contents together */

/* Looks at req->execute.attachments_json and puts what is known of them without their contents into
 * the input, as `attachments`: [{name, path, media_type, size}]. False: the request has failed
 * (400, 413, 415, 422). Without attachments nothing happens. */
bool attachments_take(struct svc_req *req);

#endif
