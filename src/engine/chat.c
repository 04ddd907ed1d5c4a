#include "engine/chat.h"

#define ROUNDS_DEFAULT 5

/* ---- reading ---- */

static bool array_get(struct json v, const char *key, struct str *out)
{
    struct json m = json_get_set(v, key);
    *out = STR("[]");
    if (json_exists(m))
        *out = json_raw(m);
    return !json_exists(m) || json_type(m) == JSON_ARRAY;
}

static bool number_get(struct json v, const char *key, int64_t least, int64_t *out)
{
    *out = least;
    json_i64(json_get_set(v, key), out);
    return *out >= least && *out < CALL_ORDINALS_MAX;
}

static bool agent_get(struct json v, struct chat *c)
{
    struct json tools = json_get_set(v, "tools");
    c->said = 0;
    json_i64(json_get_set(v, "said"), &c->said);
    c->tools = json_exists(tools) ? json_raw(tools) : STR_NULL;
    return (!c->tools.p || json_type(tools) == JSON_ARRAY) &&
           number_get(v, "rounds_max", 0, &c->rounds_max);
}

bool chat_load(struct session *s, unsigned n, struct chat *c)
{
    struct str progress = progress_get(s, n);
    if (!progress.p)
        return false;
    struct json v = json_root(tmp_copy(s, progress)), request = json_get_set(v, "request");
    c->request = json_raw(request);
    return json_type(request) == JSON_OBJECT && array_get(v, "messages", &c->messages) &&
           array_get(v, "calls", &c->calls) && array_get(v, "repairs", &c->repairs) &&
           number_get(v, "rounds", 0, &c->rounds) && number_get(v, "at", 0, &c->at) &&
           number_get(v, "message", -1, &c->message) && agent_get(v, c);
}

void chat_init(struct session *s, unsigned n, struct chat *c, const struct work *call)
{
    if (chat_load(s, n, c))
        return;
    *c = (struct chat){.request = tmp_copy(s, call->request),
                       .messages = STR("[]"),
                       .calls = STR("[]"),
                       .repairs = STR("[]"),
                       .at = call->ordinal,
                       .said = call->said,
                       .message = -1};
}

/* ---- writing ---- */

bool chat_save(struct session *s, unsigned n, const struct chat *c)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    if (c->tools.p)
        jw_kv_raw(&w, "tools", c->tools);
    if (c->rounds_max)
        jw_kv_i64(&w, "rounds_max", c->rounds_max);
    jw_kv_raw(&w, "request", c->request);
    jw_kv_raw(&w, "messages", c->messages);
    jw_kv_raw(&w, "calls", c->calls);
    jw_kv_raw(&w, "repairs", c->repairs);
    jw_kv_i64(&w, "rounds", c->rounds);
    jw_kv_i64(&w, "at", c->at);
    jw_kv_i64(&w, "message", c->message);
    if (c->said)
        jw_kv_i64(&w, "said", c->said);
    jw_end(&w);
    bool fits = !buf_error(&b);
    if (fits)
        progress_set(s, n, buf_str(&b));
    else
        node_failz(s, n, "too_large", "The conversation is larger than allowed.");
    buf_deinit(&b);
    return fits;
}

struct str array_append(struct session *s, struct str array, struct str element)
{
    bool is_empty = json_length(json_root(array)) == 0;
    struct buf b;
    buf_init(&b, array.n + element.n + 3);
    buf_append(&b, array.p, array.n - 1); /* without the bracket */
    if (!is_empty)
        buf_append_char(&b, ',');
    buf_append_str(&b, element);
    buf_append_char(&b, ']');
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

void chat_hear(struct session *s, struct chat *c)
{
    struct str message = said_message(s, c->said);
    if (message.p)
        c->messages = array_append(s, c->messages, message);
    c->said = s->said_seq;
}

/* ---- asking ---- */

static void elements_write(struct jw *w, struct json array)
{
    struct json_iter it;
    json_iter_init(&it, array);
    while (json_iter_next(&it))
        jw_raw(w, json_raw(it.value));
}

/* After so many rounds it must answer with what it has. */
bool chat_offers_tools(const struct session *s, unsigned n, const struct chat *c)
{
    int64_t rounds = c->rounds_max ? c->rounds_max : ROUNDS_DEFAULT;
    json_i64(prop(s, n, "max_tool_rounds"), &rounds);
    return c->rounds < rounds;
}

/* The first request with what has come since; without tools when their rounds are used up. */
static void request_write(const struct session *s, unsigned n, const struct chat *c, struct jw *w)
{
    struct json_iter it;
    jw_object(w);
    json_iter_init(&it, json_root(c->request));
    while (json_iter_next(&it)) {
        if (json_iter_key_is(&it, "tools") && !chat_offers_tools(s, n, c))
            continue;
        jw_key_str(w, it.key);
        if (!json_iter_key_is(&it, "messages")) {
            jw_raw(w, json_raw(it.value));
            continue;
        }
        jw_array(w);
        elements_write(w, it.value);
        elements_write(w, json_root(c->messages));
        elements_write(w, json_root(c->repairs));
        jw_end(w);
    }
    jw_end(w);
}

void chat_ask(struct session *s, unsigned n, const struct chat *c)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    request_write(s, n, c, &w);
    if (buf_error(&b)) {
        node_failz(s, n, "too_large", "The conversation is larger than allowed.");
    } else {
        struct work *call = call_begin(s, n, WORK_MODEL, (unsigned)c->at, buf_str(&b));
        if (c->message >= 0)
            call->message_id = call_message_id(s, &s->at->nodes[n], (unsigned)c->message);
    }
    buf_deinit(&b);
}
