#include "engine_fixture.h"

/* A session's totals are the sum over its calls, each at the price list's values: whatever is
 * called, cut, tried again, done side by side or in rounds, over pauses and restarts. */

#define COUNCIL                                                                                    \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [rounds]}\n"                                                 \
    "  rounds: {type: loop, properties: {max_rounds: 4}, next_ids: [panel, end]}\n"                \
    "  panel: {type: parallel, next_ids: [a, b, c]}\n"                                             \
    "  a: {type: llm, retry: {max_attempts: 50, initial_ms: 0}, properties: {prompt: A}, "         \
    "next_ids: [d]}\n"                                                                             \
    "  b: {type: llm, retry: {max_attempts: 50, initial_ms: 0}, properties: {prompt: B, "          \
    "model: b}, next_ids: [d]}\n"                                                                  \
    "  c: {type: agent, retry: {max_attempts: 50, initial_ms: 0}, properties: {agent_id: con, "    \
    "agent: {persona: P}, prompt: C, provider: p, model: c}, next_ids: [d]}\n"                     \
    "  d: {type: llm, retry: {max_attempts: 50, initial_ms: 0}, properties: {prompt: D}, "         \
    "next_ids: [rounds]}\n"                                                                        \
    "  end: {type: end}\n"

#define MODELS 3
static const char *const models[MODELS] = {"a", "b", "c"};

static bool price_of(const void *data, struct str provider, struct str model, struct price *out)
{
    const struct price *prices = data;
    (void)provider;
    for (int i = 0; i < MODELS; i++)
        if (!model.p || str_eqz(model, models[i])) {
            *out = prices[i];
            return true;
        }
    return false;
}

static void names_of(const void *data, struct str *provider, struct str *model)
{
    (void)data;
    if (!provider->p)
        *provider = STR("p");
    if (!model->p)
        *model = STR("a");
}

static uint64_t dice(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

/* In wide integers, so that nothing of the engine's arithmetic is taken over. */
static int64_t cost(const struct price *p, int64_t input, int64_t output)
{
    __int128 millionths = (__int128)input * p->input + (__int128)output * p->output;
    return (int64_t)((millionths + 500000) / 1000000);
}

struct sums {
    int64_t calls, input, output, micros, estimated;
};

static void sums_add(struct sums *s, const struct price *p, int64_t input, int64_t output)
{
    s->calls++;
    s->input += input;
    s->output += output;
    s->micros += cost(p, input, output);
}

/* What the rows say, of all and of those that were told alone. */
static struct sums rows_sum(const struct fix *f, const struct price *prices, bool told_only)
{
    struct sums s = {0};
    for (const struct usage_row *u = f->rows.usage; u; u = u->next) {
        int i = 0;
        while (i < MODELS && !str_eqz(u->model, models[i]))
            i++;
        assert_in_range(i, 0, MODELS - 1);
        assert_str(u->provider, "p");
        assert_int_equal(u->cost_micros, cost(&prices[i], u->input_tokens, u->output_tokens));
        assert_true(str_eqz(u->node_id, "c") == (u->agent_id.p && str_eqz(u->agent_id, "con")));
        if (told_only && u->estimated)
            continue;
        s.estimated += u->estimated;
        sums_add(&s, &prices[i], u->input_tokens, u->output_tokens);
    }
    return s;
}

static void expect_totals(struct fix *f, const struct price *prices, const struct sums *told)
{
    fix_take(f);
    struct sums all = rows_sum(f, prices, false), known = rows_sum(f, prices, true);
    assert_int_equal(all.input, f->s->input_tokens);
    assert_int_equal(all.output, f->s->output_tokens);
    assert_int_equal(all.micros, f->s->spend.micros);
    assert_int_equal(all.estimated, f->s->spend.estimated);
    if (session_status_of(f->s) == SESSION_PAUSED)
        return; /* what was told meanwhile is not taken yet */
    assert_int_equal(known.calls, told->calls);
    assert_int_equal(known.input, told->input);
    assert_int_equal(known.output, told->output);
    assert_int_equal(known.micros, told->micros);
}

static void random_end(struct fix *f, uint64_t *seed, struct id run, const struct price *prices,
                       struct sums *told)
{
    struct engine_input in = {.kind = IN_RUN_FAILED,
                              .run_id = run,
                              .error_code = STR("truncated"),
                              .error_text = STR("It broke."),
                              .retry_after_ms = -1};
    int model = (int)(dice(seed) % MODELS);
    unsigned how = dice(seed) % 4;
    if (how > 0) {
        in = (struct engine_input){.kind = IN_MODEL_DONE,
                                   .run_id = run,
                                   .finish_reason = STR("stop"),
                                   .provider = STR("p"),
                                   .model = str_of(models[model])};
        in.input_tokens = how == 1 ? -1 : (int64_t)(dice(seed) % 100000000);
        in.output_tokens = (int64_t)(dice(seed) % 1000000);
    }
    fix_try(f, in);
    if (how > 1)
        sums_add(told, &prices[model], in.input_tokens, in.output_tokens);
}

static void random_step(struct fix *f, uint64_t *seed, const struct price *prices,
                        struct sums *told)
{
    static const char *const nodes[] = {"a", "b", "c", "d"};
    struct id run = fix_run(f, nodes[dice(seed) % 4]);
    struct work *w = table_get(&f->s->runs, run);
    if (session_status_of(f->s) == SESSION_PAUSED && dice(seed) % 4 == 0) {
        fix_try(f, (struct engine_input){.kind = IN_RESUME});
    } else if (dice(seed) % 30 == 0) {
        fix_try(f, (struct engine_input){.kind = IN_PAUSE});
    } else if (w && !w->lost && !w->ended) {
        if (dice(seed) % 4)
            fix_try(f, (struct engine_input){
                           .kind = IN_CHUNK, .run_id = run, .text = STR("some words")});
        else
            random_end(f, seed, run, prices, told);
    }
}

static void random_session(uint64_t seed)
{
    struct fix f;
    struct price prices[MODELS];
    struct sums told = {0};
    for (int i = 0; i < MODELS; i++)
        prices[i] = (struct price){.input = (int64_t)(dice(&seed) % 30000000),
                                   .output = (int64_t)(dice(&seed) % 150000000)};
    struct engine_rules rules = {
        .price = price_of, .names = names_of, .data = prices, .breakers = {0, 0, 0, 0}};
    fix_open_budget(&f, COUNCIL, "{}", NULL, &rules, false);
    for (int i = 0; i < 4000 && !session_over(f.s); i++) {
        random_step(&f, &seed, prices, &told);
        expect_totals(&f, prices, &told);
        if (dice(&seed) % 50 == 0)
            fix_restart(&f);
    }
    assert_int_equal(session_status_of(f.s), SESSION_COMPLETED);
    assert_true(told.calls >= 12 || f.s->spend.estimated);

    /* To the last digit, in what people read. */
    char want[200];
    struct json usage = json_root(f.rows.row.core.usage_json), usd = json_get(usage, "cost_usd");
    snprintf(want, sizeof(want), "%lld.%06lld", (long long)(f.s->spend.micros / 1000000),
             (long long)(f.s->spend.micros % 1000000));
    struct str got = json_raw(usd);
    assert_memory_equal(got.p, want, got.n);
    for (size_t i = got.n; want[i]; i++)
        assert_true(want[i] == '0' || (want[i] == '.' && i == got.n));
    fix_close(&f);
}

static void totals_are_the_sum_over_the_calls(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        random_session(seed * UINT64_C(0x9e3779b97f4a7c15));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_the_sum_over_the_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
