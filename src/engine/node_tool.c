#include "engine/session.h"

/* Tools: a node of its own (`tool`), and what every tool call has, whoever makes it: a request of
 * one form, and tool_execution events. call_id is the idempotency key: it names the same piece of
 * work on every attempt and after a restart, and is what the tool itself sees. */

/* ---- events ---- */

static void raw_member(struct jw *w, const char *key, struct json from, const char *member)
{
    struct json v = json_get_set(from, member);
    if (json_exists(v))
        jw_kv_raw(w, key, json_raw(v));
}

void tool_event_of(struct session *s, unsigned n, struct id call_id, struct str request_json,
                   const char *status, struct str output, struct str error)
{
    struct json request = json_root(request_json);
    char id[ID_TEXT_BYTES + 1];
    id_format(call_id, id);
    struct jw *w = event_begin(s, "tool_execution", (int)n);
    jw_kv_stringz(w, "call_id", id);
    raw_member(w, "tool", request, "tool");
    raw_member(w, "server", request, "server");
    raw_member(w, "name", request, "name");
    jw_kv_stringz(w, "status", status);
    raw_member(w, "input", request, "arguments");
    if (output.p)
        jw_kv_raw(w, "output", output);
    if (error.p)
        jw_kv_raw(w, "error", error);
    event_end(s);
}

void tool_event(struct session *s, const struct work *c, const char *status, struct str output,
                struct str error)
{
    if (json_exists(json_get_set(json_root(c->request), "internal")))
        return;
    tool_event_of(s, c->node, c->key, c->request, status, output, error);
}

/* ---- the request ---- */

struct str tool_request(struct session *s, unsigned n, const struct tool_call *t)
{
    /* Less deep than the rest, for it stands inside other values. */
    static const struct json_limits limits = {.bytes_max = ENGINE_REQUEST_BYTES_MAX,
                                              .depth_max = JSON_DEPTH_MAX - 4};
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "tool", t->tool);
    if (t->server.p)
        jw_kv_string(&w, "server", t->server);
    if (t->name.p)
        jw_kv_string(&w, "name", t->name);
    jw_kv_string(&w, "node_id", node_def(s, n)->id);
    jw_kv_raw(&w, "arguments", t->arguments);
    if (t->internal)
        jw_kv_bool(&w, "internal", true);
    if (t->headers.p)
        jw_kv_raw(&w, "fixed_headers", t->headers);
    jw_end(&w);
    bool fits = !buf_error(&b) && !json_check(buf_str(&b), &limits, NULL);
    struct str out = fits ? tmp_copy(s, buf_str(&b)) : STR_NULL;
    buf_deinit(&b);
    return out;
}

/* ---- the node ---- */

void node_start_tool(struct session *s, unsigned n)
{
    struct json arguments = prop(s, n, "arguments");
    struct tool_call t = {.tool = prop_text(s, n, "tool"),
                          .server = prop_text(s, n, "server"),
                          .name = prop_text(s, n, "name"),
                          .arguments = STR("{}")};
    struct errbuf e = {{0}};
    if (json_exists(arguments) && eval_templates(s, n, arguments, &t.arguments, &e)) {
        node_failz(s, n, "invalid_template", e.text);
        return;
    }
    struct str request = tool_request(s, n, &t);
    if (request.p)
        call_begin(s, n, WORK_TOOL, 0, request);
    else
        node_failz(s, n, "too_large",
                   "The tool's arguments are larger, or nested deeper, than allowed.");
}
