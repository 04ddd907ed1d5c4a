/* redis://[user:password@]host[:port][/db], rediss:// the same over TLS,
 * unix://[user:password@]/path[?db=N]. User and password may be percent-encoded;
 * redis://:password@host gives a password alone. */
#ifndef SLUICE_CACHE_REDIS_URL_H
#define SLUICE_CACHE_REDIS_URL_H

#include <stdbool.h>

#include "base/err.h"

struct redis_url {
    char host[256]; /* or "" for a Unix socket */
    char path[108]; /* of the Unix socket */
    char user[128]; /* "": none */
    char password[512];
    char where[384]; /* for people: without user and password */
    int port, db;
    bool tls;
};

/* ERR_INVALID with a sentence that does not repeat the password. */
int redis_url_parse(const char *text, struct redis_url *out, struct errbuf *e);

#endif
