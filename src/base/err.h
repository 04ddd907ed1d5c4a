/* Error codes of the whole program.
 *
 * A function that can fail returns 0 or one of these negative codes. The sentence for a person is
 * kept by the long-lived owner of the operation in an errmsg[] (see struct errbuf), never in a
 * global. The words given by err_word() are the `code` of the HTTP contract, so they are final.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

enum err {
    ERR_OK = 0,
    ERR_NOMEM = -1,          /* a size that a peer controls could not be allocated */
    ERR_INVALID = -2,        /* malformed or out of range: HTTP 400 */
    ERR_UNAUTHORIZED = -3,   /* 401 */
    ERR_FORBIDDEN = -4,      /* 403 */
    ERR_NOT_FOUND = -5,      /* 404 */
    ERR_METHOD = -6,         /* 405 */
    ERR_CONFLICT = -7,       /* 409: the object is in a state that does not allow it */
    ERR_STALE = -8,          /* 412: If-Match does not hold */
    ERR_TOO_LARGE = -9,      /* 413: over a limit of docs/LIMITS.md */
    ERR_MEDIA = -10,         /* 415 */
    ERR_UNPROCESSABLE = -11, /* 422: a workflow does not validate */
    ERR_OVERLOAD = -12,      /* 429, with Retry-After */
    ERR_INTERNAL = -13,      /* 500 */
    ERR_UNAVAILABLE = -14,   /* 503: the store (or a peer) cannot be reached */
    ERR_IO = -15,            /* the operating system refused a read, write or flush */
    ERR_CORRUPT = -16,       /* stored bytes do not read back */
    ERR_TIMEOUT = -17,
    ERR_CANCELLED = -18,
    ERR_UPSTREAM = -19,        /* a model or tool server answered with an error: 502 */
    ERR_LENGTH_REQUIRED = -20, /* 411 */
};

/* The machine word of a code ("not_found"), and the HTTP status that carries it. */
const char *err_word(int code);
int err_http_status(int code);

/* A sentence for a person, kept by the owner of an operation. Always 0-terminated; cut at the end
 * if it would not fit, on a UTF-8 boundary. */
struct errbuf {
    char text[512];
};

/* Sets the sentence and returns `code`, so that `return err_set(e, ERR_INVALID, "…", x);` reads
 * well. `e` may be NULL: then only the code is returned. */
int err_set(struct errbuf *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct errbuf *e, int code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

#endif
