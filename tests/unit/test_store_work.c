/* Interrupts, tasks, files, children and progress, over every store. */
#include "store/rules.h"
#include "test_store_rig.h"

/* A delta of nothing but what the test adds. */
static void work_delta(struct rig_delta *x, struct id session)
{
    *x = (struct rig_delta){.d = {.session_id = session, .epoch = 1, .at = T0 + 50}};
    arena_init(&x->d.arena);
    buf_init(&x->d.events, 1 << 20);
}

static void work_commit(struct rig *r, struct rig_delta *x)
{
    assert_int_equal(rig_commit(r, x, NULL), 0);
    rig_delta_deinit(x);
}

/* ---- progress, parents ---- */

static void progress_is_kept_while_a_run_is_under_way(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    struct run_row runs[3] = {
        {.run_id = rig_id(r, T0 + 1), .iteration = 1, .started_at = T0 + 1},
        {.run_id = rig_id(r, T0 + 2), .iteration = 2, .started_at = T0 + 2, .ended_at = T0 + 3},
        {.run_id = rig_id(r, T0 + 3), .iteration = 3, .started_at = T0 + 3},
    };
    struct rig_delta x;

    for (int i = 0; i < 3; i++) {
        runs[i].node_id = STR("n");
        runs[i].kind = STR("llm");
        runs[i].attempt = 1;
        runs[i].status = runs[i].ended_at ? STR("completed") : STR("running");
        runs[i].progress_json = STR("{\"calls\":1}");
        runs[i].next = i < 2 ? &runs[i + 1] : NULL;
    }
    work_delta(&x, session);
    x.d.runs = runs;
    work_commit(r, &x);
    runs[2].progress_json = STR_NULL;
    work_delta(&x, session);
    x.d.runs = &runs[2];
    work_commit(r, &x);

    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = session;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_true(id_eq(l.runs->run_id, runs[0].run_id)); /* an older iteration that goes on */
    assert_true(str_eqz(l.runs->progress_json, "{\"calls\":1}"));
    assert_true(id_eq(l.runs->next->run_id, runs[2].run_id));
    assert_null(l.runs->next->progress_json.p);
    assert_null(l.runs->next->next);
    store_req_deinit(&l.req);

    RIG_REQ(store_runs_list, list, STORE_RUNS_LIST);
    list.session_id = session;
    assert_int_equal(rig_run(r, &list.req), 0);
    assert_null(list.rows->progress_json.p);
    store_req_deinit(&list.req);
}

static void a_session_knows_its_parent(void **state)
{
    struct rig *r = *state;
    struct id parent = rig_session(r, "running", T0), run = rig_id(r, T0 + 1), ids[3];

    for (int i = 0; i < 3; i++) { /* two children, and a fork, for which nobody waits */
        struct rig_delta x;
        rig_new_session(r, &x, "running", T0 + 10 + i);
        ids[i] = x.d.session_id;
        x.meta.parent_id = parent;
        x.meta.parent_seq = 7 + i;
        if (i < 2)
            x.meta.parent_run = run;
        work_commit(r, &x);
    }
    RIG_REQ(store_children_list, l, STORE_CHILDREN_LIST);
    l.parent_id = parent;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_true(id_eq(l.rows->row.id, ids[0]));
    assert_true(id_eq(l.rows->row.meta.parent_id, parent));
    assert_true(id_eq(l.rows->row.meta.parent_run, run));
    assert_int_equal(l.rows->row.meta.parent_seq, 7);
    assert_true(id_eq(l.rows->next->row.id, ids[1]));
    assert_null(l.rows->next->next);
    store_req_deinit(&l.req);

    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = ids[2];
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(id_eq(g.row.meta.parent_id, parent));
    assert_true(id_is_zero(g.row.meta.parent_run));
    assert_int_equal(g.row.meta.parent_seq, 9);
    store_req_deinit(&g.req);

    RIG_REQ(store_session_load, load, STORE_SESSION_LOAD);
    load.id = parent;
    assert_int_equal(rig_run(r, &load.req), 0);
    assert_true(id_is_zero(load.row.meta.parent_id));
    store_req_deinit(&load.req);

    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE); /* a fork outlives its origin */
    d.id = parent;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    RIG_REQ(store_session_get, again, STORE_SESSION_GET);
    again.id = ids[2];
    assert_int_equal(rig_run(r, &again.req), 0);
    store_req_deinit(&again.req);
}

/* ---- interrupts ---- */

