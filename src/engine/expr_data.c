/* Data of the scope as Lua sees it. A container is a userdata that remembers its JSON text; when
 * code first looks into it, one level is decoded into a table kept beside it. It cannot be changed,
 * so turning it back into JSON is a copy of the text. Types and messages call it a table.
 *
 * `nodes` and one node are such containers too, filled by asking the scope. */
#include "engine/expr_vm.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum data_kind { DATA_ARRAY, DATA_OBJECT, DATA_NODES, DATA_NODE };

struct data {
    enum data_kind kind;
    struct json text; /* absent: nodes and one node of a scope */
};

static struct data *data_at(lua_State *L, int idx)
{
    struct data *d = lua_touserdata(L, idx);
    if (!d || lua_islightuserdata(L, idx) || !lua_getmetatable(L, idx))
        return NULL;
    bool ours = lua_topointer(L, -1) == expr_vm_of(L)->data_meta;
    lua_pop(L, 1);
    return ours ? d : NULL;
}

bool expr_is_null(lua_State *L, int idx)
{
    return lua_touserdata(L, idx) == expr_vm_of(L)->null;
}

bool expr_is_data(lua_State *L, int idx, struct json *raw)
{
    const struct data *d = data_at(L, idx);
    if (d && raw)
        *raw = d->text;
    return d != NULL;
}

bool expr_is_node(lua_State *L, int idx)
{
    const struct data *d = data_at(L, idx);
    return d && d->kind == DATA_NODE;
}

bool expr_is_array(lua_State *L, int idx)
{
    const struct data *d = data_at(L, idx);
    if (d)
        return d->kind == DATA_ARRAY;
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return false;
    bool marked = lua_topointer(L, -1) == expr_vm_of(L)->array_meta;
    lua_pop(L, 1);
    return marked;
}

static void data_push(lua_State *L, enum data_kind kind, struct json text)
{
    struct data *d = lua_newuserdatauv(L, sizeof *d, 1);
    *d = (struct data){kind, text};
    lua_rawgeti(L, LUA_REGISTRYINDEX, expr_vm_of(L)->ref_data);
    lua_setmetatable(L, -2);
}

/* A string of checked JSON, without its quotes; most have no escapes. */
static void data_push_string(lua_State *L, struct str raw)
{
    if (!raw.n || !memchr(raw.p, '\\', raw.n)) {
        lua_pushlstring(L, raw.n ? raw.p : "", raw.n);
        return;
    }
    struct buf *tmp = &expr_vm_of(L)->tmp;
    buf_clear(tmp);
    json_string((struct json){raw.p - 1, raw.n + 2}, tmp);
    if (buf_error(tmp))
        expr_raise(L, "a string of the data is too long");
    struct str s = buf_str(tmp);
    lua_pushlstring(L, s.n ? s.p : "", s.n);
}

static void data_push_number(lua_State *L, struct json v)
{
    int64_t i;
    double d = 0;
    if (json_i64(v, &i)) {
        lua_pushinteger(L, i);
        return;
    }
    json_double(v, &d);
    lua_pushnumber(L, d);
}

static void data_push_null(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, expr_vm_of(L)->ref_null);
}

void expr_push_json(lua_State *L, struct json v)
{
    switch (json_type(v)) {
    case JSON_NONE:
        lua_pushnil(L);
        return;
    case JSON_NULL:
        data_push_null(L);
        return;
    case JSON_FALSE:
    case JSON_TRUE:
        lua_pushboolean(L, json_type(v) == JSON_TRUE);
        return;
    case JSON_NUMBER:
        data_push_number(L, v);
        return;
    case JSON_STRING:
        data_push_string(L, (struct str){v.p + 1, v.n - 2});
        return;
    case JSON_ARRAY:
        data_push(L, DATA_ARRAY, v);
        return;
    case JSON_OBJECT:
        data_push(L, DATA_OBJECT, v);
        return;
    }
}

