/* libsluice on a uv loop: several requests at once, cancelled ones, followers, and a clean end. */
#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "client_server.h"
#include "sluice/client.h"

static struct client_server *server;
static struct sluice_client *client;
static struct sluice_loop *loop;
static uv_loop_t uv;
static unsigned closed_count;

static int setup(void **state)
{
    (void)state;
    server = client_server_start();
    client = sluice_client_create(client_server_url(server), NULL);
    uv_loop_init(&uv);
    closed_count = 0;
    loop = sluice_loop_open(client, &uv);
    return loop ? 0 : -1;
}

static void loop_closed(void *data)
{
    (void)data;
    closed_count++;
}

/* A loop that ends clean, with one call of closed(). */
static int teardown(void **state)
{
    (void)state;
    if (loop)
        sluice_loop_close(loop, loop_closed, NULL);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(closed_count, 1);
    assert_int_equal(uv_loop_close(&uv), 0);
    sluice_client_destroy(client);
    client_server_stop(server);
    return 0;
}

struct call {
    struct sluice_pending *pending;
    int result;
    unsigned count;
    char path[64];
    void (*then)(struct call *c);
};

static void call_done(void *data, int result, struct sluice_reply *reply)
{
    struct call *c = data;
    const char *path = sluice_reply_string(reply, "/path");

    c->result = result;
    c->count++;
    c->pending = NULL;
    snprintf(c->path, sizeof(c->path), "%s", path ? path : reply->code);
    sluice_reply_free(reply);
    if (c->then)
        c->then(c);
}

static void call_get(struct call *c, const char *path)
{
    c->pending = sluice_start(loop, sluice_request("GET", path), call_done, c);
    assert_non_null(c->pending);
    assert_int_equal(c->count, 0); /* never from inside */
}

/* Until nothing is under way: nothing else keeps the loop alive. */
static void run(void)
{
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
}

static void test_many_at_once(void **state)
{
    struct call calls[10] = {0};
    char path[32];

    (void)state;
    for (int round = 0; round < 3; round++) {
        memset(calls, 0, sizeof(calls));
        for (int i = 0; i < 10; i++) {
            snprintf(path, sizeof(path), "/echo/%d/%d", round, i);
            call_get(&calls[i], path);
        }
        run();
        for (int i = 0; i < 10; i++) {
            snprintf(path, sizeof(path), "/echo/%d/%d", round, i);
            assert_int_equal(calls[i].count, 1);
            assert_int_equal(calls[i].result, SLUICE_OK);
            assert_string_equal(calls[i].path, path);
        }
    }
}

static void test_mixed(void **state)
{
    static const struct {
        const char *path;
        int result;
    } rows[] = {
        {"/echo", SLUICE_OK},
        {"/garbage", SLUICE_E_PROTOCOL},
        {"/cut", SLUICE_E_UNAVAILABLE},
        {"/not-found", SLUICE_E_NOT_FOUND},
        {"/huge", SLUICE_E_TOO_LARGE},
        {"no slash", SLUICE_E_INVALID},
        {"/bad-json", SLUICE_E_PROTOCOL},
        {"/nothing", SLUICE_OK},
    };
    struct call calls[ROWS(rows)] = {0};

    (void)state;
    sluice_client_set_reply_max(client, 1000000);
    for (size_t i = 0; i < ROWS(rows); i++)
        call_get(&calls[i], rows[i].path);
    run();
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_int_equal(calls[i].count, 1);
        assert_int_equal(calls[i].result, rows[i].result);
    }
}

static void test_refused(void **state)
{
    struct sluice_client *nobody = sluice_client_create("http://127.0.0.1:1", NULL);
    struct sluice_loop *other = sluice_loop_open(nobody, &uv);
    struct call c = {0};

    (void)state;
    assert_non_null(sluice_start(other, sluice_session_list(), call_done, &c));
    run();
    assert_int_equal(c.result, SLUICE_E_UNAVAILABLE);
    sluice_loop_close(other, NULL, NULL);
    run();
    sluice_client_destroy(nobody);
}

static void cancel_others(struct call *c)
{
    for (int i = 1; i <= 2; i++)
        if (c[i].pending)
            sluice_cancel(c[i].pending);
}

