/* Schedules and the audit log, over every store. */
#include "store/store_audit.h"
#include "store/store_schedules.h"
#include "test_store_rig.h"

static struct schedule_row nightly(struct rig *r, const char *name, int64_t next_at)
{
    return (struct schedule_row){.id = rig_id(r, T0),
                                 .name = str_of(name),
                                 .workflow_id = STR("story"),
                                 .cron = STR("0 3 * * *"),
                                 .time_zone = STR("Europe/Berlin"),
                                 .missed = STR("skip"),
                                 .overlap = STR("cancel"),
                                 .input_json = STR("{\"topic\":\"tea\"}"),
                                 .enabled = true,
                                 .next_at = next_at};
}

static int put(struct rig *r, const struct schedule_row *row, bool create, int64_t expected,
               int64_t *version)
{
    RIG_REQ(store_schedule_put, p, STORE_SCHEDULE_PUT);

    p.row = *row;
    p.create_only = create;
    p.must_exist = !create;
    p.expected_version = expected;
    p.now_ms = T0 + 7;
    int status = rig_run(r, &p.req);
    if (version)
        *version = p.row.version;
    store_req_deinit(&p.req);
    return status;
}

static int get(struct rig *r, const char *workspace, struct id id, struct schedule_row *out,
               struct arena *arena)
{
    RIG_REQ(store_schedule_get, g, STORE_SCHEDULE_GET);

    g.workspace = str_of(workspace);
    g.id = id;
    int status = rig_run(r, &g.req);
    if (status == 0 && out) {
        *out = g.row;
        *arena = g.req.arena; /* the caller's now */
        return 0;
    }
    store_req_deinit(&g.req);
    return status;
}

static int drop(struct rig *r, const char *workspace, struct id id, int64_t expected)
{
    RIG_REQ(store_schedule_delete, d, STORE_SCHEDULE_DELETE);

    d.workspace = str_of(workspace);
    d.id = id;
    d.expected_version = expected;
    int status = rig_run(r, &d.req);
    store_req_deinit(&d.req);
    return status;
}

static int move(struct rig *r, struct id id, int64_t seen, int64_t next, struct id session,
                const char *error)
{
    RIG_REQ(store_schedule_move, m, STORE_SCHEDULE_MOVE);

    m.row = (struct schedule_row){.id = id,
                                  .next_at = next,
                                  .last_at = seen,
                                  .last_session = session,
                                  .last_error = error ? str_of(error) : STR_NULL,
                                  .last_error_at = error ? seen + 1 : 0};
    m.seen_at = seen;
    int status = rig_run(r, &m.req);
    store_req_deinit(&m.req);
    return status;
}

static void a_schedule_is_kept_with_versions(void **state)
{
    struct rig *r = *state;
    struct schedule_row row = nightly(r, "Nightly", T0 + 100), got;
    struct arena arena;
    int64_t version;

    assert_int_equal(put(r, &row, false, 0, NULL), ERR_NOT_FOUND);
    assert_int_equal(put(r, &row, true, 0, &version), 0);
    assert_int_equal(version, 1);
    assert_int_equal(put(r, &row, true, 0, NULL), ERR_CONFLICT);
    assert_int_equal(put(r, &row, false, 2, NULL), ERR_STALE);
    row.enabled = false;
    row.overlap = STR("skip");
    assert_int_equal(put(r, &row, false, 1, &version), 0);
    assert_int_equal(version, 2);

    assert_int_equal(get(r, "other", row.id, NULL, NULL), ERR_NOT_FOUND);
    assert_int_equal(get(r, "default", row.id, &got, &arena), 0);
    assert_true(str_eqz(got.name, "Nightly") && str_eqz(got.workspace, "default"));
    assert_true(str_eqz(got.overlap, "skip") && str_eqz(got.missed, "skip"));
    assert_true(str_eqz(got.input_json, "{\"topic\":\"tea\"}"));
    assert_true(str_eqz(got.cron, "0 3 * * *") && str_eqz(got.time_zone, "Europe/Berlin"));
    assert_true(!got.enabled && got.next_at == T0 + 100 && got.version == 2);
    assert_true(got.last_at == 0 && id_is_zero(got.last_session) && !got.last_error.p);
    arena_deinit(&arena);

    /* An id belongs to one workspace. */
    struct schedule_row stolen = row;
    stolen.workspace = STR("other");
    assert_int_equal(put(r, &stolen, true, 0, NULL), ERR_CONFLICT);
    assert_int_equal(put(r, &stolen, false, 0, NULL), ERR_NOT_FOUND);
    assert_int_equal(drop(r, "other", row.id, 0), ERR_NOT_FOUND);
    assert_int_equal(drop(r, "default", row.id, 1), ERR_STALE);
    assert_int_equal(drop(r, "default", row.id, 2), 0);
    assert_int_equal(drop(r, "default", row.id, 0), ERR_NOT_FOUND);
}

