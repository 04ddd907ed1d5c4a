/* TLS to Redis (rediss://), where hiredis comes with it: the system's certificate authorities
 * (SSL_CERT_FILE, SSL_CERT_DIR), and the certificate must be of the host that the URL names. */
#ifndef SLUICE_CACHE_REDIS_TLS_H
#define SLUICE_CACHE_REDIS_TLS_H

#include "base/err.h"

struct redisContext;
struct redis_tls;

/* ERR_INVALID: this build cannot; ERR_IO: the library refuses. */
int redis_tls_create(struct redis_tls **out, const char *host, struct errbuf *e);
void redis_tls_destroy(struct redis_tls *t);
/* Begins on a connected, non-blocking context; reads and writes then go through it. */
int redis_tls_begin(struct redis_tls *t, struct redisContext *c, struct errbuf *e);

#endif
