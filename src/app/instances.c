#include "app/instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"

#define MISSES_MAX     2            /* looks without a cached lease, then it counts as over */
#define LEASE_ALONE_MS 315360000000 /* ten years: nobody judges it where nobody else can be */
#define LEASE_REST_MS  (-1)         /* over before it was written: the mark of one that rests */
#define REST_TICKS     2            /* ticks from one look at the messages to the next, at rest */

/* Another instance, as its row and its lease were last seen. */
struct peer {
    struct list link;
    struct instances *in;
    struct id id;
    char name[INSTANCE_NAME_MAX];
    bool listed, leaving;
    bool row_held; /* its row's lease, by the store's clock */
    bool row_mode; /* it renews its row although leases are cached: it cannot reach the cache */
    bool rests;    /* its row says so */
    int64_t rests_since; /* that was seen first, monotonic ms */
    int64_t woken_at;    /* it was told that it is not alone; 0: no message of ours goes out */
    int64_t silent_ms;
    int misses; /* looks in a row that found no lease in the cache */
    bool asked_once, asking, removing, gone, cache_failed;
    struct cache_req get;
    struct store_instance_remove remove;
};

static int64_t mono_ms(void)
{
    return (int64_t)(clock_mono_ns() / 1000000);
}

static bool in_cache(const struct instances *in)
{
    return in->app->cache && in->app->cache->v->values_shared;
}

static bool messages_work(const struct instances *in)
{
    struct cache_stats st = {0};
    if (!in->app->cache || !in->app->cache->v->shared)
        return false;
    cache_stats(in->app->cache, &st);
    return st.up;
}

static void instances_tick(uv_timer_t *t);
static void instances_look_again(uv_timer_t *t);
static void instances_list(struct instances *in);
static void instances_put(struct instances *in);
static void instances_lease(struct instances *in);
static void instances_wake(struct instances *in);

/* ---- messages ---- */

void instances_nudge(struct instances *in, struct id instance, char kind, struct id id)
{
    char channel[ID_TEXT_BYTES + 8] = "n:", payload[ID_TEXT_BYTES + 2] = {kind};
    if (!in->listening)
        return;
    id_format(instance, channel + 2);
    id_format(id, payload + 1);
    cache_publish(in->app->cache, str_of(channel), str_of(payload));
}

void instances_nudge_all(struct instances *in, char kind)
{
    char payload[ID_TEXT_BYTES + 2] = {kind};
    if (!in->listening)
        return;
    id_format(in->self, payload + 1);
    cache_publish(in->app->cache, STR("nudge"), str_of(payload));
}

void instances_tell_workflow(struct instances *in, struct str workspace, struct str id)
{
    char self[ID_TEXT_BYTES + 1];
    struct buf text;
    if (!in->listening)
        return;
    buf_init(&text, CACHE_NOTIFY_BYTES);
    id_format(in->self, self);
    buf_printf(&text, "%s %.*s %.*s", self, STR_FMT(workspace), STR_FMT(id));
    if (!buf_error(&text))
        cache_publish(in->app->cache, STR("workflow"), buf_str(&text));
    buf_deinit(&text);
}

void instances_tell_keys(struct instances *in)
{
    char self[ID_TEXT_BYTES + 1];
    if (!in->listening)
        return;
    id_format(in->self, self);
    cache_publish(in->app->cache, STR("keys"), str_of(self));
}

/* Of an id there are no blanks; of a workspace there may be. */
static void instances_heard_workflow(struct instances *in, struct str payload)
{
    struct id from;
    const char *end = payload.p + payload.n, *blank;
    if (payload.n < ID_TEXT_BYTES + 2 || !id_parse((struct str){payload.p, ID_TEXT_BYTES}, &from) ||
        id_eq(from, in->self))
        return;
    const char *workspace = payload.p + ID_TEXT_BYTES + 1;
    blank = memrchr(workspace, ' ', (size_t)(end - workspace));
    if (blank)
        plans_doubt(&in->app->plans, (struct str){workspace, (size_t)(blank - workspace)},
                    (struct str){blank + 1, (size_t)(end - blank - 1)});
}

