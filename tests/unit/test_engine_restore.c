#include "engine_fixture.h"

/* The way back from rows: a restart after every take must not change how a session goes. */

#define TALK(more)                                                                                 \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [say]}\n"                                                    \
    "  say: {type: llm, properties: {prompt: x}, next_ids: [end]" more "}\n"                       \
    "  end: {type: end}\n"

static void running_stream_starts_again(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK(", timeout_ms: 1000, retry: {max_attempts: 1}"));
    fix_chunk(&f, "say", "half a");
    fix_take(&f);
    char request[4096];
    strcpy(request, f.last_request);
    struct id old = fix_run(&f, "say");
    fix_quiet(&f);
    fix_restart(&f);
    expect(&f, "say token_usage null 2\n"
               "say running>failed interrupted\n"
               "say stream_reset \"server_restarted\"\n"
               "say#2 pending>running\n");
    expect_effects(&f, "set clear model set");
    assert_string_equal(f.last_request, request);
    assert_non_null(f.rows.effects);
    assert_null(f.rows.effects->next);
    assert_null(f.rows.timers->next);
    fix_step(&f, (struct engine_input){.kind = IN_CHUNK, .run_id = old, .text = STR("late")});
    fix_say(&f, "say", "whole");
    expect(&f, "say [0] \"whole\"\n"
               "say token_usage \"m\" 5\n"
               "say message \"whole\" \"stop\"\n"
               "say#2 running>completed \"whole\"\n"
               "end pending>running\n"
               "end running>completed \"whole\"\n"
               "session running>completed \"whole\"\n");
    fix_close(&f);
}

static void paused_stream_waits_for_the_resume(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK(""));
    fix_chunk(&f, "say", "seen ");
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_chunk(&f, "say", "unseen");
    fix_quiet(&f);
    fix_restart(&f);
    fix_restart(&f);
    expect(&f, "");
    expect_effects(&f, "close close");
    assert_true(session_is_idle(f.s));
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect(&f, "session paused>running\n"
               "say token_usage null 2\n"
               "say running>failed interrupted\n"
               "say stream_reset \"server_restarted\"\n"
               "say#2 pending>running\n");
    expect_effects(&f, "model open");
    assert_null(f.rows.withheld);
    fix_close(&f);
}

static void cancel_after_a_restart_keeps_the_text(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK(""));
    fix_chunk(&f, "say", "seen ");
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_chunk(&f, "say", "unseen");
    fix_quiet(&f);
    fix_restart(&f);
    fix_step(&f, (struct engine_input){.kind = IN_CANCEL});
    expect(&f, "say message \"seen \" \"cancelled\"\n"
               "say token_usage null 2\n"
               "say running>failed cancelled\n"
               "session paused>cancelled\n");
    assert_null(f.rows.withheld);
    fix_close(&f);
}

/* The whole answer came in behind the pause: it is not asked for again. */
static void withheld_completion_is_not_repeated(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK(""));
    fix_chunk(&f, "say", "one ");
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE, .reason = STR("tea")});
    fix_chunk(&f, "say", "two");
    fix_done(&f, "say");
    fix_quiet(&f);
    fix_restart(&f);
    assert_str(f.s->reason, "tea");
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect(&f, "session paused>running\n"
               "say [1] \"two\"\n"
               "say token_usage \"m\" 5\n"
               "say message \"one two\" \"stop\"\n"
               "say running>completed \"one two\"\n"
               "end pending>running\n"
               "end running>completed \"one two\"\n"
               "session running>completed \"one two\"\n");
    assert_null(f.rows.effects);
    fix_close(&f);
}

static void scripts_start_again(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [s]}\n"
                 "  s: {type: script, properties: {code: 'return 1'}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_quiet(&f);
    fix_restart(&f);
    expect_effects(&f, "script");
    fix_script(&f, "s", "1");
    expect_moves(&f, "s!interrupted +s#2 s#2 +end end =completed");
    fix_close(&f);
}

static void backoff_goes_on(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK(", retry: {max_attempts: 2, initial_ms: 100}"));
    fix_fail(&f, "say", "flaky");
    fix_quiet(&f);
    fix_restart(&f);
    expect_effects(&f, "set");
    fix_fire(&f);
    fix_fail(&f, "say", "flaky"); /* the count of failures was kept */
    expect_moves(&f, "+say#2 say#2!flaky =failed");
    fix_close(&f);
}

static void ended_sessions_read_back(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK(""));
    fix_say(&f, "say", "x");
    fix_restart(&f);
    assert_int_equal(session_status_of(f.s), SESSION_COMPLETED);
    assert_int_equal(fix_command(&f, IN_CANCEL), ERR_CONFLICT);
    assert_false(session_has_output(f.s));
    fix_close(&f);
}

/* ---- damaged rows ---- */

static void damaged_rows_are_refused(void **state)
{
    (void)state;
    static const char *const states[] = {
        "",
        "[]",
        "{}",
        "{\"v\":2}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"runs\":{\"nobody\":{}}}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"runs\":{\"say\":{\"phase\":\"dancing\"}}}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"runs\":{\"say\":{\"phase\":\"suspended\"}}}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"runs\":{\"say\":{\"phase\":\"running\"}}}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"live\":[2]}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"ready\":[0]}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"queued\":[1]}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"loops\":{\"say\":{}}}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"frozen\":[{\"for\":\"tea\"}]}",
        "{\"v\":1,\"nodes\":3,\"edges\":2,\"frozen\":[{\"for\":\"wait\",\"node\":\"end\"}]}",
    };
    struct fix f;
    fix_open(&f, TALK(""));
    fix_take(&f);
    struct str good = f.rows.row.core.state_json;
    for (size_t i = 0; i < ROWS(states); i++) {
        struct session *s = NULL;
        struct errbuf e = {{0}};
        f.rows.row.core.state_json = str_of(states[i]);
        assert_int_equal(rows_restore(&f.rows, f.wf, f.vm, &s, &e), ERR_CORRUPT);
        assert_non_null(strstr(e.text, "does not read back"));
    }
    f.rows.row.core.state_json = good;
    fix_restart(&f);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_stream_starts_again),
        cmocka_unit_test(paused_stream_waits_for_the_resume),
        cmocka_unit_test(cancel_after_a_restart_keeps_the_text),
        cmocka_unit_test(withheld_completion_is_not_repeated),
        cmocka_unit_test(scripts_start_again),
        cmocka_unit_test(backoff_goes_on),
        cmocka_unit_test(ended_sessions_read_back),
        cmocka_unit_test(damaged_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
