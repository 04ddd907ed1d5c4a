/* Chunked bodies: how they are read, and that whole chunks go past libcurl without it noticing. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "llm/chunked.h"
#include "llm_world.h"

/* ---- chunked.h ---- */

static int read_all(const char *raw, struct chunked *c, struct buf *out)
{
    *c = (struct chunked){0};
    buf_init(out, 1000);
    return chunked_read(c, str_of(raw), out);
}

static void test_read(void **state)
{
    static const struct {
        const char *raw, *data;
        enum chunked_state state;
    } rows[] = {
        {"", "", CHUNKED_SIZE},
        {"5\r\nhello\r\n", "hello", CHUNKED_SIZE},
        {"5\r\nhello\r\nb\r\n, my friend\r\n", "hello, my friend", CHUNKED_SIZE},
        {"5;a=\"b\"\r\nhello\r\n", "hello", CHUNKED_SIZE},
        {"5\nhello\n5\nthere", "hellothere", CHUNKED_DATA_END},
        {"00A\r\n0123456789\r\n", "0123456789", CHUNKED_SIZE},
        {"5\r\nhel", "hel", CHUNKED_DATA},
        {"5\r\nhello\r\n0\r\n\r\n5\r\nlater\r\n", "hello", CHUNKED_OVER},
        {"1\r\na\r\n0\r\nTrailer: x\r\n\r\n", "a", CHUNKED_OVER},
        {"1\r\nab\r\n", "a", CHUNKED_BROKEN},
        {"\r\n1\r\na", "", CHUNKED_BROKEN},
        {"x", "", CHUNKED_BROKEN},
        {"-1\r\nabc", "", CHUNKED_BROKEN},
        {"7fffffffffffffff\r\nabc", "abc", CHUNKED_DATA},
        {"ffffffffffffffff\r\nabc", "", CHUNKED_BROKEN},
        {"00000000000000001\r\na", "", CHUNKED_BROKEN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct chunked c;
        struct buf out;
        int rc = read_all(rows[i].raw, &c, &out);
        assert_int_equal(rc, rows[i].state == CHUNKED_BROKEN ? ERR_INVALID : 0);
        assert_int_equal(c.state, rows[i].state);
        assert_str(buf_str(&out), rows[i].data);
        if (rows[i].state == CHUNKED_BROKEN)
            assert_int_equal(chunked_read(&c, STR("1\r\na\r\n"), &out), ERR_INVALID);
        buf_deinit(&out);
    }
}

static void test_too_many_bytes(void **state)
{
    struct chunked c = {0};
    struct buf out;
    (void)state;
    buf_init(&out, 4);
    assert_int_equal(chunked_read(&c, STR("3\r\nabc\r\n2\r\nde\r\n"), &out), ERR_TOO_LARGE);
    buf_deinit(&out);
}

static void test_whole(void **state)
{
    static const struct {
        const char *raw;
        size_t bytes;
    } rows[] = {
        {"", 0},
        {"5\r\nhello\r\n", 10},
        {"5\r\nhello\r", 0},
        {"5\r\nhello", 0},
        {"5\r\nhello\r\n5\r\nhel", 10},
        {"5\r\nhello\r\n1\r\na\r\n", 16},
        {"5\r\nhello\r\n0\r\n\r\n", 10}, /* the last one is libcurl's */
        {"0\r\n\r\n", 0},
        {"0000000\r\n\r\n", 0},
        {"\r\n5\r\nhello\r\n", 0},
        {"5;a\r\nhello\r\n", 0},
        {"5\nhello\r\n", 0},
        {"5\r\nhelloo\n", 0},
        {"00000005\r\nhello\r\n", 0}, /* libcurl may have it */
        {"fffffff\r\nhello\r\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(chunked_whole(str_of(rows[i].raw)), rows[i].bytes);
}

/* ---- Past libcurl ---- */

#define PIECE(hex, text) hex "\r\n" text "\r\n"
/* In the data of the second chunk stands what would be a chunk. */
#define BODY                                                                                       \
    PIECE("31", "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n")                     \
    PIECE("1a", ": no chunk\r\n8\r\n: hidden\r\n\n")                                               \
    PIECE("30", "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n")                      \
    PIECE("31;x=y", "data: {\"choices\":[{\"delta\":{\"content\":\" wo\"}}]}\n\n")                 \
    PIECE("31", "data: {\"choices\":[{\"delta\":{\"content\":\"rld\"}}]}\n\n")                     \
    PIECE("e", "data: [DONE]\n\n")
/* The first chunk comes by libcurl: only then the head is looked at. */
#define HEAD                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding:   Chunked "          \
    "\r\n\r\n" PIECE("4", ": x\n")

static struct conn *asking;

static void note_who_asks(struct conn *conn, size_t index)
{
    (void)index;
    asking = conn;
}

/* What stands in sockets is read. */
static void read_sockets(struct world *w)
{
    for (int i = 0; i < 4; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void send_and_read(struct world *w, const char *p, size_t n)
{
    conn_write_bytes(asking, p, n);
    read_sockets(w);
}

static void ask(struct world *w, struct recorded *r)
{
    asking = NULL;
    recorded_init(r, w->llm, HELLO);
    recorded_start(r);
    turn_until(&w->loop, asking != NULL);
    conn_write(asking, HEAD);
    read_sockets(w);
}

/* Wherever the stream is cut, nothing is lost, and the connection can be used again: libcurl was
 * never in doubt where it is. */
static void test_cut_anywhere(void **state)
{
    static const char all[] = BODY "0\r\n\r\n";
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, note_who_asks);
    for (size_t cut = 0; cut < sizeof(all); cut++) {
        ask(&w, &r);
        send_and_read(&w, all, cut);
        send_and_read(&w, all + cut, sizeof(all) - 1 - cut);
        turn_until(&w.loop, r.done);
        assert_int_equal(r.c.status, 0);
        assert_str(buf_str(&r.text), "Hello world");
        recorded_free(&r);
    }
    assert_int_equal(w.server.conn_count, 1);
    world_close(&w);
}

static void test_byte_by_byte(void **state)
{
    static const char all[] = BODY "0\r\nTrailer: 1\r\n\r\n";
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, note_who_asks);
    for (int i = 0; i < 2; i++) {
        ask(&w, &r);
        for (size_t at = 0; at < sizeof(all) - 1; at++)
            send_and_read(&w, all + at, 1);
        turn_until(&w.loop, r.done);
        assert_int_equal(r.c.status, 0);
        assert_str(buf_str(&r.text), "Hello world");
        recorded_free(&r);
    }
    assert_int_equal(w.server.conn_count, 1);
    world_close(&w);
}

/* One look at a socket that is set aside takes all that is in it: chunks past libcurl, and the end
 * by it. */
static void test_all_at_once(void **state)
{
    static const char all[] = BODY "0\r\n\r\n";
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, note_who_asks);
    ask(&w, &r);
    assert_true(llm_set_aside(w.llm, true));
    send_and_read(&w, all, sizeof(all) - 1);
    assert_int_equal(r.text.len, 0);
    assert_true(llm_read(w.llm));
    assert_true(r.done);
    assert_str(buf_str(&r.text), "Hello world");
    llm_set_aside(w.llm, false);
    recorded_free(&r);
    world_close(&w);
}

/* What was taken of a socket that is set aside still stands in it. */
static void test_taken_once(void **state)
{
    static const char first[] =
        PIECE("31", "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n");
    static const char all[] = BODY "0\r\n\r\n";
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, note_who_asks);
    for (int way = 0; way < 3; way++) {
        ask(&w, &r);
        assert_true(llm_set_aside(w.llm, true));
        send_and_read(&w, first, sizeof(first) - 1);
        assert_true(llm_read(w.llm));
        assert_str(buf_str(&r.text), "Hel");
        if (way == 0)
            llm_discard(w.llm);
        if (way == 1)
            llm_set_aside(w.llm, false);
        else
            llm_read(w.llm);
        read_sockets(&w);
        assert_str(buf_str(&r.text), "Hel");
        llm_set_aside(w.llm, false);
        send_and_read(&w, all + sizeof(first) - 1, sizeof(all) - sizeof(first));
        turn_until(&w.loop, r.done);
        assert_str(buf_str(&r.text), "Hello world");
        recorded_free(&r);
    }
    assert_int_equal(w.server.conn_count, 1);
    world_close(&w);
}

/* A call is cancelled while what was taken stands in its socket, whose number comes again. */
static void test_cancelled_with_some_taken(void **state)
{
    static const char all[] = BODY "0\r\n\r\n";
    struct world w;
    struct recorded r;
    char kept[8];
    int pair[2];
    (void)state;
    world_open(&w, note_who_asks);
    ask(&w, &r);
    assert_true(llm_set_aside(w.llm, true));
    send_and_read(&w, all,
                  strlen(PIECE("31", "data: {\"choices\":[{\"delta\":{\"content\":"
                                     "\"Hel\"}}]}\n\n")));
    assert_true(llm_read(w.llm));
    llm_call_cancel(w.llm, &r.c);
    recorded_free(&r);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(send(pair[i], "kept", 4, 0), 4);
    llm_discard(w.llm);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(recv(pair[i], kept, sizeof(kept), MSG_DONTWAIT), 4);
        close(pair[i]);
    }
    llm_set_aside(w.llm, false);
    ask(&w, &r);
    send_and_read(&w, all, sizeof(all) - 1);
    turn_until(&w.loop, r.done);
    assert_str(buf_str(&r.text), "Hello world");
    recorded_free(&r);
    world_close(&w);
}

