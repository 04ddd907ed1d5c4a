/* Readers of sessions that another instance has: their streams have no gap and nothing twice,
 * whatever becomes of the messages and wherever the session goes. */
#include "cluster_rig.h"

#include "net/session_view.h"

#define MODEL(prompt)                                                                              \
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"m\"]},\"m\":{\"type\":\"llm\","     \
    "\"properties\":{\"prompt\":\"" prompt                                                         \
    "\"},\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}"
static const char model[] = MODEL("hello");
static const char review[] =
    "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"ask\"]},"
    "\"ask\":{\"type\":\"human_review\",\"properties\":{\"review_type\":\"approve_reject\"},"
    "\"routes\":{\"approve\":\"end\",\"reject\":\"end\"}},\"end\":{\"type\":\"end\"}}}";

/* ---- readers ---- */

struct viewer {
    struct log_cursor c;
    struct buf got;
    int64_t expect;
    unsigned errors;
    bool open, ended;
};

static void viewer_pump(struct viewer *v)
{
    struct log_run run;
    struct str json;
    int64_t seq;
    for (;;) {
        switch (log_cursor_next(&v->c, 4096, &run)) {
        case LOG_NEXT_RUN:
            while (log_run_next(&run, &seq, &json)) {
                assert_int_equal(seq, v->expect);
                v->expect++;
                buf_append_str(&v->got, json);
                buf_append_char(&v->got, '\n');
                v->ended = v->ended || event_is_ending(json);
            }
            break;
        case LOG_NEXT_WAIT:
            return;
        case LOG_NEXT_SNAPSHOT:
            fail_msg("no snapshot is due");
            return;
        case LOG_NEXT_ERROR:
            v->errors++;
            return;
        }
    }
}

static void viewer_ready(struct log_cursor *c)
{
    viewer_pump(c->data);
}

static void viewer_open(struct viewer *v, struct app *a, struct id session, int64_t after)
{
    memset(v, 0, sizeof(*v));
    buf_init(&v->got, 16u << 20);
    v->expect = after + 1;
    v->c = (struct log_cursor){
        .session_id = session, .next_seq = after + 1, .ready = viewer_ready, .data = v};
    log_cursor_open(a->log, &v->c);
    v->open = true;
    viewer_pump(v);
}

static void viewer_close(struct viewer *v)
{
    log_cursor_close(&v->c);
    v->open = false;
}

/* Is what it got all that the store has, from its first event on? */
static void viewer_check(struct viewer *v, struct rig *r)
{
    struct counted c = {.done = false};
    struct buf all;
    buf_init(&all, 16u << 20);
    store_req_init(&c.read.req, STORE_EVENTS_READ, counted_read, NULL);
    c.read.session_id = v->c.session_id;
    c.read.limit = 1000000;
    c.read.bytes_max = 1u << 30;
    store_submit(r->store, &c.read.req);
    rig_until(r, c.done);
    for (struct event_row *row = c.read.rows; row; row = row->next) {
        buf_append_str(&all, row->frames);
        buf_append_char(&all, '\n');
    }
    assert_true(v->got.len <= all.len);
    assert_memory_equal(v->got.data, all.data + all.len - v->got.len, v->got.len);
    assert_int_equal(v->expect, c.read.last_seq + 1);
    assert_int_equal(v->errors, 0);
    store_req_deinit(&c.read.req);
    buf_deinit(&all);
    buf_deinit(&v->got);
}

#define FOR_EVER 600000 /* ms: a busy machine is not dead */
#define SHORT    300

static void remote_rig_open(struct rig *r, unsigned count, int64_t lease_ms)
{
    rig_open(r, count, false);
    for (unsigned i = 0; i < count; i++) {
        r->apps[i]->instances.lease_ms = lease_ms;
        r->apps[i]->instances.silent_ms = 2 * lease_ms;
    }
    int64_t now = remote_now();
    for (unsigned i = 0; i < count; i++)
        rig_until(r, r->apps[i]->instances.row_at > now && !r->apps[i]->instances.putting &&
                         r->apps[i]->remote.assume_until > 0 &&
                         r->apps[i]->instances.peer_count == count - 1);
    for (unsigned i = 0; i < count; i++) {
        r->apps[i]->remote.silent_ms = 20;
        r->apps[i]->remote.renew_ms = 100;
        r->apps[i]->remote.assume_until = 0; /* the others have answered */
    }
}

