/* The circuit of one provider: what its answers say about whether more should be sent.
 *
 *     closed ──"not now" (429, 529) with a time, or FAILURES of the last RESULTS──> open
 *       ^                                                                            │ its time
 *       └──as many slots as ever── recovering (1 slot, then one more a good answer) <┘
 *                                       └──a failure: half the slots; of one slot: open
 *
 * Without a time from the provider it stays open for a second, twice as long when that was not
 * enough, up to a minute. What calls say that began before it opened counts no more, but for a time
 * that the provider asks for. No clock of its own: `now` is in ms from any beginning, and not 0.
 */
#ifndef SLUICE_LLM_CIRCUIT_H
#define SLUICE_LLM_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define CIRCUIT_RESULTS     10
#define CIRCUIT_FAILURES    5
#define CIRCUIT_OPEN_MS     1000
#define CIRCUIT_OPEN_MS_MAX 60000
#define CIRCUIT_ASKED_MS    3600000 /* more is not obeyed: after an hour one call tries */

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_RECOVERING };

enum circuit_result {
    CIRCUIT_GOOD,    /* an answer began */
    CIRCUIT_BUSY,    /* 429, 529 */
    CIRCUIT_FAILED,  /* the provider's fault: not reached, 5xx, cut */
    CIRCUIT_NEUTRAL, /* it says nothing about the provider: cancelled */
};

struct circuit {
    enum circuit_state state;
    unsigned slots_max; /* of the provider */
    unsigned slots;     /* while it recovers */
    unsigned active;    /* begun since it opened last */
    unsigned epoch;     /* counts the openings */
    unsigned in_a_row;  /* openings without a good answer in between */
    unsigned history;   /* bits, the last result lowest; 1 is a failure */
    unsigned results;   /* how many of them are there */
    uint64_t until_ms;  /* of an open one */
    bool is_busy;       /* it opened because the provider said "not now" */
    uint64_t opened_total;
};

void circuit_init(struct circuit *c, unsigned slots_max);
/* May one more be sent, apart from the provider's own limit? An open one whose time is over begins
 * to recover. */
bool circuit_admits(struct circuit *c, uint64_t now);
/* A call is sent; *epoch is to be given back. */
void circuit_begin(struct circuit *c, unsigned *epoch);
/* What became of it: at its first text, and when it fails. retry_after_ms: -1 when none was asked
 * for. True: the circuit has opened by this. */
bool circuit_report(struct circuit *c, unsigned epoch, enum circuit_result result,
                    int64_t retry_after_ms, uint64_t now);
void circuit_end(struct circuit *c, unsigned epoch); /* once, after its reports */
const char *circuit_word(const struct circuit *c, uint64_t now);

#endif
