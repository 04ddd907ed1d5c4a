#include "engine_fixture.h"

/* Failures: retries, on_error, timeouts. */

#define TALK(more)                                                                                 \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [say]}\n"                                                    \
    "  say: {type: llm, properties: {prompt: x}, next_ids: [end], " more "}\n"                     \
    "  end: {type: end}\n"

static void retry_resets_the_stream(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("retry: {max_attempts: 3, initial_ms: 100, multiplier: 3, max_ms: 250}"));
    fix_chunk(&f, "say", "half");
    fix_quiet(&f);
    struct id message = f.s->at->nodes[fix_node(&f, "say")].message_id;
    struct id key = f.s->at->nodes[fix_node(&f, "say")].logical_id;
    fix_fail(&f, "say", "truncated");
    expect(&f, "say token_usage null 1\n"
               "say running>failed truncated\n"
               "say stream_reset \"truncated\"\n"
               "say log warn\n");
    expect_effects(&f, "set");
    assert_int_equal(f.rows.timers->due_at, f.now + 100);
    assert_null(f.rows.effects);
    assert_null(f.rows.messages);
    fix_fire(&f);
    expect(&f, "say#2 pending>running\n");
    expect_effects(&f, "clear model");
    assert_true(id_eq(message, f.s->at->nodes[fix_node(&f, "say")].message_id));
    assert_true(id_eq(key, f.s->at->nodes[fix_node(&f, "say")].logical_id));
    fix_fail(&f, "say", "http_500"); /* nothing was shown: nothing to reset */
    expect(&f, "say#2 running>failed http_500\nsay log warn\n");
    assert_int_equal(f.rows.timers->due_at, f.now + 250); /* 300, capped */
    fix_fire(&f);
    fix_chunk(&f, "say", "whole");
    expect(&f, "say#3 pending>running\nsay [0] \"whole\"\n"); /* from index 0 again */
    fix_fail(&f, "say", "http_500");
    expect(&f, "say token_usage null 2\n"
               "say message \"whole\" \"error\"\n"
               "say#3 running>failed http_500\n"
               "session running>failed http_500\n");
    assert_null(f.rows.timers);
    fix_close(&f);
}

static void retry_after_is_obeyed(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("retry: {max_attempts: 3, initial_ms: 100}"));
    fix_step(&f, (struct engine_input){.kind = IN_RUN_FAILED,
                                       .run_id = fix_run(&f, "say"),
                                       .error_code = STR("rate_limited"),
                                       .retry_after_ms = 7000});
    fix_take(&f);
    assert_int_equal(f.rows.timers->due_at, f.now + 7000);
    fix_fire(&f);
    fix_step(&f, (struct engine_input){.kind = IN_RUN_FAILED,
                                       .run_id = fix_run(&f, "say"),
                                       .error_code = STR("rate_limited"),
                                       .retry_after_ms = 0});
    expect_moves(&f,
                 "=running +start start +say say!rate_limited +say#2 say#2!rate_limited +say#3");
    fix_close(&f);
}

static void only_listed_codes_are_retried(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("retry: {max_attempts: 5, initial_ms: 0, 'on': [flaky]}"));
    fix_fail(&f, "say", "flaky");
    fix_fail(&f, "say", "solid");
    expect_moves(&f, "=running +start start +say say!flaky +say#2 say#2!solid =failed");
    fix_close(&f);

    fix_open(&f, TALK("retry: {max_attempts: 5, initial_ms: 0}"));
    fix_fail(&f, "say", "flaky");
    fix_fail(&f, "say", "invalid_template");
    expect_moves(&f, "=running +start start +say say!flaky +say#2 say#2!invalid_template =failed");
    fix_close(&f);
}

