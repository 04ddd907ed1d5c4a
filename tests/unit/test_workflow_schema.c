/* The schema of workflows: as in docs/, whole, true of the examples, and as strict as validation.
 */
#include "engine_fixture.h"

#include <dirent.h>

#include "base/file.h"
#include "engine/schema.h"
#include "engine/workflow_private.h"
#include "engine/workflow_schema.h"

static struct buf schema;

static struct json root(void)
{
    return json_root(buf_str(&schema));
}

static int setup(void **state)
{
    (void)state;
    buf_init(&schema, WORKFLOW_SCHEMA_BYTES_MAX);
    workflow_schema_write(&schema);
    return buf_error(&schema);
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&schema);
    return 0;
}

static struct buf file_bytes(const char *path)
{
    struct buf b;
    struct errbuf e;
    buf_init(&b, 16u << 20);
    if (file_append(path, &b, &e))
        fail_msg("%s: %s", path, e.text);
    return b;
}

static void test_docs_have_this_schema(void **state)
{
    (void)state;
    struct errbuf e;
    struct buf docs = file_bytes("docs/workflow.schema.json");
    assert_int_equal(json_check(buf_str(&docs), NULL, &e), 0);
    if (!json_eq(root(), json_root(buf_str(&docs))))
        fail_msg("run: sluice flow schema > docs/workflow.schema.json");
    buf_deinit(&docs);
}

static void test_our_own_validator_can_read_it(void **state)
{
    (void)state;
    struct errbuf e = {{0}};
    if (schema_check(root(), &e))
        fail_msg("%s", e.text);
}

/* `true` stands for a field that the schema's tables do not know. */
static void test_every_field_is_described(void **state)
{
    (void)state;
    struct json top = json_get(root(), "properties");
    struct json node = json_get(json_get(json_get(root(), "$defs"), "node"), "properties");
    for (unsigned i = 0; top_field_name(i); i++)
        if (json_type(json_get(top, top_field_name(i))) != JSON_OBJECT)
            fail_msg("top-level field %s has no schema in workflow_schema.c", top_field_name(i));
    for (unsigned i = 0; node_field_name(i); i++)
        if (json_type(json_get(node, node_field_name(i))) != JSON_OBJECT)
            fail_msg("field %s of a node has no schema in workflow_schema.c", node_field_name(i));
}

static int schema_says(const char *yaml, struct errbuf *e)
{
    struct buf json;
    buf_init(&json, JSON_BODY_MAX);
    if (yaml_to_json(str_of(yaml), NULL, &json, e))
        fail_msg("%s in:\n%s", e->text, yaml);
    int rc = schema_validate(root(), json_root(buf_str(&json)), e);
    buf_deinit(&json);
    return rc;
}

static unsigned examples_of(const char *dir)
{
    struct dirent **names = NULL;
    unsigned seen = 0;
    int n = scandir(dir, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[512];
        struct errbuf e = {{0}};
        size_t len = strlen(names[i]->d_name);
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        if (!strcmp(names[i]->d_name, "templates") || /* objects: checked when they are built in */
            !strcmp(names[i]->d_name, "staged")) {    /* another format: test_staged.c */
        } else if (names[i]->d_type == DT_DIR && names[i]->d_name[0] != '.') {
            seen += examples_of(path);
        } else if (len > 5 && !strcmp(names[i]->d_name + len - 5, ".yaml")) {
            struct buf b = file_bytes(path);
            if (schema_says(b.data, &e))
                fail_msg("%s: %s", path, e.text);
            buf_deinit(&b);
            seen++;
        }
        free(names[i]);
    }
    free(names);
    return seen;
}

static void test_examples_hold(void **state)
{
    (void)state;
    assert_true(examples_of("examples") >= 5);
}

