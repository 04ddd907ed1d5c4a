#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tools/mcp_server.h"
#include "tools/tool_private.h"

/* A job's deadline: on its own, for a timer's memory outlives the job by a turn of the loop. */
struct tool_timer {
    uv_timer_t timer;
    struct tool_job *job; /* NULL: over */
    struct tools *tools;
};

static const struct tool_kind *const kinds[] = {&tool_http, &tool_web_search, &tool_mcp,
                                                &tool_mcp_describe};

static const struct tool_kind *kind_find(struct str name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (str_eqz(name, kinds[i]->name))
            return kinds[i];
    return NULL;
}

bool tools_has(const struct tools *t, struct str tool)
{
    (void)t;
    return kind_find(tool) != NULL;
}

/* ---- closing ---- */

void tools_part_closed(struct tools *t)
{
    if (--t->open_parts)
        return;
    void (*closed)(void *data) = t->closed;
    void *data = t->closed_data;
    mcp_servers_destroy(t);
    arena_deinit(&t->arena);
    free(t);
    closed(data);
}

static void tools_fetcher_closed(void *data)
{
    tools_part_closed(data);
}

static void tools_kick_closed(uv_handle_t *h)
{
    tools_part_closed(h->data);
}

void tools_close(struct tools *t, void (*closed)(void *data), void *data)
{
    t->closed = closed;
    t->closed_data = data;
    t->open_parts += 2; /* beside the 1 of its life: kick and two fetchers */
    mcp_servers_close(t);
    fetcher_close(t->outside, tools_fetcher_closed, t);
    fetcher_close(t->inside, tools_fetcher_closed, t);
    uv_close((uv_handle_t *)&t->kick, tools_kick_closed);
}

/* ---- jobs ---- */

int tool_job_fail(struct tool_job *j, int status, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    j->status = err_vset(&j->error, status, fmt, ap);
    va_end(ap);
    snprintf(j->error_code, sizeof(j->error_code), "%s", code);
    return status;
}

void tool_job_log(struct tool_job *j, const char *level, struct str text)
{
    if (j->on_log)
        j->on_log(j, level, text);
}

static void tool_timer_closed(uv_handle_t *h)
{
    struct tool_timer *timer = h->data;
    struct tools *t = timer->tools;
    free(timer);
    tools_part_closed(t);
}

static void tool_job_leave(struct tool_job *j)
{
    struct tool_timer *timer = container_of(j->timer, struct tool_timer, timer);
    timer->job = NULL;
    uv_close((uv_handle_t *)&timer->timer, tool_timer_closed);
    list_remove(&j->link);
    list_remove(&j->later);
    j->tools->job_count--;
    j->is_started = false;
}

void tool_job_finish(struct tool_job *j)
{
    struct buf output = j->output;
    tool_job_leave(j);
    if (j->status == 0 && buf_error(&output))
        tool_job_fail(j, ERR_TOO_LARGE, "too_large", "the tool's answer is longer than %u bytes",
                      TOOL_OUTPUT_BYTES_MAX);
    j->on_done(j); /* j may be gone now */
    buf_deinit(&output);
}

static void tools_kick_fired(uv_idle_t *kick)
{
    struct tools *t = kick->data;
    struct list now, *it;
    uv_idle_stop(kick);
    list_init(&now);
    list_splice(&now, &t->finished);
    while ((it = list_pop(&now)))
        tool_job_finish(container_of(it, struct tool_job, later));
}

void tool_job_finish_later(struct tool_job *j)
{
    list_append(&j->tools->finished, &j->later);
    uv_idle_start(&j->tools->kick, tools_kick_fired);
}

static void tool_timer_fired(uv_timer_t *h)
{
    struct tool_timer *timer = h->data;
    struct tool_job *j = timer->job;
    if (!j || list_is_linked(&j->later))
        return;
    j->kind->cancel(j);
    tool_job_fail(j, ERR_TIMEOUT, "timeout", "the tool did not answer within %lld ms",
                  (long long)j->timeout_ms);
    tool_job_finish(j);
}

static void tool_job_arm(struct tool_job *j)
{
    struct tool_timer *timer = mem_zalloc(sizeof(*timer));
    timer->tools = j->tools;
    timer->job = j;
    timer->timer.data = timer;
    j->tools->open_parts++;
    j->timer = &timer->timer;
    uv_timer_init(j->tools->loop, &timer->timer);
    uv_timer_start(&timer->timer, tool_timer_fired, (uint64_t)j->timeout_ms, 0);
}

int tool_job_start(struct tools *t, struct tool_job *j)
{
    j->tools = t;
    j->status = 0;
    j->error_code[0] = j->error.text[0] = '\0';
    j->retry_after_ms = -1;
    j->impl = NULL;
    j->kind = kind_find(j->tool);
    if (!j->kind)
        return tool_job_fail(j, ERR_NOT_FOUND, "unknown_tool", "there is no tool \"%.*s\"",
                             j->tool.n > 80 ? 80 : (int)j->tool.n, j->tool.p);
    if (t->job_count >= TOOL_JOBS_MAX) {
        j->retry_after_ms = 1000;
        return tool_job_fail(j, ERR_OVERLOAD, "overload", "too many tools are at work");
    }
    if (!j->arguments.p)
        j->arguments = STR("{}");
    if (json_type(json_root(j->arguments)) != JSON_OBJECT)
        return tool_job_fail(j, ERR_INVALID, "invalid_arguments", "arguments must be an object");
    if (j->timeout_ms <= 0)
        j->timeout_ms = TOOL_TIMEOUT_MS;
    if (j->timeout_ms > TOOL_TIMEOUT_MS_MAX)
        j->timeout_ms = TOOL_TIMEOUT_MS_MAX;
    buf_init(&j->output, TOOL_OUTPUT_BYTES_MAX);
    list_init(&j->later);
    int rc = j->kind->start(j);
    if (rc) {
        buf_deinit(&j->output);
        return rc;
    }
    tool_job_arm(j);
    list_append(&t->jobs, &j->link);
    t->job_count++;
    j->is_started = true;
    return 0;
}

