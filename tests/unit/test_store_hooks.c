/* Webhooks, their cursors and deliveries, over every store. */
#include "store/hooks.h"
#include "test_store_rig.h"

static const struct id nobody = {{0}};

static struct id hook_make(struct rig *r, const char *workspace, int64_t at)
{
    RIG_REQ(store_hook_put, p, STORE_HOOK_PUT);
    p.row = (struct hook_row){.id = rig_id(r, at),
                              .workspace = str_of(workspace),
                              .name = STR("bell"),
                              .url = STR("http://h.test/"),
                              .events_json = STR("[\"message\"]"),
                              .filter_json = STR("{}"),
                              .secret = STR("sealed"),
                              .enabled = true,
                              .scan_from = T0};
    p.is_new = true;
    p.now_ms = at;
    assert_int_equal(rig_run(r, &p.req), 0);
    assert_int_equal(p.row.version, 1);
    struct id id = p.row.id;
    store_req_deinit(&p.req);
    return id;
}

static int hook_get(struct rig *r, const char *workspace, struct id id, struct hook_row *out,
                    char *text)
{
    RIG_REQ(store_hook_list, l, STORE_HOOK_LIST);
    l.workspace = workspace ? str_of(workspace) : STR_NULL;
    l.id = id;
    assert_int_equal(rig_run(r, &l.req), 0);
    int found = l.rows != NULL;
    if (found) {
        *out = *l.rows;
        snprintf(text, 256, "%.*s %.*s %.*s %.*s %.*s", STR_FMT(out->workspace), STR_FMT(out->name),
                 STR_FMT(out->url), STR_FMT(out->events_json), STR_FMT(out->secret));
    }
    store_req_deinit(&l.req);
    return found;
}

static void a_webhook_is_put_changed_and_deleted(void **state)
{
    struct rig *r = *state;
    struct id id = hook_make(r, "default", T0 + 1), other = hook_make(r, "other", T0 + 2);
    struct hook_row row;
    char text[256];

    assert_true(hook_get(r, NULL, id, &row, text));
    assert_string_equal(text, "default bell http://h.test/ [\"message\"] sealed");
    assert_true(row.enabled && row.scan_from == T0 && row.created_at == T0 + 1);
    assert_false(hook_get(r, "other", id, &row, text)); /* it is another workspace's */

    RIG_REQ(store_hook_list, all, STORE_HOOK_LIST);
    all.limit = 10;
    assert_int_equal(rig_run(r, &all.req), 0);
    assert_true(id_eq(all.rows->id, id) && id_eq(all.rows->next->id, other));
    assert_null(all.rows->next->next);
    store_req_deinit(&all.req);
    RIG_REQ(store_hook_list, of, STORE_HOOK_LIST);
    of.limit = 10;
    of.workspace = STR("other");
    assert_int_equal(rig_run(r, &of.req), 0);
    assert_true(id_eq(of.rows->id, other));
    assert_null(of.rows->next);
    store_req_deinit(&of.req);

    for (int i = 0; i < 3; i++) { /* stale, of another workspace, well */
        RIG_REQ(store_hook_put, p, STORE_HOOK_PUT);
        p.row = (struct hook_row){.id = id,
                                  .workspace = i == 1 ? STR("other") : STR("default"),
                                  .url = STR("http://new.test/"),
                                  .events_json = STR("[]"),
                                  .filter_json = STR("{}"),
                                  .secret = STR("s2"),
                                  .disabled_reason = STR("it was away")};
        p.expected_version = i == 0 ? 7 : i == 1 ? 0 : 1;
        p.now_ms = T0 + 50;
        assert_int_equal(rig_run(r, &p.req), i == 0 ? ERR_STALE : i == 1 ? ERR_NOT_FOUND : 0);
        if (i == 2)
            assert_true(p.row.version == 2 && p.row.created_at == T0 + 1);
        store_req_deinit(&p.req);
    }
    assert_true(hook_get(r, "default", id, &row, text));
    assert_true(!row.enabled && row.version == 2 && row.updated_at == T0 + 50);
    assert_true(row.scan_from == T0); /* goes on where it was */

    for (int i = 0; i < 3; i++) {
        RIG_REQ(store_hook_delete, d, STORE_HOOK_DELETE);
        d.workspace = STR("default");
        d.id = id;
        d.expected_version = i == 0 ? 1 : 0;
        assert_int_equal(rig_run(r, &d.req), i == 0 ? ERR_STALE : i == 1 ? 0 : ERR_NOT_FOUND);
        store_req_deinit(&d.req);
    }
}

