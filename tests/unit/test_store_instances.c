/* Who owns a session, leases, and the inbox: every store alike (docs/decisions/0007). */
#include "test_store_rig.h"

static struct id instance_id(struct rig *r)
{
    return rig_id(r, T0 + 500000);
}

static int instance_put_status(struct rig *r, struct id id, int64_t lease_ms, bool must_exist)
{
    RIG_REQ(store_instance_put, p, STORE_INSTANCE_PUT);
    p.row.id = id;
    p.row.name = STR("host-7");
    p.row.address = STR("http://127.0.0.1:8080");
    p.row.version = STR("0.1.0");
    p.lease_ms = lease_ms;
    p.must_exist = must_exist;
    int status = rig_run(r, &p.req);
    store_req_deinit(&p.req);
    return status;
}

/* An instance that lives for a minute. */
static struct id instance_new(struct rig *r)
{
    struct id id = instance_id(r);

    assert_int_equal(instance_put_status(r, id, 60000, false), 0);
    return id;
}

static int instance_remove(struct rig *r, struct id id, bool expired_only)
{
    RIG_REQ(store_instance_remove, d, STORE_INSTANCE_REMOVE);
    d.id = id;
    d.expired_only = expired_only;
    int status = rig_run(r, &d.req);
    store_req_deinit(&d.req);
    return status;
}

/* 0 or the status; the epoch and the owner as they were given. */
static int claim(struct rig *r, struct id session, struct id instance, uint64_t *epoch,
                 struct id *owner)
{
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = session;
    l.claim_for = instance;
    int status = rig_run(r, &l.req);
    if (epoch)
        *epoch = l.row.epoch;
    if (owner)
        *owner = l.row.owner;
    store_req_deinit(&l.req);
    return status;
}

static void expect_owner(struct rig *r, struct id session, struct id owner, uint64_t epoch)
{
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = session;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(id_eq(g.row.owner, owner));
    assert_int_equal(g.row.epoch, epoch);
    store_req_deinit(&g.req);
}

static const struct id nobody = {{0}};

/* A running session that the instance made. */
static struct id owned_session(struct rig *r, struct id owner, const char *status)
{
    struct rig_delta x;

    rig_new_session(r, &x, status, T0);
    x.d.owner = owner;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    return x.d.session_id;
}

static bool events_refused(struct rig *r, struct id session, int64_t seq, uint64_t epoch)
{
    struct rig_delta x;
    bool refused;

    rig_events(&x, session, seq, seq);
    x.d.epoch = epoch;
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    rig_delta_deinit(&x);
    return refused;
}

/* ---- claims ---- */

static void a_free_session_is_claimed_once(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r), s = rig_session(r, "running", T0), owner;
    uint64_t epoch;

    expect_owner(r, s, nobody, 1);
    assert_int_equal(claim(r, s, a, &epoch, &owner), 0);
    assert_int_equal(epoch, 2);
    assert_true(id_eq(owner, a));
    assert_int_equal(claim(r, s, b, &epoch, &owner), ERR_STALE);
    assert_true(id_eq(owner, a));
    assert_int_equal(claim(r, s, a, &epoch, NULL), 0); /* again: nothing changes */
    assert_int_equal(epoch, 2);
    expect_owner(r, s, a, 2);
    assert_int_equal(claim(r, s, nobody, &epoch, NULL), 0); /* only looks */
    expect_owner(r, s, a, 2);
}

static void a_new_session_belongs_to_its_maker(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r), s = owned_session(r, a, "running");

    expect_owner(r, s, a, 1);
    assert_int_equal(claim(r, s, b, NULL, NULL), ERR_STALE);
}

static void a_late_owner_writes_nothing(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r), s = owned_session(r, a, "running");

    assert_false(events_refused(r, s, 2, 1));
    assert_int_equal(instance_remove(r, a, false), 0);
    assert_false(events_refused(r, s, 3, 1)); /* nobody has claimed it yet */
    assert_int_equal(claim(r, s, b, NULL, NULL), 0);
    assert_true(events_refused(r, s, 4, 1));
    assert_false(events_refused(r, s, 4, 2));
    expect_owner(r, s, b, 2);
}

