/* Faults of Redis: a server of its own (skipped where redis-server is not installed) that is
 * killed, stopped and started again, and one of ours that says whatever it likes. */
#include "cache_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cache/redis_sock.h"
#include "cache/redis_url.h"

/* ---- a server ---- */

struct redis {
    pid_t pid;
    int port;
    char folder[64], url[128];
};

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    getsockname(fd, (struct sockaddr *)&a, &n);
    close(fd);
    return ntohs(a.sin_port);
}

static void redis_start(struct redis *s, const char *password)
{
    char port[16], path[96];
    snprintf(port, sizeof(port), "%d", s->port);
    snprintf(path, sizeof(path), "%s/sock", s->folder);
    s->pid = fork();
    if (s->pid == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--dir", s->folder, "--unixsocket", path, "--requirepass", password, NULL);
        _exit(127);
    }
    assert_true(s->pid > 0);
}

static void redis_open(struct redis *s, const char *password)
{
    if (system("command -v redis-server >/dev/null 2>&1") != 0) {
        print_message("skipped: redis-server is not installed\n");
        skip();
    }
    memset(s, 0, sizeof(*s));
    snprintf(s->folder, sizeof(s->folder), "/tmp/sluice-redis-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    s->port = free_port();
    snprintf(s->url, sizeof(s->url), "redis://127.0.0.1:%d", s->port);
    redis_start(s, password);
}

static void redis_kill(struct redis *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static void redis_close(struct redis *s)
{
    char path[96];
    if (s->pid)
        redis_kill(s);
    snprintf(path, sizeof(path), "%s/sock", s->folder);
    unlink(path);
    rmdir(s->folder);
}

struct world {
    uv_loop_t loop;
    struct redis server;
    struct cache *c;
    struct ear ear;
};

static void world_open_url(struct world *w, const char *url)
{
    struct errbuf e = {""};
    uv_loop_init(&w->loop);
    assert_int_equal(cache_redis_open(&w->c, &w->loop, url, &e), 0);
    ear_open(&w->ear, w->c);
}

static void world_open(struct world *w)
{
    redis_open(&w->server, "");
    world_open_url(w, w->server.url);
    TURN_UNTIL(&w->loop, cache_is_up(w->c));
}

static void world_close_cache(struct world *w)
{
    ear_close(&w->ear);
    rig_close_cache(&w->loop, w->c);
    rig_close_loop(&w->loop);
}

static void world_close(struct world *w)
{
    world_close_cache(w);
    redis_close(&w->server);
}

static int get_now(struct world *w, uint64_t *took_ms)
{
    struct asked q;
    uint64_t from = clock_mono_ns();
    int status = ask_now(&q, &w->loop, w->c, CACHE_GET, STR("k"), STR_NULL, 0);
    *took_ms = (clock_mono_ns() - from) / 1000000;
    cache_req_deinit(&q.req);
    return status;
}

static void test_killed_in_the_middle(void **state)
{
    struct world w;
    struct asked q[2];
    uint64_t took;
    (void)state;
    world_open(&w);
    cache_listen(w.c, STR("ch"));
    TURN_UNTIL(&w.loop, w.ear.listening == 1);
    kill(w.server.pid, SIGSTOP);
    ask(&q[0], w.c, CACHE_GET, STR("k"), STR_NULL, 0);
    ask(&q[1], w.c, CACHE_COUNT, STR("n"), STR_NULL, 1000);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    redis_kill(&w.server);
    TURN_UNTIL(&w.loop, q[0].answers && q[1].answers);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(q[i].req.status, ERR_UNAVAILABLE);
        cache_req_deinit(&q[i].req);
    }
    assert_false(cache_is_up(w.c));
    assert_int_equal(get_now(&w, &took), ERR_UNAVAILABLE);
    assert_true(took < 300);
    assert_int_equal(cache_publish(w.c, STR("ch"), STR("x")), ERR_UNAVAILABLE);

    redis_start(&w.server, "");
    TURN_UNTIL(&w.loop, w.ear.missed == 1);
    assert_int_equal(get_now(&w, &took), ERR_NOT_FOUND);
    assert_int_equal(w.ear.messages, 0);
    assert_int_equal(cache_publish(w.c, STR("ch"), STR("x")), 0);
    TURN_UNTIL(&w.loop, w.ear.messages == 1);
    assert_int_equal(w.ear.listening, 1);
    struct cache_stats st;
    cache_stats(w.c, &st);
    assert_int_equal(st.reconnects, 1);
    assert_true(st.up && st.failures >= 2);
    world_close(&w);
}

static void test_stopped_costs_one_deadline(void **state)
{
    struct world w;
    struct asked q;
    uint64_t took;
    (void)state;
    world_open(&w);
    kill(w.server.pid, SIGSTOP);
    assert_int_equal(get_now(&w, &took), ERR_TIMEOUT);
    assert_in_range(took, CACHE_TIMEOUT_MS - 10, CACHE_TIMEOUT_MS + 1500);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(get_now(&w, &took), ERR_UNAVAILABLE);
        assert_true(took < 300);
    }
    kill(w.server.pid, SIGCONT);
    TURN_UNTIL(&w.loop, w.ear.missed == 1);
    assert_int_equal(ask_now(&q, &w.loop, w.c, CACHE_SET, STR("k"), STR("v"), 1000), 0);
    cache_req_deinit(&q.req);
    world_close(&w);
}

