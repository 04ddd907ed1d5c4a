#include "plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Where a node stands in this round of its scope. At work: all but IDLE and DONE. */
enum state { IDLE, WAITING, QUEUED, READY, RUNNING, DONE };
enum result { NONE, COMPLETED, FAILED, SKIPPED };

struct plain_scope {
    struct plain_scope *next, *parent;
    int owner, item; /* the container in parent; -1: the root */
    bool failed;
    const char *code;
    enum state state[PLAIN_NODES];
    enum result result[PLAIN_NODES];
    const char *status[PLAIN_NODES]; /* the word people see; outlives a reset */
    bool ever[PLAIN_NODES];          /* ran or was skipped */
    bool again[PLAIN_NODES];         /* READY for another attempt */
    bool next_round[PLAIN_NODES];
    int failures[PLAIN_NODES], round[PLAIN_NODES];
    char *output[PLAIN_NODES];
    bool came[PLAIN_EDGES], fresh[PLAIN_EDGES];
    int queue[PLAIN_EDGES], queued;
    struct {
        int begun, settled, alive;
        bool good[PLAIN_ITEMS + 1];
        char *output[PLAIN_ITEMS + 1];
    } items[PLAIN_NODES];
};

static bool is_own(const struct plain_run *r, const struct plain_scope *c, int n)
{
    return r->g->nodes[n].owner == c->owner;
}
static bool at_work(const struct plain_scope *c, int n)
{
    return c->state[n] != IDLE && c->state[n] != DONE;
}
static bool any_at_work(const struct plain_run *r, const struct plain_scope *c)
{
    for (int n = 0; n < r->g->node_count; n++)
        if (at_work(c, n))
            return true;
    return false;
}
static void text_set(char **at, const char *text)
{
    free(*at);
    *at = text ? strdup(text) : NULL;
}

/* ---- scopes ---- */

static struct plain_scope *scope_new(struct plain_run *r, struct plain_scope *parent, int owner,
                                     int item)
{
    struct plain_scope *c = mem_zalloc(sizeof(*c)), **at = &r->scopes;
    c->parent = parent;
    c->owner = owner;
    c->item = item;
    for (int n = 0; n < r->g->node_count; n++)
        c->status[n] = "pending";
    while (*at)
        at = &(*at)->next;
    *at = c;
    return c;
}

static void items_forget(struct plain_scope *c, int n)
{
    for (int i = 0; i <= PLAIN_ITEMS; i++)
        text_set(&c->items[n].output[i], NULL);
    memset(&c->items[n], 0, sizeof(c->items[n]));
}

static void scope_drop(struct plain_run *r, struct plain_scope *c)
{
    struct plain_scope **at = &r->scopes;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    for (int n = 0; n < r->g->node_count; n++) {
        text_set(&c->output[n], NULL);
        items_forget(c, n);
    }
    free(c);
}

/* All items of a container, and what is inside of them. */
static void items_drop(struct plain_run *r, struct plain_scope *c, int n)
{
    for (;;) {
        struct plain_scope *in = r->scopes;
        while (in && !(in->parent == c && in->owner == n))
            in = in->next;
        if (!in)
            return;
        for (int k = 0; k < r->g->node_count; k++)
            items_drop(r, in, k);
        scope_drop(r, in);
    }
}

static void cancel(struct plain_run *r, struct plain_scope *c, int n)
{
    if (c->state[n] == RUNNING || (c->state[n] == READY && c->again[n])) {
        c->status[n] = "failed";
        c->result[n] = FAILED;
        c->state[n] = DONE;
    } else {
        c->state[n] = IDLE;
    }
    c->again[n] = c->next_round[n] = false;
    items_drop(r, c, n);
    items_forget(c, n);
}

/* ---- the shape of the graph ---- */

