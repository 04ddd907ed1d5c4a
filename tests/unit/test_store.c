/* What every store must do: each test runs over SQLite, PostgreSQL and the one in memory. */
#include "test_store_rig.h"

/* ---- commits ---- */

static void a_new_session_reads_back(void **state)
{
    struct rig *r = *state;
    struct rig_delta x;

    rig_new_session(r, &x, "running", T0);
    x.meta.group_id = STR("g");
    x.meta.user_id = STR("u");
    x.meta.budget_json = STR("{\"tokens\":10}");
    x.core.reason = STR("because");
    x.core.output_json = STR("{\"o\":1}");
    x.core.error_json = STR("{\"code\":\"x\"}");
    x.core.ended_at = T0 + 9;
    assert_int_equal(rig_commit(r, &x, NULL), 0);

    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = x.d.session_id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(id_eq(g.row.id, x.d.session_id));
    assert_int_equal(g.row.version, 1);
    assert_int_equal(g.row.epoch, 1);
    assert_int_equal(g.row.created_at, T0);
    assert_str(g.row.meta.workspace, "default");
    assert_str(g.row.meta.name, "A session");
    assert_str(g.row.meta.group_id, "g");
    assert_str(g.row.meta.user_id, "u");
    assert_str(g.row.meta.tags_json, "[\"red\",\"bl\\u00fce\"]");
    assert_str(g.row.meta.metadata_json, "{\"a\":1}");
    assert_str(g.row.meta.input_json, "{\"topic\":\"tea\"}");
    assert_str(g.row.meta.budget_json, "{\"tokens\":10}");
    assert_null(g.row.meta.workflow_id.p);
    assert_str(g.row.meta.graph_json, "{\"nodes\":{}}");
    assert_null(g.row.core.state_json.p);
    assert_str(g.row.core.status, "running");
    assert_str(g.row.core.reason, "because");
    assert_str(g.row.core.output_json, "{\"o\":1}");
    assert_str(g.row.core.error_json, "{\"code\":\"x\"}");
    assert_str(g.row.core.node_statuses_json, "{\"start\":\"completed\"}");
    assert_str(g.row.core.waiting_json, "[]");
    assert_str(g.row.core.usage_json, "{\"input_tokens\":1}");
    assert_str(g.row.core.vars_json, "{}");
    assert_int_equal(g.row.core.last_seq, 1);
    assert_true(g.row.core.busy);
    assert_int_equal(g.row.core.started_at, T0 + 1);
    assert_int_equal(g.row.core.updated_at, T0 + 2);
    assert_int_equal(g.row.core.ended_at, T0 + 9);
    store_req_deinit(&g.req);
    rig_delta_deinit(&x);
}

static void a_session_belongs_to_its_workspace(void **state)
{
    struct rig *r = *state;
    struct rig_delta x;

    rig_new_session(r, &x, "running", T0);
    x.meta.workspace = STR("other");
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    static const struct {
        const char *workspace;
        int status;
    } table[] = {{NULL, 0}, {"other", 0}, {"default", ERR_NOT_FOUND}, {"no", ERR_NOT_FOUND}};
    for (size_t i = 0; i < ROWS(table); i++) {
        RIG_REQ(store_session_get, g, STORE_SESSION_GET);
        g.id = x.d.session_id;
        g.workspace = str_of(table[i].workspace);
        assert_int_equal(rig_run(r, &g.req), table[i].status);
        store_req_deinit(&g.req);
    }
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = x.d.session_id;
    d.workspace = STR("default");
    assert_int_equal(rig_run(r, &d.req), ERR_NOT_FOUND);
    store_req_deinit(&d.req);
    rig_delta_deinit(&x);
}

static void a_step_changes_the_core_alone(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct rig_delta x;

    rig_events(&x, id, 2, 4);
    x.core = rig_core("paused");
    x.core.last_seq = 4;
    x.core.node_statuses_json = STR("{\"n\":\"suspended\"}");
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    rig_events(&x, id, 5, 7); /* tokens: no session row */
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);

    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_str(g.row.core.status, "paused");
    assert_str(g.row.core.node_statuses_json, "{\"n\":\"suspended\"}");
    assert_false(g.row.core.busy);
    assert_int_equal(g.row.core.last_seq, 7);
    assert_str(g.row.meta.input_json, "{\"topic\":\"tea\"}");
    assert_int_equal(g.row.version, 1);
    store_req_deinit(&g.req);
}

