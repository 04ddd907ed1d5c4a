#include "unit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "engine/expr.h"
#include "engine/workflow.h"

static struct expr_vm *vm;

/* Parses YAML; the issues as lines "<severity> <path> <code>: <message>". */
static struct workflow *parse(const char *yaml, struct buf *lines)
{
    struct buf json;
    struct errbuf e;
    buf_init(&json, JSON_BODY_MAX);
    if (yaml_to_json(str_of(yaml), NULL, &json, &e))
        fail_msg("%s in: %s", e.text, yaml);
    struct workflow_issues issues;
    workflow_issues_init(&issues);
    struct workflow *w = NULL;
    int rc = workflow_parse(buf_str(&json), vm, &w, &issues);
    unsigned errors = 0;
    for (unsigned i = 0; i < issues.count; i++) {
        struct workflow_issue *it = &issues.items[i];
        errors += str_eqz(str_of(it->severity), "error");
        assert_int_equal(i < issues.errors, str_eqz(str_of(it->severity), "error"));
        buf_printf(lines, "%s %.*s %.*s: %.*s\n", it->severity, STR_FMT(it->path),
                   STR_FMT(it->code), STR_FMT(it->message));
    }
    assert_int_equal(errors, issues.errors);
    assert_int_equal(rc, errors ? ERR_UNPROCESSABLE : 0);
    assert_int_equal(w == NULL, errors != 0);
    workflow_issues_deinit(&issues);
    buf_deinit(&json);
    return w;
}

static struct workflow *parse_good(const char *yaml)
{
    struct buf lines;
    buf_init(&lines, 100000);
    struct workflow *w = parse(yaml, &lines);
    if (lines.len)
        fail_msg("%s", lines.data);
    buf_deinit(&lines);
    return w;
}

struct row {
    const char *yaml, *issues;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf lines;
        buf_init(&lines, 100000);
        workflow_unref(parse(rows[i].yaml, &lines));
        const char *got = lines.len ? lines.data : "";
        if (strcmp(got, rows[i].issues))
            fail_msg("in: %s\nwanted:\n%s\ngot:\n%s", rows[i].yaml, rows[i].issues, got);
        buf_deinit(&lines);
    }
}

/* ---- documents that are refused ---- */

#define S             "  s: { type: start, next_ids: [a] }\n"
#define E             "  e: { type: end }\n"
#define WRAP(nodes)   "nodes:\n" S nodes E
#define LLM(id, rest) "  " id ": { type: llm, properties: { prompt: p }, " rest " }\n"

static void the_document_is_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[]", "error  wrong_type: a workflow must be an object, not array\n"},
        {"{}", "error nodes missing: a workflow needs nodes\n"},
        {"nodes: {}", "error nodes missing: a workflow needs nodes\n"},
        {"nodes: x",
         "error nodes wrong_type: nodes must be an object of nodes by id, not string\n"},
        {"nmae: x\nnodes:\n  s: {type: start, next_ids: [e]}\n" E,
         "error nmae unknown_field: unknown field \"nmae\"; did you mean \"name\"?\n"},
        {"colour: x\n\"o d\\\"d\": y\nnodes:\n  s: {type: start, next_ids: [e]}\n" E,
         "error colour unknown_field: unknown field \"colour\"\n"
         "error [\"o d\"d\"] unknown_field: unknown field \"o d\"d\"\n"},
        {"id: a b\nname: 7\nvars: []\nui: 1\nnodes:\n  s: {type: start, next_ids: [e]}\n" E,
         "error id bad_id: an id is 1 to 64 letters, digits, '_', '.' or '-'\n"
         "error name wrong_type: name must be text, not number\n"
         "error vars wrong_type: vars must be an object, not array\n"
         "error ui wrong_type: ui must be an object, not number\n"},
        {"nodes:\n" E, "error start_node_id missing: no node is of type start\n"},
        {"nodes:\n  s: {type: start, next_ids: [e]}\n  t: {type: start, next_ids: [e]}\n" E,
         "error start_node_id missing: 2 nodes are of type start: say with start_node_id which "
         "one begins\n"},
        {"start_node_id: sart\nnodes:\n  start: {type: start, next_ids: [e]}\n" E,
         "error start_node_id unknown_node: no node \"sart\"; did you mean \"start\"?\n"},
        {"start_node_id: e\nnodes:\n  s: {type: start, next_ids: [e]}\n" E,
         "error start_node_id wrong_type: the start must be a start node; \"e\" is an end\n"
         "error nodes.s unreachable: node \"s\" is not reached from the start\n"},
        {"nodes:\n  - { type: start }\n  - { id: e, type: end }\n  - 7\n  - { id: e, type: end }\n",
         "error start_node_id missing: no node is of type start\n"
         "error nodes[0] missing: a node in an array needs an id\n"
         "error nodes[2] wrong_type: a node must be an object, not number\n"
         "error nodes.e duplicate: another node has the id \"e\"\n"},
        {"nodes:\n  s: {type: start, next_ids: [e]}\n  \"e e\": {type: end}\n" E,
         "error nodes[\"e e\"] bad_id: an id is 1 to 64 letters, digits, '_', '.' or '-'\n"},
        {"nodes:\n  s: {id: t, type: start, next_ids: [e]}\n" E,
         "error nodes.s bad_id: the node stands under \"s\" but has another id\n"},
    };
    check_rows(rows, ROWS(rows));
}

