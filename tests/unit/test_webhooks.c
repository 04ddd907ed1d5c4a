/* Webhooks over a store in memory, in virtual time: nothing here sleeps, and an hour is a number.
 */
#include <stdlib.h>
#include <string.h>

#include "app/webhooks.h"
#include "store/mem_store.h"
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"

#define T0       INT64_C(1700000000000)
#define MINUTE   INT64_C(60000)
#define HOUR     (60 * MINUTE)
#define POSTS    4096
#define SESSIONS 40

/* What came to a subscriber. */
struct got {
    struct id session, delivery;
    int64_t seq, at;
    bool taken;
};

enum way { WAY_UP, WAY_DOWN, WAY_NEVER, WAY_GONE };

struct world;
struct sender {
    struct hook_sender base;
    struct world *w;
};
struct flight {
    struct hook_post *post;
    struct sender *sender;
    int64_t due;
};
struct subscriber {
    const char *url;
    enum way way;
    struct id poison; /* of this session it takes nothing */
    int open, open_max;
    struct got *got;
    size_t count;
};

struct instance {
    struct webhooks hooks;
    struct sender sender;
    struct id id;
    bool up;
};

struct world {
    struct store *store;
    struct id_source ids;
    int64_t now;
    struct instance at[2];
    struct flight flights[POSTS];
    int flying;
    struct subscriber subs[3];
    int sub_count;
    struct id sessions[SESSIONS];
    int64_t seqs[SESSIONS];
    struct seal_key key;
};

static int64_t world_now(void *data)
{
    return ((struct world *)data)->now;
}

/* ---- the subscribers ---- */

static struct subscriber *sub_of(struct world *w, struct str url)
{
    for (int i = 0; i < w->sub_count; i++)
        if (str_eqz(url, w->subs[i].url))
            return &w->subs[i];
    fail_msg("nobody is at %.*s", STR_FMT(url));
    return NULL;
}

static void sender_post(struct hook_sender *base, struct hook_post *p)
{
    struct sender *s = container_of(base, struct sender, base);
    struct world *w = s->w;
    struct subscriber *sub = sub_of(w, p->url);
    static const int64_t takes[] = {5, 2, HOOK_TIMEOUT_MS, 5};
    assert_true(w->flying < POSTS);
    assert_true(str_eqz(p->secret, "a secret of sixteen"));
    w->flights[w->flying++] = (struct flight){p, s, w->now + takes[sub->way]};
    if (++sub->open > sub->open_max)
        sub->open_max = sub->open;
}

static void sender_cancel(struct hook_sender *base, struct hook_post *p)
{
    struct world *w = container_of(base, struct sender, base)->w;
    for (int i = 0; i < w->flying; i++)
        if (w->flights[i].post == p) {
            sub_of(w, p->url)->open--;
            w->flights[i] = w->flights[--w->flying];
            return;
        }
    fail_msg("a post that is not under way was cancelled");
}

/* It has come to the subscriber, who answers, or not. */
static void flight_lands(struct world *w, int i)
{
    struct flight f = w->flights[i];
    struct hook_post *p = f.post;
    struct subscriber *sub = sub_of(w, p->url);
    struct json body = json_root(p->body);
    struct got g = {.delivery = p->delivery, .at = w->now};
    w->flights[i] = w->flights[--w->flying];
    sub->open--;
    json_i64(json_get(body, "seq"), &g.seq);
    struct json id = json_get(body, "session_id");
    assert_true(id_parse((struct str){id.p + 1, id.n - 2}, &g.session));
    g.taken = sub->way == WAY_UP && !id_eq(g.session, sub->poison);
    p->taken = g.taken;
    p->refused = sub->way == WAY_GONE;
    p->http_status = sub->way == WAY_UP ? (g.taken ? 204 : 500) : sub->way == WAY_GONE ? 410 : 0;
    if (!g.taken)
        snprintf(p->error, sizeof(p->error), "no");
    sub->got = realloc(sub->got, (sub->count + 1) * sizeof(g));
    sub->got[sub->count++] = g;
    p->done(p);
}

/* ---- the world ---- */

static void store_settle(struct world *w)
{
    while (mem_store_waiting(w->store))
        mem_store_turn(w->store, 1000);
}

static void req_done(struct store_req *r)
{
    *(bool *)r->data = true;
}