static struct interrupt_row interrupt_of(struct rig *r, int64_t at, const char *kind)
{
    return (struct interrupt_row){.interrupt_id = rig_id(r, at),
                                  .run_id = rig_id(r, at),
                                  .node_id = STR("ask"),
                                  .kind = str_of(kind),
                                  .status = STR("pending"),
                                  .request_json = STR("{\"reason\":\"why\"}"),
                                  .created_at = at,
                                  .updated_at = at};
}

/* The created_at of all interrupts that a list gives, less T0, page by page. */
static void interrupt_list(struct rig *r, const char *status, const char *kind, struct id session,
                           const char *expected)
{
    char out[64] = "", cursor[256] = "";

    do {
        RIG_REQ(store_interrupt_list, l, STORE_INTERRUPT_LIST);
        l.status = str_of(status);
        l.kind = str_of(kind);
        l.session_id = session;
        l.cursor = str_of(cursor);
        l.limit = 2;
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct interrupt_item *it = l.rows; it; it = it->next) {
            size_t n = strlen(out);
            snprintf(out + n, sizeof(out) - n, "%lld ", (long long)(it->row.created_at - T0));
            assert_true(str_eqz(it->session_name, "A session"));
        }
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
    assert_string_equal(out, expected);
}

static void interrupts_are_listed_over_all_sessions(void **state)
{
    static const struct id any = {{0}};
    struct rig *r = *state;
    struct id sessions[2] = {rig_session(r, "running", T0), rig_session(r, "running", T0 + 1)};
    struct interrupt_row rows[4];
    struct rig_delta x;

    for (int i = 0; i < 4; i++) {
        rows[i] = interrupt_of(r, T0 + 10 + i, i == 2 ? "form" : "approve_reject");
        work_delta(&x, sessions[i % 2]);
        x.d.interrupts = &rows[i];
        work_commit(r, &x);
    }
    interrupt_list(r, NULL, NULL, any, "10 11 12 13 ");
    interrupt_list(r, "pending", NULL, sessions[1], "11 13 ");

    struct interrupt_row answered = rows[1]; /* twice in one delta: the last one counts */
    answered.request_json = STR("{\"reason\":\"other\"}");
    answered.status = STR("answered");
    answered.answer_json = STR("{\"action\":\"approve\"}");
    answered.updated_at = T0 + 99;
    rows[1].next = &answered;
    work_delta(&x, sessions[1]);
    x.d.interrupts = &rows[1];
    work_commit(r, &x);
    interrupt_list(r, "pending", NULL, any, "10 12 13 ");
    interrupt_list(r, "pending", "form", any, "12 ");
    interrupt_list(r, "answered", NULL, any, "11 ");
    interrupt_list(r, NULL, "approve_reject", any, "10 11 13 ");
    interrupt_list(r, NULL, NULL, rig_id(r, T0), "");

    RIG_REQ(store_interrupt_get, g, STORE_INTERRUPT_GET);
    g.interrupt_id = rows[1].interrupt_id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(id_eq(g.row.session_id, sessions[1]));
    assert_true(str_eqz(g.row.answer_json, "{\"action\":\"approve\"}"));
    assert_true(str_eqz(g.row.request_json, "{\"reason\":\"other\"}"));
    assert_int_equal(g.row.updated_at, T0 + 99);
    store_req_deinit(&g.req);
    RIG_REQ(store_interrupt_get, none, STORE_INTERRUPT_GET);
    none.interrupt_id = rows[1].interrupt_id;
    none.workspace = STR("other");
    assert_int_equal(rig_run(r, &none.req), ERR_NOT_FOUND);
    store_req_deinit(&none.req);
    RIG_REQ(store_interrupt_list, bad, STORE_INTERRUPT_LIST);
    bad.cursor = STR("bm90aGluZw");
    assert_int_equal(rig_run(r, &bad.req), ERR_INVALID);
    store_req_deinit(&bad.req);
}

/* ---- tasks ---- */

static struct id task_put(struct rig *r, struct id session, const char *queue, int64_t heartbeat_ms)
{
    struct task_row row = {.task_id = rig_id(r, T0 + 5),
                           .run_id = rig_id(r, T0 + 5),
                           .node_id = STR("work"),
                           .queue = str_of(queue),
                           .input_json = STR("{\"n\":1}"),
                           .heartbeat_ms = heartbeat_ms,
                           .created_at = T0 + 5};
    struct rig_delta x;

    work_delta(&x, session);
    x.d.tasks_new = &row;
    work_commit(r, &x);
    return row.task_id;
}