/* What is reached from a node, over forward edges or over any; the node itself with `self`. */
static void reach(const struct plain_run *r, int from, bool forward, bool self, bool *set)
{
    bool grew = true;
    bool *seen = mem_zalloc(PLAIN_NODES);
    seen[from] = true;
    set[from] = set[from] || self;
    while (grew) {
        grew = false;
        for (int i = 0; i < r->g->edge_count; i++) {
            const struct plain_edge *e = &r->g->edges[i];
            if (!seen[e->from] || (forward && e->back))
                continue;
            grew = grew || !seen[e->to];
            seen[e->to] = set[e->to] = true;
        }
    }
    free(seen);
}

/* ---- may an edge still come? ---- */

/* Would a join keep something that came in, when what follows a node begins anew? */
static bool join_outlives(const struct plain_run *r, const struct plain_scope *c, int join,
                          const bool *follows)
{
    for (int i = 0; i < r->g->edge_count; i++)
        if (r->g->edges[i].to == join && c->fresh[i] && !follows[r->g->edges[i].from])
            return true;
    return false;
}

/* One more edge over which something at work may lead on. `around`: back edges count as well. */
static bool spread(const struct plain_run *r, const struct plain_scope *c, int join, bool around,
                   bool *set)
{
    for (int i = 0; i < r->g->edge_count; i++) {
        const struct plain_edge *e = &r->g->edges[i];
        if (!set[e->from] || (around && e->from == join))
            continue;
        if (!e->back && !set[e->to] && c->state[e->to] != DONE) {
            set[e->to] = true;
            return true;
        }
        bool follows[PLAIN_NODES] = {false}, more = false;
        if (!e->back || !around)
            continue;
        reach(r, e->to, true, true, follows);
        if (!join_outlives(r, c, join, follows))
            continue;
        for (int n = 0; n < r->g->node_count; n++) {
            more = more || (follows[n] && !set[n]);
            set[n] = set[n] || follows[n];
        }
        if (more)
            return true;
    }
    return false;
}

/* `careful`: what waits for a join may go on as well. When by that nothing goes, it will not. */
static bool may_come(const struct plain_run *r, const struct plain_scope *c, int edge, bool careful)
{
    int from = r->g->edges[edge].from, join = r->g->edges[edge].to;
    for (int around = 0; around < 2; around++) {
        bool set[PLAIN_NODES] = {false};
        for (int n = 0; n < r->g->node_count; n++)
            set[n] = at_work(c, n) && !(around && !careful && c->state[n] == WAITING);
        while (spread(r, c, join, around, set))
            continue;
        if (set[from])
            return true;
    }
    return false;
}

/* Does it hold, whatever may still come? */
static bool join_is_full(const struct plain_run *r, const struct plain_scope *c, int n)
{
    int came = 0, all = 0, want = r->g->nodes[n].join;
    for (int i = 0; i < r->g->edge_count; i++) {
        if (r->g->edges[i].to != n || r->g->edges[i].back)
            continue;
        all++;
        came += c->came[i];
    }
    return want < 0 || came >= (want ? want : all);
}

/* 1: go, 0: wait, -1: it can no longer hold. */
static int join_holds(const struct plain_run *r, const struct plain_scope *c, int n, bool careful)
{
    int came = 0, possible = 0, want = r->g->nodes[n].join;
    if (want < 0)
        return 1;
    for (int i = 0; i < r->g->edge_count; i++) {
        if (r->g->edges[i].to != n || r->g->edges[i].back)
            continue;
        came += c->came[i];
        possible += !c->came[i] && may_come(r, c, i, careful);
    }
    if (want == 0)
        return possible == 0;
    if (came >= want)
        return 1;
    return came + possible < want ? -1 : 0;
}

/* ---- edges ---- */

static void arrive(const struct plain_run *r, struct plain_scope *c, int edge)
{
    int to = r->g->edges[edge].to;
    c->came[edge] = true;
    if (c->state[to] != IDLE && c->state[to] != WAITING && c->state[to] != QUEUED)
        return; /* too late */
    c->fresh[edge] = true;
    if (c->state[to] == IDLE)
        c->state[to] = WAITING;
}

