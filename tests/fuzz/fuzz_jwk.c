/* Key sets of an issuer, and tokens: a letter (k, t), then the bytes. What is taken of a set is a
 * public key; no token is taken, for nobody here could have signed one. */
#include "fuzz.h"

#include <string.h>

#include "app/tokens.h"

static const struct tokens_config config = {
    .issuer = "i",
    .role_claim = "role",
    .workspace_claim = "workspace",
    .algs = (1u << TOKEN_ALGS_MAX) - 1,
};

/* Of P-256, from RFC 7517, A.1; its private half is public too, but not a fuzzer's to find. */
static const char known[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"1\","
                            "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
                            "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}";

static void fuzz_set(struct str text)
{
    struct jwk_set set;
    struct errbuf e = {""};
    int rc = jwk_set_read(&set, text, &e);

    FUZZ_CHECK(rc == 0 || (rc == ERR_INVALID && e.text[0]));
    if (rc)
        return;
    FUZZ_CHECK(set.count > 0 && set.count <= JWKS_KEYS_MAX);
    for (size_t i = 0; i < set.count; i++)
        FUZZ_CHECK(strncmp(set.keys[i].pem.p, "-----BEGIN PUBLIC KEY-----", 26) == 0);
    jwk_set_deinit(&set);
}

static void fuzz_token(struct str text)
{
    static struct jwk_set set;
    struct principal who;
    struct errbuf e = {""};
    bool unknown;

    if (set.count == 0)
        FUZZ_CHECK(jwk_set_read(&set, str_of(known), &e) == 0);
    FUZZ_CHECK(token_check(&config, &set, text, 0, &who, &unknown, &e) == ERR_UNAUTHORIZED);
    FUZZ_CHECK(e.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    if (data[0] == 't')
        fuzz_token(text);
    else
        fuzz_set(text);
    return 0;
}
