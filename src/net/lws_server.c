#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/lws_http.h"
#include "net/openssl_tls.h"

#define FDS_MAX        (1u << 16)
#define FDS_RESERVED   64 /* for the store, the models, standard streams; half, if there are few */
#define FDS_MANY       (4 * FDS_RESERVED)
#define TIMEOUT_S      30 /* between two pieces of headers or a body */
#define TURNS_TO_CLOSE 4  /* of the loop, until the handles of libwebsockets are closed */
#define PROTOCOL       "sluice.v1"

/* ---- the callback ---- */

static struct net_server *server_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

static int on_http(struct conn *c, enum lws_callback_reasons reason, void *in, size_t len)
{
    if (reason == LWS_CALLBACK_HTTP)
        http_begin(c, (struct str){in, len});
    else if (reason == LWS_CALLBACK_HTTP_BODY)
        http_body(c, in, len);
    else
        http_body_end(c);
    return 0;
}

static int on_ws(struct conn *c, enum lws_callback_reasons reason, void *in, size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
        return ws_open(c);
    case LWS_CALLBACK_RECEIVE:
        ws_receive(c, in, len);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        ws_pong(c);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        ws_writable(c);
        return 0;
    default:
        return ws_peer_close(c, len);
    }
}

/* What the callback of a connection returns: closing is said here and nowhere else. */
static int conn_callback(struct conn *c, struct lws *wsi, enum lws_callback_reasons reason,
                         void *in, size_t len)
{
    int r;

    if (c->ended)
        return -1;
    c->server->callbacks++;
    c->in_callback++;
    if (reason == LWS_CALLBACK_HTTP || reason == LWS_CALLBACK_HTTP_BODY ||
        reason == LWS_CALLBACK_HTTP_BODY_COMPLETION)
        r = on_http(c, reason, in, len);
    else
        r = on_ws(c, reason, in, len);
    c->in_callback--;
    c->server->callbacks--;
    if (!c->ended)
        return r;
    if (c->ws && c->close_code)
        lws_close_reason(wsi, (enum lws_close_status)c->close_code, (unsigned char *)c->close_text,
                         c->close_text ? strlen(c->close_text) : 0);
    return -1;
}

static void conn_closed(struct conn *c)
{
    c->ended = true;
    list_remove(&c->reap_link);
    list_remove(&c->held_link);
    http_gone(c);
    sse_gone(c);
    ws_gone(c);
    conn_await_stop(c);
    conn_clock(c, NULL);
}

static int net_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t len)
{
    struct conn *c = user;

    switch ((int)reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        c = conn_create(server_of(wsi), wsi);
        lws_set_wsi_user(wsi, c);
        conn_clock(c, &c->server->idle);
        return 0;
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        tls_context_init(user); /* here it is the SSL_CTX of the vhost */
        server_of(wsi)->tls_context = user;
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return c ? ws_check(c) : -1;
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return c ? conn_callback(c, wsi, reason, in, len) : -1;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
        if (c)
            conn_closed(c);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        if (c)
            conn_destroy(c);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT: /* CONNECT */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return 0;
    }
}

/* ---- opening ---- */

static void lws_log_line(int level, const char *line)
{
    size_t n = strlen(line);

    if (n > 0 && line[n - 1] == '\n')
        n--;
    (void)level;
    log_debug("net", "%.*s", (int)n, line); /* peers can cause any of its errors */
}

/* libwebsockets has tables as long as the limit of descriptors is high, and walks one of them from
 * end to end when a connection closes (6 instructions a descriptor, 4.1.6); containers often have a
 * limit of a million, some systems of a thousand million. */
static unsigned fds_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return 1024;
    if (l.rlim_cur > FDS_MAX) {
        l.rlim_cur = FDS_MAX;
        setrlimit(RLIMIT_NOFILE, &l);
    }
    return (unsigned)l.rlim_cur;
}

