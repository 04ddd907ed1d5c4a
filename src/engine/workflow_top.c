#include "engine/workflow_private.h"

#include <stdlib.h>
#include <string.h>

enum top_field {
    TF_ID,
    TF_NAME,
    TF_TYPE,
    TF_DESCRIPTION,
    TF_GROUP,
    TF_VERSION,
    TF_START,
    TF_INPUT_SCHEMA,
    TF_VARS,
    TF_BREAKERS,
    TF_NODES,
    TF_METADATA,
    TF_UI,
    TF_COUNT,
};
static const char *const top_names[TF_COUNT] = {
    [TF_ID] = "id",
    [TF_NAME] = "name",
    [TF_TYPE] = "type",
    [TF_DESCRIPTION] = "description",
    [TF_GROUP] = "group_id",
    [TF_VERSION] = "version",
    [TF_START] = "start_node_id",
    [TF_INPUT_SCHEMA] = "input_schema",
    [TF_VARS] = "vars",
    [TF_BREAKERS] = "breakers",
    [TF_NODES] = "nodes",
    [TF_METADATA] = "metadata",
    [TF_UI] = "ui",
};
static const char *const node_names[NF_COUNT] = {
    [NF_ID] = "id",
    [NF_TYPE] = "type",
    [NF_NAME] = "name",
    [NF_NEXT_IDS] = "next_ids",
    [NF_ROUTES] = "routes",
    [NF_WHEN] = "when",
    [NF_JOIN] = "join",
    [NF_RETRY] = "retry",
    [NF_TIMEOUT_MS] = "timeout_ms",
    [NF_ON_ERROR] = "on_error",
    [NF_PROPERTIES] = "properties",
};

const char *top_field_name(unsigned i)
{
    return i < TF_COUNT ? top_names[i] : NULL;
}

const char *node_field_name(unsigned i)
{
    return i < NF_COUNT ? node_names[i] : NULL;
}

static bool id_is_good(struct wf_parse *p, struct str id, const char *at)
{
    if (name_is_valid(id))
        return true;
    issue_error(p, at, "bad_id", "an id is 1 to %d letters, digits, '_', '.' or '-'",
                NAME_BYTES_MAX);
    return false;
}

static void kinds_offer(struct suggestion *s)
{
    unsigned count;
    const struct plugin_type *types = workflow_types(&count);
    for (int k = 0; k < KIND_COUNT; k++)
        if (k != KIND_PLUGIN)
            suggest_offer(s, str_of(node_kind_word((enum node_kind)k)));
    for (unsigned i = 0; i < count; i++)
        suggest_offer(s, str_of(types[i].name));
}

static void kind_read(struct wf_parse *p, struct json type, struct json object)
{
    struct node_def *n = &p->w->nodes[p->node];
    if (!json_exists(type)) {
        issue_error(p, object.p, "missing", "node \"%.*s\" has no type", STR_FMT(n->id));
        return;
    }
    size_t mark = path_push(p, ".type");
    if (want_type(p, type, JSON_STRING, "type", "a node type (text)")) {
        struct str word = text_of(p, type);
        p->sources[p->node].known_kind = kind_parse(word, &n->kind);
        n->plugin = plugin_type_find(word);
        if (n->plugin) {
            n->kind = KIND_PLUGIN;
            p->sources[p->node].known_kind = true;
        }
        if (!p->sources[p->node].known_kind) {
            struct suggestion s;
            suggest_init(&s, word);
            kinds_offer(&s);
            issue_error(p, type.p, "unknown_type", "no node type \"%.*s\"%s", STR_FMT(shown(word)),
                        suggest_text(p, &s));
        }
    }
    path_pop(p, mark);
}

/* One node's id, fields and kind; edges and properties come when all ids are known. */
static void node_read(struct wf_parse *p, struct str id, struct json object)
{
    struct workflow *w = p->w;
    p->node = (int)w->node_count++;
    struct node_def *n = &w->nodes[p->node];
    *n = (struct node_def){.id = id, .name = id, .retry = {.max_attempts = 1}, .owner = -1};
    n->doc = n->local = (uint16_t)p->node;
    struct node_source *src = &p->sources[p->node];
    src->next_step = -1;
    src->object = object;
    if (want_type(p, object, JSON_OBJECT, "a node", "an object")) {
        fields_read(p, object, node_names, NF_COUNT, "field", src->fields);
        kind_read(p, src->fields[NF_TYPE], object);
    }
    p->node = -1;
}