static bool has_fresh(const struct plain_run *r, const struct plain_scope *c, int n)
{
    for (int i = 0; i < r->g->edge_count; i++)
        if (r->g->edges[i].to == n && c->fresh[i])
            return true;
    return false;
}

static void go_back(struct plain_run *r, struct plain_scope *c, int edge)
{
    int v = r->g->edges[edge].to;
    bool follows[PLAIN_NODES] = {false};
    reach(r, v, true, true, follows);
    for (int n = 0; n < r->g->node_count; n++) {
        if (!follows[n])
            continue;
        for (int i = 0; i < r->g->edge_count; i++)
            if (r->g->edges[i].from == n)
                c->came[i] = c->fresh[i] = false;
        bool waits_for_room = false;
        for (int i = 0; i < c->queued && c->state[n] == QUEUED; i++)
            waits_for_room = waits_for_room || (r->g->edges[c->queue[i]].to == n &&
                                                !follows[r->g->edges[c->queue[i]].from]);
        if (waits_for_room)
            continue;
        if (at_work(c, n))
            cancel(r, c, n);
        c->again[n] = c->next_round[n] = false;
        c->state[n] = IDLE;
    }
    for (int n = 0; n < r->g->node_count; n++)
        if (follows[n] && n != v && c->state[n] == IDLE && has_fresh(r, c, n))
            c->state[n] = WAITING;
    /* Who sends back to a loop stands behind it, and begins it anew; all others are its body. */
    c->next_round[v] = r->g->nodes[v].kind == PLAIN_LOOP && r->g->edges[edge].kind != PLAIN_REJECT;
    c->state[v] = READY;
}

static void follow(struct plain_run *r, struct plain_scope *c, int edge)
{
    if (r->g->edges[edge].back)
        go_back(r, c, edge);
    else
        arrive(r, c, edge);
}

/* The n-th edge of a kind, or -1. */
static int edge_at(const struct plain_run *r, int from, enum plain_edge_kind kind, int nth)
{
    for (int i = 0; i < r->g->edge_count; i++)
        if (r->g->edges[i].from == from && r->g->edges[i].kind == kind && nth-- == 0)
            return i;
    return -1;
}

static void branches_begin(struct plain_run *r, struct plain_scope *c, int n)
{
    int limit = r->g->nodes[n].limit ? r->g->nodes[n].limit : PLAIN_EDGES, begun = 0, edge;
    for (int i = 0; (edge = edge_at(r, n, PLAIN_NEXT, i)) >= 0; i++) {
        int to = r->g->edges[edge].to;
        if (begun >= limit && c->state[to] == IDLE) {
            c->state[to] = QUEUED;
            c->queue[c->queued++] = edge;
        } else {
            arrive(r, c, edge);
            begun++;
        }
    }
}

static void follow_next(struct plain_run *r, struct plain_scope *c, int n)
{
    int edge;
    if (r->g->nodes[n].kind == PLAIN_PARALLEL) {
        branches_begin(r, c, n);
        return;
    }
    for (int back = 1; back >= 0; back--)
        for (int i = 0; (edge = edge_at(r, n, PLAIN_NEXT, i)) >= 0; i++)
            if (r->g->edges[edge].back == (back == 1))
                follow(r, c, edge);
}

