/* Statistics of sessions for the stores that look at each row themselves. */
#include <stdlib.h>
#include <string.h>

#include "base/keyset.h"
#include "base/mem.h"
#include "store/rules.h"

enum stats_list { STATS_STATUS, STATS_WORKFLOW, STATS_DAY, STATS_FAILURE, STATS_LISTS };

struct stats_cell {
    enum stats_list list;
    struct stat_row row;
};

struct stats_sum {
    struct store_session_stats *out;
    struct stats_cell **slots; /* a hash table */
    size_t cap, count;
    size_t keys[STATS_LISTS];
    int64_t *durations;
    size_t duration_count, duration_cap;
};

#define DAY_MS INT64_C(86400000)

struct stats_sum *rules_stats_begin(struct store_session_stats *s)
{
    struct stats_sum *sum = mem_zalloc(sizeof(*sum));

    sum->out = s;
    sum->cap = 1024;
    sum->slots = mem_calloc(sum->cap, sizeof(*sum->slots));
    s->by_status = s->by_workflow = s->by_day = s->failures = NULL;
    return sum;
}

/* ---- the table ---- */

static bool str_same(struct str a, struct str b)
{
    return !a.p == !b.p && (!a.p || str_eq(a, b));
}

static size_t cell_hash(enum stats_list list, struct str key, int64_t day, struct str status)
{
    return (size_t)(keyset_hash(key.p ? key : STR("")) ^ keyset_hash(status) * 31 ^
                    (uint64_t)day * 0x9e3779b97f4a7c15u ^ (uint64_t)list * 0x632be59bd9b4e019u);
}

static struct stats_cell **cell_slot(const struct stats_sum *sum, enum stats_list list,
                                     struct str key, int64_t day, struct str status)
{
    size_t i = cell_hash(list, key, day, status) & (sum->cap - 1);
    struct stats_cell *c;

    while ((c = sum->slots[i]) != NULL &&
           !(c->list == list && c->row.day == day && str_same(c->row.key, key) &&
             str_eq(c->row.status, status)))
        i = (i + 1) & (sum->cap - 1);
    return &sum->slots[i];
}

static void stats_grow(struct stats_sum *sum)
{
    struct stats_cell **old = sum->slots;
    size_t cap = sum->cap;

    sum->cap *= 2;
    sum->slots = mem_calloc(sum->cap, sizeof(*sum->slots));
    for (size_t i = 0; i < cap; i++)
        if (old[i])
            *cell_slot(sum, old[i]->list, old[i]->row.key, old[i]->row.day, old[i]->row.status) =
                old[i];
    free(old);
}

static void stats_count(struct stats_sum *sum, enum stats_list list, struct str key, int64_t day,
                        struct str status)
{
    struct arena *a = &sum->out->req.arena;
    struct stats_cell **slot = cell_slot(sum, list, key, day, status);

    if (!*slot && sum->keys[list] == STATS_KEYS_MAX) {
        sum->out->truncated = true;
        return;
    }
    if (!*slot) {
        struct stats_cell *c = arena_alloc(a, sizeof(*c));
        c->list = list;
        c->row = (struct stat_row){
            .key = rules_copy(a, key), .day = day, .status = rules_copy(a, status)};
        *slot = c;
        sum->keys[list]++;
        (*slot)->row.count = 1;
        if (++sum->count * 2 > sum->cap)
            stats_grow(sum);
        return;
    }
    (*slot)->row.count++;
}

/* ---- one row ---- */

/* A member of JSON that we wrote: damage is passed over here, whoever reads the session tells. */
static struct json stats_member(struct str text, const char *key)
{
    if (!text.p || json_check(text, NULL, NULL))
        return JSON_ABSENT;
    return json_get(json_root(text), key);
}

static void stats_usage(struct store_session_stats *s, struct str usage_json)
{
    int64_t in = 0, out = 0;
    double cost = 0;

    if (!usage_json.p || json_check(usage_json, NULL, NULL))
        return;
    struct json usage = json_root(usage_json);
    json_i64(json_get(usage, "input_tokens"), &in);
    json_i64(json_get(usage, "output_tokens"), &out);
    json_double(json_get(usage, "cost_usd"), &cost);
    s->input_tokens += in;
    s->output_tokens += out;
    s->cost_usd += cost;
}

