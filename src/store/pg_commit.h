/* What the files of STORE_COMMIT have in common.
 *
 *     pg_commit.c        begins: all at once, in one round trip
 *     pg_commit_rows.c   the rows of a delta
 *     pg_commit_judge.c  one by one: what is rare
 */
#ifndef SLUICE_STORE_PG_COMMIT_H
#define SLUICE_STORE_PG_COMMIT_H

#include "base/arena.h"
#include "base/table.h"
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

/* In the order in which they are written. */
enum commit_part {
    PART_WORKSPACES,
    PART_SESSIONS,
    PART_DETAILS,
    PART_UPDATES,
    PART_META,
    PART_META_DETAILS,
    PART_EVENTS,
    PART_RUNS,
    PART_EFFECTS,
    PART_EFFECTS_DONE,
    PART_TIMERS,
    PART_TIMERS_DONE,
    PART_MESSAGES,
    PART_WITHHELD_CLEAR,
    PART_WITHHELD,
    PART_KEYS,
    PART_COMMANDS,
    PART_COMMANDS_NEW,
    PART_INTERRUPTS,
    PART_TASKS,
    PART_TASKS_DONE,
    PART_FILES,
    PART_USAGE,
    PART_COUNT,
};

/* What is to be done with a delta: its rows are written table by table; by the statement of an
 * owner's events; into a slot (pg_ring.h); it stands; it is refused. */
enum verdict { VERDICT_WRITE, VERDICT_OWNED, VERDICT_SLOT, VERDICT_STANDS, VERDICT_REFUSE };

struct pg_commit {
    struct pg_rows parts[PART_COUNT];
    struct pg_rows lock, judge, keys, commands; /* to look at */
    struct pg_rows owned;                       /* events of one owner's sessions */
    struct pg_rows unknown;                     /* of these, the ones that are looked at */
    struct pg_rows slot;                        /* what goes into one (pg_ring.h) */
    struct pg_rows settle;                      /* sessions that are settled */
    struct table runs;                          /* run ids of one delta */
    struct packer *packer;
    struct arena packed; /* what it made for the rows under way */
    enum verdict *verdicts;
    size_t *key_of; /* the delta of each Idempotency-Key that is looked at */
    size_t verdicts_cap;
    size_t first, end; /* the deltas that are tried */
    int looked_from;   /* the statement of the batch that judges */
    int64_t rows;
    bool is_slot_alone; /* nothing but a slot is written */
};

struct store_commit *pg_commit_of(struct pg_job *j);

/* ---- rows (pg_commit_rows.c) ---- */

/* The end of PG_EVENTS_INSERT and PG_EVENTS_OF_OWNER is the caller's. */
void pg_commit_event(struct pg_rows *r, const struct delta *d, struct str packed);
/* The rows of the deltas that are to be written, and of what is folded with them. False: too many
 * bytes for one statement. */
bool pg_commit_fill(struct pg_commit *c, const struct store_commit *req,
                    const struct pg_ring *ring);
/* Adds all statements that have rows to the batch. */
void pg_commit_add_parts(struct pg_commit *c, struct pg_conn *conn);
/* What was packed for rows: they have copies. */
void pg_commit_forget_packed(struct pg_commit *c);

/* ---- one by one (pg_commit_judge.c) ---- */

/* Locks and looks at the sessions of the deltas that are tried; PG_WAIT, or a status. */
int pg_commit_judge(struct pg_job *j);
/* The same with each delta from `first` on in a transaction of its own. */
int pg_commit_alone(struct pg_job *j, size_t first);

/* ---- of both (pg_commit.c) ---- */

/* All that were tried have their verdict. PG_WAIT when others are left, or 0. */
int pg_commit_decided(struct pg_job *j);
/* Whether the database itself is in trouble, rather than one of our rows. */
bool pg_commit_is_trouble(const struct pg_conn *c);
/* The batch's failure becomes the request's; its code. */
int pg_commit_failed(struct pg_job *j);
/* Locks the sessions of these rows; their first column is the id. */
void pg_commit_add_lock(struct pg_job *j, struct pg_rows *r);

#endif
