#include "engine/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- small ---- */

void own_set(struct str *dst, struct str src)
{
    char *copy = src.p ? str_dup(src) : NULL;
    free((char *)dst->p);
    *dst = (struct str){copy, src.p ? src.n : 0};
}

static const char *const phases[] = {
    [PHASE_IDLE] = "idle",       [PHASE_WAITING] = "waiting", [PHASE_QUEUED] = "queued",
    [PHASE_READY] = "ready",     [PHASE_RUNNING] = "running", [PHASE_SUSPENDED] = "suspended",
    [PHASE_BACKOFF] = "backoff", [PHASE_DONE] = "done",
};

const char *phase_word(enum phase p)
{
    return phases[p];
}

bool phase_parse(struct json v, enum phase *out)
{
    for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        if (json_string_eq(v, phases[i])) {
            *out = (enum phase)i;
            return true;
        }
    }
    return false;
}

/* ---- life ---- */

/* A session of nothing but its workflow. */
struct session *session_alloc(struct workflow *wf, struct expr_vm *vm)
{
    struct session *s = mem_zalloc(sizeof(*s));
    s->wf = workflow_ref(wf);
    s->vm = vm;
    s->at = &s->root;
    arena_init(&s->arena);
    list_init(&s->scopes);
    list_init(&s->stirred);
    list_init(&s->closed);
    list_init(&s->containers);
    scope_init(s, &s->root, wf, &s->arena);
    s->breaker.node = -1;
    table_init(&s->runs);
    list_init(&s->timers);
    list_init(&s->withheld);
    list_init(&s->signals);
    list_init(&s->said);
    s->gen = 1;
    made_want(s);
    return s;
}

void session_set_id(struct session *s, struct id id)
{
    s->id = id;
    id_format(id, s->id_text);
}

static struct str arena_copy(struct arena *a, struct str text)
{
    if (!text.p)
        return STR_NULL;
    return (struct str){arena_strdup(a, text), text.n};
}

void session_copy_meta(struct session *s, const struct session_meta *meta)
{
    struct session_meta *m = &s->meta;
    *m = *meta;
    struct str *texts[] = {
        &m->workspace,           &m->name,          &m->group_id,      &m->user_id,
        &m->tags_json,           &m->metadata_json, &m->settings_json, &m->thread_configs_json,
        &m->workflow_state_json, &m->workflow_id,   &m->graph_json,    &m->input_json,
        &m->budget_json,         &m->checksum};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        bytes += texts[i]->p ? texts[i]->n + 16 : 0; /* with its end, aligned */
    arena_reserve(&s->arena, bytes);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = arena_copy(&s->arena, *texts[i]);
    budget_parse(m->budget_json, &s->budget);
}

static void session_init_vars(struct session *s)
{
    struct json_iter it;
    json_iter_init(&it, s->wf->vars);
    while (json_exists(s->wf->vars) && json_iter_next(&it)) {
        struct buf name;
        buf_init(&name, it.key.n + 1);
        json_iter_key(&it, &name);
        var_set(s, buf_str(&name), json_raw(it.value));
        buf_deinit(&name);
    }
}

struct session *session_create(struct workflow *wf, struct expr_vm *vm,
                               const struct session_params *p)
{
    struct session *s = session_alloc(wf, vm);
    session_set_id(s, p->id);
    s->epoch = p->epoch;
    s->version = 1;
    s->is_new = true;
    s->start_paused = p->start_paused;
    session_copy_meta(s, p->meta);
    session_init_vars(s);
    return s;
}

static void session_free_lists(struct session *s)
{
    struct list *l;
    while ((l = list_pop(&s->timers)))
        free(container_of(l, struct timer, link));
    while ((l = list_pop(&s->withheld)))
        withheld_free(container_of(l, struct withheld, link));
    signals_free(s);
    said_free(s);
}

static void scopes_free(struct session *s)
{
    list_remove(&s->root.link);
    list_splice(&s->closed, &s->scopes);
    scopes_bury(s);
    scope_deinit(&s->root);
}

