/* The model stand-in: an OpenAI-wire server that streams known text at a set pace, keeps the truth
 * about what it sent, and fails on request. bench/README.md has its flags, routes and directives.
 *
 *     connection ──bytes──> request ──plan──> attempt <──words sent── stream ──> connection
 *
 * What is said is a pure function of a plan (seed, key, directives), so the truth of an attempt is
 * its plan and a count of words, and no text is kept.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/list.h"
#include "base/mem.h"
#include "standin/due.h"

#define BODY_BYTES_MAX   (64u << 20)
#define HEAD_BYTES_MAX   (64u << 10)
#define KEY_BYTES_MAX    128
#define QUEUED_BYTES_MAX (64u << 10) /* of one connection; then its stream waits */
#define KEY_SLOTS        (1u << 16)
#define FLUSH_MS         100

/* ---- Plans: what is said ---- */

enum fault { FAULT_NONE, FAULT_STATUS, FAULT_TRUNCATE, FAULT_HANG, FAULT_ERROR };

struct plan {
    uint64_t seed;
    char *text;                /* given by a directive, or NULL: words */
    bool is_repeated;          /* the text is one word, said `tokens` times */
    bool is_emoji;             /* two of three words are the halves of an emoji */
    bool is_clock;             /* each word says its number and when it was sent */
    uint64_t tokens, thinking; /* words to say; so many of them first, as reasoning */
    uint64_t word_bytes;       /* 0: as they come */
    double rate;               /* words a second; 0: as fast as possible */
    uint64_t first_delay_ms;
    enum fault fault;
    uint64_t fault_at;    /* after so many words; the status */
    uint64_t fault_times; /* only the first so many attempts of the key; 0: all */
    double retry_after_s; /* < 0: no header */
};

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t hash_bytes(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001B3u;
    return mix(h);
}

static const char *const vocabulary[] = {
    "the",   "a",      "of",     "light",  "river",       "model", "answer", "stone",
    "and",   "but",    "so",     "then",   "after",       "small", "line",   "green",
    "north", "window", "number", "engine", "whisper",     "under", "over",   "bright",
    "été",   "café",   "水",     "\"so\"", "back\\slash", "seven", "slow",   "paper",
};

/* The end of the piece of a given text that begins at `at`: a word with its spaces before it. */
static size_t text_piece_end(const char *text, size_t at)
{
    while (text[at] == ' ' || text[at] == '\n')
        at++;
    while (text[at] && text[at] != ' ' && text[at] != '\n')
        at++;
    return at;
}

/* With a fixed size: that many bytes, but never in the middle of a character. */
static size_t text_cut_end(const char *text, size_t at, uint64_t bytes)
{
    size_t end = at, n = strlen(text + at);
    end += n < bytes ? n : bytes;
    while (((unsigned char)text[end] & 0xC0) == 0x80)
        end++;
    return end;
}

static size_t plan_piece_end(const struct plan *p, size_t at)
{
    return p->word_bytes ? text_cut_end(p->text, at, p->word_bytes) : text_piece_end(p->text, at);
}

static uint64_t plan_count_pieces(const struct plan *p)
{
    uint64_t n = 0;
    for (size_t at = 0; p->text[at]; at = plan_piece_end(p, at))
        n++;
    return n;
}

/* 0xD83D or 0xDE00 when word i is half an emoji. */
static unsigned plan_half(const struct plan *p, uint64_t i)
{
    if (!p->is_emoji || p->text)
        return 0;
    return i % 3 == 1 ? 0xD83Du : i % 3 == 2 ? 0xDE00u : 0;
}

/* Appends word i, which is not a half. *at: where the last piece of a given text ended. */
static void plan_word(const struct plan *p, uint64_t i, size_t *at, struct buf *out)
{
    if (p->text && p->is_repeated) {
        buf_append_z(out, p->text);
        return;
    }
    if (p->text) {
        size_t end = plan_piece_end(p, *at);
        buf_append(out, p->text + *at, end - *at);
        *at = end;
        return;
    }
    if (p->is_clock) { /* microseconds, of the clock that all processes share */
        buf_printf(out, "t%lu-%lx ", i, uv_hrtime() / 1000);
        return;
    }
    uint64_t h = mix(p->seed + i * 0x9E3779B97F4A7C15u);
    const char *word = vocabulary[h % (sizeof(vocabulary) / sizeof(vocabulary[0]))];
    if (!p->word_bytes) {
        if (i)
            buf_append_char(out, ' ');
        buf_append_z(out, word);
        return;
    }
    for (uint64_t n = 0; n + 1 < p->word_bytes; n++)
        buf_append_char(out, (char)('a' + (h >> (n % 8 * 7)) % 26));
    buf_append_char(out, ' ');
}

