#include "engine_fixture.h"

/* Nodes that wait for a person. */

#define REVIEW(props, more)                                                                        \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [r]}\n"                                                      \
    "  r: {type: human_review, name: Board, properties: {" props "}, " more "}\n"                  \
    "  yes: {type: transform, properties: {output: 'nodes.r.output.action'}, next_ids: [end]}\n"   \
    "  no: {type: transform, properties: {output: '\"no\"'}, next_ids: [end]}\n"                   \
    "  end: {type: end}\n"

static struct id interrupt(struct fix *f, const char *node)
{
    return f->s->at->nodes[fix_node(f, node)].work->interrupt_id;
}

static void answer_routes(void **state)
{
    (void)state;
    static const struct {
        const char *action, *moves;
    } rows[] = {
        {"approve", "r +yes yes +end end no- =completed"},
        {"reject", "r +no no +end end yes- =completed"},
        {"modify", "r +yes yes +end end no- =completed"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        for (int restart = 0; restart < 2; restart++) {
            struct fix f;
            fix_open(&f, REVIEW("prompt: 'On {{ input.topic }}?', draft: '{{ input.topic }}!'",
                                "routes: {approve: yes, reject: no, modify: yes}"));
            expect(&f, "session pending>running\n"
                       "start pending>running\n"
                       "start running>completed {\"topic\":\"Cats\"}\n"
                       "r pending>running\n"
                       "r running>suspended\n"
                       "r human_interaction_required \"approve_reject\" "
                       "[\"approve\",\"reject\",\"modify\"] \"Cats!\"\n");
            assert_true(session_is_idle(f.s));
            assert_false(f.rows.row.core.busy);
            if (restart)
                fix_restart(&f);
            assert_int_equal(fix_answer(&f, "r", rows[i].action, "{\"x\":1}"), 0);
            expect_moves(&f, rows[i].moves);
            fix_close(&f);
        }
    }
}

static void answer_is_applied_once(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [r]}\n"
                 "  r: {type: human_review, routes: {approve: end, reject: r2}}\n"
                 "  r2: {type: human_review, routes: {approve: end, reject: r}}\n"
                 "  end: {type: end}\n");
    struct id first = interrupt(&f, "r");
    assert_int_equal(fix_answer(&f, "r", "reject", "null"), 0);
    assert_int_equal(fix_answer(&f, "r", "reject", "null"), ERR_CONFLICT);
    assert_int_equal(fix_answer(&f, "r2", "reject", "null"), 0);
    struct engine_input late = {.kind = IN_RESUME_NODE,
                                .node_id = STR("r"),
                                .interrupt_id = first,
                                .action = STR("approve")};
    assert_int_equal(fix_try(&f, late), ERR_CONFLICT); /* r waits again, but not for this */
    late.interrupt_id = interrupt(&f, "r");
    fix_step(&f, late);
    fix_take(&f);
    assert_str(f.rows.row.core.status, "completed");
    fix_close(&f);
}

static void bad_answers_change_nothing(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("form_schema: {type: object, required: [n], properties: {n: {type: "
                        "integer}}}, review_type: form, allow_skip: true",
                        "routes: {skip: no}, next_ids: [yes]"));
    expect(&f, "session pending>running\n"
               "start pending>running\n"
               "start running>completed {\"topic\":\"Cats\"}\n"
               "r pending>running\n"
               "r running>suspended\n"
               "r human_interaction_required \"form\" [\"submit\",\"skip\"]\n");
    assert_int_equal(fix_answer(&f, "nobody", "submit", "{\"n\":1}"), ERR_NOT_FOUND);
    assert_int_equal(fix_answer(&f, "end", "submit", "{\"n\":1}"), ERR_CONFLICT);
    assert_int_equal(fix_answer(&f, "r", "dance", "{\"n\":1}"), ERR_INVALID);
    assert_string_equal(f.error.text,
                        "Node \"r\" does not take the action \"dance\"; it takes: submit, skip.");
    assert_int_equal(fix_answer(&f, "r", "submit", "{\"n\":\"one\"}"), ERR_INVALID);
    assert_int_equal(fix_answer(&f, "r", "submit", NULL), ERR_INVALID);
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    assert_int_equal(fix_answer(&f, "r", "submit", "{\"n\":1}"), ERR_CONFLICT);
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    fix_quiet(&f);
    assert_int_equal(fix_answer(&f, "r", "submit", "{\"n\":1}"), 0);
    expect(&f,
           "r node_resumed \"submit\" {\"n\":1}\n"
           "r suspended>running\n"
           "r running>completed {\"action\":\"submit\",\"data\":{\"n\":1},\"reviewer\":\"ann\"}\n"
           "yes pending>running\n"
           "yes running>completed \"submit\"\n"
           "end pending>running\n"
           "end running>completed \"submit\"\n"
           "no pending>skipped\n"
           "session running>completed \"submit\"\n");
    fix_close(&f);
}

static void interrupt_row_keeps_the_answer(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("prompt: ok", "routes: {approve: yes, reject: no}"));
    fix_take(&f);
    fix_restart(&f);
    assert_int_equal(fix_answer(&f, "r", "approve", "7"), 0);
    fix_take(&f);
    struct run_row *row = f.rows.runs;
    while (row && !str_eqz(row->node_id, "r"))
        row = row->next;
    assert_non_null(row);
    struct json asked = json_root(row->interrupt_json), answer = json_get(asked, "answer");
    assert_true(json_string_eq(json_get(asked, "reason"), "ok"));
    assert_true(json_string_eq(json_get(answer, "action"), "approve"));
    assert_str(json_raw(json_get(answer, "data")), "7");
    assert_str(row->status, "completed");
    assert_true(row->started_at > 0);
    fix_close(&f);
}

