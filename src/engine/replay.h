/* What the files of a replay share: the outcomes that another session's log holds.
 *
 *     replay_log.c  frames of a log -> records; which of them count
 *     replay.c      the records, applied to a new session
 */
#ifndef SLUICE_ENGINE_REPLAY_H
#define SLUICE_ENGINE_REPLAY_H

#include "engine/session.h"

enum record_kind {
    RECORD_STARTED, /* an attempt of a node */
    RECORD_COMPLETED,
    RECORD_FAILED,
    RECORD_SKIPPED,
    RECORD_RESUMED, /* an answer of a person */
    RECORD_EXPIRED, /* no answer came */
    RECORD_SAID,
    RECORD_SIGNAL,
    RECORD_SHOWN, /* messages and the like: shown again with the end of their run */
    RECORD_OVER,  /* the session's ending */
};

struct record {
    struct record *next, *prev;
    enum record_kind kind;
    bool dropped; /* it does not count: what it tells of is left out, or happens anew */
    int64_t seq;
    const char *type;   /* SHOWN */
    struct str node_id; /* a view of the frame, as data */
    struct json data;
    struct id run_id;
    int64_t iteration, attempt; /* of node moves */
    struct record *start;       /* of its run; NULL: none */
    struct record *end;         /* STARTED: COMPLETED or FAILED of the same run */
    struct record *shown;       /* STARTED: the first of its run */
    struct record *next_shown;
};

/* How often a node was started, and has been in the replay. */
struct record_node {
    struct record_node *next;
    struct str id;
    unsigned allowed, used;
};
#define RECORD_BUCKETS 256

struct record_log {
    struct arena arena;
    struct record *first, *last;
    struct table runs;   /* STARTED by run id */
    struct str begin_at; /* the stage that the session began at; NULL: its start */
    struct record_node *nodes[RECORD_BUCKETS];
};

/* Reads the frames and marks what does not count. ERR_CORRUPT, ERR_CONFLICT (r->node_id has never
 * run). record_log_deinit() in any case. */
int record_log_read(struct record_log *log, const struct session *s, const struct replay *r,
                    struct errbuf *e);
void record_log_deinit(struct record_log *log);
struct record_node *record_node_of(struct record_log *log, struct str id);

/* A node that may not start before the replay is over. */
struct held_node {
    struct scope *scope;
    unsigned node;
};

struct replay_run {
    struct record_log log;
    int64_t said_seq; /* of what is being said again */
    /* Where a node was held back in this turn: there nothing else may follow from the step, for
     * the point lies in the middle of it. */
    const struct scope *refused_in;
    struct held_node *held; /* heap */
    unsigned held_count, held_cap;
};

#endif
