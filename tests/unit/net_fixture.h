/* A net server over a service made by the test, and raw clients on the same loop. Nothing sleeps:
 * every wait turns the loop until what is waited for is there, and fails after 20 s. */
#ifndef SLUICE_TESTS_NET_FIXTURE_H
#define SLUICE_TESTS_NET_FIXTURE_H

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/json.h"
#include "net/log.h"
#include "net/server.h"
#include "net/service.h"

#define SESSION  "01890000-0000-7000-8000-000000000001"
#define SESSION2 "01890000-0000-7000-8000-000000000002"
#define UNKNOWN  "01890000-0000-7000-8000-00000000dead"

struct fixture {
    uv_loop_t loop;
    uv_timer_t guard, later;
    bool timed_out;
    struct service service;
    struct log_reader reader;
    struct log_hub *hub;
    struct net_server *server;
    bool closed;
    bool demands; /* a key: "<role>.<workspace>" is one */
    bool revoked; /* nobody may stay */
    bool defer;   /* answers wait for fixture_answer() */
    struct svc_req *waiting[600];
    unsigned waiting_count, submitted;
    struct svc_req *last; /* In part of the last one; valid in `inspect` only */
    void (*inspect)(struct fixture *f, struct svc_req *q);
    struct buf seen;  /* the inspected bits, as text */
    int64_t last_seq; /* of SESSION */
    const char *status;
    char *events[5000];
    struct log_read *read;
    unsigned reads;
};

/* ---- the service ---- */

static void fake_session(struct fixture *f, struct svc_req *q)
{
    struct id known, known2;

    id_parse(STR(SESSION), &known);
    id_parse(STR(SESSION2), &known2);
    if (!id_eq(q->session_id, known) && !id_eq(q->session_id, known2)) {
        q->status = err_set(&q->error, ERR_NOT_FOUND, "Session not found");
        return;
    }
    buf_printf(&q->body,
               "{\"id\":\"" SESSION "\",\"status\":\"%s\",\"workflow_id\":\"w\",\"last_seq\":%lld}",
               f->status, (long long)(id_eq(q->session_id, known) ? f->last_seq : 0));
    q->etag_version = 7;
}

