/* Several instances in one process, over one store and one cache in memory.
 *
 * Each has a loop of its own, which is turned or not: an instance whose loop is not turned and
 * whose store does not answer is a stopped process (SIGSTOP); one that is never turned again has
 * died. The store is on a loop of its own, the caches meet on a hub. What a stopped instance had
 * written before still reaches the store; the reports, and the messages to it, wait until it goes
 * on.
 */
#ifndef SLUICE_TESTS_CLUSTER_RIG_H
#define SLUICE_TESTS_CLUSTER_RIG_H

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "cache/cache.h"
#include "cache/mem_cache.h"
#include "store/mem_store.h"

#define RIG_MAX     3
#define RIG_PATIENT 20000 /* turns */

/* One instance's way to the store. */
struct door {
    struct store base;
    struct store *inner;
    bool shut;
    struct list reports; /* struct passing: done, but not told */
    struct store_vtable v;
};

struct passing {
    struct list link;
    struct door *door;
    struct store_req *req;
    void (*done)(struct store_req *req);
    void *data;
};

struct rig {
    uv_loop_t hub;
    struct store *store;
    struct mem_hub *net;
    bool cached_leases;
    struct cache_vtable cache_v[RIG_MAX];
    struct door doors[RIG_MAX];
    struct app *apps[RIG_MAX];
    bool stopped[RIG_MAX];
    unsigned count;
};

static void passing_tell(struct passing *p)
{
    struct store_req *req = p->req;
    req->done = p->done;
    req->data = p->data;
    free(p);
    req->done(req);
}

static void passing_done(struct store_req *req)
{
    struct passing *p = req->data;
    if (p->door->shut)
        list_append(&p->door->reports, &p->link);
    else
        passing_tell(p);
}

static void door_submit(struct store *s, struct store_req *req)
{
    struct door *d = (struct door *)s;
    struct passing *p = calloc(1, sizeof(*p));
    p->door = d;
    p->req = req;
    p->done = req->done;
    p->data = req->data;
    list_init(&p->link);
    req->done = passing_done;
    req->data = p;
    d->inner->v->submit(d->inner, req);
}

static void door_stats(struct store *s, struct store_stats *out)
{
    struct door *d = (struct door *)s;
    d->inner->v->stats(d->inner, out);
}

static const struct cache_vtable *rig_cache_was;

/* Messages are lost while this is set. */
static bool rig_mute;
static int rig_publish(struct cache *c, struct str channel, struct str payload)
{
    return rig_mute ? ERR_UNAVAILABLE : rig_cache_was->publish(c, channel, payload);
}

static void rig_closed(void *data)
{
    *(bool *)data = true;
}

static void rig_ready(struct app *a)
{
    (void)a;
}

static void rig_registered(struct app *a)
{
    recovery_start(&a->recovery, rig_ready);
}

static struct app *rig_app_open(struct rig *r, unsigned i)
{
    struct app *a = calloc(1, sizeof(*a));
    struct llm_provider demo = {.id = "demo", .dialect = LLM_DEMO, .default_model = "demo"};
    struct errbuf e;
    struct door *d = &r->doors[i];
    app_init(a);
    id_source_init_seed(&a->ids, 1000 + i);
    memset(d, 0, sizeof(*d));
    d->v = *r->store->v;
    d->v.shared = true;
    d->v.submit = door_submit;
    d->v.stats = door_stats;
    d->base.v = &d->v;
    d->inner = r->store;
    list_init(&d->reports);
    a->store = &d->base;
    assert_int_equal(mem_cache_open_on(&a->cache, &a->loop, r->net), 0);
    rig_cache_was = a->cache->v;
    r->cache_v[i] = *rig_cache_was;
    r->cache_v[i].values_shared = r->cached_leases;
    r->cache_v[i].publish = rig_publish;
    a->cache->v = &r->cache_v[i];
    remote_start(&a->remote);
    assert_int_equal(llm_create(&a->llm, &a->loop, &demo, 1, &e), 0);
    assert_int_equal(worker_pool_create(&a->workers, &a->loop, 1, 4), 0);
    /* A death costs a test that much; who is alive must not miss it on a machine that is busy. */
    a->instances.tick_ms = 20;
    a->instances.lease_ms = 600;
    a->instances.row_ms = 100;
    a->instances.silent_ms = 1200;
    a->inbox.look_ms = 5;
    r->apps[i] = a;
    r->stopped[i] = false;
    instances_start(&a->instances, "http://test", rig_registered);
    return a;
}

static void rig_turn(struct rig *r)
{
    uv_run(&r->hub, UV_RUN_NOWAIT);
    for (unsigned i = 0; i < r->count; i++)
        if (r->apps[i] && !r->stopped[i])
            uv_run(&r->apps[i]->loop, UV_RUN_NOWAIT);
}

#define rig_until(r, condition)                                                                    \
    do {                                                                                           \
        uint64_t rig_end = clock_mono_ns() + 20ull * 1000000000;                                   \
        while (!(condition) && clock_mono_ns() < rig_end)                                          \
            rig_turn(r);                                                                           \
        assert_true(condition);                                                                    \
    } while (0)

