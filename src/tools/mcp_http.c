/* MCP over streamable HTTP: a POST for each message; the answer is JSON, or a stream of events that
 * ends with it. Closing the stream cancels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/sse.h"
#include "tools/mcp_server.h"

#define TELLS_MAX 32    /* notifications and answers on their way */
#define TELL_MS   10000 /* for one to be taken */

struct mcp_exchange {
    struct fetch fetch;
    struct list link; /* in server->exchanges */
    struct mcp_server *server;
    struct mcp_request *request; /* NULL: nobody waits any more */
    struct secrets secrets;
    struct buf body; /* of the request */
    struct buf answer;
    struct sse sse;
    bool is_stream, is_looked_at;
    bool is_busy, is_dead; /* busy: a callback of it is up the stack, which frees it */
    char session_id[MCP_SESSION_ID_MAX + 1];
};

static void exchange_free(struct mcp_exchange *x)
{
    fetch_deinit(&x->fetch);
    list_remove(&x->link);
    secrets_deinit(&x->secrets);
    buf_deinit(&x->body);
    buf_deinit(&x->answer);
    sse_deinit(&x->sse);
    free(x);
}

void mcp_http_drop(struct mcp_exchange *x)
{
    x->request = NULL;
    if (x->is_busy) {
        x->is_dead = true;
        return;
    }
    exchange_free(x);
}

void mcp_http_drop_all(struct mcp_server *s)
{
    while (!list_empty(&s->exchanges))
        exchange_free(container_of(s->exchanges.next, struct mcp_exchange, link));
}

/* ---- the answer ---- */

/* The answer to initialize names the session. */
static void exchange_note_session(struct mcp_exchange *x)
{
    const char *id = fetch_header(&x->fetch, "mcp-session-id");
    bool is_initialize = x->request && strcmp(x->request->method, "initialize") == 0;
    if (is_initialize && id && strlen(id) <= MCP_SESSION_ID_MAX)
        snprintf(x->server->session_id, sizeof(x->server->session_id), "%s", id);
}

static void exchange_look(struct mcp_exchange *x)
{
    const char *type = fetch_header(&x->fetch, "content-type");
    x->is_looked_at = true;
    x->is_stream =
        x->fetch.http_status == 200 && type && strncasecmp(type, "text/event-stream", 17) == 0;
    exchange_note_session(x);
}

static void exchange_events(struct mcp_exchange *x, struct str bytes)
{
    struct sse_event ev;
    int rc = 0;
    while (x->request && (rc = sse_next(&x->sse, &bytes, &ev)) == 1)
        if (ev.data.n) /* the first may be empty: it is for resuming */
            mcp_server_received(x->server, ev.data, x->request);
    if (rc < 0 && x->request)
        mcp_request_fail(x->request, ERR_TOO_LARGE, "too_large",
                         "the MCP server sent an event that is too long");
}

static void exchange_bytes(struct fetch *f, struct str bytes)
{
    struct mcp_exchange *x = container_of(f, struct mcp_exchange, fetch);
    if (!x->is_looked_at)
        exchange_look(x);
    if (!x->is_stream) {
        buf_append_str(&x->answer, bytes);
        return;
    }
    x->is_busy = true;
    exchange_events(x, bytes);
    x->is_busy = false;
    if (x->is_dead)
        exchange_free(x);
}

/* Says it is a JSON-RPC message, whatever the status. */
static bool answer_is_message(struct mcp_exchange *x)
{
    struct mcp_message m;
    return x->answer.len && mcp_message_parse(buf_str(&x->answer), &m, NULL) == 0;
}

static void exchange_refused(struct mcp_exchange *x)
{
    struct mcp_request *r = x->request;
    char code[32];
    long status = x->fetch.http_status;
    bool had_session = x->session_id[0] && (status == 404 || status == 400);
    bool is_discover = r->is_greeting && strcmp(r->method, "server/discover") == 0;
    if (had_session && !r->was_repeated && !r->is_greeting) {
        r->exchange = NULL;
        x->request = NULL;
        mcp_server_session_lost(x->server, r, x->session_id);
        return;
    }
    if (answer_is_message(x) && status != 401 && status != 403) {
        mcp_server_received(x->server, buf_str(&x->answer), r);
        if (!x->request)
            return;
    }
    if (is_discover && status >= 400 && status < 500 && status != 401 && status != 403 &&
        status != 407 && status != 408 && status != 429) {
        struct mcp_message refused = {.kind = MCP_ERROR, .id = -1, .code = MCP_METHOD_NOT_FOUND};
        mcp_request_end(r, &refused);
        return;
    }
    snprintf(code, sizeof(code), status == 429 ? "rate_limited" : "http_%ld", status);
    r->retry_after_ms = fetch_retry_after_ms(&x->fetch);
    mcp_request_fail(r, status == 429 ? ERR_OVERLOAD : ERR_UPSTREAM, code,
                     "MCP server %s answered %ld", x->server->settings->name, status);
}