/* Words from..to-1 as one text, halves joined; a lone half is U+FFFD. */
static void plan_text(const struct plan *p, uint64_t from, uint64_t to, struct buf *out)
{
    size_t at = 0;
    struct buf word;
    buf_init(&word, BODY_BYTES_MAX);
    for (uint64_t i = 0; i < to; i++) {
        unsigned half = plan_half(p, i);
        buf_clear(&word);
        if (half == 0xD83D)
            buf_append_z(&word, i + 1 < to ? "\xF0\x9F\x98\x80" : "\xEF\xBF\xBD");
        else if (!half)
            plan_word(p, i, &at, &word);
        if (i >= from)
            buf_append_str(out, buf_str(&word));
    }
    buf_deinit(&word);
}

/* ---- The truth: attempts by key ---- */

enum ending { ENDING_OPEN, ENDING_COMPLETE, ENDING_FAULT, ENDING_CLIENT_CLOSED };

static const char *ending_name(enum ending e)
{
    static const char *const names[] = {"open", "complete", "fault", "client_closed"};
    return names[e];
}

struct attempt {
    struct attempt *next; /* of the same key, in order */
    struct plan plan;
    uint64_t sent; /* words */
    int status;    /* HTTP */
    enum ending ending;
};

struct key {
    struct key *next;
    struct attempt *first, *last;
    uint64_t attempts;
    char name[KEY_BYTES_MAX];
};

static struct {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t flush;
    struct plan defaults;
    FILE *log;
    struct key *keys[KEY_SLOTS];
    uint64_t anonymous;
    uint64_t requests, active, complete, client_closed, faults, words, bytes;
} standin;

static struct key *key_get(struct str name, bool may_create)
{
    if (name.n >= KEY_BYTES_MAX)
        name.n = KEY_BYTES_MAX - 1;
    struct key **slot = &standin.keys[hash_bytes(1, name.p, name.n) % KEY_SLOTS];
    for (struct key *k = *slot; k; k = k->next)
        if (str_eqz(name, k->name))
            return k;
    if (!may_create)
        return NULL;
    struct key *k = mem_zalloc(sizeof(*k));
    memcpy(k->name, name.p, name.n);
    k->next = *slot;
    *slot = k;
    return k;
}

static struct attempt *attempt_create(struct key *k, const struct plan *plan)
{
    struct attempt *a = mem_zalloc(sizeof(*a));
    a->plan = *plan;
    a->status = 200;
    if (k->last)
        k->last->next = a;
    else
        k->first = a;
    k->last = a;
    k->attempts++;
    return a;
}

/* ---- Directives in the last user message ---- */

/* name, name=value or name="value" with \" and \\ in it. False: the end of the directive. */
static bool directive_next(struct str *in, struct str *name, struct buf *value)
{
    buf_clear(value);
    while (in->n && in->p[0] == ' ') {
        in->p++;
        in->n--;
    }
    size_t i = 0;
    while (i < in->n && in->p[i] != ' ' && in->p[i] != '=')
        i++;
    *name = (struct str){in->p, i};
    if (i < in->n && in->p[i] == '=') {
        bool is_quoted = ++i < in->n && in->p[i] == '"';
        i += is_quoted;
        while (i < in->n && in->p[i] != (is_quoted ? '"' : ' ')) {
            if (is_quoted && in->p[i] == '\\' && i + 1 < in->n)
                i++;
            buf_append_char(value, in->p[i++]);
        }
        i += is_quoted && i < in->n;
    }
    in->p += i;
    in->n -= i;
    return name->n > 0;
}

static void plan_fault(struct plan *p, enum fault fault, uint64_t at)
{
    p->fault = fault;
    p->fault_at = at;
}

static void plan_set_text(struct plan *p, struct str text)
{
    free(p->text);
    p->text = str_dup(text);
}

