/* JSON Web Tokens of one issuer (docs/SECURITY.md): who comes with one is whom its claims name.
 *
 * The keys are a file's or a URL's. Both are read at the start, and again when a token names a key
 * that is not known, TOKENS_AGAIN_MS after the last time at the earliest. What was good stays until
 * something better was read.
 *
 * A token counts when its algorithm is one of the settings' and of the kind of its key, its
 * signature holds, `iss` and `aud` are as wanted, `exp` is to come and `nbf` is over (with leeway),
 * and it has a `sub`. `crit` is refused, for there is no extension that we know.
 */
#ifndef SLUICE_APP_TOKENS_H
#define SLUICE_APP_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/jwk.h"
#include "net/access.h"

struct uv_loop_s;

#define TOKENS_AGAIN_MS  60000
#define TOKENS_RETRY_MS  5000 /* while there are none */
#define TOKEN_ALGS_MAX   6
#define TOKEN_LEEWAY_MAX 600 /* s */
#define TOKEN_LEEWAY_S   30
#define TOKEN_FETCH_S    10
#define TOKEN_WORKSPACE  "default" /* of a token that names none */

/* The setting `jwt`. issuer NULL: there is none. */
struct tokens_config {
    const char *issuer, *audience; /* audience NULL: not asked */
    const char *keys_file, *keys_url;
    const char *role_claim, *workspace_claim;
    unsigned algs; /* bits, by the number of token_alg_word() */
    int64_t leeway_s;
};
/* "RS256" to "ES512" by number from 0; NULL: no such number. */
const char *token_alg_word(unsigned alg);

/* ---- one token, pure ---- */

/* Out: `unknown_kid`: it would be worth to read the keys again. ERR_UNAUTHORIZED with a sentence.
 */
int token_check(const struct tokens_config *config, const struct jwk_set *keys, struct str token,
                int64_t now_ms, struct principal *out, bool *unknown_kid, struct errbuf *e);
/* jwt_signature.c: 0-terminated, and of an algorithm that is for this key's kind. */
bool token_is_signed(const char *token, struct str pem);

/* ---- with their keys ---- */

struct tokens;
/* Reads the file (ERR_INVALID, ERR_NOT_FOUND), or begins to fetch. */
int tokens_open(struct tokens **out, struct uv_loop_s *loop, const struct tokens_config *config,
                struct errbuf *e);
int tokens_authenticate(struct tokens *t, struct str token, struct principal *out,
                        struct errbuf *e);
void tokens_close(struct tokens *t); /* or NULL; a fetch under way ends within a second */

/* curl_keys.c: GETs it, blocking. `stop`, set to 1 by another thread (atomically), ends it.
 * ERR_UPSTREAM with a sentence. */
int keys_fetch(const char *url, struct buf *out, const int *stop, struct errbuf *e);

#endif
