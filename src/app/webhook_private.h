/* What webhooks.c (webhooks, scans, time) and webhook_stream.c (streams) share. */
#ifndef SLUICE_APP_WEBHOOK_PRIVATE_H
#define SLUICE_APP_WEBHOOK_PRIVATE_H

#include "app/webhooks.h"

enum stream_state {
    STREAM_IDLE,
    STREAM_CLAIMING,
    STREAM_READY, /* in hook->ready */
    STREAM_READING,
    STREAM_SENDING,
    STREAM_SAVING,
    STREAM_WAITING, /* in hook->waiting, until wake_at */
};

struct hook;
struct turn;
struct stream {
    struct hook *hook;
    struct id session_id;
    enum stream_state state;
    struct list link;
    int64_t wake_at;
    int64_t next_seq;      /* the next event that is looked at; what it wants before is delivered */
    int64_t sealed_to;     /* the newest one that was sealed here; 0: none */
    int64_t rewind_to;     /* when rewound */
    struct hook_cursor at; /* as it is stored */
    struct turn *turn;     /* while it is active */
    bool live;             /* its session is in memory here */
    bool known;            /* next_seq is right; else the cursor tells, once it is claimed */
    bool claimed;          /* the cursor is ours */
    bool old;              /* there was no cursor: events from before the webhook are passed over */
    bool rewound;          /* its cursor is being set back */
    bool rewind_done;      /* it is */
    bool dropped;          /* freed when what is under way has come back */
};

struct hook {
    struct list link;
    struct webhooks *w;
    struct hook_row row; /* texts in arena */
    struct arena arena;
    struct webhook_rules rules;
    bool enabled, gone, seen;
    struct table streams;       /* by session */
    struct list ready, waiting; /* waiting: the earliest in front */
    struct list dropped;        /* streams that are let go, and not back */
    unsigned active;
    unsigned failures;   /* in a row */
    int64_t pause_until; /* while it fails */
    int64_t claim_failed_at, scan_saved_at;
    unsigned saves;
    bool disabling;
    /* The scan under way */
    struct store_hook_scan scan;
    bool scanning, scan_again, scan_full, scan_own, overflow, scanned;
};

int64_t webhooks_now(const struct webhooks *w);
void webhooks_arm(struct webhooks *w);
int64_t webhooks_backoff(struct webhooks *w, int64_t failures);
/* Its failures are older than may be: disabled for good, with a reason. */
void hook_disable(struct hook *h, const char *reason);

/* webhook_stream.c */
struct stream *stream_create(struct hook *h, struct id session_id);
void stream_hang_up(struct stream *s); /* what it sends is given up */
void stream_destroy(struct stream *s); /* the loop has ended */
void stream_drop(struct stream *s);    /* at once, or when what is under way has come back */
void stream_claim(struct stream *s);
void stream_ready(struct stream *s);
void stream_wait(struct stream *s, int64_t until);
void stream_wake(struct stream *s); /* there is something for it */
void hook_pump(struct hook *h);
void hook_wake_due(struct hook *h);

#endif
