#include "llm/curl_provider.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#define URL_BYTES_MAX 4096
#define RECEIVE_BYTES 4096L /* a token is 200; every call under way has such a buffer */
/* Shorter ones ("none", "ollama") are no secrets and may be words of the sentence. */
#define KEY_SECRET_BYTES_MIN 8
#define SPARES_MAX           64

static bool host_is_loopback(const char *host)
{
    size_t n = strlen(host);
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    if (n > 10 && strcmp(host + n - 10, ".localhost") == 0)
        return true;
    /* An address and not a name that begins with "127.": digits and dots only. */
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n;
}

static bool host_is_address(const char *host)
{
    struct in6_addr to;
    char v6[INET6_ADDRSTRLEN];
    size_t n = strlen(host);
    if (host[0] != '[')
        return inet_pton(AF_INET, host, &to) == 1;
    if (n < 2 || n - 2 >= sizeof(v6))
        return false;
    memcpy(v6, host + 1, n - 2);
    v6[n - 2] = '\0';
    return inet_pton(AF_INET6, v6, &to) == 1;
}

/* Those that libcurl looks at; whether NO_PROXY has the host is not asked. */
static bool has_proxy(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value && value[0])
            return true;
    }
    return false;
}

/* A newer libcurl may have read more of a socket than it has given out. */
static bool curl_reads_no_more(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

static int curl_provider_parse_url(struct curl_provider *p, struct errbuf *e)
{
    const struct llm_provider *config = p->config;
    char *scheme = NULL, *host = NULL, *query = NULL;
    int rc = ERR_INVALID;
    CURLU *url = curl_url();
    if (!url || curl_url_set(url, CURLUPART_URL, config->base_url ? config->base_url : "", 0) ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0)) {
        err_set(e, rc, "provider \"%s\": base_url is not a URL", config->id);
        goto out;
    }
    curl_url_get(url, CURLUPART_QUERY, &query, 0);
    if ((strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) || query) {
        err_set(e, rc, "provider \"%s\": base_url must be http or https, without a query",
                config->id);
        goto out;
    }
    p->is_openai = strcmp(host, "api.openai.com") == 0;
    p->is_loopback = host_is_loopback(host);
    bool is_direct = p->is_loopback || !has_proxy();
    p->is_address = host_is_address(host) && is_direct;
    p->has_tap = is_direct && strcmp(scheme, "http") == 0 && curl_reads_no_more();
    rc = 0;
out:
    curl_free(scheme);
    curl_free(host);
    curl_free(query);
    curl_url_cleanup(url);
    return rc;
}

static int curl_provider_add_header(struct curl_provider *p, const char *line)
{
    struct curl_slist *list = curl_slist_append(p->headers, line);
    if (!list)
        return ERR_NOMEM;
    p->headers = list;
    return 0;
}

struct curl_retired {
    struct curl_slist *headers;
    const char *key; /* llm.c keeps it */
    struct curl_retired *next;
};

static int curl_provider_add_key(struct curl_provider *p, struct errbuf *e)
{
    const char *key = p->config->api_key;
    p->key = key;
    if (!key || !key[0])
        return 0;
    struct buf line;
    buf_init(&line, URL_BYTES_MAX);
    buf_append_z(&line, p->dialect->key_header);
    buf_append_z(&line, key);
    int rc = buf_error(&line);
    if (rc)
        err_set(e, rc, "provider \"%s\": api_key is too long", p->config->id);
    else
        rc = curl_provider_add_header(p, line.data);
    buf_deinit(&line);
    return rc;
}

static int curl_provider_add_headers(struct curl_provider *p, struct errbuf *e)
{
    if (curl_provider_add_header(p, "Content-Type: application/json") ||
        curl_provider_add_header(p, "Accept: text/event-stream, application/json") ||
        curl_provider_add_header(p, "Expect:") || /* no round trip before a large body */
        (p->dialect->header && curl_provider_add_header(p, p->dialect->header)))
        return err_set(e, ERR_NOMEM, "out of memory");
    return curl_provider_add_key(p, e);
}

