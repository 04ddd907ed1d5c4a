#include "engine/workflow_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CYCLE_TEXT_MAX 400

/* ---- links ---- */

void graph_link(struct wf_parse *p)
{
    struct workflow *w = p->w;
    for (unsigned i = 0; i < w->edge_count; i++) {
        w->nodes[w->edges[i].from].out_count++;
        w->nodes[w->edges[i].to].in_count++;
    }
    for (unsigned i = 0; i < w->node_count; i++) {
        struct node_def *n = &w->nodes[i];
        n->out = arena_calloc(&w->arena, n->out_count + 1, sizeof(*n->out));
        n->in = arena_calloc(&w->arena, n->in_count + 1, sizeof(*n->in));
        n->out_count = n->in_count = 0;
    }
    for (unsigned i = 0; i < w->edge_count; i++) {
        struct node_def *from = &w->nodes[w->edges[i].from], *to = &w->nodes[w->edges[i].to];
        from->out[from->out_count++] = (uint16_t)i;
        to->in[to->in_count++] = (uint16_t)i;
    }
}

size_t path_push_edge(struct wf_parse *p, const struct edge *e)
{
    size_t mark = path_push(p, "nodes.%.*s", STR_FMT(p->w->nodes[e->from].id));
    switch (e->kind) {
    case EDGE_NEXT:
        path_push(p, ".next_ids[%u]", e->ordinal);
        break;
    case EDGE_ROUTE:
        path_push(p, ".routes.%.*s", STR_FMT(e->label));
        break;
    case EDGE_CASE:
        path_push(p, ".properties.cases[%u].to", e->ordinal);
        break;
    case EDGE_DEFAULT:
        path_push(p, ".properties.default");
        break;
    case EDGE_ERROR:
        path_push(p, ".on_error");
        break;
    }
    return mark;
}

/* ---- reachability over any edges ---- */

