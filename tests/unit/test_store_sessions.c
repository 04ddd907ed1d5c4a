/* Sessions that programs keep here, over all stores: one by one, and the same random work in all
 * three at once. */
#include <inttypes.h>
#include <sqlite3.h>

#include "base/json.h"
#include "base/json_tree.h"
#include "engine/meta.h"
#include "test_store_rig.h"

static struct session_save stored(struct id id, const char *name)
{
    return (struct session_save){.id = id,
                                 .meta = {.name = str_of(name),
                                          .tags_json = STR("[\"t\"]"),
                                          .metadata_json = STR("{\"k\":\"v\",\"n\":{\"m\":1.50}}"),
                                          .settings_json = STR("{}"),
                                          .thread_configs_json = STR("{}"),
                                          .workflow_state_json = STR("{}")},
                                 .status = STR("open")};
}

static int save_at(struct rig *r, struct session_save *s, size_t n, int64_t now)
{
    RIG_REQ(store_session_save, p, STORE_SESSION_SAVE);
    p.saves = s;
    p.save_count = n;
    p.now_ms = now;
    int status = rig_run(r, &p.req);
    store_req_deinit(&p.req);
    return status;
}

static int save(struct rig *r, struct session_save *s)
{
    return save_at(r, s, 1, T0);
}

static int look(struct rig *r, struct id id, struct session_row *out, struct store_session_get *g)
{
    memset(g, 0, sizeof(*g));
    store_req_init(&g->req, STORE_SESSION_GET, rig_done, NULL);
    g->id = id;
    int status = rig_run(r, &g->req);
    *out = g->row;
    return status;
}

static void a_stored_session_is_made_and_replaced(void **state)
{
    struct rig *r = *state;
    struct id id = rig_id(r, T0);
    struct session_save s = stored(id, "one");
    struct store_session_get g;
    struct session_row row;

    s.must_exist = true;
    assert_int_equal(save(r, &s), ERR_NOT_FOUND);
    s.must_exist = false;
    s.expected_version = 1;
    assert_int_equal(save(r, &s), ERR_STALE);
    s.expected_version = 0;
    assert_int_equal(save(r, &s), 0);
    assert_true(s.created && s.version == 1 && s.created_at == T0);
    assert_int_equal(look(r, id, &row, &g), 0);
    assert_true(row.meta.stored_only && row.version == 1 && row.created_at == T0);
    assert_true(str_eqz(row.core.status, "open") && str_eqz(row.meta.name, "one"));
    assert_int_equal(row.core.started_at, 0);
    store_req_deinit(&g.req);

    s = stored(id, "two");
    s.status = STR("any word");
    s.meta.user_id = STR("ann");
    s.expected_version = 1;
    assert_int_equal(save_at(r, &s, 1, T0 + 5), 0);
    assert_true(!s.created && s.version == 2 && s.created_at == T0);
    assert_int_equal(save(r, &s), ERR_STALE);
    assert_int_equal(look(r, id, &row, &g), 0);
    assert_true(row.version == 2 && row.created_at == T0 && row.core.updated_at == T0 + 5);
    assert_true(str_eqz(row.core.status, "any word") && str_eqz(row.meta.user_id, "ann"));
    store_req_deinit(&g.req);
}

