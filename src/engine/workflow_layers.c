/* Nodes in layers, for drawing. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/workflow_diagram.h"

struct layers {
    const struct workflow *w;
    unsigned *level, *position;
    uint16_t *order; /* nodes, each after all that lead to it over forward edges */
    unsigned *wait;  /* forward edges in that were not walked yet */
    double *wish;    /* mean position of those before it */
};

/* Kahn's walk over the forward edges, which form a DAG. */
static unsigned layers_level(struct layers *l)
{
    const struct workflow *w = l->w;
    unsigned head = 0, tail = 0, deepest = 0;
    for (unsigned i = 0; i < w->edge_count; i++)
        if (!w->edges[i].back)
            l->wait[w->edges[i].to]++;
    for (unsigned i = 0; i < w->node_count; i++)
        if (!l->wait[i])
            l->order[tail++] = (uint16_t)i;
    while (head < tail) {
        unsigned from = l->order[head++];
        const struct node_def *n = &w->nodes[from];
        if (l->level[from] > deepest)
            deepest = l->level[from];
        for (unsigned o = 0; o < n->out_count; o++) {
            const struct edge *e = &w->edges[n->out[o]];
            if (e->back)
                continue;
            if (l->level[e->to] < l->level[from] + 1)
                l->level[e->to] = l->level[from] + 1;
            if (--l->wait[e->to] == 0)
                l->order[tail++] = e->to;
        }
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
    l.wait = mem_calloc(n, sizeof(*l.wait));
    l.wish = mem_calloc(n, sizeof(*l.wish));
    for (unsigned i = 0; i < n; i++)
        level[i] = position[i] = 0;
    unsigned levels = layers_level(&l);
    layers_place(&l);
    free(l.order);
    free(l.wait);
    free(l.wish);
    return levels;
}
