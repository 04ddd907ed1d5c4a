/* The event log: whatever the order of seals, slow reads, evictions and late store reads, a cursor
 * gives every event once and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/log.h"
#include "net/uv_senders.h"

#define EVENTS_MAX 4000

/* A store in memory: committed events of one session, reads answered when the test says so. */
struct fake {
    struct log_reader reader;
    struct log_hub *hub;
    struct id session;
    int follows, watches; /* now */
    char *events[EVENTS_MAX + 1];
    int64_t committed, sealed, first_held;
    struct log_read *pending[64];
    int64_t seen[64]; /* committed when the read looked */
    unsigned pending_count, reads;
    int fail_next;
    bool refuses; /* viewers do not always take what they are given */
    unsigned laters;
    struct log_together together;
    bool is_sending;
    unsigned sends, sent; /* calls, and jobs of them */
};

static void fake_read(struct log_reader *r, struct log_read *read)
{
    struct fake *f = container_of(r, struct fake, reader);

    assert_true(f->pending_count < 64);
    assert_false(f->is_sending);
    f->seen[f->pending_count] = f->committed;
    f->pending[f->pending_count++] = read;
    f->reads++;
}

static void fake_init(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    f->reader.read = fake_read;
    f->hub = log_hub_create(&f->reader);
    memset(f->session.b, 7, 16);
    f->first_held = 1;
}

static void fake_deinit(struct fake *f)
{
    struct log_stats stats;

    log_stats(f->hub, &stats);
    assert_int_equal(stats.cursors, 0);
    assert_int_equal(stats.reads, 0);
    log_hub_destroy(f->hub);
    for (int i = 1; i <= EVENTS_MAX; i++)
        free(f->events[i]);
}

static void fake_commit(struct fake *f, int n, size_t pad)
{
    while (n-- > 0 && f->committed < EVENTS_MAX) {
        int64_t seq = ++f->committed;
        char *e = malloc(pad + 160);
        int len = sprintf(e, "{\"seq\":%lld,\"session_id\":\"x\",\"type\":\"%s\",\"data\":\"",
                          (long long)seq, seq % 10 == 0 ? "session_state_change" : "log");
        memset(e + len, 'a', pad);
        strcpy(e + len + pad, "\"}");
        f->events[seq] = e;
    }
}

static void join(struct fake *f, int64_t first, int64_t last, struct buf *out)
{
    for (int64_t seq = first; seq <= last; seq++) {
        if (seq > first)
            buf_append_char(out, '\n');
        buf_append_z(out, f->events[seq]);
    }
}

static void fake_seal(struct fake *f, int64_t upto)
{
    struct buf b;
    int64_t first = f->sealed + 1;

    if (upto < first)
        return;
    buf_init(&b, 64u << 20);
    join(f, first, upto, &b);
    f->sealed = upto;
    log_seal(f->hub, f->session, first, upto, buf_str(&b));
    buf_deinit(&b);
}

/* Answers read i with what was committed when it looked; overlap: whole rows that begin before. */
static void fake_answer(struct fake *f, unsigned i, int64_t overlap, int64_t most)
{
    struct log_read *read = f->pending[i];
    int64_t last = f->seen[i], first = read->after + 1 - overlap;
    struct buf b;

    f->pending[i] = f->pending[f->pending_count - 1];
    f->seen[i] = f->seen[--f->pending_count];
    if (f->fail_next) {
        int status = f->fail_next;
        f->fail_next = 0;
        log_read_done(read, status, 0, 0, 0, STR_NULL);
        return;
    }
    if (first < f->first_held)
        first = f->first_held;
    if (last > read->after + most)
        last = read->after + most;
    buf_init(&b, 64u << 20);
    if (last >= first && last > read->after)
        join(f, first, last, &b);
    log_read_done(read, 0, first, last, f->first_held, buf_str(&b));
    buf_deinit(&b);
}

struct viewer {
    struct log_cursor c;
    struct fake *f;
    int64_t expect;
    bool ready, snapshot;
    int errors;
    unsigned told, delivered, soon;
    bool is_begun; /* together with others, and not at its end */
};