static void a_batch_is_all_or_nothing(void **state)
{
    struct rig *r = *state;
    struct id a = rig_id(r, T0), b = rig_id(r, T0), live = rig_session(r, "running", T0);
    struct id gone = rig_id(r, T0), deletes[] = {a, gone};
    struct session_save s[] = {stored(b, "b"), stored(live, "live")};
    struct session_save first = stored(a, "a");
    struct store_session_get g;
    struct session_row row;

    assert_int_equal(save(r, &first), 0);
    RIG_REQ(store_session_save, p, STORE_SESSION_SAVE);
    p.saves = s;
    p.save_count = 2;
    assert_int_equal(rig_run(r, &p.req), ERR_CONFLICT);
    assert_true(p.failed_in == SAVE_ENTRY_SAVE && p.failed == 1);
    p.save_count = 1;
    p.deletes = deletes;
    p.delete_count = 2;
    store_req_deinit(&p.req);
    store_req_init(&p.req, STORE_SESSION_SAVE, rig_done, NULL);
    assert_int_equal(rig_run(r, &p.req), ERR_NOT_FOUND);
    assert_true(p.failed_in == SAVE_ENTRY_DELETE && p.failed == 1);
    assert_int_equal(look(r, b, &row, &g), ERR_NOT_FOUND);
    store_req_deinit(&g.req);
    assert_int_equal(look(r, a, &row, &g), 0);
    store_req_deinit(&g.req);
    store_req_deinit(&p.req);
    store_req_init(&p.req, STORE_SESSION_SAVE, rig_done, NULL);
    p.delete_count = 1;
    assert_int_equal(rig_run(r, &p.req), 0);
    assert_int_equal(look(r, a, &row, &g), ERR_NOT_FOUND);
    store_req_deinit(&g.req);
    p.workspace = STR("another");
    deletes[0] = b;
    p.save_count = 0;
    store_req_deinit(&p.req);
    store_req_init(&p.req, STORE_SESSION_SAVE, rig_done, NULL);
    assert_int_equal(rig_run(r, &p.req), ERR_NOT_FOUND); /* of the default workspace */
    store_req_deinit(&p.req);
}

static void what_is_kept_with_an_ended_session(void **state)
{
    struct rig *r = *state;
    struct id id = rig_session(r, "running", T0);
    struct session_save s = stored(id, "kept");
    struct store_session_get g;
    struct session_row row;
    struct rig_delta x;

    s.kind = SAVE_META;
    assert_int_equal(save(r, &s), ERR_CONFLICT); /* its owner may, by a delta */
    x = (struct rig_delta){.core = rig_core("completed"), .meta = s.meta};
    x.core.ended_at = T0 + 9;
    x.meta.name = STR("by the owner");
    x.d = (struct delta){
        .session_id = id, .epoch = 1, .at = T0 + 9, .core = &x.core, .meta = &x.meta, .version = 2};
    arena_init(&x.d.arena);
    buf_init(&x.d.events, 10);
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    assert_int_equal(rig_commit(r, &x, NULL), 0); /* once more: its outcome was not known */
    rig_delta_deinit(&x);
    assert_int_equal(look(r, id, &row, &g), 0);
    assert_true(row.version == 2 && str_eqz(row.meta.name, "by the owner"));
    assert_true(str_eqz(row.meta.metadata_json, "{\"k\":\"v\",\"n\":{\"m\":1.50}}"));
    assert_true(str_eqz(row.meta.input_json, "{\"topic\":\"tea\"}"));
    store_req_deinit(&g.req);

    s.expected_version = 2;
    assert_int_equal(save(r, &s), 0);
    assert_int_equal(look(r, id, &row, &g), 0);
    assert_true(row.version == 3 && str_eqz(row.meta.name, "kept") && !row.meta.stored_only);
    assert_true(str_eqz(row.core.status, "completed") && row.core.ended_at == T0 + 9);
    store_req_deinit(&g.req);
    s = stored(id, "replaced");
    assert_int_equal(save(r, &s), ERR_CONFLICT);
}

static void write_versions(const struct store_session_save *p, struct buf *out)
{
    for (size_t i = 0; i < p->save_count; i++)
        buf_printf(out, "%s%" PRId64, i ? "," : "[", p->saves[i].version);
    buf_append_z(out, "]");
}

