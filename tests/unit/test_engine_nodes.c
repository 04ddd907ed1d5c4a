#include "engine_fixture.h"

/* The kinds of nodes: what they ask for, and what they give. */

static const char *output_of(struct fix *f, const char *yaml, const char *input)
{
    static char text[4096];
    fix_open_with(f, yaml, input, false);
    fix_take(f);
    struct str s =
        f->rows.row.core.output_json.p ? f->rows.row.core.output_json : f->rows.row.core.error_json;
    snprintf(text, sizeof(text), "%.*s", STR_FMT(s));
    fix_close(f);
    return text;
}

static void transforms(void **state)
{
    (void)state;
    static const struct {
        const char *props, *output;
    } rows[] = {
        {"output: 'input.n + 1'", "4"},
        {"output: {a: 'input.n * 2', b: ['input.s', 5, true], c: {d: 'vars.v'}}",
         "{\"a\":6,\"b\":[\"x\\\"y\",5,true],\"c\":{\"d\":\"old\"}}"},
        {"vars: {v: 'input.n'}", "null"},
        {"output: 'vars.v', vars: {v: 'input.n'}", "\"old\""}, /* as it was */
        {"output: 'session.name'", "\"A test\""},
        {"output: 'nodes.start.status'", "\"completed\""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char yaml[1000];
        snprintf(yaml, sizeof(yaml),
                 "vars: {v: old}\nnodes:\n"
                 "  start: {type: start, next_ids: [t]}\n"
                 "  t: {type: transform, properties: {%s}, next_ids: [end]}\n"
                 "  end: {type: end}\n",
                 rows[i].props);
        assert_string_equal(output_of(&f, yaml, "{\"n\":3,\"s\":\"x\\\"y\"}"), rows[i].output);
    }
}

static void start_combines_attachments(void **state)
{
    (void)state;
    struct fix f;
    assert_string_equal(
        output_of(&f, "nodes:\n  start: {type: start, next_ids: [end]}\n  end: {type: end}\n",
                  "{\"attachments\":[{\"name\":\"a.txt\",\"content\":\"A\"},"
                  "{\"content\":\"B\\n\"}],\"combined_context\":\"old\",\"n\":1}"),
        "{\"attachments\":[{\"name\":\"a.txt\",\"content\":\"A\"},{\"content\":\"B\\n\"}],\"n\":1,"
        "\"combined_context\":\"## a.txt\\n\\nA\\n\\n## Attachment 2\\n\\nB\\n\"}");
}

static void start_checks_the_input(void **state)
{
    (void)state;
    struct fix f;
    assert_non_null(strstr(output_of(&f,
                                     "input_schema: {type: object, required: [topic]}\nnodes:\n"
                                     "  start: {type: start, next_ids: [end]}\n"
                                     "  end: {type: end}\n",
                                     "{}"),
                           "\"code\":\"invalid_input\""));
}

static void switches(void **state)
{
    (void)state;
    static const struct {
        const char *input, *output;
    } rows[] = {
        {"{\"n\":1}", "{\"case\":0,\"to\":\"a\"}"},
        {"{\"n\":2}", "{\"case\":1,\"to\":\"b\"}"},
        {"{\"n\":3}", "{\"case\":null,\"to\":\"c\"}"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        assert_string_equal(
            output_of(&f,
                      "nodes:\n"
                      "  start: {type: start, next_ids: [s]}\n"
                      "  s: {type: switch, properties: {cases: [{when: 'input.n == 1', to: a}, "
                      "{when: 'input.n <= 2', to: b}], default: c}}\n"
                      "  a: {type: end, properties: {output: nodes.s.output}}\n"
                      "  b: {type: end, properties: {output: nodes.s.output}}\n"
                      "  c: {type: end, properties: {output: nodes.s.output}}\n",
                      rows[i].input),
            rows[i].output);
    }
}

static void switch_without_a_case_fails(void **state)
{
    (void)state;
    struct fix f;
    assert_non_null(strstr(output_of(&f,
                                     "nodes:\n"
                                     "  start: {type: start, next_ids: [s]}\n"
                                     "  s: {type: switch, properties: {cases: [{when: 'false', "
                                     "to: end}]}}\n"
                                     "  end: {type: end}\n",
                                     "{}"),
                           "\"code\":\"no_case\""));
}

static void model_requests(void **state)
{
    (void)state;
    static const struct {
        const char *node, *request;
    } rows[] = {
        {"{type: llm, properties: {system: 'Be {{ input.mood }}', prompt: 'Say {{ input.topic }}', "
         "provider: p1, model: m1, temperature: 0.5, top_p: 0.9, max_tokens: 100}, next_ids: "
         "[end]}",
         "{\"provider\":\"p1\",\"model\":\"m1\",\"messages\":[{\"role\":\"system\",\"content\":"
         "\"Be "
         "kind\"},{\"role\":\"user\",\"content\":\"Say Cats\"}],\"temperature\":0.5,\"top_p\":0.9,"
         "\"max_tokens\":100}"},
        {"{type: llm, properties: {messages: [{role: user, content: 'Hi'}, {role: assistant, "
         "content: '{{ input.topic }}?'}]}, next_ids: [end]}",
         "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
         "\"content\":"
         "\"Cats?\"}]}"},
        {"{type: llm, properties: {prompt: x, response_schema: {type: object}}, next_ids: [end]}",
         "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"response_schema\":{\"type\":"
         "\"object\"}}"},
        {"{type: agent, properties: {agent: {name: Pro, persona: 'You are for {{ input.topic }}', "
         "model: m2}}, next_ids: [end]}",
         "{\"model\":\"m2\",\"messages\":[{\"role\":\"system\",\"content\":\"You are for Cats\"},"
         "{\"role\":\"user\",\"content\":\"Cats\\n\\n## First\\n\\nearlier words\"}]}"},
        {"{type: agent, properties: {name: Pro, persona: P, prompt: Go}, next_ids: [end]}",
         "{\"messages\":[{\"role\":\"system\",\"content\":\"P\"},{\"role\":\"user\",\"content\":"
         "\"Go\"}]}"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char yaml[2000];
        snprintf(yaml, sizeof(yaml),
                 "nodes:\n"
                 "  start: {type: start, next_ids: [first]}\n"
                 "  first: {type: transform, name: First, properties: {output: '\"earlier "
                 "words\"'}, next_ids: [m]}\n"
                 "  m: %s\n"
                 "  end: {type: end}\n",
                 rows[i].node);
        fix_open_with(&f, yaml, "{\"topic\":\"Cats\",\"mood\":\"kind\"}", false);
        fix_take(&f);
        assert_string_equal(f.last_request, rows[i].request);
        fix_close(&f);
    }
}

static void agents_are_named(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [a]}\n"
                 "  a: {type: agent, properties: {agent_id: pro-1, persona: P}, next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_say(&f, "a", "Hi");
    fix_take(&f);
    assert_non_null(strstr(f.rows.events.data, "\"agent_id\":\"pro-1\",\"index\":0"));
    assert_str(f.rows.messages->agent_id, "pro-1");
    fix_close(&f);
}

static void structured_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *moves;
    } rows[] = {
        {" {\"score\": 7} ", "m +end end =completed"},
        {"```json\n{\"score\":7}\n```\n", "m +end end =completed"},
        {"``````", "m!schema_mismatch =failed"},
        {"{\"score\":\"seven\"}", "m!schema_mismatch =failed"},
        {"Sure! 7", "m!schema_mismatch =failed"},
        {"", "m!schema_mismatch =failed"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        fix_open(&f, "nodes:\n"
                     "  start: {type: start, next_ids: [m]}\n"
                     "  m: {type: llm, properties: {prompt: x, repair_attempts: 0, "
                     "response_schema: {type: object, "
                     "properties: {score: {type: integer}}}}, next_ids: [end]}\n"
                     "  end: {type: end, properties: {output: 'nodes.m.output.score + 1'}}\n");
        fix_quiet(&f);
        fix_say(&f, "m", rows[i].text);
        expect_moves(&f, rows[i].moves);
        if (i < 2)
            assert_str(f.rows.row.core.output_json, "8");
        fix_close(&f);
    }
}

static void scripts(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "vars: {v: 1}\nnodes:\n"
                 "  start: {type: start, next_ids: [s]}\n"
                 "  s: {type: script, properties: {code: 'return 1', timeout_ms: 50}, "
                 "next_ids: [end]}\n"
                 "  end: {type: end}\n");
    fix_take(&f);
    char session[ID_TEXT_BYTES + 1], want[1000];
    id_format(session_id(f.s), session);
    snprintf(
        want, sizeof(want),
        "{\"code\":\"return 1\",\"timeout_ms\":50,\"env\":{\"input\":{\"topic\":\"Cats\"},"
        "\"nodes\":{\"start\":{\"output\":{\"topic\":\"Cats\"},\"status\":\"completed\"},"
        "\"s\":{\"status\":\"running\"},\"end\":{\"status\":\"pending\"}},"
        "\"vars\":{\"v\":1},\"session\":{\"id\":\"%s\",\"name\":\"A test\",\"user_id\":null}}}",
        session);
    assert_string_equal(f.last_request, want);
    fix_quiet(&f);
    fix_step(&f, (struct engine_input){.kind = IN_LOG,
                                       .run_id = fix_run(&f, "s"),
                                       .level = STR("warn"),
                                       .text = STR("careful")});
    expect(&f, "s log warn\n");
    fix_script(&f, "s", "[1,2]");
    expect(&f, "s running>completed [1,2]\n"
               "end pending>running\n"
               "end running>completed [1,2]\n"
               "session running>completed [1,2]\n");
    fix_close(&f);
}