/* Branches of a parallel in which something is at work that only they lead to. */
static int branches_busy(const struct plain_run *r, const struct plain_scope *c, int n)
{
    int busy = 0, edge, other;
    for (int i = 0; (edge = edge_at(r, n, PLAIN_NEXT, i)) >= 0; i++) {
        bool mine[PLAIN_NODES] = {false}, theirs[PLAIN_NODES] = {false}, works = false;
        if (c->state[r->g->edges[edge].to] == QUEUED)
            continue;
        reach(r, r->g->edges[edge].to, true, true, mine);
        for (int k = 0; (other = edge_at(r, n, PLAIN_NEXT, k)) >= 0; k++)
            if (k != i)
                reach(r, r->g->edges[other].to, true, true, theirs);
        for (int k = 0; k < r->g->node_count; k++)
            works = works || (mine[k] && !theirs[k] && at_work(c, k) && c->state[k] != WAITING);
        busy += works;
    }
    return busy;
}

/* The first branch that waits for room, and has it now, begins. */
static bool branch_release(struct plain_run *r, struct plain_scope *c)
{
    for (int i = 0; i < c->queued; i++) {
        const struct plain_edge *e = &r->g->edges[c->queue[i]];
        bool waits = c->state[e->to] == QUEUED;
        if (waits && branches_busy(r, c, e->from) >= r->g->nodes[e->from].limit)
            continue;
        int edge = c->queue[i];
        memmove(c->queue + i, c->queue + i + 1, sizeof(int) * (size_t)(c->queued - i - 1));
        c->queued--;
        if (!waits)
            return true;
        c->state[e->to] = has_fresh(r, c, e->to) ? WAITING : IDLE;
        arrive(r, c, edge);
        return true;
    }
    return false;
}

/* ---- nodes begin and end ---- */

static void session_over(struct plain_run *r, const char *code, int node)
{
    r->over = true;
    r->failed = code != NULL;
    r->code = code;
    r->failed_node = node;
}

static void node_completes(struct plain_scope *c, int n, const char *output)
{
    c->state[n] = DONE;
    c->result[n] = COMPLETED;
    c->status[n] = "completed";
    if (output != c->output[n])
        text_set(&c->output[n], output);
    items_forget(c, n);
}

static void node_fails(struct plain_run *r, struct plain_scope *c, int n, const char *code)
{
    const struct plain_node *self = &r->g->nodes[n];
    items_drop(r, c, n);
    items_forget(c, n);
    c->failures[n]++;
    if (c->failures[n] < self->attempts && strcmp(code, "join_not_met")) {
        c->state[n] = READY;
        c->again[n] = true;
        c->status[n] = "pending";
        return;
    }
    c->state[n] = DONE;
    c->result[n] = FAILED;
    c->status[n] = "failed";
    if (self->on_error == PLAIN_CONTINUE) {
        text_set(&c->output[n], "null");
        follow_next(r, c, n);
    } else if (self->on_error == PLAIN_GOTO) {
        follow(r, c, edge_at(r, n, PLAIN_ERROR, 0));
    } else if (!c->parent) {
        session_over(r, code, n);
    } else {
        c->failed = true;
        c->code = code;
        for (int k = 0; k < r->g->node_count; k++)
            if (at_work(c, k))
                cancel(r, c, k);
    }
}

/* The loop's own scope is this one or one around it. */
static bool test_holds(const struct plain_run *r, const struct plain_scope *c, struct plain_test t)
{
    switch (t.is) {
    case PLAIN_ALWAYS:
        break;
    case PLAIN_NEVER:
        return false;
    case PLAIN_HAS_OUTPUT:
        while (!is_own(r, c, t.node))
            c = c->parent;
        return c->output[t.node] != NULL;
    case PLAIN_ODD_ROUND:
        while (!is_own(r, c, t.node))
            c = c->parent;
        return c->round[t.node] % 2 == 1;
    case PLAIN_EVEN_ITEM:
        while (r->g->nodes[c->owner].kind != PLAIN_MAP)
            c = c->parent;
        return c->item % 2 == 0;
    }
    return true;
}

