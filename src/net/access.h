/* Who asks, and what they may do (docs/SECURITY.md).
 *
 * Whoever asks is a principal: a key or a token, with one role in one workspace; without auth it is
 * `anonymous`, an admin of the workspace `default`. Every request (struct svc_req) carries one, and
 * every subscription to events does. What each operation needs stands in one table (access.c);
 * an operation without a row there is refused.
 */
#ifndef SLUICE_NET_ACCESS_H
#define SLUICE_NET_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

/* Each may do what those before it may. */
enum role {
    ROLE_NONE,
    ROLE_VIEWER,   /* reads and watches */
    ROLE_OPERATOR, /* moves sessions: starts stored workflows, pauses, answers, works on tasks */
    ROLE_EDITOR,   /* changes definitions, agents, memories, schedules; runs graphs of its own */
    ROLE_ADMIN,    /* keys, webhooks, the audit log, the server itself */
};
const char *role_word(enum role r);    /* "viewer" */
enum role role_parse(struct str word); /* ROLE_NONE: no such role */

enum principal_kind {
    PRINCIPAL_ANONYMOUS, /* nobody was asked who they are */
    PRINCIPAL_KEY,
    PRINCIPAL_TOKEN,  /* a JWT */
    PRINCIPAL_SERVER, /* the server itself: schedules, the status system, examples */
};

#define PRINCIPAL_NAME_MAX 128 /* bytes of a name and of a workspace; longer ones are refused */
struct principal {
    enum principal_kind kind;
    enum role role;
    struct id key_id; /* of a key; else zero */
    char
        name[PRINCIPAL_NAME_MAX + 1]; /* the key's, or the token's subject: audit, reviewer, user */
    char workspace[PRINCIPAL_NAME_MAX + 1];
    int64_t expires_at; /* of the key or the token, ms; 0: never. Nothing is held open beyond */
};

/* Nobody was asked: an admin of the workspace "default". */
void principal_anonymous(struct principal *out);

/* What came with a request to show who asks; p == NULL where it did not. */
struct credentials {
    struct str bearer; /* of Authorization: Bearer, or of the WebSocket's subprotocol */
    struct str ticket; /* ?ticket= */
    struct str remote; /* the peer's address, for the record and for rate limits */
};
#define CREDENTIAL_BYTES_MAX 8192      /* of a bearer or a ticket; longer ones are refused */
#define ACCESS_BEARER_PREFIX "bearer." /* of a WebSocket's subprotocol */

#endif
