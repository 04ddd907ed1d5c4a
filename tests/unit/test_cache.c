/* One suite over every cache: in memory, in Redis (SLUICE_TEST_REDIS) and over PostgreSQL's
 * messages (SLUICE_TEST_POSTGRES); without the variable those are skipped. */
#include "cache_rig.h"

#include "base/clock.h"
#include "cache/mem_cache.h"

enum backend { MEMORY, REDIS, POSTGRES };

struct rig {
    uv_loop_t loop;
    struct mem_hub *hub;
    struct cache *a, *b; /* two instances */
    char key[64];        /* nobody else's */
};

static int rig_open_one(struct rig *r, enum backend backend, struct cache **out)
{
    struct errbuf e = {""};
    switch (backend) {
    case MEMORY:
        return mem_cache_open_on(out, &r->loop, r->hub);
    case REDIS:
        return cache_redis_open(out, &r->loop, getenv("SLUICE_TEST_REDIS"), &e);
    case POSTGRES:
        return cache_pg_open(out, &r->loop, getenv("SLUICE_TEST_POSTGRES"), &e);
    }
    return -1;
}

static void rig_open(struct rig *r, void **state)
{
    enum backend backend = (enum backend)(uintptr_t)*state;
    static unsigned serial;
    static const char *const variables[] = {NULL, "SLUICE_TEST_REDIS", "SLUICE_TEST_POSTGRES"};
    if (variables[backend] && !getenv(variables[backend])) {
        print_message("skipped: %s is not set\n", variables[backend]);
        skip();
    }
    memset(r, 0, sizeof(*r));
    uv_loop_init(&r->loop);
    r->hub = mem_hub_create();
    snprintf(r->key, sizeof(r->key), "test-%d-%llx-%u", getpid(),
             (unsigned long long)clock_mono_ns(), serial++);
    assert_int_equal(rig_open_one(r, backend, &r->a), 0);
    assert_int_equal(rig_open_one(r, backend, &r->b), 0);
    TURN_UNTIL(&r->loop, cache_is_up(r->a) && cache_is_up(r->b));
}

static void rig_close(struct rig *r)
{
    rig_close_cache(&r->loop, r->a);
    rig_close_cache(&r->loop, r->b);
    rig_close_loop(&r->loop);
    mem_hub_destroy(r->hub);
}

#define K(r) str_of((r)->key)

/* ---- values ---- */

static void test_values_come_back_as_they_were(void **state)
{
    static const char binary[] = "a\0b\r\n\xff\"$5\r\n";
    struct rig r;
    struct asked q;
    rig_open(&r, state);
    struct str v = {binary, sizeof(binary) - 1};
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_GET, K(&r), STR_NULL, 0), ERR_NOT_FOUND);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_SET, K(&r), v, 60000), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_GET, K(&r), STR_NULL, 0), 0);
    assert_int_equal(q.req.got.len, v.n);
    assert_memory_equal(q.req.got.data, v.p, v.n);
    cache_req_deinit(&q.req);
    if (r.a->v->values_shared) {
        assert_int_equal(ask_now(&q, &r.loop, r.b, CACHE_GET, K(&r), STR_NULL, 0), 0);
        assert_int_equal(q.req.got.len, v.n);
        cache_req_deinit(&q.req);
    }
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_SET, K(&r), STR_NULL, 60000), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_GET, K(&r), STR_NULL, 0), 0);
    assert_int_equal(q.req.got.len, 0);
    cache_req_deinit(&q.req);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_DEL, K(&r), STR_NULL, 0), 0);
        cache_req_deinit(&q.req);
    }
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_GET, K(&r), STR_NULL, 0), ERR_NOT_FOUND);
    cache_req_deinit(&q.req);
    rig_close(&r);
}

static void test_values_end(void **state)
{
    struct rig r;
    struct asked q;
    int status = 0;
    rig_open(&r, state);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_SET, K(&r), STR("v"), 30), 0);
    cache_req_deinit(&q.req);
    for (uint64_t from = clock_mono_ns(); status == 0;) {
        status = ask_now(&q, &r.loop, r.a, CACHE_GET, K(&r), STR_NULL, 0);
        cache_req_deinit(&q.req);
        assert_true(clock_mono_ns() - from < 5000000000u);
    }
    assert_int_equal(status, ERR_NOT_FOUND);
    rig_close(&r);
}

