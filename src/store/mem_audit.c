/* The audit log in memory. */
#include <string.h>

#include "store/mem_data.h"
#include "store/rules.h"

static mem_cmp cmp_audit;

static int cmp_audit(const struct mem_row *a, const struct mem_row *b)
{
    return memcmp(((const struct mem_audit *)a)->row.id.b, ((const struct mem_audit *)b)->row.id.b,
                  sizeof(struct id));
}

int mem_audit_put(struct mem_data *d, struct store_audit_put *r)
{
    for (const struct audit_row *row = r->rows; row; row = row->next) {
        struct mem_audit *a = mem_row_create(sizeof(*a));
        a->row = rules_audit_copy(&a->arena, row);
        mem_vec_put(&d->audit, a, cmp_audit);
    }
    return 0;
}

int mem_audit_list(struct mem_data *d, struct store_audit_list *r)
{
    struct audit_row **tail = &r->rows;
    struct page page = page_of(r->limit);
    struct mem_audit key;
    struct id last = {{0}};
    bool found;

    r->rows = NULL;
    r->next_cursor = STR_NULL;
    int status = rules_id_cursor_read(r->cursor, CURSOR_AUDIT, &key.row.id, &r->req.error);
    if (status < 0)
        return status;
    size_t at = r->cursor.n ? mem_vec_find(&d->audit, &key, cmp_audit, &found) : d->audit.count;
    while (at-- > 0) {
        const struct audit_row *row = &((struct mem_audit *)d->audit.rows[at])->row;
        if (!str_eq(row->workspace, rules_workspace(r->workspace)))
            continue;
        enum page_verdict verdict = page_see(&page, rules_audit_matches(r, row));
        if (verdict == PAGE_STOP) {
            r->next_cursor = rules_id_cursor(&r->req.arena, CURSOR_AUDIT, &last);
            break;
        }
        last = row->id;
        if (verdict == PAGE_SKIP)
            continue;
        *tail = arena_alloc(&r->req.arena, sizeof(**tail));
        **tail = rules_audit_copy(&r->req.arena, row);
        tail = &(*tail)->next;
    }
    return 0;
}

int mem_audit_prune(struct mem_data *d, struct store_audit_prune *r)
{
    int limit = rules_retention_limit(r->limit);

    for (r->changed = 0; r->changed < limit && d->audit.count > 0; r->changed++) {
        struct mem_row *oldest = d->audit.rows[0];
        if (((struct mem_audit *)oldest)->row.created_at >= r->before)
            break;
        mem_vec_remove(&d->audit, oldest, cmp_audit);
    }
    return 0;
}