static int64_t last_seq_of(struct rig *r, struct id id)
{
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = id;
    assert_int_equal(rig_run(r, &g.req), 0);
    int64_t seq = g.row.core.last_seq;
    store_req_deinit(&g.req);
    return seq;
}

static uint64_t claim(struct rig *r, struct id id)
{
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = id;
    l.claim_for = rig_id(r, T0);
    assert_int_equal(rig_run(r, &l.req), 0);
    uint64_t epoch = l.row.epoch;
    store_req_deinit(&l.req);
    return epoch;
}

static void a_late_owner_is_refused_and_the_others_are_written(void **state)
{
    struct rig *r = *state;
    struct id mine = rig_session(r, "running", T0), lost = rig_session(r, "running", T0 + 1);
    struct rig_delta x[3];

    assert_int_equal(claim(r, lost), 2);
    rig_events(&x[0], mine, 2, 2);
    rig_events(&x[1], lost, 2, 2);
    x[1].d.epoch = 1;
    rig_new_session(r, &x[2], "running", T0 + 2);
    struct delta *const deltas[] = {&x[0].d, &x[1].d, &x[2].d};
    bool refused[] = {true, false, true};
    assert_int_equal(rig_commit_many(r, deltas, 3, refused), 0);
    assert_false(refused[0]);
    assert_true(refused[1]);
    assert_false(refused[2]);
    assert_int_equal(last_seq_of(r, mine), 2);
    assert_int_equal(last_seq_of(r, lost), 1);
    assert_int_equal(last_seq_of(r, x[2].d.session_id), 1);
    x[1].d.epoch = 2;
    assert_int_equal(rig_commit(r, &x[1], NULL), 0);
    assert_int_equal(last_seq_of(r, lost), 2);
    for (int i = 0; i < 3; i++)
        rig_delta_deinit(&x[i]);
}

static void a_commit_may_be_repeated(void **state)
{
    struct rig *r = *state;
    struct idempotency_row key = {.workspace = STR("default"),
                                  .key = STR("once"),
                                  .http_status = 202,
                                  .body_json = STR("{}"),
                                  .created_at = T0};
    struct rig_delta x;

    rig_new_session(r, &x, "running", T0);
    x.d.idempotency = &key;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(rig_commit(r, &x, NULL), 0); /* the same rows: written before */
    struct id id = x.d.session_id;
    rig_delta_deinit(&x);

    rig_events(&x, id, 2, 3);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(last_seq_of(r, id), 3);
    rig_delta_deinit(&x);

    bool refused;
    rig_events(&x, id, 3, 3); /* other events under a number that is taken */
    buf_clear(&x.d.events);
    buf_append_z(&x.d.events, "{\"seq\":3,\"of\":\"another\"}");
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    rig_delta_deinit(&x);
}

static void what_cannot_be_written_is_refused_whole(void **state)
{
    struct rig *r = *state;
    struct idempotency_row key = {.key = STR("once"), .body_json = STR("{}"), .created_at = T0};
    struct rig_delta x;
    bool refused;

    rig_new_session(r, &x, "running", T0);
    x.d.idempotency = &key;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    struct id first = x.d.session_id;
    rig_delta_deinit(&x);

    /* The id exists; the key exists; the session does not. */
    rig_new_session(r, &x, "paused", T0 + 1);
    x.d.session_id = first;
    buf_append_z(&x.d.events, "\n{\"seq\":2}");
    x.d.seq_last = 2;
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    assert_int_equal(last_seq_of(r, first), 1);
    rig_delta_deinit(&x);

    rig_new_session(r, &x, "running", T0 + 2);
    x.d.idempotency = &key;
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = x.d.session_id;
    assert_int_equal(rig_run(r, &g.req), ERR_NOT_FOUND);
    store_req_deinit(&g.req);

    rig_delta_deinit(&x);
    rig_events(&x, rig_id(r, T0 + 3), 1, 1);
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    rig_delta_deinit(&x);
}

