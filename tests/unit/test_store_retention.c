/* Tidying up: folded logs, deleted sessions, old keys and commands; every store alike. */
#include <sys/stat.h>

#include "test_store_rig.h"

#define TOKEN(seq)                                                                                 \
    "{\"seq\":" #seq ",\"type\":\"token_stream\",\"data\":{\"chunk\":\"a word of it\"}}"
#define OTHER(seq) "{\"seq\":" #seq ",\"type\":\"node_state_change\"}"

/* An ended session: events 1 (start), 2-4 in one row (token, other, token), 5-6 (tokens), 7-8
 * (message, end). */
static struct id ended_session(struct rig *r, int64_t ended_at)
{
    static const struct {
        int64_t first, last;
        const char *frames;
    } rows[] = {
        {2, 4, TOKEN(2) "\n" OTHER(3) "\n" TOKEN(4)},
        {5, 6, TOKEN(5) "\n" TOKEN(6)},
        {7, 8,
         "{\"seq\":7,\"type\":\"message\",\"data\":{\"content\":\"token_stream\"}}\n" OTHER(8)},
    };
    struct id id = rig_session(r, "running", ended_at - 100);

    for (size_t i = 0; i < 3; i++) {
        struct rig_delta x;
        rig_events(&x, id, rows[i].first, rows[i].last);
        buf_clear(&x.d.events);
        buf_append_z(&x.d.events, rows[i].frames);
        x.core = rig_core("completed");
        x.core.ended_at = ended_at;
        x.core.last_seq = 8;
        x.d.core = i == 2 ? &x.core : NULL;
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    return id;
}

static struct store_retention retain(struct rig *r, int64_t fold, int64_t delete, int limit)
{
    RIG_REQ(store_retention, t, STORE_RETENTION);
    t.fold_before = fold;
    t.delete_before = delete;
    t.limit = limit;
    assert_int_equal(rig_run(r, &t.req), 0);
    store_req_deinit(&t.req);
    return t;
}

/* All frames after `after`, joined by '|'; *held and *last as given. Rows must be whole. */
static void frames_of(struct rig *r, struct id id, int64_t after, char *out, size_t n,
                      int64_t *held, int64_t *last)
{
    RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
    e.session_id = id;
    e.after = after;
    e.limit = 100000;
    e.bytes_max = 1 << 20;
    assert_int_equal(rig_run(r, &e.req), 0);
    size_t used = 0;
    out[0] = '\0';
    for (const struct event_row *row = e.rows; row; row = row->next) {
        int64_t frames = 1;
        for (size_t i = 0; i < row->frames.n; i++)
            frames += row->frames.p[i] == '\n';
        assert_int_equal(frames, row->seq_last - row->seq_first + 1);
        used +=
            (size_t)snprintf(out + used, n - used, "%s%.*s", used ? "|" : "", STR_FMT(row->frames));
    }
    *held = e.first_seq_held;
    *last = e.last_seq;
    store_req_deinit(&e.req);
}

static void expect_whole(struct rig *r, struct id id)
{
    char text[4096];
    int64_t held, last;

    frames_of(r, id, 0, text, sizeof(text), &held, &last);
    assert_int_equal(held, 1);
    assert_int_equal(last, 8);
    assert_non_null(strstr(text, TOKEN(6)));
}

static void tokens_of_ended_sessions_are_folded(void **state)
{
    struct rig *r = *state;
    struct id old = ended_session(r, T0 + 1000), young = ended_session(r, T0 + 5000);
    struct id live = rig_session(r, "running", T0);
    char text[4096];
    int64_t held, last;

    struct store_retention t = retain(r, T0 + 1000, 0, 10); /* not before: nothing */
    assert_int_equal(t.folded + t.deleted, 0);
    assert_false(t.more);
    expect_whole(r, old);

    t = retain(r, T0 + 1001, 0, 10);
    assert_int_equal(t.folded, 1);
    assert_int_equal(t.deleted, 0);
    frames_of(r, old, 0, text, sizeof(text), &held, &last);
    assert_string_equal(text, "{\"seq\":1}|" OTHER(3) "|{\"seq\":7,\"type\":\"message\",\"data\":{"
                                                      "\"content\":\"token_stream\"}}\n" OTHER(8));
    assert_int_equal(held, 7); /* from here on every event is there */
    assert_int_equal(last, 8);
    frames_of(r, old, 6, text, sizeof(text), &held, &last);
    assert_int_equal(held, 7);
    expect_whole(r, young);
    frames_of(r, live, 0, text, sizeof(text), &held, &last);
    assert_int_equal(held, 1);

    assert_int_equal(retain(r, T0 + 1001, 0, 10).folded, 0); /* once */
}

static void a_log_without_tokens_stays_whole(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct rig_delta x;
    char text[4096];
    int64_t held, last;

    rig_events(&x, id, 2, 3);
    x.core = rig_core("cancelled");
    x.core.ended_at = T0 + 50;
    x.core.last_seq = 3;
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    assert_int_equal(retain(r, T0 + 51, 0, 10).folded, 1);
    frames_of(r, id, 0, text, sizeof(text), &held, &last);
    assert_int_equal(held, 1);
    assert_string_equal(text, "{\"seq\":1}|{\"seq\":2}\n{\"seq\":3}");
    assert_int_equal(retain(r, T0 + 51, 0, 10).folded, 0);
}

/* Many at once are stored packed, and found nevertheless. */
static void packed_tokens_are_folded(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct rig_delta x;
    char text[4096];
    int64_t held, last;

    rig_events(&x, id, 2, 41);
    buf_clear(&x.d.events);
    for (int seq = 2; seq <= 40; seq++)
        buf_printf(&x.d.events,
                   "{\"seq\":%d,\"type\":\"token_stream\",\"data\":{\"chunk\":\"word %d\"}}\n", seq,
                   seq);
    buf_append_z(&x.d.events, OTHER(41));
    x.core = rig_core("completed");
    x.core.ended_at = T0 + 50;
    x.core.last_seq = 41;
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(rig_commit(r, &x, NULL), 0); /* is known again */
    if (r->postgres)
        assert_int_equal(pg_rig_ask(r->url, "SELECT count(*) FROM session_events"
                                            " WHERE get_byte(frames_packed, 0) = 3"),
                         1);
    frames_of(r, id, 1, text, sizeof(text), &held, &last);
    assert_int_equal(strncmp(text, x.d.events.data, x.d.events.len), 0);
    rig_delta_deinit(&x);

    assert_int_equal(retain(r, T0 + 51, 0, 10).folded, 1);
    frames_of(r, id, 0, text, sizeof(text), &held, &last);
    assert_string_equal(text, "{\"seq\":1}|" OTHER(41));
    assert_int_equal(held, 41);
}

static int session_status(struct rig *r, struct id id)
{
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = id;
    int status = rig_run(r, &g.req);
    store_req_deinit(&g.req);
    return status;
}

static void old_sessions_are_deleted(void **state)
{
    struct rig *r = *state;
    struct id folded = ended_session(r, T0 + 1000), whole = ended_session(r, T0 + 2000);
    struct id young = ended_session(r, T0 + 3000), live = rig_session(r, "paused", T0);

    assert_int_equal(retain(r, T0 + 1500, 0, 10).folded, 1);
    struct store_retention t = retain(r, T0 + 2500, T0 + 2500, 10);
    assert_int_equal(t.deleted, 2);
    assert_int_equal(t.folded, 0);
    assert_int_equal(session_status(r, folded), ERR_NOT_FOUND);
    assert_int_equal(session_status(r, whole), ERR_NOT_FOUND);
    assert_int_equal(session_status(r, young), 0);
    assert_int_equal(session_status(r, live), 0);
    expect_whole(r, young);
}

static void a_step_is_bounded_and_says_so(void **state)
{
    struct rig *r = *state;
    int steps = 0, folded = 0, deleted = 0;
    struct store_retention t;

    for (int i = 0; i < 7; i++)
        ended_session(r, T0 + 1000 + i);
    do {
        t = retain(r, T0 + 9000, 0, 3);
        assert_true(t.folded <= 3);
        folded += t.folded;
        steps++;
    } while (t.more);
    assert_int_equal(folded, 7);
    assert_true(steps >= 3);
    do {
        t = retain(r, 0, T0 + 1004, 2);
        assert_true(t.deleted <= 2);
        deleted += t.deleted;
    } while (t.more);
    assert_int_equal(deleted, 4);
}

static void keys_and_answered_commands_are_tidied(void **state)
{
    struct rig *r = *state;
    struct id s = rig_session(r, "running", T0), ids[3];

    for (int i = 0; i < 3; i++) {
        RIG_REQ(store_idempotency_put, p, STORE_IDEMPOTENCY_PUT);
        p.row = (struct idempotency_row){.workspace = STR("default"),
                                         .key = str_of(i == 0   ? "a"
                                                       : i == 1 ? "b"
                                                                : "c"),
                                         .http_status = 202,
                                         .body_json = STR("{}"),
                                         .created_at = T0 + i};
        assert_int_equal(rig_run(r, &p.req), 0);
        store_req_deinit(&p.req);
        RIG_REQ(store_command_put, c, STORE_COMMAND_PUT);
        ids[i] = c.row.command_id = rig_id(r, T0 + i);
        c.row.session_id = s;
        c.row.request_json = STR("{}");
        c.row.created_at = T0 + i;
        assert_int_equal(rig_run(r, &c.req), 0);
        store_req_deinit(&c.req);
    }
    struct command_row answer = {.command_id = ids[0], .session_id = s, .http_status = 200};
    answer.answer_json = STR("{}");
    RIG_REQ(store_command_done, d, STORE_COMMAND_DONE);
    d.session_id = s;
    d.epoch = 1;
    d.rows = &answer;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);

