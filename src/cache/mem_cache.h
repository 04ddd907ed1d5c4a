/* The cache in memory: of one process alone, or, for tests, of several instances in one process,
 * which meet on a hub and can be given a network's faults. */
#ifndef SLUICE_CACHE_MEM_CACHE_H
#define SLUICE_CACHE_MEM_CACHE_H

#include "cache/cache.h"

/* Bytes of all values of one hub; the oldest go first. */
#define MEM_CACHE_BYTES_MAX (64u << 20)

struct mem_hub;
struct mem_hub *mem_hub_create(void);
void mem_hub_destroy(struct mem_hub *h); /* its caches are closed */
/* Calls itself shared, as Redis does. */
int mem_cache_open_on(struct cache **out, struct uv_loop_s *loop, struct mem_hub *h);

/* Values of the calling process's time; tests turn it. */
void mem_hub_set_time(struct mem_hub *h, int64_t ms_ahead);
size_t mem_hub_count(const struct mem_hub *h);    /* values held */
void mem_hub_flush(struct mem_hub *h);            /* all values are lost */
void mem_hub_set_away(struct mem_hub *h, bool v); /* as a server that went; back: `missed` */
void mem_hub_set_lossy(struct mem_hub *h, bool lost, bool doubled); /* what is said from now on */

#endif
