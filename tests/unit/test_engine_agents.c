#include "engine_fixture.h"

/* Stored agents: a run begins with the question who speaks, and goes on as any other. */

#define GRAPH(top, props, more)                                                                    \
    top "nodes:\n"                                                                                 \
        "  start: {type: start, next_ids: [a]}\n"                                                  \
        "  a: {type: agent, next_ids: [end], properties: {" props "}" more "}\n"                   \
        "  end: {type: end}\n"
#define ADA                 "agent_id: ada, prompt: 'On {{ input.topic }}.'"
#define ANSWER(agent, rest) "{\"agent\":" agent ",\"group\":null" rest "}"
#define KNOWN(more)                                                                                \
    ANSWER("{\"id\":\"ada\",\"name\":\"Ada\",\"persona\":\"You are careful.\"" more "}", "")
#define MEMORIES                                                                                   \
    ",\"group_memory\":[{\"id\":\"m1\",\"content\":\"Too dear.\",\"created_at\":"                  \
    "\"2026-01-31T10:00:00.000Z\"}],\"agent_memory\":[{\"id\":\"m2\",\"content\":\"Ask.\"}]"

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not there: %s\nin: %s", part, text);
}
static void hasnt(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("there: %s\nin: %s", part, text);
}

static void asks_then_speaks(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, GRAPH("", ADA, ""));
    expect_effects(&f, "tool");
    assert_string_equal(fix_call(&f, 0)->request,
                        "{\"tool\":\"agent_context\",\"node_id\":\"a\",\"arguments\":{"
                        "\"agent_id\":\"ada\",\"query\":\"On Cats.\"},\"internal\":true}");
    fix_quiet(&f);
    fix_call_done(&f, fix_call(&f, 0), KNOWN(""));
    expect(&f, ""); /* nothing for people */
    expect_effects(&f, "model");
    assert_string_equal(fix_call(&f, 0)->request,
                        "{\"messages\":[{\"role\":\"system\",\"content\":\"You are careful.\"},"
                        "{\"role\":\"user\",\"content\":\"On Cats.\"}]}");
    fix_call_says(&f, fix_call(&f, 0), "Miaow.", NULL);
    fix_take(&f);
    assert_str(f.rows.messages->agent_id, "ada");
    has(f.rows.events.data, "\"agent_id\":\"ada\",\"index\":0");
    has(fix_text(&f.brief), "a +end end =completed");
    assert_null(f.rows.effects);
    fix_close(&f);
}

static void order_of_the_prompt(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, GRAPH("group_id: cats\n", ADA ", memory: {group_results: 2}", ""));
    has(fix_call(&f, 0)->request, "\"agent_id\":\"ada\",\"group_id\":\"cats\",\"query\":\"On "
                                  "Cats.\",\"memory\":{\"group_results\":2}}");
    fix_quiet(&f);
    fix_call_done(&f, fix_call(&f, 0),
                  "{\"agent\":{\"persona\":\"You are careful.\"},\"group\":{\"system_prompt\":"
                  "\"We review.\"}" MEMORIES "}");
    fix_take(&f);
    has(f.rows.events.data, "\"type\":\"memory_retrieved\"");
    has(f.rows.events.data, "\"data\":{\"count\":2,\"ids\":[\"m1\",\"m2\"]}");
    has(fix_call(&f, 0)->request,
        "{\"role\":\"system\",\"content\":\"## The group\\n\\nWe review.\\n\\n## Who you "
        "are\\n\\nYou are careful.\\n\\n## What the group remembers\\n\\n- (2026-01-31) Too "
        "dear.\\n\\n## What you remember\\n\\n- Ask.\"},{\"role\":\"user\",\"content\":\"On "
        "Cats.\"}]");
    fix_close(&f);
}