static void items_begin(struct plain_run *r, struct plain_scope *c, int n)
{
    const struct plain_node *self = &r->g->nodes[n];
    int total = self->kind == PLAIN_MAP ? self->items : 1;
    int limit = self->limit ? self->limit : total;
    while (c->items[n].begun < total && c->items[n].alive < limit) {
        struct plain_scope *in = scope_new(r, c, n, c->items[n].begun++);
        in->state[self->entry] = READY;
        c->items[n].alive++;
    }
}

static void loop_begins(struct plain_run *r, struct plain_scope *c, int n)
{
    char text[120];
    bool leaves = c->next_round[n] && c->round[n] >= r->g->nodes[n].rounds;
    if (!c->next_round[n])
        c->round[n] = 1;
    else if (!leaves)
        c->round[n]++;
    c->next_round[n] = false;
    snprintf(text, sizeof(text), "{\"rounds\":%d,\"exit_reason\":%s,\"score\":null,\"history\":[]}",
             c->round[n], leaves ? "\"max_rounds\"" : "null");
    node_completes(c, n, text);
    follow(r, c, edge_at(r, n, PLAIN_NEXT, leaves ? 1 : 0));
}

static void switch_begins(struct plain_run *r, struct plain_scope *c, int n)
{
    char text[60];
    bool holds = test_holds(r, c, r->g->nodes[n].which);
    int edge = edge_at(r, n, holds ? PLAIN_CASE : PLAIN_ELSE, 0);
    snprintf(text, sizeof(text), "{\"case\":%s,\"to\":\"%s\"}", holds ? "0" : "null",
             r->g->nodes[r->g->edges[edge].to].id);
    node_completes(c, n, text);
    follow(r, c, edge);
}

static void parallel_begins(struct plain_run *r, struct plain_scope *c, int n)
{
    struct buf b;
    int edge;
    buf_init(&b, 10000);
    buf_append_z(&b, "{\"branches\":[");
    for (int i = 0; (edge = edge_at(r, n, PLAIN_NEXT, i)) >= 0; i++)
        buf_printf(&b, "%s\"%s\"", i ? "," : "", r->g->nodes[r->g->edges[edge].to].id);
    buf_append_z(&b, "]}");
    node_completes(c, n, b.data);
    buf_deinit(&b);
    follow_next(r, c, n);
}

static const char *output_or_null(const struct plain_scope *c, int n)
{
    return c->output[n] ? c->output[n] : "null";
}

/* What came in: of one its output, of several an object by their ids. */
static void end_begins(struct plain_run *r, struct plain_scope *c, int n)
{
    struct buf b;
    int from[PLAIN_EDGES], count = 0;
    for (int k = 0; k < r->g->node_count; k++) {
        for (int i = 0; i < r->g->edge_count; i++) {
            if (r->g->edges[i].from != k || r->g->edges[i].to != n || !c->came[i])
                continue;
            if (!count || from[count - 1] != k)
                from[count++] = k;
        }
    }
    buf_init(&b, 1u << 20);
    buf_append_char(&b, '{');
    for (int i = 0; i < count; i++)
        buf_printf(&b, "%s\"%s\":%s", i ? "," : "", r->g->nodes[from[i]].id,
                   output_or_null(c, from[i]));
    buf_append_char(&b, '}');
    node_completes(c, n, count == 1 ? output_or_null(c, from[0]) : b.data);
    buf_deinit(&b);
}

