/* What model calls used, in memory: rows, and sums over all of them. */
#include <string.h>

#include "store/mem_data.h"
#include "store/rules.h"

#define DAY_MS INT64_C(86400000)

void mem_commit_usage(struct mem_data *d, const struct mem_session *s, const struct delta *delta)
{
    for (const struct usage_row *u = delta->usage; u; u = u->next) {
        struct mem_usage *row = mem_row_create(sizeof(*row));
        struct arena *a = &row->arena;
        row->row = *u;
        if (mem_vec_get(&d->usage, row, mem_cmp_usage)) {
            mem_row_destroy(row);
            continue;
        }
        row->row.next = NULL;
        row->row.node_id = rules_copy(a, u->node_id);
        row->row.agent_id = rules_copy(a, u->agent_id);
        row->row.provider = rules_copy(a, u->provider);
        row->row.model = rules_copy(a, u->model);
        row->workspace = rules_copy(a, rules_workspace(s->row.meta.workspace));
        row->group_id = rules_copy(a, s->row.meta.group_id);
        row->session_id = s->row.id;
        mem_vec_put(&d->usage, row, mem_cmp_usage);
    }
}

static bool usage_matches(const struct store_usage_sum *u, const struct mem_usage *row)
{
    return str_eq(row->workspace, rules_workspace(u->workspace)) &&
           (id_is_zero(u->session_id) || id_eq(u->session_id, row->session_id)) &&
           (!u->group_id.p || (row->group_id.p && str_eq(u->group_id, row->group_id))) &&
           row->row.created_at >= u->from && (u->until <= 0 || row->row.created_at < u->until);
}

/* NULL comes first. */
static int text_cmp(struct str a, struct str b)
{
    if (!a.p || !b.p)
        return !!a.p - !!b.p;
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int sum_cmp(const struct usage_sum *a, const struct usage_sum *b)
{
    const struct str x[] = {a->group_id, a->node_id, a->agent_id, a->provider, a->model};
    const struct str y[] = {b->group_id, b->node_id, b->agent_id, b->provider, b->model};
    int c = (a->day > b->day) - (a->day < b->day);
    for (size_t i = 0; i < 5 && !c; i++)
        c = text_cmp(x[i], y[i]);
    return c;
}

static void sum_add(struct store_usage_sum *u, const struct mem_usage *row)
{
    struct arena *a = &u->req.arena;
    const struct usage_row *r = &row->row;
    struct usage_sum key = {
        .day = u->by_day ? r->created_at - r->created_at % DAY_MS : 0,
        .group_id = u->by_group ? rules_copy(a, row->group_id) : STR_NULL,
        .node_id = u->by_node ? rules_copy(a, r->node_id) : STR_NULL,
        .agent_id = u->by_agent ? rules_copy(a, r->agent_id) : STR_NULL,
        .provider = u->by_model ? rules_copy(a, r->provider) : STR_NULL,
        .model = u->by_model ? rules_copy(a, r->model) : STR_NULL,
    };
    struct usage_sum **at = &u->rows;
    while (*at && sum_cmp(*at, &key) < 0)
        at = &(*at)->next;
    if (!*at || sum_cmp(*at, &key) != 0) {
        struct usage_sum *new = arena_alloc(a, sizeof(*new));
        *new = key;
        new->next = *at;
        *at = new;
    }
    (*at)->calls++;
    (*at)->input_tokens += r->input_tokens;
    (*at)->output_tokens += r->output_tokens;
    (*at)->cost_micros += r->cost_micros >= 0 ? r->cost_micros : 0;
    (*at)->unpriced_calls += r->cost_micros < 0;
    (*at)->estimated_calls += r->estimated;
}

int mem_usage_sum(struct mem_data *d, struct store_usage_sum *u)
{
    struct usage_sum **at = &u->rows;

    u->rows = NULL;
    u->more = false;
    for (size_t i = 0; i < d->usage.count; i++) {
        const struct mem_usage *row = (const struct mem_usage *)d->usage.rows[i];
        if (usage_matches(u, row))
            sum_add(u, row);
    }
    for (int left = u->limit; *at && left > 0; left--)
        at = &(*at)->next;
    u->more = *at != NULL;
    *at = NULL;
    return 0;
}
