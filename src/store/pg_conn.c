#include "store/pg_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pack.h"

#define PG_LIBPQ_MIN_VERSION 130000

/* ---- words ---- */

void pg_error_text(struct errbuf *e, const char *text)
{
    size_t n = 0;

    if (!text)
        text = "";
    for (; *text && n + 1 < sizeof(e->text); text++) {
        bool space = *text == '\n' || *text == '\t' || *text == ' ';
        if (space && (n == 0 || e->text[n - 1] == ' '))
            continue;
        e->text[n++] = space ? ' ' : *text;
    }
    while (n > 0 && e->text[n - 1] == ' ')
        n--;
    e->text[n] = '\0';
}

int pg_error_code(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        int code;
    } table[] = {
        {"08", ERR_UNAVAILABLE}, /* connection */
        {"22", ERR_CONFLICT},    /* a value that its column does not take */
        {"23", ERR_CONFLICT},    /* unique, foreign key, not null */
        {"SL", ERR_CONFLICT},
        {"25006", ERR_UNAVAILABLE}, /* a standby: the primary has moved */
        {"40", ERR_UNAVAILABLE},    /* serialization, deadlock */
        {"53", ERR_UNAVAILABLE},    /* disk full, out of memory, too many connections */
        {"54", ERR_TOO_LARGE},
        {"55", ERR_UNAVAILABLE}, /* locked */
        {"57", ERR_UNAVAILABLE}, /* cancelled, shut down */
        {"58", ERR_IO},
        {"42P01", ERR_CORRUPT}, /* no such table: somebody took the schema down */
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].code;
    return ERR_IO;
}

/* ---- connecting ---- */

/* What the URL does not say: those before dbname give way to it. */
struct conn_words {
    const char *keys[12], *values[12];
};

static struct conn_words conn_words(const char *url)
{
    return (struct conn_words){
        .keys = {"connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
                 "tcp_user_timeout", "fallback_application_name", "dbname", "client_encoding"},
        .values = {"5", "10", "5", "3", "15000", "sluice", url, "UTF8"},
    };
}

int pg_connect_now(const char *url, PGconn **out, struct errbuf *e)
{
    struct conn_words words = conn_words(url);
    PGconn *handle = PQconnectdbParams(words.keys, words.values, 1);
    struct errbuf reason = {""};

    if (handle && PQstatus(handle) == CONNECTION_OK &&
        PQserverVersion(handle) >= PG_LIBPQ_MIN_VERSION) {
        *out = handle;
        return 0;
    }
    if (handle && PQstatus(handle) == CONNECTION_OK)
        err_set(&reason, 0, "the server is older than version 13");
    else
        pg_error_text(&reason, handle ? PQerrorMessage(handle) : "out of memory");
    PQfinish(handle);
    return err_set(e, ERR_UNAVAILABLE, "cannot connect to PostgreSQL: %s", reason.text);
}

static void conn_freed(uv_handle_t *handle)
{
    free(handle);
}

/* libpq closes and opens sockets as it likes while it connects: a poll handle is of one socket. */
static void conn_unpoll(struct pg_conn *c)
{
    if (c->poll) {
        uv_poll_stop(c->poll);
        uv_close((uv_handle_t *)c->poll, conn_freed);
    }
    c->poll = NULL;
    c->polled = 0;
}

static void conn_clear_results(struct pg_conn *c)
{
    for (int i = 0; i < c->item_count; i++)
        PQclear(c->items[i].result);
    c->item_count = c->item_answered = 0;
}

void pg_conn_close(struct pg_conn *c)
{
    conn_unpoll(c);
    if (c->timer)
        uv_close((uv_handle_t *)c->timer, conn_freed);
    c->timer = NULL;
    conn_clear_results(c);
    PQfinish(c->handle);
    c->handle = NULL;
    c->state = PG_OFF;
    c->in_transaction = false;
    c->greetings = 0;
    memset(c->prepared, 0, sizeof(c->prepared));
}

/* `text` NULL: libpq's own words. */
static void conn_drop(struct pg_conn *c, const char *text)
{
    pg_error_text(&c->error, text ? text : PQerrorMessage(c->handle));
    if (c->error.text[0] == '\0')
        err_set(&c->error, 0, "the connection was closed");
    pg_conn_close(c);
    c->lost(c);
}

static void conn_timed_out(uv_timer_t *timer)
{
    struct pg_conn *c = timer->data;

    conn_drop(c, c->state == PG_CONNECTING ? "no answer while connecting"
                                           : "a statement was not answered in time");
}

static void conn_polled(uv_poll_t *poll, int status, int events);

