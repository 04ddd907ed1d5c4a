#include "engine/workflow_private.h"

#include <stdlib.h>
#include <string.h>

/* Containers. Whose member a node is, is found before anything else is checked: what expressions
 * see, and which edges a node may have, depends on it. */

/* ---- whose member ---- */

static bool kind_is_container(const struct wf_parse *p, unsigned n)
{
    return p->sources[n].known_kind && kind_def_of(p->w->nodes[n].kind)->members;
}

static struct json members_of(const struct wf_parse *p, unsigned n)
{
    return json_get_set(p->sources[n].fields[NF_PROPERTIES],
                        kind_def_of(p->w->nodes[n].kind)->members);
}

static int member_get(struct wf_parse *p, struct json v)
{
    return json_type(v) == JSON_STRING ? workflow_find(p->w, text_of(p, v)) : -1;
}

static bool kind_is_inside(const struct wf_parse *p, unsigned n)
{
    return !p->sources[n].known_kind ||
           (p->w->nodes[n].kind != KIND_START && p->w->nodes[n].kind != KIND_END);
}

/* The first container that names a node has it; the others are told in members_check_list(). */
static void members_claim(struct wf_parse *p, unsigned container)
{
    struct workflow *w = p->w;
    bool is_sequence = w->nodes[container].kind == KIND_SEQUENCE;
    struct json_iter it;
    int before = -1;
    json_iter_init(&it, members_of(p, container));
    while (json_iter_next(&it)) {
        int n = member_get(p, it.value);
        if (n < 0 || n == (int)container || w->nodes[n].owner >= 0 ||
            !kind_is_inside(p, (unsigned)n))
            continue;
        w->nodes[n].owner = (int)container;
        if (is_sequence && before >= 0) {
            p->sources[before].next_step = n;
            p->sources[before].step_at = it.value.p;
        }
        before = n;
    }
}

static unsigned depth_of(const struct workflow *w, unsigned n)
{
    unsigned depth = 0;
    for (int at = w->nodes[n].owner; at >= 0 && depth <= WORKFLOW_DEPTH_MAX; depth++)
        at = w->nodes[at].owner;
    return depth;
}

static void depths_check(struct wf_parse *p)
{
    for (unsigned i = 0; i < p->w->node_count; i++) {
        if (!kind_is_container(p, i) || depth_of(p->w, i) < WORKFLOW_DEPTH_MAX)
            continue;
        size_t mark = path_push(p, "nodes.%.*s", STR_FMT(p->w->nodes[i].id));
        p->node = (int)i;
        issue_error(p, p->sources[i].object.p, "bad_member",
                    "\"%.*s\" lies more than %d containers deep, or in itself",
                    STR_FMT(p->w->nodes[i].id), WORKFLOW_DEPTH_MAX);
        p->node = -1;
        path_pop(p, mark);
        p->edges_whole = false;
        return; /* of a ring all would say the same */
    }
}

void members_find(struct wf_parse *p)
{
    for (unsigned i = 0; i < p->w->node_count; i++)
        if (kind_is_container(p, i) && json_type(members_of(p, i)) == JSON_ARRAY)
            members_claim(p, i);
    depths_check(p);
}

/* ---- the list, as written ---- */

static bool member_check(struct wf_parse *p, struct json list, struct json_iter *it)
{
    struct workflow *w = p->w;
    int n = member_get(p, it->value);
    struct str id;
    if (!want_type(p, it->value, JSON_STRING, "a member", "a node id"))
        return false;
    id = text_of(p, it->value);
    if (n < 0) {
        struct suggestion s;
        suggest_init(&s, id);
        for (unsigned i = 0; i < w->node_count; i++)
            suggest_offer(&s, w->nodes[i].id);
        issue_error(p, it->value.p, "unknown_node", "no node \"%.*s\"%s", STR_FMT(shown(id)),
                    suggest_text(p, &s));
        return false;
    }
    struct json_iter before;
    json_iter_init(&before, list);
    while (json_iter_next(&before) && before.index < it->index) {
        if (member_get(p, before.value) != n)
            continue;
        issue_error(p, it->value.p, "duplicate", "\"%.*s\" stands here twice", STR_FMT(id));
        return false;
    }
    if (w->nodes[n].owner == p->node)
        return true;
    if (!kind_is_inside(p, (unsigned)n))
        issue_error(p, it->value.p, "bad_member", "%s %s node cannot be inside of a container",
                    kind_def_of(w->nodes[n].kind)->article, node_kind_word(w->nodes[n].kind));
    else if (n == p->node)
        issue_error(p, it->value.p, "bad_member", "a container cannot be inside of itself");
    else
        issue_error(p, it->value.p, "bad_member", "\"%.*s\" is inside of \"%.*s\" already",
                    STR_FMT(id), STR_FMT(w->nodes[w->nodes[n].owner].id));
    return false;
}

