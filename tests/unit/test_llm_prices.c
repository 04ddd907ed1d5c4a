#include "unit.h"

#include <string.h>

#include "llm/prices.h"

static void finds(const struct llm_prices *p, const char *provider, const char *model,
                  int64_t input)
{
    struct price out = {-1, -1};
    bool found = llm_price_find(p, str_of(provider), str_of(model), &out);
    if (found != (input >= 0) || out.input != input)
        fail_msg("%s %s: %lld instead of %lld", provider, model, (long long)out.input,
                 (long long)input);
}

static void well_known_models(void **state)
{
    (void)state;
    finds(NULL, "default", "gpt-4o-mini", 150000);
    finds(NULL, "default", "gpt-4o-mini-2024-07-18", 150000);
    finds(NULL, "default", "gpt-4o-2024-08-06", 2500000);
    finds(NULL, "x", "claude-3-5-haiku-latest", 800000);
    finds(NULL, "x", "claude-sonnet-4-20250514", 3000000);
    finds(NULL, "x", "gpt-4-0613", 30000000);
}

static void others_are_not_guessed(void **state)
{
    static const char *const models[] = {"",         "gpt",          "gpt-4o-",      "gpt-4o-x",
                                         "gpt-4o-1", "gpt-4o-audio", "gpt-4o-mini-", "my-gpt-4o"};
    (void)state;
    for (size_t i = 0; i < ROWS(models); i++)
        finds(NULL, "default", models[i], -1);
}

static void settings_come_first(void **state)
{
    static const struct llm_price_row rows[] = {
        {.model = "gpt-4o", .price = {1, 1}},
        {.provider = "far*", .model = "*", .price = {2, 2}},
        {.provider = "near", .model = "a*b*c", .price = {3, 3}},
    };
    static const struct llm_prices p = {rows, ROWS(rows)};
    (void)state;
    finds(&p, "default", "gpt-4o", 1);
    finds(&p, "default", "gpt-4o-2024-08-06", 2500000);
    finds(&p, "far", "", 2);
    finds(&p, "far-away", "anything", 2);
    finds(&p, "near", "abc", 3);
    finds(&p, "near", "aXbXbXc", 3);
    finds(&p, "near", "aXc", -1);
    finds(&p, "near", "abcd", -1);
}

static void every_maker_is_there(void **state)
{
    static const char *const makers[] = {"openai",   "anthropic", "google",
                                         "deepseek", "mistral",   "qwen"};
    const char *as_of = NULL;
    const struct llm_prices *known = llm_prices_builtin(&as_of);
    (void)state;
    assert_int_equal(strlen(as_of), 10);
    for (size_t i = 0; i < ROWS(makers); i++) {
        unsigned rows = 0;
        for (unsigned k = 0; k < known->count; k++)
            rows += strcmp(known->rows[k].provider, makers[i]) == 0;
        assert_true(rows > 0);
    }
    for (unsigned i = 0; i < known->count; i++) { /* each row is found by its own name */
        struct price out;
        assert_true(llm_price_find(NULL, STR("x"), str_of(known->rows[i].model), &out));
        assert_int_equal(out.input, known->rows[i].price.input);
        assert_int_equal(out.output, known->rows[i].price.output);
    }
    finds(NULL, "x", "text-embedding-3-small", 20000);
    finds(NULL, "x", "claude-opus-4-5-20251101", 5000000);
    finds(NULL, "x", "claude-opus-4-9-20270101", -1); /* not the one before it */
}

static void decimals_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t micros; /* -1: refused */
    } rows[] = {
        {"0", 0},
        {"0.15", 150000},
        {"2.50", 2500000},
        {"0.000001", 1},
        {"0.0000010", 1},
        {"0.0000011", -1},
        {"1e-6", 1},
        {"1.5E+1", 15000000},
        {"15e-1", 1500000},
        {"0.1", 100000},
        {"0.7", 700000},
        {"1000", 1000000000},
        {"1000.000001", -1},
        {"1e3", 1000000000},
        {"1e4", -1},
        {"1e20", -1},
        {"0e20", 0},
        {"-1", -1},
        {"1e-21", -1},
        {"9223372036854775807", -1},
        {"123456789012345678901234567890", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t micros = -1;
        bool ok = llm_price_parse(str_of(rows[i].text), &micros);
        if (micros != rows[i].micros || ok != (micros >= 0))
            fail_msg("%s: %lld", rows[i].text, (long long)micros);
    }
}

static void texts_say_what_was_read(void **state)
{
    static const struct {
        int64_t micros;
        const char *text;
    } rows[] = {{0, "0"},          {1, "0.000001"},      {150000, "0.15"},         {10000000, "10"},
                {1250000, "1.25"}, {1000000000, "1000"}, {999999999, "999.999999"}};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[LLM_PRICE_TEXT_BYTES];
        int64_t micros = -1;
        llm_price_text(rows[i].micros, text);
        assert_string_equal(text, rows[i].text);
        assert_true(llm_price_parse(str_of(text), &micros));
        assert_int_equal(micros, rows[i].micros);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_known_models),   cmocka_unit_test(others_are_not_guessed),
        cmocka_unit_test(settings_come_first), cmocka_unit_test(every_maker_is_there),
        cmocka_unit_test(decimals_are_exact),  cmocka_unit_test(texts_say_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
