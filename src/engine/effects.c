#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* Effects and timers are rows (durable until done) and effects (told to the shell after the
 * commit). What is undone before the delta was taken leaves no trace of either. */

struct effect_out *effect_push(struct session *s, enum effect_kind kind)
{
    struct effect_out *o = arena_alloc(&s->made->out.arena, sizeof(*o));
    o->e.kind = kind;
    *s->made->effects_tail = o;
    s->made->effects_tail = &o->next;
    s->out_any = true;
    return o;
}

static void id_list_push(struct session *s, struct id_list **head, struct id id)
{
    struct id_list *l = arena_alloc(&s->made->out.arena, sizeof(*l));
    l->id = id;
    l->next = *head;
    *head = l;
    s->out_any = true;
}

static struct str out_copy(struct session *s, struct str text)
{
    return (struct str){arena_strdup(&s->made->out.arena, text), text.n};
}

/* ---- runs ---- */

static const struct {
    enum effect_kind effect;
    const char *word;
} starts[] = {
    [WORK_MODEL] = {EFFECT_MODEL_START, "model"}, [WORK_SCRIPT] = {EFFECT_SCRIPT_START, "script"},
    [WORK_TOOL] = {EFFECT_TOOL_START, "tool"},    [WORK_PLUGIN] = {EFFECT_PLUGIN_START, "plugin"},
    [WORK_CHILD] = {EFFECT_CHILD_START, "child"},
};

bool work_kind_parse(struct str word, enum work_kind *out)
{
    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (str_eqz(word, starts[i].word)) {
            *out = (enum work_kind)i;
            return true;
        }
    }
    return false;
}

/* The shell is told; the row is the caller's. */
static void start_push(struct session *s, struct work *w, struct str request)
{
    struct effect_out *o = effect_push(s, starts[w->kind].effect);
    o->e.run_id = w->id;
    o->e.idempotency_key = w->key;
    o->e.request_json = request;
    w->start = o;
}

void effect_start(struct session *s, struct work *w, struct str request)
{
    struct effect_row *r = arena_alloc(&s->made->out.arena, sizeof(*r));
    r->run_id = w->id;
    r->kind = str_of(starts[w->kind].word);
    r->request_json = out_copy(s, request);
    r->next = s->made->out.effects_new;
    s->made->out.effects_new = r;
    s->out_any = true;
    w->gen = s->gen;
    w->row = r;
    w->deferred = w->kind == WORK_MODEL && !budget_admit(s, w, request);
    if (w->deferred)
        own_set(&w->request, request);
    else
        start_push(s, w, r->request_json);
}

void effects_deferred_start(struct session *s)
{
    table_foreach(slot, &s->runs)
    {
        struct work *w = slot->value;
        s->at = w->scope;
        if (!w->deferred || !budget_admit(s, w, w->request))
            continue;
        w->deferred = false;
        if (w->gen != s->gen) /* its row is stored */
            w->row = NULL;
        w->gen = s->gen;
        start_push(s, w, out_copy(s, w->request));
        call_drop_request(s, w);
    }
    s->at = &s->root;
}

void effect_finish(struct session *s, struct work *w, bool cancel)
{
    if (w->gen == s->gen && w->row) {
        w->row->run_id = (struct id){{0}}; /* dropped at the take */
        w->row = NULL;
    } else {
        id_list_push(s, &s->made->out.effects_done, w->id);
    }
    if (w->gen == s->gen && w->start)
        w->start->dead = true;
    else if (w->kind == WORK_CHILD)
        child_finish(s, w, cancel);
    else if (cancel && !w->lost && !w->over && !w->ended && !w->deferred)
        effect_push(s, EFFECT_RUN_CANCEL)->e.run_id = w->id;
}

void effect_hold_all(struct session *s, bool hold)
{
    if (s->held == hold)
        return;
    s->held = hold;
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        if (w->kind == WORK_MODEL && !w->lost)
            effect_push(s, hold ? EFFECT_RUN_HOLD : EFFECT_RUN_UNHOLD)->e.run_id = w->id;
    }
}

/* ---- timers ---- */

static const char *const purposes[] = {
    [FOR_TIMEOUT] = "timeout", [FOR_WAIT] = "wait",         [FOR_RETRY] = "retry",
    [FOR_EXPIRY] = "expiry",   [FOR_REMINDER] = "reminder", [FOR_CONTINUE] = "continue",
};

