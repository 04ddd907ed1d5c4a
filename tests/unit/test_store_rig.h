/* A store on a loop of its own, of either kind, and short ways to fill in rows and requests. */
#ifndef SLUICE_TESTS_TEST_STORE_RIG_H
#define SLUICE_TESTS_TEST_STORE_RIG_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "store/mem_store.h"
#include "store/store.h"
#include "test_store_pg_rig.h"
#include "unit.h"

struct rig {
    uv_loop_t loop;
    struct store *store;
    struct store *other; /* NULL, or a second one, as of another instance */
    struct id_source ids;
    char dir[256];
    bool sqlite, postgres; /* neither: in memory */
    bool may_block;        /* of the commits to come */
    char url[512];         /* of postgres */
};

static void rig_done(struct store_req *req)
{
    *(bool *)req->data = true;
}

/* Submits and turns the loop until it is answered. */
static int rig_run(struct rig *r, struct store_req *req)
{
    bool done = false;

    req->data = &done;
    store_submit(r->store, req);
    assert_false(done); /* never from inside */
    while (!done)
        uv_run(&r->loop, UV_RUN_ONCE);
    return req->status;
}

static inline void rig_open_store(struct rig *r)
{
    struct errbuf e = {""};
    int status = r->sqlite     ? sqlite_store_open(&r->store, &r->loop, r->dir, true, &e)
                 : r->postgres ? pg_store_open(&r->store, &r->loop, r->url, 0, true, &e)
                               : mem_store_open(&r->store, &r->loop);

    if (status != 0)
        fail_msg("open: %d %s", status, e.text);
}

static inline void rig_make_dir(char *dir, size_t n)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, n, "%s/sluice-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
}

static inline void rig_remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d)) != NULL)
        unlinkat(dirfd(d), entry->d_name, 0);
    if (d)
        closedir(d);
    rmdir(dir);
}

static inline struct rig *rig_create(bool sqlite, bool postgres)
{
    struct rig *r = calloc(1, sizeof(*r));

    log_configure(LOG_ERROR, 0);
    r->sqlite = sqlite;
    r->postgres = postgres;
    id_source_init_seed(&r->ids, 42);
    assert_int_equal(uv_loop_init(&r->loop), 0);
    if (sqlite)
        rig_make_dir(r->dir, sizeof(r->dir));
    if (postgres)
        pg_rig_create(r->url, sizeof(r->url), false);
    rig_open_store(r);
    return r;
}

static inline void rig_closed(void *data)
{
    *(bool *)data = true;
}

static inline void rig_close_store(struct rig *r)
{
    bool closed = false;

    store_close(r->store, rig_closed, &closed);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_true(closed);
    r->store = NULL;
}

static inline void rig_close_other(struct rig *r)
{
    bool closed = false;

    store_close(r->other, rig_closed, &closed);
    while (!closed)
        uv_run(&r->loop, UV_RUN_ONCE);
    r->other = NULL;
}

static inline void rig_destroy(struct rig *r)
{
    if (r->other)
        rig_close_other(r);
    if (r->store)
        rig_close_store(r);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    if (r->sqlite)
        rig_remove_dir(r->dir);
    if (r->postgres)
        pg_rig_drop(r->url);
    free(r);
}

/* ---- rows ---- */

#define T0 INT64_C(1700000000000)

static inline struct id rig_id(struct rig *r, int64_t at)
{
    return id_new(&r->ids, (uint64_t)at);
}

/* A delta with room for what it points to. */
struct rig_delta {
    struct delta d;
    struct session_meta meta;
    struct session_core core;
};

static inline struct session_core rig_core(const char *status)
{
    return (struct session_core){.status = str_of(status),
                                 .node_statuses_json = STR("{\"start\":\"completed\"}"),
                                 .waiting_json = STR("[]"),
                                 .usage_json = STR("{\"input_tokens\":1}"),
                                 .vars_json = STR("{}"),
                                 .state_json = STR("{\"live\":[]}"),
                                 .busy = strcmp(status, "running") == 0,
                                 .started_at = T0 + 1,
                                 .updated_at = T0 + 2};
}

