#include "store/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define COPY_SAY_EVERY_MS 1000
#define COPY_LOOK_EVERY   1024 /* rows between two looks at the clock */

/* ---- sums ---- */

/* FNV-1a over bytes, spread by the last steps of splitmix64. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return (h ^ n) * 1099511628211u; /* where one value ends */
}

static uint64_t hash_spread(uint64_t h)
{
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return h ^ h >> 31;
}

/* What the JSON means: members in any order, strings unescaped. Numbers count as they are written;
 * the one column of this kind holds none. */
static uint64_t hash_json(uint64_t seed, struct json v)
{
    enum json_type type = json_type(v);
    uint64_t h = hash_spread(seed + (uint64_t)type), sum = 0;
    struct json_iter it;
    struct buf text;

    switch (type) {
    case JSON_STRING:
        buf_init(&text, SIZE_MAX / 2);
        json_string(v, &text);
        h = hash_bytes(h, text.data, text.len);
        buf_deinit(&text);
        return h;
    case JSON_ARRAY:
        json_iter_init(&it, v);
        while (json_iter_next(&it))
            h = hash_spread(h + hash_json(h, it.value));
        return h;
    case JSON_OBJECT:
        json_iter_init(&it, v);
        while (json_iter_next(&it)) {
            buf_init(&text, SIZE_MAX / 2);
            json_iter_key(&it, &text);
            sum += hash_json(hash_bytes(h, text.data, text.len), it.value);
            buf_deinit(&text);
        }
        return hash_spread(h + sum);
    case JSON_NUMBER:
        return hash_bytes(h, v.p, v.n);
    case JSON_NONE:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        return h;
    }
    return h;
}

static uint64_t hash_value(uint64_t h, enum copy_kind kind, const struct copy_value *v)
{
    struct json_limits limits = {.bytes_max = SIZE_MAX};

    h = hash_spread(h + (uint64_t)v->is);
    switch (v->is) {
    case COPY_IS_NULL:
        return h;
    case COPY_IS_INT:
        return hash_bytes(h, &v->i, sizeof(v->i));
    case COPY_IS_REAL:
        return hash_bytes(h, &v->r, sizeof(v->r));
    case COPY_IS_BYTES:
        if (kind == COPY_JSON && json_check(v->s, &limits, NULL) == 0)
            return hash_json(h, json_root(v->s));
        return hash_bytes(h, v->s.p, v->s.n);
    }
    return h;
}

void copy_sum_add(struct copy_sum *sum, const struct copy_table *t, const struct copy_value *row)
{
    uint64_t a = 14695981039346656037u, b = 0x9e3779b97f4a7c15u;

    for (int i = 0; i < t->count; i++) {
        a = hash_value(a + (uint64_t)i, t->columns[i].kind, &row[i]);
        b = hash_value(b + (uint64_t)i, t->columns[i].kind, &row[i]);
    }
    sum->rows++;
    sum->a += hash_spread(a);
    sum->b += hash_spread(b);
}

/* ---- the copy ---- */

struct copy {
    const struct copy_end_ops *from_ops, *to_ops;
    struct copy_end *from, *to;
    void (*say)(const char *line);
    struct errbuf *e;
    int64_t said_at;
};

static void copy_say(struct copy *c, const char *verb, const struct copy_table *t, int64_t rows,
                     int64_t total, bool always)
{
    int64_t now = clock_wall_ms();
    char line[160];

    if (!c->say || (!always && now - c->said_at < COPY_SAY_EVERY_MS))
        return;
    c->said_at = now;
    snprintf(line, sizeof(line), "%s: %" PRId64 " of %" PRId64 " rows %s", t->name, rows, total,
             verb);
    c->say(line);
}

static int copy_write_table(struct copy *c, const struct copy_table *t, int64_t total,
                            struct copy_sum *sum)
{
    struct copy_value row[COPY_COLUMNS_MAX];
    int64_t at_least = 0;
    int status = 0, more;