static void an_ended_session_has_no_owner_and_is_not_claimed(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r), s = owned_session(r, a, "running"), owner;
    struct rig_delta x;
    uint64_t epoch;

    rig_events(&x, s, 2, 2);
    x.core = rig_core("completed");
    x.core.ended_at = T0 + 9;
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    expect_owner(r, s, nobody, 1);
    assert_int_equal(claim(r, s, b, &epoch, &owner), 0);
    assert_int_equal(epoch, 1);
    assert_true(id_is_zero(owner));
    expect_owner(r, s, nobody, 1);

    rig_new_session(r, &x, "failed", T0); /* ended when it began */
    x.d.owner = a;
    x.core.ended_at = T0 + 1;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    expect_owner(r, x.d.session_id, nobody, 1);
    rig_delta_deinit(&x);

    rig_new_session(r, &x, "anything", T0); /* nothing runs it */
    x.meta.stored_only = true;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(claim(r, x.d.session_id, b, &epoch, NULL), 0);
    expect_owner(r, x.d.session_id, nobody, 1);
    rig_delta_deinit(&x);
}

static void release(struct rig *r, struct id instance, const struct id *ids, size_t count)
{
    RIG_REQ(store_session_release, q, STORE_SESSION_RELEASE);
    q.instance = instance;
    q.ids = ids;
    q.count = count;
    assert_int_equal(rig_run(r, &q.req), 0);
    store_req_deinit(&q.req);
}

static void released_sessions_are_free(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r);
    struct id mine = owned_session(r, a, "running"), other = owned_session(r, b, "running");
    struct id waits = owned_session(r, a, "paused");
    const struct id ids[] = {mine, other, rig_id(r, T0)}; /* one is b's, one is not there */
    uint64_t epoch;

    release(r, a, ids, 3);
    expect_owner(r, mine, nobody, 1);
    expect_owner(r, other, b, 1);
    expect_owner(r, waits, a, 1);
    release(r, a, NULL, 0);
    assert_int_equal(claim(r, mine, b, &epoch, NULL), 0);
    assert_int_equal(epoch, 2);
    assert_true(events_refused(r, mine, 2, 1));
    assert_int_equal(claim(r, waits, b, NULL, NULL), ERR_STALE);
}

/* ---- instances ---- */

static void a_lease_is_renewed_and_runs_out(void **state)
{
    struct rig *r = *state;
    struct id a = instance_id(r);

    assert_int_equal(instance_put_status(r, a, 60000, true), ERR_NOT_FOUND);
    assert_int_equal(instance_put_status(r, a, 60000, false), 0);
    assert_int_equal(instance_put_status(r, a, 60000, true), 0);
    assert_int_equal(instance_remove(r, a, true), ERR_CONFLICT);
    assert_int_equal(instance_put_status(r, a, -1000, true), 0); /* over since a second */
    assert_int_equal(instance_remove(r, a, true), 0);
    assert_int_equal(instance_remove(r, a, true), ERR_NOT_FOUND);
    assert_int_equal(instance_remove(r, a, false), ERR_NOT_FOUND);
    assert_int_equal(instance_put_status(r, a, 60000, true), ERR_NOT_FOUND); /* held for dead */
    assert_int_equal(instance_put_status(r, a, 60000, false), 0);
    assert_int_equal(instance_remove(r, a, false), 0); /* leaves by itself */
}