static void bit_set(uint64_t *row, unsigned i)
{
    row[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool bit_get(const uint64_t *row, unsigned i)
{
    return row[i / 64] >> (i % 64) & 1;
}

static void reach_any_fill(struct wf_parse *p)
{
    struct workflow *w = p->w;
    w->words = (w->node_count + 63) / 64;
    w->reach_any = arena_calloc(&w->arena, (size_t)w->node_count * w->words, sizeof(uint64_t));
    uint16_t *stack = arena_calloc(&p->scratch, w->node_count + 1, sizeof(*stack));
    for (unsigned root = 0; root < w->node_count; root++) {
        uint64_t *row = w->reach_any + (size_t)root * w->words;
        unsigned depth = 0;
        stack[depth++] = (uint16_t)root;
        while (depth) {
            const struct node_def *n = &w->nodes[stack[--depth]];
            for (unsigned o = 0; o < n->out_count; o++) {
                uint16_t to = w->edges[n->out[o]].to;
                if (bit_get(row, to))
                    continue;
                bit_set(row, to);
                if (to != root) /* walked already */
                    stack[depth++] = to;
            }
        }
    }
}

/* ---- depth-first walk ---- */

enum colour { WHITE, GREY, BLACK }; /* not seen, on the stack, done */

struct walk {
    uint8_t *colour;
    uint16_t *stack, *next_out; /* path from the root; next edge of each to look at */
    unsigned depth;
    uint16_t *order; /* nodes as they are done: children first */
    unsigned done;
    uint16_t *entered;    /* by node: how many were entered before */
    uint16_t *exit_began; /* by depth, of a loop: how many were entered before its way out */
    unsigned entered_count;
};

static struct walk walk_init(struct wf_parse *p)
{
    unsigned n = p->w->node_count;
    struct walk k = {0};
    k.colour = arena_calloc(&p->scratch, n, sizeof(*k.colour));
    k.stack = arena_calloc(&p->scratch, n, sizeof(*k.stack));
    k.next_out = arena_calloc(&p->scratch, n, sizeof(*k.next_out));
    k.order = arena_calloc(&p->scratch, n, sizeof(*k.order));
    k.entered = arena_calloc(&p->scratch, n, sizeof(*k.entered));
    k.exit_began = arena_calloc(&p->scratch, n, sizeof(*k.exit_began));
    return k;
}

static void walk_push(struct walk *k, uint16_t node)
{
    k->colour[node] = GREY;
    k->entered[node] = (uint16_t)k->entered_count++;
    k->stack[k->depth] = node;
    k->next_out[k->depth++] = 0;
}

/* What a walk is told of the edges that lead to no new node. */
struct walker {
    bool (*follows)(struct wf_parse *p, const struct edge *e);                /* NULL: every edge */
    void (*closes)(struct wf_parse *p, const struct walk *k, unsigned edge);  /* into the stack */
    void (*crosses)(struct wf_parse *p, const struct walk *k, unsigned edge); /* NULL: not told */
};

static void walk_from(struct wf_parse *p, struct walk *k, uint16_t root, const struct walker *told)
{
    struct workflow *w = p->w;
    walk_push(k, root);
    while (k->depth) {
        uint16_t at = k->stack[k->depth - 1];
        const struct node_def *n = &w->nodes[at];
        unsigned next = k->next_out[k->depth - 1]++;
        if (next == n->out_count) {
            k->colour[at] = BLACK;
            k->order[k->done++] = at;
            k->depth--;
            continue;
        }
        if (next == 1)
            k->exit_began[k->depth - 1] = (uint16_t)k->entered_count;
        unsigned e = n->out[next];
        uint16_t to = w->edges[e].to;
        if (told->follows && !told->follows(p, &w->edges[e]))
            continue;
        if (k->colour[to] == WHITE)
            walk_push(k, to);
        else if (k->colour[to] == GREY)
            told->closes(p, k, e);
        else if (told->crosses)
            told->crosses(p, k, e);
    }
}

/* ---- errors ---- */

static void edge_goes_back(struct wf_parse *p, const struct walk *k, unsigned edge)
{
    (void)k;
    p->w->edges[edge].back = true;
}

/* From behind a loop into its body: the body has run before, so the edge goes back, although its
 * target is no ancestor. Where the body does not lead to the loop again it only joins what follows.
 */
static void edge_enters_body(struct wf_parse *p, const struct walk *k, unsigned edge)
{
    struct edge *e = &p->w->edges[edge];
    for (unsigned d = 0; d < k->depth && !e->back; d++) {
        uint16_t loop = k->stack[d], entered = k->entered[e->to];
        e->back = p->w->nodes[loop].kind == KIND_LOOP && k->next_out[d] >= 2 &&
                  entered > k->entered[loop] && entered < k->exit_began[d] &&
                  workflow_reaches(p->w, e->to, loop);
    }
}

/* Edges of cycles that nothing would end. A loop ends those through its body, a person those
 * through a review or an input; the way out of a loop and back in is ended by nobody. */
static bool edge_is_unbroken(struct wf_parse *p, const struct edge *e)
{
    const struct node_def *from = &p->w->nodes[e->from];
    if (!p->sources[e->from].known_kind)
        return false;
    if (from->kind == KIND_LOOP && e->kind == EDGE_NEXT && e->ordinal == 0)
        return false;
    return !kind_def_of(from->kind)->breaks_cycles;
}

static void cycle_report(struct wf_parse *p, const struct walk *k, unsigned edge)
{
    const struct workflow *w = p->w;
    uint16_t to = w->edges[edge].to;
    unsigned first = k->depth;
    while (k->stack[first - 1] != to)
        first--;
    char text[CYCLE_TEXT_MAX] = "";
    size_t n = 0;
    for (unsigned i = first - 1; i < k->depth && n < sizeof(text) - 2 * NAME_BYTES_MAX - 20; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s -> ",
                              STR_FMT(w->nodes[k->stack[i]].id));
    if (n >= sizeof(text) - 2 * NAME_BYTES_MAX - 20)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "… -> ");
    snprintf(text + n, sizeof(text) - n, "%.*s", STR_FMT(w->nodes[to].id));
    size_t mark = path_push_edge(p, &w->edges[edge]);
    p->node = w->edges[edge].from;
    issue_error(p, p->edge_at[edge], "unbroken_cycle",
                "the cycle %s passes through no loop body, human_review or user_input: nothing "
                "would end it",
                text);
    p->node = -1;
    path_pop(p, mark);
}

static void cycles_check(struct wf_parse *p)
{
    static const struct walker told = {.follows = edge_is_unbroken, .closes = cycle_report};
    struct walk k = walk_init(p);
    for (unsigned i = 0; i < p->w->node_count; i++)
        if (k.colour[i] == WHITE)
            walk_from(p, &k, (uint16_t)i, &told);
}

/* "node <id> <what>" */
static void node_report(struct wf_parse *p, unsigned node, const char *code, const char *what)
{
    struct str id = p->w->nodes[node].id;
    size_t mark = path_push(p, "nodes.%.*s", STR_FMT(id));
    p->node = (int)node;
    issue_error(p, p->sources[node].object.p, code, "node \"%.*s\" %s", STR_FMT(id), what);
    p->node = -1;
    path_pop(p, mark);
}

/* Marks every node from which a marked one is reached. */
static void mark_backwards(struct wf_parse *p, bool *marked)
{
    struct workflow *w = p->w;
    uint16_t *queue = arena_calloc(&p->scratch, w->node_count, sizeof(*queue));
    unsigned head = 0, tail = 0;
    for (unsigned i = 0; i < w->node_count; i++)
        if (marked[i])
            queue[tail++] = (uint16_t)i;
    while (head < tail) {
        const struct node_def *n = &w->nodes[queue[head++]];
        for (unsigned i = 0; i < n->in_count; i++) {
            uint16_t from = w->edges[n->in[i]].from;
            if (!marked[from]) {
                marked[from] = true;
                queue[tail++] = from;
            }
        }
    }
}

/* Inside of a container a review may have an answer that leads nowhere: it ends the path. */
static bool review_may_end(const struct workflow *w, const struct node_def *n)
{
    struct str actions[WORKFLOW_ACTIONS_MAX];
    unsigned routed = 0, count;
    if (w->doc == w || n->kind != KIND_HUMAN_REVIEW)
        return false;
    count = workflow_actions(w, n, actions);
    for (unsigned i = 0; i < n->out_count; i++) {
        const struct edge *e = &w->edges[n->out[i]];
        if (e->kind == EDGE_NEXT)
            return false;
        for (unsigned k = 0; k < count; k++)
            routed += e->kind == EDGE_ROUTE && str_eq(e->label, actions[k]);
    }
    return routed < count;
}

/* Reports dead ends, and cycles without a way out; not the nodes before a dead end, too. */
static void ends_check(struct wf_parse *p)
{
    struct workflow *w = p->w;
    bool *marked = arena_calloc(&p->scratch, w->node_count, sizeof(*marked));
    bool is_inner = w->doc != w;
    unsigned ends = 0;
    for (unsigned i = 0; i < w->node_count; i++) {
        bool is_end = w->nodes[i].kind == KIND_END;
        ends += is_end;
        marked[i] = is_end || w->nodes[i].out_count == 0 || !node_is_own(w, i) ||
                    review_may_end(w, &w->nodes[i]);
    }
    if (!ends && !is_inner) {
        size_t mark = path_push(p, "nodes");
        issue_error(p, w->text.p, "missing", "no node is of type end");
        path_pop(p, mark);
        return;
    }
    for (unsigned i = 0; i < w->node_count; i++)
        if (w->nodes[i].kind != KIND_END && w->nodes[i].out_count == 0 && !is_inner &&
            node_is_own(w, i))
            node_report(p, i, "no_path_to_end",
                        "leads nowhere: from every node an end must be reachable");
    mark_backwards(p, marked);
    for (unsigned i = 0; i < w->node_count; i++)
        if (!marked[i])
            node_report(p, i, "no_path_to_end",
                        is_inner ? "is in a cycle that never ends its item"
                                 : "is in a cycle that leads to no end");
}

static unsigned forward_sources(const struct workflow *w, const struct node_def *n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < n->in_count; i++) {
        const struct edge *e = &w->edges[n->in[i]];
        /* Edges of one node stand together, so an equal source is the one before. */
        bool again = i > 0 && w->edges[n->in[i - 1]].from == e->from;
        count += !e->back && !again;
    }
    return count;
}

