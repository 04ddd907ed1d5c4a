/* Expressions, `{{ }}` templates and script code: sandboxed Lua 5.4.
 *
 * An expression is a Lua expression ("nodes.judge.output.score > 7 and not vars.done"); a template
 * is text with `{{ expression }}` in it. They see `input`, `nodes.<id>.output`,
 * `nodes.<id>.status`, `vars`, `loop {round, score, history}`, `map {item, index, count}`,
 * `session {id, name, user_id}`, and pure helpers: `json(x)` (text of x), `parse(s)` (value of JSON
 * text), `len(x)`, string.{lower,upper,sub,format,byte,char,len,reverse} and bounded
 * find/match/gsub/rep replacements, math, table.{concat,insert,remove,sort,unpack}, tostring,
 * tonumber, type, ipairs, pairs, select, pcall-free. No io, os, debug, load, coroutine, metatables.
 * JSON null is the value `null` (falsy tests: x == null).
 *
 * An unknown name, a missing node or a nil result is an error with its name, never the empty string
 * in silence. Data is decoded from JSON text only when touched (lazy proxies). Limits:
 * instructions, memory, output bytes (docs/LIMITS.md).
 */
#ifndef SLUICE_ENGINE_EXPR_H
#define SLUICE_ENGINE_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define EXPR_INSTRUCTIONS_MAX 1000000 /* per evaluation */
#define EXPR_MEMORY_MAX       (16u << 20)
#define EXPR_OUTPUT_MAX       (4u << 20)
#define EXPR_CODE_MAX         (64u << 10) /* bytes of one expression */
#define EXPR_TEMPLATE_MAX     (1u << 20)  /* bytes of one template */
#define EXPR_SCRIPT_MAX       (1u << 20)  /* bytes of one script */

/* What an evaluation sees. All texts are checked JSON; a text with p == NULL is absent (nil). */
struct expr_scope {
    struct str input;
    struct str vars;    /* object */
    struct str loop;    /* object, or absent outside loops */
    struct str session; /* object */
    /* A node by id: false when the workflow has no such node. *output absent while it has none. */
    bool (*node)(const struct expr_scope *s, struct str id, struct str *output,
                 const char **status);
    void *data;
    struct str map; /* object, or absent outside maps */
};

/* One Lua state for all evaluations on one thread (not thread-safe; the loop has one). */
struct expr_vm;
struct expr_vm *expr_vm_create(void);
void expr_vm_destroy(struct expr_vm *vm);

/* Evaluates to JSON text, appended to out. ERR_INVALID with a sentence (syntax, unknown name, type,
 * limit); nothing is appended then. Chunks are compiled once and cached by text (bounded). */
int expr_eval(struct expr_vm *vm, struct str code, const struct expr_scope *scope, struct buf *out,
              struct errbuf *e);
/* Lua truth: null, nil and false are false. */
int expr_eval_bool(struct expr_vm *vm, struct str code, const struct expr_scope *scope, bool *out,
                   struct errbuf *e);
/* Renders a template; strings as they are, numbers and booleans as text, tables as JSON; nil and
 * null are errors. */
int expr_render(struct expr_vm *vm, struct str tmpl, const struct expr_scope *scope,
                struct buf *out, struct errbuf *e);

/* Is the template one {{ expression }} and nothing else? Sets *code. */
bool expr_template_is_one(struct str tmpl, struct str *code);

/* Checks at validation: syntax, and every free name and `nodes.<id>` that can be read from the text
 * (nodes.x and nodes["x"]). node_exists may be NULL. */
int expr_check(struct expr_vm *vm, struct str code, bool (*node_exists)(void *data, struct str id),
               void *data, struct errbuf *e);
int expr_check_template(struct expr_vm *vm, struct str tmpl,
                        bool (*node_exists)(void *data, struct str id), void *data,
                        struct errbuf *e);

/* The same for the code of a script, which may have names of its own. */
int expr_check_script(struct expr_vm *vm, struct str code,
                      bool (*node_exists)(void *data, struct str id), void *data, struct errbuf *e);

/* A script: a Lua chunk with the same names, run on a worker thread with its own state.
 * `return` gives the output. Besides there are log(level?, text); emit(text), which people see as a
 * message that grows; checkpoint(value?), which stops at the gate and keeps the value, so that
 * saved() gives it when the script begins again after a restart. */
struct expr_script_env {
    struct str
        env; /* {"input":…,"nodes":{id:{"output":…,"status":…}},"vars":…,"loop":…,"map":…,"session":…}
              */
    struct str saved; /* JSON that it saved when it ran before; NULL: nothing */
    uint64_t memory_bytes_max;
    /* Called every few thousand instructions: false ends the script (cancelled, timed out; fills
     * code). */
    bool (*checkpoint)(void *data);
    bool (*emit)(void *data, struct str text); /* UTF-8; false as checkpoint */
    void (*log)(void *data, const char *level, struct str text);
    void (*save)(void *data, struct str json);
    void *data;
};
/* ERR_INVALID (its own error), ERR_CANCELLED (checkpoint said no), ERR_TOO_LARGE (memory). Any
 * thread. */
int expr_run_script(struct str code, const struct expr_script_env *env, struct buf *out,
                    struct errbuf *e);

#endif
