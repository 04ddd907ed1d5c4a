/* The shell's answer to who speaks, and what an execute says of agents that nobody knows. */
#pragma GCC diagnostic ignored "-Wunused-function" /* one instance needs half of the rig */
#include "cluster_rig.h"

#include "app/catalog.h"

static void stored(struct store_req *req)
{
    *(bool *)req->data = true;
}

static void keep(struct rig *r, enum catalog_kind kind, const char *id, const char *body)
{
    struct store_catalog_put put;
    bool done = false;
    memset(&put, 0, sizeof(put));
    store_req_init(&put.req, STORE_CATALOG_PUT, stored, &done);
    put.kind = kind;
    put.row = (struct catalog_row){.workspace = STR("default"),
                                   .id = str_of(id),
                                   .name = str_of(id),
                                   .body_json = str_of(body)};
    put.now_ms = 1;
    store_submit(r->store, &put.req);
    rig_until(r, done);
    assert_int_equal(put.req.status, 0);
    store_req_deinit(&put.req);
}

static void forget(struct rig *r, const char *id)
{
    struct store_catalog_delete del;
    bool done = false;
    memset(&del, 0, sizeof(del));
    store_req_init(&del.req, STORE_CATALOG_DELETE, stored, &done);
    del.kind = CATALOG_AGENT;
    del.workspace = STR("default");
    del.id = str_of(id);
    del.detach = true;
    store_submit(r->store, &del.req);
    rig_until(r, done);
    assert_int_equal(del.req.status, 0);
    store_req_deinit(&del.req);
}

