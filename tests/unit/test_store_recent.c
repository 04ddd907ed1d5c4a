/* Events that came alone: the ring that they are in (sqlite_ring.h), and that readers, starts,
 * copies and deletions see each of them exactly once, folded or not (sqlite_recent.h). */
#include <sqlite3.h>
#include <stdatomic.h>

#include "store/copy.h"
#include "store/migrate.h"
#include "store/sqlite_store.h"
#include "test_store_rig.h"

/* ---- the ring ---- */

static unsigned dice(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % n;
}

static void open_db(struct rig *r, struct sqlite_db *db, enum sqlite_role role)
{
    char *path = sqlite_path(r->dir);
    struct errbuf e = {""};

    assert_int_equal(sqlite_db_open(db, path, role), 0);
    free(path);
    if (role == SQLITE_ROLE_WRITER && sqlite_migrate_db(db, MIGRATE_NEWEST, NULL, NULL, &e) != 0)
        fail_msg("%s", e.text);
}

static void ring_bytes(struct sqlite_db *db, struct buf *out, struct arena *a)
{
    static struct str slots[RING_SLOTS];
    struct sqlq q;
    size_t n = 0;

    sqlq_start(&q, db, SQL_RING_READ);
    while (sqlq_next(&q) > 0)
        slots[n++] = sqlq_blob(&q, a);
    assert_int_equal(ring_read(slots, n, out), 0);
}

struct kept {
    int64_t number;
    size_t bytes;
    uint64_t serial;
};

static void expect_ring(struct sqlite_db *db, const struct kept *kept, size_t from, size_t count)
{
    struct ring_record record = {.session = 0};
    struct buf bytes;
    struct arena a;

    arena_init(&a);
    buf_init(&bytes, (size_t)RING_SLOTS * RING_SLOT_BYTES);
    ring_bytes(db, &bytes, &a);
    struct str rest = buf_str(&bytes);
    int more = 0;
    /* More than what is needed may be there: what shares a slot with it. */
    while ((more = ring_next(&rest, &record)) > 0 &&
           (from == count || record.session != kept[from].number))
        ;
    for (; from < count; from++) {
        assert_int_equal(more, 1);
        assert_int_equal(record.session, kept[from].number);
        assert_int_equal(record.frames.n, kept[from].bytes);
        for (size_t i = 0; i < record.frames.n; i++)
            assert_int_equal(record.frames.p[i], 'a' + (char)(kept[from].number % 26));
        more = ring_next(&rest, &record);
    }
    assert_int_equal(more, 0);
    buf_deinit(&bytes);
    arena_deinit(&a);
}

/* Transactions of random records, some of them undone, while what is needed moves on: all that is
 * needed reads back, in its order, and the ring does not grow without need. */
static void the_ring_reads_back_what_is_needed(void **state)
{
    struct rig *r = *state;
    static struct kept kept[20000];
    static char frames[RING_FRAMES_MAX];
    static struct sqlite_ring ring;
    size_t count = 0, from = 0;
    unsigned seed = 7;
    struct sqlite_db db;

    rig_close_store(r);
    open_db(r, &db, SQLITE_ROLE_WRITER);
    ring_init(&ring);
    for (int round = 0; round < 600; round++) {
        size_t before = count, n = dice(&seed, 12);
        assert_int_equal(sqlite_db_begin(&db, true), 0);
        ring_begin(&ring);
        uint64_t oldest = from < count ? kept[from].serial : ring.before.serial;
        for (size_t i = 0; i < n; i++) {
            size_t bytes =
                dice(&seed, 40) ? 1 + dice(&seed, 400) : 1 + dice(&seed, RING_FRAMES_MAX);
            kept[count] = (struct kept){(int64_t)count + round * 1000, bytes, 0};
            memset(frames, 'a' + (char)(kept[count].number % 26), bytes);
            struct ring_record record = {kept[count].number, 1, 1, 17, {frames, bytes}};
            assert_true(ring_has_room(&ring, bytes, oldest));
            assert_int_equal(ring_append(&ring, &db, &record, oldest, &kept[count].serial), 0);
            count++;
        }
        assert_int_equal(ring_write(&ring, &db, oldest), 0);
        if (dice(&seed, 4) == 0) {
            sqlite_db_rollback(&db);
            ring_undo(&ring);
            count = before;
        } else {
            assert_int_equal(sqlite_db_commit(&db), 0);
        }
        if (dice(&seed, 3) == 0)
            from += dice(&seed, (unsigned)(count - from + 1));
        if (round % 20 == 0)
            expect_ring(&db, kept, from, count);
    }
    expect_ring(&db, kept, from, count);
    assert_true(ring.now.count < 100);
    sqlite_db_close(&db);
}

