#include "engine_fixture.h"

/* Promise P8: a budget is enforced in the middle of a stream. The request of TALK is 49 bytes, so
 * 13 tokens by the guess. */

#define TALK                                                                                       \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [say]}\n"                                                    \
    "  say: {type: llm, properties: {prompt: 'On {{ input.topic }}'}, next_ids: [end]}\n"          \
    "  end: {type: end}\n"
#define INPUT  "{\"topic\":\"Cats\"}"
#define WORDS8 "eight!!!" /* two tokens by the guess */

static bool price_of(const void *data, struct str provider, struct str model, struct price *out)
{
    (void)provider;
    *out = *(const struct price *)data;
    return !model.p || !str_eqz(model, "unknown");
}
static const struct price dear = {.input = 1000000, .output = 10000000}; /* $1 and $10 */
static const struct engine_rules dear_rules = {
    .price = price_of, .data = &dear, .breakers = BREAKERS_DEFAULT};

static int resume_with(struct fix *f, const char *budget)
{
    return fix_try(f, (struct engine_input){.kind = IN_RESUME,
                                            .budget_json = budget ? str_of(budget) : STR_NULL});
}

static void pauses_at_the_chunk_that_reaches_it(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TALK, INPUT, "{\"tokens\":17}", NULL, false);
    fix_quiet(&f);
    fix_chunk(&f, "say", WORDS8);
    expect(&f, "say [0] \"eight!!!\"\n");
    fix_chunk(&f, "say", WORDS8);
    expect(&f, "say [1] \"eight!!!\"\n"
               "say budget_reached \"tokens\" 17 17\n"
               "session running>paused budget\n");
    fix_chunk(&f, "say", "the rest is withheld");
    fix_done(&f, "say");
    expect(&f, "");
    assert_int_equal(session_status_of(f.s), SESSION_PAUSED);
    fix_close(&f);
}

static void fails_at_the_chunk_that_reaches_it(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TALK, INPUT, "{\"tokens\":17,\"on_limit\":\"fail\"}", NULL, false);
    fix_quiet(&f);
    fix_chunk(&f, "say", WORDS8);
    fix_chunk(&f, "say", WORDS8);
    expect(&f, "say [0] \"eight!!!eight!!!\"\n"
               "say budget_reached \"tokens\" 17 17\n"
               "say message \"eight!!!eight!!!\" \"cancelled\"\n"
               "say token_usage null 4\n"
               "say running>failed cancelled\n"
               "session running>failed budget_exceeded\n");
    expect_effects(&f, "cancel break");
    fix_close(&f);
}

/* Of several models the guess is by the first, and what counts in the end by who answered. */
static void first_of_a_list_is_the_guess(void **state)
{
    static const struct {
        const char *model;
        bool is_known;
    } rows[] = {{"[m, unknown]", true}, {"[unknown, m]", false}};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct fix f;
        char graph[512];
        snprintf(graph, sizeof(graph),
                 "nodes:\n  start: {type: start, next_ids: [say]}\n"
                 "  say: {type: llm, properties: {prompt: Cats, model: %s}, next_ids: [end]}\n"
                 "  end: {type: end}\n",
                 rows[i].model);
        fix_open_budget(&f, graph, INPUT, "{\"cost_usd\":0.00003}", &dear_rules, false);
        fix_quiet(&f);
        fix_chunk(&f, "say", WORDS8); /* twenty millionths */
        expect(&f, rows[i].is_known ? "say [0] \"eight!!!\"\n"
                                      "say budget_reached \"cost_usd\" 0.00003 0.000038\n"
                                      "session running>paused budget\n"
                                    : "say [0] \"eight!!!\"\n");
        fix_close(&f);
    }
}