static void viewer_ready(struct log_cursor *c)
{
    assert_false(((struct viewer *)c->data)->f->is_sending);
    ((struct viewer *)c->data)->ready = true;
    ((struct viewer *)c->data)->told++;
}

static void viewer_open(struct viewer *v, struct fake *f, int64_t after)
{
    *v = (struct viewer){.f = f, .expect = after + 1};
    v->c.session_id = f->session;
    v->c.next_seq = after + 1;
    v->c.ready = viewer_ready;
    v->c.data = v;
    log_cursor_open(f->hub, &v->c);
    v->ready = true;
}

static void viewer_check(struct viewer *v, struct log_run *run)
{
    struct str json;
    int64_t seq;

    assert_int_equal(run->seq_first, v->expect);
    while (log_run_next(run, &seq, &json)) {
        assert_int_equal(seq, v->expect);
        assert_true(str_eqz(json, v->f->events[seq]));
        v->expect++;
    }
    assert_int_equal(run->seq_last, v->expect - 1);
}

/* Takes up to `runs` runs. */
static void viewer_take(struct viewer *v, int runs, size_t bytes)
{
    struct log_run run;

    while (v->ready && runs-- > 0) {
        switch (log_cursor_next(&v->c, bytes, &run)) {
        case LOG_NEXT_RUN:
            viewer_check(v, &run);
            break;
        case LOG_NEXT_WAIT:
            v->ready = false;
            break;
        case LOG_NEXT_SNAPSHOT:
            v->snapshot = true;
            v->ready = false;
            break;
        case LOG_NEXT_ERROR:
            v->errors++;
            break;
        }
    }
}

/* The short way: what it is given must be what viewer_take() would have had. */
static bool viewer_deliver(struct log_cursor *c, const struct log_run *run)
{
    struct viewer *v = c->data;
    struct log_run copy = *run;

    assert_false(v->ready); /* only one that waits is given something */
    if (v->f->refuses && rand() % 3 == 0)
        return false;
    viewer_check(v, &copy);
    v->delivered++;
    return true;
}

/* Some threads, played: what stands in the jobs is looked at when all of them have begun. */
static int viewer_begin(struct log_cursor *c, const struct log_run *run)
{
    struct viewer *v = c->data;

    assert_false(v->ready || v->is_begun);
    assert_int_equal(run->seq_first, v->expect);
    if (v->f->refuses && rand() % 3 == 0)
        return -1;
    v->is_begun = true;
    v->f->is_sending = true;
    return (int)(v->expect % 1000);
}

static void fake_send(const struct log_together *t, struct send_job *jobs, unsigned count)
{
    struct fake *f = t->data;

    f->sends++;
    f->sent += count;
    for (unsigned i = 0; i < count; i++) {
        struct viewer *v = ((struct log_cursor *)jobs[i].data)->data;
        struct log_run run = {.seq_first = v->expect,
                              .seq_last = v->expect + jobs[i].frames - 1,
                              .bytes = jobs[i].bytes,
                              .len = jobs[i].len};
        assert_true(v->is_begun && jobs[i].frames > 0);
        assert_int_equal(jobs[i].fd, v->expect % 1000);
        viewer_check(v, &run);
        jobs[i].sent = rand() % 3 - 1;
    }
    f->is_sending = false;
}

static void viewer_end(struct log_cursor *c, const struct send_job *job)
{
    struct viewer *v = c->data;

    assert_true(v->is_begun && !v->f->is_sending);
    assert_in_range(job->sent + 1, 0, 2);
    assert_int_equal(c->next_seq, v->expect);
    v->is_begun = false;
    v->delivered++;
}

static void fake_tell_together(struct fake *f, unsigned threads)
{
    f->together = (struct log_together){
        .threads = threads, .begin = viewer_begin, .send = fake_send, .end = viewer_end, .data = f};
    log_hub_set_together(f->hub, &f->together);
}

