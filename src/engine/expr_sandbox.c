#include "engine/expr_vm.h"

#include <assert.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"

#define SANDBOX_SLICE_LEAST 16
#define SANDBOX_REFILL      4000u /* units between two checkpoints of a script */
#define SANDBOX_IDLE_GROWTH                                                                        \
    (1u << 20)                      /* bytes kept after an evaluation before they are collected */
#define SANDBOX_TMP_MAX (16u << 20) /* a string of the data, a json(x) */

static void sandbox_hook(lua_State *L, lua_Debug *ar);

/* Work that is paid where nothing may be raised: the hook raises at the next instruction. */
static void sandbox_owe(struct expr_vm *vm, size_t units)
{
    if (!vm->running)
        return;
    vm->fuel -= (int64_t)units;
    if (vm->fuel <= 0)
        lua_sethook(vm->L, sandbox_hook, LUA_MASKCOUNT, 1);
}

static void sandbox_account(struct expr_vm *vm, size_t had, size_t n)
{
    vm->used += n - had;
    vm->big -= had >= EXPR_BIG ? had : 0;
    vm->big += n >= EXPR_BIG ? n : 0;
    if (n > had && n >= 4096)
        sandbox_owe(vm, n / 1024);
}

static void *sandbox_alloc(void *ud, void *p, size_t old, size_t n)
{
    struct expr_vm *vm = ud;
    size_t had = p ? old : 0; /* without a block, Lua passes the kind of object as the old size */
    if (n == 0) {
        free(p);
        sandbox_account(vm, had, 0);
        return NULL;
    }
    if (n > had && n - had > vm->used_max - vm->used) {
        /* Lua answers a refusal with a full collection and asks once more: code that keeps its
         * memory near the limit would have one for every allocation. */
        sandbox_owe(vm, vm->used / 64);
        return NULL;
    }
    void *q = realloc(p, n);
    if (!q)
        return n <= had ? p : NULL; /* Lua takes it that shrinking cannot fail */
    sandbox_account(vm, had, n);
    return q;
}

static size_t sandbox_price(const struct expr_vm *vm)
{
    return 1 + vm->big / EXPR_BIG;
}

static void sandbox_set_hook(struct expr_vm *vm)
{
    size_t slice = EXPR_SLICE / sandbox_price(vm);
    vm->slice = slice < SANDBOX_SLICE_LEAST ? SANDBOX_SLICE_LEAST : (int)slice;
    lua_sethook(vm->L, sandbox_hook, LUA_MASKCOUNT, vm->slice);
}

static void sandbox_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct expr_vm *vm = expr_vm_of(L);
    size_t units = (size_t)vm->slice * sandbox_price(vm);
    sandbox_set_hook(vm);
    expr_charge(L, units);
}

void expr_cancel(lua_State *L)
{
    expr_vm_of(L)->stop = EXPR_STOP_CANCELLED;
    luaL_error(L, "stopped");
    abort(); /* luaL_error() does not come back, but its type does not say so */
}

void expr_charge(lua_State *L, size_t units)
{
    struct expr_vm *vm = expr_vm_of(L);
    vm->fuel -= (int64_t)units;
    if (vm->fuel > 0)
        return;
    if (vm->script) {
        vm->fuel = SANDBOX_REFILL;
        if (vm->script->checkpoint(vm->script->data))
            return;
        vm->stop = EXPR_STOP_CANCELLED;
    } else {
        vm->stop = EXPR_STOP_WORK;
    }
    luaL_error(L, "stopped");
}

void expr_raise(lua_State *L, const char *fmt, ...)
{
    struct errbuf sentence;
    va_list ap;
    va_start(ap, fmt);
    err_vset(&sentence, 0, fmt, ap);
    va_end(ap);
    luaL_error(L, "%s", sentence.text);
    abort(); /* luaL_error() does not come back, but its type does not say so */
}

/* What `name` means when it is no function: data, or an error. Upvalues: none. */
static int sandbox_global(lua_State *L)
{
    static const char *const names[] = {"input", "nodes", "vars", "loop", "session", "map"};
    if (lua_type(L, 2) != LUA_TSTRING)
        expr_raise(L, "names are strings");
    const char *name = lua_tostring(L, 2);
    for (int slot = EXPR_INPUT; slot <= EXPR_SLOTS; slot++) {
        if (strcmp(name, names[slot - 1]) == 0) {
            if (expr_push_slot(L, (enum expr_slot)slot) == LUA_TNIL && slot == EXPR_MAP)
                lua_pushcfunction(L, expr_lib_map);
            return 1;
        }
    }
    expr_raise(L, "unknown name \"%s\"", name);
}

static int sandbox_no_assign(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING)
        expr_raise(L, "\"%s\" cannot be set: write local %s", lua_tostring(L, 2),
                   lua_tostring(L, 2));
    expr_raise(L, "this cannot be changed");
}

