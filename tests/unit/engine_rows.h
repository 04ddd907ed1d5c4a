/* A store of one session's rows in memory, for tests: applies deltas as a store does, and gives the
 * image back that a real one would load. Everything is copied. */
#ifndef SLUICE_TESTS_ENGINE_ROWS_H
#define SLUICE_TESTS_ENGINE_ROWS_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/engine.h"

struct rows {
    struct arena arena; /* grows until rows_deinit: fine for a test */
    struct session_row row;
    struct run_row *runs;
    struct effect_row *effects;
    struct timer_row *timers;
    struct withheld_row *withheld;
    struct message_row *messages;
    struct interrupt_row *interrupts; /* the newest first */
    struct task_row *tasks;           /* as well */
    struct file_row *files;           /* as well */
    struct usage_row *usage;          /* as well */
    struct buf events;                /* frames, each ended by '\n' */
    int64_t last_seq;
    unsigned commits, core_writes, run_writes, event_rows;
    bool exists;
};

static inline void rows_init(struct rows *r)
{
    memset(r, 0, sizeof(*r));
    arena_init(&r->arena);
    buf_init(&r->events, 1u << 30);
}

static inline void rows_deinit(struct rows *r)
{
    arena_deinit(&r->arena);
    buf_deinit(&r->events);
}

static inline struct str rows_copy(struct rows *r, struct str s)
{
    return s.p ? (struct str){arena_strdup(&r->arena, s), s.n} : STR_NULL;
}

#define ROWS_COPY(type, from)                                                                      \
    ({                                                                                             \
        type *copy_ = arena_alloc(&r->arena, sizeof(*copy_));                                      \
        *copy_ = *(from);                                                                          \
        copy_;                                                                                     \
    })

static inline void rows_apply_core(struct rows *r, const struct session_core *c)
{
    struct session_core *n = &r->row.core;
    *n = *c;
    struct str *texts[] = {
        &n->status,       &n->reason,     &n->output_json, &n->error_json, &n->node_statuses_json,
        &n->waiting_json, &n->usage_json, &n->vars_json,   &n->state_json};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = rows_copy(r, *texts[i]);
    r->core_writes++;
}

static inline void rows_apply_meta(struct rows *r, const struct delta *d)
{
    struct session_meta *m = &r->row.meta;
    *m = *d->meta;
    struct str *texts[] = {
        &m->workspace,           &m->name,          &m->group_id,      &m->user_id,
        &m->tags_json,           &m->metadata_json, &m->settings_json, &m->thread_configs_json,
        &m->workflow_state_json, &m->workflow_id,   &m->graph_json,    &m->input_json,
        &m->budget_json};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = rows_copy(r, *texts[i]);
    r->row.id = d->session_id;
    r->row.created_at = d->created_at;
    r->row.version = d->version;
    r->exists = true;
}

/* As the stores do: six members, and the version. */
static inline void rows_change_meta(struct rows *r, const struct delta *d)
{
    struct session_meta *m = &r->row.meta;
    assert(d->version > r->row.version);
    m->name = rows_copy(r, d->meta->name);
    m->tags_json = rows_copy(r, d->meta->tags_json);
    m->metadata_json = rows_copy(r, d->meta->metadata_json);
    m->settings_json = rows_copy(r, d->meta->settings_json);
    m->thread_configs_json = rows_copy(r, d->meta->thread_configs_json);
    m->workflow_state_json = rows_copy(r, d->meta->workflow_state_json);
    r->row.version = d->version;
}

static inline void rows_apply_runs(struct rows *r, const struct run_row *runs)
{
    for (; runs; runs = runs->next) {
        struct run_row **at = &r->runs;
        while (*at && !id_eq((*at)->run_id, runs->run_id))
            at = &(*at)->next;
        struct run_row *copy = ROWS_COPY(struct run_row, runs);
        copy->next = *at ? (*at)->next : NULL;
        struct str *texts[] = {&copy->node_id,        &copy->kind,         &copy->status,
                               &copy->branch,         &copy->output_json,  &copy->error_json,
                               &copy->interrupt_json, &copy->progress_json};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            *texts[i] = rows_copy(r, *texts[i]);
        *at = copy;
        r->run_writes++;
    }
}

static inline void rows_apply_effects(struct rows *r, const struct delta *d)
{
    for (const struct effect_row *e = d->effects_new; e; e = e->next) {
        struct effect_row *copy = ROWS_COPY(struct effect_row, e);
        copy->request_json = rows_copy(r, e->request_json);
        copy->next = r->effects;
        r->effects = copy;
    }
    for (const struct id_list *l = d->effects_done; l; l = l->next) {
        struct effect_row **at = &r->effects;
        while (*at && !id_eq((*at)->run_id, l->id))
            at = &(*at)->next;
        assert(*at); /* deleted once, and only what is there */
        *at = (*at)->next;
    }
}

static inline void rows_apply_timers(struct rows *r, const struct delta *d)
{
    for (const struct timer_row *t = d->timers_set; t; t = t->next) {
        struct timer_row *copy = ROWS_COPY(struct timer_row, t);
        copy->purpose_json = rows_copy(r, t->purpose_json);
        copy->next = r->timers;
        r->timers = copy;
    }
    for (const struct id_list *l = d->timers_done; l; l = l->next) {
        struct timer_row **at = &r->timers;
        while (*at && !id_eq((*at)->timer_id, l->id))
            at = &(*at)->next;
        assert(*at);
        *at = (*at)->next;
    }
}