static void nobody_answers(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *moves, *taken;
    } rows[] = {
        {"fail", "r!timeout =failed", "\"fail\""},
        {"skip", "r +yes yes +end end no- =completed", "\"skip\""},
        {"route", "r +no no +end end yes- =completed", "\"route\""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char yaml[1000];
        snprintf(yaml, sizeof(yaml),
                 REVIEW("timeout_minutes: 30, reminder_minutes: 10, on_timeout: %s",
                        "routes: {approve: yes, reject: no%s}"),
                 rows[i].policy, i == 2 ? ", timeout: no" : "");
        fix_open(&f, yaml);
        fix_take(&f);
        assert_non_null(
            strstr(f.rows.row.core.waiting_json.p, "\"expires_at\":\"2026-01-01T00:30"));
        fix_quiet(&f);
        fix_fire(&f);
        expect(&f, "r human_interaction_reminder 1200000\n");
        if (i == 1)
            fix_restart(&f);
        fix_fire(&f);
        fix_take(&f);
        assert_non_null(strstr(f.lines.data, "r human_interaction_expired"));
        assert_non_null(strstr(f.lines.data, rows[i].taken));
        expect_moves(&f, rows[i].moves);
        fix_close(&f);
    }
}

static void edited_content(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("review_type: edit_content, draft: '{{ input.topic }}'",
                        "routes: {approve: yes, reject: no}"));
    fix_take(&f);
    assert_non_null(strstr(f.lines.data, "r human_interaction_required \"edit_content\" "
                                         "[\"approve\",\"modify\",\"reject\"] \"Cats\"\n"));
    fix_quiet(&f);
    assert_int_equal(fix_answer(&f, "r", "modify", "\"Dogs\""), 0); /* goes as approved */
    expect_moves(&f, "r +yes yes +end end no- =completed");
    fix_close(&f);
}

#define ASK(props)                                                                                 \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [ask]}\n"                                                    \
    "  ask: {type: user_input, properties: {" props "}, next_ids: [end]}\n"                        \
    "  end: {type: end}\n"

static void somebody_speaks(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, ASK("prompt: 'Name?'"));
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){
                     .kind = IN_USER_INPUT, .content = STR("I am \"Ann\""), .user_id = STR("ann")});
    expect(&f, "ask user_input \"I am \\\"Ann\\\"\"\n"
               "ask node_resumed \"submit\" \"I am \\\"Ann\\\"\"\n"
               "ask suspended>running\n"
               "ask running>completed \"I am \\\"Ann\\\"\"\n"
               "end pending>running\n"
               "end running>completed \"I am \\\"Ann\\\"\"\n"
               "session running>completed \"I am \\\"Ann\\\"\"\n");
    assert_str(f.rows.messages->role, "user");
    assert_str(f.rows.messages->content, "I am \"Ann\"");
    fix_close(&f);
}

static void input_holds_to_its_form(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, ASK("form_schema: {type: object, required: [age]}"));
    fix_quiet(&f);
    struct engine_input in = {.kind = IN_USER_INPUT, .content = STR("forty")};
    assert_int_equal(fix_try(&f, in), ERR_INVALID);
    in.content = STR("{\"name\":\"Ann\"}");
    assert_int_equal(fix_try(&f, in), ERR_INVALID);
    expect(&f, "");
    in.content = STR("{\"age\":40}");
    fix_step(&f, in);
    fix_take(&f);
    assert_str(f.rows.row.core.output_json, "{\"age\":40}");
    fix_close(&f);
}

static void words_without_a_listener_are_recorded(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, REVIEW("prompt: x", "routes: {approve: yes, reject: no}"));
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("hello")});
    fix_step(
        &f, (struct engine_input){.kind = IN_SIGNAL, .name = STR("ping"), .data_json = STR("[1]")});
    expect(&f, "user_input \"hello\"\nsignal_received \"ping\" [1]\n");
    assert_str(f.rows.messages->content, "hello");
    assert_int_equal(fix_try(&f, (struct engine_input){.kind = IN_SIGNAL, .node_id = STR("zz")}),
                     ERR_NOT_FOUND);
    fix_close(&f);
}

static void longest_waiting_listener_hears(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [b, w]}\n"
                 "  w: {type: wait, properties: {duration_ms: 5}, next_ids: [a]}\n"
                 "  a: {type: user_input, next_ids: [end]}\n"
                 "  b: {type: user_input, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_fire(&f);
    fix_quiet(&f);
    struct engine_input in = {.kind = IN_USER_INPUT, .content = STR("one")};
    fix_step(&f, in);
    expect_moves(&f, "b");
    in.node_id = STR("b");
    assert_int_equal(fix_try(&f, in), ERR_CONFLICT);
    in.node_id = STR("a");
    fix_step(&f, in);
    expect_moves(&f, "a +end end =completed");
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_routes),
        cmocka_unit_test(answer_is_applied_once),
        cmocka_unit_test(bad_answers_change_nothing),
        cmocka_unit_test(interrupt_row_keeps_the_answer),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(edited_content),
        cmocka_unit_test(somebody_speaks),
        cmocka_unit_test(input_holds_to_its_form),
        cmocka_unit_test(words_without_a_listener_are_recorded),
        cmocka_unit_test(longest_waiting_listener_hears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
