/* System objects, and looking ids up, over the store in memory. */
#include "app/catalog.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "app/app.h"
#include "app/catalog_body.h"
#include "app/catalog_template.h"
#include "engine/expr.h"
#include "unit.h"

static void system_objects_are_found_by_id(void **state)
{
    size_t count;
    (void)state;

    for (int k = 0; k < CATALOG_KIND_COUNT; k++) {
        const struct catalog_row *const *rows = catalog_system_list((enum catalog_kind)k, &count);
        for (size_t i = 0; i < count; i++) {
            assert_true(rows[i] == catalog_system_find((enum catalog_kind)k, rows[i]->id));
            assert_int_equal(rows[i]->version, 1);
            assert_true(rows[i]->description.n > 0);
        }
    }
    assert_non_null(catalog_system_find(CATALOG_AGENT, STR("affirmative")));
    assert_null(catalog_system_find(CATALOG_GROUP, STR("affirmative")));
    assert_null(catalog_system_find(CATALOG_AGENT, STR("affirmativ")));
}

struct looked {
    struct catalog_lookup l;
    bool done;
};

static void looked_up(struct catalog_lookup *l)
{
    ((struct looked *)l->data)->done = true;
}

static void stored(struct store_req *req)
{
    assert_int_equal(req->status, 0);
}

static void put(struct app *a, const char *workspace, const char *id, const char *body)
{
    struct store_catalog_put p = {.kind = CATALOG_AGENT};

    store_req_init(&p.req, STORE_CATALOG_PUT, stored, NULL);
    p.row = (struct catalog_row){.workspace = str_of(workspace),
                                 .id = str_of(id),
                                 .name = str_of(id),
                                 .body_json = str_of(body)};
    store_submit(a->store, &p.req);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    store_req_deinit(&p.req);
}

static void the_workspace_comes_first(void **state)
{
    const struct str ids[] = {STR("mine"), STR("affirmative"), STR("nobody"), STR("mine")};
    const char *const workspaces[] = {"default", "theirs"};
    struct app a = {.stopping = false};
    (void)state;

    assert_int_equal(uv_loop_init(&a.loop), 0);
    assert_int_equal(mem_store_open(&a.store, &a.loop), 0);
    put(&a, "default", "mine", "{\"id\":\"mine\"}");
    put(&a, "theirs", "affirmative", "{\"id\":\"affirmative\",\"name\":\"theirs\"}");
    for (int i = 0; i < 2; i++) {
        struct looked x = {.l = {.kind = CATALOG_AGENT, .ids = ids, .count = 4, .done = looked_up}};
        x.l.workspace = str_of(workspaces[i]);
        x.l.data = &x;
        catalog_lookup(&a, &x.l);
        assert_false(x.done);
        uv_run(&a.loop, UV_RUN_DEFAULT);
        assert_true(x.done);
        assert_int_equal(x.l.status, 0);
        assert_true((x.l.rows[0] != NULL) == (i == 0));
        assert_true(x.l.rows[0] == x.l.rows[3]);
        assert_true((x.l.rows[1] == catalog_system_find(CATALOG_AGENT, ids[1])) == (i == 0));
        assert_true(str_eq(x.l.rows[1]->id, ids[1]));
        assert_null(x.l.rows[2]);
        catalog_lookup_deinit(&x.l);
    }
    store_close(a.store, NULL, NULL);
    uv_run(&a.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&a.loop), 0);
}

/* ---- system templates ---- */

static void agents_are_known(const struct workflow *wf, const char *where)
{
    struct workflow_agent it = {.node = 0};

    while (workflow_agent_next(wf, &it))
        if (!catalog_system_find(CATALOG_AGENT, it.id))
            fail_msg("%s: there is no agent \"%.*s\"", where, STR_FMT(it.id));
}

