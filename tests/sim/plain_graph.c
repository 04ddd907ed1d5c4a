#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "plain.h"

/* Built from the end: a block is told where it leads, and gives the node that it is entered by.
 *
 * Nothing in these graphs depends on the order of two things that happen in the same moment: where
 * paths meet there is work for somebody outside, who answers one at a time. */

struct maker {
    struct dice *d;
    struct plain_graph *g;
    int owner; /* the container that is being filled, or -1 */
    int loop;  /* the innermost around, or -1 */
    bool in_map;
    int depth_of_containers;
};
/* Where a block leads. */
struct target {
    int node; /* or -1: nowhere, inside of a container */
    bool back;
};

#define SOFT_MAX 34 /* nodes: then blocks are simple ones */

static int node_new(struct maker *m, enum plain_kind kind)
{
    struct plain_graph *g = m->g;
    assert(g->node_count < PLAIN_NODES);
    struct plain_node *n = &g->nodes[g->node_count];
    memset(n, 0, sizeof(*n));
    snprintf(n->id, sizeof(n->id), "n%d", g->node_count % 1000);
    n->kind = kind;
    n->owner = m->owner;
    n->entry = -1;
    n->attempts = 1;
    return g->node_count++;
}

static void edge_new(struct maker *m, int from, struct target to, enum plain_edge_kind kind)
{
    struct plain_graph *g = m->g;
    if (to.node < 0)
        return;
    assert(g->edge_count < PLAIN_EDGES);
    g->edges[g->edge_count++] = (struct plain_edge){from, to.node, kind, to.back};
}

/* ---- conditions ---- */

/* A work node that code of this place sees: in its own graph, or around it. */
static int node_seen(struct maker *m)
{
    const struct plain_graph *g = m->g;
    for (int tries = 0; tries < 8 && g->node_count; tries++) {
        int n = (int)dice_below(m->d, (unsigned)g->node_count);
        int owner = m->owner;
        while (owner >= 0 && owner != g->nodes[n].owner)
            owner = g->nodes[owner].owner;
        if (g->nodes[n].kind == PLAIN_WORK && owner == g->nodes[n].owner)
            return n;
    }
    return -1;
}

static struct plain_test test_new(struct maker *m)
{
    struct plain_test t = {PLAIN_ALWAYS, -1};
    switch (dice_below(m->d, 5)) {
    case 0:
        t.is = PLAIN_NEVER;
        break;
    case 1:
    case 2:
        t.node = node_seen(m);
        t.is = t.node < 0 ? PLAIN_ALWAYS : PLAIN_HAS_OUTPUT;
        break;
    case 3:
        t.node = m->loop;
        t.is = m->loop < 0 ? PLAIN_NEVER : PLAIN_ODD_ROUND;
        break;
    default:
        t.is = m->in_map ? PLAIN_EVEN_ITEM : PLAIN_ALWAYS;
        break;
    }
    return t;
}

/* ---- blocks ---- */

static int chain(struct maker *m, struct target to, unsigned depth);

static void options(struct maker *m, int n, struct target to)
{
    if (dice_chance(m->d, 10))
        m->g->nodes[n].when = test_new(m);
    if (dice_chance(m->d, 20))
        m->g->nodes[n].attempts = 2;
    if (dice_chance(m->d, 55)) {
        m->g->nodes[n].on_error = PLAIN_CONTINUE;
    } else if (to.node >= 0 && dice_chance(m->d, 40)) {
        m->g->nodes[n].on_error = PLAIN_GOTO;
        if (dice_chance(m->d, 50)) {
            int other = node_new(m, PLAIN_WORK);
            m->g->nodes[other].on_error = PLAIN_CONTINUE;
            edge_new(m, other, to, PLAIN_NEXT);
            to = (struct target){other, false};
        }
        edge_new(m, n, to, PLAIN_ERROR);
    }
}

static int block_work(struct maker *m, struct target to, int join)
{
    int n = node_new(m, PLAIN_WORK);
    m->g->nodes[n].join = join;
    edge_new(m, n, to, PLAIN_NEXT);
    options(m, n, to);
    return n;
}

