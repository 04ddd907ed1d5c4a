/* Wire forms: rows to JSON, bodies to requests, WebSocket messages. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "net/session_view.h"
#include "net/wire.h"
#include "net/ws_msg.h"

#define ID_TEXT "01890000-0000-7000-8000-000000000001"

static struct id an_id(void)
{
    struct id id;

    assert_true(id_parse(STR(ID_TEXT), &id));
    return id;
}

/* ---- writers ---- */

static void test_session(void **state)
{
    static const char *const keys[] = {
        "id",         "name",           "workflow_id",    "workflow_version", "definition",
        "group_id",   "user_id",        "tags",           "status",           "reason",
        "input",      "output",         "error",          "node_statuses",    "waiting_on",
        "usage",      "budget",         "last_seq",       "parent",           "metadata",
        "settings",   "thread_configs", "workflow_state", "version",          "created_at",
        "started_at", "ended_at",       "updated_at",
    };
    struct session_row row = {
        .id = an_id(),
        .version = 3,
        .created_at = 1000,
        .meta = {.name = STR("a \"b\""),
                 .workflow_id = STR("w"),
                 .workflow_version = 2,
                 .tags_json = STR("[\"x\"]"),
                 .input_json = STR("{\"k\":1}")},
        .core = {.status = STR("running"), .last_seq = 17, .updated_at = 2000},
    };
    struct errbuf e = {""};
    struct json v;
    struct buf b;
    struct jw w;
    (void)state;

    buf_init(&b, 65536);
    jw_init(&w, &b);
    wire_session(&w, &row);
    assert_int_equal(json_check(buf_str(&b), NULL, &e), 0);
    v = json_root(buf_str(&b));
    assert_int_equal(json_length(v), ROWS(keys));
    for (size_t i = 0; i < ROWS(keys); i++)
        if (!json_exists(json_get(v, keys[i])))
            fail_msg("%s is missing", keys[i]);
    assert_true(json_string_eq(json_get(v, "id"), ID_TEXT));
    assert_true(json_string_eq(json_get(v, "name"), "a \"b\""));
    assert_true(json_string_eq(json_get(v, "created_at"), "1970-01-01T00:00:01.000Z"));
    assert_true(str_eqz(json_raw(json_get(v, "ended_at")), "null"));
    assert_true(str_eqz(json_raw(json_get(v, "node_statuses")), "{}"));
    assert_true(str_eqz(json_raw(json_get(v, "waiting_on")), "[]"));
    assert_true(str_eqz(json_raw(json_get(v, "tags")), "[\"x\"]"));
    assert_true(str_eqz(json_raw(json_get(v, "output")), "null"));
    buf_deinit(&b);
}

static void test_run_message_error(void **state)
{
    struct run_row run = {.run_id = an_id(),
                          .node_id = STR("judge"),
                          .kind = STR("llm"),
                          .iteration = 1,
                          .attempt = 2,
                          .status = STR("failed"),
                          .error_json = STR("{\"code\":\"x\"}")};
    struct message_row message = {.message_id = an_id(),
                                  .role = STR("user"),
                                  .content = STR("h\xff"
                                                 "i\n"),
                                  .seq = 4};
    struct errbuf e = {""};
    struct buf b;
    struct jw w;
    (void)state;

    buf_init(&b, 65536);
    jw_init(&w, &b);
    jw_array(&w);
    wire_run(&w, &run);
    wire_message(&w, &message);
    wire_error(&w, ERR_NOT_FOUND, NULL, "no", STR("[1]"));
    wire_error(&w, ERR_INTERNAL, "own", "no", STR_NULL);
    jw_end(&w);
    assert_int_equal(json_check(buf_str(&b), NULL, &e), 0);
    assert_non_null(
        strstr(b.data, "\"node_id\":\"judge\",\"type\":\"llm\",\"iteration\":1,\"attempt\":2"));
    assert_non_null(strstr(b.data, "\"run_id\":null,\"node_id\":null,\"role\":\"user\""));
    assert_non_null(strstr(b.data, "{\"error\":\"no\",\"code\":\"not_found\",\"details\":[1]}"));
    assert_non_null(strstr(b.data, "{\"error\":\"no\",\"code\":\"own\"}"));
    buf_deinit(&b);
}

