#include "engine/parked.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/session.h"

struct parked_run {
    struct id id;
    bool is_model, ended;
};

struct parked {
    struct id id;
    uint64_t epoch;
    struct list rows; /* struct withheld: not taken yet */
    int64_t next_ord;
    size_t bytes; /* withheld, here and before */
    bool counted; /* each chunk is a row of its own (withheld_may_grow) */
    bool held, hold_wanted;
    unsigned run_count;
    struct parked_run runs[];
};

/* Does the shell work on it, and would its end come in here? */
static bool runs_on(const struct work *w)
{
    return work_has_effect(w->kind) && w->kind != WORK_CHILD && !w->lost && !w->ended &&
           !w->deferred;
}

static bool kind_may_park(enum work_kind k)
{
    return k == WORK_MODEL || k == WORK_SCRIPT || k == WORK_PLUGIN;
}

struct parked *session_park(const struct session *s)
{
    unsigned count = 0;
    if (s->status != SESSION_PAUSED || session_has_output(s) || s->halt != HALT_NONE)
        return NULL;
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        if (runs_on(w) && !kind_may_park(w->kind))
            return NULL;
        count += runs_on(w);
    }
    if (!count)
        return NULL;
    struct parked *p = mem_zalloc(sizeof(*p) + count * sizeof(p->runs[0]));
    p->id = s->id;
    p->epoch = s->epoch;
    p->next_ord = s->next_ord;
    p->bytes = s->withheld_bytes;
    p->counted = session_counts_chunks(s);
    p->held = s->held;
    list_init(&p->rows);
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        if (runs_on(w))
            p->runs[p->run_count++] =
                (struct parked_run){.id = w->id, .is_model = w->kind == WORK_MODEL};
    }
    return p;
}

void session_unpark(struct session *s, struct parked *p)
{
    struct list *l;
    made_want(s);
    for (unsigned i = 0; i < p->run_count; i++) {
        struct work *w = table_get(&s->runs, p->runs[i].id);
        if (!w || !w->lost)
            continue; /* its end is among the rows */
        w->lost = false;
        w->shown = w->next_index > 0;
        s->at = w->scope;
        call_drop_request(s, w);
    }
    s->at = &s->root;
    s->held = p->held;
    if (p->next_ord > s->next_ord)
        s->next_ord = p->next_ord;
    while ((l = list_pop(&p->rows))) {
        struct withheld *w = container_of(l, struct withheld, link);
        withheld_adopt(s, w);
    }
}

void parked_destroy(struct parked *p)
{
    struct list *l;
    if (!p)
        return;
    while ((l = list_pop(&p->rows)))
        withheld_free(container_of(l, struct withheld, link));
    free(p);
}

static struct parked_run *run_of(struct parked *p, struct id id)
{
    for (unsigned i = 0; i < p->run_count; i++)
        if (id_eq(p->runs[i].id, id))
            return &p->runs[i];
    return NULL;
}

/* The newest row is the beginning of the same message. */
static bool newest_grows(struct parked *p, const struct engine_input *in)
{
    if (p->counted || list_empty(&p->rows))
        return false;
    struct withheld *w = container_of(p->rows.prev, struct withheld, link);
    size_t before = w->json.len;
    if (!withheld_may_grow(w, in))
        return false;
    withheld_grow(w, in->text);
    p->bytes += w->json.len - before;
    return true;
}

void parked_step(struct parked *p, const struct engine_input *given)
{
    struct engine_input in = *given;
    struct parked_run *run = run_of(p, in.run_id);
    struct errbuf e;
    if (!run || run->ended || !withheld_judge(&in, &e))
        return;
    run->ended = in.kind == IN_MODEL_DONE || in.kind == IN_RUN_DONE || in.kind == IN_RUN_FAILED;
    if (!newest_grows(p, &in)) {
        struct withheld *w = withheld_new(&in, ++p->next_ord);
        p->bytes += w->json.len;
        list_append(&p->rows, &w->link);
    }
    p->hold_wanted = p->hold_wanted || (p->bytes > ENGINE_WITHHELD_BYTES_MAX && !p->held);
}

bool parked_has_output(const struct parked *p)
{
    return !list_empty(&p->rows);
}

static struct effect *holds_push(struct parked *p, struct arena *a)
{
    struct effect *first = NULL, **tail = &first;
    if (!p->hold_wanted || p->held)
        return NULL;
    p->held = true;
    for (unsigned i = 0; i < p->run_count; i++) {
        if (!p->runs[i].is_model || p->runs[i].ended)
            continue;
        struct effect *e = arena_alloc(a, sizeof(*e));
        e->kind = EFFECT_RUN_HOLD;
        e->run_id = p->runs[i].id;
        *tail = e;
        tail = &e->next;
    }
    return first;
}

bool parked_take_delta(struct parked *p, int64_t now_ms, struct delta *d, struct effect **effects)
{
    struct withheld_row **tail = &d->withheld;
    struct list *l;
    if (!parked_has_output(p))
        return false;
    *d = (struct delta){.session_id = p->id, .epoch = p->epoch, .at = now_ms};
    arena_init(&d->arena);
    buf_init(&d->events, 0);
    while ((l = list_pop(&p->rows))) {
        struct withheld *w = container_of(l, struct withheld, link);
        struct withheld_row *r = arena_alloc(&d->arena, sizeof(*r));
        r->ord = w->ord;
        r->input_json = (struct str){arena_strdup(&d->arena, buf_str(&w->json)), w->json.len};
        *tail = r;
        tail = &r->next;
        withheld_free(w);
    }
    *effects = holds_push(p, &d->arena);
    return true;
}