static void store_ask(struct world *w, struct store_req *req, int expected)
{
    bool done = false;
    req->data = &done;
    store_submit(w->store, req);
    while (!done)
        mem_store_turn(w->store, 1000);
    if (req->status != expected)
        fail_msg("the store: %d %s", req->status, req->error.text);
}

/* The next moment at which something happens, not after `until`; false: nothing does. */
static bool world_step(struct world *w, int64_t until)
{
    int64_t next = INT64_MAX;
    store_settle(w);
    for (int i = 0; i < w->flying; i++)
        next = w->flights[i].due < next ? w->flights[i].due : next;
    for (int i = 0; i < 2; i++)
        if (w->at[i].up && w->at[i].hooks.due_at && w->at[i].hooks.due_at < next)
            next = w->at[i].hooks.due_at;
    if (next > until)
        return false;
    if (next > w->now)
        w->now = next;
    for (int i = 0; i < w->flying; i++)
        if (w->flights[i].due <= w->now) {
            flight_lands(w, i);
            store_settle(w);
            return true;
        }
    for (int i = 0; i < 2; i++)
        if (w->at[i].up && w->at[i].hooks.due_at && w->at[i].hooks.due_at <= w->now)
            webhooks_tick(&w->at[i].hooks);
    return true;
}

static void world_run(struct world *w, int64_t ms)
{
    int64_t until = w->now + ms;
    int steps = 0;
    while (world_step(w, until))
        if (++steps > 2000000)
            fail_msg("it does not come to rest");
    w->now = until;
}

static void instance_start(struct world *w, int i, bool shared)
{
    struct instance *in = &w->at[i];
    struct store_instance_put p;
    memset(&p, 0, sizeof(p));
    in->id = id_new(&w->ids, (uint64_t)w->now);
    store_req_init(&p.req, STORE_INSTANCE_PUT, req_done, NULL);
    p.row = (struct instance_row){.id = in->id, .name = STR("i")};
    p.lease_ms = HOUR;
    store_ask(w, &p.req, 0);
    store_req_deinit(&p.req);
    webhooks_open(&in->hooks, NULL);
    id_source_init_seed(&in->hooks.ids, 7);
    in->sender = (struct sender){{sender_post, sender_cancel}, w};
    in->hooks.store = w->store;
    in->hooks.sender = &in->sender.base;
    in->hooks.key = w->key;
    in->hooks.self = &in->id;
    in->hooks.shared = shared;
    in->hooks.now = world_now;
    in->hooks.now_data = w;
    in->up = true;
    webhooks_start(&in->hooks);
    store_settle(w);
}

/* kill -9: what was under way at the store is lost but for `reached` requests, and nobody is told.
 */
static void instance_kill(struct world *w, int i, size_t reached)
{
    struct instance *in = &w->at[i];
    struct store_instance_remove r;
    mem_store_crash(w->store, reached);
    for (int k = w->flying; k-- > 0;)
        if (w->flights[k].sender == &in->sender) {
            sub_of(w, w->flights[k].post->url)->open--;
            w->flights[k] = w->flights[--w->flying];
        }
    in->up = false;
    in->hooks.closing = true;
    webhooks_deinit(&in->hooks);
    memset(&r, 0, sizeof(r));
    store_req_init(&r.req, STORE_INSTANCE_REMOVE, req_done, NULL);
    r.id = in->id;
    store_ask(w, &r.req, 0);
    store_req_deinit(&r.req);
}

static struct world *world_create(void)
{
    struct world *w = calloc(1, sizeof(*w));
    struct errbuf e;
    log_configure(LOG_ERROR, 0);
    id_source_init_seed(&w->ids, 42);
    mem_store_open(&w->store, NULL);
    w->now = T0;
    seal_key_of_text(&w->key, STR("a key that is long enough"), &e);
    return w;
}

static void world_destroy(struct world *w)
{
    for (int i = 0; i < 2; i++)
        if (w->at[i].up) {
            webhooks_close(&w->at[i].hooks);
            store_settle(w);
            webhooks_deinit(&w->at[i].hooks);
        }
    assert_int_equal(w->flying, 0);
    for (int i = 0; i < w->sub_count; i++)
        free(w->subs[i].got);
    store_close(w->store, NULL, NULL);
    mem_store_turn(w->store, 1000);
    free(w);
}