/* In a group every agent node belongs to it; a persona of the workflow stays its own. */
static void a_group_around_an_inline_persona(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, GRAPH("group_id: cats\n", "agent_id: pro, persona: 'For {{ input.topic }}.'", ""));
    assert_string_equal(fix_call(&f, 0)->request,
                        "{\"tool\":\"agent_context\",\"node_id\":\"a\",\"arguments\":{\"group_id\":"
                        "\"cats\",\"query\":\"Cats\",\"persona\":\"For Cats.\"},"
                        "\"internal\":true}");
    fix_call_done(&f, fix_call(&f, 0), "{\"agent\":null,\"group\":{\"system_prompt\":\"We.\"}}");
    has(fix_call(&f, 0)->request,
        "\"content\":\"## The group\\n\\nWe.\\n\\n## Who you are\\n\\nFor Cats.\"");
    fix_close(&f);
    fix_open(&f, GRAPH("", "agent_id: pro, persona: P", ""));
    expect_effects(&f, "model"); /* without a group nothing is asked */
    fix_close(&f);
}

static void settings_of_the_agent(void **state)
{
    static const struct {
        const char *props, *agent, *wanted, *unwanted;
    } rows[] = {
        {ADA,
         ",\"provider\":\"p1\",\"model\":\"m1\",\"temperature\":0.5,\"top_p\":0.9,"
         "\"max_tokens\":7",
         "{\"provider\":\"p1\",\"model\":\"m1\",\"messages\"", NULL},
        {ADA, ",\"temperature\":0.5,\"top_p\":0.9,\"max_tokens\":7",
         "\"temperature\":0.5,\"top_p\":0.9,\"max_tokens\":7}", "\"model\""},
        {ADA, ",\"model\":[\"m1\",{\"provider\":\"p\",\"model\":\"m2\"}]",
         "\"model\":[\"m1\",{\"provider\":\"p\",\"model\":\"m2\"}]", NULL},
        {ADA ", temperature: 0.1", ",\"temperature\":0.5", "\"temperature\":0.1", "0.5"},
        {ADA ", model: mine", ",\"provider\":\"p1\",\"model\":\"m1\"", "\"model\":\"mine\"", "p1"},
        {ADA, ",\"provider\":7,\"model\":{},\"temperature\":\"x\",\"tools\":{}", "You are careful.",
         "\"provider\""},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char yaml[1000], answer[1000];
        snprintf(yaml, sizeof(yaml), GRAPH("", "%s", ""), rows[i].props);
        snprintf(answer, sizeof(answer), KNOWN("%s"), rows[i].agent);
        fix_open(&f, yaml);
        fix_call_done(&f, fix_call(&f, 0), answer);
        has(fix_call(&f, 0)->request, rows[i].wanted);
        if (rows[i].unwanted)
            hasnt(fix_call(&f, 0)->request, rows[i].unwanted);
        fix_close(&f);
    }
}

#define TOOLS                                                                                      \
    ",\"tools\":[\"web_search\",{\"name\":\"get\",\"tool\":\"http\",\"arguments\":{\"url\":"       \
    "\"http://x/{{ input.topic }}\"}},{}],\"max_tool_rounds\":1"
#define GET "[{\"id\":\"c1\",\"name\":\"get\",\"arguments\":\"{\\\"n\\\":1}\"}]"

/* They are its own in every round, also when the server dies in between or the model is tried
 * again: nobody is looked up anew. */
static void tools_of_the_agent(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, GRAPH("", ADA, ", retry: {max_attempts: 2, initial_ms: 0}"));
    fix_call_done(&f, fix_call(&f, 0), KNOWN(TOOLS));
    has(fix_call(&f, 0)->request, "\"tools\":[{\"name\":\"web_search\"");
    has(fix_call(&f, 0)->request, "{\"name\":\"get\"");
    fix_call_failed(&f, fix_call(&f, 0), "http_503");
    expect_effects(&f, "tool model model");
    has(fix_call(&f, 0)->request, "You are careful.");
    fix_restart(&f);
    expect_effects(&f, "model");
    fix_call_says(&f, fix_call(&f, 0), "", GET);
    has(fix_call(&f, 0)->request, "{\"tool\":\"http\",\"name\":\"get\",\"node_id\":\"a\","
                                  "\"arguments\":{\"n\":1,\"url\":\"http://x/Cats\"}}");
    fix_restart(&f);
    fix_call_done(&f, fix_call(&f, 0), "\"got\"");
    has(fix_call(&f, 0)->request,
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"got\"}");
    hasnt(fix_call(&f, 0)->request, "\"tools\":["); /* its one round is over */
    fix_call_says(&f, fix_call(&f, 0), "Done.", NULL);
    fix_take(&f);
    has(fix_text(&f.brief), "=completed");
    fix_close(&f);
}

