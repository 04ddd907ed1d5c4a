#include "tools/mcp_message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define NAME_BYTES      128 /* of a tool */
#define TEXT_BYTES_MAX  (2u << 20)
#define DESCRIPTION_MAX 8192

int mcp_message_parse(struct str text, struct mcp_message *m, struct errbuf *e)
{
    struct json_limits limits = {.bytes_max = MCP_MESSAGE_BYTES_MAX, .depth_max = 60};
    memset(m, 0, sizeof(*m));
    m->id = -1;
    int rc = json_check(text, &limits, e);
    if (rc)
        return rc;
    struct json v = json_root(text), error;
    if (json_type(v) != JSON_OBJECT || !json_string_eq(json_get(v, "jsonrpc"), "2.0"))
        return err_set(e, ERR_INVALID, "not a JSON-RPC 2.0 message");
    m->raw_id = json_get_set(v, "id");
    json_i64(m->raw_id, &m->id);
    m->method = json_get_set(v, "method");
    m->params = json_get_set(v, "params");
    m->result = json_get(v, "result");
    error = json_get_set(v, "error");
    if (json_exists(m->method)) {
        if (json_type(m->method) != JSON_STRING)
            return err_set(e, ERR_INVALID, "method must be a string");
        m->kind = json_exists(m->raw_id) ? MCP_REQUEST : MCP_NOTIFICATION;
    } else if (json_type(error) == JSON_OBJECT) {
        m->kind = MCP_ERROR;
        json_i64(json_get(error, "code"), &m->code);
        m->message = json_get_set(error, "message");
        m->error_data = json_get_set(error, "data");
    } else if (json_exists(m->result)) {
        m->kind = MCP_RESULT;
    } else {
        return err_set(e, ERR_INVALID, "a message without method, result or error");
    }
    return 0;
}

bool mcp_is_modern_error(int64_t code)
{
    return code == MCP_HEADER_MISMATCH || code == MCP_MISSING_CAPABILITY ||
           code == MCP_UNSUPPORTED_VERSION;
}

