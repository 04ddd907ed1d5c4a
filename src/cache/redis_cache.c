#include "cache/redis_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static void redis_begin(struct redis_cache *r);

uint64_t redis_now(void)
{
    return clock_mono_ns() / 1000000;
}

/* ---- away ---- */

bool redis_is_refusal(struct str error)
{
    static const char *const words[] = {"NOAUTH",
                                        "WRONGPASS",
                                        "NOPERM",
                                        "ERR AUTH",
                                        "ERR invalid password",
                                        "ERR Client sent AUTH"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);
        if (error.n >= n && memcmp(error.p, words[i], n) == 0)
            return true;
    }
    return false;
}

static void redis_say_away(struct redis_cache *r, const char *why)
{
    if (redis_is_refusal(str_of(why)) && !r->said_refused) {
        r->said_refused = r->said_away = true;
        log_error("cache", "Redis at %s does not let us in, check user and password of --cache: %s",
                  r->url.where, why);
    } else if (!r->said_away) {
        r->said_away = true;
        log_warn("cache", "Redis at %s is away: %s; going on without it", r->url.where, why);
    }
}

static void redis_retry(uv_timer_t *t)
{
    redis_begin(t->data);
}

/* Twice as long as the last time, and not all instances at once. */
static void redis_rest(struct redis_cache *r)
{
    r->retry_ms = r->retry_ms ? r->retry_ms * 2 : REDIS_RETRY_MS_FIRST;
    if (r->retry_ms > REDIS_RETRY_MS_MAX)
        r->retry_ms = REDIS_RETRY_MS_MAX;
    uv_timer_start(&r->retry, redis_retry, r->retry_ms - clock_mono_ns() / 1000 % (r->retry_ms / 4),
                   0);
}

void redis_lose(struct redis_cache *r, const char *why)
{
    if (r->state == REDIS_CLOSED || r->state == REDIS_AWAY)
        return;
    if (r->state == REDIS_UP && redis_now() - r->up_since >= REDIS_STEADY_MS)
        r->retry_ms = 0;
    r->state = REDIS_AWAY;
    redis_say_away(r, why);
    redis_sock_close(&r->cmd);
    redis_sock_close(&r->sub);
    uv_timer_stop(&r->tick);
    uv_timer_stop(&r->beat);
    uv_prepare_stop(&r->flush);
    redis_fail_sent(r, ERR_UNAVAILABLE, why);
    if (!r->resolving)
        redis_rest(r);
}

static void redis_gave_up(uv_timer_t *t)
{
    redis_lose(t->data, "it cannot be reached in time");
}

static void redis_sock_lost(struct redis_sock *s, const char *why)
{
    redis_lose(s->data, why);
}

/* ---- up ---- */

static void redis_flush(uv_prepare_t *h)
{
    struct redis_cache *r = h->data;

    redis_sock_flush(&r->cmd);
    redis_sock_flush(&r->sub);
}

static void redis_beat(uv_timer_t *t)
{
    struct redis_cache *r = t->data;

    redis_sock_read(&r->sub); /* after a long turn the answer may be here, unread */
    if (r->state != REDIS_UP)
        return;
    if (r->pings > 0)
        redis_lose(r, "it does not answer");
    else
        redis_ping(r);
}

void redis_maybe_up(struct redis_cache *r)
{
    bool again = r->was_up;

    if (r->state != REDIS_CONNECTING || r->greetings > 0 || !r->cmd.connected || !r->sub_ready)
        return;
    r->state = REDIS_UP;
    r->up_since = redis_now();
    uv_timer_stop(&r->retry);
    uv_timer_start(&r->beat, redis_beat, REDIS_BEAT_MS, REDIS_BEAT_MS);
    if (r->said_away)
        log_info("cache", "Redis at %s is back", r->url.where);
    r->said_away = r->said_refused = r->said_error = false;
    r->was_up = true;
    if (again) {
        r->st.reconnects++;
        cache_tell_missed(&r->c);
    }
}

static unsigned redis_authenticate(struct redis_cache *r, struct redis_sock *s)
{
    struct str user = str_of(r->url.user), password = str_of(r->url.password);

    if (!password.n)
        return 0;
    if (user.n)
        redis_sock_add(s, 3, (struct str[]){STR("AUTH"), user, password});
    else
        redis_sock_add(s, 2, (struct str[]){STR("AUTH"), password});
    return 1;
}

static void redis_cmd_connected(struct redis_sock *s)
{
    struct redis_cache *r = s->data;
    char db[16];

    r->greetings += redis_authenticate(r, s);
    if (r->url.db > 0) {
        snprintf(db, sizeof(db), "%d", r->url.db);
        redis_sock_add(s, 2, (struct str[]){STR("SELECT"), str_of(db)});
        r->greetings++;
    }
    redis_sock_add(s, 1, (struct str[]){STR("PING")});
    r->greetings++;
}

static void redis_sub_connected(struct redis_sock *s)
{
    struct redis_cache *r = s->data;

    redis_authenticate(r, s);
    redis_subscribe_all(r);
    redis_ping(r);
}

/* ---- connecting ---- */

static void redis_connect(struct redis_cache *r, const char *address)
{
    struct errbuf e = {""};

    r->state = REDIS_CONNECTING;
    r->greetings = 0;
    r->pings = 0;
    r->sub_ready = false;
    if (redis_sock_open(&r->cmd, r->loop, &r->url, address, &e) ||
        redis_sock_open(&r->sub, r->loop, &r->url, address, &e))
        redis_lose(r, e.text);
    else
        uv_prepare_start(&r->flush, redis_flush);
}

