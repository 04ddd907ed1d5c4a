#include "client_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS_MAX 64
#define CONNS_MAX   256

struct client_server {
    int listener;
    char url[64];
    pthread_t thread;
    sem_t slow;
    pthread_mutex_t lock; /* of what is below */
    pthread_cond_t idle;
    bool stopping;
    unsigned streams;
    long last_ids[STREAMS_MAX];
    int conns[CONNS_MAX];
    unsigned open; /* threads */
};

struct conn {
    struct client_server *server;
    int fd;
    char head[65536];
    size_t len; /* of head: what was read */
    char method[16], path[4096];
    char *body;
    size_t body_len;
};

static bool say(struct conn *c, const char *text, size_t n)
{
    while (n) {
        ssize_t sent = send(c->fd, text, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool say_z(struct conn *c, const char *text)
{
    return say(c, text, strlen(text));
}

static bool answer(struct conn *c, int status, const char *type, const char *more, const char *body)
{
    char head[1024];
    size_t n = strlen(body);

    snprintf(head, sizeof(head),
             "HTTP/1.1 %d X\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", status, type,
             more, n);
    return say_z(c, head) && (strcmp(c->method, "HEAD") == 0 || say(c, body, n));
}

static bool answer_json(struct conn *c, int status, const char *body)
{
    return answer(c, status, "application/json", "", body);
}

/* ---- what it answers ---- */

static const char *header_of(struct conn *c, const char *name)
{
    static __thread char value[4096];
    const char *at = strcasestr(c->head, name);

    if (!at)
        return "";
    at += strlen(name);
    at += strspn(at, ": ");
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r\n"), at);
    return value;
}

/* The request as JSON; the body stands in it as it came. */
static bool say_echo(struct conn *c)
{
    size_t size = c->body_len + 16384;
    char *text = malloc(size);
    char match[256], key[256], auth[256], type[256];

    snprintf(match, sizeof(match), "%.200s", header_of(c, "\nIf-Match"));
    snprintf(key, sizeof(key), "%.200s", header_of(c, "\nIdempotency-Key"));
    snprintf(auth, sizeof(auth), "%.200s", header_of(c, "\nAuthorization"));
    snprintf(type, sizeof(type), "%.200s", header_of(c, "\nContent-Type"));
    bool is_json = strcmp(type, "application/json") == 0 && c->body_len;
    snprintf(text, size,
             "{\"method\":\"%s\",\"path\":\"%s\",\"match\":\"%s\",\"key\":\"%s\",\"auth\":\"%s\","
             "\"type\":\"%s\",\"version\":7,\"length\":%zu,\"body\":%.*s}",
             c->method, c->path, match, key, auth, type, c->body_len,
             is_json ? (int)c->body_len : 4, is_json ? c->body : "null");
    bool ok = answer_json(c, 200, text);
    free(text);
    return ok;
}

static bool say_huge(struct conn *c)
{
    static const char block[65536];

    if (!say_z(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  "Content-Length: 1000000000\r\n\r\n"))
        return false;
    while (say(c, block, sizeof(block)))
        ;
    return false;
}

static bool say_slow(struct conn *c)
{
    char byte;

    sem_post(&c->server->slow);
    while (recv(c->fd, &byte, 1, 0) > 0) /* until the client has gone */
        ;
    return false;
}

static bool say_cut(struct conn *c)
{
    say_z(c,
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\"");
    return false;
}

static bool say_garbage(struct conn *c)
{
    static const char junk[] = "\x00\xff\x13\x37 this is no HTTP at all\r\n\r\n{}";

    say(c, junk, sizeof(junk) - 1);
    return false;
}

static bool say_head_garbage(struct conn *c)
{
    say_z(c, "HTTP/1.1 abc\r\nContent-Length: -5\r\n\r\n{}");
    return false;
}

static bool say_not_found(struct conn *c)
{
    return answer_json(c, 404,
                       "{\"error\":\"no such \\\"thing\\\"\",\"code\":\"not_found\","
                       "\"details\":{\"id\":\"x\"}}");
}

static bool say_odd_error(struct conn *c)
{
    return answer(c, 502, "text/html", "", "<h1>Bad gateway</h1>");
}

static bool say_empty_error(struct conn *c)
{
    return answer(c, 502, "application/json", "", "{\"error\":\"\",\"code\":\"\"}");
}

static bool say_overload(struct conn *c)
{
    return answer(c, 429, "application/json", "Retry-After: 3\r\n",
                  "{\"error\":\"later\",\"code\":\"overloaded\"}");
}

static bool say_bad_json(struct conn *c)
{
    return answer_json(c, 200, "{\"a\":1,\"a\":2}");
}

static bool say_html(struct conn *c)
{
    return answer(c, 200, "text/html", "", "<p>hello");
}

static bool say_redirect(struct conn *c)
{
    return answer(c, 302, "text/html", "Location: /echo\r\n", "");
}

static bool say_nothing(struct conn *c)
{
    return say_z(c, "HTTP/1.1 204 No Content\r\n\r\n");
}

static bool say_many(struct conn *c)
{
    return answer_json(c, 200,
                       "{\"items\":[{\"id\":\"a\",\"n\":1},{\"id\":\"b\",\"n\":2.5}],"
                       "\"next_cursor\":null,\"a/b\":{\"m~n\":true},\"\":\"empty\","
                       "\"caf\\u00e9\":\"\\u00e9\",\"big\":9007199254740993}");
}

/* ---- streams: /sessions/<how>/stream ---- */

static long stream_begin(struct conn *c)
{
    struct client_server *s = c->server;
    long after = strtol(header_of(c, "\nLast-Event-ID"), NULL, 10);

    pthread_mutex_lock(&s->lock);
    if (s->streams < STREAMS_MAX)
        s->last_ids[s->streams] = after;
    s->streams++;
    pthread_mutex_unlock(&s->lock);
    return after;
}

static bool stream_head(struct conn *c)
{
    return say_z(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    "Connection: close\r\n\r\nretry: 1000\n\n");
}

static void stream_event(struct conn *c, long seq)
{
    char text[512];
    bool last = seq == 6;

    snprintf(text, sizeof(text),
             "id: %ld\ndata: {\"seq\":%ld,\"session_id\":\"s\",\"type\":\"%s\"%s,\"data\":%s}\n\n",
             seq, seq, seq == 1 || seq == 4 || last ? "session_state_change" : "token_stream",
             seq == 2 ? ",\"node_id\":\"w\\u00f6rk\"" : "",
             seq == 1   ? "{\"from\":\"pending\",\"to\":\"running\"}"
             : seq == 4 ? "{\"from\":\"running\",\"to\":\"paused\",\"reason\":\"lunch\"}"
             : last     ? "{\"from\":\"paused\",\"to\":\"completed\"}"
                        : "{\"chunk\":\"x\"}");
    say_z(c, text);
}

/* Two events a connection, the second one twice, then it is cut in the middle of an event. */
static bool stream_broken(struct conn *c)
{
    long seq = stream_begin(c);

    if (seq >= 6)
        return say_nothing(c);
    stream_head(c);
    stream_event(c, seq + 1);
    stream_event(c, seq + 2);
    if (seq + 2 == 6)
        return false; /* without `end`: what comes then is 204 */
    stream_event(c, seq + 2);
    say_z(c, ": beat\n\nid: 99\ndata: {\"seq\":99,\"ty");
    return false;
}

static bool stream_whole(struct conn *c)
{
    long after = stream_begin(c);

    stream_head(c);
    for (long seq = after + 1; seq <= 6; seq++)
        stream_event(c, seq);
    say_z(c, "event: end\ndata: {}\n\n");
    return false;
}

static bool stream_snapshot(struct conn *c)
{
    stream_begin(c);
    stream_head(c);
    say_z(c, "event: snapshot\nid: 4\ndata: {\"last_seq\":4,\"session\":{\"id\":\"s\"}}\n\n");
    for (long seq = 4; seq <= 6; seq++)
        stream_event(c, seq);
    say_z(c, "event: end\ndata: {}\n\n");
    return false;
}

static bool stream_junk(struct conn *c)
{
    stream_begin(c);
    stream_head(c);
    say_z(c, "data: {\"seq\":1,,}\n\n");
    return false;
}

static bool stream_quiet(struct conn *c)
{
    stream_begin(c);
    stream_head(c);
    stream_event(c, 1);
    return say_slow(c);
}

static bool stream_gone(struct conn *c)
{
    stream_begin(c);
    return say_not_found(c);
}

static bool stream_busy(struct conn *c)
{
    stream_begin(c);
    return answer_json(c, 503, "{\"error\":\"no store\",\"code\":\"unavailable\"}");
}

static bool stream_page(struct conn *c)
{
    stream_begin(c);
    return say_html(c);
}

static const struct {
    const char *path;
    bool (*say)(struct conn *c); /* false: the connection ends */
} answers[] = {
    {"/huge", say_huge},
    {"/slow", say_slow},
    {"/cut", say_cut},
    {"/garbage", say_garbage},
    {"/head-garbage", say_head_garbage},
    {"/not-found", say_not_found},
    {"/odd-error", say_odd_error},
    {"/empty-error", say_empty_error},
    {"/overload", say_overload},
    {"/bad-json", say_bad_json},
    {"/sessions/bad-json", say_bad_json},
    {"/sessions/html", say_html},
    {"/html", say_html},
    {"/redirect", say_redirect},
    {"/nothing", say_nothing},
    {"/many", say_many},
    {"/sessions/broken/stream", stream_broken},
    {"/sessions/whole/stream", stream_whole},
    {"/sessions/snapshot/stream", stream_snapshot},
    {"/sessions/junk/stream", stream_junk},
    {"/sessions/quiet/stream", stream_quiet},
    {"/sessions/gone/stream", stream_gone},
    {"/sessions/busy/stream", stream_busy},
    {"/sessions/page/stream", stream_page},
};

static bool say_by_path(struct conn *c)
{
    size_t n = strcspn(c->path, "?");

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (strlen(answers[i].path) == n && strncmp(c->path, answers[i].path, n) == 0)
            return answers[i].say(c);
    return say_echo(c);
}

/* ---- connections ---- */

/* A whole request. */
static bool conn_read(struct conn *c)
{
    char *end;

    c->len = 0;
    c->head[0] = '\0';
    while (!(end = strstr(c->head, "\r\n\r\n"))) {
        ssize_t n = recv(c->fd, c->head + c->len, sizeof(c->head) - 1 - c->len, 0);
        if (n <= 0)
            return false;
        c->len += (size_t)n;
        c->head[c->len] = '\0';
    }
    sscanf(c->head, "%15s %4095s", c->method, c->path);
    c->body_len = strtoul(header_of(c, "\nContent-Length"), NULL, 10);
    c->body = realloc(c->body, c->body_len + 1);
    size_t have = c->len - (size_t)(end + 4 - c->head);
    memcpy(c->body, end + 4, have);
    while (have < c->body_len) {
        ssize_t n = recv(c->fd, c->body + have, c->body_len - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    c->body[c->body_len] = '\0';
    *end = '\0'; /* what follows are no headers */
    return true;
}

static void *conn_main(void *data)
{
    struct conn *c = data;
    struct client_server *s = c->server;

    while (conn_read(c) && say_by_path(c))
        ;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (s->conns[i] == c->fd)
            s->conns[i] = -1;
    close(c->fd);
    if (--s->open == 0)
        pthread_cond_signal(&s->idle);
    pthread_mutex_unlock(&s->lock);
    free(c->body);
    free(c);
    return NULL;
}

static void server_accept(struct client_server *s, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));
    pthread_attr_t detached;
    pthread_t thread;

    c->server = s;
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    pthread_mutex_lock(&s->lock);
    s->open++;
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (s->conns[i] < 0) {
            s->conns[i] = fd;
            break;
        }
    if (s->stopping)
        shutdown(fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    assert(pthread_create(&thread, &detached, conn_main, c) == 0);
    pthread_attr_destroy(&detached);
}

static void *server_main(void *data)
{
    struct client_server *s = data;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0)
        server_accept(s, fd);
    return NULL;
}

struct client_server *client_server_start(void)
{
    struct client_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof(at);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(bind(s->listener, (struct sockaddr *)&at, n) == 0);
    assert(listen(s->listener, 64) == 0);
    assert(getsockname(s->listener, (struct sockaddr *)&at, &n) == 0);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(at.sin_port));
    for (unsigned i = 0; i < CONNS_MAX; i++)
        s->conns[i] = -1;
    sem_init(&s->slow, 0, 0);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    assert(pthread_create(&s->thread, NULL, server_main, s) == 0);
    return s;
}

void client_server_stop(struct client_server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (s->conns[i] >= 0)
            shutdown(s->conns[i], SHUT_RDWR);
    while (s->open)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->idle);
    sem_destroy(&s->slow);
    free(s);
}

const char *client_server_url(const struct client_server *s)
{
    return s->url;
}

void client_server_await_slow(struct client_server *s)
{
    while (sem_wait(&s->slow))
        ;
}

unsigned client_server_streams(struct client_server *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned n = s->streams;
    pthread_mutex_unlock(&s->lock);
    return n;
}

long client_server_last_id(struct client_server *s, unsigned stream)
{
    pthread_mutex_lock(&s->lock);
    long id = stream < STREAMS_MAX ? s->last_ids[stream] : -1;
    pthread_mutex_unlock(&s->lock);
    return id;
}
