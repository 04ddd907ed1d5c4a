/* What a Redis may answer: on the connection for messages, and as the answer to each kind of
 * request. Nothing but a loss of the connection may come of it. */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cache/redis_cache.h"

#define OPS (CACHE_UNLEASE + 1)

static unsigned answers;

static void answered(struct cache_req *req)
{
    FUZZ_CHECK(req->status <= 0 && req->got.len <= CACHE_VALUE_MAX);
    answers++;
}

static void closed(void *data)
{
    *(bool *)data = true;
}

static void heard(struct cache_listener *l, struct str channel, struct str payload)
{
    (void)l;
    FUZZ_CHECK(str_eqz(channel, "ch") && (payload.n == 0 || payload.p));
}

static void nothing_missed(struct cache_listener *l)
{
    (void)l;
}

/* As if it had been sent. */
static void expect(struct redis_cache *r, struct cache_req *req, enum cache_op op)
{
    struct redis_cmd *cmd = mem_zalloc(sizeof(*cmd));

    cache_req_init(req, op, answered, NULL);
    cmd->req = req;
    cmd->deadline = redis_now() + 1000000;
    list_append(&r->sent, &cmd->link);
    r->sent_count++;
}

static void feed(struct redis_cache *r, struct redis_sock *s,
                 void (*take)(struct redis_sock *, const redisReply *), struct str bytes)
{
    redisContext *c = redisConnectUnixNonBlock("/nonexistent/of/the/fuzzer");
    void *reply = NULL;

    FUZZ_CHECK(c != NULL);
    redis_sock_bound_replies(c);
    redisReaderFeed(c->reader, bytes.p, bytes.n);
    while (r->state == REDIS_UP && redisReaderGetReply(c->reader, &reply) == REDIS_OK && reply) {
        take(s, reply);
        freeReplyObject(reply);
    }
    redisFree(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache_listener l = {.message = heard, .missed = nothing_missed};
    struct str bytes = {(const char *)data, size};
    struct cache_req reqs[OPS];
    struct cache *c;
    uv_loop_t loop;
    bool over = false;

    log_configure(LOG_ERROR + 1, 0);
    uv_loop_init(&loop);
    FUZZ_CHECK(cache_redis_open(&c, &loop, "unix:///nonexistent/of/the/fuzzer", NULL) == 0);
    struct redis_cache *r = redis_of(c);
    cache_add_listener(c, &l);
    cache_listen(c, STR("ch"));
    r->state = REDIS_UP;
    feed(r, &r->sub, redis_sub_reply, bytes);
    r->state = REDIS_UP;
    answers = 0;
    for (int i = 0; i < OPS; i++)
        expect(r, &reqs[i], (enum cache_op)i);
    feed(r, &r->cmd, redis_cmd_reply, bytes);
    cache_remove_listener(&l);
    cache_close(c, closed, &over);
    uv_run(&loop, UV_RUN_DEFAULT);
    FUZZ_CHECK(over && answers == OPS && uv_loop_close(&loop) == 0);
    for (int i = 0; i < OPS; i++)
        cache_req_deinit(&reqs[i]);
    return 0;
}