static bool plan_set_pace(struct plan *p, struct str name, uint64_t number, double real)
{
    if (str_eqz(name, "tokens"))
        p->tokens = number;
    else if (str_eqz(name, "rate"))
        p->rate = real;
    else if (str_eqz(name, "think"))
        p->thinking = number;
    else if (str_eqz(name, "chunk_bytes"))
        p->word_bytes = number;
    else if (str_eqz(name, "first_delay_ms"))
        p->first_delay_ms = number;
    else
        return false;
    return true;
}

static void plan_set(struct plan *p, struct str name, const struct buf *value, struct str message)
{
    const char *z = value->data ? value->data : "";
    uint64_t number = strtoull(z, NULL, 10);
    if (plan_set_pace(p, name, number, strtod(z, NULL)))
        return;
    if (str_eqz(name, "text"))
        plan_set_text(p, buf_str(value));
    else if (str_eqz(name, "echo"))
        plan_set_text(p, message);
    else if (str_eqz(name, "emoji-split"))
        p->is_emoji = true;
    else if (str_eqz(name, "clock"))
        p->is_clock = true;
    else if (str_eqz(name, "truncate"))
        plan_fault(p, FAULT_TRUNCATE, number);
    else if (str_eqz(name, "hang"))
        plan_fault(p, FAULT_HANG, number);
    else if (str_eqz(name, "error"))
        plan_fault(p, FAULT_ERROR, number);
    else if (str_eqz(name, "status"))
        plan_fault(p, FAULT_STATUS, number);
    else if (str_eqz(name, "times"))
        p->fault_times = number;
    else if (str_eqz(name, "retry_after"))
        p->retry_after_s = strtod(z, NULL);
}

/* The end of a directive that begins at p, its "]]" not within quotes; NULL: none. */
static const char *directive_end(const char *p, const char *end)
{
    bool is_quoted = false;
    for (; p + 1 < end; p++) {
        if (is_quoted && *p == '\\')
            p++;
        else if (*p == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && p[0] == ']' && p[1] == ']')
            return p;
    }
    return NULL;
}

static void plan_read_directives(struct plan *p, struct str message)
{
    const char *at = message.p, *end = message.p + message.n;
    uint64_t tokens_before = p->tokens;
    struct buf value;
    buf_init(&value, BODY_BYTES_MAX);
    while (at && (at = memmem(at, (size_t)(end - at), "[[", 2))) {
        const char *close = directive_end(at + 2, end);
        if (!close)
            break;
        struct str inner = {at + 2, (size_t)(close - at) - 2}, name;
        while (directive_next(&inner, &name, &value))
            plan_set(p, name, &value, message);
        at = close + 2;
    }
    buf_deinit(&value);
    if (p->text) {
        p->is_repeated = p->tokens != tokens_before;
        if (!p->is_repeated)
            p->tokens = plan_count_pieces(p);
    }
}

/* ---- Connections ---- */

struct stream {
    struct conn *conn; /* NULL once it is gone */
    struct attempt *attempt;
    struct key *key;
    struct due due;    /* of the next word */
    struct buf prefix; /* of the JSON of every chunk, up to the delta */
    size_t text_at;    /* see plan_word() */
    bool wants_usage;
    bool is_hanging, is_waiting; /* for ever; for the connection to drain */
    int64_t prompt_words;
};

struct conn {
    uv_tcp_t tcp;
    struct buf in;
    struct stream *stream; /* the answer under way */
    bool is_closing;
};

struct outgoing {
    uv_write_t req;
    struct conn *conn;
    char bytes[];
};

static void conn_read_on(struct conn *conn);
static void stream_pump(struct stream *s);
static void stream_free(struct stream *s, enum ending ending);

static void conn_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    buf_deinit(&conn->in);
    free(conn);
}

static void conn_close(struct conn *conn)
{
    if (conn->is_closing)
        return;
    conn->is_closing = true;
    uv_close((uv_handle_t *)&conn->tcp, conn_closed);
}

static void conn_shut_done(uv_shutdown_t *req, int status)
{
    (void)status;
    conn_close(req->handle->data);
    free(req);
}

/* Closes when all that was written is out. */
static void conn_shut(struct conn *conn)
{
    uv_shutdown_t *req = mem_alloc(sizeof(*req));
    if (uv_shutdown(req, (uv_stream_t *)&conn->tcp, conn_shut_done) != 0) {
        free(req);
        conn_close(conn);
    }
}

