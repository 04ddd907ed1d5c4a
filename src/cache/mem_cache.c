#include "cache/mem_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cache/cache_private.h"
#include "cache/strmap.h"

#define SWEEP_PER_WRITE   2   /* entries looked at for having ended, whenever one is made */
#define MESSAGES_PER_TURN 256 /* the rest in the next */

struct mem_entry {
    struct list order; /* in hub->order; the next to be looked at first */
    struct str key;    /* the bytes lie behind the struct, then the value's */
    struct str value;
    int64_t ends_at; /* monotonic ms */
    int64_t count;
    bool is_counter;
};

struct mem_hub {
    struct strmap values; /* struct mem_entry */
    struct list order;
    size_t bytes;
    struct list caches; /* struct mem_cache */
    int64_t ms_ahead;
    bool away, lost, doubled;
    bool is_private; /* of one cache, goes with it */
};

struct mem_message {
    struct list link;
    bool is_listening; /* not a message: the channel is heard from here on */
    struct str channel, payload;
};

struct mem_channel {
    struct str name;
    unsigned count;
};

struct mem_cache {
    struct cache c;
    struct mem_hub *hub;
    struct list link; /* in hub->caches */
    struct strmap channels;
    struct list messages; /* struct mem_message, on their way */
    size_t message_bytes;
    bool missed;
    struct cache_later later;
    struct cache_stats st;
    void (*closed)(void *data);
    void *closed_data;
};

static struct mem_cache *mem_of(struct cache *c)
{
    return container_of(c, struct mem_cache, c);
}

/* ---- values ---- */

static int64_t hub_now(const struct mem_hub *h)
{
    return (int64_t)(clock_mono_ns() / 1000000) + h->ms_ahead;
}

static void hub_drop(struct mem_hub *h, struct mem_entry *en)
{
    strmap_remove(&h->values, en->key);
    list_remove(&en->order);
    h->bytes -= sizeof(*en) + en->key.n + en->value.n;
    free(en);
}

/* Ended entries go when they are met, and a few are met with every write, so that memory follows
 * what is in use without a timer. */
static void hub_sweep(struct mem_hub *h)
{
    int64_t now = hub_now(h);

    for (int i = 0; i < SWEEP_PER_WRITE && !list_empty(&h->order); i++) {
        struct list *it = list_pop(&h->order);
        struct mem_entry *en = container_of(it, struct mem_entry, order);
        list_append(&h->order, it);
        if (en->ends_at <= now)
            hub_drop(h, en);
    }
    while (h->bytes > MEM_CACHE_BYTES_MAX)
        hub_drop(h, container_of(h->order.next, struct mem_entry, order));
}

static struct mem_entry *hub_find(struct mem_hub *h, struct str key)
{
    struct mem_entry *en = strmap_get(&h->values, key);

    if (en && en->ends_at <= hub_now(h)) {
        hub_drop(h, en);
        en = NULL;
    }
    return en;
}

static struct mem_entry *hub_put(struct mem_hub *h, struct str key, struct str value, int64_t ttl)
{
    struct mem_entry *old = strmap_get(&h->values, key);
    struct mem_entry *en = mem_alloc(sizeof(*en) + key.n + value.n);
    char *bytes = (char *)(en + 1);

    memcpy(bytes, key.p, key.n);
    if (value.n)
        memcpy(bytes + key.n, value.p, value.n);
    if (old)
        hub_drop(h, old);
    *en = (struct mem_entry){
        .key = {bytes, key.n}, .value = {bytes + key.n, value.n}, .ends_at = hub_now(h) + ttl};
    strmap_put(&h->values, en->key, en);
    list_append(&h->order, &en->order);
    h->bytes += sizeof(*en) + key.n + value.n;
    hub_sweep(h);
    return en;
}

static int entry_get(const struct mem_entry *en, struct buf *out)
{
    if (!en)
        return ERR_NOT_FOUND;
    return en->is_counter ? buf_append_i64(out, en->count) : buf_append_str(out, en->value);
}

static int hub_count(struct mem_hub *h, struct cache_req *req)
{
    struct mem_entry *en = hub_find(h, req->key);

    if (!en) {
        en = hub_put(h, req->key, STR_NULL, req->ttl_ms);
        en->is_counter = true;
    }
    req->count = ++en->count;
    return 0;
}

static int hub_lease(struct mem_hub *h, struct cache_req *req)
{
    struct mem_entry *en = hub_find(h, req->key);

    if (en && !str_eq(en->value, req->value)) {
        buf_append_str(&req->got, en->value);
        return err_set(&req->error, ERR_CONFLICT, "another holds the lease");
    }
    req->existed = en != NULL;
    if (en)
        en->ends_at = hub_now(h) + req->ttl_ms;
    else
        hub_put(h, req->key, req->value, req->ttl_ms);
    return 0;
}

/* The newest `keep` of so many lines. */
static struct str lines_newest(struct str lines, int64_t keep)
{
    struct str rest = lines;
    int64_t count = 0;