void members_check_list(struct wf_parse *p, struct json list)
{
    const char *name = kind_def_of(p->w->nodes[p->node].kind)->members;
    struct json_iter it;
    if (!want_type(p, list, JSON_ARRAY, name, "an array of node ids")) {
        p->edges_whole = false;
        return;
    }
    if (!json_length(list)) {
        issue_error(p, list.p, "missing", "%s needs at least one node", name);
        p->edges_whole = false;
    }
    json_iter_init(&it, list);
    while (json_iter_next(&it) && it.index < WORKFLOW_NODES_MAX) {
        size_t mark = path_push(p, "[%zu]", it.index);
        if (!member_check(p, list, &it))
            p->edges_whole = false;
        path_pop(p, mark);
    }
}

/* ---- steps ---- */

static bool node_is_step(const struct wf_parse *p)
{
    int owner = p->w->nodes[p->node].owner;
    return owner >= 0 && p->w->nodes[owner].kind == KIND_SEQUENCE;
}

/* Where a step goes on is said by the sequence, and by nothing else. */
void step_check(struct wf_parse *p)
{
    const struct node_source *src = &p->sources[p->node];
    const struct node_def *n = &p->w->nodes[p->node];
    struct json on_error = src->fields[NF_ON_ERROR];
    if (!src->known_kind || !node_is_step(p))
        return;
    struct str sequence = p->w->nodes[n->owner].id;
    const char *field = NULL;
    if (json_length(src->fields[NF_NEXT_IDS]))
        field = "next_ids";
    else if (json_length(src->fields[NF_ROUTES]))
        field = "routes";
    else if (json_type(on_error) == JSON_STRING && !json_string_eq(on_error, "fail") &&
             !json_string_eq(on_error, "continue"))
        field = "on_error";
    if (n->kind == KIND_SWITCH || n->kind == KIND_LOOP || n->kind == KIND_PARALLEL) {
        issue_error(p, src->object.p, "bad_member",
                    "a %s goes to nodes of its own choice, so it cannot be a step of the sequence "
                    "\"%.*s\"; inside of a map, as a step, it can",
                    node_kind_word(n->kind), STR_FMT(sequence));
        p->edges_whole = false;
    } else if (field) {
        size_t mark = path_push(p, ".%s", field);
        issue_error(p, src->object.p, "bad_edge",
                    "a step of the sequence \"%.*s\" leads to the next step and nowhere else: it "
                    "takes no %s%s",
                    STR_FMT(sequence), strcmp(field, "on_error") ? field : "node in on_error",
                    strcmp(field, "on_error") ? "" : " (but \"fail\" and \"continue\")");
        path_pop(p, mark);
        p->edges_whole = false;
    }
}

/* ---- borders ---- */

void borders_check(struct wf_parse *p)
{
    const struct workflow *w = p->w;
    for (unsigned i = 0; i < w->edge_count; i++) {
        const struct edge *e = &w->edges[i];
        int from = w->nodes[e->from].owner, to = w->nodes[e->to].owner;
        if (from == to)
            continue;
        bool leads_in = to >= 0 && depth_of(w, e->to) >= depth_of(w, e->from);
        const struct node_def *inside = &w->nodes[leads_in ? e->to : e->from];
        const struct node_def *container = &w->nodes[leads_in ? to : from];
        size_t mark = path_push_edge(p, e);
        p->node = e->from;
        issue_error(p, p->edge_at[i], "bad_edge",
                    "\"%.*s\" is inside of the %s \"%.*s\": no edge leads %s", STR_FMT(inside->id),
                    node_kind_word(container->kind), STR_FMT(container->id),
                    leads_in ? "in from outside" : "out of it");
        p->node = -1;
        path_pop(p, mark);
        p->edges_whole = false;
    }
}

/* ---- the graphs inside ---- */

/* The parse, turned to one container's graph and back. */
struct inner_view {
    struct workflow *doc;
    struct node_source *sources;
    const char **edge_at;
};

