#include "engine_fixture.h"

/* Runs of several calls: agents with tools, answers that are repaired. */

#define AGENT_WITH(tools, more, rest)                                                              \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [a]}\n"                                                      \
    "  a: {type: agent, next_ids: [end], properties: {persona: P, prompt: Q, tools: " tools more   \
    "}" rest "}\n"                                                                                 \
    "  end: {type: end}\n"
#define ADD                                                                                        \
    "[{name: add, tool: mcp, server: sums, description: Adds, parameters: {type: object, "         \
    "required: [a], properties: {a: {type: integer}}}}, web_search]"
#define AGENT(more) AGENT_WITH(ADD, more, "")

#define CALL(id, name, arguments)                                                                  \
    "{\"id\":\"" id "\",\"name\":\"" name "\",\"arguments\":\"" arguments "\"}"
#define ADD_1    CALL("c1", "add", "{\\\"a\\\":1}")
#define SEARCH_2 CALL("c2", "web_search", "{\\\"query\\\":\\\"q\\\"}")
#define BOTH     "[" ADD_1 "," SEARCH_2 "]"

static void expect_request(struct fix *f, unsigned back, const char *part)
{
    if (!strstr(fix_call(f, back)->request, part))
        fail_msg("%s\nis not in %s", part, fix_call(f, back)->request);
}
static void refuse_request(struct fix *f, unsigned back, const char *part)
{
    if (strstr(fix_call(f, back)->request, part))
        fail_msg("%s\nis in %s", part, fix_call(f, back)->request);
}
static struct str progress_of(struct fix *f, const char *node)
{
    struct id id = fix_run(f, node);
    fix_take(f);
    for (struct run_row *r = f->rows.runs; r; r = r->next)
        if (id_eq(r->run_id, id))
            return r->progress_json;
    return STR_NULL;
}
static unsigned effects_count(struct fix *f)
{
    unsigned n = 0;
    fix_take(f);
    for (struct effect_row *e = f->rows.effects; e; e = e->next)
        n++;
    return n;
}

/* ---- the tool loop ---- */

static void tools_are_offered(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    expect_request(&f, 0,
                   "\"tools\":[{\"name\":\"add\",\"description\":\"Adds\",\"parameters\":{\"type\":"
                   "\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"integer\"}}}}"
                   ",{\"name\":\"web_search\",\"description\":\"Searches");
    fix_close(&f);
}

static void a_round_of_two_tools(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_quiet(&f);
    fix_call_says(&f, fix_call(&f, 0), "Let me see.", BOTH);
    expect_effects(&f, "tool tool");
    struct fix_call add = *fix_call(&f, 1), search = *fix_call(&f, 0);
    assert_string_equal(add.request, "{\"tool\":\"mcp\",\"server\":\"sums\",\"name\":\"add\","
                                     "\"node_id\":\"a\",\"arguments\":{\"a\":1}}");
    assert_true(progress_of(&f, "a").p);
    fix_call_done(&f, &search, "{\"hits\":[]}"); /* the later one first */
    expect_effects(&f, "");
    fix_call_done(&f, &add, "\"one\"");
    expect(&f, "a [0] \"Let me see.\"\n"
               "a token_usage \"m\" 5\n"
               "a message \"Let me see.\" \"tool_calls\"\n"
               "a tool mcp started \"sums\" \"add\" {\"a\":1}\n"
               "a tool web_search started \"web_search\" {\"query\":\"q\"}\n"
               "a tool web_search completed \"web_search\" {\"query\":\"q\"} {\"hits\":[]}\n"
               "a tool mcp completed \"sums\" \"add\" {\"a\":1} \"one\"\n");
    expect_effects(&f, "model");
    expect_request(&f, 0,
                   "\"messages\":[{\"role\":\"system\",\"content\":\"P\"},"
                   "{\"role\":\"user\",\"content\":\"Q\"},"
                   "{\"role\":\"assistant\",\"content\":\"Let me see.\",\"tool_calls\":" BOTH "},"
                   "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},"
                   "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"{\\\"hits\\\":[]}\"}]"
                   ",\"tools\":[");
    fix_call_says(&f, fix_call(&f, 0), "It is one.", NULL);
    expect(&f, "a [0] \"It is one.\"\n"
               "a token_usage \"m\" 5\n"
               "a message \"It is one.\" \"stop\"\n"
               "a running>completed \"It is one.\"\n"
               "end pending>running\n"
               "end running>completed \"It is one.\"\n"
               "session running>completed \"It is one.\"\n");
    assert_int_equal(effects_count(&f), 0);
    assert_null(progress_of(&f, "a").p);
    assert_false(id_eq(f.rows.messages->message_id, f.rows.messages->next->message_id));
    assert_null(strstr(f.rows.row.core.usage_json.p, "\"output_tokens\":5,"));
    fix_close(&f);
}

static void silent_rounds_have_no_message(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_quiet(&f);
    fix_call_says(&f, fix_call(&f, 0), "", "[" ADD_1 "]");
    expect(&f, "a token_usage \"m\" 5\n"
               "a tool mcp started \"sums\" \"add\" {\"a\":1}\n");
    fix_close(&f);
}

static void rounds_are_limited(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(", max_tool_rounds: 2"));
    for (int i = 0; i < 2; i++) {
        expect_request(&f, 0, "\"tools\":[");
        fix_call_says(&f, fix_call(&f, 0), "", "[" ADD_1 "]");
        fix_call_done(&f, fix_call(&f, 0), "1");
    }
    refuse_request(&f, 0, "\"tools\":[");
    fix_quiet(&f);
    fix_call_says(&f, fix_call(&f, 0), "Enough.", "[" ADD_1 "]"); /* not offered: not heard */
    expect_moves(&f, "a +end end =completed");
    fix_close(&f);
}