static void redis_maybe_closed(struct redis_cache *r);

static void redis_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct redis_cache *r = req->data;
    char address[64] = "";
    unsigned count = 0, n = 0;

    r->resolving = false;
    for (struct addrinfo *a = found; status == 0 && a; a = a->ai_next)
        count++;
    for (struct addrinfo *a = found; status == 0 && a; a = a->ai_next, n++)
        if (n == r->attempt % count)
            uv_ip_name(a->ai_addr, address, sizeof(address));
    r->attempt++;
    if (found)
        uv_freeaddrinfo(found);
    if (r->state == REDIS_CLOSED) {
        r->handles--;
        redis_maybe_closed(r);
    } else if (r->state == REDIS_AWAY) {
        redis_rest(r); /* it took too long */
    } else if (address[0]) {
        redis_connect(r, address);
    } else {
        redis_lose(r, status ? uv_strerror(status) : "its name has no address");
    }
}

static void redis_begin(struct redis_cache *r)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    char port[8];

    uv_timer_start(&r->retry, redis_gave_up, REDIS_CONNECT_MS, 0);
    if (!r->url.host[0]) {
        redis_connect(r, NULL);
        return;
    }
    r->state = REDIS_RESOLVING;
    snprintf(port, sizeof(port), "%d", r->url.port);
    r->resolve.data = r;
    int rc = uv_getaddrinfo(r->loop, &r->resolve, redis_resolved, r->url.host, port, &hints);
    r->resolving = rc == 0;
    if (rc)
        redis_lose(r, uv_strerror(rc));
}

/* ---- opening and closing ---- */

static void redis_stats(struct cache *c, struct cache_stats *out)
{
    struct redis_cache *r = redis_of(c);

    *out = r->st;
    out->up = r->state == REDIS_UP;
}

static void redis_maybe_closed(struct redis_cache *r)
{
    void (*closed)(void *) = r->closed;
    void *data = r->closed_data;

    if (r->handles > 0)
        return;
    cache_later_finish(&r->later);
    strmap_foreach(s, &r->channels)
    {
        free(s->value);
    }
    strmap_deinit(&r->channels);
    redis_tls_destroy(r->tls);
    memset(r->url.password, 0, sizeof(r->url.password));
    free(r);
    closed(data);
}

static void redis_handle_closed(uv_handle_t *h)
{
    struct redis_cache *r = h->data;

    r->handles--;
    redis_maybe_closed(r);
}

static void redis_later_closed(uv_handle_t *h)
{
    struct redis_cache *r = container_of((struct cache_later *)h->data, struct redis_cache, later);

    r->handles--;
    redis_maybe_closed(r);
}

static void redis_close(struct cache *c, void (*closed)(void *data), void *data)
{
    struct redis_cache *r = redis_of(c);

    r->closed = closed;
    r->closed_data = data;
    r->state = REDIS_CLOSED;
    redis_sock_close(&r->cmd);
    redis_sock_close(&r->sub);
    redis_fail_sent(r, ERR_CANCELLED, "the cache was closed");
    r->handles = 5;
    if (r->resolving) {
        r->handles++;
        uv_cancel((uv_req_t *)&r->resolve);
    }
    uv_close((uv_handle_t *)&r->retry, redis_handle_closed);
    uv_close((uv_handle_t *)&r->tick, redis_handle_closed);
    uv_close((uv_handle_t *)&r->beat, redis_handle_closed);
    uv_close((uv_handle_t *)&r->flush, redis_handle_closed);
    uv_close((uv_handle_t *)&r->later.idle, redis_later_closed);
}

static const struct cache_vtable redis_vtable = {
    .name = "redis",
    .shared = true,
    .values_shared = true,
    .message_max = CACHE_MESSAGE_MAX,
    .submit = redis_submit,
    .listen = redis_listen,
    .unlisten = redis_unlisten,
    .publish = redis_publish,
    .stats = redis_stats,
    .close = redis_close,
};

static void redis_sock_init(struct redis_sock *s, struct redis_cache *r)
{
    s->data = r;
    s->tls = r->tls;
    s->on_lost = redis_sock_lost;
}

int cache_redis_open(struct cache **out, struct uv_loop_s *loop, const char *url, struct errbuf *e)
{
    struct redis_cache *r = mem_zalloc(sizeof(*r));
    int rc = redis_url_parse(url, &r->url, e);

    if (rc == 0 && r->url.tls)
        rc = redis_tls_create(&r->tls, r->url.host, e);
    if (rc) {
        free(r);
        return rc;
    }
    cache_init(&r->c, &redis_vtable);
    r->loop = loop;
    snprintf(r->prefix, sizeof(r->prefix), r->url.db ? "sluice:%d:" : "sluice:", r->url.db);
    list_init(&r->sent);
    strmap_init(&r->channels);
    cache_later_open(&r->later, loop);
    uv_timer_init(loop, &r->retry);
    uv_timer_init(loop, &r->tick);
    uv_timer_init(loop, &r->beat);
    uv_prepare_init(loop, &r->flush);
    r->retry.data = r->tick.data = r->beat.data = r->flush.data = r;
    redis_sock_init(&r->cmd, r);
    r->cmd.on_connected = redis_cmd_connected;
    r->cmd.on_reply = redis_cmd_reply;
    redis_sock_init(&r->sub, r);
    r->sub.on_connected = redis_sub_connected;
    r->sub.on_reply = redis_sub_reply;
    redis_begin(r);
    *out = &r->c;
    return 0;
}
