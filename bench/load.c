/* The load client: N keep-alive clients, each posting /workflows/execute again as soon as it was
 * answered, and one WebSocket that watches the channel "sessions" for endings.
 *
 *     load --port P --workflow ID --clients N --seconds S
 *
 * A session counts when its `completed` event was seen on the WebSocket: what is measured is
 * execute to ended, as a client sees it. One JSON line at the end. Raw sockets and epoll, so that
 * the client costs little beside the server it shares the machine with.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 4096
#define SLOTS       (1u << 20) /* sessions under way, by a hash of their id */
#define ID_BYTES    36

struct client {
    int fd;
    uint64_t sent_ns;
    size_t got;
    char in[2048];
};

/* When a session was posted (from the client's answer) and when its end was seen; whichever comes
 * first waits. */
struct slot {
    char id[ID_BYTES];
    uint64_t sent_ns, ended_ns;
};

static struct client clients[CLIENTS_MAX];
static struct slot *slots;
static char request[1024];
static size_t request_bytes;
static int port, epoll_fd, watch_fd;
static char *watch_in;
static size_t watch_got, watch_cap = 4u << 20;
static uint64_t *latencies;
static size_t latency_count, latency_cap;
static unsigned long accepted, refused, ended;
static bool measuring;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void write_all(int fd, const void *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k <= 0)
            die("write");
        p = (const char *)p + k;
        n -= (size_t)k;
    }
}

static void watch_events(int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
        die("epoll_ctl");
}

/* ---- sessions under way ---- */

static struct slot *slot_of(const char *id)
{
    uint64_t h = 1469598103934665603u;
    for (int i = 0; i < ID_BYTES; i++)
        h = (h ^ (uint8_t)id[i]) * 1099511628211u;
    for (unsigned i = 0; i < 64; i++) {
        struct slot *s = &slots[(h + i) & (SLOTS - 1)];
        if (s->id[0] == 0 || memcmp(s->id, id, ID_BYTES) == 0)
            return s;
    }
    fprintf(stderr, "load: too many sessions under way\n");
    exit(1);
}

static void slot_done(struct slot *s)
{
    if (!s->sent_ns || !s->ended_ns)
        return;
    if (measuring) {
        ended++;
        if (latency_count < latency_cap)
            latencies[latency_count++] = s->ended_ns > s->sent_ns ? s->ended_ns - s->sent_ns : 0;
    }
    s->sent_ns = s->ended_ns = 0; /* the id stays: probing relies on it, and ids never come again */
}

/* ---- HTTP clients ---- */

static void client_send(struct client *c)
{
    c->sent_ns = now_ns();
    c->got = 0;
    write_all(c->fd, request, request_bytes);
}

static bool client_is_answered(const struct client *c)
{
    const char *body = memmem(c->in, c->got, "\r\n\r\n", 4);
    const char *len = memmem(c->in, c->got, "ontent-", 7);
    const char *head = c->in;
    if (!body)
        return false;
    for (; len; len = memmem(len + 1, (size_t)(c->in + c->got - len - 1), "ontent-", 7))
        if (strncasecmp(len, "ontent-length:", 14) == 0)
            break;
    size_t want = len ? strtoul(len + 14, NULL, 10) : 0;
    return (size_t)(body + 4 - head) + want <= c->got;
}

static void client_read(struct client *c)
{
    ssize_t n = read(c->fd, c->in + c->got, sizeof(c->in) - 1 - c->got);
    if (n <= 0) {
        fprintf(stderr, "load: the server closed a connection\n");
        exit(1);
    }
    c->got += (size_t)n;
    c->in[c->got] = 0;
    if (!client_is_answered(c))
        return;
    const char *id = strstr(c->in, "\"session_id\":\"");
    if (strncmp(c->in + 9, "202", 3) == 0 && id) {
        struct slot *s = slot_of(id + 14);
        memcpy(s->id, id + 14, ID_BYTES);
        s->sent_ns = c->sent_ns;
        accepted += measuring;
        slot_done(s);
    } else {
        if (refused++ == 0)
            fprintf(stderr, "load: refused: %s\n", c->in);
    }
    client_send(c);
}

/* ---- the watcher ---- */

static void watch_text(const char *p, size_t n)
{
    static const char key[] = "\"session_id\":\"";
    const char *end = p + n;
    while (p < end) { /* a frame, or a batch of them */
        const char *id = memmem(p, (size_t)(end - p), key, sizeof(key) - 1);
        if (!id)
            return;
        id += sizeof(key) - 1;
        const char *next = memmem(id, (size_t)(end - id), key, sizeof(key) - 1);
        const char *stop = next ? next : end;
        if (memmem(id, (size_t)(stop - id), "\"to\":\"completed\"", 16)) {
            struct slot *s = slot_of(id);
            memcpy(s->id, id, ID_BYTES);
            s->ended_ns = now_ns();
            slot_done(s);
        }
        p = stop;
    }
}

