/* Memory: what comes in, waits its turn, moves from tier to tier, and is at hand on every instance.
 */
#pragma GCC diagnostic ignored "-Wunused-function" /* half of the rig is enough */
#include "cluster_rig.h"

static void embedding_on(struct rig *r, unsigned i)
{
    r->apps[i]->config.embedding.provider = "demo";
    r->apps[i]->config.embedding.model = "demo";
}

static void ask_ingest(struct asked *q, struct app *a, const char *content)
{
    ask_init(q, SVC_MEMORY_INGEST);
    q->req.memory.group_id = STR("g");
    q->req.memory.content = str_of(arena_strdup(&q->req.arena, str_of(content)));
    service_submit(&a->service, &q->req);
}

/* In a millisecond of its own: of those of one, ids of two instances have no order. */
static void ingest(struct rig *r, unsigned i, const char *content)
{
    struct asked q;
    for (int64_t now = clock_wall_ms(); clock_wall_ms() == now;) {}
    ask_ingest(&q, r->apps[i], content);
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, 0);
    assert_int_equal(q.req.http_status, 201);
    svc_req_deinit(&q.req);
}

/* The newest of the working memory of the group, in one line. */
static void at_hand(struct rig *r, unsigned i, const char *wanted)
{
    struct asked q;
    struct buf got;
    struct json_iter it;
    ask_init(&q, SVC_MEMORY_QUERY);
    q.req.memory.group_id = STR("g");
    q.req.memory.query = STR("");
    q.req.memory.tiers_json = STR("[\"working\"]");
    q.req.memory.max_results = 3;
    service_submit(&r->apps[i]->service, &q.req);
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, 0);
    buf_init(&got, 1u << 16);
    json_iter_init(&it, json_get(json_root(buf_str(&q.req.body)), "items"));
    while (json_iter_next(&it)) {
        json_string(json_get(it.value, "content"), &got);
        buf_append_char(&got, ' ');
    }
    assert_string_equal(got.data ? got.data : "", wanted);
    buf_deinit(&got);
    svc_req_deinit(&q.req);
}

/* How many rows of the group are in the tier. */
static size_t rows_of(struct rig *r, const char *tier)
{
    struct asked q;
    ask_init(&q, SVC_MEMORY_LIST);
    q.req.memory.group_id = STR("g");
    q.req.memory.tier = str_of(tier);
    q.req.list.limit = STORE_LIMIT_MAX;
    service_submit(&r->apps[0]->service, &q.req);
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, 0);
    size_t n = json_length(json_get(json_root(buf_str(&q.req.body)), "items"));
    svc_req_deinit(&q.req);
    return n;
}

static void put_done(struct store_req *req)
{
    *(bool *)req->data = true;
}

static void put(struct rig *r, const struct memory_row *row)
{
    struct store_memory_put p = {.rows = row};
    bool done = false;
    store_req_init(&p.req, STORE_MEMORY_PUT, put_done, &done);
    p.rows = row;
    store_submit(r->store, &p.req);
    rig_until(r, done);
    assert_int_equal(p.req.status, 0);
    store_req_deinit(&p.req);
}

static struct memory_row row_of(uint8_t n, enum memory_tier tier, int64_t at)
{
    struct id id = {{n, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n}};
    return (struct memory_row){.id = id,
                               .source_id = id,
                               .workspace = STR("default"),
                               .group_id = STR("g"),
                               .content = STR("a row"),
                               .metadata_json = STR("{}"),
                               .tier = tier,
                               .chunks = 1,
                               .created_at = at,
                               .updated_at = at};
}

/* ---- at hand ---- */