static void test_cancel(void **state)
{
    struct call calls[3] = {0};

    (void)state;
    call_get(&calls[0], "/slow");
    sluice_cancel(calls[0].pending); /* before anything has gone out */
    assert_int_equal(calls[0].count, 0);
    run();
    assert_int_equal(calls[0].result, SLUICE_E_CANCELLED);

    memset(calls, 0, sizeof(calls));
    calls[0].then =
        cancel_others; /* from a callback, one that waits and one that is done perhaps */
    call_get(&calls[0], "/echo");
    call_get(&calls[1], "/slow");
    call_get(&calls[2], "/echo");
    run();
    for (int i = 0; i < 3; i++)
        assert_int_equal(calls[i].count, 1);
    assert_int_equal(calls[0].result, SLUICE_OK);
    assert_int_equal(calls[1].result, SLUICE_E_CANCELLED);

    memset(calls, 0, sizeof(calls));
    call_get(&calls[0], "no slash"); /* has ended already, and is not told yet */
    sluice_cancel(calls[0].pending);
    sluice_cancel(calls[0].pending);
    run();
    assert_int_equal(calls[0].count, 1);
    assert_int_equal(calls[0].result, SLUICE_E_CANCELLED);
}

static void start_another(struct call *c)
{
    c[0].then = NULL;
    c[1] = (struct call){0};
    call_get(&c[1], "/echo/next");
}

static void close_loop(struct call *c)
{
    (void)c;
    sluice_loop_close(loop, loop_closed, NULL);
    assert_null(sluice_start(loop, sluice_session_list(), call_done, NULL)); /* too late */
    loop = NULL;
}

static void test_within_callbacks(void **state)
{
    struct call calls[3] = {0};

    (void)state;
    calls[0].then = start_another;
    call_get(&calls[0], "/echo");
    run();
    assert_string_equal(calls[1].path, "/echo/next");

    memset(calls, 0, sizeof(calls));
    calls[0].then = close_loop;
    call_get(&calls[0], "/echo");
    call_get(&calls[1], "/slow");
    run();
    assert_int_equal(calls[1].count, 1);
    assert_int_equal(calls[1].result, SLUICE_E_CANCELLED);
    assert_int_equal(closed_count, 1);
}

/* ---- followers ---- */

struct seen {
    struct sluice_follower *follower;
    char text[512];
    int64_t stop_at, call_stop_at;
    int result;
    unsigned count;
    bool wait_over;
};

static int event_seen(void *data, const struct sluice_event *e)
{
    struct seen *s = data;
    size_t n = strlen(s->text);

    snprintf(s->text + n, sizeof(s->text) - n, "%lld ", (long long)e->seq);
    if (e->seq == s->call_stop_at)
        sluice_follow_stop(s->follower);
    return e->seq == s->stop_at;
}

static int change_seen(void *data, const struct sluice_change *ch)
{
    struct seen *s = data;
    size_t n = strlen(s->text);

    snprintf(s->text + n, sizeof(s->text) - n, "%s ", ch->to_status);
    return 0;
}

static void follow_done(void *data, int result, struct sluice_reply *why)
{
    struct seen *s = data;

    s->result = result;
    s->count++;
    s->follower = NULL;
    sluice_reply_free(why);
}

