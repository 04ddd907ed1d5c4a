/* Several instances over one store: who owns a session, the inbox, deaths, hand-overs. */
#include "cluster_rig.h"

#include <time.h>

static const char review[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"ask\"]},"
    "\"ask\":{\"type\":\"human_review\",\"properties\":{\"review_type\":\"approve_reject\"},"
    "\"routes\":{\"approve\":\"end\",\"reject\":\"end\"}},\"end\":{\"type\":\"end\"}}}";
static const char model[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"m\"]},\"m\":{\"type\":\"llm\","
    "\"properties\":{\"prompt\":\"hello\"},\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}";
static const char waits[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"w\"]},\"w\":{\"type\":\"wait\","
    "\"properties\":{\"duration_ms\":100},\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}";

static void test_a_command_to_the_wrong_instance(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    ask_answer(&q, r.apps[1], id, "ask");
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_non_null(strstr(q.req.body.data, "resumed"));
    assert_int_equal(r.apps[0]->inbox.carried_out, 1);
    assert_int_equal(r.apps[1]->inbox.sent, 1);
    assert_int_equal(r.apps[1]->live.count, 0);
    assert_int_equal(rig_count_events(&r, id, "\"node_resumed\""), 1);
    svc_req_deinit(&q.req);
    rig_close(&r);
}

static void test_a_refusal_comes_back_as_it_was_said(void **state)
{
    struct rig r;
    struct asked here, there;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    ask_answer(&here, r.apps[0], id, "nothing");
    ask_answer(&there, r.apps[1], id, "nothing");
    rig_until(&r, here.answers && there.answers);
    assert_int_not_equal(here.req.status, 0);
    assert_int_equal(there.req.status, here.req.status);
    assert_string_equal(there.req.error.text, here.req.error.text);
    svc_req_deinit(&here.req);
    svc_req_deinit(&there.req);
    ask_answer(&there, r.apps[1], (struct id){{1}}, "ask");
    rig_until(&r, there.answers);
    assert_int_equal(there.req.status, ERR_NOT_FOUND);
    svc_req_deinit(&there.req);
    rig_close(&r);
}

static void test_without_messages_it_only_takes_longer(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    rig_mute = true;
    ask_answer(&q, r.apps[1], id, "ask");
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_int_equal(rig_count_events(&r, id, "\"node_resumed\""), 1);
    svc_req_deinit(&q.req);
    rig_close(&r);
}

static void test_the_owner_dies_before_it_reads(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    rig_stop(&r, 0);
    ask_answer(&q, r.apps[1], id, "ask");
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_int_equal(r.apps[1]->instances.deaths, 1);
    assert_int_equal(rig_count_events(&r, id, "\"node_resumed\""), 1);
    svc_req_deinit(&q.req);
    rig_close(&r);
}

static void test_the_owner_dies_between_commit_and_answer(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    unsigned long long before = r.apps[0]->inbox.carried_out;
    ask_answer(&q, r.apps[1], id, "ask");
    while (!r.apps[0]->journal.in_flight)
        rig_turn(&r); /* its answer is on the way into the store */
    rig_stop(&r, 0);
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_int_equal(r.apps[0]->inbox.carried_out, before); /* it was never told */
    assert_int_equal(rig_count_events(&r, id, "\"node_resumed\""), 1);
    svc_req_deinit(&q.req);
    rig_close(&r);
}

static void test_the_asker_dies(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    ask_answer(&q, r.apps[1], id, "ask");
    while (r.apps[1]->inbox.sent == 0)
        rig_turn(&r);
    rig_stop(&r, 1);
    rig_until(&r, r.apps[0]->inbox.carried_out == 1);
    assert_int_equal(rig_count_events(&r, id, "\"node_resumed\""), 1);
    rig_close(&r);
    svc_req_deinit(&q.req);
}

static void test_a_stopped_owner_that_wakes_writes_nothing(void **state)
{
    struct rig r;
    struct asked q, late;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    struct id former = r.apps[0]->instances.self;
    rig_stop(&r, 0);
    ask_signal(&late, r.apps[0], id, "\"late\"", NULL); /* stepped, not committed */
    ask_signal(&q, r.apps[1], id, "\"taken\"", NULL);
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_non_null(live_find(r.apps[1], id));
    rig_continue(&r, 0);
    rig_until(&r, late.answers && !id_eq(r.apps[0]->instances.self, former) &&
                      !r.apps[0]->instances.joining);
    assert_true(r.apps[0]->journal.refused_total > 0);
    assert_null(live_find(r.apps[0], id));
    assert_int_equal(r.apps[0]->instances.deaths, 0); /* what it knew of others was old */
    /* What was refused was sent to the new owner, once. */
    assert_int_equal(late.req.status, 0);
    assert_int_equal(rig_count_events(&r, id, "\"late\""), 1);
    assert_int_equal(rig_count_events(&r, id, "\"taken\""), 1);
    svc_req_deinit(&q.req);
    svc_req_deinit(&late.req);
    rig_close(&r);
}

static void test_running_work_goes_on_elsewhere(void **state)
{
    struct rig r;
    rig_open(&r, 3, *(bool *)*state);
    struct id ids[6];
    for (int i = 0; i < 6; i++)
        ids[i] = rig_execute(&r, 0, model);
    rig_stop(&r, 0);
    for (int i = 0; i < 6; i++)
        rig_until(&r, rig_count_events(&r, ids[i], "\"to\":\"completed\",\"") > 0 &&
                          rig_count_events(&r, ids[i], "\"session_state_change\"") == 2);
    assert_true(r.apps[1]->recovery.recovered_total + r.apps[2]->recovery.recovered_total >= 6);
    rig_continue(&r, 0);
    rig_until(&r, r.apps[0]->live.count == 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(rig_count_events(&r, ids[i], "\"session_state_change\""), 2);
    rig_close(&r);
}

static void test_a_timer_of_the_dead_rings_elsewhere(void **state)
{
    struct rig r;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, waits);
    live_evict_idle(r.apps[0], clock_wall_ms() + APP_IDLE_EVICT_MS + 1);
    assert_int_equal(r.apps[0]->live.count, 0);
    rig_stop(&r, 0);
    rig_until(&r, r.apps[1]->sessions_ended == 1);
    assert_int_equal(rig_count_events(&r, id, "\"session_state_change\""), 2);
    rig_close(&r);
}

static void test_a_key_gives_the_first_answer_anywhere(void **state)
{
    struct rig r;
    struct asked q[4];
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    ask_signal(&q[0], r.apps[1], id, "\"once\"", "k");
    ask_signal(&q[1], r.apps[0], id, "\"once\"", "k");
    rig_until(&r, q[0].answers && q[1].answers);
    ask_signal(&q[2], r.apps[1], id, "\"once\"", "k");
    ask_signal(&q[3], r.apps[0], id, "\"once\"", "k");
    rig_until(&r, q[2].answers && q[3].answers);
    assert_int_equal(rig_count_events(&r, id, "\"once\""), 1);
    assert_int_equal(q[2].req.status, 0);
    assert_int_equal(q[3].req.status, 0);
    for (int i = 0; i < 4; i++)
        if (q[i].req.status == 0)
            assert_string_equal(q[i].req.body.data, q[2].req.body.data);
    for (int i = 0; i < 4; i++)
        svc_req_deinit(&q[i].req);
    rig_close(&r);
}

/* The client sent it to one instance, heard nothing, and sends it again to the owner: at every
 * moment between the two ways. The second one may be told to wait for the first, and never that the
 * first has made it impossible. */
static void test_a_repeat_meets_the_first_on_its_way(void **state)
{
    struct rig r;
    rig_open(&r, 2, *(bool *)*state);
    for (int turns = 0; turns < 24; turns++) {
        struct asked there, here;
        char key[16];
        struct id id = rig_execute(&r, 0, review);
        snprintf(key, sizeof(key), "k%d", turns);
        ask_pause(&there, r.apps[1], id, key);
        for (int i = 0; i < turns; i++)
            rig_turn(&r);
        ask_pause(&here, r.apps[0], id, key);
        rig_until(&r, here.answers && there.answers);
        assert_int_equal(there.req.status, 0);
        assert_int_equal(here.req.status, 0);
        assert_string_equal(there.req.body.data, here.req.body.data);
        assert_int_equal(rig_count_events(&r, id, "\"to\":\"paused\""), 1);
        svc_req_deinit(&there.req);
        svc_req_deinit(&here.req);
    }
    rig_close(&r);
}

static void test_waiting_is_bounded_and_the_command_stands(void **state)
{
    struct rig r;
    struct asked q, again;
    rig_open(&r, 2, *(bool *)*state);
    for (int i = 0; i < 2; i++)
        r.apps[i]->instances.lease_ms = 60000;
    r.apps[1]->inbox.wait_ms = 40;
    struct id id = rig_execute(&r, 0, review);
    uint64_t renewed = clock_mono_ns() + 30ull * 1000000;
    while (clock_mono_ns() < renewed)
        rig_turn(&r); /* its lease is long now */
    rig_stop(&r, 0);
    ask_signal(&q, r.apps[1], id, "\"stands\"", "k");
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, ERR_UNAVAILABLE);
    assert_true(q.req.retry_after_s > 0);
    assert_non_null(strstr(q.req.error.text, "stands"));
    assert_int_equal(rig_count_events(&r, id, "\"stands\""), 0);
    rig_continue(&r, 0);
    rig_until(&r, r.apps[0]->inbox.carried_out == 1);
    ask_signal(&again, r.apps[1], id, "\"stands\"", "k");
    rig_until(&r, again.answers);
    assert_int_equal(again.req.status, 0);
    assert_int_equal(rig_count_events(&r, id, "\"stands\""), 1);
    svc_req_deinit(&q.req);
    svc_req_deinit(&again.req);
    rig_close(&r);
}

static void listed(struct store_req *req)
{
    *(bool *)req->data = true;
}

/* The one command that waits for the session. */
static struct id rig_command(struct rig *r, struct id session)
{
    bool done = false;
    struct store_command_list list = {.session_id = session, .limit = 10};
    store_req_init(&list.req, STORE_COMMAND_LIST, listed, &done);
    list.session_id = session;
    list.limit = 10;
    store_submit(r->store, &list.req);
    rig_until(r, done);
    assert_non_null(list.rows);
    struct id id = list.rows->command_id;
    store_req_deinit(&list.req);
    return id;
}

/* The second look begins anew when the first has come back without an answer. */
static void test_told_twice_it_looks_again(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, 2, *(bool *)*state);
    for (int i = 0; i < 2; i++)
        r.apps[i]->instances.lease_ms = 60000;
    struct id id = rig_execute(&r, 0, review);
    uint64_t renewed = clock_mono_ns() + 30ull * 1000000;
    while (clock_mono_ns() < renewed)
        rig_turn(&r); /* its lease is long now */
    rig_stop(&r, 0);
    ask_answer(&q, r.apps[1], id, "ask");
    rig_until(&r, r.apps[1]->inbox.sent == 1);
    struct id command = rig_command(&r, id);
    for (int i = 0; i < 3; i++) {
        inbox_answered(r.apps[1], command);
        inbox_answered(r.apps[1], command);
        rig_turn(&r);
        rig_turn(&r);
    }
    assert_int_equal(q.answers, 0);
    rig_continue(&r, 0);
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_int_equal(rig_count_events(&r, id, "\"node_resumed\""), 1);
    svc_req_deinit(&q.req);
    rig_close(&r);
}

static void test_a_forced_delete_reaches_the_owner(void **state)
{
    struct rig r;
    struct asked q;
    rig_open(&r, 2, *(bool *)*state);
    struct id id = rig_execute(&r, 0, review);
    ask_init(&q, SVC_SESSION_DELETE);
    q.req.session_id = id;
    q.req.force = true;
    service_submit(&r.apps[1]->service, &q.req);
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_int_equal(q.req.http_status, 204);
    rig_until(&r, r.apps[0]->live.count == 0);
    svc_req_deinit(&q.req);
    rig_close(&r);
}

static void put_workflow(struct rig *r, unsigned i, const char *text, int64_t *version)
{
    struct asked q;
    ask_init(&q, SVC_WORKFLOW_PUT);
    q.req.name = STR("w");
    q.req.workflow.text = str_of(text);
    if (!version) {
        svc_req_deinit(&q.req);
        ask_init(&q, SVC_WORKFLOW_CREATE);
        q.req.workflow.text = str_of(text);
    }
    service_submit(&r->apps[i]->service, &q.req);
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, 0);
    if (version)
        *version = q.req.etag_version;
    svc_req_deinit(&q.req);
}

