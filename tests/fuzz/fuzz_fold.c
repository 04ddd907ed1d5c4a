/* Stored rows of events that are folded, whatever bytes they hold: what is kept is whole, in order,
 * without token frames, and nothing else was taken out. */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "store/rules.h"

static bool is_token(struct str line)
{
    if (json_check(line, NULL, NULL) < 0)
        return false;
    return json_string_eq(json_get(json_root(line), "type"), "token_stream");
}

/* Frames of the row that are no tokens, in order: they must be those that were kept. */
static void check_kept(struct str frames, int64_t seq, const struct event_row *kept)
{
    const char *at = frames.p, *end = frames.p + frames.n, *kept_at = kept ? kept->frames.p : NULL;

    for (; at < end; seq++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        struct str line = {at, (size_t)((nl ? nl : end) - at)};
        at += line.n + 1;
        if (memmem(line.p, line.n, "\"token_stream\"", 14) && is_token(line))
            continue;
        FUZZ_CHECK(kept && kept_at == line.p);
        FUZZ_CHECK(seq >= kept->seq_first && seq <= kept->seq_last);
        if (seq < kept->seq_last) {
            kept_at = at;
        } else {
            kept = kept->next;
            kept_at = kept ? kept->frames.p : NULL;
        }
    }
    FUZZ_CHECK(!kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_row row = {.seq_first = 7};
    char *copy = malloc(size + 1); /* to its very end */
    int64_t gone, lines = 1;
    struct arena a;

    memcpy(copy, data, size);
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    row.seq_last = row.seq_first + lines - 1;
    row.frames = (struct str){copy, size};
    arena_init(&a);
    struct event_row *kept = rules_fold(&a, &row, &gone);
    if (gone == 0) {
        FUZZ_CHECK(kept == &row);
    } else {
        FUZZ_CHECK(gone >= row.seq_first && gone <= row.seq_last);
        check_kept(row.frames, row.seq_first, kept);
        for (const struct event_row *k = kept; k; k = k->next) {
            FUZZ_CHECK(rules_frames_are_whole(k->seq_first, k->seq_last, k->frames));
            FUZZ_CHECK(!k->next || k->next->seq_first > k->seq_last + 1);
        }
    }
    arena_deinit(&a);
    free(copy);
    return 0;
}
