/* The journal, the service and recovery over the store in memory, with its faults. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/runner_private.h"
#include "base/clock.h"
#include "store/mem_store.h"

static const char w1[] =
    "{\"id\":\"w1\",\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"t\"]},"
    "\"t\":{\"type\":\"transform\",\"properties\":{\"output\":{\"n\":\"input.n + 1\"}},"
    "\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}";
static const char review[] =
    "{\"id\":\"r\",\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"ask\"]},"
    "\"ask\":{\"type\":\"human_review\",\"properties\":{\"review_type\":\"approve_reject\"},"
    "\"routes\":{\"approve\":\"end\",\"reject\":\"end\"}},\"end\":{\"type\":\"end\"}}}";

struct asked {
    struct svc_req req;
    unsigned answers;
};

static void answered(struct svc_req *req)
{
    struct asked *q = req->data;
    q->answers++;
}

static void ask_init(struct asked *q, enum svc_op op)
{
    svc_req_init(&q->req, op);
    q->answers = 0;
    q->req.workspace = STR("default");
    q->req.done = answered;
    q->req.data = q;
}

static void ask_execute(struct asked *q, struct app *a, const char *graph)
{
    ask_init(q, SVC_EXECUTE);
    q->req.execute.graph_json = str_of(graph);
    q->req.execute.input_json = STR("{\"n\":1}");
    service_submit(&a->service, &q->req);
}

static void turn(struct app *a, int turns)
{
    while (turns-- > 0)
        uv_run(&a->loop, UV_RUN_NOWAIT);
}

static void turn_until(struct app *a, const struct asked *q)
{
    for (int i = 0; i < 1000 && !q->answers; i++)
        uv_run(&a->loop, UV_RUN_ONCE);
    assert_int_equal(q->answers, 1);
}

static struct id started(const struct asked *q)
{
    struct id id;
    assert_int_equal(q->req.status, 0);
    assert_int_equal(q->req.http_status, 202);
    struct json v = json_get(json_root(buf_str(&q->req.body)), "session_id");
    assert_true(id_parse((struct str){v.p + 1, v.n - 2}, &id));
    return id;
}

static struct app *app_open(void)
{
    struct app *a = calloc(1, sizeof(*a));
    struct llm_provider demo = {.id = "demo", .dialect = LLM_DEMO, .default_model = "demo"};
    struct errbuf e;
    app_init(a);
    id_source_init_seed(&a->ids, 1);
    assert_int_equal(mem_store_open(&a->store, &a->loop), 0);
    assert_int_equal(llm_create(&a->llm, &a->loop, &demo, 1, &e), 0);
    assert_int_equal(worker_pool_create(&a->workers, &a->loop, 1, 4), 0);
    return a;
}

static void closed(void *data)
{
    (void)data;
}

static void app_close(struct app *a)
{
    a->stopping = true;
    app_drop_sessions(a);
    app_close_handles(a);
    store_close(a->store, closed, NULL);
    worker_pool_close(a->workers, closed, NULL);
    llm_close(a->llm, closed, NULL);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    app_deinit(a);
    free(a);
}

static void test_nothing_is_visible_before_it_is_durable(void **state)
{
    struct app *a = app_open();
    struct asked q;
    (void)state;
    mem_store_hold(a->store, true);
    ask_execute(&q, a, review);
    turn(a, 10);
    assert_int_equal(q.answers, 0);
    assert_int_equal(a->live.count, 1);
    struct live *l = NULL;
    table_foreach(slot, &a->live) l = slot->value;
    if (!l)
        abort();
    struct id id = l->id;
    assert_int_equal(log_last_seq(a->log, id), -1);
    mem_store_hold(a->store, false);
    turn_until(a, &q);
    assert_true(id_eq(started(&q), id));
    assert_int_equal(log_last_seq(a->log, id), session_last_seq(l->session));
    svc_req_deinit(&q.req);
    app_close(a);
}

static void test_a_session_that_ends_at_once_costs_one_commit(void **state)
{
    struct app *a = app_open();
    struct asked q;
    struct store_stats st;
    (void)state;
    ask_execute(&q, a, w1);
    turn_until(a, &q);
    started(&q);
    store_stats(a->store, &st);
    assert_int_equal(st.commits, 1);
    assert_int_equal(a->live.count, 0);
    svc_req_deinit(&q.req);
    app_close(a);
}

static void test_a_failed_commit_is_tried_again_with_the_same_rows(void **state)
{
    struct app *a = app_open();
    struct asked q, refused, events;
    (void)state;
    mem_store_fail(a->store, MEM_FAULT_WRITE_LOST, 1, 3, ERR_IO);
    ask_execute(&q, a, w1);
    while (!a->journal.failing)
        uv_run(&a->loop, UV_RUN_ONCE);
    assert_int_equal(q.answers, 0);
    ask_execute(&refused, a, w1);
    assert_int_equal(refused.answers, 1);
    assert_int_equal(refused.req.status, ERR_UNAVAILABLE);
    assert_true(refused.req.retry_after_s > 0);
    turn_until(a, &q);
    struct id id = started(&q);
    assert_false(a->journal.failing);
    ask_init(&events, SVC_EVENTS);
    events.req.session_id = id;
    events.req.events.limit = 500;
    service_submit(&a->service, &events.req);
    turn_until(a, &events);
    int64_t seq, want = 1;
    struct json_iter it;
    json_iter_init(&it, json_get(json_root(buf_str(&events.req.body)), "items"));
    while (json_iter_next(&it)) {
        assert_true(json_i64(json_get(it.value, "seq"), &seq));
        assert_int_equal(seq, want++);
    }
    assert_true(want > 5);
    svc_req_deinit(&q.req);
    svc_req_deinit(&refused.req);
    svc_req_deinit(&events.req);
    app_close(a);
}

static const char talk[] =
    "{\"id\":\"talk\",\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"say\"]},"
    "\"say\":{\"type\":\"llm\",\"properties\":{\"prompt\":\"x\"},\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

/* A session whose model was asked and says nothing of its own. */
static struct live *talk_open(struct app *a)
{
    struct asked q;
    ask_execute(&q, a, talk);
    turn_until(a, &q);
    struct live *l = live_find(a, started(&q));
    svc_req_deinit(&q.req);
    assert_false(list_empty(&l->runs));
    struct run *r = container_of(l->runs.next, struct run, link);
    r->hold(r, true);
    return l;
}

