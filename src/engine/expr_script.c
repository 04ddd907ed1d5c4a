#include "engine/expr_vm.h"

#include <lauxlib.h>

#include "base/utf8.h"

#define SCRIPT_LOGS_MAX     10000        /* lines of one script */
#define SCRIPT_LOG_TEXT_MAX (16u << 10)  /* bytes of a line; more is cut */
#define SCRIPT_EMIT_MAX     (64u << 10)  /* bytes of one emit */
#define SCRIPT_SAVE_MAX     (256u << 10) /* bytes of what a checkpoint keeps */

/* ---- what only scripts have ---- */

static int script_log(lua_State *L)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    struct expr_vm *vm = expr_vm_of(L);
    int text = lua_gettop(L) > 1 ? 2 : 1;
    const char *level = "info";
    if (text == 2)
        level = levels[luaL_checkoption(L, 1, NULL, levels)];
    luaL_checkany(L, text);
    if (vm->logs++ == SCRIPT_LOGS_MAX)
        expr_raise(L, "log: more than %d lines", SCRIPT_LOGS_MAX);
    expr_text_push(L, text);
    struct str s;
    s.p = lua_tolstring(L, -1, &s.n);
    if (s.n > SCRIPT_LOG_TEXT_MAX)
        s.n = utf8_cut(s.p, SCRIPT_LOG_TEXT_MAX);
    buf_clear(&vm->tmp);
    expr_append_text(L, &vm->tmp, s);
    vm->script->log(vm->script->data, level, buf_str(&vm->tmp));
    expr_charge(L, 100);
    return 0;
}

static int script_emit(lua_State *L)
{
    struct expr_vm *vm = expr_vm_of(L);
    luaL_checkany(L, 1);
    expr_text_push(L, 1);
    struct str s;
    s.p = lua_tolstring(L, -1, &s.n);
    if (s.n > SCRIPT_EMIT_MAX)
        expr_raise(L, "emit: more than %u bytes at once", SCRIPT_EMIT_MAX);
    buf_clear(&vm->tmp);
    expr_append_text(L, &vm->tmp, s);
    if (!vm->script->emit(vm->script->data, buf_str(&vm->tmp)))
        expr_cancel(L);
    expr_charge(L, 100);
    return 0;
}

static int script_checkpoint(lua_State *L)
{
    struct expr_vm *vm = expr_vm_of(L);
    if (!lua_isnoneornil(L, 1)) {
        buf_clear(&vm->tmp);
        expr_encode(L, 1, &vm->tmp);
        if (vm->tmp.len > SCRIPT_SAVE_MAX)
            expr_raise(L, "checkpoint: the value has more than %u bytes", SCRIPT_SAVE_MAX);
        vm->script->save(vm->script->data, buf_str(&vm->tmp));
    }
    expr_charge(L, (size_t)vm->fuel); /* the next look is now */
    return 0;
}

static int script_saved(lua_State *L)
{
    struct expr_vm *vm = expr_vm_of(L);
    if (vm->script->saved.p)
        expr_push_tree(L, json_root(vm->script->saved));
    else
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_null);
    return 1;
}

static const luaL_Reg script_functions[] = {{"checkpoint", script_checkpoint},
                                            {"emit", script_emit},
                                            {"log", script_log},
                                            {"saved", script_saved},
                                            {NULL, NULL}};

void expr_script_open(lua_State *L)
{
    luaL_setfuncs(L, script_functions, 0);
}

bool expr_script_has(struct str name)
{
    for (const luaL_Reg *f = script_functions; f->name; f++)
        if (str_eqz(name, f->name))
            return true;
    return false;
}

/* ---- the run ---- */

static int script_run(lua_State *L)
{
    struct expr_vm *vm = expr_vm_of(L);
    const struct str *code = lua_touserdata(L, 1);
    expr_charge(L, (size_t)vm->fuel); /* one look before anything is done */
    if (luaL_loadbufferx(L, code->p, code->n, "=script", "t") != LUA_OK)
        lua_error(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_env);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) /* a script that returns nothing has the output null */
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_null);
    expr_encode(L, -1, &vm->text);
    return 0;
}

int expr_run_script(struct str code, const struct expr_script_env *env, struct buf *out,
                    struct errbuf *e)
{
    if (code.n > EXPR_SCRIPT_MAX)
        return err_set(e, ERR_INVALID, "the script is longer than %u bytes", EXPR_SCRIPT_MAX);
    struct expr_vm *vm = expr_vm_open(env, env->memory_bytes_max);
    if (!vm)
        return err_set(e, ERR_TOO_LARGE, "%llu bytes of memory are too few for a script",
                       (unsigned long long)env->memory_bytes_max);
    int err = 0;
    expr_vm_begin(vm, NULL);
    vm->env = json_root(env->env);
    lua_pushcfunction(vm->L, script_run);
    lua_pushlightuserdata(vm->L, &code);
    int status = lua_pcall(vm->L, 1, 0, 0);
    if (status != LUA_OK)
        err = expr_report(vm, status, "", e);
    else if (buf_append_str(out, buf_str(&vm->text)) != 0)
        err = err_set(e, buf_error(out), "there is no room for the result");
    expr_vm_end(vm);
    expr_vm_destroy(vm);
    return err;
}
