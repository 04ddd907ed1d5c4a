/* libcurl's multi interface on a uv loop: sockets become uv_poll handles, its timeout a uv_timer.
 *
 *     uv_poll, uv_timer ──> curl_multi_socket_action ──> write callbacks … ──> after()
 *
 * libcurl must not be called from its own callbacks (adding or removing a handle there fails), so
 * those only note what came; `after` runs when libcurl has returned, and may call anything.
 */
#ifndef SLUICE_BASE_CURL_LOOP_H
#define SLUICE_BASE_CURL_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"

struct curl_loop {
    CURLM *multi;
    /* A socket could not be watched for want of memory: who uses it hears of nothing but its
     * timeouts. Cleared by who looks at it. */
    bool has_unwatched;
    /* Private */
    uv_loop_t *loop;
    uv_timer_t timer;
    void (*after)(void *data);
    void *data;
    void (*closed)(void *data);
    size_t open_handles;
};

/* ERR_INTERNAL: libcurl cannot be started. */
int curl_loop_open(struct curl_loop *l, uv_loop_t *loop, void (*after)(void *data), void *data,
                   struct errbuf *e);
/* Every easy handle was removed before. Calls closed(data) when no handle is left. */
void curl_loop_close(struct curl_loop *l, void (*closed)(void *data));

#endif
