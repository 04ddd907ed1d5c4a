/* Accepting is ours and not libwebsockets': a reason when the address cannot be taken, an end of it
 * at shutdown, and a stop when there is no room, instead of a loop that accepts and fails. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/lws_net.h"

#define BACKLOG           1024
#define ACCEPTS_IN_A_TURN 64
#define ACCEPT_PAUSE_MS   1000
#define ACCEPT_TOLD_MS    60000

static int listen_socket(const struct addrinfo *a)
{
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    one = errno;
    close(fd);
    errno = one;
    return -1;
}

/* The port stands in the same place for both families. */
static int listen_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    socklen_t n = sizeof(a);

    memset(&a, 0, sizeof(a));
    if (getsockname(fd, &a.any, &n) < 0)
        return -1;
    return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

/* Errors that concern the one connection; others are about room. */
static bool accept_goes_on(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

/* Until a connection has gone, or for a moment. Whoever keeps all of them must not fill the log. */
static void accept_pause(struct net_server *s, int error)
{
    uint64_t now = uv_now(s->loop);

    s->accept_paused = true;
    uv_poll_stop(s->listen);
    net_arm(s, now + ACCEPT_PAUSE_MS);
    if (s->accept_told_at != 0 && now - s->accept_told_at < ACCEPT_TOLD_MS)
        return;
    s->accept_told_at = now;
    log_warn("net", "new connections wait: %s (%llu are open)", strerror(error),
             (unsigned long long)s->stats.connections);
}

static void accept_event(uv_poll_t *poll, int status, int events)
{
    struct net_server *s = poll->data;
    int one = 1;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_IN_A_TURN; i++) {
        int fd = -1;
        errno = EMFILE;
        if (s->stats.connections < s->connections_max + s->refused_max) {
            fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                return;
            if (fd < 0 && accept_goes_on(errno))
                continue;
        }
        if (fd < 0) {
            accept_pause(s, errno);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        lws_adopt_socket_vhost(s->vhost, fd); /* closes it when it fails */
    }
}

int net_listen(struct net_server *s, int port, struct errbuf *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    char service[16];
    int r;

    snprintf(service, sizeof(service), "%d", port);
    r = getaddrinfo(s->host, service, &hints, &found);
    if (r != 0)
        return err_set(e, ERR_IO, "cannot listen on %s: %s", s->host, gai_strerror(r));
    s->listen_fd = listen_socket(found);
    freeaddrinfo(found);
    if (s->listen_fd < 0)
        return err_set(e, ERR_IO, "cannot listen on %s port %d: %s", s->host, port,
                       strerror(errno));
    s->guard = (struct guard){s->host, listen_port(s->listen_fd), s->origins};
    s->listen = mem_alloc(sizeof(*s->listen));
    uv_poll_init(s->loop, s->listen, s->listen_fd);
    s->listen->data = s;
    uv_poll_start(s->listen, UV_READABLE, accept_event);
    return 0;
}

void net_accept_again(struct net_server *s)
{
    if (!s->accept_paused || !s->listen)
        return;
    s->accept_paused = false;
    uv_poll_start(s->listen, UV_READABLE, accept_event);
}

static void listen_closed(uv_handle_t *h)
{
    free(h);
}

void net_unlisten(struct net_server *s)
{
    if (s->listen)
        uv_close((uv_handle_t *)s->listen, listen_closed);
    s->listen = NULL;
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    s->listen_fd = -1;
}
