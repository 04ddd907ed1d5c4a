/* Commands and answers as they stand in the inbox: written by one instance, read by another. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "app/inbox_code.h"
#include "base/json.h"

static struct id some_id(uint8_t n)
{
    struct id id = {{n, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 1, 2, 3, 4, 5, 6, 7}};
    return id;
}

/* Writes req and reads it back as another request. */
static void there(struct svc_req *req, struct svc_req *back)
{
    struct buf text;
    struct errbuf e = {""};
    struct id from;
    buf_init(&text, 1u << 20);
    inbox_request_write(&text, req, some_id(9));
    svc_req_init(back, SVC_PAUSE);
    assert_int_equal(inbox_request_read(buf_str(&text), some_id(1), back, &from, &e), 0);
    assert_true(id_eq(from, some_id(9)));
    assert_true(id_eq(back->session_id, some_id(1)));
    assert_int_equal(back->op, req->op);
    buf_deinit(&text);
}

static void test_every_field_of_an_answer_to_a_node(void **state)
{
    struct svc_req req, back;
    (void)state;
    svc_req_init(&req, SVC_NODE_RESUME);
    req.workspace = STR("w");
    req.actor = STR("somebody \"quoted\"\n");
    req.idempotency_key = STR("k");
    req.body_hash[0] = UINT64_MAX;
    req.body_hash[1] = 1;
    req.answer.node_id = STR("review");
    req.answer.action = STR("modify");
    req.answer.data_json = STR("{\"a\":[1,\"\\u00e9\"]}");
    req.answer.reviewer = STR("ann");
    req.answer.interrupt_id = some_id(4);
    there(&req, &back);
    assert_true(str_eq(back.workspace, req.workspace));
    assert_true(str_eq(back.actor, req.actor));
    assert_true(str_eq(back.idempotency_key, req.idempotency_key));
    assert_memory_equal(back.body_hash, req.body_hash, sizeof(req.body_hash));
    assert_true(str_eq(back.answer.node_id, req.answer.node_id));
    assert_true(str_eq(back.answer.action, req.answer.action));
    assert_true(str_eq(back.answer.data_json, req.answer.data_json));
    assert_true(str_eq(back.answer.reviewer, req.answer.reviewer));
    assert_true(id_eq(back.answer.interrupt_id, req.answer.interrupt_id));
    svc_req_deinit(&req);
    svc_req_deinit(&back);
}

static void test_the_other_commands(void **state)
{
    struct svc_req req, back;
    (void)state;
    svc_req_init(&req, SVC_PAUSE);
    req.reason = STR("lunch");
    req.pause.hold = true;
    req.pause.timers_run = true;
    there(&req, &back);
    assert_true(str_eq(back.reason, req.reason));
    assert_true(back.pause.hold && back.pause.timers_run);
    assert_null(back.idempotency_key.p);
    svc_req_deinit(&req);
    svc_req_deinit(&back);

    svc_req_init(&req, SVC_SIGNAL);
    req.signal.name = STR("go");
    req.signal.payload_json = STR("[null]");
    there(&req, &back);
    assert_true(str_eq(back.signal.name, req.signal.name));
    assert_true(str_eq(back.signal.payload_json, req.signal.payload_json));
    assert_null(back.signal.node_id.p);
    svc_req_deinit(&req);
    svc_req_deinit(&back);

    svc_req_init(&req, SVC_INPUT);
    req.input.content = STR("");
    req.input.user_id = STR("u");
    there(&req, &back);
    assert_non_null(back.input.content.p); /* said, though empty */
    assert_int_equal(back.input.content.n, 0);
    assert_true(str_eq(back.input.user_id, req.input.user_id));
    svc_req_deinit(&req);
    svc_req_deinit(&back);

    for (int op = 0; op < SVC_OP_COUNT; op++) {
        bool plain = op == SVC_RESUME || op == SVC_CANCEL || op == SVC_STOP;
        if (!plain)
            continue;
        svc_req_init(&req, (enum svc_op)op);
        there(&req, &back);
        svc_req_deinit(&req);
        svc_req_deinit(&back);
    }
    assert_false(inbox_op_is_command(SVC_EXECUTE));
    assert_false(inbox_op_is_command(SVC_SESSION_GET));
    assert_true(inbox_op_is_command(SVC_CANCEL));
}

