#include "engine/gate.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"

struct gate {
    atomic_uint refs;
    atomic_int state; /* written under the mutex, read by anyone */
    uv_mutex_t mutex;
    uv_cond_t changed;
    unsigned waiters; /* under the mutex */
};

struct gate *gate_create(void)
{
    struct gate *g = mem_zalloc(sizeof *g);
    atomic_init(&g->refs, 1);
    atomic_init(&g->state, GATE_OPEN);
    if (uv_mutex_init(&g->mutex) != 0 || uv_cond_init(&g->changed) != 0)
        abort();
    return g;
}

struct gate *gate_ref(struct gate *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void gate_unref(struct gate *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(g->waiters == 0); /* a waiter holds a reference */
    uv_cond_destroy(&g->changed);
    uv_mutex_destroy(&g->mutex);
    free(g);
}

enum gate_state gate_state(const struct gate *g)
{
    return (enum gate_state)atomic_load_explicit(&g->state, memory_order_acquire);
}

static void gate_set(struct gate *g, enum gate_state to)
{
    uv_mutex_lock(&g->mutex);
    if (gate_state(g) != GATE_BROKEN) {
        atomic_store_explicit(&g->state, (int)to, memory_order_release);
        uv_cond_broadcast(&g->changed);
    }
    uv_mutex_unlock(&g->mutex);
}

void gate_close(struct gate *g)
{
    gate_set(g, GATE_CLOSED);
}

void gate_open(struct gate *g)
{
    gate_set(g, GATE_OPEN);
}

void gate_break(struct gate *g)
{
    gate_set(g, GATE_BROKEN);
}

void gate_kick(struct gate *g)
{
    /* Under the mutex: a waiter that has just looked at its flag is in uv_cond_wait() by now. */
    uv_mutex_lock(&g->mutex);
    uv_cond_broadcast(&g->changed);
    uv_mutex_unlock(&g->mutex);
}

static bool gate_stopped(const atomic_bool *stop)
{
    return stop && atomic_load_explicit(stop, memory_order_acquire);
}

bool gate_wait_or(struct gate *g, const atomic_bool *stop, void (*parked)(void *),
                  void (*unparked)(void *), void *data)
{
    if (gate_stopped(stop))
        return false;
    enum gate_state state = gate_state(g);
    if (state != GATE_CLOSED)
        return state == GATE_OPEN;
    /* The callbacks run without the mutex: they take locks of their own. */
    if (parked)
        parked(data);
    uv_mutex_lock(&g->mutex);
    g->waiters++;
    while ((state = gate_state(g)) == GATE_CLOSED && !gate_stopped(stop))
        uv_cond_wait(&g->changed, &g->mutex);
    g->waiters--;
    uv_mutex_unlock(&g->mutex);
    if (unparked)
        unparked(data);
    return state == GATE_OPEN && !gate_stopped(stop);
}

bool gate_wait(struct gate *g, void (*parked)(void *), void (*unparked)(void *), void *data)
{
    return gate_wait_or(g, NULL, parked, unparked, data);
}

unsigned gate_waiters(struct gate *g)
{
    uv_mutex_lock(&g->mutex);
    unsigned n = g->waiters;
    uv_mutex_unlock(&g->mutex);
    return n;
}
