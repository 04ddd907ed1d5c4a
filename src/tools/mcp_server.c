#include "tools/mcp_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define PARAMS_BYTES_MAX (8u << 20)

static void server_greet(struct mcp_server *s, const char *method);
static void server_greeted(struct mcp_request *r, const struct mcp_message *m);
static void server_pump(struct mcp_server *s);

static bool server_is_stdio(const struct mcp_server *s)
{
    return s->settings->command != NULL;
}

/* ---- requests ---- */

void mcp_request_init(struct mcp_request *r, const char *method)
{
    memset(r, 0, sizeof(*r));
    r->method = method;
    r->id = -1;
    r->retry_after_ms = -1;
    buf_init(&r->params, PARAMS_BYTES_MAX);
    list_init(&r->link);
}

void mcp_request_deinit(struct mcp_request *r)
{
    mcp_request_cancel(r);
    buf_deinit(&r->params);
    free(r->tool);
    free(r->schema);
    r->tool = r->schema = NULL;
}

static void server_say(struct mcp_server *s, struct str message)
{
    if (server_is_stdio(s) && s->stdio)
        mcp_stdio_send(s->stdio, message);
    else if (!server_is_stdio(s))
        mcp_http_tell(s, message);
}

static void server_notify(struct mcp_server *s, const char *method, struct str params)
{
    struct buf b;
    struct mcp_outgoing o = {
        .id = -1, .method = method, .params = params, .is_modern = s->era == MCP_ERA_MODERN};
    buf_init(&b, MCP_MESSAGE_BYTES_MAX);
    mcp_message_write(&b, &o);
    server_say(s, buf_str(&b));
    buf_deinit(&b);
}

/* Takes r out of everything; its stream is closed. */
static void request_leave(struct mcp_request *r)
{
    struct mcp_exchange *x = r->exchange;
    list_remove(&r->link);
    r->exchange = NULL;
    r->id = -1;
    if (x)
        mcp_http_drop(x);
}

void mcp_request_cancel(struct mcp_request *r)
{
    struct mcp_server *s = r->server;
    int64_t id = r->id;
    if (!list_is_linked(&r->link))
        return;
    request_leave(r);
    bool is_heard =
        server_is_stdio(s) || s->era == MCP_ERA_LEGACY; /* else the closed stream says it */
    if (id < 0 || !is_heard || r->is_greeting || s->is_closing)
        return;
    char params[96];
    snprintf(params, sizeof(params), "\"requestId\":%lld,\"reason\":\"cancelled\"", (long long)id);
    server_notify(s, "notifications/cancelled", str_of(params));
}

void mcp_request_end(struct mcp_request *r, const struct mcp_message *m)
{
    request_leave(r);
    r->on_end(r, m);
}

void mcp_request_fail(struct mcp_request *r, int status, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    r->status = err_vset(&r->error, status, fmt, ap);
    va_end(ap);
    snprintf(r->code, sizeof(r->code), "%s", code);
    mcp_request_end(r, NULL);
}

static void request_go(struct mcp_server *s, struct mcp_request *r)
{
    struct buf b;
    r->id = ++s->last_id;
    struct mcp_outgoing o = {.id = r->id,
                             .method = r->method,
                             .params = buf_str(&r->params),
                             .is_modern = s->era != MCP_ERA_LEGACY,
                             .wants_progress = r->on_progress != NULL};
    buf_init(&b, MCP_MESSAGE_BYTES_MAX);
    mcp_message_write(&b, &o);
    list_remove(&r->link);
    list_append(&s->sent, &r->link);
    if (buf_error(&b) || buf_error(&r->params))
        mcp_request_fail(r, ERR_TOO_LARGE, "too_large", "the request is larger than %u bytes",
                         MCP_MESSAGE_BYTES_MAX);
    else if (server_is_stdio(s))
        mcp_stdio_send(s->stdio, buf_str(&b));
    else
        mcp_http_send(s, r, buf_str(&b));
    buf_deinit(&b);
}

void mcp_request_send(struct mcp_server *s, struct mcp_request *r)
{
    r->server = s;
    list_append(&s->waiting, &r->link);
    server_pump(s);
}

