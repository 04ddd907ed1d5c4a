/* The functions that code may call. Lua's own are taken where they end soon; those whose work does
 * not follow from the instructions counted are charged first, or are ours. Left out for good:
 * patterns (their matching cannot be stopped), everything that makes code from text, that reads
 * clocks, files or random numbers, that shows addresses, or that catches errors. */
#include "engine/expr_vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static struct str lib_string(lua_State *L, int arg)
{
    struct str s;
    s.p = luaL_checklstring(L, arg, &s.n);
    expr_charge(L, s.n / 64);
    return s;
}

/* The wrapped function of Lua's is upvalue 1; it looks at its own arguments only. */
static int lib_call(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* Walks a string: its bytes are paid first. */
static int lib_bytes(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        expr_charge(L, lua_rawlen(L, 1) / 16);
    return lib_call(L);
}

static int lib_byte(lua_State *L)
{
    return lua_gettop(L) > 2 ? lib_bytes(L) : lib_call(L);
}

static size_t lib_items(lua_State *L, int idx)
{
    if (lua_istable(L, idx))
        return lua_rawlen(L, idx);
    if (!expr_is_data(L, idx, NULL))
        luaL_checktype(L, idx, LUA_TTABLE);
    lua_Integer n = luaL_len(L, idx);
    return n > 0 ? (size_t)n : 0;
}

static int lib_concat(lua_State *L)
{
    expr_charge(L, lib_items(L, 1) * 2);
    return lib_call(L);
}

/* With a position, all that follows is moved. */
static int lib_insert(lua_State *L)
{
    expr_charge(L, lua_gettop(L) > 2 ? lib_items(L, 1) * 4 : 1);
    return lib_call(L);
}

static int lib_remove(lua_State *L)
{
    expr_charge(L, lua_gettop(L) > 1 ? lib_items(L, 1) * 4 : 1);
    return lib_call(L);
}

static int lib_sort(lua_State *L)
{
    size_t n = lib_items(L, 1), steps = 8;
    for (size_t m = n; m; m >>= 1)
        steps += 8;
    expr_charge(L, n * steps);
    return lib_call(L);
}

static int lib_unpack(lua_State *L)
{
    lua_Integer from = luaL_optinteger(L, 2, 1);
    lua_Integer to = lua_isnoneornil(L, 3) ? (lua_Integer)lib_items(L, 1) : luaL_checkinteger(L, 3);
    if (to > from && (lua_Unsigned)to - (lua_Unsigned)from > 10000)
        expr_raise(L, "table.unpack gives 10000 values at most");
    return lib_call(L);
}

static int lib_type(lua_State *L)
{
    luaL_checkany(L, 1);
    if (expr_is_null(L, 1))
        lua_pushliteral(L, "null");
    else if (expr_is_data(L, 1, NULL))
        lua_pushliteral(L, "table");
    else
        lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

/* json(x): its text. */
static int lib_json(lua_State *L)
{
    luaL_checkany(L, 1);
    struct buf *tmp = &expr_vm_of(L)->tmp;
    buf_clear(tmp);
    expr_encode(L, 1, tmp);
    struct str s = buf_str(tmp);
    lua_pushlstring(L, s.p, s.n);
    return 1;
}

void expr_text_push(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    struct buf *tmp = &expr_vm_of(L)->tmp;
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        return;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, idx) ? "true" : "false");
        return;
    case LUA_TNUMBER:
        lua_pushvalue(L, idx);
        lua_tostring(L, -1);
        return;
    case LUA_TSTRING:
        lua_pushvalue(L, idx);
        return;
    case LUA_TFUNCTION:
        lua_pushliteral(L, "function");
        return;
    default:
        buf_clear(tmp);
        expr_encode(L, idx, tmp);
        lua_pushlstring(L, buf_str(tmp).p, buf_str(tmp).n);
    }
}

static int lib_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    expr_text_push(L, 1);
    return 1;
}

/* parse(s): the value of a JSON text. */
static int lib_parse(lua_State *L)
{
    struct str s = lib_string(L, 1);
    struct errbuf e;
    expr_charge(L, s.n / 8);
    if (json_check(s, NULL, &e) != 0)
        expr_raise(L, "parse: %s", e.text);
    expr_push_tree(L, json_root(s));
    return 1;
}