static bool execute_gives(struct rig *r, unsigned i, const char *output)
{
    struct asked q, got;
    struct id id;
    ask_init(&q, SVC_EXECUTE);
    q.req.execute.workflow_id = STR("w");
    q.req.execute.input_json = STR("{}");
    service_submit(&r->apps[i]->service, &q.req);
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, 0);
    struct json v = json_get(json_root(buf_str(&q.req.body)), "session_id");
    assert_true(id_parse((struct str){v.p + 1, v.n - 2}, &id));
    svc_req_deinit(&q.req);
    ask_init(&got, SVC_SESSION_GET);
    got.req.session_id = id;
    service_submit(&r->apps[i]->service, &got.req);
    rig_until(r, got.answers);
    bool gives = strstr(got.req.body.data, output) != NULL;
    svc_req_deinit(&got.req);
    return gives;
}

static void test_a_new_version_is_run_everywhere(void **state)
{
#define VERSION(word)                                                                              \
    "{\"id\":\"w\",\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"t\"]},\"t\":{"         \
    "\"type\":"                                                                                    \
    "\"transform\",\"properties\":{\"output\":{\"word\":\"'" word                                  \
    "'\"}},\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}"
    struct rig r;
    int64_t version = 0;
    rig_open(&r, 2, *(bool *)*state);
    put_workflow(&r, 0, VERSION("first"), NULL);
    assert_true(execute_gives(&r, 1, "first"));
    put_workflow(&r, 0, VERSION("second"), &version);
    assert_int_equal(version, 2);
    rig_turn(&r);
    rig_turn(&r);
    assert_true(execute_gives(&r, 1, "second"));
    rig_mute = true; /* nobody hears of the third: it is found a second later */
    put_workflow(&r, 0, VERSION("third"), &version);
    rig_until(&r, execute_gives(&r, 1, "third"));
    rig_close(&r);
}