static void nodes_from_object(struct wf_parse *p, struct json nodes)
{
    struct json_iter it;
    json_iter_init(&it, nodes);
    while (json_iter_next(&it) && p->w->node_count < WORKFLOW_NODES_MAX) {
        struct str id = key_of(p, &it);
        size_t mark = path_push_key(p, id);
        if (id_is_good(p, id, it.value.p)) {
            node_read(p, id, it.value);
            struct json own = json_get_set(it.value, "id");
            if (json_exists(own) && !(json_type(own) == JSON_STRING && str_eq(text_of(p, own), id)))
                issue_error(p, own.p, "bad_id", "the node stands under \"%.*s\" but has another id",
                            STR_FMT(id));
        } else {
            p->edges_whole = false;
        }
        path_pop(p, mark);
    }
}

static void node_from_element(struct wf_parse *p, struct json v, size_t index)
{
    struct json id = json_get_set(v, "id");
    size_t mark = path_push(p, "[%zu]", index);
    bool good = want_type(p, v, JSON_OBJECT, "a node", "an object");
    if (good && !json_exists(id)) {
        issue_error(p, v.p, "missing", "a node in an array needs an id");
        good = false;
    }
    good =
        good && want_type(p, id, JSON_STRING, "id", "text") && id_is_good(p, text_of(p, id), id.p);
    path_pop(p, mark);
    if (!good) {
        p->edges_whole = false;
        return;
    }
    mark = path_push_key(p, text_of(p, id));
    node_read(p, text_of(p, id), v);
    path_pop(p, mark);
}

static void parse_nodes(struct wf_parse *p, struct json nodes)
{
    enum json_type type = json_type(nodes);
    size_t mark = path_push(p, "nodes");
    size_t count = json_length(nodes);
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        want_type(p, nodes, JSON_OBJECT, "nodes", "an object of nodes by id");
    } else if (count > WORKFLOW_NODES_MAX) {
        issue_error(p, nodes.p, "out_of_range", "a workflow has at most %d nodes, not %zu",
                    WORKFLOW_NODES_MAX, count);
    } else if (count) {
        p->w->nodes = arena_calloc(&p->w->arena, count, sizeof(*p->w->nodes));
        p->sources = arena_calloc(&p->scratch, count, sizeof(*p->sources));
        struct json_iter it;
        json_iter_init(&it, nodes);
        if (type == JSON_OBJECT)
            nodes_from_object(p, nodes);
        else
            while (json_iter_next(&it))
                node_from_element(p, it.value, it.index);
    }
    path_pop(p, mark);
}

