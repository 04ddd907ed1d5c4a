#include "llm/chunked.h"

#include <string.h>

#define SIZE_DIGITS_MAX   16 /* as libcurl */
#define WHOLE_DIGITS_MAX  7
#define CHUNK_FRAME_BYTES 4 /* CR LF after the size, and after the data */

/* -1: none */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum chunked_state chunked_after_size(const struct chunked *c)
{
    return c->left > 0 ? CHUNKED_DATA : CHUNKED_OVER;
}

static void chunked_take_size(struct chunked *c, char byte)
{
    int value = hex_value(byte);
    if (value >= 0 && c->digits < SIZE_DIGITS_MAX) {
        c->left = c->left << 4 | (uint64_t)value;
        c->digits++;
    } else if (value >= 0 || c->digits == 0 || c->left > INT64_MAX) {
        c->state = CHUNKED_BROKEN;
    } else {
        c->state = byte == '\n' ? chunked_after_size(c) : CHUNKED_EXTENSION;
    }
}

static void chunked_take(struct chunked *c, char byte)
{
    switch (c->state) {
    case CHUNKED_SIZE:
        chunked_take_size(c, byte);
        return;
    case CHUNKED_EXTENSION:
        if (byte == '\n')
            c->state = chunked_after_size(c);
        return;
    case CHUNKED_DATA_END:
        if (byte == '\n')
            *c = (struct chunked){.state = CHUNKED_SIZE};
        else if (byte != '\r')
            c->state = CHUNKED_BROKEN;
        return;
    case CHUNKED_DATA:
    case CHUNKED_OVER:
    case CHUNKED_BROKEN:
        return;
    }
}

int chunked_read(struct chunked *c, struct str raw, struct buf *out)
{
    size_t at = 0;
    while (at < raw.n && c->state != CHUNKED_OVER && c->state != CHUNKED_BROKEN) {
        if (c->state != CHUNKED_DATA) {
            chunked_take(c, raw.p[at++]);
            continue;
        }
        size_t n = c->left < raw.n - at ? (size_t)c->left : raw.n - at;
        int rc = buf_append(out, raw.p + at, n);
        if (rc)
            return rc;
        at += n;
        c->left -= n;
        if (c->left == 0)
            c->state = CHUNKED_DATA_END;
    }
    return c->state == CHUNKED_BROKEN ? ERR_INVALID : 0;
}

bool chunked_is_between(const struct chunked *c)
{
    return c->state == CHUNKED_SIZE && c->digits == 0;
}

/* The bytes of the chunk at the beginning of raw; 0: it is not whole, plain and before the last. */
static size_t chunk_bytes(struct str raw)
{
    size_t digits = 0, size = 0;
    int value;
    while (digits < raw.n && digits < WHOLE_DIGITS_MAX && (value = hex_value(raw.p[digits])) >= 0) {
        size = size << 4 | (size_t)value;
        digits++;
    }
    if (size == 0 || raw.n < CHUNK_FRAME_BYTES + digits + size)
        return 0;
    if (memcmp(raw.p + digits, "\r\n", 2) != 0 || memcmp(raw.p + digits + 2 + size, "\r\n", 2) != 0)
        return 0;
    return CHUNK_FRAME_BYTES + digits + size;
}

size_t chunked_whole(struct str raw)
{
    size_t at = 0, n;
    while ((n = chunk_bytes((struct str){raw.p + at, raw.n - at})) > 0)
        at += n;
    return at;
}