static void goes_on_with_a_raised_one(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open_budget(&f, TALK, INPUT, "{\"tokens\":14}", NULL, false);
        fix_chunk(&f, "say", WORDS8);
        fix_chunk(&f, "say", " and on");
        fix_done(&f, "say");
        fix_quiet(&f);
        if (restart)
            fix_restart(&f);
        fix_quiet(&f);
        assert_int_equal(resume_with(&f, NULL), ERR_CONFLICT);
        assert_string_equal(session_refusal(f.s), "budget_exhausted");
        assert_non_null(strstr(f.error.text, "used 15 of its budget of 14 tokens"));
        assert_int_equal(resume_with(&f, "{\"tokens\":15}"), ERR_CONFLICT);
        assert_int_equal(resume_with(&f, "{\"tokens\":18}"), 0);
        expect(&f, "session paused>running\n"
                   "say [1] \" and on\"\n"
                   "say token_usage \"m\" 5\n"
                   "say message \"eight!!! and on\" \"stop\"\n"
                   "say running>completed \"eight!!! and on\"\n"
                   "end pending>running\n"
                   "end running>completed \"eight!!! and on\"\n"
                   "session running>completed \"eight!!! and on\"\n");
        assert_str(f.rows.row.core.usage_json,
                   "{\"input_tokens\":3,\"output_tokens\":5,\"cost_usd\":null,"
                   "\"budget\":{\"tokens\":18,\"on_limit\":\"pause\"}}");
        fix_close(&f);
    }
}

/* What was withheld may reach the raised one again: it stops at that chunk, and keeps the rest. */
static void stops_again_in_what_was_withheld(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TALK, INPUT, "{\"tokens\":14}", NULL, false);
    for (int i = 0; i < 4; i++)
        fix_chunk(&f, "say", WORDS8);
    fix_done(&f, "say");
    fix_quiet(&f);
    assert_int_equal(resume_with(&f, "{\"tokens\":17}"), 0);
    expect(&f, "session paused>running\n"
               "say [1] \"eight!!!\"\n"
               "say budget_reached \"tokens\" 17 17\n"
               "session running>paused budget\n");
    expect_effects(&f, "close");
    fix_restart(&f);
    fix_quiet(&f);
    assert_int_equal(resume_with(&f, "{\"tokens\":100}"), 0);
    fix_take(&f);
    assert_int_equal(session_status_of(f.s), SESSION_COMPLETED);
    assert_str(f.rows.row.core.output_json, "\"eight!!!eight!!!eight!!!eight!!!\"");
    assert_null(f.rows.withheld);
    fix_close(&f);
}

/* What is sent counts too: a call that would reach the limit is not made before the resume. */
static void a_call_that_would_reach_it_is_not_made(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open_budget(&f, TALK, INPUT, "{\"tokens\":13}", NULL, false);
        expect(&f, "session pending>running\n"
                   "start pending>running\n"
                   "start running>completed {\"topic\":\"Cats\"}\n"
                   "say pending>running\n"
                   "say budget_reached \"tokens\" 13 0\n"
                   "session running>paused budget\n");
        expect_effects(&f, "close");
        if (restart)
            fix_restart(&f);
        fix_quiet(&f);
        assert_true(session_is_idle(f.s));
        assert_int_equal(resume_with(&f, NULL), ERR_CONFLICT);
        assert_int_equal(resume_with(&f, "{\"tokens\":20}"), 0);
        fix_take(&f);
        expect_effects(&f, "model open");
        assert_non_null(strstr(f.last_request, "On Cats"));
        fix_say(&f, "say", "Hi");
        fix_take(&f);
        assert_int_equal(session_status_of(f.s), SESSION_COMPLETED);
        fix_close(&f);
    }
}

static void a_deferred_call_may_be_cancelled(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TALK, INPUT, "{\"tokens\":13}", NULL, false);
    fix_quiet(&f);
    assert_int_equal(fix_command(&f, IN_CANCEL), 0);
    fix_take(&f);
    expect_effects(&f, "break");
    assert_null(f.rows.effects);
    fix_close(&f);
}

