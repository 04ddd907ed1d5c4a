/* The event log as readers see it: one bounded tail of encoded frames per session in memory, shared
 * by all readers, and cursors that read on from the store when they are behind it.
 *
 *      journal ── log_seal ──> tail [seq a … b] <── log_cursor_next ── WebSocket, SSE
 *                                  behind a: reader->read (the store, through app)
 *
 * Of a session that another instance has, app brings what that one sealed (log_feed), from `follow`
 * to `unfollow`. Sessions move: a tail is sealed by the journal here, then fed, then sealed again.
 *
 * Only committed events are sealed, in order. Nobody has a queue: a slow reader costs a cursor. A
 * tail exists while its session is live or has cursors; all tails together are bounded
 * (LOG_TAILS_BYTES_MAX), the bytes of the tail that was sealed longest ago go first.
 *
 * An event stands in a tail as a whole unmasked WebSocket text frame (RFC 6455, 5.2), frame after
 * frame. So what a reader lacks is one run of bytes that goes out in one write, without a copy; the
 * others (SSE, batches) walk the run with log_run_next(). Loop thread only.
 */
#ifndef SLUICE_NET_LOG_H
#define SLUICE_NET_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/list.h"

#define LOG_TAIL_BYTES_MAX  (256u << 10) /* of one session; one longer event stands alone */
#define LOG_TAILS_BYTES_MAX (64u << 20)
#define LOG_READ_BYTES      (256u << 10) /* what one read behind the tail should give, about */
#define LOG_READS_MAX       32           /* reads under way at once; others wait their turn */
#define LOG_TELL_NOW        32 /* readers that are told of news at once, where others can wait */
#define LOG_TELL_COST       (256u << 10) /* of one log_tell_more(): bytes, a reader for 2 kB at least */
#define LOG_DELIVER_BYTES   65536        /* of one run that is delivered */
#define LOG_SOON_MAX        32           /* of one log_seal_soon() */
#define LOG_TOGETHER        64 /* cursors of a session from which they are told several at a time */

/* A read of stored events, answered through log_read_done(). Made and freed by the log, carried by
 * app. */
struct log_read {
    struct id session_id;
    int64_t after;
    void *data; /* app's */
    /* Private */
    struct list cursors; /* who waits for it */
    struct log_hub *hub;
    struct list link;
    bool started;
    bool expects; /* there was something to find when it started */
};
struct log_reader { /* app implements it over the store */
    /* Answers later (never inside) by log_read_done(). */
    void (*read)(struct log_reader *r, struct log_read *read);
    /* Or NULL. Somebody reads a session that is not live here, until unfollow. Id zero: there are
     * watchers of all sessions. Called inside the log: they must not call it. */
    void (*follow)(struct log_reader *r, struct id session_id);
    void (*unfollow)(struct log_reader *r, struct id session_id);
};

struct log_hub;
struct log_hub *log_hub_create(struct log_reader *reader);
void log_hub_destroy(struct log_hub *h); /* no cursors, no watchers, no reads under way */

/* How many readers a session has must not hold up the loop: with `later`, one seal tells the first
 * LOG_TELL_NOW of them, and asks for turns. In each the owner of the loop calls log_tell_more(),
 * which tells some and says whether there are more. `later` may be called again meanwhile. NULL:
 * all are told at once. */
void log_hub_set_later(struct log_hub *h, void (*later)(void *data), void *data);
bool log_tell_more(struct log_hub *h);

struct log_cursor;
struct log_run;
struct send_job;
/* Where there are threads to write with, readers of a session that has LOG_TOGETHER of them are
 * told several at a time; LOG_TELL_NOW and LOG_TELL_COST are then for each of the threads. All
 * three are asked of cursors that have `deliver`, in its place, and must not close any. */
struct log_together {
    unsigned threads;
    /* The descriptor that the run goes to as it is. It is then as good as taken: the cursor moves
     * past it, `end` follows. Or -1: it is told the way that it is told alone. No two cursors of a
     * session have the same descriptor. */
    int (*begin)(struct log_cursor *c, const struct log_run *run);
    /* Writes all of them, whose bytes, len and fd are set; `sent` of each afterwards. */
    void (*send)(const struct log_together *t, struct send_job *jobs, unsigned count);
    void (*end)(struct log_cursor *c, const struct send_job *job);
    void *data; /* send's */
};
/* Stands until the hub is destroyed or given another one. NULL: none. */
void log_hub_set_together(struct log_hub *h, const struct log_together *together);

/* frames: whole events joined by '\n', seq_first … seq_last: those that follow the last ones sealed
 * here, or, when another instance had the session in between, later ones. Calls `ready` of waiting
 * cursors; watchers get the session_state_change events among them. */
