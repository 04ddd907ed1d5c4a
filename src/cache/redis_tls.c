#include "cache/redis_tls.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#ifdef SLUICE_HIREDIS_SSL

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <stdbool.h>

struct redis_tls {
    SSL_CTX *ctx;
    char *host;
    bool is_address;
};

int redis_tls_create(struct redis_tls **out, const char *host, struct errbuf *e)
{
    unsigned char address[16];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx || SSL_CTX_set_default_verify_paths(ctx) != 1 ||
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(ctx);
        return err_set(e, ERR_IO, "TLS cannot be set up for rediss://");
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    struct redis_tls *t = mem_zalloc(sizeof(*t));
    t->ctx = ctx;
    t->host = mem_strdup(host);
    t->is_address =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    *out = t;
    return 0;
}

void redis_tls_destroy(struct redis_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t->host);
    free(t);
}

int redis_tls_begin(struct redis_tls *t, struct redisContext *c, struct errbuf *e)
{
    SSL *ssl = SSL_new(t->ctx);
    bool ok = ssl != NULL;

    if (ok && t->is_address)
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), t->host) == 1;
    else if (ok)
        ok = SSL_set1_host(ssl, t->host) == 1 && SSL_set_tlsext_host_name(ssl, t->host) == 1;
    if (!ok) {
        SSL_free(ssl);
        return err_set(e, ERR_UNAVAILABLE, "TLS cannot begin");
    }
    if (redisInitiateSSL(c, ssl) != REDIS_OK) { /* ssl is still ours then */
        SSL_free(ssl);
        return err_set(e, ERR_UNAVAILABLE, "%s", c->errstr);
    }
    return 0;
}

#else

int redis_tls_create(struct redis_tls **out, const char *host, struct errbuf *e)
{
    (void)out;
    (void)host;
    return err_set(e, ERR_INVALID,
                   "rediss:// needs hiredis 1.0 or later with TLS; this build has %d.%d.%d: use "
                   "redis:// over a private network, or a TLS proxy beside the server",
                   HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
}

void redis_tls_destroy(struct redis_tls *t)
{
    (void)t;
}

int redis_tls_begin(struct redis_tls *t, struct redisContext *c, struct errbuf *e)
{
    (void)t;
    (void)c;
    return err_set(e, ERR_INVALID, "this build has no TLS for Redis");
}

#endif
