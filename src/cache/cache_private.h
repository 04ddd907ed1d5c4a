/* What the caches share: checks, telling listeners, and completing requests later. */
#ifndef SLUICE_CACHE_CACHE_PRIVATE_H
#define SLUICE_CACHE_CACHE_PRIVATE_H

#include <uv.h>

#include "cache/cache.h"

void cache_init(struct cache *c, const struct cache_vtable *v);

/* Is the request within its limits? ERR_INVALID, ERR_TOO_LARGE with a sentence in it. */
int cache_req_check(struct cache_req *req);
/* The first line, without its end; *rest is what follows it. */
struct str cache_line(struct str *rest);
int cache_message_check(const struct cache *c, struct str channel, struct str payload);

void cache_tell_message(struct cache *c, struct str channel, struct str payload);
void cache_tell_missed(struct cache *c);
void cache_tell_listening(struct cache *c, struct str channel);

/* Requests whose outcome is known, on their way back: `done` is never called inside a submit.
 * Nothing runs while the list is empty. */
struct cache_later {
    uv_idle_t idle;
    struct list reqs;
    void (*turn)(struct cache_later *l); /* or NULL: called first, once in a turn that was woken */
};
void cache_later_open(struct cache_later *l, uv_loop_t *loop);
void cache_later_wake(struct cache_later *l);
void cache_later_add(struct cache_later *l, struct cache_req *req); /* its status is set */
/* Answers what is left with ERR_CANCELLED unless its status is set already; at once. */
void cache_later_finish(struct cache_later *l);

#endif