static void test_live(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    assert_int_equal(log_last_seq(f.hub, f.session), -1);
    fake_commit(&f, 3, 10);
    fake_seal(&f, 3);
    assert_int_equal(log_last_seq(f.hub, f.session), 3);
    viewer_open(&v, &f, 0);
    viewer_take(&v, 10, 1u << 16);
    assert_int_equal(v.expect, 4);
    assert_false(v.ready);
    fake_commit(&f, 2, 70000);
    fake_seal(&f, 5);
    assert_true(v.ready);
    assert_true(log_cursor_has_more(&v.c));
    viewer_take(&v, 10, 1u << 16);
    assert_int_equal(v.expect, 6);
    assert_int_equal(f.reads, 0);
    log_cursor_close(&v.c);
    log_forget(f.hub, f.session);
    assert_int_equal(log_last_seq(f.hub, f.session), -1);
    fake_deinit(&f);
}

static void viewer_soon(const struct log_cursor *c)
{
    ((struct viewer *)c->data)->soon++;
}

/* What is looked up before a seal tells nobody anything, whatever the sessions are. */
static void test_soon(void **state)
{
    struct fake f;
    struct viewer v;
    struct id ids[LOG_SOON_MAX];
    (void)state;

    fake_init(&f);
    for (int i = 0; i < LOG_SOON_MAX; i++)
        ids[i] = (struct id){{(uint8_t)i, 1}};
    ids[LOG_SOON_MAX - 1] = f.session;
    log_seal_soon(f.hub, ids, LOG_SOON_MAX); /* nothing is known of any */
    log_seal_soon(f.hub, ids, 0);
    viewer_open(&v, &f, 0);
    v.c.soon = viewer_soon;
    log_seal_soon(f.hub, ids, LOG_SOON_MAX); /* it has not asked for anything yet */
    fake_commit(&f, 3, 10);
    fake_seal(&f, 1);
    viewer_take(&v, 10, 1u << 16);
    v.ready = false;
    unsigned told = v.told;
    log_seal_soon(f.hub, ids, LOG_SOON_MAX);
    assert_int_equal(v.soon, 1);
    assert_true(!v.ready && v.told == told && v.expect == 2);
    fake_seal(&f, 3);
    assert_true(v.ready);
    viewer_take(&v, 10, 1u << 16);
    assert_int_equal(v.expect, 4);
    log_cursor_close(&v.c);
    log_rest(f.hub, f.session); /* its bytes go */
    log_seal_soon(f.hub, ids, LOG_SOON_MAX);
    assert_int_equal(v.soon, 1);
    log_forget(f.hub, f.session);
    fake_deinit(&f);
}

static void fake_later(void *data)
{
    ((struct fake *)data)->laters++;
}

/* Many readers of one session are told in turns, each of everything, whichever way it takes. */
static void test_told_in_turns(void **state)
{
    enum { N = 1000 };
    struct fake f;
    struct viewer *v = calloc(N, sizeof(*v));
    unsigned turns = 0, told = 0;
    (void)state;

    fake_init(&f);
    log_hub_set_later(f.hub, fake_later, &f);
    fake_commit(&f, 5, 10);
    fake_seal(&f, 2);
    for (int i = 0; i < N; i++) {
        viewer_open(&v[i], &f, 2);
        v[i].c.deliver = i % 3 ? viewer_deliver : NULL;
        viewer_take(&v[i], 1, 1000);
        v[i].told = 0;
    }
    assert_int_equal(f.laters, 0);
    fake_seal(&f, 3);
    assert_int_equal(f.laters, 1);
    for (int i = 0; i < N; i++)
        told += v[i].told + v[i].delivered;
    assert_int_equal(told, LOG_TELL_NOW);
    assert_true(log_tell_more(f.hub));
    assert_true(v[40].told + v[40].delivered == 1 && v[N - 2].told + v[N - 2].delivered == 0);
    log_cursor_close(&v[N - 1].c); /* before it was told */
    fake_seal(&f, 4);              /* those who lack two are first, and have both at once */
    while (log_tell_more(f.hub))
        turns++;
    assert_in_range(turns, 2, N / LOG_TELL_NOW);
    assert_int_equal(v[N - 2].told + v[N - 2].delivered, 1);
    assert_int_equal(v[1].delivered, 2);
    assert_false(log_tell_more(f.hub));
    for (int i = 0; i < N - 1; i++) {
        viewer_take(&v[i], 10, 1000);
        assert_int_equal(v[i].expect, 5);
        log_cursor_close(&v[i].c);
    }
    fake_seal(&f, 5);
    assert_int_equal(f.reads, 0);
    free(v);
    fake_deinit(&f);
}

