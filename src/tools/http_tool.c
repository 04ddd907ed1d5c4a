/* Tool `http`: one request to a URL that a workflow names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/tool_private.h"

#define HTTP_BYTES_MAX_DEFAULT (1u << 20)
#define HTTP_BYTES_MAX         (3u << 20) /* escaped and in base64 it must fit an output */

struct http_job {
    struct tool_job *job;
    struct fetch fetch;
    struct secrets secrets;
    struct buf body;
    bool fail_on_status;
};

static void http_free(struct http_job *h)
{
    fetch_deinit(&h->fetch);
    secrets_deinit(&h->secrets);
    buf_deinit(&h->body);
    free(h);
}

static void http_cancel(struct tool_job *j)
{
    http_free(j->impl);
}

/* ---- the answer ---- */

static void write_base64(struct jw *w, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf b;
    buf_init(&b, s.n / 3 * 4 + 8);
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        uint32_t v = (uint32_t)(uint8_t)s.p[i] << 16;
        v |= left > 1 ? (uint32_t)(uint8_t)s.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint8_t)s.p[i + 2] : 0;
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                        left > 2 ? digits[v & 63] : '='};
        buf_append(&b, four, 4);
    }
    jw_kv_string(w, "body_base64", buf_str(&b));
    buf_deinit(&b);
}

static void write_body(struct http_job *h, struct jw *w)
{
    struct fetch *f = &h->fetch;
    struct json_limits limits = {.depth_max = JSON_DEPTH_MAX - 8};
    if (!f->is_cut && tool_is_json_type(fetch_header(f, "content-type")) &&
        json_check(buf_str(&f->in), &limits, NULL) == 0)
        jw_kv_raw(w, "body", json_raw(json_root(buf_str(&f->in))));
    else if (tool_is_text(buf_str(&f->in)) || (f->is_cut && f->in.len > 4))
        jw_kv_string(w, "body", buf_str(&f->in)); /* a character that was cut becomes U+FFFD */
    else
        write_base64(w, buf_str(&f->in));
    if (f->is_cut)
        jw_kv_bool(w, "truncated", true);
}

/* Names in lower case; those that come again are joined with ", " but for cookies' sake by the
 * first alone. */
static void write_headers(struct http_job *h, struct jw *w)
{
    const char *name, *value;
    struct buf text;
    buf_init(&text, FETCH_HEAD_BYTES_MAX);
    jw_key(w, "headers");
    jw_object(w);
    for (size_t i = 0; (name = fetch_header_at(&h->fetch, i, &value)); i++) {
        bool is_first = true;
        const char *before, *ignored;
        for (size_t k = 0; k < i && is_first; k++)
            is_first = !((before = fetch_header_at(&h->fetch, k, &ignored)) &&
                         strcasecmp(before, name) == 0);
        if (!is_first || i > 200)
            continue;
        char lower[128];
        snprintf(lower, sizeof(lower), "%s", name);
        for (char *c = lower; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        buf_clear(&text);
        buf_append_z(&text, value);
        secrets_hide(&h->secrets, &text);
        jw_kv_string(w, lower, buf_str(&text));
    }
    jw_end(w);
    buf_deinit(&text);
}

static void http_fail_status(struct http_job *h)
{
    struct tool_job *j = h->job;
    char code[32];
    long status = h->fetch.http_status;
    struct buf *in = &h->fetch.in;
    bool is_busy = status == 429;
    size_t n = in->data && tool_is_text(buf_str(in)) ? in->len : 0;
    snprintf(code, sizeof(code), is_busy ? "rate_limited" : "http_%ld", status);
    j->retry_after_ms = fetch_retry_after_ms(&h->fetch);
    tool_job_fail(j, is_busy ? ERR_OVERLOAD : ERR_UPSTREAM, code, "the server answered %ld%s%.*s",
                  status, n ? ": " : "", n > 300 ? 300 : (int)n, n ? in->data : "");
}

static void http_done(struct fetch *f)
{
    struct http_job *h = container_of(f, struct http_job, fetch);
    struct tool_job *j = h->job;
    secrets_hide(&h->secrets, &f->in);
    if (f->status) {
        tool_job_fail(j, f->status, f->code, "%s", f->error.text);
    } else if (h->fail_on_status && (f->http_status == 429 || f->http_status >= 500)) {
        http_fail_status(h);
    } else {
        struct jw w;
        jw_init(&w, &j->output);
        jw_object(&w);
        jw_kv_i64(&w, "status", f->http_status);
        write_headers(h, &w);
        write_body(h, &w);
        if (f->redirects)
            jw_kv_stringz(&w, "url", f->url);
        jw_end(&w);
    }
    http_free(h);
    tool_job_finish(j);
}

/* ---- the request ---- */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

void tool_percent_encode(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_unreserved(s.p[i]))
            buf_append_char(out, s.p[i]);
        else
            buf_printf(out, "%%%02X", (unsigned)(uint8_t)s.p[i]);
}

