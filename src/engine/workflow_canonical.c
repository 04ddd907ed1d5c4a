#include "engine/workflow_canonical.h"

static const char *const top_order[] = {
    "id",           "name", "type",     "description", "group_id", "version", "start_node_id",
    "input_schema", "vars", "breakers", "nodes",       "metadata", "ui",      NULL};
static const char *const node_order[] = {"id",         "type",   "name",       "when",
                                         "join",       "retry",  "timeout_ms", "on_error",
                                         "properties", "routes", "next_ids",   NULL};

static bool is_in(const struct json_iter *it, const char *const *order)
{
    while (*order && !json_iter_key_is(it, *order))
        order++;
    return *order != NULL;
}

static void key_write(struct jw *w, const struct json_iter *it)
{
    struct buf key;
    buf_init(&key, it->key.n + 1);
    json_iter_key(it, &key);
    jw_key_str(w, buf_str(&key));
    buf_deinit(&key);
}

static void node_write(struct jw *w, struct json node)
{
    struct json_iter it;
    if (json_type(node) != JSON_OBJECT) {
        jw_raw(w, json_raw(node));
        return;
    }
    jw_object(w);
    for (const char *const *name = node_order; *name; name++)
        if (json_exists(json_get(node, *name)))
            jw_kv_raw(w, *name, json_raw(json_get(node, *name)));
    json_iter_init(&it, node);
    while (json_iter_next(&it))
        if (!is_in(&it, node_order)) {
            key_write(w, &it);
            jw_raw(w, json_raw(it.value));
        }
    jw_end(w);
}

static void nodes_write(struct jw *w, struct json nodes)
{
    bool by_id = json_type(nodes) == JSON_OBJECT;
    struct json_iter it;
    if (!by_id && json_type(nodes) != JSON_ARRAY) {
        jw_raw(w, json_raw(nodes));
        return;
    }
    if (by_id)
        jw_object(w);
    else
        jw_array(w);
    json_iter_init(&it, nodes);
    while (json_iter_next(&it)) {
        if (by_id)
            key_write(w, &it);
        node_write(w, it.value);
    }
    jw_end(w);
}

void workflow_canonical_write(struct json definition, struct str id, struct buf *out)
{
    struct json_iter it;
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    if (id.p)
        jw_kv_string(&w, "id", id);
    for (const char *const *name = top_order + (id.p ? 1 : 0); *name; name++) {
        struct json v = json_get(definition, *name);
        if (!json_exists(v))
            continue;
        jw_key(&w, *name);
        if (str_eqz(str_of(*name), "nodes"))
            nodes_write(&w, v);
        else
            jw_raw(&w, json_raw(v));
    }
    json_iter_init(&it, definition);
    while (json_iter_next(&it))
        if (!is_in(&it, top_order)) {
            key_write(&w, &it);
            jw_raw(&w, json_raw(it.value));
        }
    jw_end(&w);
}