static void instances_are_listed(void **state)
{
    struct rig *r = *state;
    struct id a, b;

    RIG_REQ(store_instance_list, none, STORE_INSTANCE_LIST);
    assert_int_equal(rig_run(r, &none.req), 0);
    assert_null(none.rows);
    assert_true(none.now > T0);
    store_req_deinit(&none.req);

    a = instance_new(r);
    b = instance_new(r);
    RIG_REQ(store_instance_put, p, STORE_INSTANCE_PUT);
    p.row = (struct instance_row){.id = b, .name = STR("host-8"), .leaving = true, .sessions = 12};
    p.lease_ms = 3000;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);

    RIG_REQ(store_instance_list, l, STORE_INSTANCE_LIST);
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_non_null(l.rows);
    assert_true(id_eq(l.rows->id, a));
    assert_str(l.rows->name, "host-7");
    assert_str(l.rows->address, "http://127.0.0.1:8080");
    assert_str(l.rows->version, "0.1.0");
    assert_false(l.rows->leaving);
    assert_true(l.rows->started_at > T0 && l.rows->started_at <= l.now);
    assert_int_equal(l.rows->lease_until, l.rows->seen_at + 60000);
    const struct instance_row *second = l.rows->next;
    assert_non_null(second);
    assert_null(second->next);
    assert_true(id_eq(second->id, b));
    assert_str(second->name, "host-8");
    assert_true(second->leaving);
    assert_int_equal(second->sessions, 12);
    assert_true(second->seen_at >= second->started_at);
    assert_int_equal(second->lease_until, second->seen_at + 3000);
    store_req_deinit(&l.req);
}

/* ---- scans ---- */

static int busy_ids(struct rig *r, struct id after, int limit, struct id *out)
{
    RIG_REQ(store_scan_busy, s, STORE_SCAN_BUSY);
    s.after = after;
    s.limit = limit;
    assert_int_equal(rig_run(r, &s.req), 0);
    int n = 0;
    for (struct id_list *it = s.ids; it; it = it->next)
        out[n++] = it->id;
    store_req_deinit(&s.req);
    return n;
}

static void only_free_busy_sessions_are_scanned(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r), ids[8];
    struct id of_a1 = owned_session(r, a, "running"), of_b = owned_session(r, b, "running");
    struct id free1 = rig_session(r, "running", T0), of_a2 = owned_session(r, a, "running");

    owned_session(r, a, "paused");
    assert_int_equal(busy_ids(r, nobody, 8, ids), 1);
    assert_true(id_eq(ids[0], free1));
    assert_int_equal(instance_remove(r, a, false), 0); /* one row frees all of them */
    assert_int_equal(busy_ids(r, nobody, 8, ids), 3);
    assert_true(id_eq(ids[0], of_a1));
    assert_true(id_eq(ids[1], free1));
    assert_true(id_eq(ids[2], of_a2));
    assert_int_equal(busy_ids(r, of_a1, 1, ids), 1);
    assert_true(id_eq(ids[0], free1));
    assert_int_equal(claim(r, of_a1, b, NULL, NULL), 0);
    assert_int_equal(busy_ids(r, nobody, 8, ids), 2);
    assert_int_equal(instance_remove(r, b, false), 0);
    assert_int_equal(busy_ids(r, nobody, 8, ids), 4);
    assert_true(id_eq(ids[1], of_b));
}

static void set_timer(struct rig *r, struct id session, int64_t due_at)
{
    struct timer_row t = {
        .timer_id = rig_id(r, due_at), .due_at = due_at, .purpose_json = STR("{}")};
    struct rig_delta x;

    rig_events(&x, session, 2, 2);
    x.d.timers_set = &t;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
}

/* How many are due, and when the next one is. */
static int timers_due(struct rig *r, struct id instance, int64_t until, int64_t *next)
{
    RIG_REQ(store_scan_timers, s, STORE_SCAN_TIMERS);
    s.instance = instance;
    s.until = until;
    s.limit = 10;
    assert_int_equal(rig_run(r, &s.req), 0);
    int n = 0;
    for (struct timer_due *it = s.rows; it; it = it->next)
        n++;
    *next = s.next_due_at;
    store_req_deinit(&s.req);
    return n;
}

static void timers_of_others_are_not_scanned(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r);
    int64_t next;

    set_timer(r, owned_session(r, a, "paused"), T0 + 10);
    set_timer(r, owned_session(r, b, "paused"), T0 + 20);
    set_timer(r, rig_session(r, "paused", T0), T0 + 30);
    set_timer(r, owned_session(r, b, "paused"), T0 + 40);
    set_timer(r, owned_session(r, a, "paused"), T0 + 50);
    assert_int_equal(timers_due(r, a, T0 + 35, &next), 2);
    assert_int_equal(next, T0 + 50);
    assert_int_equal(timers_due(r, b, T0 + 35, &next), 2);
    assert_int_equal(next, T0 + 40);
    assert_int_equal(timers_due(r, nobody, T0 + 35, &next), 3);
    assert_int_equal(next, T0 + 40);
    assert_int_equal(instance_remove(r, a, false), 0);
    assert_int_equal(timers_due(r, b, T0 + 35, &next), 3);
    assert_int_equal(timers_due(r, b, T0 + 60, &next), 5);
    assert_int_equal(next, 0);
}

