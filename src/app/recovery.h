/* Recovery: sessions that nobody has and that have something to do are taken up.
 *
 *     at start, when an instance has died or gives sessions away, and now and then:
 *       running work of free sessions     STORE_SCAN_BUSY, a page in random order, a few at a time,
 *                                         so that several survivors share the work
 *       due timers                        STORE_SCAN_TIMERS, of free sessions and our own
 *       commands that wait                STORE_COMMAND_LIST of free sessions and our own
 *     when a timer of a session out of memory is due: that one
 *
 * Claims are conditional: of several that want a session one gets it, the others see ERR_STALE.
 */
#ifndef SLUICE_APP_RECOVERY_H
#define SLUICE_APP_RECOVERY_H

#include <uv.h>

#include "store/store.h"

struct app;

#define RECOVERY_PAGE     500
#define RECOVERY_AT_ONCE  64   /* sessions asked for and not yet here */
#define RECOVERY_RETRY_MS 1000 /* after the store failed */

struct recovery {
    struct app *app;
    struct store_scan_busy busy;
    struct store_scan_timers due;
    struct store_command_list inbox;
    struct id page[RECOVERY_PAGE]; /* of busy sessions, those from page_at on still to be asked */
    int page_count, page_at;
    bool page_full;      /* more may follow */
    uv_timer_t cold;     /* when the next timer of a session out of memory is due */
    int64_t cold_due_at; /* 0: none */
    uv_timer_t retry;
    unsigned waiting; /* sessions asked for and not yet here */
    bool starting;    /* the first scans have not all been begun */
    bool scanning_busy, busy_again, scanning_due, due_again, scanning_inbox, inbox_again;
    unsigned recovered; /* since the last time that all was quiet */
    unsigned long long recovered_total;
    void (*ready)(struct app *a); /* once, when the first scan is through */
};

int recovery_open(struct recovery *r, struct app *a);
void recovery_start(struct recovery *r, void (*ready)(struct app *a));
/* Everything once more; while it is at it: once more after that. */
void recovery_rescan(struct recovery *r);
void recovery_scan_inbox(struct recovery *r);
/* This session is wanted in memory, if it can be had. */
void recovery_want(struct recovery *r, struct id session_id);
/* A session with this timer has left memory. */
void recovery_note_timer(struct recovery *r, int64_t due_at);
void recovery_close(struct recovery *r);

#endif