/* A secret goes where the agent's author has said, and nowhere else. */
static void headers_of_the_agents_author(void **state)
{
    static const struct {
        const char *arguments, *wanted;
    } rows[] = {
        {"{\"url\":\"http://x\",\"headers\":{\"K\":\"{{ secret.K }}\"}}",
         "\"fixed_headers\":{\"K\":\"{{ secret.K }}\"}}"},
        {"{\"headers\":{\"K\":\"{{ secret.K }}\"}}", NULL}, /* the model could say where */
        {"{\"url\":\"http://x\"}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char answer[500];
        snprintf(answer, sizeof(answer),
                 KNOWN(",\"tools\":[{\"name\":\"get\",\"tool\":\"http\",\"arguments\":%s}]"),
                 rows[i].arguments);
        fix_open(&f, GRAPH("", ADA, ""));
        fix_call_done(&f, fix_call(&f, 0), answer);
        fix_call_says(
            &f, fix_call(&f, 0), "",
            "[{\"id\":\"1\",\"name\":\"get\",\"arguments\":\"{\\\"url\\\":\\\"http://y\\\"}\"}]");
        fix_take(&f);
        has(f.last_request, "\"tool\":\"http\"");
        if (rows[i].wanted)
            has(f.last_request, rows[i].wanted);
        else
            hasnt(f.last_request, "},\"fixed_headers\"");
        fix_close(&f);
    }
}

static void tools_of_the_node_come_first(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, GRAPH("", ADA ", tools: [read_file]", ""));
    fix_call_done(&f, fix_call(&f, 0), KNOWN(TOOLS));
    has(fix_call(&f, 0)->request, "\"tools\":[{\"name\":\"read_file\"");
    hasnt(fix_call(&f, 0)->request, "\"get\"");
    fix_call_says(&f, fix_call(&f, 0), "", GET);
    fix_take(&f);
    has(f.rows.events.data, "There is no tool \\\"get\\\".");
    fix_close(&f);
}

/* ---- what may go wrong ---- */

static void nobody_of_that_name(void **state)
{
    static const char *const answers[] = {ANSWER("null", ""), "null", "{\"agent\":\"ada\"}", "[]"};
    (void)state;
    for (size_t i = 0; i < ROWS(answers); i++) {
        struct fix f;
        fix_open(&f, GRAPH("", ADA, ""));
        fix_quiet(&f);
        fix_call_done(&f, fix_call(&f, 0), answers[i]);
        expect_moves(&f, "a!unknown_agent =failed");
        has(f.rows.events.data, "There is no agent \\\"ada\\\"");
        fix_close(&f);
    }
}

static void the_store_is_away(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, GRAPH("", ADA, ", retry: {max_attempts: 2, initial_ms: 0}"));
    fix_quiet(&f);
    fix_call_failed(&f, fix_call(&f, 0), "unavailable");
    expect_moves(&f, "a!unavailable +a#2");
    expect_effects(&f, "tool");
    fix_call_done(&f, fix_call(&f, 0), KNOWN(""));
    expect_effects(&f, "model");
    fix_close(&f);
}

