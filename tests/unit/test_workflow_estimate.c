#include "engine_fixture.h"

#include "engine/workflow_estimate.h"

struct est {
    struct expr_vm *vm;
    struct workflow *wf;
    struct buf out;
    struct json root;
};

/* 1 dollar for a million tokens in, 2 for a million out; of model "dear" the tenfold. */
static bool price(const void *data, struct str provider, struct str model, struct price *out)
{
    (void)data, (void)provider;
    if (str_eqz(model, "secret"))
        return false;
    int64_t unit = str_eqz(model, "dear") ? 10000000 : 1000000;
    *out = (struct price){unit, 2 * unit};
    return true;
}
static const struct engine_rules rules = {.price = price};

/* Who is stored. */
static struct json agent_of(void *data, struct str id)
{
    (void)data;
    if (str_eqz(id, "ada")) /* a persona of 92 bytes, which is no template */
        return json_root(
            STR("{\"persona\":\"{{ nonsense }} 45678901234567890123456789012345678901234"
                "567890123456789012345678901234567890\",\"model\":[\"dear\",\"x\"],"
                "\"max_tokens\":50}"));
    if (str_eqz(id, "tim"))
        return json_root(
            STR("{\"persona\":\"1234\",\"tools\":[\"web_search\"],\"max_tool_rounds\":2}"));
    return JSON_ABSENT;
}

static void est_open(struct est *t, const char *yaml, const char *input)
{
    struct errbuf e = {{0}};
    t->vm = expr_vm_create();
    t->wf = fix_parse(t->vm, yaml);
    buf_init(&t->out, 4u << 20);
    struct estimate_params p = {
        .vm = t->vm, .input_json = str_of(input), .rules = &rules, .agent = agent_of};
    workflow_estimate_write(t->wf, &p, &t->out);
    if (json_check(buf_str(&t->out), NULL, &e))
        fail_msg("%s in %s", e.text, t->out.data);
    t->root = json_root(buf_str(&t->out));
}

static void est_close(struct est *t)
{
    buf_deinit(&t->out);
    workflow_unref(t->wf);
    expr_vm_destroy(t->vm);
}

static double number(struct json v, const char *key)
{
    double d = -1;
    json_double(json_get(v, key), &d);
    return d;
}

static struct json element(struct json list, const char *key, const char *id)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (json_string_eq(json_get(it.value, key), id))
            return it.value;
    return JSON_ABSENT;
}
static struct json node_of(const struct est *t, const char *id)
{
    return element(json_get(t->root, "nodes"), "node_id", id);
}
static double runs(const struct est *t, const char *id)
{
    return number(node_of(t, id), "runs");
}
static double input_of(const struct est *t, const char *id)
{
    return number(json_get(node_of(t, id), "tokens"), "input");
}
static double output_of(const struct est *t, const char *id)
{
    return number(json_get(node_of(t, id), "tokens"), "output");
}
static bool warned(const struct est *t, const char *code)
{
    return json_exists(element(json_get(t->root, "warnings"), "code", code));
}

static void test_one_call(void **state)
{
    (void)state;
    struct est t;
    est_open(&t,
             "nodes:\n"
             "  start: {type: start, next_ids: [a]}\n"
             "  a: {type: llm, properties: {system: 'Be kind', prompt: 'Greet {{ input.name }}',\n"
             "      max_tokens: 100}, next_ids: [b]}\n"
             "  b: {type: llm, properties: {prompt: '{{ nodes.a.output }}'}, next_ids: [end]}\n"
             "  end: {type: end}\n",
             "{\"name\":\"0123456789\"}");
    /* 2 tokens and 4 around them; 6 + 10 letters are 2 + 3 tokens and 4 around them. */
    assert_int_equal(input_of(&t, "a"), 2 + 4 + 2 + 3 + 4);
    assert_int_equal(output_of(&t, "a"), 100);
    assert_int_equal(input_of(&t, "b"), 100 + 4);
    assert_int_equal(output_of(&t, "b"), 300);
    assert_int_equal(number(json_get(t.root, "tokens"), "total"), 15 + 100 + 104 + 300);
    assert_true(number(t.root, "cost_usd") > 0.00091 && number(t.root, "cost_usd") < 0.00092);
    assert_int_equal(number(t.root, "seconds"), 9); /* 2 * 0.6 + 400 / 50 */
    assert_int_equal(runs(&t, "end"), 1);
    assert_int_equal(json_length(json_get(t.root, "warnings")), 0);
    est_close(&t);
}

