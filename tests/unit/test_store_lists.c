/* Lists of sessions and workflows, their filters and cursors, over both stores. */
#include "test_store_rig.h"

struct list_case {
    const char *status, *workflow, *group, *user, *tag, *q;
    int64_t after, before;
    const char *expected; /* the sessions' letters, newest first */
};

static void fill_sessions(struct rig *r)
{
    static const struct {
        const char *name, *status, *workflow, *group, *user, *tags;
        int64_t at;
        const char *workspace;
    } table[] = {
        {"a Alpha", "completed", "w1", "g1", "u1", "[\"x\"]", 1, NULL},
        {"b Beta", "completed", "w2", "g1", "u2", "[\"x\",\"y\"]", 2, NULL},
        {"c gamma", "running", "w1", "g2", NULL, "[]", 2, NULL},
        {"d ALPHA two", "failed", NULL, NULL, "u1", "[\"xy\"]", 3, NULL},
        {"e", "running", "w1", "g1", "u1", "[\"y\",\"\\u0078\"]", 4, NULL},
        {"f", "odd word", NULL, NULL, NULL, NULL, 5, NULL},
        {"z elsewhere", "running", "w1", "g1", "u1", "[\"x\"]", 3, "other"},
    };

    for (size_t i = 0; i < ROWS(table); i++) {
        struct rig_delta x;
        rig_new_session(r, &x, table[i].status, T0 + table[i].at);
        x.meta.name = str_of(table[i].name);
        x.meta.workflow_id = str_of(table[i].workflow);
        x.meta.group_id = str_of(table[i].group);
        x.meta.user_id = str_of(table[i].user);
        x.meta.tags_json = str_of(table[i].tags);
        x.meta.workspace = str_of(table[i].workspace);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
}

/* All pages of a list, as letters. */
static void list_letters(struct rig *r, const struct list_case *c, bool ascending, int limit,
                         char out[16])
{
    char cursor[256] = "";
    size_t n = 0;

    do {
        RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
        l.status = str_of(c->status);
        l.workflow_id = str_of(c->workflow);
        l.group_id = str_of(c->group);
        l.user_id = str_of(c->user);
        l.tag = str_of(c->tag);
        l.q = str_of(c->q);
        l.created_after = c->after;
        l.created_before = c->before;
        l.ascending = ascending;
        l.limit = limit;
        l.cursor = str_of(cursor);
        assert_int_equal(rig_run(r, &l.req), 0);
        int rows = 0;
        for (struct session_item *it = l.rows; it; it = it->next, rows++)
            out[n++] = it->row.meta.name.p[0];
        assert_true(rows <= limit);
        assert_true(rows > 0 || n == 0);
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
    out[n] = '\0';
}

static void sessions_are_listed_by_every_filter(void **state)
{
    struct rig *r = *state;

    static const struct list_case table[] = {
        {.expected = "fedcba"},
        {.status = "completed", .expected = "ba"},
        {.status = "odd word", .expected = "f"},
        {.status = "none", .expected = ""},
        {.workflow = "w1", .expected = "eca"},
        {.group = "g1", .expected = "eba"},
        {.user = "u1", .expected = "eda"},
        {.tag = "x", .expected = "eba"},
        {.tag = "xy", .expected = "d"},
        {.q = "alpha", .expected = "da"},
        {.q = "ET", .expected = "b"},
        {.q = "", .expected = "fedcba"},
        {.after = T0 + 2, .expected = "fed"},
        {.before = T0 + 2, .expected = "a"},
        {.after = T0 + 1, .before = T0 + 4, .expected = "dcb"},
        {.status = "running", .workflow = "w1", .user = "u1", .expected = "e"},
        {.status = "completed", .workflow = "w1", .expected = "a"},
        {.user = "u1", .group = "g1", .tag = "y", .expected = "e"},
        {.status = "running", .after = T0 + 2, .expected = "e"},
        {.q = "elsewhere", .expected = ""},
    };
    fill_sessions(r);
    for (size_t i = 0; i < ROWS(table); i++) {
        for (int limit = 1; limit <= 7; limit += 2) {
            char down[16], up[16];
            list_letters(r, &table[i], false, limit, down);
            assert_string_equal(down, table[i].expected);
            list_letters(r, &table[i], true, limit, up);
            size_t n = strlen(down);
            assert_int_equal(strlen(up), n);
            for (size_t k = 0; k < n; k++)
                assert_int_equal(up[k], down[n - 1 - k]);
        }
    }
}

static void a_session_is_found_by_part_of_its_id(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    char text[ID_TEXT_BYTES + 1];

    rig_session(r, "running", T0 + 1);
    id_format(id, text);
    RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
    l.q = str_of(text + 15);
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_non_null(l.rows);
    assert_true(id_eq(l.rows->row.id, id));
    assert_null(l.rows->next);
    store_req_deinit(&l.req);
}

static void a_page_stays_where_it_was(void **state)
{
    struct rig *r = *state;
    struct id ids[5];
    char cursor[256];

    for (int i = 0; i < 5; i++)
        ids[i] = rig_session(r, "completed", T0); /* all of one millisecond */
    RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
    l.limit = 2;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_true(id_eq(l.rows->row.id, ids[4]));
    assert_true(id_eq(l.rows->next->row.id, ids[3]));
    snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
    store_req_deinit(&l.req);

    rig_session(r, "completed", T0 + 1); /* one comes, the one before the next page goes */
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = ids[3];
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);

    store_req_init(&l.req, STORE_SESSION_LIST, rig_done, NULL);
    l.cursor = str_of(cursor);
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_true(id_eq(l.rows->row.id, ids[2]));
    store_req_deinit(&l.req);
}

static void limits_have_a_default_and_a_maximum(void **state)
{
    struct rig *r = *state;
    struct rig_delta x[STORE_LIMIT_MAX + 1];
    struct delta *deltas[STORE_LIMIT_MAX + 1];
    bool refused[STORE_LIMIT_MAX + 1];

    for (int i = 0; i <= STORE_LIMIT_MAX; i++) {
        rig_new_session(r, &x[i], "completed", T0 + i);
        deltas[i] = &x[i].d;
    }
    assert_int_equal(rig_commit_many(r, deltas, STORE_LIMIT_MAX + 1, refused), 0);
    static const int table[][2] = {{0, 50}, {-4, 50}, {1, 1}, {500, 500}, {501, 500}};
    for (size_t i = 0; i < ROWS(table); i++) {
        RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
        l.limit = table[i][0];
        assert_int_equal(rig_run(r, &l.req), 0);
        int n = 0;
        for (struct session_item *it = l.rows; it; it = it->next)
            n++;
        assert_int_equal(n, table[i][1]);
        assert_non_null(l.next_cursor.p);
        store_req_deinit(&l.req);
    }
    for (int i = 0; i <= STORE_LIMIT_MAX; i++)
        rig_delta_deinit(&x[i]);
}

/* ---- cursors ---- */

static int list_with_cursor(struct rig *r, enum store_op op, struct str cursor, struct id session)
{
    if (op == STORE_SESSION_LIST) {
        RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
        l.cursor = cursor;
        int status = rig_run(r, &l.req);
        store_req_deinit(&l.req);
        return status;
    }
    if (op == STORE_WORKFLOW_LIST) {
        RIG_REQ(store_workflow_list, l, STORE_WORKFLOW_LIST);
        l.cursor = cursor;
        int status = rig_run(r, &l.req);
        store_req_deinit(&l.req);
        return status;
    }
    if (op == STORE_MESSAGES_LIST) {
        RIG_REQ(store_messages_list, l, STORE_MESSAGES_LIST);
        l.session_id = session;
        l.cursor = cursor;
        int status = rig_run(r, &l.req);
        store_req_deinit(&l.req);
        return status;
    }
    RIG_REQ(store_runs_list, l, STORE_RUNS_LIST);
    l.session_id = session;
    l.cursor = cursor;
    int status = rig_run(r, &l.req);
    store_req_deinit(&l.req);
    return status;
}

static void a_cursor_of_another_kind_or_none_of_ours_is_refused(void **state)
{
    struct rig *r = *state;
    struct id session = rig_session(r, "running", T0);
    static const enum store_op ops[] = {STORE_SESSION_LIST, STORE_WORKFLOW_LIST,
                                        STORE_MESSAGES_LIST, STORE_RUNS_LIST};
    static const char *const hostile[] = {
        "A", "x", "!!!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "' OR 1=1 --", "\xff\xfe", "....",
    };

    rig_session(r, "running", T0 + 1);
    RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
    l.limit = 1;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_non_null(l.next_cursor.p);
    for (size_t i = 0; i < ROWS(ops); i++) {
        int own = ops[i] == STORE_SESSION_LIST ? 0 : ERR_INVALID;
        assert_int_equal(list_with_cursor(r, ops[i], l.next_cursor, session), own);
        for (size_t k = 0; k < ROWS(hostile); k++)
            assert_int_equal(list_with_cursor(r, ops[i], str_of(hostile[k]), session), ERR_INVALID);
    }
    char *copy = str_dup(l.next_cursor);
    for (size_t i = 0; i < l.next_cursor.n; i++) { /* any one character changed */
        char was = copy[i];
        copy[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(list_with_cursor(r, STORE_SESSION_LIST, str_of(copy), session),
                         ERR_INVALID);
        copy[i] = was;
    }
    struct str cut = {copy, l.next_cursor.n};
    while (--cut.n > 0)
        assert_int_equal(list_with_cursor(r, STORE_SESSION_LIST, cut, session), ERR_INVALID);
    free(copy);
    store_req_deinit(&l.req);
}

/* ---- workflows ---- */

static int put(struct rig *r, const char *id, const char *graph, int64_t expected, bool create_only,
               bool must_exist, struct workflow_row *out)
{
    static int64_t now = T0;

    RIG_REQ(store_workflow_put, p, STORE_WORKFLOW_PUT);
    p.workspace = STR("default");
    p.id = str_of(id);
    p.name = STR("Name of it");
    p.type = STR("debate");
    p.description = STR("What it does");
    p.graph_json = str_of(graph);
    p.expected_version = expected;
    p.create_only = create_only;
    p.must_exist = must_exist;
    p.now_ms = ++now;
    int status = rig_run(r, &p.req);
    if (status == 0) {
        assert_str(p.row.id, id);
        assert_str(p.row.graph_json, graph);
        assert_int_equal(p.row.updated_at, now);
        if (out)
            *out = p.row; /* its numbers */
    }
    store_req_deinit(&p.req);
    return status;
}

static int get(struct rig *r, const char *id, int64_t version, const char *graph)
{
    RIG_REQ(store_workflow_get, g, STORE_WORKFLOW_GET);
    g.workspace = STR("default");
    g.id = str_of(id);
    g.version = version;
    int status = rig_run(r, &g.req);
    if (status == 0) {
        assert_str(g.row.graph_json, graph);
        assert_str(g.row.name, "Name of it");
        assert_str(g.row.type, "debate");
        assert_str(g.row.description, "What it does");
        if (version > 0)
            assert_int_equal(g.row.version, version);
    }
    store_req_deinit(&g.req);
    return status;
}

static int drop(struct rig *r, const char *id, int64_t expected)
{
    RIG_REQ(store_workflow_delete, d, STORE_WORKFLOW_DELETE);
    d.workspace = STR("default");
    d.id = str_of(id);
    d.expected_version = expected;
    int status = rig_run(r, &d.req);
    store_req_deinit(&d.req);
    return status;
}

static void workflows_have_versions(void **state)
{
    struct rig *r = *state;
    struct workflow_row first, second;

    assert_int_equal(put(r, "w", "{\"v\":0}", 0, false, true, NULL), ERR_NOT_FOUND);
    assert_int_equal(put(r, "w", "{\"v\":0}", 3, false, false, NULL), ERR_STALE);
    assert_int_equal(put(r, "w", "{\"v\":1}", 0, true, false, &first), 0);
    assert_int_equal(first.version, 1);
    assert_int_equal(put(r, "w", "{\"v\":2}", 0, true, false, NULL), ERR_CONFLICT);
    assert_int_equal(put(r, "w", "{\"v\":2}", 2, false, true, NULL), ERR_STALE);
    assert_int_equal(put(r, "w", "{\"v\":2}", 1, false, true, &second), 0);
    assert_int_equal(second.version, 2);
    assert_int_equal(second.created_at, first.created_at);

    assert_int_equal(get(r, "w", 0, "{\"v\":2}"), 0);
    assert_int_equal(get(r, "w", 1, "{\"v\":1}"), 0);
    assert_int_equal(get(r, "w", 2, "{\"v\":2}"), 0);
    assert_int_equal(get(r, "w", 3, ""), ERR_NOT_FOUND);
    assert_int_equal(get(r, "W", 0, ""), ERR_NOT_FOUND);

    assert_int_equal(drop(r, "w", 1), ERR_STALE);
    assert_int_equal(drop(r, "w", 2), 0);
    assert_int_equal(drop(r, "w", 0), ERR_NOT_FOUND);
    assert_int_equal(get(r, "w", 0, ""), ERR_NOT_FOUND);
    assert_int_equal(get(r, "w", 1, "{\"v\":1}"), 0); /* a session may still run on it */

    assert_int_equal(put(r, "w", "{\"v\":3}", 0, true, false, &second), 0);
    assert_int_equal(second.version, 3); /* a number is never given twice */
    assert_true(second.created_at > first.created_at);
    RIG_REQ(store_workflow_versions, l, STORE_WORKFLOW_VERSIONS);
    l.workspace = STR("default");
    l.id = STR("w");
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_int_equal(l.rows->version, 3);
    assert_null(l.rows->next); /* those of its earlier life are not listed */
    store_req_deinit(&l.req);
}

static void versions_are_listed_newest_first(void **state)
{
    struct rig *r = *state;
    char cursor[256] = "";
    int64_t expected = 5;

    for (int i = 0; i < 5; i++)
        assert_int_equal(put(r, "w", "{}", 0, false, false, NULL), 0);
    do {
        RIG_REQ(store_workflow_versions, l, STORE_WORKFLOW_VERSIONS);
        l.workspace = STR("default");
        l.id = STR("w");
        l.limit = 2;
        l.cursor = str_of(cursor);
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct workflow_row *row = l.rows; row; row = row->next) {
            assert_int_equal(row->version, expected--);
            assert_null(row->graph_json.p);
            assert_str(row->name, "Name of it");
        }
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
    assert_int_equal(expected, 0);
    RIG_REQ(store_workflow_versions, l, STORE_WORKFLOW_VERSIONS);
    l.id = STR("none");
    assert_int_equal(rig_run(r, &l.req), ERR_NOT_FOUND);
    store_req_deinit(&l.req);
}

static void workflows_are_listed_by_id(void **state)
{
    struct rig *r = *state;
    static const char *const ids[] = {"b", "a.1", "c-debate", "B", "d"};
    static const struct {
        const char *q, *type, *expected;
    } table[] = {
        {NULL, NULL, "Babc"},     {"DEB", NULL, "c"},   {"name OF", NULL, "Babc"},
        {NULL, "debate", "Babc"}, {NULL, "Debate", ""}, {"1", "debate", "a"},
    };

    for (size_t i = 0; i < ROWS(ids); i++)
        assert_int_equal(put(r, ids[i], "{}", 0, true, false, NULL), 0);
    assert_int_equal(drop(r, "d", 0), 0);
    for (size_t i = 0; i < ROWS(table); i++) {
        char cursor[256] = "", found[16] = "";
        size_t n = 0;
        do {
            RIG_REQ(store_workflow_list, l, STORE_WORKFLOW_LIST);
            l.workspace = STR("default");
            l.q = str_of(table[i].q);
            l.type = str_of(table[i].type);
            l.limit = 2;
            l.cursor = str_of(cursor);
            assert_int_equal(rig_run(r, &l.req), 0);
            for (struct workflow_row *row = l.rows; row; row = row->next) {
                found[n++] = row->id.p[0];
                assert_null(row->graph_json.p);
                assert_int_equal(row->version, 1);
            }
            snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
            store_req_deinit(&l.req);
        } while (*cursor);
        assert_string_equal(found, table[i].expected);
    }
    RIG_REQ(store_workflow_list, l, STORE_WORKFLOW_LIST);
    l.workspace = STR("none");
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_null(l.rows);
    store_req_deinit(&l.req);
}

static void a_session_runs_on_the_version_it_started_with(void **state)
{
    struct rig *r = *state;
    struct rig_delta x;

    assert_int_equal(put(r, "w", "{\"v\":1}", 0, true, false, NULL), 0);
    rig_new_session(r, &x, "running", T0);
    x.meta.graph_json = STR_NULL;
    x.meta.workflow_id = STR("w");
    x.meta.workflow_version = 1;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(put(r, "w", "{\"v\":2}", 0, false, false, NULL), 0);
    assert_int_equal(drop(r, "w", 0), 0);
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = x.d.session_id;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_str(l.workflow_json, "{\"v\":1}");
    assert_int_equal(l.row.meta.workflow_version, 1);
    store_req_deinit(&l.req);
    rig_delta_deinit(&x);

    rig_new_session(r, &x, "running", T0);
    x.meta.graph_json = STR_NULL;
    x.meta.workflow_id = STR("w");
    x.meta.workflow_version = 9;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    store_req_init(&l.req, STORE_SESSION_LOAD, rig_done, NULL);
    l.id = x.d.session_id;
    assert_int_equal(rig_run(r, &l.req), ERR_CORRUPT);
    char id[ID_TEXT_BYTES + 1];
    id_format(x.d.session_id, id);
    assert_non_null(strstr(l.req.error.text, id));
    store_req_deinit(&l.req);
    rig_delta_deinit(&x);
}

/* ---- size ---- */

/* Pages deep in a long list cost what the first ones do: counted in rows, not in time. */
static void ten_thousand_rows_are_paged_once_each(void **state)
{
    struct rig *r = *state;
    enum { COUNT = 10000, BATCH = 500 };
    static struct rig_delta x[BATCH];
    static bool refused[BATCH];
    struct delta *deltas[BATCH];
    char cursor[256] = "";
    int64_t last = INT64_MAX;
    int seen = 0, pages = 0;

    for (int n = 0; n < COUNT; n += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            rig_new_session(r, &x[i], "completed", T0 + n + i);
            deltas[i] = &x[i].d;
        }
        assert_int_equal(rig_commit_many(r, deltas, BATCH, refused), 0);
        for (int i = 0; i < BATCH; i++)
            rig_delta_deinit(&x[i]);
    }
    do {
        RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
        l.status = STR("completed");
        l.limit = 500;
        l.cursor = str_of(cursor);
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct session_item *it = l.rows; it; it = it->next, seen++) {
            assert_true(it->row.created_at < last);
            last = it->row.created_at;
        }
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
        pages++;
    } while (*cursor);
    assert_int_equal(seen, COUNT);
    assert_int_equal(pages, COUNT / 500);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(sessions_are_listed_by_every_filter),
        EVERY(a_session_is_found_by_part_of_its_id),
        EVERY(a_page_stays_where_it_was),
        EVERY(limits_have_a_default_and_a_maximum),
        EVERY(a_cursor_of_another_kind_or_none_of_ours_is_refused),
        EVERY(workflows_have_versions),
        EVERY(versions_are_listed_newest_first),
        EVERY(workflows_are_listed_by_id),
        EVERY(a_session_runs_on_the_version_it_started_with),
        EVERY(ten_thousand_rows_are_paged_once_each),
    };
    return RIG_RUN_TESTS(tests);
}
