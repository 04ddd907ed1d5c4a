/* The audit log: who asked for what, when, from where, and how it was answered (docs/SECURITY.md).
 *
 *     request ──> carried out ──> answered ──> noted in memory ── 100 ms ──> one write for all
 *
 * An entry is noted when the request is answered and written soon after, off the way of commands.
 * What the process dies with (kill -9, power) is at most those of the last moment; at a shutdown
 * all are written. While the store fails they wait, up to AUDIT_WAITING_MAX.
 *
 * Where nobody is asked who they are (no auth), what sessions are told is not noted: their own logs
 * have it. Bodies, keys and headers never stand in an entry.
 */
#ifndef SLUICE_APP_AUDIT_H
#define SLUICE_APP_AUDIT_H

#include <uv.h>

#include "net/service.h"
#include "store/store_audit.h"

struct app;
struct audit_batch;

#define AUDIT_FLUSH_MS    100
#define AUDIT_RETRY_MS    1000
#define AUDIT_WAITING_MAX 10000   /* entries that wait for the store; more are counted, and lost */
#define AUDIT_PRUNE_MS    3600000 /* between two looks for old entries */

struct audit {
    struct app *app;
    uv_timer_t timer;
    struct audit_batch *filling, *writing; /* or NULL */
    struct store_audit_prune prune;
    bool pruning, closed;
    int64_t pruned_at;
    unsigned long long noted, lost;
};

void audit_open(struct audit *t, struct app *a);
/* Writes what waits; the store is closed after it, and finishes that first. */
void audit_close(struct audit *t);
/* Before a request is carried out: its answer will be noted, if it is one to note. */
void audit_watch(struct audit *t, struct svc_req *req);
/* net has refused it. */
void audit_refused(struct audit *t, const struct svc_req *req);

#endif