    RIG_REQ(store_retention, t, STORE_RETENTION);
    t.idempotency_before = t.commands_before = T0 + 2;
    assert_int_equal(rig_run(r, &t.req), 0);
    assert_false(t.more);
    store_req_deinit(&t.req);
    for (int i = 0; i < 3; i++) {
        RIG_REQ(store_idempotency_get, g, STORE_IDEMPOTENCY_GET);
        g.workspace = STR("default");
        g.key = str_of(i == 0 ? "a" : i == 1 ? "b" : "c");
        assert_int_equal(rig_run(r, &g.req), i < 2 ? ERR_NOT_FOUND : 0);
        store_req_deinit(&g.req);
        RIG_REQ(store_command_get, c, STORE_COMMAND_GET);
        c.command_id = ids[i];
        assert_int_equal(rig_run(r, &c.req), i < 1 ? ERR_NOT_FOUND : 0); /* others still wait */
        store_req_deinit(&c.req);
    }
}

#define MANY 500

/* MANY rows of one event each, in one transaction; the last of them is no token. */
static void commit_events_one_by_one(struct rig *r, struct id id, int64_t first, bool end)
{
    static const char token[] = "{\"type\":\"token_stream\"}";
    static struct rig_delta x[MANY];
    struct delta *deltas[MANY];
    bool refused[MANY];

    for (int i = 0; i < MANY; i++) {
        rig_events(&x[i], id, first + i, first + i);
        deltas[i] = &x[i].d;
        if (i < MANY - 1) {
            buf_clear(&x[i].d.events);
            buf_append_z(&x[i].d.events, token);
        }
    }
    x[MANY - 1].core = rig_core("failed");
    x[MANY - 1].core.ended_at = T0 + 10;
    x[MANY - 1].core.last_seq = first + MANY - 1;
    x[MANY - 1].d.core = end ? &x[MANY - 1].core : NULL;
    assert_int_equal(rig_commit_many(r, deltas, MANY, refused), 0);
    for (int i = 0; i < MANY; i++) {
        assert_false(refused[i]);
        rig_delta_deinit(&x[i]);
    }
}

