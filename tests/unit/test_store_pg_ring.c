/* Events that come alone, in the slots of the PostgreSQL store (pg_ring.h): each is read once,
 * wherever it stands, and none is lost by what moves it. */
#include <sys/socket.h>

#include "store/copy.h"
#include "store/pg_ring.h"
#include "test_store_pg_watch.h"

/* A session, and what its log must be. */
struct talk {
    struct id id, owner;
    uint64_t epoch;
    int64_t last;
    int generation; /* how often it was deleted and made again */
};

static unsigned dice(unsigned *seed, unsigned sides)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % sides;
}

static struct id owner_put(struct rig *r, const struct id *id)
{
    RIG_REQ(store_instance_put, p, STORE_INSTANCE_PUT);
    p.row = (struct instance_row){.id = id ? *id : rig_id(r, T0), .name = STR("host-7")};
    p.lease_ms = 60000;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
    return p.row.id;
}

static void owner_remove(struct rig *r, struct id id)
{
    RIG_REQ(store_instance_remove, x, STORE_INSTANCE_REMOVE);
    x.id = id;
    assert_int_equal(rig_run(r, &x.req), 0);
    store_req_deinit(&x.req);
}

static void talk_frame(const struct talk *t, int64_t seq, struct buf *out)
{
    int pad = 1 + (int)((seq * 37) % 500);

    buf_printf(out, "{\"seq\":%lld,\"of\":%d,\"type\":\"token_stream\",\"pad\":\"%0*d\"}",
               (long long)seq, t->generation, pad, 7);
}

/* Without an owner: one that just begins. */
static void talk_new(struct rig *r, struct talk *t, struct id owner)
{
    struct rig_delta x;

    rig_new_session(r, &x, "running", T0);
    if (t->generation++ == 0)
        t->id = x.d.session_id;
    x.d.session_id = t->id;
    x.d.owner = t->owner = owner;
    t->epoch = 1;
    t->last = 1;
    buf_clear(&x.d.events);
    talk_frame(t, 1, &x.d.events);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
}

static void talk_fill(struct talk *t, struct rig_delta *x, int count)
{
    rig_events(x, t->id, t->last + 1, t->last + count);
    x->d.owner = t->owner;
    x->d.epoch = t->epoch;
    buf_clear(&x->d.events);
    for (int i = 0; i < count; i++) {
        buf_append_z(&x->d.events, i ? "\n" : "");
        talk_frame(t, ++t->last, &x->d.events);
    }
}

static bool talk_says(struct rig *r, struct talk *t, int count)
{
    struct rig_delta x;
    bool refused = false;

    talk_fill(t, &x, count);
    assert_int_equal(rig_commit(r, &x, &refused), 0);
    rig_delta_deinit(&x);
    return !refused;
}

static void talk_says_alone(struct rig *r, struct talk *t, int times)
{
    for (int i = 0; i < times; i++)
        assert_true(talk_says(r, t, 1));
}

/* A step: its row changes, too. */
static void talk_steps(struct rig *r, struct talk *t, const char *status)
{
    struct rig_delta x;

    talk_fill(t, &x, 1);
    x.core = rig_core(status);
    x.core.last_seq = t->last;
    x.core.ended_at = strcmp(status, "completed") == 0 ? T0 : 0;
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
}

static void talk_release(struct rig *r, struct talk *t)
{
    RIG_REQ(store_session_release, x, STORE_SESSION_RELEASE);
    x.ids = &t->id;
    x.count = 1;
    x.instance = t->owner;
    assert_int_equal(rig_run(r, &x.req), 0);
    store_req_deinit(&x.req);
}

static void talk_claim(struct rig *r, struct talk *t, struct id owner)
{
    RIG_REQ(store_session_load, l, STORE_SESSION_LOAD);
    l.id = t->id;
    l.claim_for = owner;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_int_equal(l.row.core.last_seq, t->last);
    t->epoch = l.row.epoch;
    t->owner = owner;
    store_req_deinit(&l.req);
}

static void talk_delete(struct rig *r, const struct talk *t)
{
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = t->id;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
}

/* ---- what is read ---- */

