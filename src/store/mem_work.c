/* What people and workers do with sessions, in memory. Lists are walked whole: a test's are short.
 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "store/cursor.h"
#include "store/mem_data.h"
#include "store/rules.h"

static int64_t work_now(const struct mem_data *d)
{
    return d->time ? d->time : clock_wall_ms();
}

/* ---- a delta's rows ---- */

static void work_interrupt(struct mem_session *s, const struct interrupt_row *r)
{
    struct mem_interrupt *row = mem_row_create(sizeof(*row));
    struct mem_interrupt key = {.row.interrupt_id = r->interrupt_id};
    const struct mem_interrupt *old = mem_vec_get(&s->interrupts, &key, mem_cmp_interrupt);

    row->row = mem_copy_interrupt(&row->arena, r);
    row->row.session_id = s->row.id;
    if (old)
        row->row.created_at = old->row.created_at;
    mem_vec_put(&s->interrupts, row, mem_cmp_interrupt);
}

static void work_task(struct mem_session *s, const struct task_row *r)
{
    struct mem_task *row = mem_row_create(sizeof(*row));

    row->row = mem_copy_task(&row->arena, r);
    row->row.session_id = s->row.id;
    row->row.status = STR("waiting");
    row->row.attempt = row->row.lease_expires_at = 0;
    row->row.worker = STR_NULL;
    mem_vec_put(&s->tasks, row, mem_cmp_task);
}

static void work_file(struct mem_session *s, const struct file_row *r)
{
    struct mem_file *row = mem_row_create(sizeof(*row));

    row->row = mem_copy_file(&row->arena, r);
    mem_vec_put(&s->files, row, mem_cmp_file);
}

void mem_commit_work(struct mem_session *s, const struct delta *delta)
{
    for (const struct interrupt_row *r = delta->interrupts; r; r = r->next)
        work_interrupt(s, r);
    for (const struct task_row *r = delta->tasks_new; r; r = r->next)
        work_task(s, r);
    for (const struct id_list *id = delta->tasks_done; id; id = id->next) {
        struct mem_task key = {.row.task_id = id->id};
        mem_vec_remove(&s->tasks, &key, mem_cmp_task);
    }
    for (const struct file_row *r = delta->files; r; r = r->next)
        work_file(s, r);
}

/* ---- interrupts ---- */

static void interrupt_item(struct arena *a, const struct mem_session *s,
                           const struct interrupt_row *row, struct interrupt_item *out)
{
    *out = (struct interrupt_item){.row = mem_copy_interrupt(a, row)};
    out->session_name = rules_copy(a, s->row.meta.name);
    out->workflow_id = rules_copy(a, s->row.meta.workflow_id);
}

int mem_interrupt_get(struct mem_data *d, struct store_interrupt_get *g)
{
    struct mem_interrupt key = {.row.interrupt_id = g->interrupt_id};
    struct interrupt_item item;

    for (size_t i = 0; i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        const struct mem_interrupt *row = mem_vec_get(&s->interrupts, &key, mem_cmp_interrupt);
        if (!row || !str_eq(s->row.meta.workspace, rules_workspace(g->workspace)))
            continue;
        interrupt_item(&g->req.arena, s, &row->row, &item);
        g->row = item.row;
        g->session_name = item.session_name;
        g->workflow_id = item.workflow_id;
        return 0;
    }
    return err_set(&g->req.error, ERR_NOT_FOUND, "no such interrupt");
}

static bool interrupt_is_before(const struct interrupt_row *a, const struct interrupt_row *b)
{
    if (a->created_at != b->created_at)
        return a->created_at < b->created_at;
    return memcmp(a->interrupt_id.b, b->interrupt_id.b, 16) < 0;
}

