/* Events that come alone (tokens), a commit's in one slot of event_ring (decision 32).
 *
 *     commit of tokens ──> one slot, written over: an array of each column ──> readers, by SQL
 *                     └──> once it is durable: the session's rows here, in memory
 *                                      │ 64 rows, 16 kB, or three quarters when another
 *                                      │ has so many; or the session's next commit has
 *                                      │ more than events
 *                                      v
 *                         one row of session_events, in the same transaction
 *
 * What is in memory stands in slots, too. It is here so that it need not be read back: whatever
 * else wants a session's events in session_events has sluice_ring_settle() do it, out of the slots.
 * What a slot has of a session counts when it lies beyond the session's last row in session_events,
 * and its owner has the session; so a row that was folded is an old one where it was, and a slot is
 * free when all of its are old.
 *
 *     a session that is released, an instance that goes or comes    settled, in that transaction
 *     a commit that is looked at one by one                         settled, in that transaction
 *     a connection that was lost                                    all is settled, by the next one
 *     a session that is claimed, or deleted                         what slots have of it is voided
 *
 * The slots are this process's alone: an instance's row that is made, or made again, begins without
 * any. They hang on that row. Whoever takes that away has folded and deleted them
 * before in the same transaction: so an owner that was held for dead finds no slot, and writes
 * nothing.
 *
 * The writer's jobs use it, one at a time. */
#ifndef SLUICE_STORE_PG_RING_H
#define SLUICE_STORE_PG_RING_H

#include "base/table.h"
#include "engine/records.h"
#include "store/pg_known.h"
#include "store/store.h"

#define PG_RING_SLOTS    4096
#define PG_RING_FIRST    8     /* slots that are made when there are none; later as many again, */
#define PG_RING_STEP     64    /* or so many at a time */
#define PG_RING_ROWS     64    /* of a session; and of a slot */
#define PG_RING_BYTES    16384 /* the same, of frames */
#define PG_RING_SESSIONS 2048  /* 34 MB if all are full */
#define PG_RING_SPARE    64    /* kept for the next session, so that a token allocates nothing */
#define PG_RING_FOLDS    16    /* sessions folded at once: one is full, or no slot is free */

/* A session with rows in slots, or with some that the commit under way will put there. */
struct pg_ring_session {
    struct list order;   /* of the ring's, while it has rows */
    struct list touched; /* by the commit under way */
    struct id id;
    int64_t seq_first, seq_last, at; /* of its rows; at: of the last */
    size_t bytes;
    int rows;
    /* In the commit under way */
    bool folds; /* its rows become one of session_events */
    int staged;
    size_t staged_bytes;
    int64_t staged_last;
    uint16_t slot[PG_RING_ROWS];
    char frames[PG_RING_BYTES]; /* lines; the last: most of it is often not touched */
};

struct pg_ring_staged {
    struct pg_ring_session *session;
    const struct delta *delta;
    size_t index; /* of the delta, in the commit */
};

struct pg_ring {
    struct id owner; /* of all slots */
    struct table sessions;
    struct list order;            /* whose first row is older comes first */
    uint16_t live[PG_RING_SLOTS]; /* rows of a slot that are not folded */
    bool in_doubt;                /* a commit may have folded what is here, or not */
    int slots;                    /* that the owner has */
    int low;                      /* none below is free */
    struct list spare;            /* by `order` */
    int spare_count;
    /* The commit under way */
    struct list touched;
    struct pg_ring_staged staged[PG_RING_ROWS];
    int staged_count;
    bool has_full;  /* a session has no room for more, so those like it are folded, too */
    int slot;       /* that they are put into */
    int slots_then; /* so many slots there are after it */
    unsigned looks; /* commits since it was last looked for slots too many */
};

void pg_ring_init(struct pg_ring *r);
void pg_ring_deinit(struct pg_ring *r);
/* The owner's slots are gone, and what counted of them stands in session_events. */
void pg_ring_clear(struct pg_ring *r);
/* The connection is lost: what became of slots is not known. Before anything else is written, all
 * that they have is settled, and they are deleted; then pg_ring_clear(). */
void pg_ring_doubt(struct pg_ring *r);
/* What the session has in slots is old, or void. */
void pg_ring_drop(struct pg_ring *r, struct id session);

/* ---- a commit ---- */

/* Which of the deltas go into a slot (`staged`), and which sessions' rows become rows of
 * session_events with it (`folds`): those of all other deltas, and those that are full. Those are
 * written only while the owner's row is held, by whatever statement. */
void pg_ring_plan(struct pg_ring *r, const struct pg_known *k, const struct store_commit *req);
void pg_ring_committed(struct pg_ring *r, struct pg_known *k);
/* It was not, or nobody knows. */
void pg_ring_undo(struct pg_ring *r);

/* NULL: the session has no rows here. */
const struct pg_ring_session *pg_ring_find(const struct pg_ring *r, struct id session);

#endif
