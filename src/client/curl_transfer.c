#include "client/curl_transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int curl_transfer_start(struct sluice_client *c)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return SLUICE_E_NOMEM;
    c->multi = curl_multi_init();
    if (c->multi)
        return 0;
    curl_global_cleanup();
    return SLUICE_E_NOMEM;
}

void curl_transfer_stop(struct sluice_client *c)
{
    curl_multi_cleanup(c->multi);
    curl_global_cleanup();
}

static bool header_add(struct transfer *t, const char *line)
{
    struct curl_slist *list = curl_slist_append(t->headers, line);

    if (list)
        t->headers = list;
    return list != NULL;
}

static bool headers_fill(struct transfer *t, const struct sluice_client *c)
{
    const struct sluice_request *r = t->request;
    /* No "Expect: 100-continue": it costs a round trip for every larger body. */
    bool ok = header_add(t, "Expect:");

    if (c->authorization.len)
        ok = ok && header_add(t, c->authorization.data);
    if (r->has_body) {
        char line[96];
        snprintf(line, sizeof(line), "Content-Type: %s", r->type);
        ok = ok && header_add(t, line);
    }
    for (size_t at = 0; at < r->headers.len; at += strlen(r->headers.data + at) + 1)
        ok = ok && header_add(t, r->headers.data + at);
    return ok;
}

static size_t transfer_write(char *p, size_t size, size_t n, void *data)
{
    struct transfer *t = data;

    if (t->bytes && transfer_status(t) == 200)
        t->bytes(t->data, p, size * n);
    else if (buf_append(&t->body, p, size * n))
        return 0;
    return t->refused ? 0 : size * n;
}

static bool url_set(struct transfer *t, const struct sluice_client *c)
{
    struct buf url;

    buf_init(&url, c->url.len + t->request->path.len + 1);
    buf_append_str(&url, buf_str(&c->url));
    buf_append_str(&url, buf_str(&t->request->path));
    bool ok = !buf_error(&url) && curl_easy_setopt(t->easy, CURLOPT_URL, url.data) == CURLE_OK;
    buf_deinit(&url);
    return ok;
}

static void body_set(struct transfer *t)
{
    const struct sluice_request *r = t->request;

    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
        return;
    }
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, r->method);
    /* A POST says how long it is, also when it is empty. */
    if (r->has_body || strcmp(r->method, "POST") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r->body.len ? r->body.data : "");
    }
}

static void times_set(struct transfer *t, const struct sluice_client *c)
{
    long ms = t->request->timeout_ms >= 0 ? t->request->timeout_ms : c->reply_ms;

    /* 0 would be libcurl's own 300 s. */
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, c->connect_ms ? c->connect_ms : 86400000L);
    if (t->bytes) {
        curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, TRANSFER_SILENCE_S);
    } else {
        curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, ms);
    }
}

static int transfer_fault(struct transfer *t, int result, const char *sentence)
{
    snprintf(t->error, sizeof(t->error), "%.*s", (int)sizeof(t->error) - 1, sentence);
    return result;
}

int transfer_init(struct transfer *t, const struct sluice_client *c, struct sluice_request *r,
                  void (*bytes)(void *data, const char *bytes, size_t count), void *data)
{
    memset(t, 0, sizeof(*t));
    t->request = r;
    t->bytes = bytes;
    t->data = data;
    buf_init(&t->body, c->reply_max);
    if (!r)
        return transfer_fault(t, SLUICE_E_NOMEM, "out of memory");
    if (request_fault(r))
        return transfer_fault(t, r->fault, r->fault_text.text);
    if (c->fault.text[0])
        return transfer_fault(t, SLUICE_E_INVALID, c->fault.text);
    t->easy = curl_easy_init();
    if (!t->easy || !headers_fill(t, c) || !url_set(t, c))
        return transfer_fault(t, SLUICE_E_NOMEM, "out of memory");
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_PATH_AS_IS, 1L); /* an id may be ".." */
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "libsluice/" SLUICE_VERSION);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, transfer_write);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    if (c->ca.len)
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, c->ca.data);
    body_set(t);
    times_set(t, c);
    return 0;
}

void transfer_deinit(struct transfer *t)
{
    if (t->easy)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    buf_deinit(&t->body);
    sluice_request_free(t->request);
}

int transfer_status(const struct transfer *t)
{
    long status = 0;

    if (t->easy)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static int result_of_curl(const struct transfer *t, CURLcode code)
{
    if (code == CURLE_OK)
        return SLUICE_OK;
    if (code == CURLE_WRITE_ERROR && buf_error(&t->body) == ERR_TOO_LARGE)
        return SLUICE_E_TOO_LARGE;
    if (code == CURLE_OUT_OF_MEMORY || code == CURLE_WRITE_ERROR)
        return SLUICE_E_NOMEM;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return SLUICE_E_TIMEOUT;
    if (code == CURLE_URL_MALFORMAT)
        return SLUICE_E_INVALID;
    /* The scheme was looked at before: this is an answer without a status line. */
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
        code == CURLE_BAD_CONTENT_ENCODING)
        return SLUICE_E_PROTOCOL;
    return SLUICE_E_UNAVAILABLE; /* refused, reset, cut, no such host, TLS … */
}

int transfer_reply(struct transfer *t, const struct sluice_client *c, CURLcode code,
                   struct sluice_reply *reply)
{
    struct errbuf e;
    char *type = NULL;
    curl_off_t after_s = 0;
    struct answer a = {.result = result_of_curl(t, code), .body = &t->body, .sentence = e.text};

    if (a.result == SLUICE_E_TOO_LARGE)
        err_set(&e, ERR_TOO_LARGE, "%s: the answer is larger than %zu bytes", c->url.data,
                t->body.max);
    else if (a.result)
        err_set(&e, ERR_UNAVAILABLE, "%s: %s", c->url.data,
                t->error[0] ? t->error : curl_easy_strerror(code));
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after_s);
    a.status = transfer_status(t);
    a.type = type;
    a.retry_after_ms = after_s > 0 && after_s < INT32_MAX ? (int64_t)after_s * 1000 : 0;
    a.expects_json = t->request->expects_json && !t->bytes;
    return reply_fill(reply, &a);
}

int transfer_cancelled(struct sluice_reply *reply)
{
    return reply_fail(reply, SLUICE_E_CANCELLED, "cancelled");
}
