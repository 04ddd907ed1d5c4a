#include "app/config_jwt.h"

#include <stdlib.h>
#include <string.h>

static int jwt_text(struct config *c, const struct json_iter *it, const char **out,
                    struct errbuf *e)
{
    char *text = json_type(it->value) == JSON_STRING ? json_strdup(it->value) : NULL;

    if (!text || !*text) {
        free(text);
        return err_set(e, ERR_INVALID, "jwt.%.*s: wants a text", STR_FMT(it->key));
    }
    *out = arena_strdup(&c->arena, str_of(text));
    free(text);
    return 0;
}

static int jwt_algorithms(struct json v, unsigned *out, struct errbuf *e)
{
    struct json_iter it;

    *out = 0;
    json_iter_init(&it, v);
    while (json_type(v) == JSON_ARRAY && json_iter_next(&it)) {
        unsigned k = 0;
        while (k < TOKEN_ALGS_MAX && !json_string_eq(it.value, token_alg_word(k)))
            k++;
        if (k == TOKEN_ALGS_MAX)
            return err_set(e, ERR_INVALID,
                           "jwt.algorithms: wants some of RS256, RS384, RS512, ES256, ES384, "
                           "ES512");
        *out |= 1u << k;
    }
    return *out ? 0 : err_set(e, ERR_INVALID, "jwt.algorithms: wants a list of names");
}

static int jwt_member(struct config *c, const struct json_iter *it, struct errbuf *e)
{
    struct tokens_config *t = &c->jwt;
    const char **text = json_iter_key_is(it, "issuer")            ? &t->issuer
                        : json_iter_key_is(it, "audience")        ? &t->audience
                        : json_iter_key_is(it, "keys_file")       ? &t->keys_file
                        : json_iter_key_is(it, "keys_url")        ? &t->keys_url
                        : json_iter_key_is(it, "role_claim")      ? &t->role_claim
                        : json_iter_key_is(it, "workspace_claim") ? &t->workspace_claim
                                                                  : NULL;
    if (text)
        return jwt_text(c, it, text, e);
    if (json_iter_key_is(it, "algorithms"))
        return jwt_algorithms(it->value, &t->algs, e);
    if (!json_iter_key_is(it, "leeway_s"))
        return err_set(e, ERR_INVALID, "jwt.%.*s: unknown key", STR_FMT(it->key));
    if (!json_i64(it->value, &t->leeway_s) || t->leeway_s < 0 || t->leeway_s > TOKEN_LEEWAY_MAX)
        return err_set(e, ERR_INVALID, "jwt.leeway_s: wants seconds, 0 to %d", TOKEN_LEEWAY_MAX);
    return 0;
}

/* Keys that came over a network without TLS would let in whoever sits in between. */
static bool url_is_safe(const char *url)
{
    static const char *const good[] = {"https://", "http://127.",
                                       "http://localhost:", "http://localhost/", "http://[::1]"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (strncmp(url, good[i], strlen(good[i])) == 0)
            return true;
    return false;
}

int config_jwt(struct config *c, struct json v, struct errbuf *e)
{
    struct tokens_config *t = &c->jwt;
    struct json_iter it;
    int rc = 0;

    *t = (struct tokens_config){.role_claim = "role",
                                .workspace_claim = "workspace",
                                .algs = 1u << 0 | 1u << 3, /* RS256, ES256 */
                                .leeway_s = TOKEN_LEEWAY_S};
    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "jwt: wants a mapping");
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it))
        rc = jwt_member(c, &it, e);
    if (rc)
        return rc;
    if (!t->issuer)
        return err_set(e, ERR_INVALID, "jwt.issuer: missing");
    if (!t->keys_file == !t->keys_url)
        return err_set(e, ERR_INVALID, "jwt: wants one of keys_file and keys_url");
    if (t->keys_url && !url_is_safe(t->keys_url))
        return err_set(e, ERR_INVALID, "jwt.keys_url: wants https://");
    return 0;
}

static void print_text(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(out, "  %s: ", name);
    json_write_string(out, str_of(value)); /* a JSON string is a YAML string */
    buf_append_z(out, "\n");
}

void config_jwt_print(const struct config *c, struct buf *out)
{
    const struct tokens_config *t = &c->jwt;
    const char *sep = "";

    if (!t->issuer)
        return;
    buf_append_z(out, "jwt:\n");
    print_text(out, "issuer", t->issuer);
    print_text(out, "audience", t->audience);
    print_text(out, "keys_file", t->keys_file);
    print_text(out, "keys_url", t->keys_url);
    buf_append_z(out, "  algorithms: [");
    for (unsigned k = 0; k < TOKEN_ALGS_MAX; k++)
        if (t->algs & 1u << k) {
            buf_printf(out, "%s%s", sep, token_alg_word(k));
            sep = ", ";
        }
    buf_append_z(out, "]\n");
    print_text(out, "role_claim", t->role_claim);
    print_text(out, "workspace_claim", t->workspace_claim);
    buf_printf(out, "  leeway_s: %lld\n", (long long)t->leeway_s);
}
