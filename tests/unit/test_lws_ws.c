/* The WebSocket side of the server, over real sockets, by a client made for the test. */
#include "net_fixture.h"

static struct fixture f;
static struct client c;

/* ---- frames ---- */

struct frame {
    int opcode;
    bool fin;
    char *text;
    size_t n;
};

static void handshake(struct client *k, const char *path, const char *headers)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
             "Connection: keep-alive, Upgrade\r\n%s\r\n",
             path, headers);
    client_send(k, text);
}

#define GOOD "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static void connect_ws(struct client *k, const char *path)
{
    client_open(k, &f);
    handshake(k, path, GOOD "Sec-WebSocket-Protocol: other, sluice.v1\r\n");
    answer_is(client_answer(k), 101, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
}

static void send_frame(struct client *k, int first, const void *p, size_t n)
{
    static const unsigned char mask[4] = {1, 2, 3, 4};
    unsigned char *bytes = malloc(n + 14);
    size_t at = 0;

    bytes[at++] = (unsigned char)first;
    if (n < 126) {
        bytes[at++] = (unsigned char)(0x80 | n);
    } else if (n < 65536) {
        bytes[at++] = 0x80 | 126;
        bytes[at++] = (unsigned char)(n >> 8);
        bytes[at++] = (unsigned char)n;
    } else {
        bytes[at++] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            bytes[at++] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
    }
    memcpy(bytes + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < n; i++)
        bytes[at + i] = ((const unsigned char *)p)[i] ^ mask[i & 3];
    client_send_bytes(k, bytes, at + n);
    free(bytes);
}

static void say(struct client *k, const char *json)
{
    send_frame(k, 0x81, json, strlen(json));
}

/* Bytes of the first whole frame, and of its header. */
static size_t frame_bytes(struct client *k, size_t *header)
{
    const unsigned char *p = (unsigned char *)k->in.data;
    size_t n;

    if (k->in.len < 2)
        return 0;
    n = p[1];
    *header = n < 126 ? 2 : n == 126 ? 4 : 10;
    if (k->in.len < *header)
        return 0;
    if (n >= 126) {
        n = 0;
        for (size_t i = 2; i < *header; i++)
            n = n << 8 | p[i];
    }
    return k->in.len >= *header + n ? *header + n : 0;
}

static struct frame take_any(struct client *k)
{
    struct frame fr;
    size_t header = 0, n;

    TURN_UNTIL(&f, frame_bytes(k, &header) > 0 || k->eof);
    n = frame_bytes(k, &header);
    assert_true(n > 0);
    fr.opcode = k->in.data[0] & 15;
    fr.fin = k->in.data[0] & 0x80;
    fr.n = n - header;
    fr.text = str_dup((struct str){k->in.data + header, fr.n});
    buf_consume(&k->in, n);
    return fr;
}

/* The next frame that is no ping; pings are answered. */
static struct frame take(struct client *k)
{
    struct frame fr = take_any(k);

    while (fr.opcode == 9) {
        send_frame(k, 0x8a, fr.text, fr.n);
        free(fr.text);
        fr = take_any(k);
    }
    return fr;
}

static void expect(struct client *k, const char *contains)
{
    struct frame fr = take(k);

    assert_int_equal(fr.opcode, 1);
    if (!strstr(fr.text, contains))
        fail_msg("expected '%s', got: %.500s", contains, fr.text);
    free(fr.text);
}

static void expect_event(struct client *k, int64_t seq)
{
    struct frame fr = take(k);

    assert_string_equal(fr.text, f.events[seq]);
    free(fr.text);
}

/* The same event as the channel has it. */
static void expect_told(struct client *k, int64_t seq)
{
    struct frame fr = take(k);
    const char *mark = "{\"channel\":\"sessions\",";

    assert_memory_equal(fr.text, mark, strlen(mark));
    assert_string_equal(fr.text + strlen(mark), f.events[seq] + 1);
    free(fr.text);
}

static void expect_close(struct client *k, int code)
{
    struct frame fr = take(k);

    while (fr.opcode != 8) {
        free(fr.text);
        fr = take(k);
    }
    assert_true(fr.n >= 2);
    assert_int_equal((unsigned char)fr.text[0] << 8 | (unsigned char)fr.text[1], code);
    free(fr.text);
}

static int setup(void **state)
{
    struct net_config config = {.frame_bytes_max = 100000};
    (void)state;

    fixture_open(&f, &config);
    return 0;
}

/* As on a machine of one core, and of four. */
static int setup_alone(void **state)
{
    struct net_config config = {.send_threads = 1};
    (void)state;

    fixture_open(&f, &config);
    connect_ws(&c, "/ws");
    return 0;
}

static int setup_threads(void **state)
{
    struct net_config config = {.send_threads = 4};
    (void)state;

    fixture_open(&f, &config);
    connect_ws(&c, "/ws");
    return 0;
}

static int setup_pinging(void **state)
{
    struct net_config config = {.ping_interval_s = 1};
    (void)state;

    fixture_open(&f, &config);
    connect_ws(&c, "/ws");
    return 0;
}

static int setup_connected(void **state)
{
    setup(state);
    connect_ws(&c, "/ws");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static int teardown_connected(void **state)
{
    client_close(&c);
    return teardown(state);
}

/* ---- tests ---- */

static void refused(const char *path, const char *headers, int status)
{
    struct client k;

    client_open(&k, &f);
    handshake(&k, path, headers);
    answer_is(client_answer(&k), status, "\"error\"");
    TURN_UNTIL(&f, k.eof);
    client_close(&k);
}

static void test_handshake(void **state)
{
    struct client k;
    (void)state;

    refused("/nothing", GOOD, 404);
    refused("/sessions/" SESSION, GOOD, 404);
    refused("/ws", "Sec-WebSocket-Version: 13\r\n", 400);
    refused("/ws", "Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n", 400);
    refused("/ws", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n",
            426);
    refused("/ws", GOOD "Sec-WebSocket-Protocol: graphql-ws\r\n", 400);
    refused("/ws", GOOD "Origin: http://evil.example\r\n", 403);
    refused("/ws", GOOD "Origin: null\r\n", 403);
    refused("/ws?session_id=x", GOOD, 400);
    refused("/ws?session_id=" SESSION "&after=-1", GOOD, 400);
    client_open(&k, &f);
    handshake(&k, "/api/v1/ws", GOOD "Origin: http://localhost\r\n");
    answer_is(client_answer(&k), 101, "Upgrade: ");
    say(&k, "{\"type\":\"ping\",\"request_id\":\"r1\"}");
    expect(&k, "{\"type\":\"pong\",\"request_id\":\"r1\"}");
    client_close(&k);
    client_open(&k, &f);
    client_send(&k, "POST /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\n" GOOD "Content-Length: 0\r\n\r\n");
    answer_is(client_answer(&k), 404, NULL);
    client_close(&k);
}

static void test_subscribe(void **state)
{
    (void)state;
    fixture_seal(&f, 3, 10, "log");
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\",\"request_id\":\"a\"}");
    expect(&c, "{\"type\":\"ack\",\"request_id\":\"a\",\"session_id\":\"" SESSION "\"}");
    expect(&c, "{\"type\":\"subscribed\",\"request_id\":\"a\",\"session_id\":\"" SESSION
               "\",\"verdict\":\"recovered\",\"last_seq\":3}");
    for (int i = 1; i <= 3; i++)
        expect_event(&c, i);
    fixture_seal(&f, 2, 70000, "log");
    expect_event(&c, 4);
    expect_event(&c, 5);
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" UNKNOWN "\",\"request_id\":\"b\"}");
    expect(&c, "{\"type\":\"error\",\"request_id\":\"b\",\"code\":\"not_found\"");
    /* again, from another place: it begins anew */
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\",\"after\":4}");
    expect(&c, "\"recovered\"");
    expect_event(&c, 5);
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION2 "\"}");
    TURN_UNTIL(&f, f.read != NULL);
    fixture_read_nothing(&f, 0);
    expect(&c, "\"session_id\":\"" SESSION2 "\",\"verdict\":\"recovered\",\"last_seq\":0");
    say(&c, "{\"type\":\"unsubscribe\",\"session_id\":\"" SESSION "\",\"request_id\":1}");
    expect(&c, "{\"type\":\"ack\",\"request_id\":1}");
    fixture_seal(&f, 1, 10, "log");
    say(&c, "{\"type\":\"ping\"}");
    expect(&c, "{\"type\":\"pong\"}");
    say(&c, "{\"type\":\"unsubscribe\",\"session_id\":\"" SESSION "\"}");
    expect(&c, "not_found");
}