/* ---- the inbox ---- */

static int command_put(struct rig *r, struct id session, struct id command)
{
    RIG_REQ(store_command_put, p, STORE_COMMAND_PUT);
    p.row.command_id = command;
    p.row.session_id = session;
    p.row.request_json = STR("{\"op\":\"pause\"}");
    p.row.created_at = T0 + 7;
    int status = rig_run(r, &p.req);
    store_req_deinit(&p.req);
    return status;
}

static struct id command_new(struct rig *r, struct id session, int64_t at)
{
    struct id id = rig_id(r, at);

    assert_int_equal(command_put(r, session, id), 0);
    return id;
}

/* The status of its answer; 0: it waits. */
static int command_answer(struct rig *r, struct id command, char *answer, size_t n)
{
    RIG_REQ(store_command_get, g, STORE_COMMAND_GET);
    g.command_id = command;
    assert_int_equal(rig_run(r, &g.req), 0);
    int status = g.row.http_status;
    assert_true(id_eq(g.row.command_id, command));
    assert_str(g.row.request_json, "{\"op\":\"pause\"}");
    assert_int_equal(g.row.created_at, T0 + 7);
    assert_true((g.row.answer_json.p == NULL) == (status == 0));
    if (answer)
        snprintf(answer, n, "%.*s", STR_FMT(g.row.answer_json));
    store_req_deinit(&g.req);
    return status;
}

static int commands(struct rig *r, struct id session, struct id instance, struct id after,
                    int limit, struct id *out)
{
    RIG_REQ(store_command_list, l, STORE_COMMAND_LIST);
    l.session_id = session;
    l.instance = instance;
    l.after = after;
    l.limit = limit;
    assert_int_equal(rig_run(r, &l.req), 0);
    int n = 0;
    for (struct command_row *it = l.rows; it; it = it->next) {
        assert_int_equal(it->http_status, 0);
        assert_str(it->request_json, "{\"op\":\"pause\"}");
        out[n++] = it->command_id;
    }
    store_req_deinit(&l.req);
    return n;
}

static void commands_wait_in_order(void **state)
{
    struct rig *r = *state;
    struct id a = instance_new(r), b = instance_new(r), ids[8];
    struct id mine = owned_session(r, a, "running"), other = owned_session(r, b, "running");
    struct id first = command_new(r, mine, T0 + 1), second = command_new(r, other, T0 + 2);
    struct id third = command_new(r, mine, T0 + 3);

    assert_int_equal(command_put(r, mine, first), ERR_CONFLICT);
    assert_int_equal(command_put(r, rig_id(r, T0), rig_id(r, T0)), ERR_NOT_FOUND);
    assert_int_equal(command_answer(r, first, NULL, 0), 0);

    assert_int_equal(commands(r, mine, nobody, nobody, 8, ids), 2);
    assert_true(id_eq(ids[0], first) && id_eq(ids[1], third));
    assert_int_equal(commands(r, mine, nobody, first, 8, ids), 1);
    assert_true(id_eq(ids[0], third));
    assert_int_equal(commands(r, mine, nobody, nobody, 1, ids), 1);

    assert_int_equal(commands(r, nobody, a, nobody, 8, ids), 2); /* not b's */
    assert_true(id_eq(ids[0], first) && id_eq(ids[1], third));
    assert_int_equal(instance_remove(r, b, false), 0);
    assert_int_equal(commands(r, nobody, a, nobody, 8, ids), 3);
    assert_true(id_eq(ids[1], second));
    assert_int_equal(commands(r, nobody, a, second, 8, ids), 1);
}

