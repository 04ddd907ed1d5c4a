#include "engine_fixture.h"

/* Interrupts as rows; reviews with edits, forms and several reviewers; their clocks. */

#define REVIEW(props, more)                                                                        \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [r]}\n"                                                      \
    "  r: {type: human_review, name: Board, properties: {" props "}, " more "}\n"                  \
    "  yes: {type: transform, properties: {output: 'nodes.r.output'}, next_ids: [end]}\n"          \
    "  no: {type: transform, properties: {output: 'nodes.r.output'}, next_ids: [end]}\n"           \
    "  end: {type: end}\n"
#define ROUTES "routes: {approve: yes, reject: no}"

static const struct interrupt_row *newest(struct fix *f)
{
    fix_take(f);
    assert_non_null(f->rows.interrupts);
    return f->rows.interrupts;
}

static void has(struct str json, const char *part)
{
    assert_true(json.p != NULL);
    if (!strstr(json.p, part))
        fail_msg("no %s in %.*s", part, STR_FMT(json));
}

static int answer_as(struct fix *f, const char *who, const char *action, const char *data)
{
    return fix_try(f, (struct engine_input){.kind = IN_RESUME_NODE,
                                            .node_id = STR("r"),
                                            .action = str_of(action),
                                            .data_json = str_of(data),
                                            .reviewer = str_of(who)});
}

static struct str output(struct fix *f)
{
    fix_take(f);
    return f->rows.row.core.output_json;
}

/* ---- rows ---- */

static void rows_follow_the_interrupt(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, REVIEW("prompt: 'Well?', draft: D, timeout_minutes: 5", ROUTES));
        const struct interrupt_row *r = newest(&f);
        assert_str(r->status, "pending");
        assert_str(r->kind, "approve_reject");
        assert_str(r->node_id, "r");
        has(r->request_json, "\"reason\":\"Well?\"");
        has(r->request_json, "\"draft\":\"D\"");
        assert_null(r->answer_json.p);
        assert_int_equal(r->created_at, f.now);
        assert_int_equal(r->expires_at, f.now + 300000);
        if (restart)
            fix_restart(&f);
        f.now += 1000;
        assert_int_equal(fix_answer(&f, "r", "approve", "{\"n\":1}"), 0);
        r = newest(&f);
        assert_null(r->next);
        assert_str(r->status, "answered");
        has(r->answer_json, "\"action\":\"approve\",\"data\":{\"n\":1},\"reviewer\":\"ann\"");
        has(r->answer_json, "\"at\":\"2026-01-01T00:00:01.000Z\"");
        assert_int_equal(r->created_at, f.now - 1000);
        assert_int_equal(r->updated_at, f.now);
        fix_close(&f);
    }
}

static void rows_say_how_it_ended(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("timeout_minutes: 5, on_timeout: skip", ROUTES));
    fix_fire(&f);
    assert_str(newest(&f)->status, "expired");
    assert_int_equal(newest(&f)->expires_at, f.now);
    fix_close(&f);

    fix_open(&f, REVIEW("prompt: x", ROUTES));
    assert_int_equal(fix_command(&f, IN_CANCEL), 0);
    assert_str(newest(&f)->status, "cancelled");
    fix_close(&f);

    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [r, again]}\n"
                 "  r: {type: human_review, next_ids: [end]}\n"
                 "  again: {type: human_review, routes: {approve: end, reject: start2}}\n"
                 "  start2: {type: transform, properties: {output: '1'}, next_ids: [again]}\n"
                 "  end: {type: end}\n");
    fix_take(&f);
    assert_int_equal(fix_answer(&f, "again", "reject", "null"), 0);
    unsigned pending = 0, answered = 0;
    fix_take(&f);
    for (struct interrupt_row *r = f.rows.interrupts; r; r = r->next) {
        pending += str_eqz(r->status, "pending");
        answered += str_eqz(r->status, "answered");
    }
    assert_int_equal(pending, 2);
    assert_int_equal(answered, 1);
    fix_close(&f);
}

