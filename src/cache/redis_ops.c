/* Requests to Redis and their answers; channels and their messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cache/redis_cache.h"

#define KEY_PREFIX "sluice:"
#define PING_WORD  "sluice-ping"

/* Scripts, so that two steps are one; they run on every Redis since 2.6. */
static const char script_take[] = "local v=redis.call('GET',KEYS[1])\n"
                                  "if v then redis.call('DEL',KEYS[1]) end\n"
                                  "return v";
static const char script_count[] = "local n=redis.call('INCR',KEYS[1])\n"
                                   "if n==1 then redis.call('PEXPIRE',KEYS[1],ARGV[1]) end\n"
                                   "return n";
static const char script_lease[] = "local v=redis.call('GET',KEYS[1])\n"
                                   "if not v then\n"
                                   "redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[1]) return 1 end\n"
                                   "if v==ARGV[2] then\n"
                                   "redis.call('PEXPIRE',KEYS[1],ARGV[1]) return 2 end\n"
                                   "return v";
static const char script_unlease[] =
    "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end\n"
    "return 0";

static const char script_push[] = "redis.call('RPUSH',KEYS[1],unpack(ARGV,3))\n"
                                  "redis.call('LTRIM',KEYS[1],-tonumber(ARGV[2]),-1)\n"
                                  "redis.call('PEXPIRE',KEYS[1],ARGV[1])\n"
                                  "return 1";

/* ---- commands out ---- */

static void redis_tick(uv_timer_t *t)
{
    struct redis_cache *r = t->data;

    /* After a long turn of the loop the answer may be here, unread. */
    redis_sock_read(&r->cmd);
    if (r->state != REDIS_UP || list_empty(&r->sent))
        return;
    struct redis_cmd *oldest = container_of(r->sent.next, struct redis_cmd, link);
    uint64_t now = redis_now();
    if (oldest->deadline <= now)
        redis_lose(r, "it does not answer");
    else
        uv_timer_start(t, redis_tick, oldest->deadline - now, 0);
}

static void redis_add(struct redis_cache *r, struct cache_req *req, int argc,
                      const struct str *argv)
{
    struct redis_cmd *cmd = mem_alloc(sizeof(*cmd));

    cmd->req = req;
    cmd->bytes = redis_sock_add(&r->cmd, argc, argv);
    cmd->deadline = redis_now() + CACHE_TIMEOUT_MS;
    list_append(&r->sent, &cmd->link);
    r->sent_count++;
    r->sent_bytes += cmd->bytes;
    if (!uv_is_active((uv_handle_t *)&r->tick))
        uv_timer_start(&r->tick, redis_tick, CACHE_TIMEOUT_MS, 0);
}

static int redis_room(const struct redis_cache *r, size_t bytes)
{
    if (r->state != REDIS_UP)
        return ERR_UNAVAILABLE;
    if (r->sent_count >= CACHE_REQUESTS_MAX || r->sent_bytes + bytes > CACHE_QUEUE_BYTES_MAX)
        return ERR_OVERLOAD;
    return 0;
}

static int redis_refuse(struct redis_cache *r, struct cache_req *req)
{
    int rc = cache_req_check(req);

    if (rc)
        return rc;
    rc = redis_room(r, req->value.n);
    if (rc == ERR_UNAVAILABLE)
        err_set(&req->error, rc, "Redis is away");
    else if (rc)
        err_set(&req->error, rc, "too many requests wait for Redis");
    return rc;
}

static void redis_eval(struct redis_cache *r, struct cache_req *req, struct str script,
                       struct str key, struct str arg1, struct str arg2)
{
    struct str argv[] = {STR("EVAL"), script, STR("1"), key, arg1, arg2};

    redis_add(r, req, arg2.p ? 6 : arg1.p ? 5 : 4, argv);
}

static void redis_push_lines(struct redis_cache *r, struct cache_req *req, struct str key,
                             struct str ttl)
{
    struct str argv[6 + CACHE_LINES_MAX] = {STR("EVAL"), str_of(script_push), STR("1"), key, ttl};
    struct str rest = req->value;
    char digits[24];
    int argc = 6;

