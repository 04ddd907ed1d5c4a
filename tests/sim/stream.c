#include "stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct stream_run {
    enum node_status status;
    int64_t iteration, attempt;
    char node[NAME_BYTES_MAX + 1];
};
struct stream_message {
    struct buf text;
    int64_t next_index;
    bool done;
};

static struct str current; /* the frame being judged, for the message of a failure */

__attribute__((format(printf, 2, 3), noreturn)) static void wrong(const struct stream *s,
                                                                  const char *fmt, ...)
{
    char id[ID_TEXT_BYTES + 1];
    va_list ap;
    id_format(s->session_id, id);
    fprintf(stderr, "session %s after seq %lld: ", id, (long long)s->last_seq);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n  %.*s\n", (int)current.n, current.p);
    abort();
}

void stream_init(struct stream *s, struct id session_id)
{
    memset(s, 0, sizeof(*s));
    s->session_id = session_id;
    s->status = SESSION_PENDING;
    s->hash = 14695981039346656037u;
    table_init(&s->runs);
    table_init(&s->messages);
    table_init(&s->interrupts);
    table_init(&s->tools);
}

void stream_deinit(struct stream *s)
{
    table_foreach(slot, &s->runs) free(slot->value);
    table_foreach(slot, &s->messages)
    {
        struct stream_message *m = slot->value;
        buf_deinit(&m->text);
        free(m);
    }
    table_deinit(&s->runs);
    table_deinit(&s->messages);
    table_deinit(&s->interrupts);
    table_deinit(&s->tools);
}

bool stream_ended(const struct stream *s)
{
    return session_status_is_terminal(s->status);
}

bool stream_answered(const struct stream *s, struct id interrupt_id)
{
    return table_get(&s->interrupts, interrupt_id) == (void *)2;
}

/* ---- reading ---- */

static struct str text_of(struct json v)
{
    return json_type(v) == JSON_STRING ? (struct str){v.p + 1, v.n - 2} : STR_NULL;
}

static struct id id_of(const struct stream *s, struct json object, const char *key)
{
    struct id id;
    if (!id_parse(text_of(json_get(object, key)), &id))
        wrong(s, "%s is no id", key);
    return id;
}

static int64_t number_of(const struct stream *s, struct json object, const char *key)
{
    int64_t v;
    if (!json_i64(json_get(object, key), &v))
        wrong(s, "%s is no number", key);
    return v;
}

/* ---- moves ---- */

static void on_session_move(struct stream *s, struct json d)
{
    enum session_status from, to;
    bool quiesced = false;
    if (!session_status_parse(text_of(json_get(d, "from")), &from) ||
        !session_status_parse(text_of(json_get(d, "to")), &to))
        wrong(s, "an unknown status");
    if (from != s->status || !session_move_is_legal(from, to))
        wrong(s, "the session was %s", session_status_word(s->status));
    if (s->leaving && !session_status_is_terminal(to))
        wrong(s, "a paused session's runs ended, but the session did not");
    json_bool(json_get(d, "quiesced"), &quiesced);
    if (quiesced != (to == SESSION_PAUSED))
        wrong(s, "quiesced belongs to paused");
    if (json_exists(json_get(d, "output")) != (to == SESSION_COMPLETED) ||
        json_exists(json_get(d, "error")) != (to == SESSION_FAILED))
        wrong(s, "an output belongs to completed, an error to failed");
    if (session_status_is_terminal(to) && s->running)
        wrong(s, "the session ends, but %u runs have not", s->running);
    if (session_status_is_terminal(to) && s->tools_open)
        wrong(s, "the session ends, but %u tool calls have not", s->tools_open);
    if (json_string_eq(json_get(json_get(d, "error"), "code"), "no_end_reached") && s->cut)
        wrong(s, "something still ran that could have reached an end");
    s->status = to;
    s->leaving = false;
}

/* Iterations of a node are counted without a gap; attempts of each come in order. Only items of a
 * map run the same node side by side. */
static void run_begins(struct stream *s, struct str node, struct stream_run *r, bool in_item)
{
    const struct stream_run *before = NULL;
    int64_t newest = 0;
    table_foreach(slot, &s->runs)
    {
        const struct stream_run *other = slot->value;
        if (other == r || !str_eqz(node, other->node))
            continue;
        newest = other->iteration > newest ? other->iteration : newest;
        if (other->iteration == r->iteration && (!before || other->attempt > before->attempt))
            before = other;
        if (!in_item && other->status != NODE_COMPLETED && other->status != NODE_FAILED &&
            other->status != NODE_SKIPPED)
            wrong(s, "the node's last run has not ended");
    }
    if (!before && (r->iteration != newest + 1 || r->attempt != 1))
        wrong(s, "the node's last run was iteration %lld", (long long)newest);
    if (before && r->attempt != before->attempt + 1)
        wrong(s, "the last attempt was %lld", (long long)before->attempt);
    if (before && before->status != NODE_FAILED)
        wrong(s, "another attempt of a run that had not failed");
    if (before && !in_item && r->iteration != newest)
        wrong(s, "another attempt of an older iteration");
}

