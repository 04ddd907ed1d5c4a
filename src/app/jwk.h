/* A JSON Web Key Set (RFC 7517), as an issuer of tokens publishes it: its public keys that verify
 * signatures, as PEM. Peer bytes: fuzzed.
 *
 * Taken are RSA of 2,048 to 8,192 bits, and EC on P-256, P-384 and P-521. Left out without a word
 * are keys of other kinds (`oct` above all: a shared secret is none of ours), keys for encryption,
 * and keys that do not read. An empty set is an error, so that a mistake is seen.
 */
#ifndef SLUICE_APP_JWK_H
#define SLUICE_APP_JWK_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define JWKS_BYTES_MAX (256u << 10)
#define JWKS_KEYS_MAX  64
#define JWK_KID_MAX    256

enum jwk_kind { JWK_RSA, JWK_P256, JWK_P384, JWK_P521 };

struct jwk {
    enum jwk_kind kind;
    struct str kid; /* NULL: it has none */
    struct str alg; /* the only one that it is for; NULL: any of its kind */
    struct str pem; /* 0-terminated */
};
struct jwk_set {
    struct jwk keys[JWKS_KEYS_MAX];
    size_t count;
    struct arena arena;
};

/* ERR_INVALID with a sentence; then there is nothing to deinit. */
int jwk_set_read(struct jwk_set *set, struct str json_text, struct errbuf *e);
void jwk_set_deinit(struct jwk_set *set);
/* openssl_jwk.c: the PEM in the arena, or NULL: it is no such key. Big-endian bytes. */
char *jwk_rsa_pem(struct arena *a, struct str n, struct str e);
char *jwk_ec_pem(struct arena *a, enum jwk_kind curve, struct str x, struct str y);

#endif
