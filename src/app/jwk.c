#include "app/jwk.h"

#include <string.h>

#include "base/digest.h"
#include "base/json.h"

#define PART_BYTES_MAX 1024 /* of a modulus of 8,192 bits */

static struct str text_of(struct json v)
{
    if (json_type(v) != JSON_STRING || memchr(v.p, '\\', v.n))
        return STR_NULL;
    return (struct str){v.p + 1, v.n - 2};
}

/* A member in base64url; p NULL: there is none, or it does not read. */
static struct str part_of(struct json key, const char *name, uint8_t out[PART_BYTES_MAX])
{
    struct str text = text_of(json_get(key, name));
    int n = text.p ? base64url_decode(text, out, PART_BYTES_MAX) : -1;

    return n > 0 ? (struct str){(const char *)out, (size_t)n} : STR_NULL;
}

static bool is_for_signatures(struct json key)
{
    struct json use = json_get_set(key, "use"), ops = json_get_set(key, "key_ops");
    struct json_iter it;

    if (json_exists(use) && !json_string_eq(use, "sig"))
        return false;
    if (!json_exists(ops))
        return true;
    json_iter_init(&it, ops);
    while (json_iter_next(&it))
        if (json_string_eq(it.value, "verify"))
            return true;
    return false;
}

static bool curve_of(struct json key, enum jwk_kind *out)
{
    static const char *const names[] = {
        [JWK_P256] = "P-256", [JWK_P384] = "P-384", [JWK_P521] = "P-521"};

    for (int k = JWK_P256; k <= JWK_P521; k++)
        if (json_string_eq(json_get(key, "crv"), names[k])) {
            *out = (enum jwk_kind)k;
            return true;
        }
    return false;
}

static char *pem_of(struct arena *a, struct json key, enum jwk_kind *kind)
{
    uint8_t first[PART_BYTES_MAX], second[PART_BYTES_MAX];
    struct str one, two;

    if (json_string_eq(json_get(key, "kty"), "RSA")) {
        *kind = JWK_RSA;
        one = part_of(key, "n", first);
        two = part_of(key, "e", second);
        return one.p && two.p ? jwk_rsa_pem(a, one, two) : NULL;
    }
    if (!json_string_eq(json_get(key, "kty"), "EC") || !curve_of(key, kind))
        return NULL;
    one = part_of(key, "x", first);
    two = part_of(key, "y", second);
    return one.p && two.p ? jwk_ec_pem(a, *kind, one, two) : NULL;
}

static struct str kept(struct arena *a, struct str s)
{
    return s.p ? (struct str){arena_strdup(a, s), s.n} : STR_NULL;
}

static void set_add(struct jwk_set *set, struct json v)
{
    struct jwk *key = &set->keys[set->count];
    struct json kid = json_get_set(v, "kid"), alg = json_get_set(v, "alg");
    struct str kid_text = text_of(kid), alg_text = text_of(alg);
    char *pem;

    if (json_type(v) != JSON_OBJECT || !is_for_signatures(v) ||
        (json_exists(kid) && (!kid_text.p || kid_text.n > JWK_KID_MAX)) ||
        (json_exists(alg) && !alg_text.p))
        return;
    pem = pem_of(&set->arena, v, &key->kind);
    if (!pem)
        return;
    key->kid = kept(&set->arena, kid_text);
    key->alg = kept(&set->arena, alg_text);
    key->pem = str_of(pem);
    set->count++;
}

int jwk_set_read(struct jwk_set *set, struct str text, struct errbuf *e)
{
    struct json_limits limits = {.bytes_max = JWKS_BYTES_MAX, .depth_max = 16};
    struct json keys;
    struct json_iter it;
    int rc = json_check(text, &limits, e);

    if (rc)
        return ERR_INVALID;
    keys = json_get(json_root(text), "keys");
    if (json_type(keys) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "a key set is an object with an array `keys`");
    memset(set, 0, sizeof(*set));
    arena_init(&set->arena);
    json_iter_init(&it, keys);
    while (set->count < JWKS_KEYS_MAX && json_iter_next(&it))
        set_add(set, it.value);
    if (set->count > 0)
        return 0;
    jwk_set_deinit(set);
    return err_set(e, ERR_INVALID,
                   "there is no key in it that verifies signatures (RSA of 2048 bits or more, or "
                   "EC on P-256, P-384, P-521)");
}

void jwk_set_deinit(struct jwk_set *set)
{
    arena_deinit(&set->arena);
    set->count = 0;
}
