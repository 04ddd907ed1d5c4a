/* libsluice while memory is short: every allocation of ours fails once, and nothing crashes, leaks
 * or is called twice. libcurl's and libuv's own are theirs. */
#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "client_server.h"
#include "sluice/client.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
char *__real_strndup(const char *z, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strndup(const char *z, size_t n);

static __thread bool counting; /* the server has threads of its own */
static unsigned count, fail_at;

static bool fails(void)
{
    return counting && ++count == fail_at;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t c, size_t n)
{
    return fails() ? NULL : __real_calloc(c, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strndup(const char *z, size_t n)
{
    return fails() ? NULL : __real_strndup(z, n);
}

static struct client_server *server;

/* Without memory for it a call says so, or goes without what it could not keep. */
static void check_result(int rc)
{
    if (rc != SLUICE_OK && rc != SLUICE_E_NOMEM && rc != SLUICE_E_NOT_FOUND)
        fail_msg("%s when allocation %u fails", sluice_result_word(rc), fail_at);
}

static int event_seen(void *data, const struct sluice_event *e)
{
    assert_int_equal(e->seq, ++*(int64_t *)data);
    return 0;
}

static void waited(struct sluice_client *c)
{
    struct sluice_request *q = sluice_session_save("id", "{\"a\":1}");
    struct sluice_reply r;
    int64_t seq = 0;

    sluice_set_string(q, "name", "n");
    sluice_set_query(q, "q", "x");
    sluice_set_key(q, "key");
    check_result(sluice_send(c, q, &r));
    sluice_reply_string(&r, "/method");
    sluice_reply_json(&r, "/body");
    sluice_free(sluice_json_string(r.json, "/method"));
    sluice_free(sluice_json_text(r.json, "/body"));
    sluice_reply_free(&r);
    check_result(sluice_send(c, sluice_stage_item("i", "x", 1), NULL));
    check_result(sluice_send(c, sluice_session_delete_batch((const char *const[]){"a"}, 1), NULL));
    check_result(sluice_call(c, "GET", "/not-found", NULL, &r));
    sluice_reply_free(&r);
    check_result(sluice_follow(c, "whole", 0, event_seen, &seq, &r));
    sluice_reply_free(&r);
}

static unsigned called;

static void done(void *data, int result, struct sluice_reply *reply)
{
    (void)data;
    called++;
    check_result(result);
    sluice_reply_free(reply);
}

static void closed(void *data)
{
    (void)data;
    called++;
}

static void on_loop(struct sluice_client *c)
{
    uv_loop_t uv;
    unsigned expected = 0;
    int64_t seq = 4;

    uv_loop_init(&uv);
    called = 0;
    struct sluice_loop *l = sluice_loop_open(c, &uv);
    if (l) {
        expected += sluice_start(l, sluice_session_get("a"), done, NULL) != NULL;
        expected += sluice_start(l, sluice_request("GET", "/not-found"), done, NULL) != NULL;
        expected += sluice_follow_start(l, "whole", 4, event_seen, done, &seq) != NULL;
        uv_run(&uv, UV_RUN_DEFAULT);
        assert_int_equal(called, expected);
        sluice_loop_close(l, closed, NULL);
        expected++;
    }
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(called, expected);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static void all_of_it(void)
{
    struct sluice_client *c = sluice_client_create(client_server_url(server), "key");

    if (!c)
        return;
    sluice_client_set_patience(c, 50);
    sluice_client_set_ca(c, "");
    waited(c);
    on_loop(c);
    sluice_client_destroy(c);
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    server = client_server_start();
    all_of_it(); /* what libcurl keeps for the process */
    do {
        fail_at++;
        count = 0;
        counting = true;
        all_of_it();
        counting = false;
    } while (count >= fail_at); /* until nothing was left to fail */
    assert_true(fail_at > 50);
    client_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