static char *copy_host(const char *host)
{
    size_t n = strlen(host);

    if (n > 2 && host[0] == '[' && host[n - 1] == ']')
        return str_dup((struct str){host + 1, n - 2});
    return mem_strdup(host);
}

static void conn_stalled(struct conn *c)
{
    if (c->ws)
        ws_stalled(c);
    else
        conn_end(c);
}

static void poll_begins(uv_prepare_t *h)
{
    struct net_server *s = h->data;

    ws_flush_dirty(s);
    net_settle_held(s);
    s->polling = true;
}

static void poll_ends(uv_check_t *h)
{
    struct net_server *s = h->data;

    s->polling = false;
    net_settle_held(s);
}

static void server_tell(uv_idle_t *idle)
{
    struct net_server *s = idle->data;

    if (!log_tell_more(s->log))
        uv_idle_stop(idle);
}

static void server_tell_later(void *data)
{
    uv_idle_start(&((struct net_server *)data)->tell, server_tell);
}

static void server_send_together(const struct log_together *t, struct send_job *jobs,
                                 unsigned count)
{
    senders_run(t->data, jobs, count);
}

static void server_init_senders(struct net_server *s, unsigned threads)
{
    s->senders = senders_create(threads);
    s->together = (struct log_together){
        .threads = senders_threads(s->senders),
        .begin = ws_begin_together,
        .send = server_send_together,
        .end = ws_end_together,
        .data = s->senders,
    };
}

static void server_init(struct net_server *s, uv_loop_t *loop, const struct net_config *config)
{
    unsigned fds = fds_limit();

    s->loop = loop;
    s->host = copy_host(config->host);
    s->origins = config->origins ? mem_strdup(config->origins) : NULL;
    s->version = mem_strdup(config->version);
    s->tls_cert = config->tls_cert ? mem_strdup(config->tls_cert) : NULL;
    s->tls_key = config->tls_key ? mem_strdup(config->tls_key) : NULL;
    s->behind_proxy = config->behind_proxy;
    rate_init(&s->rate, config->rate_limit, 2.0 * config->rate_limit);
    rate_init(&s->failures, NET_FAILURES_PER_S, NET_FAILURES_BURST);
    s->body_bytes_max = config->body_bytes_max ? config->body_bytes_max : JSON_BODY_MAX;
    s->frame_bytes_max = config->frame_bytes_max ? config->frame_bytes_max : NET_FRAME_BYTES_MAX;
    s->listen_fd = -1;
    unsigned few = fds / 2, many = fds - FDS_RESERVED - NET_REFUSED_MAX;
    s->connections_max = config->connections_max ? config->connections_max
                         : fds > FDS_MANY        ? many
                                                 : few;
    s->refused_max = fds > FDS_MANY ? NET_REFUSED_MAX : fds / 8;
    list_init(&s->conns);
    list_init(&s->reaped);
    list_init(&s->dirty);
    list_init(&s->held);
    list_init(&s->spare);
    net_clock_init(&s->idle, NET_HTTP_IDLE_S, conn_end);
    net_clock_init(&s->body, NET_HTTP_BODY_S, conn_end);
    net_clock_init(&s->linger, NET_LINGER_S, conn_end);
    net_clock_init(&s->stall, NET_STALL_S, conn_stalled);
    net_clock_init(&s->ping,
                   config->ping_interval_s ? (uint64_t)config->ping_interval_s : NET_WS_PING_S,
                   ws_due);
    net_clock_init(&s->beat, NET_SSE_BEAT_S, sse_due);
    watch_hub_init(&s->watch);
    server_init_senders(s, config->send_threads);
    buf_init(&s->openapi, 4u << 20);
    buf_init(&s->asyncapi, 4u << 20);
    buf_init(&s->scratch, SVC_BODY_MAX);
    uv_timer_init(loop, &s->reaper);
    uv_timer_init(loop, &s->ticker);
    uv_timer_init(loop, &s->grace);
    uv_idle_init(loop, &s->turn);
    uv_idle_init(loop, &s->tell);
    uv_prepare_init(loop, &s->prepare);
    uv_check_init(loop, &s->check);
    s->reaper.data = s->ticker.data = s->grace.data = s->turn.data = s;
    s->prepare.data = s->check.data = s->tell.data = s;
    s->handles = 7;
    uv_prepare_start(&s->prepare, poll_begins);
    uv_check_start(&s->check, poll_ends);
}

