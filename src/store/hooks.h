/* Webhooks in the store: who wants to hear of what (webhooks), how far each session has been told
 * to each of them (webhook_cursors), and what became of the newest deliveries (webhook_deliveries).
 *
 * A cursor is made when a session has something for a webhook, once, and then moved by the outcome
 * of each attempt: nothing is written when an event happens. It is `behind` while there may be more
 * to send; then an instance has it (as sessions are had: it counts as long as that instance has a
 * row in `instances`), else nobody.
 */
#ifndef SLUICE_STORE_HOOKS_H
#define SLUICE_STORE_HOOKS_H

#include "store/store.h"

struct hook_row {
    struct hook_row *next;
    struct id id;
    struct str workspace, name, url;
    struct str events_json, filter_json; /* as they were given, checked by the app */
    struct str secret;                   /* sealed (app/openssl_seal.h) */
    bool enabled;
    struct str disabled_reason; /* NULL: by a person, or it is enabled */
    int64_t
        scan_from; /* what sessions did before that is delivered, or has a cursor that is behind */
    int64_t version, created_at, updated_at;
    /* Out */
    int64_t behind;        /* sessions that wait */
    int64_t failing_since; /* the oldest delivery that has failed so far; 0: none */
};

#define HOOKS_MAX 100 /* of a workspace */

/* A write. With is_new: ERR_CONFLICT when the workspace has HOOKS_MAX, or the Idempotency-Key is
 * taken. Else ERR_NOT_FOUND, ERR_STALE; scan_from and created_at are left as they are. */
struct store_hook_put {
    struct store_req req;
    struct hook_row row; /* In: all but version and times. Out: those */
    bool is_new;
    int64_t expected_version; /* 0: any */
    int64_t now_ms;
    const struct idempotency_row *idempotency;
};
struct store_hook_list { /* by id */
    struct store_req req;
    struct str workspace; /* NULL: of all of them */
    struct id id;         /* zero: every one */
    struct id after;
    int limit;
    struct hook_row *rows;
};
struct store_hook_delete { /* A write. ERR_NOT_FOUND, ERR_STALE */
    struct store_req req;
    struct str workspace;
    struct id id;
    int64_t expected_version;
};

/* ---- cursors ---- */

struct hook_cursor {
    int64_t seq;       /* delivered, or not to be delivered, up to here */
    int64_t attempts;  /* of the next one, that failed */
    int64_t failed_at; /* the first of those */
    int64_t next_at;   /* not before that */
    bool behind;
};

/* Which sessions are looked through; each phase by (time, key). */
enum hook_phase {
    HOOK_PHASE_BEHIND, /* with a cursor that is behind and that nobody has, or the instance */
    HOOK_PHASE_PENDING,
    HOOK_PHASE_RUNNING, /* live ones that nobody has, or the instance, and whose cursor is not
                           behind and lacks events, or is not there */
    HOOK_PHASE_PAUSED,
    HOOK_PHASE_ENDED,  /* the same of those that ended since */
    HOOK_PHASE_FOLDED, /* and whose log was folded */
    HOOK_PHASE_COUNT,
};
struct hook_session {
    struct hook_session *next;
    struct id session_id;
    int64_t time, key; /* its place in the phase */
    struct str workflow_id, group_id, status, metadata_json;
    int64_t last_seq;
    bool has_cursor;
    struct hook_cursor cursor;
};
struct store_hook_scan {
    struct store_req req;
    struct id hook;
    struct str workspace;
    struct id instance; /* zero: only what nobody has */
    enum hook_phase phase;
    int64_t since;                 /* sessions changed from then on; not for those behind */
    int64_t after_time, after_key; /* after this place; from 0 */
    int limit;
    struct hook_session *rows;
};

/* Takes the cursor for the instance, and makes it if there is none (with seq). A write.
 * ERR_NOT_FOUND: the webhook or the session is gone; ERR_CONFLICT: another instance has it. */
struct store_hook_claim {
    struct store_req req;
    struct id hook, session_id, instance;
    int64_t seq;
    bool rewind; /* whoever has it: it is set to seq, and what failed is forgotten */
    int64_t now_ms;
    bool existed;              /* Out */
    struct hook_cursor cursor; /* Out */
};

/* ---- deliveries ---- */

struct hook_delivery {
    struct hook_delivery *next;
    struct id id; /* follows from webhook, session and seq */
    struct id session_id;
    int64_t seq;
    struct str type;   /* of the event */
    struct str status; /* "delivered", "failed" */
    int64_t attempts, next_at;
    int64_t http_status; /* 0: no answer came */
    int64_t duration_ms; /* of the last attempt */
    struct str error;    /* NULL: none */
    int64_t created_at, updated_at;
};

/* The outcome of an attempt: the cursor and the delivery in one transaction. A write. A cursor that
 * is not behind any more is nobody's from then on. ERR_NOT_FOUND: the webhook or the session is
 * gone; ERR_STALE: another instance has the cursor. */
struct store_hook_save {
    struct store_req req;
    struct id hook, session_id, instance;
    const struct hook_cursor *cursor;     /* or NULL: left alone */
    const struct hook_delivery *delivery; /* or NULL */
    int64_t scan_from;                    /* of the webhook, unless it is later already; 0: left */
    int64_t now_ms;
    int keep;            /* deliveries beyond the newest so many go; 0: all stay */
    int64_t keep_before; /* and those made before */
};
struct store_hook_deliveries { /* the newest first. ERR_NOT_FOUND: no such webhook */
    struct store_req req;
    struct str workspace;
    struct id hook;
    struct id id;         /* zero: every one */
    struct str status;    /* NULL: any */
    struct id session_id; /* zero: any */
    struct str cursor;
    int limit;
    struct hook_delivery *rows;
    struct str next_cursor;
};

#endif