static void commands_die_with_their_session(void **state)
{
    struct rig *r = *state;
    struct id s = rig_session(r, "running", T0), command = command_new(r, s, T0 + 1);

    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = s;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    RIG_REQ(store_command_get, g, STORE_COMMAND_GET);
    g.command_id = command;
    assert_int_equal(rig_run(r, &g.req), ERR_NOT_FOUND);
    store_req_deinit(&g.req);
}

static int64_t last_seq(struct rig *r, struct id session)
{
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = session;
    assert_int_equal(rig_run(r, &g.req), 0);
    int64_t seq = g.row.core.last_seq;
    store_req_deinit(&g.req);
    return seq;
}

static void an_answer_comes_with_what_it_changed_and_once(void **state)
{
    struct rig *r = *state;
    struct id s = rig_session(r, "running", T0), one = command_new(r, s, T0 + 1);
    struct id two = command_new(r, s, T0 + 2);
    struct command_row answers[2] = {
        {.next = &answers[1], .command_id = one, .session_id = s, .http_status = 200},
        {.command_id = two, .session_id = s, .http_status = 409},
    };
    char text[64];
    struct rig_delta x;
    bool refused;

    answers[0].answer_json = STR("{\"seq\":2}");
    answers[1].answer_json = STR("{\"error\":\"no\"}");
    rig_events(&x, s, 2, 3);
    x.d.commands_done = answers;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(command_answer(r, one, text, sizeof(text)), 200);
    assert_string_equal(text, "{\"seq\":2}");
    assert_int_equal(command_answer(r, two, text, sizeof(text)), 409);
    assert_int_equal(rig_commit(r, &x, NULL), 0); /* the same again counts as written */
    assert_int_equal(last_seq(r, s), 3);
    rig_delta_deinit(&x);

    answers[1].answer_json = STR("{\"error\":\"else\"}");
    rig_events(&x, s, 4, 4); /* other events with a command that was answered */
    x.d.commands_done = &answers[1];
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    assert_int_equal(last_seq(r, s), 3); /* left out whole */
    assert_int_equal(command_answer(r, two, text, sizeof(text)), 409);
    assert_string_equal(text, "{\"error\":\"no\"}");
    rig_delta_deinit(&x);
}

/* A session's delta brings commands for others; those for nobody are left out, twice is once. */
static void commands_for_others_come_with_a_delta(void **state)
{
    struct rig *r = *state;
    struct id s = rig_session(r, "running", T0), other = rig_session(r, "running", T0);
    struct id ids[3] = {rig_id(r, T0 + 1), rig_id(r, T0 + 2), rig_id(r, T0 + 3)};
    struct command_row rows[3] = {
        {.next = &rows[1], .command_id = ids[0], .session_id = rig_id(r, T0), .created_at = T0},
        {.next = &rows[2], .command_id = ids[1], .session_id = other, .created_at = T0},
        {.command_id = ids[2], .session_id = other, .created_at = T0},
    };
    struct id found[10];
    struct rig_delta x;
    bool refused;

    rows[0].request_json = rows[1].request_json = rows[2].request_json = STR("{\"op\":\"pause\"}");
    rig_events(&x, s, 2, 2);
    x.d.commands_new = rows;
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_false(refused);
    assert_int_equal(rig_commit(r, &x, &refused), 0); /* the same again changes nothing */
    assert_false(refused);
    assert_int_equal(commands(r, other, (struct id){{0}}, (struct id){{0}}, 10, found), 2);
    assert_true(id_eq(found[0], ids[1]) && id_eq(found[1], ids[2]));
    rig_delta_deinit(&x);
    rig_events(&x, s, 3, 3);
    x.d.epoch = 0; /* of a former owner: refused */
    rows[0].command_id = rig_id(r, T0 + 4);
    rows[0].session_id = other;
    rows[0].next = NULL;
    x.d.commands_new = rows;
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    assert_int_equal(commands(r, other, (struct id){{0}}, (struct id){{0}}, 10, found), 2);
    rig_delta_deinit(&x);
}