static void test_a_ticket_is_taken_once(void **state)
{
    struct rig r;
    struct asked q, two[2];
    rig_open(&r, state);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_SET, K(&r), STR("ticket"), 60000), 0);
    cache_req_deinit(&q.req);
    struct cache *other = r.a->v->values_shared ? r.b : r.a;
    ask(&two[0], r.a, CACHE_TAKE, K(&r), STR_NULL, 0);
    ask(&two[1], other, CACHE_TAKE, K(&r), STR_NULL, 0);
    TURN_UNTIL(&r.loop, two[0].answers && two[1].answers);
    int winner = two[0].req.status == 0 ? 0 : 1;
    assert_int_equal(two[winner].req.status, 0);
    assert_str(buf_str(&two[winner].req.got), "ticket");
    assert_int_equal(two[1 - winner].req.status, ERR_NOT_FOUND);
    cache_req_deinit(&two[0].req);
    cache_req_deinit(&two[1].req);
    rig_close(&r);
}

static void test_counters_count_and_end(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, state);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_COUNT, K(&r), STR_NULL, 200), 0);
        assert_int_equal(q.req.count, i);
        cache_req_deinit(&q.req);
    }
    int64_t count = 4;
    for (uint64_t from = clock_mono_ns(); count != 1;) { /* ends though it is counted on */
        assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_COUNT, K(&r), STR_NULL, 200), 0);
        count = q.req.count;
        cache_req_deinit(&q.req);
        assert_true(clock_mono_ns() - from < 5000000000u);
    }
    rig_close(&r);
}

static int push(struct rig *r, struct cache *c, const char *lines, int64_t keep, int64_t ttl)
{
    struct asked q;
    memset(&q, 0, sizeof(q));
    cache_req_init(&q.req, CACHE_PUSH, asked_done, &q);
    q.req.key = K(r);
    q.req.value = str_of(lines);
    q.req.keep = keep;
    q.req.ttl_ms = ttl;
    cache_submit(c, &q.req);
    TURN_UNTIL(&r->loop, q.answers);
    int status = q.req.status;
    cache_req_deinit(&q.req);
    return status;
}

static int listed(struct rig *r, struct cache *c, const char *lines)
{
    struct asked q;
    int status = ask_now(&q, &r->loop, c, CACHE_LIST, K(r), STR_NULL, 0);
    if (status == 0)
        assert_str(buf_str(&q.req.got), lines);
    cache_req_deinit(&q.req);
    return status;
}

static void test_a_list_keeps_its_newest(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, state);
    struct cache *other = r.a->v->values_shared ? r.b : r.a;
    assert_int_equal(listed(&r, r.a, ""), ERR_NOT_FOUND);
    assert_int_equal(push(&r, r.a, "one", 3, 60000), 0);
    assert_int_equal(push(&r, other, "two\nthree\n", 3, 60000), 0);
    assert_int_equal(listed(&r, r.a, "one\ntwo\nthree\n"), 0);
    assert_int_equal(push(&r, r.a, "four", 3, 60000), 0);
    assert_int_equal(listed(&r, other, "two\nthree\nfour\n"), 0);
    assert_int_equal(push(&r, r.a, "a\nb\nc\nd", 2, 60000), 0);
    assert_int_equal(listed(&r, r.a, "c\nd\n"), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(push(&r, r.a, "x", i ? CACHE_LINES_MAX + 1 : 0, 60000), ERR_INVALID);
    assert_int_equal(push(&r, r.a, "", 3, 60000), ERR_INVALID);
    assert_int_equal(push(&r, r.a, "x\n\ny", 3, 60000), ERR_INVALID);
    assert_int_equal(push(&r, r.a, "x", 3, 0), ERR_INVALID);
    assert_int_equal(listed(&r, r.a, "c\nd\n"), 0);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_DEL, K(&r), STR_NULL, 0), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(listed(&r, other, ""), ERR_NOT_FOUND);
    rig_close(&r);
}

