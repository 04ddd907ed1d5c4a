/* What models cost. A few well-known ones are known here, as their makers had it in October 2025;
 * the settings' `prices` come first.
 *
 * A model's name matches a row when it is the same, or the same with a date or "-latest" behind it
 * (gpt-4o-mini-2024-07-18). In rows of the settings '*' stands for any run of characters, in the
 * provider's name as well.
 */
#ifndef SLUICE_LLM_PRICES_H
#define SLUICE_LLM_PRICES_H

#include <stdbool.h>

#include "base/buf.h"
#include "engine/rules.h"

#define LLM_PRICES_MAX 256 /* rows of the settings */

struct llm_price_row {
    const char *provider, *model; /* patterns; the caller's memory; provider NULL: any */
    struct price price;
};
struct llm_prices {
    struct llm_price_row rows[LLM_PRICES_MAX];
    unsigned count;
};

/* False: the price is not known, *out is left alone. `p` may be NULL. */
bool llm_price_find(const struct llm_prices *p, struct str provider, struct str model,
                    struct price *out);

#endif
