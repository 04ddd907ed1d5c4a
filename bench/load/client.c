#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* More than the largest frame: a message has all that the model said, up to 4 MiB. */
#define READ_BYTES (8u << 20)

static int port, epoll_fd;
static unsigned peers; /* open */
static int arg_count;
static char **args;
static char *read_buffer;
static bool is_stamped;
static uint64_t real_ahead_ns; /* of the wall clock, by which the kernel stamps, before now_ns() */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void die(const char *what)
{
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

const char *option(const char *name, const char *otherwise)
{
    for (int i = 2; i + 1 < arg_count; i += 2)
        if (strncmp(args[i], "--", 2) == 0 && strcmp(args[i] + 2, name) == 0)
            return args[i + 1];
    return otherwise;
}

double option_number(const char *name, double otherwise)
{
    const char *text = option(name, NULL);
    return text ? strtod(text, NULL) : otherwise;
}

void client_init(int argc, char **argv)
{
    arg_count = argc;
    args = argv;
    port = (int)option_number("port", 0);
    if (port <= 0)
        die("--port of the server is missing");
    epoll_fd = epoll_create1(0);
    read_buffer = malloc(READ_BYTES);
    if (epoll_fd < 0 || !read_buffer)
        die("start");
}

void client_stamp(void)
{
    is_stamped = true;
}

/* ---- connections ---- */

static struct peer *peer_dial(const struct peer_calls *calls, void *data)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct peer *p = calloc(1, sizeof(*p));
    int one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!p || (p->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
        connect(p->fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        die("connect");
    peers++;
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (is_stamped && setsockopt(p->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) != 0)
        die("SO_TIMESTAMPNS");
    p->calls = calls;
    p->data = data;
    return p;
}

static void peer_watch(struct peer *p, int how, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = p};

    if (epoll_ctl(epoll_fd, how, p->fd, &ev) != 0)
        die("epoll_ctl");
}

void peer_send(struct peer *p, const char *bytes, size_t count)
{
    p->sent_ns = now_ns();
    while (count > 0) {
        ssize_t k = write(p->fd, bytes, count);
        if (k <= 0)
            die("write");
        bytes += k;
        count -= (size_t)k;
    }
}

size_t peer_request_bytes(char *to, size_t room, const char *method, const char *path,
                          const char *body)
{
    int n = snprintf(to, room,
                     "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     method, path, port, body ? strlen(body) : 0, body ? body : "");
    errno = 0;
    if (n < 0 || (size_t)n >= room)
        die("a request is longer than its buffer");
    return (size_t)n;
}

void peer_request(struct peer *p, const char *method, const char *path, const char *body)
{
    size_t room = 512 + strlen(path) + (body ? strlen(body) : 0);
    char *bytes = malloc(room);

    if (!bytes)
        die("request");
    peer_send(p, bytes, peer_request_bytes(bytes, room, method, path, body));
    free(bytes);
}

struct peer *peer_http(const struct peer_calls *calls, void *data)
{
    struct peer *p = peer_dial(calls, data);

    peer_watch(p, EPOLL_CTL_ADD, EPOLLIN);
    return p;
}

static void ask_for_socket(struct peer *p, const char *path)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                     "Sec-WebSocket-Protocol: sluice.v1\r\n\r\n",
                     path, port);

    peer_send(p, text, (size_t)n);
}

struct peer *peer_socket_soon(const struct peer_calls *calls, void *data, const char *path)
{
    struct peer *p = peer_dial(calls, data);

    ask_for_socket(p, path);
    p->is_asking = true;
    peer_watch(p, EPOLL_CTL_ADD, EPOLLIN);
    return p;
}

struct peer *peer_socket(const struct peer_calls *calls, void *data, const char *path)
{
    struct peer *p = peer_dial(calls, data);
    char text[1024];
    size_t got = 0;

    ask_for_socket(p, path);
    /* The answer's head; byte by byte, for a frame may follow it at once. */
    while (got < 4 || memcmp(text + got - 4, "\r\n\r\n", 4) != 0)
        if (got == sizeof(text) || read(p->fd, text + got++, 1) != 1)
            die("WebSocket");
    errno = 0;
    if (!memmem(text, got, " 101 ", 5))
        die("no WebSocket");
    p->is_socket = true;
    peer_watch(p, EPOLL_CTL_ADD, EPOLLIN);
    return p;
}

