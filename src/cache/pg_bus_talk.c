/* What the bus asks PostgreSQL, and what comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cache/pg_bus.h"

#define QUERY_BYTES_MAX (64u << 20)

/* ---- queries ---- */

static void bus_sent(struct pg_bus *b, enum pg_bus_state state, int ok)
{
    if (!ok) {
        pg_bus_lose(b, PQerrorMessage(b->conn));
        return;
    }
    b->state = state;
    pg_bus_set_deadline(b);
    pg_bus_watch(b, PQflush(b->conn) ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

/* Channel names are quoted: a name is no place for SQL. */
static void bus_quote(struct buf *sql, const char *name)
{
    buf_append_char(sql, '"');
    for (; *name; name++) {
        if (*name == '"')
            buf_append_char(sql, '"');
        buf_append_char(sql, *name);
    }
    buf_append_char(sql, '"');
}

static void bus_ask_channels(struct pg_bus *b, enum pg_bus_state state)
{
    struct buf sql;
    struct list *it;

    buf_init(&sql, QUERY_BYTES_MAX);
    /* A message needs no flush to disk: it may be lost. */
    buf_append_z(&sql, state == PG_BUS_LISTENING ? "SET synchronous_commit = off;" : "");
    while ((it = list_pop(&b->changed))) {
        struct pg_channel *ch = container_of(it, struct pg_channel, link);
        buf_append_z(&sql, ch->count ? "LISTEN " : "UNLISTEN ");
        bus_quote(&sql, ch->wire);
        buf_append_char(&sql, ';');
        if (ch->count) {
            list_append(&b->asked, it);
        } else {
            strmap_remove(&b->channels, str_of(ch->wire));
            free(ch);
        }
    }
    bus_sent(b, state, PQsendQuery(b->conn, sql.data));
    buf_deinit(&sql);
}

void pg_bus_listen_all(struct pg_bus *b)
{
    strmap_foreach(s, &b->channels)
    {
        struct pg_channel *ch = s->value;
        list_remove(&ch->link);
        list_append(&b->changed, &ch->link);
    }
    bus_ask_channels(b, PG_BUS_LISTENING);
}

static void bus_send_messages(struct pg_bus *b)
{
    const char *values[2 * PG_BUS_BATCH];
    struct list batch, *it;
    struct buf sql;
    int n = 0;

    list_init(&batch);
    buf_init(&sql, QUERY_BYTES_MAX);
    while (n < PG_BUS_BATCH && (it = list_pop(&b->out))) {
        struct pg_message *m = container_of(it, struct pg_message, link);
        list_append(&batch, it);
        buf_printf(&sql, "%spg_notify($%d,$%d)", n ? "," : "SELECT ", 2 * n + 1, 2 * n + 2);
        values[2 * n] = m->wire;
        values[2 * n + 1] = m->payload;
        n++;
    }
    b->out_count -= (size_t)n;
    bus_sent(b, PG_BUS_BUSY,
             PQsendQueryParams(b->conn, sql.data, 2 * n, NULL, values, NULL, NULL, 0));
    buf_deinit(&sql);
    while ((it = list_pop(&batch)))
        free(container_of(it, struct pg_message, link));
}

void pg_bus_next(struct pg_bus *b)
{
    if (b->state != PG_BUS_IDLE)
        return;
    if (!list_empty(&b->changed))
        bus_ask_channels(b, PG_BUS_BUSY);
    else if (!list_empty(&b->out))
        bus_send_messages(b);
}

void pg_bus_beat(struct pg_bus *b)
{
    bus_sent(b, PG_BUS_BUSY, PQsendQuery(b->conn, "SELECT 1"));
}

/* ---- what comes back ---- */

static void bus_asked_done(struct pg_bus *b)
{
    struct list asked, *it;

    list_init(&asked);
    list_splice(&asked, &b->asked);
    while (b->state != PG_BUS_CLOSED && (it = list_pop(&asked))) {
        struct pg_channel *ch = container_of(it, struct pg_channel, link);
        if (ch->count == 0) {
            list_append(&b->changed, it);
        } else if (!ch->heard) {
            ch->heard = true;
            cache_tell_listening(&b->c, ch->name);
        }
    }
}

static void bus_query_done(struct pg_bus *b)
{
    bool first = b->state == PG_BUS_LISTENING;

    b->state = PG_BUS_IDLE;
    pg_bus_set_deadline(b);
    if (first)
        pg_bus_up(b);
    bus_asked_done(b);
    pg_bus_next(b);
}

/* False when the connection was given up. */
static bool bus_take_result(struct pg_bus *b, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    char why[300];

    snprintf(why, sizeof(why), "%s", ok ? "" : PQresultErrorMessage(res));
    PQclear(res);
    if (ok)
        return true;
    if (status != PGRES_FATAL_ERROR || !list_empty(&b->asked)) {
        pg_bus_lose(b, why[0] ? why : "it gave an answer of the wrong kind");
        return false;
    }
    b->st.failures++;
    if (!b->said_failed)
        log_warn("cache", "PostgreSQL refuses a message: %s", why);
    b->said_failed = true;
    return true;
}

static void bus_take_notifications(struct pg_bus *b)
{
    PGnotify *n;

    while (b->conn && (n = PQnotifies(b->conn))) {
        struct pg_channel *ch = strmap_get(&b->channels, str_of(n->relname));
        if (ch && ch->count > 0 && b->state != PG_BUS_LISTENING) {
            b->st.messages_in++;
            cache_tell_message(&b->c, ch->name, str_of(n->extra));
        }
        PQfreemem(n);
    }
}

void pg_bus_take(struct pg_bus *b)
{
    PGresult *res;

    if (!PQconsumeInput(b->conn)) {
        pg_bus_lose(b, PQerrorMessage(b->conn));
        return;
    }
    bus_take_notifications(b);
    while (b->conn && (b->state == PG_BUS_BUSY || b->state == PG_BUS_LISTENING) &&
           !PQisBusy(b->conn)) {
        res = PQgetResult(b->conn);
        if (!res) {
            bus_query_done(b);
            return; /* the next query's answer is read with the next event */
        }
        if (!bus_take_result(b, res))
            return;
    }
}

/* ---- the interface ---- */

/* PostgreSQL's names are short: a longer one goes by a hash, which all instances make alike. */
static void wire_name(struct str channel, char out[PG_BUS_NAME_MAX + 1])
{
    static const char prefix[] = "sluice:";
    uint64_t h[2] = {0xcbf29ce484222325u, 0x84222325cbf29ce4u};

    if (channel.n + sizeof(prefix) <= PG_BUS_NAME_MAX + 1) {
        snprintf(out, PG_BUS_NAME_MAX + 1, "%s%.*s", prefix, STR_FMT(channel));
        return;
    }
    for (size_t i = 0; i < channel.n; i++) {
        h[0] = (h[0] ^ (unsigned char)channel.p[i]) * 0x100000001b3u;
        h[1] = (h[1] + (unsigned char)channel.p[i]) * 0x9e3779b97f4a7c15u;
    }
    snprintf(out, PG_BUS_NAME_MAX + 1, "%s#%016llx%016llx", prefix, (unsigned long long)h[0],
             (unsigned long long)h[1]);
}

static bool text_is_safe(struct str s)
{
    return utf8_is_valid(s) && (s.n == 0 || !memchr(s.p, 0, s.n));
}

void pg_bus_listen(struct cache *c, struct str channel)
{
    struct pg_bus *b = pg_bus_of(c);
    char wire[PG_BUS_NAME_MAX + 1];

    if (channel.n == 0 || channel.n > CACHE_KEY_MAX || !text_is_safe(channel))
        return;
    wire_name(channel, wire);
    struct pg_channel *ch = strmap_get(&b->channels, str_of(wire));
    if (!ch) {
        ch = mem_zalloc(sizeof(*ch) + channel.n);
        memcpy(ch + 1, channel.p, channel.n);
        ch->name = (struct str){(char *)(ch + 1), channel.n};
        memcpy(ch->wire, wire, sizeof(wire));
        list_init(&ch->link);
        strmap_put(&b->channels, str_of(ch->wire), ch);
    }
    if (ch->count++ == 0 && !list_is_linked(&ch->link)) {
        list_append(&b->changed, &ch->link);
        cache_later_wake(&b->later);
    }
}

void pg_bus_unlisten(struct cache *c, struct str channel)
{
    struct pg_bus *b = pg_bus_of(c);
    char wire[PG_BUS_NAME_MAX + 1];

    if (channel.n == 0 || channel.n > CACHE_KEY_MAX)
        return;
    wire_name(channel, wire);
    struct pg_channel *ch = strmap_get(&b->channels, str_of(wire));
    if (!ch || ch->count == 0)
        return;
    ch->count--;
    if (ch->count > 0)
        return;
    ch->heard = false;
    if (!list_is_linked(&ch->link)) {
        list_append(&b->changed, &ch->link);
        cache_later_wake(&b->later);
    }
}

int pg_bus_publish(struct cache *c, struct str channel, struct str payload)
{
    struct pg_bus *b = pg_bus_of(c);
    int rc = cache_message_check(c, channel, payload);

    if (rc == 0 && (!text_is_safe(channel) || !text_is_safe(payload)))
        rc = ERR_INVALID;
    if (rc == 0 && b->state != PG_BUS_IDLE && b->state != PG_BUS_BUSY)
        rc = ERR_UNAVAILABLE;
    if (rc == 0 && b->out_count >= PG_BUS_QUEUE_MAX)
        rc = ERR_OVERLOAD;
    if (rc)
        return rc;
    struct pg_message *m = mem_alloc(sizeof(*m) + payload.n + 1);
    wire_name(channel, m->wire);
    if (payload.n)
        memcpy(m->payload, payload.p, payload.n);
    m->payload[payload.n] = 0;
    list_append(&b->out, &m->link);
    b->out_count++;
    b->st.messages_out++;
    cache_later_wake(&b->later);
    return 0;
}

void pg_bus_drop_messages(struct pg_bus *b)
{
    struct list *it;

    while ((it = list_pop(&b->out)))
        free(container_of(it, struct pg_message, link));
    b->out_count = 0;
}