static void run_until_ended(struct rig *r, struct viewer *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        rig_until(r, v[i].ended);
    for (unsigned i = 0; i < n; i++) {
        viewer_check(&v[i], r);
        viewer_close(&v[i]);
    }
}

/* ---- streams ---- */

static void test_a_stream_is_seen_elsewhere(void **state)
{
    struct rig r;
    struct viewer v[4];
    (void)state;
    remote_rig_open(&r, 2, FOR_EVER);
    for (unsigned i = 0; i < 2; i++)
        r.apps[i]->remote.silent_ms = 100000; /* by announcements alone */
    struct id id = rig_execute(&r, 0, model);
    for (int i = 0; i < 3; i++)
        viewer_open(&v[i], r.apps[1], id, i);
    viewer_open(&v[3], r.apps[0], id, 0);
    run_until_ended(&r, v, 4);
    struct remote *a = &r.apps[0]->remote, *b = &r.apps[1]->remote;
    assert_true(a->announced > 5);
    assert_true(b->fed > 5);
    assert_true(b->feed_reads <= 3); /* its base, and what came before the channel was heard */
    assert_int_equal(b->announced, 0);
    rig_until(&r, b->feeds.count == 0);
    rig_close(&r);
}

static void test_nobody_elsewhere_nothing_announced(void **state)
{
    struct rig r;
    struct viewer v[2];
    (void)state;
    remote_rig_open(&r, 2, FOR_EVER);
    struct id id = rig_execute(&r, 0, model);
    viewer_open(&v[0], r.apps[0], id, 0);
    struct id other = rig_execute(&r, 1, model);
    viewer_open(&v[1], r.apps[1], other, 0);
    run_until_ended(&r, v, 2);
    assert_int_equal(r.apps[0]->remote.announced, 0);
    assert_int_equal(r.apps[1]->remote.announced, 0);
    assert_int_equal(r.apps[0]->remote.feed_reads, 0);
    rig_close(&r);
}

enum fault { LOST, DOUBLED, AWAY_AND_BACK, FLUSHED };

static void test_faults_of_the_cache(void **state)
{
    enum fault fault = (enum fault)(uintptr_t)*state;
    struct rig r;
    struct viewer v[3];
    remote_rig_open(&r, 2, FOR_EVER);
    mem_hub_set_lossy(r.net, fault == LOST, fault == DOUBLED);
    struct id id = rig_execute(&r, 0, model);
    for (int i = 0; i < 3; i++)
        viewer_open(&v[i], r.apps[1], id, 2 * i);
    rig_until(&r, v[0].expect > 8);
    if (fault == AWAY_AND_BACK) {
        int64_t at = v[0].expect;
        mem_hub_set_away(r.net, true);
        rig_until(&r, v[0].expect > at + 3 || v[0].ended);
        mem_hub_set_away(r.net, false);
    }
    if (fault == FLUSHED)
        mem_hub_flush(r.net);
    run_until_ended(&r, v, 3);
    rig_close(&r);
}

/* ---- sessions that move ---- */

static void test_the_owner_dies_and_the_reader_gets_it(void **state)
{
    struct rig r;
    struct viewer v[2];
    (void)state;
    remote_rig_open(&r, 3, SHORT);
    struct id id = rig_execute(&r, 0, model);
    viewer_open(&v[0], r.apps[1], id, 0);
    viewer_open(&v[1], r.apps[2], id, 0);
    rig_until(&r, v[0].expect > 6 && v[1].expect > 6);
    rig_stop(&r, 0);
    run_until_ended(&r, v, 2); /* one of them has it now, the other follows */
    rig_close(&r);
}

