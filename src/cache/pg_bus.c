#include "cache/pg_bus.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define STEADY_MS 2000 /* up so long: the next loss begins with the first pause again */

static void bus_begin(struct pg_bus *b);
static void bus_polled(uv_poll_t *h, int status, int events);

static uint64_t bus_now(void)
{
    return clock_mono_ns() / 1000000;
}

/* ---- watching the socket ---- */

static void bus_poll_closed(uv_handle_t *h)
{
    free(h);
}

static void bus_unwatch(struct pg_bus *b)
{
    if (b->poll)
        uv_close((uv_handle_t *)b->poll, bus_poll_closed);
    b->poll = NULL;
    b->events = 0;
}

void pg_bus_watch(struct pg_bus *b, int events)
{
    if (!b->poll) {
        b->poll = mem_zalloc(sizeof(*b->poll));
        if (uv_poll_init(b->loop, b->poll, PQsocket(b->conn))) {
            free(b->poll);
            b->poll = NULL;
            pg_bus_lose(b, "its socket cannot be watched");
            return;
        }
        b->poll->data = b;
        b->events = 0;
    }
    if (b->events != events) {
        b->events = events;
        uv_poll_start(b->poll, events, bus_polled);
    }
}

/* ---- away and back ---- */

static void bus_retry(uv_timer_t *t)
{
    bus_begin(t->data);
}

void pg_bus_lose(struct pg_bus *b, const char *why)
{
    if (b->state == PG_BUS_CLOSED || b->state == PG_BUS_AWAY)
        return;
    if (!b->said_away)
        log_warn("cache", "the message connection to PostgreSQL is away: %s",
                 why && why[0] ? why : "no reason given");
    b->said_away = true;
    if (b->up_since && bus_now() - b->up_since >= STEADY_MS)
        b->retry_ms = 0;
    b->up_since = 0;
    b->state = PG_BUS_AWAY;
    bus_unwatch(b);
    PQfinish(b->conn);
    b->conn = NULL;
    list_splice(&b->changed, &b->asked);
    pg_bus_drop_messages(b);
    b->retry_ms = b->retry_ms ? b->retry_ms * 2 : PG_BUS_RETRY_FIRST;
    if (b->retry_ms > PG_BUS_RETRY_MAX)
        b->retry_ms = PG_BUS_RETRY_MAX;
    uv_timer_start(&b->retry, bus_retry, b->retry_ms - clock_mono_ns() / 1000 % (b->retry_ms / 4),
                   0);
}

static void bus_gave_up(uv_timer_t *t)
{
    struct pg_bus *b = t->data;

    /* After a long turn of the loop the answer may be here, unread. */
    if (b->state == PG_BUS_BUSY || b->state == PG_BUS_LISTENING)
        pg_bus_take(b);
    if (b->state == PG_BUS_CONNECTING || b->state == PG_BUS_LISTENING || b->state == PG_BUS_BUSY)
        pg_bus_lose(b, "it does not answer");
}

static void bus_beat(uv_timer_t *t)
{
    pg_bus_beat(t->data);
}

void pg_bus_set_deadline(struct pg_bus *b)
{
    bool idle = b->state == PG_BUS_IDLE;
    uint64_t ms = idle                            ? PG_BUS_BEAT_MS
                  : b->state == PG_BUS_CONNECTING ? PG_BUS_CONNECT_MS
                                                  : PG_BUS_QUERY_MS;

    if (idle && b->rests) {
        uv_timer_stop(&b->retry);
        return;
    }
    uv_timer_start(&b->retry, idle ? bus_beat : bus_gave_up, ms, 0);
}

void pg_bus_up(struct pg_bus *b)
{
    b->up_since = bus_now();
    if (b->said_away)
        log_info("cache", "the message connection to PostgreSQL is back");
    b->said_away = b->said_failed = false;
    if (b->was_up) {
        b->st.reconnects++;
        cache_tell_missed(&b->c);
    }
    b->was_up = true;
}

/* ---- connecting ---- */

/* libpq may close its socket and open another, even of the same number, within a step: so the
 * watching ends before it and begins anew after it. */
