/* Compiled chunks by their text: a table with open addressing, emptied when it is full. Workflows
 * have tens of expressions each, so the cache is emptied about never; a flood of different texts
 * costs its own compilation and no memory. */
#include "engine/expr_vm.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/expr_lex.h"

#define CACHE_SLOTS (2 * EXPR_CACHE_CHUNKS)

static uint64_t cache_hash(struct str s)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ s.n;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    for (; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static void cache_flush(struct expr_vm *vm)
{
    for (size_t i = 0; vm->chunks && i < CACHE_SLOTS; i++)
        free(vm->chunks[i].text);
    if (vm->chunks)
        memset(vm->chunks, 0, CACHE_SLOTS * sizeof *vm->chunks);
    vm->chunk_count = vm->chunk_bytes = 0;
}

void expr_cache_free(struct expr_vm *vm)
{
    cache_flush(vm);
    free(vm->chunks);
    vm->chunks = NULL;
}

/* The slot of that text, or the free one where it belongs. */
static size_t cache_find(const struct expr_vm *vm, struct str code, uint64_t hash)
{
    size_t i = hash & (CACHE_SLOTS - 1);
    for (; vm->chunks[i].text; i = (i + 1) & (CACHE_SLOTS - 1)) {
        const struct expr_chunk *c = &vm->chunks[i];
        if (c->hash == hash && c->n == code.n && memcmp(c->text, code.p, code.n) == 0)
            break;
    }
    return i;
}

struct cache_reader {
    struct str parts[2];
    int next;
};

static const char *cache_read(lua_State *L, void *ud, size_t *n)
{
    (void)L;
    struct cache_reader *r = ud;
    if (r->next == 2)
        return NULL;
    struct str part = r->parts[r->next++];
    *n = part.n;
    return part.p;
}

void expr_chunk_compile(lua_State *L, struct str code)
{
    if (code.n > EXPR_CODE_MAX)
        expr_raise(L, "the expression is longer than %u bytes", EXPR_CODE_MAX);
    if (lex_is_empty(code))
        expr_raise(L, "the expression is empty");
    if (lex_is_list(code))
        expr_raise(L, "an expression is one value, not a list");
    struct cache_reader r = {{STR("return "), code}, 0};
    if (lua_load(L, cache_read, &r, "=expr", "t") != LUA_OK)
        lua_error(L);
}

void expr_chunk_push(lua_State *L, struct str code)
{
    struct expr_vm *vm = expr_vm_of(L);
    if (!vm->chunks)
        vm->chunks = mem_calloc(CACHE_SLOTS, sizeof *vm->chunks);
    uint64_t hash = cache_hash(code);
    size_t i = cache_find(vm, code, hash);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_chunks);
    if (vm->chunks[i].text) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        lua_remove(L, -2);
        return;
    }
    expr_chunk_compile(L, code);
    if (vm->chunk_count == EXPR_CACHE_CHUNKS || vm->chunk_bytes + code.n > EXPR_CACHE_BYTES) {
        lua_newtable(L); /* may raise, so it is there before anything is dropped */
        lua_rawseti(L, LUA_REGISTRYINDEX, vm->ref_chunks);
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_chunks);
        lua_replace(L, -3);
        cache_flush(vm);
        i = cache_find(vm, code, hash);
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    vm->chunks[i] = (struct expr_chunk){hash, str_dup(code), code.n};
    vm->chunk_count++;
    vm->chunk_bytes += code.n;
    lua_remove(L, -2);
}