/* Decodes one level of v into a new table, its children by `push`. */
static void data_decode(lua_State *L, struct json v, void (*push)(lua_State *, struct json))
{
    bool array = json_type(v) == JSON_ARRAY;
    luaL_checkstack(L, 4, "data is nested too deeply");
    expr_charge(L, v.n / 64 + 1);
    int size = (int)json_length(v);
    lua_createtable(L, array ? size : 0, array ? 0 : size);
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        expr_charge(L, 4);
        if (!array)
            data_push_string(L, it.key);
        push(L, it.value);
        if (array)
            lua_rawseti(L, -2, (lua_Integer)it.index + 1);
        else
            lua_rawset(L, -3);
    }
}

void expr_push_tree(lua_State *L, struct json v)
{
    enum json_type type = json_type(v);
    if (type != JSON_ARRAY && type != JSON_OBJECT) {
        expr_push_json(L, v);
        return;
    }
    data_decode(L, v, expr_push_tree); /* as deep as json_check() lets texts be */
    if (type == JSON_ARRAY) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, expr_vm_of(L)->ref_array);
        lua_setmetatable(L, -2);
    }
}

void expr_array_push(lua_State *L, int n)
{
    lua_createtable(L, n, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, expr_vm_of(L)->ref_array);
    lua_setmetatable(L, -2);
}

/* Pushes the table with the decoded level of the data at idx. */
static void data_level(lua_State *L, int idx, const struct data *d)
{
    idx = lua_absindex(L, idx);
    if (lua_getiuservalue(L, idx, 1) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    if (d->kind == DATA_ARRAY || d->kind == DATA_OBJECT)
        data_decode(L, d->text, expr_push_json);
    else
        lua_createtable(L, 0, 4);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, idx, 1);
}

/* Pushes the container of one node: {output?, status}. */
static void data_push_node(lua_State *L, const char *id, struct json output, const char *status)
{
    data_push(L, DATA_NODE, JSON_ABSENT);
    lua_createtable(L, 1, 2);
    lua_pushstring(L, status);
    lua_setfield(L, -2, "status");
    if (json_exists(output)) {
        expr_push_json(L, output);
        lua_setfield(L, -2, "output");
    }
    lua_pushstring(L, id); /* under a key that no name of the data can be */
    lua_rawseti(L, -2, 1);
    lua_setiuservalue(L, -2, 1);
}

/* nodes[id]: asks for the node and keeps it in the level at `level`. */
static int data_find_node(lua_State *L, const struct data *d, int level)
{
    const struct expr_vm *vm = expr_vm_of(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        expr_raise(L, "a node is named by its id, a string");
    size_t n;
    const char *id = lua_tolstring(L, 2, &n);
    struct str output = STR_NULL;
    const char *status = "pending";
    char status_text[32];
    struct json found = JSON_ABSENT;
    if (vm->scope) {
        if (!vm->scope->node || !vm->scope->node(vm->scope, (struct str){id, n}, &output, &status))
            expr_raise(L, "no node \"%s\"", id);
        if (output.p)
            found = json_root(output);
    } else {
        struct json node = json_get(d->text, id);
        if (!json_exists(node))
            expr_raise(L, "no node \"%s\"", id);
        found = json_get(node, "output");
        struct json s = json_get(node, "status");
        if (json_type(s) == JSON_STRING && s.n - 2 < sizeof status_text) {
            memcpy(status_text, s.p + 1, s.n - 2);
            status_text[s.n - 2] = '\0';
            status = status_text;
        }
    }
    data_push_node(L, id, found, status);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, level);
    return 1;
}

/* node.x where the node has no x: nil for an output that is not there yet. */
static int data_node_member(lua_State *L, int level)
{
    struct expr_vm *vm = expr_vm_of(L);
    lua_rawgeti(L, level, 1);
    const char *id = lua_tostring(L, -1);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (strcmp(name, "output") != 0)
        expr_raise(L, "node \"%s\" has output and status, not \"%s\"", id, name);
    lua_getfield(L, level, "status");
    struct errbuf e;
    err_set(&e, 0, "node \"%s\" has no output yet (it is %s)", id, lua_tostring(L, -1));
    size_t n = strlen(e.text);
    if (n < sizeof vm->absent)
        memcpy(vm->absent, e.text, n + 1);
    lua_pushnil(L);
    return 1;
}