static void answers_without_events_are_told_by_themselves(void **state)
{
    struct rig *r = *state;
    struct id s = rig_session(r, "running", T0), one = command_new(r, s, T0 + 1);
    struct id two = command_new(r, s, T0 + 2);
    struct command_row answers[2] = {
        {.next = &answers[1], .command_id = one, .session_id = s, .http_status = 200},
        {.command_id = two, .session_id = s, .http_status = 202},
    };
    struct rig_delta x;
    bool refused;

    answers[0].answer_json = answers[1].answer_json = STR("{}");
    rig_events(&x, s, 2, 2);
    x.d.seq_first = x.d.seq_last = 0;
    buf_deinit(&x.d.events);
    x.d.commands_done = &answers[1];
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    x.d.commands_done = answers; /* one waits, one was answered */
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    assert_int_equal(command_answer(r, one, NULL, 0), 0);
    rig_delta_deinit(&x);
}

static void a_late_owner_answers_nothing(void **state)
{
    struct rig *r = *state;
    struct id b = instance_new(r), s = rig_session(r, "running", T0);
    struct id one = command_new(r, s, T0 + 1);
    struct command_row answer = {.command_id = one, .session_id = s, .http_status = 200};
    struct rig_delta x;
    bool refused;

    answer.answer_json = STR("{}");
    assert_int_equal(claim(r, s, b, NULL, NULL), 0);
    rig_events(&x, s, 2, 2);
    x.d.commands_done = &answer;
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    assert_true(refused);
    rig_delta_deinit(&x);

    RIG_REQ(store_command_done, d, STORE_COMMAND_DONE);
    d.session_id = s;
    d.epoch = 1;
    d.rows = &answer;
    assert_int_equal(rig_run(r, &d.req), ERR_STALE);
    store_req_deinit(&d.req);
    assert_int_equal(command_answer(r, one, NULL, 0), 0);
}

static int refuse(struct rig *r, struct id session, uint64_t epoch, struct id command,
                  const char *answer)
{
    struct command_row row = {.command_id = command, .session_id = session, .http_status = 409};
    RIG_REQ(store_command_done, d, STORE_COMMAND_DONE);

    row.answer_json = str_of(answer);
    d.session_id = session;
    d.epoch = epoch;
    d.rows = &row;
    int status = rig_run(r, &d.req);
    store_req_deinit(&d.req);
    return status;
}

static void a_refusal_is_answered_once(void **state)
{
    struct rig *r = *state;
    struct id s = rig_session(r, "running", T0), one = command_new(r, s, T0 + 1), ids[4];
    char text[64];

    assert_int_equal(refuse(r, s, 1, one, "{\"error\":\"first\"}"), 0);
    assert_int_equal(refuse(r, s, 1, one, "{\"error\":\"second\"}"), 0); /* left as it is */
    assert_int_equal(command_answer(r, one, text, sizeof(text)), 409);
    assert_string_equal(text, "{\"error\":\"first\"}");
    assert_int_equal(commands(r, s, nobody, nobody, 4, ids), 0);
    assert_int_equal(refuse(r, rig_id(r, T0), 1, one, "{}"), ERR_NOT_FOUND);
    struct id other = rig_session(r, "running", T0), two = command_new(r, s, T0 + 2);
    assert_int_equal(refuse(r, other, 1, two, "{}"), 0); /* not its command */
    assert_int_equal(command_answer(r, two, NULL, 0), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(a_free_session_is_claimed_once),
        EVERY(a_new_session_belongs_to_its_maker),
        EVERY(a_late_owner_writes_nothing),
        EVERY(an_ended_session_has_no_owner_and_is_not_claimed),
        EVERY(released_sessions_are_free),
        EVERY(a_lease_is_renewed_and_runs_out),
        EVERY(instances_are_listed),
        EVERY(only_free_busy_sessions_are_scanned),
        EVERY(timers_of_others_are_not_scanned),
        EVERY(commands_wait_in_order),
        EVERY(commands_die_with_their_session),
        EVERY(an_answer_comes_with_what_it_changed_and_once),
        EVERY(commands_for_others_come_with_a_delta),
        EVERY(answers_without_events_are_told_by_themselves),
        EVERY(a_late_owner_answers_nothing),
        EVERY(a_refusal_is_answered_once),
    };
    return RIG_RUN_TESTS(tests);
}
