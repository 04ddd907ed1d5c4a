#include "store/mem_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/rules.h"

void *mem_row_create(size_t size)
{
    struct arena arena;

    arena_init(&arena);
    struct mem_row *row = arena_alloc(&arena, size);
    row->arena = arena;
    return row;
}

void mem_row_destroy(void *row)
{
    if (!row)
        return;
    struct arena arena = ((struct mem_row *)row)->arena; /* the row lies in it */
    arena_deinit(&arena);
}

size_t mem_vec_find(const struct mem_vec *v, const void *key, mem_cmp *cmp, bool *found)
{
    size_t low = 0, high = v->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cmp(v->rows[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < v->count && cmp(v->rows[low], key) == 0;
    return low;
}

void *mem_vec_get(const struct mem_vec *v, const void *key, mem_cmp *cmp)
{
    bool found;
    size_t at = mem_vec_find(v, key, cmp, &found);

    return found ? v->rows[at] : NULL;
}

void mem_vec_put(struct mem_vec *v, void *row, mem_cmp *cmp)
{
    bool found;
    size_t at = mem_vec_find(v, row, cmp, &found);

    if (found) {
        mem_row_destroy(v->rows[at]);
        v->rows[at] = row;
        return;
    }
    if (v->count == v->cap) {
        v->cap = v->cap ? v->cap * 2 : 4;
        v->rows = mem_realloc(v->rows, v->cap * sizeof(struct mem_row *));
    }
    memmove(v->rows + at + 1, v->rows + at, (v->count - at) * sizeof(struct mem_row *));
    v->rows[at] = row;
    v->count++;
}

static void mem_vec_forget(struct mem_vec *v, size_t at)
{
    v->count--;
    memmove(v->rows + at, v->rows + at + 1, (v->count - at) * sizeof(struct mem_row *));
}

void mem_vec_remove(struct mem_vec *v, const void *key, mem_cmp *cmp)
{
    bool found;
    size_t at = mem_vec_find(v, key, cmp, &found);

    if (!found)
        return;
    mem_row_destroy(v->rows[at]);
    mem_vec_forget(v, at);
}

void mem_vec_clear(struct mem_vec *v)
{
    for (size_t i = 0; i < v->count; i++)
        mem_row_destroy(v->rows[i]);
    free(v->rows);
    *v = (struct mem_vec){.count = 0};
}

static void mem_session_destroy(struct mem_session *s)
{
    mem_vec_clear(&s->events);
    mem_vec_clear(&s->runs);
    mem_vec_clear(&s->effects);
    mem_vec_clear(&s->timers);
    mem_vec_clear(&s->messages);
    mem_vec_clear(&s->withheld);
    mem_vec_clear(&s->interrupts);
    mem_vec_clear(&s->tasks);
    mem_vec_clear(&s->files);
    mem_row_destroy(s->core);
    mem_row_destroy(s);
}

void mem_session_remove(struct mem_data *d, struct mem_session *s)
{
    bool found;
    size_t at = mem_vec_find(&d->sessions, s, mem_cmp_session, &found);

    mem_vec_forget(&d->sessions, at);
    for (size_t i = d->commands.count; i-- > 0;) {
        struct mem_command *c = (struct mem_command *)d->commands.rows[i];
        if (id_eq(c->row.session_id, s->row.id))
            mem_vec_remove(&d->commands, c, mem_cmp_command);
    }
    table_remove(&d->sessions_by_id, s->row.id);
    mem_hooks_forget(d, s->row.id);
    mem_session_destroy(s);
}

void mem_data_deinit(struct mem_data *d)
{
    for (size_t i = 0; i < d->sessions.count; i++)
        mem_session_destroy((struct mem_session *)d->sessions.rows[i]);
    d->sessions.count = 0;
    for (size_t i = 0; i < d->workflows.count; i++)
        mem_vec_clear(&((struct mem_workflow *)d->workflows.rows[i])->versions);
    mem_vec_clear(&d->sessions);
    mem_vec_clear(&d->workflows);
    mem_vec_clear(&d->idempotency);
    mem_vec_clear(&d->active);
    mem_vec_clear(&d->instances);
    mem_vec_clear(&d->commands);
    mem_vec_clear(&d->memories);
    mem_vec_clear(&d->catalog);
    mem_vec_clear(&d->usage);
    mem_vec_clear(&d->keys);
    mem_vec_clear(&d->tickets);
    mem_vec_clear(&d->schedules);
    mem_vec_clear(&d->audit);
    mem_hooks_deinit(d);
    table_deinit(&d->sessions_by_id);
}

/* ---- orders ---- */

static int cmp_i64(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_id(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, sizeof(a->b));
}

static int cmp_str(struct str a, struct str b) /* as SQLite's BINARY */
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return order ? order : cmp_i64((int64_t)a.n, (int64_t)b.n);
}

#define AS(type, row) ((const struct type *)(row))

int mem_cmp_events(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_i64(AS(mem_events, a)->row.seq_last, AS(mem_events, b)->row.seq_last);
}

int mem_cmp_run(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_run, a)->row.run_id, &AS(mem_run, b)->row.run_id);
}

