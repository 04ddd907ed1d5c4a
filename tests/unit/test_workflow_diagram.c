#include "engine_fixture.h"

#include "engine/workflow_diagram.h"

static const char council[] = "id: c\n"
                              "name: Council\n"
                              "nodes:\n"
                              "  start: {type: start, next_ids: [panel]}\n"
                              "  panel: {type: parallel, next_ids: [pro, con]}\n"
                              "  pro: {type: llm, properties: {prompt: a}, next_ids: [more]}\n"
                              "  more: {type: llm, properties: {prompt: b}, next_ids: [judge]}\n"
                              "  con: {type: llm, properties: {prompt: c}, next_ids: [judge]}\n"
                              "  judge: {type: llm, properties: {prompt: d}, on_error: end,\n"
                              "          next_ids: [review]}\n"
                              "  review: {type: human_review,\n"
                              "           routes: {approve: end, reject: judge}}\n"
                              "  end: {type: end}\n";

struct drawn {
    struct expr_vm *vm;
    struct workflow *wf;
    struct buf out;
};

static const char *draw(struct drawn *d, const char *yaml, enum diagram_format f,
                        const char *statuses)
{
    d->vm = expr_vm_create();
    d->wf = fix_parse(d->vm, yaml);
    buf_init(&d->out, 1u << 20);
    workflow_diagram_write(d->wf, f, statuses ? json_root(str_of(statuses)) : JSON_ABSENT, &d->out);
    assert_int_equal(buf_error(&d->out), 0);
    return d->out.data;
}

static void drawn_close(struct drawn *d)
{
    buf_deinit(&d->out);
    workflow_unref(d->wf);
    expr_vm_destroy(d->vm);
}

static void test_mermaid(void **state)
{
    (void)state;
    struct drawn d;
    assert_string_equal(draw(&d, council, DIAGRAM_MERMAID, NULL),
                        "flowchart TD\n"
                        "    n0([\"start\"])\n"
                        "    n1{{\"panel<br/>parallel\"}}\n"
                        "    n4[\"con<br/>llm\"]\n"
                        "    n5[\"judge<br/>llm\"]\n"
                        "    n6[/\"review<br/>human_review\"/]\n"
                        "    n7([\"end\"])\n"
                        "    subgraph b2[\"pro\"]\n"
                        "        n2[\"pro<br/>llm\"]\n"
                        "        n3[\"more<br/>llm\"]\n"
                        "    end\n"
                        "    n0 --> n1\n"
                        "    n1 --> n2\n"
                        "    n1 --> n4\n"
                        "    n2 --> n3\n"
                        "    n3 --> n5\n"
                        "    n4 --> n5\n"
                        "    n5 --> n6\n"
                        "    n5 -.->|\"error\"| n7\n"
                        "    n6 -->|\"approve\"| n7\n"
                        "    n6 -.->|\"reject\"| n5\n");
    drawn_close(&d);
}

static void test_colours_of_a_session(void **state)
{
    (void)state;
    struct drawn d;
    const char *text = draw(&d, council, DIAGRAM_MERMAID,
                            "{\"start\":\"completed\",\"pro\":\"running\",\"con\":\"completed\","
                            "\"nobody\":\"failed\",\"review\":\"odd\",\"end\":7}");
    assert_non_null(strstr(text, "classDef running fill:#dbeafe,stroke:#2563eb,color:#18181b\n"
                                 "    class n2 running\n"));
    assert_non_null(strstr(text, "    class n0,n4 completed\n"));
    assert_non_null(strstr(text, "    class n1,n3,n5,n6,n7 pending\n"));
    assert_null(strstr(text, "failed"));
    drawn_close(&d);
}

static void test_dot(void **state)
{
    (void)state;
    struct drawn d;
    const char *text = draw(&d, council, DIAGRAM_DOT, "{\"pro\":\"failed\"}");
    assert_non_null(strstr(text, "digraph workflow {\n    rankdir=TB;\n    label=\"Council\""));
    assert_non_null(
        strstr(text, "    n1 [label=\"panel\\nparallel\", shape=hexagon, style=filled"));
    assert_non_null(strstr(text, "    subgraph cluster_2 {\n        label=\"pro\";"));
    assert_non_null(strstr(text, "        n2 [label=\"pro\\nllm\", shape=box, style=filled, "
                                 "fillcolor=\"#fee2e2\", color=\"#dc2626\"];\n"));
    assert_non_null(strstr(text, "    n5 -> n7 [label=\"error\", style=dotted];\n"));
    assert_non_null(
        strstr(text, "    n6 -> n5 [label=\"reject\", style=dashed, constraint=false];\n"));
    drawn_close(&d);
}

