/* A workflow as a peer sends it: JSON when it begins with a brace, else YAML. What is accepted must
 * hold what workflow.h promises. */

#include "fuzz.h"

#include "base/yaml.h"
#include "engine/expr.h"
#include "engine/workflow.h"
#include "engine/workflow_diagram.h"
#include "engine/workflow_estimate.h"

static void edges_hold(const struct workflow *w)
{
    for (unsigned i = 0; i < w->edge_count; i++) {
        const struct edge *e = &w->edges[i];
        FUZZ_CHECK(e->from < w->node_count && e->to < w->node_count);
        FUZZ_CHECK(workflow_reaches(w, e->from, e->to));
        if (e->back) /* its source is reached from its target */
            FUZZ_CHECK(workflow_reaches(w, e->to, e->from));
        else
            FUZZ_CHECK(e->from != e->to && !workflow_reaches_forward(w, e->to, e->from));
    }
}

static bool reaches_end(const struct workflow *w, unsigned i)
{
    bool ends = w->nodes[i].kind == KIND_END;
    for (unsigned k = 0; k < w->node_count; k++)
        ends = ends || (w->nodes[k].kind == KIND_END && workflow_reaches(w, i, k));
    return ends;
}

/* The graph of a container. */
static void inner_holds(const struct workflow *doc, const struct node_def *container)
{
    const struct workflow *w = container->inner;
    FUZZ_CHECK(w && w->doc == doc && w->node_count > 0);
    edges_hold(w);
    for (unsigned i = 0; i < w->node_count; i++) {
        const struct node_def *n = &w->nodes[i], *m = &doc->nodes[n->doc];
        FUZZ_CHECK(workflow_find(w, n->id) == (int)i && str_eq(m->id, n->id));
        FUZZ_CHECK(m->local == i && m->owner == container->doc && n->owner == container->doc);
        FUZZ_CHECK(workflow_reaches_forward(w, w->start, i));
        FUZZ_CHECK(n->kind != KIND_START && n->kind != KIND_END);
    }
}

static void workflow_holds(const struct workflow *w)
{
    FUZZ_CHECK(w->nodes[w->start].kind == KIND_START);
    edges_hold(w);
    for (unsigned i = 0; i < w->node_count; i++) {
        const struct node_def *n = &w->nodes[i];
        bool inside = n->owner >= 0;
        FUZZ_CHECK(workflow_find(w, n->id) == (int)i);
        FUZZ_CHECK(workflow_reaches_forward(w, w->start, i) == !inside);
        FUZZ_CHECK(inside || (n->out_count == 0) == (n->kind == KIND_END));
        FUZZ_CHECK(inside || reaches_end(w, i));
        FUZZ_CHECK((n->kind == KIND_MAP || n->kind == KIND_SEQUENCE) == (n->inner != NULL));
        if (n->inner)
            inner_holds(w, n);
        struct str actions[WORKFLOW_ACTIONS_MAX];
        if (n->kind == KIND_HUMAN_REVIEW)
            FUZZ_CHECK(workflow_actions(w, n, actions) > 0);
    }
}

static void issues_hold(const struct workflow_issues *issues, int rc)
{
    FUZZ_CHECK(issues->count <= WORKFLOW_ISSUES_MAX && issues->errors <= issues->count);
    FUZZ_CHECK((rc == 0) == (issues->errors == 0));
    for (unsigned i = 0; i < issues->count; i++)
        FUZZ_CHECK(issues->items[i].code.n && issues->items[i].message.n);
}

/* What is made of a good workflow: each is JSON where it says so, whatever the texts in it are. */
static void outputs_hold(const struct workflow *w, struct expr_vm *vm)
{
    struct estimate_params p = {.vm = vm};
    struct errbuf e;
    struct buf out;
    buf_init(&out, 64u << 20);
    for (int f = DIAGRAM_MERMAID; f <= DIAGRAM_JSON; f++) {
        buf_clear(&out);
        workflow_diagram_write(w, (enum diagram_format)f, JSON_ABSENT, &out);
        FUZZ_CHECK(!buf_error(&out));
    }
    FUZZ_CHECK(json_check(buf_str(&out), NULL, &e) == 0);
    buf_clear(&out);
    workflow_estimate_write(w, &p, &out);
    FUZZ_CHECK(!buf_error(&out) && json_check(buf_str(&out), NULL, &e) == 0);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct expr_vm *vm;
    if (!vm)
        vm = expr_vm_create();
    struct str text = {(const char *)data, size};
    struct buf json;
    buf_init(&json, 1 << 20);
    bool good = size && data[0] == '{'
                    ? !json_check(text, NULL, NULL) && !buf_append_str(&json, text)
                    : !yaml_to_json(text, NULL, &json, NULL);
    if (good) {
        struct workflow *w = NULL;
        struct workflow_issues issues;
        workflow_issues_init(&issues);
        int rc = workflow_parse(buf_str(&json), vm, &w, &issues);
        issues_hold(&issues, rc);
        if (w) {
            workflow_holds(w);
            outputs_hold(w, vm);
        }
        workflow_unref(w);
        workflow_issues_deinit(&issues);
    }
    buf_deinit(&json);
    return 0;
}