static void what_one_wrote_is_at_hand_at_the_other(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, 2, true);
    at_hand(&r, 0, "");
    ingest(&r, 0, "one");
    at_hand(&r, 1, "one ");
    ingest(&r, 1, "two");
    at_hand(&r, 0, "two one ");
    at_hand(&r, 1, "two one ");
    for (unsigned i = 0; i < 20; i++) {
        char content[16], wanted[64];
        snprintf(content, sizeof(content), "n%u", i);
        ingest(&r, i % 2, content);
        snprintf(wanted, sizeof(wanted), "n%u n%u n%u ", i, i - 1, i - 2);
        for (unsigned k = 0; i >= 2 && k < 2; k++)
            at_hand(&r, (i + k) % 2, wanted);
    }
    rig_close(&r);
}

/* The cache costs its speed when it is away, nothing else. */
static void without_the_cache_it_is_the_same(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, 1, true);
    ingest(&r, 0, "one");
    at_hand(&r, 0, "one ");
    mem_hub_set_away(r.net, true);
    at_hand(&r, 0, "one ");
    ingest(&r, 0, "two");
    at_hand(&r, 0, "two one ");
    mem_hub_set_away(r.net, false);
    mem_hub_set_time(r.net, 60001); /* what it had from before has ended */
    at_hand(&r, 0, "two one ");
    rig_close(&r);
}

static void pushed(struct cache_req *req)
{
    *(bool *)req->data = true;
}

/* What a cache holds that is none of ours is not believed. */
static void a_list_that_does_not_read_is_passed_over(void **state)
{
    static const char *const lines[] = {"{", "[]", "{\"id\":\"x\"}", "7\n8"};
    struct rig r;
    (void)state;
    for (size_t i = 0; i < ROWS(lines); i++) {
        struct cache_req req;
        bool done = false;
        rig_open(&r, 1, true);
        ingest(&r, 0, "one");
        cache_req_init(&req, CACHE_PUSH, pushed, &done);
        req.key = STR("mem:default:g:1");
        req.value = str_of(lines[i]);
        req.keep = 50;
        req.ttl_ms = 60000;
        cache_submit(r.apps[0]->cache, &req);
        rig_until(&r, done);
        assert_int_equal(req.status, 0);
        cache_req_deinit(&req);
        at_hand(&r, 0, "one ");
        rig_close(&r);
    }
}

/* ---- in ---- */

static void a_long_text_goes_in_batches(void **state)
{
    struct rig r;
    struct buf text;
    (void)state;
    rig_open(&r, 1, false);
    embedding_on(&r, 0);
    buf_init(&text, 1u << 20);
    for (int i = 0; i < 3000; i++)
        buf_printf(&text, "Sentence %d of a long text about pumps and their noises. ", i);
    ingest(&r, 0, text.data);
    buf_deinit(&text);
    assert_true(rows_of(&r, "working") > 2 * MEMORY_EMBED_TEXTS);
    rig_close(&r);
}

static void many_wait_their_turn(void **state)
{
    enum { MANY = 60 };
    static struct asked q[MANY];
    struct rig r;
    unsigned done = 0;
    (void)state;
    rig_open(&r, 1, false);
    embedding_on(&r, 0);
    struct memory *m = &r.apps[0]->memory;
    for (unsigned i = 0; i < MANY; i++)
        ask_ingest(&q[i], r.apps[0], "a text");
    assert_int_equal(m->ingest_count, MEMORY_INGESTS_MAX);
    assert_int_equal(m->waiting_count, MANY - MEMORY_INGESTS_MAX);
    while (done < MANY) {
        rig_until(&r, q[done].answers);
        assert_true(m->ingest_count <= MEMORY_INGESTS_MAX);
        assert_int_equal(q[done].req.status, 0);
        svc_req_deinit(&q[done++].req);
    }
    assert_int_equal(m->ingest_count + m->waiting_count, 0);
    assert_int_equal(rows_of(&r, "working") + rows_of(&r, "long_term"), MANY);
    rig_close(&r);
}