static void system_templates_are_workflows(void **state)
{
    struct errbuf e = {""};
    struct expr_vm *vm = expr_vm_create();
    size_t count;
    (void)state;

    const struct catalog_row *const *rows = catalog_system_list(CATALOG_TEMPLATE, &count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct json body = json_root(rows[i]->body_json), graph = json_get(body, "graph");
        struct json parameters = json_get(body, "parameters");
        char *id = str_dup(rows[i]->id);
        struct workflow_issues issues;
        struct workflow *wf = NULL;
        struct buf text;
        workflow_issues_init(&issues);
        buf_init(&text, 1 << 20);
        if (catalog_template_sample(graph, parameters, &text, &e))
            fail_msg("%s: %s", id, e.text);
        buf_clear(&text); /* and all parameters have defaults: one click makes a workflow */
        if (catalog_template_render(graph, parameters, JSON_ABSENT, &text, &e))
            fail_msg("%s: %s", id, e.text);
        workflow_parse(buf_str(&text), vm, &wf, &issues);
        for (unsigned k = 0; k < issues.count; k++)
            fail_msg("%s: %.*s: %.*s", id, STR_FMT(issues.items[k].path),
                     STR_FMT(issues.items[k].message));
        assert_non_null(wf);
        agents_are_known(wf, id);
        assert_non_null(rows[i]->category.p);
        workflow_unref(wf);
        workflow_issues_deinit(&issues);
        buf_deinit(&text);
        free(id);
    }
    expr_vm_destroy(vm);
}

static void system_groups_name_known_agents(void **state)
{
    size_t count;
    (void)state;

    const struct catalog_row *const *rows = catalog_system_list(CATALOG_GROUP, &count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct catalog_body body;
        struct arena a;
        arena_init(&a);
        assert_int_equal(catalog_body_read(CATALOG_GROUP, rows[i]->body_json, &a, &body, NULL), 0);
        assert_true(body.agent_count > 0);
        for (size_t k = 0; k < body.agent_count; k++)
            assert_non_null(catalog_system_find(CATALOG_AGENT, body.agents[k]));
        arena_deinit(&a);
    }
}

/* ---- templates ---- */

#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"required\":[\"who\"],\"properties\":{\"who\":{\"type\":\"string\"},"   \
    "\"n\":{\"type\":\"integer\",\"maximum\":9,\"default\":3},\"list\":{\"type\":\"array\"},"      \
    "\"own\":{\"default\":\"{{ input.x }}\"}}}"

static const struct {
    const char *graph, *values;
    const char *out, *error;
} renders[] = {
    {"{\"a\":\"{{ param.n }}\"}", "{\"who\":\"x\"}", "{\"a\":3}", NULL},
    {"{\"a\":[\"{{param.n}} of {{ param.who }}!\"]}", "{\"who\":\"\\\"x\\\"\",\"n\":4}",
     "{\"a\":[\"4 of \\\"x\\\"!\"]}", NULL},
    {"{\"a\":\"{{ param.list }}\",\"b\":\"={{ param.list }}\"}",
     "{\"who\":\"x\",\"list\":[1,\"y\"]}", "{\"a\":[1,\"y\"],\"b\":\"=[1,\\\"y\\\"]\"}", NULL},
    {"{\"a\":\"{{ param.own }}\"}", "{\"who\":\"x\"}", "{\"a\":\"{{ input.x }}\"}", NULL},
    {"{\"{{ param.n }}\":\"{{ input.n }} {{ param.n + 1 }} {{ params.n }} {{ param. }} {{ "
     "param.n\"}",
     "{\"who\":\"x\"}",
     "{\"{{ param.n }}\":\"{{ input.n }} {{ param.n + 1 }} {{ params.n }} {{ param. }} {{ "
     "param.n\"}",
     NULL},
    {"{\"a\":\"\\u007b{ param.n }}\"}", "{\"who\":\"x\"}", "{\"a\":3}", NULL},
    {"{}", "{}", NULL, "who"},
    {"{}", "{\"who\":3}", NULL, "who"},
    {"{}", "{\"who\":\"x\",\"n\":10}", NULL, "n"},
    {"{}", "{\"who\":\"x\",\"other\":1}", NULL, "values.other: the template has no such"},
    {"{}", "{\"who\":\"{{ session.id }}\"}", NULL, "values.who: a value may not hold"},
    {"{}", "{\"who\":\"\\u007b\\u007b session.id }}\"}", NULL, "values.who: a value may not"},
    {"{}", "{\"who\":\"x\",\"list\":[[\"{{ x }}\"]]}", NULL, "values.list: a value may not hold"},
    {"{\"a\":\"{{ param.nobody }}\"}", "{\"who\":\"x\"}", NULL,
     "parameter \"nobody\" has no value"},
    {"{\"a\":\"{{ param.list }}\"}", "{\"who\":\"x\"}", NULL, "parameter \"list\" has no value"},
};