void tool_job_cancel(struct tool_job *j)
{
    if (!j->is_started)
        return;
    if (!list_is_linked(&j->later))
        j->kind->cancel(j);
    tool_job_leave(j);
    buf_deinit(&j->output);
}

/* ---- answers ---- */

bool tool_is_json_type(const char *type)
{
    size_t n = type ? strcspn(type, "; \t") : 0;
    if (n == 16 && strncasecmp(type, "application/json", 16) == 0)
        return true;
    return n > 5 && strncasecmp(type + n - 5, "+json", 5) == 0;
}

bool tool_is_text(struct str body)
{
    return utf8_is_valid(body) && !(body.n && memchr(body.p, '\0', body.n));
}

/* ---- settings ---- */

static const char *keep(struct tools *t, const char *text)
{
    return text ? arena_strdup(&t->arena, str_of(text)) : NULL;
}

static const char *const *keep_list(struct tools *t, const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    const char **out = arena_calloc(&t->arena, n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = keep(t, list[i]);
    return out;
}

static int tools_keep_rules(struct tools *t, const char *const *allow, struct errbuf *e)
{
    struct errbuf why;
    while (allow && allow[t->allow_count])
        t->allow_count++;
    t->allow = arena_calloc(&t->arena, t->allow_count + 1, sizeof(*t->allow));
    for (size_t i = 0; allow && i < t->allow_count; i++)
        if (address_rule_parse(&t->allow[i], allow[i], &why))
            return err_set(e, ERR_INVALID, "tools.http.allow: %s", why.text);
    return 0;
}

static int tools_keep_searches(struct tools *t, const struct tools_settings *s, struct errbuf *e)
{
    t->search_count = s->search_count;
    t->searches = arena_calloc(&t->arena, s->search_count + 1, sizeof(*t->searches));
    for (size_t i = 0; i < s->search_count; i++) {
        const struct tool_search *from = &s->searches[i];
        if (!from->url || !strstr(from->url, "{query}"))
            return err_set(e, ERR_INVALID, "search.%s: url needs {query}", from->name);
        t->searches[i] = (struct tool_search){
            .name = keep(t, from->name),
            .url = keep(t, from->url),
            .results = keep(t, from->results ? from->results : "results"),
            .title = keep(t, from->title ? from->title : "title"),
            .link = keep(t, from->link ? from->link : "url"),
            .snippet = keep(t, from->snippet ? from->snippet : "content"),
            .headers = keep_list(t, from->headers),
        };
    }
    return 0;
}

static int tools_keep_mcp(struct tools *t, const struct tools_settings *s, struct errbuf *e)
{
    t->mcp = arena_calloc(&t->arena, s->mcp_count + 1, sizeof(struct mcp_server *));
    for (size_t i = 0; i < s->mcp_count; i++) {
        const struct tool_mcp_server *m = &s->mcp[i];
        if ((m->command && m->command[0]) == (m->url != NULL))
            return err_set(e, ERR_INVALID, "mcp.servers.%s: needs command or url", m->name);
    }
    for (size_t i = 0; i < s->mcp_count; i++) { /* each has a handle from here on */
        struct tool_mcp_server *kept = arena_alloc(&t->arena, sizeof(*kept));
        const struct tool_mcp_server *from = &s->mcp[i];
        bool has_command = from->command && from->command[0];
        *kept = (struct tool_mcp_server){
            .name = keep(t, from->name),
            .command = has_command ? keep_list(t, from->command) : NULL,
            .env = keep_list(t, from->env),
            .cwd = keep(t, from->cwd),
            .url = keep(t, from->url),
            .headers = keep_list(t, from->headers),
        };
        t->mcp[t->mcp_count++] = mcp_server_create(t, kept);
    }
    return 0;
}

int tools_create(struct tools **out, struct uv_loop_s *loop, const struct tools_settings *s,
                 struct errbuf *e)
{
    struct tools *t = mem_zalloc(sizeof(*t));
    t->loop = loop;
    list_init(&t->jobs);
    list_init(&t->finished);
    arena_init(&t->arena);
    t->proxy = keep(t, s->proxy);
    t->secrets_dir = keep(t, s->secrets_dir);
    int rc = tools_keep_rules(t, s->allow, e);
    if (rc == 0)
        rc = tools_keep_searches(t, s, e);
    struct fetcher_options guarded = {true, t->allow, t->allow_count, t->proxy};
    struct fetcher_options open = {.is_guarded = false};
    if (rc == 0)
        rc = fetcher_open(&t->outside, loop, &guarded, e);
    if (rc == 0)
        rc = fetcher_open(&t->inside, loop, &open, e);
    if (rc == 0)
        rc = tools_keep_mcp(t, s, e);
    if (rc) { /* the process ends with it: what is open goes then */
        arena_deinit(&t->arena);
        free(t);
        return rc;
    }
    uv_idle_init(loop, &t->kick);
    t->kick.data = t;
    t->open_parts = 1;
    *out = t;
    return 0;
}
