#include "engine/workflow.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/workflow_private.h"

static struct workflow *workflow_create(struct str json)
{
    struct workflow *w = mem_zalloc(sizeof(*w));
    w->refs = 1;
    w->doc = w;
    arena_init(&w->arena);
    w->text = (struct str){arena_strdup(&w->arena, json), json.n};
    return w;
}

struct workflow *workflow_ref(struct workflow *w)
{
    w->refs++;
    return w;
}

void workflow_unref(struct workflow *w)
{
    if (!w || --w->refs)
        return;
    for (unsigned i = 0; i < w->node_count; i++)
        if (w->nodes[i].inner)
            arena_deinit(&w->nodes[i].inner->arena);
    arena_deinit(&w->arena);
    free(w);
}

static void nodes_check(struct wf_parse *p)
{
    struct workflow *w = p->w;
    for (unsigned i = 0; i < w->node_count; i++) {
        p->node = (int)i;
        size_t mark = path_push(p, "nodes.%.*s", STR_FMT(w->nodes[i].id));
        check_node(p);
        path_pop(p, mark);
    }
    p->node = -1;
}

/* The edges were collected in scratch memory, at the limit's size. */
static void edges_keep(struct wf_parse *p)
{
    struct workflow *w = p->w;
    struct edge *kept = arena_calloc(&w->arena, w->edge_count + 1, sizeof(*kept));
    memcpy(kept, w->edges, w->edge_count * sizeof(*kept));
    w->edges = kept;
}

int workflow_parse(struct str json, struct expr_vm *vm, struct workflow **out,
                   struct workflow_issues *issues)
{
    struct workflow *w = workflow_create(json);
    struct wf_parse p = {
        .w = w, .issues = issues, .vm = vm, .node = -1, .edges_whole = true, .hidden = -1};
    arena_init(&p.scratch);
    w->edges = mem_calloc(WORKFLOW_EDGES_MAX, sizeof(*w->edges));
    p.edge_at = mem_calloc(WORKFLOW_EDGES_MAX, sizeof(*p.edge_at));
    struct edge *collected = w->edges;
    parse_top(&p, json_root(w->text));
    if (w->node_count) {
        members_find(&p);
        nodes_check(&p);
        edges_keep(&p);
        borders_check(&p);
        graph_link(&p);
        graph_check(&p);
        inner_check(&p);
    }
    if (!issues->errors) {
        graph_finish(&p);
        inner_finish(&p);
        refs_warn(&p);
    }
    issues_sort(&p);
    free(collected);
    free(p.edge_at);
    arena_deinit(&p.scratch);
    if (issues->errors) {
        workflow_unref(w);
        return ERR_UNPROCESSABLE;
    }
    *out = w;
    return 0;
}

int workflow_find(const struct workflow *w, struct str id)
{
    unsigned lo = 0, hi = id.n ? w->node_count : 0; /* an id that is not there may be NULL */
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        struct str at = w->nodes[w->by_id[mid]].id;
        int c = memcmp(id.p, at.p, id.n < at.n ? id.n : at.n);
        if (c == 0 && id.n == at.n)
            return w->by_id[mid];
        if (c < 0 || (c == 0 && id.n < at.n))
            hi = mid;
        else
            lo = mid + 1;
    }
    return -1;
}

static bool reach_get(const struct workflow *w, const uint64_t *sets, unsigned from, unsigned to)
{
    return sets[(size_t)from * w->words + to / 64] >> (to % 64) & 1;
}

bool workflow_reaches_forward(const struct workflow *w, unsigned from, unsigned to)
{
    return reach_get(w, w->reach_forward, from, to);
}

bool workflow_reaches(const struct workflow *w, unsigned from, unsigned to)
{
    return reach_get(w, w->reach_any, from, to);
}

static bool has_route(const struct workflow *w, const struct node_def *n, const char *label)
{
    unsigned node = (unsigned)(n - w->nodes);
    for (unsigned i = 0; i < w->edge_count; i++)
        if (w->edges[i].from == node && w->edges[i].kind == EDGE_ROUTE &&
            str_eqz(w->edges[i].label, label))
            return true;
    return false;
}

static unsigned actions_by_type(const struct workflow *w, const struct node_def *n, struct str *out)
{
    struct json type = json_get_set(n->properties, "review_type");
    unsigned count = 0;
    if (json_string_eq(type, "form")) {
        out[count++] = STR("submit");
        if (has_route(w, n, "reject"))
            out[count++] = STR("reject");
        return count;
    }
    bool edits = json_string_eq(type, "edit_content");
    out[count++] = STR("approve");
    if (edits)
        out[count++] = STR("modify");
    out[count++] = STR("reject");
    if (!edits && has_route(w, n, "modify"))
        out[count++] = STR("modify");
    return count;
}

unsigned workflow_actions(const struct workflow *w, const struct node_def *n,
                          struct str out[WORKFLOW_ACTIONS_MAX])
{
    unsigned count = 0;
    struct json given = json_get_set(n->properties, "actions");
    struct json_iter it;
    json_iter_init(&it, given);
    while (json_iter_next(&it) && count < WORKFLOW_ACTIONS_MAX - 1)
        if (json_type(it.value) == JSON_STRING) /* a name, so without escapes */
            out[count++] = (struct str){it.value.p + 1, it.value.n - 2};
    if (!count)
        count = actions_by_type(w, n, out);
    bool skips = false;
    if (json_bool(json_get_set(n->properties, "allow_skip"), &skips) && skips)
        out[count++] = STR("skip");
    return count;
}