static void restart_and_pause(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, GRAPH("", ADA, ""));
    fix_quiet(&f);
    struct id key = fix_call(&f, 0)->key;
    fix_restart(&f); /* while it is asked */
    expect_effects(&f, "tool");
    assert_true(id_eq(fix_call(&f, 0)->key, key));
    fix_command(&f, IN_PAUSE);
    fix_quiet(&f);
    fix_call_done(&f, fix_call(&f, 0), KNOWN(""));
    expect_effects(&f, "");
    fix_restart(&f); /* the answer is withheld */
    fix_quiet(&f);
    fix_command(&f, IN_RESUME);
    fix_take(&f);
    has(fix_text(&f.effects), "model");
    has(f.last_request, "You are careful.");
    fix_restart(&f); /* while the model speaks: the same request */
    fix_take(&f);
    has(f.last_request, "You are careful.");
    fix_call_says(&f, fix_call(&f, 0), "Miaow.", NULL);
    fix_take(&f);
    has(fix_text(&f.brief), "=completed");
    fix_close(&f);
}

/* A person edits the agent while it is looked up: each new iteration sees what is there then. */
static void each_run_asks_anew(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [l]}\n"
                 "  l: {type: loop, properties: {max_rounds: 2}, next_ids: [a, end]}\n"
                 "  a: {type: agent, properties: {agent_id: ada}, next_ids: [l]}\n"
                 "  end: {type: end}\n");
    fix_call_done(&f, fix_call(&f, 0), KNOWN(""));
    fix_call_says(&f, fix_call(&f, 0), "One.", NULL);
    has(fix_call(&f, 0)->request, "agent_context");
    fix_call_done(&f, fix_call(&f, 0), "{\"agent\":{\"persona\":\"You are bold.\"}}");
    has(fix_call(&f, 0)->request, "You are bold.");
    fix_close(&f);
}

/* ---- votes ---- */

#define YES "{\"decision\":\"yes\",\"score\":8,\"reasoning\":\"Purr.\"}"

static void voters_who_are_stored(void **state)
{
    (void)state;
    struct fix f;
    struct fix_call c[3];
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [v]}\n"
                 "  ada: {type: agent, properties: {agent_id: ada-1, model: m7}, next_ids: [end]}\n"
                 "  v: {type: vote, properties: {voters: [ada, {name: bob}, cy], question: Q,\n"
                 "      temperature: 0.3, memory: false}, next_ids: [ada]}\n"
                 "  end: {type: end}\n");
    fix_take(&f);
    for (unsigned i = 0; i < 3; i++)
        c[i] = *fix_call(&f, 2 - i);
    assert_string_equal(c[0].request,
                        "{\"tool\":\"agent_context\",\"node_id\":\"v\",\"arguments\":{\"agent_id\":"
                        "\"ada-1\",\"query\":\"Q\",\"memory\":false},\"internal\":true}");
    has(c[1].request, "You are bob, one of several voters.");
    has(c[2].request, "\"agent_id\":\"cy\"");
    fix_quiet(&f);
    fix_call_done(&f, &c[2], ANSWER("null", ""));
    expect(&f, "v vote_cast \"cy\" \"abstain\"\n");
    fix_call_done(&f, &c[0], KNOWN(",\"model\":\"m1\",\"temperature\":0.9"));
    c[0] = *fix_call(&f, 0);
    has(c[0].request, "{\"role\":\"system\",\"content\":\"You are Ada, one of several voters. You "
                      "are careful.\"},{\"role\":\"user\",\"content\":\"Q\\n\\nVote on this.");
    has(c[0].request, "\"model\":\"m7\"");    /* of the agent node */
    has(c[0].request, "\"temperature\":0.3"); /* of the vote */
    fix_restart(&f);
    fix_take(&f);
    c[0] = *fix_call(&f, 0); /* in the order in which they were asked */
    c[1] = *fix_call(&f, 1);
    fix_call_says(&f, &c[0], "maybe", NULL); /* asked again: as before */
    has(fix_call(&f, 0)->request, "You are Ada, one of several voters.");
    fix_call_says(&f, fix_call(&f, 0), YES, NULL);
    fix_call_says(&f, &c[1], YES, NULL);
    fix_take(&f);
    has(f.rows.events.data, "\"voter\":\"cy\",\"decision\":\"abstain\",\"score\":null,"
                            "\"reasoning\":\"There is no agent \\\"cy\\\"");
    has(f.rows.events.data, "\"passed\":true,\"tally\":{\"yes\":2,\"no\":0,\"abstain\":1");
    fix_close(&f);
}