/* copy(x): plain tables, all the way down. */
static int lib_copy(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) != LUA_TTABLE && !expr_is_data(L, 1, NULL)) {
        lua_settop(L, 1);
        return 1;
    }
    lib_json(L);
    size_t n;
    const char *p = lua_tolstring(L, -1, &n);
    expr_push_tree(L, json_root((struct str){p, n}));
    return 1;
}

static size_t lib_code_points(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

/* len(x): characters of a string, elements of an array, members of an object. */
static int lib_len(lua_State *L)
{
    size_t n = 0;
    if (lua_type(L, 1) == LUA_TSTRING) {
        n = lib_code_points(lib_string(L, 1));
    } else if (expr_is_data(L, 1, NULL)) {
        n = expr_data_length(L, 1);
    } else if (lua_istable(L, 1)) {
        for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
            expr_charge(L, 1);
            n++;
        }
    } else {
        expr_raise(L, "len: a string or a table is needed, not %s",
                   expr_is_null(L, 1) ? "null" : luaL_typename(L, 1));
    }
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

static int lib_keys(lua_State *L)
{
    if (!expr_is_data(L, 1, NULL))
        luaL_checktype(L, 1, LUA_TTABLE);
    expr_keys_push(L, 1);
    return 1;
}

static int lib_pairs_next(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
    for (;;) {
        if (lua_rawgeti(L, lua_upvalueindex(1), ++i) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_gettable(L, lua_upvalueindex(2)) != LUA_TNIL)
            break;
        lua_pop(L, 2); /* was removed on the way */
        expr_charge(L, 1);
    }
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(3));
    return 2;
}

/* pairs(x) in the order of the keys, so that a run can be repeated exactly. */
static int lib_pairs(lua_State *L)
{
    if (!expr_is_data(L, 1, NULL))
        luaL_checktype(L, 1, LUA_TTABLE);
    expr_keys_push(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, lib_pairs_next, 3);
    return 1;
}

/* array(…): an array of the values, [] when there are none. */
static int lib_array(lua_State *L)
{
    int n = lua_gettop(L);
    expr_array_push(L, n);
    for (int i = 1; i <= n; i++) {
        if (lua_isnil(L, i))
            lua_rawgeti(L, LUA_REGISTRYINDEX, expr_vm_of(L)->ref_null);
        else
            lua_pushvalue(L, i);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

/* default(x, y): y where x is nil or null. */
static int lib_default(lua_State *L)
{
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (!lua_isnil(L, 1) && !expr_is_null(L, 1))
        lua_settop(L, 1);
    return 1;
}

/* map(list, f) and filter(list, f). */
static int lib_each(lua_State *L, bool filter)
{
    size_t n = lib_items(L, 1), out = 0;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    expr_array_push(L, 0);
    for (size_t i = 1; i <= n; i++) {
        expr_charge(L, 4);
        lua_pushvalue(L, 2);
        lua_geti(L, 1, (lua_Integer)i);
        lua_call(L, 1, 1);
        if (filter) {
            bool keep = lua_toboolean(L, -1) && !expr_is_null(L, -1);
            lua_pop(L, 1);
            if (!keep)
                continue;
            lua_geti(L, 1, (lua_Integer)i);
        } else if (lua_isnil(L, -1)) {
            expr_raise(L, "map: the function gave nil for element %zu", i);
        }
        lua_rawseti(L, 3, (lua_Integer)++out);
    }
    return 1;
}

int expr_lib_map(lua_State *L)
{
    return lib_each(L, false);
}

static int lib_filter(lua_State *L)
{
    return lib_each(L, true);
}

/* join(list, sep): the elements as text. */
static int lib_join(lua_State *L)
{
    size_t n = lib_items(L, 1);
    luaL_optstring(L, 2, "");
    lua_settop(L, 2);
    lua_createtable(L, 0, 0);
    for (size_t i = 1; i <= n; i++) {
        expr_charge(L, 4);
        lua_geti(L, 1, (lua_Integer)i);
        if (lua_isnil(L, -1) || expr_is_null(L, -1))
            expr_raise(L, "join: element %zu is %s", i, lua_isnil(L, -1) ? "nil" : "null");
        expr_text_push(L, -1);
        lua_rawseti(L, 3, (lua_Integer)i);
        lua_pop(L, 1);
    }
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 1; i <= n; i++) {
        if (i > 1 && !lua_isnil(L, 2)) {
            lua_pushvalue(L, 2);
            luaL_addvalue(&b);
        }
        lua_rawgeti(L, 3, (lua_Integer)i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    return 1;
}

/* error(text) and assert(x, text): a failure with a sentence of the code's own. */
static int lib_error(lua_State *L)
{
    luaL_checkany(L, 1);
    expr_text_push(L, 1);
    expr_raise(L, "%s", lua_tostring(L, -1));
}

static int lib_assert(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_toboolean(L, 1) && !expr_is_null(L, 1))
        return lua_gettop(L);
    if (lua_isnoneornil(L, 2))
        expr_raise(L, "an assert does not hold");
    expr_text_push(L, 2);
    expr_raise(L, "%s", lua_tostring(L, -1));
}

static size_t lib_find_at(lua_State *L, struct str s, struct str needle, size_t from)
{
    if (from > s.n)
        return SIZE_MAX;
    const char *p = needle.n ? memmem(s.p + from, s.n - from, needle.p, needle.n) : s.p + from;
    size_t at = p ? (size_t)(p - s.p) : SIZE_MAX;
    expr_charge(L, 2 + ((p ? at : s.n) - from + needle.n) / 64);
    return at;
}

/* A string argument whose bytes are not all looked at. */
static struct str lib_peek(lua_State *L, int arg)
{
    struct str s;
    s.p = luaL_checklstring(L, arg, &s.n);
    return s;
}

/* find(s, needle, init?): the first and last byte of the plain text, or nil. */
static int lib_find(lua_State *L)
{
    struct str s = lib_peek(L, 1), needle = lib_peek(L, 2);
    lua_Integer init = luaL_optinteger(L, 3, 1);
    if (init < 0)
        init = (lua_Integer)s.n + init + 1;
    size_t at = lib_find_at(L, s, needle, init > 1 ? (size_t)init - 1 : 0);
    if (at == SIZE_MAX) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)at + 1);
    lua_pushinteger(L, (lua_Integer)at + (lua_Integer)needle.n);
    return 2;
}

