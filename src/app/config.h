/* Settings of `sluice serve`: flags win over environment (SLUICE_<FLAG>), environment over the file
 * (--config FILE, YAML). See docs/LIMITS.md for limits and README.md for use.
 */
#ifndef SLUICE_APP_CONFIG_H
#define SLUICE_APP_CONFIG_H

#include <stdbool.h>

#include "app/keys.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/rules.h"
#include "llm/llm.h"
#include "llm/prices.h"
#include "tools/tool.h"

#define CONFIG_PROVIDERS_MAX 32
#define CONFIG_SETTINGS_MAX  32

/* The model that makes vectors. model NULL: none, memory is searched by its words alone. */
struct config_embedding {
    const char *provider; /* set when model is */
    const char *model;
    unsigned dimensions; /* 0: as many as the model gives */
    const char *from;    /* for config_print */
};

struct config {
    const char *listen; /* HOST:PORT as given */
    const char *host;
    int port;
    const char *data;          /* folder of the embedded store */
    const char *store, *cache; /* URLs, or NULL */
    const char *file;          /* --config */
    const char *examples;      /* folder of workflows that are put at start unless they are there */
    const char *auth;          /* auto, required, off */
    enum auth_mode auth_mode;
    struct tokens_config jwt; /* issuer NULL: none */
    const char *origins;
    const char *plugins;    /* files, with commas between; or NULL */
    const char *secret_key; /* or NULL */
    enum log_level log_level;
    bool log_json;
    bool migrate;
    int64_t retain_tokens_ms, retain_sessions_ms, retain_keys_ms; /* 0: for ever */
    int64_t retain_audit_ms;
    int rate_limit;                 /* a second; 0: off */
    const char *tls_cert, *tls_key; /* files, both or none */
    bool behind_proxy;
    int64_t drain_ms; /* how long running model calls may go on at a shutdown with others alive */
    int64_t queue_timeout_ms;              /* of a model call in its provider's queue */
    bool print;                            /* --print-config */
    const char *from[CONFIG_SETTINGS_MAX]; /* where each setting came from, for config_print */
    struct llm_provider providers[CONFIG_PROVIDERS_MAX + 2]; /* + the environment's and demo */
    unsigned provider_count;
    struct config_embedding embedding;
    struct llm_prices prices;                       /* those that come before the known ones */
    struct llm_price_row *prices_file, *prices_set; /* of --prices, of the settings; or NULL */
    unsigned prices_file_count, prices_set_count;
    struct breaker_limits breakers; /* of workflows that say nothing */
    struct tools_settings tools;
    struct arena arena; /* of every string above */
};

/* args: those after `serve`. ERR_INVALID with a sentence that names the flag, key or variable. */
int config_load(struct config *c, int argc, char **argv, struct errbuf *e);
void config_deinit(struct config *c);
/* The result as YAML, secrets hidden, and where each value came from. */
void config_print(const struct config *c, struct buf *out);
void config_usage(struct buf *out);
bool config_is_loopback(const char *host);

#endif