struct mcp_request *mcp_server_sent(const struct mcp_server *s, int64_t id)
{
    list_foreach(it, &s->sent)
    {
        struct mcp_request *r = container_of(it, struct mcp_request, link);
        if (id >= 0 && r->id == id)
            return r;
    }
    return NULL;
}

static void fail_all(struct list *l, int status, const char *code, const char *text,
                     int64_t retry_after_ms)
{
    struct list now, *it;
    list_init(&now);
    list_splice(&now, l);
    while (!list_empty(&now)) {
        it = now.next;
        struct mcp_request *r = container_of(it, struct mcp_request, link);
        r->retry_after_ms = retry_after_ms;
        mcp_request_fail(r, status, code, "%s", text);
    }
}

/* ---- greeting ---- */

static void greeting_drop(struct mcp_server *s)
{
    struct mcp_request *g = s->greeting;
    uv_timer_stop(&s->timer);
    if (!g)
        return;
    s->greeting = NULL;
    mcp_request_deinit(g);
    free(g);
}

static void server_rest_over(uv_timer_t *timer)
{
    struct mcp_server *s = timer->data;
    s->state = MCP_IDLE;
    server_pump(s);
}

static int64_t server_rest(struct mcp_server *s)
{
    unsigned shift = s->deaths < 8 ? s->deaths : 8;
    int64_t ms = (int64_t)MCP_REST_MS << shift;
    ms = ms < MCP_REST_MS_MAX ? ms : MCP_REST_MS_MAX;
    s->deaths++;
    s->state = MCP_RESTING;
    uv_timer_start(&s->timer, server_rest_over, (uint64_t)ms, 0);
    return ms;
}

/* Nobody is there to talk to, or nobody who speaks MCP. */
static void server_give_up(struct mcp_server *s, int status, const char *code, const char *text,
                           int64_t retry_after_ms)
{
    greeting_drop(s);
    s->era = MCP_ERA_UNKNOWN;
    if (s->stdio) {
        mcp_stdio_end(s->stdio);
        s->stdio = NULL;
        int64_t ms = server_rest(s);
        retry_after_ms = retry_after_ms < 0 ? ms : retry_after_ms;
    } else {
        s->state = MCP_IDLE;
    }
    log_warn("mcp", "server %s: %s", s->settings->name, text);
    fail_all(&s->waiting, status, code, text, retry_after_ms);
}

static void server_ready(struct mcp_server *s, enum mcp_era era)
{
    greeting_drop(s);
    s->era = era;
    s->state = MCP_READY;
    s->ready_at = uv_now(s->tools->loop);
    log_info("mcp", "server %s speaks %s", s->settings->name, s->version);
    if (era == MCP_ERA_LEGACY)
        server_notify(s, "notifications/initialized", STR_NULL);
    server_pump(s);
}

static void server_initialize(struct mcp_server *s)
{
    greeting_drop(s);
    s->era = MCP_ERA_LEGACY;
    s->version = MCP_LEGACY;
    s->session_id[0] = '\0';
    server_greet(s, "initialize");
}

static void discover_answered(struct mcp_server *s, struct mcp_request *r,
                              const struct mcp_message *m)
{
    bool is_refused = m && m->kind == MCP_ERROR && mcp_is_modern_error(m->code);
    if (m && m->kind == MCP_RESULT) {
        server_ready(s, MCP_ERA_MODERN);
    } else if (is_refused) {
        server_give_up(s, ERR_UPSTREAM, "mcp_version",
                       "the server speaks a newer generation without version " MCP_MODERN, -1);
    } else if (m) {
        server_initialize(s);
    } else {
        struct mcp_request failed = *r;
        server_give_up(s, failed.status, failed.code, failed.error.text, failed.retry_after_ms);
    }
}

static void initialize_answered(struct mcp_server *s, struct mcp_request *r,
                                const struct mcp_message *m)
{
    if (m && m->kind == MCP_RESULT) {
        s->version = mcp_legacy_version(json_get_set(m->result, "protocolVersion"));
        if (s->version)
            server_ready(s, MCP_ERA_LEGACY);
        else
            server_give_up(s, ERR_UPSTREAM, "mcp_version",
                           "the server wants a protocol version that is not known here", -1);
    } else if (m) {
        struct errbuf e;
        err_set(&e, 0, "the server refused to begin: %.*s",
                (int)(m->message.n > 300 ? 300 : m->message.n), m->message.n ? m->message.p : "");
        server_give_up(s, ERR_UPSTREAM, "mcp_error", e.text, -1);
    } else {
        struct mcp_request failed = *r;
        server_give_up(s, failed.status, failed.code, failed.error.text, failed.retry_after_ms);
    }
}

