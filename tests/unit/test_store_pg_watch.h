/* What the tests of the PostgreSQL store alone have in common: a commit that is watched while it is
 * under way, and a look at the database beside the store. */
#ifndef SLUICE_TESTS_TEST_STORE_PG_WATCH_H
#define SLUICE_TESTS_TEST_STORE_PG_WATCH_H

#include "store/pg_store.h"
#include "test_store_rig.h"

#define KILL_ALL                                                                                   \
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"                                       \
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"

static inline struct pg_store *pg_of(struct rig *r)
{
    return container_of(r->store, struct pg_store, base);
}

static inline int64_t ask(struct rig *r, const char *sql)
{
    return pg_rig_ask(r->url, sql);
}

/* ---- a commit that is watched ---- */

struct watch {
    struct store_commit commit;
    struct delta *delta;
    bool refused, done;
};

static inline void watch_done(struct store_req *req)
{
    ((struct watch *)req->data)->done = true;
}

static inline void watch_submit(struct rig *r, struct watch *w, struct rig_delta *x)
{
    *w = (struct watch){.delta = &x->d};
    store_req_init(&w->commit.req, STORE_COMMIT, watch_done, w);
    w->commit.deltas = &w->delta;
    w->commit.count = 1;
    w->commit.refused = &w->refused;
    store_submit(r->store, &w->commit.req);
}

static inline int watch_wait(struct rig *r, struct watch *w)
{
    while (!w->done)
        uv_run(&r->loop, UV_RUN_ONCE);
    store_req_deinit(&w->commit.req);
    return w->commit.req.status;
}

/* A commit all of whose connections are cut after so many turns of the loop: it is there once. */
static inline void watch_cut(struct rig *r, struct rig_delta *x, int turns)
{
    struct watch w;

    watch_submit(r, &w, x);
    for (int turn = 0; turn < turns; turn++)
        uv_run(&r->loop, UV_RUN_NOWAIT);
    pg_rig_exec_on(r->url, KILL_ALL);
    assert_int_equal(watch_wait(r, &w), 0);
    assert_false(w.refused);
}

/* Something of every kind under the numbers first to last, the session's row too. */
static inline void make_step(struct rig *r, struct rig_delta *x, struct id session, int64_t first,
                             int64_t last, struct message_row *message, struct run_row *run)
{
    rig_events(x, session, first, last);
    x->core = rig_core("running");
    x->core.last_seq = last;
    x->d.core = &x->core;
    *message = (struct message_row){
        .message_id = rig_id(r, T0), .content = STR("text"), .seq = last, .created_at = T0 + last};
    x->d.messages = message;
    *run = (struct run_row){.run_id = rig_id(r, T0),
                            .node_id = STR("n"),
                            .iteration = 1,
                            .attempt = last,
                            .status = STR("running")};
    x->d.runs = run;
}

static inline int read_events(struct rig *r, struct id session)
{
    RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
    e.session_id = session;
    e.limit = 10;
    e.bytes_max = 1000;
    int status = rig_run(r, &e.req);
    if (status == 0)
        assert_int_equal(e.last_seq, 1);
    store_req_deinit(&e.req);
    return status;
}

#endif
