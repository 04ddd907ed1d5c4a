#include "engine/expr_vm.h"

#include <lauxlib.h>

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