/* ---- events ---- */

static void events_are_read_after_a_number(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0); /* 1 */
    struct rig_delta x;

    rig_events(&x, id, 2, 5);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    rig_events(&x, id, 6, 6);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);

    static const struct {
        int64_t after;
        int limit;
        size_t bytes;
        int64_t first, last; /* of all rows that came; 0: none */
    } table[] = {
        {0, 100, 1000, 1, 6},  {1, 100, 1000, 2, 6},  {3, 100, 1000, 2, 6}, {5, 100, 1000, 6, 6},
        {6, 100, 1000, 0, 0},  {99, 100, 1000, 0, 0}, {0, 1, 1000, 1, 1},   {0, 2, 1000, 1, 5},
        {3, 2, 1000, 2, 5},    {3, 3, 1000, 2, 6},    {0, 100, 1, 1, 1},    {0, 100, 10, 1, 5},
        {-1, 100, 1000, 1, 6},
    };
    for (size_t i = 0; i < ROWS(table); i++) {
        RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
        e.session_id = id;
        e.after = table[i].after;
        e.limit = table[i].limit;
        e.bytes_max = table[i].bytes;
        assert_int_equal(rig_run(r, &e.req), 0);
        assert_int_equal(e.first_seq_held, 1);
        assert_int_equal(e.last_seq, 6);
        assert_int_equal(e.rows ? e.rows->seq_first : 0, table[i].first);
        int64_t last = 0;
        for (struct event_row *row = e.rows; row; row = row->next) {
            assert_true(last == 0 || row->seq_first == last + 1);
            last = row->seq_last;
        }
        assert_int_equal(last, table[i].last);
        if (e.rows && e.rows->seq_last == 5)
            assert_str(e.rows->frames, "{\"seq\":2}\n{\"seq\":3}\n{\"seq\":4}\n{\"seq\":5}");
        store_req_deinit(&e.req);
    }
    RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
    e.session_id = rig_id(r, T0);
    assert_int_equal(rig_run(r, &e.req), ERR_NOT_FOUND);
    store_req_deinit(&e.req);
}

/* ---- work: runs, effects, timers, withheld inputs ---- */

static struct run_row run_of(struct rig *r, const char *node, int64_t iteration, int64_t attempt)
{
    return (struct run_row){.run_id = rig_id(r, T0),
                            .node_id = str_of(node),
                            .kind = STR("llm"),
                            .iteration = iteration,
                            .attempt = attempt,
                            .status = STR("running"),
                            .started_at = T0};
}

struct work {
    struct rig_delta x;
    struct run_row runs[4];
    struct effect_row effects[2];
    struct timer_row timers[2];
    struct withheld_row withheld[2];
};

/* A session with something of every kind. */
static void work_commit(struct rig *r, struct work *w)
{
    w->runs[0] = run_of(r, "a", 1, 1);
    w->runs[0].status = STR("completed");
    w->runs[0].ended_at = T0 + 1;
    w->runs[1] = run_of(r, "b", 1, 1);
    w->runs[2] = run_of(r, "a", 2, 1);
    w->runs[3] = run_of(r, "a", 2, 2);
    for (int i = 0; i < 3; i++)
        w->runs[i].next = &w->runs[i + 1];
    w->effects[0] =
        (struct effect_row){&w->effects[1], w->runs[1].run_id, STR("model"), STR("{\"m\":1}")};
    w->effects[1] = (struct effect_row){NULL, w->runs[3].run_id, STR("script"), STR("{\"s\":1}")};
    w->timers[0] = (struct timer_row){&w->timers[1], rig_id(r, T0), T0 + 50, STR("{\"p\":1}")};
    w->timers[1] = (struct timer_row){NULL, rig_id(r, T0), T0 + 10, STR("{\"p\":2}")};
    w->withheld[0] = (struct withheld_row){&w->withheld[1], 2, STR("{\"w\":2}")};
    w->withheld[1] = (struct withheld_row){NULL, 1, STR("{\"w\":1}")};
    rig_new_session(r, &w->x, "running", T0);
    w->x.d.runs = w->runs;
    w->x.d.effects_new = w->effects;
    w->x.d.timers_set = w->timers;
    w->x.d.withheld = w->withheld;
    assert_int_equal(rig_commit(r, &w->x, NULL), 0);
}

