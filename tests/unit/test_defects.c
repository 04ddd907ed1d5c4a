/* What was wrong in the systems that this one comes from, and must be right here: a test each,
 * named for it. tests/defects/ has the defects as patches, and script/defects shows that with each
 * of them planted its test fails. With an argument, only the test of that name runs. */
#include "engine_fixture.h"

static const char *ended_as(struct fix *f)
{
    static char text[300];
    fix_take(f);
    const struct session_core *c = &f->rows.row.core;
    struct json code = json_get(json_root(c->error_json), "code");
    snprintf(text, sizeof(text), "%.*s %s%.*s", STR_FMT(c->status), c->ended_at ? "" : "not ended ",
             c->error_json.p ? (int)code.n : (int)c->output_json.n,
             c->error_json.p    ? code.p
             : c->output_json.p ? c->output_json.p
                                : "");
    return text;
}

/* ---- 1: a review that suspends must not end the session ---- */

static const char reviewed[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [write]}\n"
    "  write: {type: llm, properties: {prompt: p}, next_ids: [review]}\n"
    "  review: {type: human_review, properties: {draft: '{{ nodes.write.output }}',\n"
    "           timeout_minutes: 600, on_timeout: route, reminder_minutes: 60, allow_skip: true},\n"
    "           routes: {approve: a, reject: r, modify: m, skip: s, timeout: t}}\n"
    "  a: {type: transform, properties: {output: '\"approved \" .. nodes.write.output'},\n"
    "      next_ids: [end]}\n"
    "  r: {type: transform, properties: {output: '\"rejected\"'}, next_ids: [end]}\n"
    "  m: {type: transform, properties: {output: nodes.review.output.data.content},\n"
    "      next_ids: [end]}\n"
    "  s: {type: transform, properties: {output: '\"skipped\"'}, next_ids: [end]}\n"
    "  t: {type: transform, properties: {output: '\"too late\"'}, next_ids: [end]}\n"
    "  end: {type: end}\n";

static void test_defect_1_review_does_not_end_the_session(void **state)
{
    static const struct {
        const char *action, *data, *ends;
    } rows[] = {
        {"approve", "null", "completed \"approved Dear all\""},
        {"reject", "null", "completed \"rejected\""},
        {"modify", "{\"content\":\"Dear you\"}", "completed \"Dear you\""},
        {"skip", "null", "completed \"skipped\""},
        {NULL, NULL, "completed \"too late\""},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        fix_open(&f, reviewed);
        fix_say(&f, "write", "Dear all");
        assert_string_equal(ended_as(&f), "running not ended ");
        f.now += 3 * 3600000; /* hours later, in another process */
        fix_restart(&f);
        if (rows[i].action) {
            assert_int_equal(fix_answer(&f, "review", rows[i].action, rows[i].data), 0);
            assert_int_not_equal(fix_answer(&f, "review", "approve", "null"), 0); /* once */
        } else {
            fix_fire(&f);
            fix_take(&f);
            assert_non_null(strstr(fix_text(&f.lines), "reminder"));
            fix_fire(&f);
        }
        assert_string_equal(ended_as(&f), rows[i].ends);
        fix_close(&f);
    }
}

/* ---- 2: one ending, with its time and its reason ---- */

static const char two_calls[] = "nodes:\n"
                                "  start: {type: start, next_ids: [a]}\n"
                                "  a: {type: llm, properties: {prompt: p}, next_ids: [end]}\n"
                                "  end: {type: end}\n";