static void instances_heard(struct cache_listener *l, struct str channel, struct str payload)
{
    struct instances *in = container_of(l, struct instances, listener);
    struct id id;
    if (str_eq(channel, STR("workflow"))) {
        instances_heard_workflow(in, payload);
        return;
    }
    if (str_eq(channel, STR("keys"))) {
        if (!id_parse(payload, &id) || !id_eq(id, in->self))
            keys_reread(&in->app->keys);
        return;
    }
    if (payload.n != ID_TEXT_BYTES + 1 ||
        !id_parse((struct str){payload.p + 1, ID_TEXT_BYTES}, &id) || in->was_left)
        return;
    if (str_eq(channel, STR("nudge"))) {
        if (id_eq(id, in->self)) {
            in->heard_self = true;
            return;
        }
        instances_wake(in);
        instances_list(in);
        if (payload.p[0] == 's')
            recovery_rescan(&in->app->recovery);
        else if (payload.p[0] == 'h')
            webhooks_reload(&in->app->webhooks);
    } else if (str_eqz(channel, in->channel)) {
        if (payload.p[0] == 'c')
            inbox_look(in->app, id);
        else if (payload.p[0] == 'a')
            inbox_answered(in->app, id);
    }
}

/* What was said while the connection was away is found by looking. */
static void instances_missed(struct cache_listener *l)
{
    struct instances *in = container_of(l, struct instances, listener);
    in->heard_self = false;
    if (in->joining || in->was_left)
        return;
    instances_wake(in);
    instances_nudge_all(in, 'i'); /* which is heard here, too, if messages come again */
    instances_list(in);
    recovery_rescan(&in->app->recovery);
    keys_reread(&in->app->keys);
}

static void instances_listen(struct instances *in)
{
    struct cache *c = in->app->cache;
    char id[ID_TEXT_BYTES + 1];
    if (!c)
        return;
    if (!in->listening) {
        in->listening = true;
        in->listener.message = instances_heard;
        in->listener.missed = instances_missed;
        cache_add_listener(c, &in->listener);
        cache_listen(c, STR("nudge"));
        cache_listen(c, STR("workflow"));
        cache_listen(c, STR("keys"));
    } else {
        cache_unlisten(c, str_of(in->channel));
    }
    id_format(in->self, id);
    snprintf(in->channel, sizeof(in->channel), "n:%s", id);
    cache_listen(c, str_of(in->channel));
}

/* ---- the others ---- */

static struct peer *peer_find(const struct instances *in, struct id id)
{
    list_foreach(it, &in->peers)
    {
        struct peer *p = container_of(it, struct peer, link);
        if (id_eq(p->id, id))
            return p;
    }
    return NULL;
}

static void peer_maybe_free(struct peer *p)
{
    if (p->gone && !p->asking && !p->removing)
        free(p);
}

/* Its sessions are free now, or soon will be. */
static void peer_drop(struct peer *p, const char *why)
{
    struct instances *in = p->in;
    log_info("instances", "%s %s", p->name, why);
    list_remove(&p->link);
    in->peer_count--;
    p->gone = true;
    recovery_rescan(&in->app->recovery);
    memory_start(&in->app->memory);
}

static void peer_removed(struct store_req *r)
{
    struct peer *p = r->data;
    struct instances *in = p->in;
    int status = r->status;
    p->removing = false;
    store_req_deinit(r);
    if (!p->gone && (status == 0 || status == ERR_NOT_FOUND)) {
        in->deaths++;
        peer_drop(p, "has died: its sessions are taken over");
        instances_nudge_all(in, 's');
    } else if (status == ERR_CONFLICT) {
        p->misses = 0; /* it lives, or came back */
    }
    peer_maybe_free(p);
}