void peer_message(struct peer *p, const char *json)
{
    uint8_t f[1024] = {0x81}; /* one masked text frame; a mask of zeros leaves it readable */
    size_t n = strlen(json), head = n < 126 ? 6 : 8;

    errno = 0;
    if (head + n > sizeof(f))
        die("a message is longer than its buffer");
    f[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        f[2] = (uint8_t)(n >> 8);
        f[3] = (uint8_t)n;
    }
    memcpy(f + head, json, n);
    peer_send(p, (const char *)f, head + n);
}

void peer_pause(struct peer *p, bool is_paused)
{
    if (p->is_paused == is_paused)
        return;
    p->is_paused = is_paused;
    peer_watch(p, EPOLL_CTL_MOD, is_paused ? 0 : EPOLLIN);
}

void peer_close(struct peer *p)
{
    close(p->fd);
    peers--;
    free(p->rest);
    free(p);
}

/* ---- what comes in ---- */

/* The bytes of the first whole answer in these, or 0. */
static size_t take_answer(struct peer *p, const char *bytes, size_t count)
{
    const char *body = memmem(bytes, count, "\r\n\r\n", 4), *end = bytes + count;
    const char *len = memmem(bytes, count, "ontent-", 7);

    if (!body)
        return 0;
    for (; len; len = memmem(len + 1, (size_t)(end - len - 1), "ontent-", 7))
        if (strncasecmp(len, "ontent-length:", 14) == 0)
            break;
    size_t want = len ? strtoul(len + 14, NULL, 10) : 0;
    size_t head = (size_t)(body + 4 - bytes);
    if (head + want > count)
        return 0;
    p->calls->answer(p, atoi(bytes + 9), body + 4, want);
    return head + want;
}

/* The head of the answer to peer_socket_soon(). */
static size_t take_handshake(struct peer *p, const char *bytes, size_t count)
{
    const char *end = memmem(bytes, count, "\r\n\r\n", 4);

    if (!end)
        return 0;
    errno = 0;
    if (!memmem(bytes, (size_t)(end - bytes), " 101 ", 5))
        die("no WebSocket");
    p->is_asking = false;
    p->is_socket = true;
    return (size_t)(end - bytes) + 4;
}

/* A ping is answered, else the server takes this client for dead. */
static void pong(struct peer *p, const char *bytes, size_t count)
{
    uint8_t f[6 + 125] = {0x8a, (uint8_t)(0x80 | count)};

    if (count <= 125) {
        memcpy(f + 6, bytes, count);
        peer_send(p, (const char *)f, 6 + count);
    }
}

static size_t take_frame(struct peer *p, const char *bytes, size_t count)
{
    const uint8_t *f = (const uint8_t *)bytes;
    uint64_t n = count < 2 ? 0 : f[1] & 0x7f;
    size_t head = n == 126 ? 4 : n == 127 ? 10 : 2;

    if (count < head)
        return 0;
    if (n == 126)
        n = (uint64_t)f[2] << 8 | f[3];
    else if (n == 127)
        for (int i = n = 0; i < 8; i++)
            n = n << 8 | f[2 + i];
    if (count - head < n)
        return 0;
    if ((f[0] & 0x0f) == 1)
        p->calls->frame(p, bytes + head, n);
    if ((f[0] & 0x0f) == 9)
        pong(p, bytes + head, n);
    errno = 0;
    if ((f[0] & 0x0f) == 8)
        die("the server closed the WebSocket");
    return head + n;
}

static void peer_take(struct peer *p, const char *bytes, size_t count)
{
    size_t at = 0, n;

    while (at < count && (n = p->is_asking   ? take_handshake(p, bytes + at, count - at)
                              : p->is_socket ? take_frame(p, bytes + at, count - at)
                                             : take_answer(p, bytes + at, count - at)) > 0)
        at += n;
    p->rest_bytes = count - at;
    if (p->rest_bytes > p->rest_cap) {
        char *room = malloc(p->rest_bytes * 2);
        if (!room)
            die("receive");
        memcpy(room, bytes + at, p->rest_bytes);
        free(p->rest);
        p->rest = room;
        p->rest_cap = p->rest_bytes * 2;
    } else {
        memmove(p->rest, bytes + at, p->rest_bytes);
    }
}

