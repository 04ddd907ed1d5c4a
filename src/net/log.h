/* The event log as readers see it: one bounded tail of encoded frames per session in memory, shared by
 * all readers, and cursors that read on from the store when they are behind it.
 *
 *      journal ── log_seal ──> tail [seq a … b] <── log_cursor_next ── WebSocket, SSE
 *                                  behind a: reader->read (the store, through app)
 *
 * Only committed events are sealed, in order, without gaps. Nobody has a queue: a slow reader costs a
 * cursor. A tail exists while its session is live or has cursors; all tails together are bounded
 * (LOG_TAILS_BYTES_MAX), the oldest bytes go first. Loop thread only.
 */
#ifndef SLUICE_NET_LOG_H
#define SLUICE_NET_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/list.h"

#define LOG_HEADROOM         16           /* free bytes before each frame, for the transport's header (LWS_PRE) */
#define LOG_TAIL_BYTES_MAX   (256u << 10) /* of one session */
#define LOG_TAILS_BYTES_MAX  (64u << 20)
#define LOG_READ_BYTES       (256u << 10) /* one read behind the tail */

/* A read of stored events, answered through log_read_done(). Made by the log, carried by app. */
struct log_read {
    struct id session_id;
    int64_t after;
    /* Private */
    struct list cursors; /* who waits for it */
    struct log_hub *hub;
    struct list link;
};
struct log_reader { /* app implements it over the store */
    /* Answers later (never inside) by log_read_done(). */
    void (*read)(struct log_reader *r, struct log_read *read);
};

struct log_hub;
struct log_hub *log_hub_create(struct log_reader *reader);
void log_hub_destroy(struct log_hub *h); /* no cursors, no reads under way */

/* frames: whole events joined by '\n', seq_first … seq_last. status_changed: the batch holds a session_state_change
 * (then the "sessions" channel gets those frames). Calls `ready` of waiting cursors. */
void log_seal(struct log_hub *h, struct id session_id, int64_t seq_first, int64_t seq_last,
              struct str frames);
/* The session has left memory: its tail may go when nobody reads it. */
void log_forget(struct log_hub *h, struct id session_id);
/* The last sealed seq of a session with a tail; -1 when the hub has no tail of it. */
int64_t log_last_seq(const struct log_hub *h, struct id session_id);

/* status 0: frames as in log_seal (seq_first may be <= after: the log skips); empty: nothing after `after` is stored.
 * first_held > after + 1: the events were folded away, readers must take a snapshot. */
void log_read_done(struct log_read *read, int status, int64_t seq_first, int64_t seq_last,
                   int64_t first_held, struct str frames);

struct log_frame {
    int64_t seq;
    unsigned char *bytes; /* LOG_HEADROOM writable bytes lie before it; valid until the next call into the log */
    size_t len;
};

enum log_next { LOG_NEXT_FRAME, LOG_NEXT_WAIT, LOG_NEXT_SNAPSHOT, LOG_NEXT_ERROR };

struct log_cursor {
    /* In */
    struct id session_id;
    int64_t next_seq; /* the next one wanted: after + 1 */
    void (*ready)(struct log_cursor *c); /* after LOG_NEXT_WAIT: there may be more now; not inside log_cursor_next */
    void *data;
    /* Private */
    struct log_hub *hub;
    struct list link;
    struct log_read *read;
    struct buf chunk; /* read behind the tail */
    size_t chunk_at;
    int status;
    bool waiting;
};
void log_cursor_open(struct log_hub *h, struct log_cursor *c);
void log_cursor_close(struct log_cursor *c); /* may be called inside ready */
/* LOG_NEXT_FRAME: *out, and the cursor has moved on. LOG_NEXT_WAIT: `ready` will come. LOG_NEXT_SNAPSHOT: the log no longer holds
 * next_seq. LOG_NEXT_ERROR: reading failed (c->status). */
enum log_next log_cursor_next(struct log_cursor *c, struct log_frame *out);

/* The "sessions" channel: session_state_change frames of every session. `frame` must not close the watcher's list. */
struct log_watcher {
    void (*frame)(struct log_watcher *w, struct id session_id, struct str frame);
    void *data;
    struct list link;
};
void log_watch(struct log_hub *h, struct log_watcher *w);
void log_unwatch(struct log_watcher *w);

#endif