/* 13 tokens sent at $1 a million, and $10 for what is shown. */
static void money_counts_as_well(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TALK, INPUT, "{\"cost_usd\":0.00005}", &dear_rules, false);
    fix_quiet(&f);
    fix_chunk(&f, "say", WORDS8);
    fix_chunk(&f, "say", WORDS8);
    expect(&f, "say [0] \"eight!!!eight!!!\"\n"
               "say budget_reached \"cost_usd\" 0.00005 0.000053\n"
               "session running>paused budget\n");
    assert_int_equal(resume_with(&f, NULL), ERR_CONFLICT);
    assert_non_null(strstr(f.error.text, "$0.000053 of its budget of $0.000050"));
    assert_int_equal(resume_with(&f, "{\"cost_usd\":1}"), 0);
    fix_done(&f, "say");
    fix_take(&f);
    assert_str(f.rows.row.core.usage_json,
               "{\"input_tokens\":3,\"output_tokens\":5,\"cost_usd\":0.000053,"
               "\"budget\":{\"cost_usd\":1,\"on_limit\":\"pause\"}}");
    fix_close(&f);
}

#define TWO                                                                                        \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [a]}\n"                                                      \
    "  a: {type: llm, properties: {prompt: 'A'}, next_ids: [b]}\n"                                 \
    "  b: {type: llm, properties: {prompt: 'B', model: unknown}, next_ids: [end]}\n"               \
    "  end: {type: end}\n"

/* A sum that lacks a part is no sum. */
static void costs_are_null_when_one_is_not_known(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TWO, INPUT, NULL, &dear_rules, false);
    fix_say(&f, "a", "x");
    fix_take(&f);
    assert_str(f.rows.row.core.usage_json,
               "{\"input_tokens\":3,\"output_tokens\":5,\"cost_usd\":0.000053}");
    fix_restart(&f);
    fix_chunk(&f, "b", "x");
    fix_step(&f, (struct engine_input){.kind = IN_MODEL_DONE,
                                       .run_id = fix_run(&f, "b"),
                                       .model = STR("unknown"),
                                       .input_tokens = 3,
                                       .output_tokens = 5});
    fix_take(&f);
    assert_str(f.rows.row.core.usage_json,
               "{\"input_tokens\":6,\"output_tokens\":10,\"cost_usd\":null}");
    fix_close(&f);
}

#define RETRY                                                                                      \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [say]}\n"                                                    \
    "  say:\n"                                                                                     \
    "    type: llm\n"                                                                              \
    "    retry: {max_attempts: 5, initial_ms: 0}\n"                                                \
    "    properties: {prompt: 'On {{ input.topic }}'}\n"                                           \
    "    next_ids: [end]\n"                                                                        \
    "  end: {type: end}\n"

/* A call that fails in mid-stream has cost something, though nobody says how much. */
static void failed_calls_count_as_guessed(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, RETRY, INPUT, "{\"tokens\":40}", NULL, false);
    fix_fail(&f, "say", "http_503"); /* before anything was shown: free */
    fix_chunk(&f, "say", WORDS8);
    fix_fail(&f, "say", "truncated"); /* 15 */
    fix_chunk(&f, "say", WORDS8);
    fix_fail(&f, "say", "truncated"); /* 30; the next would be 43 */
    fix_take(&f);
    assert_int_equal(session_status_of(f.s), SESSION_PAUSED);
    assert_non_null(strstr(fix_text(&f.lines), "budget_reached \"tokens\" 40 30\n"));
    fix_close(&f);
}

/* The usage that the server tells replaces the guess; none told, the guess stays. */
static void guesses_are_replaced(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        struct fix f;
        fix_open_budget(&f, TWO, INPUT, "{\"tokens\":1000}", NULL, false);
        fix_chunk(&f, "a", "four");
        assert_true(f.s->spend.running_tokens > 1);
        int64_t guess = f.s->spend.running_tokens;
        if (told)
            fix_done(&f, "a");
        else
            fix_step(&f, (struct engine_input){.kind = IN_MODEL_DONE,
                                               .run_id = fix_run(&f, "a"),
                                               .input_tokens = -1,
                                               .output_tokens = -1});
        assert_int_equal(f.s->spend.estimated, told ? 0 : 1);
        assert_int_equal(f.s->input_tokens + f.s->output_tokens, told ? 8 : guess);
        fix_close(&f);
    }
}

