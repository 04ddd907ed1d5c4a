#include "engine/workflow_estimate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/workflow_diagram.h"
#include "engine/workflow_estimate_private.h"
#include "engine/workflow_private.h"

void est_warn(struct estimate *s, int node, const char *code, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    if (s->warning_count == ESTIMATE_WARNINGS_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    s->warnings[s->warning_count++] =
        (struct est_warning){node, code, arena_strdup(&s->arena, str_of(text))};
}

/* ---- loops: how often ---- */

/* Marks what is reached from the body's edge without passing the loop again. */
static void body_mark(const struct estimate *s, unsigned loop, bool *ahead, uint16_t *queue)
{
    const struct workflow *w = s->w;
    unsigned head = 0, tail = 0;
    for (unsigned o = 0; o < w->nodes[loop].out_count; o++) {
        const struct edge *e = &w->edges[w->nodes[loop].out[o]];
        if (e->kind == EDGE_NEXT && e->ordinal == 0 && e->to != loop) {
            ahead[e->to] = true;
            queue[tail++] = e->to;
        }
    }
    while (head < tail) {
        const struct node_def *n = &w->nodes[queue[head++]];
        for (unsigned o = 0; o < n->out_count; o++) {
            uint16_t to = w->edges[n->out[o]].to;
            if (to != loop && !ahead[to]) {
                ahead[to] = true;
                queue[tail++] = to;
            }
        }
    }
}

/* Of the nodes ahead, those that lead back to the loop are its body. */
static unsigned body_keep(const struct estimate *s, unsigned loop, const bool *ahead, bool *body,
                          uint16_t *queue)
{
    const struct workflow *w = s->w;
    unsigned head = 0, tail = 0;
    queue[tail++] = (uint16_t)loop;
    while (head < tail) {
        const struct node_def *n = &w->nodes[queue[head++]];
        for (unsigned i = 0; i < n->in_count; i++) {
            uint16_t from = w->edges[n->in[i]].from;
            if (ahead[from] && !body[from]) {
                body[from] = true;
                queue[tail++] = from;
            }
        }
    }
    return tail - 1;
}

/* `exit_when` may be told by the input and the round alone. */
static double rounds_until_exit(struct estimate *s, unsigned loop, double most)
{
    struct str code = est_text(s, est_prop(s, loop, "exit_when"));
    bool ends = false, known = code.p;
    s->at = (int)loop;
    for (s->round = 1; known && !ends && (double)s->round < most; s->round += !ends)
        known = est_eval_bool(s, code, &ends);
    double rounds = known && ends ? (double)s->round : most;
    s->at = -1;
    s->round = 0;
    return rounds;
}

static void loops_count(struct estimate *s)
{
    unsigned count = s->w->node_count;
    bool *marks = mem_calloc(count * 2, sizeof(*marks));
    unsigned *size = mem_calloc(count, sizeof(*size)); /* of the innermost body so far */
    uint16_t *queue = mem_calloc(count + 1, sizeof(*queue));
    for (unsigned l = 0; l < count; l++) {
        double rounds = 1;
        if (s->w->nodes[l].kind != KIND_LOOP)
            continue;
        json_double(est_prop(s, l, "max_rounds"), &rounds);
        rounds = rounds_until_exit(s, l, rounds);
        memset(marks, 0, count * 2 * sizeof(*marks));
        body_mark(s, l, marks, queue);
        unsigned n = body_keep(s, l, marks, marks + count, queue);
        for (unsigned i = 0; i < count; i++) {
            if (!marks[count + i])
                continue;
            s->nodes[i].runs = fmin(s->nodes[i].runs * rounds, ESTIMATE_RUNS_MAX);
            s->nodes[i].turns = s->nodes[i].runs;
            if (s->nodes[i].loop < 0 || n < size[i]) {
                s->nodes[i].loop = (int)l;
                size[i] = n;
            }
        }
    }
    free(marks);
    free(size);
    free(queue);
}

/* ---- the walk: what is taken ---- */

static bool edge_leads(const struct estimate *s, unsigned i)
{
    const struct edge *e = &s->w->edges[i];
    return s->live[i] && s->nodes[e->from].alive;
}

/* Does what its container has inside begin with it? */
static bool is_entry(const struct workflow *w, unsigned n)
{
    int owner = w->nodes[n].owner;
    return owner >= 0 && w->nodes[n].local == w->nodes[owner].inner->start;
}

static bool is_entered(const struct estimate *s, unsigned n)
{
    const struct node_def *def = &s->w->nodes[n];
    if (n == s->w->start)
        return true;
    if (def->owner >= 0 && is_entry(s->w, n))
        return s->nodes[def->owner].alive;
    for (unsigned i = 0; i < def->in_count; i++)
        if (edge_leads(s, def->in[i]))
            return true;
    return false;
}

/* Of an expression `when` that the input makes false. */
static bool is_left_out(struct estimate *s, unsigned n)
{
    bool holds = true;
    s->at = (int)n;
    bool known = est_eval_bool(s, s->w->nodes[n].when, &holds);
    s->at = -1;
    return known && !holds;
}

static int by_place(const void *a, const void *b, void *data)
{
    const unsigned *level = data;
    unsigned x = *(const uint16_t *)a, y = *(const uint16_t *)b;
    return level[x] != level[y] ? (level[x] < level[y] ? -1 : 1) : (int)x - (int)y;
}

static void order_fill(struct estimate *s)
{
    unsigned count = s->w->node_count;
    unsigned *level = mem_calloc(count, sizeof(*level));
    unsigned *position = mem_calloc(count, sizeof(*position));
    workflow_layers(s->w, level, position);
    for (unsigned i = 0; i < count; i++)
        s->order[i] = (uint16_t)i;
    qsort_r(s->order, count, sizeof(*s->order), by_place, level);
    free(level);
    free(position);
}

/* Everything is thought to run, so that outputs of later rounds are there; then node by node what
 * is not entered is taken back. */
static void walk(struct estimate *s)
{
    for (unsigned i = 0; i < s->w->node_count; i++) {
        s->nodes[i].alive = true;
        est_node_prepare(s, i);
    }
    for (unsigned i = 0; i < s->w->node_count; i++) {
        unsigned n = s->order[i];
        struct est_node *e = &s->nodes[n];
        e->alive = is_entered(s, n);
        if (e->alive && is_left_out(s, n)) {
            est_warn(s, (int)n, "left_out", "its `when` is false with this input");
            e->alive = false;
        }
        int owner = s->w->nodes[n].owner;
        if (owner >= 0) {
            const struct est_node *c = &s->nodes[owner];
            e->runs = fmin(e->runs * c->runs * c->items, ESTIMATE_RUNS_MAX);
            e->turns = fmin(e->turns * c->turns * c->waves, ESTIMATE_RUNS_MAX);
        }
        if (e->alive)
            est_node_visit(s, n);
        e->reached = true;
    }
}

/* ---- one way of several ---- */

static bool is_a_way(const struct estimate *s, unsigned i)
{
    const struct edge *e = &s->w->edges[i];
    return !e->back && s->live[i] && e->kind != EDGE_ERROR;
}

/* Do the two edges of a node that decides go together? All of next_ids do. */
static bool same_way(const struct edge *a, const struct edge *b)
{
    return a->to == b->to || (a->kind == EDGE_NEXT && b->kind == EDGE_NEXT);
}

/* What is counted when of node n only the way of edge `only` is open. */
static double ways_total(struct estimate *s, unsigned n, unsigned only, bool *alive)
{
    const struct workflow *w = s->w;
    double total = 0;
    for (unsigned k = 0; k < w->node_count; k++) {
        unsigned at = s->order[k];
        const struct node_def *def = &w->nodes[at];
        alive[at] =
            s->nodes[at].alive && (at == w->start || (is_entry(w, at) && alive[def->owner]));
        for (unsigned i = 0; i < def->in_count && !alive[at]; i++) {
            const struct edge *e = &w->edges[def->in[i]];
            alive[at] = s->nodes[at].alive && s->live[def->in[i]] && !e->back && alive[e->from] &&
                        (e->from != n || same_way(e, &w->edges[only]));
        }
        if (alive[at])
            total += (s->nodes[at].input + s->nodes[at].output * 4) * s->nodes[at].runs;
    }
    return total;
}

static void way_choose(struct estimate *s, unsigned n, bool *alive)
{
    const struct node_def *def = &s->w->nodes[n];
    int best = -1;
    double most = -1;
    unsigned ways = 0;
    for (unsigned o = 0; o < def->out_count; o++) {
        bool again = false;
        if (!is_a_way(s, def->out[o]))
            continue;
        for (unsigned k = 0; k < o && !again; k++)
            again = is_a_way(s, def->out[k]) &&
                    same_way(&s->w->edges[def->out[k]], &s->w->edges[def->out[o]]);
        if (again)
            continue;
        ways++;
        double total = ways_total(s, n, def->out[o], alive);
        if (total > most) {
            most = total;
            best = def->out[o];
        }
    }
    if (ways < 2)
        return;
    for (unsigned o = 0; o < def->out_count; o++)
        if (is_a_way(s, def->out[o]) && !same_way(&s->w->edges[best], &s->w->edges[def->out[o]]))
            s->live[def->out[o]] = false;
    est_warn(s, (int)n, "one_way", "of its %u ways the dearest is counted, by \"%.*s\"", ways,
             STR_FMT(s->w->nodes[s->w->edges[best].to].id));
}

/* From the last to the first, so that outer choices know what inner ones cost. */
static void ways_choose(struct estimate *s)
{
    bool *alive = mem_calloc(s->w->node_count, sizeof(*alive));
    for (unsigned k = s->w->node_count; k-- > 0;) {
        unsigned n = s->order[k];
        enum node_kind kind = s->w->nodes[n].kind;
        if (s->nodes[n].alive && (kind == KIND_SWITCH || kind_def_of(kind)->decides))
            way_choose(s, n, alive);
    }
    ways_total(s, s->w->node_count, 0, alive);
    for (unsigned i = 0; i < s->w->node_count; i++)
        s->nodes[i].alive = s->nodes[i].alive && alive[i];
    free(alive);
}

static void not_counted_say(struct estimate *s)
{
    for (unsigned i = 0; i < s->w->node_count; i++) {
        const struct node_def *def = &s->w->nodes[i];
        if (!s->nodes[i].alive)
            continue;
        if (def->retry.max_attempts > 1)
            est_warn(s, (int)i, "retries", "retries are not counted (up to %u attempts)",
                     def->retry.max_attempts);
        if (def->on_error == ON_ERROR_GOTO)
            est_warn(s, (int)i, "on_error", "what follows a failure is not counted");
        for (unsigned o = 0; o < def->out_count; o++) {
            const struct edge *e = &s->w->edges[def->out[o]];
            if (e->back && kind_def_of(def->kind)->decides)
                est_warn(s, (int)i, "sends_back", "sending back to \"%.*s\" is not counted",
                         STR_FMT(s->w->nodes[e->to].id));
        }
    }
}

/* ---- sums ---- */

void est_agent_add(struct estimate *s, struct est_agent agent)
{
    if (s->agent_count == s->agent_cap) {
        s->agent_cap = s->agent_cap ? s->agent_cap * 2 : 16;
        s->agents = mem_realloc(s->agents, s->agent_cap * sizeof(*s->agents));
    }
    s->agents[s->agent_count++] = agent;
}

static int agents_by_id(const void *a, const void *b)
{
    struct str x = ((const struct est_agent *)a)->id, y = ((const struct est_agent *)b)->id;
    int c = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return c ? c : (x.n > y.n) - (x.n < y.n);
}

/* One row for each agent, of the nodes that are counted. */
static void agents_join(struct estimate *s)
{
    unsigned kept = 0, rows = 0;
    for (unsigned i = 0; i < s->agent_count; i++)
        if (s->nodes[s->agents[i].node].alive)
            s->agents[kept++] = s->agents[i];
    if (kept)
        qsort(s->agents, kept, sizeof(*s->agents), agents_by_id);
    for (unsigned i = 0; i < kept; i++) {
        struct est_agent a = s->agents[i], *row = rows ? &s->agents[rows - 1] : NULL;
        if (!row || !str_eq(row->id, a.id)) {
            row = &s->agents[rows++];
            *row = (struct est_agent){.id = a.id, .has_cost = true};
        }
        row->runs += a.runs;
        row->input += a.runs * a.input;
        row->output += a.runs * a.output;
        row->cost += a.has_cost ? a.runs * a.cost : 0;
        row->has_cost = row->has_cost && a.has_cost;
    }
    s->agent_count = rows;
}

/* When the last round of a loop is over. */
static double body_end(const struct estimate *s, unsigned loop, const double *end)
{
    const struct node_def *def = &s->w->nodes[loop];
    double last = 0;
    for (unsigned i = 0; i < def->in_count; i++)
        if (s->w->edges[def->in[i]].back)
            last = fmax(last, end[s->w->edges[def->in[i]].from]);
    return last;
}

/* The longest way in seconds: branches run side by side. */
static double seconds_total(struct estimate *s)
{
    double *until = mem_calloc(s->w->node_count, sizeof(*until)), longest = 0;
    double *end = mem_calloc(s->w->node_count, sizeof(*end)); /* of what is inside, too */
    for (unsigned k = 0; k < s->w->node_count; k++) {
        unsigned n = s->order[k];
        const struct node_def *def = &s->w->nodes[n];
        if (!s->nodes[n].alive)
            continue;
        for (unsigned i = 0; i < def->in_count; i++) {
            const struct edge *e = &s->w->edges[def->in[i]];
            if (!e->back && edge_leads(s, def->in[i]))
                until[n] = fmax(until[n], end[e->from]);
            if (!e->back && workflow_loop_exit(s->w, e->from) == (int)n)
                until[n] = fmax(until[n], body_end(s, e->from, end));
        }
        if (is_entry(s->w, n))
            until[n] = fmax(until[n], until[def->owner]);
        until[n] += s->nodes[n].seconds * s->nodes[n].turns;
        for (int c = (int)n; c >= 0; c = s->w->nodes[c].owner)
            end[c] = fmax(end[c], until[n]);
        longest = fmax(longest, until[n]);
    }
    free(until);
    free(end);
    return longest;
}

static void tokens_write(struct jw *w, double input, double output)
{
    jw_key(w, "tokens");
    jw_object(w);
    jw_kv_double(w, "input", ceil(input));
    jw_kv_double(w, "output", ceil(output));
    jw_kv_double(w, "total", ceil(input) + ceil(output));
    jw_end(w);
}

static void cost_write(struct jw *w, bool known, double usd)
{
    if (known)
        jw_kv_double(w, "cost_usd", round(usd * 1e9) / 1e9);
    else
        jw_kv_raw(w, "cost_usd", STR("null"));
}

static void nodes_write(struct estimate *s, struct jw *w)
{
    jw_key(w, "nodes");
    jw_array(w);
    for (unsigned i = 0; i < s->w->node_count; i++) {
        const struct est_node *n = &s->nodes[i];
        double runs = n->alive ? n->runs : 0;
        jw_object(w);
        jw_kv_string(w, "node_id", s->w->nodes[i].id);
        jw_kv_double(w, "runs", runs);
        jw_kv_double(w, "calls", runs * n->calls);
        tokens_write(w, n->calls > 0 ? runs * n->input : 0, n->calls > 0 ? runs * n->output : 0);
        cost_write(w, n->has_cost || !(n->calls * runs > 0), n->has_cost ? runs * n->cost : 0);
        jw_end(w);
    }
    jw_end(w);
}

static void agents_write(struct estimate *s, struct jw *w)
{
    agents_join(s);
    jw_key(w, "agents");
    jw_array(w);
    for (unsigned i = 0; i < s->agent_count; i++) {
        const struct est_agent *a = &s->agents[i];
        jw_object(w);
        jw_kv_string(w, "agent_id", a->id);
        jw_kv_double(w, "runs", a->runs);
        tokens_write(w, a->input, a->output);
        cost_write(w, a->has_cost, a->cost);
        jw_end(w);
    }
    jw_end(w);
}

static void warnings_write(struct estimate *s, struct jw *w)
{
    jw_key(w, "warnings");
    jw_array(w);
    for (unsigned i = 0; i < s->warning_count; i++) {
        const struct est_warning *it = &s->warnings[i];
        jw_object(w);
        if (it->node >= 0)
            jw_kv_string(w, "node_id", s->w->nodes[it->node].id);
        jw_kv_stringz(w, "code", it->code);
        jw_kv_stringz(w, "message", it->text);
        jw_end(w);
    }
    jw_end(w);
}

static void estimate_write(struct estimate *s, struct buf *out)
{
    double input = 0, output = 0, cost = 0;
    bool priced = true;
    struct jw w;
    for (unsigned i = 0; i < s->w->node_count; i++) {
        struct est_node *n = &s->nodes[i];
        if (!n->alive || !(n->calls > 0))
            continue;
        input += n->runs * n->input;
        output += n->runs * n->output;
        cost += n->has_cost ? n->runs * n->cost : 0;
        priced = priced && n->has_cost;
        if (n->agent.p)
            est_agent_add(s, (struct est_agent){n->agent, i, n->runs, n->input, n->output, n->cost,
                                                n->has_cost});
        if (!n->has_cost)
            est_warn(s, (int)i, "no_price", "no price is known for %s%.*s",
                     n->model.p ? "model " : "its model", STR_FMT(shown(n->model)));
    }
    jw_init(&w, out);
    jw_object(&w);
    tokens_write(&w, input, output);
    cost_write(&w, priced, cost);
    jw_kv_double(&w, "seconds", round(seconds_total(s) * 10) / 10);
    nodes_write(s, &w);
    agents_write(s, &w);
    warnings_write(s, &w);
    jw_end(&w);
}

void workflow_estimate_write(const struct workflow *w, const struct estimate_params *p,
                             struct buf *out)
{
    struct estimate *s = mem_zalloc(sizeof(*s));
    s->w = w;
    s->p = p;
    s->at = -1;
    arena_init(&s->arena);
    s->nodes = mem_calloc(w->node_count, sizeof(*s->nodes));
    s->live = mem_calloc(w->edge_count + 1, sizeof(*s->live));
    s->order = mem_calloc(w->node_count, sizeof(*s->order));
    for (unsigned i = 0; i < w->node_count; i++) {
        s->nodes[i].runs = s->nodes[i].turns = s->nodes[i].items = s->nodes[i].waves = 1;
        s->nodes[i].loop = -1;
    }
    for (unsigned i = 0; i < w->edge_count; i++)
        s->live[i] = !w->edges[i].back && w->edges[i].kind != EDGE_ERROR;
    est_text_init(s);
    loops_count(s);
    order_fill(s);
    walk(s);
    ways_choose(s);
    not_counted_say(s);
    estimate_write(s, out);
    free(s->nodes);
    free(s->live);
    free(s->order);
    free(s->agents);
    arena_deinit(&s->arena);
    free(s);
}