static void a_key_is_stored_with_its_schedule(void **state)
{
    struct rig *r = *state;
    struct idempotency_row key = {.workspace = STR("default"),
                                  .key = STR("k"),
                                  .http_status = 201,
                                  .body_json = STR("{}"),
                                  .created_at = T0};
    RIG_REQ(store_schedule_put, p, STORE_SCHEDULE_PUT);
    RIG_REQ(store_schedule_put, again, STORE_SCHEDULE_PUT);

    p.row = nightly(r, "One", T0);
    p.create_only = true;
    p.now_ms = T0;
    p.idempotency = &key;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
    again.row = nightly(r, "Two", T0);
    again.create_only = true;
    again.now_ms = T0;
    again.idempotency = &key;
    assert_int_equal(rig_run(r, &again.req), ERR_CONFLICT);
    assert_int_equal(get(r, "default", again.row.id, NULL, NULL), ERR_NOT_FOUND);
    store_req_deinit(&again.req);
}

static void a_time_is_taken_once(void **state)
{
    struct rig *r = *state;
    struct schedule_row row = nightly(r, "Nightly", T0 + 100), got;
    struct id session = rig_id(r, T0);
    struct arena arena;

    assert_int_equal(put(r, &row, true, 0, NULL), 0);
    assert_int_equal(move(r, row.id, T0 + 99, T0 + 200, session, NULL), ERR_STALE);
    assert_int_equal(move(r, row.id, T0 + 100, T0 + 200, session, NULL), 0);
    assert_int_equal(move(r, row.id, T0 + 100, T0 + 300, session, NULL), ERR_STALE);
    assert_int_equal(move(r, rig_id(r, T0), T0 + 100, T0 + 300, session, NULL), ERR_STALE);
    assert_int_equal(get(r, "default", row.id, &got, &arena), 0);
    assert_true(got.next_at == T0 + 200 && got.last_at == T0 + 100 && got.version == 1);
    assert_true(id_eq(got.last_session, session) && !got.last_error.p);
    arena_deinit(&arena);

    /* What firing wrote stays when a person writes. */
    assert_int_equal(move(r, row.id, T0 + 200, T0 + 300, session, "no such workflow"), 0);
    row.next_at = T0 + 500;
    assert_int_equal(put(r, &row, false, 1, NULL), 0);
    assert_int_equal(get(r, "default", row.id, &got, &arena), 0);
    assert_true(got.next_at == T0 + 500 && got.last_at == T0 + 200 && got.version == 2);
    assert_true(str_eqz(got.last_error, "no such workflow") && got.last_error_at == T0 + 201);
    arena_deinit(&arena);
}

static void what_is_due_comes_first(void **state)
{
    struct rig *r = *state;
    const int64_t at[] = {T0 + 30, T0 + 10, T0 + 50, 0, T0 + 40, T0 + 20};
    struct schedule_row row;

    for (int i = 0; i < 6; i++) {
        row = nightly(r, "n", at[i]);
        row.workspace = i % 2 ? STR("other") : STR_NULL;
        row.enabled = i != 5;
        assert_int_equal(put(r, &row, true, 0, NULL), 0);
    }
    RIG_REQ(store_schedule_due, d, STORE_SCHEDULE_DUE);
    d.now = T0 + 30;
    d.limit = 100;
    assert_int_equal(rig_run(r, &d.req), 0);
    assert_true(d.rows && d.rows->next_at == T0 + 10 && str_eqz(d.rows->workspace, "other"));
    assert_true(d.rows->next && d.rows->next->next_at == T0 + 30);
    assert_null(d.rows->next->next);
    assert_int_equal(d.next_at, T0 + 40);
    store_req_deinit(&d.req);

    RIG_REQ(store_schedule_due, all, STORE_SCHEDULE_DUE);
    all.now = T0 + 1000;
    all.limit = 2;
    assert_int_equal(rig_run(r, &all.req), 0);
    assert_true(all.rows && all.rows->next && !all.rows->next->next);
    assert_int_equal(all.next_at, 0);
    store_req_deinit(&all.req);
}

static void lists_go_by_id_in_pages(void **state)
{
    struct rig *r = *state;
    struct str cursor = STR_NULL;
    char kept[400];
    int seen = 0, pages = 0;

    for (int i = 0; i < 5; i++) {
        struct schedule_row row = nightly(r, i == 2 ? "odd one out" : "Nightly", T0);
        row.workspace = i == 4 ? STR("other") : STR_NULL;
        assert_int_equal(put(r, &row, true, 0, NULL), 0);
    }
    do {
        RIG_REQ(store_schedule_list, l, STORE_SCHEDULE_LIST);
        l.cursor = cursor;
        l.limit = 2;
        l.q = STR("NIGHT");
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct schedule_row *row = l.rows; row; row = row->next, seen++)
            assert_true(str_eqz(row->name, "Nightly") && str_eqz(row->workspace, "default"));
        cursor = STR_NULL;
        if (l.next_cursor.p) {
            snprintf(kept, sizeof(kept), "%.*s", STR_FMT(l.next_cursor));
            cursor = str_of(kept);
        }
        store_req_deinit(&l.req);
    } while (cursor.p && ++pages < 10);
    assert_int_equal(seen, 3);

    RIG_REQ(store_schedule_list, bad, STORE_SCHEDULE_LIST);
    bad.cursor = STR("nonsense");
    assert_int_equal(rig_run(r, &bad.req), ERR_INVALID);
    store_req_deinit(&bad.req);
}