static void test_a_silent_death_is_seen(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    kill(w.server.pid, SIGSTOP);
    TURN_UNTIL(&w.loop, !cache_is_up(w.c)); /* though nobody asks anything */
    kill(w.server.pid, SIGCONT);
    TURN_UNTIL(&w.loop, cache_is_up(w.c));
    world_close(&w);
}

static void test_flushed(void **state)
{
    struct world w;
    struct asked q;
    uint64_t took;
    char line[128];
    (void)state;
    world_open(&w);
    cache_listen(w.c, STR("ch"));
    assert_int_equal(ask_now(&q, &w.loop, w.c, CACHE_SET, STR("k"), STR("v"), 60000), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(get_now(&w, &took), 0);
    snprintf(line, sizeof(line), "redis-cli -p %d flushall >/dev/null", w.server.port);
    assert_int_equal(system(line), 0);
    assert_int_equal(get_now(&w, &took), ERR_NOT_FOUND);
    cache_publish(w.c, STR("ch"), STR("x"));
    TURN_UNTIL(&w.loop, w.ear.messages == 1);
    assert_int_equal(w.ear.missed, 0);
    world_close(&w);
}

static void test_passwords_and_databases(void **state)
{
    struct world w, other;
    struct redis server;
    struct errbuf e;
    char url[160];
    struct asked q;
    (void)state;
    redis_open(&server, "p@ss:/1");
    snprintf(url, sizeof(url), "redis://:p%%40ss%%3a%%2F1@localhost:%d/3", server.port);
    world_open_url(&w, url);
    snprintf(url, sizeof(url), "unix://default:p%%40ss:%%2F1@%s/sock?db=0", server.folder);
    world_open_url(&other, url);
    cache_listen(other.c, STR("ch"));
    TURN_UNTIL(&w.loop, cache_is_up(w.c));
    TURN_UNTIL(&other.loop, cache_is_up(other.c) && other.ear.listening);
    assert_int_equal(ask_now(&q, &w.loop, w.c, CACHE_SET, STR("k"), STR("v"), 60000), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &other.loop, other.c, CACHE_GET, STR("k"), STR_NULL, 0),
                     ERR_NOT_FOUND);
    cache_req_deinit(&q.req);
    cache_publish(w.c, STR("ch"), STR("of another database"));
    assert_int_equal(ask_now(&q, &w.loop, w.c, CACHE_GET, STR("k"), STR_NULL, 0), 0);
    cache_req_deinit(&q.req);
    cache_publish(other.c, STR("ch"), STR("mine"));
    TURN_UNTIL(&other.loop, other.ear.messages);
    assert_str(buf_str(&other.ear.heard), "ch=mine;");
    world_close_cache(&other);
    world_close_cache(&w);

    struct cache *wrong;
    uv_loop_init(&w.loop);
    snprintf(url, sizeof(url), "redis://:nope@127.0.0.1:%d", server.port);
    assert_int_equal(cache_redis_open(&wrong, &w.loop, url, &e), 0);
    ask(&q, wrong, CACHE_GET, STR("k"), STR_NULL, 0);
    TURN_UNTIL(&w.loop, q.answers);
    assert_int_equal(q.req.status, ERR_UNAVAILABLE);
    cache_req_deinit(&q.req);
    uint64_t from = clock_mono_ns(); /* it keeps trying and is never let in */
    TURN_UNTIL(&w.loop, clock_mono_ns() - from > 400000000u);
    assert_false(cache_is_up(wrong));
    rig_close_cache(&w.loop, wrong);
    rig_close_loop(&w.loop);
    redis_close(&server);
}

