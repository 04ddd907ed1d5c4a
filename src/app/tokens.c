#include "app/tokens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

static const struct {
    const char *word;
    enum jwk_kind kind;
} algs[TOKEN_ALGS_MAX] = {{"RS256", JWK_RSA},  {"RS384", JWK_RSA},  {"RS512", JWK_RSA},
                          {"ES256", JWK_P256}, {"ES384", JWK_P384}, {"ES512", JWK_P521}};

const char *token_alg_word(unsigned alg)
{
    return alg < TOKEN_ALGS_MAX ? algs[alg].word : NULL;
}

/* ---- one token ---- */

/* What of it is JSON, decoded. */
struct token_part {
    char text[CREDENTIAL_BYTES_MAX];
    struct json json; /* an object */
};

static int token_refuse(struct errbuf *e, const char *why)
{
    return err_set(e, ERR_UNAUTHORIZED, "this token is not good: %s", why);
}

static bool part_read(struct str code, struct token_part *out)
{
    int n = base64url_decode(code, out->text, sizeof(out->text));
    struct json_limits limits = {.depth_max = 16};

    if (n <= 0 || json_check((struct str){out->text, (size_t)n}, &limits, NULL) != 0)
        return false;
    out->json = json_root((struct str){out->text, (size_t)n});
    return json_type(out->json) == JSON_OBJECT;
}

/* -1: it is none of the settings'. */
static int alg_of(const struct tokens_config *config, struct json header)
{
    for (unsigned i = 0; i < TOKEN_ALGS_MAX; i++)
        if (json_string_eq(json_get(header, "alg"), algs[i].word))
            return config->algs & 1u << i ? (int)i : -1;
    return -1;
}

static bool key_fits(const struct jwk *key, int alg)
{
    return key->kind == algs[alg].kind && (!key->alg.p || str_eqz(key->alg, algs[alg].word));
}

/* By its name; a token without one means the only key of its kind. */
static const struct jwk *key_find(const struct jwk_set *set, struct json kid, int alg,
                                  bool *is_known)
{
    const struct jwk *found = NULL;
    unsigned fitting = 0;

    *is_known = !json_exists(kid);
    for (size_t i = 0; i < set->count; i++) {
        const struct jwk *key = &set->keys[i];
        bool named = !json_exists(kid) || (key->kid.p && json_type(kid) == JSON_STRING &&
                                           str_eq(key->kid, (struct str){kid.p + 1, kid.n - 2}));
        *is_known = *is_known || named;
        if (named && key_fits(key, alg)) {
            found = key;
            fitting++;
        }
    }
    return fitting == 1 ? found : NULL;
}

static bool text_is(struct json v, const char *z)
{
    return json_string_eq(v, z);
}

static bool audience_fits(struct json aud, const char *wanted)
{
    struct json_iter it;

    if (!wanted || text_is(aud, wanted))
        return true;
    if (json_type(aud) != JSON_ARRAY)
        return false;
    json_iter_init(&it, aud);
    while (json_iter_next(&it))
        if (text_is(it.value, wanted))
            return true;
    return false;
}

/* NumericDate: seconds, with a fraction maybe. */
static bool time_read(struct json v, int64_t *ms)
{
    double s;

    if (json_type(v) != JSON_NUMBER || !json_double(v, &s) || !(s >= 0 && s < 1e11))
        return false;
    *ms = (int64_t)floor(s * 1000);
    return true;
}

static int times_check(const struct tokens_config *config, struct json claims, int64_t now,
                       int64_t *expires_at, struct errbuf *e)
{
    struct json nbf = json_get_set(claims, "nbf");
    int64_t leeway = config->leeway_s * 1000, from = 0;

    if (!time_read(json_get(claims, "exp"), expires_at))
        return token_refuse(e, "it does not say when it ends (exp)");
    if (json_exists(nbf) && !time_read(nbf, &from))
        return token_refuse(e, "nbf is no time");
    *expires_at += leeway;
    if (now >= *expires_at)
        return token_refuse(e, "it has expired");
    if (now + leeway < from)
        return token_refuse(e, "it is not valid yet");
    return 0;
}