static void fields_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {WRAP("  a: { next_ids: [e] }\n"), "error nodes.a missing: node \"a\" has no type\n"},
        {WRAP("  a: { type: agnet, next_ids: [e] }\n"),
         "error nodes.a.type unknown_type: no node type \"agnet\"; did you mean \"agent\"?\n"},
        {WRAP("  a: { type: teleport, next_ids: [e] }\n"),
         "error nodes.a.type unknown_type: no node type \"teleport\"\n"},
        {WRAP("  a: 7\n"), "error nodes.a wrong_type: a node must be an object, not number\n"},
        {WRAP(LLM("a", "next: [e], next_ids: [e]")),
         "error nodes.a.next unknown_field: unknown field \"next\"\n"},
        {WRAP(LLM("a", "next_ids: e")),
         "error nodes.a.next_ids wrong_type: next_ids must be an array of node ids, not string\n"},
        {WRAP(LLM("a", "next_ids: [e, 1]")),
         "error nodes.a.next_ids[1] wrong_type: a target must be a node id, not number\n"},
        {WRAP(LLM("a", "next_ids: [e, e]")),
         "error nodes.a.next_ids[1] duplicate: \"e\" stands in next_ids twice\n"},
        {WRAP(LLM("a", "next_ids: [jugde]") LLM("judge", "next_ids: [e]")),
         "error nodes.a.next_ids[0] unknown_node: no node \"jugde\"; did you mean \"judge\"?\n"},
        {WRAP(LLM("a", "next_ids: [e], join: most")),
         "error nodes.a.join bad_join: join must be \"all\", \"any\" or a whole number\n"},
        {WRAP(LLM("a", "next_ids: [e], join: 0")),
         "error nodes.a.join out_of_range: join must be a whole number from 1 to 8000, not 0\n"},
        {WRAP(LLM("a", "next_ids: [e], join: 2")),
         "error nodes.a.join bad_join: join waits for 2 nodes, but only 1 leads to \"a\"\n"},
        {WRAP(LLM("a", "next_ids: [e], on_error: elsewhere")),
         "error nodes.a.on_error unknown_node: no node \"elsewhere\"\n"},
        {WRAP(LLM("a", "next_ids: [e], timeout_ms: 1.5")),
         "error nodes.a.timeout_ms wrong_type: timeout_ms must be a whole number, not 1.5\n"},
        {WRAP(LLM("a", "next_ids: [e], retry: { max_attempts: 101, factor: 2, on: [1] }")),
         "error nodes.a.retry.max_attempts out_of_range: max_attempts must be a whole number from "
         "1 to 100, not 101\n"
         "error nodes.a.retry.factor unknown_field: unknown field of retry \"factor\"\n"
         "error nodes.a.retry.on[0] wrong_type: a code must be text, not number\n"},
        {WRAP(LLM("a", "next_ids: [e], when: 7")),
         "error nodes.a.when wrong_type: when must be an expression (text), not number\n"},
        {WRAP(LLM("a", "next_ids: [e], routes: { approve: e }")),
         "error nodes.a.routes bad_route: an llm node does not decide, so it takes no routes\n"},
    };
    check_rows(rows, ROWS(rows));
}

static void properties_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {WRAP("  a: { type: llm, next_ids: [e] }\n"),
         "error nodes.a.properties missing: an llm node needs properties.prompt or "
         "properties.messages\n"},
        {WRAP("  a: { type: llm, properties: { prompt: p, messages: [{role: user, content: x}] },"
              " next_ids: [e] }\n"),
         "error nodes.a.properties duplicate: an llm node has either prompt or messages, not "
         "both\n"},
        {WRAP("  a: { type: llm, properties: { messages: [{role: usr, content: x}, {role: user}] },"
              " next_ids: [e] }\n"),
         "error nodes.a.properties.messages[0].role out_of_range: role must be one of \"system\", "
         "\"user\", \"assistant\", not \"usr\"; did you mean \"user\"?\n"
         "error nodes.a.properties.messages[1].content missing: a message needs content\n"},
        {WRAP("  a: { type: llm, properties: { promt: p, prompt: p, temperature: 3 },"
              " next_ids: [e] }\n"),
         "error nodes.a.properties.promt unknown_field: unknown property \"promt\"; did you mean "
         "\"prompt\"?\n"
         "error nodes.a.properties.temperature out_of_range: temperature must be a number from 0 "
         "to 2, not 3\n"},
        {WRAP("  a: { type: llm, properties: { prompt: p, model: [] }, next_ids: [e] }\n"),
         "error nodes.a.properties.model out_of_range: model must have 1 to 8 elements, not 0\n"},
        {WRAP("  a: { type: llm, properties: { prompt: p, model: [x, 7, { provder: y }, {},"
              " { provider: 'a b', model: 1 }] }, next_ids: [e] }\n"),
         "error nodes.a.properties.model[1] wrong_type: a model must be text, or an object of "
         "provider and model, not number\n"
         "error nodes.a.properties.model[2] missing: a model needs a provider or a model\n"
         "error nodes.a.properties.model[2].provder unknown_field: unknown field of a model "
         "\"provder\"; did you mean \"provider\"?\n"
         "error nodes.a.properties.model[3] missing: a model needs a provider or a model\n"
         "error nodes.a.properties.model[4].provider bad_id: provider must be 1 to 64 letters, "
         "digits, '_', '.' or '-'\n"
         "error nodes.a.properties.model[4].model wrong_type: model must be text, not number\n"},
        {WRAP("  a: { type: agent, properties: { agent: { persona: p, model: { x: 1 } } },"
              " next_ids: [e] }\n"),
         "error nodes.a.properties.agent.model wrong_type: model must be text, or an array of "
         "models, not object\n"},
        {WRAP("  a: { type: agent, properties: [], next_ids: [e] }\n"),
         "error nodes.a.properties wrong_type: properties must be an object, not array\n"},
        {WRAP("  a: { type: agent, properties: { name: A }, next_ids: [e] }\n"),
         "error nodes.a.properties missing: an agent node needs properties.persona, or the "
         "agent_id of a stored agent\n"},
    };
    check_rows(rows, ROWS(rows));
}