/* A ring that is full has no room; a record of one slot's serial after another it has. */
static void a_full_ring_has_no_room(void **state)
{
    struct rig *r = *state;
    static char frames[3500];
    static struct sqlite_ring ring;
    struct sqlite_db db;
    uint64_t first = 0, serial = 0;
    int written = 0;

    rig_close_store(r);
    open_db(r, &db, SQLITE_ROLE_WRITER);
    ring_init(&ring);
    memset(frames, 'x', sizeof(frames));
    assert_int_equal(sqlite_db_begin(&db, true), 0);
    ring_begin(&ring);
    struct ring_record record = {1, 1, 1, 1, {frames, sizeof(frames)}};
    assert_int_equal(ring_append(&ring, &db, &record, 0, &first), 0);
    for (; ring_has_room(&ring, sizeof(frames), first); written++)
        assert_int_equal(ring_append(&ring, &db, &record, first, &serial), 0);
    assert_true(written > RING_SLOTS / 2 && ring.now.count <= RING_SLOTS);
    /* The first is needed no more: its slot is the next one. */
    assert_true(ring_has_room(&ring, 100, first + 2));
    for (int i = 0; i < 100; i++)
        assert_int_equal(ring_append(&ring, &db, &record, serial, &serial), 0);
    assert_true(ring.now.count <= RING_SLOTS);
    assert_int_equal(ring_write(&ring, &db, serial), 0);
    assert_int_equal(sqlite_db_commit(&db), 0);
    sqlite_db_close(&db);
}

static void a_spoiled_ring_is_told(void **state)
{
    struct rig *r = *state;
    static struct sqlite_ring ring;
    struct errbuf e = {""};
    struct sqlite_db db;
    uint64_t serial;
    static const char *const spoils[] = {
        "UPDATE event_ring SET bytes = zeroblob(4040) WHERE slot = 2",
        "UPDATE event_ring SET bytes = x'00' WHERE slot = 2",
        "DELETE FROM event_ring WHERE slot = 2",
        "DELETE FROM event_ring WHERE slot = 1",
        "UPDATE event_ring SET bytes = (SELECT bytes FROM event_ring WHERE slot = 1)",
        "UPDATE event_ring SET bytes = CAST(replace(CAST(bytes AS TEXT), '1 1 1', '1 1 x') AS BLOB)"
        " WHERE slot = 3",
    };

    rig_close_store(r);
    for (size_t i = 0; i < ROWS(spoils); i++) {
        static char frames[3000];
        memset(frames, 'x', sizeof(frames));
        open_db(r, &db, SQLITE_ROLE_WRITER);
        ring_init(&ring);
        assert_int_equal(sqlite_db_begin(&db, true), 0);
        ring_begin(&ring);
        struct ring_record record = {77, 1, 1, 1, {frames, sizeof(frames)}};
        for (int k = 0; k < 4; k++)
            assert_int_equal(ring_append(&ring, &db, &record, 1, &serial), 0);
        assert_int_equal(ring_write(&ring, &db, 1), 0);
        assert_int_equal(sqlite_db_exec(&db, spoils[i]), 0);
        assert_int_equal(sqlite_db_commit(&db), 0);
        assert_int_equal(sqlite_recent_recover(&db), ERR_CORRUPT);
        sqlite_db_close(&db);
        assert_int_equal(sqlite_store_open(&r->store, &r->loop, r->dir, true, &e), ERR_CORRUPT);
        assert_non_null(strstr(e.text, "event_ring"));
        r->store = NULL;
        uv_run(&r->loop, UV_RUN_NOWAIT);
        open_db(r, &db, SQLITE_ROLE_WRITER);
        assert_int_equal(sqlite_db_exec(&db, "DELETE FROM event_ring"), 0);
        sqlite_db_close(&db);
    }
}

/* ---- each event exactly once ---- */

