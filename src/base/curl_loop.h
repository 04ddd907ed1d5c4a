/* libcurl's multi interface on a uv loop: its sockets stand in an epoll set of their own, which one
 * uv_poll watches; its timeout is a uv_timer.
 *
 *     sockets ──> epoll set ──> latch ──> uv_poll ──┐
 *                     └────(set aside)─────> curl_loop_read ──> curl_multi_socket_action × n
 *     uv_timer ─────────────────────────────────────┘                 │       └─> after()
 *                                                                     └─> write callbacks
 *
 * All sockets that are ready are read in one go, within bounds: what is left is for the next turn
 * of the loop. Who gathers sets the sockets aside: they wake the loop no more, and are read when it
 * asks for it. The latch is a second epoll set, which has nothing in it but the first one: to ask
 * it for nothing, or for that again, is a short call. To take the first one out of the loop's own
 * set and put it back, as uv_poll_stop() does, has the kernel walk every socket in it, for they
 * might watch each other in a ring.
 *
 * libcurl must not be called from its own callbacks (adding or removing a handle there fails), so
 * those only note what came; `after` runs when libcurl has returned, once for all that was read,
 * and may call anything.
 *
 * A tap may read a socket in libcurl's stead, as far as libcurl need not know (and it must not have
 * read anything of it ahead).
 */
#ifndef SLUICE_BASE_CURL_LOOP_H
#define SLUICE_BASE_CURL_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <uv.h>

#include "base/err.h"

/* Of one turn, so that what else waits in the loop waits for a millisecond or two. */
#define CURL_LOOP_TURN_BYTES   (128u << 10)
#define CURL_LOOP_SOCKET_BYTES 1024u /* what a socket counts for at least: a call costs, too */
#define CURL_LOOP_BATCH_MAX    64    /* that the set is asked for at once */
#define CURL_LOOP_TAP_BYTES    (16u << 10)

/* What was taken of a socket and still stands in it. */
struct curl_loop_owed {
    int fd; /* -1: it was closed */
    size_t bytes;
};

/* Of a transfer that has a socket. */
struct curl_loop_owner {
    void *data;     /* NULL: no transfer's */
    unsigned round; /* that it last had its turn in */
};

struct curl_loop {
    CURLM *multi;
    /* A socket could not be watched for want of memory: who uses it hears of nothing but its
     * timeouts. Cleared by who looks at it. */
    bool has_unwatched;
    /* Write callbacks add what they took: bytes of this turn. */
    size_t turn_bytes;
    /* Optional, set before the first transfer. It is asked when a socket can be read and nothing
     * else is to be said of it. owner: CURLOPT_PRIVATE of the transfer, of which tap_bytes are
     * fetched ahead. It looks at *taken bytes (MSG_PEEK), CURL_LOOP_TAP_BYTES at most, which are
     * discarded before anybody reads the socket again. False: the rest is for libcurl. Adds to
     * turn_bytes. */
    bool (*tap)(void *owner, int fd, size_t *taken);
    size_t tap_bytes;
    bool is_full; /* the last read has left something */
    /* Goes on when all sockets that were ready have had a turn: who made one wait that had its own
     * does not let it go on before, if there is a tap. `reads` tells whether any was ready. */
    unsigned round, reads;
    /* Private */
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t timer;
    int epoll_fd;                                  /* the sockets */
    int latch_fd;                                  /* epoll_fd, and what the loop watches */
    struct epoll_event batch[CURL_LOOP_BATCH_MAX]; /* those from batch_at on are to be read */
    int batch_at, batch_count;
    size_t watched;                 /* sockets in the set */
    struct curl_loop_owner *owners; /* by descriptor, if there is a tap */
    int owner_cap;
    struct curl_loop_owed owed[CURL_LOOP_BATCH_MAX];
    int owed_count;
    bool is_aside;
    void (*after)(void *data);
    void *data;
    void (*closed)(void *data);
    size_t open_handles;
};

/* ERR_INTERNAL: libcurl cannot be started, or no descriptor is left. */
int curl_loop_open(struct curl_loop *l, uv_loop_t *loop, void (*after)(void *data), void *data,
                   struct errbuf *e);
/* Every easy handle was removed before. Calls closed(data) when no handle is left. */
void curl_loop_close(struct curl_loop *l, void (*closed)(void *data));

/* Set aside: sockets that become ready do not wake the loop; curl_loop_read() is for the caller. */
void curl_loop_set_aside(struct curl_loop *l, bool is_aside);
/* Reads what is ready, of one turn; not from within `after` or a write callback. False: there may
 * be more. */
bool curl_loop_read(struct curl_loop *l);
/* To discard what taps took is a call for each socket, and an acknowledgement: who has set sockets
 * aside may do it when nobody waits. Whatever else is done with them does it first. */
void curl_loop_discard(struct curl_loop *l);

#endif