static void test_followers(void **state)
{
    static const struct {
        const char *session;
        int64_t after, stop_at, call_stop_at;
        int result;
        const char *seen;
    } rows[] = {
        {"whole", 0, -1, -1, 0, "1 2 3 4 5 6 "},    {"whole", 3, -1, -1, 0, "4 5 6 "},
        {"whole", 0, 3, -1, 0, "1 2 3 "},           {"whole", 0, -1, 3, 0, "1 2 3 "},
        {"broken", 0, -1, -1, 0, "1 2 3 4 5 6 "},   {"snapshot", 0, -1, -1, 0, "0 5 6 "},
        {"junk", 0, -1, -1, SLUICE_E_PROTOCOL, ""}, {"gone", 0, -1, -1, SLUICE_E_NOT_FOUND, ""},
        {"page", 0, -1, -1, SLUICE_E_PROTOCOL, ""}, {"busy", 0, -1, -1, SLUICE_E_UNAVAILABLE, ""},
        {"", 0, -1, -1, SLUICE_E_INVALID, ""},
    };
    struct seen seen[ROWS(rows)];

    (void)state;
    sluice_client_set_patience(client, 300);
    for (size_t i = 0; i < ROWS(rows); i++) {
        seen[i] = (struct seen){.stop_at = rows[i].stop_at, .call_stop_at = rows[i].call_stop_at};
        seen[i].follower = sluice_follow_start(loop, rows[i].session, rows[i].after, event_seen,
                                               follow_done, &seen[i]);
        assert_non_null(seen[i].follower);
    }
    run();
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_string_equal(seen[i].text, rows[i].seen);
        assert_int_equal(seen[i].count, 1);
        assert_int_equal(seen[i].result, rows[i].result);
    }
}

static void test_hook(void **state)
{
    struct seen seen = {.stop_at = -1};

    (void)state;
    assert_non_null(sluice_hook_start(loop, "broken", 0, change_seen, follow_done, &seen));
    run();
    assert_string_equal(seen.text, "IN_PROGRESS ON_HOLD COMPLETED ");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.result, 0);
}

static void run_until_seen(struct seen *s)
{
    while (!s->text[0])
        uv_run(&uv, UV_RUN_ONCE);
}

static void test_follow_stop(void **state)
{
    struct seen quiet = {.stop_at = -1, .call_stop_at = -1}, early = quiet, busy = quiet;

    (void)state;
    quiet.follower = sluice_follow_start(loop, "quiet", 0, event_seen, follow_done, &quiet);
    early.follower = sluice_follow_start(loop, "quiet", 0, event_seen, follow_done, &early);
    sluice_follow_stop(early.follower);
    sluice_follow_stop(early.follower);
    run_until_seen(&quiet);
    sluice_follow_stop(quiet.follower);
    assert_int_equal(quiet.count, 0);
    run();
    assert_int_equal(quiet.count, 1);
    assert_int_equal(quiet.result, SLUICE_OK);
    assert_string_equal(early.text, "");
    assert_int_equal(early.count, 1);
    assert_int_equal(early.result, SLUICE_OK);

    /* Between two streams */
    unsigned first = client_server_streams(server);
    busy.follower = sluice_follow_start(loop, "busy", 0, event_seen, follow_done, &busy);
    while (client_server_streams(server) < first + 2)
        uv_run(&uv, UV_RUN_ONCE);
    sluice_follow_stop(busy.follower);
    run();
    assert_int_equal(busy.count, 1);
    assert_int_equal(busy.result, SLUICE_OK);
}

/* Closing with everything under way. */
static void test_close(void **state)
{
    struct seen quiet = {.stop_at = -1, .call_stop_at = -1}, busy = quiet;
    struct call slow = {0}, wrong = {0};

    (void)state;
    quiet.follower = sluice_follow_start(loop, "quiet", 0, event_seen, follow_done, &quiet);
    busy.follower = sluice_follow_start(loop, "busy", 0, event_seen, follow_done, &busy);
    run_until_seen(&quiet);
    call_get(&slow, "/slow");
    call_get(&wrong, "no slash");
    sluice_loop_close(loop, loop_closed, NULL);
    assert_null(sluice_follow_start(loop, "whole", 0, event_seen, follow_done, &busy));
    loop = NULL;
    assert_int_equal(slow.count + quiet.count + busy.count + wrong.count + closed_count, 0);
    run();
    assert_int_equal(slow.result, SLUICE_E_CANCELLED);
    assert_int_equal(quiet.result, SLUICE_E_CANCELLED);
    assert_int_equal(busy.result, SLUICE_E_CANCELLED);
    assert_int_equal(wrong.result, SLUICE_E_INVALID);
    assert_int_equal(slow.count + quiet.count + busy.count + wrong.count, 4);
    assert_int_equal(closed_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mixed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_within_callbacks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_followers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hook, setup, teardown),
        cmocka_unit_test_setup_teardown(test_follow_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
