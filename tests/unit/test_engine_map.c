/* Containers: map and sequence. */
#include "engine_fixture.h"

#define START "nodes:\n  start: {type: start, next_ids: [m]}\n  end: {type: end}\n"

/* The scope of an item in which the node stands; of nested maps the first such. */
static struct scope *in_item(struct fix *f, const char *node, int item)
{
    const struct node_def *def = &f->wf->nodes[fix_node(f, node)];
    scopes_foreach(it, f->s)
    {
        struct scope *c = scope_of(it);
        const struct scope *mine = scope_item(c);
        if (c->parent && c->wf == f->wf->nodes[def->owner].inner && mine && (int)mine->item == item)
            return c;
    }
    fail_msg("no item %d of %s runs", item, node);
    return NULL;
}

static struct node_state *item_node(struct fix *f, const char *node, int item)
{
    return &in_item(f, node, item)->nodes[f->wf->nodes[fix_node(f, node)].local];
}

static void item_say(struct fix *f, const char *node, int item, const char *text)
{
    struct id run = item_node(f, node, item)->run_id;
    fix_step(f, (struct engine_input){.kind = IN_CHUNK, .run_id = run, .text = str_of(text)});
    fix_step(f, (struct engine_input){.kind = IN_MODEL_DONE,
                                      .run_id = run,
                                      .finish_reason = STR("stop"),
                                      .model = STR("m"),
                                      .provider = STR("p"),
                                      .input_tokens = 3,
                                      .output_tokens = 5});
}

static void item_break(struct fix *f, const char *node, int item, const char *code)
{
    fix_step(f, (struct engine_input){.kind = IN_RUN_FAILED,
                                      .run_id = item_node(f, node, item)->run_id,
                                      .error_code = str_of(code),
                                      .error_text = STR("It broke."),
                                      .retry_after_ms = -1});
}

/* {"items":[1,2,...]} */
static const char *numbers(unsigned count)
{
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"items\":[1");
    for (unsigned i = 2; i <= count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, ",%u", i);
    snprintf(text + n, sizeof(text) - n, "]}");
    return text;
}

static void expect_output(struct fix *f, const char *text)
{
    assert_int_equal(session_status_of(f->s), SESSION_COMPLETED);
    assert_string_equal(f->s->output.p, text);
    assert_int_equal(f->s->scope_nodes, 0);
}

/* ---- map ---- */

static void test_map_at_once(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, START
             "  m: {type: map, properties: {items: '{3, 4}', body: [sq]}, next_ids: [end]}\n"
             "  sq: {type: transform, properties: {output: map.item * map.item + map.index}}\n");
    expect(&f, "session pending>running\n"
               "start pending>running\n"
               "start running>completed {\"topic\":\"Cats\"}\n"
               "m pending>running\n"
               "sq[0] pending>running\n"
               "sq[0] running>completed 9\n"
               "m stage_progress 1 2\n"
               "sq[1]@2 pending>running\n"
               "sq[1]@2 running>completed 17\n"
               "m stage_progress 2 2\n"
               "m running>completed [9,17]\n"
               "end pending>running\n"
               "end running>completed [9,17]\n"
               "session running>completed [9,17]\n");
    expect_output(&f, "[9,17]");
    fix_close(&f);
}

static const char llm_map[] =
    START "  m: {type: map, properties: {items: '{\"a\", \"b\", \"c\"}', body: [ask, tidy],\n"
          "      max_concurrent: 2}, next_ids: [end]}\n"
          "  ask: {type: llm, properties: {prompt: 'About {{ map.item }}, {{ map.count }}'},\n"
          "        next_ids: [tidy]}\n"
          "  tidy: {type: transform, properties: {output: nodes.ask.output .. map.index}}\n";

static void test_map_order_and_room(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, llm_map);
    expect_moves(&f, "=running +start start +m +ask[0] +ask[1]@2");
    item_say(&f, "ask", 1, "two");
    expect_moves(&f, "ask[1]@2 +tidy[1] tidy[1] +ask[2]@3");
    item_say(&f, "ask", 2, "three");
    expect_moves(&f, "ask[2]@3 +tidy[2]@2 tidy[2]@2");
    item_say(&f, "ask", 0, "one");
    expect_moves(&f, "ask[0] +tidy[0]@3 tidy[0]@3 m +end end =completed");
    expect_output(&f, "[\"one0\",\"two1\",\"three2\"]");
    fix_close(&f);
}