/* Each is answered once, whether it waits, has its vectors made, or is in the store. */
static void a_stop_ends_what_waits(void **state)
{
    enum { MANY = 20 };
    static struct asked q[MANY];
    struct rig r;
    struct errbuf e;
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        rig_open(&r, 1, false);
        embedding_on(&r, 0);
        for (unsigned i = 0; i < MANY; i++)
            ask_ingest(&q[i], r.apps[0], "a text");
        for (int i = 0; i < turns; i++)
            rig_turn(&r);
        memory_stop(&r.apps[0]->memory);
        for (unsigned i = 0; i < MANY; i++) {
            rig_until(&r, q[i].answers);
            assert_true(q[i].req.status == 0 || q[i].req.status == ERR_UNAVAILABLE);
            svc_req_deinit(&q[i].req);
        }
        assert_int_equal(r.apps[0]->memory.ingest_count, 0);
        r.apps[0]->stopping = true;
        struct memory_ingest late = {.group_id = STR("g"), .content = STR("late")};
        assert_int_equal(memory_ingest_start(r.apps[0], &late, &e), ERR_UNAVAILABLE);
        rig_close(&r);
    }
}

static void ingest_counted(struct memory_ingest *m)
{
    *(bool *)m->data = true;
}

/* A repeat with the same key finds what the first time left. */
static void a_key_makes_the_same_rows(void **state)
{
    struct rig r;
    struct id first[3], key = {{1, 2, 3, 4, 5, 6, 0x77, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}};
    struct buf text;
    (void)state;
    rig_open(&r, 1, false);
    buf_init(&text, 1u << 16);
    for (int i = 0; i < 50; i++)
        buf_printf(&text, "Sentence %d of a text that has some chunks. ", i);
    for (int i = 0; i < 3; i++) {
        bool done = false;
        struct errbuf e = {""};
        struct memory_ingest m = {.workspace = STR("default"),
                                  .group_id = STR("g"),
                                  .content = buf_str(&text),
                                  .key = key,
                                  .done = ingest_counted,
                                  .data = &done};
        if (i == 2)
            m.key.b[15]++;
        assert_int_equal(memory_ingest_start(r.apps[0], &m, &e), 0);
        rig_until(&r, done);
        assert_int_equal(m.status, 0);
        assert_true(m.count >= 2);
        first[i] = m.rows[1].id;
        assert_false(id_eq(m.rows[0].id, m.rows[1].id) || id_eq(m.rows[0].id, m.source_id));
        assert_int_equal(rows_of(&r, "working"), m.count * (i == 2 ? 2 : 1));
        memory_ingest_deinit(&m);
    }
    assert_true(id_eq(first[0], first[1]) && !id_eq(first[0], first[2]));
    buf_deinit(&text);
    rig_close(&r);
}

/* ---- from tier to tier ---- */

/* What an instance that is gone has left is aged by one that starts. */
static void what_is_old_goes_to_the_long_term(void **state)
{
    struct rig r;
    int64_t now = clock_wall_ms();
    (void)state;
    rig_open(&r, 1, false);
    struct memory_row old = row_of(1, MEMORY_WORKING, now - MEMORY_WORKING_MS - 1000),
                      young = row_of(2, MEMORY_WORKING, now - 1000);
    put(&r, &old);
    put(&r, &young);
    memory_start(&r.apps[0]->memory);
    rig_until(&r, rows_of(&r, "long_term") == 1);
    assert_int_equal(rows_of(&r, "working"), 1);
    assert_true(uv_is_active((uv_handle_t *)&r.apps[0]->memory.timer));
    rig_close(&r);
}

static void nothing_in_memory_no_timer(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, 1, false);
    memory_start(&r.apps[0]->memory);
    rig_until(&r, !r.apps[0]->memory.is_sweeping);
    assert_int_equal(rows_of(&r, "working"), 0);
    assert_false(uv_is_active((uv_handle_t *)&r.apps[0]->memory.timer));
    rig_close(&r);
}

