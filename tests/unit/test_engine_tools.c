#include "engine_fixture.h"

/* Tool nodes: one call of a tool, with a key that stays the same whatever happens. */

#define TOOL(properties, more)                                                                     \
    "vars: {n: 2, list: [1]}\n"                                                                    \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [get]}\n"                                                    \
    "  get: {type: tool, next_ids: [end], properties: {" properties "}" more "}\n"                 \
    "  end: {type: end}\n"
#define HTTP "tool: http, arguments: {url: 'http://x/{{ input.topic }}'}"

static void arguments_are_templates(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL("tool: http, arguments: {url: 'http://x/{{ input.topic }}', k: 7, "
                      "n: '{{ vars.n }}', deep: [{l: ' {{ vars.list }}', t: '{{ vars.list }}'}]}",
                      ""));
    expect_effects(&f, "tool");
    assert_string_equal(fix_call(&f, 0)->request,
                        "{\"tool\":\"http\",\"node_id\":\"get\",\"arguments\":"
                        "{\"url\":\"http://x/Cats\",\"k\":7,\"n\":2,"
                        "\"deep\":[{\"l\":\" [1]\",\"t\":[1]}]}}");
    assert_true(id_eq(fix_call(&f, 0)->id, fix_run(&f, "get")));
    fix_close(&f);
}

static void output_is_the_tools(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL(HTTP, ""));
    fix_call_done(&f, fix_call(&f, 0), " {\"status\":200} ");
    expect(&f, "session pending>running\n"
               "start pending>running\n"
               "start running>completed {\"topic\":\"Cats\"}\n"
               "get pending>running\n"
               "get tool http started {\"url\":\"http://x/Cats\"}\n"
               "get tool http completed {\"url\":\"http://x/Cats\"} {\"status\":200}\n"
               "get running>completed {\"status\":200}\n"
               "end pending>running\n"
               "end running>completed {\"status\":200}\n"
               "session running>completed {\"status\":200}\n");
    assert_null(f.rows.effects);
    fix_close(&f);
}

static void mcp_names_its_server(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL("tool: mcp, server: files, name: add, arguments: {a: 1}", ""));
    assert_string_equal(fix_call(&f, 0)->request,
                        "{\"tool\":\"mcp\",\"server\":\"files\",\"name\":\"add\","
                        "\"node_id\":\"get\",\"arguments\":{\"a\":1}}");
    fix_quiet(&f);
    fix_call_done(&f, fix_call(&f, 0), "");
    expect(&f, "get tool mcp completed \"files\" \"add\" {\"a\":1} null\n"
               "get running>completed null\n"
               "end pending>running\n"
               "end running>completed null\n"
               "session running>completed null\n");
    fix_close(&f);
}

static void failures_are_told(void **state)
{
    (void)state;
    static const char error[] = "{\"code\":\"refused\",\"message\":\"It broke.\"}";
    struct fix f;
    char lines[1000];
    fix_open(&f, TOOL(HTTP, ", on_error: continue"));
    fix_quiet(&f);
    fix_call_failed(&f, fix_call(&f, 0), "refused");
    snprintf(lines, sizeof(lines),
             "get tool http failed {\"url\":\"http://x/Cats\"} %s\n"
             "get running>failed refused\n"
             "end pending>running\n"
             "end running>completed null\n"
             "session running>completed null\n",
             error);
    expect(&f, lines);
    fix_close(&f);
}

static void rubbish_is_a_failure(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL(HTTP, ""));
    fix_call_done(&f, fix_call(&f, 0), "{\"a\":");
    expect_moves(&f, "=running +start start +get get!invalid_output =failed");
    assert_null(f.rows.effects);
    fix_close(&f);
}

static void every_attempt_has_the_same_key(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL(HTTP, ", retry: {max_attempts: 3, initial_ms: 0}"));
    struct fix_call first = *fix_call(&f, 0);
    fix_call_failed(&f, &first, "refused");
    struct fix_call second = *fix_call(&f, 0);
    fix_restart(&f);
    struct fix_call third = *fix_call(&f, 0);
    assert_int_equal(f.started_count, 3);
    assert_true(id_eq(first.key, first.id));
    assert_true(id_eq(second.key, first.key) && id_eq(third.key, first.key));
    assert_false(id_eq(second.id, first.id) || id_eq(third.id, second.id));
    fix_call_done(&f, &second, "1"); /* of a process that is gone: nobody waits for it */
    fix_call_done(&f, &third, "2");
    expect_moves(&f, "=running +start start +get get!refused +get#2 get#2!interrupted +get#3 "
                     "get#3 +end end =completed");
    assert_str(f.rows.row.core.output_json, "2");
    fix_close(&f);
}

static void next_iteration_has_another_key(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [loop]}\n"
                 "  loop: {type: loop, properties: {max_rounds: 2}, next_ids: [get, end]}\n"
                 "  get: {type: tool, properties: {tool: x}, next_ids: [loop]}\n"
                 "  end: {type: end}\n");
    struct fix_call first = *fix_call(&f, 0);
    fix_call_done(&f, &first, "1");
    assert_false(id_eq(fix_call(&f, 0)->key, first.key));
    fix_close(&f);
}

static void cancel_is_told(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL(HTTP, ""));
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_CANCEL});
    expect_effects(&f, "cancel break");
    expect(&f, "get tool http failed {\"url\":\"http://x/Cats\"} "
               "{\"code\":\"cancelled\",\"message\":\"The call was cancelled.\"}\n"
               "get running>failed cancelled\n"
               "session running>cancelled\n");
    fix_close(&f);
}

static void timeout_ends_it(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL(HTTP, ", timeout_ms: 500"));
    fix_quiet(&f);
    fix_fire(&f);
    expect_effects(&f, "clear cancel break");
    expect_moves(&f, "get!timeout =failed");
    fix_close(&f);
}

static void pause_withholds_the_result(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL(HTTP, ""));
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE});
    fix_quiet(&f);
    fix_call_done(&f, fix_call(&f, 0), "{\"status\":200}");
    expect(&f, "");
    fix_restart(&f);
    fix_step(&f, (struct engine_input){.kind = IN_RESUME});
    expect(&f, "session paused>running\n"
               "get tool http completed {\"url\":\"http://x/Cats\"} {\"status\":200}\n"
               "get running>completed {\"status\":200}\n"
               "end pending>running\n"
               "end running>completed {\"status\":200}\n"
               "session running>completed {\"status\":200}\n");
    assert_int_equal(f.started_count, 1); /* not asked for twice */
    fix_close(&f);
}

static void bad_templates_fail_the_node(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TOOL("tool: http, arguments: {url: '{{ input.nothing.here }}'}", ""));
    expect_moves(&f, "=running +start start +get get!invalid_template =failed");
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_templates),
        cmocka_unit_test(output_is_the_tools),
        cmocka_unit_test(mcp_names_its_server),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(rubbish_is_a_failure),
        cmocka_unit_test(every_attempt_has_the_same_key),
        cmocka_unit_test(next_iteration_has_another_key),
        cmocka_unit_test(cancel_is_told),
        cmocka_unit_test(timeout_ends_it),
        cmocka_unit_test(pause_withholds_the_result),
        cmocka_unit_test(bad_templates_fail_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