/* contains(x, y): y is a part of the string x, or equal to an element of the array x. */
static int lib_contains(lua_State *L)
{
    luaL_checkany(L, 2);
    bool found = false;
    if (lua_type(L, 1) == LUA_TSTRING) {
        found = lib_find_at(L, lib_peek(L, 1), lib_peek(L, 2), 0) != SIZE_MAX;
    } else {
        size_t n = lib_items(L, 1);
        for (size_t i = 1; i <= n && !found; i++) {
            expr_charge(L, 4);
            lua_geti(L, 1, (lua_Integer)i);
            found = lua_compare(L, 2, -1, LUA_OPEQ);
            lua_pop(L, 1);
        }
    }
    lua_pushboolean(L, found);
    return 1;
}

static int lib_starts(lua_State *L)
{
    struct str s = lib_peek(L, 1), with = lib_string(L, 2);
    lua_pushboolean(L, s.n >= with.n && memcmp(s.p, with.p, with.n) == 0);
    return 1;
}

static int lib_ends(lua_State *L)
{
    struct str s = lib_peek(L, 1), with = lib_string(L, 2);
    lua_pushboolean(L, s.n >= with.n && memcmp(s.p + s.n - with.n, with.p, with.n) == 0);
    return 1;
}

static bool lib_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct str lib_trimmed(struct str s)
{
    while (s.n && lib_is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && lib_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static int lib_trim(lua_State *L)
{
    struct str s = lib_trimmed(lib_string(L, 1));
    lua_pushlstring(L, s.p, s.n);
    return 1;
}

/* split(s, sep): an array of the texts between the separators. */
static int lib_split(lua_State *L)
{
    struct str s = lib_string(L, 1), sep = lib_string(L, 2);
    if (!sep.n)
        expr_raise(L, "split: the separator is empty");
    expr_array_push(L, 0);
    size_t from = 0, at;
    for (lua_Integer i = 1;; i++) {
        expr_charge(L, 8);
        at = lib_find_at(L, s, sep, from);
        lua_pushlstring(L, s.p + from, (at == SIZE_MAX ? s.n : at) - from);
        lua_rawseti(L, -2, i);
        if (at == SIZE_MAX)
            return 1;
        from = at + sep.n;
    }
}

/* replace(s, a, b): every a is b; plain texts. */
static int lib_replace(lua_State *L)
{
    struct str s = lib_string(L, 1), a = lib_string(L, 2), b = lib_string(L, 3);
    if (!a.n)
        expr_raise(L, "replace: the text to replace is empty");
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    size_t from = 0, at;
    while ((at = lib_find_at(L, s, a, from)) != SIZE_MAX) {
        expr_charge(L, 4 + b.n / 64);
        luaL_addlstring(&out, s.p + from, at - from);
        luaL_addlstring(&out, b.p, b.n);
        from = at + a.n;
    }
    luaL_addlstring(&out, s.p + from, s.n - from);
    luaL_pushresult(&out);
    return 1;
}

/* rep(s, n, sep?). Lua's own never ends for an empty string and a large n. */
static int lib_rep(lua_State *L)
{
    struct str s = lib_string(L, 1);
    lua_Integer n = luaL_checkinteger(L, 2);
    size_t sep_n;
    const char *sep = luaL_optlstring(L, 3, "", &sep_n);
    if (n <= 0 || s.n + sep_n == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Unsigned)n > EXPR_MEMORY_MAX / (s.n + sep_n))
        expr_raise(L, "rep: the result is larger than %u bytes", EXPR_MEMORY_MAX);
    expr_charge(L, (size_t)n);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = 0; i < n; i++) {
        if (i)
            luaL_addlstring(&b, sep, sep_n);
        luaL_addlstring(&b, s.p, s.n);
    }
    luaL_pushresult(&b);
    return 1;
}

