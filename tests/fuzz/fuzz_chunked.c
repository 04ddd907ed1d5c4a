/* Any bytes as a chunked body: the pieces that it comes in make no difference, and what is whole
 * ends between two chunks. */
#include "fuzz.h"

#include <string.h>

#include "llm/chunked.h"

static int read_in_pieces(struct chunked *c, struct str raw, size_t piece, struct buf *out)
{
    int rc = 0;
    for (size_t at = 0; at < raw.n; at += piece)
        rc =
            chunked_read(c, (struct str){raw.p + at, raw.n - at < piece ? raw.n - at : piece}, out);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str raw = {(const char *)data + 1, size - 1};
    struct chunked once = {0}, pieces = {0}, after = {0};
    struct buf a, b;
    size_t whole = chunked_whole(raw);

    buf_init(&a, size);
    buf_init(&b, size);
    int rc = chunked_read(&once, raw, &a);
    FUZZ_CHECK(rc == 0 || rc == ERR_INVALID);
    FUZZ_CHECK(a.len <= raw.n);
    FUZZ_CHECK(read_in_pieces(&pieces, raw, 1 + data[0], &b) == rc);
    FUZZ_CHECK(str_eq(buf_str(&a), buf_str(&b)));
    FUZZ_CHECK(pieces.state == once.state && pieces.left == once.left);

    buf_clear(&b);
    FUZZ_CHECK(whole <= raw.n);
    FUZZ_CHECK(chunked_read(&after, (struct str){raw.p, whole}, &b) == 0);
    FUZZ_CHECK(chunked_is_between(&after));
    FUZZ_CHECK((whole > 0) == (b.len > 0));
    chunked_read(&after, (struct str){raw.p + whole, raw.n - whole}, &b);
    FUZZ_CHECK(str_eq(buf_str(&a), buf_str(&b)));
    buf_deinit(&a);
    buf_deinit(&b);
    return 0;
}
