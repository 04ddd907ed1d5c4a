/* What tools a server has: read page by page, kept until it says that they changed. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/mcp_server.h"

static void list_ask(struct mcp_server *s, struct json cursor);

static void list_over(struct mcp_server *s, const struct mcp_request *failed)
{
    struct list now, *it;
    s->is_listing = false;
    list_init(&now);
    list_splice(&now, &s->list_waits);
    while ((it = list_pop(&now))) {
        struct mcp_list_wait *w = container_of(it, struct mcp_list_wait, link);
        w->done(w, failed);
    }
}

static int no_header(void *data, struct str header, struct str value)
{
    (void)data;
    (void)header;
    (void)value;
    return 0;
}

/* False: too many. Tools that cannot be used are left out. */
static bool list_add(struct mcp_server *s, struct json tools)
{
    struct json_iter it;
    json_iter_init(&it, tools);
    while (json_iter_next(&it)) {
        struct buf one;
        bool is_odd =
            s->settings->url && s->era == MCP_ERA_MODERN &&
            mcp_param_headers(json_get_set(it.value, "inputSchema"), JSON_ABSENT, no_header, NULL);
        buf_init(&one, TOOL_OUTPUT_BYTES_MAX);
        if (!is_odd && mcp_tool_describe(it.value, &one) == 0) {
            buf_append_z(&s->listing, s->list_count++ ? "," : "");
            buf_append_str(&s->listing, buf_str(&one));
        }
        buf_deinit(&one);
        if (buf_error(&s->listing) || s->list_count > MCP_TOOLS_MAX)
            return false;
    }
    return true;
}

static void list_failed(struct mcp_request *r, int status, const char *code, const char *text)
{
    r->status = err_set(&r->error, status, "%s", text);
    err_set(&r->error, status, "tools/list: %s", text);
    memset(r->code, 0, sizeof(r->code));
    strncpy(r->code, code, sizeof(r->code) - 1);
    list_over(r->server, r);
}

static void list_answered(struct mcp_request *r, const struct mcp_message *m)
{
    struct mcp_server *s = r->server;
    struct json tools, cursor;
    if (!m) {
        list_over(s, r);
        return;
    }
    tools = m->kind == MCP_RESULT ? json_get_set(m->result, "tools") : JSON_ABSENT;
    if (json_type(tools) != JSON_ARRAY) {
        list_failed(r, ERR_UPSTREAM, "mcp_error", "the MCP server gave no list of its tools");
        return;
    }
    if (!list_add(s, tools)) {
        list_failed(r, ERR_TOO_LARGE, "too_large", "the MCP server has too many tools");
        return;
    }
    cursor = json_get_set(m->result, "nextCursor");
    if (json_type(cursor) == JSON_STRING && ++s->list_pages < MCP_PAGES_MAX) {
        list_ask(s, cursor);
        return;
    }
    buf_append_char(&s->listing, ']');
    struct buf was = s->list;
    s->list = s->listing;
    s->listing = was;
    s->is_listed = !s->is_list_stale;
    s->listed_at = uv_now(s->tools->loop);
    list_over(s, NULL);
}

static void list_ask(struct mcp_server *s, struct json cursor)
{
    struct mcp_request *r = &s->list_request;
    mcp_request_deinit(r);
    mcp_request_init(r, "tools/list");
    r->on_end = list_answered;
    if (json_exists(cursor)) {
        buf_append_z(&r->params, "\"cursor\":");
        buf_append_str(&r->params, json_raw(cursor));
    }
    mcp_request_send(s, r);
}

bool mcp_server_want_list(struct mcp_server *s, struct mcp_list_wait *w)
{
    bool is_old = s->settings->url && uv_now(s->tools->loop) - s->listed_at > MCP_LIST_FRESH_MS;
    list_init(&w->link);
    if (s->is_listed && !is_old)
        return true;
    list_append(&s->list_waits, &w->link);
    if (s->is_listing)
        return false;
    s->is_listing = true;
    s->is_list_stale = false;
    s->list_count = s->list_pages = 0;
    buf_clear(&s->listing);
    buf_append_char(&s->listing, '[');
    list_ask(s, JSON_ABSENT);
    return false;
}

void mcp_server_unwant_list(struct mcp_server *s, struct mcp_list_wait *w)
{
    list_remove(&w->link);
    if (!s->is_listing || !list_empty(&s->list_waits))
        return;
    s->is_listing = false;
    mcp_request_cancel(&s->list_request);
}

struct json mcp_server_tool(const struct mcp_server *s, struct str name)
{
    struct json_iter it;
    char *z = str_dup(name);
    struct json found = JSON_ABSENT;
    json_iter_init(&it, s->list.len ? json_root(buf_str(&s->list)) : JSON_ABSENT);
    while (!json_exists(found) && json_iter_next(&it))
        if (json_string_eq(json_get(it.value, "name"), z))
            found = it.value;
    free(z);
    return found;
}