static void remember(struct rig *r, uint8_t n, const char *agent, const char *content)
{
    struct store_memory_put put;
    bool done = false;
    memset(&put, 0, sizeof(put));
    store_req_init(&put.req, STORE_MEMORY_PUT, stored, &done);
    struct id id = {{n, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n}};
    int64_t at = clock_wall_ms() - n;
    struct memory_row row = {.id = id,
                             .source_id = id,
                             .workspace = STR("default"),
                             .group_id = STR("cats"),
                             .agent_id = str_of(agent),
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
static void ends_with(struct rig *r, struct id id, const char *wanted)
{
    bool over = false;
    uint64_t end = clock_mono_ns() + 20ull * 1000000000;
    while (!over && clock_mono_ns() < end) {
        struct asked q;
        ask_init(&q, SVC_SESSION_GET);
        q.req.session_id = id;
        service_submit(&r->apps[0]->service, &q.req);
        rig_until(r, q.answers);
        over = strstr(q.req.body.data, "\"status\":\"completed\"") ||
               strstr(q.req.body.data, "\"status\":\"failed\"");
        if (over && !strstr(q.req.body.data, wanted))
            fail_msg("%s", q.req.body.data);
        svc_req_deinit(&q.req);
    }
    assert_true(over);
}

#define SPEAKS(top, props)                                                                         \
    "{" top "\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"a\"]},"                      \
    "\"a\":{\"type\":\"agent\",\"properties\":{\"agent_id\":\"ada\",\"max_tokens\":2" props "},"   \
    "\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}"

static void a_stored_agent_speaks(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    keep(&r, CATALOG_AGENT, "ada", "{\"id\":\"ada\",\"name\":\"Ada\",\"persona\":\"Careful.\"}");
    struct id id = rig_execute(&r, 0, SPEAKS("", ""));
    ends_with(&r, id, "\"status\":\"completed\"");
    assert_int_equal(rig_count_events(&r, id, "memory_retrieved"), 0); /* there is no group */
    rig_close(&r);
}

/* What belongs to nobody is the group's; what belongs to others is not this agent's. */
static void memories_of_group_and_agent(void **state)
{
    static const struct {
        const char *graph;
        const char *agent; /* its own setting */
        int count;
    } rows[] = {
        {SPEAKS("\"group_id\":\"cats\",", ""), "", 3},
        {SPEAKS("\"group_id\":\"cats\",", ",\"memory\":false"), "", 0},
        {SPEAKS("\"group_id\":\"cats\",", ",\"memory\":{\"group_results\":0}"), "", 1},
        {SPEAKS("\"group_id\":\"cats\",", ""), ",\"memory\":false", 0},
        {SPEAKS("\"group_id\":\"cats\",", ""), ",\"memory\":{\"agent_results\":0}", 2},
        {SPEAKS("\"group_id\":\"cats\",", ",\"memory\":{\"agent_results\":1}"), ",\"memory\":false",
         1},
    };
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    keep(&r, CATALOG_GROUP, "cats", "{\"id\":\"cats\",\"name\":\"C\",\"system_prompt\":\"We.\"}");
    remember(&r, 1, NULL, "Of the group.");
    remember(&r, 2, NULL, "Of the group, too.");
    remember(&r, 3, "ada", "Her own.");
    remember(&r, 4, "bob", "His own.");
    for (size_t i = 0; i < ROWS(rows); i++) {
        char agent[200], event[200];
        snprintf(agent, sizeof(agent), "{\"id\":\"ada\",\"name\":\"Ada\",\"persona\":\"P\"%s}",
                 rows[i].agent);
        snprintf(event, sizeof(event), "\"data\":{\"count\":%d,", rows[i].count);
        keep(&r, CATALOG_AGENT, "ada", agent);
        struct id id = rig_execute(&r, 0, rows[i].graph);
        ends_with(&r, id, "\"status\":\"completed\"");
        assert_int_equal(rig_count_events(&r, id, "memory_retrieved"), rows[i].count > 0);
        assert_int_equal(rig_count_events(&r, id, event), rows[i].count > 0);
    }
    rig_close(&r);
}

static void system_agents_speak_too(void **state)
{
    size_t count;
    struct rig r;
    char graph[500];
    (void)state;
    const struct catalog_row *const *rows = catalog_system_list(CATALOG_AGENT, &count);
    if (!count)
        skip();
    rig_open(&r, 1, false);
    snprintf(graph, sizeof(graph),
             "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"a\"]},"
             "\"a\":{\"type\":\"agent\",\"properties\":{\"agent_id\":\"%.*s\",\"max_tokens\":2},"
             "\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}",
             STR_FMT(rows[0]->id));
    ends_with(&r, rig_execute(&r, 0, graph), "\"status\":\"completed\"");
    rig_close(&r);
}

static void execute_refused(struct rig *r, const char *graph, const char *details)
{
    struct asked q;
    ask_init(&q, SVC_EXECUTE);
    q.req.execute.graph_json = str_of(graph);
    q.req.execute.input_json = STR("{}");
    service_submit(&r->apps[0]->service, &q.req);
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, ERR_UNPROCESSABLE);
    assert_string_equal(q.req.error_code, "unknown_agent");
    assert_string_equal(q.req.error.text, "the workflow names 1 agent that nobody knows");
    assert_string_equal(q.req.details.data, details);
    assert_int_equal(r->apps[0]->live.count, 0);
    svc_req_deinit(&q.req);
}

static void unknown_ones_are_refused(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    execute_refused(&r, SPEAKS("", ""),
                    "{\"errors\":[{\"node_id\":\"a\",\"path\":\"nodes.a.properties.agent_id\","
                    "\"code\":\"unknown_agent\",\"message\":\"there is no agent \\\"ada\\\": make "
                    "it under /agents, or give the node a persona\",\"agent_id\":\"ada\"}]}");
    keep(&r, CATALOG_AGENT, "ada", "{\"id\":\"ada\",\"name\":\"Ada\",\"persona\":\"P\"}");
    execute_refused(&r,
                    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"v\"]},"
                    "\"v\":{\"type\":\"vote\",\"properties\":{\"voters\":[\"ada\",\"bob\"]},"
                    "\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}",
                    "{\"errors\":[{\"node_id\":\"v\",\"path\":\"nodes.v.properties.voters\","
                    "\"code\":\"unknown_agent\",\"message\":\"there is no agent \\\"bob\\\": make "
                    "it under /agents, or write the voter as {name, persona}\","
                    "\"agent_id\":\"bob\"}]}");
    rig_close(&r);
}

static void validate_warns(void **state)
{
    struct asked q;
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    ask_init(&q, SVC_WORKFLOW_VALIDATE);
    q.req.workflow.text = STR(SPEAKS("", ""));
    service_submit(&r.apps[0]->service, &q.req);
    rig_until(&r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_non_null(strstr(q.req.body.data, "{\"valid\":true,\"errors\":[],\"warnings\":["));
    assert_non_null(strstr(q.req.body.data, "\"code\":\"unknown_agent\""));
    svc_req_deinit(&q.req);
    rig_close(&r);
}

/* Deleted while the session waits for a person. */
static void deleted_meanwhile(void **state)
{
    static const char graph[] =
        "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"ask\"]},"
        "\"ask\":{\"type\":\"human_review\",\"next_ids\":[\"a\"]},"
        "\"a\":{\"type\":\"agent\",\"properties\":{\"agent_id\":\"ada\"},\"next_ids\":[\"end\"]},"
        "\"end\":{\"type\":\"end\"}}}";
    struct asked q;
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    keep(&r, CATALOG_AGENT, "ada", "{\"id\":\"ada\",\"name\":\"Ada\",\"persona\":\"P\"}");
    struct id id = rig_execute(&r, 0, graph);
    forget(&r, "ada");
    ask_answer(&q, r.apps[0], id, "ask");
    rig_until(&r, q.answers);
    svc_req_deinit(&q.req);
    ends_with(&r, id,
              "\"error\":{\"code\":\"unknown_agent\",\"message\":\"There is no agent "
              "\\\"ada\\\" in this workspace (any more)");
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_agent_speaks),   cmocka_unit_test(memories_of_group_and_agent),
        cmocka_unit_test(system_agents_speak_too), cmocka_unit_test(unknown_ones_are_refused),
        cmocka_unit_test(validate_warns),          cmocka_unit_test(deleted_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