/* A long log goes in parts, and until it has gone no reader takes a part for the whole. */
static void a_long_log_is_deleted_in_parts(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    char text[64];
    int64_t held, last;

    for (int64_t seq = 2; seq <= 9001; seq += MANY)
        commit_events_one_by_one(r, id, seq, seq + MANY == 9002);
    struct store_retention t = retain(r, 0, T0 + 11, 10);
    if (t.deleted == 0) { /* a store may do it at once */
        assert_true(t.more);
        frames_of(r, id, 9001, text, sizeof(text), &held, &last);
        assert_int_equal(held, 9002);
        assert_int_equal(last, 9001);
    }
    while (t.more)
        t = retain(r, 0, T0 + 11, 10);
    assert_int_equal(session_status(r, id), ERR_NOT_FOUND);
}

/* So is it folded; what was taken out so far is known at every step. */
static void a_long_log_is_folded_in_parts(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    int64_t held, last, before = 1;
    char *text = malloc(1 << 20);
    int steps = 0, folded = 0;
    struct store_retention t;

    for (int64_t seq = 2; seq <= 9001; seq += MANY)
        commit_events_one_by_one(r, id, seq, seq + MANY == 9002);
    do {
        t = retain(r, T0 + 11, 0, 10);
        folded += t.folded;
        steps++;
        frames_of(r, id, 9000, text, 1 << 20, &held, &last);
        assert_true(held > before || !t.more);
        before = held;
        frames_of(r, id, held - 1, text, 1 << 20, &held, &last);
        int64_t frames = *text ? 1 : 0;
        for (const char *p = text; *p; p++)
            frames += *p == '|';
        assert_int_equal(frames, 9001 - held + 1); /* from there on it is whole */
    } while (t.more);
    free(text);
    assert_int_equal(folded, 1);
    assert_int_equal(held, 9001);
    assert_true(steps > 2);
    assert_int_equal(retain(r, T0 + 11, 0, 10).folded, 0);
}

