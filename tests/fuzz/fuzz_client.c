/* What a server may send to libsluice: a stream of events in pieces, and an answer with a JSON
 * Pointer into it. Byte 0: how long a piece is; byte 1: bit 0 which of the two, the rest the
 * status; an answer's pointer is what stands before the first NUL. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "client/follow.h"

static int64_t last_seq;

static int event_given(void *data, const struct sluice_event *e)
{
    (void)data;
    /* A snapshot says where it goes on, which may be further back: a server that was restored. */
    FUZZ_CHECK(e->seq == 0 || e->seq > last_seq);
    last_seq = e->seq;
    FUZZ_CHECK(e->type && e->session_id && strlen(e->json) == e->json_bytes);
    if (e->node_id)
        FUZZ_CHECK(strlen(e->node_id) <= e->json_bytes);
    return 0;
}

static int change_given(void *data, const struct sluice_change *ch)
{
    (void)data;
    FUZZ_CHECK(ch->from && ch->to && ch->seq > 0);
    return 0;
}

static void fuzz_stream(const char *bytes, size_t size, size_t piece, bool as_hook)
{
    static const struct sluice_client client;
    struct follow f = {.event = event_given, .changed = as_hook ? change_given : NULL};

    last_seq = 0;
    follow_init(&f, &client, "s", 0, 0);
    for (size_t at = 0; at < size && !follow_is_over(&f); at += piece)
        follow_bytes(&f, bytes + at, size - at < piece ? size - at : piece);
    follow_deinit(&f);
}

static void fuzz_answer(const char *bytes, size_t size, int status)
{
    struct buf body;
    struct sluice_reply r;
    const char *end = memchr(bytes, '\0', size);
    char *pointer = strndup(bytes, end ? (size_t)(end - bytes) : 0);

    if (end) {
        size -= (size_t)(end + 1 - bytes);
        bytes = end + 1;
    }
    buf_init(&body, 1u << 20);
    buf_append(&body, bytes, size);
    struct answer a = {
        .status = status, .body = &body, .type = "application/json", .expects_json = true};
    int rc = reply_fill(&r, &a);
    FUZZ_CHECK((rc == 0) == (r.error[0] == '\0'));
    sluice_reply_string(&r, pointer);
    sluice_reply_json(&r, pointer);
    sluice_reply_int(&r, pointer, 0);
    sluice_reply_number(&r, pointer, 0);
    sluice_reply_bool(&r, pointer, 0);
    sluice_reply_count(&r, pointer);
    sluice_free(sluice_json_string(r.json, pointer));
    sluice_reply_free(&r);
    buf_deinit(&body);
    free(pointer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[1] & 1)
        fuzz_stream((const char *)data + 2, size - 2, data[0] + 1u, data[1] & 2);
    else
        fuzz_answer((const char *)data + 2, size - 2, 200 + data[1] * 2);
    return 0;
}