static int claim(struct rig *r, struct id hook, struct id session, struct id instance, int64_t seq,
                 bool rewind, struct store_hook_claim *out)
{
    RIG_REQ(store_hook_claim, c, STORE_HOOK_CLAIM);
    c.hook = hook;
    c.session_id = session;
    c.instance = instance;
    c.seq = seq;
    c.rewind = rewind;
    c.now_ms = T0 + 5;
    int status = rig_run(r, &c.req);
    store_req_deinit(&c.req);
    if (out)
        *out = c;
    return status;
}

static int save(struct rig *r, struct id hook, struct id session, struct id instance,
                struct hook_cursor cursor, const struct hook_delivery *d, int keep)
{
    RIG_REQ(store_hook_save, s, STORE_HOOK_SAVE);
    s.hook = hook;
    s.session_id = session;
    s.instance = instance;
    s.cursor = cursor.seq ? &cursor : NULL;
    s.delivery = d;
    s.scan_from = T0 + 3;
    s.now_ms = T0 + 6;
    s.keep = keep;
    int status = rig_run(r, &s.req);
    store_req_deinit(&s.req);
    return status;
}

static struct id instance_make(struct rig *r)
{
    RIG_REQ(store_instance_put, p, STORE_INSTANCE_PUT);
    p.row = (struct instance_row){.id = rig_id(r, T0), .name = STR("i")};
    p.lease_ms = 60000;
    assert_int_equal(rig_run(r, &p.req), 0);
    struct id id = p.row.id;
    store_req_deinit(&p.req);
    return id;
}

static void a_cursor_is_one_instances(void **state)
{
    struct rig *r = *state;
    struct id hook = hook_make(r, "default", T0 + 1), session = rig_session(r, "running", T0);
    struct id a = instance_make(r), b = instance_make(r);
    struct store_hook_claim c;
    struct hook_row row;
    char text[256];

    assert_int_equal(claim(r, hook, session, a, 3, false, &c), 0);
    assert_true(!c.existed && c.cursor.seq == 3 && c.cursor.behind);
    assert_int_equal(claim(r, hook, session, b, 0, false, NULL), ERR_CONFLICT);
    assert_int_equal(claim(r, rig_id(r, T0), session, a, 0, false, NULL), ERR_NOT_FOUND);
    assert_int_equal(claim(r, hook, rig_id(r, T0), a, 0, false, NULL), ERR_NOT_FOUND);

    struct hook_cursor at = {
        .seq = 4, .behind = true, .attempts = 2, .failed_at = T0 + 9, .next_at = T0 + 20};
    assert_int_equal(save(r, hook, session, b, at, NULL, 0), ERR_STALE);
    assert_int_equal(save(r, hook, session, a, at, NULL, 0), 0);
    assert_int_equal(save(r, hook, rig_id(r, T0), a, at, NULL, 0), ERR_NOT_FOUND);
    assert_true(hook_get(r, NULL, hook, &row, text));
    assert_true(row.behind == 1 && row.failing_since == T0 + 9 && row.scan_from == T0 + 3);

    assert_int_equal(claim(r, hook, session, a, 99, false, &c), 0); /* its own once more */
    assert_true(c.existed && c.cursor.seq == 4 && c.cursor.attempts == 2 &&
                c.cursor.failed_at == T0 + 9 && c.cursor.next_at == T0 + 20);
    assert_int_equal(claim(r, hook, session, b, 1, true, &c), 0); /* set back, whoever has it */
    assert_true(c.existed && c.cursor.seq == 1 && c.cursor.attempts == 0);
    assert_int_equal(save(r, hook, session, a, at, NULL, 0), ERR_STALE);

    at = (struct hook_cursor){.seq = 5};
    assert_int_equal(save(r, hook, session, b, at, NULL, 0), 0); /* not behind: nobody's */
    assert_int_equal(claim(r, hook, session, a, 0, false, &c), 0);
    assert_int_equal(c.cursor.seq, 5);

    RIG_REQ(store_instance_remove, gone, STORE_INSTANCE_REMOVE);
    gone.id = a;
    assert_int_equal(rig_run(r, &gone.req), 0);
    store_req_deinit(&gone.req);
    assert_int_equal(claim(r, hook, session, b, 0, false, &c), 0); /* who had it is dead */
    assert_int_equal(c.cursor.seq, 5);
}

