/* What log.c (tails) and log_cursor.c (cursors and reads) share. */
#ifndef SLUICE_NET_LOG_PRIVATE_H
#define SLUICE_NET_LOG_PRIVATE_H

#include "base/table.h"
#include "net/log.h"
#include "net/uv_senders.h"

/* Held: seq_first … seq_last, frame i of them at bytes + offsets[first + i]. Nothing held:
 * seq_first = seq_last + 1. */
struct log_tail {
    struct log_hub *hub;
    struct id session_id;
    struct list idle, waiting;   /* cursors; those in a read are in read->cursors */
    struct list due;             /* those that waited and are to be told */
    struct list telling;         /* in hub->telling while others than the loop's owner wait */
    unsigned cursors;            /* all of them */
    struct list by_seal;         /* in hub->tails while it holds bytes */
    int64_t seq_first, seq_last; /* seq_last -1: not known */
    unsigned char *bytes;
    size_t at, len, cap; /* live bytes: [at, len) */
    uint32_t *offsets;
    size_t first, count, offsets_cap;
    bool live;
    bool over;     /* the session's last event is known */
    bool followed; /* reader->follow was called */
    unsigned busy; /* being announced: not freed */
};

struct log_chunk {
    unsigned refs;
    int64_t seq_last;
    size_t len;
    unsigned char bytes[];
};

struct log_hub {
    struct log_reader *reader;
    struct table by_session;
    struct list tails; /* by seal, the oldest first */
    struct list telling;
    void (*later)(void *data);
    void *later_data;
    const struct log_together *together;
    struct send_job *jobs; /* TOGETHER_MAX of them, once some were told so */
    struct list watchers;
    struct table reads; /* by session and after, for sharing */
    struct list reads_queued;
    unsigned reads_started;
    unsigned cursors;
    size_t bytes; /* of all tails */
};

struct log_tail *log_tail_want(struct log_hub *h, struct id session_id);
/* Its cursors or `live` have changed: tells the reader whether it is to be fed. */
void log_tail_follow(struct log_tail *t);
void log_tail_maybe_free(struct log_tail *t);
/* As many frames from seq on as fit; seq is held. */
void log_tail_run(const struct log_tail *t, int64_t seq, size_t bytes_max, struct log_run *out);
/* Lets waiting cursors know; the tail may be gone afterwards. */
void log_tail_announce(struct log_tail *t);
/* Tells one cursor of the tail, which is in no list, and puts it where it belongs. The bytes that
 * it took at once; it may be closed afterwards. */
size_t log_cursor_tell(struct log_tail *t, struct log_cursor *c);
/* The first half of it for one that can be told together with others: false, and nothing has
 * changed, when it cannot. Else it is in no list and has moved on; log_cursor_told() follows. */
bool log_cursor_begin(struct log_tail *t, struct log_cursor *c, struct send_job *job);
void log_cursor_told(struct log_tail *t, const struct send_job *job);

#endif