static void a_load_gives_what_the_engine_needs(void **state)
{
    struct rig *r = *state;
    struct work w;

    work_commit(r, &w);
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = w.x.d.session_id;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_str(l.workflow_json, "{\"nodes\":{}}");
    assert_str(l.row.meta.graph_json, "{\"nodes\":{}}");
    assert_str(l.row.core.state_json, "{\"live\":[]}");
    assert_int_equal(l.row.epoch, 1);
    struct run_row *run = l.runs;
    for (int i = 1; i < 4; i++, run = run->next) { /* the first is of an older iteration */
        assert_non_null(run);
        assert_true(id_eq(run->run_id, w.runs[i].run_id));
        assert_int_equal(run->iteration, w.runs[i].iteration);
        assert_int_equal(run->attempt, w.runs[i].attempt);
    }
    assert_null(run);
    assert_str(l.effects->kind, "model");
    assert_str(l.effects->next->request_json, "{\"s\":1}");
    assert_null(l.effects->next->next);
    assert_str(l.timers->purpose_json, "{\"p\":1}");
    assert_int_equal(l.timers->next->due_at, T0 + 10);
    assert_null(l.timers->next->next);
    assert_str(l.withheld->input_json, "{\"w\":1}");
    assert_int_equal(l.withheld->next->ord, 2);
    assert_null(l.withheld->next->next);
    store_req_deinit(&l.req);
    rig_delta_deinit(&w.x);
}

static void a_step_changes_and_removes_work(void **state)
{
    struct rig *r = *state;
    struct work w;
    struct rig_delta y;

    work_commit(r, &w);
    struct id_list done = {NULL, w.effects[0].run_id}, gone = {NULL, w.timers[0].timer_id};
    struct withheld_row later = {NULL, 3, STR("{\"w\":3}")};
    struct run_row *run = &w.runs[1];
    rig_events(&y, w.x.d.session_id, 2, 2);
    run->next = NULL;
    run->status = STR("completed");
    run->output_json = STR("\"text\"");
    run->interrupt_json = STR("{\"i\":1}");
    run->branch = STR("panel");
    run->ended_at = T0 + 5;
    w.timers[1].due_at = T0 + 99;
    y.d.runs = run;
    y.d.effects_done = &done;
    y.d.timers_done = &gone;
    y.d.timers_set = &w.timers[1];
    y.d.withheld_clear = true;
    y.d.withheld = &later;
    assert_int_equal(rig_commit(r, &y, NULL), 0);

    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = w.x.d.session_id;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_true(id_eq(l.runs->run_id, run->run_id));
    assert_str(l.runs->status, "completed");
    assert_str(l.runs->output_json, "\"text\"");
    assert_str(l.runs->interrupt_json, "{\"i\":1}");
    assert_str(l.runs->branch, "panel");
    assert_int_equal(l.runs->ended_at, T0 + 5);
    assert_str(l.effects->kind, "script");
    assert_null(l.effects->next);
    assert_int_equal(l.timers->due_at, T0 + 99);
    assert_null(l.timers->next);
    assert_int_equal(l.withheld->ord, 3);
    assert_null(l.withheld->next);
    store_req_deinit(&l.req);
    rig_delta_deinit(&y);
    rig_delta_deinit(&w.x);
}

