/* What memory_retrieval and context_synth ask of the shell, and nobody else may. */
#pragma GCC diagnostic ignored "-Wunused-function" /* one instance needs half of the rig */
#include "cluster_rig.h"

static void remembered(struct store_req *req)
{
    *(bool *)req->data = true;
}

static void remember(struct rig *r, uint8_t n, const char *group, const char *content, int64_t at)
{
    struct store_memory_put put;
    bool done = false;
    memset(&put, 0, sizeof(put));
    store_req_init(&put.req, STORE_MEMORY_PUT, remembered, &done);
    struct id id = {{n, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n}};
    struct memory_row row = {.id = id,
                             .source_id = id,
                             .workspace = STR("default"),
                             .group_id = str_of(group),
                             .tier = MEMORY_WORKING,
                             .chunks = 1,
                             .content = str_of(content),
                             .metadata_json = STR("{}"),
                             .created_at = at,
                             .updated_at = at};
    put.rows = &row;
    store_submit(r->store, &put.req);
    rig_until(r, done);
    assert_int_equal(put.req.status, 0);
    store_req_deinit(&put.req);
}

/* The session as it ended; what is wanted stands in it. */
static void ends_with(struct rig *r, const char *graph, const char *wanted, const char *unwanted)
{
    struct id id = rig_execute(r, 0, graph);
    struct asked q;
    bool over = false;
    uint64_t end = clock_mono_ns() + 20ull * 1000000000;
    while (!over && clock_mono_ns() < end) {
        ask_init(&q, SVC_SESSION_GET);
        q.req.session_id = id;
        service_submit(&r->apps[0]->service, &q.req);
        rig_until(r, q.answers);
        assert_int_equal(q.req.status, 0);
        over = strstr(q.req.body.data, "\"status\":\"completed\"") ||
               strstr(q.req.body.data, "\"status\":\"failed\"");
        if (over &&
            (!strstr(q.req.body.data, wanted) || (unwanted && strstr(q.req.body.data, unwanted))))
            fail_msg("%s", q.req.body.data);
        svc_req_deinit(&q.req);
    }
    assert_true(over);
}

static const char recall[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"m\"]},"
    "\"m\":{\"type\":\"memory_retrieval\",\"properties\":{\"group_id\":\"cats\",\"query\":"
    "\"purring noise\",\"max_results\":2,\"time_range_days\":10},\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

static void memories_of_the_group_are_found(void **state)
{
    struct rig r;
    int64_t now = clock_wall_ms();
    (void)state;
    rig_open(&r, 1, false);
    remember(&r, 1, "cats", "The purring noise means that all is well.", now - 1000);
    remember(&r, 2, "cats", "A purring noise of long ago.", now - INT64_C(20) * 86400000);
    remember(&r, 3, "dogs", "A purring noise of somebody else.", now - 1000);
    ends_with(&r, recall, "The purring noise means that all is well.", "of somebody else");
    ends_with(&r, recall, "history_context", "of long ago");
    rig_close(&r);
}

static const char synth[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"talk\"]},"
    "\"talk\":{\"type\":\"llm\",\"properties\":{\"prompt\":\"Hi\",\"max_tokens\":2},"
    "\"next_ids\":[\"c\"]},"
    "\"c\":{\"type\":\"context_synth\",\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

static void messages_of_the_session_are_there(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    ends_with(&r, synth,
              "\"rounds\":1,\"summarised_rounds\":0,\"recent\":[{\"round\":1,"
              "\"speaker\":\"talk\",\"content\":",
              NULL);
    rig_close(&r);
}

/* What is internal cannot be asked for by a tool, and the group is the session's, whatever the
 * arguments say: this session has none. */
static void tools_have_no_other_group(void **state)
{
    static const char *const tools[][2] = {{"memory_query", "\"code\":\"no_group\""},
                                           {"memory_ingest", "\"code\":\"no_group\""},
                                           {"session_messages", "\"code\":\"unknown_tool\""},
                                           {"agent_context", "\"code\":\"unknown_tool\""}};
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    remember(&r, 1, "cats", "The purring noise means that all is well.", clock_wall_ms());
    for (size_t i = 0; i < ROWS(tools); i++) {
        char graph[1000];
        snprintf(graph, sizeof(graph),
                 "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"t\"]},"
                 "\"t\":{\"type\":\"tool\",\"properties\":{\"tool\":\"%s\",\"arguments\":{"
                 "\"group_id\":\"cats\",\"query\":\"noise\",\"content\":\"x\",\"internal\":true}},"
                 "\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}",
                 tools[i][0]);
        ends_with(&r, graph, tools[i][1], "purring");
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memories_of_the_group_are_found),
        cmocka_unit_test(messages_of_the_session_are_there),
        cmocka_unit_test(tools_have_no_other_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
