/* What model calls used: rows with a commit, and their sums, over every store. */
#include "store/rules.h"
#include "test_store_rig.h"

#define DAY INT64_C(86400000)
#define D0  (T0 - T0 % DAY)

struct call {
    const char *node, *agent, *provider, *model;
    int64_t input, output, micros, at;
    bool estimated;
};

static void rows_fill(struct rig *r, const struct call *calls, size_t count, struct usage_row *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct call *c = &calls[i];
        out[i] = (struct usage_row){
            .next = i + 1 < count ? &out[i + 1] : NULL,
            .call_id = rig_id(r, T0),
            .run_id = rig_id(r, T0),
            .node_id = str_of(c->node),
            .agent_id = c->agent ? str_of(c->agent) : STR_NULL,
            .provider = c->provider ? str_of(c->provider) : STR_NULL,
            .model = c->model ? str_of(c->model) : STR_NULL,
            .input_tokens = c->input,
            .output_tokens = c->output,
            .cost_micros = c->micros,
            .estimated = c->estimated,
            .created_at = c->at,
        };
    }
}

/* A session with these calls; committed twice, as when the outcome of the first was not known. */
static struct id session_with(struct rig *r, const char *group, const struct call *calls,
                              size_t count)
{
    struct usage_row rows[16];
    struct rig_delta x;
    rows_fill(r, calls, count, rows);
    rig_new_session(r, &x, "completed", T0);
    x.meta.group_id = group ? str_of(group) : STR_NULL;
    x.d.usage = rows;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    struct id id = x.d.session_id;
    rig_delta_deinit(&x);
    /* The same rows with other events: they are there. */
    rig_events(&x, id, 2, 2);
    x.d.usage = rows;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    return id;
}

static const struct call A[] = {
    {"pro", "affirmative", "p", "small", 10, 20, 7, D0 + 5, false},
    {"con", "negative", "p", "large", 100, 200, 70, D0 + DAY - 1, false},
    {"pro", "affirmative", "p", "small", 1, 2, 1, D0 + DAY, false},
    {"judge", NULL, "q", "small", 1000, 2000, -1, D0 + DAY, false},
    {"judge", NULL, NULL, NULL, 5, 6, 3, D0 + DAY, true},
};
static const struct call B[] = {
    {"pro", "affirmative", "p", "small", INT64_C(4000000000), 1, INT64_C(5000000000), D0, false},
};

static void sum_print(struct buf *b, const struct usage_sum *u)
{
    const struct str texts[] = {u->group_id, u->node_id, u->agent_id, u->provider, u->model};
    buf_printf(b, "%lld", u->day ? (long long)((u->day - D0) / DAY) : -1);
    for (size_t i = 0; i < 5; i++)
        buf_printf(b, " %.*s", STR_FMT(texts[i].p ? texts[i] : STR("-")));
    buf_printf(b, ": %lld %lld %lld %lld %lld %lld\n", (long long)u->calls,
               (long long)u->input_tokens, (long long)u->output_tokens, (long long)u->cost_micros,
               (long long)u->unpriced_calls, (long long)u->estimated_calls);
}

static void expect_sums(struct rig *r, struct store_usage_sum *u, const char *want)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    if (!u->limit)
        u->limit = 100;
    assert_int_equal(rig_run(r, &u->req), 0);
    for (const struct usage_sum *row = u->rows; row; row = row->next)
        sum_print(&b, row);
    buf_append_char(&b, 0);
    assert_string_equal(b.data, want);
    buf_deinit(&b);
    store_req_deinit(&u->req);
}

static void calls_are_summed(void **state)
{
    struct rig *r = *state;
    struct id a = session_with(r, "council", A, ROWS(A));
    struct id b = session_with(r, NULL, B, ROWS(B));

    RIG_REQ(store_usage_sum, of_session, STORE_USAGE_SUM);
    of_session.session_id = a;
    expect_sums(r, &of_session, "-1 - - - - -: 5 1116 2228 81 1 1\n");
    RIG_REQ(store_usage_sum, of_other, STORE_USAGE_SUM);
    of_other.session_id = b;
    of_other.by_group = true;
    expect_sums(r, &of_other, "-1 - - - - -: 1 4000000000 1 5000000000 0 0\n");

    RIG_REQ(store_usage_sum, parts, STORE_USAGE_SUM);
    parts.session_id = a;
    parts.by_node = parts.by_agent = parts.by_model = true;
    expect_sums(r, &parts,
                "-1 - con negative p large: 1 100 200 70 0 0\n"
                "-1 - judge - - -: 1 5 6 3 0 1\n"
                "-1 - judge - q small: 1 1000 2000 0 1 0\n"
                "-1 - pro affirmative p small: 2 11 22 8 0 0\n");

    RIG_REQ(store_usage_sum, days, STORE_USAGE_SUM);
    days.by_day = days.by_group = true;
    expect_sums(r, &days,
                "0 - - - - -: 1 4000000000 1 5000000000 0 0\n"
                "0 council - - - -: 2 110 220 77 0 0\n"
                "1 council - - - -: 3 1006 2008 4 1 1\n");
}

static void filters_of_sums(void **state)
{
    struct rig *r = *state;
    session_with(r, "council", A, ROWS(A));
    session_with(r, NULL, B, ROWS(B));

    RIG_REQ(store_usage_sum, group, STORE_USAGE_SUM);
    group.group_id = STR("council");
    expect_sums(r, &group, "-1 - - - - -: 5 1116 2228 81 1 1\n");
    RIG_REQ(store_usage_sum, time, STORE_USAGE_SUM);
    time.from = D0 + 1;
    time.until = D0 + DAY;
    expect_sums(r, &time, "-1 - - - - -: 2 110 220 77 0 0\n");
    RIG_REQ(store_usage_sum, nobody, STORE_USAGE_SUM);
    nobody.workspace = STR("elsewhere");
    expect_sums(r, &nobody, "");

    RIG_REQ(store_usage_sum, first, STORE_USAGE_SUM);
    first.by_model = true;
    first.limit = 1;
    expect_sums(r, &first, "-1 - - - - -: 1 5 6 3 0 1\n");
    assert_true(first.more);
    RIG_REQ(store_usage_sum, whole, STORE_USAGE_SUM);
    whole.by_day = true;
    whole.limit = 2;
    assert_int_equal(rig_run(r, &whole.req), 0);
    assert_false(whole.more);
    assert_null(whole.rows->next->next);
    store_req_deinit(&whole.req);
}

/* What was spent stays known. */
static void sums_outlive_the_session(void **state)
{
    struct rig *r = *state;
    struct id a = session_with(r, "council", A, ROWS(A));

    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = a;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    RIG_REQ(store_usage_sum, u, STORE_USAGE_SUM);
    u.group_id = STR("council");
    expect_sums(r, &u, "-1 - - - - -: 5 1116 2228 81 1 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY(calls_are_summed),
        EVERY(filters_of_sums),
        EVERY(sums_outlive_the_session),
    };

    return RIG_RUN_TESTS(tests);
}