/* All frames that a reader gets after a number, over several pages; a row may begin before it. */
static void read_log(struct rig *r, struct id id, int64_t after, struct buf *out, int64_t *last)
{
    bool more = true;

    buf_clear(out);
    while (more) {
        RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
        e.session_id = id;
        e.after = after;
        e.limit = 40;
        e.bytes_max = 100000;
        assert_int_equal(rig_run(r, &e.req), 0);
        *last = e.last_seq;
        more = e.rows != NULL;
        for (const struct event_row *row = e.rows; row; row = row->next) {
            const char *p = row->frames.p, *end = p + row->frames.n;
            for (int64_t seq = row->seq_first; seq <= row->seq_last; seq++) {
                const char *nl = memchr(p, '\n', (size_t)(end - p));
                const char *to = nl ? nl : end;
                assert_true((seq == row->seq_last) == (nl == NULL));
                if (seq > after)
                    buf_printf(out, "%.*s\n", (int)(to - p), p);
                p = to + 1;
            }
            assert_true(row->seq_last > after);
            after = row->seq_last;
        }
        store_req_deinit(&e.req);
    }
}

struct told {
    struct id id;
    int64_t last;
    int generation; /* how often it was deleted and made again */
};

#define TOLD 5

static void told_frame(const struct told *t, int64_t seq, struct buf *out)
{
    int pad = (int)((seq * 37) % 900);

    buf_printf(out, "{\"seq\":%lld,\"of\":%d,\"pad\":\"%0*d\"}", (long long)seq, t->generation, pad,
               7);
}

static void expect_log(struct rig *r, const struct told *t, int64_t after)
{
    struct buf got, want;
    int64_t last = 0;

    buf_init(&got, 64u << 20);
    buf_init(&want, 64u << 20);
    read_log(r, t->id, after, &got, &last);
    for (int64_t seq = after + 1; seq <= t->last; seq++) {
        told_frame(t, seq, &want);
        buf_append_char(&want, '\n');
    }
    assert_int_equal(last, t->last);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.data, want.data, got.len);
    RIG_REQ(store_session_get, g, STORE_SESSION_GET);
    g.id = t->id;
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_int_equal(g.row.core.last_seq, t->last);
    store_req_deinit(&g.req);
    buf_deinit(&got);
    buf_deinit(&want);
}

static void told_new(struct rig *r, struct told *t)
{
    struct rig_delta x;

    rig_new_session(r, &x, "running", T0);
    if (t->generation++ == 0)
        t->id = x.d.session_id;
    x.d.session_id = t->id;
    t->last = 1;
    buf_clear(&x.d.events);
    told_frame(t, 1, &x.d.events);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
}

static void told_fill(struct told *t, struct rig_delta *x, int count)
{
    rig_events(x, t->id, t->last + 1, t->last + count);
    buf_clear(&x->d.events);
    for (int i = 0; i < count; i++) {
        buf_append_z(&x->d.events, i ? "\n" : "");
        told_frame(t, ++t->last, &x->d.events);
    }
}

/* Events of several sessions in one commit; some with a core, so that what is recent is settled. */
static void told_more(struct rig *r, struct told *t, unsigned *seed)
{
    struct rig_delta x[TOLD];
    struct delta *deltas[TOLD];
    bool refused[TOLD];
    size_t n = 0;

    for (int i = 0; i < TOLD; i++) {
        if (dice(seed, 2) == 0)
            continue;
        told_fill(&t[i], &x[n], 1 + (int)dice(seed, 3));
        if (dice(seed, 12) == 0) {
            x[n].core = rig_core("running");
            x[n].core.last_seq = t[i].last;
            x[n].d.core = &x[n].core;
        }
        deltas[n] = &x[n].d;
        n++;
    }
    r->may_block = dice(seed, 2) == 0;
    if (n > 0)
        assert_int_equal(rig_commit_many(r, deltas, n, refused), 0);
    if (n > 0 && dice(seed, 6) == 0) /* its outcome was not known */
        assert_int_equal(rig_commit_many(r, deltas, n, refused), 0);
    for (size_t i = 0; i < n; i++) {
        assert_false(refused[i]);
        rig_delta_deinit(&x[i]);
    }
}

static void told_delete(struct rig *r, struct told *t)
{
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = t->id;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    told_new(r, t);
}

