#include "cli/client.h"
#include "cli/lang.h"

#include "base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/yaml.h"

#define FILE_BYTES_MAX                                                                             \
    (11u << 20) /* a little over what the server takes, so that it can say so                      \
                 */

void client_complain(const char *fmt, ...)
{
    struct buf raw, clean;
    va_list ap;
    buf_init(&raw, 1u << 20);
    buf_init(&clean, 1u << 20);
    va_start(ap, fmt);
    buf_vprintf(&raw, fmt, ap);
    va_end(ap);
    text_clean(&clean, buf_str(&raw), false);
    fprintf(stderr, "sluice: %s\n", clean.data ? clean.data : "");
    buf_deinit(&raw);
    buf_deinit(&clean);
}

static int exit_code_of(long status)
{
    switch (status) {
    case 401:
    case 403:
        return EXIT_NOT_ALLOWED;
    case 404:
        return EXIT_NOT_FOUND;
    case 409:
    case 412:
        return EXIT_WRONG_STATE;
    case 429:
    case 502:
    case 503:
    case 504:
        return EXIT_UNREACHABLE;
    default:
        return status >= 400 && status < 500 ? EXIT_USAGE : EXIT_SESSION_FAILED;
    }
}

/* What the codes mean, in front of the server's sentence where that is in another language. */
static const struct {
    const char *code, *means;
} known_codes[] = {
    {"invalid", N_("something is wrong with what was asked")},
    {"invalid_input", N_("the input does not fit")},
    {"invalid_workflow", N_("the workflow does not validate")},
    {"unauthorized", N_("a key is needed")},
    {"forbidden", N_("the key does not allow it")},
    {"not_found", N_("it is not there")},
    {"conflict", N_("the state does not allow it")},
    {"in_use", N_("it is in use")},
    {"stale_version", N_("somebody else was faster")},
    {"too_large", N_("it is too large")},
    {"rate_limited", N_("too many requests; try again later")},
    {"overloaded", N_("the server is too busy; try again later")},
    {"store_unavailable", N_("the server cannot reach its store")},
    {"unavailable", N_("the server cannot do it now")},
    {"internal", N_("something is wrong with the server")},
    {"unknown_workflow", N_("there is no such workflow")},
    {"unknown_stage", N_("there is no such stage")},
    {"skip_not_allowed", N_("the stage may not be left out")},
};

static const char *code_meaning(struct json body)
{
    struct json code = json_get_set(body, "code");
    for (size_t i = 0; i < sizeof(known_codes) / sizeof(known_codes[0]); i++)
        if (lang_get() != LANG_EN && json_string_eq(code, known_codes[i].code))
            return T(known_codes[i].means);
    return NULL;
}

/* An answer that says no: its sentence, and the issues of a workflow. */
static int refusal_tell(struct client *c, const struct http_reply *r, bool is_json)
{
    struct json body = is_json ? json_root(buf_str(&r->body)) : JSON_ABSENT;
    struct json details = json_get_set(body, "details");
    char *sentence = json_strdup(json_get_set(body, "error"));
    const char *means = code_meaning(body);
    if (c->json && is_json)
        fprintf(stderr, "%.*s\n", STR_FMT(json_raw(body)));
    else
        client_complain("%s%s%s (HTTP %ld)", means ? means : "", means ? ": " : "",
                        sentence ? sentence : T("the server refused"), r->status);
    if (!c->json && json_type(json_get(details, "errors")) == JSON_ARRAY)
        client_show_issues(c, details, stderr);
    free(sentence);
    return exit_code_of(r->status);
}

int client_get_text(struct client *c, const char *path, struct http_reply *reply)
{
    struct errbuf e = {{0}};
    if (http_send(c->http, "GET", path, NULL, reply, &e)) {
        client_complain(T("no answer from %s"), e.text);
        return EXIT_UNREACHABLE;
    }
    if (reply->status >= 200 && reply->status < 300)
        return 0;
    return refusal_tell(c, reply, json_check(buf_str(&reply->body), NULL, &e) == 0);
}