/* The first one after `last` that is asked for. */
static const struct interrupt_row *interrupts_next(const struct mem_data *d,
                                                   const struct store_interrupt_list *l,
                                                   const struct interrupt_row *last,
                                                   const struct mem_session **of)
{
    const struct interrupt_row *first = NULL;

    for (size_t i = 0; i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        bool ours = str_eq(s->row.meta.workspace, rules_workspace(l->workspace)) &&
                    (id_is_zero(l->session_id) || id_eq(l->session_id, s->row.id));
        for (size_t k = 0; ours && k < s->interrupts.count; k++) {
            const struct interrupt_row *row = &((struct mem_interrupt *)s->interrupts.rows[k])->row;
            if (!interrupt_is_before(last, row) || (first && !interrupt_is_before(row, first)) ||
                (l->status.p && !str_eq(l->status, row->status)) ||
                (l->kind.p && !str_eq(l->kind, row->kind)))
                continue;
            first = row;
            *of = s;
        }
    }
    return first;
}

int mem_interrupt_list(struct mem_data *d, struct store_interrupt_list *l)
{
    struct interrupt_row last = {.created_at = INT64_MIN};
    struct interrupt_item **tail = &l->rows;
    struct page page = page_of(l->limit);
    const struct interrupt_row *row;
    const struct mem_session *s = NULL;
    struct cursor c;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0) {
        if (cursor_decode(l->cursor, CURSOR_INTERRUPTS, &c, &l->req.error) < 0)
            return ERR_INVALID;
        last.created_at = c.a;
        memcpy(last.interrupt_id.b, c.key, sizeof(last.interrupt_id.b));
    }
    while ((row = interrupts_next(d, l, &last, &s)) != NULL) {
        if (page_see(&page, true) == PAGE_STOP) {
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_INTERRUPTS, last.created_at, 0,
                                           (struct str){(const char *)last.interrupt_id.b, 16});
            break;
        }
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        interrupt_item(&l->req.arena, s, row, *tail);
        tail = &(*tail)->next;
        last = *row;
    }
    return 0;
}

/* ---- tasks ---- */

static struct mem_task *task_find(const struct mem_data *d, struct id id)
{
    struct mem_task key = {.row.task_id = id};

    for (size_t i = 0; i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        struct mem_task *task = mem_vec_get(&s->tasks, &key, mem_cmp_task);
        if (task)
            return task;
    }
    return NULL;
}

int mem_task_get(struct mem_data *d, struct store_task_get *g)
{
    const struct mem_task *task = task_find(d, g->task_id);

    if (!task)
        return err_set(&g->req.error, ERR_NOT_FOUND, "no such task");
    g->row = mem_copy_task(&g->req.arena, &task->row);
    return 0;
}

/* The oldest free task of the queue, by id; or NULL, and *next_due_at is of the next lease to end.
 */
static struct mem_task *tasks_free(struct mem_data *d, const struct store_task_lease *l,
                                   int64_t now, int64_t *next_due_at)
{
    struct mem_task *first = NULL;

    *next_due_at = 0;
    for (size_t i = 0; i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        bool ours = str_eq(s->row.meta.workspace, rules_workspace(l->workspace)) &&
                    str_eqz(s->core->core.status, "running");
        for (size_t k = 0; ours && k < s->tasks.count; k++) {
            struct mem_task *t = (struct mem_task *)s->tasks.rows[k];
            if (!str_eq(t->row.queue, l->queue))
                continue;
            if (!rules_task_is_free(&t->row, now)) {
                if (*next_due_at == 0 || t->row.lease_expires_at < *next_due_at)
                    *next_due_at = t->row.lease_expires_at;
            } else if (!first || memcmp(t->row.task_id.b, first->row.task_id.b, 16) < 0) {
                first = t;
            }
        }
    }
    return first;
}

int mem_task_lease(struct mem_data *d, struct store_task_lease *l)
{
    struct task_row **tail = &l->rows;
    int64_t now = work_now(d), next = 0;
    struct mem_task *t;

    l->rows = NULL;
    for (int left = page_of(l->max).left; left > 0 && (t = tasks_free(d, l, now, &next)); left--) {
        rules_task_lease(&t->arena, &t->row, l->worker, now);
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        **tail = mem_copy_task(&l->req.arena, &t->row);
        tail = &(*tail)->next;
    }
    l->next_due_at = l->rows ? 0 : next;
    return 0;
}