static void properties_of_flow_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {WRAP("  a: { type: wait, properties: { until: tomorrow }, next_ids: [e] }\n"),
         "error nodes.a.properties.until out_of_range: until must be a time such as "
         "2030-01-31T09:00:00Z, not \"tomorrow\"\n"},
        {WRAP("  a: { type: loop, properties: { max_rounds: 1001 }, next_ids: [e] }\n"),
         "error nodes.a.properties.max_rounds out_of_range: max_rounds must be a whole number from "
         "1 to 1000, not 1001\n"
         "error nodes.a.next_ids bad_edge: a loop node needs exactly two next_ids, [body, exit], "
         "not 1\n"},
        {WRAP("  a: { type: loop, properties: { max_rounds: 1 }, next_ids: e }\n"),
         "error nodes.a.next_ids wrong_type: next_ids must be an array of node ids, not string\n"},
        {WRAP("  a: { type: parallel }\n"),
         "error nodes.a.next_ids missing: a parallel node needs branches in next_ids\n"},
        {WRAP("  a: { type: parallel, next_ids: [e] }\n"),
         "warning nodes.a.next_ids one_branch: a parallel node with one branch runs nothing in "
         "parallel\n"},
        {WRAP("  a: { type: switch, next_ids: [e], properties: { cases: [{when: \"1\", to: ee}, "
              "{to: e}] } }\n"),
         "error nodes.a.next_ids bad_edge: a switch node takes no next_ids: it goes where its "
         "cases say\n"
         "error nodes.a.properties.cases[0].to unknown_node: no node \"ee\"\n"
         "error nodes.a.properties.cases[1].when missing: a case needs when\n"
         "warning nodes.a.properties no_default: without a default the switch fails when no case "
         "holds\n"},
        {"nodes:\n  s: { type: start, next_ids: [e] }\n  e: { type: end, next_ids: [s] }\n",
         "error nodes.e.next_ids bad_edge: an end node takes no next_ids\n"
         "error nodes.e.next_ids[0] unbroken_cycle: the cycle s -> e -> s passes through no loop "
         "body, human_review or user_input: nothing would end it\n"},
        {WRAP("  a: { type: transform, properties: { vars: [x] }, next_ids: [e] }\n"),
         "error nodes.a.properties.vars wrong_type: vars must be an object of names and "
         "expressions, not array\n"},
        {WRAP("  a: { type: agent, properties: { agent: { persona: x, mood: y, provider: o o } }, "
              "next_ids: [e] }\n"),
         "error nodes.a.properties.agent.mood unknown_field: unknown field of an agent \"mood\"\n"
         "error nodes.a.properties.agent.provider bad_id: provider must be 1 to 64 letters, "
         "digits, "
         "'_', '.' or '-'\n"},
        {WRAP(
             "  a: { type: loop, properties: { max_rounds: 2, exit_on_score: 8 }, next_ids: [b, e] "
             "}\n" LLM("b", "next_ids: [a]")),
         "warning nodes.a.properties no_effect: exit_on_score does nothing without score\n"},
        {WRAP("  a: { type: script, next_ids: [e], properties: { code: 7, memory_bytes_max: 1 } "
              "}\n"),
         "error nodes.a.properties.code wrong_type: code must be text, not number\n"
         "error nodes.a.properties.memory_bytes_max out_of_range: memory_bytes_max must be a whole "
         "number from 65536 to 1073741824, not 1\n"},
    };
    check_rows(rows, ROWS(rows));
}

#define REVIEW(props, rest) "  a: { type: human_review, properties: { " props " }, " rest " }\n"

/* The sentences are those of the expression checker and of the schema checker; paths are ours. */
static void expressions_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *begins;
    } rows[] = {
        {WRAP("  a: { type: llm, properties: { prompt: \"{{ nodes.jugde.output }}\" }, next_ids: "
              "[e] }\n"),
         "error nodes.a.properties.prompt bad_template: "},
        {WRAP("  a: { type: llm, properties: { prompt: \"{{ inptu.x }}\" }, next_ids: [e] }\n"),
         "error nodes.a.properties.prompt bad_template: "},
        {WRAP("  a: { type: llm, properties: { prompt: \"{{ input.x \" }, next_ids: [e] }\n"),
         "error nodes.a.properties.prompt bad_template: "},
        {WRAP(LLM("a", "next_ids: [e], when: \"input.x ==\"")),
         "error nodes.a.when bad_expression: "},
        {WRAP(
             "  a: { type: transform, properties: { output: { x: [\"1 +\"] } }, next_ids: [e] }\n"),
         "error nodes.a.properties.output.x[0] bad_expression: "},
        {WRAP("  a: { type: loop, properties: { max_rounds: 2, exit_when: \"nodes.x.output\" }, "
              "next_ids: [b, e] }\n" LLM("b", "next_ids: [a]")),
         "error nodes.a.properties.exit_when bad_expression: "},
        {WRAP(
             "  a: { type: agent, properties: { agent: { persona: \"{{ 1 + }}\" } }, next_ids: [e] "
             "}\n"),
         "error nodes.a.properties.agent.persona bad_template: "},
        {WRAP("  a: { type: llm, properties: { messages: [{ role: user, content: \"{{ }}\" }] }, "
              "next_ids: [e] }\n"),
         "error nodes.a.properties.messages[0].content bad_template: "},
        {"input_schema: { type: objct }\nnodes:\n  s: { type: start, next_ids: [e] }\n" E,
         "error input_schema bad_schema: "},
        {WRAP("  a: { type: llm, properties: { prompt: p, response_schema: { typ: x } }, next_ids: "
              "[e] "
              "}\n"),
         "error nodes.a.properties.response_schema bad_schema: "},
        {WRAP(LLM("a", "next_ids: [b], when: \"nodes.b.status == 'failed'\"")
                  LLM("b", "next_ids: [e]")),
         "warning nodes.a.when never_before: \"b\" never runs before \"a\": it may have no output "
         "yet\n"},
        {WRAP("  a: { type: llm, properties: { prompt: \"{{ nodes.s.output.x }} {{ vars.y }}\" }, "
              "next_ids: [e] }\n"),
         ""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf lines;
        buf_init(&lines, 100000);
        workflow_unref(parse(rows[i].yaml, &lines));
        const char *got = lines.len ? lines.data : "", *end = strchr(got, '\n');
        if (strncmp(got, rows[i].begins, strlen(rows[i].begins)) || (*got && strlen(end) > 1) ||
            (!*rows[i].begins && *got))
            fail_msg("in: %s\nwanted:\n%s\ngot:\n%s", rows[i].yaml, rows[i].begins, got);
        buf_deinit(&lines);
    }
}