/* A question that is asked and closed in one step leaves one row, closed. */
static void superseded_questions_are_cancelled(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [l]}\n"
                 "  l: {type: loop, properties: {max_rounds: 3}, next_ids: [body, end]}\n"
                 "  body: {type: parallel, next_ids: [ask, step]}\n"
                 "  ask: {type: human_review, next_ids: [l]}\n"
                 "  step: {type: user_input, next_ids: [l]}\n"
                 "  end: {type: end}\n");
    fix_take(&f);
    assert_int_equal(
        fix_try(&f, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("go")}), 0);
    fix_take(&f);
    unsigned cancelled = 0, pending = 0;
    for (struct interrupt_row *r = f.rows.interrupts; r; r = r->next) {
        cancelled += str_eqz(r->status, "cancelled");
        pending += str_eqz(r->status, "pending");
    }
    assert_int_equal(cancelled, 1);
    assert_int_equal(pending, 2);
    fix_close(&f);
}

/* ---- the clock ---- */

static void pause_moves_the_expiry(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("timeout_minutes: 5, on_timeout: skip", ROUTES));
    f.now += 60000;
    assert_int_equal(fix_command(&f, IN_PAUSE), 0);
    assert_int_equal(newest(&f)->expires_at, 0); /* frozen */
    fix_restart(&f);
    f.now += 3600000;
    assert_int_equal(fix_command(&f, IN_RESUME), 0);
    assert_int_equal(newest(&f)->expires_at, f.now + 240000);
    int64_t at = f.now;
    fix_fire(&f);
    assert_int_equal(f.now, at + 240000);
    assert_str(newest(&f)->status, "expired");
    fix_close(&f);
}

/* With timers: run it comes due in the pause, and is carried out when the session goes on. */
static void timers_run_in_a_pause(void **state)
{
    (void)state;
    static const char *const policies[] = {"fail", "skip", "route"};
    static const char *const moves[] = {"=running r!timeout =failed",
                                        "=running r +yes yes +end end no- =completed",
                                        "=running r +no no +end end yes- =completed"};
    for (size_t i = 0; i < 3; i++) {
        struct fix f;
        char yaml[1000];
        snprintf(yaml, sizeof(yaml),
                 REVIEW("timeout_minutes: 5, on_timeout: %s",
                        "routes: {approve: yes, reject: no, timeout: no}"),
                 policies[i]);
        if (i != 2)
            memcpy(strstr(yaml, ", timeout: no"), "             ", 13);
        fix_open(&f, yaml);
        fix_step(&f, (struct engine_input){.kind = IN_PAUSE, .timers_run = true});
        fix_quiet(&f);
        fix_fire(&f);
        expect(&f, ""); /* nothing is seen in a pause */
        assert_str(newest(&f)->status, "pending");
        fix_restart(&f);
        assert_int_equal(fix_command(&f, IN_RESUME), 0);
        expect_moves(&f, moves[i]);
        fix_close(&f);
    }
}

static void reminders_come_as_often_as_asked(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("timeout_minutes: 60, reminder_minutes: 10, reminders: 3, on_timeout: skip",
                        ROUTES));
    fix_quiet(&f);
    fix_fire(&f);
    expect(&f, "r human_interaction_reminder 3000000\n");
    fix_restart(&f);
    fix_fire(&f);
    expect(&f, "r human_interaction_reminder 2400000\n");
    fix_restart(&f);
    fix_fire(&f);
    expect(&f, "r human_interaction_reminder 1800000\n");
    fix_fire(&f);
    expect_moves(&f, "r +yes yes +end end no- =completed");
    fix_close(&f);
}

/* ---- edits and forms ---- */

static void modified_content_carries_a_diff(void **state)
{
    (void)state;
    static const char *const data[] = {"{\"content\":\"One\\nTWO\\nThree\\n\"}",
                                       "{\"text\":\"One\\nTWO\\nThree\\n\"}",
                                       "\"One\\nTWO\\nThree\\n\""};
    for (size_t i = 0; i < ROWS(data); i++) {
        struct fix f;
        fix_open(&f, REVIEW("review_type: edit_content, draft: \"One\\nTwo\\nThree\\n\"", ROUTES));
        assert_int_equal(fix_answer(&f, "r", "modify", "{\"other\":1}"), ERR_INVALID);
        assert_int_equal(fix_answer(&f, "r", "modify", NULL), ERR_INVALID);
        fix_restart(&f);
        assert_int_equal(fix_answer(&f, "r", "modify", data[i]), 0);
        has(output(&f), "\"content\":\"One\\nTWO\\nThree\\n\"");
        has(output(&f),
            "\"diff\":\"--- draft\\n+++ content\\n@@ -1,3 +1,3 @@\\n One\\n-Two\\n+TWO\\n"
            " Three\\n\"");
        has(newest(&f)->answer_json, "\"diff\":\"--- draft");
        fix_close(&f);
    }
}

