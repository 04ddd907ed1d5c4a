#include "net/log_frames.h"

#include <string.h>

size_t frame_size(size_t n)
{
    return n + (n < 126 ? 2 : n < 65536 ? 4 : 10);
}

size_t frame_write_header(unsigned char *p, size_t n)
{
    p[0] = 0x81; /* final, text */
    if (n < 126) {
        p[1] = (unsigned char)n;
        return 2;
    }
    if (n < 65536) {
        p[1] = 126;
        p[2] = (unsigned char)(n >> 8);
        p[3] = (unsigned char)n;
        return 4;
    }
    p[1] = 127;
    for (int i = 0; i < 8; i++)
        p[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
    return 10;
}

struct str frame_payload(const unsigned char *p)
{
    size_t n = p[1];

    if (n < 126)
        return (struct str){(const char *)p + 2, n};
    if (n == 126)
        return (struct str){(const char *)p + 4, (size_t)p[2] << 8 | p[3]};
    n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | p[2 + i];
    return (struct str){(const char *)p + 10, n};
}

bool frame_next_line(struct str *lines, struct str *line)
{
    const char *end;

    if (lines->n == 0)
        return false;
    end = memchr(lines->p, '\n', lines->n);
    line->p = lines->p;
    line->n = end ? (size_t)(end - lines->p) : lines->n;
    lines->p += line->n;
    lines->n -= line->n;
    if (end) {
        lines->p++;
        lines->n--;
    }
    return true;
}
