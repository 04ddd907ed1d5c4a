#include "base/curl_loop.h"

#include <assert.h>
#include <stdlib.h>

/* Connections that stay open for the next call. */
#define IDLE_CONNECTIONS_MAX 256L

struct curl_socket {
    uv_poll_t poll;
    struct curl_loop *loop;
    curl_socket_t fd;
};

static void curl_loop_handle_closed(struct curl_loop *l)
{
    assert(l->open_handles > 0);
    if (--l->open_handles == 0)
        l->closed(l->data);
}

static void curl_socket_closed(uv_handle_t *handle)
{
    struct curl_socket *s = handle->data;
    struct curl_loop *l = s->loop;
    free(s);
    curl_loop_handle_closed(l);
}

static void curl_socket_ready(uv_poll_t *poll, int status, int events)
{
    struct curl_socket *s = poll->data;
    struct curl_loop *l = s->loop;
    int bits = 0, running;
    if (status < 0)
        bits |= CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        bits |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        bits |= CURL_CSELECT_OUT;
    /* s may be gone when this returns. */
    curl_multi_socket_action(l->multi, s->fd, bits, &running);
    l->after(l->data);
}

static struct curl_socket *curl_socket_create(struct curl_loop *l, curl_socket_t fd)
{
    struct curl_socket *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = l;
    s->fd = fd;
    if (uv_poll_init_socket(l->loop, &s->poll, fd) != 0) {
        free(s);
        return NULL;
    }
    s->poll.data = s;
    l->open_handles++;
    return s;
}

/* CURLMOPT_SOCKETFUNCTION. At CURL_POLL_REMOVE the descriptor is still open, so the handle leaves
 * epoll here, before libcurl closes the descriptor and its number can come again. */
static int curl_loop_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    struct curl_loop *l = data;
    struct curl_socket *s = socket_data;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            curl_multi_assign(l->multi, fd, NULL);
            uv_close((uv_handle_t *)&s->poll, curl_socket_closed);
        }
        return 0;
    }
    if (!s) {
        s = curl_socket_create(l, fd);
        /* Anything but 0 would be the end of the whole multi handle. */
        if (!s) {
            l->has_unwatched = true;
            return 0;
        }
        curl_multi_assign(l->multi, fd, s);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&s->poll, events, curl_socket_ready);
}

static void curl_loop_timer_fired(uv_timer_t *timer)
{
    struct curl_loop *l = timer->data;
    int running;
    curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    l->after(l->data);
}

/* CURLMOPT_TIMERFUNCTION. Also a timeout of 0 may not act at once: libcurl is still running. */
static int curl_loop_timer_set(CURLM *multi, long timeout_ms, void *data)
{
    struct curl_loop *l = data;
    (void)multi;
    if (timeout_ms < 0)
        return uv_timer_stop(&l->timer);
    return uv_timer_start(&l->timer, curl_loop_timer_fired, (uint64_t)timeout_ms, 0);
}

int curl_loop_open(struct curl_loop *l, uv_loop_t *loop, void (*after)(void *data), void *data,
                   struct errbuf *e)
{
    *l = (struct curl_loop){.loop = loop, .after = after, .data = data};
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return err_set(e, ERR_INTERNAL, "libcurl cannot be started");
    l->multi = curl_multi_init();
    if (!l->multi) {
        curl_global_cleanup();
        return err_set(e, ERR_INTERNAL, "libcurl cannot be started");
    }
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    l->open_handles = 1;
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, curl_loop_socket);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, curl_loop_timer_set);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX);
    return 0;
}

static void curl_loop_timer_closed(uv_handle_t *handle)
{
    curl_loop_handle_closed(handle->data);
}

void curl_loop_close(struct curl_loop *l, void (*closed)(void *data))
{
    l->closed = closed;
    curl_multi_cleanup(l->multi); /* may still set the timer and drop sockets */
    l->multi = NULL;
    curl_global_cleanup();
    uv_close((uv_handle_t *)&l->timer, curl_loop_timer_closed);
}