/* ---- SQLite alone ---- */

static void space_is_given_back(void **state)
{
    struct rig *r = *state;
    size_t n = 1 << 20;
    char *text = malloc(n), path[512];
    struct stat before, after;
    struct store_retention t;

    memset(text, 'x', n);
    text[0] = text[n - 1] = '"';
    for (int i = 0; i < 20; i++) {
        struct rig_delta x;
        rig_new_session(r, &x, "completed", T0 + i);
        x.meta.input_json = (struct str){text, n};
        x.core.ended_at = T0 + i;
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    free(text);
    snprintf(path, sizeof(path), "%s/sluice.db", r->dir);
    rig_close_store(r); /* the WAL is copied back */
    assert_int_equal(stat(path, &before), 0);
    assert_true(before.st_size > 20 << 20);
    rig_open_store(r);
    do
        t = retain(r, 0, T0 + 1000, 100);
    while (t.more);
    rig_close_store(r);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size < 2 << 20);
    rig_open_store(r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EVERY(tokens_of_ended_sessions_are_folded),
        EVERY(a_log_without_tokens_stays_whole),
        EVERY(packed_tokens_are_folded),
        EVERY(old_sessions_are_deleted),
        EVERY(a_step_is_bounded_and_says_so),
        EVERY(keys_and_answered_commands_are_tidied),
        {"a_long_log_is_deleted_in_parts", a_long_log_is_deleted_in_parts, rig_setup_sqlite,
         rig_teardown, NULL},
        {"a_long_log_is_folded_in_parts", a_long_log_is_folded_in_parts, rig_setup_sqlite,
         rig_teardown, NULL},
        {"a_long_log_is_deleted_in_parts (postgres)", a_long_log_is_deleted_in_parts,
         rig_setup_postgres, rig_teardown, NULL},
        {"a_long_log_is_folded_in_parts (postgres)", a_long_log_is_folded_in_parts,
         rig_setup_postgres, rig_teardown, NULL},
        {"space_is_given_back", space_is_given_back, rig_setup_sqlite, rig_teardown, NULL},
    };
    return RIG_RUN_TESTS(tests);
}
