#include "app/config_tools.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX     64 /* of addresses, sources, servers */
#define LINE_MAX_LEN (64u << 10)

static const char *kept_string(struct config *c, struct json v)
{
    char *text = json_strdup(v);
    const char *kept = text ? arena_strdup(&c->arena, str_of(text)) : NULL;
    free(text);
    return kept;
}

static int bad(struct errbuf *e, const char *section, struct str key)
{
    return err_set(e, ERR_INVALID, "%s.%.*s: unknown key or bad value", section, STR_FMT(key));
}

/* Strings, NULL at the end; NULL when it is no list of strings. */
static const char *const *kept_list(struct config *c, struct json v)
{
    struct json_iter it;
    size_t n = json_length(v);
    if (json_type(v) != JSON_ARRAY || n > LIST_MAX)
        return NULL;
    const char **out = arena_calloc(&c->arena, n + 1, sizeof(*out));
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (!(out[it.index] = kept_string(c, it.value)))
            return NULL;
    return out;
}

/* An object of strings as "key<between>value" lines. */
static const char *const *kept_pairs(struct config *c, struct json v, const char *between)
{
    struct json_iter it;
    size_t n = json_length(v);
    if (json_type(v) != JSON_OBJECT || n > LIST_MAX)
        return NULL;
    const char **out = arena_calloc(&c->arena, n + 1, sizeof(*out));
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        struct buf line;
        enum json_type type = json_type(it.value);
        if (type != JSON_STRING && type != JSON_NUMBER && type != JSON_TRUE && type != JSON_FALSE)
            return NULL;
        buf_init(&line, LINE_MAX_LEN);
        json_iter_key(&it, &line);
        buf_append_z(&line, between);
        if (type == JSON_STRING)
            json_string(it.value, &line);
        else
            buf_append_str(&line, json_raw(it.value));
        out[it.index] = arena_strdup(&c->arena, buf_str(&line));
        buf_deinit(&line);
    }
    return out;
}

static int file_http(struct config *c, struct json v, struct errbuf *e)
{
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        bool ok = false;
        if (json_iter_key_is(&it, "allow"))
            ok = (c->tools.allow = kept_list(c, it.value)) != NULL;
        else if (json_iter_key_is(&it, "proxy"))
            ok = (c->tools.proxy = kept_string(c, it.value)) != NULL;
        if (!ok)
            return bad(e, "tools.http", it.key);
    }
    return 0;
}

static int file_tools(struct config *c, struct json v, struct errbuf *e)
{
    struct json_iter it;
    int rc = 0;
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it)) {
        if (json_iter_key_is(&it, "http") && json_type(it.value) == JSON_OBJECT)
            rc = file_http(c, it.value, e);
        else if (!json_iter_key_is(&it, "secrets_dir") ||
                 !(c->tools.secrets_dir = kept_string(c, it.value)))
            rc = bad(e, "tools", it.key);
    }
    return rc;
}

/* ---- search ---- */

static int file_source(struct config *c, const struct json_iter *of, struct tool_search *s,
                       struct errbuf *e)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = {{"url", &s->url},
                 {"results", &s->results},
                 {"title", &s->title},
                 {"link", &s->link},
                 {"snippet", &s->snippet}};
    struct json_iter it;
    s->name = arena_strdup(&c->arena, of->key);
    if (!name_is_valid(of->key) || json_type(of->value) != JSON_OBJECT)
        return bad(e, "search", of->key);
    json_iter_init(&it, of->value);
    while (json_iter_next(&it)) {
        bool ok = false;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            if (json_iter_key_is(&it, texts[i].key))
                ok = (*texts[i].to = kept_string(c, it.value)) != NULL;
        if (json_iter_key_is(&it, "headers"))
            ok = (s->headers = kept_pairs(c, it.value, ": ")) != NULL;
        if (!ok)
            return bad(e, "search", it.key);
    }
    return s->url ? 0 : err_set(e, ERR_INVALID, "search.%s: url is required", s->name);
}

static int file_search(struct config *c, struct json v, struct errbuf *e)
{
    struct json_iter it;
    struct tool_search *list = arena_calloc(&c->arena, json_length(v) + 1, sizeof(*list));
    c->tools.searches = list;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        int rc = file_source(c, &it, &list[c->tools.search_count], e);
        if (rc)
            return rc;
        c->tools.search_count++;
    }
    return 0;
}

/* ---- mcp ---- */