/* Appends the frames of a row behind *after. */
static void log_add(const struct event_row *row, int64_t *after, struct buf *out)
{
    const char *p = row->frames.p, *end = p + row->frames.n;

    assert_true(row->seq_first <= *after + 1 && row->seq_last > *after);
    for (int64_t seq = row->seq_first; seq <= row->seq_last; seq++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *to = nl ? nl : end;
        if (seq > *after)
            buf_printf(out, "%.*s\n", (int)(to - p), p);
        p = to + 1;
    }
    *after = row->seq_last;
}

static void log_expect(const struct talk *t, int64_t after, const struct buf *got)
{
    struct buf want;

    buf_init(&want, 64u << 20);
    for (int64_t seq = after + 1; seq <= t->last; seq++) {
        talk_frame(t, seq, &want);
        buf_append_char(&want, '\n');
    }
    assert_int_equal(got->len, want.len);
    assert_memory_equal(got->data, want.data, got->len);
    buf_deinit(&want);
}

static void expect_read(struct rig *r, const struct talk *t, int64_t after, int limit, size_t bytes)
{
    int64_t at = after;
    bool more = true;
    struct buf got;

    buf_init(&got, 64u << 20);
    while (more) {
        RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
        e.session_id = t->id;
        e.after = at;
        e.limit = limit;
        e.bytes_max = bytes;
        assert_int_equal(rig_run(r, &e.req), 0);
        assert_int_equal(e.last_seq, t->last);
        assert_int_equal(e.first_seq_held, 1);
        more = e.rows != NULL;
        for (const struct event_row *row = e.rows; row; row = row->next)
            log_add(row, &at, &got);
        store_req_deinit(&e.req);
    }
    log_expect(t, after, &got);
    buf_deinit(&got);
}

static void expect_export(struct rig *r, const struct talk *t)
{
    int64_t at = 0;
    struct buf got;

    buf_init(&got, 64u << 20);
    RIG_REQ(store_session_export, x, STORE_SESSION_EXPORT);
    x.load.id = t->id;
    x.bytes_max = 64u << 20;
    assert_int_equal(rig_run(r, &x.req), 0);
    for (const struct event_row *row = x.whole.events; row; row = row->next)
        log_add(row, &at, &got);
    assert_int_equal(x.whole.row.core.last_seq, t->last);
    store_req_deinit(&x.req);
    log_expect(t, 0, &got);
    buf_deinit(&got);
}

static void expect_listed(struct rig *r, const struct talk *t)
{
    bool found = false;

    RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
    l.workspace = STR("default");
    l.limit = 50;
    assert_int_equal(rig_run(r, &l.req), 0);
    for (const struct session_item *i = l.rows; i; i = i->next) {
        if (!id_eq(i->row.id, t->id))
            continue;
        assert_int_equal(i->row.core.last_seq, t->last);
        found = true;
    }
    assert_true(found);
    store_req_deinit(&l.req);
}

static void expect_talk(struct rig *r, const struct talk *t)
{
    expect_read(r, t, 0, 1000, 1 << 20);
    expect_export(r, t);
    expect_listed(r, t);
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = t->id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_int_equal(g.row.core.last_seq, t->last);
    store_req_deinit(&g.req);
}

/* Rows of session_events, and live rows of slots. */
static int64_t rows_elsewhere(struct rig *r)
{
    return ask(r, "SELECT count(*) FROM session_events");
}

static int live(struct rig *r)
{
    const struct pg_ring *ring = &pg_of(r)->ring;
    int n = 0;

    for (int i = 0; i < ring->slots; i++)
        n += ring->live[i];
    return n;
}

/* ---- one by one ---- */

static void tokens_stand_in_slots(void **state)
{
    struct rig *r = *state;
    struct talk t = {.last = 0};

    talk_new(r, &t, owner_put(r, NULL));
    talk_says_alone(r, &t, 20);
    assert_int_equal(rows_elsewhere(r),
                     2); /* the first is looked at, and then the session is known */
    assert_int_equal(live(r), 19);
    assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), 4 * PG_RING_FIRST);
    expect_talk(r, &t);
    for (int after = 0; after < 23; after++)
        for (int limit = 1; limit < 6; limit += 2)
            expect_read(r, &t, after, limit, after % 2 ? 1 << 20 : 1);
}

static void a_session_that_is_full_becomes_a_row(void **state)
{
    struct rig *r = *state;
    struct talk t = {.last = 0};

    talk_new(r, &t, owner_put(r, NULL));
    talk_says_alone(r, &t, 300);
    assert_in_range(rows_elsewhere(r), 6, 10);
    assert_in_range(live(r), 1, PG_RING_ROWS);
    assert_int_equal(pg_of(r)->ring.slots, PG_RING_STEP);
    assert_true(ask(r, "SELECT count(*) FROM session_events WHERE frames_packed IS NOT NULL") > 3);
    expect_talk(r, &t);
}