static void conn_poll(struct pg_conn *c, int events)
{
    if (!c->poll) {
        c->poll = mem_alloc(sizeof(*c->poll));
        if (uv_poll_init_socket(c->loop, c->poll, PQsocket(c->handle)) != 0)
            abort(); /* a socket that the system has just given us */
        c->poll->data = c;
    }
    if (c->polled != events) /* libuv would take the socket out of its set and put it in again */
        uv_poll_start(c->poll, events, conn_polled);
    c->polled = events;
}

static bool conn_is_alone(const struct pg_conn *c)
{
    return c->lock[0] != 0 || c->lock[1] != 0;
}

/* How a session of ours behaves (pg_sql.c), and, for a writer, that it is the only one. */
static void conn_greet(struct pg_conn *c)
{
    static const enum pg_sql ghosts[] = {PG_WRITER_END, PG_WRITER_LOCK};
    struct pgq q;

    c->greetings++;
    c->state = PG_READY;
    pg_conn_add(c, c->reader ? PG_SETUP_READER : PG_SETUP_WRITER);
    for (int i = 0; i < 2 && conn_is_alone(c); i++) {
        pgq_start(&q, c, ghosts[i]);
        pgq_i64(&q, c->lock[0]);
        pgq_i64(&q, c->lock[1]);
        pgq_end(&q);
    }
    pg_conn_send(c);
}

static void conn_greet_again(uv_timer_t *timer)
{
    conn_greet(timer->data);
}

static void conn_greeted(struct pg_conn *c)
{
    struct pgr r;

    if (c->failed) {
        conn_drop(c, c->error.text);
        return;
    }
    if (conn_is_alone(c)) {
        pgr_open_last(&r, c);
        if (!pgr_next(&r) || !pgr_bool(&r)) {
            if (c->greetings < PG_GHOST_MAX) {
                c->state = PG_WAITING;
                uv_timer_start(c->timer, conn_greet_again, PG_GHOST_MS, 0);
            } else {
                conn_drop(c, "the server still works on what a lost connection sent");
            }
            return;
        }
    }
    c->greetings = 0;
    c->ready(c);
}

static void conn_established(struct pg_conn *c)
{
    if (PQserverVersion(c->handle) < PG_LIBPQ_MIN_VERSION) {
        conn_drop(c, "the server is older than version 13");
        return;
    }
    if (PQsetnonblocking(c->handle, 1) != 0 || PQenterPipelineMode(c->handle) != 1) {
        conn_drop(c, NULL);
        return;
    }
    conn_greet(c);
}

