#include "engine_fixture.h"

/* Subworkflows, as the engine sees them: a run that waits for a session that it knows by its id. */

#define PARENT(more)                                                                               \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [c]}\n"                                                      \
    "  c: {type: subworkflow, properties: {workflow_id: w, input: {n: 'input.topic'}}, "           \
    "next_ids: [end]" more "}\n"                                                                   \
    "  end: {type: end}\n"

static struct id child_of(struct fix *f)
{
    return f->s->at->nodes[fix_node(f, "c")].work->child_id;
}

static void gets_input_and_gives_output(void **state)
{
    (void)state;
    struct fix f;
    char id[ID_TEXT_BYTES + 1];
    fix_open(&f, PARENT(""));
    id_format(child_of(&f), id);
    expect_moves(&f, "=running +start start +c");
    expect_effects(&f, "child");
    assert_non_null(strstr(f.last_request, id));
    assert_non_null(strstr(f.last_request, "\"workflow_id\":\"w\",\"input\":{\"n\":\"Cats\"}"));
    assert_non_null(strstr(f.rows.events.data, "\"child_session_id\""));
    assert_true(session_is_idle(f.s)); /* it may leave memory */
    fix_script(&f, "c", "{\"x\":1}");
    expect_moves(&f, "c +end end =completed");
    expect_effects(&f, "break");
    fix_close(&f);
}

static void a_restart_leaves_the_run_as_it_is(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, PARENT(""));
    fix_quiet(&f);
    struct id run = fix_run(&f, "c"), child = child_of(&f);
    fix_restart(&f);
    expect_moves(&f, "");
    expect_effects(&f, "child"); /* is it there? */
    assert_true(id_eq(run, fix_run(&f, "c")) && id_eq(child, child_of(&f)));
    fix_command(&f, IN_PAUSE);
    fix_restart(&f);
    expect_effects(&f, "close child-pause child close");
    fix_script(&f, "c", "1"); /* kept for the resume */
    fix_restart(&f);
    fix_command(&f, IN_RESUME);
    expect_moves(&f, "=paused =running c +end end =completed");
    fix_close(&f);
}

static void what_ends_the_run_ends_the_child(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, PARENT(", timeout_ms: 1000"));
    fix_quiet(&f);
    fix_fire(&f);
    expect_moves(&f, "c!timeout =failed");
    expect_effects(&f, "clear child-cancel break");
    fix_close(&f);
    fix_open(&f, PARENT(""));
    fix_quiet(&f);
    fix_command(&f, IN_CANCEL);
    expect_effects(&f, "child-cancel break");
    fix_close(&f);
    fix_open(&f, PARENT("")); /* nobody has heard of it yet: there is nothing to cancel */
    fix_command(&f, IN_CANCEL);
    expect_effects(&f, "break");
    fix_close(&f);
}

static void an_attempt_after_a_failure_has_a_child_of_its_own(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, PARENT(", retry: {max_attempts: 2, initial_ms: 0}"));
    struct id first = child_of(&f);
    fix_quiet(&f);
    fix_fail(&f, "c", "child_failed");
    expect_moves(&f, "c!child_failed +c#2");
    expect_effects(&f, "child"); /* the first one has ended by itself */
    assert_false(id_eq(first, child_of(&f)));
    fix_restart(&f);
    assert_false(id_eq(first, child_of(&f)));
    fix_close(&f);
}

static void its_input_is_an_object(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [c]}\n"
                 "  c: {type: subworkflow, properties: {workflow_id: w, input: input.topic}, "
                 "next_ids: [end]}\n"
                 "  end: {type: end}\n");
    expect_moves(&f, "=running +start start +c c!invalid_input =failed");
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets_input_and_gives_output),
        cmocka_unit_test(a_restart_leaves_the_run_as_it_is),
        cmocka_unit_test(what_ends_the_run_ends_the_child),
        cmocka_unit_test(an_attempt_after_a_failure_has_a_child_of_its_own),
        cmocka_unit_test(its_input_is_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