/* Leases and gives how many; of the first one, the id and the attempt. */
static int task_lease(struct rig *r, const char *queue, int max, struct id *id, int64_t *attempt)
{
    int count = 0;

    RIG_REQ(store_task_lease, l, STORE_TASK_LEASE);
    l.queue = str_of(queue);
    l.worker = STR("w1");
    l.max = max;
    assert_int_equal(rig_run(r, &l.req), 0);
    for (struct task_row *t = l.rows; t; t = t->next, count++) {
        assert_true(str_eqz(t->input_json, "{\"n\":1}"));
        assert_true(str_eqz(t->status, "leased"));
        assert_true(str_eqz(t->worker, "w1"));
        assert_true(t->lease_expires_at > T0);
        assert_true(!t->next || memcmp(t->task_id.b, t->next->task_id.b, 16) < 0);
    }
    if (l.rows && id) {
        *id = l.rows->task_id;
        *attempt = l.rows->attempt;
    }
    if (l.rows)
        assert_int_equal(l.next_due_at, 0);
    store_req_deinit(&l.req);
    return count;
}

static int task_beat(struct rig *r, struct id id, int64_t attempt)
{
    RIG_REQ(store_task_heartbeat, h, STORE_TASK_HEARTBEAT);
    h.task_id = id;
    h.attempt = attempt;
    int status = rig_run(r, &h.req);
    if (status == 0)
        assert_true(h.lease_expires_at > T0);
    store_req_deinit(&h.req);
    return status;
}

static void a_task_is_leased_to_one_worker(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0), got = {{0}};
    struct id tasks[3];
    int64_t attempt = 0;

    for (int i = 0; i < 3; i++)
        tasks[i] = task_put(r, session, "q", 600000);
    task_put(r, session, "other", 600000);
    assert_int_equal(task_beat(r, tasks[0], 0), ERR_STALE); /* nobody has it */
    assert_int_equal(task_lease(r, "q", 2, &got, &attempt), 2);
    assert_true(id_eq(got, tasks[0]));
    assert_int_equal(attempt, 1);
    assert_int_equal(task_lease(r, "q", 5, &got, &attempt), 1);
    assert_true(id_eq(got, tasks[2]));

    RIG_REQ(store_task_lease, l, STORE_TASK_LEASE);
    l.queue = STR("q");
    l.max = 1;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_null(l.rows);
    assert_true(l.next_due_at > T0);
    store_req_deinit(&l.req);
    assert_int_equal(task_lease(r, "nothing", 1, NULL, NULL), 0);

    assert_int_equal(task_beat(r, tasks[0], 1), 0);
    assert_int_equal(task_beat(r, tasks[0], 0), 0);
    assert_int_equal(task_beat(r, tasks[0], 2), ERR_STALE);

    RIG_REQ(store_task_get, g, STORE_TASK_GET);
    g.task_id = tasks[0];
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(id_eq(g.row.session_id, session));
    assert_true(str_eqz(g.row.node_id, "work"));
    assert_int_equal(g.row.heartbeat_ms, 600000);
    store_req_deinit(&g.req);

    struct rig_delta x; /* done: it is gone, whoever has it */
    struct id_list done = {NULL, tasks[0]};
    work_delta(&x, session);
    x.d.tasks_done = &done;
    work_commit(r, &x);
    assert_int_equal(task_beat(r, tasks[0], 1), ERR_NOT_FOUND);
    RIG_REQ(store_task_get, none, STORE_TASK_GET);
    none.task_id = tasks[0];
    assert_int_equal(rig_run(r, &none.req), ERR_NOT_FOUND);
    store_req_deinit(&none.req);
}

static void a_lost_workers_task_returns(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0), task = task_put(r, session, "q", 0);
    struct id got;
    int64_t attempt;

    assert_int_equal(task_lease(r, "q", 1, &got, &attempt), 1); /* of no length: over at once */
    assert_int_equal(attempt, 1);
    assert_int_equal(task_beat(r, task, 1), 0); /* nobody else has it yet */
    assert_int_equal(task_lease(r, "q", 1, &got, &attempt), 1);
    assert_true(id_eq(got, task));
    assert_int_equal(attempt, 2);
    assert_int_equal(task_beat(r, task, 1), ERR_STALE);
    assert_int_equal(task_beat(r, task, 2), 0);
}

