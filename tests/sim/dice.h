/* Chance from a seed: everything random in a simulation comes from one of these. */
#ifndef SLUICE_TESTS_SIM_DICE_H
#define SLUICE_TESTS_SIM_DICE_H

#include <stdbool.h>

#include "base/id.h"

struct dice {
    struct id_source source;
};

static inline void dice_init(struct dice *d, uint64_t seed)
{
    id_source_init_seed(&d->source, seed);
}
static inline unsigned dice_below(struct dice *d, unsigned n) /* 0 .. n-1; n > 0 */
{
    return (unsigned)(id_source_random(&d->source) >> 16) % n;
}
static inline unsigned dice_between(struct dice *d, unsigned from, unsigned to)
{
    return from + dice_below(d, to - from + 1);
}
static inline bool dice_chance(struct dice *d, unsigned percent)
{
    return dice_below(d, 100) < percent;
}

#endif