/* secret.NAME is the text "{{ secret.NAME }}": a reference, that the shell puts a value in place of
 * at the last moment. So no expression sees a secret, and none is stored. */
static int sandbox_secret(lua_State *L)
{
    size_t n = 0;
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &n) : "";
    if (!name_is_valid((struct str){name, n}) || strpbrk(name, ".-"))
        expr_raise(L, "secret.NAME: letters, digits and _ only");
    lua_pushfstring(L, "{{ secret.%s }}", name);
    return 1;
}

static void sandbox_open_secret(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, sandbox_secret);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, sandbox_no_assign);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "secret");
}

/* The environment of all chunks is an empty table in front of the real one, so that no evaluation
 * can change what another sees. A script has its state for itself and may set names. */
static void sandbox_open_env(lua_State *L, struct expr_vm *vm)
{
    lua_newtable(L); /* the names */
    expr_lib_open(L);
    sandbox_open_secret(L);
    if (vm->script)
        expr_script_open(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, sandbox_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_newtable(L); /* the environment */
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    if (!vm->script) {
        lua_pushcfunction(L, sandbox_no_assign);
        lua_setfield(L, -2, "__newindex");
    }
    lua_setmetatable(L, -2);
    vm->ref_env = luaL_ref(L, LUA_REGISTRYINDEX);
    vm->ref_globals = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int sandbox_open(lua_State *L)
{
    struct expr_vm *vm = expr_vm_of(L);
    lua_createtable(L, EXPR_SLOTS, 0);
    vm->ref_slots = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    vm->ref_chunks = luaL_ref(L, LUA_REGISTRYINDEX);
    expr_data_open(L);
    sandbox_open_env(L, vm);
    return 0;
}

struct expr_vm *expr_vm_open(const struct expr_script_env *script, size_t memory_max)
{
    struct expr_vm *vm = mem_zalloc(sizeof *vm);
    vm->script = script;
    vm->used_max = memory_max;
    buf_init(&vm->text, EXPR_OUTPUT_MAX);
    buf_init(&vm->tmp, SANDBOX_TMP_MAX);
    vm->L = lua_newstate(sandbox_alloc, vm);
    if (!vm->L)
        goto fail;
    *(struct expr_vm **)lua_getextraspace(vm->L) = vm;
    lua_pushcfunction(vm->L, sandbox_open);
    if (lua_pcall(vm->L, 0, 0, 0) != LUA_OK)
        goto fail;
    vm->used_idle = vm->used;
    return vm;
fail:
    expr_vm_destroy(vm);
    return NULL;
}

struct expr_vm *expr_vm_create(void)
{
    struct expr_vm *vm = expr_vm_open(NULL, SIZE_MAX);
    if (!vm)
        abort(); /* a few kilobytes, at start */
    return vm;
}

void expr_vm_destroy(struct expr_vm *vm)
{
    if (!vm)
        return;
    if (vm->L)
        lua_close(vm->L);
    expr_cache_free(vm);
    buf_deinit(&vm->text);
    buf_deinit(&vm->tmp);
    free(vm);
}

void expr_vm_begin(struct expr_vm *vm, const struct expr_scope *scope)
{
    assert(!vm->running);
    vm->scope = scope;
    vm->stop = EXPR_STOP_NONE;
    vm->absent[0] = '\0';
    buf_clear(&vm->text);
    if (vm->script) {
        vm->fuel = SANDBOX_REFILL;
    } else {
        vm->fuel = EXPR_INSTRUCTIONS_MAX;
        vm->used_max = vm->used + EXPR_MEMORY_MAX;
    }
    vm->running = true;
    sandbox_set_hook(vm);
}

/* A scratch buffer that grew for one evaluation is not kept for all the others. */
static void sandbox_shrink(struct buf *b, size_t keep)
{
    size_t max = b->max;
    if (b->cap <= keep)
        return;
    buf_deinit(b);
    buf_init(b, max);
}

void expr_vm_end(struct expr_vm *vm)
{
    lua_State *L = vm->L;
    vm->running = false;
    lua_sethook(L, NULL, 0, 0);
    lua_settop(L, 0);
    /* The slots exist since sandbox_open(), so this allocates nothing and cannot raise. */
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_slots);
    for (int slot = EXPR_INPUT; slot <= EXPR_SLOTS; slot++) {
        lua_pushnil(L);
        lua_rawseti(L, 1, slot);
    }
    lua_settop(L, 0);
    vm->scope = NULL;
    sandbox_shrink(&vm->text, EXPR_BIG);
    sandbox_shrink(&vm->tmp, EXPR_BIG);
    if (!vm->script && vm->used > vm->used_idle + SANDBOX_IDLE_GROWTH) {
        lua_gc(L, LUA_GCCOLLECT);
        vm->used_idle = vm->used;
    }
}