const char *mcp_legacy_version(struct json version)
{
    static const char *const known[] = {MCP_LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (json_string_eq(version, known[i]))
            return known[i];
    return NULL;
}

bool mcp_lists_modern(struct json versions)
{
    struct json_iter it;
    if (json_type(versions) != JSON_ARRAY)
        return false;
    json_iter_init(&it, versions);
    while (json_iter_next(&it))
        if (json_string_eq(it.value, MCP_MODERN))
            return true;
    return false;
}

void mcp_message_write(struct buf *out, const struct mcp_outgoing *o)
{
    bool is_request = o->id >= 0;
    buf_append_z(out, "{\"jsonrpc\":\"2.0\"");
    if (is_request)
        buf_printf(out, ",\"id\":%lld", (long long)o->id);
    buf_printf(out, ",\"method\":\"%s\",\"params\":{", o->method);
    buf_append_str(out, o->params);
    if (o->is_modern || (is_request && o->wants_progress)) {
        buf_append_z(out, o->params.n ? ",\"_meta\":{" : "\"_meta\":{");
        if (o->is_modern)
            buf_append_z(out, "\"io.modelcontextprotocol/protocolVersion\":\"" MCP_MODERN "\","
                              "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"sluice\","
                              "\"version\":\"" SLUICE_VERSION "\"},"
                              "\"io.modelcontextprotocol/clientCapabilities\":{}");
        if (o->is_modern && is_request && o->wants_progress)
            buf_append_char(out, ',');
        if (is_request && o->wants_progress)
            buf_printf(out, "\"progressToken\":%lld", (long long)o->id);
        buf_append_char(out, '}');
    }
    buf_append_z(out, "}}");
}

/* ---- results ---- */

/* The texts of the content blocks, a line feed between them. */
static void append_texts(struct buf *out, struct json content)
{
    struct json_iter it;
    bool is_first = true;
    json_iter_init(&it, content);
    while (json_iter_next(&it)) {
        struct json text = json_get_set(it.value, "text");
        if (!json_string_eq(json_get_set(it.value, "type"), "text") ||
            json_type(text) != JSON_STRING)
            continue;
        if (!is_first)
            buf_append_char(out, '\n');
        json_string(text, out);
        is_first = false;
    }
}

int mcp_call_result(struct json result, struct buf *out, struct errbuf *e)
{
    struct json content = json_get_set(result, "content");
    struct json structured = json_get_set(result, "structuredContent");
    struct json type = json_get_set(result, "resultType");
    bool is_error = false;
    struct buf text;
    if (json_type(result) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "the server's result is no object");
    if (json_string_eq(type, "input_required"))
        return err_set(e, ERR_CONFLICT,
                       "the tool wants an answer from a person first, which a tool node cannot "
                       "give; put a human_review before it");
    if (json_exists(content) && json_type(content) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "the server's content is no list");
    json_bool(json_get_set(result, "isError"), &is_error);
    buf_init(&text, TEXT_BYTES_MAX);
    append_texts(&text, content);
    if (is_error) {
        struct str said = text.len ? buf_str(&text) : STR("The tool failed and does not say why.");
        size_t n = utf8_cut(said.p, said.n < 400 ? said.n : 400);
        err_set(e, ERR_UPSTREAM, "%.*s", (int)n, said.p);
        buf_deinit(&text);
        return ERR_UPSTREAM;
    }
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_raw(&w, "content", json_exists(content) ? json_raw(content) : STR("[]"));
    if (json_exists(structured))
        jw_kv_raw(&w, "structuredContent", json_raw(structured));
    jw_kv_string(&w, "text", text.len ? buf_str(&text) : STR(""));
    jw_end(&w);
    buf_deinit(&text);
    return 0;
}

int mcp_tool_describe(struct json tool, struct buf *out)
{
    struct json schema = json_get_set(tool, "inputSchema");
    struct buf name, text;
    struct jw w;
    int rc = 0;
    buf_init(&name, NAME_BYTES);
    buf_init(&text, TEXT_BYTES_MAX);
    if (!json_string(json_get_set(tool, "name"), &name) || !name.len || buf_error(&name) ||
        json_type(schema) != JSON_OBJECT)
        rc = ERR_INVALID;
    json_string(json_get_set(tool, "description"), &text);
    if (text.len > DESCRIPTION_MAX)
        buf_truncate(&text, utf8_cut(text.data, DESCRIPTION_MAX));
    if (rc == 0) {
        jw_init(&w, out);
        jw_object(&w);
        jw_kv_string(&w, "name", buf_str(&name));
        jw_kv_string(&w, "description", text.len ? buf_str(&text) : STR(""));
        jw_kv_raw(&w, "parameters", json_raw(schema));
        jw_end(&w);
    }
    buf_deinit(&name);
    buf_deinit(&text);
    return rc;
}

/* ---- arguments as headers ---- */

static bool is_header_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  (c && strchr("!#$%&'*+-.^_`|~", c));
        if (!ok)
            return false;
    }
    return s.n > 0 && s.n <= 64;
}

/* Text that a header can carry as it is: visible ASCII, no space at the ends, and not looking like
 * the encoded form. */
static bool is_plain_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    bool is_marked = s.n >= 9 && memcmp(s.p, "=?base64?", 9) == 0;
    return !is_marked && (!s.n || (s.p[0] != ' ' && s.p[s.n - 1] != ' '));
}

static void append_encoded(struct buf *out, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_append_z(out, "=?base64?");
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        uint32_t v = (uint32_t)(uint8_t)s.p[i] << 16;
        v |= left > 1 ? (uint32_t)(uint8_t)s.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint8_t)s.p[i + 2] : 0;
        buf_append_char(out, digits[v >> 18]);
        buf_append_char(out, digits[v >> 12 & 63]);
        buf_append_char(out, left > 1 ? digits[v >> 6 & 63] : '=');
        buf_append_char(out, left > 2 ? digits[v & 63] : '=');
    }
    buf_append_z(out, "?=");
}