static void conn_written(uv_write_t *req, int status)
{
    struct outgoing *o = container_of(req, struct outgoing, req);
    struct conn *conn = o->conn;
    free(o);
    if (status == 0 && conn->stream && conn->stream->is_waiting) {
        conn->stream->is_waiting = false;
        stream_pump(conn->stream);
    }
}

static void conn_write(struct conn *conn, struct str bytes)
{
    if (conn->is_closing || bytes.n == 0)
        return;
    uv_stream_t *tcp = (uv_stream_t *)&conn->tcp;
    uv_buf_t b = uv_buf_init((char *)bytes.p, (unsigned)bytes.n);
    standin.bytes += bytes.n;
    int done = uv_stream_get_write_queue_size(tcp) ? UV_EAGAIN : uv_try_write(tcp, &b, 1);
    if (done < 0 && done != UV_EAGAIN)
        return; /* the reading side will hear of it */
    size_t taken = done > 0 ? (size_t)done : 0;
    if (taken == bytes.n)
        return;
    struct outgoing *o = mem_alloc(sizeof(*o) + bytes.n - taken);
    o->conn = conn;
    memcpy(o->bytes, bytes.p + taken, bytes.n - taken);
    b = uv_buf_init(o->bytes, (unsigned)(bytes.n - taken));
    if (uv_write(&o->req, tcp, &b, 1, conn_written) != 0)
        free(o);
}

static void conn_answer(struct conn *conn, int status, const char *headers, struct str body)
{
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    buf_printf(&out,
               "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n%sContent-Length: "
               "%zu\r\n\r\n%.*s",
               status, headers, body.n, STR_FMT(body));
    conn_write(conn, buf_str(&out));
    buf_deinit(&out);
}

/* ---- Streams ---- */

static struct buf scratch; /* what is written in one go */

static void put_event(struct str prefix, const char *delta, struct str suffix)
{
    size_t n = 6 + prefix.n + strlen(delta) + suffix.n + 2;
    buf_printf(&scratch, "%zx\r\ndata: %.*s%s%.*s\n\n\r\n", n, STR_FMT(prefix), delta,
               STR_FMT(suffix));
}

static void log_word(const struct stream *s, uint64_t index, struct str quoted)
{
    if (!standin.log)
        return;
    fprintf(standin.log, "%llu\t%s\t%llu\t%llu\t%.*s\n", (unsigned long long)uv_hrtime(),
            s->key->name, (unsigned long long)s->key->attempts, (unsigned long long)index,
            STR_FMT(quoted));
}

static void stream_put_word(struct stream *s)
{
    static struct buf word, delta;
    const struct plan *p = &s->attempt->plan;
    uint64_t i = s->attempt->sent++;
    unsigned half = plan_half(p, i);
    word.max = delta.max = BODY_BYTES_MAX;
    buf_clear(&word);
    buf_clear(&delta);
    buf_append_z(&delta, i < p->thinking ? "{\"reasoning_content\":" : "{\"content\":");
    size_t at = delta.len;
    if (half) {
        buf_printf(&delta, "\"\\u%04x\"", half);
    } else {
        plan_word(p, i, &s->text_at, &word);
        json_write_string(&delta, buf_str(&word));
    }
    log_word(s, i, (struct str){delta.data + at, delta.len - at});
    buf_append_char(&delta, '}');
    put_event(buf_str(&s->prefix), delta.data, STR(",\"finish_reason\":null}]}"));
    standin.words++;
}

static void stream_put_end(struct stream *s)
{
    put_event(buf_str(&s->prefix), "{}", STR(",\"finish_reason\":\"stop\"}]}"));
    if (s->wants_usage) {
        char usage[160];
        snprintf(usage, sizeof(usage),
                 "{\"choices\":[],\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%llu,"
                 "\"total_tokens\":%llu}}",
                 (long long)s->prompt_words, (unsigned long long)s->attempt->sent,
                 (unsigned long long)s->attempt->sent + (unsigned long long)s->prompt_words);
        put_event(STR_NULL, usage, STR_NULL);
    }
    put_event(STR_NULL, "[DONE]", STR_NULL);
    buf_append_z(&scratch, "0\r\n\r\n");
}

