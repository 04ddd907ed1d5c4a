#include "llm/openai.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#define PIECE_BYTES_MAX (SIZE_MAX / 4) /* bounded by the event it comes from */

/* ---- The request ---- */

static int openai_check_messages(struct json messages, struct errbuf *e)
{
    if (json_type(messages) != JSON_ARRAY || json_length(messages) == 0)
        return err_set(e, ERR_INVALID, "messages: must be an array that is not empty");
    struct json_iter it;
    json_iter_init(&it, messages);
    while (json_iter_next(&it)) {
        int rc = openai_check_message(it.value, it.index, e);
        if (rc)
            return rc;
    }
    return 0;
}

static void openai_encode_schema(struct jw *w, struct json schema)
{
    jw_key(w, "response_format");
    jw_object(w);
    jw_kv_stringz(w, "type", "json_schema");
    jw_key(w, "json_schema");
    jw_object(w);
    jw_kv_stringz(w, "name", "answer");
    jw_kv_raw(w, "schema", json_raw(schema));
    jw_end(w);
    jw_end(w);
}

static int openai_encode_member(struct jw *w, const struct json_iter *it, bool is_openai,
                                struct errbuf *e)
{
    enum json_type type = json_type(it->value);
    if (json_iter_key_is(it, "messages")) {
        openai_encode_messages(w, it->value);
    } else if (type == JSON_NULL) {
        return 0;
    } else if (json_iter_key_is(it, "response_schema")) {
        if (type != JSON_OBJECT)
            return err_set(e, ERR_INVALID, "response_schema: must be an object");
        openai_encode_schema(w, it->value);
    } else if (json_iter_key_is(it, "tools")) {
        return openai_encode_tools(w, it->value, e);
    } else if (type != JSON_NUMBER) {
        return err_set(e, ERR_INVALID, "%.*s: must be a number", STR_FMT(it->key));
    } else if (json_iter_key_is(it, "temperature")) {
        jw_kv_raw(w, "temperature", json_raw(it->value));
    } else if (json_iter_key_is(it, "top_p")) {
        jw_kv_raw(w, "top_p", json_raw(it->value));
    } else if (json_iter_key_is(it, "max_tokens")) {
        jw_kv_raw(w, is_openai ? "max_completion_tokens" : "max_tokens", json_raw(it->value));
    } else {
        return err_set(e, ERR_INVALID, "%.*s: unknown member", STR_FMT(it->key));
    }
    return 0;
}