static void fake_answer(struct fixture *f, struct svc_req *q)
{
    switch ((int)q->op) {
    case SVC_SESSION_GET:
        fake_session(f, q);
        break;
    case SVC_EXECUTE:
        q->http_status = 202;
        buf_append_z(&q->body, "{\"session_id\":\"" SESSION "\",\"status\":\"started\"}");
        break;
    case SVC_PAUSE:
        q->status = err_set(&q->error, ERR_CONFLICT, "the session has ended");
        break;
    case SVC_RESUME:
        buf_append_z(&q->body, "{\"status\":\"running\",\"seq\":9}");
        break;
    case SVC_CANCEL:
        q->status = err_set(&q->error, ERR_UNAVAILABLE, "the store is away");
        q->retry_after_s = 3;
        break;
    case SVC_WORKFLOW_VALIDATE:
        q->status = ERR_UNPROCESSABLE;
        buf_append_z(&q->details, "{\"valid\":false}");
        break;
    case SVC_TICKET_TAKE:
        if (str_eqz(q->name, "viewer")) {
            struct principal who = {.kind = PRINCIPAL_KEY, .role = ROLE_VIEWER, .workspace = "w7"};
            svc_req_set_who(q, &who);
        } else {
            q->status = err_set(
                &q->error, str_eqz(q->name, "later") ? ERR_UNAVAILABLE : ERR_UNAUTHORIZED, "no");
        }
        break;
    case SVC_METRICS:
        buf_append_z(&q->body, "sluice_up 1\n");
        q->content_type = "text/plain; version=0.0.4; charset=utf-8";
        break;
    case SVC_SESSION_LIST:
    case SVC_EVENTS:
        buf_append_z(&q->body, "{\"items\":[],\"next_cursor\":null}");
        break;
    case SVC_WORKFLOW_LIST: /* a long answer */
        buf_append_z(&q->body, "\"");
        for (int i = 0; i < 8 << 20; i += 64)
            buf_append_z(&q->body,
                         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        buf_append_z(&q->body, "\"");
        break;
    default:
        buf_append_z(&q->body, "{\"ok\":true}");
    }
}

static void fake_submit(struct service *s, struct svc_req *q)
{
    struct fixture *f = container_of(s, struct fixture, service);

    f->submitted++;
    if (f->inspect)
        f->inspect(f, q);
    if (f->defer) {
        assert_true(f->waiting_count < 600);
        f->waiting[f->waiting_count++] = q;
        return;
    }
    fake_answer(f, q);
    q->done(q);
}

static int fake_authenticate(struct service *s, const struct credentials *shown,
                             struct principal *out, struct errbuf *e)
{
    struct fixture *f = container_of(s, struct fixture, service);
    const char *dot = shown->bearer.p ? memchr(shown->bearer.p, '.', shown->bearer.n) : NULL;

    principal_anonymous(out);
    if (!f->demands)
        return 0;
    if (!dot || f->revoked)
        return err_set(e, ERR_UNAUTHORIZED, "show a key");
    out->kind = PRINCIPAL_KEY;
    out->role = role_parse((struct str){shown->bearer.p, (size_t)(dot - shown->bearer.p)});
    snprintf(out->name, sizeof(out->name), "somebody");
    snprintf(out->workspace, sizeof(out->workspace), "%.*s",
             (int)(shown->bearer.p + shown->bearer.n - dot - 1), dot + 1);
    return 0;
}

static bool fake_may_stay(struct service *s, const struct principal *who)
{
    (void)who;
    return !container_of(s, struct fixture, service)->revoked;
}

static inline void fixture_answer(struct fixture *f)
{
    unsigned n = f->waiting_count;

    f->waiting_count = 0;
    for (unsigned i = 0; i < n; i++) {
        fake_answer(f, f->waiting[i]);
        f->waiting[i]->done(f->waiting[i]);
    }
}

/* ---- the loop ---- */

static void guard_over(uv_timer_t *t)
{
    ((struct fixture *)t->data)->timed_out = true;
}

#define TURN_UNTIL(f, condition)                                                                   \
    do {                                                                                           \
        (f)->timed_out = false;                                                                    \
        uv_timer_start(&(f)->guard, guard_over, 20000, 0);                                         \
        while (!(condition) && !(f)->timed_out)                                                    \
            uv_run(&(f)->loop, UV_RUN_ONCE);                                                       \
        uv_timer_stop(&(f)->guard);                                                                \
        if ((f)->timed_out)                                                                        \
            fail_msg("waited in vain for: %s", #condition);                                        \
    } while (0)

static void set_true(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

/* What should not happen has this long to happen. */
static inline void turn_for(struct fixture *f, int ms)
{
    bool over = false;

    f->later.data = &over;
    uv_timer_start(&f->later, set_true, (uint64_t)ms, 0);
    TURN_UNTIL(f, over);
}

static void fixture_closed(void *data)
{
    ((struct fixture *)data)->closed = true;
}

static void fake_read_events(struct log_reader *r, struct log_read *read)
{
    struct fixture *f = container_of(r, struct fixture, reader);

    assert_null(f->read);
    f->read = read;
    f->reads++;
}

/* Answers the read that waits: nothing is stored behind that; first_held as in log_read_done(). */
static inline void fixture_read_nothing(struct fixture *f, int64_t first_held)
{
    struct log_read *read = f->read;

    f->read = NULL;
    log_read_done(read, 0, 0, 0, first_held, STR_NULL);
}

static inline void fixture_open(struct fixture *f, struct net_config *config)
{
    static const struct service_vtable vtable = {
        .submit = fake_submit, .authenticate = fake_authenticate, .may_stay = fake_may_stay};
    struct errbuf e = {""};

    memset(f, 0, sizeof(*f));
    f->service.v = &vtable;
    f->reader.read = fake_read_events;
    f->status = "running";
    buf_init(&f->seen, 1 << 20);
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->guard);
    uv_timer_init(&f->loop, &f->later);
    f->guard.data = f;
    f->hub = log_hub_create(&f->reader);
    config->host = config->host ? config->host : "127.0.0.1";
    config->version = "1.2.3";
    assert_int_equal(net_server_open(&f->server, &f->loop, config, &f->service, f->hub, &e), 0);
    assert_true(net_server_port(f->server) > 0);
    net_server_set_ready(f->server, true);
}

static inline void fixture_close(struct fixture *f)
{
    if (!f->closed) {
        net_server_close(f->server, 100, 2000, fixture_closed, f);
        TURN_UNTIL(f, f->closed);
    }
    if (f->read)
        fixture_read_nothing(f, 0);
    uv_unref((uv_handle_t *)&f->guard);
    uv_close((uv_handle_t *)&f->later, NULL);
    TURN_UNTIL(f, !uv_loop_alive(&f->loop)); /* everything was closed */
    uv_close((uv_handle_t *)&f->guard, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    log_hub_destroy(f->hub);
    buf_deinit(&f->seen);
    for (int i = 0; i < 5000; i++)
        free(f->events[i]);
}

/* Seals n more events of SESSION, each with `pad` bytes of data. */
static inline void fixture_seal(struct fixture *f, int n, size_t pad, const char *type)
{
    struct id id;
    struct buf b;

    id_parse(STR(SESSION), &id);
    buf_init(&b, 64u << 20);
    for (int i = 0; i < n; i++) {
        int64_t seq = ++f->last_seq;
        char *e = malloc(pad + 300);
        int len = sprintf(e,
                          "{\"seq\":%lld,\"session_id\":\"" SESSION
                          "\",\"type\":\"%s\",\"data\":{\"to\":\"completed\",\"x\":\"",
                          (long long)seq, type);
        memset(e + len, 'x', pad);
        strcpy(e + len + pad, "\"}}");
        f->events[seq] = e;
        if (i > 0)
            buf_append_char(&b, '\n');
        buf_append_z(&b, e);
    }
    log_seal(f->hub, id, f->last_seq - n + 1, f->last_seq, buf_str(&b));
    buf_deinit(&b);
}

/* ---- clients ---- */

struct client {
    struct fixture *f;
    int fd;
    uv_poll_t poll;
    struct buf in;
    bool eof, gone;
    bool reading;
};

static void client_readable(uv_poll_t *poll, int status, int events)
{
    struct client *c = poll->data;
    char bytes[65536];
    ssize_t n;

    (void)status;
    (void)events;
    while ((n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        buf_append(&c->in, bytes, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        c->eof = true;
        uv_poll_stop(poll);
    }
}

static inline void client_read(struct client *c, bool on)
{
    if (on)
        uv_poll_start(&c->poll, UV_READABLE, client_readable);
    else
        uv_poll_stop(&c->poll);
}

static inline void client_open(struct client *c, struct fixture *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    int one = 1;

    memset(c, 0, sizeof(*c));
    c->f = f;
    buf_init(&c->in, 256u << 20);
    a.sin_port = htons((uint16_t)net_server_port(f->server));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    uv_poll_init(&f->loop, &c->poll, c->fd);
    c->poll.data = c;
    client_read(c, true);
}

static void client_gone(uv_handle_t *h)
{
    ((struct client *)h->data)->gone = true;
}

static inline void client_close(struct client *c)
{
    uv_close((uv_handle_t *)&c->poll, client_gone);
    TURN_UNTIL(c->f, c->gone);
    close(c->fd);
    buf_deinit(&c->in);
}

static inline void client_send_bytes(struct client *c, const void *p, size_t n)
{
    const char *at = p;

    while (n > 0) {
        ssize_t k = send(c->fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (k < 0) {
            assert_true(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
            if (errno != EAGAIN)
                return;
            uv_run(&c->f->loop, UV_RUN_NOWAIT);
            continue;
        }
        at += k;
        n -= (size_t)k;
    }
}

static inline void client_send(struct client *c, const char *z)
{
    client_send_bytes(c, z, strlen(z));
}

/* ---- HTTP answers ---- */

/* Bytes of the first whole answer in `in`, or 0. */
static inline size_t answer_bytes(struct client *c, bool no_body)
{
    const char *end = c->in.len ? strstr(c->in.data, "\r\n\r\n") : NULL;
    const char *length = c->in.len ? strcasestr(c->in.data, "\r\nContent-Length: ") : NULL;
    size_t n;

    if (!end)
        return 0;
    n = (size_t)(end + 4 - c->in.data);
    if (length && length < end && !no_body)
        n += strtoul(length + 18, NULL, 10);
    return c->in.len >= n ? n : 0;
}

struct answer {
    int status;
    char *text; /* head and body */
    const char *body;
    size_t bytes;
};

static inline struct answer client_answer_of(struct client *c, bool no_body)
{
    struct answer a = {0};

    TURN_UNTIL(c->f, answer_bytes(c, no_body) > 0 || c->eof);
    a.bytes = answer_bytes(c, no_body);
    assert_true(a.bytes > 0);
    a.text = str_dup((struct str){c->in.data, a.bytes});
    a.body = strstr(a.text, "\r\n\r\n") + 4;
    a.status = atoi(a.text + 9);
    buf_consume(&c->in, a.bytes);
    return a;
}

static inline struct answer client_answer(struct client *c)
{
    return client_answer_of(c, false);
}

/* Asserts status and that head or body contain the text; frees it. */
static inline void answer_is(struct answer a, int status, const char *contains)
{
    if (a.status != status || (contains && !strstr(a.text, contains)))
        fail_msg("expected %d with '%s', got: %.600s", status, contains ? contains : "", a.text);
    free(a.text);
}

static inline void request(struct client *c, const char *method, const char *path,
                           const char *headers, const char *body)
{
    char head[4096];

    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path,
             headers ? headers : "");
    client_send(c, head);
    if (body) {
        snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", strlen(body));
        client_send(c, head);
        client_send(c, body);
    } else {
        client_send(c, "\r\n");
    }
}

#define JSON_TYPE "Content-Type: application/json\r\n"

#endif
