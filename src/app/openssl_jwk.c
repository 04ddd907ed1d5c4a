/* The numbers of a public key -> PEM. */
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "app/jwk.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_E_BITS   64
#define EC_POINT_MAX 133 /* uncompressed, on P-521 */

static char *pem_write(struct arena *a, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL, *pem = NULL;
    long n;

    if (bio && PEM_write_bio_PUBKEY(bio, key) == 1 && (n = BIO_get_mem_data(bio, &bytes)) > 0)
        pem = arena_strdup(a, (struct str){bytes, (size_t)n});
    BIO_free(bio);
    return pem;
}

/* Also asks OpenSSL whether it is one: that a point is on its curve, above all. */
static char *pem_of_params(struct arena *a, const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = build ? OSSL_PARAM_BLD_to_param(build) : NULL;
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
    EVP_PKEY *key = NULL;
    char *pem = NULL;

    if (params && make && EVP_PKEY_fromdata_init(make) == 1 &&
        EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 &&
        (check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL)) != NULL &&
        EVP_PKEY_public_check(check) == 1)
        pem = pem_write(a, key);
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(make);
    OSSL_PARAM_free(params);
    return pem;
}

char *jwk_rsa_pem(struct arena *a, struct str n, struct str e)
{
    BIGNUM *bn_n = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    BIGNUM *bn_e = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    char *pem = NULL;
    bool sized = bn_n && bn_e && BN_num_bits(bn_n) >= RSA_BITS_MIN &&
                 BN_num_bits(bn_n) <= RSA_BITS_MAX && BN_num_bits(bn_e) <= RSA_E_BITS &&
                 BN_is_odd(bn_n) && BN_is_odd(bn_e) && !BN_is_one(bn_e);

    if (sized && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
        pem = pem_of_params(a, "RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(bn_n);
    BN_free(bn_e);
    return pem;
}

char *jwk_ec_pem(struct arena *a, enum jwk_kind curve, struct str x, struct str y)
{
    static const struct {
        const char *name;
        size_t bytes;
    } curves[] = {[JWK_RSA] = {NULL, 0},
                  [JWK_P256] = {"prime256v1", 32},
                  [JWK_P384] = {"secp384r1", 48},
                  [JWK_P521] = {"secp521r1", 66}};
    size_t n = curves[curve].bytes;
    unsigned char point[EC_POINT_MAX] = {4};
    OSSL_PARAM_BLD *build;
    char *pem = NULL;

    if (n == 0 || x.n != n || y.n != n) /* of full length: RFC 7518, 6.2.1.2 */
        return NULL;
    memcpy(point + 1, x.p, n);
    memcpy(point + 1 + n, y.p, n);
    build = OSSL_PARAM_BLD_new();
    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curves[curve].name, 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n) == 1)
        pem = pem_of_params(a, "EC", build);
    OSSL_PARAM_BLD_free(build);
    return pem;
}