static int put_param(struct json value, struct str name,
                     int (*put)(void *data, struct str header, struct str value), void *data)
{
    struct buf header, raw, text;
    enum json_type type = json_type(value);
    int rc = 0;
    if (type == JSON_NONE || type == JSON_NULL || type == JSON_ARRAY || type == JSON_OBJECT)
        return 0;
    buf_init(&header, 128);
    buf_init(&raw, 8192);
    buf_init(&text, 16384);
    buf_append_z(&header, "Mcp-Param-");
    buf_append_str(&header, name);
    if (type == JSON_STRING)
        json_string(value, &raw);
    else
        buf_append_str(&raw, json_raw(value));
    if (is_plain_value(buf_str(&raw)))
        buf_append_str(&text, buf_str(&raw));
    else
        append_encoded(&text, buf_str(&raw));
    rc = buf_error(&header) || buf_error(&raw) || buf_error(&text)
             ? ERR_INVALID
             : put(data, buf_str(&header), buf_str(&text));
    buf_deinit(&header);
    buf_deinit(&raw);
    buf_deinit(&text);
    return rc;
}

#define PARAMS_MAX 32 /* arguments of one tool that want to be headers */

struct params {
    char names[PARAMS_MAX][72];
    size_t count;
    int (*put)(void *data, struct str header, struct str value);
    void *data;
};

static bool param_type_is_fine(struct json schema)
{
    struct json type = json_get_set(schema, "type");
    return json_string_eq(type, "string") || json_string_eq(type, "integer") ||
           json_string_eq(type, "boolean");
}

static int param_put(struct params *p, struct json schema, struct json mark, struct json argument)
{
    struct buf name;
    int rc = 0;
    buf_init(&name, 64);
    if (!json_string(mark, &name) || buf_error(&name) || !is_header_token(buf_str(&name)) ||
        !param_type_is_fine(schema) || p->count == PARAMS_MAX)
        rc = ERR_INVALID;
    for (size_t i = 0; rc == 0 && i < p->count; i++)
        rc = strcasecmp(p->names[i], name.data) == 0 ? ERR_INVALID : 0;
    if (rc == 0) {
        memcpy(p->names[p->count++], name.data, name.len + 1);
        rc = put_param(argument, buf_str(&name), p->put, p->data);
    }
    buf_deinit(&name);
    return rc;
}

/* Depth is bounded by json_check(). */
static int params_walk(struct params *p, struct json schema, struct json argument)
{
    struct json_iter it;
    struct json mark = json_get(schema, "x-mcp-header");
    int rc = json_exists(mark) ? param_put(p, schema, mark, argument) : 0;
    json_iter_init(&it, json_get_set(schema, "properties"));
    while (rc == 0 && json_iter_next(&it)) {
        struct buf key;
        buf_init(&key, 256);
        json_iter_key(&it, &key);
        struct json inner =
            key.data && !buf_error(&key) ? json_get(argument, key.data) : JSON_ABSENT;
        if (json_type(it.value) == JSON_OBJECT)
            rc = params_walk(p, it.value, inner);
        buf_deinit(&key);
    }
    return rc;
}

/* How often the annotation stands anywhere: elsewhere than along `properties` it is not allowed. */
static size_t count_marks(struct json v)
{
    struct json_iter it;
    size_t n = 0;
    if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY)
        return 0;
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        n += (json_type(v) == JSON_OBJECT && json_iter_key_is(&it, "x-mcp-header")) +
             count_marks(it.value);
    return n;
}

int mcp_param_headers(struct json schema, struct json arguments,
                      int (*put)(void *data, struct str header, struct str value), void *data)
{
    struct params p = {.count = 0, .put = put, .data = data};
    if (json_exists(json_get(schema, "x-mcp-header")))
        return ERR_INVALID;
    int rc = params_walk(&p, schema, arguments);
    return rc == 0 && count_marks(schema) != p.count ? ERR_INVALID : rc;
}