static void joins_check(struct wf_parse *p)
{
    struct workflow *w = p->w;
    for (unsigned i = 0; i < w->node_count; i++) {
        const struct node_def *n = &w->nodes[i];
        unsigned sources = forward_sources(w, n);
        if (n->join != JOIN_COUNT || n->join_count <= sources || !node_is_own(w, i))
            continue;
        size_t mark = path_push(p, "nodes.%.*s.join", STR_FMT(n->id));
        p->node = (int)i;
        issue_error(p, p->sources[i].fields[NF_JOIN].p, "bad_join",
                    "join waits for %u nodes, but only %u lead%s to \"%.*s\"", n->join_count,
                    sources, sources == 1 ? "s" : "", STR_FMT(n->id));
        p->node = -1;
        path_pop(p, mark);
    }
}

void graph_check(struct wf_parse *p)
{
    static const struct walker told = {.closes = edge_goes_back, .crosses = edge_enters_body};
    struct workflow *w = p->w;
    unsigned own = 0;
    if (w->doc == w)
        cycles_check(p); /* of the containers' graphs as well */
    /* With an edge missing, what follows would tell of its consequences only. */
    if (!p->edges_whole)
        return;
    reach_any_fill(p);
    struct walk k = walk_init(p);
    walk_from(p, &k, w->start, &told);
    for (unsigned i = 0; i < w->node_count; i++) {
        own += node_is_own(w, i);
        if (k.colour[i] == WHITE && node_is_own(w, i))
            node_report(p, i, "unreachable",
                        w->doc == w ? "is not reached from the start"
                                    : "is not reached from the first node of its map's body");
    }
    ends_check(p);
    if (k.done == own)
        joins_check(p);
    check_depends_end(p);
}

