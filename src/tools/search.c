/* Tool `web_search`: a JSON search API of the settings, or the built-in source `demo`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/tool_private.h"

#define SEARCH_BYTES_MAX       (2u << 20)
#define SEARCH_QUERY_BYTES_MAX 2000
#define SEARCH_RESULTS_MAX     50
#define SEARCH_RESULTS_DEFAULT 5

struct search_job {
    struct tool_job *job;
    const struct tool_search *source;
    int64_t count;
    struct fetch fetch;
    struct secrets secrets;
};

static void search_free(struct search_job *s)
{
    if (!s)
        return; /* the demo keeps nothing */
    fetch_deinit(&s->fetch);
    secrets_deinit(&s->secrets);
    free(s);
}

static void search_cancel(struct tool_job *j)
{
    search_free(j->impl);
}

/* ---- the demo ---- */

static void demo_answer(struct tool_job *j, struct str query, int64_t count)
{
    struct jw w;
    jw_init(&w, &j->output);
    jw_object(&w);
    jw_kv_stringz(&w, "source", "demo");
    jw_key(&w, "results");
    jw_array(&w);
    for (int64_t i = 1; i <= count; i++) {
        struct buf b;
        buf_init(&b, SEARCH_QUERY_BYTES_MAX + 200);
        jw_object(&w);
        buf_printf(&b, "[demo] Result %lld for: %.*s", (long long)i, STR_FMT(query));
        jw_kv_string(&w, "title", buf_str(&b));
        buf_clear(&b);
        buf_printf(&b, "https://demo.invalid/search/%lld", (long long)i);
        jw_kv_string(&w, "url", buf_str(&b));
        buf_clear(&b);
        buf_printf(&b,
                   "Canned text of the built-in demo source, which searches nothing. It was asked "
                   "for: %.*s",
                   STR_FMT(query));
        jw_kv_string(&w, "snippet", buf_str(&b));
        jw_end(&w);
        buf_deinit(&b);
    }
    jw_end(&w);
    jw_end(&w);
}

/* ---- a source ---- */

static struct json at_path(struct json v, const char *path)
{
    char name[128];
    while (*path && json_exists(v)) {
        size_t n = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)n, path);
        v = json_get_set(v, name);
        path += n + (path[n] == '.');
    }
    return v;
}

static void write_member(struct jw *w, const char *key, struct json v)
{
    jw_kv_raw(w, key, json_type(v) == JSON_STRING ? json_raw(v) : STR("\"\""));
}

static void search_write(struct search_job *s, struct json results)
{
    struct jw w;
    struct json_iter it;
    int64_t n = 0;
    jw_init(&w, &s->job->output);
    jw_object(&w);
    jw_kv_stringz(&w, "source", s->source->name);
    jw_key(&w, "results");
    jw_array(&w);
    json_iter_init(&it, results);
    while (n < s->count && json_iter_next(&it)) {
        if (json_type(it.value) != JSON_OBJECT)
            continue;
        jw_object(&w);
        write_member(&w, "title", at_path(it.value, s->source->title));
        write_member(&w, "url", at_path(it.value, s->source->link));
        write_member(&w, "snippet", at_path(it.value, s->source->snippet));
        jw_end(&w);
        n++;
    }
    jw_end(&w);
    jw_end(&w);
}

static void search_read(struct search_job *s)
{
    struct tool_job *j = s->job;
    struct fetch *f = &s->fetch;
    char code[32];
    secrets_hide(&s->secrets, &f->in);
    if (f->status) {
        tool_job_fail(j, f->status, f->code, "%s", f->error.text);
    } else if (f->http_status < 200 || f->http_status > 299) {
        bool is_busy = f->http_status == 429;
        snprintf(code, sizeof(code), is_busy ? "rate_limited" : "http_%ld", f->http_status);
        j->retry_after_ms = fetch_retry_after_ms(f);
        tool_job_fail(j, is_busy ? ERR_OVERLOAD : ERR_UPSTREAM, code,
                      "search source \"%s\" answered %ld", s->source->name, f->http_status);
    } else if (f->is_cut || json_check(buf_str(&f->in), NULL, NULL) ||
               json_type(at_path(json_root(buf_str(&f->in)), s->source->results)) != JSON_ARRAY) {
        tool_job_fail(j, ERR_UPSTREAM, "bad_response",
                      "search source \"%s\" did not answer with a list at \"%s\"", s->source->name,
                      s->source->results);
    } else {
        search_write(s, at_path(json_root(buf_str(&f->in)), s->source->results));
    }
}