/* The byte where character `at` (from 0) begins, or s.n. */
static size_t lib_char_offset(struct str s, size_t at)
{
    size_t i = 0;
    while (i < s.n && at--) {
        size_t n = utf8_char_len(s.p + i, s.n - i);
        i += n ? n : 1;
    }
    return i;
}

/* chars(s, i, j?): like string.sub, but by characters. */
static int lib_chars(lua_State *L)
{
    struct str s = lib_string(L, 1);
    expr_charge(L, s.n / 4);
    lua_Integer count = (lua_Integer)lib_code_points(s);
    lua_Integer i = luaL_checkinteger(L, 2), j = luaL_optinteger(L, 3, -1);
    if (i < 0)
        i = i < -count ? 1 : count + i + 1;
    if (j < 0)
        j = j < -count ? 0 : count + j + 1;
    i = i < 1 ? 1 : i;
    j = j > count ? count : j;
    if (i > j) {
        lua_pushliteral(L, "");
        return 1;
    }
    size_t from = lib_char_offset(s, (size_t)i - 1);
    struct str rest = {s.p + from, s.n - from};
    lua_pushlstring(L, rest.p, lib_char_offset(rest, (size_t)(j - i) + 1));
    return 1;
}

/* format(f, …): Lua's, after every %s was given its text; %p would show an address. */
static int lib_format(lua_State *L)
{
    struct str f = lib_string(L, 1);
    int arg = 1, top = lua_gettop(L);
    for (size_t i = 0; i < f.n; i++) {
        if (f.p[i] != '%')
            continue;
        i++;
        if (i < f.n && f.p[i] == '%')
            continue;
        while (i < f.n && strchr("-+ #0123456789.", f.p[i]) && f.p[i])
            i++;
        arg++;
        if (i == f.n || arg > top)
            break; /* Lua has the right words for both */
        if (f.p[i] == 'p')
            expr_raise(L, "format: %%p is not available");
        if (f.p[i] == 's' || f.p[i] == 'q')
            expr_charge(L, lua_rawlen(L, arg) / 16);
        if (f.p[i] == 's' && lua_type(L, arg) != LUA_TSTRING) {
            expr_text_push(L, arg);
            lua_replace(L, arg);
        }
    }
    return lib_call(L);
}

struct lib_entry {
    const char *name;
    lua_CFunction ours; /* NULL: Lua's own as it is; else it gets Lua's own as upvalue 1 */
};