static bool is_nearly_full(const struct pg_ring_session *e)
{
    return e && (e->rows >= PG_RING_ROWS * 3 / 4 || e->bytes >= PG_RING_BYTES * 3 / 4);
}

/* A fold makes a commit dearer, however many there are in it. */
static void those_that_are_nearly_full_are_folded_with_it(void **state)
{
    struct rig *r = *state;
    struct talk nearly = {.last = 0}, half = {.last = 0}, full = {.last = 0};
    struct pg_ring *ring = &pg_of(r)->ring;
    struct id owner = owner_put(r, NULL);
    int rows, before;

    talk_new(r, &half, owner);
    talk_new(r, &nearly, owner);
    talk_new(r, &full, owner);
    talk_says_alone(r, &half, 20);
    talk_says_alone(r, &full, 10);
    before = pg_ring_find(ring, half.id)->rows;
    while (!is_nearly_full(pg_ring_find(ring, nearly.id)))
        talk_says_alone(r, &nearly, 1);
    do {
        assert_non_null(pg_ring_find(ring, nearly.id));
        rows = pg_ring_find(ring, full.id)->rows;
        talk_says_alone(r, &full, 1);
    } while (pg_ring_find(ring, full.id)->rows > rows);
    assert_null(pg_ring_find(ring, nearly.id));
    assert_int_equal(pg_ring_find(ring, half.id)->rows, before);
    expect_talk(r, &half);
    expect_talk(r, &nearly);
    expect_talk(r, &full);
}

static void a_step_takes_what_came_before_with_it(void **state)
{
    struct rig *r = *state;
    struct talk t = {.last = 0};

    talk_new(r, &t, owner_put(r, NULL));
    talk_says_alone(r, &t, 5);
    talk_steps(r, &t, "running");
    assert_int_equal(live(r), 0);
    assert_int_equal(rows_elsewhere(r), 4);
    expect_talk(r, &t);
    talk_says_alone(r, &t, 3); /* it is looked at again, and then known */
    assert_int_equal(live(r), 2);
    expect_talk(r, &t);
    talk_steps(r, &t, "completed"); /* it has no owner then */
    assert_int_equal(live(r), 0);
    expect_talk(r, &t);
}

/* One commit with what goes into a slot and what does not; several of one session. */
static void a_commit_may_go_both_ways(void **state)
{
    struct rig *r = *state;
    struct talk t[4] = {{.last = 0}};
    struct id owner = owner_put(r, NULL);
    struct rig_delta x[5];
    struct delta *deltas[5];
    bool refused[5];

    for (int i = 0; i < 4; i++) {
        talk_new(r, &t[i], owner);
        if (i < 3)
            talk_says_alone(r, &t[i], 3);
    }
    talk_fill(&t[0], &x[0], 1);
    talk_fill(&t[1], &x[1], 2);
    talk_fill(&t[0], &x[2], 1);
    talk_fill(&t[2], &x[3], 1);
    talk_fill(&t[3], &x[4], 1); /* not known */
    x[3].core = rig_core("running");
    x[3].core.last_seq = t[2].last;
    for (int i = 0; i < 5; i++)
        deltas[i] = &x[i].d;
    assert_int_equal(rig_commit_many(r, deltas, 5, refused), 0); /* of the owner */
    assert_int_equal(live(r), 6 + 4);
    for (int i = 0; i < 5; i++) {
        assert_false(refused[i]);
        rig_delta_deinit(&x[i]);
    }
    talk_fill(&t[0], &x[0], 1);
    talk_fill(&t[2], &x[1], 1);
    x[1].core = rig_core("running");
    x[1].core.last_seq = t[2].last;
    x[1].d.core = &x[1].core;
    assert_int_equal(rig_commit_many(r, deltas, 2, refused), 0); /* and with more */
    assert_false(refused[0] || refused[1]);
    assert_int_equal(live(r), 6 + 4 + 1 - 3);
    rig_delta_deinit(&x[0]);
    rig_delta_deinit(&x[1]);
    for (int i = 0; i < 4; i++)
        expect_talk(r, &t[i]);
}