static void inner_nodes(struct wf_parse *p, struct workflow *in, unsigned container)
{
    struct workflow *w = p->w;
    struct json list = members_of(p, container);
    struct json_iter it;
    in->nodes = arena_calloc(&in->arena, json_length(list), sizeof(*in->nodes));
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        struct node_def *n = &w->nodes[member_get(p, it.value)];
        n->local = (uint16_t)in->node_count;
        in->nodes[in->node_count] = *n;
        in->nodes[in->node_count++].out_count = 0;
    }
    in->by_id = arena_calloc(&in->arena, in->node_count, sizeof(*in->by_id));
    for (unsigned i = 0; i < in->node_count; i++)
        in->by_id[i] = (uint16_t)i;
    qsort_r(in->by_id, in->node_count, sizeof(*in->by_id), node_by_id_order, in);
}

static void inner_edges(struct wf_parse *p, struct workflow *in, int container, const char **at)
{
    const struct workflow *w = p->w;
    in->edges = arena_calloc(&in->arena, w->edge_count + 1, sizeof(*in->edges));
    for (unsigned i = 0; i < w->edge_count; i++) {
        const struct edge *e = &w->edges[i];
        if (w->nodes[e->from].owner != container)
            continue;
        at[in->edge_count] = p->edge_at[i];
        in->edges[in->edge_count] = *e;
        in->edges[in->edge_count].from = w->nodes[e->from].local;
        in->edges[in->edge_count++].to = w->nodes[e->to].local;
    }
    for (unsigned i = 0; i < in->node_count; i++)
        in->nodes[i].out_count = in->nodes[i].in_count = 0;
}

/* Edges were copied in the document's order. */
static void inner_copy_back(struct wf_parse *p, const struct workflow *in, int container)
{
    struct workflow *w = p->w;
    for (unsigned i = 0, k = 0; i < w->edge_count; i++)
        if (w->nodes[w->edges[i].from].owner == container)
            w->edges[i].back = in->edges[k++].back;
}

static void inner_build(struct wf_parse *p, unsigned container)
{
    struct workflow *w = p->w, *in = w->nodes[container].inner;
    struct inner_view was = {w, p->sources, p->edge_at};
    inner_nodes(p, in, container);
    const char **at = arena_calloc(&p->scratch, w->edge_count + 1, sizeof(*at));
    inner_edges(p, in, (int)container, at);
    struct node_source *sources = arena_calloc(&p->scratch, in->node_count, sizeof(*sources));
    for (unsigned i = 0; i < in->node_count; i++)
        sources[i] = p->sources[in->nodes[i].doc];
    p->w = in;
    p->sources = sources;
    p->edge_at = at;
    graph_link(p);
    graph_check(p);
    p->w = was.doc;
    p->sources = was.sources;
    p->edge_at = was.edge_at;
    inner_copy_back(p, in, (int)container);
}

void inner_check(struct wf_parse *p)
{
    struct workflow *w = p->w;
    for (unsigned i = 0; i < w->node_count && p->edges_whole; i++) {
        if (!kind_is_container(p, i) || json_type(members_of(p, i)) != JSON_ARRAY)
            continue;
        struct workflow *in = arena_calloc(&w->arena, 1, sizeof(*in));
        arena_init(&in->arena);
        in->doc = w;
        w->nodes[i].inner = in;
    }
    for (unsigned i = 0; i < w->node_count && p->edges_whole; i++)
        if (w->nodes[i].inner)
            inner_build(p, i);
}

/* Inside of a branch, and in none of its own: that one. Outer containers come first. */
static void branches_inherit(struct workflow *in, struct workflow *doc, struct str branch)
{
    for (unsigned i = 0; i < in->node_count; i++) {
        if (!in->nodes[i].branch.p)
            in->nodes[i].branch = branch;
        doc->nodes[in->nodes[i].doc].branch = in->nodes[i].branch;
    }
}

void inner_finish(struct wf_parse *p)
{
    struct workflow *w = p->w;
    for (unsigned depth = 0; depth < WORKFLOW_DEPTH_MAX; depth++) {
        for (unsigned i = 0; i < w->node_count; i++) {
            struct workflow *in = w->nodes[i].inner;
            if (!in || depth_of(w, i) != depth)
                continue;
            p->w = in;
            graph_finish(p);
            p->w = w;
            branches_inherit(in, w, w->nodes[i].branch);
        }
    }
}