/* With threads, each turn has as many more in it; a few readers are told as ever. */
static void test_told_together(void **state)
{
    enum { N = 1000, THREADS = 3 };
    struct fake f;
    struct viewer *v = calloc(N, sizeof(*v));
    unsigned turns = 0;
    (void)state;

    fake_init(&f);
    log_hub_set_later(f.hub, fake_later, &f);
    fake_tell_together(&f, THREADS);
    fake_commit(&f, 5, 10);
    fake_seal(&f, 2);
    for (int i = 0; i < N; i++) {
        if (i == LOG_TOGETHER - 1) {
            fake_seal(&f, 3);
            while (log_tell_more(f.hub)) {}
            assert_int_equal(f.sends, 0);
            f.laters = 0;
        }
        viewer_open(&v[i], &f, i < LOG_TOGETHER - 1 ? 2 : 3);
        v[i].c.deliver = i % 10 ? viewer_deliver : NULL;
        viewer_take(&v[i], 1, 1000);
        v[i].told = 0;
    }
    fake_seal(&f, 4);
    assert_int_equal(f.laters, 1);
    assert_int_equal(f.sends, 1);
    assert_in_range(f.sent, THREADS * LOG_TELL_NOW * 8 / 10, THREADS * LOG_TELL_NOW);
    log_cursor_close(&v[N - 1].c); /* before it was told */
    while (log_tell_more(f.hub))
        turns++;
    assert_in_range(turns, 2, 4);
    assert_int_equal(f.sends, turns + 2);
    fake_seal(&f, 5);
    while (log_tell_more(f.hub)) {}
    for (int i = 0; i < N - 1; i++) {
        if (i % 10 == 0)
            viewer_take(&v[i], 10, 1000);
        assert_int_equal(v[i].expect, 6);
        assert_true(v[i].told == (i % 10 == 0 ? 1 : 0));
        log_cursor_close(&v[i].c);
    }
    assert_int_equal(f.reads, 0);
    free(v);
    fake_deinit(&f);
}

/* More than one delivery may carry: the rest follows, before anything newer. */
static void test_deliver_much(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 40, 5000);
    fake_seal(&f, 1);
    viewer_open(&v, &f, 1);
    v.c.deliver = viewer_deliver;
    viewer_take(&v, 1, 1000);
    fake_seal(&f, 40);
    assert_int_equal(v.expect, 41);
    assert_int_equal(v.told, 0);
    assert_in_range(v.delivered, 3, 5);
    log_cursor_close(&v.c);
    fake_deinit(&f);
}

static void test_behind_the_tail(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 1000, 1000);
    for (int i = 10; i <= 1000; i += 10)
        fake_seal(&f, i);
    viewer_open(&v, &f, 100);
    viewer_take(&v, 1, 1u << 16);
    assert_int_equal(f.reads, 1);
    assert_false(v.ready);
    fake_answer(&f, 0, 50, 200); /* rows that begin before what was asked, and not all of it */
    assert_true(v.ready);
    viewer_take(&v, 1000, 1u << 14);
    assert_int_equal(v.expect, 301);
    while (f.pending_count > 0) {
        fake_answer(&f, 0, 3, 200);
        viewer_take(&v, 1000, 1u << 14);
    }
    assert_int_equal(v.expect, 1001);
    log_cursor_close(&v.c);
    fake_deinit(&f);
}

