#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void *mem_checked(void *p, size_t n)
{
    if (!p) {
        log_error("mem", "out of memory, %zu bytes asked for", n);
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return mem_checked(malloc(n ? n : 1), n);
}

void *mem_zalloc(size_t n)
{
    return mem_checked(calloc(1, n ? n : 1), n);
}

void *mem_calloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    return mem_checked(calloc(count, size), size);
}

void *mem_realloc(void *p, size_t n)
{
    return mem_checked(realloc(p, n ? n : 1), n);
}

char *mem_strdup(const char *z)
{
    size_t n = strlen(z) + 1;

    return memcpy(mem_alloc(n), z, n);
}