static void server_greeted(struct mcp_request *r, const struct mcp_message *m)
{
    struct mcp_server *s = r->server;
    if (strcmp(r->method, "initialize") == 0)
        initialize_answered(s, r, m);
    else
        discover_answered(s, r, m);
}

static void server_greeting_late(uv_timer_t *timer)
{
    struct mcp_server *s = timer->data;
    bool was_discover = s->greeting && strcmp(s->greeting->method, "initialize") != 0;
    if (was_discover)
        server_initialize(s);
    else
        server_give_up(s, ERR_TIMEOUT, "timeout", "the MCP server did not answer in time", -1);
}

static void server_greet(struct mcp_server *s, const char *method)
{
    bool is_initialize = strcmp(method, "initialize") == 0;
    struct mcp_request *g = mem_alloc(sizeof(*g));
    mcp_request_init(g, method);
    g->is_greeting = true;
    g->on_end = server_greeted;
    g->server = s;
    if (is_initialize)
        buf_append_z(&g->params,
                     "\"protocolVersion\":\"" MCP_LEGACY "\",\"capabilities\":{},"
                     "\"clientInfo\":{\"name\":\"sluice\",\"version\":\"" SLUICE_VERSION "\"}");
    else
        s->version = MCP_MODERN;
    s->greeting = g;
    s->state = MCP_GREETING;
    uv_timer_start(&s->timer, server_greeting_late,
                   is_initialize ? MCP_GREETING_MS : MCP_DISCOVER_MS, 0);
    request_go(s, g);
}

static void server_connect(struct mcp_server *s)
{
    struct errbuf e;
    if (server_is_stdio(s) && !s->stdio && mcp_stdio_open(s, &e)) {
        fail_all(&s->waiting, ERR_UNAVAILABLE, "spawn_failed", e.text, -1);
        return;
    }
    if (s->era == MCP_ERA_LEGACY)
        server_initialize(s);
    else
        server_greet(s, "server/discover");
}

static void server_pump(struct mcp_server *s)
{
    if (s->is_closing || list_empty(&s->waiting))
        return;
    if (s->state == MCP_IDLE)
        server_connect(s);
    while (s->state == MCP_READY && !list_empty(&s->waiting))
        request_go(s, container_of(s->waiting.next, struct mcp_request, link));
}

/* ---- what comes ---- */

static void server_answer(struct mcp_server *s, const struct mcp_message *m)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_append_z(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_append_str(&b, json_raw(m->raw_id));
    if (json_string_eq(m->method, "ping"))
        buf_append_z(&b, ",\"result\":{}}");
    else
        buf_append_z(&b, ",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}");
    if (!buf_error(&b))
        server_say(s, buf_str(&b));
    buf_deinit(&b);
}

static void server_noticed(struct mcp_server *s, const struct mcp_message *m)
{
    int64_t token = -1;
    if (json_string_eq(m->method, "notifications/progress")) {
        json_i64(json_get_set(m->params, "progressToken"), &token);
        struct mcp_request *r = mcp_server_sent(s, token);
        if (r && r->on_progress)
            r->on_progress(r, m->params);
    } else if (json_string_eq(m->method, "notifications/tools/list_changed")) {
        s->is_listed = false;
        s->is_list_stale = s->is_listing; /* what is being read may be the old one */
    }
}

