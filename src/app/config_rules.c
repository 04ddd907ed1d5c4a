/* The settings `prices` and `breakers` of the file. */
#include "app/config_rules.h"

int config_prices(struct config *c, struct json list, enum llm_price_source source,
                  struct errbuf *e)
{
    bool is_file = source == LLM_PRICE_FILE;
    struct llm_price_row **rows = is_file ? &c->prices_file : &c->prices_set;
    if (!*rows)
        *rows = arena_calloc(&c->arena, LLM_PRICES_MAX, sizeof(**rows));
    return llm_prices_read(list, source, &c->arena, *rows,
                           is_file ? &c->prices_file_count : &c->prices_set_count, e);
}

void config_prices_join(struct config *c)
{
    unsigned count = c->prices_file_count + c->prices_set_count;
    struct llm_price_row *rows = arena_calloc(&c->arena, count + 1, sizeof(*rows));
    for (unsigned i = 0; i < count; i++)
        rows[i] =
            i < c->prices_file_count ? c->prices_file[i] : c->prices_set[i - c->prices_file_count];
    c->prices = (struct llm_prices){rows, count};
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
        char input[LLM_PRICE_TEXT_BYTES], output[LLM_PRICE_TEXT_BYTES];
        llm_price_text(r->price.input, input);
        llm_price_text(r->price.output, output);
        buf_printf(out, "\n    input: %s\n    output: %s\n", input, output);
    }
}
