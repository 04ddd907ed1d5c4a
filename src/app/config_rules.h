/* The parts of the settings file that the engine is told: prices, breakers. Only for config.c. */
#ifndef SLUICE_APP_CONFIG_RULES_H
#define SLUICE_APP_CONFIG_RULES_H

#include "app/config.h"
#include "base/json.h"

/* ERR_INVALID with a sentence that names the key. */
int config_prices(struct config *c, struct json list, enum llm_price_source source,
                  struct errbuf *e);
void config_prices_join(struct config *c); /* all of them, in order, to c->prices */
int config_breakers(struct config *c, struct json v, struct errbuf *e);
void config_rules_print(const struct config *c, struct buf *out);

#endif