static void test_map_items_wrong(void **state)
{
    static const char *const items[] = {"'\"text\"'", "input", "array()"};
    static const char *const says[] = {"invalid_items", "invalid_items", ""};
    char yaml[600];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fix f;
        snprintf(yaml, sizeof(yaml),
                 START "  m: {type: map, properties: {items: %s, body: [x]}, next_ids: [end]}\n"
                       "  x: {type: transform, properties: {output: '1'}}\n",
                 items[i]);
        fix_open(&f, yaml);
        if (says[i][0]) {
            expect_moves(&f, "=running +start start +m m!invalid_items =failed");
        } else {
            expect_moves(&f, "=running +start start +m m +end end =completed");
            expect_output(&f, "[]");
        }
        fix_close(&f);
    }
}

static void test_map_too_many(void **state)
{
    struct fix f;
    (void)state;
    fix_open_with(&f,
                  START "  m: {type: map, properties: {items: input.items, body: [x]},\n"
                        "      next_ids: [end]}\n"
                        "  x: {type: transform, properties: {output: '1'}}\n",
                  numbers(1001), false);
    fix_take(&f);
    assert_int_equal(session_status_of(f.s), SESSION_FAILED);
    fix_close(&f);
}

/* ---- items that fail ---- */

static void test_item_fails(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, llm_map);
    fix_quiet(&f);
    item_break(&f, "ask", 1, "rate_limited");
    expect(&f, "ask[1]@2 running>failed rate_limited\n"
               "ask[0] running>failed cancelled\n"
               "m running>failed rate_limited\n"
               "session running>failed rate_limited\n");
    assert_string_equal(f.s->error.p, "{\"code\":\"rate_limited\",\"message\":\"Item 1, node "
                                      "\\\"ask\\\": It broke.\",\"node_id\":\"m\"}");
    fix_close(&f);
}

static void item_error_policy(const char *policy, const char *output)
{
    struct fix f;
    char yaml[1000];
    snprintf(yaml, sizeof(yaml),
             START "  m: {type: map, properties: {items: '{1, 2, 3}', body: [ask, par, p, q],\n"
                   "      on_item_error: %s}, next_ids: [end]}\n"
                   "  par: {type: parallel, next_ids: [p, q]}\n"
                   "  p: {type: wait, properties: {duration_ms: 5000}}\n"
                   "  q: {type: llm, properties: {prompt: x}}\n"
                   "  ask: {type: llm, properties: {prompt: x}, next_ids: [par]}\n",
             policy);
    fix_open(&f, yaml);
    for (int i = 0; i < 3; i++)
        item_say(&f, "ask", i, "x");
    fix_quiet(&f);
    item_say(&f, "q", 0, "zero");
    item_break(&f, "q", 1, "broken");
    expect_moves(&f, "q[0] q[1]@2!broken p[1]@2!cancelled");
    item_say(&f, "q", 2, "two");
    fix_fire(&f);
    fix_fire(&f);
    expect_output(&f, output);
    fix_close(&f);
}

static void test_item_error_tolerated(void **state)
{
    (void)state;
    item_error_policy("'null'", "[{\"p\":{\"waited_ms\":5000},\"q\":\"zero\"},null,"
                                "{\"p\":{\"waited_ms\":5000},\"q\":\"two\"}]");
    item_error_policy("drop", "[{\"p\":{\"waited_ms\":5000},\"q\":\"zero\"},"
                              "{\"p\":{\"waited_ms\":5000},\"q\":\"two\"}]");
}

static void test_map_retried_and_tolerated(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, START "  m: {type: map, properties: {items: '{1, 2}', body: [ask]},\n"
                       "      retry: {max_attempts: 2, initial_ms: 0}, on_error: continue,\n"
                       "      next_ids: [end]}\n"
                       "  ask: {type: llm, properties: {prompt: x}}\n");
    fix_quiet(&f);
    item_break(&f, "ask", 0, "broken");
    expect_moves(&f, "ask[0]!broken ask[1]@2!cancelled m!broken +m#2 +ask[0]@3 +ask[1]@4");
    item_break(&f, "ask", 1, "broken");
    expect_moves(&f, "ask[1]@4!broken ask[0]@3!cancelled m#2!broken +end end =completed");
    expect_output(&f, "null");
    fix_close(&f);
}

