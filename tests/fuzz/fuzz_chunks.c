/* Any bytes in pieces: in order, within the sizes, nothing but white space left out. */
#include "fuzz.h"

#include "base/chunks.h"
#include "base/utf8.h"

static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t chars_of(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; n++) {
        size_t bytes = utf8_char_len(s.p + i, s.n - i);
        i += bytes ? bytes : 1;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, piece;
    const char *covered = text.p, *last = NULL;
    struct chunks c;
    size_t n = 0;

    chunks_init(&c, text);
    while (chunks_next(&c, &piece)) {
        FUZZ_CHECK(piece.n > 0 && piece.p >= text.p && piece.p + piece.n <= text.p + text.n);
        FUZZ_CHECK(!last || piece.p > last);
        FUZZ_CHECK(chars_of(piece) <= CHUNK_CHARS_MAX);
        if (utf8_is_valid(text))
            FUZZ_CHECK(utf8_is_valid(piece));
        for (const char *p = covered; p < piece.p; p++)
            FUZZ_CHECK(is_space(*p));
        last = piece.p;
        if (piece.p + piece.n > covered)
            covered = piece.p + piece.n;
        FUZZ_CHECK(++n <= CHUNKS_MAX(size));
    }
    for (const char *p = covered; size > 0 && p < text.p + text.n; p++)
        FUZZ_CHECK(is_space(*p));
    return 0;
}