static void test_subscribe_by_query(void **state)
{
    struct client k;
    (void)state;

    fixture_seal(&f, 5, 10, "log");
    connect_ws(&k, "/ws?session_id=" SESSION "&after=3&batch=1");
    expect(&k, "\"verdict\":\"recovered\",\"last_seq\":5");
    {
        struct frame fr = take(&k);
        char wanted[2000];
        snprintf(wanted, sizeof(wanted), "{\"type\":\"batch\",\"events\":[%s,%s]}", f.events[4],
                 f.events[5]);
        assert_string_equal(fr.text, wanted);
        free(fr.text);
    }
    fixture_seal(&f, 1, 10, "log");
    expect_event(&k, 6); /* one alone is no batch */
    client_close(&k);
}

static void test_snapshot(void **state)
{
    (void)state;
    fixture_seal(&f, 3, 10, "log");
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\",\"after\":9}");
    expect(&c, "\"verdict\":\"snapshot\",\"last_seq\":3,\"session\":{\"id\":\"" SESSION "\"");
    fixture_seal(&f, 1, 10, "log");
    expect_event(&c, 4);
    /* what the log no longer holds */
    say(&c, "{\"type\":\"unsubscribe\",\"session_id\":\"" SESSION "\"}");
    expect(&c, "ack");
    {
        struct id id;
        id_parse(STR(SESSION), &id);
        log_forget(f.hub, id);
    }
    say(&c,
        "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\",\"after\":1,\"request_id\":\"s\"}");
    TURN_UNTIL(&f, f.read != NULL);
    fixture_read_nothing(&f, 4);
    expect(&c, "{\"type\":\"ack\",\"request_id\":\"s\"");
    expect(&c, "\"verdict\":\"snapshot\",\"last_seq\":4,\"session\":{");
    fixture_seal(&f, 1, 10, "log");
    TURN_UNTIL(&f, f.read != NULL); /* it looks behind where it begins */
    fixture_read_nothing(&f, 0);
    expect_event(&c, 5);
}