static void test_a_session_goes_to_and_fro(void **state)
{
    struct rig r;
    struct viewer v[2];
    struct asked q;
    char payload[32];
    (void)state;
    remote_rig_open(&r, 2, SHORT);
    struct id id = rig_execute(&r, 0, review);
    viewer_open(&v[0], r.apps[0], id, 0);
    viewer_open(&v[1], r.apps[1], id, 0);
    for (unsigned turn = 0; turn < 6; turn++) {
        unsigned owner = turn % 2, other = 1 - owner;
        rig_until(&r, live_find(r.apps[owner], id));
        for (int i = 0; i < 3; i++) {
            snprintf(payload, sizeof(payload), "\"%u-%d\"", turn, i);
            ask_signal(&q, r.apps[i % 2], id, payload, NULL);
            rig_until(&r, q.answers);
            assert_int_equal(q.req.status, 0);
            svc_req_deinit(&q.req);
        }
        rig_until(&r, v[0].expect == v[1].expect);
        rig_stop(&r, owner); /* held for dead, and taken */
        ask_signal(&q, r.apps[other], id, "\"moved\"", NULL);
        rig_until(&r, q.answers);
        assert_int_equal(q.req.status, 0);
        svc_req_deinit(&q.req);
        rig_continue(&r, owner);
        rig_until(&r, !r.apps[owner]->instances.joining && r.apps[0]->instances.peer_count == 1 &&
                          r.apps[1]->instances.peer_count == 1 && !live_find(r.apps[owner], id));
    }
    assert_int_equal(rig_count_events(&r, id, "\"moved\""), 6);
    ask_answer(&q, r.apps[1], id, "ask");
    rig_until(&r, q.answers);
    svc_req_deinit(&q.req);
    run_until_ended(&r, v, 2);
    rig_close(&r);
}

static void test_an_ended_session_costs_nothing(void **state)
{
    struct rig r;
    struct viewer first, late;
    (void)state;
    remote_rig_open(&r, 2, FOR_EVER);
    struct id id = rig_execute(&r, 0, model);
    viewer_open(&first, r.apps[0], id, 0);
    run_until_ended(&r, &first, 1);
    viewer_open(&late, r.apps[1], id, 0);
    rig_until(&r, late.ended);
    struct remote *b = &r.apps[1]->remote;
    rig_until(&r, b->reads == 0 && b->feed_reads > 0 && !uv_is_active((uv_handle_t *)&b->tick));
    assert_true(b->feed_reads <= 2);
    viewer_check(&late, &r);
    viewer_close(&late);
    rig_close(&r);
}

/* ---- watchers of all sessions ---- */

struct watch {
    struct log_watcher w;
    struct buf got;
};

static void watch_frame(struct log_watcher *w, struct id session_id, struct str json)
{
    struct watch *watch = w->data;
    (void)session_id;
    buf_append_str(&watch->got, json);
    buf_append_char(&watch->got, '\n');
}

static void watch_open(struct watch *w, struct app *a)
{
    memset(w, 0, sizeof(*w));
    buf_init(&w->got, 16u << 20);
    w->w = (struct log_watcher){.frame = watch_frame, .data = w};
    log_watch(a->log, &w->w);
}

static unsigned times(const struct buf *b, const char *text)
{
    unsigned n = 0;
    for (const char *at = b->data; at && (at = strstr(at, text)); at++)
        n++;
    return n;
}

static void test_state_changes_reach_watchers_everywhere(void **state)
{
    struct rig r;
    struct watch w[2];
    (void)state;
    remote_rig_open(&r, 2, FOR_EVER);
    watch_open(&w[0], r.apps[0]);
    watch_open(&w[1], r.apps[1]);
    rig_until(&r, remote_has_interest(&r.apps[0]->remote, (struct id){{0}}) &&
                      remote_has_interest(&r.apps[1]->remote, (struct id){{0}}));
    rig_execute(&r, 0, model);
    rig_execute(&r, 1, model);
    for (int i = 0; i < 2; i++)
        rig_until(&r, times(&w[i].got, "\"to\":\"completed\"") == 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(times(&w[i].got, "\"to\":\"running\""), 2);
        assert_int_equal(times(&w[i].got, "\n"), 4);
    }
    log_unwatch(&w[0].w);
    log_unwatch(&w[1].w);
    buf_deinit(&w[0].got);
    buf_deinit(&w[1].got);
    rig_close(&r);
}

/* A reader of a session hears its state changes too; watchers get them once all the same. */
static void test_watched_and_read(void **state)
{
    struct rig r;
    struct watch w;
    struct viewer v;
    (void)state;
    remote_rig_open(&r, 2, FOR_EVER);
    watch_open(&w, r.apps[1]);
    rig_until(&r, remote_has_interest(&r.apps[0]->remote, (struct id){{0}}));
    for (unsigned i = 0; i < 2; i++)
        r.apps[i]->cache->v = &r.cache_v[i];
    r.cache_v[0].message_max = 150; /* state changes go by their number */
    struct id id = rig_execute(&r, 0, model);
    viewer_open(&v, r.apps[1], id, 0);
    run_until_ended(&r, &v, 1);
    rig_until(&r, times(&w.got, "\"to\":\"completed\"") == 1);
    assert_int_equal(times(&w.got, "\n"), 2);
    log_unwatch(&w.w);
    buf_deinit(&w.got);
    rig_close(&r);
}