static void rig_open(struct rig *r, unsigned count, bool cached_leases)
{
    memset(r, 0, sizeof(*r));
    uv_loop_init(&r->hub);
    assert_int_equal(mem_store_open(&r->store, &r->hub), 0);
    rig_mute = false;
    r->net = mem_hub_create();
    r->cached_leases = cached_leases;
    r->count = count;
    for (unsigned i = 0; i < count; i++)
        rig_app_open(r, i);
    for (unsigned i = 0; i < count; i++)
        rig_until(r,
                  !r->apps[i]->instances.joining && r->apps[i]->instances.peer_count == count - 1);
}

/* SIGSTOP: nothing of it runs, and nobody tells it anything. */
static void rig_stop(struct rig *r, unsigned i)
{
    r->stopped[i] = true;
    r->doors[i].shut = true;
}

static void rig_continue(struct rig *r, unsigned i)
{
    struct list *it;
    r->stopped[i] = false;
    r->doors[i].shut = false;
    while ((it = list_pop(&r->doors[i].reports)) != NULL)
        passing_tell(container_of(it, struct passing, link));
}

static void rig_app_close(struct rig *r, unsigned i)
{
    struct app *a = r->apps[i];
    bool closed[3] = {false, false, false};
    if (!a)
        return;
    if (r->stopped[i])
        rig_continue(r, i);
    a->stopping = true;
    inbox_stop(&a->inbox);
    for (int n = 0; n < 50; n++)
        rig_turn(r); /* what is under way ends */
    app_drop_sessions(a);
    app_close_handles(a);
    worker_pool_close(a->workers, rig_closed, &closed[0]);
    llm_close(a->llm, rig_closed, &closed[1]);
    cache_close(a->cache, rig_closed, &closed[2]);
    for (int n = 0; n < 50; n++)
        rig_turn(r);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    assert_true(closed[0] && closed[1] && closed[2]);
    app_deinit(a);
    free(a);
    r->apps[i] = NULL;
}

static void rig_close(struct rig *r)
{
    bool closed = false;
    for (unsigned i = 0; i < r->count; i++)
        rig_app_close(r, i);
    store_close(r->store, rig_closed, &closed);
    uv_run(&r->hub, UV_RUN_DEFAULT);
    assert_true(closed);
    mem_hub_destroy(r->net);
    assert_int_equal(uv_loop_close(&r->hub), 0);
}

/* ---- asking ---- */

struct asked {
    struct svc_req req;
    unsigned answers;
};

static void asked_answered(struct svc_req *req)
{
    struct asked *q = req->data;
    q->answers++;
}

static void ask_init(struct asked *q, enum svc_op op)
{
    svc_req_init(&q->req, op);
    q->answers = 0;
    q->req.done = asked_answered;
    q->req.data = q;
}

static inline struct id rig_execute(struct rig *r, unsigned i, const char *graph)
{
    struct asked q;
    struct id id;
    ask_init(&q, SVC_EXECUTE);
    q.req.execute.graph_json = str_of(graph);
    q.req.execute.input_json = STR("{}");
    service_submit(&r->apps[i]->service, &q.req);
    rig_until(r, q.answers);
    assert_int_equal(q.req.status, 0);
    struct json v = json_get(json_root(buf_str(&q.req.body)), "session_id");
    assert_true(id_parse((struct str){v.p + 1, v.n - 2}, &id));
    svc_req_deinit(&q.req);
    return id;
}

static void ask_key(struct asked *q, const char *key)
{
    q->req.idempotency_key = str_of(arena_strdup(&q->req.arena, str_of(key)));
    q->req.body_hash[0] = 7;
}

static inline void ask_signal(struct asked *q, struct app *a, struct id session,
                              const char *payload, const char *key)
{
    ask_init(q, SVC_SIGNAL);
    q->req.session_id = session;
    q->req.signal.name = STR("s");
    char *kept = arena_strdup(&q->req.arena, str_of(payload));
    q->req.signal.payload_json = str_of(kept);
    if (key)
        ask_key(q, key);
    service_submit(&a->service, &q->req);
}

static inline void ask_pause(struct asked *q, struct app *a, struct id session, const char *key)
{
    ask_init(q, SVC_PAUSE);
    q->req.session_id = session;
    ask_key(q, key);
    service_submit(&a->service, &q->req);
}

static inline void ask_answer(struct asked *q, struct app *a, struct id session, const char *node)
{
    ask_init(q, SVC_NODE_RESUME);
    q->req.session_id = session;
    q->req.answer.node_id = str_of(node);
    q->req.answer.action = STR("approve");
    service_submit(&a->service, &q->req);
}

/* How many events of the session have this text in them; -1 when their seqs have a gap. */
struct counted {
    struct store_events_read read;
    bool done;
};
static void counted_read(struct store_req *req)
{
    container_of(req, struct counted, read.req)->done = true;
}
static inline int rig_count_events(struct rig *r, struct id session, const char *text)
{
    struct counted c = {.done = false};
    int n = 0;
    int64_t want = 1;
    store_req_init(&c.read.req, STORE_EVENTS_READ, counted_read, NULL);
    c.read.session_id = session;
    c.read.limit = 1000000;
    c.read.bytes_max = 1u << 30;
    store_submit(r->store, &c.read.req);
    rig_until(r, c.done);
    for (struct event_row *row = c.read.rows; row; row = row->next) {
        assert_int_equal(row->seq_first, want);
        want = row->seq_last + 1;
        const char *at = row->frames.p, *end = at + row->frames.n;
        while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
            n++;
            at++;
        }
    }
    store_req_deinit(&c.read.req);
    return n;
}

#endif
