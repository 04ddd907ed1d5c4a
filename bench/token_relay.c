/* The limit of a token's way: a bare relay of model streams to WebSockets by plain sockets on one
 * epoll, without an engine and with nothing stored.
 *
 *     token_relay --upstream PORT [--rate 20] [--tokens 1000000000]
 *                 [--store DIR|postgres://… --every US]
 *
 * Prints `listening on http://127.0.0.1:PORT`. Each WebSocket that connects gets a stream of its
 * own from the stand-in at that port; each read of it goes out as one frame with the words that
 * came.
 *
 * With --store it is durable before visible, and nothing else: every US microseconds, or later
 * where the last commit took longer, the models that have sent something are read one after the
 * other, one row with the bytes of as many events is committed (bare/bare_commit.h), and the frames
 * go out. The least that any server of such streams can do with that store, at that many commits
 * a second: no library reads HTTP or WebSockets, no JSON is parsed, no session is told from
 * another.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bare/bare_commit.h"

#define READ_BYTES  (64 << 10)
#define FRAME_BYTES (READ_BYTES + 256)
#define READY_MAX   512 /* sockets of one look */

struct end {
    int fd;
    struct end *other; /* of a viewer: its model; and back */
    bool is_model;
    char rest[1024]; /* a line that was cut, or a head that is not whole */
    size_t rest_bytes;
};

static int epoll_fd, models_fd, upstream; /* models_fd: the same without a store */
static double rate = 20;
static const char *store_at;
static struct bare_store *store;
static long every_us = 1200;
static long tokens = 1000000000;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int by, struct end *e)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};
    int one = 1;

    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (epoll_ctl(by, EPOLL_CTL_ADD, e->fd, &ev) != 0)
        die("epoll_ctl");
}

static struct end *end_create(int fd, bool is_model)
{
    struct end *e = calloc(1, sizeof(*e));

    if (!e || fd < 0)
        die("connection");
    e->fd = fd;
    e->is_model = is_model;
    return e;
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) { /* blocks: a viewer that does not read holds all of it up */
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            exit(0); /* the load is over */
        p += k;
        n -= (size_t)k;
    }
}

static void model_open(struct end *viewer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)upstream)};
    char body[256], head[512];
    struct end *m = end_create(socket(AF_INET, SOCK_STREAM, 0), true);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(m->fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        die("stand-in");
    m->other = viewer;
    viewer->other = m;
    watch(models_fd, m);
    int n = snprintf(body, sizeof(body),
                     "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
                     "\"[[clock rate=%g tokens=%ld]]\"}]}",
                     rate, tokens);
    int h = snprintf(
        head, sizeof(head),
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, body);
    send_all(m->fd, head, (size_t)h);
}

/* The words of whole lines, one after the other: how many bytes, and in *words how many words. What
 * is left of a line is kept. */
static size_t words_of(struct end *m, char *bytes, size_t n, char *out, size_t *words)
{
    static const char key[] = "{\"content\":\"";
    char *at = bytes, *end = bytes + n, *line;
    size_t have = 0;

    while ((line = memchr(at, '\n', (size_t)(end - at)))) {
        char *word = memmem(at, (size_t)(line - at), key, sizeof(key) - 1);
        if (word) {
            word += sizeof(key) - 1;
            char *stop = memchr(word, '"', (size_t)(line - word));
            memcpy(out + have, word, (size_t)(stop - word));
            have += (size_t)(stop - word);
            ++*words;
        }
        at = line + 1;
    }
    m->rest_bytes = (size_t)(end - at);
    if (m->rest_bytes > sizeof(m->rest))
        die("a line is too long");
    memcpy(m->rest, at, m->rest_bytes);
    return have;
}

/* What has come, as a frame within `out` of FRAME_BYTES. Its length and, in *words, how many words
 * it has; 0: no whole line yet. */