/* level/position of a node */
static void expect_place(struct json picture, const char *id, int64_t level, int64_t position)
{
    struct json_iter it;
    int64_t got = -1;
    json_iter_init(&it, json_get(picture, "nodes"));
    while (json_iter_next(&it)) {
        if (!json_string_eq(json_get(it.value, "id"), id))
            continue;
        assert_true(json_i64(json_get(it.value, "level"), &got));
        assert_int_equal(got, level);
        assert_true(json_i64(json_get(it.value, "position"), &got));
        assert_int_equal(got, position);
    }
    assert_int_not_equal(got, -1);
}

static void test_json_layers(void **state)
{
    (void)state;
    struct drawn d;
    struct errbuf e;
    draw(&d, council, DIAGRAM_JSON, NULL);
    assert_int_equal(json_check(buf_str(&d.out), NULL, &e), 0);
    struct json picture = json_root(buf_str(&d.out));
    int64_t levels = 0;
    assert_true(json_i64(json_get(picture, "levels"), &levels));
    assert_int_equal(levels, 7);
    expect_place(picture, "start", 0, 0);
    expect_place(picture, "pro", 2, 0);
    expect_place(picture, "con", 2, 1);
    expect_place(picture, "more", 3, 0);
    expect_place(picture, "judge", 4, 0); /* the longest way */
    expect_place(picture, "end", 6, 0);
    assert_non_null(strstr(d.out.data, "{\"from\":\"review\",\"to\":\"judge\",\"kind\":\"route\","
                                       "\"label\":\"reject\",\"back\":true}"));
    assert_non_null(strstr(d.out.data, "\"branch\":\"pro\""));
    assert_null(strstr(d.out.data, "\"status\""));
    drawn_close(&d);
}

static void test_nested_branches(void **state)
{
    (void)state;
    struct drawn d;
    const char *text = draw(&d,
                            "nodes:\n"
                            "  start: {type: start, next_ids: [p]}\n"
                            "  p: {type: parallel, next_ids: [a, b]}\n"
                            "  a: {type: parallel, next_ids: [c, x]}\n"
                            "  c: {type: transform, properties: {output: '1'}, next_ids: [d]}\n"
                            "  d: {type: transform, properties: {output: '1'}, next_ids: [j]}\n"
                            "  x: {type: transform, properties: {output: '1'}, next_ids: [j]}\n"
                            "  j: {type: transform, properties: {output: '1'}, next_ids: [end]}\n"
                            "  b: {type: transform, properties: {output: '1'}, next_ids: [end]}\n"
                            "  end: {type: end}\n",
                            DIAGRAM_MERMAID, NULL);
    assert_non_null(strstr(text, "    subgraph b2[\"a\"]\n"
                                 "        n2{{\"a<br/>parallel\"}}\n"
                                 "        n5[[\"x<br/>transform\"]]\n"
                                 "        n6[[\"j<br/>transform\"]]\n"
                                 "        subgraph b3[\"c\"]\n"
                                 "            n3[[\"c<br/>transform\"]]\n"
                                 "            n4[[\"d<br/>transform\"]]\n"
                                 "        end\n"
                                 "    end\n"));
    drawn_close(&d);
}

static const char contained[] =
    "nodes:\n"
    "  start: {type: start, next_ids: [each]}\n"
    "  each: {type: map, properties: {items: input.items, body: [p, a, b, s]}, next_ids: [end]}\n"
    "  p: {type: parallel, next_ids: [a, b]}\n"
    "  a: {type: transform, properties: {output: '1'}, next_ids: [s]}\n"
    "  b: {type: transform, properties: {output: '1'}, next_ids: [s]}\n"
    "  s: {type: sequence, properties: {steps: [x, y]}}\n"
    "  x: {type: transform, properties: {output: '1'}}\n"
    "  y: {type: transform, properties: {output: '1'}}\n"
    "  end: {type: end}\n";

