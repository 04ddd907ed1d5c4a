#include "llm/prices.h"

#include <string.h>

/* Micro-dollars for a million tokens: in, out. */
static const struct {
    const char *model;
    struct price price;
} known[] = {
    {"gpt-5", {1250000, 10000000}},
    {"gpt-5-mini", {250000, 2000000}},
    {"gpt-5-nano", {50000, 400000}},
    {"gpt-4.1", {2000000, 8000000}},
    {"gpt-4.1-mini", {400000, 1600000}},
    {"gpt-4.1-nano", {100000, 400000}},
    {"gpt-4o", {2500000, 10000000}},
    {"gpt-4o-mini", {150000, 600000}},
    {"gpt-4-turbo", {10000000, 30000000}},
    {"gpt-4", {30000000, 60000000}},
    {"gpt-3.5-turbo", {500000, 1500000}},
    {"o1", {15000000, 60000000}},
    {"o3", {2000000, 8000000}},
    {"o3-mini", {1100000, 4400000}},
    {"o4-mini", {1100000, 4400000}},
    {"claude-opus-4-1", {15000000, 75000000}},
    {"claude-opus-4", {15000000, 75000000}},
    {"claude-sonnet-4-5", {3000000, 15000000}},
    {"claude-sonnet-4", {3000000, 15000000}},
    {"claude-haiku-4-5", {1000000, 5000000}},
    {"claude-3-7-sonnet", {3000000, 15000000}},
    {"claude-3-5-sonnet", {3000000, 15000000}},
    {"claude-3-5-haiku", {800000, 4000000}},
    {"claude-3-haiku", {250000, 1250000}},
    {"gemini-2.5-pro", {1250000, 10000000}},
    {"gemini-2.5-flash", {300000, 2500000}},
    {"gemini-2.5-flash-lite", {100000, 400000}},
    {"gemini-2.0-flash", {100000, 400000}},
    {"deepseek-chat", {280000, 420000}},
    {"deepseek-reasoner", {280000, 420000}},
};

/* "-2024-07-18", "-20250929", "-0613", "-latest" */
static bool is_version(struct str rest)
{
    size_t digits = 0;
    if (rest.n == 0 || str_eqz(rest, "-latest"))
        return true;
    for (size_t i = 0; i < rest.n; i++) {
        bool is_digit = rest.p[i] >= '0' && rest.p[i] <= '9';
        digits += is_digit;
        if (!is_digit && rest.p[i] != '-')
            return false;
    }
    return rest.p[0] == '-' && digits >= 4;
}

/* '*' is any run; no backtracking beyond the last one is needed. */
static bool pattern_matches(const char *pattern, struct str text)
{
    const char *star = NULL;
    size_t at = 0, marked = 0;
    while (at < text.n) {
        if (*pattern == '*') {
            star = pattern++;
            marked = at;
        } else if (*pattern == text.p[at]) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star + 1;
            at = ++marked;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool row_matches(const struct llm_price_row *r, struct str provider, struct str model)
{
    return (!r->provider || pattern_matches(r->provider, provider)) &&
           pattern_matches(r->model, model);
}

bool llm_price_find(const struct llm_prices *p, struct str provider, struct str model,
                    struct price *out)
{
    for (unsigned i = 0; p && i < p->count; i++) {
        if (row_matches(&p->rows[i], provider, model)) {
            *out = p->rows[i].price;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t n = strlen(known[i].model);
        if (model.n >= n && !memcmp(model.p, known[i].model, n) &&
            is_version((struct str){model.p + n, model.n - n})) {
            *out = known[i].price;
            return true;
        }
    }
    return false;
}