/* A node `a` between a start and an end, with what is wrong in it. */
static void test_wrong_shapes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a: {next_ids: [end]}",
        "a: {type: lmm, next_ids: [end], properties: {prompt: p}}",
        "a: {type: llm, next_ids: [end]}",
        "a: {type: llm, next_ids: [end], properties: {}}",
        "a: {type: llm, next_ids: [end], properties: null}",
        "a: {type: llm, next_ids: [end], properties: {prompt: null}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p, messages: []}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p, temprature: 1}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p, temperature: 3}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p, max_tokens: 1.5}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: 7}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p, provider: 'a b'}}",
        "a: {type: llm, next_ids: [end], properties: {messages: [{role: boss, content: c}]}}",
        "a: {type: llm, next_ids: [end, end], properties: {prompt: p}}",
        "a: {type: llm, next_ids: end, properties: {prompt: p}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, routes: {x: end}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, join: some}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, join: 0}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, retry: {attempts: 2}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, retry: {max_attempts: 0}}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, timeout_ms: 0}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, on_error: 3}",
        "a: {type: llm, next_ids: [end], properties: {prompt: p}, when: true}",
        "a: {type: switch, properties: {cases: []}}",
        "a: {type: switch, properties: {cases: [{when: input.a}]}}",
        "a: {type: switch, next_ids: [end], properties: {cases: [{when: 'true', to: end}]}}",
        "a: {type: loop, next_ids: [end], properties: {max_rounds: 2}}",
        "a: {type: loop, next_ids: [end, start]}",
        "a: {type: parallel, next_ids: []}",
        "a: {type: wait, next_ids: [end], properties: {duration_ms: 1, until: x}}",
        "a: {type: transform, next_ids: [end], properties: {}}",
        "a: {type: script, next_ids: [end], properties: {timeout_ms: 5}}",
        "a: {type: human_review, next_ids: [end], properties: {review_type: vote}}",
        "a: {type: human_review, next_ids: [end], properties: {actions: [x, x]}}",
        "a: {type: wait, next_ids: [end], properties: {duration_ms: 1}}\n  b c: {type: end}",
    };
    struct expr_vm *vm = expr_vm_create();
    for (size_t i = 0; i < ROWS(wrong); i++) {
        char yaml[1024];
        struct errbuf e = {{0}};
        struct buf json;
        struct workflow *w = NULL;
        struct workflow_issues issues;
        snprintf(yaml, sizeof(yaml),
                 "nodes:\n  start: {type: start, next_ids: [a]}\n  end: {type: end}\n  %s\n",
                 wrong[i]);
        if (schema_says(yaml, &e) == 0)
            fail_msg("the schema takes %s", wrong[i]);
        /* And so does not validation. */
        buf_init(&json, JSON_BODY_MAX);
        assert_int_equal(yaml_to_json(str_of(yaml), NULL, &json, &e), 0);
        workflow_issues_init(&issues);
        if (workflow_parse(buf_str(&json), vm, &w, &issues) == 0)
            fail_msg("validation takes %s", wrong[i]);
        workflow_issues_deinit(&issues);
        buf_deinit(&json);
    }
    expr_vm_destroy(vm);
}

static void test_null_counts_as_absent(void **state)
{
    (void)state;
    struct errbuf e = {{0}};
    if (schema_says("{id: null, name: null, vars: null, ui: null, start_node_id: null, nodes: [\n"
                    "{id: start, type: start, next_ids: [a], routes: null, properties: null},\n"
                    "{id: a, type: llm, next_ids: [end], join: null, retry: {on: null}, when: null,"
                    " on_error: null, timeout_ms: null,\n"
                    " properties: {prompt: p, messages: null, model: null, provider: null}},\n"
                    "{id: end, type: end, next_ids: null}]}",
                    &e))
        fail_msg("%s", e.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_docs_have_this_schema),
        cmocka_unit_test(test_our_own_validator_can_read_it),
        cmocka_unit_test(test_every_field_is_described),
        cmocka_unit_test(test_examples_hold),
        cmocka_unit_test(test_wrong_shapes_are_refused),
        cmocka_unit_test(test_null_counts_as_absent),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