/* A frame too large for a slot, and so many deltas that they are none's either. */
static void what_is_too_large_goes_elsewhere(void **state)
{
    enum { MANY = PG_RING_ROWS + 1 };
    struct rig *r = *state;
    struct talk t[MANY] = {{.last = 0}};
    struct id owner = owner_put(r, NULL);
    struct rig_delta x[MANY];
    struct delta *deltas[MANY];
    bool refused[MANY];

    for (int i = 0; i < MANY; i++) {
        talk_new(r, &t[i], owner);
        talk_says_alone(r, &t[i], 2);
    }
    assert_true(talk_says(r, &t[0], 60)); /* 15 kB */
    assert_int_equal(live(r), MANY - 1);
    for (int i = 0; i < MANY; i++) {
        talk_fill(&t[i], &x[i], 1);
        deltas[i] = &x[i].d;
    }
    assert_int_equal(rig_commit_many(r, deltas, MANY, refused), 0);
    assert_int_equal(live(r), 0);
    for (int i = 0; i < MANY; i++) {
        assert_false(refused[i]);
        rig_delta_deinit(&x[i]);
        expect_read(r, &t[i], 0, 1000, 1 << 20);
    }
}

/* ---- slots ---- */

/* A rush takes as many slots as it needs; they are given back. */
static void slots_come_and_go(void **state)
{
    enum { SESSIONS = 40 };
    struct rig *r = *state;
    struct talk t[SESSIONS] = {{.last = 0}};
    struct id owner = owner_put(r, NULL);
    struct pg_ring *ring = &pg_of(r)->ring;

    for (int i = 0; i < SESSIONS; i++)
        talk_new(r, &t[i], owner);
    for (int round = 0; round < 12; round++)
        for (int i = 0; i < SESSIONS; i++)
            talk_says_alone(r, &t[i], 1);
    int most = ring->slots;
    assert_true(most > 5 * PG_RING_STEP);
    assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), most);
    for (int i = 1; i < SESSIONS; i++)
        talk_steps(r, &t[i], "completed");
    talk_says_alone(r, &t[0], 2 * PG_RING_STEP);
    assert_true(ring->slots < most / 2);
    assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), ring->slots);
    for (int i = 0; i < SESSIONS; i++)
        expect_read(r, &t[i], 0, 1000, 1 << 20);
    talk_steps(r, &t[0], "running");
    talk_steps(r, &t[0], "running");
    assert_int_equal(ring->slots, 0);
    assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), 0); /* nothing of what was said */
}

/* As if all slots that there may be had something that counts. */
static void fill_slots(struct pg_ring *ring)
{
    for (int i = 0; i < PG_RING_SLOTS; i++)
        if (ring->live[i] == 0)
            ring->live[i] = UINT16_MAX;
    ring->slots = PG_RING_SLOTS;
}

/* When no slot is free, those that have waited for the longest make room. */
static void slots_that_are_full_are_freed(void **state)
{
    enum { SESSIONS = 30 };
    struct rig *r = *state;
    struct talk t[SESSIONS + 1] = {{.last = 0}};
    struct id owner = owner_put(r, NULL);
    struct pg_ring *ring = &pg_of(r)->ring;

    for (int i = 0; i <= SESSIONS; i++) {
        talk_new(r, &t[i], owner);
        talk_says_alone(r, &t[i], 10);
    }
    fill_slots(ring);
    talk_says_alone(r, &t[SESSIONS], 40);
    assert_null(pg_ring_find(ring, t[0].id)); /* folded, without a word of it */
    assert_non_null(pg_ring_find(ring, t[SESSIONS].id));
    for (int i = 0; i <= SESSIONS; i++)
        expect_read(r, &t[i], 0, 1000, 1 << 20);
}

/* The database has all that the session has said, whether we know or not. */
static bool is_written(struct rig *r, const struct talk *t)
{
    char id[ID_TEXT_BYTES + 1], sql[512];

    id_format(t->id, id);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM (SELECT session_id AS id, seq_last AS last FROM session_events"
             " UNION ALL SELECT u.id, u.last FROM event_ring AS g CROSS JOIN LATERAL"
             " unnest(g.session_ids, g.lasts) AS u (id, last)) AS q"
             " WHERE q.id = '%s' AND q.last >= %lld",
             id, (long long)t->last);
    return ask(r, sql) > 0;
}