static void retries_start_anew_each_iteration(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [say]}\n"
                 "  say: {type: llm, properties: {prompt: x}, next_ids: [r], "
                 "retry: {max_attempts: 2, initial_ms: 0}}\n"
                 "  r: {type: human_review, routes: {approve: end, reject: say}}\n"
                 "  end: {type: end}\n");
    fix_fail(&f, "say", "flaky");
    fix_say(&f, "say", "ok");
    assert_int_equal(fix_answer(&f, "r", "reject", "null"), 0);
    fix_fail(&f, "say", "flaky");
    expect_moves(&f, "=running +start start +say say!flaky +say#2 say#2 +r r? r "
                     "+say@2 say@2!flaky +say@2#2");
    fix_close(&f);
}

static void error_is_tolerated(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("on_error: continue"));
    fix_quiet(&f);
    fix_fail(&f, "say", "bad");
    expect(&f, "say running>failed bad\n"
               "end pending>running\n"
               "end running>completed null\n"
               "session running>completed null\n");
    fix_close(&f);
}

static void error_goes_its_own_way(void **state)
{
    (void)state;
    struct fix f;
    const char *yaml = "nodes:\n"
                       "  start: {type: start, next_ids: [say]}\n"
                       "  say: {type: llm, properties: {prompt: x}, next_ids: [end], on_error: "
                       "plan_b}\n"
                       "  plan_b: {type: transform, properties: {output: 'nodes.say.status'}, "
                       "next_ids: [end]}\n"
                       "  end: {type: end}\n";
    fix_open(&f, yaml);
    fix_quiet(&f);
    fix_fail(&f, "say", "bad");
    expect_moves(&f, "say!bad +plan_b plan_b +end end =completed");
    assert_str(f.rows.row.core.output_json, "\"failed\"");
    fix_close(&f);

    fix_open(&f, yaml);
    fix_quiet(&f);
    fix_say(&f, "say", "good");
    expect_moves(&f, "say +end end plan_b- =completed");
    fix_close(&f);
}

/* One failure ends the session and everything else that runs. */
static void failure_cancels_the_others(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [a, b, r, w]}\n"
                 "  a: {type: llm, properties: {prompt: x}, next_ids: [end]}\n"
                 "  b: {type: script, properties: {code: 'return 1'}, next_ids: [end]}\n"
                 "  r: {type: human_review, next_ids: [end]}\n"
                 "  w: {type: wait, properties: {duration_ms: 1000}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_chunk(&f, "a", "some");
    fix_quiet(&f);
    fix_fail(&f, "b", "bad");
    expect(&f, "b running>failed bad\n"
               "a message \"some\" \"cancelled\"\n"
               "a token_usage null 1\n"
               "a running>failed cancelled\n"
               "r suspended>failed cancelled\n"
               "w running>failed cancelled\n"
               "session running>failed bad\n");
    expect_effects(&f, "cancel clear break");
    assert_null(f.rows.timers);
    assert_null(f.rows.effects);
    fix_close(&f);
}

static void timeouts(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f,
             TALK("timeout_ms: 500, on_error: continue, retry: {max_attempts: 2, initial_ms: 50}"));
    fix_chunk(&f, "say", "slow");
    expect_effects(&f, "model set");
    fix_quiet(&f);
    fix_fire(&f);
    expect(&f, "say token_usage null 1\n"
               "say running>failed timeout\n"
               "say stream_reset \"timeout\"\n"
               "say log warn\n");
    expect_effects(&f, "clear cancel set");
    fix_fire(&f);
    fix_fire(&f);
    expect_moves(&f, "+say#2 say#2!timeout +end end =completed");
    fix_close(&f);

    fix_open(&f, TALK("timeout_ms: 500"));
    fix_say(&f, "say", "quick");
    fix_take(&f);
    assert_null(f.rows.timers);
    fix_close(&f);
}