static void values_take_their_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(renders); i++) {
        struct errbuf e = {""};
        struct buf out;
        buf_init(&out, 1 << 20);
        int rc =
            catalog_template_render(json_root(str_of(renders[i].graph)), json_root(STR(SCHEMA)),
                                    json_root(str_of(renders[i].values)), &out, &e);
        if (renders[i].out && (rc || !str_eqz(buf_str(&out), renders[i].out)))
            fail_msg("%s: %d %s %.*s", renders[i].graph, rc, e.text, STR_FMT(buf_str(&out)));
        if (renders[i].error && (rc != ERR_UNPROCESSABLE || !strstr(e.text, renders[i].error)))
            fail_msg("%s %s: %d %s", renders[i].graph, renders[i].values, rc, e.text);
        buf_deinit(&out);
    }
}

static void a_sample_has_every_value(void **state)
{
    static const char schema[] =
        "{\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":2},\"b\":{\"enum\":[\"x\",\"y\"]}"
        ","
        "\"c\":{\"type\":\"boolean\"},\"d\":{},\"e\":{\"type\":[\"array\",\"null\"]},"
        "\"f\":{\"type\":\"object\"},\"g\":{\"type\":\"number\",\"default\":0.5}}}";
    struct errbuf e = {""};
    struct buf out;
    (void)state;

    buf_init(&out, 1000);
    assert_int_equal(
        catalog_template_sample(json_root(STR("[\"{{param.a}}\",\"{{param.b}}\",\"{{param.c}}\","
                                              "\"{{param.d}}\",\"{{param.e}}\",\"{{param.f}}\","
                                              "\"{{param.g}}\"]")),
                                json_root(str_of(schema)), &out, &e),
        0);
    assert_true(str_eqz(buf_str(&out), "[2,\"x\",true,\"sample\",[],{},0.5]"));
    buf_clear(&out);
    assert_int_equal(
        catalog_template_sample(json_root(STR("\"{{param.z}}\"")), JSON_ABSENT, &out, &e),
        ERR_INVALID);
    assert_non_null(strstr(e.text, "graph: the parameter \"z\""));
    buf_deinit(&out);
}

/* ---- bodies ---- */

struct body_row {
    enum catalog_kind kind;
    const char *text;
    const char *json; /* as it is stored; or NULL */
    const char *error;
};