static void test_containers_are_boxes(void **state)
{
    (void)state;
    struct drawn d;
    const char *text = draw(&d, contained, DIAGRAM_MERMAID, NULL);
    assert_non_null(strstr(text, "    n1{{\"each<br/>map\"}}\n"
                                 "    n8([\"end\"])\n"
                                 "    subgraph b10[\"each\"]\n"
                                 "        n2{{\"p<br/>parallel\"}}\n"
                                 "        n3[[\"a<br/>transform\"]]\n"
                                 "        n4[[\"b<br/>transform\"]]\n"
                                 "        n5{{\"s<br/>sequence\"}}\n"
                                 "        subgraph b14[\"s\"]\n"
                                 "            n6[[\"x<br/>transform\"]]\n"
                                 "            n7[[\"y<br/>transform\"]]\n"
                                 "        end\n"
                                 "    end\n"));
    assert_non_null(strstr(text, "    n1 -.-o n2\n    n5 -.-o n6\n"));
    drawn_close(&d);
    draw(&d, contained, DIAGRAM_JSON, NULL);
    struct json picture = json_root(buf_str(&d.out));
    expect_place(picture, "p", 2, 0);
    expect_place(picture, "a", 3, 0);
    expect_place(picture, "b", 3, 1);
    expect_place(picture, "s", 4, 0);
    expect_place(picture, "x", 5, 0);
    expect_place(picture, "y", 6, 0);
    expect_place(picture, "end", 7, 0);
    assert_non_null(strstr(d.out.data, "\"container\":\"s\""));
    assert_non_null(strstr(d.out.data, "{\"from\":\"each\",\"to\":\"p\",\"kind\":\"entry\""));
    drawn_close(&d);
}

static const char hostile[] =
    "name: \"x\\\"; } click evil\"\n"
    "nodes:\n"
    "  start: {type: start, name: \"%%{init: 1}%% \\\"<script>alert(1)</script>\\n`end`\\\\\",\n"
    "          next_ids: [end.a-b]}\n"
    "  end.a-b: {type: switch, properties: {cases: [{when: \"input.a == '\\\"|--> <b>&amp;'\",\n"
    "            to: end}], default: end}}\n"
    "  end: {type: end, name: "
    "'ääääääääääääääääääääääääääääääääääääääääääääääääääääääää"
    "ääääääääääääääääääääääää'}\n";

static void test_hostile_texts_stay_labels(void **state)
{
    (void)state;
    struct drawn d;
    const char *text = draw(&d, hostile, DIAGRAM_MERMAID, NULL);
    assert_non_null(strstr(
        text,
        "    n0([\"#37;#37;#123;init: 1#125;#37;#37; #34;#60;script#62;alert(1)#60;/script#62; "
        "#96;end#96;#92;<br/>start\"])\n"));
    assert_non_null(
        strstr(text, "    n1 -->|\"input.a == '#34;#124;--#62; #60;b#62;#38;amp#59;'\"| n2\n"));
    assert_null(strstr(text, "script>"));
    drawn_close(&d);

    text = draw(&d, hostile, DIAGRAM_DOT, NULL);
    assert_non_null(strstr(text, "label=\"x\\\"; } click evil\"; labelloc=t;\n"));
    assert_non_null(
        strstr(text, "[label=\"%%{init: 1}%% \\\"<script>alert(1)</script> `end`\\\\\\nstart\""));
    assert_non_null(strstr(text, "[label=\"input.a == '\\\"|--> <b>&amp;amp;'\"]"));
    /* Cut between characters, and said so. */
    assert_non_null(strstr(text, "ä…\\nend\""));
    drawn_close(&d);

    struct errbuf e;
    draw(&d, hostile, DIAGRAM_JSON, NULL);
    assert_int_equal(json_check(buf_str(&d.out), NULL, &e), 0);
    drawn_close(&d);
}

static void test_words(void **state)
{
    (void)state;
    enum diagram_format f;
    assert_true(diagram_format_parse(STR("dot"), &f));
    assert_int_equal(f, DIAGRAM_DOT);
    assert_false(diagram_format_parse(STR("svg"), &f));
    assert_string_equal(diagram_media_type(DIAGRAM_JSON), "application/json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mermaid),
        cmocka_unit_test(test_colours_of_a_session),
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_json_layers),
        cmocka_unit_test(test_nested_branches),
        cmocka_unit_test(test_containers_are_boxes),
        cmocka_unit_test(test_hostile_texts_stay_labels),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