/* Chunks that went past libcurl, then one that is none. */
static void test_broken(void **state)
{
    static const char *const broken[] = {"x\r\n", "1\r\nab\r\n", "11111111111111111\r\n"};
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, note_who_asks);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        ask(&w, &r);
        send_and_read(&w, BODY,
                      strlen(PIECE("31", "data: {\"choices\":[{\"delta\":{\"content\":"
                                         "\"Hel\"}}]}\n\n")));
        send_and_read(&w, broken[i], strlen(broken[i]));
        turn_until(&w.loop, r.done);
        assert_int_equal(r.c.status, ERR_UPSTREAM);
        assert_string_equal(r.c.error_code, "truncated");
        assert_str(buf_str(&r.text), "Hel");
        recorded_free(&r);
    }
    world_close(&w);
}

/* The connection ends between two chunks, where nothing of it is left to take. */
static void test_ends_between(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, note_who_asks);
    ask(&w, &r);
    send_and_read(&w, BODY,
                  strlen(PIECE("31", "data: {\"choices\":[{\"delta\":{\"content\":"
                                     "\"Hel\"}}]}\n\n")));
    conn_close(asking);
    turn_until(&w.loop, r.done);
    assert_string_equal(r.c.error_code, "truncated");
    assert_str(buf_str(&r.text), "Hel");
    recorded_free(&r);
    world_close(&w);
}

