#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

/* A line longer than this is cut. On the stack, so that a line can still be written when memory is
 * short; escaping may make it longer, up to the size of the line. */
#define LOG_TEXT_BYTES 2048
#define LOG_LINE_BYTES 8192

static enum log_level log_least = LOG_INFO;
static int log_as_json;

void log_configure(enum log_level least, int as_json)
{
    log_least = least;
    log_as_json = as_json;
}

int log_enabled(enum log_level level)
{
    return level >= log_least;
}

static const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

    return names[level];
}

struct log_out {
    char bytes[LOG_LINE_BYTES];
    size_t len;
};

/* All or nothing, so that neither an escape nor a character is cut; one byte is kept for LF. */
static void log_put(struct log_out *out, const char *p, size_t n)
{
    if (n > sizeof(out->bytes) - 3 - out->len)
        return;
    memcpy(out->bytes + out->len, p, n);
    out->len += n;
}

/* Text of peers must not move a terminal's cursor or forge a second line: control characters (C0,
 * DEL, and C1 in UTF-8) and broken UTF-8 are written as escapes, which JSON understands too. */
static void log_put_escaped(struct log_out *out, const char *text, int quotes)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n;) {
        size_t len = utf8_char_len(text + i, n - i);
        unsigned char c = (unsigned char)text[i];
        char escape[8];
        int is_c1 = len == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
        if (len == 0)
            log_put(out, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
        else if (c == '\n')
            log_put(out, "\\n", 2);
        else if (c < 0x20 || c == 0x7f || is_c1)
            log_put(out, escape,
                    (size_t)snprintf(escape, sizeof(escape), "\\u%04x",
                                     is_c1 ? (unsigned char)text[i + 1] : c));
        else if (quotes && (c == '"' || c == '\\'))
            log_put(out, c == '"' ? "\\\"" : "\\\\", 2);
        else
            log_put(out, text + i, len);
        i += len ? len : 1;
    }
}

static void log_put_z(struct log_out *out, const char *z)
{
    log_put(out, z, strlen(z));
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
    char text[LOG_TEXT_BYTES], time[CLOCK_RFC3339_BYTES + 1];
    struct log_out out;
    int saved_errno = errno;
    va_list ap;

    if (!log_enabled(level))
        return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        text[0] = '\0';
    if (n >= (int)sizeof(text))
        text[utf8_cut(text, sizeof(text) - 1)] = '\0';
    clock_format_rfc3339(clock_wall_ms(), time);

    out.len = 0;
    log_put_z(&out, log_as_json ? "{\"time\":\"" : "");
    log_put_z(&out, time);
    log_put_z(&out, log_as_json ? "\",\"level\":\"" : " ");
    log_put_z(&out, log_level_name(level));
    log_put_z(&out, log_as_json ? "\",\"area\":\"" : " ");
    log_put_escaped(&out, area, log_as_json);
    log_put_z(&out, log_as_json ? "\",\"text\":\"" : ": ");
    log_put_escaped(&out, text, log_as_json);
    if (log_as_json)
        memcpy(out.bytes + out.len, "\"}", 2), out.len += 2; /* room was kept */
    out.bytes[out.len++] = '\n';
    /* Nobody can be told that a log line was lost. */
    if (write(STDERR_FILENO, out.bytes, out.len) < 0) {}
    errno = saved_errno;
}