static void reviews_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {WRAP(
             REVIEW("review_type: approve_reject", "routes: { approve: e, reject: a, modify: e }")),
         ""},
        {WRAP(REVIEW("review_type: aprove", "next_ids: [e]")),
         "error nodes.a.properties.review_type out_of_range: review_type must be one of "
         "\"approve_reject\", \"edit_content\", \"form\", not \"aprove\"\n"},
        {WRAP(REVIEW("", "routes: { aprove: e, reject: e }")),
         "error nodes.a.routes.aprove bad_route: \"aprove\" is no action of this review; did you "
         "mean \"approve\"?\n"
         "warning nodes.a bad_route: the action \"approve\" leads nowhere: give it a route, or the "
         "node next_ids\n"},
        {WRAP(REVIEW("actions: [ship, ship, \"a b\"]", "next_ids: [e], routes: { ship: e }")),
         "error nodes.a.properties.actions[1] duplicate: the same name stands in actions twice\n"
         "error nodes.a.properties.actions[2] bad_id: a name must be 1 to 64 letters, digits, '_', "
         "'.' or '-'\n"},
        {WRAP(REVIEW("review_type: form", "next_ids: [e]")),
         "error nodes.a missing: a human_review of type form needs properties.form_schema\n"},
        {WRAP(
             REVIEW("on_timeout: route, timeout_minutes: 5, reminder_minutes: 5", "next_ids: [e]")),
         "error nodes.a missing: on_timeout: route needs a route with the label timeout\n"
         "warning nodes.a no_effect: the reminder never comes: reminder_minutes is not less than "
         "timeout_minutes\n"},
        {WRAP(REVIEW("on_timeout: skip, allow_skip: true", "next_ids: [e], routes: { skip: e }")),
         "warning nodes.a no_effect: on_timeout does nothing without timeout_minutes\n"},
        {WRAP(REVIEW("on_timeout: route, timeout_minutes: 5",
                     "next_ids: [e], routes: { timeout: e, skip: e }")),
         "error nodes.a.routes.skip bad_route: \"skip\" is no action of this review\n"},
    };
    check_rows(rows, ROWS(rows));
}

static void graphs_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {WRAP(LLM("a", "next_ids: [e]") LLM("b", "next_ids: [e]")),
         "error nodes.b unreachable: node \"b\" is not reached from the start\n"},
        {WRAP(LLM("a", "next_ids: [b, e]") LLM("b", "")),
         "error nodes.b no_path_to_end: node \"b\" leads nowhere: from every node an end "
         "must be "
         "reachable\n"},
        {"nodes:\n" S LLM("a", ""), "error nodes missing: no node is of type end\n"},
        {WRAP(LLM("a", "next_ids: [b, e]") LLM("b", "next_ids: [a]")),
         "error nodes.b.next_ids[0] unbroken_cycle: the cycle a -> b -> a passes through "
         "no loop "
         "body, human_review or user_input: nothing would end it\n"},
        {WRAP(LLM("a", "next_ids: [a, e]")),
         "error nodes.a.next_ids[0] unbroken_cycle: the cycle a -> a passes through no "
         "loop body, "
         "human_review or user_input: nothing would end it\n"},
        {WRAP(LLM("a", "next_ids: [e], on_error: a")),
         "error nodes.a.on_error unbroken_cycle: the cycle a -> a passes through no loop "
         "body, "
         "human_review or user_input: nothing would end it\n"},
        {WRAP("  a: { type: user_input, next_ids: [b, e] }\n"
              "  b: { type: user_input, next_ids: [c] }\n  c: { type: start, next_ids: [b] "
              "}\n") "start_node_id: s\n",
         "error nodes.b no_path_to_end: node \"b\" is in a cycle that leads to no end\n"
         "error nodes.c no_path_to_end: node \"c\" is in a cycle that leads to no end\n"},
        /* The way out of a loop and back in is ended by nobody. */
        {WRAP("  a: { type: loop, properties: { max_rounds: 3 }, next_ids: [b, c] }\n" LLM(
             "b", "next_ids: [a]") LLM("c", "next_ids: [a, e]")),
         "error nodes.c.next_ids[0] unbroken_cycle: the cycle a -> c -> a passes through "
         "no loop "
         "body, human_review or user_input: nothing would end it\n"},
        {WRAP("  a: { type: switch, properties: { cases: [{ when: \"1\", to: a }], "
              "default: e } }\n"),
         "error nodes.a.properties.cases[0].to unbroken_cycle: the cycle a -> a passes "
         "through no "
         "loop body, human_review or user_input: nothing would end it\n"},
    };
    check_rows(rows, ROWS(rows));
}

/* One map m with the body b, and what else. */
#define MAP(body, rest)                                                                            \
    "nodes:\n  s: { type: start, next_ids: [m] }\n  m: { type: map, properties: { items: input, "  \
    "body: [" body "] }, next_ids: [e] }\n" rest E
#define SEQ(steps, rest)                                                                           \
    "nodes:\n  s: { type: start, next_ids: [m] }\n  m: { type: sequence, properties: { steps: "    \
    "[" steps "] }, next_ids: [e] }\n" rest E