const char *timer_purpose_word(enum timer_purpose p)
{
    return purposes[p];
}

bool timer_purpose_parse(struct json v, enum timer_purpose *out)
{
    for (unsigned i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
        if (json_string_eq(v, purposes[i])) {
            *out = (enum timer_purpose)i;
            return true;
        }
    }
    return false;
}

/* Whose it is: the node, and which scope it is of. */
void timer_write_owner(struct jw *w, const struct timer *t)
{
    char id[ID_TEXT_BYTES + 1];
    if (t->node < 0)
        return;
    jw_kv_string(w, "node", t->scope->wf->nodes[t->node].id);
    if (!t->scope->parent)
        return;
    id_format(t->scope->parent->nodes[t->scope->owner].run_id, id);
    jw_kv_stringz(w, "in", id);
    jw_kv_i64(w, "item", t->scope->item);
}

static void timer_arm(struct session *s, struct timer *t)
{
    struct buf b;
    buf_init(&b, 512);
    struct jw w;
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "for", purposes[t->purpose]);
    timer_write_owner(&w, t);
    jw_end(&w);
    t->frozen = false;
    t->id = id_new(s->in->ids, (uint64_t)s->now);
    struct timer_row *r = arena_alloc(&s->made->out.arena, sizeof(*r));
    r->timer_id = t->id;
    r->due_at = t->due_at;
    r->purpose_json = out_copy(s, buf_str(&b));
    buf_deinit(&b);
    r->next = s->made->out.timers_set;
    s->made->out.timers_set = r;
    struct effect_out *o = effect_push(s, EFFECT_TIMER_SET);
    o->e.timer_id = t->id;
    o->e.due_at = t->due_at;
    t->gen = s->gen;
    t->row = r;
    t->set = o;
}

/* Takes row and effect back, or has them deleted and cleared. */
static void timer_disarm(struct session *s, struct timer *t)
{
    if (t->frozen)
        return;
    if (t->gen == s->gen && t->row) {
        t->row->timer_id = (struct id){{0}};
        t->set->dead = true;
        return;
    }
    id_list_push(s, &s->made->out.timers_done, t->id);
    struct effect_out *o = effect_push(s, EFFECT_TIMER_CLEAR);
    o->e.timer_id = t->id;
    o->e.due_at = t->due_at;
}

void timer_add(struct session *s, enum timer_purpose purpose, int node, int64_t delay_ms)
{
    struct timer *t = mem_zalloc(sizeof(*t));
    t->purpose = purpose;
    t->scope = s->at;
    t->node = node;
    t->due_at = s->now + delay_ms;
    list_append(&s->timers, &t->link);
    timer_arm(s, t);
    s->core_dirty = true;
}

struct timer *timer_find(struct session *s, struct id id)
{
    list_foreach(it, &s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (!t->frozen && id_eq(t->id, id))
            return t;
    }
    return NULL;
}

struct timer *timer_of(const struct session *s, enum timer_purpose purpose, int node)
{
    list_foreach(it, &s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (t->purpose == purpose && t->scope == s->at && t->node == node)
            return t;
    }
    return NULL;
}

void timer_remove(struct session *s, struct timer *t)
{
    timer_disarm(s, t);
    list_remove(&t->link);
    free(t);
    s->core_dirty = true;
}

void timers_clear_node(struct session *s, int node)
{
    list_foreach_safe(it, tmp, &s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (t->scope == s->at && t->node == node)
            timer_remove(s, t);
    }
}

void timers_clear_all(struct session *s)
{
    while (!list_empty(&s->timers))
        timer_remove(s, container_of(s->timers.next, struct timer, link));
}

void timers_freeze(struct session *s)
{
    list_foreach(it, &s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (t->frozen)
            continue;
        t->left_ms = t->due_at > s->now ? t->due_at - s->now : 0;
        timer_disarm(s, t);
        t->frozen = true;
    }
}

void timers_thaw(struct session *s)
{
    list_foreach(it, &s->timers)
    {
        struct timer *t = container_of(it, struct timer, link);
        if (!t->frozen)
            continue;
        t->due_at = s->now + t->left_ms;
        timer_arm(s, t);
    }
}
