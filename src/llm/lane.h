/* The lane of one provider: who is being served, and who waits.
 *
 *     lane_wait ─> [turn of session A: ticket, ticket, …] ─┐
 *                  [turn of session B: ticket]            ─┼─ ring ─> lane_next ─> … ─> lane_end
 *                  [turn of session C: …]                 ─┘
 *
 * Sessions take turns, however many calls each has. A ticket waits until its deadline. Every
 * operation is O(1), but for a ticket that comes back: it looks for its place among those that came
 * back before. No clock, no I/O: `now` is in ms from any beginning, and not 0.
 */
#ifndef SLUICE_LLM_LANE_H
#define SLUICE_LLM_LANE_H

#include "base/list.h"
#include "base/table.h"
#include "llm/circuit.h"

/* Upper ends of the classes of waiting times, in ms; one class more is above the last. */
#define LANE_WAITS 10
extern const uint64_t lane_wait_ends_ms[LANE_WAITS];

struct lane_turn {
    struct id key;
    struct list link; /* lane.ring */
    struct list tickets;
};

/* In the caller's memory; zeroed and lane_ticket_init() before its first use. */
struct lane_ticket {
    struct list link;       /* lane_turn.tickets */
    struct list age;        /* lane.aged */
    struct lane_turn *turn; /* NULL: it does not wait */
    uint64_t deadline_ms;   /* of its waiting */
    uint64_t since_ms;      /* when it began to wait */
    unsigned epoch;         /* of the circuit, since it has a slot */
    bool has_slot;
};

struct lane {
    struct circuit circuit;
    unsigned slots_max;
    unsigned active;
    size_t waiting;
    struct list ring;   /* lane_turn.link, the next first */
    struct table turns; /* those that have a ticket, by key */
    struct list aged;   /* lane_ticket.age, the earliest deadline first */
    /* Counters since the start. */
    uint64_t waits[LANE_WAITS + 1]; /* of those that got a slot, by class */
    uint64_t waited_ms_total;
};

void lane_init(struct lane *l, unsigned slots_max);
void lane_deinit(struct lane *l); /* nobody waits or is served */
void lane_ticket_init(struct lane_ticket *t);

/* Would a ticket that waits now be served at once? */
bool lane_is_free(struct lane *l, uint64_t now);
/* At the end of its session's turns. key: not zero. deadlines of one lane come in order. */
void lane_wait(struct lane *l, struct lane_ticket *t, struct id key, uint64_t now);
/* It was served already, for nothing: first of its session's; its deadline may be an earlier one.
 */
void lane_wait_again(struct lane *l, struct lane_ticket *t, struct id key, uint64_t now);
void lane_leave(struct lane *l, struct lane_ticket *t); /* it waits no longer */
/* Gives a slot to the one whose turn it is; NULL: nobody waits, or none is free. */
struct lane_ticket *lane_next(struct lane *l, uint64_t now);
/* As circuit_report(), of a ticket that has a slot. */
bool lane_report(struct lane *l, struct lane_ticket *t, enum circuit_result result,
                 int64_t retry_after_ms, uint64_t now);
/* Its answer may be long in coming, for a reason that is not the provider's: others may try. */
void lane_forgo(struct lane *l, struct lane_ticket *t);
void lane_end(struct lane *l, struct lane_ticket *t); /* gives its slot back */
/* One that waits and whose deadline is over (it has left), or NULL. */
struct lane_ticket *lane_expire(struct lane *l, uint64_t now);
/* When lane_next() or lane_expire() may give something without anything else happening; 0: never.
 */
uint64_t lane_wake_ms(const struct lane *l);

#endif
