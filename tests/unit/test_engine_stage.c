#include "engine_fixture.h"

/* Stages: items and deliverables, their completion, what they depend on. */

#define STAGE(props)                                                                               \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [s]}\n"                                                      \
    "  s: {type: stage, name: Build, properties: {" props "}, next_ids: [end]}\n"                  \
    "  end: {type: end}\n"
#define BUILD                                                                                      \
    STAGE("checklist: [code, {name: 'ask \"Ann\"', required: false}, test], "                      \
          "deliverables: [report, {name: demo, required: false}], description: 'On {{ "            \
          "input.topic }}', estimated_minutes: 30")

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

static int stage_do(struct fix *f, const char *node, const char *action, const char *data)
{
    const struct work *w = f->s->at->nodes[fix_node(f, node)].work;
    return fix_try(f, (struct engine_input){.kind = IN_STAGE,
                                            .interrupt_id = w->interrupt_id,
                                            .action = str_of(action),
                                            .data_json = str_of(data),
                                            .reviewer = STR("ann")});
}

static void stages_are_told(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, BUILD);
    expect(&f, "session pending>running\n"
               "start pending>running\n"
               "start running>completed {\"topic\":\"Cats\"}\n"
               "s pending>running\n"
               "s running>suspended\n"
               "s human_interaction_required \"stage\" [\"complete\",\"skip\"] \"Build\"\n");
    has(newest(&f)->request_json, "\"reason\":\"On Cats\"");
    has(newest(&f)->request_json,
        "\"items\":[{\"name\":\"code\",\"required\":true,\"done\":false},"
        "{\"name\":\"ask \\\"Ann\\\"\",\"required\":false,\"done\":false},"
        "{\"name\":\"test\",\"required\":true,\"done\":false}]");
    has(newest(&f)->request_json,
        "\"deliverables\":[{\"name\":\"report\",\"required\":true,\"value\":null},"
        "{\"name\":\"demo\",\"required\":false,\"value\":null}],\"context\":{}");
    assert_str(newest(&f)->kind, "stage");
    assert_true(session_is_idle(f.s));
    fix_close(&f);
}

static void items_are_ticked_off(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, BUILD);
    fix_quiet(&f);
    assert_int_equal(stage_do(&f, "s", "update",
                              "{\"items\":[{\"name\":\"code\"},{\"index\":1,\"done\":true}]}"),
                     0);
    fix_take(&f);
    has(f.rows.row.core.status, "running");
    expect(&f, "s stage_progress 1 3\ns stage_progress 2 3\n");
    has(buf_str(&f.rows.events), "\"done\":1,\"total\":3,\"item\":\"code\",\"item_done\":true}");
    has(buf_str(&f.rows.events), "\"done\":2,\"total\":3,\"item\":\"ask \\\"Ann\\\"\"");
    fix_restart(&f);
    assert_int_equal(
        stage_do(&f, "s", "update",
                 "{\"items\":[{\"name\":\"code\",\"done\":false}],\"context\":{\"a\":1,"
                 "\"b\":2},\"deliverables\":{\"report\":\"r.md\"}}"),
        0);
    assert_int_equal(stage_do(&f, "s", "update", "{\"context\":{\"a\":null,\"c\":[3]}}"), 0);
    fix_restart(&f);
    has(newest(&f)->request_json, "\"name\":\"code\",\"required\":true,\"done\":false");
    has(newest(&f)->request_json, "\"name\":\"ask \\\"Ann\\\"\",\"required\":false,\"done\":true");
    has(newest(&f)->request_json, "\"name\":\"report\",\"required\":true,\"value\":\"r.md\"");
    has(newest(&f)->request_json, "\"context\":{\"b\":2,\"c\":[3]}");
    fix_close(&f);
}

