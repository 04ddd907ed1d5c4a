/* The store's part of the audit log: who asked for what, and how it was answered
 * (docs/SECURITY.md).
 */
#ifndef SLUICE_STORE_STORE_AUDIT_H
#define SLUICE_STORE_STORE_AUDIT_H

#include "store/store.h"

struct audit_row {
    struct audit_row *next;
    struct id id; /* ascending in time */
    struct str workspace, actor, role;
    struct id key_id;     /* zero: no key */
    struct id session_id; /* about which session; zero: none */
    struct str action;    /* "pause" */
    struct str object;    /* the id of what it was about; or NULL */
    struct str remote;    /* the peer's address; or NULL */
    int64_t status;       /* HTTP status of the answer */
    struct str code;      /* of the error; NULL: none */
    int64_t created_at;
};

struct store_audit_put { /* a row whose id is there is left. A write */
    struct store_req req;
    const struct audit_row *rows; /* in */
};
struct store_audit_list { /* the newest first */
    struct store_req req;
    struct str workspace, actor, action, object; /* actor and the next two: NULL: any */
    struct id session_id;                        /* zero: any */
    int64_t after, before;                       /* both excluded; 0: any */
    struct str cursor;
    int limit;
    struct audit_row *rows;
    struct str next_cursor;
};
struct store_audit_prune { /* the oldest, at most `limit`. A write */
    struct store_req req;
    int64_t before;
    int limit;
    int64_t changed; /* Out */
};

#endif
