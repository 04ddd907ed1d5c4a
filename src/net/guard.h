/* Who may talk to the server from where: Host and Origin (docs/SECURITY.md). Pure.
 *
 * A web page somewhere else must not drive a server on the user's own machine. Its requests carry
 * an Origin, so those that change something, and WebSockets, are held to our own pages and the
 * configured list. A page whose name was rebound to 127.0.0.1 carries its own name as Host, so a
 * server on a loopback address takes loopback names only.
 */
#ifndef SLUICE_NET_GUARD_H
#define SLUICE_NET_GUARD_H

#include <stdbool.h>

#include "base/buf.h"

struct guard {
    const char *host;    /* as configured: what is listened on */
    int port;            /* the one that was taken */
    const char *origins; /* comma list, or NULL */
};

bool guard_is_loopback(const char *host);
/* host_header without p: none was sent. */
bool guard_host_ok(const struct guard *g, struct str host_header);
/* Our own origin, or one of the list. */
bool guard_origin_ok(const struct guard *g, struct str origin, struct str host_header);
/* One of the list: its pages may read answers (CORS). */
bool guard_origin_listed(const struct guard *g, struct str origin);

#endif