static const char nested[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [outer]}\n"
    "  outer: {type: loop, properties: {max_rounds: 3}, next_ids: [a, end]}\n"
    "  a: {type: llm, properties: {prompt: a, model: dear}, next_ids: [inner]}\n"
    "  inner: {type: loop, properties: {max_rounds: 4}, next_ids: [b, c]}\n"
    "  b: {type: agent, properties: {persona: p, agent_id: ada, prompt: \"{{ nodes.c.output "
    "}}\"},\n"
    "      next_ids: [inner]}\n"
    "  c: {type: llm, properties: {prompt: c}, next_ids: [outer]}\n"
    "  end: {type: end, properties: {prompt: e}}\n";

/* Defect 11: cost uses the model that really ran, and counts loops. */
static void test_defect_11_loops_multiply(void **state)
{
    (void)state;
    struct est t;
    est_open(&t, nested, NULL);
    assert_int_equal(runs(&t, "a"), 3);
    assert_int_equal(runs(&t, "b"), 12);
    assert_int_equal(runs(&t, "c"), 3);
    assert_int_equal(runs(&t, "end"), 1);
    assert_int_equal(output_of(&t, "b"), 12 * 300);
    /* In a later round it sees what c said in the one before. */
    assert_int_equal(input_of(&t, "b"), 12 * (1 + 4 + 300 + 4));
    struct json agent = element(json_get(t.root, "agents"), "agent_id", "ada");
    assert_int_equal(number(agent, "runs"), 12);
    /* The dear model costs the tenfold. */
    double a = number(node_of(&t, "a"), "cost_usd"), c = number(node_of(&t, "c"), "cost_usd");
    assert_true(a > c * 9.99 && a < c * 10.01);
    est_close(&t);
}

static const char routed[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [s]}\n"
    "  s: {type: switch, properties: {cases: [{when: input.kind == 'short', to: short},\n"
    "      {when: input.kind == 'long', to: long}], default: none}}\n"
    "  short: {type: llm, properties: {prompt: p, max_tokens: 10}, next_ids: [end]}\n"
    "  long: {type: llm, properties: {prompt: p, max_tokens: 1000}, next_ids: [t]}\n"
    "  t: {type: switch, properties: {cases: [{when: nodes.long.output == 'x', to: x}],\n"
    "      default: y}}\n"
    "  x: {type: llm, properties: {prompt: p, max_tokens: 5}, next_ids: [end]}\n"
    "  y: {type: llm, properties: {prompt: p, max_tokens: 7}, next_ids: [end]}\n"
    "  none: {type: transform, properties: {output: \"'none'\"}, next_ids: [end]}\n"
    "  end: {type: end}\n";

static void test_the_way_that_the_input_tells(void **state)
{
    (void)state;
    struct est t;
    est_open(&t, routed, "{\"kind\":\"short\"}");
    assert_int_equal(number(json_get(t.root, "tokens"), "output"), 10);
    assert_int_equal(runs(&t, "long"), 0);
    assert_int_equal(runs(&t, "y"), 0);
    assert_false(warned(&t, "one_way"));
    est_close(&t);
    est_open(&t, routed, "{\"kind\":\"other\"}");
    assert_int_equal(number(json_get(t.root, "tokens"), "output"), 0);
    assert_int_equal(runs(&t, "none"), 1);
    est_close(&t);
}

static void test_else_the_dearest_way(void **state)
{
    (void)state;
    struct est t;
    /* No input: `kind` is not known; and what `long` says never is. */
    est_open(&t, routed, NULL);
    assert_true(warned(&t, "one_way"));
    assert_int_equal(runs(&t, "short"), 0);
    assert_int_equal(runs(&t, "long"), 1);
    assert_int_equal(runs(&t, "x"), 0);
    assert_int_equal(runs(&t, "y"), 1);
    assert_int_equal(number(json_get(t.root, "tokens"), "output"), 1007);
    est_close(&t);
}