static void approved_content_is_the_draft(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("review_type: edit_content, draft: Fine", ROUTES));
    assert_int_equal(fix_answer(&f, "r", "approve", NULL), 0);
    assert_str(output(&f),
               "{\"action\":\"approve\",\"data\":null,\"reviewer\":\"ann\",\"content\":\"Fine\"}");
    fix_close(&f);

    fix_open(&f, REVIEW("review_type: edit_content, draft: Fine", ROUTES));
    assert_int_equal(fix_answer(&f, "r", "reject", NULL), 0);
    assert_str(output(&f), "{\"action\":\"reject\",\"data\":null,\"reviewer\":\"ann\"}");
    fix_close(&f);
}

static void forms_fill_in_defaults(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("review_type: form, form_schema: {type: object, required: [n, tone], "
                        "properties: {n: {type: integer}, tone: {type: string, default: calm}, "
                        "more: {type: object, properties: {deep: {default: [1]}}}}}",
                        "next_ids: [yes, no]"));
    assert_int_equal(fix_answer(&f, "r", "submit", "{\"tone\":\"loud\"}"), ERR_INVALID);
    assert_int_equal(fix_answer(&f, "r", "submit", "{\"n\":2,\"more\":{}}"), 0);
    has(output(&f), "\"data\":{\"n\":2,\"more\":{\"deep\":[1]},\"tone\":\"calm\"}");
    fix_close(&f);
}

/* ---- several reviewers ---- */

#define BOARD "reviewers: [ann, bob, 'cy@x.org'], quorum: 2"

static void quorum_decides(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW(BOARD, ROUTES));
    fix_quiet(&f);
    assert_int_equal(answer_as(&f, NULL, "approve", NULL), ERR_INVALID);
    assert_int_equal(answer_as(&f, "eve", "approve", NULL), ERR_FORBIDDEN);
    assert_int_equal(answer_as(&f, "ann", "approve", "1"), 0);
    expect(&f, "r node_resumed \"approve\" 1\n");
    assert_str(newest(&f)->status, "pending");
    has(newest(&f)->request_json, "\"votes\":[{\"reviewer\":\"ann\",\"action\":\"approve\"");
    fix_restart(&f);
    assert_int_equal(answer_as(&f, "ann", "reject", NULL), ERR_CONFLICT);
    assert_int_equal(answer_as(&f, "cy@x.org", "approve", "2"), 0);
    expect_moves(&f, "r +yes yes +end end no- =completed");
    assert_str(newest(&f)->status, "answered");
    has(output(&f), "\"action\":\"approve\",\"data\":2,\"reviewer\":\"cy@x.org\",\"votes\":[{");
    fix_close(&f);
}

static void one_rejection_decides(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW(BOARD, ROUTES));
    assert_int_equal(answer_as(&f, "ann", "approve", NULL), 0);
    fix_quiet(&f);
    assert_int_equal(answer_as(&f, "bob", "reject", "\"no\""), 0);
    expect_moves(&f, "r +no no +end end yes- =completed");
    fix_close(&f);
}

static void rejections_may_need_a_quorum(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("quorum: 2, reject_quorum: 2", ROUTES));
    fix_quiet(&f);
    assert_int_equal(answer_as(&f, "ann", "reject", NULL), 0);
    assert_int_equal(answer_as(&f, "bob", "approve", NULL), 0);
    expect_moves(&f, "");
    assert_int_equal(answer_as(&f, "cy", "reject", NULL), 0);
    expect_moves(&f, "r +no no +end end yes- =completed");
    fix_close(&f);

    /* All have answered, neither side has enough: it is not approved. */
    fix_open(&f, REVIEW("reviewers: [ann, bob, cy], quorum: 3, reject_quorum: 2", ROUTES));
    fix_quiet(&f);
    assert_int_equal(answer_as(&f, "ann", "approve", NULL), 0);
    assert_int_equal(answer_as(&f, "bob", "reject", "\"why\""), 0);
    assert_int_equal(answer_as(&f, "cy", "approve", NULL), 0);
    expect_moves(&f, "r +no no +end end yes- =completed");
    has(output(&f), "\"action\":\"reject\",\"data\":\"why\",\"reviewer\":\"bob\"");
    fix_close(&f);
}