static void say(struct live *l, const char *text)
{
    struct engine_input in = {.kind = IN_CHUNK, .text = str_of(text)};
    run_input(container_of(l->runs.next, struct run, link), &in);
}

static void turn_until_durable(struct app *a, const struct live *l)
{
    for (int i = 0; i < 1000 && !live_is_durable(l); i++)
        uv_run(&a->loop, UV_RUN_ONCE);
    assert_true(live_is_durable(l));
}

static void test_chunks_of_a_crowd_gather(void **state)
{
    struct app *a = app_open();
    struct live *one = talk_open(a), *two = talk_open(a);
    struct asked q;
    (void)state;
    a->journal.gather.least_ns = UINT64_MAX;
    say(one, "a"); /* alone: at once */
    turn(a, 5);
    assert_true(live_is_durable(one));
    say(one, "b");
    say(two, "b");
    turn_until_durable(a, two);
    int64_t seq = log_last_seq(a->log, one->id);
    say(one, "c");
    say(two, "c");
    turn(a, 20);
    assert_false(live_is_durable(one)); /* it waits for more */
    say(one, "d");
    ask_init(&q, SVC_PAUSE); /* for this somebody waits, and what came before goes with it */
    q.req.session_id = two->id;
    service_submit(&a->service, &q.req);
    turn_until(a, &q);
    assert_true(live_is_durable(one));
    assert_int_equal(log_last_seq(a->log, one->id), seq + 1); /* c and d are one event */
    svc_req_deinit(&q.req);
    app_close(a);
}