/* A crash forgets at most a 64th of what the budget allows. */
static void crashes_forget_little(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TALK, INPUT, "{\"tokens\":6400}", NULL, false);
    fix_take(&f);
    unsigned writes = f.rows.core_writes;
    for (int i = 0; i < 500; i++) { /* 1,000 tokens */
        fix_chunk(&f, "say", "12345678");
        fix_take(&f);
    }
    assert_in_range(f.rows.core_writes - writes, 5, 12);
    fix_restart(&f);
    assert_in_range(f.s->input_tokens + f.s->output_tokens, 1013 - 102, 1013);
    fix_close(&f);
}

static void without_one_a_chunk_writes_no_session_row(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, TALK, INPUT, NULL, &dear_rules, false);
    fix_take(&f);
    unsigned writes = f.rows.core_writes;
    for (int i = 0; i < 500; i++) {
        fix_chunk(&f, "say", "12345678");
        fix_take(&f);
    }
    assert_int_equal(f.rows.core_writes, writes);
    fix_close(&f);
}

#define MAP                                                                                        \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [m]}\n"                                                      \
    "  m: {type: map, properties: {items: '{\"a\",\"b\",\"c\"}', body: [say]}, next_ids: [end]}\n" \
    "  say: {type: llm, properties: {prompt: 'On {{ map.item }}'}}\n"                              \
    "  end: {type: end}\n"

/* Calls of a map's items are held back like any other. */
static void items_are_held_back(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open_budget(&f, MAP, INPUT, "{\"tokens\":30}", NULL, false);
        fix_take(&f);
        assert_non_null(strstr(fix_text(&f.lines), "say@3 budget_reached") ||
                                strstr(fix_text(&f.lines), "say budget_reached")
                            ? "yes"
                            : NULL);
        assert_int_equal(session_status_of(f.s), SESSION_PAUSED);
        assert_int_equal(f.started_count, 2);
        if (restart)
            fix_restart(&f);
        assert_int_equal(resume_with(&f, "{\"tokens\":1000}"), 0);
        fix_take(&f);
        for (unsigned i = 0; i < 5 && session_status_of(f.s) == SESSION_RUNNING; i++) {
            struct fix_call *c = fix_call(&f, i);
            if (table_get(&f.s->runs, c->id))
                fix_call_says(&f, c, "Hi", NULL);
        }
        fix_take(&f);
        assert_str(f.rows.row.core.output_json, "[\"Hi\",\"Hi\",\"Hi\"]");
        fix_close(&f);
    }
}

#define VOTES                                                                                      \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [m]}\n"                                                      \
    "  m: {type: map, properties: {items: '{\"a\"}', body: [poll]}, next_ids: [end]}\n"            \
    "  poll: {type: vote, properties: {voters: [{name: x}, {name: y}, {name: z}], question: 'On "  \
    "{{ map.item }}'}}\n"                                                                          \
    "  end: {type: end}\n"

/* The resume lets one of two go, and stops at the other: the event is of the item's own node. */
static void held_back_twice(void **state)
{
    (void)state;
    struct fix f;
    fix_open_budget(&f, VOTES, INPUT, "{\"tokens\":200}", NULL, false);
    fix_take(&f);
    assert_int_equal(f.started_count, 1);
    fix_quiet(&f);
    assert_int_equal(resume_with(&f, "{\"tokens\":360}"), 0);
    fix_take(&f);
    assert_int_equal(f.started_count, 2);
    assert_int_equal(session_status_of(f.s), SESSION_PAUSED);
    assert_non_null(strstr(fix_text(&f.lines), "poll budget_reached \"tokens\" 360"));
    fix_close(&f);
}

/* ---- what is used never exceeds the limit by more than a chunk ---- */