static void handed_over(void *data)
{
    *(bool *)data = true;
}

static void test_a_leaving_instance_hands_over(void **state)
{
    struct rig r;
    struct asked q;
    bool over = false;
    rig_open(&r, 2, *(bool *)*state);
    struct id asks = rig_execute(&r, 0, review);
    struct id runs = rig_execute(&r, 0, model);
    struct id cold = rig_execute(&r, 0, review);
    rig_until(&r, rig_count_events(&r, runs, "\"token_stream\"") > 0);
    rig_until(&r, instances_has_company(&r.apps[0]->instances));
    r.apps[0]->stopping = true;
    handover_begin(&r.apps[0]->handover, 60000, handed_over, &over);
    ask_answer(&q, r.apps[1], asks, "ask"); /* is free at once, though the model still runs */
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    svc_req_deinit(&q.req);
    rig_until(&r, over);
    assert_int_equal(r.apps[0]->live.count, 0);
    rig_until(&r, r.apps[1]->instances.peer_count == 0);
    rig_until(&r, rig_count_events(&r, runs, "\"session_state_change\"") == 2);
    assert_int_equal(rig_count_events(&r, runs, "\"stream_reset\""), 0); /* it was not cut */
    ask_answer(&q, r.apps[1], cold, "ask");
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_int_equal(r.apps[1]->instances.deaths, 0);
    svc_req_deinit(&q.req);
    rig_close(&r);
}