static void test_what_workers_say(void **state)
{
    struct svc_req req, back;
    (void)state;
    svc_req_init(&req, SVC_TASK_COMPLETE);
    req.task.id = some_id(7);
    req.task.output_json = STR("[1,{\"a\":null}]");
    there(&req, &back);
    assert_true(id_eq(back.task.id, req.task.id));
    assert_true(str_eq(back.task.output_json, req.task.output_json));
    svc_req_deinit(&req);
    svc_req_deinit(&back);

    svc_req_init(&req, SVC_TASK_FAIL);
    req.task.id = some_id(7);
    req.task.error_json = STR("{\"code\":\"c\",\"message\":\"m\"}");
    req.task.retry = true;
    there(&req, &back);
    assert_true(back.task.retry);
    assert_true(str_eq(back.task.error_json, req.task.error_json));
    svc_req_deinit(&req);
    svc_req_deinit(&back);

    svc_req_init(&req, SVC_TASK_HEARTBEAT);
    req.task.id = some_id(7);
    req.task.text = STR("half");
    req.task.level = STR("warn");
    req.task.lease_expires_at = 1767225600000;
    there(&req, &back);
    assert_true(str_eq(back.task.text, req.task.text));
    assert_true(str_eq(back.task.level, req.task.level));
    assert_int_equal(back.task.lease_expires_at, req.task.lease_expires_at);
    assert_false(back.task.retry);
    svc_req_deinit(&req);
    svc_req_deinit(&back);
    assert_false(inbox_op_is_command(SVC_TASK_LEASE));
}

static void test_what_does_not_read_back(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"v\":2,\"op\":\"pause\"}",
        "{\"v\":1}",
        "{\"v\":1,\"op\":\"execute\"}",
        "{\"v\":1,\"op\":\"pause\",\"from\":\"x\"}",
        "{\"v\":1,\"op\":\"pause\",\"hash\":[\"1\"]}",
        "{\"v\":1,\"op\":\"pause\",\"hash\":[\"000000000000000g\",\"0000000000000000\"]}",
        "{\"v\":1,\"op\":\"node_resume\",\"interrupt_id\":\"no\"}",
        "{\"v\":1,\"op\":\"task_complete\"}",
        "{\"v\":1,\"op\":\"task_complete\",\"task_id\":\"no\"}",
        "{\"v\":1,\"op\":\"task_fail\",\"task_id\":\"01939c3a-0000-7000-8000-000000000001\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct svc_req req;
        struct errbuf e = {""};
        struct id from;
        svc_req_init(&req, SVC_PAUSE);
        assert_int_equal(inbox_request_read(str_of(bad[i]), some_id(1), &req, &from, &e),
                         ERR_CORRUPT);
        assert_string_not_equal(e.text, "");
        svc_req_deinit(&req);
    }
}

static void test_a_resume_with_a_budget(void **state)
{
    struct svc_req req, back;
    (void)state;
    svc_req_init(&req, SVC_RESUME);
    req.resume.budget_json = STR("{\"tokens\":7}");
    req.resume.justification = STR("because");
    there(&req, &back);
    assert_str(back.resume.budget_json, "{\"tokens\":7}");
    assert_str(back.resume.justification, "because");
    svc_req_deinit(&req);
    svc_req_deinit(&back);
}

static void test_answers(void **state)
{
    struct svc_req req, back;
    struct buf text;
    struct errbuf e = {""};
    (void)state;
    buf_init(&text, 1u << 20);
    svc_req_init(&req, SVC_PAUSE);
    svc_req_init(&back, SVC_PAUSE);
    buf_append_z(&req.body, "{\"status\":\"paused\",\"seq\":7}");
    inbox_answer_write(&text, &req);
    assert_int_equal(inbox_answer_read(buf_str(&text), 200, &back, &e), 0);
    assert_int_equal(back.status, 0);
    assert_int_equal(back.http_status, 200);
    assert_string_equal(back.body.data, req.body.data);
    svc_req_deinit(&req);
    svc_req_deinit(&back);

    buf_clear(&text);
    svc_req_init(&req, SVC_PAUSE);
    svc_req_init(&back, SVC_PAUSE);
    req.status = err_set(&req.error, ERR_CONFLICT, "it is \"paused\"");
    req.error_code = "idempotency_key_reused";
    buf_append_z(&req.details, "{\"a\":1}");
    inbox_answer_write(&text, &req);
    assert_int_equal(inbox_answer_read(buf_str(&text), 409, &back, &e), 0);
    assert_int_equal(back.status, ERR_CONFLICT);
    assert_string_equal(back.error.text, req.error.text);
    assert_string_equal(back.error_code, req.error_code);
    assert_string_equal(back.details.data, req.details.data);
    svc_req_deinit(&back);
    svc_req_init(&back, SVC_PAUSE);
    assert_int_equal(inbox_answer_read(STR("{\"status\":1}"), 200, &back, &e), ERR_CORRUPT);
    assert_int_equal(inbox_answer_read(STR("nothing"), 200, &back, &e), ERR_CORRUPT);
    svc_req_deinit(&req);
    svc_req_deinit(&back);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_an_answer_to_a_node),
        cmocka_unit_test(test_the_other_commands),
        cmocka_unit_test(test_what_workers_say),
        cmocka_unit_test(test_what_does_not_read_back),
        cmocka_unit_test(test_a_resume_with_a_budget),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