/* ---- rubbish ---- */

static void test_rubbish_is_harmless(void **state)
{
    static const char *const payloads[] = {
        "",
        " ",
        "\n",
        "1",
        "1 2",
        "0 0\nx",
        "5 4\n{}",
        "1 999999999999999999",
        "99999999999999999999999 1\n{}",
        "1 1\n\n",
        "1 2\na\n\nb",
        "1 3\na\nb",
        "-1 2",
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000000 ?",
        "01890000-0000-7000-8000-000000000001 ?",
        "01890000-0000-7000-8000-000000000001 x",
        "01890000-0000-7000-8000-000000000001 01890000-0000-7000-8000-000000000002",
        "01890000-0000-7000-8000-000000000001 01890000-0000-7000-8000-000000000002\n",
        "01890000-0000-7000-8000-000000000001 01890000-0000-7000-8000-000000000002\n{}",
        "01890000-0000-7000-8000-000000000001 01890000-0000-7000-8000-000000000002 77",
        "01890000-0000-7000-8000-000000000001 01890000-0000-7000-8000-000000000002 x",
    };
    struct rig r;
    struct viewer v;
    struct watch w;
    char channel[ID_TEXT_BYTES + 8] = "s:";
    (void)state;
    remote_rig_open(&r, 2, FOR_EVER);
    watch_open(&w, r.apps[1]);
    struct id id = rig_execute(&r, 0, model);
    id_format(id, channel + 2);
    viewer_open(&v, r.apps[1], id, 0);
    const struct str channels[] = {str_of(channel), STR("interest"), STR("states"), STR("s:"),
                                   STR("s:00000000-0000-0000-0000-00000000000x")};
    for (size_t c = 0; c < ROWS(channels); c++) {
        cache_listen(r.apps[1]->cache, channels[c]);
        for (size_t i = 0; i < ROWS(payloads); i++) {
            cache_publish(r.apps[0]->cache, channels[c], str_of(payloads[i]));
            rig_turn(&r);
        }
    }
    run_until_ended(&r, &v, 1);
    log_unwatch(&w.w);
    buf_deinit(&w.got);
    rig_close(&r);
}

static void test_interest_is_bounded_and_ends(void **state)
{
    struct rig r;
    char text[2 * ID_TEXT_BYTES + 2] = "01890000-0000-7000-8000-000000000001 ";
    (void)state;
    remote_rig_open(&r, 1, FOR_EVER);
    struct remote *a = &r.apps[0]->remote;
    for (unsigned i = 0; i < REMOTE_INTEREST_MAX + 500; i++) {
        struct id id = {
            {1, 2, 3, 4, 5, 6, 7, 8, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        id_format(id, text + ID_TEXT_BYTES + 1);
        remote_interest_heard(a, str_of(text));
    }
    assert_int_equal(a->interest.count, REMOTE_INTEREST_MAX);
    assert_false(remote_has_interest(a, (struct id){{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 7}}));
    assert_true(remote_has_interest(a, (struct id){{1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 7}}));
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_is_seen_elsewhere),
        cmocka_unit_test(test_nobody_elsewhere_nothing_announced),
        cmocka_unit_test_prestate(test_faults_of_the_cache, (void *)(uintptr_t)LOST),
        cmocka_unit_test_prestate(test_faults_of_the_cache, (void *)(uintptr_t)DOUBLED),
        cmocka_unit_test_prestate(test_faults_of_the_cache, (void *)(uintptr_t)AWAY_AND_BACK),
        cmocka_unit_test_prestate(test_faults_of_the_cache, (void *)(uintptr_t)FLUSHED),
        cmocka_unit_test(test_the_owner_dies_and_the_reader_gets_it),
        cmocka_unit_test(test_a_session_goes_to_and_fro),
        cmocka_unit_test(test_an_ended_session_costs_nothing),
        cmocka_unit_test(test_state_changes_reach_watchers_everywhere),
        cmocka_unit_test(test_watched_and_read),
        cmocka_unit_test(test_rubbish_is_harmless),
        cmocka_unit_test(test_interest_is_bounded_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