/* While sessions crowd, models' sockets wake nobody; when they no longer do, they do again. */
static void test_sockets_are_set_aside_in_a_crowd(void **state)
{
    struct app *a = app_open();
    struct live *one = talk_open(a), *two = talk_open(a);
    (void)state;
    a->journal.gather.least_ns = UINT64_MAX; /* however slow the machine is */
    say(one, "a");
    turn_until_durable(a, one);
    assert_false(a->journal.gather.is_on);
    say(one, "b");
    say(two, "b");
    turn_until_durable(a, two);
    turn(a, 5);
    assert_true(a->journal.gather.is_on);
    a->journal.gather.least_ns = a->journal.gather.most_ns = a->journal.gather_ns = 1000;
    while (a->journal.gather.is_on) /* by itself: nobody has spoken since */
        uv_run(&a->loop, UV_RUN_ONCE);
    app_close(a);
}

/* Nobody would wake the loop for what gathers, so nothing does. */
static void test_nothing_gathers_without_a_timer(void **state)
{
    struct app *a = app_open();
    struct live *one = talk_open(a), *two = talk_open(a);
    int fd = a->journal.gather.timer_fd;
    (void)state;
    a->journal.gather.least_ns = UINT64_MAX;
    a->journal.gather.timer_fd = -1;
    for (int i = 0; i < 3; i++) {
        say(one, "a");
        say(two, "a");
        turn_until_durable(a, two);
    }
    assert_false(a->journal.gather.is_on);
    a->journal.gather.timer_fd = fd;
    app_close(a);
}

/* The loop may wait for a commit of what it has just read from a crowd's sockets, and for no other.
 */
static void test_only_a_crowds_chunks_may_block(void **state)
{
    struct app *a = app_open();
    struct live *one = talk_open(a), *two = talk_open(a);
    struct gather *g = &a->journal.gather;
    (void)state;
    assert_false(a->journal.commit.may_block); /* whoever opened them waited */
    g->least_ns = UINT64_MAX;
    say(one, "a");
    say(two, "a");
    turn_until_durable(a, two);
    assert_false(a->journal.commit.may_block); /* they gather from here on */
    turn(a, 5);
    assert_true(g->is_on);
    g->least_ns = g->most_ns = a->journal.gather_ns = 1000;
    say(one, "b");
    say(two, "b");
    turn_until_durable(a, two);
    assert_true(a->journal.commit.may_block);
    talk_open(a);
    assert_false(a->journal.commit.may_block);
    app_close(a);
}

/* Half a period and a commit are what a token waits, as a median: it stays the same, while there
 * are no more commits than that needs. */
static void test_the_period_is_what_a_commit_leaves(void **state)
{
    struct gather g = {.least_ns = GATHER_LEAST_US * 1000, .most_ns = GATHER_MOST_US * 1000};
    const struct {
        unsigned commit_us, period_us;
    } table[] = {{300, 1350}, {350, 1250}, {900, 750}, {400, 1150}, {250, 1450}, {100, 1500}};
    (void)state;
    assert_int_equal(gather_period_ns(&g), GATHER_LEAST_US * 1000); /* nothing is known */
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int n = 0; n < 200; n++)
            gather_committed(&g, table[i].commit_us * 1000);
        unsigned period_us = (unsigned)((gather_period_ns(&g) + 500) / 1000);
        assert_in_range(period_us, table[i].period_us - 1, table[i].period_us + 1);
    }
    gather_committed(&g, 30000000); /* one that waited for the disk */
    assert_in_range(gather_period_ns(&g), 1300000, 1500000);
    for (int n = 0; n < 20; n++)
        gather_committed(&g, 30000000); /* and a disk that has become slow */
    assert_int_equal(gather_period_ns(&g), GATHER_LEAST_US * 1000);
}

static struct live *speaker;
static bool speaker_was_first;

static void answered_before_the_speaker(struct svc_req *req)
{
    speaker_was_first = live_is_durable(speaker);
    answered(req);
}

/* Who waits is told before those who only watch, though its session was the last to be marked. */
static void test_what_somebody_waits_for_is_released_first(void **state)
{
    struct app *a = app_open();
    struct live *one = talk_open(a), *two = talk_open(a);
    struct asked q;
    (void)state;
    speaker = one;
    speaker_was_first = true;
    say(one, "a");
    say(two, "a");
    ask_init(&q, SVC_PAUSE);
    q.req.done = answered_before_the_speaker;
    q.req.session_id = two->id;
    service_submit(&a->service, &q.req);
    turn_until(a, &q);
    assert_false(speaker_was_first);
    turn_until_durable(a, one);
    svc_req_deinit(&q.req);
    app_close(a);
}