static void test_failed_read(void **state)
{
    struct log_read *read;
    (void)state;

    f.last_seq = 7;
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\"}");
    TURN_UNTIL(&f, f.read != NULL);
    read = f.read;
    f.read = NULL;
    log_read_done(read, ERR_UNAVAILABLE, 0, 0, 0, STR_NULL);
    expect(&c, "\"code\":\"unavailable\"");
    say(&c, "{\"type\":\"ping\"}");
    expect(&c, "pong");
}

static void see_command(struct fixture *fx, struct svc_req *q)
{
    buf_printf(&fx->seen, "%d %.*s %.*s %.*s|", (int)q->op, STR_FMT(q->answer.node_id),
               STR_FMT(q->answer.action), STR_FMT(q->input.content));
}

static void test_commands(void **state)
{
    (void)state;
    say(&c, "{\"type\":\"execute\",\"request_id\":\"x\",\"workflow_id\":\"w\",\"input\":{}}");
    expect(&c, "{\"type\":\"ack\",\"request_id\":\"x\",\"session_id\":\"" SESSION
               "\",\"status\":\"started\"}");
    say(&c, "{\"type\":\"resume\",\"session_id\":\"" SESSION "\"}");
    expect(&c, "{\"type\":\"ack\",\"status\":\"running\",\"seq\":9}");
    say(&c, "{\"type\":\"pause\",\"request_id\":\"p\",\"session_id\":\"" SESSION
            "\",\"mode\":\"hold\"}");
    expect(&c,
           "{\"type\":\"error\",\"request_id\":\"p\",\"code\":\"conflict\",\"error\":\"the session "
           "has ended\"}");
    f.inspect = see_command;
    say(&c, "{\"type\":\"resume_node\",\"session_id\":\"" SESSION
            "\",\"node_id\":\"review\",\"action\":\"app\\u0072ove\",\"data\":{}}");
    expect(&c, "{\"type\":\"ack\",\"ok\":true}");
    say(&c, "{\"type\":\"user_input\",\"session_id\":\"" SESSION "\",\"content\":\"hi\"}");
    expect(&c, "ack");
    {
        char wanted[100];
        snprintf(wanted, sizeof(wanted), "%d review approve |%d   hi|", SVC_NODE_RESUME, SVC_INPUT);
        assert_string_equal(f.seen.data, wanted);
    }
    f.inspect = NULL;
    say(&c, "{\"type\":\"pause\",\"session_id\":\"x\"}");
    expect(&c, "\"code\":\"invalid\",\"error\":\"session_id: expected a UUID\"");
    say(&c, "{\"type\":\"execute\",\"workflow_id\":\"w\",\"nonsense\":1,\"request_id\":\"n\"}");
    expect(
        &c,
        "{\"type\":\"error\",\"request_id\":\"n\",\"code\":\"invalid\",\"error\":\"unknown field");
}