static void runs_are_listed_with_all_attempts(void **state)
{
    struct rig *r = *state;
    struct run_row runs[7];
    struct rig_delta x;

    for (int i = 0; i < 7; i++) {
        runs[i] = run_of(r, "a", 1 + i / 2, 1 + i % 2);
        if (i > 0)
            runs[i - 1].next = &runs[i];
    }
    rig_new_session(r, &x, "running", T0);
    x.d.runs = runs;
    assert_int_equal(rig_commit(r, &x, NULL), 0);

    int seen = 0;
    char cursor[256] = "";
    do {
        RIG_REQ(store_runs_list, l, STORE_RUNS_LIST);
        l.session_id = x.d.session_id;
        l.limit = 3;
        l.cursor = str_of(cursor);
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct run_row *row = l.rows; row; row = row->next)
            assert_true(id_eq(row->run_id, runs[seen++].run_id));
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
    assert_int_equal(seen, 7);
    rig_delta_deinit(&x);
}

/* By node, agent, role: one that is there, one that is not. */
static void expect_message_filters(struct rig *r, struct id session)
{
    for (int i = 0; i < 6; i++) {
        RIG_REQ(store_messages_list, l, STORE_MESSAGES_LIST);
        struct str *const filters[] = {&l.node_id, &l.agent_id, &l.role};
        l.session_id = session;
        *filters[i % 3] =
            i < 3 ? (struct str[]){STR("judge"), STR("con"), STR("assistant")}[i] : STR("nobody");
        assert_int_equal(rig_run(r, &l.req), 0);
        int found = 0;
        for (struct message_row *row = l.rows; row; row = row->next)
            found++;
        assert_int_equal(found, i == 2 ? 4 : i < 3);
        store_req_deinit(&l.req);
    }
}

static void messages_are_listed_by_time(void **state)
{
    struct rig *r = *state;
    struct message_row m[4];
    struct rig_delta x;

    static const int64_t at[] = {T0 + 2, T0 + 1, T0 + 2, T0 + 3}, seq[] = {5, 4, 3, 6};
    for (int i = 0; i < 4; i++) {
        m[i] = (struct message_row){.message_id = rig_id(r, T0),
                                    .role = STR("assistant"),
                                    .content = STR("text \xe2\x82\xac"),
                                    .seq = seq[i],
                                    .created_at = at[i],
                                    .token_count = 3};
        if (i > 0)
            m[i - 1].next = &m[i];
    }
    m[3].run_id = rig_id(r, T0);
    m[3].node_id = STR("judge");
    m[3].agent_id = STR("con");
    m[3].finish_reason = STR("stop");
    m[3].thinking = STR("hm\xe2\x80\xa6");
    m[3].tool_calls_json = STR("[{\"id\":\"c1\",\"name\":\"http\",\"arguments\":{}}]");
    rig_new_session(r, &x, "running", T0);
    x.d.messages = m;
    assert_int_equal(rig_commit(r, &x, NULL), 0);

    static const int order[] = {1, 2, 0, 3};
    int seen = 0;
    char cursor[256] = "";
    do {
        RIG_REQ(store_messages_list, l, STORE_MESSAGES_LIST);
        l.session_id = x.d.session_id;
        l.limit = 2;
        l.cursor = str_of(cursor);
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct message_row *row = l.rows; row; row = row->next, seen++) {
            const struct message_row *want = &m[order[seen]];
            assert_true(id_eq(row->message_id, want->message_id));
            assert_true(id_eq(row->run_id, want->run_id));
            assert_str(row->content, "text \xe2\x82\xac");
            assert_str(row->role, "assistant");
            assert_int_equal(row->token_count, 3);
            assert_true(str_eq(row->node_id, want->node_id));
            assert_true(str_eq(row->agent_id, want->agent_id));
            assert_true(str_eq(row->finish_reason, want->finish_reason));
            assert_true(str_eq(row->thinking, want->thinking));
            assert_true(str_eq(row->tool_calls_json, want->tool_calls_json));
            assert_true(!row->thinking.p == !want->thinking.p);
        }
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
    assert_int_equal(seen, 4);
    expect_message_filters(r, x.d.session_id);
    rig_delta_deinit(&x);

    RIG_REQ(store_messages_list, l, STORE_MESSAGES_LIST);
    l.session_id = rig_id(r, T0);
    assert_int_equal(rig_run(r, &l.req), ERR_NOT_FOUND);
    store_req_deinit(&l.req);
}