static bool plan_has_fault(const struct stream *s)
{
    const struct plan *p = &s->attempt->plan;
    return p->fault != FAULT_NONE && (!p->fault_times || s->key->attempts <= p->fault_times);
}

/* True: the fault is now, and the stream is over or hangs. */
static bool stream_fault(struct stream *s)
{
    const struct plan *p = &s->attempt->plan;
    if (!plan_has_fault(s) || s->attempt->sent < p->fault_at || p->fault == FAULT_STATUS)
        return false;
    struct conn *conn = s->conn;
    if (p->fault == FAULT_HANG) {
        s->is_hanging = true;
        return true;
    }
    if (p->fault == FAULT_ERROR)
        put_event(STR_NULL, "{\"error\":{\"message\":\"the stand-in was told to fail\"}}",
                  STR_NULL);
    conn_write(conn, buf_str(&scratch));
    buf_clear(&scratch);
    stream_free(s, ENDING_FAULT);
    conn_shut(conn);
    return true;
}

static void stream_due(struct due *d)
{
    stream_pump(container_of(d, struct stream, due));
}

/* Says what is due. The caller does not touch s afterwards. */
static void stream_pump(struct stream *s)
{
    const struct plan *p = &s->attempt->plan;
    double now = due_now_us(), due = s->due.at_us;
    struct conn *conn = s->conn;
    buf_clear(&scratch);
    while (!s->is_hanging && (p->rate <= 0 || due <= now)) {
        if (stream_fault(s)) {
            conn_write(conn, buf_str(&scratch)); /* before a hang */
            return;
        }
        if (s->attempt->sent >= p->tokens) {
            stream_put_end(s);
            conn_write(conn, buf_str(&scratch));
            stream_free(s, ENDING_COMPLETE);
            conn_read_on(conn);
            return;
        }
        stream_put_word(s);
        if (p->rate > 0)
            due += 1e6 / p->rate;
        if (scratch.len >= QUEUED_BYTES_MAX)
            break;
    }
    s->due.at_us = due;
    conn_write(conn, buf_str(&scratch));
    if (uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp) > QUEUED_BYTES_MAX) {
        s->is_waiting = true;
        return;
    }
    /* As fast as possible is what a connection takes a millisecond. */
    if (!s->is_hanging)
        due_at(&s->due, p->rate > 0 ? due : now + 1000);
}

static void stream_free(struct stream *s, enum ending ending)
{
    s->attempt->ending = ending;
    standin.active--;
    standin.complete += ending == ENDING_COMPLETE;
    standin.client_closed += ending == ENDING_CLIENT_CLOSED;
    standin.faults += ending == ENDING_FAULT;
    s->conn->stream = NULL;
    s->conn = NULL;
    buf_deinit(&s->prefix);
    due_cancel(&s->due);
    free(s);
}

/* ---- Requests ---- */

struct request {
    struct str method, path, query, key;
    struct str body;
    size_t bytes; /* of head and body */
};

struct chat {
    struct str model; /* as JSON string */
    struct buf user;  /* the last user message */
    bool is_streamed, wants_usage;
    int64_t words;
};

static void chat_read_message(struct chat *c, struct json message)
{
    struct json content = json_get(message, "content");
    struct str raw = json_raw(content);
    for (size_t i = 0; i < raw.n; i++)
        c->words += raw.p[i] == ' ' || i == 0;
    if (!json_string_eq(json_get(message, "role"), "user"))
        return;
    buf_clear(&c->user);
    json_string(content, &c->user);
}

static bool chat_read(struct chat *c, struct str body, struct errbuf *e)
{
    struct json_limits limits = {.bytes_max = BODY_BYTES_MAX};
    *c = (struct chat){.model = STR("\"standin\"")};
    buf_init(&c->user, BODY_BYTES_MAX);
    if (json_check(body, &limits, e))
        return false;
    struct json root = json_root(body), model = json_get(root, "model");
    if (json_type(model) == JSON_STRING)
        c->model = json_raw(model);
    json_bool(json_get(root, "stream"), &c->is_streamed);
    json_bool(json_get(json_get(root, "stream_options"), "include_usage"), &c->wants_usage);
    struct json_iter it;
    json_iter_init(&it, json_get(root, "messages"));
    while (json_iter_next(&it))
        chat_read_message(c, it.value);
    return true;
}

