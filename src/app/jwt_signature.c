/* Signatures by libjwt. Whether the algorithm fits the key was asked before (tokens.c): libjwt
 * takes it from the token, and would take the PEM of a public key for the secret of HS256. Without
 * a key it takes anything, and it does not look at `exp`: nothing but the signature is asked of it.
 */
#include <jwt.h>

#include "app/tokens.h"

bool token_is_signed(const char *token, struct str pem)
{
    jwt_t *jwt = NULL;
    bool good;

    if (!pem.p || pem.n == 0)
        return false;
    good = jwt_decode(&jwt, token, (const unsigned char *)pem.p, (int)pem.n) == 0 && jwt;
    switch (good ? jwt_get_alg(jwt) : JWT_ALG_NONE) {
    case JWT_ALG_RS256:
    case JWT_ALG_RS384:
    case JWT_ALG_RS512:
    case JWT_ALG_ES256:
    case JWT_ALG_ES384:
    case JWT_ALG_ES512:
        break;
    default: /* an enum of theirs, which grows */
        good = false;
    }
    jwt_free(jwt);
    return good;
}