/* ---- parsers ---- */

typedef int parse_fn(struct json body, struct svc_req *req, struct errbuf *e);

static int parse(parse_fn *fn, const char *text, struct svc_req *q, struct errbuf *e)
{
    assert_int_equal(json_check(str_of(text), NULL, e), 0);
    svc_req_init(q, SVC_OP_COUNT);
    return fn(json_root(str_of(text)), q, e);
}

static void test_good_bodies(void **state)
{
    struct errbuf e = {""};
    struct svc_req q;
    (void)state;

    assert_int_equal(parse(wire_parse_execute,
                           "{\"workflow_id\":\"w\",\"name\":\"a\\u00e9\\n\",\"tags\":[\"x\",\"y\"],"
                           "\"budget\":{\"tokens\":5,\"cost_usd\":0.1,\"on_limit\":\"fail\"},"
                           "\"start_paused\":true,\"input\":{ \"a\" : 1 },\"metadata\":null}",
                           &q, &e),
                     0);
    assert_str(q.execute.workflow_id, "w");
    assert_str(q.execute.name, "a\xc3\xa9\n");
    assert_str(q.execute.tags_json, "[\"x\",\"y\"]");
    assert_str(q.execute.input_json, "{ \"a\" : 1 }");
    assert_true(q.execute.start_paused);
    assert_null(q.execute.metadata_json.p);
    svc_req_deinit(&q);
    assert_int_equal(parse(wire_parse_execute, "{\"graph\":{\"nodes\":{}}}", &q, &e), 0);
    assert_str(q.execute.graph_json, "{\"nodes\":{}}");
    assert_str(q.execute.input_json, "{}");
    svc_req_deinit(&q);
    assert_int_equal(
        parse(wire_parse_pause, "{\"mode\":\"hold\",\"timers\":\"run\",\"reason\":\"r\"}", &q, &e),
        0);
    assert_true(q.pause.hold && q.pause.timers_run);
    assert_str(q.reason, "r");
    svc_req_deinit(&q);
    assert_int_equal(parse(wire_parse_pause, "{\"mode\":\"buffer\"}", &q, &e), 0);
    assert_false(q.pause.hold);
    svc_req_deinit(&q);
    assert_int_equal(
        parse(wire_parse_answer,
              "{\"action\":\"approve\",\"data\":null,\"interrupt_id\":\"" ID_TEXT "\"}", &q, &e),
        0);
    assert_str(q.answer.data_json, "null");
    assert_true(id_eq(q.answer.interrupt_id, an_id()));
    svc_req_deinit(&q);
    assert_int_equal(parse(wire_parse_signal, "{\"name\":\"go\",\"payload\":[1]}", &q, &e), 0);
    assert_str(q.signal.payload_json, "[1]");
    svc_req_deinit(&q);
    assert_int_equal(parse(wire_parse_input, "{\"content\":\"\\ud83d\\ude00\"}", &q, &e), 0);
    assert_str(q.input.content, "\xf0\x9f\x98\x80");
    svc_req_deinit(&q);
    svc_req_init(&q, SVC_RESUME);
    assert_int_equal(wire_parse_nothing(JSON_ABSENT, &q, &e), 0);
    svc_req_deinit(&q);
}