static void test_not_there_at_the_start(void **state)
{
    struct world w;
    uint64_t took;
    (void)state;
    redis_open(&w.server, "");
    redis_kill(&w.server);
    world_open_url(&w, w.server.url);
    cache_listen(w.c, STR("ch"));
    assert_int_equal(get_now(&w, &took), ERR_UNAVAILABLE);
    redis_start(&w.server, "");
    TURN_UNTIL(&w.loop, cache_is_up(w.c) && w.ear.listening);
    assert_int_equal(w.ear.missed, 0);
    assert_int_equal(get_now(&w, &took), ERR_NOT_FOUND);
    world_close(&w);
}

static void test_the_queue_is_bounded(void **state)
{
    enum { COUNT = 40 };
    struct world w;
    struct asked q[COUNT];
    char *big = calloc(1, 1u << 20);
    int refused = 0, late = 0;
    (void)state;
    world_open(&w);
    kill(w.server.pid, SIGSTOP);
    for (int i = 0; i < COUNT; i++)
        ask(&q[i], w.c, CACHE_SET, STR("k"), (struct str){big, 1u << 20}, 1000);
    for (int i = 0; i < COUNT; i++) {
        TURN_UNTIL(&w.loop, q[i].answers);
        assert_int_equal(q[i].answers, 1);
        refused += q[i].req.status == ERR_OVERLOAD;
        late += q[i].req.status == ERR_TIMEOUT || q[i].req.status == ERR_UNAVAILABLE;
        cache_req_deinit(&q[i].req);
    }
    assert_int_equal(refused + late, COUNT);
    assert_in_range(late, 10, 16);
    kill(w.server.pid, SIGCONT);
    TURN_UNTIL(&w.loop, cache_is_up(w.c));
    free(big);
    world_close(&w);
}

/* ---- TLS ---- */

static void tls_start(struct redis *s)
{
    char line[600], port[16], cert[96], key[96];
    snprintf(cert, sizeof(cert), "%s/cert.pem", s->folder);
    snprintf(key, sizeof(key), "%s/key.pem", s->folder);
    snprintf(line, sizeof(line),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
             key, cert);
    if (system(line) != 0) {
        rmdir(s->folder);
        print_message("skipped: no openssl to make a certificate with\n");
        skip();
    }
    snprintf(port, sizeof(port), "%d", s->port);
    s->pid = fork();
    if (s->pid == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        execlp("redis-server", "redis-server", "--port", "0", "--tls-port", port, "--bind",
               "127.0.0.1", "--save", "", "--dir", s->folder, "--tls-cert-file", cert,
               "--tls-key-file", key, "--tls-auth-clients", "no", NULL);
        _exit(127);
    }
    setenv("SSL_CERT_FILE", cert, 1);
}

