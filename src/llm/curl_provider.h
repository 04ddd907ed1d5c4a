/* What is fixed for all calls of one provider: URL, headers, proxy rule. Private to curl_*.c. */
#ifndef SLUICE_LLM_CURL_PROVIDER_H
#define SLUICE_LLM_CURL_PROVIDER_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"
#include "llm/dialect.h"
#include "llm/llm.h"

struct curl_provider {
    const struct llm_provider *config;
    const struct dialect *dialect;
    char *url;
    struct curl_slist *headers;   /* the same for every call; by curl_provider_headers() */
    const char *key;              /* the one in them */
    struct curl_retired *retired; /* headers with older keys: calls under way have them */
    bool is_openai;               /* OpenAI itself */
    bool is_loopback;             /* never by a proxy */
    bool is_address;              /* all that libcurl connects to is one address */
    bool has_tap;                 /* what stands in its sockets are answers as they are */
    struct list reading;          /* calls by the time of their last byte, oldest first */
    struct list connecting;       /* calls by their beginning, oldest first; if is_address */
    struct curl_spare *spares;    /* handles to use again */
    size_t spare_count;
};

/* path: behind the base URL; NULL: that of the dialect. ERR_INVALID: e says what is wrong with
 * base_url or api_key (without the key). */
int curl_provider_init(struct curl_provider *p, const struct llm_provider *config, const char *path,
                       struct errbuf *e);
void curl_provider_deinit(struct curl_provider *p);

/* With the key that the provider has now. */
struct curl_slist *curl_provider_headers(struct curl_provider *p);

/* A handle with all options of the provider that do not change from call to call; NULL: no memory.
 */
CURL *curl_provider_easy(const struct curl_provider *p);

/* The same for one who sees to the connect timeout where is_address; one that was given back, if
 * there is one. NULL: no memory. */
CURL *curl_provider_take(struct curl_provider *p);
/* It is in no multi handle. */
void curl_provider_give(struct curl_provider *p, CURL *easy);
void curl_provider_drop_spares(struct curl_provider *p); /* before the provider goes */

/* Replaces the provider's key, which some servers repeat in their errors. */
void curl_provider_redact(const struct curl_provider *p, struct errbuf *text);

#endif