    argv[5] = (struct str){digits,
                           (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)req->keep)};
    while (rest.n) /* cache_req_check() has counted them */
        argv[argc++] = cache_line(&rest);
    redis_add(r, req, argc, argv);
}

void redis_submit(struct cache *c, struct cache_req *req)
{
    struct redis_cache *r = redis_of(c);
    char bytes[sizeof(KEY_PREFIX) + CACHE_KEY_MAX], digits[24];

    r->st.requests++;
    req->status = redis_refuse(r, req);
    if (req->status) {
        r->st.failures++;
        cache_later_add(&r->later, req);
        return;
    }
    memcpy(bytes, KEY_PREFIX, sizeof(KEY_PREFIX) - 1);
    memcpy(bytes + sizeof(KEY_PREFIX) - 1, req->key.p, req->key.n);
    struct str key = {bytes, sizeof(KEY_PREFIX) - 1 + req->key.n};
    struct str ttl = {digits,
                      (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)req->ttl_ms)};
    struct str value = {req->value.n ? req->value.p : "", req->value.n};
    switch (req->op) {
    case CACHE_GET:
        redis_add(r, req, 2, (struct str[]){STR("GET"), key});
        break;
    case CACHE_SET:
        redis_add(r, req, 5, (struct str[]){STR("SET"), key, value, STR("PX"), ttl});
        break;
    case CACHE_DEL:
        redis_add(r, req, 2, (struct str[]){STR("DEL"), key});
        break;
    case CACHE_TAKE:
        redis_eval(r, req, str_of(script_take), key, STR_NULL, STR_NULL);
        break;
    case CACHE_COUNT:
        redis_eval(r, req, str_of(script_count), key, ttl, STR_NULL);
        break;
    case CACHE_LEASE:
        redis_eval(r, req, str_of(script_lease), key, ttl, value);
        break;
    case CACHE_UNLEASE:
        redis_eval(r, req, str_of(script_unlease), key, value, STR_NULL);
        break;
    case CACHE_PUSH:
        redis_push_lines(r, req, key, ttl);
        break;
    case CACHE_LIST:
        redis_add(r, req, 4, (struct str[]){STR("LRANGE"), key, STR("0"), STR("-1")});
        break;
    }
}

static struct str redis_wire_channel(const struct redis_cache *r, struct str channel,
                                     char out[sizeof(r->prefix) + CACHE_KEY_MAX])
{
    size_t n = strlen(r->prefix);

    memcpy(out, r->prefix, n);
    memcpy(out + n, channel.p, channel.n);
    return (struct str){out, n + channel.n};
}

int redis_publish(struct cache *c, struct str channel, struct str payload)
{
    struct redis_cache *r = redis_of(c);
    char name[sizeof(r->prefix) + CACHE_KEY_MAX];
    int rc = cache_message_check(c, channel, payload);

    if (rc == 0)
        rc = redis_room(r, payload.n);
    if (rc)
        return rc;
    struct str argv[] = {STR("PUBLISH"), redis_wire_channel(r, channel, name), payload};
    redis_add(r, NULL, 3, argv);
    r->st.messages_out++;
    return 0;
}

void redis_ping(struct redis_cache *r)
{
    r->pings++;
    redis_sock_add(&r->sub, 2, (struct str[]){STR("PING"), STR(PING_WORD)});
    if (r->state == REDIS_UP)
        redis_add(r, NULL, 1, (struct str[]){STR("PING")});
}

/* ---- answers in ---- */

static struct str reply_str(const redisReply *reply)
{
    return (struct str){reply->str, (size_t)reply->len};
}

static bool reply_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

static int req_bad_reply(struct cache_req *req)
{
    return err_set(&req->error, ERR_UNAVAILABLE, "Redis gave an answer of the wrong kind");
}

static int req_take_value(struct cache_req *req, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL)
        return ERR_NOT_FOUND;
    if (reply->type != REDIS_REPLY_STRING)
        return req_bad_reply(req);
    return buf_append_str(&req->got, reply_str(reply));
}