static void test_client_goes_with_commands_under_way(void **state)
{
    struct client k;
    (void)state;

    connect_ws(&k, "/ws");
    f.defer = true;
    say(&k, "{\"type\":\"execute\",\"workflow_id\":\"w\"}");
    say(&k, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\"}");
    TURN_UNTIL(&f, f.waiting_count == 2);
    client_close(&k);
    turn_for(&f, 20);
    fixture_answer(&f);
}

static void test_too_many_commands(void **state)
{
    (void)state;
    f.defer = true;
    for (int i = 0; i < 65; i++)
        say(&c, "{\"type\":\"resume\",\"session_id\":\"" SESSION "\"}");
    expect(&c, "\"code\":\"overloaded\"");
    assert_int_equal(f.waiting_count, 64);
    fixture_answer(&f);
    for (int i = 0; i < 64; i++)
        expect(&c, "running");
}

static void test_faults(void **state)
{
    char *big = malloc(100001);
    (void)state;

    memset(big, ' ', 100001);
    say(&c, "{\"type\":");
    expect(&c, "\"code\":\"invalid\"");
    say(&c, "[1]");
    expect(&c, "\"code\":\"invalid\"");
    say(&c, "{\"type\":\"dance\",\"request_id\":\"d\"}");
    expect(&c, "{\"type\":\"error\",\"request_id\":\"d\",\"code\":\"invalid\"");
    send_frame(&c, 0x82, "\1\2", 2);
    expect(&c, "binary");
    send_frame(&c, 0x81, big, 100001);
    expect(&c, "\"code\":\"too_large\"");
    send_frame(&c, 0x01, big, 60000); /* too large in two fragments */
    send_frame(&c, 0x80, big, 60000);
    expect(&c, "\"code\":\"too_large\"");
    say(&c, "");
    expect(&c, "\"code\":\"invalid\"");
    send_frame(&c, 0x01, "{\"type\"", 7); /* in fragments, with a ping between */
    send_frame(&c, 0x89, "p", 1);
    send_frame(&c, 0x80, ":\"ping\"}", 8);
    {
        struct frame a = take(&c), b = take(&c);
        assert_int_equal(a.opcode + b.opcode, 10 + 1);
        free(a.text);
        free(b.text);
    }
    for (int i = 0; i < 3; i++)
        say(&c, "?");
    for (int i = 0; i < 3; i++)
        expect(&c, "\"code\":\"invalid\"");
    expect_close(&c, 1008);
    free(big);
}