static int data_index(lua_State *L)
{
    const struct data *d = lua_touserdata(L, 1);
    lua_settop(L, 2);
    data_level(L, 1, d); /* at 3 */
    lua_pushvalue(L, 2);
    bool hidden = d->kind == DATA_NODE && lua_type(L, 2) != LUA_TSTRING;
    if (!hidden && lua_rawget(L, 3) != LUA_TNIL)
        return 1;
    switch (d->kind) {
    case DATA_NODES:
        return data_find_node(L, d, 3);
    case DATA_NODE:
        return data_node_member(L, 3);
    case DATA_ARRAY:
    case DATA_OBJECT:
        break;
    }
    lua_pushnil(L);
    return 1;
}

static int data_newindex(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING)
        expr_raise(L, "data cannot be changed (setting \"%s\"): copy(x) gives a table of your own",
                   lua_tostring(L, 2));
    expr_raise(L, "data cannot be changed: copy(x) gives a table of your own");
}

size_t expr_data_length(lua_State *L, int idx)
{
    const struct data *d = data_at(L, idx);
    if (d->kind == DATA_NODE)
        return 2;
    if (d->kind == DATA_NODES)
        return json_length(d->text);
    if (d->kind == DATA_OBJECT) {
        expr_charge(L, d->text.n / 64);
        return json_length(d->text);
    }
    data_level(L, idx, d);
    size_t n = lua_rawlen(L, -1);
    lua_pop(L, 1);
    return n;
}

static int data_len(lua_State *L)
{
    const struct data *d = lua_touserdata(L, 1);
    if (d->kind != DATA_ARRAY)
        expr_raise(L, "# counts the elements of an array; len(x) counts members");
    lua_pushinteger(L, (lua_Integer)expr_data_length(L, 1));
    return 1;
}

/* `map` is a function of the library, and inside of a map data as well. */
static int data_call(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, expr_vm_of(L)->ref_slots);
    lua_rawgeti(L, -1, EXPR_MAP);
    bool is_map = lua_rawequal(L, 1, -1);
    lua_pop(L, 2);
    if (!is_map)
        expr_raise(L, "attempt to call a table value");
    lua_remove(L, 1);
    return expr_lib_map(L);
}

void expr_data_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"__index", data_index}, {"__call", data_call}, {"__newindex", data_newindex},
        {"__len", data_len},     {NULL, NULL},
    };
    struct expr_vm *vm = expr_vm_of(L);
    luaL_newlib(L, methods);
    lua_pushliteral(L, "table");
    lua_setfield(L, -2, "__name");
    vm->data_meta = lua_topointer(L, -1);
    vm->ref_data = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_createtable(L, 0, 1); /* marks tables of the code's own that are arrays */
    lua_pushliteral(L, "table");
    lua_setfield(L, -2, "__name");
    vm->array_meta = lua_topointer(L, -1);
    vm->ref_array = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newuserdatauv(L, 1, 0);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "null");
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
    vm->null = lua_topointer(L, -1);
    vm->ref_null = luaL_ref(L, LUA_REGISTRYINDEX);
}

static struct json data_slot_text(const struct expr_vm *vm, enum expr_slot slot)
{
    struct str text = STR_NULL;
    const char *member;
    switch (slot) {
    case EXPR_INPUT:
        text = vm->scope ? vm->scope->input : text;
        member = "input";
        break;
    case EXPR_NODES:
        member = "nodes";
        break;
    case EXPR_VARS:
        text = vm->scope ? vm->scope->vars : text;
        member = "vars";
        break;
    case EXPR_LOOP:
        text = vm->scope ? vm->scope->loop : text;
        member = "loop";
        break;
    case EXPR_SESSION:
        text = vm->scope ? vm->scope->session : text;
        member = "session";
        break;
    case EXPR_MAP:
        text = vm->scope ? vm->scope->map : text;
        member = "map";
        break;
    }
    if (vm->scope)
        return text.p ? json_root(text) : JSON_ABSENT;
    return json_get_set(vm->env, member);
}