/* Copies entries from Lua's library on top of the stack into the table below it. */
static void lib_take(lua_State *L, const struct lib_entry *entries)
{
    for (const struct lib_entry *e = entries; e->name; e++) {
        int type = lua_getfield(L, -1, e->name);
        if (e->ours) {
            lua_pushcclosure(L, e->ours, 1);
        } else if (type == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        lua_setfield(L, -3, e->name);
    }
}

static int lib_frozen(lua_State *L)
{
    expr_raise(L, "the library cannot be changed");
}

/* Puts the table on top of the stack under `name` into the one below, behind an empty one, so that
 * it can be read and not changed. */
static void lib_freeze(lua_State *L, const char *name)
{
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, lib_frozen);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
}

static const luaL_Reg lib_text_functions[] = {
    {"contains", lib_contains}, {"ends", lib_ends}, {"replace", lib_replace}, {"split", lib_split},
    {"starts", lib_starts},     {"trim", lib_trim}, {"chars", lib_chars},     {NULL, NULL},
};

static const struct lib_entry lib_string_entries[] = {
    {"byte", lib_byte}, {"char", NULL},       {"find", lib_find}, {"format", lib_format},
    {"len", NULL},      {"lower", lib_bytes}, {"rep", lib_rep},   {"reverse", lib_bytes},
    {"sub", NULL},      {"upper", lib_bytes}, {NULL, NULL},
};

static void lib_open_string(lua_State *L)
{
    lua_newtable(L);
    luaL_setfuncs(L, lib_text_functions, 0);
    lua_pushcfunction(L, luaopen_string);
    lua_call(L, 0, 1);
    lib_take(L, lib_string_entries);
    lua_pop(L, 1);
    lua_pushliteral(L, ""); /* what s:upper() finds */
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    lib_freeze(L, "string");
}

static void lib_open_math(lua_State *L)
{
    static const struct lib_entry entries[] = {
        {"abs", NULL},   {"acos", NULL},       {"asin", NULL},      {"atan", NULL},
        {"ceil", NULL},  {"cos", NULL},        {"deg", NULL},       {"exp", NULL},
        {"floor", NULL}, {"fmod", NULL},       {"huge", NULL},      {"log", NULL},
        {"max", NULL},   {"maxinteger", NULL}, {"min", NULL},       {"mininteger", NULL},
        {"modf", NULL},  {"pi", NULL},         {"rad", NULL},       {"sin", NULL},
        {"sqrt", NULL},  {"tan", NULL},        {"tointeger", NULL}, {"type", NULL},
        {"ult", NULL},   {NULL, NULL}};
    lua_newtable(L);
    lua_pushcfunction(L, luaopen_math);
    lua_call(L, 0, 1);
    lib_take(L, entries);
    lua_pop(L, 1);
    lib_freeze(L, "math");
}

static void lib_open_table(lua_State *L)
{
    static const struct lib_entry entries[] = {{"concat", lib_concat}, {"insert", lib_insert},
                                               {"remove", lib_remove}, {"sort", lib_sort},
                                               {"unpack", lib_unpack}, {NULL, NULL}};
    lua_newtable(L);
    lua_pushcfunction(L, luaopen_table);
    lua_call(L, 0, 1);
    lib_take(L, entries);
    lua_pop(L, 1);
    lib_freeze(L, "table");
}

void expr_lib_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"array", lib_array},       {"assert", lib_assert}, {"copy", lib_copy},
        {"default", lib_default},   {"error", lib_error},   {"filter", lib_filter},
        {"join", lib_join},         {"json", lib_json},     {"keys", lib_keys},
        {"len", lib_len},           {"pairs", lib_pairs},   {"parse", lib_parse},
        {"tostring", lib_tostring}, {"type", lib_type},     {NULL, NULL},
    };
    static const struct lib_entry base[] = {
        {"ipairs", NULL}, {"select", NULL}, {"tonumber", lib_bytes}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    luaL_setfuncs(L, lib_text_functions, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, expr_vm_of(L)->ref_null);
    lua_setfield(L, -2, "null");
    /* Lua's base library writes into the table of globals, which no code sees. */
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 1);
    lib_take(L, base);
    lua_pop(L, 1);
    lib_open_string(L);
    lib_open_math(L);
    lib_open_table(L);
}