static const char mapped[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [each]}\n"
    "  each: {type: map, properties: {items: input.items, body: [l, a, s], max_concurrent: 2},\n"
    "         next_ids: [z]}\n"
    "  l: {type: loop, properties: {max_rounds: 4}, next_ids: [a, s]}\n"
    "  a: {type: llm, properties: {prompt: '{{ map.item }}', max_tokens: 50}, next_ids: [l]}\n"
    "  s: {type: sequence, properties: {steps: [x, y]}}\n"
    "  x: {type: llm, properties: {prompt: p, max_tokens: 10}}\n"
    "  y: {type: llm, properties: {prompt: '{{ nodes.x.output }}', max_tokens: 10}}\n"
    "  z: {type: llm, properties: {prompt: p, max_tokens: 5}, next_ids: [end]}\n"
    "  end: {type: end}\n";

static void test_maps_count_their_items(void **state)
{
    (void)state;
    struct est t;
    est_open(&t, mapped, "{\"items\":[\"12345678\",2,3]}");
    assert_int_equal(runs(&t, "each"), 1);
    assert_int_equal(runs(&t, "a"), 3 * 4);
    assert_int_equal(runs(&t, "x"), 3);
    assert_int_equal(runs(&t, "y"), 3);
    assert_int_equal(runs(&t, "z"), 1);
    assert_int_equal(input_of(&t, "a"), 12 * (2 + 4));
    assert_int_equal(input_of(&t, "y"), 3 * (10 + 4));
    assert_false(warned(&t, "items_assumed"));
    /* Two waves of four times 1.6 s and twice 0.8 s, then 0.7 s. */
    assert_int_equal(number(t.root, "seconds") * 10 + 0.5, 2 * (64 + 16) + 7);
    est_close(&t);
    est_open(&t, mapped, NULL);
    assert_int_equal(runs(&t, "a"), 10 * 4);
    assert_true(warned(&t, "items_assumed"));
    est_close(&t);
}

static void test_agents_with_tools_count_their_rounds(void **state)
{
    (void)state;
    struct est t;
    est_open(&t,
             "nodes:\n"
             "  start: {type: start, next_ids: [a]}\n"
             "  a: {type: agent, properties: {persona: p, prompt: q, max_tokens: 10,\n"
             "      tools: [{tool: http}], max_tool_rounds: 2}, next_ids: [end]}\n"
             "  end: {type: end}\n",
             "{}");
    assert_true(warned(&t, "tool_rounds"));
    assert_int_equal(number(node_of(&t, "a"), "calls"), 3);
    assert_true(input_of(&t, "a") > 3 * 10 + 230 * 3);
    est_close(&t);
}

/* Each voter is asked, by its own model. */
static void test_what_the_input_tells_of_a_loop(void **state)
{
    (void)state;
    struct est t;
    static const char loop[] =
        "nodes:\n"
        "  start: {type: start, next_ids: [l]}\n"
        "  l: {type: loop, properties: {max_rounds: 100, exit_when: 'loop.round >= #input.n'},\n"
        "      next_ids: [a, end]}\n"
        "  a: {type: llm, properties: {prompt: p}, next_ids: [l]}\n"
        "  end: {type: end}\n";
    est_open(&t, loop, "{\"n\":[1,2,3]}");
    assert_int_equal(runs(&t, "a"), 3);
    est_close(&t);
    est_open(&t, loop, NULL);
    assert_int_equal(runs(&t, "a"), 100);
    est_close(&t);
}

/* A schema tells how long an answer is, and how many items it has at most. */
static void test_what_a_schema_tells(void **state)
{
    (void)state;
    struct est t;
    est_open(
        &t,
        "nodes:\n"
        "  start: {type: start, next_ids: [p]}\n"
        "  p: {type: llm, properties: {prompt: p, response_schema: {type: object, properties:\n"
        "      {tasks: {type: array, maxItems: 4, items: {type: string}}}}}, next_ids: [m]}\n"
        "  m: {type: map, properties: {items: nodes.p.output.tasks, body: [w]},\n"
        "      next_ids: [end]}\n"
        "  w: {type: llm, properties: {prompt: '{{ map.item }}'}}\n"
        "  end: {type: end}\n",
        "{}");
    assert_true(output_of(&t, "p") > 20 && output_of(&t, "p") < 60);
    assert_int_equal(runs(&t, "w"), 4);
    assert_true(warned(&t, "items_assumed"));
    est_close(&t);
}

