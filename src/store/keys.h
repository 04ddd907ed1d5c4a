/* API keys and one-time tickets in the store: only their hashes are here, never their texts. Which
 * of them are good is app's to say (app/keys.h). */
#ifndef SLUICE_STORE_KEYS_H
#define SLUICE_STORE_KEYS_H

#include "store/store.h"

#define KEY_HASH_BYTES 32 /* SHA-256 */

struct key_row {
    struct key_row *next;
    struct id id;
    struct str workspace, name, role; /* the role's word */
    struct str prefix;                /* the first letters of the key, for people */
    struct str hash;                  /* KEY_HASH_BYTES */
    int64_t created_at, last_used_at;
    int64_t expires_at, revoked_at; /* 0: never, not */
};

/* All of all workspaces, by id: they are few, and the server holds them in memory. */
struct store_key_list {
    struct store_req req;
    struct key_row *rows; /* Out */
};

enum key_write {
    KEY_PUT,    /* row: ERR_CONFLICT when its id or hash is there */
    KEY_REVOKE, /* id, at: ERR_NOT_FOUND; once revoked it stays as it is */
    KEY_USED,   /* rows: id and last_used_at of each; what is older than the stored is left out */
};
struct store_key_write {
    struct store_req req;
    enum key_write kind;
    struct key_row row;
    const struct key_row *rows;
    struct id id;
    int64_t at;
};

/* A ticket is taken once: by whoever deletes its row. Taking one that is over, or is not there, is
 * ERR_NOT_FOUND. Putting one tidies up those that are over. A write. */
struct store_ticket {
    struct store_req req;
    bool take;            /* else: put */
    struct str hash;      /* KEY_HASH_BYTES */
    struct str body_json; /* In of a put, Out of a take */
    int64_t expires_at;   /* of a put */
    int64_t now;
};

#endif