static struct id hook_add(struct world *w, const char *url, const char *events, const char *filter)
{
    struct store_hook_put p;
    struct buf sealed;
    char id[ID_TEXT_BYTES + 1];
    memset(&p, 0, sizeof(p));
    buf_init(&sealed, 1024);
    store_req_init(&p.req, STORE_HOOK_PUT, req_done, NULL);
    p.row.id = id_new(&w->ids, (uint64_t)w->now);
    id_format(p.row.id, id);
    seal_close(&w->key, STR("a secret of sixteen"), str_of(id), &sealed);
    p.row.url = str_of(url);
    p.row.events_json = str_of(events);
    p.row.filter_json = str_of(filter);
    p.row.secret = buf_str(&sealed);
    p.row.enabled = true;
    p.row.scan_from = w->now;
    p.row.workspace = STR("default");
    p.is_new = true;
    p.now_ms = w->now;
    store_ask(w, &p.req, 0);
    struct id made = p.row.id;
    store_req_deinit(&p.req);
    buf_deinit(&sealed);
    bool known = false;
    for (int i = 0; i < w->sub_count; i++)
        known = known || strcmp(w->subs[i].url, url) == 0;
    if (!known)
        w->subs[w->sub_count++] = (struct subscriber){.url = url};
    for (int i = 0; i < 2; i++)
        if (w->at[i].up)
            webhooks_reload(&w->at[i].hooks);
    store_settle(w);
    return made;
}

static struct hook_row hook_row(struct world *w, struct id id)
{
    struct store_hook_list l;
    memset(&l, 0, sizeof(l));
    store_req_init(&l.req, STORE_HOOK_LIST, req_done, NULL);
    l.id = id;
    store_ask(w, &l.req, 0);
    assert_non_null(l.rows);
    struct hook_row row = *l.rows;
    store_req_deinit(&l.req);
    return row;
}

/* ---- sessions ---- */

/* Commits events of a session, new at the first ones, and tells the instance as the journal does.
 */
static void events_add(struct world *w, int instance, int session, const char *type, int count,
                       bool ends)
{
    struct session_meta meta = {.workspace = STR("default"),
                                .name = STR("s"),
                                .tags_json = STR("[]"),
                                .metadata_json = STR("{\"team\":\"red\"}"),
                                .settings_json = STR("{}"),
                                .thread_configs_json = STR("{}"),
                                .workflow_state_json = STR("{}"),
                                .workflow_id = STR("flow"),
                                .input_json = STR("{}")};
    struct session_core core = {.status = ends ? STR("completed") : STR("running"),
                                .node_statuses_json = STR("{}"),
                                .waiting_json = STR("[]"),
                                .usage_json = STR("{}"),
                                .vars_json = STR("{}"),
                                .state_json = STR("{}"),
                                .busy = !ends,
                                .started_at = w->now,
                                .ended_at = ends ? w->now : 0,
                                .updated_at = w->now};
    bool is_new = w->seqs[session] == 0, refused = false, done = false;
    char id[ID_TEXT_BYTES + 1], at[CLOCK_RFC3339_BYTES + 1];
    struct store_commit c;
    struct delta d, *one = &d;
    if (is_new)
        w->sessions[session] = id_new(&w->ids, (uint64_t)w->now);
    id_format(w->sessions[session], id);
    clock_format_rfc3339(w->now, at);
    memset(&d, 0, sizeof(d));
    arena_init(&d.arena);
    buf_init(&d.events, 1 << 20);
    d.session_id = w->sessions[session];
    d.epoch = 1;
    d.at = d.created_at = w->now;
    d.is_new = is_new;
    d.owner = w->at[instance].id;
    d.meta = &meta;
    d.core = &core;
    d.seq_first = w->seqs[session] + 1;
    for (int i = 0; i < count; i++)
        buf_printf(&d.events,
                   "%s{\"seq\":%lld,\"session_id\":\"%s\",\"type\":\"%s\",\"timestamp\":\"%s\","
                   "\"data\":{}}",
                   i ? "\n" : "", (long long)++w->seqs[session], id,
                   ends && i == count - 1 ? "session_state_change" : type, at);
    core.last_seq = d.seq_last = w->seqs[session];
    memset(&c, 0, sizeof(c));
    store_req_init(&c.req, STORE_COMMIT, req_done, &done);
    c.deltas = &one;
    c.count = 1;
    c.refused = &refused;
    store_ask(w, &c.req, 0);
    assert_false(refused);
    store_req_deinit(&c.req);
    struct webhook_session about = {w->sessions[session], meta.workflow_id, meta.group_id,
                                    meta.metadata_json};
    struct webhooks *hooks = &w->at[instance].hooks;
    if (w->at[instance].up && hooks->active)
        webhooks_sealed(hooks, meta.workspace, &about, is_new, d.seq_first, d.seq_last,
                        buf_str(&d.events));
    if (w->at[instance].up && hooks->active && ends)
        webhooks_left(hooks, w->sessions[session]);
    arena_deinit(&d.arena);
    buf_deinit(&d.events);
}