static void a_paused_sessions_tasks_are_kept_back(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    struct session_core core = rig_core("paused");
    struct rig_delta x;

    task_put(r, session, "q", 600000);
    work_delta(&x, session);
    x.d.core = &core;
    work_commit(r, &x);
    assert_int_equal(task_lease(r, "q", 1, NULL, NULL), 0);
    core = rig_core("running");
    work_delta(&x, session);
    x.d.core = &core;
    work_commit(r, &x);
    assert_int_equal(task_lease(r, "q", 1, NULL, NULL), 1);
}

static void what_hangs_on_a_session_goes_with_it(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0), task = task_put(r, session, "q", 1000);
    struct interrupt_row interrupt = interrupt_of(r, T0 + 1, "form");
    struct file_row file = {.path = STR("a"), .version = 1, .content = STR("x"), .size = 1};
    struct rig_delta x;

    work_delta(&x, session);
    x.d.interrupts = &interrupt;
    x.d.files = &file;
    work_commit(r, &x);
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = session;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    assert_int_equal(task_beat(r, task, 0), ERR_NOT_FOUND);
    interrupt_list(r, NULL, NULL, (struct id){{0}}, "");
    RIG_REQ(store_file_list, l, STORE_FILE_LIST);
    l.session_id = session;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_null(l.rows);
    store_req_deinit(&l.req);
}

/* ---- files ---- */

static void file_put(struct rig *r, struct id session, const char *path, int64_t version,
                     struct str content, int64_t from, bool deleted)
{
    struct file_row row = {.path = str_of(path),
                           .version = version,
                           .from_version = from,
                           .author = STR("writer"),
                           .reason = STR("because"),
                           .media_type = STR("text/plain"),
                           .content = content,
                           .size = from ? 5 : (int64_t)content.n,
                           .seq = 10 * version,
                           .deleted = deleted,
                           .created_at = T0 + version};
    struct rig_delta x;

    work_delta(&x, session);
    x.d.files = &row;
    work_commit(r, &x);
}

/* All pages: "path@version ". */
static void file_list(struct rig *r, struct id session, const char *path, int64_t until,
                      const char *expected)
{
    char out[256] = "", cursor[512] = "";

    do {
        RIG_REQ(store_file_list, l, STORE_FILE_LIST);
        l.session_id = session;
        l.path = str_of(path);
        l.until_seq = until;
        l.limit = 2;
        l.cursor = str_of(cursor);
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct file_row *f = l.rows; f; f = f->next) {
            size_t n = strlen(out);
            snprintf(out + n, sizeof(out) - n, "%.*s@%lld ", STR_FMT(f->path),
                     (long long)f->version);
            assert_null(f->content.p);
        }
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
    assert_string_equal(out, expected);
}

static void file_expect(struct rig *r, struct id session, const char *path, int64_t version,
                        struct str content)
{
    RIG_REQ(store_file_get, g, STORE_FILE_GET);
    g.session_id = session;
    g.path = str_of(path);
    g.version = version;
    int status = rig_run(r, &g.req);
    if (!content.p) {
        assert_int_equal(status, ERR_NOT_FOUND);
    } else {
        assert_int_equal(status, 0);
        assert_true(str_eq(g.row.content, content));
        assert_int_equal(g.row.size, content.n);
        assert_true(str_eqz(g.row.author, "writer"));
        assert_true(str_eqz(g.row.media_type, "text/plain"));
    }
    store_req_deinit(&g.req);
}

static void files_have_versions(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    const struct str bytes = {"\0\xff\"x\n", 5};

    file_put(r, session, "b/long name.md", 1, bytes, 0, false);
    file_put(r, session, "b/long name.md", 2, STR("second"), 0, false);
    file_put(r, session, "b/long name.md", 3, STR_NULL, 1, false);
    file_put(r, session, "B", 1, STR(""), 0, false);
    file_put(r, session, "gone", 1, STR("here"), 0, false);
    file_put(r, session, "gone", 2, STR_NULL, 0, true);
    file_put(r, session, "z", 1, STR("z"), 0, false);

    file_list(r, session, NULL, 0, "B@1 b/long name.md@3 z@1 ");
    file_list(r, session, NULL, 10, "B@1 b/long name.md@1 gone@1 z@1 ");
    file_list(r, session, "b/long name.md", 0,
              "b/long name.md@3 b/long name.md@2 b/long name.md@1 ");
    file_list(r, session, "gone", 15, "gone@1 ");
    file_list(r, rig_id(r, T0), NULL, 0, "");

    file_expect(r, session, "b/long name.md", 1, bytes);
    file_expect(r, session, "b/long name.md", 2, STR("second"));
    file_expect(r, session, "b/long name.md", 3, bytes);
    file_expect(r, session, "b/long name.md", 0, bytes);
    file_expect(r, session, "b/long name.md", 4, STR_NULL);
    file_expect(r, session, "B", 0, STR(""));
    file_expect(r, session, "gone", 0, STR_NULL);
    file_expect(r, session, "gone", 1, STR("here"));
    file_expect(r, session, "gone", 2, STR(""));
    file_expect(r, session, "none", 0, STR_NULL);

    RIG_REQ(store_file_list, bad, STORE_FILE_LIST);
    bad.session_id = session;
    bad.cursor = STR("bm90aGluZw");
    assert_int_equal(rig_run(r, &bad.req), ERR_INVALID);
    store_req_deinit(&bad.req);
}