static void test_not_live(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 5, 10);
    f.sealed = 5; /* by an earlier process */
    viewer_open(&v, &f, 2);
    viewer_take(&v, 5, 1000);
    fake_answer(&f, 0, 0, 100);
    viewer_take(&v, 5, 1000);
    assert_int_equal(v.expect, 6);
    assert_int_equal(f.pending_count, 1); /* looks whether there is more */
    fake_commit(&f, 1, 10);
    fake_seal(&f, 6); /* comes while that read is under way */
    fake_answer(&f, 0, 0, 100);
    viewer_take(&v, 5, 1000);
    assert_int_equal(v.expect, 7);
    assert_int_equal(f.pending_count, 0);
    log_cursor_close(&v.c);
    log_forget(f.hub, f.session);
    fake_deinit(&f);
}

static void test_a_session_that_was_elsewhere_for_a_while(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 5, 10);
    fake_seal(&f, 5);
    viewer_open(&v, &f, 0);
    viewer_take(&v, 10, 1u << 16);
    assert_int_equal(v.expect, 6);
    log_forget(f.hub, f.session); /* another instance has it now */
    fake_commit(&f, 5, 10);
    f.sealed = 8; /* there */
    fake_seal(&f, 10);
    viewer_take(&v, 10, 1u << 16);
    assert_int_equal(f.pending_count, 1);
    fake_answer(&f, 0, 0, 3);
    viewer_take(&v, 10, 1u << 16);
    assert_int_equal(v.expect, 11);
    log_cursor_close(&v.c);
    log_forget(f.hub, f.session);
    fake_deinit(&f);
}

static void test_snapshot_and_errors(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 20, 10);
    f.sealed = 20;
    f.first_held = 11;
    viewer_open(&v, &f, 5);
    viewer_take(&v, 5, 1000);
    f.fail_next = ERR_UNAVAILABLE;
    fake_answer(&f, 0, 0, 100);
    viewer_take(&v, 1, 1000);
    assert_int_equal(v.errors, 1);
    assert_int_equal(v.c.status, ERR_UNAVAILABLE);
    viewer_take(&v, 1, 1000); /* another call tries again */
    fake_answer(&f, 0, 0, 100);
    viewer_take(&v, 1, 1000);
    assert_true(v.snapshot);
    log_cursor_close(&v.c);
    viewer_open(&v, &f, 10);
    viewer_take(&v, 1, 1000);
    fake_answer(&f, 0, 0, 100);
    viewer_take(&v, 1, 1000);
    assert_false(v.snapshot);
    assert_int_equal(v.expect, 21);
    log_cursor_close(&v.c);
    fake_deinit(&f);
}

static void test_lost_events_are_an_error(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 600, 1000);
    fake_seal(&f, 300);
    fake_seal(&f, 600);
    viewer_open(&v, &f, 0);
    viewer_take(&v, 1, 1000);
    f.seen[0] = 0; /* the store has nothing, though 600 were sealed */
    fake_answer(&f, 0, 0, 100);
    viewer_take(&v, 1, 1000);
    assert_int_equal(v.errors, 1);
    assert_int_equal(v.c.status, ERR_CORRUPT);
    log_cursor_close(&v.c);
    fake_deinit(&f);
}

static void test_sharing(void **state)
{
    enum { N = 5000 };
    struct fake f;
    struct viewer *v = calloc(N, sizeof(*v));
    (void)state;

    fake_init(&f);
    fake_commit(&f, 40, 10);
    f.sealed = 40;
    for (int i = 0; i < N; i++) {
        viewer_open(&v[i], &f, 8);
        viewer_take(&v[i], 1, 1000);
    }
    assert_int_equal(f.reads, 1);
    log_cursor_close(&v[0].c); /* in the middle of the read */
    fake_answer(&f, 0, 0, 100);
    for (int i = 1; i < N; i++)
        viewer_take(&v[i], 10, 1000);
    fake_answer(&f, 0, 0, 100);
    assert_int_equal(f.reads, 2);
    for (int i = 1; i < N; i++) {
        viewer_take(&v[i], 10, 1000);
        assert_int_equal(v[i].expect, 41);
    }
    fake_commit(&f, 1, 10);
    fake_seal(&f, 41);
    for (int i = 1; i < N; i++) {
        viewer_take(&v[i], 10, 1000);
        assert_int_equal(v[i].expect, 42);
        log_cursor_close(&v[i].c);
    }
    free(v);
    fake_deinit(&f);
}

