#include "llm/circuit.h"

#include <string.h>

#define HISTORY_MASK ((1u << CIRCUIT_RESULTS) - 1)

void circuit_init(struct circuit *c, unsigned slots_max)
{
    memset(c, 0, sizeof(*c));
    c->slots_max = slots_max;
}

bool circuit_admits(struct circuit *c, uint64_t now)
{
    if (c->state == CIRCUIT_OPEN && now >= c->until_ms) {
        c->state = CIRCUIT_RECOVERING;
        c->slots = 1;
    }
    return c->state == CIRCUIT_CLOSED || (c->state == CIRCUIT_RECOVERING && c->active < c->slots);
}

void circuit_begin(struct circuit *c, unsigned *epoch)
{
    *epoch = c->epoch;
    c->active++;
}

void circuit_end(struct circuit *c, unsigned epoch)
{
    if (epoch == c->epoch)
        c->active--;
}

static int64_t circuit_open_ms(const struct circuit *c, int64_t asked)
{
    if (asked >= 0)
        return asked < 1 ? 1 : asked > CIRCUIT_ASKED_MS ? CIRCUIT_ASKED_MS : asked;
    int64_t ms = CIRCUIT_OPEN_MS;
    for (unsigned i = 0; i < c->in_a_row && ms < CIRCUIT_OPEN_MS_MAX; i++)
        ms *= 2;
    return ms < CIRCUIT_OPEN_MS_MAX ? ms : CIRCUIT_OPEN_MS_MAX;
}

static void circuit_open(struct circuit *c, enum circuit_result why, int64_t asked, uint64_t now)
{
    c->state = CIRCUIT_OPEN;
    c->until_ms = now + (uint64_t)circuit_open_ms(c, asked);
    c->is_busy = why == CIRCUIT_BUSY;
    c->epoch++;
    c->in_a_row++;
    c->active = c->history = c->results = 0;
    c->opened_total++;
}

static void circuit_good(struct circuit *c)
{
    c->in_a_row = 0;
    if (c->state == CIRCUIT_RECOVERING && ++c->slots >= c->slots_max)
        c->state = CIRCUIT_CLOSED;
}

static void circuit_note(struct circuit *c, bool failed)
{
    c->history = (c->history << 1 | failed) & HISTORY_MASK;
    if (c->results < CIRCUIT_RESULTS)
        c->results++;
}

/* A failure without a time. Is that enough? */
static bool circuit_has_enough(struct circuit *c)
{
    if (c->state == CIRCUIT_RECOVERING && c->slots == 1)
        return true;
    if (c->state == CIRCUIT_RECOVERING)
        c->slots /= 2;
    return __builtin_popcount(c->history) >= CIRCUIT_FAILURES;
}

bool circuit_report(struct circuit *c, unsigned epoch, enum circuit_result result,
                    int64_t retry_after_ms, uint64_t now)
{
    bool is_asked = result == CIRCUIT_BUSY && retry_after_ms >= 0;
    if (is_asked && c->state == CIRCUIT_OPEN) {
        uint64_t until = now + (uint64_t)circuit_open_ms(c, retry_after_ms);
        c->until_ms = until > c->until_ms ? until : c->until_ms;
        return false;
    }
    if (result == CIRCUIT_NEUTRAL || (epoch != c->epoch && !is_asked))
        return false;
    circuit_note(c, result != CIRCUIT_GOOD);
    if (result == CIRCUIT_GOOD) {
        circuit_good(c);
        return false;
    }
    if (!is_asked && !circuit_has_enough(c))
        return false;
    circuit_open(c, result, is_asked ? retry_after_ms : -1, now);
    return true;
}

const char *circuit_word(const struct circuit *c, uint64_t now)
{
    switch (c->state) {
    case CIRCUIT_CLOSED:
        return "closed";
    case CIRCUIT_OPEN:
        return now < c->until_ms ? "open" : "recovering";
    case CIRCUIT_RECOVERING:
        break;
    }
    return "recovering";
}
