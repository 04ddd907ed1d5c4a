/* The faults of the store in memory, and its turning by hand. */
#include "test_store_rig.h"

static struct rig *rig_by_hand(void)
{
    struct rig *r = calloc(1, sizeof(*r));

    id_source_init_seed(&r->ids, 7);
    assert_int_equal(mem_store_open(&r->store, NULL), 0);
    return r;
}

static void end_by_hand(struct rig *r)
{
    bool closed = false;

    store_close(r->store, rig_closed, &closed);
    mem_store_turn(r->store, SIZE_MAX);
    assert_true(closed);
    free(r);
}

/* A commit that is submitted and watched. */
struct watch {
    struct rig_delta x;
    struct delta *delta;
    struct store_commit commit;
    bool refused, done;
};

static void watch_submit(struct rig *r, struct watch *w)
{
    w->done = false;
    w->delta = &w->x.d;
    store_req_init(&w->commit.req, STORE_COMMIT, rig_done, &w->done);
    w->commit.deltas = &w->delta;
    w->commit.count = 1;
    w->commit.refused = &w->refused;
    store_submit(r->store, &w->commit.req);
}

static int watch_run(struct rig *r, struct watch *w)
{
    watch_submit(r, w);
    assert_false(w->done);
    assert_int_equal(mem_store_turn(r->store, SIZE_MAX), 1);
    assert_true(w->done);
    return w->commit.req.status;
}

static bool exists(struct rig *r, struct id id)
{
    bool done = false;

    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.req.data = &done;
    g.id = id;
    store_submit(r->store, &g.req);
    while (!done)
        mem_store_turn(r->store, 1);
    int status = g.req.status;
    store_req_deinit(&g.req);
    assert_true(status == 0 || status == ERR_NOT_FOUND);
    return status == 0;
}

static void a_write_is_lost_or_of_unknown_outcome(void **state)
{
    struct rig *r = rig_by_hand();
    static const struct {
        enum mem_fault fault;
        unsigned nth, times;
        int statuses[4];
        bool there[4];
    } table[] = {
        {MEM_FAULT_WRITE_LOST, 2, 1, {0, ERR_IO, 0, 0}, {1, 0, 1, 1}},
        {MEM_FAULT_WRITE_LOST, 1, 3, {ERR_IO, ERR_IO, ERR_IO, 0}, {0, 0, 0, 1}},
        {MEM_FAULT_WRITE_UNKNOWN, 3, 1, {0, 0, ERR_IO, 0}, {1, 1, 1, 1}},
        {MEM_FAULT_WRITE_UNKNOWN, 9, 0, {0, 0, 0, 0}, {1, 1, 1, 1}},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(table); i++) {
        mem_store_fail(r->store, table[i].fault, table[i].nth, table[i].times, ERR_IO);
        for (int k = 0; k < 4; k++) {
            struct watch w = {.done = false};
            rig_new_session(r, &w.x, "running", T0);
            assert_int_equal(watch_run(r, &w), table[i].statuses[k]);
            assert_int_equal(exists(r, w.x.d.session_id), table[i].there[k]);
            if (w.commit.req.status < 0) { /* again, until it is there: once */
                assert_true(*w.commit.req.error.text);
                mem_store_fail(r->store, table[i].fault, 1, 0, 0);
                assert_int_equal(watch_run(r, &w), 0);
                assert_false(w.refused);
                assert_true(exists(r, w.x.d.session_id));
                unsigned left = table[i].times > (unsigned)k + 1 ? table[i].times - k - 1 : 0;
                mem_store_fail(r->store, table[i].fault, 1, left, ERR_IO);
            }
            store_req_deinit(&w.commit.req);
            rig_delta_deinit(&w.x);
        }
    }
    end_by_hand(r);
}

static void a_read_fails(void **state)
{
    struct rig *r = rig_create(false, false);
    struct id id = rig_session(r, "running", T0);

    (void)state;
    mem_store_fail(r->store, MEM_FAULT_READ, 2, 1, ERR_UNAVAILABLE);
    static const int statuses[] = {0, ERR_UNAVAILABLE, 0};
    for (size_t i = 0; i < ROWS(statuses); i++) {
        RIG_REQ(store_session_get, g, STORE_SESSION_GET);
        g.id = id;
        assert_int_equal(rig_run(r, &g.req), statuses[i]);
        store_req_deinit(&g.req);
    }
    rig_destroy(r);
}

static void a_crash_keeps_what_reached_the_disk(void **state)
{
    struct rig *r = rig_by_hand();
    struct watch w[4] = {{.done = false}};

    (void)state;
    for (int i = 0; i < 4; i++) {
        rig_new_session(r, &w[i].x, "running", T0 + i);
        watch_submit(r, &w[i]);
    }
    assert_int_equal(mem_store_waiting(r->store), 4);
    assert_int_equal(mem_store_turn(r->store, 1), 1);
    mem_store_crash(r->store, 2);
    assert_int_equal(mem_store_waiting(r->store), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(w[i].done, i == 0);
        assert_int_equal(exists(r, w[i].x.d.session_id), i < 3);
        rig_delta_deinit(&w[i].x);
    }
    end_by_hand(r);
}

static void a_held_store_waits(void **state)
{
    struct rig *r = rig_create(false, false);
    struct watch w = {.done = false};

    (void)state;
    rig_new_session(r, &w.x, "running", T0);
    mem_store_hold(r->store, true);
    watch_submit(r, &w);
    for (int i = 0; i < 10; i++)
        uv_run(&r->loop, UV_RUN_NOWAIT);
    assert_false(w.done);
    mem_store_hold(r->store, false);
    while (!w.done)
        uv_run(&r->loop, UV_RUN_ONCE);
    assert_int_equal(w.commit.req.status, 0);
    rig_delta_deinit(&w.x);
    rig_destroy(r);
}

static void an_idle_store_leaves_the_loop_alone(void **state)
{
    struct rig *r = rig_create(false, false);

    (void)state;
    rig_session(r, "running", T0);
    uv_run(&r->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_run(&r->loop, UV_RUN_NOWAIT), 0); /* no active handle */
    rig_destroy(r);
}

static void a_state_can_be_spoiled(void **state)
{
    struct rig *r = rig_create(false, false);
    struct id id = rig_session(r, "running", T0);
    char text[ID_TEXT_BYTES + 1];

    (void)state;
    mem_store_corrupt_state(r->store, id);
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = id;
    l.claim_for = rig_id(r, T0);
    assert_int_equal(rig_run(r, &l.req), ERR_CORRUPT);
    id_format(id, text);
    assert_non_null(strstr(l.req.error.text, text));
    store_req_deinit(&l.req);
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_int_equal(g.row.epoch, 1); /* not claimed */
    store_req_deinit(&g.req);
    rig_destroy(r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_is_lost_or_of_unknown_outcome),
        cmocka_unit_test(a_read_fails),
        cmocka_unit_test(a_crash_keeps_what_reached_the_disk),
        cmocka_unit_test(a_held_store_waits),
        cmocka_unit_test(an_idle_store_leaves_the_loop_alone),
        cmocka_unit_test(a_state_can_be_spoiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