static void mistakes_are_told_to_the_model(void **state)
{
    (void)state;
    static const struct {
        const char *call, *told;
    } rows[] = {
        {CALL("c", "fly", "{}"), "There is no tool \\\"fly\\\"."},
        {CALL("c", "add", "{\\\"a\\\":"), "The arguments are not JSON"},
        {CALL("c", "add", "[1]"), "The arguments must be an object."},
        {CALL("c", "add", "{\\\"a\\\":\\\"x\\\"}"), "do not hold to the tool's parameters"},
        {CALL("c", "add", ""), "do not hold to the tool's parameters"},
        {"{}", "There is no tool \\\"\\\"."},
        {"7", "There is no tool"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char calls[400];
        fix_open(&f, AGENT(""));
        snprintf(calls, sizeof(calls), "[%s]", rows[i].call);
        fix_quiet(&f);
        fix_call_says(&f, fix_call(&f, 0), "", calls);
        expect_effects(&f, "model");
        expect_request(&f, 0, rows[i].told);
        expect_moves(&f, "");
        fix_close(&f);
    }
}

static void too_many_calls_are_refused(void **state)
{
    (void)state;
    struct fix f;
    struct buf calls;
    buf_init(&calls, 1u << 20);
    for (int i = 0; i < 100; i++)
        buf_printf(&calls, "%s%s", i ? "," : "[", ADD_1);
    buf_append_z(&calls, "]");
    fix_open(&f, AGENT(""));
    fix_quiet(&f);
    fix_call_says(&f, fix_call(&f, 0), "", calls.data);
    assert_int_equal(effects_count(&f), 16);
    for (unsigned i = 0; i < 16; i++)
        fix_call_done(&f, fix_call(&f, i), "1");
    struct effect_row *asked = f.rows.effects;
    fix_take(&f);
    asked = f.rows.effects;
    assert_null(asked->next);
    assert_non_null(memmem(asked->request_json.p, asked->request_json.n, "At most 16 tools", 16));
    fix_close(&f);
    buf_deinit(&calls);
}

static void failed_tools_are_told(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_call_says(&f, fix_call(&f, 0), "", "[" ADD_1 "]");
    fix_quiet(&f);
    fix_call_failed(&f, fix_call(&f, 0), "refused");
    expect(&f, "a tool mcp failed \"sums\" \"add\" {\"a\":1} "
               "{\"code\":\"refused\",\"message\":\"It broke.\"}\n");
    expect_request(&f, 0, "\"content\":\"The tool failed (refused): It broke.\"");
    fix_close(&f);
}

/* The run fails with the tool; the next attempt does only what is missing, under the same keys. */
static void failed_tools_may_fail_the_node(void **state)
{
    (void)state;
    struct fix f;
    fix_open(
        &f, AGENT_WITH(ADD, ", on_tool_error: fail", ", retry: {max_attempts: 2, initial_ms: 50}"));
    fix_call_says(&f, fix_call(&f, 0), "See.", "[" ADD_1 "," SEARCH_2 "," ADD_1 "]");
    struct fix_call add = *fix_call(&f, 2), search = *fix_call(&f, 1), third = *fix_call(&f, 0);
    fix_call_done(&f, &add, "1");
    fix_quiet(&f);
    fix_call_failed(&f, &search, "refused");
    expect_effects(&f, "cancel set");
    expect_moves(&f, "a!refused");
    fix_restart(&f);
    assert_int_equal(effects_count(&f), 0);
    fix_fire(&f);
    expect_effects(&f, "set clear tool tool");
    expect_moves(&f, "+a#2");
    assert_true(id_eq(fix_call(&f, 1)->key, search.key));
    assert_true(id_eq(fix_call(&f, 0)->key, third.key));
    assert_false(id_eq(search.key, third.key) || id_eq(add.key, third.key));
    fix_call_done(&f, fix_call(&f, 0), "3");
    fix_call_done(&f, fix_call(&f, 1), "2");
    expect_request(&f, 0,
                   "\"content\":\"1\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
                   "\"content\":\"2\"},{\"role\":\"tool\",\"tool_call_id\":\"c1\","
                   "\"content\":\"3\"}]");
    fix_close(&f);
}

static void fixed_arguments_win(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT_WITH("[{name: get, tool: http, arguments: {url: 'http://x/{{ input.topic }}'"
                            ", query: {n: 1}}}]",
                            "", ""));
    fix_call_says(&f, fix_call(&f, 0), "",
                  "[" CALL("c1", "get", "{\\\"url\\\":\\\"http://evil\\\",\\\"body\\\":7}") "]");
    assert_string_equal(fix_call(&f, 0)->request,
                        "{\"tool\":\"http\",\"name\":\"get\",\"node_id\":\"a\",\"arguments\":"
                        "{\"body\":7,\"url\":\"http://x/Cats\",\"query\":{\"n\":1}}}");
    fix_close(&f);
}