static void test_map_times_out(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f,
             START "  m: {type: map, timeout_ms: 100, properties: {items: '{1}', body: [ask]},\n"
                   "      next_ids: [end]}\n"
                   "  ask: {type: llm, properties: {prompt: x}}\n");
    fix_quiet(&f);
    fix_fire(&f);
    expect_moves(&f, "ask[0]!cancelled m!timeout =failed");
    expect_effects(&f, "clear cancel break");
    fix_close(&f);
}

/* ---- graphs inside ---- */

static void test_graph_inside(void **state)
{
    struct fix f;
    (void)state;
    fix_open(
        &f,
        "vars: {n: 0}\n" START
        "  m: {type: map, properties: {items: '{10, 20}', body: [l, step, out]},\n"
        "      next_ids: [end]}\n"
        "  l: {type: loop, properties: {max_rounds: 2}, next_ids: [step, out]}\n"
        "  step: {type: transform, properties: {output: map.item + loop.round}, next_ids: [l]}\n"
        "  out: {type: transform, properties: {output: nodes.step.output}}\n");
    expect_output(&f, "[12,22]");
    fix_close(&f);
}

static void test_switch_and_skips_inside(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, START
             "  m: {type: map, properties: {items: '{1, 2, 3}', body: [s, odd, even, add]},\n"
             "      next_ids: [end]}\n"
             "  s: {type: switch, properties: {cases: [{when: map.item % 2 == 1, to: odd}],\n"
             "      default: even}}\n"
             "  odd: {type: transform, when: map.item < 3, properties: {output: '\"odd\"'},\n"
             "        next_ids: [add]}\n"
             "  even: {type: transform, properties: {output: '\"even\"'}, next_ids: [add]}\n"
             "  add: {type: transform, properties: {output: nodes.s.output.to .. map.index}}\n");
    expect_output(&f, "[\"odd0\",\"even1\",null]");
    fix_close(&f);
}

static void test_goto_on_error_ends_item(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, START "  m: {type: map, properties: {items: '{1, 2}', body: [ask, plan_b]},\n"
                       "      next_ids: [end]}\n"
                       "  ask: {type: llm, properties: {prompt: x}, on_error: plan_b}\n"
                       "  plan_b: {type: transform, properties: {output: '\"b\"'}}\n");
    item_say(&f, "ask", 0, "well");
    item_break(&f, "ask", 1, "broken");
    expect_output(&f, "[\"well\",\"b\"]");
    fix_close(&f);
}

static void test_nested_maps(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, START
             "  m: {type: map, properties: {items: '{{1, 2}, array(), {3}}', body: [pre, inner]},\n"
             "      next_ids: [end]}\n"
             "  pre: {type: transform, properties: {output: map.index * 100}, next_ids: [inner]}\n"
             "  inner: {type: map, properties: {items: map.item, body: [x]}}\n"
             "  x: {type: transform, properties: {output: nodes.pre.output + map.item}}\n");
    expect_output(&f, "[[1,2],[],[203]]");
    fix_close(&f);
}

/* A back edge that resets a map while its items run. */
static void test_map_superseded(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, "nodes:\n  start: {type: start, next_ids: [p]}\n  end: {type: end}\n"
                 "  p: {type: parallel, next_ids: [m, r]}\n"
                 "  m: {type: map, properties: {items: '{1, 2}', body: [ask]}, next_ids: [j]}\n"
                 "  ask: {type: llm, properties: {prompt: x}}\n"
                 "  r: {type: human_review, routes: {approve: j, reject: p}}\n"
                 "  j: {type: transform, properties: {output: '1'}, next_ids: [end]}\n");
    fix_quiet(&f);
    assert_int_equal(fix_answer(&f, "r", "reject", NULL), 0);
    expect_moves(&f, "r ask[0]!superseded ask[1]@2!superseded m!superseded +p@2 p@2 +m@2 "
                     "+r@2 r@2? +ask[0]@3 +ask[1]@4");
    item_say(&f, "ask", 0, "x");
    item_say(&f, "ask", 1, "y");
    assert_int_equal(fix_answer(&f, "r", "approve", NULL), 0);
    expect_output(&f, "1");
    fix_close(&f);
}

/* ---- people inside ---- */

