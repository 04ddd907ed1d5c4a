#include "engine_fixture.h"

/* The thin path: start, transform, llm, end; pause, resume, cancel, stop; what is written. */

#define W1                                                                                         \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [t]}\n"                                                      \
    "  t: {type: transform, properties: {output: 'input.topic'}, next_ids: [end]}\n"               \
    "  end: {type: end}\n"

#define TALK                                                                                       \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [say]}\n"                                                    \
    "  say: {type: llm, properties: {prompt: 'On {{ input.topic }}'}, next_ids: [end]}\n"          \
    "  end: {type: end}\n"

#define TALK_STARTS                                                                                \
    "session pending>running\n"                                                                    \
    "start pending>running\n"                                                                      \
    "start running>completed {\"topic\":\"Cats\"}\n"                                               \
    "say pending>running\n"

static void pure_workflow_is_one_delta(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, W1);
    expect(&f, "session pending>running\n"
               "start pending>running\n"
               "start running>completed {\"topic\":\"Cats\"}\n"
               "t pending>running\n"
               "t running>completed \"Cats\"\n"
               "end pending>running\n"
               "end running>completed \"Cats\"\n"
               "session running>completed \"Cats\"\n");
    expect_effects(&f, "break");
    assert_int_equal(f.rows.commits, 1);
    assert_int_equal(f.rows.core_writes, 1);
    assert_int_equal(f.rows.event_rows, 1);
    assert_int_equal(f.rows.run_writes, 3);
    assert_str(f.rows.row.core.status, "completed");
    assert_str(f.rows.row.core.output_json, "\"Cats\"");
    assert_null(f.rows.row.core.error_json.p);
    assert_str(f.rows.row.core.node_statuses_json,
               "{\"start\":\"completed\",\"t\":\"completed\",\"end\":\"completed\"}");
    assert_str(f.rows.row.core.waiting_json, "[]");
    assert_false(f.rows.row.core.busy);
    assert_true(f.rows.row.core.ended_at > 0);
    assert_false(fix_take(&f));
    fix_close(&f);
}

static void model_streams(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK);
    expect(&f, TALK_STARTS);
    expect_effects(&f, "model");
    assert_string_equal(f.last_request,
                        "{\"messages\":[{\"role\":\"user\",\"content\":\"On Cats\"}]}");
    assert_true(f.rows.row.core.busy);
    unsigned core = f.rows.core_writes, runs = f.rows.run_writes;
    fix_chunk(&f, "say", "Cats \"");
    expect(&f, "say [0] \"Cats \\\"\"\n");
    fix_chunk(&f, "say", "a");
    fix_chunk(&f, "say", "re\n");
    expect(&f, "say [1] \"are\\n\"\n"); /* chunks that meet become one */
    fix_think(&f, "say", "hm");
    fix_chunk(&f, "say", "n");
    fix_chunk(&f, "say", "ice");
    expect(&f, "say [2] \"hm\" thinking\nsay [3] \"nice\"\n");
    assert_int_equal(f.rows.core_writes, core); /* a chunk costs an event row and no other */
    assert_int_equal(f.rows.run_writes, runs);
    fix_done(&f, "say");
    expect(&f, "say token_usage \"m\" 5\n"
               "say message \"Cats \\\"are\\nnice\" \"stop\"\n"
               "say running>completed \"Cats \\\"are\\nnice\"\n"
               "end pending>running\n"
               "end running>completed \"Cats \\\"are\\nnice\"\n"
               "session running>completed \"Cats \\\"are\\nnice\"\n");
    assert_null(f.rows.effects);
    assert_str(f.rows.messages->content, "Cats \"are\nnice");
    assert_int_equal(f.rows.messages->token_count, 5);
    assert_str(f.rows.row.core.usage_json,
               "{\"input_tokens\":3,\"output_tokens\":5,\"cost_usd\":null}");
    fix_close(&f);
}

