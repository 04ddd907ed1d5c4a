/* Writes to many sockets at the same time: the thread that asks and a few that help it.
 *
 *     loop    senders_run ─┬─ send send send … ─────────┬─ each outcome stands in its job
 *     helper               └─ (woken) send send send … ─┘
 *
 * Fork and join: the call returns when all has been given to the kernel, so a helper shares nothing
 * with the loop but the jobs, and only meanwhile. Whoever is free takes the next few jobs: a helper
 * that the system wakes late finds nothing left to do, and nobody waits for it. Helpers are started
 * when first there is enough for them, sleep in between, and look at nothing but jobs.
 */
#ifndef SLUICE_NET_UV_SENDERS_H
#define SLUICE_NET_UV_SENDERS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SENDERS_MAX 4  /* threads at most, the caller's among them */
#define SENDERS_MIN 48 /* jobs from which a helper is woken: a wake-up costs what two writes do */

struct send_job {
    /* In: stand unmoved until the call returns. No socket stands in two jobs. */
    unsigned char *bytes;
    size_t len;
    int fd;
    unsigned frames; /* and data: the caller's */
    void *data;
    /* Out: as of send_now() */
    ssize_t sent;
};

struct senders;
/* threads: the caller's included, up to SENDERS_MAX; 0: one a core. */
struct senders *senders_create(unsigned threads);
/* Ends the helpers. NULL: nothing. */
void senders_destroy(struct senders *s);
/* How many of them there may be, the caller's included; not 0. */
unsigned senders_threads(const struct senders *s);
/* One thread at a time. Where helpers cannot be started, the caller's does all. */
void senders_run(struct senders *s, struct send_job *jobs, unsigned count);

/* Whether a write failed with that errno only because it would have to wait. */
static inline bool send_is_full(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS;
}
/* One write, without waiting: the bytes that the socket took, 0 when it is full, -1 when it is
 * broken. */
ssize_t send_now(int fd, const void *bytes, size_t n);

#endif