    for (; rest.n; count++)
        cache_line(&rest);
    for (; count > keep; count--)
        cache_line(&lines);
    return lines;
}

static int hub_push(struct mem_hub *h, struct cache_req *req)
{
    struct mem_entry *en = hub_find(h, req->key);
    struct str rest = req->value;
    struct buf lines;
    int rc;

    buf_init(&lines, 2 * CACHE_VALUE_MAX);
    if (en)
        buf_append_str(&lines, en->value);
    while (rest.n) {
        buf_append_str(&lines, cache_line(&rest));
        buf_append_char(&lines, '\n');
    }
    struct str kept = lines_newest(buf_str(&lines), req->keep);
    rc = buf_error(&lines);
    if (rc == 0 && kept.n > CACHE_VALUE_MAX)
        rc = ERR_TOO_LARGE;
    if (rc == 0)
        hub_put(h, req->key, kept, req->ttl_ms);
    buf_deinit(&lines);
    return rc;
}

static int hub_carry_out(struct mem_hub *h, struct cache_req *req)
{
    struct mem_entry *en;
    int rc = 0;

    switch (req->op) {
    case CACHE_PUSH:
        return hub_push(h, req);
    case CACHE_GET:
    case CACHE_LIST:
        return entry_get(hub_find(h, req->key), &req->got);
    case CACHE_SET:
        hub_put(h, req->key, req->value, req->ttl_ms);
        return 0;
    case CACHE_TAKE:
        rc = entry_get(hub_find(h, req->key), &req->got);
        __attribute__((fallthrough));
    case CACHE_DEL:
        en = hub_find(h, req->key);
        if (en)
            hub_drop(h, en);
        return rc;
    case CACHE_COUNT:
        return hub_count(h, req);
    case CACHE_LEASE:
        return hub_lease(h, req);
    case CACHE_UNLEASE:
        en = hub_find(h, req->key);
        if (en && str_eq(en->value, req->value))
            hub_drop(h, en);
        return 0;
    }
    return ERR_INTERNAL;
}

static void mem_submit(struct cache *c, struct cache_req *req)
{
    struct mem_cache *m = mem_of(c);

    m->st.requests++;
    req->status = cache_req_check(req);
    if (req->status == 0 && m->hub->away)
        req->status = err_set(&req->error, ERR_UNAVAILABLE, "the cache is away");
    if (req->status == 0)
        req->status = hub_carry_out(m->hub, req);
    if (req->status < 0 && req->status != ERR_NOT_FOUND && req->status != ERR_CONFLICT)
        m->st.failures++;
    cache_later_add(&m->later, req);
}

/* ---- messages ---- */

static void mem_enqueue(struct mem_cache *m, struct str channel, struct str payload,
                        bool is_listening)
{
    struct mem_message *msg = mem_alloc(sizeof(*msg) + channel.n + payload.n);
    char *bytes = (char *)(msg + 1);

    memcpy(bytes, channel.p, channel.n);
    if (payload.n)
        memcpy(bytes + channel.n, payload.p, payload.n);
    msg->is_listening = is_listening;
    msg->channel = (struct str){bytes, channel.n};
    msg->payload = (struct str){bytes + channel.n, payload.n};
    list_append(&m->messages, &msg->link);
    m->message_bytes += payload.n;
    cache_later_wake(&m->later);
}

static void mem_listen(struct cache *c, struct str channel)
{
    struct mem_cache *m = mem_of(c);
    struct mem_channel *ch = strmap_get(&m->channels, channel);

    if (!ch) {
        ch = mem_alloc(sizeof(*ch) + channel.n);
        memcpy(ch + 1, channel.p, channel.n);
        *ch = (struct mem_channel){.name = {(char *)(ch + 1), channel.n}};
        strmap_put(&m->channels, ch->name, ch);
        mem_enqueue(m, channel, STR_NULL, true);
    }
    ch->count++;
}

static void mem_unlisten(struct cache *c, struct str channel)
{
    struct mem_cache *m = mem_of(c);
    struct mem_channel *ch = strmap_get(&m->channels, channel);

    if (ch && --ch->count == 0) {
        strmap_remove(&m->channels, channel);
        free(ch);
    }
}

static int mem_publish(struct cache *c, struct str channel, struct str payload)
{
    struct mem_cache *m = mem_of(c);
    struct mem_hub *h = m->hub;
    int rc = cache_message_check(c, channel, payload);

    if (rc == 0 && h->away)
        rc = ERR_UNAVAILABLE;
    if (rc == 0 && m->message_bytes > CACHE_QUEUE_BYTES_MAX)
        rc = ERR_OVERLOAD;
    if (rc)
        return rc;
    m->st.messages_out++;
    list_foreach(it, &h->caches)
    {
        struct mem_cache *to = container_of(it, struct mem_cache, link);
        if (h->lost || !strmap_get(&to->channels, channel))
            continue;
        mem_enqueue(to, channel, payload, false);
        if (h->doubled)
            mem_enqueue(to, channel, payload, false);
    }
    return 0;
}