static void conn_connect_step(struct pg_conn *c)
{
    conn_unpoll(c);
    switch (PQconnectPoll(c->handle)) {
    case PGRES_POLLING_OK:
        conn_established(c);
        return;
    case PGRES_POLLING_READING:
        conn_poll(c, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        conn_poll(c, UV_WRITABLE);
        return;
    case PGRES_POLLING_ACTIVE: /* not used by libpq */
    case PGRES_POLLING_FAILED:
        break;
    }
    conn_drop(c, NULL);
}

static void conn_failed_at_once(uv_timer_t *timer)
{
    conn_drop(timer->data, NULL);
}

/* What the server says beside its answers: else libpq would print it. */
static void conn_noticed(void *data, const char *text)
{
    struct errbuf line;

    (void)data;
    pg_error_text(&line, text);
    log_debug("store", "PostgreSQL: %s", line.text);
}

static void conn_begin(struct pg_conn *c, PGconn *handle)
{
    assert(c->state == PG_OFF);
    c->state = PG_CONNECTING;
    c->handle = handle;
    c->timer = mem_alloc(sizeof(*c->timer));
    uv_timer_init(c->loop, c->timer);
    c->timer->data = c;
}

static void conn_taken(uv_timer_t *timer)
{
    conn_established(timer->data);
}

void pg_conn_take(struct pg_conn *c, PGconn *handle)
{
    conn_begin(c, handle);
    PQsetNoticeProcessor(c->handle, conn_noticed, NULL);
    uv_timer_start(c->timer, conn_taken, 0, 0); /* not from within the caller */
}

void pg_conn_open(struct pg_conn *c)
{
    struct conn_words words = conn_words(c->url);

    conn_begin(c, PQconnectStartParams(words.keys, words.values, 1));
    if (!c->handle || PQstatus(c->handle) == CONNECTION_BAD) {
        uv_timer_start(c->timer, conn_failed_at_once, 1, 0);
        return;
    }
    PQsetNoticeProcessor(c->handle, conn_noticed, NULL);
    uv_timer_start(c->timer, conn_timed_out, PG_CONNECT_MS, 0);
    conn_poll(c, UV_WRITABLE); /* as if PQconnectPoll had asked for it, says its manual */
}

/* ---- a batch ---- */

static struct pg_item *conn_item(struct pg_conn *c, enum pg_sql sql, bool is_prepare)
{
    assert(c->item_count < (int)(sizeof(c->items) / sizeof(*c->items)));
    struct pg_item *item = &c->items[c->item_count++];
    *item = (struct pg_item){.sql = sql, .is_prepare = is_prepare};
    return item;
}

/* Whether an earlier statement of this very batch prepares it. */
static bool conn_prepares(const struct pg_conn *c, enum pg_sql sql)
{
    for (int i = 0; i < c->item_count; i++)
        if (c->items[i].is_prepare && c->items[i].sql == sql)
            return true;
    return false;
}

static void conn_name(enum pg_sql sql, char out[16])
{
    snprintf(out, 16, "s%d", (int)sql);
}

void pgq_start(struct pgq *q, struct pg_conn *c, enum pg_sql sql)
{
    assert(c->state == PG_READY);
    if (c->item_answered > 0) /* the results of the batch before */
        conn_clear_results(c);
    q->conn = c;
    q->sql = sql;
    q->count = 0;
}

static void pgq_add(struct pgq *q, const void *p, size_t n)
{
    assert(q->count < PG_PARAMS_MAX);
    q->values[q->count] = p;
    q->lengths[q->count++] = (int)n;
}

static void pgq_number(struct pgq *q, uint64_t v, int bytes)
{
    uint8_t *p = q->numbers[q->count];

    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
    pgq_add(q, p, (size_t)bytes);
}

void pgq_i64(struct pgq *q, int64_t v)
{
    pgq_number(q, (uint64_t)v, 8);
}

void pgq_bool(struct pgq *q, bool v)
{
    pgq_number(q, v, 1);
}

void pgq_str(struct pgq *q, struct str s)
{
    pgq_add(q, s.p, s.n);
}

void pgq_id(struct pgq *q, const struct id *id)
{
    pgq_add(q, id->b, sizeof(id->b));
}

void pgq_id_or_null(struct pgq *q, const struct id *id)
{
    pgq_add(q, id_is_zero(*id) ? NULL : id->b, sizeof(id->b));
}

void pgq_bytes(struct pgq *q, const struct buf *b)
{
    pgq_add(q, b->data, b->len);
}

void pgq_end(struct pgq *q)
{
    static const int formats[PG_PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                               1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct pg_conn *c = q->conn;
    char name[16];

    conn_name(q->sql, name);
    if (!c->prepared[q->sql] && !conn_prepares(c, q->sql)) {
        conn_item(c, q->sql, true);
        if (PQsendPrepare(c->handle, name, pg_sql_texts[q->sql], 0, NULL) != 1)
            c->send_failed = true;
    }
    conn_item(c, q->sql, false);
    if (PQsendQueryPrepared(c->handle, name, q->count, q->values, q->lengths, formats, 1) != 1)
        c->send_failed = true;
}

void pg_conn_add(struct pg_conn *c, enum pg_sql sql)
{
    struct pgq q;

    pgq_start(&q, c, sql);
    pgq_end(&q);
}

/* Writes what libpq still holds. */
static bool conn_flush(struct pg_conn *c)
{
    int rest = PQflush(c->handle);

    if (rest < 0)
        return false;
    conn_poll(c, UV_READABLE | (rest > 0 ? UV_WRITABLE : 0));
    return true;
}

void pg_conn_send(struct pg_conn *c)
{
    assert(c->state == PG_READY && c->item_count > 0);
    c->state = PG_BUSY;
    c->failed = 0;
    c->sqlstate[0] = '\0';
    if (c->send_failed || PQpipelineSync(c->handle) != 1 || !conn_flush(c)) {
        /* Not from within the caller. */
        c->send_failed = false;
        conn_unpoll(c);
        uv_timer_start(c->timer, conn_failed_at_once, 1, 0);
        return;
    }
    uv_timer_start(c->timer, conn_timed_out, c->batch_ms ? c->batch_ms : PG_BATCH_MS, 0);
}

/* ---- its answers ---- */

static void conn_note_failure(struct pg_conn *c, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (c->failed)
        return;
    snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state ? state : "XX000");
    c->failed = state ? pg_error_code(state) : ERR_IO;
    pg_error_text(&c->error, text ? text : PQresultErrorMessage(result));
}

static void conn_take(struct pg_conn *c, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (c->item_answered == c->item_count) { /* an error that came with the Sync itself */
        conn_note_failure(c, result);
        PQclear(result);
        return;
    }
    struct pg_item *item = &c->items[c->item_answered++];
    item->result = result;
    if (status == PGRES_COMMAND_OK && item->is_prepare)
        c->prepared[item->sql] = true;
    else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
             status != PGRES_PIPELINE_ABORTED)
        conn_note_failure(c, result);
}