static void search_done(struct fetch *f)
{
    struct search_job *s = container_of(f, struct search_job, fetch);
    struct tool_job *j = s->job;
    search_read(s);
    search_free(s);
    tool_job_finish(j);
}

static void search_url(struct search_job *s, struct str query)
{
    struct buf url;
    const char *p = s->source->url;
    buf_init(&url, FETCH_URL_BYTES_MAX * 2);
    while (*p) {
        if (strncmp(p, "{query}", 7) == 0) {
            tool_percent_encode(&url, query);
            p += 7;
        } else if (strncmp(p, "{count}", 7) == 0) {
            buf_append_i64(&url, s->count);
            p += 7;
        } else {
            buf_append_char(&url, *p++);
        }
    }
    s->fetch.url = buf_steal(&url, NULL);
}

/* Headers of the settings: they may name secrets themselves. */
int tool_settings_headers(const struct tools *t, const char *const *lines, struct fetch *f,
                          struct secrets *secrets, struct errbuf *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && lines && lines[i]; i++) {
        struct buf line;
        size_t before = secrets->count;
        buf_init(&line, FETCH_HEAD_BYTES_MAX);
        rc = secrets_expand(t, str_of(lines[i]), str_of(lines[i]), secrets, &line, e);
        if (rc == 0)
            rc = fetch_add_line(f, buf_str(&line), secrets->count > before, e);
        if (line.data)
            explicit_bzero(line.data, line.len);
        buf_deinit(&line);
    }
    return rc;
}

static int search_ask(struct tool_job *j, const struct tool_search *source, struct str query,
                      int64_t count)
{
    struct search_job *s = mem_zalloc(sizeof(*s));
    struct errbuf e;
    s->job = j;
    s->source = source;
    s->count = count;
    fetch_init(&s->fetch, j->tools->inside);
    search_url(s, query);
    snprintf(s->fetch.method, sizeof(s->fetch.method), "GET");
    s->fetch.bytes_max = SEARCH_BYTES_MAX;
    s->fetch.on_done = search_done;
    if (tool_settings_headers(j->tools, source->headers, &s->fetch, &s->secrets, &e)) {
        search_free(s);
        return tool_job_fail(j, ERR_INVALID, "invalid_settings", "search.%s: %s", source->name,
                             e.text);
    }
    if (!fetch_has_header(&s->fetch, "Accept"))
        fetch_add_header(&s->fetch, STR("Accept"), STR("application/json"), false, &e);
    j->impl = s;
    fetch_start(&s->fetch);
    return 0;
}

/* NULL: demo. ERR_NOT_FOUND: none of that name. */
static int search_source(const struct tools *t, struct json name, const struct tool_search **out)
{
    *out = t->search_count ? &t->searches[0] : NULL;
    if (!json_exists(name))
        return 0;
    for (size_t i = 0; i < t->search_count; i++)
        if (json_string_eq(name, t->searches[i].name)) {
            *out = &t->searches[i];
            return 0;
        }
    *out = NULL;
    return json_string_eq(name, "demo") ? 0 : ERR_NOT_FOUND;
}

static int search_start(struct tool_job *j)
{
    struct json args = json_root(j->arguments), n = json_get_set(args, "max_results");
    const struct tool_search *source;
    int64_t count = SEARCH_RESULTS_DEFAULT;
    int rc = 0;
    struct buf query;
    if (json_exists(n) && (!json_i64(n, &count) || count < 1 || count > SEARCH_RESULTS_MAX))
        return tool_job_fail(j, ERR_INVALID, "invalid_arguments",
                             "web_search: max_results must be from 1 to %d", SEARCH_RESULTS_MAX);
    if (search_source(j->tools, json_get_set(args, "source"), &source))
        return tool_job_fail(j, ERR_NOT_FOUND, "unknown_source",
                             "web_search: the settings have no such source");
    buf_init(&query, SEARCH_QUERY_BYTES_MAX);
    if (!json_string(json_get_set(args, "query"), &query) || !query.len || buf_error(&query))
        rc = tool_job_fail(j, ERR_INVALID, "invalid_arguments",
                           "web_search: query must be a text of at most %d bytes",
                           SEARCH_QUERY_BYTES_MAX);
    else if (source)
        rc = search_ask(j, source, buf_str(&query), count);
    else {
        demo_answer(j, buf_str(&query), count);
        tool_job_finish_later(j);
    }
    buf_deinit(&query);
    return rc;
}

const struct tool_kind tool_web_search = {"web_search", search_start, search_cancel};