/* Of each session: every event up to the last was taken, in order, once; or more than once, one
 * after the other with the same id, where `repeats` allows it. */
static void expect_all(struct world *w, const struct subscriber *sub, int sessions, bool repeats)
{
    for (int s = 0; s < sessions; s++) {
        int64_t next = 1;
        struct id last = {{0}};
        for (size_t i = 0; i < sub->count; i++) {
            const struct got *g = &sub->got[i];
            if (!g->taken || !id_eq(g->session, w->sessions[s]))
                continue;
            if (repeats && g->seq == next - 1) {
                assert_true(id_eq(g->delivery, last));
                continue;
            }
            if (g->seq != next)
                fail_msg("session %d: %lld came, not %lld", s, (long long)g->seq, (long long)next);
            last = g->delivery;
            next++;
        }
        if (next != w->seqs[s] + 1)
            fail_msg("session %d: %lld of %lld events came", s, (long long)next - 1,
                     (long long)w->seqs[s]);
    }
}

static size_t count_taken(const struct subscriber *sub)
{
    size_t n = 0;
    for (size_t i = 0; i < sub->count; i++)
        n += sub->got[i].taken;
    return n;
}

/* ---- tests ---- */

static void events_are_told_in_order_and_once(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    assert_int_equal(w->at[0].hooks.active, 0);
    hook_add(w, "http://a/", "[]", "{}");
    assert_int_equal(w->at[0].hooks.active, 1);
    for (int round = 0; round < 10; round++)
        for (int s = 0; s < SESSIONS; s++) {
            events_add(w, 0, s, "message", 1 + s % 3, round == 9);
            if (s % 7 == 0)
                world_run(w, 3);
        }
    world_run(w, MINUTE);
    expect_all(w, &w->subs[0], SESSIONS, false);
    assert_true(w->subs[0].open_max <= HOOK_ACTIVE_MAX);
    assert_int_equal(webhooks_streams(&w->at[0].hooks), 0); /* all have ended, and were told */
    assert_true(w->at[0].hooks.due_at == 0);                /* and nothing is due */
    size_t told = w->subs[0].count;
    instance_kill(w, 0, 0);
    instance_start(w, 0, false); /* a restart finds nothing to tell */
    world_run(w, HOUR);
    assert_int_equal(w->subs[0].count, told);
    world_destroy(w);
}

/* The hour of the acceptance, with deaths in between. */
static void one_that_was_away_for_an_hour_hears_everything_once(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    struct id hook = hook_add(w, "http://a/", "[]", "{}");
    for (int s = 0; s < SESSIONS; s++)
        events_add(w, 0, s, "message", 1, false);
    world_run(w, 10000);
    expect_all(w, &w->subs[0], SESSIONS, false);
    w->subs[0].way = WAY_DOWN;
    size_t before = w->subs[0].count;
    for (int minute = 0; minute < 60; minute++) {
        for (int s = 0; s < SESSIONS; s++)
            if ((s + minute) % 5 == 0)
                events_add(w, 0, s, "message", 2, minute > 50 && s < SESSIONS / 2);
        if (minute % 13 == 6) { /* it dies, at different points of its work */
            instance_kill(w, 0, (size_t)minute % 4);
            instance_start(w, 0, false);
        }
        world_run(w, MINUTE);
    }
    size_t tries = w->subs[0].count - before;
    assert_true(tries > 8 && tries < 200); /* not one for each event, nor for each session */
    assert_true(w->subs[0].open_max <= HOOK_ACTIVE_MAX);
    assert_true(hook_row(w, hook).failing_since > 0);
    w->subs[0].way = WAY_UP;
    world_run(w, 2 * HOOK_BACKOFF_MAX_MS);
    expect_all(w, &w->subs[0], SESSIONS, false);
    assert_int_equal(hook_row(w, hook).behind, 0);
    assert_int_equal(hook_row(w, hook).failing_since, 0);
    world_destroy(w);
}