/* Each push begins its time anew; a list that nobody adds to ends. */
static void test_a_list_ends(void **state)
{
    struct rig r;
    int status = 0;
    rig_open(&r, state);
    assert_int_equal(push(&r, r.a, "long", 3, 60000), 0);
    assert_int_equal(push(&r, r.a, "short", 3, 30), 0);
    for (uint64_t from = clock_mono_ns(); status == 0;) {
        status = listed(&r, r.a, "long\nshort\n");
        assert_true(clock_mono_ns() - from < 5000000000u);
    }
    assert_int_equal(status, ERR_NOT_FOUND);
    rig_close(&r);
}

/* As many lines as there may be, each long. */
static void test_a_long_list(void **state)
{
    struct rig r;
    struct buf lines;
    rig_open(&r, state);
    buf_init(&lines, CACHE_VALUE_MAX);
    for (int i = 0; i < CACHE_LINES_MAX; i++)
        buf_printf(&lines, "%d %08000d\n", i, i);
    assert_int_equal(push(&r, r.a, lines.data, CACHE_LINES_MAX, 60000), 0);
    assert_int_equal(listed(&r, r.a, lines.data), 0);
    buf_deinit(&lines);
    rig_close(&r);
}

static void test_a_lease_has_one_holder(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, state);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_LEASE, K(&r), STR("A"), 60000), 0);
    assert_false(q.req.existed);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_LEASE, K(&r), STR("B"), 60000), ERR_CONFLICT);
    assert_str(buf_str(&q.req.got), "A");
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_LEASE, K(&r), STR("A"), 60000), 0);
    assert_true(q.req.existed);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_UNLEASE, K(&r), STR("B"), 0), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_LEASE, K(&r), STR("B"), 60000), ERR_CONFLICT);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_UNLEASE, K(&r), STR("A"), 0), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_LEASE, K(&r), STR("B"), 60000), 0);
    cache_req_deinit(&q.req);
    rig_close(&r);
}

static void test_limits_are_refused(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, state);
    char *big = calloc(1, CACHE_VALUE_MAX + 1);
    static const char long_key[CACHE_KEY_MAX + 1];
    assert_int_equal(
        ask_now(&q, &r.loop, r.a, CACHE_SET, K(&r), (struct str){big, CACHE_VALUE_MAX + 1}, 60000),
        ERR_TOO_LARGE);
    cache_req_deinit(&q.req);
    assert_int_equal(
        ask_now(&q, &r.loop, r.a, CACHE_SET, K(&r), (struct str){big, CACHE_VALUE_MAX}, 60000), 0);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_TAKE, K(&r), STR_NULL, 0), 0);
    assert_int_equal(q.req.got.len, CACHE_VALUE_MAX);
    cache_req_deinit(&q.req);
    assert_int_equal(
        ask_now(&q, &r.loop, r.a, CACHE_GET, (struct str){long_key, sizeof(long_key)}, STR_NULL, 0),
        ERR_INVALID);
    cache_req_deinit(&q.req);
    assert_int_equal(ask_now(&q, &r.loop, r.a, CACHE_SET, K(&r), STR("v"), 0), ERR_INVALID);
    cache_req_deinit(&q.req);
    assert_int_equal(cache_publish(r.a, K(&r), (struct str){big, r.a->v->message_max + 1}),
                     ERR_TOO_LARGE);
    free(big);
    rig_close(&r);
}

static void test_what_waits_at_the_end_is_answered(void **state)
{
    struct rig r;
    struct asked q[3];
    rig_open(&r, state);
    for (int i = 0; i < 3; i++)
        ask(&q[i], r.a, CACHE_GET, K(&r), STR_NULL, 0);
    rig_close_cache(&r.loop, r.a);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(q[i].answers, 1);
        assert_true(q[i].req.status == ERR_CANCELLED || q[i].req.status == ERR_NOT_FOUND);
        cache_req_deinit(&q[i].req);
    }
    rig_close_cache(&r.loop, r.b);
    rig_close_loop(&r.loop);
    mem_hub_destroy(r.hub);
}

/* ---- messages ---- */