static bool is_active(enum node_status st)
{
    return st == NODE_RUNNING || st == NODE_SUSPENDED;
}

static void on_node_move(struct stream *s, struct json e, struct json d)
{
    struct id run_id = id_of(s, e, "run_id");
    struct str node = text_of(json_get(e, "node_id"));
    struct stream_run *r = table_get(&s->runs, run_id);
    enum node_status from, to;
    if (!node_status_parse(text_of(json_get(d, "from")), &from) ||
        !node_status_parse(text_of(json_get(d, "to")), &to))
        wrong(s, "an unknown status");
    if (!r) {
        r = mem_zalloc(sizeof(*r));
        snprintf(r->node, sizeof(r->node), "%.*s", STR_FMT(node));
        r->iteration = number_of(s, d, "iteration");
        r->attempt = number_of(s, d, "attempt");
        r->status = NODE_PENDING;
        run_begins(s, node, r, json_exists(json_get(d, "item")));
        table_put(&s->runs, run_id, r);
    }
    if (!str_eqz(node, r->node) || from != r->status || !node_move_is_legal(from, to))
        wrong(s, "the run was %s, of node %s", node_status_word(r->status), r->node);
    if (s->status == SESSION_PAUSED) {
        if (to != NODE_FAILED)
            wrong(s, "an event of a paused session");
        s->leaving = true;
    }
    if (json_exists(json_get(d, "output")) != (to == NODE_COMPLETED) ||
        json_exists(json_get(d, "error")) != (to == NODE_FAILED) ||
        json_exists(json_get(d, "interrupt_id")) != (to == NODE_SUSPENDED))
        wrong(s, "a field that does not belong to the move");
    if (json_string_eq(json_get(json_get(d, "error"), "code"), "cancelled"))
        s->cut++;
    else
        s->cut = 0; /* then it was not the session's end that cut them, but that of an item */
    s->running += is_active(to);
    s->running -= is_active(from);
    r->status = to;
}

/* ---- messages ---- */

static struct stream_message *message_of(struct stream *s, struct json d)
{
    struct id id = id_of(s, d, "message_id");
    struct stream_message *m = table_get(&s->messages, id);
    if (!m) {
        m = mem_zalloc(sizeof(*m));
        buf_init(&m->text, 64u << 20);
        table_put(&s->messages, id, m);
    }
    if (m->done)
        wrong(s, "something of a message that was over");
    return m;
}

static void on_token(struct stream *s, struct json e, struct json d)
{
    struct stream_message *m = message_of(s, d);
    struct stream_run *r = table_get(&s->runs, id_of(s, e, "run_id"));
    bool thinking = false;
    if (s->status != SESSION_RUNNING || !r || r->status != NODE_RUNNING)
        wrong(s, "a chunk, but its run does not run");
    if (number_of(s, d, "index") != m->next_index)
        wrong(s, "the next index is %lld", (long long)m->next_index);
    m->next_index++;
    json_bool(json_get(d, "is_thinking"), &thinking);
    if (!thinking && !json_string(json_get(d, "chunk"), &m->text))
        wrong(s, "a chunk that is no text");
}

static void on_reset(struct stream *s, struct json d)
{
    struct stream_message *m = message_of(s, d);
    buf_clear(&m->text);
    m->next_index = 0;
}

static void on_message(struct stream *s, struct json d)
{
    struct stream_message *m = message_of(s, d);
    struct buf content;
    buf_init(&content, 64u << 20);
    if (!json_string(json_get(d, "content"), &content) ||
        !str_eq(buf_str(&content), buf_str(&m->text)))
        wrong(s, "the message is not what was streamed: %.*s", STR_FMT(buf_str(&m->text)));
    bool whole = json_string_eq(json_get(d, "finish_reason"), "stop") ||
                 json_string_eq(json_get(d, "finish_reason"), "tool_calls");
    if (whole && s->truth && !s->truth(s->data, s->session_id, buf_str(&content)))
        wrong(s, "no model has said that");
    if (s->status == SESSION_PAUSED)
        s->leaving = true;
    m->done = true;
    buf_deinit(&content);
}

/* ---- tools ---- */

/* A call starts (again after a restart), ends, and may be tried again; one that was refused only
 * ends. None is left open at the end. */