/* When the second subscriber got what, with and without a first one that never answers. */
static int64_t *times_beside(bool never, size_t *count, int *open_max, size_t *streams)
{
    struct world *w = world_create();
    instance_start(w, 0, false);
    hook_add(w, "http://b/", "[]", "{}");
    if (never) {
        hook_add(w, "http://never/", "[]", "{}");
        w->subs[1].way = WAY_NEVER;
    }
    for (int round = 0; round < 30; round++) {
        for (int s = 0; s < SESSIONS; s++)
            events_add(w, 0, s, "message", 1, false);
        world_run(w, 20000);
    }
    expect_all(w, &w->subs[0], SESSIONS, false);
    int64_t *times = calloc(w->subs[0].count, sizeof(*times));
    for (size_t i = 0; i < w->subs[0].count; i++)
        times[i] = w->subs[0].got[i].at;
    *count = w->subs[0].count;
    *streams = webhooks_streams(&w->at[0].hooks);
    if (never) {
        *open_max = w->subs[1].open_max;
        assert_int_equal(count_taken(&w->subs[1]), 0);
        assert_true(w->subs[1].open <= 1);
        assert_true(w->subs[1].count < 60);
    }
    world_destroy(w);
    return times;
}

static void one_that_never_answers_costs_nothing_to_others(void **state)
{
    (void)state;
    size_t alone = 0, beside = 0, streams[2];
    int open_max = 0;
    int64_t *a = times_beside(false, &alone, &open_max, &streams[0]);
    int64_t *b = times_beside(true, &beside, &open_max, &streams[1]);
    assert_int_equal(alone, beside);
    assert_memory_equal(a, b, alone * sizeof(*a)); /* not a millisecond later */
    assert_true(open_max <= HOOK_ACTIVE_MAX);
    assert_int_equal(streams[0], SESSIONS);     /* one for each live session: */
    assert_int_equal(streams[1], 2 * SESSIONS); /* what it lacks is not kept here */
    free(a);
    free(b);
}

static void one_session_that_is_refused_does_not_hold_up_others(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    hook_add(w, "http://a/", "[]", "{}");
    events_add(w, 0, 0, "message", 1, false);
    w->subs[0].poison = w->sessions[0];
    for (int round = 0; round < 20; round++) {
        for (int s = 0; s < 10; s++)
            events_add(w, 0, s, "message", 1, false);
        world_run(w, MINUTE);
    }
    size_t refused = 0;
    for (size_t i = 0; i < w->subs[0].count; i++)
        refused += !w->subs[0].got[i].taken;
    assert_true(refused < 30);
    assert_int_equal(count_taken(&w->subs[0]), 9 * 20);
    w->subs[0].poison = (struct id){{0}};
    world_run(w, 2 * HOOK_BACKOFF_MAX_MS);
    expect_all(w, &w->subs[0], 10, false);
    world_destroy(w);
}

static void what_is_wanted_is_told_and_nothing_else(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    hook_add(w, "http://tokens/", "[\"token_stream\"]", "{\"workflow_id\":\"flow\"}");
    hook_add(w, "http://all/", "[\"*\"]", "{\"metadata\":{\"team\":\"red\"}}");
    hook_add(w, "http://other/", "[]", "{\"metadata\":{\"team\":\"blue\"}}");
    events_add(w, 0, 0, "token_stream", 50, false);
    events_add(w, 0, 0, "message", 2, false);
    events_add(w, 0, 0, "token_stream", 50, false);
    world_run(w, HOUR);
    assert_int_equal(count_taken(&w->subs[0]), 100);
    assert_int_equal(count_taken(&w->subs[1]), 2);
    assert_int_equal(w->subs[1].got[0].seq, 51);
    assert_int_equal(w->subs[2].count, 0);
    events_add(w, 0, 0, "message", 1, true);
    world_run(w, HOUR);
    assert_int_equal(count_taken(&w->subs[1]), 3);
    world_destroy(w);
}

