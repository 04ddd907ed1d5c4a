/* The bytes of a model server: SSE parser and a dialect's decoder, the whole input at once and cut
 * at places that the input itself chooses. Both must tell the same; events that are told by the one
 * before them are so only where they are whole. */
#ifndef SLUICE_TESTS_FUZZ_DIALECT_H
#define SLUICE_TESTS_FUZZ_DIALECT_H

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "llm/reader.h"

#define EVENT_BYTES_MAX 4096

struct reading {
    struct llm_reader reader;
    struct buf told; /* everything that came out, in words */
    int rc;
};

static void reading_tell(struct reading *r, int rc, const struct llm_delta *delta)
{
    const struct llm_decoder *d = &r->reader.decoder;
    buf_append_char(&r->told, (char)(64 - rc));
    if (rc < 0)
        return;
    FUZZ_CHECK(utf8_is_valid(delta->text) && utf8_is_valid(delta->thinking));
    buf_append_str(&r->told, delta->thinking);
    buf_append_char(&r->told, '\x02');
    buf_append_str(&r->told, delta->text);
    buf_append_z(&r->told, d->finish_reason ? d->finish_reason : "-");
    buf_append_z(&r->told, d->model);
    buf_append_i64(&r->told, d->usage.output_tokens);
    buf_append_char(&r->told, d->is_done ? '!' : '.');
}

static void reading_feed(struct reading *r, struct str in)
{
    struct llm_delta delta;
    /* In memory of its own: a slice that outlives its bytes is found. */
    char *copy = malloc(in.n + 1);
    memcpy(copy, in.p, in.n);
    struct str rest = {copy, in.n};
    while (r->rc >= 0) {
        size_t had = rest.n;
        r->rc = reader_next(&r->reader, &rest, &delta, NULL);
        if (r->rc == 0)
            break;
        reading_tell(r, r->rc, &delta);
        if (r->rc < 0 && rest.n < had && r->reader.sse.is_given)
            r->rc = 0; /* the event was bad, and the next one may be good */
    }
    FUZZ_CHECK(r->rc < 0 || rest.n == 0);
    free(copy);
}

static void reading_init(struct reading *r, const struct dialect *dialect)
{
    reader_init(&r->reader, dialect, EVENT_BYTES_MAX);
    buf_init(&r->told, SIZE_MAX);
    r->rc = 0;
}

static void reading_finish(struct reading *r)
{
    struct llm_delta delta;
    if (r->rc < 0)
        return;
    int rc = reader_end(&r->reader, &delta, NULL);
    if (rc)
        reading_tell(r, rc, &delta);
    decoder_end(&r->reader.decoder, &delta);
    buf_append_str(&r->told, delta.thinking);
    buf_append_str(&r->told, delta.text);
    struct buf tools;
    buf_init(&tools, SIZE_MAX);
    FUZZ_CHECK(!decoder_tools_write(&r->reader.decoder, &tools));
    FUZZ_CHECK(!json_check(buf_str(&tools), NULL, NULL));
    buf_append_str(&r->told, buf_str(&tools));
    buf_deinit(&tools);
}

static void reading_deinit(struct reading *r)
{
    reader_deinit(&r->reader);
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
