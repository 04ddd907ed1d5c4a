/* Children and parents on several instances: whoever dies when, each tells the other once. */
#include "cluster_rig.h"

static const char asks[] =
    "{\"id\":\"asks\",\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"ask\"]},"
    "\"ask\":{\"type\":\"human_review\",\"routes\":{\"approve\":\"end\",\"reject\":\"end\"}},"
    "\"end\":{\"type\":\"end\"}}}";
static const char parent[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"c\"]},\"c\":{\"type\":"
    "\"subworkflow\",\"properties\":{\"workflow_id\":\"asks\"},\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

#define ENDED "\"to\":\"completed\",\"output\""

struct family {
    struct rig r;
    struct id parent, child;
};

struct read {
    struct store_children_list list;
    struct store_session_release release;
    bool done;
};

static void list_done(struct store_req *req)
{
    container_of(req, struct read, list.req)->done = true;
}

static void release_done(struct store_req *req)
{
    container_of(req, struct read, release.req)->done = true;
}

static bool child_find(struct rig *r, struct id of, struct id *out)
{
    struct read q = {.done = false};
    store_req_init(&q.list.req, STORE_CHILDREN_LIST, list_done, NULL);
    q.list.parent_id = of;
    store_submit(r->store, &q.list.req);
    rig_until(r, q.done);
    bool found = q.list.rows != NULL;
    if (found)
        *out = q.list.rows->row.id;
    store_req_deinit(&q.list.req);
    return found;
}

static void session_free(struct rig *r, unsigned i, struct id id)
{
    struct read q = {.done = false};
    struct live *l = live_find(r->apps[i], id);
    if (l)
        live_lose(l);
    store_req_init(&q.release.req, STORE_SESSION_RELEASE, release_done, NULL);
    q.release.instance = r->apps[i]->instances.self;
    q.release.ids = &id;
    q.release.count = 1;
    store_submit(r->store, &q.release.req);
    rig_until(r, q.done);
    store_req_deinit(&q.release.req);
}

/* The parent at instance 1, the child, which waits for an answer, at instance 0. */
static void family_open(struct family *f, unsigned count, bool cached)
{
    struct asked q;
    rig_open(&f->r, count, cached);
    ask_init(&q, SVC_WORKFLOW_CREATE);
    q.req.workflow.text = str_of(asks);
    service_submit(&f->r.apps[0]->service, &q.req);
    rig_until(&f->r, q.answers);
    assert_int_equal(q.req.status, 0);
    svc_req_deinit(&q.req);
    f->parent = rig_execute(&f->r, 0, parent);
    rig_until(&f->r, child_find(&f->r, f->parent, &f->child));
    rig_until(&f->r, rig_count_events(&f->r, f->child, "human_interaction_required") == 1);
    rig_until(&f->r, live_is_quiet(live_find(f->r.apps[0], f->parent)));
    session_free(&f->r, 0, f->parent);
    recovery_want(&f->r.apps[1]->recovery, f->parent);
    rig_until(&f->r, live_find(f->r.apps[1], f->parent));
    assert_non_null(live_find(f->r.apps[0], f->child));
}

static void family_close(struct family *f)
{
    for (unsigned i = 0; i < f->r.count; i++)
        if (f->r.stopped[i])
            rig_continue(&f->r, i);
    for (int n = 0; n < 200; n++)
        rig_turn(&f->r);
    assert_int_equal(rig_count_events(&f->r, f->child, "\"node_resumed\""), 1);
    assert_int_equal(rig_count_events(&f->r, f->child, ENDED), 1);
    assert_int_equal(rig_count_events(&f->r, f->parent, ENDED), 1);
    assert_int_equal(rig_count_events(&f->r, f->parent, "child_session_id"), 1);
    rig_close(&f->r);
}

static void turns(struct rig *r, int n)
{
    while (n-- > 0)
        rig_turn(r);
}

static bool ended(struct family *f, struct id id)
{
    return rig_count_events(&f->r, id, ENDED) == 1;
}

/* Asked of instance i, unless an answer stands already. */
static void answer(struct family *f, unsigned i)
{
    struct asked q;
    ask_answer(&q, f->r.apps[i], f->child, "ask");
    rig_until(&f->r, q.answers);
    svc_req_deinit(&q.req);
}

static void test_a_result_reaches_another_instance(void **state)
{
    struct family f;
    family_open(&f, 2, *(bool *)*state);
    answer(&f, 0);
    rig_until(&f.r, ended(&f, f.parent));
    family_close(&f);
}

static const int moments[] = {0, 1, 2, 3, 4, 6, 9, 14};
#define MOMENTS (sizeof(moments) / sizeof(moments[0]))

static void test_the_childs_owner_dies(void **state)
{
    for (size_t i = 0; i < MOMENTS; i++) {
        struct family f;
        struct asked q;
        family_open(&f, 2, *(bool *)*state);
        ask_answer(&q, f.r.apps[0], f.child, "ask");
        turns(&f.r, moments[i]);
        rig_stop(&f.r, 0);
        rig_until(&f.r, f.r.apps[1]->instances.deaths == 1);
        if (!rig_count_events(&f.r, f.child, "\"node_resumed\""))
            answer(&f, 1);
        rig_until(&f.r, ended(&f, f.parent));
        family_close(&f);
        svc_req_deinit(&q.req);
    }
}

static void test_the_parents_owner_dies(void **state)
{
    for (size_t i = 0; i < MOMENTS; i++) {
        struct family f;
        family_open(&f, 2, *(bool *)*state);
        struct asked q;
        ask_answer(&q, f.r.apps[0], f.child, "ask");
        turns(&f.r, moments[i]);
        rig_stop(&f.r, 1);
        rig_until(&f.r, q.answers && ended(&f, f.parent));
        family_close(&f);
        svc_req_deinit(&q.req);
    }
}

static void test_both_owners_die(void **state)
{
    for (size_t i = 0; i < MOMENTS; i += 2) {
        struct family f;
        struct asked q;
        family_open(&f, 3, *(bool *)*state);
        ask_answer(&q, f.r.apps[0], f.child, "ask");
        turns(&f.r, moments[i]);
        rig_stop(&f.r, 0);
        turns(&f.r, 2);
        rig_stop(&f.r, 1);
        rig_until(&f.r, f.r.apps[2]->instances.deaths == 2);
        if (!rig_count_events(&f.r, f.child, "\"node_resumed\""))
            answer(&f, 2);
        rig_until(&f.r, ended(&f, f.parent));
        family_close(&f);
        svc_req_deinit(&q.req);
    }
}

/* The parent's owner dies right after it was told to cancel: the child ends if the parent has. */
static void test_a_cancel_goes_down_whoever_dies(void **state)
{
    for (size_t i = 0; i < MOMENTS; i++) {
        struct family f;
        struct asked q;
        family_open(&f, 2, *(bool *)*state);
        ask_init(&q, SVC_CANCEL);
        q.req.session_id = f.parent;
        service_submit(&f.r.apps[1]->service, &q.req);
        turns(&f.r, moments[i]);
        rig_stop(&f.r, 1);
        rig_until(&f.r, f.r.apps[0]->instances.deaths == 1);
        if (rig_count_events(&f.r, f.parent, "\"to\":\"cancelled\"")) {
            rig_until(&f.r, rig_count_events(&f.r, f.child, "\"to\":\"cancelled\"") == 1);
            assert_int_equal(rig_count_events(&f.r, f.child, "parent ended"), 1);
        } else {
            turns(&f.r, 200);
            assert_int_equal(rig_count_events(&f.r, f.child, "\"to\":\"cancelled\""), 0);
        }
        rig_continue(&f.r, 1);
        turns(&f.r, 200);
        rig_close(&f.r);
        svc_req_deinit(&q.req);
    }
}

/* Between the parent's commit and the child's there is nobody who remembers but the store. */
static void test_a_child_is_begun_by_the_next_owner(void **state)
{
    for (int n = 0; n < 12; n += 2) {
        struct rig r;
        struct asked q;
        struct id id, child;
        rig_open(&r, 2, *(bool *)*state);
        ask_init(&q, SVC_WORKFLOW_CREATE);
        q.req.workflow.text = str_of(asks);
        service_submit(&r.apps[0]->service, &q.req);
        rig_until(&r, q.answers);
        svc_req_deinit(&q.req);
        id = rig_execute(&r, 0, parent);
        turns(&r, n);
        rig_stop(&r, 0);
        rig_until(&r, r.apps[1]->instances.deaths == 1);
        rig_until(&r, child_find(&r, id, &child));
        rig_until(&r, rig_count_events(&r, child, "human_interaction_required") == 1);
        rig_continue(&r, 0);
        turns(&r, 200);
        ask_answer(&q, r.apps[1], child, "ask");
        rig_until(&r, q.answers && rig_count_events(&r, id, ENDED) == 1);
        assert_int_equal(q.req.status, 0);
        svc_req_deinit(&q.req);
        assert_int_equal(rig_count_events(&r, child, ENDED), 1);
        rig_close(&r);
    }
}

int main(void)
{
    static bool in_rows = false, in_cache = true;
    const struct CMUnitTest tests[] = {
#define BOTH(test)                                                                                 \
    cmocka_unit_test_prestate(test, &in_rows), cmocka_unit_test_prestate(test, &in_cache)
        BOTH(test_a_result_reaches_another_instance),
        BOTH(test_the_childs_owner_dies),
        BOTH(test_the_parents_owner_dies),
        BOTH(test_both_owners_die),
        BOTH(test_a_cancel_goes_down_whoever_dies),
        BOTH(test_a_child_is_begun_by_the_next_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
