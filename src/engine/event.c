#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "engine/session.h"

/* Events are printed straight into the delta's buffer: one line of JSON each, joined by '\n'. */

static const char *event_stamp(struct session *s)
{
    struct made *m = s->made;
    if (!m->stamp[0])
        clock_format_rfc3339(s->now, m->stamp);
    else
        clock_move_rfc3339(m->stamp_ms, s->now, m->stamp);
    m->stamp_ms = s->now;
    return m->stamp;
}

/* Into bytes that were reserved: what a token's event is made of costs no look for room each. */
static char *put(char *at, const char *p, size_t n)
{
    memcpy(at, p, n);
    return at + n;
}

#define PUT(at, literal) put((at), "" literal, sizeof(literal) - 1)

static char *put_id(char *at, struct id id)
{
    id_format(id, at);
    return at + ID_TEXT_BYTES;
}

static char *put_i64(char *at, int64_t v)
{
    return at + i64_format(v, at);
}

static void event_put_end(struct buf *b, char *at)
{
    *at = '\0';
    b->len = (size_t)(at - b->data);
}

/* Everything that stands before the data, but for the type and the node's id. */
#define HEAD_BYTES_MAX 256

/* Everything up to and including `"data":`. */
static void event_head(struct session *s, const char *type, int node)
{
    struct buf *b = &s->made->out.events;
    struct str id = node >= 0 ? node_def(s, (unsigned)node)->id : STR_NULL;
    size_t type_bytes = strlen(type);
    s->seq++;
    if (!s->made->out.seq_first)
        s->made->out.seq_first = s->seq;
    s->made->out.seq_last = s->seq;
    s->out_any = true;
    s->chunk_of = NULL;
    if (buf_reserve(b, HEAD_BYTES_MAX + type_bytes + id.n))
        return;
    char *at = b->data + b->len;
    if (b->len)
        *at++ = '\n';
    at = put_i64(PUT(at, "{\"seq\":"), s->seq);
    at = put(PUT(at, ",\"session_id\":\""), s->id_text, ID_TEXT_BYTES);
    at = put(PUT(at, "\",\"type\":\""), type, type_bytes);
    at = put(PUT(at, "\",\"timestamp\":\""), event_stamp(s), CLOCK_RFC3339_BYTES);
    *at++ = '"';
    if (node >= 0) {
        at = put(PUT(at, ",\"node_id\":\""), id.p, id.n);
        at = put_id(PUT(at, "\",\"run_id\":\""), s->at->nodes[node].run_id);
        *at++ = '"';
    }
    event_put_end(b, PUT(at, ",\"data\":"));
}

struct jw *event_begin(struct session *s, const char *type, int node)
{
    event_head(s, type, node);
    jw_init(&s->made->jw, &s->made->out.events);
    jw_object(&s->made->jw);
    return &s->made->jw;
}

void event_end(struct session *s)
{
    jw_end(&s->made->jw);
    buf_append_char(&s->made->out.events, '}');
}

void write_text(struct jw *w, const char *key, struct str text)
{
    jw_key(w, key);
    if (text.p)
        jw_string(w, text);
    else
        jw_null(w);
}

void event_node_move(struct session *s, unsigned n, enum node_status from, struct str output,
                     struct str error)
{
    const struct node_state *ns = &s->at->nodes[n];
    const struct node_def *def = node_def(s, n);
    struct jw *w = event_begin(s, "node_state_change", (int)n);
    jw_kv_stringz(w, "from", node_status_word(from));
    jw_kv_stringz(w, "to", node_status_word(ns->status));
    jw_kv_i64(w, "attempt", ns->attempt);
    jw_kv_i64(w, "iteration", ns->iteration);
    if (scope_item(s->at))
        jw_kv_i64(w, "item", scope_item(s->at)->item);
    if (def->branch.p)
        jw_kv_string(w, "branch", def->branch);
    if (output.p)
        jw_kv_raw(w, "output", output);
    if (error.p)
        jw_kv_raw(w, "error", error);
    if (def->kind == KIND_SUBWORKFLOW && ns->status == NODE_RUNNING) {
        char id[ID_TEXT_BYTES + 1];
        id_format(child_id_of(ns), id);
        jw_kv_stringz(w, "child_session_id", id);
    }
    if (ns->status == NODE_SUSPENDED) {
        char id[ID_TEXT_BYTES + 1];
        id_format(ns->work->interrupt_id, id);
        jw_kv_stringz(w, "interrupt_id", id);
    }
    event_end(s);
    s->core_dirty = true;
}

