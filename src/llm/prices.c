#include "llm/prices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm/prices_file.h"

#define EXPONENT_MAX 20

/* "-2024-07-18", "-20250929", "-0613", "-latest"; not "-5-20251101", which is another model's */
static bool is_version(struct str rest)
{
    size_t digits = 0, first = 0;
    if (rest.n == 0 || str_eqz(rest, "-latest"))
        return true;
    if (rest.p[0] != '-')
        return false;
    for (size_t i = 1; i < rest.n; i++) {
        bool is_digit = rest.p[i] >= '0' && rest.p[i] <= '9';
        if (!is_digit && rest.p[i] != '-')
            return false;
        digits = is_digit ? digits + 1 : 0;
        if (i == digits)
            first = digits;
    }
    return first >= 4;
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

/* ---- numbers ---- */

/* Digits of a JSON number, and where its point stands. */
struct decimal {
    int64_t digits; /* without the point */
    int scale;      /* how many of them are behind it */
};

static bool decimal_read(struct str t, struct decimal *d)
{
    size_t i = 0;
    bool behind = false;
    *d = (struct decimal){0};
    for (; i < t.n && t.p[i] != 'e' && t.p[i] != 'E'; i++) {
        if (t.p[i] == '.') {
            behind = true;
            continue;
        }
        if (t.p[i] < '0' || t.p[i] > '9' || d->digits > INT64_MAX / 100)
            return false;
        d->digits = d->digits * 10 + (t.p[i] - '0');
        d->scale += behind;
    }
    if (i < t.n) {
        char exponent[8] = "";
        if (t.n - i - 1 >= sizeof(exponent))
            return false;
        memcpy(exponent, t.p + i + 1, t.n - i - 1);
        long e = strtol(exponent, NULL, 10);
        if (e < -EXPONENT_MAX || e > EXPONENT_MAX)
            return false;
        d->scale -= (int)e;
    }
    return true;
}

bool llm_price_parse(struct str number, int64_t *micros)
{
    const int64_t most = (int64_t)LLM_PRICE_USD_MAX * 1000000;
    struct decimal d;
    if (number.n == 0 || !decimal_read(number, &d))
        return false;
    for (; d.scale > 6; d.scale--) { /* no more than six that say something */
        if (d.digits % 10)
            return false;
        d.digits /= 10;
    }
    for (; d.scale < 6 && d.digits <= most; d.scale++)
        d.digits *= 10;
    if (d.digits > most)
        return false;
    *micros = d.digits;
    return true;
}

void llm_price_text(int64_t micros, char out[LLM_PRICE_TEXT_BYTES])
{
    size_t n = (size_t)snprintf(out, LLM_PRICE_TEXT_BYTES, "%lld.%06lld",
                                (long long)(micros / 1000000), (long long)(micros % 1000000));
    while (out[n - 1] == '0')
        out[--n] = '\0';
    if (out[n - 1] == '.')
        out[--n] = '\0';
}

/* ---- rows ---- */

static const char *keep_text(struct arena *arena, struct json v)
{
    char *text = json_strdup(v), *kept = text ? arena_strdup(arena, str_of(text)) : NULL;
    free(text);
    return kept;
}

static bool price_read(struct json v, int64_t *out)
{
    return json_type(v) == JSON_NUMBER && llm_price_parse(json_raw(v), out);
}

static bool row_member(struct arena *arena, struct llm_price_row *row, const struct json_iter *it)
{
    if (json_iter_key_is(it, "provider"))
        return json_type(it->value) == JSON_NULL ||
               (row->provider = keep_text(arena, it->value)) != NULL;
    if (json_iter_key_is(it, "model"))
        return (row->model = keep_text(arena, it->value)) != NULL;
    if (json_iter_key_is(it, "input"))
        return price_read(it->value, &row->price.input);
    if (json_iter_key_is(it, "output"))
        return price_read(it->value, &row->price.output);
    return false;
}

int llm_prices_read(struct json list, enum llm_price_source source, struct arena *arena,
                    struct llm_price_row *rows, unsigned *count, struct errbuf *e)
{
    struct json_iter each, it;
    if (json_type(list) != JSON_ARRAY || json_length(list) > LLM_PRICES_MAX - *count)
        return err_set(e, ERR_INVALID, "prices: wants a list of at most %d", LLM_PRICES_MAX);
    json_iter_init(&each, list);
    while (json_iter_next(&each)) {
        struct llm_price_row row = {.price = {-1, -1}, .source = source};
        json_iter_init(&it, each.value);
        while (json_iter_next(&it))
            if (!row_member(arena, &row, &it))
                return err_set(e, ERR_INVALID,
                               "prices[%zu].%.*s: unknown key or bad value; model, provider, "
                               "input and output in dollars for a million tokens are known, with "
                               "six decimals at most",
                               each.index, STR_FMT(it.key));
        if (!row.model || row.price.input < 0 || row.price.output < 0)
            return err_set(e, ERR_INVALID, "prices[%zu]: model, input and output are required",
                           each.index);
        rows[(*count)++] = row;
    }
    return 0;
}

/* ---- prices.json ---- */

static struct {
    struct arena arena;
    struct llm_price_row rows[LLM_PRICES_MAX];
    struct llm_prices prices;
    const char *as_of;
} builtin;

/* It is ours, and a test reads it: what is wrong with it is a mistake of the build. */
static void builtin_read(void)
{
    struct errbuf e = {""};
    struct str text = {(const char *)prices_file, prices_file_len};
    struct json_iter makers;
    arena_init(&builtin.arena);
    if (json_check(text, NULL, &e))
        abort();
    builtin.as_of = keep_text(&builtin.arena, json_get(json_root(text), "as_of"));
    json_iter_init(&makers, json_get(json_root(text), "makers"));
    while (json_iter_next(&makers)) {
        const char *maker = keep_text(&builtin.arena, json_get(makers.value, "provider"));
        unsigned first = builtin.prices.count;
        if (llm_prices_read(json_get(makers.value, "models"), LLM_PRICE_BUILTIN, &builtin.arena,
                            builtin.rows, &builtin.prices.count, &e))
            abort();
        for (unsigned i = first; i < builtin.prices.count; i++)
            builtin.rows[i].provider = maker;
    }
    builtin.prices.rows = builtin.rows;
}

const struct llm_prices *llm_prices_builtin(const char **as_of)
{
    if (!builtin.prices.rows)
        builtin_read();
    if (as_of)
        *as_of = builtin.as_of;
    return &builtin.prices;
}

/* ---- looking up ---- */

static bool builtin_matches(const struct llm_price_row *r, struct str model)
{
    size_t n = strlen(r->model);
    return model.n >= n && !memcmp(model.p, r->model, n) &&
           is_version((struct str){model.p + n, model.n - n});
}

bool llm_price_find(const struct llm_prices *p, struct str provider, struct str model,
                    struct price *out)
{
    const struct llm_prices *known = llm_prices_builtin(NULL);
    for (unsigned i = 0; p && i < p->count; i++) {
        if (row_matches(&p->rows[i], provider, model)) {
            *out = p->rows[i].price;
            return true;
        }
    }
    for (unsigned i = 0; i < known->count; i++) {
        if (builtin_matches(&known->rows[i], model)) {
            *out = known->rows[i].price;
            return true;
        }
    }
    return false;
}