int mem_cmp_effect(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_effect, a)->row.run_id, &AS(mem_effect, b)->row.run_id);
}

int mem_cmp_timer(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_timer, a)->row.timer_id, &AS(mem_timer, b)->row.timer_id);
}

int mem_cmp_withheld(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_i64(AS(mem_withheld, a)->row.ord, AS(mem_withheld, b)->row.ord);
}

int mem_cmp_message(const struct mem_row *a, const struct mem_row *b)
{
    const struct message_row *x = &AS(mem_message, a)->row, *y = &AS(mem_message, b)->row;
    int order = cmp_i64(x->created_at, y->created_at);

    if (order == 0)
        order = cmp_i64(x->seq, y->seq);
    return order ? order : cmp_id(&x->message_id, &y->message_id);
}

int mem_cmp_session(const struct mem_row *a, const struct mem_row *b)
{
    const struct mem_session *x = AS(mem_session, a), *y = AS(mem_session, b);
    int order = cmp_i64(x->row.created_at, y->row.created_at);

    return order ? order : cmp_i64(x->key, y->key);
}

int mem_cmp_workflow(const struct mem_row *a, const struct mem_row *b)
{
    const struct mem_workflow *x = AS(mem_workflow, a), *y = AS(mem_workflow, b);
    int order = cmp_str(x->workspace, y->workspace);

    return order ? order : cmp_str(x->id, y->id);
}

int mem_cmp_version(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_i64(AS(mem_version, a)->row.version, AS(mem_version, b)->row.version);
}

int mem_cmp_usage(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_usage, a)->row.call_id, &AS(mem_usage, b)->row.call_id);
}

int mem_cmp_catalog(const struct mem_row *a, const struct mem_row *b)
{
    const struct mem_catalog *x = AS(mem_catalog, a), *y = AS(mem_catalog, b);
    int order = cmp_str(x->row.workspace, y->row.workspace);

    if (order == 0)
        order = cmp_i64(x->kind, y->kind);
    return order ? order : cmp_str(x->row.id, y->row.id);
}

int mem_cmp_idempotency(const struct mem_row *a, const struct mem_row *b)
{
    const struct idempotency_row *x = &AS(mem_idempotency, a)->row;
    const struct idempotency_row *y = &AS(mem_idempotency, b)->row;
    int order = cmp_str(x->workspace, y->workspace);

    return order ? order : cmp_str(x->key, y->key);
}

int mem_cmp_instance(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_instance, a)->row.id, &AS(mem_instance, b)->row.id);
}

int mem_cmp_command(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_command, a)->row.command_id, &AS(mem_command, b)->row.command_id);
}

int mem_cmp_interrupt(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_interrupt, a)->row.interrupt_id, &AS(mem_interrupt, b)->row.interrupt_id);
}

int mem_cmp_task(const struct mem_row *a, const struct mem_row *b)
{
    return cmp_id(&AS(mem_task, a)->row.task_id, &AS(mem_task, b)->row.task_id);
}

int mem_cmp_file(const struct mem_row *a, const struct mem_row *b)
{
    const struct file_row *x = &AS(mem_file, a)->row, *y = &AS(mem_file, b)->row;
    int order = cmp_str(x->path, y->path);

    return order ? order : cmp_i64(x->version, y->version);
}

int mem_cmp_memory(const struct mem_row *a, const struct mem_row *b)
{
    const struct memory_row *x = &AS(mem_memory, a)->row, *y = &AS(mem_memory, b)->row;
    int order = cmp_i64(x->created_at, y->created_at);

    return order ? order : cmp_id(&x->id, &y->id);
}

/* ---- copies ---- */

#define COPY(field) row.field = rules_copy(a, row.field)

struct session_meta mem_copy_meta(struct arena *a, const struct session_meta *m)
{
    struct session_meta row = *m;

    row.workspace = rules_workspace(row.workspace);
    COPY(workspace);
    COPY(name);
    COPY(group_id);
    COPY(user_id);
    row.tags_json = row.tags_json.p ? row.tags_json : STR("[]");
    COPY(tags_json);
    COPY(metadata_json);
    COPY(settings_json);
    COPY(thread_configs_json);
    COPY(workflow_state_json);
    COPY(workflow_id);
    COPY(graph_json);
    COPY(input_json);
    COPY(budget_json);
    COPY(checksum);
    return row;
}