/* Text of a scalar: strings as they are, numbers and booleans as written. */
static void append_scalar(struct buf *out, struct json v)
{
    if (json_type(v) == JSON_STRING)
        json_string(v, out);
    else
        buf_append_str(out, json_raw(v));
}

static int http_query(struct buf *url, struct json query, struct errbuf *e)
{
    struct json_iter it;
    struct buf text;
    char *hash = url->data ? memchr(url->data, '#', url->len) : NULL;
    if (hash)
        buf_truncate(url, (size_t)(hash - url->data));
    char mark = url->data && memchr(url->data, '?', url->len) ? '&' : '?';
    if (json_exists(query) && json_type(query) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "query must be an object");
    buf_init(&text, FETCH_URL_BYTES_MAX);
    json_iter_init(&it, query);
    while (json_iter_next(&it)) {
        if (json_type(it.value) == JSON_NULL)
            continue;
        buf_append_char(url, mark);
        buf_clear(&text);
        json_iter_key(&it, &text);
        tool_percent_encode(url, buf_str(&text));
        buf_append_char(url, '=');
        buf_clear(&text);
        append_scalar(&text, it.value);
        tool_percent_encode(url, buf_str(&text));
        mark = '&';
    }
    buf_deinit(&text);
    return 0;
}

static int http_url(struct http_job *h, struct json args, struct errbuf *e)
{
    struct buf url;
    buf_init(&url, FETCH_URL_BYTES_MAX);
    if (!json_string(json_get_set(args, "url"), &url) || !url.len) {
        buf_deinit(&url);
        return err_set(e, ERR_INVALID, "url must be a string of at most %d bytes",
                       FETCH_URL_BYTES_MAX);
    }
    int rc = http_query(&url, json_get_set(args, "query"), e);
    if (rc == 0 && buf_error(&url))
        rc = err_set(e, ERR_INVALID, "url is longer than %d bytes", FETCH_URL_BYTES_MAX);
    if (rc == 0 && strncasecmp(url.data, "http://", 7) != 0 &&
        strncasecmp(url.data, "https://", 8) != 0)
        rc = err_set(e, ERR_INVALID, "url must begin with http:// or https://");
    for (size_t i = 0; rc == 0 && i < url.len; i++)
        if ((unsigned char)url.data[i] <= ' ')
            rc = err_set(e, ERR_INVALID, "url holds a space or control character");
    if (rc == 0)
        h->fetch.url = buf_steal(&url, NULL);
    buf_deinit(&url);
    return rc;
}