static void test_conformance(void **state)
{
    static const struct {
        unsigned char first;
        const char *payload;
        size_t n;
        int code; /* 0: the connection just ends */
    } rows[] = {
        {0x81, "\"\xc0\xaf\"", 4, 1007},     /* overlong */
        {0x81, "\"\xed\xa0\x80\"", 5, 1007}, /* a surrogate */
        {0x83, "x", 1, 1002},                /* reserved opcode */
        {0xc1, "x", 1, 1002},                /* RSV1 */
        {0x80, "x", 1, 1002},                /* continuation of nothing */
        {0x09, "x", 1, 1002},                /* fragmented ping */
        {0x88, "\x03", 1, 1002},             /* half a close code */
        {0x88, "\x03\xed", 2, 1002},         /* 1005 */
        {0x88, "\x03\xe8", 2, 1000},         /* good bye */
        {0x88, "\x0f\xa0 bye", 6, 4000},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client k;
        connect_ws(&k, "/ws");
        send_frame(&k, rows[i].first, rows[i].payload, rows[i].n);
        if (rows[i].code)
            expect_close(&k, rows[i].code);
        client_close(&k);
    }
}

static void test_channel(void **state)
{
    struct client k;
    (void)state;

    connect_ws(&k, "/ws");
    say(&c, "{\"type\":\"subscribe\",\"channel\":\"sessions\",\"request_id\":\"c\"}");
    expect(&c, "{\"type\":\"ack\",\"request_id\":\"c\"}");
    say(&k, "{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"workflow_id\":\"w\","
            "\"status\":\"completed\"}}");
    expect(&k, "ack");
    fixture_seal(&f, 2, 10, "log");
    fixture_seal(&f, 1, 10, "session_state_change");
    expect_told(&c, 3);
    expect_told(&k, 3);
    say(&k,
        "{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"workflow_id\":\"other\"}}");
    expect(&k, "ack");
    say(&c, "{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"status\":\"failed\"}}");
    expect(&c, "ack");
    fixture_seal(&f, 1, 10, "session_state_change");
    say(&c, "{\"type\":\"unsubscribe\",\"channel\":\"sessions\"}");
    expect(&c, "ack");
    say(&k, "{\"type\":\"ping\"}");
    expect(&k, "pong");
    say(&k, "{\"type\":\"subscribe\",\"channel\":\"weather\"}");
    expect(&k, "invalid");
    client_close(&k);
}

/* Whoever reads the session on the same connection has the event twice, and can tell which is
 * which. */
static void test_channel_beside_session(void **state)
{
    (void)state;

    say(&c, "{\"type\":\"subscribe\",\"channel\":\"sessions\"}");
    expect(&c, "{\"type\":\"ack\"}");
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\"}");
    TURN_UNTIL(&f, f.read != NULL);
    fixture_read_nothing(&f, 0);
    expect(&c, "\"recovered\"");
    fixture_seal(&f, 1, 10, "session_state_change");
    struct frame a = take(&c), b = take(&c);
    bool first = strstr(a.text, "\"channel\"") != NULL;
    assert_string_equal(first ? b.text : a.text, f.events[1]);
    assert_non_null(strstr(first ? a.text : b.text, "{\"channel\":\"sessions\",\"seq\":1,"));
    free(a.text);
    free(b.text);
}

#define WATCHING "{\"type\":\"watching\",\"session_id\":\"" SESSION "\",\"count\":"

/* Only who asks is told, of all who read. */
static void test_watching(void **state)
{
    struct client k, l;
    (void)state;

    fixture_seal(&f, 1, 10, "log");
    connect_ws(&k, "/ws?session_id=" SESSION "&after=1");
    expect(&k, "\"recovered\"");
    say(&c,
        "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\",\"after\":1,\"watching\":true}");
    expect(&c, "\"recovered\"");
    expect(&c, WATCHING "2,\"names\":[]}");
    connect_ws(&l, "/ws?session_id=" SESSION "&after=1&watching=1");
    expect(&l, "\"recovered\"");
    expect(&l, WATCHING "3,\"names\":[]}");
    expect(&c, WATCHING "3,");
    client_close(&k);
    client_close(&l);
    expect(&c, WATCHING "1,");
    say(&c, "{\"type\":\"ping\"}");
    expect(&c, "{\"type\":\"pong\"}");
}

/* A reader that does not read costs a cursor; others do not wait; it gets every event when it reads
 * again. */
