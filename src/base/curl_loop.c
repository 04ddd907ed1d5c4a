#include "base/curl_loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* Connections that stay open for the next call. */
#define IDLE_CONNECTIONS_MAX 256L

static void curl_loop_handle_closed(struct curl_loop *l)
{
    assert(l->open_handles > 0);
    if (--l->open_handles == 0)
        l->closed(l->data);
}

/* ---- Sockets ---- */

/* What curl_multi_assign() keeps for a socket: the events that it is in the set with. */
static void *socket_mark(uint32_t events)
{
    return (void *)(uintptr_t)(events | EPOLLERR);
}

static uint32_t socket_events(const void *mark)
{
    return (uint32_t)(uintptr_t)mark;
}

/* The descriptor is about to be closed, and its number may come again within this batch. */
static void curl_loop_forget(struct curl_loop *l, curl_socket_t fd)
{
    for (int i = l->batch_at; i < l->batch_count; i++)
        if (l->batch[i].data.fd == fd)
            l->batch[i].data.fd = -1;
    for (int i = 0; i < l->owed_count; i++)
        if (l->owed[i].fd == fd)
            l->owed[i].fd = -1;
}

/* ---- Taps ---- */

static void curl_loop_set_owner(struct curl_loop *l, curl_socket_t fd, void *owner)
{
    if (!l->tap || (fd >= l->owner_cap && !owner))
        return;
    if (fd >= l->owner_cap) {
        int cap = fd < 64 ? 128 : fd * 2;
        l->owners = mem_realloc(l->owners, (size_t)cap * sizeof(*l->owners));
        memset(l->owners + l->owner_cap, 0, (size_t)(cap - l->owner_cap) * sizeof(*l->owners));
        l->owner_cap = cap;
    }
    l->owners[fd].data = owner;
}

/* NULL: none, or no tap is to be asked. */
static void *curl_loop_owner(const struct curl_loop *l, int fd)
{
    return fd >= 0 && fd < l->owner_cap ? l->owners[fd].data : NULL;
}

/* The set gives the sockets that are ready in turns, so one that comes again comes behind all that
 * were ready with it. */
static void curl_loop_count_round(struct curl_loop *l, int fd)
{
    if (fd >= l->owner_cap)
        return;
    if (l->owners[fd].round == l->round)
        l->round++;
    l->owners[fd].round = l->round;
}

/* False: libcurl is to read. */
static bool curl_loop_tap(struct curl_loop *l, const struct epoll_event *ev)
{
    void *owner = ev->events == EPOLLIN ? curl_loop_owner(l, ev->data.fd) : NULL;
    size_t taken = 0;
    bool is_all = owner && l->tap(owner, ev->data.fd, &taken);
    assert(l->owed_count < CURL_LOOP_BATCH_MAX && taken <= CURL_LOOP_TAP_BYTES);
    if (taken > 0)
        l->owed[l->owed_count++] = (struct curl_loop_owed){ev->data.fd, taken};
    return is_all;
}

/* MSG_TRUNC: nothing is copied. They stand in there, so an error is one that libcurl will see. */
static void owed_discard(struct curl_loop_owed o)
{
    static char nowhere[CURL_LOOP_TAP_BYTES];
    while (o.bytes > 0) {
        ssize_t n = recv(o.fd, nowhere, o.bytes, MSG_TRUNC | MSG_DONTWAIT);
        if (n <= 0)
            return;
        o.bytes -= (size_t)n;
    }
}

void curl_loop_discard(struct curl_loop *l)
{
    for (int i = 0; i < l->owed_count; i++)
        if (l->owed[i].fd >= 0)
            owed_discard(l->owed[i]);
    l->owed_count = 0;
}

/* What several taps are about to look at is fetched at once. */
static void curl_loop_fetch(const struct curl_loop *l)
{
    for (int i = 0; l->tap && i < l->batch_count; i++) {
        const void *owner = curl_loop_owner(l, l->batch[i].data.fd);
        if (owner)
            mem_fetch(owner, l->tap_bytes);
    }
}

/* ---- The set ---- */

static void curl_loop_drop(struct curl_loop *l, curl_socket_t fd)
{
    curl_multi_assign(l->multi, fd, NULL);
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    curl_loop_forget(l, fd);
    if (--l->watched == 0)
        uv_unref((uv_handle_t *)&l->poll);
}

/* CURLMOPT_SOCKETFUNCTION. At CURL_POLL_REMOVE the descriptor is still open, so it leaves the set
 * here, before libcurl closes it and its number can come again. */
static int curl_loop_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *mark)
{
    struct curl_loop *l = data;
    char *owner = NULL;
    if (what == CURL_POLL_REMOVE) {
        curl_loop_set_owner(l, fd, NULL);
        if (mark)
            curl_loop_drop(l, fd);
        return 0;
    }
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    curl_loop_set_owner(l, fd, owner);
    struct epoll_event ev = {.data.fd = fd};
    ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (mark && socket_events(mark) == socket_events(socket_mark(ev.events)))
        return 0;
    /* Anything but 0 would be the end of the whole multi handle. */
    if (epoll_ctl(l->epoll_fd, mark ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) != 0) {
        l->has_unwatched = true;
        return 0;
    }
    curl_multi_assign(l->multi, fd, socket_mark(ev.events));
    if (!mark && l->watched++ == 0)
        uv_ref((uv_handle_t *)&l->poll);
    return 0;
}