static void bus_connect_step(struct pg_bus *b)
{
    bus_unwatch(b);
    switch (PQconnectPoll(b->conn)) {
    case PGRES_POLLING_READING:
        pg_bus_watch(b, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        pg_bus_watch(b, UV_WRITABLE);
        break;
    case PGRES_POLLING_OK:
        PQsetnonblocking(b->conn, 1);
        pg_bus_listen_all(b);
        break;
    case PGRES_POLLING_ACTIVE:
    case PGRES_POLLING_FAILED:
        pg_bus_lose(b, PQerrorMessage(b->conn));
        break;
    }
}

static void bus_polled(uv_poll_t *h, int status, int events)
{
    struct pg_bus *b = h->data;

    if (b->state == PG_BUS_CONNECTING) {
        bus_connect_step(b);
        return;
    }
    if (b->conn && (events & UV_WRITABLE)) {
        int left = PQflush(b->conn);
        if (left < 0) {
            pg_bus_lose(b, PQerrorMessage(b->conn));
            return;
        }
        if (left == 0)
            pg_bus_watch(b, UV_READABLE);
    }
    /* An error of the poll is something to read: the read says which. */
    if (b->conn && (status < 0 || (events & UV_READABLE)))
        pg_bus_take(b);
}

static void bus_ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static void bus_begin(struct pg_bus *b)
{
    /* What the URL does not say: those before dbname give way to it. */
    const char *keys[] = {"keepalives_idle",           "keepalives_interval",
                          "keepalives_count",          "tcp_user_timeout",
                          "fallback_application_name", "dbname",
                          "client_encoding",           NULL};
    const char *values[] = {"10", "5", "3", "15000", "sluice messages", b->url, "UTF8", NULL};

    b->state = PG_BUS_CONNECTING;
    pg_bus_set_deadline(b);
    b->conn = PQconnectStartParams(keys, values, 1);
    if (!b->conn || PQstatus(b->conn) == CONNECTION_BAD) {
        pg_bus_lose(b, b->conn ? PQerrorMessage(b->conn) : "out of memory");
        return;
    }
    PQsetNoticeReceiver(b->conn, bus_ignore_notice, NULL);
    pg_bus_watch(b, UV_WRITABLE);
}

/* ---- opening and closing ---- */

static void bus_submit(struct cache *c, struct cache_req *req)
{
    struct pg_bus *b = pg_bus_of(c);

    cache_submit(b->values, req);
}

static void bus_stats(struct cache *c, struct cache_stats *out)
{
    struct pg_bus *b = pg_bus_of(c);
    struct cache_stats values;

    cache_stats(b->values, &values);
    *out = b->st;
    out->requests += values.requests;
    out->failures += values.failures;
    out->up = b->state == PG_BUS_IDLE || b->state == PG_BUS_BUSY;
}

static void bus_rest(struct cache *c, bool on)
{
    struct pg_bus *b = pg_bus_of(c);

    b->rests = on;
    if (b->state == PG_BUS_IDLE)
        pg_bus_set_deadline(b);
}

static void bus_part_closed(void *data)
{
    struct pg_bus *b = data;
    void (*closed)(void *) = b->closed;
    void *closed_data = b->closed_data;

    if (--b->handles > 0)
        return;
    strmap_foreach(s, &b->channels)
    {
        free(s->value);
    }
    strmap_deinit(&b->channels);
    free(b->url);
    free(b);
    closed(closed_data);
}

static void bus_retry_closed(uv_handle_t *h)
{
    bus_part_closed(h->data);
}

static void bus_later_closed(uv_handle_t *h)
{
    bus_part_closed(container_of((struct cache_later *)h->data, struct pg_bus, later));
}

static void bus_close(struct cache *c, void (*closed)(void *data), void *data)
{
    struct pg_bus *b = pg_bus_of(c);

    b->closed = closed;
    b->closed_data = data;
    b->state = PG_BUS_CLOSED;
    bus_unwatch(b);
    PQfinish(b->conn);
    b->conn = NULL;
    pg_bus_drop_messages(b);
    b->handles = 3;
    cache_close(b->values, bus_part_closed, b);
    uv_close((uv_handle_t *)&b->retry, bus_retry_closed);
    uv_close((uv_handle_t *)&b->later.idle, bus_later_closed);
}

static const struct cache_vtable pg_bus_vtable = {
    .name = "postgres",
    .shared = true,
    .message_max = CACHE_NOTIFY_BYTES,
    .submit = bus_submit,
    .listen = pg_bus_listen,
    .unlisten = pg_bus_unlisten,
    .publish = pg_bus_publish,
    .stats = bus_stats,
    .rest = bus_rest,
    .close = bus_close,
};

static void bus_turn(struct cache_later *later)
{
    pg_bus_next(container_of(later, struct pg_bus, later));
}

int cache_pg_open(struct cache **out, struct uv_loop_s *loop, const char *url, struct errbuf *e)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    struct pg_bus *b;

    if (!options) {
        err_set(e, ERR_INVALID, "the database's URL does not read: %s", why ? why : "");
        PQfreemem(why);
        return ERR_INVALID;
    }
    PQconninfoFree(options);
    b = mem_zalloc(sizeof(*b));
    cache_init(&b->c, &pg_bus_vtable);
    cache_mem_open(&b->values, loop);
    b->loop = loop;
    b->url = mem_strdup(url);
    strmap_init(&b->channels);
    list_init(&b->changed);
    list_init(&b->asked);
    list_init(&b->out);
    cache_later_open(&b->later, loop);
    b->later.turn = bus_turn;
    uv_timer_init(loop, &b->retry);
    b->retry.data = b;
    bus_begin(b);
    *out = &b->c;
    return 0;
}