static void bad_changes_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "null",
        "{}",
        "[]",
        "{\"itms\":[]}",
        "{\"items\":{}}",
        "{\"items\":[1]}",
        "{\"items\":[{\"name\":\"code\",\"index\":0}]}",
        "{\"items\":[{\"done\":true}]}",
        "{\"items\":[{\"name\":\"code\"},{\"name\":\"nothing\"}]}",
        "{\"items\":[{\"index\":3}]}",
        "{\"items\":[{\"index\":-1}]}",
        "{\"items\":[{\"index\":0,\"done\":\"yes\"}]}",
        "{\"deliverables\":{\"none\":1}}",
        "{\"deliverables\":7}",
        "{\"items\":[{\"name\":\"code\"}],\"context\":[]}",
    };
    struct fix f;
    fix_open(&f, BUILD);
    fix_quiet(&f);
    for (size_t i = 0; i < ROWS(bad); i++)
        if (stage_do(&f, "s", "update", bad[i]) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    assert_false(fix_take(&f));
    assert_int_equal(fix_command(&f, IN_PAUSE), 0);
    assert_int_equal(stage_do(&f, "s", "update", "{\"items\":[{\"index\":0}]}"), ERR_CONFLICT);
    fix_close(&f);
}

static void completion_needs_what_is_required(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, BUILD);
    assert_int_equal(stage_do(&f, "s", "update", "{\"items\":[{\"name\":\"code\"}]}"), 0);
    fix_quiet(&f);
    assert_int_equal(stage_do(&f, "s", "complete", "{\"items\":[{\"index\":1}]}"), ERR_CONFLICT);
    assert_str(engine_refusal_json(f.s),
               "{\"missing\":{\"items\":[\"test\"],\"deliverables\":[\"report\"]}}");
    assert_string_equal(
        f.error.text,
        "The stage is not done: 1 required item is open, 1 required deliverable is missing.");
    assert_false(fix_take(&f));
    struct id id = f.s->at->nodes[fix_node(&f, "s")].work->interrupt_id;
    assert_int_equal(stage_do(&f, "s", "complete",
                              "{\"items\":[{\"name\":\"test\"}],\"deliverables\":[{\"name\":"
                              "\"report\",\"value\":{\"url\":\"u\"}}],\"context\":{\"k\":1}}"),
                     0);
    fix_take(&f);
    assert_str(
        f.rows.row.core.output_json,
        "{\"items\":[{\"name\":\"code\",\"required\":true,\"done\":true},"
        "{\"name\":\"ask \\\"Ann\\\"\",\"required\":false,\"done\":false},"
        "{\"name\":\"test\",\"required\":true,\"done\":true}],"
        "\"deliverables\":{\"report\":{\"url\":\"u\"},\"demo\":null},\"context\":{\"k\":1}}");
    assert_str(newest(&f)->status, "answered");
    has(newest(&f)->answer_json, "\"action\":\"complete\"");
    has(newest(&f)->answer_json, "\"reviewer\":\"ann\"");
    struct engine_input late = {.kind = IN_STAGE, .interrupt_id = id, .action = STR("update")};
    assert_int_equal(fix_try(&f, late), ERR_CONFLICT);
    fix_close(&f);
}

/* The command of any suspended node does it too. */
static void an_answer_completes(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, STAGE("deliverables: [report]"));
    assert_int_equal(fix_answer(&f, "s", "approve", NULL), ERR_INVALID);
    assert_int_equal(fix_answer(&f, "s", "complete", NULL), ERR_CONFLICT);
    assert_int_equal(fix_answer(&f, "s", "complete", "{\"deliverables\":{\"report\":1}}"), 0);
    fix_take(&f);
    assert_str(f.rows.row.core.status, "completed");
    fix_close(&f);
}

/* ---- depends_on ---- */

#define THREE                                                                                      \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [a, b, c]}\n"                                                \
    "  a: {type: stage, next_ids: [end]}\n"                                                        \
    "  b: {type: stage, next_ids: [end]}\n"                                                        \
    "  c: {type: stage, properties: {depends_on: [a, b]}, next_ids: [end]}\n"                      \
    "  end: {type: end}\n"

static void stages_wait_for_each_other(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, THREE);
        expect_moves(&f, "=running +start start +a a? +b b?");
        assert_int_equal(stage_do(&f, "b", "complete", NULL), 0);
        expect_moves(&f, "b");
        if (restart)
            fix_restart(&f);
        assert_int_equal(stage_do(&f, "a", "complete", NULL), 0);
        expect_moves(&f, "a +c c?");
        assert_int_equal(stage_do(&f, "c", "complete", NULL), 0);
        expect_moves(&f, "c +end end =completed");
        fix_close(&f);
    }
}