static void tls_close(struct redis *s)
{
    char path[96];
    unsetenv("SSL_CERT_FILE");
    snprintf(path, sizeof(path), "%s/cert.pem", s->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/key.pem", s->folder);
    unlink(path);
    redis_close(s);
}

static void test_tls(void **state)
{
    struct world w;
    struct asked q;
    struct errbuf e;
    (void)state;
    uv_loop_init(&w.loop);
    if (cache_redis_open(&w.c, &w.loop, "rediss://127.0.0.1:1", &e)) {
        assert_non_null(strstr(e.text, "rediss:// needs hiredis 1.0 or later with TLS"));
        rig_close_loop(&w.loop);
        return;
    }
    rig_close_cache(&w.loop, w.c);
    rig_close_loop(&w.loop);
    redis_open(&w.server, "");
    redis_kill(&w.server);
    tls_start(&w.server);
    snprintf(w.server.url, sizeof(w.server.url), "rediss://127.0.0.1:%d", w.server.port);
    world_open_url(&w, w.server.url);
    cache_listen(w.c, STR("ch"));
    TURN_UNTIL(&w.loop, w.ear.listening);
    char *big = malloc(CACHE_VALUE_MAX);
    memset(big, 'x', CACHE_VALUE_MAX);
    assert_int_equal(
        ask_now(&q, &w.loop, w.c, CACHE_SET, STR("k"), (struct str){big, CACHE_VALUE_MAX}, 60000),
        0);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &w.loop, w.c, CACHE_GET, STR("k"), STR_NULL, 0), 0);
    assert_int_equal(q.req.got.len, CACHE_VALUE_MAX);
    assert_memory_equal(q.req.got.data, big, CACHE_VALUE_MAX);
    cache_req_deinit(&q.req);
    free(big);
    for (int i = 0; i < 100; i++)
        assert_int_equal(cache_publish(w.c, STR("ch"), STR("x")), 0);
    TURN_UNTIL(&w.loop, w.ear.messages == 100);
    world_close_cache(&w);

    /* The certificate is not of this name. */
    snprintf(w.server.url, sizeof(w.server.url), "rediss://localhost:%d", w.server.port);
    world_open_url(&w, w.server.url);
    uint64_t from = clock_mono_ns();
    TURN_UNTIL(&w.loop, clock_mono_ns() - from > 400000000u);
    assert_false(cache_is_up(w.c));
    world_close_cache(&w);
    tls_close(&w.server);
}

/* ---- a hostile one ---- */

struct hostile {
    uv_tcp_t listener;
    struct str greeting; /* instead of what a Redis says, or NULL */
    struct str bytes;    /* what is said to any command after it */
    bool endless;        /* and again and again */
    unsigned conns, closed;
};

struct hostile_conn {
    uv_tcp_t tcp;
    struct hostile *server;
};

static void hostile_freed(uv_handle_t *h)
{
    struct hostile_conn *conn = h->data;
    conn->server->closed++;
    free(conn);
}

static void hostile_write(struct hostile_conn *conn, struct str bytes);

static void hostile_written(uv_write_t *req, int status)
{
    struct hostile_conn *conn = req->data;
    free(req);
    if (status == 0 && conn->server->endless)
        hostile_write(conn, conn->server->bytes);
}

static void hostile_write(struct hostile_conn *conn, struct str bytes)
{
    uv_buf_t b = {.base = (char *)bytes.p, .len = bytes.n};
    uv_write_t *write = calloc(1, sizeof(*write));
    write->data = conn;
    uv_write(write, (uv_stream_t *)&conn->tcp, &b, 1, hostile_written);
}

static void hostile_alloc(uv_handle_t *h, size_t n, uv_buf_t *out)
{
    static char bytes[65536];
    (void)h;
    (void)n;
    *out = uv_buf_init(bytes, sizeof(bytes));
}

static void hostile_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct hostile_conn *conn = s->data;
    struct hostile *server = conn->server;
    if (n < 0) {
        uv_close((uv_handle_t *)s, hostile_freed);
        return;
    }
    if (server->greeting.p)
        hostile_write(conn, server->greeting);
    else if (memmem(b->base, (size_t)n, "sluice-ping", 11))
        hostile_write(conn, STR("$11\r\nsluice-ping\r\n"));
    else if (memmem(b->base, (size_t)n, "PING", 4))
        hostile_write(conn, STR("+PONG\r\n"));
    else
        hostile_write(conn, server->bytes);
}

static void hostile_accept(uv_stream_t *listener, int status)
{
    struct hostile *server = listener->data;
    struct hostile_conn *conn = calloc(1, sizeof(*conn));
    assert_int_equal(status, 0);
    server->conns++;
    conn->server = server;
    uv_tcp_init(listener->loop, &conn->tcp);
    conn->tcp.data = conn;
    uv_accept(listener, (uv_stream_t *)&conn->tcp);
    uv_read_start((uv_stream_t *)&conn->tcp, hostile_alloc, hostile_read);
}

static void hostile_open(struct hostile *s, uv_loop_t *loop, char url[64])
{
    struct sockaddr_in a;
    int n = sizeof(a);
    uv_ip4_addr("127.0.0.1", 0, &a);
    uv_tcp_init(loop, &s->listener);
    s->listener.data = s;
    uv_tcp_bind(&s->listener, (struct sockaddr *)&a, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&s->listener, 16, hostile_accept), 0);
    uv_tcp_getsockname(&s->listener, (struct sockaddr *)&a, &n);
    snprintf(url, 64, "redis://127.0.0.1:%d", ntohs(a.sin_port));
}

