/* The setting `embedding`: which model makes the vectors of memory. Only for config.c. */
#ifndef SLUICE_APP_CONFIG_EMBEDDING_H
#define SLUICE_APP_CONFIG_EMBEDDING_H

#include "app/config.h"
#include "base/json.h"

/* `embedding: {provider?, model?, dimensions?}` of the file. ERR_INVALID names the key. */
int config_embedding(struct config *c, struct json v, struct errbuf *e);
/* SLUICE_EMBEDDING_MODEL, SLUICE_EMBEDDING_DIMENSIONS; then checks, when all providers are known.
 */
int config_embedding_finish(struct config *c, struct errbuf *e);
void config_embedding_print(const struct config *c, struct buf *out);

#endif