static inline void rows_apply_rest(struct rows *r, const struct delta *d)
{
    for (const struct message_row *m = d->messages; m; m = m->next) {
        struct message_row *copy = ROWS_COPY(struct message_row, m), **at = &r->messages;
        struct str *texts[] = {&copy->node_id, &copy->role, &copy->agent_id, &copy->content,
                               &copy->finish_reason};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            *texts[i] = rows_copy(r, *texts[i]);
        while (*at)
            at = &(*at)->next;
        copy->next = NULL;
        *at = copy;
    }
    if (d->withheld_clear)
        r->withheld = NULL;
    struct withheld_row **at = &r->withheld;
    while (*at)
        at = &(*at)->next;
    for (const struct withheld_row *w = d->withheld; w; w = w->next) {
        struct withheld_row *copy = ROWS_COPY(struct withheld_row, w);
        copy->input_json = rows_copy(r, w->input_json);
        copy->next = NULL;
        *at = copy;
        at = &copy->next;
    }
}

static inline void rows_apply_interrupts(struct rows *r, const struct interrupt_row *rows)
{
    for (; rows; rows = rows->next) {
        struct interrupt_row *at = r->interrupts;
        while (at && !id_eq(at->interrupt_id, rows->interrupt_id))
            at = at->next;
        struct interrupt_row *next = at ? at->next : r->interrupts;
        if (at) /* closed once */
            assert(str_eqz(at->status, "pending"));
        else
            at = r->interrupts = arena_alloc(&r->arena, sizeof(*at));
        *at = *rows;
        at->next = next;
        struct str *texts[] = {&at->node_id, &at->kind, &at->status, &at->request_json,
                               &at->answer_json};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            *texts[i] = rows_copy(r, *texts[i]);
    }
}

static inline void rows_apply_work(struct rows *r, const struct delta *d)
{
    for (const struct task_row *t = d->tasks_new; t; t = t->next) {
        struct task_row *copy = ROWS_COPY(struct task_row, t);
        copy->node_id = rows_copy(r, t->node_id);
        copy->queue = rows_copy(r, t->queue);
        copy->input_json = rows_copy(r, t->input_json);
        copy->next = r->tasks;
        r->tasks = copy;
    }
    for (const struct id_list *l = d->tasks_done; l; l = l->next) {
        struct task_row **at = &r->tasks;
        while (*at && !id_eq((*at)->task_id, l->id))
            at = &(*at)->next;
        assert(*at); /* deleted once, and only what is there */
        *at = (*at)->next;
    }
    for (const struct usage_row *u = d->usage; u; u = u->next) {
        struct usage_row *copy = ROWS_COPY(struct usage_row, u);
        for (const struct usage_row *before = r->usage; before; before = before->next)
            assert(!id_eq(before->call_id, u->call_id)); /* one a call */
        copy->node_id = rows_copy(r, u->node_id);
        copy->agent_id = rows_copy(r, u->agent_id);
        copy->provider = rows_copy(r, u->provider);
        copy->model = rows_copy(r, u->model);
        copy->next = r->usage;
        r->usage = copy;
    }
    for (const struct file_row *f = d->files; f; f = f->next) {
        struct file_row *copy = ROWS_COPY(struct file_row, f);
        copy->path = rows_copy(r, f->path);
        copy->content = rows_copy(r, f->content);
        copy->reason = rows_copy(r, f->reason);
        const struct file_row *before = r->files;
        while (before && !str_eq(before->path, f->path))
            before = before->next;
        assert(f->version == (before ? before->version : 0) + 1); /* without gaps, each once */
        copy->next = r->files;
        r->files = copy;
    }
}

static inline void rows_apply(struct rows *r, const struct delta *d)
{
    assert(d->is_new == !r->exists);
    if (d->is_new)
        rows_apply_meta(r, d);
    else if (d->meta)
        rows_change_meta(r, d);
    if (d->core)
        rows_apply_core(r, d->core);
    if (d->seq_last) {
        assert(d->seq_first == r->last_seq + 1);
        buf_append_str(&r->events, buf_str(&d->events));
        buf_append_char(&r->events, '\n');
        assert(!buf_error(&r->events));
        r->last_seq = d->seq_last;
        r->event_rows++;
    }
    rows_apply_runs(r, d->runs);
    rows_apply_effects(r, d);
    rows_apply_timers(r, d);
    rows_apply_rest(r, d);
    rows_apply_interrupts(r, d->interrupts);
    rows_apply_work(r, d);
    r->commits++;
}

/* As store_session_load: of each node the newest iteration's runs, of older ones those that have
 * not ended, and the log's last seq. */
static inline int rows_restore(struct rows *r, struct workflow *wf, struct expr_vm *vm,
                               struct session **out, struct errbuf *e)
{
    struct arena picked; /* the session keeps nothing of its image */
    struct run_row *runs = NULL, **tail = &runs;
    arena_init(&picked);
    for (struct run_row *run = r->runs; run; run = run->next) {
        bool newest = true;
        for (struct run_row *other = r->runs; other; other = other->next)
            newest = newest &&
                     !(str_eq(other->node_id, run->node_id) && other->iteration > run->iteration);
        if (!newest && run->ended_at > 0)
            continue;
        struct run_row *copy = arena_alloc(&picked, sizeof(*copy));
        *copy = *run;
        copy->next = NULL;
        *tail = copy;
        tail = &copy->next;
    }
    r->row.core.last_seq = r->last_seq;
    struct session_image image = {.row = &r->row,
                                  .runs = runs,
                                  .effects = r->effects,
                                  .timers = r->timers,
                                  .withheld = r->withheld};
    int rc = session_restore(out, wf, vm, 1, &image, e);
    arena_deinit(&picked);
    return rc;
}

#endif
