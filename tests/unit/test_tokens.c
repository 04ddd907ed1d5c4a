/* Key sets and tokens: what is taken, and above all what is not. Tokens are signed here with keys
 * of the test's own, or by hand where no library would. */
#include "app/tokens.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "unit.h"

#define NOW INT64_C(1800000000)
#define ISS "https://issuer.example"

static struct {
    EVP_PKEY *rsa, *ec, *ec384, *stranger, *small;
    struct buf jwks;
    struct jwk_set set;
} world;

static void append_bn(struct buf *b, const char *name, EVP_PKEY *key, const char *param, int bytes)
{
    BIGNUM *bn = NULL;
    unsigned char raw[1024];

    assert_int_equal(EVP_PKEY_get_bn_param(key, param, &bn), 1);
    int n = bytes ? BN_bn2binpad(bn, raw, bytes) : BN_bn2bin(bn, raw);
    BN_free(bn);
    buf_printf(b, ",\"%s\":\"", name);
    base64url_append(b, raw, (size_t)n);
    buf_append_z(b, "\"");
}

static void append_rsa(struct buf *b, const char *more, EVP_PKEY *key)
{
    buf_printf(b, "{\"kty\":\"RSA\"%s", more);
    append_bn(b, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
    append_bn(b, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
    buf_append_z(b, "}");
}

static void append_ec(struct buf *b, const char *more, EVP_PKEY *key, int bytes)
{
    buf_printf(b, "{\"kty\":\"EC\"%s", more);
    append_bn(b, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, bytes);
    append_bn(b, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes);
    buf_append_z(b, "}");
}

static int setup(void **state)
{
    struct errbuf e = {""};
    (void)state;

    world.rsa = EVP_RSA_gen(2048);
    world.stranger = EVP_RSA_gen(2048);
    world.small = EVP_RSA_gen(1024);
    world.ec = EVP_EC_gen("P-256");
    world.ec384 = EVP_EC_gen("P-384");
    buf_init(&world.jwks, JWKS_BYTES_MAX);
    buf_append_z(&world.jwks, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"o\",\"k\":\"AAAA\"},");
    append_rsa(&world.jwks, ",\"kid\":\"r\",\"use\":\"sig\",\"alg\":\"RS256\"", world.rsa);
    buf_append_z(&world.jwks, ",");
    append_rsa(&world.jwks, ",\"kid\":\"enc\",\"use\":\"enc\"", world.stranger);
    buf_append_z(&world.jwks, ",");
    append_rsa(&world.jwks, ",\"kid\":\"small\"", world.small);
    buf_append_z(&world.jwks, ",");
    append_ec(&world.jwks, ",\"kid\":\"e\",\"crv\":\"P-256\"", world.ec, 32);
    buf_append_z(&world.jwks, ",");
    append_ec(&world.jwks, ",\"kid\":\"e3\",\"crv\":\"P-384\"", world.ec384, 48);
    buf_append_z(&world.jwks, "]}");
    assert_int_equal(jwk_set_read(&world.set, buf_str(&world.jwks), &e), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    jwk_set_deinit(&world.set);
    buf_deinit(&world.jwks);
    EVP_PKEY_free(world.rsa);
    EVP_PKEY_free(world.ec);
    EVP_PKEY_free(world.ec384);
    EVP_PKEY_free(world.stranger);
    EVP_PKEY_free(world.small);
    return 0;
}

/* ---- tokens ---- */

static const struct tokens_config config = {
    .issuer = ISS,
    .audience = "sluice",
    .role_claim = "role",
    .workspace_claim = "workspace",
    .algs = 1u << 0 | 1u << 3 | 1u << 4,
    .leeway_s = 30,
};

#define GOOD_CLAIMS                                                                                \
    "{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":1800000100,"                  \
    "\"role\":\"editor\",\"workspace\":\"w1\"}"

/* OpenSSL's form of an EC signature -> the token's: r and s, of full length (RFC 7518, 3.4) */
static size_t raw_of_der(unsigned char *sig, size_t n, int bytes)
{
    const unsigned char *at = sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)n);

    assert_non_null(pair);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, bytes);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + bytes, bytes);
    ECDSA_SIG_free(pair);
    return (size_t)(2 * bytes);
}

