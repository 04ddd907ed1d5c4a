/* Sessions of which the writer knows that they are its owner's, so that a token's commit looks at
 * none of their rows (docs/decisions/0027).
 *
 * A commit has looked at a session's row while it held the lock of its owner's: the session named
 * that owner, and no later epoch. As long as the owner's row stands, which each commit sees by
 * locking it, or a slot that hangs on it, nobody else can claim the session, and nobody else
 * deletes one that has not ended. So what was seen holds until this store itself changes it, and
 * whoever does says so here, before:
 *
 *     a claim, a release, a deletion, a commit with more than events    pg_known_forget()
 *     a commit that is looked at one by one                            pg_known_forget()
 *     an instance's row that comes or goes; a new connection           pg_known_clear()
 *
 * It may forget any session at any time: then its row is looked at once more. */
#ifndef SLUICE_STORE_PG_KNOWN_H
#define SLUICE_STORE_PG_KNOWN_H

#include <stdbool.h>

#include "engine/records.h"

#define PG_KNOWN_SETS 1024 /* a power of two */
#define PG_KNOWN_WAYS 4    /* sessions of a set; 4,096 in all, 128 KB */

struct pg_known {
    struct id owner; /* of all of them */
    struct pg_known_session {
        struct id id;
        uint64_t epoch;       /* under which its events were written; the row's is no later */
        int64_t last;         /* of those events, the last; 0: free */
    } (*sets)[PG_KNOWN_WAYS]; /* NULL until something is known */
};

void pg_known_init(struct pg_known *k);
void pg_known_deinit(struct pg_known *k);

/* Whether events may follow without a look: the owner's, of that epoch, behind the last ones. */
bool pg_known_has(const struct pg_known *k, const struct delta *d);
/* The session will be asked for: its place is fetched into the caches meanwhile. */
void pg_known_fetch(const struct pg_known *k, struct id session);
/* The last number that is known of the session; 0: it is not known. */
int64_t pg_known_last(const struct pg_known *k, struct id session);
/* These events of the owner's session were written, and what must be so was so. */
void pg_known_put(struct pg_known *k, const struct delta *d);
/* These events are being written by a commit that looks for itself. */
void pg_known_follow(struct pg_known *k, const struct delta *d);
void pg_known_forget(struct pg_known *k, struct id session);
void pg_known_clear(struct pg_known *k);

#endif