static void containers_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {MAP("b, c", LLM("b", "next_ids: [c]") LLM("c", "")), ""},
        {MAP("n", "  n: { type: map, properties: { items: map.item, body: [b] } }\n" LLM("b", "")),
         ""},
        {SEQ("b, c", LLM("b", "") "  c: { type: human_review }\n"), ""},
        {MAP("", ""), "error nodes.m.properties.body missing: body needs at least one node\n"},
        {MAP("b, zz, b, s, e, m", LLM("b", "")),
         "error nodes.m.properties.body[1] unknown_node: no node \"zz\"\n"
         "error nodes.m.properties.body[2] duplicate: \"b\" stands here twice\n"
         "error nodes.m.properties.body[3] bad_member: a start node cannot be inside of a "
         "container\n"
         "error nodes.m.properties.body[4] bad_member: an end node cannot be inside of a "
         "container\n"
         "error nodes.m.properties.body[5] bad_member: a container cannot be inside of itself\n"},
        {MAP("b, 7", LLM("b", "")),
         "error nodes.m.properties.body[1] wrong_type: a member must be a node id, not number\n"},
        {MAP("b, c", LLM("b", "") LLM("c", "")), "error nodes.c unreachable: node \"c\" is not "
                                                 "reached from the first node of its map's body\n"},
        {MAP("b, c", LLM("b", "next_ids: [e]") LLM("c", "next_ids: [m]")),
         "error nodes.b.next_ids[0] bad_edge: \"b\" is inside of the map \"m\": no edge leads out "
         "of it\n"
         "error nodes.c.next_ids[0] bad_edge: \"c\" is inside of the map \"m\": no edge leads out "
         "of it\n"},
        {MAP("b", LLM("b", "on_error: e")), "error nodes.b.on_error bad_edge: \"b\" is inside of "
                                            "the map \"m\": no edge leads out of it\n"},
        {WRAP("  a: { type: map, properties: { items: input, body: [b] }, next_ids: [b] }\n" LLM(
             "b", "")),
         "error nodes.a.next_ids[0] bad_edge: \"b\" is inside of the map \"a\": no edge leads in "
         "from outside\n"},
        {MAP("b", LLM("b", "") "  n: { type: map, properties: { items: input, body: [b] }, "
                               "next_ids: [e] }\n"),
         "error nodes.n.properties.body[0] bad_member: \"b\" is inside of \"m\" already\n"},
        {MAP("b", "  b: { type: sequence, properties: { steps: [m] } }\n"),
         "error nodes.s.next_ids[0] bad_edge: \"m\" is inside of the sequence \"b\": no edge leads "
         "in from outside\n"
         "error nodes.m bad_member: \"m\" lies more than 8 containers deep, or in itself\n"
         "error nodes.m.next_ids bad_edge: a step of the sequence \"b\" leads to the next step and "
         "nowhere else: it takes no next_ids\n"
         "error nodes.m.next_ids[0] bad_edge: \"m\" is inside of the sequence \"b\": no edge leads "
         "out of it\n"},
    };
    check_rows(rows, ROWS(rows));
}

static void graphs_inside_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {MAP("b, c", LLM("b", "next_ids: [c]") LLM("c", "next_ids: [b]")),
         "error nodes.b no_path_to_end: node \"b\" is in a cycle that never ends its item\n"
         "error nodes.c no_path_to_end: node \"c\" is in a cycle that never ends its item\n"
         "error nodes.c.next_ids[0] unbroken_cycle: the cycle b -> c -> b passes through no loop "
         "body, human_review or user_input: nothing would end it\n"},
        {MAP("b, c", "  b: { type: user_input, next_ids: [c] }\n  c: { type: user_input, "
                     "next_ids: [b] }\n"),
         "error nodes.b no_path_to_end: node \"b\" is in a cycle that never ends its item\n"
         "error nodes.c no_path_to_end: node \"c\" is in a cycle that never ends its item\n"},
        {MAP("b", "  b: { type: llm, properties: { prompt: p }, join: 2 }\n"),
         "error nodes.b.join bad_join: join waits for 2 nodes, but only 0 lead to \"b\"\n"},
        {SEQ("b, c", LLM("b", "next_ids: [c]") LLM("c", "on_error: b")),
         "error nodes.b.next_ids bad_edge: a step of the sequence \"m\" leads to the next step and "
         "nowhere else: it takes no next_ids\n"
         "error nodes.c.on_error bad_edge: a step of the sequence \"m\" leads to the next step and "
         "nowhere else: it takes no node in on_error (but \"fail\" and \"continue\")\n"
         "error nodes.c.on_error unbroken_cycle: the cycle b -> c -> b passes through no loop "
         "body, human_review or user_input: nothing would end it\n"},
        {SEQ("b, c", LLM("b", "") "  c: { type: loop, properties: { max_rounds: 2 }, next_ids: "
                                  "[b, b] }\n"),
         "error nodes.c bad_member: a loop goes to nodes of its own choice, so it cannot be a step "
         "of the sequence \"m\"; inside of a map, as a step, it can\n"
         "error nodes.c.next_ids[1] duplicate: \"b\" stands in next_ids twice\n"
         "error nodes.c.next_ids[1] unbroken_cycle: the cycle b -> c -> b passes through no loop "
         "body, human_review or user_input: nothing would end it\n"},
        {"nodes:\n  s: { type: start, next_ids: [m] }\n  m: { type: map, properties: { items: "
         "nodes.b.output, body: [b, c] }, next_ids: [e] }\n" LLM("b", "when: nodes.s.output and "
                                                                      "nodes.c.output, next_ids: "
                                                                      "[c]")
             LLM("c", "") "  e: { type: end, properties: { output: nodes.b.output } }\n",
         "error nodes.m.properties.items bad_expression: node \"b\" is inside of the map \"m\": "
         "outside only nodes.m is seen\n"
         "error nodes.e.properties.output bad_expression: node \"b\" is inside of the map \"m\": "
         "outside only nodes.m is seen\n"},
        {MAP("b", "  b: { type: transform, properties: { output: nodes.e.output .. "
                  "nodes.s.output } }\n"),
         "warning nodes.b.properties.output never_before: \"e\" never runs before \"b\": it may "
         "have no output yet\n"},
        {WRAP("  a: { type: map, properties: { items: input, body: [x], on_item_error: skip, "
              "max_concurrent: 0 }, next_ids: [e] }\n" LLM("x", "")),
         "error nodes.a.properties.on_item_error out_of_range: on_item_error must be one of "
         "\"fail\", \"null\", \"drop\", not \"skip\"\n"
         "error nodes.a.properties.max_concurrent out_of_range: max_concurrent must be a whole "
         "number from 1 to 1000, not 0\n"},
        {WRAP("  a: { type: sequence, properties: {}, next_ids: [e] }\n"),
         "error nodes.a.properties.steps missing: a sequence node needs properties.steps\n"},
    };
    check_rows(rows, ROWS(rows));
}