struct curl_slist *curl_provider_headers(struct curl_provider *p)
{
    struct errbuf e = {""};
    if (p->key == p->config->api_key)
        return p->headers;
    struct curl_retired *old = mem_alloc(sizeof(*old));
    *old = (struct curl_retired){p->headers, p->key, p->retired};
    p->retired = old;
    p->headers = NULL;
    if (curl_provider_add_headers(p, &e))
        log_error("llm", "%s", e.text);
    return p->headers;
}

int curl_provider_init(struct curl_provider *p, const struct llm_provider *config, const char *path,
                       struct errbuf *e)
{
    memset(p, 0, sizeof(*p));
    list_init(&p->reading);
    list_init(&p->connecting);
    p->config = config;
    p->dialect = dialect_of(config->dialect);
    int rc = curl_provider_parse_url(p, e);
    if (rc)
        return rc;
    struct buf url;
    buf_init(&url, URL_BYTES_MAX);
    buf_append_z(&url, config->base_url);
    while (url.len && url.data[url.len - 1] == '/')
        buf_truncate(&url, url.len - 1);
    buf_append_z(&url, path ? path : p->dialect->path);
    rc = buf_error(&url);
    if (rc) {
        buf_deinit(&url);
        return err_set(e, ERR_INVALID, "provider \"%s\": base_url is too long", config->id);
    }
    p->url = buf_steal(&url, NULL);
    rc = curl_provider_add_headers(p, e);
    if (rc)
        curl_provider_deinit(p);
    return rc;
}

void curl_provider_deinit(struct curl_provider *p)
{
    free(p->url);
    curl_slist_free_all(p->headers);
    for (struct curl_retired *next, *old = p->retired; old; old = next) {
        next = old->next;
        curl_slist_free_all(old->headers);
        free(old);
    }
    p->retired = NULL;
    p->url = NULL;
    p->headers = NULL;
}

CURL *curl_provider_easy(const struct curl_provider *p)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_URL, p->url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)p->config->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L); /* a held call may rest for hours */
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    /* A cancelled call must not wait for its name lookup, which runs on a thread. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    if (p->is_loopback)
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not even from the environment */
    return easy;
}

struct curl_spare {
    CURL *easy;
    struct curl_spare *next;
};

CURL *curl_provider_take(struct curl_provider *p)
{
    struct curl_spare *spare = p->spares;
    if (!spare) {
        CURL *made = curl_provider_easy(p);
        if (made && p->is_address)
            curl_easy_setopt(made, CURLOPT_CONNECTTIMEOUT_MS, 0L);
        return made;
    }
    CURL *easy = spare->easy;
    p->spares = spare->next;
    p->spare_count--;
    free(spare);
    return easy;
}

void curl_provider_give(struct curl_provider *p, CURL *easy)
{
    if (p->spare_count >= SPARES_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    struct curl_spare *spare = mem_alloc(sizeof(*spare));
    *spare = (struct curl_spare){easy, p->spares};
    p->spares = spare;
    p->spare_count++;
}

void curl_provider_drop_spares(struct curl_provider *p)
{
    struct curl_spare *spare;
    while ((spare = p->spares)) {
        p->spares = spare->next;
        curl_easy_cleanup(spare->easy);
        free(spare);
    }
    p->spare_count = 0;
}

static void redact(const char *key, struct errbuf *text)
{
    size_t n = key ? strlen(key) : 0;
    if (n < KEY_SECRET_BYTES_MIN)
        return;
    char *at = text->text;
    while ((at = strstr(at, key))) {
        memset(at, '*', 3);
        memmove(at + 3, at + n, strlen(at + n) + 1);
        at += 3;
    }
    /* The sentence may have been cut in the middle of the key. */
    size_t len = strlen(text->text);
    for (size_t k = n - 1; k >= KEY_SECRET_BYTES_MIN; k--)
        if (k <= len && memcmp(text->text + len - k, key, k) == 0) {
            text->text[len - k] = '\0';
            return;
        }
}

void curl_provider_redact(const struct curl_provider *p, struct errbuf *text)
{
    redact(p->config->api_key, text);
    for (const struct curl_retired *old = p->retired; old; old = old->next)
        redact(old->key, text);
}