/* When the bytes of this message came, of the last of them; 0: it does not say. */
static uint64_t stamp_of(struct msghdr *m)
{
    struct timespec t;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&t, CMSG_DATA(c), sizeof(t));
            return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - real_ahead_ns;
        }
    return 0;
}

static ssize_t receive(struct peer *p, char *to, size_t room)
{
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec part = {to, room};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};

    if (!is_stamped)
        return read(p->fd, to, room);
    ssize_t n = recvmsg(p->fd, &m, 0);
    p->came_ns = n > 0 ? stamp_of(&m) : 0;
    errno = 0;
    if (n > 0 && !p->came_ns)
        die("bytes without a time");
    return n;
}

static void peer_read(struct peer *p)
{
    size_t had = p->rest_bytes;

    errno = 0;
    if (had >= READ_BYTES)
        die("a frame is larger than the buffer");
    memcpy(read_buffer, p->rest, had);
    ssize_t n = receive(p, read_buffer + had, READ_BYTES - had);
    if (n <= 0)
        die("the server closed a connection");
    peer_take(p, read_buffer, had + (size_t)n);
}

bool client_turn(int timeout_ms)
{
    struct epoll_event ev[CLIENT_TURN_PEERS];
    int n = epoll_wait(epoll_fd, ev, CLIENT_TURN_PEERS, timeout_ms);

    if (is_stamped) /* anew each time, for the wall clock may be set */
        real_ahead_ns = clock_ns(CLOCK_REALTIME) - now_ns();
    for (int i = 0; i < n; i++)
        peer_read(ev[i].data.ptr);
    return n > 0;
}

void client_run_until(uint64_t when_ns)
{
    for (uint64_t t = now_ns(); t < when_ns; t = now_ns())
        client_turn((int)((when_ns - t) / 1000000u) + 1);
}

void client_doze_until(uint64_t when_ns, double doze_ms)
{
    struct timespec doze = {.tv_nsec = (long)(doze_ms * 1e6)};

    if (doze_ms <= 0)
        client_run_until(when_ns);
    while (now_ns() < when_ns) {
        nanosleep(&doze, NULL);
        /* Each once: what comes meanwhile is for after the next doze. */
        for (unsigned seen = 0; seen < peers && client_turn(0);)
            seen += CLIENT_TURN_PEERS;
    }
}

/* ---- one question ---- */

struct asked {
    int status;
    char *body;
};

static void asked_answer(struct peer *p, int status, const char *bytes, size_t count)
{
    struct asked *a = p->data;

    a->status = status;
    a->body = strndup(bytes, count);
}

char *client_ask(const char *method, const char *path, const char *body, int status)
{
    static const struct peer_calls calls = {.answer = asked_answer};
    struct asked a = {0};
    struct peer *p = peer_http(&calls, &a);

    peer_request(p, method, path, body);
    while (!a.body)
        client_turn(1000);
    peer_close(p);
    if (a.status != status) {
        fprintf(stderr, "load: %s %s: %d %s\n", method, path, a.status, a.body);
        exit(1);
    }
    return a.body;
}

bool string_member(const char *json, size_t count, const char *name, char *to, size_t room)
{
    char key[64];
    int n = snprintf(key, sizeof(key), "\"%s\":\"", name);
    const char *at = memmem(json, count, key, (size_t)n), *end;

    if (!at)
        return false;
    at += n;
    end = memchr(at, '"', (size_t)(json + count - at));
    snprintf(to, room, "%.*s", (int)(end ? end - at : 0), at);
    return end != NULL;
}

/* ---- samples ---- */

void samples_add(struct samples *s, uint64_t ns)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1u << 16;
        s->ns = realloc(s->ns, s->cap * sizeof(*s->ns));
        if (!s->ns)
            die("samples");
    }
    s->ns[s->count++] = ns;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

double samples_ms(struct samples *s, double p)
{
    if (s->count == 0)
        return 0;
    qsort(s->ns, s->count, sizeof(*s->ns), by_value);
    return (double)s->ns[(size_t)(p * (double)(s->count - 1))] / 1e6;
}