/* ---- the audit log ---- */

static void audit_fill(struct rig *r, struct id session)
{
    struct audit_row rows[6];
    static const char *const actors[] = {"ada", "bob"}, *const actions[] = {"pause", "resume"};
    RIG_REQ(store_audit_put, p, STORE_AUDIT_PUT);
    RIG_REQ(store_audit_put, again, STORE_AUDIT_PUT);

    for (int i = 0; i < 6; i++)
        rows[i] = (struct audit_row){.next = i < 5 ? &rows[i + 1] : NULL,
                                     .id = rig_id(r, T0 + i),
                                     .workspace = i == 5 ? STR("other") : STR_NULL,
                                     .actor = str_of(actors[i % 2]),
                                     .role = STR("operator"),
                                     .key_id = i == 0 ? rig_id(r, T0) : (struct id){{0}},
                                     .session_id = i < 3 ? session : (struct id){{0}},
                                     .action = str_of(actions[i / 3]),
                                     .object = i == 4 ? STR("story") : STR_NULL,
                                     .remote = STR("127.0.0.1"),
                                     .status = i == 1 ? 403 : 200,
                                     .code = i == 1 ? STR("forbidden") : STR_NULL,
                                     .created_at = T0 + i};
    p.rows = again.rows = rows;
    assert_int_equal(rig_run(r, &p.req), 0);
    assert_int_equal(rig_run(r, &again.req), 0); /* written once */
    store_req_deinit(&p.req);
    store_req_deinit(&again.req);
}

/* Their numbers, the newest first, as "43210". */
static const char *audit_listed(struct rig *r, const struct store_audit_list *filter)
{
    static char text[20];
    char kept[400];
    struct str cursor = STR_NULL;
    size_t n = 0;

    do {
        RIG_REQ(store_audit_list, l, STORE_AUDIT_LIST);
        struct store_req req = l.req;
        l = *filter;
        l.req = req;
        l.cursor = cursor;
        l.limit = 2;
        assert_int_equal(rig_run(r, &l.req), 0);
        for (const struct audit_row *row = l.rows; row; row = row->next) {
            int i = (int)(row->created_at - T0);
            text[n++] = (char)('0' + i);
            assert_true(str_eqz(row->actor, i % 2 ? "bob" : "ada"));
            assert_true(str_eqz(row->role, "operator") && str_eqz(row->remote, "127.0.0.1"));
            assert_int_equal(row->status, i == 1 ? 403 : 200);
            assert_true(i == 1 ? str_eqz(row->code, "forbidden") : !row->code.p);
            assert_int_equal(id_is_zero(row->key_id), i != 0);
        }
        cursor = STR_NULL;
        if (l.next_cursor.p) {
            snprintf(kept, sizeof(kept), "%.*s", STR_FMT(l.next_cursor));
            cursor = str_of(kept);
        }
        store_req_deinit(&l.req);
    } while (cursor.p && n < sizeof(text) - 3);
    text[n] = 0;
    return text;
}

static void the_audit_log_is_read_backwards(void **state)
{
    struct rig *r = *state;
    struct id session = rig_id(r, T0);

    audit_fill(r, session);
    assert_string_equal(audit_listed(r, &(struct store_audit_list){.limit = 0}), "43210");
    assert_string_equal(audit_listed(r, &(struct store_audit_list){.workspace = STR("other")}),
                        "5");
    assert_string_equal(audit_listed(r, &(struct store_audit_list){.actor = STR("ada")}), "420");
    assert_string_equal(audit_listed(r, &(struct store_audit_list){.action = STR("resume")}), "43");
    assert_string_equal(audit_listed(r, &(struct store_audit_list){.object = STR("story")}), "4");
    assert_string_equal(audit_listed(r, &(struct store_audit_list){.session_id = session}), "210");
    assert_string_equal(
        audit_listed(r, &(struct store_audit_list){.after = T0 + 1, .before = T0 + 4}), "32");
}

static void old_entries_go(void **state)
{
    struct rig *r = *state;

    audit_fill(r, rig_id(r, T0));
    for (int i = 0; i < 3; i++) {
        RIG_REQ(store_audit_prune, p, STORE_AUDIT_PRUNE);
        p.before = T0 + 3;
        p.limit = 2;
        assert_int_equal(rig_run(r, &p.req), 0);
        assert_int_equal(p.changed, i == 0 ? 2 : i == 1 ? 1 : 0);
        store_req_deinit(&p.req);
    }
    assert_string_equal(audit_listed(r, &(struct store_audit_list){.limit = 0}), "43");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY(a_schedule_is_kept_with_versions),
        EVERY(a_key_is_stored_with_its_schedule),
        EVERY(a_time_is_taken_once),
        EVERY(what_is_due_comes_first),
        EVERY(lists_go_by_id_in_pages),
        EVERY(the_audit_log_is_read_backwards),
        EVERY(old_entries_go),
    };

    return RIG_RUN_TESTS(tests);
}
