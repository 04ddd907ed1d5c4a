/* A growing byte buffer that must be given a maximum (after curl's dynbuf).
 *
 * A buf owns its bytes. It is always 0-terminated one past `len` once something was appended, so
 * `data` may be handed to printf; `data` is NULL while nothing was ever appended. When an append
 * would pass `max`, or memory is short, ERR_TOO_LARGE or ERR_NOMEM is returned, nothing is changed,
 * and the buf remembers the failure: later appends fail with the same code. So a writer may append
 * many pieces and ask buf_error() once at the end.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t len;
    size_t cap; /* bytes allocated, the terminator included */
    size_t max; /* most bytes of content */
    int error;  /* first failure, sticky until buf_clear() */
};

/* A slice of bytes that somebody else owns; not 0-terminated. */
struct str {
    const char *p;
    size_t n;
};

#define STR(lit)   ((struct str){(lit), sizeof(lit) - 1})
#define STR_NULL   ((struct str){NULL, 0})
#define STR_FMT(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct str str_of(const char *z)
{
    return (struct str){z, z ? __builtin_strlen(z) : 0};
}
bool str_eq(struct str a, struct str b);
bool str_eqz(struct str a, const char *z);
/* A heap copy, 0-terminated; free() it. Aborts on a failed allocation: callers bound the size. */
char *str_dup(struct str s);

void buf_init(struct buf *b, size_t max);
void buf_deinit(struct buf *b); /* frees; the buf may be initialised again */
void buf_clear(struct buf *b);  /* empties, keeps the memory, forgets the failure */
int buf_append(struct buf *b, const void *p, size_t n);
int buf_append_str(struct buf *b, struct str s);
int buf_append_z(struct buf *b, const char *z);
int buf_append_char(struct buf *b, char c);
int buf_append_u64(struct buf *b, uint64_t v); /* decimal */
int buf_append_i64(struct buf *b, int64_t v);
/* Decimal, without a terminator; gives its length. */
#define I64_TEXT_BYTES 20
size_t i64_format(int64_t v, char out[I64_TEXT_BYTES]);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Room for n more bytes at b->data + b->len, to be filled by the caller and added to len. */
int buf_reserve(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */
void buf_truncate(struct buf *b, size_t len);
int buf_error(const struct buf *b);
void buf_fit(struct buf *b); /* gives back what it has room for and does not use */
struct str buf_str(const struct buf *b);
/* Gives the bytes away (free() them, *len may be NULL) and leaves the buf empty. Never NULL. */
char *buf_steal(struct buf *b, size_t *len);

#endif