/* A model that is quicker than the disk may not make one event that nobody can hold. */
static void chunks_that_meet_are_bounded(void **state)
{
    (void)state;
    struct fix f;
    static char piece[20001];
    fix_open(&f, TALK);
    memset(piece, 'x', sizeof(piece) - 1);
    int64_t seq = f.s->seq;
    for (int i = 0; i < 7; i++)
        fix_chunk(&f, "say", piece);
    assert_int_equal(f.s->seq, seq + 3); /* three pieces in each of two, one left */
    fix_take(&f);
    fix_close(&f);
}

static void pause_withholds(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK);
    fix_chunk(&f, "say", "one ");
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE, .reason = STR("lunch")});
    expect(&f, "session running>paused lunch\n");
    expect_effects(&f, "close");
    fix_chunk(&f, "say", "two ");
    fix_chunk(&f, "say", "\"three\" ");
    fix_take(&f);
    fix_chunk(&f, "say", "four");
    fix_done(&f, "say");
    expect(&f, "");
    expect_effects(&f, "");
    assert_non_null(f.rows.withheld->next->next); /* two of chunks, one of the end */
    assert_null(f.rows.withheld->next->next->next);
    assert_int_equal(fix_command(&f, IN_PAUSE), ERR_CONFLICT);
    assert_int_equal(fix_answer(&f, "say", "approve", "null"), ERR_CONFLICT);
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect(&f, "session paused>running\n"
               "say [1] \"two \\\"three\\\" four\"\n"
               "say token_usage \"m\" 5\n"
               "say message \"one two \\\"three\\\" four\" \"stop\"\n"
               "say running>completed \"one two \\\"three\\\" four\"\n"
               "end pending>running\n"
               "end running>completed \"one two \\\"three\\\" four\"\n"
               "session running>completed \"one two \\\"three\\\" four\"\n");
    assert_null(f.rows.withheld);
    fix_close(&f);
}

static void hold_stops_reading(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK);
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE, .hold = true});
    expect_effects(&f, "close hold");
    fix_chunk(&f, "say", "on the wire");
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect(&f, "session running>paused\nsession paused>running\nsay [0] \"on the wire\"\n");
    expect_effects(&f, "unhold open");
    fix_close(&f);
}

static void too_much_withheld_holds(void **state)
{
    (void)state;
    struct fix f;
    char *text = mem_zalloc((1u << 18) + 1);
    memset(text, 'x', 1u << 18);
    fix_open(&f, TALK);
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_quiet(&f);
    for (int i = 0; i < 4; i++) {
        fix_chunk(&f, "say", text);
        expect_effects(&f, i < 3 ? "" : "hold");
    }
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    fix_take(&f);
    expect_effects(&f, "unhold open");
    free(text);
    fix_close(&f);
}

static void start_paused_begins_at_resume(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open_with(&f, W1, "{\"topic\":\"Cats\"}", true);
        expect(&f, "session pending>running\nsession running>paused\n");
        if (restart)
            fix_restart(&f);
        expect(&f, "");
        fix_step(&f, (struct engine_input){.kind = IN_RESUME});
        expect(&f, "session paused>running\n"
                   "start pending>running\n"
                   "start running>completed {\"topic\":\"Cats\"}\n"
                   "t pending>running\n"
                   "t running>completed \"Cats\"\n"
                   "end pending>running\n"
                   "end running>completed \"Cats\"\n"
                   "session running>completed \"Cats\"\n");
        fix_close(&f);
    }
}

