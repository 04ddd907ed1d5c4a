#include "net/openssl_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#define RECORD_BYTES 16384

static int tls_fail(const char *what, const char *file, struct errbuf *e)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return err_set(e, ERR_INVALID, "%s %s: %s", what, file, reason ? reason : "cannot be read");
}

int tls_context_load(void *ssl_ctx, const char *cert, const char *key, struct errbuf *e)
{
    SSL_CTX *ctx = ssl_ctx;

    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return tls_fail("--tls-cert", cert, e);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return tls_fail("--tls-key", key, e);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_fail("--tls-key", key, e);
    return 0;
}

int tls_check(const char *cert, const char *key, struct errbuf *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int rc = ctx ? tls_context_load(ctx, cert, key, e) : tls_fail("TLS", "", e);

    SSL_CTX_free(ctx);
    return rc;
}

void tls_context_init(void *ssl_ctx)
{
    SSL_CTX *ctx = ssl_ctx;

    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static ssize_t tls_write(SSL *ssl, const void *p, size_t n)
{
    size_t written = 0;

    ERR_clear_error();
    if (SSL_write_ex(ssl, p, n, &written) == 1)
        return (ssize_t)written;
    int why = SSL_get_error(ssl, 0);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? 0 : -1;
}

ssize_t tls_send(void *ssl, const struct iovec *parts, int count)
{
    char record[RECORD_BYTES];
    size_t total = 0;

    if (count == 1)
        return parts[0].iov_len ? tls_write(ssl, parts[0].iov_base, parts[0].iov_len) : 0;
    /* Head and body in one record. The rest comes again. */
    for (int i = 0; i < count && total < sizeof(record); i++) {
        size_t n = parts[i].iov_len;
        n = n < sizeof(record) - total ? n : sizeof(record) - total;
        if (n) /* an answer without a body has none to point to */
            memcpy(record + total, parts[i].iov_base, n);
        total += n;
    }
    return total ? tls_write(ssl, record, total) : 0;
}
