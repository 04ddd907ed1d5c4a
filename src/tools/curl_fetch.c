#include "tools/curl_fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>

#include "base/curl_loop.h"
#include "base/mem.h"
#include "tools/address.h"

struct fetcher {
    struct curl_loop io;
    struct fetcher_options options;
    uv_idle_t kick;
    struct list ready;     /* fetch.ready: bytes or an end to look at */
    struct fetch *current; /* whose callback runs; NULL once it is gone */
    unsigned open_parts;
    void (*closed)(void *data);
    void *closed_data;
};

static void fetch_transfer(struct fetch *f);

/* ---- within libcurl ---- */

static size_t fetch_write(char *p, size_t size, size_t count, void *data)
{
    struct fetch *f = data;
    size_t n = size * count;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &f->http_status);
    if (n > f->bytes_max - f->in.len) {
        buf_append(&f->in, p, f->bytes_max - f->in.len);
        f->is_cut = true;
        return 0;
    }
    if (f->on_bytes && !list_is_linked(&f->ready))
        list_append(&f->fetcher->ready, &f->ready);
    return buf_append(&f->in, p, n) == 0 ? n : 0;
}

/* The one place where it is known for sure whom a socket will talk to. */
static curl_socket_t fetch_open_socket(void *data, curlsocktype purpose,
                                       struct curl_sockaddr *address)
{
    struct fetch *f = data;
    const struct fetcher_options *o = &f->fetcher->options;
    char text[INET6_ADDRSTRLEN] = "?";
    (void)purpose;
    if (o->is_guarded && !o->proxy &&
        !address_is_allowed(&address->addr, f->host, f->port, o->rules, o->rule_count)) {
        const void *from = address->family == AF_INET
                               ? (const void *)&((struct sockaddr_in *)&address->addr)->sin_addr
                               : (const void *)&((struct sockaddr_in6 *)&address->addr)->sin6_addr;
        inet_ntop(address->family, from, text, sizeof(text));
        snprintf(f->refused, sizeof(f->refused), "%s", text);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- the end ---- */

static void fetch_drop(struct fetch *f)
{
    if (!f->easy)
        return;
    curl_multi_remove_handle(f->fetcher->io.multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->header_list);
    f->easy = f->header_list = NULL;
}

static int fetch_fail(struct fetch *f, int status, const char *code)
{
    const char *what = f->curl_error[0] ? f->curl_error : curl_easy_strerror((CURLcode)f->result);
    snprintf(f->code, sizeof(f->code), "%s", code);
    f->status = err_set(&f->error, status, "%s", what);
    return status;
}

static void fetch_judge(struct fetch *f)
{
    if (f->result == CURLE_OK || f->is_cut) {
        f->status = 0;
    } else if (f->refused[0]) {
        snprintf(f->code, sizeof(f->code), "address_refused");
        f->status = err_set(&f->error, ERR_FORBIDDEN,
                            "%s is at %s, which is not of the public internet; the settings "
                            "(tools.http.allow) can allow it",
                            f->host, f->refused);
    } else if (f->result == CURLE_OPERATION_TIMEDOUT) {
        fetch_fail(f, ERR_TIMEOUT, "timeout");
    } else if (f->result == CURLE_URL_MALFORMAT || f->result == CURLE_UNSUPPORTED_PROTOCOL) {
        fetch_fail(f, ERR_INVALID, "invalid_url");
    } else {
        fetch_fail(f, ERR_UPSTREAM, f->http_status ? "truncated" : "connect_failed");
    }
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void url_origin(const char *text, char out[320], char host[256], int *port)
{
    char *scheme = NULL, *name = NULL, *number = NULL;
    CURLU *url = curl_url();
    out[0] = host[0] = '\0';
    *port = 0;
    if (url && !curl_url_set(url, CURLUPART_URL, text, 0) &&
        !curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) &&
        !curl_url_get(url, CURLUPART_HOST, &name, 0) &&
        !curl_url_get(url, CURLUPART_PORT, &number, CURLU_DEFAULT_PORT)) {
        size_t n = strlen(name);
        bool bracketed = n > 2 && name[0] == '[';
        snprintf(host, 256, "%.*s", bracketed ? (int)n - 2 : (int)n, name + bracketed);
        snprintf(out, 320, "%s://%s:%s", scheme, host, number);
        *port = atoi(number);
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(number);
    curl_url_cleanup(url);
}

/* True: another transfer was begun. */
static bool fetch_follow(struct fetch *f)
{
    char *to = NULL, from[320], origin[320], host[256];
    int port;
    if (f->result != CURLE_OK || !is_redirect(f->http_status) || !f->redirects_max)
        return false;
    curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to)
        return false;
    if (f->redirects == f->redirects_max || strlen(to) > FETCH_URL_BYTES_MAX) {
        snprintf(f->code, sizeof(f->code), "too_many_redirects");
        f->status = err_set(&f->error, ERR_UPSTREAM, "more than %u redirects", f->redirects_max);
        return false;
    }
    f->redirects++;
    to = mem_strdup(to);
    url_origin(f->url, from, host, &port);
    url_origin(to, origin, host, &port);
    f->is_left = f->is_left || strcmp(from, origin) != 0;
    free(f->url);
    f->url = to;
    bool is_head = strcmp(f->method, "HEAD") == 0, is_post = strcmp(f->method, "POST") == 0;
    if ((f->http_status == 303 && !is_head) || (f->http_status < 303 && is_post)) {
        snprintf(f->method, sizeof(f->method), "GET");
        f->body = STR_NULL;
    }
    fetch_drop(f);
    fetch_transfer(f);
    return true;
}

static void fetch_settle_one(struct fetcher *x, struct fetch *f)
{
    x->current = f;
    if (f->on_bytes && f->in.len) {
        struct buf in = f->in;
        buf_init(&f->in, in.max);
        f->on_bytes(f, buf_str(&in));
        buf_deinit(&in);
        if (x->current != f)
            return;
    }
    if (!f->is_ended)
        return;
    if (f->status == 0)
        fetch_judge(f);
    if (f->status == 0 && fetch_follow(f))
        return;
    if (f->easy)
        curl_multi_remove_handle(x->io.multi, f->easy); /* its answer's headers stay readable */
    f->on_done(f);
}

static void fetcher_settle(void *data)
{
    struct fetcher *x = data;
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(x->io.multi, &left))) {
        struct fetch *f = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
        f->result = m->data.result;
        f->is_ended = true;
        curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &f->http_status);
        if (!list_is_linked(&f->ready))
            list_append(&x->ready, &f->ready);
    }
    struct list now;
    list_init(&now);
    list_splice(&now, &x->ready);
    struct list *it;
    while ((it = list_pop(&now)))
        fetch_settle_one(x, container_of(it, struct fetch, ready));
    x->current = NULL;
}