static void test_votes_count_their_voters(void **state)
{
    (void)state;
    struct est t;
    est_open(
        &t,
        "nodes:\n"
        "  start: {type: start, next_ids: [ann]}\n"
        "  ann: {type: agent, properties: {persona: p, model: dear, prompt: q}, next_ids: [v]}\n"
        "  v: {type: vote, properties: {voters: [ann, {name: bob, persona: p}, cy],\n"
        "      question: '12345678'}, next_ids: [f]}\n"
        "  f: {type: fact_check, properties: {text: t, max_claims: 3, max_queries: 1},\n"
        "      next_ids: [c]}\n"
        "  c: {type: context_synth, properties: {max_tokens: 100}, next_ids: [end]}\n"
        "  end: {type: end}\n",
        "{}");
    assert_int_equal(number(node_of(&t, "v"), "calls"), 3);
    assert_int_equal(input_of(&t, "v"), 3 * (120 + 2) + 1 + 1);
    assert_int_equal(output_of(&t, "v"), 3 * 80);
    struct json agents = json_get(t.root, "agents");
    double ann = number(element(agents, "agent_id", "ann"), "runs");
    assert_int_equal(ann, 2); /* it speaks, and votes */
    /* One of three at ten times the price. */
    double usd = number(node_of(&t, "v"), "cost_usd");
    assert_true(usd > 12 * (122 + 160) / 1e6 * 0.99 && usd < 12 * (123 + 160) / 1e6 * 1.01);
    assert_int_equal(number(node_of(&t, "f"), "calls"), 1 + 3);
    assert_int_equal(output_of(&t, "f"), 3 * 40 + 3 * 80);
    assert_int_equal(output_of(&t, "c"), 100);
    est_close(&t);
}

static void test_stored_agents_bring_their_own(void **state)
{
    (void)state;
    struct est t;
    est_open(&t,
             "nodes:\n"
             "  start: {type: start, next_ids: [a]}\n"
             "  a: {type: agent, properties: {agent_id: ada, prompt: '1234'}, next_ids: [b]}\n"
             "  b: {type: agent, properties: {agent_id: ada, prompt: '1234', model: cheap,\n"
             "      max_tokens: 7}, next_ids: [c]}\n"
             "  c: {type: agent, properties: {agent_id: tim, prompt: '1234'}, next_ids: [v]}\n"
             "  v: {type: vote, properties: {voters: [ada, zoe], question: '1234'},\n"
             "      next_ids: [end]}\n"
             "  end: {type: end}\n",
             "{}");
    assert_int_equal(input_of(&t, "a"), 4 + 23 + 4 + 1);
    assert_int_equal(output_of(&t, "a"), 50);
    assert_int_equal(output_of(&t, "b"), 7);
    assert_true(number(node_of(&t, "a"), "cost_usd") > 5 * number(node_of(&t, "b"), "cost_usd"));
    assert_int_equal(number(node_of(&t, "c"), "calls"), 3);
    assert_int_equal(input_of(&t, "v"), 2 * (120 + 1) + 23);
    assert_non_null(strstr(t.out.data, "{\"node_id\":\"v\",\"code\":\"unknown_agent\""));
    est_close(&t);
}

static void test_what_is_not_counted_is_said(void **state)
{
    (void)state;
    struct est t;
    est_open(&t,
             "nodes:\n"
             "  start: {type: start, next_ids: [a]}\n"
             "  a: {type: llm, properties: {prompt: p, model: secret}, next_ids: [r],\n"
             "      retry: {max_attempts: 4}, on_error: sorry}\n"
             "  sorry: {type: llm, properties: {prompt: p}, next_ids: [end]}\n"
             "  r: {type: human_review, routes: {approve: b, reject: a}}\n"
             "  b: {type: llm, when: input.b, properties: {prompt: p}, next_ids: [end]}\n"
             "  end: {type: end}\n",
             "{\"b\":false}");
    static const char *const codes[] = {"retries", "on_error", "sends_back",
                                        "waits",   "left_out", "no_price"};
    for (size_t i = 0; i < ROWS(codes); i++)
        if (!warned(&t, codes[i]))
            fail_msg("no warning %s in %s", codes[i], t.out.data);
    assert_int_equal(runs(&t, "sorry"), 0);
    assert_int_equal(runs(&t, "b"), 0);
    assert_int_equal(json_type(json_get(t.root, "cost_usd")), JSON_NULL);
    assert_int_equal(json_type(json_get(node_of(&t, "a"), "cost_usd")), JSON_NULL);
    est_close(&t);
}

