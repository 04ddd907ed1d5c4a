/* Query parameters of the routes, into the In part of a request. Pure.
 *
 * Parameters that a route does not know are ignored; bad values of those it knows are ERR_INVALID.
 */
#ifndef SLUICE_NET_QUERY_H
#define SLUICE_NET_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/service.h"

#define QUERY_LIMIT_DEFAULT 50
#define QUERY_LIMIT_MAX     500
#define QUERY_VALUE_MAX     512

/* Defaults of what the operation takes. */
void query_defaults(struct svc_req *req);
/* One decoded "name=value"; the value is copied into req->arena. */
int query_apply(struct svc_req *req, struct str pair, struct errbuf *e);
/* A whole number from 0 on: ?after, Last-Event-ID, If-Match without its quotes. */
bool query_number(struct str text, int64_t *out);
/* If-Match: 3 or "3" or W/"3" -> 3; * -> 0, as if it was not given. */
int query_if_match(struct str text, int64_t *out, struct errbuf *e);

#endif