static void fetcher_kick_fired(uv_idle_t *kick)
{
    uv_idle_stop(kick);
    fetcher_settle(kick->data);
}

/* ---- the request ---- */

static void fetch_set_headers(struct fetch *f)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; i < f->line_count; i++) {
        const char *line = f->lines[i].text;
        bool is_own = f->lines[i].is_secret || strncasecmp(line, "authorization:", 14) == 0 ||
                      strncasecmp(line, "cookie:", 7) == 0;
        if (!(f->is_left && is_own))
            list = curl_slist_append(list, line);
    }
    f->header_list = list;
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, list);
}

static void fetch_set_options(struct fetch *f)
{
    CURL *easy = f->easy;
    const char *proxy = f->fetcher->options.proxy;
    curl_easy_setopt(easy, CURLOPT_URL, f->url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)FETCH_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, f->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, fetch_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fetch_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->curl_error);
    if (f->body.p) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, f->body.p);
    } else if (strcmp(f->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, f->method);
}

static void fetch_transfer(struct fetch *f)
{
    char origin[320];
    f->is_ended = f->is_cut = false;
    f->http_status = 0;
    f->refused[0] = f->curl_error[0] = '\0';
    buf_clear(&f->in);
    f->in.max = f->bytes_max;
    url_origin(f->url, origin, f->host, &f->port);
    f->result = CURLE_URL_MALFORMAT;
    f->easy = origin[0] ? curl_easy_init() : NULL;
    if (f->easy) {
        fetch_set_options(f);
        fetch_set_headers(f);
        if (curl_multi_add_handle(f->fetcher->io.multi, f->easy) == CURLM_OK)
            return;
        f->result = CURLE_OUT_OF_MEMORY;
    }
    f->is_ended = true;
    if (!list_is_linked(&f->ready))
        list_append(&f->fetcher->ready, &f->ready);
    uv_idle_start(&f->fetcher->kick, fetcher_kick_fired);
}

void fetch_init(struct fetch *f, struct fetcher *fetcher)
{
    memset(f, 0, sizeof(*f));
    f->fetcher = fetcher;
    list_init(&f->ready);
    buf_init(&f->in, 0);
}

void fetch_start(struct fetch *f)
{
    fetch_transfer(f);
}

void fetch_cancel(struct fetch *f)
{
    if (!f->fetcher)
        return;
    if (f->fetcher->current == f)
        f->fetcher->current = NULL;
    list_remove(&f->ready);
    fetch_drop(f);
}

void fetch_deinit(struct fetch *f)
{
    fetch_cancel(f);
    for (size_t i = 0; i < f->line_count; i++) {
        if (f->lines[i].is_secret)
            explicit_bzero(f->lines[i].text, strlen(f->lines[i].text));
        free(f->lines[i].text);
    }
    buf_deinit(&f->in);
    free(f->url);
    memset(f, 0, sizeof(*f));
}

