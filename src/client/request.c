#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_private.h"

#define PATH_BYTES_MAX    (1u << 16)
#define HEADERS_BYTES_MAX (1u << 16)

static const struct json_limits body_limits = {.bytes_max = SLUICE_REQUEST_BYTES_MAX};

void request_fail(struct sluice_request *r, const char *fmt, ...)
{
    va_list ap;

    if (!r || r->fault)
        return; /* the first mistake is the one to tell */
    va_start(ap, fmt);
    err_vset(&r->fault_text, ERR_INVALID, fmt, ap);
    va_end(ap);
    r->fault = SLUICE_E_INVALID;
}

static int buf_fault(const struct buf *b)
{
    return buf_error(b) == 0               ? 0
           : buf_error(b) == ERR_TOO_LARGE ? SLUICE_E_TOO_LARGE
                                           : SLUICE_E_NOMEM;
}

int request_fault(struct sluice_request *r)
{
    const struct buf *parts[] = {&r->path, &r->headers, &r->body};

    for (size_t i = 0; !r->fault && i < sizeof(parts) / sizeof(parts[0]); i++) {
        r->fault = buf_fault(parts[i]);
        if (r->fault)
            err_set(&r->fault_text, ERR_INVALID, "%s",
                    r->fault == SLUICE_E_NOMEM ? "out of memory" : "the request is too large");
    }
    return r->fault;
}

void url_escape(struct buf *out, const char *text)
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

static bool method_is_known(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

    for (size_t i = 0; method && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

struct sluice_request *sluice_request(const char *method, const char *path)
{
    struct sluice_request *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    buf_init(&r->path, PATH_BYTES_MAX);
    buf_init(&r->headers, HEADERS_BYTES_MAX);
    buf_init(&r->body, SLUICE_REQUEST_BYTES_MAX);
    r->timeout_ms = -1;
    if (!method_is_known(method)) {
        request_fail(r, "there is no method \"%.20s\"", method ? method : "");
        return r;
    }
    snprintf(r->method, sizeof(r->method), "%s", method);
    if (!path || *path != '/' || path[strcspn(path, " \r\n\t#")])
        request_fail(r, "a path begins with a slash and is escaped: \"%.100s\"", path ? path : "");
    else
        buf_append_z(&r->path, path);
    r->has_query = path && strchr(path, '?');
    return r;
}

struct sluice_request *request_make(const char *method, const char *pattern, const char *id,
                                    const char *id2)
{
    struct sluice_request *r = sluice_request(method, "/");

    if (!r)
        return NULL;
    buf_truncate(&r->path, 0);
    r->expects_json = true;
    r->has_query = strchr(pattern, '?') != NULL;
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            buf_append_char(&r->path, *pattern);
            continue;
        }
        /* An empty one would name the list, or another route. */
        if (!id || !*id)
            request_fail(r, "an id is missing");
        else
            url_escape(&r->path, id);
        id = id2;
    }
    return r;
}

void sluice_request_free(struct sluice_request *r)
{
    if (!r)
        return;
    buf_deinit(&r->path);
    buf_deinit(&r->headers);
    buf_deinit(&r->body);
    free(r);
}

/* ---- the body ---- */

void sluice_set_body(struct sluice_request *r, const char *type, const void *bytes, size_t count)
{
    if (!r)
        return;
    buf_clear(&r->body);
    buf_append(&r->body, bytes ? bytes : "", bytes ? count : 0);
    snprintf(r->type, sizeof(r->type), "%s", type ? type : "application/json");
    if (strpbrk(r->type, "\r\n"))
        request_fail(r, "a media type has no line ends");
    r->has_body = true;
}

/* Is it JSON? */
static bool request_checks(struct sluice_request *r, const char *what, struct str json)
{
    struct errbuf e;
    int rc = json_check(json, &body_limits, &e);

    if (rc == 0)
        return true;
    request_fail(r, "%.100s: %.300s", what, rc == ERR_NOMEM ? "out of memory" : e.text);
    if (rc == ERR_NOMEM && r->fault == SLUICE_E_INVALID)
        r->fault = SLUICE_E_NOMEM;
    return false;
}