/* The process ended between the end of a session and its release. */
static void a_start_releases_what_a_crash_left(void **state)
{
    static const char good[] = "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"end\"]},"
                               "\"end\":{\"type\":\"end\"}}}";
    static const char bad[] =
        "{\"nodes\":{\"start\":{\"type\":\"start\",\"next_ids\":[\"t\"]},"
        "\"t\":{\"type\":\"tool\",\"properties\":{\"tool\":\"read_file\",\"arguments\":{\"path\":"
        "\"none\"}},\"next_ids\":[\"end\"]},\"end\":{\"type\":\"end\"}}}";
    struct rig r;
    int64_t now = clock_wall_ms();
    (void)state;
    rig_open(&r, 1, false);
    for (uint8_t i = 0; i < 6; i++) {
        struct memory_row row = row_of((uint8_t)(i + 1), MEMORY_QUARANTINE, now - i);
        row.session_id = rig_execute(&r, 0, i < 3 ? good : bad);
        rig_until(&r, r.apps[0]->live.count == 0);
        put(&r, &row);
    }
    struct memory_row nobodys = row_of(9, MEMORY_QUARANTINE, now);
    put(&r, &nobodys);
    memory_start(&r.apps[0]->memory);
    rig_until(&r, rows_of(&r, "working") == 3);
    rig_until(&r, !r.apps[0]->memory.is_sweeping && list_empty(&r.apps[0]->memory.releases));
    assert_int_equal(rows_of(&r, "quarantine"), 4);
    rig_close(&r);
}

/* ---- a store that fails ---- */

/* The nth request of each kind fails, for every n until none does: whatever the answer, nothing is
 * lost that was said to be kept, nothing leaks, and all goes on. */
static void a_store_that_fails(void **state)
{
    static const enum mem_fault faults[] = {MEM_FAULT_WRITE_LOST, MEM_FAULT_WRITE_UNKNOWN,
                                            MEM_FAULT_READ};
    (void)state;
    for (size_t f = 0; f < ROWS(faults); f++) {
        for (unsigned n = 1; n <= 6; n++) {
            struct rig r;
            struct asked q;
            rig_open(&r, 1, false);
            mem_store_fail(r.store, faults[f], n, 1, ERR_IO);
            size_t kept = 0;
            for (int i = 0; i < 4; i++) {
                ask_ingest(&q, r.apps[0], "a text");
                if (i == 1)
                    ask_key(&q, "key");
                rig_until(&r, q.answers);
                assert_true(q.req.status == 0 || q.req.status == ERR_UNAVAILABLE);
                kept += q.req.status == 0;
                svc_req_deinit(&q.req);
                memory_start(&r.apps[0]->memory);
            }
            for (int i = 0; i < 3; i++) { /* a read that fails is said to have failed */
                ask_init(&q, SVC_MEMORY_QUERY);
                q.req.memory.group_id = STR("g");
                q.req.memory.query = STR("text");
                service_submit(&r.apps[0]->service, &q.req);
                rig_until(&r, q.answers);
                assert_true(q.req.status == 0 || q.req.status == ERR_UNAVAILABLE);
                svc_req_deinit(&q.req);
            }
            rig_until(&r, !r.apps[0]->memory.is_sweeping);
            mem_store_fail(r.store, faults[f], 1, 0, ERR_IO);
            size_t there = rows_of(&r, "working");
            assert_true(there >= kept);
            assert_true(faults[f] == MEM_FAULT_WRITE_UNKNOWN || there == kept);
            assert_int_equal(r.apps[0]->memory.ingest_count, 0);
            rig_close(&r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_wrote_is_at_hand_at_the_other),
        cmocka_unit_test(without_the_cache_it_is_the_same),
        cmocka_unit_test(a_list_that_does_not_read_is_passed_over),
        cmocka_unit_test(a_long_text_goes_in_batches),
        cmocka_unit_test(many_wait_their_turn),
        cmocka_unit_test(a_stop_ends_what_waits),
        cmocka_unit_test(a_key_makes_the_same_rows),
        cmocka_unit_test(what_is_old_goes_to_the_long_term),
        cmocka_unit_test(nothing_in_memory_no_timer),
        cmocka_unit_test(a_start_releases_what_a_crash_left),
        cmocka_unit_test(a_store_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