static void peer_remove(struct peer *p)
{
    if (p->removing || p->in->app->stopping)
        return;
    memset(&p->remove, 0, sizeof(p->remove));
    store_req_init(&p->remove.req, STORE_INSTANCE_REMOVE, peer_removed, p);
    p->remove.id = p->id;
    p->remove.expired_only = true;
    p->removing = true;
    store_submit(p->in->app->store, &p->remove.req);
}

/* One that rested was told that it is not alone any more, and has a lease's time to say that it
 * lives. Where no message goes out it is its silence that counts. */
static bool peer_may_answer(const struct peer *p)
{
    const struct instances *in = p->in;
    return p->rests && mono_ms() - p->rests_since < in->silent_ms &&
           (!p->woken_at || mono_ms() - p->woken_at < in->lease_ms);
}

static void peer_see_rest(struct peer *p, bool rests)
{
    struct instances *in = p->in;
    if (rests && !p->rests) {
        p->rests_since = mono_ms();
        p->woken_at = 0;
    }
    p->rests = rests;
    if (!rests || p->woken_at)
        return;
    instances_nudge_all(in, 'i');
    if (in->heard_self && messages_work(in))
        p->woken_at = mono_ms();
}

/* By its row as it was just read, and by what the last looks into the cache said. */
static void peer_judge(struct peer *p)
{
    struct instances *in = p->in;
    bool over;
    if (p->row_held || mono_ms() - in->ticked_at > 2 * in->tick_ms || mono_ms() < in->judges_at)
        return; /* or we were stopped ourselves, and know only what was true then */
    if (peer_may_answer(p))
        over = false;
    else if (!in_cache(in))
        over = true;
    else if (p->cache_failed) /* the cache may be away for us alone: rows it writes always tell */
        over = p->row_mode || p->silent_ms >= in->silent_ms;
    else
        over = p->misses >= MISSES_MAX;
    if (over)
        peer_remove(p);
}

static void peer_looked(struct cache_req *get)
{
    struct peer *p = get->data;
    struct instances *in = p->in;
    p->asking = false;
    p->cache_failed = get->status != 0 && get->status != ERR_NOT_FOUND;
    p->asked_once = p->asked_once || !p->cache_failed;
    if (get->status == 0) {
        p->misses = 0;
        p->row_mode = false;
    } else if (get->status == ERR_NOT_FOUND && !p->gone) {
        p->misses++;
        if (p->misses >= MISSES_MAX)
            instances_list(in); /* what its row says decides */
        else if (!uv_is_closing((uv_handle_t *)&in->look_again))
            uv_timer_start(&in->look_again, instances_look_again, (uint64_t)in->tick_ms / 2, 0);
    }
    cache_req_deinit(get);
    peer_maybe_free(p);
}

static void peer_look(struct peer *p)
{
    char key[ID_TEXT_BYTES + 8] = "lease:";
    if (p->asking || p->gone)
        return;
    id_format(p->id, key + 6);
    cache_req_init(&p->get, CACHE_GET, peer_looked, p);
    p->get.key = str_of(key);
    p->asking = true;
    cache_submit(p->in->app->cache, &p->get);
}

static void instances_look(struct instances *in)
{
    if (in_cache(in))
        list_foreach_safe(it, next, &in->peers) peer_look(container_of(it, struct peer, link));
}

static void instances_look_again(uv_timer_t *t)
{
    instances_look(t->data);
}

/* ---- the list ---- */

