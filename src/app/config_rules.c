/* The settings `prices` and `breakers` of the file. */
#include "app/config_rules.h"

#include <math.h>
#include <stdlib.h>

static char *keep_text(struct config *c, struct json v)
{
    char *text = json_strdup(v), *kept = text ? arena_strdup(&c->arena, str_of(text)) : NULL;
    free(text);
    return kept;
}

/* Dollars for a million tokens. */
static bool price_read(struct json v, int64_t *out)
{
    double usd;
    if (!json_double(v, &usd) || usd < 0 || usd > 1000)
        return false;
    *out = (int64_t)llround(usd * 1e6);
    return true;
}

static bool price_member(struct config *c, struct llm_price_row *row, const struct json_iter *it)
{
    if (json_iter_key_is(it, "provider"))
        return (row->provider = keep_text(c, it->value)) != NULL;
    if (json_iter_key_is(it, "model"))
        return (row->model = keep_text(c, it->value)) != NULL;
    if (json_iter_key_is(it, "input"))
        return price_read(it->value, &row->price.input);
    if (json_iter_key_is(it, "output"))
        return price_read(it->value, &row->price.output);
    return false;
}

int config_prices(struct config *c, struct json list, struct errbuf *e)
{
    struct json_iter rows, it;
    if (json_type(list) != JSON_ARRAY || json_length(list) > LLM_PRICES_MAX)
        return err_set(e, ERR_INVALID, "prices: wants a list of at most %d", LLM_PRICES_MAX);
    json_iter_init(&rows, list);
    while (json_iter_next(&rows)) {
        struct llm_price_row row = {.price = {-1, -1}};
        json_iter_init(&it, rows.value);
        while (json_iter_next(&it))
            if (!price_member(c, &row, &it))
                return err_set(e, ERR_INVALID, "prices[%zu].%.*s: unknown key or bad value",
                               rows.index, STR_FMT(it.key));
        if (!row.model || row.price.input < 0 || row.price.output < 0)
            return err_set(e, ERR_INVALID, "prices[%zu]: model, input and output are required",
                           rows.index);
        c->prices.rows[c->prices.count++] = row;
    }
    return 0;
}

int config_breakers(struct config *c, struct json v, struct errbuf *e)
{
    struct breaker_limits *b = &c->breakers;
    struct json_iter it;
    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "breakers: wants a mapping");
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        double *out = json_iter_key_is(&it, "loop_depth")     ? &b->loop_depth
                      : json_iter_key_is(&it, "tokens_per_s") ? &b->tokens_per_s
                      : json_iter_key_is(&it, "repetition")   ? &b->repetition
                      : json_iter_key_is(&it, "variety")      ? &b->variety
                                                              : NULL;
        double value = 0;
        bool ok = out && (json_type(it.value) == JSON_NULL || json_double(it.value, &value));
        if (!ok || value < 0 || value > 1e9 || (out == &b->variety && value > 1))
            return err_set(e, ERR_INVALID, "breakers.%.*s: unknown key or bad value",
                           STR_FMT(it.key));
        *out = value;
    }
    return 0;
}

void config_rules_print(const struct config *c, struct buf *out)
{
    const struct breaker_limits *b = &c->breakers;
    buf_append_z(out, "breakers:\n");
    buf_printf(out, "  loop_depth: %g\n  tokens_per_s: %g\n  repetition: %g\n  variety: %g\n",
               b->loop_depth, b->tokens_per_s, b->repetition, b->variety);
    if (c->prices.count)
        buf_append_z(out, "prices:\n");
    for (unsigned i = 0; i < c->prices.count; i++) {
        const struct llm_price_row *r = &c->prices.rows[i];
        buf_append_z(out, "  - model: ");
        json_write_string(out, str_of(r->model));
        if (r->provider) {
            buf_append_z(out, "\n    provider: ");
            json_write_string(out, str_of(r->provider));
        }
        buf_printf(out, "\n    input: %g\n    output: %g\n", (double)r->price.input / 1e6,
                   (double)r->price.output / 1e6);
    }
}