void request_object(struct sluice_request *r, const char *what, const char *json)
{
    struct str text = str_of(json);

    if (!r || !json)
        return;
    if (!request_checks(r, what, text))
        return;
    struct json root = json_root(text);
    if (json_type(root) != JSON_OBJECT) {
        request_fail(r, "%s: must be an object", what);
        return;
    }
    if (json_length(root))
        sluice_set_body(r, NULL, root.p, root.n);
    else
        sluice_set_body(r, NULL, "{}", 2);
}

/* The body, an object, is opened for one more member. False: it is none. */
static bool member_begin(struct sluice_request *r, const char *name)
{
    if (!r)
        return false;
    if (!r->has_body)
        sluice_set_body(r, NULL, "{}", 2);
    if (buf_error(&r->body))
        return false;
    if (!name || r->body.len < 2 || r->body.data[0] != '{' ||
        r->body.data[r->body.len - 1] != '}' || strcmp(r->type, "application/json") != 0) {
        request_fail(r, "%.100s: the body is no JSON object",
                     name ? name : "a member without name");
        return false;
    }
    buf_truncate(&r->body, r->body.len - 1);
    if (r->body.len > 1)
        buf_append_char(&r->body, ',');
    json_write_string(&r->body, str_of(name));
    buf_append_char(&r->body, ':');
    return true;
}

static void member_end(struct sluice_request *r)
{
    buf_append_char(&r->body, '}');
}

void sluice_set_string(struct sluice_request *r, const char *name, const char *value)
{
    if (!member_begin(r, name))
        return;
    if (value)
        json_write_string(&r->body, str_of(value));
    else
        buf_append_z(&r->body, "null");
    member_end(r);
}

void sluice_set_int(struct sluice_request *r, const char *name, int64_t value)
{
    if (!member_begin(r, name))
        return;
    buf_append_i64(&r->body, value);
    member_end(r);
}

void sluice_set_bool(struct sluice_request *r, const char *name, int value)
{
    if (!member_begin(r, name))
        return;
    buf_append_z(&r->body, value ? "true" : "false");
    member_end(r);
}

void sluice_set_json(struct sluice_request *r, const char *name, const char *json)
{
    struct str text = json ? str_of(json) : STR("null");

    if (!r)
        return;
    if (!request_checks(r, name ? name : "", text))
        return;
    if (!member_begin(r, name))
        return;
    buf_append_str(&r->body, json_raw(json_root(text)));
    member_end(r);
}

/* ---- query and headers ---- */

void sluice_set_query(struct sluice_request *r, const char *name, const char *value)
{
    if (!r || !value)
        return;
    buf_append_char(&r->path, r->has_query ? '&' : '?');
    r->has_query = true;
    url_escape(&r->path, name ? name : "");
    buf_append_char(&r->path, '=');
    url_escape(&r->path, value);
}

void sluice_set_limit(struct sluice_request *r, int limit)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", limit);
    sluice_set_query(r, "limit", text);
}

void sluice_set_header(struct sluice_request *r, const char *name, const char *value)
{
    if (!r || !value)
        return;
    if (!name || !*name || name[strcspn(name, " :\r\n\t")] || strpbrk(value, "\r\n")) {
        request_fail(r, "a header is malformed: \"%.100s\"", name ? name : "");
        return;
    }
    buf_append_z(&r->headers, name);
    buf_append_z(&r->headers, ": ");
    buf_append_z(&r->headers, value);
    buf_append_char(&r->headers, '\0');
}

void sluice_set_version(struct sluice_request *r, int64_t version)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)version);
    sluice_set_header(r, "If-Match", text);
}

void sluice_set_key(struct sluice_request *r, const char *key)
{
    sluice_set_header(r, "Idempotency-Key", key);
}

void sluice_set_timeout(struct sluice_request *r, long ms)
{
    if (r)
        r->timeout_ms = ms < 0 ? 0 : ms;
}
