/* What models cost. The well-known ones are in prices.json, which the binary carries; what the
 * settings and --prices say comes first.
 *
 * A model's name matches a row of prices.json when it is the same, or the same with a date or
 * "-latest" behind it (gpt-4o-mini-2024-07-18). In other rows '*' stands for any run of characters,
 * in the provider's name as well.
 */
#ifndef SLUICE_LLM_PRICES_H
#define SLUICE_LLM_PRICES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "engine/rules.h"

#define LLM_PRICES_MAX       256 /* rows of the settings, and of --prices */
#define LLM_PRICE_USD_MAX    1000
#define LLM_PRICE_TEXT_BYTES 24

enum llm_price_source { LLM_PRICE_BUILTIN, LLM_PRICE_SETTINGS, LLM_PRICE_FILE };

struct llm_price_row {
    const char *provider, *model; /* patterns; provider NULL: any. Of prices.json: its maker */
    struct price price;
    enum llm_price_source source;
};
struct llm_prices {
    const struct llm_price_row *rows; /* the caller's memory */
    unsigned count;
};

/* False: the price is not known, *out is left alone. `p` may be NULL. */
bool llm_price_find(const struct llm_prices *p, struct str provider, struct str model,
                    struct price *out);
/* prices.json and the day it was right. */
const struct llm_prices *llm_prices_builtin(const char **as_of);

/* Adds [{model, provider?, input, output}…], dollars for a million tokens, to `rows` (of
 * LLM_PRICES_MAX); their texts are kept in the arena. ERR_INVALID: `e` names the row. */
int llm_prices_read(struct json list, enum llm_price_source source, struct arena *arena,
                    struct llm_price_row *rows, unsigned *count, struct errbuf *e);

/* Dollars as a JSON number has them to micro-dollars: exactly, or not at all. */
bool llm_price_parse(struct str number, int64_t *micros);
/* And back, without zeros at its end. */
void llm_price_text(int64_t micros, char out[LLM_PRICE_TEXT_BYTES]);

#endif
