/* Webhooks: events of sessions are told to programs over HTTP, in order for each session, each
 * until it is taken (docs/WEBHOOKS.md, docs/decisions/0014).
 *
 * A stream is a (webhook, session) that may have something to tell. Nothing is written when an
 * event happens: the log has it, and a stream is a place in the log.
 *
 *     sealed here, or found by a scan
 *           │ its cursor is claimed: from then on it is durable that it is behind
 *           v
 *        READY ── a place is free ──> READING ──> SENDING ──> SAVING ──> the next, or IDLE
 *          ^                             │ nothing more: IDLE   │ the outcome, in the store
 *          └──── WAITING <───────────────┴──── it failed <──────┘
 *
 * Of each webhook HOOK_ACTIVE_MAX streams are active at once, and one alone while it fails, not
 * before its own pause is over: so one that never answers holds one connection, whatever it lacks.
 * A stream that has told everything and whose session is not live here is let go.
 *
 * Who delivers: the instance that has the cursor (hooks.h of store), which is the one where the
 * session's events are sealed, or one that found it without an owner. A repeat, also by another
 * instance, has the same id, for it follows from webhook, session and seq.
 *
 * Without webhooks this is one branch for each commit of a session, no timer and no query.
 */
#ifndef SLUICE_APP_WEBHOOKS_H
#define SLUICE_APP_WEBHOOKS_H

#include <uv.h>

#include "app/openssl_seal.h"
#include "app/webhook_rules.h"
#include "base/list.h"
#include "base/table.h"
#include "store/hooks.h"

#define HOOK_ACTIVE_MAX     8     /* streams of one webhook that read or send at once */
#define HOOK_STREAMS_MAX    50000 /* in memory, of one webhook; the rest waits in the store */
#define HOOK_BACKOFF_MIN_MS 1000  /* after the first failure; twice as long after each further */
#define HOOK_BACKOFF_MAX_MS 600000
#define HOOK_AGE_MAX_MS     259200000 /* three days of failures: the webhook is disabled */
#define HOOK_KEEP           1000      /* deliveries that are kept of a webhook */
#define HOOK_KEEP_MS        604800000 /* for a week */
#define HOOK_SCAN_SLACK_MS  60000
#define HOOK_READ_BYTES     (64u << 10)
#define HOOK_TURN_MAX       16 /* events of a stream while others wait */
#define HOOK_TIMEOUT_MS     10000
#define HOOK_ANSWER_MAX     4096 /* bytes of an answer that are looked at */

/* One request. Its texts are the caller's until `done`. */
struct hook_post {
    /* In */
    struct str url, secret, body, type;
    struct id hook, delivery;
    bool replay;                       /* asked for by a person */
    int64_t at;                        /* now, ms: it is signed */
    void (*done)(struct hook_post *p); /* later, never from inside */
    void *data;
    /* Out */
    bool taken, refused; /* 2xx; 410: it wants nothing any more */
    long http_status;    /* 0: none came */
    int64_t duration_ms;
    char error[256]; /* "" when taken */
    void *impl;      /* the sender's */
};
struct hook_sender {
    void (*post)(struct hook_sender *s, struct hook_post *p);
    void (*cancel)(struct hook_sender *s, struct hook_post *p); /* done will not come */
};

struct hook;
struct webhooks {
    /* In */
    struct store *store;
    struct hook_sender *sender;
    struct seal_key key;
    const struct id *self; /* this instance */
    bool shared;           /* others may be there */
    int64_t (*now)(void *data);
    void *now_data;
    struct id_source ids; /* for jitter */
    /* Out */
    unsigned active; /* webhooks that are enabled; 0: nothing is to be told */
    int64_t due_at;  /* when webhooks_tick() is wanted; 0: never */
    unsigned long long delivered, failed;
    /* Private */
    uv_timer_t *timer; /* NULL in tests: they look at due_at */
    struct list hooks;
    bool listing, list_again, full_scan, closing, started;
    unsigned long long deaths_seen;
};

/* loop: NULL without a timer. In fields are set after it. */
void webhooks_open(struct webhooks *w, uv_loop_t *loop);
/* Reads the webhooks, and begins. */
void webhooks_start(struct webhooks *w);
/* Nothing is sent any more, and nothing asked of the store; its answers may still come. */
void webhooks_close(struct webhooks *w);
void webhooks_deinit(struct webhooks *w); /* the loop has ended */

/* Somebody has changed a webhook: all are read anew. */
void webhooks_reload(struct webhooks *w);
/* Cursors may have become free; `deaths`: instances that have died so far. */
void webhooks_rescan(struct webhooks *w, unsigned long long deaths);
void webhooks_tick(struct webhooks *w);

/* These events of a session that is live here are durable. is_new: its first ones. */
void webhooks_sealed(struct webhooks *w, struct str workspace,
                     const struct webhook_session *session, bool is_new, int64_t seq_first,
                     int64_t seq_last, struct str frames);
/* The session has left memory. */
void webhooks_left(struct webhooks *w, struct id session_id);
/* The cursor is about to be set to seq, by a claim that rewinds: nothing of the stream is saved any
 * more. */
void webhooks_rewind(struct webhooks *w, struct id hook, struct id session_id, int64_t seq);
/* It is. */
void webhooks_rewound(struct webhooks *w, struct id hook, struct id session_id, int64_t seq);

struct id webhook_delivery_id(struct id hook, struct id session_id, int64_t seq);
size_t webhooks_streams(const struct webhooks *w); /* in memory; for metrics and tests */

#endif