/* These sessions will be sealed next: what that looks at is fetched for all of them at once. */
void log_seal_soon(const struct log_hub *h, const struct id *sessions, size_t count);
void log_seal(struct log_hub *h, struct id session_id, int64_t seq_first, int64_t seq_last,
              struct str frames);
/* Nothing new is to be expected for a while: what nobody reads is let go. */
void log_rest(struct log_hub *h, struct id session_id);
/* What another instance has sealed of a session that is followed, in the same form. What is known
 * already is left out. frames STR_NULL: they are in the store, up to seq_last. Watchers get
 * nothing. */
void log_feed(struct log_hub *h, struct id session_id, int64_t seq_first, int64_t seq_last,
              struct str frames);
/* A session_state_change event of another instance, for the watchers. */
void log_tell_watchers(struct log_hub *h, struct id session_id, struct str frame);
/* The session has left memory: its tail may go when nobody reads it. */
void log_forget(struct log_hub *h, struct id session_id);
/* The last sealed seq of a session with a tail; -1 when the hub does not know it. */
int64_t log_last_seq(const struct log_hub *h, struct id session_id);

/* Answers a read; it is freed. status 0: frames as in log_seal (seq_first may be <= after: the log
 * skips); empty: nothing after `after` is stored. first_held: the first seq that the store still
 * has (0: all, or none was ever there); first_held > after + 1: events were folded away, readers
 * must take a snapshot. */
void log_read_done(struct log_read *read, int status, int64_t seq_first, int64_t seq_last,
                   int64_t first_held, struct str frames);

/* Consecutive events as WebSocket frames, back to back. Valid until the next call into the log. */
struct log_run {
    int64_t seq_first, seq_last;
    unsigned char *bytes;
    size_t len;
};
/* Takes the first event off the run: its seq and JSON. False when there is none left. */
bool log_run_next(struct log_run *run, int64_t *seq, struct str *json);

enum log_next { LOG_NEXT_RUN, LOG_NEXT_WAIT, LOG_NEXT_SNAPSHOT, LOG_NEXT_ERROR };

struct log_chunk;
struct log_cursor {
    /* In */
    struct id session_id;
    int64_t next_seq;                    /* the next one wanted: after + 1 */
    void (*ready)(struct log_cursor *c); /* after LOG_NEXT_WAIT: there may be more now; never
                                            inside log_cursor_next */
    /* Or NULL: the short way, in place of `ready`. `run` is what the tail has for a cursor that
     * waited, LOG_DELIVER_BYTES at most or one event. True: all of it is taken, the cursor has
     * moved past it and waits on. False: nothing was, and `ready` follows. Must not close the
     * cursor. */
    bool (*deliver)(struct log_cursor *c, const struct log_run *run);
    void *data; /* what deliver() looks at: fetched ahead, 64 bytes of it. Or NULL */
    /* Or NULL: deliver() is next, for several cursors; `data` has been fetched. Looks at what else
     * it takes, so that several of them come into the caches side by side. */
    void (*soon)(const struct log_cursor *c);
    /* Private */
    struct list link; /* in tail->idle, ->waiting or ->due, or in read->cursors */
    struct log_hub *hub;
    struct log_tail *tail;
    struct log_read *read;   /* under way */
    struct log_chunk *chunk; /* what a read gave, as far as it was not taken yet */
    size_t chunk_at;
    int64_t drained_at; /* the store had nothing at this next_seq */
    int status;
    bool failed;
    bool gone; /* next_seq is no longer held */
};
void log_cursor_open(struct log_hub *h, struct log_cursor *c);
void log_cursor_close(struct log_cursor *c); /* may be called inside ready */
/* LOG_NEXT_RUN: *out has at least one event, and no more than bytes_max bytes unless the first
 * alone is longer; the cursor has moved past it. LOG_NEXT_WAIT: `ready` will come.
 * LOG_NEXT_SNAPSHOT: the log no longer holds next_seq; close it. LOG_NEXT_ERROR: reading failed
 * (c->status); another call tries again. */
enum log_next log_cursor_next(struct log_cursor *c, size_t bytes_max, struct log_run *out);
/* Is something there now, without waiting? */
bool log_cursor_has_more(const struct log_cursor *c);

/* The "sessions" channel: session_state_change events of every session. `frame` may unwatch itself
 * only. */
struct log_watcher {
    void (*frame)(struct log_watcher *w, struct id session_id, struct str json);
    void *data;
    struct log_hub *hub; /* private */
    struct list link;
};
void log_watch(struct log_hub *h, struct log_watcher *w);
void log_unwatch(struct log_watcher *w);

struct log_stats {
    unsigned tails, cursors, reads;
    size_t bytes;
};
void log_stats(const struct log_hub *h, struct log_stats *out);

#endif