static void test_reviews_inside(void **state)
{
    struct fix f;
    struct engine_input in = {.kind = IN_RESUME_NODE,
                              .node_id = STR("r"),
                              .action = STR("approve"),
                              .data_json = STR("2")};
    (void)state;
    fix_open(&f,
             START "  m: {type: map, properties: {items: '{\"a\", \"b\"}', body: [r]},\n"
                   "      next_ids: [end]}\n"
                   "  r: {type: human_review, properties: {prompt: 'Is {{ map.item }} good?'}}\n");
    fix_quiet(&f);
    assert_non_null(strstr(f.rows.row.core.waiting_json.p, "\"item\":1"));
    fix_restart(&f);
    in.interrupt_id = item_node(&f, "r", 1)->work->interrupt_id;
    fix_step(&f, in);
    assert_int_equal(fix_try(&f, in), ERR_CONFLICT); /* answered already */
    expect_moves(&f, "r[1]@2");
    assert_int_equal(fix_answer(&f, "r", "reject", "1"), 0); /* whichever waits */
    expect_output(&f, "[{\"action\":\"reject\",\"data\":1,\"reviewer\":\"ann\"},"
                      "{\"action\":\"approve\",\"data\":2,\"reviewer\":null}]");
    fix_close(&f);
}

static void test_inputs_inside(void **state)
{
    struct fix f;
    struct engine_input in = {.kind = IN_USER_INPUT, .content = STR("first")};
    (void)state;
    fix_open(&f,
             START "  m: {type: map, properties: {items: '{1, 2}', body: [q]}, next_ids: [end]}\n"
                   "  q: {type: user_input}\n");
    fix_step(&f, in);
    in.content = STR("second");
    fix_step(&f, in);
    expect_output(&f, "[\"first\",\"second\"]");
    fix_close(&f);
}

/* ---- sequence ---- */

static const char steps[] =
    "nodes:\n  start: {type: start, next_ids: [s]}\n  end: {type: end}\n"
    "  s: {type: sequence, properties: {steps: [a, m, z]}, next_ids: [end]}\n"
    "  a: {type: llm, properties: {prompt: x}}\n"
    "  m: {type: map, properties: {items: '{1, 2}', body: [x]}}\n"
    "  x: {type: transform, properties: {output: nodes.a.output .. map.item}}\n"
    "  z: {type: transform, properties: {output: 'nodes.m.output[2]'}}\n";

static void test_sequence(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, steps);
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_CHUNK,
                                       .run_id = f.rows.runs->next->next->run_id,
                                       .text = STR("A")});
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_MODEL_DONE,
                                       .run_id = f.rows.runs->next->next->run_id,
                                       .input_tokens = -1,
                                       .output_tokens = -1});
    fix_take(&f);
    assert_non_null(strstr(fix_text(&f.lines), "s stage_progress 1 3\n"));
    assert_non_null(strstr(fix_text(&f.lines), "m stage_progress 2 2\n"));
    assert_non_null(strstr(fix_text(&f.lines), "s stage_progress 3 3\n"));
    assert_non_null(strstr(fix_text(&f.lines),
                           "s running>completed {\"a\":\"A\",\"m\":[\"A1\",\"A2\"],\"z\":\"A2\"}"));
    expect_output(&f, "{\"a\":\"A\",\"m\":[\"A1\",\"A2\"],\"z\":\"A2\"}");
    fix_close(&f);
}

static void test_sequence_step_fails(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f,
             "nodes:\n  start: {type: start, next_ids: [s]}\n  end: {type: end}\n"
             "  s: {type: sequence, properties: {steps: [a, b]}, on_error: fix, next_ids: [end]}\n"
             "  a: {type: transform, properties: {output: 'error(\"no\")'}, on_error: continue}\n"
             "  b: {type: transform, properties: {output: 'input.x.y'}}\n"
             "  fix: {type: transform, properties: {output: nodes.s.status}, next_ids: [end]}\n");
    expect_output(&f, "\"failed\"");
    fix_close(&f);
}

/* ---- pause, restart ---- */