static void members_have_a_graph(void **state)
{
    (void)state;
    struct workflow *w = parse_good(
        MAP("l, b, p, c, d",
            "  l: { type: loop, properties: { max_rounds: 2 }, next_ids: [b, p] }\n" LLM(
                "b", "next_ids: [l]") "  p: { type: parallel, next_ids: [c, d] }\n" LLM("c", "")
                LLM("d", "")));
    const struct node_def *m = &w->nodes[workflow_find(w, STR("m"))];
    const struct workflow *in = m->inner;
    assert_non_null(in);
    assert_int_equal(in->node_count, 5);
    assert_int_equal(in->edge_count, 5);
    assert_str(in->nodes[in->start].id, "l");
    unsigned b = (unsigned)workflow_find(in, STR("b")), d = (unsigned)workflow_find(in, STR("d"));
    assert_true(in->edges[in->nodes[b].out[0]].back);
    assert_true(workflow_reaches_forward(in, in->start, d));
    assert_str(in->nodes[d].branch, "d");
    assert_int_equal(in->nodes[d].owner, m - w->nodes);
    const struct node_def *doc = &w->nodes[in->nodes[d].doc];
    assert_str(doc->id, "d");
    assert_int_equal(doc->local, d);
    assert_int_equal(workflow_find(in, STR("m")), -1);
    unsigned back = 0; /* in the document as well: for those who draw it */
    for (unsigned i = 0; i < w->edge_count; i++)
        back += w->edges[i].back;
    assert_int_equal(back, 1);
    workflow_unref(w);
}

static void all_errors_come_at_once_in_order(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"nodes:\n"
         "  start: { type: start, next_ids: [panel], retries: 1 }\n"
         "  panel: { type: paralel, next_ids: [pro, con] }\n"
         "  pro: { type: agent, properties: { personna: x }, next_ids: [jugde] }\n"
         "  con: { type: agent, properties: { persona: x }, next_ids: [judge], join: some }\n"
         "  judge: { type: llm, properties: { prompt: 5 }, next_ids: [end] }\n"
         "  end: { type: end }\n",
         "error nodes.start.retries unknown_field: unknown field \"retries\"\n"
         "error nodes.panel.type unknown_type: no node type \"paralel\"; did you mean "
         "\"parallel\"?\n"
         "error nodes.pro.properties missing: an agent node needs properties.persona, or the "
         "agent_id of a stored agent\n"
         "error nodes.pro.properties.personna unknown_field: unknown property \"personna\"; did "
         "you mean \"persona\"?\n"
         "error nodes.pro.next_ids[0] unknown_node: no node \"jugde\"; did you mean \"judge\"?\n"
         "error nodes.con.join bad_join: join must be \"all\", \"any\" or a whole number\n"
         "error nodes.judge.properties.prompt wrong_type: prompt must be text, not number\n"},
    };
    check_rows(rows, ROWS(rows));
}

/* Errors are not crowded out by warnings, and the list stops at its limit. */
static void the_list_of_issues_is_bounded(void **state)
{
    (void)state;
    struct buf yaml, lines;
    buf_init(&yaml, 1000000);
    buf_init(&lines, 1000000);
    buf_append_z(&yaml, "nodes:\n  s: { type: start, next_ids: [n0] }\n");
    for (int i = 0; i < 150; i++)
        buf_printf(&yaml,
                   "  n%d: { type: switch, properties: { cases: [{ when: \"1\", to: n%d }] } }\n",
                   i, i + 1);
    for (int i = 0; i < 5; i++)
        buf_printf(&yaml, "  b%d: { type: llm }\n", i);
    buf_append_z(&yaml, "  n150: { type: end }\n");
    workflow_unref(parse(yaml.data, &lines));
    unsigned count = 0, errors = 0;
    for (const char *at = lines.data; *at; at = strchr(at, '\n') + 1) {
        count++;
        errors += at[0] == 'e';
    }
    assert_int_equal(count, WORKFLOW_ISSUES_MAX);
    assert_int_equal(errors, 15); /* no prompt, unreachable and nowhere to go, five times */
    buf_deinit(&yaml);
    buf_deinit(&lines);
}

/* ---- documents that are taken ---- */

static const char council[] =
    "id: council-debate\n"
    "name: Council debate\n"
    "version: 7\n"
    "metadata: { a: [1] }\n"
    "vars: { tone: calm }\n"
    "nodes:\n"
    "  start: { type: start, next_ids: [panel] }\n"
    "  panel: { type: parallel, next_ids: [pro, con] }\n"
    "  pro: { type: agent, properties: { persona: a }, next_ids: [judge] }\n"
    "  con: { type: agent, properties: { persona: b }, next_ids: [judge],\n"
    "    retry: { max_attempts: 5, on: [rate_limited] }, on_error: continue }\n"
    "  judge: { type: llm, name: The judge, properties: { prompt: p },\n"
    "    next_ids: [review], join: 2, when: \"true\", timeout_ms: 500 }\n"
    "  review: { type: human_review,\n"
    "    routes: { approve: end, reject: judge, modify: end } }\n"
    "  end: { type: end }\n";