static void test_slow_reader(void **state)
{
    struct client k;
    struct net_stats stats;
    (void)state;

    fixture_seal(&f, 1, 10, "log");
    connect_ws(&k, "/ws?session_id=" SESSION "&after=1");
    expect(&k, "subscribed");
    client_read(&k, false);
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\",\"after\":1}");
    expect(&c, "subscribed");
    for (int i = 0; i < 400; i++) {
        fixture_seal(&f, 10, 4000, "log"); /* 16 MB in all: more than the sockets hold */
        for (int n = 9; n >= 0; n--)
            expect_event(&c, f.last_seq - n);
    }
    net_server_stats(f.server, &stats);
    assert_int_equal(stats.cursors, 2);
    client_read(&k, true);
    for (int64_t seq = 2; seq <= f.last_seq; seq++) {
        size_t header;
        /* what has left the tail comes from the store, 100 at a time */
        TURN_UNTIL(&f, frame_bytes(&k, &header) > 0 || f.read);
        if (frame_bytes(&k, &header) == 0) {
            struct log_read *read = f.read;
            struct buf b;
            int64_t last = read->after + 100 < f.last_seq ? read->after + 100 : f.last_seq;
            f.read = NULL;
            buf_init(&b, 64u << 20);
            for (int64_t s = read->after + 1; s <= last; s++) {
                buf_append_z(&b, s > read->after + 1 ? "\n" : "");
                buf_append_z(&b, f.events[s]);
            }
            log_read_done(read, 0, read->after + 1, last, 1, buf_str(&b));
            buf_deinit(&b);
        }
        expect_event(&k, seq);
    }
    assert_true(f.reads > 2);
    client_close(&k);
}

/* Many are told in turns of the loop; those who lack two events by then have them in one write. */
static void many_viewers(unsigned at_once)
{
    enum { N = 200 };
    struct client *k = calloc(N, sizeof(*k));
    struct net_stats before, after;

    fixture_seal(&f, 1, 10, "log");
    for (int i = 0; i < N; i++) {
        connect_ws(&k[i], "/ws?session_id=" SESSION "&after=1");
        expect(&k[i], "subscribed");
    }
    net_server_stats(f.server, &before);
    fixture_seal(&f, 1, 200, "log");
    fixture_seal(&f, 1, 200, "log");
    for (int i = 0; i < N; i++) {
        expect_event(&k[i], 2);
        expect_event(&k[i], 3);
    }
    net_server_stats(f.server, &after);
    assert_int_equal(after.frames_sent - before.frames_sent, 2 * N);
    assert_int_equal(after.ws_writes - before.ws_writes, N + at_once);
    assert_int_equal(after.bytes_sent - before.bytes_sent,
                     N * (2 * 4 + strlen(f.events[2]) + strlen(f.events[3])));
    for (int i = 0; i < N; i++)
        client_close(&k[i]);
    free(k);
}

static void test_many_viewers(void **state)
{
    (void)state;
    many_viewers(LOG_TELL_NOW);
}

static void test_many_viewers_together(void **state)
{
    (void)state;
    many_viewers(4 * LOG_TELL_NOW);
}

/* The server's end of a client's connection holds little. That of the client is left as it is, some
 * 64 kB: a small one opens again by timers. */
static void make_narrow(const struct client *k)
{
    struct sockaddr_in mine, other;
    socklen_t n = sizeof(mine);
    int few = 4096;

    assert_int_equal(getsockname(k->fd, (struct sockaddr *)&mine, &n), 0);
    for (int fd = 3; fd < 1024; fd++) {
        n = sizeof(other);
        if (getpeername(fd, (struct sockaddr *)&other, &n) == 0 && n == sizeof(other) &&
            other.sin_family == AF_INET && other.sin_port == mine.sin_port)
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few));
    }
}

static void reset(struct client *k)
{
    client_read(k, false);
    assert_int_equal(
        connect(k->fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)), 0);
}

/* Several threads write: to some who take all, some who take a part or nothing for a while, some
 * who want batches, and some who have gone just then. Everyone who is there has every event, in
 * order. */