/* While a call is held its chunks stay in the socket, in front of those that come later. */
static void test_held(void **state)
{
    static const char first[] =
        PIECE("31", "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n");
    static const char rest[] = BODY "0\r\n\r\n";
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, note_who_asks);
    ask(&w, &r);
    send_and_read(&w, first, sizeof(first) - 1);
    llm_call_hold(w.llm, &r.c);
    send_and_read(&w, rest + sizeof(first) - 1, 16);
    send_and_read(&w, rest + sizeof(first) - 1 + 16, 104);
    assert_str(buf_str(&r.text), "Hel");
    llm_call_unhold(w.llm, &r.c);
    send_and_read(&w, rest + sizeof(first) - 1 + 120, sizeof(rest) - sizeof(first) - 120);
    turn_until(&w.loop, r.done);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "Hello world");
    recorded_free(&r);
    world_close(&w);
}

/* Models that are all faster than they are read. The first was held with bytes in libcurl, so it is
 * libcurl that goes on with it; the chunks of the others go past it. In the end it has had
 * no more shares than the others, but for the two with which it began. */
#define CROWD 48
#define SHARE (16u << 10)
static void test_shares(void **state)
{
    struct world w;
    struct recorded r[CROWD];
    struct conn *conns[CROWD];
    char text[1001], event[1100], chunk[1200];
    struct buf body;
    (void)state;
    world_open(&w, note_who_asks);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    snprintf(event, sizeof(event), "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\n",
             text);
    snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(event), event);
    buf_init(&body, 1u << 20);
    while (body.len < 12 * SHARE)
        assert_int_equal(buf_append_str(&body, str_of(chunk)), 0);
    for (size_t i = 0; i < CROWD; i++) {
        ask(&w, &r[i]);
        conns[i] = asking;
    }
    llm_call_hold(w.llm, &r[0].c);
    conn_write_bytes(conns[0], body.data, body.len);
    read_sockets(&w);
    for (size_t i = 1; i < CROWD; i++)
        conn_write_bytes(conns[i], body.data, body.len);
    llm_call_unhold(w.llm, &r[0].c);
    while (r[0].text.len < 8 * SHARE)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    for (size_t i = 1; i < CROWD; i++)
        assert_in_range(r[i].text.len, 5 * SHARE, 10 * SHARE);
    for (size_t i = 0; i < CROWD; i++) {
        llm_call_cancel(w.llm, &r[i].c);
        recorded_free(&r[i]);
    }
    buf_deinit(&body);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_too_many_bytes),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_ends_between),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_taken_once),
        cmocka_unit_test(test_cancelled_with_some_taken),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