struct closer {
    struct viewer v;
    struct viewer *other;
};

static void close_both(struct log_cursor *c)
{
    struct closer *k = container_of(container_of(c, struct viewer, c), struct closer, v);

    log_cursor_close(&k->other->c);
    log_cursor_close(c);
}

static void test_close_inside_ready(void **state)
{
    struct fake f;
    struct closer k;
    struct viewer other;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 2, 10);
    fake_seal(&f, 1);
    viewer_open(&k.v, &f, 1);
    k.v.c.ready = close_both;
    k.other = &other;
    viewer_take(&k.v, 1, 100);
    viewer_open(&other, &f, 1);
    viewer_take(&other, 1, 100);
    fake_seal(&f, 2);
    fake_deinit(&f);
}

struct watch {
    struct log_watcher w;
    int count;
};

static void watch_frame(struct log_watcher *w, struct id session_id, struct str json)
{
    (void)session_id;
    assert_non_null(memmem(json.p, json.n, "session_state_change", 20));
    if (++((struct watch *)w->data)->count == 3)
        log_unwatch(w);
}

static void test_watchers(void **state)
{
    struct fake f;
    struct watch w = {.w.frame = watch_frame};
    (void)state;

    fake_init(&f);
    w.w.data = &w;
    log_watch(f.hub, &w.w);
    fake_commit(&f, 60, 10);
    fake_seal(&f, 25);
    assert_int_equal(w.count, 2);
    fake_seal(&f, 60);
    assert_int_equal(w.count, 3);
    fake_deinit(&f);
}

/* ---- sessions that move between instances ---- */

static void fake_follow(struct log_reader *r, struct id session_id)
{
    struct fake *f = container_of(r, struct fake, reader);
    ++*(id_is_zero(session_id) ? &f->watches : &f->follows);
}

static void fake_unfollow(struct log_reader *r, struct id session_id)
{
    struct fake *f = container_of(r, struct fake, reader);
    --*(id_is_zero(session_id) ? &f->watches : &f->follows);
}

/* Feeds first … last of what is committed. */
static void fake_feed(struct fake *f, int64_t first, int64_t last)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    join(f, first, last, &b);
    log_feed(f->hub, f->session, first, last, buf_str(&b));
    buf_deinit(&b);
}

/* Takes all there is, from the store too. */
static void viewer_take_all(struct viewer *v, int64_t upto)
{
    viewer_take(v, 100, 1u << 20);
    while (v->f->pending_count > 0) {
        fake_answer(v->f, 0, 1, 1000);
        viewer_take(v, 100, 1u << 20);
    }
    assert_int_equal(v->expect, upto + 1);
    assert_int_equal(v->errors, 0);
}

static void test_followed_while_it_is_read_and_not_live(void **state)
{
    struct fake f;
    struct viewer v[2];
    (void)state;

    fake_init(&f);
    f.reader.follow = fake_follow;
    f.reader.unfollow = fake_unfollow;
    fake_commit(&f, 20, 10);
    viewer_open(&v[0], &f, 1);
    assert_int_equal(f.follows, 1);
    viewer_open(&v[1], &f, 1);
    assert_int_equal(f.follows, 1);
    fake_seal(&f, 5);
    assert_int_equal(f.follows, 0); /* live here */
    log_forget(f.hub, f.session);
    assert_int_equal(f.follows, 1); /* elsewhere */
    log_cursor_close(&v[0].c);
    assert_int_equal(f.follows, 1);
    log_cursor_close(&v[1].c);
    assert_int_equal(f.follows, 0);
    struct watch w[2] = {{.w.frame = watch_frame}, {.w.frame = watch_frame}};
    w[0].w.data = &w[0];
    w[1].w.data = &w[1];
    log_watch(f.hub, &w[0].w);
    log_watch(f.hub, &w[1].w);
    assert_int_equal(f.watches, 1);
    log_tell_watchers(f.hub, f.session, STR("session_state_change"));
    assert_int_equal(w[0].count + w[1].count, 2);
    log_unwatch(&w[0].w);
    log_unwatch(&w[1].w);
    assert_int_equal(f.watches, 0);
    fake_deinit(&f);
}