static void test_bad_bodies(void **state)
{
    static const struct {
        parse_fn *fn;
        const char *text, *says;
    } rows[] = {
        {wire_parse_execute, "{}", "either workflow_id or graph"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"graph\":{}}", "either"},
        {wire_parse_execute, "[]", "expected an object, got array"},
        {wire_parse_execute, "{\"workflow_id\":\"a b\"}", "workflow_id"},
        {wire_parse_execute, "{\"workflow_id\":\"\"}", "workflow_id"},
        {wire_parse_execute, "{\"workflow_id\":7}", "workflow_id: expected a string, got number"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"input\":[]}",
         "input: expected an object, got array"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"colour\":1}", "unknown field \"colour\""},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"type\":1}", "unknown field \"type\""},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"tags\":\"x\"}", "tags"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"tags\":[\"x\",1]}", "tags[1]"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"budget\":{\"tokens\":0}}", "budget.tokens"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"budget\":{\"cost_usd\":0}}",
         "budget.cost_usd"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"budget\":{\"on_limit\":\"x\"}}",
         "budget.on_limit"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"budget\":{\"euros\":1}}", "budget.euros"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"start_paused\":\"yes\"}", "start_paused"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"workflow_version\":-1}", "workflow_version"},
        {wire_parse_execute, "{\"workflow_id\":\"w\",\"workflow_version\":1.5}",
         "workflow_version"},
        {wire_parse_execute, "{\"graph\":{},\"workflow_version\":1}", "workflow_version"},
        {wire_parse_pause, "{\"mode\":\"freeze\"}", "mode: expected \"buffer\" or \"hold\""},
        {wire_parse_pause, "{\"timers\":1}", "timers"},
        {wire_parse_reason, "{\"reason\":{}}", "reason"},
        {wire_parse_reason, "{\"mode\":\"hold\"}", "unknown field"},
        {wire_parse_nothing, "{\"x\":1}", "unknown field"},
        {wire_parse_answer, "{}", "action: missing"},
        {wire_parse_answer, "{\"action\":null}", "action: missing"},
        {wire_parse_answer, "{\"action\":\"\"}", "action: empty"},
        {wire_parse_answer, "{\"action\":\"a\",\"node_id\":\"n\"}", "unknown field \"node_id\""},
        {wire_parse_answer, "{\"action\":\"a\",\"interrupt_id\":\"7\"}",
         "interrupt_id: expected a UUID"},
        {wire_parse_signal, "{}", "give node_id or name"},
        {wire_parse_input, "{}", "content: missing"},
        {wire_parse_input, "{\"content\":\"\"}", "content: empty"},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct errbuf e = {""};
        struct svc_req q;
        int status = parse(rows[i].fn, rows[i].text, &q, &e);
        if (status != ERR_INVALID || !strstr(e.text, rows[i].says))
            fail_msg("%s: %d '%s', expected '%s'", rows[i].text, status, e.text, rows[i].says);
        svc_req_deinit(&q);
    }
}

static void test_long_fields(void **state)
{
    struct errbuf e = {""};
    struct svc_req q;
    struct buf b;
    (void)state;

    buf_init(&b, 1 << 22);
    buf_append_z(&b, "{\"reason\":\"");
    for (int i = 0; i < WIRE_REASON_MAX; i++)
        buf_append_char(&b, 'r');
    buf_append_z(&b, "\"}");
    assert_int_equal(parse(wire_parse_reason, b.data, &q, &e), 0);
    svc_req_deinit(&q);
    buf_truncate(&b, b.len - 2);
    buf_append_z(&b, "r\"}");
    assert_int_equal(parse(wire_parse_reason, b.data, &q, &e), ERR_INVALID);
    svc_req_deinit(&q);
    buf_deinit(&b);
}

/* ---- messages ---- */

static int message(const char *text, struct ws_msg *m, struct arena *a)
{
    arena_init(a);
    return ws_msg_parse(str_of(text), a, m, NULL);
}