int client_call(struct client *c, const char *method, const char *path,
                const struct http_body *body, struct http_reply *reply)
{
    struct errbuf e = {{0}};
    static const struct json_limits limits = {.bytes_max = HTTP_REPLY_BYTES_MAX};
    if (http_send(c->http, method, path, body, reply, &e)) {
        client_complain(T("no answer from %s"), e.text);
        return EXIT_UNREACHABLE;
    }
    bool is_json = reply->body.len && json_check(buf_str(&reply->body), &limits, &e) == 0;
    if (reply->status < 200 || reply->status >= 300)
        return refusal_tell(c, reply, is_json);
    if (reply->body.len && !is_json) {
        client_complain(T("%s does not answer as a Sluice server does: %s"), http_server(c->http),
                        e.text);
        return EXIT_UNREACHABLE;
    }
    return 0;
}

int client_try(struct client *c, const char *method, const char *path, struct str json,
               struct http_reply *reply)
{
    struct errbuf e = {{0}};
    struct http_body body = {json, "application/json"};
    static const struct json_limits limits = {.bytes_max = HTTP_REPLY_BYTES_MAX};
    if (http_send(c->http, method, path, json.p ? &body : NULL, reply, &e))
        return EXIT_UNREACHABLE;
    if (reply->status < 200 || reply->status >= 300)
        return exit_code_of(reply->status);
    if (reply->body.len && json_check(buf_str(&reply->body), &limits, &e))
        return EXIT_UNREACHABLE;
    return 0;
}

int client_post(struct client *c, const char *path, struct str json, struct http_reply *reply)
{
    struct http_body body = {json, "application/json"};
    return client_call(c, "POST", path, &body, reply);
}

void client_show_issues(struct client *c, struct json verdict, FILE *to)
{
    static const struct {
        const char *key, *word;
        enum style style;
    } kinds[] = {{"errors", N_("error"), STYLE_RED},
                 {"warnings", N_("warning"), STYLE_YELLOW},
                 {"fixes", N_("fixed"), STYLE_GREEN}};
    struct term t;
    struct grid g;
    (void)c;
    term_init(&t, to);
    grid_init(&g);
    grid_column(&g, "", false, 0);
    grid_column(&g, T("WHERE"), false, 48);
    grid_column(&g, T("WHAT"), false, 0);
    t.columns = 0; /* a sentence is never cut */
    for (size_t k = 0; k < 3; k++) {
        struct json_iter it;
        json_iter_init(&it, json_get(verdict, kinds[k].key));
        while (json_iter_next(&it)) {
            char *path = json_strdup(json_get(it.value, "path"));
            char *message = member_text(it.value, "message"), *fix = member_text(it.value, "fix");
            struct buf what;
            buf_init(&what, 1u << 20);
            buf_append_z(&what, message);
            if (*fix)
                buf_printf(&what, k == 2 ? ": %s" : T(" (--fix: %s)"), fix);
            grid_cellz(&g, T(kinds[k].word), kinds[k].style);
            grid_cellz(&g, path && *path ? path : "-", STYLE_BOLD);
            grid_cell(&g, buf_str(&what), STYLE_PLAIN);
            buf_deinit(&what);
            free(path);
            free(message);
            free(fix);
        }
    }
    if (g.cell_count)
        grid_print(&g, &t);
    grid_deinit(&g);
}

/* ---- lists ---- */

/* The next page's path into `path`, which is emptied after the last. */
static void page_next(struct json page, const char *first, struct buf *path)
{
    char *next = json_strdup(json_get_set(page, "next_cursor"));
    buf_clear(path);
    if (next) {
        buf_printf(path, "%s%scursor=", first, strchr(first, '?') ? "&" : "?");
        http_escape(path, next);
    }
    free(next);
}

static void item_give(struct client *c, long index, struct json item,
                      void (*give)(void *data, struct json item), void *data)
{
    if (c->json)
        fprintf(c->out.file, "%s%.*s", index ? "," : "{\"items\":[", STR_FMT(json_raw(item)));
    else
        give(data, item);
}