static void begins(struct plain_run *r, struct plain_scope *c, int n)
{
    const struct plain_node *self = &r->g->nodes[n];
    bool again = c->again[n];
    c->again[n] = false;
    c->ever[n] = true;
    for (int i = 0; i < r->g->edge_count && !again; i++)
        if (r->g->edges[i].to == n)
            c->fresh[i] = false;
    if (!again)
        c->failures[n] = 0;
    if (!again && !test_holds(r, c, self->when)) {
        c->state[n] = DONE;
        c->result[n] = SKIPPED;
        c->status[n] = "skipped";
        return;
    }
    c->state[n] = RUNNING;
    c->status[n] = self->kind == PLAIN_REVIEW ? "suspended" : "running";
    switch (self->kind) {
    case PLAIN_START:
        node_completes(c, n, "{}");
        follow_next(r, c, n);
        break;
    case PLAIN_END:
        end_begins(r, c, n);
        break;
    case PLAIN_WORK:
    case PLAIN_REVIEW:
        break;
    case PLAIN_PARALLEL:
        parallel_begins(r, c, n);
        break;
    case PLAIN_LOOP:
        loop_begins(r, c, n);
        break;
    case PLAIN_SWITCH:
        switch_begins(r, c, n);
        break;
    case PLAIN_MAP:
    case PLAIN_SEQUENCE:
        if (self->kind == PLAIN_MAP && !self->items) {
            node_completes(c, n, "[]");
            follow_next(r, c, n);
        } else {
            items_begin(r, c, n);
        }
        break;
    }
}

/* ---- items end ---- */

static bool ends_item(const struct plain_run *r, const struct plain_scope *c, int n)
{
    if (!is_own(r, c, n) || c->state[n] != DONE || c->result[n] != COMPLETED)
        return false;
    for (int i = 0; i < r->g->edge_count; i++)
        if (r->g->edges[i].from == n && !r->g->edges[i].back && c->came[i])
            return false;
    return true;
}

/* Of the members in the order of the container's list. */
static void item_output(const struct plain_run *r, const struct plain_scope *c, struct buf *b)
{
    bool steps = r->g->nodes[c->owner].kind == PLAIN_SEQUENCE;
    int entry = r->g->nodes[c->owner].entry, count = 0, last = -1;
    struct buf all;
    buf_init(&all, 1u << 20);
    for (int i = -1, n = entry; n >= 0;) {
        if (steps || ends_item(r, c, n)) {
            buf_printf(&all, "%s\"%s\":%s", count++ ? "," : "{", r->g->nodes[n].id,
                       c->output[n] ? c->output[n] : "null");
            last = n;
        }
        if (steps) {
            int edge = edge_at(r, n, PLAIN_NEXT, 0);
            n = edge < 0 ? -1 : r->g->edges[edge].to;
            continue;
        }
        do
            i++;
        while (i < r->g->node_count && (i == entry || !is_own(r, c, i)));
        n = i < r->g->node_count ? i : -1;
    }
    if (!count)
        buf_append_z(b, "null");
    else if (count == 1 && !steps)
        buf_append_z(b, c->output[last]);
    else
        buf_printf(b, "%s}", all.data);
    buf_deinit(&all);
}

static void map_ends(struct plain_run *r, struct plain_scope *c, int n)
{
    const struct plain_node *self = &r->g->nodes[n];
    struct buf b;
    bool any = false;
    buf_init(&b, 1u << 20);
    buf_append_char(&b, '[');
    for (int i = 0; i < self->items; i++) {
        if (!c->items[n].good[i] && self->on_item_error == PLAIN_ITEM_DROP)
            continue;
        buf_printf(&b, "%s%s", any ? "," : "",
                   c->items[n].good[i] ? c->items[n].output[i] : "null");
        any = true;
    }
    buf_append_char(&b, ']');
    node_completes(c, n, b.data);
    buf_deinit(&b);
    follow_next(r, c, n);
}

static void item_ends(struct plain_run *r, struct plain_scope *in)
{
    struct plain_scope *c = in->parent;
    int n = in->owner, item = in->item;
    const struct plain_node *self = &r->g->nodes[n];
    const char *code = in->failed ? in->code : NULL;
    struct buf b;
    buf_init(&b, 1u << 20);
    if (!code)
        item_output(r, in, &b);
    scope_drop(r, in);
    c->items[n].alive--;
    if (code && (self->kind == PLAIN_SEQUENCE || self->on_item_error == PLAIN_ITEM_FAIL)) {
        node_fails(r, c, n, code);
    } else if (self->kind == PLAIN_SEQUENCE) {
        node_completes(c, n, b.data);
        follow_next(r, c, n);
    } else {
        c->items[n].good[item] = !code;
        text_set(&c->items[n].output[item], code ? NULL : b.data);
        if (++c->items[n].settled == self->items)
            map_ends(r, c, n);
        else
            items_begin(r, c, n);
    }
    buf_deinit(&b);
}

