/* Recovery: at start, sessions that had work running are taken up again; later, sessions out of
 * memory are woken by their timers.
 */
#ifndef SLUICE_APP_RECOVERY_H
#define SLUICE_APP_RECOVERY_H

#include <uv.h>

#include "store/store.h"

struct app;

#define RECOVERY_PAGE 500

struct recovery {
    struct app *app;
    struct store_scan_busy busy;
    struct store_scan_timers due;
    uv_timer_t cold;     /* when the next timer of a session out of memory is due */
    int64_t cold_due_at; /* 0: none */
    unsigned waiting;    /* sessions asked for and not yet here */
    bool scanning_busy, scanning_due, due_again;
    unsigned recovered;
    void (*ready)(struct app *a); /* once, when the first scan is through */
};

int recovery_open(struct recovery *r, struct app *a);
void recovery_start(struct recovery *r, void (*ready)(struct app *a));
/* A session with this timer has left memory. */
void recovery_note_timer(struct recovery *r, int64_t due_at);
void recovery_close(struct recovery *r);

#endif