/* header.claims.signature, with any header */
static void token_make(struct buf *out, const char *header, const char *claims, EVP_PKEY *key,
                       const EVP_MD *md)
{
    unsigned char sig[1024];
    size_t n = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    buf_init(out, 65536);
    base64url_append(out, header, strlen(header));
    buf_append_char(out, '.');
    base64url_append(out, claims, strlen(claims));
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (unsigned char *)out->data, out->len), 1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(key, "EC"))
        n = raw_of_der(sig, n, (EVP_PKEY_get_bits(key) + 7) / 8);
    buf_append_char(out, '.');
    base64url_append(out, sig, n);
}

static int check(struct str token, struct principal *who, bool *unknown, struct errbuf *e)
{
    return token_check(&config, &world.set, token, NOW * 1000, who, unknown, e);
}

static void refused(struct str token, const char *why)
{
    struct principal who;
    struct errbuf e = {""};
    bool unknown;

    assert_int_equal(check(token, &who, &unknown, &e), ERR_UNAUTHORIZED);
    if (!strstr(e.text, why))
        fail_msg("expected '%s', got: %s", why, e.text);
}

static void test_good_tokens(void **state)
{
    struct principal who;
    struct errbuf e = {""};
    struct buf t;
    bool unknown;
    (void)state;

    token_make(&t, "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"JWT\"}", GOOD_CLAIMS, world.rsa,
               EVP_sha256());
    if (check(buf_str(&t), &who, &unknown, &e))
        fail_msg("%s", e.text);
    assert_int_equal(who.kind, PRINCIPAL_TOKEN);
    assert_int_equal(who.role, ROLE_EDITOR);
    assert_string_equal(who.name, "ann");
    assert_string_equal(who.workspace, "w1");
    assert_int_equal(who.expires_at, 1800000130000);
    buf_deinit(&t);
    /* no kid: the only key of its kind */
    token_make(&t, "{\"alg\":\"ES384\"}", GOOD_CLAIMS, world.ec384, EVP_sha384());
    if (check(buf_str(&t), &who, &unknown, &e))
        fail_msg("%s", e.text);
    assert_false(unknown);
    buf_deinit(&t);
    token_make(&t, "{\"alg\":\"ES256\",\"kid\":\"e\"}", GOOD_CLAIMS, world.ec, EVP_sha256());
    if (check(buf_str(&t), &who, &unknown, &e))
        fail_msg("%s", e.text);
    buf_deinit(&t);
}

static void test_confused_algorithms(void **state)
{
    static const struct {
        const char *header, *why;
    } rows[] = {
        {"{\"alg\":\"none\"}", "algorithm is not taken"},
        {"{\"alg\":\"NONE\",\"kid\":\"r\"}", "algorithm is not taken"},
        {"{\"alg\":\"HS256\",\"kid\":\"r\"}", "algorithm is not taken"},
        {"{\"alg\":\"HS256\",\"kid\":\"o\"}", "algorithm is not taken"},
        {"{\"alg\":\"RS384\",\"kid\":\"r\"}", "algorithm is not taken"}, /* not in the settings */
        {"{\"alg\":\"ES256\",\"kid\":\"r\"}", "no key of its algorithm"},
        {"{\"alg\":\"RS256\",\"kid\":\"e\"}", "no key of its algorithm"},
        {"{\"alg\":\"ES256\",\"kid\":\"e3\"}", "no key of its algorithm"},
        {"{\"alg\":\"RS256\",\"kid\":\"o\"}", "key is not known"},
        {"{\"alg\":\"RS256\",\"kid\":\"enc\"}", "key is not known"},
        {"{\"alg\":\"RS256\",\"kid\":\"small\"}", "key is not known"},
        {"{\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\"}", "key is not known"},
        {"{\"alg\":\"RS256\",\"kid\":7}", "key is not known"},
        {"{\"alg\":[\"RS256\"],\"kid\":\"r\"}", "algorithm is not taken"},
        {"{\"kid\":\"r\"}", "algorithm is not taken"},
        {"{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"exp\"]}", "crit"},
        {"{\"alg\":\"RS256\",\"kid\":\"r\",\"b64\":false,\"crit\":[\"b64\"]}", "crit"},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf t;
        token_make(&t, rows[i].header, GOOD_CLAIMS, world.rsa, EVP_sha256());
        refused(buf_str(&t), rows[i].why);
        buf_deinit(&t);
    }
}