/* A new session with one event. Owned: rig_delta_deinit(). */
static inline void rig_new_session(struct rig *r, struct rig_delta *x, const char *status,
                                   int64_t created_at)
{
    *x = (struct rig_delta){.meta = {.workspace = STR("default"),
                                     .name = STR("A session"),
                                     .tags_json = STR("[\"red\",\"bl\\u00fce\"]"),
                                     .metadata_json = STR("{\"a\":1}"),
                                     .settings_json = STR("{}"),
                                     .thread_configs_json = STR("{}"),
                                     .workflow_state_json = STR("{}"),
                                     .graph_json = STR("{\"nodes\":{}}"),
                                     .input_json = STR("{\"topic\":\"tea\"}")},
                            .core = rig_core(status)};
    x->d = (struct delta){.session_id = rig_id(r, created_at),
                          .epoch = 1,
                          .at = created_at,
                          .is_new = true,
                          .created_at = created_at,
                          .seq_first = 1,
                          .seq_last = 1};
    x->core.last_seq = 1;
    x->d.meta = &x->meta;
    x->d.core = &x->core;
    arena_init(&x->d.arena);
    buf_init(&x->d.events, 1 << 20);
    buf_append_z(&x->d.events, "{\"seq\":1}");
}

/* Events first to last for an old session; touches nothing else. */
static inline void rig_events(struct rig_delta *x, struct id session, int64_t first, int64_t last)
{
    *x = (struct rig_delta){.d = {.session_id = session,
                                  .epoch = 1,
                                  .at = T0 + last,
                                  .seq_first = first,
                                  .seq_last = last}};
    arena_init(&x->d.arena);
    buf_init(&x->d.events, 1 << 20);
    for (int64_t seq = first; seq <= last; seq++)
        buf_printf(&x->d.events, "%s{\"seq\":%lld}", seq > first ? "\n" : "", (long long)seq);
}

static inline void rig_delta_deinit(struct rig_delta *x)
{
    arena_deinit(&x->d.arena);
    buf_deinit(&x->d.events);
}

/* Commits and gives the status; *refused may be NULL (then it must not be). */
static inline int rig_commit_many(struct rig *r, struct delta *const *deltas, size_t count,
                                  bool *refused)
{
    struct store_commit c = {
        .deltas = deltas, .count = count, .refused = refused, .may_block = r->may_block};

    store_req_init(&c.req, STORE_COMMIT, rig_done, NULL);
    int status = rig_run(r, &c.req);
    store_req_deinit(&c.req);
    return status;
}

static inline int rig_commit(struct rig *r, struct rig_delta *x, bool *refused)
{
    struct delta *d = &x->d;
    bool flag = false;

    int status = rig_commit_many(r, &d, 1, &flag);
    if (refused)
        *refused = flag;
    else if (status == 0)
        assert_false(flag);
    return status;
}

/* Makes a session and forgets the delta. */
static inline struct id rig_session(struct rig *r, const char *status, int64_t created_at)
{
    struct rig_delta x;

    rig_new_session(r, &x, status, created_at);
    struct id id = x.d.session_id;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    return id;
}

/* `type` request, initialised; fields are set by the caller. */
#define RIG_REQ(type, name, op_)                                                                   \
    struct type name;                                                                              \
    memset(&(name), 0, sizeof(name));                                                              \
    store_req_init(&(name).req, op_, rig_done, NULL)

/* ---- every test over every store ---- */

static inline int rig_setup_sqlite(void **state)
{
    *state = rig_create(true, false);
    return 0;
}

static inline int rig_setup_postgres(void **state)
{
    *state = rig_create(false, true);
    return 0;
}

static inline int rig_setup_memory(void **state)
{
    *state = rig_create(false, false);
    return 0;
}

static inline int rig_teardown(void **state)
{
    rig_destroy(*state);
    return 0;
}

#define EVERY(test)                                                                                \
    {#test " (sqlite)", test, rig_setup_sqlite, rig_teardown, NULL},                               \
        {#test " (postgres)", test, rig_setup_postgres, rig_teardown, NULL},                       \
    {                                                                                              \
#test " (memory)", test, rig_setup_memory, rig_teardown, NULL                              \
    }

/* Runs a group; those of PostgreSQL only where there is one. */
static inline int rig_run_tests(const char *name, const struct CMUnitTest *tests, size_t count)
{
    struct CMUnitTest *chosen = calloc(count, sizeof(*chosen));
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (pg_rig_server() || !strstr(tests[i].name, " (postgres)"))
            chosen[n++] = tests[i];
    if (n < count)
        printf("%s: %zu tests of PostgreSQL left out: SLUICE_TEST_POSTGRES is not set\n", name,
               count - n);
    int failures = _cmocka_run_group_tests(name, chosen, n, NULL, NULL);
    free(chosen);
    return failures;
}
#define RIG_RUN_TESTS(tests) rig_run_tests(#tests, tests, ROWS(tests))

#endif