static struct pg_worker *writer_of(struct rig *r)
{
    return &pg_of(r)->workers[PG_WRITER];
}

/* What the writer has sent is on its way; an answer never comes. */
static void writer_is_cut_off(struct rig *r)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    dup2(ends[0], PQsocket(writer_of(r)->conn.handle));
    close(ends[0]);
    close(ends[1]);
}

/* It is written, but not answered; NULL, or what happens besides, before anybody knows, and gives
 * whether that went as it should: nothing may fail while a request is under way. */
static void talk_is_not_answered(struct rig *r, struct talk *t, bool (*besides)(struct rig *r))
{
    struct pg_conn *c = &writer_of(r)->conn;
    struct rig_delta x;
    struct watch w;
    bool is_right;

    talk_fill(t, &x, 1);
    c->batch_ms = 100;
    watch_submit(r, &w, &x);
    uv_run(&r->loop, UV_RUN_NOWAIT);
    while (!is_written(r, t))
        ;
    writer_is_cut_off(r);
    is_right = !besides || besides(r);
    assert_int_equal(watch_wait(r, &w), 0);
    assert_true(is_right);
    assert_false(w.refused);
    c->batch_ms = 0;
    rig_delta_deinit(&x);
}

static void a_commit_is_lost(struct rig *r, bool (*besides)(struct rig *r))
{
    enum { ROUNDS = 3, OTHERS = 3 };
    struct talk t[OTHERS + 1] = {{.last = 0}};
    struct id owner = owner_put(r, NULL);

    for (int i = 0; i <= OTHERS; i++)
        talk_new(r, &t[i], owner);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i <= OTHERS; i++)
            talk_says_alone(r, &t[i], 5);
        fill_slots(&pg_of(r)->ring);
        talk_is_not_answered(r, &t[OTHERS], besides);
        for (int i = 0; i <= OTHERS; i++) {
            assert_null(pg_ring_find(&pg_of(r)->ring, t[i].id)); /* all is settled */
            expect_talk(r, &t[i]);
        }
        assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), 0);
        for (int i = 0; i <= OTHERS; i++) {
            talk_says_alone(r, &t[i], 3);
            assert_int_equal(live(r), 2); /* in slots again */
            assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), pg_of(r)->ring.slots);
            talk_steps(r, &t[i], "running");
            expect_talk(r, &t[i]);
        }
        owner_put(r, &owner); /* with slots of its own again */
    }
}

/* A commit folds others, and nobody is told: then memory must not hold them for what is still to be
 * folded. */
static void what_a_lost_commit_folded_is_not_folded_again(void **state)
{
    a_commit_is_lost(*state, NULL);
}

static bool settling_is_cut_off(struct rig *r)
{
    while (!writer_of(r)->settles)
        uv_run(&r->loop, UV_RUN_ONCE);
    while (ask(r, "SELECT count(*) FROM event_ring") > 0)
        ;
    writer_is_cut_off(r);
    return true;
}

static void settling_that_is_not_answered_is_done_again(void **state)
{
    a_commit_is_lost(*state, settling_is_cut_off);
}

#define RENAME "ALTER FUNCTION sluice_ring_settle%s(uuid, uuid[]) RENAME TO sluice_ring_settle%s"

/* Closes `lines`. */
static int count_lines_with(FILE *lines, const char *part)
{
    char line[1024];
    int count = 0;

    rewind(lines);
    while (fgets(line, sizeof(line), lines))
        count += strstr(line, part) != NULL;
    fclose(lines);
    return count;
}

/* It is asked for again, less and less often, and nothing is written before; the log has the reason
 * once. */
static bool settling_is_refused(struct rig *r)
{
    uint64_t end = uv_hrtime() + 4 * UINT64_C(1000000000);
    int64_t before = ask(r, "SELECT count(*) FROM session_events"), then, slots;
    FILE *log = tmpfile();
    int standard_error = dup(STDERR_FILENO);
    char sql[128];
    bool is_slower;
    int lines;

    assert_non_null(log);
    snprintf(sql, sizeof(sql), RENAME, "", "_not");
    pg_rig_exec_on(r->url, sql);
    log_configure(LOG_WARN, 0);
    dup2(fileno(log), STDERR_FILENO);
    while (!(is_slower = writer_of(r)->backoff_ms >= 4 * PG_BACKOFF_MIN_MS) && uv_hrtime() < end)
        uv_run(&r->loop, UV_RUN_NOWAIT);
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    log_configure(LOG_ERROR, 0);
    then = ask(r, "SELECT count(*) FROM session_events");
    slots = ask(r, "SELECT count(*) FROM event_ring");
    snprintf(sql, sizeof(sql), RENAME, "_not", "");
    pg_rig_exec_on(r->url, sql);
    lines = count_lines_with(log, "sluice_ring_settle");
    print_message("slower: %d, rows: %lld of %lld, slots: %lld, told: %d\n", is_slower,
                  (long long)then, (long long)before, (long long)slots, lines);
    return is_slower && then == before && slots > 0 && lines == 1;
}