static void test_the_deadline_cuts_running_work(void **state)
{
    struct rig r;
    bool over = false;
    rig_open(&r, 2, *(bool *)*state);
    struct id runs = rig_execute(&r, 0, model);
    rig_until(&r, rig_count_events(&r, runs, "\"token_stream\"") > 0);
    r.apps[0]->stopping = true;
    handover_begin(&r.apps[0]->handover, 1, handed_over, &over);
    rig_until(&r, over);
    rig_until(&r, rig_count_events(&r, runs, "\"session_state_change\"") == 2);
    assert_int_equal(r.apps[1]->recovery.recovered_total, 1);
    rig_close(&r);
}

/* Commands to any instance while instances stop and go on at random: each that was answered took
 * effect once, each that was not at most once, and no log has a gap. */

#define STORM_COMMANDS 400
#define STORM_SESSIONS 4

static uint64_t storm_next(uint64_t *x)
{
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return *x >> 33;
}

static void storm_weather(struct rig *r, uint64_t *dice)
{
    unsigned i = (unsigned)(storm_next(dice) % r->count);
    unsigned up = 0;
    for (unsigned k = 0; k < r->count; k++)
        up += !r->stopped[k];
    rig_mute = storm_next(dice) % 4 == 0;
    if (r->stopped[i])
        rig_continue(r, i);
    else if (up > 1)
        rig_stop(r, i);
}