static void test_good_messages(void **state)
{
    struct arena a;
    struct ws_msg m;
    (void)state;

    assert_int_equal(
        message("{\"type\":\"subscribe\",\"session_id\":\"" ID_TEXT "\",\"after\":5}", &m, &a), 0);
    assert_int_equal(m.kind, WS_SUBSCRIBE);
    assert_int_equal(m.after, 5);
    assert_true(id_eq(m.session_id, an_id()));
    arena_deinit(&a);
    assert_int_equal(
        message("{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"status\":"
                "\"failed\"},\"request_id\":\"\\u0041\"}",
                &m, &a),
        0);
    assert_true(m.is_channel);
    assert_str(m.filter_status, "failed");
    assert_str(m.request_id, "\"\\u0041\""); /* as it stands */
    arena_deinit(&a);
    assert_int_equal(message("{\"type\":\"resume_node\",\"session_id\":\"" ID_TEXT "\"}", &m, &a),
                     0);
    assert_int_equal(m.op, SVC_NODE_RESUME);
    arena_deinit(&a);
}

static void test_bad_messages(void **state)
{
    static const struct {
        const char *text;
        bool fault;
    } rows[] = {
        {"", true},
        {"null", true},
        {"{}", true},
        {"{\"type\":7}", true},
        {"{\"type\":\"nothing\"}", true},
        {"{\"type\":\"ping\",\"request_id\":{}}", true},
        {"{\"type\":\"ping\",\"type\":\"ping\"}", true},
        {"{\"type\":\"ping\",\"x\":1}", false},
        {"{\"type\":\"subscribe\"}", false},
        {"{\"type\":\"subscribe\",\"session_id\":\"x\"}", false},
        {"{\"type\":\"subscribe\",\"session_id\":\"" ID_TEXT "\",\"after\":-1}", false},
        {"{\"type\":\"subscribe\",\"session_id\":\"" ID_TEXT "\",\"channel\":\"sessions\"}", false},
        {"{\"type\":\"subscribe\",\"session_id\":\"" ID_TEXT "\",\"filter\":{}}", false},
        {"{\"type\":\"subscribe\",\"channel\":\"sessions\",\"filter\":{\"colour\":1}}", false},
        {"{\"type\":\"pause\"}", false},
        {"{\"type\":\"execute\",\"session_id\":\"" ID_TEXT "\"}", false},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct arena a;
        struct ws_msg m;
        if (message(rows[i].text, &m, &a) != ERR_INVALID || m.is_fault != rows[i].fault)
            fail_msg("%s", rows[i].text);
        arena_deinit(&a);
    }
}

/* ---- events ---- */

#define EVENT(session, type, data)                                                                 \
    "{\"seq\":12,\"session_id\":\"" session "\",\"type\":\"" type                                  \
    "\",\"timestamp\":\"2026-01-02T03:04:05.678Z\",\"data\":" data "}"

static void test_endings(void **state)
{
    static const struct {
        const char *event;
        bool is_change, is_ending;
    } rows[] = {
        {EVENT(ID_TEXT, "session_state_change", "{\"to\":\"completed\"}"), true, true},
        {EVENT(ID_TEXT, "session_state_change", "{\"to\":\"paused\",\"a\":1}"), true, false},
        {EVENT(ID_TEXT, "session_state_changed", "{\"to\":\"completed\"}"), false, false},
        {EVENT(ID_TEXT, "log", "{\"type\":\"session_state_change\",\"to\":\"failed\"}"), false,
         false},
        {EVENT("short", "session_state_change", "{\"to\":\"failed\"}"), true, true},
        {"{\"type\":\"session_state_change\",\"data\":{\"to\":\"cancelled\"}}", true, true},
        {"{\"type\":\"log\"}", false, false},
        {"{\"seq\":", false, false},
        {"", false, false},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct str event = str_of(rows[i].event);
        if (event_is_state_change(event) != rows[i].is_change ||
            event_is_ending(event) != rows[i].is_ending)
            fail_msg("%s", rows[i].event);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),      cmocka_unit_test(test_run_message_error),
        cmocka_unit_test(test_good_bodies),  cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_long_fields),  cmocka_unit_test(test_good_messages),
        cmocka_unit_test(test_bad_messages), cmocka_unit_test(test_endings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
