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

#endif
