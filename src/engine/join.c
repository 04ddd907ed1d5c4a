#include <string.h>

#include "engine/session.h"

/* Which edges can still become live? Those whose source may yet run: it is active; or a node that
 * may yet run leads to it over a forward edge, and it has not settled (a life that comes late is
 * ignored); or it follows the target of a back edge whose source may yet run (that resets it,
 * settled or not).
 *
 * A node that waits for its join holds others up over forward edges only. Over back edges two of
 * them could wait for each other; and nothing is lost: what a node rightly waits for is active
 * itself and leads everywhere that it leads to.
 *
 * The set is kept until a phase changes. */

static void reach_add(struct session *s, unsigned n, unsigned *depth)
{
    if (bit_get(s->reach, n))
        return;
    bit_set(s->reach, n);
    s->stack[(*depth)++] = (uint16_t)n;
}

/* After the back edge v and all that it leads to may run again. */
static void reach_again(struct session *s, unsigned v)
{
    const uint64_t *row = s->wf->reach_any + (size_t)v * s->wf->words;
    for (unsigned k = 0; k < s->wf->words; k++)
        s->reach[k] |= row[k];
    bit_set(s->reach, v);
}

static void reach_spread(struct session *s, unsigned depth, bool over_back_edges)
{
    while (depth) {
        const struct node_def *def = node_def(s, s->stack[--depth]);
        for (unsigned i = 0; i < def->out_count; i++) {
            const struct edge *e = &s->wf->edges[def->out[i]];
            if (!e->back && s->nodes[e->to].phase != PHASE_DONE)
                reach_add(s, e->to, &depth);
            else if (e->back && over_back_edges)
                reach_again(s, e->to);
        }
    }
}

static void reach_update(struct session *s)
{
    unsigned words = s->wf->words, depth = 0;
    if (s->reach_valid)
        return;
    s->reach_valid = true;
    memset(s->reach, 0, words * sizeof(uint64_t));
    for (unsigned i = 0; i < words; i++)
        for (uint64_t left = s->active[i] & ~s->waiting[i]; left; left &= left - 1)
            reach_add(s, i * 64 + (unsigned)__builtin_ctzll(left), &depth);
    reach_spread(s, depth, true);
    depth = 0;
    for (unsigned i = 0; i < words; i++)
        for (uint64_t left = s->waiting[i]; left; left &= left - 1)
            reach_add(s, i * 64 + (unsigned)__builtin_ctzll(left), &depth);
    reach_spread(s, depth, false);
}

static bool edge_possible(struct session *s, const struct edge *e)
{
    if (phase_is_active(s->nodes[e->from].phase))
        return true;
    reach_update(s);
    return bit_get(s->reach, e->from);
}

bool join_is_full(const struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    unsigned live = 0, forward = 0;
    if (def->join == JOIN_ANY)
        return true;
    for (unsigned i = 0; i < def->in_count; i++) {
        forward += !s->wf->edges[def->in[i]].back;
        live += !s->wf->edges[def->in[i]].back && bit_get(s->live, def->in[i]);
    }
    return live >= (def->join == JOIN_ALL ? forward : def->join_count);
}

enum join_verdict join_check(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    unsigned live = 0, possible = 0;
    if (def->join == JOIN_ANY)
        return JOIN_GO;
    for (unsigned i = 0; i < def->in_count; i++) {
        const struct edge *e = &s->wf->edges[def->in[i]];
        if (e->back)
            continue;
        if (bit_get(s->live, def->in[i]))
            live++;
        else if (edge_possible(s, e))
            possible++;
        if (def->join == JOIN_ALL && possible)
            return JOIN_WAIT;
    }
    if (def->join == JOIN_ALL || live >= def->join_count)
        return JOIN_GO;
    return live + possible < def->join_count ? JOIN_IMPOSSIBLE : JOIN_WAIT;
}
