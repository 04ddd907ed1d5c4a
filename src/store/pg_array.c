#include "store/pg_array.h"

#include <assert.h>
#include <string.h>

/* Of array_recv(): dimensions, whether there are NULLs, the elements' type, their number, where
 * they are counted from. */
#define ARRAY_HEAD 20

static void array_put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * (3 - i));
}

static uint32_t array_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t array_type(char letter)
{
    switch (letter) { /* pg_type.dat */
    case 'u':
        return 2950;
    case 'i':
        return 20;
    case 'b':
        return 16;
    case 'y':
        return 17;
    default:
        return 25;
    }
}

void pg_rows_init(struct pg_rows *r, enum pg_sql sql, const char *types)
{
    *r = (struct pg_rows){.sql = sql, .types = types, .columns = (int)strlen(types)};
    assert(r->columns <= PG_COLUMNS_MAX);
    for (int i = 0; i < r->columns; i++)
        buf_init(&r->column[i], PG_ROWS_MAX);
}

void pg_rows_deinit(struct pg_rows *r)
{
    for (int i = 0; i < r->columns; i++)
        buf_deinit(&r->column[i]);
}

void pg_rows_clear(struct pg_rows *r)
{
    if (r->count == 0) /* most tables have no part in most commits */
        return;
    for (int i = 0; i < r->columns; i++) {
        buf_clear(&r->column[i]);
        if (r->column[i].cap > PG_KEEP_MAX) {
            buf_deinit(&r->column[i]);
            buf_init(&r->column[i], PG_ROWS_MAX);
        }
    }
    r->count = 0;
    r->bytes = 0;
    r->at = r->columns;
    r->overflow = false;
}

static void rows_put(struct pg_rows *r, char type, const void *p, size_t n)
{
    static const uint8_t head[ARRAY_HEAD];
    uint8_t length[4];

    assert(r->at < r->columns && r->types[r->at] == type);
    struct buf *b = &r->column[r->at++];
    if (b->len == 0)
        buf_append(b, head, sizeof(head));
    array_put32(length, p ? (uint32_t)n : UINT32_MAX);
    buf_append(b, length, sizeof(length));
    if (p && n > 0)
        buf_append(b, p, n);
    r->bytes += sizeof(length) + n;
    if (buf_error(b) || r->bytes > PG_ROWS_MAX)
        r->overflow = true;
}

void pg_rows_begin(struct pg_rows *r)
{
    assert(r->count == 0 || r->at == r->columns);
    r->count++;
    r->at = 0;
}

void pg_rows_id(struct pg_rows *r, const struct id *id)
{
    rows_put(r, 'u', id->b, sizeof(id->b));
}

void pg_rows_id_or_null(struct pg_rows *r, const struct id *id)
{
    rows_put(r, 'u', id_is_zero(*id) ? NULL : id->b, sizeof(id->b));
}

void pg_rows_i64(struct pg_rows *r, int64_t v)
{
    uint8_t bytes[8];

    array_put32(bytes, (uint32_t)((uint64_t)v >> 32));
    array_put32(bytes + 4, (uint32_t)v);
    rows_put(r, 'i', bytes, sizeof(bytes));
}

void pg_rows_bool(struct pg_rows *r, bool v)
{
    uint8_t byte = v;

    rows_put(r, 'b', &byte, 1);
}

void pg_rows_str(struct pg_rows *r, struct str s)
{
    rows_put(r, 't', s.p, s.n);
}

void pg_rows_bytes(struct pg_rows *r, struct str s)
{
    rows_put(r, 'y', s.p ? s.p : "", s.n);
}

void pg_rows_packed(struct pg_rows *r, struct str s)
{
    rows_put(r, 'y', s.p, s.n);
}

void pg_rows_close(struct pg_rows *r)
{
    assert(r->count > 0 && r->at == r->columns && !r->overflow);
    for (int i = 0; i < r->columns; i++) {
        uint8_t *head = (uint8_t *)r->column[i].data;
        array_put32(head, 1);
        array_put32(head + 4, 1); /* there may be NULLs */
        array_put32(head + 8, array_type(r->types[i]));
        array_put32(head + 12, (uint32_t)r->count);
        array_put32(head + 16, 1);
    }
}

void pg_rows_bind(struct pg_rows *r, struct pgq *q)
{
    pg_rows_close(r);
    for (int i = 0; i < r->columns; i++)
        pgq_bytes(q, &r->column[i]);
}

/* The next value of a column: where its array goes on. */
static size_t rows_value(const struct buf *column, size_t at, struct pgq *q)
{
    const uint8_t *p = (const uint8_t *)column->data + at;
    uint32_t n = array_get32(p);

    if (n == UINT32_MAX) {
        pgq_str(q, STR_NULL);
        return at + 4;
    }
    pgq_str(q, (struct str){(const char *)p + 4, n});
    return at + 4 + n;
}

void pg_rows_bind_first(struct pg_rows *r, struct pgq *q)
{
    assert(r->count > 0 && r->at == r->columns && !r->overflow);
    for (int i = 0; i < r->columns; i++)
        rows_value(&r->column[i], ARRAY_HEAD, q);
}

static void rows_add_ones(struct pg_rows *r, struct pg_conn *c)
{
    size_t at[PG_COLUMNS_MAX];

    for (int i = 0; i < r->columns; i++)
        at[i] = ARRAY_HEAD;
    for (int row = 0; row < r->count; row++) {
        struct pgq q;
        pgq_start(&q, c, r->one);
        for (int i = 0; i < r->columns; i++)
            at[i] = rows_value(&r->column[i], at[i], &q);
        pgq_end(&q);
    }
}

void pg_rows_add(struct pg_rows *r, struct pg_conn *c)
{
    struct pgq q;

    if (r->count == 0)
        return;
    if (r->count <= r->ones) {
        rows_add_ones(r, c);
        return;
    }
    pgq_start(&q, c, r->sql);
    pg_rows_bind(r, &q);
    pgq_end(&q);
}

void pg_floats_write(struct buf *out, const float *v, unsigned count)
{
    const uint32_t head[] = {1, 0, 700, count, 1};
    uint8_t bytes[8];

    buf_clear(out);
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
        array_put32(bytes, head[i]);
        buf_append(out, bytes, 4);
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof(bits));
        array_put32(bytes, sizeof(bits));
        array_put32(bytes + 4, bits);
        buf_append(out, bytes, sizeof(bytes));
    }
}

bool pg_floats_read(struct str bytes, float *out, unsigned count)
{
    const uint8_t *p = (const uint8_t *)bytes.p;

    if (count == 0 || bytes.n != ARRAY_HEAD + (size_t)count * 8 || array_get32(p) != 1 ||
        array_get32(p + 8) != 700 || array_get32(p + 12) != count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *element = p + ARRAY_HEAD + (size_t)i * 8;
        uint32_t bits = array_get32(element + 4);
        if (array_get32(element) != sizeof(float))
            return false;
        memcpy(&out[i], &bits, sizeof(bits));
    }
    return true;
}