int client_each(struct client *c, const char *first, long limit,
                void (*item)(void *data, struct json item), void *data)
{
    struct http_reply r;
    struct buf path;
    struct json cursor = JSON_ABSENT;
    long seen = 0;
    int rc = 0;
    http_reply_init(&r);
    buf_init(&path, 1u << 20);
    buf_append_z(&path, first);
    while (path.len && !rc && (!limit || seen < limit)) {
        long want = limit && limit - seen < 500 ? limit - seen : 500;
        buf_printf(&path, "%slimit=%ld", strchr(path.data, '?') ? "&" : "?", want);
        rc = client_call(c, "GET", path.data, NULL, &r);
        if (rc)
            break;
        struct json page = json_root(buf_str(&r.body));
        struct json_iter it;
        json_iter_init(&it, json_get(page, "items"));
        while (json_iter_next(&it))
            item_give(c, seen++, it.value, item, data);
        cursor = json_get_set(page, "next_cursor");
        page_next(page, first, &path);
    }
    if (!rc && c->json)
        fprintf(c->out.file, "%s],\"next_cursor\":%.*s}\n", seen ? "" : "{\"items\":[",
                cursor.p ? (int)cursor.n : 4, cursor.p ? cursor.p : "null");
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

void line_label(struct client *c, const char *label, int columns, enum style style)
{
    fputs(term_style(&c->out, style), c->out.file);
    text_pad(c->out.file, label, columns);
    fputs(term_reset(&c->out), c->out.file);
}

long limit_of(const struct args *a, long otherwise)
{
    const char *given = args_get(a, "limit");
    char *end;
    if (!given)
        return otherwise;
    long n = strtol(given, &end, 10);
    if (*end || n < 1 || n > 1000000) {
        client_complain(T("--limit must be a number from 1 to 1000000, not \"%.40s\""), given);
        return 0;
    }
    return n;
}

void grid_member(struct grid *g, struct json object, const char *key, enum style style)
{
    char *text = member_text(object, key);
    grid_cellz(g, text, style);
    free(text);
}

void grid_status(struct grid *g, struct json object)
{
    char *status = member_text(object, "status");
    grid_cellz(g, status_word(status), status_style(str_of(status)));
    free(status);
}

void grid_time(struct grid *g, struct json object, const char *key)
{
    char text[32];
    member_when(object, key, text);
    grid_cellz(g, text, STYLE_PLAIN);
}

void member_when(struct json object, const char *key, char out[32])
{
    char *text = member_text(object, key);
    bool whole = strlen(text) > 20 && text[19] == '.';
    snprintf(out, 32, whole ? "%.19sZ" : "%.31s", text);
    free(text);
}

char *member_text(struct json object, const char *key)
{
    struct json v = json_get_set(object, key);
    char *s = json_strdup(v);
    return s ? s : str_dup(json_exists(v) ? json_raw(v) : STR(""));
}

int64_t member_time(struct json object, const char *key)
{
    char *s = member_text(object, key);
    int64_t ms = 0;
    clock_parse_rfc3339(str_of(s), &ms);
    free(s);
    return ms;
}

/* ---- files ---- */

int workflow_to_json(struct str text, const char *name, struct buf *json, struct errbuf *e)
{
    struct errbuf inner = {{0}};
    size_t at = 0;
    int rc;
    while (at < text.n && strchr(" \t\r\n", text.p[at]))
        at++;
    buf_init(json, JSON_BODY_MAX);
    /* What begins as JSON and is YAML all the same is rare, and tells its errors better as JSON. */
    if (at < text.n && text.p[at] == '{') {
        rc = json_check(text, NULL, &inner);
        if (!rc)
            rc = buf_append_str(json, text);
    } else {
        rc = yaml_to_json(text, NULL, json, &inner);
    }
    if (rc)
        buf_deinit(json);
    return rc ? err_set(e, rc, "%.200s: %.300s", name, inner.text) : 0;
}

int file_read(const char *path, struct buf *out, struct errbuf *e)
{
    buf_init(out, FILE_BYTES_MAX);
    int rc = strcmp(path, "-") == 0 ? file_append_fd(STDIN_FILENO, "standard input", out, e)
                                    : file_append(path, out, e);
    if (rc)
        buf_deinit(out);
    return rc;
}