static void broken_templates_fail_the_node(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT_WITH("[{tool: http, arguments: {url: '{{ input.no.where }}'}}]", "",
                            ", retry: {max_attempts: 2, initial_ms: 0, on: [invalid_template]}"));
    fix_call_says(&f, fix_call(&f, 0), "See.", "[" CALL("c1", "http", "{}") "]");
    expect_moves(&f, "=running +start start +a a!invalid_template +a#2 a#2!invalid_template "
                     "=failed");
    assert_int_equal(f.started_count, 1);
    fix_close(&f);
}

/* ---- what may happen meanwhile ---- */

static void restart_asks_for_the_missing_only(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_call_says(&f, fix_call(&f, 0), "See.", BOTH);
    struct fix_call add = *fix_call(&f, 1), search = *fix_call(&f, 0);
    fix_call_done(&f, &search, "2");
    fix_quiet(&f);
    fix_restart(&f);
    expect_effects(&f, "tool");
    expect(&f, "a running>failed interrupted\n"
               "a#2 pending>running\n"
               "a tool mcp started \"sums\" \"add\" {\"a\":1}\n");
    struct fix_call again = *fix_call(&f, 0);
    assert_true(id_eq(again.key, add.key));
    assert_false(id_eq(again.id, add.id));
    fix_call_done(&f, &add, "0"); /* late, from the process before */
    fix_restart(&f);
    again = *fix_call(&f, 0);
    fix_call_done(&f, &again, "1");
    expect_effects(&f, "tool model");
    expect_request(&f, 0,
                   "\"content\":\"1\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
                   "\"content\":\"2\"}]");
    fix_close(&f);
}

static void restart_repeats_the_later_model_call(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_call_says(&f, fix_call(&f, 0), "See.", "[" ADD_1 "]");
    fix_call_done(&f, fix_call(&f, 0), "1");
    struct fix_call asked = *fix_call(&f, 0);
    fix_step(&f,
             (struct engine_input){.kind = IN_CHUNK, .run_id = asked.id, .text = STR("half a")});
    fix_quiet(&f);
    fix_restart(&f);
    expect(&f, "a running>failed interrupted\n"
               "a stream_reset \"server_restarted\"\n"
               "a#2 pending>running\n");
    assert_string_equal(fix_call(&f, 0)->request, asked.request);
    assert_true(id_eq(fix_call(&f, 0)->key, asked.key));
    fix_call_says(&f, fix_call(&f, 0), "whole", NULL);
    expect(&f, "a [0] \"whole\"\n"
               "a token_usage \"m\" 5\n"
               "a message \"whole\" \"stop\"\n"
               "a#2 running>completed \"whole\"\n"
               "end pending>running\n"
               "end running>completed \"whole\"\n"
               "session running>completed \"whole\"\n");
    fix_close(&f);
}

