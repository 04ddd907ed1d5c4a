/* Which version of a workflow is the newest, where other instances may put one. */
#include <stdlib.h>

#include "app/plans.h"
#include "engine/expr.h"
#include "unit.h"

#define SPACE STR("default")
#define ID    STR("flow")

static const char graph[] = "{\"id\":\"flow\",\"nodes\":{\"start\":{\"type\":\"start\","
                            "\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}";

static int64_t time_ms;

static int64_t now(void)
{
    return time_ms;
}

struct fixture {
    struct expr_vm *vm;
    struct plans plans;
};

static void put(struct fixture *f, int64_t version)
{
    struct workflow_issues issues;
    struct workflow *w = NULL;

    workflow_issues_init(&issues);
    assert_int_equal(workflow_parse(STR(graph), f->vm, &w, &issues), 0);
    workflow_issues_deinit(&issues);
    w->version = version;
    plans_put(&f->plans, SPACE, w, true);
    workflow_unref(w);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->vm = expr_vm_create();
    plans_init(&f->plans);
    f->plans.now = now;
    f->plans.newest_ms = 1000;
    time_ms = 5000;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    plans_deinit(&f->plans);
    expr_vm_destroy(f->vm);
    free(f);
    return 0;
}

/* However many use it, one asks; and nobody waits for the answer. */
static void one_asks_before_it_is_too_old(void **state)
{
    struct fixture *f = *state;

    put(f, 3);
    time_ms += 499;
    assert_int_equal(plans_ask(&f->plans, SPACE, ID), 0);
    time_ms++;
    int64_t asked = plans_ask(&f->plans, SPACE, ID);
    assert_int_equal(asked, time_ms);
    time_ms += 400;
    assert_int_equal(plans_ask(&f->plans, SPACE, ID), 0);
    assert_non_null(plans_get(&f->plans, SPACE, ID, 0));
    plans_answered(&f->plans, SPACE, ID, 3, asked);
    assert_int_equal(plans_ask(&f->plans, SPACE, ID), 0);
    time_ms += 599; /* as old as the question, not as its answer */
    assert_int_equal(plans_get(&f->plans, SPACE, ID, 0)->version, 3);
    assert_true(plans_ask(&f->plans, SPACE, ID) > asked);
    time_ms++;
    assert_null(plans_get(&f->plans, SPACE, ID, 0));
}

static void another_answer_is_believed(void **state)
{
    struct fixture *f = *state;

    put(f, 3);
    time_ms += 600;
    plans_answered(&f->plans, SPACE, ID, 4, plans_ask(&f->plans, SPACE, ID));
    assert_null(plans_get(&f->plans, SPACE, ID, 0));
    assert_int_equal(plans_get(&f->plans, SPACE, ID, 3)->version, 3);
    assert_int_equal(plans_ask(&f->plans, SPACE, ID), 0);
    plans_answered(&f->plans, SPACE, STR("other"), 4, 1);
}

/* An answer that does not come leaves it as old as it is, and somebody else asks. */
static void without_an_answer_it_grows_too_old(void **state)
{
    struct fixture *f = *state;

    put(f, 3);
    time_ms += 999;
    assert_true(plans_ask(&f->plans, SPACE, ID) > 0);
    time_ms++;
    assert_null(plans_get(&f->plans, SPACE, ID, 0));
    time_ms += 499;
    assert_true(plans_ask(&f->plans, SPACE, ID) > 0);
}

static void alone_nobody_asks(void **state)
{
    struct fixture *f = *state;

    f->plans.newest_ms = 0;
    put(f, 3);
    time_ms += 100000;
    assert_int_equal(plans_ask(&f->plans, SPACE, ID), 0);
    assert_int_equal(plans_get(&f->plans, SPACE, ID, 0)->version, 3);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONE(one_asks_before_it_is_too_old),
        ONE(another_answer_is_believed),
        ONE(without_an_answer_it_grows_too_old),
        ONE(alone_nobody_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
