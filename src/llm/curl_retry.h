/* When a failed request is sent again, as the published clients of these servers do it. Private to
 * curl_*.c. */
#ifndef SLUICE_LLM_CURL_RETRY_H
#define SLUICE_LLM_CURL_RETRY_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

#define CURL_RETRY_ASKED_MS_MAX 60000 /* a server that asks for more gets no retry */

/* Of x-should-retry: 1, 0, or -1 when it was not sent. */
int curl_should_retry(CURL *easy);
/* What the server asked for (retry-after-ms, else Retry-After: seconds or a date), in ms, or -1. */
int64_t curl_retry_after(CURL *easy);

/* May the same request do better? http_status 0: no answer came. */
bool curl_retry_helps(CURLcode result, long http_status, int should_retry);
/* Until the next one, in ms: asked_ms, unless that is -1. attempt: 0 for the first that failed. */
int64_t curl_retry_delay(unsigned attempt, int64_t asked_ms, struct id_source *random);

#endif
