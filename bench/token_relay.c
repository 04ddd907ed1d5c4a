/* The limit of a token's way: a bare relay of model streams to WebSockets by plain sockets on one
 * epoll, without an engine and with nothing stored.
 *
 *     token_relay --upstream PORT [--rate 20] [--tokens 1000000000]
 *
 * Prints `listening on http://127.0.0.1:PORT`. Each WebSocket that connects gets a stream of its
 * own from the stand-in at that port; each read of it goes out as one frame with the words that
 * came.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64 << 10)

struct end {
    int fd;
    struct end *other; /* of a viewer: its model; and back */
    bool is_model;
    char rest[1024]; /* a line that was cut, or a head that is not whole */
    size_t rest_bytes;
};

static int epoll_fd, upstream;
static double rate = 20;
static long tokens = 1000000000;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct end *e)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};
    int one = 1;

    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e->fd, &ev) != 0)
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
    watch(m);
    int n = snprintf(body, sizeof(body),
                     "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
                     "\"[[clock rate=%g tokens=%ld]]\"}]}",
                     rate, tokens);
    int h = snprintf(
        head, sizeof(head),
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, body);
    send_all(m->fd, head, (size_t)h);
}

/* The words of whole lines, one after the other. What is left of a line is kept. */
static size_t words_of(struct end *m, char *bytes, size_t n, char *out)
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
        }
        at = line + 1;
    }
    m->rest_bytes = (size_t)(end - at);
    if (m->rest_bytes > sizeof(m->rest))
        die("a line is too long");
    memcpy(m->rest, at, m->rest_bytes);
    return have;
}

static void model_read(struct end *m)
{
    static char in[READ_BYTES + sizeof(m->rest)], out[READ_BYTES + 256];
    static const char before[] = "{\"type\":\"token_stream\",\"data\":{\"chunk\":\"";
    char *frame = out + 10;
    size_t had = m->rest_bytes, used = sizeof(before) - 1;

    memcpy(in, m->rest, had);
    ssize_t n = recv(m->fd, in + had, READ_BYTES, MSG_DONTWAIT);
    if (n <= 0)
        exit(0);
    memcpy(frame, before, used);
    size_t words = words_of(m, in, had + (size_t)n, frame + used);
    if (words == 0)
        return;
    used += words;
    memcpy(frame + used, "\"}}", 3);
    used += 3;
    unsigned char *head = (unsigned char *)frame - (used < 126 ? 2 : 4);
    head[0] = 0x81;
    head[1] = (unsigned char)(used < 126 ? used : 126);
    if (used >= 126) {
        head[2] = (unsigned char)(used >> 8);
        head[3] = (unsigned char)used;
    }
    send_all(m->other->fd, (char *)head, used + (size_t)(frame - (char *)head));
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

int main(int argc, char **argv)
{
    struct epoll_event ev[512];

    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--upstream"))
            upstream = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--rate"))
            rate = strtod(argv[i + 1], NULL);
        else if (!strcmp(argv[i], "--tokens"))
            tokens = atol(argv[i + 1]);
    }
    epoll_fd = epoll_create1(0);
    struct end *listener = end_create(listen_any(), false);
    watch(listener);
    for (;;) {
        int n = epoll_wait(epoll_fd, ev, 512, -1);
        for (int i = 0; i < n; i++) {
            struct end *e = ev[i].data.ptr;
            if (e == listener)
                watch(end_create(accept(listener->fd, NULL, NULL), false));
            else if (e->is_model)
                model_read(e);
            else
                viewer_read(e);
        }
    }
}