static void its_answer_is_kept_with_it(void **state)
{
    struct rig *r = *state;
    struct session_save s[] = {stored(rig_id(r, T0), "a"), stored(rig_id(r, T0), "b")};
    const struct idempotency_row key = {
        .key = STR("k"), .http_status = 200, .body_json = STR(""), .created_at = T0};

    assert_int_equal(save(r, &s[1]), 0);
    for (int i = 0; i < 2; i++) {
        RIG_REQ(store_session_save, p, STORE_SESSION_SAVE);
        p.saves = s;
        p.save_count = 2;
        p.now_ms = T0 + 1;
        p.idempotency = &key;
        p.answer = write_versions;
        assert_int_equal(rig_run(r, &p.req), i ? ERR_CONFLICT : 0);
        store_req_deinit(&p.req);
    }
    RIG_REQ(store_idempotency_get, g, STORE_IDEMPOTENCY_GET);
    g.key = STR("k");
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(str_eqz(g.row.body_json, "[1,2]"));
    store_req_deinit(&g.req);
}

/* ---- rows that do not read back ---- */

static void spoil(struct rig *r, const char *sql)
{
    char path[512];
    sqlite3 *db;

    if (r->postgres) {
        pg_rig_exec_on(r->url, sql);
        return;
    }
    rig_close_store(r);
    snprintf(path, sizeof(path), "%s/sluice.db", r->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    rig_open_store(r);
}

static void a_corrupt_row_is_named(void **state)
{
    struct rig *r = *state;
    struct id ids[5];
    struct store_session_get g;
    struct session_row row;
    char text[ID_TEXT_BYTES + 1];

    for (int i = 0; i < 5; i++) {
        ids[i] = rig_id(r, T0 + i);
        struct session_save s = stored(ids[i], "s");
        assert_int_equal(save_at(r, &s, 1, T0 + i), 0);
    }
    spoil(r, r->postgres ? "UPDATE session_details SET metadata = '{\"torn\":' WHERE session_id IN"
                           " (SELECT id FROM sessions ORDER BY created_at OFFSET 1 LIMIT 1)"
                         : "UPDATE session_details SET metadata = '{\"torn\":' WHERE session IN"
                           " (SELECT key FROM sessions ORDER BY created_at LIMIT 1 OFFSET 1)");
    spoil(r, r->postgres ? "UPDATE sessions SET tags = 'x' WHERE id IN"
                           " (SELECT id FROM sessions ORDER BY created_at OFFSET 3 LIMIT 1)"
                         : "UPDATE sessions SET tags = 'x' WHERE key IN"
                           " (SELECT key FROM sessions ORDER BY created_at LIMIT 1 OFFSET 3)");
    assert_int_equal(look(r, ids[1], &row, &g), ERR_CORRUPT);
    id_format(ids[1], text);
    assert_non_null(strstr(g.req.error.text, text));
    store_req_deinit(&g.req);
    assert_int_equal(look(r, ids[0], &row, &g), 0);
    store_req_deinit(&g.req);
    for (int filter = 0; filter < 3; filter++) {
        const struct metadata_filter f = {STR("n.m"), STR("1.50")};
        RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
        l.ascending = true;
        if (filter == 1) {
            l.metadata = &f;
            l.metadata_count = 1;
        } else if (filter == 2) {
            l.tag = STR("t");
        }
        assert_int_equal(rig_run(r, &l.req), 0);
        assert_true(id_eq(l.rows->row.id, ids[0]) && id_eq(l.rows->next->row.id, ids[2]));
        assert_true(id_eq(l.rows->next->next->row.id, ids[4]));
        assert_null(l.rows->next->next->next);
        assert_true(l.corrupt && id_eq(l.corrupt->id, ids[1]));
        assert_true(l.corrupt->next && id_eq(l.corrupt->next->id, ids[3]));
        assert_null(l.corrupt->next->next);
        store_req_deinit(&l.req);
    }
    /* Such a one can be replaced, and deleted. */
    struct session_save s = stored(ids[1], "whole again");
    assert_int_equal(save(r, &s), 0);
    assert_int_equal(look(r, ids[1], &row, &g), 0);
    store_req_deinit(&g.req);
    RIG_REQ(store_session_save, p, STORE_SESSION_SAVE);
    p.deletes = &ids[3];
    p.delete_count = 1;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

/* ---- the same work in all stores ---- */

struct dice {
    uint64_t state;
};
static unsigned roll(struct dice *d, unsigned sides)
{
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(d->state >> 33) % sides;
}

static void random_json(struct dice *d, int depth, bool with_null, struct buf *out)
{
    static const char *const scalars[] = {"1",    "1.50",        "-0",  "true",  "false",  "\"v\"",
                                          "\"\"", "\"\\u00fc\"", "1e3", "\"1\"", "[1,{}]", "[]"};
    if (depth == 0 || roll(d, 3) == 0) {
        if (with_null && roll(d, 4) == 0)
            buf_append_z(out, "null");
        else
            buf_append_z(out, scalars[roll(d, 12)]);
        return;
    }
    unsigned used = 0;
    buf_append_z(out, "{");
    for (unsigned i = roll(d, 4); i > 0; i--) {
        unsigned key = roll(d, 5);
        if (used & 1u << key)
            continue;
        buf_printf(out, "%s\"k%u\":", used ? "," : "", key);
        used |= 1u << key;
        random_json(d, depth - 1, with_null, out);
    }
    buf_append_z(out, "}");
}

static void random_object(struct dice *d, bool with_null, struct buf *out)
{
    do {
        buf_clear(out);
        random_json(d, 3, with_null, out);
    } while (out->data[0] != '{');
}

/* The plain model of a merge: what RFC 7396 says, in the words of RFC 7396. */
static void model_merge(struct json target, struct json patch, struct jw *w)
{
    struct json_iter it;

    if (json_type(patch) != JSON_OBJECT) {
        jw_raw(w, json_raw(patch));
        return;
    }
    if (json_type(target) != JSON_OBJECT)
        target = json_root(STR("{}"));
    jw_object(w);
    json_iter_init(&it, target);
    while (json_iter_next(&it)) {
        char key[16];
        snprintf(key, sizeof(key), "%.*s", STR_FMT(it.key));
        struct json p = json_get(patch, key);
        if (json_type(p) == JSON_NULL)
            continue;
        jw_key(w, key);
        if (json_exists(p))
            model_merge(it.value, p, w);
        else
            jw_raw(w, json_raw(it.value));
    }
    json_iter_init(&it, patch);
    while (json_iter_next(&it)) {
        char key[16];
        snprintf(key, sizeof(key), "%.*s", STR_FMT(it.key));
        if (json_type(it.value) == JSON_NULL || json_exists(json_get(target, key)))
            continue;
        jw_key(w, key);
        model_merge(JSON_ABSENT, it.value, w);
    }
    jw_end(w);
}

static void merges_do_as_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        struct dice d = {seed};
        struct buf now, patch, whole, expected;
        struct session_meta meta = {.stored_only = true}, out;
        struct errbuf e = {""};
        struct str status;
        struct arena a;
        struct jw w;
        arena_init(&a);
        buf_init(&now, 1 << 20);
        buf_init(&patch, 1 << 20);
        buf_init(&whole, 1 << 20);
        buf_init(&expected, 1 << 20);
        random_object(&d, false, &now);
        random_object(&d, true, &patch);
        buf_printf(&whole, "{\"workflow_state\":%.*s}", (int)patch.len, (char *)patch.data);
        meta.workflow_state_json = buf_str(&now);
        const struct meta_change change = {buf_str(&whole), false};
        assert_int_equal(meta_apply(&a, &meta, STR("s"), &change, &out, &status, &e), 0);
        jw_init(&w, &expected);
        model_merge(json_root(buf_str(&now)), json_root(buf_str(&patch)), &w);
        if (!json_eq(json_root(out.workflow_state_json), json_root(buf_str(&expected))))
            fail_msg("seed %" PRIu64 ": %.*s + %.*s = %.*s, not %.*s", seed, (int)now.len,
                     (char *)now.data, (int)patch.len, (char *)patch.data,
                     STR_FMT(out.workflow_state_json), (int)expected.len, (char *)expected.data);
        assert_true(str_eqz(status, "s"));
        buf_deinit(&now);
        buf_deinit(&patch);
        buf_deinit(&whole);
        buf_deinit(&expected);
        arena_deinit(&a);
    }
}

