/* The text of a list's cursor, as a client sends it: refused, or exactly what was encoded. */
#include "fuzz.h"

#include <string.h>

#include "store/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct errbuf e;
    struct cursor c;

    for (int kind = CURSOR_SESSIONS; kind <= CURSOR_RUNS; kind++) {
        int status = cursor_decode(text, (enum cursor_kind)kind, &c, &e);
        FUZZ_CHECK(status == 0 || status == ERR_INVALID);
        if (status < 0)
            continue;
        /* There is one text for a cursor. */
        struct arena arena;
        arena_init(&arena);
        struct str again = cursor_encode(&arena, (enum cursor_kind)kind, c.a, c.b,
                                         (struct str){(const char *)c.key, c.key_bytes});
        FUZZ_CHECK(str_eq(again, text));
        arena_deinit(&arena);
    }

    /* What the bytes say as fields comes back from a text of ours. */
    struct cursor in = {.a = 0};
    struct arena arena;
    arena_init(&arena);
    if (size >= 17) {
        memcpy(&in.a, data + 1, 8);
        memcpy(&in.b, data + 9, 8);
        in.key_bytes = size - 17 > CURSOR_KEY_MAX ? CURSOR_KEY_MAX : size - 17;
        memcpy(in.key, data + 17, in.key_bytes);
        enum cursor_kind kind = CURSOR_SESSIONS + data[0] % 5;
        struct str made = cursor_encode(&arena, kind, in.a, in.b,
                                        (struct str){(const char *)in.key, in.key_bytes});
        FUZZ_CHECK(cursor_decode(made, kind, &c, &e) == 0);
        FUZZ_CHECK(c.a == in.a && c.b == in.b && c.key_bytes == in.key_bytes);
        FUZZ_CHECK(memcmp(c.key, in.key, in.key_bytes) == 0);
    }
    arena_deinit(&arena);
    return 0;
}