static void on_tool(struct stream *s, struct json d)
{
    struct id id = id_of(s, d, "call_id");
    bool starts = json_string_eq(json_get(d, "status"), "started");
    bool completes = json_string_eq(json_get(d, "status"), "completed");
    bool open = table_get(&s->tools, id) == (void *)1;
    if (completes && !open)
        wrong(s, "a tool call completed that had not started");
    if (json_exists(json_get(d, "output")) != completes)
        wrong(s, "an output belongs to completed");
    if (s->status == SESSION_PAUSED && (starts || completes))
        wrong(s, "an event of a paused session");
    s->tools_open += starts && !open;
    s->tools_open -= !starts && open;
    table_put(&s->tools, id, starts ? (void *)1 : (void *)2);
    if (s->status == SESSION_PAUSED)
        s->leaving = true;
}

/* The totals are the sum of what each call used, told or estimated; nobody is told while paused,
 * unless the runs are being ended. */
static void on_usage(struct stream *s, struct json d)
{
    static const char *const keys[] = {"input_tokens", "output_tokens"};
    struct json totals = json_get(d, "session");
    for (size_t i = 0; i < 2; i++) {
        s->tokens[i] += number_of(s, d, keys[i]);
        if (number_of(s, totals, keys[i]) != s->tokens[i])
            wrong(s, "the totals are not the sum");
    }
    if (s->status != SESSION_PAUSED)
        return;
    if (!json_exists(json_get(d, "estimated")))
        wrong(s, "an event of a paused session");
    s->leaving = true;
}

/* ---- interrupts ---- */

static void on_interrupt(struct stream *s, struct json d, uintptr_t from, uintptr_t to)
{
    struct id id = id_of(s, d, "interrupt_id");
    if (table_get(&s->interrupts, id) != (void *)from)
        wrong(s, "the interrupt was answered, or never asked");
    table_put(&s->interrupts, id, (void *)to);
}

/* One answer of several leaves it open. */
static void on_resumed(struct stream *s, struct json d)
{
    bool final = false;
    if (!json_bool(json_get(d, "final"), &final))
        wrong(s, "an answer that does not say whether it decides");
    on_interrupt(s, d, 1, final ? 2 : 1);
}

/* ---- frames ---- */

static void on_event(struct stream *s, struct json e)
{
    struct json type = json_get(e, "type"), d = json_get(e, "data");
    bool ending = json_string_eq(type, "node_state_change") || json_string_eq(type, "message") ||
                  json_string_eq(type, "tool_execution") || json_string_eq(type, "token_usage");
    if (s->status == SESSION_PAUSED && !ending && !json_string_eq(type, "session_state_change"))
        wrong(s, "an event of a paused session");
    if (json_string_eq(type, "session_state_change"))
        on_session_move(s, d);
    else if (json_string_eq(type, "node_state_change"))
        on_node_move(s, e, d);
    else if (json_string_eq(type, "token_stream"))
        on_token(s, e, d);
    else if (json_string_eq(type, "stream_reset"))
        on_reset(s, d);
    else if (json_string_eq(type, "message"))
        on_message(s, d);
    else if (json_string_eq(type, "tool_execution"))
        on_tool(s, d);
    else if (json_string_eq(type, "token_usage"))
        on_usage(s, d);
    else if (json_string_eq(type, "human_interaction_required"))
        on_interrupt(s, d, 0, 1);
    else if (json_string_eq(type, "node_resumed"))
        on_resumed(s, d);
    else if (json_string_eq(type, "human_interaction_expired"))
        on_interrupt(s, d, 1, 3);
    else if (json_string_eq(type, "loop_round") &&
             number_of(s, d, "round") > number_of(s, d, "max_rounds"))
        wrong(s, "a round too many");
}

void stream_frame(struct stream *s, struct str frame)
{
    struct errbuf err;
    current = frame;
    if (json_check(frame, NULL, &err))
        wrong(s, "%s", err.text);
    struct json e = json_root(frame);
    if (number_of(s, e, "seq") != s->last_seq + 1)
        wrong(s, "a gap or a repetition");
    if (!id_eq(id_of(s, e, "session_id"), s->session_id))
        wrong(s, "an event of another session");
    if (stream_ended(s))
        wrong(s, "an event after the end");
    if (json_exists(json_get(e, "node_id")) != json_exists(json_get(e, "run_id")))
        wrong(s, "node_id and run_id come together");
    on_event(s, e);
    s->last_seq++;
    for (size_t i = 0; i < frame.n; i++)
        s->hash = (s->hash ^ (unsigned char)frame.p[i]) * 1099511628211u;
}