static void test_messages_reach_all_that_listen(void **state)
{
    struct rig r;
    struct ear a, b;
    char other[80];
    rig_open(&r, state);
    ear_open(&a, r.a);
    ear_open(&b, r.b);
    snprintf(other, sizeof(other), "%s-other", r.key);
    cache_listen(r.a, K(&r));
    cache_listen(r.b, K(&r));
    TURN_UNTIL(&r.loop, a.listening && b.listening);
    assert_int_equal(cache_publish(r.a, str_of(other), STR("not heard")), 0);
    assert_int_equal(cache_publish(r.a, K(&r), STR("one")), 0);
    assert_int_equal(cache_publish(r.a, K(&r), STR("tw\"\\o '\xc3\xa9\n")), 0);
    assert_int_equal(cache_publish(r.a, K(&r), STR_NULL), 0);
    TURN_UNTIL(&r.loop, a.messages == 3 && b.messages == 3);
    char want[256];
    snprintf(want, sizeof(want), "%s=one;%s=tw\"\\o '\xc3\xa9\n;%s=;", r.key, r.key, r.key);
    assert_str(buf_str(&a.heard), want);
    assert_str(buf_str(&b.heard), want);

    cache_unlisten(r.b, K(&r));
    cache_listen(r.b, str_of(other));
    TURN_UNTIL(&r.loop, b.listening == 2); /* in order: so the unlisten is through as well */
    assert_int_equal(cache_publish(r.b, K(&r), STR("three")), 0);
    assert_int_equal(cache_publish(r.b, str_of(other), STR("four")), 0);
    TURN_UNTIL(&r.loop, a.messages == 4 && b.messages == 4);
    assert_non_null(strstr(b.heard.data, "=four;"));
    assert_null(strstr(b.heard.data, "=three;"));
    assert_int_equal(a.missed + b.missed, 0);
    ear_close(&a);
    ear_close(&b);
    rig_close(&r);
}

static void test_listens_are_counted(void **state)
{
    struct rig r;
    struct ear a;
    rig_open(&r, state);
    ear_open(&a, r.a);
    cache_listen(r.a, K(&r));
    cache_listen(r.a, K(&r));
    cache_unlisten(r.a, K(&r));
    TURN_UNTIL(&r.loop, a.listening == 1);
    assert_int_equal(cache_publish(r.b, K(&r), STR("x")), 0);
    TURN_UNTIL(&r.loop, a.messages == 1);
    cache_unlisten(r.a, K(&r));
    cache_unlisten(r.a, K(&r)); /* one too many changes nothing */
    cache_listen(r.a, K(&r));
    TURN_UNTIL(&r.loop, a.listening == 2);
    assert_int_equal(cache_publish(r.b, K(&r), STR("y")), 0);
    TURN_UNTIL(&r.loop, a.messages == 2);
    ear_close(&a);
    rig_close(&r);
}

static void test_long_names_and_long_messages(void **state)
{
    struct rig r;
    struct ear a;
    char name[CACHE_KEY_MAX];
    rig_open(&r, state);
    ear_open(&a, r.a);
    size_t size = r.a->v->message_max;
    char *big = malloc(size);
    memset(big, 'x', size);
    memset(name, 'n', sizeof(name));
    memcpy(name, r.key, strlen(r.key));
    cache_listen(r.a, (struct str){name, sizeof(name)});
    TURN_UNTIL(&r.loop, a.listening);
    assert_int_equal(cache_publish(r.b, (struct str){name, sizeof(name)}, (struct str){big, size}),
                     0);
    TURN_UNTIL(&r.loop, a.messages == 1);
    assert_int_equal(a.heard.len, sizeof(name) + size + 2);
    assert_memory_equal(a.heard.data, name, sizeof(name));
    free(big);
    ear_close(&a);
    rig_close(&r);
}

static void test_many_messages_keep_their_order(void **state)
{
    struct rig r;
    struct ear a;
    char text[32];
    struct buf want;
    enum { COUNT = 3000 };
    rig_open(&r, state);
    ear_open(&a, r.a);
    buf_init(&want, 1u << 20);
    cache_listen(r.a, K(&r));
    TURN_UNTIL(&r.loop, a.listening);
    for (int i = 0; i < COUNT; i++) {
        int n = snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(cache_publish(r.b, K(&r), (struct str){text, (size_t)n}), 0);
        buf_printf(&want, "%s=%d;", r.key, i);
    }
    TURN_UNTIL(&r.loop, a.messages == COUNT);
    assert_int_equal(want.len, a.heard.len);
    assert_memory_equal(want.data, a.heard.data, want.len);
    buf_deinit(&want);
    ear_close(&a);
    rig_close(&r);
}