static void test_paused_inside(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, llm_map);
    fix_quiet(&f);
    fix_chunk(&f, "start", ""); /* of no run that is current: ignored */
    struct id run = item_node(&f, "ask", 0)->run_id;
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_step(&f, (struct engine_input){.kind = IN_CHUNK, .run_id = run, .text = STR("one")});
    fix_step(&f,
             (struct engine_input){
                 .kind = IN_MODEL_DONE, .run_id = run, .input_tokens = -1, .output_tokens = -1});
    expect_moves(&f, "=paused");
    fix_restart(&f);
    expect_moves(&f, "");
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect_moves(&f, "=running ask[1]@2!interrupted +ask[1]@2#2 ask[0] +tidy[0] tidy[0] +ask[2]@3");
    item_say(&f, "ask", 1, "two");
    item_say(&f, "ask", 2, "three");
    expect_output(&f, "[\"one0\",\"two1\",\"three2\"]");
    fix_close(&f);
}

static void test_restart_anywhere(void **state)
{
    struct fix f;
    (void)state;
    fix_open(
        &f, START
        "  m: {type: map, properties: {items: '{{1, 2}, {3}}', body: [pre, w, inner, out]},\n"
        "      next_ids: [end]}\n"
        "  pre: {type: transform, properties: {output: map.index * 100}, next_ids: [w]}\n"
        "  w: {type: wait, properties: {duration_ms: 50}, next_ids: [inner]}\n"
        "  inner: {type: map, properties: {items: map.item, body: [x, y], max_concurrent: 1},\n"
        "          next_ids: [out]}\n"
        "  x: {type: transform, properties: {output: nodes.pre.output + map.item}, next_ids: [y]}\n"
        "  y: {type: wait, properties: {duration_ms: 10}, next_ids: []}\n"
        "  out: {type: transform, properties: {output: '{nodes.pre.output, "
        "len(nodes.inner.output)}'}}\n");
    for (int i = 0; session_status_of(f.s) == SESSION_RUNNING; i++) {
        assert_true(i < 100);
        fix_restart(&f);
        if (i % 2) { /* frozen timers are written elsewhere */
            fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
            fix_restart(&f);
            fix_step(&f, (struct engine_input){.kind = IN_RESUME});
        }
        fix_fire(&f);
    }
    expect_output(&f, "[[0,2],[100,1]]");
    fix_close(&f);
}

static void test_cancelled_inside(void **state)
{
    struct fix f;
    (void)state;
    fix_open(&f, llm_map);
    fix_quiet(&f);
    assert_int_equal(fix_command(&f, IN_CANCEL), 0);
    expect_moves(&f, "ask[0]!cancelled ask[1]@2!cancelled m!cancelled =cancelled");
    expect_effects(&f, "cancel cancel break");
    assert_int_equal(f.s->scope_nodes, 0);
    fix_close(&f);
}

/* ---- memory ---- */

static void test_memory_goes_with_items(void **state)
{
    struct fix f;
    size_t most = 0, now;
    (void)state;
    fix_open_with(&f,
                  START "  m: {type: map, properties: {items: input.items, max_concurrent: 2,\n"
                        "      body: [w]}, next_ids: [end]}\n"
                        "  w: {type: wait, properties: {duration_ms: 1}}\n",
                  numbers(1000), false);
    for (int i = 0; session_status_of(f.s) == SESSION_RUNNING; i++) {
        fix_fire(&f);
        fix_forget(&f.lines);
        fix_forget(&f.brief);
        assert_true(f.s->scope_nodes <= 2);
        now = session_bytes(f.s);
        most = now > most ? now : most;
    }
    assert_int_equal(session_status_of(f.s), SESSION_COMPLETED);
    assert_true(most < 300000);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_at_once),
        cmocka_unit_test(test_map_order_and_room),
        cmocka_unit_test(test_map_items_wrong),
        cmocka_unit_test(test_map_too_many),
        cmocka_unit_test(test_item_fails),
        cmocka_unit_test(test_item_error_tolerated),
        cmocka_unit_test(test_map_retried_and_tolerated),
        cmocka_unit_test(test_map_times_out),
        cmocka_unit_test(test_graph_inside),
        cmocka_unit_test(test_switch_and_skips_inside),
        cmocka_unit_test(test_goto_on_error_ends_item),
        cmocka_unit_test(test_nested_maps),
        cmocka_unit_test(test_map_superseded),
        cmocka_unit_test(test_reviews_inside),
        cmocka_unit_test(test_inputs_inside),
        cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_sequence_step_fails),
        cmocka_unit_test(test_paused_inside),
        cmocka_unit_test(test_restart_anywhere),
        cmocka_unit_test(test_cancelled_inside),
        cmocka_unit_test(test_memory_goes_with_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
