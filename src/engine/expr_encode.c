#include "engine/expr_vm.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"

/* The containers that are being written, so that one that holds itself is found. */
struct encode {
    struct buf *out;
    unsigned depth;
    const void *path[JSON_DEPTH_MAX];
};

static void encode_value(lua_State *L, int idx, struct encode *e);

static void encode_check(lua_State *L, const struct buf *out)
{
    if (!buf_error(out))
        return;
    if (buf_error(out) == ERR_TOO_LARGE)
        expr_raise(L, "the result is larger than %zu bytes", out->max);
    expr_raise(L, "not enough memory for the result");
}

/* Copies checked JSON without the white space between its tokens. */
static void encode_raw(lua_State *L, struct json v, struct buf *out)
{
    expr_charge(L, v.n / 64);
    const char *end = v.p + v.n, *from = v.p;
    bool quoted = false;
    for (const char *p = v.p; p < end; p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\')
            p++; /* the character after it closes nothing */
        if (quoted || (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t'))
            continue;
        buf_append(out, from, (size_t)(p - from));
        from = p + 1;
    }
    buf_append(out, from, (size_t)(end - from));
    encode_check(L, out);
}

static void encode_string(lua_State *L, struct str s, struct buf *out)
{
    expr_charge(L, s.n / 64);
    if (memchr(s.p, '\0', s.n))
        expr_raise(L, "a string with a zero byte cannot be JSON");
    json_write_string(out, s);
    encode_check(L, out);
}

void expr_append_number(lua_State *L, int idx, struct buf *out)
{
    if (lua_isinteger(L, idx)) {
        buf_append_i64(out, lua_tointeger(L, idx));
    } else {
        double d = lua_tonumber(L, idx);
        if (!isfinite(d))
            expr_raise(L, "a number is %s", isnan(d) ? "not a number (nan)" : "infinite");
        json_write_double(out, d);
    }
    encode_check(L, out);
}

void expr_append_text(lua_State *L, struct buf *out, struct str s)
{
    expr_charge(L, s.n / 64);
    while (s.n) {
        size_t good = 0, n = 0;
        while (good < s.n && s.p[good] && (n = utf8_char_len(s.p + good, s.n - good)))
            good += n;
        buf_append(out, s.p, good);
        if (good == s.n)
            break;
        buf_append_z(out, UTF8_REPLACEMENT);
        s.p += good + 1;
        s.n -= good + 1;
    }
    encode_check(L, out);
}

static void encode_enter(lua_State *L, int idx, struct encode *e)
{
    const void *self = lua_topointer(L, idx);
    for (unsigned i = 0; i < e->depth; i++) {
        if (e->path[i] == self)
            expr_raise(L, "a table that contains itself cannot be JSON");
    }
    if (e->depth == JSON_DEPTH_MAX)
        expr_raise(L, "tables nested deeper than %d cannot be JSON", JSON_DEPTH_MAX);
    e->path[e->depth++] = self;
    luaL_checkstack(L, 4, "a table is nested too deeply");
}

static void encode_array(lua_State *L, int idx, size_t n, struct encode *e)
{
    buf_append_char(e->out, '[');
    for (size_t i = 1; i <= n; i++) {
        if (i > 1)
            buf_append_char(e->out, ',');
        lua_rawgeti(L, idx, (lua_Integer)i);
        encode_value(L, -1, e);
        lua_pop(L, 1);
    }
    buf_append_char(e->out, ']');
}

static void encode_object(lua_State *L, int idx, const struct expr_key *keys, size_t n,
                          struct encode *e)
{
    buf_append_char(e->out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_append_char(e->out, ',');
        encode_string(L, (struct str){keys[i].p, keys[i].n}, e->out);
        buf_append_char(e->out, ':');
        lua_pushlstring(L, keys[i].p, keys[i].n);
        lua_rawget(L, idx);
        encode_value(L, -1, e);
        lua_pop(L, 1);
    }
    buf_append_char(e->out, '}');
}

/* Keys 1 to n are an array; strings are an object; anything else has no form in JSON. */
static void encode_table(lua_State *L, int idx, struct encode *e)
{
    size_t n, strings = 0;
    encode_enter(L, idx, e);
    const struct expr_key *keys = expr_table_keys(L, idx, &n);
    for (size_t i = 0; i < n; i++) {
        if (keys[i].type == LUA_TSTRING)
            strings++;
        else if (keys[i].type != LUA_TNUMBER || !keys[i].integer)
            expr_raise(L, "a table with a key that is no string and no position cannot be JSON");
    }
    if (strings && (strings < n || expr_is_array(L, idx)))
        expr_raise(L, "a table with both names (\"%s\") and positions cannot be JSON",
                   keys[n - strings].p);
    if (n && !strings && (keys[0].i != 1 || keys[n - 1].i != (lua_Integer)n))
        expr_raise(L,
                   "an array with holes cannot be JSON: it has %zu elements at positions %lld "
                   "to %lld",
                   n, (long long)keys[0].i, (long long)keys[n - 1].i);
    if (strings || (n == 0 && !expr_is_array(L, idx)))
        encode_object(L, idx, keys, n, e);
    else
        encode_array(L, idx, n, e);
    lua_pop(L, 1); /* the keys */
    e->depth--;
    encode_check(L, e->out);
}

/* One node of the scope, whose text nobody has: {"output":…,"status":…}. */
static void encode_node(lua_State *L, int idx, struct encode *e)
{
    encode_enter(L, idx, e);
    buf_append_char(e->out, '{');
    if (lua_getfield(L, idx, "output") != LUA_TNIL) {
        buf_append_z(e->out, "\"output\":");
        encode_value(L, -1, e);
        buf_append_char(e->out, ',');
    }
    buf_append_z(e->out, "\"status\":");
    lua_getfield(L, idx, "status");
    encode_value(L, -1, e);
    buf_append_char(e->out, '}');
    lua_pop(L, 2);
    e->depth--;
}

static void encode_userdata(lua_State *L, int idx, struct encode *e)
{
    struct json raw;
    if (expr_is_null(L, idx)) {
        buf_append_z(e->out, "null");
    } else if (!expr_is_data(L, idx, &raw)) {
        expr_raise(L, "this value cannot be JSON");
    } else if (json_exists(raw)) {
        encode_raw(L, raw, e->out);
    } else if (expr_is_node(L, idx)) {
        encode_node(L, idx, e);
    } else {
        expr_raise(L, "nodes as a whole is no value: name the node");
    }
}

static void encode_value(lua_State *L, int idx, struct encode *e)
{
    idx = lua_absindex(L, idx);
    expr_charge(L, 4);
    size_t n;
    const char *p;
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        expr_raise(L, "nil cannot be JSON: write null");
    case LUA_TBOOLEAN:
        buf_append_z(e->out, lua_toboolean(L, idx) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        expr_append_number(L, idx, e->out);
        break;
    case LUA_TSTRING:
        p = lua_tolstring(L, idx, &n);
        encode_string(L, (struct str){p, n}, e->out);
        break;
    case LUA_TTABLE:
        encode_table(L, idx, e);
        break;
    case LUA_TUSERDATA:
        encode_userdata(L, idx, e);
        break;
    default:
        expr_raise(L, "a %s cannot be JSON", luaL_typename(L, idx));
    }
    encode_check(L, e->out);
}

void expr_encode(lua_State *L, int idx, struct buf *out)
{
    struct encode e = {.out = out};
    encode_value(L, idx, &e);
}
