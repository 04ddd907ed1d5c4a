/* The keys of an issuer, over HTTP. In a thread of libuv's: it is asked once a minute at most. */
#include <curl/curl.h>

#include "app/tokens.h"

static size_t keys_write(char *bytes, size_t size, size_t count, void *data)
{
    return buf_append(data, bytes, size * count) == 0 ? size * count : 0;
}

/* Not 0 ends it. libcurl asks once a second, and whenever something comes. */
static int keys_progress(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return __atomic_load_n((const int *)data, __ATOMIC_RELAXED);
}

static void keys_options(CURL *easy, const char *url, struct buf *out, const int *stop)
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* the settings name the right one */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TOKEN_FETCH_S);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)JWKS_BYTES_MAX);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keys_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, keys_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, stop);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
}

int keys_fetch(const char *url, struct buf *out, const int *stop, struct errbuf *e)
{
    CURL *easy = curl_easy_init();
    long status = 0;
    CURLcode code;

    if (!easy)
        return err_set(e, ERR_UPSTREAM, "libcurl does not start");
    keys_options(easy, url, out, stop);
    code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    if (code == CURLE_OK && status == 200)
        return 0;
    if (code == CURLE_OK || code == CURLE_HTTP_RETURNED_ERROR)
        return err_set(e, ERR_UPSTREAM, "%s: answered with %ld", url, status);
    return err_set(e, ERR_UPSTREAM, "%s: %s", url,
                   code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED
                       ? "the answer is too large"
                       : curl_easy_strerror(code));
}