/* ---- the end ---- */

static bool end_has_run(const struct plain_run *r, int n)
{
    const struct plain_scope *c = r->scopes;
    return r->g->nodes[n].kind == PLAIN_END && c->state[n] == DONE && c->result[n] == COMPLETED;
}

/* When an end has run, and all that works could reach only ends that have: it is cut. */
static void cut(struct plain_run *r)
{
    struct plain_scope *c = r->scopes;
    bool any = false, reached[PLAIN_NODES] = {false};
    for (int n = 0; n < r->g->node_count; n++) {
        any = any || end_has_run(r, n);
        if (at_work(c, n))
            reach(r, n, false, true, reached);
    }
    for (int n = 0; n < r->g->node_count; n++)
        if (r->g->nodes[n].kind == PLAIN_END && reached[n] && !end_has_run(r, n))
            any = false;
    for (int n = 0; any && n < r->g->node_count; n++) {
        r->was_cut = r->was_cut || at_work(c, n);
        if (at_work(c, n))
            cancel(r, c, n);
    }
}

/* Never begun, and nothing at work leads there any more. */
static void skip_unreached(struct plain_run *r, struct plain_scope *c)
{
    bool reached[PLAIN_NODES] = {false};
    for (int n = 0; n < r->g->node_count; n++)
        if (at_work(c, n))
            reach(r, n, false, true, reached);
    for (int n = 0; n < r->g->node_count; n++) {
        if (!is_own(r, c, n) || c->ever[n] || reached[n])
            continue;
        c->ever[n] = true;
        c->state[n] = DONE;
        c->result[n] = SKIPPED;
        c->status[n] = "skipped";
    }
}

static void session_ends(struct plain_run *r)
{
    struct buf b;
    int ends = 0, last = -1;
    buf_init(&b, 1u << 20);
    for (int n = 0; n < r->g->node_count; n++) {
        if (!end_has_run(r, n))
            continue;
        buf_printf(&b, "%s\"%s\":%s", ends++ ? "," : "{", r->g->nodes[n].id, r->scopes->output[n]);
        last = n;
    }
    session_over(r, ends ? NULL : "no_end_reached", -1);
    buf_append_char(&b, '}');
    if (ends)
        text_set(&r->output, ends == 1 ? r->scopes->output[last] : b.data);
    buf_deinit(&b);
}

/* ---- what happens by itself ---- */

static bool join_moves(struct plain_run *r, struct plain_scope *c, bool careful)
{
    for (int n = 0; n < r->g->node_count; n++) {
        int holds = c->state[n] == WAITING ? join_holds(r, c, n, careful) : 0;
        if (!holds)
            continue;
        c->state[n] = READY;
        if (holds < 0) {
            for (int i = 0; i < r->g->edge_count; i++)
                c->fresh[i] = c->fresh[i] && r->g->edges[i].to != n;
            c->ever[n] = true;
            c->failures[n] = 0;
            node_fails(r, c, n, "join_not_met");
        }
        return true;
    }
    return false;
}

/* The next thing that is due in a scope. False: it waits for somebody outside. */
static bool moves(struct plain_run *r, struct plain_scope *c)
{
    if (c->failed) {
        item_ends(r, c);
        return true;
    }
    if (!c->parent)
        cut(r);
    for (int n = 0; n < r->g->node_count; n++) {
        if (c->state[n] == READY) {
            begins(r, c, n);
            return true;
        }
    }
    for (int n = 0; n < r->g->node_count; n++) {
        if (c->state[n] == WAITING && join_is_full(r, c, n)) {
            c->state[n] = READY;
            return true;
        }
    }
    if (join_moves(r, c, true) || join_moves(r, c, false))
        return true;
    if (branch_release(r, c))
        return true;
    skip_unreached(r, c);
    if (any_at_work(r, c))
        return false;
    if (c->parent)
        item_ends(r, c);
    else
        session_ends(r);
    return true;
}