/* What a kill at this moment would leave, opened as a store of its own. */
static void open_killed(struct rig *r, struct rig *other)
{
    static const char *const names[] = {"sluice.db", "sluice.db-wal"};
    char command[1200];

    *other = *r;
    rig_make_dir(other->dir, sizeof(other->dir));
    for (size_t i = 0; i < ROWS(names); i++) {
        snprintf(command, sizeof(command), "cp %s/%s %s/", r->dir, names[i], other->dir);
        assert_int_equal(system(command), 0);
    }
    assert_int_equal(uv_loop_init(&other->loop), 0);
    rig_open_store(other);
}

static void close_killed(struct rig *other)
{
    rig_close_store(other);
    assert_int_equal(uv_loop_close(&other->loop), 0);
    rig_remove_dir(other->dir);
}

static void expect_after_a_kill(struct rig *r, const struct told *t)
{
    struct rig other;

    open_killed(r, &other);
    for (int i = 0; i < TOLD; i++)
        expect_log(&other, &t[i], 0);
    close_killed(&other);
}

static void each_event_is_read_once(void **state)
{
    struct rig *r = *state;
    struct told t[TOLD] = {{.last = 0}};
    unsigned seed = 20261122;

    for (int i = 0; i < TOLD; i++)
        told_new(r, &t[i]);
    for (int step = 0; step < 500; step++) {
        unsigned what = dice(&seed, 100);
        if (what < 80)
            told_more(r, t, &seed);
        else if (what < 90)
            expect_log(r, &t[what % TOLD], (int64_t)dice(&seed, (unsigned)t[what % TOLD].last + 2));
        else if (what < 93)
            told_delete(r, &t[what % TOLD]);
        else if (what < 95 && r->sqlite)
            expect_after_a_kill(r, t);
        else if (what < 97 && (r->sqlite || r->postgres)) {
            rig_close_store(r);
            rig_open_store(r);
        }
    }
    for (int i = 0; i < TOLD; i++)
        expect_log(r, &t[i], 0);
}

/* ---- readers beside the writer ---- */

/* The two ends of a store without its threads. */
struct ends {
    struct sqlite_db writer, reader;
    struct sqlite_recent *recent;
};

static void ends_open(struct rig *r, struct ends *e)
{
    rig_close_store(r);
    open_db(r, &e->writer, SQLITE_ROLE_WRITER);
    e->recent = e->writer.recent = sqlite_recent_create();
    open_db(r, &e->reader, SQLITE_ROLE_READER);
}

static void ends_close(struct ends *e)
{
    sqlite_db_close(&e->reader);
    sqlite_db_close(&e->writer);
    sqlite_recent_destroy(e->recent);
}

static void ends_commit(struct ends *e, struct rig_delta *x)
{
    struct delta *d = &x->d;
    bool refused = false;
    struct store_commit c = {.deltas = &d, .count = 1, .refused = &refused};

    store_req_init(&c.req, STORE_COMMIT, rig_done, NULL);
    assert_int_equal(sqlite_db_begin(&e->writer, true), 0);
    sqlite_recent_begin(&e->writer);
    assert_int_equal(sqlite_write_run(&e->writer, &c.req), 0);
    assert_int_equal(sqlite_recent_end(&e->writer), 0);
    assert_int_equal(sqlite_db_commit(&e->writer), 0);
    sqlite_recent_committed(&e->writer);
    assert_false(refused);
    store_req_deinit(&c.req);
    rig_delta_deinit(x);
}

/* A token, or (settles) a change of the session's row. */
static void ends_write(struct ends *e, struct told *t, bool settles)
{
    struct rig_delta x;

    told_fill(t, &x, settles ? 2 : 1);
    if (settles) {
        x.core = rig_core("running");
        x.core.last_seq = t->last;
        x.d.core = &x.core;
    }
    ends_commit(e, &x);
}

enum { BEFORE_SNAPSHOT, AFTER_SNAPSHOT };

