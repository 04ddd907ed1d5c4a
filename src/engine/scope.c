#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* A scope dies in the middle of a step, maybe under functions that still look at it (a back edge
 * that resets a container, a session that fails): so it is only closed then, and freed when the
 * step has ended. */

static void scope_init_bits(struct scope *c, struct arena *a)
{
    const struct workflow *wf = c->wf;
    unsigned words = wf->words;
    c->edge_words = (wf->edge_count + 63) / 64;
    uint64_t *at = arena_calloc(a, (size_t)words * 7 + (size_t)c->edge_words * 2, sizeof(*at));
    uint64_t **sets[] = {&c->active,  &c->waiting, &c->unsettled, &c->reach,
                         &c->bits[0], &c->bits[1], &c->ends};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++, at += words)
        *sets[i] = at;
    c->live = at;
    c->fresh = at + c->edge_words;
    for (unsigned i = 0; i < wf->edge_count; i++)
        c->has_back_edges = c->has_back_edges || wf->edges[i].back;
    for (unsigned n = 0; n < wf->node_count; n++) {
        if (!c->parent && wf->nodes[n].owner >= 0)
            continue; /* a member */
        bit_set(c->unsettled, n);
        if (wf->nodes[n].kind == KIND_END)
            bit_set(c->ends, n);
    }
}

/* Loops not counted: who has some pays for a second block. */
static size_t scope_bytes(const struct workflow *wf)
{
    size_t words = (size_t)wf->words * 7 + (size_t)(wf->edge_count + 63) / 64 * 2;
    return wf->node_count * (sizeof(struct node_state) + sizeof(uint16_t)) +
           words * sizeof(uint64_t) + 3 * 16;
}

void scope_init(struct session *s, struct scope *c, struct workflow *wf, struct arena *a)
{
    struct scope *was = s->at;
    c->wf = wf;
    arena_reserve(a, scope_bytes(wf));
    c->nodes = arena_calloc(a, wf->node_count, sizeof(*c->nodes));
    c->stack = arena_calloc(a, wf->node_count, sizeof(*c->stack));
    scope_init_bits(c, a);
    list_init(&c->turn);
    list_append(&s->scopes, &c->link);
    s->at = c;
    loops_init(s, a);
    s->at = was;
}

void scope_deinit(struct scope *c)
{
    for (unsigned n = 0; n < c->wf->node_count; n++) {
        works_free(c->nodes[n].work);
        free((char *)c->nodes[n].output.p);
        free((char *)c->nodes[n].progress.p);
    }
    for (unsigned i = 0; i < c->loop_count; i++) {
        free(c->loops[i].history);
        free((char *)c->loops[i].mark.p);
    }
    free(c->ready);
    free(c->queued);
    free((char *)c->map_text.p);
    free((char *)c->fail_code.p);
    free((char *)c->fail_text.p);
}

struct scope *scope_open(struct session *s, unsigned owner, unsigned item)
{
    struct scope *c = mem_zalloc(sizeof(*c));
    c->parent = s->at;
    c->owner = owner;
    c->item = item;
    arena_init(&c->arena);
    scope_init(s, c, node_def(s, owner)->inner, &c->arena);
    s->scope_nodes += c->wf->node_count;
    return c;
}

void scope_close(struct session *s, struct scope *c)
{
    scope_rest(c);
    list_remove(&c->link);
    list_append(&s->closed, &c->link);
    s->scope_nodes -= c->wf->node_count;
    s->core_dirty = true;
}

void scopes_bury(struct session *s)
{
    struct list *l;
    while ((l = list_pop(&s->closed))) {
        struct scope *c = scope_of(l);
        struct arena arena = c->arena;
        scope_deinit(c);
        arena_deinit(&arena);
        free(c);
    }
}

void scope_stir(struct session *s, struct scope *c)
{
    if (c->stirred)
        return;
    c->stirred = true;
    list_append(&s->stirred, &c->turn);
}

void scope_rest(struct scope *c)
{
    if (!c->stirred)
        return;
    c->stirred = false;
    list_remove(&c->turn);
    list_init(&c->turn);
}

/* ---- finding ---- */

struct scope *scope_inside(const struct session *s, unsigned owner)
{
    scopes_foreach(it, s)
    {
        struct scope *c = scope_of(it);
        if (c->parent == s->at && c->owner == owner)
            return c;
    }
    return NULL;
}

static struct workflow *graph_of(const struct session *s, unsigned doc)
{
    int owner = s->wf->nodes[doc].owner;
    return owner < 0 ? s->wf : s->wf->nodes[owner].inner;
}

struct scope *scope_seeing(const struct session *s, unsigned doc, unsigned *n)
{
    const struct workflow *wf = graph_of(s, doc);
    for (struct scope *c = s->at; c; c = c->parent) {
        if (c->wf == wf) {
            *n = s->wf->nodes[doc].local;
            return c;
        }
    }
    return NULL;
}

const struct scope *scope_item(const struct scope *c)
{
    while (c->parent && c->parent->wf->nodes[c->owner].kind != KIND_MAP)
        c = c->parent;
    return c->parent ? c : NULL;
}

void node_status_set(struct session *s, unsigned n, enum node_status status)
{
    s->at->nodes[n].status = status;
    s->root.nodes[node_def(s, n)->doc].status = status; /* a member's: its latest move */
}