static void settle(struct plain_run *r)
{
    bool moved = true;
    while (moved && !r->over) {
        moved = false;
        for (struct plain_scope *c = r->scopes; c && !moved; c = c->next)
            moved = moves(r, c);
    }
}

/* ---- from outside ---- */

void plain_begin(struct plain_run *r, const struct plain_graph *g)
{
    memset(r, 0, sizeof(*r));
    r->g = g;
    scope_new(r, NULL, -1, 0)->state[g->start] = READY;
    settle(r);
}

void plain_free(struct plain_run *r)
{
    while (r->scopes)
        scope_drop(r, r->scopes);
    free(r->counts);
    free(r->output);
}

static int wait_order(const void *a, const void *b)
{
    return strcmp(((const struct plain_wait *)a)->key, ((const struct plain_wait *)b)->key);
}

static int answers_of(const struct plain_run *r, const char *key)
{
    for (int i = 0; i < r->count_count; i++)
        if (!strcmp(r->counts[i].key, key))
            return r->counts[i].answers;
    return 0;
}

int plain_waits(struct plain_run *r, struct plain_wait *out, int max)
{
    int count = 0;
    for (struct plain_scope *c = r->scopes; c && !r->over; c = c->next) {
        for (int n = 0; n < r->g->node_count && count < max; n++) {
            enum plain_kind kind = r->g->nodes[n].kind;
            if (c->state[n] != RUNNING || (kind != PLAIN_WORK && kind != PLAIN_REVIEW))
                continue;
            struct plain_wait *w = &out[count++];
            size_t len = (size_t)snprintf(w->key, sizeof(w->key), "%s", r->g->nodes[n].id);
            for (const struct plain_scope *in = c; in->parent; in = in->parent)
                len += (size_t)snprintf(w->key + len, sizeof(w->key) - len, " %s[%d]",
                                        r->g->nodes[in->owner].id, in->item);
            w->scope = c;
            w->node = n;
            w->answers = answers_of(r, w->key);
        }
    }
    qsort(out, (size_t)count, sizeof(*out), wait_order);
    return count;
}

static void answered(struct plain_run *r, const char *key)
{
    int i = 0;
    while (i < r->count_count && strcmp(r->counts[i].key, key))
        i++;
    if (i == r->count_count) {
        r->counts = mem_realloc(r->counts, sizeof(*r->counts) * (size_t)(i + 1));
        r->counts[i].answers = 0;
        snprintf(r->counts[i].key, PLAIN_KEY, "%s", key);
        r->count_count++;
    }
    r->counts[i].answers++;
}

void plain_answer(struct plain_run *r, const struct plain_wait *w, enum plain_answer a,
                  const char *output)
{
    struct plain_scope *c = w->scope;
    int n = w->node, edge = -1;
    answered(r, w->key);
    if (a == PLAIN_BREAK) {
        node_fails(r, c, n, "broken");
    } else {
        node_completes(c, n, output);
        if (a == PLAIN_YES)
            edge = edge_at(r, n, PLAIN_APPROVE, 0);
        if (a == PLAIN_NO)
            edge = edge_at(r, n, PLAIN_REJECT, 0);
        if (edge >= 0)
            follow(r, c, edge);
        else
            follow_next(r, c, n);
    }
    settle(r);
}

const char *plain_status(const struct plain_run *r, int node)
{
    return r->scopes->status[node];
}

const char *plain_output(const struct plain_run *r, int node)
{
    return r->scopes->output[node];
}