static void server_free(struct net_server *s)
{
    watch_hub_deinit(&s->watch);
    senders_destroy(s->senders);
    http_spare_free(s);
    buf_deinit(&s->openapi);
    buf_deinit(&s->asyncapi);
    buf_deinit(&s->scratch);
    free(s->host);
    free(s->origins);
    free(s->version);
    free(s->tls_cert);
    free(s->tls_key);
    rate_deinit(&s->rate);
    rate_deinit(&s->failures);
    free(s);
}

static void server_protocols(struct net_server *s)
{
    s->protocols[0] = (struct lws_protocols){
        .name = PROTOCOL,
        .callback = net_callback,
        .rx_buffer_size = 256,     /* taken for every WebSocket; what is longer comes in pieces */
        .tx_packet_size = 1u << 20 /* the most that one write gives to the socket */
    };
}

static int server_start_lws(struct net_server *s, struct errbuf *e)
{
    /* Liveness is ours to check: its timers stand in a list that is sorted by walking it. */
    static const lws_retry_bo_t no_checks = {0};
    void *loops[] = {s->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
        .foreign_loops = loops,
        .user = s,
        .pcontext = &s->context, /* NULL again once it is freed */
        .pt_serv_buf_size = 65536,
        .max_http_header_data = NET_HEADER_BYTES_MAX,
        .timeout_secs = TIMEOUT_S,
        .retry_and_idle_policy = &no_checks,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
    };

    if (s->tls_cert)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    lws_set_log_level(LLL_ERR, lws_log_line);
    s->context = lws_create_context(&info);
    if (!s->context)
        return err_set(e, ERR_IO,
                       "libwebsockets does not start (is libwebsockets-evlib-uv there?)");
    server_protocols(s);
    info.protocols = s->protocols;
    info.vhost_name = "sluice";
    info.keepalive_timeout = NET_HTTP_IDLE_S;
    if (s->tls_cert) {
        info.alpn = "http/1.1"; /* else it offers h2, which is not served here */
        info.ssl_cert_filepath = s->tls_cert;
        info.ssl_private_key_filepath = s->tls_key;
    }
    s->vhost = lws_create_vhost(s->context, &info);
    return s->vhost ? 0 : err_set(e, ERR_IO, "libwebsockets does not start");
}

static void server_freed(uv_handle_t *h)
{
    struct net_server *s = h->data;
    void (*closed)(void *) = s->closed;
    void *data = s->closed_data;

    if (--s->handles > 0)
        return;
    server_free(s);
    if (closed)
        closed(data);
}

/* libwebsockets closes its handles in two turns of the loop and then wants to be called again. */
static void server_turn(uv_idle_t *idle)
{
    struct net_server *s = idle->data;

    if (++s->turns < TURNS_TO_CLOSE)
        return;
    if (s->context) {
        lws_context_destroy(s->context);
        s->turns = 0;
        return;
    }
    log_hub_set_later(s->log, NULL, NULL);
    log_hub_set_together(s->log, NULL);
    uv_close((uv_handle_t *)&s->reaper, server_freed);
    uv_close((uv_handle_t *)&s->tell, server_freed);
    uv_close((uv_handle_t *)&s->ticker, server_freed);
    uv_close((uv_handle_t *)&s->grace, server_freed);
    uv_close((uv_handle_t *)&s->turn, server_freed);
    uv_close((uv_handle_t *)&s->prepare, server_freed);
    uv_close((uv_handle_t *)&s->check, server_freed);
}