static void test_feeds_and_seals_by_turns(void **state)
{
    struct fake f;
    struct viewer v;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 20, 10);
    viewer_open(&v, &f, 0);
    fake_feed(&f, 1, 4);
    viewer_take(&v, 4, 1u << 20);
    fake_feed(&f, 2, 4); /* twice */
    fake_feed(&f, 3, 9); /* half of it twice */
    viewer_take(&v, 5, 1u << 20);
    assert_int_equal(v.expect, 10);
    assert_int_equal(f.reads, 0);
    fake_feed(&f, 15, 18); /* those before it were not heard of */
    f.sealed = 18;
    fake_seal(&f, 20); /* it has come here */
    viewer_take_all(&v, 20);
    assert_int_equal(f.reads, 1);
    log_forget(f.hub, f.session);
    fake_commit(&f, 10, 10);
    fake_feed(&f, 21, 22);
    log_feed(f.hub, f.session, 23, 30, STR_NULL); /* numbers alone */
    assert_int_equal(log_last_seq(f.hub, f.session), 30);
    viewer_take_all(&v, 30);
    log_feed(f.hub, f.session, 1, 30, STR_NULL);
    assert_false(v.ready);
    fake_commit(&f, 30, 10);
    fake_feed(&f, 31, 33);
    f.sealed = 31; /* the feed was quicker than the journal, which seals 32 … 34 */
    fake_seal(&f, 34);
    fake_feed(&f, 35, 36); /* live again: not wanted */
    assert_int_equal(log_last_seq(f.hub, f.session), 34);
    log_forget(f.hub, f.session);
    f.sealed = 40; /* nobody told of 35 … 40 */
    fake_seal(&f, 60);
    viewer_take_all(&v, 60);
    log_forget(f.hub, f.session);
    log_cursor_close(&v.c);
    fake_feed(&f, 1, 2); /* nobody reads it */
    assert_int_equal(log_last_seq(f.hub, f.session), -1);
    fake_deinit(&f);
}

/* Many sessions: all tails together stay within the limit, and nothing is lost by it. */
static void test_total_is_bounded(void **state)
{
    enum { SESSIONS = 600 };
    struct fake f;
    struct log_stats stats;
    struct viewer v;
    struct buf b;
    struct str line;
    (void)state;

    fake_init(&f);
    fake_commit(&f, 1, 200000);
    line = str_of(f.events[1]);
    for (int i = 0; i < SESSIONS; i++) {
        struct id id = {{1, (uint8_t)i, (uint8_t)(i >> 8), 9}};
        log_seal(f.hub, id, 1, 1, line);
        log_stats(f.hub, &stats);
        assert_true(stats.bytes <= LOG_TAILS_BYTES_MAX);
    }
    assert_int_equal(stats.tails, SESSIONS);
    f.session = (struct id){{1, 0, 0, 9}}; /* the oldest: its bytes are gone */
    f.sealed = 1;
    viewer_open(&v, &f, 0);
    viewer_take(&v, 1, 1000);
    assert_int_equal(f.reads, 1);
    fake_answer(&f, 0, 0, 10);
    viewer_take(&v, 3, 1000);
    assert_int_equal(v.expect, 2);
    buf_init(&b, 1 << 20);
    fake_commit(&f, 1, 5);
    fake_seal(&f, 2);
    viewer_take(&v, 3, 1000);
    assert_int_equal(v.expect, 3);
    log_cursor_close(&v.c);
    buf_deinit(&b);
    fake_deinit(&f);
}

