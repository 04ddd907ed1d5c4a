#include "base/json_canonical.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"

/* Recursion is bounded: checked text is at most JSON_DEPTH_MAX deep. */

struct member {
    struct buf key; /* unescaped */
    struct json value;
};

static int member_cmp(const void *a, const void *b)
{
    struct str x = buf_str(&((const struct member *)a)->key);
    struct str y = buf_str(&((const struct member *)b)->key);
    size_t n = x.n < y.n ? x.n : y.n;
    int order = n ? memcmp(x.p, y.p, n) : 0;

    return order ? order : (x.n > y.n) - (x.n < y.n);
}

static void canonical_value(struct json v, struct buf *out);

static void canonical_object(struct json v, struct buf *out)
{
    size_t count = json_length(v), n = 0;
    struct member *members = mem_calloc(count + 1, sizeof(*members));
    struct json_iter it;

    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        buf_init(&members[n].key, it.key.n + 1);
        json_iter_key(&it, &members[n].key);
        members[n++].value = it.value;
    }
    qsort(members, n, sizeof(*members), member_cmp);
    buf_append_z(out, "{");
    for (size_t i = 0; i < n; i++) {
        buf_append_z(out, i ? "," : "");
        json_write_string(out, buf_str(&members[i].key));
        buf_append_z(out, ":");
        canonical_value(members[i].value, out);
        buf_deinit(&members[i].key);
    }
    buf_append_z(out, "}");
    free(members);
}

static void canonical_string(struct json v, struct buf *out)
{
    struct buf text;

    buf_init(&text, v.n + 1);
    json_string(v, &text);
    json_write_string(out, buf_str(&text));
    buf_deinit(&text);
}

static void canonical_value(struct json v, struct buf *out)
{
    enum json_type type = json_type(v);
    struct json_iter it;

    if (type == JSON_OBJECT) {
        canonical_object(v, out);
    } else if (type == JSON_ARRAY) {
        buf_append_z(out, "[");
        json_iter_init(&it, v);
        while (json_iter_next(&it)) {
            buf_append_z(out, it.index ? "," : "");
            canonical_value(it.value, out);
        }
        buf_append_z(out, "]");
    } else if (type == JSON_STRING) {
        canonical_string(v, out);
    } else {
        buf_append_str(out, json_raw(v));
    }
}

int json_canonical(struct str checked, struct buf *out)
{
    size_t before = out->len;

    canonical_value(json_root(checked), out);
    int rc = buf_error(out);
    if (rc)
        buf_truncate(out, before);
    return rc;
}

void json_checksum(struct str checked, char out[JSON_CHECKSUM_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum[DIGEST_SHA256_BYTES];
    struct buf text;

    buf_init(&text, SIZE_MAX);
    json_canonical(checked, &text);
    digest_sha256(buf_str(&text), sum);
    buf_deinit(&text);
    for (size_t i = 0; i < sizeof(sum); i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[JSON_CHECKSUM_BYTES] = '\0';
}