struct session_core mem_copy_core(struct arena *a, const struct session_core *c)
{
    struct session_core row = *c;

    COPY(status);
    COPY(reason);
    COPY(output_json);
    COPY(error_json);
    row.node_statuses_json = row.node_statuses_json.p ? row.node_statuses_json : STR("{}");
    COPY(node_statuses_json);
    COPY(waiting_json);
    COPY(usage_json);
    COPY(vars_json);
    COPY(state_json);
    return row;
}

struct run_row mem_copy_run(struct arena *a, const struct run_row *r)
{
    struct run_row row = *r;

    row.next = NULL;
    COPY(node_id);
    COPY(kind);
    COPY(status);
    COPY(branch);
    COPY(output_json);
    COPY(error_json);
    COPY(interrupt_json);
    COPY(progress_json);
    return row;
}

struct effect_row mem_copy_effect(struct arena *a, const struct effect_row *r)
{
    struct effect_row row = *r;

    row.next = NULL;
    COPY(kind);
    COPY(request_json);
    return row;
}

struct timer_row mem_copy_timer(struct arena *a, const struct timer_row *r)
{
    struct timer_row row = *r;

    row.next = NULL;
    COPY(purpose_json);
    return row;
}

struct message_row mem_copy_message(struct arena *a, const struct message_row *r)
{
    struct message_row row = *r;

    row.next = NULL;
    COPY(node_id);
    COPY(role);
    COPY(agent_id);
    row.content = row.content.p ? row.content : STR("");
    COPY(content);
    COPY(finish_reason);
    COPY(thinking);
    COPY(tool_calls_json);
    return row;
}

struct withheld_row mem_copy_withheld(struct arena *a, const struct withheld_row *r)
{
    struct withheld_row row = *r;

    row.next = NULL;
    COPY(input_json);
    return row;
}

struct event_row mem_copy_events(struct arena *a, const struct event_row *r)
{
    struct event_row row = *r;

    row.next = NULL;
    COPY(frames);
    return row;
}

struct workflow_row mem_copy_workflow(struct arena *a, const struct workflow_row *r)
{
    struct workflow_row row = *r;

    row.next = NULL;
    COPY(id);
    COPY(name);
    COPY(type);
    COPY(description);
    COPY(graph_json);
    COPY(checksum);
    return row;
}

struct idempotency_row mem_copy_idempotency(struct arena *a, const struct idempotency_row *r)
{
    struct idempotency_row row = *r;

    row.next = NULL;
    row.workspace = rules_workspace(row.workspace);
    COPY(workspace);
    COPY(key);
    COPY(body_json);
    return row;
}

struct instance_row mem_copy_instance(struct arena *a, const struct instance_row *r)
{
    struct instance_row row = *r;

    row.next = NULL;
    row.name = rules_copy(a, rules_text(row.name));
    row.address = rules_copy(a, rules_text(row.address));
    row.version = rules_copy(a, rules_text(row.version));
    return row;
}

struct command_row mem_copy_command(struct arena *a, const struct command_row *r)
{
    struct command_row row = *r;

    row.next = NULL;
    COPY(request_json);
    COPY(answer_json);
    return row;
}

struct interrupt_row mem_copy_interrupt(struct arena *a, const struct interrupt_row *r)
{
    struct interrupt_row row = *r;

    row.next = NULL;
    COPY(node_id);
    COPY(kind);
    COPY(status);
    COPY(request_json);
    COPY(answer_json);
    return row;
}

struct task_row mem_copy_task(struct arena *a, const struct task_row *r)
{
    struct task_row row = *r;

    row.next = NULL;
    COPY(node_id);
    COPY(queue);
    COPY(status);
    COPY(input_json);
    COPY(worker);
    return row;
}

struct file_row mem_copy_file(struct arena *a, const struct file_row *r)
{
    struct file_row row = *r;

    row.next = NULL;
    COPY(path);
    COPY(author);
    COPY(reason);
    COPY(media_type);
    row.content = rules_text(row.content);
    COPY(content);
    return row;
}

struct catalog_row mem_copy_catalog(struct arena *a, const struct catalog_row *r)
{
    struct catalog_row row = *r;

    row.next = NULL;
    COPY(workspace);
    COPY(id);
    COPY(name);
    COPY(description);
    COPY(category);
    COPY(body_json);
    return row;
}

struct memory_row mem_copy_memory(struct arena *a, const struct memory_row *r)
{
    struct memory_row row = *r;

    row.next = NULL;
    COPY(workspace);
    COPY(group_id);
    COPY(agent_id);
    COPY(content);
    COPY(metadata_json);
    COPY(model);
    if (row.embedding) {
        size_t bytes = row.dimensions * sizeof(float);
        row.embedding = memcpy(arena_alloc(a, bytes), row.embedding, bytes);
    }
    return row;
}
