#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/http.h"

#define CONNECT_TIMEOUT_MS 10000L
#define REPLY_TIMEOUT_MS   120000L
#define SILENCE_S          90L /* the server sends a heartbeat more often than that */
#define FDS_MAX            8

struct http {
    CURL *easy;
    char *server;
    char *authorization; /* header, or NULL */
};

struct http *http_create(const char *server, const char *key)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct http *h = mem_zalloc(sizeof(*h));
    struct buf url;
    buf_init(&url, 1u << 20);
    if (!strstr(server, "://"))
        buf_append_z(&url, "http://");
    buf_append_z(&url, server);
    while (url.len && url.data[url.len - 1] == '/')
        buf_truncate(&url, url.len - 1);
    h->server = buf_steal(&url, NULL);
    if (key && *key) {
        struct buf b;
        buf_init(&b, 1u << 20);
        buf_printf(&b, "Authorization: Bearer %s", key);
        h->authorization = buf_steal(&b, NULL);
    }
    h->easy = curl_easy_init();
    return h;
}

void http_destroy(struct http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    free(h->server);
    free(h->authorization);
    free(h);
    curl_global_cleanup();
}

const char *http_server(const struct http *h)
{
    return h->server;
}

void http_reply_init(struct http_reply *r)
{
    r->status = 0;
    buf_init(&r->body, HTTP_REPLY_BYTES_MAX);
}

void http_reply_deinit(struct http_reply *r)
{
    buf_deinit(&r->body);
}

void http_escape(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("-._~", *p);
        if (plain)
            buf_append_char(out, (char)*p);
        else
            buf_printf(out, "%%%02X", *p);
    }
}

static void easy_setup(struct http *h, CURL *easy, const char *path, struct curl_slist *headers,
                       char *error)
{
    struct buf url;
    buf_init(&url, 1u << 20);
    buf_append_z(&url, h->server);
    buf_append_z(&url, path);
    curl_easy_setopt(easy, CURLOPT_URL, url.data);
    buf_deinit(&url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

static struct curl_slist *header_add(struct curl_slist *list, const char *name, const char *value)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    buf_printf(&b, "%s: %s", name, value);
    list = curl_slist_append(list, b.data);
    buf_deinit(&b);
    return list;
}

static struct curl_slist *headers_common(const struct http *h)
{
    /* No "Expect: 100-continue": it costs a round trip for every larger body. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (h->authorization)
        list = curl_slist_append(list, h->authorization);
    return list;
}

static size_t body_write(char *p, size_t size, size_t n, void *data)
{
    return buf_append(data, p, size * n) ? 0 : size * n;
}

int http_send(struct http *h, const char *method, const char *path, const struct http_body *body,
              struct http_reply *reply, struct errbuf *e)
{
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = headers_common(h);
    if (body)
        headers = header_add(headers, "Content-Type", body->type);
    curl_easy_reset(h->easy);
    easy_setup(h, h->easy, path, headers, error);
    curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, REPLY_TIMEOUT_MS);
    curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, method);
    if (body || strcmp(method, "POST") == 0) {
        curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)(body ? body->bytes.n : 0));
        curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, body && body->bytes.n ? body->bytes.p : "");
    }
    curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, body_write);
    curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, &reply->body);
    buf_clear(&reply->body);
    CURLcode rc = curl_easy_perform(h->easy);
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_slist_free_all(headers);
    if (rc != CURLE_OK)
        return err_set(e, ERR_UNAVAILABLE, "%s: %s", h->server,
                       error[0] ? error : curl_easy_strerror(rc));
    return 0;
}

/* ---- one stream ---- */

struct http_stream {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    void (*on_bytes)(void *data, struct str bytes);
    void *data;
    struct buf body;
    bool going;
    char error[CURL_ERROR_SIZE];
};

static size_t stream_write(char *p, size_t size, size_t n, void *data)
{
    struct http_stream *s = data;
    if (http_stream_status(s) == 200)
        s->on_bytes(s->data, (struct str){p, size * n});
    else if (buf_append(&s->body, p, size * n))
        return 0;
    return size * n;
}

struct http_stream *http_stream_open(struct http *h, const char *path, int64_t after,
                                     void (*on_bytes)(void *data, struct str bytes), void *data)
{
    struct http_stream *s = mem_zalloc(sizeof(*s));
    s->multi = curl_multi_init();
    s->easy = curl_easy_init();
    s->on_bytes = on_bytes;
    s->data = data;
    s->going = true;
    buf_init(&s->body, 1u << 20);
    s->headers = header_add(headers_common(h), "Accept", "text/event-stream");
    if (after > 0) {
        char seq[32];
        snprintf(seq, sizeof(seq), "%lld", (long long)after);
        s->headers = header_add(s->headers, "Last-Event-ID", seq);
    }
    easy_setup(h, s->easy, path, s->headers, s->error);
    curl_easy_setopt(s->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(s->easy, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, stream_write);
    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
    curl_multi_add_handle(s->multi, s->easy);
    return s;
}

void http_stream_close(struct http_stream *s)
{
    if (!s)
        return;
    curl_multi_remove_handle(s->multi, s->easy);
    curl_easy_cleanup(s->easy);
    curl_multi_cleanup(s->multi);
    curl_slist_free_all(s->headers);
    buf_deinit(&s->body);
    free(s);
}

static void stream_look_ended(struct http_stream *s)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(s->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        s->going = false;
        if (!s->error[0])
            snprintf(s->error, sizeof(s->error), "%s",
                     m->data.result == CURLE_OK ? "the server closed the stream"
                                                : curl_easy_strerror(m->data.result));
    }
}

bool http_stream_turn(struct http_stream *s, struct pollfd *fds, unsigned count, int timeout_ms)
{
    struct curl_waitfd extra[FDS_MAX] = {0};
    int running;
    if (count > FDS_MAX)
        count = FDS_MAX;
    for (unsigned i = 0; i < count; i++) {
        extra[i].fd = fds[i].fd;
        extra[i].events = CURL_WAIT_POLLIN;
    }
    curl_multi_perform(s->multi, &running);
    stream_look_ended(s);
    if (s->going)
        curl_multi_poll(s->multi, extra, count, timeout_ms, NULL);
    for (unsigned i = 0; i < count; i++)
        fds[i].revents = extra[i].revents ? POLLIN : 0;
    if (s->going) {
        curl_multi_perform(s->multi, &running);
        stream_look_ended(s);
    }
    return s->going;
}

long http_stream_status(const struct http_stream *s)
{
    long status = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

struct str http_stream_body(const struct http_stream *s)
{
    return buf_str(&s->body);
}

const char *http_stream_error(const struct http_stream *s)
{
    return s->error;
}