static int http_method(struct http_job *h, struct json args, struct errbuf *e)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    struct json v = json_get_set(args, "method");
    const char *fallback = json_exists(json_get_set(args, "body")) ? "POST" : "GET";
    snprintf(h->fetch.method, sizeof(h->fetch.method), "%s", fallback);
    if (!json_exists(v))
        return 0;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct buf b;
        buf_init(&b, 16);
        bool is = json_string(v, &b) && b.len && strcasecmp(b.data, methods[i]) == 0;
        buf_deinit(&b);
        if (is) {
            snprintf(h->fetch.method, sizeof(h->fetch.method), "%s", methods[i]);
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, "method must be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

static int http_one_header(struct http_job *h, const struct json_iter *it, struct errbuf *e)
{
    struct buf name, raw, value;
    size_t before = h->secrets.count;
    buf_init(&name, 256);
    buf_init(&raw, FETCH_HEAD_BYTES_MAX);
    buf_init(&value, FETCH_HEAD_BYTES_MAX);
    json_iter_key(it, &name);
    append_scalar(&raw, it->value);
    int rc =
        secrets_expand(h->job->tools, buf_str(&raw), h->job->secrets_of, &h->secrets, &value, e);
    if (rc == 0)
        rc = fetch_add_header(&h->fetch, buf_str(&name), buf_str(&value), h->secrets.count > before,
                              e);
    buf_deinit(&name);
    buf_deinit(&raw);
    if (value.data)
        explicit_bzero(value.data, value.len);
    buf_deinit(&value);
    return rc;
}

static int http_headers(struct http_job *h, struct json args, struct errbuf *e)
{
    struct json headers = json_get_set(args, "headers");
    struct json_iter it;
    char key[ID_TEXT_BYTES + 1];
    if (json_exists(headers) && json_type(headers) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "headers must be an object");
    json_iter_init(&it, headers);
    while (json_iter_next(&it)) {
        int rc = json_type(it.value) == JSON_NULL ? 0 : http_one_header(h, &it, e);
        if (rc)
            return rc;
    }
    id_format(h->job->idempotency_key, key);
    if (!fetch_has_header(&h->fetch, "Idempotency-Key"))
        return fetch_add_header(&h->fetch, STR("Idempotency-Key"), str_of(key), false, e);
    return 0;
}

static int http_body(struct http_job *h, struct json args, struct errbuf *e)
{
    struct json body = json_get_set(args, "body");
    const char *m = h->fetch.method;
    bool is_text = json_type(body) == JSON_STRING;
    if (!json_exists(body)) {
        bool wants_length =
            strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0 || strcmp(m, "PATCH") == 0;
        if (wants_length)
            h->fetch.body = STR("");
        return 0;
    }
    if (is_text)
        json_string(body, &h->body);
    else
        buf_append_str(&h->body, json_raw(body));
    if (buf_error(&h->body))
        return err_set(e, ERR_INVALID, "body is longer than %u bytes", FETCH_BODY_BYTES_MAX);
    h->fetch.body = h->body.len ? buf_str(&h->body) : STR("");
    if (fetch_has_header(&h->fetch, "Content-Type"))
        return 0;
    return fetch_add_header(&h->fetch, STR("Content-Type"),
                            is_text ? STR("text/plain; charset=utf-8") : STR("application/json"),
                            false, e);
}

static int http_limits(struct http_job *h, struct json args, struct errbuf *e)
{
    struct json ms = json_get_set(args, "timeout_ms"), bytes = json_get_set(args, "max_bytes");
    struct json fail = json_get_set(args, "fail_on_status");
    int64_t n = HTTP_BYTES_MAX_DEFAULT;
    if (json_exists(ms) && (!json_i64(ms, &h->job->timeout_ms) || h->job->timeout_ms < 1))
        return err_set(e, ERR_INVALID, "timeout_ms must be a positive integer");
    if (json_exists(bytes) && (!json_i64(bytes, &n) || n < 1 || n > HTTP_BYTES_MAX))
        return err_set(e, ERR_INVALID, "max_bytes must be from 1 to %u", HTTP_BYTES_MAX);
    if (json_exists(fail) && !json_bool(fail, &h->fail_on_status))
        return err_set(e, ERR_INVALID, "fail_on_status must be true or false");
    h->fetch.bytes_max = (size_t)n;
    h->fetch.redirects_max = FETCH_REDIRECTS_MAX;
    return 0;
}

static int http_start(struct tool_job *j)
{
    struct json args = json_root(j->arguments);
    struct http_job *h = mem_zalloc(sizeof(*h));
    h->job = j;
    fetch_init(&h->fetch, j->tools->outside);
    buf_init(&h->body, FETCH_BODY_BYTES_MAX);
    int rc = http_method(h, args, &j->error);
    if (rc == 0)
        rc = http_url(h, args, &j->error);
    if (rc == 0)
        rc = http_headers(h, args, &j->error);
    if (rc == 0)
        rc = http_body(h, args, &j->error);
    if (rc == 0)
        rc = http_limits(h, args, &j->error);
    if (rc) {
        struct errbuf why = j->error;
        http_free(h);
        return tool_job_fail(j, ERR_INVALID, "invalid_arguments", "http: %s", why.text);
    }
    h->fetch.on_done = http_done;
    j->impl = h;
    fetch_start(&h->fetch);
    return 0;
}

const struct tool_kind tool_http = {"http", http_start, http_cancel};