/* ---- headers ---- */

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
            return false;
    return s.n > 0 && s.n < 128;
}

int fetch_add_header(struct fetch *f, struct str name, struct str value, bool is_secret,
                     struct errbuf *e)
{
    static const char *const own[] = {"Host",       "Content-Length", "Transfer-Encoding",
                                      "Connection", "Upgrade",        "Expect"};
    if (!is_token(name))
        return err_set(e, ERR_INVALID, "\"%.*s\" is no header name", name.n > 60 ? 60 : (int)name.n,
                       name.p);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strlen(own[i]) == name.n && strncasecmp(own[i], name.p, name.n) == 0)
            return err_set(e, ERR_INVALID, "header %s is not for tools to set", own[i]);
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < 0x20 ? value.p[i] != '\t' : value.p[i] == 0x7f)
            return err_set(e, ERR_INVALID, "header %.*s holds a control character", STR_FMT(name));
    if (f->line_count == FETCH_HEADERS_MAX)
        return err_set(e, ERR_INVALID, "more than %d headers", FETCH_HEADERS_MAX);
    struct buf line;
    buf_init(&line, FETCH_HEAD_BYTES_MAX);
    buf_append_str(&line, name);
    /* libcurl takes "Name:" for "do not send it"; "Name;" sends it empty. */
    buf_append_z(&line, value.n ? ": " : ";");
    buf_append_str(&line, value);
    if (buf_error(&line)) {
        buf_deinit(&line);
        return err_set(e, ERR_INVALID, "header %.*s is too long", STR_FMT(name));
    }
    f->lines[f->line_count++] = (struct fetch_line){buf_steal(&line, NULL), is_secret};
    return 0;
}

int fetch_add_line(struct fetch *f, struct str line, bool is_secret, struct errbuf *e)
{
    const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    if (!colon)
        return err_set(e, ERR_INVALID, "a header is written \"Name: value\"");
    struct str name = {line.p, (size_t)(colon - line.p)};
    struct str value = {colon + 1, line.n - name.n - 1};
    while (value.n && (*value.p == ' ' || *value.p == '\t'))
        value = (struct str){value.p + 1, value.n - 1};
    return fetch_add_header(f, name, value, is_secret, e);
}

bool fetch_has_header(const struct fetch *f, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < f->line_count; i++)
        if (strncasecmp(f->lines[i].text, name, n) == 0 && strchr(":;", f->lines[i].text[n]))
            return true;
    return false;
}

const char *fetch_header(const struct fetch *f, const char *name)
{
    struct curl_header *h;
    if (!f->easy || curl_easy_header(f->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return h->value;
}

const char *fetch_header_at(const struct fetch *f, size_t index, const char **value)
{
    struct curl_header *h = NULL;
    if (!f->easy)
        return NULL;
    do
        h = curl_easy_nextheader(f->easy, CURLH_HEADER, -1, h);
    while (h && index-- > 0);
    if (h)
        *value = h->value;
    return h ? h->name : NULL;
}

int64_t fetch_retry_after_ms(const struct fetch *f)
{
    char *end;
    const char *value = fetch_header(f, "retry-after");
    if (!value)
        return -1;
    double s = strtod(value, &end);
    if (end != value && *end == '\0' && s >= 0 && s < 1e9)
        return (int64_t)(s * 1000);
    time_t when = curl_getdate(value, NULL), now = time(NULL);
    if (when == -1)
        return -1;
    return when > now ? (int64_t)(when - now) * 1000 : 0;
}

/* ---- life ---- */

int fetcher_open(struct fetcher **out, struct uv_loop_s *loop, const struct fetcher_options *o,
                 struct errbuf *e)
{
    struct fetcher *x = mem_zalloc(sizeof(*x));
    x->options = *o;
    list_init(&x->ready);
    int rc = curl_loop_open(&x->io, loop, fetcher_settle, x, e);
    if (rc) {
        free(x);
        return rc;
    }
    uv_idle_init(loop, &x->kick);
    x->kick.data = x;
    *out = x;
    return 0;
}

static void fetcher_part_closed(void *data)
{
    struct fetcher *x = data;
    if (--x->open_parts)
        return;
    void (*closed)(void *data) = x->closed;
    void *closed_data = x->closed_data;
    free(x);
    closed(closed_data);
}

static void fetcher_kick_closed(uv_handle_t *h)
{
    fetcher_part_closed(h->data);
}

void fetcher_close(struct fetcher *x, void (*closed)(void *data), void *data)
{
    x->closed = closed;
    x->closed_data = data;
    x->open_parts = 2;
    uv_close((uv_handle_t *)&x->kick, fetcher_kick_closed);
    curl_loop_close(&x->io, fetcher_part_closed);
}
