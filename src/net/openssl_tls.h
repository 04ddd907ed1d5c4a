/* TLS on the listener: what libwebsockets leaves to us. TLS 1.2 or later. */
#ifndef SLUICE_NET_OPENSSL_TLS_H
#define SLUICE_NET_OPENSSL_TLS_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"

/* Whether the two files are a certificate chain and its key. ERR_INVALID with a sentence. */
int tls_check(const char *cert, const char *key, struct errbuf *e);
/* Settings of a server's context (an SSL_CTX). */
void tls_context_init(void *ssl_ctx);
/* The files anew, for connections that come from now on. On failure it stays as it is. */
int tls_context_load(void *ssl_ctx, const char *cert, const char *key, struct errbuf *e);
/* Bytes that went out over a connection (an SSL), 0 when there is no room, -1 when it is broken.
 * What did not go out is given again, from the same byte on. */
ssize_t tls_send(void *ssl, const struct iovec *parts, int count);

#endif