static void peer_update(struct instances *in, const struct instance_row *row, int64_t now)
{
    struct peer *p = peer_find(in, row->id);
    if (!p) {
        p = mem_zalloc(sizeof(*p));
        p->in = in;
        p->id = row->id;
        list_append(&in->peers, &p->link);
        in->peer_count++;
        snprintf(p->name, sizeof(p->name), "%.*s", STR_FMT(row->name.p ? row->name : STR("?")));
        if (in_cache(in))
            peer_look(p);
    }
    p->listed = true;
    p->row_held = row->lease_until > now;
    peer_see_rest(p, row->lease_until < row->seen_at);
    p->silent_ms = now - row->seen_at;
    p->row_mode = p->cache_failed && (p->row_mode || p->row_held);
    if (row->leaving && !p->leaving)
        recovery_rescan(&in->app->recovery);
    p->leaving = row->leaving;
}

static void instances_read(struct instances *in)
{
    bool found_self = false;
    if (!list_empty(&in->peers))
        in->company_at = mono_ms();
    list_foreach(it, &in->peers) container_of(it, struct peer, link)->listed = false;
    for (struct instance_row *row = in->list.rows; row; row = row->next) {
        if (id_eq(row->id, in->self))
            found_self = true;
        else
            peer_update(in, row, in->list.now);
    }
    if (!list_empty(&in->peers))
        instances_wake(in);
    list_foreach_safe(it, next, &in->peers)
    {
        struct peer *p = container_of(it, struct peer, link);
        if (!p->listed) {
            peer_drop(p, "is gone");
            peer_maybe_free(p);
        } else {
            peer_judge(p);
        }
    }
    if (!found_self && !in->joining && !in->putting && !in->was_left)
        instances_put(in); /* which tells whether it is so */
}

static void instances_ready(struct instances *in)
{
    void (*ready)(struct app *) = in->ready;
    in->ready = NULL;
    if (ready)
        ready(in->app);
}

static void instances_listed(struct store_req *r)
{
    struct instances *in = r->data;
    in->listing = false;
    if (r->status)
        log_debug("instances", "the instances could not be read: %s", r->error.text);
    else if (!in->was_left)
        instances_read(in);
    store_req_deinit(r);
    if (in->list_again && !in->was_left) {
        in->list_again = false;
        instances_list(in);
    }
    instances_ready(in);
}

static void instances_list(struct instances *in)
{
    if (!in->shared || in->joining)
        return;
    if (in->listing) {
        in->list_again = true;
        return;
    }
    memset(&in->list, 0, sizeof(in->list));
    store_req_init(&in->list.req, STORE_INSTANCE_LIST, instances_listed, in);
    in->listing = true;
    in->list_at = mono_ms();
    store_submit(in->app->store, &in->list.req);
}

/* ---- own row ---- */

/* Others hold us for dead. Whatever was not durable by now is not ours to write. */
static void instances_lost(struct instances *in)
{
    char old[ID_TEXT_BYTES + 1], new[ID_TEXT_BYTES + 1];
    id_format(in->self, old);
    in->self = id_new(&in->app->ids, (uint64_t)clock_wall_ms());
    id_format(in->self, new);
    log_warn("instances",
             "this instance (%s) was held for dead; it drops its sessions and joins "
             "again as %s",
             old, new);
    in->joining = true;
    in->lease_taken = false;
    instances_wake(in);
    instances_listen(in);
    live_lose_all(in->app);
    instances_put(in);
}

static void instances_joined(struct instances *in)
{
    bool again = in->ready == NULL;
    in->joining = false;
    if (!in->shared) {
        instances_ready(in);
        return;
    }
    if (in_cache(in))
        instances_lease(in); /* before anybody looks */
    instances_nudge_all(in, 'i');
    uv_timer_start(&in->tick, instances_tick, (uint64_t)in->tick_ms, (uint64_t)in->tick_ms);
    instances_list(in);
    if (again)
        recovery_rescan(&in->app->recovery);
}

