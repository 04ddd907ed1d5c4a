#include "llm/lane.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"

#define NO_EPOCH UINT_MAX

const uint64_t lane_wait_ends_ms[LANE_WAITS] = {1,    10,    100,   500,    1000,
                                                5000, 15000, 60000, 180000, 600000};

void lane_init(struct lane *l, unsigned slots_max)
{
    *l = (struct lane){.slots_max = slots_max};
    circuit_init(&l->circuit, slots_max);
    list_init(&l->ring);
    list_init(&l->aged);
    table_init(&l->turns);
}

void lane_deinit(struct lane *l)
{
    assert(l->waiting == 0 && l->active == 0);
    table_deinit(&l->turns);
}

void lane_ticket_init(struct lane_ticket *t)
{
    *t = (struct lane_ticket){0};
    list_init(&t->link);
    list_init(&t->age);
}

static bool lane_admits(struct lane *l, uint64_t now)
{
    return l->active < l->slots_max && circuit_admits(&l->circuit, now);
}

bool lane_is_free(struct lane *l, uint64_t now)
{
    return l->waiting == 0 && lane_admits(l, now);
}

/* ---- waiting ---- */

static struct lane_turn *lane_turn_of(struct lane *l, struct id key)
{
    struct lane_turn *turn = table_get(&l->turns, key);
    if (turn)
        return turn;
    turn = mem_alloc(sizeof(*turn));
    turn->key = key;
    list_init(&turn->tickets);
    list_append(&l->ring, &turn->link);
    table_put(&l->turns, key, turn);
    return turn;
}

void lane_wait(struct lane *l, struct lane_ticket *t, struct id key, uint64_t now)
{
    assert(!t->turn && !t->has_slot && !id_is_zero(key));
    t->turn = lane_turn_of(l, key);
    t->since_ms = now;
    list_append(&t->turn->tickets, &t->link);
    list_append(&l->aged, &t->age);
    l->waiting++;
}

void lane_wait_again(struct lane *l, struct lane_ticket *t, struct id key, uint64_t now)
{
    assert(!t->turn && !t->has_slot && !id_is_zero(key));
    struct list *before = &l->aged;
    while (before->next != &l->aged &&
           container_of(before->next, struct lane_ticket, age)->deadline_ms < t->deadline_ms)
        before = before->next;
    t->turn = lane_turn_of(l, key);
    t->since_ms = now;
    list_prepend(&t->turn->tickets, &t->link);
    list_prepend(before, &t->age); /* right behind `before`, or first */
    l->waiting++;
}

void lane_leave(struct lane *l, struct lane_ticket *t)
{
    struct lane_turn *turn = t->turn;
    list_remove(&t->link);
    list_remove(&t->age);
    t->turn = NULL;
    l->waiting--;
    if (!list_empty(&turn->tickets))
        return;
    list_remove(&turn->link);
    table_remove(&l->turns, turn->key);
    free(turn);
}

static void lane_count_wait(struct lane *l, uint64_t ms)
{
    unsigned i = 0;
    while (i < LANE_WAITS && ms > lane_wait_ends_ms[i])
        i++;
    l->waits[i]++;
    l->waited_ms_total += ms;
}

struct lane_ticket *lane_next(struct lane *l, uint64_t now)
{
    if (list_empty(&l->ring) || !lane_admits(l, now))
        return NULL;
    struct lane_turn *turn = container_of(l->ring.next, struct lane_turn, link);
    struct lane_ticket *t = container_of(turn->tickets.next, struct lane_ticket, link);
    list_remove(&turn->link); /* behind the others */
    list_append(&l->ring, &turn->link);
    lane_leave(l, t);
    lane_count_wait(l, now - t->since_ms);
    l->active++;
    t->has_slot = true;
    circuit_begin(&l->circuit, &t->epoch);
    return t;
}

struct lane_ticket *lane_expire(struct lane *l, uint64_t now)
{
    if (list_empty(&l->aged))
        return NULL;
    struct lane_ticket *t = container_of(l->aged.next, struct lane_ticket, age);
    if (t->deadline_ms > now)
        return NULL;
    lane_leave(l, t);
    return t;
}

uint64_t lane_wake_ms(const struct lane *l)
{
    if (list_empty(&l->aged))
        return 0;
    uint64_t at = container_of(l->aged.next, struct lane_ticket, age)->deadline_ms;
    if (l->circuit.state == CIRCUIT_OPEN && l->active < l->slots_max && l->circuit.until_ms < at)
        at = l->circuit.until_ms;
    return at;
}

/* ---- being served ---- */

bool lane_report(struct lane *l, struct lane_ticket *t, enum circuit_result result,
                 int64_t retry_after_ms, uint64_t now)
{
    assert(t->has_slot);
    return circuit_report(&l->circuit, t->epoch, result, retry_after_ms, now);
}

void lane_forgo(struct lane *l, struct lane_ticket *t)
{
    circuit_end(&l->circuit, t->epoch);
    t->epoch = NO_EPOCH;
}

void lane_end(struct lane *l, struct lane_ticket *t)
{
    assert(t->has_slot);
    t->has_slot = false;
    l->active--;
    circuit_end(&l->circuit, t->epoch);
}
