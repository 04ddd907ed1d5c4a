#include "llm/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define PIECE_BYTES_MAX (SIZE_MAX / 4) /* bounded by the event it comes from */

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
static int decoder_fix_surrogates(struct llm_decoder *d, struct str data, struct str *fixed)
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
        return; /* decoding_finish() asks */
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

void decoding_add(const struct decoding *g, enum decoder_field field, struct json v)
{
    if (json_type(v) != JSON_STRING || v.n == 2)
        return;
    uint16_t *pending = &g->d->pending[field];
    bool is_thinking = field == DECODER_THINKING;
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

void decoding_add_raw(const struct decoding *g, struct json v)
{
    uint16_t *pending = &g->d->pending[DECODER_TEXT];
    struct buf *piece = &g->d->pieces[0];
    if (!*pending && g->out->text.n == 0) {
        g->out->text = json_raw(v);
        return;
    }
    if (piece->len == 0)
        buf_append_str(piece, g->out->text);
    if (*pending)
        buf_append_z(piece, UTF8_REPLACEMENT);
    *pending = 0;
    buf_append_str(piece, json_raw(v));
    g->out->text = buf_str(piece);
}

/* ---- Tool calls ---- */

struct llm_tool_call *decoding_tool(const struct decoding *g, int64_t index)
{
    struct llm_decoder *d = g->d;
    if (index < 0 || index >= DECODER_TOOL_CALLS_MAX) {
        err_set(g->e, ERR_TOO_LARGE, "more than %d tool calls", DECODER_TOOL_CALLS_MAX);
        return NULL;
    }
    if (!d->tool_calls)
        d->tool_calls = mem_calloc(DECODER_TOOL_CALLS_MAX, sizeof(*d->tool_calls));
    while (d->tool_call_count <= (size_t)index)
        buf_init(&d->tool_calls[d->tool_call_count++].arguments, DECODER_TOOL_BYTES_MAX);
    return &d->tool_calls[index];
}

void decoding_tool_name(struct llm_tool_call *call, struct json id, struct json name)
{
    struct buf word;
    buf_init(&word, PIECE_BYTES_MAX);
    if (json_string(id, &word) && word.len && word.len < sizeof(call->id))
        memcpy(call->id, word.data, word.len + 1);
    buf_clear(&word);
    if (json_string(name, &word) && word.len && word.len < sizeof(call->name))
        memcpy(call->name, word.data, word.len + 1);
    buf_deinit(&word);
}

int decoding_tool_piece(const struct decoding *g, struct llm_tool_call *call, struct json v)
{
    struct llm_decoder *d = g->d;
    d->tool_bytes += v.n;
    if (json_type(v) == JSON_STRING)
        piece_append(g, &call->arguments, &call->pending, v);
    if (buf_error(&call->arguments) || d->tool_bytes > DECODER_TOOLS_BYTES_MAX)
        return err_set(g->e, ERR_TOO_LARGE, "the arguments of a tool call are too long");
    return 0;
}

int decoder_tools_write(const struct llm_decoder *d, struct buf *out)
{
    struct jw w;
    jw_init(&w, out);
    jw_array(&w);
    for (size_t i = 0; i < d->tool_call_count; i++) {
        const struct llm_tool_call *call = &d->tool_calls[i];
        if (!call->name[0])
            continue; /* a hole among the indexes */
        jw_object(&w);
        jw_kv_stringz(&w, "id", call->id);
        jw_kv_stringz(&w, "name", call->name);
        jw_kv_string(&w, "arguments", call->arguments.len ? buf_str(&call->arguments) : STR(""));
        jw_end(&w);
    }
    jw_end(&w);
    return buf_error(out);
}

/* ---- One event ---- */

int decoding_begin(struct decoding *g, struct llm_decoder *d, struct str data,
                   struct llm_delta *out, struct errbuf *e)
{
    static const struct json_limits limits = {.bytes_max = 2u * LLM_TEXT_BYTES_MAX};
    buf_clear(&d->pieces[0]);
    buf_clear(&d->pieces[1]);
    *g = (struct decoding){.d = d, .data = data, .out = out, .e = e};
    int rc = decoder_fix_surrogates(d, data, &g->fixed);
    if (!rc)
        rc = json_check(g->fixed, &limits, e);
    if (rc)
        return rc == ERR_NOMEM ? rc : ERR_INVALID;
    return 0;
}

int decoding_finish(const struct decoding *g)
{
    int rc = buf_error(&g->d->pieces[0]);
    return rc ? rc : buf_error(&g->d->pieces[1]);
}

void decoding_model(const struct decoding *g, struct json model)
{
    struct llm_decoder *d = g->d;
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
static bool error_sentence(struct json error, struct buf *out)
{
    if (json_string(json_get(error, "message"), out))
        return true;
    return json_string(error, out);
}

int decoding_error(const struct decoding *g, struct json error)
{
    struct buf text;
    buf_init(&text, PIECE_BYTES_MAX);
    if (!error_sentence(error, &text))
        buf_append_str(&text, json_raw(error));
    int rc = err_set(g->e, ERR_UPSTREAM, "%s", text.data ? text.data : "");
    buf_deinit(&text);
    return rc;
}

/* ---- The whole ---- */

void decoder_init(struct llm_decoder *d)
{
    memset(d, 0, sizeof(*d));
    d->usage = (struct llm_usage){-1, -1};
    d->answer_block = -1;
    buf_init(&d->fixed, PIECE_BYTES_MAX);
    buf_init(&d->pieces[0], PIECE_BYTES_MAX);
    buf_init(&d->pieces[1], PIECE_BYTES_MAX);
}

void decoder_deinit(struct llm_decoder *d)
{
    for (size_t i = 0; i < d->tool_call_count; i++)
        buf_deinit(&d->tool_calls[i].arguments);
    free(d->tool_calls);
    buf_deinit(&d->fixed);
    buf_deinit(&d->pieces[0]);
    buf_deinit(&d->pieces[1]);
}

void decoder_end(struct llm_decoder *d, struct llm_delta *out)
{
    *out = (struct llm_delta){STR_NULL, STR_NULL};
    if (d->pending[DECODER_THINKING])
        out->thinking = STR(UTF8_REPLACEMENT);
    if (d->pending[DECODER_TEXT] || d->pending[DECODER_REFUSAL])
        out->text = STR(UTF8_REPLACEMENT);
    for (size_t i = 0; i < d->tool_call_count; i++) {
        if (d->tool_calls[i].pending)
            buf_append_z(&d->tool_calls[i].arguments, UTF8_REPLACEMENT);
        d->tool_calls[i].pending = 0;
    }
    memset(d->pending, 0, sizeof(d->pending));
}

void decoder_error_text(struct str body, struct errbuf *out)
{
    struct buf text;
    buf_init(&text, PIECE_BYTES_MAX);
    bool is_found = false;
    if (json_check(body, NULL, NULL) == 0) {
        struct json root = json_root(body);
        is_found = error_sentence(json_get_set(root, "error"), &text) ||
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