static int req_take_lines(struct cache_req *req, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return req_bad_reply(req);
    if (reply->elements == 0)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return req_bad_reply(req);
        buf_append_str(&req->got, reply_str(reply->element[i]));
        buf_append_char(&req->got, '\n');
    }
    return buf_error(&req->got);
}

static int req_take_reply(struct cache_req *req, const redisReply *reply)
{
    switch (req->op) {
    case CACHE_GET:
    case CACHE_TAKE:
        return req_take_value(req, reply);
    case CACHE_COUNT:
        if (reply->type != REDIS_REPLY_INTEGER)
            return req_bad_reply(req);
        req->count = reply->integer;
        return 0;
    case CACHE_LEASE:
        if (reply->type == REDIS_REPLY_STRING) {
            buf_append_str(&req->got, reply_str(reply));
            return err_set(&req->error, ERR_CONFLICT, "another holds the lease");
        }
        if (reply->type != REDIS_REPLY_INTEGER)
            return req_bad_reply(req);
        req->existed = reply->integer == 2;
        return 0;
    case CACHE_LIST:
        return req_take_lines(req, reply);
    case CACHE_SET:
        return reply->type == REDIS_REPLY_STATUS ? 0 : req_bad_reply(req);
    case CACHE_DEL:
    case CACHE_UNLEASE:
    case CACHE_PUSH:
        return reply->type == REDIS_REPLY_INTEGER ? 0 : req_bad_reply(req);
    }
    return ERR_INTERNAL;
}

/* READONLY, OOM, NOPERM, LOADING …: the connection is well, the server is not. */
static void redis_note_error(struct redis_cache *r, struct str text)
{
    if (!r->said_error)
        log_warn("cache", "Redis at %s refuses a command: %.*s", r->url.where, STR_FMT(text));
    r->said_error = true;
}

/* It is no primary any more, or its password has changed: a new connection may find a better one,
 * behind the same name. */
static bool redis_is_over(struct str error)
{
    static const char *const words[] = {"READONLY", "MASTERDOWN", "NOAUTH", "WRONGPASS"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);
        if (error.n >= n && memcmp(error.p, words[i], n) == 0)
            return true;
    }
    return false;
}

static void redis_answer(struct redis_cache *r, struct cache_req *req, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        req->status =
            err_set(&req->error, ERR_UNAVAILABLE, "Redis: %.*s", STR_FMT(reply_str(reply)));
    else
        req->status = req_take_reply(req, reply);
    if (req->status < 0 && req->status != ERR_NOT_FOUND && req->status != ERR_CONFLICT)
        r->st.failures++;
    req->done(req);
}

static void redis_take_greeting(struct redis_cache *r, const redisReply *reply)
{
    char why[200];

    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, sizeof(why), "%.*s", STR_FMT(reply_str(reply)));
        redis_lose(r, why);
        return;
    }
    if (--r->greetings == 0)
        redis_maybe_up(r);
}

void redis_cmd_reply(struct redis_sock *s, const redisReply *reply)
{
    struct redis_cache *r = s->data;
    struct list *it;

    if (r->state == REDIS_CONNECTING && r->greetings > 0) {
        redis_take_greeting(r, reply);
        return;
    }
    it = list_pop(&r->sent);
    if (!it) {
        redis_lose(r, "it sent an answer that nobody asked for");
        return;
    }
    struct redis_cmd *cmd = container_of(it, struct redis_cmd, link);
    struct cache_req *req = cmd->req;
    r->sent_count--;
    r->sent_bytes -= cmd->bytes;
    free(cmd);
    bool is_error = reply->type == REDIS_REPLY_ERROR;
    bool over = is_error && redis_is_over(reply_str(reply));
    if (is_error && !over)
        redis_note_error(r, reply_str(reply));
    if (req)
        redis_answer(r, req, reply);
    else if (is_error)
        r->st.failures++;
    if (over) {
        char why[200];
        snprintf(why, sizeof(why), "%.*s", STR_FMT(reply_str(reply)));
        redis_lose(r, why);
    }
}