/* Branches that meet again, or end on their own. */
static int block_parallel(struct maker *m, struct target to, unsigned depth)
{
    unsigned branches = dice_between(m->d, 2, 4), i = 0;
    int joins[] = {0, 0, 0, -1, 1, 2}, heads[4];
    int join = block_work(m, to, joins[dice_below(m->d, 6)]);
    if (branches > 2 && dice_chance(m->d, 20)) { /* one ends by itself */
        int own = m->owner < 0 ? node_new(m, PLAIN_END) : -1;
        heads[i++] = block_work(m, (struct target){own, false}, 0);
    }
    for (; i < branches; i++)
        heads[i] = chain(m, (struct target){join, false}, depth - 1);
    int n = dice_chance(m->d, 70) ? node_new(m, PLAIN_PARALLEL) : node_new(m, PLAIN_WORK);
    if (m->g->nodes[n].kind == PLAIN_PARALLEL && dice_chance(m->d, 40))
        m->g->nodes[n].limit = (int)dice_between(m->d, 1, 2);
    for (i = 0; i < branches; i++)
        edge_new(m, n, (struct target){heads[i], false}, PLAIN_NEXT);
    return n;
}

static int block_loop(struct maker *m, struct target to, unsigned depth)
{
    int n = node_new(m, PLAIN_LOOP), around = m->loop;
    m->g->nodes[n].rounds = (int)dice_between(m->d, 1, 3);
    m->loop = n;
    int body = chain(m, (struct target){n, true}, depth - 1);
    m->loop = around;
    edge_new(m, n, (struct target){body, false}, PLAIN_NEXT);
    edge_new(m, n, to, PLAIN_NEXT);
    return n;
}

static int block_review(struct maker *m, struct target to, unsigned depth)
{
    int n = node_new(m, PLAIN_REVIEW);
    if (!depth || dice_chance(m->d, 30)) {
        edge_new(m, n, to, PLAIN_NEXT);
        return n;
    }
    int reviewed = chain(m, (struct target){n, false}, depth - 1);
    edge_new(m, n, to, PLAIN_APPROVE);
    edge_new(m, n, (struct target){reviewed, true}, PLAIN_REJECT);
    return reviewed;
}

static int block_switch(struct maker *m, struct target to, unsigned depth)
{
    int a = chain(m, to, depth - 1), b = chain(m, to, depth - 1), n = node_new(m, PLAIN_SWITCH);
    m->g->nodes[n].which = test_new(m);
    edge_new(m, n, (struct target){a, false}, PLAIN_CASE);
    edge_new(m, n, (struct target){b, false}, PLAIN_ELSE);
    return n;
}

static int block_map(struct maker *m, struct target to, unsigned depth)
{
    static const enum plain_item_error policies[] = {PLAIN_ITEM_FAIL, PLAIN_ITEM_NULL,
                                                     PLAIN_ITEM_DROP};
    struct maker was = *m;
    int n = node_new(m, PLAIN_MAP);
    struct plain_node *self = &m->g->nodes[n];
    self->items = (int)dice_below(m->d, PLAIN_ITEMS + 1);
    self->limit = dice_chance(m->d, 40) ? (int)dice_between(m->d, 1, 2) : 0;
    self->on_item_error = policies[dice_below(m->d, 3)];
    m->owner = n;
    m->in_map = true;
    m->depth_of_containers++;
    self->entry = chain(m, (struct target){-1, false}, depth - 1);
    m->owner = was.owner;
    m->in_map = was.in_map;
    m->depth_of_containers--;
    edge_new(m, n, to, PLAIN_NEXT);
    options(m, n, to);
    return n;
}

static int step_new(struct maker *m, unsigned depth)
{
    struct target nowhere = {-1, false};
    unsigned roll = dice_below(m->d, 10);
    if (roll < 2 && depth)
        return block_map(m, nowhere, depth);
    return roll < 4 ? block_review(m, nowhere, 0) : block_work(m, nowhere, 0);
}