/* Which sessions a phase finds, as letters. */
static void scan(struct rig *r, struct id hook, struct id instance, enum hook_phase phase,
                 int64_t since, int limit, const struct id *ids, const char *expected)
{
    char found[64] = "";
    int64_t after_time = 0, after_key = 0;

    for (bool more = true; more;) {
        RIG_REQ(store_hook_scan, s, STORE_HOOK_SCAN);
        s.hook = hook;
        s.workspace = STR("default");
        s.instance = instance;
        s.phase = phase;
        s.since = since;
        s.after_time = after_time;
        s.after_key = after_key;
        s.limit = limit;
        assert_int_equal(rig_run(r, &s.req), 0);
        int n = 0;
        for (struct hook_session *it = s.rows; it; it = it->next, n++) {
            for (int i = 0; i < 6; i++)
                if (id_eq(ids[i], it->session_id))
                    strncat(found, &"a\0b\0c\0d\0e\0f"[2 * i], 1);
            assert_true(str_eqz(it->metadata_json, "{\"a\":1}"));
            after_time = it->time;
            after_key = it->key;
        }
        more = n == limit;
        assert_true(n <= limit);
        store_req_deinit(&s.req);
    }
    assert_string_equal(found, expected);
}

static void ended_session(struct rig *r, struct rig_delta *x, int64_t ended_at)
{
    rig_new_session(r, x, "completed", T0 + 1);
    x->core.busy = false;
    x->core.ended_at = x->core.updated_at = ended_at;
}