static void stages_that_cannot_be_fail_those_after(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [a, c]}\n"
                 "  a: {type: stage, when: 'false', next_ids: [end]}\n"
                 "  c: {type: stage, properties: {depends_on: [a]}, on_error: end, next_ids: "
                 "[end]}\n"
                 "  end: {type: end}\n");
    expect_moves(&f, "=running +start start a- +c c!dependency_not_met +end end =completed");
    fix_close(&f);
}

/* What it depends on comes later, on another branch. */
static void stages_wait_for_what_is_to_come(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [ask, c]}\n"
                 "  ask: {type: user_input, next_ids: [a]}\n"
                 "  a: {type: stage, next_ids: [end]}\n"
                 "  c: {type: stage, properties: {depends_on: [a]}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    expect_moves(&f, "=running +start start +ask ask?");
    fix_step(&f, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("hi")});
    expect_moves(&f, "ask +a a?");
    assert_int_equal(stage_do(&f, "a", "complete", NULL), 0);
    expect_moves(&f, "a +c c?");
    fix_close(&f);
}

static void bad_dependencies(void **state)
{
    (void)state;
    static const struct {
        const char *nodes, *code, *path;
    } rows[] = {
        {"\"a\":{\"type\":\"stage\",\"properties\":{\"depends_on\":[\"x\"]},\"next_ids\":[\"e\"]}",
         "unknown_node", "nodes.a.properties.depends_on[0]"},
        {"\"a\":{\"type\":\"stage\",\"properties\":{\"depends_on\":[\"e\"]},\"next_ids\":[\"e\"]}",
         "unknown_node", "nodes.a.properties.depends_on[0]"},
        {"\"a\":{\"type\":\"stage\",\"properties\":{\"depends_on\":[\"a\"]},\"next_ids\":[\"e\"]}",
         "cycle", "nodes.a.properties.depends_on[0]"},
        {"\"a\":{\"type\":\"stage\",\"properties\":{\"depends_on\":[\"b\"]},\"next_ids\":[\"t\"]},"
         "\"t\":{\"type\":\"transform\",\"properties\":{\"output\":\"1\"},\"next_ids\":[\"b\"]},"
         "\"b\":{\"type\":\"stage\",\"next_ids\":[\"e\"]}",
         "cycle", "nodes.a.properties.depends_on[0]"},
        {"\"a\":{\"type\":\"parallel\",\"next_ids\":[\"b\",\"c\"]},"
         "\"b\":{\"type\":\"stage\",\"properties\":{\"depends_on\":[\"c\"]},\"next_ids\":[\"e\"]},"
         "\"c\":{\"type\":\"stage\",\"properties\":{\"depends_on\":[\"b\"]},\"next_ids\":[\"e\"]}",
         "cycle", "nodes.b.properties.depends_on[0]"},
        {"\"a\":{\"type\":\"parallel\",\"next_ids\":[\"m\",\"t\"]},"
         "\"m\":{\"type\":\"map\",\"properties\":{\"items\":\"{1}\",\"body\":[\"b\"]},"
         "\"next_ids\":[\"e\"]},\"b\":{\"type\":\"stage\"},"
         "\"t\":{\"type\":\"stage\",\"properties\":{\"depends_on\":[\"b\"]},\"next_ids\":[\"e\"]}",
         "unknown_node", "nodes.t.properties.depends_on[0]"},
        {"\"a\":{\"type\":\"stage\",\"properties\":{\"checklist\":[\"x\",{\"name\":\"x\"}]},"
         "\"next_ids\":[\"e\"]}",
         "duplicate", "nodes.a.properties.checklist[1]"},
        {"\"a\":{\"type\":\"human_review\",\"properties\":{\"reviewers\":[\"x\"],\"quorum\":2},"
         "\"next_ids\":[\"e\"]}",
         "out_of_range", "nodes.a.properties.quorum"},
    };
    struct expr_vm *vm = expr_vm_create();
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[2000];
        struct workflow *w = NULL;
        struct workflow_issues issues;
        snprintf(text, sizeof(text),
                 "{\"nodes\":{\"s\":{\"type\":\"start\",\"next_ids\":[\"a\"]},%s,"
                 "\"e\":{\"type\":\"end\"}}}",
                 rows[i].nodes);
        workflow_issues_init(&issues);
        assert_int_equal(workflow_parse(str_of(text), vm, &w, &issues), ERR_UNPROCESSABLE);
        assert_str(issues.items[0].code, rows[i].code);
        assert_str(issues.items[0].path, rows[i].path);
        workflow_issues_deinit(&issues);
    }
    expr_vm_destroy(vm);
}