static void paused_timers_stand_still(void **state)
{
    (void)state;
    struct fix f;
    for (int restart = 0; restart < 2; restart++) {
        fix_open(&f, "nodes:\n"
                     "  start: {type: start, next_ids: [w]}\n"
                     "  w: {type: wait, properties: {duration_ms: 1000}, next_ids: [end]}\n"
                     "  end: {type: end}\n");
        fix_take(&f);
        struct id timer = f.rows.timers->timer_id;
        f.now += 400;
        fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
        fix_take(&f);
        assert_null(f.rows.timers);
        f.now += 100000;
        /* It was on its way when the pause came. */
        fix_step(&f, (struct engine_input){.kind = IN_TIMER, .timer_id = timer});
        if (restart)
            fix_restart(&f);
        fix_quiet(&f);
        fix_step(&f, (struct engine_input){.kind = IN_RESUME});
        fix_take(&f);
        assert_int_equal(f.rows.timers->due_at, f.now + 600);
        fix_fire(&f);
        expect(&f, "session paused>running\n"
                   "w running>completed {\"waited_ms\":101000}\n"
                   "end pending>running\n"
                   "end running>completed {\"waited_ms\":101000}\n"
                   "session running>completed {\"waited_ms\":101000}\n");
        fix_close(&f);
    }
}

static void timers_may_run_on(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [w]}\n"
                 "  w: {type: wait, properties: {duration_ms: 1000}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE, .timers_run = true});
    fix_quiet(&f);
    fix_fire(&f);
    expect(&f, "");
    assert_non_null(f.rows.withheld);
    fix_restart(&f);
    fix_fire(&f); /* set again by the recovery: withheld twice, applied once */
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect_moves(&f, "=running w +end end =completed");
    assert_null(f.rows.timers);
    fix_close(&f);
}

static void too_long_answers_fail(void **state)
{
    (void)state;
    struct fix f;
    char *text = mem_zalloc((1u << 20) + 1);
    memset(text, 'x', 1u << 20);
    fix_open(&f, TALK("on_error: continue"));
    for (int i = 0; i < 4; i++)
        fix_chunk(&f, "say", text);
    fix_quiet(&f);
    fix_chunk(&f, "say", "x");
    expect_moves(&f, "say!too_large +end end =completed");
    expect_effects(&f, "cancel break");
    fix_close(&f);

    /* As JSON it is longer: every byte becomes six. */
    memset(text, 1, 3u << 18);
    text[3u << 18] = 0;
    fix_open(&f, TALK("on_error: continue"));
    fix_say(&f, "say", text);
    expect_moves(&f, "=running +start start +say say!too_large +end end =completed");
    fix_close(&f);
    free(text);
}

/* Nobody takes the deltas away: the store stands still while models go on. */
static void too_many_events_end_the_session(void **state)
{
    (void)state;
    struct fix f;
    char *text = mem_zalloc((1u << 20) + 1);
    memset(text, 'x', 1u << 20);
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [a, b, c, d]}\n"
                 "  a: {type: llm, properties: {prompt: x}, next_ids: [end]}\n"
                 "  b: {type: llm, properties: {prompt: x}, next_ids: [end]}\n"
                 "  c: {type: llm, properties: {prompt: x}, next_ids: [end]}\n"
                 "  d: {type: llm, properties: {prompt: x}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    for (int i = 0; i < 16 && session_status_of(f.s) == SESSION_RUNNING; i++)
        fix_chunk(&f, i % 4 == 0 ? "a" : i % 4 == 1 ? "b" : i % 4 == 2 ? "c" : "d", text);
    assert_int_equal(session_status_of(f.s), SESSION_FAILED);
    fix_take(&f);
    assert_non_null(strstr(f.rows.row.core.error_json.p, "too_large"));
    free(text);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_resets_the_stream),
        cmocka_unit_test(retry_after_is_obeyed),
        cmocka_unit_test(only_listed_codes_are_retried),
        cmocka_unit_test(retries_start_anew_each_iteration),
        cmocka_unit_test(error_is_tolerated),
        cmocka_unit_test(error_goes_its_own_way),
        cmocka_unit_test(failure_cancels_the_others),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(paused_timers_stand_still),
        cmocka_unit_test(timers_may_run_on),
        cmocka_unit_test(too_long_answers_fail),
        cmocka_unit_test(too_many_events_end_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
