/* The session that a person works on when they name none. */
#include <string.h>

#include "store/mem_data.h"
#include "store/rules.h"

static int text_order(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int active_cmp(const struct mem_row *a, const struct mem_row *b)
{
    const struct mem_active *x = (const struct mem_active *)a, *y = (const struct mem_active *)b;
    int c = text_order(x->workspace, y->workspace);

    return c ? c : text_order(x->user_id, y->user_id);
}

int mem_active_get(struct mem_data *d, struct store_active_get *g)
{
    struct mem_active key = {.workspace = rules_workspace(g->workspace), .user_id = g->user_id};
    const struct mem_active *row = mem_vec_get(&d->active, &key, active_cmp);

    g->session_id = row ? row->session_id : (struct id){{0}};
    return 0;
}

int mem_active_put(struct mem_data *d, struct store_active_put *p)
{
    struct mem_active key = {.workspace = rules_workspace(p->workspace), .user_id = p->user_id};

    if (id_is_zero(p->session_id)) {
        mem_vec_remove(&d->active, &key, active_cmp);
        return 0;
    }
    struct mem_active *row = mem_row_create(sizeof(*row));
    row->workspace = rules_copy(&row->arena, key.workspace);
    row->user_id = rules_copy(&row->arena, key.user_id);
    row->session_id = p->session_id;
    mem_vec_put(&d->active, row, active_cmp);
    return 0;
}
