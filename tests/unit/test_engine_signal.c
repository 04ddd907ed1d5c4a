#include "engine_fixture.h"

/* Signal nodes: what they wait for, what came early, what is withheld. */

#define TWO                                                                                        \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [a]}\n"                                                      \
    "  a: {type: signal, properties: {name: go}, next_ids: [b]}\n"                                 \
    "  b: {type: signal, properties: {name: 'to-{{ input.topic }}'}, next_ids: [end]}\n"           \
    "  end: {type: end, properties: {output: [nodes.a.output, nodes.b.output]}}\n"

static int signal_to(struct fix *f, const char *name, const char *node, const char *payload)
{
    return fix_try(f, (struct engine_input){.kind = IN_SIGNAL,
                                            .name = str_of(name),
                                            .node_id = str_of(node),
                                            .data_json = str_of(payload)});
}

static void signals_wake_their_node(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, TWO);
        expect(&f, "session pending>running\n"
                   "start pending>running\n"
                   "start running>completed {\"topic\":\"Cats\"}\n"
                   "a pending>running\n"
                   "a running>suspended\n");
        assert_non_null(strstr(f.rows.row.core.waiting_json.p, "\"kind\":\"signal\""));
        assert_null(f.rows.interrupts); /* nobody is asked */
        assert_true(session_is_idle(f.s));
        if (restart)
            fix_restart(&f);
        assert_int_equal(fix_answer(&f, "a", "go", "1"), ERR_CONFLICT);
        assert_int_equal(signal_to(&f, "go", NULL, "{\"n\":1}"), 0);
        expect(&f, "a signal_received \"go\" {\"n\":1}\n"
                   "a suspended>running\n"
                   "a running>completed {\"n\":1}\n"
                   "b pending>running\n"
                   "b running>suspended\n");
        assert_int_equal(signal_to(&f, NULL, "b", NULL), 0);
        expect(&f, "b signal_received \"b\" null\n"
                   "b suspended>running\n"
                   "b running>completed null\n"
                   "end pending>running\n"
                   "end running>completed [{\"n\":1},null]\n"
                   "session running>completed [{\"n\":1},null]\n");
        fix_close(&f);
    }
}

#define LATE                                                                                       \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [ask]}\n"                                                    \
    "  ask: {type: user_input, next_ids: [l]}\n"                                                   \
    "  l: {type: loop, properties: {max_rounds: 3}, next_ids: [s, end]}\n"                         \
    "  s: {type: signal, properties: {name: go}, next_ids: [t]}\n"                                 \
    "  t: {type: transform, properties: {vars: {seen: [vars.seen, nodes.s.output]}}, "             \
    "next_ids: [l]}\n"                                                                             \
    "  end: {type: end, properties: {output: vars.seen}}\n"                                        \
    "vars: {seen: 0}\n"

/* Those that come early wait, over a restart too, and are taken in order, each once. */
static void early_signals_wait(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, LATE);
        fix_quiet(&f);
        assert_int_equal(signal_to(&f, "go", NULL, "1"), 0);
        assert_int_equal(signal_to(&f, "other", NULL, "9"), 0);
        assert_int_equal(signal_to(&f, NULL, "s", "2"), 0);
        expect(&f, "signal_received \"go\" 1\n"
                   "signal_received \"other\" 9\n"
                   "s signal_received \"s\" 2\n");
        if (restart)
            fix_restart(&f);
        fix_step(&f, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("hi")});
        expect_moves(&f, "ask +l l +s s +t t +l@2 l@2 +s@2 s@2 +t@2 t@2 +l@3 l@3 +s@3 s@3?");
        if (restart)
            fix_restart(&f);
        assert_int_equal(signal_to(&f, "go", NULL, "3"), 0);
        fix_take(&f);
        assert_str(f.rows.row.core.output_json, "[[[0,1],2],3]");
        fix_close(&f);
    }
}