static void conn_batch_over(struct pg_conn *c)
{
    uv_timer_stop(c->timer);
    c->state = PG_READY;
    c->in_transaction = PQtransactionStatus(c->handle) != PQTRANS_IDLE;
    if (c->greetings == 0)
        c->answered(c);
    else
        conn_greeted(c);
}

/* Takes what has come. True: the Sync was answered. */
static bool conn_read(struct pg_conn *c)
{
    int gaps = 0; /* libpq puts one NULL between two statements' results */

    while (!PQisBusy(c->handle) && gaps < 3) {
        PGresult *result = PQgetResult(c->handle);
        if (!result) {
            gaps++;
            continue;
        }
        gaps = 0;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return true;
        }
        conn_take(c, result);
    }
    return false;
}

static void conn_work(struct pg_conn *c)
{
    if (!PQconsumeInput(c->handle) || PQstatus(c->handle) == CONNECTION_BAD) {
        conn_drop(c, NULL);
        return;
    }
    if (c->state != PG_BUSY)
        return; /* a notice of the server's */
    if (conn_read(c))
        conn_batch_over(c);
    else if (PQstatus(c->handle) == CONNECTION_BAD || !conn_flush(c))
        conn_drop(c, NULL);
}

static void conn_polled(uv_poll_t *poll, int status, int events)
{
    struct pg_conn *c = poll->data;

    (void)events;
    if (status < 0) /* something that libpq will read; libuv has stopped looking */
        c->polled = 0;
    if (c->state == PG_CONNECTING)
        conn_connect_step(c);
    else
        conn_work(c);
}

/* ---- results ---- */

void pgr_open(struct pgr *r, const struct pg_conn *c, int n)
{
    *r = (struct pgr){.row = -1};
    for (int i = 0; i < c->item_answered; i++)
        if (!c->items[i].is_prepare && n-- == 0)
            r->result = c->items[i].result;
    assert(r->result);
}

void pgr_open_last(struct pgr *r, const struct pg_conn *c)
{
    assert(c->item_answered > 0 && c->item_answered == c->item_count);
    *r = (struct pgr){.row = -1, .result = c->items[c->item_count - 1].result};
}

bool pgr_next(struct pgr *r)
{
    r->column = 0;
    return ++r->row < PQntuples(r->result);
}

static struct str pgr_raw(struct pgr *r)
{
    int column = r->column++;

    assert(column < PQnfields(r->result));
    if (PQgetisnull(r->result, r->row, column))
        return STR_NULL;
    return (struct str){PQgetvalue(r->result, r->row, column),
                        (size_t)PQgetlength(r->result, r->row, column)};
}

int64_t pgr_i64(struct pgr *r)
{
    struct str raw = pgr_raw(r);
    uint64_t v = 0;

    if (raw.p && raw.n != 8)
        r->corrupt = true;
    for (size_t i = 0; raw.p && i < raw.n && i < 8; i++)
        v = v << 8 | (uint8_t)raw.p[i];
    return (int64_t)v;
}

bool pgr_bool(struct pgr *r)
{
    struct str raw = pgr_raw(r);

    return raw.p && raw.n == 1 && raw.p[0] != 0;
}

struct str pgr_str(struct pgr *r, struct arena *a)
{
    struct str raw = pgr_raw(r);

    return (struct str){raw.p ? arena_strdup(a, raw) : NULL, raw.n};
}

struct str pgr_text(struct pgr *r, struct arena *a)
{
    struct str raw = pgr_raw(r), text = STR_NULL;

    if (!pack_is_packed(raw))
        return (struct str){raw.p ? arena_strdup(a, raw) : NULL, raw.n};
    if (unpack(raw, a, &text) < 0)
        r->corrupt = true;
    return text;
}

struct str pgr_json(struct pgr *r, struct arena *a)
{
    static const struct json_limits limits = {.bytes_max = 1u << 30};
    struct str text = pgr_text(r, a);

    /* Deeper than a peer may send is no damage: we may have nested it ourselves. */
    if (text.p && json_check(text, &limits, NULL) == ERR_INVALID)
        r->corrupt = true;
    return text;
}

void pgr_id(struct pgr *r, struct id *out)
{
    struct str raw = pgr_raw(r);

    *out = (struct id){{0}};
    if (raw.n == sizeof(out->b))
        memcpy(out->b, raw.p, raw.n);
    else if (raw.p)
        r->corrupt = true;
}

int64_t pgr_changed(const struct pg_conn *c, int n)
{
    struct pgr r;

    pgr_open(&r, c, n);
    return strtoll(PQcmdTuples(r.result), NULL, 10);
}
