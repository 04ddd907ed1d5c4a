/* Sockets that are set aside: what models send waits there, and is read in one go, within bounds.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "llm_world.h"

#define CALLS 40

/* In front of libc's, so that the calls of libuv are counted too. */
static size_t epoll_additions, epoll_calls;

int epoll_ctl(int set, int op, int fd, struct epoll_event *ev)
{
    epoll_calls++;
    epoll_additions += op == EPOLL_CTL_ADD;
    return (int)syscall(SYS_epoll_ctl, set, op, fd, ev);
}

struct crowd {
    struct world w;
    struct recorded calls[CALLS];
    size_t deltas;
};

static void serve_head(struct conn *conn, size_t index)
{
    (void)index;
    conn_head(conn);
    conn_content(conn, "first ");
}

static void crowd_open(struct crowd *c)
{
    memset(c, 0, sizeof(*c));
    world_open_as(&c->w, serve_head, (struct llm_provider){.max_concurrent = CALLS});
    for (int i = 0; i < CALLS; i++) {
        recorded_init(&c->calls[i], c->w.llm, HELLO);
        recorded_start(&c->calls[i]);
        turn_until(&c->w.loop,
                   c->calls[i].deltas == 1); /* so call and connection have one number */
    }
}

static void crowd_close(struct crowd *c)
{
    for (int i = 0; i < CALLS; i++) {
        if (!c->calls[i].done)
            llm_call_cancel(c->w.llm, &c->calls[i].c);
        recorded_free(&c->calls[i]);
    }
    world_close(&c->w);
}

static size_t crowd_deltas(const struct crowd *c)
{
    size_t n = 0;
    for (int i = 0; i < CALLS; i++)
        n += c->calls[i].deltas;
    return n;
}

static void turn(struct crowd *c, int turns)
{
    while (turns-- > 0)
        uv_run(&c->w.loop, UV_RUN_NOWAIT);
}

static void test_what_is_set_aside_waits_for_who_reads(void **state)
{
    struct crowd c;
    (void)state;
    crowd_open(&c);
    assert_true(llm_set_aside(c.w.llm, true));
    for (int i = 0; i < CALLS; i++)
        conn_content(c.w.server.conns[i], "second ");
    turn(&c, 50);
    assert_int_equal(crowd_deltas(&c), CALLS);
    assert_true(llm_read(c.w.llm));
    assert_int_equal(crowd_deltas(&c),
                     2 * CALLS); /* all of them, and none with a turn of the loop */
    assert_string_equal(c.calls[0].text.data, "first second ");
    assert_true(llm_read(c.w.llm)); /* nothing is there */

    llm_set_aside(c.w.llm, false);
    conn_content(c.w.server.conns[3], "third ");
    turn_until(&c.w.loop, c.calls[3].deltas == 3);
    assert_string_equal(c.calls[3].text.data, "first second third ");
    crowd_close(&c);
}

/* To put a set of sockets into another one has the kernel walk all of them, at 500 some 40 us. */
static void test_to_set_aside_is_one_short_call(void **state)
{
    struct crowd c;
    (void)state;
    crowd_open(&c);
    turn(&c, 5);
    epoll_additions = epoll_calls = 0;
    for (int i = 0; i < 10; i++) {
        llm_set_aside(c.w.llm, true);
        turn(&c, 1);
        llm_set_aside(c.w.llm, false);
        turn(&c, 1);
    }
    assert_int_equal(epoll_additions, 0);
    assert_int_equal(epoll_calls, 20);
    crowd_close(&c);
}

/* The connections of calls that have gone, in the middle of what is read, are not looked at. */
static struct crowd *around;

static void cancel_others(struct recorded *r, bool is_thinking)
{
    struct crowd *c = around;
    (void)is_thinking;
    for (int i = 0; i < CALLS; i++)
        if (&c->calls[i] != r && !c->calls[i].done) {
            llm_call_cancel(c->w.llm, &c->calls[i].c);
            c->calls[i].done = 1;
        }
}

static void test_calls_that_go_while_they_are_read(void **state)
{
    struct crowd c;
    (void)state;
    crowd_open(&c);
    around = &c;
    llm_set_aside(c.w.llm, true);
    for (int i = 0; i < CALLS; i++) {
        c.calls[i].at_delta = cancel_others;
        conn_content(c.w.server.conns[i], "second ");
    }
    turn(&c, 50);
    llm_read(c.w.llm);
    assert_int_equal(crowd_deltas(&c), CALLS + 1);
    llm_set_aside(c.w.llm, false);
    crowd_close(&c);
}

static size_t crowd_bytes(const struct crowd *c)
{
    size_t n = 0;
    for (int i = 0; i < CALLS; i++)
        n += c->calls[i].text.len;
    return n;
}

/* However much lies in all sockets together, a turn takes a share of it. */
static void test_a_turn_of_many_is_bounded(void **state)
{
    static char text[12001];
    struct crowd c;
    size_t most = 0;
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    crowd_open(&c);
    size_t first = crowd_bytes(&c), all = first + CALLS * (sizeof(text) - 1), had = first;
    llm_set_aside(c.w.llm, true);
    for (int i = 0; i < CALLS; i++)
        conn_content(c.w.server.conns[i], text);
    turn(&c, 200);
    assert_int_equal(crowd_bytes(&c), first);
    assert_false(llm_read(c.w.llm));
    assert_false(llm_set_aside(c.w.llm, true)); /* they are quicker than the loop */
    llm_set_aside(c.w.llm, false);
    while (had < all) {
        size_t now = crowd_bytes(&c);
        if (now - had > most)
            most = now - had;
        had = now;
        uv_run(&c.w.loop, UV_RUN_NOWAIT);
    }
    assert_in_range(most, 1, (all - first) * 3 / 4);
    crowd_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_set_aside_waits_for_who_reads),
        cmocka_unit_test(test_to_set_aside_is_one_short_call),
        cmocka_unit_test(test_calls_that_go_while_they_are_read),
        cmocka_unit_test(test_a_turn_of_many_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
