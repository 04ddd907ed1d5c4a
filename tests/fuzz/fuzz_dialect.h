/* The bytes of a model server: SSE parser and a dialect's decoder, the whole input at once and cut
 * at places that the input itself chooses. Both must tell the same. */
#ifndef SLUICE_TESTS_FUZZ_DIALECT_H
#define SLUICE_TESTS_FUZZ_DIALECT_H

#include <stdlib.h>
#include <string.h>

#include "base/sse.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "llm/dialect.h"

#define EVENT_BYTES_MAX 4096

struct reading {
    const struct dialect *dialect;
    struct sse sse;
    struct llm_decoder decoder;
    struct buf told; /* everything that came out, in words */
    int rc;
};

static void reading_event(struct reading *r, const struct sse_event *ev)
{
    struct llm_delta delta;
    buf_append_str(&r->told, ev->name);
    buf_append_char(&r->told, '\x01');
    buf_append_str(&r->told, ev->data);
    int rc = r->dialect->decode(&r->decoder, ev->name, ev->data, &delta, NULL);
    buf_append_char(&r->told, (char)(64 - rc));
    if (rc)
        return;
    FUZZ_CHECK(utf8_is_valid(delta.text) && utf8_is_valid(delta.thinking));
    buf_append_str(&r->told, delta.thinking);
    buf_append_char(&r->told, '\x02');
    buf_append_str(&r->told, delta.text);
}

static void reading_feed(struct reading *r, struct str in)
{
    struct sse_event ev;
    /* In memory of its own: a slice that outlives its bytes is found. */
    char *copy = malloc(in.n + 1);
    memcpy(copy, in.p, in.n);
    struct str rest = {copy, in.n};
    while (r->rc >= 0 && (r->rc = sse_next(&r->sse, &rest, &ev)) == 1)
        reading_event(r, &ev);
    FUZZ_CHECK(r->rc < 0 || rest.n == 0);
    free(copy);
}

static void reading_init(struct reading *r, const struct dialect *dialect)
{
    r->dialect = dialect;
    sse_init(&r->sse, EVENT_BYTES_MAX);
    decoder_init(&r->decoder);
    buf_init(&r->told, SIZE_MAX);
    r->rc = 0;
}

static void reading_finish(struct reading *r)
{
    struct sse_event ev;
    struct llm_delta delta;
    if (r->rc < 0)
        return;
    if (sse_end(&r->sse, &ev) == 1)
        reading_event(r, &ev);
    decoder_end(&r->decoder, &delta);
    buf_append_str(&r->told, delta.thinking);
    buf_append_str(&r->told, delta.text);
    struct buf tools;
    buf_init(&tools, SIZE_MAX);
    FUZZ_CHECK(!decoder_tools_write(&r->decoder, &tools));
    FUZZ_CHECK(!json_check(buf_str(&tools), NULL, NULL));
    buf_append_str(&r->told, buf_str(&tools));
    buf_deinit(&tools);
}

static void reading_deinit(struct reading *r)
{
    sse_deinit(&r->sse);
    decoder_deinit(&r->decoder);
    buf_deinit(&r->told);
}

/* The first byte seeds where the second reading is cut. */
static void fuzz_dialect(const struct dialect *dialect, const uint8_t *data, size_t size)
{
    struct reading whole, cut;
    if (size == 0)
        return;
    struct str in = {(const char *)data + 1, size - 1};
    uint32_t seed = data[0];
    reading_init(&whole, dialect);
    reading_init(&cut, dialect);
    reading_feed(&whole, in);
    for (size_t at = 0; at < in.n;) {
        seed = seed * 1103515245u + 12345u;
        size_t n = 1 + (seed >> 16) % (data[0] % 2 ? 7 : 300);
        if (n > in.n - at)
            n = in.n - at;
        reading_feed(&cut, (struct str){in.p + at, n});
        at += n;
    }
    reading_finish(&whole);
    reading_finish(&cut);
    FUZZ_CHECK(whole.rc == cut.rc);
    FUZZ_CHECK(str_eq(buf_str(&whole.told), buf_str(&cut.told)));
    reading_deinit(&whole);
    reading_deinit(&cut);
}

#endif