#define MANY                                                                                       \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [p]}\n"                                                      \
    "  p: {type: parallel, next_ids: [a, b, c]}\n"                                                 \
    "  a: {type: llm, properties: {prompt: 'A'}, next_ids: [d]}\n"                                 \
    "  b: {type: llm, properties: {prompt: 'B'}, next_ids: [d]}\n"                                 \
    "  c: {type: llm, properties: {prompt: 'C'}, next_ids: [d]}\n"                                 \
    "  d: {type: llm, properties: {prompt: 'D'}, next_ids: [end]}\n"                               \
    "  end: {type: end}\n"

static uint64_t dice(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

static int64_t used(const struct fix *f)
{
    return f->s->input_tokens + f->s->output_tokens + f->s->spend.running_tokens;
}

static void random_input(struct fix *f, uint64_t *seed)
{
    static const char *const nodes[] = {"a", "b", "c", "d"};
    static const char text[] = "a chunk of some length, cut anywhere";
    const char *node = nodes[dice(seed) % 4];
    struct id run = fix_run(f, node);
    struct engine_input in = {.kind = IN_CHUNK, .run_id = run, .retry_after_ms = -1};
    struct work *w = table_get(&f->s->runs, run);
    if (!w || w->lost || w->deferred)
        return;
    in.text = (struct str){text, 1 + dice(seed) % (sizeof(text) - 1)};
    if (dice(seed) % 8 == 0) { /* the server counts as the guess does */
        in = (struct engine_input){.kind = IN_MODEL_DONE, .run_id = run};
        in.input_tokens = w->meter.input;
        in.output_tokens = (w->meter.shown_bytes + 3) / 4;
    }
    fix_try(f, in);
}

static void random_session(uint64_t seed)
{
    struct fix f;
    char budget[64];
    int64_t limit = 20 + (int64_t)(dice(&seed) % 200);
    snprintf(budget, sizeof(budget), "{\"tokens\":%lld}", (long long)limit);
    fix_open_budget(&f, MANY, INPUT, budget, NULL, false);
    for (int i = 0; i < 300 && !session_over(f.s); i++) {
        int64_t before = used(&f);
        bool ran = session_status_of(f.s) == SESSION_RUNNING;
        random_input(&f, &seed);
        if (used(&f) > limit + 9)
            fail_msg("seed %llu: %lld used of %lld", (unsigned long long)seed, (long long)used(&f),
                     (long long)limit);
        if (ran && used(&f) >= limit && session_status_of(f.s) == SESSION_RUNNING)
            fail_msg("runs at its limit");
        if (!ran)
            assert_int_equal(used(&f), before);
        if (dice(&seed) % 20 == 0)
            fix_restart(&f);
        if (session_status_of(f.s) == SESSION_PAUSED && dice(&seed) % 4 == 0) {
            limit += 1 + (int64_t)(dice(&seed) % 60);
            snprintf(budget, sizeof(budget), "{\"tokens\":%lld}", (long long)limit);
            resume_with(&f, budget);
        }
    }
    fix_close(&f);
}

static void used_never_exceeds_it_by_more_than_a_chunk(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++)
        random_session(seed * UINT64_C(0x9e3779b97f4a7c15));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_at_the_chunk_that_reaches_it),
        cmocka_unit_test(fails_at_the_chunk_that_reaches_it),
        cmocka_unit_test(first_of_a_list_is_the_guess),
        cmocka_unit_test(goes_on_with_a_raised_one),
        cmocka_unit_test(stops_again_in_what_was_withheld),
        cmocka_unit_test(a_call_that_would_reach_it_is_not_made),
        cmocka_unit_test(a_deferred_call_may_be_cancelled),
        cmocka_unit_test(money_counts_as_well),
        cmocka_unit_test(costs_are_null_when_one_is_not_known),
        cmocka_unit_test(failed_calls_count_as_guessed),
        cmocka_unit_test(guesses_are_replaced),
        cmocka_unit_test(crashes_forget_little),
        cmocka_unit_test(without_one_a_chunk_writes_no_session_row),
        cmocka_unit_test(items_are_held_back),
        cmocka_unit_test(held_back_twice),
        cmocka_unit_test(used_never_exceeds_it_by_more_than_a_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