static void hostile_run(struct hostile *s, enum cache_op op)
{
    uv_loop_t loop;
    struct cache *c;
    struct asked q;
    struct errbuf e;
    char url[64];
    uv_loop_init(&loop);
    hostile_open(s, &loop, url);
    assert_int_equal(cache_redis_open(&c, &loop, url, &e), 0);
    cache_listen(c, STR("ch"));
    if (s->greeting.p) {
        TURN_UNTIL(&loop, s->closed >= 4); /* it was tried twice */
        assert_false(cache_is_up(c));
    } else {
        TURN_UNTIL(&loop, cache_is_up(c));
        ask(&q, c, op, STR("k"), STR("v"), 1000);
        TURN_UNTIL(&loop, q.answers);
        assert_true(q.req.status == ERR_UNAVAILABLE || q.req.status == ERR_TIMEOUT ||
                    q.req.status == ERR_TOO_LARGE);
        cache_req_deinit(&q.req);
    }
    rig_close_cache(&loop, c);
    uv_close((uv_handle_t *)&s->listener, NULL);
    rig_close_loop(&loop);
}

static const char *const rubbish[] = {
    "*1000000000\r\n",
    "*17\r\n$1\r\n",
    "*2147483647\r\n",
    "*-2\r\n",
    "*1\r\n*1\r\n*1\r\n:1\r\n",
    "$999999999999999999999999999\r\n",
    "$-7\r\nabc\r\n",
    ":12x\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "%1\r\n+a\r\n+b\r\n",
    ">3\r\n+a\r\n+b\r\n+c\r\n",
    ",1.5\r\n",
    "\r\n",
    "-ERR no\r\n+OK\r\n+OK\r\n:7\r\n$-1\r\n",
    "-NOAUTH go away\r\n",
    "-\r\n",
};

static void test_rubbish_as_an_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rubbish); i++) {
        struct hostile s = {.bytes = str_of(rubbish[i])};
        hostile_run(&s, CACHE_GET);
    }
}

static void test_rubbish_as_a_greeting(void **state)
{
    static const char *const more[] = {"-LOADING Redis is loading\r\n", "-DENIED protected\r\n",
                                       "*1000000000\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
                                       "-NOAUTH Authentication required.\r\n"};
    (void)state;
    for (size_t i = 0; i < ROWS(more); i++) {
        struct hostile s = {.greeting = str_of(more[i])};
        hostile_run(&s, CACHE_GET);
    }
}

static void test_answers_of_the_wrong_kind(void **state)
{
    static const struct {
        enum cache_op op;
        const char *bytes;
    } rows[] = {{CACHE_GET, ":1\r\n"},         {CACHE_GET, "*0\r\n"},
                {CACHE_SET, "$-1\r\n"},        {CACHE_SET, ":1\r\n"},
                {CACHE_COUNT, "$1\r\n1\r\n"},  {CACHE_LEASE, "+OK\r\n"},
                {CACHE_LEASE, "*1\r\n:1\r\n"}, {CACHE_DEL, "+OK\r\n"},
                {CACHE_UNLEASE, "$-1\r\n"},    {CACHE_TAKE, "*2\r\n:1\r\n:2\r\n"},
                {CACHE_COUNT, "-READONLY\r\n"}};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct hostile s = {.bytes = str_of(rows[i].bytes)};
        hostile_run(&s, rows[i].op);
    }
}

static void test_a_former_primary_is_left(void **state)
{
    struct hostile s = {.bytes = STR("-READONLY You can't write against a read only replica.\r\n")};
    uv_loop_t loop;
    struct cache *c;
    struct asked q;
    struct errbuf e;
    char url[64];
    (void)state;
    uv_loop_init(&loop);
    hostile_open(&s, &loop, url);
    assert_int_equal(cache_redis_open(&c, &loop, url, &e), 0);
    TURN_UNTIL(&loop, cache_is_up(c));
    assert_int_equal(s.conns, 2);
    assert_int_equal(ask_now(&q, &loop, c, CACHE_SET, STR("k"), STR("v"), 1000), ERR_UNAVAILABLE);
    assert_non_null(strstr(q.req.error.text, "READONLY"));
    cache_req_deinit(&q.req);
    TURN_UNTIL(&loop, s.conns == 4 && cache_is_up(c)); /* the name may lead elsewhere now */
    rig_close_cache(&loop, c);
    uv_close((uv_handle_t *)&s.listener, NULL);
    rig_close_loop(&loop);
}