static void events_from_before_the_webhook_are_not_told(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    events_add(w, 0, 0, "message", 5, false);
    world_run(w, MINUTE);
    hook_add(w, "http://a/", "[]", "{}");
    world_run(w, MINUTE);
    assert_int_equal(w->subs[0].count, 0);
    events_add(w, 0, 0, "message", 2, false);
    world_run(w, MINUTE);
    assert_int_equal(w->subs[0].count, 2);
    assert_int_equal(w->subs[0].got[0].seq, 6);
    world_destroy(w);
}

static void after_three_days_it_is_disabled(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    struct id hook = hook_add(w, "http://a/", "[]", "{}");
    w->subs[0].way = WAY_DOWN;
    events_add(w, 0, 0, "message", 3, false);
    world_run(w, HOOK_AGE_MAX_MS - HOUR);
    assert_true(hook_row(w, hook).enabled);
    size_t tries = w->subs[0].count;
    assert_true(tries < 1200);
    world_run(w, 2 * HOUR);
    assert_false(hook_row(w, hook).enabled);
    assert_int_equal(w->at[0].hooks.active, 0);
    tries = w->subs[0].count;
    world_run(w, 24 * HOUR);
    assert_int_equal(w->subs[0].count, tries);
    assert_true(w->at[0].hooks.due_at == 0);

    struct hook_row row = hook_row(w, hook); /* enabled again, it goes on where it was */
    struct store_hook_put p;
    struct buf sealed;
    char id[ID_TEXT_BYTES + 1];
    memset(&p, 0, sizeof(p));
    store_req_init(&p.req, STORE_HOOK_PUT, req_done, NULL);
    buf_init(&sealed, 1024);
    id_format(hook, id);
    seal_close(&w->key, STR("a secret of sixteen"), str_of(id), &sealed);
    p.row = row;
    p.row.workspace = STR("default");
    p.row.name = STR_NULL;
    p.row.url = STR("http://a/");
    p.row.events_json = STR("[]");
    p.row.filter_json = STR("{}");
    p.row.secret = buf_str(&sealed);
    p.row.disabled_reason = STR_NULL;
    p.row.enabled = true;
    p.now_ms = w->now;
    store_ask(w, &p.req, 0);
    store_req_deinit(&p.req);
    buf_deinit(&sealed);
    w->subs[0].way = WAY_UP;
    events_add(w, 0, 0, "message", 1, true);
    webhooks_reload(&w->at[0].hooks);
    world_run(w, HOUR);
    expect_all(w, &w->subs[0], 1, false);
    world_destroy(w);
}

static void one_that_is_gone_is_disabled_at_once(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    struct id hook = hook_add(w, "http://a/", "[]", "{}");
    w->subs[0].way = WAY_GONE;
    events_add(w, 0, 0, "message", 3, false);
    world_run(w, MINUTE);
    assert_false(hook_row(w, hook).enabled);
    assert_int_equal(w->subs[0].count, 1);
    world_destroy(w);
}

static void sessions_that_are_deleted_or_folded_are_no_trouble(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, false);
    struct id hook = hook_add(w, "http://a/", "[\"*\",\"token_stream\"]", "{}");
    w->subs[0].way = WAY_DOWN;
    for (int s = 0; s < 2; s++) {
        events_add(w, 0, s, "message", 1, false);
        events_add(w, 0, s, "token_stream", 20, false);
        events_add(w, 0, s, "message", 2, true);
    }
    world_run(w, MINUTE);
    struct store_session_delete d;
    memset(&d, 0, sizeof(d));
    store_req_init(&d.req, STORE_SESSION_DELETE, req_done, NULL);
    d.workspace = STR("default");
    d.id = w->sessions[0];
    store_ask(w, &d.req, 0);
    store_req_deinit(&d.req);
    struct store_retention r;
    memset(&r, 0, sizeof(r));
    store_req_init(&r.req, STORE_RETENTION, req_done, NULL);
    r.fold_before = w->now;
    r.limit = 10;
    store_ask(w, &r.req, 0);
    assert_int_equal(r.folded, 1);
    store_req_deinit(&r.req);
    w->subs[0].way = WAY_UP;
    world_run(w, HOUR);
    assert_int_equal(count_taken(&w->subs[0]), 3); /* of the second; its tokens were taken out */
    assert_int_equal(hook_row(w, hook).behind, 0);
    assert_int_equal(webhooks_streams(&w->at[0].hooks), 0);
    world_destroy(w);
}