static size_t model_read(struct end *m, char *out, char **at, size_t *words)
{
    static char in[READ_BYTES + sizeof(m->rest)];
    static const char before[] = "{\"type\":\"token_stream\",\"data\":{\"chunk\":\"";
    char *frame = out + 10;
    size_t had = m->rest_bytes, used = sizeof(before) - 1;

    memcpy(in, m->rest, had);
    ssize_t n = recv(m->fd, in + had, READ_BYTES, MSG_DONTWAIT);
    if (n <= 0)
        exit(0);
    memcpy(frame, before, used);
    size_t said = words_of(m, in, had + (size_t)n, frame + used, words);
    if (said == 0)
        return 0;
    used += said;
    memcpy(frame + used, "\"}}", 3);
    used += 3;
    unsigned char *head = (unsigned char *)frame - (used < 126 ? 2 : 4);
    head[0] = 0x81;
    head[1] = (unsigned char)(used < 126 ? used : 126);
    if (used >= 126) {
        head[2] = (unsigned char)(used >> 8);
        head[3] = (unsigned char)used;
    }
    *at = (char *)head;
    return used + (size_t)(frame - (char *)head);
}

static void viewer_read(struct end *v)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Protocol: sluice.v1\r\n\r\n";
    ssize_t n = recv(v->fd, v->rest + v->rest_bytes, sizeof(v->rest) - v->rest_bytes, MSG_DONTWAIT);

    if (n <= 0)
        exit(0);
    v->rest_bytes += (size_t)n;
    if (v->other || !memmem(v->rest, v->rest_bytes, "\r\n\r\n", 4))
        return;
    send_all(v->fd, answer, sizeof(answer) - 1);
    model_open(v);
}

static int listen_any(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        die("listen");
    printf("listening on http://127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

static void look(int by, struct end *listener, int timeout)
{
    static char out[FRAME_BYTES];
    struct epoll_event ev[READY_MAX];
    int n = epoll_wait(by, ev, READY_MAX, timeout);

    for (int i = 0; i < n; i++) {
        struct end *e = ev[i].data.ptr;
        size_t words = 0;
        char *frame;
        if (e == listener) {
            watch(epoll_fd, end_create(accept(listener->fd, NULL, NULL), false));
        } else if (!e->is_model) {
            viewer_read(e);
        } else {
            size_t used = model_read(e, out, &frame, &words);
            if (used > 0)
                send_all(e->other->fd, frame, used);
        }
    }
}

/* A turn of those that are ready: all of them read, one commit, all told. */
static void turn(void)
{
    static char out[READY_MAX][FRAME_BYTES]; /* only what is used of it is ever touched */
    static char row[READY_MAX * 64 * BARE_EVENT_BYTES];
    struct {
        int fd;
        char *at;
        size_t n;
    } frames[READY_MAX];
    struct epoll_event ev[READY_MAX];
    size_t words = 0, have = 0;
    int n = epoll_wait(models_fd, ev, READY_MAX, 0);

    for (int i = 0; i < n; i++) {
        struct end *m = ev[i].data.ptr;
        frames[have].n = model_read(m, out[have], &frames[have].at, &words);
        frames[have].fd = m->other->fd;
        have += frames[have].n > 0;
    }
    if (words == 0)
        return;
    if (words * BARE_EVENT_BYTES > sizeof(row))
        die("too many words at once");
    bare_store_commit(store, row, words * BARE_EVENT_BYTES);
    for (size_t i = 0; i < have; i++)
        send_all(frames[i].fd, frames[i].at, frames[i].n);
}

static void store_close(void)
{
    bare_store_close(store);
}

static void durable(struct end *listener)
{
    struct timespec due, now;

    store = bare_store_open(store_at);
    atexit(store_close);
    prctl(PR_SET_TIMERSLACK, 1UL);
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (;;) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        look(epoll_fd, listener, 0);
        turn();
        clock_gettime(CLOCK_MONOTONIC, &now);
        due.tv_nsec += every_us * 1000;
        due.tv_sec += due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
        if (due.tv_sec < now.tv_sec || (due.tv_sec == now.tv_sec && due.tv_nsec < now.tv_nsec))
            due = now;
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--upstream"))
            upstream = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--rate"))
            rate = strtod(argv[i + 1], NULL);
        else if (!strcmp(argv[i], "--tokens"))
            tokens = atol(argv[i + 1]);
        else if (!strcmp(argv[i], "--store"))
            store_at = argv[i + 1];
        else if (!strcmp(argv[i], "--every"))
            every_us = atol(argv[i + 1]);
    }
    epoll_fd = epoll_create1(0);
    models_fd = store_at ? epoll_create1(0) : epoll_fd;
    struct end *listener = end_create(listen_any(), false);
    watch(epoll_fd, listener);
    if (store_at)
        durable(listener);
    for (;;)
        look(epoll_fd, listener, -1);
}
