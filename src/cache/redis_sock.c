#include "cache/redis_sock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <hiredis/sds.h>

#include "base/mem.h"

#define READ_BYTES     (16u << 10) /* hiredis reads so much at once */
#define READS_PER_TURN 64          /* the rest in the next turn */
#define ARGS_MAX       (8 + CACHE_LINES_MAX)

static void sock_polled(uv_poll_t *h, int status, int events);

/* ---- bounded replies ---- */

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif
static void *(*hiredis_create_array)(const redisReadTask *task, element_count elements);

/* hiredis would allocate room for as many elements as the server says. */
static void *sock_create_array(const redisReadTask *task, element_count elements)
{
    if (task->parent || elements > REDIS_ELEMENTS_MAX)
        return NULL;
    return hiredis_create_array(task, elements);
}

void redis_sock_bound_replies(redisContext *c)
{
    static redisReplyObjectFunctions bounded;

    if (!hiredis_create_array) {
        bounded = *c->reader->fn;
        hiredis_create_array = bounded.createArray;
        bounded.createArray = sock_create_array;
    }
    c->reader->fn = &bounded;
}

/* ---- opening and closing ---- */

static void sock_watch(struct redis_sock *s, int events)
{
    if (s->events != events) {
        s->events = events;
        uv_poll_start(s->poll, events, sock_polled);
    }
}

int redis_sock_open(struct redis_sock *s, uv_loop_t *loop, const struct redis_url *url,
                    const char *address, struct errbuf *e)
{
    redisContext *c = url->host[0] ? redisConnectNonBlock(address, url->port)
                                   : redisConnectUnixNonBlock(url->path);

    if (!c || c->err) {
        err_set(e, ERR_UNAVAILABLE, "%s", c ? c->errstr : "out of memory");
        if (c)
            redisFree(c);
        return ERR_UNAVAILABLE;
    }
    s->poll = mem_zalloc(sizeof(*s->poll));
    if (uv_poll_init(loop, s->poll, (int)c->fd)) {
        free(s->poll);
        redisFree(c);
        return err_set(e, ERR_UNAVAILABLE, "its socket cannot be watched");
    }
    redis_sock_bound_replies(c);
    s->c = c;
    s->loop = loop;
    s->poll->data = s;
    s->connected = false;
    s->unsent = false;
    s->events = 0;
    s->round++;
    sock_watch(s, UV_WRITABLE | UV_READABLE);
    return 0;
}

static void sock_poll_closed(uv_handle_t *h)
{
    free(h);
}

void redis_sock_close(struct redis_sock *s)
{
    if (!s->c)
        return;
    /* First the watching, then the descriptor. */
    uv_close((uv_handle_t *)s->poll, sock_poll_closed);
    redisFree(s->c);
    s->c = NULL;
    s->poll = NULL;
    s->connected = false;
}

static void sock_lose(struct redis_sock *s, const char *why)
{
    char text[160];

    snprintf(text, sizeof(text), "%s", why);
    redis_sock_close(s);
    s->on_lost(s, text);
}

/* ---- commands out ---- */

size_t redis_sock_add(struct redis_sock *s, int argc, const struct str *argv)
{
    const char *words[ARGS_MAX];
    size_t sizes[ARGS_MAX], bytes = 16;

    for (int i = 0; i < argc; i++) {
        words[i] = argv[i].p ? argv[i].p : "";
        sizes[i] = argv[i].n;
        bytes += argv[i].n + 16;
    }
    redisAppendCommandArgv(s->c, argc, words, sizes);
    return bytes;
}

/* Writes as much as the socket takes. When a writable socket takes nothing, TLS has to read first;
 * the read then writes on. */
static void sock_write(struct redis_sock *s)
{
    size_t before = sdslen(s->c->obuf);
    int done = 0;

    if (redisBufferWrite(s->c, &done) != REDIS_OK) {
        sock_lose(s, s->c->errstr);
        return;
    }
    s->unsent = !done;
    bool stuck = s->unsent && sdslen(s->c->obuf) == before && s->tls;
    sock_watch(s, s->unsent && !stuck ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void redis_sock_flush(struct redis_sock *s)
{
    if (s->c && s->connected && !(s->events & UV_WRITABLE))
        sock_write(s);
}

/* ---- replies in ---- */

static const char sock_too_long[] = "it sent a reply that is too long";

static bool sock_take_replies(struct redis_sock *s)
{
    unsigned round = s->round;
    void *reply = NULL;

    while (s->c && s->round == round) {
        if (redisGetReplyFromReader(s->c, &reply) != REDIS_OK) {
            sock_lose(s, s->c->err == REDIS_ERR_OOM ? sock_too_long : s->c->errstr);
            return false;
        }
        if (!reply) {
            size_t waiting = (size_t)s->c->reader->len - (size_t)s->c->reader->pos;
            if (waiting <= REDIS_REPLY_MAX)
                return true;
            sock_lose(s, sock_too_long);
            return false;
        }
        s->on_reply(s, reply);
        freeReplyObject(reply);
    }
    return false;
}

void redis_sock_read(struct redis_sock *s)
{
    unsigned round = s->round;

    for (int i = 0; i < READS_PER_TURN && s->c && s->connected && s->round == round; i++) {
        size_t before = (size_t)s->c->reader->len;
        if (redisBufferRead(s->c) != REDIS_OK) {
            sock_lose(s, s->c->errstr);
            return;
        }
        size_t got = (size_t)s->c->reader->len - before;
        if (!sock_take_replies(s) || got < READ_BYTES)
            return;
    }
}

/* ---- the socket ---- */

static bool sock_finish_connect(struct redis_sock *s)
{
    struct errbuf e = {""};
    int error = 0;
    socklen_t n = sizeof(error);

    if (getsockopt((int)s->c->fd, SOL_SOCKET, SO_ERROR, &error, &n) || error)
        err_set(&e, ERR_UNAVAILABLE, "%s", strerror(error ? error : errno));
    else if (s->tls)
        redis_tls_begin(s->tls, s->c, &e);
    if (e.text[0]) {
        sock_lose(s, e.text);
        return false;
    }
    s->connected = true;
    s->on_connected(s);
    return s->c != NULL;
}

static void sock_polled(uv_poll_t *h, int status, int events)
{
    struct redis_sock *s = h->data;
    unsigned round = s->round;

    if (!s->connected && !sock_finish_connect(s))
        return;
    /* An error of the poll is something to read: the read says which. */
    if (s->round == round && (status < 0 || (events & UV_READABLE)))
        redis_sock_read(s);
    if (s->c && s->round == round && ((events & UV_WRITABLE) || s->unsent))
        sock_write(s);
}
