/* The setting `providers`, and those that are there without it. Only for config.c, and for keys
 * that are read again. */
#ifndef SLUICE_APP_CONFIG_PROVIDERS_H
#define SLUICE_APP_CONFIG_PROVIDERS_H

#include "app/config.h"
#include "base/json.h"

/* ERR_INVALID with a sentence that names the key. */
int config_providers_file(struct config *c, struct json list, struct errbuf *e);
/* The default provider from the environment, in front; `demo`, unless it is there. */
void config_providers_rest(struct config *c);
void config_providers_print(const struct config *c, struct buf *out);

/* The key in a file, without white space around it; free() it. NULL: e says why. */
char *config_key_read(const char *path, struct errbuf *e);

#endif