static void settling_that_is_refused_is_waited_for(void **state)
{
    a_commit_is_lost(*state, settling_is_refused);
    assert_int_equal(writer_of(*state)->backoff_ms, 0);
}

/* ---- who takes it from whom ---- */

static void a_release_and_a_claim_lose_nothing(void **state)
{
    struct rig *r = *state;
    struct talk t = {.last = 0}, other = {.last = 0};
    struct id owner = owner_put(r, NULL);

    talk_new(r, &t, owner);
    talk_new(r, &other, owner);
    for (int round = 0; round < 5; round++) {
        talk_says_alone(r, &t, 3 + round);
        talk_says_alone(r, &other, 2);
        int before = live(r);
        talk_release(r, &t);
        assert_int_equal(live(r), before - (2 + round));
        expect_talk(r, &t);
        talk_claim(r, &t, owner);
        expect_talk(r, &t);
        expect_talk(r, &other);
    }
}

/* Two instances of one process: what is asked goes to the other one from here on. */
static void swap_stores(struct rig *r)
{
    struct store *mine = r->store;

    r->store = r->other;
    r->other = mine;
}

static void open_other(struct rig *r)
{
    assert_null(r->other);
    swap_stores(r);
    rig_open_store(r);
    swap_stores(r);
}

/* A token of each, in one commit. */
static void talks_say_one(struct rig *r, struct talk *t, size_t count)
{
    struct rig_delta x[8];
    struct delta *deltas[8];
    bool refused[8];

    assert_true(count <= ROWS(x));
    for (size_t i = 0; i < count; i++) {
        talk_fill(&t[i], &x[i], 1);
        deltas[i] = &x[i].d;
    }
    assert_int_equal(rig_commit_many(r, deltas, count, refused), 0);
    for (size_t i = 0; i < count; i++) {
        assert_false(refused[i]);
        rig_delta_deinit(&x[i]);
    }
}

/* Another instance holds the owner for dead. It may live on: then it finds that it has lost. */
static void a_takeover_folds_what_the_dead_had(void **state)
{
    struct rig *r = *state;
    struct talk t[3] = {{.last = 0}};
    struct id owner = owner_put(r, NULL);

    open_other(r);
    for (int i = 0; i < 3; i++) {
        talk_new(r, &t[i], owner);
        talk_says_alone(r, &t[i], 4 + i);
    }
    talks_say_one(r, t, 3); /* at different times, which a slot does not know apart */
    swap_stores(r);
    owner_remove(r, owner);
    assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), 0);
    for (int i = 0; i < 3; i++)
        expect_talk(r, &t[i]);
    struct id heir = owner_put(r, NULL);
    struct talk lost = t[0];
    talk_claim(r, &t[0], heir);
    swap_stores(r);
    assert_false(talk_says(r, &lost, 1));
    talk_steps(r, &t[1],
               "running"); /* nobody has claimed it yet; what it had, another has folded */
    assert_true(talk_says(r, &t[1], 1));
    for (int i = 0; i < 3; i++)
        expect_talk(r, &t[i]);
    swap_stores(r);
    talk_says_alone(r, &t[0], 5);
    talk_claim(r, &t[1], heir);
    talk_says_alone(r, &t[1], 5);
    for (int i = 0; i < 3; i++)
        expect_talk(r, &t[i]);
    rig_close_other(r);
}

static void store_req_marked(struct store_req *req)
{
    *(bool *)req->data = true;
}

/* Both at the same time, in either order: the owner's commit is whole, and in the log that its heir
 * reads. */