#define SESSIONS 8
struct trio {
    struct rig *rigs[3];
    int count;
};

static void put_row(struct buf *out, const struct session_row *row)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(row->id, id);
    buf_printf(out, "%s v%" PRId64 " %" PRId64 " %.*s %.*s %.*s %.*s %.*s\n", id, row->version,
               row->created_at, STR_FMT(row->core.status),
               STR_FMT(row->meta.name.p ? row->meta.name : STR("-")), STR_FMT(row->meta.tags_json),
               STR_FMT(row->meta.metadata_json), STR_FMT(row->meta.workflow_state_json));
}

/* What the whole store shows: as text, to be compared. */
static void put_all(struct rig *r, const struct metadata_filter *f, size_t n, struct buf *out)
{
    RIG_REQ(store_session_list, l, STORE_SESSION_LIST);
    l.metadata = f;
    l.metadata_count = n;
    l.limit = 100;
    assert_int_equal(rig_run(r, &l.req), 0);
    assert_null(l.corrupt);
    for (struct session_item *it = l.rows; it; it = it->next)
        put_row(out, &it->row);
    store_req_deinit(&l.req);
}

static void put_stats(struct rig *r, struct buf *out)
{
    RIG_REQ(store_session_stats, s, STORE_SESSION_STATS);
    assert_int_equal(rig_run(r, &s.req), 0);
    const struct stat_row *lists[] = {s.by_status, s.by_workflow, s.by_day, s.failures};
    for (int i = 0; i < 4; i++)
        for (const struct stat_row *row = lists[i]; row; row = row->next)
            buf_printf(out, "%d %.*s %" PRId64 " %.*s %" PRId64 "\n", i,
                       STR_FMT(row->key.p ? row->key : STR("-")), row->day,
                       STR_FMT(row->status.p ? row->status : STR("-")), row->count);
    buf_printf(out,
               "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
               " %" PRId64 " %" PRId64 " %.6f %d\n",
               s.total, s.ended, s.duration_sum, s.p50, s.p90, s.p99, s.duration_max,
               s.input_tokens, s.output_tokens, s.cost_usd, s.truncated);
    store_req_deinit(&s.req);
}

