/* Caches under test: turning the loop until something is so, and requests that wait for answers. */
#ifndef SLUICE_TESTS_CACHE_RIG_H
#define SLUICE_TESTS_CACHE_RIG_H

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "cache/cache.h"

#define RIG_PATIENCE_MS 10000

struct ear { /* a listener that keeps what it heard */
    struct cache_listener l;
    struct buf heard; /* channel=payload; */
    unsigned messages, missed, listening;
};

static inline void ear_message(struct cache_listener *l, struct str channel, struct str payload)
{
    struct ear *e = l->data;
    buf_printf(&e->heard, "%.*s=%.*s;", STR_FMT(channel), STR_FMT(payload));
    e->messages++;
}
static inline void ear_missed(struct cache_listener *l)
{
    ((struct ear *)l->data)->missed++;
}
static inline void ear_listening(struct cache_listener *l, struct str channel)
{
    (void)channel;
    ((struct ear *)l->data)->listening++;
}
static inline void ear_open(struct ear *e, struct cache *c)
{
    memset(e, 0, sizeof(*e));
    buf_init(&e->heard, 16u << 20);
    e->l = (struct cache_listener){
        .message = ear_message, .missed = ear_missed, .listening = ear_listening, .data = e};
    cache_add_listener(c, &e->l);
}
static inline void ear_close(struct ear *e)
{
    cache_remove_listener(&e->l);
    buf_deinit(&e->heard);
}

static inline void rig_impatient(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

/* Turns the loop until cond holds; fails when it does not within RIG_PATIENCE_MS. */
#define TURN_UNTIL(loop, cond)                                                                     \
    do {                                                                                           \
        uv_timer_t *patience_ = calloc(1, sizeof(uv_timer_t));                                     \
        bool over_ = false;                                                                        \
        uv_timer_init((loop), patience_);                                                          \
        patience_->data = &over_;                                                                  \
        uv_timer_start(patience_, rig_impatient, RIG_PATIENCE_MS, 0);                              \
        while (!(cond) && !over_)                                                                  \
            uv_run((loop), UV_RUN_ONCE);                                                           \
        uv_close((uv_handle_t *)patience_, (uv_close_cb)free);                                     \
        if (!(cond))                                                                               \
            fail_msg("not within %d ms: %s", RIG_PATIENCE_MS, #cond);                              \
    } while (0)

struct asked {
    struct cache_req req;
    unsigned answers;
};
static inline void asked_done(struct cache_req *req)
{
    ((struct asked *)req->data)->answers++;
}
static inline void ask(struct asked *q, struct cache *c, enum cache_op op, struct str key,
                       struct str value, int64_t ttl_ms)
{
    q->answers = 0;
    cache_req_init(&q->req, op, asked_done, q);
    q->req.key = key;
    q->req.value = value;
    q->req.ttl_ms = ttl_ms;
    cache_submit(c, &q->req);
    assert_int_equal(q->answers, 0); /* never from inside */
}
/* Asks and waits for the answer: its status. */
static inline int ask_now(struct asked *q, uv_loop_t *loop, struct cache *c, enum cache_op op,
                          struct str key, struct str value, int64_t ttl_ms)
{
    ask(q, c, op, key, value, ttl_ms);
    TURN_UNTIL(loop, q->answers);
    assert_int_equal(q->answers, 1);
    return q->req.status;
}

static inline bool cache_is_up(struct cache *c)
{
    struct cache_stats st;
    cache_stats(c, &st);
    return st.up;
}

static inline void rig_closed(void *data)
{
    *(bool *)data = true;
}
static inline void rig_close_cache(uv_loop_t *loop, struct cache *c)
{
    bool closed = false;
    cache_close(c, rig_closed, &closed);
    assert_false(closed);
    TURN_UNTIL(loop, closed);
}
static inline void rig_close_loop(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

#endif