static void fields_are_kept(void **state)
{
    (void)state;
    struct workflow *w = parse_good(council);
    assert_str(w->id, "council-debate");
    assert_str(w->name, "Council debate");
    assert_null(w->type.p);
    assert_int_equal(w->version, 0);
    assert_str(json_raw(w->vars), "{\"tone\":\"calm\"}");
    assert_int_equal(w->node_count, 7);
    assert_int_equal(w->start, 0);
    assert_int_equal(workflow_find(w, STR("nobody")), -1);
    for (unsigned i = 0; i < w->node_count; i++)
        assert_int_equal(workflow_find(w, w->nodes[i].id), (int)i);
    const struct node_def *con = &w->nodes[workflow_find(w, STR("con"))];
    assert_str(con->name, "con");
    assert_int_equal(con->retry.max_attempts, 5);
    assert_int_equal(con->retry.initial_ms, 1000);
    assert_int_equal(con->retry.max_ms, 60000);
    assert_true(con->retry.multiplier == 2);
    assert_str(json_raw(con->retry.on), "[\"rate_limited\"]");
    assert_int_equal(con->on_error, ON_ERROR_CONTINUE);
    const struct node_def *judge = &w->nodes[workflow_find(w, STR("judge"))];
    assert_str(judge->name, "The judge");
    assert_int_equal(judge->kind, KIND_LLM);
    assert_int_equal(judge->join, JOIN_COUNT);
    assert_int_equal(judge->join_count, 2);
    assert_str(judge->when, "true");
    assert_int_equal(judge->timeout_ms, 500);
    assert_int_equal(judge->retry.max_attempts, 1);
    assert_int_equal(judge->in_count, 3);
    assert_str(json_raw(judge->properties), "{\"prompt\":\"p\"}");
    workflow_unref(workflow_ref(w));
    workflow_unref(w);
}

static void edges_go_forward_and_back(void **state)
{
    (void)state;
    struct workflow *w = parse_good(council);
    unsigned review = (unsigned)workflow_find(w, STR("review"));
    unsigned judge = (unsigned)workflow_find(w, STR("judge"));
    unsigned pro = (unsigned)workflow_find(w, STR("pro"));
    unsigned con = (unsigned)workflow_find(w, STR("con"));
    unsigned end = (unsigned)workflow_find(w, STR("end"));
    const struct node_def *r = &w->nodes[review];
    assert_int_equal(r->out_count, 3);
    static const char *const labels[] = {"approve", "reject", "modify"};
    for (unsigned i = 0; i < 3; i++) {
        const struct edge *e = &w->edges[r->out[i]];
        assert_int_equal(e->kind, EDGE_ROUTE);
        assert_str(e->label, labels[i]);
        assert_int_equal(e->back, i == 1);
        assert_int_equal(e->to, i == 1 ? judge : end);
    }
    for (unsigned i = 0; i < w->node_count; i++) {
        assert_true(workflow_reaches_forward(w, i, i));
        assert_true(workflow_reaches_forward(w, w->start, i));
        assert_int_equal(workflow_reaches(w, i, i), i == judge || i == review);
    }
    assert_false(workflow_reaches_forward(w, review, judge));
    assert_true(workflow_reaches(w, review, judge));
    assert_false(workflow_reaches(w, pro, con));
    assert_true(workflow_reaches_forward(w, pro, end));
    assert_str(w->nodes[pro].branch, "pro");
    assert_str(w->nodes[con].branch, "con");
    assert_null(w->nodes[judge].branch.p);
    workflow_unref(w);
}

/* A review behind the loop sends back into its body; what leaves the body for good does not. */
static void loops_are_entered_again(void **state)
{
    (void)state;
    struct workflow *w = parse_good(
        "nodes:\n"
        "  s: { type: start, next_ids: [l] }\n"
        "  l: { type: loop, properties: { max_rounds: 3 }, next_ids: [a, r] }\n" LLM(
            "a", "next_ids: [b]") "  b: { type: human_review, routes: { approve: l, reject: out } "
                                  "}\n" LLM("out", "next_ids: [e]") "  r: { type: human_review, "
                                                                    "routes: { approve: out, "
                                                                    "reject: a, modify: b } }\n" E);
    unsigned r = (unsigned)workflow_find(w, STR("r")), a = (unsigned)workflow_find(w, STR("a"));
    const struct node_def *review = &w->nodes[r];
    assert_int_equal(review->out_count, 3);
    assert_false(w->edges[review->out[0]].back);
    assert_true(w->edges[review->out[1]].back);
    assert_true(w->edges[review->out[2]].back);
    assert_false(workflow_reaches_forward(w, r, a));
    assert_true(workflow_reaches(w, r, a));
    workflow_unref(w);
}

static void branches_nest(void **state)
{
    (void)state;
    static const struct {
        const char *node, *branch;
    } rows[] = {
        {"s", NULL}, {"out", NULL}, {"in", "in"}, {"x", "x"},  {"x2", "x2"}, {"y", "y"},
        {"z", "in"}, {"b", "b"},    {"b2", "b"},  {"j", NULL}, {"e", NULL},
    };
    struct workflow *w = parse_good(
        "nodes:\n"
        "  s: { type: start, next_ids: [out] }\n"
        "  out: { type: parallel, next_ids: [in, b] }\n"
        "  in: { type: parallel, next_ids: [x, x2, y] }\n" LLM("x", "next_ids: [z]")
            LLM("x2", "next_ids: [z]") LLM("y", "next_ids: [z]") LLM("z", "next_ids: [j]")
                LLM("b", "next_ids: [b2]") "  b2: { type: human_review, routes: { approve: j, "
                                           "reject: b } }\n" LLM("j", "next_ids: [e]") E);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct str branch = w->nodes[workflow_find(w, str_of(rows[i].node))].branch;
        if (rows[i].branch)
            assert_str(branch, rows[i].branch);
        else
            assert_null(branch.p);
    }
    workflow_unref(w);
}