static int file_server(struct config *c, const struct json_iter *of, struct tool_mcp_server *s,
                       struct errbuf *e)
{
    struct json_iter it;
    s->name = arena_strdup(&c->arena, of->key);
    if (!name_is_valid(of->key) || json_type(of->value) != JSON_OBJECT)
        return bad(e, "mcp.servers", of->key);
    json_iter_init(&it, of->value);
    while (json_iter_next(&it)) {
        bool ok = false;
        if (json_iter_key_is(&it, "command"))
            ok = (s->command = kept_list(c, it.value)) != NULL;
        else if (json_iter_key_is(&it, "env"))
            ok = (s->env = kept_pairs(c, it.value, "=")) != NULL;
        else if (json_iter_key_is(&it, "cwd"))
            ok = (s->cwd = kept_string(c, it.value)) != NULL;
        else if (json_iter_key_is(&it, "url"))
            ok = (s->url = kept_string(c, it.value)) != NULL;
        else if (json_iter_key_is(&it, "headers"))
            ok = (s->headers = kept_pairs(c, it.value, ": ")) != NULL;
        if (!ok)
            return bad(e, "mcp.servers", it.key);
    }
    return 0;
}

static int file_mcp(struct config *c, struct json v, struct errbuf *e)
{
    struct json servers = json_get_set(v, "servers");
    struct tool_mcp_server *list;
    struct json_iter it;
    if (json_type(servers) != JSON_OBJECT || json_length(v) != 1)
        return err_set(e, ERR_INVALID, "mcp: must be {servers: {…}}");
    list = arena_calloc(&c->arena, json_length(servers) + 1, sizeof(*list));
    c->tools.mcp = list;
    json_iter_init(&it, servers);
    while (json_iter_next(&it)) {
        int rc = file_server(c, &it, &list[c->tools.mcp_count], e);
        if (rc)
            return rc;
        c->tools.mcp_count++;
    }
    return 0;
}

int config_tools_file(struct config *c, const struct json_iter *it, struct errbuf *e)
{
    static const struct {
        const char *key;
        int (*read)(struct config *c, struct json v, struct errbuf *e);
    } sections[] = {{"tools", file_tools}, {"search", file_search}, {"mcp", file_mcp}};
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (!json_iter_key_is(it, sections[i].key))
            continue;
        if (json_type(it->value) != JSON_OBJECT)
            return err_set(e, ERR_INVALID, "%s: must be a mapping", sections[i].key);
        int rc = sections[i].read(c, it->value, e);
        return rc ? rc : 1;
    }
    return 0;
}

void config_tools_allow(struct config *c, const char *list)
{
    const char *const *before = c->tools.allow;
    size_t n = 0, room = 2;
    if (!list)
        return;
    while (before && before[n])
        n++;
    for (const char *p = list; *p; p++)
        room += *p == ',';
    const char **out = arena_calloc(&c->arena, n + room, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = before[i];
    while (*list) {
        list += strspn(list, ", ");
        size_t len = strcspn(list, ", ");
        if (len)
            out[n++] = arena_strdup(&c->arena, (struct str){list, len});
        list += len;
    }
    c->tools.allow = out;
}

static void print_list(struct buf *out, const char *const *list)
{
    buf_append_char(out, '[');
    for (size_t i = 0; list && list[i]; i++) {
        buf_append_z(out, i ? ", " : "");
        json_write_string(out, str_of(list[i]));
    }
    buf_append_z(out, "]\n");
}

/* URLs, headers, variables and arguments may hold keys: only what is there is said. */
void config_tools_print(const struct config *c, struct buf *out)
{
    const struct tools_settings *t = &c->tools;
    buf_append_z(out, "tools:\n  http:\n    allow: ");
    print_list(out, t->allow);
    buf_printf(out, "    proxy: %s\n", t->proxy ? "(hidden)" : "null");
    buf_append_z(out, "  secrets_dir: ");
    if (t->secrets_dir)
        json_write_string(out, str_of(t->secrets_dir));
    buf_append_z(out, t->secrets_dir ? "\n" : "null\n");
    buf_append_z(out, t->search_count ? "search:\n" : "search: {}\n");
    for (size_t i = 0; i < t->search_count; i++)
        buf_printf(out, "  %s:\n    url: (hidden)\n", t->searches[i].name);
    buf_append_z(out, t->mcp_count ? "mcp:\n  servers:\n" : "mcp:\n  servers: {}\n");
    for (size_t i = 0; i < t->mcp_count; i++) {
        buf_printf(out, "    %s:\n", t->mcp[i].name);
        if (t->mcp[i].url)
            buf_append_z(out, "      url: (hidden)\n");
        else
            buf_append_z(out, "      command: (hidden)\n");
    }
}
