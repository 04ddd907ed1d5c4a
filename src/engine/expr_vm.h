/* Inside the expressions: one Lua state, what it may use, and the pieces that expr.c puts together.
 * Private to expr*.c.
 *
 *     expr.c          evaluation, templates, errors as sentences
 *     expr_script.c   whole scripts on a worker thread
 *     expr_sandbox.c  the state: allocator, work, the names that code sees
 *     expr_cache.c    compiled chunks by text
 *     expr_lib.c      the functions that code may call
 *     expr_data.c     JSON to Lua, decoded when touched
 *     expr_encode.c   Lua to JSON
 *     expr_lex.c      tokens of Lua, the parts of a template
 *     expr_check.c    names that can be known before anything runs
 *
 * Work is counted in units, each about one Lua instruction (10 ns). A count hook alone would not
 * do: one instruction may compare two strings of megabytes, one call may sort a table, one
 * allocation may start a full collection. So functions of ours charge for what they walk, the
 * allocator charges for what it hands out, and instructions cost more while big blocks are alive.
 * All of it is arithmetic, no clock, so the same evaluation ends the same way everywhere.
 *
 * Everything that can raise a Lua error runs inside one lua_pcall(); a raise leaves C frames by
 * longjmp, so nothing between may own memory: buffers belong to the vm.
 */
#ifndef SLUICE_ENGINE_EXPR_VM_H
#define SLUICE_ENGINE_EXPR_VM_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "engine/expr.h"

#define EXPR_SLICE        1000        /* instructions between two looks of the hook */
#define EXPR_BIG          (64u << 10) /* bytes of a block that make every instruction dearer */
#define EXPR_CACHE_CHUNKS 4096
#define EXPR_CACHE_BYTES  (4u << 20) /* of expression text */

/* Why an evaluation was ended from outside its own logic. */
enum expr_stop {
    EXPR_STOP_NONE,
    EXPR_STOP_WORK,      /* the units are used up */
    EXPR_STOP_CANCELLED, /* the checkpoint of a script said no */
};

struct expr_chunk {
    uint64_t hash;
    char *text; /* NULL: free */
    size_t n;
};

/* The names that hold data, in the order of the slots that keep them during one evaluation. */
enum expr_slot {
    EXPR_INPUT = 1,
    EXPR_NODES,
    EXPR_VARS,
    EXPR_LOOP,
    EXPR_SESSION,
    EXPR_MAP,
    EXPR_SLOTS = EXPR_MAP,
};

struct expr_vm {
    lua_State *L;
    /* What is used */
    size_t used, used_max, used_idle; /* bytes; idle: after the last full collection */
    size_t big;                       /* bytes in blocks of EXPR_BIG and more */
    int64_t fuel;                     /* units left */
    int slice;                        /* instructions that the hook was set for */
    bool running;
    enum expr_stop stop;
    /* What is seen: either a scope or a script's environment */
    const struct expr_scope *scope;
    const struct expr_script_env *script;
    struct json env; /* of a script */
    unsigned logs;
    char absent[192]; /* the last node read that had no output, as a sentence; for errors */
    /* Kept in the registry */
    int ref_env, ref_globals, ref_slots, ref_chunks, ref_null, ref_data, ref_array;
    const void *null, *data_meta, *array_meta;
    /* Scratch */
    struct buf text; /* the output under way */
    struct buf tmp;  /* one string or one json(x) */
    /* Compiled chunks; the functions are in the table ref_chunks, by slot number */
    struct expr_chunk *chunks; /* 2 * EXPR_CACHE_CHUNKS */
    size_t chunk_count, chunk_bytes;
};

static inline struct expr_vm *expr_vm_of(lua_State *L)
{
    return *(struct expr_vm **)lua_getextraspace(L);
}

/* expr_sandbox.c */
struct expr_vm *expr_vm_open(const struct expr_script_env *script, size_t memory_max);
void expr_vm_begin(struct expr_vm *vm, const struct expr_scope *scope);
void expr_vm_end(struct expr_vm *vm); /* forgets all that the evaluation saw */
/* Charges units; raises when they are used up (an expression) or when the checkpoint says no. */
void expr_charge(lua_State *L, size_t units);
/* Ends a script that was told to. */
__attribute__((noreturn)) void expr_cancel(lua_State *L);
/* Raises an error with a sentence; the line is put in front when code called us. */
__attribute__((noreturn, format(printf, 2, 3))) void expr_raise(lua_State *L, const char *fmt, ...);

/* expr_cache.c. Pushes the compiled chunk; raises on a syntax error. */
void expr_chunk_push(lua_State *L, struct str code);
void expr_chunk_compile(lua_State *L, struct str code); /* the same, past the cache */
void expr_cache_free(struct expr_vm *vm);

/* expr_lib.c. Fills the table on top of the stack with the functions that code may call. */
void expr_lib_open(lua_State *L);
/* map(list, f): what the name `map` means outside of maps; inside, its value is called so. */
int expr_lib_map(lua_State *L);
/* Pushes the value at idx as text: strings as they are, numbers, booleans, tables as JSON. */
void expr_text_push(lua_State *L, int idx);

/* expr_script.c */
void expr_script_open(lua_State *L); /* the functions that only scripts have */
bool expr_script_has(struct str name);

/* expr_data.c */
void expr_data_open(lua_State *L);
void expr_push_json(lua_State *L, struct json v);      /* containers stay text until touched */
void expr_push_tree(lua_State *L, struct json v);      /* plain tables of the code's own */
int expr_push_slot(lua_State *L, enum expr_slot slot); /* the type pushed; nil when absent */
bool expr_is_null(lua_State *L, int idx);
/* A value that is data of the scope: its JSON text, or JSON_ABSENT (nodes and one node). */
bool expr_is_data(lua_State *L, int idx, struct json *raw);
bool expr_is_node(lua_State *L, int idx);       /* one node of the scope */
bool expr_is_array(lua_State *L, int idx);      /* data, or a table of the code's own marked so */
size_t expr_data_length(lua_State *L, int idx); /* elements or members */
void expr_keys_push(lua_State *L, int idx);     /* an array of the keys, sorted */
void expr_array_push(lua_State *L, int n);      /* a fresh table that is [] while empty */

/* A key of a table, for sorting: numbers first, then strings by bytes, then booleans. */
struct expr_key {
    int type; /* LUA_TNUMBER, LUA_TSTRING, LUA_TBOOLEAN */
    bool integer;
    lua_Integer i;
    lua_Number d;
    const char *p;
    size_t n;
};
/* Pushes a block that holds the sorted keys of the plain table at idx, and says how many. Raises
 * when a key is of another type. */
struct expr_key *expr_table_keys(lua_State *L, int idx, size_t *count);

/* expr_encode.c. Appends the value at idx as JSON; raises when it cannot be JSON. */
void expr_encode(lua_State *L, int idx, struct buf *out);
/* Appends a string's bytes for a template: invalid UTF-8 becomes U+FFFD. */
void expr_append_text(lua_State *L, struct buf *out, struct str s);
void expr_append_number(lua_State *L, int idx, struct buf *out);

/* expr.c. "in {{ nodes.judge.output }}: ", cut when it is long. */
#define EXPR_QUOTE_BYTES 112
void expr_quote(struct str code, char out[EXPR_QUOTE_BYTES]);
/* The raised error on top of the stack (which is popped) as a sentence in e. */
int expr_report(struct expr_vm *vm, int lua_status, const char *before, struct errbuf *e);

#endif