/* A reader that looks, then sees the file, while the writer writes in between. */
static void a_reader_sees_a_prefix_whatever_the_writer_does(void **state)
{
    struct rig *r = *state;
    struct told t = {.last = 0};
    struct ends e;

    told_new(r, &t);
    ends_open(r, &e);
    for (int round = 0; round < 40; round++) {
        int when = round % 2, writes = round / 2 % 5;
        for (int i = 0; i < round % 4; i++)
            ends_write(&e, &t, false);
        int64_t at_look = t.last, next = 1;
        struct recent_view view;
        RIG_REQ(store_events_read, read, STORE_EVENTS_READ);
        read.session_id = t.id;
        read.limit = 1000;
        read.bytes_max = 1 << 20;
        sqlite_recent_look(e.recent, &read.req, &view);
        assert_int_equal(view.count, round % 4 > 0);
        for (int i = 0; i < writes && when == BEFORE_SNAPSHOT; i++)
            ends_write(&e, &t, i == 1 || i == 2);
        assert_int_equal(sqlite_db_begin(&e.reader, false), 0);
        assert_int_equal(sqlite_db_exec(&e.reader, "SELECT count(*) FROM sessions"), 0);
        for (int i = 0; i < writes && when == AFTER_SNAPSHOT; i++)
            ends_write(&e, &t, i == 1 || i == 2);
        e.reader.view = &view;
        assert_int_equal(sqlite_read_run(&e.reader, &read.req), 0);
        e.reader.view = NULL;
        assert_int_equal(sqlite_db_commit(&e.reader), 0);
        for (const struct event_row *row = read.rows; row; row = row->next) {
            assert_int_equal(row->seq_first, next);
            next = row->seq_last + 1;
        }
        assert_true(next - 1 >= at_look && next - 1 <= t.last);
        assert_true(read.last_seq >= next - 1 && read.last_seq <= t.last);
        store_req_deinit(&read.req);
        ends_write(&e, &t, true);
    }
    ends_close(&e);
    rig_open_store(r);
    expect_log(r, &t, 0);
}

/* A transaction that fails leaves neither rows nor memory of them. */
static void what_was_rolled_back_is_nowhere(void **state)
{
    struct rig *r = *state;
    struct told t = {.last = 0};
    struct rig_delta x;
    struct ends e;

    told_new(r, &t);
    ends_open(r, &e);
    for (int i = 0; i < 3; i++) {
        int64_t before = t.last;
        bool taken = false;
        t.generation += 100; /* other events than those that come then under these numbers */
        told_fill(&t, &x, 1);
        t.generation -= 100;
        assert_int_equal(sqlite_db_begin(&e.writer, true), 0);
        sqlite_recent_begin(&e.writer);
        assert_int_equal(sqlite_recent_append(&e.writer, &x.d, &taken), 0);
        assert_true(taken);
        if (i == 1)
            assert_int_equal(sqlite_recent_settle(&e.writer, &t.id), 0);
        assert_int_equal(sqlite_recent_end(&e.writer), 0);
        sqlite_db_rollback(&e.writer);
        sqlite_recent_undo(&e.writer);
        rig_delta_deinit(&x);
        t.last = before;
        ends_write(&e, &t, false);
    }
    ends_close(&e);
    rig_open_store(r);
    expect_log(r, &t, 0);
}

/* ---- what else looks at events ---- */

/* Leaves the folder as a kill would: so many commits' tokens in the ring alone. */
static void killed_with_tokens(struct rig *r, struct told *t, int commits)
{
    struct ends e;

    told_new(r, t);
    ends_open(r, &e);
    for (int i = 0; i < commits; i++)
        ends_write(&e, t, false);
    ends_close(&e);
}

/* The ring's very first slot, with nothing before it. */
static void the_first_token_survives_a_kill(void **state)
{
    struct rig *r = *state;
    struct told t = {.last = 0};

    killed_with_tokens(r, &t, 1);
    rig_open_store(r);
    expect_log(r, &t, 0);
}

static void a_way_down_keeps_recent_events(void **state)
{
    struct rig *r = *state;
    struct told t = {.last = 0};
    struct errbuf e = {""};

    killed_with_tokens(r, &t, 20);
    assert_int_equal(sqlite_migrate(r->dir, 8, NULL, NULL, &e), 0);
    rig_open_store(r);
    expect_log(r, &t, 0);
}