static void watch_read(void)
{
    ssize_t n = read(watch_fd, watch_in + watch_got, watch_cap - watch_got);
    if (n <= 0) {
        fprintf(stderr, "load: the server closed the WebSocket\n");
        exit(1);
    }
    watch_got += (size_t)n;
    size_t at = 0;
    while (watch_got - at >= 2) {
        const uint8_t *f = (const uint8_t *)watch_in + at;
        uint64_t len = f[1] & 0x7f;
        size_t head = len == 126 ? 4 : len == 127 ? 10 : 2;
        if (watch_got - at < head)
            break;
        if (len == 126)
            len = (uint64_t)f[2] << 8 | f[3];
        else if (len == 127)
            for (int i = len = 0; i < 8; i++)
                len = len << 8 | f[2 + i];
        if (watch_got - at < head + len)
            break;
        if ((f[0] & 0x0f) == 1)
            watch_text((const char *)f + head, len);
        at += head + len;
    }
    memmove(watch_in, watch_in + at, watch_got - at);
    watch_got -= at;
}

static void watch_send(const char *json)
{
    uint8_t f[256] = {0x81}; /* one masked text frame; a mask of zeros leaves it readable */
    size_t n = strlen(json), head = n < 126 ? 6 : 8;
    f[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        f[2] = (uint8_t)(n >> 8);
        f[3] = (uint8_t)n;
    }
    memcpy(f + head, json, n);
    write_all(watch_fd, f, head + n);
}

static void watch_open(void)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "GET /ws?batch=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                     "Sec-WebSocket-Protocol: sluice.v1\r\n\r\n",
                     port);
    watch_fd = dial();
    write_all(watch_fd, text, (size_t)n);
    watch_in = malloc(watch_cap);
    for (;;) { /* the answer's head; events come only after the subscribe */
        ssize_t k = read(watch_fd, watch_in + watch_got, watch_cap - watch_got);
        if (k <= 0)
            die("WebSocket");
        watch_got += (size_t)k;
        if (memmem(watch_in, watch_got, "\r\n\r\n", 4))
            break;
    }
    if (!memmem(watch_in, watch_got, " 101 ", 5)) {
        fprintf(stderr, "load: no WebSocket: %.*s\n", (int)watch_got, watch_in);
        exit(1);
    }
    watch_got = 0;
    watch_send(
        "{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"status\":\"completed\"}}");
    watch_events(watch_fd);
}

/* ---- the run ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void turn(int client_by_fd[], int timeout_ms)
{
    struct epoll_event ev[256];
    int n = epoll_wait(epoll_fd, ev, 256, timeout_ms);
    for (int i = 0; i < n; i++) {
        if (ev[i].data.fd == watch_fd)
            watch_read();
        else
            client_read(&clients[client_by_fd[ev[i].data.fd]]);
    }
}

static double percentile_ms(double p)
{
    if (latency_count == 0)
        return 0;
    size_t i = (size_t)(p * (double)(latency_count - 1));
    return (double)latencies[i] / 1e6;
}

int main(int argc, char **argv)
{
    const char *workflow = "w1";
    int count = 1;
    double seconds = 5, warmup = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            port = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--workflow") == 0)
            workflow = argv[i + 1];
        else if (strcmp(argv[i], "--clients") == 0)
            count = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
    }
    if (port == 0 || count < 1 || count > CLIENTS_MAX) {
        fprintf(stderr, "usage: load --port P [--workflow ID] [--clients N] [--seconds S]\n");
        return 2;
    }
    static int client_by_fd[1 << 16];
    char body[256];
    int n = snprintf(body, sizeof(body), "{\"workflow_id\":\"%s\",\"input\":{\"n\":1}}", workflow);
    request_bytes =
        (size_t)snprintf(request, sizeof(request),
                         "POST /workflows/execute HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                         "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                         port, n, body);
    slots = calloc(SLOTS, sizeof(*slots));
    latency_cap = 4u << 20;
    latencies = malloc(latency_cap * sizeof(*latencies));
    epoll_fd = epoll_create1(0);
    watch_open();
    for (int i = 0; i < count; i++) {
        clients[i].fd = dial();
        client_by_fd[clients[i].fd] = i;
        watch_events(clients[i].fd);
        client_send(&clients[i]);
    }
    uint64_t begin = now_ns(), start = begin + (uint64_t)(warmup * 1e9);
    uint64_t stop = start + (uint64_t)(seconds * 1e9);
    for (uint64_t t = begin; t < stop; t = now_ns()) {
        measuring = t >= start;
        turn(client_by_fd, 100);
        if (ended + accepted > 2 * (SLOTS / 4)) /* keep probing short */
            stop = now_ns();
    }
    double took = (double)(stop - start) / 1e9;
    qsort(latencies, latency_count, sizeof(*latencies), by_value);
    printf("{\"scenario\":\"w1\",\"clients\":%d,\"seconds\":%.2f,\"sessions\":%lu,\"refused\":%lu,"
           "\"sessions_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
           count, took, ended, refused, (double)ended / took, percentile_ms(0.5),
           percentile_ms(0.99), percentile_ms(1));
    return refused ? 1 : 0;
}
