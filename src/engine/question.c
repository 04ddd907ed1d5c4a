#include "engine/question.h"

/* ---- the request ---- */

void question_init(struct session *s, unsigned n, struct question *a)
{
    *a = (struct question){.provider = prop(s, n, "provider"),
                           .model = prop(s, n, "model"),
                           .temperature = prop(s, n, "temperature"),
                           .max_tokens = prop(s, n, "max_tokens")};
}

static void message_write(struct jw *w, const char *role, struct str content)
{
    jw_object(w);
    jw_kv_stringz(w, "role", role);
    jw_kv_string(w, "content", content);
    jw_end(w);
}

static void request_write(struct session *s, unsigned n, struct jw *w, const struct question *a)
{
    jw_object(w);
    if (json_type(a->provider) == JSON_STRING)
        jw_kv_raw(w, "provider", json_raw(a->provider));
    if (json_type(a->model) == JSON_STRING || json_type(a->model) == JSON_ARRAY)
        jw_kv_raw(w, "model", json_raw(a->model));
    jw_key(w, "messages");
    jw_array(w);
    if (a->system.n)
        message_write(w, "system", a->system);
    message_write(w, "user", a->user);
    said_write_message(s, n, 0, w);
    jw_end(w);
    if (json_type(a->temperature) == JSON_NUMBER)
        jw_kv_raw(w, "temperature", json_raw(a->temperature));
    if (json_type(a->top_p) == JSON_NUMBER)
        jw_kv_raw(w, "top_p", json_raw(a->top_p));
    if (json_type(a->max_tokens) == JSON_NUMBER)
        jw_kv_raw(w, "max_tokens", json_raw(a->max_tokens));
    if (a->schema.n)
        jw_kv_raw(w, "response_schema", a->schema);
    jw_end(w);
}

bool question_begin(struct session *s, unsigned n, unsigned base, const struct question *a)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    request_write(s, n, &w, a);
    bool fits = !buf_error(&b);
    if (fits)
        call_begin(s, n, WORK_MODEL, base, buf_str(&b));
    buf_deinit(&b);
    return fits;
}

bool question_is_open(const struct session *s, unsigned n, unsigned base)
{
    for (unsigned i = 0; i < QUESTION_TRIES; i++)
        if (call_find(s, n, base + i))
            return true;
    return false;
}

bool question_keeps_request(const struct session *s, unsigned n)
{
    (void)s;
    (void)n;
    return true;
}

/* ---- the answer ---- */

/* The request as it was, with the wrong answer and what is wrong with it. */
static void repair_write(struct session *s, const struct work *c, struct jw *w, const char *why)
{
    struct str answer = call_text(c);
    struct json_iter it, messages;
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "%s Answer again, with nothing but the JSON that was asked for.", why);
    jw_object(w);
    json_iter_init(&it, json_root(c->request));
    while (json_iter_next(&it)) {
        jw_key_str(w, it.key);
        if (!json_iter_key_is(&it, "messages")) {
            jw_raw(w, json_raw(it.value));
            continue;
        }
        jw_array(w);
        json_iter_init(&messages, it.value);
        while (json_iter_next(&messages))
            jw_raw(w, json_raw(messages.value));
        message_write(w, "assistant", answer.n ? answer : STR("(nothing)"));
        message_write(w, "user", buf_str(&text));
        said_write_message(s, c->node, c->said, w);
        jw_end(w);
    }
    jw_end(w);
    buf_deinit(&text);
}

void question_void(struct session *s, unsigned n, struct work *c, const char *reason)
{
    if (c->shown || c->text.len)
        model_reset(s, n, c->message_id, reason);
    buf_clear(&c->text);
    thought_forget(c);
    c->shown = false;
}

static bool question_again(struct session *s, unsigned n, struct work *c, const struct errbuf *e)
{
    struct buf b;
    struct jw w;
    if (c->ordinal % QUESTION_SPAN + 1 >= QUESTION_TRIES || !c->request.p ||
        call_find(s, n, c->ordinal + 1))
        return false;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    repair_write(s, c, &w, e->text);
    bool fits = !buf_error(&b);
    if (fits) {
        question_void(s, n, c, "schema_mismatch");
        call_begin(s, n, WORK_MODEL, c->ordinal + 1, buf_str(&b))->message_id = c->message_id;
    }
    buf_deinit(&b);
    return fits;
}

enum question_result question_read(struct session *s, unsigned n, struct work *c,
                                   const struct engine_input *in, struct str schema,
                                   struct str *out, struct errbuf *e)
{
    int rc = answer_read(s, call_text(c), json_root(schema), out, e);
    if (rc)
        return question_again(s, n, c, e) ? QUESTION_AGAIN : QUESTION_WRONG;
    model_message(s, c, in->finish_reason.n ? in->finish_reason : STR("stop"), in->output_tokens);
    return QUESTION_READ;
}

/* ---- where it leads ---- */

int decision_edge(const struct session *s, unsigned n, const char *const *labels)
{
    const struct node_def *def = node_def(s, n);
    for (; *labels; labels++) {
        for (unsigned i = 0; i < def->out_count; i++) {
            const struct edge *e = &s->at->wf->edges[def->out[i]];
            if (e->kind == EDGE_ROUTE && str_eqz(e->label, *labels))
                return def->out[i];
        }
    }
    return EDGES_NEXT;
}