int expr_push_slot(lua_State *L, enum expr_slot slot)
{
    struct expr_vm *vm = expr_vm_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_slots);
    int type = lua_rawgeti(L, -1, slot);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        struct json text = data_slot_text(vm, slot);
        if (slot == EXPR_NODES)
            data_push(L, DATA_NODES, text);
        else
            expr_push_json(L, text);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, slot);
        type = lua_type(L, -1);
    }
    lua_remove(L, -2);
    return type;
}

static int data_key_compare(const void *pa, const void *pb)
{
    const struct expr_key *a = pa, *b = pb;
    if (a->type != b->type) {
        int ra = a->type == LUA_TNUMBER ? 0 : a->type == LUA_TSTRING ? 1 : 2;
        int rb = b->type == LUA_TNUMBER ? 0 : b->type == LUA_TSTRING ? 1 : 2;
        return ra < rb ? -1 : 1;
    }
    if (a->type == LUA_TSTRING) {
        size_t n = a->n < b->n ? a->n : b->n;
        int c = memcmp(a->p, b->p, n);
        return c ? c : (a->n > b->n) - (a->n < b->n);
    }
    if (a->type == LUA_TNUMBER && !(a->integer && b->integer))
        return (a->d > b->d) - (a->d < b->d);
    return (a->i > b->i) - (a->i < b->i);
}

static struct expr_key data_key(lua_State *L, int idx)
{
    struct expr_key k = {.type = lua_type(L, idx)};
    switch (k.type) {
    case LUA_TNUMBER:
        k.integer = lua_isinteger(L, idx);
        k.i = k.integer ? lua_tointeger(L, idx) : 0;
        k.d = lua_tonumber(L, idx);
        break;
    case LUA_TSTRING:
        k.p = lua_tolstring(L, idx, &k.n);
        break;
    case LUA_TBOOLEAN:
        k.i = lua_toboolean(L, idx);
        break;
    default:
        expr_raise(L, "the keys of a table must be strings or numbers");
    }
    return k;
}

struct expr_key *expr_table_keys(lua_State *L, int idx, size_t *count)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, "a table is nested too deeply");
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        expr_charge(L, 1);
        n++;
    }
    struct expr_key *keys = lua_newuserdatauv(L, n * sizeof *keys + 1, 0);
    size_t i = 0;
    bool sorted = true;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        keys[i] = data_key(L, -2);
        sorted = sorted && (i == 0 || data_key_compare(&keys[i - 1], &keys[i]) < 0);
        i++;
    }
    if (!sorted) {
        expr_charge(L, n * 8);
        qsort(keys, n, sizeof *keys, data_key_compare);
    }
    *count = n;
    return keys;
}

/* The ids in a script's nodes, which are listed in its environment. */
static void data_node_keys(lua_State *L, const struct data *d)
{
    if (!json_exists(d->text))
        expr_raise(L, "nodes cannot be walked: name the node");
    data_decode(L, d->text, expr_push_json);
}

void expr_keys_push(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    const struct data *d = data_at(L, idx);
    if (!d)
        lua_pushvalue(L, idx);
    else if (d->kind == DATA_NODES)
        data_node_keys(L, d);
    else
        data_level(L, idx, d);
    size_t n, out = 0;
    const struct expr_key *keys = expr_table_keys(L, -1, &n);
    expr_array_push(L, (int)n);
    for (size_t i = 0; i < n; i++) {
        const struct expr_key *k = &keys[i];
        if (d && d->kind == DATA_NODE && k->type != LUA_TSTRING)
            continue; /* the node's own id */
        if (k->type == LUA_TSTRING)
            lua_pushlstring(L, k->p, k->n);
        else if (k->type == LUA_TBOOLEAN)
            lua_pushboolean(L, (int)k->i);
        else if (k->integer)
            lua_pushinteger(L, k->i);
        else
            lua_pushnumber(L, k->d);
        lua_rawseti(L, -2, (lua_Integer)++out);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}
