/* What a loop of bare sockets can do: the limit of the fan-out. Accepts WebSockets without looking
 * at what they ask for; when a POST comes, gives each of them the same FRAMES frames, round and
 * round, with RUN of them in one send().
 *
 *     socket_loop [--frames N] [--bytes 204] [--run 1] [--threads 1]
 *
 * --threads: each gives frames to its share of the clients, and looks after those only.
 * Its first line is `listening on http://127.0.0.1:PORT`. The client is `load fanout`. It ends when
 * a client goes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES 4 /* of a frame of 126 to 65,535 bytes */

struct client {
    int fd;
    bool is_viewer, is_full;
    size_t at; /* of the frames, gone out */
};

static struct client *clients;
static unsigned client_count;
static char *frames;
static size_t frames_bytes, run_bytes, thread_count;
static int listen_fd;
static _Thread_local int epoll_fd;
static bool is_going;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "socket_loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static size_t option(int argc, char **argv, const char *name, size_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i] + 2, name) == 0)
            return strtoul(argv[i + 1], NULL, 10);
    return otherwise;
}

static void frames_make(size_t count, size_t bytes)
{
    frames_bytes = count * bytes;
    frames = malloc(frames_bytes + 1);
    if (!frames || bytes < 126 + HEADER_BYTES || bytes > 65535)
        die("frames");
    memset(frames, 'x', frames_bytes);
    for (size_t i = 0; i < count; i++) {
        char *f = frames + i * bytes;
        size_t n = bytes - HEADER_BYTES;
        memcpy(f, (unsigned char[]){0x81, 126, (unsigned char)(n >> 8), (unsigned char)n},
               HEADER_BYTES);
        int head = snprintf(f + HEADER_BYTES, n, "{\"seq\":%zu,\"x\":\"", i + 1);
        f[HEADER_BYTES + head] = 'x';
        memcpy(f + bytes - 2, "\"}", 2);
    }
}

static void client_events(struct client *c, int how, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u32 = (uint32_t)(c - clients)};
    if (epoll_ctl(epoll_fd, how, c->fd, &ev) != 0)
        die("epoll_ctl");
}

static void client_accept(void)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK), one = 1;

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    clients = realloc(clients, (client_count + 1) * sizeof(*clients));
    if (!clients)
        die("clients");
    clients[client_count] = (struct client){.fd = fd};
    client_events(&clients[client_count++], EPOLL_CTL_ADD, EPOLLIN);
}

static void client_read(struct client *c)
{
    static const char upgraded[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        "\x81\x15{\"type\":\"subscribed\"}";
    static const char accepted[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    char text[4096];
    ssize_t n = read(c->fd, text, sizeof(text));

    if (n <= 0)
        exit(0);
    if (strncmp(text, "GET ", 4) == 0) {
        c->is_viewer = true;
        n = send(c->fd, upgraded, sizeof(upgraded) - 1, MSG_NOSIGNAL);
    } else if (strncmp(text, "POST ", 5) == 0) {
        is_going = true;
        n = send(c->fd, accepted, sizeof(accepted) - 1, MSG_NOSIGNAL);
    }
    if (n < 0)
        die("send");
}

static void turn(int timeout_ms)
{
    struct epoll_event ev[512];
    int n = epoll_wait(epoll_fd, ev, 512, timeout_ms);

    for (int i = 0; i < n; i++) {
        if (ev[i].data.u32 == UINT32_MAX) {
            client_accept();
            continue;
        }
        struct client *c = &clients[ev[i].data.u32];
        if (ev[i].events & EPOLLOUT) {
            c->is_full = false;
            client_events(c, EPOLL_CTL_MOD, EPOLLIN);
        }
        if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            client_read(c);
    }
}

/* One send for each of its share that has room. Whether there is more to send. */
static bool send_round(size_t thread)
{
    bool is_more = false;

    for (size_t i = thread; i < client_count; i += thread_count) {
        struct client *c = &clients[i];
        size_t want = frames_bytes - c->at < run_bytes ? frames_bytes - c->at : run_bytes;
        if (!c->is_viewer || want == 0)
            continue;
        is_more = true;
        if (c->is_full)
            continue;
        ssize_t n = send(c->fd, frames + c->at, want, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            exit(0);
        c->at += n > 0 ? (size_t)n : 0;
        if (n < (ssize_t)want) {
            c->is_full = true;
            client_events(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
        }
    }
    return is_more;
}

static void send_all(size_t thread)
{
    for (bool is_more = true; is_more;) {
        is_more = send_round(thread);
        turn(0);
    }
    for (;;)
        turn(-1);
}

/* One thread's share gets an epoll of its own. */
static void *thread_main(void *arg)
{
    size_t thread = (size_t)arg;

    epoll_fd = epoll_create1(0);
    for (size_t i = thread; i < client_count; i += thread_count)
        client_events(&clients[i], EPOLL_CTL_ADD, EPOLLIN);
    send_all(thread);
    return NULL;
}

/* Nobody comes any more: `clients` stays where it is. */
static void threads_start(void)
{
    pthread_t id;

    for (size_t t = 1; t < thread_count; t++) {
        for (size_t i = t; i < client_count; i += thread_count)
            client_events(&clients[i], EPOLL_CTL_DEL, 0);
        if (pthread_create(&id, NULL, thread_main, (void *)t) != 0)
            die("thread");
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(a);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    size_t frame = option(argc, argv, "bytes", 204);

    frames_make(option(argc, argv, "frames", 20000), frame);
    run_bytes = frame * option(argc, argv, "run", 1);
    thread_count = option(argc, argv, "threads", 1);
    epoll_fd = epoll_create1(0);
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listen_fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(listen_fd, 4096) != 0 ||
        getsockname(listen_fd, (struct sockaddr *)&a, &bytes) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev) != 0)
        die("listen");
    printf("listening on http://127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    while (!is_going)
        turn(-1);
    threads_start();
    send_all(0);
}
