/* Allocation that aborts with a log line when memory is short, for sizes that we choose.
 * For sizes that a peer chooses use malloc() and check, or a struct buf with its maximum. */
#ifndef SLUICE_BASE_MEM_H
#define SLUICE_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n); /* not zeroed */
void *mem_zalloc(size_t n);
void *mem_calloc(size_t count, size_t size);
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *z);

/* n bytes at p will be looked at soon: they are fetched into the caches meanwhile, and nothing is
 * read; p may be NULL. Of hundreds of sessions that stream, what each has is out of the caches when
 * its next token comes; fetched for several tokens, it comes side by side (docs/decisions/0034). */
#define MEM_LINE_BYTES 64
static inline void mem_fetch(const void *p, size_t n)
{
    const char *at = p;

    if (!p || n == 0)
        return;
    /* gcc takes a function that only fetches for one without an effect, and leaves out its calls */
    __asm__ volatile("" : : "r"(at));
    for (size_t i = 0; i < n; i += MEM_LINE_BYTES)
        __builtin_prefetch(at + i);
    __builtin_prefetch(at + n - 1);
}

#endif
