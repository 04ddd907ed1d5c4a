#include "llm/vector.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "llm/decoder.h"
#include "llm/llm.h"

#define ANSWER_BYTES_MAX (32u << 20)
#define VECTOR_TEXT_MAX  (4u * LLM_EMBED_DIMENSIONS_MAX * 2) /* base64 of one, with room */

int openai_embed_encode(const struct str *texts, size_t count, const char *model,
                        unsigned dimensions, struct buf *out, struct errbuf *e)
{
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    if (model && model[0])
        jw_kv_stringz(&w, "model", model);
    jw_key(&w, "input");
    jw_array(&w);
    for (size_t i = 0; i < count; i++)
        jw_string(&w, texts[i]);
    jw_end(&w);
    if (dimensions)
        jw_kv_u64(&w, "dimensions", dimensions);
    jw_end(&w);
    int rc = buf_error(out);
    return rc ? err_set(e, rc, "the texts are too large") : 0;
}

/* ---- One vector ---- */

/* The numbers of an array, or -1: not all are numbers. At most LLM_EMBED_DIMENSIONS_MAX + 1. */
static long read_numbers(struct json array, float *out)
{
    struct json_iter it;
    double number;
    json_iter_init(&it, array);
    while (json_iter_next(&it)) {
        if (!json_double(it.value, &number))
            return -1;
        if (it.index >= LLM_EMBED_DIMENSIONS_MAX)
            return LLM_EMBED_DIMENSIONS_MAX + 1;
        out[it.index] = fabs(number) <= (double)FLT_MAX ? (float)number : NAN;
    }
    return (long)json_length(array);
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The bytes, written over the text itself, or -1. */
static long base64_read(char *text, size_t n)
{
    size_t bytes = 0;
    unsigned bits = 0, held = 0;
    while (n && text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (unsigned)digit;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        text[bytes++] = (char)(bits >> held);
        bits &= (1u << held) - 1;
    }
    return (long)bytes;
}

/* As read_numbers(), of base64. */
static long read_base64(struct json text, float *out)
{
    struct buf b;
    long count = -1;
    buf_init(&b, VECTOR_TEXT_MAX);
    if (json_string(text, &b) && !buf_error(&b) && b.len) {
        long bytes = base64_read(b.data, b.len);
        count = bytes < 0 || bytes % 4 ? -1 : bytes / 4;
    }
    if (buf_error(&b) || count > LLM_EMBED_DIMENSIONS_MAX)
        count = LLM_EMBED_DIMENSIONS_MAX + 1;
    for (long i = 0; i < count && count <= LLM_EMBED_DIMENSIONS_MAX; i++) {
        const unsigned char *p = (const unsigned char *)b.data + 4 * i;
        uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(&out[i], &bits, sizeof(bits));
    }
    buf_deinit(&b);
    return count;
}

struct vector_reading {
    struct openai_vectors *v;
    float row[LLM_EMBED_DIMENSIONS_MAX];
    bool seen[LLM_EMBED_TEXTS_MAX];
    size_t count;
    struct errbuf *e;
};

static int reading_vector(struct vector_reading *r, struct json item, size_t place)
{
    struct openai_vectors *v = r->v;
    struct json embedding = json_get(item, "embedding");
    int64_t index = (int64_t)place;
    json_i64(json_get(item, "index"), &index);
    if (index < 0 || (uint64_t)index >= v->count || r->seen[index])
        return err_set(r->e, ERR_INVALID, "data[%zu].index: not one of %zu, or there twice", place,
                       v->count);
    bool is_list = json_type(embedding) == JSON_ARRAY;
    long n = is_list ? read_numbers(embedding, r->row) : read_base64(embedding, r->row);
    if (n <= 0)
        return err_set(r->e, ERR_INVALID, "data[%zu].embedding: not a list of numbers", place);
    if (n > LLM_EMBED_DIMENSIONS_MAX)
        return err_set(r->e, ERR_INVALID, "data[%zu].embedding: more than %d numbers", place,
                       LLM_EMBED_DIMENSIONS_MAX);
    if (!v->dimensions)
        v->dimensions = (unsigned)n;
    if ((unsigned long)n != v->dimensions)
        return err_set(r->e, ERR_INVALID, "data[%zu].embedding: %ld numbers, but %u are wanted",
                       place, n, v->dimensions);
    if (!v->values)
        v->values = malloc(v->count * v->dimensions * sizeof(float));
    if (!v->values)
        return err_set(r->e, ERR_NOMEM, "out of memory");
    if (!vector_normalise(r->row, v->dimensions))
        return err_set(r->e, ERR_INVALID, "data[%zu].embedding: a vector without a direction",
                       place);
    memcpy(v->values + (size_t)index * v->dimensions, r->row, v->dimensions * sizeof(float));
    r->seen[index] = true;
    r->count++;
    return 0;
}

static int reading_data(struct vector_reading *r, struct json data)
{
    struct json_iter it;
    if (json_type(data) != JSON_ARRAY)
        return err_set(r->e, ERR_INVALID, "data: not there, or not a list");
    json_iter_init(&it, data);
    while (json_iter_next(&it)) {
        int rc = reading_vector(r, it.value, it.index);
        if (rc)
            return rc;
    }
    if (r->count != r->v->count)
        return err_set(r->e, ERR_INVALID, "data: %zu vectors for %zu texts", r->count, r->v->count);
    return 0;
}

static void reading_model(struct openai_vectors *v, struct json model)
{
    struct buf text;
    buf_init(&text, ANSWER_BYTES_MAX);
    if (json_string(model, &text) && text.len) {
        size_t room = sizeof(v->model) - 1;
        size_t n = utf8_cut(text.data, text.len < room ? text.len : room);
        memcpy(v->model, text.data, n);
        v->model[n] = '\0';
    }
    buf_deinit(&text);
}

int openai_embed_decode(struct str body, struct openai_vectors *v, struct errbuf *e)
{
    static const struct json_limits limits = {.bytes_max = ANSWER_BYTES_MAX};
    v->values = NULL;
    v->model[0] = '\0';
    v->tokens = -1;
    int rc = json_check(body, &limits, e);
    if (rc)
        return rc;
    struct json root = json_root(body), usage = json_get(root, "usage");
    if (json_exists(json_get_set(root, "error"))) {
        struct errbuf said;
        decoder_error_text(body, &said);
        return err_set(e, ERR_UPSTREAM, "%s", said.text[0] ? said.text : "an error");
    }
    if (!json_i64(json_get(usage, "prompt_tokens"), &v->tokens))
        json_i64(json_get(usage, "total_tokens"), &v->tokens);
    if (v->tokens < -1)
        v->tokens = -1;
    reading_model(v, json_get(root, "model"));
    struct vector_reading *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, ERR_NOMEM, "out of memory");
    r->v = v;
    r->e = e;
    rc = reading_data(r, json_get(root, "data"));
    free(r);
    if (rc) {
        free(v->values);
        v->values = NULL;
    }
    return rc;
}