void event_session_move(struct session *s, enum session_status from)
{
    struct jw *w = event_begin(s, "session_state_change", -1);
    jw_kv_stringz(w, "from", session_status_word(from));
    jw_kv_stringz(w, "to", session_status_word(s->status));
    if (s->reason.p)
        jw_kv_string(w, "reason", s->reason);
    if (from == SESSION_PENDING && s->in->kind == IN_START && s->in->node_id.p)
        jw_kv_string(w, "begin_at", s->in->node_id); /* a fork reads it */
    if (s->status == SESSION_PAUSED)
        jw_kv_bool(w, "quiesced", true);
    if (s->status == SESSION_COMPLETED)
        jw_kv_raw(w, "output", s->output);
    if (s->error.p)
        jw_kv_raw(w, "error", s->error);
    event_end(s);
    s->core_dirty = true;
}

void event_log(struct session *s, int node, const char *level, struct str text)
{
    struct jw *w = event_begin(s, "log", node);
    jw_kv_stringz(w, "level", level);
    jw_kv_string(w, "text", text.p ? text : STR(""));
    event_end(s);
}

/* ---- token_stream: the hot one ---- */

#define CHUNK_EVENT_BYTES_MAX (64u << 10) /* then a new event begins */

static const char *chunk_tail(bool is_thinking)
{
    return is_thinking ? ",\"is_thinking\":true}}" : ",\"is_thinking\":false}}";
}

/* The last event is a chunk of the same message: it grows. */
static void chunk_extend(struct buf *b, struct str text, const char *tail)
{
    buf_truncate(b, b->len - strlen(tail) - 1); /* and the closing quote */
    size_t at = b->len;
    if (json_write_string(b, text))
        return;
    memmove(b->data + at, b->data + at + 1, b->len - at - 1); /* not the opening one */
    buf_truncate(b, b->len - 1);
    buf_append_z(b, tail);
}

#define NAMES_BYTES_MAX 128 /* without the agent's */

/* Up to and including `"chunk":`. */
static void chunk_put_names(struct buf *b, struct work *w, struct str agent)
{
    int64_t index = w->next_index++;

    if (buf_reserve(b, NAMES_BYTES_MAX))
        return;
    char *at = put_id(PUT(b->data + b->len, "{\"message_id\":\""), w->message_id);
    *at++ = '"';
    if (agent.p) {
        event_put_end(b, PUT(at, ",\"agent_id\":"));
        if (json_write_string(b, agent) || buf_reserve(b, NAMES_BYTES_MAX))
            return;
        at = b->data + b->len;
    }
    at = put_i64(PUT(at, ",\"index\":"), index);
    event_put_end(b, PUT(at, ",\"chunk\":"));
}

void event_chunk(struct session *s, struct work *w, struct str text, bool is_thinking)
{
    struct buf *b = &s->made->out.events;
    const char *tail = chunk_tail(is_thinking);
    if (s->chunk_of == w && s->chunk_thinking == is_thinking &&
        b->len - s->chunk_at + text.n < CHUNK_EVENT_BYTES_MAX) {
        chunk_extend(b, text, tail);
        return;
    }
    event_head(s, "token_stream", (int)w->node);
    chunk_put_names(b, w, call_agent(s, w));
    s->chunk_at = b->len;
    json_write_string(b, text);
    buf_append_z(b, tail);
    w->shown = true;
    s->chunk_of = w;
    s->chunk_thinking = is_thinking;
}

/* ---- errors ---- */

struct str error_json(struct session *s, const char *code, struct str message, const char *node_id)
{
    struct buf b;
    buf_init(&b, 64u << 10);
    struct jw w;
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "code", code);
    if (message.n > 4000) {
        message.n = 4000;
        while (message.n && ((unsigned char)message.p[message.n] & 0xc0) == 0x80)
            message.n--; /* a cut may not split a character */
    }
    jw_kv_string(&w, "message", message);
    if (node_id)
        jw_kv_stringz(&w, "node_id", node_id);
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}
