#include "unit.h"

#include "engine/gate.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#define WORKERS 8

/* Workers that count steps, each through the gate; the test waits for what they tell. */
struct crew {
    struct gate *gate;
    uv_thread_t threads[WORKERS];
    uv_mutex_t mutex;
    uv_cond_t told;
    unsigned parked, unparked, ended; /* under the mutex */
    atomic_uint steps;
    atomic_bool stop;
};

static void crew_tell(struct crew *c, unsigned *what)
{
    uv_mutex_lock(&c->mutex);
    ++*what;
    uv_cond_broadcast(&c->told);
    uv_mutex_unlock(&c->mutex);
}

static void crew_parked(void *data)
{
    struct crew *c = data;
    crew_tell(c, &c->parked);
}

static void crew_unparked(void *data)
{
    struct crew *c = data;
    crew_tell(c, &c->unparked);
}

static void crew_work(void *data)
{
    struct crew *c = data;
    while (gate_wait_or(c->gate, &c->stop, crew_parked, crew_unparked, c))
        atomic_fetch_add(&c->steps, 1);
    gate_unref(c->gate);
    crew_tell(c, &c->ended);
}

static void crew_start(struct crew *c)
{
    c->gate = gate_create();
    uv_mutex_init(&c->mutex);
    uv_cond_init(&c->told);
    for (int i = 0; i < WORKERS; i++) {
        gate_ref(c->gate);
        assert_int_equal(uv_thread_create(&c->threads[i], crew_work, c), 0);
    }
}

static void crew_wait(struct crew *c, const unsigned *what, unsigned n)
{
    uv_mutex_lock(&c->mutex);
    while (*what < n)
        uv_cond_wait(&c->told, &c->mutex);
    uv_mutex_unlock(&c->mutex);
}

static void crew_end(struct crew *c)
{
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(uv_thread_join(&c->threads[i]), 0);
    assert_int_equal(gate_waiters(c->gate), 0);
    gate_unref(c->gate);
    uv_cond_destroy(&c->told);
    uv_mutex_destroy(&c->mutex);
}

/* parked() comes before the block: the thread is counted soon after it. */
static void crew_wait_blocked(struct crew *c, unsigned n)
{
    crew_wait(c, &c->parked, n);
    while (gate_waiters(c->gate) < WORKERS)
        sched_yield();
}

static void test_states(void **state)
{
    (void)state;
    struct gate *g = gate_create();
    assert_int_equal(gate_state(g), GATE_OPEN);
    assert_true(gate_wait(g, NULL, NULL, NULL));
    gate_close(g);
    assert_int_equal(gate_state(g), GATE_CLOSED);
    gate_close(g);
    gate_open(g);
    assert_int_equal(gate_state(g), GATE_OPEN);
    gate_break(g);
    gate_open(g);
    gate_close(g);
    assert_int_equal(gate_state(g), GATE_BROKEN);
    assert_false(gate_wait(g, NULL, NULL, NULL));
    gate_unref(gate_ref(g));
    gate_unref(g);
    gate_unref(NULL);
}

static void test_close_open(void **state)
{
    (void)state;
    struct crew c = {0};
    crew_start(&c);
    for (unsigned round = 1; round <= 20; round++) {
        gate_close(c.gate);
        crew_wait_blocked(&c, round * WORKERS);
        unsigned steps = atomic_load(&c.steps);
        gate_kick(c.gate); /* wakes nobody for good */
        assert_int_equal(atomic_load(&c.steps), steps);
        gate_open(c.gate);
        crew_wait(&c, &c.unparked, round * WORKERS);
        while (atomic_load(&c.steps) == steps)
            sched_yield();
    }
    gate_break(c.gate);
    crew_wait(&c, &c.ended, WORKERS);
    crew_end(&c);
}

static void test_break_closed(void **state)
{
    (void)state;
    struct crew c = {0};
    crew_start(&c);
    gate_close(c.gate);
    crew_wait_blocked(&c, WORKERS);
    gate_break(c.gate);
    crew_wait(&c, &c.ended, WORKERS);
    assert_int_equal(c.unparked, WORKERS);
    crew_end(&c);
}

static void test_stop(void **state)
{
    (void)state;
    struct crew c = {0};
    crew_start(&c);
    gate_close(c.gate);
    crew_wait_blocked(&c, WORKERS);
    atomic_store(&c.stop, true);
    gate_kick(c.gate);
    crew_wait(&c, &c.ended, WORKERS);
    assert_int_equal(gate_state(c.gate), GATE_CLOSED);
    crew_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_close_open),
        cmocka_unit_test(test_break_closed),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
