#include "base/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

/* Neither can fail but for want of memory, or with a broken installation. */
void digest_sha256(struct str text, uint8_t out[DIGEST_SHA256_BYTES])
{
    unsigned n = DIGEST_SHA256_BYTES;

    if (EVP_Digest(text.p, text.n, out, &n, EVP_sha256(), NULL) != 1)
        abort();
}

void digest_hmac_sha256(struct str key, struct str text, uint8_t out[DIGEST_SHA256_BYTES])
{
    unsigned n = DIGEST_SHA256_BYTES;

    if (!HMAC(EVP_sha256(), key.n ? key.p : "", (int)key.n, (const unsigned char *)text.p, text.n,
              out, &n))
        abort();
}

bool digest_eq(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void digest_random(void *out, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = getrandom((char *)out + at, n - at, 0);
        if (got > 0)
            at += (size_t)got;
        else if (errno != EINTR)
            abort();
    }
}