static void test_input_from_the_schema(void **state)
{
    (void)state;
    struct est t;
    est_open(&t,
             "input_schema: {type: object, properties: {a: {type: string, default: '12345678'},\n"
             "  n: {type: integer}, w: {enum: [abcd, b]}}}\n"
             "vars: {v: abcdefgh}\n"
             "nodes:\n"
             "  start: {type: start, next_ids: [x]}\n"
             "  x: {type: transform, properties: {output: {k: input.w .. vars.v}, vars: {u: "
             "input.a}},\n"
             "      next_ids: [l]}\n"
             "  l: {type: llm, properties: {prompt: '{{ input.a }}{{ input.n }}{{ nodes.x.output.k "
             "}}{{ vars.u }}'},\n"
             "      next_ids: [end]}\n"
             "  end: {type: end}\n",
             NULL);
    assert_true(warned(&t, "no_input"));
    assert_int_equal(input_of(&t, "l"), 2 + 1 + 3 + 2 + 4);
    est_close(&t);
}

static void test_costly_expressions_are_given_up(void **state)
{
    (void)state;
    struct est t;
    struct buf yaml;
    buf_init(&yaml, 1u << 20);
    buf_append_z(&yaml, "nodes:\n  start: {type: start, next_ids: [n0]}\n");
    for (int i = 0; i < 200; i++)
        buf_printf(&yaml,
                   "  n%d: {type: llm, properties: {prompt: \"{{ (function() local x = %d while "
                   "true do x = x + 1 end end)() }}\"}, next_ids: [n%d]}\n",
                   i, i, i + 1);
    buf_append_z(&yaml, "  n200: {type: end}\n");
    est_open(&t, yaml.data, "{}");
    assert_int_equal(input_of(&t, "n199"), 16 + 4);
    est_close(&t);
    buf_deinit(&yaml);
}

/* Twenty loops of 1,000 rounds in each other. */
static void test_sums_stay_finite(void **state)
{
    (void)state;
    struct est t;
    struct buf yaml;
    buf_init(&yaml, 1u << 20);
    buf_append_z(&yaml, "nodes:\n  start: {type: start, next_ids: [l0]}\n");
    for (int i = 0; i < 20; i++) {
        char exit[16] = "end", body[16] = "a";
        if (i > 0)
            snprintf(exit, sizeof(exit), "l%d", i - 1);
        if (i < 19)
            snprintf(body, sizeof(body), "l%d", i + 1);
        buf_printf(&yaml,
                   "  l%d: {type: loop, properties: {max_rounds: 1000}, next_ids: [%s, %s]}\n", i,
                   body, exit);
    }
    buf_append_z(&yaml, "  a: {type: llm, properties: {prompt: p}, next_ids: [l19]}\n"
                        "  end: {type: end}\n");
    est_open(&t, yaml.data, "{}");
    assert_true(runs(&t, "a") == 1e12);
    assert_true(number(t.root, "cost_usd") > 1e8);
    est_close(&t);
    buf_deinit(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call),
        cmocka_unit_test(test_defect_11_loops_multiply),
        cmocka_unit_test(test_the_way_that_the_input_tells),
        cmocka_unit_test(test_else_the_dearest_way),
        cmocka_unit_test(test_maps_count_their_items),
        cmocka_unit_test(test_what_the_input_tells_of_a_loop),
        cmocka_unit_test(test_what_a_schema_tells),
        cmocka_unit_test(test_votes_count_their_voters),
        cmocka_unit_test(test_stored_agents_bring_their_own),
        cmocka_unit_test(test_agents_with_tools_count_their_rounds),
        cmocka_unit_test(test_what_is_not_counted_is_said),
        cmocka_unit_test(test_input_from_the_schema),
        cmocka_unit_test(test_costly_expressions_are_given_up),
        cmocka_unit_test(test_sums_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
