#include "unit.h"

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
    static const struct llm_prices p = {
        .rows = {{NULL, "gpt-4o", {1, 1}}, {"far*", "*", {2, 2}}, {"near", "a*b*c", {3, 3}}},
        .count = 3};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_known_models),
        cmocka_unit_test(others_are_not_guessed),
        cmocka_unit_test(settings_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