/* The public key's PEM as the secret of HS256; and a signature that is not there. */
static void test_the_public_key_as_a_secret(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"r\"}",
                                          "{\"alg\":\"RS256\",\"kid\":\"r\"}"};
    uint8_t mac[DIGEST_SHA256_BYTES];
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct buf t;
        buf_init(&t, 65536);
        base64url_append(&t, headers[i], strlen(headers[i]));
        buf_append_char(&t, '.');
        base64url_append(&t, GOOD_CLAIMS, strlen(GOOD_CLAIMS));
        digest_hmac_sha256(world.set.keys[0].pem, buf_str(&t), mac);
        buf_append_char(&t, '.');
        refused(buf_str(&t), i ? "signature does not hold" : "algorithm is not taken");
        base64url_append(&t, mac, sizeof(mac));
        refused(buf_str(&t), i ? "signature does not hold" : "algorithm is not taken");
        buf_deinit(&t);
    }
}

static void test_signatures(void **state)
{
    struct buf t;
    (void)state;

    token_make(&t, "{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD_CLAIMS, world.stranger, EVP_sha256());
    refused(buf_str(&t), "signature does not hold");
    buf_deinit(&t);
    token_make(&t, "{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD_CLAIMS, world.rsa, EVP_sha512());
    refused(buf_str(&t), "signature does not hold");
    buf_deinit(&t);
    token_make(&t, "{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD_CLAIMS, world.rsa, EVP_sha256());
    t.data[t.len - 20] = t.data[t.len - 20] == 'A' ? 'B' : 'A';
    refused(buf_str(&t), "signature does not hold");
    buf_deinit(&t);
}

static void test_claims(void **state)
{
    static const struct {
        const char *claims, *why; /* NULL: taken */
    } rows[] = {
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\"}", "exp"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":\"1800000100\"}", "exp"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1e300}", "exp"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":-1}", "exp"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1799999970}", "expired"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1799999971.5}", NULL},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001,"
         "\"nbf\":1800000031}",
         "not valid yet"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001,"
         "\"nbf\":1800000030}",
         NULL},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001,\"nbf\":\"x\"}",
         "nbf"},
        {"{\"iss\":\"" ISS "/\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001}", "issuer"},
        {"{\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001}", "issuer"},
        {"{\"iss\":\"" ISS "\",\"sub\":\"a\",\"exp\":1800000001}", "audience"},
        {"{\"iss\":\"" ISS "\",\"aud\":[\"x\"],\"sub\":\"a\",\"exp\":1800000001}", "audience"},
        {"{\"iss\":\"" ISS "\",\"aud\":[\"x\",\"sluice\"],\"sub\":\"a\",\"exp\":1800000001}", NULL},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"exp\":1800000001}", "subject"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"\",\"exp\":1800000001}", "subject"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\\nb\",\"exp\":1800000001}",
         "subject"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001,"
         "\"workspace\":\"a b\"}",
         "workspace"},
        {"{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001,"
         "\"workspace\":[\"w1\"]}",
         "workspace"},
        {"[]", "does not read"},
        {"{\"iss\":\"" ISS "\",\"iss\":\"x\"}", "does not read"},
        {"{", "does not read"},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct principal who;
        struct errbuf e = {""};
        struct buf t;
        bool unknown;
        token_make(&t, "{\"alg\":\"RS256\",\"kid\":\"r\"}", rows[i].claims, world.rsa,
                   EVP_sha256());
        if (rows[i].why)
            refused(buf_str(&t), rows[i].why);
        else if (check(buf_str(&t), &who, &unknown, &e))
            fail_msg("%s: %s", rows[i].claims, e.text);
        buf_deinit(&t);
    }
}