int node_by_id_order(const void *a, const void *b, void *data)
{
    const struct workflow *w = data;
    struct str x = w->nodes[*(const uint16_t *)a].id, y = w->nodes[*(const uint16_t *)b].id;
    int c = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    if (c == 0)
        c = x.n < y.n ? -1 : x.n > y.n;
    return c ? c : (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void index_nodes(struct wf_parse *p)
{
    struct workflow *w = p->w;
    w->by_id = arena_calloc(&w->arena, w->node_count, sizeof(*w->by_id));
    for (unsigned i = 0; i < w->node_count; i++)
        w->by_id[i] = (uint16_t)i;
    qsort_r(w->by_id, w->node_count, sizeof(*w->by_id), node_by_id_order, w);
    for (unsigned i = 1; i < w->node_count; i++) {
        struct str id = w->nodes[w->by_id[i]].id;
        if (!str_eq(id, w->nodes[w->by_id[i - 1]].id))
            continue;
        size_t mark = path_push(p, "nodes.%.*s", STR_FMT(id));
        issue_error(p, p->sources[w->by_id[i]].object.p, "duplicate",
                    "another node has the id \"%.*s\"", STR_FMT(id));
        path_pop(p, mark);
        p->edges_whole = false;
    }
}

/* The only node of type start, or the one that is named. */
static void start_find(struct wf_parse *p, struct json named, struct json root)
{
    struct workflow *w = p->w;
    unsigned starts = 0;
    for (unsigned i = w->node_count; i-- > 0;) {
        if (p->sources[i].known_kind && w->nodes[i].kind == KIND_START) {
            w->start = (uint16_t)i;
            starts++;
        }
    }
    size_t mark = path_push(p, "start_node_id");
    if (json_exists(named)) {
        int i = -1;
        if (want_type(p, named, JSON_STRING, "start_node_id", "a node id"))
            i = workflow_find(w, text_of(p, named));
        if (i >= 0)
            w->start = (uint16_t)i;
        if (json_type(named) == JSON_STRING && i < 0) {
            struct suggestion s;
            suggest_init(&s, text_of(p, named));
            for (unsigned k = 0; k < w->node_count; k++)
                suggest_offer(&s, w->nodes[k].id);
            issue_error(p, named.p, "unknown_node", "no node \"%.*s\"%s",
                        STR_FMT(shown(text_of(p, named))), suggest_text(p, &s));
        } else if (i >= 0 && p->sources[i].known_kind && w->nodes[i].kind != KIND_START) {
            issue_error(p, named.p, "wrong_type",
                        "the start must be a start node; \"%.*s\" is %s %s",
                        STR_FMT(w->nodes[i].id), kind_def_of(w->nodes[i].kind)->article,
                        node_kind_word(w->nodes[i].kind));
        }
        p->edges_whole = p->edges_whole && i >= 0;
    } else if (starts != 1) {
        p->edges_whole = false;
        if (starts)
            issue_error(p, root.p, "missing",
                        "%u nodes are of type start: say with start_node_id which one begins",
                        starts);
        else
            issue_error(p, root.p, "missing", "no node is of type start");
    }
    path_pop(p, mark);
}

static void name_read(struct wf_parse *p, struct json v, const char *field, struct str *out)
{
    size_t mark = path_push(p, "%s", field);
    if (json_exists(v) && want_type(p, v, JSON_STRING, field, "text") &&
        id_is_good(p, text_of(p, v), v.p))
        *out = text_of(p, v);
    path_pop(p, mark);
}

static void top_texts_read(struct wf_parse *p, const struct json *f)
{
    struct workflow *w = p->w;
    name_read(p, f[TF_ID], "id", &w->id);
    name_read(p, f[TF_GROUP], "group_id", &w->group_id);
    if (json_exists(f[TF_NAME]))
        text_read(p, f[TF_NAME], "name", &w->name);
    if (json_exists(f[TF_TYPE]))
        text_read(p, f[TF_TYPE], "type", &w->type);
    size_t mark = path_push(p, "description");
    if (json_exists(f[TF_DESCRIPTION]) &&
        want_type(p, f[TF_DESCRIPTION], JSON_STRING, "description", "text"))
        w->description = text_of(p, f[TF_DESCRIPTION]);
    path_pop(p, mark);
}

static void top_objects_read(struct wf_parse *p, const struct json *f)
{
    static const enum top_field free_objects[] = {TF_VARS, TF_METADATA, TF_UI};
    for (size_t i = 0; i < sizeof(free_objects) / sizeof(free_objects[0]); i++) {
        enum top_field k = free_objects[i];
        size_t mark = path_push_key(p, str_of(top_names[k]));
        if (json_exists(f[k]))
            want_type(p, f[k], JSON_OBJECT, top_names[k], "an object");
        path_pop(p, mark);
    }
    p->w->vars = f[TF_VARS];
    p->w->input_schema = f[TF_INPUT_SCHEMA];
    size_t mark = path_push(p, "input_schema");
    if (json_exists(f[TF_INPUT_SCHEMA]))
        check_schema(p, f[TF_INPUT_SCHEMA], "input_schema");
    path_pop(p, mark);
}

/* null and 0 turn one off. */
static void top_breakers_read(struct wf_parse *p, struct json v)
{
    struct breaker_limits *b = &p->w->breakers;
    struct {
        const char *name;
        double *out, most;
        bool whole;
    } fields[] = {{"loop_depth", &b->loop_depth, 100000, true},
                  {"tokens_per_s", &b->tokens_per_s, 1e9, false},
                  {"repetition", &b->repetition, 1e6, true},
                  {"variety", &b->variety, 1, false}};
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
    const char *names[FIELDS];
    struct json values[FIELDS];
    *b = BREAKERS_UNSAID;
    size_t mark = path_push(p, "breakers");
    for (size_t i = 0; i < FIELDS; i++)
        names[i] = fields[i].name;
    if (json_exists(v) && want_type(p, v, JSON_OBJECT, "breakers", "an object")) {
        fields_read(p, v, names, FIELDS, "field", values);
        for (size_t i = 0; i < FIELDS; i++) {
            size_t inner = path_push_key(p, str_of(names[i]));
            if (json_exists(values[i]))
                want_number(p, values[i], fields[i].whole, 0, fields[i].most, names[i],
                            fields[i].out);
            else if (json_type(json_get(v, names[i])) == JSON_NULL)
                *fields[i].out = 0;
            path_pop(p, inner);
        }
    }
    path_pop(p, mark);
}

void parse_top(struct wf_parse *p, struct json root)
{
    struct json f[TF_COUNT];
    if (!want_type(p, root, JSON_OBJECT, "a workflow", "an object"))
        return;
    fields_read(p, root, top_names, TF_COUNT, "field", f);
    top_texts_read(p, f);
    top_objects_read(p, f);
    top_breakers_read(p, f[TF_BREAKERS]);
    enum json_type type = json_type(f[TF_NODES]);
    bool is_empty = type == JSON_NONE || type == JSON_OBJECT || type == JSON_ARRAY;
    if (is_empty && json_length(f[TF_NODES]) == 0) {
        size_t mark = path_push(p, "nodes");
        issue_error(p, root.p, "missing", "a workflow needs nodes");
        path_pop(p, mark);
        return;
    }
    parse_nodes(p, f[TF_NODES]);
    if (p->w->node_count) {
        index_nodes(p);
        start_find(p, f[TF_START], root);
    }
}