static void busy_sessions_are_found(void **state)
{
    struct rig *r = *state;
    struct id busy[3];

    for (int i = 0; i < 3; i++) {
        busy[i] = rig_session(r, "running", T0 + i);
        rig_session(r, "completed", T0 + i);
    }
    struct id after = {{0}};
    for (int i = 0; i < 3; i += 2) {
        RIG_REQ(store_scan_busy, s, STORE_SCAN_BUSY);
        s.after = after;
        s.limit = 2;
        assert_int_equal(rig_run(r, &s.req), 0);
        int n = i;
        for (struct id_list *id = s.ids; id; id = id->next, n++) {
            assert_true(id_eq(id->id, busy[n]));
            after = id->id;
        }
        assert_int_equal(n, i == 0 ? 2 : 3);
        store_req_deinit(&s.req);
    }
    struct rig_delta x;
    rig_events(&x, busy[1], 2, 2);
    x.core = rig_core("completed");
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    RIG_REQ(store_scan_busy, s, STORE_SCAN_BUSY);
    assert_int_equal(rig_run(r, &s.req), 0);
    assert_true(id_eq(s.ids->id, busy[0]));
    assert_true(id_eq(s.ids->next->id, busy[2]));
    assert_null(s.ids->next->next);
    store_req_deinit(&s.req);
}