int net_server_reload_tls(struct net_server *s, struct errbuf *e)
{
    int rc = s->tls_cert ? tls_check(s->tls_cert, s->tls_key, e) : 0;

    if (rc == 0 && s->tls_context)
        rc = tls_context_load(s->tls_context, s->tls_cert, s->tls_key, e);
    return rc;
}

int net_server_open(struct net_server **out, struct uv_loop_s *loop,
                    const struct net_config *config, struct service *service, struct log_hub *log,
                    struct errbuf *e)
{
    struct net_server *s = mem_zalloc(sizeof(*s));
    int status;

    server_init(s, loop, config);
    s->service = service;
    s->log = log;
    status = s->tls_cert ? tls_check(s->tls_cert, s->tls_key, e) : 0;
    if (status == 0)
        status = net_listen(s, config->port, e);
    if (status == 0)
        status = server_start_lws(s, e);
    if (status < 0) { /* what is to be closed is closed in the next turns of the loop */
        net_unlisten(s);
        s->closing = s->context_closing = true;
        if (s->context)
            lws_context_destroy(s->context);
        uv_idle_start(&s->turn, server_turn);
        return status;
    }
    log_hub_set_later(log, server_tell_later, s);
    if (s->together.threads > 1)
        log_hub_set_together(log, &s->together);
    *out = s;
    return 0;
}

int net_server_port(const struct net_server *s)
{
    return s->guard.port;
}

void net_server_set_ready(struct net_server *s, bool ready)
{
    s->ready = ready;
}

void net_server_stats(const struct net_server *s, struct net_stats *out)
{
    struct log_stats log;

    *out = s->stats;
    log_stats(s->log, &log);
    out->cursors = log.cursors;
}

/* ---- closing ---- */

static void server_destroy_context(uv_timer_t *t)
{
    struct net_server *s = t->data;

    uv_timer_stop(&s->grace);
    lws_context_destroy(s->context);
    uv_idle_start(&s->turn, server_turn);
}

/* closing ──> answers, closing handshakes; at the latest after the grace: no connections, no
 * requests ──> the context is destroyed ──> our handles are closed ──> freed, closed() */
void net_maybe_closed(struct net_server *s)
{
    if (!s->closing || s->context_closing || !list_empty(&s->conns) || s->requests_open > 0)
        return;
    s->context_closing = true;
    uv_timer_start(&s->reaper, server_destroy_context, 0, 0); /* not from inside its callbacks */
}

static void grace_over(uv_timer_t *t)
{
    struct net_server *s = t->data;

    list_foreach(it, &s->conns)
    {
        struct conn *c = container_of(it, struct conn, link);
        conn_end(c);
        /* Twice: the first may be a polite close that waits for the other side. */
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    }
}

static void conn_going_away(struct conn *c, int retry_after_ms)
{
    if (c->ws)
        ws_going_away(c, retry_after_ms);
    else if (c->sse)
        sse_finish(c);
    else if (!c->req)
        conn_end(c);
}

void net_server_recheck(struct net_server *s)
{
    list_foreach(it, &s->conns)
    {
        struct conn *c = container_of(it, struct conn, link);
        if (c->ws)
            ws_recheck(c);
        else if (c->sse)
            sse_recheck(c);
    }
}

void net_server_close(struct net_server *s, int retry_after_ms, int grace_ms,
                      void (*closed)(void *data), void *data)
{
    s->closing = true;
    net_unlisten(s);
    s->closed = closed;
    s->closed_data = data;
    uv_timer_start(&s->grace, grace_over, grace_ms > 0 ? (uint64_t)grace_ms : 0, 0);
    list_foreach(it, &s->conns)
        conn_going_away(container_of(it, struct conn, link), retry_after_ms);
    net_maybe_closed(s);
}