static void waits(void **state)
{
    (void)state;
    static const struct {
        const char *props;
        int64_t ms;
    } rows[] = {
        {"duration_ms: 1500", 1500},
        {"until: '2026-01-01T00:01:00Z'", 60000},
        {"until: '{{ input.when }}'", 90000},
        {"until: '2025-01-01T00:00:00Z'", 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char yaml[500];
        snprintf(yaml, sizeof(yaml),
                 "nodes:\n  start: {type: start, next_ids: [w]}\n"
                 "  w: {type: wait, properties: {%s}, next_ids: [end]}\n  end: {type: end}\n",
                 rows[i].props);
        fix_open_with(&f, yaml, "{\"when\":\"2026-01-01T01:01:30+01:00\"}", false);
        fix_take(&f);
        assert_true(session_is_idle(f.s));
        assert_int_equal(f.rows.timers->due_at, f.now + rows[i].ms);
        fix_restart(&f);
        fix_fire(&f);
        fix_take(&f);
        assert_str(f.rows.row.core.status, "completed");
        fix_close(&f);
    }
}

static void final_report_streams(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, "nodes:\n"
                 "  start: {type: start, next_ids: [end]}\n"
                 "  end: {type: end, properties: {prompt: 'Report on {{ input.topic }}'}}\n");
    fix_quiet(&f);
    fix_say(&f, "end", "All well");
    expect(&f, "end [0] \"All well\"\n"
               "end token_usage \"m\" 5\n"
               "end message \"All well\" \"stop\"\n"
               "end running>completed \"All well\"\n"
               "session running>completed \"All well\"\n");
    fix_close(&f);
}