    if (total > 0 && strcmp(t->name, "session_events") == 0)
        status = c->from_ops->least(c->from, t->name, "at", &at_least, c->e);
    if (status == 0)
        status = c->from_ops->read_start(c->from, t, c->e);
    if (status == 0)
        status = c->to_ops->write_start(c->to, t, at_least, c->e);
    if (status < 0)
        return status;
    while ((more = c->from_ops->read_next(c->from, row, c->e)) > 0) {
        copy_sum_add(sum, t, row);
        status = c->to_ops->write(c->to, row, c->e);
        if (status < 0)
            return status;
        if (sum->rows % COPY_LOOK_EVERY == 0)
            copy_say(c, "copied", t, sum->rows, total, false);
    }
    return more < 0 ? more : c->to_ops->write_end(c->to, c->e);
}

static int copy_check_table(struct copy *c, const struct copy_table *t, const struct copy_sum *want)
{
    struct copy_value row[COPY_COLUMNS_MAX];
    struct copy_sum got = {0};
    int more;

    int status = c->to_ops->read_start(c->to, t, c->e);
    if (status < 0)
        return status;
    while ((more = c->to_ops->read_next(c->to, row, c->e)) > 0) {
        copy_sum_add(&got, t, row);
        if (got.rows % COPY_LOOK_EVERY == 0)
            copy_say(c, "checked", t, got.rows, want->rows, false);
    }
    if (more < 0)
        return more;
    if (got.rows != want->rows)
        return err_set(c->e, ERR_CORRUPT,
                       "%s: %" PRId64 " rows were written, %" PRId64 " read back", t->name,
                       want->rows, got.rows);
    if (got.a != want->a || got.b != want->b)
        return err_set(c->e, ERR_CORRUPT, "%s: what was written does not read back the same",
                       t->name);
    return 0;
}

/* Empty but for the default workspace, which every schema begins with. */
static int copy_check_empty(struct copy *c, const struct copy_table *tables, int count)
{
    int64_t rows = 0;

    for (int i = 0; i < count; i++) {
        int status = c->to_ops->count(c->to, tables[i].name, &rows, c->e);
        if (status < 0)
            return status;
        if (rows > (strcmp(tables[i].name, "workspaces") == 0))
            return err_set(c->e, ERR_CONFLICT, "the target is not empty: %" PRId64 " rows in %s",
                           rows, tables[i].name);
    }
    return 0;
}

static int copy_tables_all(struct copy *c)
{
    static struct copy_table tables[COPY_TABLES_MAX]; /* large, and one copy a process */
    struct copy_sum sums[COPY_TABLES_MAX] = {{0}};
    int count = copy_tables(tables);

    int status = copy_check_empty(c, tables, count);
    for (int i = 0; i < count && status == 0; i++) {
        int64_t total = 0;
        status = c->from_ops->count(c->from, tables[i].name, &total, c->e);
        if (status == 0)
            status = copy_write_table(c, &tables[i], total, &sums[i]);
        if (status == 0)
            copy_say(c, "copied", &tables[i], sums[i].rows, total, total > 0);
    }
    for (int i = 0; i < count && status == 0; i++)
        status = copy_check_table(c, &tables[i], &sums[i]);
    if (status == 0)
        status = c->to_ops->commit(c->to, c->e);
    return status;
}

static const struct copy_end_ops *copy_ops(const char *url)
{
    if (strncmp(url, "sqlite:", 7) == 0 && url[7])
        return &sqlite_copy_end;
    if (strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0)
        return &pg_copy_end;
    return NULL;
}

int store_copy(const char *from, const char *to, void (*say)(const char *line), struct errbuf *e)
{
    struct copy c = {.from_ops = copy_ops(from), .to_ops = copy_ops(to), .say = say, .e = e};

    if (!c.from_ops || !c.to_ops) /* it may hold a password: not said again */
        return err_set(e, ERR_INVALID, "--%s: wants sqlite:DIR or postgres://…",
                       c.from_ops ? "to" : "from");
    if (strcmp(from, to) == 0)
        return err_set(e, ERR_INVALID, "--from and --to are the same store");
    int status = c.from_ops->open(&c.from, from, false, e);
    if (status < 0)
        return status;
    status = c.to_ops->open(&c.to, to, true, e);
    if (status == 0) {
        status = copy_tables_all(&c);
        c.to_ops->close(c.to);
    }
    c.from_ops->close(c.from);
    if (status == 0 && say)
        say("all rows were read back and are the same");
    return status;
}