/* One random step; every run of a cursor is checked byte for byte by viewer_check(). */
static void random_step(struct fake *f, struct viewer *v, bool *open, int n)
{
    int i = rand() % n;

    switch (rand() % 9) {
    case 8:
        log_tell_more(f->hub);
        break;
    case 0:
        fake_commit(f, 1 + rand() % 20, rand() % 50 == 0 ? 90000 : (size_t)(rand() % 3000));
        break;
    case 1: /* seals may lag behind commits */
        if (f->committed > f->sealed)
            fake_seal(f, f->sealed + 1 + rand() % (f->committed - f->sealed));
        break;
    case 2:
        if (f->pending_count > 0) {
            f->fail_next = rand() % 10 == 0 ? ERR_UNAVAILABLE : 0;
            fake_answer(f, (unsigned)rand() % f->pending_count, rand() % 30, 1 + rand() % 100);
        }
        break;
    case 3:
        if (open[i] && rand() % 4 == 0) {
            log_cursor_close(&v[i].c);
            open[i] = false;
        } else if (!open[i]) {
            viewer_open(&v[i], f, f->sealed ? rand() % (f->sealed + 1) : 0);
            v[i].c.deliver = i % 3 ? viewer_deliver : NULL;
            open[i] = true;
        }
        break;
    case 4:
        if (rand() % 20 == 0)
            log_forget(f->hub, f->session);
        break;
    default:
        if (open[i])
            viewer_take(&v[i], 1 + rand() % 3, (size_t)(rand() % 100000));
    }
}

/* So that many wait. */
static void random_catch_up(struct fake *f, struct viewer *v, const bool *open, int n)
{
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < n; i++)
            if (open[i])
                viewer_take(&v[i], 20, 1u << 16);
        while (f->pending_count > 0)
            fake_answer(f, 0, 0, 500);
    }
}

static void test_random(void **state)
{
    enum { FEW = 12, MANY = 90 };
    (void)state;

    for (unsigned seed = 1; seed <= 60; seed++) {
        struct fake f;
        struct viewer v[MANY];
        bool open[MANY] = {false};
        int n = seed % 20 ? FEW : MANY;

        srand(seed);
        fake_init(&f);
        f.refuses = true;
        if (n == MANY)
            log_hub_set_later(f.hub, fake_later, &f);
        if (seed % 40 == 0)
            fake_tell_together(&f, 1 + seed / 40);
        for (int i = 0; i < 4000; i++) {
            random_step(&f, v, open, n);
            if (n == MANY && i % 500 == 0)
                random_catch_up(&f, v, open, n);
        }
        fake_seal(&f, f.committed);
        while (log_tell_more(f.hub)) {}
        assert_true(n == FEW || f.laters > 0);
        assert_true(seed % 40 || f.sent > 100);
        for (int i = 0; i < n; i++) {
            while (open[i] && v[i].expect <= f.committed) {
                bool progress = v[i].ready || f.pending_count > 0;
                assert_true(progress); /* nobody waits for ever */
                while (f.pending_count > 0)
                    fake_answer(&f, 0, 0, 500);
                viewer_take(&v[i], 100, 1u << 16);
            }
            while (f.pending_count > 0)
                fake_answer(&f, 0, 0, 500);
            if (open[i])
                log_cursor_close(&v[i].c);
        }
        fake_deinit(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_soon),
        cmocka_unit_test(test_told_in_turns),
        cmocka_unit_test(test_told_together),
        cmocka_unit_test(test_deliver_much),
        cmocka_unit_test(test_behind_the_tail),
        cmocka_unit_test(test_not_live),
        cmocka_unit_test(test_a_session_that_was_elsewhere_for_a_while),
        cmocka_unit_test(test_snapshot_and_errors),
        cmocka_unit_test(test_lost_events_are_an_error),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_close_inside_ready),
        cmocka_unit_test(test_watchers),
        cmocka_unit_test(test_followed_while_it_is_read_and_not_live),
        cmocka_unit_test(test_feeds_and_seals_by_turns),
        cmocka_unit_test(test_total_is_bounded),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