static int block_sequence(struct maker *m, struct target to, unsigned depth)
{
    int n = node_new(m, PLAIN_SEQUENCE), owner = m->owner, before = -1;
    m->owner = n;
    m->depth_of_containers++;
    for (unsigned left = dice_between(m->d, 1, 3); left; left--) {
        int step = step_new(m, depth - 1);
        if (before < 0)
            m->g->nodes[n].entry = step;
        else
            edge_new(m, before, (struct target){step, false}, PLAIN_NEXT);
        before = step;
    }
    m->owner = owner;
    m->depth_of_containers--;
    edge_new(m, n, to, PLAIN_NEXT);
    options(m, n, to);
    return n;
}

static int block(struct maker *m, struct target to, unsigned depth)
{
    unsigned roll = dice_below(m->d, 100);
    bool deep = m->depth_of_containers >= 2;
    if (!depth || m->g->node_count > SOFT_MAX || roll < 35)
        return block_work(m, to, 0);
    if (roll < 55)
        return block_parallel(m, to, depth);
    if (roll < 65 || (roll < 83 && deep))
        return block_review(m, to, depth);
    if (roll < 76)
        return block_map(m, to, depth);
    if (roll < 83)
        return block_sequence(m, to, depth);
    if (to.node < 0) /* these two must lead somewhere */
        to = (struct target){block_work(m, to, 0), false};
    return roll < 93 ? block_loop(m, to, depth) : block_switch(m, to, depth);
}

static int chain(struct maker *m, struct target to, unsigned depth)
{
    for (unsigned left = dice_between(m->d, 1, 2); left; left--)
        to = (struct target){block(m, to, depth), false};
    return to.node;
}

void plain_random(struct dice *d, struct plain_graph *g)
{
    struct maker m = {.d = d, .g = g, .owner = -1, .loop = -1};
    memset(g, 0, sizeof(*g));
    int end = node_new(&m, PLAIN_END);
    int last = block_work(&m, (struct target){end, false}, 0);
    int first = chain(&m, (struct target){last, false}, 3);
    g->start = node_new(&m, PLAIN_START);
    edge_new(&m, g->start, (struct target){first, false}, PLAIN_NEXT);
}

/* ---- as a workflow ---- */

static void test_write(const struct plain_graph *g, struct plain_test t, struct buf *b)
{
    switch (t.is) {
    case PLAIN_ALWAYS:
        buf_append_z(b, "true");
        break;
    case PLAIN_NEVER:
        buf_append_z(b, "false");
        break;
    case PLAIN_HAS_OUTPUT:
        buf_printf(b, "nodes.%s.output ~= nil", g->nodes[t.node].id);
        break;
    case PLAIN_ODD_ROUND:
        buf_append_z(b, "loop.round % 2 == 1");
        break;
    case PLAIN_EVEN_ITEM:
        buf_append_z(b, "map.index % 2 == 0");
        break;
    }
}

/* The n-th edge of a kind; NULL: there are not so many. */
static const struct plain_edge *edge_of(const struct plain_graph *g, int from,
                                        enum plain_edge_kind kind, int nth)
{
    for (int i = 0; i < g->edge_count; i++)
        if (g->edges[i].from == from && g->edges[i].kind == kind && nth-- == 0)
            return &g->edges[i];
    return NULL;
}

static void edges_write(const struct plain_graph *g, int n, struct buf *b)
{
    const struct plain_node *self = &g->nodes[n];
    const struct plain_edge *e, *no = edge_of(g, n, PLAIN_REJECT, 0);
    bool is_step = self->owner >= 0 && g->nodes[self->owner].kind == PLAIN_SEQUENCE;
    if (edge_of(g, n, PLAIN_NEXT, 0) && !is_step) {
        buf_append_z(b, ",\"next_ids\":[");
        for (int i = 0; (e = edge_of(g, n, PLAIN_NEXT, i)); i++)
            buf_printf(b, "%s\"%s\"", i ? "," : "", g->nodes[e->to].id);
        buf_append_char(b, ']');
    }
    if (no) {
        buf_printf(b, ",\"routes\":{\"reject\":\"%s\"", g->nodes[no->to].id);
        if ((e = edge_of(g, n, PLAIN_APPROVE, 0)))
            buf_printf(b, ",\"approve\":\"%s\"", g->nodes[e->to].id);
        buf_append_char(b, '}');
    }
    if (self->on_error == PLAIN_CONTINUE)
        buf_append_z(b, ",\"on_error\":\"continue\"");
    if ((e = edge_of(g, n, PLAIN_ERROR, 0)))
        buf_printf(b, ",\"on_error\":\"%s\"", g->nodes[e->to].id);
}

