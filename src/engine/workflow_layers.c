/* Nodes in layers, for drawing. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/workflow_diagram.h"

struct layers {
    const struct workflow *w;
    unsigned *level, *position;
    uint16_t *order; /* nodes, each after all that lead to it over forward edges */
    uint16_t *queue; /* points of the walk, see layers_after() */
    unsigned tail;
    unsigned *wait;  /* of each point: ways in that were not walked yet */
    unsigned *depth; /* of each point */
    double *wish;    /* mean position of those before it */
};

int workflow_loop_exit(const struct workflow *w, unsigned n)
{
    const struct node_def *def = &w->nodes[n];
    for (unsigned o = 0; o < def->out_count && def->kind == KIND_LOOP; o++) {
        const struct edge *e = &w->edges[def->out[o]];
        if (e->kind == EDGE_NEXT && e->ordinal == 1 && !e->back)
            return e->to;
    }
    return -1;
}

/* A container stands for two points of the walk: itself, and, node_count higher, the end of what is
 * inside, from where its own edges lead on. What comes behind a loop comes after its body. Calls fn
 * for every point after v; `step`: is it a layer further down? */
static void layers_after(struct layers *l, unsigned v,
                         void (*fn)(struct layers *l, unsigned v, unsigned to, unsigned step))
{
    const struct workflow *w = l->w;
    assert(w->node_count > 0);
    unsigned n = v % w->node_count;
    const struct node_def *def = &w->nodes[n];
    if (v == n && def->inner) {
        fn(l, v, def->inner->nodes[def->inner->start].doc, 1);
        fn(l, v, n + w->node_count, 0);
        return;
    }
    for (unsigned o = 0; o < def->out_count; o++) {
        const struct edge *e = &w->edges[def->out[o]];
        int exit = e->back ? workflow_loop_exit(w, e->to) : e->to;
        if (exit >= 0)
            fn(l, v, (unsigned)exit, 1);
    }
    if (def->owner >= 0)
        fn(l, v, (unsigned)def->owner + w->node_count, 0);
}

static void layers_count(struct layers *l, unsigned v, unsigned to, unsigned step)
{
    (void)v, (void)step;
    l->wait[to]++;
}

static void layers_walk(struct layers *l, unsigned v, unsigned to, unsigned step)
{
    if (l->depth[to] < l->depth[v] + step)
        l->depth[to] = l->depth[v] + step;
    if (--l->wait[to] == 0)
        l->queue[l->tail++] = (uint16_t)to;
}

/* Kahn's walk over the forward edges, which form a DAG. */
static unsigned layers_level(struct layers *l)
{
    const struct workflow *w = l->w;
    unsigned deepest = 0, count = 0;
    for (unsigned v = 0; v < 2 * w->node_count; v++)
        if (v < w->node_count || w->nodes[v - w->node_count].inner)
            layers_after(l, v, layers_count);
    l->queue[l->tail++] = w->start;
    for (unsigned head = 0; head < l->tail; head++) {
        unsigned v = l->queue[head];
        layers_after(l, v, layers_walk);
        if (v >= w->node_count)
            continue;
        l->level[v] = l->depth[v];
        l->order[count++] = (uint16_t)v;
        if (l->level[v] > deepest)
            deepest = l->level[v];
    }
    for (unsigned v = 0; count < w->node_count && v < w->node_count; v++) {
        if (!l->wait[v] && (v == w->start || l->depth[v]))
            continue;            /* was reached */
        l->level[v] = ++deepest; /* behind itself, by the way out of a loop */
        l->order[count++] = (uint16_t)v;
    }
    return deepest + 1;
}

static double layers_wish(const struct layers *l, unsigned node)
{
    const struct node_def *n = &l->w->nodes[node];
    double sum = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < n->in_count; i++) {
        const struct edge *e = &l->w->edges[n->in[i]];
        if (!e->back) {
            sum += l->position[e->from];
            count++;
        }
    }
    if (!count && n->owner >= 0)
        return l->position[n->owner];
    return count ? sum / count : 0;
}

static int by_level_and_wish(const void *a, const void *b, void *data)
{
    const struct layers *l = data;
    unsigned x = *(const uint16_t *)a, y = *(const uint16_t *)b;
    if (l->level[x] != l->level[y])
        return l->level[x] < l->level[y] ? -1 : 1;
    if (l->wish[x] != l->wish[y])
        return l->wish[x] < l->wish[y] ? -1 : 1;
    return (int)x - (int)y;
}

/* One level after the other: where a node wants to be is known when those before it are placed. */
static void layers_place(struct layers *l)
{
    unsigned count = l->w->node_count;
    qsort_r(l->order, count, sizeof(*l->order), by_level_and_wish, l);
    for (unsigned first = 0; first < count;) {
        unsigned end = first, level = l->level[l->order[first]];
        for (; end < count && l->level[l->order[end]] == level; end++)
            l->wish[l->order[end]] = layers_wish(l, l->order[end]);
        qsort_r(l->order + first, end - first, sizeof(*l->order), by_level_and_wish, l);
        for (unsigned i = first; i < end; i++)
            l->position[l->order[i]] = i - first;
        first = end;
    }
}

unsigned workflow_layers(const struct workflow *w, unsigned *level, unsigned *position)
{
    struct layers l = {.w = w, .level = level, .position = position};
    unsigned n = w->node_count;
    l.order = mem_calloc(n, sizeof(*l.order));
    l.queue = mem_calloc(2 * n, sizeof(*l.queue));
    l.wait = mem_calloc(2 * n, sizeof(*l.wait));
    l.depth = mem_calloc(2 * n, sizeof(*l.depth));
    l.wish = mem_calloc(n, sizeof(*l.wish));
    for (unsigned i = 0; i < n; i++)
        level[i] = position[i] = 0;
    unsigned levels = layers_level(&l);
    layers_place(&l);
    free(l.order);
    free(l.queue);
    free(l.wait);
    free(l.depth);
    free(l.wish);
    return levels;
}
