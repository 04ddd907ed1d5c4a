/* A delta put into the rows of its session, as a store would have written it. */
#include "app/portable.h"

struct link {
    struct link *next;
};

static void append(void *list, const void *rows)
{
    struct link **tail = list;

    while (*tail)
        tail = &(*tail)->next;
    *tail = (struct link *)rows;
}

static void drop_effect(struct session_whole *w, struct id id)
{
    for (struct effect_row **at = &w->effects; *at; at = &(*at)->next)
        if (id_eq((*at)->run_id, id)) {
            *at = (*at)->next;
            return;
        }
}

static void drop_timer(struct session_whole *w, struct id id)
{
    for (struct timer_row **at = &w->timers; *at; at = &(*at)->next)
        if (id_eq((*at)->timer_id, id)) {
            *at = (*at)->next;
            return;
        }
}

static void apply_runs(struct session_whole *w, const struct delta *d, struct arena *a)
{
    for (const struct run_row *r = d->runs; r; r = r->next) {
        struct run_row *row = w->runs, *next = NULL;
        while (row && !id_eq(row->run_id, r->run_id))
            row = row->next;
        if (row) {
            next = row->next;
        } else {
            row = arena_alloc(a, sizeof(*row));
            append(&w->runs, row);
        }
        *row = *r;
        row->next = next;
    }
}

static void apply_interrupts(struct session_whole *w, const struct delta *d, struct arena *a)
{
    for (const struct interrupt_row *r = d->interrupts; r; r = r->next) {
        struct interrupt_row *row = w->interrupts, *next = NULL;
        while (row && !id_eq(row->interrupt_id, r->interrupt_id))
            row = row->next;
        if (row) {
            next = row->next;
        } else {
            row = arena_alloc(a, sizeof(*row));
            append(&w->interrupts, row);
        }
        *row = *r;
        row->next = next;
    }
}

static void apply_work(struct session_whole *w, const struct delta *d)
{
    for (const struct effect_row *f = d->effects_new; f; f = f->next)
        drop_effect(w, f->run_id);
    append(&w->effects, d->effects_new);
    for (const struct id_list *id = d->effects_done; id; id = id->next)
        drop_effect(w, id->id);
    for (const struct timer_row *t = d->timers_set; t; t = t->next)
        drop_timer(w, t->timer_id);
    append(&w->timers, d->timers_set);
    for (const struct id_list *id = d->timers_done; id; id = id->next)
        drop_timer(w, id->id);
    for (const struct id_list *id = d->tasks_done; id; id = id->next)
        for (struct task_row **at = &w->tasks; *at; at = &(*at)->next)
            if (id_eq((*at)->task_id, id->id)) {
                *at = (*at)->next;
                break;
            }
    append(&w->tasks, d->tasks_new);
}

void portable_apply(struct session_whole *w, const struct delta *d, struct arena *a)
{
    if (d->seq_last > 0) {
        struct event_row *row = arena_alloc(a, sizeof(*row));
        *row = (struct event_row){NULL, d->seq_first, d->seq_last, buf_str(&d->events)};
        append(&w->events, row);
        w->row.core.last_seq = d->seq_last;
    }
    if (d->core)
        w->row.core = *d->core;
    apply_runs(w, d, a);
    apply_interrupts(w, d, a);
    apply_work(w, d);
    append(&w->messages, d->messages);
    append(&w->files, d->files);
    append(&w->usage, d->usage);
    if (d->withheld_clear)
        w->withheld = NULL;
    append(&w->withheld, d->withheld);
}
