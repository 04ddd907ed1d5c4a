/* The ring of recent events, from bytes that are not what was written: it reads back as records, or
 * is told to be spoiled. First byte: how many slots; of each, how much of its header is given. */
#include "fuzz.h"

#include <string.h>

#include "store/sqlite_ring.h"

#define SLOTS 4

/* A header that is right but for what the input says, so that what follows is reached. */
static void header(char *slot, uint8_t serial, uint8_t oldest, uint16_t used, uint16_t first)
{
    char text[RING_HEADER_BYTES + 1];

    snprintf(text, sizeof(text), "%016x %016x %04x %04x\n", serial, oldest, used, first);
    memcpy(slot, text, RING_HEADER_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[SLOTS][RING_SLOT_BYTES];
    struct str slots[SLOTS];
    struct ring_record record;
    struct buf out;
    size_t n, taken = 0;
    int more;

    if (size < 1)
        return 0;
    n = data[0] % (SLOTS + 1);
    data++, size--;
    for (size_t i = 0; i < n; i++) {
        memset(bytes[i], 0, sizeof(bytes[i]));
        slots[i] = (struct str){bytes[i], sizeof(bytes[i])};
        size_t most = size / (n - i), room = sizeof(bytes[i]) - RING_HEADER_BYTES;
        if (most < 7)
            continue;
        bool is_raw = data[0] & 1;
        if (!is_raw)
            header(bytes[i], data[1], data[2],
                   (uint16_t)(RING_HEADER_BYTES + (data[3] << 8 | data[4]) % (room + 9)),
                   (uint16_t)(RING_HEADER_BYTES + (data[5] << 8 | data[6]) % (room + 9)));
        size_t from = is_raw ? 0 : RING_HEADER_BYTES, count = most - 7 < room ? most - 7 : room;
        memcpy(bytes[i] + from, data + 7, count);
        slots[i].n -= data[0] == 255; /* one that is too short */
        data += 7 + count;
        size -= 7 + count;
    }
    buf_init(&out, SLOTS * RING_SLOT_BYTES);
    if (ring_read(slots, n, &out) == 0) {
        struct str rest = buf_str(&out);
        while ((more = ring_next(&rest, &record)) > 0) {
            FUZZ_CHECK(record.frames.n <= RING_FRAMES_MAX);
            FUZZ_CHECK(record.seq_last == 0 || record.seq_first <= record.seq_last);
            FUZZ_CHECK(record.frames.n == 0 ||
                       (record.frames.p >= out.data &&
                        record.frames.p + record.frames.n < out.data + out.len));
            taken += record.frames.n;
        }
        FUZZ_CHECK(more == ERR_CORRUPT || (more == 0 && rest.n == 0));
        FUZZ_CHECK(taken <= out.len);
    }
    buf_deinit(&out);
    return 0;
}