static void test_roles(void **state)
{
    static const struct {
        const char *role;
        enum role is;
    } rows[] = {
        {"\"viewer\"", ROLE_VIEWER},  {"\"admin\"", ROLE_ADMIN},
        {"\"root\"", ROLE_NONE},      {"[\"viewer\",\"operator\",\"other\"]", ROLE_OPERATOR},
        {"[[\"admin\"]]", ROLE_NONE}, {"4", ROLE_NONE},
        {"null", ROLE_NONE},          {"{\"admin\":true}", ROLE_NONE},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        char claims[300];
        struct principal who;
        struct errbuf e = {""};
        struct buf t;
        bool unknown;
        snprintf(claims, sizeof(claims),
                 "{\"iss\":\"" ISS "\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":1800000001,"
                 "\"role\":%s}",
                 rows[i].role);
        token_make(&t, "{\"alg\":\"RS256\",\"kid\":\"r\"}", claims, world.rsa, EVP_sha256());
        assert_int_equal(check(buf_str(&t), &who, &unknown, &e), 0);
        assert_int_equal(who.role, rows[i].is);
        assert_string_equal(who.workspace, "default");
        buf_deinit(&t);
    }
}

static void test_what_is_no_token(void **state)
{
    static const char *const rows[] = {"",      ".",       "..",       "...",      "a.b",
                                       "a.b.c", "a.b.c.d", "e30.e30.", "e30..e30", "bnVsbA.e30.e30",
                                       "é.é.é"};
    static char huge[CREDENTIAL_BYTES_MAX + 2];
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++)
        refused(str_of(rows[i]), "not good");
    memset(huge, 'A', sizeof(huge));
    huge[3] = huge[4000] = '.';
    refused((struct str){huge, sizeof(huge)}, "does not read");
}

static void test_a_key_that_is_not_known(void **state)
{
    struct principal who;
    struct errbuf e = {""};
    struct buf t;
    bool unknown = false;
    (void)state;

    token_make(&t, "{\"alg\":\"RS256\",\"kid\":\"new\"}", GOOD_CLAIMS, world.stranger,
               EVP_sha256());
    assert_int_equal(check(buf_str(&t), &who, &unknown, &e), ERR_UNAUTHORIZED);
    assert_true(unknown); /* worth to ask the issuer again */
    buf_deinit(&t);
    token_make(&t, "{\"alg\":\"ES256\",\"kid\":\"r\"}", GOOD_CLAIMS, world.rsa, EVP_sha256());
    assert_int_equal(check(buf_str(&t), &who, &unknown, &e), ERR_UNAUTHORIZED);
    assert_false(unknown);
    buf_deinit(&t);
}

/* ---- key sets ---- */

static void test_the_set(void **state)
{
    (void)state;
    assert_int_equal(world.set.count, 3);
    assert_true(str_eqz(world.set.keys[0].kid, "r"));
    assert_int_equal(world.set.keys[0].kind, JWK_RSA);
    assert_true(str_eqz(world.set.keys[1].kid, "e"));
    assert_int_equal(world.set.keys[1].kind, JWK_P256);
    assert_int_equal(world.set.keys[2].kind, JWK_P384);
    for (size_t i = 0; i < 3; i++)
        assert_true(strncmp(world.set.keys[i].pem.p, "-----BEGIN PUBLIC KEY-----", 26) == 0);
}

static void test_bad_sets(void **state)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        "{\"keys\":[1,null,\"x\"]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"\"}]}",
        /* (1, 1) is not on the curve; (0, 0) is no point at all */
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
        "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
        "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-192\",\"x\":\"AA\",\"y\":\"AA\"}]}",
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct jwk_set set;
        struct errbuf e = {""};
        assert_int_equal(jwk_set_read(&set, str_of(rows[i]), &e), ERR_INVALID);
        assert_true(e.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_set),
        cmocka_unit_test(test_bad_sets),
        cmocka_unit_test(test_good_tokens),
        cmocka_unit_test(test_confused_algorithms),
        cmocka_unit_test(test_the_public_key_as_a_secret),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_what_is_no_token),
        cmocka_unit_test(test_a_key_that_is_not_known),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