static void test_all_kinds_together(void **state)
{
    enum { N = 150, EVENTS = 40, GONE = EVENTS / 2 };
    struct client *k = calloc(N, sizeof(*k));
    struct net_stats stats;
    (void)state;

    fixture_seal(&f, 1, 10, "log");
    for (int i = 0; i < N; i++) {
        connect_ws(&k[i], i % 5 == 1 ? "/ws?session_id=" SESSION "&after=1&batch=1"
                                     : "/ws?session_id=" SESSION "&after=1");
        expect(&k[i], "subscribed");
        if (i % 5 == 2) {
            make_narrow(&k[i]);
            client_read(&k[i], false);
        }
    }
    for (int i = 0; i < EVENTS; i++) {
        if (i == GONE)
            for (int gone = 3; gone < N; gone += 50)
                reset(&k[gone]);
        fixture_seal(&f, 1, 5000, "log");
        for (int turns = rand() % 3; turns > 0; turns--)
            uv_run(&f.loop, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < N; i++) {
        if (i % 50 == 3)
            continue;
        client_read(&k[i], true);
        for (int64_t seq = 2; seq <= f.last_seq; seq++) {
            if (i % 5 != 1) {
                expect_event(&k[i], seq);
                continue;
            }
            struct frame fr = take(&k[i]); /* one event, or a batch that begins with it */
            assert_non_null(strstr(fr.text, f.events[seq]));
            while (seq < f.last_seq && strstr(fr.text, f.events[seq + 1]))
                seq++;
            free(fr.text);
        }
    }
    net_server_stats(f.server, &stats);
    assert_int_equal(stats.websockets, N + 1 - 3);
    for (int i = 0; i < N; i++)
        client_close(&k[i]);
    free(k);
}

static void test_ping_and_silence(void **state)
{
    struct client k;
    struct frame fr;
    (void)state;

    connect_ws(&k, "/ws");
    for (int i = 0; i < 2; i++) {
        fr = take_any(&c);
        assert_int_equal(fr.opcode, 9);
        send_frame(&c, 0x8a, fr.text, fr.n);
        free(fr.text);
    }
    TURN_UNTIL(&f, k.eof); /* it never answered */
    assert_false(c.eof);
    client_close(&k);
}

static void test_going_away(void **state)
{
    (void)state;
    fixture_seal(&f, 1, 10, "log");
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\"}");
    expect(&c, "subscribed");
    expect_event(&c, 1);
    net_server_close(f.server, 250, 5000, fixture_closed, &f);
    expect(&c, "{\"type\":\"going_away\",\"retry_after_ms\":250}");
    expect_close(&c, 1001);
    send_frame(&c, 0x88, "\x03\xe9", 2);
    TURN_UNTIL(&f, f.closed);
}

/* One that does not answer the close is cut when the grace is over. */
static void test_going_away_alone(void **state)
{
    (void)state;
    net_server_close(f.server, 250, 100, fixture_closed, &f);
    expect(&c, "going_away");
    TURN_UNTIL(&f, f.closed);
}

/* ---- who it is ---- */

static void connect_as(struct client *k, const char *protocols)
{
    char headers[300];

    client_open(k, &f);
    snprintf(headers, sizeof(headers), GOOD "Sec-WebSocket-Protocol: %s\r\n", protocols);
    handshake(k, "/ws", headers);
    answer_is(client_answer(k), 101, NULL);
}

static void test_roles(void **state)
{
    (void)state;
    f.demands = true;
    fixture_seal(&f, 1, 10, "log");
    connect_as(&c, "sluice.v1, bearer.viewer.w1");
    say(&c, "{\"type\":\"ping\"}");
    expect(&c, "\"pong\"");
    say(&c, "{\"type\":\"resume\",\"session_id\":\"" SESSION "\",\"request_id\":1}");
    expect(&c, "\"request_id\":1,\"code\":\"forbidden\"");
    say(&c, "{\"type\":\"subscribe\",\"session_id\":\"" SESSION "\"}");
    expect(&c, "\"verdict\":\"recovered\"");
    client_close(&c);
    connect_as(&c, "sluice.v1, bearer.operator.w1");
    say(&c, "{\"type\":\"execute\",\"graph\":{},\"request_id\":2}");
    expect(&c, "the role editor");
    say(&c, "{\"type\":\"execute\",\"workflow_id\":\"w\",\"request_id\":3}");
    expect(&c, "\"ack\",\"request_id\":3");
    client_close(&c);
}