static bool text_copy(struct json v, char *out, size_t max)
{
    char *text = json_type(v) == JSON_STRING ? json_strdup(v) : NULL;
    size_t n = text ? strlen(text) : 0;
    bool plain = n > 0 && n < max;

    for (size_t i = 0; i < n && plain; i++)
        plain = (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    if (plain)
        memcpy(out, text, n + 1);
    free(text);
    return plain;
}

/* A role, or several: the highest. Another word is no role. */
static enum role role_read(struct json v)
{
    enum role role = ROLE_NONE;
    struct json_iter it;

    if (json_type(v) == JSON_STRING)
        return role_parse((struct str){v.p + 1, v.n - 2});
    if (json_type(v) != JSON_ARRAY)
        return ROLE_NONE;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        enum role one = json_type(it.value) == JSON_STRING ? role_read(it.value) : ROLE_NONE;
        role = one > role ? one : role;
    }
    return role;
}

static int claims_check(const struct tokens_config *config, struct json claims, int64_t now,
                        struct principal *out, struct errbuf *e)
{
    struct json workspace = json_get_set(claims, config->workspace_claim);
    int rc = times_check(config, claims, now, &out->expires_at, e);

    if (rc)
        return rc;
    if (!text_is(json_get(claims, "iss"), config->issuer))
        return token_refuse(e, "it is of another issuer");
    if (!audience_fits(json_get(claims, "aud"), config->audience))
        return token_refuse(e, "it is for another audience");
    if (!text_copy(json_get(claims, "sub"), out->name, sizeof(out->name)))
        return token_refuse(e, "it has no subject (sub)");
    if (!json_exists(workspace))
        memcpy(out->workspace, TOKEN_WORKSPACE, sizeof(TOKEN_WORKSPACE));
    else if (!text_copy(workspace, out->workspace, sizeof(out->workspace)) ||
             !name_is_valid(str_of(out->workspace)))
        return token_refuse(e, "its workspace is no name");
    out->kind = PRINCIPAL_TOKEN;
    out->role = role_read(json_get(claims, config->role_claim));
    return 0;
}

static bool token_cut(struct str token, struct str part[3])
{
    for (int i = 0; i < 3; i++) {
        const char *dot = token.n ? memchr(token.p, '.', token.n) : NULL;
        if (!dot != (i == 2))
            return false;
        part[i] = (struct str){token.p, dot ? (size_t)(dot - token.p) : token.n};
        token.p += part[i].n + !!dot;
        token.n -= part[i].n + !!dot;
    }
    return true;
}

int token_check(const struct tokens_config *config, const struct jwk_set *keys, struct str token,
                int64_t now_ms, struct principal *out, bool *unknown_kid, struct errbuf *e)
{
    static struct token_part header, claims; /* large; the loop's thread alone */
    static char text[CREDENTIAL_BYTES_MAX + 1];
    const struct jwk *key;
    struct str part[3];
    bool is_known;
    int alg;

    *unknown_kid = false;
    memset(out, 0, sizeof(*out));
    if (token.n > CREDENTIAL_BYTES_MAX || !token_cut(token, part) || !part_read(part[0], &header) ||
        !part_read(part[1], &claims))
        return token_refuse(e, "it does not read");
    if (json_exists(json_get(header.json, "crit")))
        return token_refuse(e, "it wants an extension that is not known here (crit)");
    alg = alg_of(config, header.json);
    if (alg < 0)
        return token_refuse(e, "its algorithm is not taken here");
    key = key_find(keys, json_get_set(header.json, "kid"), alg, &is_known);
    *unknown_kid = !is_known || keys->count == 0;
    if (!key)
        return token_refuse(e, is_known ? "there is no key of its algorithm"
                                        : "its key is not known here");
    memcpy(text, token.p, token.n);
    text[token.n] = '\0';
    if (!token_is_signed(text, key->pem))
        return token_refuse(e, "its signature does not hold");
    return claims_check(config, claims.json, now_ms, out, e);
}

/* ---- the keys ---- */