static void mem_turn(struct cache_later *later)
{
    struct mem_cache *m = container_of(later, struct mem_cache, later);
    struct list *it;

    if (m->missed) {
        m->missed = false;
        m->st.reconnects++;
        cache_tell_missed(&m->c);
    }
    for (int i = 0; i < MESSAGES_PER_TURN && (it = list_pop(&m->messages)); i++) {
        struct mem_message *msg = container_of(it, struct mem_message, link);
        m->message_bytes -= msg->payload.n;
        if (!strmap_get(&m->channels, msg->channel)) {
            free(msg); /* nobody listens any more */
            continue;
        }
        m->st.messages_in += !msg->is_listening;
        if (msg->is_listening)
            cache_tell_listening(&m->c, msg->channel);
        else
            cache_tell_message(&m->c, msg->channel, msg->payload);
        free(msg);
    }
    if (!list_empty(&m->messages))
        cache_later_wake(later);
}

/* ---- opening and closing ---- */

static void mem_stats(struct cache *c, struct cache_stats *out)
{
    *out = mem_of(c)->st;
    out->up = !mem_of(c)->hub->away;
}

static void mem_closed(uv_handle_t *h)
{
    struct mem_cache *m = container_of((struct cache_later *)h->data, struct mem_cache, later);
    void (*closed)(void *) = m->closed;
    void *data = m->closed_data;
    struct list *it;

    cache_later_finish(&m->later);
    while ((it = list_pop(&m->messages)))
        free(container_of(it, struct mem_message, link));
    strmap_foreach(s, &m->channels)
    {
        free(s->value);
    }
    strmap_deinit(&m->channels);
    list_remove(&m->link);
    if (m->hub->is_private)
        mem_hub_destroy(m->hub);
    free(m);
    closed(data);
}

static void mem_close(struct cache *c, void (*closed)(void *data), void *data)
{
    struct mem_cache *m = mem_of(c);

    m->closed = closed;
    m->closed_data = data;
    uv_close((uv_handle_t *)&m->later.idle, mem_closed);
}

static const struct cache_vtable mem_vtable = {
    .name = "memory",
    .message_max = CACHE_MESSAGE_MAX,
    .submit = mem_submit,
    .listen = mem_listen,
    .unlisten = mem_unlisten,
    .publish = mem_publish,
    .stats = mem_stats,
    .close = mem_close,
};
static const struct cache_vtable mem_shared_vtable = {
    .name = "memory",
    .shared = true,
    .values_shared = true,
    .message_max = CACHE_MESSAGE_MAX,
    .submit = mem_submit,
    .listen = mem_listen,
    .unlisten = mem_unlisten,
    .publish = mem_publish,
    .stats = mem_stats,
    .close = mem_close,
};

static struct mem_cache *mem_create(uv_loop_t *loop, struct mem_hub *h)
{
    struct mem_cache *m = mem_zalloc(sizeof(*m));

    cache_init(&m->c, h->is_private ? &mem_vtable : &mem_shared_vtable);
    m->hub = h;
    list_append(&h->caches, &m->link);
    strmap_init(&m->channels);
    list_init(&m->messages);
    cache_later_open(&m->later, loop);
    m->later.turn = mem_turn;
    return m;
}

int cache_mem_open(struct cache **out, struct uv_loop_s *loop)
{
    struct mem_hub *h = mem_hub_create();

    h->is_private = true;
    *out = &mem_create(loop, h)->c;
    return 0;
}

int mem_cache_open_on(struct cache **out, struct uv_loop_s *loop, struct mem_hub *h)
{
    *out = &mem_create(loop, h)->c;
    return 0;
}

struct mem_hub *mem_hub_create(void)
{
    struct mem_hub *h = mem_zalloc(sizeof(*h));

    strmap_init(&h->values);
    list_init(&h->order);
    list_init(&h->caches);
    return h;
}

void mem_hub_destroy(struct mem_hub *h)
{
    mem_hub_flush(h);
    strmap_deinit(&h->values);
    free(h);
}

void mem_hub_set_time(struct mem_hub *h, int64_t ms_ahead)
{
    h->ms_ahead = ms_ahead;
}

size_t mem_hub_count(const struct mem_hub *h)
{
    return h->values.count;
}

void mem_hub_flush(struct mem_hub *h)
{
    while (!list_empty(&h->order))
        hub_drop(h, container_of(h->order.next, struct mem_entry, order));
}

void mem_hub_set_away(struct mem_hub *h, bool v)
{
    bool back = h->away && !v;

    h->away = v;
    list_foreach(it, &h->caches)
    {
        struct mem_cache *m = container_of(it, struct mem_cache, link);
        m->missed = m->missed || back;
        if (back)
            cache_later_wake(&m->later);
    }
}

void mem_hub_set_lossy(struct mem_hub *h, bool lost, bool doubled)
{
    h->lost = lost;
    h->doubled = doubled;
}