static void failed_model_call_goes_on_from_the_round(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT_WITH(ADD, "", ", retry: {max_attempts: 2, initial_ms: 0}"));
    fix_call_says(&f, fix_call(&f, 0), "", "[" ADD_1 "]");
    fix_call_done(&f, fix_call(&f, 0), "1");
    struct fix_call asked = *fix_call(&f, 0);
    fix_step(&f, (struct engine_input){.kind = IN_CHUNK, .run_id = asked.id, .text = STR("ha")});
    fix_quiet(&f);
    fix_call_failed(&f, &asked, "truncated");
    expect(&f, "a token_usage null 1\n"
               "a running>failed truncated\n"
               "a stream_reset \"truncated\"\n"
               "a log warn\n"
               "a#2 pending>running\n");
    expect_effects(&f, "model");
    assert_string_equal(fix_call(&f, 0)->request, asked.request);
    assert_true(id_eq(fix_call(&f, 0)->key, asked.key));
    fix_close(&f);
}

static void pause_withholds_some_results(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_call_says(&f, fix_call(&f, 0), "", BOTH);
    struct fix_call add = *fix_call(&f, 1), search = *fix_call(&f, 0);
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_quiet(&f);
    fix_call_done(&f, &search, "2");
    expect(&f, "");
    fix_restart(&f);
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect(&f, "session paused>running\n"
               "a running>failed interrupted\n"
               "a#2 pending>running\n"
               "a tool mcp started \"sums\" \"add\" {\"a\":1}\n"
               "a tool web_search completed \"web_search\" {\"query\":\"q\"} 2\n");
    assert_true(id_eq(fix_call(&f, 0)->key, add.key));
    fix_call_done(&f, fix_call(&f, 0), "1");
    expect_request(&f, 0,
                   "\"content\":\"1\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
                   "\"content\":\"2\"}]");
    fix_close(&f);
}

static void tool_calls_are_withheld_too(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_call_says(&f, fix_call(&f, 0), "See.", BOTH);
    fix_restart(&f);
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect_effects(&f, "tool tool open");
    fix_close(&f);
}

static void cancel_ends_all_calls(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, AGENT(""));
    fix_call_says(&f, fix_call(&f, 0), "", BOTH);
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_CANCEL});
    expect_effects(&f, "cancel cancel break");
    expect_moves(&f, "a!cancelled =cancelled");
    assert_int_equal(effects_count(&f), 0);
    fix_close(&f);
}

/* Of an item of a map: by then another item has begun a later iteration of the node, so the row of
 * the attempt that failed is not read back. */
static void backoff_in_a_map_keeps_the_conversation(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [m]}\n"
                 "  m: {type: map, properties: {items: '{1, 2}', body: [a]}, next_ids: [end]}\n"
                 "  a: {type: agent, properties: {persona: P, prompt: Q, tools: [web_search], "
                 "on_tool_error: fail}, retry: {max_attempts: 2, initial_ms: 500}}\n"
                 "  end: {type: end}\n");
    struct fix_call first = *fix_call(&f, 1);
    fix_call_says(&f, &first, "See.", "[" SEARCH_2 "]");
    struct fix_call search = *fix_call(&f, 0);
    fix_call_failed(&f, &search, "refused");
    fix_restart(&f);
    while (effects_count(&f) < 2)
        fix_fire(&f);
    assert_int_equal(fix_call(&f, 0)->kind, EFFECT_TOOL_START);
    assert_true(id_eq(fix_call(&f, 0)->key, search.key));
    fix_close(&f);
}

/* ---- repair ---- */

#define STRUCTURED(more, rest)                                                                     \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [a]}\n"                                                      \
    "  a: {type: llm, next_ids: [end], properties: {prompt: Q, response_schema: {type: object, "   \
    "required: [k]}" more "}" rest "}\n"                                                           \
    "  end: {type: end}\n"

static void wrong_answers_are_repaired(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, STRUCTURED("", ""));
    fix_quiet(&f);
    fix_call_says(&f, fix_call(&f, 0), "Sure!", NULL);
    fix_call_says(&f, fix_call(&f, 0), "{}", NULL);
    expect_request(&f, 0,
                   "{\"role\":\"assistant\",\"content\":\"Sure!\"},{\"role\":\"user\","
                   "\"content\":\"The answer is not JSON");
    expect_request(&f, 0,
                   "{\"role\":\"assistant\",\"content\":\"{}\"},{\"role\":\"user\","
                   "\"content\":\"The answer does not hold to the schema");
    fix_call_says(&f, fix_call(&f, 0), "```\n{\"k\":1}\n```", NULL);
    expect(&f, "a [0] \"Sure!\"\n"
               "a token_usage \"m\" 5\n"
               "a stream_reset \"repair\"\n"
               "a [0] \"{}\"\n"
               "a token_usage \"m\" 5\n"
               "a stream_reset \"repair\"\n"
               "a [0] \"```\\n{\\\"k\\\":1}\\n```\"\n"
               "a token_usage \"m\" 5\n"
               "a message \"```\\n{\\\"k\\\":1}\\n```\" \"stop\"\n"
               "a running>completed {\"k\":1}\n"
               "end pending>running\n"
               "end running>completed {\"k\":1}\n"
               "session running>completed {\"k\":1}\n");
    assert_null(f.rows.messages->next);
    assert_non_null(strstr(f.rows.row.core.usage_json.p, "\"output_tokens\":15"));
    fix_close(&f);
}

