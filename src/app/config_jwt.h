/* The setting `jwt` of the file: whose tokens are taken. */
#ifndef SLUICE_APP_CONFIG_JWT_H
#define SLUICE_APP_CONFIG_JWT_H

#include "app/config.h"
#include "base/json.h"

/* ERR_INVALID with a sentence that names the key. */
int config_jwt(struct config *c, struct json v, struct errbuf *e);
void config_jwt_print(const struct config *c, struct buf *out);

#endif