static void a_takeover_and_tokens_never_pass_each_other(void **state)
{
    enum { ROUNDS = 24 };
    struct rig *r = *state;

    open_other(r);
    for (int round = 0; round < ROUNDS; round++) {
        struct id owner = owner_put(r, NULL);
        struct talk t = {.last = 0};
        struct store_instance_remove gone = {.id = owner};
        struct rig_delta x;
        struct watch w;
        bool taken = false;
        talk_new(r, &t, owner);
        talk_says_alone(r, &t, 1 + round % 3 * 40);
        talk_fill(&t, &x, 1);
        if (round % 4 == 3) { /* with more, so that what it had is folded by the owner */
            x.core = rig_core("running");
            x.core.last_seq = t.last;
            x.d.core = &x.core;
        }
        store_req_init(&gone.req, STORE_INSTANCE_REMOVE, store_req_marked, &taken);
        if (round % 2 == 0)
            watch_submit(r, &w, &x);
        store_submit(r->other, &gone.req);
        if (round % 2 == 1) {
            for (int turn = 0; turn < round % 5; turn++)
                uv_run(&r->loop, UV_RUN_NOWAIT);
            watch_submit(r, &w, &x);
        }
        assert_int_equal(watch_wait(r, &w), 0);
        while (!taken)
            uv_run(&r->loop, UV_RUN_ONCE);
        assert_int_equal(gone.req.status, 0);
        store_req_deinit(&gone.req);
        assert_false(w.refused); /* nobody has claimed the session */
        rig_delta_deinit(&x);
        swap_stores(r);
        struct id heir = owner_put(r, NULL);
        expect_talk(r, &t);
        talk_claim(r, &t, heir);
        talk_says_alone(r, &t, 3);
        expect_talk(r, &t);
        owner_remove(r, heir);
        swap_stores(r);
    }
    rig_close_other(r);
}

/* The session comes back under its id, with less than it had: from an export, say. */
static void what_was_under_an_id_before_is_void(void **state)
{
    struct rig *r = *state;
    struct talk t = {.last = 0};
    struct id owner = owner_put(r, NULL);

    talk_new(r, &t, owner);
    talk_says_alone(r, &t, 9);
    talk_delete(r, &t);
    assert_int_equal(live(r), 0);
    talk_new(r, &t, owner);
    expect_talk(r, &t);
    talk_says_alone(r, &t, 4);
    expect_talk(r, &t);
    talk_release(r, &t);
    pg_rig_exec_on(r->url, "DELETE FROM session_events WHERE seq_first > 1");
    t.last = 1;
    talk_claim(r, &t, owner);
    expect_talk(r, &t);
    talk_says_alone(r, &t, 2);
    expect_talk(r, &t);
}

/* ---- the way down, and a copy ---- */

static void the_way_down_folds(void **state)
{
    struct rig *r = *state;
    struct talk t = {.last = 0};
    struct errbuf e = {""};
    PGconn *handle;

    talk_new(r, &t, owner_put(r, NULL));
    talk_says_alone(r, &t, 7);
    rig_close_store(r);
    handle = PQconnectdb(r->url);
    assert_int_equal(pg_migrate_handle(handle, 13, NULL, NULL, &e), 0);
    assert_int_equal(ask(r, "SELECT max(seq_last) FROM session_events"), t.last);
    assert_int_equal(ask(r, "SELECT count(*) FROM session_events"), 3);
    PQfinish(handle);
    rig_open_store(r);
    expect_talk(r, &t);
}

static void a_copy_has_what_stood_in_slots(void **state)
{
    struct rig *r = *state;
    struct talk t = {.last = 0};
    struct errbuf e = {""};
    char from[600], to[300];
    struct rig *copy = rig_create(true, false);

    talk_new(r, &t, owner_put(r, NULL));
    talk_says_alone(r, &t, 7);
    rig_close_store(r);
    pg_rig_exec_on(r->url, "UPDATE instances SET lease_until = 1, updated_at = 1");
    pg_rig_as_url(r->url, from, sizeof(from));
    rig_close_store(copy);
    snprintf(to, sizeof(to), "sqlite:%s", copy->dir);
    if (store_copy(from, to, NULL, &e) != 0)
        fail_msg("%s", e.text);
    rig_open_store(copy);
    expect_talk(copy, &t);
    rig_destroy(copy);
    rig_open_store(r);
}

/* ---- anything, in any order ---- */

#define TALKS 5

