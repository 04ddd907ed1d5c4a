#include "engine_fixture.h"

/* Task nodes: what a worker is given, what its answer does, and when a task is no more. */

#define TASK                                                                                       \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [t]}\n"                                                      \
    "  t: {type: task, properties: {queue: q, input: {what: input.topic}}, next_ids: [end]}\n"     \
    "  end: {type: end, properties: {output: nodes.t.output}}\n"

static void task_done(struct fix *f, const char *node, const char *json)
{
    fix_script(f, node, json);
}

static void a_worker_does_it(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        char key[ID_TEXT_BYTES + 1], input[128];
        fix_open(&f, TASK);
        expect_moves(&f, "=running +start start +t");
        expect_effects(&f, ""); /* the row is all there is */
        const struct task_row *row = f.rows.tasks;
        assert_non_null(row);
        id_format(row->task_id, key); /* on the first attempt */
        snprintf(input, sizeof(input), "{\"key\":\"%s\",\"input\":{\"what\":\"Cats\"}}", key);
        assert_true(str_eqz(row->input_json, input));
        assert_true(str_eqz(row->queue, "q") && str_eqz(row->node_id, "t"));
        assert_int_equal(row->heartbeat_ms, 30000);
        assert_false(f.rows.row.core.busy);
        assert_true(session_is_idle(f.s)); /* may leave memory */
        if (restart)
            fix_restart(&f);
        expect_effects(&f, "");
        assert_true(session_awaits_task(f.s, row->task_id));
        assert_false(session_awaits_task(f.s, f.s->id));
        struct id task = row->task_id;
        task_done(&f, "t", "{\"ok\":true}");
        expect_moves(&f, "t +end end =completed");
        assert_null(f.rows.tasks);
        assert_false(session_awaits_task(f.s, task));
        assert_true(str_eqz(f.rows.row.core.output_json, "{\"ok\":true}"));
        fix_close(&f);
    }
}

static void an_end_in_a_pause_counts_once(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, TASK);
        fix_quiet(&f);
        struct id task = f.rows.tasks->task_id;
        assert_int_equal(fix_command(&f, IN_PAUSE), 0);
        expect_moves(&f, "=paused");
        assert_true(session_awaits_task(f.s, task));
        task_done(&f, "t", "1");
        expect_moves(&f, "");
        if (restart)
            fix_restart(&f);
        assert_false(session_awaits_task(f.s, task)); /* its end waits for the resume */
        assert_non_null(f.rows.tasks);
        assert_int_equal(fix_command(&f, IN_RESUME), 0);
        expect_moves(&f, "=running t +end end =completed");
        assert_null(f.rows.tasks);
        fix_close(&f);
    }
}

#define RETRY                                                                                      \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [t]}\n"                                                      \
    "  t: {type: task, timeout_ms: 5000, retry: {max_attempts: 3, initial_ms: 0},\n"               \
    "      properties: {queue: q, heartbeat_ms: 2000}, next_ids: [end], on_error: continue}\n"     \
    "  end: {type: end}\n"

static void a_failure_is_a_new_task_with_the_same_key(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, RETRY);
    fix_quiet(&f);
    struct id first = f.rows.tasks->task_id;
    struct str input = f.rows.tasks->input_json;
    assert_int_equal(f.rows.tasks->heartbeat_ms, 2000);
    fix_fail(&f, "t", "broken");
    expect_moves(&f, "t!broken +t#2");
    assert_false(id_eq(f.rows.tasks->task_id, first));
    assert_true(str_eq(f.rows.tasks->input_json, input)); /* the key is in it */
    assert_null(f.rows.tasks->next);
    fix_fire(&f);
    expect_moves(&f, "t#2!timeout +t#3");
    assert_null(f.rows.tasks->next);
    fix_fail(&f, "t", "broken");
    expect_moves(&f, "t#3!broken +end end =completed");
    assert_null(f.rows.tasks);
    fix_close(&f);
}

static void a_worker_may_rule_out_another_attempt(void **state)
{
    (void)state;
    for (int paused = 0; paused < 2; paused++) {
        struct fix f;
        fix_open(&f, RETRY);
        fix_quiet(&f);
        if (paused)
            assert_int_equal(fix_command(&f, IN_PAUSE), 0);
        fix_step(&f, (struct engine_input){.kind = IN_RUN_FAILED,
                                           .run_id = fix_run(&f, "t"),
                                           .error_code = STR("hopeless"),
                                           .error_text = STR("No."),
                                           .is_final = true,
                                           .retry_after_ms = -1});
        if (paused) {
            fix_restart(&f);
            assert_int_equal(fix_command(&f, IN_RESUME), 0);
        }
        expect_moves(&f, paused ? "=paused =running t!hopeless +end end =completed"
                                : "t!hopeless +end end =completed");
        assert_null(f.rows.tasks);
        fix_close(&f);
    }
}

static void a_cancelled_runs_task_is_gone(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, TASK);
    fix_quiet(&f);
    assert_int_equal(fix_command(&f, IN_CANCEL), 0);
    expect_moves(&f, "t!cancelled =cancelled");
    assert_null(f.rows.tasks);
    fix_close(&f);
    fix_open(&f, TASK); /* before it was stored: no trace */
    assert_int_equal(fix_command(&f, IN_CANCEL), 0);
    fix_quiet(&f);
    assert_null(f.rows.tasks);
    fix_close(&f);
}

#define ITEMS                                                                                      \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [each]}\n"                                                   \
    "  each: {type: map, properties: {items: '{1, 2, 3}', body: [t]}, next_ids: [end]}\n"          \
    "  t: {type: task, properties: {queue: q, input: map.item}}\n"                                 \
    "  end: {type: end, properties: {output: nodes.each.output}}\n"

/* Side by side, each a task of its own with a key of its own, over a restart. */
static void items_have_tasks_of_their_own(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, ITEMS);
    fix_quiet(&f);
    int count = 0;
    for (const struct task_row *t = f.rows.tasks; t; t = t->next, count++)
        assert_false(t->next && str_eq(t->input_json, t->next->input_json));
    assert_int_equal(count, 3);
    assert_true(session_is_idle(f.s));
    fix_restart(&f);
    while (f.rows.tasks) {
        struct str input = f.rows.tasks->input_json; /* …"input":N} */
        char output[2] = {input.p[input.n - 2], 0};
        assert_true(session_awaits_task(f.s, f.rows.tasks->task_id));
        fix_step(&f, (struct engine_input){.kind = IN_RUN_DONE,
                                           .run_id = f.rows.tasks->task_id,
                                           .output_json = str_of(output)});
        fix_take(&f);
    }
    assert_true(str_eqz(f.rows.row.core.output_json, "[1,2,3]"));
    fix_close(&f);
}

static void bad_inputs_fail_the_node(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [t]}\n"
                 "  t: {type: task, properties: {queue: q, input: 'string.rep(input.topic, "
                 "300000)'}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    expect_moves(&f, "=running +start start +t t!too_large =failed");
    assert_null(f.rows.tasks);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_does_it),
        cmocka_unit_test(an_end_in_a_pause_counts_once),
        cmocka_unit_test(a_failure_is_a_new_task_with_the_same_key),
        cmocka_unit_test(a_worker_may_rule_out_another_attempt),
        cmocka_unit_test(a_cancelled_runs_task_is_gone),
        cmocka_unit_test(items_have_tasks_of_their_own),
        cmocka_unit_test(bad_inputs_fail_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