static void a_copy_has_recent_events(void **state)
{
    struct rig *r = *state, other = *r;
    char from[300], to[300];
    struct told t = {.last = 0};
    struct errbuf e = {""};

    killed_with_tokens(r, &t, 20);
    rig_make_dir(other.dir, sizeof(other.dir));
    snprintf(from, sizeof(from), "sqlite:%s", r->dir);
    snprintf(to, sizeof(to), "sqlite:%s", other.dir);
    if (store_copy(from, to, NULL, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(uv_loop_init(&other.loop), 0);
    rig_open_store(&other);
    expect_log(&other, &t, 0);
    rig_close_store(&other);
    assert_int_equal(uv_loop_close(&other.loop), 0);
    rig_remove_dir(other.dir);
    rig_open_store(r);
}

static void a_backup_has_recent_events(void **state)
{
    struct rig *r = *state, other = *r;
    char file[300];
    struct told t = {.last = 0};
    struct errbuf e = {""};
    struct rig_delta x;

    told_new(r, &t);
    for (int i = 0; i < 20; i++) {
        told_fill(&t, &x, 2);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    rig_make_dir(other.dir, sizeof(other.dir));
    snprintf(file, sizeof(file), "%s/sluice.db", other.dir);
    if (sqlite_backup(r->dir, file, NULL, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(uv_loop_init(&other.loop), 0);
    rig_open_store(&other);
    expect_log(&other, &t, 0);
    rig_close_store(&other);
    assert_int_equal(uv_loop_close(&other.loop), 0);
    rig_remove_dir(other.dir);
}

/* A session's key goes to another one: the ring's records of the first are not the second's. */
static void a_key_that_is_free_again_has_no_events(void **state)
{
    struct rig *r = *state;
    struct told t = {.last = 0}, second = {.last = 0};
    struct rig_delta x;

    told_new(r, &t);
    for (int i = 0; i < 20; i++) {
        told_fill(&t, &x, 1);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
    d.id = t.id;
    assert_int_equal(rig_run(r, &d.req), 0);
    store_req_deinit(&d.req);
    told_new(r, &second);
    struct told all[TOLD];
    for (int i = 0; i < TOLD; i++)
        all[i] = second;
    expect_after_a_kill(r, all);
    expect_log(r, &second, 0);
}

/* Retention while a session that has ended has records in the ring: what it took does not come
 * back. */
static void retention_is_not_undone_by_the_ring(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct rig_delta x;

    for (int64_t seq = 2; seq < 12; seq++) {
        rig_events(&x, id, seq, seq);
        buf_clear(&x.d.events);
        buf_printf(&x.d.events, "{\"seq\":%lld,\"type\":\"token_stream\"}", (long long)seq);
        assert_int_equal(rig_commit(r, &x, NULL), 0);
        rig_delta_deinit(&x);
    }
    rig_events(&x, id, 12, 12);
    x.core = rig_core("completed");
    x.core.last_seq = 12;
    x.core.ended_at = T0 + 5;
    x.d.core = &x.core;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
    for (int round = 0; round < 2; round++) {
        RIG_REQ(store_retention, keep, STORE_RETENTION);
        *(round ? &keep.delete_before : &keep.fold_before) = T0 + 1000;
        assert_int_equal(rig_run(r, &keep.req), 0);
        assert_int_equal(round ? keep.deleted : keep.folded, 1);
        store_req_deinit(&keep.req);
        struct rig other = *r;
        char command[1200];
        rig_make_dir(other.dir, sizeof(other.dir));
        snprintf(command, sizeof(command), "cp %s/sluice.db %s/sluice.db-wal %s/", r->dir, r->dir,
                 other.dir);
        assert_int_equal(system(command), 0);
        assert_int_equal(uv_loop_init(&other.loop), 0);
        rig_open_store(&other);
        RIG_REQ(store_events_read, e, STORE_EVENTS_READ);
        e.session_id = id;
        e.limit = 100;
        e.bytes_max = 100000;
        assert_int_equal(rig_run(&other, &e.req), round ? ERR_NOT_FOUND : 0);
        for (const struct event_row *row = e.rows; row; row = row->next)
            assert_null(memmem(row->frames.p, row->frames.n, "token_stream", 12));
        store_req_deinit(&e.req);
        rig_close_store(&other);
        assert_int_equal(uv_loop_close(&other.loop), 0);
        rig_remove_dir(other.dir);
    }
}

/* ---- a disk that fails ---- */

/* The system's file layer, some of whose writes and flushes fail; of the writer's thread and of the
 * checkpointer's. */
static struct {
    sqlite3_vfs *real, vfs;
    uv_mutex_t mutex;
    sqlite3_io_methods methods[2]; /* of the file, and of its WAL, which is not locked */
    int (*write)(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at);
    int (*sync)(sqlite3_file *file, int flags);
    atomic_int left; /* calls until the next one that fails */
    atomic_int run;  /* so many fail then */
    atomic_int failed;
} bad;

static bool bad_call(void)
{
    if (atomic_fetch_sub(&bad.left, 1) > 0 || atomic_fetch_sub(&bad.run, 1) <= 0)
        return false;
    atomic_fetch_add(&bad.failed, 1);
    return true;
}

static int bad_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    if (!bad_call())
        return bad.write(file, bytes, n, at);
    /* What a disk that is full takes is the beginning. */
    bad.write(file, bytes, n / 2, at);
    return SQLITE_FULL;
}

static int bad_sync(sqlite3_file *file, int flags)
{
    return bad_call() ? SQLITE_IOERR_FSYNC : bad.sync(file, flags);
}

static int bad_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    int code = bad.real->xOpen(bad.real, name, file, flags, out);
    sqlite3_io_methods *methods = &bad.methods[(flags & SQLITE_OPEN_WAL) != 0];

    (void)vfs;
    if (code != SQLITE_OK || !(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)))
        return code;
    uv_mutex_lock(&bad.mutex);
    if (!methods->xSync) {
        bad.write = file->pMethods->xWrite;
        bad.sync = file->pMethods->xSync;
        *methods = *file->pMethods;
        methods->xWrite = bad_write;
        methods->xSync = bad_sync;
    }
    uv_mutex_unlock(&bad.mutex);
    file->pMethods = methods;
    return code;
}

static int setup_bad(void **state)
{
    bad.real = sqlite3_vfs_find(NULL);
    bad.vfs = *bad.real;
    bad.vfs.zName = "bad";
    bad.vfs.xOpen = bad_open;
    atomic_store(&bad.run, 0);
    uv_mutex_init(&bad.mutex);
    sqlite3_vfs_register(&bad.vfs, 1);
    return rig_setup_sqlite(state);
}

static int teardown_bad(void **state)
{
    int status = rig_teardown(state);

    sqlite3_vfs_unregister(&bad.vfs);
    uv_mutex_destroy(&bad.mutex);
    return status;
}

/* As a commit that failed leaves the files: it is there as a whole, or not at all. */
static void expect_one_of(struct rig *r, const struct told *before, const struct told *after)
{
    struct rig other;
    struct told t[TOLD];
    int whole = -1, run = atomic_exchange(&bad.run, 0); /* the other's disk is well */

    open_killed(r, &other);
    for (int i = 0; i < TOLD; i++) {
        RIG_REQ(store_session_get, g, STORE_SESSION_GET);
        g.id = after[i].id;
        assert_int_equal(rig_run(&other, &g.req), 0);
        int is_after = g.row.core.last_seq == after[i].last;
        store_req_deinit(&g.req);
        if (before[i].last != after[i].last) {
            assert_true(whole < 0 || whole == is_after);
            whole = is_after;
        }
    }
    for (int i = 0; i < TOLD; i++) {
        t[i] = whole == 1 ? after[i] : before[i];
        expect_log(&other, &t[i], 0);
    }
    close_killed(&other);
    atomic_store(&bad.run, run);
}

/* A commit that is tried until it is written, as the journal does, on a disk that fails at any call
 * of any commit, fold, deletion or checkpoint. */
static void told_retry(struct rig *r, struct told *t, unsigned *seed)
{
    struct told before[TOLD];
    struct rig_delta x[TOLD];
    struct delta *deltas[TOLD];
    bool refused[TOLD];
    int tries = 0;

    memcpy(before, t, sizeof(before));
    for (int i = 0; i < TOLD; i++) {
        told_fill(&t[i], &x[i], 1 + (int)dice(seed, 3));
        if (dice(seed, 12) == 0) {
            x[i].core = rig_core("running");
            x[i].core.last_seq = t[i].last;
            x[i].d.core = &x[i].core;
        }
        deltas[i] = &x[i].d;
    }
    for (; rig_commit_many(r, deltas, TOLD, refused) != 0; tries++) {
        assert_true(tries < 100);
        if (dice(seed, 4) == 0)
            expect_one_of(r, before, t);
        for (int i = 0; i < TOLD; i++) /* it is not seen before it is reported */
            if (dice(seed, 8) == 0)
                expect_log(r, &before[i], 0);
    }
    for (int i = 0; i < TOLD; i++) {
        assert_false(refused[i]);
        rig_delta_deinit(&x[i]);
    }
}

static void a_disk_that_fails_neither_loses_nor_repeats(void **state)
{
    struct rig *r = *state;
    struct told t[TOLD] = {{.last = 0}};
    unsigned seed = 11;

    for (int i = 0; i < TOLD; i++)
        told_new(r, &t[i]);
    for (int step = 0; step < 400; step++) {
        atomic_store(&bad.left, (int)dice(&seed, 8));
        atomic_store(&bad.run, dice(&seed, 3) ? 0 : 1 + (int)dice(&seed, 5));
        told_retry(r, t, &seed);
        unsigned what = dice(&seed, 40);
        if (what == 0) {
            RIG_REQ(store_session_delete, d, STORE_SESSION_DELETE);
            d.id = t[step % TOLD].id;
            while (rig_run(r, &d.req) != 0)
                ;
            store_req_deinit(&d.req);
            atomic_store(&bad.run, 0);
            told_new(r, &t[step % TOLD]);
        } else if (what < 4) {
            atomic_store(&bad.run, 0);
            expect_after_a_kill(r, t);
        } else if (what < 6) { /* what is recent may not be folded at the end */
            rig_close_store(r);
            atomic_store(&bad.run, 0);
            rig_open_store(r);
        }
    }
    assert_true(atomic_load(&bad.failed) > 30);
    for (int i = 0; i < TOLD; i++)
        expect_log(r, &t[i], 0);
}

/* ---- cost ---- */

static int64_t ask(struct rig *r, const char *sql)
{
    sqlite3_stmt *stmt;
    char path[512];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/sluice.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

/* Tokens are rows of session_events by dozens; a store that was closed has an empty ring. */
static void tokens_are_folded(void **state)
{
    struct rig *r = *state;
    struct told t[TOLD] = {{.last = 0}};
    struct rig_delta x[TOLD];
    struct delta *deltas[TOLD];
    bool refused[TOLD];

    for (int i = 0; i < TOLD; i++)
        told_new(r, &t[i]);
    for (int step = 0; step < 300; step++) {
        for (int i = 0; i < TOLD; i++) {
            told_fill(&t[i], &x[i], 1);
            deltas[i] = &x[i].d;
        }
        assert_int_equal(rig_commit_many(r, deltas, TOLD, refused), 0);
        for (int i = 0; i < TOLD; i++)
            rig_delta_deinit(&x[i]);
    }
    assert_true(ask(r, "SELECT count(*) FROM session_events") < TOLD * 300 / 16);
    assert_true(ask(r, "SELECT count(*) FROM event_ring") < 60);
    rig_close_store(r);
    assert_int_equal(ask(r, "SELECT count(*) FROM event_ring"), 0);
    rig_open_store(r);
    for (int i = 0; i < TOLD; i++)
        expect_log(r, &t[i], 0);
}

#define SQLITE(test)                                                                               \
    {                                                                                              \
#test, test, rig_setup_sqlite, rig_teardown, NULL                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        SQLITE(the_ring_reads_back_what_is_needed),
        SQLITE(a_full_ring_has_no_room),
        SQLITE(a_spoiled_ring_is_told),
        EVERY(each_event_is_read_once),
        SQLITE(a_reader_sees_a_prefix_whatever_the_writer_does),
        SQLITE(what_was_rolled_back_is_nowhere),
        SQLITE(the_first_token_survives_a_kill),
        SQLITE(a_way_down_keeps_recent_events),
        SQLITE(a_copy_has_recent_events),
        SQLITE(a_backup_has_recent_events),
        SQLITE(a_key_that_is_free_again_has_no_events),
        SQLITE(retention_is_not_undone_by_the_ring),
        {"a_disk_that_fails_neither_loses_nor_repeats", a_disk_that_fails_neither_loses_nor_repeats,
         setup_bad, teardown_bad, NULL},
        SQLITE(tokens_are_folded),
    };
    return RIG_RUN_TESTS(tests);
}