void redis_fail_sent(struct redis_cache *r, int status, const char *why)
{
    uint64_t now = redis_now();
    struct list *it;

    while ((it = list_pop(&r->sent))) {
        struct redis_cmd *cmd = container_of(it, struct redis_cmd, link);
        bool late = status != ERR_CANCELLED && cmd->deadline <= now;
        r->st.timeouts += late;
        if (cmd->req) {
            r->st.failures++;
            cmd->req->status =
                err_set(&cmd->req->error, late ? ERR_TIMEOUT : status, "Redis: %s", why);
            cache_later_add(&r->later, cmd->req);
        }
        free(cmd);
    }
    r->sent_count = 0;
    r->sent_bytes = 0;
}

/* ---- channels ---- */

static void redis_subscribe(struct redis_cache *r, struct str word, struct str channel)
{
    char name[sizeof(r->prefix) + CACHE_KEY_MAX];

    redis_sock_add(&r->sub, 2, (struct str[]){word, redis_wire_channel(r, channel, name)});
}

void redis_subscribe_all(struct redis_cache *r)
{
    strmap_foreach(slot, &r->channels)
    {
        redis_subscribe(r, STR("SUBSCRIBE"), slot->key);
    }
}

void redis_listen(struct cache *c, struct str channel)
{
    struct redis_cache *r = redis_of(c);
    struct redis_channel *ch = strmap_get(&r->channels, channel);

    if (channel.n == 0 || channel.n > CACHE_KEY_MAX)
        return;
    if (!ch) {
        ch = mem_alloc(sizeof(*ch) + channel.n);
        memcpy(ch + 1, channel.p, channel.n);
        *ch = (struct redis_channel){.name = {(char *)(ch + 1), channel.n}};
        strmap_put(&r->channels, ch->name, ch);
        if (r->sub.connected)
            redis_subscribe(r, STR("SUBSCRIBE"), channel);
    }
    ch->count++;
}

void redis_unlisten(struct cache *c, struct str channel)
{
    struct redis_cache *r = redis_of(c);
    struct redis_channel *ch = strmap_get(&r->channels, channel);

    if (!ch || --ch->count > 0)
        return;
    if (r->sub.connected)
        redis_subscribe(r, STR("UNSUBSCRIBE"), channel);
    strmap_remove(&r->channels, channel);
    free(ch);
}

static void redis_pong(struct redis_cache *r)
{
    if (r->pings > 0)
        r->pings--;
    if (r->state == REDIS_CONNECTING && r->pings == 0) {
        r->sub_ready = true;
        redis_maybe_up(r);
    }
}

static void redis_push(struct redis_cache *r, struct str kind, struct str channel,
                       const redisReply *what)
{
    size_t n = strlen(r->prefix);

    if (channel.n <= n || memcmp(channel.p, r->prefix, n) != 0)
        return;
    channel.p += n;
    channel.n -= n;
    struct redis_channel *ch = strmap_get(&r->channels, channel);
    if (!ch)
        return; /* not any more */
    if (str_eqz(kind, "message") && what->type == REDIS_REPLY_STRING) {
        r->st.messages_in++;
        cache_tell_message(&r->c, channel, reply_str(what));
    } else if (str_eqz(kind, "subscribe") && !ch->heard) {
        ch->heard = true;
        cache_tell_listening(&r->c, channel);
    }
}

/* Answers to PING look different while there are subscriptions and while there are none. */
void redis_sub_reply(struct redis_sock *s, const redisReply *reply)
{
    struct redis_cache *r = s->data;
    char why[200];

    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, sizeof(why), "%.*s", STR_FMT(reply_str(reply)));
        redis_lose(r, why);
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2 &&
               reply_is_text(reply->element[0]) && reply_is_text(reply->element[1])) {
        struct str kind = reply_str(reply->element[0]);
        if (str_eqz(kind, "pong"))
            redis_pong(r);
        else if (reply->elements >= 3)
            redis_push(r, kind, reply_str(reply->element[1]), reply->element[2]);
    } else if (reply->type == REDIS_REPLY_STRING && str_eqz(reply_str(reply), PING_WORD)) {
        redis_pong(r);
    }
}
