/* Events that came alone and are not yet folded into session_events (decision 21).
 *
 *     commit of events alone ──> the ring (a page) ──────────┐ COMMIT, then
 *                                                            v
 *                                      the session's rows, here in memory ──> readers
 *                                                            │ full; or the session's next
 *                                                            │ commit has more than events
 *                                                            v
 *                              one row of session_events, its frames joined by '\n'
 *
 * What is in memory is in the ring too, durable; the ring itself is read after a start alone
 * (sqlite_recent_recover). A session's rows here follow what it has in session_events, or were
 * folded since they were looked at: then session_events has all of them, and more.
 *
 * So a reader copies a session's rows (sqlite_recent_look) *before* its transaction sees the file,
 * and takes of them what begins behind the last row that it finds there: a prefix of the log, at
 * least as long as when it asked, whatever the writer does meanwhile.
 *
 * Whatever changes, claims or deletes a session settles it first: folds what is here within the
 * same transaction. All functions but those of readers are for who has the writer's connection;
 * memory changes when a transaction has been committed (sqlite_recent_committed), under the mutex.
 */
#ifndef SLUICE_STORE_SQLITE_RECENT_H
#define SLUICE_STORE_SQLITE_RECENT_H

#include "base/table.h"
#include "engine/records.h"
#include "store/sqlite_ring.h"
#include "store/store.h"

#define RECENT_ROWS     64
#define RECENT_BYTES    16384 /* of frames; a row of session_events is hardly larger */
#define RECENT_SESSIONS 2048  /* 34 MB if all are full, of which the ring lets 8 be */
#define RECENT_SPARE    64    /* kept for the next session, so that a token allocates nothing */

struct sqlite_recent; /* one for a store */

struct sqlite_recent *sqlite_recent_create(void);
void sqlite_recent_destroy(struct sqlite_recent *s);

/* ---- the writer's ---- */

/* In one transaction: ring records become rows of session_events, and the ring is empty. For a
 * file that nobody else has open. The sentence stands in db->error. */
int sqlite_recent_recover(struct sqlite_db *db);
/* As above, within a transaction that is under way. */
int sqlite_recent_drain(struct sqlite_db *db);

void sqlite_recent_begin(struct sqlite_db *db);
int sqlite_recent_end(struct sqlite_db *db); /* before COMMIT: all is in the ring's pages */
void sqlite_recent_committed(struct sqlite_db *db);
void sqlite_recent_undo(struct sqlite_db *db); /* after a rollback */

/* Whether a delta has nothing but a few events. */
bool sqlite_recent_fits(const struct delta *d);
/* Writes such a delta, if it simply goes on where its session's log ends; else *taken is false, and
 * nothing was written: it is for sqlite_commit_delta() to say what it is. The delta lives until the
 * transaction ends. */
int sqlite_recent_append(struct sqlite_db *db, const struct delta *d, bool *taken);
/* Folds what the session has here. */
int sqlite_recent_settle(struct sqlite_db *db, const struct id *id);
int sqlite_recent_settle_key(struct sqlite_db *db, int64_t key);
/* What the request is going to touch. */
int sqlite_recent_settle_for(struct sqlite_db *db, const struct store_req *req);
/* The session of this key, settled, has lost events: what the ring has of it must not come back. */
int sqlite_recent_forget(struct sqlite_db *db, int64_t key);
/* All of them, and the ring is emptied: for a store that closes. */
int sqlite_recent_settle_all(struct sqlite_db *db);

/* ---- readers' ---- */

struct recent_item {
    struct id id;
    int64_t key, seq_last;
};
/* As of one moment before a read. */
struct recent_view {
    struct recent_item *items; /* of the sessions that the request reads and that have rows here */
    size_t count;
    struct event_row *rows; /* of items[0], when the request reads one session's events */
};

/* What the request may need; arrays are of its arena. */
void sqlite_recent_look(struct sqlite_recent *s, struct store_req *req, struct recent_view *out);
/* Raises *last_seq to that of the session's rows here. */
void sqlite_recent_seq(const struct recent_view *v, const struct id *id, int64_t key,
                       int64_t *last_seq);
/* The session's rows behind `stored`, the last number that session_events has of it; NULL: none. */
struct event_row *sqlite_recent_rows(const struct recent_view *v, int64_t key, int64_t stored);

#endif
