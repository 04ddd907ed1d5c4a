#include <string.h>

#include "engine/session.h"

/* Which edges can still become live: those whose source an active node reaches over forward edges.
 * The union over all active nodes is kept until the set of active nodes changes. */
void reach_update(struct session *s)
{
    if (s->reach_valid)
        return;
    unsigned words = s->wf->words;
    memset(s->reach, 0, words * sizeof(uint64_t));
    for (unsigned i = 0; i < words; i++) {
        for (uint64_t left = s->active[i]; left; left &= left - 1) {
            unsigned n = i * 64 + (unsigned)__builtin_ctzll(left);
            const uint64_t *row = s->wf->reach_forward + (size_t)n * words;
            for (unsigned k = 0; k < words; k++)
                s->reach[k] |= row[k];
        }
    }
    s->reach_valid = true;
}

/* A source that has settled stays so: only a back edge starts it again, and that resets the joins
 * behind it as well. */
static bool edge_possible(struct session *s, const struct edge *e)
{
    if (s->nodes[e->from].phase == PHASE_DONE)
        return false;
    if (phase_is_active(s->nodes[e->from].phase))
        return true;
    reach_update(s);
    return bit_get(s->reach, e->from);
}

enum join_verdict join_check(struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    if (def->join == JOIN_ANY)
        return JOIN_GO;
    unsigned live = 0, possible = 0;
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
