/* A session as a whole, in memory. */
#include "store/mem_data.h"
#include "store/rules.h"

/* ---- out ---- */

/* A copy of the row that begins after its arena, appended. */
#define EXPORT_LIST(vec, type, member, copy)                                                       \
    for (size_t i = 0; i < (vec).count; i++) {                                                     \
        *member = arena_alloc(a, sizeof(**member));                                                \
        **member = copy(a, &((struct type *)(vec).rows[i])->row);                                  \
        (*member)->next = NULL;                                                                    \
        member = &(*member)->next;                                                                 \
    }

static void export_usage(struct mem_data *d, struct arena *a, struct id id, struct usage_row **tail)
{
    for (size_t i = 0; i < d->usage.count; i++) {
        const struct mem_usage *u = (struct mem_usage *)d->usage.rows[i];
        if (!id_eq(u->session_id, id))
            continue;
        struct usage_row *row = *tail = arena_alloc(a, sizeof(*row));
        *row = u->row;
        row->next = NULL;
        row->node_id = rules_copy(a, u->row.node_id);
        row->agent_id = rules_copy(a, u->row.agent_id);
        row->provider = rules_copy(a, u->row.provider);
        row->model = rules_copy(a, u->row.model);
        tail = &row->next;
    }
}

static void export_lists(struct arena *a, const struct mem_session *s, struct session_whole *w)
{
    struct event_row **event = &w->events;
    struct message_row **message = &w->messages;
    struct run_row **run = &w->runs;
    struct interrupt_row **interrupt = &w->interrupts;
    struct task_row **task = &w->tasks;
    struct file_row **file = &w->files;

    EXPORT_LIST(s->events, mem_events, event, mem_copy_events);
    EXPORT_LIST(s->messages, mem_message, message, mem_copy_message);
    EXPORT_LIST(s->runs, mem_run, run, mem_copy_run);
    EXPORT_LIST(s->interrupts, mem_interrupt, interrupt, mem_copy_interrupt);
    EXPORT_LIST(s->tasks, mem_task, task, mem_copy_task);
    EXPORT_LIST(s->files, mem_file, file, mem_copy_file);
    for (struct file_row *f = w->files; f; f = f->next)
        if (f->from_version > 0)
            f->content = STR_NULL;
}

static size_t export_bytes(const struct session_whole *w)
{
    size_t n = 0;

    for (const struct event_row *r = w->events; r; r = r->next)
        n += r->frames.n;
    for (const struct message_row *r = w->messages; r; r = r->next)
        n += r->content.n + r->thinking.n;
    for (const struct run_row *r = w->runs; r; r = r->next)
        n += r->output_json.n + r->progress_json.n;
    for (const struct file_row *r = w->files; r; r = r->next)
        n += r->content.n;
    return n;
}

int mem_session_export(struct mem_data *d, struct store_session_export *x)
{
    const struct mem_session *s = mem_session_get(d, x->workspace, x->load.id);

    if (!s)
        return err_set(&x->req.error, ERR_NOT_FOUND, "no such session");
    int status = mem_session_load(d, &x->load);
    if (status < 0)
        return status;
    x->whole = (struct session_whole){.row = x->load.row,
                                      .workflow_json = x->load.workflow_json,
                                      .folded_seq = s->folded_seq,
                                      .effects = x->load.effects,
                                      .timers = x->load.timers,
                                      .withheld = x->load.withheld};
    export_lists(&x->req.arena, s, &x->whole);
    export_usage(d, &x->req.arena, x->load.id, &x->whole.usage);
    if (export_bytes(&x->whole) > x->bytes_max)
        return err_set(&x->req.error, ERR_TOO_LARGE, "the session has more than %zu bytes",
                       x->bytes_max);
    return 0;
}

/* ---- in ---- */

static bool import_is_taken(const struct mem_data *d, const struct session_whole *w)
{
    for (size_t i = 0; i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        for (const struct interrupt_row *r = w->interrupts; r; r = r->next) {
            struct mem_interrupt key = {.row.interrupt_id = r->interrupt_id};
            if (mem_vec_get(&s->interrupts, &key, mem_cmp_interrupt))
                return true;
        }
        for (const struct task_row *r = w->tasks; r; r = r->next) {
            struct mem_task key = {.row.task_id = r->task_id};
            if (mem_vec_get(&s->tasks, &key, mem_cmp_task))
                return true;
        }
    }
    return false;
}

int mem_session_import(struct mem_data *d, struct store_session_import *m)
{
    const struct session_whole *w = m->whole;
    struct session_meta meta;
    struct delta delta;
    char id[ID_TEXT_BYTES + 1];

    if (table_get(&d->sessions_by_id, w->row.id)) {
        id_format(w->row.id, id);
        return err_set(&m->req.error, ERR_CONFLICT, "session %s exists already", id);
    }
    if (import_is_taken(d, w))
        return err_set(&m->req.error, ERR_CONFLICT,
                       "another session has one of its interrupts or tasks");
    if (!mem_keys_are_free(d, m->idempotency))
        return err_set(&m->req.error, ERR_CONFLICT, "this Idempotency-Key is in use");
    rules_import_delta(m, &meta, &delta);
    struct mem_session *s = mem_delta_write(d, &delta);
    for (const struct event_row *r = w->events; r; r = r->next) {
        struct mem_events *row = mem_row_create(sizeof(*row));
        row->row = mem_copy_events(&row->arena, r);
        mem_vec_put(&s->events, row, mem_cmp_events);
    }
    s->row.version = w->row.version;
    s->folded_seq = w->folded_seq;
    return 0;
}