static void test_an_endless_answer(void **state)
{
    size_t size = 1u << 20;
    char *bytes = malloc(size);
    (void)state;
    memset(bytes, 'x', size);
    memcpy(bytes, "$500000000\r\n", 12);
    struct hostile s = {.bytes = {bytes, size}, .endless = true};
    hostile_run(&s, CACHE_GET);
    assert_true(s.conns >= 2);
    free(bytes);
}

/* ---- URLs ---- */

static void test_urls(void **state)
{
    static const struct {
        const char *text, *host, *path, *user, *password, *where;
        int port, db;
        bool tls;
    } good[] = {
        {"redis://h", "h", "", "", "", "h:6379", 6379, 0, false},
        {"redis://", "127.0.0.1", "", "", "", "127.0.0.1:6379", 6379, 0, false},
        {"redis://h:1/2", "h", "", "", "", "h:1", 1, 2, false},
        {"redis://u:p@h/", "h", "", "u", "p", "h:6379", 6379, 0, false},
        {"rediss://:a%3Ab%40c@[::1]:7", "::1", "", "", "a:b@c", "[::1]:7", 7, 0, true},
        {"redis://:a@b@h", "h", "", "", "a@b", "h:6379", 6379, 0, false},
        {"unix:///a/b%20c", "", "/a/b c", "", "", "/a/b c", 0, 0, false},
        {"unix://:p@/s?db=4", "", "/s", "", "p", "/s", 0, 4, false},
    };
    static const char *const bad[] = {"",
                                      "h",
                                      "http://h",
                                      "redis://h:0",
                                      "redis://h:65536",
                                      "redis://h:",
                                      "redis://h:x",
                                      "redis://h/x",
                                      "redis://h/1/2",
                                      "redis://u@h",
                                      "redis://u:@h",
                                      "redis://:%zz@h",
                                      "redis://:%4",
                                      "redis://:%00@h",
                                      "redis://[::1",
                                      "unix://s",
                                      "unix:///s?x=1",
                                      "unix:///s?db=",
                                      "redis://h/99999999"};
    struct redis_url u;
    struct errbuf e;
    (void)state;
    for (size_t i = 0; i < ROWS(good); i++) {
        assert_int_equal(redis_url_parse(good[i].text, &u, &e), 0);
        assert_string_equal(u.host, good[i].host);
        assert_string_equal(u.path, good[i].path);
        assert_string_equal(u.user, good[i].user);
        assert_string_equal(u.password, good[i].password);
        assert_string_equal(u.where, good[i].where);
        assert_int_equal(u.port, good[i].port);
        assert_int_equal(u.db, good[i].db);
        assert_int_equal(u.tls, good[i].tls);
    }
    for (size_t i = 0; i < ROWS(bad); i++)
        if (redis_url_parse(bad[i], &u, &e) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(redis_url_parse("redis://:secret@h:x", &u, &e), ERR_INVALID);
    assert_null(strstr(e.text, "secret"));
    char path[400] = "unix:///";
    memset(path + 8, 'p', 200);
    assert_int_equal(redis_url_parse(path, &u, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_in_the_middle),
        cmocka_unit_test(test_stopped_costs_one_deadline),
        cmocka_unit_test(test_a_silent_death_is_seen),
        cmocka_unit_test(test_flushed),
        cmocka_unit_test(test_passwords_and_databases),
        cmocka_unit_test(test_not_there_at_the_start),
        cmocka_unit_test(test_the_queue_is_bounded),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_rubbish_as_an_answer),
        cmocka_unit_test(test_rubbish_as_a_greeting),
        cmocka_unit_test(test_answers_of_the_wrong_kind),
        cmocka_unit_test(test_a_former_primary_is_left),
        cmocka_unit_test(test_an_endless_answer),
        cmocka_unit_test(test_urls),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