int mem_task_heartbeat(struct mem_data *d, struct store_task_heartbeat *h)
{
    struct mem_task *t = task_find(d, h->task_id);

    if (!t)
        return err_set(&h->req.error, ERR_NOT_FOUND, "no such task");
    int status = rules_task_is_held(&t->row, h->attempt, &h->req.error);
    if (status < 0)
        return status;
    h->lease_expires_at = t->row.lease_expires_at = work_now(d) + t->row.heartbeat_ms;
    return 0;
}

/* ---- files ---- */

/* The newest version of the path up to this one, of those written up to a seq. */
static const struct file_row *file_find(const struct mem_session *s, struct str path,
                                        int64_t version, int64_t until_seq)
{
    const struct file_row *found = NULL;

    for (size_t i = 0; i < s->files.count; i++) {
        const struct file_row *row = &((struct mem_file *)s->files.rows[i])->row;
        if (str_eq(row->path, path) && row->version <= version && row->seq <= until_seq)
            found = row;
    }
    return found;
}

int mem_file_get(struct mem_data *d, struct store_file_get *g)
{
    const struct mem_session *s = mem_session_get(d, STR_NULL, g->session_id);
    const struct file_row *row =
        s ? file_find(s, g->path, g->version > 0 ? g->version : INT64_MAX, INT64_MAX) : NULL;

    if (!row || !rules_file_is_asked(row, g->version))
        return err_set(&g->req.error, ERR_NOT_FOUND, "no such file");
    g->row = mem_copy_file(&g->req.arena, row);
    if (row->from_version > 0) {
        row = file_find(s, g->path, row->from_version, INT64_MAX);
        g->row.content = rules_copy(&g->req.arena, row->content);
    }
    return 0;
}

/* Whether a row belongs to the page that begins at the cursor, but for its place. */
static bool file_is_listed(const struct mem_session *s, const struct store_file_list *l,
                           const struct cursor *c, const struct file_row *row)
{
    int64_t until = l->until_seq > 0 ? l->until_seq : INT64_MAX;
    struct str after = {(const char *)c->key, c->key_bytes};

    if (l->path.p)
        return str_eq(l->path, row->path) && row->version < c->a && row->seq <= until;
    if (!row->deleted && file_find(s, row->path, INT64_MAX, until) == row) {
        int order = memcmp(row->path.p, after.p, row->path.n < after.n ? row->path.n : after.n);
        return order > 0 || (order == 0 && row->path.n > after.n);
    }
    return false;
}

int mem_file_list(struct mem_data *d, struct store_file_list *l)
{
    const struct mem_session *s = mem_session_get(d, STR_NULL, l->session_id);
    struct file_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    struct cursor c;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = rules_file_cursor_read(l, &c, &l->req.error);
    if (status < 0 || !s)
        return status;
    for (size_t i = 0; i < s->files.count; i++) {
        size_t at = l->path.p ? s->files.count - 1 - i : i; /* versions: the newest first */
        const struct file_row *row = &((struct mem_file *)s->files.rows[at])->row;
        if (!file_is_listed(s, l, &c, row))
            continue;
        if (page_see(&page, true) == PAGE_STOP) {
            assert(last);
            l->next_cursor = rules_file_cursor(l, last);
            break;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(*last));
        *last = mem_copy_file(&l->req.arena, row);
        last->content = STR_NULL;
        tail = &last->next;
    }
    return 0;
}

/* ---- children ---- */

int mem_children_list(struct mem_data *d, struct store_children_list *l)
{
    struct session_item **tail = &l->rows;
    struct id after = {{0}};

    l->rows = NULL;
    for (int left = STORE_LIMIT_MAX; left > 0; left--) {
        const struct mem_session *first = NULL;
        for (size_t i = 0; i < d->sessions.count; i++) {
            const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
            if (id_eq(s->row.meta.parent_id, l->parent_id) && !id_is_zero(s->row.meta.parent_run) &&
                memcmp(s->row.id.b, after.b, 16) > 0 &&
                (!first || memcmp(s->row.id.b, first->row.id.b, 16) < 0))
                first = s;
        }
        if (!first)
            break;
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        (*tail)->row = mem_session_row(&l->req.arena, first, false);
        tail = &(*tail)->next;
        after = first->row.id;
    }
    return 0;
}