/* ---- begun, passed over, begun at ---- */

#define LINE                                                                                       \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [a]}\n"                                                      \
    "  a: {type: stage, properties: {checklist: [x], deliverables: [d]}, next_ids: [b]}\n"         \
    "  b: {type: stage, properties: {condition: 'nodes.a.output.skipped'}, next_ids: [r]}\n"       \
    "  r: {type: human_review, routes: {approve: c, reject: a}}\n"                                 \
    "  c: {type: stage, properties: {allow_skip: false, depends_on: [b]}, next_ids: [end]}\n"      \
    "  end: {type: end, properties: {output: 'nodes.a.output'}}\n"

static int stage_turn(struct fix *f, const char *action, const char *node, const char *reason)
{
    int n = workflow_find(f->wf, str_of(node));
    const struct work *w = n < 0 ? NULL : f->s->at->nodes[n].work;
    return fix_try(f, (struct engine_input){.kind = IN_STAGE,
                                            .node_id = str_of(node),
                                            .interrupt_id = w ? w->interrupt_id : (struct id){{0}},
                                            .action = str_of(action),
                                            .reason = reason ? str_of(reason) : STR_NULL,
                                            .reviewer = STR("ann")});
}

static void a_stage_is_begun_in_its_turn(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, LINE);
    fix_quiet(&f);
    assert_int_equal(stage_turn(&f, "start", "nothing", NULL), ERR_NOT_FOUND);
    assert_int_equal(stage_turn(&f, "start", "r", NULL), ERR_NOT_FOUND);
    assert_int_equal(stage_turn(&f, "start", "c", NULL), ERR_CONFLICT);
    assert_str(
        engine_refusal_json(f.s),
        "{\"missing\":{\"stages\":[{\"node_id\":\"a\",\"name\":\"a\",\"status\":\"suspended\"},"
        "{\"node_id\":\"b\",\"name\":\"b\",\"status\":\"pending\"}],\"nodes\":[{\"node_id\":\"r\","
        "\"name\":\"r\",\"status\":\"pending\"}]}}");
    assert_false(fix_take(&f));
    assert_int_equal(stage_turn(&f, "start", "a", NULL), 0);
    expect(&f, "a stage_progress 0 1\n");
    has(newest(&f)->request_json, "\"started_by\":\"ann\"");
    assert_int_equal(stage_turn(&f, "start", "a", NULL), 0);
    assert_false(fix_take(&f));
    fix_restart(&f);
    assert_int_equal(stage_do(&f, "a", "update", "{\"items\":[{\"name\":\"x\"}]}"), 0);
    has(newest(&f)->request_json, "\"started_by\":\"ann\"");
    assert_int_equal(fix_command(&f, IN_PAUSE), 0);
    assert_int_equal(stage_turn(&f, "start", "a", NULL), ERR_CONFLICT);
    fix_close(&f);
}

static void stages_are_passed_over(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, LINE);
    fix_quiet(&f);
    assert_int_equal(stage_turn(&f, "skip", "a", NULL), ERR_INVALID);
    assert_false(fix_take(&f));
    fix_restart(&f);
    assert_int_equal(stage_turn(&f, "skip", "a", "known"), 0);
    assert_str(newest(&f)->node_id, "b");                   /* whose condition holds now */
    assert_int_equal(stage_turn(&f, "skip", "b", NULL), 0); /* it asks for nothing */
    assert_int_equal(fix_answer(&f, "r", "approve", NULL), 0);
    assert_int_equal(stage_turn(&f, "skip", "c", "no"), ERR_CONFLICT);
    assert_string_equal(session_refusal(f.s), "skip_not_allowed");
    assert_int_equal(fix_answer(&f, "c", "skip", "{\"reason\":\"no\"}"), ERR_CONFLICT);
    assert_int_equal(stage_do(&f, "c", "complete", "{}"), 0);
    fix_take(&f);
    assert_str(
        f.rows.row.core.output_json,
        "{\"skipped\":true,\"reason\":\"known\",\"reviewer\":\"ann\",\"items\":[{\"name\":\"x\","
        "\"required\":true,\"done\":false}],\"deliverables\":{\"d\":null},\"context\":{}}");
    fix_close(&f);
}