/* Nothing else wakes the loop: the batch goes out all the same. */
static void test_a_crowd_that_falls_silent_is_written(void **state)
{
    struct app *a = app_open();
    struct live *one = talk_open(a), *two = talk_open(a);
    (void)state;
    say(one, "a");
    say(two, "a");
    turn_until_durable(a, two);
    say(one, "b");
    turn_until_durable(a, one);
    app_close(a);
}

/* A store that is slower than the models: what waits for it stays small. */
static void test_a_session_ahead_of_the_store_is_held(void **state)
{
    static char piece[10001];
    struct app *a = app_open();
    struct live *l = talk_open(a);
    (void)state;
    memset(piece, 'x', sizeof(piece) - 1);
    mem_store_hold(a->store, true);
    say(l, piece);
    turn(a, 3); /* under way */
    for (int i = 0; i < 3; i++)
        say(l, piece);
    assert_false(l->is_ahead);
    say(l, piece);
    assert_true(l->is_ahead);
    turn(a, 3);
    assert_true(l->is_ahead);
    mem_store_hold(a->store, false);
    turn_until_durable(a, l);
    assert_false(l->is_ahead);
    app_close(a);
}

static void ask_answer(struct asked *q, struct app *a, struct id id, const char *key)
{
    ask_init(q, SVC_NODE_RESUME);
    q->req.session_id = id;
    q->req.answer.node_id = STR("ask");
    q->req.answer.action = STR("approve");
    if (key) {
        q->req.idempotency_key = str_of(key);
        q->req.body_hash[0] = 7;
    }
    service_submit(&a->service, &q->req);
}

static void test_a_session_out_of_memory_is_woken_by_its_answer(void **state)
{
    struct app *a = app_open();
    struct asked q, first, second;
    (void)state;
    ask_execute(&q, a, review);
    turn_until(a, &q);
    struct id id = started(&q);
    app_drop_sessions(a);
    ask_answer(&first, a, id, NULL);
    ask_answer(&second, a, id, NULL);
    turn_until(a, &first);
    turn_until(a, &second);
    assert_int_equal(first.req.status, 0);
    assert_true(second.req.status == ERR_NOT_FOUND || second.req.status == ERR_CONFLICT);
    svc_req_deinit(&q.req);
    svc_req_deinit(&first.req);
    svc_req_deinit(&second.req);
    app_close(a);
}

static void test_idle_sessions_leave_memory_and_come_back(void **state)
{
    struct app *a = app_open();
    struct asked waits, asks, answer;
    (void)state;
    ask_execute(&asks, a, review);
    turn_until(a, &asks);
    ask_execute(
        &waits, a,
        "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"w\"]},\"w\":{\"type\":\"wait\","
        "\"properties\":{\"duration_ms\":300},\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}"
        "}");
    turn_until(a, &waits);
    turn(a, 5);
    live_evict_idle(a, clock_wall_ms());
    assert_int_equal(a->live.count, 2); /* not idle for long enough */
    live_evict_idle(a, clock_wall_ms() + APP_IDLE_EVICT_MS + 1);
    assert_int_equal(a->live.count, 0);
    assert_int_equal(a->timers.count, 0);
    started(&waits);
    while (a->sessions_ended == 0)
        uv_run(&a->loop, UV_RUN_ONCE); /* the durable timer wakes it, and it ends */
    assert_true(a->recovery.recovered_total == 1);
    ask_answer(&answer, a, started(&asks), NULL);
    turn_until(a, &answer);
    assert_int_equal(answer.req.status, 0);
    svc_req_deinit(&waits.req);
    svc_req_deinit(&asks.req);
    svc_req_deinit(&answer.req);
    app_close(a);
}