static void a_session_is_told_again_from_a_point(void **state)
{
    (void)state;
    struct world *w = world_create();
    struct store_hook_claim c;
    instance_start(w, 0, false);
    struct id hook = hook_add(w, "http://a/", "[]", "{}");
    events_add(w, 0, 0, "message", 6, true);
    world_run(w, MINUTE);
    assert_int_equal(w->subs[0].count, 6);
    struct id fourth = w->subs[0].got[3].delivery;
    webhooks_rewind(&w->at[0].hooks, hook, w->sessions[0], 3);
    memset(&c, 0, sizeof(c));
    store_req_init(&c.req, STORE_HOOK_CLAIM, req_done, NULL);
    c.hook = hook;
    c.session_id = w->sessions[0];
    c.instance = w->at[0].id;
    c.seq = 3;
    c.rewind = true;
    store_ask(w, &c.req, 0);
    store_req_deinit(&c.req);
    webhooks_rewound(&w->at[0].hooks, hook, w->sessions[0], 3);
    world_run(w, MINUTE);
    assert_int_equal(w->subs[0].count, 9);
    assert_int_equal(w->subs[0].got[6].seq, 4);
    assert_true(id_eq(w->subs[0].got[6].delivery, fourth));
    world_destroy(w);
}

/* Of two instances one dies in the middle; who is left goes on. */
static void another_instance_goes_on(void **state)
{
    (void)state;
    for (size_t reached = 0; reached < 5; reached++) {
        struct world *w = world_create();
        instance_start(w, 0, true);
        instance_start(w, 1, true);
        hook_add(w, "http://a/", "[]", "{}");
        for (int s = 0; s < 10; s++)
            events_add(w, s % 2, s, "message", 5, false);
        world_run(w, 12);
        assert_true(w->subs[0].count > 0 && w->subs[0].count < 50);
        events_add(w, 0, 0, "message", 3, true);
        instance_kill(w, 0, reached);
        webhooks_rescan(&w->at[1].hooks, 1);
        for (int s = 2; s < 10; s++)
            events_add(w, 1, s, "message", 1, true);
        world_run(w, MINUTE);
        expect_all(w, &w->subs[0], 10, true);
        world_destroy(w);
    }
}

/* A session moves from one to the other while what it said there is not delivered. */
static void one_at_a_time_delivers_a_session(void **state)
{
    (void)state;
    struct world *w = world_create();
    instance_start(w, 0, true);
    instance_start(w, 1, true);
    hook_add(w, "http://a/", "[]", "{}");
    w->subs[0].way = WAY_DOWN;
    events_add(w, 0, 0, "message", 2, false);
    world_run(w, 10000);
    webhooks_left(&w->at[0].hooks, w->sessions[0]);
    events_add(w, 1, 0, "message", 2, false);
    world_run(w, MINUTE);
    w->subs[0].way = WAY_UP;
    world_run(w, HOUR);
    expect_all(w, &w->subs[0], 1, false);
    events_add(w, 1, 0, "message", 2, true);
    world_run(w, HOUR);
    expect_all(w, &w->subs[0], 1, false);
    world_destroy(w);
}

static void the_store_may_fail(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < 60; nth++) {
        struct world *w = world_create();
        instance_start(w, 0, nth % 2);
        hook_add(w, "http://a/", "[]", "{}");
        for (int s = 0; s < 4; s++)
            events_add(w, 0, s, "message", 3, s == 3);
        mem_store_fail(w->store, (enum mem_fault)(nth % 3), nth / 3 + 1, 1 + nth % 4, ERR_IO);
        world_run(w, HOUR);
        mem_store_fail(w->store, (enum mem_fault)(nth % 3), 1, 0, 0);
        events_add(w, 0, 0, "message", 3, true);
        world_run(w, HOUR);
        expect_all(w, &w->subs[0], 4, true);
        world_destroy(w);
    }
}