/* Enough nodes for every bit set to have several words; a wide fan and a long chain. */
static void thousand_nodes(void **state)
{
    (void)state;
    struct fix f;
    struct buf yaml;
    buf_init(&yaml, 1u << 20);
    buf_append_z(&yaml,
                 "nodes:\n  start: {type: start, next_ids: [fork]}\n  fork: {type: parallel, "
                 "next_ids: [b0");
    for (int i = 1; i < 490; i++)
        buf_printf(&yaml, ", b%d", i);
    buf_append_z(&yaml, "]}\n");
    for (int i = 0; i < 490; i++)
        buf_printf(&yaml, "  b%d: {type: transform, properties: {output: '%d'}, next_ids: [c0]}\n",
                   i, i);
    for (int i = 0; i < 490; i++)
        buf_printf(&yaml,
                   "  c%d: {type: transform, properties: {output: '%d'}, next_ids: [%s%d]}\n", i, i,
                   i == 489 ? "e" : "c", i + 1);
    buf_append_z(&yaml, "  e490: {type: end}\n");
    fix_open(&f, yaml.data);
    fix_take(&f);
    assert_str(f.rows.row.core.status, "completed");
    assert_str(f.rows.row.core.output_json, "489");
    assert_int_equal(f.rows.commits, 1);
    fix_close(&f);
    buf_deinit(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transforms),
        cmocka_unit_test(start_combines_attachments),
        cmocka_unit_test(start_checks_the_input),
        cmocka_unit_test(switches),
        cmocka_unit_test(switch_without_a_case_fails),
        cmocka_unit_test(model_requests),
        cmocka_unit_test(agents_are_named),
        cmocka_unit_test(structured_answers),
        cmocka_unit_test(scripts),
        cmocka_unit_test(waits),
        cmocka_unit_test(final_report_streams),
        cmocka_unit_test(thousand_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