/* ---- reachability over forward edges, branches, warnings: of a graph without errors ---- */

static bool edge_is_forward(struct wf_parse *p, const struct edge *e)
{
    (void)p;
    return !e->back;
}

static void reach_forward_fill(struct wf_parse *p, const struct walk *k)
{
    struct workflow *w = p->w;
    w->reach_forward = arena_calloc(&w->arena, (size_t)w->node_count * w->words, sizeof(uint64_t));
    for (unsigned i = 0; i < k->done; i++) {
        unsigned at = k->order[i];
        uint64_t *row = w->reach_forward + (size_t)at * w->words;
        bit_set(row, at);
        for (unsigned o = 0; o < w->nodes[at].out_count; o++) {
            const struct edge *e = &w->edges[w->nodes[at].out[o]];
            if (e->back)
                continue;
            const uint64_t *child = w->reach_forward + (size_t)e->to * w->words;
            for (unsigned word = 0; word < w->words; word++)
                row[word] |= child[word];
        }
    }
}

/* Nodes that exactly one branch of this parallel reaches lie in that branch. */
static void branch_fill(struct wf_parse *p, const struct node_def *parallel, uint64_t *once,
                        uint64_t *twice)
{
    struct workflow *w = p->w;
    memset(once, 0, w->words * sizeof(*once));
    memset(twice, 0, w->words * sizeof(*twice));
    for (unsigned o = 0; o < parallel->out_count; o++) {
        const struct edge *e = &w->edges[parallel->out[o]];
        const uint64_t *row = w->reach_forward + (size_t)e->to * w->words;
        for (unsigned i = 0; i < w->words && e->kind == EDGE_NEXT && !e->back; i++) {
            twice[i] |= once[i] & row[i];
            once[i] |= row[i];
        }
    }
    for (unsigned o = 0; o < parallel->out_count; o++) {
        const struct edge *e = &w->edges[parallel->out[o]];
        const uint64_t *row = w->reach_forward + (size_t)e->to * w->words;
        for (unsigned i = 0; i < w->node_count && e->kind == EDGE_NEXT && !e->back; i++)
            if (bit_get(row, i) && !bit_get(twice, i))
                w->nodes[i].branch = w->nodes[e->to].id;
    }
}

static void branches_fill(struct wf_parse *p, const struct walk *k)
{
    struct workflow *w = p->w;
    uint64_t *once = arena_calloc(&p->scratch, w->words, sizeof(*once));
    uint64_t *twice = arena_calloc(&p->scratch, w->words, sizeof(*twice));
    /* Outer parallels first, so that inner ones overwrite what they contain. */
    for (unsigned i = k->done; i-- > 0;) {
        const struct node_def *n = &w->nodes[k->order[i]];
        if (n->kind == KIND_PARALLEL && n->out_count > 1)
            branch_fill(p, n, once, twice);
    }
}

/* What `from` sees of `to` comes through the container of its own that stands beside `to`. */
static bool ref_comes_before(const struct workflow *w, const struct node_ref *r)
{
    int from = r->from;
    while (from >= 0 && w->nodes[from].owner != w->nodes[r->to].owner)
        from = w->nodes[from].owner;
    return from >= 0 && workflow_reaches(w, r->to, (unsigned)from);
}

void refs_warn(struct wf_parse *p)
{
    const struct workflow *w = p->w;
    for (unsigned i = 0; i < p->ref_count; i++) {
        const struct node_ref *r = &p->refs[i];
        if (ref_comes_before(w, r))
            continue;
        bool again = false;
        for (unsigned k = i; k > 0 && p->refs[k - 1].at == r->at && !again; k--)
            again = p->refs[k - 1].to == r->to;
        if (again)
            continue;
        size_t mark = path_push(p, "%s", r->path);
        p->node = r->from;
        issue_warning(p, r->at, "never_before",
                      "\"%.*s\" never runs before \"%.*s\": it may have no output yet",
                      STR_FMT(w->nodes[r->to].id), STR_FMT(w->nodes[r->from].id));
        p->node = -1;
        path_pop(p, mark);
    }
}

void graph_finish(struct wf_parse *p)
{
    struct workflow *w = p->w;
    static const struct walker told = {.follows = edge_is_forward, .closes = edge_goes_back};
    struct walk k = walk_init(p);
    walk_from(p, &k, w->start, &told);
    reach_forward_fill(p, &k);
    branches_fill(p, &k);
}