static void exchange_over(struct mcp_exchange *x)
{
    struct fetch *f = &x->fetch;
    struct sse_event ev;
    if (!x->request)
        return;
    if (f->status) {
        mcp_request_fail(x->request, f->status, f->code, "MCP server %s: %s",
                         x->server->settings->name, f->error.text);
        return;
    }
    if (!x->is_looked_at)
        exchange_look(x);
    if (f->http_status < 200 || f->http_status > 299) {
        exchange_refused(x);
        return;
    }
    if (x->is_stream && sse_end(&x->sse, &ev) == 1 && ev.data.n)
        mcp_server_received(x->server, ev.data, x->request);
    else if (!x->is_stream && x->answer.len)
        mcp_server_received(x->server, buf_str(&x->answer), x->request);
    if (x->request)
        mcp_request_fail(x->request, ERR_UPSTREAM, "truncated",
                         "MCP server %s ended its answer without a result",
                         x->server->settings->name);
}

static void exchange_done(struct fetch *f)
{
    struct mcp_exchange *x = container_of(f, struct mcp_exchange, fetch);
    x->is_busy = true;
    exchange_over(x);
    exchange_free(x);
}

/* ---- the request ---- */

static int put_param_header(void *data, struct str header, struct str value)
{
    return fetch_add_header(data, header, value, false, NULL);
}

static int exchange_headers(struct mcp_exchange *x, struct mcp_request *r, struct errbuf *e)
{
    struct mcp_server *s = x->server;
    struct fetch *f = &x->fetch;
    bool is_modern = s->era != MCP_ERA_LEGACY;
    bool is_initialize = r && strcmp(r->method, "initialize") == 0;
    int rc = tool_settings_headers(s->tools, s->settings->headers, f, &x->secrets, e);
    if (rc == 0)
        rc = fetch_add_header(f, STR("Content-Type"), STR("application/json"), false, e);
    if (rc == 0)
        rc = fetch_add_header(f, STR("Accept"), STR("application/json, text/event-stream"), false,
                              e);
    if (rc == 0 && !is_initialize)
        rc = fetch_add_header(f, STR("MCP-Protocol-Version"), str_of(s->version), false, e);
    if (rc == 0 && !is_modern && !is_initialize && s->session_id[0])
        rc = fetch_add_header(f, STR("Mcp-Session-Id"), str_of(s->session_id), false, e);
    if (rc == 0 && is_modern && r)
        rc = fetch_add_header(f, STR("Mcp-Method"), str_of(r->method), false, e);
    if (rc == 0 && is_modern && r && r->tool)
        rc = fetch_add_header(f, STR("Mcp-Name"), str_of(r->tool), false, e);
    if (rc == 0 && is_modern && r && r->tool && r->schema &&
        mcp_param_headers(json_root(str_of(r->schema)), json_root(r->arguments), put_param_header,
                          f))
        rc =
            err_set(e, ERR_INVALID, "an argument cannot be sent as the header that the tool wants");
    return rc;
}

static struct mcp_exchange *exchange_create(struct mcp_server *s, struct str message)
{
    struct mcp_exchange *x = mem_zalloc(sizeof(*x));
    x->server = s;
    list_append(&s->exchanges, &x->link);
    sse_init(&x->sse, MCP_MESSAGE_BYTES_MAX);
    buf_init(&x->body, MCP_MESSAGE_BYTES_MAX);
    buf_init(&x->answer, MCP_MESSAGE_BYTES_MAX);
    buf_append_str(&x->body, message);
    fetch_init(&x->fetch, s->tools->inside);
    x->fetch.url = mem_strdup(s->settings->url);
    snprintf(x->fetch.method, sizeof(x->fetch.method), "POST");
    x->fetch.bytes_max = MCP_MESSAGE_BYTES_MAX;
    x->fetch.on_done = exchange_done;
    snprintf(x->session_id, sizeof(x->session_id), "%s",
             s->era == MCP_ERA_LEGACY ? s->session_id : "");
    return x;
}

static void exchange_go(struct mcp_exchange *x)
{
    x->fetch.body = buf_str(&x->body);
    x->fetch.on_bytes = exchange_bytes;
    fetch_start(&x->fetch);
}

void mcp_http_send(struct mcp_server *s, struct mcp_request *r, struct str message)
{
    struct mcp_exchange *x = exchange_create(s, message);
    struct errbuf e;
    x->request = r;
    r->exchange = x;
    if (exchange_headers(x, r, &e))
        mcp_request_fail(r, ERR_INVALID, "invalid_settings", "MCP server %s: %s", s->settings->name,
                         e.text);
    else
        exchange_go(x);
}

/* Whoever asks us faster than it takes our answers gets none. */
static bool tells_are_many(const struct mcp_server *s)
{
    size_t n = 0;
    list_foreach(it, &s->exchanges) n += !container_of(it, struct mcp_exchange, link)->request;
    return n >= TELLS_MAX;
}

void mcp_http_tell(struct mcp_server *s, struct str message)
{
    struct errbuf e;
    if (tells_are_many(s))
        return;
    struct mcp_exchange *x = exchange_create(s, message);
    x->fetch.timeout_ms = TELL_MS;
    if (exchange_headers(x, NULL, &e))
        exchange_free(x);
    else
        exchange_go(x);
}