static void signals_in_a_pause_are_withheld(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, TWO);
        assert_int_equal(fix_command(&f, IN_PAUSE), 0);
        fix_quiet(&f);
        assert_int_equal(signal_to(&f, "to-Cats", NULL, "\"two\""), 0);
        assert_int_equal(signal_to(&f, "go", NULL, "{\"a\":\"\\\"\"}"), 0);
        assert_int_equal(signal_to(&f, NULL, "nobody", "1"), ERR_NOT_FOUND);
        expect(&f, "");
        if (restart)
            fix_restart(&f);
        assert_int_equal(fix_command(&f, IN_RESUME), 0);
        fix_take(&f);
        assert_str(f.rows.row.core.output_json, "[{\"a\":\"\\\"\"},\"two\"]");
        assert_int_equal(signal_to(&f, "go", NULL, "1"), ERR_CONFLICT); /* it has ended */
        fix_close(&f);
    }
}

static void signals_that_wait_are_bounded(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, LATE);
    for (int i = 0; i < SIGNALS_MAX; i++)
        assert_int_equal(signal_to(&f, "go", NULL, "1"), 0);
    assert_int_equal(signal_to(&f, "go", NULL, "1"), ERR_CONFLICT);
    assert_string_equal(session_refusal(f.s), "signals_full");
    assert_int_equal(signal_to(&f, "none", NULL, "1"), 0); /* waits for nothing */
    assert_int_equal(fix_command(&f, IN_PAUSE), 0);
    assert_int_equal(signal_to(&f, "go", NULL, "1"), ERR_CONFLICT);
    fix_close(&f);

    char *big = calloc(1, SIGNALS_BYTES_MAX);
    memset(big, ' ', SIGNALS_BYTES_MAX / 2 + 1);
    big[0] = '1';
    fix_open(&f, LATE);
    assert_int_equal(signal_to(&f, "go", NULL, big), 0);
    assert_int_equal(signal_to(&f, "go", NULL, big), ERR_CONFLICT);
    fix_step(&f, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("hi")});
    assert_int_equal(signal_to(&f, "go", NULL, big), 0); /* that one is taken at once */
    free(big);
    fix_close(&f);
}

static void the_longest_waiting_takes_it(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [a, b]}\n"
                 "  a: {type: signal, properties: {name: go}, next_ids: [end]}\n"
                 "  b: {type: signal, properties: {name: go}, next_ids: [end]}\n"
                 "  end: {type: end, properties: {output: [nodes.a.output, nodes.b.output]}}\n");
    assert_int_equal(signal_to(&f, "go", NULL, "1"), 0);
    assert_int_equal(signal_to(&f, "go", NULL, "2"), 0);
    fix_take(&f);
    assert_str(f.rows.row.core.output_json, "[1,2]");
    fix_close(&f);
}

static void signals_may_not_come(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [s]}\n"
                 "  s: {type: signal, properties: {timeout_ms: 500}, on_error: late, next_ids: "
                 "[end]}\n"
                 "  late: {type: transform, properties: {output: '\"late\"'}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_quiet(&f);
    fix_restart(&f);
    fix_fire(&f);
    expect_moves(&f, "s!timeout +late late +end end =completed");
    fix_close(&f);
}

/* To a node of another kind it is told, and keeps no place. */
static void signals_for_others_are_told(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, LATE);
    fix_quiet(&f);
    for (int i = 0; i < 2 * SIGNALS_MAX; i++)
        assert_int_equal(signal_to(&f, "x", "ask", "1"), 0);
    assert_int_equal(f.s->signal_count, 0);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_wake_their_node),
        cmocka_unit_test(early_signals_wait),
        cmocka_unit_test(signals_in_a_pause_are_withheld),
        cmocka_unit_test(signals_that_wait_are_bounded),
        cmocka_unit_test(the_longest_waiting_takes_it),
        cmocka_unit_test(signals_may_not_come),
        cmocka_unit_test(signals_for_others_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