static const struct body_row body_rows[] = {
    {CATALOG_AGENT,
     "{\"system\":true,\"version\":3,\"name\":\"\\u0041\",\"id\":\"a\",\"tools\":null}",
     "{\"id\":\"a\",\"name\":\"A\"}", NULL},
    {CATALOG_AGENT, "[]", NULL, "expected an object, got array"},
    {CATALOG_AGENT, "{\"nme\":1}", NULL, "unknown member \"nme\""},
    {CATALOG_AGENT, "{\"id\":\"a b\"}", NULL, "id: expected 1 to 64"},
    {CATALOG_AGENT, "{\"name\":\"\"}", NULL, "name: expected a line"},
    {CATALOG_AGENT, "{\"name\":\"a\\nb\"}", NULL, "name: expected a line"},
    {CATALOG_AGENT, "{\"persona\":7}", NULL, "persona: expected text"},
    {CATALOG_AGENT, "{\"persona\":\"a\\nb\"}", "{\"persona\":\"a\\nb\"}", NULL},
    {CATALOG_AGENT, "{\"avatar\":\"\\ud83e\\udd89\"}", "{\"avatar\":\"\xf0\x9f\xa6\x89\"}", NULL},
    {CATALOG_AGENT, "{\"avatar\":\"https://x/y.png\"}", "{\"avatar\":\"https://x/y.png\"}", NULL},
    {CATALOG_AGENT, "{\"avatar\":\"data:image/png;base64,AAAA\"}",
     "{\"avatar\":\"data:image/png;base64,AAAA\"}", NULL},
    {CATALOG_AGENT, "{\"avatar\":\"javascript:alert(1)//aaaaaaaaaaaaaaaaaaa\"}", NULL, "avatar: "},
    {CATALOG_AGENT, "{\"avatar\":\"https://x/\\\" onload=\"}", NULL, "avatar: expected"},
    {CATALOG_AGENT, "{\"temperature\":2.5}", NULL, "temperature: expected a number from 0 to 2"},
    {CATALOG_AGENT, "{\"temperature\":0.3,\"max_tokens\":100}",
     "{\"temperature\":0.3,\"max_tokens\":100}", NULL},
    {CATALOG_AGENT, "{\"max_tokens\":1.5}", NULL, "max_tokens: expected a whole number"},
    {CATALOG_AGENT, "{\"model\":[\"a\",{\"model\":\"b\",\"provider\":\"p\"}]}",
     "{\"model\":[\"a\",{\"model\":\"b\",\"provider\":\"p\"}]}", NULL},
    {CATALOG_AGENT, "{\"model\":[{\"provider\":\"p\"}]}", NULL, "model[0]: expected a model"},
    {CATALOG_AGENT, "{\"model\":[{\"model\":\"m\",\"x\":1}]}", NULL, "model[0]: expected provider"},
    {CATALOG_AGENT, "{\"model\":[]}", NULL, "model: expected one model"},
    {CATALOG_AGENT, "{\"capabilities\":[\"x\",3]}", NULL, "capabilities[1]: expected text"},
    {CATALOG_AGENT, "{\"tools\":[\"web_search\",7]}", NULL, "tools[1]: expected a name"},
    {CATALOG_AGENT, "{\"memory\":false}", "{\"memory\":false}", NULL},
    {CATALOG_AGENT, "{\"memory\":true}", NULL, "memory: expected false"},
    {CATALOG_AGENT, "{\"memory\":{\"group_results\":51}}", NULL, "memory: expected false"},
    {CATALOG_AGENT, "{\"memory\":{\"agent_results\":3}}", "{\"memory\":{\"agent_results\":3}}",
     NULL},
    {CATALOG_GROUP, "{\"default_agent_ids\":[\"a\",\"b\"]}",
     "{\"default_agent_ids\":[\"a\",\"b\"]}", NULL},
    {CATALOG_GROUP, "{\"default_agent_ids\":[\"a\",\"\\u0061\"]}", NULL,
     "default_agent_ids[1]: \"a\" stands there twice"},
    {CATALOG_GROUP, "{\"default_agent_ids\":\"a\"}", NULL, "default_agent_ids: expected a list"},
    {CATALOG_GROUP, "{\"memory\":{\"promote\":\"manual\"}}",
     "{\"memory\":{\"promote\":\"manual\"}}", NULL},
    {CATALOG_GROUP, "{\"memory\":{\"promote\":1}}", NULL, "memory: expected an object"},
    {CATALOG_GROUP, "{\"persona\":\"x\"}", NULL, "unknown member \"persona\""},
    {CATALOG_TEMPLATE, "{\"graph\":{ \"nodes\":{}}, \"id\":\"t\"}",
     "{\"id\":\"t\",\"graph\":{\"nodes\":{}}}", NULL},
    {CATALOG_TEMPLATE, "{\"graph\":{\"id\":\"w\",\"nodes\":{}}}", "{\"graph\":{\"nodes\":{}}}",
     NULL},
    {CATALOG_TEMPLATE, "{\"graph\":[]}", NULL, "graph: expected an object"},
    {CATALOG_TEMPLATE, "{\"parameters\":{\"type\":\"objct\"}}", NULL, "parameters: "},
};

static void bodies_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(body_rows); i++) {
        const struct body_row *row = &body_rows[i];
        struct catalog_body body;
        struct errbuf e = {""};
        struct arena a;
        arena_init(&a);
        int rc = catalog_body_read(row->kind, str_of(row->text), &a, &body, &e);
        if (row->error && (rc != ERR_INVALID || !strstr(e.text, row->error)))
            fail_msg("%s: %d %s, expected %s", row->text, rc, e.text, row->error);
        if (row->json && (rc || !str_eqz(body.json, row->json)))
            fail_msg("%s: %d %s %.*s", row->text, rc, e.text, STR_FMT(body.json));
        arena_deinit(&a);
    }
}

static void long_texts_are_refused(void **state)
{
    static const char *const names[] = {"persona", "avatar", "name", "category"};
    static char text[70000];
    (void)state;

    for (size_t i = 0; i < ROWS(names); i++) {
        struct catalog_body body;
        struct errbuf e = {""};
        struct arena a;
        int n = snprintf(text, sizeof(text), "{\"%s\":\"data:image/png,", names[i]);
        memset(text + n, 'x', 66000);
        strcpy(text + n + 66000, "\"}");
        arena_init(&a);
        assert_int_equal(catalog_body_read(CATALOG_AGENT, str_of(text), &a, &body, &e),
                         ERR_INVALID);
        assert_non_null(strstr(e.text, names[i]));
        arena_deinit(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_objects_are_found_by_id),
        cmocka_unit_test(system_templates_are_workflows),
        cmocka_unit_test(system_groups_name_known_agents),
        cmocka_unit_test(values_take_their_places),
        cmocka_unit_test(a_sample_has_every_value),
        cmocka_unit_test(the_workspace_comes_first),
        cmocka_unit_test(bodies_are_checked),
        cmocka_unit_test(long_texts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