static void test_defect_2_one_ending_stored_right(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, two_calls);
    assert_string_equal(ended_as(&f), "running not ended ");
    fix_say(&f, "a", "Hi");
    assert_string_equal(ended_as(&f), "completed \"Hi\"");
    assert_int_equal(f.rows.row.core.ended_at, f.now);
    /* What has ended does not move. */
    static const enum input_kind moves[] = {IN_START, IN_PAUSE, IN_RESUME, IN_CANCEL, IN_STOP};
    for (size_t i = 0; i < ROWS(moves); i++)
        assert_int_equal(fix_command(&f, moves[i]), ERR_CONFLICT);
    assert_string_equal(ended_as(&f), "completed \"Hi\"");
    fix_close(&f);

    fix_open(&f, two_calls);
    assert_int_equal(fix_command(&f, IN_CANCEL), 0);
    assert_true(!strncmp(ended_as(&f), "cancelled", 9));
    assert_int_equal(f.rows.row.core.ended_at, f.now);
    fix_close(&f);

    fix_open(&f, two_calls);
    fix_fail(&f, "a", "http_503");
    assert_string_equal(ended_as(&f), "failed \"http_503\"");
    fix_close(&f);

    fix_open(&f, two_calls);
    assert_int_equal(fix_command(&f, IN_STOP), 0);
    assert_string_equal(ended_as(&f), "failed \"stopped\"");
    fix_close(&f);
}

/* ---- 3: pause and resume, stored and announced exactly once each ---- */

static unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void test_defect_3_pause_and_resume_once(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, two_calls);
    fix_chunk(&f, "a", "Hel");
    fix_quiet(&f);
    assert_int_equal(fix_command(&f, IN_PAUSE), 0);
    assert_int_equal(fix_command(&f, IN_PAUSE), ERR_CONFLICT);
    fix_chunk(&f, "a", "lo");
    fix_done(&f, "a");
    assert_string_equal(ended_as(&f), "paused not ended ");
    assert_int_equal(count_of(fix_text(&f.lines), "running>paused"), 1);
    assert_null(strstr(fix_text(&f.lines), "lo")); /* nothing is seen until the resume */
    fix_restart(&f);
    assert_string_equal(ended_as(&f), "paused not ended ");
    fix_quiet(&f);
    assert_int_equal(fix_command(&f, IN_RESUME), 0);
    assert_int_equal(fix_command(&f, IN_RESUME), ERR_CONFLICT);
    assert_string_equal(ended_as(&f), "completed \"Hello\"");
    assert_int_equal(count_of(fix_text(&f.lines), "paused>running"), 1);
    fix_close(&f);
}

/* ---- 4: a failed node fails its session, or is tolerated because the workflow says so ---- */

static const char fails_elsewhere[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [a]}\n"
    "  a: {type: llm, properties: {prompt: p}, next_ids: [b], on_error: c}\n"
    "  b: {type: transform, properties: {output: '\"went on\"'}, next_ids: [end]}\n"
    "  c: {type: transform, properties: {output: '\"sorry\"'}, next_ids: [end]}\n"
    "  end: {type: end, properties: {output: nodes.c.output}}\n";

static void test_defect_4_no_failure_is_swallowed(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, two_calls);
    fix_fail(&f, "a", "http_500");
    assert_string_equal(ended_as(&f), "failed \"http_500\"");
    fix_close(&f);
    fix_open(&f, fails_elsewhere);
    fix_fail(&f, "a", "http_500");
    assert_string_equal(ended_as(&f), "completed \"sorry\"");
    assert_non_null(strstr(fix_text(&f.lines), "a running>failed http_500"));
    fix_close(&f);
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [a]}\n"
                 "  a: {type: llm, properties: {prompt: p}, next_ids: [b], on_error: continue}\n"
                 "  b: {type: transform, properties: {output: nodes.a.status}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_fail(&f, "a", "http_500");
    assert_string_equal(ended_as(&f), "completed \"failed\"");
    fix_close(&f);
}

/* ---- 5: a join settles ---- */

static const char joined[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [split]}\n"
    "  split: {type: parallel, next_ids: [a, b, c, d]}\n"
    "  a: {type: llm, properties: {prompt: p}, next_ids: [j], on_error: sorry}\n"
    "  sorry: {type: end, properties: {output: '\"sorry\"'}}\n"
    "  b: {type: llm, when: 'false', properties: {prompt: p}, next_ids: [j]}\n"
    "  c: {type: switch, properties: {cases: [{when: 'false', to: j}], default: e}}\n"
    "  e: {type: transform, properties: {output: '1'}, next_ids: [end]}\n"
    "  d: {type: parallel, next_ids: [d1, d2]}\n"
    "  d1: {type: human_review, routes: {approve: j, reject: d2}}\n"
    "  d2: {type: llm, properties: {prompt: p}, next_ids: [j]}\n"
    "  j: {type: transform, properties: {output: '\"joined\"'}, next_ids: [end]}\n"
    "  end: {type: end, properties: {output: nodes.j.output}}\n";

