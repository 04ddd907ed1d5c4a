#include "engine/expr_vm.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/expr_lex.h"

#define REPORT_CODE_MAX 80 /* bytes of an expression that an error quotes */

enum expr_want { WANT_JSON, WANT_BOOL, WANT_TEXT };

struct expr_call {
    struct expr_vm *vm;
    enum expr_want want;
    struct str code; /* the expression under way */
    bool in_template;
    bool truth;
    const struct expr_scope *scope;
};

/* Takes "expr:1: " off, and turns "expr:2: " into "line 2: ". */
static const char *report_place(const char *text, char *line, size_t line_size)
{
    unsigned n = 0;
    int used = 0;
    line[0] = '\0';
    if (sscanf(text, "expr:%u: %n", &n, &used) == 1 && used > 0) {
        if (n > 1)
            snprintf(line, line_size, "line %u: ", n);
    } else if (sscanf(text, "script:%u: %n", &n, &used) == 1 && used > 0) {
        snprintf(line, line_size, "line %u: ", n);
    }
    return text + used;
}

int expr_report(struct expr_vm *vm, int lua_status, const char *before, struct errbuf *e)
{
    const char *text = lua_type(vm->L, -1) == LUA_TSTRING ? lua_tostring(vm->L, -1) : "failed";
    char line[32] = "";
    int code = ERR_INVALID;
    switch (vm->stop) {
    case EXPR_STOP_WORK:
        return err_set(e, code, "%stakes too many steps (more than %d)", before,
                       EXPR_INSTRUCTIONS_MAX);
    case EXPR_STOP_CANCELLED:
        return err_set(e, ERR_CANCELLED, "%sstopped", before);
    case EXPR_STOP_NONE:
        break;
    }
    if (lua_status == LUA_ERRMEM)
        return err_set(e, vm->script ? ERR_TOO_LARGE : code, "%sneeds more than %zu MiB of memory",
                       before, vm->script ? vm->used_max >> 20 : (size_t)(EXPR_MEMORY_MAX >> 20));
    if (lua_status == LUA_ERRERR)
        return err_set(e, code, "%sis nested too deeply", before);
    text = report_place(text, line, sizeof line);
    if (vm->absent[0] && strstr(text, "'output'"))
        return err_set(e, code, "%s%s%s", before, line, vm->absent);
    return err_set(e, code, "%s%s%s", before, line, text);
}

/* The result on top of the stack, as what was asked for. */
static void expr_take(lua_State *L, struct expr_call *c)
{
    struct expr_vm *vm = c->vm;
    bool nil = lua_isnil(L, -1), null = expr_is_null(L, -1);
    size_t n;
    switch (c->want) {
    case WANT_BOOL:
        c->truth = lua_toboolean(L, -1) && !null;
        return;
    case WANT_TEXT:
        if (nil || null)
            break;
        if (lua_type(L, -1) == LUA_TSTRING) {
            const char *p = lua_tolstring(L, -1, &n);
            expr_append_text(L, &vm->text, (struct str){p, n});
        } else {
            expr_encode(L, -1, &vm->text);
        }
        return;
    case WANT_JSON:
        if (nil)
            break;
        expr_encode(L, -1, &vm->text);
        return;
    }
    if (nil && vm->absent[0])
        expr_raise(L, "%s", vm->absent);
    expr_raise(L, "there is no value (%s)", nil ? "nil" : "null");
}

static void expr_run(lua_State *L, struct expr_call *c)
{
    c->vm->absent[0] = '\0';
    expr_chunk_push(L, c->code);
    /* Code may set its _ENV, which is a variable of the cached chunk: give it a fresh one. */
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->vm->ref_env);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 1);
    expr_take(L, c);
    lua_pop(L, 1);
}

static int expr_run_one(lua_State *L)
{
    expr_run(L, lua_touserdata(L, 1));
    return 0;
}

/* Runs every expression of the template in c->code, and lays its text between them. */
static int expr_run_template(lua_State *L)
{
    struct expr_call *c = lua_touserdata(L, 1);
    struct template_scan scan = {c->code};
    struct template_part part;
    c->code = STR_NULL;
    do {
        bool closed = template_next(&scan, &part);
        c->code = part.code;
        if (!closed)
            expr_raise(L, "no \"}}\" closes it");
        expr_append_text(L, &c->vm->text, part.text);
        if (part.code.p)
            expr_run(L, c);
    } while (part.code.p);
    return 0;
}

void expr_quote(struct str code, char out[EXPR_QUOTE_BYTES])
{
    while (code.n && strchr(" \t\r\n", code.p[0])) {
        code.p++;
        code.n--;
    }
    while (code.n && strchr(" \t\r\n", code.p[code.n - 1]))
        code.n--;
    bool cut = code.n > REPORT_CODE_MAX;
    if (cut)
        code.n = utf8_cut(code.p, REPORT_CODE_MAX);
    snprintf(out, EXPR_QUOTE_BYTES, "in {{ %.*s%s }}: ", STR_FMT(code), cut ? "…" : "");
}

static int expr_call(struct expr_call *c, lua_CFunction run, struct errbuf *e)
{
    struct expr_vm *vm = c->vm;
    char before[EXPR_QUOTE_BYTES] = "";
    int err = 0;
    expr_vm_begin(vm, c->scope);
    lua_pushcfunction(vm->L, run);
    lua_pushlightuserdata(vm->L, c);
    int status = lua_pcall(vm->L, 1, 0, 0);
    if (status != LUA_OK) {
        if (c->in_template && c->code.p)
            expr_quote(c->code, before);
        err = expr_report(vm, status, before, e);
        buf_clear(&vm->text);
    }
    return err;
}

int expr_eval(struct expr_vm *vm, struct str code, const struct expr_scope *scope, struct buf *out,
              struct errbuf *e)
{
    struct expr_call c = {.vm = vm, .want = WANT_JSON, .code = code, .scope = scope};
    int err = expr_call(&c, expr_run_one, e);
    if (!err && buf_append_str(out, buf_str(&vm->text)) != 0)
        err = err_set(e, buf_error(out), "there is no room for the result");
    expr_vm_end(vm);
    return err;
}

int expr_eval_bool(struct expr_vm *vm, struct str code, const struct expr_scope *scope, bool *out,
                   struct errbuf *e)
{
    struct expr_call c = {.vm = vm, .want = WANT_BOOL, .code = code, .scope = scope};
    int err = expr_call(&c, expr_run_one, e);
    expr_vm_end(vm);
    if (!err)
        *out = c.truth;
    return err;
}

int expr_render(struct expr_vm *vm, struct str tmpl, const struct expr_scope *scope,
                struct buf *out, struct errbuf *e)
{
    struct expr_call c = {
        .vm = vm, .want = WANT_TEXT, .code = tmpl, .scope = scope, .in_template = true};
    if (tmpl.n > EXPR_TEMPLATE_MAX)
        return err_set(e, ERR_INVALID, "the template is longer than %u bytes", EXPR_TEMPLATE_MAX);
    int err = expr_call(&c, expr_run_template, e);
    if (!err && buf_append_str(out, buf_str(&vm->text)) != 0)
        err = err_set(e, buf_error(out), "there is no room for the result");
    expr_vm_end(vm);
    return err;
}

bool expr_template_is_one(struct str tmpl, struct str *code)
{
    struct template_scan scan = {tmpl};
    struct template_part first, rest;
    if (!template_next(&scan, &first) || first.text.n || !first.code.p ||
        !template_next(&scan, &rest) || rest.text.n || rest.code.p)
        return false;
    *code = first.code;
    return true;
}
