#include "base/json.h"
#include "base/yaml_write.h"

struct pretty_level {
    struct json_iter it;
    bool is_object, any;
};

static void pretty_line(struct buf *out, unsigned depth)
{
    buf_append_char(out, '\n');
    for (unsigned i = 0; i < depth; i++)
        buf_append_z(out, "  ");
}

static bool is_container(struct json v)
{
    enum json_type t = json_type(v);
    return (t == JSON_OBJECT || t == JSON_ARRAY) && json_length(v) > 0;
}

static void pretty_scalar(struct buf *out, struct json v)
{
    enum json_type t = json_type(v);
    if (t == JSON_OBJECT || t == JSON_ARRAY)
        buf_append_z(out, t == JSON_OBJECT ? "{}" : "[]");
    else
        buf_append_str(out, json_raw(v));
}

/* A list of scalars that fits on a line. */
static bool is_short_list(struct json v)
{
    struct json_iter it;
    if (json_type(v) != JSON_ARRAY || v.n > 80)
        return false;
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (json_type(it.value) == JSON_OBJECT || json_type(it.value) == JSON_ARRAY)
            return false;
    return true;
}

static void pretty_list(struct buf *out, struct json v)
{
    struct json_iter it;
    json_iter_init(&it, v);
    buf_append_char(out, '[');
    while (json_iter_next(&it)) {
        if (it.index)
            buf_append_z(out, ", ");
        buf_append_str(out, json_raw(it.value));
    }
    buf_append_char(out, ']');
}

static void pretty_open(struct pretty_level *l, struct json v, struct buf *out)
{
    json_iter_init(&l->it, v);
    l->is_object = json_type(v) == JSON_OBJECT;
    l->any = false;
    buf_append_char(out, l->is_object ? '{' : '[');
}

int json_layout(struct str json, struct buf *out)
{
    struct pretty_level levels[JSON_DEPTH_MAX + 1];
    struct json root = json_root(json);
    unsigned depth = 0;
    if (is_short_list(root))
        pretty_list(out, root);
    else if (is_container(root))
        pretty_open(&levels[depth++], root, out);
    else
        pretty_scalar(out, root);
    while (depth) {
        struct pretty_level *l = &levels[depth - 1];
        if (!json_iter_next(&l->it)) {
            depth--;
            pretty_line(out, depth);
            buf_append_char(out, l->is_object ? '}' : ']');
            continue;
        }
        if (l->any)
            buf_append_char(out, ',');
        l->any = true;
        pretty_line(out, depth);
        if (l->is_object)
            buf_printf(out, "\"%.*s\": ", STR_FMT(l->it.key));
        if (is_short_list(l->it.value))
            pretty_list(out, l->it.value);
        else if (is_container(l->it.value) && depth <= JSON_DEPTH_MAX)
            pretty_open(&levels[depth++], l->it.value, out);
        else
            pretty_scalar(out, l->it.value);
    }
    buf_append_char(out, '\n');
    return buf_error(out);
}