static void cancel_keeps_the_text(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK);
    fix_chunk(&f, "say", "half a");
    fix_quiet(&f);
    struct id run = fix_run(&f, "say");
    fix_step(&f, (struct engine_input){.kind = IN_CANCEL, .reason = STR("enough")});
    expect(&f, "say message \"half a\" \"cancelled\"\n"
               "say token_usage null 2\n"
               "say running>failed cancelled\n"
               "session running>cancelled enough\n");
    expect_effects(&f, "cancel break");
    assert_null(f.rows.effects);
    assert_str(f.rows.row.core.status, "cancelled");
    assert_str(f.rows.row.core.reason, "enough");
    /* What comes late is ignored; commands are refused. */
    fix_step(&f, (struct engine_input){.kind = IN_CHUNK, .run_id = run, .text = STR("more")});
    expect(&f, "");
    assert_int_equal(fix_command(&f, IN_CANCEL), ERR_CONFLICT);
    assert_int_equal(fix_command(&f, IN_STOP), ERR_CONFLICT);
    assert_int_equal(fix_command(&f, IN_RESUME), ERR_CONFLICT);
    assert_int_equal(fix_command(&f, IN_START), ERR_CONFLICT);
    assert_false(session_has_output(f.s));
    fix_close(&f);
}

static void cancel_before_the_take_leaves_no_effect(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK);
    fix_step(&f, (struct engine_input){.kind = IN_CANCEL});
    expect_effects(&f, "break");
    assert_null(f.rows.effects);
    fix_close(&f);
}

static void stop_fails_the_session(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK);
    fix_chunk(&f, "say", "seen");
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_chunk(&f, "say", " unseen");
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_STOP});
    expect(&f, "say message \"seen\" \"cancelled\"\n"
               "say token_usage null 1\n"
               "say running>failed cancelled\n"
               "session paused>failed stopped\n");
    assert_null(f.rows.withheld);
    assert_str(f.rows.row.core.error_json,
               "{\"code\":\"stopped\",\"message\":\"The session was stopped.\"}");
    fix_close(&f);
}

static void failure_fails_the_session(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK);
    fix_chunk(&f, "say", "half");
    fix_quiet(&f);
    fix_fail(&f, "say", "http_500");
    expect(&f, "say token_usage null 1\n"
               "say message \"half\" \"error\"\n"
               "say running>failed http_500\n"
               "session running>failed http_500\n");
    assert_str(f.rows.row.core.error_json,
               "{\"code\":\"http_500\",\"message\":\"It broke.\",\"node_id\":\"say\"}");
    fix_close(&f);
}

static void bad_expression_fails(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [t]}\n"
                 "  t: {type: transform, properties: {output: 'input.nothing.at_all'}, "
                 "next_ids: [end]}\n"
                 "  end: {type: end}\n");
    assert_int_equal(session_status_of(f.s), SESSION_FAILED);
    fix_take(&f);
    assert_non_null(strstr(f.lines.data, "t running>failed invalid_expression\n"));
    fix_close(&f);
}

static void describe_says_what_the_row_says(void **state)
{
    (void)state;
    struct fix f;
    struct arena a;
    struct session_row row;
    fix_open(&f, TALK);
    fix_take(&f);
    arena_init(&a);
    session_describe(f.s, &a, &row);
    assert_true(str_eq(row.core.state_json, f.rows.row.core.state_json));
    assert_true(str_eq(row.core.node_statuses_json, f.rows.row.core.node_statuses_json));
    assert_true(id_eq(row.id, session_id(f.s)));
    assert_true(session_bytes(f.s) > 500);
    assert_false(session_is_idle(f.s));
    arena_deinit(&a);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pure_workflow_is_one_delta),
        cmocka_unit_test(model_streams),
        cmocka_unit_test(chunks_that_meet_are_bounded),
        cmocka_unit_test(pause_withholds),
        cmocka_unit_test(hold_stops_reading),
        cmocka_unit_test(too_much_withheld_holds),
        cmocka_unit_test(start_paused_begins_at_resume),
        cmocka_unit_test(cancel_keeps_the_text),
        cmocka_unit_test(cancel_before_the_take_leaves_no_effect),
        cmocka_unit_test(stop_fails_the_session),
        cmocka_unit_test(failure_fails_the_session),
        cmocka_unit_test(bad_expression_fails),
        cmocka_unit_test(describe_says_what_the_row_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
