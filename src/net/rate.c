#include "net/rate.h"

#include <stdlib.h>

#include "base/mem.h"

#define WAYS 4 /* places that a talker may have */

void rate_init(struct rate *r, double per_s, double burst)
{
    r->per_s = per_s;
    r->burst = burst < 1 ? 1 : burst;
    r->buckets = per_s > 0 ? mem_calloc(RATE_TALKERS, sizeof(*r->buckets)) : NULL;
}

void rate_deinit(struct rate *r)
{
    free(r->buckets);
    r->buckets = NULL;
}

uint64_t rate_talker(struct str bytes)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes.n; i++)
        h = (h ^ (unsigned char)bytes.p[i]) * UINT64_C(0x100000001b3);
    h ^= h >> 29;
    return h ? h : 1;
}

static struct rate_bucket *rate_find(struct rate *r, uint64_t talker, uint64_t now_ms)
{
    struct rate_bucket *set = &r->buckets[talker % (RATE_TALKERS / WAYS) * WAYS], *oldest = set;

    for (int i = 0; i < WAYS; i++) {
        if (set[i].talker == talker)
            return &set[i];
        if (set[i].at_ms < oldest->at_ms)
            oldest = &set[i];
    }
    *oldest = (struct rate_bucket){talker, now_ms, r->burst};
    return oldest;
}

static bool rate_look(struct rate *r, uint64_t talker, uint64_t now_ms, double take, int *retry_s)
{
    if (!r->buckets)
        return true;
    struct rate_bucket *b = rate_find(r, talker, now_ms);
    if (now_ms > b->at_ms) {
        b->tokens += r->per_s * (double)(now_ms - b->at_ms) / 1000;
        b->tokens = b->tokens > r->burst ? r->burst : b->tokens;
        b->at_ms = now_ms;
    }
    if (b->tokens >= 1) {
        b->tokens -= take;
        return true;
    }
    *retry_s = 1 + (int)((1 - b->tokens) / r->per_s);
    return false;
}

bool rate_take(struct rate *r, uint64_t talker, uint64_t now_ms, int *retry_s)
{
    return rate_look(r, talker, now_ms, 1, retry_s);
}

bool rate_has(struct rate *r, uint64_t talker, uint64_t now_ms, int *retry_s)
{
    return rate_look(r, talker, now_ms, 0, retry_s);
}