/* One piece of random work, the same for each store by its seed; what came of it. */
static void work(struct rig *r, uint64_t seed, const struct id *ids, struct buf *out)
{
    struct dice d = {seed};
    struct buf texts[SESSIONS];
    struct session_save s[SESSIONS];
    struct id deletes[SESSIONS];
    size_t saves = 0, deleted = 0;
    unsigned used = 0;

    RIG_REQ(store_session_save, p, STORE_SESSION_SAVE);
    for (int i = 0; i < SESSIONS; i++)
        buf_init(&texts[i], 1 << 20);
    for (unsigned i = 1 + roll(&d, 3); i > 0; i--) {
        unsigned which = roll(&d, SESSIONS);
        if (used & 1u << which)
            continue;
        used |= 1u << which;
        if (roll(&d, 4) == 0) {
            deletes[deleted++] = ids[which];
            continue;
        }
        s[saves] = stored(ids[which], roll(&d, 2) ? "even" : "odd");
        random_object(&d, false, &texts[saves]);
        s[saves].meta.metadata_json = buf_str(&texts[saves]);
        s[saves].kind = roll(&d, 3) ? SAVE_STORED : SAVE_META;
        s[saves].expected_version = roll(&d, 3) ? 0 : 1 + roll(&d, 3);
        s[saves].must_exist = roll(&d, 5) == 0;
        s[saves].status = roll(&d, 2) ? STR("open") : STR("shut");
        saves++;
    }
    p.saves = s;
    p.save_count = saves;
    p.deletes = deletes;
    p.delete_count = deleted;
    p.now_ms = T0 + (int64_t)seed;
    if (saves + deleted > 0) {
        int status = rig_run(r, &p.req);
        buf_printf(out, "%d %d %zu:", status, p.failed_in, p.failed);
        for (size_t i = 0; status == 0 && i < saves; i++)
            buf_printf(out, " %d v%" PRId64 " %" PRId64, s[i].created, s[i].version,
                       s[i].created_at);
        buf_append_z(out, "\n");
    }
    store_req_deinit(&p.req);
    for (int i = 0; i < SESSIONS; i++)
        buf_deinit(&texts[i]);
    static const char *const values[] = {"1", "1.50", "true", "v", "", "\xc3\xbc", "-0", "1e3"};
    static const char *const paths[] = {"k0", "k1", "k0.k1", "k2.k3.k4", "k4", "k1.k1"};
    const struct metadata_filter f = {str_of(paths[roll(&d, 6)]), str_of(values[roll(&d, 8)])};
    buf_printf(out, "%.*s = %.*s\n", STR_FMT(f.path), STR_FMT(f.value));
    put_all(r, &f, 1, out);
    put_all(r, NULL, 0, out);
}