static void a_condition_passes_over(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, LINE);
    fix_quiet(&f);
    assert_int_equal(
        stage_do(&f, "a", "complete", "{\"items\":[{\"name\":\"x\"}],\"deliverables\":{\"d\":1}}"),
        0);
    fix_take(&f);
    const struct interrupt_row *row = f.rows.interrupts;
    while (row && !str_eqz(row->node_id, "b"))
        row = row->next;
    assert_non_null(row);
    assert_str(row->status, "answered");
    has(row->answer_json, "\"action\":\"skip\"");
    has(row->answer_json, "\"reason\":\"Its condition does not hold: nodes.a.output.skipped\"");
    assert_int_equal(f.s->at->nodes[fix_node(&f, "b")].status, NODE_COMPLETED);
    fix_restart(&f);
    assert_int_equal(fix_answer(&f, "r", "approve", NULL), 0);
    assert_int_equal(stage_do(&f, "c", "complete", "{}"), 0); /* what it depends on is done */
    assert_int_equal(session_status_of(f.s), SESSION_COMPLETED);
    fix_close(&f);
}

static void a_condition_that_fails(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, STAGE("condition: 'input.topic > 1'"));
    assert_int_equal(session_status_of(f.s), SESSION_FAILED);
    fix_take(&f);
    has(f.rows.row.core.error_json, "invalid_expression");
    fix_close(&f);
}

/* Begun at a stage; NULL: not begun. */
static void fix_open_at(struct fix *f, const char *yaml, const char *stage)
{
    fix_prepare(f, yaml, "{\"topic\":\"Cats\"}", NULL, NULL, false);
    if (stage)
        fix_step(f, (struct engine_input){.kind = IN_START, .node_id = str_of(stage)});
}

static void a_session_begins_at_a_stage(void **state)
{
    (void)state;
    static const char *const unknown[] = {"nothing", "r", "start", ""};
    for (size_t i = 0; i < ROWS(unknown); i++) {
        struct fix f;
        fix_open_at(&f, LINE, NULL);
        assert_int_equal(
            fix_try(&f, (struct engine_input){.kind = IN_START, .node_id = str_of(unknown[i])}),
            ERR_UNPROCESSABLE);
        fix_close(&f);
    }
    struct fix f;
    fix_open_at(&f, LINE, "c");
    expect(&f,
           "session pending>running\n"
           "start pending>running\n"
           "start running>completed {\"topic\":\"Cats\"}\n"
           "a pending>running\n"
           "a running>completed {\"skipped\":true,\"reason\":\"The session began at the stage "
           "\\\"c\\\".\",\"reviewer\":null,\"items\":[{\"name\":\"x\",\"required\":true,\"done\":"
           "false}],\"deliverables\":{\"d\":null},\"context\":{}}\n"
           "b pending>running\n"
           "b running>completed {\"skipped\":true,\"reason\":\"The session began at the stage "
           "\\\"c\\\".\",\"reviewer\":null,\"items\":[],\"deliverables\":{},\"context\":{}}\n"
           "r pending>skipped\n"
           "c pending>running\n"
           "c running>suspended\n"
           "c human_interaction_required \"stage\" [\"complete\"] \"c\"\n");
    has(buf_str(&f.rows.events), "\"begin_at\":\"c\"");
    fix_restart(&f);
    assert_int_equal(stage_do(&f, "c", "complete", "{}"), 0);
    assert_int_equal(session_status_of(f.s), SESSION_COMPLETED);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stage_is_begun_in_its_turn),
        cmocka_unit_test(stages_are_passed_over),
        cmocka_unit_test(a_condition_passes_over),
        cmocka_unit_test(a_condition_that_fails),
        cmocka_unit_test(a_session_begins_at_a_stage),
        cmocka_unit_test(stages_are_told),
        cmocka_unit_test(items_are_ticked_off),
        cmocka_unit_test(bad_changes_change_nothing),
        cmocka_unit_test(completion_needs_what_is_required),
        cmocka_unit_test(an_answer_completes),
        cmocka_unit_test(stages_wait_for_each_other),
        cmocka_unit_test(stages_that_cannot_be_fail_those_after),
        cmocka_unit_test(stages_wait_for_what_is_to_come),
        cmocka_unit_test(bad_dependencies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