static void sessions_that_lack_something_are_found(void **state)
{
    struct rig *r = *state;
    struct id hook = hook_make(r, "default", T0 + 1), me = instance_make(r), ids[6];
    struct hook_cursor at = {.seq = 1};

    for (int i = 0; i < 2; i++) /* a b */
        ids[i] = rig_session(r, "running", T0 + 10 + i);
    ids[2] = rig_session(r, "paused", T0 + 20); /* c */
    for (int i = 3; i < 6; i++) {               /* d e f */
        struct rig_delta x;
        ended_session(r, &x, T0 + 30 - i);
        ids[i] = x.d.session_id;
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    for (int limit = 1; limit < 8; limit += 3) {
        scan(r, hook, me, HOOK_PHASE_RUNNING, 0, limit, ids, "ab");
        scan(r, hook, me, HOOK_PHASE_PAUSED, 0, limit, ids, "c");
        scan(r, hook, me, HOOK_PHASE_PENDING, 0, limit, ids, "");
        scan(r, hook, me, HOOK_PHASE_ENDED, 0, limit, ids, "fed");
        scan(r, hook, me, HOOK_PHASE_ENDED, T0 + 26, limit, ids, "ed");
        scan(r, hook, me, HOOK_PHASE_FOLDED, 0, limit, ids, "");
        scan(r, hook, me, HOOK_PHASE_BEHIND, 0, limit, ids, "");
    }
    scan(r, hook, me, HOOK_PHASE_RUNNING, T0 + 3, 9, ids, ""); /* updated_at is T0 + 2 */

    assert_int_equal(save(r, hook, ids[0], me, at, NULL, 0), 0); /* all of it was told */
    assert_int_equal(claim(r, hook, ids[1], me, 0, false, NULL), 0);
    assert_int_equal(claim(r, hook, ids[4], me, 0, false, NULL), 0);
    scan(r, hook, me, HOOK_PHASE_RUNNING, 0, 9, ids, "");
    scan(r, hook, me, HOOK_PHASE_ENDED, 0, 9, ids, "fd");
    scan(r, hook, me, HOOK_PHASE_BEHIND, 0, 1, ids, "be");
    scan(r, hook, nobody, HOOK_PHASE_BEHIND, 0, 9, ids, ""); /* they are somebody's */
}

static struct hook_delivery delivery(struct rig *r, struct id session, int64_t seq, int64_t at,
                                     const char *status)
{
    return (struct hook_delivery){.id = rig_id(r, at),
                                  .session_id = session,
                                  .seq = seq,
                                  .type = STR("message"),
                                  .status = str_of(status),
                                  .attempts = 1,
                                  .http_status = 500,
                                  .duration_ms = 12,
                                  .error = STR("no"),
                                  .created_at = at,
                                  .updated_at = at};
}

static void deliveries_expect(struct rig *r, struct id hook, const char *status, struct id session,
                              int limit, const char *expected)
{
    char found[64] = "";
    char cursor[256] = "";

    for (bool more = true; more;) {
        RIG_REQ(store_hook_deliveries, l, STORE_HOOK_DELIVERIES);
        l.workspace = STR("default");
        l.hook = hook;
        l.status = status ? str_of(status) : STR_NULL;
        l.session_id = session;
        l.limit = limit;
        l.cursor = str_of(cursor);
        assert_int_equal(rig_run(r, &l.req), 0);
        for (struct hook_delivery *d = l.rows; d; d = d->next)
            snprintf(found + strlen(found), sizeof(found) - strlen(found), "%d%c", (int)d->seq,
                     d->status.p[0]);
        more = l.next_cursor.p != NULL;
        if (more)
            snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    }
    assert_string_equal(found, expected);
}

static void deliveries_are_kept_the_newest_ones(void **state)
{
    struct rig *r = *state;
    struct id hook = hook_make(r, "default", T0 + 1), me = instance_make(r);
    struct id sessions[2] = {rig_session(r, "running", T0), rig_session(r, "running", T0 + 1)};
    struct hook_cursor at = {.behind = true};

    for (int i = 1; i <= 6; i++) {
        struct hook_delivery d =
            delivery(r, sessions[i % 2], i, T0 + i, i == 4 ? "failed" : "delivered");
        at.seq = i;
        assert_int_equal(save(r, hook, sessions[i % 2], me, at, &d, 0), 0);
        if (i == 4) { /* once more: the same row */
            d.attempts = 2;
            d.updated_at = T0 + 99;
            assert_int_equal(save(r, hook, sessions[0], me, at, &d, 0), 0);
            RIG_REQ(store_hook_deliveries, one, STORE_HOOK_DELIVERIES);
            one.workspace = STR("default");
            one.hook = hook;
            one.id = d.id;
            assert_int_equal(rig_run(r, &one.req), 0);
            assert_non_null(one.rows);
            assert_null(one.rows->next);
            assert_true(one.rows->attempts == 2 && one.rows->http_status == 500 &&
                        one.rows->duration_ms == 12 && one.rows->created_at == T0 + 4 &&
                        one.rows->updated_at == T0 + 99 && str_eqz(one.rows->error, "no") &&
                        str_eqz(one.rows->type, "message") &&
                        id_eq(one.rows->session_id, sessions[0]));
            store_req_deinit(&one.req);
        }
    }
    for (int limit = 1; limit < 9; limit += 3)
        deliveries_expect(r, hook, NULL, nobody, limit, "6d5d4f3d2d1d");
    deliveries_expect(r, hook, "failed", nobody, 9, "4f");
    deliveries_expect(r, hook, NULL, sessions[1], 9, "5d3d1d");
    at.seq = 6;
    assert_int_equal(save(r, hook, sessions[0], me, at, NULL, 3), 0);
    deliveries_expect(r, hook, NULL, nobody, 9, "6d5d4f3d"); /* the third is where it is cut */

    RIG_REQ(store_session_delete, gone, STORE_SESSION_DELETE);
    gone.workspace = STR("default");
    gone.id = sessions[1];
    assert_int_equal(rig_run(r, &gone.req), 0);
    store_req_deinit(&gone.req);
    deliveries_expect(r, hook, NULL, nobody, 9, "6d4f");

    RIG_REQ(store_hook_deliveries, other, STORE_HOOK_DELIVERIES);
    other.workspace = STR("other");
    other.hook = hook;
    assert_int_equal(rig_run(r, &other.req), ERR_NOT_FOUND);
    store_req_deinit(&other.req);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(a_webhook_is_put_changed_and_deleted),
        EVERY(a_cursor_is_one_instances),
        EVERY(sessions_that_lack_something_are_found),
        EVERY(deliveries_are_kept_the_newest_ones),
    };
    return RIG_RUN_TESTS(tests);
}