struct tokens {
    struct tokens_config config;
    struct jwk_set keys;
    uv_loop_t *loop;
    uint64_t read_at; /* uv_now(), of the last try */
    struct tokens_fetch *fetch;
};

struct tokens_fetch {
    uv_work_t work;
    struct tokens *tokens; /* NULL: they are closed */
    char *url;
    struct buf got;
    int stop; /* atomic */
    int status;
    struct errbuf error;
};

/* Keeps what there is when that cannot be read. */
static int tokens_take(struct tokens *t, struct str text, const char *from, struct errbuf *e)
{
    struct jwk_set set;
    struct errbuf why = {""};
    int rc = jwk_set_read(&set, text, &why);

    if (rc)
        return err_set(e, rc, "%s: %s", from, why.text);
    jwk_set_deinit(&t->keys);
    t->keys = set;
    log_info("tokens", "%zu keys read from %s", set.count, from);
    return 0;
}

static int tokens_read_file(struct tokens *t, struct errbuf *e)
{
    struct buf text;
    int rc;

    buf_init(&text, JWKS_BYTES_MAX);
    rc = file_append(t->config.keys_file, &text, e);
    if (rc == 0)
        rc = tokens_take(t, buf_str(&text), t->config.keys_file, e);
    buf_deinit(&text);
    return rc;
}

static void fetch_work(uv_work_t *work)
{
    struct tokens_fetch *f = work->data;

    f->status = keys_fetch(f->url, &f->got, &f->stop, &f->error);
}

static void fetch_done(uv_work_t *work, int status)
{
    struct tokens_fetch *f = work->data;
    struct tokens *t = f->tokens;

    (void)status;
    if (t && f->status == 0)
        f->status = tokens_take(t, buf_str(&f->got), f->url, &f->error);
    if (t && f->status)
        log_warn("tokens", "the keys cannot be read: %s", f->error.text);
    if (t)
        t->fetch = NULL;
    buf_deinit(&f->got);
    free(f->url);
    free(f);
}

static void tokens_fetch(struct tokens *t)
{
    struct tokens_fetch *f;

    if (t->fetch)
        return;
    f = mem_zalloc(sizeof(*f));
    f->work.data = f;
    f->tokens = t;
    f->url = mem_strdup(t->config.keys_url);
    buf_init(&f->got, JWKS_BYTES_MAX);
    t->fetch = f;
    uv_queue_work(t->loop, &f->work, fetch_work, fetch_done);
}

static void tokens_read_again(struct tokens *t)
{
    uint64_t now = uv_now(t->loop);
    struct errbuf e = {""};

    if (now - t->read_at < (t->keys.count ? TOKENS_AGAIN_MS : TOKENS_RETRY_MS))
        return;
    t->read_at = now;
    if (t->config.keys_url)
        tokens_fetch(t);
    else if (tokens_read_file(t, &e))
        log_warn("tokens", "the keys cannot be read: %s", e.text);
}

int tokens_authenticate(struct tokens *t, struct str token, struct principal *out, struct errbuf *e)
{
    bool unknown = false;
    int rc = token_check(&t->config, &t->keys, token, clock_wall_ms(), out, &unknown, e);

    if (unknown)
        tokens_read_again(t);
    return rc;
}

int tokens_open(struct tokens **out, struct uv_loop_s *loop, const struct tokens_config *config,
                struct errbuf *e)
{
    struct tokens *t = mem_zalloc(sizeof(*t));
    int rc = 0;

    t->config = *config;
    t->loop = loop;
    t->read_at = uv_now(loop) - TOKENS_AGAIN_MS; /* the start does not count */
    arena_init(&t->keys.arena);
    if (config->keys_file)
        rc = tokens_read_file(t, e);
    else
        tokens_fetch(t);
    if (rc) {
        tokens_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

void tokens_close(struct tokens *t)
{
    if (!t)
        return;
    if (t->fetch) {
        __atomic_store_n(&t->fetch->stop, 1, __ATOMIC_RELAXED);
        t->fetch->tokens = NULL;
    }
    jwk_set_deinit(&t->keys);
    free(t);
}