/* ---- the session that somebody works on ---- */

static void active_put(struct rig *r, const char *workspace, const char *user, struct id id)
{
    RIG_REQ(store_active_put, p, STORE_ACTIVE_PUT);
    p.workspace = workspace ? str_of(workspace) : STR_NULL;
    p.user_id = str_of(user);
    p.session_id = id;
    p.now_ms = T0;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

static void active_expect(struct rig *r, const char *workspace, const char *user, struct id id)
{
    RIG_REQ(store_active_get, g, STORE_ACTIVE_GET);
    g.workspace = workspace ? str_of(workspace) : STR_NULL;
    g.user_id = str_of(user);
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(id_eq(g.session_id, id));
    store_req_deinit(&g.req);
}

static void everybody_has_one_active_session(void **state)
{
    struct rig *r = *state;
    struct id a = rig_id(r, T0), b = rig_id(r, T0 + 1), none = {{0}};
    active_expect(r, NULL, "ann", none);
    active_expect(r, "nowhere", "ann", none);
    active_put(r, NULL, "ann", none); /* there is nothing to take away */
    active_put(r, NULL, "ann", a);
    active_put(r, NULL, "\xe8\xaf\x84 \"x\"", b);
    active_put(r, "other", "ann", b);
    active_expect(r, NULL, "ann", a);
    active_expect(r, "default", "ann", a);
    active_expect(r, NULL, "\xe8\xaf\x84 \"x\"", b);
    active_expect(r, "other", "ann", b);
    active_put(r, NULL, "ann", b);
    active_expect(r, NULL, "ann", b);
    active_put(r, NULL, "ann", none);
    active_expect(r, NULL, "ann", none);
    active_expect(r, "other", "ann", b);
    active_expect(r, NULL, "an", none);
}

/* ---- what is stored packed ---- */

#define WAIT_ID "018bcfe5-6801-7700-a789-006cb74f40d3"
#define WAIT_ASKS                                                                                  \
    "{\"interrupt_id\":\"" WAIT_ID                                                                 \
    "\",\"kind\":\"approve_reject\",\"reason\":\"Is this all right?\","                            \
    "\"actions\":[\"approve\",\"reject\"],\"expires_at\":null}"
#define WAIT_STATE                                                                                 \
    "{\"v\":1,\"nodes\":3,\"edges\":2,\"runs\":{\"review\":{\"phase\":\"suspended\",\"run\":"      \
    "\"" WAIT_ID                                                                                   \
    "\"}},\"live\":[0],\"fresh\":[],\"ready\":[],\"queued\":[],\"loops\":{},\"frozen\":[]}"

/* Nothing was used, which has a short form as well. */
#define WAIT_USAGE STR("{\"input_tokens\":0,\"output_tokens\":0,\"cost_usd\":null}")

struct wait {
    struct rig_delta x;
    struct run_row run;
    struct interrupt_row interrupt;
};

/* A step of an old session that leaves it waiting, or ends it: the same texts in both. */
static void wait_step(struct rig *r, struct wait *w, struct id session, int64_t first, bool ends)
{
    static struct id run, interrupt;

    if (first == 2) {
        run = rig_id(r, T0 + 1);
        interrupt = rig_id(r, T0 + 2);
    }
    rig_events(&w->x, session, first, first + 1);
    buf_clear(&w->x.d.events);
    for (int64_t seq = first; seq <= first + 1; seq++)
        buf_printf(&w->x.d.events,
                   "%s{\"seq\":%lld,\"session_id\":\"" WAIT_ID "\",\"data\":" WAIT_ASKS "}",
                   seq > first ? "\n" : "", (long long)seq);
    w->x.core = rig_core(ends ? "completed" : "running");
    w->x.core.busy = false;
    w->x.core.ended_at = ends ? T0 + 90 : 0;
    w->x.core.last_seq = first + 1;
    w->x.core.waiting_json = STR("[" WAIT_ASKS "]");
    w->x.core.state_json = STR(WAIT_STATE);
    w->x.core.usage_json = WAIT_USAGE;
    w->x.d.core = &w->x.core;
    w->run = (struct run_row){.run_id = run,
                              .node_id = STR("review"),
                              .iteration = 1,
                              .attempt = 1,
                              .status = ends ? STR("completed") : STR("suspended"),
                              .started_at = T0 + 1,
                              .ended_at = ends ? T0 + 90 : 0,
                              .interrupt_json = STR(WAIT_ASKS)};
    w->x.d.runs = &w->run;
    w->interrupt = (struct interrupt_row){.interrupt_id = interrupt,
                                          .run_id = run,
                                          .node_id = STR("review"),
                                          .kind = STR("approve_reject"),
                                          .status = STR("pending"),
                                          .request_json = STR(WAIT_ASKS),
                                          .created_at = T0 + 2,
                                          .updated_at = T0 + 2};
    w->x.d.interrupts = &w->interrupt;
}

static void wait_expect(struct rig *r, struct id session, int64_t last)
{
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = session;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_str(l.row.core.waiting_json, "[" WAIT_ASKS "]");
    assert_str(l.row.core.state_json, WAIT_STATE);
    assert_true(str_eq(l.row.core.usage_json, WAIT_USAGE));
    assert_str(l.runs->interrupt_json, WAIT_ASKS);
    assert_int_equal(l.row.core.last_seq, last);
    store_req_deinit(&l.req);

    RIG_REQ(store_session_list, s, STORE_SESSION_LIST);
    assert_int_equal(rig_run(r, &s.req), 0);
    assert_str(s.rows->row.core.waiting_json, "[" WAIT_ASKS "]");
    assert_null(s.corrupt);
    store_req_deinit(&s.req);

    RIG_REQ(store_runs_list, n, STORE_RUNS_LIST);
    n.session_id = session;
    assert_int_equal(rig_run(r, &n.req), 0);
    assert_str(n.rows->interrupt_json, WAIT_ASKS);
    store_req_deinit(&n.req);

    RIG_REQ(store_interrupt_list, i, STORE_INTERRUPT_LIST);
    i.session_id = session;
    assert_int_equal(rig_run(r, &i.req), 0);
    assert_str(i.rows->row.request_json, WAIT_ASKS);
    store_req_deinit(&i.req);

    RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
    e.session_id = session;
    e.after = 1;
    e.bytes_max = 1 << 20;
    assert_int_equal(rig_run(r, &e.req), 0);
    int64_t seq = 1;
    for (struct event_row *row = e.rows; row; row = row->next) {
        assert_int_equal(row->seq_first, seq + 1);
        assert_non_null(memmem(row->frames.p, row->frames.n,
                               WAIT_ASKS "}\n{\"seq\":", strlen(WAIT_ASKS "}\n{\"seq\":")));
        seq = row->seq_last;
    }
    assert_int_equal(seq, last);
    store_req_deinit(&e.req);
}

#define PACKED_QUICKLY "SELECT count(*) FROM session_events WHERE get_byte(frames_packed, 0) = 2"

static void what_waits_reads_back_as_it_was(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    struct wait w;

    for (int64_t step = 0; step < 3; step++) {
        wait_step(r, &w, session, 2 + 2 * step, step == 2);
        assert_int_equal(rig_commit(r, &w.x, NULL), 0);
        /* Packed anew it is the same, and counts as written. */
        assert_int_equal(rig_commit(r, &w.x, NULL), 0);
        rig_delta_deinit(&w.x);
        wait_expect(r, session, 3 + 2 * step);
        if (!r->postgres)
            continue;
        /* Those of the wait are in their shortest form; of the end only the events, quickly. */
        assert_int_equal(pg_rig_ask(r->url,
                                    "SELECT (SELECT count(frames_packed) FROM session_events)"
                                    " + (SELECT count(core_packed) FROM sessions)"
                                    " + (SELECT count(interrupt_packed) FROM node_runs)"
                                    " + (SELECT count(request_packed) FROM interrupts)"),
                         step == 2 ? 3 + 1 : step + 4);
        assert_int_equal(pg_rig_ask(r->url, PACKED_QUICKLY), step == 2);
    }
}

/* A new session that waits: `start` has ended, `review` asks, `long` has progress and so a row. */
static void first_commit(struct rig *r, struct wait *w, struct run_row runs[4])
{
    rig_new_session(r, &w->x, "running", T0);
    w->x.core.busy = false;
    w->x.core.waiting_json = STR("[" WAIT_ASKS "]");
    w->x.core.state_json = STR(WAIT_STATE);
    w->x.core.node_statuses_json = STR("{\"start\":\"completed\",\"review\":\"suspended\"}");
    for (int i = 0; i < 4; i++)
        runs[i] = (struct run_row){.next = i < 3 ? &runs[i + 1] : NULL,
                                   .run_id = rig_id(r, T0 + i),
                                   .kind = STR("start"),
                                   .iteration = 1,
                                   .attempt = 1,
                                   .started_at = T0 + 1};
    runs[0].node_id = STR("start");
    runs[0].status = STR("completed");
    runs[0].ended_at = T0 + 2;
    runs[0].output_json = STR("{\"n\":[1,\"\\u00fc\"]}");
    runs[0].branch = STR("\xc3\xbc \"b\"");
    runs[1].node_id = STR("review");
    runs[1].status = STR("running"); /* in the same turn it came to ask */
    runs[2] = runs[1];
    runs[2].next = &runs[3];
    runs[2].status = STR("suspended");
    runs[2].interrupt_json = STR(WAIT_ASKS);
    runs[3].node_id = STR("long");
    runs[3].status = STR("suspended");
    runs[3].progress_json = STR("{\"call\":1}");
    w->x.d.runs = runs;
}

/* By pages of one run. */
static void runs_expect(struct rig *r, struct id session, const struct run_row *want, int count)
{
    struct str cursor = STR_NULL;
    struct arena a;

    arena_init(&a);
    for (int i = 0; i < count; i++) {
        RIG_REQ(store_runs_list, n, STORE_RUNS_LIST);
        n.session_id = session;
        n.limit = 1;
        n.cursor = cursor;
        assert_int_equal(rig_run(r, &n.req), 0);
        assert_true(id_eq(n.rows->run_id, want[i].run_id));
        assert_true(str_eq(n.rows->node_id, want[i].node_id));
        assert_true(str_eq(n.rows->status, want[i].status));
        assert_true(str_eq(n.rows->branch, want[i].branch));
        assert_true(str_eq(n.rows->output_json, want[i].output_json));
        assert_true(str_eq(n.rows->interrupt_json, want[i].interrupt_json));
        assert_int_equal(n.rows->ended_at, want[i].ended_at);
        assert_null(n.rows->next);
        assert_int_equal(n.next_cursor.p != NULL, i < count - 1);
        cursor =
            (struct str){n.next_cursor.p ? arena_strdup(&a, n.next_cursor) : NULL, n.next_cursor.n};
        store_req_deinit(&n.req);
    }
    arena_deinit(&a);
}

static void loaded_expect(struct rig *r, struct id session, const struct run_row *want, int count)
{
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = session;
    assert_int_equal(rig_run(r, &l.req), 0);
    for (const struct run_row *run = l.runs; run; run = run->next, want++, count--) {
        assert_true(count > 0);
        assert_true(id_eq(run->run_id, want->run_id));
        assert_true(str_eq(run->status, want->status));
        assert_true(str_eq(run->progress_json, want->progress_json));
    }
    assert_int_equal(count, 0);
    store_req_deinit(&l.req);
}

/* What the first commit leaves is in the session's row, until it moves on. */
static void the_first_runs_go_with_their_session(void **state)
{
    struct rig *r = *state;
    struct run_row runs[4], want[3], later[2];
    struct errbuf e = {""};
    struct wait w;

    first_commit(r, &w, runs);
    struct id session = w.x.d.session_id;
    assert_int_equal(rig_commit(r, &w.x, NULL), 0);
    rig_delta_deinit(&w.x);
    want[0] = runs[0];
    want[1] = runs[2];
    want[2] = runs[3];
    if (r->postgres)
        assert_int_equal(pg_rig_ask(r->url, "SELECT count(*) FROM node_runs"), 1);
    runs_expect(r, session, want, 3);
    loaded_expect(r, session, want, 3);

    /* `review` is answered, and asks once more: of its first iteration nothing is loaded. */
    rig_events(&w.x, session, 2, 2);
    want[1].status = STR("completed");
    want[1].ended_at = T0 + 9;
    later[0] = want[1];
    later[1] = runs[2];
    later[1].run_id = rig_id(r, T0 + 10);
    later[1].iteration = 2;
    later[0].next = &later[1];
    later[1].next = NULL;
    w.x.d.runs = later;
    assert_int_equal(rig_commit(r, &w.x, NULL), 0);
    rig_delta_deinit(&w.x);
    struct run_row all[] = {want[0], want[1], want[2], later[1]};
    struct run_row newest[] = {want[0], want[2], later[1]};
    runs_expect(r, session, all, 4);
    loaded_expect(r, session, newest, 3);

    /* Over the way back to rows of their own, and on again. */
    if (!r->postgres && !r->sqlite)
        return;
    rig_close_store(r);
    assert_int_equal(r->sqlite ? sqlite_migrate(r->dir, 8, NULL, NULL, &e)
                               : pg_migrate(r->url, 11, NULL, NULL, &e),
                     0);
    rig_open_store(r);
    if (r->postgres)
        assert_int_equal(pg_rig_ask(r->url, "SELECT count(*) FROM node_runs"), 4);
    runs_expect(r, session, all, 4);
    loaded_expect(r, session, newest, 3);

    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = session;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_str(g.row.core.waiting_json, "[" WAIT_ASKS "]");
    assert_str(g.row.core.node_statuses_json, "{\"start\":\"completed\",\"review\":\"suspended\"}");
    store_req_deinit(&g.req);
}

static void frames_expect(struct rig *r, struct id session, struct str frames)
{
    RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
    e.session_id = session;
    e.bytes_max = 1 << 20;
    assert_int_equal(rig_run(r, &e.req), 0);
    assert_true(str_eq(e.rows->frames, frames));
    assert_null(e.rows->next);
    store_req_deinit(&e.req);
}

/* What ends with its first commit has no rows for its runs, and its events are packed. */
static void what_ends_at_once_is_one_row(void **state)
{
    struct rig *r = *state;
    struct run_row runs[4], want[2];
    struct errbuf e = {""};
    struct wait w;

    first_commit(r, &w, runs);
    w.x.core.waiting_json = STR_NULL;
    w.x.core.status = STR("completed");
    w.x.core.ended_at = T0 + 9;
    runs[2].status = STR("completed");
    runs[2].ended_at = T0 + 9;
    runs[2].next = NULL;
    buf_clear(&w.x.d.events);
    buf_append_z(&w.x.d.events, "{\"seq\":1,\"session_id\":\"" WAIT_ID "\",\"type\":"
                                "\"session_state_change\",\"data\":" WAIT_ASKS "}");
    struct id session = w.x.d.session_id;
    assert_int_equal(rig_commit(r, &w.x, NULL), 0);
    assert_int_equal(rig_commit(r, &w.x, NULL), 0); /* the same once more, which is known */
    want[0] = runs[0];
    want[1] = runs[2];
    if (r->postgres) {
        assert_int_equal(pg_rig_ask(r->url, "SELECT count(*) FROM node_runs"), 0);
        assert_int_equal(pg_rig_ask(r->url, PACKED_QUICKLY), 1);
    }
    runs_expect(r, session, want, 2);
    frames_expect(r, session, buf_str(&w.x.d.events));

    /* Over the way back, which a server of before could read, and on again. */
    if (r->postgres || r->sqlite) {
        rig_close_store(r);
        assert_int_equal(r->sqlite ? sqlite_migrate(r->dir, 10, NULL, NULL, &e)
                                   : pg_migrate(r->url, 12, NULL, NULL, &e),
                         0);
        rig_open_store(r);
        if (r->postgres) {
            assert_int_equal(pg_rig_ask(r->url, "SELECT count(*) FROM node_runs"), 2);
            assert_int_equal(pg_rig_ask(r->url, "SELECT count(runs_packed) FROM sessions"), 0);
            assert_int_equal(pg_rig_ask(r->url, PACKED_QUICKLY), 0);
        }
        runs_expect(r, session, want, 2);
        frames_expect(r, session, buf_str(&w.x.d.events));
    }
    rig_delta_deinit(&w.x);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(progress_is_kept_while_a_run_is_under_way),
        EVERY(a_session_knows_its_parent),
        EVERY(interrupts_are_listed_over_all_sessions),
        EVERY(a_task_is_leased_to_one_worker),
        EVERY(a_lost_workers_task_returns),
        EVERY(a_paused_sessions_tasks_are_kept_back),
        EVERY(what_hangs_on_a_session_goes_with_it),
        EVERY(files_have_versions),
        EVERY(everybody_has_one_active_session),
        EVERY(what_waits_reads_back_as_it_was),
        EVERY(the_first_runs_go_with_their_session),
        EVERY(what_ends_at_once_is_one_row),
    };
    return RIG_RUN_TESTS(tests);
}
