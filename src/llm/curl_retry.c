#include "llm/curl_retry.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define RETRY_FIRST_MS 500 /* doubles with every attempt */
#define RETRY_MS_MAX   8000

static const char *curl_header_value(CURL *easy, const char *name)
{
    struct curl_header *header;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

int curl_should_retry(CURL *easy)
{
    const char *should = curl_header_value(easy, "x-should-retry");
    if (should && strcasecmp(should, "true") == 0)
        return 1;
    return should && strcasecmp(should, "false") == 0 ? 0 : -1;
}

int64_t curl_retry_after(CURL *easy)
{
    char *end;
    const char *value = curl_header_value(easy, "retry-after-ms");
    if (value) {
        long long ms = strtoll(value, &end, 10);
        if (end != value && ms >= 0)
            return ms;
    }
    value = curl_header_value(easy, "retry-after");
    if (!value)
        return -1;
    double s = strtod(value, &end);
    if (end != value && *end == '\0' && s >= 0 && s < 1e9)
        return (int64_t)(s * 1000);
    time_t when = curl_getdate(value, NULL);
    if (when == -1)
        return -1;
    time_t now = time(NULL);
    return when > now ? (int64_t)(when - now) * 1000 : 0;
}

static bool curl_result_is_final(CURLcode result)
{
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_URL_MALFORMAT ||
           result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_OUT_OF_MEMORY ||
           result == CURLE_SSL_CACERT_BADFILE || result == CURLE_SSL_CERTPROBLEM;
}

bool curl_retry_helps(CURLcode result, long http_status, int should_retry)
{
    if (!http_status)
        return !curl_result_is_final(result);
    if (should_retry >= 0)
        return should_retry;
    return http_status == 408 || http_status == 409 || http_status == 429 || http_status >= 500;
}

int64_t curl_retry_delay(unsigned attempt, int64_t asked_ms, struct id_source *random)
{
    if (asked_ms >= 0)
        return asked_ms;
    int64_t ms = RETRY_FIRST_MS << (attempt < 10 ? attempt : 10);
    if (ms > RETRY_MS_MAX)
        ms = RETRY_MS_MAX;
    /* A quarter less at most, so that many that failed together do not come back together. */
    return ms - (int64_t)(id_source_random(random) % ((uint64_t)ms / 4));
}
