#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define ARENA_BLOCK_MIN 1024
#define ARENA_BLOCK_MAX 65536
#define ARENA_ALIGN     _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t used, size; /* of data */
    _Alignas(max_align_t) char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_deinit(struct arena *a)
{
    struct arena_block *block = a->blocks;

    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *a = (struct arena){0};
}

/* The newest block is the first one; what is left in older ones is given up. */
static struct arena_block *arena_add_exact(struct arena *a, size_t size)
{
    struct arena_block *block = mem_zalloc(sizeof(*block) + size);
    block->size = size;
    block->next = a->blocks;
    a->blocks = block;
    return block;
}

static struct arena_block *arena_add_block(struct arena *a, size_t n)
{
    size_t size = a->blocks ? a->blocks->size * 2 : ARENA_BLOCK_MIN;

    if (size > ARENA_BLOCK_MAX)
        size = ARENA_BLOCK_MAX;
    return arena_add_exact(a, size < n ? n : size);
}

void arena_reserve(struct arena *a, size_t n)
{
    n = (n + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (!a->blocks || n > a->blocks->size - a->blocks->used)
        arena_add_exact(a, n);
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *block = a->blocks;

    if (n > SIZE_MAX / 2) {
        log_error("mem", "arena allocation of %zu bytes", n);
        abort();
    }
    n = (n + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (!block || n > block->size - block->used)
        block = arena_add_block(a, n);
    void *p = block->data + block->used;
    block->used += n;
    a->bytes += n;
    return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n))
        n = SIZE_MAX; /* refused below */
    return arena_alloc(a, n);
}

char *arena_strdup(struct arena *a, struct str s)
{
    char *z = arena_alloc(a, s.n + 1);

    if (s.n > 0)
        memcpy(z, s.p, s.n);
    return z;
}
