/* Structural equality of two checked values. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/keyset.h"
#include "base/mem.h"

static bool json_number_eq(struct json a, struct json b)
{
    double x, y;
    int64_t i, j;
    bool a_is_int = json_i64(a, &i), b_is_int = json_i64(b, &j);

    if (a_is_int || b_is_int) /* exact where a double would round */
        return a_is_int && b_is_int && i == j;
    return json_double(a, &x) && json_double(b, &y) && x == y;
}

static bool json_string_value_eq(struct str a, struct str b)
{
    bool is_plain = !(a.n && memchr(a.p, '\\', a.n)) && !(b.n && memchr(b.p, '\\', b.n));

    if (is_plain)
        return str_eq(a, b);
    char *x = mem_alloc(a.n + 1), *y = mem_alloc(b.n + 1);
    size_t x_len = json_unescape(a, x), y_len = json_unescape(b, y);
    bool is_eq = x_len == y_len && memcmp(x, y, x_len) == 0;
    free(x);
    free(y);
    return is_eq;
}

static bool json_array_eq(struct json a, struct json b)
{
    struct json_iter x, y;
    bool more_x, more_y;

    json_iter_init(&x, a);
    json_iter_init(&y, b);
    for (;;) {
        more_x = json_iter_next(&x);
        more_y = json_iter_next(&y);
        if (!more_x || !more_y)
            return more_x == more_y;
        if (!json_eq(x.value, y.value))
            return false;
    }
}

struct json_member {
    uint64_t hash; /* of the unescaped key */
    struct str key;
    struct json value;
};

static int json_member_order(const void *a, const void *b)
{
    const struct json_member *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The members from `it` (which stands on one) to the end, sorted by hash. */
static struct json_member *json_members_sorted(struct json_iter it, size_t *count)
{
    struct json_member *members = NULL;
    size_t cap = 0, n = 0;

    do {
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            members = mem_realloc(members, cap * sizeof(*members));
        }
        char *plain = mem_alloc(it.key.n + 1);
        uint64_t hash = keyset_hash((struct str){plain, json_unescape(it.key, plain)});
        free(plain);
        members[n++] = (struct json_member){hash, it.key, it.value};
    } while (json_iter_next(&it));
    qsort(members, n, sizeof(*members), json_member_order);
    *count = n;
    return members;
}

/* The rest of two objects whose orders differ. Sorting keeps a hostile pair from costing n². */
static bool json_rest_eq(struct json_iter x, struct json_iter y)
{
    size_t x_count, y_count;
    struct json_member *xs = json_members_sorted(x, &x_count);
    struct json_member *ys = json_members_sorted(y, &y_count);
    bool is_eq = x_count == y_count;

    for (size_t i = 0; is_eq && i < x_count; i++) {
        /* Different keys with one hash may stand in either order; look through them. */
        size_t j = i;
        while (j < y_count && ys[j].hash == xs[i].hash &&
               !json_string_value_eq(xs[i].key, ys[j].key))
            j++;
        is_eq = j < y_count && ys[j].hash == xs[i].hash && json_eq(xs[i].value, ys[j].value);
        if (is_eq && j != i) {
            struct json_member moved = ys[i];
            ys[i] = ys[j];
            ys[j] = moved;
        }
    }
    free(xs);
    free(ys);
    return is_eq;
}

/* Members in the same order, which is usual, need no memory. */
static bool json_object_eq(struct json a, struct json b)
{
    struct json_iter x, y;

    json_iter_init(&x, a);
    json_iter_init(&y, b);
    for (;;) {
        bool more_x = json_iter_next(&x), more_y = json_iter_next(&y);
        if (!more_x || !more_y)
            return more_x == more_y;
        if (!json_string_value_eq(x.key, y.key))
            return json_rest_eq(x, y);
        if (!json_eq(x.value, y.value))
            return false;
    }
}

bool json_eq(struct json a, struct json b)
{
    enum json_type type = json_type(a);

    if (type != json_type(b))
        return false;
    switch (type) {
    case JSON_NONE:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        return true;
    case JSON_NUMBER:
        return json_number_eq(a, b);
    case JSON_STRING:
        return json_string_value_eq((struct str){a.p + 1, a.n - 2}, (struct str){b.p + 1, b.n - 2});
    case JSON_ARRAY:
        return json_array_eq(a, b);
    case JSON_OBJECT:
        return json_object_eq(a, b);
    }
    abort();
}
