#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/client_private.h"
#include "client/curl_transfer.h"

#define CONNECT_MS  10000
#define REPLY_MS    120000
#define PATIENCE_MS 120000
#define URL_MAX     (1u << 16)

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return true;
    return false;
}

static void client_take_url(struct sluice_client *c, const char *url)
{
    const char *scheme = strstr(url, "://");

    if (!scheme)
        buf_append_z(&c->url, "http://");
    buf_append_z(&c->url, url);
    while (c->url.len && c->url.data[c->url.len - 1] == '/')
        buf_truncate(&c->url, c->url.len - 1);
    if (!*url || has_control(url) || strchr(url, ' ') || strpbrk(url, "?#"))
        err_set(&c->fault, ERR_INVALID, "the server's URL is malformed: \"%.200s\"", url);
    else if (scheme && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        err_set(&c->fault, ERR_INVALID, "the server's URL must begin with http:// or https://");
}

static void client_take_key(struct sluice_client *c, const char *key)
{
    if (!key || !*key)
        return;
    if (has_control(key))
        err_set(&c->fault, ERR_INVALID, "the key has characters that no key has");
    buf_append_z(&c->authorization, "Authorization: Bearer ");
    buf_append_z(&c->authorization, key);
}

struct sluice_client *sluice_client_create(const char *url, const char *key)
{
    struct sluice_client *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->interrupts = -1;
    buf_init(&c->url, URL_MAX);
    buf_init(&c->authorization, URL_MAX);
    buf_init(&c->ca, URL_MAX);
    c->connect_ms = CONNECT_MS;
    c->reply_ms = REPLY_MS;
    c->patience_ms = PATIENCE_MS;
    c->reply_max = SLUICE_REPLY_BYTES_MAX;
    client_take_url(c, url ? url : "");
    client_take_key(c, key);
    if (buf_error(&c->url) || buf_error(&c->authorization) || curl_transfer_start(c)) {
        buf_deinit(&c->url);
        buf_deinit(&c->authorization);
        free(c);
        return NULL;
    }
    c->interrupts = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->interrupts < 0) {
        sluice_client_destroy(c);
        return NULL;
    }
    return c;
}

void sluice_client_destroy(struct sluice_client *c)
{
    if (!c)
        return;
    curl_transfer_stop(c);
    if (c->interrupts >= 0)
        close(c->interrupts);
    buf_deinit(&c->url);
    buf_deinit(&c->authorization);
    buf_deinit(&c->ca);
    free(c);
}

const char *sluice_client_url(const struct sluice_client *c)
{
    return c->url.data;
}

void sluice_client_set_timeouts(struct sluice_client *c, long connect_ms, long reply_ms)
{
    c->connect_ms = connect_ms < 0 ? 0 : connect_ms;
    c->reply_ms = reply_ms < 0 ? 0 : reply_ms;
}

void sluice_client_set_patience(struct sluice_client *c, long ms)
{
    c->patience_ms = ms < 0 ? 0 : ms;
}

void sluice_client_set_reply_max(struct sluice_client *c, size_t bytes)
{
    c->reply_max = bytes;
}

int sluice_client_set_ca(struct sluice_client *c, const char *file)
{
    buf_clear(&c->ca);
    return file && buf_append_z(&c->ca, file) ? SLUICE_E_NOMEM : 0;
}

void sluice_interrupt(struct sluice_client *c)
{
    uint64_t one = 1;

    if (write(c->interrupts, &one, sizeof(one)) < 0)
        return; /* only when it was called 2^64 times and nobody has waited */
}

const char *sluice_version(void)
{
    return SLUICE_VERSION;
}

/* ---- results ---- */

static const char *const result_words[] = {
    [-SLUICE_OK] = "ok",
    [-SLUICE_E_NOMEM] = "out_of_memory",
    [-SLUICE_E_INVALID] = "invalid",
    [-SLUICE_E_UNAUTHORIZED] = "unauthorized",
    [-SLUICE_E_FORBIDDEN] = "forbidden",
    [-SLUICE_E_NOT_FOUND] = "not_found",
    [-SLUICE_E_CONFLICT] = "conflict",
    [-SLUICE_E_STALE] = "stale_version",
    [-SLUICE_E_TOO_LARGE] = "too_large",
    [-SLUICE_E_UNPROCESSABLE] = "invalid_workflow",
    [-SLUICE_E_OVERLOAD] = "overloaded",
    [-SLUICE_E_SERVER] = "internal",
    [-SLUICE_E_UNAVAILABLE] = "unavailable",
    [-SLUICE_E_TIMEOUT] = "timeout",
    [-SLUICE_E_CANCELLED] = "cancelled",
    [-SLUICE_E_PROTOCOL] = "protocol",
};

const char *sluice_result_word(int result)
{
    if (result > 0 || result <= -(int)(sizeof(result_words) / sizeof(result_words[0])))
        return "unknown";
    return result_words[-result];
}

int result_of_status(int status)
{
    if (status >= 200 && status < 300)
        return SLUICE_OK;
    switch (status) {
    case 400:
    case 405:
    case 411:
    case 415:
        return SLUICE_E_INVALID;
    case 401:
        return SLUICE_E_UNAUTHORIZED;
    case 403:
        return SLUICE_E_FORBIDDEN;
    case 404:
        return SLUICE_E_NOT_FOUND;
    case 409:
        return SLUICE_E_CONFLICT;
    case 412:
        return SLUICE_E_STALE;
    case 413:
        return SLUICE_E_TOO_LARGE;
    case 422:
        return SLUICE_E_UNPROCESSABLE;
    case 429:
        return SLUICE_E_OVERLOAD;
    case 503:
        return SLUICE_E_UNAVAILABLE;
    case 504:
        return SLUICE_E_TIMEOUT;
    default:
        return status >= 500   ? SLUICE_E_SERVER
               : status >= 400 ? SLUICE_E_INVALID
                               : SLUICE_E_PROTOCOL; /* a redirect, say */
    }
}