static void storm_check(struct rig *r, struct asked *q, const struct id *ids)
{
    unsigned taken = 0;
    for (int i = 0; i < STORM_COMMANDS; i++) {
        char text[32];
        snprintf(text, sizeof(text), "\"cmd-%d-\"", i);
        int n = rig_count_events(r, ids[i % STORM_SESSIONS], text);
        assert_int_equal(q[i].answers, 1);
        assert_true(q[i].req.status == 0 ? n == 1 : n <= 1);
        taken += q[i].req.status == 0;
        svc_req_deinit(&q[i].req);
    }
    assert_true(taken > STORM_COMMANDS / 2);
}

static void test_a_storm(void **state)
{
    struct rig r;
    struct id ids[STORM_SESSIONS];
    struct asked *q = calloc(STORM_COMMANDS, sizeof(*q));
    uint64_t dice = (uint64_t)time(NULL);
    unsigned answered = 0;
    print_message("seed %llu\n", (unsigned long long)dice);
    rig_open(&r, 3, *(bool *)*state);
    for (int i = 0; i < STORM_SESSIONS; i++)
        ids[i] = rig_execute(&r, (unsigned)i % 3, review);
    for (int i = 0; i < STORM_COMMANDS; i++) {
        char text[32], key[32];
        unsigned to = (unsigned)(storm_next(&dice) % 3);
        snprintf(text, sizeof(text), "\"cmd-%d-\"", i);
        snprintf(key, sizeof(key), "key-%d", i);
        ask_signal(&q[i], r.apps[to], ids[i % STORM_SESSIONS], text,
                   storm_next(&dice) % 2 ? key : NULL);
        if (storm_next(&dice) % 16 == 0)
            storm_weather(&r, &dice);
        uint64_t until = clock_mono_ns() + storm_next(&dice) % 6 * 1000000;
        do
            rig_turn(&r);
        while (clock_mono_ns() < until);
    }
    rig_mute = false;
    for (unsigned i = 0; i < r.count; i++)
        if (r.stopped[i])
            rig_continue(&r, i);
    for (int i = 0; i < STORM_COMMANDS; i++)
        rig_until(&r, q[i].answers);
    for (int i = 0; i < STORM_COMMANDS; i++)
        answered += q[i].answers;
    assert_int_equal(answered, STORM_COMMANDS);
    storm_check(&r, q, ids);
    rig_close(&r);
    free(q);
}

int main(void)
{
    static bool in_rows = false, in_cache = true;
    const struct CMUnitTest tests[] = {
#define BOTH(test)                                                                                 \
    cmocka_unit_test_prestate(test, &in_rows), cmocka_unit_test_prestate(test, &in_cache)
        BOTH(test_a_command_to_the_wrong_instance),
        BOTH(test_a_refusal_comes_back_as_it_was_said),
        BOTH(test_without_messages_it_only_takes_longer),
        BOTH(test_the_owner_dies_before_it_reads),
        BOTH(test_the_owner_dies_between_commit_and_answer),
        BOTH(test_the_asker_dies),
        BOTH(test_a_stopped_owner_that_wakes_writes_nothing),
        BOTH(test_running_work_goes_on_elsewhere),
        BOTH(test_a_timer_of_the_dead_rings_elsewhere),
        BOTH(test_a_key_gives_the_first_answer_anywhere),
        BOTH(test_a_repeat_meets_the_first_on_its_way),
        BOTH(test_waiting_is_bounded_and_the_command_stands),
        BOTH(test_told_twice_it_looks_again),
        BOTH(test_a_forced_delete_reaches_the_owner),
        BOTH(test_a_new_version_is_run_everywhere),
        BOTH(test_a_leaving_instance_hands_over),
        BOTH(test_the_deadline_cuts_running_work),
        BOTH(test_a_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