static void timers_come_due_in_order(void **state)
{
    struct rig *r = *state;
    static const int64_t due[] = {T0 + 30, T0 + 10, T0 + 20, T0 + 10, T0 + 70};

    for (size_t i = 0; i < ROWS(due); i++) {
        struct timer_row t = {
            .timer_id = rig_id(r, T0), .due_at = due[i], .purpose_json = STR("{}")};
        struct rig_delta x;
        rig_new_session(r, &x, "running", T0 + (int64_t)i);
        x.d.timers_set = &t;
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    static const struct {
        int64_t until;
        int limit, count;
        int64_t next;
    } table[] = {
        {T0 + 9, 10, 0, T0 + 10},  {T0 + 10, 10, 2, T0 + 20}, {T0 + 10, 1, 1, T0 + 10},
        {T0 + 30, 10, 4, T0 + 70}, {T0 + 30, 4, 4, T0 + 70},  {T0 + 30, 3, 3, T0 + 30},
        {T0 + 99, 10, 5, 0},
    };
    for (size_t i = 0; i < ROWS(table); i++) {
        RIG_REQ(store_scan_timers, s, STORE_SCAN_TIMERS);
        s.until = table[i].until;
        s.limit = table[i].limit;
        assert_int_equal(rig_run(r, &s.req), 0);
        int n = 0;
        int64_t last = 0;
        for (struct timer_due *t = s.rows; t; t = t->next, n++) {
            assert_true(t->due_at >= last);
            last = t->due_at;
        }
        assert_int_equal(n, table[i].count);
        assert_int_equal(s.next_due_at, table[i].next);
        store_req_deinit(&s.req);
    }
}

/* ---- sessions ---- */

static void a_session_is_deleted_only_when_asked_rightly(void **state)
{
    struct rig *r = *state;
    struct id live = rig_session(r, "paused", T0), over = rig_session(r, "cancelled", T0 + 1);
    const struct {
        struct id id;
        int64_t version;
        bool terminal_only;
        int status;
    } table[] = {
        {live, 2, false, ERR_STALE}, {live, 1, true, ERR_CONFLICT},
        {live, 1, false, 0},         {live, 0, false, ERR_NOT_FOUND},
        {over, 1, true, 0},          {over, 1, true, ERR_NOT_FOUND},
    };

    for (size_t i = 0; i < ROWS(table); i++) {
        RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
        d.id = table[i].id;
        d.workspace = STR("default");
        d.expected_version = table[i].version;
        d.terminal_only = table[i].terminal_only;
        assert_int_equal(rig_run(r, &d.req), table[i].status);
        store_req_deinit(&d.req);
    }
}

static void a_deleted_session_takes_all_with_it(void **state)
{
    struct rig *r = *state;
    struct work w;

    work_commit(r, &w);
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = w.x.d.session_id;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    RIG_REQ(store_scan_timers, t, STORE_SCAN_TIMERS);
    t.until = INT64_MAX;
    assert_int_equal(rig_run(r, &t.req), 0);
    assert_null(t.rows);
    store_req_deinit(&t.req);

    /* The id may be used again, and finds nothing of the old one. */
    w.x.d.runs = NULL;
    w.x.d.effects_new = NULL;
    w.x.d.timers_set = NULL;
    w.x.d.withheld = NULL;
    assert_int_equal(rig_commit(r, &w.x, NULL), 0);
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = w.x.d.session_id;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_null(l.runs);
    assert_null(l.effects);
    assert_null(l.timers);
    assert_null(l.withheld);
    assert_int_equal(l.row.core.last_seq, 1);
    store_req_deinit(&l.req);
    rig_delta_deinit(&w.x);
}

/* ---- idempotency ---- */

static void an_answer_is_kept_under_its_key(void **state)
{
    struct rig *r = *state;
    static const struct {
        const char *workspace, *key;
        int put, get;
    } table[] = {
        {NULL, "k", 0, 0},
        {"default", "k", ERR_CONFLICT, 0},
        {"other", "k", 0, 0},
        {"other", "K", 0, 0},
    };

    RIG_REQ(store_idempotency_get, none, STORE_IDEMPOTENCY_GET);
    none.workspace = STR("nowhere");
    none.key = STR("k");
    assert_int_equal(rig_run(r, &none.req), ERR_NOT_FOUND);
    store_req_deinit(&none.req);
    for (size_t i = 0; i < ROWS(table); i++) {
        RIG_REQ(store_idempotency_put, p, STORE_IDEMPOTENCY_PUT);
        p.row = (struct idempotency_row){.workspace = str_of(table[i].workspace),
                                         .key = str_of(table[i].key),
                                         .body_hash = {UINT64_MAX, 7},
                                         .http_status = 201,
                                         .body_json = STR("{\"a\":1}"),
                                         .created_at = T0};
        assert_int_equal(rig_run(r, &p.req), table[i].put);
        store_req_deinit(&p.req);
        RIG_REQ(store_idempotency_get, g, STORE_IDEMPOTENCY_GET);
        g.workspace = str_of(table[i].workspace);
        g.key = str_of(table[i].key);
        assert_int_equal(rig_run(r, &g.req), table[i].get);
        assert_true(g.row.body_hash[0] == UINT64_MAX && g.row.body_hash[1] == 7);
        assert_int_equal(g.row.http_status, 201);
        assert_str(g.row.body_json, "{\"a\":1}");
        assert_int_equal(g.row.created_at, T0);
        store_req_deinit(&g.req);
    }
}

static void a_workflow_carries_its_key(void **state)
{
    struct rig *r = *state;

    RIG_REQ(store_idempotency_put, taken, STORE_IDEMPOTENCY_PUT);
    taken.row = (struct idempotency_row){.key = STR("k"), .body_json = STR("{}"), .created_at = T0};
    assert_int_equal(rig_run(r, &taken.req), 0);
    store_req_deinit(&taken.req);
    struct idempotency_row key = {.key = STR("k"), .body_json = STR("{}"), .created_at = T0};
    RIG_REQ(store_workflow_put, p, STORE_WORKFLOW_PUT);
    p.id = STR("w");
    p.graph_json = STR("{}");
    p.now_ms = T0;
    p.idempotency = &key;
    assert_int_equal(rig_run(r, &p.req), ERR_CONFLICT);
    store_req_deinit(&p.req);
    RIG_REQ(store_workflow_get, w, STORE_WORKFLOW_GET);
    w.id = STR("w");
    assert_int_equal(rig_run(r, &w.req), ERR_NOT_FOUND);
    store_req_deinit(&w.req);
    key.key = STR("k2");
    store_req_init(&p.req, STORE_WORKFLOW_PUT, rig_done, NULL);
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
    RIG_REQ(store_idempotency_get, g, STORE_IDEMPOTENCY_GET);
    g.key = STR("k2");
    assert_int_equal(rig_run(r, &g.req), 0);
    store_req_deinit(&g.req);
}

/* ---- the way requests are answered ---- */

struct order {
    struct store_idempotency_put put;
    struct order_log {
        struct store *store;
        int count, submitted;
        struct store_req *order[64];
    } * log;
    struct order *then; /* submitted from within done */
};

static void order_done(struct store_req *req)
{
    struct order *o = req->data;
    struct order_log *log = o->log;

    log->order[log->count++] = req;
    if (o->then)
        store_submit(log->store, &o->then->put.req);
    store_req_deinit(req);
}

static void writes_are_answered_in_order_and_may_submit_more(void **state)
{
    struct rig *r = *state;
    static struct order orders[40];
    static char keys[40][16];
    struct order_log log = {.store = r->store};

    for (int i = 0; i < 40; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%d", i / 2); /* every second one is in conflict */
        orders[i] = (struct order){.log = &log, .then = i < 20 ? &orders[i + 20] : NULL};
        store_req_init(&orders[i].put.req, STORE_IDEMPOTENCY_PUT, order_done, &orders[i]);
        orders[i].put.row = (struct idempotency_row){
            .key = str_of(keys[i]), .body_json = STR("{}"), .created_at = T0};
    }
    for (int i = 0; i < 20; i++)
        store_submit(r->store, &orders[i].put.req);
    while (log.count < 40)
        uv_run(&r->loop, UV_RUN_ONCE);
    for (int i = 0; i < 40; i++) {
        assert_ptr_equal(log.order[i], &orders[i].put.req);
        assert_int_equal(log.order[i]->status, i % 2 ? ERR_CONFLICT : 0);
    }
    struct store_stats stats;
    store_stats(r->store, &stats);
    assert_int_equal(stats.writes, 40);
    assert_int_equal(stats.failures, 0);
}

static void closing_writes_what_waits(void **state)
{
    struct rig *r = *state;
    struct order_log log = {.store = r->store};
    static struct order orders[8];
    static char keys[8][16];

    for (int i = 0; i < 8; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%d", i);
        orders[i] = (struct order){.log = &log};
        store_req_init(&orders[i].put.req, STORE_IDEMPOTENCY_PUT, order_done, &orders[i]);
        orders[i].put.row = (struct idempotency_row){
            .key = str_of(keys[i]), .body_json = STR("{}"), .created_at = T0};
        store_submit(r->store, &orders[i].put.req);
    }
    rig_close_store(r);
    assert_int_equal(log.count, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(orders[i].put.req.status, 0);
    if (!r->sqlite && !r->postgres)
        return; /* the memory is gone with it */
    rig_open_store(r);
    RIG_REQ(store_idempotency_get, g, STORE_IDEMPOTENCY_GET);
    g.key = STR("key7");
    assert_int_equal(rig_run(r, &g.req), 0);
    store_req_deinit(&g.req);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(a_new_session_reads_back),
        EVERY(a_session_belongs_to_its_workspace),
        EVERY(a_step_changes_the_core_alone),
        EVERY(a_late_owner_is_refused_and_the_others_are_written),
        EVERY(a_commit_may_be_repeated),
        EVERY(what_cannot_be_written_is_refused_whole),
        EVERY(events_are_read_after_a_number),
        EVERY(a_load_gives_what_the_engine_needs),
        EVERY(a_step_changes_and_removes_work),
        EVERY(runs_are_listed_with_all_attempts),
        EVERY(messages_are_listed_by_time),
        EVERY(busy_sessions_are_found),
        EVERY(timers_come_due_in_order),
        EVERY(a_session_is_deleted_only_when_asked_rightly),
        EVERY(a_deleted_session_takes_all_with_it),
        EVERY(an_answer_is_kept_under_its_key),
        EVERY(a_workflow_carries_its_key),
        EVERY(writes_are_answered_in_order_and_may_submit_more),
        EVERY(closing_writes_what_waits),
    };
    return RIG_RUN_TESTS(tests);
}