/* Executed ones, for the statistics: the newest ended, failed or still running. */
static void executed(struct rig *r, int i)
{
    static const char *const words[] = {"completed", "failed", "running"};
    struct rig_delta x;

    rig_new_session(r, &x, words[i % 3], T0 + i * INT64_C(43200000));
    x.meta.graph_json = STR_NULL;
    x.meta.workflow_id = i % 2 ? STR("flow-a") : STR("\xc3\xbc-b");
    x.meta.workflow_version = 1;
    x.core.usage_json = STR("{\"input_tokens\":10,\"output_tokens\":3,\"cost_usd\":0.0025}");
    x.core.started_at = T0;
    x.core.ended_at = i % 3 < 2 ? T0 + i * 17 : 0;
    x.core.error_json = i % 3 == 1 ? STR("{\"code\":\"timeout\",\"message\":\"m\"}") : STR_NULL;
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
}

static void all_stores_do_the_same(void **state)
{
    struct trio t = {.rigs = {rig_create(false, false), rig_create(true, false)}, .count = 2};
    struct id ids[SESSIONS];
    struct buf shown[3];

    (void)state;
    if (pg_rig_server())
        t.rigs[t.count++] = rig_create(false, true);
    for (int k = 0; k < t.count; k++) {
        id_source_init_seed(&t.rigs[k]->ids, 7);
        buf_init(&shown[k], 64 << 20);
        for (int i = 0; i < 20; i++)
            executed(t.rigs[k], i);
    }
    for (int i = 0; i < SESSIONS; i++)
        ids[i] = rig_id(t.rigs[0], T0);
    for (uint64_t seed = 1; seed <= 150; seed++) {
        for (int k = 0; k < t.count; k++) {
            buf_clear(&shown[k]);
            work(t.rigs[k], seed, ids, &shown[k]);
            if (seed % 10 == 0)
                put_stats(t.rigs[k], &shown[k]);
            if (!str_eq(buf_str(&shown[0]), buf_str(&shown[k])))
                fail_msg("seed %" PRIu64 ", store %d:\n%.*s\nnot\n%.*s", seed, k, (int)shown[k].len,
                         (char *)shown[k].data, (int)shown[0].len, (char *)shown[0].data);
        }
    }
    for (int k = 0; k < t.count; k++) {
        buf_deinit(&shown[k]);
        rig_destroy(t.rigs[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY(a_stored_session_is_made_and_replaced),
        EVERY(a_batch_is_all_or_nothing),
        EVERY(what_is_kept_with_an_ended_session),
        EVERY(its_answer_is_kept_with_it),
        {"a_corrupt_row_is_named (sqlite)", a_corrupt_row_is_named, rig_setup_sqlite, rig_teardown,
         NULL},
        {"a_corrupt_row_is_named (postgres)", a_corrupt_row_is_named, rig_setup_postgres,
         rig_teardown, NULL},
        cmocka_unit_test(merges_do_as_the_model),
        cmocka_unit_test(all_stores_do_the_same),
    };

    return RIG_RUN_TESTS(tests);
}