static void talks_say_more(struct rig *r, struct talk *t, unsigned *seed)
{
    struct rig_delta x[2 * TALKS];
    struct delta *deltas[2 * TALKS];
    bool refused[2 * TALKS];
    size_t n = 0;

    for (int i = 0; i < 2 * TALKS; i++) {
        struct talk *one = &t[i % TALKS];
        if (dice(seed, 3) == 0)
            continue;
        talk_fill(one, &x[n], dice(seed, 40) == 0 ? 50 : 1 + (int)dice(seed, 3));
        if (dice(seed, 25) == 0) {
            x[n].core = rig_core("running");
            x[n].core.last_seq = one->last;
            x[n].d.core = &x[n].core;
        }
        deltas[n] = &x[n].d;
        n++;
    }
    if (n > 0)
        assert_int_equal(rig_commit_many(r, deltas, n, refused), 0);
    if (n > 0 && dice(seed, 10) == 0) /* as if nobody knew what became of it */
        assert_int_equal(rig_commit_many(r, deltas, n, refused), 0);
    for (size_t i = 0; i < n; i++) {
        assert_false(refused[i]);
        rig_delta_deinit(&x[i]);
    }
}

static void talk_is_cut(struct rig *r, struct talk *t, int turns)
{
    struct rig_delta x;

    talk_fill(t, &x, 1);
    watch_cut(r, &x, turns);
    rig_delta_deinit(&x);
}

/* The process ends, killed or not, and another one goes on. */
static struct id another_life(struct rig *r, struct talk *t, struct id owner, bool killed)
{
    if (killed) {
        rig_close_store(r);
        rig_open_store(r);
    }
    owner_remove(r, owner);
    owner = owner_put(r, NULL);
    for (int i = 0; i < TALKS; i++)
        talk_claim(r, &t[i], owner);
    return owner;
}

static void each_event_is_read_once(void **state)
{
    struct rig *r = *state;
    struct talk t[TALKS] = {{.last = 0}};
    struct id owner = owner_put(r, NULL);
    unsigned seed = 20261122;

    for (int i = 0; i < TALKS; i++)
        talk_new(r, &t[i], owner);
    for (int step = 0; step < 900; step++) {
        unsigned what = dice(&seed, 100);
        struct talk *one = &t[what % TALKS];
        if (what < 80) {
            talks_say_more(r, t, &seed);
        } else if (what < 88) {
            expect_read(r, one, (int64_t)dice(&seed, (unsigned)one->last + 2),
                        1 + (int)dice(&seed, 60), dice(&seed, 2) ? 1 << 20 : 3000);
        } else if (what < 90) {
            talk_delete(r, one);
            talk_new(r, one, owner);
        } else if (what < 92) {
            talk_release(r, one);
            talk_claim(r, one, owner);
        } else if (what < 95) {
            if (dice(&seed, 4) == 0)
                talk_is_not_answered(r, one, NULL);
            else
                talk_is_cut(r, one, (int)dice(&seed, 6));
        } else if (what < 97) {
            owner = another_life(r, t, owner, what < 96);
        } else if (what < 98) {
            owner_put(r, &owner); /* once more, as it is */
        } else {
            expect_talk(r, one);
        }
    }
    for (int i = 0; i < TALKS; i++)
        expect_talk(r, &t[i]);
}

#define ONE(test)                                                                                  \
    {                                                                                              \
#test " (postgres)", test, rig_setup_postgres, rig_teardown, NULL                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONE(tokens_stand_in_slots),
        ONE(a_session_that_is_full_becomes_a_row),
        ONE(those_that_are_nearly_full_are_folded_with_it),
        ONE(a_step_takes_what_came_before_with_it),
        ONE(a_commit_may_go_both_ways),
        ONE(what_is_too_large_goes_elsewhere),
        ONE(slots_come_and_go),
        ONE(slots_that_are_full_are_freed),
        ONE(what_a_lost_commit_folded_is_not_folded_again),
        ONE(settling_that_is_not_answered_is_done_again),
        ONE(settling_that_is_refused_is_waited_for),
        ONE(a_release_and_a_claim_lose_nothing),
        ONE(a_takeover_folds_what_the_dead_had),
        ONE(a_takeover_and_tokens_never_pass_each_other),
        ONE(what_was_under_an_id_before_is_void),
        ONE(the_way_down_folds),
        ONE(a_copy_has_what_stood_in_slots),
        ONE(each_event_is_read_once),
    };
    return RIG_RUN_TESTS(tests);
}