static void stats_duration(struct stats_sum *sum, const struct stats_seen *row)
{
    if (row->ended_at <= 0 || row->started_at <= 0)
        return;
    if (sum->duration_count == sum->duration_cap) {
        sum->duration_cap = sum->duration_cap ? sum->duration_cap * 2 : 256;
        sum->durations = mem_realloc(sum->durations, sum->duration_cap * sizeof(*sum->durations));
    }
    int64_t ms = row->ended_at > row->started_at ? row->ended_at - row->started_at : 0;
    sum->durations[sum->duration_count++] = ms;
    sum->out->duration_sum += ms;
}

bool rules_stats_add(struct stats_sum *sum, const struct stats_seen *row)
{
    struct store_session_stats *s = sum->out;
    struct buf code;

    if (s->total == STATS_ROWS_MAX) {
        s->truncated = true;
        return false;
    }
    s->total++;
    stats_count(sum, STATS_STATUS, STR_NULL, 0, row->status);
    stats_count(sum, STATS_WORKFLOW, row->workflow_id, 0, row->status);
    stats_count(sum, STATS_DAY, STR_NULL, row->created_at - row->created_at % DAY_MS, row->status);
    if (row->ended_at > 0 && str_eqz(row->status, "failed")) {
        buf_init(&code, SIZE_MAX);
        json_string(stats_member(row->error_json, "code"), &code);
        stats_count(sum, STATS_FAILURE, code.len ? buf_str(&code) : STR(""), 0, STR(""));
        buf_deinit(&code);
    }
    stats_duration(sum, row);
    stats_usage(s, row->usage_json);
    return true;
}

/* ---- the end ---- */

int64_t rules_stats_rank(int64_t n, int percent)
{
    int64_t rank = (n * percent + 99) / 100;

    return rank < 1 ? 1 : rank;
}

static int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;

    if (!a.p || !b.p)
        return (a.p != NULL) - (b.p != NULL);
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int cell_cmp(const void *a, const void *b)
{
    const struct stats_cell *x = *(struct stats_cell *const *)a;
    const struct stats_cell *y = *(struct stats_cell *const *)b;
    int order = (int)x->list - (int)y->list;

    if (order == 0)
        order = (x->row.day > y->row.day) - (x->row.day < y->row.day);
    if (order == 0)
        order = str_cmp(x->row.key, y->row.key);
    return order ? order : str_cmp(x->row.status, y->row.status);
}

static int i64_cmp(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void stats_percentiles(struct stats_sum *sum)
{
    struct store_session_stats *s = sum->out;
    int64_t n = (int64_t)sum->duration_count;

    s->ended = n;
    if (n == 0)
        return;
    qsort(sum->durations, sum->duration_count, sizeof(*sum->durations), i64_cmp);
    s->p50 = sum->durations[rules_stats_rank(n, 50) - 1];
    s->p90 = sum->durations[rules_stats_rank(n, 90) - 1];
    s->p99 = sum->durations[rules_stats_rank(n, 99) - 1];
    s->duration_max = sum->durations[n - 1];
}

void rules_stats_end(struct stats_sum *sum)
{
    struct store_session_stats *s = sum->out;
    struct stat_row **tails[STATS_LISTS] = {&s->by_status, &s->by_workflow, &s->by_day,
                                            &s->failures};
    size_t n = 0;

    for (size_t i = 0; i < sum->cap; i++)
        if (sum->slots[i])
            sum->slots[n++] = sum->slots[i];
    qsort(sum->slots, n, sizeof(struct stats_cell *), cell_cmp);
    for (size_t i = 0; i < n; i++) {
        struct stats_cell *c = sum->slots[i];
        *tails[c->list] = &c->row;
        tails[c->list] = &c->row.next;
    }
    stats_percentiles(sum);
    free(sum->durations);
    free(sum->slots);
    free(sum);
}