static void members_write(const struct plain_graph *g, int n, const char *property, struct buf *b)
{
    bool in_order = g->nodes[n].kind == PLAIN_SEQUENCE;
    int step = g->nodes[n].entry;
    const struct plain_edge *e;
    buf_printf(b, "\"%s\":[\"%s\"", property, g->nodes[step].id);
    while (in_order && (e = edge_of(g, step, PLAIN_NEXT, 0))) {
        step = e->to;
        buf_printf(b, ",\"%s\"", g->nodes[step].id);
    }
    for (int i = 0; i < g->node_count && !in_order; i++)
        if (g->nodes[i].owner == n && i != g->nodes[n].entry)
            buf_printf(b, ",\"%s\"", g->nodes[i].id);
    buf_append_char(b, ']');
}

static void properties_write(const struct plain_graph *g, int n, struct buf *b)
{
    static const char *const policies[] = {"fail", "null", "drop"};
    const struct plain_node *self = &g->nodes[n];
    buf_append_z(b, ",\"properties\":{");
    if (self->kind == PLAIN_WORK)
        buf_append_z(b, "\"code\":\"return 1\"");
    if (self->kind == PLAIN_PARALLEL && self->limit)
        buf_printf(b, "\"max_concurrent\":%d", self->limit);
    if (self->kind == PLAIN_LOOP)
        buf_printf(b, "\"max_rounds\":%d", self->rounds);
    if (self->kind == PLAIN_SWITCH) {
        buf_append_z(b, "\"cases\":[{\"when\":\"");
        test_write(g, self->which, b);
        buf_printf(b, "\",\"to\":\"%s\"}],\"default\":\"%s\"",
                   g->nodes[edge_of(g, n, PLAIN_CASE, 0)->to].id,
                   g->nodes[edge_of(g, n, PLAIN_ELSE, 0)->to].id);
    }
    if (self->kind == PLAIN_SEQUENCE)
        members_write(g, n, "steps", b);
    if (self->kind == PLAIN_MAP) {
        static const char *const items[] = {"array()", "{1}", "{1, 2}", "{1, 2, 3}"};
        members_write(g, n, "body", b);
        buf_printf(b, ",\"items\":\"%s\",\"on_item_error\":\"%s\"", items[self->items],
                   policies[self->on_item_error]);
        if (self->limit)
            buf_printf(b, ",\"max_concurrent\":%d", self->limit);
    }
    buf_append_char(b, '}');
}

void plain_json(const struct plain_graph *g, struct buf *b)
{
    static const char *const words[] = {"start", "end",    "script", "human_review", "parallel",
                                        "loop",  "switch", "map",    "sequence"};
    buf_append_z(b, "{\"nodes\":{");
    for (int n = 0; n < g->node_count; n++) {
        const struct plain_node *self = &g->nodes[n];
        buf_printf(b, "%s\"%s\":{\"type\":\"%s\"", n ? "," : "", self->id, words[self->kind]);
        if (self->when.is != PLAIN_ALWAYS) {
            buf_append_z(b, ",\"when\":\"");
            test_write(g, self->when, b);
            buf_append_char(b, '"');
        }
        if (self->join < 0)
            buf_append_z(b, ",\"join\":\"any\"");
        if (self->join > 0)
            buf_printf(b, ",\"join\":%d", self->join);
        if (self->attempts > 1)
            buf_printf(b, ",\"retry\":{\"max_attempts\":%d,\"initial_ms\":0}", self->attempts);
        edges_write(g, n, b);
        properties_write(g, n, b);
        buf_append_char(b, '}');
    }
    buf_append_z(b, "}}");
}