static void see_workspace(struct fixture *fx, struct svc_req *q)
{
    buf_printf(&fx->seen, "%d:%.*s ", (int)q->op, STR_FMT(q->workspace));
}

/* What is said before the ticket is known waits, and is then heard in its order. */
static void test_ticket(void **state)
{
    char said[200];
    (void)state;

    fixture_seal(&f, 1, 10, "log");
    f.demands = f.defer = true;
    f.inspect = see_workspace;
    connect_ws(&c, "/ws?ticket=viewer&session_id=" SESSION);
    say(&c, "{\"type\":\"ping\",\"request_id\":1}");
    say(&c, "{\"type\":\"resume\",\"session_id\":\"" SESSION "\",\"request_id\":2}");
    turn_for(&f, 20);
    assert_int_equal(f.submitted, 1);
    assert_int_equal(c.in.len, 0);
    f.defer = false;
    fixture_answer(&f);
    expect(&c, "\"verdict\":\"recovered\"");
    expect_event(&c, 1);
    expect(&c, "\"pong\",\"request_id\":1");
    expect(&c, "\"request_id\":2,\"code\":\"forbidden\"");
    snprintf(said, sizeof(said), "%d:default %d:w7 ", SVC_TICKET_TAKE, SVC_SESSION_GET);
    assert_true(str_eqz(buf_str(&f.seen), said));
    client_close(&c);
}

static void test_bad_tickets(void **state)
{
    static const struct {
        const char *ticket;
        int code;
    } rows[] = {{"unknown", 4401}, {"later", 1011}};
    char path[100];
    (void)state;

    f.demands = true;
    for (size_t i = 0; i < ROWS(rows); i++) {
        snprintf(path, sizeof(path), "/ws?ticket=%s", rows[i].ticket);
        connect_ws(&c, path);
        expect_close(&c, rows[i].code);
        client_close(&c);
    }
    refused("/ws?ticket=", GOOD, 401); /* none at all */
}

static void test_too_much_before_the_ticket(void **state)
{
    char *text = calloc(1, 40001);
    (void)state;

    f.demands = f.defer = true;
    memset(text, ' ', 40000);
    connect_ws(&c, "/ws?ticket=viewer");
    say(&c, text);
    say(&c, text);
    expect_close(&c, 1008);
    client_close(&c);
    free(text);
    f.defer = false;
    fixture_answer(&f); /* nobody is there any more */
}

static void test_client_goes_before_the_ticket(void **state)
{
    (void)state;
    f.defer = true;
    connect_ws(&c, "/ws?ticket=viewer");
    say(&c, "{\"type\":\"ping\"}");
    client_close(&c);
    turn_for(&f, 20);
    f.defer = false;
    fixture_answer(&f);
}

static void test_revoked(void **state)
{
    (void)state;
    f.demands = true;
    connect_as(&c, "sluice.v1, bearer.admin.w1");
    f.revoked = true;
    net_server_recheck(f.server);
    expect_close(&c, 4401);
    client_close(&c);
}

/* Nobody tells of a key that expires: the ping finds out. */
static void test_expired(void **state)
{
    (void)state;
    f.revoked = true;
    expect_close(&c, 4401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subscribe, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_subscribe_by_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_failed_read, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_commands, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_client_goes_with_commands_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_commands, setup_connected,
                                        teardown_connected),
        cmocka_unit_test_setup_teardown(test_faults, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_conformance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_channel, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_channel_beside_session, setup_connected,
                                        teardown_connected),
        cmocka_unit_test_setup_teardown(test_watching, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_many_viewers, setup_alone, teardown_connected),
        cmocka_unit_test_setup_teardown(test_many_viewers_together, setup_threads,
                                        teardown_connected),
        cmocka_unit_test_setup_teardown(test_all_kinds_together, setup_threads, teardown_connected),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_ping_and_silence, setup_pinging, teardown_connected),
        cmocka_unit_test_setup_teardown(test_going_away, setup_connected, teardown_connected),
        cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ticket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_tickets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_much_before_the_ticket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_goes_before_the_ticket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired, setup_pinging, teardown_connected),
        cmocka_unit_test_setup_teardown(test_going_away_alone, setup_connected, teardown_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