static void answer_status(struct conn *conn, struct attempt *a)
{
    char headers[64] = "";
    a->status = (int)a->plan.fault_at;
    a->ending = ENDING_FAULT;
    standin.faults++;
    if (a->plan.retry_after_s >= 0)
        snprintf(headers, sizeof(headers), "Retry-After: %g\r\n", a->plan.retry_after_s);
    conn_answer(conn, a->status, headers,
                STR("{\"error\":{\"message\":\"the stand-in was told to refuse\"}}"));
}

static void answer_whole(struct conn *conn, struct attempt *a, const struct chat *c)
{
    struct buf text, body;
    buf_init(&text, BODY_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    a->sent = a->plan.tokens;
    a->ending = ENDING_COMPLETE;
    standin.complete++;
    standin.words += a->sent;
    plan_text(&a->plan, 0, a->sent, &text);
    buf_printf(&body,
               "{\"object\":\"chat.completion\",\"model\":%.*s,\"usage\":{\"prompt_tokens\":%lld,"
               "\"completion_tokens\":%llu},\"choices\":[{\"index\":0,\"finish_reason\":\"stop\","
               "\"message\":{\"role\":\"assistant\",\"content\":",
               STR_FMT(c->model), (long long)c->words, (unsigned long long)a->sent);
    json_write_string(&body, buf_str(&text));
    buf_append_z(&body, "}}]}");
    conn_answer(conn, 200, "", buf_str(&body));
    buf_deinit(&text);
    buf_deinit(&body);
}

static void answer_stream(struct conn *conn, struct key *k, struct attempt *a, const struct chat *c)
{
    struct stream *s = mem_zalloc(sizeof(*s));
    s->conn = conn;
    s->key = k;
    s->attempt = a;
    s->wants_usage = c->wants_usage;
    s->prompt_words = c->words;
    conn->stream = s;
    standin.active++;
    buf_init(&s->prefix, BODY_BYTES_MAX);
    buf_printf(&s->prefix,
               "{\"id\":\"chatcmpl-%s-%llu\",\"object\":\"chat.completion.chunk\",\"created\":"
               "1700000000,\"model\":%.*s,\"choices\":[{\"index\":0,\"delta\":",
               k->name, (unsigned long long)k->attempts, STR_FMT(c->model));
    if (plan_has_fault(s) && a->plan.fault == FAULT_HANG && a->plan.fault_at == 0) {
        s->is_hanging = true; /* not even a status line */
        return;
    }
    buf_clear(&scratch);
    buf_append_z(&scratch, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: "
                           "no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_event(buf_str(&s->prefix), "{\"role\":\"assistant\",\"content\":\"\"}",
              STR(",\"finish_reason\":null}]}"));
    conn_write(conn, buf_str(&scratch));
    double first = a->plan.first_delay_ms ? (double)a->plan.first_delay_ms
                   : a->plan.rate > 0     ? 1000 / a->plan.rate
                                          : 0;
    due_at(&s->due, due_now_us() + first * 1e3);
}

static void answer_chat(struct conn *conn, const struct request *r)
{
    struct chat c;
    struct errbuf e;
    char name[KEY_BYTES_MAX];
    if (!chat_read(&c, r->body, &e)) {
        conn_answer(conn, 400, "", STR("{\"error\":{\"message\":\"the body is not JSON\"}}"));
        buf_deinit(&c.user);
        return;
    }
    struct str key = r->key;
    if (!key.n) {
        snprintf(name, sizeof(name), "r%llu", (unsigned long long)standin.anonymous++);
        key = str_of(name);
    }
    struct plan plan = standin.defaults;
    plan.seed = hash_bytes(plan.seed, key.p, key.n);
    plan_read_directives(&plan, buf_str(&c.user));
    struct key *k = key_get(key, true);
    struct attempt *a = attempt_create(k, &plan);
    struct stream probe = {.attempt = a, .key = k};
    if (plan.fault == FAULT_STATUS && plan_has_fault(&probe))
        answer_status(conn, a);
    else if (c.is_streamed)
        answer_stream(conn, k, a, &c);
    else
        answer_whole(conn, a, &c);
    buf_deinit(&c.user);
}

static void answer_log(struct conn *conn, struct str name)
{
    struct buf body, text;
    struct jw w;
    struct key *k = key_get(name, false);
    buf_init(&body, SIZE_MAX);
    buf_init(&text, SIZE_MAX);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_string(&w, "key", name);
    jw_key(&w, "attempts");
    jw_array(&w);
    for (struct attempt *a = k ? k->first : NULL; a; a = a->next) {
        uint64_t thinking = a->plan.thinking < a->sent ? a->plan.thinking : a->sent;
        jw_object(&w);
        jw_kv_i64(&w, "status", a->status);
        jw_kv_stringz(&w, "ending", ending_name(a->ending));
        jw_kv_u64(&w, "tokens", a->sent);
        buf_clear(&text);
        plan_text(&a->plan, thinking, a->sent, &text);
        jw_kv_string(&w, "text", buf_str(&text));
        buf_clear(&text);
        plan_text(&a->plan, 0, thinking, &text);
        jw_kv_string(&w, "thinking", buf_str(&text));
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    conn_answer(conn, 200, "", buf_str(&body));
    buf_deinit(&text);
    buf_deinit(&body);
}

static void answer_stats(struct conn *conn)
{
    struct buf body;
    buf_init(&body, 4096);
    buf_printf(&body,
               "{\"requests\":%lu,\"active\":%lu,\"complete\":%lu,\"client_closed\":%lu,"
               "\"faults\":%lu,\"tokens\":%lu,\"bytes\":%lu}",
               standin.requests, standin.active, standin.complete, standin.client_closed,
               standin.faults, standin.words, standin.bytes);
    conn_answer(conn, 200, "", buf_str(&body));
    buf_deinit(&body);
}

static bool str_ends(struct str s, const char *end)
{
    size_t n = strlen(end);
    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static void answer(struct conn *conn, const struct request *r)
{
    bool is_get = str_eqz(r->method, "GET");
    standin.requests++;
    if (str_eqz(r->method, "POST") && str_ends(r->path, "/chat/completions"))
        answer_chat(conn, r);
    else if (is_get && str_eqz(r->path, "/log") && r->query.n > 4 && !memcmp(r->query.p, "key=", 4))
        answer_log(conn, (struct str){r->query.p + 4, r->query.n - 4});
    else if (is_get && str_eqz(r->path, "/stats"))
        answer_stats(conn);
    else if (is_get && str_ends(r->path, "/models"))
        conn_answer(
            conn, 200, "",
            STR("{\"object\":\"list\",\"data\":[{\"id\":\"standin\",\"object\":\"model\"}]}"));
    else
        conn_answer(conn, 404, "", STR("{\"error\":{\"message\":\"there is no such route\"}}"));
}

/* The value of a header in a 0-terminated head that ends at `end`. */
static struct str head_field(const char *head, const char *end, const char *name)
{
    const char *at = strcasestr(head, name);
    if (!at || at >= end)
        return STR_NULL;
    at += strlen(name);
    while (*at == ' ')
        at++;
    return (struct str){at, strcspn(at, "\r\n")};
}

/* 1: a whole request; 0: more bytes; -1: not HTTP as we speak it. */
static int request_read(const struct buf *in, struct request *r)
{
    const char *end = in->len ? strstr(in->data, "\r\n\r\n") : NULL;
    if (!end)
        return in->len > HEAD_BYTES_MAX ? -1 : 0;
    struct str length = head_field(in->data, end, "\r\nContent-Length:");
    size_t body = length.n ? strtoul(length.p, NULL, 10) : 0, head = (size_t)(end - in->data) + 4;
    if (body > BODY_BYTES_MAX || head_field(in->data, end, "\r\nTransfer-Encoding:").n)
        return -1;
    if (in->len < head + body)
        return 0;
    const char *space = strchr(in->data, ' ');
    const char *after = space ? strpbrk(space + 1, " \r") : NULL;
    if (!after || *after != ' ')
        return -1;
    r->method = (struct str){in->data, (size_t)(space - in->data)};
    r->path = (struct str){space + 1, (size_t)(after - space) - 1};
    r->query = STR_NULL;
    const char *mark = memchr(r->path.p, '?', r->path.n);
    if (mark) {
        r->query = (struct str){mark + 1, (size_t)(after - mark) - 1};
        r->path.n = (size_t)(mark - r->path.p);
    }
    r->key = head_field(in->data, end, "\r\nIdempotency-Key:");
    r->body = (struct str){in->data + head, body};
    r->bytes = head + body;
    return 1;
}

/* Answers what came whole, one after the other. */
static void conn_read_on(struct conn *conn)
{
    while (!conn->stream && !conn->is_closing) {
        struct request r;
        int rc = request_read(&conn->in, &r);
        if (rc == 0)
            return;
        if (rc < 0) {
            conn_close(conn);
            return;
        }
        answer(conn, &r);
        buf_consume(&conn->in, r.bytes);
    }
}

static void conn_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    static char bytes[65536];
    (void)handle;
    (void)wanted;
    *out = uv_buf_init(bytes, sizeof(bytes));
}

static void conn_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *bytes)
{
    struct conn *conn = tcp->data;
    if (n < 0 || buf_append(&conn->in, bytes->base, (size_t)n) != 0) {
        if (conn->stream)
            stream_free(conn->stream, ENDING_CLIENT_CLOSED);
        conn_close(conn);
        return;
    }
    conn_read_on(conn);
}

static void connection_came(uv_stream_t *listener, int status)
{
    if (status < 0)
        return;
    struct conn *conn = mem_zalloc(sizeof(*conn));
    buf_init(&conn->in, BODY_BYTES_MAX + HEAD_BYTES_MAX);
    uv_tcp_init(standin.loop, &conn->tcp);
    conn->tcp.data = conn;
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) != 0) {
        conn_close(conn);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_read_start((uv_stream_t *)&conn->tcp, conn_alloc, conn_read);
}

/* ---- Start and end ---- */

static void flush_fired(uv_timer_t *timer)
{
    (void)timer;
    fflush(standin.log);
}

static void signal_came(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
    if (standin.log)
        fclose(standin.log);
    exit(0);
}

static void usage(void)
{
    fputs("standin [--port N] [--rate TOKENS_PER_S] [--tokens N] [--chunk-bytes N]\n"
          "        [--first-delay-ms N] [--log FILE] [--seed N]\n",
          stderr);
    exit(2);
}

static int read_flags(int argc, char **argv)
{
    struct plan *p = &standin.defaults;
    int port = 0;
    *p = (struct plan){.seed = 1, .tokens = 50, .rate = 20, .retry_after_s = -1};
    for (int i = 1; i < argc; i += 2) {
        const char *flag = argv[i], *value = argv[i + 1];
        if (!value)
            usage();
        uint64_t number = strtoull(value, NULL, 10);
        if (!strcmp(flag, "--port"))
            port = atoi(value);
        else if (!strcmp(flag, "--rate"))
            p->rate = strtod(value, NULL);
        else if (!strcmp(flag, "--tokens"))
            p->tokens = number;
        else if (!strcmp(flag, "--chunk-bytes"))
            p->word_bytes = number;
        else if (!strcmp(flag, "--first-delay-ms"))
            p->first_delay_ms = number;
        else if (!strcmp(flag, "--seed"))
            p->seed = number;
        else if (!strcmp(flag, "--log"))
            standin.log = fopen(value, "w");
        else
            usage();
        if (!strcmp(flag, "--log") && !standin.log) {
            perror(value);
            exit(1);
        }
    }
    return port;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    uv_signal_t signals[2];
    int n = sizeof(address), port = read_flags(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    scratch.max = BODY_BYTES_MAX * 2;
    standin.loop = uv_default_loop();
    due_init(standin.loop, stream_due);
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(standin.loop, &standin.listener);
    int rc = uv_tcp_bind(&standin.listener, (struct sockaddr *)&address, 0);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&standin.listener, 1024, connection_came);
    if (rc) {
        fprintf(stderr, "standin: port %d: %s\n", port, uv_strerror(rc));
        return 1;
    }
    uv_tcp_getsockname(&standin.listener, (struct sockaddr *)&address, &n);
    printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    if (standin.log) {
        uv_timer_init(standin.loop, &standin.flush);
        uv_timer_start(&standin.flush, flush_fired, FLUSH_MS, FLUSH_MS);
    }
    for (int i = 0; i < 2; i++) {
        uv_signal_init(standin.loop, &signals[i]);
        uv_signal_start(&signals[i], signal_came, i ? SIGTERM : SIGINT);
    }
    return uv_run(standin.loop, UV_RUN_DEFAULT);
}