static void secrets_are_sealed(void **state)
{
    (void)state;
    struct seal_key key, other;
    struct errbuf e = {""};
    struct buf sealed, open;
    buf_init(&sealed, 1024);
    buf_init(&open, 1024);
    assert_int_equal(seal_key_of_text(&key, STR("short"), &e), ERR_INVALID);
    assert_int_equal(seal_key_of_text(&key, STR("a key that is long enough"), &e), 0);
    assert_int_equal(seal_key_of_text(&other, STR("another, that is long enough"), &e), 0);
    seal_close(&key, STR("hush"), STR("id"), &sealed);
    assert_null(strstr(sealed.data, "hush"));
    assert_int_equal(seal_open(&key, buf_str(&sealed), STR("id"), &open, &e), 0);
    assert_true(str_eqz(buf_str(&open), "hush"));
    assert_int_equal(seal_open(&key, buf_str(&sealed), STR("ix"), &open, &e), ERR_CORRUPT);
    assert_int_equal(seal_open(&other, buf_str(&sealed), STR("id"), &open, &e), ERR_CORRUPT);
    assert_int_equal(seal_open(&key, STR("v1."), STR("id"), &open, &e), ERR_CORRUPT);
    assert_int_equal(seal_open(&key, STR(""), STR("id"), &open, &e), ERR_CORRUPT);
    for (size_t i = 3; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        assert_int_equal(seal_open(&key, buf_str(&sealed), STR("id"), &open, &e), ERR_CORRUPT);
        sealed.data[i] ^= 1;
    }
    assert_true(str_eqz(buf_str(&open), "hush"));
    buf_deinit(&sealed);
    buf_deinit(&open);
}

static void rules_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *events, *filter;
        int code;
    } rows[] = {
        {"[]", "{}", 0},
        {"[\"message\",\"*\"]", "{\"status\":[\"completed\",\"failed\"]}", 0},
        {"[\"message\"]", "{\"workflow_id\":\"w\",\"group_id\":null,\"metadata\":{\"a\":1}}", 0},
        {"\"message\"", "{}", ERR_INVALID},
        {"[1]", "{}", ERR_INVALID},
        {"[\"a b\"]", "{}", ERR_INVALID},
        {"[]", "[]", ERR_INVALID},
        {"[]", "{\"colour\":\"red\"}", ERR_INVALID},
        {"[]", "{\"status\":7}", ERR_INVALID},
        {"[]", "{\"status\":[7]}", ERR_INVALID},
        {"[]", "{\"metadata\":[]}", ERR_INVALID},
        {"[]", "{\"session_id\":\"x\"}", ERR_INVALID},
    };
    static const struct {
        const char *url;
        int code;
    } urls[] = {{"http://a/", 0},
                {"https://a.test:8080/b?c=d", 0},
                {"ftp://a/", ERR_INVALID},
                {"http:///x", ERR_INVALID},
                {"http://", ERR_INVALID},
                {"http://u:p@h/", ERR_INVALID},
                {"http://h/ x", ERR_INVALID},
                {"http://h/\xc3\xbc", ERR_INVALID}};
    struct errbuf e;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(webhook_rules_check(json_root(str_of(rows[i].events)),
                                             json_root(str_of(rows[i].filter)), &e),
                         rows[i].code);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_int_equal(webhook_url_check(str_of(urls[i].url), &e), urls[i].code);
    struct webhook_rules r = {json_root(STR("[]")), json_root(STR("{\"status\":\"failed\"}"))};
    assert_true(webhook_wants_event(&r, STR("{\"type\":\"message\"}")));
    assert_false(webhook_wants_event(&r, STR("{\"type\":\"token_stream\"}")));
    assert_true(webhook_wants_event(
        &r, STR("{\"type\":\"session_state_change\",\"data\":{\"to\":\"failed\"}}")));
    assert_false(webhook_wants_event(
        &r, STR("{\"type\":\"session_state_change\",\"data\":{\"to\":\"paused\"}}")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_told_in_order_and_once),
        cmocka_unit_test(one_that_was_away_for_an_hour_hears_everything_once),
        cmocka_unit_test(one_that_never_answers_costs_nothing_to_others),
        cmocka_unit_test(one_session_that_is_refused_does_not_hold_up_others),
        cmocka_unit_test(what_is_wanted_is_told_and_nothing_else),
        cmocka_unit_test(events_from_before_the_webhook_are_not_told),
        cmocka_unit_test(after_three_days_it_is_disabled),
        cmocka_unit_test(one_that_is_gone_is_disabled_at_once),
        cmocka_unit_test(sessions_that_are_deleted_or_folded_are_no_trouble),
        cmocka_unit_test(a_session_is_told_again_from_a_point),
        cmocka_unit_test(another_instance_goes_on),
        cmocka_unit_test(one_at_a_time_delivers_a_session),
        cmocka_unit_test(the_store_may_fail),
        cmocka_unit_test(secrets_are_sealed),
        cmocka_unit_test(rules_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