static void remove_both(struct cache_listener *l, struct str channel, struct str payload)
{
    struct ear *both = l->data;
    (void)channel;
    (void)payload;
    both[0].messages++;
    cache_remove_listener(&both[0].l);
    cache_remove_listener(&both[1].l);
}

static void test_listeners_may_go_while_they_are_called(void **state)
{
    struct rig r;
    struct ear both[2], last;
    rig_open(&r, state);
    ear_open(&both[0], r.a);
    ear_open(&both[1], r.a);
    ear_open(&last, r.a);
    both[0].l.message = remove_both;
    both[0].l.data = both;
    cache_listen(r.a, K(&r));
    TURN_UNTIL(&r.loop, last.listening);
    cache_publish(r.a, K(&r), STR("x"));
    cache_publish(r.a, K(&r), STR("y"));
    TURN_UNTIL(&r.loop, last.messages == 2);
    assert_int_equal(both[0].messages, 1);
    assert_int_equal(both[1].messages, 0);
    ear_close(&both[0]);
    ear_close(&both[1]);
    ear_close(&last);
    rig_close(&r);
}

/* ---- of the memory alone ---- */

static void test_memory_is_bounded(void **state)
{
    uv_loop_t loop;
    struct cache *c;
    struct asked q;
    char key[32];
    char *big = calloc(1, 1u << 20);
    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(cache_mem_open(&c, &loop), 0);
    assert_false(c->v->shared);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(
            ask_now(&q, &loop, c, CACHE_SET, str_of(key), (struct str){big, 1u << 20}, 60000), 0);
        cache_req_deinit(&q.req);
    }
    assert_int_equal(ask_now(&q, &loop, c, CACHE_GET, STR("k99"), STR_NULL, 0), 0);
    cache_req_deinit(&q.req);
    int held = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        held += ask_now(&q, &loop, c, CACHE_GET, str_of(key), STR_NULL, 0) == 0;
        cache_req_deinit(&q.req);
    }
    assert_in_range(held, 60, 63);
    rig_close_cache(&loop, c);
    rig_close_loop(&loop);
    free(big);
}

static void test_ended_values_leave_memory(void **state)
{
    uv_loop_t loop;
    struct cache *c;
    struct asked q;
    char key[32];
    (void)state;
    uv_loop_init(&loop);
    struct mem_hub *h = mem_hub_create();
    assert_int_equal(mem_cache_open_on(&c, &loop, h), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(ask_now(&q, &loop, c, CACHE_SET, str_of(key), STR("v"), 1000), 0);
        cache_req_deinit(&q.req);
        mem_hub_set_time(h, i * 100);
    }
    assert_in_range(mem_hub_count(h), 1, 40);
    rig_close_cache(&loop, c);
    rig_close_loop(&loop);
    mem_hub_destroy(h);
}

#define SUITE(backend, name)                                                                       \
    {                                                                                              \
#name " (" #backend ")", name, NULL, NULL, (void *)(uintptr_t)(backend)                    \
    }
#define EVERYWHERE(name) SUITE(MEMORY, name), SUITE(REDIS, name), SUITE(POSTGRES, name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(test_values_come_back_as_they_were),
        EVERYWHERE(test_values_end),
        EVERYWHERE(test_a_ticket_is_taken_once),
        EVERYWHERE(test_counters_count_and_end),
        EVERYWHERE(test_a_list_keeps_its_newest),
        EVERYWHERE(test_a_list_ends),
        EVERYWHERE(test_a_long_list),
        EVERYWHERE(test_a_lease_has_one_holder),
        EVERYWHERE(test_limits_are_refused),
        EVERYWHERE(test_what_waits_at_the_end_is_answered),
        EVERYWHERE(test_messages_reach_all_that_listen),
        EVERYWHERE(test_listens_are_counted),
        EVERYWHERE(test_long_names_and_long_messages),
        EVERYWHERE(test_many_messages_keep_their_order),
        EVERYWHERE(test_listeners_may_go_while_they_are_called),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_ended_values_leave_memory),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