static void curl_loop_socket_ready(struct curl_loop *l, const struct epoll_event *ev)
{
    int bits = 0, running;
    l->turn_bytes += CURL_LOOP_SOCKET_BYTES;
    curl_loop_count_round(l, ev->data.fd);
    if (curl_loop_tap(l, ev))
        return;
    if (ev->events & (EPOLLERR | EPOLLHUP))
        bits |= CURL_CSELECT_ERR;
    if (ev->events & (EPOLLIN | EPOLLHUP))
        bits |= CURL_CSELECT_IN;
    if (ev->events & EPOLLOUT)
        bits |= CURL_CSELECT_OUT;
    curl_loop_discard(l); /* with this socket libcurl sees to timeouts of others */
    curl_multi_socket_action(l->multi, ev->data.fd, bits, &running);
}

/* False: the set has nothing for now. */
static bool curl_loop_batch(struct curl_loop *l)
{
    curl_loop_discard(l); /* or they would be found again */
    int n = epoll_wait(l->epoll_fd, l->batch, CURL_LOOP_BATCH_MAX, 0);
    l->batch_at = 0;
    l->batch_count = n > 0 ? n : 0;
    curl_loop_fetch(l);
    return n > 0;
}

bool curl_loop_read(struct curl_loop *l)
{
    bool has_read = false, is_all = false;
    l->turn_bytes = 0;
    while (!is_all && l->turn_bytes < CURL_LOOP_TURN_BYTES) {
        if (l->batch_at < l->batch_count) {
            struct epoll_event ev = l->batch[l->batch_at++];
            if (ev.data.fd >= 0)
                curl_loop_socket_ready(l, &ev);
            has_read = true;
        } else {
            /* One that is not full has left nothing behind. */
            is_all = (has_read && l->batch_count < CURL_LOOP_BATCH_MAX) || !curl_loop_batch(l);
        }
    }
    l->is_full = !is_all;
    l->round += is_all;
    l->reads++;
    if (!l->is_aside)
        curl_loop_discard(l);
    if (has_read)
        l->after(l->data); /* l may be closing when it returns */
    return is_all;
}

static void curl_loop_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    curl_loop_read(poll->data);
}

void curl_loop_set_aside(struct curl_loop *l, bool is_aside)
{
    if (l->is_aside == is_aside)
        return;
    struct epoll_event ev = {.events = is_aside ? 0 : EPOLLIN, .data.fd = l->epoll_fd};
    l->is_aside = is_aside;
    curl_loop_discard(l);
    int rc = epoll_ctl(l->latch_fd, EPOLL_CTL_MOD, l->epoll_fd, &ev);
    assert(rc == 0); /* it is in there, and nothing is allocated */
    (void)rc;
}

/* ---- Time ---- */

static void curl_loop_timer_fired(uv_timer_t *timer)
{
    struct curl_loop *l = timer->data;
    int running;
    curl_loop_discard(l);
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

static void curl_loop_close_sets(struct curl_loop *l)
{
    if (l->latch_fd >= 0)
        close(l->latch_fd);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
}

/* The sets, and the handle that watches them. ERR_INTERNAL. */
static int curl_loop_watch(struct curl_loop *l)
{
    struct epoll_event ev = {.events = EPOLLIN};
    l->epoll_fd = ev.data.fd = epoll_create1(EPOLL_CLOEXEC);
    l->latch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0 || l->latch_fd < 0 ||
        epoll_ctl(l->latch_fd, EPOLL_CTL_ADD, l->epoll_fd, &ev) != 0 ||
        uv_poll_init(l->loop, &l->poll, l->latch_fd) != 0) {
        curl_loop_close_sets(l);
        return ERR_INTERNAL;
    }
    l->poll.data = l;
    uv_poll_start(&l->poll, UV_READABLE, curl_loop_ready);
    uv_unref((uv_handle_t *)&l->poll); /* an empty set keeps no loop running */
    return 0;
}

int curl_loop_open(struct curl_loop *l, uv_loop_t *loop, void (*after)(void *data), void *data,
                   struct errbuf *e)
{
    *l = (struct curl_loop){.loop = loop, .after = after, .data = data, .round = 1};
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return err_set(e, ERR_INTERNAL, "libcurl cannot be started");
    l->multi = curl_multi_init();
    if (!l->multi || curl_loop_watch(l)) {
        curl_multi_cleanup(l->multi);
        curl_global_cleanup();
        return err_set(e, ERR_INTERNAL, "libcurl cannot be started");
    }
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    l->open_handles = 2;
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, curl_loop_socket);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, curl_loop_timer_set);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX);
    return 0;
}

static void curl_loop_part_closed(uv_handle_t *handle)
{
    curl_loop_handle_closed(handle->data);
}

void curl_loop_close(struct curl_loop *l, void (*closed)(void *data))
{
    l->closed = closed;
    curl_multi_cleanup(l->multi); /* may still set the timer and drop sockets */
    l->multi = NULL;
    curl_global_cleanup();
    uv_close((uv_handle_t *)&l->timer, curl_loop_part_closed);
    uv_close((uv_handle_t *)&l->poll, curl_loop_part_closed);
    curl_loop_close_sets(l);
    l->batch_at = l->batch_count = 0;
    free(l->owners);
    l->owners = NULL;
    l->owner_cap = 0;
}