int openai_encode(struct str request, const struct openai_encode_options *options, struct buf *out,
                  struct errbuf *e)
{
    struct json root = json_root(request);
    if (json_type(root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "the request must be an object");
    int rc = openai_check_messages(json_get(root, "messages"), e);
    if (rc)
        return rc;
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    if (options->model && options->model[0])
        jw_kv_stringz(&w, "model", options->model);
    struct json_iter it;
    json_iter_init(&it, root);
    while (json_iter_next(&it)) {
        rc = openai_encode_member(&w, &it, options->is_openai, e);
        if (rc)
            return rc;
    }
    jw_kv_bool(&w, "stream", true);
    jw_kv_raw(&w, "stream_options", STR("{\"include_usage\":true}"));
    jw_end(&w);
    rc = buf_error(out);
    return rc ? err_set(e, rc, "the request is too large") : 0;
}

/* ---- Half surrogate pairs ---- */

/* The surrogate that the 6 bytes of an escape at p name, or 0. */
static uint16_t surrogate_at(const char *p, size_t n)
{
    if (n < 6 || p[0] != '\\' || p[1] != 'u' || (p[2] | 0x20) != 'd')
        return 0;
    unsigned v = 0;
    for (int i = 2; i < 6; i++) {
        int c = (unsigned char)p[i];
        int lower = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (unsigned)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            v = v << 4 | (unsigned)(lower - 'a' + 10);
        else
            return 0;
    }
    return v >= 0xD800 && v <= 0xDFFF ? (uint16_t)v : 0;
}

static bool surrogate_is_high(uint16_t unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool surrogate_is_low(uint16_t unit)
{
    return unit >= 0xDC00;
}

/* The offset of the first lone surrogate's escape at or after `at`, or text.n. `at` must not lie
 * within an escape. */
static size_t surrogate_lone_find(struct str text, size_t at)
{
    while (at < text.n) {
        const char *p = memchr(text.p + at, '\\', text.n - at);
        if (!p)
            return text.n;
        at = (size_t)(p - text.p);
        uint16_t unit = surrogate_at(p, text.n - at);
        if (!unit) {
            at += 2;
            continue;
        }
        uint16_t next = surrogate_at(p + 6, text.n - at - 6);
        if (!surrogate_is_high(unit) || !surrogate_is_low(next))
            return at;
        at += 12;
    }
    return text.n;
}

/* The event with each lone surrogate's escape replaced by \ufffd, byte for byte in the same place;
 * `data` itself when there is none. */
static int openai_fix_surrogates(struct openai_decoder *d, struct str data, struct str *fixed)
{
    *fixed = data;
    size_t at = surrogate_lone_find(data, 0);
    if (at == data.n)
        return 0;
    buf_clear(&d->fixed);
    int rc = buf_append_str(&d->fixed, data);
    if (rc)
        return rc;
    while (at < data.n) {
        memcpy(d->fixed.data + at, "\\ufffd", 6);
        at = surrogate_lone_find(data, at + 6);
    }
    *fixed = buf_str(&d->fixed);
    return 0;
}

/* ---- Pieces of text ---- */

struct decoding {
    struct openai_decoder *d;
    struct str data;  /* as it came */
    struct str fixed; /* what the views point into */
    struct openai_delta *out;
    struct errbuf *e;
};

static const char *decoding_original(const struct decoding *g, struct json v)
{
    return g->data.p + (v.p - g->fixed.p);
}

static void piece_append_char(struct buf *piece, uint32_t code_point)
{
    char utf8[4];
    buf_append(piece, utf8, utf8_encode(code_point, utf8));
}

/* Appends the string v; halves at its ends are joined over the border to the next piece. */
static void piece_append(const struct decoding *g, struct buf *piece, uint16_t *pending,
                         struct json v)
{
    size_t inner = v.n - 2;
    if (inner == 0)
        return;
    const char *original = decoding_original(g, v) + 1;
    bool is_fixed = g->fixed.p != g->data.p;
    uint16_t first = is_fixed ? surrogate_at(original, inner) : 0;
    bool is_joined = *pending && surrogate_is_low(first);
    if (is_joined)
        piece_append_char(piece, 0x10000u + ((*pending - 0xD800u) << 10) + (first - 0xDC00u));
    else if (*pending)
        buf_append_z(piece, UTF8_REPLACEMENT);
    *pending = 0;

    size_t at = piece->len;
    json_string(v, piece);
    if (buf_error(piece))
        return; /* openai_decode() asks */
    if (is_joined)
        memmove(piece->data + at, piece->data + at + 3, piece->len - at - 3 + 1);
    piece->len -= is_joined ? 3 : 0;

    /* The last six bytes are an escape only if the fixed text has the replacement there, too. */
    if (is_fixed && inner >= 6 && memcmp(v.p + v.n - 7, "\\ufffd", 6) == 0) {
        uint16_t last = surrogate_at(original + inner - 6, 6);
        if (surrogate_is_high(last)) {
            *pending = last;
            buf_truncate(piece, piece->len - 3);
        }
    }
}

static void decoding_add(const struct decoding *g, enum openai_field field, struct json v)
{
    if (json_type(v) != JSON_STRING || v.n == 2)
        return;
    uint16_t *pending = &g->d->pending[field];
    bool is_thinking = field == OPENAI_THINKING;
    struct str *slot = is_thinking ? &g->out->thinking : &g->out->text;
    /* Nearly always: nothing to unescape, nothing to join, the first of its kind in this event. */
    if (!*pending && slot->n == 0 && !memchr(v.p, '\\', v.n)) {
        *slot = (struct str){v.p + 1, v.n - 2};
        return;
    }
    struct buf *piece = &g->d->pieces[is_thinking];
    if (piece->len == 0 && slot->n)
        buf_append_str(piece, *slot);
    piece_append(g, piece, pending, v);
    *slot = buf_str(piece);
}

/* ---- Tool calls ---- */

static int decoding_tool_call(const struct decoding *g, struct json v, size_t place)
{
    struct openai_decoder *d = g->d;
    int64_t index = (int64_t)place; /* some servers leave it out when there is one */
    json_i64(json_get(v, "index"), &index);
    if (index < 0 || index >= OPENAI_TOOL_CALLS_MAX)
        return err_set(g->e, ERR_TOO_LARGE, "more than %d tool calls", OPENAI_TOOL_CALLS_MAX);
    if (!d->tool_calls)
        d->tool_calls = mem_calloc(OPENAI_TOOL_CALLS_MAX, sizeof(*d->tool_calls));
    while (d->tool_call_count <= (size_t)index)
        buf_init(&d->tool_calls[d->tool_call_count++].arguments, OPENAI_TOOL_BYTES_MAX);

    struct openai_tool_call *call = &d->tool_calls[index];
    struct json function = json_get(v, "function");
    struct buf word;
    buf_init(&word, PIECE_BYTES_MAX);
    if (json_string(json_get(v, "id"), &word) && word.len && word.len < sizeof(call->id))
        memcpy(call->id, word.data, word.len + 1);
    buf_clear(&word);
    if (json_string(json_get(function, "name"), &word) && word.len && word.len < sizeof(call->name))
        memcpy(call->name, word.data, word.len + 1);
    buf_deinit(&word);
    struct json arguments = json_get(function, "arguments");
    d->tool_bytes += arguments.n;
    if (json_type(arguments) == JSON_STRING)
        piece_append(g, &call->arguments, &call->pending, arguments);
    if (buf_error(&call->arguments) || d->tool_bytes > OPENAI_TOOLS_BYTES_MAX)
        return err_set(g->e, ERR_TOO_LARGE, "the arguments of a tool call are too long");
    return 0;
}

static int decoding_tool_calls(const struct decoding *g, struct json calls)
{
    struct json_iter it;
    json_iter_init(&it, calls);
    while (json_iter_next(&it)) {
        int rc = decoding_tool_call(g, it.value, it.index);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- Events ---- */

static const char *openai_finish_reason(struct json v)
{
    static const struct {
        const char *theirs, *ours;
    } reasons[] = {
        {"stop", "stop"},
        {"length", "length"},
        {"max_tokens", "length"},
        {"content_filter", "content_filter"},
        {"tool_calls", "tool_calls"},
        {"function_call", "tool_calls"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (json_string_eq(v, reasons[i].theirs))
            return reasons[i].ours;
    return "stop"; /* "eos", "end_turn", …: it ended of its own accord */
}

static int decoding_message(const struct decoding *g, struct json message)
{
    struct json_iter it;
    json_iter_init(&it, message);
    while (json_iter_next(&it)) {
        int rc = 0;
        if (json_iter_key_is(&it, "content"))
            decoding_add(g, OPENAI_TEXT, it.value);
        else if (json_iter_key_is(&it, "reasoning_content"))
            decoding_add(g, OPENAI_THINKING, it.value);
        else if (json_iter_key_is(&it, "reasoning")) {
            /* Some servers send both, with the same text. */
            if (!json_exists(json_get_set(message, "reasoning_content")))
                decoding_add(g, OPENAI_THINKING, it.value);
        } else if (json_iter_key_is(&it, "refusal"))
            decoding_add(g, OPENAI_REFUSAL, it.value);
        else if (json_iter_key_is(&it, "tool_calls"))
            rc = decoding_tool_calls(g, it.value);
        if (rc)
            return rc;
    }
    return 0;
}

static int decoding_choice(const struct decoding *g, struct json choice)
{
    int64_t index = 0;
    json_i64(json_get(choice, "index"), &index);
    if (index != 0)
        return 0; /* one was asked for */
    int rc = 0;
    struct json_iter it;
    json_iter_init(&it, choice);
    while (!rc && json_iter_next(&it)) {
        if (json_iter_key_is(&it, "delta") || json_iter_key_is(&it, "message"))
            rc = decoding_message(g, it.value);
        else if (json_iter_key_is(&it, "finish_reason") && json_type(it.value) == JSON_STRING)
            g->d->finish_reason = openai_finish_reason(it.value);
    }
    return rc;
}

static int decoding_choices(const struct decoding *g, struct json choices)
{
    struct json_iter it;
    json_iter_init(&it, choices);
    while (json_iter_next(&it)) {
        int rc = decoding_choice(g, it.value);
        if (rc)
            return rc;
    }
    return 0;
}

static void decoding_usage(const struct decoding *g, struct json usage)
{
    int64_t n;
    if (json_i64(json_get(usage, "prompt_tokens"), &n) && n >= 0)
        g->d->usage.input_tokens = n;
    if (json_i64(json_get(usage, "completion_tokens"), &n) && n >= 0)
        g->d->usage.output_tokens = n;
}

static void decoding_model(const struct decoding *g, struct json model)
{
    struct openai_decoder *d = g->d;
    if (d->model[0] || json_type(model) != JSON_STRING)
        return;
    struct buf text;
    buf_init(&text, PIECE_BYTES_MAX);
    if (json_string(model, &text) && text.len) {
        size_t room = sizeof(d->model) - 1;
        size_t n = utf8_cut(text.data, text.len < room ? text.len : room);
        memcpy(d->model, text.data, n);
        d->model[n] = '\0';
    }
    buf_deinit(&text);
}

/* The sentence of an error member: an object with a message, or a string. */
static bool openai_error_sentence(struct json error, struct buf *out)
{
    if (json_string(json_get(error, "message"), out))
        return true;
    return json_string(error, out);
}

static int decoding_error(const struct decoding *g, struct json error)
{
    struct buf text;
    buf_init(&text, PIECE_BYTES_MAX);
    if (!openai_error_sentence(error, &text))
        buf_append_str(&text, json_raw(error));
    int rc = err_set(g->e, ERR_UPSTREAM, "%s", text.data ? text.data : "");
    buf_deinit(&text);
    return rc;
}

static int decoding_root(const struct decoding *g, struct json root)
{
    if (json_type(root) != JSON_OBJECT)
        return err_set(g->e, ERR_INVALID, "an event is not an object");
    struct json_iter it;
    json_iter_init(&it, root);
    while (json_iter_next(&it)) {
        int rc = 0;
        if (json_iter_key_is(&it, "choices"))
            rc = decoding_choices(g, it.value);
        else if (json_iter_key_is(&it, "usage"))
            decoding_usage(g, it.value);
        else if (json_iter_key_is(&it, "model"))
            decoding_model(g, it.value);
        else if (json_iter_key_is(&it, "error") && json_type(it.value) != JSON_NULL)
            rc = decoding_error(g, it.value);
        if (rc)
            return rc;
    }
    return 0;
}

void openai_decoder_init(struct openai_decoder *d)
{
    memset(d, 0, sizeof(*d));
    d->usage = (struct llm_usage){-1, -1};
    buf_init(&d->fixed, PIECE_BYTES_MAX);
    buf_init(&d->pieces[0], PIECE_BYTES_MAX);
    buf_init(&d->pieces[1], PIECE_BYTES_MAX);
}

void openai_decoder_deinit(struct openai_decoder *d)
{
    for (size_t i = 0; i < d->tool_call_count; i++)
        buf_deinit(&d->tool_calls[i].arguments);
    free(d->tool_calls);
    buf_deinit(&d->fixed);
    buf_deinit(&d->pieces[0]);
    buf_deinit(&d->pieces[1]);
}

int openai_decode(struct openai_decoder *d, struct str data, struct openai_delta *out,
                  struct errbuf *e)
{
    static const struct json_limits limits = {.bytes_max = 2u * LLM_TEXT_BYTES_MAX};
    *out = (struct openai_delta){STR_NULL, STR_NULL};
    if (str_eqz(data, "[DONE]")) {
        d->is_done = true;
        return 0;
    }
    buf_clear(&d->pieces[0]);
    buf_clear(&d->pieces[1]);
    struct decoding g = {.d = d, .data = data, .out = out, .e = e};
    int rc = openai_fix_surrogates(d, data, &g.fixed);
    if (!rc)
        rc = json_check(g.fixed, &limits, e);
    if (rc)
        return rc == ERR_NOMEM ? rc : ERR_INVALID;
    rc = decoding_root(&g, json_root(g.fixed));
    if (!rc)
        rc = buf_error(&d->pieces[0]);
    return rc ? rc : buf_error(&d->pieces[1]);
}

void openai_decode_end(struct openai_decoder *d, struct openai_delta *out)
{
    *out = (struct openai_delta){STR_NULL, STR_NULL};
    if (d->pending[OPENAI_THINKING])
        out->thinking = STR(UTF8_REPLACEMENT);
    if (d->pending[OPENAI_TEXT] || d->pending[OPENAI_REFUSAL])
        out->text = STR(UTF8_REPLACEMENT);
    for (size_t i = 0; i < d->tool_call_count; i++) {
        if (d->tool_calls[i].pending)
            buf_append_z(&d->tool_calls[i].arguments, UTF8_REPLACEMENT);
        d->tool_calls[i].pending = 0;
    }
    memset(d->pending, 0, sizeof(d->pending));
}

void openai_error_text(struct str body, struct errbuf *out)
{
    struct buf text;
    buf_init(&text, PIECE_BYTES_MAX);
    bool is_found = false;
    if (json_check(body, NULL, NULL) == 0) {
        struct json root = json_root(body);
        is_found = openai_error_sentence(json_get_set(root, "error"), &text) ||
                   json_string(json_get(root, "message"), &text) ||
                   json_string(json_get(root, "detail"), &text);
    }
    if (!is_found) {
        size_t n = body.n < sizeof(out->text) ? body.n : sizeof(out->text) - 1;
        struct str head = {body.p, n ? utf8_cut(body.p, n) : 0};
        if (utf8_is_valid(head)) /* a page of some proxy may be in any encoding */
            buf_append_str(&text, head);
    }
    err_set(out, ERR_UPSTREAM, "%s", text.data ? text.data : "");
    buf_deinit(&text);
}