static void test_a_key_answers_once_and_again(void **state)
{
    struct app *a = app_open();
    struct asked q, first, meanwhile, again, other;
    (void)state;
    ask_execute(&q, a, review);
    turn_until(a, &q);
    struct id id = started(&q);
    mem_store_hold(a->store, true);
    ask_answer(&first, a, id, "k");
    ask_answer(&meanwhile, a, id, "k");
    assert_int_equal(meanwhile.answers, 1);
    assert_int_equal(meanwhile.req.status, ERR_CONFLICT);
    mem_store_hold(a->store, false);
    turn_until(a, &first);
    assert_int_equal(first.req.status, 0);
    ask_answer(&again, a, id, "k");
    turn_until(a, &again);
    assert_int_equal(again.req.status, 0);
    assert_string_equal(again.req.body.data, first.req.body.data);
    ask_init(&other, SVC_CANCEL);
    other.req.session_id = id;
    other.req.idempotency_key = STR("k");
    other.req.body_hash[0] = 8;
    service_submit(&a->service, &other.req);
    turn_until(a, &other);
    assert_int_equal(other.req.status, ERR_CONFLICT);
    assert_string_equal(other.req.error_code, "idempotency_key_reused");
    svc_req_deinit(&q.req);
    svc_req_deinit(&first.req);
    svc_req_deinit(&meanwhile.req);
    svc_req_deinit(&again.req);
    svc_req_deinit(&other.req);
    app_close(a);
}

static void test_a_corrupt_session_is_reported_and_changes_nothing(void **state)
{
    struct app *a = app_open();
    struct asked q, first;
    (void)state;
    ask_execute(&q, a, review);
    turn_until(a, &q);
    struct id id = started(&q);
    app_drop_sessions(a);
    mem_store_corrupt_state(a->store, id);
    ask_answer(&first, a, id, NULL);
    turn_until(a, &first);
    assert_int_equal(first.req.status, ERR_CORRUPT);
    assert_int_equal(a->live.count, 0);
    svc_req_deinit(&q.req);
    svc_req_deinit(&first.req);
    app_close(a);
}

static bool recovered;
static void recovery_ready(struct app *a)
{
    (void)a;
    recovered = true;
}

static void test_running_work_is_taken_up_again_at_start(void **state)
{
    struct app *a = app_open();
    struct asked q;
    (void)state;
    ask_execute(
        &q, a,
        "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"m\"]},\"m\":{\"type\":\"llm\","
        "\"properties\":{\"prompt\":\"hello\"},\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}"
        "}");
    turn_until(a, &q);
    struct id id = started(&q);
    app_drop_sessions(a);
    assert_null(live_find(a, id));
    recovered = false;
    recovery_start(&a->recovery, recovery_ready);
    for (int i = 0; i < 1000 && !recovered; i++)
        uv_run(&a->loop, UV_RUN_ONCE);
    assert_true(recovered);
    struct live *l = live_find(a, id);
    assert_non_null(l);
    for (int i = 0; i < 1000 && list_empty(&l->runs); i++)
        uv_run(&a->loop, UV_RUN_ONCE);
    assert_false(list_empty(&l->runs));
    svc_req_deinit(&q.req);
    app_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_visible_before_it_is_durable),
        cmocka_unit_test(test_a_session_that_ends_at_once_costs_one_commit),
        cmocka_unit_test(test_a_failed_commit_is_tried_again_with_the_same_rows),
        cmocka_unit_test(test_chunks_of_a_crowd_gather),
        cmocka_unit_test(test_sockets_are_set_aside_in_a_crowd),
        cmocka_unit_test(test_only_a_crowds_chunks_may_block),
        cmocka_unit_test(test_the_period_is_what_a_commit_leaves),
        cmocka_unit_test(test_nothing_gathers_without_a_timer),
        cmocka_unit_test(test_what_somebody_waits_for_is_released_first),
        cmocka_unit_test(test_a_crowd_that_falls_silent_is_written),
        cmocka_unit_test(test_a_session_ahead_of_the_store_is_held),
        cmocka_unit_test(test_a_session_out_of_memory_is_woken_by_its_answer),
        cmocka_unit_test(test_idle_sessions_leave_memory_and_come_back),
        cmocka_unit_test(test_a_key_answers_once_and_again),
        cmocka_unit_test(test_a_corrupt_session_is_reported_and_changes_nothing),
        cmocka_unit_test(test_running_work_is_taken_up_again_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