/* ---- the definition ---- */

static void what_a_workflow_needs(void **state)
{
    static const char yaml[] =
        "nodes:\n"
        "  start: {type: start, next_ids: [a]}\n"
        "  a: {type: agent, properties: {agent_id: ada}, next_ids: [b]}\n"
        "  b: {type: agent, properties: {agent_id: bob, persona: P}, next_ids: [m]}\n"
        "  m: {type: map, properties: {items: input.list, body: [c]}, next_ids: [v]}\n"
        "  c: {type: agent, properties: {agent_id: cy}}\n"
        "  v: {type: vote, properties: {voters: [a, b, dan, {name: eve}, c]}, next_ids: [end]}\n"
        "  end: {type: end}\n";
    struct expr_vm *vm = expr_vm_create();
    struct workflow *wf = fix_parse(vm, yaml);
    struct workflow_agent it = {0};
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    while (workflow_agent_next(wf, &it))
        buf_printf(&b, "%.*s:%.*s ", STR_FMT(wf->nodes[it.node].id), STR_FMT(it.id));
    assert_str(buf_str(&b), "a:ada c:cy v:ada v:dan v:cy ");
    buf_deinit(&b);
    workflow_unref(wf);
    expr_vm_destroy(vm);
}

static void definitions_are_checked(void **state)
{
    static const struct {
        const char *props, *code, *path;
    } rows[] = {
        {"{agent_id: ada, memory: false}", NULL, NULL},
        {"{agent_id: ada, memory: {}}", NULL, NULL},
        {"{agent_id: ada, memory: {group_results: 0, agent_results: 50}}", NULL, NULL},
        {"{}", "missing", "nodes.a.properties"},
        {"{agent_id: ada, memory: true}", "wrong_type", "nodes.a.properties.memory"},
        {"{agent_id: ada, memory: {group_results: 51}}", "out_of_range",
         "nodes.a.properties.memory.group_results"},
        {"{agent_id: ada, memory: {agent_results: -1}}", "out_of_range",
         "nodes.a.properties.memory.agent_results"},
        {"{agent_id: ada, memory: {group: 1}}", "unknown_field", "nodes.a.properties.memory.group"},
    };
    (void)state;
    struct expr_vm *vm = expr_vm_create();
    for (size_t i = 0; i < ROWS(rows); i++) {
        char yaml[500];
        struct buf json;
        struct errbuf e;
        struct workflow_issues issues;
        struct workflow *wf = NULL;
        snprintf(yaml, sizeof(yaml),
                 "nodes:\n  start: {type: start, next_ids: [a]}\n"
                 "  a: {type: agent, properties: %s, next_ids: [end]}\n  end: {type: end}\n",
                 rows[i].props);
        buf_init(&json, 10000);
        assert_int_equal(yaml_to_json(str_of(yaml), NULL, &json, &e), 0);
        workflow_issues_init(&issues);
        workflow_parse(buf_str(&json), vm, &wf, &issues);
        assert_int_equal(issues.errors, rows[i].code != NULL);
        if (rows[i].code) {
            assert_str(issues.items[0].code, rows[i].code);
            assert_str(issues.items[0].path, rows[i].path);
        }
        workflow_unref(wf);
        workflow_issues_deinit(&issues);
        buf_deinit(&json);
    }
    expr_vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_then_speaks),
        cmocka_unit_test(order_of_the_prompt),
        cmocka_unit_test(a_group_around_an_inline_persona),
        cmocka_unit_test(settings_of_the_agent),
        cmocka_unit_test(tools_of_the_agent),
        cmocka_unit_test(headers_of_the_agents_author),
        cmocka_unit_test(tools_of_the_node_come_first),
        cmocka_unit_test(nobody_of_that_name),
        cmocka_unit_test(the_store_is_away),
        cmocka_unit_test(restart_and_pause),
        cmocka_unit_test(each_run_asks_anew),
        cmocka_unit_test(voters_who_are_stored),
        cmocka_unit_test(what_a_workflow_needs),
        cmocka_unit_test(definitions_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
