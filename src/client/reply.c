#include <stdlib.h>
#include <string.h>

#include "client/client_private.h"

/* Strings that were made for the caller, one after the other. */
struct reply_piece {
    struct reply_piece *next;
    char text[];
};
struct reply_memory {
    struct buf body;
    struct reply_piece *pieces;
    bool is_json; /* checked */
};

static struct reply_memory *reply_memory(struct sluice_reply *r)
{
    return r->memory;
}

/* NULL: out of memory. */
static const char *reply_keep(struct sluice_reply *r, struct str text)
{
    struct reply_memory *m = r->memory;
    struct reply_piece *piece = malloc(sizeof(*piece) + text.n + 1);

    if (!piece)
        return NULL;
    if (text.n)
        memcpy(piece->text, text.p, text.n);
    piece->text[text.n] = '\0';
    piece->next = m->pieces;
    m->pieces = piece;
    return piece->text;
}

static const char *reply_unescaped(struct sluice_reply *r, struct json v)
{
    struct buf text;
    const char *kept = NULL;

    buf_init(&text, v.n + 1);
    if (json_string(v, &text) && !buf_error(&text))
        kept = reply_keep(r, buf_str(&text));
    buf_deinit(&text);
    return kept;
}

static void reply_clear(struct sluice_reply *r)
{
    memset(r, 0, sizeof(*r));
    r->code = r->error = r->json = r->type = "";
}

void sluice_reply_free(struct sluice_reply *r)
{
    if (!r)
        return;
    struct reply_memory *m = r->memory;
    while (m && m->pieces) {
        struct reply_piece *piece = m->pieces;
        m->pieces = piece->next;
        free(piece);
    }
    if (m)
        buf_deinit(&m->body);
    free(m);
    memset(r, 0, sizeof(*r));
}

static int reply_begin(struct sluice_reply *r)
{
    reply_clear(r);
    struct reply_memory *m = calloc(1, sizeof(*m));
    if (!m) {
        r->code = sluice_result_word(SLUICE_E_NOMEM);
        r->error = "out of memory";
        return SLUICE_E_NOMEM;
    }
    r->memory = m;
    return 0;
}

static void reply_say(struct sluice_reply *r, int result, const char *sentence)
{
    const char *kept = reply_keep(r, str_of(sentence));

    r->code = sluice_result_word(result);
    r->error = kept ? kept : "out of memory";
}

int reply_fail(struct sluice_reply *reply, int result, const char *sentence)
{
    struct sluice_reply own;

    if (!reply)
        return result;
    if (reply_begin(&own) == 0)
        reply_say(&own, result, sentence);
    *reply = own;
    return result;
}

static bool type_is_json(const char *type)
{
    size_t n = strcspn(type, "; ");

    return str_eqz((struct str){type, n}, "application/json");
}

/* The server's own words for what it refused. */
static void reply_take_error(struct sluice_reply *r, int result)
{
    struct json root = json_root(buf_str(&reply_memory(r)->body));
    struct json details = json_get_set(root, "details");
    const char *code = reply_unescaped(r, json_get(root, "code"));
    const char *error = reply_unescaped(r, json_get(root, "error"));

    /* An empty sentence is none: callers take `error` for the sign that something failed. */
    if (error && error[0]) {
        r->error = error;
        r->code = sluice_result_word(result);
    } else {
        struct errbuf e;
        err_set(&e, ERR_UPSTREAM, "the server answered with status %d", r->status);
        reply_say(r, result, e.text);
    }
    if (code && code[0])
        r->code = code;
    if (json_exists(details))
        r->details = reply_keep(r, json_raw(details));
}

static int reply_read(struct sluice_reply *r, const struct answer *a)
{
    struct reply_memory *m = r->memory;
    struct json_limits limits = {.bytes_max = m->body.max};
    bool says_json = type_is_json(r->type);
    int result = result_of_status(r->status);

    int rc =
        r->json_bytes && says_json ? json_check(buf_str(&m->body), &limits, NULL) : ERR_INVALID;
    m->is_json = rc == 0;
    if (rc == ERR_NOMEM) {
        reply_say(r, SLUICE_E_NOMEM, "out of memory");
        return SLUICE_E_NOMEM;
    }
    if (result != SLUICE_OK) {
        if (m->is_json) {
            reply_take_error(r, result);
        } else {
            struct errbuf e;
            err_set(&e, ERR_UPSTREAM, "the server answered with status %d", r->status);
            reply_say(r, result, e.text);
        }
        return result;
    }
    if (r->json_bytes && !m->is_json && (says_json || a->expects_json)) {
        reply_say(r, SLUICE_E_PROTOCOL, "the answer cannot be read as JSON");
        return SLUICE_E_PROTOCOL;
    }
    r->version = sluice_reply_int(r, "/version", 0);
    return SLUICE_OK;
}

int reply_fill(struct sluice_reply *reply, struct answer *a)
{
    struct sluice_reply own;
    int rc = reply_begin(&own);

    if (rc == 0 && a->result != SLUICE_OK) {
        reply_say(&own, a->result, a->sentence);
        rc = a->result;
    } else if (rc == 0) {
        struct reply_memory *m = own.memory;
        own.status = a->status;
        own.retry_after_ms = a->retry_after_ms;
        m->body = *a->body;
        buf_init(a->body, 0);
        if (m->body.data)
            own.json = m->body.data;
        own.json_bytes = m->body.len;
        own.type = reply_keep(&own, str_of(a->type ? a->type : ""));
        rc = own.type ? reply_read(&own, a) : SLUICE_E_NOMEM;
        if (!own.type) {
            own.type = "";
            reply_say(&own, rc, "out of memory");
        }
    }
    if (reply)
        *reply = own;
    else
        sluice_reply_free(&own);
    return rc;
}

/* ---- what is in it ---- */

static struct json reply_at(const struct sluice_reply *r, const char *pointer)
{
    const struct reply_memory *m = r->memory;

    return m && m->is_json ? json_at(json_root(buf_str(&m->body)), pointer) : JSON_ABSENT;
}

const char *sluice_reply_string(struct sluice_reply *r, const char *pointer)
{
    struct json v = reply_at(r, pointer);

    return json_type(v) == JSON_STRING ? reply_unescaped(r, v) : NULL;
}

const char *sluice_reply_json(struct sluice_reply *r, const char *pointer)
{
    struct json v = reply_at(r, pointer);

    return json_exists(v) ? reply_keep(r, json_raw(v)) : NULL;
}

int64_t sluice_reply_int(struct sluice_reply *r, const char *pointer, int64_t otherwise)
{
    json_i64(reply_at(r, pointer), &otherwise);
    return otherwise;
}

double sluice_reply_number(struct sluice_reply *r, const char *pointer, double otherwise)
{
    json_double(reply_at(r, pointer), &otherwise);
    return otherwise;
}

int sluice_reply_bool(struct sluice_reply *r, const char *pointer, int otherwise)
{
    bool is = otherwise != 0;

    return json_bool(reply_at(r, pointer), &is) ? is : otherwise;
}

size_t sluice_reply_count(struct sluice_reply *r, const char *pointer)
{
    return json_length(reply_at(r, pointer));
}