/* Who agrees after a change agrees to it: the change is what goes on. */
static void a_change_outweighs_an_approval(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("review_type: edit_content, draft: A, quorum: 2", ROUTES));
    assert_int_equal(answer_as(&f, "ann", "modify", "{\"content\":\"B\"}"), 0);
    fix_restart(&f);
    assert_int_equal(answer_as(&f, "bob", "approve", NULL), 0);
    has(output(&f), "\"action\":\"modify\"");
    has(output(&f), "\"reviewer\":\"ann\",\"content\":\"B\",\"diff\":");
    fix_close(&f);
}

/* Defect 1: a review that suspends does not end the session; it survives restarts, can be decided
 * much later, keeps what came before it (which is not run again), and routes by what was answered.
 */
static void defect_1_a_review_does_not_end_the_session(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [m]}\n"
                 "  m: {type: llm, properties: {prompt: p}, next_ids: [r]}\n"
                 "  r: {type: human_review, routes: {approve: yes, reject: no, modify: yes}}\n"
                 "  yes: {type: transform, properties: {output: 'nodes.m.output'}, next_ids: "
                 "[end]}\n"
                 "  no: {type: transform, properties: {output: '0'}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_say(&f, "m", "Upstream");
    fix_quiet(&f);
    assert_int_equal(session_status_of(f.s), SESSION_RUNNING);
    for (int i = 0; i < 3; i++) {
        f.now += 86400000;
        fix_restart(&f);
        expect(&f, "");
        assert_int_equal(session_status_of(f.s), SESSION_RUNNING);
    }
    expect_effects(&f, "");
    assert_int_equal(fix_answer(&f, "r", "modify", NULL), 0);
    expect_moves(&f, "r +yes yes +end end no- =completed");
    assert_str(output(&f), "\"Upstream\"");
    fix_close(&f);
}

/* In the items of a map the same node waits several times: each question has its own id. */
static void questions_of_items(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, "nodes:\n"
                     "  start: {type: start, next_ids: [m]}\n"
                     "  m: {type: map, properties: {items: '{1, 2}', body: [r, s]}, next_ids: "
                     "[end]}\n"
                     "  r: {type: human_review, next_ids: [s]}\n"
                     "  s: {type: signal, properties: {name: go}}\n"
                     "  end: {type: end}\n");
        const struct interrupt_row *second = newest(&f), *first = second->next;
        assert_non_null(first);
        if (memcmp(&first->interrupt_id, &second->interrupt_id, sizeof(struct id)) > 0) {
            const struct interrupt_row *swap = first;
            first = second;
            second = swap;
        }
        struct id ids[2] = {first->interrupt_id, second->interrupt_id};
        if (restart)
            fix_restart(&f);
        struct engine_input in = {.kind = IN_RESUME_NODE,
                                  .node_id = STR("r"),
                                  .interrupt_id = ids[1],
                                  .action = STR("approve")};
        fix_step(&f, in);
        assert_int_equal(fix_try(&f, in), ERR_CONFLICT);
        in.interrupt_id = (struct id){{0}}; /* the one that has waited longest: it is the only */
        fix_step(&f, in);
        assert_int_equal(fix_try(&f, in), ERR_CONFLICT);
        if (restart)
            fix_restart(&f);
        struct engine_input go = {
            .kind = IN_SIGNAL, .name = STR("go"), .data_json = STR("\"second\"")};
        fix_step(&f, go); /* item 2 was there first */
        go.data_json = STR("\"first\"");
        fix_step(&f, go);
        assert_str(output(&f), "[\"first\",\"second\"]");
        fix_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_follow_the_interrupt),
        cmocka_unit_test(rows_say_how_it_ended),
        cmocka_unit_test(superseded_questions_are_cancelled),
        cmocka_unit_test(pause_moves_the_expiry),
        cmocka_unit_test(timers_run_in_a_pause),
        cmocka_unit_test(reminders_come_as_often_as_asked),
        cmocka_unit_test(modified_content_carries_a_diff),
        cmocka_unit_test(approved_content_is_the_draft),
        cmocka_unit_test(forms_fill_in_defaults),
        cmocka_unit_test(quorum_decides),
        cmocka_unit_test(one_rejection_decides),
        cmocka_unit_test(rejections_may_need_a_quorum),
        cmocka_unit_test(a_change_outweighs_an_approval),
        cmocka_unit_test(questions_of_items),
        cmocka_unit_test(defect_1_a_review_does_not_end_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