static void instances_was_put(struct store_req *r)
{
    struct instances *in = r->data;
    int status = r->status;
    bool joining = in->joining;
    in->putting = false;
    if (status == 0)
        in->row_at = mono_ms();
    else if (joining)
        log_warn("instances", "this instance could not be registered: %s", r->error.text);
    store_req_deinit(r);
    if (in->was_left)
        return;
    if (status)
        instances_wake(in);
    if (status == 0 && joining)
        instances_joined(in);
    else if (status == ERR_NOT_FOUND && !in->app->stopping)
        instances_lost(in);
    else if (joining) /* the tick tries again */
        uv_timer_start(&in->tick, instances_tick, (uint64_t)in->tick_ms / 2, (uint64_t)in->tick_ms);
    if (in->put_again && !in->putting)
        instances_put(in);
}

static void instances_put(struct instances *in)
{
    if (in->putting) {
        in->put_again = true;
        return;
    }
    in->put_again = false;
    memset(&in->put, 0, sizeof(in->put));
    store_req_init(&in->put.req, STORE_INSTANCE_PUT, instances_was_put, in);
    in->put.row.id = in->self;
    in->put.row.name = str_of(in->name);
    in->put.row.address = str_of(in->address);
    in->put.row.version = STR(SLUICE_VERSION);
    in->put.row.leaving = in->leaving;
    in->put.row.sessions = (int64_t)live_count(in->app);
    in->put.lease_ms = !in->shared ? LEASE_ALONE_MS : in->resting ? LEASE_REST_MS : in->lease_ms;
    in->put.must_exist = !in->joining;
    in->putting = true;
    store_submit(in->app->store, &in->put.req);
}

static void instances_leased(struct cache_req *req)
{
    struct instances *in = req->data;
    bool fresh = req->status == 0 && !req->existed && in->lease_taken;
    in->leasing = false;
    if (in->cache_failed != (req->status != 0))
        log_info("instances",
                 req->status ? "the lease is kept in the store: %s"
                             : "the lease is kept in the cache%s",
                 req->status ? req->error.text : "");
    in->cache_failed = req->status != 0;
    in->lease_taken = in->lease_taken || req->status == 0;
    if ((in->cache_failed || fresh) && !in->joining && !in->was_left)
        instances_put(in); /* failed, or flushed, or we were stopped for longer than it held */
    cache_req_deinit(req);
}

static void instances_lease(struct instances *in)
{
    char key[ID_TEXT_BYTES + 8] = "lease:";
    if (in->leasing)
        return;
    id_format(in->self, key + 6);
    cache_req_init(&in->lease, CACHE_LEASE, instances_leased, in);
    in->lease.key = str_of(key);
    in->lease.value = str_of(key + 6);
    in->lease.ttl_ms = in->lease_ms;
    in->leasing = true;
    cache_submit(in->app->cache, &in->lease);
}

/* ---- rest ---- */

/* Nobody else is there, has been there lately, or could come unheard. Leases in a cache are for
 * those who have company. */
static bool instances_may_rest(const struct instances *in, int64_t now)
{
    return !in_cache(in) && in->heard_self && messages_work(in) && list_empty(&in->peers) &&
           !in->leaving && !in->was_left && !in->joining && !in->putting && !in->listing &&
           now - in->company_at >= in->row_ms;
}

static void instances_rest(struct instances *in)
{
    uint64_t ms = (uint64_t)in->tick_ms * REST_TICKS;
    log_debug("instances", "alone: it rests");
    in->resting = true;
    uv_timer_start(&in->tick, instances_tick, ms, ms);
    cache_rest(in->app->cache, true);
    instances_put(in); /* marked */
}

static void instances_wake(struct instances *in)
{
    if (!in->resting)
        return;
    log_debug("instances", "awake");
    in->resting = false;
    in->company_at = in->ticked_at = mono_ms();
    cache_rest(in->app->cache, false);
    if (!in->joining) {
        uv_timer_start(&in->tick, instances_tick, (uint64_t)in->tick_ms, (uint64_t)in->tick_ms);
        instances_put(in);
    }
    recovery_rescan(&in->app->recovery);
    keys_reread(&in->app->keys);
    remote_wake(&in->app->remote);
}

/* ---- the clock ---- */

