/* What the shell lets the engine know that is no part of a session: prices of models, and limits
 * for workflows that say nothing of their own. It comes with every input, as time and ids do. */
#ifndef SLUICE_ENGINE_RULES_H
#define SLUICE_ENGINE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Micro-dollars for a million tokens: 150000 is $0.15. */
struct price {
    int64_t input, output;
};

/* Limits on how a session may behave; 0: off, below 0: not said. */
struct breaker_limits {
    double loop_depth;   /* starts of one node */
    double tokens_per_s; /* on average over the last ten seconds */
    double repetition;   /* how often the same sixteen words may stand in one message */
    double variety;      /* least share of different words among the last 200 of a message */
};
#define BREAKERS_UNSAID ((struct breaker_limits){-1, -1, -1, -1})
/* Far from what any sensible text does: see docs/WORKFLOWS.md. */
#define BREAKERS_DEFAULT ((struct breaker_limits){10000, 0, 50, 0.02})

struct engine_rules {
    /* False: the price is not known. A name that is NULL stands for the default. */
    bool (*price)(const void *data, struct str provider, struct str model, struct price *out);
    /* What names that are NULL stand for is put in their place, if it is known. NULL: nothing. */
    void (*names)(const void *data, struct str *provider, struct str *model);
    const void *data;
    struct breaker_limits breakers;
};

#endif