static void test_defect_5_join_settles(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, joined);
    /* One branch fails and goes elsewhere, one is skipped, one is routed away, one is suspended. */
    fix_fail(&f, "a", "http_500");
    fix_take(&f);
    assert_null(strstr(fix_text(&f.brief), "+j")); /* the review may still come */
    assert_int_equal(fix_answer(&f, "d1", "approve", "null"), 0);
    fix_take(&f);
    assert_null(strstr(fix_text(&f.brief), "+j")); /* d2 waited for the review */
    fix_say(&f, "d2", "x");
    fix_take(&f);
    assert_non_null(strstr(fix_text(&f.brief), "d2 +j j +end end"));
    assert_true(!strncmp(ended_as(&f), "completed", 9));
    fix_close(&f);
}

/* ---- 6: loops really count ---- */

static const char looped[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [l]}\n"
    "  l: {type: loop, properties: {max_rounds: 3, score: 'input.s[loop.round]',\n"
    "      regression_delta: 2, stagnation_rounds: 2}, next_ids: [a, end]}\n"
    "  a: {type: transform, properties: {output: loop.round}, next_ids: [l]}\n"
    "  end: {type: end, properties: {output: [nodes.l.output.rounds, nodes.a.output,\n"
    "        nodes.l.output.exit_reason]}}\n";

static void test_defect_6_loops_count(void **state)
{
    static const struct {
        const char *input, *ends;
    } rows[] = {
        {"{\"s\":[1,2,3,4,5]}", "completed [3,3,\"max_rounds\"]"},
        {"{\"s\":[5,2,9,9,9]}", "completed [2,2,\"regression\"]"},
        {"{\"s\":[5,5,5,9,9]}", "completed [3,3,\"stagnation\"]"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        fix_open_with(&f, looped, rows[i].input, false);
        assert_string_equal(ended_as(&f), rows[i].ends);
        fix_close(&f);
    }
}

/* ---- 7: votes are real votes ---- */

static void test_defect_7_votes_are_real(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call calls[3];
    static const char *const answers[] = {
        "{\"decision\":\"yes\",\"score\":8,\"reasoning\":\"Good.\"}",
        "{\"decision\":\"abstain\",\"score\":5,\"reasoning\":\"Who knows.\"}",
        "{\"decision\":\"no\",\"score\":2,\"reasoning\":\"Bad.\"}",
    };
    fix_open(
        &f,
        "nodes:\n"
        "  start: {type: start, next_ids: [v]}\n"
        "  v: {type: vote, properties: {voters: [{name: a}, {name: b}, {name: c}], question: q},\n"
        "      routes: {approve: yes_, reject: no_}}\n"
        "  yes_: {type: end, properties: {output: '\"yes\"'}}\n"
        "  no_: {type: end, properties: {output: nodes.v.output.tally}}\n");
    for (unsigned i = 0; i < 3; i++)
        calls[i] = *fix_call(&f, 2 - i);
    for (unsigned i = 0; i < 3; i++)
        fix_call_says(&f, &calls[i], answers[i], NULL);
    /* One for it, one against it, one who does not say: no majority. */
    assert_string_equal(ended_as(&f),
                        "completed {\"yes\":1,\"no\":1,\"abstain\":1,\"mean_score\":5}");
    assert_int_equal(count_of(fix_text(&f.lines), "v vote_cast"), 3);
    fix_close(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defect_1_review_does_not_end_the_session),
        cmocka_unit_test(test_defect_2_one_ending_stored_right),
        cmocka_unit_test(test_defect_3_pause_and_resume_once),
        cmocka_unit_test(test_defect_4_no_failure_is_swallowed),
        cmocka_unit_test(test_defect_5_join_settles),
        cmocka_unit_test(test_defect_6_loops_count),
        cmocka_unit_test(test_defect_7_votes_are_real),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