void mcp_server_received(struct mcp_server *s, struct str text, struct mcp_request *of)
{
    struct mcp_message m;
    struct errbuf e;
    struct mcp_request *r;
    if (mcp_message_parse(text, &m, &e)) {
        log_debug("mcp", "server %s: %s", s->settings->name, e.text);
        if (of)
            mcp_request_fail(of, ERR_UPSTREAM, "bad_response",
                             "the MCP server sent what cannot be read: %s", e.text);
        return;
    }
    switch (m.kind) {
    case MCP_RESULT:
    case MCP_ERROR:
        r = m.kind == MCP_ERROR && m.id < 0 ? of : mcp_server_sent(s, m.id);
        if (r && (!of || r == of))
            mcp_request_end(r, &m);
        break;
    case MCP_REQUEST:
        server_answer(s, &m);
        break;
    case MCP_NOTIFICATION:
        server_noticed(s, &m);
        break;
    }
}

void mcp_server_lost(struct mcp_server *s, const char *how)
{
    char text[480];
    bool was_greeting = s->state == MCP_GREETING;
    bool was_discover =
        was_greeting && s->greeting && strcmp(s->greeting->method, "initialize") != 0;
    if (s->state == MCP_READY && uv_now(s->tools->loop) - s->ready_at > MCP_STEADY_MS)
        s->deaths = 0;
    s->stdio = NULL;
    greeting_drop(s);
    /* One that fell over the first question is of the older generation, maybe. */
    s->era = was_discover ? MCP_ERA_LEGACY : MCP_ERA_UNKNOWN;
    s->is_listed = false;
    s->is_list_stale = s->is_listing;
    int64_t ms = server_rest(s);
    snprintf(text, sizeof(text), "MCP server %s %s%s%s", s->settings->name, how,
             s->last_words[0] ? ": " : "", s->last_words);
    log_warn("mcp", "%s; again in %lld ms", text, (long long)ms);
    fail_all(&s->sent, ERR_UPSTREAM, "server_exited", text, ms);
    if (was_greeting && !was_discover)
        fail_all(&s->waiting, ERR_UPSTREAM, "server_exited", text, ms);
}

void mcp_server_session_lost(struct mcp_server *s, struct mcp_request *r, const char *session_id)
{
    r->was_repeated = true;
    r->id = -1;
    list_remove(&r->link);
    list_append(&s->waiting, &r->link);
    if (s->state == MCP_READY && strcmp(s->session_id, session_id) == 0) {
        log_info("mcp", "server %s has forgotten its session", s->settings->name);
        s->state = MCP_IDLE;
    }
    server_pump(s);
}

/* ---- life ---- */

struct mcp_server *mcp_server_create(struct tools *t, const struct tool_mcp_server *settings)
{
    struct mcp_server *s = mem_zalloc(sizeof(*s));
    s->tools = t;
    s->settings = settings;
    list_init(&s->waiting);
    list_init(&s->sent);
    list_init(&s->exchanges);
    list_init(&s->list_waits);
    buf_init(&s->list, TOOL_OUTPUT_BYTES_MAX);
    buf_init(&s->listing, TOOL_OUTPUT_BYTES_MAX);
    mcp_request_init(&s->list_request, "tools/list");
    uv_timer_init(t->loop, &s->timer);
    uv_unref((uv_handle_t *)&s->timer);
    s->timer.data = s;
    return s;
}

struct mcp_server *mcp_server_find(const struct tools *t, struct str name)
{
    for (size_t i = 0; i < t->mcp_count; i++)
        if (str_eqz(name, t->mcp[i]->settings->name))
            return t->mcp[i];
    return NULL;
}

static void server_timer_closed(uv_handle_t *h)
{
    struct mcp_server *s = h->data;
    tools_part_closed(s->tools);
}

void mcp_servers_close(struct tools *t)
{
    for (size_t i = 0; i < t->mcp_count; i++) {
        struct mcp_server *s = t->mcp[i];
        s->is_closing = true;
        greeting_drop(s);
        mcp_request_cancel(&s->list_request);
        mcp_http_drop_all(s);
        if (s->stdio)
            mcp_stdio_end(s->stdio);
        s->stdio = NULL;
        t->open_parts++;
        uv_close((uv_handle_t *)&s->timer, server_timer_closed);
    }
}

void mcp_servers_destroy(struct tools *t)
{
    for (size_t i = 0; i < t->mcp_count; i++) {
        struct mcp_server *s = t->mcp[i];
        mcp_request_deinit(&s->list_request);
        buf_deinit(&s->list);
        buf_deinit(&s->listing);
        free(s);
    }
    t->mcp_count = 0;
}