static void nodes_may_be_an_array(void **state)
{
    (void)state;
    struct workflow *w = parse_good("start_node_id: b\nnodes:\n"
                                    "  - { id: e, type: end }\n"
                                    "  - { id: a, type: start, next_ids: [e] }\n"
                                    "  - { id: b, type: start, next_ids: [a] }\n");
    assert_str(w->nodes[w->start].id, "b");
    assert_str(w->nodes[0].id, "e");
    workflow_unref(w);
}

static void actions_follow_the_review(void **state)
{
    (void)state;
    static const struct {
        const char *properties, *rest, *actions;
    } rows[] = {
        {"{}", "next_ids: [e]", "approve reject "},
        {"{}", "next_ids: [e], routes: { modify: e }", "approve reject modify "},
        {"{ review_type: edit_content }", "next_ids: [e]", "approve modify reject "},
        {"{ review_type: form, form_schema: {} }", "next_ids: [e]", "submit "},
        {"{ review_type: form, form_schema: {} }", "next_ids: [e], routes: { reject: e }",
         "submit reject "},
        {"{ actions: [go, stay], allow_skip: true }", "next_ids: [e]", "go stay skip "},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf yaml, got;
        buf_init(&yaml, 10000);
        buf_init(&got, 10000);
        buf_printf(&yaml, "nodes:\n" S "  a: { type: human_review, properties: %s, %s }\n" E,
                   rows[i].properties, rows[i].rest);
        struct workflow *w = parse_good(yaml.data);
        struct str actions[WORKFLOW_ACTIONS_MAX];
        unsigned n = workflow_actions(w, &w->nodes[1], actions);
        for (unsigned k = 0; k < n; k++)
            buf_printf(&got, "%.*s ", STR_FMT(actions[k]));
        assert_string_equal(got.data, rows[i].actions);
        workflow_unref(w);
        buf_deinit(&yaml);
        buf_deinit(&got);
    }
}

/* A chain as long as allowed, and one more. Its walk must not cost stack. */
static void limits_hold(void **state)
{
    (void)state;
    for (int nodes = WORKFLOW_NODES_MAX; nodes <= WORKFLOW_NODES_MAX + 1; nodes++) {
        struct buf json;
        buf_init(&json, 1000000);
        buf_append_z(&json, "{\"nodes\":{\"n0\":{\"type\":\"start\",\"next_ids\":[\"n1\"]}");
        for (int i = 1; i < nodes - 1; i++)
            buf_printf(&json,
                       ",\"n%d\":{\"type\":\"wait\",\"properties\":{\"duration_ms\":1},"
                       "\"next_ids\":[\"n%d\"]}",
                       i, i + 1);
        buf_printf(&json, ",\"n%d\":{\"type\":\"end\"}}}", nodes - 1);
        struct workflow_issues issues;
        workflow_issues_init(&issues);
        struct workflow *w = NULL;
        int rc = workflow_parse(buf_str(&json), vm, &w, &issues);
        if (nodes <= WORKFLOW_NODES_MAX) {
            assert_int_equal(rc, 0);
            assert_true(workflow_reaches_forward(w, 0, (unsigned)nodes - 1));
            assert_false(workflow_reaches(w, (unsigned)nodes - 1, 0));
        } else {
            assert_int_equal(rc, ERR_UNPROCESSABLE);
            assert_str(issues.items[0].message, "a workflow has at most 1000 nodes, not 1001");
        }
        workflow_unref(w);
        workflow_issues_deinit(&issues);
        buf_deinit(&json);
    }
}

/* What we ship has no errors, and no warnings either. */
static void examples_are_good(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob("examples/*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 5);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        static char yaml[100000];
        FILE *f = fopen(found.gl_pathv[i], "r");
        assert_non_null(f);
        size_t n = fread(yaml, 1, sizeof(yaml) - 1, f);
        fclose(f);
        yaml[n] = 0;
        struct workflow *w = parse_good(yaml);
        const char *name = strrchr(found.gl_pathv[i], '/') + 1;
        assert_memory_equal(w->id.p, name, w->id.n);
        assert_string_equal(name + w->id.n, ".yaml");
        workflow_unref(w);
    }
    globfree(&found);
}

static int vm_open(void **state)
{
    (void)state;
    vm = expr_vm_create();
    return 0;
}

static int vm_close(void **state)
{
    (void)state;
    expr_vm_destroy(vm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_checked),
        cmocka_unit_test(fields_are_checked),
        cmocka_unit_test(properties_are_checked),
        cmocka_unit_test(properties_of_flow_are_checked),
        cmocka_unit_test(expressions_are_checked),
        cmocka_unit_test(reviews_are_checked),
        cmocka_unit_test(graphs_are_checked),
        cmocka_unit_test(containers_are_checked),
        cmocka_unit_test(graphs_inside_are_checked),
        cmocka_unit_test(members_have_a_graph),
        cmocka_unit_test(all_errors_come_at_once_in_order),
        cmocka_unit_test(the_list_of_issues_is_bounded),
        cmocka_unit_test(fields_are_kept),
        cmocka_unit_test(edges_go_forward_and_back),
        cmocka_unit_test(loops_are_entered_again),
        cmocka_unit_test(branches_nest),
        cmocka_unit_test(nodes_may_be_an_array),
        cmocka_unit_test(actions_follow_the_review),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(examples_are_good),
    };
    return cmocka_run_group_tests(tests, vm_open, vm_close);
}
