#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* The two tables of one code, side by side so that neither forgets one. */
static const struct err_row {
    const char *word;
    int http_status;
} err_rows[] = {
    [-ERR_OK] = {"ok", 200},
    [-ERR_NOMEM] = {"out_of_memory", 503},
    [-ERR_INVALID] = {"invalid", 400},
    [-ERR_UNAUTHORIZED] = {"unauthorized", 401},
    [-ERR_FORBIDDEN] = {"forbidden", 403},
    [-ERR_NOT_FOUND] = {"not_found", 404},
    [-ERR_METHOD] = {"method_not_allowed", 405},
    [-ERR_CONFLICT] = {"conflict", 409},
    [-ERR_STALE] = {"stale_version", 412},
    [-ERR_TOO_LARGE] = {"too_large", 413},
    [-ERR_MEDIA] = {"unsupported_media_type", 415},
    [-ERR_UNPROCESSABLE] = {"invalid_workflow", 422},
    [-ERR_OVERLOAD] = {"overloaded", 429},
    [-ERR_INTERNAL] = {"internal", 500},
    [-ERR_UNAVAILABLE] = {"unavailable", 503},
    [-ERR_IO] = {"io_error", 500},
    [-ERR_CORRUPT] = {"corrupt", 500},
    [-ERR_TIMEOUT] = {"timeout", 504},
    [-ERR_CANCELLED] = {"cancelled", 409},
    [-ERR_UPSTREAM] = {"upstream_error", 502},
    [-ERR_LENGTH_REQUIRED] = {"length_required", 411},
};
#define ERR_ROWS (int)(sizeof(err_rows) / sizeof(err_rows[0]))

/* A code that is not ours can only come from a bug; it is told as one instead of read past. */
static const struct err_row *err_row(int code)
{
    if (code > 0 || code <= -ERR_ROWS)
        code = ERR_INTERNAL;
    return &err_rows[-code];
}

const char *err_word(int code)
{
    return err_row(code)->word;
}

int err_http_status(int code)
{
    return err_row(code)->http_status;
}

int err_set(struct errbuf *e, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_vset(e, code, fmt, ap);
    va_end(ap);
    return code;
}

int err_vset(struct errbuf *e, int code, const char *fmt, va_list ap)
{
    char text[sizeof(e->text)]; /* not e->text itself, which may be among the arguments */

    if (!e)
        return code;
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    if (n < 0)
        text[0] = '\0';
    if (n >= (int)sizeof(text))
        text[utf8_cut(text, sizeof(text) - 1)] = '\0';
    memcpy(e->text, text, strlen(text) + 1);
    return code;
}
