/* Schedules in memory. They are few: what is due is looked for among all. */
#include <string.h>

#include "store/mem_data.h"
#include "store/rules.h"

static mem_cmp cmp_schedule;

static int cmp_schedule(const struct mem_row *a, const struct mem_row *b)
{
    return memcmp(((const struct mem_schedule *)a)->row.id.b,
                  ((const struct mem_schedule *)b)->row.id.b, sizeof(struct id));
}

static struct mem_schedule *schedule_find(const struct mem_data *d, struct id id)
{
    struct mem_schedule key = {.row = {.id = id}};

    return mem_vec_get(&d->schedules, &key, cmp_schedule);
}

static void schedule_keep(struct mem_data *d, const struct schedule_row *row)
{
    struct mem_schedule *s = mem_row_create(sizeof(*s));

    s->row = rules_schedule_copy(&s->arena, row);
    mem_vec_put(&d->schedules, s, cmp_schedule);
}

int mem_schedule_put(struct mem_data *d, struct store_schedule_put *r)
{
    struct mem_schedule *now = schedule_find(d, r->row.id);
    int status = rules_schedule_put_check(r, now ? &now->row : NULL, &r->req.error);

    if (status == 0 && !mem_keys_are_free(d, r->idempotency))
        status = err_set(&r->req.error, ERR_CONFLICT, "this Idempotency-Key is in use");
    if (status < 0)
        return status;
    rules_schedule_put_row(r, now ? &now->row : NULL);
    schedule_keep(d, &r->row);
    mem_keys_write(d, r->idempotency);
    return 0;
}

static struct mem_schedule *schedule_of(const struct mem_data *d, struct str workspace,
                                        struct id id, struct errbuf *e)
{
    struct mem_schedule *s = schedule_find(d, id);

    if (s && str_eq(s->row.workspace, rules_workspace(workspace)))
        return s;
    err_set(e, ERR_NOT_FOUND, "there is no such schedule");
    return NULL;
}

int mem_schedule_get(struct mem_data *d, struct store_schedule_get *r)
{
    const struct mem_schedule *s = schedule_of(d, r->workspace, r->id, &r->req.error);

    if (!s)
        return ERR_NOT_FOUND;
    r->row = rules_schedule_copy(&r->req.arena, &s->row);
    return 0;
}

int mem_schedule_list(struct mem_data *d, struct store_schedule_list *r)
{
    struct schedule_row **tail = &r->rows;
    struct page page = page_of(r->limit);
    struct mem_schedule key;
    struct id last = {{0}};
    bool found;

    r->rows = NULL;
    r->next_cursor = STR_NULL;
    int status = rules_id_cursor_read(r->cursor, CURSOR_SCHEDULES, &key.row.id, &r->req.error);
    if (status < 0)
        return status;
    size_t at = mem_vec_find(&d->schedules, &key, cmp_schedule, &found);
    for (at += found; at < d->schedules.count; at++) {
        const struct schedule_row *row = &((struct mem_schedule *)d->schedules.rows[at])->row;
        if (!str_eq(row->workspace, rules_workspace(r->workspace)))
            continue;
        enum page_verdict verdict = page_see(&page, rules_contains(row->name, r->q));
        if (verdict == PAGE_STOP) {
            r->next_cursor = rules_id_cursor(&r->req.arena, CURSOR_SCHEDULES, &last);
            break;
        }
        last = row->id;
        if (verdict == PAGE_SKIP)
            continue;
        *tail = arena_alloc(&r->req.arena, sizeof(**tail));
        **tail = rules_schedule_copy(&r->req.arena, row);
        tail = &(*tail)->next;
    }
    return 0;
}

int mem_schedule_delete(struct mem_data *d, struct store_schedule_delete *r)
{
    struct mem_schedule *s = schedule_of(d, r->workspace, r->id, &r->req.error);

    if (!s)
        return ERR_NOT_FOUND;
    if (r->expected_version > 0 && r->expected_version != s->row.version)
        return err_set(&r->req.error, ERR_STALE, "the schedule is at another version");
    mem_vec_remove(&d->schedules, s, cmp_schedule);
    return 0;
}

/* In its place: the earliest first, then by id. */
static void due_insert(struct schedule_row **rows, struct schedule_row *row)
{
    while (*rows && ((*rows)->next_at < row->next_at ||
                     ((*rows)->next_at == row->next_at &&
                      memcmp((*rows)->id.b, row->id.b, sizeof(row->id.b)) < 0)))
        rows = &(*rows)->next;
    row->next = *rows;
    *rows = row;
}

int mem_schedule_due(struct mem_data *d, struct store_schedule_due *r)
{
    int left = page_of(r->limit).left;

    r->rows = NULL;
    r->next_at = 0;
    for (size_t i = 0; i < d->schedules.count; i++) {
        const struct schedule_row *row = &((struct mem_schedule *)d->schedules.rows[i])->row;
        if (!row->enabled || row->next_at == 0)
            continue;
        if (row->next_at > r->now) {
            if (r->next_at == 0 || row->next_at < r->next_at)
                r->next_at = row->next_at;
            continue;
        }
        struct schedule_row *copy = arena_alloc(&r->req.arena, sizeof(*copy));
        *copy = rules_schedule_copy(&r->req.arena, row);
        due_insert(&r->rows, copy);
    }
    struct schedule_row **end = &r->rows;
    while (*end && left-- > 0)
        end = &(*end)->next;
    *end = NULL;
    return 0;
}

int mem_schedule_move(struct mem_data *d, struct store_schedule_move *r)
{
    const struct mem_schedule *s = schedule_find(d, r->row.id);

    if (!s || s->row.next_at != r->seen_at)
        return err_set(&r->req.error, ERR_STALE, "the schedule has moved on");
    struct schedule_row row = s->row;
    row.next_at = r->row.next_at;
    row.last_at = r->row.last_at;
    row.last_session = r->row.last_session;
    row.last_error = r->row.last_error;
    row.last_error_at = r->row.last_error_at;
    schedule_keep(d, &row);
    return 0;
}
