/* What can be known of code before it runs: that it compiles, and which names and nodes it reads.
 * Names are found among the tokens, without a full grammar: a name counts as the code's own when
 * the code declares it anywhere. So nothing right is refused, and a wrong name is found unless the
 * code uses the same one for a local elsewhere. */
#include "engine/expr_vm.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "engine/expr_lex.h"

#define CHECK_OWN_MAX 256 /* names that code declares; with more, no name is called unknown */

struct check {
    struct expr_vm *vm;
    bool script;
    struct str code;
    bool (*node_exists)(void *data, struct str id);
    void *data;
    struct lex_token *t; /* count tokens and an LEX_END */
    size_t count;
    bool *field; /* token is a key in a table constructor */
    struct str own[CHECK_OWN_MAX];
    size_t own_count;
    struct errbuf *e;
};

static bool check_is(const struct check *c, size_t i, const char *text)
{
    return i < c->count && c->t[i].type != LEX_STRING && str_eqz(c->t[i].text, text);
}

static bool check_is_name(const struct check *c, size_t i)
{
    return i < c->count && c->t[i].type == LEX_NAME;
}

static void check_declare(struct check *c, size_t i)
{
    if (c->own_count < CHECK_OWN_MAX)
        c->own[c->own_count++] = c->t[i].text;
    else
        c->own_count = CHECK_OWN_MAX + 1;
}

/* a, b <const>, c … from token i on. */
static void check_declare_list(struct check *c, size_t i)
{
    while (check_is_name(c, i)) {
        check_declare(c, i++);
        if (check_is(c, i, "<"))
            i += 3;
        if (!check_is(c, i, ","))
            return;
        i++;
    }
}

static void check_declare_function(struct check *c, size_t i)
{
    if (check_is_name(c, i)) {
        if (!check_is(c, i + 1, ".") && !check_is(c, i + 1, ":"))
            check_declare(c, i);
        while (check_is_name(c, i) || check_is(c, i, ".") || check_is(c, i, ":")) {
            if (check_is(c, i, ":") && c->own_count < CHECK_OWN_MAX)
                c->own[c->own_count++] = STR("self");
            i++;
        }
    }
    if (check_is(c, i, "("))
        check_declare_list(c, i + 1);
}

/* a, b = …: walks back from the "=". */
static void check_declare_assigned(struct check *c, size_t i)
{
    while (i > 0 && check_is_name(c, i - 1)) {
        if (i > 1 && (check_is(c, i - 2, ".") || check_is(c, i - 2, ":")))
            return;
        check_declare(c, i - 1);
        if (i < 2 || !check_is(c, i - 2, ","))
            return;
        i -= 2;
    }
}

/* Finds the code's own names, and the keys in table constructors, which are no names. `open` has
 * one character for each bracket and block that is open: '{' straight around a "name =" makes it a
 * key. */
static void check_find_own(struct check *c, char *open)
{
    size_t depth = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (check_is(c, i, "{") || check_is(c, i, "(") || check_is(c, i, "[") ||
            check_is(c, i, "function") || check_is(c, i, "do") || check_is(c, i, "if") ||
            check_is(c, i, "repeat"))
            open[depth++] = c->t[i].text.p[0];
        else if (depth && (check_is(c, i, "}") || check_is(c, i, ")") || check_is(c, i, "]") ||
                           check_is(c, i, "end") || check_is(c, i, "until")))
            depth--;
        if (check_is(c, i, "local"))
            check_declare_list(c, i + 1);
        else if (check_is(c, i, "for"))
            check_declare_list(c, i + 1);
        else if (check_is(c, i, "function"))
            check_declare_function(c, i + 1);
        else if (check_is(c, i, "=") && depth && open[depth - 1] == '{')
            c->field[i ? i - 1 : 0] = true;
        else if (check_is(c, i, "="))
            check_declare_assigned(c, i);
    }
}

static bool check_is_own(const struct check *c, struct str name)
{
    for (size_t i = 0; i < c->own_count && i < CHECK_OWN_MAX; i++) {
        if (str_eq(c->own[i], name))
            return true;
    }
    return false;
}

static bool check_is_known(const struct check *c, struct str name)
{
    static const char *const data[] = {"input", "nodes", "vars", "loop", "session", "map", "_ENV"};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
        if (str_eqz(name, data[i]))
            return true;
    }
    if (c->script && expr_script_has(name))
        return true;
    lua_State *L = c->vm->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->vm->ref_globals);
    lua_pushlstring(L, name.p, name.n);
    bool known = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return known;
}

/* nodes.fact-check is a subtraction; say how it is written. Token i is the id, i + 1 the "-". */
static bool check_is_dashed(const struct check *c, size_t i, char *id, size_t size)
{
    size_t n = 0;
    for (bool dash = false; i < c->count; i++, dash = !dash) {
        struct str t = c->t[i].text;
        bool fits =
            dash ? check_is(c, i, "-") : c->t[i].type == LEX_NAME || c->t[i].type == LEX_NUMBER;
        if (!fits || n + t.n >= size)
            break;
        memcpy(id + n, t.p, t.n);
        n += t.n;
        id[n] = '\0';
        if (!dash && c->node_exists(c->data, (struct str){id, n}))
            return true;
    }
    return false;
}