static void repairs_are_bounded(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, STRUCTURED(", repair_attempts: 1", ", retry: {max_attempts: 2, initial_ms: 0}"));
    struct fix_call first = *fix_call(&f, 0);
    for (int i = 0; i < 3; i++)
        fix_call_says(&f, fix_call(&f, 0), "no", NULL);
    assert_string_equal(fix_call(&f, 1)->request, first.request); /* the second attempt begins */
    assert_int_equal(f.started_count, 4);
    fix_quiet(&f);
    fix_call_says(&f, fix_call(&f, 0), "never", NULL);
    expect_moves(&f, "a#2!schema_mismatch =failed");
    assert_int_equal(effects_count(&f), 0);
    fix_close(&f);
}

static void repair_survives_a_restart(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, STRUCTURED(", repair_attempts: 1", ""));
    fix_call_says(&f, fix_call(&f, 0), "no", NULL);
    struct fix_call repair = *fix_call(&f, 0);
    fix_quiet(&f);
    fix_restart(&f);
    expect(&f, "a running>failed interrupted\n"
               "a stream_reset \"server_restarted\"\n"
               "a#2 pending>running\n");
    assert_string_equal(fix_call(&f, 0)->request, repair.request);
    fix_call_says(&f, fix_call(&f, 0), "no", NULL);
    expect_moves(&f, "a#2!schema_mismatch =failed");
    fix_close(&f);
}

/* ---- stored bytes ---- */

static void damaged_progress(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "{\"request\":{},\"calls\":[7]}", "{\"request\":{},\"calls\":[{\"n\":1}],\"at\":1}",
        "{\"request\":{\"messages\":7},\"calls\":[{\"n\":1},{\"n\":1},{\"n\":2}],\"at\":4095}",
        "{\"request\":{},\"messages\":[1,[]],\"calls\":[],\"message\":9,\"rounds\":4}"};
    for (size_t i = 0; i < ROWS(texts); i++) {
        struct fix f;
        fix_open(&f, AGENT(""));
        fix_call_says(&f, fix_call(&f, 0), "", BOTH);
        struct id id = fix_run(&f, "a");
        fix_take(&f);
        for (struct run_row *r = f.rows.runs; r; r = r->next)
            if (id_eq(r->run_id, id))
                r->progress_json = str_of(texts[i]);
        fix_restart(&f);
        for (int k = 0; k < 4 && effects_count(&f); k++)
            fix_step(&f, (struct engine_input){.kind = IN_RUN_DONE,
                                               .run_id = f.rows.effects->run_id,
                                               .output_json = STR("1")});
        fix_close(&f);
    }
}

static void single_calls_stand_as_before(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, STRUCTURED("", ""));
    fix_take(&f);
    assert_null(strstr(f.rows.row.core.state_json.p, "calls"));
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_are_offered),
        cmocka_unit_test(a_round_of_two_tools),
        cmocka_unit_test(silent_rounds_have_no_message),
        cmocka_unit_test(rounds_are_limited),
        cmocka_unit_test(mistakes_are_told_to_the_model),
        cmocka_unit_test(too_many_calls_are_refused),
        cmocka_unit_test(failed_tools_are_told),
        cmocka_unit_test(failed_tools_may_fail_the_node),
        cmocka_unit_test(fixed_arguments_win),
        cmocka_unit_test(broken_templates_fail_the_node),
        cmocka_unit_test(restart_asks_for_the_missing_only),
        cmocka_unit_test(restart_repeats_the_later_model_call),
        cmocka_unit_test(failed_model_call_goes_on_from_the_round),
        cmocka_unit_test(pause_withholds_some_results),
        cmocka_unit_test(tool_calls_are_withheld_too),
        cmocka_unit_test(cancel_ends_all_calls),
        cmocka_unit_test(backoff_in_a_map_keeps_the_conversation),
        cmocka_unit_test(wrong_answers_are_repaired),
        cmocka_unit_test(repairs_are_bounded),
        cmocka_unit_test(repair_survives_a_restart),
        cmocka_unit_test(damaged_progress),
        cmocka_unit_test(single_calls_stand_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
