#include "cache/cache.h"

#include <string.h>

#include "cache/cache_private.h"

void cache_init(struct cache *c, const struct cache_vtable *v)
{
    c->v = v;
    list_init(&c->listeners);
}

void cache_req_init(struct cache_req *req, enum cache_op op, void (*done)(struct cache_req *),
                    void *data)
{
    memset(req, 0, sizeof(*req));
    req->op = op;
    req->done = done;
    req->data = data;
    buf_init(&req->got, CACHE_VALUE_MAX);
    list_init(&req->link);
}

void cache_req_deinit(struct cache_req *req)
{
    buf_deinit(&req->got);
}

static bool op_has_ttl(enum cache_op op)
{
    return op == CACHE_SET || op == CACHE_COUNT || op == CACHE_LEASE || op == CACHE_PUSH;
}

struct str cache_line(struct str *rest)
{
    const char *nl = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct str line = {rest->p, nl ? (size_t)(nl - rest->p) : rest->n};

    rest->p += line.n + (nl != NULL);
    rest->n -= line.n + (nl != NULL);
    return line;
}

static int push_check(struct cache_req *req)
{
    struct str rest = req->value;
    size_t lines = 0;

    if (req->keep < 1 || req->keep > CACHE_LINES_MAX)
        return err_set(&req->error, ERR_INVALID, "a list keeps 1 to %d lines", CACHE_LINES_MAX);
    while (rest.n) {
        if (cache_line(&rest).n == 0)
            return err_set(&req->error, ERR_INVALID, "a line of a list is not empty");
        lines++;
    }
    if (lines < 1 || lines > CACHE_LINES_MAX)
        return err_set(&req->error, ERR_INVALID, "1 to %d lines at once", CACHE_LINES_MAX);
    return 0;
}

int cache_req_check(struct cache_req *req)
{
    if (req->key.n == 0 || req->key.n > CACHE_KEY_MAX)
        return err_set(&req->error, ERR_INVALID, "a key has 1 to %d bytes", CACHE_KEY_MAX);
    if (req->value.n > CACHE_VALUE_MAX)
        return err_set(&req->error, ERR_TOO_LARGE, "a cached value has at most %u bytes",
                       CACHE_VALUE_MAX);
    if (op_has_ttl(req->op) && req->ttl_ms <= 0)
        return err_set(&req->error, ERR_INVALID, "nothing is cached without an end: ttl_ms");
    return req->op == CACHE_PUSH ? push_check(req) : 0;
}

int cache_message_check(const struct cache *c, struct str channel, struct str payload)
{
    if (channel.n == 0 || channel.n > CACHE_KEY_MAX)
        return ERR_INVALID;
    if (payload.n > c->v->message_max)
        return ERR_TOO_LARGE;
    return 0;
}

void cache_add_listener(struct cache *c, struct cache_listener *l)
{
    list_append(&c->listeners, &l->link);
}

void cache_remove_listener(struct cache_listener *l)
{
    list_remove(&l->link);
}

/* Walks the listeners by a mark that moves along, so that any of them may be removed meanwhile.
 * Messages come from the loop only, so two walks never meet. */
static struct cache_listener *listener_next(struct cache *c, struct list *mark)
{
    struct list *it = mark->next;

    if (it == &c->listeners) {
        list_remove(mark);
        return NULL;
    }
    list_remove(mark);
    list_prepend(it, mark);
    return container_of(it, struct cache_listener, link);
}

void cache_tell_message(struct cache *c, struct str channel, struct str payload)
{
    struct cache_listener *l;
    struct list mark;

    list_prepend(&c->listeners, &mark);
    while ((l = listener_next(c, &mark)))
        l->message(l, channel, payload);
}

void cache_tell_missed(struct cache *c)
{
    struct cache_listener *l;
    struct list mark;

    list_prepend(&c->listeners, &mark);
    while ((l = listener_next(c, &mark)))
        l->missed(l);
}

void cache_tell_listening(struct cache *c, struct str channel)
{
    struct cache_listener *l;
    struct list mark;

    list_prepend(&c->listeners, &mark);
    while ((l = listener_next(c, &mark)))
        if (l->listening)
            l->listening(l, channel);
}

/* ---- later ---- */

static void later_answer(struct cache_later *l)
{
    struct list now, *it;

    list_init(&now);
    list_splice(&now, &l->reqs);
    while ((it = list_pop(&now))) {
        struct cache_req *req = container_of(it, struct cache_req, link);
        req->done(req);
    }
}

static void later_turn(uv_idle_t *h)
{
    struct cache_later *l = h->data;

    uv_idle_stop(h);
    if (l->turn)
        l->turn(l);
    later_answer(l);
}

void cache_later_open(struct cache_later *l, uv_loop_t *loop)
{
    uv_idle_init(loop, &l->idle);
    l->idle.data = l;
    list_init(&l->reqs);
}

void cache_later_wake(struct cache_later *l)
{
    if (!uv_is_closing((uv_handle_t *)&l->idle))
        uv_idle_start(&l->idle, later_turn);
}

void cache_later_add(struct cache_later *l, struct cache_req *req)
{
    list_append(&l->reqs, &req->link);
    cache_later_wake(l);
}

void cache_later_finish(struct cache_later *l)
{
    list_foreach(it, &l->reqs)
    {
        struct cache_req *req = container_of(it, struct cache_req, link);
        if (req->status == 0)
            req->status = err_set(&req->error, ERR_CANCELLED, "the cache was closed");
    }
    later_answer(l);
}
