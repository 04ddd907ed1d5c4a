/* Workflows that start by the clock, on instances over one store, in virtual time. */
#include "cluster_rig.h"

#include "app/schedules.h"
#include "store/rules.h"

#define MINUTE INT64_C(60000)
#define NOON   INT64_C(1767268800000) /* 2026-01-01T12:00:00Z */

static int64_t clock_now;

static int64_t virtual_now(void)
{
    return clock_now;
}

static const char quick[] = "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"end\"]},"
                            "\"end\":{\"type\":\"end\"}}}";
static const char review[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"ask\"]},"
    "\"ask\":{\"type\":\"human_review\",\"properties\":{\"review_type\":\"approve_reject\"},"
    "\"routes\":{\"approve\":\"end\",\"reject\":\"end\"}},\"end\":{\"type\":\"end\"}}}";

static void done(struct store_req *req)
{
    *(bool *)req->data = true;
}

static int run(struct rig *r, struct store_req *req)
{
    bool over = false;

    req->data = &over;
    store_submit(r->store, req);
    rig_until(r, over);
    return req->status;
}

static void put_workflow(struct rig *r, const char *id, const char *graph)
{
    struct store_workflow_put p = {.id = STR_NULL};

    store_req_init(&p.req, STORE_WORKFLOW_PUT, done, NULL);
    p.workspace = STR("default");
    p.id = p.name = str_of(id);
    p.graph_json = str_of(graph);
    p.now_ms = 1;
    assert_int_equal(run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

static const struct id schedule_id = {{1, 2, 3}};

static void put_schedule(struct rig *r, const char *workflow, const char *missed,
                         const char *overlap, int64_t next_at)
{
    struct store_schedule_put p = {.now_ms = 1};

    store_req_init(&p.req, STORE_SCHEDULE_PUT, done, NULL);
    p.now_ms = 1;
    p.row = (struct schedule_row){.id = schedule_id,
                                  .workspace = STR("default"),
                                  .name = STR("Every minute"),
                                  .workflow_id = str_of(workflow),
                                  .cron = STR("* * * * *"),
                                  .time_zone = STR("UTC"),
                                  .missed = str_of(missed),
                                  .overlap = str_of(overlap),
                                  .input_json = STR("{}"),
                                  .enabled = true,
                                  .next_at = next_at};
    assert_int_equal(run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

/* The schedule as it is; strings are gone, but for whether there is an error. */
static struct schedule_row schedule_now(struct rig *r, char error[300])
{
    struct store_schedule_get g;

    memset(&g, 0, sizeof(g));
    store_req_init(&g.req, STORE_SCHEDULE_GET, done, NULL);
    g.id = schedule_id;
    assert_int_equal(run(r, &g.req), 0);
    struct schedule_row row = g.row;
    snprintf(error, 300, "%.*s", g.row.last_error.p ? (int)g.row.last_error.n : 0,
             g.row.last_error.p ? g.row.last_error.p : "");
    store_req_deinit(&g.req);
    return row;
}

static int sessions(struct rig *r, const char *status)
{
    struct store_session_list l;
    int n = 0;

    memset(&l, 0, sizeof(l));
    store_req_init(&l.req, STORE_SESSION_LIST, done, NULL);
    l.limit = STORE_LIMIT_MAX;
    l.status = status ? str_of(status) : STR_NULL;
    assert_int_equal(run(r, &l.req), 0);
    for (struct session_item *it = l.rows; it; it = it->next)
        n++;
    store_req_deinit(&l.req);
    return n;
}

static void open_at(struct rig *r, unsigned count, int64_t now)
{
    clock_now = now;
    rig_open(r, count, false);
    for (unsigned i = 0; i < count; i++) {
        r->apps[i]->instances.row_ms = 1000000; /* no looks but ours */
        r->apps[i]->schedules.now = virtual_now;
    }
}

static void turn_until_moved(struct rig *r, int64_t next_at)
{
    char error[300];
    uint64_t end = clock_mono_ns() + 20ull * 1000000000;

    while (schedule_now(r, error).next_at != next_at && clock_mono_ns() < end)
        rig_turn(r);
    assert_int_equal(schedule_now(r, error).next_at, next_at);
}

static void look(struct rig *r, unsigned i, int64_t now)
{
    clock_now = now;
    schedules_look(&r->apps[i]->schedules);
}

static void test_it_fires(void **state)
{
    struct rig r;
    char error[300];

    (void)state;
    open_at(&r, 1, NOON);
    put_workflow(&r, "w", quick);
    put_schedule(&r, "w", "skip", "allow", NOON + MINUTE);
    look(&r, 0, NOON + MINUTE - 1);
    rig_until(&r, r.apps[0]->schedules.armed_at == NOON + MINUTE);
    assert_int_equal(sessions(&r, NULL), 0);
    assert_true(uv_is_active((uv_handle_t *)&r.apps[0]->schedules.timer));
    clock_now = NOON + MINUTE; /* the timer fires in its own time: a millisecond is left */
    turn_until_moved(&r, NOON + 2 * MINUTE);
    assert_int_equal(sessions(&r, "completed"), 1);
    struct schedule_row row = schedule_now(&r, error);
    assert_true(id_eq(row.last_session, schedule_session_id(schedule_id, NOON + MINUTE)));
    assert_int_equal(row.last_at, NOON + MINUTE);
    assert_string_equal(error, "");
    assert_int_equal(r.apps[0]->schedules.armed_at, NOON + 2 * MINUTE);
    rig_close(&r);
}

static void test_without_a_schedule_nothing_waits(void **state)
{
    struct rig r;

    (void)state;
    open_at(&r, 1, NOON);
    look(&r, 0, NOON);
    rig_until(&r, !r.apps[0]->schedules.looking);
    assert_false(uv_is_active((uv_handle_t *)&r.apps[0]->schedules.timer));
    rig_close(&r);
}

static void test_two_instances_start_it_once(void **state)
{
    struct rig r;

    (void)state;
    for (int round = 0; round < 20; round++) {
        open_at(&r, 2, NOON);
        put_workflow(&r, "w", quick);
        put_schedule(&r, "w", "skip", "allow", NOON);
        look(&r, 0, NOON);
        for (int i = 0; i < round; i++)
            rig_turn(&r); /* the second one comes at every point of the first */
        look(&r, 1, NOON);
        turn_until_moved(&r, NOON + MINUTE);
        rig_until(&r, list_empty(&r.apps[0]->schedules.firing) &&
                          list_empty(&r.apps[1]->schedules.firing));
        assert_int_equal(sessions(&r, NULL), 1);
        rig_close(&r);
    }
}

/* One stops for good at every point between looking and writing; the other goes on. */
static void test_a_death_in_between(void **state)
{
    struct rig r;
    bool begun = false, whole = false;

    (void)state;
    for (int turns = 0; !whole; turns++) {
        open_at(&r, 2, NOON);
        put_workflow(&r, "w", quick);
        put_schedule(&r, "w", "skip", "allow", NOON);
        look(&r, 0, NOON);
        for (int i = 0; i < turns; i++)
            rig_turn(&r);
        begun = begun || (sessions(&r, NULL) == 1 && !list_empty(&r.apps[0]->schedules.firing));
        char error[300];
        whole = schedule_now(&r, error).next_at != NOON;
        rig_stop(&r, 0);
        look(&r, 1, NOON + 1000);
        turn_until_moved(&r, NOON + MINUTE);
        rig_until(&r, list_empty(&r.apps[1]->schedules.firing));
        assert_int_equal(sessions(&r, NULL), 1);
        assert_true(turns < 1000);
        rig_close(&r);
    }
    assert_true(begun);
}

static void test_missed_times(void **state)
{
    static const struct {
        const char *missed;
        int64_t down; /* minutes */
        int sessions;
    } rows[] = {{"skip", 10, 2}, {"once", 10, 1}, {"all", 10, 11}, {"all", 2000, 100}};
    struct rig r;
    char error[300];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t now = NOON + rows[i].down * MINUTE;
        open_at(&r, 1, now);
        put_workflow(&r, "w", quick);
        put_schedule(&r, "w", rows[i].missed, "allow", NOON);
        look(&r, 0, now);
        turn_until_moved(&r, now + MINUTE);
        assert_int_equal(sessions(&r, "completed"), rows[i].sessions);
        schedule_now(&r, error);
        rig_close(&r);
    }
}

static void test_skip_leaves_out_a_time_that_is_long_gone(void **state)
{
    struct schedule_row row = {
        .cron = STR("0 12 * * *"), .time_zone = STR("UTC"), .missed = STR("skip"), .next_at = NOON};
    struct schedule_plan plan;
    struct errbuf e;

    (void)state;
    assert_int_equal(schedule_plan(&row, NOON + 60000, &plan, &e), 0);
    assert_true(plan.starts && plan.at == NOON && plan.next_at == NOON + 1440 * MINUTE);
    assert_int_equal(schedule_plan(&row, NOON + 60001, &plan, &e), 0);
    assert_true(!plan.starts && plan.next_at == NOON + 1440 * MINUTE);
    assert_int_equal(schedule_plan(&row, NOON + 1440 * MINUTE + 5, &plan, &e), 0);
    assert_true(plan.starts && plan.at == NOON + 1440 * MINUTE && plan.missed == 1);
    row.missed = STR("once");
    assert_int_equal(schedule_plan(&row, NOON + 5000 * MINUTE, &plan, &e), 0);
    assert_true(plan.starts && plan.at == NOON && plan.next_at == NOON + 4 * 1440 * MINUTE);
    row.time_zone = STR("Nowhere/Land");
    assert_int_equal(schedule_plan(&row, NOON, &plan, &e), ERR_INVALID);
}

static void test_overlap(void **state)
{
    static const struct {
        const char *overlap;
        int sessions, cancelled;
    } rows[] = {{"allow", 2, 0}, {"skip", 1, 0}, {"cancel", 2, 1}};
    struct rig r;
    char error[300];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_at(&r, 1, NOON);
        put_workflow(&r, "w", review);
        put_schedule(&r, "w", "skip", rows[i].overlap, NOON);
        look(&r, 0, NOON);
        turn_until_moved(&r, NOON + MINUTE);
        look(&r, 0, NOON + MINUTE);
        turn_until_moved(&r, NOON + 2 * MINUTE);
        assert_int_equal(sessions(&r, NULL), rows[i].sessions);
        assert_int_equal(sessions(&r, "cancelled"), rows[i].cancelled);
        schedule_now(&r, error);
        assert_int_equal(strstr(error, "runs still") != NULL, strcmp(rows[i].overlap, "skip") == 0);
        rig_close(&r);
    }
}

static void test_a_start_that_fails(void **state)
{
    struct rig r;
    char error[300];

    (void)state;
    open_at(&r, 1, NOON);
    put_schedule(&r, "gone", "skip", "allow", NOON);
    look(&r, 0, NOON);
    turn_until_moved(&r, NOON + MINUTE);
    schedule_now(&r, error);
    assert_non_null(strstr(error, "no such workflow"));
    put_workflow(&r, "gone", quick); /* it is there again */
    look(&r, 0, NOON + MINUTE);
    turn_until_moved(&r, NOON + 2 * MINUTE);
    schedule_now(&r, error);
    assert_string_equal(error, "");
    assert_int_equal(sessions(&r, "completed"), 1);
    rig_close(&r);
}

static void test_ids_of_sessions(void **state)
{
    struct id a = schedule_session_id(schedule_id, NOON), b, c;
    char text[ID_TEXT_BYTES + 1];

    (void)state;
    b = schedule_session_id(schedule_id, NOON + MINUTE);
    c = schedule_session_id((struct id){{1, 2, 4}}, NOON);
    assert_true(id_eq(a, schedule_session_id(schedule_id, NOON)));
    assert_false(id_eq(a, b) || id_eq(a, c) || id_eq(b, c));
    id_format(a, text);
    assert_int_equal(text[14], '7');
    assert_non_null(strchr("89ab", text[19]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_fires),
        cmocka_unit_test(test_without_a_schedule_nothing_waits),
        cmocka_unit_test(test_two_instances_start_it_once),
        cmocka_unit_test(test_a_death_in_between),
        cmocka_unit_test(test_missed_times),
        cmocka_unit_test(test_skip_leaves_out_a_time_that_is_long_gone),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_a_start_that_fails),
        cmocka_unit_test(test_ids_of_sessions),
    };
    log_configure(LOG_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