static void instances_tick(uv_timer_t *t)
{
    struct instances *in = t->data;
    int64_t now = mono_ms();
    if (in->resting) {
        in->ticked_at = now;
        if (!messages_work(in))
            instances_wake(in);
        return;
    }
    if (instances_may_rest(in, now)) {
        in->ticked_at = now;
        instances_rest(in);
        return;
    }
    bool rows = !in_cache(in) || in->cache_failed;
    bool late = now - in->ticked_at > in->lease_ms - in->tick_ms;
    in->ticked_at = now;
    if (in->joining) {
        instances_put(in);
        return;
    }
    if (late) { /* and maybe all of this machine was: others may renew first */
        in->judges_at = now + 2 * in->tick_ms;
        list_foreach(it, &in->peers) container_of(it, struct peer, link)->misses = 0;
    }
    if (in_cache(in) && in->leasing)
        rows = true; /* it answers slowly */
    if (in_cache(in))
        instances_lease(in);
    if (rows || late || now - in->row_at >= in->row_ms)
        instances_put(in);
    instances_look(in);
    if (now - in->list_at >= (rows ? in->tick_ms / 2 : in->row_ms))
        instances_list(in);
    if (now - in->swept_at >= in->row_ms) {
        in->swept_at = now;
        if (!in->heard_self)
            instances_nudge_all(in, 'i'); /* the one before may have been too early */
        recovery_rescan(&in->app->recovery);
    } else if (!messages_work(in)) {
        recovery_scan_inbox(&in->app->recovery);
    }
}

/* ---- life ---- */

void instances_open(struct instances *in, struct app *a)
{
    memset(in, 0, sizeof(*in));
    in->app = a;
    in->tick_ms = INSTANCE_TICK_MS;
    in->lease_ms = INSTANCE_LEASE_MS;
    in->row_ms = INSTANCE_ROW_MS;
    in->silent_ms = INSTANCE_SILENT_MS;
    list_init(&in->peers);
    uv_timer_init(&a->loop, &in->tick);
    uv_timer_init(&a->loop, &in->look_again);
    in->tick.data = in->look_again.data = in;
}

/* The rows of former lives of the only instance there can be: with them its sessions are free. */
struct clearing {
    struct instances *in;
    struct store_instance_list list;
    struct store_instance_remove *removes;
    size_t count, left;
};

static void clearing_over(struct clearing *c)
{
    struct instances *in = c->in;
    store_req_deinit(&c->list.req);
    free(c->removes);
    free(c);
    instances_put(in);
}

static void clearing_removed(struct store_req *r)
{
    struct clearing *c = r->data;
    store_req_deinit(r);
    if (--c->left == 0)
        clearing_over(c);
}

static void clearing_listed(struct store_req *r)
{
    struct clearing *c = r->data;
    for (struct instance_row *row = c->list.rows; r->status == 0 && row; row = row->next)
        c->count++;
    c->left = c->count;
    if (!c->count) {
        clearing_over(c);
        return;
    }
    c->removes = mem_calloc(c->count, sizeof(*c->removes));
    size_t i = 0;
    for (struct instance_row *row = c->list.rows; row; row = row->next, i++) {
        store_req_init(&c->removes[i].req, STORE_INSTANCE_REMOVE, clearing_removed, c);
        c->removes[i].id = row->id;
        store_submit(c->in->app->store, &c->removes[i].req);
    }
}

static void instances_clear(struct instances *in)
{
    struct clearing *c = mem_zalloc(sizeof(*c));
    c->in = in;
    store_req_init(&c->list.req, STORE_INSTANCE_LIST, clearing_listed, c);
    store_submit(in->app->store, &c->list.req);
}