/* Token i is the free name `nodes`. */
static int check_node(struct check *c, size_t i)
{
    struct str id;
    size_t after = i + 3;
    if (check_is(c, i + 1, ".") && check_is_name(c, i + 2)) {
        id = c->t[i + 2].text;
    } else if (check_is(c, i + 1, "[") && i + 3 < c->count && check_is(c, i + 3, "]") &&
               lex_string_value(&c->t[i + 2], &id)) {
        after = i + 4;
    } else {
        return 0;
    }
    char dashed[NAME_BYTES_MAX + 1];
    if (c->node_exists && !c->node_exists(c->data, id)) {
        if (check_is(c, i + 1, ".") && check_is_dashed(c, i + 2, dashed, sizeof dashed))
            return err_set(c->e, ERR_INVALID, "no node \"%.*s\"; write nodes[\"%s\"]", STR_FMT(id),
                           dashed);
        return err_set(c->e, ERR_INVALID, "no node \"%.*s\"", STR_FMT(id));
    }
    if (!check_is(c, after, ".") || !check_is_name(c, after + 1))
        return 0;
    struct str member = c->t[after + 1].text;
    if (str_eqz(member, "output") || str_eqz(member, "status"))
        return 0;
    return err_set(c->e, ERR_INVALID, "node \"%.*s\" has output and status, not \"%.*s\"",
                   STR_FMT(id), STR_FMT(member));
}

static int check_names(struct check *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->t[i].type != LEX_NAME || c->field[i])
            continue;
        if (i && (check_is(c, i - 1, ".") || check_is(c, i - 1, ":") ||
                  check_is(c, i - 1, "goto") || check_is(c, i - 1, "::")))
            continue;
        if (i > 1 && check_is(c, i - 1, "<") && check_is(c, i + 1, ">") &&
            (str_eqz(c->t[i].text, "const") || str_eqz(c->t[i].text, "close")))
            continue;
        if (check_is_own(c, c->t[i].text))
            continue;
        if (c->own_count <= CHECK_OWN_MAX && !check_is_known(c, c->t[i].text))
            return err_set(c->e, ERR_INVALID, "unknown name \"%.*s\"", STR_FMT(c->t[i].text));
        int err = str_eqz(c->t[i].text, "nodes") ? check_node(c, i) : 0;
        if (err)
            return err;
    }
    return 0;
}

static void check_read_tokens(struct check *c)
{
    struct lex l;
    struct lex_token t;
    lex_init(&l, c->code);
    while ((t = lex_next(&l)).type != LEX_END && t.type != LEX_BAD)
        c->count++;
    c->t = mem_calloc(c->count + 1, sizeof *c->t);
    c->field = mem_calloc(c->count + 1, sizeof *c->field);
    lex_init(&l, c->code);
    for (size_t i = 0; i < c->count; i++)
        c->t[i] = lex_next(&l);
}

static int check_compile(lua_State *L)
{
    struct check *c = lua_touserdata(L, 1);
    if (!c->script)
        expr_chunk_compile(L, c->code);
    else if (luaL_loadbufferx(L, c->code.p, c->code.n, "=script", "t") != LUA_OK)
        lua_error(L);
    return 0;
}

static int check_code(struct check *c)
{
    struct expr_vm *vm = c->vm;
    expr_vm_begin(vm, NULL);
    lua_pushcfunction(vm->L, check_compile);
    lua_pushlightuserdata(vm->L, c);
    int status = lua_pcall(vm->L, 1, 0, 0);
    int err = status == LUA_OK ? 0 : expr_report(vm, status, "", c->e);
    expr_vm_end(vm);
    if (err)
        return err;
    check_read_tokens(c);
    char *open = mem_alloc(c->count + 1);
    check_find_own(c, open);
    err = check_names(c);
    free(open);
    free(c->t);
    free(c->field);
    return err;
}

int expr_check(struct expr_vm *vm, struct str code, bool (*node_exists)(void *data, struct str id),
               void *data, struct errbuf *e)
{
    struct check c = {.vm = vm, .code = code, .node_exists = node_exists, .data = data, .e = e};
    return check_code(&c);
}

int expr_check_script(struct expr_vm *vm, struct str code,
                      bool (*node_exists)(void *data, struct str id), void *data, struct errbuf *e)
{
    struct check c = {
        .vm = vm, .script = true, .code = code, .node_exists = node_exists, .data = data, .e = e};
    if (code.n > EXPR_SCRIPT_MAX)
        return err_set(e, ERR_INVALID, "the script is longer than %u bytes", EXPR_SCRIPT_MAX);
    return check_code(&c);
}

int expr_check_template(struct expr_vm *vm, struct str tmpl,
                        bool (*node_exists)(void *data, struct str id), void *data,
                        struct errbuf *e)
{
    if (tmpl.n > EXPR_TEMPLATE_MAX)
        return err_set(e, ERR_INVALID, "the template is longer than %u bytes", EXPR_TEMPLATE_MAX);
    struct template_scan scan = {tmpl};
    struct template_part part;
    do {
        struct errbuf inner;
        char before[EXPR_QUOTE_BYTES];
        int err = 0;
        if (!template_next(&scan, &part))
            err = err_set(&inner, ERR_INVALID, "no \"}}\" closes it");
        else if (part.code.p)
            err = expr_check(vm, part.code, node_exists, data, &inner);
        if (err) {
            expr_quote(part.code, before);
            return err_set(e, err, "%s%s", before, inner.text);
        }
    } while (part.code.p);
    return 0;
}
