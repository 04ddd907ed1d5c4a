#include <string.h>

#include "engine/session.h"

/* Which edges can still become live? Those whose source may yet run in this iteration:
 *
 * - it is active, or an active node leads to it over forward edges and nodes that have not settled
 *   (a node that has settled ignores what comes late);
 * - or it follows the target v of a back edge that may yet be taken, for that resets what follows
 * v, settled or not. But only if the join keeps something that came in: lives from what follows v
 *   would be taken away, the join would start anew in the next iteration, so it need not wait.
 *
 * Two joins could wait for each other, each for what a back edge behind the other brings. So joins
 * are judged twice: first as if all that wait might go on, by which what goes at once is found;
 * only when none goes by that, back edges are followed from those active nodes alone that do not
 * themselves wait. What a node waits for is active and leads everywhere that it leads to.
 */

struct reach {
    struct session *s;
    uint64_t *set;
    unsigned depth; /* of s->at->stack */
    int join;       /* the node whose join it is; -1: forward edges only */
};

static void reach_add(struct reach *r, unsigned n)
{
    if (bit_get(r->set, n))
        return;
    bit_set(r->set, n);
    r->s->at->stack[r->depth++] = (uint16_t)n;
}

static void reach_add_all(struct reach *r, const uint64_t *nodes, const uint64_t *but)
{
    for (unsigned i = 0; i < r->s->at->wf->words; i++)
        for (uint64_t left = nodes[i] & ~(but ? but[i] : 0); left; left &= left - 1)
            reach_add(r, i * 64 + (unsigned)__builtin_ctzll(left));
}

/* Would a reset of what follows v leave the join something to start on? */
static bool join_outlives(const struct session *s, unsigned join, const uint64_t *follows)
{
    const struct node_def *def = node_def(s, join);
    for (unsigned i = 0; i < def->in_count; i++)
        if (bit_get(s->at->fresh, def->in[i]) &&
            !bit_get(follows, s->at->wf->edges[def->in[i]].from))
            return true;
    return false;
}

static void reach_spread(struct reach *r)
{
    const struct workflow *wf = r->s->at->wf;
    while (r->depth) {
        unsigned n = r->s->at->stack[--r->depth];
        const struct node_def *def = node_def(r->s, n);
        for (unsigned i = 0; i < def->out_count && (int)n != r->join; i++) {
            const struct edge *e = &wf->edges[def->out[i]];
            const uint64_t *follows = wf->reach_forward + (size_t)e->to * wf->words;
            if (!e->back && r->s->at->nodes[e->to].phase != PHASE_DONE)
                reach_add(r, e->to);
            else if (e->back && r->join >= 0 && join_outlives(r->s, (unsigned)r->join, follows))
                reach_add_all(r, follows, NULL);
        }
    }
}

/* Over forward edges: the same for every join, and kept until a phase changes. */
static const uint64_t *reach_forward(struct session *s)
{
    struct reach r = {.s = s, .set = s->at->reach, .join = -1};
    if (s->at->reach_valid)
        return s->at->reach;
    memset(s->at->reach, 0, s->at->wf->words * sizeof(uint64_t));
    reach_add_all(&r, s->at->active, NULL);
    reach_spread(&r);
    s->at->reach_valid = true;
    return s->at->reach;
}

static const uint64_t *reach_around(struct session *s, unsigned join, enum join_view view)
{
    struct reach r = {.s = s, .set = s->at->bits[1], .join = (int)join};
    memset(r.set, 0, s->at->wf->words * sizeof(uint64_t));
    reach_add_all(&r, s->at->active, view == JOIN_CAREFUL ? NULL : s->at->waiting);
    reach_spread(&r);
    return r.set;
}

static bool edge_possible(struct session *s, const struct edge *e, enum join_view view,
                          const uint64_t **around)
{
    if (phase_is_active(s->at->nodes[e->from].phase) || bit_get(reach_forward(s), e->from))
        return true;
    if (!s->at->has_back_edges)
        return false;
    if (!*around)
        *around = reach_around(s, e->to, view);
    return bit_get(*around, e->from);
}

bool join_may_run(struct session *s, unsigned n)
{
    return bit_get(reach_forward(s), n);
}

bool join_is_full(const struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    unsigned live = 0, forward = 0;
    if (def->kind == KIND_STAGE && json_exists(prop(s, n, "depends_on")))
        return false; /* join_check() asks what it depends on */
    if (def->join == JOIN_ANY)
        return true;
    for (unsigned i = 0; i < def->in_count; i++) {
        forward += !s->at->wf->edges[def->in[i]].back;
        live += !s->at->wf->edges[def->in[i]].back && bit_get(s->at->live, def->in[i]);
    }
    return live >= (def->join == JOIN_ALL ? forward : def->join_count);
}

static enum join_verdict edges_check(struct session *s, unsigned n, enum join_view view)
{
    const struct node_def *def = node_def(s, n);
    const uint64_t *around = NULL;
    unsigned live = 0, possible = 0;
    if (def->join == JOIN_ANY)
        return JOIN_GO;
    for (unsigned i = 0; i < def->in_count; i++) {
        const struct edge *e = &s->at->wf->edges[def->in[i]];
        if (e->back)
            continue;
        if (bit_get(s->at->live, def->in[i]))
            live++;
        else if (edge_possible(s, e, view, &around))
            possible++;
        if (def->join == JOIN_ALL && possible)
            return JOIN_WAIT;
    }
    if (def->join == JOIN_ALL || live >= def->join_count)
        return JOIN_GO;
    return live + possible < def->join_count ? JOIN_IMPOSSIBLE : JOIN_WAIT;
}

enum join_verdict join_check(struct session *s, unsigned n, enum join_view view)
{
    enum join_verdict edges = edges_check(s, n, view);
    if (edges != JOIN_GO || node_def(s, n)->kind != KIND_STAGE)
        return edges;
    return stage_depends(s, n);
}