void instances_start(struct instances *in, const char *address, void (*ready)(struct app *a))
{
    char host[64] = "?";
    gethostname(host, sizeof(host) - 1);
    snprintf(in->name, sizeof(in->name), "%s:%ld", host, (long)getpid());
    snprintf(in->address, sizeof(in->address), "%s", address);
    in->ready = ready;
    in->shared = in->app->store->v->shared;
    in->self = id_new(&in->app->ids, (uint64_t)clock_wall_ms());
    in->joining = true;
    in->ticked_at = in->row_at = in->swept_at = in->company_at = mono_ms();
    if (!in->shared) {
        instances_clear(in);
        return;
    }
    in->app->plans.newest_ms = PLANS_NEWEST_MS;
    instances_listen(in);
    instances_put(in);
}

void instances_leave(struct instances *in)
{
    in->leaving = true;
    if (!in->shared || in->joining)
        return;
    instances_wake(in);
    instances_put(in);
}

/* ---- leaving ---- */

static void self_unleased(struct cache_req *req)
{
    cache_req_deinit(req);
    free(req);
}

static void self_removed(struct store_req *r)
{
    struct instances *in = r->data;
    struct store_instance_remove *remove = container_of(r, struct store_instance_remove, req);
    if (r->status && r->status != ERR_NOT_FOUND)
        log_warn("instances", "this instance's row could not be removed: %s", r->error.text);
    store_req_deinit(r);
    free(remove);
    instances_nudge_all(in, 's');
    in->left(in->left_data);
}

static void self_unlease(struct instances *in)
{
    char key[ID_TEXT_BYTES + 8] = "lease:";
    struct cache_req *req = mem_zalloc(sizeof(*req));
    id_format(in->self, key + 6);
    cache_req_init(req, CACHE_UNLEASE, self_unleased, in);
    req->key = str_of(key);
    req->value = str_of(key + 6);
    cache_submit(in->app->cache, req);
}

void instances_remove_self(struct instances *in, void (*left)(void *data), void *data)
{
    in->left = left;
    in->left_data = data;
    if (!in->shared || in->was_left) {
        in->was_left = true;
        left(data);
        return;
    }
    in->was_left = true;
    uv_timer_stop(&in->tick);
    uv_timer_stop(&in->look_again);
    struct store_instance_remove *remove = mem_zalloc(sizeof(*remove));
    store_req_init(&remove->req, STORE_INSTANCE_REMOVE, self_removed, in);
    remove->id = in->self;
    if (in_cache(in))
        self_unlease(in);
    store_submit(in->app->store, &remove->req);
}

void instances_close(struct instances *in)
{
    in->was_left = true;
    if (in->listening) {
        cache_unlisten(in->app->cache, str_of(in->channel));
        cache_unlisten(in->app->cache, STR("nudge"));
        cache_unlisten(in->app->cache, STR("workflow"));
        cache_remove_listener(&in->listener);
        in->listening = false;
    }
    uv_close((uv_handle_t *)&in->tick, NULL);
    uv_close((uv_handle_t *)&in->look_again, NULL);
}

void instances_deinit(struct instances *in)
{
    struct list *it;
    while ((it = list_pop(&in->peers)) != NULL)
        free(container_of(it, struct peer, link));
}

/* ---- looking ---- */

bool instances_has_company(const struct instances *in)
{
    list_foreach(it, &in->peers)
    {
        struct peer *p = container_of(it, struct peer, link);
        if (!p->leaving && !p->removing && (p->row_held || (p->asked_once && p->misses == 0)))
            return true;
    }
    return false;
}

unsigned instances_count(const struct instances *in)
{
    return in->peer_count + 1;
}

bool instances_is_resting(const struct instances *in)
{
    return in->resting;
}

bool instances_is_joining(const struct instances *in)
{
    return in->joining;
}

int instances_lease_seen(const struct instances *in, struct id id)
{
    struct peer *p = peer_find(in, id);
    if (id_eq(id, in->self))
        return !in->joining;
    if (!p || !in_cache(in) || !p->asked_once || p->cache_failed)
        return -1;
    return p->misses < MISSES_MAX;
}