void session_destroy(struct session *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->var_count; i++) {
        free((char *)s->vars[i].name.p);
        free((char *)s->vars[i].value.p);
    }
    struct str owned[] = {s->reason,       s->output,       s->error,      s->vars_text,
                          s->session_text, s->refusal_json, s->attachments};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
        free((char *)owned[i].p);
    session_free_lists(s);
    scopes_free(s);
    meta_free(s);
    free(s->vars);
    free(s->models);
    table_deinit(&s->runs);
    files_deinit(&s->files);
    if (s->made) {
        buf_deinit(&s->made->out.events);
        arena_deinit(&s->made->out.arena);
        free(s->made);
    }
    workflow_unref(s->wf);
    arena_deinit(&s->arena);
    free(s);
}

/* ---- looking ---- */

struct str session_reason(const struct session *s)
{
    return s->reason;
}

struct id session_id(const struct session *s)
{
    return s->id;
}

enum session_status session_status_of(const struct session *s)
{
    return s->status;
}

struct str session_definition(const struct session *s)
{
    return s->wf->text;
}

int64_t session_last_seq(const struct session *s)
{
    return s->seq;
}

int64_t session_version(const struct session *s)
{
    return s->version;
}

int64_t session_created_at(const struct session *s)
{
    return s->created_at;
}

const struct session_meta *session_meta_of(const struct session *s)
{
    return &s->meta;
}

const char *session_refusal(const struct session *s)
{
    return s->refusal;
}

bool session_has_output(const struct session *s)
{
    return s->out_any || s->core_dirty;
}

bool session_row_is_due(const struct session *s)
{
    return s->core_dirty || s->is_new || s->meta_dirty;
}

size_t session_event_bytes(const struct session *s)
{
    return s->made ? s->made->out.events.len : 0;
}

#define FETCH_RUNS_CAP 8 /* of a table of runs; one that has more is not fetched */

void session_fetch(const struct session *s, unsigned step)
{
    if (step == 0) {
        mem_fetch(s, offsetof(struct session, id));
        mem_fetch(&s->budget, offsetof(struct session, root) + sizeof(s->root) -
                                  offsetof(struct session, budget));
        return;
    }
    if (s->runs.cap > FETCH_RUNS_CAP)
        return;
    if (step == 1) {
        mem_fetch(s->runs.slots, s->runs.cap * sizeof(*s->runs.slots));
        return;
    }
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        if (step == 2) {
            mem_fetch(w, offsetof(struct work, deferred) + sizeof(w->deferred));
            continue;
        }
        mem_fetch(w->text.data + w->text.len, 1);
        mem_fetch(&w->scope->nodes[w->node], sizeof(*w->scope->nodes));
        if (w->watch)
            text_watch_fetch(w->watch);
    }
}

bool session_is_idle(const struct session *s)
{
    if (session_has_output(s) || s->status == SESSION_PENDING ||
        (!list_empty(&s->stirred) && s->status == SESSION_RUNNING))
        return false;
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        if (!w->lost && !w->ended && !w->deferred && work_has_effect(w->kind) &&
            w->kind != WORK_CHILD)
            return false;
    }
    return true;
}

static size_t made_bytes(const struct made *m)
{
    return m ? sizeof(*m) + m->out.arena.bytes + m->out.events.cap : 0;
}

size_t session_bytes(const struct session *s)
{
    size_t total = sizeof(*s) + s->arena.bytes + made_bytes(s->made) + s->withheld_bytes +
                   s->signal_bytes + s->said_bytes + s->output.n + s->error.n + s->vars_text.n;
    scopes_foreach(it, s)
    {
        const struct scope *c = scope_of(it);
        total += c->parent ? sizeof(*c) + c->arena.bytes + c->map_text.n : 0;
        for (unsigned n = 0; n < c->wf->node_count; n++)
            total += c->nodes[n].output.n + c->nodes[n].progress.n;
    }
    list_foreach(it, &s->containers)
    {
        const struct container *k = container_of(it, struct container, link);
        total += sizeof(*k) + k->items.n + k->bytes + k->count * 2 * sizeof(struct str);
    }
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        total += sizeof(*w) + w->text.cap + w->request.n + w->interrupt.n;
    }
    return total;
}

void session_describe(const struct session *s, struct arena *a, struct session_row *out)
{
    memset(out, 0, sizeof(*out));
    out->id = s->id;
    out->epoch = s->epoch;
    out->version = s->version;
    out->created_at = s->created_at;
    out->meta = s->meta;
    core_fill((struct session *)s, a, &out->core);
}
